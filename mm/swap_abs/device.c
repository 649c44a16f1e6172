// SPDX-License-Identifier: GPL-2.0
/*
 * Tiers that come and go: that of a device is made by swapon and goes with swapoff, whether
 * the layer is on or not, as data that came while it was on may be there; that of zswap is
 * made at boot.
 *
 *	swapon		swap_tier_create(), swap_tier_join(), swap_tier_ready()
 *	swapoff		swap_tier_leave(), swap_abs_empty(), then
 *			swap_tier_destroy(), or swap_tier_stay() and
 *			swap_tier_ready() when that failed
 *
 * A tier that is drained or has failed leaves, and stays, in the same way
 * (mm/swap_abs/state.c). This file owns that order of events, and tells it to all that have
 * something of a tier: formats, by their tables, movers, sysfs and cgroups.
 *
 * Callers are swapon and swapoff in mm/swapfile.c, and mm/swap_abs/switch.c. No other file of
 * the layer calls it, so it may call any.
 *
 * Locks: swap_abs_mutex for joining, leaving and switching; swap_tiers_lock for the list of
 * tiers, inside of it.
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

/**
 * swap_tiers_adopt - count the free space of all devices for the layer, or not
 * @adopt: true when the layer is about to be on, false when it is off
 *
 * Context: process context, swap_abs_mutex held.
 */
void swap_tiers_adopt(bool adopt)
{
	struct swap_tier *tier;

	lockdep_assert_held(&swap_abs_mutex);
	/* Not by swap_tiers: sleeps, and tiers take turns there meanwhile. */
	for (int type = 0; type < MAX_SWAPFILES; type++) {
		if (!READ_ONCE(swap_info[type]))
			break;
		tier = swap_info[type]->tier;
		if (!tier || !tier->joined || tier->closed)
			continue;
		swap_tier_adopt(tier, adopt);
		if (adopt)
			swap_format_prepare(tier);
		else
			swap_formats_call(quiet, tier);
	}
}

/**
 * swap_tier_create - make the tier of a device
 * @si: a device that is being swapped on, not in use yet
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
	/* Others look at it already, for what is in use of it. */
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
 * swap_tier_join - let data be stored on a device
 * @si: a device whose priority is set, and that is enabled next
 *
 * Context: process context, sleeps.
 */
void swap_tier_join(struct swap_info_struct *si)
{
	struct swap_tier *tier = si->tier;

	mutex_lock(&swap_abs_mutex);
	if (swap_abs_on)
		swap_tier_adopt(tier, true);
	plist_node_init(&tier->node, swap_tier_default_rank(si));
	spin_lock(&swap_tiers_lock);
	plist_add(&tier->node, &swap_tiers);
	spin_unlock(&swap_tiers_lock);
	tier->joined = true;
	swap_tiers_update();
	mutex_unlock(&swap_abs_mutex);
}

/**
 * swap_tier_ready - a device has been enabled, at first or again
 * @si: the device
 *
 * Context: process context, sleeps.
 */
void swap_tier_ready(struct swap_info_struct *si)
{
	mutex_lock(&swap_abs_mutex);
	/* Somebody may have swapped it off again already. */
	if (si->tier && !si->tier->closed) {
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
 * swap_tier_leave - a device is about to be emptied
 * @si: a device that nothing new can be put on (not SWP_WRITEOK any more)
 *
 * Context: process context, sleeps.
 */
void swap_tier_leave(struct swap_info_struct *si)
{
	mutex_lock(&swap_abs_mutex);
	WRITE_ONCE(si->tier->closed, true);
	mutex_unlock(&swap_abs_mutex);
	/*
	 * These stop by themselves, as the tier is draining, but may wait for a device that
	 * hangs. Nobody else is to wait for that, so it is done without the mutex.
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
 * swap_tier_stay - a device could not be emptied and is used again
 * @si: the device
 *
 * Context: process context, sleeps.
 */
void swap_tier_stay(struct swap_info_struct *si)
{
	mutex_lock(&swap_abs_mutex);
	swap_device_close_lent(si, false);
	if (swap_abs_on)
		swap_tier_adopt(si->tier, true);
	WRITE_ONCE(si->tier->closed, false);
	mutex_unlock(&swap_abs_mutex);
}

/**
 * swap_tier_destroy - take the tier of a device away
 * @si: a device that is empty and that nobody can get a reference of, or one
 *	that never was in use
 *
 * Context: process context, sleeps.
 */
void swap_tier_destroy(struct swap_info_struct *si)
{
	struct swap_tier *tier = si->tier;

	if (!tier)
		return;

	/* No more of its files, nor of their readers. */
	kobject_del(&tier->kobj);
	swap_tier_stop_moves(tier);
	cancel_delayed_work_sync(&tier->retry_work);
	cancel_delayed_work_sync(&tier->reopen_work);
	flush_work(&tier->release_work);

	/* Before what it has goes, as whoever finds the tier looks at that. */
	mutex_lock(&swap_abs_mutex);
	if (tier->joined) {
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
	swap_zswap_tier = tier;
	return 0;
}
fs_initcall(swap_tier_init);
