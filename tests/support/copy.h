/* Copies of folders, for tests. A failing call ends the test program. */
#ifndef BALE_TESTS_COPY_H
#define BALE_TESTS_COPY_H

/* Into an empty folder, with all attributes: by cp -a. */
void copy_tree(const char *from, const char *to);

/*
 * Let scratch_new make folders beside this program. A snapshot also tells the times of
 * the folders above its source, and in /tmp others create files all the time.
 */
void copy_home(void);

/* Only the files and folders in it, quickly. */
void copy_plain(const char *from, const char *to);

/*
 * Remove a folder that copy_plain has filled, and free its name; quicker than
 * scratch_free.
 */
void copy_free(char *dir);

#endif
