/* What follows from a doctor's findings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "cli/advice.h"

static struct doctor_result healthy(void)
{
	struct doctor_result r = {.ok = true};

	for (int i = 0; i < DOCTOR_OPS; i++)
		r.probes[i].tried = r.probes[i].ok = true;
	return r;
}

static void test_deletion(void **state)
{
	struct doctor_result r = healthy();

	(void)state;
	assert_int_equal(advice_deletion(MOUNT_THROUGH, &r), DELETION_SAFE);
	assert_int_equal(advice_deletion(MOUNT_WRITE_BACK, &r), DELETION_UNPROVEN);
	assert_int_equal(advice_deletion(MOUNT_UNKNOWN, &r), DELETION_UNPROVEN);
	r.probes[DOCTOR_SHOWN].ok = false;
	assert_int_equal(advice_deletion(MOUNT_THROUGH, &r), DELETION_UNSAFE);
	r = healthy();
	r.probes[DOCTOR_GONE].ok = false;
	assert_int_equal(advice_deletion(MOUNT_THROUGH, &r), DELETION_UNSAFE);
	r = healthy();
	r.probes[DOCTOR_EXCLUSIVE].ok = false; /* names are never used twice */
	assert_int_equal(advice_deletion(MOUNT_THROUGH, &r), DELETION_SAFE);
}

static void test_recognised(void **state)
{
	struct mount_line rclone = {.type = "fuse.rclone"}, nfs = {.type = "nfs4"};

	(void)state;
	assert_string_equal(advice_recognised(&nfs, MOUNT_THROUGH), "mount-table");
	assert_string_equal(
	    advice_recognised(&rclone, MOUNT_WRITE_BACK), "program-arguments");
	assert_null(advice_recognised(&rclone, MOUNT_UNKNOWN));
}

static void test_list(void **state)
{
	static const struct {
		const char *type;
		enum mount_class class;
		const char *options, *args;
		size_t n;
		const char *first; /* stands in the first */
	} cases[] = {
	    {"ext4", MOUNT_THROUGH, "rw", "", 0, NULL},
	    {"fuse.rclone", MOUNT_THROUGH, "rw", "rclone mount", 1, "--dir-cache-time"},
	    {"fuse.rclone", MOUNT_THROUGH, "rw", "rclone --dir-cache-time 1m", 0, NULL},
	    {"fuse.rclone", MOUNT_THROUGH, "rw", "rclone -o rw,dir_cache_time=1m", 0, NULL},
	    {"fuse.rclone", MOUNT_THROUGH, "rw", "", 0, NULL},
	    {"fuse.rclone", MOUNT_WRITE_BACK, "rw", "rclone mount", 3, "off or minimal"},
	    {"fuse.rclone", MOUNT_WRITE_BACK, "rw", "rclone mount --rc", 2, "off or minimal"},
	    {"fuse.rclone", MOUNT_UNKNOWN, "rw", "", 1, "cannot be seen"},
	    {"fuse.sshfs", MOUNT_THROUGH, "rw", "sshfs -p 22", 1, "reconnect"},
	    {"fuse.sshfs", MOUNT_THROUGH, "rw", "sshfs -o reconnect,x=1", 0, NULL},
	    {"fuse.sshfs", MOUNT_THROUGH, "rw", "sshfs -oreconnect", 0, NULL},
	    {"nfs", MOUNT_THROUGH, "rw,vers=3,hard,proto=tcp", "", 1, "sync"},
	    {"nfs4", MOUNT_THROUGH, "rw,vers=4.2,soft,proto=tcp", "", 2, "hard and not soft"},
	    {"nfs4", MOUNT_THROUGH, "rw,vers=4.2,softreval", "", 1, "sync"},
	    {"cifs", MOUNT_THROUGH, "rw,cache=strict", "", 0, NULL},
	    {"cifs", MOUNT_THROUGH, "rw,nostrictsync,cache=loose", "", 2, "nostrictsync"},
	    {"fuse.s3fs", MOUNT_THROUGH, "rw", "s3fs -o stat_cache_expire=60", 0, NULL},
	    {"fuse.s3fs", MOUNT_THROUGH, "rw", "s3fs -o use_cache=/tmp", 2, "use_cache"},
	    {"tmpfs", MOUNT_THROUGH, "rw", "", 1, "in memory"},
	    {"fuse", MOUNT_WRITE_BACK, "rw", "", 1, "davfs2"},
	    {"davfs", MOUNT_WRITE_BACK, "rw", "", 1, "davfs2"},
	    {"fuse", MOUNT_UNKNOWN, "rw", "", 1, "not known"},
	    {"", MOUNT_UNKNOWN, "", "", 1, "not known"},
	};
	const char *out[ADVICE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doctor_result r = healthy();
		struct mount_line line = {.source = "x"};
		char args[64];
		size_t n;

		snprintf(line.type, sizeof line.type, "%s", cases[i].type);
		snprintf(line.options, sizeof line.options, "%s", cases[i].options);
		n = (size_t)snprintf(args, sizeof args, "%s", cases[i].args);
		for (size_t k = 0; k < n; k++)
			args[k] = args[k] == ' ' ? '\0' : args[k];
		n = advice_list(&line, span_of(args, n), cases[i].class, &r, out);
		if (n != cases[i].n || (n > 0 && !strstr(out[0], cases[i].first)))
			fail_msg("%s %s %s: %zu, %s", cases[i].type, cases[i].options, cases[i].args,
			    n, n ? out[0] : "");
	}
}

