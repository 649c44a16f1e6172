// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks of a packed tier. Objects are appended to a chunk of 128 KiB in RAM,
 * which is a part of a segment. A chunk is written when it is full, when the
 * batch of reclaim ends, or when it has waited long enough.
 *
 * Reclaim and movers append to a fresh stream; there are more of these where
 * I/O is charged to cgroups. What survives of collected segments has two
 * streams. Each stream has at most one chunk that is being filled, under the
 * stream's lock; any number of its chunks can be on their way to the device.
 *
 * Forward progress: buffers, chunks and segments are preallocated. A task that
 * waits for a chunk waits for I/O that has been submitted, or for the flush
 * worker (WQ_MEM_RECLAIM). It holds nothing that these need.
 *
 * mm/swap_abs/packed.c calls this to store pages, mm/swap_abs/collect.c to move
 * objects, and movers of other tiers by swap_packed_move(). Locks: folio lock,
 * swap_stream.lock, then a virtual cluster's lock or swap_packed_tier.lock. All
 * of them are taken in process context only, so completions queue work.
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
 * How long an object may wait for others to be written with. An object of a
 * folio waits for a short time only, because reclaim waits for the memory of
 * the folio. An object of a mover can be loaded from its old place until it is
 * written.
 */
#define SWAP_FLUSH_DELAY	max(HZ / 200, 1)
#define SWAP_FLUSH_DELAY_MOVED	HZ

/*
 * Movers leave a device alone for this long after a write has failed, because
 * each failed write uses up a part of a segment.
 */
#define SWAP_FAILED_DELAY	(HZ / 10)

/*
 * This workqueue runs the work of written chunks. It is never frozen, because
 * reclaim waits for it.
 */
struct workqueue_struct *swap_chunk_wq;

/*
 * The device that this CPU has stored to last. It may have left, which
 * swap_device_tryget() tells, because a struct swap_info_struct is never freed.
 */
static DEFINE_PER_CPU(struct swap_info_struct *, swap_packed_hint);
static DEFINE_PER_CPU(unsigned long, swap_packed_hint_until);

/*
 * Tell whether swap_chunk_get() can get a chunk now. Without the lock this is a
 * hint.
 */
static bool swap_chunk_may_get(struct swap_packed_tier *packed, bool urgent)
{
	unsigned int nr = READ_ONCE(packed->nr_idle);

	/*
	 * One chunk is left for urgent data. While no chunk is being written,
	 * at least three are idle, because each of the other five streams has
	 * at most one.
	 */
	return urgent ? nr :
	       nr > 1 && READ_ONCE(packed->nr_lazy) < SWAP_NR_CHUNKS_LAZY;
}

/*
 * Wait for a chunk. All are being written or are about to be, and become idle
 * by themselves. If the device hangs, a task that is killed must not wait for
 * it. Return as wait_event_killable_timeout() does.
 */
static long swap_chunk_wait(struct swap_packed_tier *packed, bool urgent)
{
	return wait_event_killable_timeout(packed->wait,
					   swap_chunk_may_get(packed, urgent),
					   urgent ? MAX_SCHEDULE_TIMEOUT :
						    HZ / 10);
}

static struct swap_chunk *swap_chunk_get(struct swap_packed_tier *packed,
					 bool urgent)
{
	struct swap_chunk *chunk = NULL;

	spin_lock(&packed->lock);
	if (swap_chunk_may_get(packed, urgent)) {
		chunk = list_first_entry(&packed->idle, struct swap_chunk,
					 list);
		list_del(&chunk->list);
		WRITE_ONCE(packed->nr_idle, packed->nr_idle - 1);
	}
	spin_unlock(&packed->lock);
	return chunk;
}

static void swap_chunk_put(struct swap_packed_tier *packed,
			   struct swap_chunk *chunk)
{
	spin_lock(&packed->lock);
	list_add(&chunk->list, &packed->idle);
	WRITE_ONCE(packed->nr_idle, packed->nr_idle + 1);
	WRITE_ONCE(packed->nr_lazy, packed->nr_lazy - !chunk->urgent);
	spin_unlock(&packed->lock);
	wake_up_all(&packed->wait);
}

