/*
 * Many points of failure, one after the other (tests/cli/t65-inject.t): for each line
 * "CALL NTH ERRNO TIMES" of the standard input a world is made as it was saved, and a
 * command run in it with that call failing (inject.c).
 *
 *	points SAVED WORLD INJECT.so COMMAND...  <points >questions 3<answers
 *
 * Whoever started it is to judge what came of it: a line "CALL NTH ERRNO TIMES STATUS"
 * asks for that, and any line answers it. Nothing is asked where the call was not
 * made, nor twice about the same: status, output but for the words of the error, and all
 * that is not as it was saved.
 * With the clock standing still and the same random bytes each time, most points are
 * like others: it makes no difference at which of the allocations between two writes a
 * program ends. The last line is "points RUN JUDGED".
 *
 * The output is left in the files out and err. What is restored to the world is what
 * differs from before by size, mode or time of change.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

#define LIMIT 100 /* seconds that a command may take */

struct saved {
	char *path; /* below the world; ascending */
	struct stat st;
	struct buf content; /* or the target of a link */
};

struct tree {
	struct saved *v;
	size_t n, cap;
};

static struct tree saved;
static const char *world;

static void die(const char *doing, const char *path)
{
	fprintf(stderr, "points: %s %s: %s\n", doing, path, strerror(errno));
	exit(99);
}

/* False: there is none, or it cannot be read. */
static bool slurp(const char *path, const struct stat *st, struct buf *out)
{
	ssize_t got;
	int fd;

	buf_clear(out);
	if (S_ISLNK(st->st_mode)) {
		got = readlink(path, (char *)buf_extend(out, 4096), 4096);
		out->n = got > 0 ? (size_t)got : 0;
		return got >= 0;
	}
	if (!S_ISREG(st->st_mode))
		return true;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, buf_extend(out, (size_t)st->st_size + 1), (size_t)st->st_size + 1);
	out->n = got > 0 ? (size_t)got : 0;
	close(fd);
	return got >= 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct saved *)a)->path, ((const struct saved *)b)->path);
}

/* Everything below a folder, itself left out; `content` too where it is wanted. */
static void scan(const char *top, const char *below, bool content, struct tree *out)
{
	char *dir = mem_printf("%s%s", top, below);
	struct dirent *entry;
	struct saved *s;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d))) {
		char *path, *whole;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		path = mem_printf("%s/%s", below, entry->d_name);
		whole = mem_printf("%s%s", top, path);
		out->v = mem_grow(out->v, &out->cap, out->n + 1, sizeof *out->v);
		s = &out->v[out->n++];
		*s = (struct saved){.path = path};
		if (lstat(whole, &s->st) != 0)
			die("look at", whole);
		if (content && !slurp(whole, &s->st, &s->content))
			die("read", whole);
		if (S_ISDIR(s->st.st_mode))
			scan(top, path, content, out);
		free(whole);
	}
	if (d)
		closedir(d);
	free(dir);
}

static void tree_sort(struct tree *t)
{
	if (t->n > 0)
		qsort(t->v, t->n, sizeof *t->v, by_path);
}

static void tree_release(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].path);
		buf_release(&t->v[i].content);
	}
	free(t->v);
	*t = (struct tree){NULL, 0, 0};
}

static bool same(const struct saved *a, const struct saved *b)
{
	if (a->st.st_mode != b->st.st_mode)
		return false;
	return S_ISDIR(a->st.st_mode) ||
	       (a->st.st_size == b->st.st_size &&
	           a->st.st_mtim.tv_sec == b->st.st_mtim.tv_sec &&
	           a->st.st_mtim.tv_nsec == b->st.st_mtim.tv_nsec);
}

/*
 * What is not as it was saved, in the order of paths: `was` is NULL where it is new, `is`
 * where it has gone.
 */
typedef void differ_fn(void *arg, const struct saved *was, const struct saved *is);
static void compare(const struct tree *now, differ_fn *differ, void *arg)
{
	size_t a = 0, b = 0;
	int order;

	while (a < saved.n || b < now->n) {
		order = a == saved.n ? 1 : b == now->n ? -1 : by_path(&saved.v[a], &now->v[b]);
		if (order < 0)
			differ(arg, &saved.v[a++], NULL);
		else if (order > 0)
			differ(arg, NULL, &now->v[b++]);
		else if (same(&saved.v[a], &now->v[b]))
			a++, b++;
		else
			differ(arg, &saved.v[a++], &now->v[b++]);
	}
}

