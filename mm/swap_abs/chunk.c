// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks of a packed tier: objects are appended to a chunk of a segment in RAM, 128 KiB, which
 * is written when it is full, when the batch of reclaim ends, or when it has waited.
 *
 * There is a stream for what reclaim stores and movers bring, a few more where I/O is charged
 * to cgroups, and two for what survives of collected segments. Each has one chunk that is
 * filled, under the stream's lock; any number of them are on their way to the device.
 *
 * Forward progress: buffers, chunks and segments are preallocated. Who waits for a chunk
 * waits for I/O that is submitted, or for the flush worker (WQ_MEM_RECLAIM), and holds
 * nothing that these need.
 *
 * Called by mm/swap_abs/packed.c for what is stored, and mm/swap_abs/collect.c for what is
 * moved. Locks: folio lock, swap_pack_stream.lock, then a virtual cluster's lock or
 * swap_pack.lock. All are of process context: completions queue work.
 */
#include <linux/blkdev.h>
#include <linux/ioprio.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../internal.h"
#include "../swap.h"
#include "packed.h"

/*
 * How long an object may wait for others to be written with: that of a folio, whose memory
 * somebody waits for, and one that can be loaded from where it was until then.
 */
#define SWAP_FLUSH_DELAY	max(HZ / 200, 1)
#define SWAP_FLUSH_DELAY_MOVED	HZ

/* Movers leave a device alone for that long when a write has failed: each costs a segment. */
#define SWAP_FAILED_DELAY	(HZ / 10)

/* Writes end here. Never frozen, as reclaim waits for it. */
struct workqueue_struct *swap_pack_wq;

/* The device that this CPU has stored to last. These structs are never freed. */
static DEFINE_PER_CPU(struct swap_info_struct *, swap_packed_hint);
static DEFINE_PER_CPU(unsigned long, swap_packed_hint_until);

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
void swap_pack_hurry(struct swap_pack *pack, struct swap_pack_io *io)
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

void swap_pack_write_put(struct swap_pack_write *write, bool failed)
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
void swap_pack_flush_fresh(struct swap_pack *pack, unsigned long streams)
{
	enum swap_stream_id id = SWAP_STREAM_FRESH;

	for (; id < SWAP_STREAM_FRESH + pack->nr_fresh; id++)
		if ((streams & BIT(id)) && READ_ONCE(pack->streams[id].io))
			swap_pack_flush(pack, id);
}

void swap_pack_flush_work(struct work_struct *work)
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
bool swap_pack_is_open(struct swap_pack *pack)
{
	return swap_pack_open_fresh(pack) != NR_SWAP_STREAMS;
}

/* Give one spare segment back that is not of the reserve. */
static bool swap_pack_yield(struct swap_pack *pack)
{
	struct swap_segment *segment = NULL;

	spin_lock(&pack->lock);
	if (pack->tier->nr_spares > (pack->reserved ? SWAP_PACK_RESERVE : 0)) {
		segment = list_first_entry(&pack->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(pack->tier->nr_spares, pack->tier->nr_spares - 1);
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
			if (!yielded && READ_ONCE(pack->tier->nr_segments)) {
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
	while (atomic_long_read(&swap_bytes_moving) && time_before(jiffies, end) &&
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
struct swap_pack_io *swap_pack_lock(struct swap_pack *pack, enum swap_stream_id want,
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

void swap_pack_unlock(struct swap_pack *pack, struct swap_pack_io *io)
{
	spin_unlock(&pack->streams[io->id].lock);
}

/* Append an object to a chunk of a locked stream. Its word is in the item. */
struct swap_pack_item *swap_pack_add(struct swap_pack_io *io, swp_entry_t slot,
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

static void swap_pack_move_end(struct swap_pack_item *item, bool failed)
{
	if (failed || !swap_abs_move_commit(item->slot, item->from, item->to, NULL, 0)) {
		swap_packed_drop(&item->to, 1);
		swap_abs_move_abort(item->slot, item->from, failed ? -EIO : -EAGAIN);
	}
	atomic_long_sub(swap_desc_length(item->to), &swap_bytes_moving);
}

/* A chunk has been written, or could not be. */
void swap_pack_io_done(struct work_struct *work)
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
			swap_pack_move_end(item, io->failed);
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

/* Is data packed in a tier now? */
static bool swap_packed_is_used(struct swap_tier *tier)
{
	return tier->pack && READ_ONCE(tier->format) == tier->pack->format &&
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
struct swap_pack *swap_packed_get(unsigned long tiers, unsigned long all)
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
		if (pack && READ_ONCE(si->tier->format) == pack->format &&
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
		if (!swap_packed_is_used(tier) || READ_ONCE(tier->pack->quiet)) {
			raw = swap_tier_has_slots(tier);
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

void swap_packed_put(struct swap_pack *pack)
{
	put_swap_device(pack->tier->si);
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
				  READ_ONCE(pack->tier->nr_spares) < SWAP_PACK_RESERVE));
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
	atomic_long_add(length, &swap_bytes_moving);
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
