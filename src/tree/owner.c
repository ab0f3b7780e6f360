/*
 * The names are few and asked for with every entry, while the system's answer may come
 * from a server: so every answer is kept, "none" and the failure to tell included. Those
 * two are not the same: a file must not get an owner for whom a server was only too busy.
 */
#include "tree/owner.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"
#include "format/limits.h"

struct known {
	struct known *next;
	char *name; /* "" where the number has none */
	uint32_t id;
	bool here;  /* by_name: the name has a number */
	int sys;    /* an errno: the system could not tell */
};

enum kind { USER, GROUP };

struct owners {
	pthread_mutex_t lock; /* guards the lists, and getpwuid and the like */
	struct known *by_id[2], *by_name[2];
};

struct owners *owners_new(void)
{
	struct owners *o = mem_zalloc(sizeof *o);

	pthread_mutex_init(&o->lock, NULL);
	return o;
}

static void known_free(struct known *k)
{
	struct known *next;

	for (; k; k = next) {
		next = k->next;
		free(k->name);
		free(k);
	}
}

void owners_free(struct owners *o)
{
	int i;

	if (!o)
		return;
	for (i = 0; i < 2; i++) {
		known_free(o->by_id[i]);
		known_free(o->by_name[i]);
	}
	pthread_mutex_destroy(&o->lock);
	free(o);
}

/*
 * Look it up in the system: by name where there is one, else by id. The answer is in buf.
 * False with *sys 0: there is none. Some sources of names say so by ENOENT or ESRCH.
 */
static bool look_up(
    enum kind kind, const char **name, uint32_t *id, struct buf *buf, int *sys)
{
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	int r;

	buf_reserve(buf, 1024);
	do {
		char *p = (char *)buf->p;

		r = sys_fault ? sys_fault(SYS_OWNER, kind == USER ? "user" : "group") : 0;
		if (r)
			break;
		if (kind == USER)
			r = *name ? getpwnam_r(*name, &pw, p, buf->cap, &user)
			          : getpwuid_r(*id, &pw, p, buf->cap, &user);
		else
			r = *name ? getgrnam_r(*name, &gr, p, buf->cap, &group)
			          : getgrgid_r(*id, &gr, p, buf->cap, &group);
		if (r == ERANGE && buf->cap < (1u << 20))
			buf_reserve(buf, buf->cap * 2);
		else if (r != EINTR)
			break;
	} while (true);
	if (user) {
		*name = user->pw_name;
		*id = user->pw_uid;
	} else if (group) {
		*name = group->gr_name;
		*id = group->gr_gid;
	}
	*sys = user || group || r == ENOENT || r == ESRCH ? 0 : r;
	return user || group;
}

/* Move what was found to the front: owners come in runs. */
static struct known *to_front(struct known **list, struct known **at)
{
	struct known *k = *at;

	*at = k->next;
	k->next = *list;
	return *list = k;
}

static int name_of(struct owners *o, enum kind kind, uint32_t id, struct span *out)
{
	struct known **at, *k;
	struct buf buf = BUF_EMPTY;
	const char *name = NULL;
	int sys;

	pthread_mutex_lock(&o->lock);
	for (at = &o->by_id[kind]; (k = *at); at = &k->next)
		if (k->id == id)
			break;
	if (!k) {
		*at = k = mem_zalloc(sizeof *k);
		k->id = id;
		if (!look_up(kind, &name, &id, &buf, &k->sys) || strlen(name) > OWNER_MAX)
			name = "";
		k->name = mem_strdup(name);
		buf_release(&buf);
	}
	to_front(&o->by_id[kind], at);
	*out = span_str(k->name);
	sys = k->sys;
	pthread_mutex_unlock(&o->lock);
	return sys;
}

static int id_of(struct owners *o, enum kind kind, struct span name, uint32_t *id)
{
	struct known **at, *k;
	struct buf buf = BUF_EMPTY;
	const char *text;
	int sys;

	if (name.n == 0 || memchr(name.p, 0, name.n))
		return 0;
	pthread_mutex_lock(&o->lock);
	for (at = &o->by_name[kind]; (k = *at); at = &k->next)
		if (span_equal(span_str(k->name), name))
			break;
	if (!k) {
		*at = k = mem_zalloc(sizeof *k);
		k->name = mem_alloc(name.n + 1);
		memcpy(k->name, name.p, name.n);
		k->name[name.n] = 0;
		text = k->name;
		k->here = look_up(kind, &text, &k->id, &buf, &k->sys);
		buf_release(&buf);
	}
	to_front(&o->by_name[kind], at);
	if (k->here)
		*id = k->id;
	sys = k->sys;
	pthread_mutex_unlock(&o->lock);
	return sys;
}

int owners_user(struct owners *o, uint32_t uid, struct span *name)
{
	return name_of(o, USER, uid, name);
}

int owners_group(struct owners *o, uint32_t gid, struct span *name)
{
	return name_of(o, GROUP, gid, name);
}

int owners_uid(struct owners *o, struct span user, uint32_t *id)
{
	return id_of(o, USER, user, id);
}

int owners_gid(struct owners *o, struct span group, uint32_t *id)
{
	return id_of(o, GROUP, group, id);
}
