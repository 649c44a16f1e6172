// SPDX-License-Identifier: GPL-2.0
/*
 * The files of a memory cgroup that speak of tiers of swap: swap.tiers.max, and
 * lines of memory.stat.
 *
 * This file reads and prints names and sizes. It hands limits to
 * mm/swap_abs/memcg.c, which keeps them. The cgroup core calls it for
 * swap.tiers.max, and mm/memcontrol.c for memory.stat.
 *
 * Locks: swap_memcg_mutex, so that a tier keeps its name and its limits while
 * they are used; it is inside of cgroup_mutex. swap_tiers_lock is inside of
 * swap_memcg_mutex.
 */
#include <linux/cgroup.h>
#include <linux/ctype.h>
#include <linux/init.h>
#include <linux/memcontrol.h>
#include <linux/mutex.h>
#include <linux/page_counter.h>
#include <linux/plist.h>
#include <linux/seq_buf.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/swap.h>
#include "../swap.h"
#include "memcg.h"
#include "tier.h"

/*
 * Return the tier after @tier, or the first one for NULL: zswap comes first,
 * then the devices by rank.
 */
static struct swap_tier *swap_tiers_next(struct swap_tier *tier)
{
	struct plist_node *node;

	lockdep_assert_held(&swap_tiers_lock);
	if (!tier && swap_zswap_tier)
		return swap_zswap_tier;
	if (plist_head_empty(&swap_tiers))
		return NULL;
	if (!tier || !tier->si)
		return plist_first_entry(&swap_tiers, struct swap_tier, node);
	node = &tier->node;
	if (node == plist_last(&swap_tiers))
		return NULL;
	return container_of(plist_next(node), struct swap_tier, node);
}

/*
 * Print the lines of memory.stat for tiers; the root has none, because it is
 * not counted. Does not sleep, because the OOM killer prints them too. Must not
 * be called in interrupts.
 */
void swap_memcg_stat_format(struct mem_cgroup *memcg, struct seq_buf *s)
{
	struct swap_tier *tier = NULL;
	u64 pages;

	if (!memcg->swap_tiers || !swap_abs_used())
		return;

	spin_lock(&swap_tiers_lock);
	while ((tier = swap_tiers_next(tier))) {
		pages = swap_memcg_usage(memcg, swap_tier_index(tier));
		seq_buf_printf(s, "swap_tier_%s %llu\n",
			       kobject_name(&tier->kobj), pages << PAGE_SHIFT);
	}
	spin_unlock(&swap_tiers_lock);
}

static int swap_tiers_max_show(struct seq_file *m, void *v)
{
	struct mem_cgroup *memcg = mem_cgroup_from_seq(m);
	struct swap_tier *tier = NULL;
	u64 max;

	mutex_lock(&swap_memcg_mutex);
	spin_lock(&swap_tiers_lock);
	while ((tier = swap_tiers_next(tier))) {
		max = swap_memcg_limit(memcg, swap_tier_index(tier));
		if (max < PAGE_COUNTER_MAX)
			seq_printf(m, "%s %llu\n", kobject_name(&tier->kobj),
				   max << PAGE_SHIFT);
		else
			seq_printf(m, "%s max\n", kobject_name(&tier->kobj));
	}
	spin_unlock(&swap_tiers_lock);
	mutex_unlock(&swap_memcg_mutex);
	return 0;
}

/*
 * Return the index of a tier by its name, or -EINVAL. The index remains this
 * tier's until the caller drops swap_memcg_mutex.
 */
static int swap_memcg_find(const char *name)
{
	struct swap_tier *tier = NULL;
	int type = -EINVAL;

	lockdep_assert_held(&swap_memcg_mutex);
	spin_lock(&swap_tiers_lock);
	while ((tier = swap_tiers_next(tier)))
		if (!strcmp(kobject_name(&tier->kobj), name))
			type = swap_tier_index(tier);
	spin_unlock(&swap_tiers_lock);
	return type;
}

/*
 * Parse a line "<tier> <bytes or max>", for a tier that is not in @given yet.
 * Set its bit in @given, and its limit in @max in pages.
 */
static int swap_memcg_parse(char *line, unsigned long *max,
			    unsigned long *given)
{
	unsigned long long bytes;
	char *name;
	int type;

	line = strstrip(line);
	name = strsep(&line, " \t");
	type = swap_memcg_find(name);
	if (type < 0 || !line || (*given & BIT(type)))
		return -EINVAL;

	line = skip_spaces(line);
	/*
	 * Refuse these first, because memparse() takes a word for 0 and lets a
	 * number that is too large wrap.
	 */
	if ((!isdigit(*line) && strcmp(line, "max")) ||
	    kstrtoull(line, 0, &bytes) == -ERANGE)
		return -EINVAL;
	*given |= BIT(type);
	return page_counter_memparse(line, "max", &max[type]);
}

static ssize_t swap_tiers_max_write(struct kernfs_open_file *of, char *buf,
				    size_t nbytes, loff_t off)
{
	struct mem_cgroup *memcg = mem_cgroup_from_css(of_css(of));
	unsigned long max[NR_SWAP_TIER_INDEXES], given = 0;
	bool excess = false;
	char *line;
	int err;

	buf = strstrip(buf);
	mutex_lock(&swap_memcg_mutex);
	do {
		line = strsep(&buf, "\n");
		err = swap_memcg_parse(line, max, &given);
	} while (!err && buf);
	if (!err)
		excess = swap_memcg_set_limits(memcg, max, given);
	mutex_unlock(&swap_memcg_mutex);

	if (excess)
		swap_move_queue(&swap_excess_work);
	return err ?: nbytes;
}

static struct cftype swap_memcg_files[] = {
	{
		.name = "swap.tiers.max",
		.flags = CFTYPE_NOT_ON_ROOT,
		.seq_show = swap_tiers_max_show,
		.write = swap_tiers_max_write,
	},
	{ }	/* terminate */
};

static int __init swap_memcg_init(void)
{
	if (!mem_cgroup_disabled())
		WARN_ON(cgroup_add_dfl_cftypes(&memory_cgrp_subsys,
					       swap_memcg_files));
	return 0;
}
subsys_initcall(swap_memcg_init);
