/*
 * Where and as whom the program runs, as it goes into bands.
 */
#ifndef BALE_CLI_WHO_H
#define BALE_CLI_WHO_H

#include <sys/utsname.h>

struct who {
	struct utsname host; /* its nodename is never empty */
	char *user;          /* its number where it has no name */
};

void who_init(struct who *w);
void who_release(struct who *w);

#endif
