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
 * Each CPU takes slots ahead, a run of slots next to each other, and hands them
 * out without another look at the cluster (struct swap_lent_run). So CPUs that
 * swap out at once do not share a cluster, and what each of them writes lies
 * together. To the cluster, the slots of a run are in use. They count as free
 * (swap_lent_ahead()), and are taken back from all CPUs before a store is
 * refused for want of a slot.
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
 *	swap_cluster_info.count is the number of bits set.
 *	No run has slots of a device that is closed (swap_lent_stop()).
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
#include <linux/cpuhotplug.h>
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

/**
 * struct swap_lent_run - slots that a CPU has taken ahead
 * @slots: the run: how many slots are left, in the low bits, and the first of
 *	them, as an entry of the device; the others follow it. Where it has
 *	ended when none are left. One word, so that it needs no lock: the
 *	CPU that replaces it owns what it leaves out
 * @until: jiffies until which the run is used, or 0 for as long as it has
 *	slots; see swap_tier_hint_until()
 */
struct swap_lent_run {
	atomic64_t slots;
	unsigned long until;
};

/*
 * The runs of a CPU. Index 1 is for callers that may not use all devices, such
 * as movers, so that stores which may go anywhere do not follow them.
 */
static DEFINE_PER_CPU_SHARED_ALIGNED(struct swap_lent_run [2], swap_lent_runs);

/* The layout of swap_lent_run.slots: type, offset, number of slots. */
#define SWAP_RUN_LEFT_BITS	14
#define SWAP_RUN_TYPE_SHIFT	(63 - MAX_SWAPFILES_SHIFT)

static s64 swap_run_make(unsigned int type, unsigned long offset,
			 unsigned int left)
{
	BUILD_BUG_ON(SWAPFILE_CLUSTER >> SWAP_RUN_LEFT_BITS);
	VM_WARN_ON_ONCE(offset >> (SWAP_RUN_TYPE_SHIFT - SWAP_RUN_LEFT_BITS));
	return (s64)type << SWAP_RUN_TYPE_SHIFT |
	       (s64)offset << SWAP_RUN_LEFT_BITS | left;
}

static unsigned int swap_run_left(s64 run)
{
	return run & (BIT(SWAP_RUN_LEFT_BITS) - 1);
}

static unsigned int swap_run_type(s64 run)
{
	return run >> SWAP_RUN_TYPE_SHIFT;
}

static unsigned long swap_run_offset(s64 run)
{
	return (run & (BIT_ULL(SWAP_RUN_TYPE_SHIFT) - 1)) >> SWAP_RUN_LEFT_BITS;
}

/* Return a run without its first @nr slots. */
static s64 swap_run_behind(s64 run, unsigned int nr)
{
	return run + ((s64)nr << SWAP_RUN_LEFT_BITS) - nr;
}

static struct swap_info_struct *swap_run_device(s64 run)
{
	return __swap_type_to_info(swap_run_type(run));
}

/*
 * The runs with one index of all CPUs together have at most one in so many
 * slots of a device, but one cluster a run is enough.
 */
#define SWAP_LENT_AHEAD_PART	32

/* Partly used clusters of a tier that are tried before one is borrowed. */
#define SWAP_LENT_MAX_SCAN	8

/*
 * Move a lent cluster to a list of its tier, and set the flag that goes with
 * the list. Empty and held clusters are for the release work.
 */
static void swap_lent_set_list(struct swap_tier *tier,
			       struct swap_cluster_info *ci,
			       enum swap_cluster_flags flags,
			       struct list_head *list)
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
static void swap_lent_sort_victims(struct swap_tier *tier,
				   struct swap_cluster_info *ci)
{
	if (ci->count == SWAPFILE_CLUSTER)
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
		return !ci->count;
	return ci->count == swap_cluster_nr_bad(ci);
}

/*
 * Put a locked lent cluster on the list that its bits call for. A victim
 * remains one until it is empty.
 */
