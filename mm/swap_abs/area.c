// SPDX-License-Identifier: GPL-2.0
/*
 * The area of virtual slots: one swap_info_struct without a device, whose array
 * of clusters grows as slots are used.
 *
 * The array is a sparse vmalloc area, large enough for the most slots that
 * there can be, so that plain arithmetic still finds the cluster of an entry.
 * The array grows page by page and never shrinks. To map a page may sleep and
 * allocates page tables, so reclaim never does it; a worker keeps enough free
 * clusters ahead of reclaim.
 *
 * This file owns the array, and the variables that tell the whole layer whether
 * it is in use. mm/swap_abs/switch.c has the area made when the layer is
 * switched on for the first time, and mm/swapfile.c reports clusters that come
 * into use or become free.
 *
 * Locks: swap_abs_mutex, while the area is made. After that, only the worker
 * adds to the array.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/kmemleak.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/swapfile.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "../internal.h"
#include "../swap.h"
#include "../swap_table.h"
#include "slots.h"
#include "tier.h"

bool swap_abs_on __read_mostly;
DEFINE_STATIC_KEY_FALSE(swap_abs_key);
EXPORT_SYMBOL_GPL(swap_abs_key);	/* for get_nr_swap_pages() */

/* Serializes switching on and off, and tiers that come and go. */
DEFINE_MUTEX(swap_abs_mutex);

struct swap_info_struct *swap_virtual_area __read_mostly;

/*
 * The flags are the union of what the devices of all tiers need. A block is
 * read and written with the operations of its device. Reads with the operations
 * of the virtual area are reads of objects, several of which can be in a block,
 * so the format that has objects sets @submit_read.
 */
struct swap_ops swap_virtual_ops;

/* Runs the work without which memory can't be freed. */
struct workqueue_struct *swap_abs_wq __read_mostly;

/* Movers wait for memory and I/O, so reclaim must not wait for this queue. */
struct workqueue_struct *swap_move_wq __read_mostly;

/* See tier.h. It is defined in this file so that any file may queue it. */
struct work_struct swap_excess_work;

/*
 * si->max is an unsigned int, some code compares offsets as int, and each slot
 * takes a reference of its memcg's id.
 */
#define SWAP_ABS_MAX_SLOTS	((1UL << 31) - SWAPFILE_CLUSTER)

/* Name the parameter swap_abs.max_slots, whatever the name of this file is. */
#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "swap_abs."

static ulong swap_abs_max_slots = SWAP_ABS_MAX_SLOTS;
module_param_named(max_slots, swap_abs_max_slots, ulong, 0444);
MODULE_PARM_DESC(max_slots, "most virtual swap slots (pages)");

static struct vm_struct *swap_abs_vm;
static unsigned long swap_abs_nr_pages;		/* mapped */
static unsigned long swap_abs_nr_clusters;	/* in these pages */
static unsigned long swap_abs_cap_clusters;
static atomic_long_t swap_area_free_clusters = ATOMIC_LONG_INIT(0);

static void swap_area_grow_work_fn(struct work_struct *work);
static DECLARE_WORK(swap_abs_grow_work, swap_area_grow_work_fn);

/*
 * Return how many free clusters to keep: two for each CPU, so that no CPU waits
 * for the worker, and at least a few, for large folios.
 */
static long swap_area_clusters_ahead(void)
{
	return max(2 * num_online_cpus(), 32U);
}

