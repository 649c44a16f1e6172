// SPDX-License-Identifier: GPL-2.0
/*
 * The swap abstraction: what happens to a swapped page, from the reservation of
 * room for it to the load of its data.
 *
 * A virtual slot stands in page tables and in shmem for as long as the page is
 * swapped, while the place of its data can change underneath. The slots belong
 * to one swap_info_struct without a device (SWP_VIRTUAL), so that the swap
 * table, the swap cache, the counts and the allocator of mm/swapfile.c serve
 * them unchanged (mm/swap_abs/area.c). Each swap table has a table of
 * descriptors beside it, with one word for each slot (mm/swap_abs/desc.c).
 *
 * This file asks whether there is room for a page (mm/swap_abs/promise.c) and
 * offers the page to the backends. A backend (struct swap_backend) owns what
 * its words point to and registers itself. The backends are mm/zswap.c and one
 * or more files for each format of a device (struct swap_format).
 * mm/swap_abs/tier.c has the lists of tiers and formats, mm/swap_abs/empty.c
 * empties a device for swapoff, and mm/swap_abs/memcg.c knows what each cgroup
 * has in a tier and may have there. The callers are mm/swapfile.c (allocate),
 * mm/page_io.c (write, read), and those who ask what is in a slot:
 * mm/swap_state.c, mm/memory.c, mm/shmem.c, mm/vmscan.c and mm/memcontrol.c.
 *
 * Rules (Documentation/mm/swap-abstraction.rst gives the reasons):
 *
 * 1. A word changes only under the lock of its virtual cluster. While a folio
 *    is in the slot, only a task that holds the folio locked and not under
 *    writeback may change more of the word than SWAP_DESC_PIN.
 *
 * 2. Hence a folio that is locked in the swap cache, or under writeback, pins
 *    the place of its data. A load reads the word after it has locked the
 *    folio, and keeps the lock until the data is there.
 *
 * 3. A mover that copies data without a folio pins the word first and compares
 *    it last (swap_desc_pin(), swap_move_commit()). A pinned copy that is
 *    dropped in between is not freed, so its address can't be used again for
 *    other data. The mover finds that the word has changed, and frees the
 *    orphan.
 *
 * 4. A copy is dropped without a replacement only when its slot is freed, or
 *    when its folio is uptodate and dirty.
 *
 * 5. A store sets the word before it submits I/O. The folio's writeback guards
 *    the data until the I/O has ended, and a write error dirties the folio
 *    again.
 *
 * 6. A word can say that data is lost. Only the task that holds the slot's
 *    folio locked sets such a word, after two failed reads or when the folio's
 *    frame has broken, and never while the folio is uptodate.
 *
 * 7. Swapping out waits for no mover and allocates no folio. A store that can't
 *    have the little memory that it needs leaves the page in RAM.
 *
 * 8. nr_swap_pages counts the slots of devices that are neither used nor
 *    promised. A new virtual slot takes one (SWAP_DESC_PROMISED). The slot
 *    keeps it for a raw copy and for a copy in zswap that is no smaller than
 *    the page; for any other copy the slot gives it back.
 *
 * 9. A reader does not believe a packed object until the checksum, the sequence
 *    number and the word of the slot confirm the object.
 *
 * 10. No other memory of the kernel goes to a device: the bytes between packed
 *     objects are zeroed.
 *
 * 11. To drop a copy takes constant time and does not sleep, because slots are
 *     freed under page-table locks and with interrupts off.
 *
 * 12. While storage is suspended, nothing is written, and a place on a device
 *     that becomes free is not used again, because a hibernation image may
 *     refer to it.
 *
 * 13. No folio is taken from the swap cache while another task may still write
 *     to it (swap_move_del_folio(), swap_move_in_use()).
 *
 * 14. A move is no page-in: it counts as neither a read nor a refault. A folio
 *     that a mover has allocated is on no LRU list until another task has found
 *     it (mm/swap_abs/move.c).
 *
 * Locks, the outer ones first:
 *
 *	folio lock
 *	  virtual cluster's lock
 *	    zsmalloc's locks
 *	    lent cluster's lock (of a device)
 *	      swap_tier.lock
 *	      the device's swap_info_struct.lock
 *	    swap_memcg_stock.lock
 *
 * A virtual cluster's lock is never taken inside a device's cluster lock, and
 * no lock of the layer but that of swap_tier.bad is taken in interrupts.
 * zswap_age_cpu.lock, and inside of it the lock of a list of objects, are taken
 * with none of these held. swap_abs_mutex (switching on and off, tiers that
 * join and leave) is outside all of them. swap_tiers_lock is outside a lent
 * cluster's lock.
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

/*
 * Return how many pages zswap can still take without a device: what its pool
 * may still grow by, or 0 when the layer is off, zswap is off or full, @memcg
 * may not use it, or reclaim has tried in vain. While the layer is on, zswap
 * needs no device under it, so memory can be reclaimed into it when no device
 * has room.
 */
