// SPDX-License-Identifier: GPL-2.0
/*
 * Files for tests of the swap abstraction, in debugfs (swap_abs/):
 *
 *	check		checks the invariants of every slot and compares sums
 *	metadata	shows how much memory the layer has allocated for what
 *	move_delay_ms	how long a mover waits while it has a slot pinned, so
 *			that tests can act at that moment
 *	max_io_errors	I/O errors in a row after which a tier may fail
 *	reopen_delay	seconds until a failed tier is opened for the first time
 *	retry		a write retries bad places and failed tiers at once
 *	medium_errors	makes each I/O error count as one of the medium
 *
 * Formats add files of their own (swap_format.debug_files()).
 *
 * "check" and "metadata" walk the whole virtual area with one cluster locked at
 * a time. The sums that "check" compares are exact only while nothing is
 * swapped in or out, so it skips the comparison when it sees that something
 * was. It does not see a task that has taken capacity and waits for memory, so
 * it repeats a comparison that fails for two seconds.
 *
 * Nothing but tests reads these files.
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "../swap_table.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

struct swap_check {
	unsigned long violations;
	unsigned long slot_violations;	/* of single slots, which stay wrong */
	unsigned long slots, reserved, pinned, lost;
	unsigned long blocks[MAX_SWAPFILES];
	unsigned long objects;
	unsigned long charged[NR_SWAP_TIER_INDEXES];	/* to non-root memcgs */
	char first[128];
};

static __printf(2, 3) void violation(struct swap_check *check, const char *fmt,
				     ...)
{
	va_list args;

	if (check->violations++)
		return;
	va_start(args, fmt);
	vscnprintf(check->first, sizeof(check->first), fmt, args);
	va_end(args);
}

/* Let the backend of a word check it. Return whether it finds nothing wrong. */
static bool check_copy(struct swap_check *check, unsigned long slot,
		       swap_desc_t word)
{
	const struct swap_backend *backend = swap_backend_of(word);
	const char *wrong;

	wrong = backend && backend->check ? backend->check(word) : NULL;
	if (wrong)
		violation(check, "slot %lu %s: %lx", slot, wrong, word.val);
	return !wrong;
}

/* Check the descriptor of a slot whose data is on a device, and count it. */
static void check_device(struct swap_check *check, unsigned long slot,
			 swap_desc_t word)
{
	swp_entry_t entry = swap_desc_device_entry(word);
	struct swap_info_struct *si = READ_ONCE(swap_info[swp_type(entry)]);
	bool right;

	if (!si || !si->tier || swp_offset(entry) >= si->max) {
		violation(check, "slot %lu on no device: %lx", slot, word.val);
		return;
	}
	right = check_copy(check, slot, word);
	if (swap_desc_is_block(word))
		check->blocks[swp_type(entry)]++;
	else if (right)
		check->objects++;
}

static void check_slot(struct swap_check *check, struct swap_cluster_info *ci,
		       unsigned int ci_off, unsigned long slot,
		       swap_desc_t word)
{
	unsigned long swp_tb = __swap_table_get(ci, ci_off);
	bool empty = swap_desc_same(word, swap_desc_none());
	enum swap_desc_tag tag = swap_desc_tag(word);
	bool zero;

	if (swp_tb_is_null(swp_tb) || swp_tb_is_bad(swp_tb)) {
		if (!empty)
			violation(check, "slot %lu is not in use: %lx", slot,
				  word.val);
		return;
	}
	check->slots++;
	check->reserved += swap_desc_is_promised(word);
	check->pinned += swap_desc_is_pinned(word);
	check->lost += tag == SWAP_DESC_LOST;

	zero = __swap_table_test_zero(ci, ci_off);
	if (zero && !empty)
		violation(check, "slot %lu is zero and somewhere: %lx", slot,
			  word.val);
	if (swp_tb_is_shadow(swp_tb) && !zero && tag == SWAP_DESC_NONE)
		violation(check, "slot %lu has data nowhere: %lx", slot,
			  word.val);
	if (swp_tb_is_shadow(swp_tb) && !__swp_tb_get_count(swp_tb))
		violation(check, "slot %lu is nobody's", slot);
	if (tag != SWAP_DESC_NONE && tag != SWAP_DESC_LOST &&
	    !swap_backend_of(word))
		violation(check, "slot %lu has no backend: %lx", slot,
			  word.val);
	if (tag != SWAP_DESC_NONE && tag != SWAP_DESC_ZSWAP &&
	    swap_desc_is_promised(word))
		violation(check, "slot %lu holds capacity twice: %lx", slot,
			  word.val);
	if ((tag == SWAP_DESC_NONE || tag == SWAP_DESC_LOST) &&
	    swap_desc_is_pinned(word))
		violation(check, "slot %lu is pinned nowhere: %lx", slot,
			  word.val);
	if (swap_desc_on_device(word))
		check_device(check, slot, word);
	else
		check_copy(check, slot, word);
	if (swap_desc_tier(word) >= 0 && swap_memcg_counts(ci, ci_off))
		check->charged[swap_desc_tier(word)]++;
}

