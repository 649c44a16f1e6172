// SPDX-License-Identifier: GPL-2.0
/*
 * The raw backend of the swap abstraction: a page-sized block of a swap device
 * or swapfile a page, as swap has always written it.
 *
 * A device lends whole free clusters to its tier (swap_cluster_lend()). A lent
 * cluster has one bit a slot and no swap table: nothing but a descriptor knows
 * what is in a slot, and nothing but the bit that it is in use. This file owns
 * the bits, and which lent clusters have room. It is called through two tables of
 * operations: as a backend, and as the plain format, which takes what others refuse
 * (mm/swap_abs/tier.h). The I/O is done by mm/page_io.c (mm/swap_abs/block.c).
 *
 * A slot is taken at writeout, one after another from a cluster that the CPU
 * has used last, so that pages which are written together lie together. The
 * pages of a large folio are put next to each other where there is such a run,
 * and anywhere else where there is not: mm/page_io.c writes them as a unit.
 *
 * Locks: a lent cluster's lock protects its bits and its flags, and is taken
 * inside of a virtual cluster's lock when slots are freed. swap_tier.lock, for
 * the lists of lent clusters, is inside of that. swap_tiers_lock keeps the list
 * of tiers, and is outside of both. None is taken in interrupts.
 *
 * To hold: the bits of a lent cluster that is CLUSTER_FLAG_LENT_PARTIAL are not
 * all set and not all clear; those of CLUSTER_FLAG_LENT_FULL all set; those of
 * CLUSTER_FLAG_LENT_EMPTY all clear.
 *
 * Clusters that are full stand in the order in which they were filled. Demotion picks
 * the first ones (swap_raw_choose_victims()), and until it has done with them, new slots are
 * taken there only when there are none on any tier: what was promised is promised.
 *
 * While storage is suspended there may be a hibernation image that refers to
 * what is on the devices, while the tables in RAM go on. Nothing is written then,
 * no cluster is returned, and no slot that is freed is taken, be it for the image
 * itself: its cluster is held (CLUSTER_FLAG_LENT_HELD) until the workqueue thaws.
 */
#include <linux/bio.h>
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/mempool.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "slots.h"
#include "tier.h"

#include <trace/events/swap_abs.h>

/*
 * The slot after the one that this CPU took last, as an entry of the device: a
 * hint in one word, so that it needs no lock. The second one is of those who may not
 * go everywhere, movers for one: nobody else should follow them.
 */
static DEFINE_PER_CPU(unsigned long [2], swap_raw_hint);
static DEFINE_PER_CPU(unsigned long [2], swap_raw_hint_until);

/* How many clusters are looked through for a run of slots for a large folio. */
#define SWAP_RAW_MAX_SCAN	8

/* Put a lent cluster on a list of its tier. */
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

/* Of the clusters that are emptied, those with a free slot come first. */
static void swap_raw_sort_victims(struct swap_tier *tier, struct swap_cluster_info *ci)
{
	if (bitmap_full(ci->lent_map, SWAPFILE_CLUSTER))
		return;
	spin_lock(&tier->lock);
	list_move(&ci->list, &tier->victims);
	spin_unlock(&tier->lock);
}

/* Has a lent cluster no slot in use? Bad ones stay set in one that has a swap table. */
static bool swap_raw_is_empty(struct swap_cluster_info *ci)
{
	lockdep_assert_held(&ci->lock);
	if (likely(!rcu_access_pointer(ci->table)))
		return bitmap_empty(ci->lent_map, SWAPFILE_CLUSTER);
	return bitmap_weight(ci->lent_map, SWAPFILE_CLUSTER) == swap_cluster_nr_bad(ci);
}

/* Put a lent cluster on the list that its bits say. */
static void swap_lent_refile(struct swap_tier *tier, struct swap_cluster_info *ci)
{
	if (swap_raw_is_empty(ci))
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_EMPTY, &tier->empty);
	else if (ci->flags == CLUSTER_FLAG_LENT_VICTIM)
		swap_raw_sort_victims(tier, ci);
	else if (bitmap_full(ci->lent_map, SWAPFILE_CLUSTER))
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_FULL, &tier->full);
	else
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_PARTIAL, &tier->partial);
}

