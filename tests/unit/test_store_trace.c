/*
 * The counts of a trace are what the kernel saw, and the kernel saw nothing that the
 * contract with the storage does not allow. The program runs itself under strace with a
 * small sequence of operations and reads what strace wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "store_contract.h"
#include "tests/support/scratch.h"

static const char *self;

/* Every kind of operation, in a new folder and in old ones, well and badly ended. */
static bool sequence(struct store *s, struct store_counts *counts)
{
	static uint8_t big[(2u << 20) + 5];
	struct span part = span_of(big, sizeof big);
	struct store *t = store_trace_new(s);
	struct store_listing l = {NULL, 0, 0};
	struct buf got = BUF_EMPTY;
	struct err e = ERR_EMPTY;
	bool ok;
	uint64_t size;

	ok = put_text(t, "", "bale.json", "head", &e) &&
	     store_put(t, "data/7", "big", &part, 1, &e) &&
	     put_text(t, "data/7", "small", "0123456789", &e) &&
	     put_text(t, "bands", "a-head-1", "band", &e) &&
	     !put_text(t, "bands", "a-head-1", "again", &e) &&
	     store_get(t, "data/7", "big", 100, 1000, &got, &size, &e) &&
	     store_get_tail(t, "data/7", "small", 4, &got, &size, &e) &&
	     store_get(t, "", "bale.json", 0, SIZE_MAX, &got, NULL, &e) &&
	     !store_get(t, "bands", "none", 0, 1, &got, NULL, &e) &&
	     store_list(t, "data/7", &l, &e) && store_list(t, "no/where", &l, &e) &&
	     store_stat(t, "bands", "a-head-1", &size, &e) &&
	     !store_stat(t, "bands", "none", &size, &e) &&
	     store_remove(t, "data/7", "small", &e) &&
	     !store_remove(t, "data/7", "small", &e);
	store_trace_counts(t, counts);
	buf_release(&got);
	store_listing_release(&l);
	store_free(t);
	return ok;
}

static void test_counts(void **state)
{
	struct store_counts c;

	(void)state;
	assert_true(sequence(store_mem_new(env_real()), &c));
	assert_int_equal(c.put, 5);
	assert_int_equal(c.get, 4);
	assert_int_equal(c.list, 2);
	assert_int_equal(c.stat, 2);
	assert_int_equal(c.remove, 2);
	assert_int_equal(c.mkdir, 3);
	assert_int_equal(c.bytes_out, (2u << 20) + 5 + 4 + 10 + 4);
	assert_int_equal(c.bytes_in, 1000 + 4 + 4);
}

static void test_passes_everything(void **state)
{
	struct store *t = store_trace_new(store_mem_new(env_real()));

	(void)state;
	contract_run(t);
	store_free(t);
}

/* What strace saw of one folder. */
struct seen {
	unsigned creates, taken, read_opens, failed_reads, folder_opens, mkdirs, unlinks;
	unsigned writes, fsyncs, stats_by_name, foreign;
	uint64_t written, read;
	char first_foreign[400];
};

static bool begins(const char *line, const char *call)
{
	size_t n = strlen(call);

	return strncmp(line, call, n) == 0 && line[n] == '(';
}

static void judge_open(struct seen *seen, const char *line, bool ok, bool *allowed)
{
	if (strstr(line, "O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600)")) {
		seen->creates += ok;
		seen->taken += strstr(line, "EEXIST") != NULL;
	} else if (strstr(line, "O_DIRECTORY")) {
		seen->folder_opens++;
	} else if (strstr(line, "O_RDONLY|O_NOFOLLOW|O_CLOEXEC)")) {
		seen->read_opens += ok;
		seen->failed_reads += !ok;
	} else {
		*allowed = false;
	}
}

