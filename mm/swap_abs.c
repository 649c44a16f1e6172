// SPDX-License-Identifier: GPL-2.0
/*
 * The swap abstraction: the virtual area, its descriptors, and which backend
 * gets what.
 *
 * A virtual slot stands in page tables and in shmem for as long as the page is
 * swapped; where its data is can change underneath. The slots are those of one
 * swap_info_struct without a device (SWP_VIRTUAL), so that the swap table, the
 * swap cache, the counts and the allocator of mm/swapfile.c serve them as they
 * are. Beside each swap table stands a table of descriptors, a word a slot,
 * laid out in mm/swap_abs/desc.h.
 *
 * This file owns the area, the words and the reservations of device capacity.
 * Backends (struct swap_backend) own what a word points to: mm/zswap.c,
 * mm/swap_abs/packed.c and mm/swap_abs/raw.c. mm/swap_abs/tier.c has the list of tiers,
 * mm/swap_abs/empty.c empties a device for swapoff, mm/swap_abs/memcg.c knows what
 * cgroups have where, and may have. Callers are mm/swapfile.c (allocate, free),
 * mm/page_io.c (write, read) and mm/swap_state.c.
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
 *    (swap_abs_pin(), swap_abs_commit()). A pinned copy that is dropped
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
 *    promised. Making a virtual slot takes one (SWAP_DESC_RESERVED), a raw copy
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
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/kmemleak.h>
#include <linux/memcontrol.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include <linux/swapfile.h>
#include <linux/sysctl.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>
#include <linux/zswap.h>
#include "internal.h"
#include "swap.h"
#include "swap_table.h"
#include "swap_abs/formats.h"
#include "swap_abs/memcg.h"
#include "swap_abs/slots.h"
#include "swap_abs/tier.h"

#define CREATE_TRACE_POINTS
#include <trace/events/swap_abs.h>

DEFINE_STATIC_KEY_FALSE(swap_abs_key);
EXPORT_SYMBOL_GPL(swap_abs_key);	/* for get_nr_swap_pages() */
bool swap_abs_on __read_mostly;

/* Serializes switching on and off, and tiers that come and go. */
DEFINE_MUTEX(swap_abs_mutex);

struct swap_info_struct *swap_virtual_area __read_mostly;

/* For work without which memory can't be freed. */
struct workqueue_struct *swap_abs_wq __read_mostly;

/* In the order in which a page is offered to them. */
static const struct swap_backend *const swap_backends[] = {
#ifdef CONFIG_ZSWAP
	&zswap_backend,
#endif
#ifdef CONFIG_SWAP_ABS_PACKED
	&swap_packed_backend,
#endif
	&swap_raw_backend,
};

/**
 * swap_backend_of - who knows what a word points to
 * @word: a descriptor
 *
 * Return: the backend, NULL for a word that points nowhere.
 */
const struct swap_backend *swap_backend_of(unsigned long word)
{
	switch (swap_desc_tag(word)) {
#ifdef CONFIG_ZSWAP
	case SWAP_DESC_ZSWAP:
		return &zswap_backend;
#endif
	case SWAP_DESC_RAW:
		return &swap_raw_backend;
#ifdef CONFIG_SWAP_ABS_PACKED
	case SWAP_DESC_PACKED:
		return &swap_packed_backend;
#endif
	default:
		return NULL;
	}
}

/*
 * The virtual area
 *
 * The array of clusters is a sparse vmalloc area of the size for the most slots
 * that there can be, so that finding the cluster of an entry stays plain
 * arithmetic. It grows page by page and never shrinks. Mapping may sleep and
 * allocates page tables, hence reclaim never does it: a worker keeps enough
 * free clusters ahead of it.
 */

/*
 * si->max is unsigned int, offsets are compared as int in places, and a memcg's
 * id is referenced once a slot.
 */
#define SWAP_ABS_MAX_SLOTS	((1UL << 31) - SWAPFILE_CLUSTER)

static ulong swap_abs_max_slots = SWAP_ABS_MAX_SLOTS;
module_param_named(max_slots, swap_abs_max_slots, ulong, 0444);
MODULE_PARM_DESC(max_slots, "most virtual swap slots (pages)");

