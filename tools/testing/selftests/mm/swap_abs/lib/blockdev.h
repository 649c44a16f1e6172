/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices and filesystems that a test makes: loop, zram, null_blk, and device
 * mapper.
 */
#ifndef SWAP_ABS_LIB_BLOCKDEV_H
#define SWAP_ABS_LIB_BLOCKDEV_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Write the first pages of a device; return 0 or -errno. A RAM disk allocates
 * memory at the first write, which it must not do during a measurement.
 */
int sa_dev_write_zeros(const char *path, size_t pages);

/*
 * Attach a loop device to a file, with LO_FLAGS_* and a block size in bytes (0:
 * the default). Return the open device and its path, or -errno and an empty
 * path.
 */
int sa_loop_attach(int file, unsigned int flags, unsigned int block_size, char *path,
		   size_t size);
int sa_loop_detach(const char *path);
/*
 * Make a filesystem for swapfiles on device i; return NULL, or the reason why
 * this failed
 */
const char *sa_mkfs(int i, const char **dir);
/* Make a file of @pages pages in at least @extents extents */
int sa_make_fragmented(const char *dir, const char *path, size_t pages, int extents);

/*
 * Make a device mapper device over @pages pages of the first device; each of
 * its pages can be made to fail. Return NULL, or the reason why this failed.
 */
const char *sa_dm_make(size_t pages);
/* Return the path of that device, or NULL if there is none */
const char *sa_dm(void);
void sa_dm_remove(void);

/* SA_WRITE_WAITS delays each write by 50 ms. */
enum sa_fault { SA_WORKS, SA_WRITE_FAILS, SA_FAILS, SA_WRITE_WAITS };

/* Set one sa_fault for each page; NULL makes the whole device work */
int sa_dm_set(const unsigned char *faults);
/* Set the same sa_fault for the whole device */
int sa_dm_set_all(enum sa_fault fault);
/* Hold all I/O of the device, or release it */
int sa_dm_hang(bool hang);

#define SA_ZRAM	"/dev/zram0"
/*
 * Make SA_ZRAM with @pages pages and a memory limit in bytes (0: no limit).
 * Return NULL, or the reason why this failed.
 */
const char *sa_zram_make(size_t pages, size_t limit);
int sa_zram_limit(size_t limit);

/*
 * Make a slow device in RAM. It does one operation after the other, each in
 * @nsec nanoseconds, and @mbps megabytes a second (0: no limit). Return its
 * path, or NULL without null_blk.
 */
const char *sa_nullb_make(const char *name, size_t pages, int mbps, int nsec);
/* Set an attribute of such a device in configfs */
int sa_nullb_set(const char *name, const char *attr, long long value);
/* Remove such a device, also after a failed run */
void sa_nullb_remove(const char *name);

#endif
