// SPDX-License-Identifier: GPL-2.0
/*
 * The life of lent clusters: which slots of a device hold pages as they are.
 *
 * A device lends whole free clusters to its tier (swap_cluster_lend()). A lent
 * cluster has one bit a slot and no swap table. So only a descriptor tells what
 * is in a slot, and only the bit tells that the slot is in use. A cluster with
 * bad slots is lent as well, when there is no other
 * (swap_cluster_lend_holed()): it keeps its swap table, because that tells
 * which slots are bad, and the bits of its bad slots stay set. Clusters that a
 * format fills as a whole (CLUSTER_FLAG_LENT_SEGMENT) have no bits; this file
 * does not deal with them.
 *
 * This file owns the bits, the flags and the lists of lent clusters. The raw
 * backend and the raw format (mm/swap_abs/raw.c) call it, or have its functions
 * in their tables of operations. mm/page_io.c does the I/O with the help of
 * mm/swap_abs/block.c, which notes bad slots in swap_tier.bad.
 *
 * Locks: a lent cluster's lock protects its bits and its flags. It is taken
 * inside of a virtual cluster's lock when slots are freed. swap_tier.lock
 * protects the lists of lent clusters and is inside of a lent cluster's lock;
 * code that begins with a list only tries to lock a cluster. swap_tiers_lock
 * protects the list of tiers and is outside of both. None of these locks is
 * taken in interrupts.
 *
 * To hold:
 *
 *	A cluster that is CLUSTER_FLAG_LENT_PARTIAL has a slot in use and a free
 *	slot.
 *	A cluster that is CLUSTER_FLAG_LENT_FULL has all bits set.
 *	A cluster that is CLUSTER_FLAG_LENT_EMPTY has no bit set but those of
 *	bad slots.
 *
 * Full clusters stand in the order in which they were filled. Demotion picks
 * the first ones as victims (swap_lent_choose_victims()). Until demotion is
 * done with a victim, a store takes a slot there only when no tier has another
 * one, because what was promised to a page must be storable.
 *
 * While storage is suspended, the tables in RAM go on to change, but there may
 * be a hibernation image that refers to what is on the devices. So nothing is
 * written then, no cluster is returned, and no slot that is freed is taken
 * again, not even for the image itself: the cluster of a freed slot is held
 * (CLUSTER_FLAG_LENT_HELD) until the workqueue thaws.
 */
#include <linux/bitmap.h>
#include <linux/init.h>
#include <linux/mempool.h>
#include <linux/percpu.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../swap.h"
#include "lent.h"
#include "slots.h"
#include "tier.h"

/*
 * The slot behind the one that this CPU took last, as an entry of the device.
 * It is a hint in one word, so that it needs no lock. Index 1 is for callers
 * that may not use all devices, such as movers, so that stores which may go
 * anywhere do not follow them. The hint is used until swap_lent_hint_until
 * (jiffies, or 0 for as long as there are slots); see swap_tier_hint_until().
 */
static DEFINE_PER_CPU(unsigned long [2], swap_lent_hint);
static DEFINE_PER_CPU(unsigned long [2], swap_lent_hint_until);

/* Partly used clusters of a tier that are tried before one is borrowed. */
#define SWAP_LENT_MAX_SCAN	8

/*
 * Move a lent cluster to a list of its tier, and set the flag that goes with
 * the list. Empty and held clusters are for the release work.
 */
static void swap_lent_set_list(struct swap_tier *tier, struct swap_cluster_info *ci,
			       enum swap_cluster_flags flags, struct list_head *list)
{
	lockdep_assert_held(&ci->lock);

	if (ci->flags == flags)
		return;

	spin_lock(&tier->lock);
	if (ci->flags != CLUSTER_FLAG_LENT)
		list_del(&ci->list);
	list_add_tail(&ci->list, list);
	spin_unlock(&tier->lock);
	ci->flags = flags;

	if (flags >= CLUSTER_FLAG_LENT_EMPTY)
		queue_work(swap_abs_wq, &tier->release_work);
}