static struct vm_struct *swap_abs_vm;
static unsigned long swap_abs_nr_pages;		/* mapped */
static unsigned long swap_abs_nr_clusters;	/* in the mapped pages */
static unsigned long swap_abs_cap_clusters;
static atomic_long_t swap_abs_free_clusters = ATOMIC_LONG_INIT(0);

static void swap_abs_grow_work_fn(struct work_struct *work);
static DECLARE_WORK(swap_abs_grow_work, swap_abs_grow_work_fn);

/*
 * The flags are the union of what the tiers' devices need. Raw I/O is done with
 * the operations of the device that it goes to; what is read here is packed.
 */
struct swap_ops swap_virtual_ops = {
#ifdef CONFIG_SWAP_ABS_PACKED
	.submit_read	= swap_packed_submit_read,
#endif
};

/* Two a CPU, so that none waits for the worker, and a few for large folios. */
static long swap_abs_clusters_ahead(void)
{
	return max(2 * num_online_cpus(), 32U);
}

/* Map one more page of the cluster array. */
static int swap_abs_grow(void)
{
	struct swap_info_struct *si = swap_virtual_area;
	unsigned long start = (unsigned long)swap_abs_vm->addr +
			      (swap_abs_nr_pages << PAGE_SHIFT);
	unsigned long nr;
	struct page *page;
	int err;

	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	err = vm_area_map_pages(swap_abs_vm, start, start + PAGE_SIZE, &page);
	if (err) {
		__free_page(page);
		return err;
	}
	swap_abs_nr_pages++;
	/* Clusters point to what they own; make kmemleak look there. */
	kmemleak_alloc((void *)start, PAGE_SIZE, 0, GFP_KERNEL);

	/* The last cluster may have its end in the next page. */
	nr = (swap_abs_nr_pages << PAGE_SHIFT) / sizeof(struct swap_cluster_info);
	nr = min(nr, swap_abs_cap_clusters) - swap_abs_nr_clusters;
	err = swap_virtual_area_add(si, swap_abs_nr_clusters, nr);
	if (err)
		return err;
	/* The first cluster has a bad slot, and never is free. */
	atomic_long_add(swap_abs_nr_clusters ? nr : nr - 1, &swap_abs_free_clusters);
	swap_abs_nr_clusters += nr;
	return 0;
}

static void swap_abs_grow_work_fn(struct work_struct *work)
{
	/* Growing is what lets memory be freed: a page now and then may be taken. */
	unsigned int flags = memalloc_noreclaim_save();

	while (swap_abs_nr_clusters < swap_abs_cap_clusters &&
	       atomic_long_read(&swap_abs_free_clusters) < 2 * swap_abs_clusters_ahead()) {
		if (swap_abs_grow())
			break;
		cond_resched();
	}
	swap_spare_tables_fill(swap_virtual_area);
	memalloc_noreclaim_restore(flags);
}

/**
 * swap_abs_cluster_taken - a free cluster of the virtual area is in use now
 *
 * Context: under the cluster's lock.
 */
void swap_abs_cluster_taken(void)
{
	if (atomic_long_dec_return(&swap_abs_free_clusters) < swap_abs_clusters_ahead())
		swap_abs_cluster_wanted();
}

/**
 * swap_abs_cluster_wanted - the virtual area is too small, or about to be
 *
 * Context: any.
 */
void swap_abs_cluster_wanted(void)
{
	queue_work(swap_abs_wq, &swap_abs_grow_work);
}

/**
 * swap_abs_cluster_freed - a cluster of the virtual area has become free
 *
 * Context: under the cluster's lock.
 */
void swap_abs_cluster_freed(void)
{
	atomic_long_inc(&swap_abs_free_clusters);
}

