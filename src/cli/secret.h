/*
 * Where the passphrase or key file comes from: an option, else the environment, else the
 * terminal. A file with a secret must be readable by its owner alone.
 */
#ifndef BALE_CLI_SECRET_H
#define BALE_CLI_SECRET_H

#include "repo/repo.h"

struct secret_where {
	const char *key_file, *passphrase_file; /* from options; NULL: not given */
	bool environment; /* ask it too: BALE_KEY_FILE, BALE_PASSPHRASE_COMMAND, … */
	bool fresh;       /* a new one: asked twice; a key file that is not there is made */
};

/* The bytes lie in `hold`, which secret_release wipes and frees. */
struct held_secret {
	struct secret secret;
	struct buf hold;
	bool made; /* a key file was made */
};

#define HELD_SECRET_EMPTY                                                                \
	{                                                                                    \
		{SECRET_NONE, {NULL, 0}}, BUF_EMPTY, false                                       \
	}

/*
 * `what` is asked for at the terminal. ERR_USAGE where two are given or it is empty;
 * ERR_AUTH where there is none and no terminal; ERR_REFUSED where others can read a file;
 * ERR_STOPPED.
 */
bool secret_get(const struct secret_where *w, const char *what, struct held_secret *out,
    struct err *e);
void secret_release(struct held_secret *s);

/* Whether one is named, by an option or in the environment. */
bool secret_named(const struct secret_where *w);

#endif
