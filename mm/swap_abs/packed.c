// SPDX-License-Identifier: GPL-2.0
/*
 * The packed backend of the swap abstraction: compressed pages on a swap device
 * as they are, one behind another, so that the same I/O frees more memory.
 *
 * A segment is a cluster that the device has lent. Objects are appended to a
 * chunk of it in RAM, 128 KiB, which is written when it is full, when the batch of
 * reclaim ends, or when it has waited. There are two ways in, that meet in a chunk:
 *
 * - Reclaim stores a folio. It is compressed, its word set and its writeback
 *   begun before the chunk can be written; the folio has the data until then.
 * - A mover has pinned a copy elsewhere (zswap, or a segment that is collected)
 *   and appends what is compressed already: no folio, no swap cache entry, no
 *   decompression. The word is set by swap_abs_commit() when the chunk is on the
 *   device; until then loads are served from where the data was.
 *
 * This file owns segments and chunks. What is read is in
 * mm/swap_abs/packed_read.c, which segments are collected in mm/swap_abs/collect.c,
 * and how objects lie in a segment in mm/swap_abs/format.c. Callers are
 * mm/swap_abs.c through the table of operations, mm/zswap.c, which moves its
 * objects here, and mm/swap_abs/tier.c as devices come and go.
 *
 * A segment's references are its objects in use, its chunks in flight, and who
 * fills or collects it. Dropping an object is thus two atomic operations, under
 * any lock; who drops the last reference hands the segment to a worker. While a
 * word points to an object, or is pinned, its segment is where it was and has
 * its sequence number, and no lock is needed to look there.
 *
 * Capacity: a segment takes of nr_swap_pages what its live bytes need
 * (swap_pack_held()), and its dead space is room, because collection can have it back.
 * swap_segment_account() keeps that for each change of the live bytes. The reserve
 * (SWAP_PACK_RESERVE) is in neither nr_swap_pages nor SwapTotal from the first segment
 * on, so that collection always has a segment to fill.
 *
 * Locks: folio lock, swap_pack_stream.lock, then a virtual cluster's lock or
 * swap_pack.lock, then those of the device (si->lock, its cluster locks). All are
 * of process context: completions queue work.
 *
 * Forward progress: buffers, chunks and segments are preallocated. Who waits for
 * a chunk or a buffer waits for I/O that is submitted, or for the flush worker
 * (WQ_MEM_RECLAIM), and holds nothing that these need.
 */
#include <linux/blkdev.h>
#include <linux/ioprio.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/vmalloc.h>
#include "../internal.h"
#include "../swap.h"
#include "packed.h"

#include <trace/events/swap_abs.h>

/*
 * How long an object may wait for others to be written with: that of a folio, whose memory
 * somebody waits for, and one that can be loaded from where it was until then.
 */
#define SWAP_FLUSH_DELAY	max(HZ / 200, 1)
#define SWAP_FLUSH_DELAY_MOVED	HZ

/* Movers leave a device alone for that long when a write has failed: each costs a segment. */
#define SWAP_FAILED_DELAY	(HZ / 10)

/* The live bytes of a segment that is bad: it takes just its own capacity. */
#define SWAP_SEGMENT_BAD	((int)SWAP_SEGMENT_SIZE)

/* A large folio, whose pages may be in several chunks. */
struct swap_pack_write {
	struct folio *folio;		/* NULL: given up */
	atomic_t pending;
	bool failed;
};

/* Writes end here. Never frozen, as reclaim waits for it. */
static struct workqueue_struct *swap_pack_wq;
static struct workqueue_struct *swap_flush_wq;

/* Where pages are compressed to, or objects copied to: blocks. */
static mempool_t swap_packed_buffers;
static atomic_long_t swap_packed_moving = ATOMIC_LONG_INIT(0);	/* bytes */

/* The device that this CPU has stored to last. These structs are never freed. */
static DEFINE_PER_CPU(struct swap_info_struct *, swap_packed_hint);
static DEFINE_PER_CPU(unsigned long, swap_packed_hint_until);

/* What serves all tiers is there. It is made with the first one, and stays. */
static bool swap_packed_ready;

/**
 * swap_packed_get_buffer - a block to compress to
 *
 * Context: process context, may sleep, GFP_NOIO.
 * Return: SWAP_PACK_BLOCK bytes, for swap_packed_put_buffer(), or NULL when there
 * has been no packed tier yet.
 */
void *swap_packed_get_buffer(void)
{
	/* Pairs with the release in swap_packed_init(). */
	if (!smp_load_acquire(&swap_packed_ready))
		return NULL;
	return page_address(mempool_alloc(&swap_packed_buffers, GFP_NOIO));
}

/* Take back swap_packed_get_buffer(). */
void swap_packed_put_buffer(void *buf)
{
	mempool_free(virt_to_page(buf), &swap_packed_buffers);
}

/**
 * swap_packed_moving_pages - what is on its way out of zswap
 *
 * Return: pages of RAM that will be free when it has been written.
 */
unsigned long swap_packed_moving_pages(void)
{
	return atomic_long_read(&swap_packed_moving) >> PAGE_SHIFT;
}

/* Is anything on its way? For the self-check. */
bool swap_packed_is_moving(void)
{
	return atomic_long_read(&swap_packed_moving);
}

/*
 * Segments
 */

/**
 * swap_segment_put - drop a reference
 * @segment: the segment, not to be used any more
 *
 * Context: any but interrupts.
 */
void swap_segment_put(struct swap_segment *segment)
{
	struct swap_pack *pack = segment->pack;

	if (!refcount_dec_and_test(&segment->refs))
		return;
	VM_WARN_ON_ONCE(swap_segment_live(segment));
	VM_WARN_ON_ONCE(atomic_read(&segment->writing));
	llist_add(&segment->dead, &pack->dead);
	queue_work(swap_abs_wq, &pack->release_work);
}

/* By the live bytes of a segment; the same as swap_victim_bucket(), in constants. */
static unsigned int swap_segment_bucket(unsigned int live)
{
	return DIV_ROUND_UP(live, SWAP_SEGMENT_SIZE / SWAP_VICTIM_PARTS);
}

static unsigned int swap_segment_held(unsigned int live)
{
	if (live == SWAP_SEGMENT_BAD)
		return SWAPFILE_CLUSTER;
	return swap_pack_held(swap_segment_bucket(live), SWAPFILE_CLUSTER);
}

/*
 * Objects of @bytes have come, or with less than zero gone. Each crossing of a bucket
 * changes nr_swap_pages by what lies between the two, whoever is first, so the sum is
 * exact without a lock. Return: bytes that are live now.
 */
static unsigned int swap_segment_account(struct swap_segment *segment, int bytes)
{
	unsigned int old = atomic_fetch_add(bytes, &segment->live);
	unsigned int before = old & ~SWAP_SEGMENT_CLOSED, live = before + bytes;
	struct swap_pack *pack = segment->pack;
	long held;

	percpu_counter_add(&pack->live, bytes);
	if (swap_segment_bucket(before) == swap_segment_bucket(live) &&
	    before != SWAP_SEGMENT_BAD && live != SWAP_SEGMENT_BAD)
		return live;

	held = (long)swap_segment_held(live) - (long)swap_segment_held(before);
	percpu_counter_add(&pack->held, held);
	if (!(old & SWAP_SEGMENT_CLOSED))
		swap_abs_give_room(-held);
	/* A segment that is being filled is listed when it is closed. */
	if (bytes < 0) {
		spin_lock(&pack->lock);
		swap_victims_update(&pack->victims, &segment->victim,
				    swap_segment_live(segment), READ_ONCE(pack->next_seq));
		spin_unlock(&pack->lock);
		swap_pack_gc_check(pack);
	}
	return live;
}

/**
 * swap_packed_close_segment - the device of a segment is being closed, or opened again
 * @ci: its locked cluster
 * @close: which
 *
 * What is there counts for nobody while the device is closed.
 *
 * Return: pages of capacity that it has held until now, or holds from now on.
 */
unsigned long swap_packed_close_segment(struct swap_cluster_info *ci, bool close)
{
	struct swap_segment *segment = ci->segment;
	unsigned int live;

	lockdep_assert_held(&ci->lock);
	if (close)
		live = atomic_fetch_or(SWAP_SEGMENT_CLOSED, &segment->live);
	else
		live = atomic_fetch_andnot(SWAP_SEGMENT_CLOSED, &segment->live);
	VM_WARN_ON_ONCE(!(live & SWAP_SEGMENT_CLOSED) != close);
	return swap_segment_held(live & ~SWAP_SEGMENT_CLOSED);
}

/* Pages of capacity that a segment takes, in its locked cluster. For the self-check. */
unsigned long swap_packed_segment_held(struct swap_cluster_info *ci)
{
	return swap_segment_held(swap_segment_live(ci->segment));
}

/*
 * One that is being filled, with nothing in use of it and nothing on its way, can
 * begin anew: let the flush worker look.
 */
