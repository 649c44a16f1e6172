// SPDX-License-Identifier: GPL-2.0
/*
 * Segments of a packed tier: the clusters that its device has lent for packed
 * data. This file knows where they come from, how much of each is live, and
 * when so few are free that collection must make some.
 *
 * A segment has a reference for each object in use, for each chunk in flight,
 * and for the stream that fills it or the mover that empties it. So dropping an
 * object takes two atomic operations, under any lock, and the task that drops
 * the last reference hands the segment to a worker. While a word points to an
 * object, or is pinned, its segment stays where it is and keeps its sequence
 * number, and nobody needs a lock to look there.
 *
 * Capacity: a segment takes from nr_swap_pages what its live bytes need
 * (swap_segment_pages()). Its dead space counts as room, because collection can
 * have it back. swap_segment_account() updates that whenever the live bytes
 * change. The reserve (SWAP_SEGMENT_RESERVE) is neither in nr_swap_pages nor in
 * SwapTotal once the first segment is used, so that collection always has a
 * segment to fill.
 *
 * Callers are mm/swap_abs/chunk.c, which fills segments, mm/swap_abs/collect.c,
 * which empties them, and mm/swap_abs/packed.c. Locks: swap_packed_tier.lock,
 * then those of the device.
 */
#include <linux/swap.h>
#include <linux/swap_ops.h>
#include "../internal.h"
#include "../swap.h"
#include "packed.h"

/*
 * This workqueue flushes streams. It is never frozen, because reclaim waits for
 * it.
 */
struct workqueue_struct *swap_flush_wq;

/*
 * Collection has a workqueue of its own, because it waits for work of
 * swap_abs_wq.
 */
struct workqueue_struct *swap_collect_wq;

/*
 * Number of segments to keep free for a hibernation image; 0 while none is to
 * be made.
 */
unsigned long swap_collect_image;

/*
 * Return how many segments could be filled at once, with those in reserve. This
 * is a hint, because only whole clusters of the device's free space will do.
 */
unsigned long swap_segments_nr_free(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->tier->nr_spares) +
	       swap_tier_free_clusters(packed->tier);
}

/* Tell whether so few segments are free that collection must make some. */
bool swap_segments_are_short(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->starved) ||
	       swap_segments_nr_free(packed) <
	       swap_collect_below(packed->tier->si->max / SWAPFILE_CLUSTER);
}

/*
 * Tell whether so few segments are free that a hibernation image might have no
 * room, although there is more dead space than the segments that are being
 * filled may have.
 */
bool swap_segments_short_of_image(struct swap_packed_tier *packed)
{
	unsigned long image = READ_ONCE(swap_collect_image);
	s64 nr = percpu_counter_read_positive(&packed->tier->segments_held) /
		 SWAPFILE_CLUSTER;
	unsigned int i;

	if (!image || swap_segments_nr_free(packed) >= image)
		return false;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		nr += !!READ_ONCE(packed->streams[i].segment);
	/* segments_held has those whose medium is bad, too. */
	return READ_ONCE(packed->tier->nr_segments) +
	       READ_ONCE(packed->tier->nr_bad_segments) > nr;
}

/*
 * Begin to collect if that is needed, because segments have come or gone. May
 * be called with a virtual cluster's lock held and interrupts off.
 */
void swap_collect_kick(struct swap_packed_tier *packed)
{
	bool is_short = swap_segments_are_short(packed);

	if (READ_ONCE(packed->stopped) ||
	    !(is_short || swap_segments_short_of_image(packed)))
		return;
	if (READ_ONCE(packed->tier->nr_segments))
		queue_work(swap_collect_wq, &packed->collect_work);
	/*
	 * The image can use free slots beside raw pages, so raw clusters are
	 * compacted only when segments are short.
	 */
	if (is_short && !READ_ONCE(packed->quiet))
		swap_tier_compact(packed->tier);
}

/*
 * Drop a reference of a segment, which the caller must not use any more. The
 * last one hands the segment to a worker, because callers may hold a virtual
 * cluster's lock. Not for interrupts.
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

/*
 * Return the bucket of a segment by its live bytes. This is
 * swap_victim_bucket() with a constant size.
 */
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
 * Account objects of @bytes that have come, or gone if it is less than zero.
 * Each crossing of a bucket changes nr_swap_pages by the difference of the two
 * buckets, whichever task is first, so that the sum is exact without a lock.
 * Return the bytes that are live now.
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
	/*
	 * Appended bytes change no list, because a segment is listed when it is
	 * closed.
	 */
	if (bytes < 0) {
		spin_lock(&packed->lock);
		swap_victims_update(&packed->victims, &segment->victim,
				    swap_segment_live(segment),
				    READ_ONCE(packed->next_seq));
		spin_unlock(&packed->lock);
		swap_collect_kick(packed);
	}
	return live;
}

