// SPDX-License-Identifier: GPL-2.0
/*
 * Compaction of raw clusters, for the sake of packed data.
 *
 * Packed data is written to whole clusters. A lent cluster that holds a few raw pages is
 * room for more raw pages only: what compresses to a third is written raw there, or not
 * at all. So where packed data finds few free clusters, pages of sparse raw clusters are
 * stored anew in the same tier: packed if they compress and a segment can be had, else in
 * the free slots of other raw clusters.
 *
 * There is no map from a device's slots back to virtual ones, so that all descriptors are
 * looked at to find the pages: 8 bytes a slot of the virtual area. That is not done for
 * less than a 64th of the device, and each page that is written makes at least another
 * one free (swap_format.choose_sparse()).
 *
 * A mover like those of mm/swap_abs/empty.c, with their locks. Asked for by collection,
 * which knows when segments are short (swap_tier_compact(), mm/swap_abs/room.c).
 *
 * To hold: what is picked leaves two clusters' worth of free raw slots, because what was
 * promised raw must be storable meanwhile.
 */
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "move.h"
#include "tier.h"

/* After a search that has found or gained too little. */
#define SWAP_COMPACT_PAUSE	(10 * HZ)

/**
 * swap_tier_compact_work - make clusters free that hold few raw pages
 * @work: swap_tier.compact_work
 */
void swap_tier_compact_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(work, struct swap_tier, compact_work);
	unsigned long gain = swap_tier_compact_gain(tier), moved = 0, picked;
	struct swap_move move = {
		.si	= tier->si,
		.tiers	= swap_tier_bit(tier),
		/* All that was picked. ULONG_MAX would say that the tier is to be emptied. */
		.want	= tier->si->pages,
		.moved	= &moved,
		.stop	= &tier->closed,
	};

	mutex_lock(&tier->move_lock);
	picked = swap_formats_sum(choose_sparse, tier, gain);
	if (picked) {
		swap_move_victims(&move);
		picked -= swap_formats_sum(unchoose, tier);
	}
	/* What could not be moved, or was filled again meanwhile, will not be better soon. */
	WRITE_ONCE(tier->compact_after,
		   jiffies + (picked > gain / 2 || swap_move_freezing() ? 1 :
			      SWAP_COMPACT_PAUSE));
	mutex_unlock(&tier->move_lock);
}
