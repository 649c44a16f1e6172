// SPDX-License-Identifier: GPL-2.0
/*
 * Moving pages to other tiers by way of folios, a batch at a time.
 *
 * A page whose data can't move as it is comes into the swap cache and is stored
 * anew. A mover gathers up to SWAP_MOVE_BATCH pages and submits their reads
 * together. It then stores the pages and submits the writes together as well.
 * It waits for the writes only after it has submitted the reads of the next
 * batch. So the mover waits for a slow device twice a batch and not once a
 * page. The batch is part of the tier from which it is moved, because a mover
 * must not have to allocate memory for it.
 *
 * While a folio is locked, nobody else changes where its data is (rule 1 of
 * mm/swap_abs.c). The copy on the device is dropped only when there is another
 * copy, or when the folio is dirty. So a move can be given up at any point.
 *
 * A move is no fault, and must not look like one. It counts no page as read.
 *
 * To hold: a folio that a mover has allocated leaves the swap cache again, and
 * the slot's shadow and charge to memsw (cgroup v1) are then as they were
 * before. Exception: when somebody has found the folio in the swap cache, the
 * mover puts it on the LRU lists, as a fault would have done.
 *
 * Until then the folio is on no LRU list, so that reclaim can't find it. So
 * whoever has a reference to it, besides the mover and the swap cache, is using
 * it. A folio that the mover has found in the swap cache leaves the swap cache
 * too, if nobody is using it.
 *
 * Callers are mm/swap_abs/empty.c, mm/swap_abs/policy.c, and formats by way of
 * struct swap_move_ops. They hold swap_tier.move_lock. mm/zswap.c calls
 * swap_move_del_folio() for its own writeback.
 *
 * Locks: the locks of the batch's folios, of which the mover holds one at a
 * time, and the locks of the folios that are being read.
 */
#include <linux/iocontext.h>
#include <linux/ioprio.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../internal.h"
#include "../swap.h"
#include "../swap_table.h"
#include "memcg.h"
#include "move.h"
#include "slots.h"
#include "tier.h"

#include <trace/events/swap_abs.h>

/* An allocation must fail rather than have a process killed for swapoff. */
#define SWAP_MOVE_GFP	(GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL |	\
			 __GFP_NOWARN)

/* Tell whether the move empties the tier. */
static bool swap_move_is_drain(struct swap_move *move)
{
	return move->want == ULONG_MAX && !swap_tier_is_online(move->si->tier);
}

/*
 * Tell whether some tier may take a page. nr_swap_pages does not include a
 * device that is closed.
 */
static bool swap_move_tier_has_room(void)
{
	return atomic_long_read(&nr_swap_pages) > 0 ||
	       swap_tiers_open(SWAP_TIER_ZSWAP, SWAP_OPEN_ANY);
}

/*
 * Tell whether the slot's cgroup may have the page in one of the move's tiers.
 */
static bool swap_move_has_tier(struct swap_move *move, swp_entry_t entry)
{
	return swap_memcg_tiers_of(entry, 1) & move->tiers &
	       READ_ONCE(swap_tiers_online);
}

/* Tell whether one of the move's tiers has room that the folio may use. */
static bool swap_move_has_place(struct swap_move *move, struct folio *folio)
{
	return swap_tiers_open(swap_tiers_of_folio(folio) & move->tiers,
			       SWAP_OPEN_ANY);
}

/*
 * Tell whether the move may drop the copy of a locked folio that is in use, and
 * so stays in RAM. Other moves leave the copy alone. The folio must be able to
 * leave RAM again: a drained tier does not take it any more, nor does one where
 * its cgroup has too much. swapoff drops the copy all the same.
 */
static bool swap_move_may_drop(struct swap_move *move, struct folio *folio)
{
	if (!move->excess && !swap_move_is_drain(move))
		return false;
	if (move->to_ram || folio_test_dirty(folio))
		return true;
	return (!move->excess && !swap_copy_irreplaceable(folio)) ||
	       swap_move_has_place(move, folio);
}

