// SPDX-License-Identifier: GPL-2.0
/*
 * Where data may go. Three questions make up all others:
 *
 * - Which tiers are allowed? swap_tiers_of_folio(), swap_memcg_tiers() and
 *   swap_memcg_tiers_of() answer for a folio, a cgroup and a slot.
 * - Which of them take data now? swap_tiers_open() answers.
 * - Which come before or after a tier in the order of ranks? swap_tier.above
 *   and swap_tier.below say it (mm/swap_abs/tier.c).
 *
 * The answers are hints, because only the store finds out whether there is
 * room. Callers ask before they unmap, copy or move a page, because a page that
 * finds no room has to be put back. No answer waits for anything, except that
 * swap_zswap_crowds() with @flush may wait for a cgroup's statistics.
 *
 * Stores and collection also report here that a tier is too full or has few
 * free clusters. This file then queues a work item of the tier, which
 * mm/swap_abs/policy.c has initialized, or zswap's shrinker.
 *
 * The callers are all code that stores or moves data and, before reclaim unmaps
 * a page, mm/swap_abs.c. This file asks mm/swap_abs/memcg.c what cgroups allow,
 * mm/zswap.c how full zswap is, and the formats, through their tables of
 * operations, what room they have.
 *
 * Locks: swap_tiers_lock, for the list of tiers.
 */
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

/*
 * Return how many pages of RAM (zswap), or of the device's capacity, a tier
 * takes, roughly. Dead space does not count, because collection frees it before
 * anything has to be demoted for it. Any context.
 */
unsigned long swap_tier_used(struct swap_tier *tier)
{
	long used;

	if (!tier->si)
		return zswap_total_pages();
	used = swap_tier_blocks_read(tier);
	/* data_race(): an approximate value is enough. */
	used += data_race(percpu_counter_read(&tier->segments_held));
	return max(used, 0);
}

/* Return a watermark as pages in use. Any context. */
unsigned long swap_tier_watermark(struct swap_tier *tier,
				  enum swap_watermark which)
{
	unsigned long capacity =
		tier->si ? tier->si->pages - READ_ONCE(tier->hidden) :
			   zswap_capacity();

	return capacity / 100 * READ_ONCE(tier->watermark[which]) +
	       capacity % 100 * READ_ONCE(tier->watermark[which]) / 100;
}

/* Return an upper bound of the wholly free clusters of a device. A hint. */
unsigned long swap_tier_free_clusters(struct swap_tier *tier)
{
	struct swap_info_struct *si = tier->si;

	if (list_empty_careful(&si->free_clusters))
		return 0;
	return (si->pages - min_t(unsigned long, swap_device_usage(si),
				  si->pages)) / SWAPFILE_CLUSTER;
}

/* Return the number of free slots in clusters lent for raw pages. A hint. */
unsigned long swap_tier_free_slots(struct swap_tier *tier)
{
	long nr = swap_tier_lent(tier);

	/* data_race(): an approximate value is enough. */
	nr -= data_race(percpu_counter_read(&tier->used));
	nr -= ((long)READ_ONCE(tier->nr_spares) +
	       READ_ONCE(tier->nr_bad_segments)) * SWAPFILE_CLUSTER;

	return max(nr, 0);
}

/*
 * Tell whether a device has a slot for an uncompressed page: in a cluster that
 * it has lent, or in one that it can still lend. A hint, without locks; any
 * context.
 */
bool swap_tier_has_slots(struct swap_tier *tier)
{
	return !list_empty_careful(&tier->partial) ||
	       !list_empty_careful(&tier->empty) ||
	       atomic_read(&tier->nr_runs) > 0 ||
	       !list_empty_careful(&tier->si->free_clusters) ||
	       atomic_read(&tier->nr_holed) > 0 ||
	       (READ_ONCE(tier->compacting) &&
		!list_empty_careful(&tier->victims));
}

/* Tell whether a tier takes data now: @how says what is asked for. */
static bool swap_tier_is_open(struct swap_tier *tier, enum swap_open how)
{
	if (!tier->si)
		return how != SWAP_OPEN_SLOTS && zswap_room() > 0 &&
		       (how == SWAP_OPEN_ANY ||
			zswap_total_pages() <
			swap_tier_watermark(tier, SWAP_WMARK_HIGH));
	if (how == SWAP_OPEN_SLOTS)
		return swap_tier_is_online(tier) && swap_tier_has_slots(tier);
	return swap_tier_has_room(tier) &&
	       (how == SWAP_OPEN_ANY ||
		swap_tier_used(tier) <
		swap_tier_watermark(tier, SWAP_WMARK_HIGH));
}

/*
 * Return the first of the tiers of a mask that seems to take data now, as a
 * mask, or 0 if there is none. Process context, does not sleep.
 */
unsigned long swap_tiers_open(unsigned long tiers, enum swap_open how)
{
	unsigned long open = 0;
	struct swap_tier *pos;

	/* zswap precedes all devices, and asking it needs no lock. */
	if ((tiers & SWAP_TIER_ZSWAP) && swap_zswap_tier &&
	    swap_tier_is_open(swap_zswap_tier, how))
		return SWAP_TIER_ZSWAP;
	if (!(tiers & READ_ONCE(swap_tiers_online) & ~SWAP_TIER_ZSWAP))
		return 0;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node) {
		if (!(tiers & swap_tier_bit(pos)) ||
		    !swap_tier_is_open(pos, how))
			continue;
		open = swap_tier_bit(pos);
		break;
	}
	spin_unlock(&swap_tiers_lock);
	return open;
}

