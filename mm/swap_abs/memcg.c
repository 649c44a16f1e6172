// SPDX-License-Identifier: GPL-2.0
/*
 * How much of each tier of the swap abstraction a memory cgroup uses, and may use.
 *
 * A page counts in the tier where its descriptor says that its data is: one page,
 * however small it has become, from the moment that the descriptor says so. It
 * counts for the cgroup whose id stands beside the slot, and for the parents of
 * that, without the root. The id is there before the first descriptor and is
 * cleared after the last one (folio_alloc_swap(), __swap_cluster_free_entries()),
 * and keeps the cgroup from being freed. So a cgroup that was removed goes on to be
 * counted, and its limits go on to apply, until its last page has left swap.
 *
 * With cgroup v1 the id comes and goes while the data stays, and there is no file
 * for limits: nothing is kept there. The hierarchy can't change while there are
 * cgroups besides the root.
 *
 * Limits are asked for before data is copied (swap_memcg_tiers_of()), and not when the
 * descriptor changes, because it must not fail any more by then: the data is where
 * it is, and for pages that several CPUs store at once a reservation would be
 * needed, taken and given back in all the ways that a store or a move can end. So
 * there may be more in a tier than its limit by what was on the way when others
 * asked. Who adds it sees that, and so does who lowers a limit: one of the two
 * queues swap_excess_work, which moves it out. A limit of 0 lets nobody begin.
 *
 * What it costs: for each cgroup but the root a pointer, and a struct with 16 bytes
 * a tier that there could be, which takes 512 bytes of kmalloc's. A change of tier
 * costs, for each run of slots that have it in common, a look-up of the id and an
 * atomic operation a level where data appears or goes, as the swap charge does, or
 * two where it moves. For the root's pages it is a comparison. While there is no
 * limit anywhere, asking costs a static branch.
 *
 * What zswap has of a cgroup counts for the memory that the cgroup may have, and may take
 * no more than half of that. The number of pages in that tier tells by how much the
 * statistics, which know the bytes, are behind (swap_memcg_zswap_full()).
 *
 * Callers are mm/swap_abs/desc.c, which reports changes, the stores and movers, which
 * ask, mm/swap_abs/room.c, which knows what has room besides, mm/swap_abs/memcg_files.c,
 * where limits are set, mm/swap_abs/device.c and mm/memcontrol.c. Nothing of the layer is
 * called from here, as this is below all that stores and moves.
 *
 * Locks: swap_memcg_mutex, for changes of limits, inside of cgroup_mutex. Usage is atomic,
 * and changes under the lock of a virtual cluster.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/cgroup.h>
#include <linux/jump_label.h>
#include <linux/memcontrol.h>
#include <linux/mutex.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include "../swap.h"
#include "../swap_table.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

/**
 * struct swap_memcg - a memory cgroup in the tiers of swap
 * @vain: what reclaim has tried in vain, of its own pages
 * @zswap_flushed: pages in zswap when the statistics were flushed last for their size
 * @limited: mask of the tiers with a limit; changed under swap_memcg_mutex
 * @tier: by swap_desc_tier()
 * @tier.usage: pages in the tier, those of the children too
 * @tier.max: limit in pages; means something only where @limited says so
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

/* Counts the cgroups that have a limit. */
DEFINE_STATIC_KEY_FALSE(swap_memcg_limited);

/* Serializes changes of limits. */
DEFINE_MUTEX(swap_memcg_mutex);

/*
 * Cgroups that come and go
 */

/**
 * swap_memcg_alloc - make what a cgroup needs
 * @memcg: the cgroup that is being made
 * @parent: its parent, NULL for the root
 *
 * Context: process context, sleeps.
 * Return: 0 or -ENOMEM.
 */
