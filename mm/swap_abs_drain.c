// SPDX-License-Identifier: GPL-2.0
/*
 * Moving the data of virtual slots off a device: all of it, for swapoff and for a
 * tier that is drained, or some of it, to other tiers by their rank.
 *
 * There is no map from a device's slots back to virtual ones. Packed data is found
 * by the headers in its segments, oldest segments first, and moves as it is where
 * another packed tier takes it (mm/swap_abs_gc.c). For the rest the descriptors
 * are scanned, eight bytes a slot, and no page table is looked at. A page that is
 * found so is brought into the swap cache; while its folio is locked, nobody else
 * changes where its data is (rule 1 of mm/swap_abs.c). The copy on the device goes
 * only when there is another one, or its folio is dirty; so this can be given up
 * at any point.
 *
 * What is to be moved, and where to, stands in a struct swap_move. Callers are
 * swapoff in mm/swapfile.c after the device has been closed for new data, and
 * mm/swap_abs_demote.c. Holds no locks but swap_tier.move_lock, outside of
 * everything, and that of one folio at a time.
 */
#include <linux/blkdev.h>
#include <linux/iocontext.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "internal.h"
#include "swap.h"
#include "swap_table.h"
#include "swap_abs.h"

#include <trace/events/swap_abs.h>

/* It must fail rather than have anybody killed for the sake of swapoff. */
#define SWAP_DRAIN_GFP	(GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

static bool swap_drain_is_on(unsigned long word, struct swap_info_struct *si)
{
	return swap_desc_tier(word) == si->type;
}

/**
 * swap_move_stopped - is a move to end before it is done?
 * @move: the move
 *
 * Return: true for a signal, when all that was wanted has been moved, when somebody has
 * set @move->stop, or when the system is about to freeze kernel threads: who moves in the
 * background has his work queued again for after that.
 */
bool swap_move_stopped(struct swap_move *move)
{
	return READ_ONCE(*move->moved) >= move->want ||
	       (move->stop && READ_ONCE(*move->stop)) || signal_pending(current) ||
	       swap_move_freezing();
}

/* Is the tier emptied? Else what a process has mapped has no reason to leave. */
static bool swap_move_is_drain(struct swap_move *move)
{
	return move->want == ULONG_MAX && READ_ONCE(move->si->tier->draining);
}

/* Is there another tier that may take a page? nr_swap_pages is without a closed device. */
static bool swap_drain_tier_has_room(void)
{
	return atomic_long_read(&nr_swap_pages) > 0 || zswap_room() > 0;
}

/* May the slot's cgroup have it where it is to be moved to? */
static bool swap_drain_has_tier(struct swap_move *move, swp_entry_t entry)
{
	return swap_memcg_tiers_of(entry, 1) & move->tiers &
	       (READ_ONCE(swap_tiers_present) | SWAP_TIER_ZSWAP);
}

/* Is there a place for a folio where it is to be moved to? */
static bool swap_drain_has_place(struct swap_move *move, struct folio *folio)
{
	return swap_tiers_have_room(swap_tiers_of_folio(folio) & move->tiers);
}

/* May the data stay in RAM? Not when the system would have to kill for it. */
static bool swap_drain_ram_has_room(void)
{
	return si_mem_available() > totalreserve_pages + totalram_pages() / 128;
}

/* Get the slot's folio, read if need be; NULL when there is none to be had now. */
static struct folio *swap_drain_get_folio(struct swap_move *move, swp_entry_t entry)
{
	struct swap_io_ctx ctx = {};
	unsigned int noreclaim;
	struct folio *folio;

	move->forced = false;
	folio = swap_cache_get_folio(entry);
	if (folio)
		return folio;

	folio = swap_cache_alloc_folio(entry, SWAP_DRAIN_GFP, BIT(0), NULL,
				       get_task_policy(current), NO_INTERLEAVE_INDEX);
	if (PTR_ERR_OR_ZERO(folio) == -ENOMEM && swap_drain_ram_has_room() &&
	    swap_drain_tier_has_room() && swap_drain_has_tier(move, entry)) {
		/*
		 * Its cgroup is full, and the page is only on its way to another
		 * tier. One may be had for that.
		 */
		move->forced = true;
		noreclaim = memalloc_noreclaim_save();
		folio = swap_cache_alloc_folio(entry, SWAP_DRAIN_GFP, BIT(0), NULL,
					       get_task_policy(current),
					       NO_INTERLEAVE_INDEX);
		memalloc_noreclaim_restore(noreclaim);
	}
	if (IS_ERR(folio))
		return PTR_ERR(folio) == -ENOMEM ? folio : NULL;

