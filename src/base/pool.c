/*
 * One queue of work per pool, one queue of tickets per lane. A worker takes the oldest
 * work of any lane; the lane's owner waits for its own oldest ticket.
 */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"

struct pool {
	pthread_t *threads;
	unsigned n;
	pthread_mutex_t lock; /* guards all below, and every lane and job of the pool */
	pthread_cond_t work;
	struct job *head, **tail;
	bool stop;
};

struct lane {
	struct pool *pool;
	pthread_cond_t done; /* the oldest ticket may be done */
	struct job *head, **tail; /* tickets, oldest first */
	/* Touched by the owner only. */
	size_t jobs, weight;
};

static void *worker(void *arg)
{
	struct pool *p = arg;
	struct job *j;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->head && !p->stop)
			pthread_cond_wait(&p->work, &p->lock);
		if (!p->head)
			break;
		j = p->head;
		p->head = j->next_work;
		if (!p->head)
			p->tail = &p->head;
		pthread_mutex_unlock(&p->lock);
		j->run(j);
		pthread_mutex_lock(&p->lock);
		j->done = true;
		if (j->lane->head == j)
			pthread_cond_signal(&j->lane->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *pool_new(unsigned threads)
{
	struct pool *p = mem_zalloc(sizeof *p);
	sigset_t all, old;

	p->threads = mem_array(threads, sizeof *p->threads);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	p->tail = &p->head;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->n < threads && pthread_create(&p->threads[p->n], NULL, worker, p) == 0)
		p->n++; /* fewer than asked for is slower, not wrong */
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p;
}

void pool_free(struct pool *p)
{
	unsigned i;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	assert(!p->head);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->n; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}

unsigned pool_threads(const struct pool *p)
{
	return p->n;
}

struct lane *lane_new(struct pool *p)
{
	struct lane *l = mem_zalloc(sizeof *l);

	l->pool = p;
	pthread_cond_init(&l->done, NULL);
	l->tail = &l->head;
	return l;
}

void lane_free(struct lane *l)
{
	if (!l)
		return;
	assert(l->jobs == 0);
	pthread_cond_destroy(&l->done);
	free(l);
}

void lane_put(struct lane *l, struct job *j)
{
	struct pool *p = l->pool;

	j->next_work = j->next_ticket = NULL;
	j->lane = l;
	j->done = false;
	l->jobs++;
	l->weight += j->weight;
	if (p->n == 0) {
		j->run(j);
		j->done = true;
	}
	pthread_mutex_lock(&p->lock);
	*l->tail = j;
	l->tail = &j->next_ticket;
	if (!j->done) {
		*p->tail = j;
		p->tail = &j->next_work;
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->lock);
}

static struct job *take(struct lane *l, bool wait)
{
	struct pool *p = l->pool;
	struct job *j;

	if (l->jobs == 0)
		return NULL;
	pthread_mutex_lock(&p->lock);
	j = l->head;
	while (wait && !j->done)
		pthread_cond_wait(&l->done, &p->lock);
	if (j->done) {
		l->head = j->next_ticket;
		if (!l->head)
			l->tail = &l->head;
	} else {
		j = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	if (j) {
		l->jobs--;
		l->weight -= j->weight;
	}
	return j;
}

struct job *lane_take(struct lane *l)
{
	return take(l, true);
}

struct job *lane_poll(struct lane *l)
{
	return take(l, false);
}

size_t lane_jobs(const struct lane *l)
{
	return l->jobs;
}

size_t lane_weight(const struct lane *l)
{
	return l->weight;
}
