// SPDX-License-Identifier: GPL-2.0
/*
 * Moving pages to other tiers by way of folios, a batch at a time.
 *
 * What can't move as it is comes into the swap cache and is stored anew. A mover
 * gathers up to SWAP_MOVE_BATCH pages, whose reads are submitted together; then it
 * stores them, and submits these writes together, too; and it waits for them only
 * after the reads of the next batch are on their way. So a slow device is waited for
 * twice a batch, and not once a page. The batch stands in the tier that is moved
 * from, as nothing may have to be allocated for it.
 *
 * While a folio is locked, nobody else changes where its data is (rule 1 of
 * mm/swap_abs.c). The copy on the device goes only when there is another one, or its
 * folio is dirty; so this can be given up at any point.
 *
 * A move is no fault, and nobody shall see one: nothing is counted as read, and
 *
 *	a folio that a mover has allocated leaves the swap cache again, with its slot's
 *	shadow and its charge to memsw (cgroup v1) as they were, unless somebody has
 *	found it there meanwhile; only then is it put on the LRU lists, as that one
 *	would have done.
 *
 * Until then it is on no list, so that reclaim can't find it, and a reference besides
 * the mover's and the swap cache's is somebody's who uses it. A folio that the mover
 * has found in the swap cache leaves it, too, if nobody uses it.
 *
 * Called by mm/swap_abs/empty.c and mm/swap_abs/policy.c, and by formats (struct
 * swap_move_ops), with swap_tier.move_lock held; takes the locks of the batch's folios, one
 * at a time but for those that are being read.
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

/* It must fail rather than have anybody killed for the sake of swapoff. */
#define SWAP_MOVE_GFP	(GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Is the tier emptied? Else what a process has mapped has no reason to leave. */
static bool swap_move_is_drain(struct swap_move *move)
{
	return move->want == ULONG_MAX && READ_ONCE(move->si->tier->closed);
}

/* Is there another tier that may take a page? nr_swap_pages is without a closed device. */
static bool swap_move_tier_has_room(void)
{
	return atomic_long_read(&nr_swap_pages) > 0 || swap_tiers_have_room(SWAP_TIER_ZSWAP);
}

/* May the slot's cgroup have it where it is to be moved to? */
static bool swap_move_has_tier(struct swap_move *move, swp_entry_t entry)
{
	return swap_memcg_tiers_of(entry, 1) & move->tiers &
	       (READ_ONCE(swap_tiers_online) | SWAP_TIER_ZSWAP);
}

/* Is there a place for a folio where it is to be moved to? */
static bool swap_move_has_place(struct swap_move *move, struct folio *folio)
{
	return swap_tiers_have_room(swap_tiers_of_folio(folio) & move->tiers);
}

/* May the data stay in RAM? Not when the system would have to kill for it. */
static bool swap_move_ram_has_room(void)
{
	return si_mem_available() > totalreserve_pages + totalram_pages() / 128;
}

/*
 * Allocate a folio for a slot in the swap cache, on no LRU list. Memory is reclaimed for it
 * only after the others' reads have been submitted, as that may take long. When its cgroup
 * is full but the page is only on its way to another tier, one may be had for that.
 */
static struct folio *swap_move_alloc_folio(struct swap_move *move, struct swap_moving *moving)
{
	struct folio *folio;
	unsigned int noreclaim;

	folio = swap_cache_alloc_moved(moving->slot, SWAP_MOVE_GFP & ~__GFP_DIRECT_RECLAIM,
				       &moving->shadow);
	if (PTR_ERR_OR_ZERO(folio) == -ENOMEM) {
		swap_read_submit(&move->reads);
		folio = swap_cache_alloc_moved(moving->slot, SWAP_MOVE_GFP, &moving->shadow);
	}
	if (PTR_ERR_OR_ZERO(folio) == -ENOMEM && move->nr_reading + move->nr_writing) {
		/* What is on its way takes memory of the same cgroup, maybe. */
		swap_move_end(move);
		folio = swap_cache_alloc_moved(moving->slot, SWAP_MOVE_GFP, &moving->shadow);
	}
	if (PTR_ERR_OR_ZERO(folio) == -ENOMEM && swap_move_ram_has_room() &&
	    swap_move_tier_has_room() && swap_move_has_tier(move, moving->slot)) {
		moving->forced = true;
		noreclaim = memalloc_noreclaim_save();
		folio = swap_cache_alloc_moved(moving->slot, SWAP_MOVE_GFP, &moving->shadow);
		memalloc_noreclaim_restore(noreclaim);
	}
	return folio;
}

