// SPDX-License-Identifier: GPL-2.0
/*
 * What goes from one tier of the swap abstraction to another, and when.
 *
 * The coldest data of a tier sinks to the tiers of a greater rank, in the
 * background, when the tier is fuller than its high watermark, until it is down to
 * the low one; so reclaim finds room in front. What comes back soon after it was
 * evicted is stored anew by its next eviction, in the first tier that has room
 * (swap_promote()). By hand, data is moved down (demote) or up (promote), and all
 * of it away (state: draining). A device with many I/O errors in a row takes nothing
 * new, and is drained as far as it can be read (failed).
 *
 * This file owns that policy and the states of tiers; how data is moved is in
 * mm/swap_abs/empty.c, mm/swap_abs/collect.c and mm/zswap.c. It is called by the backends
 * when a tier has filled or an I/O has failed, by mm/swap_abs/sysfs.c and by swapoff.
 *
 * To hold: a tier that is draining or has failed is closed, as for swapoff: its
 * device has no SWP_WRITEOK, and its pages are in neither total_swap_pages nor
 * nr_swap_pages. One mover at a time works on a tier.
 *
 * Locks, outer first: swap_state_mutex (states), swap_tier.move_lock, then folio
 * locks and what is inside of them. A background mover never waits for
 * swap_state_mutex, so that who holds it may wait for the mover.
 */
#include <linux/blkdev.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "formats.h"
#include "memcg.h"
#include "move.h"
#include "slots.h"
#include "tier.h"

/*
 * I/O errors without a success in between, after which a device is not trusted. Tests
 * of what happens with a device that is used on change it, in debugfs.
 */
u32 swap_tier_max_errors = 32;

/* And the time for which there has been none, so that it is not one outage. */
#define SWAP_TIER_FAIL_TIME	(5 * HZ)

/*
 * After how many seconds a tier that has failed is used again: what was in the way, a full
 * filesystem or a link that was down, may be over. The delay doubles with each time that the
 * tier fails soon after that, so that a broken device is not tried all the time, and an
 * outage lasts twice as long here as it did, at most. Tests change the first, in debugfs.
 */
u32 swap_tier_reopen_delay = 5;
#define SWAP_TIER_REOPEN_MAX	600
/* It has failed soon if it was in use for less than its delay and this, in seconds. */
#define SWAP_TIER_REOPEN_SOON	60

/* Pages moved before the watermark is looked at again. */
#define SWAP_DEMOTE_BATCH	(4UL * SWAPFILE_CLUSTER)

/* Serializes changes of state. */
static DEFINE_MUTEX(swap_state_mutex);

/* Movers wait for memory and for I/O: on no workqueue that reclaim waits for. */
static struct workqueue_struct *swap_move_wq;

/**
 * swap_move_queue - let a mover run in the background
 * @work: of the mover
 *
 * Context: any.
 */
void swap_move_queue(struct work_struct *work)
{
	if (swap_move_wq)
		queue_work(swap_move_wq, work);
}

/*
 * Pages of RAM, or of the device's capacity, that the tier takes, roughly. Dead space is
 * not among them: it is collected before anything is demoted for it.
 */
static unsigned long swap_tier_used(struct swap_tier *tier)
{
	long used;

	if (!tier->si)
		return zswap_total_pages();
	/* data_race(): roughly is enough. */
	used = data_race(percpu_counter_read(&tier->used)) + swap_packed_excess(tier);
	return max(used, 0);
}

/**
 * swap_tier_watermark - a watermark in pages
 * @tier: the tier
 * @which: which one
 *
 * Context: any.
 * Return: pages that may be used at that mark.
 */
unsigned long swap_tier_watermark(struct swap_tier *tier, enum swap_watermark which)
{
	unsigned long capacity = tier->si ? tier->si->pages - READ_ONCE(tier->hidden) :
					    zswap_capacity();

	return capacity / 100 * READ_ONCE(tier->watermark[which]) +
	       capacity % 100 * READ_ONCE(tier->watermark[which]) / 100;
}

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
		swap_tier_filled(tier);
	return err;
}

/* The tiers that are asked before (@up) or after this one, and are open. */
static unsigned long swap_tiers_beside(struct swap_tier *tier, bool up)
{
	unsigned long tiers = up && tier->si ? SWAP_TIER_ZSWAP : 0;
	struct swap_tier *pos;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node)
		if (!READ_ONCE(pos->draining) &&
		    (up ? pos->node.prio < tier->node.prio : pos->node.prio > tier->node.prio))
			tiers |= swap_tier_bit(pos);
	spin_unlock(&swap_tiers_lock);
	return tiers;
}

