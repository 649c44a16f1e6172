// SPDX-License-Identifier: GPL-2.0
/*
 * How much a memory cgroup has in each tier of the swap abstraction, and how
 * much it may have there.
 *
 * A page counts in the tier where its descriptor says that its data is, from
 * the moment that the descriptor says so. It counts as one page, however small
 * its data has become. It counts for the cgroup whose id stands beside the
 * slot, and for that cgroup's parents without the root. The id is set before
 * the first descriptor and cleared after the last one (folio_alloc_swap(),
 * __swap_cluster_free_entries()), and keeps the cgroup from being freed. So the
 * pages of a removed cgroup count, and its limits apply, until its last page
 * has left swap.
 *
 * With cgroup v1, nothing is counted: the id comes and goes while the data
 * stays, and there is no file for limits. The hierarchy can't change while
 * there are cgroups besides the root.
 *
 * Stores and movers ask for limits before they copy data
 * (swap_memcg_tiers_of()), not when they change the descriptor. The change must
 * not fail, because the data is in its new place by then. A reservation would
 * make the limit exact when several CPUs store at once, but it would have to be
 * taken and given back in all the ways in which a store or a move can end. So a
 * cgroup may exceed its limit by the pages that were on their way when others
 * asked. The task that adds the last pages sees the excess, or the task that
 * lowers a limit does, and queues swap_excess_work, which moves the excess to
 * other tiers. A limit of 0 lets no store begin.
 *
 * Counting costs a pointer for each cgroup, and for each but the root a struct
 * with 16 bytes a possible tier, which takes 512 bytes of kmalloc's. As long as
 * no cgroup has a limit, a change of tiers costs an addition to a stock of the
 * CPU (struct swap_memcg_stock), because CPUs that swap for one cgroup would
 * otherwise meet at its counters. The stock goes to the counters after
 * SWAP_MEMCG_BATCH pages, or when the CPU swaps for another cgroup. Once a
 * cgroup has a limit, all counters are exact, and each run of slots with the
 * same change costs a look-up of the id and atomic operations: one a level when
 * data appears or goes, as for the swap charge, and two a level when data
 * moves. For the root's pages it costs a comparison. As long as no cgroup has a
 * limit, asking costs a static branch.
 *
 * The data that zswap has of a cgroup counts for the memory that the cgroup may
 * have, and may take no more than half of that. The statistics know the bytes,
 * but may be behind. The number of pages in the zswap tier tells how far they
 * are behind (swap_memcg_zswap_full()).
 *
 * Callers are mm/swap_abs/desc.c, which reports changes, stores and movers,
 * which ask, mm/swap_abs/room.c, which adds which tiers have room,
 * mm/swap_abs/memcg_files.c, which sets limits, mm/swap_abs/device.c and
 * mm/memcontrol.c. This file calls no other file of the layer, because it is
 * below all that store and move.
 *
 * Locks: swap_memcg_mutex protects changes of limits and is inside of
 * cgroup_mutex. Usage is atomic, and changes under the lock of a virtual
 * cluster. The local lock of a CPU's stock is inside of that.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/cgroup.h>
#include <linux/cpuhotplug.h>
#include <linux/jump_label.h>
#include <linux/local_lock.h>
#include <linux/memcontrol.h>
#include <linux/mutex.h>
#include <linux/page_counter.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "../swap_table.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

/**
 * struct swap_memcg - a memory cgroup in the tiers of swap
 * @vain: vain attempts of reclaim to swap out pages of this cgroup
 * @zswap_flushed: pages in zswap when the statistics were flushed last for
 *	their size
 * @limited: mask of the tiers with a limit; changed under swap_memcg_mutex
 * @tier: usage and limit by the index of swap_desc_tier()
 * @tier.usage: pages in the tier, with those of the children; atomic
 * @tier.max: limit in pages, valid for the tiers in @limited; changed under
 *	swap_memcg_mutex
 */
struct swap_memcg {
	struct swap_vain vain;
	unsigned long zswap_flushed;
	unsigned long limited;
	struct {
		atomic_long_t usage;
		unsigned long max;
	} tier[NR_SWAP_TIER_INDEXES];
};