/* --- making the world */

static void make(const struct saved *s)
{
	char *path = mem_printf("%s%s", world, s->path);
	struct timespec times[2] = {s->st.st_atim, s->st.st_mtim};
	int fd;

	if (S_ISDIR(s->st.st_mode)) {
		if ((mkdir(path, 0700) != 0 && errno != EEXIST) ||
		    chmod(path, s->st.st_mode & 07777) != 0)
			die("make", path);
	} else if (S_ISLNK(s->st.st_mode)) {
		struct buf target = BUF_EMPTY;

		buf_add_span(&target, buf_span(&s->content));
		if (symlink(buf_str(&target), path) != 0)
			die("make", path);
		buf_release(&target);
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || write(fd, s->content.p, s->content.n) != (ssize_t)s->content.n ||
		    fchmod(fd, s->st.st_mode & 07777) != 0 || futimens(fd, times) != 0)
			die("make", path);
		close(fd);
	}
	free(path);
}

static void unmake(const struct saved *is)
{
	char *path = mem_printf("%s%s", world, is->path);

	if ((S_ISDIR(is->st.st_mode) ? rmdir(path) : unlink(path)) != 0)
		die("remove", path);
	free(path);
}

struct changes {
	struct saved const **gone, **wanted;
	size_t n_gone, n_wanted, cap_gone, cap_wanted;
};

static void note_change(void *arg, const struct saved *was, const struct saved *is)
{
	struct changes *c = arg;
	bool folders = was && is && S_ISDIR(was->st.st_mode) && S_ISDIR(is->st.st_mode);

	if (is && !folders) {
		c->gone = mem_grow(c->gone, &c->cap_gone, c->n_gone + 1, sizeof *c->gone);
		c->gone[c->n_gone++] = is;
	}
	if (was) {
		c->wanted = mem_grow(
		    c->wanted, &c->cap_wanted, c->n_wanted + 1, sizeof *c->wanted);
		c->wanted[c->n_wanted++] = was;
	}
}

/* What is below goes first, and what is above comes first. */
static void world_make(void)
{
	struct changes c = {NULL, NULL, 0, 0, 0, 0};
	struct tree now = {NULL, 0, 0};

	scan(world, "", false, &now);
	tree_sort(&now);
	compare(&now, note_change, &c);
	while (c.n_gone > 0)
		unmake(c.gone[--c.n_gone]);
	for (size_t i = 0; i < c.n_wanted; i++)
		make(c.wanted[i]);
	free(c.gone);
	free(c.wanted);
	tree_release(&now);
}

/* --- what came of it */

/* 128 bits, which nobody tries to fool. */
struct account {
	uint64_t sum[2];
	time_t begun;
};

static void add(struct account *a, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		a->sum[0] = (a->sum[0] ^ b[i]) * 0x100000001b3u;
		a->sum[1] = (a->sum[1] + b[i] + 1) * 0x9e3779b97f4a7c15u;
		a->sum[1] ^= a->sum[1] >> 29;
	}
}

/* A time that was set, and not come about by writing now, was restored. */
static void add_facts(struct account *a, const struct saved *is)
{
	struct timespec t = is->st.st_mtim;
	uint64_t facts[7] = {is->st.st_mode, (uint64_t)is->st.st_size, is->st.st_uid,
	    is->st.st_gid, S_ISDIR(is->st.st_mode) ? 0 : is->st.st_nlink, (uint64_t)t.tv_sec,
	    (uint64_t)t.tv_nsec};

	if (S_ISDIR(is->st.st_mode))
		facts[1] = 0;
	if (t.tv_sec >= a->begun)
		facts[5] = facts[6] = 1;
	add(a, facts, sizeof facts);
}

static void add_attributes(struct account *a, const char *path)
{
	char names[4096], value[4096];
	ssize_t n = llistxattr(path, names, sizeof names), got;

	for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		got = lgetxattr(path, p, value, sizeof value);
		add(a, p, strlen(p) + 1);
		add(a, value, got > 0 ? (size_t)got : 0);
	}
}