/* Make the virtual area. What it made stays when it fails, for the next try. */
static int swap_abs_create(void)
{
	struct swap_info_struct *si = swap_virtual_area;
	unsigned long slots;
	int err;

	lockdep_assert_held(&swap_abs_mutex);
	if (swap_abs_used())
		return 0;
	if (IS_ENABLED(CONFIG_ZSWAP) && !swap_zswap_tier)
		return -ENOMEM;

	if (!si) {
		si = swap_virtual_area_alloc(&swap_virtual_ops);
		if (IS_ERR(si))
			return PTR_ERR(si);
		swap_virtual_area = si;
	}

	if (!swap_abs_vm) {
		slots = min3(swap_abs_max_slots, SWAP_ABS_MAX_SLOTS, swapfile_maximum_size);
		swap_abs_cap_clusters = max(slots / SWAPFILE_CLUSTER, 2UL);
		swap_abs_vm = get_vm_area(PAGE_ALIGN(swap_abs_cap_clusters *
						     sizeof(struct swap_cluster_info)),
					  VM_SPARSE);
		if (!swap_abs_vm)
			return -ENOMEM;
		/* One more than can be used (slot 0): the area is never full. */
		si->pages = swap_abs_cap_clusters * SWAPFILE_CLUSTER;
		si->cluster_info = swap_abs_vm->addr;
	}

	static_branch_enable(&swap_abs_key);
	while (atomic_long_read(&swap_abs_free_clusters) < swap_abs_clusters_ahead() &&
	       swap_abs_nr_clusters < swap_abs_cap_clusters) {
		err = swap_abs_grow();
		if (err)
			goto fail;
	}
	swap_abs_cluster_wanted();
	swap_virtual_area_start(si);
	return 0;
fail:
	static_branch_disable(&swap_abs_key);
	return err;
}

/**
 * swap_abs_switch - make new swap entries virtual, or physical
 * @on: which
 *
 * Either may happen at any time: entries of both kinds work next to each other,
 * and only where new ones go changes. The devices are counted as the layer can
 * use them before it promises anything.
 *
 * Context: process context, sleeps.
 * Return: 0, -ENOMEM, or -EPERM when all swap types are in use.
 */
int swap_abs_switch(bool on)
{
	int err = 0;

	mutex_lock(&swap_abs_mutex);
	if (on == swap_abs_on)
		goto out;

	if (on) {
		err = swap_abs_create();
		if (err)
			goto out;
		swap_tiers_adopt(true);
		WRITE_ONCE(swap_abs_on, true);
	} else {
		WRITE_ONCE(swap_abs_on, false);
		swap_tiers_adopt(false);
	}
out:
	mutex_unlock(&swap_abs_mutex);
	return err;
}

/* The descriptors of a locked virtual cluster, NULL when it is not in use. */
static unsigned long *swap_abs_desc(struct swap_cluster_info *ci)
{
	return rcu_dereference_protected(ci->desc, lockdep_is_held(&ci->lock));
}

/*
 * Capacity
 */

/**
 * swap_abs_take_room - promise device capacity
 * @nr: pages
 *
 * Context: any.
 * Return: true when devices can still store @nr pages, that are held now.
 */
bool swap_abs_take_room(long nr)
{
	long room = atomic_long_read(&nr_swap_pages);

	do {
		if (room < nr)
			return false;
	} while (!atomic_long_try_cmpxchg(&nr_swap_pages, &room, room - nr));

	return true;
}

/**
 * swap_abs_give_room - device capacity is not needed any longer
 * @nr: pages
 *
 * Context: any.
 */
void swap_abs_give_room(long nr)
{
	if (nr)
		atomic_long_add(nr, &nr_swap_pages);
}

long __swap_abs_ram_pages(struct mem_cgroup *memcg)
{
	long room = swap_abs_enabled() ? zswap_room() : 0;

	if (room <= 0 || !mem_cgroup_may_zswap(memcg) ||
	    !(swap_memcg_tiers(memcg, 1) & SWAP_TIER_ZSWAP) || !swap_abs_hope(memcg))
		return 0;
	return room;
}

bool __swap_abs_ram_present(void)
{
	return swap_abs_enabled() && zswap_is_enabled();
}

/* The rest of swap_folio_copy_is_last(). */
bool __swap_folio_copy_is_last(struct folio *folio)
{
	struct swap_tier *tier;
	unsigned long word;

	if (!folio_test_swapcache(folio) || !folio_swap_is_virtual(folio))
		return false;
	word = swap_abs_word(folio->swap);
	if (!swap_desc_on_device(word))
		return false;
	tier = __swap_entry_to_info(swap_desc_device_entry(word))->tier;
	return READ_ONCE(tier->state) == SWAP_TIER_DRAINING;
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
	if (device && swap_abs_room_is_short()) {
		if (swap_tiers_have_slots()) {
			swap_abs_room_gained();
		} else if (!swap_tiers_have_room(tiers & ~SWAP_TIER_ZSWAP)) {
			swap_abs_room_short();
			device = false;
		}
	}
	if (device && swap_abs_take_room(nr))
		return SWAP_ROOM_DEVICE;

	/* Slots that only the swap cache uses hold capacity: give some back. */
	if (vm_swap_full() && time_after(jiffies, READ_ONCE(next_reclaim))) {
		WRITE_ONCE(next_reclaim, jiffies + HZ / 10);
		schedule_work(&swap_virtual_area->reclaim_work);
		swap_packed_make_room();
	}

	rcu_read_lock();
	ram = swap_abs_ram_pages(folio_memcg(folio)) >= nr;
	rcu_read_unlock();
	if (ram)
		return SWAP_ROOM_RAM;
	swap_abs_in_vain(folio);
	return SWAP_ROOM_NONE;
}