/**
 * swap_tiers_have_room - does one of some tiers have room?
 * @tiers: mask
 *
 * Context: process context, does not sleep.
 * Return: true when it seems so.
 */
bool swap_tiers_have_room(unsigned long tiers)
{
	struct swap_tier *pos;
	bool room = (tiers & SWAP_TIER_ZSWAP) && zswap_room() > 0;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node) {
		if (room)
			break;
		room = (tiers & swap_tier_bit(pos)) && swap_tier_has_room(pos);
	}
	spin_unlock(&swap_tiers_lock);
	return room;
}

/**
 * swap_tiers_have_slots - has a device slots for pages as they are?
 *
 * Context: process context, does not sleep.
 * Return: true when it seems so.
 */
bool swap_tiers_have_slots(void)
{
	struct swap_tier *tier;
	bool have = false;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		have |= !READ_ONCE(tier->draining) && swap_raw_has_room(tier);
	spin_unlock(&swap_tiers_lock);
	return have;
}

/**
 * swap_zswap_has_room - can zswap take more, and keep it?
 *
 * Above its high watermark it would only demote something else.
 *
 * Context: process context, does not sleep.
 * Return: true when it seems so.
 */
bool swap_zswap_has_room(void)
{
	return zswap_room() > 0 &&
	       zswap_total_pages() < swap_tier_watermark(swap_zswap_tier, SWAP_WMARK_HIGH);
}

/**
 * swap_tier_has_upper - can a tier of a smaller rank take more?
 * @tier: the tier of a device
 * @tiers: mask of those that may
 *
 * And keep it, as swap_zswap_has_room().
 *
 * Context: process context, does not sleep.
 * Return: true when there is one.
 */
bool swap_tier_has_upper(struct swap_tier *tier, unsigned long tiers)
{
	struct swap_tier *pos;
	bool room = false;

	/* Without a lock, where that is what there is. */
	if ((tiers & SWAP_TIER_ZSWAP) && swap_zswap_has_room())
		return true;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node) {
		if (room || pos->node.prio >= tier->node.prio)
			break;
		room = (tiers & swap_tier_bit(pos)) && swap_tier_has_room(pos) &&
		       swap_tier_used(pos) < swap_tier_watermark(pos, SWAP_WMARK_HIGH);
	}
	spin_unlock(&swap_tiers_lock);
	return room;
}

/**
 * swap_tiers_of_folio - where may a folio be stored now?
 * @folio: a locked folio in the swap cache
 *
 * By the limits of its cgroup, as far as they are known without waiting.
 *
 * Context: process context, does not sleep.
 * Return: mask of tiers, whether they have room or not.
 */
unsigned long swap_tiers_of_folio(struct folio *folio)
{
	unsigned long tiers = swap_memcg_tiers_of(folio->swap, folio_nr_pages(folio));

	rcu_read_lock();
	if (!mem_cgroup_may_zswap(folio_memcg(folio)) ||
	    swap_memcg_zswap_crowds(folio_memcg(folio)))
		tiers &= ~SWAP_TIER_ZSWAP;
	rcu_read_unlock();
	if (!folio_zswap_writeback_enabled(folio))
		tiers &= SWAP_TIER_ZSWAP;
	return tiers;
}

/* The rest of swap_promote(). */
void swap_abs_promote(struct folio *folio)
{
	unsigned long word;

	if (folio_test_large(folio) || !folio_test_swapcache(folio) ||
	    !folio_swap_is_virtual(folio))
		return;
	word = swap_abs_word(folio->swap);
	if (!swap_desc_on_device(word) || __swap_folio_copy_is_last(folio) ||
	    !swap_tier_has_upper(__swap_entry_to_info(swap_desc_device_entry(word))->tier,
				 swap_tiers_of_folio(folio)))
		return;
	/* The copy stays until the next one has been stored. */
	folio_mark_dirty(folio);
}

/*
 * Demotion in the background
 */

/**
 * swap_tier_filled - more has been stored in a tier
 * @tier: the tier
 *
 * Context: any but interrupts, also with locks held.
 */
