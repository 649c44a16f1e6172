// SPDX-License-Identifier: GPL-2.0
/*
 * What reclaim has tried in vain with the swap abstraction, so that it neither goes on
 * for ever nor gives up while there is room.
 *
 * Capacity of devices is counted, and a page that has been promised some can go. Without
 * that two hopes are left: zswap may make the page smaller, which is known only by
 * trying; and a page in the swap cache may have its copy somewhere already, and can just
 * be dropped. Both are pursued for as long as it may pay: what is tried in vain is
 * counted, for the cgroup and for all together, and each success takes some of that
 * back. When as many pages as there are on the LRU lists have been tried, there is no
 * hope, and reclaim does not look at anonymous memory any more. So the OOM killer
 * comes as soon as each page has been tried once. What was tried is forgotten when a part
 * of these pages has gone, when a device comes, or when nobody has tried for a second.
 *
 * A page that zswap has refused, and that nobody has mapped since, is remembered by
 * itself (SWAP_DESC_REFUSED): it is not compressed again.
 *
 * The other kind of refusal is for a moment only: capacity has been promised that must be
 * collected first. Whoever reclaims for himself waits for that, a tenth of a second at
 * most and with no lock held. He also waits where most of what he finds is being written: 7.3
 * leaves that to the throttling of who dirties pages of files, and kills in a cgroup whose
 * anonymous pages are all on their way to a slow device.
 *
 * To hold: nothing here is needed for data to be right. Counts may be wrong by what
 * happens at the same time. Callers are mm/vmscan.c through include/linux/swap_abs.h
 * and mm/swap_abs.h, and mm/swap_abs.c. No locks.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/wait.h>
#include "../internal.h"
#include "../swap.h"
#include "memcg.h"
#include "slots.h"
#include "tier.h"

/*
 * Tries that one success is worth, those that each page in the swap cache is, and the
 * part of the pages that must have gone before what was tried is forgotten.
 */
#define SWAP_VAIN_WORTH		64
#define SWAP_VAIN_TRIES		8
#define SWAP_VAIN_PART		8

/*
 * Isolated pages are not counted by cgroup, and by generations not at all; these are as
 * many as reclaim takes at once.
 */
static unsigned long swap_vain_isolated(void)
{
	return lru_gen_enabled() ? 4096 : 1024;
}

/* For all cgroups together. */
static struct swap_vain swap_vain_all;

/* Changes when a device has come. */
static atomic_t swap_vain_devices = ATOMIC_INIT(0);

/* No segment or slot could be had for what has been promised one. */
static bool swap_room_short;
static atomic_t swap_room_gains = ATOMIC_INIT(0);

/*
 * Since when somebody waits for collection, in jiffies, 0 for not since it has made room
 * last; and for how long that is done, because it may have nothing to give.
 */
static unsigned long swap_room_since;
#define SWAP_ROOM_PATIENCE	(HZ / 2)
static DECLARE_WAIT_QUEUE_HEAD(swap_room_wait);

/* Where it is counted for a cgroup; for all where it has nothing of its own. */
static struct swap_vain *swap_vain_of(struct mem_cgroup *memcg)
{
	return swap_memcg_vain(memcg) ?: &swap_vain_all;
}

static unsigned long swap_vain_state(struct mem_cgroup *memcg, enum node_stat_item item)
{
	if (swap_memcg_vain(memcg))
		return memcg_page_state(memcg, item);
	return global_node_page_state(item);
}

/* Pages that reclaim could look at, and those that it may have isolated just now. */
static unsigned long swap_vain_lru(struct mem_cgroup *memcg)
{
	return swap_vain_state(memcg, NR_INACTIVE_ANON) +
	       swap_vain_state(memcg, NR_ACTIVE_ANON) + swap_vain_isolated();
}

/* Slots that have data in some tier. */
static unsigned long swap_vain_copies(struct mem_cgroup *memcg)
{
	return swap_memcg_vain(memcg) ? swap_memcg_stored(memcg) : swap_tiers_stored();
}

/* Slots in use, those that are zero-filled too: it may be more than have data anywhere. */
static unsigned long swap_vain_slots(struct mem_cgroup *memcg)
{
	if (swap_memcg_vain(memcg))
		return swap_memcg_slots(memcg);
	return swap_device_usage(swap_virtual_area);
}

/*
 * Forget what was tried when less is left of it, when nobody has tried for some time, or
 * when there is another device.
 */
