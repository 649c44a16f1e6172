// SPDX-License-Identifier: GPL-2.0
/*
 * The states of a tier of the swap abstraction, and who changes them.
 *
 *	        by hand               many I/O errors
 *	  +----------------- online -------------------+
 *	  |                  ^    ^                    |
 *	  v      by hand,    |    |  by hand, swapoff, v
 *	draining ------------+    +------------------ failed
 *	         swapoff             after a while
 *
 * A tier that is draining or has failed is closed, as for swapoff: its device has no
 * SWP_WRITEOK, and its pages are in neither total_swap_pages nor nr_swap_pages. What is
 * there leaves it in the background (swap_tier.drain_work), and swapoff can't take it
 * before it is opened again. A device fails by many errors in a row over some time; it is
 * used again later, because what was in the way may be over.
 *
 * Called by mm/swap_abs/sysfs.c and swapoff. Its works are queued by mm/swap_abs/tier.c, which
 * counts the errors.
 *
 * Locks: swap_state_mutex, outside of swap_tiers_lock and of what closes a device. Who has
 * it waits for no mover and no I/O, because others wait for it.
 */
#include <linux/blkdev.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "slots.h"
#include "tier.h"

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

/* Serializes changes of state. */
static DEFINE_MUTEX(swap_state_mutex);

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
	WRITE_ONCE(tier->drain_stop, false);
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
	WRITE_ONCE(tier->drain_stop, true);
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
 * swap_tiers_open_file - take a tier that is drained back, for swapoff
 * @mapping: of the device or swapfile
 *
 * swapoff takes it out of use itself.
 *
 * @state: for the state that it had, for swap_tiers_close_file()
 *
 * Context: process context, sleeps.
 * Return: 0, or -EINTR for who is killed, while others wait for their devices.
 */
int swap_tiers_open_file(struct address_space *mapping, enum swap_tier_state *state)
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
 * swap_tiers_close_file - swapoff has failed: drain the tier as before
 * @mapping: of the device or swapfile, that is in use again
 * @state: what swap_tiers_open_file() has found
 *
 * Context: process context, sleeps.
 */
void swap_tiers_close_file(struct address_space *mapping, enum swap_tier_state state)
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
	swap_vain_room_gained();
}

/* The device may have put another block there. Frozen while there is a hibernation image. */
static void swap_tier_retry_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(to_delayed_work(work), struct swap_tier,
					      retry_work);

	swap_formats_call(forget_bad, tier);
	swap_vain_room_gained();
}

/**
 * swap_tier_init_state - what this file has of a tier
 * @tier: a new tier
 */
void swap_tier_init_state(struct swap_tier *tier)
{
	INIT_WORK(&tier->fail_work, swap_tier_fail_work);
	INIT_DELAYED_WORK(&tier->reopen_work, swap_tier_reopen_work);
	INIT_DELAYED_WORK(&tier->retry_work, swap_tier_retry_work);
}
