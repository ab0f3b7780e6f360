/*
 * Help, made of the tables.
 */
#ifndef BALE_CLI_HELP_H
#define BALE_CLI_HELP_H

#include "base/buf.h"
#include "cli/command.h"

/* What the program is, and its commands. */
void help_overview(struct buf *out);

/* One command: usage, what it does, its options. */
void help_command(struct buf *out, const struct command *c);

#endif
