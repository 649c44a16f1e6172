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
 * Capacity: a segment takes of nr_swap_pages what its live bytes need (swap_segment_pages()), and
 * its dead space is room, because collection can have it back. swap_segment_account() keeps
 * that for each change of the live bytes. The reserve (SWAP_SEGMENT_RESERVE) is in neither
 * nr_swap_pages nor SwapTotal from the first segment on, so that collection always has a
 * segment to fill.
 *
 * Called by mm/swap_abs/chunk.c, which fills segments, mm/swap_abs/collect.c, which empties
 * them, and mm/swap_abs/packed.c. Locks: swap_packed_tier.lock, then those of the device.
 */
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../internal.h"
#include "../swap.h"
#include "packed.h"

/* Streams are flushed by it. Never frozen, as reclaim waits for it. */
struct workqueue_struct *swap_flush_wq;

/* Of its own: it waits for work of swap_abs_wq. */
struct workqueue_struct *swap_collect_wq;

/* Segments that are to be free for a hibernation image; 0 while none is to be made. */
unsigned long swap_collect_image;

/**
 * swap_segments_nr_free - segments that could be filled at once
 * @packed: of a tier
 *
 * Context: any. A hint: of the device's free space only whole clusters will do.
 * Return: their number, with those in reserve.
 */
unsigned long swap_segments_nr_free(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->tier->nr_spares) + swap_tier_free_clusters(packed->tier);
}

/* Are few segments free? */
bool swap_segments_are_short(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->starved) ||
	       swap_segments_nr_free(packed) <
	       swap_collect_below(packed->tier->si->max / SWAPFILE_CLUSTER);
}

/*
 * Are so few segments free that an image might have no room, though there is more dead
 * space than the segments that are being filled may have?
 */
bool swap_segments_short_of_image(struct swap_packed_tier *packed)
{
	unsigned long image = READ_ONCE(swap_collect_image);
	s64 nr = percpu_counter_read_positive(&packed->tier->segments_held) / SWAPFILE_CLUSTER;
	unsigned int i;

	if (!image || swap_segments_nr_free(packed) >= image)
		return false;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		nr += !!READ_ONCE(packed->streams[i].segment);
	return READ_ONCE(packed->tier->nr_segments) > nr;
}

/**
 * swap_collect_kick - segments have come or gone: begin to collect if need be
 * @packed: of a tier
 *
 * Context: any, also with a virtual cluster's lock held and interrupts off.
 */
void swap_collect_kick(struct swap_packed_tier *packed)
{
	bool is_short = swap_segments_are_short(packed);

	if (READ_ONCE(packed->stopped) || !(is_short || swap_segments_short_of_image(packed)))
		return;
	if (READ_ONCE(packed->tier->nr_segments))
		queue_work(swap_collect_wq, &packed->collect_work);
	/* What is free beside raw pages will do for an image. */
	if (is_short && !READ_ONCE(packed->quiet))
		swap_tier_compact(packed->tier);
}

/**
 * swap_segment_put - drop a reference
 * @segment: the segment, not to be used any more
 *
 * Context: any but interrupts.
 */
void swap_segment_put(struct swap_segment *segment)
{
	struct swap_packed_tier *packed = segment->packed;

	if (!refcount_dec_and_test(&segment->refs))
		return;
	VM_WARN_ON_ONCE(swap_segment_live(segment));
	VM_WARN_ON_ONCE(atomic_read(&segment->writing));
	llist_add(&segment->dead, &packed->dead);
	queue_work(swap_abs_wq, &packed->release_work);
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
	return swap_segment_pages(swap_segment_bucket(live), SWAPFILE_CLUSTER);
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
	struct swap_packed_tier *packed = segment->packed;
	long held;

	percpu_counter_add(&packed->live, bytes);
	if (swap_segment_bucket(before) == swap_segment_bucket(live) &&
	    before != SWAP_SEGMENT_BAD && live != SWAP_SEGMENT_BAD)
		return live;

	held = (long)swap_segment_held(live) - (long)swap_segment_held(before);
	percpu_counter_add(&packed->tier->segments_held, held);
	if (!(old & SWAP_SEGMENT_CLOSED))
		swap_promise_put(-held);
	/* A segment that is being filled is listed when it is closed. */
	if (bytes < 0) {
		spin_lock(&packed->lock);
		swap_victims_update(&packed->victims, &segment->victim,
				    swap_segment_live(segment), READ_ONCE(packed->next_seq));
		spin_unlock(&packed->lock);
		swap_collect_kick(packed);
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
	struct swap_packed_tier *packed = segment->packed;
	int i;

	if (swap_segment_live(segment) || atomic_read(&segment->writing))
		return;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		if (READ_ONCE(packed->streams[i].segment) == segment)
			mod_delayed_work(swap_flush_wq, &packed->streams[i].flush, 0);
}

/* Give a segment's cluster back to the device. */
void swap_segment_return(struct swap_segment *segment)
{
	struct swap_packed_tier *packed = segment->packed;
	struct swap_tier *tier = packed->tier;
	struct swap_cluster_info *ci = &tier->si->cluster_info[segment->index];

	spin_lock(&ci->lock);
	VM_WARN_ON_ONCE(ci->segment != segment);
	ci->segment = NULL;
	swap_cluster_return(tier->si, ci);
	spin_unlock(&ci->lock);
	mempool_free(segment, &packed->segments);
	atomic_long_dec(&tier->nr_lent);
}

/*
 * Is the reserve of no use any longer? Where nothing new is packed, and nothing that
 * is there could have to be collected.
 */
static bool swap_streams_are_idle(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->stopped) ||
	       (READ_ONCE(packed->quiet) && !READ_ONCE(packed->tier->nr_segments));
}