int swap_memcg_alloc(struct mem_cgroup *memcg, struct mem_cgroup *parent)
{
	if (!parent || !cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return 0;
	memcg->swap_tiers = kzalloc_obj(*memcg->swap_tiers, GFP_KERNEL_ACCOUNT);
	return memcg->swap_tiers ? 0 : -ENOMEM;
}

/* What reclaim has tried in vain of a cgroup's pages; NULL where only all are counted. */
struct swap_vain *swap_memcg_vain(struct mem_cgroup *memcg)
{
	return memcg && memcg->swap_tiers ? &memcg->swap_tiers->vain : NULL;
}

/* Pages of a cgroup that are in tiers. */
unsigned long swap_memcg_stored(struct mem_cgroup *memcg)
{
	unsigned long sum = 0;
	unsigned int type;

	for (type = 0; type < NR_SWAP_TIER_INDEXES; type++)
		sum += atomic_long_read(&memcg->swap_tiers->tier[type].usage);
	return sum;
}

/**
 * swap_memcg_usage - pages of a cgroup that are in a tier
 * @memcg: the cgroup
 * @type: the tier's index
 *
 * Context: any.
 * Return: pages, those of its children too; 0 for the root, of which none are counted.
 */
unsigned long swap_memcg_usage(struct mem_cgroup *memcg, unsigned int type)
{
	return memcg->swap_tiers ? atomic_long_read(&memcg->swap_tiers->tier[type].usage) : 0;
}

/* Slots that it has. */
unsigned long swap_memcg_slots(struct mem_cgroup *memcg)
{
	return page_counter_read(&memcg->swap);
}

/* Called under swap_memcg_mutex, or when nobody knows the cgroup any more. */
static void swap_memcg_set_limited(struct swap_memcg *tiers, unsigned long limited)
{
	unsigned long before = tiers->limited;

	if (limited && !before)
		static_branch_inc(&swap_memcg_limited);
	/* Pairs with the load in swap_memcg_load_limited(). */
	smp_store_release(&tiers->limited, limited);
	if (!limited && before)
		static_branch_dec(&swap_memcg_limited);
}

/**
 * swap_memcg_free - take back swap_memcg_alloc()
 * @memcg: the cgroup, which nobody can find any more
 *
 * Context: process context, sleeps.
 */
void swap_memcg_free(struct mem_cgroup *memcg)
{
	if (!memcg->swap_tiers)
		return;
	swap_memcg_set_limited(memcg->swap_tiers, 0);
	kfree(memcg->swap_tiers);
}

/**
 * swap_memcg_reset - take all limits of a cgroup away
 * @memcg: the cgroup, whose controller is being disabled
 *
 * Context: process context, sleeps.
 */
void swap_memcg_reset(struct mem_cgroup *memcg)
{
	if (!memcg->swap_tiers)
		return;
	mutex_lock(&swap_memcg_mutex);
	swap_memcg_set_limited(memcg->swap_tiers, 0);
	mutex_unlock(&swap_memcg_mutex);
}

/**
 * swap_memcg_forget - take the limits of a tier away
 * @type: swap type of a device that is being swapped off: it is no longer in
 *	swap_tiers, and the type can't be used for another one yet
 *
 * Context: process context, sleeps.
 */
void swap_memcg_forget(unsigned int type)
{
	struct mem_cgroup *memcg = NULL;
	struct swap_memcg *tiers;

	mutex_lock(&swap_memcg_mutex);
	if (!static_key_enabled(&swap_memcg_limited))
		goto out;
	/* Removed ones are among them while they have pages in swap. */
	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		tiers = memcg->swap_tiers;
		if (tiers)
			swap_memcg_set_limited(tiers, tiers->limited & ~BIT(type));
		cond_resched();
	}
out:
	mutex_unlock(&swap_memcg_mutex);
}

/*
 * Limits
 */

/* With what is set, its limit is there too. */
static unsigned long swap_memcg_load_limited(struct swap_memcg *tiers)
{
	/* Pairs with the store in swap_memcg_set_limited(). */
	return smp_load_acquire(&tiers->limited);
}

/* Of a tier with a limit. */
static bool swap_memcg_fits(struct swap_memcg *tiers, unsigned int type, long nr)
{
	return atomic_long_read(&tiers->tier[type].usage) + nr <=
	       (long)READ_ONCE(tiers->tier[type].max);
}

/* The slow path of swap_memcg_tiers(). */
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

/**
 * swap_memcg_set_limits - limit what a cgroup may have in some tiers
 * @memcg: the cgroup, not the root
 * @max: pages by the tier's index, PAGE_COUNTER_MAX for no limit
 * @given: mask of these tiers
 *
 * Context: swap_memcg_mutex held.
 * Return: is there more in one of them than the new limit?
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
	 * The limits are set before usage is read, and swap_memcg_add() adds before
	 * it reads limits: what was on its way is seen here or there.
	 */
	smp_mb();
	given &= limited;
	for_each_set_bit(type, &given, NR_SWAP_TIER_INDEXES)
		excess |= !swap_memcg_fits(tiers, type, 0);
	return excess;
}

/**
 * swap_memcg_limit - what a cgroup may have in a tier
 * @memcg: the cgroup, not the root
 * @type: the tier's index
 *
 * Context: swap_memcg_mutex held.
 * Return: pages, PAGE_COUNTER_MAX for no limit.
 */
