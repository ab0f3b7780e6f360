/* From struct stat to facts, to entry. */
#include "tree/facts.h"

#include <sys/sysmacros.h>

static bool kind_of(mode_t mode, enum entry_kind *kind)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		*kind = ENTRY_FILE;
		return true;
	case S_IFDIR:
		*kind = ENTRY_DIR;
		return true;
	case S_IFLNK:
		*kind = ENTRY_SYMLINK;
		return true;
	case S_IFIFO:
		*kind = ENTRY_FIFO;
		return true;
	case S_IFCHR:
		*kind = ENTRY_CHAR;
		return true;
	case S_IFBLK:
		*kind = ENTRY_BLOCK;
		return true;
	default:
		return false;
	}
}

bool facts_of(const struct stat *st, struct facts *f)
{
	*f = (struct facts){0};
	if (!kind_of(st->st_mode, &f->kind))
		return false;
	f->mode = st->st_mode & 07777;
	f->uid = st->st_uid;
	f->gid = st->st_gid;
	f->size = f->kind == ENTRY_FILE ? (uint64_t)st->st_size : 0;
	f->blocks = (uint64_t)st->st_blocks;
	f->mtime_s = st->st_mtim.tv_sec;
	f->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	f->ctime_s = st->st_ctim.tv_sec;
	f->ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	f->nlink = st->st_nlink;
	if (f->kind == ENTRY_CHAR || f->kind == ENTRY_BLOCK) {
		f->major = major(st->st_rdev);
		f->minor = minor(st->st_rdev);
	}
	return true;
}

void facts_to_entry(const struct facts *f, struct entry *en)
{
	en->kind = f->kind;
	en->size = f->size;
	en->mtime_s = f->mtime_s;
	en->mtime_ns = f->mtime_ns;
	en->ctime_s = f->ctime_s;
	en->ctime_ns = f->ctime_ns;
	en->mode = f->mode;
	en->uid = f->uid;
	en->gid = f->gid;
	en->major = f->major;
	en->minor = f->minor;
}
