/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tiers, masks of tiers, and the operations of backends, formats and tiers
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

/* The order in which a page is offered to the backends. */
enum swap_backend_order {
	SWAP_ORDER_RAM,		/* may keep it in RAM */
	SWAP_ORDER_CHOOSY,	/* takes only pages that suit it */
	SWAP_ORDER_PLAIN,	/* takes any page as it is */
};

/**
 * struct swap_backend - a kind of place where swapped data can be
 * @store: store all pages of a folio in the backend, or none. Reclaim and
 *	movers call this; it may sleep and allocate with GFP_NOIO. The folio is
 *	locked, in the swap cache of the virtual area, uptodate and not under
 *	writeback. Only tiers of the mask may get the data. Returns 0 with the
 *	descriptors set and the folio unlocked, or an error with the folio
 *	locked and the descriptors unchanged. May leave I/O in @ctx, which the
 *	caller submits.
 * @load: fill a locked folio that is not uptodate, and unlock it when the load
 *	has ended; after an error the folio is still not uptodate. All words of
 *	the folio have the backend's tag and have passed @can_load_as_one. May
 *	leave I/O in @ctx.
 * @drop: release the copies that @nr words of this backend point to, none of
 *	them pinned. Callers may hold a virtual cluster's lock and have
 *	interrupts off, so this takes constant time for each word and does not
 *	sleep. Returns the pages of device capacity that this frees.
 * @left: note that @nr slots of a locked virtual cluster from @ci_off on, whose
 *	words are of the same kind, are about to lose their copies here, whether
 *	these are pinned or not. This is the last time that the slots tell whose
 *	the copies were; ->drop() or ->moved() frees them. NULL where there is
 *	nothing to do. Callers are as for @drop.
 * @can_load_as_one: tell whether one folio can load the word @next, @i slots
 *	after @first, together with @first.
 * @moved: release the old copy of a move. A mover had pinned it at @place; its
 *	data is at the new place, or is being written there from the locked
 *	@folio, if there is one. @slot may have been freed since. May sleep.
 * @stays: note that a move has failed, before the mover unpins the copy at
 *	@place; NULL where there is nothing to do. May sleep.
 * @fill: make a page of an object that the caller has read, if the object is
 *	the data of the locked @folio, which is not uptodate. Returns whether it
 *	was. NULL where there are no objects. May sleep.
 * @is_victim: tell whether swap_format.choose_victims() or .choose_sparse() has
 *	marked the place of the word. A hint; NULL for never.
 * @check: for the self-check: return what is wrong with a word, NULL if nothing
 *	is. The slot's virtual cluster is locked, and the device of the word
 *	exists. NULL where nothing can be wrong.
 * @order: when a page is offered to the backend
 *
 * To add a backend, write one file with such a table that calls
 * swap_backend_register(), and add a tag (mm/swap_abs/desc.h). If devices are
 * written in that way, the file also has a struct swap_format.
 */
struct swap_backend {
	int (*store)(struct swap_io_ctx *ctx, struct folio *folio,
		     unsigned long tiers);
	void (*load)(struct swap_io_ctx *ctx, struct folio *folio);
	long (*drop)(const swap_desc_t *words, unsigned int nr);
	bool (*can_load_as_one)(swap_desc_t first, swap_desc_t next,
				unsigned int i);
	void (*left)(struct swap_cluster_info *ci, unsigned int ci_off,
		     unsigned int nr);
	void (*moved)(swp_entry_t slot, swap_place_t place,
		      struct folio *folio);
	void (*stays)(swp_entry_t slot, swap_place_t place);
	bool (*fill)(struct folio *folio, struct swap_info_struct *si,
		     const struct swap_object *object);
	bool (*is_victim)(swap_desc_t word);
	const char *(*check)(swap_desc_t word);
	enum swap_backend_order order;
};

