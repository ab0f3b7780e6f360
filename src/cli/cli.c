/* The run of a command: its repository, its cache, its summary. */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "cli/known.h"
#include "cli/path.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "repo/json_cache.h"
#include "store/mount.h"

#define TRANSFERS_LEAST 8
#define TRANSFERS_MOST 32 /* by ourselves */
#define TRANSFERS_MAX 256 /* if the user wants it */

static char *default_cache_dir(void)
{
	const char *v = getenv("BALE_CACHE_DIR");
	struct passwd *pw;

	if (v && *v)
		return path_absolute(v);
	v = getenv("XDG_CACHE_HOME");
	if (v && *v == '/') /* a relative one is to be ignored, says its specification */
		return mem_printf("%s/bale", v);
	v = getenv("HOME");
	if (!v || *v != '/') {
		pw = getpwuid(geteuid());
		v = pw ? pw->pw_dir : NULL;
	}
	return v && *v == '/' ? mem_printf("%s/.cache/bale", v) : NULL;
}

bool cli_begin(struct cli *c, struct err *e)
{
	struct env *env = env_real();
	const char *v;

	c->began = env->ticks(env);
	c->report.json = options_has(&c->options, "json");
	c->report.quiet = options_has(&c->options, "quiet");
	if (!(c->command->needs & NEED_REPO))
		return true;
	v = options_value(&c->options, "repo");
	if (c->command->needs & NEED_FOLDER && c->options.n_args) {
		if (v)
			return err_set(e, ERR_USAGE, "-r, and a folder: only one makes sense");
		v = c->options.args[0];
	}
	if (!v)
		v = getenv("BALE_REPO");
	if (!v || !*v)
		return err_set(
		    e, ERR_USAGE, "no repository is named: give -r FOLDER or set BALE_REPO");
	if (!options_number(&c->options, "transfers", 1, TRANSFERS_MAX, &c->transfers, e))
		return false;
	c->named = v;
	c->path = path_absolute(v);
	if (options_has(&c->options, "no-cache"))
		return true;
	v = options_value(&c->options, "cache-dir");
	c->cache_dir = v ? path_absolute(v) : default_cache_dir();
	return true;
}

void cli_end(struct cli *c)
{
	listener_end(&c->listener);
	repo_close(c->repo);
	options_release(&c->options);
	free(c->path);
	free(c->cache_dir);
}

struct question {
	struct cli *c;
	struct held_secret held;
};

static struct secret_where where_of(const struct cli *c)
{
	return (struct secret_where){
	    .key_file = options_value(&c->options, "key-file"),
	    .passphrase_file = options_value(&c->options, "passphrase-file"),
	    .environment = true,
	};
}

static bool get_secret(void *arg, struct secret *out, struct err *e)
{
	struct question *a = arg;
	struct secret_where where = where_of(a->c);

	if (!secret_get(&where, "passphrase", &a->held, e))
		return false;
	*out = a->held.secret;
	return true;
}

/* Something to try where nothing is. */
static const char *what_to_try(const struct cli *c)
{
	if (path_is_address(c->named))
		return "bale keeps repositories in folders: mount the storage, and name "
		       "the folder where it is mounted";
	return c->command->needs & NEED_FOLDER ? "check the path"
	                                       : "check the path, or make one with bale init";
}

/* An error at a path where a repository was seen before means more than one elsewhere. */
static bool nothing_there(struct cli *c, const char *found, struct err *e)
{
	struct known k;

	if (known_find(c->cache_dir, c->path, &k))
		return err_set(e, ERR_UNREACHABLE,
		    "%s %s, but repository %.8s was here when bale last looked (on %s): "
		    "is the storage not mounted? Nothing was done; mount it and try "
		    "again",
		    c->path, found, k.id, k.mount);
	return err_set(e, ERR_NOREPO,
	    "%s %s: no repository is there, and nothing was done; %s", c->path, found,
	    what_to_try(c));
}

static bool folder_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *de;
	bool empty = d != NULL;

	while (d && empty && (de = readdir(d)))
		empty = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
	if (d)
		closedir(d);
	return empty;
}

static bool look_at_path(struct cli *c, struct err *e)
{
	struct stat st;

	if (sys_fstatat(AT_FDCWD, c->path, &st, 0) == 0)
		return S_ISDIR(st.st_mode) ||
		    err_set(e, ERR_NOREPO,
		        "%s is no folder, so it is no repository; nothing was done", c->path);
	if (errno == ENOENT || errno == ENOTDIR)
		return nothing_there(c, "does not exist", e);
	err_sys(e, errno, "%s: nothing was done, the storage did not answer", c->path);
	if (e->kind == ERR_IO)
		e->kind = ERR_UNREACHABLE;
	return false;
}

