// SPDX-License-Identifier: GPL-2.0
/*
 * The packed backend of the swap abstraction: it writes compressed pages to a
 * swap device as they are, one behind another, so that the same I/O frees more
 * memory.
 *
 * A segment is a cluster that the device has lent. Objects are appended to a
 * chunk of 128 KiB in RAM. A chunk is written when it is full, when the batch
 * of reclaim ends, or when it has waited long enough. Objects come to a chunk
 * in two ways:
 *
 * - Reclaim stores a folio. The page is compressed, its word is set and its
 *   writeback begins before the chunk can be written. The folio has the data
 *   until its writeback ends.
 * - A mover has pinned a copy elsewhere (in zswap, or in a segment that is
 *   collected) and appends data that is compressed already. That needs no
 *   folio, no entry in the swap cache and no decompression. swap_move_commit()
 *   sets the word when the chunk is on the device; until then a load reads the
 *   old copy.
 *
 * This file has the two tables of operations (mm/swap_abs/tier.h): as a backend
 * this code serves the words that point to packed objects, and as a format it
 * serves a tier. Segments are in mm/swap_abs/segment.c, chunks in
 * mm/swap_abs/chunk.c, reads in mm/swap_abs/packed_read.c, the collection of
 * segments in mm/swap_abs/collect.c, and the on-device layout of objects in
 * mm/swap_abs/format.c.
 *
 * Locks: folio lock, swap_stream.lock, then a virtual cluster's lock or
 * swap_packed_tier.lock, then those of the device (si->lock, its cluster
 * locks). All of them are taken in process context only, so completions queue
 * work.
 *
 * Forward progress: buffers, chunks and segments are preallocated. A task that
 * waits for a chunk or a buffer waits for I/O that has been submitted, or for
 * the flush worker (WQ_MEM_RECLAIM). It holds nothing that these need.
 */
#include <linux/blkdev.h>
#include <linux/debugfs.h>
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

/* Blocks that pages are compressed to, or that objects are copied to. */
static mempool_t swap_packed_buffers;

/*
 * The workqueues and mempools that all tiers share exist. They are made with
 * the first packed tier, and stay for ever.
 */
static bool swap_packed_ready;

/*
 * Get a block to compress a page to, or to copy an object to. swap_buffer_put()
 * takes it back. Return NULL when there has been no packed tier yet. May sleep
 * and allocate with GFP_NOIO.
 */
static void *swap_buffer_get(void)
{
	/* Pairs with the release in swap_packed_init(). */
	if (!smp_load_acquire(&swap_packed_ready))
		return NULL;
	return page_address(mempool_alloc(&swap_packed_buffers, GFP_NOIO));
}

static void swap_buffer_put(void *buf)
{
	mempool_free(virt_to_page(buf), &swap_packed_buffers);
}

/* The number of tiers that new data is packed in. */
static atomic_t swap_packed_nr_tiers = ATOMIC_INIT(0);

/*
 * Pack new data in a tier from now on, or not. The caller holds swap_abs_mutex,
 * or is the last one who uses the tier.
 */
static void swap_packed_set_quiet(struct swap_packed_tier *packed, bool quiet)
{
	if (packed->quiet == quiet)
		return;
	WRITE_ONCE(packed->quiet, quiet);
	atomic_add(quiet ? -1 : 1, &swap_packed_nr_tiers);
}

/*
 * Begin to collect, because the dead space of segments is no room before that.
 */
static void swap_packed_make_room(struct swap_tier *tier)
{
	if (tier->packed)
		swap_collect_kick(tier->packed);
}

/* Tell whether dead space is being collected. This is a hint. */
static bool swap_packed_is_collecting(struct swap_tier *tier)
{
	return tier->packed && work_busy(&tier->packed->collect_work);
}

/* Tell whether more can be packed in the tier at once. This is a hint. */
static bool swap_packed_has_room(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = READ_ONCE(tier->packed);

	return packed && !READ_ONCE(packed->stopped) &&
	       !READ_ONCE(packed->quiet) &&
	       (swap_streams_are_open(packed) ||
		READ_ONCE(packed->tier->nr_spares) > SWAP_SEGMENT_RESERVE);
}

