/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The descriptor of a virtual slot: one word that says where the slot's data
 * is. This file needs little of the kernel, because the tracepoints include it,
 * and because tools/testing/swap_abs/ compiles it in user space.
 */
#ifndef _MM_SWAP_ABS_DESC_H
#define _MM_SWAP_ABS_DESC_H

#include <linux/bits.h>
#include <linux/mmdebug.h>
#include <linux/swapops.h>
#include "format.h"

/* The index of a tier in tables and masks; a device's is its swap type. */
#define SWAP_TIER_INDEX_ZSWAP	MAX_SWAPFILES
#define NR_SWAP_TIER_INDEXES	(MAX_SWAPFILES + 1)

/*
 *          63  62         61 ... 3          2..0
 * none:    |0|R|----------- 0 ------------|X|000|  in a folio, zero or unused
 * zswap:   |P|R|L|W|pool (4)|epoch (4)|-- handle (49) --|001|  in RAM
 * raw:     |P|0|- type (5) -|- offset (54) -|010|  a block of a swap device
 * packed:  |P|0| type | codec (2) | length - 1 (12) | address / 16 (40) |011|
 *                                              compressed, on a swap device
 * lost:    |0|0|------------- 0 ------------|100|  could not be read: gone
 * block:   |P|0|- type (5) -|- offset (54) -|110|  as raw, for a format to come
 *
 * P, pinned: a mover copies the data. Only the mover clears the bit. When a
 * pinned object is dropped in between, the mover frees it (an orphan).
 *
 * R, reserved: a page of device capacity is held for this slot, because the
 * slot was promised room when it was allocated. A page that zswap stores
 * without making it smaller keeps the bit, because such a page must be able to
 * leave RAM.
 *
 * X, refused: zswap could not make the page smaller, so reclaim does not offer
 * it to zswap again.
 *
 * A zswap word has the physical address of zsmalloc's handle, bits 51..3, and
 * the index of the pool. W, whole: the object is the page as it is, because
 * zswap could not make it smaller. L, leaving: the object is on its way to a
 * device, and its cgroup is not charged for it any more. Only the mover that
 * has pinned the object changes L. The epoch tells the object from those that
 * the slot had before (mm/swap_abs/zswap_age.c).
 *
 * Bit 1 says that the word is of a device. Bits 61..57 are the device's type
 * then. Without bit 0 such a word is of a block: a page as it is, in a slot of
 * the device, which takes a page of capacity.
 *
 * Bits 61..3 with the tag and without P, R and L are the place; see
 * swap_desc_place(). A word changes only under the lock of its virtual cluster.
 * While a folio is in the slot, only a task that holds the folio locked and not
 * under writeback may change more of the word than P.
 *
 * The word and the place have types of their own, so that nobody compares a
 * whole word with a place: P and R belong to the slot and not to its copy, and
 * would make the two differ. Only this file, and code that prints a word, looks
 * inside.
 */
typedef struct {
	unsigned long val;
} swap_desc_t;

typedef struct {
	unsigned long val;
} swap_place_t;

enum swap_desc_tag {
	SWAP_DESC_NONE,
	SWAP_DESC_ZSWAP,
	SWAP_DESC_RAW,
	SWAP_DESC_PACKED,
	SWAP_DESC_LOST,
	SWAP_DESC_BLOCK = 6,
};

#define SWAP_DESC_TAG_MASK	0x7UL
#define SWAP_DESC_TAG_BITS	3
#define SWAP_DESC_DEVICE	BIT(1)
/* In the word of a device whose copy is not a block. */
#define SWAP_DESC_PARTS		BIT(0)

#if BITS_PER_LONG == 64
#define SWAP_DESC_PROMISED	BIT(62)
#define SWAP_DESC_PIN		BIT(63)
#define SWAP_DESC_PLACE_MASK	(~(SWAP_DESC_PIN | SWAP_DESC_PROMISED))
#define SWAP_DESC_TYPE_SHIFT	57
#define SWAP_DESC_KIND_MASK						\
	(GENMASK(63, SWAP_DESC_TYPE_SHIFT) | SWAP_DESC_TAG_MASK)

