/* The table of commands, in the order of the help. */
#include "cli/command.h"

#include <string.h>

const struct command *const commands[] = {
    &cmd_init,
    &cmd_backup,
    &cmd_list,
    &cmd_ls,
    &cmd_cat,
    &cmd_restore,
    &cmd_validate,
    &cmd_prune,
    &cmd_remove,
    &cmd_undelete,
    &cmd_tag,
    &cmd_pin,
    &cmd_unpin,
    &cmd_vacuum,
    &cmd_client,
    &cmd_doctor,
    &cmd_key,
    &cmd_help,
    &cmd_version,
    NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}
