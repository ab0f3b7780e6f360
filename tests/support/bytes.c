/* Generated input for tests. */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

void bytes_noise(struct buf *b, size_t n, uint64_t seed)
{
	uint8_t *p = buf_extend(b, n);
	uint8_t word[8];

	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			put_u64(word, next(&seed));
		p[i] = word[i % 8];
	}
}

void bytes_text(struct buf *b, size_t n, uint64_t seed)
{
	static const char *const words[] = {"static ", "struct ", "return ", "const ",
		"int ", "(void)", "size_t ", "->", ";\n\t", " = ", "if (", ") {\n",
		"}\n\n", "0x"};
	size_t end = b->n + n;

	while (b->n < end) {
		uint64_t r = next(&seed);

		buf_add_str(b, words[r % 14]);
		if (r >> 8 & 1)
			buf_printf(b, "v%x", (unsigned)(r >> 16 & 0xffff));
	}
	b->n = end;
}

void bytes_hex(const char *hex, uint8_t *out)
{
	for (; *hex; hex += 2) {
		char pair[3] = {hex[0], hex[1], 0};

		*out++ = (uint8_t)strtoul(pair, NULL, 16);
	}
}