/*
 * Move a locked victim to the front of the list if it has a free slot, because
 * swap_lent_take_victim() looks only at the first one.
 */
static void swap_lent_sort_victims(struct swap_tier *tier, struct swap_cluster_info *ci)
{
	if (bitmap_full(ci->lent_map, SWAPFILE_CLUSTER))
		return;
	spin_lock(&tier->lock);
	list_move(&ci->list, &tier->victims);
	spin_unlock(&tier->lock);
}

/*
 * Tell whether a lent cluster has no slot in use. The bits of bad slots stay
 * set, and only a cluster that has a swap table has bad slots.
 */
static bool swap_lent_is_empty(struct swap_cluster_info *ci)
{
	lockdep_assert_held(&ci->lock);
	if (likely(!rcu_access_pointer(ci->table)))
		return bitmap_empty(ci->lent_map, SWAPFILE_CLUSTER);
	return bitmap_weight(ci->lent_map, SWAPFILE_CLUSTER) == swap_cluster_nr_bad(ci);
}

/*
 * Put a locked lent cluster on the list that its bits call for. A victim
 * remains one until it is empty.
 */
static void swap_lent_refile(struct swap_tier *tier, struct swap_cluster_info *ci)
{
	if (swap_lent_is_empty(ci))
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_EMPTY, &tier->empty);
	else if (ci->flags == CLUSTER_FLAG_LENT_VICTIM)
		swap_lent_sort_victims(tier, ci);
	else if (bitmap_full(ci->lent_map, SWAPFILE_CLUSTER))
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_FULL, &tier->full);
	else
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_PARTIAL, &tier->partial);
}

/*
 * Take up to @nr free slots that follow each other from a locked lent cluster,
 * put the cluster on the list that it belongs to, and unlock it. The search for
 * a free slot begins at @ci_off and goes on at the start of the cluster. With
 * @all, take @nr slots from anywhere in the cluster, or none.
 *
 * Return how many slots were taken; their descriptors are in @words.
 */
static unsigned int swap_lent_take(struct swap_info_struct *si,
				   struct swap_cluster_info *ci, unsigned int ci_off,
				   swap_desc_t *words, unsigned int nr, bool all)
{
	unsigned long start, offset, *map = ci->lent_map;
	unsigned int i, got = 0;

	/*
	 * swapoff clears the flag and then waits for each cluster's lock, so
	 * that no slot is taken any more after that.
	 */
	if (!(READ_ONCE(si->flags) & SWP_WRITEOK))
		goto out;

	if (nr > 1 && all) {
		start = bitmap_find_next_zero_area(map, SWAPFILE_CLUSTER, 0, nr, 0);
		if (start < SWAPFILE_CLUSTER)
			got = nr;
	} else {
		start = find_next_zero_bit(map, SWAPFILE_CLUSTER, ci_off);
		if (start >= SWAPFILE_CLUSTER)
			start = find_first_zero_bit(map, SWAPFILE_CLUSTER);
		if (start < SWAPFILE_CLUSTER)
			got = find_next_bit(map, min_t(unsigned long, SWAPFILE_CLUSTER,
						       start + nr), start) - start;
	}
	bitmap_set(map, start, got);
	/*
	 * Count the slots before the lock is dropped, because swapoff waits for
	 * the lock first and for the count to be 0 after that.
	 */
	percpu_counter_add(&si->tier->used, got);
	swap_tier_check_high(si->tier);
out:
	swap_lent_refile(si->tier, ci);
	swap_cluster_unlock(ci);
	if (!got)
		return 0;

	offset = (ci - si->cluster_info) * SWAPFILE_CLUSTER + start;
	for (i = 0; i < got; i++)
		words[i] = swap_desc_block(SWAP_DESC_RAW, si->type, offset + i);
	return got;
}

/*
 * Tell whether the pages of one folio may lie apart on the device. Only the
 * write operation for block devices can write such a folio.
 */
