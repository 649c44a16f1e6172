// SPDX-License-Identifier: GPL-2.0
/* See device.h. */
#include <string.h>
#include "device.h"
#include "fail.h"
#include "random.h"

#define BLOCK		SWAP_PACKED_BLOCK
#define NR_BLOCKS	(DEVICES_SIZE / BLOCK)

static u8 device[DEVICES_SIZE];
/* One a unit of alignment: it is not what was written. */
static bool damaged[DEVICES_SIZE / SWAP_OBJECT_ALIGN];
/* For which life of its segment a block was written last. */
static u32 block_seq[NR_BLOCKS];

void device_reset(void)
{
	memset(device, 0, sizeof(device));
	memset(damaged, 0, sizeof(damaged));
	memset(block_seq, 0, sizeof(block_seq));
}

static void set_damaged(u64 addr, unsigned int size, bool value)
{
	memset(damaged + addr / SWAP_OBJECT_ALIGN, value, size / SWAP_OBJECT_ALIGN);
}

/* Returns false if the write fails. */
bool device_write(u64 addr, const u8 *data, unsigned int size,
		  enum device_outcome outcome, u64 random)
{
	unsigned int i;
	u32 seq;

	/* Of the object that begins there: of the segment, too */
	memcpy(&seq, data + 4, sizeof(seq));
	for (i = 0; i < size; i += BLOCK) {
		u64 block = (addr + i) / BLOCK;

		must(block_seq[block] != seq);
		block_seq[block] = seq;
	}
	if (outcome == WRITE_ASTRAY) {
		u64 there = random % (NR_BLOCKS - size / BLOCK + 1) * BLOCK;

		set_damaged(addr, size, true);
		memcpy(device + there, data, size);
		set_damaged(there, size, there != addr);
		return true;
	}
	for (i = 0; i < size; i += BLOCK, random >>= 1) {
		if (outcome != WRITE_DONE && random & 1) {
			/* What fails openly is no excuse for a bad object. */
			set_damaged(addr + i, BLOCK, outcome == WRITE_LOST);
			continue;
		}
		memcpy(device + addr + i, data + i, BLOCK);
		set_damaged(addr + i, BLOCK, false);
	}
	return outcome != WRITE_FAILED;
}

void device_read(u64 addr, u8 *data, unsigned int size)
{
	memcpy(data, device + addr, size);
}

void device_corrupt(unsigned int block, enum device_damage damage, u64 random)
{
	u64 start = (u64)block * BLOCK, byte = start + random % BLOCK;
	unsigned int i;

	switch (damage) {
	case DAMAGE_BIT:
		device[byte] ^= 1 << (random >> 32) % 8;
		set_damaged(byte / SWAP_OBJECT_ALIGN * SWAP_OBJECT_ALIGN, SWAP_OBJECT_ALIGN, true);
		return;
	case DAMAGE_ZERO:
		memset(device + start, 0, BLOCK);
		break;
	default:
		random = mix64(random) | 1;
		for (i = 0; i < BLOCK; i++)
			device[start + i] = random64(&random);
	}
	set_damaged(start, BLOCK, true);
}

/* Is one of these bytes, as far as units tell, not what was written? */
bool device_damaged(u64 addr, unsigned int size)
{
	u64 unit;

	for (unit = addr / SWAP_OBJECT_ALIGN; unit * SWAP_OBJECT_ALIGN < addr + size; unit++)
		if (damaged[unit])
			return true;
	return false;
}
