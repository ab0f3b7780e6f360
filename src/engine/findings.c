/*
 * Findings in the order of bundle and time. That the stored bytes are right takes back
 * that the bundle was lost; only that every chunk was right takes back damage to some.
 */
#include "engine/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One thing that a validation says of a bundle. */
struct finding {
	struct damage d;
	int64_t time;
	bool checked;
	enum health_level level;
};

void findings_add(struct findings *all, const struct health *h)
{
	size_t i;

	all->v = mem_grow(
	    all->v, &all->cap, all->n + h->n_damage + h->n_checked, sizeof *all->v);
	for (i = 0; i < h->n_damage; i++)
		all->v[all->n++] = (struct finding){.d = h->damage[i], .time = h->time};
	for (i = 0; i < h->n_checked; i++)
		all->v[all->n++] = (struct finding){.d = {.bundle = h->checked[i].bundle},
		    .time = h->time, .checked = true, .level = h->checked[i].level};
}

void findings_release(struct findings *all)
{
	free(all->v);
	*all = (struct findings){NULL, 0, 0};
}

static int by_bundle_and_time(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int d = memcmp(x->d.bundle.b, y->d.bundle.b, ID_SIZE);

	if (d)
		return d;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->checked - y->checked;
}

/* Of one bundle, from the newest to the oldest. */
static void tell_bundle(const struct finding *v, size_t n, findings_fn *fn, void *arg)
{
	bool found = false, whole = false, lost = false;

	while (n-- > 0 && !whole) {
		if (v[n].checked) {
			found = true;
			whole = v[n].level == HEALTH_FULL;
		} else if (v[n].d.count > 0) {
			fn(arg, &v[n].d);
		} else if (!found && !lost) {
			lost = true;
			fn(arg, &v[n].d);
		}
	}
}

void findings_tell(struct findings *all, findings_fn *fn, void *arg)
{
	size_t i, k;

	if (all->n > 0)
		qsort(all->v, all->n, sizeof *all->v, by_bundle_and_time);
	for (i = 0; i < all->n; i = k) {
		for (k = i + 1; k < all->n && id_equal(&all->v[k].d.bundle, &all->v[i].d.bundle);)
			k++;
		tell_bundle(&all->v[i], k - i, fn, arg);
	}
}