static bool swap_lent_may_scatter(struct swap_info_struct *si)
{
	return si->ops == &swap_bdev_ops;
}

/*
 * Let this CPU go on behind the slot of @word, if that is in the same cluster.
 */
static void swap_lent_set_hint(unsigned int which, swap_desc_t word)
{
	swp_entry_t entry = swap_desc_device_entry(word);

	entry.val++;
	if (swp_cluster_offset(entry))
		this_cpu_write(swap_lent_hint[which], entry.val);
}

/* Take slots from the cluster that this CPU used last. */
static unsigned int swap_lent_take_hint(swp_entry_t hint, swap_desc_t *words,
					unsigned int nr, bool all)
{
	struct swap_info_struct *si;
	struct swap_cluster_info *ci;
	unsigned int got = 0;

	if (!hint.val)
		return 0;
	/*
	 * Not __swap_type_to_info(), because the device may be gone, and its
	 * type may be another device's.
	 */
	si = READ_ONCE(swap_info[swp_type(hint)]);
	if (!swap_device_tryget(si))
		return 0;
	if (swp_offset(hint) < si->max && (all || swap_lent_may_scatter(si))) {
		ci = swap_cluster_lock(si, swp_offset(hint));
		if (ci->flags == CLUSTER_FLAG_LENT_PARTIAL)
			got = swap_lent_take(si, ci, swp_cluster_offset(hint), words, nr, all);
		else
			swap_cluster_unlock(ci);
	}
	put_swap_device(si);
	return got;
}

/*
 * Take the first cluster that nobody has locked off a list of a tier. Return it
 * locked and on no list (CLUSTER_FLAG_LENT), or NULL.
 */
static struct swap_cluster_info *swap_lent_isolate(struct swap_tier *tier,
						   struct list_head *list)
{
	struct swap_cluster_info *ci;

	spin_lock(&tier->lock);
	list_for_each_entry(ci, list, list) {
		if (!spin_trylock(&ci->lock))
			continue;
		list_del(&ci->list);
		ci->flags = CLUSTER_FLAG_LENT;
		spin_unlock(&tier->lock);
		return ci;
	}
	spin_unlock(&tier->lock);
	return NULL;
}

/*
 * Bitmaps for lent clusters. The pool keeps a few for when there is no memory,
 * because without a bitmap no page can leave RAM.
 */
static mempool_t swap_lent_maps;

static unsigned long *swap_lent_alloc_map(void)
{
	unsigned long *map = mempool_alloc(&swap_lent_maps, GFP_NOWAIT | __GFP_NOWARN);

	if (map)
		bitmap_zero(map, SWAPFILE_CLUSTER);
	return map;
}

static void swap_lent_free_map(unsigned long *map)
{
	mempool_free(map, &swap_lent_maps);
}

/*
 * Tell whether swap_device_adopt() has counted a locked cluster for the layer.
 */
static bool swap_lent_is_adopted(struct swap_info_struct *si, struct swap_cluster_info *ci)
{
	lockdep_assert_held(&ci->lock);
	return ci - si->cluster_info < READ_ONCE(si->nr_adopted);
}

/*
 * Get a lent cluster without a slot in use. Return it locked and on no list
 * (CLUSTER_FLAG_LENT), or NULL if the device has none or there is no bitmap.
 */
static struct swap_cluster_info *swap_lent_borrow(struct swap_tier *tier)
{
	struct swap_cluster_info *ci;
	unsigned long *map;

	/* A cluster that waits to go back to the device will do. */
	ci = swap_lent_isolate(tier, &tier->empty);
	if (ci)
		return ci;

	map = swap_lent_alloc_map();
	if (!map)
		return NULL;
	ci = swap_cluster_lend(tier->si, CLUSTER_FLAG_LENT);
	if (!ci && atomic_read(&tier->nr_holed) > 0) {
		ci = swap_cluster_lend_holed(tier->si, map);
		if (ci) {
			if (swap_lent_is_adopted(tier->si, ci))
				atomic_dec(&tier->nr_holed);
			atomic_long_add(swap_cluster_nr_bad(ci), &tier->nr_lent_bad);
		}
	}
	if (!ci) {
		swap_lent_free_map(map);
		return NULL;
	}
	ci->lent_map = map;
	atomic_long_inc(&tier->nr_lent);
	return ci;
}

