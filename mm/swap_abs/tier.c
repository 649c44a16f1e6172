// SPDX-License-Identifier: GPL-2.0
/*
 * The tiers of the swap abstraction, which are zswap and each swap device, and
 * the formats in which devices are written.
 *
 * This file owns the list of tiers, the list of formats, the settings of a tier
 * (rank and format) and the counters of a tier. It knows no format by name:
 * each format registers itself with a table of operations (struct swap_format).
 * This file asks all formats about each tier, because data that is on a device
 * keeps its format when the administrator changes the format of the tier.
 *
 * The files above this one call it: mm/swap_abs/device.c, which creates and
 * destroys tiers, the formats, the movers and mm/swap_abs/sysfs.c. This file
 * calls them only through a format's table of operations, or by queueing a work
 * item of struct swap_tier that a file above has initialized.
 *
 * Locks: swap_abs_mutex protects the settings, the state of a tier and what is
 * computed of all of them (masks, swap_abs_draining). swap_tiers_lock protects
 * the list of tiers and is taken inside of swap_abs_mutex. The list of formats
 * needs no lock, because it is complete before the first tier exists and never
 * changes after that.
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

/* The tiers of devices by rank. Tiers of the same rank take turns. */
PLIST_HEAD(swap_tiers);
DEFINE_SPINLOCK(swap_tiers_lock);

struct swap_tier *swap_zswap_tier __read_mostly;

/* Mask of the tiers on swap_tiers; written by swap_tiers_update(). */
unsigned long swap_tiers_present __read_mostly;
/* Mask of the tiers that are online; written by swap_tier_write_state(). */
unsigned long swap_tiers_online __read_mostly;

/* All devices need no I/O; written by swap_tiers_update(). */
bool swap_tiers_synchronous __read_mostly;

/*
 * Compressed bytes of the objects that swap_format.take() has accepted and
 * whose move has not ended yet.
 */
atomic_long_t swap_bytes_moving = ATOMIC_LONG_INIT(0);

/*
 * Objects that mm/swap_abs/neighbours.c has put into zswap before anybody asked
 * for them and that were loaded from there later.
 */
atomic_t swap_neighbours_used = ATOMIC_INIT(0);

/*
 * Formats
 */

#define SWAP_MAX_FORMATS	4

const struct swap_format *swap_formats[SWAP_MAX_FORMATS + 1] __ro_after_init;
const struct swap_format *swap_plain_format __ro_after_init;

/*
 * Add a format to the list. Formats call this from a subsys_initcall(), because
 * the list must be complete before the first tier is created (fs_initcall()).
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

/*
 * Find the format that the administrator has named in a file of sysfs. Return
 * NULL when there is none; @name may end with a newline.
 */
const struct swap_format *swap_format_find(const char *name)
{
	const struct swap_format *const *pos;

	for (pos = swap_formats; *pos; pos++)
		if (sysfs_streq(name, (*pos)->name))
			break;
	return *pos;
}

/* Choose the format of a new tier, until the administrator sets another one. */
const struct swap_format *swap_format_for(struct swap_info_struct *si)
{
	const struct swap_format *const *pos;

	for (pos = swap_formats; *pos; pos++)
		if ((*pos)->wanted && (*pos)->wanted(si))
			return *pos;
	return swap_plain_format;
}

/*
 * Let the tier's format prepare for new data. When that fails, the tier gets
 * the plain format, which needs no preparation. Sleeps.
 */
void swap_format_prepare(struct swap_tier *tier)
{
	const struct swap_format *format = tier->format;
	int err;

	lockdep_assert_held(&swap_abs_mutex);
	if (!format->start)
		return;
	err = format->start(tier);
	if (!err)
		return;
	pr_warn("swap: swap%d can't be written %s (%pe), it is written %s\n",
		tier->id, format->name, ERR_PTR(err), swap_plain_format->name);
	WRITE_ONCE(tier->format, swap_plain_format);
}

/*
 * Set the format in which new data is written to the tier of a device. Data
 * that is already there keeps its format. Sleeps. Return 0; -EOPNOTSUPP when
 * the format does not support the device or finds no compressor; or -ENOMEM.
 */
int swap_tier_set_format(struct swap_tier *tier,
			 const struct swap_format *format)
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

