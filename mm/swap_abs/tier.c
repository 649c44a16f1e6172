// SPDX-License-Identifier: GPL-2.0
/*
 * The tiers of the swap abstraction: zswap, and each swap device.
 *
 * A device's tier is made by swapon and goes with swapoff, whether the layer is
 * on or not, as data that came while it was on may be there. This file owns the
 * list of them and their life; callers are swapon and swapoff in mm/swapfile.c
 * and the switch in mm/swap_abs.c.
 *
 *	swapon		swap_tier_create(), swap_tier_join()
 *	swapoff		swap_tier_leave(), swap_abs_drain(), then
 *			swap_tier_destroy(), or swap_tier_stay() when that failed
 *
 * Locks: swap_abs_mutex for joining, leaving and switching; swap_tiers_lock for
 * the list, inside of it.
 */
#include <linux/cleanup.h>
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../swap.h"
#include "formats.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

/* Devices by priority, as in swap_active_head. */
PLIST_HEAD(swap_tiers);
DEFINE_SPINLOCK(swap_tiers_lock);

struct swap_tier *swap_zswap_tier __read_mostly;

/* The N of swapN. */
static DEFINE_IDA(swap_tier_ida);

/* After which time it is tried again where the medium was bad. */
#define SWAP_TIER_BAD_TIME	(600 * HZ)

/* The device may have put another block there. Frozen while there is a hibernation image. */
static void swap_tier_retry_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(to_delayed_work(work), struct swap_tier,
					      retry_work);

	swap_raw_forget_bad(tier);
	swap_packed_forget_bad(tier);
	swap_abs_room_gained();
}

/**
 * swap_tier_retry_bad - the medium of a device is bad somewhere: try it again later
 * @tier: its tier
 *
 * Context: any, also interrupts.
 */
void swap_tier_retry_bad(struct swap_tier *tier)
{
	/* Not among those that are waited for with swap_abs_mutex held: it waits for others. */
	queue_delayed_work(system_freezable_wq, &tier->retry_work, SWAP_TIER_BAD_TIME);
}

static void swap_tier_hurry(struct delayed_work *work)
{
	if (delayed_work_pending(work))
		mod_delayed_work(system_freezable_wq, work, 0);
}

/* Try what is bad on all devices, and those that have failed, again now: for tests. */
void swap_tiers_retry_now(void)
{
	struct swap_tier *tier;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		swap_tier_hurry(&tier->retry_work);
		swap_tier_hurry(&tier->reopen_work);
	}
	spin_unlock(&swap_tiers_lock);
}

static struct swap_tier *swap_tier_alloc(void)
{
	struct swap_tier *tier = kzalloc_obj(*tier);

	if (!tier)
		return NULL;
	tier->stats = alloc_percpu(struct swap_tier_stats);
	if (!tier->stats)
		goto free_tier;
	if (percpu_counter_init(&tier->used, 0, GFP_KERNEL))
		goto free_stats;

	tier->id = -1;
	plist_node_init(&tier->node, 0);
	spin_lock_init(&tier->lock);
	INIT_LIST_HEAD(&tier->partial);
	INIT_LIST_HEAD(&tier->full);
	INIT_LIST_HEAD(&tier->old);
	INIT_LIST_HEAD(&tier->empty);
	INIT_LIST_HEAD(&tier->held);
	INIT_WORK(&tier->release_work, swap_raw_release);
	INIT_DELAYED_WORK(&tier->retry_work, swap_tier_retry_work);
	swap_tier_init_moves(tier);
	xa_init_flags(&tier->bad, XA_FLAGS_LOCK_IRQ);
	return tier;

free_stats:
	free_percpu(tier->stats);
free_tier:
	kfree(tier);
	return NULL;
}

/* When nobody reads its files any longer. */
void swap_tier_free(struct swap_tier *tier)
{
	xa_destroy(&tier->bad);
	percpu_counter_destroy(&tier->used);
	free_percpu(tier->stats);
	if (tier->id >= 0)
		ida_free(&swap_tier_ida, tier->id);
	kfree(tier);
}

/**
 * swap_tier_stat_sum - read a counter of a tier
 * @tier: the tier
 * @stat: which one
 *
 * Return: the sum over all CPUs.
 */
unsigned long swap_tier_stat_sum(struct swap_tier *tier, enum swap_tier_stat stat)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(tier->stats, cpu)->count[stat]);
	return sum;
}

/* Mask of the devices. */
unsigned long swap_tiers_present __read_mostly;

