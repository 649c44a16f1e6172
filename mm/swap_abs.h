/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The swap abstraction, as the rest of the swap code sees it: what it calls, and what
 * mm/swapfile.c, mm/zswap.c and mm/memcontrol.c offer in return.
 *
 * What it is, its rules and its locks are described at the head of mm/swap_abs.c and
 * in Documentation/mm/swap-abstraction.rst. Its own headers are in mm/swap_abs/.
 */
#ifndef _MM_SWAP_ABS_H
#define _MM_SWAP_ABS_H

#include <linux/swap.h>
#include <linux/swap_abs.h>
#include <linux/swap_ops.h>
#include <linux/swapops.h>
#include <linux/zswap.h>
#include "swap.h"
#include "swap_abs/desc.h"

struct mem_cgroup;
struct sysinfo;
struct swap_move;
struct swap_object;
struct swap_tier;

/* What is to become of a tier's data. */
enum swap_tier_state {
	SWAP_TIER_ONLINE,
	SWAP_TIER_DRAINING,	/* takes nothing, and is emptied into the others */
	SWAP_TIER_FAILED,	/* the same, because of I/O errors */
	NR_SWAP_TIER_STATES,
};

/* What a new entry may count on; see swap_abs_reserve(). */
enum swap_room {
	SWAP_ROOM_PHYSICAL,	/* the layer is off: a slot of a device itself */
	SWAP_ROOM_DEVICE,	/* virtual, device capacity is held for it */
	SWAP_ROOM_RAM,		/* virtual, but only zswap may take it */
	SWAP_ROOM_NONE,
};

extern struct swap_info_struct *swap_virtual_area;

/* mm/swap_abs/area.c */
void swap_area_cluster_wanted(void);
void swap_area_cluster_taken(void);
void swap_area_cluster_freed(void);

/* mm/swap_abs/desc.c */
void swap_desc_init(struct swap_cluster_info *ci, unsigned int ci_off,
		    unsigned int nr);
void swap_abs_drop(struct swap_cluster_info *ci, unsigned int ci_off,
		   unsigned int nr);
swp_entry_t swap_abs_backing(swp_entry_t entry);

/**
 * swap_promise_put - device capacity is not needed any longer
 * @nr: pages
 *
 * Context: any.
 */
static inline void swap_promise_put(long nr)
{
	if (nr)
		atomic_long_add(nr, &nr_swap_pages);
}

/* mm/swap_abs.c */
int swap_abs_writeout(struct swap_io_ctx *ctx, struct folio *folio);
void swap_abs_read_folio(struct swap_io_ctx *ctx, struct folio *folio);
void swap_abs_read_again(struct folio *folio);
void swap_abs_read_again_unlock(struct folio *folio);
bool swap_abs_can_load_as_one(struct swap_cluster_info *ci, unsigned int ci_off,
			      unsigned int nr);
bool swap_abs_synchronous(swp_entry_t entry);
bool swap_abs_stable_writes(struct folio *folio);

/*
 * What folio_alloc_swap() asks first: where will the new entry be, and is there
 * room for it? SWAP_ROOM_DEVICE and SWAP_ROOM_RAM must be followed by
 * swap_reserve_end().
 */
enum swap_room swap_abs_reserve(struct folio *folio);
void swap_abs_reserve_end(struct folio *folio, enum swap_room room);

/* mm/swap_abs/vain.c */
void __swap_abs_gone(struct folio *folio);
bool __swap_folio_refused(struct folio *folio);
void __swap_throttle_reclaim(gfp_t gfp, bool writing);

/* mm/swap_abs/block.c */
void swap_block_write_failed(struct folio *folio, blk_status_t status);
void swap_block_piece_done(struct folio *folio, unsigned int first, unsigned int nr,
			   blk_status_t status);
void swap_block_read_failed(struct folio *folio);
void swap_block_io_done(struct folio *folio, bool failed);
unsigned int swap_block_run(struct folio *folio, unsigned int first,
			    struct block_device **bdev, sector_t *sector);

