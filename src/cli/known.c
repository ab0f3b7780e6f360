/* Lines of "PATH<TAB>ID<TAB>TYPE", the path escaped; replaced whole, by rename. */
#include "cli/known.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sys.h"
#include "cli/text.h"
#include "store/mount.h"

#define READ_MAX (4u << 20)

static bool read_whole(const char *path, struct buf *out)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t n;

	if (fd < 0)
		return false;
	do {
		buf_reserve(out, 65536);
		n = sys_read(fd, out->p + out->n, 65536);
		if (n > 0)
			out->n += (size_t)n;
	} while (n == 65536 && out->n < READ_MAX);
	sys_close(fd);
	return n >= 0;
}

/* The next line, ended with a NUL in place of its newline. */
static char *next_line(char **rest)
{
	return strsep(rest, "\n");
}

bool known_find(const char *cache_dir, const char *path, struct known *out)
{
	struct buf file = BUF_EMPTY, key = BUF_EMPTY;
	char *name, *rest, *line;
	bool found = false;

	if (!cache_dir)
		return false;
	name = mem_printf("%s/known", cache_dir);
	text_name(&key, span_str(path));
	buf_add_byte(&key, '\t');
	if (read_whole(name, &file)) {
		rest = (char *)buf_str(&file);
		while (!found && (line = next_line(&rest)))
			found = strncmp(line, buf_str(&key), key.n) == 0 &&
			    sscanf(line + key.n, "%32s\t%63s", out->id, out->mount) == 2;
	}
	free(name);
	buf_release(&key);
	buf_release(&file);
	return found;
}

/* All lines but that of `key`, and then the new one. */
static void compose(
    struct buf *old, const struct buf *key, const struct known *k, struct buf *out)
{
	char *rest = (char *)buf_str(old), *line;

	while ((line = next_line(&rest)))
		if (*line && strncmp(line, (const char *)key->p, key->n) != 0)
			buf_printf(out, "%s\n", line);
	buf_add(out, key->p, key->n);
	buf_printf(out, "%s\t%s\n", k->id, k->mount);
}

/* The folders above it are made too: ~/.cache may be absent. */
static void make_folders(const char *path)
{
	char *copy = mem_strdup(path);

	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		sys_mkdirat(AT_FDCWD, copy, 0700);
		*p = '/';
	}
	sys_mkdirat(AT_FDCWD, copy, 0700);
	free(copy);
}

void known_note(const char *cache_dir, const char *path, const struct known *k)
{
	struct buf old = BUF_EMPTY, key = BUF_EMPTY, new = BUF_EMPTY;
	struct known before;
	char *name, *fresh;
	int fd;

	if (!cache_dir)
		return;
	if (known_find(cache_dir, path, &before) && strcmp(before.id, k->id) == 0 &&
	    strcmp(before.mount, k->mount) == 0)
		return;
	make_folders(cache_dir);
	name = mem_printf("%s/known", cache_dir);
	fresh = mem_printf("%s/known.%ld", cache_dir, (long)getpid());
	text_name(&key, span_str(path));
	buf_add_byte(&key, '\t');
	read_whole(name, &old);
	compose(&old, &key, k, &new);
	fd = sys_openat(AT_FDCWD, fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0) {
		bool ok = sys_write(fd, new.p, new.n);

		if (sys_close(fd) < 0 || !ok || rename(fresh, name) < 0)
			sys_unlinkat(AT_FDCWD, fresh, 0);
	}
	free(name);
	free(fresh);
	buf_release(&old);
	buf_release(&key);
	buf_release(&new);
}

void mount_type(const char *path, char out[64])
{
	struct mount_line *line = mem_zalloc(sizeof *line);
	int fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);

	strcpy(out, "unknown");
	if (fd >= 0 && mount_line_of(fd, line) && line->type[0])
		snprintf(out, 64, "%s", line->type);
	if (fd >= 0)
		sys_close(fd);
	free(line);
}