/* Give what is kept as spares back, if that is of no use. */
void swap_segments_give_spares(struct swap_packed_tier *packed)
{
	struct swap_segment *segment;

	spin_lock(&packed->lock);
	while (swap_streams_are_idle(packed) && !list_empty(&packed->spares)) {
		segment = list_first_entry(&packed->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(packed->tier->nr_spares, packed->tier->nr_spares - 1);
		spin_unlock(&packed->lock);
		swap_segment_return(segment);
		spin_lock(&packed->lock);
	}
	if (swap_streams_are_idle(packed) && packed->reserved) {
		WRITE_ONCE(packed->reserved, false);
		swap_tier_hide(packed->tier, -(long)SWAP_SEGMENT_RESERVE * SWAPFILE_CLUSTER);
	}
	spin_unlock(&packed->lock);
}

/*
 * Segments that nothing refers to are spares again, or go back: on a workqueue
 * that is frozen while there is a hibernation image, which knows them as they are.
 */
void swap_segments_release_dead(struct swap_packed_tier *packed)
{
	struct swap_segment *segment, *next;
	bool back, bad, gained = false;

	llist_for_each_entry_safe(segment, next, llist_del_all(&packed->dead), dead) {
		back = false;
		spin_lock(&packed->lock);
		if (segment->victim.listed)
			swap_victims_del(&packed->victims, &segment->victim);
		WRITE_ONCE(packed->tier->nr_segments, packed->tier->nr_segments - 1);
		bad = segment->victim.bad;
		if (bad) {
			list_add(&segment->victim.list, &packed->bad);
			WRITE_ONCE(packed->tier->nr_bad_segments, packed->tier->nr_bad_segments + 1);
		} else if (packed->tier->nr_spares < SWAP_SEGMENT_RESERVE && !READ_ONCE(packed->stopped)) {
			list_add(&segment->victim.list, &packed->spares);
			WRITE_ONCE(packed->tier->nr_spares, packed->tier->nr_spares + 1);
		} else {
			back = true;
		}
		gained |= !bad;
		spin_unlock(&packed->lock);
		/* What nothing can be stored in is no room. */
		if (bad) {
			swap_segment_account(segment, SWAP_SEGMENT_BAD);
			percpu_counter_sub(&packed->live, SWAP_SEGMENT_BAD);
		}
		if (back) {
			swap_segment_return(segment);
			WRITE_ONCE(packed->starved, false);
		}
		/* Last: swapoff waits for it, then takes what is left. */
		percpu_counter_sub(&packed->tier->used, SWAPFILE_CLUSTER);
		cond_resched();
	}
	if (gained)
		swap_vain_room_gained();
	if (swap_streams_are_idle(packed))
		swap_segments_give_spares(packed);
}

void swap_segments_release_work(struct work_struct *work)
{
	swap_segments_release_dead(container_of(work, struct swap_packed_tier, release_work));
}

/* Lend a cluster as a spare segment, without waiting. Return: true when there is one more. */
static bool swap_segments_refill(struct swap_packed_tier *packed)
{
	struct swap_info_struct *si = packed->tier->si;
	struct swap_segment *segment;
	struct swap_cluster_info *ci;

	segment = mempool_alloc(&packed->segments, GFP_NOWAIT | __GFP_NOWARN);
	if (!segment)
		return false;
	ci = swap_cluster_lend(si, CLUSTER_FLAG_LENT_SEGMENT);
	if (!ci) {
		mempool_free(segment, &packed->segments);
		return false;
	}

	memset(segment, 0, sizeof(*segment));
	INIT_LIST_HEAD(&segment->victim.list);
	segment->packed = packed;
	segment->index = ci - si->cluster_info;
	ci->segment = segment;
	spin_unlock(&ci->lock);
	atomic_long_inc(&packed->tier->nr_lent);

	spin_lock(&packed->lock);
	if (READ_ONCE(packed->stopped)) {
		spin_unlock(&packed->lock);
		swap_segment_return(segment);
		return false;
	}
	list_add_tail(&segment->victim.list, &packed->spares);
	WRITE_ONCE(packed->tier->nr_spares, packed->tier->nr_spares + 1);
	spin_unlock(&packed->lock);
	return true;
}

/*
 * Take the reserve out of the capacity, once. Not where there is nothing but that to be
 * lent: raw pages can use what is free, and nothing could be packed. Return: true when
 * that has been done.
 */
static bool swap_segments_reserve(struct swap_packed_tier *packed)
{
	long pages = SWAP_SEGMENT_RESERVE * SWAPFILE_CLUSTER;
	bool reserved;

	if (READ_ONCE(packed->reserved))
		return true;
	if (swap_segments_nr_free(packed) <= SWAP_SEGMENT_RESERVE)
		return false;
	spin_lock(&packed->lock);
	if (!packed->reserved && !READ_ONCE(packed->stopped) && swap_promise_take(pages)) {
		swap_tier_hide(packed->tier, pages);
		WRITE_ONCE(packed->reserved, true);
	}
	reserved = packed->reserved;
	spin_unlock(&packed->lock);
	return reserved;
}

/* Make spares, so that one more can be filled than what is kept for survivors. */
bool swap_segments_refill_for(struct swap_packed_tier *packed, unsigned int kept)
{
	if (!swap_segments_reserve(packed))
		return false;
	while (READ_ONCE(packed->tier->nr_spares) <= kept)
		if (!swap_segments_refill(packed))
			return false;
	return true;
}

/* A segment to fill, or NULL. The reserve is for what is collected. */
struct swap_segment *swap_segment_open(struct swap_packed_tier *packed,
				       enum swap_stream_id id)
{
	bool fresh = swap_stream_is_fresh(id);
	unsigned int kept = fresh ? SWAP_SEGMENT_RESERVE : 0;
	struct swap_segment *segment = NULL;

	if (fresh && READ_ONCE(packed->quiet))
		return NULL;
	if (!swap_segments_refill_for(packed, kept) && !fresh)
		swap_segments_refill(packed);

	spin_lock(&packed->lock);
	/* What survives may go anywhere: without that nothing can be collected. */
	if (packed->tier->nr_spares > kept && (packed->reserved || !fresh)) {
		segment = list_first_entry(&packed->spares, struct swap_segment, victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(packed->tier->nr_spares, packed->tier->nr_spares - 1);
		WRITE_ONCE(packed->tier->nr_segments, packed->tier->nr_segments + 1);
		segment->seq = packed->next_seq++;
	}
	/* Survivors have one so that others can. */
	if (segment && fresh)
		WRITE_ONCE(packed->starved, false);
	spin_unlock(&packed->lock);
	if (!segment)
		return NULL;

	swap_collect_kick(packed);

	/* Before the lock of the stream is dropped: swapoff takes that once. */
	percpu_counter_add(&packed->tier->used, SWAPFILE_CLUSTER);
	swap_tier_check_high(packed->tier);
	segment->victim.end = 0;
	segment->victim.skip = 0;
	segment->victim.dense = 0;
	refcount_set(&segment->refs, 1);
	return segment;
}

/* There is no segment to fill. What is new may find one on another device. */
void swap_segments_refuse(struct swap_packed_tier *packed, bool fresh)
{
	swap_tier_count(packed->tier, SWAP_TIER_REFUSED, 1);
	if (fresh)
		swap_collect_kick(packed);
	else
		WRITE_ONCE(packed->starved, true);
}

bool swap_segment_is_bad(struct swap_segment *segment)
{
	bool bad;

	spin_lock(&segment->packed->lock);
	bad = segment->victim.bad;
	spin_unlock(&segment->packed->lock);
	return bad;
}

/* Nothing more is appended to the stream's segment. */
void swap_segment_close(struct swap_stream *stream)
{
	struct swap_segment *segment = stream->segment;
	struct swap_packed_tier *packed = segment->packed;

	lockdep_assert_held(&stream->lock);
	WRITE_ONCE(stream->segment, NULL);
	spin_lock(&packed->lock);
	swap_victims_add(&packed->victims, &segment->victim, swap_segment_live(segment),
			 packed->next_seq);
	/* It can't be made any denser before something has died. */
	segment->victim.dense = !swap_stream_is_fresh(stream - packed->streams) &&
				segment->victim.end == SWAPFILE_CLUSTER;
	spin_unlock(&packed->lock);
	swap_segment_put(segment);
	swap_collect_kick(packed);
}

long swap_packed_drop(const swap_desc_t *words, unsigned int nr)
{
	struct swap_segment *segment;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		segment = swap_segment_of(words[i]);
		percpu_counter_dec(&segment->packed->objects);
		if (!swap_segment_account(segment,
					  -(int)swap_object_size(swap_desc_length(words[i]))))
			swap_segment_idle(segment);
		swap_segment_put(segment);
	}
	/* The segment holds the capacity. */
	return 0;
}