static void swap_vain_refresh(struct swap_vain *vain, unsigned long lru)
{
	unsigned int devices = atomic_read(&swap_vain_devices);

	/* What is isolated just now has not gone. */
	if (lru + swap_vain_isolated() <
	    READ_ONCE(vain->lru) / SWAP_VAIN_PART * (SWAP_VAIN_PART - 1) ||
	    time_after(jiffies, READ_ONCE(vain->last) + HZ) ||
	    READ_ONCE(vain->devices) != devices) {
		WRITE_ONCE(vain->devices, devices);
		atomic_long_set(&vain->pages, 0);
	}
}

/* Is less than @limit of @lru pages tried in vain? */
static bool swap_vain_below(struct swap_vain *vain, unsigned long lru, unsigned long limit)
{
	if (!atomic_long_read(&vain->pages))
		return true;
	swap_vain_refresh(vain, lru);
	return atomic_long_read(&vain->pages) < limit;
}

static void swap_vain_add(struct swap_vain *vain, unsigned long lru, unsigned long nr)
{
	swap_vain_refresh(vain, lru);
	WRITE_ONCE(vain->lru, lru);
	WRITE_ONCE(vain->last, jiffies);
	atomic_long_add(nr, &vain->pages);
}

static void swap_vain_sub(struct swap_vain *vain, unsigned long nr)
{
	long pages = atomic_long_read(&vain->pages);

	if (pages)
		atomic_long_set(&vain->pages, max(pages - (long)nr * SWAP_VAIN_WORTH, 0));
}

/**
 * swap_vain_note - a folio could not be swapped out
 * @folio: the locked folio
 *
 * Context: reclaim, does not sleep.
 */
void swap_vain_note(struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio);
	struct mem_cgroup *memcg;

	/* Who asks for certain pages to go (MADV_PAGEOUT) says nothing about the others. */
	if (!current->reclaim_state)
		return;
	rcu_read_lock();
	memcg = folio_memcg(folio);
	if (swap_memcg_vain(memcg))
		swap_vain_add(swap_memcg_vain(memcg), swap_vain_lru(memcg), nr);
	swap_vain_add(&swap_vain_all, swap_vain_lru(NULL), nr);
	rcu_read_unlock();
}

/* The rest of swap_folio_gone(). */
void __swap_abs_gone(struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio);
	struct swap_vain *vain;

	/* It is above zero whenever that of a cgroup is, but for races. */
	if (!atomic_long_read(&swap_vain_all.pages))
		return;
	rcu_read_lock();
	vain = swap_vain_of(folio_memcg(folio));
	swap_vain_sub(vain, nr);
	if (vain != &swap_vain_all)
		swap_vain_sub(&swap_vain_all, nr);
	rcu_read_unlock();
}

/**
 * swap_vain_hope - may zswap make pages smaller that have no capacity of devices?
 * @memcg: whose pages, NULL for anybody's
 *
 * Context: any, does not sleep.
 * Return: false when all there are have been tried.
 */
bool swap_vain_hope(struct mem_cgroup *memcg)
{
	unsigned long lru = swap_vain_lru(memcg);

	return swap_vain_below(swap_vain_of(memcg), lru, lru);
}

/*
 * What is known of a cgroup may be two seconds old, and whoever is told that nothing remains
 * has its processes killed long before that. Return: true when it is better known now.
 */
static bool swap_vain_flush(struct mem_cgroup *memcg, unsigned long age)
{
	struct swap_vain *vain = swap_memcg_vain(memcg);

	if (!vain || time_before(jiffies, READ_ONCE(vain->flushed) + age))
		return false;
	WRITE_ONCE(vain->flushed, jiffies);
	mem_cgroup_flush_stats(memcg);
	return true;
}

static bool swap_closed_tiers_seem_to_have_copies(struct mem_cgroup *memcg)
{
	unsigned long copies = swap_vain_copies(memcg);
	/*
	 * Not those of entries that are not virtual, whose copies are not counted either.
	 * What is known of a cgroup may be old, what is known of all is not.
	 */
	unsigned long counted = min3(swap_vain_state(memcg, NR_SWAPCACHE), copies,
				     global_node_page_state(NR_SWAPCACHE));
	unsigned long lru = swap_vain_lru(memcg);
	unsigned long cached = counted;

	/* So many may not have been counted for the cgroup yet. */
	if (swap_memcg_vain(memcg))
		cached += min(copies, swap_memcg_uncounted());
	/* Too few to find them. */
	if (cached < SWAP_CLUSTER_MAX || cached < lru / 256)
		return false;
	/* More copies than slots that are not in the swap cache: these must be there. */
	if ((long)(counted + copies - swap_vain_slots(memcg)) >
	    (long)max(lru / 256, SWAP_CLUSTER_MAX))
		return true;
	return swap_vain_below(swap_vain_of(memcg), lru, min(lru, SWAP_VAIN_TRIES * cached));
}

