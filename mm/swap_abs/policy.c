// SPDX-License-Identifier: GPL-2.0
/*
 * The policy of what data moves from one tier to another, and when.
 *
 * When a tier is fuller than its high watermark, its coldest data moves to
 * tiers of a greater rank in the background, until the tier is down to its low
 * watermark. So reclaim finds room in the tiers that it asks first. A page that
 * a fault reads soon after its eviction is stored anew by its next eviction, in
 * the first tier that has room (swap_mark_for_promotion()). The administrator
 * can move data down (file "demote"), up (file "promote"), and all of it away
 * (state "draining", mm/swap_abs/state.c). When a cgroup has more data in a
 * tier than its limit allows, the surplus moves to other tiers.
 *
 * mm/swap_abs/empty.c, mm/zswap.c and the formats move the data, and
 * mm/swap_abs/room.c knows where it may go. mm/swap_abs/sysfs.c and
 * mm/swap_abs/device.c call this file, and so do faults, through
 * swap_mark_for_promotion(). Other files queue its work items: when a tier has
 * filled up, when it is to be drained, and when a cgroup is above a limit.
 *
 * To hold: one mover at a time takes data off a device, because each mover
 * holds swap_tier.move_lock of the device's tier. Collection, which works
 * inside of one tier, and zswap's own writeback do not take this lock.
 *
 * Locks: swap_tier.move_lock, then folio locks and the locks inside of them.
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

/* Pages that demotion moves before it checks the watermark again. */
#define SWAP_DEMOTE_BATCH	(4UL * SWAPFILE_CLUSTER)

/*
 * Set a watermark, in percent of the tier's capacity, and start demotion if the
 * tier is above its high watermark now. Sleeps. Return 0, or -EINVAL when
 * @percent is more than 100 or the low watermark would be above the high one.
 */
