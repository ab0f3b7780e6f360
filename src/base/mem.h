/*
 * Allocation that cannot fail: out of memory, or an overflowing size, prints one line and
 * ends the program with status 1. No file of the storage is begun before the memory for
 * it is there, so the thread that ran out leaves none half written; if another one does,
 * that is litter as after a crash.
 */
#ifndef BALE_BASE_MEM_H
#define BALE_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);
void *mem_zalloc(size_t n);
void *mem_array(size_t count, size_t size); /* zeroed */
void *mem_realloc(void *p, size_t n);
/* Doubling; updates *cap. */
void *mem_grow(void *p, size_t *cap, size_t need, size_t size);
char *mem_strdup(const char *s);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same end, for who has seen a library's allocation fail. */
_Noreturn void mem_exhausted(void);

/* Tests: the nth allocation from now fails (0 = the next one); -1 = never. */
void mem_fail_after(long nth);

#endif
