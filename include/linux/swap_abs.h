/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The swap abstraction: what the rest of mm asks of it.
 *
 * While it is on, a swap entry in a page table or in shmem is a slot of the
 * virtual area and says nothing about where the data is; see
 * Documentation/mm/swap-abstraction.rst. The parts that only the swap code
 * itself needs are in mm/swap_abs.h.
 */
#ifndef _LINUX_SWAP_ABS_H
#define _LINUX_SWAP_ABS_H

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/types.h>

struct folio;
struct mem_cgroup;

#ifdef CONFIG_SWAP_ABS
/* Enabled once, when the virtual area is made; it then exists for ever. */
DECLARE_STATIC_KEY_FALSE(swap_abs_key);
extern bool swap_abs_on;

long __swap_abs_ram_pages(struct mem_cgroup *memcg);
long __swap_abs_device_pages(struct mem_cgroup *memcg, long nr);
bool __swap_copy_irreplaceable(struct folio *folio);
bool __swap_closed_tiers_have_copies(struct mem_cgroup *memcg);
bool __swap_abs_ram_present(void);

/**
 * swap_abs_used - may there be virtual swap entries?
 *
 * Return: true once the layer has been switched on since boot, also when it is
 * off again: entries that were made meanwhile live on.
 */
static inline bool swap_abs_used(void)
{
	return static_branch_unlikely(&swap_abs_key);
}

/**
 * swap_abs_enabled - are new swap entries virtual?
 *
 * Context: any; the answer can be old by the time that it is used, and both
 * kinds of entry work at any time.
 * Return: true while vm.swap_abs is 1.
 */
static inline bool swap_abs_enabled(void)
{
	return swap_abs_used() && READ_ONCE(swap_abs_on);
}

/**
 * swap_abs_ram_pages - how much zswap can still take without a device
 * @memcg: whose pages, NULL for anybody's
 *
 * zswap needs no device under it while the layer is on, so memory can be
 * reclaimed into it when no device has room, up to the limit of its pool.
 *
 * Context: any, does not sleep.
 * Return: pages of zswap's pool that are left; 0 when the layer is off, zswap
 * is off or full, or @memcg may not use it.
 */
static inline long swap_abs_ram_pages(struct mem_cgroup *memcg)
{
	return swap_abs_used() ? __swap_abs_ram_pages(memcg) : 0;
}

/**
 * swap_abs_device_pages - what devices can store, as far as that may be reached
 * @memcg: whose pages, NULL for anybody's
 * @nr: what they have left
 *
 * Some of it may have to be collected first, or be no place for pages that don't compress.
 *
 * Context: any, does not sleep.
 * Return: pages; 0 when that was tried in vain.
 */
static inline long swap_abs_device_pages(struct mem_cgroup *memcg, long nr)
{
	return swap_abs_used() && nr > 0 ? __swap_abs_device_pages(memcg, nr) : nr;
}

/* May pages be swapped out to zswap though there is no device? */
static inline bool swap_abs_ram_present(void)
{
	return swap_abs_used() && __swap_abs_ram_present();
}

/**
 * swap_copy_irreplaceable - would a folio's copy be missed?
 * @folio: a locked folio in the swap cache
 *
 * On a device that is drained there can't be another one, and there may be nowhere else
 * for it. (A device that has failed is not relied on.)
 *
 * Context: any.
 * Return: true when it is on such a device.
 */
static inline bool swap_copy_irreplaceable(struct folio *folio)
{
	return swap_abs_used() && __swap_copy_irreplaceable(folio);
}

/**
 * swap_closed_tiers_have_copies - is memory likely to have its copy in swap already?
 * @memcg: whose memory, NULL for anybody's
 *
 * What is clean for that reason can be reclaimed though nothing can be swapped out.
 *
 * Context: any without @memcg; with it, sleeps now and then for the cgroup's statistics.
 * Return: true while there is much in the swap cache, and looking for it pays.
 */
static inline bool swap_closed_tiers_have_copies(struct mem_cgroup *memcg)
{
	return swap_abs_used() && __swap_closed_tiers_have_copies(memcg);
}
#else
static inline bool swap_abs_used(void)
{
	return false;
}

static inline bool swap_abs_enabled(void)
{
	return false;
}

static inline long swap_abs_ram_pages(struct mem_cgroup *memcg)
{
	return 0;
}

static inline long swap_abs_device_pages(struct mem_cgroup *memcg, long nr)
{
	return nr;
}

static inline bool swap_abs_ram_present(void)
{
	return false;
}

static inline bool swap_copy_irreplaceable(struct folio *folio)
{
	return false;
}

static inline bool swap_closed_tiers_have_copies(struct mem_cgroup *memcg)
{
	return false;
}
#endif /* CONFIG_SWAP_ABS */

#endif /* _LINUX_SWAP_ABS_H */
