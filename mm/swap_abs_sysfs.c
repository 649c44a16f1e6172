// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/mm/swap/tiers/: what the tiers of the swap abstraction are and
 * how much they hold. One value a file; see
 * Documentation/ABI/testing/sysfs-kernel-mm-swap.
 *
 * The directory of a tier owns its struct swap_tier: that is freed when the last
 * open file of it is closed. Nothing here takes a lock but swap_tiers_lock, for
 * the order; choosing a format is done by mm/swap_abs_tier.c.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/zswap.h>
#include "swap.h"
#include "swap_abs.h"

static struct kobject *swap_tiers_kobj;

static struct swap_tier *to_tier(struct kobject *kobj)
{
	return container_of(kobj, struct swap_tier, kobj);
}

static bool tier_is_zswap(struct swap_tier *tier)
{
	return IS_ENABLED(CONFIG_ZSWAP) && !tier->si;
}

static ssize_t type_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", tier_is_zswap(to_tier(kobj)) ? "zswap" : "device");
}

static struct kobj_attribute type_attr = __ATTR_RO(type);

static ssize_t device_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct swap_tier *tier = to_tier(kobj);
	struct file *file = NULL;
	char *path;
	int len;

	/* swapoff removes this file, and waits for readers, before it closes that. */
	if (!tier_is_zswap(tier))
		file = READ_ONCE(tier->si->swap_file);
	if (!file)
		return sysfs_emit(buf, "\n");
	path = file_path(file, buf, PAGE_SIZE - 2);
	if (IS_ERR(path))
		return PTR_ERR(path);
	len = strlen(path);
	memmove(buf, path, len);
	return len + sysfs_emit_at(buf, len, "\n");
}

static struct kobj_attribute device_attr = __ATTR_RO(device);

/* zswap first, then the devices: by priority, equal ones alike. */
static ssize_t rank_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct swap_tier *tier = to_tier(kobj), *pos;
	int rank = 0, prio = INT_MIN;

	if (tier_is_zswap(tier))
		return sysfs_emit(buf, "0\n");

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(pos, &swap_tiers, node) {
		if (pos->node.prio != prio)
			rank++;
		prio = pos->node.prio;
		if (pos == tier)
			break;
	}
	spin_unlock(&swap_tiers_lock);
	return sysfs_emit(buf, "%d\n", rank);
}

static struct kobj_attribute rank_attr = __ATTR_RO(rank);

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  READ_ONCE(to_tier(kobj)->draining) ? "draining" : "online");
}

static struct kobj_attribute state_attr = __ATTR_RO(state);

static ssize_t capacity_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct swap_tier *tier = to_tier(kobj);
	unsigned long pages;

	pages = tier_is_zswap(tier) ? zswap_capacity() : tier->si->pages;
	return sysfs_emit(buf, "%llu\n", (u64)pages << PAGE_SHIFT);
}

static struct kobj_attribute capacity_attr = __ATTR_RO(capacity);

static ssize_t used_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct swap_tier *tier = to_tier(kobj);
	unsigned long pages;

	pages = tier_is_zswap(tier) ? zswap_total_pages() :
				      percpu_counter_sum_positive(&tier->used);
	return sysfs_emit(buf, "%llu\n", (u64)pages << PAGE_SHIFT);
}

static struct kobj_attribute used_attr = __ATTR_RO(used);

static ssize_t stored_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct swap_tier *tier = to_tier(kobj);
	s64 pages;

	if (tier_is_zswap(tier))
		pages = atomic_long_read(&zswap_stored_pages);
	else
		pages = max(percpu_counter_sum_positive(&tier->used) -
			    (s64)swap_packed_segments(tier) * SWAPFILE_CLUSTER, 0) +
			swap_packed_objects(tier);
	return sysfs_emit(buf, "%llu\n", (u64)pages << PAGE_SHIFT);
}

static struct kobj_attribute stored_attr = __ATTR_RO(stored);

static const char *const swap_format_names[] = {
	[SWAP_FORMAT_RAW]	= "raw",
	[SWAP_FORMAT_PACKED]	= "packed",
};

