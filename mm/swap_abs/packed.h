/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packed backend inside of its files: mm/swap_abs/packed.c (segments, what
 * is written), mm/swap_abs/packed_read.c, mm/swap_abs/neighbours.c and
 * mm/swap_abs/collect.c. How objects lie on a device is in mm/swap_abs/format.h. Others call
 * it through two tables of operations (mm/swap_abs/tier.h).
 */
#ifndef _MM_SWAP_ABS_PACKED_H
#define _MM_SWAP_ABS_PACKED_H

#include <linux/bio.h>
#include <linux/llist.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/percpu_counter.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "codec.h"
#include "format.h"
#include "slots.h"
#include "tier.h"
#include "victim.h"

#define SWAP_SEGMENT_SIZE	(SWAPFILE_CLUSTER * SWAP_PACKED_BLOCK)

/* What is written at once, and how much of that a tier can have in flight. */
#define SWAP_CHUNK_BLOCKS	32
#define SWAP_CHUNK_SIZE		(SWAP_CHUNK_BLOCKS * SWAP_PACKED_BLOCK)
#define SWAP_CHUNK_ITEMS	512
#define SWAP_NR_CHUNKS		8
/* Of these, what can be written at once of what has time */
#define SWAP_NR_CHUNKS_LAZY	2

/* What is read at once of a segment that is collected. */
#define SWAP_COLLECT_SIZE		(32 * SWAP_PACKED_BLOCK)

/* In swap_segment.live: the segment's device is closed, and its bytes count for nobody. */
#define SWAP_SEGMENT_CLOSED	BIT(30)

/*
 * What is new and what has survived a collection is kept apart: the one dies
 * soon, the other late, and a segment of both would have to be collected again.
 * So is what has survived for longer than most. Of what is new, the first stream is the
 * root's and everybody's, and each other one is of one blkcg at a time, which pays for what
 * is written; see swap_stream_choose().
 */
#define SWAP_NR_FRESH		4

enum swap_stream_id {
	SWAP_STREAM_SURVIVORS,
	SWAP_STREAM_OLD,
	SWAP_STREAM_FRESH,		/* and those that follow */
	NR_SWAP_STREAMS = SWAP_STREAM_FRESH + SWAP_NR_FRESH,
};

/* A fresh stream for each so many segments, two at least, or small tiers would be all open. */
#define SWAP_FRESH_SEGMENTS	8

static inline bool swap_stream_is_fresh(enum swap_stream_id id)
{
	return id >= SWAP_STREAM_FRESH;
}

/**
 * struct swap_segment - a lent cluster that objects are packed into
 * @victim: in swap_packed_tier.victims while it may be collected; its list is also that of
 *	swap_packed_tier.spares and .bad; protected by swap_packed_tier.lock, but for @victim.end
 *	(blocks appended), which the stream's lock protects
 * @dead: in swap_packed_tier.dead
 * @packed: whose it is
 * @index: of the cluster
 * @seq: tells what is written now from what was here before
 * @live: bytes of the objects that are in use, and SWAP_SEGMENT_CLOSED
 * @refs: one for the stream that fills it or the collection that empties it, one
 *	for each chunk that is not done, one for each object. At zero nothing
 *	points here, writes here or reads here, and the cluster can be used again
 * @writing: chunks that are not done
 * @seen: for the self-check, sum of the objects that descriptors point to
 *
 * There is one for each segment with data: 64 bytes, and no more.
 */
struct swap_segment {
	struct swap_victim victim;
	struct llist_node dead;
	struct swap_packed_tier *packed;
	u32 index;
	u32 seq;
	atomic_t live;
	refcount_t refs;
	atomic_t writing;
	u32 seen;
};

struct swap_folio_write;

/**
 * struct swap_chunk_item - an object in a chunk, and what is to do when it is
 * on the device
 * @folio: a folio of one page, that is under writeback until then
 * @write: a large folio, or NULL
 * @slot: else the slot whose data is moved
 * @from: its place, pinned, or none
 * @to: its new word
 */
struct swap_chunk_item {
	struct folio *folio;
	struct swap_folio_write *write;
	swp_entry_t slot;
	swap_place_t from;
	swap_desc_t to;
};