/* Begin a chunk at the end of the stream's segment; @css pays for its write. */
static void swap_stream_begin_chunk(struct swap_packed_tier *packed,
				    struct swap_stream *stream,
				    struct swap_chunk *chunk,
				    struct cgroup_subsys_state *css)
{
	struct swap_segment *segment = stream->segment;
	unsigned int blocks = SWAPFILE_CLUSTER - segment->victim.end;
	pgoff_t offset = swap_segment_offset(segment) + segment->victim.end;

	/* A chunk must lie within one extent of a swapfile. */
	blocks = min(blocks, SWAP_CHUNK_BLOCKS);
	chunk->sector = swap_device_run(packed->tier->si, offset, &blocks);
	chunk->segment = segment;
	chunk->id = stream - packed->streams;
	chunk->nr_items = 0;
	chunk->failed = false;
	chunk->bad = false;
	chunk->urgent = false;
	swap_chunk_buf_init(&chunk->fill, chunk->buf, segment->seq,
			    (u64)offset << PAGE_SHIFT,
			    blocks * SWAP_PACKED_BLOCK);
	chunk->css = css;
	swap_blkcg_hold(css);
	refcount_inc(&segment->refs);
	atomic_inc(&segment->writing);
	chunk->soon = false;
	WRITE_ONCE(stream->payer, swap_blkcg_serial(css));
	WRITE_ONCE(packed->nr_begun, READ_ONCE(packed->nr_begun) + 1);
	WRITE_ONCE(stream->used, READ_ONCE(packed->nr_begun));
	WRITE_ONCE(stream->chunk, chunk);
	mod_delayed_work(swap_flush_wq, &stream->flush, SWAP_FLUSH_DELAY_MOVED);
}

/*
 * Have the chunk written soon, because somebody waits for the memory of a folio
 * in it. The caller holds the stream's lock.
 */
void swap_chunk_hurry(struct swap_packed_tier *packed, struct swap_chunk *chunk)
{
	if (chunk->soon)
		return;
	chunk->soon = true;
	mod_delayed_work(swap_flush_wq, &packed->streams[chunk->id].flush,
			 SWAP_FLUSH_DELAY);
}

/*
 * End the stream's chunk. The caller submits it after it has dropped the lock.
 */
static struct swap_chunk *swap_stream_end_chunk(struct swap_stream *stream)
{
	struct swap_segment *segment = stream->segment;
	struct swap_chunk *chunk = stream->chunk;

	lockdep_assert_held(&stream->lock);
	VM_WARN_ON_ONCE(!chunk->nr_items);
	chunk->size = swap_chunk_buf_end(&chunk->fill);
	WRITE_ONCE(stream->chunk, NULL);
	segment->victim.end += chunk->size / SWAP_PACKED_BLOCK;
	if (segment->victim.end == SWAPFILE_CLUSTER ||
	    swap_segment_is_bad(segment))
		swap_segment_close(stream);
	return chunk;
}

static void swap_chunk_end_folio(struct folio *folio, bool failed)
{
	if (failed) {
		/*
		 * Dirty the folio before writeback ends, because RAM has the
		 * only copy.
		 */
		folio_mark_dirty(folio);
		folio_clear_reclaim(folio);
	}
	folio_end_writeback(folio);
}

void swap_folio_write_put(struct swap_folio_write *write, bool failed)
{
	if (failed)
		WRITE_ONCE(write->failed, true);
	if (!atomic_dec_and_test(&write->pending))
		return;
	if (write->folio)
		swap_chunk_end_folio(write->folio, write->failed);
	kfree(write);
}

/*
 * End the writeback of what reclaim has stored. This is done in the bio's
 * completion, because it waits for nothing else and needs no lock of the layer.
 */
static void swap_chunk_end_folios(struct swap_chunk *chunk)
{
	struct swap_chunk_item *item;

	for (item = chunk->items; item < chunk->items + chunk->nr_items;
	     item++) {
		if (item->folio)
			swap_chunk_end_folio(item->folio, chunk->failed);
		else if (item->write)
			swap_folio_write_put(item->write, chunk->failed);
	}
}

static void swap_chunk_write_end(struct bio *bio)
{
	struct swap_chunk *chunk = bio->bi_private;
	struct swap_tier *tier;

	if (bio->bi_status) {
		chunk->failed = true;
		tier = chunk->segment->packed->tier;
		chunk->bad = swap_tier_medium_failed(tier, bio->bi_status);
		pr_alert_ratelimited("swap: write error on %pg, sector %llu\n",
				     bio->bi_bdev,
				     (unsigned long long)chunk->sector);
	}
	bio_uninit(bio);
	swap_chunk_end_folios(chunk);
	queue_work(swap_chunk_wq, &chunk->work);
}

