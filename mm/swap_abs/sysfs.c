// SPDX-License-Identifier: GPL-2.0
/*
 * The files in /sys/kernel/mm/swap/tiers/, which show and change the tiers.
 * Each file has one value; Documentation/ABI/testing/sysfs-kernel-mm-swap
 * describes them.
 *
 * The directory of a tier owns its struct swap_tier, which is freed when the
 * directory has been removed and the last open file in it has been closed. This
 * file checks the form of what the administrator writes and passes it to
 * tier.c, state.c and policy.c in mm/swap_abs/. It takes no lock itself.
 */
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/zswap.h>
#include "../swap.h"
#include "tier.h"

static struct kobject *swap_tiers_kobj;

static struct swap_tier *to_tier(struct kobject *kobj)
{
	return container_of(kobj, struct swap_tier, kobj);
}

static bool tier_is_zswap(struct swap_tier *tier)
{
	return IS_ENABLED(CONFIG_ZSWAP) && !tier->si;
}

static ssize_t type_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  tier_is_zswap(to_tier(kobj)) ? "zswap" : "device");
}

static struct kobj_attribute type_attr = __ATTR_RO(type);

static ssize_t device_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct swap_tier *tier = to_tier(kobj);
	struct file *file = NULL;
	char *path;
	int len;

	/*
	 * The file stays open: swapoff removes this attribute and waits for its
	 * readers before it closes the file.
	 */
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

static ssize_t rank_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(to_tier(kobj)->node.prio));
}

static ssize_t rank_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	struct swap_tier *tier = to_tier(kobj);
	int rank, err;

	if (tier_is_zswap(tier) || kstrtoint(buf, 10, &rank))
		return -EINVAL;
	err = swap_tier_set_rank(tier, rank);
	return err ?: count;
}

static struct kobj_attribute rank_attr = __ATTR_RW(rank);

static const char *const swap_tier_state_names[] = {
	[SWAP_TIER_NEW]		= "online",
	[SWAP_TIER_ONLINE]	= "online",
	[SWAP_TIER_CLOSED]	= "draining",
	[SWAP_TIER_DRAINING]	= "draining",
	[SWAP_TIER_FAILED]	= "failed",
};

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	enum swap_tier_state state = READ_ONCE(to_tier(kobj)->state);

	return sysfs_emit(buf, "%s\n", swap_tier_state_names[state]);
}

static ssize_t state_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	struct swap_tier *tier = to_tier(kobj);
	enum swap_tier_state state;
	int err;

	if (tier_is_zswap(tier))
		return -EINVAL;
	if (sysfs_streq(buf, "online"))
		state = SWAP_TIER_ONLINE;
	else if (sysfs_streq(buf, "draining"))
		state = SWAP_TIER_DRAINING;
	else
		return -EINVAL;
	err = swap_tier_set_state(tier, state);
	return err ?: count;
}

static struct kobj_attribute state_attr = __ATTR_RW(state);

static ssize_t swap_tier_watermark_show(struct kobject *kobj,
					enum swap_watermark which, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(to_tier(kobj)->watermark[which]));
}

static ssize_t swap_tier_watermark_store(struct kobject *kobj,
					 enum swap_watermark which,
					 const char *buf, size_t count)
{
	unsigned int percent;
	int err;

	if (kstrtouint(buf, 10, &percent))
		return -EINVAL;
	err = swap_tier_set_watermark(to_tier(kobj), which, percent);
	return err ?: count;
}

static ssize_t high_watermark_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return swap_tier_watermark_show(kobj, SWAP_WMARK_HIGH, buf);
}

static ssize_t high_watermark_store(struct kobject *kobj,
				    struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	return swap_tier_watermark_store(kobj, SWAP_WMARK_HIGH, buf, count);
}

static struct kobj_attribute high_watermark_attr = __ATTR_RW(high_watermark);

static ssize_t low_watermark_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return swap_tier_watermark_show(kobj, SWAP_WMARK_LOW, buf);
}