/*
 * Let a segment take no capacity while its device is closed
 * (swap_format.close_segment). Return the pages of capacity that it has held
 * until now, or holds from now on.
 */
unsigned long swap_packed_close_segment(struct swap_cluster_info *ci,
					bool close)
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

/*
 * Return the pages of capacity that a segment takes; for the self-check. The
 * caller holds the cluster's lock.
 */
unsigned long swap_packed_segment_held(struct swap_cluster_info *ci)
{
	return swap_segment_held(swap_segment_live(ci->segment));
}

/*
 * Have the flush worker close a segment that is being filled, if nothing of it
 * is in use or on its way, so that its space can be used anew.
 */
void swap_segment_idle(struct swap_segment *segment)
{
	struct swap_packed_tier *packed = segment->packed;
	int i;

	if (swap_segment_live(segment) || atomic_read(&segment->writing))
		return;
	for (i = 0; i < NR_SWAP_STREAMS; i++)
		if (READ_ONCE(packed->streams[i].segment) == segment)
			mod_delayed_work(swap_flush_wq,
					 &packed->streams[i].flush, 0);
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
 * Tell whether the reserve is of no use any longer, because nothing new is
 * packed and nothing is left that could have to be collected.
 */
static bool swap_segments_are_idle(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->stopped) ||
	       (READ_ONCE(packed->quiet) &&
		!READ_ONCE(packed->tier->nr_segments));
}

/* Give the spare segments and the reserve back if they are of no use. */
void swap_segments_give_spares(struct swap_packed_tier *packed)
{
	struct swap_segment *segment;

	spin_lock(&packed->lock);
	while (swap_segments_are_idle(packed) && !list_empty(&packed->spares)) {
		segment = list_first_entry(&packed->spares, struct swap_segment,
					   victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(packed->tier->nr_spares,
			   packed->tier->nr_spares - 1);
		spin_unlock(&packed->lock);
		swap_segment_return(segment);
		spin_lock(&packed->lock);
	}
	if (swap_segments_are_idle(packed) && packed->reserved) {
		WRITE_ONCE(packed->reserved, false);
		swap_tier_hide(packed->tier,
			       -(long)SWAP_SEGMENT_RESERVE * SWAPFILE_CLUSTER);
	}
	spin_unlock(&packed->lock);
}

/*
 * Make segments without references spares, or give them back to the device. The
 * callers are works that are frozen while there is a hibernation image, because
 * the image knows the segments as they are.
 */
void swap_segments_release_dead(struct swap_packed_tier *packed)
{
	struct swap_segment *segment, *next;
	bool back, bad, gained = false;

	llist_for_each_entry_safe(segment, next, llist_del_all(&packed->dead),
				  dead) {
		back = false;
		/*
		 * Nothing refers to the segment any more, so this does not
		 * change.
		 */
		bad = segment->victim.bad;
		/*
		 * A bad segment takes capacity, because nothing can be stored
		 * in it. Count that before the segment is on the list, because
		 * swap_packed_forget_bad() may free it as soon as it is there.
		 */
		if (bad) {
			swap_segment_account(segment, SWAP_SEGMENT_BAD);
			percpu_counter_sub(&packed->live, SWAP_SEGMENT_BAD);
		}
		spin_lock(&packed->lock);
		if (segment->victim.listed)
			swap_victims_del(&packed->victims, &segment->victim);
		WRITE_ONCE(packed->tier->nr_segments,
			   packed->tier->nr_segments - 1);
		if (bad) {
			list_add(&segment->victim.list, &packed->bad);
			WRITE_ONCE(packed->tier->nr_bad_segments,
				   packed->tier->nr_bad_segments + 1);
			/*
			 * Ask again, because the work may have run while the
			 * segment had data, and has not seen it then.
			 */
			swap_tier_retry_bad(packed->tier);
		} else if (packed->tier->nr_spares < SWAP_SEGMENT_RESERVE &&
			   !READ_ONCE(packed->stopped)) {
			list_add(&segment->victim.list, &packed->spares);
			WRITE_ONCE(packed->tier->nr_spares,
				   packed->tier->nr_spares + 1);
		} else {
			back = true;
		}
		gained |= !bad;
		spin_unlock(&packed->lock);
		if (back) {
			swap_segment_return(segment);
			WRITE_ONCE(packed->starved, false);
		}
		/*
		 * This comes last, because swapoff waits for it and then frees
		 * the rest of the tier.
		 */
		percpu_counter_sub(&packed->tier->used, SWAPFILE_CLUSTER);
		cond_resched();
	}
	if (gained)
		swap_vain_room_gained();
	if (swap_segments_are_idle(packed))
		swap_segments_give_spares(packed);
}

void swap_segments_release_work(struct work_struct *work)
{
	struct swap_packed_tier *packed =
		container_of(work, struct swap_packed_tier, release_work);

	swap_segments_release_dead(packed);
}

/*
 * Lend a cluster as a spare segment, without waiting. Return true when there is
 * one more.
 */
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
 * Take the reserve out of the capacity, once. Leave it in when only the reserve
 * could be lent, because raw pages can use the free clusters then, while
 * nothing could be packed. Return true when the reserve has been taken.
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
	if (!packed->reserved && !READ_ONCE(packed->stopped) &&
	    swap_promise_take(pages)) {
		swap_tier_hide(packed->tier, pages);
		WRITE_ONCE(packed->reserved, true);
	}
	reserved = packed->reserved;
	spin_unlock(&packed->lock);
	return reserved;
}

