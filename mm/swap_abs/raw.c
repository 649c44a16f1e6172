// SPDX-License-Identifier: GPL-2.0
/*
 * The raw backend and the raw format of the swap abstraction: each page is one
 * block of a swap device or swapfile, as swap has always written it.
 *
 * This file is called through two tables of operations (mm/swap_abs/tier.h):
 * one as a backend, and one as the plain format, which takes the pages that
 * other formats refuse. The slots are those of lent clusters
 * (mm/swap_abs/lent.c). mm/page_io.c does the I/O with the help of
 * mm/swap_abs/block.c.
 *
 * A slot is taken when its page is written. Each CPU takes slots one after
 * another from a run of its own, so that pages which are written together lie
 * together. The pages of a large folio get slots next to each
 * other if there is such a run on a device. Otherwise they get slots anywhere
 * on block devices, because mm/page_io.c can still write them there as a unit.
 *
 * Locks: this file has none. Those of lent clusters are described at the head
 * of mm/swap_abs/lent.c.
 */
#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/pagemap.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/zswap.h>
#include "../internal.h"
#include "../swap.h"
#include "lent.h"
#include "slots.h"
#include "tier.h"

#include <trace/events/swap_abs.h>

/*
 * Give slots of swap_raw_alloc() back that were never installed. The caller
 * keeps the capacity that it took for all of them. But fewer slots may become
 * free: a slot on a bad medium stays taken, and the capacity of a slot on a
 * closed device has been given back by swap_device_close_lent(). So take the
 * difference from nr_swap_pages, because the caller will give back capacity for
 * all slots.
 */
static void swap_raw_untake(const swap_desc_t *words, unsigned int nr)
{
	swap_promise_put(swap_lent_free(words, nr) - (long)nr);
}

/* Do swap_raw_alloc() where no device has a run of @nr slots at once. */
static noinline bool swap_raw_alloc_anywhere(swap_desc_t *words,
					     unsigned int nr,
					     unsigned long tiers)
{
	unsigned int got, total = 0, tries = 4;
	bool discarded = false;

	while (total < nr) {
		got = swap_lent_take_any(words + total, nr - total, false,
					 tiers);
		if (got) {
			total += got;
			continue;
		}
		if (nr == 1 && swap_lent_take_any(words, nr, true, tiers))
			return true;
		/*
		 * Other CPUs may have the last free slots. Another task may
		 * take them first, so try again.
		 */
		if (tries) {
			tries = swap_lent_take_back(NULL) ? tries - 1 : 0;
			continue;
		}
		got = swap_lent_take_victim(words + total, nr - total, nr > 1,
					    tiers);
		if (got) {
			total += got;
			continue;
		}
		/*
		 * Have a cluster returned that was lent ahead for packed data,
		 * because this page has no other place.
		 */
		if (swap_formats_sum(yield, tiers))
			continue;
		/* Some clusters may be free, but wait to be discarded. */
		if (discarded || !swap_sync_discard()) {
			swap_raw_untake(words, total);
			return false;
		}
		discarded = true;
	}
	return true;
}

/*
 * Take slots on devices for @nr pages of one folio: next to each other if there
 * is such a run, otherwise anywhere. The caller has taken or reserved device
 * capacity for the slots. So this fails only if there is no memory for a
 * cluster's bits, if a device is being swapped off, or if storage is suspended.
 * May sleep for a discard, which allocates with GFP_NOIO.
 *
 * Return true with @nr descriptors in @words, or false.
 */
static bool swap_raw_alloc(swap_desc_t *words, unsigned int nr,
			   unsigned long tiers)
{
	if (pm_suspended_storage())
		return false;
	return swap_lent_take_any(words, nr, true, tiers) ||
	       swap_raw_alloc_anywhere(words, nr, tiers);
}

static void swap_raw_make_room(struct swap_tier *tier)
{
	swap_lent_take_back(tier);
}

/*
 * Tell whether a dirty folio is to be written over its old copy. It is not if
 * the copy's place is bad, pinned by a mover or about to be emptied, or in a
 * tier that may not be used. It is not either if the page came back soon after
 * its eviction and a tier before the copy's has room, because the page belongs
 * there.
 */
static bool swap_raw_rewrite(struct folio *folio, unsigned long tiers)
{
	unsigned int i, nr = folio_nr_pages(folio);
	swp_entry_t slot = folio->swap, entry;
	struct swap_info_struct *si;
	swap_desc_t word;

	for (i = 0; i < nr; i++, slot.val++) {
		word = swap_desc_of(slot);
		if (swap_desc_tag(word) != SWAP_DESC_RAW ||
		    swap_desc_is_pinned(word))
			return false;
		entry = swap_desc_device_entry(word);
		si = __swap_entry_to_info(entry);
		if (!(READ_ONCE(si->flags) & SWP_WRITEOK) ||
		    !(BIT(si->type) & tiers) ||
		    swap_lent_is_bad(si->tier, swp_offset(entry)) ||
		    (READ_ONCE(si->tier->compacting) &&
		     swap_lent_is_victim(word)))
			return false;
		if (folio_test_workingset(folio) &&
		    swap_tiers_open(tiers & READ_ONCE(si->tier->above),
				    SWAP_OPEN_BELOW_HIGH))
			return false;
	}
	return true;
}