	swap_read_folio(&ctx, folio);
	swap_read_submit(&ctx);
	return folio;
}

/* A read has failed. Try once more; then say in the descriptor that it's gone. */
static bool swap_drain_read_again(struct folio *folio)
{
	unsigned long word = swap_abs_word(folio->swap);
	struct swap_cluster_info *ci;
	swp_entry_t slot, backing;

	swap_read_again(folio);
	if (folio_test_uptodate(folio))
		return true;
	if (!folio_test_swapcache(folio) || folio_test_large(folio))
		return false;

	slot = folio->swap;
	if (swap_desc_place(swap_abs_word(slot)) != swap_desc_place(word))
		return false;
	backing = swap_desc_device_entry(word);
	swap_tier_count(__swap_entry_to_info(backing)->tier, SWAP_TIER_ERRORS, 1);
	pr_alert_ratelimited("swap: a page is lost, type %u offset %lu can't be read\n",
			     swp_type(backing), swp_offset(backing));
	ci = swap_cluster_get_and_lock(folio);
	swap_abs_set_lost(ci, swp_cluster_offset(slot));
	swap_cluster_unlock(ci);
	trace_swap_abs_move(slot, word, SWAP_DESC_LOST, -EIO);
	swap_cache_del_folio(folio);
	return false;
}

/*
 * Store a locked folio anew. What is moved in the background has time, and
 * other writes have not; who moves by hand has a priority of his own.
 */