/*
 * A chunk with its buffer, and its write. Made with the tier, and used again. It is urgent
 * when there is something in it that has no time, and written soon when somebody waits.
 */
struct swap_chunk {
	struct list_head list;
	struct swap_segment *segment;
	struct swap_chunk_buf fill;
	struct work_struct work;
	sector_t sector;
	enum swap_stream_id id;
	bool failed;
	bool bad;
	bool soon;
	bool urgent;
	unsigned int nr_items;
	unsigned int size;
	struct cgroup_subsys_state *css;	/* who pays, with a reference; NULL: the root */
	u8 *buf;
	struct bio bio;
	struct bio_vec bvecs[SWAP_CHUNK_BLOCKS];
	struct swap_chunk_item items[SWAP_CHUNK_ITEMS];
};

/**
 * struct swap_stream - objects on their way to a segment
 * @lock: protects all here, and what is appended; outside of a virtual
 *	cluster's lock and of swap_packed_tier.lock
 * @segment: being filled, or NULL
 * @chunk: the chunk that is being filled, or NULL
 * @payer: whose its last chunk was, see swap_blkcg_serial(); of a fresh one
 * @used: number of the chunk that was begun there last, for the order of these
 * @flush: writes @chunk when it has waited long enough, or closes a segment that
 *	nothing is in use of
 */
struct swap_stream {
	spinlock_t lock;		/* outside of a virtual cluster's */
	struct swap_segment *segment;
	struct swap_chunk *chunk;
	u64 payer;
	u32 used;
	struct delayed_work flush;
} ____cacheline_aligned_in_smp;

/**
 * struct swap_collect_piece - a piece of a segment that is read at once
 * @bio: the read
 * @bvec: of @bio
 * @done: when it has ended
 * @buf: gets it
 * @base: where in the segment it begins, in bytes
 * @size: bytes of it
 * @pending: it may not have ended yet, also when who began it was killed
 */
struct swap_collect_piece {
	struct bio bio;
	struct bio_vec bvec;
	struct completion done;
	u8 *buf;
	unsigned int base;
	unsigned int size;
	bool pending;
};

/**
 * struct swap_packed_tier - the packed format of a tier
 * @tier: the tier
 * @format: the format, for those that it calls
 * @streams: what is being filled
 * @nr_fresh: how many of the fresh ones are used
 * @nr_begun: number of the chunk that was begun last; a hint
 * @lock: protects the lists and counts that follow, and those of segments in the tier
 * @idle: chunks that are not in use
 * @spares: segments without data, ready to be filled; SWAP_SEGMENT_RESERVE of them are
 *	for survivors
 * @victims: full segments, by their live bytes
 * @bad: segments without data whose medium is bad
 * @nr_idle: length of @idle
 * @nr_lazy: chunks that are being written and not urgent
 * @next_seq: sequence number of the next segment
 * @dead: segments that nothing refers to, for @release_work
 * @release_work: makes them spare ones, or gives them back
 * @objects: number of objects in use
 * @live: bytes of them, with headers
 * @surviving: objects on their way to a stream of survivors
 * @survivors: which one, for the victim that is collected; only @collect_work uses it
 * @wait: for an idle chunk, for @nr_lazy, and for @surviving to become zero
 * @segments: where a struct swap_segment comes from without waiting
 * @collect_work: collects segments
 * @again_work: lets those be tried again that could not be emptied
 * @read_lock: for @pieces; outside of all but swap_tier.move_lock
 * @pieces: what is collected or moved away is read to
 * @ahead: the piece that is being read, or NULL
 * @failed: jiffies when a write has failed last, 0 for never
 * @stopped: the device is closed: fill nothing, keep no spares and collect nothing;
 *	written under swap_abs_mutex
 * @quiet: nothing new is packed, but what is there is collected; written under
 *	swap_abs_mutex
 * @reserved: the reserve has been taken out of the capacity; protected by @lock
 * @starved: somebody has been refused a segment here and could go nowhere else, or raw
 *	pages have been refused a cluster; until something new has had one, or one is free
 */
