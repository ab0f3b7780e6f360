/* Pieces of files. */
#include "engine/torn.h"

/* The envelope tells the length early on; whoever reads less has a piece. */
static bool looks_torn(struct span s)
{
	static const char begin[] = "{\"bale\":", length[] = "\"length\":";
	size_t n = s.n < sizeof begin - 1 ? s.n : sizeof begin - 1, i;
	const uint8_t *at;
	uint64_t told = 0;

	for (i = 0; i < s.n && s.p[i] == 0; i++)
		;
	if (i == s.n)
		return true; /* empty, or room that was never filled */
	if (memcmp(s.p, begin, n) != 0)
		return false;
	at = memmem(s.p, s.n, length, sizeof length - 1);
	if (!at)
		return s.n < JSON_MAX;
	for (at += sizeof length - 1; at < s.p + s.n && *at >= '0' && *at <= '9'; at++)
		told = told < JSON_MAX ? told * 10 + (uint64_t)(*at - '0') : told;
	return at == s.p + s.n || told > s.n;
}

bool file_torn(
    struct repo *r, const char *folder, const char *name, bool *torn, struct err *e)
{
	struct buf bytes = BUF_EMPTY;
	struct err why = ERR_EMPTY;

	*torn = true;
	if (repo_get(r, folder, name, 0, JSON_MAX, &bytes, NULL, &why)) {
		*torn = looks_torn(buf_span(&bytes));
	} else if (why.kind != ERR_MISSING) {
		*e = why;
		return false;
	}
	buf_release(&bytes);
	return true;
}
