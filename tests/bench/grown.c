/*
 * A repository that has been in use: so many snapshots, so many bundles, made quickly on
 * a local disk with bundles of 64 KiB, as no user would have. Encrypted with
 * TEST_PASSPHRASE.
 *
 *	grown REPO SOURCE CACHE SNAPSHOTS BUNDLES
 *
 * SOURCE is filled with files that change from one snapshot to the next; the newest
 * snapshot is of what it holds in the end. CACHE is the local cache of who made them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store/store.h"
#include "tests/support/backup_do.h"
#include "tests/support/bytes.h"

/* Of the cuts: so a file of FILE_SIZE is one chunk, and fills a bundle. */
#define AVERAGE 65536
#define FILE_SIZE 66000
#define MINUTE  INT64_C(60000000000)
#define SMALL   500 /* files that never change */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void write_file(
    const char *folder, const char *name, unsigned k, struct span content)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s%u", folder, name, k);
	f = fopen(path, "w");
	must(f && fwrite(content.p, 1, content.n, f) == content.n && fclose(f) == 0, path);
}

int main(int argc, char **argv)
{
	unsigned long snapshots = argc == 6 ? strtoul(argv[4], NULL, 10) : 0;
	unsigned long bundles = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
	struct backup_do d = {.threads = 2, .transfers = 2, .set = "grown"};
	struct backup_result result;
	struct store *store;
	struct err e = ERR_EMPTY;
	struct buf bytes = BUF_EMPTY;
	uint64_t seed = 0;
	unsigned long n;

	if (snapshots == 0 || bundles < snapshots) {
		fprintf(stderr, "usage: grown REPO SOURCE CACHE SNAPSHOTS BUNDLES\n");
		return 2;
	}
	n = bundles / snapshots; /* files that each snapshot changes */
	must(mkdir(argv[2], 0755) == 0, argv[2]);
	for (unsigned k = 0; k < SMALL; k++)
		write_file(argv[2], "small", k, span_of((const uint8_t *)&k, sizeof k));
	store = store_dir_open(argv[1], true, env_real(), &e);
	if (!store) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	backup_init_cut(store, true, 1, AVERAGE);
	d.store = store;
	d.source = argv[2];
	d.cache = argv[3];
	d.now = (int64_t)time(NULL) * 1000000000 - (int64_t)(snapshots + 60) * MINUTE;
	for (unsigned k = 0; k < snapshots; k++, d.now += MINUTE) {
		for (unsigned i = 0; i < n; i++) {
			buf_clear(&bytes);
			bytes_noise(&bytes, FILE_SIZE, ++seed);
			write_file(argv[2], "changed", i, buf_span(&bytes));
		}
		backup_must(&d, &result);
	}
	store_free(store);
	buf_release(&bytes);
	return 0;
}
