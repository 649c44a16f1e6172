// SPDX-License-Identifier: GPL-2.0
/*
 * Moving the data of virtual slots off a device: all of it, for swapoff and for
 * a tier that is drained, or some of it, to other tiers by their rank.
 *
 * There is no map from a device's slots back to virtual slots. A format that
 * can find its data on the device by itself goes first: it moves the oldest
 * data first, and as it is if another device takes it so
 * (swap_format.move_out()). For the rest of the data this file scans the
 * descriptors, eight bytes a slot. It looks at no page table. The pages that it
 * finds are moved by way of folios (mm/swap_abs/move.c).
 *
 * A struct swap_move says what is to be moved, and where to. The callers are
 * swapoff in mm/swapfile.c, after the device has been closed for new data,
 * mm/swap_abs/policy.c and mm/swap_abs/compact.c.
 *
 * Locks: swap_tier.move_lock, which is outside of all other locks of the layer
 * but swap_state_mutex.
 */
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../internal.h"
#include "../swap.h"
#include "move.h"
#include "slots.h"
#include "tier.h"

static bool swap_empty_is_on(swap_desc_t word, struct swap_info_struct *si)
{
	return swap_desc_tier(word) == si->type;
}

static bool swap_empty_is_victim(swap_desc_t word)
{
	const struct swap_backend *backend = swap_backend_of(word);

	return backend && backend->is_victim && backend->is_victim(word);
}

static const struct swap_move_ops swap_empty_ops = {
	.slot	= swap_move_slot,
	.settle	= swap_move_settle,
	.end	= swap_move_end,
};

/*
 * Let each format move the data that it can find without a scan of descriptors.
 */
static int swap_empty_formats(struct swap_move *move)
{
	const struct swap_format *const *pos;
	int err = 0;

	move->ops = &swap_empty_ops;
	for (pos = swap_formats; *pos; pos++) {
		if ((*pos)->move_out)
			err = (*pos)->move_out(move);
		if (err)
			break;
	}
	return err;
}

/*
 * Look at all descriptors once, and move the data that is on the device, or
 * with @old only the data in its victims. The scan begins where the last one
 * ended.
 */
static int swap_empty_scan(struct swap_move *move, bool old)
{
	unsigned long i, max = READ_ONCE(swap_virtual_area->max);
	struct swap_info_struct *si = move->si;
	struct swap_tier *tier = si->tier;
	struct blk_plug plug;
	swp_entry_t entry;
	swap_desc_t word;
	int err = 0, ret;

	blk_start_plug(&plug);
	for (i = 0; i < max && !err; i++) {
		tier->scan_pos = tier->scan_pos + 1 < max ? tier->scan_pos + 1 :
							    0;
		entry = swp_entry(swap_virtual_area->type, tier->scan_pos);
		word = swap_desc_read(entry);
		if (swap_empty_is_on(word, si) &&
		    (!old || swap_empty_is_victim(word))) {
			err = swap_move_slot(move, entry, NULL);
			if (!err && swap_move_stopped(move))
				err = -EINTR;
			cond_resched();
		} else if (tier->scan_pos % SWAPFILE_CLUSTER == 0) {
			/* A fault may wait for a page that was found before. */
			swap_read_submit(&move->reads);
			if (swap_move_stopped(move))
				err = -EINTR;
			cond_resched();
		}
	}
	ret = swap_move_end(move);
	blk_finish_plug(&plug);
	return err && err != -EINTR ? err : ret ? ret : err;
}

/*
 * Move data of a device to other tiers, but not to RAM: first the data that
 * formats find by themselves, then the pages in victims, if there are any, and
 * then the other data in the order of slots, from where the last call ended.
 * Once all victims have been looked at, they are no victims any more. Sleeps.
 *
 * Return 0 when all data has been looked at once, -EINTR when the move was
 * stopped or has moved as much as was wanted, -ENOSPC when there was no room,
 * or -ENOMEM when there was no memory.
 */
int swap_move_some(struct swap_move *move)
{
	struct swap_tier *tier = move->si->tier;
	int err;

	lockdep_assert_held(&tier->move_lock);
	lru_add_drain_all();
	err = swap_empty_formats(move);
	if (!err && !list_empty_careful(&tier->victims)) {
		err = swap_empty_scan(move, true);
		if (!err)
			swap_formats_call(unchoose, tier);
	}
	if (!err)
		err = swap_empty_scan(move, false);
	return err;
}

/* Move the pages in victims, but not to RAM. Sleeps. */
void swap_move_victims(struct swap_move *move)
{
	lockdep_assert_held(&move->si->tier->move_lock);
	lru_add_drain_all();
	swap_empty_scan(move, true);
}

/**
 * swap_abs_empty - move all data of virtual slots off a device
 * @si: the device; swap_tier_leave() has been called, so that nobody stores new
 *	data there
 *
 * After an error the device can still be used. The only data that is lost is
 * that of pages which could not be read.
 *
 * Context: process context. Sleeps, and takes swap_tier.move_lock and folio
 * locks.
 * Return: 0 when no descriptor points to the device any more and all lent
 * clusters have been returned, -EINTR for a signal, or -ENOMEM when there is no
 * room for the data elsewhere.
 */
int swap_abs_empty(struct swap_info_struct *si)
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

	/* Other movers of the tier stop soon, because it is closed. */
	if (mutex_lock_interruptible(&tier->move_lock))
		return -EINTR;
	lru_add_drain_all();
	err = swap_empty_formats(&move);
	/*
	 * Scan again while slots are in use, because a store may have taken
	 * slots that it had not installed in descriptors when the scan came by.
	 */
	while (!err && percpu_counter_sum(&tier->used)) {
		err = swap_empty_scan(&move, false);
		if (!err && percpu_counter_sum(&tier->used))
			schedule_timeout_interruptible(1);
		if (!err && signal_pending(current))
			err = -EINTR;
	}
	mutex_unlock(&tier->move_lock);
	if (err)
		return err;

	swap_formats_call(forget_bad, tier);
	while (atomic_long_read(&tier->nr_lent)) {
		queue_work(swap_abs_wq, &tier->release_work);
		flush_work(&tier->release_work);
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
