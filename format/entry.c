/*
 * What holds for an entry by itself: the order and the rules of apaths, and the coding of
 * extended attributes. hunk.c and list.c store them.
 */
#include "format/entry.h"

#include <assert.h>

static size_t common_length(struct span a, struct span b)
{
	size_t i = 0, n = a.n < b.n ? a.n : b.n;
	uint64_t x, y;

	for (; n - i >= 8; i += 8) {
		memcpy(&x, a.p + i, 8);
		memcpy(&y, b.p + i, 8);
		if (x != y)
			break;
	}
	while (i < n && a.p[i] == b.p[i])
		i++;
	return i;
}

/* The first byte of what is left of a component; -1 at its end, which sorts first. */
static int component_byte(struct span s)
{
	return s.n > 0 && s.p[0] != '/' ? s.p[0] : -1;
}

int apath_compare_tails(struct span a, struct span b)
{
	bool a_below = a.n > 0 && memchr(a.p, '/', a.n);
	bool b_below = b.n > 0 && memchr(b.p, '/', b.n);

	/* A child of the directory they share goes before all that lies deeper. */
	if (a_below != b_below)
		return a_below ? 1 : -1;
	return component_byte(a) - component_byte(b);
}

int apath_compare(struct span a, struct span b)
{
	size_t n = common_length(a, b);

	return apath_compare_tails(span_of(a.p + n, a.n - n), span_of(b.p + n, b.n - n));
}

static bool component_valid(const uint8_t *p, size_t n)
{
	return n > 0 && !(p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.')));
}

bool apath_valid(struct span s)
{
	const uint8_t *at, *end, *slash;

	if (s.n == 0 || s.n > APATH_MAX || s.p[0] != '/' || memchr(s.p, '\0', s.n))
		return false;
	if (s.n == 1)
		return true;
	end = s.p + s.n;
	for (at = s.p + 1; (slash = memchr(at, '/', (size_t)(end - at)));
	     at = slash + 1) {
		if (!component_valid(at, (size_t)(slash - at)))
			return false;
	}
	return component_valid(at, (size_t)(end - at));
}

bool apath_within(struct span inner, struct span outer)
{
	if (outer.n == 1)
		return true;
	if (inner.n < outer.n || memcmp(inner.p, outer.p, outer.n) != 0)
		return false;
	return inner.n == outer.n || inner.p[outer.n] == '/';
}

void apath_encode(
    struct buf *prefix, struct buf *suffix, struct buf *last, struct span apath)
{
	size_t n = common_length(buf_span(last), apath);

	assert(apath_valid(apath));
	assert(last->n == 0 || apath_compare(buf_span(last), apath) < 0);
	buf_add_varint(prefix, n);
	buf_add(suffix, apath.p + n, apath.n - n);
	buf_add_byte(suffix, 0);
	last->n = n;
	buf_add(last, apath.p + n, apath.n - n);
}

/* Whether the rest may follow `shared` bytes of what was before. */
static bool rest_fits(const struct buf *last, size_t shared, struct span rest)
{
	struct span tail;

	if (last->n == 0)
		return shared == 0;
	if (shared > last->n || rest.n == 0)
		return false;
	tail = span_of(last->p + shared, last->n - shared);
	if (tail.n > 0 && tail.p[0] == rest.p[0])
		return false;
	return apath_compare_tails(tail, rest) < 0;
}

bool apath_decode(struct cursor *prefix, struct cursor *suffix, struct buf *last)
{
	size_t shared = (size_t)cursor_varint(prefix, APATH_MAX, "apath: shared bytes");
	struct span rest = cursor_text(suffix, APATH_MAX, "apath: not ended");
	const uint8_t *slash;

	if (prefix->bad || suffix->bad)
		return false;
	if (!rest_fits(last, shared, rest)) {
		cursor_fail(
		    suffix, FAULT_CORRUPT, "apath: out of order or not front-coded");
		return false;
	}
	if (shared + rest.n > APATH_MAX) {
		cursor_fail(suffix, FAULT_LIMIT, "apath: too long");
		return false;
	}
	last->n = shared;
	buf_add(last, rest.p, rest.n);
	/* What lies before the component in which the two part is known to be valid. */
	slash = shared > 0 ? memrchr(last->p, '/', shared) : last->p;
	if (!apath_valid(span_of(slash, last->n - (size_t)(slash - last->p))))
		cursor_fail(suffix, FAULT_CORRUPT, "apath: not valid");
	return !suffix->bad;
}

void xattrs_add(struct buf *b, struct span name, struct span value)
{
	assert(name.n >= 1 && name.n <= XATTR_NAME_MAX && value.n <= XATTRS_MAX);
	buf_add_varint(b, name.n);
	buf_add_span(b, name);
	buf_add_varint(b, value.n);
	buf_add_span(b, value);
}

void xattrs_open(struct xattr_iter *it, struct span xattrs)
{
	cursor_init(&it->c, xattrs);
	it->last = SPAN_EMPTY;
}

enum step xattrs_next(
    struct xattr_iter *it, struct span *name, struct span *value, struct fault *f)
{
	struct cursor *c = &it->c;
	size_t n;

	if (!c->bad && cursor_left(c) == 0)
		return STEP_END;
	n = (size_t)cursor_varint(c, XATTR_NAME_MAX, "xattr: length of a name");
	*name = cursor_bytes(c, n, "xattr: name");
	if (!c->bad && (n == 0 || memchr(name->p, '\0', n)))
		cursor_fail(c, FAULT_CORRUPT, "xattr: name");
	if (!c->bad && it->last.n > 0 && span_compare(it->last, *name) >= 0)
		cursor_fail(c, FAULT_CORRUPT, "xattr: names out of order");
	it->last = *name;
	n = (size_t)cursor_varint(c, XATTRS_MAX, "xattr: length of a value");
	*value = cursor_bytes(c, n, "xattr: value");
	if (!c->bad)
		return STEP_ITEM;
	if (f)
		*f = c->fault;
	return STEP_FAILED;
}
