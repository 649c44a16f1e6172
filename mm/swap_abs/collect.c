// SPDX-License-Identifier: GPL-2.0
/*
 * Collection of packed segments. The collector appends the objects of a segment
 * that are still in use to a stream of survivors. When they are on the device,
 * and the last object of the segment has gone, the segment can be filled again.
 * The survivors of a victim that is older than most have a stream of their own.
 *
 * The collector is a mover like zswap's writeback (rule 3 in mm/swap_abs.c). A
 * header on the device says which slot an object may belong to. The descriptor
 * of that slot confirms it by pointing exactly there, and is pinned until the
 * copy is on the device. An object that is not confirmed is dead. No task that
 * loads or frees an object waits for the collector.
 *
 * The policy of mm/swap_abs/victim.h says which segment is next, and when one
 * is needed: when few segments are free, those in reserve included. It is asked
 * whenever a segment is opened or closed, when one is refused (because that
 * needs room), and when a dropped object takes a segment to another bucket
 * (because that makes room). A victim that has something which can't be moved
 * just now is skipped until it has lost something more, and the next victim is
 * taken, so that one bad object stops nothing.
 *
 * Each tier has one work, and each run of it collects one victim, so that the
 * freezer waits for no more than that; a frozen workqueue keeps the next run.
 * The work holds a reference of the segment that it reads and the tier's
 * read_lock. It takes other locks only to look at some lists, and waits for no
 * memory. Its reads have idle priority while nobody waits for room.
 *
 * A hibernation image is written to free slots, and dead space has none. So as
 * much is collected before tasks are frozen as the image may need; see
 * swap_collect_make_room_for_image().
 *
 * To hold: while no segment is free but the reserve, and a segment is worth
 * collecting, the work is queued or runs. There are two exceptions: while
 * storage is suspended, and when the survivors have found no room. In the
 * second case the next object that dies and takes a segment to another bucket
 * queues the work again.
 */
#include <linux/blkdev.h>
#include <linux/ioprio.h>
#include <linux/jiffies.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include "../internal.h"
#include "../swap.h"
#include "memcg.h"
#include "packed.h"

#include <trace/events/swap_abs.h>

/* A raw device with this many free clusters is not full. */
#define SWAP_COLLECT_PEER_FREE	8

/*
 * The longest time that hibernation waits for collection: a few GB of a slow
 * device.
 */
#define SWAP_COLLECT_IMAGE_TIME	(60 * HZ)

/* Tell whether so few segments are free that collection must make some. */
static bool swap_collect_is_needed(struct swap_packed_tier *packed)
{
	return !READ_ONCE(packed->stopped) &&
	       READ_ONCE(packed->tier->nr_segments) &&
	       (swap_segments_are_short(packed) ||
		swap_segments_short_of_image(packed));
}

/* Tell whether reclaim or hibernation waits for room. */
static bool swap_collect_is_urgent(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->starved) ||
	       READ_ONCE(packed->tier->nr_spares) < SWAP_SEGMENT_RESERVE ||
	       READ_ONCE(swap_collect_image);
}

/*
 * Tell whether another device of the same rank can take data without
 * collecting. A device that is not packed needs clusters that are free as a
 * whole for that.
 */
static bool swap_collect_has_peer(struct swap_packed_tier *packed)
{
	struct swap_tier *tier;
	bool found = false;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (found || tier->node.prio > packed->tier->node.prio)
			break;
		if (tier == packed->tier ||
		    tier->node.prio < packed->tier->node.prio ||
		    !swap_tier_is_online(tier) ||
		    !(READ_ONCE(tier->si->flags) & SWP_WRITEOK))
			continue;
		found = tier->packed && !READ_ONCE(tier->packed->stopped) ?
			!swap_segments_are_short(tier->packed) :
			swap_tier_free_clusters(tier) >= SWAP_COLLECT_PEER_FREE;
	}
	spin_unlock(&swap_tiers_lock);
	return found;
}

/*
 * Return the segment that is best collected, off its list and with a reference,
 * or NULL.
 */
static struct swap_segment *swap_collect_victim(struct swap_packed_tier *packed)
{
	bool elsewhere = !READ_ONCE(packed->starved) &&
			 !READ_ONCE(swap_collect_image) &&
			 swap_collect_has_peer(packed);
	unsigned int nr_free = swap_segments_nr_free(packed);
	unsigned int nr = packed->tier->si->max / SWAPFILE_CLUSTER;
	struct swap_segment *segment;
	struct swap_victim *victim;

