/*
 * What goes wrong, and when: rules that match operations by kind and path, and count
 * those that match. control.c tells how they are written. Of several that match one
 * operation, each counts it, and all of their actions are taken; of two errors the first
 * one's.
 */
#include "dumbfs.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct rule {
	unsigned kinds;
	char pattern[128];
	uint64_t seen, done;
	uint64_t nth, every, times; /* times 0: for ever */
	struct verdict verdict;
	bool die;
	unsigned wait_ms;
	struct rule *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the rules */
static struct rule *rules, **rules_end = &rules;

static int error_named(const char *word)
{
	static const struct {
		const char *name;
		int err;
	} errors[] = {{"EIO", EIO}, {"EINTR", EINTR}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},
		{"ESTALE", ESTALE}, {"ENOTCONN", ENOTCONN}, {"ETIMEDOUT", ETIMEDOUT},
		{"EROFS", EROFS}, {"EACCES", EACCES}, {"ENOENT", ENOENT}, {"EAGAIN", EAGAIN},
		{"EHOSTDOWN", EHOSTDOWN}, {"EREMOTEIO", EREMOTEIO}, {"EBADF", EBADF}};

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (strcmp(word, errors[i].name) == 0)
			return errors[i].err;
	return 0;
}

static bool take_word(struct rule *r, const char *word)
{
	unsigned long long n;

	if (strcmp(word, "times=ever") == 0)
		r->times = 0;
	else if (sscanf(word, "nth=%llu", &n) == 1)
		r->nth = n;
	else if (sscanf(word, "every=%llu", &n) == 1 && n > 0)
		r->every = n, r->times = 0;
	else if (sscanf(word, "times=%llu", &n) == 1)
		r->times = n;
	else if (sscanf(word, "torn=%llu", &n) == 1)
		r->verdict.torn = (long)n;
	else if (sscanf(word, "hide=%llu", &n) == 1)
		r->verdict.hide = (unsigned)n;
	else if (sscanf(word, "hidden=%99s", r->verdict.hidden) == 1)
		return true;
	else if (sscanf(word, "wait=%llu", &n) == 1)
		r->wait_ms = (unsigned)n;
	else if (strcmp(word, "lose") == 0)
		r->verdict.lose = true;
	else if (strcmp(word, "phantom") == 0)
		r->verdict.phantom = true;
	else if (strcmp(word, "die") == 0)
		r->die = true;
	else
		return (r->verdict.err = -error_named(word)) != 0;
	return true;
}

bool rule_add(char *words)
{
	char *save = NULL, *kinds = strtok_r(words, " ", &save);
	char *pattern = strtok_r(NULL, " ", &save);
	struct rule *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->nth = r->every = r->times = 1;
	r->verdict.torn = -1;
	if (!kinds || !pattern || strlen(pattern) >= sizeof r->pattern ||
	    !control_kinds(kinds, &r->kinds))
		goto bad;
	strcpy(r->pattern, pattern);
	for (char *w = strtok_r(NULL, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (!take_word(r, w))
			goto bad;
	pthread_mutex_lock(&lock);
	*rules_end = r;
	rules_end = &r->next;
	pthread_mutex_unlock(&lock);
	return true;
bad:
	free(r);
	return false;
}

void rules_clear(void)
{
	struct rule *r, *next;

	pthread_mutex_lock(&lock);
	for (r = rules; r; r = next) {
		next = r->next;
		free(r);
	}
	rules = NULL;
	rules_end = &rules;
	pthread_mutex_unlock(&lock);
}

/* Whether its turn has come. */
static bool applies(struct rule *r, enum kind kind, const char *path)
{
	if (!(r->kinds & OP_BIT(kind)) || fnmatch(r->pattern, path + 1, 0) != 0)
		return false;
	r->seen++;
	if (r->seen < r->nth || (r->seen - r->nth) % r->every != 0)
		return false;
	if (r->times && r->done >= r->times)
		return false;
	r->done++;
	return true;
}

int begin(enum kind kind, const char *path, size_t bytes, struct verdict *verdict)
{
	struct verdict v = {.torn = -1};
	unsigned wait_ms = 0;

	count_op(kind, path, bytes);
	pthread_mutex_lock(&lock);
	for (struct rule *r = rules; r; r = r->next) {
		if (!applies(r, kind, path))
			continue;
		if (r->die)
			_exit(3);
		wait_ms += r->wait_ms;
		v.err = v.err ? v.err : r->verdict.err;
		v.torn = r->verdict.torn >= 0 ? r->verdict.torn : v.torn;
		v.lose |= r->verdict.lose;
		v.phantom |= r->verdict.phantom;
		v.hide = r->verdict.hide ? r->verdict.hide : v.hide;
		if (r->verdict.hidden[0])
			memcpy(v.hidden, r->verdict.hidden, sizeof v.hidden);
	}
	pthread_mutex_unlock(&lock);
	link_wait(kind);
	if (wait_ms)
		nanosleep(&(struct timespec){wait_ms / 1000, wait_ms % 1000 * 1000000L}, NULL);
	if (verdict)
		*verdict = v;
	return v.err;
}
