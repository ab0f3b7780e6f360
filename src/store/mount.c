/*
 * The mount class of a folder. The mount is found by its id (/proc/self/fdinfo) and not
 * by its device number, which btrfs and overlay do not report alike in both places. How
 * rclone caches is in no mount table; its command line tells, for whoever may read it.
 */
#include "store/mount.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "store/mount_internal.h"

#define PROC_MAX (4u << 20) /* bytes read of one file in /proc */

bool mount_read_proc(const char *path, struct buf *out)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t got = 0;

	buf_clear(out);
	if (fd < 0)
		return false;
	do {
		buf_reserve(out, 65536);
		got = sys_read(fd, out->p + out->n, 65536);
		if (got > 0)
			out->n += (size_t)got;
	} while (got == 65536 && out->n < PROC_MAX);
	sys_close(fd);
	return got >= 0;
}

bool mount_next_piece(struct span *rest, char end, struct span *piece)
{
	const uint8_t *stop;

	if (rest->n == 0)
		return false;
	stop = memchr(rest->p, end, rest->n);
	*piece = span_of(rest->p, stop ? (size_t)(stop - rest->p) : rest->n);
	*rest = stop ? span_of(stop + 1, rest->n - piece->n - 1) : SPAN_EMPTY;
	return true;
}

static bool octal(const uint8_t *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' &&
	       p[2] <= '7';
}

/* A field of mountinfo, where blanks and backslashes are written \ooo. */
static void copy_field(struct span in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n && n + 1 < size; i++) {
		const uint8_t *p = in.p + i;

		if (*p == '\\' && in.n - i > 3 && octal(p + 1)) {
			out[n++] =
			    (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			i += 3;
		} else {
			out[n++] = (char)*p;
		}
	}
	out[n] = '\0';
}

/* "36 35 98:0 /root /point options [optional fields] - type source options" */
static bool parse_line(struct span line, unsigned id, struct mount_line *out)
{
	struct span field = SPAN_EMPTY, options;
	char number[24];
	size_t n;

	if (!mount_next_piece(&line, ' ', &field))
		return false;
	copy_field(field, number, sizeof number);
	if (strtoul(number, NULL, 10) != id)
		return false;
	for (int i = 0; i < 4; i++)
		if (!mount_next_piece(&line, ' ', &field))
			return false;
	copy_field(field, out->point, sizeof out->point);
	if (!mount_next_piece(&line, ' ', &options))
		return false;
	do {
		if (!mount_next_piece(&line, ' ', &field))
			return false;
	} while (!span_equal(field, span_str("-")));
	if (!mount_next_piece(&line, ' ', &field))
		return false;
	copy_field(field, out->type, sizeof out->type);
	out->source[0] = '\0';
	if (mount_next_piece(&line, ' ', &field))
		copy_field(field, out->source, sizeof out->source);
	copy_field(options, out->options, sizeof out->options - 1);
	n = strlen(out->options);
	out->options[n++] = ',';
	copy_field(line, out->options + n, sizeof out->options - n);
	return true;
}

bool mount_find(struct span mountinfo, unsigned id, struct mount_line *out)
{
	struct span line;

	while (mount_next_piece(&mountinfo, '\n', &line))
		if (parse_line(line, id, out))
			return true;
	return false;
}

enum mount_class mount_class_of_type(const char *type, const char *source)
{
	static const char *const through[] = {"fuse.sshfs", "fuse.s3fs", "fuse.ceph",
	    "fuse.ceph-fuse", "fuse.glusterfs", "nfs", "nfs4", "cifs", "smb3", "ceph",
	    "glusterfs", "ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "zfs",
	    "f2fs", "jfs", "nilfs2", "reiserfs", "ocfs2", "gfs2", "tmpfs", "ramfs",
	    "overlay", "fuse.fuse-overlayfs", "vfat", "msdos", "exfat", "ntfs", "ntfs3",
	    "fuseblk", "hfsplus", "udf", "9p", "virtiofs"};

	for (size_t i = 0; i < sizeof through / sizeof *through; i++)
		if (strcmp(type, through[i]) == 0)
			return MOUNT_THROUGH;
	if (strcmp(type, "davfs") == 0 || strcmp(type, "fuse.davfs") == 0)
		return MOUNT_WRITE_BACK;
	/* davfs2 mounts as plain "fuse" and names the server as the source. */
	if (strcmp(type, "fuse") == 0 &&
	    (strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0))
		return MOUNT_WRITE_BACK;
	return MOUNT_UNKNOWN;
}

static const char *const class_words[] = {
    [MOUNT_THROUGH] = "through",
    [MOUNT_WRITE_BACK] = "write-back",
    [MOUNT_UNKNOWN] = "unknown",
};

const char *mount_class_word(enum mount_class class)
{
	return class_words[class];
}

bool mount_class_parse(const char *word, enum mount_class *out)
{
	for (unsigned i = 0; i < sizeof class_words / sizeof *class_words; i++)
		if (strcmp(word, class_words[i]) == 0) {
			*out = (enum mount_class)i;
			return true;
		}
	return false;
}

static enum mount_class class_of_mode(struct span mode)
{
	char word[16];

	if (mode.n >= sizeof word)
		return MOUNT_UNKNOWN;
	memcpy(word, mode.p, mode.n);
	word[mode.n] = '\0';
	if (strcasecmp(word, "off") == 0 || strcasecmp(word, "minimal") == 0)
		return MOUNT_THROUGH;
	if (strcasecmp(word, "writes") == 0 || strcasecmp(word, "full") == 0)
		return MOUNT_WRITE_BACK;
	return MOUNT_UNKNOWN;
}

