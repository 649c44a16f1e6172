/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The swap abstraction inside of the swap code.
 *
 * What it is, its rules and its locks are described at the head of
 * mm/swap_abs.c and in Documentation/mm/swap-abstraction.rst. This file owns
 * the layout of the descriptor and the table of operations that a backend
 * fills in.
 */
#ifndef _MM_SWAP_ABS_H
#define _MM_SWAP_ABS_H

#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/percpu_counter.h>
#include <linux/plist.h>
#include <linux/swap.h>
#include <linux/swap_abs.h>
#include <linux/swap_ops.h>
#include <linux/swapops.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <linux/zswap.h>
#include "swap.h"
#include "swap_abs_pack.h"

/* The index of a tier in tables and masks: a device's is its swap type. */
#define SWAP_TIER_INDEX_ZSWAP	MAX_SWAPFILES
#define NR_SWAP_TIER_INDEXES	(MAX_SWAPFILES + 1)

/*
 * The descriptor of a virtual slot: one word that says where the data is.
 *
 *          63  62         61 ... 3          2..0
 * none:    |0|R|----------- 0 ------------|X|000|  in the folio, zero, or unused
 * zswap:   |P|R|---- physical address / 8 --|001|  compressed in RAM
 * raw:     |P|0|- type (5) -|- offset (54) -|010|  a block of a swap device
 * packed:  |P|0| type | codec (2) | length - 1 (12) | address / 16 (40) |011|
 *                                              compressed, on a swap device
 * lost:    |0|0|------------- 0 ------------|100|  could not be read: gone
 *
 * P, pinned: a mover copies the data; only the mover clears the bit. A pinned
 * object that is dropped meanwhile is the mover's to free (an orphan).
 * R, reserved: a page of device capacity is held for this slot, so that what
 * was promised when the slot was made can be kept. Pages that zswap stores
 * without making them smaller keep it: they must be able to leave the RAM.
 *
 * X, refused: zswap has not made it smaller, so it is not tried again.
 *
 * Bits 61..3 with the tag and without P and R are the place; see
 * swap_desc_place(). The word changes only under the lock of its virtual
 * cluster, and only while no folio is in the slot or by who holds that folio
 * locked and not under writeback.
 */
#ifdef CONFIG_SWAP_ABS
enum swap_desc_tag {
	SWAP_DESC_NONE,
	SWAP_DESC_ZSWAP,
	SWAP_DESC_RAW,
	SWAP_DESC_PACKED,
	SWAP_DESC_LOST,
	NR_SWAP_DESC_TAGS,
};

#define SWAP_DESC_TAG_MASK	0x7UL
#define SWAP_DESC_TAG_BITS	3
#define SWAP_DESC_RESERVED	BIT(62)
#define SWAP_DESC_PIN		BIT(63)
#define SWAP_DESC_TYPE_SHIFT	57

/* Of a page in RAM alone: zswap has not made it smaller. */
#define SWAP_DESC_REFUSED	BIT(SWAP_DESC_TAG_BITS)

/* Of a packed object. The address is that of its header. */
#define SWAP_DESC_ADDR_BITS	40
#define SWAP_DESC_LEN_SHIFT	(SWAP_DESC_TAG_BITS + SWAP_DESC_ADDR_BITS)
#define SWAP_DESC_LEN_BITS	12
#define SWAP_DESC_CODEC_SHIFT	(SWAP_DESC_LEN_SHIFT + SWAP_DESC_LEN_BITS)
#define SWAP_DESC_CODEC_BITS	2

static inline enum swap_desc_tag swap_desc_tag(unsigned long word)
{
	return word & SWAP_DESC_TAG_MASK;
}

/* The place alone, which two words for the same copy have in common. */
static inline unsigned long swap_desc_place(unsigned long word)
{
	return word & ~(SWAP_DESC_PIN | SWAP_DESC_RESERVED);
}

static inline unsigned long swap_desc_zswap(void *object)
{
	unsigned long addr = __pa(object);

	VM_WARN_ON_ONCE(addr & (SWAP_DESC_TAG_MASK | SWAP_DESC_PIN | SWAP_DESC_RESERVED));
	return addr | SWAP_DESC_ZSWAP;
}

static inline void *swap_desc_object(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_ZSWAP);
	return __va(swap_desc_place(word) & ~SWAP_DESC_TAG_MASK);
}

static inline unsigned long swap_desc_raw(unsigned int type, unsigned long offset)
{
	VM_WARN_ON_ONCE(offset >> (SWAP_DESC_TYPE_SHIFT - SWAP_DESC_TAG_BITS));
	return (unsigned long)type << SWAP_DESC_TYPE_SHIFT |
	       offset << SWAP_DESC_TAG_BITS | SWAP_DESC_RAW;
}

static inline unsigned long swap_desc_packed(unsigned int type, u64 address,
					     unsigned int length, unsigned int codec)
{
	unsigned long units = address / SWAP_PACK_ALIGN;

	VM_WARN_ON_ONCE(units >> SWAP_DESC_ADDR_BITS);
	VM_WARN_ON_ONCE(!length || (length - 1) >> SWAP_DESC_LEN_BITS);
	VM_WARN_ON_ONCE(codec >> SWAP_DESC_CODEC_BITS);
	return (unsigned long)type << SWAP_DESC_TYPE_SHIFT |
	       (unsigned long)codec << SWAP_DESC_CODEC_SHIFT |
	       (unsigned long)(length - 1) << SWAP_DESC_LEN_SHIFT |
	       units << SWAP_DESC_TAG_BITS | SWAP_DESC_PACKED;
}

/* Bytes from the start of the device to the object's header. */
static inline u64 swap_desc_address(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return (word >> SWAP_DESC_TAG_BITS & (BIT(SWAP_DESC_ADDR_BITS) - 1)) *
	       SWAP_PACK_ALIGN;
}

