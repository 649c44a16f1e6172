// SPDX-License-Identifier: GPL-2.0
/*
 * I/O of pages of virtual slots whose copies are blocks: where on devices a folio's pages
 * are, and what becomes of a block that could not be written or read.
 *
 * A block is a page as it is, in one slot of a device (swap_desc_is_block()). It is read and
 * written by mm/page_io.c, which calls this file. Which slot it is has been chosen by the
 * format that the folio was stored in (mm/swap_abs/raw.c); the format also looks at what is
 * noted here of bad ones, in swap_tier.bad.
 *
 * Locks: that of swap_tier.bad, which is taken in interrupts. The folio is locked or under
 * writeback, so its words stay what they are.
 */
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/xarray.h>
#include "../swap.h"
#include "slots.h"
#include "tier.h"

static struct swap_tier *swap_block_tier(struct folio *folio)
{
	return __swap_entry_to_info(swap_abs_backing(folio->swap))->tier;
}

/**
 * swap_block_run - pages of a folio that follow each other on a block device
 * @folio: a folio with blocks as its copies, locked or under writeback
 * @first: the page to begin with
 * @bdev: gets the block device
 * @sector: gets where on it the page is
 *
 * Return: how many pages from @first on are in one piece.
 */
unsigned int swap_block_run(struct folio *folio, unsigned int first,
			    struct block_device **bdev, sector_t *sector)
{
	unsigned int nr = folio_nr_pages(folio) - first, run = 1;
	swp_entry_t slot = folio->swap, start, entry;
	struct swap_info_struct *si;

	slot.val += first;
	start = swap_abs_backing(slot);
	for (; run < nr; run++) {
		slot.val++;
		entry = swap_abs_backing(slot);
		if (entry.val != start.val + run)
			break;
	}
	si = __swap_entry_to_info(start);
	*bdev = si->bdev;
	*sector = swap_device_run(si, swp_offset(start), &run);
	return run;
}

/*
 * Pages of a folio under writeback could not be written. Where the medium is bad, that is
 * remembered, so the folio goes elsewhere. Any other error may be gone the next time that
 * it is written there.
 */
static void swap_block_mark_failed(struct folio *folio, unsigned int first, unsigned int nr,
				   blk_status_t status)
{
	swp_entry_t slot = folio->swap, entry;
	struct swap_tier *tier;
	unsigned long flags;
	unsigned int i;

	slot.val += first;
	for (i = 0; i < nr; i++, slot.val++) {
		entry = swap_abs_backing(slot);
		tier = __swap_entry_to_info(entry)->tier;
		swap_tier_count(tier, SWAP_TIER_ERRORS, 1);
		if (!swap_tier_medium_failed(tier, status))
			continue;
		xa_lock_irqsave(&tier->bad, flags);
		/* Forgotten when there is no memory: it will fail again then. */
		__xa_store(&tier->bad, swp_offset(entry), xa_mk_value(SWAP_BAD_USED),
			   GFP_ATOMIC);
		xa_unlock_irqrestore(&tier->bad, flags);
		swap_tier_retry_bad(tier);
	}
}

/**
 * swap_block_write_failed - a folio could not be written, or the first piece of it
 * @folio: the folio, still under writeback; dirty again
 * @status: why
 *
 * Context: any, also interrupts.
 */
void swap_block_write_failed(struct folio *folio, blk_status_t status)
{
	struct block_device *bdev;
	sector_t sector;

	swap_block_mark_failed(folio, 0, swap_block_run(folio, 0, &bdev, &sector), status);
}

/**
 * swap_block_piece_done - the write of a piece of a folio behind the first has ended
 * @folio: the folio, still under writeback
 * @first: the first page of the piece
 * @nr: pages of it, all in one run on a device
 * @status: how
 *
 * Context: any, also interrupts.
 */
void swap_block_piece_done(struct folio *folio, unsigned int first, unsigned int nr,
			   blk_status_t status)
{
	swp_entry_t slot = folio->swap;

	slot.val += first;
	swap_tier_io_done(__swap_entry_to_info(swap_abs_backing(slot))->tier, status);
	if (status)
		swap_block_mark_failed(folio, first, nr, status);
}

/**
 * swap_block_read_failed - a folio could not be read
 * @folio: the folio, locked
 *
 * Context: any, also interrupts.
 */
void swap_block_read_failed(struct folio *folio)
{
	swap_tier_count(swap_block_tier(folio), SWAP_TIER_ERRORS, folio_nr_pages(folio));
}

/* The rest of swap_io_done(). */
void swap_block_io_done(struct folio *folio, bool failed)
{
	swap_tier_io_done(swap_block_tier(folio), failed);
}