/**
 * swap_abs_reserve_end - settle a reservation after the entries were allocated
 * @folio: the locked folio, in the swap cache when that has worked
 * @room: what swap_abs_reserve() has said
 */
void swap_abs_reserve_end(struct folio *folio, enum swap_room room)
{
	long i, nr = folio_nr_pages(folio);
	struct swap_cluster_info *ci;
	unsigned int ci_off;
	unsigned long *desc;

	if (!folio_test_swapcache(folio)) {
		if (room == SWAP_ROOM_DEVICE)
			swap_abs_give_room(nr);
		/* There are slots, but in dead space, which must be collected first. */
		else if (room == SWAP_ROOM_PHYSICAL && nr == 1)
			swap_abs_room_short();
		return;
	}
	if (room == SWAP_ROOM_DEVICE || room == SWAP_ROOM_PHYSICAL)
		return;

	ci_off = swp_cluster_offset(folio->swap);
	ci = swap_cluster_get_and_lock(folio);
	desc = swap_abs_desc(ci);
	for (i = 0; i < nr; i++)
		WRITE_ONCE(desc[ci_off + i], SWAP_DESC_NONE);
	swap_cluster_unlock(ci);
}

/*
 * Descriptors
 */

static struct swap_cluster_info *swap_abs_lock(swp_entry_t entry)
{
	return swap_cluster_lock(swap_virtual_area, swp_offset(entry));
}

/**
 * swap_abs_word - read a slot's descriptor
 * @entry: a virtual entry
 *
 * Context: any. Stable while a folio is locked in the slot, but for
 * SWAP_DESC_PIN; else a hint, which may be anything if the cluster is just being
 * freed: tables may come from a slab that uses them again at once.
 * Return: the word, SWAP_DESC_NONE where the slot's cluster is not in use.
 */
unsigned long swap_abs_word(swp_entry_t entry)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(entry);
	unsigned long *desc, word = SWAP_DESC_NONE;

	rcu_read_lock();
	desc = rcu_dereference(ci->desc);
	if (desc)
		word = READ_ONCE(desc[swp_cluster_offset(entry)]);
	rcu_read_unlock();
	return word;
}

/**
 * swap_abs_is_reserved - is device capacity held for a slot besides its data?
 * @entry: a virtual entry, whose folio is locked
 *
 * Return: true when it is.
 */
bool swap_abs_is_reserved(swp_entry_t entry)
{
	return swap_abs_word(entry) & SWAP_DESC_RESERVED;
}

/**
 * swap_abs_backing - where on a device a virtual entry's data is
 * @entry: an entry with a raw copy, whose folio is locked or under writeback
 *
 * Return: the device's type and offset.
 */
swp_entry_t swap_abs_backing(swp_entry_t entry)
{
	return swap_desc_device_entry(swap_abs_word(entry));
}

/**
 * swap_abs_init_slots - the descriptors of slots that are being allocated
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots
 *
 * Each has a page of device capacity; swap_abs_reserve_end() corrects that
 * where there is none.
 */
void swap_abs_init_slots(struct swap_cluster_info *ci, unsigned int ci_off,
			 unsigned int nr)
{
	unsigned long *desc = swap_abs_desc(ci) + ci_off;

	while (nr--) {
		VM_WARN_ON_ONCE(*desc != SWAP_DESC_NONE);
		WRITE_ONCE(*desc++, SWAP_DESC_RESERVED | SWAP_DESC_NONE);
	}
}

/*
 * Release the copies that @nr words point to. Pinned ones become orphans, that
 * their movers free. The words themselves are for the caller to set.
 *
 * Return: pages of device capacity that the words have held.
 */