/* In the word of a page in RAM alone: zswap could not make the page smaller. */
#define SWAP_DESC_REFUSED	BIT(SWAP_DESC_TAG_BITS)

/* In the word of an object in zswap. */
#define SWAP_DESC_LEAVING	BIT(61)
#define SWAP_DESC_WHOLE		BIT(60)
#define SWAP_DESC_POOL_SHIFT	56
#define SWAP_DESC_POOL_BITS	4
#define SWAP_DESC_EPOCH_SHIFT	52
#define SWAP_DESC_EPOCH_BITS	4
#define SWAP_DESC_HANDLE_MASK						\
	GENMASK(SWAP_DESC_EPOCH_SHIFT - 1, SWAP_DESC_TAG_BITS)

/* In the word of a packed object. The address is that of its header. */
#define SWAP_DESC_ADDR_BITS	40
#define SWAP_DESC_LEN_SHIFT	(SWAP_DESC_TAG_BITS + SWAP_DESC_ADDR_BITS)
#define SWAP_DESC_LEN_BITS	12
#define SWAP_DESC_CODEC_SHIFT	(SWAP_DESC_LEN_SHIFT + SWAP_DESC_LEN_BITS)
#define SWAP_DESC_CODEC_BITS	2

static inline enum swap_desc_tag swap_desc_tag(swap_desc_t word)
{
	return word.val & SWAP_DESC_TAG_MASK;
}

/* Return the place alone, which is the same in all words for the same copy. */
static inline swap_place_t swap_desc_place(swap_desc_t word)
{
	if (swap_desc_tag(word) == SWAP_DESC_ZSWAP)
		word.val &= ~SWAP_DESC_LEAVING;
	return (swap_place_t){ word.val & SWAP_DESC_PLACE_MASK };
}

/*
 * Return a word for a place, neither pinned nor reserved, so that the caller
 * can ask what is there.
 */
static inline swap_desc_t swap_place_word(swap_place_t place)
{
	return (swap_desc_t){ place.val };
}

/* Tell whether two places are those of the same copy. */
static inline bool swap_place_same(swap_place_t a, swap_place_t b)
{
	return a.val == b.val;
}

/* Tell whether the word's copy is at the place. */
static inline bool swap_desc_is_at(swap_desc_t word, swap_place_t place)
{
	return swap_place_same(swap_desc_place(word), place);
}

static inline bool swap_place_is_none(swap_place_t place)
{
	return swap_desc_tag(swap_place_word(place)) == SWAP_DESC_NONE;
}

/* Tell whether two words are the same to the last bit. */
static inline bool swap_desc_same(swap_desc_t a, swap_desc_t b)
{
	return a.val == b.val;
}

/*
 * Tell whether two slots can be treated as one when their words change: the
 * copies are in the same tier and of the same backend, and the words agree in
 * P and R. Where a device's word has the type, a word of zswap has L, W and part
 * of the pool, in which the words of a run agree, too.
 */
static inline bool swap_desc_same_kind(swap_desc_t a, swap_desc_t b)
{
	return !((a.val ^ b.val) & SWAP_DESC_KIND_MASK);
}

static inline bool swap_desc_is_pinned(swap_desc_t word)
{
	return word.val & SWAP_DESC_PIN;
}

static inline swap_desc_t swap_desc_set_pinned(swap_desc_t word)
{
	return (swap_desc_t){ word.val | SWAP_DESC_PIN };
}

static inline swap_desc_t swap_desc_clear_pinned(swap_desc_t word)
{
	return (swap_desc_t){ word.val & ~SWAP_DESC_PIN };
}

static inline bool swap_desc_is_promised(swap_desc_t word)
{
	return word.val & SWAP_DESC_PROMISED;
}

