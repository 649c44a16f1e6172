// SPDX-License-Identifier: GPL-2.0
/*
 * The swap abstraction: what becomes of a swapped page, from the reservation of room for
 * it to the load of its data.
 *
 * A virtual slot stands in page tables and in shmem for as long as the page is
 * swapped; where its data is can change underneath. The slots are those of one
 * swap_info_struct without a device (SWP_VIRTUAL), so that the swap table, the
 * swap cache, the counts and the allocator of mm/swapfile.c serve them as they
 * are (mm/swap_abs/area.c). Beside each swap table stands a table of descriptors, a word
 * a slot (mm/swap_abs/desc.c).
 *
 * This file asks whether there is room for a page (mm/swap_abs/promise.c) and offers it to
 * the backends. Backends (struct swap_backend) own what a word points to, and register
 * themselves: mm/zswap.c, and a file or more for each format that devices are written in
 * (struct swap_format). mm/swap_abs/tier.c has the lists of tiers and formats,
 * mm/swap_abs/empty.c empties a device for swapoff, mm/swap_abs/memcg.c knows what cgroups
 * have where, and may have. Callers are mm/swapfile.c (allocate, free), mm/page_io.c (write,
 * read) and mm/swap_state.c.
 *
 * Rules (Documentation/mm/swap-abstraction.rst says why):
 *
 * 1. A word changes only under the lock of its virtual cluster, and only
 *    while no folio is in the slot, or by who holds that folio locked and not
 *    under writeback.
 * 2. So a folio that is locked in the swap cache, or under writeback, pins the
 *    place of its data. A load reads the word after it has locked the folio and
 *    keeps the lock until the data is there.
 * 3. Who copies data without a folio pins the word first and compares it last
 *    (swap_desc_pin(), swap_move_commit()). A pinned copy that is dropped
 *    meanwhile is not freed, so its address can't come back for other data: the
 *    mover finds that the word has changed and frees the orphan.
 * 4. A copy is dropped without replacement only when its slot is freed, or when
 *    its folio is uptodate and dirty.
 * 5. A store sets the word before it submits I/O; the folio's writeback guards
 *    it, and a write error dirties the folio again.
 * 6. A word can say that data is lost. Who holds the slot's folio locked says it,
 *    after two failed reads or when the folio's frame has broken, and never while the
 *    folio is uptodate.
 * 7. Swapping out waits for no mover and gets no folio: a store that can't have the
 *    little memory that it needs leaves the page in RAM.
 * 8. nr_swap_pages counts the slots of devices that are neither used nor
 *    promised. Making a virtual slot takes one (SWAP_DESC_PROMISED), a raw copy
 *    keeps it, anything else gives it back.
 * 9. What was read of a packed object is not believed until its checksum, its
 *    sequence number and its slot's word confirm it.
 * 10. Nothing of the kernel's memory goes to a device: what is between packed
 *    objects is zeroed.
 * 11. Dropping a copy takes constant time and does not sleep, because slots are
 *    freed under page-table locks and with interrupts off.
 * 12. While storage is suspended, nothing is written, and what is freed on a
 *    device is not used again: a hibernation image may refer to it.
 * 13. Nobody takes a folio from the swap cache that somebody else may write to
 *    (swap_move_del_folio(), swap_move_in_use()).
 * 14. A move is no page-in: it counts as neither read nor refault, and a folio that
 *    a mover has allocated is on no LRU list until somebody has found it
 *    (mm/swap_abs/move.c).
 *
 * Locks, outer first:
 *
 *	folio lock
 *	  virtual cluster's lock
 *	    zswap's list_lru and zsmalloc locks
 *	    lent cluster's lock (of a device)
 *	      swap_tier.lock
 *	      the device's swap_info_struct.lock
 *
 * A virtual cluster's lock is never taken inside of a device's cluster lock,
 * and no lock of the layer in interrupts. swap_abs_mutex (on, off, join, leave)
 * is outside of all of them; swap_tiers_lock is outside of a lent cluster's.
 */
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>
#include <linux/zswap.h>
#include "internal.h"
#include "swap.h"
#include "swap_table.h"
#include "swap_abs/memcg.h"
#include "swap_abs/slots.h"
#include "swap_abs/tier.h"

#include <trace/events/swap_abs.h>

long __swap_abs_ram_pages(struct mem_cgroup *memcg)
{
	long room = swap_abs_enabled() ? zswap_room() : 0;

	if (room <= 0 || !mem_cgroup_may_zswap(memcg) ||
	    !(swap_memcg_tiers(memcg, 1) & SWAP_TIER_ZSWAP) || !swap_vain_hope(memcg))
		return 0;
	return room;
}