unsigned long swap_memcg_limit(struct mem_cgroup *memcg, unsigned int type)
{
	struct swap_memcg *tiers = memcg->swap_tiers;

	lockdep_assert_held(&swap_memcg_mutex);
	return tiers->limited & BIT(type) ? tiers->tier[type].max : PAGE_COUNTER_MAX;
}

/*
 * Clusters know by a bit a cgroup, of which several have the same, whose data may be in
 * them: who looks for what a cgroup has too much skips the others. That is 8 bytes a
 * cluster, of which 2 TiB have a million, where the descriptors would be 4 GiB.
 */
static unsigned long swap_memcg_bit(unsigned short id)
{
	return BIT(id % BITS_PER_LONG);
}

/**
 * swap_memcg_excess - who has more in a tier than he may?
 *
 * Context: process context, sleeps. O(cgroups).
 * Return: mask for swap_memcg_may_have(), of cgroups that are above a limit, and of those
 * below them.
 */
unsigned long swap_memcg_excess(void)
{
	struct mem_cgroup *memcg = NULL;
	unsigned long mask = 0;

	/* Removed ones are among them while they have pages in swap. */
	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		if (__swap_memcg_tiers(memcg, 0) != SWAP_TIERS_ALL)
			mask |= swap_memcg_bit(mem_cgroup_private_id(memcg));
		cond_resched();
	}
	return mask;
}

/**
 * swap_memcg_may_have - may a cluster have data of such cgroups?
 * @slot: the first slot of a cluster of the virtual area
 * @mask: of swap_memcg_excess()
 *
 * Context: any.
 * Return: false when it has none.
 */
bool swap_memcg_may_have(swp_entry_t slot, unsigned long mask)
{
	return READ_ONCE(__swap_entry_to_cluster(slot)->memcgs) & mask;
}

/* The slow path of swap_memcg_tiers_of(). */
unsigned long __swap_memcg_tiers_of(swp_entry_t slot, long nr)
{
	unsigned long allowed = SWAP_TIERS_ALL;
	struct swap_cluster_info *ci;
	unsigned short id;

	/* The table of ids comes and goes with the cluster's use. */
	ci = swap_cluster_lock(swap_virtual_area, swp_offset(slot));
	id = __swap_cgroup_get(ci, swp_cluster_offset(slot));
	if (id) {
		rcu_read_lock();
		allowed = __swap_memcg_tiers(mem_cgroup_from_private_id(id), nr);
		rcu_read_unlock();
	}
	swap_cluster_unlock(ci);
	return allowed;
}

/*
 * What zswap has of a cgroup counts for memory.max, and reclaim can't take it: left alone,
 * it grows until nothing else fits, and the cgroup is killed with devices empty. With a half
 * there is as much for what is in use as for what is not, however well that compresses.
 */
static unsigned long swap_memcg_zswap_max(struct mem_cgroup *memcg)
{
	unsigned long max = min(READ_ONCE(memcg->memory.max), READ_ONCE(memcg->memory.high));

	return max == PAGE_COUNTER_MAX ? max : max / 2;
}

/*
 * Has zswap that much of a cgroup? Its statistics may be two seconds old, and to flush them
 * for each page costs more than compression. Objects that have come since are counted, and
 * taken to be as large as the others. With @flush the statistics are flushed when that is
 * the limit, or may be wrong by a quarter of it; they leave out what is on its way to a
 * device.
 */
static bool swap_memcg_zswap_is_full(struct mem_cgroup *memcg, bool flush)
{
	unsigned long max = swap_memcg_zswap_max(memcg), nr, flushed, objects, bytes, pages;
	struct swap_memcg *tiers = memcg->swap_tiers;

	if (max == PAGE_COUNTER_MAX)
		return false;
	nr = atomic_long_read(&tiers->tier[SWAP_TIER_INDEX_ZSWAP].usage);
	flushed = READ_ONCE(tiers->zswap_flushed);
	objects = memcg_page_state(memcg, MEMCG_ZSWAPPED);
	bytes = memcg_page_state(memcg, MEMCG_ZSWAP_B);
	/* A page each, before anything has been counted. */
	if (nr > flushed)
		bytes += (nr - flushed) * (objects ? bytes / objects : PAGE_SIZE);
	pages = bytes >> PAGE_SHIFT;
	if (!flush || (pages < max && abs_diff(nr, flushed) <= max / 4))
		return pages >= max;

	WRITE_ONCE(tiers->zswap_flushed, nr);
	css_rstat_flush(&memcg->css);
	return memcg_page_state(memcg, MEMCG_ZSWAP_B) >> PAGE_SHIFT >= max;
}