/* Enabled while a cgroup has a limit. */
DEFINE_STATIC_KEY_FALSE(swap_memcg_limited);

/* Serializes changes of limits. */
DEFINE_MUTEX(swap_memcg_mutex);

/* Return the mask of tiers with a limit, so that these limits can be read. */
static unsigned long swap_memcg_load_limited(struct swap_memcg *tiers)
{
	/* Pairs with the store in swap_memcg_set_limited(). */
	return smp_load_acquire(&tiers->limited);
}

/* Tell whether @nr more pages are within a limit. The tier must have one. */
static bool swap_memcg_fits(struct swap_memcg *tiers, unsigned int type,
			    long nr)
{
	return atomic_long_read(&tiers->tier[type].usage) + nr <=
	       (long)READ_ONCE(tiers->tier[type].max);
}

/*
 * Return a cgroup's bit in swap_cluster_info.memcgs, a mask of the cgroups
 * whose data may be in a cluster of the virtual area. Several cgroups share a
 * bit. swap_excess_work skips the clusters that have no data of a cgroup with
 * an excess. That saves time, because the masks of 2 TiB of slots are 8 MiB
 * while their descriptors are 4 GiB.
 */
static unsigned long swap_memcg_bit(unsigned short id)
{
	return BIT(id % BITS_PER_LONG);
}

/*
 * Changes of usage
 */

/* After so many pages, a CPU adds its stock to the counters. */
#define SWAP_MEMCG_BATCH	64

/**
 * struct swap_memcg_stock - changes of usage that a CPU has not added up yet
 * @lock: protects the stock, which only its CPU changes
 * @id: the cgroup of all changes, 0 for none; the stock holds a reference of it
 * @nr: pages that the changes have been of
 * @touched: mask of the indexes of @change that are in use
 * @change: pages, by the index of swap_desc_tier() plus 1; index 0 is for what
 *	is in no tier, and is not added up
 * @drain_work: empties the stock, on its CPU
 */
struct swap_memcg_stock {
	local_lock_t lock;
	unsigned short id;
	unsigned int nr;
	unsigned long touched;
	long change[1 + NR_SWAP_TIER_INDEXES];
	struct work_struct drain_work;
};

static DEFINE_PER_CPU_ALIGNED(struct swap_memcg_stock, swap_memcg_stock) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

static void swap_memcg_add(struct mem_cgroup *memcg, int type, long nr)
{
	struct swap_memcg *tiers;

	for (; memcg && memcg->swap_tiers; memcg = parent_mem_cgroup(memcg)) {
		tiers = memcg->swap_tiers;
		/* Fully ordered: see swap_memcg_set_limits(). */
		atomic_long_add_return(nr, &tiers->tier[type].usage);
		if (nr > 0 && static_branch_unlikely(&swap_memcg_limited) &&
		    (swap_memcg_load_limited(tiers) & BIT(type)) &&
		    !swap_memcg_fits(tiers, type, 0))
			swap_move_queue(&swap_excess_work);
	}
}

/* Empty a stock. The caller holds its lock, or its CPU is dead. */
static noinline void swap_memcg_drain(struct swap_memcg_stock *stock)
{
	struct mem_cgroup *memcg;
	unsigned int i;

	if (!stock->id)
		return;
	/* The reference keeps the id, and the id the cgroup. */
	rcu_read_lock();
	memcg = mem_cgroup_from_private_id(stock->id);
	rcu_read_unlock();
	for_each_set_bit(i, &stock->touched, ARRAY_SIZE(stock->change)) {
		if (i)
			swap_memcg_add(memcg, i - 1, stock->change[i]);
		WRITE_ONCE(stock->change[i], 0);
	}
	stock->touched = 0;
	stock->nr = 0;
	WRITE_ONCE(stock->id, 0);
	mem_cgroup_put_private_id(memcg);
}

/*
 * Let the stock of this CPU collect the changes of a cgroup, whose id the
 * caller has read in a slot that it keeps from being freed. Return false, with
 * an empty stock, for a cgroup that is being removed, because a stock would
 * keep it.
 */