bool __swap_abs_ram_present(void)
{
	return swap_abs_enabled() && zswap_is_enabled();
}

/**
 * swap_abs_reserve - is there room for a folio's entries?
 * @folio: a locked folio, not in the swap cache
 *
 * Asked before anything is unmapped. Where devices have no room, zswap alone
 * may still make it smaller: such pages it refuses when they don't compress.
 *
 * Context: reclaim, does not sleep.
 * Return: SWAP_ROOM_DEVICE, SWAP_ROOM_RAM or SWAP_ROOM_NONE; SWAP_ROOM_PHYSICAL
 * or SWAP_ROOM_NONE while the layer is off.
 */
enum swap_room swap_abs_reserve(struct folio *folio)
{
	static unsigned long next_reclaim;
	long nr = folio_nr_pages(folio);
	unsigned long tiers;
	bool device, ram;

	/* Physical entries must not take what was promised to virtual ones. */
	if (!swap_abs_enabled())
		return get_nr_swap_pages() >= nr ? SWAP_ROOM_PHYSICAL : SWAP_ROOM_NONE;

	rcu_read_lock();
	tiers = swap_memcg_tiers(folio_memcg(folio), nr);
	rcu_read_unlock();
	/* Capacity that only other tiers have must not be promised to it. */
	device = !swap_tiers_restricted(tiers) ||
		 swap_tiers_have_room(tiers & ~SWAP_TIER_ZSWAP);
	/* Before anything is unmapped for what has to be collected first. */
	if (device && swap_vain_room_is_short()) {
		if (swap_tiers_have_slots()) {
			swap_vain_room_gained();
		} else if (!swap_tiers_have_room(tiers & ~SWAP_TIER_ZSWAP)) {
			swap_vain_room_short();
			device = false;
		}
	}
	if (device && swap_promise_take(nr))
		return SWAP_ROOM_DEVICE;

	/* Slots that only the swap cache uses hold capacity: give some back. */
	if (vm_swap_full() && time_after(jiffies, READ_ONCE(next_reclaim))) {
		WRITE_ONCE(next_reclaim, jiffies + HZ / 10);
		schedule_work(&swap_virtual_area->reclaim_work);
		swap_tiers_make_room();
	}

	rcu_read_lock();
	ram = swap_abs_ram_pages(folio_memcg(folio)) >= nr;
	rcu_read_unlock();
	if (ram)
		return SWAP_ROOM_RAM;
	swap_vain_note(folio);
	return SWAP_ROOM_NONE;
}

/**
 * swap_abs_reserve_end - settle a reservation after the entries were allocated
 * @folio: the locked folio, in the swap cache when that has worked
 * @room: what swap_abs_reserve() has said
 */
void swap_abs_reserve_end(struct folio *folio, enum swap_room room)
{
	long nr = folio_nr_pages(folio);

	if (!folio_test_swapcache(folio)) {
		if (room == SWAP_ROOM_DEVICE)
			swap_promise_put(nr);
		/* There are slots, but in dead space, which must be collected first. */
		else if (room == SWAP_ROOM_PHYSICAL && nr == 1)
			swap_vain_room_short();
		return;
	}
	if (room == SWAP_ROOM_DEVICE || room == SWAP_ROOM_PHYSICAL)
		return;

	swap_desc_unpromise_folio(folio);
}

/*
 * Dispatch
 */

/*
 * The tier that has a copy of each page of a folio. What is written there anew takes no more
 * of what its cgroup may have.
 */
static unsigned long swap_abs_tier_held(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio);
	unsigned long tiers = SWAP_TIERS_ALL;
	swp_entry_t slot = folio->swap;
	int tier;

	for (i = 0; i < nr && tiers; i++, slot.val++) {
		tier = swap_desc_tier(swap_desc_read(slot));
		tiers &= tier < 0 ? 0 : BIT(tier);
	}
	return tiers;
}

/**
 * swap_abs_store - give a folio's data to the first tier that takes it
 * @ctx: I/O that the caller submits
 * @folio: a locked folio in the swap cache, uptodate, not under writeback, that
 *	is not all zero
 * @tiers: mask of the tiers that may get it, if its cgroup allows that
 *
 * Context: reclaim or a mover, may sleep.
 * Return: 0 with the folio unlocked, or -ENOSPC with it locked, and its data
 * where it was.
 */
