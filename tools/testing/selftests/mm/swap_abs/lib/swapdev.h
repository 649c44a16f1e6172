/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices that the tests were given, and swap on them.
 */
#ifndef SWAP_ABS_LIB_SWAPDEV_H
#define SWAP_ABS_LIB_SWAPDEV_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Slots of a cluster, what a device lends at once: at most so many */
#define SA_CLUSTER	512

int sa_ndevs(void);
const char *sa_dev(int i);
size_t sa_dev_pages(int i);
/* Write a swap header for so many pages, 0: all there are */
int sa_mkswap(const char *path, size_t pages);
/* Write one with a list of pages that must not be used: 637 at most */
int sa_mkswap_bad(const char *path, size_t pages, const __u32 *bad, size_t nr);
/*
 * Do mkswap and swapon. pages 0: the whole device; prio < 0: the kernel's choice.
 * New data is written raw, or packed when the tests run with SWAP_ABS_FORMAT=packed.
 */
int sa_swapon(const char *path, size_t pages, int prio);
bool sa_packed(void);
/* Choose how new data is written to a device */
int sa_format(const char *path, const char *format);
/* Do as sa_swapon(), and have new data written packed */
int sa_swapon_packed(const char *path, size_t pages, int prio);
/* Return the slots of a cluster, which is what a tier gets of a device at a time */
size_t sa_cluster(void);
int sa_swapoff(const char *path);

/* What a block device has read and written since it is there */
struct sa_io {
	long long reads, read_sectors, writes, write_sectors;
};

int sa_io(const char *path, struct sa_io *io);
/* Return the bytes written to a device, 0 when that can't be told */
long long sa_written(const char *path);
/* Return what the kernel calls a block device, "dm-0"; NULL when it is none */
const char *sa_kernel_name(const char *path);
/* Wait until nothing is under writeback; false when that takes too long */
bool sa_settle(void);

/* Tell how many pages /proc/swaps gives a device; false when the device is not there */
bool sa_swaps(const char *path, size_t *size, size_t *used, int *prio);
/* Return how many swap devices are in use */
int sa_nswaps(void);

#endif
