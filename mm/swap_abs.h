/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The swap abstraction as the rest of the swap code sees it: the functions of
 * the layer that other files call, and the functions that mm/swapfile.c,
 * mm/zswap.c and mm/memcontrol.c offer to the layer. As a backend, mm/zswap.c
 * also calls what the layer has for backends, and mm/memcontrol.c what it has
 * for cgroups; that is in the headers of mm/swap_abs/.
 *
 * The head of mm/swap_abs.c and Documentation/mm/swap-abstraction.rst describe
 * the layer, its rules and its locks. The headers inside the layer are in
 * mm/swap_abs/.
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

/*
 * The states of a tier; see mm/swap_abs/state.c. Only an online one takes data.
 */
enum swap_tier_state {
	SWAP_TIER_NEW,		/* swapon has not put it on the list yet */
	SWAP_TIER_ONLINE,
	SWAP_TIER_CLOSED,	/* swapoff empties it, or one below follows */
	SWAP_TIER_DRAINING,	/* a mover empties it */
	SWAP_TIER_FAILED,	/* the same, because of I/O errors */
	NR_SWAP_TIER_STATES,
};

/* Where a new entry's page may be stored; see swap_abs_reserve(). */
enum swap_room {
	SWAP_ROOM_PHYSICAL,	/* the layer is off: a slot of a device */
	SWAP_ROOM_DEVICE,	/* virtual, with device capacity promised */
	SWAP_ROOM_RAM,		/* virtual, and only zswap may store it */
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

/**
 * swap_promise_put - give device capacity back
 * @nr: pages; less than zero takes capacity, even beyond what is left
 *
 * Context: any.
 */
static inline void swap_promise_put(long nr)
{
	if (nr)
		atomic_long_add(nr, &nr_swap_pages);
}

#ifdef CONFIG_SWAP_ABS
/**
 * swap_desc_of - return the descriptor of a slot that holds a folio
 * @entry: a virtual entry whose folio is in the swap cache, locked or under
 *	writeback
 *
 * Takes no lock and no part in RCU, because a cluster keeps its tables as long
 * as one of its slots is in use.
 *
 * Context: any.
 * Return: the word, which is stable except for SWAP_DESC_PIN.
 */
static inline swap_desc_t swap_desc_of(swp_entry_t entry)
{
	pgoff_t offset = swp_offset(entry);
	struct swap_cluster_info *ci =
		swap_virtual_area->cluster_info + offset / SWAPFILE_CLUSTER;
	swap_desc_t *table = rcu_dereference_protected(ci->desc, true);

	return READ_ONCE(table[offset % SWAPFILE_CLUSTER]);
}

/**
 * swap_abs_backing - return where on a device a virtual entry's data is
 * @entry: as for swap_desc_of(); its copy is a block
 *
 * Context: any.
 * Return: the device's type and offset.
 */
static inline swp_entry_t swap_abs_backing(swp_entry_t entry)
{
	return swap_desc_block_entry(swap_desc_of(entry));
}

/**
 * swap_desc_device_has - tell whether a copy is a block of a device with a flag
 * @word: a descriptor
 * @flag: a flag of struct swap_info_struct that does not change while the
 *	device is in use
 *
 * Context: any.
 * Return: the answer. It is a hint if nothing keeps the word from changing,
 * because the device may have gone.
 */
static inline bool swap_desc_device_has(swap_desc_t word, unsigned long flag)
{
	struct swap_info_struct *si;
	unsigned int type;

	if (!swap_desc_is_block(word))
		return false;
	/* The word may have been read from a table that has just been freed. */
	type = swp_type(swap_desc_block_entry(word));
	if (unlikely(type >= MAX_SWAPFILES))
		return false;
	si = READ_ONCE(swap_info[type]);
	/* data_race(): either answer is good where this is only a hint. */
	return si && (data_race(si->flags) & flag);
}

/*
 * Tell whether a load of a word waits for no I/O: the data is in RAM (in a
 * folio, in zswap, zero-filled), or is lost, or the device needs no I/O.
 */
static inline bool swap_desc_synchronous(swap_desc_t word)
{
	return !swap_desc_on_device(word) ||
	       swap_desc_device_has(word, SWP_SYNCHRONOUS_IO);
}
#else
static inline swap_desc_t swap_desc_of(swp_entry_t entry)
{
	return swap_desc_none();
}

static inline swp_entry_t swap_abs_backing(swp_entry_t entry)
{
	return entry;
}

static inline bool swap_desc_synchronous(swap_desc_t word)
{
	return false;
}
#endif

/* mm/swap_abs.c */
int swap_abs_writeout(struct swap_io_ctx *ctx, struct folio *folio);
void swap_abs_read_folio(struct swap_io_ctx *ctx, struct folio *folio);
void swap_abs_read_again(struct folio *folio);
void swap_abs_read_again_unlock(struct folio *folio);
bool swap_abs_can_load_as_one(struct swap_cluster_info *ci, unsigned int ci_off,
			      unsigned int nr);
bool swap_abs_synchronous(swp_entry_t entry);
extern bool swap_tiers_synchronous;
bool swap_abs_stable_writes(struct folio *folio);

/*
 * folio_alloc_swap() asks swap_abs_reserve() first where the entries of a folio
 * will be, and whether there is room for them. After any answer but
 * SWAP_ROOM_NONE, it must call swap_abs_reserve_end().
 */
enum swap_room swap_abs_reserve(struct folio *folio);
void swap_abs_reserve_end(struct folio *folio, enum swap_room room);

/**
 * struct swap_vain - what reclaim has tried in vain
 * @pages: pages that were tried in vain, less what successes have taken back
 * @lru: pages that reclaim could look at when the last one was tried
 * @last: jiffies when the last page was tried
 * @devices: value of swap_vain_devices when @pages was last forgotten
 * @flushed: jiffies when the cgroup's statistics were flushed last
 *
 * No lock protects the fields, because a race only makes them a little wrong.
 */
struct swap_vain {
	atomic_long_t pages;
	unsigned long lru;
	unsigned long last;
	unsigned int devices;
	unsigned long flushed;
};

/* mm/swap_abs/vain.c */
extern struct swap_vain swap_vain_all;
void __swap_abs_gone(struct folio *folio);
bool __swap_folio_refused(struct folio *folio);
void __swap_throttle_reclaim(gfp_t gfp, bool writing);
#if defined(CONFIG_MEMCG) && defined(CONFIG_SWAP_ABS)
bool swap_cgroup_is_writing(struct mem_cgroup *memcg);
#else
static inline bool swap_cgroup_is_writing(struct mem_cgroup *memcg)
{
	return false;
}
#endif

/* mm/swap_abs/block.c */
void swap_block_write_failed(struct folio *folio, blk_status_t status);
void swap_block_piece_done(struct folio *folio, unsigned int first,
			   unsigned int nr, blk_status_t status);
void swap_block_read_failed(struct folio *folio);
void swap_block_io_done(swp_entry_t start, int rw, bool failed);
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
void swap_cluster_return(struct swap_info_struct *si,
			 struct swap_cluster_info *ci);
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
/* mm/swap_abs/room.c */
bool swap_zswap_crowds(struct mem_cgroup *memcg, bool flush);

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
int swap_tiers_open_file(struct address_space *mapping,
			 enum swap_tier_state *state);
void swap_tiers_close_file(struct address_space *mapping,
			   enum swap_tier_state state);
#else
static inline bool swap_zswap_crowds(struct mem_cgroup *memcg, bool flush)
{
	return false;
}

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
/* Forget whose data a virtual cluster may have: all its slots are free. */
static inline void swap_memcg_forget_cluster(struct swap_cluster_info *ci)
{
	WRITE_ONCE(ci->memcgs, 0);
}
#else
static inline void swap_memcg_forget_cluster(struct swap_cluster_info *ci)
{
}
#endif

#ifdef CONFIG_MEMCG
/* mm/memcontrol.c */
void mem_cgroup_put_private_id(struct mem_cgroup *memcg);
#endif

#if defined(CONFIG_MEMCG) && defined(CONFIG_SWAP_ABS)
/* mm/memcontrol.c */
struct mem_cgroup *get_mem_cgroup_from_slot(swp_entry_t entry);
#else
static inline struct mem_cgroup *get_mem_cgroup_from_slot(swp_entry_t entry)
{
	return NULL;
}
#endif

#if defined(CONFIG_MEMCG) && defined(CONFIG_ZSWAP)
/* mm/memcontrol.c */
bool mem_cgroup_may_zswap(struct mem_cgroup *memcg);
struct obj_cgroup *get_obj_cgroup_from_slot(swp_entry_t entry);
struct obj_cgroup *obj_cgroup_from_private_id(unsigned short id);
struct obj_cgroup *obj_cgroup_from_swapcache(struct folio *folio);
bool swap_slot_is_of(swp_entry_t entry, struct mem_cgroup *memcg);
bool swap_slot_may_writeback(swp_entry_t entry);
#else
static inline bool swap_slot_may_writeback(swp_entry_t entry)
{
	return true;
}

static inline struct obj_cgroup *obj_cgroup_from_swapcache(struct folio *folio)
{
	return NULL;
}

static inline struct obj_cgroup *obj_cgroup_from_private_id(unsigned short id)
{
	return NULL;
}

static inline bool swap_slot_is_of(swp_entry_t entry, struct mem_cgroup *memcg)
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
size_t zswap_metadata_bytes(void);
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
				     const struct swap_object *object,
				     bool neighbour)
{
	return -ENOSPC;
}

