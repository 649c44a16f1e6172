/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tiers, masks of them, and what a backend, a format and a tier can be asked
 * (mm/swap_abs/tier.c, device.c, room.c, state.c, policy.c, sysfs.c).
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

struct dentry;

/* Which backend a page is offered to first, and which last. */
enum swap_backend_order {
	SWAP_ORDER_RAM,		/* may keep it in RAM */
	SWAP_ORDER_CHOOSY,	/* takes what it can make smaller, or what it was chosen for */
	SWAP_ORDER_PLAIN,	/* takes any page as it is */
};

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
 *	tag and have passed @can_load_as_one. I/O may be left in @ctx.
 * @drop: release what @nr words (of this backend, not pinned) point to. Called
 *	with the virtual cluster locked, also with interrupts off: O(1) a word,
 *	does not sleep. Returns how many pages of device capacity that frees.
 * @can_load_as_one: can the word @next, @i slots after @first, be loaded into one
 *	folio with it?
 * @moved: the data that a mover has pinned at @place is at its new place, or is written
 *	there from the locked @folio, if there is one: release the old copy. May sleep.
 * @stays: it could not be moved, and is about to be unpinned; NULL where that needs
 *	nothing. May sleep.
 * @synchronous: is a load of the word done without waiting for I/O? A hint.
 * @stable: must the page not change while it is written there?
 * @fill: make a page of a locked folio that is not uptodate of an object that somebody has
 *	read, if that is its data; NULL where there are no objects. May sleep.
 * @is_victim: has the data of the word been picked by swap_format.choose_victims() or .choose_sparse()?
 *	A hint; NULL for never
 * @check: for the self-check: what is wrong with a word of a slot in a locked virtual
 *	cluster, whose device is there; NULL if nothing is. NULL where nothing can be wrong
 * @order: when a page is offered to it
 *
 * Adding a backend is one file with such a table, and a tag (mm/swap_abs/desc.h), that calls
 * swap_backend_register(). If devices are written so, the file has a struct swap_format, too.
 */
struct swap_backend {
	int (*store)(struct swap_io_ctx *ctx, struct folio *folio, unsigned long tiers);
	void (*load)(struct swap_io_ctx *ctx, struct folio *folio);
	long (*drop)(const swap_desc_t *words, unsigned int nr);
	bool (*can_load_as_one)(swap_desc_t first, swap_desc_t next, unsigned int i);
	void (*moved)(swap_place_t place, struct folio *folio);
	void (*stays)(swap_place_t place);
	bool (*synchronous)(swap_desc_t word);
	bool (*stable)(swap_desc_t word);
	bool (*fill)(struct folio *folio, struct swap_info_struct *si,
		     const struct swap_object *object);
	bool (*is_victim)(swap_desc_t word);
	const char *(*check)(swap_desc_t word);
	enum swap_backend_order order;
};