/**
 * struct swap_format - a way in which a device is written
 *
 * Data on a device is read in the format in which it was written, whatever
 * format its tier has now. So all formats are asked about each tier, except
 * where a format is being chosen or left. An operation that is NULL has nothing
 * to do.
 *
 * @name: what the file "format" of a tier says
 * @plain: the format takes any page as it is, on any device, so it writes what
 *	other formats refuse. One format is plain: raw
 *
 * To choose a format for a device:
 *
 * @supported: tell whether the device can be written in this format; NULL for
 *	any device
 * @wanted: tell whether this is the device's format if the administrator
 *	chooses none; NULL for no device
 *
 * In the life of a tier. Process context, may sleep. The caller holds
 * swap_abs_mutex, except for @end_work, @release and @free:
 *
 * @start: get ready to write this format to a device that is in use, with the
 *	layer on. Returns 0 or an error
 * @quiet: write nothing new in this format, but look after existing data as
 *	before
 * @resume: look after existing data, because the device is in use again, with
 *	the layer off
 * @end_work: end work that may wait for the device, which is about to be
 *	emptied. Called without swap_abs_mutex, so that no other task waits for
 *	a device that hangs
 * @stop: write nothing and keep no free cluster, because the device is about to
 *	be emptied
 * @release: give clusters without data back to the device. Runs on swap_abs_wq,
 *	which is frozen while there is a hibernation image
 * @free: free what is left. The device is empty, and the tier can't be found
 *	any more
 *
 * For room:
 *
 * @has_room: tell whether the tier can take more data at once. A hint; any
 *	context, takes no locks
 * @make_room: begin to make room, because something could not be stored for
 *	want of it. Does not sleep. The caller holds swap_tiers_lock, and the
 *	device is in use
 * @making_room: tell whether the tier will have room soon. A hint. The caller
 *	holds swap_tiers_lock
 * @yield: give back a cluster that was lent ahead, because the plain format
 *	finds no slot on the tiers of the mask. Process context, submits I/O.
 *	Returns true when the caller should try again
 *
 * For slots, in the plain format only:
 *
 * @alloc: take slots for pages of one folio, next to each other if possible.
 *	The caller has taken or reserved the capacity for them. Process context,
 *	may sleep for a discard, GFP_NOIO. Returns true with a descriptor for
 *	each page, or false
 * @untake: give back slots of @alloc whose descriptors were never installed.
 *	The caller keeps their capacity
 * @ahead: return the slots that CPUs have taken ahead and that nothing is in.
 *	They count as free. Any context but interrupts
 * @alloc_image: take a slot for a hibernation image, on a device that has no
 *	free slot but in lent clusters. Returns its offset, or 0
 * @free_image: free a slot if it is from @alloc_image. Returns whether it was
 *
 * For objects, in a format that writes compressed data as it is:
 *
 * @get_buffer: return a block to copy an object to; NULL for an object that is
 *	too long, or as long as no device has been written in this format.
 *	Process context, may sleep, GFP_NOIO
 * @put_buffer: free a block of @get_buffer
 * @take: move an object to the first device with room. Process context, submits
 *	I/O. Returns 0 when the move is under way; it ends by itself, with
 *	swap_backend.moved() or .stays(). The word is still pinned after
 *	-ENOSPC, when no device has room, and after -EAGAIN, when the caller
 *	must not wait but would have to, a write has just failed, or storage is
 *	suspended
 * @busy: tell whether @take would have to wait. Any context but interrupts
 * @settle: write what is in RAM, and wait for at most a second until the moves
 *	that are under way have ended. Process context, sleeps
 *
 * For moving data off a device. Process context, sleeps. The caller holds
 * swap_tier.move_lock:
 *
 * @move_out: move data to other tiers, the oldest of this format first. The
 *	caller moves what is left by way of folios. Returns 0, -EINTR when the
 *	move was stopped, -ENOSPC or -ENOMEM
 * @choose_victims: mark the places that were written first, for about @pages
 *	pages
 * @choose_sparse: mark @gain clusters that hold little, or none if there are
 *	fewer. Returns how many it has marked
 * @unchoose: take back @choose_victims and @choose_sparse. Returns how many
 *	marked clusters have not become empty
 *
 * For places that can't be written:
 *
 * @forget_bad: use places again where the medium was bad. Process context,
 *	sleeps
 * @nr_bad: return the number of such places, each of the size that the format
 *	uses
 *
 * @forget_hints: let all CPUs look for the first tier in order again, because
 *	the tiers have changed
 *
 * What the format has stored in a tier, besides the counters of the tier
 * itself:
 *
 * @stored: return the stored pages, exactly or @roughly
 * @live: return the bytes of these pages on the device
 * @dead: return the bytes that collection could free
 *
 * For clusters that the format fills as a whole (CLUSTER_FLAG_LENT_SEGMENT).
 * The caller holds the cluster's lock:
 *
 * @close_segment: stop counting the cluster's capacity, because the device is
 *	being closed, or count it again. Returns the pages of capacity that the
 *	cluster has held until now, or holds from now on
 * @segment_held: return the pages of capacity that the cluster holds, for the
 *	self-check
 *
 * @check: for the self-check: if @begin, forget what swap_backend.check() has
 *	seen, else compare. Returns how many clusters have other data than is
 *	counted
 * @debug_files: make the debugfs files that the tests of the format need
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
	unsigned long (*ahead)(struct swap_tier *tier);
	unsigned long (*alloc_image)(struct swap_info_struct *si);
	bool (*free_image)(swp_entry_t entry);

	void *(*get_buffer)(unsigned int length);
	void (*put_buffer)(void *buf);
	int (*take)(swp_entry_t slot, swap_place_t place, const void *data,
		    unsigned int length, unsigned int codec, bool may_wait,
		    unsigned long tiers);
	bool (*busy)(void);
	void (*settle)(void);

	int (*move_out)(struct swap_move *move);
	void (*choose_victims)(struct swap_tier *tier, unsigned long pages);
	unsigned long (*choose_sparse)(struct swap_tier *tier,
				       unsigned long gain);
	unsigned long (*unchoose)(struct swap_tier *tier);

	void (*forget_bad)(struct swap_tier *tier);
	unsigned long (*nr_bad)(struct swap_tier *tier);
	void (*forget_hints)(void);

	unsigned long (*stored)(struct swap_tier *tier, bool roughly);
	unsigned long (*live)(struct swap_tier *tier);
	unsigned long (*dead)(struct swap_tier *tier);

	unsigned long (*close_segment)(struct swap_cluster_info *ci,
				       bool close);
	unsigned long (*segment_held)(struct swap_cluster_info *ci);
	unsigned int (*check)(struct swap_tier *tier, bool begin);
	void (*debug_files)(struct dentry *dir);
};

/* All formats, with NULL after the last, and the plain one; set during init. */
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