/*
 * Tell whether zswap takes too much of a cgroup's memory: half of what the
 * cgroup or one of its ancestors may have, while a device may take the data.
 *
 * The caller keeps @memcg (or NULL) from going away. With @flush the statistics
 * are brought up to date where the answer depends on that, which may sleep.
 * Otherwise the answer is a hint from statistics that may be two seconds old.
 * Any context but interrupts.
 */
bool swap_zswap_crowds(struct mem_cgroup *memcg, bool flush)
{
	return swap_memcg_zswap_full(memcg, flush) && get_nr_swap_pages() > 0 &&
	       mem_cgroup_zswap_writeback_enabled(memcg) &&
	       swap_tiers_open(swap_memcg_tiers(memcg, 1) & ~SWAP_TIER_ZSWAP,
			       SWAP_OPEN_ANY);
}

/*
 * Tell whether zswap may take more data of a cgroup: memory.zswap.max allows
 * it, and zswap leaves the cgroup enough memory for pages that are in use. A
 * hint, because the statistics may be two seconds old.
 *
 * The caller keeps @memcg (or NULL) from going away. Any context but
 * interrupts.
 */
bool swap_may_zswap(struct mem_cgroup *memcg)
{
	return mem_cgroup_may_zswap(memcg) && !swap_zswap_crowds(memcg, false);
}

/*
 * Tell whether a cgroup may have a bit more memory and more data in zswap
 * without reclaim: neither the cgroup nor one of its ancestors is at memory.max
 * or memory.high, and swap_may_zswap() agrees. The caller asks before a charge
 * that can't fail and that frees no page in exchange, as swapping out would.
 *
 * The caller keeps @memcg (or NULL) from going away. Any context but
 * interrupts.
 */
bool swap_may_grow(struct mem_cgroup *memcg)
{
	if (mem_cgroup_disabled())
		return true;
	if (!swap_may_zswap(memcg))
		return false;
#ifdef CONFIG_MEMCG
	for (; memcg && !mem_cgroup_is_root(memcg);
	     memcg = parent_mem_cgroup(memcg))
		if (page_counter_read(&memcg->memory) + SWAP_CLUSTER_MAX >
		    min(READ_ONCE(memcg->memory.max),
			READ_ONCE(memcg->memory.high)))
			return false;
#endif
	return true;
}

/*
 * Return a mask of the tiers that the limits of its cgroup allow for a folio,
 * which is locked and in the swap cache. The tiers need not have room. Process
 * context, does not sleep, so the statistics may be old.
 */
unsigned long swap_tiers_of_folio(struct folio *folio)
{
	unsigned long tiers =
		swap_memcg_tiers_of(folio->swap, folio_nr_pages(folio));

	rcu_read_lock();
	if (!swap_may_zswap(folio_memcg(folio)))
		tiers &= ~SWAP_TIER_ZSWAP;
	rcu_read_unlock();
	if (!folio_zswap_writeback_enabled(folio))
		tiers &= SWAP_TIER_ZSWAP;
	return tiers;
}

/*
 * Start demotion in the background if the tier, in which more has been stored,
 * is above its high watermark. Any context but interrupts, also with spinlocks
 * held.
 */
void swap_tier_check_high(struct swap_tier *tier)
{
	if (swap_tier_used(tier) <=
		    swap_tier_watermark(tier, SWAP_WMARK_HIGH) ||
	    time_before(jiffies, READ_ONCE(tier->demote_after)) ||
	    !swap_tier_is_online(tier))
		return;
	if (!tier->si)
		zswap_kick_shrink();
	else
		swap_move_queue(&tier->demote_work);
}

/*
 * Put off the next demotion, after the last one has moved what it could. A tier
 * that is still too full had data that can't be moved, or found no room in the
 * tiers below. Trying again soon would not help and may cost a look at every
 * descriptor, so the delay doubles while nothing moves.
 */
void swap_tier_demote_backoff(struct swap_tier *tier, bool moved)
{
	if (swap_tier_used(tier) <=
	    swap_tier_watermark(tier, SWAP_WMARK_HIGH)) {
		tier->demote_delay = 0;
		return;
	}
	tier->demote_delay =
		moved ? HZ : clamp(2 * tier->demote_delay, HZ, 16UL * HZ);
	WRITE_ONCE(tier->demote_after, jiffies + tier->demote_delay);
}

/* Return how many clusters justify a scan of all descriptors. */
unsigned long swap_tier_compact_gain(struct swap_tier *tier)
{
	return max(tier->si->pages / SWAPFILE_CLUSTER / 64, 2);
}

/*
 * Queue the compaction of a device's tier, on which few clusters are left that
 * a format can fill as a whole, unless it would gain too little or was tried in
 * vain a short time ago. Any context, also with spinlocks held and interrupts
 * off.
 */
void swap_tier_compact(struct swap_tier *tier)
{
	if (time_before(jiffies, READ_ONCE(tier->compact_after)) ||
	    swap_tier_free_slots(tier) <
	    swap_tier_compact_gain(tier) * SWAPFILE_CLUSTER)
		return;
	swap_move_queue(&tier->compact_work);
}

/*
 * Answer for swap_copy_irreplaceable() once the layer has been switched on.
 * Look at each page, because those of a large folio may lie on several devices.
 */
bool __swap_copy_irreplaceable(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio);
	swp_entry_t slot = folio->swap;
	struct swap_tier *tier;
	swap_desc_t word;

	if (!folio_test_swapcache(folio) || !folio_swap_is_virtual(folio))
		return false;
	for (i = 0; i < nr; i++, slot.val++) {
		word = swap_desc_of(slot);
		if (!swap_desc_on_device(word))
			continue;
		tier = swap_desc_to_tier(word);
		if (READ_ONCE(tier->state) == SWAP_TIER_DRAINING)
			return true;
	}
	return false;
}
