/*
 * Secrets are read into a buffer of their full size, taken once, so that growing leaves
 * no copies behind in freed memory; and the environment's copy is wiped as soon as it is
 * read.
 */
#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/sys.h"
#include "cli/shell.h"
#include "cli/signals.h"

#define SECRET_MAX 4096

static bool read_all(int fd, const char *what, struct buf *out, struct err *e)
{
	ssize_t n;

	buf_reserve(out, SECRET_MAX + 1);
	n = sys_read(fd, out->p, SECRET_MAX + 1);
	if (n < 0)
		return err_sys(e, errno, "read %s", what);
	out->n = (size_t)n;
	if (out->n > SECRET_MAX)
		return err_set(e, ERR_USAGE, "%s is longer than %d bytes", what, SECRET_MAX);
	return true;
}

/* One line, its end taken off. */
static bool one_line(struct buf *s, const char *what, struct err *e)
{
	if (s->n > 0 && s->p[s->n - 1] == '\n')
		s->n--;
	if (s->n > 0 && s->p[s->n - 1] == '\r')
		s->n--;
	if (s->n == 0)
		return err_set(e, ERR_USAGE, "the passphrase from %s is empty", what);
	if (memchr(s->p, '\n', s->n))
		return err_set(
		    e, ERR_USAGE, "%s has more than one line; a passphrase is one line", what);
	return true;
}

static bool check_private(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (sys_fstat(fd, &st) < 0)
		return err_sys(e, errno, "look at %s", path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return true;
	return err_set(e, ERR_REFUSED,
	    "%s: others can get at this secret (mode %04o), so it is not used%s%s", path,
	    (unsigned)(st.st_mode & 07777), S_ISREG(st.st_mode) ? "; try: chmod 600 " : "",
	    S_ISREG(st.st_mode) ? path : "");
}

static bool read_file(const char *path, struct buf *out, struct err *e)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	bool ok;

	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	ok = check_private(fd, path, e) && read_all(fd, path, out, e);
	sys_close(fd);
	return ok;
}

static bool make_key_file(const char *path, struct held_secret *out, struct err *e)
{
	struct env *env = env_real();
	uint8_t key[KEY_SIZE];
	bool ok = false;
	int fd;

	fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return err_sys(e, errno, "make the key file %s", path);
	env->random(env, key, sizeof key);
	buf_reserve(&out->hold, SECRET_MAX);
	key_file_make(key, &out->hold);
	secret_wipe(key, sizeof key);
	ok = sys_write(fd, out->hold.p, out->hold.n) && sys_fsync(fd) == 0;
	if (!ok)
		err_sys(e, errno, "write the key file %s", path);
	if (sys_close(fd) < 0 && ok)
		ok = err_sys(e, errno, "write the key file %s", path);
	if (!ok)
		sys_unlinkat(AT_FDCWD, path, 0);
	out->made = ok;
	return ok;
}

static bool from_key_file(
    const char *path, bool fresh, struct held_secret *out, struct err *e)
{
	uint8_t key[KEY_SIZE];
	bool ok;

	out->secret.kind = SECRET_KEY_FILE;
	if (fresh && access(path, F_OK) != 0 && errno == ENOENT)
		return make_key_file(path, out, e);
	ok = read_file(path, &out->hold, e);
	if (!ok)
		return err_wrap(e, "key file");
	ok = key_file_parse(buf_span(&out->hold), key, e);
	secret_wipe(key, sizeof key);
	return ok || err_wrap(e, "key file %s", path);
}

static bool from_file(const char *path, struct held_secret *out, struct err *e)
{
	out->secret.kind = SECRET_PASSPHRASE;
	return (read_file(path, &out->hold, e) && one_line(&out->hold, path, e)) ||
	    err_wrap(e, "passphrase file");
}

static bool from_command(const char *command, struct held_secret *out, struct err *e)
{
	static const char name[] = "BALE_PASSPHRASE_COMMAND";
	static const char what[] = "the output of BALE_PASSPHRASE_COMMAND";
	int fd[2], status = -1;
	pid_t pid;
	bool ok;

	out->secret.kind = SECRET_PASSPHRASE;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for %s", name);
	ok = shell_start(command, name, fd[1], false, &pid, e);
	sys_close(fd[1]);
	if (!ok) {
		sys_close(fd[0]);
		return false;
	}
	ok = read_all(fd[0], what, &out->hold, e);
	sys_close(fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return ok && shell_ended(status, name, ERR_AUTH, e) && one_line(&out->hold, what, e);
}

static bool from_variable(char *value, struct held_secret *out, struct err *e)
{
	out->secret.kind = SECRET_PASSPHRASE;
	if (strlen(value) > SECRET_MAX)
		return err_set(
		    e, ERR_USAGE, "BALE_PASSPHRASE is longer than %d bytes", SECRET_MAX);
	buf_reserve(&out->hold, SECRET_MAX);
	buf_add_str(&out->hold, value);
	secret_wipe(value, strlen(value));
	unsetenv("BALE_PASSPHRASE");
	return true;
}

/*
 * Characters up to the end of the line. A signal is let in only while waiting, so that
 * none is lost between the look at the flag and the wait.
 */
static bool read_line(int tty, const sigset_t *waiting, struct buf *out, struct err *e)
{
	struct pollfd p = {.fd = tty, .events = POLLIN};
	ssize_t n;
	char c;

	for (;;) {
		if (signals_stop)
			return err_set(e, ERR_STOPPED, "stopped");
		n = ppoll(&p, 1, NULL, waiting);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			n = read(tty, &c, 1);
		if (n < 0)
			return err_sys(e, errno, "read the passphrase");
		if (n == 0 || c == '\n')
			break;
		if (out->n == SECRET_MAX)
			return err_set(e, ERR_USAGE, "the passphrase is too long");
		buf_add_byte(out, (uint8_t)c);
	}
	return out->n > 0 || err_set(e, ERR_USAGE, "the passphrase is empty");
}

/* One line from the terminal without showing it. */
static bool ask(int tty, const char *prompt, struct buf *out, struct err *e)
{
	struct termios shown, hidden;
	sigset_t held, before;
	bool ok;

	buf_reserve(out, SECRET_MAX);
	if (tcgetattr(tty, &shown) < 0)
		return err_sys(e, errno, "ask for the passphrase");
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_lflag |= ECHONL;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, &before);
	/* Before the prompt: what is typed as soon as it shows must not be flushed. */
	tcsetattr(tty, TCSAFLUSH, &hidden);
	sys_write(tty, prompt, strlen(prompt));
	ok = read_line(tty, &before, out, e);
	tcsetattr(tty, TCSAFLUSH, &shown);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ok;
}