/* mm/swap_abs/policy.c */
void swap_abs_mark_for_promotion(struct folio *folio);

/* mm/swap_abs/sweep.c */
void swap_sweep_later(unsigned long offset);

/* mm/swapfile.c */
struct swap_info_struct *swap_area_alloc(const struct swap_ops *ops);
void swap_area_start(struct swap_info_struct *si);
int swap_area_add(struct swap_info_struct *si, unsigned long first,
		  unsigned long nr);
struct swap_cluster_info *swap_cluster_lend(struct swap_info_struct *si,
					    enum swap_cluster_flags flags);
struct swap_cluster_info *swap_cluster_lend_holed(struct swap_info_struct *si,
						  unsigned long *map);
unsigned int swap_cluster_nr_bad(struct swap_cluster_info *ci);
void swap_spare_tables_fill(struct swap_info_struct *si);
unsigned long swap_device_usage(struct swap_info_struct *si);
void swap_total_sub(long pages);
void swap_device_set_tier(struct swap_info_struct *si, struct swap_tier *tier);
bool swap_reclaim_unused(struct swap_info_struct *si, unsigned long offset);
void swap_device_close_lent(struct swap_info_struct *si, bool close);
void swap_cluster_return(struct swap_info_struct *si, struct swap_cluster_info *ci);
void swap_device_adopt(struct swap_info_struct *si, bool adopt);
int swap_device_close(struct swap_info_struct *si);
void swap_device_reopen(struct swap_info_struct *si);
bool swap_device_tryget(struct swap_info_struct *si);
sector_t swap_device_run(struct swap_info_struct *si, pgoff_t offset,
			 unsigned int *nr);
bool swap_sync_discard(void);
void swap_range_notify(struct swap_info_struct *si, unsigned long offset,
		       unsigned int nr_entries);

#ifdef CONFIG_SWAP_ABS
/* mm/swap_abs/tier.c */
void swap_abs_trim_info(struct sysinfo *val);
unsigned long swap_tier_inuse(struct swap_tier *tier);
unsigned long swap_tier_lent(struct swap_tier *tier);
unsigned long swap_tier_close_segment(struct swap_cluster_info *ci, bool close);
unsigned long swap_tier_image_room(struct swap_info_struct *si);
unsigned long swap_tier_alloc_image(struct swap_info_struct *si);
bool swap_tier_free_image(swp_entry_t entry);

/* mm/swap_abs/device.c */
int swap_tier_create(struct swap_info_struct *si);
void swap_tier_join(struct swap_info_struct *si);
void swap_tier_ready(struct swap_info_struct *si);
void swap_tier_leave(struct swap_info_struct *si);
void swap_tier_stay(struct swap_info_struct *si);
void swap_tier_destroy(struct swap_info_struct *si);

/* mm/swap_abs/empty.c */
int swap_abs_empty(struct swap_info_struct *si);

/* mm/swap_abs/state.c */
int swap_tiers_open_file(struct address_space *mapping, enum swap_tier_state *state);
void swap_tiers_close_file(struct address_space *mapping, enum swap_tier_state state);
#else
static inline void swap_abs_trim_info(struct sysinfo *val)
{
}

static inline int swap_tier_create(struct swap_info_struct *si)
{
	return 0;
}

static inline void swap_tier_join(struct swap_info_struct *si)
{
}

static inline void swap_tier_ready(struct swap_info_struct *si)
{
}

static inline void swap_tier_leave(struct swap_info_struct *si)
{
}

static inline void swap_tier_stay(struct swap_info_struct *si)
{
}

static inline void swap_tier_destroy(struct swap_info_struct *si)
{
}

static inline unsigned long swap_tier_alloc_image(struct swap_info_struct *si)
{
	return 0;
}

static inline bool swap_tier_free_image(swp_entry_t entry)
{
	return false;
}

static inline unsigned long swap_tier_image_room(struct swap_info_struct *si)
{
	return 0;
}

static inline int swap_abs_empty(struct swap_info_struct *si)
{
	return 0;
}