/* Write what a batch of reclaim has packed (swap_io_ctx.end_batch). */
static void swap_packed_end_batch(struct swap_io_ctx *ctx)
{
	unsigned long streams = ctx->batch_streams;
	struct swap_info_struct *si = ctx->batch;
	struct swap_packed_tier *packed;

	ctx->batch = NULL;
	ctx->batch_streams = 0;
	/*
	 * The device may have left since the batch was packed: then
	 * swap_packed_stop() has written the chunks. If another device has
	 * taken its place, flushing that one does no harm.
	 */
	if (!swap_device_tryget(si))
		return;
	packed = si->tier ? READ_ONCE(si->tier->packed) : NULL;
	if (packed)
		swap_streams_flush_fresh(packed, streams);
	put_swap_device(si);
}

static int swap_packed_store_page(struct swap_packed_tier *packed,
				  struct folio *folio,
				  struct cgroup_subsys_state *css,
				  unsigned int codec, void *buf, bool urgent,
				  unsigned long *streams)
{
	struct swap_chunk_item *item;
	struct swap_chunk *chunk;
	int length;

	length = swap_codec_compress(codec, &folio->page, buf);
	if (length < 0 || !swap_object_is_worth(length))
		return -E2BIG;
	chunk = swap_stream_get_chunk(packed, SWAP_STREAM_FRESH, css, length,
				      urgent, true);
	if (!chunk)
		return -ENOSPC;

	/*
	 * The chunk can't be written before swap_stream_put_chunk() drops the
	 * lock.
	 */
	item = swap_chunk_add(chunk, folio->swap, buf, length, codec);
	item->folio = folio;
	swap_chunk_hurry(packed, chunk);
	swap_desc_install(folio, &item->to, 0);
	trace_swap_abs_store(folio->swap, item->to, 1);
	swap_writeout_begin(folio);
	*streams |= BIT(chunk->id);
	swap_stream_put_chunk(packed, chunk);
	return 0;
}

/*
 * Append a large folio page by page. Chunks that become full in between are
 * submitted at once, which is safe because the folio stays locked. Its
 * writeback begins when all of its pages have a place.
 */
static int swap_packed_store_large(struct swap_packed_tier *packed,
				   struct folio *folio,
				   struct cgroup_subsys_state *css,
				   unsigned int codec, void *buf, bool urgent,
				   unsigned long *streams)
{
	unsigned int i, nr = folio_nr_pages(folio);
	swp_entry_t slot = folio->swap;
	swap_desc_t single, *words = swap_desc_alloc(folio, &single);
	struct swap_folio_write *write;
	struct swap_chunk_item *item;
	struct swap_chunk *chunk;
	int length, err;

	write = kzalloc_obj(*write, GFP_NOIO | __GFP_NOWARN);
	err = -ENOMEM;
	if (!words || !write)
		goto out;
	atomic_set(&write->pending, 1);

	for (i = 0; i < nr; i++, slot.val++) {
		err = -E2BIG;
		length = swap_codec_compress(codec, folio_page(folio, i), buf);
		if (length < 0 || !swap_object_is_worth(length))
			goto undo;
		err = -ENOSPC;
		chunk = swap_stream_get_chunk(packed, SWAP_STREAM_FRESH, css,
					      length, urgent, true);
		if (!chunk)
			goto undo;
		atomic_inc(&write->pending);
		item = swap_chunk_add(chunk, slot, buf, length, codec);
		item->write = write;
		swap_chunk_hurry(packed, chunk);
		words[i] = item->to;
		*streams |= BIT(chunk->id);
		swap_stream_put_chunk(packed, chunk);
		cond_resched();
	}

	swap_desc_install(folio, words, 0);
	trace_swap_abs_store(folio->swap, words[0], nr);
	write->folio = folio;
	swap_writeout_begin(folio);
	swap_folio_write_put(write, false);
	swap_desc_free(words, &single);
	return 0;

undo:
	swap_packed_backend.drop(words, i);
	swap_folio_write_put(write, false);
	write = NULL;
out:
	kfree(write);
	swap_desc_free(words, &single);
	return err;
}

