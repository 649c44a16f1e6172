/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions that the parts of the library share with each other but not with
 * tests.
 */
#ifndef SWAP_ABS_LIB_INTERNAL_H
#define SWAP_ABS_LIB_INTERNAL_H

#include "../swap_abs_lib.h"

/* The mount point of sa_mkfs() */
#define FS_DIR		"/tmp/swap_abs_mnt"

/* cache.c: call fn for each of the tests' cgroups */
void sa_all_cgs(void (*fn)(const char *cg));

/*
 * swapdev.c: read the n-th line of /proc/swaps; return false if there is none
 */
bool sa_swaps_line(int n, char *path, size_t plen, size_t *size, size_t *used, int *prio);
size_t sa_block_pages(const char *path);
/* Make the CPUs add their counts to the numbers of /proc/vmstat */
void sa_refresh_stats(void);

/* blockdev.c */
bool sa_zram_made(void);
void sa_zram_remove(void);

/* events.c: stop recording */
void sa_trace_off(void);

#endif