static bool swap_memcg_begin(unsigned short id)
{
	struct swap_memcg_stock *stock;
	struct mem_cgroup *memcg;
	bool begun;

	local_lock(&swap_memcg_stock.lock);
	stock = this_cpu_ptr(&swap_memcg_stock);
	swap_memcg_drain(stock);
	rcu_read_lock();
	memcg = mem_cgroup_from_private_id(id);
	begun = memcg && memcg->swap_tiers && !css_is_dying(&memcg->css) &&
		refcount_inc_not_zero(&memcg->id.ref);
	if (begun)
		WRITE_ONCE(stock->id, id);
	rcu_read_unlock();
	local_unlock(&swap_memcg_stock.lock);
	return begun;
}

/*
 * Add a change to the stock of this CPU if the stock is the cgroup's. Return
 * whether it is.
 */
static __always_inline bool swap_memcg_stock_add(unsigned short id, int from,
						 int to, long nr)
{
	struct swap_memcg_stock *stock;
	bool ours;

	local_lock(&swap_memcg_stock.lock);
	stock = this_cpu_ptr(&swap_memcg_stock);
	ours = stock->id == id;
	if (likely(ours)) {
		WRITE_ONCE(stock->change[from + 1],
			   stock->change[from + 1] - nr);
		WRITE_ONCE(stock->change[to + 1], stock->change[to + 1] + nr);
		stock->touched |= BIT(from + 1) | BIT(to + 1);
		stock->nr += nr;
		if (unlikely(stock->nr >= SWAP_MEMCG_BATCH))
			swap_memcg_drain(stock);
	}
	local_unlock(&swap_memcg_stock.lock);
	return ours;
}

/* Add a change to the counters, or with @begin to a new stock of this CPU. */
static noinline void swap_memcg_move(unsigned short id, int from, int to,
				     long nr, bool begin)
{
	struct mem_cgroup *memcg;

	/*
	 * Leave out the root, because it may have the most pages and they are
	 * not counted.
	 */
	if (id == mem_cgroup_private_id(root_mem_cgroup))
		return;
	/*
	 * The stock may be another cgroup's again where this can be preempted.
	 */
	if (begin && swap_memcg_begin(id) &&
	    swap_memcg_stock_add(id, from, to, nr))
		return;
	rcu_read_lock();
	memcg = mem_cgroup_from_private_id(id);
	if (from >= 0)
		swap_memcg_add(memcg, from, -nr);
	if (to >= 0)
		swap_memcg_add(memcg, to, nr);
	rcu_read_unlock();
}

/* Count the slots of a run that belongs to one cgroup. */
static __always_inline void swap_memcg_account_run(struct swap_cluster_info *ci,
						   unsigned short id, int from,
						   int to, long nr)
{
	if (!id)
		return;
	if (to >= 0 && !(ci->memcgs & swap_memcg_bit(id)))
		WRITE_ONCE(ci->memcgs, ci->memcgs | swap_memcg_bit(id));
	if (static_branch_unlikely(&swap_memcg_limited))
		swap_memcg_move(id, from, to, nr, false);
	else if (unlikely(!swap_memcg_stock_add(id, from, to, nr)))
		swap_memcg_move(id, from, to, nr, true);
}

/* Do the slow path of swap_memcg_account(), for one slot. */
void swap_memcg_account_slot(struct swap_cluster_info *ci, unsigned int ci_off,
			     int from, int to)
{
	lockdep_assert_held(&ci->lock);
	if (cgroup_subsys_on_dfl(memory_cgrp_subsys))
		swap_memcg_account_run(ci, __swap_cgroup_get(ci, ci_off), from,
				       to, 1);
}