static inline int swap_tiers_open_file(struct address_space *mapping,
				       enum swap_tier_state *state)
{
	*state = SWAP_TIER_ONLINE;
	return 0;
}

static inline void swap_tiers_close_file(struct address_space *mapping,
					 enum swap_tier_state state)
{
}
#endif

#ifdef CONFIG_SWAP_ABS_MEMCG
/* A cluster of the virtual area has no slots in use any more. */
static inline void swap_memcg_forget_cluster(struct swap_cluster_info *ci)
{
	WRITE_ONCE(ci->memcgs, 0);
}
#else
static inline void swap_memcg_forget_cluster(struct swap_cluster_info *ci)
{
}
#endif

#if defined(CONFIG_MEMCG) && defined(CONFIG_ZSWAP)
/* mm/memcontrol.c */
bool mem_cgroup_may_zswap(struct mem_cgroup *memcg);
struct obj_cgroup *get_obj_cgroup_from_slot(swp_entry_t entry);
bool swap_slot_may_writeback(swp_entry_t entry);
#else
static inline bool swap_slot_may_writeback(swp_entry_t entry)
{
	return true;
}

static inline struct obj_cgroup *get_obj_cgroup_from_slot(swp_entry_t entry)
{
	return NULL;
}

static inline bool mem_cgroup_may_zswap(struct mem_cgroup *memcg)
{
	return true;
}
#endif

#ifdef CONFIG_ZSWAP
/* mm/zswap.c */
unsigned long zswap_capacity(void);
long zswap_room(void);
void zswap_kick_shrink(void);
int zswap_shrink_by(struct swap_move *move);
int zswap_writeback_slot(swp_entry_t slot, swap_desc_t word);
int zswap_adopt_object(swp_entry_t slot, swap_place_t from,
		       const struct swap_object *object, bool neighbour);
size_t zswap_object_size(void);
swp_entry_t zswap_object_entry(swap_desc_t word);
void zswap_init_codec(void);
#else
static inline unsigned long zswap_total_pages(void)
{
	return 0;
}

static inline unsigned long zswap_capacity(void)
{
	return 0;
}

static inline long zswap_room(void)
{
	return 0;
}

static inline void zswap_kick_shrink(void)
{
}

static inline int zswap_shrink_by(struct swap_move *move)
{
	return -ENOSPC;
}

static inline int zswap_writeback_slot(swp_entry_t slot, swap_desc_t word)
{
	return -ENOENT;
}

static inline int zswap_adopt_object(swp_entry_t slot, swap_place_t from,
				     const struct swap_object *object, bool neighbour)
{
	return -ENOSPC;
}

static inline size_t zswap_object_size(void)
{
	return 0;
}

static inline swp_entry_t zswap_object_entry(swap_desc_t word)
{
	return (swp_entry_t){ 0 };
}

static inline void zswap_init_codec(void)
{
}
#endif

/*
 * The questions that the swap code asks of an entry or a folio, which has one
 * answer for a physical entry and another one for a virtual entry. The first
 * three cost a static branch while the layer has never been on, and nothing
 * where it is not built in.
 */

/* Is this the virtual area? */
static inline bool swap_is_virtual(struct swap_info_struct *si)
{
	/* data_race(): the flag is set before anybody knows of the area, for ever. */
	return swap_abs_used() && (data_race(si->flags) & SWP_VIRTUAL);
}

static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return swap_abs_used() && swap_is_virtual(__swap_entry_to_info(entry));
}

static inline bool folio_swap_is_virtual(const struct folio *folio)
{
	return swap_entry_is_virtual(folio->swap);
}

/**
 * swap_entry_synchronous - is a load of the entry done without waiting for I/O?
 * @si: the swap device of @entry
 * @entry: a valid swap entry
 *
 * Such entries bypass readahead. For a virtual entry it is a hint until a
 * folio of it is locked in the swap cache: either way of loading is right for
 * any backing.
 *
 * Return: true when nothing has to be waited for.
 */
