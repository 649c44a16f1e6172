// SPDX-License-Identifier: GPL-2.0
/*
 * Segments of a packed tier: clusters that its device has lent, where they come from, what
 * is live of them, and when there are so few that collection has to make some.
 *
 * A segment's references are its objects in use, its chunks in flight, and who fills or
 * collects it. Dropping an object is thus two atomic operations, under any lock; who drops
 * the last reference hands the segment to a worker. While a word points to an object, or is
 * pinned, its segment is where it was and has its sequence number, and no lock is needed to
 * look there.
 *
 * Capacity: a segment takes of nr_swap_pages what its live bytes need (swap_pack_held()), and
 * its dead space is room, because collection can have it back. swap_segment_account() keeps
 * that for each change of the live bytes. The reserve (SWAP_PACK_RESERVE) is in neither
 * nr_swap_pages nor SwapTotal from the first segment on, so that collection always has a
 * segment to fill.
 *
 * Called by mm/swap_abs/chunk.c, which fills segments, mm/swap_abs/collect.c, which empties
 * them, and mm/swap_abs/packed.c. Locks: swap_pack.lock, then those of the device.
 */
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../internal.h"
#include "../swap.h"
#include "packed.h"

/* Streams are flushed by it. Never frozen, as reclaim waits for it. */
struct workqueue_struct *swap_flush_wq;

/* Of its own: it waits for work of swap_abs_wq. */
struct workqueue_struct *swap_gc_wq;

/* Segments that are to be free for a hibernation image; 0 while none is to be made. */
unsigned long swap_gc_image;

/**
 * swap_packed_free_segments - segments that could be filled at once
 * @pack: of a tier
 *
 * Context: any. A hint: of the device's free space only whole clusters will do.
 * Return: their number, with those in reserve.
 */
unsigned long swap_packed_free_segments(struct swap_pack *pack)
{
	return READ_ONCE(pack->tier->nr_spares) + swap_tier_free_clusters(pack->tier);
}

/* Are few segments free? */
bool swap_pack_is_short(struct swap_pack *pack)
{
	return READ_ONCE(pack->starved) ||
	       swap_packed_free_segments(pack) <
	       swap_collect_below(pack->tier->si->max / SWAPFILE_CLUSTER);
}

/*
 * Are so few segments free that an image might have no room, though there is more dead
 * space than the segments that are being filled may have?
 */
bool swap_pack_is_short_of_image(struct swap_pack *pack)
{
	unsigned long image = READ_ONCE(swap_gc_image);
	s64 nr = percpu_counter_read_positive(&pack->tier->segments_held) / SWAPFILE_CLUSTER;
	unsigned int i;

	if (!image || swap_packed_free_segments(pack) >= image)
		return false;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		nr += !!READ_ONCE(pack->streams[i].segment);
	return READ_ONCE(pack->tier->nr_segments) > nr;
}

/**
 * swap_pack_gc_check - segments have come or gone: begin to collect if need be
 * @pack: of a tier
 *
 * Context: any, also with a virtual cluster's lock held and interrupts off.
 */
void swap_pack_gc_check(struct swap_pack *pack)
{
	bool is_short = swap_pack_is_short(pack);

	if (READ_ONCE(pack->stopped) || !(is_short || swap_pack_is_short_of_image(pack)))
		return;
	if (READ_ONCE(pack->tier->nr_segments))
		queue_work(swap_gc_wq, &pack->gc_work);
	/* What is free beside raw pages will do for an image. */
	if (is_short && !READ_ONCE(pack->quiet))
		swap_tier_compact(pack->tier);
}

/**
 * swap_segment_put - drop a reference
 * @segment: the segment, not to be used any more
 *
 * Context: any but interrupts.
 */
void swap_segment_put(struct swap_segment *segment)
{
	struct swap_pack *pack = segment->pack;

	if (!refcount_dec_and_test(&segment->refs))
		return;
	VM_WARN_ON_ONCE(swap_segment_live(segment));
	VM_WARN_ON_ONCE(atomic_read(&segment->writing));
	llist_add(&segment->dead, &pack->dead);
	queue_work(swap_abs_wq, &pack->release_work);
}

/* By the live bytes of a segment; the same as swap_victim_bucket(), in constants. */
unsigned int swap_segment_bucket(unsigned int live)
{
	return DIV_ROUND_UP(live, SWAP_SEGMENT_SIZE / SWAP_VICTIM_PARTS);
}

