// SPDX-License-Identifier: GPL-2.0
/*
 * What reclaim has tried in vain with the swap abstraction. Reclaim asks this
 * file, so that it neither goes on for ever nor gives up while there is room.
 *
 * The capacity of devices is counted, and a page that has been promised some
 * can leave RAM. Without capacity, reclaim has two hopes left. zswap may make a
 * page smaller, which only a try can tell. And a page in the swap cache may
 * already have its copy somewhere, so that reclaim can just drop the page.
 * Reclaim pursues both for as long as they may pay. This file counts the pages
 * that reclaim has tried in vain, for each cgroup and for all together, and
 * each success takes some of the count back. When reclaim has tried as many
 * pages as there are on the LRU lists, there is no hope left, and reclaim does
 * not look at anonymous memory any more. So the OOM killer comes as soon as
 * each page has been tried once. The count is forgotten when an eighth of these
 * pages has gone, when a device comes, or when reclaim has not tried for a
 * second.
 *
 * The word of a page that zswap has refused says so (SWAP_DESC_REFUSED). As
 * long as no process has mapped the page since, zswap does not compress it
 * again.
 *
 * The other kind of refusal does not last: the capacity has been promised, but
 * must be collected first. A task in direct reclaim waits for the collector,
 * for a tenth of a second at a time at most, and with no lock held. Such a task
 * also waits when most of the pages that it finds are under writeback. 7.3
 * leaves that wait to the throttling of tasks that dirty pages of files, and so
 * kills processes of a cgroup whose anonymous pages are all on their way to a
 * slow device.
 *
 * To hold: whether data is right never depends on this file. The counts may
 * miss events that happen at the same time.
 *
 * The callers are mm/vmscan.c, through include/linux/swap_abs.h and
 * mm/swap_abs.h, and mm/swap_abs.c. No locks.
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
 * How many tries a success takes back, how many tries each page in the swap
 * cache is worth, and which part of the pages (one in so many) must have gone
 * before the count is forgotten.
 */
#define SWAP_VAIN_WORTH		64
#define SWAP_VAIN_TRIES		8
#define SWAP_VAIN_PART		8

/*
 * Return about how many pages reclaim has isolated. No cgroup counts isolated
 * pages, and the multi-gen LRU does not count them at all, so this returns as
 * many as reclaim takes at once.
 */
static unsigned long swap_vain_isolated(void)
{
	return lru_gen_enabled() ? 4096 : 1024;
}

/* The counts for all cgroups together. */
struct swap_vain swap_vain_all;

/* Changes whenever a device comes. */
static atomic_t swap_vain_devices = ATOMIC_INIT(0);

/* Set when a page that was promised room could get no segment or slot. */
static bool swap_room_short;
static atomic_t swap_room_gains = ATOMIC_INIT(0);

/*
 * When the first task began to wait for the collector, in jiffies, or 0 if no
 * task has waited since the collector made room last. Tasks wait no longer than
 * SWAP_ROOM_PATIENCE, because the collector may have nothing to give.
 */
static unsigned long swap_room_since;
#define SWAP_ROOM_PATIENCE	(HZ / 2)
static DECLARE_WAIT_QUEUE_HEAD(swap_room_wait);

/* Return the counts of a cgroup, or those for all if it has none of its own. */
static struct swap_vain *swap_vain_of(struct mem_cgroup *memcg)
{
	return swap_memcg_vain(memcg) ?: &swap_vain_all;
}

static unsigned long swap_vain_state(struct mem_cgroup *memcg,
				     enum node_stat_item item)
{
	if (swap_memcg_vain(memcg))
		return memcg_page_state(memcg, item);
	return global_node_page_state(item);
}

/* Return how many pages reclaim could look at, with those that are isolated. */
static unsigned long swap_vain_lru(struct mem_cgroup *memcg)
{
	return swap_vain_state(memcg, NR_INACTIVE_ANON) +
	       swap_vain_state(memcg, NR_ACTIVE_ANON) + swap_vain_isolated();
}

/* Return how many slots have data in some tier. */
static unsigned long swap_vain_copies(struct mem_cgroup *memcg)
{
	return swap_memcg_vain(memcg) ? swap_memcg_stored(memcg) :
					swap_tiers_stored();
}

/*
 * Return how many slots are in use. Zero-filled ones are among them, so this
 * may be more than have data in a tier.
 */
static unsigned long swap_vain_slots(struct mem_cgroup *memcg)
{
	if (swap_memcg_vain(memcg))
		return swap_memcg_slots(memcg);
	return swap_device_usage(swap_virtual_area);
}

