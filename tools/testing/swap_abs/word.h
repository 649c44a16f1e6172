/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The descriptor of a virtual slot: one word, with the bits of mm/swap_abs.h,
 * which needs more of the kernel than there is here.
 *
 * packed: |P|R|- type (5) -|- codec (2) -|- length - 1 (12) -|- address / 16 (40) -|011|
 * zswap:  |P|R|-------------------------- object -----------------------------|001|
 */
#ifndef _SWAP_ABS_WORD_H
#define _SWAP_ABS_WORD_H

#include <linux/bits.h>
#include <linux/types.h>
#include "../../../mm/swap_abs_pack.h"

enum word_tag {
	WORD_NONE,
	WORD_ZSWAP,
	WORD_RAW,
	WORD_PACKED,
	WORD_LOST,
};

#define WORD_TAG_MASK		7ULL
#define WORD_ADDRESS_SHIFT	3
#define WORD_ADDRESS_BITS	40
#define WORD_LENGTH_SHIFT	43
#define WORD_LENGTH_BITS	12
#define WORD_CODEC_SHIFT	55
#define WORD_CODEC_BITS		2
#define WORD_TYPE_SHIFT		57
#define WORD_TYPE_BITS		5
#define WORD_RESERVED		BIT_ULL(62)
#define WORD_PIN		BIT_ULL(63)

static inline u64 word_bits(u64 word, unsigned int shift, unsigned int bits)
{
	return word >> shift & ((1ULL << bits) - 1);
}

static inline enum word_tag word_tag(u64 word)
{
	return word & WORD_TAG_MASK;
}

/* The place alone, which two words for the same copy have in common. */
static inline u64 word_place(u64 word)
{
	return word & ~(WORD_PIN | WORD_RESERVED);
}

static inline u64 word_packed(unsigned int type, u64 address, unsigned int length,
			      unsigned int codec)
{
	return (u64)type << WORD_TYPE_SHIFT | (u64)codec << WORD_CODEC_SHIFT |
	       (u64)(length - 1) << WORD_LENGTH_SHIFT |
	       address / SWAP_PACK_ALIGN << WORD_ADDRESS_SHIFT | WORD_PACKED;
}

static inline unsigned int word_type(u64 word)
{
	return word_bits(word, WORD_TYPE_SHIFT, WORD_TYPE_BITS);
}

/* In bytes from the start of the device. */
static inline u64 word_address(u64 word)
{
	return word_bits(word, WORD_ADDRESS_SHIFT, WORD_ADDRESS_BITS) * SWAP_PACK_ALIGN;
}

static inline unsigned int word_length(u64 word)
{
	return word_bits(word, WORD_LENGTH_SHIFT, WORD_LENGTH_BITS) + 1;
}

static inline unsigned int word_codec(u64 word)
{
	return word_bits(word, WORD_CODEC_SHIFT, WORD_CODEC_BITS);
}

static inline u64 word_zswap(unsigned int object)
{
	return (u64)object << WORD_ADDRESS_SHIFT | WORD_ZSWAP;
}

static inline unsigned int word_object(u64 word)
{
	return word_place(word) >> WORD_ADDRESS_SHIFT;
}

#endif /* _SWAP_ABS_WORD_H */
