/* What many courses did, in numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "course.h"

static void add_reason(struct course_totals *to, const struct reason *x)
{
	int i;

	for (i = 0; i < COURSE_REASONS - 1; i++)
		if (!to->reasons[i].n || strcmp(to->reasons[i].text, x->text) == 0)
			break;
	if (!to->reasons[i].n)
		to->reasons[i] = (struct reason){.n = 0};
	if (!to->reasons[i].n)
		memcpy(to->reasons[i].text, x->text, sizeof x->text);
	to->reasons[i].n += x->n;
}

void course_totals_add(struct course_totals *to, const struct course_totals *x)
{
	uint64_t *a = &to->courses;
	const uint64_t *b = &x->courses;
	size_t n = offsetof(struct course_totals, reasons) / sizeof *a, i;

	for (i = 0; i < n; i++)
		a[i] += b[i];
	for (i = 0; i < COURSE_REASONS && x->reasons[i].n; i++)
		add_reason(to, &x->reasons[i]);
}

static double share(uint64_t n, uint64_t of)
{
	return of ? 100.0 * (double)n / (double)of : 0;
}

void course_totals_print(const struct course_totals *t)
{
	static const char *const kinds[RUN_KINDS] = {
	    "backups", "removals", "prunes", "undeletes", "vacuums"};
	int i;

	printf("# %" PRIu64 " courses, %" PRIu64 " storage operations (%" PRIu64
	       " failed, %" PRIu64 " lied), %" PRIu64 " crashes, %" PRIu64 " sleeps\n",
	    t->courses, t->operations, t->errors, t->lies, t->crashes, t->sleeps);
	printf(
	    "# not seen yet %" PRIu64 ", seen though gone %" PRIu64 "\n", t->late, t->ghosts);
	for (i = 0; i < RUN_KINDS; i++)
		printf("# %s: %" PRIu64 ", of which %" PRIu64 " succeeded, %" PRIu64 " died\n",
		    kinds[i], t->run[i].begun, t->run[i].done, t->run[i].died);
	printf("# vacuums that copied %" PRIu64 ", condemned %" PRIu64 ", waited %" PRIu64
	       ", deleted %" PRIu64 "\n",
	    t->vacuums_copying, t->vacuums_condemning, t->vacuums_waiting,
	    t->vacuums_deleting);
	printf("# tails %" PRIu64 ", removals %" PRIu64 ", fences %" PRIu64 " (%" PRIu64
	       " by another client)\n",
	    t->tails, t->removed, t->fences, t->foreign_fences);
	if (t->retirements)
		printf("# clients retired: %" PRIu64 "; courses with deletion before the end: %"
		       PRIu64 "\n", t->retirements, t->early);
	printf("# bundles deleted %" PRIu64 ", beside another's run %" PRIu64
	       "; courses with deletion %" PRIu64 " (%.1f %%), beside another's run %" PRIu64
	       " (%.1f %%)\n",
	    t->bundles_deleted, t->bundles_beside, t->deleting,
	    share(t->deleting, t->courses), t->beside, share(t->beside, t->courses));
	for (i = 0; i < COURSE_REASONS && t->reasons[i].n; i++)
		printf(
		    "# vacuum refused, %" PRIu64 ": %s\n", t->reasons[i].n, t->reasons[i].text);
}