/* Do the slow path of swap_memcg_account(), for several slots. */
void swap_memcg_account_slots(struct swap_cluster_info *ci, unsigned int ci_off,
			      int from, int to, unsigned int nr)
{
	unsigned int run;
	unsigned short id;

	lockdep_assert_held(&ci->lock);
	if (!cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return;

	for (; nr; nr -= run, ci_off += run) {
		id = __swap_cgroup_get(ci, ci_off);
		for (run = 1; run < nr; run++)
			if (__swap_cgroup_get(ci, ci_off + run) != id)
				break;
		swap_memcg_account_run(ci, id, from, to, run);
	}
}

static void swap_memcg_drain_work(struct work_struct *work)
{
	local_lock(&swap_memcg_stock.lock);
	swap_memcg_drain(this_cpu_ptr(&swap_memcg_stock));
	local_unlock(&swap_memcg_stock.lock);
}

/*
 * Empty the stocks of all CPUs, so that the counters are right. The caller has
 * enabled swap_memcg_limited, so that the stocks stay empty. Sleeps.
 */
static void swap_memcg_drain_all(void)
{
	struct swap_memcg_stock *stock;
	int cpu;

	/* A CPU may be adding to its stock, with a cluster locked. */
	synchronize_rcu();
	for_each_online_cpu(cpu) {
		stock = per_cpu_ptr(&swap_memcg_stock, cpu);
		if (READ_ONCE(stock->id))
			schedule_work_on(cpu, &stock->drain_work);
	}
	for_each_possible_cpu(cpu)
		flush_work(&per_cpu(swap_memcg_stock, cpu).drain_work);
}

/*
 * Let no stock keep a cgroup that is being removed. A stock that misses this
 * gives the cgroup up when its CPU counts for another one.
 */
void swap_memcg_offline(struct mem_cgroup *memcg)
{
	unsigned short id = mem_cgroup_private_id(memcg);
	struct swap_memcg_stock *stock;
	int cpu;

	for_each_online_cpu(cpu) {
		stock = per_cpu_ptr(&swap_memcg_stock, cpu);
		if (READ_ONCE(stock->id) == id)
			schedule_work_on(cpu, &stock->drain_work);
	}
}

/* A CPU that has gone offline can't change its stock any more. */
static int swap_memcg_cpu_dead(unsigned int cpu)
{
	swap_memcg_drain(per_cpu_ptr(&swap_memcg_stock, cpu));
	return 0;
}

static int __init swap_memcg_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		INIT_WORK(&per_cpu(swap_memcg_stock, cpu).drain_work,
			  swap_memcg_drain_work);
	WARN_ON(cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
					  "mm/swap_memcg:prepare", NULL,
					  swap_memcg_cpu_dead) < 0);
	return 0;
}
subsys_initcall(swap_memcg_init);

/*
 * Cgroups that come and go
 */

/*
 * Give a new cgroup its counters, but not the root (@parent is NULL), and not
 * with cgroup v1. Sleeps. Return 0 or -ENOMEM.
 */
