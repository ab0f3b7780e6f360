/* README.txt: for whoever finds the folder and has neither bale nor its manual. */
#include "repo/repo.h"

static const char text[] =
    "This folder is a bale repository: a backup archive, written by the program bale.\n"
    "Do not change, rename or delete anything in it. Every file was written once and\n"
    "never changes; to get rid of old backups use bale's own commands (prune, vacuum).\n"
    "\n"
    "To copy the repository, copy the whole folder with any tool. To restore from it:\n"
    "\n"
    "    bale list -r FOLDER\n"
    "    bale restore -r FOLDER latest --to EMPTY-FOLDER\n"
    "\n"
    "What is here\n"
    "\n"
    "    bale.json    the repository's head: its id, version and parameters\n"
    "    keys/        copies of the repository's key, each under a passphrase or key\n"
    "                 file; keep them: an encrypted repository cannot be opened without\n"
    "    bands/       one JSON file or more for each backup: when, what, which bundles\n"
    "    data/0 .. f  bundles: the content of files, combined, compressed, sealed\n"
    "    hunks/       bundles of the lists of files\n"
    "    index/       what is in which bundle\n"
    "    tombstones/  what is to be deleted\n"
    "    marks/ clients/ health/   tags, registered machines, damage that was found\n"
    "\n"
    "To check it without bale and without any key\n"
    "\n"
    "    A file in data/, hunks/ or index/ is named by the BLAKE2b-192 digest of its\n"
    "    bytes:\n"
    "        b2sum -l 192 FILE       must print the file's own name.\n"
    "    A JSON file's last member is the same digest of every byte before ,\"digest\".\n"
    "    This text's digest stands in bale.json.\n"
    "\n"
    "To read it without bale\n"
    "\n"
    "    bale's sources specify every byte in format/*.md. In short: a bundle is a\n"
    "    header of 64 bytes, then frames, a directory of them, and a trailer. A frame\n"
    "    is one zstd frame (or raw bytes), in an encrypted repository sealed with\n"
    "    XChaCha20-Poly1305: nonce (24 bytes), ciphertext, tag (16). Its key derives,\n"
    "    by keyed BLAKE2b, from the repository key, which a passphrase unlocks through\n"
    "    Argon2id (libsodium). In a frame stand chunks: pieces of files, or of lists of\n"
    "    files, which name the chunks that each file is made of.\n";

struct span repo_readme(void)
{
	return span_of(text, sizeof text - 1);
}