int swap_abs_store(struct swap_io_ctx *ctx, struct folio *folio, unsigned long tiers)
{
	const struct swap_backend **pos;
	unsigned long may;

	/* By the slot: when the cgroup has been removed, the folio is its parent's. */
	may = swap_memcg_tiers_of(folio->swap, folio_nr_pages(folio));
	if (~may & tiers & SWAP_TIERS_ALL)
		may |= swap_abs_tier_held(folio) & swap_memcg_tiers_of(folio->swap, 0);
	tiers &= may | SWAP_TIERS_MOVED;
	/* There is one at least. */
	pos = swap_store_order;
	do {
		if (!(*pos)->store(ctx, folio, tiers))
			return 0;
		/* What zswap refuses stays in RAM then. */
		if (!folio_zswap_writeback_enabled(folio))
			break;
	} while (*++pos);
	return -ENOSPC;
}

/**
 * swap_abs_writeout - write out a folio of the virtual area
 * @ctx: I/O that the caller submits
 * @folio: as for swap_abs_store()
 *
 * Context: reclaim, may sleep.
 * Return: 0 with the folio unlocked, or AOP_WRITEPAGE_ACTIVATE with it locked
 * and dirty when no tier takes it.
 */
int swap_abs_writeout(struct swap_io_ctx *ctx, struct folio *folio)
{
	long room = zswap_room();

	if (!swap_abs_store(ctx, folio, SWAP_TIERS_ALL)) {
		swap_folio_gone(folio);
		return 0;
	}

	folio_mark_dirty(folio);
	if (atomic_long_read(&nr_swap_pages) > 0 &&
	    (swap_tiers_of_folio(folio) & READ_ONCE(swap_tiers_online)))
		swap_vain_room_short();
	swap_desc_refuse_folio(folio, room > 0);
	swap_vain_note(folio);
	return AOP_WRITEPAGE_ACTIVATE;
}

/**
 * swap_abs_read_folio - read a folio of the virtual area
 * @ctx: I/O that the caller submits
 * @folio: a locked folio in the swap cache, not uptodate, not zero-filled
 *
 * The folio is unlocked when that is done, and uptodate if it went well.
 */
void swap_abs_read_folio(struct swap_io_ctx *ctx, struct folio *folio)
{
	swap_desc_t word = swap_desc_read(folio->swap);
	const struct swap_backend *backend = swap_backend_of(word);

	if (!backend) {
		/* Lost: this page is an I/O error, and no other one is. */
		VM_WARN_ON_ONCE_FOLIO(swap_desc_tag(word) != SWAP_DESC_LOST, folio);
		folio_unlock(folio);
		return;
	}
	trace_swap_abs_load(folio->swap, word, folio_nr_pages(folio));
	backend->load(ctx, folio);
}

static void swap_abs_read_now(struct folio *folio)
{
	struct swap_io_ctx ctx = {};

	swap_read_folio(&ctx, folio);
	swap_read_submit(&ctx);
}

/* The rest of swap_read_again(). */
void swap_abs_read_again(struct folio *folio)
{
	swap_abs_read_now(folio);
	folio_lock(folio);
}

/* The rest of swap_read_again_unlock(). */
void swap_abs_read_again_unlock(struct folio *folio)
{
	swap_abs_read_now(folio);
	folio_wait_locked_killable(folio);
}

/**
 * swap_abs_can_load_as_one - can a range of slots be loaded into one folio?
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots, each in use and without a folio, all or none zero
 *
 * Return: true when their data is in places that one load can handle.
 */
bool swap_abs_can_load_as_one(struct swap_cluster_info *ci, unsigned int ci_off,
			      unsigned int nr)
{
	const swap_desc_t *desc = swap_desc_table(ci) + ci_off;
	const struct swap_backend *backend = swap_backend_of(desc[0]);
	unsigned int i;

	if (swap_desc_tag(desc[0]) == SWAP_DESC_LOST)
		return false;
	for (i = 1; i < nr; i++) {
		if (swap_desc_tag(desc[i]) != swap_desc_tag(desc[0]))
			return false;
		if (backend && !backend->can_load_as_one(desc[0], desc[i], i))
			return false;
	}
	return !backend || backend->can_load_as_one(desc[0], desc[0], 0);
}

/* The answer to swap_entry_synchronous() for a virtual entry. */
bool swap_abs_synchronous(swp_entry_t entry)
{
	swap_desc_t word = swap_desc_read(entry);
	const struct swap_backend *backend = swap_backend_of(word);

	/* In the folio only, zero-filled, or lost: nothing is waited for. */
	return !backend || backend->synchronous(word);
}

/* The answer to swap_folio_stable_writes() for a virtual folio. */
bool swap_abs_stable_writes(struct folio *folio)
{
	swp_entry_t entry = folio->swap;
	const struct swap_backend *backend;
	swap_desc_t word;
	unsigned int i;

	for (i = 0; i < folio_nr_pages(folio); i++, entry.val++) {
		word = swap_desc_read(entry);
		backend = swap_backend_of(word);
		if (backend && backend->stable(word))
			return true;
	}
	return false;
}