/* Take slots from a partly used cluster of a tier, or from a borrowed one. */
static unsigned int swap_lent_take_tier(struct swap_tier *tier, swap_desc_t *words,
					unsigned int nr, bool all)
{
	/* A partly used cluster has no run that is as long as a cluster. */
	unsigned int got, scan = all && nr == SWAPFILE_CLUSTER ? 0 : SWAP_LENT_MAX_SCAN;
	struct swap_cluster_info *ci;

	if (!all && !swap_lent_may_scatter(tier->si))
		return 0;

	while (scan--) {
		ci = swap_lent_isolate(tier, &tier->partial);
		if (!ci)
			break;
		got = swap_lent_take(tier->si, ci, 0, words, nr, all);
		if (got)
			return got;
	}
	ci = swap_lent_borrow(tier);
	return ci ? swap_lent_take(tier->si, ci, 0, words, nr, all) : 0;
}

/*
 * Take a victim off its list: the first one if it has a free slot, or with @any
 * the last one, whatever it holds. Return it locked and on no list
 * (CLUSTER_FLAG_LENT), or NULL, also when somebody else has its lock.
 */
static struct swap_cluster_info *swap_lent_isolate_victim(struct swap_tier *tier, bool any)
{
	struct swap_cluster_info *ci = NULL;

	spin_lock(&tier->lock);
	if (list_empty(&tier->victims))
		goto out;
	ci = any ? list_last_entry(&tier->victims, struct swap_cluster_info, list) :
		   list_first_entry(&tier->victims, struct swap_cluster_info, list);
	if (!spin_trylock(&ci->lock)) {
		ci = NULL;
		goto out;
	}
	if (!any && bitmap_full(ci->lent_map, SWAPFILE_CLUSTER)) {
		spin_unlock(&ci->lock);
		ci = NULL;
		goto out;
	}
	list_del(&ci->list);
	ci->flags = CLUSTER_FLAG_LENT;
out:
	spin_unlock(&tier->lock);
	return ci;
}

/*
 * Take slots from a cluster that demotion or compaction is emptying, because no
 * tier has any other slot. The cluster is no victim any more after that. With
 * @scatter, the slots are for pages of a large folio, and only devices on which
 * these may lie apart are used.
 */
unsigned int swap_lent_take_victim(swap_desc_t *words, unsigned int nr,
				   bool scatter, unsigned long tiers)
{
	struct swap_cluster_info *ci;
	struct swap_tier *tier;
	unsigned int got = 0;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) || READ_ONCE(tier->closed) ||
		    (scatter && !swap_lent_may_scatter(tier->si)))
			continue;
		ci = swap_lent_isolate_victim(tier, false);
		if (ci)
			got = swap_lent_take(tier->si, ci, 0, words, nr, false);
		if (got)
			break;
	}
	spin_unlock(&swap_tiers_lock);
	return got;
}

/*
 * Take slots from the cluster that this CPU used last, or from the first tier
 * in order that has room, of those in the mask. Tiers of one rank take turns.
 */
unsigned int swap_lent_take_any(swap_desc_t *words, unsigned int nr, bool all,
				unsigned long tiers)
{
	unsigned int which = swap_tiers_restricted(tiers), got = 0;
	swp_entry_t hint = { .val = this_cpu_read(swap_lent_hint[which]) };
	struct swap_tier *tier;

	if ((BIT(swp_type(hint)) & tiers) &&
	    !swap_tier_hint_is_old(this_cpu_read(swap_lent_hint_until[which])))
		got = swap_lent_take_hint(hint, words, nr, all);
	if (got)
		goto taken;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) || READ_ONCE(tier->closed))
			continue;
		got = swap_lent_take_tier(tier, words, nr, all);
		if (got) {
			this_cpu_write(swap_lent_hint_until[which], swap_tier_hint_until(tier));
			plist_requeue(&tier->node, &swap_tiers);
			break;
		}
	}
	spin_unlock(&swap_tiers_lock);
	if (!got)
		return 0;