static long swap_abs_ram_pages(struct mem_cgroup *memcg)
{
	long room = swap_abs_enabled() ? zswap_room() : 0;

	if (room <= 0 || !mem_cgroup_may_zswap(memcg) ||
	    !(swap_memcg_tiers(memcg, 1) & SWAP_TIER_ZSWAP) ||
	    !swap_vain_hope(memcg))
		return 0;
	return room;
}

/* More pages than reclaim or a limit ever asks for at once. */
#define SWAP_STORABLE_MANY	4096

/**
 * swap_abs_storable_pages - return how many pages could be swapped out now
 * @memcg: the cgroup that has the pages, NULL for the pages of all
 * @nr: pages of capacity that the devices have left
 *
 * Part of the devices' capacity may have to be collected first, or may suit
 * only pages that compress. It does not count when reclaim has tried to use it
 * in vain.
 *
 * Context: any, does not sleep.
 * Return: pages, or some of them if there are many.
 */
long swap_abs_storable_pages(struct mem_cgroup *memcg, long nr)
{
	if (nr > 0)
		nr = swap_vain_device_pages(memcg, nr);
	/* Nobody needs to know by how much it is more than this. */
	if (nr >= SWAP_STORABLE_MANY)
		return nr;
	return nr + swap_abs_ram_pages(memcg);
}

bool __swap_abs_ram_present(void)
{
	return swap_abs_enabled() && zswap_is_enabled();
}

/**
 * swap_abs_reserve - tell whether and where there is room for a folio's entries
 * @folio: a locked folio, not in the swap cache
 *
 * Reclaim asks this before anything is unmapped. When the devices have no room,
 * zswap alone may still make the page smaller; it refuses such a page if the
 * page does not compress.
 *
 * Context: reclaim, does not sleep.
 * Return: SWAP_ROOM_DEVICE, SWAP_ROOM_RAM or SWAP_ROOM_NONE; while the layer is
 * off, SWAP_ROOM_PHYSICAL or SWAP_ROOM_NONE.
 */
enum swap_room swap_abs_reserve(struct folio *folio)
{
	static unsigned long next_reclaim;
	long nr = folio_nr_pages(folio);
	unsigned long tiers;
	bool device, ram;

	/* Physical entries must not take what was promised to virtual ones. */
	if (!swap_abs_enabled())
		return get_nr_swap_pages() >= nr ? SWAP_ROOM_PHYSICAL :
						   SWAP_ROOM_NONE;

	tiers = swap_memcg_tiers_folio(folio);
	/* Capacity that only forbidden tiers have must not be promised. */
	device = !swap_tiers_restricted(tiers) ||
		 swap_tiers_open(tiers & ~SWAP_TIER_ZSWAP, SWAP_OPEN_ANY);
	/*
	 * Ask before anything is unmapped whether the capacity must be
	 * collected first, because then no tier could store the page now.
	 */
	if (device && swap_vain_room_is_short()) {
		if (swap_tiers_open(SWAP_TIERS_ALL, SWAP_OPEN_SLOTS)) {
			swap_vain_room_gained();
		} else if (!swap_tiers_open(tiers & ~SWAP_TIER_ZSWAP,
					    SWAP_OPEN_ANY)) {
			swap_vain_room_short();
			device = false;
		}
	}
	if (device && swap_promise_take(nr))
		return SWAP_ROOM_DEVICE;

	/* Slots that only the swap cache refers to hold capacity: free some. */
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
 * @folio: the locked folio, in the swap cache if the allocation has worked
 * @room: the answer of swap_abs_reserve()
 *
 * Context: reclaim, does not sleep.
 */
void swap_abs_reserve_end(struct folio *folio, enum swap_room room)
{
	long nr = folio_nr_pages(folio);

	if (!folio_test_swapcache(folio)) {
		if (room == SWAP_ROOM_DEVICE)
			swap_promise_put(nr);
		/* nr_swap_pages counts dead space, to be collected first. */
		else if (room == SWAP_ROOM_PHYSICAL && nr == 1)
			swap_vain_room_short();
		return;
	}
	/* swap_reserve_end() has left out what was promised room. */
	if (room == SWAP_ROOM_RAM)
		swap_desc_unpromise_folio(folio);
}

/* Dispatch */

/*
 * Return the mask of the tier that has a copy of every page of a folio, or 0. A
 * folio that is written there anew takes nothing more of its cgroup's limit.
 */
static unsigned long swap_abs_tier_held(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio);
	unsigned long tiers = SWAP_TIERS_ALL;
	swp_entry_t slot = folio->swap;
	int tier;

	for (i = 0; i < nr && tiers; i++, slot.val++) {
		tier = swap_desc_tier(swap_desc_of(slot));
		tiers &= tier < 0 ? 0 : BIT(tier);
	}
	return tiers;
}