/* If s begins with the word, '-' and '_' being alike, cut it off. */
static bool strip(struct span *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s->p[i] != word[i] && !(s->p[i] == '_' && word[i] == '-'))
			return false;
	*s = span_of(s->p + n, s->n - n);
	return true;
}

/* "rw,vfs-cache-mode=writes", as mount(8) hands it on. */
static void scan_options(struct span options, enum mount_class *class, bool *set)
{
	struct span option;

	while (mount_next_piece(&options, ',', &option)) {
		if (strip(&option, "vfs-cache-mode=")) {
			*class = class_of_mode(option);
			*set = true;
		}
	}
}

bool mount_same_place(struct span arg, const char *cwd, const char *point)
{
	struct buf path = BUF_EMPTY;
	bool same;

	while (strip(&arg, "./"))
		;
	if (arg.n > 0 && arg.p[0] != '/' && cwd)
		buf_printf(&path, "%s/", strcmp(cwd, "/") == 0 ? "" : cwd);
	buf_add_span(&path, arg);
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	same = span_equal(buf_span(&path), span_str(point));
	buf_release(&path);
	return same;
}

static bool is_rclone(struct span program)
{
	const uint8_t *slash = memrchr(program.p, '/', program.n);

	if (slash)
		program = span_of(slash + 1, program.n - (size_t)(slash + 1 - program.p));
	return memmem(program.p, program.n, "rclone", 6) != NULL;
}

bool mount_rclone_serves(struct span args, const char *cwd, const char *point,
    const struct span *environment, enum mount_class *out)
{
	struct span arg, rest = environment ? *environment : SPAN_EMPTY;
	bool serves = false, set = false;
	enum mount_class class = environment ? MOUNT_THROUGH : MOUNT_UNKNOWN;

	if (!mount_next_piece(&args, '\0', &arg) || !is_rclone(arg))
		return false;
	while (mount_next_piece(&rest, '\0', &arg))
		if (strip(&arg, "RCLONE_VFS_CACHE_MODE="))
			class = class_of_mode(arg);
	while (mount_next_piece(&args, '\0', &arg)) {
		if (span_equal(arg, span_str("-o")) && mount_next_piece(&args, '\0', &arg)) {
			scan_options(arg, &class, &set);
		} else if (strip(&arg, "--vfs-cache-mode")) {
			if (!strip(&arg, "=") && !mount_next_piece(&args, '\0', &arg))
				break;
			class = class_of_mode(arg);
		} else if (arg.n > 0 && arg.p[0] != '-' && mount_same_place(arg, cwd, point)) {
			serves = true;
		}
	}
	*out = class;
	return serves;
}

static bool read_process(const char *pid, const char *point, struct buf *args,
    struct buf *environment, enum mount_class *out)
{
	char path[64], cwd[4096];
	struct span environment_span;
	ssize_t n;
	bool readable;

	snprintf(path, sizeof path, "/proc/%.16s/cmdline", pid);
	if (!mount_read_proc(path, args) || !memmem(args->p, args->n, "rclone", 6))
		return false;
	snprintf(path, sizeof path, "/proc/%.16s/environ", pid);
	readable = mount_read_proc(path, environment);
	environment_span = buf_span(environment);
	snprintf(path, sizeof path, "/proc/%.16s/cwd", pid);
	n = readlink(path, cwd, sizeof cwd - 1);
	cwd[n > 0 ? n : 0] = '\0';
	return mount_rclone_serves(buf_span(args), n > 0 ? cwd : NULL, point,
	    readable ? &environment_span : NULL, out);
}

/* All processes that serve the point must agree. */
static enum mount_class ask_rclone(const char *point)
{
	struct buf args = BUF_EMPTY, environment = BUF_EMPTY;
	enum mount_class found = MOUNT_UNKNOWN, class;
	DIR *proc = opendir("/proc");
	struct dirent *d;
	bool any = false;

	while (proc && (d = readdir(proc))) {
		if (!isdigit((unsigned char)d->d_name[0]) ||
		    !read_process(d->d_name, point, &args, &environment, &class))
			continue;
		found = any && class != found ? MOUNT_UNKNOWN : class;
		any = true;
	}
	if (proc)
		closedir(proc);
	buf_release(&args);
	buf_release(&environment);
	return found;
}

static bool mount_id_of(int fd, struct buf *text, unsigned *id)
{
	char path[64];
	const char *at;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	if (!mount_read_proc(path, text))
		return false;
	at = strstr(buf_str(text), "mnt_id:");
	return at && sscanf(at, "mnt_id: %u", id) == 1;
}

bool mount_line_of(int fd, struct mount_line *out)
{
	struct buf text = BUF_EMPTY;
	unsigned id;
	bool ok = mount_id_of(fd, &text, &id) &&
	          mount_read_proc("/proc/self/mountinfo", &text) &&
	          mount_find(buf_span(&text), id, out);

	buf_release(&text);
	return ok;
}

enum mount_class mount_class_of(int fd)
{
	enum mount_class class = MOUNT_UNKNOWN;
	struct mount_line *line = mem_zalloc(sizeof *line);

	if (mount_line_of(fd, line))
		class = strcmp(line->type, "fuse.rclone") == 0
			    ? ask_rclone(line->point)
			    : mount_class_of_type(line->type, line->source);
	free(line);
	return class;
}