	spin_lock(&packed->lock);
	while ((victim = swap_victims_choose(&packed->victims, packed->next_seq,
					     nr_free, elsewhere))) {
		segment = container_of(victim, struct swap_segment, victim);
		/*
		 * Skip a segment that has chunks on their way:
		 * swap_chunk_done_work() lets it be chosen again.
		 */
		if (!atomic_read(&segment->writing) &&
		    refcount_inc_not_zero(&segment->refs)) {
			swap_victims_del(&packed->victims, victim);
			packed->survivors =
				swap_victims_is_old(&packed->victims, victim,
						    packed->next_seq, nr) ?
					SWAP_STREAM_OLD :
					SWAP_STREAM_SURVIVORS;
			break;
		}
		victim->skip = 1;
	}
	spin_unlock(&packed->lock);
	return victim ? segment : NULL;
}

/*
 * Move a pinned object to another tier if there is a @move, else to the
 * survivors. Return 0 when that is under way, -EAGAIN when this object can't be
 * moved as it is, or -ENOSPC when there is no room for any survivor.
 */
static int swap_collect_move_object(struct swap_packed_tier *packed,
				    swp_entry_t slot, swap_place_t place,
				    const struct swap_object *object,
				    struct swap_move *move)
{
	unsigned long tiers;

	if (move) {
		tiers = move->tiers & swap_memcg_tiers_of(slot, 1);
		if ((tiers & SWAP_TIER_ZSWAP) &&
		    !zswap_adopt_object(slot, place, object, false))
			return 0;
		if (!swap_slot_may_writeback(slot))
			return -EAGAIN;
		return swap_packed_move(slot, place, object->data,
					object->length, object->codec, true,
					tiers) ?
			       -EAGAIN :
			       0;
	}
	if (swap_stream_move_to(packed, packed->survivors, slot, place,
				object->data, object->length, object->codec,
				true))
		return 0;
	return -ENOSPC;
}

/*
 * Pin and move an object that was found in a segment: to another tier if there
 * is a @move, else to the survivors. Return an error only when it is useless to
 * go on with the next object, because there is no room, for instance.
 */
static int swap_collect_object(struct swap_segment *segment,
			       const struct swap_object *object,
			       struct swap_move *move)
{
	struct swap_packed_tier *packed = segment->packed;
	swap_place_t place;
	swp_entry_t slot;
	int err;

	if (!swap_object_pin(packed->tier->si, object, &slot, &place))
		return 0;

	swap_debug_move();
	err = swap_collect_move_object(packed, slot, place, object, move);
	if (!err && move)
		WRITE_ONCE(*move->moved, *move->moved + 1);
	if (!err)
		return 0;
	if (!swap_move_abort(slot, place, err))
		return 0;
	/*
	 * The object can't be moved as it is, so move it as a page, by way of a
	 * folio.
	 */
	return err == -EAGAIN ? move->ops->slot(move, slot, object) : err;
}

/*
 * A segment is read in pieces. There are buffers for two of them, so that one
 * is read while the live objects of the other are moved.
 */

/*
 * An object lies in at most this many blocks, and may begin in one piece and
 * end in the next.
 */
#define SWAP_COLLECT_OVERLAP	(2 * SWAP_PACKED_BLOCK)

bool swap_collect_alloc_pieces(struct swap_packed_tier *packed)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(packed->pieces); i++) {
		packed->pieces[i].buf = kmalloc(SWAP_COLLECT_SIZE,
						GFP_KERNEL |
						__GFP_RETRY_MAYFAIL);
		if (!packed->pieces[i].buf)
			return false;
	}
	return true;
}

void swap_collect_free_pieces(struct swap_packed_tier *packed)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(packed->pieces); i++) {
		if (packed->pieces[i].pending) {
			wait_for_completion_io(&packed->pieces[i].done);
			bio_uninit(&packed->pieces[i].bio);
		}
		kfree(packed->pieces[i].buf);
	}
}

static void swap_collect_read_piece_end(struct bio *bio)
{
	struct swap_collect_piece *piece =
		container_of(bio, struct swap_collect_piece, bio);

	complete(&piece->done);
}

/*
 * Begin to read the piece that starts at @base, which is a multiple of the
 * block size.
 */