/*
 * Recompute what is derived from the list of tiers, after a tier has come, gone
 * or changed its rank or format. The caller holds swap_abs_mutex.
 */
void swap_tiers_update(void)
{
	struct swap_tier *tier, *pos;
	unsigned long present = 0, above, below;
	bool synchronous = true;
	unsigned int flags = 0;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		above = SWAP_TIER_ZSWAP;
		below = 0;
		plist_for_each_entry(pos, &swap_tiers, node) {
			if (pos->node.prio < tier->node.prio)
				above |= swap_tier_bit(pos);
			else if (pos->node.prio > tier->node.prio)
				below |= swap_tier_bit(pos);
		}
		WRITE_ONCE(tier->above, above);
		WRITE_ONCE(tier->below, below);
		present |= swap_tier_bit(tier);
		flags |= tier->si->ops->flags;
		/* data_race(): this flag does not change while it is in use. */
		if (!(data_race(tier->si->flags) & SWP_SYNCHRONOUS_IO))
			synchronous = false;
	}
	spin_unlock(&swap_tiers_lock);
	WRITE_ONCE(swap_virtual_ops.flags, flags);
	WRITE_ONCE(swap_tiers_present, present);
	if (swap_zswap_tier)
		WRITE_ONCE(swap_zswap_tier->below, present);
	WRITE_ONCE(swap_tiers_synchronous, synchronous);
	/* A CPU may remember a tier that is no longer the first with room. */
	swap_formats_call(forget_hints);
}

/*
 * Set the rank of a device's tier. A page is offered to tiers of a smaller rank
 * first. Sleeps. Return 0; -EINVAL when @rank is not 1 to 65535; or -EBUSY
 * while swapon has not finished.
 */
int swap_tier_set_rank(struct swap_tier *tier, int rank)
{
	bool joined;

	if (rank < 1 || rank > U16_MAX)
		return -EINVAL;
	mutex_lock(&swap_abs_mutex);
	joined = tier->state != SWAP_TIER_NEW;
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

/* Allocates the N of the name swapN. */
static DEFINE_IDA(swap_tier_ida);

static void swap_tier_release_work(struct work_struct *work)
{
	struct swap_tier *tier =
		container_of(work, struct swap_tier, release_work);

	swap_formats_call(release, tier);
}

/*
 * The number of devices that are being drained, so that reclaim and faults need
 * not look at a folio's copy while there are none.
 */
unsigned int swap_abs_draining __read_mostly;

/* To hold: a tier in one of these states changes to one of those only. */
static const u8 swap_tier_next[NR_SWAP_TIER_STATES] = {
	[SWAP_TIER_NEW]		= BIT(SWAP_TIER_ONLINE),
	[SWAP_TIER_ONLINE]	= BIT(SWAP_TIER_CLOSED),
	[SWAP_TIER_CLOSED]	= BIT(SWAP_TIER_ONLINE) |
				  BIT(SWAP_TIER_DRAINING) |
				  BIT(SWAP_TIER_FAILED),
	[SWAP_TIER_DRAINING]	= BIT(SWAP_TIER_ONLINE),
	[SWAP_TIER_FAILED]	= BIT(SWAP_TIER_ONLINE) |
				  BIT(SWAP_TIER_DRAINING),
};

/* Change the state of a tier. No other function writes it. */
void swap_tier_write_state(struct swap_tier *tier, enum swap_tier_state state)
{
	int change = (state == SWAP_TIER_DRAINING) -
		     (tier->state == SWAP_TIER_DRAINING);
	unsigned long online = swap_tiers_online & ~swap_tier_bit(tier);

	lockdep_assert_held(&swap_abs_mutex);
	VM_WARN_ON_ONCE(!(swap_tier_next[tier->state] & BIT(state)));
	WRITE_ONCE(tier->state, state);
	if (state == SWAP_TIER_ONLINE)
		online |= swap_tier_bit(tier);
	WRITE_ONCE(swap_tiers_online, online);
	WRITE_ONCE(swap_abs_draining, swap_abs_draining + change);
}

/*
 * Allocate a tier, which swap_tier_free() frees. The caller must initialize the
 * fields of the movers with swap_tier_init_moves(), because this file does not
 * know them. Sleeps. Return NULL when there is no memory.
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

/*
 * Free a tier. Nobody may have a file of the tier open any longer, so the
 * release function of the tier's kobject calls this, or a caller that has not
 * created the files yet.
 */
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

/* Give a new tier of a device its number. Sleeps. Return 0 or an error. */
int swap_tier_set_id(struct swap_tier *tier)
{
	tier->id = ida_alloc(&swap_tier_ida, GFP_KERNEL);
	return min(tier->id, 0);
}

/* Sum up a counter of all CPUs, also of those that have gone offline. */
unsigned long swap_tier_stat_sum(struct swap_tier *tier,
				 enum swap_tier_stat stat)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(tier->stats, cpu)->count[stat]);
	return sum;
}