/*
 * Lend spares until there are more than @kept. Return false when that is not
 * possible.
 */
bool swap_segments_refill_for(struct swap_packed_tier *packed,
			      unsigned int kept)
{
	if (!swap_segments_reserve(packed))
		return false;
	while (READ_ONCE(packed->tier->nr_spares) <= kept)
		if (!swap_segments_refill(packed))
			return false;
	return true;
}

/*
 * Return a segment to fill, or NULL. New data leaves the reserve to survivors.
 */
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
	/*
	 * Survivors may use any segment, because otherwise nothing could be
	 * collected.
	 */
	if (packed->tier->nr_spares > kept && (packed->reserved || !fresh)) {
		segment = list_first_entry(&packed->spares, struct swap_segment,
					   victim.list);
		list_del_init(&segment->victim.list);
		WRITE_ONCE(packed->tier->nr_spares,
			   packed->tier->nr_spares - 1);
		WRITE_ONCE(packed->tier->nr_segments,
			   packed->tier->nr_segments + 1);
		segment->seq = packed->next_seq++;
	}
	/*
	 * The shortage ends only when new data gets a segment, because a
	 * segment for survivors is just the means to make one free.
	 */
	if (segment && fresh)
		WRITE_ONCE(packed->starved, false);
	spin_unlock(&packed->lock);
	if (!segment)
		return NULL;

	swap_collect_kick(packed);

	/*
	 * Count the segment before the caller drops the stream's lock, because
	 * swapoff takes that lock once and expects the count to be complete
	 * after that.
	 */
	percpu_counter_add(&packed->tier->used, SWAPFILE_CLUSTER);
	swap_tier_check_high(packed->tier);
	segment->victim.end = 0;
	segment->victim.skip = 0;
	segment->victim.dense = 0;
	refcount_set(&segment->refs, 1);
	return segment;
}

/*
 * Note that there is no segment to fill. Survivors can go nowhere else, so the
 * tier is starved. New data may find a segment on another device, so collection
 * is only begun.
 */
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

/* Append nothing more to the stream's segment. */
void swap_segment_close(struct swap_stream *stream)
{
	struct swap_segment *segment = stream->segment;
	struct swap_packed_tier *packed = segment->packed;

	lockdep_assert_held(&stream->lock);
	WRITE_ONCE(stream->segment, NULL);
	spin_lock(&packed->lock);
	swap_victims_add(&packed->victims, &segment->victim,
			 swap_segment_live(segment), packed->next_seq);
	/*
	 * A full segment of survivors can't be made denser before some of it
	 * has died.
	 */
	segment->victim.dense =
		!swap_stream_is_fresh(stream - packed->streams) &&
		segment->victim.end == SWAPFILE_CLUSTER;
	spin_unlock(&packed->lock);
	swap_segment_put(segment);
	swap_collect_kick(packed);
}

long swap_packed_drop(const swap_desc_t *words, unsigned int nr)
{
	struct swap_segment *segment;
	unsigned int i, size;

	for (i = 0; i < nr; i++) {
		segment = swap_segment_of(words[i]);
		percpu_counter_dec(&segment->packed->objects);
		size = swap_object_size(swap_desc_length(words[i]));
		if (!swap_segment_account(segment, -(int)size))
			swap_segment_idle(segment);
		swap_segment_put(segment);
	}
	/*
	 * Dropping a word frees no capacity by itself, because the segment
	 * holds it.
	 */
	return 0;
}