static void swap_lent_refile(struct swap_tier *tier,
			     struct swap_cluster_info *ci)
{
	VM_WARN_ON_ONCE(ci->count !=
			bitmap_weight(ci->lent_map, SWAPFILE_CLUSTER));
	if (swap_lent_is_empty(ci))
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_EMPTY,
				   &tier->empty);
	else if (ci->flags == CLUSTER_FLAG_LENT_VICTIM)
		swap_lent_sort_victims(tier, ci);
	else if (ci->count == SWAPFILE_CLUSTER)
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_FULL,
				   &tier->full);
	else
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_PARTIAL,
				   &tier->partial);
}

/*
 * Take free slots that follow each other from a locked lent cluster, put the
 * cluster on the list that it belongs to, and unlock it. At least @min slots
 * are taken and at most @want, or none. The search begins at @ci_off, if that
 * finds anything.
 *
 * Return how many slots were taken; *@run has them.
 */
static unsigned int swap_lent_take(struct swap_info_struct *si,
				   struct swap_cluster_info *ci,
				   unsigned int ci_off, unsigned int min,
				   unsigned int want, s64 *run)
{
	unsigned long start, end, offset, *map = ci->lent_map;
	unsigned int got = 0;

	/*
	 * swapoff clears the flag and then waits for each cluster's lock, so
	 * that no slot is taken any more after that.
	 */
	if (!(READ_ONCE(si->flags) & SWP_WRITEOK))
		goto out;

	start = bitmap_find_next_zero_area(map, SWAPFILE_CLUSTER, ci_off, min,
					   0);
	if (start >= SWAPFILE_CLUSTER && ci_off)
		start = bitmap_find_next_zero_area(map, SWAPFILE_CLUSTER, 0,
						   min, 0);
	if (start >= SWAPFILE_CLUSTER)
		goto out;
	end = min_t(unsigned long, SWAPFILE_CLUSTER, start + want);
	got = find_next_bit(map, end, start) - start;
	bitmap_set(map, start, got);
	ci->count += got;
	offset = (ci - si->cluster_info) * SWAPFILE_CLUSTER + start;
	*run = swap_run_make(si->type, offset, got);
	/*
	 * Count the slots before the lock is dropped, because swapoff waits for
	 * the lock first and for the count to be 0 after that.
	 */
	percpu_counter_add(&si->tier->used, got);
	swap_tier_check_high(si->tier);
out:
	swap_lent_refile(si->tier, ci);
	swap_cluster_unlock(ci);
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

/* Set @words to the words of the first @nr slots of a run. */
static void swap_lent_fill_words(swap_desc_t *words, s64 run, unsigned int nr)
{
	unsigned long offset = swap_run_offset(run);
	unsigned int type = swap_run_type(run);

	while (nr--)
		*words++ = swap_desc_block(SWAP_DESC_RAW, type, offset++);
}

/*
 * Take slots from a run, mostly of this CPU: @nr slots, or without @all as many
 * as are there. The device of a run can't go away, because the slots are in
 * use. If the task moves to another CPU, it takes the slots of the first one.
 */
static __always_inline unsigned int
swap_lent_take_run(struct swap_lent_run *run, swap_desc_t *words,
		   unsigned int nr, bool all, unsigned long tiers)
{
	s64 slots = atomic64_read(&run->slots);
	unsigned int got, left;

	do {
		left = swap_run_left(slots);
		if (!left || !(BIT(swap_run_type(slots)) & tiers) ||
		    swap_tier_hint_is_old(READ_ONCE(run->until)))
			return 0;
		got = nr;
		if (unlikely(left < nr)) {
			if (all ||
			    !swap_lent_may_scatter(swap_run_device(slots)))
				return 0;
			got = left;
		}
	} while (!atomic64_try_cmpxchg(&run->slots, &slots,
				       swap_run_behind(slots, got)));

	if (got == left)
		atomic_dec(&swap_run_device(slots)->tier->nr_runs);
	swap_lent_fill_words(words, slots, got);
	return got;
}

/*
 * Free @nr slots from @ci_off on of a locked lent cluster, whose descriptors
 * are gone.
 */
static __always_inline void
swap_lent_clear(struct swap_info_struct *si, struct swap_cluster_info *ci,
		unsigned int ci_off, unsigned int nr)
{
	lockdep_assert_held(&ci->lock);
	VM_WARN_ON_ONCE(ci->flags < CLUSTER_FLAG_LENT);
	VM_WARN_ON_ONCE(find_next_zero_bit(ci->lent_map, ci_off + nr, ci_off) <
			ci_off + nr);

	if (nr == 1)
		__clear_bit(ci_off, ci->lent_map);
	else
		bitmap_clear(ci->lent_map, ci_off, nr);
	ci->count -= nr;
	swap_range_notify(si,
			  (ci - si->cluster_info) * SWAPFILE_CLUSTER + ci_off,
			  nr);
}

/*
 * Put a locked lent cluster on the right list after slots of it were freed, and
 * unlock it.
 */
static __always_inline void swap_lent_cleared(struct swap_tier *tier,
					      struct swap_cluster_info *ci)
{
	if (pm_suspended_storage())
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_HELD,
				   &tier->held);
	else if (ci->flags != CLUSTER_FLAG_LENT_PARTIAL ||
		 swap_lent_is_empty(ci))
		swap_lent_refile(tier, ci);
	swap_cluster_unlock(ci);
}

