// SPDX-License-Identifier: GPL-2.0
/*
 * Reading of packed objects: one bio of one or two blocks into a buffer, then a
 * worker that verifies and decompresses.
 *
 * The folio is locked in the swap cache from before its word is read until the
 * worker is done, so neither the object nor its segment can go (rule 2 of
 * mm/swap_abs.c), and nobody waits for the device but who waits for the folio.
 * What was read is not believed: the length and the compressor come from the
 * word, the checksum and the segment's sequence number must be right. An object
 * that is not what it should be is read once more; then its page, and no other,
 * is an I/O error: the folio is left clean and not uptodate, and the word as it
 * is.
 *
 * Called through the table of operations in mm/swap_abs_packed.c, and by the
 * collection (mm/swap_abs_gc.c) for its own reads. No locks; requests come from
 * mempools.
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
#include "internal.h"
#include "swap.h"
#include "swap_abs_packed.h"

#define SWAP_READ_MIN		SWAP_CLUSTER_MAX

struct swap_pack_read {
	struct work_struct work;
	struct folio *folio;
	unsigned long word;
	void *buf;
	struct bio bio;
	struct bio_vec bvec;
};

static mempool_t swap_reads;
static mempool_t swap_read_buffers;	/* two blocks */
static struct workqueue_struct *swap_read_wq;

static unsigned int swap_pack_read_blocks(unsigned long word)
{
	unsigned int in_block = swap_desc_address(word) % SWAP_PACK_BLOCK;

	return DIV_ROUND_UP(in_block + sizeof(struct swap_pack_header) +
			    swap_desc_length(word), SWAP_PACK_BLOCK);
}

static void swap_packed_read_init(struct bio *bio, struct bio_vec *bvec,
				  struct swap_info_struct *si, pgoff_t offset,
				  unsigned int blocks, void *buf)
{
	unsigned int run = blocks;

	bio_init(bio, si->bdev, bvec, 1, REQ_OP_READ);
	bio->bi_iter.bi_sector = swap_device_run(si, offset, &run);
	/* Objects do not straddle extents. */
	VM_WARN_ON_ONCE(run != blocks);
	bio_add_virt_nofail(bio, buf, blocks * SWAP_PACK_BLOCK);
}

/**
 * swap_packed_read_sync - read blocks of a segment and wait
 * @si: the device
 * @offset: of the first block, in pages
 * @blocks: how many, within one extent
 * @buf: gets them, physically contiguous
 * @ioprio: of the read, 0 for the task's
 *
 * Context: process context, sleeps.
 * Return: 0 or an error.
 */
int swap_packed_read_sync(struct swap_info_struct *si, pgoff_t offset,
			  unsigned int blocks, void *buf, unsigned int ioprio)
{
	struct bio_vec bvec;
	struct bio bio;
	int err;

	swap_packed_read_init(&bio, &bvec, si, offset, blocks, buf);
	bio.bi_ioprio = ioprio;
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return err;
}

/* Is it the object that the word says, and does it make a page? */
static int swap_pack_unpack(struct swap_pack_read *read)
{
	void *object = read->buf + swap_desc_address(read->word) % SWAP_PACK_BLOCK;
	struct swap_pack_object want = {
		.slot = swp_offset(read->folio->swap),
		.length = swap_desc_length(read->word),
		.codec = swap_desc_codec(read->word),
	};

	if (swap_pack_check(object, &want, swap_segment_of(read->word)->seq))
		return -EBADMSG;
	if (!swap_codec_decompress(want.codec, object + sizeof(struct swap_pack_header),
				   want.length, &read->folio->page))
		return -EBADMSG;
	return 0;
}

static void swap_pack_read_done(struct work_struct *work)
{
	struct swap_pack_read *read = container_of(work, struct swap_pack_read, work);
	struct swap_tier *tier = swap_segment_of(read->word)->pack->tier;
	pgoff_t offset = swp_offset(swap_desc_device_entry(read->word));
	struct folio *folio = read->folio;
	int err;

	err = blk_status_to_errno(read->bio.bi_status);
	bio_uninit(&read->bio);
	if (!err)
		err = swap_pack_unpack(read);
	if (err) {
		err = swap_packed_read_sync(tier->si, offset,
					    swap_pack_read_blocks(read->word), read->buf, 0);
		if (!err)
			err = swap_pack_unpack(read);
	}

	if (!err) {
		count_vm_event(PSWPIN);
		count_mthp_stat(0, MTHP_STAT_SWPIN);
		count_memcg_folio_events(folio, PSWPIN, 1);
		folio_mark_uptodate(folio);
	} else {
		swap_tier_count(tier, SWAP_TIER_ERRORS, 1);
		pr_alert_ratelimited("swap: a page can't be read from %pg, byte %llu: %s\n",
				     tier->si->bdev, swap_desc_address(read->word),
				     err == -EBADMSG ? "wrong checksum" : "I/O error");
	}
	/* The last: from here on the segment may go. */
	folio_unlock(folio);
	mempool_free(virt_to_page(read->buf), &swap_read_buffers);
	mempool_free(read, &swap_reads);
}

static void swap_pack_read_end(struct bio *bio)
{
	struct swap_pack_read *read = container_of(bio, struct swap_pack_read, bio);

	queue_work(swap_read_wq, &read->work);
}

/**
 * swap_packed_load - read a folio
 * @ctx: not used: the read is submitted at once
 * @folio: a locked folio of one page in the swap cache, not uptodate
 *
 * Context: process context, may sleep, GFP_NOIO; submits I/O.
 */
void swap_packed_load(struct swap_io_ctx *ctx, struct folio *folio)
{
	unsigned long word = swap_abs_word(folio->swap);
	struct swap_info_struct *si = swap_segment_of(word)->pack->tier->si;
	struct swap_pack_read *read;

	VM_WARN_ON_ONCE_FOLIO(folio_test_large(folio), folio);
	swap_tier_count(si->tier, SWAP_TIER_LOAD, 1);
	/* It had to be read from a device: zswap has let go of too much. */
	zswap_folio_swapin(folio);

	read = mempool_alloc(&swap_reads, GFP_NOIO);
	read->buf = page_address(mempool_alloc(&swap_read_buffers, GFP_NOIO));
	read->folio = folio;
	read->word = word;
	INIT_WORK(&read->work, swap_pack_read_done);
	swap_packed_read_init(&read->bio, &read->bvec, si,
			      swp_offset(swap_desc_device_entry(word)),
			      swap_pack_read_blocks(word), read->buf);
	read->bio.bi_end_io = swap_pack_read_end;
	submit_bio(&read->bio);
}

static int __init swap_packed_read_init_pools(void)
{
	swap_read_wq = alloc_workqueue("swap_abs_read", WQ_MEM_RECLAIM | WQ_HIGHPRI |
				       WQ_PERCPU, 0);
	if (!swap_read_wq)
		return -ENOMEM;
	if (mempool_init_kmalloc_pool(&swap_reads, SWAP_READ_MIN,
				      sizeof(struct swap_pack_read)))
		return -ENOMEM;
	return mempool_init_page_pool(&swap_read_buffers, SWAP_READ_MIN, 1);
}
fs_initcall(swap_packed_read_init_pools);
