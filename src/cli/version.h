/* The version of the program; that of the format is FORMAT_VERSION. */
#ifndef BALE_CLI_VERSION_H
#define BALE_CLI_VERSION_H

#define BALE_VERSION "0.1.0"

#endif
