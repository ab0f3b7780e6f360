/*
 * All of it is a guess that saves a trip: whoever acts on it copes with its being wrong.
 */
#include "store/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sys.h"
#include "store/store.h"

#define AROUND    INT64_C(1000000000) /* ns for which one reading answers */
#define LACKED    32                  /* folders; a repository has fewer */
#define NAME_SIZE 16

/* What is in a folder. */
struct reading {
	char above[NAME_SIZE];       /* the folder; "": none was read, ".": the top */
	struct store_listing there;  /* by name */
	struct store_listing asked;  /* names answered from it as absent */
	int64_t looked;              /* when, in ticks of env */
	bool fresh;                  /* it was read whole, and nothing was put since */
};

struct folders {
	struct env *env;
	pthread_mutex_t lock; /* guards what follows */
	struct reading top, below;
	char lacked[LACKED][NAME_SIZE]; /* "": free */
};

static void reading_clear(struct reading *r)
{
	store_listing_release(&r->there);
	store_listing_release(&r->asked);
	r->fresh = false;
}

struct folders *folders_new(struct env *env)
{
	struct folders *f = mem_zalloc(sizeof *f);

	f->env = env;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void folders_free(struct folders *f)
{
	if (!f)
		return;
	reading_clear(&f->top);
	reading_clear(&f->below);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* --- what is lacked: all with the lock held */

static char *lacked_find(struct folders *f, const char *folder)
{
	size_t i;

	for (i = 0; i < LACKED; i++)
		if (strcmp(f->lacked[i], folder) == 0)
			return f->lacked[i];
	return NULL;
}

static void lack(struct folders *f, const char *folder)
{
	char *place = lacked_find(f, folder);

	if (!place)
		place = lacked_find(f, "");
	if (place && strlen(folder) < NAME_SIZE)
		strcpy(place, folder);
}

void folders_lack(struct folders *f, const char *folder)
{
	pthread_mutex_lock(&f->lock);
	lack(f, folder);
	pthread_mutex_unlock(&f->lock);
}

bool folders_take(struct folders *f, const char *folder)
{
	char *place;

	pthread_mutex_lock(&f->lock);
	place = *folder ? lacked_find(f, folder) : NULL;
	if (place)
		*place = '\0';
	pthread_mutex_unlock(&f->lock);
	return place != NULL;
}

/* --- looking around */

struct dirent *folder_next(DIR *dir, const char *folder)
{
	struct dirent *entry;

	errno = sys_fault ? sys_fault(SYS_READDIR, folder) : 0;
	if (errno)
		return NULL;
	do {
		errno = 0;
		entry = readdir(dir);
	} while (!entry && errno == EINTR);
	return entry;
}

static void read_names(struct folders *f, struct reading *r, DIR *dir)
{
	struct dirent *entry;

	reading_clear(r);
	r->looked = f->env->ticks(f->env);
	while ((entry = folder_next(dir, r->above)))
		store_listing_add(&r->there, entry->d_name);
	r->fresh = errno == 0;
}

/* Nothing is fresh where it cannot be read; where it is not there, nothing is in it. */
static void look_around(struct folders *f, struct reading *r, int root)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd;
	DIR *dir;

	reading_clear(r);
	fd = sys_openat(root, r->above, flags, 0);
	if (fd < 0) {
		if (errno == ENOENT) {
			r->looked = f->env->ticks(f->env);
			r->fresh = true;
			lack(f, r->above);
		}
		return;
	}
	dir = fdopendir(fd);
	if (!dir) {
		sys_close(fd);
		return;
	}
	read_names(f, r, dir);
	closedir(dir);
}

void folders_begin(struct folders *f, DIR *top)
{
	pthread_mutex_lock(&f->lock);
	strcpy(f->top.above, ".");
	read_names(f, &f->top, top);
	pthread_mutex_unlock(&f->lock);
}

void folders_put(struct folders *f)
{
	pthread_mutex_lock(&f->lock);
	f->top.fresh = f->below.fresh = false;
	pthread_mutex_unlock(&f->lock);
}

/* Unsorted: few names. */
static bool among(const struct store_listing *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->names[i], name) == 0)
			return true;
	return false;
}

/*
 * One that was there is opened at once. Of another a look would be a trip as well, but
 * tell of no other.
 */
static bool absent_from(
    struct folders *f, struct reading *r, int root, const char *above, const char *name)
{
	bool same = strcmp(r->above, above) == 0;

	if (same && among(&r->there, name))
		return false;
	if (!same || !r->fresh || among(&r->asked, name) ||
	    f->env->ticks(f->env) - r->looked > AROUND) {
		strcpy(r->above, above);
		look_around(f, r, root);
	}
	if (!r->fresh || among(&r->there, name))
		return false;
	store_listing_add(&r->asked, name);
	return true;
}

bool folders_absent(struct folders *f, int root, const char *folder)
{
	const char *slash = strchr(folder, '/');
	char above[NAME_SIZE] = ".";
	bool absent;

	if (!*folder || (slash && (size_t)(slash - folder) >= sizeof above))
		return false;
	if (slash)
		snprintf(above, sizeof above, "%.*s", (int)(slash - folder), folder);
	pthread_mutex_lock(&f->lock);
	absent = absent_from(f, slash ? &f->below : &f->top, root, above,
	    slash ? slash + 1 : folder);
	if (absent)
		lack(f, folder);
	pthread_mutex_unlock(&f->lock);
	return absent;
}
