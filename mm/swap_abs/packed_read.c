// SPDX-License-Identifier: GPL-2.0
/*
 * Reading of packed objects. A read is one bio into a buffer: of one or two
 * blocks for a single page, or of more blocks where pages that are read ahead
 * lie next to each other. When the bio has ended, a worker verifies and
 * decompresses the objects.
 *
 * The folio is locked in the swap cache from before its word is read until the
 * worker has finished, so neither the object nor its segment can go away (rule
 * 2 in mm/swap_abs.c). Only a task that waits for the folio waits for the
 * device.
 *
 * What was read is not believed. The length and the compressor come from the
 * word, and the checksum and the segment's sequence number must be right. An
 * object that is not what the word says is read once more. If it is wrong
 * again, its page has an I/O error, but no other page of the read has: the
 * folio is left clean and not uptodate, and its word is left as it is.
 *
 * This file is called through the tables of operations in mm/swap_abs/packed.c;
 * mm/swap_abs/collect.c uses swap_packed_read_init() for its own reads. It
 * takes no locks, and its requests and buffers come from mempools.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/memcontrol.h>
#include <linux/mempool.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/vmstat.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "packed.h"

#define SWAP_READ_MIN		SWAP_CLUSTER_MAX

/* Blocks of one object at most. The buffers in the mempool have this size. */
#define SWAP_READ_OBJECT	2
/*
 * Limits of one read, in blocks and in pages. Readahead of more pages takes
 * several reads.
 */
#define SWAP_READ_BLOCKS	8
#define SWAP_READ_ITEMS		SWAP_CLUSTER_MAX

struct swap_packed_read_item {
	struct folio *folio;
	swap_desc_t word;
};

/**
 * struct swap_packed_read - one bio, and the pages that it reads
 * @io: entry in swap_io_ctx.sio until the read is submitted; contains the bio
 * @work: verifies and decompresses the objects
 * @tier: the tier that the blocks are in
 * @offset: first block, in pages from the start of the device
 * @blocks: number of blocks, all within one extent
 * @nr: number of @items
 * @buf: buffer that the blocks are read to
 * @large: @buf has room for SWAP_READ_BLOCKS, else for SWAP_READ_OBJECT
 * @items: the pages, each in a locked folio
 *
 * No lock protects it: it belongs to the task that gathers pages, then to the
 * bio, and then to @work.
 */
struct swap_packed_read {
	struct swap_iocb io;
	struct work_struct work;
	struct swap_tier *tier;
	pgoff_t offset;
	unsigned int blocks;
	unsigned int nr;
	void *buf;
	bool large;
	struct swap_packed_read_item items[SWAP_READ_ITEMS];
};

static mempool_t swap_reads;
static mempool_t swap_read_buffers;
static struct workqueue_struct *swap_read_wq;

/* Return the first block that an object is in, and how many there are. */
static pgoff_t swap_packed_read_place(swap_desc_t word, unsigned int *blocks)
{
	unsigned int in_block = swap_desc_address(word) % SWAP_PACKED_BLOCK;

	*blocks = DIV_ROUND_UP(in_block + sizeof(struct swap_object_header) +
			       swap_desc_length(word), SWAP_PACKED_BLOCK);
	return swp_offset(swap_desc_device_entry(word));
}

/*
 * Prepare a read of @blocks blocks of a segment, which must be within one
 * extent of the device. @offset is that of the first block in pages, and @buf
 * is physically contiguous.
 */
void swap_packed_read_init(struct bio *bio, struct bio_vec *bvec,
			   struct swap_info_struct *si, pgoff_t offset,
			   unsigned int blocks, void *buf)
{
	unsigned int run = blocks;

	bio_init(bio, si->bdev, bvec, 1, REQ_OP_READ);
	bio->bi_iter.bi_sector = swap_device_run(si, offset, &run);
	/* No object lies in two extents. */
	VM_WARN_ON_ONCE(run != blocks);
	bio_add_virt_nofail(bio, buf, blocks * SWAP_PACKED_BLOCK);
}

/*
 * Check that the object is what its word says, and decompress it to its page.
 */
static int swap_object_unpack(struct swap_packed_read *read,
			      struct swap_packed_read_item *item)
{
	void *object = read->buf + (swap_desc_address(item->word) -
				    ((u64)read->offset << PAGE_SHIFT));
	struct swap_object want = {
		.slot = swp_offset(item->folio->swap),
		.address = swap_desc_address(item->word),
		.length = swap_desc_length(item->word),
		.codec = swap_desc_codec(item->word),
	};

	if (swap_object_check(object, &want, swap_segment_of(item->word)->seq))
		return -EBADMSG;
	if (!swap_codec_decompress(want.codec,
				   object + sizeof(struct swap_object_header),
				   want.length, &item->folio->page))
		return -EBADMSG;
	return 0;
}