/* The rest of swap_closed_tiers_have_copies(). */
bool __swap_closed_tiers_have_copies(struct mem_cgroup *memcg)
{
	bool remain = swap_closed_tiers_seem_to_have_copies(memcg);

	/* To look for what has gone costs time; not to look for what is there, a process. */
	if (swap_vain_flush(memcg, remain ? HZ / 10 : HZ / 50))
		remain = swap_closed_tiers_seem_to_have_copies(memcg);
	return remain;
}

/* The rest of swap_folio_refused(). */
bool __swap_folio_refused(struct folio *folio)
{
	unsigned long tiers;
	swap_desc_t word;
	bool refused;

	if (folio_test_large(folio) || !folio_test_dirty(folio) ||
	    !folio_swap_is_virtual(folio))
		return false;
	word = swap_desc_read(folio->swap);
	if (swap_desc_tag(word) != SWAP_DESC_NONE || swap_desc_is_reserved(word))
		return false;
	if (atomic_long_read(&nr_swap_pages) > 0) {
		/* Is that where its cgroup may have it? */
		tiers = swap_memcg_tiers_of(folio->swap, 1);
		if (!swap_tiers_restricted(tiers) ||
		    swap_tiers_have_room(tiers & ~SWAP_TIER_ZSWAP))
			return false;
	}
	refused = zswap_room() <= 0 || (swap_desc_is_refused(word) && !folio_mapped(folio));
	if (refused)
		swap_vain_note(folio);
	return refused;
}

/**
 * swap_vain_room_short - what was promised could not be stored at once
 *
 * Context: any.
 */
void swap_vain_room_short(void)
{
	WRITE_ONCE(swap_room_short, true);
	swap_tiers_make_room();
}

/* The rest of swap_abs_device_pages(). */
long __swap_abs_device_pages(struct mem_cgroup *memcg, long nr)
{
	if (!READ_ONCE(swap_room_short))
		return nr;
	/* There are slots by now, for any page. */
	if (swap_tiers_have_slots())
		swap_vain_room_gained();
	else if (!swap_vain_hope(memcg))
		return 0;
	return nr;
}

/**
 * swap_vain_device_came - a device is in use, or in use again
 *
 * What was tried in vain may go there.
 */
void swap_vain_device_came(void)
{
	atomic_inc(&swap_vain_devices);
	swap_vain_room_gained();
}

/* May a promise have to wait for collection? A hint. */
bool swap_vain_room_is_short(void)
{
	return READ_ONCE(swap_room_short);
}

/**
 * swap_vain_room_gained - collection has made room
 *
 * Context: any but interrupts.
 */
void swap_vain_room_gained(void)
{
	WRITE_ONCE(swap_room_short, false);
	WRITE_ONCE(swap_room_since, 0);
	atomic_inc(&swap_room_gains);
	wake_up_all(&swap_room_wait);
}

/* Is there hope that collection makes room? */
static bool swap_room_is_coming(void)
{
	unsigned long since = READ_ONCE(swap_room_since);

	if (!READ_ONCE(swap_room_short) || !swap_tiers_making_room())
		return false;
	if (!since) {
		since = jiffies | 1;
		WRITE_ONCE(swap_room_since, since);
	}
	return time_before(jiffies, since + SWAP_ROOM_PATIENCE);
}

/* The rest of swap_throttle_reclaim(). */
void __swap_throttle_reclaim(gfp_t gfp, bool writing)
{
	int gains = atomic_read(&swap_room_gains);

	if (current_is_kswapd() || !(gfp & __GFP_IO) || (gfp & __GFP_NORETRY) ||
	    freezing(current) || fatal_signal_pending(current))
		return;
	if (swap_room_is_coming())
		wait_event_timeout(swap_room_wait, atomic_read(&swap_room_gains) != gains,
				   HZ / 10);
	else if (writing)
		reclaim_throttle(NODE_DATA(numa_mem_id()), VMSCAN_THROTTLE_WRITEBACK);
}