taken:
	swap_lent_set_hint(which, words[got - 1]);
	return got;
}

bool swap_lent_is_bad(struct swap_tier *tier, unsigned long offset)
{
	return unlikely(!xa_empty(&tier->bad)) && xa_load(&tier->bad, offset);
}

/*
 * Note that no descriptor points to a slot any more, if the medium is bad
 * there. Return true in that case: the slot's bit must stay set, so that nobody
 * takes the slot.
 */
static bool swap_lent_keep_bad(struct swap_tier *tier, unsigned long offset)
{
	unsigned long flags;
	bool bad;

	if (likely(xa_empty(&tier->bad)))
		return false;
	xa_lock_irqsave(&tier->bad, flags);
	bad = xa_load(&tier->bad, offset);
	/* The offset has an entry already, so this needs no memory. */
	if (bad)
		__xa_store(&tier->bad, offset, xa_mk_value(SWAP_BAD_FREE), 0);
	xa_unlock_irqrestore(&tier->bad, flags);
	return bad;
}

/*
 * Give slots back to their lent clusters. Their descriptors were never
 * installed, or have been replaced.
 *
 * Does not return the slots' capacity to nr_swap_pages; the caller may do that
 * for as many slots as are returned. These are fewer than @nr if the medium is
 * bad in a slot, which stays taken, or if a device is closed, whose slots do
 * not count in nr_swap_pages.
 *
 * May be called under page-table locks and with interrupts off. Takes O(@nr).
 */
long swap_lent_free(const swap_desc_t *words, unsigned int nr)
{
	unsigned int i = 0, first, counts;
	struct swap_info_struct *si;
	struct swap_cluster_info *ci;
	unsigned long offset;
	swp_entry_t entry;
	long freed = 0;

	while (i < nr) {
		entry = swap_desc_device_entry(words[i]);
		si = __swap_entry_to_info(entry);
		ci = swap_cluster_lock(si, swp_offset(entry));
		VM_WARN_ON_ONCE(ci->flags < CLUSTER_FLAG_LENT);
		counts = ci - si->cluster_info >= READ_ONCE(si->nr_closed);
		first = i;
		do {
			offset = swp_offset(entry);
			VM_WARN_ON_ONCE(!test_bit(offset % SWAPFILE_CLUSTER, ci->lent_map));
			if (!swap_lent_keep_bad(si->tier, offset)) {
				__clear_bit(offset % SWAPFILE_CLUSTER, ci->lent_map);
				swap_range_notify(si, offset, 1);
				freed += counts;
			}
			if (++i == nr)
				break;
			entry = swap_desc_device_entry(words[i]);
		} while (swp_type(entry) == si->type &&
			 __swap_entry_to_cluster(entry) == ci);
		percpu_counter_sub(&si->tier->used, i - first);
		if (pm_suspended_storage())
			swap_lent_set_list(si->tier, ci, CLUSTER_FLAG_LENT_HELD, &si->tier->held);
		else
			swap_lent_refile(si->tier, ci);
		swap_cluster_unlock(ci);
	}
	return freed;
}

/*
 * Tell whether a descriptor points to a raw page in a cluster that is being
 * emptied. The device must be in use. This is a hint, because the slot may be
 * freed at any time.
 */
bool swap_lent_is_victim(swap_desc_t word)
{
	swp_entry_t entry;

	if (swap_desc_tag(word) != SWAP_DESC_RAW)
		return false;
	entry = swap_desc_device_entry(word);
	/*
	 * The offset may be anything, because the word may have been read from
	 * a virtual cluster that is just being freed.
	 */
	if (swp_offset(entry) >= __swap_entry_to_info(entry)->max)
		return false;
	/*
	 * data_race(): the cluster is not locked, because it does no harm to
	 * move a page that is in no victim any more.
	 */
	return data_race(__swap_entry_to_cluster(entry)->flags) == CLUSTER_FLAG_LENT_VICTIM;
}