static void swap_segment_idle(struct swap_segment *segment)
{
	struct swap_pack *pack = segment->pack;
	int i;

	if (swap_segment_live(segment) || atomic_read(&segment->writing))
		return;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		if (READ_ONCE(pack->streams[i].segment) == segment)
			mod_delayed_work(swap_flush_wq, &pack->streams[i].flush, 0);
}

/* Give a segment's cluster back to the device. */
static void swap_segment_return(struct swap_segment *segment)
{
	struct swap_pack *pack = segment->pack;
	struct swap_tier *tier = pack->tier;
	struct swap_cluster_info *ci = &tier->si->cluster_info[segment->index];

	spin_lock(&ci->lock);
	VM_WARN_ON_ONCE(ci->segment != segment);
	ci->segment = NULL;
	swap_cluster_return(tier->si, ci);
	spin_unlock(&ci->lock);
	mempool_free(segment, &pack->segments);
	atomic_long_dec(&tier->nr_lent);
}

/*
 * Is the reserve of no use any longer? Where nothing new is packed, and nothing that
 * is there could have to be collected.
 */
static bool swap_pack_is_idle(struct swap_pack *pack)
{
	return READ_ONCE(pack->stopped) ||
	       (READ_ONCE(pack->quiet) && !READ_ONCE(pack->nr_segments));
}

