// SPDX-License-Identifier: GPL-2.0
/*
 * Where data may go: which tiers a page's cgroup allows, which have room, and which are
 * before or behind another one.
 *
 * All of this is asked for without waiting, and is a hint: the store finds out. It is asked
 * before anything is unmapped, copied or moved, because what then has no place comes back.
 *
 * What a tier has come to (too full, few clusters left) is noted here, too, by who stores:
 * that queues a work of the tier, which mm/swap_abs/policy.c has set.
 *
 * Callers are all that stores or moves data, and mm/swap_abs.c before a page is unmapped.
 * What cgroups allow is known by mm/swap_abs/memcg.c, and how full zswap is by mm/zswap.c;
 * formats are asked by their tables.
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

/**
 * swap_tier_used - pages of RAM, or of the device's capacity, that a tier takes, roughly
 * @tier: the tier
 *
 * Dead space is not among them: it is collected before anything is demoted for it.
 *
 * Context: any.
 * Return: pages.
 */
unsigned long swap_tier_used(struct swap_tier *tier)
{
	long used;

	if (!tier->si)
		return zswap_total_pages();
	/* data_race(): roughly is enough. */
	used = swap_tier_blocks_read(tier) + data_race(percpu_counter_read(&tier->segments_held));
	return max(used, 0);
}

/**
 * swap_tier_watermark - a watermark in pages
 * @tier: the tier
 * @which: which one
 *
 * Context: any.
 * Return: pages that may be used at that mark.
 */
unsigned long swap_tier_watermark(struct swap_tier *tier, enum swap_watermark which)
{
	unsigned long capacity = tier->si ? tier->si->pages - READ_ONCE(tier->hidden) :
					    zswap_capacity();

	return capacity / 100 * READ_ONCE(tier->watermark[which]) +
	       capacity % 100 * READ_ONCE(tier->watermark[which]) / 100;
}

/* Clusters of the device that are free as a whole, at most. A hint. */
unsigned long swap_tier_free_clusters(struct swap_tier *tier)
{
	struct swap_info_struct *si = tier->si;

	if (list_empty_careful(&si->free_clusters))
		return 0;
	return (si->pages - min_t(unsigned long, swap_device_usage(si), si->pages)) /
	       SWAPFILE_CLUSTER;
}

/* Free slots of the clusters that are lent for pages as they are. A hint. */
unsigned long swap_tier_free_slots(struct swap_tier *tier)
{
	/* data_race(): roughly is enough. */
	long nr = swap_tier_lent(tier) - data_race(percpu_counter_read(&tier->used)) -
		  (long)READ_ONCE(tier->nr_spares) * SWAPFILE_CLUSTER;

	return max(nr, 0);
}

/**
 * swap_tier_has_slots - has a device a slot for a page as it is?
 * @tier: its tier
 *
 * There is one in a lent cluster, or a cluster to be had.
 *
 * Context: any. A hint, without locks.
 * Return: true when it seems so.
 */
bool swap_tier_has_slots(struct swap_tier *tier)
{
	return !list_empty_careful(&tier->partial) || !list_empty_careful(&tier->empty) ||
	       !list_empty_careful(&tier->si->free_clusters) ||
	       atomic_read(&tier->nr_holed) > 0 ||
	       (READ_ONCE(tier->compacting) && !list_empty_careful(&tier->victims));
}

/**
 * swap_tiers_beside - the tiers that are asked before or after another one, and are open
 * @tier: the other one
 * @up: before it
 *
 * Context: process context, does not sleep.
 * Return: mask of tiers.
 */
unsigned long swap_tiers_beside(struct swap_tier *tier, bool up)
{
	unsigned long tiers = up && tier->si ? SWAP_TIER_ZSWAP : 0;
	struct swap_tier *pos;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node)
		if (!READ_ONCE(pos->closed) &&
		    (up ? pos->node.prio < tier->node.prio : pos->node.prio > tier->node.prio))
			tiers |= swap_tier_bit(pos);
	spin_unlock(&swap_tiers_lock);
	return tiers;
}

/**
 * swap_tiers_have_room - does one of some tiers have room?
 * @tiers: mask
 *
 * Context: process context, does not sleep.
 * Return: true when it seems so.
 */