/* Call an operation of all formats that have it; return the sum of results. */
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
 * The counters of a tier. They count pages, except for @collected (segments),
 * @refused (requests for a segment) and @written (bytes that were written to
 * the device, also by the collector).
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

/* The values in swap_tier.bad, by offset on the device. */
enum swap_bad {
	SWAP_BAD_USED = 1,		/* a word still points there */
	SWAP_BAD_FREE,		/* only its bit says that it is in use */
};

/* A tier demotes data above the high mark, until it is at the low mark. */
enum swap_watermark {
	SWAP_WMARK_HIGH,
	SWAP_WMARK_LOW,
	NR_SWAP_WMARKS,
};

/* What a tier is asked for; see swap_tiers_open(). */
enum swap_open {
	SWAP_OPEN_ANY, /* it takes a page */
	SWAP_OPEN_BELOW_HIGH, /* and keeps it: need not demote others for it */
	SWAP_OPEN_SLOTS, /* it has a slot for an uncompressed page */
};

struct swap_packed_tier;

/**
 * struct swap_tier - one place for swapped data that the administrator sees
 *
 * The letter before a field says what protects it:
 *
 * - C: does not change after swap_tier_create()
 * - M: swap_abs_mutex
 * - S: swap_state_mutex, in mm/swap_abs/state.c
 * - L: swap_tiers_lock
 * - V: @move_lock
 * - T: @lock
 * - F: the lock of the format that owns it
 * - A: nothing, because it is atomic, per CPU, or has a lock of its own
 *
 * Small letters: the lock is for those who write it. Others read it without a
 * lock, and get a hint.
 *
 * @kobj: C, /sys/kernel/mm/swap/tiers/<name>
 * @si: C, the device, NULL for zswap
 * @id: C, the N of swapN
 * @node: L, node in swap_tiers, by rank; the device's priority gives the
 *	default. For zswap only its rank is used, 0
 * @above: m, mask of the tiers of a smaller rank
 * @below: m, mask of the tiers of a greater rank
 * @state: m, whether the tier takes data; see swap_tier_write_state()
 * @adopted: M, whether the device's free slots are counted as the layer can use
 *	them
 * @drain_delay: S, jiffies until @drain_work tries again; also that work's
 * @watermark: m, percent of the capacity
 * @demote_after: v, jiffies before which demotion is not tried again
 * @demote_delay: V, how long demotion was put off the last time, in jiffies
 * @demote_work: A, brings a device down to its low watermark
 * @drain_work: A, empties a tier that is draining or has failed
 * @fail_work: A, closes a tier that has failed
 * @reopen_work: A, opens a failed tier again
 * @reopen_delay: S, seconds until @reopen_work runs, 0 before the first time
 * @reopened: S, jiffies when @reopen_work ran last
 * @compact_work: A, empties sparse raw clusters to make room for packed data
 * @compact_after: v, jiffies before which compaction is not tried again
 * @compacting: v, clusters on @victims may have free slots, because they were
 *	sparse when they were marked
 * @io_errors: A, errors without a success in between, of reads and of writes
 * @first_error: A, jiffies at the first of these errors
 * @move_lock: held by the mover that moves data off the tier
 * @batch: V, pages that the mover moves by way of folios
 * @scan_pos: V, the virtual slot that was scanned last for data of the tier
 * @moved: v, pages moved by the last command, down and up
 * @lock: also protects which of the lists below the flags of a lent cluster
 *	name
 * @partial: T, lent clusters with a free slot (CLUSTER_FLAG_LENT_PARTIAL)
 * @full: T, lent clusters without a free slot, in the order in which they were
 *	filled (CLUSTER_FLAG_LENT_FULL)
 * @victims: T, lent clusters that demotion or compaction empties
 *	(CLUSTER_FLAG_LENT_VICTIM)
 * @empty: T, lent clusters that wait to go back (CLUSTER_FLAG_LENT_EMPTY)
 * @held: T, lent clusters where a slot was freed while storage was suspended
 *	(CLUSTER_FLAG_LENT_HELD)
 * @nr_runs: A, CPUs that have taken slots ahead
 * @nr_lent: A, lent clusters, the empty ones too
 * @nr_lent_bad: A, bad slots in lent clusters
 * @nr_holed: A, clusters with bad slots and nothing else in them that are not
 *	lent
 * @nr_segments: f, lent clusters with data that a format fills as a whole
 * @nr_spares: f, such clusters without data
 * @nr_bad_segments: f, such clusters without data whose medium is bad
 * @segments_held: A, pages of capacity that segments with data, or with a bad
 *	medium, hold
 * @hidden: f, pages taken out of the capacity, because collection needs them
 * @format: m, format of new data, NULL for zswap
 * @packed: m, segments and chunks of the packed format, once it has been used
 * @used: A, slots of the device in use, with all slots of each segment; for
 *	zswap, objects of virtual slots
 * @release_work: A, gives clusters without data back: swap_format.release()
 * @retry_work: A, makes all formats forget what is bad, after some time
 * @bad: A, offsets where the medium is bad, not used until @retry_work or
 *	swapoff
 * @stats: A, counters
 */