int swap_memcg_alloc(struct mem_cgroup *memcg, struct mem_cgroup *parent)
{
	if (!parent || !cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return 0;
	memcg->swap_tiers = kzalloc_obj(*memcg->swap_tiers, GFP_KERNEL_ACCOUNT);
	return memcg->swap_tiers ? 0 : -ENOMEM;
}

/*
 * Return the vain attempts of reclaim on a cgroup's pages, or NULL if they are
 * counted only for all cgroups together.
 */
struct swap_vain *swap_memcg_vain(struct mem_cgroup *memcg)
{
	return memcg && memcg->swap_tiers ? &memcg->swap_tiers->vain : NULL;
}

/*
 * Return the counter of a cgroup and its children in a tier. What the stocks
 * have is missing: as long as no cgroup has a limit, SWAP_MEMCG_BATCH pages for
 * each CPU at most.
 */
static unsigned long swap_memcg_read(struct swap_memcg *tiers,
				     unsigned int type)
{
	return max(atomic_long_read(&tiers->tier[type].usage), 0);
}

/*
 * Return the pages in all tiers of a cgroup, which must not be the root,
 * roughly.
 */
unsigned long swap_memcg_stored(struct mem_cgroup *memcg)
{
	unsigned long sum = 0;
	unsigned int type;

	for (type = 0; type < NR_SWAP_TIER_INDEXES; type++)
		sum += swap_memcg_read(memcg->swap_tiers, type);
	return sum;
}

/* Return the slots of a cgroup and its children, with or without data. */
unsigned long swap_memcg_slots(struct mem_cgroup *memcg)
{
	return page_counter_read(&memcg->swap);
}

/*
 * Set the mask of tiers with a limit. The caller holds swap_memcg_mutex.
 */
static void swap_memcg_set_limited(struct swap_memcg *tiers,
				   unsigned long limited)
{
	unsigned long before = tiers->limited;
	bool first;

	lockdep_assert_held(&swap_memcg_mutex);
	if (limited && !before) {
		first = !static_key_enabled(&swap_memcg_limited);
		static_branch_inc(&swap_memcg_limited);
		if (first)
			swap_memcg_drain_all();
	}
	/* Pairs with the load in swap_memcg_load_limited(). */
	smp_store_release(&tiers->limited, limited);
	if (!limited && before)
		static_branch_dec(&swap_memcg_limited);
}

/*
 * Take back swap_memcg_alloc(), when nobody can find the cgroup any more.
 * Sleeps.
 */
void swap_memcg_free(struct mem_cgroup *memcg)
{
	if (!memcg->swap_tiers)
		return;
	if (memcg->swap_tiers->limited) {
		/* Nobody may begin to limit another cgroup meanwhile. */
		mutex_lock(&swap_memcg_mutex);
		swap_memcg_set_limited(memcg->swap_tiers, 0);
		mutex_unlock(&swap_memcg_mutex);
	}
	kfree(memcg->swap_tiers);
}

/*
 * Remove all limits of a cgroup, because its controller is being disabled.
 * Sleeps.
 */
void swap_memcg_reset(struct mem_cgroup *memcg)
{
	if (!memcg->swap_tiers)
		return;
	mutex_lock(&swap_memcg_mutex);
	swap_memcg_set_limited(memcg->swap_tiers, 0);
	mutex_unlock(&swap_memcg_mutex);
}

/*
 * Remove the limits of all cgroups in the tier of a device that is being
 * swapped off. The tier is no longer in swap_tiers, and the swap type can't be
 * another device's yet. Sleeps.
 */
void swap_memcg_forget(unsigned int type)
{
	struct mem_cgroup *memcg = NULL;
	struct swap_memcg *tiers;

	mutex_lock(&swap_memcg_mutex);
	if (!static_key_enabled(&swap_memcg_limited))
		goto out;
	/* This includes removed cgroups, as long as they have pages in swap. */
	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		tiers = memcg->swap_tiers;
		if (tiers)
			swap_memcg_set_limited(tiers,
					       tiers->limited & ~BIT(type));
		cond_resched();
	}
out:
	mutex_unlock(&swap_memcg_mutex);
}

/*
 * Limits
 */

/* Do the slow path of swap_memcg_tiers(). */
unsigned long __swap_memcg_tiers(struct mem_cgroup *memcg, long nr)
{
	unsigned long limited, allowed = SWAP_TIERS_ALL;
	unsigned int type;

	for (; memcg && memcg->swap_tiers; memcg = parent_mem_cgroup(memcg)) {
		limited = swap_memcg_load_limited(memcg->swap_tiers);
		for_each_set_bit(type, &limited, NR_SWAP_TIER_INDEXES)
			if (!swap_memcg_fits(memcg->swap_tiers, type, nr))
				allowed &= ~BIT(type);
	}
	return allowed;
}

/*
 * Set the limits of a cgroup other than the root in the tiers of the mask
 * @given. @max has them in pages by the tier's index, PAGE_COUNTER_MAX for no
 * limit.
 *
 * Return true if the cgroup has more in one of the tiers than the new limit.
 * The caller has to queue swap_excess_work then.
 */