/* Give what is kept as spares back, if that is of no use. */
static void swap_pack_give_spares(struct swap_pack *pack)
{
	struct swap_segment *segment;

	spin_lock(&pack->lock);
	while (swap_pack_is_idle(pack) && !list_empty(&pack->spares)) {
		segment = list_first_entry(&pack->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(pack->nr_spares, pack->nr_spares - 1);
		spin_unlock(&pack->lock);
		swap_segment_return(segment);
		spin_lock(&pack->lock);
	}
	if (swap_pack_is_idle(pack) && pack->reserved) {
		WRITE_ONCE(pack->reserved, false);
		swap_tier_hide(pack->tier, -(long)SWAP_PACK_RESERVE * SWAPFILE_CLUSTER);
	}
	spin_unlock(&pack->lock);
}

/*
 * Segments that nothing refers to are spares again, or go back: on a workqueue
 * that is frozen while there is a hibernation image, which knows them as they are.
 */
void swap_pack_release_dead(struct swap_pack *pack)
{
	struct swap_segment *segment, *next;
	bool back, bad, gained = false;

	llist_for_each_entry_safe(segment, next, llist_del_all(&pack->dead), dead) {
		back = false;
		spin_lock(&pack->lock);
		if (segment->victim.listed)
			swap_victims_del(&pack->victims, &segment->victim);
		WRITE_ONCE(pack->nr_segments, pack->nr_segments - 1);
		bad = segment->victim.bad;
		if (bad) {
			list_add(&segment->victim.list, &pack->bad);
		} else if (pack->nr_spares < SWAP_PACK_RESERVE && !READ_ONCE(pack->stopped)) {
			list_add(&segment->victim.list, &pack->spares);
			WRITE_ONCE(pack->nr_spares, pack->nr_spares + 1);
		} else {
			back = true;
		}
		gained |= !bad;
		spin_unlock(&pack->lock);
		/* What nothing can be stored in is no room. */
		if (bad) {
			swap_segment_account(segment, SWAP_SEGMENT_BAD);
			percpu_counter_sub(&pack->live, SWAP_SEGMENT_BAD);
		}
		if (back) {
			swap_segment_return(segment);
			WRITE_ONCE(pack->starved, false);
		}
		/* Last: swapoff waits for it, then takes what is left. */
		percpu_counter_sub(&pack->tier->used, SWAPFILE_CLUSTER);
		cond_resched();
	}
	if (gained)
		swap_abs_room_gained();
	if (swap_pack_is_idle(pack))
		swap_pack_give_spares(pack);
}

static void swap_pack_release(struct work_struct *work)
{
	swap_pack_release_dead(container_of(work, struct swap_pack, release_work));
}

/**
 * swap_packed_free_segments - segments that could be filled at once
 * @pack: of a tier
 *
 * Context: any. A hint: of the device's free space only whole clusters will do.
 * Return: their number, with those in reserve.
 */
unsigned long swap_packed_free_segments(struct swap_pack *pack)
{
	return READ_ONCE(pack->nr_spares) + swap_raw_free_clusters(pack->tier);
}

/* Lend a cluster as a spare segment, without waiting. Return: true when there is one more. */
static bool swap_packed_refill(struct swap_pack *pack)
{
	struct swap_info_struct *si = pack->tier->si;
	struct swap_segment *segment;
	struct swap_cluster_info *ci;

	segment = mempool_alloc(&pack->segments, GFP_NOWAIT | __GFP_NOWARN);
	if (!segment)
		return false;
	ci = swap_cluster_lend(si, CLUSTER_FLAG_LENT_SEGMENT);
	if (!ci) {
		mempool_free(segment, &pack->segments);
		return false;
	}

	memset(segment, 0, sizeof(*segment));
	INIT_LIST_HEAD(&segment->victim.list);
	segment->pack = pack;
	segment->index = ci - si->cluster_info;
	ci->segment = segment;
	spin_unlock(&ci->lock);
	atomic_long_inc(&pack->tier->nr_lent);

	spin_lock(&pack->lock);
	if (READ_ONCE(pack->stopped)) {
		spin_unlock(&pack->lock);
		swap_segment_return(segment);
		return false;
	}
	list_add_tail(&segment->victim.list, &pack->spares);
	WRITE_ONCE(pack->nr_spares, pack->nr_spares + 1);
	spin_unlock(&pack->lock);
	return true;
}

/*
 * Take the reserve out of the capacity, once. Not where there is nothing but that to be
 * lent: raw pages can use what is free, and nothing could be packed. Return: true when
 * that has been done.
 */
static bool swap_pack_reserve(struct swap_pack *pack)
{
	long pages = SWAP_PACK_RESERVE * SWAPFILE_CLUSTER;
	bool reserved;

	if (READ_ONCE(pack->reserved))
		return true;
	if (swap_packed_free_segments(pack) <= SWAP_PACK_RESERVE)
		return false;
	spin_lock(&pack->lock);
	if (!pack->reserved && !READ_ONCE(pack->stopped) && swap_abs_take_room(pages)) {
		swap_tier_hide(pack->tier, pages);
		WRITE_ONCE(pack->reserved, true);
	}
	reserved = pack->reserved;
	spin_unlock(&pack->lock);
	return reserved;
}

/* Make spares, so that one more can be filled than what is kept for survivors. */
static bool swap_pack_refill_for(struct swap_pack *pack, unsigned int kept)
{
	if (!swap_pack_reserve(pack))
		return false;
	while (READ_ONCE(pack->nr_spares) <= kept)
		if (!swap_packed_refill(pack))
			return false;
	return true;
}

/* A segment to fill, or NULL. The reserve is for what is collected. */
static struct swap_segment *swap_segment_open(struct swap_pack *pack,
					      enum swap_stream_id id)
{
	bool fresh = swap_stream_is_fresh(id);
	unsigned int kept = fresh ? SWAP_PACK_RESERVE : 0;
	struct swap_segment *segment = NULL;

	if (fresh && READ_ONCE(pack->quiet))
		return NULL;
	if (!swap_pack_refill_for(pack, kept) && !fresh)
		swap_packed_refill(pack);

	spin_lock(&pack->lock);
	/* What survives may go anywhere: without that nothing can be collected. */
	if (pack->nr_spares > kept && (pack->reserved || !fresh)) {
		segment = list_first_entry(&pack->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(pack->nr_spares, pack->nr_spares - 1);
		WRITE_ONCE(pack->nr_segments, pack->nr_segments + 1);
		segment->seq = pack->next_seq++;
	}
	/* Survivors have one so that others can. */
	if (segment && fresh)
		WRITE_ONCE(pack->starved, false);
	spin_unlock(&pack->lock);
	if (!segment)
		return NULL;

	swap_pack_gc_check(pack);

	/* Before the lock of the stream is dropped: swapoff takes that once. */
	percpu_counter_add(&pack->tier->used, SWAPFILE_CLUSTER);
	swap_tier_filled(pack->tier);
	segment->victim.end = 0;
	segment->victim.skip = 0;
	segment->victim.dense = 0;
	refcount_set(&segment->refs, 1);
	return segment;
}

/* There is no segment to fill. What is new may find one on another device. */
static void swap_pack_refuse(struct swap_pack *pack, bool fresh)
{
	swap_tier_count(pack->tier, SWAP_TIER_REFUSED, 1);
	if (fresh)
		swap_pack_gc_check(pack);
	else
		WRITE_ONCE(pack->starved, true);
}

static bool swap_segment_is_bad(struct swap_segment *segment)
{
	bool bad;

	spin_lock(&segment->pack->lock);
	bad = segment->victim.bad;
	spin_unlock(&segment->pack->lock);
	return bad;
}

/* Nothing more is appended to the stream's segment. */
static void swap_segment_close(struct swap_pack_stream *stream)
{
	struct swap_segment *segment = stream->segment;
	struct swap_pack *pack = segment->pack;

	lockdep_assert_held(&stream->lock);
	WRITE_ONCE(stream->segment, NULL);
	spin_lock(&pack->lock);
	swap_victims_add(&pack->victims, &segment->victim, swap_segment_live(segment),
			 pack->next_seq);
	/* It can't be made any denser before something has died. */
	segment->victim.dense = !swap_stream_is_fresh(stream - pack->streams) &&
				segment->victim.end == SWAPFILE_CLUSTER;
	spin_unlock(&pack->lock);
	swap_segment_put(segment);
	swap_pack_gc_check(pack);
}

/*
 * Chunks
 */

/* Can there be a chunk now? A hint. */
static bool swap_pack_may_get_io(struct swap_pack *pack, bool urgent)
{
	unsigned int nr = READ_ONCE(pack->nr_idle);

	/* One is left for what is urgent. While none is in flight, there are three at least. */
	return urgent ? nr : nr > 1 && READ_ONCE(pack->nr_lazy) < SWAP_NR_CHUNKS_LAZY;
}

static struct swap_pack_io *swap_pack_get_io(struct swap_pack *pack, bool urgent)
{
	struct swap_pack_io *io = NULL;

	spin_lock(&pack->lock);
	if (swap_pack_may_get_io(pack, urgent)) {
		io = list_first_entry(&pack->idle, struct swap_pack_io, list);
		list_del(&io->list);
		WRITE_ONCE(pack->nr_idle, pack->nr_idle - 1);
	}
	spin_unlock(&pack->lock);
	return io;
}

static void swap_pack_put_io(struct swap_pack *pack, struct swap_pack_io *io)
{
	spin_lock(&pack->lock);
	list_add(&io->list, &pack->idle);
	WRITE_ONCE(pack->nr_idle, pack->nr_idle + 1);
	WRITE_ONCE(pack->nr_lazy, pack->nr_lazy - !io->urgent);
	spin_unlock(&pack->lock);
	wake_up_all(&pack->wait);
}

/* Begin a chunk where the stream's segment ends, and say who pays for it. */
static void swap_pack_begin_chunk(struct swap_pack *pack,
				  struct swap_pack_stream *stream,
				  struct swap_pack_io *io,
				  struct cgroup_subsys_state *css)
{
	struct swap_segment *segment = stream->segment;
	unsigned int blocks = SWAPFILE_CLUSTER - segment->victim.end;
	pgoff_t offset = swap_segment_offset(segment) + segment->victim.end;

	/* Within one extent of a swapfile. */
	blocks = min(blocks, SWAP_CHUNK_BLOCKS);
	io->sector = swap_device_run(pack->tier->si, offset, &blocks);
	io->segment = segment;
	io->id = stream - pack->streams;
	io->nr_items = 0;
	io->failed = false;
	io->bad = false;
	io->urgent = false;
	swap_pack_chunk_init(&io->chunk, io->buf, segment->seq,
			     (u64)offset << PAGE_SHIFT, blocks * SWAP_PACK_BLOCK);
	io->css = css;
	swap_blkcg_hold(css);
	refcount_inc(&segment->refs);
	atomic_inc(&segment->writing);
	io->soon = false;
	WRITE_ONCE(stream->payer, swap_blkcg_serial(css));
	WRITE_ONCE(pack->nr_begun, READ_ONCE(pack->nr_begun) + 1);
	WRITE_ONCE(stream->used, READ_ONCE(pack->nr_begun));
	WRITE_ONCE(stream->io, io);
	mod_delayed_work(swap_flush_wq, &stream->flush, SWAP_FLUSH_DELAY_MOVED);
}

/* Somebody waits for what is in the chunk of a locked stream. */
static void swap_pack_hurry(struct swap_pack *pack, struct swap_pack_io *io)
{
	if (io->soon)
		return;
	io->soon = true;
	mod_delayed_work(swap_flush_wq, &pack->streams[io->id].flush, SWAP_FLUSH_DELAY);
}

/* End the stream's chunk, so that it can be written. */
static struct swap_pack_io *swap_pack_end_chunk(struct swap_pack_stream *stream)
{
	struct swap_segment *segment = stream->segment;
	struct swap_pack_io *io = stream->io;

	lockdep_assert_held(&stream->lock);
	VM_WARN_ON_ONCE(!io->nr_items);
	io->size = swap_pack_chunk_end(&io->chunk);
	WRITE_ONCE(stream->io, NULL);
	segment->victim.end += io->size / SWAP_PACK_BLOCK;
	if (segment->victim.end == SWAPFILE_CLUSTER || swap_segment_is_bad(segment))
		swap_segment_close(stream);
	return io;
}

static void swap_pack_end_folio(struct folio *folio, bool failed)
{
	if (failed) {
		/* Before writeback ends: RAM has the only copy. */
		folio_mark_dirty(folio);
		folio_clear_reclaim(folio);
	}
	folio_end_writeback(folio);
}

static void swap_pack_write_put(struct swap_pack_write *write, bool failed)
{
	if (failed)
		WRITE_ONCE(write->failed, true);
	if (!atomic_dec_and_test(&write->pending))
		return;
	if (write->folio)
		swap_pack_end_folio(write->folio, write->failed);
	kfree(write);
}

/*
 * End the writeback of what reclaim has stored: it waits for nothing else, and needs no
 * lock of the layer.
 */
static void swap_pack_end_folios(struct swap_pack_io *io)
{
	struct swap_pack_item *item;

	for (item = io->items; item < io->items + io->nr_items; item++) {
		if (item->folio)
			swap_pack_end_folio(item->folio, io->failed);
		else if (item->write)
			swap_pack_write_put(item->write, io->failed);
	}
}

static void swap_pack_write_end(struct bio *bio)
{
	struct swap_pack_io *io = bio->bi_private;

	if (bio->bi_status) {
		io->failed = true;
		io->bad = swap_tier_medium_failed(io->segment->pack->tier, bio->bi_status);
		pr_alert_ratelimited("swap: write error on %pg, sector %llu\n",
				     bio->bi_bdev, (unsigned long long)io->sector);
	}
	bio_uninit(bio);
	swap_pack_end_folios(io);
	queue_work(swap_pack_wq, &io->work);
}

static void swap_pack_submit(struct swap_pack_io *io)
{
	struct swap_pack *pack = io->segment->pack;
	struct swap_tier *tier = pack->tier;
	struct bio *bio = &io->bio;

	bio_init(bio, tier->si->bdev, io->bvecs, SWAP_CHUNK_BLOCKS, REQ_OP_WRITE | REQ_SWAP);
	bio->bi_iter.bi_sector = io->sector;
	bio->bi_private = io;
	bio->bi_end_io = swap_pack_write_end;
	/*
	 * What goes from one device to another has time. What survives has not: if room
	 * gets short meanwhile, reclaim waits for it. No chunk has the priority of who
	 * happens to submit it.
	 */
	if (io->urgent || !swap_stream_is_fresh(io->id))
		bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
	else
		bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);
	bio_associate_blkg_from_css(bio, io->css);
	swap_blkcg_put(io->css);
	if (!io->urgent) {
		spin_lock(&pack->lock);
		WRITE_ONCE(pack->nr_lazy, pack->nr_lazy + 1);
		spin_unlock(&pack->lock);
	}
	/* Whole pages, one bio_vec each at most: it fits. */
	WARN_ON_ONCE(!bio_add_vmalloc(bio, io->buf, io->size));
	swap_tier_count(tier, SWAP_TIER_WRITTEN, io->size);
	submit_bio(bio);
}

/**
 * swap_pack_flush - write what has been appended to a stream
 * @pack: of a tier
 * @id: the stream
 *
 * Context: process context, submits I/O.
 */
void swap_pack_flush(struct swap_pack *pack, enum swap_stream_id id)
{
	struct swap_pack_stream *stream = &pack->streams[id];
	struct swap_pack_io *io = NULL;

	spin_lock(&stream->lock);
	if (stream->io)
		io = swap_pack_end_chunk(stream);
	spin_unlock(&stream->lock);
	if (io)
		swap_pack_submit(io);
}

/* The same for streams of what is new. */
static void swap_pack_flush_fresh(struct swap_pack *pack, unsigned long streams)
{
	enum swap_stream_id id = SWAP_STREAM_FRESH;

	for (; id < SWAP_STREAM_FRESH + pack->nr_fresh; id++)
		if ((streams & BIT(id)) && READ_ONCE(pack->streams[id].io))
			swap_pack_flush(pack, id);
}

static void swap_pack_flush_work(struct work_struct *work)
{
	struct swap_pack_stream *stream = container_of(to_delayed_work(work),
						       struct swap_pack_stream, flush);
	struct swap_pack_io *io = NULL;
	struct swap_segment *segment;
	unsigned int noreclaim;

	/* Rule 12: what is in a hibernation image is written by who resumes from it. */
	if (pm_suspended_storage()) {
		mod_delayed_work(swap_flush_wq, &stream->flush, HZ);
		return;
	}
	spin_lock(&stream->lock);
	segment = stream->segment;
	if (stream->io)
		io = swap_pack_end_chunk(stream);
	else if (segment && segment->victim.end && !swap_segment_live(segment) &&
		 !atomic_read(&segment->writing))
		swap_segment_close(stream);
	spin_unlock(&stream->lock);
	if (!io)
		return;
	/* Some devices allocate in submit_bio(); reclaim waits for this as for its own. */
	noreclaim = memalloc_noreclaim_save();
	swap_pack_submit(io);
	memalloc_noreclaim_restore(noreclaim);
}

/* Write what is in RAM of a stream, and fill another segment from now on. */
static void swap_pack_close_stream(struct swap_pack_stream *stream)
{
	struct swap_pack_io *io = NULL;

	spin_lock(&stream->lock);
	if (stream->io)
		io = swap_pack_end_chunk(stream);
	if (stream->segment)
		swap_segment_close(stream);
	spin_unlock(&stream->lock);
	if (io)
		swap_pack_submit(io);
}

/* A fresh stream that has a segment, or NR_SWAP_STREAMS. A hint. */
static enum swap_stream_id swap_pack_open_fresh(struct swap_pack *pack)
{
	enum swap_stream_id id = SWAP_STREAM_FRESH;

	for (; id < SWAP_STREAM_FRESH + pack->nr_fresh; id++)
		if (READ_ONCE(pack->streams[id].segment))
			return id;
	return NR_SWAP_STREAMS;
}

/* Is a segment being filled with what is new? */
static bool swap_pack_is_open(struct swap_pack *pack)
{
	return swap_pack_open_fresh(pack) != NR_SWAP_STREAMS;
}

/* Give one spare segment back that is not of the reserve. */
static bool swap_pack_yield(struct swap_pack *pack)
{
	struct swap_segment *segment = NULL;

	spin_lock(&pack->lock);
	if (pack->nr_spares > (pack->reserved ? SWAP_PACK_RESERVE : 0)) {
		segment = list_first_entry(&pack->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(pack->nr_spares, pack->nr_spares - 1);
	}
	spin_unlock(&pack->lock);
	if (segment)
		swap_segment_return(segment);
	return segment;
}

/**
 * swap_packed_yield - raw pages find no slot: let them have what is lent for packed ones
 * @tiers: mask of the tiers that may be used
 *
 * Where nothing is spare, a segment that is being filled is closed, so that collection
 * can make it dense. Its free end counts as room, but no raw page fits there.
 *
 * Context: process context, submits I/O.
 * Return: true when a cluster has been given back.
 */
bool swap_packed_yield(unsigned long tiers)
{
	struct swap_info_struct *si;
	enum swap_stream_id id;
	struct swap_pack *pack;
	bool yielded = false;
	int type;

	for (type = 0; type < MAX_SWAPFILES && !yielded; type++) {
		si = tiers & BIT(type) ? READ_ONCE(swap_info[type]) : NULL;
		if (!si || !swap_device_tryget(si))
			continue;
		pack = si->tier ? READ_ONCE(si->tier->pack) : NULL;
		if (pack && !READ_ONCE(pack->stopped)) {
			yielded = swap_pack_yield(pack);
			if (!yielded && READ_ONCE(pack->nr_segments)) {
				id = swap_pack_open_fresh(pack);
				if (id != NR_SWAP_STREAMS)
					swap_pack_close_stream(&pack->streams[id]);
				WRITE_ONCE(pack->starved, true);
				swap_pack_gc_check(pack);
			}
		}
		put_swap_device(si);
	}
	return yielded;
}

/**
 * swap_packed_flush_all - write what is new and still in RAM, in all tiers
 *
 * Context: process context, submits I/O.
 */
void swap_packed_flush_all(void)
{
	struct swap_info_struct *si;
	struct swap_pack *pack;
	int type;

	for (type = 0; type < MAX_SWAPFILES; type++) {
		si = READ_ONCE(swap_info[type]);
		if (!si || !swap_device_tryget(si))
			continue;
		pack = si->tier ? READ_ONCE(si->tier->pack) : NULL;
		if (pack)
			swap_pack_flush_fresh(pack, ~0UL);
		put_swap_device(si);
	}
}

/**
 * swap_packed_wait_moved - wait until what is on its way now has settled
 *
 * It does so by itself, within the time of a flush and a write; a second is the
 * most that is waited for, as others may go on to move things.
 */
void swap_packed_wait_moved(void)
{
	unsigned long end = jiffies + HZ;

	swap_packed_flush_all();
	while (atomic_long_read(&swap_packed_moving) && time_before(jiffies, end) &&
	       !signal_pending(current))
		schedule_timeout_interruptible(1);
}

/* Does a chunk of a locked stream end early for less than a block of a few pages each? */
static bool swap_pack_is_half_full(struct swap_pack_io *io)
{
	return 2 * io->chunk.used >= io->chunk.size;
}

/* May another blkcg have a stream? A hint. */
static bool swap_pack_may_end(struct swap_pack_stream *stream)
{
	bool may = true;

	if (!READ_ONCE(stream->io))
		return true;
	spin_lock(&stream->lock);
	if (stream->io)
		may = swap_pack_is_half_full(stream->io);
	spin_unlock(&stream->lock);
	return may;
}

/*
 * The stream for what a blkcg pays for: the one of its last chunk, or one whose chunk is at
 * least half full, of which the one that was used longest ago. Where there is none, that of
 * the root, which pays then: with more than three at a time, and pages of each one by one,
 * the price would be a block for each page.
 */
static enum swap_stream_id swap_pack_fresh(struct swap_pack *pack, u64 payer)
{
	enum swap_stream_id id, oldest = SWAP_STREAM_FRESH;

	if (!payer)
		return SWAP_STREAM_FRESH;
	for (id = SWAP_STREAM_FRESH + 1; id < SWAP_STREAM_FRESH + pack->nr_fresh; id++)
		if (READ_ONCE(pack->streams[id].payer) == payer)
			return id;
	for (id = SWAP_STREAM_FRESH + 1; id < SWAP_STREAM_FRESH + pack->nr_fresh; id++) {
		if (oldest != SWAP_STREAM_FRESH &&
		    (s32)(READ_ONCE(pack->streams[id].used) -
			  READ_ONCE(pack->streams[oldest].used)) >= 0)
			continue;
		if (swap_pack_may_end(&pack->streams[id]))
			oldest = id;
	}
	return oldest;
}

/*
 * Get a chunk that has room for @length more bytes and that @css pays for, and lock its
 * stream. NULL when there is no room on the device, or none at once. What is not
 * @urgent leaves most of the chunks to what is, but becomes so when it has waited.
 */
static struct swap_pack_io *swap_pack_lock(struct swap_pack *pack, enum swap_stream_id want,
					   struct cgroup_subsys_state *css,
					   unsigned int length, bool urgent, bool may_wait)
{
	bool fresh = swap_stream_is_fresh(want), shared = false;
	u64 payer = swap_blkcg_serial(css);
	struct swap_pack_stream *stream;
	enum swap_stream_id id = want, other;
	struct swap_pack_io *io;
	long left;

	if (fresh)
		id = swap_pack_fresh(pack, payer);
	for (;;) {
		stream = &pack->streams[id];
		shared |= id == SWAP_STREAM_FRESH;
		spin_lock(&stream->lock);
		io = stream->io;
		/* What somebody has begun since it was chosen is not to end so soon. */
		if (io && !shared && stream->payer != payer && !swap_pack_is_half_full(io)) {
			spin_unlock(&stream->lock);
			id = swap_pack_fresh(pack, payer);
			continue;
		}
		if (io && (!swap_pack_fits(&io->chunk, length) ||
			   io->nr_items == SWAP_CHUNK_ITEMS ||
			   (!shared && stream->payer != payer))) {
			/* Or its owner would begin the next one before this is submitted. */
			if (!shared)
				WRITE_ONCE(stream->payer, payer);
			/* It can't be submitted with the lock held. */
			io = swap_pack_end_chunk(stream);
			spin_unlock(&stream->lock);
			swap_pack_submit(io);
			continue;
		}
		if (io)
			goto locked;

		/* Who sets it takes the lock once after that. */
		if (READ_ONCE(pack->stopped))
			break;
		/* A write there has failed since, and so might the next one. */
		if (stream->segment && swap_segment_is_bad(stream->segment))
			swap_segment_close(stream);
		/* What others are filling must not end before it is full. */
		if (!stream->segment && fresh && !shared &&
		    swap_packed_free_segments(pack) <= SWAP_PACK_RESERVE &&
		    swap_pack_is_open(pack)) {
			spin_unlock(&stream->lock);
			other = swap_pack_open_fresh(pack);
			if (other != NR_SWAP_STREAMS)
				id = other;
			shared = true;
			continue;
		}
		if (!stream->segment)
			WRITE_ONCE(stream->segment, swap_segment_open(pack, id));
		if (!stream->segment) {
			spin_unlock(&stream->lock);
			if (fresh && READ_ONCE(pack->quiet))
				return NULL;
			if (fresh)
				id = swap_pack_open_fresh(pack);
			if (!fresh || id == NR_SWAP_STREAMS) {
				swap_pack_refuse(pack, fresh);
				return NULL;
			}
			shared = true;
			continue;
		}
		io = swap_pack_get_io(pack, urgent);
		if (io) {
			/* Something is appended before the lock is dropped. */
			swap_pack_begin_chunk(pack, stream, io, shared ? NULL : css);
			goto locked;
		}
		spin_unlock(&stream->lock);
		if (!may_wait)
			return NULL;
		/*
		 * All are on the device, or on their way there, and come back by themselves.
		 * If the device hangs, who is killed must not wait for that.
		 */
		left = wait_event_killable_timeout(pack->wait, swap_pack_may_get_io(pack, urgent),
						   urgent ? MAX_SCHEDULE_TIMEOUT : HZ / 10);
		if (left < 0)
			return NULL;
		if (!left)
			urgent = true;
		if (fresh) {
			id = swap_pack_fresh(pack, payer);
			shared = false;
		}
	}
	spin_unlock(&stream->lock);
	return NULL;
locked:
	io->urgent |= urgent;
	return io;
}

static void swap_pack_unlock(struct swap_pack *pack, struct swap_pack_io *io)
{
	spin_unlock(&pack->streams[io->id].lock);
}

/* Append an object to a chunk of a locked stream. Its word is in the item. */
static struct swap_pack_item *swap_pack_add(struct swap_pack_io *io, swp_entry_t slot,
					    const void *data, unsigned int length,
					    unsigned int codec)
{
	struct swap_pack_item *item = &io->items[io->nr_items++];
	struct swap_segment *segment = io->segment;
	struct swap_pack *pack = segment->pack;
	unsigned int blocks;
	u64 address;

	address = swap_pack_append(&io->chunk, swp_offset(slot), data, length, codec, &blocks);
	refcount_inc(&segment->refs);
	swap_segment_account(segment, swap_pack_size(length));
	percpu_counter_inc(&pack->objects);

	memset(item, 0, sizeof(*item));
	item->slot = slot;
	item->to = swap_desc_packed(pack->tier->si->type, address, length, codec);
	return item;
}

/*
 * What happens to objects when they have been written
 */

static void swap_pack_move_end(struct swap_tier *tier, struct swap_pack_item *item,
			       bool failed)
{
	swap_desc_t from = swap_place_word(item->from);
	const struct swap_backend *backend = swap_backend_of(from);
	struct swap_tier *source = NULL;
	int err = failed ? -EIO : 0;

	if (backend == &swap_packed_backend)
		source = swap_segment_of(from)->pack->tier;

	if (!err && !swap_abs_commit(item->slot, item->from, item->to, NULL, 0))
		err = -EAGAIN;

	trace_swap_abs_move(item->slot, from, err ? from : item->to, err);
	if (!err) {
		if (source != tier)
			swap_tier_count(tier, SWAP_TIER_MOVED_IN, 1);
		if (source && source != tier)
			swap_tier_count(source, SWAP_TIER_MOVED_OUT, 1);
		backend->moved(item->from);
	} else {
		swap_packed_backend.drop(&item->to, 1);
		if (backend->stays)
			backend->stays(item->from);
		if (!swap_abs_unpin(item->slot, item->from)) {
			swap_abs_debug_orphan();
			backend->drop(&from, 1);
		}
	}
	atomic_long_sub(swap_desc_length(item->to), &swap_packed_moving);
}

/* A chunk has been written, or could not be. */
static void swap_pack_io_done(struct work_struct *work)
{
	struct swap_pack_io *io = container_of(work, struct swap_pack_io, work);
	struct swap_segment *segment = io->segment;
	struct swap_pack *pack = segment->pack;
	unsigned int i;

	if (io->failed)
		WRITE_ONCE(pack->failed, jiffies | 1);
	/* When it is empty, it is not used again for some time. */
	if (io->bad) {
		spin_lock(&pack->lock);
		segment->victim.bad = 1;
		spin_unlock(&pack->lock);
		swap_tier_retry_bad(pack->tier);
	}
	swap_tier_io_done(pack->tier, io->failed);

	for (i = 0; i < io->nr_items; i++) {
		struct swap_pack_item *item = &io->items[i];

		if (io->failed)
			swap_tier_count(pack->tier, SWAP_TIER_ERRORS, 1);
		/* Folios have been ended by swap_pack_write_end(). */
		if (!swap_place_is_none(item->from))
			swap_pack_move_end(pack->tier, item, io->failed);
		cond_resched();
	}
	if (!swap_stream_is_fresh(io->id))
		atomic_sub(io->nr_items, &pack->surviving);
	/* It may be collected from now on, and may have been skipped for that reason. */
	if (atomic_dec_and_test(&segment->writing)) {
		spin_lock(&pack->lock);
		swap_victims_update(&pack->victims, &segment->victim,
				    swap_segment_live(segment), pack->next_seq);
		spin_unlock(&pack->lock);
		swap_pack_gc_check(pack);
	}
	swap_segment_idle(segment);
	swap_segment_put(segment);
	swap_pack_put_io(pack, io);
}

/*
 * The ways in
 */

/* Is data packed in a tier now? */
static bool swap_packed_is_used(struct swap_tier *tier)
{
	return tier->pack && READ_ONCE(tier->format) == SWAP_FORMAT_PACKED &&
	       !READ_ONCE(tier->pack->stopped);
}

/* Nobody has a segment for what may go to these tiers: let them all make some. */
static void swap_packed_starve(unsigned long tiers)
{
	struct swap_tier *tier;

	lockdep_assert_held(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) || !swap_packed_is_used(tier) ||
		    swap_pack_is_open(tier->pack))
			continue;
		WRITE_ONCE(tier->pack->starved, true);
		swap_pack_gc_check(tier->pack);
	}
}