/**
 * struct swap_format - a way in which a device is written
 *
 * What a device has is read as it was written, whatever its tier's format is now. So all
 * formats are asked of each tier, but for what is said to be of its own. What a format
 * leaves NULL means nothing there.
 *
 * @name: what the file "format" of a tier says
 * @plain: it takes any page as it is, on any device: what others refuse is written so. One
 *	format is, raw
 *
 * A device:
 *
 * @supported: can it be written so? NULL for any
 * @wanted: should it be, if nobody says anything? NULL for no
 *
 * A tier's life. Process context, may sleep, swap_abs_mutex held but for @end_work, @release
 * and @free:
 *
 * @start: get ready to write so, on a device that is in use with the layer on. Returns 0, or
 *	an error
 * @quiet: write nothing new so. What is there is looked after as before
 * @resume: the device is in use again, with the layer off: look after what is there
 * @end_work: the device is about to be emptied: end what may wait for it, as swap_abs_mutex
 *	is not held
 * @stop: the same: write nothing, keep nothing of what is free
 * @release: give clusters without data back to the device. On swap_abs_wq, which is frozen
 *	while there is a hibernation image
 * @free: the device is empty, and nobody finds its tier: free what is left
 *
 * Room:
 *
 * @has_room: can it take more at once? A hint; any context, no locks
 * @make_room: something could not be stored for want of it. Does not sleep; swap_tiers_lock
 *	held, the device is in use
 * @making_room: will it have some soon? A hint; swap_tiers_lock held
 * @yield: the plain format finds no slot on the tiers of the mask: give it a cluster back that
 *	was lent ahead. Process context, submits I/O. Returns true for who has tried again
 *
 * Slots, of the plain format only:
 *
 * @alloc: take slots for pages of one folio, next to each other if there are such, for which
 *	the caller has taken or reserved capacity. Process context, may sleep for a discard,
 *	GFP_NOIO. Returns true with a descriptor for each, or false
 * @untake: give those of @alloc back that were never installed, but not their capacity
 * @alloc_image: take a slot for a hibernation image, of a device that has no other ones.
 *	Returns its offset, or 0
 * @free_image: is the slot from @alloc_image? It is free then
 *
 * Objects, for a format that writes compressed data as it is:
 *
 * @get_buffer: a block to copy an object to. Returns NULL for one that is too long, or while no
 *	device is written so. Process context, may sleep, GFP_NOIO
 * @put_buffer: take it back
 * @take: take an object to the first device with room. Process context, submits I/O. Returns
 *	0 when that is under way and ends by itself, with swap_backend.moved() or .stays(). With
 *	the word still pinned, -ENOSPC when no device has room, or -EAGAIN when it would wait and
 *	must not, or a write has just failed
 * @busy: would who gives it an object have to wait? Any context but interrupts
 * @settle: write what is in RAM, and wait until what is on its way has settled, for a second
 *	at most. Process context, sleeps
 *
 * Moving data off a device. Process context, sleeps; swap_tier.move_lock held:
 *
 * @move_out: move data to other tiers, what was written first of it first. What it leaves is
 *	for the caller to move by way of folios. Returns 0, -EINTR when it was stopped, -ENOSPC
 *	or -ENOMEM
 * @choose_victims: mark where what was written first is, as much as @pages
 * @choose_sparse: mark clusters that hold little, so many or none. Returns how many
 * @unchoose: take these two back. Returns how many clusters have not become empty
 *
 * What can't be written:
 *
 * @forget_bad: let be used again where the medium was bad. Process context, sleeps
 * @nr_bad: how many such places there are, each as large as the format uses
 *
 * @forget_hints: let all CPUs look for the first tier in order again. The tiers have changed
 *
 * What it has of a tier, besides what the tier counts itself:
 *
 * @stored: pages, exactly or @roughly
 * @live: bytes of them
 * @dead: bytes that could be had back
 *
 * Clusters that it fills as a whole (CLUSTER_FLAG_LENT_SEGMENT). Their lock is held:
 *
 * @close_segment: the device is being closed, or opened again: the cluster counts for nobody
 *	while it is. Returns pages of capacity that it has held, or holds from now on
 * @segment_held: pages of capacity that it takes, for the self-check
 *
 * @check: for the self-check: forget what swap_backend.check() has seen, or compare. Returns
 *	how many clusters have other data than is counted
 * @debug_files: make the files in debugfs that its tests need
 */
struct swap_format {
	const char *name;
	bool plain;

	bool (*supported)(struct swap_info_struct *si);
	bool (*wanted)(struct swap_info_struct *si);

	int (*start)(struct swap_tier *tier);
	void (*quiet)(struct swap_tier *tier);
	void (*resume)(struct swap_tier *tier);
	void (*end_work)(struct swap_tier *tier);
	void (*stop)(struct swap_tier *tier);
	void (*release)(struct swap_tier *tier);
	void (*free)(struct swap_tier *tier);

	bool (*has_room)(struct swap_tier *tier);
	void (*make_room)(struct swap_tier *tier);
	bool (*making_room)(struct swap_tier *tier);
	bool (*yield)(unsigned long tiers);

