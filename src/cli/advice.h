/*
 * What follows from a doctor's findings: whether deletion is safe, and what to change
 * about a mount.
 */
#ifndef BALE_CLI_ADVICE_H
#define BALE_CLI_ADVICE_H

#include "engine/doctor.h"
#include "store/mount.h"

enum deletion {
	DELETION_SAFE,
	DELETION_UNPROVEN, /* files may arrive later than a close says */
	DELETION_UNSAFE,   /* listings or deletes do not work */
};

/*
 * With a grace of 24 h, of which a file may take half until listings show it everywhere.
 */
enum deletion advice_deletion(enum mount_class class, const struct doctor_result *r);

/* "safe", "unproven", "unsafe"; and in full. */
const char *advice_deletion_word(enum deletion d);
const char *advice_deletion_text(enum deletion d);

/* What the class means. */
const char *advice_class_text(enum mount_class class);

/*
 * What the class was recognised by: "mount-table", "program-arguments", or NULL where it
 * was not.
 */
const char *advice_recognised(const struct mount_line *line, enum mount_class class);

#define ADVICE_MAX 8

/*
 * Texts, the most pressing first; how many. A line of type "" stands for no mount table;
 * the arguments of the mount program are empty where they are not known.
 */
size_t advice_list(const struct mount_line *line, struct span args,
    enum mount_class class, const struct doctor_result *r, const char *out[ADVICE_MAX]);

#endif