static void swap_collect_read_piece(struct swap_segment *segment,
				    struct swap_collect_piece *piece,
				    unsigned int base, bool idle)
{
	unsigned int blocks =
		min(segment->victim.end - base / SWAP_PACKED_BLOCK,
		    SWAP_COLLECT_SIZE / SWAP_PACKED_BLOCK);
	pgoff_t offset =
		swap_segment_offset(segment) + base / SWAP_PACKED_BLOCK;
	struct swap_info_struct *si = segment->packed->tier->si;
	struct bio *bio = &piece->bio;

	swap_device_run(si, offset, &blocks);
	piece->base = base;
	piece->size = blocks * SWAP_PACKED_BLOCK;
	init_completion(&piece->done);
	swap_packed_read_init(bio, &piece->bvec, si, offset, blocks,
			      piece->buf);
	bio->bi_ioprio =
		idle ? IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0) :
		       IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
	/*
	 * The root pays for the read, because all movers and the collector wait
	 * for it and a limit must not delay them.
	 */
	bio_associate_blkg_from_css(bio, NULL);
	bio->bi_end_io = swap_collect_read_piece_end;
	piece->pending = true;
	submit_bio(bio);
}

/*
 * Wait for the end of a piece's read, if one is under way. Return -EINTR when
 * the task is killed; the read stays pending then.
 */
static int swap_collect_wait_piece(struct swap_packed_tier *packed,
				   struct swap_collect_piece *piece)
{
	int err;

	if (!piece->pending)
		return 0;
	if (wait_for_completion_killable(&piece->done))
		return -EINTR;
	piece->pending = false;
	err = blk_status_to_errno(piece->bio.bi_status);
	bio_uninit(&piece->bio);
	swap_tier_io_done(packed->tier, READ, err);
	return err;
}

/* Wait for the piece that was read ahead, because nobody will ask for it. */
static void swap_collect_end_ahead(struct swap_packed_tier *packed)
{
	if (packed->ahead)
		swap_collect_wait_piece(packed, packed->ahead);
	packed->ahead = NULL;
}

/*
 * Return the piece of a segment that the byte @pos is in, and begin to read the
 * next one. Return NULL when the piece can't be read, also when it is tried
 * again, or -EINTR when the task is killed while the device hangs.
 */
static struct swap_collect_piece *
swap_collect_get_piece(struct swap_segment *segment, unsigned int pos,
		       bool idle)
{
	unsigned int end = segment->victim.end * SWAP_PACKED_BLOCK, next;
	struct swap_packed_tier *packed = segment->packed;
	struct swap_collect_piece *piece = packed->ahead;
	int err = -ENOENT, tries = 2;

	packed->ahead = NULL;
	if (piece)
		err = swap_collect_wait_piece(packed, piece);
	else
		piece = &packed->pieces[0];
	/*
	 * A task that was killed in this function has left no piece ahead, but
	 * perhaps a read that has not ended.
	 */
	if (err == -ENOENT && swap_collect_wait_piece(packed, piece) == -EINTR)
		err = -EINTR;
	if (!err && (pos < piece->base || pos >= piece->base + piece->size))
		err = -ENOENT;
	while (err && err != -EINTR && tries--) {
		swap_collect_read_piece(segment, piece,
					ALIGN_DOWN(pos, SWAP_PACKED_BLOCK),
					idle);
		err = swap_collect_wait_piece(packed, piece);
	}
	if (err == -EINTR)
		return ERR_PTR(err);
	if (err) {
		swap_tier_count(packed->tier, SWAP_TIER_ERRORS,
				piece->size / SWAP_PACKED_BLOCK);
		return NULL;
	}
	next = piece->base + piece->size;
	if (next < end) {
		/*
		 * An object may go on in the next piece, but not at the end of
		 * an extent.
		 */
		if (piece->size == SWAP_COLLECT_SIZE)
			next -= SWAP_COLLECT_OVERLAP;
		packed->ahead = &packed->pieces[piece == packed->pieces];
		if (swap_collect_wait_piece(packed, packed->ahead) == -EINTR)
			packed->ahead = NULL;
		else
			swap_collect_read_piece(segment, packed->ahead, next,
						idle);
	}
	return piece;
}

/*
 * Tell whether @move, or the collection if that is NULL, must end. Both end
 * when kernel threads are about to freeze.
 */