/* Give back the slots of a run. Nothing was promised for them. */
static void swap_lent_untake(s64 run)
{
	struct swap_info_struct *si = swap_run_device(run);
	unsigned long offset = swap_run_offset(run);
	struct swap_cluster_info *ci;

	if (!swap_run_left(run))
		return;
	ci = swap_cluster_lock(si, offset);
	swap_lent_clear(si, ci, offset % SWAPFILE_CLUSTER, swap_run_left(run));
	percpu_counter_sub(&si->tier->used, swap_run_left(run));
	/* Only now, because swap_lent_stop() waits for the bits to be clear. */
	atomic_dec(&si->tier->nr_runs);
	swap_lent_cleared(si->tier, ci);
}

/* Let this CPU use a new run, and give back what the old one has left. */
static void swap_lent_begin_run(unsigned int which, s64 slots,
				unsigned long until)
{
	struct swap_lent_run *run = &raw_cpu_ptr(swap_lent_runs)[which];

	lockdep_assert_held(&swap_tiers_lock);
	if (swap_run_left(slots))
		atomic_inc(&swap_run_device(slots)->tier->nr_runs);
	WRITE_ONCE(run->until, until);
	swap_lent_untake(atomic64_xchg(&run->slots, slots));
}

/*
 * End a run, and give back what it has left. With @tier, do so only if it is on
 * that device. A run that has ended is forgotten, too. Return how many slots
 * were given back.
 */
static unsigned int swap_lent_take_run_back(struct swap_lent_run *run,
					    struct swap_tier *tier)
{
	s64 slots = atomic64_read(&run->slots);

	do {
		if (!slots || (tier && swap_run_type(slots) != tier->si->type))
			return 0;
	} while (!atomic64_try_cmpxchg(&run->slots, &slots, 0));
	swap_lent_untake(slots);
	return swap_run_left(slots);
}

/*
 * Take back the slots that all CPUs have taken ahead on a device, or on all
 * devices if @tier is NULL. Does not sleep, takes O(CPUs). Return how many.
 */
unsigned long swap_lent_take_back(struct swap_tier *tier)
{
	unsigned long nr = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		nr += swap_lent_take_run_back(&per_cpu(swap_lent_runs, cpu)[0],
					      tier);
		nr += swap_lent_take_run_back(&per_cpu(swap_lent_runs, cpu)[1],
					      tier);
	}
	return nr;
}

/*
 * Let no CPU have slots of a device that is being closed. Its SWP_WRITEOK has
 * been cleared, so no run begins on it once swap_tiers_lock has been free. Wait
 * for tasks that are just giving slots back, because the slots of runs must not
 * be counted as data when the device is closed. Sleeps.
 */
