// SPDX-License-Identifier: GPL-2.0
/*
 * The states of a tier, and the transitions between them, which are drawn in
 * Documentation/mm/swap-abs-tiers.rst ("States").
 *
 * An online tier takes data. In the states closed, draining and failed, the
 * device has no SWP_WRITEOK, and total_swap_pages and nr_swap_pages do not
 * include its pages. drain_work, which runs in the background, moves the data
 * of a tier that is draining or has failed to other tiers. swapoff finds only
 * devices that are in use, so it opens such a tier first. The administrator
 * sees a new tier as "online" and one that swapoff empties as "draining".
 *
 * swap_tier_write_state() warns of a transition that is not drawn.
 * swap_abs_mutex protects the state, which is written after the device has lost
 * SWP_WRITEOK, and before it gets it back. swap_state_mutex, which this file
 * holds around all that it does, protects the transitions from and to draining
 * and failed as a whole.
 *
 * A device fails after many I/O errors in a row over some time. It is opened
 * again later, because the cause of the errors may have gone.
 *
 * mm/swap_abs/sysfs.c and swapoff call this file. mm/swap_abs/tier.c, which
 * counts the errors, queues the work items.
 *
 * Locks: swap_state_mutex is outside of swap_abs_mutex, swap_tiers_lock and the
 * locks that closing a device takes. Opening a tier waits for no mover and no
 * I/O of the tier, because others wait for the mutex. Closing waits until
 * collection and demotion of the tier have ended (swap_tier_leave()).
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
 * The number of seconds after which a failed tier is used again, because the
 * cause, like a full filesystem or a link that was down, may have gone. The
 * delay doubles each time that the tier fails soon after it was opened again,
 * so that a broken device is not tried all the time. As a result, a tier is out
 * of use for at most about twice as long as the outage. Tests change the first
 * delay in debugfs.
 */
u32 swap_tier_reopen_delay = 5;
#define SWAP_TIER_REOPEN_MAX	600
/* A tier has failed "soon" if it was open for less than its delay plus this. */
#define SWAP_TIER_REOPEN_SOON	60

/* Protects drain_delay, reopen_delay and reopened of all tiers; see above. */
static DEFINE_MUTEX(swap_state_mutex);

/*
 * Let no new data go to the device, and start drain_work, which moves the data
 * that is there to other tiers.
 */
static int swap_tier_close(struct swap_tier *tier, enum swap_tier_state state)
{
	int err;

	lockdep_assert_held(&swap_state_mutex);
	if (!swap_tier_is_drained(tier)) {
		/* Fails before swapon is done, and after swapoff has begun. */
		err = swap_device_close(tier->si);
		if (err)
			return err;
	}
	/*
	 * Only now, so that a mover from before the tier was opened ends while
	 * closing waits, and does not go on with all data of the tier.
	 */
	if (tier->state != state) {
		mutex_lock(&swap_abs_mutex);
		swap_tier_write_state(tier, state);
		mutex_unlock(&swap_abs_mutex);
	}
	tier->drain_delay = 1;
	mod_delayed_work(swap_move_wq, &tier->drain_work, 0);
	return 0;
}

static void swap_tier_open(struct swap_tier *tier)
{
	lockdep_assert_held(&swap_state_mutex);
	if (!swap_tier_is_drained(tier))
		return;
	/*
	 * Do not wait for the mover, which ends by itself: it may wait for a
	 * device that hangs, and others wait for this mutex. If it queues its
	 * work once more, the work finds that it has nothing to do.
	 */
	cancel_delayed_work(&tier->drain_work);
	swap_tier_forget_errors(tier);
	/* This comes last, because swapoff may take the tier away after it. */
	swap_device_reopen(tier->si);
}

/*
 * Close the tier of a device and drain it (SWAP_TIER_DRAINING), or open it
 * again (SWAP_TIER_ONLINE). Sleeps. Return 0; -EBUSY while swapoff empties the
 * device or hibernation uses it; -ENOMEM when memory would be overcommitted
 * without the device; or -EINTR for a signal.
 */
int swap_tier_set_state(struct swap_tier *tier, enum swap_tier_state state)
{
	int err = 0;

	if (mutex_lock_interruptible(&swap_state_mutex))
		return -EINTR;
	if (state != SWAP_TIER_ONLINE)
		err = swap_tier_close(tier, state);
	else if (READ_ONCE(tier->state) == SWAP_TIER_CLOSED)
		err = -EBUSY;
	else
		swap_tier_open(tier);
	mutex_unlock(&swap_state_mutex);
	return err;
}

/* Find the tier of a device or swapfile by its mapping, or return NULL. */
static struct swap_tier *swap_tier_of(struct address_space *mapping)
{
	struct swap_tier *tier;