struct swap_packed_tier {
	struct swap_tier *tier;
	const struct swap_format *format;
	struct swap_stream streams[NR_SWAP_STREAMS];
	unsigned int nr_fresh;
	u32 nr_begun;
	spinlock_t lock;		/* inside of a stream's */
	struct list_head idle;
	struct list_head spares;
	struct swap_victims victims;
	struct list_head bad;
	unsigned int nr_idle;
	unsigned int nr_lazy;
	u32 next_seq;
	struct llist_head dead;
	struct work_struct release_work;
	struct percpu_counter objects;
	struct percpu_counter live;
	atomic_t surviving;
	enum swap_stream_id survivors;
	wait_queue_head_t wait;
	mempool_t segments;
	struct work_struct collect_work;
	struct delayed_work again_work;
	struct mutex read_lock;		/* outside of all but move_lock */
	struct swap_collect_piece pieces[2];
	struct swap_collect_piece *ahead;
	unsigned long failed;
	bool stopped;
	bool quiet;
	bool reserved;
	bool starved;
};

static inline unsigned int swap_segment_live(struct swap_segment *segment)
{
	return atomic_read(&segment->live) & ~SWAP_SEGMENT_CLOSED;
}

/* The live bytes of a segment that is bad: it takes just its own capacity. */
#define SWAP_SEGMENT_BAD	((int)SWAP_SEGMENT_SIZE)

/* A large folio, whose pages may be in several chunks. */
struct swap_folio_write {
	struct folio *folio;		/* NULL: given up */
	atomic_t pending;
	bool failed;
};

/* mm/swap_abs/packed.c */
extern const struct swap_backend swap_packed_backend;
extern const struct swap_format swap_packed_format;

/* mm/swap_abs/segment.c */
extern struct workqueue_struct *swap_flush_wq;
extern struct workqueue_struct *swap_collect_wq;
extern unsigned long swap_collect_image;
bool swap_segments_are_short(struct swap_packed_tier *packed);
bool swap_segments_short_of_image(struct swap_packed_tier *packed);
void swap_collect_kick(struct swap_packed_tier *packed);
unsigned long swap_segments_nr_free(struct swap_packed_tier *packed);
void swap_segment_put(struct swap_segment *segment);
void swap_segments_release_dead(struct swap_packed_tier *packed);
unsigned int swap_segment_bucket(unsigned int live);
unsigned int swap_segment_account(struct swap_segment *segment, int bytes);
unsigned long swap_packed_close_segment(struct swap_cluster_info *ci, bool close);
unsigned long swap_packed_segment_held(struct swap_cluster_info *ci);
void swap_segment_idle(struct swap_segment *segment);
void swap_segment_return(struct swap_segment *segment);
void swap_segments_give_spares(struct swap_packed_tier *packed);
void swap_segments_release_work(struct work_struct *work);
bool swap_segments_refill_for(struct swap_packed_tier *packed, unsigned int kept);
struct swap_segment *swap_segment_open(struct swap_packed_tier *packed,
				       enum swap_stream_id id);
void swap_segments_refuse(struct swap_packed_tier *packed, bool fresh);
bool swap_segment_is_bad(struct swap_segment *segment);
void swap_segment_close(struct swap_stream *stream);
long swap_packed_drop(const swap_desc_t *words, unsigned int nr);

/* mm/swap_abs/chunk.c */
extern struct workqueue_struct *swap_chunk_wq;
void swap_stream_flush(struct swap_packed_tier *packed, enum swap_stream_id id);
void swap_packed_flush_all(void);
void swap_packed_wait_moved(void);
bool swap_stream_move_to(struct swap_packed_tier *packed, enum swap_stream_id id,
			 swp_entry_t slot, swap_place_t from, const void *data,
			 unsigned int length, unsigned int codec, bool may_wait);
int swap_packed_move(swp_entry_t slot, swap_place_t place, const void *data,
		     unsigned int length, unsigned int codec, bool may_wait,
		     unsigned long tiers);
