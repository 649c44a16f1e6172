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
 * struct swap_moving - a page that is moved by way of a folio
 * @folio: the folio, with a reference
 * @slot: whose data it is
 * @shadow: what the swap table had for the slot, if @own
 * @own: it was allocated for this, and is on no LRU list
 * @forced: its cgroup had no room for it
 */
struct swap_moving {
	struct folio *folio;
	swp_entry_t slot;
	void *shadow;
	bool own;
	bool forced;
};

/* What a mover has gathered, and what of it is on its way; see mm/swap_abs/move.c. */
struct swap_move_batch {
	struct swap_moving reading[SWAP_MOVE_BATCH];
	struct swap_moving writing[SWAP_MOVE_BATCH];
};

/**
 * struct swap_move_ops - how a format hands on what it can't move as it is
 * @slot: move a page by way of a folio: swap_move_slot()
 * @settle: store what has been gathered: swap_move_settle()
 * @end: and let go of it: swap_move_end()
 */
struct swap_move_ops {
	int (*slot)(struct swap_move *move, swp_entry_t entry,
		    const struct swap_object *object);
	int (*settle)(struct swap_move *move);
	int (*end)(struct swap_move *move);
};

/**
 * struct swap_move - data that is to be moved off a tier
 * @si: the device, NULL for zswap
 * @tiers: mask of the tiers that may get it
 * @to_ram: what they don't take may stay in RAM, and what can't be read is lost:
 *	for swapoff
 * @want: pages, at most; ULONG_MAX for all
 * @floor: of zswap, pages of its pool to be left
 * @moved: pages moved so far, or on their way
 * @ops: for swap_format.move_out()
 * @stop: set when it is to end before that, or NULL
 * @reads: I/O of @nr_reading
 * @nr_reading: pages of swap_tier.batch that are being read
 * @nr_writing: pages of it that are being written
 * @nr_objects: of zswap, those that are on their way to a packed device
 */
struct swap_move {
	struct swap_info_struct *si;
	unsigned long tiers;
	bool to_ram;
	unsigned long want;
	unsigned long floor;
	unsigned long *moved;
	const struct swap_move_ops *ops;
	bool *stop;
	struct swap_io_ctx reads;
	unsigned int nr_reading;
	unsigned int nr_writing;
	unsigned int nr_objects;
};

#ifdef CONFIG_SWAP_ABS
/* Does the system wait for the works of movers to end? They go on when it thaws. */
static inline bool swap_move_freezing(void)
{
#ifdef CONFIG_FREEZER
	return READ_ONCE(pm_nosig_freezing);
#else
	return false;
#endif
}

/**
 * swap_move_stopped - is a move to end before it is done?
 * @move: the move
 *
 * Return: true for a signal, when all that was wanted has been moved, when somebody has
 * set @move->stop, or when the system is about to freeze kernel threads: who moves in the
 * background has his work queued again for after that.
 */
static inline bool swap_move_stopped(struct swap_move *move)
{
	return READ_ONCE(*move->moved) >= move->want ||
	       (move->stop && READ_ONCE(*move->stop)) || signal_pending(current) ||
	       swap_move_freezing();
}

/* mm/swap_abs/empty.c */
int swap_move_some(struct swap_move *move);
void swap_move_victims(struct swap_move *move);

/* mm/swap_abs/move.c */
int swap_move_slot(struct swap_move *move, swp_entry_t entry,
		   const struct swap_object *object);
int swap_move_settle(struct swap_move *move);
bool swap_move_del_folio(struct folio *folio, void *shadow, int refs);
int swap_move_end(struct swap_move *move);

/* mm/swap_abs/compact.c */
void swap_tier_compact(struct swap_tier *tier);
void swap_tier_compact_work(struct work_struct *work);
#else
static inline bool swap_move_stopped(struct swap_move *move)
{
	return true;
}
#endif

#endif /* _MM_SWAP_ABS_MOVE_H */
