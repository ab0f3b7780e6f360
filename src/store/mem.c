/*
 * A store in memory, for tests and simulation: files in one array, ascending by
 * "folder/name", so that a folder's files stand together. Quick enough for thousands.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/store.h"

struct mem_file {
	char *path;
	struct buf content;
};

struct store_mem {
	struct store store;
	struct env *env;
	pthread_mutex_t lock; /* guards what follows */
	struct mem_file *files;
	size_t n, cap;
	struct store_listing folders;
};

static const struct store_ops mem_ops;

static char *path_of(const char *folder, const char *name)
{
	return *folder ? mem_printf("%s/%s", folder, name) : mem_strdup(name);
}

/* Where the path stands or would stand. */
static size_t place_of(const struct store_mem *m, const char *path, bool *found)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(m->files[mid].path, path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < m->n && strcmp(m->files[low].path, path) == 0;
	return low;
}

static struct mem_file *find(
    struct store_mem *m, const char *folder, const char *name, struct err *e)
{
	char *path = path_of(folder, name);
	bool found;
	size_t at = place_of(m, path, &found);

	if (!found)
		err_set(e, ERR_MISSING, "%s: no such file", path);
	free(path);
	return found ? &m->files[at] : NULL;
}

static struct store_mem *begin(struct store *s, const char *point)
{
	struct store_mem *m = (struct store_mem *)s;

	m->env->yield(
	    m->env, point); /* before the lock: another client may run meanwhile */
	pthread_mutex_lock(&m->lock);
	return m;
}

static void make_folder(struct store_mem *m, const char *folder)
{
	const char *slash = strrchr(folder, '/');
	char *above;

	if (!*folder || store_listing_has(&m->folders, folder))
		return;
	if (slash) {
		above = mem_printf("%.*s", (int)(slash - folder), folder);
		make_folder(m, above);
		free(above);
	}
	store_listing_add(&m->folders, folder);
	store_listing_sort(&m->folders);
	m->store.folders_made++;
}

static bool mem_put(struct store *s, const char *folder, const char *name,
    const struct span *parts, size_t n_parts, struct err *e)
{
	struct store_mem *m = begin(s, "put");
	char *path = path_of(folder, name);
	struct mem_file *file;
	bool found;
	size_t at = place_of(m, path, &found);

	if (found) {
		err_set(e, ERR_EXISTS, "%s: the name is taken", path);
		free(path);
		goto out;
	}
	make_folder(m, folder);
	m->files = mem_grow(m->files, &m->cap, m->n + 1, sizeof *m->files);
	memmove(m->files + at + 1, m->files + at, (m->n - at) * sizeof *m->files);
	m->n++;
	file = &m->files[at];
	*file = (struct mem_file){path, BUF_EMPTY};
	for (size_t i = 0; i < n_parts; i++)
		buf_add_span(&file->content, parts[i]);
out:
	pthread_mutex_unlock(&m->lock);
	return !found;
}

static bool mem_get(struct store *s, const char *folder, const char *name, uint64_t at,
    size_t n, struct buf *out, uint64_t *size, struct err *e)
{
	struct store_mem *m = begin(s, "get");
	struct mem_file *file = find(m, folder, name, e);

	if (file) {
		uint64_t len = file->content.n;

		if (at == STORE_TAIL)
			at = len > n ? len - n : 0;
		if (at < len)
			buf_add(out, file->content.p + at, n < len - at ? n : len - at);
		if (size)
			*size = len;
	}
	pthread_mutex_unlock(&m->lock);
	return file != NULL;
}

static bool mem_list(
    struct store *s, const char *folder, struct store_listing *out, struct err *e)
{
	struct store_mem *m = begin(s, "list");
	size_t len = strlen(folder);

	(void)e;
	for (size_t i = 0; i < m->n; i++) {
		const char *path = m->files[i].path;
		const char *slash = strrchr(path, '/');
		const char *name = slash ? slash + 1 : path;

		if ((size_t)(name - path) == (len ? len + 1 : 0) &&
		    strncmp(path, folder, len) == 0)
			store_listing_add(out, name);
	}
	store_listing_sort(out);
	pthread_mutex_unlock(&m->lock);
	return true;
}

static bool mem_stat(
    struct store *s, const char *folder, const char *name, uint64_t *size, struct err *e)
{
	struct store_mem *m = begin(s, "stat");
	struct mem_file *file = find(m, folder, name, e);

	if (file)
		*size = file->content.n;
	pthread_mutex_unlock(&m->lock);
	return file != NULL;
}

static bool mem_remove(
    struct store *s, const char *folder, const char *name, struct err *e)
{
	struct store_mem *m = begin(s, "remove");
	struct mem_file *file = find(m, folder, name, e);

	if (file) {
		free(file->path);
		buf_release(&file->content);
		m->n--;
		memmove(file, file + 1, (size_t)(m->files + m->n - file) * sizeof *file);
	}
	pthread_mutex_unlock(&m->lock);
	return file != NULL;
}

static bool mem_space(struct store *s, uint64_t *free_bytes)
{
	(void)s;
	(void)free_bytes;
	return false;
}

static void mem_free(struct store *s)
{
	struct store_mem *m = (struct store_mem *)s;

	for (size_t i = 0; i < m->n; i++) {
		free(m->files[i].path);
		buf_release(&m->files[i].content);
	}
	free(m->files);
	store_listing_release(&m->folders);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct store_ops mem_ops = {
    .put = mem_put,
    .get = mem_get,
    .list = mem_list,
    .stat = mem_stat,
    .remove = mem_remove,
    .space = mem_space,
    .free = mem_free,
};

struct store *store_mem_new(struct env *env)
{
	struct store_mem *m = mem_zalloc(sizeof *m);

	m->store.ops = &mem_ops;
	m->store.mount = MOUNT_THROUGH;
	m->store.describe = "memory";
	m->env = env;
	pthread_mutex_init(&m->lock, NULL);
	return &m->store;
}

struct store *store_mem_clone(struct store *mem)
{
	struct store_mem *from = (struct store_mem *)mem;
	struct store_mem *to = (struct store_mem *)store_mem_new(from->env);

	pthread_mutex_lock(&from->lock);
	to->files = mem_array(from->n, sizeof *to->files);
	to->n = to->cap = from->n;
	for (size_t i = 0; i < from->n; i++) {
		to->files[i].path = mem_strdup(from->files[i].path);
		buf_add_span(&to->files[i].content, buf_span(&from->files[i].content));
	}
	for (size_t i = 0; i < from->folders.n; i++)
		store_listing_add(&to->folders, from->folders.names[i]);
	to->store.folders_made = from->store.folders_made;
	pthread_mutex_unlock(&from->lock);
	return &to->store;
}