void swap_lent_stop(struct swap_tier *tier)
{
	spin_lock(&swap_tiers_lock);
	spin_unlock(&swap_tiers_lock);
	for (;;) {
		swap_lent_take_back(tier);
		if (!atomic_read(&tier->nr_runs))
			break;
		schedule_timeout_uninterruptible(1);
	}
}

/*
 * Return the slots of a device that CPUs have taken ahead. Another CPU may use
 * them at the same time. Takes O(CPUs).
 */
unsigned long swap_lent_ahead(struct swap_tier *tier)
{
	struct swap_lent_run *run;
	unsigned long sum = 0;
	int cpu, which;
	s64 slots;

	if (!tier->si || !atomic_read(&tier->nr_runs))
		return 0;
	for_each_possible_cpu(cpu) {
		for (which = 0; which < 2; which++) {
			run = &per_cpu(swap_lent_runs, cpu)[which];
			slots = atomic64_read(&run->slots);
			if (swap_run_left(slots) &&
			    swap_run_type(slots) == tier->si->type)
				sum += swap_run_left(slots);
		}
	}
	return sum;
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
	unsigned long *map =
		mempool_alloc(&swap_lent_maps, GFP_NOWAIT | __GFP_NOWARN);

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
static bool swap_lent_is_adopted(struct swap_info_struct *si,
				 struct swap_cluster_info *ci)
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
			atomic_long_add(swap_cluster_nr_bad(ci),
					&tier->nr_lent_bad);
		}
	}
	if (!ci) {
		swap_lent_free_map(map);
		return NULL;
	}
	ci->lent_map = map;
	/* From now on this counts the bits. */
	ci->count = bitmap_weight(map, SWAPFILE_CLUSTER);
	atomic_long_inc(&tier->nr_lent);
	return ci;
}

/*
 * Return how many slots of a device a CPU takes at once. When few are left, one
 * CPU must not take what others have been promised.
 */
static unsigned int swap_lent_run_length(struct swap_tier *tier)
{
	unsigned int cpus = num_online_cpus();
	unsigned long part = tier->si->pages / SWAP_LENT_AHEAD_PART / cpus;

	if (!swap_tier_free_clusters(tier))
		part = min(part, swap_tier_free_slots(tier) / 2 / cpus);
	return clamp(part, 1, SWAPFILE_CLUSTER);
}

/*
 * Tell whether a device has so many free clusters that CPUs borrow them before
 * they use the rest of others, so that what is written together lies together.
 * Formats that fill whole clusters need the free ones themselves.
 */
static bool swap_lent_has_many_free(struct swap_tier *tier)
{
	return READ_ONCE(tier->format)->plain &&
	       swap_tier_free_clusters(tier) >
	       tier->si->pages / SWAPFILE_CLUSTER / 4;
}

static unsigned int swap_lent_take_borrowed(struct swap_tier *tier,
					    unsigned int min, unsigned int want,
					    s64 *run)
{
	struct swap_cluster_info *ci = swap_lent_borrow(tier);

	return ci ? swap_lent_take(tier->si, ci, 0, min, want, run) : 0;
}

/*
 * Take @min to @want slots next to each other from a partly used cluster of a
 * tier, or from a borrowed one.
 */
static unsigned int swap_lent_take_tier(struct swap_tier *tier,
					unsigned int min, unsigned int want,
					s64 *run)
{
	/* A partly used cluster has no run that is as long as a cluster. */
	unsigned int got,
		scan = min == SWAPFILE_CLUSTER ? 0 : SWAP_LENT_MAX_SCAN;
	struct swap_cluster_info *ci;

	if (swap_lent_has_many_free(tier)) {
		got = swap_lent_take_borrowed(tier, min, want, run);
		if (got)
			return got;
	}
	while (scan--) {
		ci = swap_lent_isolate(tier, &tier->partial);
		if (!ci)
			break;
		got = swap_lent_take(tier->si, ci, 0, min, want, run);
		if (got)
			return got;
	}
	return swap_lent_take_borrowed(tier, min, want, run);
}

/*
 * Take a victim off its list: the first one if it has a free slot, or with @any
 * the last one, whatever it holds. Return it locked and on no list
 * (CLUSTER_FLAG_LENT), or NULL, also when somebody else has its lock.
 */
