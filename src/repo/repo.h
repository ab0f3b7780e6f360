/*
 * A repository: its head, its key, and the one way in which files get onto its storage
 * and back: plain → sealed → named → put, and get → checked → unsealed.
 *
 * Everything that is put goes through here, so this is where an attempt that failed is
 * tried again under a fresh name, and where it is decided that trying has lasted long
 * enough.
 */
#ifndef BALE_REPO_REPO_H
#define BALE_REPO_REPO_H

#include "base/env.h"
#include "base/err.h"
#include "codec/compress.h"
#include "codec/keyring.h"
#include "format/bundle.h"
#include "format/json.h"
#include "format/key.h"
#include "format/repository.h"
#include "store/store.h"

/* What opens a repository, or protects a new one. The bytes are borrowed. */
enum secret_kind { SECRET_NONE, SECRET_PASSPHRASE, SECRET_KEY_FILE };

struct secret {
	enum secret_kind kind;
	struct span bytes; /* the passphrase, or the content of the key file */
};

/* Told of each attempt that failed and will be repeated. Any thread. */
typedef void repo_retry_fn(void *arg, const char *folder, const char *name,
    const struct err *why, unsigned attempt);

/* Waits until the storage has what was put, or says that this cannot be told. */
typedef bool repo_settle_fn(void *arg, struct err *e);

struct repo {
	struct store *store;
	struct env *env;
	struct repository params;
	uint8_t key[KEY_SIZE]; /* the repository key: to wrap it for another secret */
	struct keyring *keys;
	struct compressor_cache
	    *compressors;        /* for reading; a writer brings its own level */
	/* Operations at once, to read ahead; 0: on the calling thread. */
	unsigned transfers;
	int64_t patience;        /* ns to go on trying a put: 15 minutes unless changed */
	repo_retry_fn *on_retry; /* may be NULL */
	void *retry_arg;
	_Atomic int64_t latency; /* ns: the quickest read of a file so far; INT64_MAX: none */
	/* For mounts whose close is no acknowledgement; may be NULL. */
	repo_settle_fn *settle;
	void *settle_arg;
	struct json_cache *json_cache; /* json_cache.h; may be NULL */
	const volatile bool
	    *stop; /* set by a signal: waiting ends with ERR_STOPPED; may be NULL */
};

/* --- making and opening: open.c */

struct repo_options {
	bool encrypted;
	uint64_t kdf_ops,
	    kdf_mem; /* Argon2id: 3 passes over 64 MiB unless a test wants less */
	struct repository params; /* cut, frame_plain and bundle_target of it are used */
	const char *label;        /* of the first key; may be "" */
	repo_retry_fn *on_retry;  /* these three as struct repo has them */
	void *retry_arg;
	const volatile bool *stop;
};

void repo_options_init(struct repo_options *o);

/*
 * Make a repository in a store whose top folder is empty: README.txt, the key, and last
 * bale.json, so that an interrupted init is no repository. Takes the store, also on
 * failure. ERR_EXISTS where a repository or other files are there.
 */
bool repo_create(struct store *store, struct env *env, const struct repo_options *o,
    const struct secret *secret, struct repo **out, struct err *e);

/*
 * Open one. Takes the store, also on failure. ERR_NOREPO where bale.json is not there,
 * with what is there instead; ERR_NEWER; ERR_CORRUPT; ERR_AUTH where no key slot opens.
 * get_secret is called only where the repository is encrypted.
 */
typedef bool repo_secret_fn(void *arg, struct secret *out, struct err *e);
bool repo_open(struct store *store, struct env *env, repo_secret_fn *get_secret,
    void *arg, struct repo **out, struct err *e);

/*
 * The same; what else is told holds from the first read on, and is *out's own afterwards.
 */
struct repo_opening {
	repo_secret_fn *get_secret;
	void *arg;
	unsigned transfers;
	repo_retry_fn *on_retry;
	void *retry_arg;
	const volatile bool *stop;
};

bool repo_open_with(struct store *store, struct env *env, const struct repo_opening *o,
    struct repo **out, struct err *e);

void repo_close(struct repo *r); /* and its store; NULL is harmless */

/*
 * Whether what is put here may be lost after the put has succeeded: the mount uploads
 * later, and nothing tells when.
 */
static inline bool repo_arrives_late(const struct repo *r)
{
	return r->store->mount != MOUNT_THROUGH && !r->settle;
}

struct key_info {
	char name[NAME_MAX_LEN + 1];
	struct key_slot slot;
	struct err why; /* where it cannot be used: CORRUPT, NEWER, MISSING; else NONE */
};

/*
 * All key slots, also those that cannot be used; *out is freed by the caller. What lies
 * in keys/ under a name that is not a slot's is left alone.
 */
bool repo_keys(struct repo *r, struct key_info **out, size_t *n, struct err *e);

/*
 * Wrap the key for another secret. ops and mem count for a passphrase only. ERR_USAGE in
 * an unencrypted repository. Main thread only.
 */