static void check_formats_begin(void)
{
	struct swap_info_struct *si;
	int type;

	for (type = 0; type < MAX_SWAPFILES; type++) {
		si = READ_ONCE(swap_info[type]);
		if (si && !swap_is_virtual(si) && si->tier)
			swap_formats_call(check, si->tier, true);
	}
}

static void check_clusters(struct swap_check *check)
{
	struct swap_info_struct *si = swap_virtual_area;
	unsigned long slot, max = READ_ONCE(si->max);
	struct swap_cluster_info *ci;
	swap_desc_t *desc;
	unsigned int i;

	for (slot = 0; slot < max; slot += SWAPFILE_CLUSTER) {
		ci = swap_cluster_lock(si, slot);
		desc = rcu_dereference_protected(ci->desc,
						 lockdep_is_held(&ci->lock));
		if (!desc != !rcu_access_pointer(ci->table))
			violation(check,
				  "cluster of slot %lu has one table only",
				  slot);
		for (i = 0; desc && i < SWAPFILE_CLUSTER; i++)
			check_slot(check, ci, i, slot + i, desc[i]);
		swap_cluster_unlock(ci);
		cond_resched();
	}
}

/*
 * Count anew what the clusters of a device add to nr_swap_pages. The code that
 * is tested only adds up the changes, like swap_room_change().
 */
static long device_room(struct swap_info_struct *si)
{
	unsigned int i, nr = DIV_ROUND_UP(si->max, SWAPFILE_CLUSTER);
	struct swap_cluster_info *ci;
	long room = 0;

	for (i = 0; i < nr; i++) {
		ci = &si->cluster_info[i];
		spin_lock(&ci->lock);
		/* Data on a closed device takes no room of other devices. */
		if (ci->flags >= CLUSTER_FLAG_LENT && i < si->nr_closed)
			room += SWAPFILE_CLUSTER - swap_cluster_nr_bad(ci);
		else if (ci->flags == CLUSTER_FLAG_LENT_SEGMENT)
			room += SWAPFILE_CLUSTER -
				(long)swap_formats_sum(segment_held, ci);
		else if (ci->flags >= CLUSTER_FLAG_LENT)
			room += SWAPFILE_CLUSTER -
				bitmap_weight(ci->lent_map, SWAPFILE_CLUSTER);
		else if (ci->count == swap_cluster_nr_bad(ci) ||
			 i >= si->nr_adopted)
			room += SWAPFILE_CLUSTER - ci->count;
		spin_unlock(&ci->lock);
		cond_resched();
	}
	/* Slots that CPUs have taken ahead are neither used nor promised. */
	return room + swap_formats_sum(ahead, si->tier);
}