static struct swap_cluster_info *
swap_lent_isolate_victim(struct swap_tier *tier, bool any)
{
	struct swap_cluster_info *ci = NULL;

	spin_lock(&tier->lock);
	if (list_empty(&tier->victims))
		goto out;
	ci = any ? list_last_entry(&tier->victims, struct swap_cluster_info,
				   list) :
		   list_first_entry(&tier->victims, struct swap_cluster_info,
				    list);
	if (!spin_trylock(&ci->lock)) {
		ci = NULL;
		goto out;
	}
	if (!any && ci->count == SWAPFILE_CLUSTER) {
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
	s64 run;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) ||
		    !swap_tier_is_online(tier) ||
		    (scatter && !swap_lent_may_scatter(tier->si)))
			continue;
		ci = swap_lent_isolate_victim(tier, false);
		if (ci)
			got = swap_lent_take(tier->si, ci, 0, 1, nr, &run);
		if (got)
			break;
	}
	spin_unlock(&swap_tiers_lock);
	if (got)
		swap_lent_fill_words(words, run, got);
	return got;
}

/*
 * Take slots behind the end of a run, in the same cluster. Return how many were
 * taken.
 */
static unsigned int swap_lent_take_behind(s64 end, unsigned int nr, bool all,
					  s64 *run)
{
	struct swap_info_struct *si = READ_ONCE(swap_info[swap_run_type(end)]);
	unsigned long offset = swap_run_offset(end);
	struct swap_cluster_info *ci;
	unsigned int want, got = 0;

	/*
	 * Not swap_run_device(), because the device may be gone, and its type
	 * may be another device's.
	 */
	if (!(offset % SWAPFILE_CLUSTER) || !swap_device_tryget(si))
		return 0;
	if (offset < si->max && (all || swap_lent_may_scatter(si))) {
		ci = swap_cluster_lock(si, offset);
		if (ci->flags == CLUSTER_FLAG_LENT_PARTIAL) {
			want = max(nr, swap_lent_run_length(si->tier));
			got = swap_lent_take(si, ci, offset % SWAPFILE_CLUSTER,
					     all ? nr : 1, want, run);
		} else {
			swap_cluster_unlock(ci);
		}
	}
	put_swap_device(si);
	return got;
}

/*
 * Take slots from the first tier in order that has room, of those in the mask,
 * and let this CPU go on behind them.
 */
static noinline unsigned int swap_lent_take_new(unsigned int which,
						swap_desc_t *words,
						unsigned int nr, bool all,
						unsigned long tiers)
{
	struct swap_lent_run *last;
	unsigned int want, got = 0;
	struct swap_tier *tier;
	unsigned long until;
	s64 run, end;

	spin_lock(&swap_tiers_lock);
	last = &raw_cpu_ptr(swap_lent_runs)[which];
	end = atomic64_read(&last->slots);
	until = READ_ONCE(last->until);
	if ((BIT(swap_run_type(end)) & tiers) && !swap_run_left(end) &&
	    !swap_tier_hint_is_old(until))
		got = swap_lent_take_behind(end, nr, all, &run);
	if (got)
		goto taken;
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) ||
		    !swap_tier_is_online(tier))
			continue;
		if (!all && !swap_lent_may_scatter(tier->si))
			continue;
		want = max(nr, swap_lent_run_length(tier));
		got = swap_lent_take_tier(tier, all ? nr : 1, want, &run);
		if (!got)
			continue;
		until = swap_tier_hint_until(tier);
		plist_requeue(&tier->node, &swap_tiers);
		break;
	}
taken:
	/* A large folio that takes all there is need not end the last run. */
	if (got > nr || (got && nr == 1))
		swap_lent_begin_run(which, swap_run_behind(run, min(got, nr)),
				    until);
	spin_unlock(&swap_tiers_lock);
	if (!got)
		return 0;
	got = min(got, nr);
	swap_lent_fill_words(words, run, got);
	return got;
}