/*
 * Count the slots of a device that hold one page each. Slots of segments are
 * not among them. Any context but interrupts.
 */
unsigned long swap_tier_blocks(struct swap_tier *tier)
{
	long blocks = percpu_counter_sum(&tier->used) -
		      (long)swap_formats_sum(ahead, tier) -
		      (long)READ_ONCE(tier->nr_segments) * SWAPFILE_CLUSTER;

	return max(blocks, 0);
}

/**
 * swap_tier_inuse - count what virtual slots take of a device's capacity
 * @tier: the device's tier
 *
 * Context: any but interrupts.
 * Return: pages: one for each block, and those that segments with data take
 * (swap_tier.segments_held).
 */
unsigned long swap_tier_inuse(struct swap_tier *tier)
{
	return swap_tier_blocks(tier) +
	       percpu_counter_sum_positive(&tier->segments_held);
}

/* Count the virtual slots that have data in a tier, roughly. */
unsigned long swap_tiers_stored(void)
{
	struct swap_tier *tier;
	long sum = 0;

	if (IS_ENABLED(CONFIG_ZSWAP))
		sum = percpu_counter_read_positive(&swap_zswap_tier->used);
	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		sum += swap_tier_blocks_read(tier) +
		       swap_formats_sum(stored, tier, true);
	spin_unlock(&swap_tiers_lock);
	return max(sum, 0);
}

/**
 * swap_tier_lent - count the slots of the clusters that a device has lent
 * @tier: the device's tier, to which it has lent them
 *
 * Context: any.
 * Return: slots, free or in use, without bad ones.
 */
unsigned long swap_tier_lent(struct swap_tier *tier)
{
	return atomic_long_read(&tier->nr_lent) * SWAPFILE_CLUSTER -
	       atomic_long_read(&tier->nr_lent_bad);
}

/**
 * swap_tier_close_segment - stop or resume charging capacity for a segment
 * @ci: the segment's cluster
 * @close: true when the device is being closed, false when it is opened again
 *
 * While a device is closed, the data on it takes nothing of the capacity that
 * the other devices have left.
 *
 * Context: @ci->lock held; does not sleep.
 * Return: pages of capacity that the segment has held until now (@close), or
 * holds from now on.
 */
unsigned long swap_tier_close_segment(struct swap_cluster_info *ci, bool close)
{
	lockdep_assert_held(&ci->lock);
	return swap_formats_sum(close_segment, ci, close);
}

#ifdef CONFIG_HIBERNATION
/**
 * swap_tier_alloc_image - take a slot of a lent cluster for a hibernation image
 * @si: the device, which can't go away and has no free slot outside of lent
 *	clusters
 *
 * The slot may have been promised to a virtual slot, because hibernation takes
 * slots without asking whether they are promised.
 *
 * Context: process context, does not sleep.
 * Return: the slot's offset on the device, or 0 when there is none.
 */
unsigned long swap_tier_alloc_image(struct swap_info_struct *si)
{
	return swap_plain_format->alloc_image(si);
}

/**
 * swap_tier_free_image - free a slot of a hibernation image
 * @entry: the swap type of the device and the slot's offset on it
 *
 * Context: process context, does not sleep.
 * Return: true when the slot was in a lent cluster and is free now; false when
 * the slot was not lent, so that the caller has to free it.
 */
bool swap_tier_free_image(swp_entry_t entry)
{
	return swap_plain_format->free_image(entry);
}