/*
 * Tell whether the data may stay in RAM. It may not when the system would soon
 * have to kill a process for it.
 */
static bool swap_move_ram_has_room(void)
{
	return si_mem_available() > totalreserve_pages + totalram_pages() / 128;
}

/*
 * Allocate a folio for a slot in the swap cache, on no LRU list. Submit the
 * reads of the batch before memory is reclaimed for the folio, because that may
 * take long. When the cgroup is full, but the page is only on its way to
 * another tier, charge the folio beyond the cgroup's limit
 * (swap_moving.forced).
 */
static struct folio *swap_move_alloc_folio(struct swap_move *move,
					   struct swap_moving *moving)
{
	struct folio *folio;
	unsigned int noreclaim;

	folio = swap_cache_alloc_moved(moving->slot,
				       SWAP_MOVE_GFP & ~__GFP_DIRECT_RECLAIM,
				       &moving->shadow);
	if (PTR_ERR_OR_ZERO(folio) == -ENOMEM) {
		swap_read_submit(&move->reads);
		folio = swap_cache_alloc_moved(moving->slot, SWAP_MOVE_GFP,
					       &moving->shadow);
	}
	if (PTR_ERR_OR_ZERO(folio) == -ENOMEM &&
	    move->nr_reading + move->nr_writing) {
		/*
		 * Finish the batch, which may take memory of the same cgroup.
		 */
		swap_move_end(move);
		folio = swap_cache_alloc_moved(moving->slot, SWAP_MOVE_GFP,
					       &moving->shadow);
	}
	if (PTR_ERR_OR_ZERO(folio) == -ENOMEM && swap_move_ram_has_room() &&
	    swap_move_tier_has_room() &&
	    swap_move_has_tier(move, moving->slot)) {
		moving->forced = true;
		noreclaim = memalloc_noreclaim_save();
		folio = swap_cache_alloc_moved(moving->slot, SWAP_MOVE_GFP,
					       &moving->shadow);
		memalloc_noreclaim_restore(noreclaim);
	}
	return folio;
}

/*
 * Fill a folio from an object that was read, if that is still the folio's data.
 */
static bool swap_move_fill(struct swap_move *move, struct folio *folio,
			   const struct swap_object *object)
{
	const struct swap_backend *backend =
		swap_backend_of(swap_desc_read(folio->swap));

	return backend && backend->fill &&
	       backend->fill(folio, move->si, object);
}

/*
 * Get a slot's folio: the one in the swap cache, or a new one whose read has
 * been begun. A new one is filled from @object if the data has been read
 * already. Return NULL when there is none to be had now, or an ERR_PTR() of
 * -ENOMEM.
 */
static struct folio *swap_move_get_folio(struct swap_move *move,
					 struct swap_moving *moving,
					 const struct swap_object *object)
{
	struct folio *folio = swap_cache_get_folio(moving->slot);

	if (folio)
		return folio;
	folio = swap_move_alloc_folio(move, moving);
	if (IS_ERR(folio))
		return PTR_ERR(folio) == -ENOMEM ? folio : NULL;

	moving->own = true;
	if (object && swap_move_fill(move, folio, object)) {
		folio_mark_uptodate(folio);
		folio_unlock(folio);
		return folio;
	}
	move->reads.moved = true;
	swap_read_folio(&move->reads, folio);
	return folio;
}

/*
 * Read a locked folio by itself if a read of it has failed. This is as
 * swap_read_again(), but is no fault. Return 0 with the lock held, or -EINTR
 * without it when the task is killed.
 */
static int swap_move_read_alone(struct folio *folio)
{
	struct swap_io_ctx ctx = { .moved = true };

	if (!swap_should_read_again(folio))
		return 0;
	swap_read_folio(&ctx, folio);
	swap_read_submit(&ctx);
	return folio_lock_killable(folio) ? -EINTR : 0;
}

/*
 * Read a locked folio once more if a read of it has failed. If that fails too,
 * say in the descriptor that the data is lost, but only with @to_ram: swapoff
 * has to give the data up, and other moves leave it where it is.
 *
 * Return 0 with the lock held, or -EINTR without it when the task is killed.
 */
