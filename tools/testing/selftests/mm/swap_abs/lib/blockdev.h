/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices and filesystems that a test makes: loop, zram, null_blk, device mapper.
 */
#ifndef SWAP_ABS_LIB_BLOCKDEV_H
#define SWAP_ABS_LIB_BLOCKDEV_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Use a file as a loop device, with LO_FLAGS_*, and blocks of so many bytes (0: as ever).
 * Return the open device, and its path; or -errno, and an empty path.
 */
int sa_loop_attach(int file, unsigned int flags, unsigned int block_size, char *path,
		   size_t size);
int sa_loop_detach(const char *path);
/* Make a filesystem for swapfiles on device i; return NULL or why not */
const char *sa_mkfs(int i, const char **dir);
/* Make a file of so many pages in at least so many extents */
int sa_fragmented(const char *dir, const char *path, size_t pages, int extents);

/*
 * Make a device over so many pages of the first one, each of which can be made to fail
 * (device mapper). Return NULL, or why there is none.
 */
const char *sa_dm_make(size_t pages);
/* Return the path of that device, NULL when there is none */
const char *sa_dm(void);
void sa_dm_remove(void);

/* SA_WRITE_WAITS: 50 ms, each */
enum sa_fault { SA_WORKS, SA_WRITE_FAILS, SA_FAILS, SA_WRITE_WAITS };

/* Set one sa_fault a page; NULL: all of the device works */
int sa_dm_set(const unsigned char *faults);
/* Set one sa_fault for all of the device */
int sa_dm_set_all(enum sa_fault fault);
/* Let no I/O end any more, or let it end again */
int sa_dm_hang(bool hang);

#define SA_ZRAM	"/dev/zram0"
/*
 * Make SA_ZRAM so large, its memory limited to so many bytes (0: not at all). Return
 * NULL, or why there is none.
 */
const char *sa_zram_make(size_t pages, size_t limit);
int sa_zram_limit(size_t limit);

/*
 * Make a device in RAM that takes its time: one operation after the other, each so long,
 * and so many megabytes a second (0: no limit). Return its path, or NULL when there is no
 * null_blk.
 */
const char *sa_nullb_make(const char *name, size_t pages, int mbps, int nsec);
/* Remove such a device, also one that a failed run has left */
void sa_nullb_remove(const char *name);

#endif
