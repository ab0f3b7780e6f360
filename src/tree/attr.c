/*
 * An O_PATH descriptor pins a symlink, fifo or device against being exchanged between its
 * making and this; most calls refuse it, but not its name in /proc.
 */
#include "tree/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/sys.h"

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

#define UNKNOWN ((uint32_t)-1) /* to fchownat: it stays as it is */

void attrs_init(struct attrs *a, const struct target_options *opt)
{
	a->opt = *opt;
	a->owners = owners_new();
	pthread_mutex_init(&a->lock, NULL);
}

void attrs_release(struct attrs *a)
{
	owners_free(a->owners);
	pthread_mutex_destroy(&a->lock);
}

void attrs_lost(struct attrs *a, struct span path, const char *what, int sys)
{
	atomic_fetch_add(&a->lost, 1);
	if (!a->opt.lost)
		return;
	pthread_mutex_lock(&a->lock);
	a->opt.lost(a->opt.arg, path, what, sys);
	pthread_mutex_unlock(&a->lock);
}

/* One file while it gets its attributes. */
struct subject {
	struct attrs *a;
	const struct entry *en;
	struct span path;
	int fd;
	char proc[32]; /* empty where fd is not O_PATH */
	bool uid_right, gid_right;
	bool acl_given, acl_lost;
	uint32_t acl_group; /* the owning group's rights by the access list: 070 */
};

static void lost(const struct subject *s, const char *what, int sys)
{
	attrs_lost(s->a, s->path, what, sys);
}

/* 0 or an errno value. */
static int fault(const char *what)
{
	return sys_fault ? sys_fault(SYS_META, what) : 0;
}

static int change_owner(const struct subject *s, uint32_t uid, uint32_t gid)
{
	int sys = fault("owner");

	if (sys)
		return sys;
	return fchownat(s->fd, "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

/* What its name stands for here; as it is (-1) where that cannot be found out. */
static void find_owner(const struct subject *s, uint32_t *uid, uint32_t *gid)
{
	const struct entry *en = s->en;
	int user = 0, group = 0;

	*uid = en->uid;
	*gid = en->gid;
	if (!s->a->opt.numeric) {
		user = owners_uid(s->a->owners, en->user, uid);
		group = owners_gid(s->a->owners, en->group, gid);
	}
	if (user)
		*uid = UNKNOWN;
	if (group)
		*gid = UNKNOWN;
	if (user || group)
		lost(s, "owner, whose name cannot be looked up", user ? user : group);
}

static void set_owner(struct subject *s)
{
	uint32_t uid, gid;
	int sys;

	find_owner(s, &uid, &gid);
	sys = change_owner(s, uid, gid);
	s->uid_right = sys == 0 && uid != UNKNOWN;
	s->gid_right = sys == 0 && gid != UNKNOWN;
	if (sys == 0)
		return;
	/* Without privilege one may still give it to another of one's groups. */
	s->uid_right = uid == geteuid();
	s->gid_right = change_owner(s, UNKNOWN, gid) == 0 && gid != UNKNOWN;
	if (!s->uid_right || !s->gid_right)
		lost(s, "owner", sys);
}

/* What the owning group may do, from an access list as the kernel encodes it. */
static uint32_t acl_group(struct span acl)
{
	size_t at;

	for (at = 4; at + 8 <= acl.n; at += 8)
		if (get_u16(acl.p + at) == 0x04)
			return (uint32_t)(get_u16(acl.p + at + 2) & 7) << 3;
	return 0;
}

static int set_xattr(const struct subject *s, const char *name, struct span value)
{
	int sys = fault(name), r;

	if (sys)
		return sys;
	r = s->proc[0] ? setxattr(s->proc, name, value.p, value.n, 0)
	               : fsetxattr(s->fd, name, value.p, value.n, 0);
	return r == 0 ? 0 : errno;
}

static void remove_xattr(const struct subject *s, const char *name)
{
	int r = s->proc[0] ? removexattr(s->proc, name) : fremovexattr(s->fd, name);

	if (r != 0 && errno != ENODATA && errno != ENOTSUP)
		lost(s, name, errno);
}

static void set_xattrs(struct subject *s)
{
	char text[XATTR_NAME_MAX + 1];
	struct span name, value;
	struct xattr_iter it;
	bool acl_default = false;
	struct fault f;
	enum step st;
	int sys;

	xattrs_open(&it, s->en->xattrs);
	while ((st = xattrs_next(&it, &name, &value, &f)) == STEP_ITEM) {
		memcpy(text, name.p, name.n);
		text[name.n] = 0;
		acl_default |= strcmp(text, ACL_DEFAULT) == 0;
		sys = set_xattr(s, text, value);
		if (sys)
			lost(s, text, sys);
		if (strcmp(text, ACL_ACCESS) == 0) {
			s->acl_given = true;
			s->acl_lost = sys != 0;
			s->acl_group = acl_group(value);
		}
	}
	if (st == STEP_FAILED)
		lost(s, "extended attributes", EINVAL);
	if (!s->a->inherits || s->en->kind == ENTRY_SYMLINK)
		return;
	if (!s->acl_given)
		remove_xattr(s, ACL_ACCESS);
	if (!acl_default && s->en->kind == ENTRY_DIR)
		remove_xattr(s, ACL_DEFAULT);
}

static void set_mode(const struct subject *s)
{
	mode_t mode = s->en->mode & 07777;
	mode_t barred = (s->uid_right ? 0 : S_ISUID) | (s->gid_right ? 0 : S_ISGID);
	int sys, r;

	if (s->en->kind == ENTRY_SYMLINK)
		return;
	if (mode & barred)
		lost(s, "set-id bits", EPERM);
	mode &= ~barred;
	if (s->acl_lost)
		mode &= ~(mode_t)070 | s->acl_group;
	sys = fault("mode");
	if (!sys) {
		r = s->proc[0] ? chmod(s->proc, mode) : fchmod(s->fd, mode);
		sys = r == 0 ? 0 : errno;
	}
	if (sys)
		lost(s, "mode", sys);
}

static void set_times(const struct subject *s)
{
	struct timespec t[2] = {
	    {.tv_nsec = UTIME_OMIT},
	    {.tv_sec = s->en->mtime_s, .tv_nsec = s->en->mtime_ns},
	};
	int sys = fault("times"), r;

	if (!sys) {
		r = s->proc[0] ? utimensat(AT_FDCWD, s->proc, t, 0) : futimens(s->fd, t);
		sys = r == 0 ? 0 : errno;
	}
	if (sys)
		lost(s, "times", sys);
}

void attrs_apply(struct attrs *a, int fd, bool path_only, struct span path,
    const struct entry *en)
{
	struct subject s = {.a = a, .en = en, .path = path, .fd = fd};

	if (path_only)
		snprintf(s.proc, sizeof s.proc, "/proc/self/fd/%d", fd);
	set_owner(&s);
	set_xattrs(&s);
	set_mode(&s);
	set_times(&s);
}