/*
 * The tier that takes packed data now, with a reference of its device: the first
 * one in order, unless a raw one with room comes before it. When there is none for any
 * other reason, collection is asked for in those that are full of @all.
 */
static struct swap_pack *swap_packed_get(unsigned long tiers, unsigned long all)
{
	bool restricted = swap_tiers_restricted(tiers);
	struct swap_info_struct *si = restricted ? NULL : this_cpu_read(swap_packed_hint);
	struct swap_pack *pack = NULL;
	struct swap_tier *tier;
	bool raw = false;

	/* The one that this CPU has used last, until its segment is full. */
	if (si && !swap_tier_hint_is_old(this_cpu_read(swap_packed_hint_until)) &&
	    swap_device_tryget(si)) {
		pack = READ_ONCE(si->tier->pack);
		if (READ_ONCE(si->tier->format) == SWAP_FORMAT_PACKED && pack &&
		    swap_pack_is_open(pack))
			return pack;
		put_swap_device(si);
		pack = NULL;
	}

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) ||
		    !(READ_ONCE(tier->si->flags) & SWP_WRITEOK))
			continue;
		if (READ_ONCE(tier->format) != SWAP_FORMAT_PACKED || !tier->pack ||
		    READ_ONCE(tier->pack->stopped) || READ_ONCE(tier->pack->quiet)) {
			raw = swap_raw_has_room(tier);
			if (raw)
				break;
			continue;
		}
		/* One that has just refused is full, until it collects. */
		if (!swap_pack_is_open(tier->pack) &&
		    !swap_pack_refill_for(tier->pack, SWAP_PACK_RESERVE)) {
			swap_pack_refuse(tier->pack, true);
			continue;
		}
		if (!swap_device_tryget(tier->si))
			continue;
		pack = tier->pack;
		if (!restricted) {
			this_cpu_write(swap_packed_hint, tier->si);
			this_cpu_write(swap_packed_hint_until, swap_tier_hint_until(tier));
		}
		plist_requeue(&tier->node, &swap_tiers);
		break;
	}
	if (!pack && !raw)
		swap_packed_starve(all);
	spin_unlock(&swap_tiers_lock);
	return pack;
}

