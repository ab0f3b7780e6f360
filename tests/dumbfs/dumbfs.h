/*
 * What the parts of dumbfs share. dumbfs.c tells what it is for; control.c how it is told
 * what to do; a part is one .c here, with its section below. Paths are as FUSE gives
 * them, from the top of the mount ("/bands/x"); results are 0 or more, or a negated
 * errno.
 */
#ifndef DUMBFS_H
#define DUMBFS_H

#define FUSE_USE_VERSION 31

#include <fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define CONTROL "/.dumbfs"

/* --- dumbfs.c: the file system itself */

struct fs {
	int root;             /* the backing folder, open */
	_Atomic bool contract; /* refuse and count what is outside it */
	struct fuse_config *config;
};
extern struct fs fs;

/* Relative to the backing folder. */
const char *backing_path(const char *path);
int result(int r); /* of a system call */
double now(void);  /* seconds, of a clock that only goes on */

/* --- count.c: how often, how much, and what was not allowed */

enum kind {
	OP_KNOWN,   /* a look at what is known here: no trip */
	OP_LOOK,    /* a look-up, or attributes: those the kernel does not know already */
	OP_OPENDIR, /* with the first page of names */
	OP_PAGE,    /* a further page of names */
	OP_OPEN, OP_CREATE,
	OP_READ, /* from the start, or on from where the last one ended */
	OP_SEEK, /* any other */
	OP_WRITE, OP_FSYNC,
	OP_FLUSH, /* of a file that was written: its close */
	OP_UNLINK, OP_MKDIR, OP_STATFS,
	OP_RENAME, OP_SETATTR, OP_OTHER, /* without the contract only */
	OP_UPLOAD, /* of what was closed before; by dumbfs itself */
	OP_KINDS,
};
extern const char *const kind_names[OP_KINDS];

/*
 * One bit a kind. A trip is what a storage far away is asked and waited for, one by one.
 */
#define OP_BIT(kind) (1u << (kind))
#define OP_ALL       (OP_BIT(OP_KINDS) - 1)
#define OP_TRIPS                                                                         \
	(OP_BIT(OP_LOOK) | OP_BIT(OP_OPENDIR) | OP_BIT(OP_PAGE) | OP_BIT(OP_OPEN) |          \
	    OP_BIT(OP_CREATE) | OP_BIT(OP_SEEK) | OP_BIT(OP_FLUSH) | OP_BIT(OP_UNLINK))

enum violation {
	V_RENAME, V_LINK, V_SYMLINK, V_MKNOD, V_RMDIR, V_TRUNCATE, V_CHMOD, V_CHOWN, V_UTIME,
	V_LOCK, V_XATTR, V_FALLOCATE, V_COPY_RANGE, V_OPEN_WRITE, V_NOT_EXCLUSIVE, V_RDWR,
	V_APPEND, V_SEEK, V_OPEN_WHILE_WRITTEN, V_UNLINK_WHILE_WRITTEN, V_SECOND_FLUSH,
	V_WRITE_AFTER_FLUSH, V_EMPTY_FILE, V_NAME, V_NAME_REUSED, V_MODE, V_KINDS,
};

void count_op(enum kind kind, const char *path, size_t bytes);
/* Counts, and returns -EPERM. */
int refuse(enum violation what, const char *path);
void count_reset(void);
/* What the control file says; the caller frees. */
char *count_text(void);
/* Where each operation is told of as it happens; where the counts are told in the end. */
bool count_open(const char *trace, const char *report);
void count_close(void);

/* --- link.c: how far away the storage is */

void link_latency(unsigned kinds, double ms);
void link_bandwidth(bool up, double bytes_per_second); /* 0: without a limit */
void link_wait(enum kind kind);
void link_carry(bool up, size_t bytes);

/* --- rules.c: what goes wrong, and when */

struct verdict {
	int err;        /* 0, or a negated errno */
	long torn;      /* how many bytes are kept; -1: all */
	bool lose;      /* nothing is kept, whatever is said */
	bool phantom;   /* the name stays, listed at its full size, and cannot be read */
	unsigned hide;  /* of the names of a listing, in percent */
	char hidden[100]; /* those that match this pattern; "": none */
};

/* "KINDS PATTERN [nth=N] [every=N] [times=N|ever] ACTION..." */
bool rule_add(char *words);
void rules_clear(void);
/*
 * Counts an operation, waits as long as it takes, and tells what shall become of it.
 * `verdict` may be NULL. Returns its err.
 */
int begin(enum kind kind, const char *path, size_t bytes, struct verdict *verdict);

/* --- own.c: files of this mount that are not, or not so, on the storage */

/* A new file of which nothing is on the storage before its upload: a descriptor. */
int own_create(const char *path);
/* It was closed; it is uploaded when its time has come. */
void own_closed(const char *path);
void own_phantom(const char *path, off_t size);
/* Whether it knew of the file; if so, what was pending is no longer. */
bool own_forget(const char *path);
/* 1 if it knows of the file, 0 if not. */
int own_stat(const char *path, struct stat *st);
/* A descriptor, or an error; -ENOENT if it does not know the file. */
int own_open(const char *path);
/* Calls for each file in the folder. */
void own_list(const char *folder,
    void (*found)(void *arg, const char *name, const struct stat *st), void *arg);
size_t own_pending(void);

/* --- uploads.c: when they get there */

/*
 * "late=SECONDS order=close|reverse|shuffle placeholder unmount=drop|wait hold go drop"
 */
bool uploads_set(char *words);
bool uploads_late(void);
void uploads_start(void);
void uploads_stop(void);

/* --- stale.c: what this mount last saw of a folder, and believes still */

struct names {
	struct name {
		char *name;
		struct stat st;
	} *at;
	size_t n, cap;
};
/* Adds, or replaces what has the name. */
void names_set(struct names *names, const char *name, const struct stat *st);
void names_release(struct names *names);

/* "list=SECONDS look=SECONDS forget" */
bool stale_set(char *words);
/* A change that was made here is seen here. */
void stale_made(const char *path);
void stale_removed(const char *path);
/* The names in a folder, as believed. */
int stale_list(const char *folder, struct names *out);
int stale_stat(const char *path, struct stat *st);

/* --- known.c: attributes that need not be asked for again */

bool known_set(char *words); /* "SECONDS" */
void known_add(const char *folder, const char *name); /* or a whole path, and NULL */
void known_forget(const char *path);
bool known_is(const char *path);

/* --- names.c: which names a file may be given */

bool name_allowed(const char *path);
void name_use(const char *path);
/* Whether a file was made, or tried to be made, here under this name. */
bool name_is_used(const char *path);

/* --- control.c */

/* Does what the text says, line by line; false at the first that makes no sense. */
bool control_run(const char *text, size_t n);

/* "look,open", "any", "trips": the bits. */
bool control_kinds(char *words, unsigned *out);

/* --- presets.c */

/* The lines of a kind of mount; NULL if there is none of the name. */
const char *preset_text(const char *name);

/* --- files.c, folders.c, outside.c: the operations */

struct handle {
	int fd;
	bool writer, flushed, failed, late;
	off_t at;   /* where the next write must begin, or a read goes on */
	char *path; /* of a writer */
	char *text; /* of the control file */
	struct handle *next; /* of the writers */
};

static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

void files_ops(struct fuse_operations *ops);
void folders_ops(struct fuse_operations *ops);
void outside_ops(struct fuse_operations *ops);
/* Counts and returns true if somebody still writes the file. */
bool still_written(const char *path, enum violation what);

#endif
