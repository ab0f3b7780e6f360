/* From kinds of errors to exit statuses. */
#include "cli/status.h"

static const struct {
	int status;
	const char *name;
} kinds[] = {
    [ERR_NONE] = {STATUS_DONE, "none"},
    [ERR_IO] = {STATUS_FAILED, "io"},
    [ERR_MISSING] = {STATUS_FAILED, "missing"},
    [ERR_EXISTS] = {STATUS_FAILED, "exists"},
    [ERR_CORRUPT] = {STATUS_DAMAGE, "corrupt"},
    [ERR_NEWER] = {STATUS_FAILED, "newer"},
    [ERR_AUTH] = {STATUS_PASSPHRASE, "wrong-passphrase"},
    [ERR_NOSPACE] = {STATUS_NO_SPACE, "no-space"},
    [ERR_UNREACHABLE] = {STATUS_UNREACHABLE, "unreachable"},
    [ERR_STOPPED] = {STATUS_INTERRUPTED, "interrupted"},
    [ERR_USAGE] = {STATUS_USAGE, "usage"},
    [ERR_REFUSED] = {STATUS_FAILED, "refused"},
    [ERR_NOREPO] = {STATUS_NO_REPO, "no-repository"},
};

int status_of(enum err_kind kind)
{
	return kinds[kind].status;
}

const char *status_kind_name(enum err_kind kind)
{
	return kinds[kind].name;
}
