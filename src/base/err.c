/* Errors: kind, errno, and one text that grows in front. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum err_kind err_kind_of(int sys)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		return ERR_MISSING;
	case EEXIST:
		return ERR_EXISTS;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_NOSPACE;
	case EROFS:
	case EACCES:
	case EPERM:
		return ERR_REFUSED;
	case ENOTCONN:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENETUNREACH:
	case ENODEV:
	case ENXIO:
	case ESHUTDOWN:
		return ERR_UNREACHABLE;
	default:
		return ERR_IO;
	}
}

static void set_text(struct err *e, const char *fmt, va_list ap)
{
	vsnprintf(e->text, sizeof e->text, fmt, ap);
}

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return false;
	e->kind = kind;
	e->sys = 0;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	return false;
}

bool err_sys(struct err *e, int sys, const char *fmt, ...)
{
	char why[128];
	va_list ap;
	size_t n;

	if (!e)
		return false;
	e->kind = err_kind_of(sys);
	e->sys = sys;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", strerror_r(sys, why, sizeof why));
	return false;
}

bool err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof e->text];
	va_list ap;
	size_t n, len;

	if (!e)
		return false;
	memcpy(old, e->text, sizeof old);
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	if (n + 2 < sizeof e->text) {
		e->text[n++] = ':';
		e->text[n++] = ' ';
		len = strnlen(old, sizeof e->text - n - 1);
		memcpy(e->text + n, old, len);
		e->text[n + len] = '\0';
	}
	return false;
}

void err_clear(struct err *e)
{
	if (!e)
		return;
	e->kind = ERR_NONE;
	e->sys = 0;
	e->text[0] = '\0';
}

bool err_is_damage(const struct err *e)
{
	return e->kind == ERR_MISSING || e->kind == ERR_CORRUPT;
}

bool err_is_unreadable(const struct err *e)
{
	return err_is_damage(e) || e->kind == ERR_NEWER;
}