/*
 * Forget the count when fewer of the pages are left, when reclaim has not tried
 * for some time, or when another device has come.
 */
static void swap_vain_refresh(struct swap_vain *vain, unsigned long lru)
{
	unsigned int devices = atomic_read(&swap_vain_devices);

	/* Pages that are only isolated have not gone. */
	if (lru + swap_vain_isolated() <
	    READ_ONCE(vain->lru) / SWAP_VAIN_PART * (SWAP_VAIN_PART - 1) ||
	    time_after(jiffies, READ_ONCE(vain->last) + HZ) ||
	    READ_ONCE(vain->devices) != devices) {
		WRITE_ONCE(vain->devices, devices);
		atomic_long_set(&vain->pages, 0);
	}
}

/* Tell whether fewer than @limit pages of @lru have been tried in vain. */
static bool swap_vain_below(struct swap_vain *vain, unsigned long lru,
			    unsigned long limit)
{
	if (!atomic_long_read(&vain->pages))
		return true;
	swap_vain_refresh(vain, lru);
	return atomic_long_read(&vain->pages) < limit;
}

static void swap_vain_add(struct swap_vain *vain, unsigned long lru,
			  unsigned long nr)
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
		atomic_long_set(&vain->pages,
				max(pages - (long)nr * SWAP_VAIN_WORTH, 0));
}

/* Count a locked folio that reclaim could not swap out. Does not sleep. */
void swap_vain_note(struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio);
	struct mem_cgroup *memcg;

	/* MADV_PAGEOUT wants certain pages; that says nothing about others. */
	if (!current->reclaim_state)
		return;
	rcu_read_lock();
	memcg = folio_memcg(folio);
	if (swap_memcg_vain(memcg))
		swap_vain_add(swap_memcg_vain(memcg), swap_vain_lru(memcg), nr);
	swap_vain_add(&swap_vain_all, swap_vain_lru(NULL), nr);
	rcu_read_unlock();
}

/* Take back some of the tries, for swap_folio_gone(). */
void __swap_abs_gone(struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio);
	struct swap_vain *vain;

	rcu_read_lock();
	vain = swap_vain_of(folio_memcg(folio));
	swap_vain_sub(vain, nr);
	if (vain != &swap_vain_all)
		swap_vain_sub(&swap_vain_all, nr);
	rcu_read_unlock();
}

/*
 * Tell whether zswap may still make pages smaller that have no device capacity.
 * False when reclaim has tried all pages of @memcg, or all there are if that is
 * NULL. Any context, does not sleep.
 */
bool swap_vain_hope(struct mem_cgroup *memcg)
{
	unsigned long lru = swap_vain_lru(memcg);

	return swap_vain_below(swap_vain_of(memcg), lru, lru);
}

/*
 * Flush a cgroup's statistics if the last flush was @age jiffies ago. They may
 * be two seconds old, and when reclaim is told that nothing is left, a process
 * of the cgroup is killed long before that. Return true when they have been
 * flushed.
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
	 * Leave out the folios of physical entries, because their copies are
	 * not counted either. The cgroup's count may be old; the count of all
	 * is not.
	 */
	unsigned long counted = min3(swap_vain_state(memcg, NR_SWAPCACHE),
				     copies,
				     global_node_page_state(NR_SWAPCACHE));
	unsigned long lru = swap_vain_lru(memcg);
	unsigned long cached = counted;

	/* The cgroup's statistics may lack up to so many pages. */
	if (swap_memcg_vain(memcg))
		cached += min(copies, swap_memcg_uncounted());
	/* Reclaim would not find so few pages among so many. */
	if (cached < SWAP_CLUSTER_MAX || cached < lru / 256)
		return false;
	/*
	 * When cached pages and copies together are more than the slots, some
	 * cached pages must have a copy.
	 */
	if ((long)(counted + copies - swap_vain_slots(memcg)) >
	    (long)max(lru / 256, SWAP_CLUSTER_MAX))
		return true;
	return swap_vain_below(swap_vain_of(memcg), lru,
			       min(lru, SWAP_VAIN_TRIES * cached));
}

/* Answer swap_closed_tiers_have_copies(); flush statistics that are old. */
bool __swap_closed_tiers_have_copies(struct mem_cgroup *memcg)
{
	bool remain = swap_closed_tiers_seem_to_have_copies(memcg);

	/*
	 * A search for pages that have gone costs time, but to miss pages that
	 * are there costs a process. So flush sooner when none seem to be left.
	 */
	if (swap_vain_flush(memcg, remain ? HZ / 10 : HZ / 50))
		remain = swap_closed_tiers_seem_to_have_copies(memcg);
	return remain;
}

