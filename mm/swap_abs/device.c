// SPDX-License-Identifier: GPL-2.0
/*
 * How tiers come and go. swapon creates the tier of a device and swapoff
 * destroys it, whether the layer is on or off, because data that was stored
 * while the layer was on can stay on the device after that. The tier of zswap
 * is created at boot.
 *
 *	swapon		swap_tier_create(), swap_tier_join(), swap_tier_ready()
 *	swapoff		swap_tier_leave(), swap_abs_empty(), then
 *			swap_tier_destroy(), or swap_tier_stay() and
 *			swap_tier_ready() if the device could not be emptied
 *
 * When a tier is drained or fails, swap_tier_leave() closes it, and
 * swap_tier_stay() and swap_tier_ready() open it again (mm/swap_abs/state.c).
 * This file owns this order of events. It passes the events on to all that keep
 * something for a tier: the formats, through their tables of operations, the
 * movers, sysfs and cgroups.
 *
 * The callers are mm/swapfile.c (swapon, swapoff, swap_device_close() and
 * swap_device_reopen()) and mm/swap_abs/switch.c. No other file of the layer
 * calls this one, so this one may call any of them.
 *
 * Locks: swap_abs_mutex serializes joining, leaving and switching.
 * swap_tiers_lock protects the list of tiers and is taken inside of it.
 */
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/percpu_counter.h>
#include <linux/plist.h>
#include <linux/swap.h>
#include <linux/workqueue.h>
#include "../swap.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

static void swap_tier_adopt(struct swap_tier *tier, bool adopt)
{
	lockdep_assert_held(&swap_abs_mutex);
	if (tier->adopted == adopt)
		return;
	tier->adopted = adopt;
	swap_device_adopt(tier->si, adopt);
}

/*
 * Before the layer is switched on (@adopt), count the free slots of all devices
 * as the layer can use them, and let the formats prepare for new data. After it
 * was switched off, count all free slots again, and let the formats write
 * nothing new. Process context, sleeps.
 */
void swap_tiers_adopt(bool adopt)
{
	struct swap_tier *tier;

	lockdep_assert_held(&swap_abs_mutex);
	/*
	 * Walk the swap types and not swap_tiers: this loop sleeps, so it can't
	 * hold swap_tiers_lock, and the order of swap_tiers changes whenever
	 * tiers of the same rank take turns.
	 */
	for (int type = 0; type < MAX_SWAPFILES; type++) {
		if (!READ_ONCE(swap_info[type]))
			break;
		tier = swap_info[type]->tier;
		if (!tier || !swap_tier_is_online(tier))
			continue;
		swap_tier_adopt(tier, adopt);
		if (adopt)
			swap_format_prepare(tier);
		else
			swap_formats_call(quiet, tier);
	}
}

/*
 * Let bad places of the device be used again, because the device may have
 * replaced the blocks. The workqueue is frozen while there is a hibernation
 * image, because no slot may become free then. So formats must not wait here
 * for works that are frozen, too.
 */
static void swap_tier_retry_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(to_delayed_work(work),
					      struct swap_tier, retry_work);

	swap_formats_call(forget_bad, tier);
	swap_vain_room_gained();
}

/**
 * swap_tier_create - create the tier of a device
 * @si: a device that swapon prepares and that is not in use yet
 *
 * Context: process context, sleeps.
 * Return: 0, or -ENOMEM.
 */
int swap_tier_create(struct swap_info_struct *si)
{
	struct swap_tier *tier = swap_tier_alloc();
	int err;

	if (!tier)
		return -ENOMEM;

	swap_tier_init_moves(tier);
	INIT_DELAYED_WORK(&tier->retry_work, swap_tier_retry_work);
	tier->si = si;
	tier->format = swap_format_for(si);
	err = swap_tier_set_id(tier);
	if (err)
		goto fail;
	err = swap_tier_sysfs_add(tier);
	if (err)
		goto fail_sysfs;

	mutex_lock(&swap_abs_mutex);
	si->nr_adopted = 0;
	si->nr_closed = 0;
	/* From here on, readers of the usage of swap look at the tier. */
	swap_device_set_tier(si, tier);
	mutex_unlock(&swap_abs_mutex);
	return 0;

fail:
	swap_tier_free(tier);
	return err;
fail_sysfs:
	kobject_put(&tier->kobj);
	return err;
}

/**
 * swap_tier_join - put the tier of a device on the list of tiers
 * @si: a device whose priority is set and that the caller enables next
 *
 * Context: process context, sleeps.
 */
void swap_tier_join(struct swap_info_struct *si)
{
	struct swap_tier *tier = si->tier;

	mutex_lock(&swap_abs_mutex);
	if (swap_abs_on)
		swap_tier_adopt(tier, true);
	swap_tier_write_state(tier, SWAP_TIER_ONLINE);
	plist_node_init(&tier->node, swap_tier_default_rank(si));
	spin_lock(&swap_tiers_lock);
	plist_add(&tier->node, &swap_tiers);
	spin_unlock(&swap_tiers_lock);
	swap_tiers_update();
	mutex_unlock(&swap_abs_mutex);
}

