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

#define AROUND INT64_C(1000000000) /* ns for which one reading answers */
#define LACKED 32                  /* folders; a repository has fewer */
#define TOP       32 /* names in the top folder */
#define NAME_SIZE 16

struct folders {
	struct env *env;
	pthread_mutex_t lock; /* guards what follows */
	char above[NAME_SIZE];   /* what was read last */
	int64_t looked;          /* when, in ticks of env */
	uint64_t present, fresh; /* one bit a name: it is there; it was not asked for since */
	char lacked[LACKED][NAME_SIZE]; /* "": free */
	/* of the top folder */
	char top[TOP][NAME_SIZE], asked[TOP][NAME_SIZE];
	size_t n_top, n_asked;
	int64_t top_looked;
	bool top_fresh; /* it was read whole, and nothing was put since */
};

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

/* Of a folder named by one digit or letter; 0 for all others. */
static uint64_t bit_of(const char *name)
{
	static const char names[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	const char *at = *name && !name[1] ? strchr(names, *name) : NULL;

	return at ? UINT64_C(1) << (at - names) : 0;
}

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

/* What is in the folder above; nothing is fresh where it cannot be read. */
static void look_around(struct folders *f, int root)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct dirent *entry;
	DIR *dir;
	int fd;

	f->looked = f->env->ticks(f->env);
	f->present = f->fresh = 0;
	fd = sys_openat(root, f->above, flags, 0);
	if (fd < 0) {
		if (errno == ENOENT) {
			f->fresh = UINT64_MAX;
			lack(f, f->above);
		}
		return;
	}
	dir = fdopendir(fd);
	if (!dir) {
		sys_close(fd);
		return;
	}
	while ((entry = folder_next(dir, f->above)))
		f->present |= bit_of(entry->d_name);
	if (errno == 0)
		f->fresh = UINT64_MAX;
	closedir(dir);
}

static bool among(char v[][NAME_SIZE], size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(v[i], name) == 0)
			return true;
	return false;
}

static void read_names(struct folders *f, DIR *dir)
{
	struct dirent *entry;

	f->top_looked = f->env->ticks(f->env);
	f->n_top = f->n_asked = 0;
	while ((entry = folder_next(dir, ".")) && f->n_top < TOP)
		if (strlen(entry->d_name) < NAME_SIZE)
			strcpy(f->top[f->n_top++], entry->d_name);
	f->top_fresh = !entry && errno == 0;
}

static void read_top(struct folders *f, int root)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = sys_openat(root, ".", flags, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	f->top_fresh = false;
	if (dir) {
		read_names(f, dir);
		closedir(dir);
	} else if (fd >= 0) {
		sys_close(fd);
	}
}

void folders_begin(struct folders *f, DIR *top)
{
	pthread_mutex_lock(&f->lock);
	read_names(f, top);
	pthread_mutex_unlock(&f->lock);
}

void folders_put(struct folders *f)
{
	pthread_mutex_lock(&f->lock);
	f->top_fresh = false;
	f->fresh = 0;
	pthread_mutex_unlock(&f->lock);
}

/*
 * One that was there when the top was read is opened at once. Of another a look would be
 * a trip as well, but tell of no other.
 */
static bool top_absent(struct folders *f, int root, const char *folder)
{
	bool absent = false;

	pthread_mutex_lock(&f->lock);
	if (strlen(folder) < NAME_SIZE && !among(f->top, f->n_top, folder)) {
		if (!f->top_fresh || f->n_asked == TOP ||
		    among(f->asked, f->n_asked, folder) ||
		    f->env->ticks(f->env) - f->top_looked > AROUND)
			read_top(f, root);
		absent = f->top_fresh && !among(f->top, f->n_top, folder);
		if (absent) {
			strcpy(f->asked[f->n_asked++], folder);
			lack(f, folder);
		}
	}
	pthread_mutex_unlock(&f->lock);
	return absent;
}

bool folders_absent(struct folders *f, int root, const char *folder)
{
	const char *slash = strchr(folder, '/');
	uint64_t bit = slash ? bit_of(slash + 1) : 0;
	char above[NAME_SIZE];
	bool absent;

	if (*folder && !slash)
		return top_absent(f, root, folder);
	if (!bit || (size_t)(slash - folder) >= sizeof above)
		return false;
	snprintf(above, sizeof above, "%.*s", (int)(slash - folder), folder);
	pthread_mutex_lock(&f->lock);
	if (strcmp(above, f->above) != 0 || !(f->fresh & bit) ||
	    f->env->ticks(f->env) - f->looked > AROUND) {
		strcpy(f->above, above);
		look_around(f, root);
	}
	absent = (f->fresh & bit) && !(f->present & bit);
	f->fresh &= ~bit;
	if (absent)
		lack(f, folder);
	pthread_mutex_unlock(&f->lock);
	return absent;
}