	bool (*alloc)(swap_desc_t *words, unsigned int nr, unsigned long tiers);
	void (*untake)(const swap_desc_t *words, unsigned int nr);
	unsigned long (*alloc_image)(struct swap_info_struct *si);
	bool (*free_image)(swp_entry_t entry);

	void *(*get_buffer)(unsigned int length);
	void (*put_buffer)(void *buf);
	int (*take)(swp_entry_t slot, swap_place_t place, const void *data, unsigned int length,
		    unsigned int codec, bool may_wait, unsigned long tiers);
	bool (*busy)(void);
	void (*settle)(void);

	int (*move_out)(struct swap_move *move);
	void (*choose_victims)(struct swap_tier *tier, unsigned long pages);
	unsigned long (*choose_sparse)(struct swap_tier *tier, unsigned long gain);
	unsigned long (*unchoose)(struct swap_tier *tier);

	void (*forget_bad)(struct swap_tier *tier);
	unsigned long (*nr_bad)(struct swap_tier *tier);
	void (*forget_hints)(void);

	unsigned long (*stored)(struct swap_tier *tier, bool roughly);
	unsigned long (*live)(struct swap_tier *tier);
	unsigned long (*dead)(struct swap_tier *tier);

	unsigned long (*close_segment)(struct swap_cluster_info *ci, bool close);
	unsigned long (*segment_held)(struct swap_cluster_info *ci);
	unsigned int (*check)(struct swap_tier *tier, bool begin);
	void (*debug_files)(struct dentry *dir);
};

/* All there are, NULL behind the last one, and the plain one. */
extern const struct swap_format *swap_formats[];
extern const struct swap_format *swap_plain_format;

/* Call an operation of all formats that have it. */
#define swap_formats_call(op, ...)					\
do {									\
	const struct swap_format *const *__pos;				\
									\
	for (__pos = swap_formats; *__pos; __pos++) {			\
		__auto_type __op = (**__pos).op;			\
									\
		if (__op)						\
			__op(__VA_ARGS__);				\
	}								\
} while (0)

/* The same, with the sum of what they return. */
#define swap_formats_sum(op, ...)					\
({									\
	const struct swap_format *const *__pos;				\
	unsigned long __sum = 0;					\
									\
	for (__pos = swap_formats; *__pos; __pos++) {			\
		__auto_type __op = (**__pos).op;			\
									\
		if (__op)						\
			__sum += __op(__VA_ARGS__);			\
	}								\
	__sum;								\
})

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

/* What swap_tier.bad has of an offset. */
enum swap_bad {
	SWAP_BAD_USED = 1,		/* a word points there still */
	SWAP_BAD_FREE,		/* only its bit says that it is in use */
};

/* How full a tier may be before it demotes, and until when it does so. */
enum swap_watermark {
	SWAP_WMARK_HIGH,
	SWAP_WMARK_LOW,
	NR_SWAP_WMARKS,
};

struct swap_packed_tier;

