// SPDX-License-Identifier: GPL-2.0
/*
 * Compaction of raw clusters, which makes whole clusters free for packed data.
 *
 * Packed data is written to whole clusters. A lent cluster that holds a few raw
 * pages has room for more raw pages only: a page that would compress to a third
 * is written raw there, or is not stored at all. So when packed data finds few
 * free clusters, the pages of sparse raw clusters are stored anew in the same
 * tier. A page that compresses is packed if a segment can be had. Any other
 * page goes to a free slot of another raw cluster.
 *
 * There is no map from a device's slots back to virtual slots, so that the
 * mover has to look at all descriptors to find the pages: 8 bytes a slot of the
 * virtual area. To make that worth while, compaction must gain a 64th of the
 * device at least, and each page that it writes must free at least another page
 * of room (swap_format.choose_sparse()).
 *
 * This is a mover like those that call mm/swap_abs/empty.c, and has the same
 * locks. The collector asks for it (swap_tier_compact() in mm/swap_abs/room.c),
 * because it knows when segments are short.
 *
 * To hold: the choice of victims leaves two clusters' worth of free raw slots,
 * because a page that was promised room must be storable raw while compaction
 * runs.
 */
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "move.h"
#include "tier.h"

/* The pause after a compaction that found or gained too little. */
#define SWAP_COMPACT_PAUSE	(10 * HZ)

/*
 * Free the clusters of a tier that hold few raw pages (swap_tier.compact_work).
 */
void swap_tier_compact_work(struct work_struct *work)
{
	struct swap_tier *tier =
		container_of(work, struct swap_tier, compact_work);
	unsigned long gain = swap_tier_compact_gain(tier), moved = 0, picked;
	struct swap_move move = {
		.si	= tier->si,
		.tiers	= swap_tier_bit(tier),
		/*
		 * All victims. ULONG_MAX would mean that the tier is to be
		 * emptied.
		 */
		.want	= tier->si->pages,
		.moved	= &moved,
		.state	= &tier->state,
		.states	= BIT(SWAP_TIER_ONLINE),
	};

	mutex_lock(&tier->move_lock);
	picked = swap_formats_sum(choose_sparse, tier, gain);
	if (picked) {
		swap_move_victims(&move);
		picked -= swap_formats_sum(unchoose, tier);
	}
	/*
	 * Pause unless more than half was gained, because clusters whose pages
	 * could not be moved, or that were filled again, will not become empty
	 * soon.
	 */
	WRITE_ONCE(tier->compact_after,
		   jiffies + (picked > gain / 2 || swap_move_freezing() ? 1 :
			      SWAP_COMPACT_PAUSE));
	mutex_unlock(&tier->move_lock);
}
