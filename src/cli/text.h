/*
 * Numbers, times and names as people and scripts read them, and back. All append.
 */
#ifndef BALE_CLI_TEXT_H
#define BALE_CLI_TEXT_H

#include "base/buf.h"

/*
 * A name, so that nothing in it can be misread: `%`, control characters and whatever is
 * not valid UTF-8 become %XX, byte by byte. Undone by undoing each %XX.
 */
void text_name(struct buf *out, struct span name);

/* A message: the same, but `%` stays as it is. */
void text_message(struct buf *out, struct span message);

/* "412 B", "1.4 GiB". */
void text_size(struct buf *out, uint64_t bytes);

/* "412,903". */
void text_count(struct buf *out, uint64_t n);

/* "1 file", "2,000 files". */
void text_counted(struct buf *out, uint64_t n, const char *one, const char *several);

/* As text_name, and blanks up to a width that is counted in characters, not bytes. */
void text_padded(struct buf *out, struct span name, size_t width);

/* How many characters that would be without blanks. */
size_t text_width(struct span name);

/* "0.4 s", "41 s", "2 min 41 s", "3 h 5 min". */
void text_duration(struct buf *out, double seconds);

/* RFC 3339 in UTC, a fraction of nine digits unless it is 0. False past what a year can
 * be. */
bool text_time(struct buf *out, int64_t seconds, uint32_t ns);

/* The local time as "2026-11-20 02:10:07"; "?" past what a year can be. */
void text_local_time(struct buf *out, int64_t seconds);

/* Nanoseconds since 1970 taken apart, rounding down. */
int64_t time_seconds(int64_t ns);
uint32_t time_fraction(int64_t ns);

/* "100", "64K", "1G": bytes, K M G T for powers of 1024. */
bool text_parse_size(const char *s, uint64_t *out);

/* "30s", "5m", "2h" as nanoseconds. */
bool text_parse_duration(const char *s, int64_t *ns);

/* A decimal number within bounds, and nothing else. */
bool text_parse_number(const char *s, long min, long max, long *out);

#endif
