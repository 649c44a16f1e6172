/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packed backend as its own files see it: packed.c (the tables of
 * operations), segment.c, chunk.c, object.c, packed_read.c, collect.c,
 * neighbours.c and blkcg.c in mm/swap_abs/. How objects lie on a device is in
 * mm/swap_abs/format.h. All other code calls this backend through two tables of
 * operations (mm/swap_abs/tier.h).
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

/* The size of one write, and the number of chunks that a tier has. */
#define SWAP_CHUNK_BLOCKS	32
#define SWAP_CHUNK_SIZE		(SWAP_CHUNK_BLOCKS * SWAP_PACKED_BLOCK)
#define SWAP_CHUNK_ITEMS	512
#define SWAP_NR_CHUNKS		8
/*
 * This many chunks at most are written at the same time without being urgent.
 */
#define SWAP_NR_CHUNKS_LAZY	2

/* The collector reads a segment in pieces of this size. */
#define SWAP_COLLECT_SIZE		(32 * SWAP_PACKED_BLOCK)

/*
 * Flag in swap_segment.live: the device of the segment is closed, so the live
 * bytes take nothing from nr_swap_pages.
 */
#define SWAP_SEGMENT_CLOSED	BIT(30)

/*
 * New data and data that has survived a collection go to different segments,
 * because new data dies soon and survivors die late. A segment with both would
 * have to be collected again. The survivors of a victim that is older than most
 * have a stream of their own for the same reason.
 *
 * The root blkcg pays for the first fresh stream, and data of every cgroup may
 * go there. Each other fresh stream belongs to one blkcg at a time, which pays
 * for its writes; see swap_stream_choose().
 */
#define SWAP_NR_FRESH		4

enum swap_stream_id {
	SWAP_STREAM_SURVIVORS,
	SWAP_STREAM_OLD,
	SWAP_STREAM_FRESH,		/* the first of SWAP_NR_FRESH */
	NR_SWAP_STREAMS = SWAP_STREAM_FRESH + SWAP_NR_FRESH,
};

/*
 * A device gets one fresh stream for this many segments, but at least two
 * streams. With more streams, all segments of a small tier would be open.
 */
#define SWAP_FRESH_SEGMENTS	8

static inline bool swap_stream_is_fresh(enum swap_stream_id id)
{
	return id >= SWAP_STREAM_FRESH;
}

/**
 * struct swap_segment - a lent cluster that objects are packed into
 * @victim: entry in swap_packed_tier.victims while the segment may be
 *	collected, else in swap_packed_tier.spares, in .bad or in no list;
 *	protected by swap_packed_tier.lock, except for @victim.end (blocks
 *	appended), which the stream's lock protects
 * @dead: entry in swap_packed_tier.dead
 * @packed: the tier that fills the segment
 * @index: number of the cluster on its device
 * @seq: sequence number, which tells objects of this segment from what the
 *	device had at the same place before
 * @live: bytes of the objects in use, and the flag SWAP_SEGMENT_CLOSED
 * @refs: one for the stream that fills the segment or the mover that empties
 *	it, one for each chunk that is not done, one for each object in use. At
 *	zero no word points to the segment and no I/O uses it, so its cluster
 *	can be used again
 * @writing: number of chunks that are not done
 * @seen: for the self-check, bytes of the objects that descriptors point to
 *
 * Each segment with data has one of these, so it must not exceed 64 bytes.
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
 * struct swap_chunk_item - an object in a chunk, and what to do when it is on
 * the device
 * @folio: a folio of one page whose writeback ends then, or NULL
 * @write: a large folio one page of which is the object, or NULL
 * @slot: the slot whose data the object is
 * @from: the place that a mover has pinned, or none when the object is of a
 *	folio
 * @to: the word of the object
 */
struct swap_chunk_item {
	struct folio *folio;
	struct swap_folio_write *write;
	swp_entry_t slot;
	swap_place_t from;
	swap_desc_t to;
};

