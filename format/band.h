/*
 * The JSON files of a band: head, part, tail, removed, fence (band.md).
 *
 * Open: names, times, sizes, the lists of bands and bundles. Secret: set, host, paths,
 * tags, totals of files, the references to hunks and their lists.
 */
#ifndef BALE_FORMAT_BAND_H
#define BALE_FORMAT_BAND_H

#include "format/json.h"
#include "format/list.h"

#define CLIENT_SIZE 16 /* characters [0-9a-v] of a client's id */
#define RANDOM_SIZE 26 /* characters [0-9a-v] that make a file's name fresh */

/* So that the name of any file of a band keeps within NAME_MAX_LEN. */
#define BAND_COUNTER_MAX 9999999999u
#define BAND_PART_MAX    99999u

enum band_kind { BAND_BACKUP, BAND_VACUUM };
enum band_file { BAND_HEAD, BAND_PART, BAND_TAIL, BAND_REMOVED, BAND_FENCE };

/* YYYYMMDDHHMMSS-<client>-<counter>, the time in UTC. */
struct band_name {
	char text[BAND_MAX_LEN + 1];
	char client[CLIENT_SIZE + 1];
	uint64_t counter; /* from 1 to BAND_COUNTER_MAX, without gaps, per client */
};

/* Whether it can be the id of a client. */
bool client_valid(struct span id);

void band_name_make(
    struct band_name *n, int64_t start_ns, const char *client, uint64_t counter);
bool band_name_parse(struct span text, struct band_name *n);

/*
 * The names of files in bands/: <band>-head-<r>, <band>-part-NNNN-<r>, …
 * r is RANDOM_SIZE random characters. part is from 1 to BAND_PART_MAX for a part, else 0.
 */
void band_file_name(char out[NAME_MAX_LEN + 1], const char *band, enum band_file kind,
    unsigned part, const char *r);
bool band_file_parse(
    struct span file, struct band_name *n, enum band_file *kind, unsigned *part);

/* Bands of one client that a writer saw: counters from..to. */
struct roll {
	char client[CLIENT_SIZE + 1];
	uint64_t from, to;
};

struct band_bundle {
	struct id name;
	bool hunks; /* a bundle of hunks, not of data */
	uint64_t size;
};

/* A reference as the JSON holds it: the bundle by name. */
struct band_ref {
	struct hunk_ref ref; /* ref.hint.bundle is not used; the band owns ref.first */
	struct bundle_ref bundle;
};

struct band_totals {
	uint64_t files, dirs, others;
	uint64_t bytes;        /* plain, of all files of the snapshot */
	uint64_t bytes_read, bytes_new;
	uint64_t bytes_stored; /* all that this run put, up to this file */
	uint64_t files_new, files_changed, files_removed;
	uint64_t unreadable, changed_while_read, vanished;
};

/*
 * Head, part and tail. A part or tail repeats the head and adds what follows it. A string
 * may be NULL when encoding, which is ""; after decoding none is.
 */
struct band {
	struct band_name name; /* the file's name says it, and a part's number */
	enum band_kind kind;
	int64_t start;
	char *program;                 /* "bale 0.1.0" */
	struct string_list required;   /* features a reader must know */
	/* secret */
	char *set, *host, *user;
	struct string_list paths, tags;
	/* part and tail: open */
	unsigned part;                 /* a part's number, from 1 on; else 0 */
	int64_t end;
	char *prev;                    /* this client's band before; "" where none */
	struct string_list seen;       /* tombstones known, always carried forward */
	struct roll *roll;
	size_t n_roll, roll_cap;
	struct band_bundle *bundles;   /* written by this run up to here */
	size_t n_bundles, bundles_cap;
	struct string_list deltas;     /* written by this run up to here */
	bool settled;                  /* the storage had acknowledged all of it */
	bool leave;                    /* the client has leave (docs/protocol.md, S3) */
	/* secret */
	struct band_totals totals;
	uint32_t list_level;           /* 0: refs are hunks; n: lists of level n-1 */
	struct band_ref *refs;
	size_t n_refs, refs_cap;
	char *last;                    /* a part's last apath; else "" */
	size_t last_len;
	/* length of the file it was decoded from, which its own bytes_stored cannot count */
	size_t file_size;
	/* set where decoding found one that is not known, else "" */
	char unknown_feature[FEATURE_MAX + 1];
};

void band_init(struct band *b);
void band_release(struct band *b);
void band_add_roll(struct band *b, const struct roll *r);
void band_add_bundle(struct band *b, const struct band_bundle *x);
/* Copies first. */
void band_add_ref(struct band *b, const struct band_ref *r);

/*
 * kind: HEAD, PART or TAIL. The file's name is to be band_file_name of b->name and
 * b->part. References go in ascending apath order.
 */
void band_encode(const struct band *b, enum band_file kind, struct json_body *out);

/*
 * The secret is the plain object's text: jf->secret in an unencrypted repository, the
 * unsealed bytes otherwise. *b is released by the caller, also after a failure.
 */
bool band_decode(const struct json_file *jf, struct span secret, enum band_file kind,
    struct band *b, struct fault *f);

/* removed and fence: a band's name, who wrote it, when. All open. */
struct band_note {
	struct band_name band; /* the file's name says it */
	char client[CLIENT_SIZE + 1];
	int64_t time;
};

/* Of type "removed" or "fence". */
void band_note_encode(const struct band_note *n, struct json_body *out);
bool band_note_decode(const struct json_file *jf, struct band_note *n, struct fault *f);

#endif
