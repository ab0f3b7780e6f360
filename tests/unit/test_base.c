/* Base: bufs, the map against a naive one, lanes, the fixed env, system calls, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/sys.h"

/* --- buf */

static uint64_t varint(const struct buf *b, size_t *at)
{
	uint64_t v = 0;
	unsigned shift = 0;

	do
		v |= (uint64_t)(b->p[*at] & 0x7f) << shift;
	while (shift += 7, b->p[(*at)++] & 0x80);
	return v;
}

static void varints(void **state)
{
	struct buf b = BUF_EMPTY;
	size_t at = 0;

	(void)state;
	for (unsigned bits = 0; bits < 64; bits++) {
		uint64_t v = UINT64_C(1) << bits;

		buf_clear(&b);
		at = 0;
		buf_add_varint(&b, v);
		assert_int_equal(b.n, bits / 7 + 1); /* the shortest form */
		assert_true(varint(&b, &at) == v);
		buf_add_varint(&b, v - 1);
		assert_true(varint(&b, &at) == v - 1);
		buf_add_varint(&b, v | 1);
		assert_true(varint(&b, &at) == (v | 1));
		assert_int_equal(at, b.n);
	}
	buf_clear(&b);
	at = 0;
	buf_add_varint(&b, UINT64_MAX);
	assert_int_equal(b.n, 10);
	assert_true(varint(&b, &at) == UINT64_MAX);
	buf_release(&b);
}

static void numbers_and_text(void **state)
{
	static const uint8_t want[] = {
	    0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 8, 7, 6, 5, 4, 3, 2, 1, 'n', '=', '7'};
	struct buf b = BUF_EMPTY;

	(void)state;
	buf_add_u16(&b, 0x1234);
	buf_add_u32(&b, 0x12345678);
	buf_add_u64(&b, UINT64_C(0x0102030405060708));
	buf_printf(&b, "n=%d", 7);
	assert_true(span_equal(buf_span(&b), span_of(want, sizeof want)));
	assert_int_equal(get_u16(b.p), 0x1234);
	assert_int_equal(get_u32(b.p + 2), 0x12345678);
	assert_true(get_u64(b.p + 6) == UINT64_C(0x0102030405060708));
	put_u64(b.p, UINT64_C(0xfedcba9876543210));
	assert_true(get_u64(b.p) == UINT64_C(0xfedcba9876543210));
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	buf_add(&b, NULL, 0);
	buf_add_str(&b, "abc");
	assert_string_equal(buf_str(&b), "abc");
	assert_int_equal(b.n, 3);
	buf_release(&b);
	buf_release(&b);
	assert_null(b.p);
}

static void spans(void **state)
{
	(void)state;
	assert_true(span_equal(SPAN_EMPTY, span_str("")));
	assert_false(span_equal(span_str("a"), span_str("ab")));
	assert_int_equal(span_compare(span_str("a"), span_str("a")), 0);
	assert_true(span_compare(span_str("a"), span_str("ab")) < 0);
	assert_true(span_compare(span_str("b"), span_str("ab")) > 0);
	assert_true(span_compare(span_of("\xff", 1), span_str("a")) > 0);
	assert_true(span_compare(SPAN_EMPTY, span_str("a")) < 0);
}

/* --- map */

#define KEYS 512 /* few enough that keys are put and removed over and over */

struct model {
	bool there[KEYS];
	uint64_t value[KEYS];
	size_t count;
};

static void key_of(uint32_t number, uint8_t *key, size_t size)
{
	memset(key, 0, size);
	put_u32(key, number);
}

static void compare(const struct map *m, const struct model *model)
{
	bool seen[KEYS] = {false};
	uint8_t key[64];
	const void *at_key;
	uint64_t value, *found;
	size_t at = 0, steps = 0;

	assert_int_equal(m->count, model->count);
	for (uint32_t i = 0; i < KEYS; i++) {
		key_of(i, key, m->key_size);
		found = map_get(m, key);
		assert_int_equal(found != NULL, model->there[i]);
		if (found)
			assert_true(*found == model->value[i]);
	}
	for (; map_next(m, &at, &at_key, &value); steps++) {
		uint32_t i = get_u32(at_key);

		assert_true(model->there[i] && !seen[i] && value == model->value[i]);
		seen[i] = true;
	}
	assert_int_equal(steps, model->count);
}

