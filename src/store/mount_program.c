/*
 * What a mount was made with. The mount table tells a kernel's own file systems; of a
 * FUSE mount it knows little, and the arguments of its program have the rest.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/mount.h"
#include "store/mount_internal.h"

/* The file name in a path. */
static struct span base_of(struct span path)
{
	const uint8_t *slash = memrchr(path.p, '/', path.n);

	return slash ? span_of(slash + 1, path.n - (size_t)(slash + 1 - path.p)) : path;
}

/* How sure it is that a process serves a mount. */
enum serving { SERVES_NOT, SERVES_PERHAPS, SERVES };

/*
 * A program that has gone to "/" since knows no longer what "mnt" was: its end must do.
 */
static enum serving names_point(struct span arg, const char *cwd, const char *point)
{
	size_t n = strlen(point);

	if (mount_same_place(arg, cwd, point))
		return SERVES;
	if ((cwd && strcmp(cwd, "/") != 0) || arg.n == 0 || arg.p[0] == '/' ||
	    arg.p[0] == '-' || arg.n >= n || point[n - arg.n - 1] != '/')
		return SERVES_NOT;
	return span_equal(arg, span_of((const uint8_t *)point + n - arg.n, arg.n))
	    ? SERVES_PERHAPS
	    : SERVES_NOT;
}

/*
 * Whether a process has the name in that of its program, and the point among its
 * arguments.
 */
static enum serving serves(
    const char *pid, const char *name, const char *point, struct buf *args)
{
	enum serving best = SERVES_NOT, how;
	char path[64], cwd[4096];
	struct span rest, arg;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%.16s/cmdline", pid);
	if (!mount_read_proc(path, args))
		return SERVES_NOT;
	rest = buf_span(args);
	if (!mount_next_piece(&rest, '\0', &arg))
		return SERVES_NOT;
	arg = base_of(arg);
	if (!memmem(arg.p, arg.n, name, strlen(name)))
		return SERVES_NOT;
	snprintf(path, sizeof path, "/proc/%.16s/cwd", pid);
	n = readlink(path, cwd, sizeof cwd - 1);
	cwd[n > 0 ? n : 0] = '\0';
	while (best != SERVES && mount_next_piece(&rest, '\0', &arg)) {
		how = names_point(arg, n > 0 ? cwd : NULL, point);
		if (how > best)
			best = how;
	}
	return best;
}

/* Of several that may serve it nothing can be told. */
void mount_program(const struct mount_line *line, struct buf *args)
{
	DIR *proc = strncmp(line->type, "fuse.", 5) == 0 ? opendir("/proc") : NULL;
	enum serving best = SERVES_NOT, how;
	struct buf one = BUF_EMPTY;
	unsigned perhaps = 0;
	struct dirent *d;

	buf_clear(args);
	while (proc && best != SERVES && (d = readdir(proc))) {
		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		how = serves(d->d_name, line->type + 5, line->point, &one);
		perhaps += how == SERVES_PERHAPS;
		if (how <= best)
			continue;
		best = how;
		buf_clear(args);
		buf_add_span(args, buf_span(&one));
	}
	if (proc)
		closedir(proc);
	if (best == SERVES_NOT || (best == SERVES_PERHAPS && perhaps > 1))
		buf_clear(args);
	buf_release(&one);
}

/* "name" or "name=value"; '_' for '-' too, as rclone allows in -o. */
static bool names(struct span have, const char *option)
{
	size_t n = strlen(option);

	if (have.n < n || (have.n > n && have.p[n] != '='))
		return false;
	for (size_t i = 0; i < n; i++)
		if (have.p[i] != option[i] && !(have.p[i] == '_' && option[i] == '-'))
			return false;
	return true;
}

static bool listed(struct span list, const char *option)
{
	struct span one;

	while (mount_next_piece(&list, ',', &one))
		if (names(one, option))
			return true;
	return false;
}

bool mount_has(const struct mount_line *line, struct span args, const char *option)
{
	struct span arg;

	if (listed(span_str(line->options), option))
		return true;
	while (mount_next_piece(&args, '\0', &arg)) {
		if (arg.n > 2 && arg.p[0] == '-' && arg.p[1] == '-')
			arg = span_of(arg.p + 2, arg.n - 2);
		else if (arg.n > 2 && arg.p[0] == '-' && arg.p[1] == 'o')
			arg = span_of(arg.p + 2, arg.n - 2);
		if (listed(arg, option))
			return true;
	}
	return false;
}