static noinline int __swap_packed_store(struct swap_io_ctx *ctx,
					struct folio *folio,
					unsigned long tiers)
{
	/*
	 * The data of a mover is not urgent, because reclaim does not wait for
	 * it.
	 */
	bool urgent = !(tiers & SWAP_TIERS_MOVED);
	unsigned int nr = folio_nr_pages(folio);
	int codec = swap_codec_default(), err;
	struct cgroup_subsys_state *css;
	unsigned long left = tiers, streams = 0;
	struct swap_packed_tier *packed;
	void *buf;

	if (codec < 0)
		return -ENOSPC;
	if (pm_suspended_storage())
		return -EBUSY;
	/*
	 * A folio whose slots hold no promise must not take the capacity that
	 * other slots have been promised.
	 */
	if (atomic_long_read(&nr_swap_pages) < nr &&
	    atomic_long_read(&nr_swap_pages) < swap_promise_needed(folio))
		return -ENOSPC;

	/* Try each tier once: leave out a tier that turned out to be full. */
	for (;;) {
		packed = swap_packed_get(left, tiers);
		if (!packed)
			return -ENOSPC;
		streams = 0;
		buf = swap_buffer_get();
		css = swap_blkcg_get(folio);
		if (nr == 1)
			err = swap_packed_store_page(packed, folio, css, codec,
						     buf, urgent, &streams);
		else
			err = swap_packed_store_large(packed, folio, css, codec,
						      buf, urgent, &streams);
		swap_blkcg_put(css);
		swap_buffer_put(buf);
		if (err != -ENOSPC)
			break;
		left &= ~swap_tier_bit(packed->tier);
		swap_packed_put(packed);
	}
	if (!err) {
		swap_tier_count(packed->tier, swap_tiers_stat(tiers), nr);
		if (urgent) {
			if (ctx->batch && ctx->batch != packed->tier->si)
				ctx->end_batch(ctx);
			ctx->batch = packed->tier->si;
			ctx->batch_streams |= streams;
			ctx->end_batch = swap_packed_end_batch;
		}
	}
	swap_packed_put(packed);
	return err == -E2BIG ? -ENOSPC : err;
}

static int swap_packed_store(struct swap_io_ctx *ctx, struct folio *folio,
			     unsigned long tiers)
{
	/* Ask this without a lock, because most machines pack nothing. */
	if (!atomic_read(&swap_packed_nr_tiers))
		return -ENOSPC;
	return __swap_packed_store(ctx, folio, tiers);
}

static void swap_packed_moved(swp_entry_t slot, swap_place_t place,
			      struct folio *folio)
{
	swap_desc_t word = swap_place_word(place);

	swap_packed_drop(&word, 1);
}

/*
 * Load every page by itself, because the objects of neighbouring slots lie
 * apart on the device.
 */
static bool swap_packed_can_load_as_one(swap_desc_t first, swap_desc_t next,
					unsigned int i)
{
	return i == 0;
}

/*
 * Return what is wrong with the word of a slot, for the self-check, or NULL.
 * Add up the bytes of its object for swap_packed_check(). The caller holds the
 * lock of the slot's virtual cluster, and the device is in use.
 */
static const char *swap_packed_check_word(swap_desc_t word)
{
	struct swap_cluster_info *ci =
		__swap_entry_to_cluster(swap_desc_device_entry(word));

	if (ci->flags != CLUSTER_FLAG_LENT_SEGMENT || !ci->segment)
		return "in a cluster that is no segment";
	ci->segment->seen += swap_object_size(swap_desc_length(word));
	return NULL;
}

const struct swap_backend swap_packed_backend = {
	.store		= swap_packed_store,
	.load		= swap_packed_load,
	.drop		= swap_packed_drop,
	.can_load_as_one	= swap_packed_can_load_as_one,
	.moved		= swap_packed_moved,
	.fill		= swap_packed_fill,
	.check		= swap_packed_check_word,
	.order		= SWAP_ORDER_CHOOSY,
};