static ssize_t low_watermark_store(struct kobject *kobj,
				   struct kobj_attribute *attr, const char *buf,
				   size_t count)
{
	return swap_tier_watermark_store(kobj, SWAP_WMARK_LOW, buf, count);
}

static struct kobj_attribute low_watermark_attr = __ATTR_RW(low_watermark);

/*
 * Parse a size in bytes, like "64M", or the word "all". Return pages, or 0 for
 * anything else.
 */
static unsigned long swap_tier_parse_size(const char *buf)
{
	unsigned long long size;
	char *end;

	if (sysfs_streq(buf, "all"))
		return ULONG_MAX;
	if (!isdigit(*buf))
		return 0;
	size = memparse(buf, &end);
	if (!sysfs_streq(end, "") || size > LLONG_MAX)
		return 0;
	return DIV_ROUND_UP(size, PAGE_SIZE);
}

static ssize_t swap_tier_move_store(struct kobject *kobj, bool up,
				    const char *buf, size_t count)
{
	unsigned long pages = swap_tier_parse_size(buf);
	int err;

	if (!pages)
		return -EINVAL;
	err = swap_tier_move(to_tier(kobj), up, pages);
	return err ?: count;
}

static ssize_t swap_tier_move_show(struct kobject *kobj, bool up, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  (u64)READ_ONCE(to_tier(kobj)->moved[up])
				  << PAGE_SHIFT);
}

static ssize_t demote_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return swap_tier_move_show(kobj, false, buf);
}

static ssize_t demote_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	return swap_tier_move_store(kobj, false, buf, count);
}

static struct kobj_attribute demote_attr = __ATTR_RW(demote);

static ssize_t promote_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return swap_tier_move_show(kobj, true, buf);
}

static ssize_t promote_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	return swap_tier_move_store(kobj, true, buf, count);
}

static struct kobj_attribute promote_attr = __ATTR_RW(promote);

/* Return the pages that a tier can hold: of RAM, or of slots of the device. */
static unsigned long tier_capacity(struct swap_tier *tier)
{
	return tier_is_zswap(tier) ? zswap_capacity() :
				     tier->si->pages - READ_ONCE(tier->hidden);
}

static ssize_t capacity_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  (u64)tier_capacity(to_tier(kobj)) << PAGE_SHIFT);
}

static struct kobj_attribute capacity_attr = __ATTR_RO(capacity);

static ssize_t used_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct swap_tier *tier = to_tier(kobj);
	unsigned long pages;

	/*
	 * The sum may exceed the capacity for a while: data that is collected
	 * counts in two segments until the old copy is dropped, and the counts
	 * of slots and of segments do not change at the same moment.
	 */
	pages = tier_is_zswap(tier) ?
			zswap_total_pages() :
			min(swap_tier_inuse(tier), tier_capacity(tier));
	return sysfs_emit(buf, "%llu\n", (u64)pages << PAGE_SHIFT);
}

static struct kobj_attribute used_attr = __ATTR_RO(used);

static ssize_t stored_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct swap_tier *tier = to_tier(kobj);
	s64 pages;

	if (tier_is_zswap(tier))
		pages = atomic_long_read(&zswap_stored_pages);
	else
		pages = swap_tier_blocks(tier) +
			swap_formats_sum(stored, tier, false);
	return sysfs_emit(buf, "%llu\n", (u64)pages << PAGE_SHIFT);
}

static struct kobj_attribute stored_attr = __ATTR_RO(stored);

static ssize_t format_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct swap_tier *tier = to_tier(kobj);

	if (tier_is_zswap(tier))
		return sysfs_emit(buf, "compressed\n");
	return sysfs_emit(buf, "%s\n", READ_ONCE(tier->format)->name);
}