/* Let all CPUs look for the first tier in order again. */
void swap_packed_forget_hints(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(*per_cpu_ptr(&swap_packed_hint, cpu), NULL);
}

/**
 * swap_packed_make_room - a page could not be promised room on a device
 *
 * What is dead in segments is none until it has been collected.
 *
 * Context: process context, does not sleep.
 */
void swap_packed_make_room(void)
{
	struct swap_tier *tier;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		if ((READ_ONCE(tier->si->flags) & SWP_WRITEOK) && tier->pack)
			swap_pack_gc_check(tier->pack);
	spin_unlock(&swap_tiers_lock);
}

/* Is dead space being collected anywhere? A hint. */
bool swap_packed_is_collecting(void)
{
	struct swap_tier *tier;
	bool busy = false;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node)
		busy |= tier->pack && work_busy(&tier->pack->gc_work);
	spin_unlock(&swap_tiers_lock);
	return busy;
}

/* Can more be packed in the tier at once? A hint. */
bool swap_packed_has_room(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack && !READ_ONCE(pack->stopped) && !READ_ONCE(pack->quiet) &&
	       (swap_pack_is_open(pack) || READ_ONCE(pack->nr_spares) > SWAP_PACK_RESERVE);
}

static void swap_packed_put(struct swap_pack *pack)
{
	put_swap_device(pack->tier->si);
}

