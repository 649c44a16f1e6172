// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of the swap abstraction that were freed while they were being written.
 *
 * Who unmaps a swapped page frees its folio and its slot, but not while the folio is
 * locked or under writeback, as then nobody may wait for it. Such a folio would stay in
 * the swap cache, with its slot and what is behind that, until reclaim comes across it.
 * With a layer that gathers pages before it writes them, that is many. So the cluster is
 * noted (swap_sweep_later()), and a worker looks there a little later, again and again
 * until nothing is left.
 *
 * To hold: a slot that nobody refers to, with a folio that nobody has mapped, is in a
 * cluster that is noted, or was freed otherwise. Where too many clusters are to be noted,
 * all are looked at.
 *
 * Called by mm/swapfile.c. Locks: swap_sweep_lock, inside of everything.
 */
#include <linux/jiffies.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "tier.h"

/* Long enough for a chunk to be written, short enough that nobody misses the memory. */
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
 * swap_sweep_later - a slot that nobody refers to any more could not be freed
 * @offset: of the virtual slot
 *
 * Context: process context, does not sleep.
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