static int swap_move_store(struct swap_move *move, struct folio *folio)
{
	int err, ioprio = current->io_context ? current->io_context->ioprio : 0;
	bool background = current->flags & PF_KTHREAD;
	struct swap_io_ctx ctx = {};
	unsigned int noreclaim;

	if (background)
		set_task_ioprio(current, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
	folio_set_reclaim(folio);
	noreclaim = memalloc_noreclaim_save();
	err = swap_abs_store(&ctx, folio, move->tiers | SWAP_TIERS_MOVED);
	memalloc_noreclaim_restore(noreclaim);
	swap_write_submit(&ctx);
	if (background)
		set_task_ioprio(current, ioprio);
	return err;
}

/*
 * Has somebody a reference of a folio besides the caller and the swap cache? Who takes it
 * off the LRU, or has not put it there yet, has one; it is looked at before and after, as
 * it may be put back meanwhile.
 */
static bool swap_drain_is_held(struct folio *folio)
{
	bool isolated = !folio_test_lru(folio);
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
static bool swap_drain_in_use(struct folio *folio)
{
	if (folio_mapped(folio))
		return true;
	if (swap_drain_is_held(folio)) {
		lru_add_drain();
		if (swap_drain_is_held(folio))
			return true;
	}
	/* Last: who has written says so before he lets go of it. */
	smp_rmb();
	return folio_test_dirty(folio);
}

/* Take the data of a locked, uptodate folio off the device. Unlocks it. */
static int swap_drain_folio(struct swap_move *move, struct folio *folio)
{
	unsigned int nr = folio_nr_pages(folio);
	unsigned long word = swap_abs_word(folio->swap);
	swp_entry_t slot = folio->swap;
	int ret;

	/*
	 * In use: it stays in RAM. But where nobody waits for the device, not if it could
	 * never leave that again.
	 */
	if (swap_drain_in_use(folio)) {
		if (!swap_move_is_drain(move) ||
		    (!move->to_ram && !folio_test_dirty(folio) &&
		     swap_folio_copy_is_last(folio) && !swap_drain_has_place(move, folio))) {
			folio_unlock(folio);
			return 0;
		}
		folio_mark_dirty(folio);
		swap_abs_drop_folio(folio);
		folio_unlock(folio);
		goto moved;
	}

	/*
	 * A large folio that nobody has mapped may have to be taken apart by who
	 * faults, see do_swap_page(), and must be clean and at rest for that. Its
	 * pages are moved one by one, the next time round.
	 */
	if (folio_test_large(folio)) {
		swap_cache_del_folio(folio);
		folio_unlock(folio);
		return 0;
	}

	/* To zswap, to another device, or else it is dirty and stays. */
	ret = swap_move_store(move, folio);
	if (ret) {
		folio_clear_reclaim(folio);
		if (move->to_ram && !move->forced && swap_drain_ram_has_room()) {
			folio_mark_dirty(folio);
			swap_abs_drop_folio(folio);
			ret = 0;
		} else {
			swap_cache_del_folio(folio);
			ret = move->to_ram ? -ENOMEM : -ENOSPC;
		}
		folio_unlock(folio);
		/* It may be this page alone that the others do not take. */
		if (ret == -ENOSPC && swap_tiers_have_room(move->tiers))
			return 0;
		if (ret)
			return ret;
		goto moved;
	}

	/* Nobody waits for it here: if it can be let go of, do. */
	if (!folio_test_writeback(folio))
		folio_clear_reclaim(folio);
	if (folio_trylock(folio)) {
		if (folio_matches_swap_entry(folio, slot) && !folio_test_writeback(folio) &&
		    !swap_drain_in_use(folio))
			swap_cache_del_folio(folio);
		folio_unlock(folio);
	}
moved:
	WRITE_ONCE(*move->moved, *move->moved + nr);
	swap_tier_count(move->si->tier, SWAP_TIER_MOVED_OUT, nr);
	trace_swap_abs_move(slot, word, swap_abs_word(slot), 0);
	return 0;
}

/**
 * swap_move_slot - move a page, whatever its format, by way of a folio
 * @move: what is moved
 * @entry: a slot that was on the device a moment ago
 *
 * Context: process context, sleeps, takes the folio's lock.
 * Return: 0 when that is done, or can't be done now; -ENOMEM or -ENOSPC when there
 * is no room for it.
 */
int swap_move_slot(struct swap_move *move, swp_entry_t entry)
{
	struct swap_info_struct *si = move->si;
	struct swap_cluster_info *ci;
	struct folio *folio;
	int err = 0;

	/* Nobody else's data is to wait for what its cgroup keeps here. */
	if (!move->to_ram && !swap_drain_has_tier(move, entry))
		return 0;
	folio = swap_drain_get_folio(move, entry);
	if (IS_ERR_OR_NULL(folio))
		return PTR_ERR_OR_ZERO(folio);

	folio_lock(folio);
	folio_wait_writeback(folio);
	if (!folio_matches_swap_entry(folio, entry) ||
	    !swap_drain_is_on(swap_abs_word(entry), si))
		goto unlock;
	if (!move->to_ram && (folio_contain_hwpoisoned_page(folio) ||
			      !folio_test_uptodate(folio))) {
		/* Who wants it, and has no other way, will find out. */
		if (!folio_test_uptodate(folio))
			swap_read_again(folio);
		if (!folio_matches_swap_entry(folio, entry) || folio_test_writeback(folio) ||
		    folio_contain_hwpoisoned_page(folio))
			goto unlock;
		if (!folio_test_uptodate(folio)) {
			/* Nothing is gained by keeping it. */
			swap_cache_del_folio(folio);
			goto unlock;
		}
	}
	/* The other pages of a large one, which could not be split, are as good as ever. */
	if (folio_contain_hwpoisoned_page(folio) && !folio_test_large(folio)) {
		/*
		 * memory_failure() waits for the lock, and lets a clean page go, because
		 * its copy is good.
		 */
		if (folio_test_uptodate(folio))
			goto unlock;
		/*
		 * Memory failure has left it there for who comes across it. What
		 * it was dirty with is gone, and what the device has is older.
		 */
		ci = swap_cluster_get_and_lock(folio);
		swap_abs_set_lost(ci, swp_cluster_offset(entry));
		swap_cluster_unlock(ci);
		goto unlock;
	}
	if (!folio_test_uptodate(folio)) {
		/* Parts of a large folio are tried one by one. */
		if (folio_test_large(folio)) {
			swap_cache_del_folio(folio);
			goto unlock;
		}
		if (!swap_drain_read_again(folio))
			goto unlock;
		if (!folio_matches_swap_entry(folio, entry) ||
		    folio_test_writeback(folio))
			goto unlock;
	}
	err = swap_drain_folio(move, folio);
	folio_put(folio);
	return err;

unlock:
	folio_unlock(folio);
	folio_put(folio);
	return err;
}

/*
 * Look at all descriptors once, from where the last one has ended, for data of the
 * device, or of what swap_raw_pick_old() has picked there.
 */
static int swap_drain_scan(struct swap_move *move, bool old)
{
	unsigned long i, max = READ_ONCE(swap_virtual_area->max);
	struct swap_info_struct *si = move->si;
	struct swap_tier *tier = si->tier;
	struct blk_plug plug;
	unsigned long word;
	swp_entry_t entry;
	int err = 0;

	blk_start_plug(&plug);
	for (i = 0; i < max && !err; i++) {
		tier->hand = tier->hand + 1 < max ? tier->hand + 1 : 0;
		entry = swp_entry(swap_virtual_area->type, tier->hand);
		word = swap_abs_word(entry);
		if (swap_drain_is_on(word, si) && (!old || swap_raw_is_old(word))) {
			err = swap_move_slot(move, entry);
			if (!err && swap_move_stopped(move))
				err = -EINTR;
			cond_resched();
		} else if (tier->hand % SWAPFILE_CLUSTER == 0) {
			if (swap_move_stopped(move))
				err = -EINTR;
			cond_resched();
		}
	}
	blk_finish_plug(&plug);
	return err;
}

/**
 * swap_move_some - move data of a device to other tiers
 * @move: what, and where to; not to RAM
 *
 * Packed data first, what was written first of it first; then what swap_raw_pick_old()
 * has picked, until all of that has been looked at; then the rest in the order of slots,
 * from where the last call has ended.
 *
 * Context: process context, sleeps; swap_tier.move_lock held.
 * Return: 0 when all has been looked at once; -EINTR when it was stopped or has moved
 * what was wanted; -ENOSPC when there was no room, -ENOMEM when there was no memory.
 */
int swap_move_some(struct swap_move *move)
{
	struct swap_tier *tier = move->si->tier;
	int err;

	lockdep_assert_held(&tier->move_lock);
	lru_add_drain_all();
	err = swap_packed_drain(move);
	if (!err && !list_empty_careful(&tier->old)) {
		err = swap_drain_scan(move, true);
		if (!err)
			swap_raw_unpick_old(tier);
	}
	if (!err)
		err = swap_drain_scan(move, false);
	return err;
}

/**
 * swap_move_picked - move what is in the clusters that were picked
 * @move: what, and where to; not to RAM
 *
 * Context: process context, sleeps; swap_tier.move_lock held.
 */
void swap_move_picked(struct swap_move *move)
{
	lockdep_assert_held(&move->si->tier->move_lock);
	lru_add_drain_all();
	swap_drain_scan(move, true);
}

/**
 * swap_abs_drain - move all data of virtual slots off a device
 * @si: a device whose tier has left: nothing new is put there
 *
 * Context: process context, sleeps, takes folio locks.
 * Return: 0 when no descriptor points to the device any longer and all its
 * clusters are back, -EINTR for a signal, -ENOMEM when there is no room for the
 * data elsewhere. Nothing is lost then, and the device can be used on.
 */
int swap_abs_drain(struct swap_info_struct *si)
{
	struct swap_tier *tier = si->tier;
	unsigned long moved = 0;
	struct swap_move move = {
		.si	= si,
		.tiers	= SWAP_TIERS_ALL & ~swap_tier_bit(tier),
		.to_ram	= true,
		.want	= ULONG_MAX,
		.moved	= &moved,
	};
	int err;

	if (!swap_abs_used())
		return 0;

	/* Others that move data off it stop, as the tier is draining. */
	if (mutex_lock_interruptible(&tier->move_lock))
		return -EINTR;
	lru_add_drain_all();
	err = swap_packed_drain(&move);
	/* A store that has taken its slots may not have told where they are yet. */
	while (!err && percpu_counter_sum(&tier->used)) {
		err = swap_drain_scan(&move, false);
		if (!err && percpu_counter_sum(&tier->used))
			schedule_timeout_interruptible(1);
		if (!err && signal_pending(current))
			err = -EINTR;
	}
	mutex_unlock(&tier->move_lock);
	if (err)
		return err;

	swap_raw_forget_bad(tier);
	swap_packed_forget_bad(tier);
	while (atomic_long_read(&tier->nr_lent)) {
		queue_work(swap_abs_wq, &tier->release_work);
		flush_work(&tier->release_work);
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