bool swap_tiers_have_room(unsigned long tiers)
{
	struct swap_tier *pos;
	bool room = (tiers & SWAP_TIER_ZSWAP) && zswap_room() > 0;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node) {
		if (room)
			break;
		room = (tiers & swap_tier_bit(pos)) && swap_tier_has_room(pos);
	}
	spin_unlock(&swap_tiers_lock);
	return room;
}

/**
 * swap_tiers_have_slots - has a device slots for pages as they are?
 *
 * Context: process context, does not sleep.
 * Return: true when it seems so.
 */
bool swap_tiers_have_slots(void)
{
	struct swap_tier *tier;
	bool have = false;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		have |= !READ_ONCE(tier->closed) && swap_tier_has_slots(tier);
	spin_unlock(&swap_tiers_lock);
	return have;
}

/**
 * swap_zswap_has_room - can zswap take more, and keep it?
 *
 * Above its high watermark it would only demote something else.
 *
 * Context: process context, does not sleep.
 * Return: true when it seems so.
 */
bool swap_zswap_has_room(void)
{
	return zswap_room() > 0 &&
	       zswap_total_pages() < swap_tier_watermark(swap_zswap_tier, SWAP_WMARK_HIGH);
}

/**
 * swap_tier_has_upper - can a tier of a smaller rank take more?
 * @tier: the tier of a device
 * @tiers: mask of those that may
 *
 * And keep it, as swap_zswap_has_room().
 *
 * Context: process context, does not sleep.
 * Return: true when there is one.
 */
bool swap_tier_has_upper(struct swap_tier *tier, unsigned long tiers)
{
	struct swap_tier *pos;
	bool room = false;

	/* Without a lock, where that is what there is. */
	if ((tiers & SWAP_TIER_ZSWAP) && swap_zswap_has_room())
		return true;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node) {
		if (room || pos->node.prio >= tier->node.prio)
			break;
		room = (tiers & swap_tier_bit(pos)) && swap_tier_has_room(pos) &&
		       swap_tier_used(pos) < swap_tier_watermark(pos, SWAP_WMARK_HIGH);
	}
	spin_unlock(&swap_tiers_lock);
	return room;
}

/**
 * swap_zswap_crowds - does zswap take too much of a cgroup's memory?
 * @memcg: the cgroup, which the caller keeps from going, or NULL
 * @flush: it has to be known now; else it is a hint, and may be two seconds old
 *
 * Context: any but interrupts; with @flush, sleeps.
 * Return: true when it has half of what the cgroup or one above it may have, and there is
 * a device which may take it.
 */
bool swap_zswap_crowds(struct mem_cgroup *memcg, bool flush)
{
	return swap_memcg_zswap_full(memcg, flush) && get_nr_swap_pages() > 0 &&
	       mem_cgroup_zswap_writeback_enabled(memcg) &&
	       swap_tiers_have_room(swap_memcg_tiers(memcg, 1) & ~SWAP_TIER_ZSWAP);
}

/**
 * swap_may_zswap - may zswap have more of a cgroup?
 * @memcg: the cgroup, which the caller keeps from going, or NULL
 *
 * By its limit, and by what it has left for what is in use. A hint, as statistics may be two
 * seconds old.
 *
 * Context: any but interrupts.
 * Return: true when it seems so.
 */
bool swap_may_zswap(struct mem_cgroup *memcg)
{
	return mem_cgroup_may_zswap(memcg) && !swap_zswap_crowds(memcg, false);
}

/**
 * swap_objcg_may_zswap - may zswap have more of a cgroup now?
 * @objcg: of the cgroup
 *
 * Context: process context, sleeps.
 * Return: as swap_may_zswap(), by statistics of now.
 */
bool swap_objcg_may_zswap(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg;
	bool may;

	if (!obj_cgroup_may_zswap(objcg))
		return false;
	if (!swap_abs_enabled())
		return true;
	memcg = get_mem_cgroup_from_objcg(objcg);
	may = !swap_zswap_crowds(memcg, true);
	mem_cgroup_put(memcg);
	return may;
}

