/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The descriptor of a virtual slot: one word that says where the data is. It stands
 * here once: the tracepoints include it, and tools/testing/swap_abs/ compiles it in user
 * space, so it needs little of the kernel.
 */
#ifndef _MM_SWAP_ABS_DESC_H
#define _MM_SWAP_ABS_DESC_H

#include <linux/bits.h>
#include <linux/mmdebug.h>
#include <linux/swapops.h>
#include "format.h"

/* The index of a tier in tables and masks: a device's is its swap type. */
#define SWAP_TIER_INDEX_ZSWAP	MAX_SWAPFILES
#define NR_SWAP_TIER_INDEXES	(MAX_SWAPFILES + 1)

/*
 *          63  62         61 ... 3          2..0
 * none:    |0|R|----------- 0 ------------|X|000|  in the folio, zero, or unused
 * zswap:   |P|R|---- physical address / 8 --|001|  compressed in RAM
 * raw:     |P|0|- type (5) -|- offset (54) -|010|  a block of a swap device
 * packed:  |P|0| type | codec (2) | length - 1 (12) | address / 16 (40) |011|
 *                                              compressed, on a swap device
 * lost:    |0|0|------------- 0 ------------|100|  could not be read: gone
 *
 * P, pinned: a mover copies the data; only the mover clears the bit. A pinned
 * object that is dropped meanwhile is the mover's to free (an orphan).
 * R, reserved: a page of device capacity is held for this slot, so that what
 * was promised when the slot was made can be kept. Pages that zswap stores
 * without making them smaller keep it: they must be able to leave the RAM.
 *
 * X, refused: zswap has not made it smaller, so it is not tried again.
 *
 * Bits 61..3 with the tag and without P and R are the place; see
 * swap_desc_place(). The word changes only under the lock of its virtual
 * cluster, and only while no folio is in the slot or by who holds that folio
 * locked and not under writeback.
 */
enum swap_desc_tag {
	SWAP_DESC_NONE,
	SWAP_DESC_ZSWAP,
	SWAP_DESC_RAW,
	SWAP_DESC_PACKED,
	SWAP_DESC_LOST,
	NR_SWAP_DESC_TAGS,
};

#define SWAP_DESC_TAG_MASK	0x7UL
#define SWAP_DESC_TAG_BITS	3

#if BITS_PER_LONG == 64
#define SWAP_DESC_RESERVED	BIT(62)
#define SWAP_DESC_PIN		BIT(63)
#define SWAP_DESC_TYPE_SHIFT	57

/* Of a page in RAM alone: zswap has not made it smaller. */
#define SWAP_DESC_REFUSED	BIT(SWAP_DESC_TAG_BITS)

/* Of a packed object. The address is that of its header. */
#define SWAP_DESC_ADDR_BITS	40
#define SWAP_DESC_LEN_SHIFT	(SWAP_DESC_TAG_BITS + SWAP_DESC_ADDR_BITS)
#define SWAP_DESC_LEN_BITS	12
#define SWAP_DESC_CODEC_SHIFT	(SWAP_DESC_LEN_SHIFT + SWAP_DESC_LEN_BITS)
#define SWAP_DESC_CODEC_BITS	2

static inline enum swap_desc_tag swap_desc_tag(unsigned long word)
{
	return word & SWAP_DESC_TAG_MASK;
}

/* The place alone, which two words for the same copy have in common. */
static inline unsigned long swap_desc_place(unsigned long word)
{
	return word & ~(SWAP_DESC_PIN | SWAP_DESC_RESERVED);
}

static inline unsigned long swap_desc_zswap(void *object)
{
	unsigned long addr = __pa(object);

	VM_WARN_ON_ONCE(addr & (SWAP_DESC_TAG_MASK | SWAP_DESC_PIN | SWAP_DESC_RESERVED));
	return addr | SWAP_DESC_ZSWAP;
}

static inline void *swap_desc_object(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_ZSWAP);
	return __va(swap_desc_place(word) & ~SWAP_DESC_TAG_MASK);
}

static inline unsigned long swap_desc_raw(unsigned int type, unsigned long offset)
{
	VM_WARN_ON_ONCE(offset >> (SWAP_DESC_TYPE_SHIFT - SWAP_DESC_TAG_BITS));
	return (unsigned long)type << SWAP_DESC_TYPE_SHIFT |
	       offset << SWAP_DESC_TAG_BITS | SWAP_DESC_RAW;
}

static inline unsigned long swap_desc_packed(unsigned int type, u64 address,
					     unsigned int length, unsigned int codec)
{
	unsigned long units = address / SWAP_PACK_ALIGN;

	VM_WARN_ON_ONCE(units >> SWAP_DESC_ADDR_BITS);
	VM_WARN_ON_ONCE(!length || (length - 1) >> SWAP_DESC_LEN_BITS);
	VM_WARN_ON_ONCE(codec >> SWAP_DESC_CODEC_BITS);
	return (unsigned long)type << SWAP_DESC_TYPE_SHIFT |
	       (unsigned long)codec << SWAP_DESC_CODEC_SHIFT |
	       (unsigned long)(length - 1) << SWAP_DESC_LEN_SHIFT |
	       units << SWAP_DESC_TAG_BITS | SWAP_DESC_PACKED;
}

/* Bytes from the start of the device to the object's header. */
static inline u64 swap_desc_address(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return (word >> SWAP_DESC_TAG_BITS & (BIT(SWAP_DESC_ADDR_BITS) - 1)) *
	       SWAP_PACK_ALIGN;
}

static inline unsigned int swap_desc_length(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return (word >> SWAP_DESC_LEN_SHIFT & (BIT(SWAP_DESC_LEN_BITS) - 1)) + 1;
}

static inline unsigned int swap_desc_codec(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return word >> SWAP_DESC_CODEC_SHIFT & (BIT(SWAP_DESC_CODEC_BITS) - 1);
}

static inline bool swap_desc_on_device(unsigned long word)
{
	return swap_desc_tag(word) == SWAP_DESC_RAW ||
	       swap_desc_tag(word) == SWAP_DESC_PACKED;
}

/* The index of the tier where the data is, -1 when it is in none. */
static inline int swap_desc_tier(unsigned long word)
{
	if (swap_desc_on_device(word))
		return swap_desc_place(word) >> SWAP_DESC_TYPE_SHIFT;
	return swap_desc_tag(word) == SWAP_DESC_ZSWAP ? SWAP_TIER_INDEX_ZSWAP : -1;
}

/* The block of a device that the data is in, or begins in. */
static inline swp_entry_t swap_desc_device_entry(unsigned long word)
{
	unsigned long place = swap_desc_place(word);
	unsigned int type = place >> SWAP_DESC_TYPE_SHIFT;

	VM_WARN_ON_ONCE(!swap_desc_on_device(word));
	if (swap_desc_tag(word) == SWAP_DESC_PACKED)
		return swp_entry(type, swap_desc_address(word) >> PAGE_SHIFT);
	place &= BIT(SWAP_DESC_TYPE_SHIFT) - 1;
	return swp_entry(type, place >> SWAP_DESC_TAG_BITS);
}
#endif /* BITS_PER_LONG == 64 */

#endif /* _MM_SWAP_ABS_DESC_H */
