/*
 * A bound for every number that is read from the storage, checked before anything is
 * allocated by it. Beyond a bound a decoder answers FAULT_LIMIT.
 */
#ifndef BALE_FORMAT_LIMITS_H
#define BALE_FORMAT_LIMITS_H

#define FORMAT_VERSION 1

#define ID_SIZE      24 /* BLAKE2b-192: chunk ids, bundle names, file digests */
#define REPO_ID_SIZE 16
#define SALT_SIZE    24
#define DIGEST_SHORT 16 /* BLAKE2b-128: frames, directories */

#define NAME_MAX_LEN 80 /* a file's name on the storage */
#define BAND_MAX_LEN 47 /* a band's name */

#define JSON_MAX  (64u << 20) /* any JSON file */
#define JSON_LIST 1000000u    /* members of any array in one */
#define TEXT_MAX  4096u       /* a string in one that is not said otherwise */

#define BUNDLE_MAX        (512u << 20) /* stored bytes of a bundle */
#define BUNDLE_CHUNKS_MAX 65536u
#define BUNDLE_FRAMES_MAX 65536u
#define FRAME_PLAIN_MAX   (32u << 20) /* before compression */
#define FRAME_STORED_MAX  (FRAME_PLAIN_MAX + (1u << 20))
#define CHUNK_MAX         (16u << 20)
#define DIRECTORY_MAX     (16u << 20)

#define DELTA_MAX   (128u << 20)
#define DELTA_MOVES 16777216u

#define HUNK_PLAIN_MAX   (16u << 20)
#define HUNK_ENTRIES_MAX 4096u
#define HUNK_BUNDLES_MAX 131072u
#define LIST_ITEMS_MAX   4096u
#define LIST_LEVEL_MAX   7u
#define ENTRY_EXTENTS    256u /* beyond: list chunks */
#define ENTRY_INLINE     64u
#define APATH_MAX        65535u
#define TARGET_MAX       65535u
#define OWNER_MAX        255u         /* a user's or group's name */
#define XATTR_NAME_MAX   255u
#define XATTRS_MAX       (1u << 20)   /* all of one entry, encoded */

#endif
