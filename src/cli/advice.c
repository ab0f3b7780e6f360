/*
 * The advice is a table by the mount's type; docs/mounts.md has the reasons. What was
 * measured adds to it, and a class that is not known is told what would make it known.
 */
#include "cli/advice.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum when { ALWAYS, WITH, WITHOUT }; /* WITHOUT: where it would be seen */

static const struct {
	const char *type; /* a prefix of it, where it ends with '*' */
	enum mount_class class;
	enum when when;
	const char *option;
	const char *text;
} advices[] = {
    {"fuse.rclone", MOUNT_WRITE_BACK, ALWAYS, NULL,
	"rclone: mount with --vfs-cache-mode off or minimal, and a close means that the "
	"storage has the file; with writes or full it is uploaded later, if at all"},
    {"fuse.rclone", MOUNT_WRITE_BACK, WITHOUT, "rc",
	"rclone: mount with --rc, so that it can tell when all is uploaded"},
    {"fuse.rclone", MOUNT_WRITE_BACK, ALWAYS, NULL,
	"rclone: wait until all is uploaded before unmounting or shutting down, and in a "
	"backup by --settle (rclone rc vfs/stats: uploadsInProgress, uploadsQueued and "
	"erroredFiles are 0)"},
    {"fuse.rclone", MOUNT_UNKNOWN, ALWAYS, NULL,
	"rclone: its arguments cannot be seen from here; run bale as the user who mounted, "
	"on the same machine, and mount with --vfs-cache-mode off or minimal"},
    {"fuse.rclone", MOUNT_THROUGH, WITHOUT, "dir-cache-time",
	"rclone: other machines' files show after 5 minutes; --dir-cache-time 1m shows them "
	"sooner and costs more listings"},
    {"fuse.sshfs", MOUNT_THROUGH, WITHOUT, "reconnect",
	"sshfs: mount with -o reconnect,ServerAliveInterval=15, and a backup goes on after a "
	"cut connection"},
    {"nfs*", MOUNT_THROUGH, WITH, "soft",
	"NFS: mount hard and not soft, so that an outage is waited for; soft turns it into "
	"errors, and into lost writes if timeo is short"},
    {"nfs*", MOUNT_THROUGH, ALWAYS, NULL,
	"NFS: the server should export with sync (exportfs -v shows it); with async its "
	"crash loses what was closed"},
    {"cifs", MOUNT_THROUGH, WITH, "nostrictsync",
	"CIFS: mount without nostrictsync; with it nothing is on the server's disk when it "
	"says so"},
    {"cifs", MOUNT_THROUGH, WITH, "cache=loose",
	"CIFS: mount without cache=loose; with it other machines' files are not seen"},
    {"tmpfs", MOUNT_THROUGH, ALWAYS, NULL,
	"tmpfs: all of it is in memory, and gone when the machine is switched off"},
    {"ramfs", MOUNT_THROUGH, ALWAYS, NULL,
	"ramfs: all of it is in memory, and gone when the machine is switched off"},
    {"fuse.s3fs", MOUNT_THROUGH, WITH, "use_cache",
	"s3fs: mount without use_cache, so that validation reads the storage and not a copy"},
    {"fuse.s3fs", MOUNT_THROUGH, WITHOUT, "stat_cache_expire",
	"s3fs: other machines' files show after 15 minutes; -o stat_cache_expire=60 shows "
	"them sooner"},
};

static const char davfs_advice[] =
    "davfs2: uploads begin seconds after the close (delay_upload) and nothing tells "
    "their end but umount, which waits for it: umount after each backup, or use rclone "
    "with --vfs-cache-mode off for the same server";

/*
 * Newer kernels list into a buffer that is larger than its default, and it answers
 * EINVAL.
 */
static const char davfs_buffer[] =
    "davfs2: folders cannot be listed; set buf_size 64 in davfs2.conf (versions before "
    "1.7.2 need it under Linux 6.16 and newer), unmount, and mount again";

static bool type_is(const char *type, const char *want)
{
	size_t n = strlen(want);

	if (want[n - 1] == '*')
		return strncmp(type, want, n - 1) == 0;
	return strcmp(type, want) == 0;
}

enum deletion advice_deletion(enum mount_class class, const struct doctor_result *r)
{
	static const enum doctor_op needed[] = {DOCTOR_PUT, DOCTOR_SHOWN, DOCTOR_GET,
	    DOCTOR_LIST, DOCTOR_REMOVE, DOCTOR_GONE};

	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (!r->probes[needed[i]].ok)
			return DELETION_UNSAFE;
	return class == MOUNT_THROUGH ? DELETION_SAFE : DELETION_UNPROVEN;
}

