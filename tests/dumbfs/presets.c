/*
 * What kinds of mount do, as far as a program that keeps to the contract can tell; in the
 * language of control.c. Measured with rclone 1.60, sshfs 3.7, davfs2 1.6 and s3fs 1.90
 * on loopback servers; NFS and SMB by their documentation. Their caches last for minutes;
 * here all times are a tenth, so that tests see them end.
 */
#include "dumbfs.h"

#include <string.h>

static const struct {
	const char *name, *text;
} presets[] = {
	/* The upload ends within the close, and its failure is told there and only there;
	 * after it, 1.60 lists the file still. Names are believed for 5 minutes. */
	{"rclone-off", "stale list=30 look=30\n"
		       "on flush *data/* nth=2 phantom EIO\n"},
	/* Nothing is on the storage at the close; uploads end in any order, half files are
	 * seen by others, and the unmount does not wait. */
	{"rclone-writes", "stale list=30 look=30\n"
			  "uploads late=0.5 order=shuffle unmount=drop\n"},
	/* As writes; reads are cached too, which nobody can tell here. */
	{"rclone-full", "stale list=30 look=30\n"
			"uploads late=0.5 order=shuffle unmount=drop\n"},
	/* The server is asked by name at once, its listings are believed for 21 s. A write
	 * that failed is told by the write and the sync, and the close says yes. */
	{"sshfs", "stale list=2.1\n"
		  "on write *data/* nth=3 EIO\n"},
	/* An empty file at first, the bytes 11 s later; only umount waits. */
	{"davfs2", "stale list=6\n"
		   "uploads late=1.1 placeholder unmount=wait\n"},
	/* Attributes for up to a minute; errors at sync and close; handles go stale. */
	{"nfs", "stale list=6 look=6\n"
		"on fsync *data/* nth=2 EIO\n"
		"on read,seek * nth=3 every=11 ESTALE\n"},
	/* A second; signals are told as EINTR by any operation. */
	{"smb", "stale list=0.1 look=0.1\n"
		"on open,read,seek,opendir * nth=2 every=7 EINTR\n"},
	/* Complete at the close, an error both at the sync and there; 15 minutes of names. */
	{"s3fs", "stale list=90 look=90\n"
		 "on fsync *data/* nth=2 EIO\n"
		 "on flush *data/* nth=2 lose EIO\n"},
};

const char *preset_text(const char *name)
{
	for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
		if (strcmp(presets[i].name, name) == 0)
			return presets[i].text;
	return NULL;
}