/*
 * A chunk with its buffer and its write. Chunks are allocated with the tier and
 * are used again and again. A chunk is @urgent when it holds an object whose
 * write reclaim waits for, directly or through the collector; other chunks
 * leave most buffers to the urgent ones. With @soon the flush worker writes the
 * chunk after a few milliseconds, because it holds the data of a folio. The
 * stream's lock protects a chunk that is being filled; after that the chunk
 * belongs to its write.
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
	struct cgroup_subsys_state
		*css; /* pays, with a reference; NULL: the root */
	u8 *buf;
	struct bio bio;
	struct bio_vec bvecs[SWAP_CHUNK_BLOCKS];
	struct swap_chunk_item items[SWAP_CHUNK_ITEMS];
};

/**
 * struct swap_stream - objects on their way to a segment
 * @lock: protects all fields, and what is appended to @segment and @chunk;
 *	outside of a virtual cluster's lock and of swap_packed_tier.lock
 * @segment: the segment that is being filled, or NULL
 * @chunk: the chunk that is being filled, or NULL
 * @payer: the blkcg that the stream belongs to (swap_blkcg_serial()), 0 for the
 *	root; fresh streams only; read without @lock as a hint
 * @used: number of the chunk that was begun last in the stream, so that the
 *	stream which was used longest ago can be found; read without @lock as a
 *	hint
 * @flush: writes @chunk when it has waited long enough, or closes @segment when
 *	no object in it is in use
 */
struct swap_stream {
	spinlock_t lock; /* outside of a virtual cluster's lock */
	struct swap_segment *segment;
	struct swap_chunk *chunk;
	u64 payer;
	u32 used;
	struct delayed_work flush;
} ____cacheline_aligned_in_smp;

/**
 * struct swap_collect_piece - a piece of a segment that is read at once
 * @bio: the read
 * @bvec: the bio_vec of @bio
 * @done: completion of the read
 * @buf: buffer of SWAP_COLLECT_SIZE bytes
 * @base: start of the piece in its segment, in bytes
 * @size: bytes of the piece
 * @pending: the read was submitted and nobody has waited for its end; stays set
 *	when the task that waited was killed
 *
 * swap_packed_tier.read_lock protects all fields, but for @done.
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
 * @format: &swap_packed_format, to compare swap_tier.format with
 * @streams: the streams, each with the segment and the chunk that it fills
 * @nr_fresh: number of fresh streams that are used
 * @nr_begun: number of the chunk that was begun last; a hint
 * @lock: protects the lists and counts that follow, @reserved,
 *	swap_segment.victim, and nr_segments, nr_spares and nr_bad_segments of
 *	@tier; inside of a stream's lock
 * @idle: chunks that are not in use
 * @spares: segments without data, ready to be filled; SWAP_SEGMENT_RESERVE of
 *	them are kept for survivors
 * @victims: closed segments, by their live bytes
 * @bad: segments without data whose medium is bad
 * @nr_idle: length of @idle
 * @nr_lazy: number of chunks that are being written and are not urgent
 * @next_seq: sequence number of the next segment that is opened
 * @dead: segments without references, for @release_work
 * @release_work: makes the segments in @dead spares, or gives them back to the
 *	device
 * @objects: number of objects in use
 * @live: bytes of these objects, with headers
 * @surviving: number of objects that were appended to a stream of survivors and
 *	whose move has not ended
 * @survivors: stream for the survivors of the current victim; only
 *	@collect_work uses it
 * @wait: waitqueue for an idle chunk, for a smaller @nr_lazy, and for zero
 *	@surviving
 * @segments: mempool of struct swap_segment, so that none has to be waited for
 * @collect_work: collects segments
 * @again_work: lets the collector try skipped segments again
 * @read_lock: protects @pieces and @ahead; outside of all locks but
 *	swap_tier.move_lock
 * @pieces: buffers that the collector and swap_packed_move_out() read segments
 *	to
 * @ahead: piece that is being read ahead, or NULL
 * @failed: jiffies of the last write that failed, 0 for never
 * @stopped: the device is about to be emptied, or closed: no segment is filled,
 *	kept as a spare or collected; written under swap_abs_mutex, except that
 *	swap_format.end_work() sets it without
 * @quiet: nothing new is packed, but old segments are collected; written under
 *	swap_abs_mutex
 * @reserved: SWAP_SEGMENT_RESERVE segments have been taken out of the capacity
 * @starved: a store that can go to no other tier, a raw page or a survivor has
 *	been refused room in this tier; cleared when a fresh stream gets a
 *	segment, or when a cluster goes back to the device
 */