static void add_change(void *arg, const struct saved *was, const struct saved *is)
{
	struct account *a = arg;
	const struct saved *s = is ? is : was;
	struct buf content = BUF_EMPTY;
	char *path = mem_printf("%s%s", world, s->path);

	add(a, s->path, strlen(s->path) + 1);
	add(a, is ? "is" : "no", 2);
	if (is) {
		add_facts(a, is);
		add_attributes(a, path);
		slurp(path, &is->st, &content);
		add(a, content.p, content.n);
	}
	buf_release(&content);
	free(path);
}

/* What a program says, but for which error it met, and how much memory it took. */
static void add_output(struct account *a, const char *path, const char *error)
{
	static const char memory[] = "\"peak_rss\":";
	const char *p, *error_at, *memory_at;
	struct buf content = BUF_EMPTY;
	struct stat st;

	if (lstat(path, &st) == 0)
		slurp(path, &st, &content);
	for (p = buf_str(&content);;) {
		error_at = strstr(p, error);
		memory_at = strstr(p, memory);
		if (memory_at && (!error_at || memory_at < error_at)) {
			add(a, p, (size_t)(memory_at - p));
			p = memory_at + sizeof memory - 1;
			p += strspn(p, "0123456789");
		} else if (error_at) {
			add(a, p, (size_t)(error_at - p));
			p = error_at + strlen(error);
		} else {
			break;
		}
	}
	add(a, p, strlen(p) + 1);
	buf_release(&content);
}

static void account(time_t begun, int status, const char *error, struct account *a)
{
	struct tree now = {NULL, 0, 0};

	*a = (struct account){{0xcbf29ce484222325u, 0}, begun};
	add(a, &status, sizeof status);
	add_output(a, "out", error);
	add_output(a, "err", error);
	scan(world, "", false, &now);
	tree_sort(&now);
	compare(&now, add_change, a);
	tree_release(&now);
}

/* --- running */

static void to_file(const char *path, int as)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, as) < 0)
		_exit(98);
	close(fd);
}

static void child(char *inject, char **command, char *const point[4])
{
	static const char *const names[] = {
	    "INJECT_CALL", "INJECT_NTH", "INJECT_ERRNO", "INJECT_TIMES"};
	int fd = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	dup2(fd, 0);
	close(fd);
	close(3);
	to_file("out", 1);
	to_file("err", 2);
	for (size_t i = 0; i < 4; i++)
		setenv(names[i], point[i], 1);
	setenv("INJECT_FIRED", "fired", 1);
	setenv("LD_PRELOAD", inject, 1);
	execvp(command[0], command);
	_exit(98);
}

static volatile sig_atomic_t late;

static void on_alarm(int sig)
{
	(void)sig;
	late = 1;
}

/* As a shell tells it; 124: it took too long. */
static int run(char *inject, char **command, char *const point[4])
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		die("fork", "");
	if (pid == 0)
		child(inject, command, point);
	late = 0;
	alarm(LIMIT);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		if (late)
			kill(pid, SIGKILL);
	alarm(0);
	if (late)
		return 124;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool ask(char *const point[4], int status, FILE *answers)
{
	char line[64];

	printf("%s %s %s %s %d\n", point[0], point[1], point[2], point[3], status);
	return fflush(stdout) == 0 && fgets(line, sizeof line, answers);
}

int main(int argc, char **argv)
{
	char call[16], nth[16], error[16], times[16], *point[4] = {call, nth, error, times};
	struct sigaction sa = {.sa_handler = on_alarm};
	unsigned long n_run = 0, n_judged = 0;
	FILE *answers = fdopen(3, "r");
	struct account a;
	struct map known;
	struct stat st;
	time_t begun;
	int status;

	if (argc < 5 || !answers)
		return 2;
	sigaction(SIGALRM, &sa, NULL);
	world = argv[2];
	scan(argv[1], "", true, &saved);
	tree_sort(&saved);
	map_init(&known, sizeof a.sum);
	while (scanf("%15s %15s %15s %15s", call, nth, error, times) == 4) {
		world_make();
		unlink("fired");
		begun = time(NULL);
		status = run(argv[3], argv + 4, point);
		if (stat("fired", &st) != 0 || st.st_size == 0)
			continue;
		n_run++;
		account(begun, status, strerror(atoi(error)), &a);
		if (!map_put(&known, a.sum, 1))
			continue;
		n_judged++;
		if (!ask(point, status, answers))
			return 1;
	}
	printf("points %lu %lu\n", n_run, n_judged);
	map_release(&known);
	tree_release(&saved);
	fclose(answers);
	return 0;
}