static int swap_move_read_again(struct folio *folio, bool to_ram)
{
	swap_desc_t word = swap_desc_read(folio->swap);
	struct swap_cluster_info *ci;
	swp_entry_t slot, backing;

	if (swap_move_read_alone(folio))
		return -EINTR;
	if (!to_ram || folio_test_uptodate(folio))
		return 0;
	if (!folio_test_swapcache(folio) || folio_test_large(folio))
		return 0;

	slot = folio->swap;
	if (!swap_desc_is_at(swap_desc_read(slot), swap_desc_place(word)))
		return 0;
	backing = swap_desc_device_entry(word);
	swap_tier_count(__swap_entry_to_info(backing)->tier, SWAP_TIER_ERRORS,
			1);
	pr_alert_ratelimited("swap: a page is lost, type %u offset %lu can't be read\n",
			     swp_type(backing), swp_offset(backing));
	ci = swap_cluster_get_and_lock(folio);
	swap_desc_set_lost(ci, swp_cluster_offset(slot));
	swap_cluster_unlock(ci);
	trace_swap_abs_move(slot, word, swap_desc_lost(), -EIO);
	return 0;
}

/*
 * Take a locked folio out of the swap cache, if nobody but the caller, who has
 * @refs references, and the swap cache has a reference to it. This is safe for
 * the same reason as in reclaim: a task that can still write to the folio has a
 * reference, and a task that has written marks the folio dirty before it drops
 * its reference. With @evict, give the slot the shadow of an eviction instead
 * of @shadow.
 */
static bool __swap_move_del_folio(struct folio *folio, void *shadow, int refs,
				  bool evict)
{
	struct swap_cluster_info *ci = swap_cluster_get_and_lock_irq(folio);
	int all = refs + folio_nr_pages(folio);
	swp_entry_t entry = folio->swap;
	bool deleted = false;

	if (!folio_ref_freeze(folio, all))
		goto unlock;
	if (folio_test_dirty(folio)) {
		folio_ref_unfreeze(folio, all);
		goto unlock;
	}
	if (evict) {
		/* Do what shrink_active_list() would have done to the folio. */
		if (folio_test_active(folio))
			folio_set_workingset(folio);
		rcu_read_lock();
		shadow = workingset_eviction(folio, folio_memcg(folio));
		rcu_read_unlock();
	}
	__swap_cache_del_folio(ci, folio, entry, shadow, true);
	folio_ref_unfreeze(folio, refs);
	deleted = true;
unlock:
	swap_cluster_unlock_irq(ci);
	return deleted;
}

/*
 * Take a locked folio of swap_cache_alloc_moved() out of the swap cache, and
 * give the slot its @shadow back. The folio's data is elsewhere, and the caller
 * has @refs references. Return false when somebody else has a reference or has
 * written to the folio.
 */
bool swap_move_del_folio(struct folio *folio, void *shadow, int refs)
{
	return __swap_move_del_folio(folio, shadow, refs, false);
}

/*
 * Take a locked folio that was found in the swap cache, and that is not mapped,
 * out of it, if nobody uses the folio. This ends an eviction that reclaim has
 * begun.
 */
static void swap_move_del_found(struct folio *folio)
{
	if (!folio_isolate_lru(folio))
		return;
	if (__swap_move_del_folio(folio, NULL, 2, true)) {
		folio_clear_active(folio);
		folio_clear_unevictable(folio);
		folio_put(folio);
	} else {
		folio_putback_lru(folio);
	}
}

/*
 * Let go of a folio that stays in the swap cache, without waiting for anything.
 * One that was allocated for the move goes to the LRU lists.
 */
static void swap_move_leave(struct swap_moving *moving)
{
	if (moving->own)
		folio_add_lru(moving->folio);
	folio_put(moving->folio);
}

/*
 * Take a locked folio out of the swap cache, if nobody wants it any more.
 * Return true if it was allocated for the move and has been taken out; the
 * caller then has the last reference.
 */