/*
 * Take slots that follow each other from a locked lent cluster, from @ci_off on
 * or before it, and unlock it. With @all, @nr of them or none; else as many as
 * come at once.
 *
 * Return: how many; their descriptors are in @words.
 */
static unsigned int swap_raw_take(struct swap_info_struct *si,
				  struct swap_cluster_info *ci, unsigned int ci_off,
				  swap_desc_t *words, unsigned int nr, bool all)
{
	unsigned long start, offset, *map = ci->lent_map;
	unsigned int i, got = 0;

	/* swapoff waits for each cluster's lock after it has cleared the flag. */
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
	/* Before the lock is dropped: swapoff waits for it, then for this to be 0. */
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

/* May the pages of one folio lie apart on the device? */
static bool swap_raw_may_scatter(struct swap_info_struct *si)
{
	return si->ops == &swap_bdev_ops;
}

/* Slots up to that of @word have been taken: go on behind it, if that is in its cluster. */
static void swap_raw_set_hint(unsigned int which, swap_desc_t word)
{
	swp_entry_t entry = swap_desc_device_entry(word);

	entry.val++;
	if (swp_cluster_offset(entry))
		this_cpu_write(swap_raw_hint[which], entry.val);
}

/* From the cluster that a CPU has used last. */
static unsigned int swap_raw_take_hint(swp_entry_t hint, swap_desc_t *words,
				       unsigned int nr, bool all)
{
	struct swap_info_struct *si;
	struct swap_cluster_info *ci;
	unsigned int got = 0;

	if (!hint.val)
		return 0;
	/* Not __swap_type_to_info(): the device may be gone, or another one. */
	si = READ_ONCE(swap_info[swp_type(hint)]);
	if (!swap_device_tryget(si))
		return 0;
	if (swp_offset(hint) < si->max && (all || swap_raw_may_scatter(si))) {
		ci = swap_cluster_lock(si, swp_offset(hint));
		if (ci->flags == CLUSTER_FLAG_LENT_PARTIAL)
			got = swap_raw_take(si, ci, swp_cluster_offset(hint), words, nr, all);
		else
			swap_cluster_unlock(ci);
	}
	put_swap_device(si);
	return got;
}

/* The first cluster on a tier's list that nobody has locked: locked, off-list. */
static struct swap_cluster_info *swap_raw_isolate(struct swap_tier *tier,
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
 * The bits of a lent cluster. A few are kept for when there is no memory, as a page can't
 * leave RAM without them.
 */
static mempool_t swap_raw_maps;

static unsigned long *swap_raw_alloc_map(void)
{
	unsigned long *map = mempool_alloc(&swap_raw_maps, GFP_NOWAIT | __GFP_NOWARN);

	if (map)
		bitmap_zero(map, SWAPFILE_CLUSTER);
	return map;
}

static void swap_raw_free_map(unsigned long *map)
{
	mempool_free(map, &swap_raw_maps);
}

/* Is a locked cluster counted as the layer can use it? See swap_device_adopt(). */
static bool swap_raw_is_adopted(struct swap_info_struct *si, struct swap_cluster_info *ci)
{
	lockdep_assert_held(&ci->lock);
	return ci - si->cluster_info < READ_ONCE(si->nr_adopted);
}

/* A lent cluster with all slots free, locked and off-list, or NULL. */
static struct swap_cluster_info *swap_raw_borrow(struct swap_tier *tier)
{
	struct swap_cluster_info *ci;
	unsigned long *map;

	/* One that is about to go back to the device will do. */
	ci = swap_raw_isolate(tier, &tier->empty);
	if (ci)
		return ci;

	map = swap_raw_alloc_map();
	if (!map)
		return NULL;
	ci = swap_cluster_lend(tier->si, CLUSTER_FLAG_LENT);
	if (!ci && atomic_read(&tier->nr_holed) > 0) {
		ci = swap_cluster_lend_holed(tier->si, map);
		if (ci) {
			if (swap_raw_is_adopted(tier->si, ci))
				atomic_dec(&tier->nr_holed);
			atomic_long_add(swap_cluster_nr_bad(ci), &tier->nr_lent_bad);
		}
	}
	if (!ci) {
		swap_raw_free_map(map);
		return NULL;
	}
	ci->lent_map = map;
	atomic_long_inc(&tier->nr_lent);
	return ci;
}

static unsigned int swap_raw_take_tier(struct swap_tier *tier, swap_desc_t *words,
				       unsigned int nr, bool all)
{
	/* A whole cluster is not found in part of one. */
	unsigned int got, scan = nr == SWAPFILE_CLUSTER ? 0 : SWAP_RAW_MAX_SCAN;
	struct swap_cluster_info *ci;

	if (!all && !swap_raw_may_scatter(tier->si))
		return 0;

	while (scan--) {
		ci = swap_raw_isolate(tier, &tier->partial);
		if (!ci)
			break;
		got = swap_raw_take(tier->si, ci, 0, words, nr, all);
		if (got)
			return got;
	}
	ci = swap_raw_borrow(tier);
	return ci ? swap_raw_take(tier->si, ci, 0, words, nr, all) : 0;
}

/*
 * A cluster that is being emptied, locked and off-list: the first one if that has a
 * free slot, or with @any the last one, whatever it has. Or NULL.
 */
static struct swap_cluster_info *swap_raw_isolate_victim(struct swap_tier *tier, bool any)
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

/* No tier has a slot but where demotion makes them free. @scatter: of a large folio. */
static unsigned int swap_raw_take_victim(swap_desc_t *words, unsigned int nr,
					 bool scatter, unsigned long tiers)
{
	struct swap_cluster_info *ci;
	struct swap_tier *tier;
	unsigned int got = 0;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) || READ_ONCE(tier->closed) ||
		    (scatter && !swap_raw_may_scatter(tier->si)))
			continue;
		ci = swap_raw_isolate_victim(tier, false);
		if (ci)
			got = swap_raw_take(tier->si, ci, 0, words, nr, false);
		if (got)
			break;
	}
	spin_unlock(&swap_tiers_lock);
	return got;
}