const char *advice_deletion_word(enum deletion d)
{
	static const char *const words[] = {"safe", "unproven", "unsafe"};

	return words[d];
}

const char *advice_deletion_text(enum deletion d)
{
	static const char *const texts[] = {
	    [DELETION_SAFE] =
		"safe with a grace of 24 h, unless a machine that uses this "
		"storage caches its listings for more than 12 h",
	    [DELETION_UNPROVEN] =
		"safe with a grace of 24 h only if what a backup writes is "
		"on the storage 12 h later; this mount does not tell",
	    [DELETION_UNSAFE] = "not safe: an operation that it needs does not work",
	};

	return texts[d];
}

const char *advice_class_text(enum mount_class class)
{
	static const char *const texts[] = {
	    [MOUNT_THROUGH] = "a close that succeeds means that the storage has the file",
	    [MOUNT_WRITE_BACK] = "a close means nothing; files are uploaded later",
	    [MOUNT_UNKNOWN] = "treated as if a close meant nothing",
	};

	return texts[class];
}

const char *advice_recognised(const struct mount_line *line, enum mount_class class)
{
	if (class == MOUNT_UNKNOWN)
		return NULL;
	return strcmp(line->type, "fuse.rclone") == 0 ? "program-arguments"
						      : "mount-table";
}

/* What the findings themselves say. */
static size_t by_findings(const struct doctor_result *r, const char *out[ADVICE_MAX])
{
	const struct doctor_probe *p = r->probes;
	size_t n = 0;

	if (p[DOCTOR_PUT].tried && !p[DOCTOR_PUT].ok &&
	    p[DOCTOR_PUT].why.kind == ERR_REFUSED)
		out[n++] = "the folder cannot be written: look for a read-only mount "
			   "(ro) and at "
			   "the folder's owner and permissions";
	if (p[DOCTOR_PUT].why.kind == ERR_NOSPACE ||
	    p[DOCTOR_PUT_LARGE].why.kind == ERR_NOSPACE)
		out[n++] = "the storage or a quota is full";
	if (p[DOCTOR_SHOWN].tried && !p[DOCTOR_SHOWN].ok)
		out[n++] = "listings lag behind what this machine itself wrote: shorten "
			   "the time "
			   "that the mount caches folders (--dir-cache-time, acdirmax, "
			   "dir_refresh)";
	if (p[DOCTOR_EXCLUSIVE].tried && !p[DOCTOR_EXCLUSIVE].ok)
		out[n++] =
		    "a name that is taken is not refused; bale never uses a name twice, "
		    "but this is no file system to rely on";
	return n;
}

/*
 * Servers that give their files new numbers, as some routers do, make all they had stale.
 */
static bool stale(const struct doctor_result *r)
{
	for (size_t i = 0; i < DOCTOR_OPS; i++)
		if (r->probes[i].tried && !r->probes[i].ok && r->probes[i].why.sys == ESTALE)
			return true;
	return false;
}

static bool applies(
    size_t i, const struct mount_line *line, struct span args, enum mount_class class)
{
	bool has, seen = args.n > 0 || strncmp(line->type, "fuse.", 5) != 0;

	if (advices[i].class != class || !type_is(line->type, advices[i].type))
		return false;
	if (advices[i].when == ALWAYS)
		return true;
	has = mount_has(line, args, advices[i].option);
	return advices[i].when == WITH ? has : seen && !has;
}

size_t advice_list(const struct mount_line *line, struct span args,
    enum mount_class class, const struct doctor_result *r, const char *out[ADVICE_MAX])
{
	bool davfs = type_is(line->type, "davfs") || type_is(line->type, "fuse.davfs") ||
		     type_is(line->type, "fuse");
	size_t n = by_findings(r, out), before = n;

	if (davfs && r->probes[DOCTOR_LIST].tried && !r->probes[DOCTOR_LIST].ok) {
		memmove(out + 1, out, n * sizeof *out);
		out[0] = davfs_buffer;
		n++;
	}
	if (type_is(line->type, "cifs") && stale(r))
		out[n++] = "CIFS: mount with noserverino; the server tells numbers of files that "
			   "do not last";
	for (size_t i = 0; i < sizeof advices / sizeof *advices && n < ADVICE_MAX; i++)
		if (applies(i, line, args, class))
			out[n++] = advices[i].text;
	if (davfs && class == MOUNT_WRITE_BACK && n < ADVICE_MAX)
		out[n++] = davfs_advice;
	if (class == MOUNT_UNKNOWN && n == before && n < ADVICE_MAX)
		out[n++] =
		    "this kind of mount is not known; backups say that they are not "
		    "confirmed. Where another kind can be had (rclone, sshfs, NFS), use "
		    "that";
	return n;
}
