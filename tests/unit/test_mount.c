/* The mount class, from sample texts as /proc shows them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "store/mount.h"

static const char mountinfo[] =
    "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "23 22 0:21 / /proc rw - proc proc rw\n"
    "122 22 0:45 / /mnt/with\\040blank\\134x rw,nosuid shared:9 master:2 - fuse.sshfs "
    "me@host:/srv\\040x rw,user_id=0\n"
    "123 22 0:46 / /mnt/- rw - fuse.rclone remote: rw\n"
    "124 22 0:47 /sub /mnt/dav rw shared:3 - fuse https://dav.example/x rw\n"
    "125 22 0:48 / /cut rw shared:4\n"
    "126 22 0:49 / /bare rw - tmpfs";

static void test_find(void **state)
{
	struct span text = span_str(mountinfo);
	struct mount_line line;

	(void)state;
	assert_true(mount_find(text, 22, &line));
	assert_string_equal(line.type, "ext4");
	assert_string_equal(line.point, "/");
	assert_string_equal(line.source, "/dev/vda1");
	assert_string_equal(line.options, "rw,relatime,rw");
	assert_true(mount_find(text, 122, &line));
	assert_string_equal(line.type, "fuse.sshfs");
	assert_string_equal(line.point, "/mnt/with blank\\x");
	assert_string_equal(line.source, "me@host:/srv x");
	assert_string_equal(line.options, "rw,nosuid,rw,user_id=0");
	assert_true(mount_find(text, 123, &line));
	assert_string_equal(line.type, "fuse.rclone");
	assert_string_equal(line.point, "/mnt/-");
	assert_true(mount_find(text, 124, &line));
	assert_string_equal(line.source, "https://dav.example/x");
	assert_false(mount_find(text, 125, &line));
	assert_true(mount_find(text, 126, &line));
	assert_string_equal(line.type, "tmpfs");
	assert_string_equal(line.source, "");
	assert_false(mount_find(text, 12, &line));
	assert_false(mount_find(SPAN_EMPTY, 22, &line));
}

static void test_types(void **state)
{
	static const struct {
		const char *type, *source;
		enum mount_class class;
	} cases[] = {
	    {"ext4", "/dev/sda1", MOUNT_THROUGH},
	    {"nfs", "host:/x", MOUNT_THROUGH},
	    {"nfs4", "host:/x", MOUNT_THROUGH},
	    {"cifs", "//host/x", MOUNT_THROUGH},
	    {"smb3", "//host/x", MOUNT_THROUGH},
	    {"ceph", "mon:/", MOUNT_THROUGH},
	    {"fuse.sshfs", "host:", MOUNT_THROUGH},
	    {"fuse.s3fs", "s3fs", MOUNT_THROUGH},
	    {"fuse.glusterfs", "host:/vol", MOUNT_THROUGH},
	    {"fuseblk", "/dev/sdb1", MOUNT_THROUGH},
	    {"tmpfs", "none", MOUNT_THROUGH},
	    {"davfs", "https://host/", MOUNT_WRITE_BACK},
	    {"fuse", "https://host/", MOUNT_WRITE_BACK},
	    {"fuse", "http://host/", MOUNT_WRITE_BACK},
	    {"fuse", "something", MOUNT_UNKNOWN},
	    {"fuse.rclone", "remote:", MOUNT_UNKNOWN},
	    {"fuse.gcsfuse", "bucket", MOUNT_UNKNOWN},
	    {"proc", "proc", MOUNT_UNKNOWN},
	    {"", "", MOUNT_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (mount_class_of_type(cases[i].type, cases[i].source) != cases[i].class)
			fail_msg("%s %s", cases[i].type, cases[i].source);
}

/* A text with '|' for NUL. */
static struct span words(const char *text, struct buf *out)
{
	buf_clear(out);
	buf_add_str(out, text);
	for (size_t i = 0; i < out->n; i++)
		if (out->p[i] == '|')
			out->p[i] = '\0';
	return buf_span(out);
}