/**
 * swap_memcg_zswap_full - has zswap half of what a cgroup or one above it may have?
 * @memcg: the cgroup, which the caller keeps from going, or NULL
 * @flush: it has to be known now; else it is a hint, and may be two seconds old
 *
 * Context: any but interrupts; with @flush, sleeps.
 * Return: true when it has.
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
 * Usage
 */

/* What the slots of a run have in common. */
struct swap_memcg_change {
	unsigned short id;
	short from, to;
};

static struct swap_memcg_change
swap_memcg_change(struct swap_cluster_info *ci, unsigned int ci_off,
		  swap_desc_t old, swap_desc_t new)
{
	return (struct swap_memcg_change) {
		.id	= __swap_cgroup_get(ci, ci_off),
		.from	= swap_desc_tier(old),
		.to	= swap_desc_tier(new),
	};
}

static void swap_memcg_add(struct swap_memcg *tiers, unsigned int type, long nr)
{
	/* Fully ordered: see swap_memcg_set_limits(). */
	long usage = atomic_long_add_return(nr, &tiers->tier[type].usage);

	VM_WARN_ON_ONCE(usage < 0);
	if (nr > 0 && static_branch_unlikely(&swap_memcg_limited) &&
	    (swap_memcg_load_limited(tiers) & BIT(type)) && !swap_memcg_fits(tiers, type, 0))
		swap_move_queue(&swap_excess_work);
}

static void swap_memcg_move(struct swap_cluster_info *ci,
			    const struct swap_memcg_change *change, unsigned int nr)
{
	struct mem_cgroup *memcg;

	/* The root has the most to lose by a look-up for nothing. */
	if (change->from == change->to || !change->id ||
	    change->id == mem_cgroup_private_id(root_mem_cgroup))
		return;

	if (change->to >= 0)
		WRITE_ONCE(ci->memcgs, ci->memcgs | swap_memcg_bit(change->id));
	rcu_read_lock();
	memcg = mem_cgroup_from_private_id(change->id);
	for (; memcg && memcg->swap_tiers; memcg = parent_mem_cgroup(memcg)) {
		if (change->from >= 0)
			swap_memcg_add(memcg->swap_tiers, change->from, -(long)nr);
		if (change->to >= 0)
			swap_memcg_add(memcg->swap_tiers, change->to, nr);
	}
	rcu_read_unlock();
}

/**
 * swap_memcg_account - the data of slots goes to another place
 * @ci: the locked virtual cluster
 * @ci_off: first slot, which like the others has its cgroup's id
 * @old: descriptors as they have been, a slot each
 * @new: descriptors as they will be, NULL when the slots have no data any more
 * @nr: number of slots
 *
 * Context: also under page-table locks and with interrupts off; O(@nr).
 */
void swap_memcg_account(struct swap_cluster_info *ci, unsigned int ci_off,
			const swap_desc_t *old, const swap_desc_t *new,
			unsigned int nr)
{
	struct swap_memcg_change run = {}, next;
	unsigned int i, first = 0;

	lockdep_assert_held(&ci->lock);
	if (mem_cgroup_disabled() || !cgroup_subsys_on_dfl(memory_cgrp_subsys))
		return;

	for (i = 0; i < nr; i++) {
		next = swap_memcg_change(ci, ci_off + i, old[i], new ? new[i] : swap_desc_none());
		if (next.id == run.id && next.from == run.from && next.to == run.to)
			continue;
		swap_memcg_move(ci, &run, i - first);
		run = next;
		first = i;
	}
	swap_memcg_move(ci, &run, nr - first);
}

/**
 * swap_memcg_counts - does a slot count for a cgroup?
 * @ci: the locked virtual cluster
 * @ci_off: the slot
 *
 * For the self-check.
 *
 * Return: true when it does, in the tier where its data is.
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

/**
 * swap_memcg_sum - what counts for any cgroup
 * @sum: pages by swap_desc_tier(), for the self-check to compare
 *
 * Context: process context.
 */
void swap_memcg_sum(unsigned long *sum)
{
	struct mem_cgroup *memcg = NULL;
	unsigned int type;

	memset(sum, 0, NR_SWAP_TIER_INDEXES * sizeof(*sum));
	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL))) {
		/* The children of the root count all that is below them. */
		if (!memcg->swap_tiers || parent_mem_cgroup(memcg)->swap_tiers)
			continue;
		for (type = 0; type < NR_SWAP_TIER_INDEXES; type++)
			sum[type] += atomic_long_read(&memcg->swap_tiers->tier[type].usage);
	}
}