void swap_tier_filled(struct swap_tier *tier)
{
	if (swap_tier_used(tier) <= swap_tier_watermark(tier, SWAP_WMARK_HIGH) ||
	    time_before(jiffies, READ_ONCE(tier->demote_after)) || READ_ONCE(tier->draining))
		return;
	if (!tier->si)
		zswap_demote_wanted();
	else
		swap_move_queue(&tier->demote_work);
}

/**
 * swap_tier_demoted - demotion in the background has done what it could
 * @tier: the tier
 * @moved: has it moved anything?
 *
 * Where it is still too full, there was no room below, or nothing to be moved: that
 * is not tried again at once, nor soon, as it may have to look at every descriptor.
 */
void swap_tier_demoted(struct swap_tier *tier, bool moved)
{
	if (swap_tier_used(tier) <= swap_tier_watermark(tier, SWAP_WMARK_HIGH)) {
		tier->demote_delay = 0;
		return;
	}
	tier->demote_delay = moved ? HZ : clamp(2 * tier->demote_delay, HZ, 16UL * HZ);
	WRITE_ONCE(tier->demote_after, jiffies + tier->demote_delay);
}

static void swap_tier_demote_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(work, struct swap_tier, demote_work);
	unsigned long low, used, moved, sum = 0;
	struct swap_move move = {
		.si	= tier->si,
		.moved	= &moved,
		.stop	= &tier->draining,
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
			swap_raw_pick_old(tier, used - low);
		picked = true;
		/* Of packed pages it takes more, but how many is not known. */
		move.want = min(used - low, SWAP_DEMOTE_BATCH);
		swap_move_some(&move);
		sum += moved;
		cond_resched();
	} while (moved && !READ_ONCE(tier->draining) && !swap_move_freezing());
	swap_raw_unpick_old(tier);
	swap_tier_demoted(tier, sum);
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
		.stop	= &tier->draining,
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
		err = zswap_demote(&move);
	} else {
		/* What is on its way here can go on from here. */
		swap_packed_wait_moved();
		if (!up)
			swap_raw_pick_old(tier, min(pages, tier->si->pages));
		err = swap_move_some(&move);
		swap_raw_unpick_old(tier);
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

/* Has its cgroup too much in a slot's tier, apart from what has been gathered? */
static bool swap_excess_has(struct swap_move *move, swp_entry_t slot, int tier)
{
	long gathered = move->si ? move->nr_reading + move->nr_writing : 0;

	if (swap_memcg_tiers_of(slot, 0) & BIT(tier))
		return false;
	if (!gathered || !(swap_memcg_tiers_of(slot, -gathered) & BIT(tier)))
		return true;
	/* It may be the others', or not work: that is known when they have gone. */
	swap_move_end(move);
	return !(swap_memcg_tiers_of(slot, 0) & BIT(tier));
}

/* Move a slot's data out of the tier that its cgroup has too much in. */
static int swap_excess_slot(struct swap_move *move, swp_entry_t slot, unsigned long word)
{
	struct swap_info_struct *si;
	int err;

	if (swap_desc_tag(word) == SWAP_DESC_ZSWAP) {
		/* It may wait, for memory too; who waits for a page that was gathered must not. */
		swap_read_submit(&move->reads);
		zswap_move_slot(slot, word);
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
	unsigned long offset, max, word, memcgs, moved = 0;
	struct swap_move move = { .want = LONG_MAX, .moved = &moved };
	bool again = false;
	swp_entry_t slot;
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
		word = swap_abs_word(slot);
		tier = swap_desc_tier(word);
		if (tier >= 0 && swap_excess_has(&move, slot, tier) &&
		    swap_excess_slot(&move, slot, word) == -EBUSY)
			again = true;
	}
	swap_excess_end(&move);
	/* A frozen queue keeps it for after that. */
	if (swap_move_freezing())
		swap_move_queue(work);
	swap_excess_delay = again ? clamp(2 * swap_excess_delay, HZ, 16UL * HZ) : 0;
	if (again)
		queue_delayed_work(swap_move_wq, &swap_excess_again, swap_excess_delay);
}

static DECLARE_WORK(swap_excess_work, swap_excess_work_fn);

static void swap_excess_again_fn(struct work_struct *work)
{
	queue_work(swap_move_wq, &swap_excess_work);
}

/**
 * swap_tiers_excess - cgroups have more in a tier than they may
 *
 * It is moved to tiers that they may use, if there is room, in the order of slots.
 *
 * Context: any, also with a virtual cluster locked and interrupts off.
 */
void swap_tiers_excess(void)
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
		.stop	= &tier->stop,
	};

	if (!swap_abs_used() || !percpu_counter_sum(&tier->used)) {
		swap_abs_cancel_promises();
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
	if (!READ_ONCE(tier->stop))
		queue_delayed_work(swap_move_wq, &tier->drain_work, tier->drain_delay);
}