/* Read one object alone once more. The buffer always has room for it. */
static int swap_packed_read_again(struct swap_packed_read *read,
				  struct swap_packed_read_item *item)
{
	struct bio_vec bvec;
	struct bio bio;
	int err;

	read->offset = swap_packed_read_place(item->word, &read->blocks);
	swap_packed_read_init(&bio, &bvec, read->tier->si, read->offset,
			      read->blocks, read->buf);
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return err ? err : swap_object_unpack(read, item);
}

static void swap_packed_read_end_folio(struct swap_packed_read *read,
				       struct swap_packed_read_item *item,
				       int err)
{
	struct swap_tier *tier = read->tier;
	struct folio *folio = item->folio;

	if (err) {
		swap_tier_count(tier, SWAP_TIER_ERRORS, 1);
		pr_alert_ratelimited("swap: a page can't be read from %pg, byte %llu: %s\n",
				     tier->si->bdev,
				     swap_desc_address(item->word),
				     err == -EBADMSG ? "wrong checksum" :
						       "I/O error");
	} else {
		if (!swap_iocb_is_moved(&read->io)) {
			count_vm_event(PSWPIN);
			count_mthp_stat(0, MTHP_STAT_SWPIN);
			count_memcg_folio_events(folio, PSWPIN, 1);
		}
		folio_mark_uptodate(folio);
	}
	/*
	 * This comes last: after it the segment may go away, and after the last
	 * page of the read the tier may.
	 */
	folio_unlock(folio);
}

static void swap_packed_read_free_buffer(struct swap_packed_read *read)
{
	if (read->large)
		kfree(read->buf);
	else
		mempool_free(virt_to_page(read->buf), &swap_read_buffers);
}

/*
 * Return the word of the page whose object lies behind all others in the
 * buffer.
 */
static swap_desc_t swap_packed_read_last(struct swap_packed_read *read)
{
	swap_desc_t word = read->items[0].word;
	unsigned int i;

	for (i = 1; i < read->nr; i++)
		if (swap_desc_address(read->items[i].word) >
		    swap_desc_address(word))
			word = read->items[i].word;
	return word;
}

static void swap_packed_read_done(struct work_struct *work)
{
	struct swap_packed_read *read =
		container_of(work, struct swap_packed_read, work);
	swap_desc_t word = swap_packed_read_last(read);
	struct swap_tier *tier = read->tier;
	struct bio *bio = &read->io.bio;
	bool failed = bio->bi_status;
	unsigned int i, end, again = 0;
	bool keep;
	u32 seq;
	int err;

	/*
	 * This comes before the first page is unlocked, because the tier may go
	 * away after the last one.
	 */
	swap_tier_io_done(tier, READ, failed);
	bio_uninit(bio);
	seq = swap_segment_of(word)->seq;
	keep = !failed && !swap_iocb_is_moved(&read->io) &&
	       swap_neighbours_wanted() && swap_device_tryget(tier->si);
	for (i = 0; i < read->nr; i++) {
		struct swap_packed_read_item item = read->items[i];

		if (!failed && !swap_object_unpack(read, &item))
			swap_packed_read_end_folio(read, &item, 0);
		else
			read->items[again++] = item;
	}
	/*
	 * Look at neighbours only when no page has to be read again, because
	 * somebody waits for that page.
	 */
	if (keep && !again) {
		end = swap_desc_address(word) -
		      ((u64)read->offset << PAGE_SHIFT) +
		      swap_object_size(swap_desc_length(word));
		swap_neighbours_keep(tier, read->offset, read->buf,
				     read->blocks * SWAP_PACKED_BLOCK, end,
				     seq);
	}
	if (keep)
		put_swap_device(tier->si);
	/*
	 * Read each bad object by itself, so that its error does not cost the
	 * pages that were read with it.
	 */
	for (i = 0; i < again; i++) {
		err = swap_packed_read_again(read, &read->items[i]);
		swap_packed_read_end_folio(read, &read->items[i], err);
	}

	swap_packed_read_free_buffer(read);
	mempool_free(read, &swap_reads);
}

static void swap_packed_read_end(struct bio *bio)
{
	struct swap_packed_read *read =
		container_of(bio, struct swap_packed_read, io.bio);

	queue_work(swap_read_wq, &read->work);
}

/*
 * Submit the read that swap_packed_load() has begun. swap_read_submit() calls
 * this through the operations of the virtual area.
 */
void swap_packed_submit_read(struct swap_io_ctx *ctx)
{
	struct swap_packed_read *read =
		container_of(ctx->sio, struct swap_packed_read, io);

	swap_packed_read_init(&read->io.bio, read->io.bvecs, read->tier->si,
			      read->offset, read->blocks, read->buf);
	read->io.bio.bi_end_io = swap_packed_read_end;
	/* The root pays for what movers read, as in swap_bdev_submit_read(). */
	if (swap_iocb_is_moved(&read->io))
		bio_associate_blkg_from_css(&read->io.bio, NULL);
	submit_bio(&read->io.bio);
}