/**
 * swap_tier_ready - let the formats begin to work on a device
 * @si: a device that has been enabled, for the first time or again
 *
 * Context: process context, sleeps.
 */
void swap_tier_ready(struct swap_info_struct *si)
{
	mutex_lock(&swap_abs_mutex);
	/* Another task may have called swapoff for the device already. */
	if (si->tier && swap_tier_is_online(si->tier)) {
		if (swap_abs_on)
			swap_format_prepare(si->tier);
		else
			swap_formats_call(resume, si->tier);
	}
	swap_tiers_update();
	mutex_unlock(&swap_abs_mutex);
	swap_vain_device_came();
}

/**
 * swap_tier_leave - stop all work on a device that is about to be emptied
 * @si: a device that takes no new data, because its SWP_WRITEOK was cleared
 *
 * Context: process context, sleeps; waits for the I/O of collection and
 * demotion.
 */
void swap_tier_leave(struct swap_info_struct *si)
{
	mutex_lock(&swap_abs_mutex);
	swap_tier_write_state(si->tier, SWAP_TIER_CLOSED);
	mutex_unlock(&swap_abs_mutex);
	/*
	 * Collection ends because end_work() asks it to, and demotion because
	 * the tier is not online, but either may wait for a device that hangs.
	 * Wait for them without swap_abs_mutex, so that tasks that need the
	 * mutex do not wait for this device, too.
	 */
	swap_formats_call(end_work, si->tier);
	cancel_work_sync(&si->tier->demote_work);

	mutex_lock(&swap_abs_mutex);
	swap_formats_call(stop, si->tier);
	swap_tier_adopt(si->tier, false);
	swap_device_close_lent(si, true);
	mutex_unlock(&swap_abs_mutex);
}

/**
 * swap_tier_stay - take back swap_tier_leave()
 * @si: a device that is used again, because it could not be emptied or because
 *	its tier is online again; the caller enables it next
 *
 * Context: process context, sleeps.
 */
void swap_tier_stay(struct swap_info_struct *si)
{
	mutex_lock(&swap_abs_mutex);
	swap_device_close_lent(si, false);
	if (swap_abs_on)
		swap_tier_adopt(si->tier, true);
	swap_tier_write_state(si->tier, SWAP_TIER_ONLINE);
	mutex_unlock(&swap_abs_mutex);
}

/**
 * swap_tier_destroy - destroy the tier of a device
 * @si: a device that is empty and that nobody can get a reference to, or one
 *	that never was in use; nothing is done if it has no tier
 *
 * Context: process context, sleeps.
 */
void swap_tier_destroy(struct swap_info_struct *si)
{
	struct swap_tier *tier = si->tier;

	if (!tier)
		return;

	/* Remove the tier's files and wait for their readers and writers. */
	kobject_del(&tier->kobj);
	swap_tier_stop_moves(tier);
	/*
	 * For good, because the debugfs file "retry" may be about to queue
	 * them.
	 */
	disable_delayed_work_sync(&tier->retry_work);
	disable_delayed_work_sync(&tier->reopen_work);
	flush_work(&tier->release_work);

	/*
	 * Take the tier off the list before the formats free their data of it,
	 * because whoever finds the tier looks at that data.
	 */
	mutex_lock(&swap_abs_mutex);
	if (tier->state != SWAP_TIER_NEW) {
		spin_lock(&swap_tiers_lock);
		plist_del(&tier->node, &swap_tiers);
		spin_unlock(&swap_tiers_lock);
		swap_tiers_update();
	}
	swap_device_set_tier(si, NULL);
	WRITE_ONCE(si->nr_adopted, 0);
	WRITE_ONCE(si->nr_closed, 0);
	mutex_unlock(&swap_abs_mutex);

	swap_formats_call(free, tier);
	VM_WARN_ON_ONCE(atomic_long_read(&tier->nr_lent));
	VM_WARN_ON_ONCE(percpu_counter_sum(&tier->used));

	swap_memcg_forget(si->type);
	swap_promise_cancel();
	kobject_put(&tier->kobj);
}

static int __init swap_tier_init(void)
{
	struct swap_tier *tier;
	int err;

	if (!IS_ENABLED(CONFIG_ZSWAP))
		return 0;

	tier = swap_tier_alloc();
	if (!tier)
		return -ENOMEM;
	swap_tier_init_moves(tier);
	err = swap_tier_sysfs_add(tier);
	if (err) {
		kobject_put(&tier->kobj);
		return err;
	}
	mutex_lock(&swap_abs_mutex);
	swap_tier_write_state(tier, SWAP_TIER_ONLINE);
	mutex_unlock(&swap_abs_mutex);
	swap_zswap_tier = tier;
	return 0;
}
fs_initcall(swap_tier_init);