static bool from_terminal(const struct secret_where *w, const char *what,
    struct held_secret *out, struct err *e)
{
	struct buf prompt = BUF_EMPTY, again = BUF_EMPTY;
	int tty = sys_openat(AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY, 0);
	bool ok = false;

	if (tty < 0)
		return err_set(e, ERR_AUTH,
		    "no %s was given, and there is no terminal to ask for it; name a "
		    "file with %s",
		    what,
		    w->environment
		        ? "--passphrase-file or --key-file, or set BALE_KEY_FILE, "
		          "BALE_PASSPHRASE_COMMAND, BALE_PASSPHRASE_FILE or BALE_PASSPHRASE"
		        : "--new-passphrase-file or --new-key-file");
	out->secret.kind = SECRET_PASSPHRASE;
	buf_printf(&prompt, "%s: ", what);
	if (!ask(tty, buf_str(&prompt), &out->hold, e))
		goto out;
	if (w->fresh) {
		if (!ask(tty, "the same again: ", &again, e))
			goto out;
		if (!span_equal(buf_span(&out->hold), buf_span(&again))) {
			err_set(e, ERR_USAGE, "the two passphrases differ; nothing was done");
			goto out;
		}
	}
	ok = true;
out:
	sys_close(tty);
	if (again.p)
		secret_wipe(again.p, again.cap);
	buf_release(&again);
	buf_release(&prompt);
	return ok;
}

static const char *const variables[] = {"BALE_KEY_FILE", "BALE_PASSPHRASE_COMMAND",
    "BALE_PASSPHRASE_FILE", "BALE_PASSPHRASE"};

#define N_VARIABLES (sizeof variables / sizeof *variables)

/* A name that is empty, as of a variable that a script has not set. */
static bool check_names(const struct secret_where *w, struct err *e)
{
	const char *v;

	if (w->key_file && w->passphrase_file)
		return err_set(e, ERR_USAGE, "both a key file and a passphrase file are given");
	if ((w->key_file && !*w->key_file) || (w->passphrase_file && !*w->passphrase_file))
		return err_set(e, ERR_USAGE, "the name of the %s file is empty",
		    w->key_file ? "key" : "passphrase");
	if (w->key_file || w->passphrase_file || !w->environment)
		return true;
	for (size_t i = 0; i < N_VARIABLES; i++)
		if ((v = getenv(variables[i])))
			return *v || err_set(e, ERR_USAGE, "%s is empty", variables[i]);
	return true;
}

static bool from_anywhere(const struct secret_where *w, const char *what,
    struct held_secret *out, struct err *e)
{
	char *v;

	if (!check_names(w, e))
		return false;
	if (w->key_file)
		return from_key_file(w->key_file, w->fresh, out, e);
	if (w->passphrase_file)
		return from_file(w->passphrase_file, out, e);
	if (w->environment) {
		if ((v = getenv("BALE_KEY_FILE")))
			return from_key_file(v, w->fresh, out, e);
		if ((v = getenv("BALE_PASSPHRASE_COMMAND")))
			return from_command(v, out, e);
		if ((v = getenv("BALE_PASSPHRASE_FILE")))
			return from_file(v, out, e);
		if ((v = getenv("BALE_PASSPHRASE")))
			return from_variable(v, out, e);
	}
	return from_terminal(w, what, out, e);
}

bool secret_get(const struct secret_where *w, const char *what, struct held_secret *out,
    struct err *e)
{
	if (!from_anywhere(w, what, out, e))
		return false;
	out->secret.bytes = buf_span(&out->hold);
	return true;
}

void secret_release(struct held_secret *s)
{
	if (s->hold.p)
		secret_wipe(s->hold.p, s->hold.cap);
	buf_release(&s->hold);
	s->secret = (struct secret){SECRET_NONE, {NULL, 0}};
}

bool secret_named(const struct secret_where *w)
{
	for (size_t i = 0; w->environment && i < N_VARIABLES; i++)
		if (getenv(variables[i]))
			return true;
	return w->key_file || w->passphrase_file;
}
