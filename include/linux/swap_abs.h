/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The swap abstraction as the rest of mm sees it.
 *
 * While the layer is on, a swap entry in a page table or in shmem is a slot of
 * the virtual area and does not say where the data is; see
 * Documentation/mm/swap-abstraction.rst. mm/swap_abs.h has what only the swap
 * code needs.
 */
#ifndef _LINUX_SWAP_ABS_H
#define _LINUX_SWAP_ABS_H

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/types.h>

struct folio;
struct mem_cgroup;

#ifdef CONFIG_SWAP_ABS
/* On once the virtual area has been made, which then exists for ever. */
DECLARE_STATIC_KEY_FALSE(swap_abs_key);
extern bool swap_abs_on;

long __swap_abs_ram_pages(struct mem_cgroup *memcg);
long __swap_abs_device_pages(struct mem_cgroup *memcg, long nr);
bool __swap_copy_irreplaceable(struct folio *folio);
bool __swap_closed_tiers_have_copies(struct mem_cgroup *memcg);
bool __swap_abs_ram_present(void);

/**
 * swap_abs_used - tell whether there may be virtual swap entries
 *
 * Context: any.
 * Return: true once the layer has been switched on since boot. This stays true
 * when the layer is switched off, because virtual entries may still exist.
 */
static inline bool swap_abs_used(void)
{
	return static_branch_unlikely(&swap_abs_key);
}

/**
 * swap_abs_enabled - tell whether new swap entries are virtual
 *
 * Context: any. The answer may be outdated when the caller uses it; that does
 * no harm, because both kinds of entry work at any time.
 * Return: true while vm.swap_abs is 1.
 */
static inline bool swap_abs_enabled(void)
{
	return swap_abs_used() && READ_ONCE(swap_abs_on);
}

/**
 * swap_abs_ram_pages - return how much zswap can still take without a device
 * @memcg: the cgroup that has the pages, NULL for the pages of all
 *
 * While the layer is on, zswap needs no device under it. So when no device has
 * room, memory can be reclaimed into zswap, up to the limit of its pool.
 *
 * Context: any, does not sleep.
 * Return: pages that zswap's pool may still grow by; 0 when the layer is off,
 * zswap is off or full, @memcg may not use it, or reclaim has tried in vain.
 */
static inline long swap_abs_ram_pages(struct mem_cgroup *memcg)
{
	return swap_abs_used() ? __swap_abs_ram_pages(memcg) : 0;
}

/**
 * swap_abs_device_pages - return how much of device capacity reclaim can reach
 * @memcg: the cgroup that has the pages, NULL for the pages of all
 * @nr: pages of capacity that the devices have left
 *
 * Part of the capacity may have to be collected first, or may suit only pages
 * that compress.
 *
 * Context: any, does not sleep.
 * Return: @nr, or 0 when reclaim has tried to use that capacity in vain.
 */
static inline long swap_abs_device_pages(struct mem_cgroup *memcg, long nr)
{
	return swap_abs_used() && nr > 0 ? __swap_abs_device_pages(memcg, nr) : nr;
}

/* Tell whether pages can be swapped out to zswap without any device. */
static inline bool swap_abs_ram_present(void)
{
	return swap_abs_used() && __swap_abs_ram_present();
}

/**
 * swap_copy_irreplaceable - tell whether a folio could not get its copy back
 * @folio: a locked folio in the swap cache
 *
 * A device that is being drained takes no new copy, and perhaps no other tier
 * has room for one. (A device that has failed is not relied on.)
 *
 * Context: any.
 * Return: true when the folio's copy is on a device that is being drained.
 */
static inline bool swap_copy_irreplaceable(struct folio *folio)
{
	return swap_abs_used() && __swap_copy_irreplaceable(folio);
}

/**
 * swap_closed_tiers_have_copies - tell whether much memory has its copy in swap
 * @memcg: the cgroup that has the memory, NULL for the memory of all
 *
 * Reclaim can free clean pages of the swap cache even when nothing can be
 * swapped out.
 *
 * Context: any without @memcg. With it, may sleep to flush the cgroup's
 * statistics.
 * Return: true while there are many such pages, and reclaim still finds some.
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