static inline bool swap_entry_synchronous(struct swap_info_struct *si,
					  swp_entry_t entry)
{
	if (swap_is_virtual(si))
		return swap_abs_synchronous(entry);
	/* data_race(): does not change while the device is in use. */
	return data_race(si->flags & SWP_SYNCHRONOUS_IO);
}

/**
 * swap_folio_is_surplus - is the folio's copy in swap better given up?
 * @folio: a locked folio in the swap cache
 *
 * Return: true where swap gets full, unless giving up the copy makes no room, and the
 * page could not leave memory again.
 */
static inline bool swap_folio_is_surplus(struct folio *folio)
{
	return mem_cgroup_swap_full(folio) && !swap_copy_irreplaceable(folio);
}

/**
 * swap_folio_stable_writes - must the folio not change while it is written?
 * @si: the swap device of @folio
 * @folio: a locked folio in the swap cache
 *
 * Return: true when what it is written to can't have it changed meanwhile.
 */
static inline bool swap_folio_stable_writes(struct swap_info_struct *si,
					    struct folio *folio)
{
	if (swap_is_virtual(si))
		return swap_abs_stable_writes(folio);
	/* data_race(): does not change while the device is in use. */
	return data_race(si->flags & SWP_STABLE_WRITES);
}

/**
 * swap_folio_backing - where on a swap device is the folio's data?
 * @folio: a folio in the swap cache, locked or under writeback, whose data is
 *	on a device
 *
 * Return: the type and offset of the folio's first page on the device.
 */
static inline swp_entry_t swap_folio_backing(struct folio *folio)
{
	if (swap_entry_is_virtual(folio->swap))
		return swap_abs_backing(folio->swap);
	return folio->swap;
}

/**
 * swap_folio_scattered - do the folio's pages lie apart on devices?
 * @folio: as for swap_folio_backing()
 *
 * Return: true when the folio can't be written by one bio.
 */
static inline bool swap_folio_scattered(struct folio *folio)
{
	struct block_device *bdev;
	sector_t sector;

	return swap_entry_is_virtual(folio->swap) && folio_test_large(folio) &&
	       swap_block_run(folio, 0, &bdev, &sector) != folio_nr_pages(folio);
}

/**
 * swap_entry_large_load - can the entry be part of a large folio's load?
 * @entry: a valid swap entry
 *
 * zswap finds the objects of physical entries one by one, so it never loads a
 * large folio of these. For virtual entries the words of the whole range are
 * compared when the folio is put into the swap cache.
 *
 * Return: true when a large folio may be tried.
 */
static inline bool swap_entry_large_load(swp_entry_t entry)
{
	return zswap_never_enabled() || swap_entry_is_virtual(entry);
}

/**
 * swap_io_done - an I/O has ended
 * @folio: one of its folios, locked or under writeback yet
 * @failed: how
 *
 * Many in a row that fail make the tier fail.
 *
 * Context: any, also interrupts.
 */
static inline void swap_io_done(struct folio *folio, bool failed)
{
	if (folio_swap_is_virtual(folio))
		swap_block_io_done(folio, failed);
}

/*
 * Could the locked folio not be read, and may it be tried once more? Not to a page that
 * memory failure has left so, because what its copy is replaced by has been lost.
 */
static inline bool swap_should_read_again(struct folio *folio)
{
	return swap_abs_used() && !folio_test_uptodate(folio) &&
	       folio_test_swapcache(folio) && folio_swap_is_virtual(folio) &&
	       !folio_contain_hwpoisoned_page(folio);
}

/**
 * swap_read_again - read a folio by itself that could not be read
 * @folio: a locked folio; nothing is done if it is uptodate
 *
 * Folios that lie next to each other on a device are read at once, and when that
 * fails, be it for one page, none of them is uptodate. Physical entries fail as
 * they always have.
 *
 * Context: process context, sleeps; the folio may be unlocked meanwhile.
 */
static inline void swap_read_again(struct folio *folio)
{
	if (swap_should_read_again(folio))
		swap_abs_read_again(folio);
}