/*
 * Add blocks to a read, and tell whether that was possible. They must overlap
 * or adjoin those of the read, because nobody wants what lies in a gap.
 */
static bool swap_packed_read_join(struct swap_packed_read *read,
				  struct swap_tier *tier, pgoff_t offset,
				  unsigned int blocks)
{
	pgoff_t begin = min(read->offset, offset);
	pgoff_t end = max(read->offset + read->blocks, offset + blocks);
	unsigned int run = end - begin;
	void *buf;

	if (read->tier != tier || read->nr == SWAP_READ_ITEMS)
		return false;
	if (offset > read->offset + read->blocks ||
	    offset + blocks < read->offset)
		return false;
	if (end - begin > SWAP_READ_BLOCKS)
		return false;
	swap_device_run(tier->si, begin, &run);
	if (run != end - begin)
		return false;

	if (run > SWAP_READ_OBJECT && !read->large) {
		buf = kmalloc(SWAP_READ_BLOCKS * SWAP_PACKED_BLOCK,
			      GFP_NOWAIT | __GFP_NOWARN);
		if (!buf)
			return false;
		swap_packed_read_free_buffer(read);
		read->buf = buf;
		read->large = true;
	}
	read->offset = begin;
	read->blocks = run;
	return true;
}

/*
 * Read a locked folio of one page that is in the swap cache and not uptodate.
 * The caller submits the I/O by swap_read_submit(). Objects that were written
 * together lie next to each other, and so pages that are read ahead become one
 * read as long as they do. May sleep and allocate with GFP_NOIO.
 */
void swap_packed_load(struct swap_io_ctx *ctx, struct folio *folio)
{
	swap_desc_t word = swap_desc_of(folio->swap);
	struct swap_tier *tier = swap_segment_of(word)->packed->tier;
	struct swap_packed_read *read = NULL;
	unsigned int blocks;
	pgoff_t offset;

	VM_WARN_ON_ONCE_FOLIO(folio_test_large(folio), folio);
	if (!ctx->moved) {
		swap_tier_count(tier, SWAP_TIER_LOAD, 1);
		/*
		 * Tell zswap that the page had to be read from a device,
		 * because that is a sign that zswap writes too much back.
		 */
		zswap_folio_swapin(folio);
	}

	offset = swap_packed_read_place(word, &blocks);
	if (ctx->sio && ctx->sis == swap_virtual_area) {
		read = container_of(ctx->sio, struct swap_packed_read, io);
		if (!swap_packed_read_join(read, tier, offset, blocks))
			read = NULL;
	}
	if (!read) {
		/*
		 * Submit the last read before waiting for memory, because it
		 * may hold the memory that the mempools wait for.
		 */
		swap_read_submit(ctx);
		read = mempool_alloc(&swap_reads, GFP_NOIO);
		read->buf = page_address(mempool_alloc(&swap_read_buffers,
						       GFP_NOIO));
		read->large = false;
		read->tier = tier;
		read->offset = offset;
		read->blocks = blocks;
		read->nr = 0;
		swap_iocb_set_moved(&read->io, ctx);
		INIT_WORK(&read->work, swap_packed_read_done);
		ctx->sis = swap_virtual_area;
		ctx->sio = &read->io;
	}
	read->items[read->nr++] = (struct swap_packed_read_item){ folio, word };
}

/*
 * Fill a folio from an object that was found on the device @si. The folio has
 * one page and is locked, in the swap cache and not uptodate. Return true when
 * the object is the data of the folio. May sleep.
 */
bool swap_packed_fill(struct folio *folio, struct swap_info_struct *si,
		      const struct swap_object *object)
{
	swap_desc_t word = swap_desc_packed(si->type, object->address,
					    object->length, object->codec);

	/*
	 * The slot may have been stored to since the object was read, even at
	 * the same address of another device.
	 */
	if (!swap_desc_is_at(swap_desc_read(folio->swap),
			     swap_desc_place(word)))
		return false;
	return swap_codec_decompress(object->codec, object->data,
				     object->length, &folio->page);
}

/*
 * Make what the reads of all tiers share. It may be called again after a
 * failure.
 */
int swap_packed_read_init_once(void)
{
	const size_t size = sizeof(struct swap_packed_read);
	int err = 0;

	if (!swap_read_wq)
		swap_read_wq = alloc_workqueue("swap_abs_read",
					       WQ_MEM_RECLAIM | WQ_HIGHPRI |
					       WQ_PERCPU, 0);
	if (!swap_read_wq)
		return -ENOMEM;
	if (!mempool_initialized(&swap_reads))
		err = mempool_init_kmalloc_pool(&swap_reads, SWAP_READ_MIN,
						size);
	if (!err && !mempool_initialized(&swap_read_buffers))
		err = mempool_init_page_pool(&swap_read_buffers, SWAP_READ_MIN,
					     order_base_2(SWAP_READ_OBJECT));
	return err;
}