static int swap_packed_store_page(struct swap_pack *pack, struct folio *folio,
				  struct cgroup_subsys_state *css, unsigned int codec,
				  void *buf, bool urgent, unsigned long *streams)
{
	struct swap_pack_item *item;
	struct swap_pack_io *io;
	int length;

	length = swap_codec_compress(codec, &folio->page, buf);
	if (length < 0 || !swap_pack_is_worth(length))
		return -E2BIG;
	io = swap_pack_lock(pack, SWAP_STREAM_FRESH, css, length, urgent, true);
	if (!io)
		return -ENOSPC;

	/* The chunk is not written before the lock is dropped. */
	item = swap_pack_add(io, folio->swap, buf, length, codec);
	item->folio = folio;
	swap_pack_hurry(pack, io);
	swap_abs_install(folio, &item->to, 0);
	trace_swap_abs_store(folio->swap, item->to, 1);
	swap_writeout_begin(folio);
	*streams |= BIT(io->id);
	swap_pack_unlock(pack, io);
	return 0;
}

/*
 * Page after page. Chunks that are full are written meanwhile, as the folio is
 * locked; its writeback begins when all pages have a place.
 */
static int swap_packed_store_large(struct swap_pack *pack, struct folio *folio,
				   struct cgroup_subsys_state *css, unsigned int codec,
				   void *buf, bool urgent, unsigned long *streams)
{
	unsigned int i, nr = folio_nr_pages(folio);
	swp_entry_t slot = folio->swap;
	swap_desc_t single, *words = swap_abs_alloc_words(folio, &single);
	struct swap_pack_write *write;
	struct swap_pack_item *item;
	struct swap_pack_io *io;
	int length, err;

	write = kzalloc_obj(*write, GFP_NOIO | __GFP_NOWARN);
	err = -ENOMEM;
	if (!words || !write)
		goto out;
	atomic_set(&write->pending, 1);

	for (i = 0; i < nr; i++, slot.val++) {
		err = -E2BIG;
		length = swap_codec_compress(codec, folio_page(folio, i), buf);
		if (length < 0 || !swap_pack_is_worth(length))
			goto undo;
		err = -ENOSPC;
		io = swap_pack_lock(pack, SWAP_STREAM_FRESH, css, length, urgent, true);
		if (!io)
			goto undo;
		atomic_inc(&write->pending);
		item = swap_pack_add(io, slot, buf, length, codec);
		item->write = write;
		swap_pack_hurry(pack, io);
		words[i] = item->to;
		*streams |= BIT(io->id);
		swap_pack_unlock(pack, io);
		cond_resched();
	}

	swap_abs_install(folio, words, 0);
	trace_swap_abs_store(folio->swap, words[0], nr);
	write->folio = folio;
	swap_writeout_begin(folio);
	swap_pack_write_put(write, false);
	swap_abs_free_words(words, &single);
	return 0;

undo:
	swap_packed_backend.drop(words, i);
	swap_pack_write_put(write, false);
	write = NULL;
out:
	kfree(write);
	swap_abs_free_words(words, &single);
	return err;
}

static int swap_packed_store(struct swap_io_ctx *ctx, struct folio *folio,
			     unsigned long tiers)
{
	/* What comes from another device has time. */
	bool urgent = !(tiers & SWAP_TIERS_MOVED);
	unsigned int nr = folio_nr_pages(folio);
	int codec = swap_codec_default(), err;
	struct cgroup_subsys_state *css;
	unsigned long left = tiers, streams = 0;
	struct swap_pack *pack;
	void *buf;

	if (codec < 0)
		return -ENOSPC;
	if (pm_suspended_storage())
		return -EBUSY;
	/* What others have been promised must not go to what has no promise. */
	if (atomic_long_read(&nr_swap_pages) < nr &&
	    atomic_long_read(&nr_swap_pages) < swap_abs_room_needed(folio))
		return -ENOSPC;

	/* One that has just become full is left out, if there are others. */
	for (;;) {
		pack = swap_packed_get(left, tiers);
		if (!pack)
			return -ENOSPC;
		streams = 0;
		buf = swap_packed_get_buffer();
		css = swap_blkcg_get(folio);
		if (nr == 1)
			err = swap_packed_store_page(pack, folio, css, codec, buf, urgent,
						     &streams);
		else
			err = swap_packed_store_large(pack, folio, css, codec, buf, urgent,
						      &streams);
		swap_blkcg_put(css);
		swap_packed_put_buffer(buf);
		if (err != -ENOSPC)
			break;
		left &= ~swap_tier_bit(pack->tier);
		swap_packed_put(pack);
	}
	if (!err) {
		swap_tier_count(pack->tier, swap_tiers_stat(tiers), nr);
		if (urgent) {
			if (ctx->packed && ctx->packed != pack->tier->si)
				swap_packed_end_batch(ctx);
			ctx->packed = pack->tier->si;
			ctx->packed_streams |= streams;
		}
	}
	swap_packed_put(pack);
	return err == -E2BIG ? -ENOSPC : err;
}

/**
 * swap_packed_is_busy - would who moves data to a device now have to wait?
 *
 * Context: any but interrupts.
 * Return: true when no packed tier has an idle chunk.
 */
bool swap_packed_is_busy(void)
{
	struct swap_info_struct *si = this_cpu_read(swap_packed_hint);
	struct swap_tier *tier;
	bool busy = true;

	/* Asked for each object, so without a lock while the answer is no. */
	if (si && swap_device_tryget(si)) {
		tier = si->tier;
		busy = !tier || !swap_packed_is_used(tier) ||
		       !READ_ONCE(READ_ONCE(tier->pack)->nr_idle);
		put_swap_device(si);
	}
	if (!busy)
		return false;

	busy = false;
	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!swap_packed_is_used(tier))
			continue;
		busy = !READ_ONCE(tier->pack->nr_idle);
		if (!busy)
			break;
	}
	spin_unlock(&swap_tiers_lock);
	return busy;
}

/* The rest of swap_abs_end_batch(). */
void swap_packed_end_batch(struct swap_io_ctx *ctx)
{
	unsigned long streams = ctx->packed_streams;
	struct swap_info_struct *si = ctx->packed;
	struct swap_pack *pack;

	ctx->packed = NULL;
	ctx->packed_streams = 0;
	/* The device may have gone, and with it what was in the chunk; or be another one. */
	if (!swap_device_tryget(si))
		return;
	pack = si->tier ? READ_ONCE(si->tier->pack) : NULL;
	if (pack)
		swap_pack_flush_fresh(pack, streams);
	put_swap_device(si);
}

/**
 * swap_pack_move_to - append compressed data that a mover has pinned
 * @pack: of the tier that gets it; with a reference of its device
 * @id: a stream of survivors, whose writes the root pays for, or SWAP_STREAM_FRESH
 * @slot: whose data it is
 * @from: where that is, pinned
 * @data: what is copied
 * @length: bytes of it
 * @codec: index of the compressor
 * @may_wait: wait for an idle chunk
 *
 * Context: process context, submits I/O.
 * Return: true when the rest happens by itself, the end of the pin included;
 * false when there is no room, with the word still pinned.
 */
bool swap_pack_move_to(struct swap_pack *pack, enum swap_stream_id id,
		       swp_entry_t slot, swap_place_t from, const void *data,
		       unsigned int length, unsigned int codec, bool may_wait)
{
	bool fresh = swap_stream_is_fresh(id);
	/* Out of RAM; or reclaim has no room while this has not been collected. */
	bool urgent = swap_desc_tag(swap_place_word(from)) == SWAP_DESC_ZSWAP ||
		      (!fresh && (READ_ONCE(pack->starved) ||
				  READ_ONCE(pack->nr_spares) < SWAP_PACK_RESERVE));
	struct cgroup_subsys_state *css = fresh ? swap_blkcg_get_slot(slot) : NULL;
	struct swap_pack_item *item;
	struct swap_pack_io *io;

	io = swap_pack_lock(pack, id, css, length, urgent, may_wait);
	swap_blkcg_put(css);
	if (!io)
		return false;
	item = swap_pack_add(io, slot, data, length, codec);
	item->from = from;
	if (!fresh)
		atomic_inc(&pack->surviving);
	atomic_long_add(length, &swap_packed_moving);
	swap_pack_unlock(pack, io);
	return true;
}

