// SPDX-License-Identifier: GPL-2.0
/*
 * Where data may go: which tiers a page's cgroup allows, which have room, and which are
 * before or behind another one.
 *
 * All of this is asked for without waiting, and is a hint: the store finds out. It is asked
 * before anything is unmapped, copied or moved, because what then has no place comes back.
 *
 * Callers are all that stores or moves data, and mm/swap_abs.c before a page is unmapped.
 *
 * Locks: swap_tiers_lock, for the list of tiers.
 */
#include <linux/jiffies.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "formats.h"
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
	used = data_race(percpu_counter_read(&tier->used)) + swap_packed_excess(tier);
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
		if (!READ_ONCE(pos->draining) &&
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
		have |= !READ_ONCE(tier->draining) && swap_raw_has_room(tier);
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
	if (!swap_memcg_may_zswap(folio_memcg(folio)))
		tiers &= ~SWAP_TIER_ZSWAP;
	rcu_read_unlock();
	if (!folio_zswap_writeback_enabled(folio))
		tiers &= SWAP_TIER_ZSWAP;
	return tiers;
}

/**
 * swap_tier_filled - more has been stored in a tier
 * @tier: the tier
 *
 * Context: any but interrupts, also with locks held.
 */
void swap_tier_filled(struct swap_tier *tier)
{
	if (swap_tier_used(tier) <= swap_tier_watermark(tier, SWAP_WMARK_HIGH) ||
	    time_before(jiffies, READ_ONCE(tier->demote_after)) || READ_ONCE(tier->draining))
		return;
	if (!tier->si)
		zswap_demote_wanted();
	else
		swap_move_queue(&tier->demote_work);
}

/* The rest of swap_folio_copy_is_last(). */
bool __swap_folio_copy_is_last(struct folio *folio)
{
	struct swap_tier *tier;
	swap_desc_t word;

	if (!folio_test_swapcache(folio) || !folio_swap_is_virtual(folio))
		return false;
	word = swap_abs_word(folio->swap);
	if (!swap_desc_on_device(word))
		return false;
	tier = __swap_entry_to_info(swap_desc_device_entry(word))->tier;
	return READ_ONCE(tier->state) == SWAP_TIER_DRAINING;
}