static ssize_t format_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	const struct swap_format *format = swap_format_find(buf);
	struct swap_tier *tier = to_tier(kobj);
	int err;

	if (!format || tier_is_zswap(tier))
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
	&high_watermark_attr.attr,
	&low_watermark_attr.attr,
	&demote_attr.attr,
	&promote_attr.attr,
	NULL,
};

static const struct attribute_group swap_tier_group = {
	.attrs = swap_tier_attrs,
};

#define SWAP_TIER_STAT_ATTR(name, stat)					\
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attr, \
			   char *buf)					\
{									\
	return sysfs_emit(buf, "%lu\n",					\
			  swap_tier_stat_sum(to_tier(kobj), stat));	\
}									\
static struct kobj_attribute name##_attr = __ATTR_RO(name)

SWAP_TIER_STAT_ATTR(store, SWAP_TIER_STORE);
SWAP_TIER_STAT_ATTR(load, SWAP_TIER_LOAD);
SWAP_TIER_STAT_ATTR(moved_in, SWAP_TIER_MOVED_IN);
SWAP_TIER_STAT_ATTR(moved_out, SWAP_TIER_MOVED_OUT);
SWAP_TIER_STAT_ATTR(errors, SWAP_TIER_ERRORS);
SWAP_TIER_STAT_ATTR(collected, SWAP_TIER_COLLECTED);
SWAP_TIER_STAT_ATTR(refused, SWAP_TIER_REFUSED);
SWAP_TIER_STAT_ATTR(written, SWAP_TIER_WRITTEN);

static ssize_t segments_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_tier(kobj)->nr_segments));
}

static struct kobj_attribute segments_attr = __ATTR_RO(segments);

static ssize_t live_bytes_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", swap_formats_sum(live, to_tier(kobj)));
}

static struct kobj_attribute live_bytes_attr = __ATTR_RO(live_bytes);

static ssize_t dead_bytes_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", swap_formats_sum(dead, to_tier(kobj)));
}

static struct kobj_attribute dead_bytes_attr = __ATTR_RO(dead_bytes);

static ssize_t bad_show(struct kobject *kobj, struct kobj_attribute *attr,
			char *buf)
{
	struct swap_tier *tier = to_tier(kobj);

	return sysfs_emit(buf, "%lu\n", swap_formats_sum(nr_bad, tier));
}

static struct kobj_attribute bad_attr = __ATTR_RO(bad);

static struct attribute *swap_tier_stat_attrs[] = {
	&store_attr.attr,
	&load_attr.attr,
	&moved_in_attr.attr,
	&moved_out_attr.attr,
	&errors_attr.attr,
	&collected_attr.attr,
	&segments_attr.attr,
	&live_bytes_attr.attr,
	&dead_bytes_attr.attr,
	&bad_attr.attr,
	&refused_attr.attr,
	&written_attr.attr,
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

/*
 * Create the directory of a tier that is complete otherwise. The tier's kobject
 * owns the tier from now on, so that the caller must call kobject_put() when
 * this fails. Sleeps. Return 0 or an error.
 */
int swap_tier_sysfs_add(struct swap_tier *tier)
{
	int err;

	kobject_init(&tier->kobj, &swap_tier_ktype);
	/* Set the name even without a directory: cgroup files show the name. */
	err = tier_is_zswap(tier) ?
		      kobject_set_name(&tier->kobj, "zswap") :
		      kobject_set_name(&tier->kobj, "swap%d", tier->id);
	if (err || !swap_tiers_kobj)
		return err;
	return kobject_add(&tier->kobj, swap_tiers_kobj, NULL);
}

static int __init swap_tier_sysfs_init(void)
{
	if (!swap_kobj)
		return -ENOMEM;
	swap_tiers_kobj = kobject_create_and_add("tiers", swap_kobj);
	return swap_tiers_kobj ? 0 : -ENOMEM;
}

/*
 * This must run after the parent directory was created (subsys_initcall()) and
 * before the first tier is created (fs_initcall()).
 */
subsys_initcall_sync(swap_tier_sysfs_init);