/**
 * swap_packed_move - move compressed data to the first packed tier with room
 * @slot: whose data it is
 * @place: where that is, pinned by the caller
 * @data: what is copied
 * @length: bytes of it, at most SWAP_PACK_MAX_LENGTH
 * @codec: index of the compressor
 * @may_wait: wait for I/O when too much is in flight
 * @tiers: mask of the tiers that may get it
 *
 * Context: process context, submits I/O.
 * Return: 0 when the move is under way and ends by itself. With the word still
 * pinned, -ENOSPC when no packed tier has room, or -EAGAIN when it would wait, or a
 * write has just failed.
 */
int swap_packed_move(swp_entry_t slot, swap_place_t place, const void *data,
		     unsigned int length, unsigned int codec, bool may_wait,
		     unsigned long tiers)
{
	unsigned long failed;
	struct swap_pack *pack;
	bool moved;

	if (pm_suspended_storage())
		return -EAGAIN;
	/* It has no promise, so it must not take what others have been promised. */
	if (!swap_pack_is_worth(length) || atomic_long_read(&nr_swap_pages) <= 0)
		return -ENOSPC;
	pack = swap_packed_get(tiers, tiers);
	if (!pack)
		return -ENOSPC;
	failed = READ_ONCE(pack->failed);
	if (failed && time_before(jiffies, failed + SWAP_FAILED_DELAY)) {
		swap_packed_put(pack);
		return -EAGAIN;
	}
	moved = swap_pack_move_to(pack, SWAP_STREAM_FRESH, slot, place, data, length,
				  codec, may_wait);
	swap_packed_put(pack);
	if (moved)
		return 0;
	return may_wait ? -ENOSPC : -EAGAIN;
}

/*
 * Operations
 */

static long swap_packed_drop(const swap_desc_t *words, unsigned int nr)
{
	struct swap_segment *segment;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		segment = swap_segment_of(words[i]);
		percpu_counter_dec(&segment->pack->objects);
		if (!swap_segment_account(segment,
					  -(int)swap_pack_size(swap_desc_length(words[i]))))
			swap_segment_idle(segment);
		swap_segment_put(segment);
	}
	/* The segment holds the capacity. */
	return 0;
}

static void swap_packed_moved(swap_place_t place)
{
	swap_desc_t word = swap_place_word(place);

	swap_packed_drop(&word, 1);
}

/* Page by page, whatever the order: they are apart on the device. */
static bool swap_packed_same_load(swap_desc_t first, swap_desc_t next, unsigned int i)
{
	return i == 0;
}

static bool swap_packed_no(swap_desc_t word)
{
	return false;
}

const struct swap_backend swap_packed_backend = {
	.store		= swap_packed_store,
	.load		= swap_packed_load,
	.drop		= swap_packed_drop,
	.same_load	= swap_packed_same_load,
	.moved		= swap_packed_moved,
	.synchronous	= swap_packed_no,
	/* What is written is a copy. */
	.stable		= swap_packed_no,
};

/*
 * Tiers
 */

/**
 * swap_packed_supported - can data be packed on a device?
 * @si: the device
 *
 * Return: false for filesystems that do their own swap I/O, devices of a few
 * MiB, and such that an object's address has too few bits for.
 */
bool swap_packed_supported(struct swap_info_struct *si)
{
	return si->ops == &swap_bdev_ops &&
	       si->max >= SWAP_PACK_MIN_SEGMENTS * SWAPFILE_CLUSTER &&
	       (u64)si->max << PAGE_SHIFT <= SWAP_PACK_ALIGN * BIT_ULL(SWAP_DESC_ADDR_BITS);
}

static void swap_pack_free_ios(struct swap_pack *pack)
{
	struct swap_pack_io *io, *next;

	list_for_each_entry_safe(io, next, &pack->idle, list) {
		vfree(io->buf);
		kvfree(io);
	}
}

static int swap_pack_alloc_ios(struct swap_pack *pack)
{
	struct swap_pack_io *io;
	int i;

	for (i = 0; i < SWAP_NR_CHUNKS; i++) {
		io = kvzalloc_obj(*io, GFP_KERNEL | __GFP_NOWARN);
		if (!io)
			return -ENOMEM;
		io->buf = __vmalloc(SWAP_CHUNK_SIZE, GFP_KERNEL | __GFP_NOWARN);
		if (!io->buf) {
			kvfree(io);
			return -ENOMEM;
		}
		INIT_WORK(&io->work, swap_pack_io_done);
		list_add(&io->list, &pack->idle);
		pack->nr_idle++;
	}
	return 0;
}

static struct swap_pack *swap_pack_alloc(struct swap_tier *tier)
{
	struct swap_pack *pack = kzalloc_obj(*pack);
	int i;

	if (!pack)
		return NULL;
	pack->tier = tier;
	pack->next_seq = get_random_u32();
	pack->nr_fresh = clamp(tier->si->max / SWAPFILE_CLUSTER / SWAP_FRESH_SEGMENTS, 2U,
			       (unsigned int)SWAP_NR_FRESH);
	spin_lock_init(&pack->lock);
	INIT_LIST_HEAD(&pack->idle);
	INIT_LIST_HEAD(&pack->spares);
	swap_victims_init(&pack->victims, SWAP_SEGMENT_SIZE);
	INIT_LIST_HEAD(&pack->bad);
	init_llist_head(&pack->dead);
	init_waitqueue_head(&pack->wait);
	INIT_WORK(&pack->release_work, swap_pack_release);
	INIT_WORK(&pack->gc_work, swap_pack_gc);
	INIT_DELAYED_WORK(&pack->again_work, swap_pack_gc_again);
	mutex_init(&pack->read_lock);
	for (i = 0; i < NR_SWAP_STREAMS; i++) {
		spin_lock_init(&pack->streams[i].lock);
		INIT_DELAYED_WORK(&pack->streams[i].flush, swap_pack_flush_work);
	}

	if (percpu_counter_init(&pack->objects, 0, GFP_KERNEL))
		goto free_pack;
	if (percpu_counter_init(&pack->live, 0, GFP_KERNEL))
		goto free_objects;
	if (percpu_counter_init(&pack->held, 0, GFP_KERNEL))
		goto free_live;
	if (mempool_init_kmalloc_pool(&pack->segments, SWAP_PACK_RESERVE + NR_SWAP_STREAMS,
				      sizeof(struct swap_segment)))
		goto free_held;
	if (!swap_pack_alloc_pieces(pack) || swap_pack_alloc_ios(pack))
		goto free_ios;
	return pack;

free_ios:
	swap_pack_free_ios(pack);
	swap_pack_free_pieces(pack);
	mempool_exit(&pack->segments);
free_held:
	percpu_counter_destroy(&pack->held);
free_live:
	percpu_counter_destroy(&pack->live);
free_objects:
	percpu_counter_destroy(&pack->objects);
free_pack:
	kfree(pack);
	return NULL;
}