static void swap_chunk_submit(struct swap_chunk *chunk)
{
	struct swap_packed_tier *packed = chunk->segment->packed;
	struct swap_tier *tier = packed->tier;
	struct bio *bio = &chunk->bio;

	bio_init(bio, tier->si->bdev, chunk->bvecs, SWAP_CHUNK_BLOCKS,
		 REQ_OP_WRITE | REQ_SWAP);
	bio->bi_iter.bi_sector = chunk->sector;
	bio->bi_private = chunk;
	bio->bi_end_io = swap_chunk_write_end;
	/*
	 * A write of moved data is not urgent, so it has idle priority. A write
	 * of survivors has not, because reclaim waits for it if room gets short
	 * before it ends. The priority is always set, so that the chunk does
	 * not inherit that of the task that happens to submit it.
	 */
	if (chunk->urgent || !swap_stream_is_fresh(chunk->id))
		bio->bi_ioprio =
			IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
	else
		bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);
	bio_associate_blkg_from_css(bio, chunk->css);
	swap_blkcg_put(chunk->css);
	if (!chunk->urgent) {
		spin_lock(&packed->lock);
		WRITE_ONCE(packed->nr_lazy, packed->nr_lazy + 1);
		spin_unlock(&packed->lock);
	}
	/*
	 * The buffer is whole pages with at most one bio_vec each, so it fits.
	 */
	WARN_ON_ONCE(!bio_add_vmalloc(bio, chunk->buf, chunk->size));
	swap_tier_count(tier, SWAP_TIER_WRITTEN, chunk->size);
	submit_bio(bio);
}

/* Write what has been appended to a stream. */
void swap_stream_flush(struct swap_packed_tier *packed, enum swap_stream_id id)
{
	struct swap_stream *stream = &packed->streams[id];
	struct swap_chunk *chunk = NULL;

	spin_lock(&stream->lock);
	if (stream->chunk)
		chunk = swap_stream_end_chunk(stream);
	spin_unlock(&stream->lock);
	if (chunk)
		swap_chunk_submit(chunk);
}

/* Write what has been appended to those fresh streams that are in the mask. */
void swap_streams_flush_fresh(struct swap_packed_tier *packed,
			      unsigned long streams)
{
	enum swap_stream_id id = SWAP_STREAM_FRESH;

	for (; id < SWAP_STREAM_FRESH + packed->nr_fresh; id++)
		if ((streams & BIT(id)) && READ_ONCE(packed->streams[id].chunk))
			swap_stream_flush(packed, id);
}

void swap_stream_flush_work(struct work_struct *work)
{
	struct swap_stream *stream = container_of(to_delayed_work(work),
						  struct swap_stream, flush);
	struct swap_chunk *chunk = NULL;
	struct swap_segment *segment;
	unsigned int noreclaim;

	/*
	 * While storage is suspended, nothing is written (rule 12 in
	 * mm/swap_abs.c). The chunk is in the hibernation image, and the kernel
	 * that resumes from it writes it.
	 */
	if (pm_suspended_storage()) {
		mod_delayed_work(swap_flush_wq, &stream->flush, HZ);
		return;
	}
	spin_lock(&stream->lock);
	segment = stream->segment;
	if (stream->chunk)
		chunk = swap_stream_end_chunk(stream);
	else if (segment && segment->victim.end &&
		 !swap_segment_live(segment) && !atomic_read(&segment->writing))
		swap_segment_close(stream);
	spin_unlock(&stream->lock);
	if (!chunk)
		return;
	/*
	 * Some devices allocate memory in submit_bio(). They may use the
	 * reserves, because reclaim waits for this write as for its own.
	 */
	noreclaim = memalloc_noreclaim_save();
	swap_chunk_submit(chunk);
	memalloc_noreclaim_restore(noreclaim);
}

/*
 * Write what the stream has in RAM, and let it fill another segment from now
 * on.
 */
