// SPDX-License-Identifier: GPL-2.0
/*
 * What a read of packed pages has brought along: objects behind the ones that were
 * wanted, whole and in the same blocks. They were evicted next to them, and where
 * memory is used in the same order they are wanted next. Then a copy in zswap, as they
 * are, saves a read each.
 *
 * Where it is not, they would only fill zswap. So this is done while zswap is below its
 * high watermark, and while at least every second one that was kept so has been wanted
 * before it left zswap, as far as that is known; else one read in 32 still does it, to
 * notice when that changes.
 *
 * It is a mover as any (rule 3 of mm/swap_abs.c): a header says whose an object may be,
 * and the descriptor of that slot confirms it by pointing exactly there. What was read
 * may be old by then: the sequence number of the segment has to be that of the read,
 * as no block is written twice under one.
 *
 * Called by mm/swap_abs_packed_read.c when the pages have been unlocked, so that no
 * fault waits for it, and by mm/zswap.c. It is on a workqueue that reclaim may wait
 * for, hence allocates without waiting. No locks.
 */
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/zswap.h>
#include "internal.h"
#include "swap.h"
#include "swap_abs_packed.h"

/* How many are looked at before it is believed that it does not pay. */
#define SWAP_AHEAD_MIN		64
/* The newest so many count: when there are as many, all are halved. */
#define SWAP_AHEAD_WINDOW	256
/* Where it does not pay, one read in so many does it. */
#define SWAP_AHEAD_PROBE	32

/* Debugfs: tests that count what is read from where switch it off. */
bool swap_ahead_on = true;

static atomic_t swap_ahead_kept, swap_ahead_used, swap_ahead_reads;

static bool swap_ahead_pays(void)
{
	int kept = atomic_read(&swap_ahead_kept);

	return kept < SWAP_AHEAD_MIN || 2 * atomic_read(&swap_ahead_used) >= kept ||
	       atomic_inc_return(&swap_ahead_reads) % SWAP_AHEAD_PROBE == 0;
}

static void swap_ahead_count(int nr)
{
	if (atomic_add_return(nr, &swap_ahead_kept) < SWAP_AHEAD_WINDOW)
		return;
	/* Two at the same time do no harm: these are but estimates. */
	atomic_sub(SWAP_AHEAD_WINDOW / 2, &swap_ahead_kept);
	atomic_sub(atomic_read(&swap_ahead_used) / 2, &swap_ahead_used);
}

/**
 * swap_packed_ahead_used - what was kept by swap_packed_ahead() has been wanted
 *
 * Context: any.
 */
void swap_packed_ahead_used(void)
{
	atomic_inc(&swap_ahead_used);
}

/**
 * swap_packed_ahead_wanted - should what a read has brought along be kept?
 * @tier: the tier that was read from
 *
 * Context: process context, does not sleep.
 * Return: true when it should.
 */
bool swap_packed_ahead_wanted(struct swap_tier *tier)
{
	return READ_ONCE(swap_ahead_on) && swap_zswap_has_room() && swap_ahead_pays();
}

static bool swap_ahead_keep(struct swap_tier *tier, pgoff_t base,
			    const struct swap_pack_object *object, u32 seq)
{
	unsigned long word;
	swp_entry_t slot;

	if (!swap_pack_pin(tier->si, base, object, &slot, &word))
		return false;
	if (swap_segment_of(word)->seq == seq && !swap_cache_has_folio(slot) &&
	    (swap_memcg_tiers_of(slot, 1) & SWAP_TIER_ZSWAP) &&
	    !zswap_move_in(slot, word, object, true)) {
		swap_tier_count(tier, SWAP_TIER_MOVED_OUT, 1);
		swap_packed_backend.drop(&word, 1);
		return true;
	}
	swap_pack_unpin(slot, word);
	return false;
}

/**
 * swap_packed_ahead - keep what a read has brought along in zswap
 * @tier: where it was read, with a reference of its device
 * @offset: of the first block that was read, in pages
 * @buf: the blocks
 * @size: bytes of them
 * @pos: where the objects that were wanted end, in bytes from @buf
 * @seq: of the segment, when the read had ended
 *
 * Context: process context, does not wait for memory.
 */
void swap_packed_ahead(struct swap_tier *tier, pgoff_t offset, const void *buf,
		       unsigned int size, unsigned int pos, u32 seq)
{
	struct swap_pack_object object;
	int nr = 0;

	while (swap_pack_next(buf, size, &pos, 0, seq, &object))
		nr += swap_ahead_keep(tier, offset, &object, seq);
	if (nr)
		swap_ahead_count(nr);
}
