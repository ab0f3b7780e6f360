/*
 * gitignore patterns. A pattern is split at its slashes into components once, and matched
 * component by component, so that `**` backs up over whole components and `*` within one:
 * each keeps only its last star, and the work is bounded by the product of the lengths.
 */
#include "tree/filter.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"

struct part {
	const char *p; /* in pattern.text */
	size_t n;
	bool any;   /* `**`: no or more components */
	bool plain; /* no character of it is special */
};

struct pattern {
	char *text;
	bool keep;     /* `!` */
	bool dir_only; /* trailing slash */
	bool anchored;
	struct part *parts;
	size_t n, cap;
};

struct filter {
	struct pattern *patterns;
	size_t n, cap;
};

struct filter *filter_new(void)
{
	return mem_zalloc(sizeof(struct filter));
}

static void pattern_release(struct pattern *p)
{
	free(p->parts);
	free(p->text);
}

void filter_free(struct filter *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->n; i++)
		pattern_release(&f->patterns[i]);
	free(f->patterns);
	free(f);
}

static const struct {
	const char *name;
	int (*is)(int c);
} classes[] = {
    {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
    {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
    {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
};

/*
 * If a [:class:] begins at p: its length, and whether c is in it; else 0. *known: its
 * name.
 */
static size_t class_match(const char *p, const char *end, int c, bool *in, bool *known)
{
	const char *q = p + 2;
	size_t i, n;

	*known = true;
	if (end - p < 4 || p[0] != '[' || p[1] != ':')
		return 0;
	while (q < end && *q != ']')
		q++;
	if (q == end || q == p + 2 || q[-1] != ':')
		return 0;
	n = (size_t)(q - p) - 3;
	for (i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (span_equal(span_str(classes[i].name), span_of(p + 2, n))) {
			*in = c < 128 && classes[i].is(c);
			return (size_t)(q - p) + 1;
		}
	}
	*known = false;
	return (size_t)(q - p) + 1;
}

/*
 * The bracket expression at p ('['): its length, and whether c is in it. 0 where it does
 * not end, or names a class that is none.
 */
static size_t bracket_match(const char *p, const char *end, uint8_t c, bool *in)
{
	const char *q = p + 1;
	bool negated = q < end && (*q == '!' || *q == '^'), hit = false, known, in_class;
	int low = -1;
	size_t n;

	q += negated;
	for (bool first = true; q < end && (first || *q != ']'); first = false) {
		in_class = false;
		n = class_match(q, end, c, &in_class, &known);
		if (!known)
			return 0;
		if (n) {
			hit |= in_class;
			q += n;
			low = -1;
			continue;
		}
		if (*q == '-' && low >= 0 && q + 1 < end && q[1] != ']') {
			q++;
			if (*q == '\\' && ++q == end)
				return 0;
			hit |= c >= low && c <= (uint8_t)*q;
			low = -1;
		} else {
			if (*q == '\\' && ++q == end)
				return 0;
			low = (uint8_t)*q;
			hit |= c == low;
		}
		q++;
	}
	if (q >= end)
		return 0;
	*in = hit != negated;
	return (size_t)(q - p) + 1;
}

/*
 * One character of the pattern against one of the name: its length in the pattern, or 0.
 */
static size_t match_one(const char *p, const char *end, uint8_t c)
{
	bool in = false;
	size_t n;

	switch (*p) {
	case '?':
		return 1;
	case '[':
		n = bracket_match(p, end, c, &in);
		return in ? n : 0;
	case '\\':
		return (uint8_t)p[1] == c ? 2 : 0;
	default:
		return (uint8_t)*p == c ? 1 : 0;
	}
}

static bool part_match(const struct part *part, const uint8_t *s, size_t n)
{
	const char *p = part->p, *end = p + part->n, *star = NULL;
	const uint8_t *send = s + n, *star_s = NULL;
	size_t step;

	if (part->plain)
		return n == part->n && memcmp(part->p, s, n) == 0;
	while (s < send) {
		if (p < end && *p == '*') {
			star = ++p;
			star_s = s;
		} else if (p < end && (step = match_one(p, end, *s)) > 0) {
			p += step;
			s++;
		} else if (star) {
			p = star;
			s = ++star_s;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

static size_t component(const uint8_t *s, const uint8_t *end)
{
	const uint8_t *slash = memchr(s, '/', (size_t)(end - s));

	return (size_t)((slash ? slash : end) - s);
}

/* All parts against all components of path, which does not begin with a slash. */
static bool parts_match(const struct pattern *pt, struct span path)
{
	const uint8_t *s = path.p, *end = path.p + path.n, *star_s = NULL;
	size_t i = 0, star = 0, n;

	while (s < end) {
		n = component(s, end);
		if (i < pt->n && pt->parts[i].any) {
			star = ++i;
			star_s = s;
			continue;
		}
		if (i < pt->n && part_match(&pt->parts[i], s, n)) {
			i++;
		} else if (star) {
			i = star;
			star_s += component(star_s, end);
			star_s += star_s < end;
			s = star_s;
			continue;
		} else {
			return false;
		}
		s += n;
		s += s < end;
	}
	while (i < pt->n && pt->parts[i].any)
		i++;
	return i == pt->n;
}

static bool pattern_match(const struct pattern *p, struct span apath, size_t root)
{
	size_t at = apath.n;

	if (p->anchored) {
		struct span whole = span_of(apath.p + 1, apath.n - 1);
		struct span below = span_of(apath.p + root + 1, apath.n - root - 1);

		return parts_match(p, below) || (root > 0 && parts_match(p, whole));
	}
	while (at > 0 && apath.p[at - 1] != '/')
		at--;
	return part_match(&p->parts[0], apath.p + at, apath.n - at);
}

bool filter_match(const struct filter *f, struct span apath, size_t root, bool is_dir)
{
	const struct pattern *p;
	size_t i;

	for (i = f->n; i > 0; i--) {
		p = &f->patterns[i - 1];
		if ((is_dir || !p->dir_only) && pattern_match(p, apath, root))
			return !p->keep;
	}
	return false;
}

/* The end of the component at p, or NULL if a bracket or an escape in it does not end. */
static const char *part_end(const char *p, const char *end, bool *plain)
{
	bool in;
	size_t n;

	for (*plain = true; p < end && *p != '/'; p += n) {
		n = 1;
		if (*p == '\\' && p + 1 == end)
			return NULL;
		if (*p == '\\' && p[1] == '/')
			return p; /* an escaped slash is a slash */
		if (*p == '\\')
			n = 2;
		if (*p == '[' && (n = bracket_match(p, end, 0, &in)) == 0)
			return NULL;
		if (strchr("*?[\\", *p))
			*plain = false;
	}
	return p;
}

/* Split the text into parts. False: it is no pattern. */
static bool split(struct pattern *pt, const char *p, const char *end)
{
	const char *q;
	struct part *part;
	bool plain;

	for (;;) {
		q = part_end(p, end, &plain);
		if (!q)
			return false;
		pt->parts = mem_grow(pt->parts, &pt->cap, pt->n + 1, sizeof *pt->parts);
		part = &pt->parts[pt->n++];
		*part = (struct part){.p = p, .n = (size_t)(q - p), .plain = plain};
		part->any = pt->anchored && part->n >= 2 && strspn(p, "*") >= part->n;
		if (q == end)
			break;
		p = q + (*q == '\\' ? 2 : 1);
	}
	/* At the end it wants something: "a/" followed by `**` is not a itself. */
	part = &pt->parts[pt->n - 1];
	if (part->any) {
		pt->parts = mem_grow(pt->parts, &pt->cap, pt->n + 1, sizeof *pt->parts);
		pt->parts[pt->n++] = (struct part){.p = "*", .n = 1};
	}
	return true;
}

/* No path has such a part; whoever writes one means something, and would not get it. */
static bool has_dots(const struct pattern *pt)
{
	bool found = false;

	for (size_t i = 0; !found && i < pt->n; i++)
		found = span_equal(span_of(pt->parts[i].p, pt->parts[i].n), span_str(".")) ||
		    span_equal(span_of(pt->parts[i].p, pt->parts[i].n), span_str(".."));
	return found;
}

bool filter_add(struct filter *f, const char *pattern, struct err *e)
{
	struct pattern pt = {.text = mem_strdup(pattern)};
	const char *p = pt.text;
	size_t n;

	if (*p == '!') {
		pt.keep = true;
		p++;
	}
	n = strlen(p);
	if (n > 0 && p[n - 1] == '/') {
		pt.dir_only = true;
		n--;
	}
	pt.anchored = memchr(p, '/', n) != NULL;
	if (n > 0 && *p == '/') {
		p++;
		n--;
	}
	if (n == 0 || !split(&pt, p, p + n)) {
		pattern_release(&pt);
		return err_set(e, ERR_USAGE, "'%s' is not a pattern", pattern);
	}
	if (has_dots(&pt)) {
		pattern_release(&pt);
		return err_set(e, ERR_USAGE,
		    "'%s' can match nothing, as paths have no . or .. in them; what is in the "
		    "source itself is /NAME",
		    pattern);
	}
	f->patterns = mem_grow(f->patterns, &f->cap, f->n + 1, sizeof *f->patterns);
	f->patterns[f->n++] = pt;
	return true;
}

/* Cut trailing spaces but an escaped one. */
static void trim(char *line)
{
	char *p = line, *end = line;

	while (*p) {
		if (*p == '\\' && p[1]) {
			p += 2;
			end = p;
		} else if (*p++ != ' ') {
			end = p;
		}
	}
	*end = 0;
}

static bool add_lines(struct filter *f, char *text, struct err *e)
{
	char *line;
	size_t n, number = 0;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while ((line = strsep(&text, "\n"))) {
		number++;
		n = strlen(line);
		if (n > 0 && line[n - 1] == '\r')
			line[n - 1] = 0;
		trim(line);
		if (*line && *line != '#' && !filter_add(f, line, e))
			return err_wrap(e, "line %zu", number);
	}
	return true;
}

bool filter_add_file(struct filter *f, const char *path, struct err *e)
{
	struct buf text = BUF_EMPTY;
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	bool ok = false;
	ssize_t got;

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	do {
		buf_reserve(&text, 65536);
		got = sys_read(fd, text.p + text.n, 65536);
		if (got < 0) {
			err_sys(e, errno, "%s", path);
			goto out;
		}
		text.n += (size_t)got;
	} while (got > 0);
	buf_str(&text);
	ok = add_lines(f, (char *)text.p, e) || err_wrap(e, "%s", path);
out:
	sys_close(fd);
	buf_release(&text);
	return ok;
}