/*
 * Give a folio's data to the first backend that takes it. The caller holds
 * @folio locked in the swap cache, uptodate and not under writeback; it is not
 * all zero. @tiers is the mask of the tiers that may get the data, as far as
 * the folio's cgroup allows them. Reclaim and movers call this. May sleep.
 *
 * Return 0 with the folio unlocked, and perhaps I/O in @ctx that the caller has
 * to submit; or -ENOSPC with the folio locked and its data where it was.
 */
int swap_abs_store(struct swap_io_ctx *ctx, struct folio *folio,
		   unsigned long tiers)
{
	const struct swap_backend **pos;
	bool may_leave_ram = false;
	unsigned long may, sound;

	/*
	 * Ask by the slot, because the folio of a removed cgroup belongs to the
	 * parent.
	 */
	may = swap_memcg_tiers_of(folio->swap, folio_nr_pages(folio));
	if (~may & tiers & SWAP_TIERS_ALL)
		may |= swap_abs_tier_held(folio) &
		       swap_memcg_tiers_of(folio->swap, 0);
	tiers &= may | SWAP_TIERS_MOVED;
	sound = swap_tiers_sound(tiers);
again:
	for (pos = swap_store_order; *pos; pos++) {
		/* Without writeback, a page that zswap refuses stays in RAM. */
		if ((*pos)->order != SWAP_ORDER_RAM && !may_leave_ram) {
			may_leave_ram = folio_zswap_writeback_enabled(folio);
			if (!may_leave_ram)
				break;
		}
		if (!(*pos)->store(ctx, folio, sound))
			return 0;
	}
	if (unlikely(sound != tiers)) {
		/* zswap has refused the page, and need not be asked again. */
		tiers &= ~SWAP_TIER_ZSWAP;
		sound = tiers;
		goto again;
	}
	return -ENOSPC;
}

/**
 * swap_abs_writeout - write out a folio of the virtual area
 * @ctx: I/O that the caller submits
 * @folio: as for swap_abs_store()
 *
 * Context: reclaim, may sleep.
 * Return: 0 with the folio unlocked. When no tier takes the folio,
 * AOP_WRITEPAGE_ACTIVATE with the folio locked and dirty.
 */
int swap_abs_writeout(struct swap_io_ctx *ctx, struct folio *folio)
{
	if (!swap_abs_store(ctx, folio, SWAP_TIERS_ALL)) {
		swap_folio_gone(folio);
		return 0;
	}

	folio_mark_dirty(folio);
	if (atomic_long_read(&nr_swap_pages) > 0 &&
	    (swap_tiers_of_folio(folio) & READ_ONCE(swap_tiers_present)))
		swap_vain_room_short();
	swap_desc_refuse_folio(folio);
	swap_vain_note(folio);
	return AOP_WRITEPAGE_ACTIVATE;
}

/**
 * swap_abs_read_folio - read a folio of the virtual area
 * @ctx: I/O that the caller submits
 * @folio: a locked folio in the swap cache, not uptodate, not zero-filled
 *
 * The folio is unlocked when the read has ended, and uptodate if it has
 * succeeded.
 *
 * Context: process context, may sleep.
 */
void swap_abs_read_folio(struct swap_io_ctx *ctx, struct folio *folio)
{
	swap_desc_t word = swap_desc_of(folio->swap);
	const struct swap_backend *backend = swap_backend_of(word);

	if (!backend) {
		/* The page is lost, so this read alone fails. */
		VM_WARN_ON_ONCE_FOLIO(swap_desc_tag(word) != SWAP_DESC_LOST,
				      folio);
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

/* Read the folio of swap_read_again() once more, and lock it again. */
void swap_abs_read_again(struct folio *folio)
{
	swap_abs_read_now(folio);
	folio_lock(folio);
}

/* Read the folio of swap_read_again_unlock() once more; leave it unlocked. */
void swap_abs_read_again_unlock(struct folio *folio)
{
	swap_abs_read_now(folio);
	folio_wait_locked_killable(folio);
}

/**
 * swap_abs_can_load_as_one - tell whether one folio can load a range of slots
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots, each in use and without a folio; all of them or none
 *	are zero-filled
 *
 * Return: true when one load can read all places that the data is in.
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

/* Answer swap_entry_synchronous() for a virtual entry. */
bool swap_abs_synchronous(swp_entry_t entry)
{
	return swap_desc_synchronous(swap_desc_read(entry));
}

/*
 * Answer swap_folio_stable_writes() for a virtual folio. A page that is stored
 * compressed may change meanwhile, because its compressed copy is written.
 */
bool swap_abs_stable_writes(struct folio *folio)
{
	swp_entry_t entry = folio->swap;
	unsigned int i;

	for (i = 0; i < folio_nr_pages(folio); i++, entry.val++)
		if (swap_desc_device_has(swap_desc_of(entry),
					 SWP_STABLE_WRITES))
			return true;
	return false;
}