static ssize_t format_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct swap_tier *tier = to_tier(kobj);

	if (tier_is_zswap(tier))
		return sysfs_emit(buf, "compressed\n");
	return sysfs_emit(buf, "%s\n", swap_format_names[READ_ONCE(tier->format)]);
}

static ssize_t format_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	struct swap_tier *tier = to_tier(kobj);
	int format, err;

	format = sysfs_match_string(swap_format_names, buf);
	if (format < 0 || tier_is_zswap(tier))
		return -EINVAL;
	err = swap_tier_set_format(tier, format);
	return err ?: count;
}

static struct kobj_attribute format_attr = __ATTR_RW(format);

static struct attribute *swap_tier_attrs[] = {
	&type_attr.attr,
	&format_attr.attr,
	&device_attr.attr,
	&rank_attr.attr,
	&state_attr.attr,
	&capacity_attr.attr,
	&used_attr.attr,
	&stored_attr.attr,
	NULL,
};

static const struct attribute_group swap_tier_group = {
	.attrs = swap_tier_attrs,
};

#define SWAP_TIER_STAT_ATTR(name, stat)						\
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attr,	\
			   char *buf)						\
{										\
	return sysfs_emit(buf, "%lu\n", swap_tier_stat_sum(to_tier(kobj), stat)); \
}										\
static struct kobj_attribute name##_attr = __ATTR_RO(name)

SWAP_TIER_STAT_ATTR(store, SWAP_TIER_STORE);
SWAP_TIER_STAT_ATTR(load, SWAP_TIER_LOAD);
SWAP_TIER_STAT_ATTR(moved_in, SWAP_TIER_MOVED_IN);
SWAP_TIER_STAT_ATTR(moved_out, SWAP_TIER_MOVED_OUT);
SWAP_TIER_STAT_ATTR(errors, SWAP_TIER_ERRORS);

static struct attribute *swap_tier_stat_attrs[] = {
	&store_attr.attr,
	&load_attr.attr,
	&moved_in_attr.attr,
	&moved_out_attr.attr,
	&errors_attr.attr,
	NULL,
};

static const struct attribute_group swap_tier_stat_group = {
	.name = "stats",
	.attrs = swap_tier_stat_attrs,
};

static const struct attribute_group *swap_tier_groups[] = {
	&swap_tier_group,
	&swap_tier_stat_group,
	NULL,
};

static void swap_tier_release(struct kobject *kobj)
{
	swap_tier_free(to_tier(kobj));
}

static const struct kobj_type swap_tier_ktype = {
	.release	= swap_tier_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= swap_tier_groups,
};

/**
 * swap_tier_sysfs_add - show a tier
 * @tier: a tier that is complete; its kobject owns it from now on
 *
 * Context: process context, sleeps.
 * Return: 0 or an error; the caller calls kobject_put() for an error.
 */
int swap_tier_sysfs_add(struct swap_tier *tier)
{
	if (!swap_tiers_kobj) {
		kobject_init(&tier->kobj, &swap_tier_ktype);
		return 0;
	}
	if (tier_is_zswap(tier))
		return kobject_init_and_add(&tier->kobj, &swap_tier_ktype,
					    swap_tiers_kobj, "zswap");
	return kobject_init_and_add(&tier->kobj, &swap_tier_ktype,
				    swap_tiers_kobj, "swap%d", tier->id);
}

/**
 * swap_tier_sysfs_del - remove a tier's files, wait for their readers, free it
 * @tier: the tier
 *
 * Context: process context, sleeps.
 */
void swap_tier_sysfs_del(struct swap_tier *tier)
{
	kobject_del(&tier->kobj);
	kobject_put(&tier->kobj);
}

static int __init swap_tier_sysfs_init(void)
{
	if (!swap_kobj)
		return -ENOMEM;
	swap_tiers_kobj = kobject_create_and_add("tiers", swap_kobj);
	return swap_tiers_kobj ? 0 : -ENOMEM;
}

/* After the parent (subsys_initcall), before the first tier (fs_initcall). */
subsys_initcall_sync(swap_tier_sysfs_init);