/* Answer swap_folio_refused() once there may be virtual entries. */
bool __swap_folio_refused(struct folio *folio)
{
	unsigned long tiers;
	swap_desc_t word;
	bool refused;

	if (folio_test_large(folio) || !folio_test_dirty(folio) ||
	    !folio_swap_is_virtual(folio))
		return false;
	word = swap_desc_of(folio->swap);
	if (swap_desc_tag(word) != SWAP_DESC_NONE ||
	    swap_desc_is_promised(word))
		return false;
	if (atomic_long_read(&nr_swap_pages) > 0) {
		/* The capacity counts only where the cgroup may have it. */
		tiers = swap_memcg_tiers_of(folio->swap, 1);
		if (!swap_tiers_restricted(tiers) ||
		    swap_tiers_open(tiers & ~SWAP_TIER_ZSWAP, SWAP_OPEN_ANY))
			return false;
	}
	refused = zswap_room() <= 0 ||
		  (swap_desc_is_refused(word) && !folio_mapped(folio));
	if (refused)
		swap_vain_note(folio);
	return refused;
}

/*
 * Note that promised capacity could not be used at once, and let the tiers make
 * room. Process context, does not sleep.
 */
void swap_vain_room_short(void)
{
	/* A task that saw the last shortage may have set the time after its end. */
	if (!READ_ONCE(swap_room_short))
		WRITE_ONCE(swap_room_since, 0);
	WRITE_ONCE(swap_room_short, true);
	swap_tiers_make_room();
}

/*
 * Return @nr, the pages of capacity that the devices have left, or 0 when
 * reclaim has tried to use them for @memcg in vain. Any context, does not
 * sleep.
 */
long swap_vain_device_pages(struct mem_cgroup *memcg, long nr)
{
	if (!READ_ONCE(swap_room_short))
		return nr;
	/* There are slots again, which suit any page. */
	if (swap_tiers_open(SWAP_TIERS_ALL, SWAP_OPEN_SLOTS))
		swap_vain_room_gained();
	else if (!swap_vain_hope(memcg))
		return 0;
	return nr;
}

/*
 * Let reclaim try again what it has tried in vain, because a device is in use,
 * or in use again. Any context but interrupts.
 */
void swap_vain_device_came(void)
{
	atomic_inc(&swap_vain_devices);
	swap_vain_room_gained();
}

/* Tell whether promised capacity may have to be collected first. A hint. */
bool swap_vain_room_is_short(void)
{
	return READ_ONCE(swap_room_short);
}

/*
 * Note that there is room, because the collector has made some or a device has
 * come back, and wake the tasks that wait for it. Any context but interrupts.
 */
void swap_vain_room_gained(void)
{
	WRITE_ONCE(swap_room_short, false);
	WRITE_ONCE(swap_room_since, 0);
	atomic_inc(&swap_room_gains);
	wake_up_all(&swap_room_wait);
}

/* Tell whether it is worth waiting for the collector to make room. */
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

#ifdef CONFIG_MEMCG
/*
 * Tell whether anonymous pages of a cgroup and its children may be on their way
 * to a device. Flush the statistics, however few changes they lack, because a
 * process is killed or waits for nothing if they are wrong. Sleeps.
 */
bool swap_cgroup_is_writing(struct mem_cgroup *memcg)
{
	css_rstat_flush(&memcg->css);
	return memcg_page_state(memcg, NR_ACTIVE_ANON) +
	       memcg_page_state(memcg, NR_INACTIVE_ANON) > SWAP_CLUSTER_MAX &&
	       memcg_page_state(memcg, NR_WRITEBACK);
}
#endif

/* Make direct reclaim wait, for swap_throttle_reclaim(). */
void __swap_throttle_reclaim(gfp_t gfp, bool writing)
{
	int gains = atomic_read(&swap_room_gains);

	if (current_is_kswapd() || !(gfp & __GFP_IO) || (gfp & __GFP_NORETRY) ||
	    freezing(current) || fatal_signal_pending(current))
		return;
	if (swap_room_is_coming())
		wait_event_timeout(swap_room_wait,
				   atomic_read(&swap_room_gains) != gains,
				   HZ / 10);
	else if (writing)
		reclaim_throttle(NODE_DATA(numa_mem_id()),
				 VMSCAN_THROTTLE_WRITEBACK);
}
