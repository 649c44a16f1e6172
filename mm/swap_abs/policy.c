// SPDX-License-Identifier: GPL-2.0
/*
 * What goes from one tier of the swap abstraction to another, and when.
 *
 * The coldest data of a tier sinks to the tiers of a greater rank, in the
 * background, when the tier is fuller than its high watermark, until it is down to
 * the low one; so reclaim finds room in front. What comes back soon after it was
 * evicted is stored anew by its next eviction, in the first tier that has room
 * (swap_mark_for_promotion()). By hand, data is moved down (demote) or up (promote), and all
 * of it away (state: draining, mm/swap_abs/state.c).
 *
 * This file owns that policy; how data is moved is in mm/swap_abs/empty.c, in mm/zswap.c and
 * in formats, and where it may go is known in mm/swap_abs/room.c. It is called by
 * mm/swap_abs/sysfs.c, and its works are queued when a tier has filled, is to be drained, or
 * a cgroup has too much in one.
 *
 * To hold: one mover at a time works on a tier.
 *
 * Locks: swap_tier.move_lock, then folio locks and what is inside of them.
 */
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>
#include "../swap.h"
#include "memcg.h"
#include "move.h"
#include "slots.h"
#include "tier.h"

/* Pages moved before the watermark is looked at again. */
#define SWAP_DEMOTE_BATCH	(4UL * SWAPFILE_CLUSTER)

/**
 * swap_tier_set_watermark - set a watermark
 * @tier: the tier
 * @which: which one
 * @percent: of the tier's capacity
 *
 * Context: process context, sleeps.
 * Return: 0, or -EINVAL when it is more than 100 or they would be the wrong way round.
 */
int swap_tier_set_watermark(struct swap_tier *tier, enum swap_watermark which,
			    unsigned int percent)
{
	int err = 0;

	mutex_lock(&swap_abs_mutex);
	if (percent > 100 ||
	    (which == SWAP_WMARK_HIGH ? percent < tier->watermark[SWAP_WMARK_LOW] :
					percent > tier->watermark[SWAP_WMARK_HIGH]))
		err = -EINVAL;
	else
		WRITE_ONCE(tier->watermark[which], percent);
	WRITE_ONCE(tier->demote_after, jiffies);
	mutex_unlock(&swap_abs_mutex);
	if (!err)
		swap_tier_check_high(tier);
	return err;
}

/* The rest of swap_mark_for_promotion(). */
void swap_abs_mark_for_promotion(struct folio *folio)
{
	swap_desc_t word;

	if (folio_test_large(folio) || !folio_test_swapcache(folio) ||
	    !folio_swap_is_virtual(folio))
		return;
	word = swap_desc_read(folio->swap);
	if (!swap_desc_on_device(word) || __swap_copy_irreplaceable(folio) ||
	    !swap_tier_has_upper(__swap_entry_to_info(swap_desc_device_entry(word))->tier,
				 swap_tiers_of_folio(folio)))
		return;
	/* The copy stays until the next one has been stored. */
	folio_mark_dirty(folio);
}

/*
 * Demotion in the background
 */

static void swap_tier_demote_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(work, struct swap_tier, demote_work);
	unsigned long low, used, moved, sum = 0;
	struct swap_move move = {
		.si	= tier->si,
		.moved	= &moved,
		.stop	= &tier->closed,
	};
	bool picked = false;

	mutex_lock(&tier->move_lock);
	do {
		moved = 0;
		low = swap_tier_watermark(tier, SWAP_WMARK_LOW);
		used = swap_tier_inuse(tier);
		move.tiers = swap_tiers_beside(tier, false);
		if (used <= low || !swap_tiers_have_room(move.tiers))
			break;
		if (!picked)
			swap_formats_call(choose_victims, tier, used - low);
		picked = true;
		/* Of objects it takes more, but how many is not known. */
		move.want = min(used - low, SWAP_DEMOTE_BATCH);
		swap_move_some(&move);
		sum += moved;
		cond_resched();
	} while (moved && !READ_ONCE(tier->closed) && !swap_move_freezing());
	swap_formats_call(unchoose, tier);
	swap_tier_demote_backoff(tier, sum);
	mutex_unlock(&tier->move_lock);
	if (swap_move_freezing())
		swap_move_queue(&tier->demote_work);
}