static bool swap_move_del(struct swap_moving *moving)
{
	struct folio *folio = moving->folio;

	if (!folio_matches_swap_entry(folio, moving->slot) ||
	    folio_test_writeback(folio) || folio_mapped(folio))
		return false;
	if (moving->own)
		return swap_move_del_folio(folio, moving->shadow, 1);
	/* Leave a poisoned folio to memory_failure(). */
	if (!folio_contain_hwpoisoned_page(folio))
		swap_move_del_found(folio);
	return false;
}

/*
 * Let go of a folio that has been stored, or could not be. Do not wait for the
 * lock of a folio that was found in the swap cache, because reclaim can take it
 * later.
 */
static void swap_move_release(struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	bool deleted;

	if (swap_move_freezing() || folio_wait_writeback_killable(folio) ||
	    (!folio_trylock(folio) &&
	     (!moving->own || folio_lock_killable(folio)))) {
		swap_move_leave(moving);
		return;
	}
	deleted = swap_move_del(moving);
	/*
	 * Count the refault of a folio that a fault has found and mapped,
	 * because the fault would have read the page without this move.
	 */
	if (!deleted && moving->shadow && folio_mapped(folio))
		workingset_refault(folio, moving->shadow);
	folio_unlock(folio);
	if (deleted)
		folio_put(folio);
	else
		swap_move_leave(moving);
}

/* Store a locked folio anew in one of the move's tiers. */
static int swap_move_store(struct swap_move *move, struct swap_io_ctx *ctx,
			   struct swap_moving *moving)
{
	unsigned int noreclaim;
	int err;

	if (!moving->own)
		folio_set_reclaim(moving->folio);
	noreclaim = memalloc_noreclaim_save();
	err = swap_abs_store(ctx, moving->folio,
			     move->tiers | SWAP_TIERS_MOVED);
	memalloc_noreclaim_restore(noreclaim);
	return err;
}

/*
 * Tell whether somebody uses a folio: has a reference to it, besides the caller
 * and the swap cache. A task that has isolated the folio from the LRU lists, or
 * has yet to put it there, has a reference too, which does not count. The LRU
 * flag tells that; it is read before and after the reference count, because the
 * folio may be put back in between. Nobody isolates a folio that was allocated
 * for the move.
 *
 * A folio that is put back and isolated again in between is not noticed. Then a
 * page is stored that somebody may write to. That is only in vain, because the
 * folio stays in the swap cache and will be dirty.
 */
static bool swap_move_is_held(struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	bool isolated = !moving->own && !folio_test_lru(folio);
	int refs;

	/*
	 * Read the flag first, because the task that isolates the folio takes
	 * its reference before it clears the flag.
	 */
	smp_rmb();
	refs = folio_ref_count(folio);
	/*
	 * Read the flag again last, because the task that puts the folio back
	 * sets the flag before it drops its reference.
	 */
	smp_rmb();
	isolated &= !folio_test_lru(folio);
	return refs > 1 + folio_nr_pages(folio) + isolated;
}

/*
 * Tell whether the contents of a locked folio may become different from its
 * copy, or are different already. A task that has a reference from
 * get_user_pages() may write to the folio when no process maps it any more, and
 * marks it dirty only later.
 *
 * LRU batches have references as well. Those of this CPU are drained if there
 * is a doubt; those of other CPUs were drained when the move began.
 */
static bool swap_move_in_use(struct swap_moving *moving)
{
	if (folio_mapped(moving->folio))
		return true;
	if (swap_move_is_held(moving)) {
		lru_add_drain();
		if (swap_move_is_held(moving))
			return true;
	}
	/*
	 * Read the dirty flag last, because a task that has written to the
	 * folio sets the flag before it drops its reference.
	 */
	smp_rmb();
	return folio_test_dirty(moving->folio);
}

/*
 * Tell whether a large folio has a poisoned page. It must not be freed as a
 * whole, because the poisoned page would be used again.
 */