static bool swap_packed_is_stopped(struct swap_packed_tier *packed,
				   struct swap_move *move)
{
	if (move)
		return swap_move_stopped(move);
	return READ_ONCE(packed->stopped) || swap_move_freezing() ||
	       pm_suspended_storage();
}

/* Tell whether swap_collect_object() would try to move the object. */
static bool swap_object_is_live(struct swap_segment *segment,
				const struct swap_object *object)
{
	swap_place_t place;
	swp_entry_t slot;

	return swap_object_find(segment->packed->tier->si, object, &slot,
				&place) &&
	       !swap_desc_is_pinned(swap_desc_read(slot));
}

/*
 * Move what is in use of a segment that is off its list; the caller has a
 * reference of it. With @found, only sum up how many bytes could be moved.
 * Return 0 when all of it has been looked at, -EINTR when it was stopped, -EIO
 * when some of it can't be read, or the error of swap_collect_object(). The
 * caller holds swap_packed_tier.read_lock.
 */
static int swap_collect_segment(struct swap_segment *segment,
				struct swap_move *move, unsigned int *found)
{
	struct swap_packed_tier *packed = segment->packed;
	u64 start = (u64)swap_segment_offset(segment) << PAGE_SHIFT;
	unsigned int end = segment->victim.end * SWAP_PACKED_BLOCK;
	struct swap_object object;
	struct swap_collect_piece *piece;
	unsigned int pos = 0, next, len;
	int err = 0, unreadable = 0;

	while (pos < end && swap_segment_live(segment)) {
		err = swap_packed_is_stopped(packed, move) ? -EINTR : 0;
		if (err)
			break;
		piece = swap_collect_get_piece(segment, pos, move ||
					       !swap_collect_is_urgent(packed));
		if (IS_ERR(piece)) {
			err = PTR_ERR(piece);
			break;
		}
		/*
		 * Leave the objects there as they are, because a load of one
		 * may still succeed. Go on behind the largest piece that could
		 * begin there, because the rest may be readable.
		 */
		if (!piece) {
			unreadable = -EIO;
			pos = ALIGN_DOWN(pos, SWAP_PACKED_BLOCK) +
			      SWAP_COLLECT_SIZE;
			continue;
		}
		next = pos - piece->base;
		for (;;) {
			while (!err &&
			       swap_object_next(piece->buf, piece->size, &next,
						start + piece->base,
						segment->seq, &object)) {
				if (found) {
					if (swap_object_is_live(segment,
								&object)) {
						len = object.length;
						*found += swap_object_size(len);
					}
					continue;
				}
				err = swap_collect_object(segment, &object,
							  move);
				if (!err && move && swap_move_stopped(move))
					err = -EINTR;
			}
			/*
			 * No object goes on behind a segment or an extent. What
			 * seems to is damaged or forged, so step over its
			 * header.
			 */
			if (err || piece->size == SWAP_COLLECT_SIZE ||
			    next >= piece->size)
				break;
			next += SWAP_OBJECT_ALIGN;
		}
		if (err)
			break;
		pos = piece->base + next;
		cond_resched();
	}
	swap_collect_end_ahead(packed);
	return err ? err : unreadable;
}

/*
 * Put a segment back on its list and drop the reference; that frees the segment
 * if nothing of it is in use. With @skip it is not chosen before it has lost
 * something.
 */
static void swap_collect_putback(struct swap_segment *segment, bool skip)
{
	struct swap_packed_tier *packed = segment->packed;

	spin_lock(&packed->lock);
	swap_victims_add(&packed->victims, &segment->victim,
			 swap_segment_live(segment), packed->next_seq);
	segment->victim.skip = skip;
	spin_unlock(&packed->lock);
	swap_segment_put(segment);
}

