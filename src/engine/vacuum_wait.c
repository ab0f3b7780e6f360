/* Lines of "ticks key" under the boot that they count from. */
#include "engine/vacuum_wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define WAITS_FILE "waits"

struct wait {
	char *key;
	int64_t since; /* ticks */
	bool asked;
};

struct waits {
	struct cache *cache;
	struct env *env;
	char boot[BOOT_SIZE];
	int64_t opened;
	struct wait *v;
	size_t n, cap;
};

static void add(struct waits *w, const char *key, int64_t since)
{
	w->v = mem_grow(w->v, &w->cap, w->n + 1, sizeof *w->v);
	w->v[w->n++] = (struct wait){mem_strdup(key), since, false};
}

static void load(struct waits *w, char *text)
{
	char *line, *save = NULL;
	int64_t since;
	int skip;

	line = strtok_r(text, "\n", &save);
	if (!line || strcmp(line, w->boot) != 0)
		return;
	while ((line = strtok_r(NULL, "\n", &save)))
		if (sscanf(line, "%" SCNd64 " %n", &since, &skip) == 1 && since <= w->opened)
			add(w, line + skip, since);
}

struct waits *waits_open(struct cache *c, struct env *env)
{
	struct waits *w = mem_zalloc(sizeof *w);
	struct buf text = BUF_EMPTY;

	w->cache = c;
	w->env = env;
	w->opened = env->ticks(env);
	env->boot(env, w->boot);
	if (cache_get(c, WAITS_FILE, &text)) {
		buf_str(&text);
		load(w, (char *)text.p);
	}
	buf_release(&text);
	return w;
}

void waits_close(struct waits *w, bool forget)
{
	struct buf text = BUF_EMPTY;
	size_t i;

	if (!w)
		return;
	buf_printf(&text, "%s\n", w->boot);
	for (i = 0; i < w->n; i++) {
		if (w->v[i].asked || !forget)
			buf_printf(&text, "%" PRId64 " %s\n", w->v[i].since, w->v[i].key);
		free(w->v[i].key);
	}
	if (cache_owned(w->cache))
		cache_put(w->cache, WAITS_FILE, buf_span(&text));
	buf_release(&text);
	free(w->v);
	free(w);
}

int64_t waits_age(struct waits *w, const char *key)
{
	size_t i;

	for (i = 0; i < w->n && strcmp(w->v[i].key, key) != 0; i++)
		;
	if (i == w->n)
		add(w, key, w->env->ticks(w->env));
	w->v[i].asked = true;
	return w->v[i].since < w->opened ? w->opened - w->v[i].since : 0;
}
