/* Allocation that ends the program rather than fail; the reason is in mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long countdown = -1;

void mem_fail_after(long nth)
{
	atomic_store(&countdown, nth);
}

static bool fail_now(void)
{
	if (atomic_load_explicit(&countdown, memory_order_relaxed) < 0)
		return false;
	return atomic_fetch_sub(&countdown, 1) == 0;
}

/* No stdio here: it may itself want memory. _exit, since handlers might too. */
_Noreturn void mem_exhausted(void)
{
	static const char text[] = "bale: out of memory; the repository stays valid\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(1);
	_exit(1);
}

void *mem_alloc(size_t n)
{
	void *p = fail_now() ? NULL : malloc(n ? n : 1);

	if (!p)
		mem_exhausted();
	return p;
}

void *mem_zalloc(size_t n)
{
	return mem_array(1, n);
}

void *mem_array(size_t count, size_t size)
{
	void *p = fail_now() ? NULL : calloc(count ? count : 1, size ? size : 1);

	if (!p)
		mem_exhausted();
	return p;
}

void *mem_realloc(void *p, size_t n)
{
	p = fail_now() ? NULL : realloc(p, n ? n : 1);
	if (!p)
		mem_exhausted();
	return p;
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
	size_t want = *cap ? *cap : 8;

	if (need <= *cap)
		return p;
	while (want < need) {
		if (want > SIZE_MAX / 2)
			mem_exhausted();
		want *= 2;
	}
	if (want > SIZE_MAX / size)
		mem_exhausted();
	*cap = want;
	return mem_realloc(p, want * size);
}

char *mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_alloc(n), s, n);
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	s = mem_alloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}