/*
 * Tell whether data can be packed on a device. It can't be where a filesystem
 * does its own swap I/O, because chunks are written by bios; on a device of a
 * few MiB, which has too few segments; or on a device so large that
 * SWAP_DESC_ADDR_BITS can't address all of its objects.
 */
static bool swap_packed_supported(struct swap_info_struct *si)
{
	return si->ops == &swap_bdev_ops &&
	       si->max >= SWAP_PACKED_MIN_SEGMENTS * SWAPFILE_CLUSTER &&
	       (u64)si->max << PAGE_SHIFT <=
		       SWAP_OBJECT_ALIGN * BIT_ULL(SWAP_DESC_ADDR_BITS);
}

/*
 * Leave a device that needs no I/O to the raw format, because packing gains
 * nothing there, and each load would have to decompress the page.
 */
static bool swap_packed_wanted(struct swap_info_struct *si)
{
	return !(si->flags & SWP_SYNCHRONOUS_IO) && swap_packed_supported(si);
}

static void swap_packed_free_chunks(struct swap_packed_tier *packed)
{
	struct swap_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &packed->idle, list) {
		vfree(chunk->buf);
		kvfree(chunk);
	}
}

static int swap_packed_alloc_chunks(struct swap_packed_tier *packed)
{
	struct swap_chunk *chunk;
	int i;

	for (i = 0; i < SWAP_NR_CHUNKS; i++) {
		chunk = kvzalloc_obj(*chunk, GFP_KERNEL | __GFP_NOWARN);
		if (!chunk)
			return -ENOMEM;
		chunk->buf =
			__vmalloc(SWAP_CHUNK_SIZE, GFP_KERNEL | __GFP_NOWARN);
		if (!chunk->buf) {
			kvfree(chunk);
			return -ENOMEM;
		}
		INIT_WORK(&chunk->work, swap_chunk_done_work);
		list_add(&chunk->list, &packed->idle);
		packed->nr_idle++;
	}
	return 0;
}

static struct swap_packed_tier *swap_packed_alloc(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = kzalloc_obj(*packed);
	int i;

	if (!packed)
		return NULL;
	packed->tier = tier;
	packed->format = &swap_packed_format;
	packed->quiet = true;
	packed->next_seq = get_random_u32();
	packed->nr_fresh =
		clamp(tier->si->max / SWAPFILE_CLUSTER / SWAP_FRESH_SEGMENTS,
		      2U, (unsigned int)SWAP_NR_FRESH);
	spin_lock_init(&packed->lock);
	INIT_LIST_HEAD(&packed->idle);
	INIT_LIST_HEAD(&packed->spares);
	swap_victims_init(&packed->victims, SWAP_SEGMENT_SIZE);
	INIT_LIST_HEAD(&packed->bad);
	init_llist_head(&packed->dead);
	init_waitqueue_head(&packed->wait);
	INIT_WORK(&packed->release_work, swap_segments_release_work);
	INIT_WORK(&packed->collect_work, swap_collect_work);
	INIT_DELAYED_WORK(&packed->again_work, swap_collect_again_work);
	mutex_init(&packed->read_lock);
	for (i = 0; i < NR_SWAP_STREAMS; i++) {
		spin_lock_init(&packed->streams[i].lock);
		INIT_DELAYED_WORK(&packed->streams[i].flush,
				  swap_stream_flush_work);
	}

	if (percpu_counter_init(&packed->objects, 0, GFP_KERNEL))
		goto free_packed;
	if (percpu_counter_init(&packed->live, 0, GFP_KERNEL))
		goto free_objects;
	if (mempool_init_kmalloc_pool(&packed->segments,
				      SWAP_SEGMENT_RESERVE + NR_SWAP_STREAMS,
				      sizeof(struct swap_segment)))
		goto free_live;
	if (!swap_collect_alloc_pieces(packed) ||
	    swap_packed_alloc_chunks(packed))
		goto free_chunks;
	return packed;

free_chunks:
	swap_packed_free_chunks(packed);
	swap_collect_free_pieces(packed);
	mempool_exit(&packed->segments);
free_live:
	percpu_counter_destroy(&packed->live);
free_objects:
	percpu_counter_destroy(&packed->objects);
free_packed:
	kfree(packed);
	return NULL;
}