static void test_rclone(void **state)
{
	static const struct {
		const char *args, *environment;
		bool serves;
		enum mount_class class;
	} cases[] = {
	    {"rclone|mount|r:|/m|", "", true, MOUNT_THROUGH},
	    {"/usr/bin/rclone|mount|r:x|/m/|--vfs-cache-mode|off|", NULL, true,
		MOUNT_THROUGH},
	    {"rclone|mount|--vfs-cache-mode=minimal|r:|/m|", NULL, true, MOUNT_THROUGH},
	    {"rclone|mount|r:|/m|--vfs-cache-mode|writes|--daemon|", "", true,
		MOUNT_WRITE_BACK},
	    {"rclone|mount|r:|/m|--vfs-cache-mode=FULL|", "", true, MOUNT_WRITE_BACK},
	    {"rclone|mount|r:|/m|--vfs-cache-mode=full|--vfs-cache-mode=off|", "", true,
		MOUNT_THROUGH},
	    {"rclone|mount|r:|/m|--vfs-cache-mode=odd|", "", true, MOUNT_UNKNOWN},
	    {"rclone|mount|r:|/m|--vfs-cache-mode=", "", true, MOUNT_UNKNOWN},
	    {"rclone|mount|r:|/m|--vfs-cache-mode", "", true, MOUNT_THROUGH},
	    {"rclone|mount|r:|/m|--vfs-cache-max-age|1h|", "", true, MOUNT_THROUGH},
	    {"rclone|mount|r:|m|", "", true, MOUNT_THROUGH},
	    {"rclone|mount|r:|./m|", "", true, MOUNT_THROUGH},
	    {"rclone|mount|r:|/mm|", "", false, 0},
	    {"rclone|mount|r:|/m/m|", "", false, 0},
	    {"rclone|rcd|", "", false, 0},
	    {"vim|rclone|/m|", "", false, 0},
	    {"", "", false, 0},
	    /* The environment may set the mode; the arguments come first. */
	    {"rclone|mount|r:|/m|", "A=b|RCLONE_VFS_CACHE_MODE=writes|", true,
		MOUNT_WRITE_BACK},
	    {"rclone|mount|r:|/m|--vfs-cache-mode=off|", "RCLONE_VFS_CACHE_MODE=writes|",
		true, MOUNT_THROUGH},
	    {"rclone|mount|r:|/m|", NULL, true, MOUNT_UNKNOWN},
	    /* As mount(8) calls it. */
	    {"/sbin/mount.rclone|r:|/m|-o|rw,vfs-cache-mode=writes,allow_other|", "",
		true, MOUNT_WRITE_BACK},
	    {"/sbin/mount.rclone|r:|/m|-o|rw,vfs_cache_mode=full|", "", true,
		MOUNT_WRITE_BACK},
	};
	struct buf args = BUF_EMPTY, environment = BUF_EMPTY;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *text = cases[i].environment;
		struct span env = text ? words(text, &environment) : SPAN_EMPTY;
		enum mount_class class = MOUNT_UNKNOWN;
		bool serves = mount_rclone_serves(
		    words(cases[i].args, &args), "/", "/m", text ? &env : NULL, &class);

		if (serves != cases[i].serves || (serves && class != cases[i].class))
			fail_msg("%s: %d, class %d", cases[i].args, serves, class);
	}
	assert_false(mount_rclone_serves(words("rclone|mount|r:|m|", &args), NULL, "/m",
	    NULL, &(enum mount_class){MOUNT_UNKNOWN}));
	buf_release(&args);
	buf_release(&environment);
}

static void test_real(void **state)
{
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(mount_class_of(fd), MOUNT_UNKNOWN);
	close(fd);
	assert_int_equal(mount_class_of(fd), MOUNT_UNKNOWN);
	fd = open("/dev/shm", O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		print_message("SKIPPED: no tmpfs at /dev/shm\n");
		skip();
	}
	assert_int_equal(mount_class_of(fd), MOUNT_THROUGH);
	close(fd);
}

static void test_words(void **state)
{
	enum mount_class class;

	(void)state;
	assert_true(mount_class_parse("write-back", &class));
	assert_int_equal(class, MOUNT_WRITE_BACK);
	for (class = MOUNT_THROUGH; class <= MOUNT_UNKNOWN; class++) {
		enum mount_class again;

		assert_true(mount_class_parse(mount_class_word(class), &again));
		assert_int_equal(again, class);
	}
	assert_false(mount_class_parse("", &class) || mount_class_parse("throug", &class));
}

/*
 * A program of this name runs: this one. What it serves is in its arguments, or is not.
 */
static void test_program(void **state)
{
	struct mount_line line = {.type = "fuse.test_mount", .point = "/nowhere/mnt"};
	struct buf args = BUF_EMPTY;

	(void)state;
	buf_add_str(&args, "before");
	mount_program(&line, &args);
	assert_int_equal(args.n, 0);
	line.type[0] = '\0';
	mount_program(&line, &args);
	assert_int_equal(args.n, 0);
	assert_false(mount_has(&line, SPAN_EMPTY, "hard"));
	assert_true(mount_has(&line, span_str("-ohard"), "hard"));
	assert_false(mount_has(&line, span_str("--harder"), "hard"));
	buf_release(&args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_rclone),
	    cmocka_unit_test(test_real),
	    cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