static void swap_stream_close(struct swap_stream *stream)
{
	struct swap_chunk *chunk = NULL;

	spin_lock(&stream->lock);
	if (stream->chunk)
		chunk = swap_stream_end_chunk(stream);
	if (stream->segment)
		swap_segment_close(stream);
	spin_unlock(&stream->lock);
	if (chunk)
		swap_chunk_submit(chunk);
}

/*
 * Return a fresh stream that has a segment, or NR_SWAP_STREAMS. This is a hint.
 */
static enum swap_stream_id
swap_streams_open_fresh(struct swap_packed_tier *packed)
{
	enum swap_stream_id id = SWAP_STREAM_FRESH;

	for (; id < SWAP_STREAM_FRESH + packed->nr_fresh; id++)
		if (READ_ONCE(packed->streams[id].segment))
			return id;
	return NR_SWAP_STREAMS;
}

/* Tell whether a segment is being filled with new data. */
bool swap_streams_are_open(struct swap_packed_tier *packed)
{
	return swap_streams_open_fresh(packed) != NR_SWAP_STREAMS;
}

/* Give one spare segment that is not in the reserve back to the device. */
static bool swap_streams_yield(struct swap_packed_tier *packed)
{
	struct swap_segment *segment = NULL;
	unsigned int keep;

	spin_lock(&packed->lock);
	keep = packed->reserved ? SWAP_SEGMENT_RESERVE : 0;
	if (packed->tier->nr_spares > keep) {
		segment = list_first_entry(&packed->spares, struct swap_segment,
					   victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(packed->tier->nr_spares,
			   packed->tier->nr_spares - 1);
	}
	spin_unlock(&packed->lock);
	if (segment)
		swap_segment_return(segment);
	return segment;
}

/*
 * Give a cluster that was lent for packed data back, because raw pages find no
 * slot (swap_format.yield). Where no segment is spare, close one that is being
 * filled, so that collection can make it dense: its free end counts as
 * capacity, but no raw page fits there. Submits I/O. Return true when a cluster
 * has been given back.
 */
bool swap_packed_yield(unsigned long tiers)
{
	struct swap_info_struct *si;
	enum swap_stream_id id;
	struct swap_packed_tier *packed;
	bool yielded = false;
	int type;

	for (type = 0; type < MAX_SWAPFILES && !yielded; type++) {
		si = tiers & BIT(type) ? READ_ONCE(swap_info[type]) : NULL;
		if (!si || !swap_device_tryget(si))
			continue;
		packed = si->tier ? READ_ONCE(si->tier->packed) : NULL;
		if (packed && !READ_ONCE(packed->stopped)) {
			yielded = swap_streams_yield(packed);
			if (!yielded && READ_ONCE(packed->tier->nr_segments)) {
				id = swap_streams_open_fresh(packed);
				if (id != NR_SWAP_STREAMS)
					swap_stream_close(&packed->streams[id]);
				WRITE_ONCE(packed->starved, true);
				swap_collect_kick(packed);
			}
		}
		put_swap_device(si);
	}
	return yielded;
}

/* Write the new data of all tiers that is still in RAM. Submits I/O. */
void swap_packed_flush_all(void)
{
	struct swap_info_struct *si;
	struct swap_packed_tier *packed;
	int type;

	for (type = 0; type < MAX_SWAPFILES; type++) {
		si = READ_ONCE(swap_info[type]);
		if (!si || !swap_device_tryget(si))
			continue;
		packed = si->tier ? READ_ONCE(si->tier->packed) : NULL;
		if (packed)
			swap_streams_flush_fresh(packed, ~0UL);
		put_swap_device(si);
	}
}

/*
 * Wait until the moves that are under way have ended. They end by themselves
 * within the time of a flush and a write. Wait for a second at most, because
 * other movers may begin new moves all the time.
 */
void swap_packed_wait_moved(void)
{
	unsigned long end = jiffies + HZ;

	swap_packed_flush_all();
	while (atomic_long_read(&swap_bytes_moving) &&
	       time_before(jiffies, end) && !signal_pending(current))
		schedule_timeout_interruptible(1);
}

/*
 * Tell whether a chunk is so full that it may end early: its last block may be
 * nearly empty, but the chunk holds at least half of its size. The caller holds
 * the stream's lock.
 */
static bool swap_chunk_is_half_full(struct swap_chunk *chunk)
{
	return 2 * chunk->fill.used >= chunk->fill.size;
}

/* Tell whether another blkcg may take the stream over. This is a hint. */
static bool swap_stream_may_end(struct swap_stream *stream)
{
	bool may = true;

	if (!READ_ONCE(stream->chunk))
		return true;
	spin_lock(&stream->lock);
	if (stream->chunk)
		may = swap_chunk_is_half_full(stream->chunk);
	spin_unlock(&stream->lock);
	return may;
}

/*
 * Choose the stream for data that a blkcg pays for. That is the stream of its
 * last chunk. If it has none, it is, of the streams whose chunk is at least
 * half full or that have no chunk, the one that was used longest ago. If there
 * is none either, it is the root's stream, and the root pays. A chunk is not
 * ended sooner, because more than three cgroups that store one page each in
 * turn would end a chunk with each page, which would cost a whole block.
 */
static enum swap_stream_id swap_stream_choose(struct swap_packed_tier *packed,
					      u64 payer)
{
	enum swap_stream_id id, oldest = SWAP_STREAM_FRESH;

	if (!payer)
		return SWAP_STREAM_FRESH;
	for (id = SWAP_STREAM_FRESH + 1;
	     id < SWAP_STREAM_FRESH + packed->nr_fresh; id++)
		if (READ_ONCE(packed->streams[id].payer) == payer)
			return id;
	for (id = SWAP_STREAM_FRESH + 1;
	     id < SWAP_STREAM_FRESH + packed->nr_fresh; id++) {
		if (oldest != SWAP_STREAM_FRESH &&
		    (s32)(READ_ONCE(packed->streams[id].used) -
			  READ_ONCE(packed->streams[oldest].used)) >= 0)
			continue;
		if (swap_stream_may_end(&packed->streams[id]))
			oldest = id;
	}
	return oldest;
}

/*
 * Get a chunk that @css pays for and that has room for @length more bytes, and
 * lock its stream. Return NULL when the device has no room, when there is no
 * chunk without waiting and @may_wait is false, or when the task is killed.
 * Data that is not @urgent leaves most chunks to urgent data, but becomes
 * urgent when it has waited.
 */
struct swap_chunk *swap_stream_get_chunk(struct swap_packed_tier *packed,
					 enum swap_stream_id want,
					 struct cgroup_subsys_state *css,
					 unsigned int length, bool urgent,
					 bool may_wait)
{
	bool fresh = swap_stream_is_fresh(want), shared = false;
	u64 payer = swap_blkcg_serial(css);
	struct swap_stream *stream;
	enum swap_stream_id id = want, other;
	struct swap_chunk *chunk;
	long left;

	if (fresh)
		id = swap_stream_choose(packed, payer);
	for (;;) {
		stream = &packed->streams[id];
		shared |= id == SWAP_STREAM_FRESH;
		spin_lock(&stream->lock);
		chunk = stream->chunk;
		/*
		 * Another blkcg has begun this chunk since the stream was
		 * chosen. It must not end so soon, so choose again.
		 */
		if (chunk && !shared && stream->payer != payer &&
		    !swap_chunk_is_half_full(chunk)) {
			spin_unlock(&stream->lock);
			id = swap_stream_choose(packed, payer);
			continue;
		}
		if (chunk && (!swap_chunk_buf_fits(&chunk->fill, length) ||
			      chunk->nr_items == SWAP_CHUNK_ITEMS ||
			      (!shared && stream->payer != payer))) {
			/*
			 * Take the stream over now, because its owner could
			 * begin the next chunk before this one has been
			 * submitted.
			 */
			if (!shared)
				WRITE_ONCE(stream->payer, payer);
			/* A chunk can't be submitted with the lock held. */
			chunk = swap_stream_end_chunk(stream);
			spin_unlock(&stream->lock);
			swap_chunk_submit(chunk);
			continue;
		}
		if (chunk)
			goto locked;

		/*
		 * swap_packed_stop() sets this and then takes the lock, so it
		 * closes every chunk that was begun before.
		 */
		if (READ_ONCE(packed->stopped))
			break;
		/*
		 * A write to the segment has failed since, and the next one
		 * might fail, too.
		 */
		if (stream->segment && swap_segment_is_bad(stream->segment))
			swap_segment_close(stream);
		/*
		 * Only the reserve is free, so append to a segment that another
		 * stream is filling. It must become full before the tier
		 * refuses data.
		 */
		if (!stream->segment && fresh && !shared &&
		    swap_segments_nr_free(packed) <= SWAP_SEGMENT_RESERVE &&
		    swap_streams_are_open(packed)) {
			spin_unlock(&stream->lock);
			other = swap_streams_open_fresh(packed);
			if (other != NR_SWAP_STREAMS)
				id = other;
			shared = true;
			continue;
		}
		if (!stream->segment)
			WRITE_ONCE(stream->segment,
				   swap_segment_open(packed, id));
		if (!stream->segment) {
			spin_unlock(&stream->lock);
			if (fresh && READ_ONCE(packed->quiet))
				return NULL;
			if (fresh)
				id = swap_streams_open_fresh(packed);
			if (!fresh || id == NR_SWAP_STREAMS) {
				swap_segments_refuse(packed, fresh);
				return NULL;
			}
			shared = true;
			continue;
		}
		chunk = swap_chunk_get(packed, urgent);
		if (chunk) {
			/*
			 * The caller appends an object before it drops the
			 * lock, so no chunk is empty.
			 */
			swap_stream_begin_chunk(packed, stream, chunk,
						shared ? NULL : css);
			goto locked;
		}
		spin_unlock(&stream->lock);
		if (!may_wait)
			return NULL;
		left = swap_chunk_wait(packed, urgent);
		if (left < 0)
			return NULL;
		if (!left)
			urgent = true;
		if (fresh) {
			id = swap_stream_choose(packed, payer);
			shared = false;
		}
	}
	spin_unlock(&stream->lock);
	return NULL;
locked:
	chunk->urgent |= urgent;
	return chunk;
}

void swap_stream_put_chunk(struct swap_packed_tier *packed,
			   struct swap_chunk *chunk)
{
	spin_unlock(&packed->streams[chunk->id].lock);
}

/*
 * Append an object to a chunk whose stream is locked. Its word is in the item.
 * The object keeps a reference of the segment.
 */
struct swap_chunk_item *swap_chunk_add(struct swap_chunk *chunk,
				       swp_entry_t slot, const void *data,
				       unsigned int length, unsigned int codec)
{
	struct swap_chunk_item *item = &chunk->items[chunk->nr_items++];
	struct swap_segment *segment = chunk->segment;
	struct swap_packed_tier *packed = segment->packed;
	unsigned int blocks;
	u64 address;

	address = swap_chunk_buf_append(&chunk->fill, swp_offset(slot), data,
					length, codec, &blocks);
	refcount_inc(&segment->refs);
	swap_segment_account(segment, swap_object_size(length));
	percpu_counter_inc(&packed->objects);

	memset(item, 0, sizeof(*item));
	item->slot = slot;
	item->to = swap_desc_packed(packed->tier->si->type, address, length,
				    codec);
	return item;
}

static void swap_chunk_item_moved(struct swap_chunk_item *item, bool failed)
{
	if (failed ||
	    !swap_move_commit(item->slot, item->from, item->to, NULL, 0)) {
		swap_packed_drop(&item->to, 1);
		swap_move_abort(item->slot, item->from,
				failed ? -EIO : -EAGAIN);
	}
	atomic_long_sub(swap_desc_length(item->to), &swap_bytes_moving);
}

/* Settle the objects of a chunk whose write has ended or failed. */
void swap_chunk_done_work(struct work_struct *work)
{
	struct swap_chunk *chunk = container_of(work, struct swap_chunk, work);
	struct swap_segment *segment = chunk->segment;
	struct swap_packed_tier *packed = segment->packed;
	unsigned int i;

	if (chunk->failed)
		WRITE_ONCE(packed->failed, jiffies | 1);
	/*
	 * A bad segment is not filled again for some time after it has become
	 * empty.
	 */
	if (chunk->bad) {
		spin_lock(&packed->lock);
		segment->victim.bad = 1;
		spin_unlock(&packed->lock);
		swap_tier_retry_bad(packed->tier);
	}
	swap_tier_io_done(packed->tier, WRITE, chunk->failed);

	for (i = 0; i < chunk->nr_items; i++) {
		struct swap_chunk_item *item = &chunk->items[i];

		if (chunk->failed)
			swap_tier_count(packed->tier, SWAP_TIER_ERRORS, 1);
		/* swap_chunk_write_end() has already ended the folios. */
		if (!swap_place_is_none(item->from))
			swap_chunk_item_moved(item, chunk->failed);
		cond_resched();
	}
	if (!swap_stream_is_fresh(chunk->id))
		atomic_sub(chunk->nr_items, &packed->surviving);
	/*
	 * The segment may be collected from now on. Let it be chosen again,
	 * because the collector may have skipped it for the sake of this write.
	 */
	if (atomic_dec_and_test(&segment->writing)) {
		spin_lock(&packed->lock);
		swap_victims_update(&packed->victims, &segment->victim,
				    swap_segment_live(segment),
				    packed->next_seq);
		spin_unlock(&packed->lock);
		swap_collect_kick(packed);
	}
	swap_segment_idle(segment);
	swap_segment_put(segment);
	swap_chunk_put(packed, chunk);
}

/* Tell whether new data is packed in a tier now. */
static bool swap_packed_is_used(struct swap_tier *tier)
{
	return tier->packed &&
	       READ_ONCE(tier->format) == tier->packed->format &&
	       !READ_ONCE(tier->packed->stopped);
}

/*
 * Make every tier of the mask collect, because none has a segment for new data.
 */
static void swap_packed_starve(unsigned long tiers)
{
	struct swap_tier *tier;

	lockdep_assert_held(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) ||
		    !swap_packed_is_used(tier) ||
		    swap_streams_are_open(tier->packed))
			continue;
		WRITE_ONCE(tier->packed->starved, true);
		swap_collect_kick(tier->packed);
	}
}