/* The tiers have changed: what must be known before one of them is chosen. */
static void swap_tiers_update(void)
{
	struct swap_tier *tier;
	unsigned long present = 0;
	unsigned int flags = 0;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		present |= swap_tier_bit(tier);
		flags |= tier->si->ops->flags;
	}
	spin_unlock(&swap_tiers_lock);
	WRITE_ONCE(swap_virtual_ops.flags, flags);
	WRITE_ONCE(swap_tiers_present, present);
	/* Another one may be first now. */
	swap_raw_forget_hints();
	swap_packed_forget_hints();
}

/* Both are serialized by swap_abs_mutex. */
static void swap_tier_adopt(struct swap_tier *tier, bool adopt)
{
	lockdep_assert_held(&swap_abs_mutex);
	if (tier->adopted == adopt)
		return;
	tier->adopted = adopt;
	swap_device_adopt(tier->si, adopt);
}

/* Get ready for packed data, on a device that can lend clusters. */
static void swap_tier_prepare(struct swap_tier *tier)
{
	lockdep_assert_held(&swap_abs_mutex);
	if (tier->format != SWAP_FORMAT_PACKED || !swap_packed_start(tier))
		return;
	pr_warn("swap: no memory to write packed to swap%d, it is written raw\n", tier->id);
	WRITE_ONCE(tier->format, SWAP_FORMAT_RAW);
}

/**
 * swap_tier_set_format - choose how new data is written to a tier
 * @tier: the tier of a device
 * @format: how
 *
 * What is there stays as it is, and is read as it was written.
 *
 * Context: process context, sleeps.
 * Return: 0, -EOPNOTSUPP when the device can't have it, or -ENOMEM.
 */
int swap_tier_set_format(struct swap_tier *tier, enum swap_format format)
{
	int err = 0;

	mutex_lock(&swap_abs_mutex);
	if (format == tier->format)
		goto out;
	if (format == SWAP_FORMAT_RAW) {
		WRITE_ONCE(tier->format, format);
		swap_packed_quiet(tier);
		goto out;
	}
	err = swap_packed_supported(tier->si) ? 0 : -EOPNOTSUPP;
	if (!err && tier->adopted)
		err = swap_packed_start(tier);
	if (!err)
		WRITE_ONCE(tier->format, format);
out:
	swap_tiers_update();
	mutex_unlock(&swap_abs_mutex);
	return err;
}

/**
 * swap_tier_set_rank - choose when a tier is asked
 * @tier: the tier of a device
 * @rank: smaller ones are asked first; equal ones take turns
 *
 * Context: process context, sleeps.
 * Return: 0, -EINVAL when it is not 1 to 65535, or -EBUSY before swapon is done.
 */
int swap_tier_set_rank(struct swap_tier *tier, int rank)
{
	bool joined;

	if (rank < 1 || rank > U16_MAX)
		return -EINVAL;
	mutex_lock(&swap_abs_mutex);
	joined = tier->joined;
	if (joined) {
		spin_lock(&swap_tiers_lock);
		plist_del(&tier->node, &swap_tiers);
		plist_node_init(&tier->node, rank);
		plist_add(&tier->node, &swap_tiers);
		spin_unlock(&swap_tiers_lock);
		swap_tiers_update();
	}
	mutex_unlock(&swap_abs_mutex);
	return joined ? 0 : -EBUSY;
}

/**
 * swap_tier_has_room - can a device take more at once?
 * @tier: its tier
 *
 * Being on swap_avail_head does not tell: all clusters may be lent and have free
 * slots, or free slots be left in others only.
 *
 * Context: any. A hint, without locks.
 * Return: true when it seems so.
 */
bool swap_tier_has_room(struct swap_tier *tier)
{
	return !READ_ONCE(tier->draining) &&
	       (swap_raw_has_room(tier) || swap_packed_has_room(tier));
}

/**
 * swap_tier_hide - take pages out of what is shown as swap, or give them back
 * @tier: the tier of a device
 * @pages: how many have been taken by swap_abs_take_room(), to be hidden; less than zero
 *	for what is given back
 *
 * Context: any, also with locks held; serialized by the caller.
 */
void swap_tier_hide(struct swap_tier *tier, long pages)
{
	/* What is free is never more than there is, so it comes last. */
	WRITE_ONCE(tier->hidden, tier->hidden + pages);
	swap_total_sub(pages);
	if (pages < 0)
		swap_abs_give_room(-pages);
}

