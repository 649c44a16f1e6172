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
/* Devices that are being drained; written in mm/swap_abs/tier.c. */
extern unsigned int swap_abs_draining;

long swap_abs_storable_pages(struct mem_cgroup *memcg, long nr);
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
	return swap_abs_used() && READ_ONCE(swap_abs_draining) &&
	       __swap_copy_irreplaceable(folio);
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

static inline long swap_abs_storable_pages(struct mem_cgroup *memcg, long nr)
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