static inline size_t zswap_metadata_bytes(void)
{
	return 0;
}

static inline void zswap_init_codec(void)
{
}
#endif

/*
 * The functions below answer questions whose answer differs between physical
 * and virtual entries. While the layer has never been on, the first three cost
 * a static branch; where the layer is not built in, they cost nothing.
 */

static inline bool swap_is_virtual(struct swap_info_struct *si)
{
	/* data_race(): SWP_VIRTUAL is set before swap_abs_used() is true. */
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
 * swap_entry_synchronous - tell whether a load ends without waiting for I/O
 * @si: the swap device of @entry
 * @entry: a valid swap entry
 *
 * If it does, a fault loads the entry without readahead. For a virtual entry
 * the answer is a hint until the caller has a folio of the entry locked in the
 * swap cache. A hint is enough, because either way of loading works for any
 * backing.
 *
 * Context: any.
 * Return: true when a load ends without waiting for I/O.
 */
static inline bool swap_entry_synchronous(struct swap_info_struct *si,
					  swp_entry_t entry)
{
	/* Do not look up where the data is if all answers are the same. */
	if (swap_is_virtual(si))
		return READ_ONCE(swap_tiers_synchronous) ||
		       swap_abs_synchronous(entry);
	/* data_race(): the flag does not change while the device is in use. */
	return data_race(si->flags & SWP_SYNCHRONOUS_IO);
}

/* Answer as swap_entry_synchronous() for a locked folio in the swap cache. */
static inline bool swap_folio_synchronous(struct swap_info_struct *si,
					  struct folio *folio)
{
	if (swap_is_virtual(si))
		return READ_ONCE(swap_tiers_synchronous) ||
		       swap_desc_synchronous(swap_desc_of(folio->swap));
	/* data_race(): the flag does not change while the device is in use. */
	return data_race(si->flags & SWP_SYNCHRONOUS_IO);
}

/**
 * swap_folio_is_surplus - tell whether a folio should give up its swap copy
 * @folio: a locked folio in the swap cache
 *
 * Return: true when swap gets full, unless the copy is irreplaceable. To give
 * up an irreplaceable copy would free no capacity that can be used, and the
 * page might never leave RAM again.
 */
static inline bool swap_folio_is_surplus(struct folio *folio)
{
	return mem_cgroup_swap_full(folio) && !swap_copy_irreplaceable(folio);
}

/**
 * swap_folio_stable_writes - tell whether a folio must not change while written
 * @si: the swap device of @folio
 * @folio: a locked folio in the swap cache
 *
 * Return: true when the device that has one of the folio's pages needs the data
 * to stay the same until the write has ended.
 */
static inline bool swap_folio_stable_writes(struct swap_info_struct *si,
					    struct folio *folio)
{
	if (swap_is_virtual(si))
		return swap_abs_stable_writes(folio);
	/* data_race(): the flag does not change while the device is in use. */
	return data_race(si->flags & SWP_STABLE_WRITES);
}

/**
 * swap_folio_backing - return where on a swap device a folio's data is
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
 * swap_folio_scattered - tell whether a folio's pages lie apart on devices
 * @folio: as for swap_folio_backing()
 *
 * Return: true when the folio can't be written by one bio.
 */
static inline bool swap_folio_scattered(struct folio *folio)
{
	struct block_device *bdev;
	sector_t sector;

	return folio_test_large(folio) && swap_entry_is_virtual(folio->swap) &&
	       swap_block_run(folio, 0, &bdev, &sector) !=
		       folio_nr_pages(folio);
}

/**
 * swap_entry_large_load - tell whether a large folio may be loaded for an entry
 * @entry: a valid swap entry
 *
 * zswap looks up the objects of physical entries one by one, so once zswap has
 * been enabled, physical entries are loaded page by page. For virtual entries
 * the swap cache compares the words of the whole range when it adds the folio
 * (swap_abs_can_load_as_one()).
 *
 * Return: true when the caller may try a large folio.
 */
static inline bool swap_entry_large_load(swp_entry_t entry)
{
	return zswap_never_enabled() || swap_entry_is_virtual(entry);
}

/**
 * swap_io_done - report the end of an I/O to the device's tier
 * @folio: a folio of the I/O, still locked or under writeback
 * @start: where on the device the I/O was
 * @rw: READ or WRITE
 * @failed: whether the I/O has failed
 *
 * Many failures in a row, of reads or of writes, make the tier fail.
 *
 * Context: any, also interrupts.
 */
static inline void swap_io_done(struct folio *folio, swp_entry_t start,
				int rw, bool failed)
{
	if (folio_swap_is_virtual(folio))
		swap_block_io_done(start, rw, failed);
}

/*
 * Tell whether a locked folio could not be read and may be read once more. A
 * folio that memory_failure() has left not uptodate must not be read again,
 * because the data that was to replace its swap copy has been lost.
 */
static inline bool swap_should_read_again(struct folio *folio)
{
	return swap_abs_used() && !folio_test_uptodate(folio) &&
	       folio_test_swapcache(folio) && folio_swap_is_virtual(folio) &&
	       !folio_contain_hwpoisoned_page(folio);
}

/**
 * swap_read_again - read a folio once more after an error, by itself
 * @folio: a locked folio; nothing happens if it is uptodate
 *
 * One bio reads several folios whose data lies next to each other on a device.
 * If the bio fails, even if only for one page, none of these folios is
 * uptodate, so each of them is read once more by itself. The folio of a
 * physical entry is not read again.
 *
 * Context: process context, sleeps. The folio may be unlocked and locked again.
 */
static inline void swap_read_again(struct folio *folio)
{
	if (swap_should_read_again(folio))
		swap_abs_read_again(folio);
}

/**
 * swap_read_again_unlock - read a folio once more, and leave it unlocked
 * @folio: as for swap_read_again(); the function unlocks it
 *
 * For callers that do not need the lock after the read.
 *
 * Context: process context, sleeps; a fatal signal ends the wait.
 */
static inline void swap_read_again_unlock(struct folio *folio)
{
	if (swap_should_read_again(folio))
		swap_abs_read_again_unlock(folio);
	else
		folio_unlock(folio);
}

/**
 * swap_mark_for_promotion - let a page that has come back move to a better tier
 * @folio: a locked, uptodate folio that a fault or shmem has swapped in
 *
 * When the page comes back soon after its eviction, and a tier of a smaller
 * rank than that of its copy has room, the folio is dirtied, so that its next
 * eviction stores it anew.
 *
 * Context: process context, does not sleep.
 */
static inline void swap_mark_for_promotion(struct folio *folio)
{
	if (swap_abs_used() && folio_test_workingset(folio) &&
	    !folio_test_dirty(folio))
		swap_abs_mark_for_promotion(folio);
}

/**
 * swap_abs_end_batch - write what a batch of stores has left in RAM
 * @ctx: the I/O of the batch
 *
 * Reclaim may have nothing else to wait for, so a chunk that the batch has
 * begun to fill is written at once.
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
 * swap_folio_refused - tell whether swapping out a folio would fail
 * @folio: a locked folio in the swap cache
 *
 * Reclaim asks this before it unmaps the folio.
 *
 * Context: reclaim, does not sleep.
 * Return: true when the folio has no swap copy and no tier takes it now.
 */
static inline bool swap_folio_refused(struct folio *folio)
{
	return swap_abs_used() && __swap_folio_refused(folio);
}

/**
 * swap_folio_gone - report that reclaim has succeeded with a folio
 * @folio: a folio of anonymous memory or shmem that leaves RAM, or is about to
 *
 * A success takes back some of the failures that were counted
 * (mm/swap_abs/vain.c).
 *
 * Context: any, does not sleep.
 */
static inline void swap_folio_gone(struct folio *folio)
{
	/* The count for all is above zero if a cgroup's is, but for races. */
	if (swap_abs_used() && unlikely(atomic_long_read(&swap_vain_all.pages)))
		__swap_abs_gone(folio);
}

/**
 * swap_free_later - free the swap slot of a busy folio later
 * @folio: a folio in the swap cache that the caller has a reference of, and
 *	could not free because another task had locked it or it was under
 *	writeback
 *
 * A worker frees the slot soon, if nobody refers to the slot by then. The slots
 * of physical entries are left to reclaim, as without the layer.
 *
 * Context: process context, does not sleep.
 */
static inline void swap_free_later(struct folio *folio)
{
	/*
	 * READ_ONCE(): the folio may leave the swap cache at any time. Then
	 * this reads 0, and at worst the worker looks at a cluster for nothing.
	 */
	swp_entry_t entry = { .val = READ_ONCE(folio->swap.val) };

	if (swap_entry_is_virtual(entry))
		swap_sweep_later(swp_offset(entry));
}

/**
 * swap_throttle_reclaim - make direct reclaim wait for room that is being made
 * @gfp: allocation mask of the reclaim
 * @writing: reclaim has freed nothing, and most of the pages that it looked at
 *	are under writeback, or it found none to look at
 *
 * Reclaim waits for the collector when pages were refused because dead space
 * has to be collected first, but for no longer than half a second in all
 * without a gain. Otherwise it waits for writeback if @writing, because a
 * cgroup whose memory is all on its way to a device would be out of memory
 * otherwise. Each wait takes 100 ms at most.
 *
 * These do not wait: kswapd, an allocation that may fail (__GFP_NORETRY) or may
 * not wait for I/O, and a task that has a fatal signal or is about to be
 * frozen.
 *
 * Context: reclaim, sleeps, no locks held.
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
	/* The common case, in which there is nothing to settle. */
	if (room == SWAP_ROOM_DEVICE && folio_test_swapcache(folio))
		return;
	if (swap_abs_used())
		swap_abs_reserve_end(folio, room);
}

#endif /* _MM_SWAP_ABS_H */
