/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tiers, masks of them, and what a backend and a tier can be asked (mm/swap_abs/tier.c,
 * room.c, state.c, policy.c, sysfs.c).
 */
#ifndef _MM_SWAP_ABS_TIER_H
#define _MM_SWAP_ABS_TIER_H

#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/percpu_counter.h>
#include <linux/plist.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "../swap_abs.h"
#include "desc.h"
#include "move.h"

/**
 * struct swap_backend - a kind of place where swapped data can be
 * @store: move a folio's data to the backend, all of it or nothing.
 *	Called in reclaim or by who moves data, may sleep, GFP_NOIO. The folio is
 *	locked, in the swap cache of the virtual area, uptodate and not under
 *	writeback. Returns 0 with the descriptors set and the folio unlocked, or
 *	an error with the folio locked and the descriptors as they were. I/O may
 *	be left in @ctx, which the caller submits. Only tiers of the mask may get it.
 * @load: fill a locked folio that is not uptodate, unlock it when that is done
 *	or failed (not uptodate then). All words of the folio have the backend's
 *	tag and have passed @same_load. I/O may be left in @ctx.
 * @drop: release what @nr words (of this backend, not pinned) point to. Called
 *	with the virtual cluster locked, also with interrupts off: O(1) a word,
 *	does not sleep. Returns how many pages of device capacity that frees.
 * @same_load: can the word @next, @i slots after @first, be loaded into one
 *	folio with it?
 * @moved: the data that the caller has pinned at @place is at its new place:
 *	release the old one. May sleep.
 * @stays: it could not be moved, and is about to be unpinned; NULL where that needs
 *	nothing. May sleep.
 * @synchronous: is a load of the word done without waiting for I/O? A hint.
 * @stable: must the page not change while it is written there?
 *
 * Adding a backend is one file with such a table, a tag, and its line in
 * swap_store_order[] of mm/swap_abs.c.
 */
struct swap_backend {
	int (*store)(struct swap_io_ctx *ctx, struct folio *folio, unsigned long tiers);
	void (*load)(struct swap_io_ctx *ctx, struct folio *folio);
	long (*drop)(const swap_desc_t *words, unsigned int nr);
	bool (*same_load)(swap_desc_t first, swap_desc_t next, unsigned int i);
	void (*moved)(swap_place_t place);
	void (*stays)(swap_place_t place);
	bool (*synchronous)(swap_desc_t word);
	bool (*stable)(swap_desc_t word);
};

extern const struct swap_backend zswap_backend;
extern const struct swap_backend swap_raw_backend;
extern const struct swap_backend swap_packed_backend;

/*
 * One counter a page, but for @errors, which are events, @collected (segments), and
 * @written, bytes that were written to the device, with what collection writes.
 */
enum swap_tier_stat {
	SWAP_TIER_STORE,
	SWAP_TIER_LOAD,
	SWAP_TIER_MOVED_IN,
	SWAP_TIER_MOVED_OUT,
	SWAP_TIER_ERRORS,
	SWAP_TIER_COLLECTED,
	SWAP_TIER_REFUSED,
	SWAP_TIER_WRITTEN,
	NR_SWAP_TIER_STATS,
};

struct swap_tier_stats {
	unsigned long count[NR_SWAP_TIER_STATS];
};

/* How new data is written to a device. */
enum swap_format {
	SWAP_FORMAT_RAW,
	SWAP_FORMAT_PACKED,
};

/* How full a tier may be before it demotes, and until when it does so. */
enum swap_watermark {
	SWAP_WMARK_HIGH,
	SWAP_WMARK_LOW,
	NR_SWAP_WMARKS,
};

struct swap_pack;