/*
 * Take slots that follow each other on a device: from a run of this CPU, or
 * from the first tier in order that has room, of those in the mask. Tiers of
 * one rank take turns. With @all, take @nr slots or none, otherwise up to @nr,
 * on a device where the pages of a folio may lie apart.
 */
unsigned int swap_lent_take_any(swap_desc_t *words, unsigned int nr, bool all,
				unsigned long tiers)
{
	unsigned int which = !!swap_tiers_restricted(tiers);
	unsigned int got;

	got = swap_lent_take_run(&raw_cpu_ptr(swap_lent_runs)[which], words, nr,
				 all, tiers);
	return got ?: swap_lent_take_new(which, words, nr, all, tiers);
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
 * Free a run of slots of a locked lent cluster. Return how many of them are
 * free now: all but those where the medium is bad.
 */
static __always_inline unsigned int
swap_lent_free_run(struct swap_info_struct *si, struct swap_cluster_info *ci,
		   swp_entry_t first, unsigned int nr)
{
	unsigned int i, freed = 0, ci_off = swp_cluster_offset(first);

	if (likely(xa_empty(&si->tier->bad))) {
		swap_lent_clear(si, ci, ci_off, nr);
		return nr;
	}
	for (i = 0; i < nr; i++) {
		if (swap_lent_keep_bad(si->tier, swp_offset(first) + i))
			continue;
		swap_lent_clear(si, ci, ci_off + i, 1);
		freed++;
	}
	return freed;
}

/*
 * Free the slots of words from @words on that are in the cluster of the first
 * one. Return how many there are; *@freed gets the capacity that comes back.
 */
static __always_inline unsigned int
swap_lent_free_cluster(const swap_desc_t *words, unsigned int nr, long *freed)
{
	swp_entry_t entry = swap_desc_block_entry(*words);
	struct swap_info_struct *si = __swap_entry_to_info(entry);
	struct swap_cluster_info *ci = swap_cluster_lock(si, swp_offset(entry));
	unsigned int i = 0, run, max, got;
	swap_place_t place;

	for (;;) {
		place = swap_desc_place(words[i]);
		max = min(nr - i, SWAPFILE_CLUSTER - swp_cluster_offset(entry));
		for (run = 1; run < max; run++)
			if (!swap_desc_is_at(words[i + run],
					     swap_place_behind(place, run)))
				break;
		got = swap_lent_free_run(si, ci, entry, run);
		if (ci - si->cluster_info >= READ_ONCE(si->nr_closed))
			*freed += got;
		i += run;
		if (i == nr)
			break;
		entry = swap_desc_block_entry(words[i]);
		if (swp_type(entry) != si->type ||
		    __swap_entry_to_cluster(entry) != ci)
			break;
	}
	percpu_counter_sub(&si->tier->used, i);
	swap_lent_cleared(si->tier, ci);
	return i;
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
	unsigned int i;
	long freed = 0;

	if (nr == 1) {
		swap_lent_free_cluster(words, 1, &freed);
		return freed;
	}
	for (i = 0; i < nr;)
		i += swap_lent_free_cluster(words + i, nr - i, &freed);
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
	return data_race(__swap_entry_to_cluster(entry)->flags) ==
	       CLUSTER_FLAG_LENT_VICTIM;
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
		if (__test_and_clear_bit(offset % SWAPFILE_CLUSTER,
					 ci->lent_map)) {
			ci->count--;
			if (ci - si->cluster_info >= READ_ONCE(si->nr_closed))
				swap_promise_put(1);
		}
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
	/* The slots that CPUs have taken ahead would keep their cluster. */
	swap_lent_take_back(tier);
	while (nr-- && (ci = swap_lent_isolate(tier, &tier->full))) {
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_VICTIM,
				   &tier->victims);
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
						       unsigned long *i,
						       unsigned int *used,
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
		if (ci->flags == CLUSTER_FLAG_LENT_PARTIAL &&
		    !rcu_access_pointer(ci->table)) {
			*used = ci->count;
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
unsigned long swap_lent_choose_sparse(struct swap_tier *tier,
				      unsigned long gain)
{
	unsigned long nr[16 + 1] = {}, i, want, left, free = 0, picked = 0;
	unsigned int used, part, limit = 0;
	struct swap_cluster_info *ci;

	lockdep_assert_held(&tier->move_lock);
	swap_lent_take_back(tier);
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
	for (i = 0;
	     picked < want &&
	     (ci = swap_lent_next_sparse(tier, &i, &used, &part));
	     spin_unlock(&ci->lock)) {
		if (part > limit || (part == limit && !left))
			continue;
		swap_lent_set_list(tier, ci, CLUSTER_FLAG_LENT_VICTIM,
				   &tier->victims);
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
	swap_lent_take_back(NULL);
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
	if (!list_empty_careful(&tier->empty) ||
	    !list_empty_careful(&tier->held))
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
	struct swap_lent_run *runs;
	swap_desc_t word;
	unsigned int got;
	int cpu;

	/* A run gives slots in order, so that the image is written in order. */
	got = swap_lent_take_any(&word, 1, true, BIT(si->type));
	/*
	 * Take what CPUs have ahead as it is, because slots that are given back
	 * while storage is suspended are held.
	 */
	for_each_possible_cpu(cpu) {
		runs = per_cpu(swap_lent_runs, cpu);
		if (!got)
			got = swap_lent_take_run(&runs[0], &word, 1, true,
						 BIT(si->type));
		if (!got)
			got = swap_lent_take_run(&runs[1], &word, 1, true,
						 BIT(si->type));
	}
	if (!got)
		return 0;
	swap_promise_put(-1);
	return swp_offset(swap_desc_block_entry(word));
}

/*
 * Free a slot of a hibernation image. Return false, and do nothing, if the slot
 * is not from swap_lent_alloc_image().
 */
bool swap_lent_free_image(swp_entry_t entry)
{
	swap_desc_t word = swap_desc_block(SWAP_DESC_RAW, swp_type(entry),
					   swp_offset(entry));
	struct swap_cluster_info *ci = __swap_entry_to_cluster(entry);

	/*
	 * data_race(): whether the cluster is lent does not change while the
	 * slot is in use.
	 */
	if (data_race(ci->flags) < CLUSTER_FLAG_LENT)
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
	struct swap_cluster_info *ci =
		swap_cluster_lock(__swap_entry_to_info(entry),
				  swp_offset(entry));
	const char *wrong = NULL;

	if (ci->flags < CLUSTER_FLAG_LENT ||
	    ci->flags == CLUSTER_FLAG_LENT_SEGMENT)
		wrong = "in a cluster that is not lent";
	else if (!test_bit(ci_off, ci->lent_map))
		wrong = "on a free block";
	else if (ci->count != bitmap_weight(ci->lent_map, SWAPFILE_CLUSTER))
		wrong = "in a cluster that counts other bits than are set";
	else if (ci->flags == CLUSTER_FLAG_LENT ||
		 ci->flags == CLUSTER_FLAG_LENT_EMPTY ||
		 (ci->flags == CLUSTER_FLAG_LENT_FULL) >
		 (ci->count == SWAPFILE_CLUSTER))
		wrong = "in a cluster on the wrong list";
	swap_cluster_unlock(ci);
	return wrong;
}

/*
 * A CPU that goes offline gives back what it has taken ahead. But while storage
 * is suspended, slots that are given back can't be used.
 */
static int swap_lent_cpu_dead(unsigned int cpu)
{
	if (pm_suspended_storage())
		return 0;
	swap_lent_take_run_back(&per_cpu(swap_lent_runs, cpu)[0], NULL);
	swap_lent_take_run_back(&per_cpu(swap_lent_runs, cpu)[1], NULL);
	return 0;
}

static int __init swap_lent_init(void)
{
	WARN_ON(cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
					  "mm/swap_lent:prepare", NULL,
					  swap_lent_cpu_dead) < 0);
	return mempool_init_kmalloc_pool(&swap_lent_maps, 16,
					 BITS_TO_LONGS(SWAPFILE_CLUSTER) *
						 sizeof(long));
}
subsys_initcall(swap_lent_init);
