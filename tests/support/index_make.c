/* Making indexes. */
#include "index_make.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bundle/read.h"
#include "repo_make.h"

/* Chunks of one level, and the references to them. */
struct level {
	struct buf *plain;
	struct band_ref *refs;
	size_t n;
};

void index_extent(const struct index_make *m, uint32_t slot, struct span content,
    struct extent *x)
{
	*x = (struct extent){.length = content.n, .hint = {7, slot}};
	chunk_id(m->r, FILE_DATA, content, &x->id);
}

struct bundle_ref index_bundle(struct repo *r, enum file_type type,
    const struct span *chunks, size_t n, size_t per_frame)
{
	char name[2 * ID_SIZE + 1], folder[16];
	struct bundle_ref ref;

	bundle_store(r, type, chunks, n, per_frame, &ref.name);
	name_of_id(&ref.name, name);
	if (!store_stat(
		r->store, folder_of(type, &ref.name, folder), name, &ref.size, NULL))
		abort();
	return ref;
}

/* All chunks of a level go to one bundle. */
static void level_store(const struct index_make *m, struct level *l)
{
	struct span *chunks = mem_array(l->n, sizeof *chunks);
	struct bundle_ref bundle;

	for (size_t i = 0; i < l->n; i++)
		chunks[i] = buf_span(&l->plain[i]);
	bundle = index_bundle(m->r, FILE_HUNKS, chunks, l->n, 2);
	for (size_t i = 0; i < l->n; i++) {
		struct hunk_ref *ref = &l->refs[i].ref;

		chunk_id(m->r, FILE_HUNKS, chunks[i], &ref->id);
		ref->length = (uint32_t)chunks[i].n;
		ref->hint = (struct hint){0, (uint32_t)i};
		l->refs[i].bundle = bundle;
	}
	free(chunks);
}

static void level_init(struct level *l, size_t items, size_t per_chunk)
{
	l->n = (items + per_chunk - 1) / per_chunk;
	l->plain = mem_array(l->n, sizeof *l->plain);
	l->refs = mem_array(l->n, sizeof *l->refs);
}

static void level_release(struct level *l)
{
	for (size_t i = 0; i < l->n; i++)
		buf_release(&l->plain[i]);
	free(l->plain);
	free(l->refs);
}

static void make_hunks(
    const struct index_make *m, const struct entry *entries, size_t n, struct level *l)
{
	struct hunk_writer *w = hunk_writer_new();

	level_init(l, n, m->per_hunk);
	for (size_t i = 0; i < n; i++) {
		size_t k = i / m->per_hunk;

		if (i % m->per_hunk == 0)
			l->refs[k].ref.first = entries[i].apath;
		hunk_writer_add(w, &entries[i]);
		l->refs[k].ref.entries++;
		if ((i + 1) % m->per_hunk == 0 || i + 1 == n)
			hunk_writer_finish(w, &m->data, &l->plain[k]);
	}
	hunk_writer_free(w);
	level_store(m, l);
}

static void make_lists(const struct index_make *m, const struct level *below,
    uint32_t level, struct level *l)
{
	struct list_writer *w = list_writer_new(LIST_HUNKS, level);

	level_init(l, below->n, m->per_list);
	for (size_t i = 0; i < below->n; i++) {
		size_t k = i / m->per_list;

		if (i % m->per_list == 0)
			l->refs[k].ref.first = below->refs[i].ref.first;
		list_writer_add_hunk(w, &below->refs[i].ref);
		l->refs[k].ref.entries += below->refs[i].ref.entries;
		if ((i + 1) % m->per_list == 0 || i + 1 == below->n)
			list_writer_finish(w, &below->refs[i].bundle, &l->plain[k]);
	}
	list_writer_free(w);
	level_store(m, l);
}

void index_store(const struct index_make *m, const struct entry *entries, size_t n,
    struct band *b)
{
	struct level l, up;

	make_hunks(m, entries, n, &l);
	b->list_level = 0;
	while (m->per_list && l.n > m->per_list) {
		make_lists(m, &l, b->list_level++, &up);
		level_release(&l);
		l = up;
	}
	for (size_t i = 0; i < l.n; i++)
		band_add_ref(b, &l.refs[i]);
	level_release(&l);
}