/**
 * struct swap_tier - one place for swapped data that the administrator sees
 * @kobj: /sys/kernel/mm/swap/tiers/<name>
 * @si: the device, NULL for zswap
 * @id: the N of swapN
 * @node: in swap_tiers, by rank, of which the device's priority is the default;
 *	protected by swap_tiers_lock. Of zswap only its rank is used, 0
 * @joined: the device is in use; protected by swap_abs_mutex
 * @adopted: the device's free slots are counted as the layer can use them
 * @draining: closed for new data, by swapoff or @state; protected by swap_abs_mutex
 * @state: protected by swap_state_mutex in mm/swap_abs/state.c
 * @stop: asks @drain_work to end
 * @drain_delay: jiffies until it tries again when nothing could be moved
 * @watermark: percent of the capacity; written under swap_abs_mutex
 * @demote_after: jiffies before which demotion is not tried again
 * @demote_delay: how long that was put off the last time
 * @demote_work: brings a device down to its low watermark
 * @drain_work: empties a tier that is draining or has failed
 * @fail_work: closes a tier that has failed
 * @reopen_work: opens it again
 * @reopen_delay: seconds until it does, 0 before the first time; under swap_state_mutex
 * @reopened: jiffies when it did the last time; under swap_state_mutex
 * @compact_work: makes raw clusters free for packed data
 * @compact_after: jiffies before which that is not tried again
 * @compacting: what is on @old has free slots; protected by @move_lock
 * @io_errors: I/O errors without a success in between
 * @first_error: jiffies at the first of them
 * @move_lock: for who moves data off the tier
 * @batch: what is moved by way of folios just now
 * @hand: the slot that was looked at last for data of the tier
 * @moved: pages moved by the last command, down and up; protected by @move_lock
 * @lock: protects @partial, @full, @old, @empty, @held and what a lent cluster's
 *	flags say of them
 * @partial: lent clusters with a free slot (CLUSTER_FLAG_LENT_PARTIAL)
 * @full: lent clusters without one, in the order in which they were filled
 *	(CLUSTER_FLAG_LENT_FULL)
 * @old: those that demotion or compaction empties (CLUSTER_FLAG_LENT_OLD)
 * @empty: lent clusters that wait to go back (CLUSTER_FLAG_LENT_EMPTY)
 * @held: lent clusters where a slot was freed while storage is suspended
 *	(CLUSTER_FLAG_LENT_HELD)
 * @nr_lent: clusters lent, the empty ones too
 * @nr_lent_bad: bad slots in them
 * @nr_holed: clusters that have bad slots and nothing else in them, and are not lent
 * @hidden: pages that are in no capacity, as collection needs them
 * @format: how new data is written; written under swap_abs_mutex
 * @pack: segments and staging of the packed format, once it has been used
 * @used: slots of the device in use, all those of segments; objects of virtual
 *	slots in zswap
 * @release_work: sorts the clusters on @held, returns the ones on @empty
 * @retry_work: forgets @bad after some time
 * @bad: offsets where the medium is bad: not used until @retry_work or swapoff
 * @stats: counters
 */
struct swap_tier {
	struct kobject kobj;
	struct swap_info_struct *si;
	int id;
	struct plist_node node;
	bool joined;
	bool adopted;
	bool draining;
	bool stop;
	unsigned long drain_delay;
	enum swap_tier_state state;
	unsigned int watermark[NR_SWAP_WMARKS];
	unsigned long demote_after;
	unsigned long demote_delay;
	struct work_struct demote_work;
	struct delayed_work drain_work;
	struct work_struct fail_work;
	struct delayed_work reopen_work;
	unsigned int reopen_delay;
	unsigned long reopened;
	struct work_struct compact_work;
	unsigned long compact_after;
	bool compacting;
	atomic_t io_errors;
	unsigned long first_error;
	struct mutex move_lock;		/* outside of all but swap_state_mutex */
	struct swap_move_batch batch;	/* under move_lock */
	unsigned long hand;
	unsigned long moved[2];
	spinlock_t lock;		/* inside of a lent cluster's lock */
	struct list_head partial;
	struct list_head full;
	struct list_head old;
	struct list_head empty;
	struct list_head held;
	atomic_long_t nr_lent;
	atomic_long_t nr_lent_bad;
	atomic_t nr_holed;
	long hidden;
	enum swap_format format;
	struct swap_pack *pack;
	struct percpu_counter used;
	struct work_struct release_work;
	struct delayed_work retry_work;
	struct xarray bad;
	struct swap_tier_stats __percpu *stats;
};

extern struct plist_head swap_tiers;
/* Protects the list of tiers; outside of a lent cluster's lock. */
extern spinlock_t swap_tiers_lock;
extern unsigned long swap_tiers_present;

/* Masks of tiers: a bit a device, by its swap type, and one for zswap. */
#define SWAP_TIER_ZSWAP		BIT(SWAP_TIER_INDEX_ZSWAP)
#define SWAP_TIERS_ALL		GENMASK(SWAP_TIER_INDEX_ZSWAP, 0)
/* What is stored comes from another tier: for the counters. */
#define SWAP_TIERS_MOVED	BIT(SWAP_TIER_INDEX_ZSWAP + 1)

extern struct swap_tier *swap_zswap_tier;
extern struct mutex swap_abs_mutex;
extern struct workqueue_struct *swap_abs_wq;
extern struct workqueue_struct *swap_move_wq;

