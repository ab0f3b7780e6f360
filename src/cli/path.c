/* Paths as they are told and compared: absolute, and without links. */
#include "cli/path.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char *path_absolute(const char *path)
{
	char *real = realpath(path, NULL), *above, *out, *slash;

	if (real)
		return real;
	above = mem_strdup(path);
	for (size_t n = strlen(above); n > 1 && above[n - 1] == '/'; n--)
		above[n - 1] = '\0';
	slash = strrchr(above, '/');
	if (!slash) {
		real = realpath(".", NULL);
		out = mem_printf("%s/%s", real ? real : "", above);
	} else if (slash == above) {
		out = mem_strdup(above);
	} else {
		*slash = '\0';
		real = path_absolute(above);
		out = mem_printf("%s/%s", real, slash + 1);
	}
	free(real);
	free(above);
	return out;
}

bool path_within(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	while (n > 0 && folder[n - 1] == '/')
		n--;
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool path_is_address(const char *path)
{
	const char *colon = strchr(path, ':'), *slash = strchr(path, '/');

	return colon && (!slash || colon < slash) && *path != '.';
}