/**
 * swap_tier_image_room - count the free slots for a hibernation image
 * @si: a device that is in use
 *
 * Context: any but interrupts; the caller holds a lock that keeps @si in use.
 * Return: free slots of the clusters that @si has lent for raw pages.
 */
unsigned long swap_tier_image_room(struct swap_info_struct *si)
{
	struct swap_tier *tier = si->tier;
	unsigned long segments =
		READ_ONCE(tier->nr_spares) + READ_ONCE(tier->nr_bad_segments);

	return swap_tier_lent(tier) - segments * SWAPFILE_CLUSTER -
	       percpu_counter_sum(&tier->used) + swap_formats_sum(ahead, tier);
}
#endif

/*
 * Tell whether a device can take more data at once. A hint, which needs no lock
 * and may be asked for in any context.
 *
 * That the device is on swap_avail_head is not the answer: a device that has
 * lent all its clusters is off that list although lent clusters may have free
 * slots, and the free slots of a device on that list may all be in clusters
 * that the layer can't use.
 */
bool swap_tier_has_room(struct swap_tier *tier)
{
	const struct swap_format *const *pos;

	if (!swap_tier_is_online(tier))
		return false;
	for (pos = swap_formats; *pos; pos++)
		if ((*pos)->has_room && (*pos)->has_room(tier))
			return true;
	return false;
}

/*
 * Have the formats make room on the devices that take new data, after data
 * could not be stored on a device or no capacity could be promised. Process
 * context, does not sleep.
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

/* Tell whether a format is making room on any device. A hint. */
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

/*
 * Take @pages pages, which the caller has taken with swap_promise_take(), out
 * of the total of swap that users see. With a negative @pages, give so many
 * pages back. Any context but interrupts, also with spinlocks held; the caller
 * serializes the calls for a tier.
 */
void swap_tier_hide(struct swap_tier *tier, long pages)
{
	/* Free pages come last, so that they are never more than the total. */
	WRITE_ONCE(tier->hidden, tier->hidden + pages);
	swap_total_sub(pages);
	if (pages < 0)
		swap_promise_put(-pages);
}

/**
 * swap_abs_trim_info - keep the sizes of swap that sysinfo() reports in range
 * @val: the sizes in pages
 *
 * The computed sizes can be negative, or the free size larger than the total,
 * while more capacity is promised than devices have, and while a device is
 * being closed.
 *
 * Context: any, also with spinlocks held.
 */
void swap_abs_trim_info(struct sysinfo *val)
{
	val->totalswap = max_t(long, val->totalswap, 0);
	val->freeswap = clamp((long)val->freeswap, 0, (long)val->totalswap);
}

/*
 * Errors
 */

/* The time after which a place whose medium was bad may be used again. */
#define SWAP_TIER_BAD_TIME	(600 * HZ)

/*
 * Have the places of a device whose medium is bad used again later. Any
 * context, also interrupts.
 */
void swap_tier_retry_bad(struct swap_tier *tier)
{
	/*
	 * On a queue that is frozen while there is a hibernation image. Not on
	 * swap_abs_wq, because its works are waited for with swap_abs_mutex
	 * held.
	 */
	queue_delayed_work(system_freezable_wq, &tier->retry_work,
			   SWAP_TIER_BAD_TIME);
}

static void swap_tier_hurry(struct delayed_work *work)
{
	if (delayed_work_pending(work))
		mod_delayed_work(system_freezable_wq, work, 0);
}

/*
 * Let bad places of all devices be used again now, and try all failed devices
 * again now. Tests call this through debugfs.
 */
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

/*
 * Set in debugfs by tests whose devices report one kind of error only: each
 * error then counts as one of the medium.
 */
bool swap_errors_are_medium;

/*
 * Tell whether an error means that the medium is bad, so that the place is
 * better not used again. Other errors come from the path to the device or from
 * a lack of space, and the next try may succeed. A device that needs no I/O has
 * no medium.
 */
bool swap_tier_medium_failed(struct swap_tier *tier, blk_status_t status)
{
	if (unlikely(READ_ONCE(swap_errors_are_medium)))
		return true;
	/* data_race(): the flag does not change while the device is in use. */
	if (data_race(tier->si->flags & SWP_SYNCHRONOUS_IO))
		return false;
	return status == BLK_STS_MEDIUM || status == BLK_STS_TARGET ||
	       status == BLK_STS_PROTECTION;
}