/*
 * Return the tier that takes packed data now, with a reference of its device:
 * the first tier of @tiers in order that has a segment. Return NULL when a raw
 * tier that has room comes before it. When neither is found, return NULL and
 * let the tiers of @all collect.
 */
struct swap_packed_tier *swap_packed_get(unsigned long tiers, unsigned long all)
{
	bool restricted = swap_tiers_restricted(tiers);
	struct swap_info_struct *si =
		restricted ? NULL : this_cpu_read(swap_packed_hint);
	struct swap_packed_tier *packed = NULL;
	struct swap_tier *tier;
	bool raw = false;

	/*
	 * Go on with the tier that this CPU has used last until its segment is
	 * full, so that the lock of the list is not taken for each page.
	 */
	if (si &&
	    !swap_tier_hint_is_old(this_cpu_read(swap_packed_hint_until)) &&
	    swap_device_tryget(si)) {
		packed = READ_ONCE(si->tier->packed);
		if (packed && READ_ONCE(si->tier->format) == packed->format &&
		    swap_streams_are_open(packed))
			return packed;
		put_swap_device(si);
		packed = NULL;
	}

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!(swap_tier_bit(tier) & tiers) ||
		    !(READ_ONCE(tier->si->flags) & SWP_WRITEOK))
			continue;
		if (!swap_packed_is_used(tier) ||
		    READ_ONCE(tier->packed->quiet)) {
			raw = swap_tier_has_slots(tier);
			if (raw)
				break;
			continue;
		}
		/*
		 * A tier that has no segment to open is full until it has
		 * collected one.
		 */
		if (!swap_streams_are_open(tier->packed) &&
		    !swap_segments_refill_for(tier->packed,
					      SWAP_SEGMENT_RESERVE)) {
			swap_segments_refuse(tier->packed, true);
			continue;
		}
		if (!swap_device_tryget(tier->si))
			continue;
		packed = tier->packed;
		if (!restricted) {
			this_cpu_write(swap_packed_hint, tier->si);
			this_cpu_write(swap_packed_hint_until,
				       swap_tier_hint_until(tier));
		}
		plist_requeue(&tier->node, &swap_tiers);
		break;
	}
	if (!packed && !raw)
		swap_packed_starve(all);
	spin_unlock(&swap_tiers_lock);
	return packed;
}

