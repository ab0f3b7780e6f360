/*
 * A repository in memory that backups of small trees have made, its files, and what a
 * validation tells of it. What cannot fail and does ends the test program.
 */
#ifndef BALE_TESTS_VALIDATE_MAKE_H
#define BALE_TESTS_VALIDATE_MAKE_H

#include "engine/backup.h"
#include "engine/validate.h"
#include "repo/repo.h"

#define SNAPSHOTS 4

struct fixture {
	struct env *env;
	struct repo *repo;
	struct store *clean; /* what is tested is a copy of it */
	char *dir;           /* of the trees and the cache */
	char snapshot[SNAPSHOTS][BAND_MAX_LEN + 1];
};

/*
 * Three snapshots of one set, the second with a few changes, the third like the second,
 * and one of another set; chunks, frames and bundles are small, and one file has more
 * chunks than an entry holds.
 */
void fixture_setup(struct fixture *f, bool encrypted);
void fixture_teardown(struct fixture *f);

/* `files` of some hundred bytes and one of 40000 in dir/below. */
void fixture_tree(const char *dir, const char *below, unsigned files, uint64_t seed);

/* A client that knows nothing of what came before: the next backup is a new one's. */
void fixture_forget_client(struct fixture *f);

/* Back up dir/below; m and stop may be NULL. */
bool fixture_backup(struct fixture *f, const char *below, const char *set,
    const volatile bool *stop, struct monitor *m, struct backup_result *res,
    struct err *e);
void fixture_backup_well(struct fixture *f, const char *below, const char *set,
    char snapshot[BAND_MAX_LEN + 1]);

void noise(uint8_t *p, size_t n, uint64_t seed);

struct file {
	char folder[16], name[NAME_MAX_LEN + 1];
	struct buf bytes;
};

struct files {
	struct file *v;
	size_t n, cap;
};

struct files files_of(struct store *s);
void files_release(struct files *l);

/* folder/name, in a static buffer that the next call but one uses again. */
const char *path_of(const struct file *f);

struct heard {
	char *file, *kind;
	struct buf snapshots, paths; /* each with a line feed behind it */
	size_t all_paths;
};

struct hearing {
	struct monitor monitor;
	struct heard *v;
	size_t n, cap;
	unsigned notes;
	struct validate_result res;
};

bool validate(struct fixture *f, struct store *s, enum validate_level level,
    unsigned threads, struct hearing *h, struct err *e);

/* On one thread, and it must succeed. */
void hear(
    struct fixture *f, struct store *s, enum validate_level level, struct hearing *h);
void forget(struct hearing *h);
const struct heard *heard_of(const struct hearing *h, const char *file);

/* That at no level anything is damaged. */
void expect_clean(struct fixture *f, struct store *s, unsigned snapshots,
    unsigned incomplete, unsigned litter);

/* That nothing but this file is. `at` is for the message. */
void expect_named(const struct hearing *h, const struct file *file, size_t at);

#endif