bool swap_memcg_set_limits(struct mem_cgroup *memcg, const unsigned long *max,
			   unsigned long given)
{
	struct swap_memcg *tiers = memcg->swap_tiers;
	unsigned long limited = tiers->limited;
	bool excess = false;
	unsigned int type;

	lockdep_assert_held(&swap_memcg_mutex);
	for_each_set_bit(type, &given, NR_SWAP_TIER_INDEXES) {
		limited &= ~BIT(type);
		if (max[type] >= PAGE_COUNTER_MAX)
			continue;
		WRITE_ONCE(tiers->tier[type].max, max[type]);
		limited |= BIT(type);
	}
	swap_memcg_set_limited(tiers, limited);

	/*
	 * Read usage after the limits are set. swap_memcg_add() adds to usage
	 * before it reads the limits, so that one of the two sees an excess of
	 * pages that are just being added.
	 */
	smp_mb();
	given &= limited;
	for_each_set_bit(type, &given, NR_SWAP_TIER_INDEXES)
		excess |= !swap_memcg_fits(tiers, type, 0);
	return excess;
}

/*
 * Return the limit of a cgroup in a tier in pages, PAGE_COUNTER_MAX for none.
 * The cgroup must not be the root.
 */
unsigned long swap_memcg_limit(struct mem_cgroup *memcg, unsigned int type)
{
	struct swap_memcg *tiers = memcg->swap_tiers;

	lockdep_assert_held(&swap_memcg_mutex);
	return tiers->limited & BIT(type) ? tiers->tier[type].max :
					    PAGE_COUNTER_MAX;
}

/*
 * Return a mask for swap_memcg_may_have() of the cgroups that have more in a
 * tier than they may, or that have a parent which has. Sleeps, and takes
 * O(cgroups).
 */
unsigned long swap_memcg_excess(void)
{
	struct mem_cgroup *memcg = NULL;
	unsigned long mask = 0;

	/* This includes removed cgroups, as long as they have pages in swap. */
	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		if (__swap_memcg_tiers(memcg, 0) != SWAP_TIERS_ALL)
			mask |= swap_memcg_bit(mem_cgroup_private_id(memcg));
		cond_resched();
	}
	return mask;
}

/*
 * Tell whether a cluster of the virtual area, with the first slot @slot, may
 * have data of a cgroup in the mask of swap_memcg_excess().
 */
bool swap_memcg_may_have(swp_entry_t slot, unsigned long mask)
{
	return READ_ONCE(__swap_entry_to_cluster(slot)->memcgs) & mask;
}

/* Do the slow path of swap_memcg_tiers_of(). */
unsigned long __swap_memcg_tiers_of(swp_entry_t slot, long nr)
{
	unsigned long allowed = SWAP_TIERS_ALL;
	struct swap_cluster_info *ci;
	unsigned short id;

	/*
	 * Lock the cluster, because the table of ids exists only while it is
	 * used.
	 */
	ci = swap_cluster_lock(swap_virtual_area, swp_offset(slot));
	id = __swap_cgroup_get(ci, swp_cluster_offset(slot));
	if (id) {
		rcu_read_lock();
		allowed =
			__swap_memcg_tiers(mem_cgroup_from_private_id(id), nr);
		rcu_read_unlock();
	}
	swap_cluster_unlock(ci);
	return allowed;
}

/*
 * Return how many pages of RAM zswap may take for a cgroup: half of what the
 * cgroup may have. The objects of zswap count for memory.max, and reclaim can't
 * free them. Without a bound they would grow until no other memory of the
 * cgroup fits, and the cgroup would be killed while devices are empty. With a
 * half, the pages in use have as much RAM as the pages in zswap, however well
 * these compress.
 */
static unsigned long swap_memcg_zswap_max(struct mem_cgroup *memcg)
{
	unsigned long max = min(READ_ONCE(memcg->memory.max),
				READ_ONCE(memcg->memory.high));

	return max == PAGE_COUNTER_MAX ? max : max / 2;
}

/*
 * Tell whether zswap takes that much for a cgroup. The statistics may be two
 * seconds old, because flushing them for each page costs more than compression
 * does. The objects that were added since the last flush are counted, and are
 * taken to be as large as the others on average.
 *
 * With @flush, the statistics are flushed if this estimate reaches the limit,
 * or if the number of pages has changed by more than a quarter of the limit.
 * The flushed statistics do not include objects that are on their way to a
 * device.
 */