/* One line of strace -y that names the folder. */
static void judge(struct seen *seen, const char *line)
{
	const char *equals = strstr(line, ") = ");
	const char *next = equals;
	long result;
	bool allowed = true, ok;

	while (next) { /* the last one: a written text may hold another */
		equals = next;
		next = strstr(next + 1, ") = ");
	}
	result = equals ? strtol(equals + 4, NULL, 10) : -1;
	ok = result >= 0;
	if (begins(line, "openat")) {
		judge_open(seen, line, ok, &allowed);
	} else if (begins(line, "write")) {
		seen->writes++;
		seen->written += ok ? (uint64_t)result : 0;
	} else if (begins(line, "pread64")) {
		seen->read += ok ? (uint64_t)result : 0;
	} else if (begins(line, "mkdirat")) {
		seen->mkdirs += ok;
	} else if (begins(line, "unlinkat")) {
		seen->unlinks++;
	} else if (begins(line, "fsync")) {
		seen->fsyncs++;
	} else if (begins(line, "newfstatat") && !strstr(line, "AT_EMPTY_PATH")) {
		seen->stats_by_name++;
	} else if (!begins(line, "newfstatat") && !begins(line, "fstat") &&
		   !begins(line, "close") && !begins(line, "getdents64") &&
		   !begins(
		       line, "fcntl")) { /* fdopendir's; the storage does not see them */
		allowed = false;
	}
	if (strstr(line, "F_SETLK") || strstr(line, "F_OFD_"))
		allowed = false;
	if (!allowed && seen->foreign++ == 0)
		snprintf(seen->first_foreign, sizeof seen->first_foreign, "%s", line);
}

static bool run_strace(const char *out, const char *folder)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(126);
		setenv(
		    "ASAN_OPTIONS", "detect_leaks=0", 1); /* leak search needs ptrace */
		execlp("strace", "strace", "-f", "-qq", "-y", "-s", "0", "-e",
		    "trace=%file,%desc", "-o", out, self, "--sequence", folder,
		    (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/* The program starts with reads of its own; only what names the folder is judged. */
static bool read_strace(const char *path, const char *folder, struct seen *seen)
{
	static char line[8192];
	FILE *f = fopen(path, "r");
	unsigned lines = 0;

	if (!f)
		return false;
	while (fgets(line, sizeof line, f)) {
		const char *call = line + strspn(line, "0123456789 ");

		if (!strstr(line, folder) || begins(call, "execve"))
			continue;
		lines++;
		judge(seen, call);
	}
	fclose(f);
	return lines > 0;
}

static void test_against_strace(void **state)
{
	char folder[300], out[300], *top = scratch_new();
	struct seen seen = {0};
	struct store_counts c;

	(void)state;
	snprintf(folder, sizeof folder, "%s/store", top);
	snprintf(out, sizeof out, "%s/strace", top);
	assert_true(sequence(store_mem_new(env_real()), &c));
	assert_int_equal(mkdir(folder, 0700), 0);
	if (!run_strace(out, folder) || !read_strace(out, folder, &seen)) {
		scratch_free(top);
		print_message("SKIPPED: strace is missing or may not trace; "
			      "the counts are NOT reconciled with the kernel's\n");
		skip();
	}
	scratch_free(top);
	if (seen.foreign)
		fail_msg("%u calls outside the contract, first: %s", seen.foreign,
		    seen.first_foreign);
	assert_int_equal(seen.creates + seen.taken, c.put);
	assert_int_equal(seen.taken, 1);
	assert_int_equal(seen.written, c.bytes_out);
	assert_int_equal(seen.writes, 3 + 1 + 1 + 1);
	assert_int_equal(seen.fsyncs, seen.creates);
	assert_int_equal(seen.mkdirs, c.mkdir);
	assert_int_equal(seen.unlinks, c.remove);
	assert_int_equal(seen.stats_by_name, c.stat);
	/* And the root, and what is above data/7. */
	assert_int_equal(seen.folder_opens, c.list + 2);
	assert_int_equal(seen.read_opens + seen.failed_reads, c.get + seen.creates);
	/* The read-backs: whole small files, and 4096 bytes of the large one. */
	assert_int_equal(seen.read, c.bytes_in + 4 + 10 + 4 + 4096);
}

static int run_sequence(const char *folder)
{
	struct err e = ERR_EMPTY;
	struct store *s = store_dir_open(folder, false, env_real(), &e);
	struct store_counts c;

	if (!s)
		return 1;
	s->mount = MOUNT_THROUGH;
	return sequence(s, &c) ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_passes_everything),
	    cmocka_unit_test(test_against_strace),
	};

	if (argc == 3 && strcmp(argv[1], "--sequence") == 0)
		return run_sequence(argv[2]);
	self = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