/* Make what sysinfo() says sound while promises can't be kept, or a device is closed. */
void swap_abs_trim_info(struct sysinfo *val)
{
	val->totalswap = max_t(long, val->totalswap, 0);
	val->freeswap = clamp((long)val->freeswap, 0, (long)val->totalswap);
}

/**
 * swap_tier_inuse - what virtual slots take of a device's capacity
 * @tier: its tier
 *
 * Context: any.
 * Return: pages: raw ones, and what swap_pack_held() says of packed ones.
 */
unsigned long swap_tier_inuse(struct swap_tier *tier)
{
	long raw = percpu_counter_sum(&tier->used) -
		   (long)swap_packed_segments(tier) * SWAPFILE_CLUSTER;

	return max(raw, 0) + swap_packed_held(tier);
}

/* Virtual slots that have data in some tier, roughly. */
unsigned long swap_tiers_stored(void)
{
	struct swap_tier *tier;
	long sum = 0;

	if (IS_ENABLED(CONFIG_ZSWAP))
		sum = percpu_counter_read_positive(&swap_zswap_tier->used);
	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		/* data_race(): roughly is enough. */
		sum += data_race(percpu_counter_read(&tier->used)) -
		       (long)swap_packed_segments(tier) * SWAPFILE_CLUSTER +
		       swap_packed_objects_read(tier);
	spin_unlock(&swap_tiers_lock);
	return max(sum, 0);
}

/* Slots of the clusters that a device has lent to its tier. */
unsigned long swap_tier_lent(struct swap_tier *tier)
{
	return atomic_long_read(&tier->nr_lent) * SWAPFILE_CLUSTER -
	       atomic_long_read(&tier->nr_lent_bad);
}

/* For tests with devices that know one error only; in debugfs. */
bool swap_errors_are_medium;

/*
 * Does an error say that the medium is bad, so that the place is better not used again?
 * Others are of the way to it, or for want of room, and may be gone the next time. A
 * device that needs no I/O has no medium.
 */
bool swap_tier_medium_failed(struct swap_tier *tier, blk_status_t status)
{
	if (unlikely(READ_ONCE(swap_errors_are_medium)))
		return true;
	/* data_race(): does not change while the device is in use. */
	if (data_race(tier->si->flags & SWP_SYNCHRONOUS_IO))
		return false;
	return status == BLK_STS_MEDIUM || status == BLK_STS_TARGET ||
	       status == BLK_STS_PROTECTION;
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
		if (!tier || !tier->joined || tier->draining)
			continue;
		swap_tier_adopt(tier, adopt);
		if (adopt)
			swap_tier_prepare(tier);
		else
			swap_packed_quiet(tier);
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
	int err = -ENOMEM;

	if (!tier)
		return -ENOMEM;

	tier->si = si;
	/* What needs no I/O gains nothing by it, and would have to be decompressed. */
	if (!(si->flags & SWP_SYNCHRONOUS_IO) && swap_packed_supported(si))
		tier->format = SWAP_FORMAT_PACKED;
	tier->id = ida_alloc(&swap_tier_ida, GFP_KERNEL);
	if (tier->id < 0)
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
	if (si->tier && !si->tier->draining) {
		if (swap_abs_on)
			swap_tier_prepare(si->tier);
		else
			swap_packed_resume(si->tier);
	}
	swap_tiers_update();
	mutex_unlock(&swap_abs_mutex);
	swap_abs_device_came();
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
	WRITE_ONCE(si->tier->draining, true);
	mutex_unlock(&swap_abs_mutex);
	/*
	 * These stop by themselves, as the tier is draining, but may wait for a device that
	 * hangs. Nobody else is to wait for that, so it is done without the mutex.
	 */
	swap_packed_stop_collecting(si->tier);
	cancel_work_sync(&si->tier->demote_work);

	mutex_lock(&swap_abs_mutex);
	swap_packed_stop(si->tier);
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
	WRITE_ONCE(si->tier->draining, false);
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

	swap_packed_free(tier);
	VM_WARN_ON_ONCE(atomic_long_read(&tier->nr_lent));
	VM_WARN_ON_ONCE(percpu_counter_sum(&tier->used));

	swap_memcg_forget(si->type);
	swap_abs_cancel_promises();
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
	err = swap_tier_sysfs_add(tier);
	if (err) {
		kobject_put(&tier->kobj);
		return err;
	}
	swap_zswap_tier = tier;
	return 0;
}
fs_initcall(swap_tier_init);