/**
 * swap_tier_move - move data up or down now
 * @tier: from where
 * @up: to tiers of a smaller rank, else to ones of a greater rank
 * @pages: how much, at most
 *
 * What has been moved is in tier->moved[@up], also meanwhile.
 *
 * Context: process context, sleeps.
 * Return: 0 when that was done, also when there was less; -ENOSPC when none of the
 * tiers has room, -EINTR for a signal, -ENOMEM when there is no memory.
 */
int swap_tier_move(struct swap_tier *tier, bool up, unsigned long pages)
{
	struct swap_move move = {
		.si	= tier->si,
		.tiers	= swap_tiers_beside(tier, up),
		.want	= pages,
		.moved	= &tier->moved[up],
		.stop	= &tier->closed,
	};
	unsigned long moved;
	int err;

	if (mutex_lock_interruptible(&tier->move_lock))
		return -EINTR;
	WRITE_ONCE(*move.moved, 0);
	if (!swap_tiers_have_room(move.tiers)) {
		err = -ENOSPC;
	} else if (!swap_abs_used()) {
		err = 0;
	} else if (!tier->si) {
		err = zswap_shrink_by(&move);
	} else {
		/* What is on its way here can go on from here. */
		swap_formats_call(settle);
		if (!up)
			swap_formats_call(choose_victims, tier, min(pages, tier->si->pages));
		err = swap_move_some(&move);
		swap_formats_call(unchoose, tier);
	}
	/* The next command begins with 0. */
	moved = *move.moved;
	mutex_unlock(&tier->move_lock);
	if (signal_pending(current) && moved < pages)
		return -EINTR;
	return moved || err == -EINTR ? 0 : err;
}

/*
 * Cgroups
 */

static void swap_excess_again_fn(struct work_struct *work);

/* For what another mover has been at, later and later. */
static DECLARE_DELAYED_WORK(swap_excess_again, swap_excess_again_fn);
static unsigned long swap_excess_delay;

/* Move what has been gathered of a device, which others may take data off then. */
static void swap_excess_end(struct swap_move *move)
{
	struct swap_info_struct *si = move->si;

	if (!si)
		return;
	swap_move_end(move);
	move->si = NULL;
	mutex_unlock(&si->tier->move_lock);
	put_swap_device(si);
}

/* Begin to gather what is on a device; -EBUSY while another mover does, which may take long. */
static int swap_excess_begin(struct swap_move *move, struct swap_info_struct *si)
{
	if (move->si == si)
		return 0;
	swap_excess_end(move);
	if (!swap_device_tryget(si))
		return -ENODEV;
	if (!mutex_trylock(&si->tier->move_lock)) {
		put_swap_device(si);
		return -EBUSY;
	}
	move->si = si;
	move->tiers = SWAP_TIERS_ALL & ~swap_tier_bit(si->tier);
	return 0;
}

/* Until it is written, what goes from zswap to a device as it is counts as zswap's. */
static void swap_excess_wait(struct swap_move *move)
{
	if (move->nr_objects)
		swap_formats_call(settle);
	move->nr_objects = 0;
}

/* Has its cgroup too much in a slot's tier, apart from what has been gathered? */
static bool swap_excess_has(struct swap_move *move, swp_entry_t slot, int tier)
{
	long gathered = move->nr_objects + move->nr_reading + move->nr_writing;

	if (swap_memcg_tiers_of(slot, 0) & BIT(tier))
		return false;
	if (!gathered || !(swap_memcg_tiers_of(slot, -gathered) & BIT(tier)))
		return true;
	/* It may be the others', or not work: that is known when they have gone. */
	if (move->si)
		swap_move_end(move);
	swap_excess_wait(move);
	return !(swap_memcg_tiers_of(slot, 0) & BIT(tier));
}

/* Move a slot's data out of the tier that its cgroup has too much in. */
static int swap_excess_slot(struct swap_move *move, swp_entry_t slot, swap_desc_t word)
{
	struct swap_info_struct *si;
	int err;

	if (swap_desc_tag(word) == SWAP_DESC_ZSWAP) {
		/* It may wait, for memory too; who waits for a page that was gathered must not. */
		swap_read_submit(&move->reads);
		if (!zswap_writeback_slot(slot, word))
			move->nr_objects++;
		return 0;
	}
	/* A hint: what is read of a cluster that is just being freed may be anything. */
	si = READ_ONCE(swap_info[swp_type(swap_desc_device_entry(word)) % MAX_SWAPFILES]);
	if (!si || swap_is_virtual(si))
		return -ENODEV;
	err = swap_excess_begin(move, si);
	if (!err)
		swap_move_slot(move, slot, NULL);
	return err;
}