void swap_packed_close(struct swap_packed_tier *packed);
void swap_chunk_hurry(struct swap_packed_tier *packed, struct swap_chunk *chunk);
void swap_folio_write_put(struct swap_folio_write *write, bool failed);
void swap_streams_flush_fresh(struct swap_packed_tier *packed, unsigned long streams);
void swap_stream_flush_work(struct work_struct *work);
bool swap_streams_are_open(struct swap_packed_tier *packed);
bool swap_packed_yield(unsigned long tiers);
struct swap_chunk *swap_stream_get_chunk(struct swap_packed_tier *packed, enum swap_stream_id want,
					 struct cgroup_subsys_state *css,
					 unsigned int length, bool urgent, bool may_wait);
void swap_stream_put_chunk(struct swap_packed_tier *packed, struct swap_chunk *chunk);
struct swap_chunk_item *swap_chunk_add(struct swap_chunk *chunk, swp_entry_t slot,
				       const void *data, unsigned int length,
				       unsigned int codec);
void swap_chunk_done_work(struct work_struct *work);
struct swap_packed_tier *swap_packed_get(unsigned long tiers, unsigned long all);
void swap_packed_forget_hints(void);
void swap_packed_put(struct swap_packed_tier *packed);
bool swap_packed_is_busy(void);

/* mm/swap_abs/object.c */
bool swap_object_find(struct swap_info_struct *si, const struct swap_object *object,
		      swp_entry_t *slot, swap_place_t *place);
bool swap_object_pin(struct swap_info_struct *si, const struct swap_object *object,
		     swp_entry_t *slot, swap_place_t *place);

/* mm/swap_abs/packed_read.c */
int swap_packed_read_init_once(void);
void swap_packed_load(struct swap_io_ctx *ctx, struct folio *folio);
void swap_packed_submit_read(struct swap_io_ctx *ctx);
bool swap_packed_fill(struct folio *folio, struct swap_info_struct *si,
		      const struct swap_object *object);
void swap_packed_read_init(struct bio *bio, struct bio_vec *bvec,
			   struct swap_info_struct *si, pgoff_t offset,
			   unsigned int blocks, void *buf);

/* mm/swap_abs/blkcg.c */
#ifdef CONFIG_SWAP_ABS_BLKCG
struct cgroup_subsys_state *swap_blkcg_get(struct folio *folio);
struct cgroup_subsys_state *swap_blkcg_get_slot(swp_entry_t slot);
void swap_blkcg_hold(struct cgroup_subsys_state *css);
void swap_blkcg_put(struct cgroup_subsys_state *css);
u64 swap_blkcg_serial(struct cgroup_subsys_state *css);
#else
static inline struct cgroup_subsys_state *swap_blkcg_get(struct folio *folio)
{
	return NULL;
}

static inline struct cgroup_subsys_state *swap_blkcg_get_slot(swp_entry_t slot)
{
	return NULL;
}

static inline void swap_blkcg_hold(struct cgroup_subsys_state *css) {}

static inline void swap_blkcg_put(struct cgroup_subsys_state *css) {}

static inline u64 swap_blkcg_serial(struct cgroup_subsys_state *css)
{
	return 0;
}
#endif

/* mm/swap_abs/collect.c */
int swap_collect_init(void);
int swap_packed_move_out(struct swap_move *move);
bool swap_collect_alloc_pieces(struct swap_packed_tier *packed);
void swap_collect_free_pieces(struct swap_packed_tier *packed);
void swap_collect_work(struct work_struct *work);
void swap_collect_again_work(struct work_struct *work);

/* mm/swap_abs/neighbours.c */
extern bool swap_neighbours_on;
bool swap_neighbours_wanted(void);
void swap_neighbours_keep(struct swap_tier *tier, pgoff_t offset, const void *buf,
			  unsigned int size, unsigned int pos, u32 seq);

/**
 * swap_segment_of - the segment of an object
 * @word: a descriptor that is packed and can't change, or is pinned
 *
 * Return: the segment, which stays for as long as that is so.
 */
static inline struct swap_segment *swap_segment_of(swap_desc_t word)
{
	swp_entry_t entry = swap_desc_device_entry(word);

	return __swap_entry_to_cluster(entry)->segment;
}

/* Where a segment begins on its device, in pages. */
static inline pgoff_t swap_segment_offset(struct swap_segment *segment)
{
	return (pgoff_t)segment->index * SWAPFILE_CLUSTER;
}

#endif /* _MM_SWAP_ABS_PACKED_H */