/* Map one more page of the cluster array. */
static int swap_area_grow(void)
{
	struct swap_info_struct *si = swap_virtual_area;
	unsigned long start = (unsigned long)swap_abs_vm->addr +
			      (swap_abs_nr_pages << PAGE_SHIFT);
	unsigned long nr;
	struct page *page;
	int err;

	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	err = vm_area_map_pages(swap_abs_vm, start, start + PAGE_SIZE, &page);
	if (err) {
		__free_page(page);
		return err;
	}
	swap_abs_nr_pages++;
	/* Make kmemleak scan the page: clusters point to memory they own. */
	kmemleak_alloc((void *)start, PAGE_SIZE, 0, GFP_KERNEL);

	/* A cluster that ends in the next page is added with that page. */
	nr = (swap_abs_nr_pages << PAGE_SHIFT) /
	     sizeof(struct swap_cluster_info);
	nr = min(nr, swap_abs_cap_clusters) - swap_abs_nr_clusters;
	err = swap_area_add(si, swap_abs_nr_clusters, nr);
	if (err)
		return err;
	/* The first cluster has a bad slot, so it is never free. */
	atomic_long_add(swap_abs_nr_clusters ? nr : nr - 1,
			&swap_area_free_clusters);
	swap_abs_nr_clusters += nr;
	return 0;
}

static void swap_area_grow_work_fn(struct work_struct *work)
{
	/*
	 * Let the worker use the memory reserves for a page now and then,
	 * because without growth no memory can be freed.
	 */
	unsigned int flags = memalloc_noreclaim_save();

	while (swap_abs_nr_clusters < swap_abs_cap_clusters &&
	       atomic_long_read(&swap_area_free_clusters) <
	       2 * swap_area_clusters_ahead()) {
		if (swap_area_grow())
			break;
		cond_resched();
	}
	swap_spare_tables_fill(swap_virtual_area);
	memalloc_noreclaim_restore(flags);
}

/**
 * swap_area_cluster_taken - count a free cluster of the virtual area as used
 *
 * Queues the worker that grows the area when few free clusters are left.
 *
 * Context: under the cluster's lock.
 */
void swap_area_cluster_taken(void)
{
	if (atomic_long_dec_return(&swap_area_free_clusters) <
	    swap_area_clusters_ahead())
		swap_area_cluster_wanted();
}

/**
 * swap_area_cluster_wanted - queue the worker that grows the virtual area
 *
 * Called when the area is too small, or about to be.
 *
 * Context: any.
 */
void swap_area_cluster_wanted(void)
{
	queue_work(swap_abs_wq, &swap_abs_grow_work);
}

/**
 * swap_area_cluster_freed - count a cluster of the virtual area as free
 *
 * Context: under the cluster's lock.
 */
void swap_area_cluster_freed(void)
{
	atomic_long_inc(&swap_area_free_clusters);
}

/*
 * Make the virtual area. After an error, what has been made stays for the next
 * try. Return 0, -ENOMEM, or -EPERM when all swap types are in use. Process
 * context, sleeps.
 */
int swap_area_create(void)
{
	struct swap_info_struct *si = swap_virtual_area;
	unsigned long slots, size;
	int err;

	lockdep_assert_held(&swap_abs_mutex);
	if (swap_abs_used())
		return 0;

	if (!si) {
		si = swap_area_alloc(&swap_virtual_ops);
		if (IS_ERR(si))
			return PTR_ERR(si);
		swap_virtual_area = si;
	}

	if (!swap_abs_vm) {
		slots = min3(swap_abs_max_slots, SWAP_ABS_MAX_SLOTS,
			     swapfile_maximum_size);
		swap_abs_cap_clusters = max(slots / SWAPFILE_CLUSTER, 2UL);
		size = swap_abs_cap_clusters * sizeof(struct swap_cluster_info);
		swap_abs_vm = get_vm_area(PAGE_ALIGN(size), VM_SPARSE);
		if (!swap_abs_vm)
			return -ENOMEM;
		/* Slot 0 can't be used, so the area is never full. */
		si->pages = swap_abs_cap_clusters * SWAPFILE_CLUSTER;
		si->cluster_info = swap_abs_vm->addr;
	}

	static_branch_enable(&swap_abs_key);
	while (atomic_long_read(&swap_area_free_clusters) <
	       swap_area_clusters_ahead() &&
	       swap_abs_nr_clusters < swap_abs_cap_clusters) {
		err = swap_area_grow();
		if (err)
			goto fail;
	}
	swap_area_cluster_wanted();
	swap_area_start(si);
	return 0;
fail:
	static_branch_disable(&swap_abs_key);
	return err;
}