static void map_step(struct map *m, struct model *model, uint64_t draw)
{
	uint32_t i = (uint32_t)(draw >> 8) % KEYS;
	uint8_t key[64];

	key_of(i, key, m->key_size);
	if (draw % 16 < 9) {
		assert_int_equal(map_put(m, key, draw), !model->there[i]);
		model->count += !model->there[i];
		model->there[i] = true;
		model->value[i] = draw;
	} else {
		assert_int_equal(map_remove(m, key), model->there[i]);
		model->count -= model->there[i];
		model->there[i] = false;
	}
}

static void map_like_a_naive_one(void **state)
{
	static const size_t sizes[] = {4, 7, 16, 24, 33};
	struct env *env = env_fixed_new(0, 0, 11);
	struct model model;
	struct map m;
	uint64_t draw;

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		memset(&model, 0, sizeof model);
		map_init(&m, sizes[s]);
		compare(&m, &model);
		for (int i = 0; i < 20000; i++) {
			env->random(env, &draw, sizeof draw);
			map_step(&m, &model, draw);
			if (i % 500 == 0)
				compare(&m, &model);
		}
		compare(&m, &model);
		map_clear(&m);
		memset(&model, 0, sizeof model);
		compare(&m, &model);
		map_release(&m);
		map_release(&m);
	}
	env_fixed_free(env);
}

/* --- pool */

#define JOBS 300

struct square {
	struct job job;
	unsigned in, out;
	atomic_uint *running, *most;
};

static void run_square(struct job *job)
{
	struct square *s = (struct square *)job;
	unsigned n = atomic_fetch_add(s->running, 1) + 1, most = atomic_load(s->most);

	while (n > most && !atomic_compare_exchange_weak(s->most, &most, n))
		;
	if (s->in % 7 == 0)
		usleep(200); /* so that later ones overtake it */
	s->out = s->in * s->in;
	atomic_fetch_sub(s->running, 1);
}

static void lanes_keep_order(void **state)
{
	static const unsigned threads[] = {0, 1, 2, 8};
	static struct square jobs[2][JOBS];

	(void)state;
	for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
		struct pool *p = pool_new(threads[t]);
		struct lane *lanes[2] = {lane_new(p), lane_new(p)};
		atomic_uint running = 0, most = 0;
		size_t taken[2] = {0, 0};

		assert_int_equal(pool_threads(p), threads[t]);
		assert_null(lane_take(lanes[0]));
		assert_null(lane_poll(lanes[0]));
		for (unsigned i = 0; i < 2 * JOBS; i++) {
			struct square *s = &jobs[i % 2][i / 2];
			struct job *j;

			*s = (struct square){
			    {run_square, 3 + i % 2, NULL, NULL, NULL, false}, i, 0,
			    &running, &most};
			lane_put(lanes[i % 2], &s->job);
			if (threads[t] == 0)
				assert_int_equal(s->out, i * i); /* ran at once */
			j = lane_poll(lanes[0]);
			if (j)
				assert_ptr_equal(j, &jobs[0][taken[0]++].job);
		}
		for (size_t l = 0; l < 2; l++) {
			assert_int_equal(lane_jobs(lanes[l]), JOBS - taken[l]);
			assert_int_equal(
			    lane_weight(lanes[l]), (JOBS - taken[l]) * (3 + l));
			for (; taken[l] < JOBS; taken[l]++) {
				struct square *s = (struct square *)lane_take(lanes[l]);

				assert_ptr_equal(s, &jobs[l][taken[l]]);
				assert_int_equal(s->out, s->in * s->in);
			}
			assert_null(lane_take(lanes[l]));
			assert_int_equal(lane_weight(lanes[l]), 0);
			lane_free(lanes[l]);
		}
		assert_true(atomic_load(&most) <= (threads[t] ? threads[t] : 1));
		if (threads[t] == 8)
			assert_true(atomic_load(&most) > 1);
		pool_free(p);
	}
	lane_free(NULL);
	pool_free(NULL);
}