/* Make a page of an object that has been read, if that still is the folio's data. */
static bool swap_move_fill(struct swap_move *move, struct folio *folio,
			   const struct swap_object *object)
{
	const struct swap_backend *backend = swap_backend_of(swap_desc_read(folio->swap));

	return backend && backend->fill && backend->fill(folio, move->si, object);
}

/*
 * Get a slot's folio: the one that is there, or one that is being read. @object is its
 * data, if that has been read already. NULL when there is none to be had now.
 */
static struct folio *swap_move_get_folio(struct swap_move *move, struct swap_moving *moving,
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

/* As swap_read_again(), but this is no fault, and -EINTR for who is killed, without the lock. */
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
 * A read has failed. Try once more; then, with @to_ram, say in the descriptor that it's gone.
 * Return: 0 with the lock, or -EINTR without it.
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
	swap_tier_count(__swap_entry_to_info(backing)->tier, SWAP_TIER_ERRORS, 1);
	pr_alert_ratelimited("swap: a page is lost, type %u offset %lu can't be read\n",
			     swp_type(backing), swp_offset(backing));
	ci = swap_cluster_get_and_lock(folio);
	swap_desc_set_lost(ci, swp_cluster_offset(slot));
	swap_cluster_unlock(ci);
	trace_swap_abs_move(slot, word, swap_desc_lost(), -EIO);
	return 0;
}

/*
 * Take a locked folio, of which the caller has @refs references and nobody else knows, out
 * of the swap cache. As reclaim does: who could still write to it has a reference, and who
 * has written says so before he lets go of that. With @evict, when that was is noted.
 */
static bool __swap_move_del_folio(struct folio *folio, void *shadow, int refs, bool evict)
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
		/* As shrink_active_list(), which it has not come to. */
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

/**
 * swap_move_del_folio - take a folio of swap_cache_alloc_moved() out of the swap cache
 * @folio: a locked folio, whose data is elsewhere
 * @shadow: of the slot
 * @refs: references that the caller has
 *
 * Context: process context, takes the lock of the slot's cluster.
 * Return: false when somebody else has a reference, or has written to it.
 */
bool swap_move_del_folio(struct folio *folio, void *shadow, int refs)
{
	return __swap_move_del_folio(folio, shadow, refs, false);
}

/*
 * Take a locked folio that is not mapped, and that was found, out of the swap cache: this
 * is its eviction, which reclaim has begun.
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

/* Let go of a folio without waiting for anything. */
static void swap_move_leave(struct swap_moving *moving)
{
	if (moving->own)
		folio_add_lru(moving->folio);
	folio_put(moving->folio);
}

/* Does nobody want a locked folio any more? Then take it out of the swap cache. */
static bool swap_move_del(struct swap_moving *moving)
{
	struct folio *folio = moving->folio;

	if (!folio_matches_swap_entry(folio, moving->slot) || folio_test_writeback(folio) ||
	    folio_mapped(folio))
		return false;
	if (moving->own)
		return swap_move_del_folio(folio, moving->shadow, 1);
	/* A broken one is for memory_failure(). */
	if (!folio_contain_hwpoisoned_page(folio))
		swap_move_del_found(folio);
	return false;
}

/*
 * A folio has been stored, or could not be. Of one that was found, who has its lock is not
 * waited for; reclaim takes what stays.
 */
static void swap_move_release(struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	bool deleted;

	if (swap_move_freezing() || folio_wait_writeback_killable(folio) ||
	    (!folio_trylock(folio) && (!moving->own || folio_lock_killable(folio)))) {
		swap_move_leave(moving);
		return;
	}
	deleted = swap_move_del(moving);
	/* If not, it was a fault that has found it, and would have read it otherwise. */
	if (!deleted && moving->shadow && folio_mapped(folio))
		workingset_refault(folio, moving->shadow);
	folio_unlock(folio);
	if (deleted)
		folio_put(folio);
	else
		swap_move_leave(moving);
}

/* Store a locked folio anew. */
static int swap_move_store(struct swap_move *move, struct swap_io_ctx *ctx,
			   struct swap_moving *moving)
{
	unsigned int noreclaim;
	int err;

	if (!moving->own)
		folio_set_reclaim(moving->folio);
	noreclaim = memalloc_noreclaim_save();
	err = swap_abs_store(ctx, moving->folio, move->tiers | SWAP_TIERS_MOVED);
	memalloc_noreclaim_restore(noreclaim);
	return err;
}