/**
 * struct swap_tier - one place for swapped data that the administrator sees
 * @kobj: /sys/kernel/mm/swap/tiers/<name>
 * @si: the device, NULL for zswap
 * @id: the N of swapN
 * @node: in swap_tiers, by rank, of which the device's priority is the default;
 *	protected by swap_tiers_lock. Of zswap only its rank is used, 0
 * @joined: the device is in use; protected by swap_abs_mutex
 * @adopted: the device's free slots are counted as the layer can use them
 * @closed: takes no new data, by swapoff or @state; protected by swap_abs_mutex
 * @state: protected by swap_state_mutex in mm/swap_abs/state.c
 * @drain_stop: asks @drain_work to end
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
 * @compacting: what is on @victims has free slots; protected by @move_lock
 * @io_errors: I/O errors without a success in between
 * @first_error: jiffies at the first of them
 * @move_lock: for who moves data off the tier
 * @batch: what is moved by way of folios just now
 * @scan_pos: the slot that was looked at last for data of the tier
 * @moved: pages moved by the last command, down and up; protected by @move_lock
 * @lock: protects @partial, @full, @victims, @empty, @held and what a lent cluster's
 *	flags say of them
 * @partial: lent clusters with a free slot (CLUSTER_FLAG_LENT_PARTIAL)
 * @full: lent clusters without one, in the order in which they were filled
 *	(CLUSTER_FLAG_LENT_FULL)
 * @victims: those that demotion or compaction empties (CLUSTER_FLAG_LENT_VICTIM)
 * @empty: lent clusters that wait to go back (CLUSTER_FLAG_LENT_EMPTY)
 * @held: lent clusters where a slot was freed while storage is suspended
 *	(CLUSTER_FLAG_LENT_HELD)
 * @nr_lent: clusters lent, the empty ones too
 * @nr_lent_bad: bad slots in them
 * @nr_holed: clusters that have bad slots and nothing else in them, and are not lent
 * @nr_segments: lent clusters that a format fills as a whole, with data; this and the next
 *	two are written by the format under its own lock
 * @nr_spares: those without data
 * @nr_bad_segments: those without data whose medium is bad
 * @segments_held: pages of capacity that the ones with data take
 * @hidden: pages that are in no capacity, as collection needs them
 * @format: how new data is written, NULL for zswap; written under swap_abs_mutex
 * @packed: segments and staging of the packed format, once it has been used
 * @used: slots of the device in use, all those of segments; objects of virtual
 *	slots in zswap
 * @release_work: gives clusters without data back: swap_format.release()
 * @retry_work: has all formats forget what is bad after some time
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
	bool closed;
	bool drain_stop;
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
	unsigned long scan_pos;
	unsigned long moved[2];
	spinlock_t lock;		/* inside of a lent cluster's lock */
	struct list_head partial;
	struct list_head full;
	struct list_head victims;
	struct list_head empty;
	struct list_head held;
	atomic_long_t nr_lent;
	atomic_long_t nr_lent_bad;
	atomic_t nr_holed;
	unsigned int nr_segments;
	unsigned int nr_spares;
	unsigned int nr_bad_segments;
	struct percpu_counter segments_held;
	long hidden;
	const struct swap_format *format;
	struct swap_packed_tier *packed;
	struct percpu_counter used;
	struct work_struct release_work;
	struct delayed_work retry_work;
	struct xarray bad;
	struct swap_tier_stats __percpu *stats;
};

extern struct plist_head swap_tiers;
/* Protects the list of tiers; outside of a lent cluster's lock. */
extern spinlock_t swap_tiers_lock;
extern unsigned long swap_tiers_online;

/* Masks of tiers: a bit a device, by its swap type, and one for zswap. */
#define SWAP_TIER_ZSWAP		BIT(SWAP_TIER_INDEX_ZSWAP)
#define SWAP_TIERS_ALL		GENMASK(SWAP_TIER_INDEX_ZSWAP, 0)
/* What is stored comes from another tier: for the counters. */
#define SWAP_TIERS_MOVED	BIT(SWAP_TIER_INDEX_ZSWAP + 1)

extern struct swap_tier *swap_zswap_tier;
extern struct mutex swap_abs_mutex;
extern struct workqueue_struct *swap_abs_wq;
extern struct workqueue_struct *swap_move_wq;
/*
 * Cgroups have more in a tier than they may: moves it to tiers that they may use, if there
 * is room, in the order of slots. Queued by who sees that, set by mm/swap_abs/policy.c.
 */
