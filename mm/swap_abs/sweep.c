// SPDX-License-Identifier: GPL-2.0
/*
 * Sweeping up pages that were freed while they were being written.
 *
 * When a swapped page is unmapped, its folio and its slot are freed. But they
 * are not freed while the folio is locked or under writeback, because the
 * unmapping task must not wait for that. The folio would stay in the swap
 * cache, with its slot and the data behind it, until reclaim comes across it.
 * There are many such folios in a layer that gathers pages before it writes
 * them. So the slot's cluster is noted (swap_sweep_later()), and a worker looks
 * at the cluster a little later, again and again until no such folio is left.
 *
 * To hold: a slot that nobody refers to, with a folio that nobody has mapped,
 * is in a cluster that is noted, or is about to be freed by somebody else. When
 * more clusters are to be noted than there is room for, the worker looks at all
 * clusters.
 *
 * Callers are mm/swapfile.c and mm/swap_state.c, when they could not free a
 * folio.
 *
 * Locks: swap_sweep_lock is inside of all others and protects the noted
 * clusters.
 */
#include <linux/jiffies.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "tier.h"

/*
 * Long enough for a chunk to be written, and short enough that nobody misses
 * the memory.
 */
#define SWAP_SWEEP_DELAY	max(HZ / 50, 1)

static DEFINE_SPINLOCK(swap_sweep_lock);
static unsigned long swap_sweep_clusters[64];
static unsigned int swap_sweep_nr;
static bool swap_sweep_all;

static void swap_sweep_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(swap_sweep_work, swap_sweep_work_fn);

static void swap_sweep_note(unsigned long cluster)
{
	unsigned int i;

	spin_lock(&swap_sweep_lock);
	for (i = swap_sweep_nr; i--;)
		if (swap_sweep_clusters[i] == cluster)
			break;
	if (i == -1U) {
		if (swap_sweep_nr < ARRAY_SIZE(swap_sweep_clusters))
			swap_sweep_clusters[swap_sweep_nr++] = cluster;
		else
			swap_sweep_all = true;
	}
	spin_unlock(&swap_sweep_lock);
}

/**
 * swap_sweep_later - have a slot freed later whose folio is busy now
 * @offset: offset of the virtual slot, to which nobody refers any more
 *
 * Context: process context. Does not sleep.
 */
void swap_sweep_later(unsigned long offset)
{
	swap_sweep_note(offset / SWAPFILE_CLUSTER);
	queue_delayed_work(swap_abs_wq, &swap_sweep_work, SWAP_SWEEP_DELAY);
}

static void swap_sweep_cluster(unsigned long cluster)
{
	if (!swap_reclaim_unused(swap_virtual_area, cluster * SWAPFILE_CLUSTER))
		swap_sweep_later(cluster * SWAPFILE_CLUSTER);
	cond_resched();
}

static void swap_sweep_work_fn(struct work_struct *work)
{
	unsigned long clusters[ARRAY_SIZE(swap_sweep_clusters)], i;
	unsigned int nr;
	bool all;

	spin_lock(&swap_sweep_lock);
	nr = swap_sweep_nr;
	memcpy(clusters, swap_sweep_clusters, nr * sizeof(*clusters));
	all = swap_sweep_all;
	swap_sweep_nr = 0;
	swap_sweep_all = false;
	spin_unlock(&swap_sweep_lock);

	if (all)
		nr = READ_ONCE(swap_virtual_area->max) / SWAPFILE_CLUSTER;
	for (i = 0; i < nr; i++)
		swap_sweep_cluster(all ? i : clusters[i]);
}