/*
 * Has somebody a reference of a folio besides the caller and the swap cache? Who takes it
 * off the LRU, or has not put it there yet, has one; it is looked at before and after, as
 * it may be put back meanwhile. On one that was allocated for the move, nobody has.
 *
 * One that is put back and taken off again in between is not noticed. Then a page is stored
 * that may be written to, which is only in vain: its folio stays, and will be dirty.
 */
static bool swap_move_is_held(struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	bool isolated = !moving->own && !folio_test_lru(folio);
	int refs;

	/* Who isolates it takes his reference first, so this bit is looked at before. */
	smp_rmb();
	refs = folio_ref_count(folio);
	/* Who puts it back drops his reference last, so it is looked at again after. */
	smp_rmb();
	isolated &= !folio_test_lru(folio);
	return refs > 1 + folio_nr_pages(folio) + isolated;
}

/*
 * May what a locked folio holds become another than its copy, or has it? Who has a
 * reference from get_user_pages() may write to it when nobody has mapped it any more, and
 * says so only later. The LRU's batches have references, too; those of other CPUs have been
 * emptied when the move began.
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
	/* Last: who has written says so before he lets go of it. */
	smp_rmb();
	return folio_test_dirty(moving->folio);
}

/* Such a folio must not be freed as a whole, or its broken page would be used again. */
static bool swap_move_is_broken_large(struct folio *folio)
{
	return folio_test_large(folio) && folio_contain_hwpoisoned_page(folio);
}

/* Take the data of a locked, uptodate folio off the device. Unlocks it. */
static int swap_move_folio(struct swap_move *move, struct swap_io_ctx *ctx,
			   struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	swap_desc_t word = swap_desc_read(folio->swap);
	unsigned int nr = folio_nr_pages(folio);
	swp_entry_t slot = folio->swap;
	int err;

	/*
	 * In use: it stays in RAM. But where nobody waits for the device, not if it could
	 * never leave that again.
	 */
	if (swap_move_in_use(moving) || swap_move_is_broken_large(folio)) {
		if (!swap_move_is_drain(move) ||
		    (!move->to_ram && !folio_test_dirty(folio) &&
		     swap_copy_irreplaceable(folio) && !swap_move_has_place(move, folio))) {
			folio_unlock(folio);
			return 0;
		}
		folio_mark_dirty(folio);
		swap_desc_drop_folio(folio);
		folio_unlock(folio);
		goto moved;
	}

	/*
	 * A fault may have to take its range apart, see do_swap_page(), so it must be clean
	 * and at rest for that. Its pages are moved one by one, the next time round.
	 */
	if (folio_test_large(folio)) {
		swap_move_del_found(folio);
		folio_unlock(folio);
		return 0;
	}

	/* To zswap, to another device, or else it is dirty and stays. */
	err = swap_move_store(move, ctx, moving);
	if (err) {
		if (!moving->own)
			folio_clear_reclaim(folio);
		if (move->to_ram && !moving->forced && swap_move_ram_has_room()) {
			folio_mark_dirty(folio);
			swap_desc_drop_folio(folio);
			err = 0;
		} else {
			err = move->to_ram ? -ENOMEM : -ENOSPC;
		}
		folio_unlock(folio);
		/* It may be this page alone that the others do not take. */
		if (err == -ENOSPC && swap_tiers_have_room(move->tiers))
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
 * A locked folio of one page has broken, but still has its data: is that to be moved?
 * memory_failure() lets a clean page go, because its copy is good, whoever has a reference.
 * It may be on its way for that, and may have given up, keeping its own reference for ever. So
 * the same is done here: who still could write to it, would to broken memory.
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
		/* It may never be freed. */
		mem_cgroup_uncharge(folio);
		folio_put(folio);
	}
	return false;
}

/*
 * Is the data of a locked folio there, and its own? Else there is nothing to be moved now.
 * -EINTR for who is killed while it is read once more, without the lock.
 */
