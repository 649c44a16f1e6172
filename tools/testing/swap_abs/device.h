/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A swap device in memory that knows what it did: which bytes are not those
 * that were written although the write succeeded, so that a bad object can be
 * told from a mistake, and what each block was written for.
 */
#ifndef _SWAP_ABS_DEVICE_H
#define _SWAP_ABS_DEVICE_H

#include <linux/types.h>
#include "../../../mm/swap_abs/format.h"

/* Small, so that segments are used again and again. */
#ifndef SWAPFILE_CLUSTER
#define SWAPFILE_CLUSTER	32
#endif
#ifndef DEVICE_CLUSTERS
#define DEVICE_CLUSTERS		17U
#endif
#define NR_DEVICES		2U

/* They lie one behind another. */
#define DEVICE_SIZE	(DEVICE_CLUSTERS * SWAPFILE_CLUSTER * SWAP_PACKED_BLOCK)
#define DEVICES_SIZE	(NR_DEVICES * DEVICE_SIZE)

static inline u64 device_start(unsigned int device)
{
	return (u64)device * DEVICE_SIZE;
}

enum device_outcome {
	WRITE_DONE,
	WRITE_FAILED,	/* and says so; some blocks may be written */
	WRITE_LOST,	/* says that it is done; some blocks are as they were */
	WRITE_ASTRAY,	/* says that it is done; all of it is somewhere else */
	NR_WRITE_OUTCOMES,
};

enum device_damage {
	DAMAGE_BIT,
	DAMAGE_ZERO,
	DAMAGE_NOISE,
	NR_DAMAGES,
};

void device_reset(void);
bool device_write(u64 addr, const u8 *data, unsigned int size,
		  enum device_outcome outcome, u64 random);
void device_read(u64 addr, u8 *data, unsigned int size);
void device_corrupt(unsigned int block, enum device_damage damage, u64 random);
bool device_damaged(u64 addr, unsigned int size);

#endif /* _SWAP_ABS_DEVICE_H */