	lockdep_assert_held(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		if (tier->si->swap_file &&
		    tier->si->swap_file->f_mapping == mapping)
			return tier;
	return NULL;
}

/**
 * swap_tiers_open_file - open a drained or failed tier for swapoff
 * @mapping: the mapping of the device or swapfile
 * @state: out: the state of the tier until now; the caller passes it to
 *	swap_tiers_close_file() when swapoff fails
 *
 * swapoff only finds a device that is open, and closes it itself.
 *
 * Context: process context, sleeps.
 * Return: 0, or -EINTR when the task was killed while it waited for another
 * change of state.
 */
int swap_tiers_open_file(struct address_space *mapping,
			 enum swap_tier_state *state)
{
	struct swap_tier *tier;

	*state = SWAP_TIER_ONLINE;
	if (mutex_lock_killable(&swap_state_mutex))
		return -EINTR;
	spin_lock(&swap_tiers_lock);
	tier = swap_tier_of(mapping);
	if (tier && swap_tier_is_drained(tier))
		*state = tier->state;
	spin_unlock(&swap_tiers_lock);
	/* The tier can't go away: swapoff does not find a closed tier. */
	if (*state != SWAP_TIER_ONLINE)
		swap_tier_open(tier);
	mutex_unlock(&swap_state_mutex);
	return 0;
}

static void swap_tier_queue_reopen(struct swap_tier *tier)
{
	lockdep_assert_held(&swap_state_mutex);
	/*
	 * Not on a workqueue of the layer, because reopen_work waits for
	 * mutexes, whose holders wait for works on these workqueues.
	 */
	mod_delayed_work(system_freezable_wq, &tier->reopen_work,
			 tier->reopen_delay * HZ);
}

/**
 * swap_tiers_close_file - close a tier again after swapoff has failed
 * @mapping: the mapping of the device or swapfile, which is in use again
 * @state: the state that swap_tiers_open_file() has returned, which the tier
 *	gets again
 *
 * Context: process context, sleeps.
 */
void swap_tiers_close_file(struct address_space *mapping,
			   enum swap_tier_state state)
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
		/*
		 * The administrator may have closed the tier again. Otherwise
		 * reopen_work may have run during swapoff, and has done nothing
		 * then, because the tier had not failed.
		 */
		if (!swap_tier_is_drained(tier) &&
		    !swap_tier_close(tier, state) && state == SWAP_TIER_FAILED)
			swap_tier_queue_reopen(tier);
		put_swap_device(si);
	}
	mutex_unlock(&swap_state_mutex);
}

/* Schedule the opening of a tier that has failed. */
static void swap_tier_reopen_later(struct swap_tier *tier)
{
	unsigned int first = READ_ONCE(swap_tier_reopen_delay);
	unsigned int soon = tier->reopen_delay + SWAP_TIER_REOPEN_SOON;

	lockdep_assert_held(&swap_state_mutex);
	if (tier->reopen_delay &&
	    time_before(jiffies, tier->reopened + soon * HZ))
		tier->reopen_delay =
			min(2 * tier->reopen_delay, SWAP_TIER_REOPEN_MAX);
	else
		tier->reopen_delay = first;
	swap_tier_queue_reopen(tier);
}

static void swap_tier_fail_work(struct work_struct *work)
{
	struct swap_tier *tier =
		container_of(work, struct swap_tier, fail_work);

	mutex_lock(&swap_state_mutex);
	if (swap_tier_is_online(tier) && swap_tier_has_failed(tier) &&
	    !swap_tier_close(tier, SWAP_TIER_FAILED)) {
		swap_tier_reopen_later(tier);
		pr_alert("swap: swap%d has failed, what can be read is moved away; tried again in %u s\n",
			 tier->id, tier->reopen_delay);
	}
	mutex_unlock(&swap_state_mutex);
}

/*
 * Open a tier that has failed. If its device still gives errors, the tier fails
 * once more, and nothing is lost by that.
 */
static void swap_tier_reopen_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(to_delayed_work(work),
					      struct swap_tier, reopen_work);

	/*
	 * Do not wait, because the queue of this work gets frozen, and the
	 * holder of the mutex may wait for a work that is frozen already.
	 */
	if (!mutex_trylock(&swap_state_mutex)) {
		queue_delayed_work(system_freezable_wq, &tier->reopen_work, HZ);
		return;
	}
	if (READ_ONCE(tier->state) == SWAP_TIER_FAILED) {
		pr_info("swap: swap%d is tried again\n", tier->id);
		tier->reopened = jiffies;
		swap_tier_open(tier);
	}
	mutex_unlock(&swap_state_mutex);
	swap_vain_room_gained();
}

/* Initialize the work items of a new tier that change its state. */
void swap_tier_init_state(struct swap_tier *tier)
{
	INIT_WORK(&tier->fail_work, swap_tier_fail_work);
	INIT_DELAYED_WORK(&tier->reopen_work, swap_tier_reopen_work);
}