static long swap_abs_drop_copies(const unsigned long *words, unsigned int nr)
{
	const struct swap_backend *backend;
	unsigned int i, run;
	long room = 0;

	for (i = 0; i < nr; i += run) {
		backend = swap_backend_of(words[i]);
		for (run = 0; i + run < nr; run++) {
			if (run && ((words[i + run] ^ words[i]) &
				    (SWAP_DESC_TAG_MASK | SWAP_DESC_PIN)))
				break;
			if (words[i + run] & SWAP_DESC_RESERVED)
				room++;
		}
		if (backend && !(words[i] & SWAP_DESC_PIN))
			room += backend->drop(words + i, run);
	}
	return room;
}

/**
 * swap_abs_drop - forget where the data of slots is, and release it
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots
 *
 * For slots that are freed, or whose folio makes the copies stale.
 *
 * Context: also under page-table locks and with interrupts off; O(@nr).
 */
void swap_abs_drop(struct swap_cluster_info *ci, unsigned int ci_off,
		   unsigned int nr)
{
	unsigned long *desc = swap_abs_desc(ci) + ci_off;
	unsigned int i;

	lockdep_assert_held(&ci->lock);
	swap_memcg_account(ci, ci_off, desc, NULL, nr);
	swap_abs_give_room(swap_abs_drop_copies(desc, nr));
	for (i = 0; i < nr; i++)
		WRITE_ONCE(desc[i], SWAP_DESC_NONE);
}

/**
 * swap_abs_drop_folio - release the copies of a folio's data
 * @folio: a locked folio in the swap cache, uptodate and dirty or about to be
 *	so (a copy without replacement goes only then), not under writeback
 *
 * Capacity that is reserved for the slots stays so.
 */
void swap_abs_drop_folio(struct folio *folio)
{
	unsigned int i, nr = folio_nr_pages(folio), ci_off;
	struct swap_cluster_info *ci;
	unsigned long *desc;
	long room;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_uptodate(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio_test_writeback(folio), folio);

	ci = swap_cluster_get_and_lock(folio);
	ci_off = swp_cluster_offset(folio->swap);
	desc = swap_abs_desc(ci) + ci_off;
	swap_memcg_account(ci, ci_off, desc, NULL, nr);
	room = swap_abs_drop_copies(desc, nr);
	for (i = 0; i < nr; i++) {
		WRITE_ONCE(desc[i], desc[i] & SWAP_DESC_RESERVED);
		room -= !!desc[i];
	}
	swap_cluster_unlock(ci);
	swap_abs_give_room(room);
}

/*
 * No tier takes a locked, dirty folio: its copies are stale, and what was promised for it
 * can serve somebody else. @refused: zswap has not made it smaller.
 */
static void swap_abs_refuse_folio(struct folio *folio, bool refused)
{
	unsigned int i, nr = folio_nr_pages(folio), ci_off = swp_cluster_offset(folio->swap);
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);

	swap_abs_drop(ci, ci_off, nr);
	for (i = 0; refused && i < nr; i++)
		WRITE_ONCE(swap_abs_desc(ci)[ci_off + i], SWAP_DESC_NONE | SWAP_DESC_REFUSED);
	swap_cluster_unlock(ci);
	swap_abs_in_vain(folio);
}

/**
 * swap_abs_set_lost - say that a slot's data can't be read any longer
 * @ci: the locked virtual cluster
 * @ci_off: the slot, whose folio the caller holds locked, not uptodate
 *
 * Who loads it gets an error for this page, and whatever wanted to move it can
 * go on.
 */
void swap_abs_set_lost(struct swap_cluster_info *ci, unsigned int ci_off)
{
	swap_abs_drop(ci, ci_off, 1);
	WRITE_ONCE(swap_abs_desc(ci)[ci_off], SWAP_DESC_LOST);
}

/* Does the word hold a page of device capacity? */
static bool swap_desc_holds_room(unsigned long word)
{
	return (word & SWAP_DESC_RESERVED) || swap_desc_tag(word) == SWAP_DESC_RAW;
}