static void swap_excess_work_fn(struct work_struct *work)
{
	unsigned long offset, max, memcgs, moved = 0;
	struct swap_move move = { .want = LONG_MAX, .moved = &moved };
	bool again = false;
	swp_entry_t slot;
	swap_desc_t word;
	int tier;

	if (!swap_abs_used())
		return;
	memcgs = swap_memcg_excess();
	max = memcgs ? READ_ONCE(swap_virtual_area->max) : 0;
	for (offset = 0; offset < max && !swap_move_freezing(); offset++) {
		slot = swp_entry(swap_virtual_area->type, offset);
		if (offset % SWAPFILE_CLUSTER == 0) {
			swap_excess_end(&move);
			cond_resched();
			if (!swap_memcg_may_have(slot, memcgs)) {
				offset += SWAPFILE_CLUSTER - 1;
				continue;
			}
		}
		word = swap_desc_read(slot);
		tier = swap_desc_tier(word);
		if (tier >= 0 && swap_excess_has(&move, slot, tier) &&
		    swap_excess_slot(&move, slot, word) == -EBUSY)
			again = true;
	}
	swap_excess_end(&move);
	/* Who looks next must not find it where it was. */
	swap_excess_wait(&move);
	/* A frozen queue keeps it for after that. */
	if (swap_move_freezing())
		swap_move_queue(work);
	swap_excess_delay = again ? clamp(2 * swap_excess_delay, HZ, 16UL * HZ) : 0;
	if (again)
		queue_delayed_work(swap_move_wq, &swap_excess_again, swap_excess_delay);
}

static void swap_excess_again_fn(struct work_struct *work)
{
	queue_work(swap_move_wq, &swap_excess_work);
}

/*
 * States
 */

static void swap_tier_drain_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(to_delayed_work(work), struct swap_tier,
					      drain_work);
	unsigned long moved = 0;
	struct swap_move move = {
		.si	= tier->si,
		.tiers	= SWAP_TIERS_ALL & ~swap_tier_bit(tier),
		.want	= ULONG_MAX,
		.moved	= &moved,
		.stop	= &tier->drain_stop,
	};

	if (!swap_abs_used() || !percpu_counter_sum(&tier->used)) {
		swap_promise_cancel();
		return;
	}
	mutex_lock(&tier->move_lock);
	if (swap_tiers_have_room(move.tiers))
		swap_move_some(&move);
	mutex_unlock(&tier->move_lock);
	/* What can't be read will not be soon; what was locked, or had no room, may. */
	if (moved)
		tier->drain_delay = 1;
	else
		tier->drain_delay = clamp(2 * tier->drain_delay, HZ, 64UL * HZ);
	if (!READ_ONCE(tier->drain_stop))
		queue_delayed_work(swap_move_wq, &tier->drain_work, tier->drain_delay);
}

/**
 * swap_tier_init_moves - what this file has of a tier
 * @tier: a new tier
 */
void swap_tier_init_moves(struct swap_tier *tier)
{
	swap_tier_init_state(tier);
	mutex_init(&tier->move_lock);
	INIT_WORK(&tier->demote_work, swap_tier_demote_work);
	INIT_DELAYED_WORK(&tier->drain_work, swap_tier_drain_work);
	INIT_WORK(&tier->compact_work, swap_tier_compact_work);
	tier->demote_after = jiffies;
	tier->compact_after = jiffies;
	tier->watermark[SWAP_WMARK_HIGH] = 90;
	tier->watermark[SWAP_WMARK_LOW] = 80;
}

/**
 * swap_tier_stop_moves - wait for the movers in the background
 * @tier: the tier of a device that is on its way out, or draining
 *
 * Context: process context, sleeps.
 */
void swap_tier_stop_moves(struct swap_tier *tier)
{
	cancel_work_sync(&tier->fail_work);
	cancel_work_sync(&tier->demote_work);
	cancel_work_sync(&tier->compact_work);
	cancel_delayed_work_sync(&tier->drain_work);
}

static int __init swap_move_init(void)
{
	/* Frozen while there is a hibernation image, as it writes to devices. */
	INIT_WORK(&swap_excess_work, swap_excess_work_fn);
	swap_move_wq = alloc_workqueue("swap_abs_move", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return swap_move_wq ? 0 : -ENOMEM;
}
subsys_initcall(swap_move_init);
