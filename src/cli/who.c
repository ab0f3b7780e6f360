/* The host by its kernel, the user by the effective id, under which files are made. */
#include "cli/who.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

void who_init(struct who *w)
{
	struct passwd *pw = getpwuid(geteuid());

	if (uname(&w->host) != 0 || !w->host.nodename[0])
		strcpy(w->host.nodename, "localhost");
	w->user = pw ? mem_strdup(pw->pw_name) : mem_printf("%u", (unsigned)geteuid());
}

void who_release(struct who *w)
{
	free(w->user);
	w->user = NULL;
}