/* The same of a copy that is there: on a closed device it holds nothing of the others. */
static bool swap_desc_counts(unsigned long word)
{
	struct swap_info_struct *si;
	swp_entry_t entry;

	if (swap_desc_tag(word) != SWAP_DESC_RAW)
		return word & SWAP_DESC_RESERVED;
	entry = swap_desc_device_entry(word);
	si = __swap_entry_to_info(entry);
	return swp_offset(entry) / SWAPFILE_CLUSTER >= READ_ONCE(si->nr_closed);
}

/**
 * swap_abs_room_needed - what storing a folio on devices takes of their capacity
 * @folio: a locked folio in the swap cache of the virtual area
 *
 * Return: pages, besides what its slots hold already.
 */
long swap_abs_room_needed(struct folio *folio)
{
	long i, nr = folio_nr_pages(folio), needed = nr;
	swp_entry_t entry = folio->swap;

	for (i = 0; i < nr; i++, entry.val++)
		needed -= swap_desc_counts(swap_abs_word(entry));
	return needed;
}

/**
 * swap_abs_alloc_words - room for a descriptor a page of a folio
 * @folio: the folio
 * @single: a word of the caller's, enough for a small folio
 *
 * Context: may sleep, GFP_NOIO.
 * Return: the words, which swap_abs_free_words() frees, or NULL.
 */
unsigned long *swap_abs_alloc_words(struct folio *folio, unsigned long *single)
{
	if (!folio_test_large(folio))
		return single;
	return kmalloc_array(folio_nr_pages(folio), sizeof(*single),
			     GFP_NOIO | __GFP_NOWARN);
}

/**
 * swap_abs_free_words - take back swap_abs_alloc_words()
 * @words: what it has returned
 * @single: what it was given
 */
void swap_abs_free_words(unsigned long *words, unsigned long *single)
{
	if (words != single)
		kfree(words);
}

/**
 * swap_abs_install - say where a folio's data is from now on
 * @folio: a locked folio in the swap cache, not under writeback
 * @words: a descriptor a page
 * @taken: pages of device capacity that the caller has taken for them, besides
 *	what the slots hold already: swap_abs_room_needed()
 *
 * The copies that were known before are released; capacity that the new places
 * don't need is given back.
 */
void swap_abs_install(struct folio *folio, const unsigned long *words, long taken)
{
	unsigned int i, nr = folio_nr_pages(folio), ci_off;
	struct swap_cluster_info *ci;
	unsigned long *desc, word;
	long room;

	VM_WARN_ON_ONCE_FOLIO(folio_test_writeback(folio), folio);

	ci = swap_cluster_get_and_lock(folio);
	ci_off = swp_cluster_offset(folio->swap);
	desc = swap_abs_desc(ci) + ci_off;
	swap_memcg_account(ci, ci_off, desc, words, nr);
	room = swap_abs_drop_copies(desc, nr) + taken;
	for (i = 0; i < nr; i++) {
		word = words[i];
		/* swapoff has cancelled what the new place wanted to keep. */
		if (!taken && !swap_desc_holds_room(desc[i]))
			word &= ~SWAP_DESC_RESERVED;
		WRITE_ONCE(desc[i], word);
		room -= swap_desc_holds_room(word);
	}
	swap_cluster_unlock(ci);

	/* Less than zero is what turned out to be bad in the old places. */
	swap_abs_give_room(room);
}

/**
 * swap_abs_pin - keep a copy from being freed while it is moved
 * @entry: the slot
 * @place: swap_desc_place() of the word that was seen there
 *
 * Nothing but the word has been looked at until now; once it is pinned, what
 * it points to may be. Loads go on from there.
 *
 * Context: process context, takes the virtual cluster's lock.
 * Return: true when the word is still there and was not pinned: the caller is
 * its mover and must end with swap_abs_commit() or swap_abs_unpin().
 */
bool swap_abs_pin(swp_entry_t entry, unsigned long place)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	unsigned long *desc = swap_abs_desc(ci);
	bool pinned = false;

	if (desc) {
		desc += swp_cluster_offset(entry);
		if (swap_desc_place(*desc) == place && !(*desc & SWAP_DESC_PIN)) {
			WRITE_ONCE(*desc, *desc | SWAP_DESC_PIN);
			pinned = true;
		}
	}
	swap_cluster_unlock(ci);
	return pinned;
}

/**
 * swap_abs_unpin - give a move up
 * @entry: the slot
 * @place: what swap_abs_pin() was given
 *
 * Return: true when the copy is back where it was; false when it was dropped
 * meanwhile: it is an orphan then, and the caller frees it.
 */