/* --- env */

static void fixed_env(void **state)
{
	struct env *a = env_fixed_new(1000, 5, 42), *b = env_fixed_new(1000, 5, 42);
	struct env *other = env_fixed_new(1000, 5, 43);
	uint8_t x[100], y[100], z[100];

	(void)state;
	assert_int_equal(a->now(a), 1000);
	assert_int_equal(a->now(a), 1005);
	assert_int_equal(a->ticks(a), 1010);
	a->sleep(a, 1000);
	assert_int_equal(a->now(a), 2015);
	for (size_t n = 0; n <= sizeof x; n += 9) {
		a->random(a, x, n);
		b->random(b, y, n);
		assert_memory_equal(x, y, n);
	}
	other->random(other, z, sizeof z);
	assert_memory_not_equal(x, z, sizeof z);
	a->yield(a, "point");
	env_fixed_free(a);
	env_fixed_free(b);
	env_fixed_free(other);
	env_fixed_free(NULL);
}

static void real_env(void **state)
{
	struct env *env = env_real();
	uint8_t a[600], b[600];
	int64_t start = env->ticks(env);

	(void)state;
	env->sleep(env, 2000000);
	assert_true(env->ticks(env) - start >= 2000000);
	assert_true(env->now(env) > INT64_C(1600000000000000000));
	env->random(env, a, sizeof a);
	env->random(env, b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a + 300, b + 300, 300);
}

/* --- sys */

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

struct pipe_job {
	struct job job;
	int fd;
	bool ok;
};

#define PIPE_BYTES (1u << 20)

/* The other end, slow enough that the reader or writer in the test waits and is
 * interrupted. */
static void feed(struct job *job)
{
	struct pipe_job *p = (struct pipe_job *)job;
	uint8_t piece[4096];

	p->ok = true;
	for (size_t i = 0; i < PIPE_BYTES / sizeof piece; i++) {
		memset(piece, (int)i, sizeof piece);
		if (i % 32 == 0)
			usleep(3000);
		p->ok = p->ok && sys_write(p->fd, piece, sizeof piece);
	}
	sys_close(p->fd);
}

static void drain(struct job *job)
{
	struct pipe_job *p = (struct pipe_job *)job;
	uint8_t piece[4096];

	p->ok = true;
	for (size_t i = 0; i < PIPE_BYTES / sizeof piece; i++) {
		if (i % 32 == 0)
			usleep(3000);
		p->ok = p->ok && sys_read(p->fd, piece, sizeof piece) == sizeof piece &&
			piece[0] == (uint8_t)i && piece[4095] == (uint8_t)i;
	}
	sys_close(p->fd);
}