/**
 * swap_read_again_unlock - the same, for who does not need the lock after it
 * @folio: as for swap_read_again(); is unlocked
 *
 * Context: process context, sleeps, but not when the task is killed.
 */
static inline void swap_read_again_unlock(struct folio *folio)
{
	if (swap_should_read_again(folio))
		swap_abs_read_again_unlock(folio);
	else
		folio_unlock(folio);
}

/**
 * swap_mark_for_promotion - a page has come back
 * @folio: a locked folio of a fault, uptodate
 *
 * If that is soon after it was evicted, and its data is not in the first tier that
 * has room, the next eviction stores it anew: it is dirtied.
 *
 * Context: process context, does not sleep.
 */
static inline void swap_mark_for_promotion(struct folio *folio)
{
	if (swap_abs_used() && folio_test_workingset(folio) && !folio_test_dirty(folio))
		swap_abs_mark_for_promotion(folio);
}

/**
 * swap_abs_end_batch - nothing more is stored with the I/O of a batch
 * @ctx: the I/O
 *
 * What was packed is written, as reclaim may have nothing else to wait for.
 *
 * Context: process context, submits I/O.
 */
static inline void swap_abs_end_batch(struct swap_io_ctx *ctx)
{
#ifdef CONFIG_SWAP_ABS
	if (ctx->batch)
		ctx->end_batch(ctx);
#endif
}

/**
 * swap_folio_refused - is it no use to try to swap out a folio again?
 * @folio: a locked folio in the swap cache
 *
 * Asked before it is unmapped.
 *
 * Context: reclaim, does not sleep.
 * Return: true when it has no copy, and nothing takes it now.
 */
static inline bool swap_folio_refused(struct folio *folio)
{
	return swap_abs_used() && __swap_folio_refused(folio);
}

/**
 * swap_folio_gone - a folio leaves RAM, or is about to
 * @folio: a folio of anonymous memory or shmem
 *
 * Context: any, does not sleep.
 */
static inline void swap_folio_gone(struct folio *folio)
{
	if (swap_abs_used())
		__swap_abs_gone(folio);
}

/**
 * swap_free_later - a folio in the swap cache could not be freed, as it was busy
 * @folio: with a reference; it was locked by somebody else, or under writeback
 *
 * Its slot will be freed soon, if nobody refers to that by then. Physical entries are left
 * to reclaim as they always have been.
 *
 * Context: process context, does not sleep.
 */
static inline void swap_free_later(struct folio *folio)
{
	/* It may leave the swap cache meanwhile, and this becomes 0: then one looks in vain. */
	swp_entry_t entry = { .val = READ_ONCE(folio->swap.val) };

	if (swap_entry_is_virtual(entry))
		swap_sweep_later(swp_offset(entry));
}

/**
 * swap_throttle_reclaim - wait for room that is being made
 * @gfp: what is reclaimed for
 * @writing: nothing could be freed, and most of what was looked at is being written
 *
 * When pages were refused because dead space has to be collected first, direct reclaim
 * waits until some has been, but no longer than for half a second in all without a gain;
 * and else for what is @writing, because a cgroup of which all memory is on its way out
 * would be out of memory otherwise. 100 ms at most each time; kswapd does not, nor whose
 * allocation may fail (__GFP_NORETRY), nor who may not wait for I/O, nor who is about to
 * be frozen.
 *
 * Context: reclaim, sleeps, no locks.
 */
static inline void swap_throttle_reclaim(gfp_t gfp, bool writing)
{
	if (swap_abs_used())
		__swap_throttle_reclaim(gfp, writing);
}

static inline enum swap_room swap_reserve(struct folio *folio)
{
	return swap_abs_used() ? swap_abs_reserve(folio) : SWAP_ROOM_PHYSICAL;
}

static inline void swap_reserve_end(struct folio *folio, enum swap_room room)
{
	if (swap_abs_used())
		swap_abs_reserve_end(folio, room);
}

#endif /* _MM_SWAP_ABS_H */
