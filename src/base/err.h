/*
 * What went wrong, said once where it was detected, with the place added on the way up.
 * Functions return true for success; on false the struct err they were given tells why.
 * Nothing below cli prints it.
 */
#ifndef BALE_BASE_ERR_H
#define BALE_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
	ERR_NONE,
	ERR_IO,          /* an operation failed; trying again may help */
	ERR_MISSING,     /* not there */
	ERR_EXISTS,      /* there already */
	ERR_CORRUPT,     /* there, but not what was written */
	ERR_NEWER,       /* written by a newer bale, or needs a feature this one lacks */
	ERR_AUTH,        /* wrong passphrase or key */
	ERR_NOSPACE,     /* full disk or quota */
	ERR_UNREACHABLE, /* the storage went away, or is not mounted */
	ERR_STOPPED,     /* the user asked to stop */
	ERR_USAGE,       /* an argument that makes no sense */
	ERR_REFUSED,     /* permission, or a read-only file system */
	ERR_NOREPO,      /* no repository, or something that is not one */
};

struct err {
	enum err_kind kind;
	int sys;         /* errno where a system call failed, else 0 */
	char text[1000]; /* facts first, place in front; no newline at the end */
};

#define ERR_EMPTY {ERR_NONE, 0, ""}

/* All three return false, so that `return err_set(e, ...)` reads well. e may be NULL. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The kind follows from the errno value: ENOSPC, EDQUOT: NOSPACE; ENOENT: MISSING; … */
bool err_sys(struct err *e, int sys, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "place: " before the text. */
bool err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *e);

/* What was wanted is not there, or not whole; the storage itself works. */
bool err_is_damage(const struct err *e);

/* The same, or it was written by a newer bale: another file of its kind may be read. */
bool err_is_unreadable(const struct err *e);

/* The kind that a failed system call's errno stands for. */
enum err_kind err_kind_of(int sys);

#endif