static void on_retry(void *arg, const char *folder, const char *name,
    const struct err *why, unsigned attempt)
{
	report_retry(arg, folder, name, why, attempt);
}

/*
 * So many that what is under way fills a line of 64 MB/s, in pieces of 256 KiB: reads are
 * mostly larger, and latency hides behind them.
 */
static unsigned transfers_for(int64_t latency)
{
	int64_t n = latency == INT64_MAX ? 0 : latency / 4000000;

	if (n < TRANSFERS_LEAST)
		return TRANSFERS_LEAST;
	return n > TRANSFERS_MOST ? TRANSFERS_MOST : (unsigned)n;
}

static void opened(struct cli *c)
{
	struct known k;

	c->repo->transfers =
	    c->transfers ? (unsigned)c->transfers : transfers_for(c->repo->latency);
	cli_repo_id(c, k.id);
	mount_type(c->path, k.mount);
	known_note(c->cache_dir, c->path, &k);
	if (c->command->needs & MAY_CACHE)
		json_cache_open(c->repo, c->cache_dir);
}

/* What the user knows of the mount goes before what can be found out. */
static struct store *open_store(struct cli *c, bool create, struct err *e)
{
	const char *word = options_value(&c->options, "mount-class");
	enum mount_class class = MOUNT_UNKNOWN;
	struct store *s;

	if (word && !mount_class_parse(word, &class)) {
		err_set(
		    e, ERR_USAGE, "--mount-class %s: want through, write-back or unknown", word);
		return NULL;
	}
	s = store_dir_open(c->path, create, env_real(), e);
	if (s && word)
		s->mount = class;
	return s;
}

bool cli_open(struct cli *c, struct err *e)
{
	struct question q = {c, HELD_SECRET_EMPTY};
	struct repo_opening o = {.get_secret = get_secret,
	    .arg = &q,
	    .on_retry = on_retry,
	    .retry_arg = &c->report,
	    .stop = &signals_stop};
	struct store *s;
	bool ok;

	if (!look_at_path(c, e))
		return false;
	s = open_store(c, false, e);
	if (!s)
		return false;
	c->trace = store_trace_new(s);
	ok = repo_open_with(c->trace, env_real(), &o, &c->repo, e);
	secret_release(&q.held);
	if (ok) {
		opened(c);
		return true;
	}
	c->trace = NULL;
	if (e->kind == ERR_NOREPO && folder_empty(c->path))
		nothing_there(c, "is an empty folder", e);
	return false;
}

struct store *cli_open_folder(struct cli *c, struct err *e)
{
	struct store_listing top = {NULL, 0, 0};
	struct store *s = NULL;
	struct known k;
	bool ok;

	if (!look_at_path(c, e))
		return NULL;
	s = open_store(c, false, e);
	if (!s)
		return NULL;
	s = store_trace_new(s);
	ok = store_list(s, "", &top, e);
	if (!ok && e->kind == ERR_IO) { /* that it cannot be listed is a finding */
		err_clear(e);
		ok = true;
	} else if (ok && !store_listing_has(&top, "bale.json") &&
	    known_find(c->cache_dir, c->path, &k)) {
		ok = nothing_there(c, "holds no repository", e);
	}
	store_listing_release(&top);
	if (ok) {
		c->trace = s;
		return s;
	}
	store_free(s);
	return NULL;
}

/*
 * bale.json is not sealed: whoever can write to the storage could put one in its place
 * that says "not encrypted". Who gives a secret expects it to be used.
 */
bool cli_open_to_write(struct cli *c, struct err *e)
{
	struct secret_where where = where_of(c);

	if (!cli_open(c, e))
		return false;
	if (c->repo->params.encrypted || !secret_named(&where))
		return true;
	return err_set(e, ERR_AUTH,
	    "%s is not encrypted, though a passphrase or key file is given; nothing was "
	    "written. If it was encrypted once, somebody has replaced its bale.json; if it "
	    "never was, give no passphrase or key file, in the environment "
	    "(BALE_PASSPHRASE…) neither",
	    c->path);
}