/* Let all CPUs look for the first tier in order again. */
void swap_packed_forget_hints(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(*per_cpu_ptr(&swap_packed_hint, cpu), NULL);
}

void swap_packed_put(struct swap_packed_tier *packed)
{
	put_swap_device(packed->tier->si);
}

/*
 * Tell whether a mover would have to wait now, because no packed tier has an
 * idle chunk. Not for interrupts.
 */
bool swap_packed_is_busy(void)
{
	struct swap_info_struct *si = this_cpu_read(swap_packed_hint);
	struct swap_tier *tier;
	bool busy = true;

	/*
	 * Look at the tier of this CPU without a lock first, because movers ask
	 * for each object.
	 */
	if (si && swap_device_tryget(si)) {
		tier = si->tier;
		busy = !tier || !swap_packed_is_used(tier) ||
		       !READ_ONCE(READ_ONCE(tier->packed)->nr_idle);
		put_swap_device(si);
	}
	if (!busy)
		return false;

	busy = false;
	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (!swap_packed_is_used(tier))
			continue;
		busy = !READ_ONCE(tier->packed->nr_idle);
		if (!busy)
			break;
	}
	spin_unlock(&swap_tiers_lock);
	return busy;
}

/*
 * Append compressed data that a mover has pinned at @from to a stream of
 * survivors, whose writes the root pays for, or to SWAP_STREAM_FRESH. The
 * caller has a reference of the tier's device. With @may_wait, wait for an idle
 * chunk. Return true when the move ends by itself, which includes the end of
 * the pin; false when there is no room or no chunk, with the word still pinned.
 * Submits I/O.
 */