/* From any tier, the first in order that has room; equal ones take turns. */
static unsigned int swap_raw_take_any(swap_desc_t *words, unsigned int nr, bool all,
				      unsigned long tiers)
{
	unsigned int which = swap_tiers_restricted(tiers), got = 0;
	swp_entry_t hint = { .val = this_cpu_read(swap_raw_hint[which]) };
	struct swap_tier *tier;

	if ((BIT(swp_type(hint)) & tiers) &&
	    !swap_tier_hint_is_old(this_cpu_read(swap_raw_hint_until[which])))
		got = swap_raw_take_hint(hint, words, nr, all);
	if (got)
		goto taken;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) || READ_ONCE(tier->closed))
			continue;
		got = swap_raw_take_tier(tier, words, nr, all);
		if (got) {
			this_cpu_write(swap_raw_hint_until[which], swap_tier_hint_until(tier));
			plist_requeue(&tier->node, &swap_tiers);
			break;
		}
	}
	spin_unlock(&swap_tiers_lock);
	if (!got)
		return 0;
taken:
	swap_raw_set_hint(which, words[got - 1]);
	return got;
}

static bool swap_raw_is_bad(struct swap_tier *tier, unsigned long offset)
{
	return unlikely(!xa_empty(&tier->bad)) && xa_load(&tier->bad, offset);
}

/* A slot is free: if it is bad, note that instead. Return: true when that has been done. */
static bool swap_raw_keep_bad(struct swap_tier *tier, unsigned long offset)
{
	unsigned long flags;
	bool bad;

	if (likely(xa_empty(&tier->bad)))
		return false;
	xa_lock_irqsave(&tier->bad, flags);
	bad = xa_load(&tier->bad, offset);
	/* There is something already, so this takes no memory. */
	if (bad)
		__xa_store(&tier->bad, offset, xa_mk_value(SWAP_BAD_FREE), 0);
	xa_unlock_irqrestore(&tier->bad, flags);
	return bad;
}

/**
 * swap_raw_free - give slots back to their lent clusters
 * @words: descriptors, not installed or not any longer
 * @nr: their number
 *
 * Not the capacity that they are: that stays with the caller, but for slots
 * where a write has failed, which stay taken, and for those of closed devices.
 *
 * Context: also under page-table locks and with interrupts off; O(@nr).
 * Return: how many slots are free now, of devices that count in nr_swap_pages.
 */