static void test_stale(void **state)
{
	struct mount_line line = {.type = "cifs", .options = "rw,serverino"};
	struct doctor_result r = healthy();
	const char *out[ADVICE_MAX];

	(void)state;
	r.probes[DOCTOR_GET].ok = false;
	r.probes[DOCTOR_GET].why.sys = ESTALE;
	assert_int_equal(advice_list(&line, SPAN_EMPTY, MOUNT_THROUGH, &r, out), 1);
	assert_non_null(strstr(out[0], "noserverino"));
}

/* What was found comes before what is known of the type, and all fits. */
static void test_findings(void **state)
{
	static const enum doctor_op bad[] = {DOCTOR_PUT, DOCTOR_SHOWN, DOCTOR_EXCLUSIVE};
	struct mount_line line = {.type = "fuse.rclone"};
	struct doctor_result r = healthy();
	const char *out[ADVICE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		r.probes[bad[i]].ok = false;
	r.probes[DOCTOR_PUT].why.kind = ERR_REFUSED;
	r.probes[DOCTOR_PUT_LARGE].why.kind = ERR_NOSPACE;
	assert_int_equal(advice_list(&line, SPAN_EMPTY, MOUNT_WRITE_BACK, &r, out), 6);
	assert_non_null(strstr(out[0], "read-only"));
	assert_non_null(strstr(out[1], "full"));
	assert_non_null(strstr(out[2], "lag"));
	assert_non_null(strstr(out[3], "taken"));
	assert_non_null(strstr(out[4], "rclone"));
}

/* A davfs2 that cannot list needs its one option before anything else. */
static void test_davfs_buffer(void **state)
{
	struct mount_line line = {.type = "fuse"};
	struct doctor_result r = healthy();
	const char *out[ADVICE_MAX];

	(void)state;
	r.probes[DOCTOR_LIST].ok = r.probes[DOCTOR_SHOWN].ok = false;
	assert_int_equal(advice_list(&line, SPAN_EMPTY, MOUNT_WRITE_BACK, &r, out), 3);
	assert_non_null(strstr(out[0], "buf_size 64"));
	assert_non_null(strstr(out[2], "davfs2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_deletion),
	    cmocka_unit_test(test_recognised),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_stale),
	    cmocka_unit_test(test_findings),
	    cmocka_unit_test(test_davfs_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
