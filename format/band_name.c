/*
 * Names of bands and of their files. A listing of bands/ is read by these names alone, so
 * they are as strict as any other format.
 */
#include "format/band.h"

#include <assert.h>
#include <stdio.h>

#include "format/json_internal.h"

static const char *const kinds[] = {"head", "part", "tail", "removed", "fence"};

#define STAMP_SIZE 14
/* stamp and client, with a hyphen behind each */
#define BEFORE_COUNTER (STAMP_SIZE + 1 + CLIENT_SIZE + 1)

bool client_valid(struct span id)
{
	return base32_valid(id, CLIENT_SIZE);
}

void band_name_make(
    struct band_name *n, int64_t start_ns, const char *client, uint64_t counter)
{
	struct time_parts t;

	assert(client_valid(span_str(client)));
	assert(counter >= 1 && counter <= BAND_COUNTER_MAX);
	memset(n, 0, sizeof *n);
	time_split(start_ns, &t);
	digits_encode(n->text, 4, (uint64_t)t.year);
	digits_encode(n->text + 4, 2, (uint64_t)t.month);
	digits_encode(n->text + 6, 2, (uint64_t)t.day);
	digits_encode(n->text + 8, 2, (uint64_t)t.hour);
	digits_encode(n->text + 10, 2, (uint64_t)t.minute);
	digits_encode(n->text + 12, 2, (uint64_t)t.second);
	snprintf(n->text + STAMP_SIZE, sizeof n->text - STAMP_SIZE, "-%s-%llu", client,
	    (unsigned long long)counter);
	memcpy(n->client, client, CLIENT_SIZE);
	n->counter = counter;
}

static bool stamp_valid(const uint8_t *p)
{
	static const uint64_t least[] = {1, 1, 0, 0, 0}, most[] = {12, 31, 23, 59, 59};
	uint64_t v;
	size_t i;

	if (!digits_decode(p, 4, &v))
		return false;
	for (i = 0; i < 5; i++)
		if (!digits_decode(p + 4 + 2 * i, 2, &v) || v < least[i] || v > most[i])
			return false;
	return true;
}

/* How long the band's name at the start of s is; 0 where none stands there. */
static size_t take_band(struct span s, struct band_name *n)
{
	size_t end = BEFORE_COUNTER;
	struct span client;

	memset(n, 0, sizeof *n);
	if (s.n <= BEFORE_COUNTER || !stamp_valid(s.p) || s.p[STAMP_SIZE] != '-' ||
	    s.p[BEFORE_COUNTER - 1] != '-')
		return 0;
	client = span_of(s.p + STAMP_SIZE + 1, CLIENT_SIZE);
	while (end < s.n && end < BAND_MAX_LEN && s.p[end] >= '0' && s.p[end] <= '9')
		end++;
	if (!client_valid(client) || end == BEFORE_COUNTER || s.p[BEFORE_COUNTER] == '0')
		return 0;
	digits_decode(s.p + BEFORE_COUNTER, end - BEFORE_COUNTER, &n->counter);
	if (n->counter > BAND_COUNTER_MAX)
		return 0;
	memcpy(n->text, s.p, end);
	memcpy(n->client, client.p, CLIENT_SIZE);
	return end;
}

bool band_name_parse(struct span text, struct band_name *n)
{
	return take_band(text, n) == text.n && text.n > 0;
}

void band_file_name(char out[NAME_MAX_LEN + 1], const char *band, enum band_file kind,
    unsigned part, const char *r)
{
	char number[16] = "";

	assert(strlen(band) <= BAND_MAX_LEN && strlen(r) == RANDOM_SIZE);
	assert(kind != BAND_PART || (part >= 1 && part <= BAND_PART_MAX));
	if (kind == BAND_PART)
		snprintf(number, sizeof number, "-%04u", part);
	snprintf(out, NAME_MAX_LEN + 1, "%s-%s%s-%s", band, kinds[kind], number, r);
}

static struct span skip(struct span s, size_t n)
{
	return span_of(s.p + n, s.n - n);
}

/* "-NNNN": at least four digits, no more than needed. Returns how long, or 0. */
static size_t take_part(struct span s, unsigned *part)
{
	size_t end = 1;
	uint64_t v;

	while (end < s.n && end <= 5 && s.p[end] >= '0' && s.p[end] <= '9')
		end++;
	if (s.n == 0 || s.p[0] != '-' || end < 5 || (end > 5 && s.p[1] == '0'))
		return 0;
	digits_decode(s.p + 1, end - 1, &v);
	*part = (unsigned)v;
	return v > 0 ? end : 0;
}

bool band_file_parse(
    struct span file, struct band_name *n, enum band_file *kind, unsigned *part)
{
	size_t used = take_band(file, n), length, k;

	*part = 0;
	if (used == 0 || used == file.n || file.p[used] != '-')
		return false;
	file = skip(file, used + 1);
	for (k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		length = strlen(kinds[k]);
		if (file.n > length && memcmp(file.p, kinds[k], length) == 0)
			break;
	}
	if (k == sizeof kinds / sizeof *kinds)
		return false;
	*kind = (enum band_file)k;
	file = skip(file, strlen(kinds[k]));
	if (*kind == BAND_PART) {
		used = take_part(file, part);
		if (used == 0)
			return false;
		file = skip(file, used);
	}
	return file.n > 0 && file.p[0] == '-' && base32_valid(skip(file, 1), RANDOM_SIZE);
}
