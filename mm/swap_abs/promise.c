// SPDX-License-Identifier: GPL-2.0
/*
 * Promises of device capacity: how much capacity a store needs, and how
 * promises that can't be kept are given up.
 *
 * nr_swap_pages counts the slots of devices that are neither used nor promised
 * (rule 8 of mm/swap_abs.c). The word of a slot says whether the slot holds a
 * promise (SWAP_DESC_PROMISED). An atomic operation takes or gives capacity
 * (swap_promise_take(), swap_promise_put()).
 *
 * The backends call this file before they store. mm/swap_abs/device.c and
 * mm/swap_abs/policy.c call it when a device has left or has been drained.
 * mm/swap_abs/desc.c changes the words.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/swap.h>
#include "../swap.h"
#include "../swap_table.h"
#include "slots.h"
#include "tier.h"

/*
 * Tell whether a word holds a page of the capacity that nr_swap_pages counts. A
 * block on a closed device holds none, because closed devices do not count.
 */
static bool swap_desc_counts(swap_desc_t word)
{
	struct swap_info_struct *si;
	swp_entry_t entry;

	if (!swap_desc_is_block(word))
		return swap_desc_is_promised(word);
	entry = swap_desc_block_entry(word);
	si = __swap_entry_to_info(entry);
	return swp_offset(entry) / SWAPFILE_CLUSTER >= READ_ONCE(si->nr_closed);
}

/*
 * Return the pages of device capacity that a store of a folio to devices takes,
 * besides those that the slots of the folio hold already. The caller holds the
 * folio locked in the swap cache of the virtual area.
 */
long swap_promise_needed(struct folio *folio)
{
	long i, nr = folio_nr_pages(folio), needed = nr;
	swp_entry_t entry = folio->swap;

	for (i = 0; i < nr; i++, entry.val++)
		needed -= swap_desc_counts(swap_desc_of(entry));
	return needed;
}

/*
 * Give up reservations that can't be kept. After swapoff, less capacity may be
 * left than was promised to slots whose pages are still in RAM: folios on their
 * way out, and pages that zswap could not make smaller. These pages stay in
 * RAM. Process context, sleeps.
 */
void swap_promise_cancel(void)
{
	unsigned long slot;
	unsigned int busy;
	int tries = HZ;

	if (!swap_abs_used())
		return;

	do {
		busy = 0;
		for (slot = 0; slot < READ_ONCE(swap_virtual_area->max);
		     slot += SWAPFILE_CLUSTER) {
			if (atomic_long_read(&nr_swap_pages) >= 0)
				return;
			busy += swap_desc_cancel_promises(slot);
			cond_resched();
		}
		if (busy)
			schedule_timeout_uninterruptible(1);
	} while (busy && --tries);
}
