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
 *   decompression. The word is set by swap_abs_move_commit() when the chunk is on the
 *   device; until then loads are served from where the data was.
 *
 * This file has the tables of operations: as a backend for what words point to, and as a
 * format for what is asked of a tier (mm/swap_abs/tier.h). Segments are in
 * mm/swap_abs/segment.c, chunks in mm/swap_abs/chunk.c, what is read in
 * mm/swap_abs/packed_read.c, which segments are collected in mm/swap_abs/collect.c, and how
 * objects lie in a segment in mm/swap_abs/format.c.
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

/* Where pages are compressed to, or objects copied to: blocks. */
static mempool_t swap_packed_buffers;

/* What serves all tiers is there. It is made with the first one, and stays. */
static bool swap_packed_ready;

/*
 * Get a block to compress to, or to copy an object to, for swap_pack_put_buffer(). NULL when
 * there has been no packed tier yet.
 */
static void *swap_pack_get_buffer(void)
{
	/* Pairs with the release in swap_packed_init(). */
	if (!smp_load_acquire(&swap_packed_ready))
		return NULL;
	return page_address(mempool_alloc(&swap_packed_buffers, GFP_NOIO));
}

static void swap_pack_put_buffer(void *buf)
{
	mempool_free(virt_to_page(buf), &swap_packed_buffers);
}

/* What is dead in segments is no room until it has been collected. */
static void swap_packed_make_room(struct swap_tier *tier)
{
	if (tier->pack)
		swap_pack_gc_check(tier->pack);
}

/* Is dead space being collected? A hint. */
static bool swap_packed_is_collecting(struct swap_tier *tier)
{
	return tier->pack && work_busy(&tier->pack->gc_work);
}

/* Can more be packed in the tier at once? A hint. */
static bool swap_packed_has_room(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack && !READ_ONCE(pack->stopped) && !READ_ONCE(pack->quiet) &&
	       (swap_pack_is_open(pack) || READ_ONCE(pack->tier->nr_spares) > SWAP_PACK_RESERVE);
}

/* The rest of swap_abs_end_batch(). */
static void swap_packed_end_batch(struct swap_io_ctx *ctx)
{
	unsigned long streams = ctx->batch_streams;
	struct swap_info_struct *si = ctx->batch;
	struct swap_pack *pack;

	ctx->batch = NULL;
	ctx->batch_streams = 0;
	/* The device may have gone, and with it what was in the chunk; or be another one. */
	if (!swap_device_tryget(si))
		return;
	pack = si->tier ? READ_ONCE(si->tier->pack) : NULL;
	if (pack)
		swap_pack_flush_fresh(pack, streams);
	put_swap_device(si);
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
		buf = swap_pack_get_buffer();
		css = swap_blkcg_get(folio);
		if (nr == 1)
			err = swap_packed_store_page(pack, folio, css, codec, buf, urgent,
						     &streams);
		else
			err = swap_packed_store_large(pack, folio, css, codec, buf, urgent,
						      &streams);
		swap_blkcg_put(css);
		swap_pack_put_buffer(buf);
		if (err != -ENOSPC)
			break;
		left &= ~swap_tier_bit(pack->tier);
		swap_packed_put(pack);
	}
	if (!err) {
		swap_tier_count(pack->tier, swap_tiers_stat(tiers), nr);
		if (urgent) {
			if (ctx->batch && ctx->batch != pack->tier->si)
				ctx->end_batch(ctx);
			ctx->batch = pack->tier->si;
			ctx->batch_streams |= streams;
			ctx->end_batch = swap_packed_end_batch;
		}
	}
	swap_packed_put(pack);
	return err == -E2BIG ? -ENOSPC : err;
}

static void swap_packed_moved(swap_place_t place, struct folio *folio)
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

/* A slot's word has been seen, under the lock of its cluster. Is something wrong with it? */
static const char *swap_packed_check_word(swap_desc_t word)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swap_desc_device_entry(word));

	if (ci->flags != CLUSTER_FLAG_LENT_SEGMENT || !ci->segment)
		return "in a cluster that is no segment";
	ci->segment->seen += swap_pack_size(swap_desc_length(word));
	return NULL;
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
	.fill		= swap_packed_fill,
	.check		= swap_packed_check_word,
	.order		= SWAP_ORDER_CHOOSY,
};

/**
 * swap_packed_supported - can data be packed on a device?
 * @si: the device
 *
 * Return: false for filesystems that do their own swap I/O, devices of a few
 * MiB, and such that an object's address has too few bits for.
 */