static bool swap_move_is_broken_large(struct folio *folio)
{
	return folio_test_large(folio) && folio_contain_hwpoisoned_page(folio);
}

/*
 * Take the data of a locked, uptodate folio off the device, and unlock the
 * folio.
 */
static int swap_move_folio(struct swap_move *move, struct swap_io_ctx *ctx,
			   struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	swap_desc_t word = swap_desc_read(folio->swap);
	unsigned int nr = folio_nr_pages(folio);
	swp_entry_t slot = folio->swap;
	int err;

	/* The page is in use, so it stays in RAM. */
	if (swap_move_in_use(moving) || swap_move_is_broken_large(folio)) {
		if (!swap_move_may_drop(move, folio)) {
			folio_unlock(folio);
			return 0;
		}
		folio_mark_dirty(folio);
		swap_desc_drop_folio(folio);
		folio_unlock(folio);
		goto moved;
	}

	/*
	 * Take a large folio out of the swap cache instead of storing it,
	 * because a fault may have to split its range, see do_swap_page(), for
	 * which it must be clean and not under writeback. Its pages are moved
	 * one by one when the caller comes to them the next time.
	 */
	if (folio_test_large(folio)) {
		swap_move_del_found(folio);
		folio_unlock(folio);
		return 0;
	}

	/*
	 * Store the page in zswap or on another device. If no tier takes it,
	 * swapoff keeps it in RAM as a dirty page, if there is enough RAM.
	 * Other moves leave it on the device.
	 */
	err = swap_move_store(move, ctx, moving);
	if (err) {
		if (!moving->own)
			folio_clear_reclaim(folio);
		if (move->to_ram && !moving->forced &&
		    swap_move_ram_has_room()) {
			folio_mark_dirty(folio);
			swap_desc_drop_folio(folio);
			err = 0;
		} else {
			err = move->to_ram ? -ENOMEM : -ENOSPC;
		}
		folio_unlock(folio);
		/* Go on, because the tiers may refuse this page alone. */
		if (err == -ENOSPC &&
		    swap_tiers_open(move->tiers, SWAP_OPEN_ANY))
			return 0;
		if (err)
			return err;
	} else if (!moving->own && !folio_test_writeback(folio)) {
		folio_clear_reclaim(folio);
	}
moved:
	WRITE_ONCE(*move->moved, *move->moved + nr);
	swap_tier_count(move->si->tier, SWAP_TIER_MOVED_OUT, nr);
	trace_swap_abs_move(slot, word, swap_desc_read(slot), 0);
	return 0;
}

/*
 * Drop the copies of a folio that is in the swap cache while zswap has the data
 * of its slots, which holds for large folios, because its cgroup has too much
 * there. Does not wait for the folio.
 */
void swap_move_drop_cached(swp_entry_t slot)
{
	struct swap_move move = {
		.excess	= true,
		.tiers	= SWAP_TIERS_ALL & ~SWAP_TIER_ZSWAP,
	};
	struct folio *folio = swap_cache_get_folio(slot);

	if (!folio)
		return;
	if (folio_trylock(folio)) {
		if (folio_matches_swap_entry(folio, slot) &&
		    folio_test_uptodate(folio) &&
		    !folio_test_writeback(folio) &&
		    !folio_contain_hwpoisoned_page(folio) &&
		    swap_move_may_drop(&move, folio)) {
			folio_mark_dirty(folio);
			swap_desc_drop_folio(folio);
		}
		folio_unlock(folio);
	}
	folio_put(folio);
}

/*
 * Tell whether a locked folio of one poisoned page, which still has its data,
 * stays in RAM because it is mapped or dirty. Otherwise take it out of the swap
 * cache, because the copy is good and can be read into another page.
 *
 * memory_failure() discards a clean page in the same way, whoever has a
 * reference. It may be about to do that, or it may have given up, and it then
 * keeps its reference for ever. So references are not looked at here either: a
 * task that can still write to the page would write to broken memory.
 */