static int swap_packed_init(void)
{
	int err;

	/* Documentation/mm/swap-abs-packed.rst promises that. */
	BUILD_BUG_ON(sizeof(struct swap_segment) > 64);

	lockdep_assert_held(&swap_abs_mutex);
	if (swap_packed_ready)
		return 0;
	if (!swap_chunk_wq)
		swap_chunk_wq = alloc_workqueue("swap_abs_packed",
						WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	/*
	 * The flush worker may have to wait for a device in submit_bio(). It
	 * has a workqueue of its own, so that the completion of other writes
	 * does not wait for it.
	 */
	if (!swap_flush_wq)
		swap_flush_wq = alloc_workqueue("swap_abs_flush",
						WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!swap_chunk_wq || !swap_flush_wq)
		return -ENOMEM;
	if (!mempool_initialized(&swap_packed_buffers)) {
		err = mempool_init_page_pool(&swap_packed_buffers,
					     SWAP_NR_CHUNKS, 0);
		if (err)
			return err;
	}
	err = swap_packed_read_init_once();
	if (!err)
		err = swap_collect_init();
	if (err)
		return err;
	/*
	 * A task that sees the flag must also see the mempools; pairs with
	 * swap_buffer_get().
	 */
	smp_store_release(&swap_packed_ready, true);
	return 0;
}

/*
 * Let packed data be stored in a tier whose device is supported. Return 0,
 * -ENOMEM, or -EOPNOTSUPP when there is no compressor. The caller holds
 * swap_abs_mutex. May sleep.
 */
static int swap_packed_start(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = tier->packed;
	int err = swap_packed_init();

	if (err)
		return err;
	zswap_init_codec();
	if (swap_codec_default() < 0 &&
	    swap_codec_get(SWAP_CODEC_FALLBACK) < 0) {
		pr_warn("swap: no compressor %s, nothing is written packed\n",
			SWAP_CODEC_FALLBACK);
		return -EOPNOTSUPP;
	}
	if (!packed) {
		packed = swap_packed_alloc(tier);
		if (!packed)
			return -ENOMEM;
		/* swap_packed_get() looks for the struct under this lock. */
		spin_lock(&swap_tiers_lock);
		/*
		 * Other readers look for it with READ_ONCE() and without the
		 * lock, so it must be initialized before they can see it.
		 */
		smp_store_release(&tier->packed, packed);
		spin_unlock(&swap_tiers_lock);
	}
	WRITE_ONCE(packed->stopped, false);
	swap_packed_set_quiet(packed, false);
	return 0;
}

/*
 * Pack nothing new in a tier, because its format has been changed or the layer
 * is off. Old segments are collected as before, until none is left. May sleep;
 * submits I/O.
 */
static void swap_packed_quiet(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = tier->packed;

	lockdep_assert_held(&swap_abs_mutex);
	if (!packed)
		return;
	swap_packed_set_quiet(packed, true);
	/*
	 * swap_packed_get() may have just seen that the tier was not quiet, and
	 * lends spare segments to it under this lock. Wait for that, so that
	 * they are given back below.
	 */
	spin_lock(&swap_tiers_lock);
	spin_unlock(&swap_tiers_lock);
	swap_packed_close(packed);
	flush_work(&packed->release_work);
	swap_segments_give_spares(packed);
}

/*
 * Collect again in a tier that was stopped, because its device is in use again,
 * but pack nothing new, because the layer is off. Does not sleep.
 */
static void swap_packed_resume(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = tier->packed;

	lockdep_assert_held(&swap_abs_mutex);
	if (!packed)
		return;
	swap_packed_set_quiet(packed, true);
	WRITE_ONCE(packed->stopped, false);
	swap_collect_kick(packed);
}

/*
 * End the collection in a tier before its device is emptied. swap_abs_mutex is
 * not held, because this may wait for the device. If the administrator chooses
 * a format before swap_packed_stop(), collection may begin again; then
 * swap_packed_stop() waits for it. May sleep.
 */
static void swap_packed_stop_collecting(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = READ_ONCE(tier->packed);

	if (!packed)
		return;
	WRITE_ONCE(packed->stopped, true);
	cancel_work_sync(&packed->collect_work);
}

/*
 * Pack and collect nothing more in a tier whose device is about to be emptied.
 * When this returns, what was in RAM is on its way to the device, and the spare
 * segments have been given back. Until swap_packed_start() or
 * swap_packed_resume() no segment is opened, and a segment that becomes free is
 * not kept as a spare. May sleep.
 */
static void swap_packed_stop(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = tier->packed;

	lockdep_assert_held(&swap_abs_mutex);
	if (!packed)
		return;

	swap_packed_stop_collecting(tier);
	cancel_delayed_work_sync(&packed->again_work);
	swap_packed_close(packed);
	flush_work(&packed->release_work);
	swap_segments_give_spares(packed);
}

/* Let segments be used again whose medium was bad. May sleep. */
static void swap_packed_forget_bad(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = READ_ONCE(tier->packed);
	struct swap_segment *segment, *next;
	unsigned int nr = 0;
	LIST_HEAD(bad);

	if (!packed)
		return;
	spin_lock(&packed->lock);
	list_splice_init(&packed->bad, &bad);
	spin_unlock(&packed->lock);
	list_for_each_entry_safe(segment, next, &bad, victim.list) {
		list_del_init(&segment->victim.list);
		percpu_counter_add(&packed->live, SWAP_SEGMENT_BAD);
		swap_segment_account(segment, -SWAP_SEGMENT_BAD);
		swap_segment_return(segment);
		nr++;
	}
	if (nr)
		WRITE_ONCE(packed->starved, false);
	/*
	 * Only now, or the clusters would count as free raw slots in between.
	 */
	spin_lock(&packed->lock);
	WRITE_ONCE(tier->nr_bad_segments, tier->nr_bad_segments - nr);
	spin_unlock(&packed->lock);
}

/*
 * Free what the packed format has of a tier that was stopped and has no data.
 * May sleep.
 */
static void swap_packed_free(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = tier->packed;
	int i;

	if (!packed)
		return;
	swap_packed_set_quiet(packed, true);
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		cancel_delayed_work_sync(&packed->streams[i].flush);
	cancel_work_sync(&packed->collect_work);
	cancel_delayed_work_sync(&packed->again_work);
	/*
	 * A chunk becomes idle at the end of its work, so wait for the last of
	 * them.
	 */
	flush_workqueue(swap_chunk_wq);
	flush_work(&packed->release_work);
	VM_WARN_ON_ONCE(packed->tier->nr_segments || packed->tier->nr_spares);
	VM_WARN_ON_ONCE(percpu_counter_sum(&packed->objects));
	VM_WARN_ON_ONCE(percpu_counter_sum(&packed->live));
	swap_packed_free_chunks(packed);
	swap_collect_free_pieces(packed);
	mempool_exit(&packed->segments);
	percpu_counter_destroy(&packed->live);
	percpu_counter_destroy(&packed->objects);
	kfree(packed);
	tier->packed = NULL;
}

/* Return the number of pages that are packed in a tier. */
static unsigned long swap_packed_stored(struct swap_tier *tier, bool roughly)
{
	struct swap_packed_tier *packed = READ_ONCE(tier->packed);

	if (!packed)
		return 0;
	return roughly ? percpu_counter_read_positive(&packed->objects) :
			 percpu_counter_sum_positive(&packed->objects);
}

/* Return the bytes of a tier's segments that are in use, with headers. */
static unsigned long swap_packed_live(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = READ_ONCE(tier->packed);

	return packed ? percpu_counter_sum_positive(&packed->live) : 0;
}

/*
 * Return the bytes that collection could have back: those that were written, or
 * were left out at the end of a chunk or segment, and are in no object in use.
 * Takes the locks of the streams, because the segments that they fill are not
 * full yet.
 */
static unsigned long swap_packed_dead(struct swap_tier *tier)
{
	struct swap_packed_tier *packed = READ_ONCE(tier->packed);
	struct swap_stream *stream;
	unsigned long filled;
	long dead;
	int i;

	if (!packed)
		return 0;
	filled = (unsigned long)READ_ONCE(packed->tier->nr_segments) *
		 SWAP_SEGMENT_SIZE;
	for (i = 0; i < NR_SWAP_STREAMS; i++) {
		stream = &packed->streams[i];
		spin_lock(&stream->lock);
		if (stream->segment)
			filled -= SWAP_SEGMENT_SIZE -
				  stream->segment->victim.end *
				  SWAP_PACKED_BLOCK;
		if (stream->chunk)
			filled += stream->chunk->fill.used;
		spin_unlock(&stream->lock);
	}
	dead = filled - swap_packed_live(tier);
	return max(dead, 0);
}

/*
 * Return the number of segments whose medium is bad and that have no data any
 * more.
 */
static unsigned long swap_packed_nr_bad(struct swap_tier *tier)
{
	return READ_ONCE(tier->nr_bad_segments);
}

/*
 * Check the count of live bytes, for the self-check. With @begin, forget what
 * was seen, before swap_packed_check_word() looks at all words. Otherwise
 * return the number of closed segments whose live bytes differ from what was
 * seen, or that are in a wrong bucket. The result means something only while
 * nothing is swapped in or out.
 */
static unsigned int swap_packed_check(struct swap_tier *tier, bool begin)
{
	struct swap_packed_tier *packed = tier->packed;
	struct swap_segment *segment;
	unsigned int i, live, wrong = 0;

	if (!packed)
		return 0;
	spin_lock(&packed->lock);
	for (i = 0; i < SWAP_VICTIM_BUCKETS; i++) {
		list_for_each_entry(segment, &packed->victims.bucket[i],
				    victim.list) {
			if (begin) {
				segment->seen = 0;
			} else if (!atomic_read(&segment->writing) &&
				   segment->seen !=
				   swap_segment_live(segment)) {
				wrong++;
			} else {
				live = swap_segment_live(segment);
				if (segment->victim.bucket !=
				    swap_segment_bucket(live))
					wrong++;
			}
		}
	}
	spin_unlock(&packed->lock);
	return wrong;
}

/*
 * Get a block to copy an object of @length bytes to. Return NULL for an object
 * that is too long to be packed. May sleep.
 */
static void *swap_packed_get_buffer(unsigned int length)
{
	return length <= SWAP_OBJECT_MAX_LENGTH ? swap_buffer_get() : NULL;
}

static void swap_packed_debug_files(struct dentry *dir)
{
	debugfs_create_bool("keep_neighbours", 0600, dir, &swap_neighbours_on);
}

const struct swap_format swap_packed_format = {
	.name		= "packed",
	.supported	= swap_packed_supported,
	.wanted		= swap_packed_wanted,
	.start		= swap_packed_start,
	.quiet		= swap_packed_quiet,
	.resume		= swap_packed_resume,
	.end_work	= swap_packed_stop_collecting,
	.stop		= swap_packed_stop,
	.free		= swap_packed_free,
	.has_room	= swap_packed_has_room,
	.make_room	= swap_packed_make_room,
	.making_room	= swap_packed_is_collecting,
	.yield		= swap_packed_yield,
	.get_buffer	= swap_packed_get_buffer,
	.put_buffer	= swap_buffer_put,
	.take		= swap_packed_move,
	.busy		= swap_packed_is_busy,
	.settle		= swap_packed_wait_moved,
	.move_out	= swap_packed_move_out,
	.forget_bad	= swap_packed_forget_bad,
	.nr_bad		= swap_packed_nr_bad,
	.forget_hints	= swap_packed_forget_hints,
	.stored		= swap_packed_stored,
	.live		= swap_packed_live,
	.dead		= swap_packed_dead,
	.close_segment	= swap_packed_close_segment,
	.segment_held	= swap_packed_segment_held,
	.check		= swap_packed_check,
	.debug_files	= swap_packed_debug_files,
};

static int __init swap_packed_register(void)
{
	swap_backend_register(SWAP_DESC_PACKED, &swap_packed_backend);
	swap_format_register(&swap_packed_format);
	swap_virtual_ops.submit_read = swap_packed_submit_read;
	return 0;
}

subsys_initcall(swap_packed_register);
