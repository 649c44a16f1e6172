// SPDX-License-Identifier: GPL-2.0
/*
 * The tiers of the swap abstraction: zswap, and each swap device; and the formats that
 * devices are written in.
 *
 * This file owns the list of tiers and that of formats, what is chosen of a tier (rank,
 * format), and what is counted of it. It knows no format by name: each registers itself
 * with a table of operations (struct swap_format), and all are asked of each tier, because
 * what a device has stays as it was written when its format is changed.
 *
 * Callers are all files above: mm/swap_abs/device.c, which makes tiers and takes them away,
 * formats, movers, and mm/swap_abs/sysfs.c. Nothing here calls any of them but through a
 * format's table, or by a work of the tier (struct swap_tier) that a file above has set.
 *
 * Locks: swap_abs_mutex for what is chosen; swap_tiers_lock for the list, inside of it.
 * The list of formats is complete before there is a tier, and never changes.
 */
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../swap.h"
#include "slots.h"
#include "tier.h"

/* Devices by rank; equal ones take turns. */
PLIST_HEAD(swap_tiers);
DEFINE_SPINLOCK(swap_tiers_lock);

struct swap_tier *swap_zswap_tier __read_mostly;

/* Mask of the devices. */
unsigned long swap_tiers_online __read_mostly;

/* Bytes of objects that are on their way as they are (swap_format.take). */
atomic_long_t swap_bytes_moving = ATOMIC_LONG_INIT(0);

/* Objects that zswap was given ahead (mm/swap_abs/neighbours.c), and that were loaded. */
atomic_t swap_neighbours_used = ATOMIC_INIT(0);

/*
 * Formats
 */

#define SWAP_MAX_FORMATS	4

const struct swap_format *swap_formats[SWAP_MAX_FORMATS + 1] __ro_after_init;
const struct swap_format *swap_plain_format __ro_after_init;

/**
 * swap_format_register - let devices be written in a format
 * @format: the format
 *
 * Context: init, before there are tiers (fs_initcall).
 */
void __init swap_format_register(const struct swap_format *format)
{
	unsigned int i = 0;

	while (swap_formats[i])
		i++;
	if (WARN_ON(i == SWAP_MAX_FORMATS))
		return;
	swap_formats[i] = format;
	if (format->plain)
		swap_plain_format = format;
}

/**
 * swap_format_find - a format by its name
 * @name: what was written to a file of sysfs
 *
 * Return: the format, or NULL.
 */
const struct swap_format *swap_format_find(const char *name)
{
	const struct swap_format *const *pos;

	for (pos = swap_formats; *pos; pos++)
		if (sysfs_streq(name, (*pos)->name))
			break;
	return *pos;
}

/* What a device is written in, if nobody says anything. */
const struct swap_format *swap_format_for(struct swap_info_struct *si)
{
	const struct swap_format *const *pos;

	for (pos = swap_formats; *pos; pos++)
		if ((*pos)->wanted && (*pos)->wanted(si))
			return *pos;
	return swap_plain_format;
}

/**
 * swap_format_prepare - get ready to write in a tier's format
 * @tier: of a device that can lend clusters
 *
 * Context: process context, sleeps; swap_abs_mutex held.
 */