static int swap_packed_init(void)
{
	int err;

	/* What 512 slots cost, see "What it costs" in the documentation. */
	BUILD_BUG_ON(sizeof(struct swap_segment) > 64);

	lockdep_assert_held(&swap_abs_mutex);
	if (swap_packed_ready)
		return 0;
	if (!swap_pack_wq)
		swap_pack_wq = alloc_workqueue("swap_abs_packed", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	/* Who submits may have to wait for a device, for which no write of others has to. */
	if (!swap_flush_wq)
		swap_flush_wq = alloc_workqueue("swap_abs_flush", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!swap_pack_wq || !swap_flush_wq)
		return -ENOMEM;
	if (!mempool_initialized(&swap_packed_buffers)) {
		err = mempool_init_page_pool(&swap_packed_buffers, SWAP_NR_CHUNKS, 0);
		if (err)
			return err;
	}
	err = swap_packed_read_init_once();
	if (!err)
		err = swap_pack_gc_init();
	if (err)
		return err;
	/* Who sees it sees the pools: pairs with swap_packed_get_buffer(). */
	smp_store_release(&swap_packed_ready, true);
	return 0;
}

/**
 * swap_packed_start - let packed data be stored in a tier
 * @tier: the tier of a device that is supported
 *
 * Context: process context, sleeps; serialized by swap_abs_mutex.
 * Return: 0, -ENOMEM, or -EOPNOTSUPP when there is nothing to compress with.
 */
int swap_packed_start(struct swap_tier *tier)
{
	struct swap_pack *pack = tier->pack;
	int err = swap_packed_init();

	if (err)
		return err;
	zswap_init_codec();
	if (swap_codec_default() < 0 && swap_codec_get(SWAP_CODEC_FIRST) < 0) {
		pr_warn("swap: no compressor %s, nothing is written packed\n", SWAP_CODEC_FIRST);
		return -EOPNOTSUPP;
	}
	if (!pack) {
		pack = swap_pack_alloc(tier);
		if (!pack)
			return -ENOMEM;
		/* Under the lock that swap_packed_get() looks for it with. */
		spin_lock(&swap_tiers_lock);
		/* Who looks without that, by READ_ONCE(), finds it in order. */
		smp_store_release(&tier->pack, pack);
		spin_unlock(&swap_tiers_lock);
	}
	WRITE_ONCE(pack->stopped, false);
	WRITE_ONCE(pack->quiet, false);
	return 0;
}

/**
 * swap_packed_close - write what is in RAM, and fill other segments from now on
 * @pack: of a tier
 *
 * Context: process context, submits I/O.
 */
void swap_packed_close(struct swap_pack *pack)
{
	int i;

	for (i = 0; i < NR_SWAP_STREAMS; i++)
		swap_pack_close_stream(&pack->streams[i]);
}

/**
 * swap_packed_quiet - pack nothing new in a tier
 * @tier: a tier whose format is not packed any more, or while the layer is off
 *
 * What is there is collected as before, until nothing is.
 *
 * Context: process context, submits I/O; serialized by swap_abs_mutex.
 */
void swap_packed_quiet(struct swap_tier *tier)
{
	struct swap_pack *pack = tier->pack;

	lockdep_assert_held(&swap_abs_mutex);
	if (!pack)
		return;
	WRITE_ONCE(pack->quiet, true);
	/* swap_packed_get() may have just found that it is not. */
	spin_lock(&swap_tiers_lock);
	spin_unlock(&swap_tiers_lock);
	swap_packed_close(pack);
	flush_work(&pack->release_work);
	swap_pack_give_spares(pack);
}

/**
 * swap_packed_resume - collect again in a tier that was stopped, pack nothing new
 * @tier: a tier whose device is in use again, with the layer off
 *
 * Context: any; serialized by swap_abs_mutex.
 */
void swap_packed_resume(struct swap_tier *tier)
{
	struct swap_pack *pack = tier->pack;

	lockdep_assert_held(&swap_abs_mutex);
	if (!pack)
		return;
	WRITE_ONCE(pack->quiet, true);
	WRITE_ONCE(pack->stopped, false);
	swap_pack_gc_check(pack);
}

/**
 * swap_packed_stop_collecting - end collection before swap_packed_stop()
 * @tier: a tier whose device is about to be emptied
 *
 * Who chooses the format meanwhile may begin it again, and then swap_packed_stop() waits.
 *
 * Context: process context, sleeps.
 */
void swap_packed_stop_collecting(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	if (!pack)
		return;
	WRITE_ONCE(pack->stopped, true);
	cancel_work_sync(&pack->gc_work);
}

/**
 * swap_packed_stop - nothing more is packed in a tier, nor collected
 * @tier: a tier whose device is about to be emptied
 *
 * What is in RAM is on its way to the device when this returns, and spare
 * segments are back at it. Until swap_packed_start() no segment is opened, and
 * what becomes free is no spare.
 *
 * Context: process context, sleeps; serialized by swap_abs_mutex.
 */
void swap_packed_stop(struct swap_tier *tier)
{
	struct swap_pack *pack = tier->pack;

	lockdep_assert_held(&swap_abs_mutex);
	if (!pack)
		return;

	swap_packed_stop_collecting(tier);
	cancel_delayed_work_sync(&pack->again_work);
	swap_packed_close(pack);
	flush_work(&pack->release_work);
	swap_pack_give_spares(pack);
}

/**
 * swap_packed_forget_bad - let segments be used again that could not be written
 * @tier: the tier
 *
 * Context: process context, sleeps.
 */
void swap_packed_forget_bad(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);
	struct swap_segment *segment, *next;
	LIST_HEAD(bad);

	if (!pack)
		return;
	flush_work(&pack->release_work);
	spin_lock(&pack->lock);
	list_splice_init(&pack->bad, &bad);
	spin_unlock(&pack->lock);
	list_for_each_entry_safe(segment, next, &bad, victim.list) {
		list_del_init(&segment->victim.list);
		percpu_counter_add(&pack->live, SWAP_SEGMENT_BAD);
		swap_segment_account(segment, -SWAP_SEGMENT_BAD);
		swap_segment_return(segment);
	}
}

/**
 * swap_packed_free - free what the packed format of a tier has
 * @tier: a tier that was stopped, without data
 *
 * Context: process context, sleeps.
 */
void swap_packed_free(struct swap_tier *tier)
{
	struct swap_pack *pack = tier->pack;
	int i;

	if (!pack)
		return;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		cancel_delayed_work_sync(&pack->streams[i].flush);
	cancel_work_sync(&pack->gc_work);
	cancel_delayed_work_sync(&pack->again_work);
	/* Each chunk is idle after its work has done its last. */
	flush_workqueue(swap_pack_wq);
	flush_work(&pack->release_work);
	VM_WARN_ON_ONCE(pack->nr_segments || pack->nr_spares);
	VM_WARN_ON_ONCE(percpu_counter_sum(&pack->objects));
	VM_WARN_ON_ONCE(percpu_counter_sum(&pack->live));
	swap_pack_free_ios(pack);
	swap_pack_free_pieces(pack);
	mempool_exit(&pack->segments);
	percpu_counter_destroy(&pack->held);
	percpu_counter_destroy(&pack->live);
	percpu_counter_destroy(&pack->objects);
	kfree(pack);
	tier->pack = NULL;
}

/* Pages that are packed in a tier. */
unsigned long swap_packed_objects(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack ? percpu_counter_sum_positive(&pack->objects) : 0;
}

/* The same, roughly and without a look at each CPU. */
unsigned long swap_packed_objects_read(struct swap_tier *tier)
{
	return tier->pack ? percpu_counter_read_positive(&tier->pack->objects) : 0;
}

/* Clusters that are lent to a tier and have no data, nor can have raw one. */
unsigned long swap_packed_spares(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack ? READ_ONCE(pack->nr_spares) : 0;
}

/* Segments with data in a tier. */
unsigned long swap_packed_segments(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack ? READ_ONCE(pack->nr_segments) : 0;
}

/* Bytes of a tier's segments that are in use, with headers. */
unsigned long swap_packed_live(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack ? percpu_counter_sum_positive(&pack->live) : 0;
}

/* What they take of the capacity less what they take of the device, roughly. */
long swap_packed_excess(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	if (!pack)
		return 0;
	/* data_race(): roughly is enough. */
	return data_race(percpu_counter_read(&pack->held)) -
	       (long)READ_ONCE(pack->nr_segments) * SWAPFILE_CLUSTER;
}

/**
 * swap_packed_dead - space of a tier that collection could have back
 * @tier: the tier
 *
 * Context: process context, does not sleep; looks at the segments that are being filled.
 * Return: bytes that were written, or left out, and are in no object that is in use.
 */
unsigned long swap_packed_dead(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);
	struct swap_pack_stream *stream;
	unsigned long filled;
	long dead;
	int i;

	if (!pack)
		return 0;
	filled = (unsigned long)READ_ONCE(pack->nr_segments) * SWAP_SEGMENT_SIZE;
	for (i = 0; i < NR_SWAP_STREAMS; i++) {
		stream = &pack->streams[i];
		spin_lock(&stream->lock);
		if (stream->segment)
			filled -= SWAP_SEGMENT_SIZE - stream->segment->victim.end * SWAP_PACK_BLOCK;
		if (stream->io)
			filled += stream->io->chunk.used;
		spin_unlock(&stream->lock);
	}
	dead = filled - swap_packed_live(tier);
	return max(dead, 0);
}

/* Segments whose medium is bad, without those that still have data. */
unsigned long swap_packed_nr_bad(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);
	unsigned long nr;

	if (!pack)
		return 0;
	spin_lock(&pack->lock);
	nr = list_count_nodes(&pack->bad);
	spin_unlock(&pack->lock);
	return nr;
}

/* Pages of capacity that they take. */
unsigned long swap_packed_held(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack ? percpu_counter_sum_positive(&pack->held) : 0;
}

/**
 * swap_packed_check - for the self-check: are the bytes in use right?
 * @tier: the tier
 * @begin: forget what was seen, before the words are walked; else compare
 *
 * Means something only while nothing is swapped in or out.
 *
 * Return: number of full segments in which not as much is in use as is counted.
 */
unsigned int swap_packed_check(struct swap_tier *tier, bool begin)
{
	struct swap_pack *pack = tier->pack;
	struct swap_segment *segment;
	unsigned int i, wrong = 0;

	if (!pack)
		return 0;
	spin_lock(&pack->lock);
	for (i = 0; i < SWAP_VICTIM_BUCKETS; i++) {
		list_for_each_entry(segment, &pack->victims.bucket[i], victim.list) {
			if (begin)
				segment->seen = 0;
			else if (!atomic_read(&segment->writing) &&
				 segment->seen != swap_segment_live(segment))
				wrong++;
			else if (!begin && segment->victim.bucket !=
				 swap_segment_bucket(swap_segment_live(segment)))
				wrong++;
		}
	}
	spin_unlock(&pack->lock);
	return wrong;
}

/* A slot's word has been seen, under the lock of its cluster. */
void swap_packed_check_word(swap_desc_t word)
{
	struct swap_segment *segment = swap_segment_of(word);

	segment->seen += swap_pack_size(swap_desc_length(word));
}
