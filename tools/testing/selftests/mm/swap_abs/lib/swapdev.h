/* SPDX-License-Identifier: GPL-2.0 */
/* The devices that the environment gives to the tests, and swap on them. */
#ifndef SWAP_ABS_LIB_SWAPDEV_H
#define SWAP_ABS_LIB_SWAPDEV_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* The largest number of slots in a cluster, the unit that a device lends */
#define SA_CLUSTER	512

int sa_ndevs(void);
const char *sa_dev(int i);
size_t sa_dev_pages(int i);
/* Write a swap header for @pages pages; 0 means all pages of the device */
int sa_mkswap(const char *path, size_t pages);
/* Write a swap header with a list of at most 637 bad pages */
int sa_mkswap_bad(const char *path, size_t pages, const __u32 *bad, size_t nr);
/*
 * Call mkswap and swapon. @pages 0 means the whole device; @prio < 0 lets the
 * kernel choose. The device stores new data raw, or packed if the environment
 * has SWAP_ABS_FORMAT=packed.
 */
int sa_swapon(const char *path, size_t pages, int prio);
bool sa_is_packed(void);
/* Choose the format in which the device stores new data */
int sa_set_format(const char *path, const char *format);
/* Call sa_swapon(), and have the device store new data packed */
int sa_swapon_packed(const char *path, size_t pages, int prio);
/*
 * Return the number of slots in a cluster, the unit that a device lends to a
 * tier
 */
size_t sa_cluster_slots(void);
int sa_swapoff(const char *path);

/* The I/O of a block device since the kernel has found it */
struct sa_io {
	long long reads, read_sectors, writes, write_sectors;
};

int sa_io_read(const char *path, struct sa_io *io);
/*
 * Return the bytes written to a device, or 0 if the device does not count them
 */
long long sa_bytes_written(const char *path);
/*
 * Return the kernel's name of a block device, like "dm-0"; or NULL if @path is
 * none
 */
const char *sa_kernel_name(const char *path);
/* Wait until no page is under writeback; return false on timeout */
bool sa_wait_writeback(void);

/*
 * Read the sizes of a device in /proc/swaps, in pages; return false if the
 * device is not in that file
 */
bool sa_swaps_read(const char *path, size_t *size, size_t *used, int *prio);
/* Return the number of swap devices in use */
int sa_nswaps(void);

#endif