static bool swap_move_broken_stays(struct folio *folio)
{
	if (folio_mapped(folio))
		unmap_poisoned_folio(folio, folio_pfn(folio), false);
	if (folio_mapped(folio) || folio_test_dirty(folio))
		return true;
	swap_cache_del_folio(folio);
	if (folio_isolate_lru(folio)) {
		folio_clear_active(folio);
		folio_clear_unevictable(folio);
		/* Uncharge it, because it may never be freed. */
		mem_cgroup_uncharge(folio);
		folio_put(folio);
	}
	return false;
}

/*
 * Tell whether a locked folio is still its slot's, and has its data. Return 1
 * if so, and 0 if there is nothing to be moved now. Return -EINTR, without the
 * lock, when the task is killed while the folio is read once more.
 */
static int swap_move_is_ready(struct swap_move *move,
			      struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	swp_entry_t entry = moving->slot;
	struct swap_cluster_info *ci;

	if (!folio_matches_swap_entry(folio, entry) ||
	    folio_test_writeback(folio) ||
	    swap_desc_tier(swap_desc_read(entry)) != move->si->type)
		return 0;
	if (folio_contain_hwpoisoned_page(folio)) {
		/*
		 * Leave a poisoned page alone, because the next fault reports
		 * the error. Only swapoff has to declare its data lost.
		 */
		if (!move->to_ram)
			return 0;
		/*
		 * Keep a large folio in RAM, because its other pages are good
		 * and memory_failure() could not split it.
		 */
		if (folio_test_large(folio))
			return 1;
		/*
		 * Free a new folio whose frame broke before it had data. The
		 * frame will not be used again.
		 */
		if (moving->own)
			return 0;
		if (folio_test_uptodate(folio))
			return swap_move_broken_stays(folio);
		/*
		 * memory_failure() has left the folio in the swap cache, so
		 * that the next fault fails. The folio was dirty and its data
		 * is gone; the copy on the device is older.
		 */
		ci = swap_cluster_get_and_lock(folio);
		swap_desc_set_lost(ci, swp_cluster_offset(entry));
		swap_cluster_unlock(ci);
		return 0;
	}
	if (folio_test_uptodate(folio))
		return 1;
	/*
	 * Take a large folio that could not be read out of the swap cache, so
	 * that its pages are tried one by one.
	 */
	if (folio_test_large(folio)) {
		swap_move_del_found(folio);
		return 0;
	}
	if (swap_move_read_again(folio, move->to_ram))
		return -EINTR;
	return folio_test_uptodate(folio) &&
	       folio_matches_swap_entry(folio, entry) &&
	       !folio_test_writeback(folio) &&
	       !folio_contain_hwpoisoned_page(folio);
}

/*
 * Lock a folio that may be under a read or a write. Before waiting, submit the
 * gathered writes, because nobody must have to wait for a write that has not
 * been submitted.
 */
static int swap_move_lock(struct swap_io_ctx *writes, struct folio *folio)
{
	if (swap_move_freezing())
		return -EINTR;
	if (!folio_test_writeback(folio) && folio_trylock(folio))
		return 0;
	swap_write_submit(writes);
	if (folio_wait_writeback_killable(folio) || folio_lock_killable(folio))
		return -EINTR;
	return 0;
}

/* Store the pages that have been gathered. The caller submits the writes. */
static int swap_move_store_batch(struct swap_move *move,
				 struct swap_io_ctx *ctx)
{
	struct swap_move_batch *batch = &move->si->tier->batch;
	struct swap_moving *moving;
	int ready, ret, err = 0;
	unsigned int i;

	for (i = 0; i < move->nr_reading; i++) {
		moving = &batch->reading[i];
		ret = swap_move_lock(ctx, moving->folio);
		/*
		 * Submit the writes before a page is read once more, which is
		 * slow.
		 */
		if (!ret && !folio_test_uptodate(moving->folio))
			swap_write_submit(ctx);
		ready = ret ? ret : swap_move_is_ready(move, moving);
		if (ready > 0)
			ret = swap_move_folio(move, ctx, moving);
		else if (ready < 0)
			ret = ready;
		else
			folio_unlock(moving->folio);
		if (!err)
			err = ret;
		if (ret == -EINTR)
			swap_move_leave(moving);
		else
			batch->writing[move->nr_writing++] = *moving;
	}
	move->nr_reading = 0;
	return err;
}

