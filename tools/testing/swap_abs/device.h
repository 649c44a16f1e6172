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
#ifndef NR_SEGMENTS
#define NR_SEGMENTS	8U
#endif
#ifndef SEGMENT_BLOCKS
#define SEGMENT_BLOCKS	16U
#endif

#define SEGMENT_SIZE	(SEGMENT_BLOCKS * SWAP_PACKED_BLOCK)
#define DEVICE_SIZE	(NR_SEGMENTS * SEGMENT_SIZE)

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
bool device_write(u64 addr, const u8 *data, unsigned int size, u32 seq,
		  enum device_outcome outcome, u64 random);
void device_read(u64 addr, u8 *data, unsigned int size);
void device_corrupt(unsigned int block, enum device_damage damage, u64 random);
bool device_damaged(u64 addr, unsigned int size);
bool device_block_damaged(u64 addr, unsigned int size);

#endif /* _SWAP_ABS_DEVICE_H */