static unsigned int swap_segment_held(unsigned int live)
{
	if (live == SWAP_SEGMENT_BAD)
		return SWAPFILE_CLUSTER;
	return swap_pack_held(swap_segment_bucket(live), SWAPFILE_CLUSTER);
}

/*
 * Objects of @bytes have come, or with less than zero gone. Each crossing of a bucket
 * changes nr_swap_pages by what lies between the two, whoever is first, so the sum is
 * exact without a lock. Return: bytes that are live now.
 */
unsigned int swap_segment_account(struct swap_segment *segment, int bytes)
{
	unsigned int old = atomic_fetch_add(bytes, &segment->live);
	unsigned int before = old & ~SWAP_SEGMENT_CLOSED, live = before + bytes;
	struct swap_pack *pack = segment->pack;
	long held;

	percpu_counter_add(&pack->live, bytes);
	if (swap_segment_bucket(before) == swap_segment_bucket(live) &&
	    before != SWAP_SEGMENT_BAD && live != SWAP_SEGMENT_BAD)
		return live;

	held = (long)swap_segment_held(live) - (long)swap_segment_held(before);
	percpu_counter_add(&pack->tier->segments_held, held);
	if (!(old & SWAP_SEGMENT_CLOSED))
		swap_abs_give_room(-held);
	/* A segment that is being filled is listed when it is closed. */
	if (bytes < 0) {
		spin_lock(&pack->lock);
		swap_victims_update(&pack->victims, &segment->victim,
				    swap_segment_live(segment), READ_ONCE(pack->next_seq));
		spin_unlock(&pack->lock);
		swap_pack_gc_check(pack);
	}
	return live;
}

/**
 * swap_packed_close_segment - the device of a segment is being closed, or opened again
 * @ci: its locked cluster
 * @close: which
 *
 * What is there counts for nobody while the device is closed.
 *
 * Return: pages of capacity that it has held until now, or holds from now on.
 */
unsigned long swap_packed_close_segment(struct swap_cluster_info *ci, bool close)
{
	struct swap_segment *segment = ci->segment;
	unsigned int live;

	lockdep_assert_held(&ci->lock);
	if (close)
		live = atomic_fetch_or(SWAP_SEGMENT_CLOSED, &segment->live);
	else
		live = atomic_fetch_andnot(SWAP_SEGMENT_CLOSED, &segment->live);
	VM_WARN_ON_ONCE(!(live & SWAP_SEGMENT_CLOSED) != close);
	return swap_segment_held(live & ~SWAP_SEGMENT_CLOSED);
}

/* Pages of capacity that a segment takes, in its locked cluster. For the self-check. */
unsigned long swap_packed_segment_held(struct swap_cluster_info *ci)
{
	return swap_segment_held(swap_segment_live(ci->segment));
}

/*
 * One that is being filled, with nothing in use of it and nothing on its way, can
 * begin anew: let the flush worker look.
 */
void swap_segment_idle(struct swap_segment *segment)
{
	struct swap_pack *pack = segment->pack;
	int i;

	if (swap_segment_live(segment) || atomic_read(&segment->writing))
		return;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		if (READ_ONCE(pack->streams[i].segment) == segment)
			mod_delayed_work(swap_flush_wq, &pack->streams[i].flush, 0);
}

/* Give a segment's cluster back to the device. */
void swap_segment_return(struct swap_segment *segment)
{
	struct swap_pack *pack = segment->pack;
	struct swap_tier *tier = pack->tier;
	struct swap_cluster_info *ci = &tier->si->cluster_info[segment->index];

	spin_lock(&ci->lock);
	VM_WARN_ON_ONCE(ci->segment != segment);
	ci->segment = NULL;
	swap_cluster_return(tier->si, ci);
	spin_unlock(&ci->lock);
	mempool_free(segment, &pack->segments);
	atomic_long_dec(&tier->nr_lent);
}

/*
 * Is the reserve of no use any longer? Where nothing new is packed, and nothing that
 * is there could have to be collected.
 */
static bool swap_pack_is_idle(struct swap_pack *pack)
{
	return READ_ONCE(pack->stopped) ||
	       (READ_ONCE(pack->quiet) && !READ_ONCE(pack->tier->nr_segments));
}