static int swap_collect_once(struct swap_segment *segment)
{
	struct swap_packed_tier *packed = segment->packed;
	unsigned int live = swap_segment_live(segment), found = 0;
	int err = 0;

	mutex_lock(&packed->read_lock);
	/*
	 * While a part of the reserve is in use, move objects only if that
	 * makes the segment free: otherwise survivors could use up the reserve,
	 * and nothing could be moved any more. One object that can't be moved
	 * keeps the segment from becoming free.
	 */
	if (READ_ONCE(packed->tier->nr_spares) < SWAP_SEGMENT_RESERVE) {
		err = swap_collect_segment(segment, NULL, &found);
		if (!err && found < swap_segment_live(segment))
			err = -EBUSY;
	}
	if (!err)
		err = swap_collect_segment(segment, NULL, NULL);
	mutex_unlock(&packed->read_lock);
	swap_stream_flush(packed, packed->survivors);
	wait_event(packed->wait, !atomic_read(&packed->surviving));
	trace_swap_abs_collect(packed->tier->si->type, segment->index, live,
			       swap_segment_live(segment), err);
	swap_tier_count(packed->tier, SWAP_TIER_COLLECTED, 1);
	/*
	 * Skip the segment, because the objects that are left could not be
	 * moved. If collection was stopped or had no room, they say nothing
	 * about the segment.
	 */
	swap_collect_putback(segment, err != -EINTR && err != -ENOSPC);
	return err;
}

/*
 * Return the segment with the coldest data, off its list and with a reference,
 * or NULL.
 */
static struct swap_segment *swap_collect_oldest(struct swap_packed_tier *packed)
{
	struct swap_victim *victim, *oldest = NULL;
	struct swap_segment *segment = NULL;
	unsigned int i;

	/*
	 * The head of a bucket is the segment of it that has lost nothing for
	 * longest. The segments in bucket 0 are empty and about to go.
	 */
	spin_lock(&packed->lock);
	for (i = 1; i < SWAP_VICTIM_BUCKETS; i++) {
		victim = list_first_entry_or_null(&packed->victims.bucket[i],
						  struct swap_victim, list);
		if (victim &&
		    (!oldest || (s32)(victim->since - oldest->since) < 0) &&
		    !atomic_read(&container_of(victim, struct swap_segment,
					       victim)->writing))
			oldest = victim;
	}
	if (oldest) {
		segment = container_of(oldest, struct swap_segment, victim);
		if (refcount_inc_not_zero(&segment->refs))
			swap_victims_del(&packed->victims, oldest);
		else
			segment = NULL;
	}
	spin_unlock(&packed->lock);
	return segment;
}

/*
 * Move packed data to other tiers (swap_format.move_out); packed tiers get it
 * without decompression. Begin with the segment of which nothing has died for
 * longest. Objects that are in use just now stay, and the caller moves them in
 * another way. The caller holds swap_tier.move_lock. May sleep. Return 0,
 * -EINTR when the move was stopped, -ENOSPC or -ENOMEM.
 */
int swap_packed_move_out(struct swap_move *move)
{
	struct swap_packed_tier *packed = READ_ONCE(move->si->tier->packed);
	struct swap_segment *segment;
	unsigned int nr;
	int err = 0, ret;

	if (!packed)
		return 0;

	/*
	 * Close the segments that are being filled, because only closed ones
	 * are moved as they are; the caller would have to move the rest page by
	 * page.
	 */
	if (move->want == ULONG_MAX)
		swap_packed_close(packed);

	/*
	 * Look at each segment once: a segment that is put back goes to the
	 * end, behind those that were closed just before, because the time goes
	 * on.
	 */
	spin_lock(&packed->lock);
	packed->next_seq++;
	spin_unlock(&packed->lock);
	for (nr = READ_ONCE(packed->tier->nr_segments); nr && !err; nr--) {
		segment = swap_move_stopped(move) ? NULL :
						    swap_collect_oldest(packed);
		if (!segment)
			break;
		err = mutex_lock_killable(&packed->read_lock);
		if (!err) {
			err = swap_collect_segment(segment, move, NULL);
			mutex_unlock(&packed->read_lock);
		}
		/*
		 * Settle the moves before the segment is put back. Otherwise it
		 * would not be empty yet and would be looked at again.
		 */
		ret = move->ops->settle(move);
		swap_collect_putback(segment, false);
		if (!err)
			err = ret;
		/* Go on, because another segment may be readable. */
		if (err == -EIO)
			err = 0;
		cond_resched();
	}
	ret = move->ops->end(move);
	if (!err)
		err = ret;
	swap_packed_wait_moved();
	return !err && swap_move_stopped(move) ? -EINTR : err;
}

/*
 * Let segments be tried again that could not be emptied, because a lock or an
 * outage may have been in the way. This is done while somebody is refused room,
 * because there is no other way to make some.
 */
void swap_collect_again_work(struct work_struct *work)
{
	struct swap_packed_tier *packed =
		container_of(to_delayed_work(work), struct swap_packed_tier,
			     again_work);

	spin_lock(&packed->lock);
	swap_victims_unskip(&packed->victims);
	spin_unlock(&packed->lock);
	swap_collect_kick(packed);
}