/* Return the number of slots of a device where the medium is bad. */
unsigned long swap_lent_nr_bad(struct swap_tier *tier)
{
	unsigned long nr = 0, offset;
	void *entry;

	xa_for_each(&tier->bad, offset, entry)
		nr++;
	return nr;
}

/* Let the slots of a device where a write has failed be used again. */
void swap_lent_forget_bad(struct swap_tier *tier)
{
	struct swap_info_struct *si = tier->si;
	struct swap_cluster_info *ci;
	unsigned long offset;
	void *entry;

	xa_for_each(&tier->bad, offset, entry) {
		entry = xa_erase_irq(&tier->bad, offset);
		/* A slot that is in use clears its bit when it is freed. */
		if (entry != xa_mk_value(SWAP_BAD_FREE))
			continue;
		ci = swap_cluster_lock(si, offset);
		if (__test_and_clear_bit(offset % SWAPFILE_CLUSTER, ci->lent_map) &&
		    ci - si->cluster_info >= READ_ONCE(si->nr_closed))
			swap_promise_put(1);
		swap_lent_refile(tier, ci);
		swap_cluster_unlock(ci);
	}
}

/*
 * Mark the full clusters that were filled first as victims, as many as hold
 * @pages. Mark none if that is less than a 64th of the device, because the
 * mover has to scan all descriptors to find their pages.
 *
 * Sleeps. The caller ends this by swap_lent_unchoose() before it drops
 * swap_tier.move_lock.
 */
void swap_lent_choose_victims(struct swap_tier *tier, unsigned long pages)
{
	unsigned long nr = DIV_ROUND_UP(pages, SWAPFILE_CLUSTER);
	struct swap_cluster_info *ci;

	lockdep_assert_held(&tier->move_lock);
	if (pages < tier->si->pages / 64)
		return;
	while (nr-- && (ci = swap_lent_isolate(tier, &tier->full))) {
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_VICTIM, &tier->victims);
		swap_cluster_unlock(ci);
		cond_resched();
	}
}

/*
 * Find the next partly used cluster from *@i on that packed data could have
 * once it is empty. Return it locked, or NULL. *@used is the number of its
 * slots in use, and *@part is the same in 16ths of a cluster, rounded up.
 */
static struct swap_cluster_info *swap_lent_next_sparse(struct swap_tier *tier,
						       unsigned long *i, unsigned int *used,
						       unsigned int *part)
{
	unsigned long clusters = tier->si->max / SWAPFILE_CLUSTER;
	struct swap_cluster_info *ci;

	while (*i < clusters) {
		ci = tier->si->cluster_info + (*i)++;
		if (*i % SWAPFILE_CLUSTER == 0)
			cond_resched();
		/*
		 * data_race(): a hint, because it is checked again under the
		 * lock.
		 */
		if (data_race(ci->flags) != CLUSTER_FLAG_LENT_PARTIAL)
			continue;
		spin_lock(&ci->lock);
		if (ci->flags == CLUSTER_FLAG_LENT_PARTIAL && !rcu_access_pointer(ci->table)) {
			*used = bitmap_weight(ci->lent_map, SWAPFILE_CLUSTER);
			*part = DIV_ROUND_UP(*used * 16, SWAPFILE_CLUSTER);
			return ci;
		}
		spin_unlock(&ci->lock);
	}
	return NULL;
}