/* Take the device capacity that a folio needs beyond what its slots hold. */
static bool swap_raw_take_room(struct folio *folio, long *taken)
{
	*taken = swap_promise_needed(folio);
	return !*taken || swap_promise_take(*taken);
}

static struct swap_info_struct *swap_raw_device(swap_desc_t word)
{
	return __swap_entry_to_info(swap_desc_block_entry(word));
}

/*
 * Give a folio new slots. @word is the descriptor of its first page, and
 * *@first the new one. Return 0 or an error.
 */
static __always_inline int swap_raw_place(struct folio *folio, unsigned int nr,
					  swap_desc_t word, unsigned long tiers,
					  swap_desc_t *first)
{
	swap_desc_t single, *words = &single;
	long taken = 0;
	int err = -ENOSPC;

	/* The common case is a small folio that has been promised room. */
	if ((nr > 1 || !swap_desc_is_promised(word)) &&
	    !swap_raw_take_room(folio, &taken))
		return -ENOSPC;
	if (nr > 1) {
		words = swap_desc_alloc(folio, &single);
		err = -ENOMEM;
		if (!words)
			goto give_room;
		err = -ENOSPC;
	}
	if (!swap_raw_alloc(words, nr, tiers))
		goto free_words;
	*first = *words;
	swap_desc_install(folio, words, taken);
	if (nr > 1)
		swap_desc_free(words, &single);
	return 0;
free_words:
	if (nr > 1)
		swap_desc_free(words, &single);
give_room:
	swap_promise_put(taken);
	return err;
}

static int swap_raw_store(struct swap_io_ctx *ctx, struct folio *folio,
			  unsigned long tiers)
{
	swap_desc_t word = swap_desc_of(folio->swap);
	unsigned int nr = folio_nr_pages(folio);
	struct swap_tier *tier;
	int err;

	if (pm_suspended_storage())
		return -EBUSY;
	if (swap_desc_tag(word) != SWAP_DESC_RAW ||
	    !swap_raw_rewrite(folio, tiers)) {
		err = swap_raw_place(folio, nr, word, tiers, &word);
		if (err)
			return err;
	}

	trace_swap_abs_store(folio->swap, word, nr);
	tier = swap_raw_device(word)->tier;
	swap_tier_count(tier, swap_tiers_stat(tiers), nr);
	swap_tier_count(tier, SWAP_TIER_WRITTEN, (long)nr << PAGE_SHIFT);
	__swap_writepage(ctx, folio);
	return 0;
}

static void swap_raw_load(struct swap_io_ctx *ctx, struct folio *folio)
{
	struct swap_tier *tier;
	unsigned long nr;

	if (!ctx->moved) {
		nr = folio_nr_pages(folio);
		tier = swap_raw_device(swap_desc_of(folio->swap))->tier;
		swap_tier_count(tier, SWAP_TIER_LOAD, nr);
		/*
		 * Tell zswap's shrinker to keep more, because this page has to
		 * be read from a device.
		 */
		zswap_folio_swapin(folio);
	}
	swap_read_add(ctx, folio);
}

static bool swap_raw_can_load_as_one(swap_desc_t first, swap_desc_t next,
				     unsigned int i)
{
	/* data_race(): the flag does not change while the device is in use. */
	if (!data_race(swap_raw_device(first)->flags & SWP_BLKDEV))
		return false;
	/* A block device is one extent, so that one bio can read such slots. */
	return swap_desc_is_at(next,
			       swap_place_behind(swap_desc_place(first), i));
}

static const struct swap_backend swap_raw_backend = {
	.store		= swap_raw_store,
	.load		= swap_raw_load,
	.drop		= swap_lent_free,
	.can_load_as_one	= swap_raw_can_load_as_one,
	.is_victim	= swap_lent_is_victim,
	.check		= swap_lent_check,
	.order		= SWAP_ORDER_PLAIN,
};

static const struct swap_format swap_raw_format = {
	.name		= "raw",
	.plain		= true,
	.stop		= swap_lent_stop,
	.release	= swap_lent_release,
	.has_room	= swap_tier_has_slots,
	.make_room	= swap_raw_make_room,
	.alloc		= swap_raw_alloc,
	.untake		= swap_raw_untake,
	.ahead		= swap_lent_ahead,
#ifdef CONFIG_HIBERNATION
	.alloc_image	= swap_lent_alloc_image,
	.free_image	= swap_lent_free_image,
#endif
	.choose_victims	= swap_lent_choose_victims,
	.choose_sparse	= swap_lent_choose_sparse,
	.unchoose	= swap_lent_unchoose,
	.forget_bad	= swap_lent_forget_bad,
	.nr_bad		= swap_lent_nr_bad,
	.forget_hints	= swap_lent_forget_hints,
};

static int __init swap_raw_init(void)
{
	swap_backend_register(SWAP_DESC_RAW, &swap_raw_backend);
	swap_format_register(&swap_raw_format);
	return 0;
}
subsys_initcall(swap_raw_init);