/*
 * Wait until the pages of the last batch have been written, and free the
 * folios.
 */
static void swap_move_release_batch(struct swap_move *move)
{
	struct swap_move_batch *batch = &move->si->tier->batch;
	unsigned int i;

	for (i = 0; i < move->nr_writing; i++)
		swap_move_release(&batch->writing[i]);
	move->nr_writing = 0;
}

/*
 * Store the pages that have been gathered. The caller still has to call
 * swap_move_end(). Sleeps, and takes folio locks.
 *
 * Writes of a background mover have idle priority, because other writes are
 * more urgent. A task that moves data on command has its own priority.
 *
 * Return what swap_move_slot() does.
 */
int swap_move_settle(struct swap_move *move)
{
	int err, ioprio = current->io_context ? current->io_context->ioprio : 0;
	bool background = current->flags & PF_KTHREAD;
	struct swap_io_ctx writes = {};

	swap_read_submit(&move->reads);
	swap_move_release_batch(move);
	if (background)
		set_task_ioprio(current,
				IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
	err = swap_move_store_batch(move, &writes);
	swap_write_submit(&writes);
	if (background)
		set_task_ioprio(current, ioprio);
	return err;
}

/*
 * Store the pages that have been gathered, wait for the writes, and let go of
 * the folios. The caller of swap_move_slot() must call this before it drops
 * swap_tier.move_lock. Sleeps, and takes folio locks.
 *
 * Return what swap_move_slot() does.
 */
int swap_move_end(struct swap_move *move)
{
	int err = swap_move_settle(move);

	swap_move_release_batch(move);
	return err;
}

/*
 * Tell whether a folio is in the batch already. The scan comes across a large
 * folio once for each of its slots.
 */
static bool swap_move_has_folio(struct swap_move *move, struct folio *folio)
{
	struct swap_move_batch *batch = &move->si->tier->batch;
	unsigned int i;

	for (i = 0; i < move->nr_reading; i++)
		if (batch->reading[i].folio == folio)
			return true;
	for (i = 0; i < move->nr_writing; i++)
		if (batch->writing[i].folio == folio)
			return true;
	return false;
}

/*
 * Move the page of slot @entry by way of a folio, whatever the format of its
 * data. The data was on the device a moment ago. @object is the data if it is
 * packed and has been read already, or NULL. The page is gathered, and a later
 * call or swap_move_end() moves it together with others. Sleeps, and takes
 * folio locks.
 *
 * Return 0 when the move is under way or can't be done now, -ENOMEM or -ENOSPC
 * when there is no room for this page or for another one of the batch, or
 * -EINTR when the move was stopped.
 */
int swap_move_slot(struct swap_move *move, swp_entry_t entry,
		   const struct swap_object *object)
{
	struct swap_tier *tier = move->si->tier;
	struct swap_moving moving = { .slot = entry };

	lockdep_assert_held(&tier->move_lock);
	/*
	 * Skip a page that its cgroup may not have elsewhere, so that it does
	 * not hold up the pages of others.
	 */
	if (!move->to_ram && !swap_move_has_tier(move, entry))
		return 0;
	moving.folio = swap_move_get_folio(move, &moving, object);
	if (IS_ERR_OR_NULL(moving.folio))
		return PTR_ERR_OR_ZERO(moving.folio);
	if (!moving.own && swap_move_has_folio(move, moving.folio)) {
		folio_put(moving.folio);
		return 0;
	}

	tier->batch.reading[move->nr_reading++] = moving;
	/* Finish at once, because the folio exceeds its cgroup's limit. */
	if (moving.forced)
		return swap_move_end(move);
	if (move->nr_reading == SWAP_MOVE_BATCH ||
	    READ_ONCE(*move->moved) + move->nr_reading >= move->want)
		return swap_move_settle(move);
	return 0;
}
