// SPDX-License-Identifier: GPL-2.0
/*
 * What a read of packed pages has brought along: objects behind the ones that were
 * wanted, whole and in the same blocks. They were evicted next to them, and where
 * memory is used in the same order they are wanted next. Then a copy in zswap, as they
 * are, saves a read each.
 *
 * Where it is not, they would only fill zswap. So this is done while zswap is below its
 * high watermark and the cgroup below its limits, as it frees nothing; and while at
 * least every second object that was kept so is loaded from zswap, be it by readahead.
 * Else one read in 32 still does it, to notice when that changes. What is counted is of
 * all cgroups and tiers together.
 *
 * It is a mover as any (rule 3 of mm/swap_abs.c): a header says whose an object may be,
 * and the descriptor of that slot confirms it by pointing exactly there. What was read
 * may be old by then: the sequence number of the segment has to be that of the read,
 * as no block is written twice under one.
 *
 * Called by mm/swap_abs/packed_read.c when the pages have been unlocked. That is on a
 * workqueue that reclaim may wait for, and other reads wait for their turn there: so it
 * allocates without waiting, and looks at a few objects only. No locks.
 */
#include <linux/memcontrol.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "memcg.h"
#include "packed.h"

/* What is looked at of a read: small objects can be many. */
#define SWAP_NEIGHBOURS_MAX		4
/* How many are tried before it is believed that it does not pay. */
#define SWAP_NEIGHBOURS_MIN		64
/* The newest so many count: when there are as many, all are halved. */
#define SWAP_NEIGHBOURS_WINDOW	256
/* Where it does not pay, one read in so many does it. */
#define SWAP_NEIGHBOURS_PROBE	32

/* Debugfs: tests that count what is read from where switch it off. */
bool swap_neighbours_on = true;

static atomic_t swap_neighbours_tried, swap_neighbours_reads;

static bool swap_neighbours_pay(void)
{
	int tried = atomic_read(&swap_neighbours_tried);

	return tried < SWAP_NEIGHBOURS_MIN || 2 * atomic_read(&swap_neighbours_used) >= tried ||
	       atomic_inc_return(&swap_neighbours_reads) % SWAP_NEIGHBOURS_PROBE == 0;
}

static void swap_neighbours_count(int nr)
{
	int tried = atomic_add_return(nr, &swap_neighbours_tried);

	/* Who crosses the mark halves, and nobody else. */
	if (tried < SWAP_NEIGHBOURS_WINDOW || tried - nr >= SWAP_NEIGHBOURS_WINDOW)
		return;
	atomic_sub(SWAP_NEIGHBOURS_WINDOW / 2, &swap_neighbours_tried);
	atomic_sub(atomic_read(&swap_neighbours_used) / 2, &swap_neighbours_used);
}

/**
 * swap_neighbours_wanted - should what a read has brought along be kept?
 *
 * Context: process context, does not sleep.
 * Return: true when it should.
 */
bool swap_neighbours_wanted(void)
{
	return READ_ONCE(swap_neighbours_on) && swap_neighbours_pay() && swap_zswap_has_room();
}

/* Return: 1 when the object was tried, whether zswap has it now or not. */
static int swap_neighbour_keep(struct swap_tier *tier, const struct swap_object *object,
			       u32 seq)
{
	swap_place_t place;
	swp_entry_t slot;

	/* By readahead, mostly. */
	if (object->slot < READ_ONCE(swap_virtual_area->max) &&
	    swap_cache_has_folio(swp_entry(swap_virtual_area->type, object->slot)))
		return 0;
	if (!swap_object_pin(tier->si, object, &slot, &place))
		return 0;
	swap_debug_move();
	if (swap_segment_of(swap_place_word(place))->seq != seq ||
	    !(swap_memcg_tiers_of(slot, 1) & SWAP_TIER_ZSWAP) ||
	    zswap_adopt_object(slot, place, object, true))
		swap_move_abort(slot, place, -EAGAIN);
	return 1;
}

/**
 * swap_neighbours_keep - keep what a read has brought along in zswap
 * @tier: where it was read, with a reference of its device
 * @offset: of the first block that was read, in pages
 * @buf: the blocks
 * @size: bytes of them
 * @pos: where the objects that were wanted end, in bytes from @buf
 * @seq: of the segment, when the read had ended
 *
 * Context: process context, does not wait for memory.
 */
void swap_neighbours_keep(struct swap_tier *tier, pgoff_t offset, const void *buf,
			  unsigned int size, unsigned int pos, u32 seq)
{
	struct swap_object object;
	int i, tried = 0;

	for (i = 0; i < SWAP_NEIGHBOURS_MAX; i++) {
		if (!swap_object_next(buf, size, &pos, (u64)offset << PAGE_SHIFT, seq, &object))
			break;
		tried += swap_neighbour_keep(tier, &object, seq);
	}
	if (tried)
		swap_neighbours_count(tried);
}