static int swap_move_is_ready(struct swap_move *move, struct swap_moving *moving)
{
	struct folio *folio = moving->folio;
	swp_entry_t entry = moving->slot;
	struct swap_cluster_info *ci;

	if (!folio_matches_swap_entry(folio, entry) || folio_test_writeback(folio) ||
	    swap_desc_tier(swap_desc_read(entry)) != move->si->type)
		return 0;
	if (folio_contain_hwpoisoned_page(folio)) {
		/* Who wants it, and has no other way, will find out. */
		if (!move->to_ram)
			return 0;
		/* The other pages of a large one, which could not be split, are good. */
		if (folio_test_large(folio))
			return 1;
		/* The frame broke before it was used: once it is free, it never is again. */
		if (moving->own)
			return 0;
		if (folio_test_uptodate(folio))
			return swap_move_broken_stays(folio);
		/*
		 * Memory failure has left it there for who comes across it. What it was
		 * dirty with is gone, and what the device has is older.
		 */
		ci = swap_cluster_get_and_lock(folio);
		swap_desc_set_lost(ci, swp_cluster_offset(entry));
		swap_cluster_unlock(ci);
		return 0;
	}
	if (folio_test_uptodate(folio))
		return 1;
	/* Parts of a large folio are tried one by one. */
	if (folio_test_large(folio)) {
		swap_move_del_found(folio);
		return 0;
	}
	if (swap_move_read_again(folio, move->to_ram))
		return -EINTR;
	return folio_test_uptodate(folio) && folio_matches_swap_entry(folio, entry) &&
	       !folio_test_writeback(folio) && !folio_contain_hwpoisoned_page(folio);
}

/*
 * Lock a folio that may be being read, or written. Nobody must have to wait for a write
 * that is waiting here to be submitted.
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

/* Store what has been gathered. The caller submits the writes. */
static int swap_move_store_batch(struct swap_move *move, struct swap_io_ctx *ctx)
{
	struct swap_move_batch *batch = &move->si->tier->batch;
	struct swap_moving *moving;
	int ready, ret, err = 0;
	unsigned int i;

	for (i = 0; i < move->nr_reading; i++) {
		moving = &batch->reading[i];
		ret = swap_move_lock(ctx, moving->folio);
		/* It may be read once more, which takes its time. */
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

/* Wait for what was stored, which makes its folios free. */
static void swap_move_release_batch(struct swap_move *move)
{
	struct swap_move_batch *batch = &move->si->tier->batch;
	unsigned int i;

	for (i = 0; i < move->nr_writing; i++)
		swap_move_release(&batch->writing[i]);
	move->nr_writing = 0;
}

/**
 * swap_move_settle - store what has been gathered
 * @move: the move
 *
 * What is moved in the background has time, and other writes have not; who moves by hand
 * has a priority of his own.
 *
 * Context: as swap_move_slot(), after which swap_move_end() has to be called all the same.
 * Return: as swap_move_slot().
 */
int swap_move_settle(struct swap_move *move)
{
	int err, ioprio = current->io_context ? current->io_context->ioprio : 0;
	bool background = current->flags & PF_KTHREAD;
	struct swap_io_ctx writes = {};

	swap_read_submit(&move->reads);
	swap_move_release_batch(move);
	if (background)
		set_task_ioprio(current, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
	err = swap_move_store_batch(move, &writes);
	swap_write_submit(&writes);
	if (background)
		set_task_ioprio(current, ioprio);
	return err;
}

/**
 * swap_move_end - move what has been gathered, and let go of it
 * @move: the move
 *
 * Context: process context, sleeps, takes folio locks; swap_tier.move_lock held. Callers of
 * swap_move_slot() must call it before they give that up.
 * Return: as swap_move_slot().
 */
int swap_move_end(struct swap_move *move)
{
	int err = swap_move_settle(move);

	swap_move_release_batch(move);
	return err;
}

/* Is a folio in the batch already? Of a large one, each slot is found. */
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

/**
 * swap_move_slot - move a page, whatever its format, by way of a folio
 * @move: what is moved
 * @entry: a slot that was on the device a moment ago
 * @object: its data, if it is packed and has been read already, or NULL
 *
 * It is done, with others, by a later call or by swap_move_end().
 *
 * Context: process context, sleeps, takes folio locks; swap_tier.move_lock held.
 * Return: 0 when that is under way, or can't be done now; -ENOMEM or -ENOSPC when there is
 * no room for this page, or for another one of the batch; -EINTR when it was stopped.
 */
int swap_move_slot(struct swap_move *move, swp_entry_t entry,
		   const struct swap_object *object)
{
	struct swap_tier *tier = move->si->tier;
	struct swap_moving moving = { .slot = entry };

	lockdep_assert_held(&tier->move_lock);
	/* Nobody else's data is to wait for what its cgroup keeps here. */
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
	/* Its cgroup has more than it may, until the page is gone. */
	if (moving.forced)
		return swap_move_end(move);
	if (move->nr_reading == SWAP_MOVE_BATCH ||
	    READ_ONCE(*move->moved) + move->nr_reading >= move->want)
		return swap_move_settle(move);
	return 0;
}