/*
 * Mark the @gain emptiest of the partly used clusters as victims, or none if so
 * many are not to be had, because fewer are not worth the scan of all
 * descriptors. Three rules say which clusters are not to be had:
 *
 * A cluster that is more than half full is left alone, because to move its
 * pages would cost more than the cluster is worth. The pages of the victims
 * must fit the free slots of the other clusters, with two clusters' worth of
 * slots to spare. A cluster with bad slots is left alone, because packed data
 * can't have it.
 *
 * Looks at each cluster of the device, and sleeps. The caller ends this by
 * swap_lent_unchoose() before it drops swap_tier.move_lock, if any were marked.
 *
 * Return how many were marked.
 */
unsigned long swap_lent_choose_sparse(struct swap_tier *tier, unsigned long gain)
{
	unsigned long nr[16 + 1] = {}, i, want, left, free = 0, picked = 0;
	unsigned int used, part, limit = 0;
	struct swap_cluster_info *ci;

	lockdep_assert_held(&tier->move_lock);
	for (i = 0; (ci = swap_lent_next_sparse(tier, &i, &used, &part));
	     spin_unlock(&ci->lock)) {
		nr[part]++;
		free += SWAPFILE_CLUSTER - used;
	}

	/*
	 * Each victim costs a cluster's worth of free slots: its own ones, and
	 * as many elsewhere as it has in use.
	 */
	want = free / SWAPFILE_CLUSTER;
	want = want > 2 ? min(want - 2, gain) : 0;
	for (left = want; left && limit < 16 / 2; left -= min(left, nr[limit]))
		limit++;
	want -= left;
	if (want < gain)
		return 0;

	WRITE_ONCE(tier->compacting, true);
	/* How many of the clusters that are just at the limit are wanted. */
	for (left = want, part = 1; part < limit; part++)
		left -= nr[part];
	for (i = 0; picked < want && (ci = swap_lent_next_sparse(tier, &i, &used, &part));
	     spin_unlock(&ci->lock)) {
		if (part > limit || (part == limit && !left))
			continue;
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_VICTIM, &tier->victims);
		swap_lent_sort_victims(tier, ci);
		left -= part == limit;
		picked++;
	}
	if (!picked)
		WRITE_ONCE(tier->compacting, false);
	return picked;
}

/*
 * Take back swap_lent_choose_victims() and swap_lent_choose_sparse(). Victims
 * that are full go to the front of the full clusters again, because they were
 * filled first; taking the last victim first keeps their order. Sleeps.
 *
 * Return how many victims have not become empty.
 */
unsigned long swap_lent_unchoose(struct swap_tier *tier)
{
	struct swap_cluster_info *ci;
	unsigned long nr = 0;

	lockdep_assert_held(&tier->move_lock);
	while (!list_empty_careful(&tier->victims)) {
		ci = swap_lent_isolate_victim(tier, true);
		if (ci) {
			swap_lent_refile(tier, ci);
			nr += ci->flags != CLUSTER_FLAG_LENT_EMPTY;
			if (ci->flags == CLUSTER_FLAG_LENT_FULL) {
				spin_lock(&tier->lock);
				list_move(&ci->list, &tier->full);
				spin_unlock(&tier->lock);
			}
			swap_cluster_unlock(ci);
		}
		cond_resched();
	}
	WRITE_ONCE(tier->compacting, false);
	return nr;
}

/*
 * Let all CPUs look for the first tier in order again, as tiers have changed.
 */
void swap_lent_forget_hints(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		WRITE_ONCE(per_cpu(swap_lent_hint, cpu)[0], 0);
		WRITE_ONCE(per_cpu(swap_lent_hint, cpu)[1], 0);
	}
}

/*
 * Give empty clusters back to the device. Held clusters need not be held any
 * more, because this runs on swap_abs_wq, which is frozen while there is a
 * hibernation image.
 */