static inline unsigned int swap_desc_length(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return (word >> SWAP_DESC_LEN_SHIFT & (BIT(SWAP_DESC_LEN_BITS) - 1)) + 1;
}

static inline unsigned int swap_desc_codec(unsigned long word)
{
	VM_WARN_ON_ONCE(swap_desc_tag(word) != SWAP_DESC_PACKED);
	return word >> SWAP_DESC_CODEC_SHIFT & (BIT(SWAP_DESC_CODEC_BITS) - 1);
}

static inline bool swap_desc_on_device(unsigned long word)
{
	return swap_desc_tag(word) == SWAP_DESC_RAW ||
	       swap_desc_tag(word) == SWAP_DESC_PACKED;
}

/* The index of the tier where the data is, -1 when it is in none. */
static inline int swap_desc_tier(unsigned long word)
{
	if (swap_desc_on_device(word))
		return swap_desc_place(word) >> SWAP_DESC_TYPE_SHIFT;
	return swap_desc_tag(word) == SWAP_DESC_ZSWAP ? SWAP_TIER_INDEX_ZSWAP : -1;
}

/* The block of a device that the data is in, or begins in. */
static inline swp_entry_t swap_desc_device_entry(unsigned long word)
{
	unsigned long place = swap_desc_place(word);
	unsigned int type = place >> SWAP_DESC_TYPE_SHIFT;

	VM_WARN_ON_ONCE(!swap_desc_on_device(word));
	if (swap_desc_tag(word) == SWAP_DESC_PACKED)
		return swp_entry(type, swap_desc_address(word) >> PAGE_SHIFT);
	place &= BIT(SWAP_DESC_TYPE_SHIFT) - 1;
	return swp_entry(type, place >> SWAP_DESC_TAG_BITS);
}

#endif /* CONFIG_SWAP_ABS */

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
 * @moved: the data of a word that the caller has pinned is at its new place:
 *	release the old one. May sleep.
 * @stays: it could not be moved, and is about to be unpinned; NULL where that needs
 *	nothing. May sleep.
 * @synchronous: is a load of the word done without waiting for I/O? A hint.
 * @stable: must the page not change while it is written there?
 *
 * Adding a backend is one file with such a table, a tag, and its line in
 * swap_backends[] of mm/swap_abs.c.
 */
