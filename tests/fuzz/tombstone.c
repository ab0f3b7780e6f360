/* Any bytes as a JSON file: format/tombstone.md. */
#include "../support/json_turn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_turn_fuzz(span_of(data, size), turn_tombstone);
	return 0;
}
