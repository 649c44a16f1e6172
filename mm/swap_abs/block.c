// SPDX-License-Identifier: GPL-2.0
/*
 * I/O of pages of virtual slots whose copies are blocks: where on devices the
 * pages of a folio are, and what happens to a block that could not be written
 * or read.
 *
 * A block is a page as it is, in one slot of a device (swap_desc_is_block()).
 * mm/page_io.c reads and writes it, and calls this file. The format in which
 * the folio was stored has chosen the slot (mm/swap_abs/raw.c). This file notes
 * bad slots in swap_tier.bad, so that they are not taken again
 * (mm/swap_abs/lent.c).
 *
 * Locks: the lock of swap_tier.bad is taken in interrupts. The folio is locked
 * or under writeback, so that its descriptors do not change.
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
 * swap_block_run - find the pages of a folio that follow each other on a device
 * @folio: a folio whose copies are blocks, locked or under writeback
 * @first: index of the page to begin with
 * @bdev: out: the block device
 * @sector: out: the sector of page @first on it
 *
 * Context: any. Takes no lock.
 * Return: how many pages from @first on lie in one piece.
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
 * Count the pages of a folio under writeback that could not be written. If the
 * medium is bad, note their slots, so that the next writeout of the folio goes
 * elsewhere. After any other error the same slots are tried again, because the
 * error may be gone by then.
 */
static void swap_block_mark_failed(struct folio *folio, unsigned int first,
				   unsigned int nr, blk_status_t status)
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
		/*
		 * Without memory the slot is not noted. That does no harm,
		 * because the next write will fail again.
		 */
		__xa_store(&tier->bad, swp_offset(entry),
			   xa_mk_value(SWAP_BAD_USED), GFP_ATOMIC);
		xa_unlock_irqrestore(&tier->bad, flags);
		swap_tier_retry_bad(tier);
	}
}

/**
 * swap_block_write_failed - handle a failed write of a folio or its first piece
 * @folio: the folio, dirty again and still under writeback
 * @status: the error
 *
 * Context: any, also interrupts.
 */
void swap_block_write_failed(struct folio *folio, blk_status_t status)
{
	struct block_device *bdev;
	sector_t sector;
	unsigned int nr;

	nr = swap_block_run(folio, 0, &bdev, &sector);
	swap_block_mark_failed(folio, 0, nr, status);
}

/**
 * swap_block_piece_done - handle the end of the write of a piece but the first
 * @folio: the folio, still under writeback
 * @first: index of the first page of the piece
 * @nr: pages in the piece, which lie in one run on a device
 * @status: the result of the write
 *
 * Context: any, also interrupts.
 */
void swap_block_piece_done(struct folio *folio, unsigned int first,
			   unsigned int nr, blk_status_t status)
{
	swp_entry_t slot = folio->swap;

	slot.val += first;
	swap_tier_io_done(__swap_entry_to_info(swap_abs_backing(slot))->tier,
			  WRITE, status);
	if (status)
		swap_block_mark_failed(folio, first, nr, status);
}

/**
 * swap_block_read_failed - count a folio that could not be read
 * @folio: the folio, locked
 *
 * Context: any, also interrupts.
 */
void swap_block_read_failed(struct folio *folio)
{
	swap_tier_count(swap_block_tier(folio), SWAP_TIER_ERRORS,
			folio_nr_pages(folio));
}

/* Finish what swap_io_done() begins. */
void swap_block_io_done(swp_entry_t start, int rw, bool failed)
{
	swap_tier_io_done(__swap_entry_to_info(start)->tier, rw, failed);
}