struct swap_backend {
	int (*store)(struct swap_io_ctx *ctx, struct folio *folio, unsigned long tiers);
	void (*load)(struct swap_io_ctx *ctx, struct folio *folio);
	long (*drop)(const unsigned long *words, unsigned int nr);
	bool (*same_load)(unsigned long first, unsigned long next, unsigned int i);
	void (*moved)(unsigned long word);
	void (*stays)(unsigned long word);
	bool (*synchronous)(unsigned long word);
	bool (*stable)(unsigned long word);
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

/* What is to become of a tier's data. */
enum swap_tier_state {
	SWAP_TIER_ONLINE,
	SWAP_TIER_DRAINING,	/* takes nothing, and is emptied into the others */
	SWAP_TIER_FAILED,	/* the same, because of I/O errors */
	NR_SWAP_TIER_STATES,
};

/* How full a tier may be before it demotes, and until when it does so. */
enum swap_watermark {
	SWAP_WMARK_HIGH,
	SWAP_WMARK_LOW,
	NR_SWAP_WMARKS,
};

struct swap_pack;

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

/* What a mover has gathered, and what of it is on its way; see mm/swap_abs_move.c. */
struct swap_move_batch {
	struct swap_moving reading[SWAP_MOVE_BATCH];
	struct swap_moving writing[SWAP_MOVE_BATCH];
};

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
 * @state: protected by swap_state_mutex in mm/swap_abs_demote.c
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

/**
 * struct swap_move - data that is to be moved off a tier
 * @si: the device, NULL for zswap
 * @tiers: mask of the tiers that may get it
 * @to_ram: what they don't take may stay in RAM, and what can't be read is lost:
 *	for swapoff
 * @want: pages, at most; ULONG_MAX for all
 * @floor: of zswap, pages of its pool to be left
 * @moved: pages moved so far, or on their way
 * @stop: set when it is to end before that, or NULL
 * @reads: I/O of @nr_reading
 * @nr_reading: pages of swap_tier.batch that are being read
 * @nr_writing: pages of it that are being written
 */
struct swap_move {
	struct swap_info_struct *si;
	unsigned long tiers;
	bool to_ram;
	unsigned long want;
	unsigned long floor;
	unsigned long *moved;
	bool *stop;
	struct swap_io_ctx reads;
	unsigned int nr_reading;
	unsigned int nr_writing;
};

static inline void swap_tier_count(struct swap_tier *tier,
				   enum swap_tier_stat stat, long nr)
{
	this_cpu_add(tier->stats->count[stat], nr);
}

unsigned long swap_tier_stat_sum(struct swap_tier *tier, enum swap_tier_stat stat);

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

/* What a new entry may count on; see swap_abs_reserve(). */
enum swap_room {
	SWAP_ROOM_PHYSICAL,	/* the layer is off: a slot of a device itself */
	SWAP_ROOM_DEVICE,	/* virtual, device capacity is held for it */
	SWAP_ROOM_RAM,		/* virtual, but only zswap may take it */
	SWAP_ROOM_NONE,
};

extern struct swap_info_struct *swap_virtual_area;
extern struct swap_ops swap_virtual_ops;
extern struct swap_tier *swap_zswap_tier;
extern struct mutex swap_abs_mutex;
extern struct workqueue_struct *swap_abs_wq;

/* mm/swap_abs.c */
int swap_abs_switch(bool on);
const struct swap_backend *swap_backend_of(unsigned long word);
bool swap_abs_take_room(long nr);
void swap_abs_give_room(long nr);
void swap_abs_room_gained(void);
void swap_abs_init_slots(struct swap_cluster_info *ci, unsigned int ci_off,
			 unsigned int nr);
void swap_abs_drop(struct swap_cluster_info *ci, unsigned int ci_off,
		   unsigned int nr);
void swap_abs_drop_folio(struct folio *folio);
void swap_abs_set_lost(struct swap_cluster_info *ci, unsigned int ci_off);
long swap_abs_room_needed(struct folio *folio);
unsigned long swap_abs_word(swp_entry_t entry);
bool swap_abs_is_reserved(swp_entry_t entry);
int swap_abs_store(struct swap_io_ctx *ctx, struct folio *folio, unsigned long tiers);
void swap_abs_cancel_promises(void);
void swap_abs_cluster_wanted(void);
bool swap_abs_pin(swp_entry_t entry, unsigned long place);
bool swap_abs_unpin(swp_entry_t entry, unsigned long place);
bool swap_abs_commit(swp_entry_t entry, unsigned long place, unsigned long new,
		     struct folio *locked, long taken);
unsigned long *swap_abs_alloc_words(struct folio *folio, unsigned long *single);
void swap_abs_free_words(unsigned long *words, unsigned long *single);
void swap_abs_install(struct folio *folio, const unsigned long *words, long taken);
int swap_abs_writeout(struct swap_io_ctx *ctx, struct folio *folio);
void swap_abs_read_folio(struct swap_io_ctx *ctx, struct folio *folio);
void swap_abs_read_again(struct folio *folio);
void swap_abs_read_again_unlock(struct folio *folio);
bool swap_abs_same_load(struct swap_cluster_info *ci, unsigned int ci_off,
			unsigned int nr);

/* mm/swap_abs_vain.c */
/**
 * struct swap_vain - what has been tried in vain
 * @pages: how many pages, less what has been successful
 * @lru: how many pages there were to be tried
 * @last: jiffies when the last one was tried
 * @devices: tells whether there were others then
 * @flushed: jiffies when the cgroup's statistics were brought up to date
 */
struct swap_vain {
	atomic_long_t pages;
	unsigned long lru;
	unsigned long last;
	unsigned int devices;
	unsigned long flushed;
};

void swap_abs_in_vain(struct folio *folio);
void __swap_abs_gone(struct folio *folio);
bool swap_abs_hope(struct mem_cgroup *memcg);
bool __swap_folio_refused(struct folio *folio);
void swap_abs_room_short(void);
void swap_abs_device_came(void);
bool swap_abs_room_is_short(void);
void __swap_throttle_reclaim(gfp_t gfp, bool writing);

/* mm/swap_abs.c */
bool swap_abs_synchronous(swp_entry_t entry);
bool swap_abs_stable_writes(struct folio *folio);
void swap_abs_cluster_taken(void);
void swap_abs_cluster_freed(void);
swp_entry_t swap_abs_backing(swp_entry_t entry);

/* mm/swap_abs_raw.c */
bool swap_raw_has_room(struct swap_tier *tier);
bool swap_raw_alloc(unsigned long *words, unsigned int nr, unsigned long tiers);
long swap_raw_free(const unsigned long *words, unsigned int nr);
void swap_raw_untake(const unsigned long *words, unsigned int nr);
void swap_raw_write_failed(struct folio *folio, blk_status_t status);
void swap_raw_piece_done(struct folio *folio, unsigned int first, unsigned int nr,
			 blk_status_t status);
unsigned long swap_raw_nr_bad(struct swap_tier *tier);
void swap_raw_read_failed(struct folio *folio);
void swap_raw_io_done(struct folio *folio, bool failed);
unsigned int swap_raw_run(struct folio *folio, unsigned int first,
			  struct block_device **bdev, sector_t *sector);
void swap_raw_release(struct work_struct *work);
void swap_raw_forget_bad(struct swap_tier *tier);
void swap_raw_pick_old(struct swap_tier *tier, unsigned long pages);
unsigned long swap_raw_pick_sparse(struct swap_tier *tier, unsigned long gain);
unsigned long swap_raw_free_clusters(struct swap_tier *tier);
unsigned long swap_raw_nr_free(struct swap_tier *tier);
unsigned long swap_raw_unpick_old(struct swap_tier *tier);
bool swap_raw_is_old(unsigned long word);
void swap_raw_forget_hints(void);

/* mm/swap_abs_packed.c */
#ifdef CONFIG_SWAP_ABS_PACKED
bool swap_packed_supported(struct swap_info_struct *si);
int swap_packed_start(struct swap_tier *tier);
void swap_packed_quiet(struct swap_tier *tier);
void swap_packed_resume(struct swap_tier *tier);
void swap_packed_stop(struct swap_tier *tier);
unsigned long swap_packed_close_segment(struct swap_cluster_info *ci, bool close);
unsigned long swap_packed_segment_held(struct swap_cluster_info *ci);
unsigned long swap_packed_held(struct swap_tier *tier);
unsigned long swap_packed_live(struct swap_tier *tier);
unsigned long swap_packed_dead(struct swap_tier *tier);
long swap_packed_excess(struct swap_tier *tier);
unsigned long swap_packed_nr_bad(struct swap_tier *tier);
int swap_packed_drain(struct swap_move *move);
bool swap_packed_fill(struct folio *folio, struct swap_info_struct *si,
		      const struct swap_pack_object *object);
void swap_packed_forget_hints(void);
bool swap_packed_has_room(struct swap_tier *tier);
void swap_packed_forget_bad(struct swap_tier *tier);
void swap_packed_free(struct swap_tier *tier);
int swap_packed_move(swp_entry_t slot, unsigned long place, const void *data,
		     unsigned int length, unsigned int codec, bool may_wait,
		     unsigned long tiers);
void *swap_packed_get_buffer(void);
void swap_packed_put_buffer(void *buf);
unsigned long swap_packed_moving_pages(void);
bool swap_packed_is_busy(void);
bool swap_packed_is_moving(void);
void swap_packed_wait_moved(void);
void swap_packed_make_room(void);
bool swap_packed_yield(unsigned long tiers);
bool swap_packed_is_collecting(void);
unsigned long swap_packed_objects(struct swap_tier *tier);
unsigned long swap_packed_objects_read(struct swap_tier *tier);
unsigned long swap_packed_segments(struct swap_tier *tier);
unsigned long swap_packed_spares(struct swap_tier *tier);
unsigned int swap_packed_check(struct swap_tier *tier, bool begin);
void swap_packed_check_word(unsigned long word);

/* mm/swap_abs_packed_read.c */
void swap_packed_submit_read(struct swap_io_ctx *ctx);
void swap_packed_end_batch(struct swap_io_ctx *ctx);

/* mm/swap_abs_packed_ahead.c */
extern bool swap_ahead_on;
void swap_packed_ahead_used(void);
bool swap_packed_ahead_fits(struct mem_cgroup *memcg);
#else
static inline void swap_packed_ahead_used(void)
{
}

static inline bool swap_packed_ahead_fits(struct mem_cgroup *memcg)
{
	return false;
}

static inline bool swap_packed_supported(struct swap_info_struct *si)
{
	return false;
}

static inline int swap_packed_start(struct swap_tier *tier)
{
	return -EOPNOTSUPP;
}

static inline void swap_packed_quiet(struct swap_tier *tier)
{
}

static inline void swap_packed_resume(struct swap_tier *tier)
{
}

static inline void swap_packed_stop(struct swap_tier *tier)
{
}

static inline unsigned long swap_packed_close_segment(struct swap_cluster_info *ci,
						      bool close)
{
	return 0;
}

static inline unsigned long swap_packed_segment_held(struct swap_cluster_info *ci)
{
	return 0;
}

static inline unsigned long swap_packed_held(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_live(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_dead(struct swap_tier *tier)
{
	return 0;
}

static inline long swap_packed_excess(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_nr_bad(struct swap_tier *tier)
{
	return 0;
}

static inline bool swap_packed_fill(struct folio *folio, struct swap_info_struct *si,
				    const struct swap_pack_object *object)
{
	return false;
}

static inline int swap_packed_drain(struct swap_move *move)
{
	return 0;
}

static inline void swap_packed_forget_hints(void)
{
}

static inline bool swap_packed_has_room(struct swap_tier *tier)
{
	return false;
}

static inline void swap_packed_forget_bad(struct swap_tier *tier)
{
}

static inline void swap_packed_free(struct swap_tier *tier)
{
}

static inline int swap_packed_move(swp_entry_t slot, unsigned long place, const void *data,
				   unsigned int length, unsigned int codec, bool may_wait,
				   unsigned long tiers)
{
	return -ENOSPC;
}

static inline void *swap_packed_get_buffer(void)
{
	return NULL;
}

static inline void swap_packed_put_buffer(void *buf)
{
}

static inline bool swap_packed_is_busy(void)
{
	return false;
}

static inline unsigned long swap_packed_moving_pages(void)
{
	return 0;
}

static inline bool swap_packed_is_moving(void)
{
	return false;
}

static inline void swap_packed_wait_moved(void)
{
}

static inline void swap_packed_make_room(void)
{
}

static inline bool swap_packed_yield(unsigned long tiers)
{
	return false;
}

static inline bool swap_packed_is_collecting(void)
{
	return false;
}

static inline unsigned long swap_packed_objects(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_objects_read(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_segments(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned long swap_packed_spares(struct swap_tier *tier)
{
	return 0;
}

static inline unsigned int swap_packed_check(struct swap_tier *tier, bool begin)
{
	return 0;
}

static inline void swap_packed_check_word(unsigned long word)
{
}
#endif /* CONFIG_SWAP_ABS_PACKED */

/* mm/swap_abs_codec.c */
/* Where zswap has not said what to use. */
#ifdef CONFIG_ZSWAP
#define SWAP_CODEC_FIRST	CONFIG_ZSWAP_COMPRESSOR_DEFAULT
#else
#define SWAP_CODEC_FIRST	"lzo"
#endif
int swap_codec_default(void);
int swap_codec_compress(unsigned int codec, struct page *page, void *dst);
bool swap_codec_decompress(unsigned int codec, const void *src,
			   unsigned int length, struct page *page);

/* mm/swap_abs_tier.c */
void swap_tiers_adopt(bool adopt);
void swap_tier_free(struct swap_tier *tier);
int swap_tier_set_format(struct swap_tier *tier, enum swap_format format);
int swap_tier_set_rank(struct swap_tier *tier, int rank);
bool swap_tier_has_room(struct swap_tier *tier);
void swap_tier_hide(struct swap_tier *tier, long pages);
#ifdef CONFIG_SWAP_ABS
void swap_abs_trim_info(struct sysinfo *val);
unsigned long swap_tiers_stored(void);
unsigned long swap_tier_inuse(struct swap_tier *tier);
unsigned long swap_tier_lent(struct swap_tier *tier);
#else
static inline void swap_abs_trim_info(struct sysinfo *val)
{
}
#endif
void swap_tier_retry_bad(struct swap_tier *tier);
void swap_tiers_retry_now(void);
extern bool swap_errors_are_medium;
bool swap_tier_medium_failed(struct swap_tier *tier, blk_status_t status);

/* mm/swap_abs_demote.c */
extern u32 swap_tier_max_errors;
extern u32 swap_tier_reopen_delay;
unsigned long swap_tier_watermark(struct swap_tier *tier, enum swap_watermark which);
int swap_tier_set_watermark(struct swap_tier *tier, enum swap_watermark which,
			    unsigned int percent);
bool swap_tiers_have_room(unsigned long tiers);
bool swap_tiers_have_slots(void);
bool swap_zswap_has_room(void);
bool swap_tier_has_upper(struct swap_tier *tier, unsigned long tiers);
unsigned long swap_tiers_of_folio(struct folio *folio);
void swap_abs_promote(struct folio *folio);
void swap_tier_filled(struct swap_tier *tier);
void swap_tier_demoted(struct swap_tier *tier, bool moved);
void swap_move_queue(struct work_struct *work);
int swap_tier_move(struct swap_tier *tier, bool up, unsigned long pages);
int swap_tier_set_state(struct swap_tier *tier, enum swap_tier_state state);
void swap_tiers_excess(void);
void swap_tier_io_done(struct swap_tier *tier, bool failed);
void swap_tier_init_moves(struct swap_tier *tier);
void swap_tier_stop_moves(struct swap_tier *tier);
#ifdef CONFIG_SWAP_ABS_PACKED
/* mm/swap_abs_codec.c, for mm/zswap.c */
int swap_codec_get(const char *name);
#else
static inline int swap_codec_get(const char *name)
{
	return -ENOENT;
}
#endif

#ifdef CONFIG_SWAP_ABS
int swap_tier_create(struct swap_info_struct *si);
void swap_tier_join(struct swap_info_struct *si);
void swap_tier_ready(struct swap_info_struct *si);
void swap_tier_leave(struct swap_info_struct *si);
void swap_tier_stay(struct swap_info_struct *si);
void swap_tier_destroy(struct swap_info_struct *si);

/* mm/swap_abs_raw.c */
unsigned long swap_raw_alloc_image(struct swap_info_struct *si);
bool swap_raw_free_image(swp_entry_t entry);
unsigned long swap_raw_image_room(struct swap_info_struct *si);

/* mm/swap_abs_drain.c */
int swap_abs_drain(struct swap_info_struct *si);
bool swap_move_stopped(struct swap_move *move);

/* Does the system wait for the works of movers to end? They go on when it thaws. */
static inline bool swap_move_freezing(void)
{
#ifdef CONFIG_FREEZER
	return READ_ONCE(pm_nosig_freezing);
#else
	return false;
#endif
}

int swap_move_some(struct swap_move *move);
void swap_move_picked(struct swap_move *move);

/* mm/swap_abs_move.c */
int swap_move_slot(struct swap_move *move, swp_entry_t entry,
		   const struct swap_pack_object *object);
int swap_move_settle(struct swap_move *move);
bool swap_move_del_folio(struct folio *folio, void *shadow, int refs);
int swap_move_end(struct swap_move *move);

/* mm/swap_abs_compact.c */
void swap_tier_compact(struct swap_tier *tier);
void swap_tier_compact_work(struct work_struct *work);

/* mm/swap_abs_demote.c */
enum swap_tier_state swap_tiers_open_device(struct address_space *mapping);
void swap_tiers_close_device(struct address_space *mapping, enum swap_tier_state state);
#else
static inline int swap_tier_create(struct swap_info_struct *si)
{
	return 0;
}

static inline void swap_tier_join(struct swap_info_struct *si)
{
}

static inline void swap_tier_ready(struct swap_info_struct *si)
{
}

static inline void swap_tier_leave(struct swap_info_struct *si)
{
}

static inline void swap_tier_stay(struct swap_info_struct *si)
{
}

static inline void swap_tier_destroy(struct swap_info_struct *si)
{
}

static inline unsigned long swap_raw_alloc_image(struct swap_info_struct *si)
{
	return 0;
}

static inline bool swap_raw_free_image(swp_entry_t entry)
{
	return false;
}

static inline unsigned long swap_raw_image_room(struct swap_info_struct *si)
{
	return 0;
}

static inline int swap_abs_drain(struct swap_info_struct *si)
{
	return 0;
}

static inline enum swap_tier_state swap_tiers_open_device(struct address_space *mapping)
{
	return SWAP_TIER_ONLINE;
}

static inline void swap_tiers_close_device(struct address_space *mapping,
					   enum swap_tier_state state)
{
}

static inline bool swap_move_stopped(struct swap_move *move)
{
	return true;
}
#endif

/* mm/swap_abs_sysfs.c */
int swap_tier_sysfs_add(struct swap_tier *tier);

/* mm/swap_abs_sweep.c */
void swap_sweep_later(unsigned long offset);

/* mm/swap_abs_memcg.c */
struct seq_buf;

#ifdef CONFIG_SWAP_ABS_MEMCG
DECLARE_STATIC_KEY_FALSE(swap_memcg_limited);

struct swap_vain *swap_memcg_vain(struct mem_cgroup *memcg);
unsigned long swap_memcg_stored(struct mem_cgroup *memcg);
unsigned long swap_memcg_slots(struct mem_cgroup *memcg);
int swap_memcg_alloc(struct mem_cgroup *memcg, struct mem_cgroup *parent);
void swap_memcg_free(struct mem_cgroup *memcg);
void swap_memcg_reset(struct mem_cgroup *memcg);
void swap_memcg_forget(unsigned int type);
void swap_memcg_stat_format(struct mem_cgroup *memcg, struct seq_buf *s);
void swap_memcg_account(struct swap_cluster_info *ci, unsigned int ci_off,
			const unsigned long *old, const unsigned long *new,
			unsigned int nr);
bool swap_memcg_counts(struct swap_cluster_info *ci, unsigned int ci_off);
void swap_memcg_sum(unsigned long *sum);
unsigned long __swap_memcg_tiers(struct mem_cgroup *memcg, unsigned long nr);
unsigned long __swap_memcg_tiers_of(swp_entry_t slot, unsigned long nr);
unsigned long swap_memcg_excess(void);
bool swap_memcg_may_have(swp_entry_t slot, unsigned long mask);

/* A cluster of the virtual area has no slots in use any more. */
static inline void swap_memcg_forget_cluster(struct swap_cluster_info *ci)
{
	WRITE_ONCE(ci->memcgs, 0);
}

/**
 * swap_memcg_tiers - where may a cgroup have more?
 * @memcg: the cgroup, which the caller keeps from going, or NULL
 * @nr: pages; with 0 the tiers are left out that it has too much in
 *
 * Asked before data is copied. Nothing is reserved; see mm/swap_abs_memcg.c.
 *
 * Context: any.
 * Return: mask of the tiers that it and all its parents allow, of those also that
 * there are not.
 */
static inline unsigned long swap_memcg_tiers(struct mem_cgroup *memcg, unsigned long nr)
{
	if (!static_branch_unlikely(&swap_memcg_limited))
		return SWAP_TIERS_ALL;
	return __swap_memcg_tiers(memcg, nr);
}

/**
 * swap_memcg_tiers_of - where may the cgroup of a slot have more?
 * @slot: a virtual entry, that may have been freed meanwhile
 * @nr: as for swap_memcg_tiers()
 *
 * Context: takes the virtual cluster's lock.
 * Return: mask of tiers.
 */
static inline unsigned long swap_memcg_tiers_of(swp_entry_t slot, unsigned long nr)
{
	if (!static_branch_unlikely(&swap_memcg_limited))
		return SWAP_TIERS_ALL;
	return __swap_memcg_tiers_of(slot, nr);
}
#else
static inline unsigned long swap_memcg_excess(void)
{
	return 0;
}

static inline bool swap_memcg_may_have(swp_entry_t slot, unsigned long mask)
{
	return false;
}

static inline void swap_memcg_forget_cluster(struct swap_cluster_info *ci)
{
}

static inline struct swap_vain *swap_memcg_vain(struct mem_cgroup *memcg)
{
	return NULL;
}

static inline unsigned long swap_memcg_stored(struct mem_cgroup *memcg)
{
	return 0;
}

static inline unsigned long swap_memcg_slots(struct mem_cgroup *memcg)
{
	return 0;
}

static inline int swap_memcg_alloc(struct mem_cgroup *memcg, struct mem_cgroup *parent)
{
	return 0;
}

static inline void swap_memcg_free(struct mem_cgroup *memcg)
{
}

static inline void swap_memcg_reset(struct mem_cgroup *memcg)
{
}

static inline void swap_memcg_forget(unsigned int type)
{
}

static inline void swap_memcg_stat_format(struct mem_cgroup *memcg, struct seq_buf *s)
{
}

static inline void swap_memcg_account(struct swap_cluster_info *ci, unsigned int ci_off,
				      const unsigned long *old, const unsigned long *new,
				      unsigned int nr)
{
}

static inline bool swap_memcg_counts(struct swap_cluster_info *ci, unsigned int ci_off)
{
	return false;
}

static inline void swap_memcg_sum(unsigned long *sum)
{
}

static inline unsigned long swap_memcg_tiers(struct mem_cgroup *memcg, unsigned long nr)
{
	return SWAP_TIERS_ALL;
}

static inline unsigned long swap_memcg_tiers_of(swp_entry_t slot, unsigned long nr)
{
	return SWAP_TIERS_ALL;
}
#endif

#ifdef CONFIG_SWAP_ABS
/**
 * swap_memcg_may_swap - is there a tier that a cgroup may have more in?
 * @memcg: the cgroup
 *
 * Context: any but interrupts.
 * Return: false when none of those that it may use has room.
 */
static inline bool swap_memcg_may_swap(struct mem_cgroup *memcg)
{
	unsigned long tiers = swap_memcg_tiers(memcg, 1);

	/* Room that there is elsewhere is none for it. */
	return !swap_tiers_restricted(tiers) || swap_tiers_have_room(tiers);
}
#else
static inline bool swap_memcg_may_swap(struct mem_cgroup *memcg)
{
	return true;
}
#endif

/* mm/swap_abs_debug.c */
#ifdef CONFIG_DEBUG_FS
void swap_abs_debug_move(void);
void swap_abs_debug_orphan(void);
#else
static inline void swap_abs_debug_move(void)
{
}

static inline void swap_abs_debug_orphan(void)
{
}
#endif

/* mm/memcontrol.c */
#if defined(CONFIG_MEMCG) && defined(CONFIG_ZSWAP)
bool mem_cgroup_may_zswap(struct mem_cgroup *memcg);
struct obj_cgroup *get_obj_cgroup_from_slot(swp_entry_t entry);
bool swap_slot_may_writeback(swp_entry_t entry);
#else
static inline bool swap_slot_may_writeback(swp_entry_t entry)
{
	return true;
}

static inline struct obj_cgroup *get_obj_cgroup_from_slot(swp_entry_t entry)
{
	return NULL;
}

static inline bool mem_cgroup_may_zswap(struct mem_cgroup *memcg)
{
	return true;
}
#endif

/* mm/zswap.c */
#ifdef CONFIG_ZSWAP
unsigned long zswap_capacity(void);
long zswap_room(void);
void zswap_demote_wanted(void);
int zswap_demote(struct swap_move *move);
int zswap_move_slot(swp_entry_t slot, unsigned long word);
int zswap_move_in(swp_entry_t slot, unsigned long from,
		  const struct swap_pack_object *object, bool ahead);
size_t zswap_object_size(void);
swp_entry_t zswap_object_entry(unsigned long word);
void zswap_init_codec(void);
#else
static inline unsigned long zswap_total_pages(void)
{
	return 0;
}

static inline unsigned long zswap_capacity(void)
{
	return 0;
}

static inline long zswap_room(void)
{
	return 0;
}

static inline void zswap_demote_wanted(void)
{
}

static inline int zswap_demote(struct swap_move *move)
{
	return -ENOSPC;
}

static inline int zswap_move_slot(swp_entry_t slot, unsigned long word)
{
	return -ENOENT;
}

static inline int zswap_move_in(swp_entry_t slot, unsigned long from,
				const struct swap_pack_object *object, bool ahead)
{
	return -ENOSPC;
}

static inline size_t zswap_object_size(void)
{
	return 0;
}

static inline swp_entry_t zswap_object_entry(unsigned long word)
{
	return (swp_entry_t){ 0 };
}

static inline void zswap_init_codec(void)
{
}
#endif

/* mm/swapfile.c, for the files above */
struct swap_info_struct *swap_virtual_area_alloc(const struct swap_ops *ops);
void swap_virtual_area_start(struct swap_info_struct *si);
int swap_virtual_area_add(struct swap_info_struct *si, unsigned long first,
			  unsigned long nr);
struct swap_cluster_info *swap_cluster_lend(struct swap_info_struct *si,
					    enum swap_cluster_flags flags);
struct swap_cluster_info *swap_cluster_lend_holed(struct swap_info_struct *si,
						  unsigned long *map);
unsigned int swap_cluster_nr_bad(struct swap_cluster_info *ci);
void swap_spare_tables_fill(struct swap_info_struct *si);
unsigned long swap_device_usage(struct swap_info_struct *si);
void swap_total_sub(long pages);
void swap_device_set_tier(struct swap_info_struct *si, struct swap_tier *tier);
bool swap_reclaim_unused(struct swap_info_struct *si, unsigned long offset);
void swap_device_close_lent(struct swap_info_struct *si, bool close);
void swap_cluster_return(struct swap_info_struct *si, struct swap_cluster_info *ci);
void swap_device_adopt(struct swap_info_struct *si, bool adopt);
int swap_device_close(struct swap_info_struct *si);
void swap_device_reopen(struct swap_info_struct *si);
bool swap_device_tryget(struct swap_info_struct *si);
sector_t swap_device_run(struct swap_info_struct *si, pgoff_t offset,
			 unsigned int *nr);
bool swap_sync_discard(void);
void swap_range_notify(struct swap_info_struct *si, unsigned long offset,
		       unsigned int nr_entries);

/*
 * The questions that the swap code asks of an entry or a folio, which has one
 * answer for a physical entry and another one for a virtual entry. The first
 * three cost a static branch while the layer has never been on, and nothing
 * where it is not built in.
 */

/* Is this the virtual area? */
static inline bool swap_is_virtual(struct swap_info_struct *si)
{
	/* data_race(): the flag is set before anybody knows of the area, for ever. */
	return swap_abs_used() && (data_race(si->flags) & SWP_VIRTUAL);
}

static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return swap_abs_used() && swap_is_virtual(__swap_entry_to_info(entry));
}

static inline bool folio_swap_is_virtual(const struct folio *folio)
{
	return swap_entry_is_virtual(folio->swap);
}

/**
 * swap_entry_synchronous - is a load of the entry done without waiting for I/O?
 * @si: the swap device of @entry
 * @entry: a valid swap entry
 *
 * Such entries bypass readahead. For a virtual entry it is a hint until a
 * folio of it is locked in the swap cache: either way of loading is right for
 * any backing.
 *
 * Return: true when nothing has to be waited for.
 */
static inline bool swap_entry_synchronous(struct swap_info_struct *si,
					  swp_entry_t entry)
{
	if (swap_is_virtual(si))
		return swap_abs_synchronous(entry);
	/* data_race(): does not change while the device is in use. */
	return data_race(si->flags & SWP_SYNCHRONOUS_IO);
}

/**
 * swap_folio_is_surplus - is the folio's copy in swap better given up?
 * @folio: a locked folio in the swap cache
 *
 * Return: true where swap gets full, unless giving up the copy makes no room, and the
 * page could not leave memory again.
 */
static inline bool swap_folio_is_surplus(struct folio *folio)
{
	return mem_cgroup_swap_full(folio) && !swap_folio_copy_is_last(folio);
}

/**
 * swap_folio_stable_writes - must the folio not change while it is written?
 * @si: the swap device of @folio
 * @folio: a locked folio in the swap cache
 *
 * Return: true when what it is written to can't have it changed meanwhile.
 */
static inline bool swap_folio_stable_writes(struct swap_info_struct *si,
					    struct folio *folio)
{
	if (swap_is_virtual(si))
		return swap_abs_stable_writes(folio);
	/* data_race(): does not change while the device is in use. */
	return data_race(si->flags & SWP_STABLE_WRITES);
}

/**
 * swap_folio_backing - where on a swap device is the folio's data?
 * @folio: a folio in the swap cache, locked or under writeback, whose data is
 *	on a device
 *
 * Return: the type and offset of the folio's first page on the device.
 */
static inline swp_entry_t swap_folio_backing(struct folio *folio)
{
	if (swap_entry_is_virtual(folio->swap))
		return swap_abs_backing(folio->swap);
	return folio->swap;
}

/**
 * swap_folio_scattered - do the folio's pages lie apart on devices?
 * @folio: as for swap_folio_backing()
 *
 * Return: true when the folio can't be written by one bio.
 */
static inline bool swap_folio_scattered(struct folio *folio)
{
	struct block_device *bdev;
	sector_t sector;

	return swap_entry_is_virtual(folio->swap) && folio_test_large(folio) &&
	       swap_raw_run(folio, 0, &bdev, &sector) != folio_nr_pages(folio);
}

/**
 * swap_entry_large_load - can the entry be part of a large folio's load?
 * @entry: a valid swap entry
 *
 * zswap finds the objects of physical entries one by one, so it never loads a
 * large folio of these. For virtual entries the words of the whole range are
 * compared when the folio is put into the swap cache.
 *
 * Return: true when a large folio may be tried.
 */
static inline bool swap_entry_large_load(swp_entry_t entry)
{
	return zswap_never_enabled() || swap_entry_is_virtual(entry);
}

/**
 * swap_io_done - an I/O has ended
 * @folio: one of its folios, locked or under writeback yet
 * @failed: how
 *
 * Many in a row that fail make the tier fail.
 *
 * Context: any, also interrupts.
 */
static inline void swap_io_done(struct folio *folio, bool failed)
{
	if (folio_swap_is_virtual(folio))
		swap_raw_io_done(folio, failed);
}

/*
 * Could the locked folio not be read, and may it be tried once more? Not to a page that
 * memory failure has left so, because what its copy is replaced by has been lost.
 */
static inline bool swap_should_read_again(struct folio *folio)
{
	return swap_abs_used() && !folio_test_uptodate(folio) &&
	       folio_test_swapcache(folio) && folio_swap_is_virtual(folio) &&
	       !folio_contain_hwpoisoned_page(folio);
}

/**
 * swap_read_again - read a folio by itself that could not be read
 * @folio: a locked folio; nothing is done if it is uptodate
 *
 * Folios that lie next to each other on a device are read at once, and when that
 * fails, be it for one page, none of them is uptodate. Physical entries fail as
 * they always have.
 *
 * Context: process context, sleeps; the folio may be unlocked meanwhile.
 */
static inline void swap_read_again(struct folio *folio)
{
	if (swap_should_read_again(folio))
		swap_abs_read_again(folio);
}

/**
 * swap_read_again_unlock - the same, for who does not need the lock after it
 * @folio: as for swap_read_again(); is unlocked
 *
 * Context: process context, sleeps, but not when the task is killed.
 */
static inline void swap_read_again_unlock(struct folio *folio)
{
	if (swap_should_read_again(folio))
		swap_abs_read_again_unlock(folio);
	else
		folio_unlock(folio);
}

/**
 * swap_promote - a page has come back
 * @folio: a locked folio of a fault, uptodate
 *
 * If that is soon after it was evicted, and its data is not in the first tier that
 * has room, the next eviction stores it anew: it is dirtied.
 *
 * Context: process context, does not sleep.
 */
static inline void swap_promote(struct folio *folio)
{
	if (swap_abs_used() && folio_test_workingset(folio) && !folio_test_dirty(folio))
		swap_abs_promote(folio);
}

/**
 * swap_abs_end_batch - nothing more is stored with the I/O of a batch
 * @ctx: the I/O
 *
 * What was packed is written, as reclaim may have nothing else to wait for.
 *
 * Context: process context, submits I/O.
 */
static inline void swap_abs_end_batch(struct swap_io_ctx *ctx)
{
#ifdef CONFIG_SWAP_ABS_PACKED
	if (ctx->packed)
		swap_packed_end_batch(ctx);
#endif
}

/**
 * swap_folio_refused - is it no use to try to swap out a folio again?
 * @folio: a locked folio in the swap cache
 *
 * Asked before it is unmapped.
 *
 * Context: reclaim, does not sleep.
 * Return: true when it has no copy, and nothing takes it now.
 */
static inline bool swap_folio_refused(struct folio *folio)
{
	return swap_abs_used() && __swap_folio_refused(folio);
}

/**
 * swap_folio_gone - a folio leaves RAM, or is about to
 * @folio: a folio of anonymous memory or shmem
 *
 * Context: any, does not sleep.
 */
static inline void swap_folio_gone(struct folio *folio)
{
	if (swap_abs_used())
		__swap_abs_gone(folio);
}

/**
 * swap_throttle_reclaim - wait for room that is being made
 * @gfp: what is reclaimed for
 * @writing: nothing could be freed, and most of what was looked at is being written
 *
 * When pages were refused because dead space has to be collected first, direct reclaim
 * waits until some has been, but no longer than for half a second in all without a gain;
 * and else for what is @writing, because a cgroup of which all memory is on its way out
 * would be out of memory otherwise. 100 ms at most each time; kswapd does not, nor whose
 * allocation may fail (__GFP_NORETRY), nor who may not wait for I/O, nor who is about to
 * be frozen.
 *
 * Context: reclaim, sleeps, no locks.
 */
static inline void swap_throttle_reclaim(gfp_t gfp, bool writing)
{
	if (swap_abs_used())
		__swap_throttle_reclaim(gfp, writing);
}

/*
 * What folio_alloc_swap() asks first: where will the new entry be, and is there
 * room for it? SWAP_ROOM_DEVICE and SWAP_ROOM_RAM must be followed by
 * swap_reserve_end().
 */
enum swap_room swap_abs_reserve(struct folio *folio);
void swap_abs_reserve_end(struct folio *folio, enum swap_room room);

static inline enum swap_room swap_reserve(struct folio *folio)
{
	return swap_abs_used() ? swap_abs_reserve(folio) : SWAP_ROOM_PHYSICAL;
}

static inline void swap_reserve_end(struct folio *folio, enum swap_room room)
{
	if (swap_abs_used())
		swap_abs_reserve_end(folio, room);
}

#endif /* _MM_SWAP_ABS_H */