bool repo_key_add(struct repo *r, const struct secret *secret, const char *label,
    uint64_t kdf_ops, uint64_t kdf_mem, char name[NAME_MAX_LEN + 1], struct err *e);

/* The text of README.txt. */
struct span repo_readme(void);

/* --- names: names.c */

#define RANDOM_NAME_LEN 26

/* 128 random bits as 26 characters [0-9a-v]. */
void name_random(struct env *env, char out[RANDOM_NAME_LEN + 1]);
bool name_is_random(const char *name);

#define DATA_FOLDERS 16 /* data/0 to data/f */

/* The folder of a file named by a digest: "data/7" (first digit), "hunks", "index". */
const char *folder_of(enum file_type type, const struct id *name, char out[16]);

/*
 * How many of the folders of data a writer fills where there are so many bundles; the
 * first ones. Each that is there costs all who list the bundles a trip.
 */
unsigned folders_for(uint64_t bundles);

void name_of_id(const struct id *id, char out[2 * ID_SIZE + 1]);
bool id_of_name(const char *name, struct id *id);

/* --- files: file.c */

/* What an attempt at a file puts: parts, or, if there are none, a source. */
struct repo_file {
	char name[NAME_MAX_LEN + 1], folder[16];
	const struct span *parts; /* valid until the next attempt */
	size_t n_parts;
	struct store_source source;
};

/* One attempt: fills *out, which is all zero, on the thread that called repo_put. */
typedef bool repo_compose_fn(
    void *arg, unsigned attempt, struct repo_file *out, struct err *e);

/*
 * Put a file, again under a new name while the error is ERR_IO or ERR_EXISTS, with pauses
 * of 1 to 60 s, until patience ends; every other error at once. Any thread.
 */
bool repo_put(struct repo *r, repo_compose_fn *compose, void *arg, struct err *e);

/*
 * Once no put is under way: *settled says whether the storage itself has all that was
 * put, as r->settle vouches, or else the class of the mount. False: r->settle failed;
 * nothing may be built on what was put.
 */
bool repo_settle(struct repo *r, bool *settled, struct err *e);

/*
 * Reading: as store.h says, but ERR_IO is tried again twice, within 5 s: what a bad disk
 * does not give at the third time it does not give at the hundredth. A failure appends
 * nothing. Any thread.
 */
bool repo_get(struct repo *r, const char *folder, const char *name, uint64_t at, size_t n,
    struct buf *out, uint64_t *size, struct err *e);
bool repo_get_tail(struct repo *r, const char *folder, const char *name, size_t n,
    struct buf *out, uint64_t *size, struct err *e);
bool repo_list(
    struct repo *r, const char *folder, struct store_listing *out, struct err *e);
bool repo_stat(
    struct repo *r, const char *folder, const char *name, uint64_t *size, struct err *e);
/* ERR_MISSING also where an earlier try has done it, and failed to say so. */
bool repo_remove(struct repo *r, const char *folder, const char *name, struct err *e);

/*
 * A file that is a header (bundle.h) and sealed bytes, named by its digest: a delta, of
 * at most DELTA_PLAIN_MAX bytes. Main thread only: it draws from env.
 */
#define DELTA_PLAIN_MAX (DELTA_MAX - FILE_HEAD_SIZE - SEAL_EXTRA)

bool repo_put_delta(
    struct repo *r, struct span plain, struct id *name, uint64_t *size, struct err *e);
/* Whether a delta of this name tells of moves: by the writer's choice, not for sure. */
bool delta_name_moves(const struct id *name);
/* Get, check against its name, unseal. ERR_CORRUPT, ERR_MISSING, ERR_NEWER. */
bool repo_get_delta(
    struct repo *r, const struct id *name, struct buf *plain, struct err *e);

/*
 * Put a JSON file of a type of json.md. make_name puts a file name together from a fresh
 * random part; the name that held comes out. ERR_REFUSED where it would pass JSON_MAX.
 * Main thread only: it draws from env.
 */
typedef void repo_name_fn(
    const void *arg, const char *random, char name[NAME_MAX_LEN + 1]);
bool repo_put_json(struct repo *r, const char *folder, const char *type,
    repo_name_fn *make_name, const void *arg, const struct json_body *body,
    char name[NAME_MAX_LEN + 1], uint64_t *size, struct err *e);

/*
 * Get a JSON file, from the cache where r has one that knows it, and check it: whole, of
 * this repository, of this name and type, its digest right; and unseal its secret into
 * *secret (an object's text; empty where there is none). ERR_CORRUPT, ERR_NEWER,
 * ERR_MISSING. On success the caller closes *jf.
 */
bool repo_get_json(struct repo *r, const char *folder, const char *name, const char *type,
    struct json_file *jf, struct buf *secret, struct err *e);

/* The same checks on bytes at hand. */
bool repo_check_json(struct repo *r, const char *name, const char *type,
    struct span bytes, struct json_file *jf, struct buf *secret, struct err *e);

/* Turn a codec's fault into an error, CORRUPT or NEWER; always false. */
bool err_fault(struct err *e, const struct fault *f);

#endif