/**
 * swap_may_grow - may a cgroup have a bit more memory, and more in zswap, without reclaim?
 * @memcg: the cgroup, or NULL
 *
 * The charge would be forced, and unlike that of a page which is swapped out it frees
 * nothing.
 *
 * Context: any.
 * Return: false when the cgroup or one above it is at memory.max, memory.high or
 * memory.zswap.max.
 */
bool swap_may_grow(struct mem_cgroup *memcg)
{
	if (mem_cgroup_disabled())
		return true;
	if (!swap_may_zswap(memcg))
		return false;
#ifdef CONFIG_MEMCG
	for (; memcg && !mem_cgroup_is_root(memcg); memcg = parent_mem_cgroup(memcg))
		if (page_counter_read(&memcg->memory) + SWAP_CLUSTER_MAX >
		    min(READ_ONCE(memcg->memory.max), READ_ONCE(memcg->memory.high)))
			return false;
#endif
	return true;
}

/**
 * swap_tiers_of_folio - where may a folio be stored now?
 * @folio: a locked folio in the swap cache
 *
 * By the limits of its cgroup, as far as they are known without waiting.
 *
 * Context: process context, does not sleep.
 * Return: mask of tiers, whether they have room or not.
 */
unsigned long swap_tiers_of_folio(struct folio *folio)
{
	unsigned long tiers = swap_memcg_tiers_of(folio->swap, folio_nr_pages(folio));

	rcu_read_lock();
	if (!swap_may_zswap(folio_memcg(folio)))
		tiers &= ~SWAP_TIER_ZSWAP;
	rcu_read_unlock();
	if (!folio_zswap_writeback_enabled(folio))
		tiers &= SWAP_TIER_ZSWAP;
	return tiers;
}

/**
 * swap_tier_check_high - more has been stored in a tier
 * @tier: the tier
 *
 * Context: any but interrupts, also with locks held.
 */
void swap_tier_check_high(struct swap_tier *tier)
{
	if (swap_tier_used(tier) <= swap_tier_watermark(tier, SWAP_WMARK_HIGH) ||
	    time_before(jiffies, READ_ONCE(tier->demote_after)) || READ_ONCE(tier->closed))
		return;
	if (!tier->si)
		zswap_kick_shrink();
	else
		swap_move_queue(&tier->demote_work);
}

/**
 * swap_tier_demote_backoff - demotion in the background has done what it could
 * @tier: the tier
 * @moved: has it moved anything?
 *
 * Where it is still too full, there was no room below, or nothing to be moved: that
 * is not tried again at once, nor soon, as it may have to look at every descriptor.
 */
void swap_tier_demote_backoff(struct swap_tier *tier, bool moved)
{
	if (swap_tier_used(tier) <= swap_tier_watermark(tier, SWAP_WMARK_HIGH)) {
		tier->demote_delay = 0;
		return;
	}
	tier->demote_delay = moved ? HZ : clamp(2 * tier->demote_delay, HZ, 16UL * HZ);
	WRITE_ONCE(tier->demote_after, jiffies + tier->demote_delay);
}

/* Clusters that are worth a look at all descriptors. */
unsigned long swap_tier_compact_gain(struct swap_tier *tier)
{
	return max(tier->si->pages / SWAPFILE_CLUSTER / 64, 2);
}

/**
 * swap_tier_compact - there are few clusters that a format can fill as a whole
 * @tier: the tier of a device
 *
 * Context: any, also with locks held and interrupts off.
 */
void swap_tier_compact(struct swap_tier *tier)
{
	if (time_before(jiffies, READ_ONCE(tier->compact_after)) ||
	    swap_tier_free_slots(tier) < swap_tier_compact_gain(tier) * SWAPFILE_CLUSTER)
		return;
	swap_move_queue(&tier->compact_work);
}

/* The rest of swap_copy_irreplaceable(). */
bool __swap_copy_irreplaceable(struct folio *folio)
{
	struct swap_tier *tier;
	swap_desc_t word;

	if (!folio_test_swapcache(folio) || !folio_swap_is_virtual(folio))
		return false;
	word = swap_desc_read(folio->swap);
	if (!swap_desc_on_device(word))
		return false;
	tier = __swap_entry_to_info(swap_desc_device_entry(word))->tier;
	return READ_ONCE(tier->state) == SWAP_TIER_DRAINING;
}