/* Nothing new goes to the device, and what is there leaves it. */
static int swap_tier_close(struct swap_tier *tier, enum swap_tier_state state)
{
	int err;

	lockdep_assert_held(&swap_state_mutex);
	if (tier->state == SWAP_TIER_ONLINE) {
		err = swap_device_close(tier->si);
		if (err)
			return err;
	}
	WRITE_ONCE(tier->state, state);
	WRITE_ONCE(tier->stop, false);
	tier->drain_delay = 1;
	mod_delayed_work(swap_move_wq, &tier->drain_work, 0);
	return 0;
}

static void swap_tier_open(struct swap_tier *tier)
{
	lockdep_assert_held(&swap_state_mutex);
	if (tier->state == SWAP_TIER_ONLINE)
		return;
	/*
	 * The mover ends by itself. It is not waited for, because it may wait for a device
	 * that hangs, and who has this mutex keeps others waiting.
	 */
	WRITE_ONCE(tier->stop, true);
	cancel_delayed_work(&tier->drain_work);
	atomic_set(&tier->io_errors, 0);
	WRITE_ONCE(tier->state, SWAP_TIER_ONLINE);
	/* Last: from here on, swapoff may take the tier away. */
	swap_device_reopen(tier->si);
}

/**
 * swap_tier_set_state - drain a tier, or take it back
 * @tier: the tier of a device
 * @state: SWAP_TIER_DRAINING or SWAP_TIER_ONLINE
 *
 * Context: process context, sleeps.
 * Return: 0; -EBUSY while swapoff empties the device or hibernation has it, -ENOMEM
 * when memory would be overcommitted without it.
 */
int swap_tier_set_state(struct swap_tier *tier, enum swap_tier_state state)
{
	int err = 0;

	if (mutex_lock_interruptible(&swap_state_mutex))
		return -EINTR;
	if (state == SWAP_TIER_ONLINE)
		swap_tier_open(tier);
	else
		err = swap_tier_close(tier, state);
	mutex_unlock(&swap_state_mutex);
	return err;
}

/* The tier of a device or swapfile that is in use, or NULL. */
static struct swap_tier *swap_tier_of(struct address_space *mapping)
{
	struct swap_tier *tier;

	lockdep_assert_held(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		if (tier->si->swap_file && tier->si->swap_file->f_mapping == mapping)
			return tier;
	return NULL;
}

/**
 * swap_tiers_open_device - take a tier that is drained back, for swapoff
 * @mapping: of the device or swapfile
 *
 * swapoff takes it out of use itself.
 *
 * @state: for the state that it had, for swap_tiers_close_device()
 *
 * Context: process context, sleeps.
 * Return: 0, or -EINTR for who is killed, while others wait for their devices.
 */
int swap_tiers_open_device(struct address_space *mapping, enum swap_tier_state *state)
{
	struct swap_tier *tier;

	*state = SWAP_TIER_ONLINE;
	if (mutex_lock_killable(&swap_state_mutex))
		return -EINTR;
	spin_lock(&swap_tiers_lock);
	tier = swap_tier_of(mapping);
	if (tier)
		*state = tier->state;
	spin_unlock(&swap_tiers_lock);
	/* While it is closed, swapoff can't take it away. */
	if (*state != SWAP_TIER_ONLINE)
		swap_tier_open(tier);
	mutex_unlock(&swap_state_mutex);
	return 0;
}

static void swap_tier_queue_reopen(struct swap_tier *tier)
{
	lockdep_assert_held(&swap_state_mutex);
	/* As swap_tier.retry_work: it waits for others. */
	mod_delayed_work(system_freezable_wq, &tier->reopen_work, tier->reopen_delay * HZ);
}

/**
 * swap_tiers_close_device - swapoff has failed: drain the tier as before
 * @mapping: of the device or swapfile, that is in use again
 * @state: what swap_tiers_open_device() has found
 *
 * Context: process context, sleeps.
 */
void swap_tiers_close_device(struct address_space *mapping, enum swap_tier_state state)
{
	struct swap_info_struct *si;
	struct swap_tier *tier;

	if (state == SWAP_TIER_ONLINE)
		return;
	mutex_lock(&swap_state_mutex);
	spin_lock(&swap_tiers_lock);
	tier = swap_tier_of(mapping);
	if (tier && !swap_device_tryget(tier->si))
		tier = NULL;
	spin_unlock(&swap_tiers_lock);
	if (tier) {
		si = tier->si;
		/* The time when it was to be tried again may have passed meanwhile. */
		if (!swap_tier_close(tier, state) && state == SWAP_TIER_FAILED)
			swap_tier_queue_reopen(tier);
		put_swap_device(si);
	}
	mutex_unlock(&swap_state_mutex);
}

/* Nothing but errors, and for some time: not one that is over when it is tried again. */
static bool swap_tier_has_failed(struct swap_tier *tier)
{
	return atomic_read(&tier->io_errors) >= READ_ONCE(swap_tier_max_errors) &&
	       time_after_eq(jiffies, READ_ONCE(tier->first_error) + SWAP_TIER_FAIL_TIME);
}

/* Have a tier that has failed used again later. */
static void swap_tier_reopen_later(struct swap_tier *tier)
{
	unsigned int first = READ_ONCE(swap_tier_reopen_delay);
	unsigned int soon = tier->reopen_delay + SWAP_TIER_REOPEN_SOON;

	lockdep_assert_held(&swap_state_mutex);
	if (tier->reopen_delay && time_before(jiffies, tier->reopened + soon * HZ))
		tier->reopen_delay = min(2 * tier->reopen_delay, SWAP_TIER_REOPEN_MAX);
	else
		tier->reopen_delay = first;
	swap_tier_queue_reopen(tier);
}

static void swap_tier_fail_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(work, struct swap_tier, fail_work);