void swap_lent_release(struct swap_tier *tier)
{
	struct swap_cluster_info *ci;
	unsigned long *map;
	unsigned int bad;

	while ((ci = swap_lent_isolate(tier, &tier->held))) {
		swap_lent_refile(tier, ci);
		swap_cluster_unlock(ci);
	}
	while ((ci = swap_lent_isolate(tier, &tier->empty))) {
		map = ci->lent_map;
		VM_WARN_ON_ONCE(!swap_lent_is_empty(ci));
		ci->lent_map = NULL;
		bad = swap_cluster_nr_bad(ci);
		if (bad) {
			atomic_long_sub(bad, &tier->nr_lent_bad);
			if (swap_lent_is_adopted(tier->si, ci))
				atomic_inc(&tier->nr_holed);
		}
		swap_cluster_return(tier->si, ci);
		swap_cluster_unlock(ci);
		atomic_long_dec(&tier->nr_lent);
		swap_lent_free_map(map);
		cond_resched();
	}
	/* A cluster that somebody had locked has been left out. */
	if (!list_empty_careful(&tier->empty) || !list_empty_careful(&tier->held))
		queue_work(swap_abs_wq, &tier->release_work);
}

#ifdef CONFIG_HIBERNATION
/*
 * Take a slot of a lent cluster for a hibernation image. The device can't go
 * away, and has no free slot outside of lent clusters. The slot may have been
 * promised to a page, like any slot that hibernation takes.
 *
 * Return the slot's offset on the device, or 0.
 */
unsigned long swap_lent_alloc_image(struct swap_info_struct *si)
{
	swp_entry_t hint = { .val = this_cpu_read(swap_lent_hint[0]) };
	struct swap_tier *tier = si->tier;
	struct swap_cluster_info *ci;
	swap_desc_t word;

	/*
	 * Take slots one after another, so that the image is written in order.
	 */
	if (swp_type(hint) == si->type && swap_lent_take_hint(hint, &word, 1, true))
		goto taken;
	while ((ci = swap_lent_isolate(tier, &tier->partial))) {
		if (swap_lent_take(si, ci, 0, &word, 1, true))
			goto taken;
	}
	return 0;

taken:
	swap_lent_set_hint(0, word);
	swap_promise_put(-1);
	return swp_offset(swap_desc_device_entry(word));
}

/*
 * Free a slot of a hibernation image. Return false, and do nothing, if the slot
 * is not from swap_lent_alloc_image().
 */
bool swap_lent_free_image(swp_entry_t entry)
{
	swap_desc_t word = swap_desc_block(SWAP_DESC_RAW, swp_type(entry), swp_offset(entry));

	/*
	 * data_race(): whether the cluster is lent does not change while the
	 * slot is in use.
	 */
	if (data_race(__swap_entry_to_cluster(entry)->flags) < CLUSTER_FLAG_LENT)
		return false;
	swap_promise_put(swap_lent_free(&word, 1));
	return true;
}

#endif

/*
 * Return what is wrong with the descriptor of a raw page, for the self-check,
 * or NULL. Its virtual cluster is locked, and its device is in use.
 */
const char *swap_lent_check(swap_desc_t word)
{
	swp_entry_t entry = swap_desc_device_entry(word);
	unsigned int ci_off = swp_cluster_offset(entry);
	struct swap_cluster_info *ci = swap_cluster_lock(__swap_entry_to_info(entry),
							 swp_offset(entry));
	const char *wrong = NULL;

	if (ci->flags < CLUSTER_FLAG_LENT || ci->flags == CLUSTER_FLAG_LENT_SEGMENT)
		wrong = "in a cluster that is not lent";
	else if (!test_bit(ci_off, ci->lent_map))
		wrong = "on a free block";
	else if (ci->flags == CLUSTER_FLAG_LENT || ci->flags == CLUSTER_FLAG_LENT_EMPTY ||
		 (ci->flags == CLUSTER_FLAG_LENT_FULL) >
		 bitmap_full(ci->lent_map, SWAPFILE_CLUSTER))
		wrong = "in a cluster on the wrong list";
	swap_cluster_unlock(ci);
	return wrong;
}

static int __init swap_lent_init(void)
{
	return mempool_init_kmalloc_pool(&swap_lent_maps, 16,
					 BITS_TO_LONGS(SWAPFILE_CLUSTER) * sizeof(long));
}
subsys_initcall(swap_lent_init);