extern struct work_struct swap_excess_work;

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
extern atomic_long_t swap_bytes_moving;
extern atomic_t swap_neighbours_used;
extern bool swap_errors_are_medium;
extern u32 swap_tier_max_errors;
void __init swap_format_register(const struct swap_format *format);
const struct swap_format *swap_format_find(const char *name);
const struct swap_format *swap_format_for(struct swap_info_struct *si);
void swap_format_prepare(struct swap_tier *tier);
int swap_tier_set_format(struct swap_tier *tier, const struct swap_format *format);
struct swap_tier *swap_tier_alloc(void);
int swap_tier_set_id(struct swap_tier *tier);
void swap_tier_free(struct swap_tier *tier);
void swap_tiers_update(void);
int swap_tier_set_rank(struct swap_tier *tier, int rank);
unsigned long swap_tier_stat_sum(struct swap_tier *tier, enum swap_tier_stat stat);
unsigned long swap_tier_blocks(struct swap_tier *tier);
bool swap_tier_has_room(struct swap_tier *tier);
unsigned long swap_tiers_stored(void);
void swap_tiers_make_room(void);
bool swap_tiers_making_room(void);
void swap_tier_hide(struct swap_tier *tier, long pages);
void swap_tier_retry_bad(struct swap_tier *tier);
void swap_tiers_retry_now(void);
bool swap_tier_medium_failed(struct swap_tier *tier, blk_status_t status);
bool swap_tier_has_failed(struct swap_tier *tier);
void swap_tier_io_done(struct swap_tier *tier, bool failed);

/* mm/swap_abs/device.c */
void swap_tiers_adopt(bool adopt);

/* mm/swap_abs/room.c */
unsigned long swap_tier_used(struct swap_tier *tier);
unsigned long swap_tier_watermark(struct swap_tier *tier, enum swap_watermark which);
unsigned long swap_tier_free_clusters(struct swap_tier *tier);
unsigned long swap_tier_free_slots(struct swap_tier *tier);
bool swap_tier_has_slots(struct swap_tier *tier);
unsigned long swap_tiers_beside(struct swap_tier *tier, bool up);
bool swap_tiers_have_room(unsigned long tiers);
bool swap_tiers_have_slots(void);
bool swap_zswap_has_room(void);
bool swap_tier_has_upper(struct swap_tier *tier, unsigned long tiers);
bool swap_may_grow(struct mem_cgroup *memcg);
unsigned long swap_tiers_of_folio(struct folio *folio);
void swap_tier_check_high(struct swap_tier *tier);
void swap_tier_demote_backoff(struct swap_tier *tier, bool moved);
unsigned long swap_tier_compact_gain(struct swap_tier *tier);
void swap_tier_compact(struct swap_tier *tier);

/* mm/swap_abs/state.c */
extern u32 swap_tier_reopen_delay;
int swap_tier_set_state(struct swap_tier *tier, enum swap_tier_state state);
void swap_tier_init_state(struct swap_tier *tier);

/* mm/swap_abs/policy.c */
int swap_tier_set_watermark(struct swap_tier *tier, enum swap_watermark which,
			    unsigned int percent);
int swap_tier_move(struct swap_tier *tier, bool up, unsigned long pages);
void swap_tier_init_moves(struct swap_tier *tier);
void swap_tier_stop_moves(struct swap_tier *tier);

/* mm/swap_abs/sysfs.c */
int swap_tier_sysfs_add(struct swap_tier *tier);

#ifdef CONFIG_SWAP_ABS
/* mm/swap_abs/room.c */
bool swap_zswap_crowds(struct mem_cgroup *memcg, bool flush);
bool swap_may_zswap(struct mem_cgroup *memcg);
bool swap_objcg_may_zswap(struct obj_cgroup *objcg);
#else
static inline bool swap_zswap_crowds(struct mem_cgroup *memcg, bool flush)
{
	return false;
}

static inline bool swap_objcg_may_zswap(struct obj_cgroup *objcg)
{
	return obj_cgroup_may_zswap(objcg);
}
#endif

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

/* As swap_tier_blocks(), roughly, and less than zero now and then. */
static inline long swap_tier_blocks_read(struct swap_tier *tier)
{
	/* data_race(): roughly is enough. */
	return data_race(percpu_counter_read(&tier->used)) -
	       (long)READ_ONCE(tier->nr_segments) * SWAPFILE_CLUSTER;
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
		if (first == tier || !READ_ONCE(first->closed))
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
	return ~tiers & READ_ONCE(swap_tiers_online);
}

static inline enum swap_tier_stat swap_tiers_stat(unsigned long tiers)
{
	return tiers & SWAP_TIERS_MOVED ? SWAP_TIER_MOVED_IN : SWAP_TIER_STORE;
}

#endif /* _MM_SWAP_ABS_TIER_H */