/*
 * The number of I/O errors without a success in between after which a device
 * may be taken to have failed. Tests that want a device with errors to stay in
 * use raise it in debugfs.
 */
u32 swap_tier_max_errors = 32;

/*
 * The time that must have passed since the first of these errors, so that a
 * short outage with many errors at once does not make the device fail.
 */
#define SWAP_TIER_FAIL_TIME	(5 * HZ)

/*
 * The number of failed writes in a row after which a tier is erring, and how
 * long it is. Stores prefer other devices meanwhile, because a process that
 * needs memory may be killed before five seconds are over. Then they try again,
 * so that the tier either recovers or fails.
 */
#define SWAP_TIER_ERRING	4
#define SWAP_TIER_ERRING_TIME	(HZ / 2)

/* Mask of the tiers to which writes fail, and jiffies until which it holds. */
unsigned long swap_tiers_erring __read_mostly;
static unsigned long swap_tiers_erring_until __read_mostly;

/* Answer swap_tiers_sound() where writes fail. */
unsigned long __swap_tiers_sound(unsigned long tiers)
{
	unsigned long sound = tiers & ~READ_ONCE(swap_tiers_erring);

	if (time_after_eq(jiffies, READ_ONCE(swap_tiers_erring_until))) {
		/* A bit set just now is lost until the device's next error. */
		WRITE_ONCE(swap_tiers_erring, 0);
		return tiers;
	}
	if (sound & READ_ONCE(swap_tiers_online) & ~SWAP_TIER_ZSWAP)
		return sound;
	return tiers;
}

/* Forget the errors of a tier, because it is opened again. */
void swap_tier_forget_errors(struct swap_tier *tier)
{
	atomic_set(&tier->io_errors[READ], 0);
	atomic_set(&tier->io_errors[WRITE], 0);
	clear_bit(swap_tier_index(tier), &swap_tiers_erring);
}

/*
 * Tell whether a device has given nothing but errors for some time, for reads
 * or for writes: a medium that can't be written any more can often be read. One
 * success ends that. Any context, also interrupts.
 */
bool swap_tier_has_failed(struct swap_tier *tier)
{
	u32 most = READ_ONCE(swap_tier_max_errors);

	for (int rw = READ; rw <= WRITE; rw++) {
		if ((u32)atomic_read(&tier->io_errors[rw]) >= most &&
		    time_after_eq(jiffies, READ_ONCE(tier->first_error[rw]) +
					   SWAP_TIER_FAIL_TIME))
			return true;
	}
	return false;
}

/*
 * Count the end of an I/O of a tier, and queue fail_work when the tier has
 * failed. Any context, also interrupts.
 */
void swap_tier_io_done(struct swap_tier *tier, int rw, bool failed)
{
	int errors;

	if (!failed) {
		if (unlikely(atomic_read(&tier->io_errors[rw]))) {
			atomic_set(&tier->io_errors[rw], 0);
			if (rw == WRITE)
				clear_bit(swap_tier_index(tier),
					  &swap_tiers_erring);
		}
		return;
	}
	/*
	 * A device that needs no I/O reports an error when it lacks memory, and
	 * it may get memory again. data_race(): the flag does not change while
	 * the device is in use.
	 */
	if (data_race(tier->si->flags & SWP_SYNCHRONOUS_IO))
		return;
	errors = atomic_inc_return(&tier->io_errors[rw]);
	if (errors == 1)
		WRITE_ONCE(tier->first_error[rw], jiffies);
	if (rw == WRITE && errors >= SWAP_TIER_ERRING) {
		WRITE_ONCE(swap_tiers_erring_until,
			   jiffies + SWAP_TIER_ERRING_TIME);
		set_bit(swap_tier_index(tier), &swap_tiers_erring);
	}
	if (swap_tier_has_failed(tier) && swap_tier_is_online(tier)) {
		/*
		 * Not on a freezable workqueue: fail_work waits for works that
		 * are frozen for hibernation, so it could not be frozen itself.
		 */
		queue_work(system_dfl_wq, &tier->fail_work);
	}
}