static inline swap_desc_t swap_desc_set_promised(swap_desc_t word)
{
	return (swap_desc_t){ word.val | SWAP_DESC_PROMISED };
}

static inline swap_desc_t swap_desc_clear_promised(swap_desc_t word)
{
	return (swap_desc_t){ word.val & ~SWAP_DESC_PROMISED };
}

/* Return what a word keeps when its copy is dropped: the slot's reservation. */
static inline swap_desc_t swap_desc_only_promised(swap_desc_t word)
{
	return (swap_desc_t){ word.val & SWAP_DESC_PROMISED };
}

/* Tell whether zswap has refused a page; only for a page in RAM alone. */
static inline bool swap_desc_is_refused(swap_desc_t word)
{
	return word.val & SWAP_DESC_REFUSED;
}

static inline swap_desc_t swap_desc_none(void)
{
	return (swap_desc_t){ SWAP_DESC_NONE };
}

/* Say in the word of a page in RAM alone that zswap has refused the page. */
static inline swap_desc_t swap_desc_set_refused(swap_desc_t word)
{
	return (swap_desc_t){ word.val | SWAP_DESC_REFUSED };
}

static inline swap_desc_t swap_desc_refused(void)
{
	return swap_desc_set_refused(swap_desc_none());
}

static inline swap_desc_t swap_desc_lost(void)
{
	return (swap_desc_t){ SWAP_DESC_LOST };
}

/* Return the word of an object in zswap, neither pinned nor reserved. */
static inline swap_desc_t swap_desc_zswap(void *handle, unsigned int pool,
					  unsigned int epoch, bool whole)
{
	unsigned long addr = __pa(handle);

	VM_WARN_ON_ONCE(addr & ~SWAP_DESC_HANDLE_MASK);
	VM_WARN_ON_ONCE(pool >> SWAP_DESC_POOL_BITS);
	VM_WARN_ON_ONCE(epoch >> SWAP_DESC_EPOCH_BITS);
	return (swap_desc_t){ addr |
			      (unsigned long)epoch << SWAP_DESC_EPOCH_SHIFT |
			      (unsigned long)pool << SWAP_DESC_POOL_SHIFT |
			      (whole ? SWAP_DESC_WHOLE : 0) | SWAP_DESC_ZSWAP };
}

static inline void *swap_desc_handle(swap_desc_t word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_ZSWAP);
	return __va(word.val & SWAP_DESC_HANDLE_MASK);
}

static inline unsigned int swap_desc_pool(swap_desc_t word)
{
	return word.val >> SWAP_DESC_POOL_SHIFT &
	       (BIT(SWAP_DESC_POOL_BITS) - 1);
}

static inline unsigned int swap_desc_epoch(swap_desc_t word)
{
	return word.val >> SWAP_DESC_EPOCH_SHIFT &
	       (BIT(SWAP_DESC_EPOCH_BITS) - 1);
}

/* Tell whether the object is the page as it is. */
static inline bool swap_desc_is_whole(swap_desc_t word)
{
	return word.val & SWAP_DESC_WHOLE;
}

/* Tell whether the object's cgroup is not charged for it any more. */
static inline bool swap_desc_is_leaving(swap_desc_t word)
{
	return word.val & SWAP_DESC_LEAVING;
}

static inline swap_desc_t swap_desc_set_leaving(swap_desc_t word, bool leaving)
{
	word.val &= ~SWAP_DESC_LEAVING;
	return (swap_desc_t){ word.val | (leaving ? SWAP_DESC_LEAVING : 0) };
}

/* Return a block's word, with the tag of a format that takes pages as is. */
static inline swap_desc_t
swap_desc_block(enum swap_desc_tag tag, unsigned int type, unsigned long offset)
{
	VM_WARN_ON_ONCE(offset >> (SWAP_DESC_TYPE_SHIFT - SWAP_DESC_TAG_BITS));
	return (swap_desc_t){ (unsigned long)type << SWAP_DESC_TYPE_SHIFT |
			      offset << SWAP_DESC_TAG_BITS | tag };
}

