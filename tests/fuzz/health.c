/* Any bytes as a JSON file: format/health.md. */
#include "../support/json_turn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_turn_fuzz(span_of(data, size), turn_health);
	return 0;
}
