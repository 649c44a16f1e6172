// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays for the write of a chunk of the swap abstraction's packed backend: the blkcg
 * of the memory cgroup whose pages are in it, as for a page that is written raw.
 *
 * So io.stat shows the bytes that a cgroup has had written, compressed and with the
 * padding, and io.max, io.latency and io.cost hold it to account. None of them makes the
 * write itself wait: it has REQ_SWAP, is dispatched at once, and its cgroup pays later.
 * Otherwise one cgroup that is throttled would hold all chunks of a tier.
 *
 * What movers read is the root's: in debt for that, a cgroup's own faults would be put off,
 * with their folios locked, and the mover has to wait for these.
 *
 * What collection writes again is the root's: what makes it necessary are the objects
 * that have died, and of whom these were, nothing knows any more. The survivors are of
 * those that have written and freed the least.
 *
 * Called by mm/swap_abs/packed.c. A reference of the css is held while a page is stored, and
 * by a chunk. The blkg is looked up when the chunk is submitted, as one that is held for
 * longer may be without the data of a controller that was switched on meanwhile.
 *
 * Locks: that of a virtual cluster, for the id of a slot's cgroup.
 */
#include <linux/blk-cgroup.h>
#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/swap.h>
#include "../swap.h"
#include "../swap_table.h"
#include "packed.h"

static struct cgroup_subsys_state *swap_blkcg_get_memcg(struct mem_cgroup *memcg)
{
	struct cgroup_subsys_state *css = cgroup_e_css(memcg->css.cgroup, &io_cgrp_subsys);

	/* Nearly always: the root needs no reference, and has the queue's root_blkg. */
	if (css == blkcg_root_css || !css_tryget(css))
		return NULL;
	return css;
}

/**
 * swap_blkcg_get - who pays for the write of a folio
 * @folio: a locked folio
 *
 * Context: any.
 * Return: a blkcg with a reference, for swap_blkcg_put(), or NULL for the root.
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

/**
 * swap_blkcg_get_slot - who pays for the write of what has no folio
 * @slot: a slot that has data, which the caller has pinned
 *
 * With cgroup v1 the slot may not know any more, and then it is the root.
 *
 * Context: any but interrupts.
 * Return: as swap_blkcg_get().
 */
struct cgroup_subsys_state *swap_blkcg_get_slot(swp_entry_t slot)
{
	struct cgroup_subsys_state *css = NULL;
	struct swap_cluster_info *ci;
	struct mem_cgroup *memcg;

	rcu_read_lock();
	ci = swap_cluster_lock(swap_virtual_area, swp_offset(slot));
	memcg = mem_cgroup_from_private_id(__swap_cgroup_get(ci, swp_cluster_offset(slot)));
	swap_cluster_unlock(ci);
	if (memcg)
		css = swap_blkcg_get_memcg(memcg);
	rcu_read_unlock();
	return css;
}

/* Another reference of what swap_blkcg_get() has returned. */
void swap_blkcg_hold(struct cgroup_subsys_state *css)
{
	if (css)
		css_get(css);
}

/* Take back swap_blkcg_get(). */
void swap_blkcg_put(struct cgroup_subsys_state *css)
{
	if (css)
		css_put(css);
}

/* What tells a blkcg from all others, also from such that come after it; 0 is the root. */
u64 swap_blkcg_serial(struct cgroup_subsys_state *css)
{
	return css ? css->serial_nr : 0;
}