/* Make one segment free. */
void swap_collect_work(struct work_struct *work)
{
	struct swap_packed_tier *packed =
		container_of(work, struct swap_packed_tier, collect_work);
	struct swap_segment *segment;
	int err;

	if (!swap_collect_is_needed(packed))
		return;
	if (!swap_packed_is_stopped(packed, NULL)) {
		segment = swap_collect_victim(packed);
		/*
		 * There is no victim now. Collection begins again when more has
		 * died, see swap_segment_account().
		 */
		if (!segment) {
			if (READ_ONCE(packed->starved))
				queue_delayed_work(swap_collect_wq,
						   &packed->again_work, HZ);
			return;
		}
		err = swap_collect_once(segment);
		/*
		 * Segments that have become free must be counted before the
		 * next run is decided on.
		 */
		swap_segments_release_dead(packed);
		/*
		 * No other victim would find room, either, before something has
		 * died.
		 */
		if (err == -ENOSPC && !READ_ONCE(packed->tier->nr_spares))
			return;
	}
	/*
	 * While the system freezes, the workqueue keeps the next run until the
	 * thaw.
	 */
	swap_collect_kick(packed);
}

/*
 * Collect until the image has room, or no victim is worth it. Each run of the
 * work collects one. Wait for no more runs than there are segments, because
 * data that dies in the course of it makes new victims without an end.
 */
static void swap_collect_for_image(struct swap_packed_tier *packed,
				   unsigned long end)
{
	unsigned int nr = READ_ONCE(packed->tier->nr_segments);
	unsigned long before;

	do {
		before = swap_tier_stat_sum(packed->tier, SWAP_TIER_COLLECTED);
		swap_collect_kick(packed);
		flush_work(&packed->collect_work);
	} while (nr-- && swap_segments_short_of_image(packed) &&
		 swap_tier_stat_sum(packed->tier, SWAP_TIER_COLLECTED) !=
			 before &&
		 time_before(jiffies, end) && !signal_pending(current));
}

/* An image has at most half of the RAM, and free memory is not in it. */
static unsigned long swap_image_segments(void)
{
	unsigned long ram = totalram_pages();
	unsigned long used =
		ram - min(ram, global_zone_page_state(NR_FREE_PAGES));

	return SWAP_SEGMENT_RESERVE +
	       DIV_ROUND_UP(min(used, ram / 2), SWAPFILE_CLUSTER);
}

/*
 * Make room on each device, because this code does not know which one will have
 * the image. Keep the same amount free until the image has been dropped or
 * resumed from, because data is stored until the freezer has stopped all tasks,
 * for instance to make room for the image in RAM.
 */
static void swap_collect_make_room_for_image(void)
{
	unsigned long end = jiffies + SWAP_COLLECT_IMAGE_TIME;
	struct swap_info_struct *si;
	int type;

	WRITE_ONCE(swap_collect_image, swap_image_segments());
	for (type = 0; type < MAX_SWAPFILES; type++) {
		si = READ_ONCE(swap_info[type]);
		if (!si || !swap_device_tryget(si))
			continue;
		if (si->tier && si->tier->packed)
			swap_collect_for_image(si->tier->packed, end);
		put_swap_device(si);
	}
}

static int swap_collect_pm_notify(struct notifier_block *nb,
				  unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
		swap_collect_make_room_for_image();
		fallthrough;
	case PM_SUSPEND_PREPARE:
		/*
		 * Write now what movers have brought from zswap. It may wait
		 * for a second in its chunk, and by then the devices may be
		 * suspended.
		 */
		swap_packed_flush_all();
		break;
	case PM_POST_HIBERNATION:
		WRITE_ONCE(swap_collect_image, 0);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block swap_collect_pm_nb = {
	.notifier_call = swap_collect_pm_notify,
};

/* Make what all tiers share. It may be called again after a failure. */
int swap_collect_init(void)
{
	if (swap_collect_wq)
		return 0;
	swap_collect_wq = alloc_workqueue("swap_abs_collect",
					  WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!swap_collect_wq)
		return -ENOMEM;
	if (IS_ENABLED(CONFIG_PM_SLEEP))
		register_pm_notifier(&swap_collect_pm_nb);
	return 0;
}