bool cli_failed(const struct cli *c, struct err *e)
{
	if (e->kind == ERR_REFUSED && e->sys)
		err_wrap(e, "%s refuses it (bale doctor tells what works there)", c->path);
	return false;
}

static bool has_head(const char *path)
{
	char *head = mem_printf("%s/bale.json", path);
	struct stat st;
	bool has = sys_fstatat(AT_FDCWD, head, &st, 0) == 0;

	free(head);
	return has;
}

bool cli_may_create(const struct cli *c, struct err *e)
{
	struct known k;
	struct stat st;
	bool there = sys_fstatat(AT_FDCWD, c->path, &st, 0) == 0;

	if (there && has_head(c->path))
		return err_set(e, ERR_EXISTS, "%s is a repository already; nothing was done",
		    c->path);
	if (!there && path_is_address(c->named))
		return err_set(e, ERR_USAGE,
		    "%s looks like an address, and bale keeps repositories in folders: mount "
		    "the storage, and name the folder where it is mounted; or ./%s, if that "
		    "is a folder's name",
		    c->named, c->named);
	if (!known_find(c->cache_dir, c->path, &k))
		return true;
	if (there && !folder_empty(c->path))
		return true; /* what is there is told by repo_create */
	return err_set(e, ERR_UNREACHABLE,
	    "%s: repository %.8s was here when bale last looked (on %s): is the storage not "
	    "mounted? Nothing was done; to make a new one in its place, give --no-cache",
	    c->path, k.id, k.mount);
}

bool cli_create(struct cli *c, const struct repo_options *o, const struct secret *secret,
    struct err *e)
{
	struct store *s;
	struct repo_options mine = *o;
	char *path;

	s = open_store(c, true, e);
	if (!s)
		return false;
	mine.on_retry = on_retry;
	mine.retry_arg = &c->report;
	mine.stop = &signals_stop;
	c->trace = store_trace_new(s);
	if (!repo_create(c->trace, env_real(), &mine, secret, &c->repo, e)) {
		c->trace = NULL;
		return false;
	}
	path = path_absolute(c->path); /* it exists now: without links */
	free(c->path);
	c->path = path;
	opened(c);
	return true;
}

bool cli_jobs(struct cli *c, unsigned *out, struct err *e)
{
	cpu_set_t set;
	long n = 1;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	if (!options_number(&c->options, "jobs", 0, 1024, &n, e))
		return false;
	*out = (unsigned)n;
	return true;
}

double cli_seconds(const struct cli *c)
{
	struct env *env = env_real();

	return (double)(env->ticks(env) - c->began) / 1e9;
}

uint64_t cli_peak(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t kib = 0;
	char line[256];

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024;
}

static void counts_of(const struct cli *c, struct store_counts *n)
{
	*n = (struct store_counts){0};
	if (c->trace)
		store_trace_counts(c->trace, n);
}

void cli_summary(struct cli *c, json_t *line)
{
	json_t *storage = json_object();
	struct store_counts n;

	counts_of(c, &n);
	line_count(storage, "put", n.put);
	line_count(storage, "get", n.get);
	line_count(storage, "list", n.list);
	line_count(storage, "delete", n.remove);
	line_count(storage, "mkdir", n.mkdir);
	line_count(storage, "stat", n.stat);
	line_count(storage, "bytes_out", n.bytes_out);
	line_count(storage, "bytes_in", n.bytes_in);
	line_real(line, "seconds", (double)(int64_t)(cli_seconds(c) * 1000) / 1000);
	json_object_set_new(line, "storage", storage);
	line_count(line, "peak_rss", cli_peak());
	listener_end(&c->listener);
	report_line(&c->report, line);
}

void cli_storage_text(const struct cli *c, struct buf *out)
{
	struct store_counts n;

	counts_of(c, &n);
	buf_printf(
	    out, "%" PRIu64 " put, %" PRIu64 " get, %" PRIu64 " list", n.put, n.get, n.list);
	if (n.remove)
		buf_printf(out, ", %" PRIu64 " delete", n.remove);
	if (n.stat)
		buf_printf(out, ", %" PRIu64 " stat", n.stat);
	buf_add_str(out, "; ");
	text_size(out, n.bytes_out);
	buf_add_str(out, " out, ");
	text_size(out, n.bytes_in);
	buf_add_str(out, " in");
}

void cli_repo_id(const struct cli *c, char out[2 * REPO_ID_SIZE + 1])
{
	hex_encode(c->repo->params.id, REPO_ID_SIZE, out);
}
