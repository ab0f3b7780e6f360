/* Making bands. */
#include "band_make.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void band_start(struct band *b, int64_t seconds, uint64_t counter, const char *set)
{
	band_init(b);
	band_name_make(&b->name, seconds * 1000000000, TEST_CLIENT, counter);
	b->kind = BAND_BACKUP;
	b->start = b->end = seconds * 1000000000;
	b->program = mem_strdup("bale test");
	b->set = mem_strdup(set);
	b->host = mem_strdup("ana");
	b->user = mem_strdup("ana");
	b->prev = mem_strdup("");
	b->last = mem_strdup("");
	string_list_add(&b->paths, span_str("/home"));
}

struct naming {
	const struct band *b;
	enum band_file kind;
};

static void make_name(const void *arg, const char *random, char name[NAME_MAX_LEN + 1])
{
	const struct naming *n = arg;

	band_file_name(name, n->b->name.text, n->kind, n->b->part, random);
}

static void put(struct repo *r, const struct band *b, enum band_file kind,
    const struct json_body *body, char *file)
{
	static const char *const types[] = {"head", "part", "tail", "removed", "fence"};
	struct naming naming = {b, kind};
	char name[NAME_MAX_LEN + 1];
	struct err e = ERR_EMPTY;

	if (!repo_put_json(
		r, "bands", types[kind], make_name, &naming, body, name, NULL, &e)) {
		fprintf(stderr, "put %s: %s\n", types[kind], e.text);
		exit(99);
	}
	if (file)
		memcpy(file, name, sizeof name);
}

void band_store(struct repo *r, const struct band *b, enum band_file kind, char *file)
{
	struct json_body body = JSON_BODY_EMPTY;

	band_encode(b, kind, &body);
	put(r, b, kind, &body, file);
	json_body_release(&body);
}

void band_mark(struct repo *r, const struct band *b, enum band_file kind, char *file)
{
	struct band_note n = {.band = b->name, .client = TEST_CLIENT, .time = b->end};
	struct json_body body = JSON_BODY_EMPTY;

	band_note_encode(&n, &body);
	put(r, b, kind, &body, file);
	json_body_release(&body);
}