/* Give what is kept as spares back, if that is of no use. */
void swap_pack_give_spares(struct swap_pack *pack)
{
	struct swap_segment *segment;

	spin_lock(&pack->lock);
	while (swap_pack_is_idle(pack) && !list_empty(&pack->spares)) {
		segment = list_first_entry(&pack->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(pack->tier->nr_spares, pack->tier->nr_spares - 1);
		spin_unlock(&pack->lock);
		swap_segment_return(segment);
		spin_lock(&pack->lock);
	}
	if (swap_pack_is_idle(pack) && pack->reserved) {
		WRITE_ONCE(pack->reserved, false);
		swap_tier_hide(pack->tier, -(long)SWAP_PACK_RESERVE * SWAPFILE_CLUSTER);
	}
	spin_unlock(&pack->lock);
}

/*
 * Segments that nothing refers to are spares again, or go back: on a workqueue
 * that is frozen while there is a hibernation image, which knows them as they are.
 */
void swap_pack_release_dead(struct swap_pack *pack)
{
	struct swap_segment *segment, *next;
	bool back, bad, gained = false;

	llist_for_each_entry_safe(segment, next, llist_del_all(&pack->dead), dead) {
		back = false;
		spin_lock(&pack->lock);
		if (segment->victim.listed)
			swap_victims_del(&pack->victims, &segment->victim);
		WRITE_ONCE(pack->tier->nr_segments, pack->tier->nr_segments - 1);
		bad = segment->victim.bad;
		if (bad) {
			list_add(&segment->victim.list, &pack->bad);
			WRITE_ONCE(pack->tier->nr_bad_segments, pack->tier->nr_bad_segments + 1);
		} else if (pack->tier->nr_spares < SWAP_PACK_RESERVE && !READ_ONCE(pack->stopped)) {
			list_add(&segment->victim.list, &pack->spares);
			WRITE_ONCE(pack->tier->nr_spares, pack->tier->nr_spares + 1);
		} else {
			back = true;
		}
		gained |= !bad;
		spin_unlock(&pack->lock);
		/* What nothing can be stored in is no room. */
		if (bad) {
			swap_segment_account(segment, SWAP_SEGMENT_BAD);
			percpu_counter_sub(&pack->live, SWAP_SEGMENT_BAD);
		}
		if (back) {
			swap_segment_return(segment);
			WRITE_ONCE(pack->starved, false);
		}
		/* Last: swapoff waits for it, then takes what is left. */
		percpu_counter_sub(&pack->tier->used, SWAPFILE_CLUSTER);
		cond_resched();
	}
	if (gained)
		swap_abs_room_gained();
	if (swap_pack_is_idle(pack))
		swap_pack_give_spares(pack);
}

void swap_pack_release(struct work_struct *work)
{
	swap_pack_release_dead(container_of(work, struct swap_pack, release_work));
}

/* Lend a cluster as a spare segment, without waiting. Return: true when there is one more. */
static bool swap_packed_refill(struct swap_pack *pack)
{
	struct swap_info_struct *si = pack->tier->si;
	struct swap_segment *segment;
	struct swap_cluster_info *ci;

	segment = mempool_alloc(&pack->segments, GFP_NOWAIT | __GFP_NOWARN);
	if (!segment)
		return false;
	ci = swap_cluster_lend(si, CLUSTER_FLAG_LENT_SEGMENT);
	if (!ci) {
		mempool_free(segment, &pack->segments);
		return false;
	}

	memset(segment, 0, sizeof(*segment));
	INIT_LIST_HEAD(&segment->victim.list);
	segment->pack = pack;
	segment->index = ci - si->cluster_info;
	ci->segment = segment;
	spin_unlock(&ci->lock);
	atomic_long_inc(&pack->tier->nr_lent);

	spin_lock(&pack->lock);
	if (READ_ONCE(pack->stopped)) {
		spin_unlock(&pack->lock);
		swap_segment_return(segment);
		return false;
	}
	list_add_tail(&segment->victim.list, &pack->spares);
	WRITE_ONCE(pack->tier->nr_spares, pack->tier->nr_spares + 1);
	spin_unlock(&pack->lock);
	return true;
}

/*
 * Take the reserve out of the capacity, once. Not where there is nothing but that to be
 * lent: raw pages can use what is free, and nothing could be packed. Return: true when
 * that has been done.
 */
static bool swap_pack_reserve(struct swap_pack *pack)
{
	long pages = SWAP_PACK_RESERVE * SWAPFILE_CLUSTER;
	bool reserved;

	if (READ_ONCE(pack->reserved))
		return true;
	if (swap_packed_free_segments(pack) <= SWAP_PACK_RESERVE)
		return false;
	spin_lock(&pack->lock);
	if (!pack->reserved && !READ_ONCE(pack->stopped) && swap_abs_take_room(pages)) {
		swap_tier_hide(pack->tier, pages);
		WRITE_ONCE(pack->reserved, true);
	}
	reserved = pack->reserved;
	spin_unlock(&pack->lock);
	return reserved;
}

/* Make spares, so that one more can be filled than what is kept for survivors. */
bool swap_pack_refill_for(struct swap_pack *pack, unsigned int kept)
{
	if (!swap_pack_reserve(pack))
		return false;
	while (READ_ONCE(pack->tier->nr_spares) <= kept)
		if (!swap_packed_refill(pack))
			return false;
	return true;
}

/* A segment to fill, or NULL. The reserve is for what is collected. */
struct swap_segment *swap_segment_open(struct swap_pack *pack,
				       enum swap_stream_id id)
{
	bool fresh = swap_stream_is_fresh(id);
	unsigned int kept = fresh ? SWAP_PACK_RESERVE : 0;
	struct swap_segment *segment = NULL;

	if (fresh && READ_ONCE(pack->quiet))
		return NULL;
	if (!swap_pack_refill_for(pack, kept) && !fresh)
		swap_packed_refill(pack);

	spin_lock(&pack->lock);
	/* What survives may go anywhere: without that nothing can be collected. */
	if (pack->tier->nr_spares > kept && (pack->reserved || !fresh)) {
		segment = list_first_entry(&pack->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(pack->tier->nr_spares, pack->tier->nr_spares - 1);
		WRITE_ONCE(pack->tier->nr_segments, pack->tier->nr_segments + 1);
		segment->seq = pack->next_seq++;
	}
	/* Survivors have one so that others can. */
	if (segment && fresh)
		WRITE_ONCE(pack->starved, false);
	spin_unlock(&pack->lock);
	if (!segment)
		return NULL;

	swap_pack_gc_check(pack);

	/* Before the lock of the stream is dropped: swapoff takes that once. */
	percpu_counter_add(&pack->tier->used, SWAPFILE_CLUSTER);
	swap_tier_filled(pack->tier);
	segment->victim.end = 0;
	segment->victim.skip = 0;
	segment->victim.dense = 0;
	refcount_set(&segment->refs, 1);
	return segment;
}

/* There is no segment to fill. What is new may find one on another device. */
void swap_pack_refuse(struct swap_pack *pack, bool fresh)
{
	swap_tier_count(pack->tier, SWAP_TIER_REFUSED, 1);
	if (fresh)
		swap_pack_gc_check(pack);
	else
		WRITE_ONCE(pack->starved, true);
}

bool swap_segment_is_bad(struct swap_segment *segment)
{
	bool bad;

	spin_lock(&segment->pack->lock);
	bad = segment->victim.bad;
	spin_unlock(&segment->pack->lock);
	return bad;
}

/* Nothing more is appended to the stream's segment. */
void swap_segment_close(struct swap_pack_stream *stream)
{
	struct swap_segment *segment = stream->segment;
	struct swap_pack *pack = segment->pack;

	lockdep_assert_held(&stream->lock);
	WRITE_ONCE(stream->segment, NULL);
	spin_lock(&pack->lock);
	swap_victims_add(&pack->victims, &segment->victim, swap_segment_live(segment),
			 pack->next_seq);
	/* It can't be made any denser before something has died. */
	segment->victim.dense = !swap_stream_is_fresh(stream - pack->streams) &&
				segment->victim.end == SWAPFILE_CLUSTER;
	spin_unlock(&pack->lock);
	swap_segment_put(segment);
	swap_pack_gc_check(pack);
}

long swap_packed_drop(const swap_desc_t *words, unsigned int nr)
{
	struct swap_segment *segment;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		segment = swap_segment_of(words[i]);
		percpu_counter_dec(&segment->pack->objects);
		if (!swap_segment_account(segment,
					  -(int)swap_pack_size(swap_desc_length(words[i]))))
			swap_segment_idle(segment);
		swap_segment_put(segment);
	}
	/* The segment holds the capacity. */
	return 0;
}
