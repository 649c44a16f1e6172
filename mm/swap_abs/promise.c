// SPDX-License-Identifier: GPL-2.0
/*
 * Promises of device capacity: what is stored needs, and what can't be kept.
 *
 * nr_swap_pages counts the slots of devices that are neither used nor promised (rule 8 of
 * mm/swap_abs.c). A slot's word says whether it holds one (SWAP_DESC_PROMISED). Taking
 * and giving them is an atomic operation (swap_promise_take(), swap_promise_put()).
 *
 * Called by the backends before they store, and by mm/swap_abs/device.c and
 * mm/swap_abs/policy.c when a device leaves. Words are changed in mm/swap_abs/desc.c.
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
 * Does the word hold a page of device capacity? A copy on a closed device holds nothing of
 * the others.
 */
static bool swap_desc_counts(swap_desc_t word)
{
	struct swap_info_struct *si;
	swp_entry_t entry;

	if (!swap_desc_is_block(word))
		return swap_desc_is_reserved(word);
	entry = swap_desc_block_entry(word);
	si = __swap_entry_to_info(entry);
	return swp_offset(entry) / SWAPFILE_CLUSTER >= READ_ONCE(si->nr_closed);
}

/**
 * swap_promise_needed - what storing a folio on devices takes of their capacity
 * @folio: a locked folio in the swap cache of the virtual area
 *
 * Return: pages, besides what its slots hold already.
 */
long swap_promise_needed(struct folio *folio)
{
	long i, nr = folio_nr_pages(folio), needed = nr;
	swp_entry_t entry = folio->swap;

	for (i = 0; i < nr; i++, entry.val++)
		needed -= swap_desc_counts(swap_desc_read(entry));
	return needed;
}

/**
 * swap_promise_cancel - give reservations up that can't be kept
 *
 * After swapoff less is left than was promised, if what it was promised to is
 * in RAM still: folios on their way out, and pages that zswap could not make
 * smaller. These stay there.
 *
 * Context: process context, sleeps.
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
		for (slot = 0; slot < READ_ONCE(swap_virtual_area->max); slot += SWAPFILE_CLUSTER) {
			if (atomic_long_read(&nr_swap_pages) >= 0)
				return;
			busy += swap_desc_cancel_promises(slot);
			cond_resched();
		}
		if (busy)
			schedule_timeout_uninterruptible(1);
	} while (busy && --tries);
}
