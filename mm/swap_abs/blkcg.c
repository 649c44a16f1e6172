// SPDX-License-Identifier: GPL-2.0
/*
 * Charging the writes of the swap abstraction's packed backend. The blkcg of
 * the memory cgroup whose pages are in a chunk pays for its write, as it pays
 * for a page that is written raw.
 *
 * So io.stat shows the bytes that were written for a cgroup, compressed and
 * with the padding, and io.max, io.latency and io.cost hold the cgroup to
 * account. None of these makes the write itself wait: it has REQ_SWAP, is
 * dispatched at once, and its cgroup pays later. Otherwise one cgroup that is
 * throttled would hold all chunks of a tier.
 *
 * The root pays for what movers read. If a cgroup were in debt for that, its
 * own faults would be delayed with their folios locked, and the mover has to
 * wait for these folios.
 *
 * The root also pays for what the collector writes again. The objects that have
 * died make that necessary, and nobody knows any more whose they were. The
 * survivors belong to the cgroups that have written and freed the least.
 *
 * mm/swap_abs/packed.c and mm/swap_abs/chunk.c call this. The css is referenced
 * while a page is stored, and by a chunk. The blkg is looked up when the chunk
 * is submitted, because a blkg that is held for longer may lack the data of a
 * controller that was switched on later.
 *
 * Locks: that of a virtual cluster, to read the id of a slot's cgroup.
 */
#include <linux/blk-cgroup.h>
#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/swap.h>
#include "../swap.h"
#include "../swap_table.h"
#include "packed.h"

static struct cgroup_subsys_state *
swap_blkcg_get_memcg(struct mem_cgroup *memcg)
{
	struct cgroup_subsys_state *css =
		cgroup_e_css(memcg->css.cgroup, &io_cgrp_subsys);

	/*
	 * The usual case is the root. It needs no reference, and NULL stands
	 * for the queue's root_blkg.
	 */
	if (css == blkcg_root_css || !css_tryget(css))
		return NULL;
	return css;
}

/*
 * Return the blkcg that pays for the write of a locked folio, with a reference
 * that swap_blkcg_put() drops, or NULL for the root.
 */
struct cgroup_subsys_state *swap_blkcg_get(struct folio *folio)
{
	struct cgroup_subsys_state *css;

	if (!folio_memcg_charged(folio))
		return NULL;
	rcu_read_lock();
	css = swap_blkcg_get_memcg(folio_memcg(folio));
	rcu_read_unlock();
	return css;
}

/*
 * Return the blkcg that pays for the write of a slot's data without a folio, as
 * swap_blkcg_get() does. The caller has pinned the data. With cgroup v1 the
 * slot may have lost its cgroup, and then the root pays. Not for interrupts.
 */
struct cgroup_subsys_state *swap_blkcg_get_slot(swp_entry_t slot)
{
	struct cgroup_subsys_state *css = NULL;
	struct swap_cluster_info *ci;
	struct mem_cgroup *memcg;
	unsigned short id;

	rcu_read_lock();
	ci = swap_cluster_lock(swap_virtual_area, swp_offset(slot));
	id = __swap_cgroup_get(ci, swp_cluster_offset(slot));
	memcg = mem_cgroup_from_private_id(id);
	swap_cluster_unlock(ci);
	if (memcg)
		css = swap_blkcg_get_memcg(memcg);
	rcu_read_unlock();
	return css;
}

/* Take another reference of what swap_blkcg_get() has returned. */
void swap_blkcg_hold(struct cgroup_subsys_state *css)
{
	if (css)
		css_get(css);
}

/* Drop a reference of what swap_blkcg_get() has returned. */
void swap_blkcg_put(struct cgroup_subsys_state *css)
{
	if (css)
		css_put(css);
}

/*
 * Return a number that tells a blkcg from all others, also from later ones at
 * the same address; 0 for the root.
 */
u64 swap_blkcg_serial(struct cgroup_subsys_state *css)
{
	return css ? css->serial_nr : 0;
}