void swap_format_prepare(struct swap_tier *tier)
{
	const struct swap_format *format = tier->format;

	lockdep_assert_held(&swap_abs_mutex);
	if (!format->start || !format->start(tier))
		return;
	pr_warn("swap: no memory to write %s to swap%d, it is written %s\n", format->name,
		tier->id, swap_plain_format->name);
	WRITE_ONCE(tier->format, swap_plain_format);
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
int swap_tier_set_format(struct swap_tier *tier, const struct swap_format *format)
{
	const struct swap_format *before;
	int err = 0;

	mutex_lock(&swap_abs_mutex);
	before = tier->format;
	if (format == before)
		goto out;
	if (format->supported && !format->supported(tier->si))
		err = -EOPNOTSUPP;
	else if (format->start && tier->adopted)
		err = format->start(tier);
	if (err)
		goto out;
	WRITE_ONCE(tier->format, format);
	if (before->quiet)
		before->quiet(tier);
out:
	swap_tiers_update();
	mutex_unlock(&swap_abs_mutex);
	return err;
}

/*
 * The list
 */

/**
 * swap_tiers_update - the tiers have changed
 *
 * What must be known before one of them is chosen is looked up anew.
 *
 * Context: process context, swap_abs_mutex held.
 */
void swap_tiers_update(void)
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
	WRITE_ONCE(swap_tiers_online, present);
	/* Another one may be first now. */
	swap_formats_call(forget_hints);
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

/*
 * A tier
 */

/* The N of swapN. */
static DEFINE_IDA(swap_tier_ida);

static void swap_tier_release_work(struct work_struct *work)
{
	struct swap_tier *tier = container_of(work, struct swap_tier, release_work);

	swap_formats_call(release, tier);
}

/**
 * swap_tier_alloc - allocate a tier
 *
 * Context: process context, sleeps.
 * Return: the tier, for swap_tier_free(), or NULL. What movers have in it is still to be
 * set: swap_tier_init_moves().
 */
struct swap_tier *swap_tier_alloc(void)
{
	struct swap_tier *tier = kzalloc_obj(*tier);

	if (!tier)
		return NULL;
	tier->stats = alloc_percpu(struct swap_tier_stats);
	if (!tier->stats)
		goto free_tier;
	if (percpu_counter_init(&tier->used, 0, GFP_KERNEL))
		goto free_stats;
	if (percpu_counter_init(&tier->segments_held, 0, GFP_KERNEL))
		goto free_used;

	tier->id = -1;
	plist_node_init(&tier->node, 0);
	spin_lock_init(&tier->lock);
	INIT_LIST_HEAD(&tier->partial);
	INIT_LIST_HEAD(&tier->full);
	INIT_LIST_HEAD(&tier->victims);
	INIT_LIST_HEAD(&tier->empty);
	INIT_LIST_HEAD(&tier->held);
	INIT_WORK(&tier->release_work, swap_tier_release_work);
	xa_init_flags(&tier->bad, XA_FLAGS_LOCK_IRQ);
	return tier;

free_used:
	percpu_counter_destroy(&tier->used);
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
	percpu_counter_destroy(&tier->segments_held);
	percpu_counter_destroy(&tier->used);
	free_percpu(tier->stats);
	if (tier->id >= 0)
		ida_free(&swap_tier_ida, tier->id);
	kfree(tier);
}

/**
 * swap_tier_set_id - number the tier of a device
 * @tier: a new tier
 *
 * Context: process context, sleeps.
 * Return: 0 or an error.
 */
int swap_tier_set_id(struct swap_tier *tier)
{
	tier->id = ida_alloc(&swap_tier_ida, GFP_KERNEL);
	return min(tier->id, 0);
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

/**
 * swap_tier_blocks - slots of a device that have a page each
 * @tier: its tier
 *
 * Context: any but interrupts.
 * Return: how many.
 */
unsigned long swap_tier_blocks(struct swap_tier *tier)
{
	long blocks = percpu_counter_sum(&tier->used) -
		      (long)READ_ONCE(tier->nr_segments) * SWAPFILE_CLUSTER;

	return max(blocks, 0);
}

/**
 * swap_tier_inuse - what virtual slots take of a device's capacity
 * @tier: its tier
 *
 * Context: any.
 * Return: pages: those of blocks, and what segments count as.
 */
unsigned long swap_tier_inuse(struct swap_tier *tier)
{
	return swap_tier_blocks(tier) + percpu_counter_sum_positive(&tier->segments_held);
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
		sum += swap_tier_blocks_read(tier) + swap_formats_sum(stored, tier, true);
	spin_unlock(&swap_tiers_lock);
	return max(sum, 0);
}

/* Slots of the clusters that a device has lent to its tier. */
unsigned long swap_tier_lent(struct swap_tier *tier)
{
	return atomic_long_read(&tier->nr_lent) * SWAPFILE_CLUSTER -
	       atomic_long_read(&tier->nr_lent_bad);
}

/**
 * swap_tier_close_segment - the device of a segment is being closed, or opened again
 * @ci: its locked cluster
 * @close: which
 *
 * What is there counts for nobody while the device is closed.
 *
 * Return: pages of capacity that it has held until now, or holds from now on.
 */
unsigned long swap_tier_close_segment(struct swap_cluster_info *ci, bool close)
{
	lockdep_assert_held(&ci->lock);
	return swap_formats_sum(close_segment, ci, close);
}

#ifdef CONFIG_HIBERNATION
/**
 * swap_tier_alloc_image - take a slot of a lent cluster for a hibernation image
 * @si: the device, that can't go away, and that has no free slot itself
 *
 * It may be promised to somebody, as any slot that hibernation takes.
 *
 * Return: the slot's offset on the device, or 0.
 */
unsigned long swap_tier_alloc_image(struct swap_info_struct *si)
{
	return swap_plain_format->alloc_image(si);
}

/**
 * swap_tier_free_image - free a slot of a hibernation image
 * @entry: its place on the device
 *
 * Return: true when it was from swap_tier_alloc_image(), and is free now.
 */
bool swap_tier_free_image(swp_entry_t entry)
{
	return swap_plain_format->free_image(entry);
}

/**
 * swap_tier_image_room - what lent clusters can still hold of a hibernation image
 * @si: a device that is in use
 *
 * Return: free slots.
 */
unsigned long swap_tier_image_room(struct swap_info_struct *si)
{
	struct swap_tier *tier = si->tier;
	unsigned long segments = READ_ONCE(tier->nr_spares) + READ_ONCE(tier->nr_bad_segments);

	return swap_tier_lent(tier) - segments * SWAPFILE_CLUSTER -
	       percpu_counter_sum(&tier->used);
}
#endif

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
	const struct swap_format *const *pos;

	if (READ_ONCE(tier->closed))
		return false;
	for (pos = swap_formats; *pos; pos++)
		if ((*pos)->has_room && (*pos)->has_room(tier))
			return true;
	return false;
}

/**
 * swap_tiers_make_room - something could not be stored, or promised room, on a device
 *
 * Context: process context, does not sleep.
 */
void swap_tiers_make_room(void)
{
	struct swap_tier *tier;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		if (READ_ONCE(tier->si->flags) & SWP_WRITEOK)
			swap_formats_call(make_room, tier);
	spin_unlock(&swap_tiers_lock);
}

/* Will there be some soon, on any device? A hint. */
bool swap_tiers_making_room(void)
{
	struct swap_tier *tier;
	bool making = false;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		making |= swap_formats_sum(making_room, tier);
	spin_unlock(&swap_tiers_lock);
	return making;
}

/**
 * swap_tier_hide - take pages out of what is shown as swap, or give them back
 * @tier: the tier of a device
 * @pages: how many have been taken by swap_promise_take(), to be hidden; less than zero
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
		swap_promise_put(-pages);
}

/* Make what sysinfo() says sound while promises can't be kept, or a device is closed. */
void swap_abs_trim_info(struct sysinfo *val)
{
	val->totalswap = max_t(long, val->totalswap, 0);
	val->freeswap = clamp((long)val->freeswap, 0, (long)val->totalswap);
}

/*
 * Errors
 */

/* After which time it is tried again where the medium was bad. */
#define SWAP_TIER_BAD_TIME	(600 * HZ)

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

/*
 * I/O errors without a success in between, after which a device is not trusted. Tests
 * of what happens with a device that is used on change it, in debugfs.
 */
u32 swap_tier_max_errors = 32;

/* And the time for which there has been none, so that it is not one outage. */
#define SWAP_TIER_FAIL_TIME	(5 * HZ)

/**
 * swap_tier_has_failed - has a device given nothing but errors, and for some time?
 * @tier: its tier
 *
 * Context: any, also interrupts.
 * Return: false for an outage that is over when it is tried again.
 */
bool swap_tier_has_failed(struct swap_tier *tier)
{
	return atomic_read(&tier->io_errors) >= READ_ONCE(swap_tier_max_errors) &&
	       time_after_eq(jiffies, READ_ONCE(tier->first_error) + SWAP_TIER_FAIL_TIME);
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