static inline bool swap_desc_is_block(swap_desc_t word)
{
	return (word.val & (SWAP_DESC_DEVICE | SWAP_DESC_PARTS)) ==
	       SWAP_DESC_DEVICE;
}

/* Return the place of the block that is @nr blocks behind another one. */
static inline swap_place_t swap_place_behind(swap_place_t place,
					     unsigned int nr)
{
	place.val += (unsigned long)nr << SWAP_DESC_TAG_BITS;
	return place;
}

static inline swap_desc_t swap_desc_packed(unsigned int type, u64 address,
					   unsigned int length,
					   unsigned int codec)
{
	unsigned long units = address / SWAP_OBJECT_ALIGN;

	VM_WARN_ON_ONCE(units >> SWAP_DESC_ADDR_BITS);
	VM_WARN_ON_ONCE(!length || (length - 1) >> SWAP_DESC_LEN_BITS);
	VM_WARN_ON_ONCE(codec >> SWAP_DESC_CODEC_BITS);
	return (swap_desc_t){ (unsigned long)type << SWAP_DESC_TYPE_SHIFT |
			      (unsigned long)codec << SWAP_DESC_CODEC_SHIFT |
			      (unsigned long)(length - 1)
				      << SWAP_DESC_LEN_SHIFT |
			      units << SWAP_DESC_TAG_BITS | SWAP_DESC_PACKED };
}

/* Return the bytes from the start of the device to the object's header. */
static inline u64 swap_desc_address(swap_desc_t word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return (word.val >> SWAP_DESC_TAG_BITS &
		(BIT(SWAP_DESC_ADDR_BITS) - 1)) *
	       SWAP_OBJECT_ALIGN;
}

static inline unsigned int swap_desc_length(swap_desc_t word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return (word.val >> SWAP_DESC_LEN_SHIFT &
		(BIT(SWAP_DESC_LEN_BITS) - 1)) + 1;
}

static inline unsigned int swap_desc_codec(swap_desc_t word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return word.val >> SWAP_DESC_CODEC_SHIFT &
	       (BIT(SWAP_DESC_CODEC_BITS) - 1);
}

static inline bool swap_desc_on_device(swap_desc_t word)
{
	return word.val & SWAP_DESC_DEVICE;
}

/* Return the index of the tier that has the data, or -1 when no tier has it. */
static inline int swap_desc_tier(swap_desc_t word)
{
	if (swap_desc_on_device(word))
		return (word.val & SWAP_DESC_PLACE_MASK) >>
		       SWAP_DESC_TYPE_SHIFT;
	return swap_desc_tag(word) == SWAP_DESC_ZSWAP ? SWAP_TIER_INDEX_ZSWAP :
							-1;
}

/* Return the block of a device that is the copy. */
static inline swp_entry_t swap_desc_block_entry(swap_desc_t word)
{
	unsigned long place = word.val & SWAP_DESC_PLACE_MASK;
	unsigned int type = place >> SWAP_DESC_TYPE_SHIFT;

	VM_WARN_ON_ONCE(!swap_desc_is_block(word));
	place &= BIT(SWAP_DESC_TYPE_SHIFT) - 1;
	return swp_entry(type, place >> SWAP_DESC_TAG_BITS);
}

/* Return the block of a device where the data begins. */
static inline swp_entry_t swap_desc_device_entry(swap_desc_t word)
{
	unsigned long place = word.val & SWAP_DESC_PLACE_MASK;
	unsigned int type = place >> SWAP_DESC_TYPE_SHIFT;

	VM_WARN_ON_ONCE(!swap_desc_on_device(word));
	if (swap_desc_tag(word) == SWAP_DESC_PACKED)
		return swp_entry(type, swap_desc_address(word) >> PAGE_SHIFT);
	return swap_desc_block_entry(word);
}
#endif /* BITS_PER_LONG == 64 */

#endif /* _MM_SWAP_ABS_DESC_H */