static bool swap_packed_supported(struct swap_info_struct *si)
{
	return si->ops == &swap_bdev_ops &&
	       si->max >= SWAP_PACK_MIN_SEGMENTS * SWAPFILE_CLUSTER &&
	       (u64)si->max << PAGE_SHIFT <= SWAP_PACK_ALIGN * BIT_ULL(SWAP_DESC_ADDR_BITS);
}

/* What needs no I/O gains nothing by it, and would have to be decompressed. */
static bool swap_packed_wanted(struct swap_info_struct *si)
{
	return !(si->flags & SWP_SYNCHRONOUS_IO) && swap_packed_supported(si);
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
	pack->format = &swap_packed_format;
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
	if (mempool_init_kmalloc_pool(&pack->segments, SWAP_PACK_RESERVE + NR_SWAP_STREAMS,
				      sizeof(struct swap_segment)))
		goto free_live;
	if (!swap_pack_alloc_pieces(pack) || swap_pack_alloc_ios(pack))
		goto free_ios;
	return pack;

free_ios:
	swap_pack_free_ios(pack);
	swap_pack_free_pieces(pack);
	mempool_exit(&pack->segments);
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
	/* Who sees it sees the pools: pairs with swap_pack_get_buffer(). */
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
static int swap_packed_start(struct swap_tier *tier)
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
 * swap_packed_quiet - pack nothing new in a tier
 * @tier: a tier whose format is not packed any more, or while the layer is off
 *
 * What is there is collected as before, until nothing is.
 *
 * Context: process context, submits I/O; serialized by swap_abs_mutex.
 */
static void swap_packed_quiet(struct swap_tier *tier)
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
static void swap_packed_resume(struct swap_tier *tier)
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
static void swap_packed_stop_collecting(struct swap_tier *tier)
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
static void swap_packed_stop(struct swap_tier *tier)
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
static void swap_packed_forget_bad(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);
	struct swap_segment *segment, *next;
	LIST_HEAD(bad);

	if (!pack)
		return;
	flush_work(&pack->release_work);
	spin_lock(&pack->lock);
	list_splice_init(&pack->bad, &bad);
	WRITE_ONCE(tier->nr_bad_segments, 0);
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
static void swap_packed_free(struct swap_tier *tier)
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
	VM_WARN_ON_ONCE(pack->tier->nr_segments || pack->tier->nr_spares);
	VM_WARN_ON_ONCE(percpu_counter_sum(&pack->objects));
	VM_WARN_ON_ONCE(percpu_counter_sum(&pack->live));
	swap_pack_free_ios(pack);
	swap_pack_free_pieces(pack);
	mempool_exit(&pack->segments);
	percpu_counter_destroy(&pack->live);
	percpu_counter_destroy(&pack->objects);
	kfree(pack);
	tier->pack = NULL;
}

/* Pages that are packed in a tier. */
static unsigned long swap_packed_stored(struct swap_tier *tier, bool roughly)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	if (!pack)
		return 0;
	return roughly ? percpu_counter_read_positive(&pack->objects) :
			 percpu_counter_sum_positive(&pack->objects);
}

/* Bytes of a tier's segments that are in use, with headers. */
static unsigned long swap_packed_live(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);

	return pack ? percpu_counter_sum_positive(&pack->live) : 0;
}

/**
 * swap_packed_dead - space of a tier that collection could have back
 * @tier: the tier
 *
 * Context: process context, does not sleep; looks at the segments that are being filled.
 * Return: bytes that were written, or left out, and are in no object that is in use.
 */
static unsigned long swap_packed_dead(struct swap_tier *tier)
{
	struct swap_pack *pack = READ_ONCE(tier->pack);
	struct swap_pack_stream *stream;
	unsigned long filled;
	long dead;
	int i;

	if (!pack)
		return 0;
	filled = (unsigned long)READ_ONCE(pack->tier->nr_segments) * SWAP_SEGMENT_SIZE;
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
static unsigned long swap_packed_nr_bad(struct swap_tier *tier)
{
	return READ_ONCE(tier->nr_bad_segments);
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
static unsigned int swap_packed_check(struct swap_tier *tier, bool begin)
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

/* A block that an object of @length bytes is copied to: what is longer is not packed. */
static void *swap_packed_get_buffer(unsigned int length)
{
	return length <= SWAP_PACK_MAX_LENGTH ? swap_pack_get_buffer() : NULL;
}

static void swap_packed_debug_files(struct dentry *dir)
{
	debugfs_create_bool("read_ahead", 0600, dir, &swap_ahead_on);
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
	.put_buffer	= swap_pack_put_buffer,
	.take		= swap_packed_move,
	.busy		= swap_packed_is_busy,
	.settle		= swap_packed_wait_moved,
	.move_out	= swap_packed_drain,
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