static void check_sums(struct swap_check *check, long nr_before, bool moving)
{
	unsigned long used[MAX_SWAPFILES] = {};
	struct swap_info_struct *si;
	unsigned int wrong = 0, closed = 0;
	long room = 0;
	int type;

	for (type = 0; type < MAX_SWAPFILES; type++) {
		si = READ_ONCE(swap_info[type]);
		if (!si)
			break;
		if (swap_is_virtual(si) || !si->tier)
			continue;
		closed += !swap_tier_is_online(si->tier);
		room += device_room(si) - READ_ONCE(si->tier->hidden);
		if (!swap_tier_is_online(si->tier))
			room -= si->pages;
		used[type] = percpu_counter_sum(&si->tier->used) -
			     swap_formats_sum(ahead, si->tier) -
			     (unsigned long)READ_ONCE(si->tier->nr_segments) *
				     SWAPFILE_CLUSTER;
		wrong += swap_formats_sum(check, si->tier, false);
	}
	if (atomic_long_read(&nr_swap_pages) != nr_before || moving ||
	    atomic_long_read(&swap_bytes_moving))
		return;

	if (wrong)
		violation(check,
			  "%u segments with other bytes in use than counted",
			  wrong);
	for (type = 0; type < MAX_SWAPFILES; type++)
		if (used[type] != check->blocks[type])
			violation(check,
				  "type %d: %lu blocks used, %lu pointed to",
				  type, used[type], check->blocks[type]);
	if (room - (long)check->reserved != nr_before)
		violation(check,
			  "%ld pages of capacity, %lu reserved, %ld counted",
			  room, check->reserved, nr_before);
	if (!closed && (nr_before < -64 || nr_before > (long)total_swap_pages))
		violation(check, "%ld pages free of %ld", nr_before,
			  total_swap_pages);
}

/*
 * Compare how much cgroups have in each tier with the slots that were found,
 * unless the counts have changed since @before.
 */
static void check_memcgs(struct swap_check *check, const unsigned long *before)
{
	unsigned long sum[NR_SWAP_TIER_INDEXES] = {};
	int tier;

	swap_memcg_sum(sum);
	if (memcmp(sum, before, sizeof(sum)))
		return;
	for (tier = 0; tier < NR_SWAP_TIER_INDEXES; tier++)
		if (sum[tier] != check->charged[tier])
			violation(check, "tier %d: %lu pages counted for cgroups, %lu are there",
				  tier, sum[tier], check->charged[tier]);
}

/* How often sums that differ are compared, and the pause after each time. */
#define CHECK_TRIES	20
#define CHECK_PAUSE_MS	100