static long swap_raw_free(const swap_desc_t *words, unsigned int nr)
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
			if (!swap_raw_keep_bad(si->tier, offset)) {
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

/**
 * swap_raw_untake - give slots back that were never installed
 * @words: descriptors from swap_raw_alloc()
 * @nr: their number
 *
 * The caller keeps the capacity that it has taken for them. Where the device has been
 * closed meanwhile, that has been counted as if they were in use.
 *
 * Context: process context.
 */
static void swap_raw_untake(const swap_desc_t *words, unsigned int nr)
{
	swap_promise_put(swap_raw_free(words, nr) - (long)nr);
}

/**
 * swap_raw_alloc - take slots on devices
 * @words: gets a descriptor a page
 * @nr: pages, of one folio
 * @tiers: mask of the tiers that may be used
 *
 * Next to each other where there is such a run on a device, else anywhere.
 * The caller has taken or reserved device capacity for them, so that failure
 * is the exception: no memory for a cluster's bits, a device on its way out, or
 * storage that is suspended.
 *
 * Context: process context, may sleep for a discard, GFP_NOIO.
 * Return: true with @nr words, or false.
 */
static bool swap_raw_alloc(swap_desc_t *words, unsigned int nr, unsigned long tiers)
{
	unsigned int got, total = 0;
	bool discarded = false;

	if (pm_suspended_storage())
		return false;
	if (swap_raw_take_any(words, nr, true, tiers))
		return true;

	while (total < nr) {
		got = swap_raw_take_any(words + total, nr - total, false, tiers);
		if (got) {
			total += got;
			continue;
		}
		if (nr == 1 && swap_raw_take_any(words, nr, true, tiers))
			return true;
		got = swap_raw_take_victim(words + total, nr - total, nr > 1, tiers);
		if (got) {
			total += got;
			continue;
		}
		/* One that is lent ahead for packed data serves better here. */
		if (swap_formats_sum(yield, tiers))
			continue;
		/* Free clusters may wait for their discard. */
		if (discarded || !swap_sync_discard()) {
			swap_raw_untake(words, total);
			return false;
		}
		discarded = true;
	}
	return true;
}

/*
 * Is a word of a device in use that of a raw page in one of them? A hint, as the slot may be
 * freed at any time.
 */
static bool swap_raw_is_victim(swap_desc_t word)
{
	swp_entry_t entry;

	if (swap_desc_tag(word) != SWAP_DESC_RAW)
		return false;
	entry = swap_desc_device_entry(word);
	/* What is read of a cluster that is just being freed may be anything. */
	if (swp_offset(entry) >= __swap_entry_to_info(entry)->max)
		return false;
	/* Without the cluster's lock: to move a page that is not does no harm. */
	return data_race(__swap_entry_to_cluster(entry)->flags) == CLUSTER_FLAG_LENT_VICTIM;
}

/*
 * A dirty folio may be written over its old copy, where that is sound. But what
 * came back soon goes to the first tier that has room.
 */
static bool swap_raw_rewrite(struct folio *folio, unsigned long tiers)
{
	unsigned int i, nr = folio_nr_pages(folio);
	swp_entry_t slot = folio->swap, entry;
	struct swap_info_struct *si;
	swap_desc_t word;

	for (i = 0; i < nr; i++, slot.val++) {
		word = swap_desc_read(slot);
		if (swap_desc_tag(word) != SWAP_DESC_RAW || swap_desc_is_pinned(word))
			return false;
		entry = swap_desc_device_entry(word);
		si = __swap_entry_to_info(entry);
		if (!(READ_ONCE(si->flags) & SWP_WRITEOK) || !(BIT(si->type) & tiers) ||
		    swap_raw_is_bad(si->tier, swp_offset(entry)) ||
		    (READ_ONCE(si->tier->compacting) && swap_raw_is_victim(word)))
			return false;
		if (folio_test_workingset(folio) && swap_tier_has_upper(si->tier, tiers))
			return false;
	}
	return true;
}

/* Take the device capacity that a folio needs besides what its slots have. */
static bool swap_raw_take_room(struct folio *folio, long *taken)
{
	*taken = swap_promise_needed(folio);
	return !*taken || swap_promise_take(*taken);
}

static struct swap_tier *swap_raw_tier(struct folio *folio)
{
	return __swap_entry_to_info(swap_abs_backing(folio->swap))->tier;
}

static void swap_raw_count(struct folio *folio, enum swap_tier_stat stat)
{
	swap_tier_count(swap_raw_tier(folio), stat, folio_nr_pages(folio));
}

static int swap_raw_store(struct swap_io_ctx *ctx, struct folio *folio,
			  unsigned long tiers)
{
	unsigned int nr = folio_nr_pages(folio);
	swap_desc_t single, *words;
	int err = -ENOSPC;
	long taken;

	if (pm_suspended_storage())
		return -EBUSY;
	if (!swap_raw_rewrite(folio, tiers)) {
		if (!swap_raw_take_room(folio, &taken))
			return -ENOSPC;
		words = swap_desc_alloc(folio, &single);
		if (!words) {
			err = -ENOMEM;
			goto give_room;
		}
		if (!swap_raw_alloc(words, nr, tiers))
			goto free_words;
		swap_desc_install(folio, words, taken);
		swap_desc_free(words, &single);
	}

	trace_swap_abs_store(folio->swap, swap_desc_read(folio->swap), nr);
	swap_raw_count(folio, swap_tiers_stat(tiers));
	swap_tier_count(swap_raw_tier(folio), SWAP_TIER_WRITTEN, (long)nr << PAGE_SHIFT);
	__swap_writepage(ctx, folio);
	return 0;
free_words:
	swap_desc_free(words, &single);
give_room:
	swap_promise_put(taken);
	return err;
}

static void swap_raw_load(struct swap_io_ctx *ctx, struct folio *folio)
{
	if (!ctx->moved) {
		swap_raw_count(folio, SWAP_TIER_LOAD);
		/* It had to be read from a device: zswap has let go of too much. */
		zswap_folio_swapin(folio);
	}
	swap_read_add(ctx, folio);
}

static struct swap_info_struct *swap_raw_device(swap_desc_t word)
{
	return __swap_entry_to_info(swap_desc_device_entry(word));
}

static bool swap_raw_can_load_as_one(swap_desc_t first, swap_desc_t next, unsigned int i)
{
	/* data_race(): does not change while the device is in use. */
	if (!data_race(swap_raw_device(first)->flags & SWP_BLKDEV))
		return false;
	/* One extent for the device, hence one bio for the folio. */
	return swap_desc_is_at(next, swap_place_behind(swap_desc_place(first), i));
}

static bool swap_raw_flag(swap_desc_t word, unsigned long flag)
{
	struct swap_info_struct *si;

	/* A hint: the device may have just gone, or the word be of another slot. */
	si = READ_ONCE(swap_info[swp_type(swap_desc_device_entry(word)) % MAX_SWAPFILES]);
	/* data_race(): either answer is right for any device. */
	return si && (data_race(si->flags) & flag);
}

static bool swap_raw_synchronous(swap_desc_t word)
{
	return swap_raw_flag(word, SWP_SYNCHRONOUS_IO);
}

static bool swap_raw_stable(swap_desc_t word)
{
	return swap_raw_flag(word, SWP_STABLE_WRITES);
}

/* Slots where the medium is bad. */
static unsigned long swap_raw_nr_bad(struct swap_tier *tier)
{
	unsigned long nr = 0, offset;
	void *entry;

	xa_for_each(&tier->bad, offset, entry)
		nr++;
	return nr;
}

/**
 * swap_raw_forget_bad - let slots be used again where a write has failed
 * @tier: the tier
 *
 * Context: process context, sleeps.
 */
static void swap_raw_forget_bad(struct swap_tier *tier)
{
	struct swap_info_struct *si = tier->si;
	struct swap_cluster_info *ci;
	unsigned long offset;
	void *entry;

	xa_for_each(&tier->bad, offset, entry) {
		entry = xa_erase_irq(&tier->bad, offset);
		/* Of those that a word points to, that will free the bit. */
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

/**
 * swap_raw_choose_victims - mark the clusters that were filled first
 * @tier: the tier of a device
 * @pages: how much they should hold
 *
 * A scan of all descriptors is needed to find what is there, so nothing is picked where
 * little is wanted.
 *
 * Context: process context, sleeps; swap_tier.move_lock held, to be ended by
 * swap_raw_unchoose().
 */
static void swap_raw_choose_victims(struct swap_tier *tier, unsigned long pages)
{
	unsigned long nr = DIV_ROUND_UP(pages, SWAPFILE_CLUSTER);
	struct swap_cluster_info *ci;

	lockdep_assert_held(&tier->move_lock);
	if (pages < tier->si->pages / 64)
		return;
	while (nr-- && (ci = swap_raw_isolate(tier, &tier->full))) {
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_VICTIM, &tier->victims);
		swap_cluster_unlock(ci);
		cond_resched();
	}
}

/*
 * The next partly used cluster from @i on that packed data could have: locked, or NULL.
 * It holds @used pages, in 16ths and rounded up @part.
 */
static struct swap_cluster_info *swap_raw_next_sparse(struct swap_tier *tier,
						      unsigned long *i, unsigned int *used,
						      unsigned int *part)
{
	unsigned long clusters = tier->si->max / SWAPFILE_CLUSTER;
	struct swap_cluster_info *ci;

	while (*i < clusters) {
		ci = tier->si->cluster_info + (*i)++;
		if (*i % SWAPFILE_CLUSTER == 0)
			cond_resched();
		/* data_race(): a hint, looked at again with the lock. */
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

/**
 * swap_raw_choose_sparse - mark clusters that hold little
 * @tier: the tier of a device
 * @gain: clusters, so many or none, as fewer are not worth it
 *
 * The emptiest ones, none that is more than half full, as moving what it holds would cost
 * more than it gives; and only so many that what they hold fits the other ones, with two
 * clusters' worth of slots to spare. A cluster with bad slots is left alone, as packed
 * data can't have it.
 *
 * Context: process context, sleeps, looks at each cluster of the device;
 * swap_tier.move_lock held, to be ended by swap_raw_unchoose() if there are any.
 * Return: how many.
 */
static unsigned long swap_raw_choose_sparse(struct swap_tier *tier, unsigned long gain)
{
	unsigned long nr[16 + 1] = {}, i, want, left, free = 0, picked = 0;
	unsigned int used, part, limit = 0;
	struct swap_cluster_info *ci;

	lockdep_assert_held(&tier->move_lock);
	for (i = 0; (ci = swap_raw_next_sparse(tier, &i, &used, &part));
	     spin_unlock(&ci->lock)) {
		nr[part]++;
		free += SWAPFILE_CLUSTER - used;
	}

	/* One that is picked takes its free slots, and needs as many as it has used. */
	want = free / SWAPFILE_CLUSTER;
	want = want > 2 ? min(want - 2, gain) : 0;
	for (left = want; left && limit < 16 / 2; left -= min(left, nr[limit]))
		limit++;
	want -= left;
	if (want < gain)
		return 0;

	WRITE_ONCE(tier->compacting, true);
	/* How many of those that are just at the limit. */
	for (left = want, part = 1; part < limit; part++)
		left -= nr[part];
	for (i = 0; picked < want && (ci = swap_raw_next_sparse(tier, &i, &used, &part));
	     spin_unlock(&ci->lock)) {
		if (part > limit || (part == limit && !left))
			continue;
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_VICTIM, &tier->victims);
		swap_raw_sort_victims(tier, ci);
		left -= part == limit;
		picked++;
	}
	if (!picked)
		WRITE_ONCE(tier->compacting, false);
	return picked;
}

/**
 * swap_raw_unchoose - take back swap_raw_choose_victims()
 * @tier: the tier
 *
 * What is full is first in order again.
 *
 * Context: process context, sleeps; swap_tier.move_lock held.
 * Return: how many have not become empty.
 */
static unsigned long swap_raw_unchoose(struct swap_tier *tier)
{
	struct swap_cluster_info *ci;
	unsigned long nr = 0;

	lockdep_assert_held(&tier->move_lock);
	while (!list_empty_careful(&tier->victims)) {
		ci = swap_raw_isolate_victim(tier, true);
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

/* Let all CPUs look for the first tier in order again. */
static void swap_raw_forget_hints(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		WRITE_ONCE(per_cpu(swap_raw_hint, cpu)[0], 0);
		WRITE_ONCE(per_cpu(swap_raw_hint, cpu)[1], 0);
	}
}

static void swap_raw_release(struct swap_tier *tier)
{
	struct swap_cluster_info *ci;
	unsigned long *map;
	unsigned int bad;

	while ((ci = swap_raw_isolate(tier, &tier->held))) {
		swap_lent_refile(tier, ci);
		swap_cluster_unlock(ci);
	}
	while ((ci = swap_raw_isolate(tier, &tier->empty))) {
		map = ci->lent_map;
		VM_WARN_ON_ONCE(!swap_raw_is_empty(ci));
		ci->lent_map = NULL;
		bad = swap_cluster_nr_bad(ci);
		if (bad) {
			atomic_long_sub(bad, &tier->nr_lent_bad);
			if (swap_raw_is_adopted(tier->si, ci))
				atomic_inc(&tier->nr_holed);
		}
		swap_cluster_return(tier->si, ci);
		swap_cluster_unlock(ci);
		atomic_long_dec(&tier->nr_lent);
		swap_raw_free_map(map);
		cond_resched();
	}
	/* One that was locked just now is still to be done. */
	if (!list_empty_careful(&tier->empty) || !list_empty_careful(&tier->held))
		queue_work(swap_abs_wq, &tier->release_work);
}

#ifdef CONFIG_HIBERNATION
/**
 * swap_raw_alloc_image - take a slot of a lent cluster for a hibernation image
 * @si: the device, that can't go away, and that has no free slot itself
 *
 * It may be promised to somebody, as any slot that hibernation takes.
 *
 * Return: the slot's offset on the device, or 0.
 */
static unsigned long swap_raw_alloc_image(struct swap_info_struct *si)
{
	swp_entry_t hint = { .val = this_cpu_read(swap_raw_hint[0]) };
	struct swap_tier *tier = si->tier;
	struct swap_cluster_info *ci;
	swap_desc_t word;

	/* One after another, as far as there are neighbours. */
	if (swp_type(hint) == si->type && swap_raw_take_hint(hint, &word, 1, true))
		goto taken;
	while ((ci = swap_raw_isolate(tier, &tier->partial))) {
		if (swap_raw_take(si, ci, 0, &word, 1, true))
			goto taken;
	}
	return 0;

taken:
	swap_raw_set_hint(0, word);
	swap_promise_put(-1);
	return swp_offset(swap_desc_device_entry(word));
}

/**
 * swap_raw_free_image - free a slot of a hibernation image
 * @entry: its place on the device
 *
 * Return: true when it was from swap_raw_alloc_image(), and is free now.
 */
static bool swap_raw_free_image(swp_entry_t entry)
{
	swap_desc_t word = swap_desc_block(SWAP_DESC_RAW, swp_type(entry), swp_offset(entry));

	/* As long as it is in use, the cluster is either lent or not. */
	if (data_race(__swap_entry_to_cluster(entry)->flags) < CLUSTER_FLAG_LENT)
		return false;
	swap_promise_put(swap_raw_free(&word, 1));
	return true;
}

#endif

/* What is wrong with a word, for the self-check? */
static const char *swap_raw_check(swap_desc_t word)
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

static const struct swap_backend swap_raw_backend = {
	.store		= swap_raw_store,
	.load		= swap_raw_load,
	.drop		= swap_raw_free,
	.can_load_as_one	= swap_raw_can_load_as_one,
	.synchronous	= swap_raw_synchronous,
	.stable		= swap_raw_stable,
	.is_victim		= swap_raw_is_victim,
	.check		= swap_raw_check,
	.order		= SWAP_ORDER_PLAIN,
};

static const struct swap_format swap_raw_format = {
	.name		= "raw",
	.plain		= true,
	.release	= swap_raw_release,
	.has_room	= swap_tier_has_slots,
	.alloc		= swap_raw_alloc,
	.untake		= swap_raw_untake,
#ifdef CONFIG_HIBERNATION
	.alloc_image	= swap_raw_alloc_image,
	.free_image	= swap_raw_free_image,
#endif
	.choose_victims	= swap_raw_choose_victims,
	.choose_sparse	= swap_raw_choose_sparse,
	.unchoose		= swap_raw_unchoose,
	.forget_bad	= swap_raw_forget_bad,
	.nr_bad		= swap_raw_nr_bad,
	.forget_hints	= swap_raw_forget_hints,
};

static int __init swap_raw_init(void)
{
	swap_backend_register(SWAP_DESC_RAW, &swap_raw_backend);
	swap_format_register(&swap_raw_format);
	return mempool_init_kmalloc_pool(&swap_raw_maps, 16,
					 BITS_TO_LONGS(SWAPFILE_CLUSTER) * sizeof(long));
}
subsys_initcall(swap_raw_init);