struct swap_packed_tier {
	struct swap_tier *tier;
	const struct swap_format *format;
	struct swap_stream streams[NR_SWAP_STREAMS];
	unsigned int nr_fresh;
	u32 nr_begun;
	spinlock_t lock;		/* inside of a stream's lock */
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

/*
 * swap_segment.live of a bad segment that is empty. Such a segment takes
 * exactly its own capacity (SWAPFILE_CLUSTER pages), because nothing can be
 * stored in it.
 */
#define SWAP_SEGMENT_BAD	((int)SWAP_SEGMENT_SIZE)

/*
 * A large folio that is stored, whose pages may be in several chunks. @pending
 * counts the pages that are not written, and the store itself.
 */
struct swap_folio_write {
	struct folio *folio;		/* NULL until all pages have a place */
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
unsigned long swap_packed_close_segment(struct swap_cluster_info *ci,
					bool close);
unsigned long swap_packed_segment_held(struct swap_cluster_info *ci);
void swap_segment_idle(struct swap_segment *segment);
void swap_segment_return(struct swap_segment *segment);
void swap_segments_give_spares(struct swap_packed_tier *packed);
void swap_segments_release_work(struct work_struct *work);
bool swap_segments_refill_for(struct swap_packed_tier *packed,
			      unsigned int kept);
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
bool swap_stream_move_to(struct swap_packed_tier *packed,
			 enum swap_stream_id id, swp_entry_t slot,
			 swap_place_t from, const void *data,
			 unsigned int length, unsigned int codec,
			 bool may_wait);
int swap_packed_move(swp_entry_t slot, swap_place_t place, const void *data,
		     unsigned int length, unsigned int codec, bool may_wait,
		     unsigned long tiers);
void swap_packed_close(struct swap_packed_tier *packed);
void swap_chunk_hurry(struct swap_packed_tier *packed,
		      struct swap_chunk *chunk);
void swap_folio_write_put(struct swap_folio_write *write, bool failed);
void swap_streams_flush_fresh(struct swap_packed_tier *packed,
			      unsigned long streams);
void swap_stream_flush_work(struct work_struct *work);
bool swap_streams_are_open(struct swap_packed_tier *packed);
bool swap_packed_yield(unsigned long tiers);
struct swap_chunk *swap_stream_get_chunk(struct swap_packed_tier *packed,
					 enum swap_stream_id want,
					 struct cgroup_subsys_state *css,
					 unsigned int length, bool urgent,
					 bool may_wait);
void swap_stream_put_chunk(struct swap_packed_tier *packed,
			   struct swap_chunk *chunk);
struct swap_chunk_item *swap_chunk_add(struct swap_chunk *chunk,
				       swp_entry_t slot, const void *data,
				       unsigned int length, unsigned int codec);
void swap_chunk_done_work(struct work_struct *work);
struct swap_packed_tier *swap_packed_get(unsigned long tiers,
					 unsigned long all);
void swap_packed_forget_hints(void);
void swap_packed_put(struct swap_packed_tier *packed);
bool swap_packed_is_busy(void);

/* mm/swap_abs/object.c */
bool swap_object_find(struct swap_info_struct *si,
		      const struct swap_object *object, swp_entry_t *slot,
		      swap_place_t *place);
bool swap_object_pin(struct swap_info_struct *si,
		     const struct swap_object *object, swp_entry_t *slot,
		     swap_place_t *place);

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
void swap_neighbours_keep(struct swap_tier *tier, pgoff_t offset,
			  const void *buf, unsigned int size, unsigned int pos,
			  u32 seq);

/*
 * Return the segment of an object. The word is packed, and either can't change
 * or is pinned; the segment stays for as long as that is so.
 */
static inline struct swap_segment *swap_segment_of(swap_desc_t word)
{
	swp_entry_t entry = swap_desc_device_entry(word);

	return __swap_entry_to_cluster(entry)->segment;
}

/* Return where a segment begins on its device, in pages. */
static inline pgoff_t swap_segment_offset(struct swap_segment *segment)
{
	return (pgoff_t)segment->index * SWAPFILE_CLUSTER;
}

#endif /* _MM_SWAP_ABS_PACKED_H */