static int check_show(struct seq_file *m, void *v)
{
	unsigned int tries = CHECK_TRIES;
	unsigned long charged[NR_SWAP_TIER_INDEXES];
	struct swap_check *check;
	bool moving;
	long nr;

	check = kzalloc_obj(*check);
	if (!check)
		return -ENOMEM;

	mutex_lock(&swap_abs_mutex);
	while (swap_abs_used() && tries--) {
		memset(check, 0, sizeof(*check));
		memset(charged, 0, sizeof(charged));
		nr = atomic_long_read(&nr_swap_pages);
		moving = atomic_long_read(&swap_bytes_moving);
		swap_memcg_sum(charged);
		check_formats_begin();
		check_clusters(check);
		check->slot_violations = check->violations;
		check_sums(check, nr, moving);
		check_memcgs(check, charged);
		if (!check->violations || check->slot_violations)
			break;
		/*
		 * Drop the mutex during the pause, because a swapoff that has
		 * changed some of the sums may wait for it.
		 */
		mutex_unlock(&swap_abs_mutex);
		msleep(CHECK_PAUSE_MS);
		mutex_lock(&swap_abs_mutex);
	}
	mutex_unlock(&swap_abs_mutex);

	seq_printf(m, "violations: %lu\n", check->violations);
	if (check->violations) {
		seq_printf(m, "first: %s\n", check->first);
		pr_err("swap_abs: %lu violations, first: %s\n",
		       check->violations, check->first);
	}
	seq_printf(m, "slots: %lu\nreserved: %lu\npinned: %lu\nlost: %lu\norphans: %ld\n",
		   check->slots, check->reserved, check->pinned, check->lost,
		   atomic_long_read(&swap_debug_orphans));
	kfree(check);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(check);

static size_t memcg_table_size(struct swap_cluster_info *ci)
{
#ifdef CONFIG_MEMCG
	return ci->memcg_table ? ksize(ci->memcg_table) : 0;
#else
	return 0;
#endif
}

static int metadata_show(struct seq_file *m, void *v)
{
	unsigned long clusters = 0, memcg = 0, lent = 0, lent_map = 0;
	unsigned long lent_segments = 0, segment = 0;
	struct swap_check *check;
	struct swap_cluster_info *ci;
	struct swap_info_struct *si;
	unsigned long i, nr, raw = 0;
	int type;

	check = kzalloc_obj(*check);
	if (!check)
		return -ENOMEM;

	mutex_lock(&swap_abs_mutex);
	if (!swap_abs_used())
		goto out;

	check_clusters(check);
	si = swap_virtual_area;
	nr = READ_ONCE(si->max) / SWAPFILE_CLUSTER;
	for (i = 0; i < nr; i++) {
		ci = &si->cluster_info[i];
		spin_lock(&ci->lock);
		if (rcu_access_pointer(ci->table)) {
			clusters++;
			memcg += memcg_table_size(ci);
		}
		spin_unlock(&ci->lock);
	}
	for (type = 0; type < MAX_SWAPFILES; type++) {
		si = READ_ONCE(swap_info[type]);
		if (!si)
			break;
		if (swap_is_virtual(si) ||
		    !(READ_ONCE(si->flags) & SWP_WRITEOK))
			continue;
		raw += check->blocks[type];
		nr = DIV_ROUND_UP(si->max, SWAPFILE_CLUSTER);
		for (i = 0; i < nr; i++) {
			ci = &si->cluster_info[i];
			spin_lock(&ci->lock);
			if (ci->flags == CLUSTER_FLAG_LENT_SEGMENT) {
				lent_segments++;
				segment += ksize(ci->segment);
			} else if (ci->flags >= CLUSTER_FLAG_LENT) {
				lent++;
				lent_map += ksize(ci->lent_map);
			}
			spin_unlock(&ci->lock);
		}
	}
out:
	mutex_unlock(&swap_abs_mutex);

	nr = IS_ENABLED(CONFIG_ZSWAP) ? atomic_long_read(&zswap_stored_pages) :
					0;
	seq_printf(m, "virtual_slots_used %lu\n", check->slots);
	seq_printf(m, "table_bytes %lu\n",
		   clusters * sizeof(struct swap_table));
	seq_printf(m, "descriptor_bytes %lu\n",
		   clusters * sizeof(struct swap_table));
	seq_printf(m, "memcg_bytes %lu\n", memcg);
	seq_printf(m, "cluster_bytes %lu\n",
		   clusters * sizeof(struct swap_cluster_info));
	seq_printf(m, "lent_map_bytes %lu\n", lent_map);
	seq_printf(m, "lent_cluster_bytes %lu\n",
		   lent * sizeof(struct swap_cluster_info));
	seq_printf(m, "segment_bytes %lu\n", segment +
		   lent_segments * sizeof(struct swap_cluster_info));
	seq_printf(m, "zswap_entry_bytes %zu\n",
		   zswap_metadata_bytes());
	seq_printf(m, "zswap_handle_bytes %lu\n", nr * sizeof(long));
	seq_printf(m, "cluster_info_size %zu\n",
		   sizeof(struct swap_cluster_info));
	seq_printf(m, "raw_pages %lu\n", raw);
	seq_printf(m, "packed_pages %lu\n", check->objects);
	seq_printf(m, "zswap_pages %lu\n", nr);
	kfree(check);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(metadata);

static int retry_set(void *data, u64 value)
{
	swap_tiers_retry_now();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(retry_fops, NULL, retry_set, "%llu\n");

static int __init swap_abs_debug_init(void)
{
	struct dentry *dir = debugfs_create_dir("swap_abs", NULL);

	debugfs_create_file("check", 0400, dir, NULL, &check_fops);
	debugfs_create_file("metadata", 0400, dir, NULL, &metadata_fops);
	debugfs_create_u32("move_delay_ms", 0600, dir, &swap_debug_move_delay);
	debugfs_create_u32("max_io_errors", 0600, dir, &swap_tier_max_errors);
	debugfs_create_u32("reopen_delay", 0600, dir, &swap_tier_reopen_delay);
	debugfs_create_file_unsafe("retry", 0200, dir, NULL, &retry_fops);
	debugfs_create_bool("medium_errors", 0600, dir,
			    &swap_errors_are_medium);
	swap_formats_call(debug_files, dir);
	return 0;
}
late_initcall(swap_abs_debug_init);
