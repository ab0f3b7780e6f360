/* What own.c and uploads.c share: the files, and how they are uploaded. */
#ifndef DUMBFS_OWN_H
#define DUMBFS_OWN_H

#include "dumbfs.h"

#include <pthread.h>

enum order { ORDER_CLOSE, ORDER_REVERSE, ORDER_SHUFFLE };

struct own {
	char *path;
	int fd; /* -1: a phantom */
	bool closed, uploading;
	off_t size; /* of a phantom */
	double due;
	struct own *next; /* in order of creation */
};

struct owns {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct own *files;
	double late;
	enum order order;
	bool hold, placeholder, wait_at_end, ending;
	unsigned seed;
};
extern struct owns own;

/* Where the file is hooked into the list, or the end of it. */
struct own **own_find_locked(const char *path);
void own_drop_locked(struct own **at);

#endif