bool swap_abs_unpin(swp_entry_t entry, unsigned long place)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	unsigned long *desc = swap_abs_desc(ci);
	bool ours = false;

	if (desc) {
		desc += swp_cluster_offset(entry);
		/* Only the mover clears the bit, so this is the same copy. */
		if ((*desc & SWAP_DESC_PIN) && swap_desc_place(*desc) == place) {
			WRITE_ONCE(*desc, *desc & ~SWAP_DESC_PIN);
			ours = true;
		}
	}
	swap_cluster_unlock(ci);
	return ours;
}

/**
 * swap_abs_commit - end a move: the data is at its new place
 * @entry: the slot
 * @place: what swap_abs_pin() was given
 * @new: the new word; the data is there and safe, or @locked guards it
 * @locked: the folio of the slot when the caller holds it locked, else NULL
 * @taken: pages of device capacity that the caller has taken for @new
 *
 * Context: process context, takes the virtual cluster's lock, never waits for
 * a folio.
 * Return: true when the word is @new now: the caller frees the old copy. False
 * when the copy was dropped meanwhile or its folio is in use: the caller drops
 * the new one and calls swap_abs_unpin().
 */
bool swap_abs_commit(swp_entry_t entry, unsigned long place, unsigned long new,
		     struct folio *locked, long taken)
{
	struct swap_cluster_info *ci = swap_abs_lock(entry);
	unsigned int ci_off = swp_cluster_offset(entry);
	unsigned long *desc = swap_abs_desc(ci);
	struct folio *folio = NULL;
	bool committed = false;
	unsigned long swp_tb;
	long room;

	if (!desc)
		goto out;
	desc += ci_off;
	if (!(*desc & SWAP_DESC_PIN) || swap_desc_place(*desc) != place)
		goto out;

	swp_tb = __swap_table_get(ci, ci_off);
	if (swp_tb_is_folio(swp_tb) && swp_tb_to_folio(swp_tb) != locked) {
		folio = swp_tb_to_folio(swp_tb);
		/* Under the cluster lock it can't leave the swap cache. */
		if (!folio_trylock(folio)) {
			folio = NULL;
			goto out;
		}
		if (folio_test_writeback(folio))
			goto out;
	}

	/* Less than zero when swapoff has cancelled the reservation meanwhile. */
	room = !!(*desc & SWAP_DESC_RESERVED) + taken - swap_desc_holds_room(new);
	swap_memcg_account(ci, ci_off, desc, &new, 1);
	WRITE_ONCE(*desc, new);
	swap_abs_give_room(room);
	committed = true;
out:
	if (folio)
		folio_unlock(folio);
	swap_cluster_unlock(ci);
	return committed;
}

/*
 * Give up the reservations of a cluster. A slot whose folio is locked may not be
 * settled yet (swap_abs_reserve_end()): its bit may stand for nothing. Return: how
 * many of these there are.
 */
static unsigned int swap_abs_cancel_cluster(unsigned long slot)
{
	struct swap_cluster_info *ci = swap_cluster_lock(swap_virtual_area, slot);
	unsigned long *desc = swap_abs_desc(ci), swp_tb;
	unsigned int i, busy = 0;
	struct folio *folio;
	long room = 0;

	for (i = 0; desc && i < SWAPFILE_CLUSTER; i++) {
		if (!(desc[i] & SWAP_DESC_RESERVED))
			continue;
		swp_tb = __swap_table_get(ci, i);
		folio = swp_tb_is_folio(swp_tb) ? swp_tb_to_folio(swp_tb) : NULL;
		if (folio && !folio_trylock(folio)) {
			busy++;
			continue;
		}
		WRITE_ONCE(desc[i], desc[i] & ~SWAP_DESC_RESERVED);
		room++;
		if (folio)
			folio_unlock(folio);
	}
	swap_abs_give_room(room);
	swap_cluster_unlock(ci);
	return busy;
}

/**
 * swap_abs_cancel_promises - give reservations up that can't be kept
 *
 * After swapoff less is left than was promised, if what it was promised to is
 * in RAM still: folios on their way out, and pages that zswap could not make
 * smaller. These stay there.
 *
 * Context: process context, sleeps.
 */