	mutex_lock(&swap_state_mutex);
	if (tier->state == SWAP_TIER_ONLINE && swap_tier_has_failed(tier) &&
	    !swap_tier_close(tier, SWAP_TIER_FAILED)) {
		swap_tier_reopen_later(tier);
		pr_alert("swap: swap%d has failed, what can be read is moved away; tried again in %u s\n",
			 tier->id, tier->reopen_delay);
	}
	mutex_unlock(&swap_state_mutex);
}

/* Use a tier again that has failed. If it must, it fails once more; nothing is lost by that. */
static void swap_tier_reopen_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(to_delayed_work(work), struct swap_tier,
					      reopen_work);

	mutex_lock(&swap_state_mutex);
	if (tier->state == SWAP_TIER_FAILED) {
		pr_info("swap: swap%d is tried again\n", tier->id);
		tier->reopened = jiffies;
		swap_tier_open(tier);
	}
	mutex_unlock(&swap_state_mutex);
	swap_abs_room_gained();
}

/**
 * swap_tier_io_done - an I/O of a tier has ended
 * @tier: the tier
 * @failed: how
 *
 * Context: any, also interrupts.
 */
void swap_tier_io_done(struct swap_tier *tier, bool failed)
{
	if (!failed) {
		if (unlikely(atomic_read(&tier->io_errors)))
			atomic_set(&tier->io_errors, 0);
		return;
	}
	/*
	 * What needs no I/O fails for want of room, which may be had again. data_race(): the
	 * flag does not change while the device is in use.
	 */
	if (data_race(tier->si->flags & SWP_SYNCHRONOUS_IO))
		return;
	if (atomic_inc_return(&tier->io_errors) == 1)
		WRITE_ONCE(tier->first_error, jiffies);
	if (swap_tier_has_failed(tier) && READ_ONCE(tier->state) == SWAP_TIER_ONLINE) {
		/* It waits for what is frozen for hibernation, so it must not be frozen. */
		queue_work(system_dfl_wq, &tier->fail_work);
	}
}

/**
 * swap_tier_init_moves - what this file has of a tier
 * @tier: a new tier
 */
void swap_tier_init_moves(struct swap_tier *tier)
{
	mutex_init(&tier->move_lock);
	INIT_WORK(&tier->demote_work, swap_tier_demote_work);
	INIT_DELAYED_WORK(&tier->drain_work, swap_tier_drain_work);
	INIT_WORK(&tier->fail_work, swap_tier_fail_work);
	INIT_DELAYED_WORK(&tier->reopen_work, swap_tier_reopen_work);
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
	swap_move_wq = alloc_workqueue("swap_abs_move", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return swap_move_wq ? 0 : -ENOMEM;
}
subsys_initcall(swap_move_init);