int swap_tier_set_watermark(struct swap_tier *tier, enum swap_watermark which,
			    unsigned int percent)
{
	int err = 0;

	mutex_lock(&swap_abs_mutex);
	if (percent > 100 ||
	    (which == SWAP_WMARK_HIGH ?
		     percent < tier->watermark[SWAP_WMARK_LOW] :
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

/*
 * Do the work of swap_mark_for_promotion() once the layer has been switched on:
 * dirty the folio if a tier above the one with its copy has room.
 */
void swap_abs_mark_for_promotion(struct folio *folio)
{
	struct swap_tier *tier;
	swap_desc_t word;

	if (folio_test_large(folio) || !folio_test_swapcache(folio) ||
	    !folio_swap_is_virtual(folio))
		return;
	word = swap_desc_of(folio->swap);
	if (!swap_desc_on_device(word) || swap_copy_irreplaceable(folio))
		return;
	tier = swap_desc_to_tier(word);
	if (!swap_tiers_open(swap_tiers_of_folio(folio) &
				     READ_ONCE(tier->above),
			     SWAP_OPEN_BELOW_HIGH))
		return;
	/* The old copy stays until reclaim has stored the folio again. */
	folio_mark_dirty(folio);
}

/*
 * Demotion in the background
 */

static void swap_tier_demote_work(struct work_struct *work)
{
	struct swap_tier *tier =
		container_of(work, struct swap_tier, demote_work);
	unsigned long low, used, moved, sum = 0;
	struct swap_move move = {
		.si	= tier->si,
		.moved	= &moved,
		.state	= &tier->state,
		.states	= BIT(SWAP_TIER_ONLINE),
	};
	bool picked = false;

	/*
	 * Closing the tier waits for this work. So do not wait for another
	 * mover, which may wait for a device that hangs, once that has begun.
	 */
	while (!mutex_trylock(&tier->move_lock)) {
		if (!swap_tier_is_online(tier))
			return;
		if (swap_move_freezing())
			goto later;
		schedule_timeout_idle(HZ / 50);
	}
	do {
		moved = 0;
		low = swap_tier_watermark(tier, SWAP_WMARK_LOW);
		used = swap_tier_inuse(tier);
		move.tiers = READ_ONCE(tier->below);
		if (used <= low || !swap_tiers_open(move.tiers, SWAP_OPEN_ANY))
			break;
		if (!picked)
			swap_formats_call(choose_victims, tier, used - low);
		picked = true;
		/*
		 * A packed object takes less than a page of capacity, so more
		 * pages than this may have to go. The loop checks again.
		 */
		move.want = min(used - low, SWAP_DEMOTE_BATCH);
		swap_move_some(&move);
		sum += moved;
		cond_resched();
	} while (moved && swap_tier_is_online(tier) && !swap_move_freezing());
	swap_formats_call(unchoose, tier);
	swap_tier_demote_backoff(tier, sum);
	mutex_unlock(&tier->move_lock);
	if (!swap_move_freezing())
		return;
later:
	swap_move_queue(&tier->demote_work);
}

/*
 * Move at most @pages pages off a tier now, for the administrator: to tiers of
 * a smaller rank (@up) or of a greater one. tier->moved[@up] counts the pages
 * that have been moved and can be read while this runs. Sleeps.
 *
 * Return 0, also when the tier holds less than that or the other tiers became
 * full; -ENOSPC when none of the other tiers has room for a page; -EINTR for a
 * signal; -ENOMEM when there was no memory to move a single page.
 */
int swap_tier_move(struct swap_tier *tier, bool up, unsigned long pages)
{
	struct swap_move move = {
		.si	= tier->si,
		.tiers	= READ_ONCE(*(up ? &tier->above : &tier->below)),
		.want	= pages,
		.moved	= &tier->moved[up],
		.state	= &tier->state,
		.states	= BIT(SWAP_TIER_ONLINE),
	};
	unsigned long moved;
	int err;

	if (mutex_lock_interruptible(&tier->move_lock))
		return -EINTR;
	WRITE_ONCE(*move.moved, 0);
	if (!swap_tiers_open(move.tiers, SWAP_OPEN_ANY)) {
		err = -ENOSPC;
	} else if (!swap_abs_used()) {
		err = 0;
	} else if (!tier->si) {
		err = zswap_shrink_by(&move);
	} else {
		/*
		 * Wait for data that is just being moved to this tier, so that
		 * it can be moved on.
		 */
		swap_formats_call(settle);
		if (!up)
			swap_formats_call(choose_victims, tier,
					  min(pages, tier->si->pages));
		err = swap_move_some(&move);
		swap_formats_call(unchoose, tier);
	}
	/* Read it with the lock, because the next command sets it to 0. */
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

/*
 * Runs swap_excess_work again while there is an excess that could not be moved:
 * another mover worked on the device, a page was locked, or no tier has taken
 * it. The delay doubles each time that nothing was moved.
 */
static DECLARE_DELAYED_WORK(swap_excess_again, swap_excess_again_fn);
static unsigned long swap_excess_delay;

/*
 * Move the pages that were gathered of a device and release the device, so that
 * other movers can take data off it.
 */
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

/*
 * Begin to gather pages of a device. Return 0; -ENODEV when the device has
 * gone; or -EBUSY while another mover works on it, because that may take long.
 */
static int swap_excess_begin(struct swap_move *move,
			     struct swap_info_struct *si)
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

/*
 * Wait until objects that were moved from zswap have been written, because they
 * count as zswap's until then.
 */
static void swap_excess_wait(struct swap_move *move)
{
	if (move->nr_objects)
		swap_formats_call(settle);
	move->nr_objects = 0;
}

/*
 * Tell whether the cgroup of a slot has too much data in the tier, not counting
 * the pages that this mover has gathered but not moved yet.
 */
static bool swap_excess_has(struct swap_move *move, swp_entry_t slot, int tier)
{
	long gathered = move->nr_objects + move->nr_reading + move->nr_writing;

	if (swap_memcg_tiers_of(slot, 0) & BIT(tier))
		return false;
	if (!gathered || !(swap_memcg_tiers_of(slot, -gathered) & BIT(tier)))
		return true;
	/*
	 * The gathered pages may belong to other cgroups, or their move may
	 * fail. Finish their move first, and then compare again.
	 */
	if (move->si)
		swap_move_end(move);
	swap_excess_wait(move);
	return !(swap_memcg_tiers_of(slot, 0) & BIT(tier));
}

/* Move a slot's data out of the tier, in which its cgroup has too much. */
static void swap_excess_slot(struct swap_move *move, swp_entry_t slot,
			     swap_desc_t word)
{
	struct swap_info_struct *si;
	int err;

	if (swap_desc_tag(word) == SWAP_DESC_ZSWAP) {
		/*
		 * zswap may wait, also for memory. Submit the reads of gathered
		 * pages before that, so that a fault on one of them does not
		 * wait, too.
		 */
		swap_read_submit(&move->reads);
		err = zswap_writeback_slot(slot, word);
		if (!err) {
			move->nr_objects++;
			WRITE_ONCE(*move->moved, *move->moved + 1);
		} else if (err == -EEXIST) {
			swap_move_drop_cached(slot);
		}
		return;
	}
	/*
	 * A hint: the word may be garbage when its cluster is just being freed,
	 * so the swap type that it names may not exist.
	 */
	si = READ_ONCE(swap_info[swp_type(swap_desc_device_entry(word)) %
				 MAX_SWAPFILES]);
	if (si && !swap_is_virtual(si) && !swap_excess_begin(move, si))
		swap_move_slot(move, slot, NULL);
}

static void swap_excess_work_fn(struct work_struct *work)
{
	unsigned long offset, max, memcgs, moved = 0;
	struct swap_move move = {
		.excess	= true,
		.want	= LONG_MAX,
		.moved	= &moved,
	};
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
		if (tier >= 0 && swap_excess_has(&move, slot, tier))
			swap_excess_slot(&move, slot, word);
	}
	swap_excess_end(&move);
	/* Otherwise the next run would find these objects in zswap still. */
	swap_excess_wait(&move);
	/* The frozen workqueue keeps the work and runs it when it thaws. */
	if (swap_move_freezing())
		swap_move_queue(work);
	swap_excess_delay = moved ? HZ :
			    clamp(2 * swap_excess_delay, HZ, 64UL * HZ);
	if (swap_memcg_excess())
		queue_delayed_work(swap_move_wq, &swap_excess_again,
				   swap_excess_delay);
	else
		swap_excess_delay = 0;
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
	struct swap_tier *tier = container_of(to_delayed_work(work),
					      struct swap_tier, drain_work);
	unsigned long moved = 0;
	struct swap_move move = {
		.si	= tier->si,
		.tiers	= SWAP_TIERS_ALL & ~swap_tier_bit(tier),
		.want	= ULONG_MAX,
		.moved	= &moved,
		.state	= &tier->state,
		.states	= SWAP_TIER_STATES_DRAINED,
	};

	/* The tier may have been opened while this work was queued again. */
	if (!swap_tier_is_drained(tier))
		return;
	if (!swap_abs_used() || !percpu_counter_sum(&tier->used)) {
		swap_promise_cancel();
		return;
	}
	mutex_lock(&tier->move_lock);
	if (swap_tiers_open(move.tiers, SWAP_OPEN_ANY))
		swap_move_some(&move);
	mutex_unlock(&tier->move_lock);
	/*
	 * Try again, after a longer delay each time that nothing could be
	 * moved: a page that was locked or found no room may move then, but
	 * data that can't be read will not become readable soon.
	 */
	if (moved)
		tier->drain_delay = 1;
	else
		tier->drain_delay = clamp(2 * tier->drain_delay, HZ, 64UL * HZ);
	if (swap_tier_is_drained(tier))
		queue_delayed_work(swap_move_wq, &tier->drain_work,
				   tier->drain_delay);
}

/* Initialize the fields of a new tier that movers and states use. */
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

/*
 * Cancel the background movers of a tier that is being destroyed, and wait for
 * them. Sleeps.
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
	/*
	 * Freezable, because movers write to devices, which must not change
	 * while there is a hibernation image.
	 */
	INIT_WORK(&swap_excess_work, swap_excess_work_fn);
	swap_move_wq =
		alloc_workqueue("swap_abs_move", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return swap_move_wq ? 0 : -ENOMEM;
}
subsys_initcall(swap_move_init);