bool swap_stream_move_to(struct swap_packed_tier *packed,
			 enum swap_stream_id id, swp_entry_t slot,
			 swap_place_t from, const void *data,
			 unsigned int length, unsigned int codec, bool may_wait)
{
	bool fresh = swap_stream_is_fresh(id);
	/*
	 * The object leaves RAM, or reclaim waits for the segment that is
	 * collected.
	 */
	bool urgent = swap_desc_tag(swap_place_word(from)) == SWAP_DESC_ZSWAP ||
		      (!fresh && (READ_ONCE(packed->starved) ||
				  READ_ONCE(packed->tier->nr_spares) <
				  SWAP_SEGMENT_RESERVE));
	struct cgroup_subsys_state *css =
		fresh ? swap_blkcg_get_slot(slot) : NULL;
	struct swap_chunk_item *item;
	struct swap_chunk *chunk;

	chunk = swap_stream_get_chunk(packed, id, css, length, urgent,
				      may_wait);
	swap_blkcg_put(css);
	if (!chunk)
		return false;
	item = swap_chunk_add(chunk, slot, data, length, codec);
	item->from = from;
	if (!fresh)
		atomic_inc(&packed->surviving);
	atomic_long_add(length, &swap_bytes_moving);
	swap_stream_put_chunk(packed, chunk);
	return true;
}