void swap_abs_cancel_promises(void)
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
			busy += swap_abs_cancel_cluster(slot);
			cond_resched();
		}
		if (busy)
			schedule_timeout_uninterruptible(1);
	} while (busy && --tries);
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
		tier = swap_desc_tier(swap_abs_word(slot));
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
	unsigned long may;
	int i;

	/* By the slot: when the cgroup has been removed, the folio is its parent's. */
	may = swap_memcg_tiers_of(folio->swap, folio_nr_pages(folio));
	if (~may & tiers & SWAP_TIERS_ALL)
		may |= swap_abs_tier_held(folio) & swap_memcg_tiers_of(folio->swap, 0);
	tiers &= may | SWAP_TIERS_MOVED;
	for (i = 0; i < ARRAY_SIZE(swap_backends); i++) {
		if (!swap_backends[i]->store(ctx, folio, tiers))
			return 0;
		/* What zswap refuses stays in RAM then. */
		if (!folio_zswap_writeback_enabled(folio))
			break;
	}
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
	    (swap_tiers_of_folio(folio) & READ_ONCE(swap_tiers_present)))
		swap_abs_room_short();
	swap_abs_refuse_folio(folio, room > 0);
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
	unsigned long word = swap_abs_word(folio->swap);
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
 * swap_abs_same_load - can a range of slots be loaded into one folio?
 * @ci: the locked virtual cluster
 * @ci_off: first slot
 * @nr: number of slots, each in use and without a folio, all or none zero
 *
 * Return: true when their data is in places that one load can handle.
 */
bool swap_abs_same_load(struct swap_cluster_info *ci, unsigned int ci_off,
			unsigned int nr)
{
	const unsigned long *desc = swap_abs_desc(ci) + ci_off;
	const struct swap_backend *backend = swap_backend_of(desc[0]);
	unsigned int i;

	if (swap_desc_tag(desc[0]) == SWAP_DESC_LOST)
		return false;
	for (i = 1; i < nr; i++) {
		if (swap_desc_tag(desc[i]) != swap_desc_tag(desc[0]))
			return false;
		if (backend && !backend->same_load(desc[0], desc[i], i))
			return false;
	}
	return !backend || backend->same_load(desc[0], desc[0], 0);
}

/* The answer to swap_entry_synchronous() for a virtual entry. */
bool swap_abs_synchronous(swp_entry_t entry)
{
	unsigned long word = swap_abs_word(entry);
	const struct swap_backend *backend = swap_backend_of(word);

	/* In the folio only, zero-filled, or lost: nothing is waited for. */
	return !backend || backend->synchronous(word);
}

/* The answer to swap_folio_stable_writes() for a virtual folio. */
bool swap_abs_stable_writes(struct folio *folio)
{
	swp_entry_t entry = folio->swap;
	const struct swap_backend *backend;
	unsigned long word;
	unsigned int i;

	for (i = 0; i < folio_nr_pages(folio); i++, entry.val++) {
		word = swap_abs_word(entry);
		backend = swap_backend_of(word);
		if (backend && backend->stable(word))
			return true;
	}
	return false;
}

static int swap_abs_sysctl(const struct ctl_table *table, int write,
			   void *buffer, size_t *lenp, loff_t *ppos)
{
	int val = READ_ONCE(swap_abs_on), ret;
	const struct ctl_table copy = {
		.data		= &val,
		.maxlen		= sizeof(val),
		.mode		= table->mode,
		.extra1		= SYSCTL_ZERO,
		.extra2		= SYSCTL_ONE,
	};

	ret = proc_dointvec_minmax(&copy, write, buffer, lenp, ppos);
	if (ret || !write)
		return ret;
	return swap_abs_switch(val);
}

static const struct ctl_table swap_abs_sysctl_table[] = {
	{
		.procname	= "swap_abs",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= swap_abs_sysctl,
	},
};

static int __init swap_abs_init(void)
{
	/* Frozen while there is a hibernation image: it knows lent clusters as lent. */
	swap_abs_wq = alloc_workqueue("swap_abs",
				      WQ_MEM_RECLAIM | WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!swap_abs_wq)
		return -ENOMEM;

	register_sysctl_init("vm", swap_abs_sysctl_table);
	if (IS_ENABLED(CONFIG_SWAP_ABS_DEFAULT_ON))
		return swap_abs_switch(true);
	return 0;
}
late_initcall(swap_abs_init);
