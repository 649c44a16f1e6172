// SPDX-License-Identifier: GPL-2.0
/*
 * Neighbours of packed pages that were read: objects that lie whole in the same
 * blocks, behind the ones that were wanted. They were evicted together with
 * these, and where a program uses its memory in the same order, it wants them
 * next. A copy of them in zswap, compressed as they are, saves a read each
 * then.
 *
 * If a program uses its memory in another order, the copies only fill zswap. So
 * neighbours are kept only while zswap is below its high watermark and the
 * cgroup is below its limits, because keeping them frees nothing; and while at
 * least every second one of them is loaded from zswap, be it by readahead.
 * Otherwise one read in 32 still keeps its neighbours, to notice when that
 * changes. The counts are of all cgroups and tiers together.
 *
 * This code is a mover like all others (rule 3 in mm/swap_abs.c). A header says
 * which slot an object may belong to, and the descriptor of that slot confirms
 * it by pointing exactly there. The blocks may be old by then, so the segment
 * must still have the sequence number that it had when they were read; no block
 * is written twice under the same number.
 *
 * mm/swap_abs/packed_read.c calls this when the pages have been unlocked. It
 * does so on a workqueue that reclaim may wait for and that other reads wait
 * for, so this code allocates without waiting and looks at a few objects only.
 * It takes no locks.
 */
#include <linux/memcontrol.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "memcg.h"
#include "packed.h"

/*
 * Look at this many objects of a read at most, because small objects can be
 * many.
 */
#define SWAP_NEIGHBOURS_MAX		4
/* Try this many neighbours before concluding that keeping them does not pay. */
#define SWAP_NEIGHBOURS_MIN		64
/*
 * Halve both counts when this many have been tried, so that the newest ones
 * count.
 */
#define SWAP_NEIGHBOURS_WINDOW	256
/*
 * Where keeping neighbours does not pay, one read in this many still does it.
 */
#define SWAP_NEIGHBOURS_PROBE	32

/*
 * Switched off through debugfs by tests that count what is read from which
 * tier.
 */
bool swap_neighbours_on = true;

static atomic_t swap_neighbours_tried, swap_neighbours_reads;

static bool swap_neighbours_pay(void)
{
	int tried = atomic_read(&swap_neighbours_tried);

	return tried < SWAP_NEIGHBOURS_MIN ||
	       2 * atomic_read(&swap_neighbours_used) >= tried ||
	       atomic_inc_return(&swap_neighbours_reads) %
			       SWAP_NEIGHBOURS_PROBE ==
		       0;
}

static void swap_neighbours_count(int nr)
{
	int tried = atomic_add_return(nr, &swap_neighbours_tried);

	/* Only the task that crosses the mark halves the counts. */
	if (tried < SWAP_NEIGHBOURS_WINDOW ||
	    tried - nr >= SWAP_NEIGHBOURS_WINDOW)
		return;
	atomic_sub(SWAP_NEIGHBOURS_WINDOW / 2, &swap_neighbours_tried);
	atomic_sub(atomic_read(&swap_neighbours_used) / 2,
		   &swap_neighbours_used);
}

/* Tell whether the neighbours of a read are to be kept. */
bool swap_neighbours_wanted(void)
{
	return READ_ONCE(swap_neighbours_on) && swap_neighbours_pay() &&
	       swap_tiers_open(SWAP_TIER_ZSWAP, SWAP_OPEN_BELOW_HIGH);
}

/* Return 1 when the object was tried, whether zswap has it now or not. */
static int swap_neighbour_keep(struct swap_tier *tier,
			       const struct swap_object *object, u32 seq)
{
	swap_place_t place;
	swp_entry_t slot;

	/* The page is in the swap cache already, mostly by readahead. */
	if (object->slot < READ_ONCE(swap_virtual_area->max) &&
	    swap_cache_has_folio(swp_entry(swap_virtual_area->type,
					   object->slot)))
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

/*
 * Give zswap copies of the neighbours of a read. The @size bytes of @buf were
 * read from @tier at @offset (in pages), the wanted objects end at @pos (in
 * bytes from @buf), and the segment had the sequence number @seq when the read
 * had ended. The caller has a reference of the device. Does not wait for
 * memory.
 */
void swap_neighbours_keep(struct swap_tier *tier, pgoff_t offset,
			  const void *buf, unsigned int size, unsigned int pos,
			  u32 seq)
{
	struct swap_object object;
	int i, tried = 0;

	for (i = 0; i < SWAP_NEIGHBOURS_MAX; i++) {
		if (!swap_object_next(buf, size, &pos,
				      (u64)offset << PAGE_SHIFT, seq, &object))
			break;
		tried += swap_neighbour_keep(tier, &object, seq);
	}
	if (tried)
		swap_neighbours_count(tried);
}
