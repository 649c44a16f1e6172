/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's descriptor, mm/swap_abs/desc.h, for a zswap that is an array here: an
 * object's address is its index.
 */
#ifndef _SWAP_ABS_WORD_H
#define _SWAP_ABS_WORD_H

#include "../../../mm/swap_abs/desc.h"

static inline swap_desc_t word_zswap(unsigned int object)
{
	return swap_desc_zswap((void *)((unsigned long)object << SWAP_DESC_TAG_BITS));
}

static inline unsigned int word_object(swap_desc_t word)
{
	return (unsigned long)swap_desc_object(word) >> SWAP_DESC_TAG_BITS;
}

#endif /* _SWAP_ABS_WORD_H */