/**
 * swap_move_queue - let a mover run in the background
 * @work: of the mover
 *
 * Context: any.
 */
static inline void swap_move_queue(struct work_struct *work)
{
	if (swap_move_wq)
		queue_work(swap_move_wq, work);
}

/* mm/swap_abs/tier.c */
unsigned long swap_tier_stat_sum(struct swap_tier *tier, enum swap_tier_stat stat);
void swap_tiers_adopt(bool adopt);
unsigned long swap_tiers_stored(void);
void swap_tier_free(struct swap_tier *tier);
int swap_tier_set_format(struct swap_tier *tier, enum swap_format format);
int swap_tier_set_rank(struct swap_tier *tier, int rank);
bool swap_tier_has_room(struct swap_tier *tier);
void swap_tier_hide(struct swap_tier *tier, long pages);
void swap_tier_retry_bad(struct swap_tier *tier);
void swap_tiers_retry_now(void);
bool swap_tier_medium_failed(struct swap_tier *tier, blk_status_t status);
extern bool swap_errors_are_medium;

/* mm/swap_abs/room.c */
unsigned long swap_tier_used(struct swap_tier *tier);
unsigned long swap_tier_watermark(struct swap_tier *tier, enum swap_watermark which);
unsigned long swap_tiers_beside(struct swap_tier *tier, bool up);
bool swap_tiers_have_room(unsigned long tiers);
bool swap_tiers_have_slots(void);
bool swap_zswap_has_room(void);
bool swap_tier_has_upper(struct swap_tier *tier, unsigned long tiers);
unsigned long swap_tiers_of_folio(struct folio *folio);
void swap_tier_filled(struct swap_tier *tier);

/* mm/swap_abs/state.c */
extern u32 swap_tier_max_errors;
extern u32 swap_tier_reopen_delay;
int swap_tier_set_state(struct swap_tier *tier, enum swap_tier_state state);
void swap_tier_io_done(struct swap_tier *tier, bool failed);
void swap_tier_init_state(struct swap_tier *tier);

/* mm/swap_abs/policy.c */
int swap_tier_set_watermark(struct swap_tier *tier, enum swap_watermark which,
			    unsigned int percent);
void swap_tier_demoted(struct swap_tier *tier, bool moved);
int swap_tier_move(struct swap_tier *tier, bool up, unsigned long pages);
void swap_tiers_excess(void);
void swap_tier_init_moves(struct swap_tier *tier);
void swap_tier_stop_moves(struct swap_tier *tier);

/* mm/swap_abs/sysfs.c */
int swap_tier_sysfs_add(struct swap_tier *tier);

static inline unsigned int swap_tier_index(struct swap_tier *tier)
{
	return tier->si ? tier->si->type : SWAP_TIER_INDEX_ZSWAP;
}

static inline unsigned long swap_tier_bit(struct swap_tier *tier)
{
	return BIT(swap_tier_index(tier));
}

/* A device's rank, where the administrator has not said anything. */
static inline int swap_tier_default_rank(struct swap_info_struct *si)
{
	return SHRT_MAX + 1 - si->prio;
}

static inline void swap_tier_count(struct swap_tier *tier,
				   enum swap_tier_stat stat, long nr)
{
	this_cpu_add(tier->stats->count[stat], nr);
}

/*
 * How long a CPU goes on with a tier that is not the first one, where others have
 * been full: in jiffies, 0 for as long as it finds room there.
 */
static inline unsigned long swap_tier_hint_until(struct swap_tier *tier)
{
	struct swap_tier *first;

	lockdep_assert_held(&swap_tiers_lock);
	/* One that is drained takes nothing. */
	plist_for_each_entry(first, &swap_tiers, node)
		if (first == tier || !READ_ONCE(first->draining))
			break;
	return tier->node.prio <= first->node.prio ? 0 : (jiffies + HZ / 20) | 1;
}

static inline bool swap_tier_hint_is_old(unsigned long until)
{
	return until && time_after(jiffies, until);
}

/* Is a device not in the mask? What is chosen then is not the first one for others. */
static inline bool swap_tiers_restricted(unsigned long tiers)
{
	return ~tiers & READ_ONCE(swap_tiers_present);
}

static inline enum swap_tier_stat swap_tiers_stat(unsigned long tiers)
{
	return tiers & SWAP_TIERS_MOVED ? SWAP_TIER_MOVED_IN : SWAP_TIER_STORE;
}

#endif /* _MM_SWAP_ABS_TIER_H */