struct swap_tier {
	struct kobject kobj;
	struct swap_info_struct *si;
	int id;
	struct plist_node node;
	unsigned long above;
	unsigned long below;
	enum swap_tier_state state;
	bool adopted;
	unsigned long drain_delay;
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
	atomic_t io_errors[2];		/* READ, WRITE */
	unsigned long first_error[2];
	struct mutex move_lock;		/* outermost but for swap_state_mutex */
	struct swap_move_batch batch;
	unsigned long scan_pos;
	unsigned long moved[2];
	spinlock_t lock;		/* inside a lent cluster's lock */
	struct list_head partial;
	struct list_head full;
	struct list_head victims;
	struct list_head empty;
	struct list_head held;
	atomic_t nr_runs;
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
/* Protects the list of tiers. Outside a lent cluster's lock. */
extern spinlock_t swap_tiers_lock;
extern unsigned long swap_tiers_present;
extern unsigned long swap_tiers_online;

/*
 * A mask of tiers has a bit for each device, by its swap type, and one for
 * zswap.
 */
#define SWAP_TIER_ZSWAP		BIT(SWAP_TIER_INDEX_ZSWAP)
#define SWAP_TIERS_ALL		GENMASK(SWAP_TIER_INDEX_ZSWAP, 0)
/*
 * A mover sets this in the mask of a store, because data that comes from
 * another tier is counted apart and is not urgent.
 */
#define SWAP_TIERS_MOVED	BIT(SWAP_TIER_INDEX_ZSWAP + 1)

extern struct swap_tier *swap_zswap_tier;
extern struct mutex swap_abs_mutex;
extern struct workqueue_struct *swap_abs_wq;
extern struct workqueue_struct *swap_move_wq;
/*
 * Moves data out of tiers where a cgroup has more than its limit, to tiers that
 * the cgroup may use and that have room, in the order of slots. Any code that
 * sees an excess queues this work; mm/swap_abs/policy.c sets it up.
 */
extern struct work_struct swap_excess_work;

/* Queue the work of a mover, once the queue has been made. Any context. */
static inline void swap_move_queue(struct work_struct *work)
{
	if (swap_move_wq)
		queue_work(swap_move_wq, work);
}

/* mm/swap_abs/tier.c */
extern atomic_long_t swap_bytes_moving;
extern atomic_t swap_neighbours_used;
extern bool swap_errors_are_medium;
extern unsigned long swap_tiers_erring;
extern u32 swap_tier_max_errors;
void __init swap_format_register(const struct swap_format *format);
const struct swap_format *swap_format_find(const char *name);
const struct swap_format *swap_format_for(struct swap_info_struct *si);
void swap_format_prepare(struct swap_tier *tier);
int swap_tier_set_format(struct swap_tier *tier,
			 const struct swap_format *format);
struct swap_tier *swap_tier_alloc(void);
int swap_tier_set_id(struct swap_tier *tier);
void swap_tier_free(struct swap_tier *tier);
void swap_tier_write_state(struct swap_tier *tier, enum swap_tier_state state);
void swap_tiers_update(void);
int swap_tier_set_rank(struct swap_tier *tier, int rank);
unsigned long swap_tier_stat_sum(struct swap_tier *tier,
				 enum swap_tier_stat stat);
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
void swap_tier_forget_errors(struct swap_tier *tier);
void swap_tier_io_done(struct swap_tier *tier, int rw, bool failed);
unsigned long __swap_tiers_sound(unsigned long tiers);

/* mm/swap_abs/device.c */
void swap_tiers_adopt(bool adopt);

/* mm/swap_abs/room.c */
unsigned long swap_tier_used(struct swap_tier *tier);
unsigned long swap_tier_watermark(struct swap_tier *tier,
				  enum swap_watermark which);
unsigned long swap_tier_free_clusters(struct swap_tier *tier);
unsigned long swap_tier_free_slots(struct swap_tier *tier);
bool swap_tier_has_slots(struct swap_tier *tier);
unsigned long swap_tiers_open(unsigned long tiers, enum swap_open how);
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
bool swap_may_zswap(struct mem_cgroup *memcg);

/* Return the tier of a copy that is in zswap or on a device. */
static inline struct swap_tier *swap_desc_to_tier(swap_desc_t word)
{
	if (!swap_desc_on_device(word))
		return swap_zswap_tier;
	return __swap_entry_to_info(swap_desc_device_entry(word))->tier;
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

/*
 * Return those of the tiers to which writes do not fail just now; all of them
 * if there is no such device.
 */
static inline unsigned long swap_tiers_sound(unsigned long tiers)
{
	if (likely(!READ_ONCE(swap_tiers_erring)))
		return tiers;
	return __swap_tiers_sound(tiers);
}

/*
 * Tell whether a tier takes new data. The answer is a hint without
 * swap_abs_mutex, because the state can change.
 */
static inline bool swap_tier_is_online(struct swap_tier *tier)
{
	return READ_ONCE(tier->state) == SWAP_TIER_ONLINE;
}

/* The states of a tier that drain_work empties. */
#define SWAP_TIER_STATES_DRAINED					\
	(BIT(SWAP_TIER_DRAINING) | BIT(SWAP_TIER_FAILED))

static inline bool swap_tier_is_drained(struct swap_tier *tier)
{
	return BIT(READ_ONCE(tier->state)) & SWAP_TIER_STATES_DRAINED;
}

/* Return the rank of a device's tier unless the administrator has set one. */
static inline int swap_tier_default_rank(struct swap_info_struct *si)
{
	return SHRT_MAX + 1 - si->prio;
}

/* Return about swap_tier_blocks(), cheaply; now and then less than zero. */
static inline long swap_tier_blocks_read(struct swap_tier *tier)
{
	/* data_race(): the caller needs a rough value only. */
	return data_race(percpu_counter_read(&tier->used)) -
	       (long)READ_ONCE(tier->nr_segments) * SWAPFILE_CLUSTER;
}

static inline void swap_tier_count(struct swap_tier *tier,
				   enum swap_tier_stat stat, long nr)
{
	this_cpu_add(tier->stats->count[stat], nr);
}

/*
 * Return until when, in jiffies, a CPU goes on to store in a tier that it has
 * chosen because the tiers before were full. 0 means for as long as the CPU
 * finds room in the tier, because no open tier comes before it.
 */
static inline unsigned long swap_tier_hint_until(struct swap_tier *tier)
{
	struct swap_tier *first;

	lockdep_assert_held(&swap_tiers_lock);
	plist_for_each_entry(first, &swap_tiers, node)
		if (first == tier || swap_tier_is_online(first))
			break;
	return tier->node.prio <= first->node.prio ? 0 :
						     (jiffies + HZ / 20) | 1;
}

static inline bool swap_tier_hint_is_old(unsigned long until)
{
	return until && time_after(jiffies, until);
}

/*
 * Tell whether the mask leaves out a device. A tier that is chosen by such a
 * mask need not be the first one for other masks.
 */
static inline bool swap_tiers_restricted(unsigned long tiers)
{
	return ~tiers & READ_ONCE(swap_tiers_present);
}

static inline enum swap_tier_stat swap_tiers_stat(unsigned long tiers)
{
	return tiers & SWAP_TIERS_MOVED ? SWAP_TIER_MOVED_IN : SWAP_TIER_STORE;
}

#endif /* _MM_SWAP_ABS_TIER_H */
