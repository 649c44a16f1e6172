/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Moving data off a tier (mm/swap_abs/move.c, empty.c, compact.c).
 */
#ifndef _MM_SWAP_ABS_MOVE_H
#define _MM_SWAP_ABS_MOVE_H

#include <linux/freezer.h>
#include <linux/sched/signal.h>
#include "../swap_abs.h"

struct swap_object;
struct swap_tier;
struct work_struct;

#define SWAP_MOVE_BATCH		SWAP_CLUSTER_MAX

/**
 * struct swap_moving - a page that a mover moves by way of a folio
 * @folio: the folio, with a reference
 * @slot: the virtual slot that the data belongs to
 * @shadow: the shadow that the swap table had for the slot, if @own
 * @own: the mover has allocated the folio, which is on no LRU list
 * @forced: the folio was charged beyond its cgroup's limit; it must leave RAM
 *	again
 */
struct swap_moving {
	struct folio *folio;
	swp_entry_t slot;
	void *shadow;
	bool own;
	bool forced;
};

/* Pages that a mover reads and pages that it writes; see mm/swap_abs/move.c. */
struct swap_move_batch {
	struct swap_moving reading[SWAP_MOVE_BATCH];
	struct swap_moving writing[SWAP_MOVE_BATCH];
};

/**
 * struct swap_move_ops - moves pages that a format can't move as they are
 * @slot: move a page by way of a folio: swap_move_slot()
 * @settle: store the pages that were gathered: swap_move_settle()
 * @end: store them and let go of their folios: swap_move_end()
 */
struct swap_move_ops {
	int (*slot)(struct swap_move *move, swp_entry_t entry,
		    const struct swap_object *object);
	int (*settle)(struct swap_move *move);
	int (*end)(struct swap_move *move);
};

/**
 * struct swap_move - a move of data off a tier
 * @si: the device, NULL for zswap
 * @tiers: mask of the tiers that may get the data
 * @to_ram: the move is for swapoff: pages that no tier takes may stay in RAM,
 *	and pages that can't be read are declared lost
 * @excess: the move takes what cgroups have in the tier beyond their limits
 * @want: pages to move at most; ULONG_MAX for all
 * @floor: pages that zswap's pool keeps; for zswap only
 * @moved: pages moved so far, or on their way
 * @ops: for swap_format.move_out()
 * @state: the state of the tier, which another task may change, or NULL
 * @states: mask of the states in which the move goes on
 * @reads: I/O of the pages in @nr_reading
 * @nr_reading: pages of swap_tier.batch that are being read
 * @nr_writing: pages of swap_tier.batch that are being written
 * @nr_objects: objects of zswap that are on their way to a device as they are;
 *	for zswap only
 */
struct swap_move {
	struct swap_info_struct *si;
	unsigned long tiers;
	bool to_ram;
	bool excess;
	unsigned long want;
	unsigned long floor;
	unsigned long *moved;
	const struct swap_move_ops *ops;
	const enum swap_tier_state *state;
	unsigned long states;
	struct swap_io_ctx reads;
	unsigned int nr_reading;
	unsigned int nr_writing;
	unsigned int nr_objects;
};

#ifdef CONFIG_SWAP_ABS
/*
 * Tell whether the system is about to freeze and waits for the works of movers
 * to end. They go on after the thaw.
 */
static inline bool swap_move_freezing(void)
{
#ifdef CONFIG_FREEZER
	return READ_ONCE(pm_nosig_freezing);
#else
	return false;
#endif
}

/*
 * Tell whether a move is to end before it is done: a signal is pending, all
 * that was wanted has been moved, the tier is in none of @move->states any
 * more, or the system is about to freeze kernel threads. In the last case a
 * mover in the background queues its work again, for after the thaw.
 */
static inline bool swap_move_stopped(struct swap_move *move)
{
	return READ_ONCE(*move->moved) >= move->want ||
	       (move->state &&
		!(BIT(READ_ONCE(*move->state)) & move->states)) ||
	       signal_pending(current) || swap_move_freezing();
}

/* mm/swap_abs/empty.c */
int swap_move_some(struct swap_move *move);
void swap_move_victims(struct swap_move *move);

/* mm/swap_abs/move.c */
int swap_move_slot(struct swap_move *move, swp_entry_t entry,
		   const struct swap_object *object);
int swap_move_settle(struct swap_move *move);
void swap_move_drop_cached(swp_entry_t slot);
bool swap_move_del_folio(struct folio *folio, void *shadow, int refs);
int swap_move_end(struct swap_move *move);

/* mm/swap_abs/compact.c */
void swap_tier_compact_work(struct work_struct *work);
#else
static inline bool swap_move_stopped(struct swap_move *move)
{
	return true;
}
#endif

#endif /* _MM_SWAP_ABS_MOVE_H */
