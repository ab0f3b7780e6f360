/* The client's state as lines of text in one cache file. */
#include "engine/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define CLIENT_FILE "client"

static void fresh(struct env *env, struct client_state *s)
{
	char random[RANDOM_NAME_LEN + 1];

	*s = (struct client_state){.counter = 0};
	name_random(env, random);
	memcpy(s->id, random, CLIENT_SIZE);
}

static bool parse_line(struct client_state *s, const char *line)
{
	unsigned long long counter;
	struct band_name name;

	if (sscanf(line, "client %16s", s->id) == 1)
		return strlen(s->id) == CLIENT_SIZE;
	if (sscanf(line, "counter %llu", &counter) == 1) {
		s->counter = counter;
		return true;
	}
	if (strncmp(line, "prev ", 5) == 0) {
		if (!band_name_parse(span_str(line + 5), &name))
			return false;
		memcpy(s->prev, name.text, sizeof s->prev);
		return true;
	}
	if (strcmp(line, "leave") == 0)
		return s->leave = true;
	if (strcmp(line, "enlisted") == 0)
		return s->enlisted = true;
	if (strncmp(line, "met ", 4) == 0) {
		string_list_add(&s->met, span_str(line + 4));
		return strlen(line + 4) == CLIENT_SIZE;
	}
	if (strncmp(line, "begun ", 6) == 0) {
		string_list_add(&s->begun, span_str(line + 6));
		return band_name_parse(span_str(line + 6), &name);
	}
	if (strncmp(line, "seen ", 5) == 0) {
		string_list_add(&s->seen, span_str(line + 5));
		return true;
	}
	return false;
}

bool client_state_look(struct cache *c, struct client_state *out)
{
	struct buf text = BUF_EMPTY;
	char *line, *save = NULL;
	bool ok;

	*out = (struct client_state){.counter = 0};
	ok = cache_get(c, CLIENT_FILE, &text);
	if (ok) {
		buf_str(&text);
		for (line = strtok_r((char *)text.p, "\n", &save); ok && line;
		     line = strtok_r(NULL, "\n", &save))
			ok = parse_line(out, line);
	}
	buf_release(&text);
	ok = ok && out->id[0];
	if (!ok) {
		client_state_release(out);
		*out = (struct client_state){.counter = 0};
	}
	return ok;
}

void client_state_load(struct cache *c, struct env *env, struct client_state *out)
{
	if (!cache_owned(c) || !client_state_look(c, out))
		fresh(env, out);
}

void client_state_release(struct client_state *s)
{
	string_list_release(&s->seen);
	string_list_release(&s->begun);
	string_list_release(&s->met);
}

/*
 * Read back: putting a file into the cache is best effort, and an older one may stand
 * there.
 */
static bool save(struct cache *c, const struct client_state *s)
{
	struct buf text = BUF_EMPTY, kept = BUF_EMPTY;
	size_t i;
	bool ok;

	buf_printf(&text, "client %s\ncounter %llu\n", s->id, (unsigned long long)s->counter);
	if (s->prev[0])
		buf_printf(&text, "prev %s\n", s->prev);
	if (s->leave)
		buf_add_str(&text, "leave\n");
	if (s->enlisted)
		buf_add_str(&text, "enlisted\n");
	for (i = 0; i < s->met.n; i++)
		buf_printf(&text, "met %s\n", s->met.v[i]);
	for (i = 0; i < s->begun.n; i++)
		buf_printf(&text, "begun %s\n", s->begun.v[i]);
	for (i = 0; i < s->seen.n; i++)
		buf_printf(&text, "seen %s\n", s->seen.v[i]);
	cache_put(c, CLIENT_FILE, buf_span(&text));
	ok = cache_get(c, CLIENT_FILE, &kept) && span_equal(buf_span(&kept), buf_span(&text));
	buf_release(&kept);
	buf_release(&text);
	return ok;
}

static void spend(struct client_state *s, int64_t start, struct band_name *name)
{
	s->counter++;
	band_name_make(name, start, s->id, s->counter);
	string_list_add(&s->begun, span_str(name->text));
}

void client_state_spend(struct cache *c, struct env *env, struct client_state *s,
    int64_t start, struct band_name *name)
{
	spend(s, start, name);
	if (!cache_owned(c) || save(c, s))
		return;
	client_state_release(s);
	fresh(env, s);
	spend(s, start, name);
}

void client_state_ended(struct client_state *s, const char *band)
{
	size_t i, k = 0;

	for (i = 0; i < s->begun.n; i++) {
		if (strcmp(s->begun.v[i], band) == 0)
			free(s->begun.v[i]);
		else
			s->begun.v[k++] = s->begun.v[i];
	}
	s->begun.n = k;
}

void client_state_meet(struct client_state *s, const char *id)
{
	if (strcmp(s->id, id) != 0)
		string_list_want(&s->met, id);
}

void client_state_found(struct repo *r, const char *cache_dir)
{
	struct cache *c = cache_open(r, cache_dir);
	struct client_state s;

	client_state_load(c, r->env, &s);
	s.leave = true;
	client_state_save(c, &s);
	client_state_release(&s);
	cache_close(c);
}

void client_state_drop(struct cache *c)
{
	cache_drop(c, CLIENT_FILE);
}

void client_state_save(struct cache *c, const struct client_state *s)
{
	if (cache_owned(c))
		save(c, s);
}