static bool swap_memcg_zswap_is_full(struct mem_cgroup *memcg, bool flush)
{
	unsigned long max = swap_memcg_zswap_max(memcg), nr, flushed, objects,
		      bytes, pages;
	struct swap_memcg *tiers = memcg->swap_tiers;

	if (max == PAGE_COUNTER_MAX)
		return false;
	nr = swap_memcg_read(tiers, SWAP_TIER_INDEX_ZSWAP);
	flushed = READ_ONCE(tiers->zswap_flushed);
	objects = memcg_page_state(memcg, MEMCG_ZSWAPPED);
	bytes = memcg_page_state(memcg, MEMCG_ZSWAP_B);
	/* Take the objects for a page each if the statistics know none yet. */
	if (nr > flushed)
		bytes += (nr - flushed) *
			 (objects ? bytes / objects : PAGE_SIZE);
	pages = bytes >> PAGE_SHIFT;
	if (!flush || (pages < max && abs_diff(nr, flushed) <= max / 4))
		return pages >= max;

	WRITE_ONCE(tiers->zswap_flushed, nr);
	css_rstat_flush(&memcg->css);
	return memcg_page_state(memcg, MEMCG_ZSWAP_B) >> PAGE_SHIFT >= max;
}

/*
 * Tell whether zswap takes half of the memory that a cgroup, or a parent of it,
 * may have. The caller keeps the cgroup from going; it may be NULL. Without
 * @flush, this is a hint and may be two seconds old. With @flush, this sleeps.
 * Must not be called in interrupts.
 */
bool swap_memcg_zswap_full(struct mem_cgroup *memcg, bool flush)
{
	if (!swap_abs_enabled() || mem_cgroup_disabled())
		return false;
	for (; memcg && memcg->swap_tiers; memcg = parent_mem_cgroup(memcg))
		if (swap_memcg_zswap_is_full(memcg, flush))
			return true;
	return false;
}

/*
 * Tell the self-check whether a slot of a locked virtual cluster counts for a
 * cgroup.
 */
bool swap_memcg_counts(struct swap_cluster_info *ci, unsigned int ci_off)
{
	unsigned short id = __swap_cgroup_get(ci, ci_off);
	struct mem_cgroup *memcg;
	bool counts = false;

	if (id) {
		rcu_read_lock();
		memcg = mem_cgroup_from_private_id(id);
		counts = memcg && memcg->swap_tiers;
		rcu_read_unlock();
	}
	return counts;
}

/*
 * Return the pages that a cgroup and its children have in a tier, or 0 for the
 * root, which is not counted. Takes O(CPUs).
 */
unsigned long swap_memcg_usage(struct mem_cgroup *memcg, unsigned int type)
{
	struct swap_memcg_stock *stock;
	struct mem_cgroup *other;
	long usage;
	int cpu;

	if (!memcg->swap_tiers)
		return 0;
	usage = atomic_long_read(&memcg->swap_tiers->tier[type].usage);
	rcu_read_lock();
	for_each_possible_cpu(cpu) {
		stock = per_cpu_ptr(&swap_memcg_stock, cpu);
		other = mem_cgroup_from_private_id(READ_ONCE(stock->id));
		if (other && mem_cgroup_is_descendant(other, memcg))
			usage += READ_ONCE(stock->change[type + 1]);
	}
	rcu_read_unlock();
	return max(usage, 0);
}

/*
 * Add up for the self-check what all cgroups have in each tier: @sum gets pages
 * by the index of swap_desc_tier().
 */
void swap_memcg_sum(unsigned long *sum)
{
	struct mem_cgroup *memcg = NULL;
	unsigned int type;

	memset(sum, 0, NR_SWAP_TIER_INDEXES * sizeof(*sum));
	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		/*
		 * Add only the root's children, because they include all below.
		 */
		if (!memcg->swap_tiers || parent_mem_cgroup(memcg)->swap_tiers)
			continue;
		for (type = 0; type < NR_SWAP_TIER_INDEXES; type++)
			sum[type] += swap_memcg_usage(memcg, type);
	}
}