/*
 * Move compressed data that the caller has pinned at @place to the first packed
 * tier of @tiers that has room (swap_format.take). With @may_wait, wait for I/O
 * when all chunks are in use. Submits I/O.
 *
 * Return 0 when the move is under way and ends by itself. Otherwise the word is
 * still pinned: -ENOSPC when no packed tier has room, or -EAGAIN when the move
 * would have to wait, when a write has just failed, or while storage is
 * suspended.
 */
int swap_packed_move(swp_entry_t slot, swap_place_t place, const void *data,
		     unsigned int length, unsigned int codec, bool may_wait,
		     unsigned long tiers)
{
	unsigned long failed;
	struct swap_packed_tier *packed;
	bool moved;

	if (pm_suspended_storage())
		return -EAGAIN;
	/*
	 * The object has no promise, so it must not take what others have been
	 * promised.
	 */
	if (!swap_object_is_worth(length) ||
	    atomic_long_read(&nr_swap_pages) <= 0)
		return -ENOSPC;
	packed = swap_packed_get(tiers, tiers);
	if (!packed)
		return -ENOSPC;
	failed = READ_ONCE(packed->failed);
	if (failed && time_before(jiffies, failed + SWAP_FAILED_DELAY)) {
		swap_packed_put(packed);
		return -EAGAIN;
	}
	moved = swap_stream_move_to(packed, SWAP_STREAM_FRESH, slot, place,
				    data, length, codec, may_wait);
	swap_packed_put(packed);
	if (moved)
		return 0;
	return may_wait ? -ENOSPC : -EAGAIN;
}

/*
 * Write what all streams have in RAM, and let them fill other segments from now
 * on. Submits I/O.
 */
void swap_packed_close(struct swap_packed_tier *packed)
{
	int i;

	for (i = 0; i < NR_SWAP_STREAMS; i++)
		swap_stream_close(&packed->streams[i]);
}