static void start_alarms(long us)
{
	struct sigaction act = {.sa_handler = on_alarm}; /* without SA_RESTART */
	const struct itimerval every = {{0, us}, {0, us}};

	alarms = 0;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

/* Signals all the while: no call fails of it, and no byte is lost or comes twice. */
static void interrupted(void **state)
{
	struct pool *pool = pool_new(1);
	struct lane *lane = lane_new(pool);
	uint8_t *bytes = mem_alloc(PIPE_BYTES), end;
	struct pipe_job job;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	job = (struct pipe_job){.job.run = feed, .fd = ends[1]};
	start_alarms(1000);
	lane_put(lane, &job.job);
	assert_int_equal(sys_read(ends[0], bytes, PIPE_BYTES), PIPE_BYTES);
	assert_int_equal(sys_read(ends[0], &end, 1), 0);
	lane_take(lane);
	assert_true(job.ok);
	for (size_t i = 0; i < PIPE_BYTES; i++)
		if (bytes[i] != (uint8_t)(i / 4096))
			fail_msg("byte %zu", i);
	sys_close(ends[0]);
	assert_true(alarms > 0);

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	job = (struct pipe_job){.job.run = drain, .fd = ends[0]};
	lane_put(lane, &job.job);
	assert_true(sys_write(ends[1], bytes, PIPE_BYTES));
	lane_take(lane);
	assert_true(job.ok);
	sys_close(ends[1]);
	start_alarms(0);
	signal(SIGALRM, SIG_DFL);
	lane_free(lane);
	pool_free(pool);
	free(bytes);
}

static enum sys_call failing;

static int fail_call(enum sys_call call, const char *path)
{
	(void)path;
	return call == failing ? EDQUOT : 0;
}

static void files(void **state)
{
	char path[] = "/tmp/bale-test-XXXXXX";
	int made = mkstemp(path), fd;
	uint8_t got[10];
	struct stat st;

	(void)state;
	assert_true(made >= 0);
	fd = sys_openat(AT_FDCWD, path, O_RDWR, 0);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(sys_write(fd, "0123456789", 10));
	assert_true(sys_pwrite(fd, "xy", 2, 4));
	assert_int_equal(sys_pread(fd, got, 10, 3), 7); /* short only at the end */
	assert_memory_equal(got, "3xy6789", 7);
	assert_int_equal(sys_pread(fd, got, 10, 10), 0);
	assert_int_equal(sys_fsync(fd), 0);
	assert_int_equal(sys_fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 10);
	sys_fault = fail_call;
	failing = SYS_WRITE;
	errno = 0;
	assert_false(sys_write(fd, "0", 1));
	assert_int_equal(errno, EDQUOT);
	assert_false(sys_pwrite(fd, "0", 1, 0));
	failing = SYS_READ;
	assert_int_equal(sys_pread(fd, got, 1, 0), -1);
	failing = SYS_CLOSE;
	assert_int_equal(sys_close(fd), -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed all the same */
	failing = SYS_OPEN;
	assert_int_equal(sys_openat(AT_FDCWD, path, O_RDONLY, 0), -1);
	sys_fault = NULL;
	assert_int_equal(sys_unlinkat(AT_FDCWD, path, 0), 0);
	close(made);
}

/* --- err */

static void errors(void **state)
{
	struct err e = ERR_EMPTY;
	char long_text[2000];

	(void)state;
	assert_false(err_set(&e, ERR_CORRUPT, "byte %d", 5));
	assert_false(err_wrap(&e, "bands/%s", "x"));
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_string_equal(e.text, "bands/x: byte 5");
	assert_false(err_sys(&e, ENOSPC, "write %s", "x"));
	assert_int_equal(e.kind, ERR_NOSPACE);
	assert_int_equal(e.sys, ENOSPC);
	assert_string_equal(e.text, "write x: No space left on device");
	memset(long_text, 'l', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	err_set(&e, ERR_IO, "%s", long_text);
	err_wrap(&e, "place");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_memory_equal(e.text, "place: lll", 10);
	err_wrap(&e, "%s", long_text);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_clear(&e);
	assert_int_equal(e.kind, ERR_NONE);
	assert_false(err_set(NULL, ERR_IO, "x"));
	assert_false(err_sys(NULL, EIO, "x"));
	assert_false(err_wrap(NULL, "x"));
	assert_int_equal(err_kind_of(EIO), ERR_IO);
	assert_int_equal(err_kind_of(EROFS), ERR_REFUSED);
	assert_int_equal(err_kind_of(ENOTCONN), ERR_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(varints),
	    cmocka_unit_test(numbers_and_text),
	    cmocka_unit_test(spans),
	    cmocka_unit_test(map_like_a_naive_one),
	    cmocka_unit_test(lanes_keep_order),
	    cmocka_unit_test(fixed_env),
	    cmocka_unit_test(real_env),
	    cmocka_unit_test(interrupted),
	    cmocka_unit_test(files),
	    cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
