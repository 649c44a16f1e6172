// SPDX-License-Identifier: GPL-2.0
/*
 * Collection of packed segments: what is still in use of a segment is appended
 * to a stream of survivors, and when that is on the device and the last
 * object here has gone, the segment can be filled again. What survives of a victim that
 * is older than most has a stream of its own.
 *
 * It is a mover like zswap's writeback (rule 3 of mm/swap_abs.c): headers on the
 * device say whose an object may be, the descriptor of that slot confirms it by
 * pointing exactly here, and is pinned until the copy is on the device. What is
 * not confirmed is dead. Who loads or frees an object never waits for this.
 *
 * Which segment is next, and when one is needed, is the policy of
 * mm/swap_abs/victim.c: few segments are free, those in reserve included. It is asked
 * by who opens, closes or is refused a segment (what needs room), and by who drops an
 * object that takes a segment to another bucket (what makes room). A victim of which
 * something can't be moved just now is skipped until it has lost something more, and the
 * next one is taken: one bad object stops nothing.
 *
 * One work a tier, and one victim each time that it runs, so that the freezer waits for
 * no more than that; a frozen queue holds the next one. It holds a reference of the
 * segment that it reads, takes no lock for longer than a look at some lists, and
 * allocates nothing. Reads are at idle priority while nobody waits for room.
 *
 * A hibernation image is written to free slots, and dead space has none. So before all is
 * frozen, as much is collected as the image may need; see swap_collect_make_room_for_image().
 *
 * To hold: while there is no free segment but the reserve, and a segment that is worth
 * it, this work is queued or runs, but for the time that storage is suspended.
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

/* Clusters that a device which is written raw has free while it is not full */
#define SWAP_GC_PEER_FREE	8

/* The longest that hibernation waits for collection: a few GB of a slow device */
#define SWAP_GC_IMAGE_TIME	(60 * HZ)

/* Are so few segments free that collection is to make some? */
static bool swap_collect_is_needed(struct swap_packed_tier *packed)
{
	return !READ_ONCE(packed->stopped) && READ_ONCE(packed->tier->nr_segments) &&
	       (swap_segments_are_short(packed) || swap_segments_short_of_image(packed));
}

/* Does somebody wait for room? */
static bool swap_collect_is_urgent(struct swap_packed_tier *packed)
{
	return READ_ONCE(packed->starved) || READ_ONCE(packed->tier->nr_spares) < SWAP_SEGMENT_RESERVE ||
	       READ_ONCE(swap_collect_image);
}

/*
 * Is there another device of the same rank that does not collect, or need not? What is not
 * packed there has clusters that are free as a whole.
 */
static bool swap_streams_have_peer(struct swap_packed_tier *packed)
{
	struct swap_tier *tier;
	bool found = false;

	spin_lock(&swap_tiers_lock);
	plist_for_each_entry(tier, &swap_tiers, node) {
		if (found || tier->node.prio > packed->tier->node.prio)
			break;
		if (tier == packed->tier || tier->node.prio < packed->tier->node.prio ||
		    READ_ONCE(tier->closed) || !(READ_ONCE(tier->si->flags) & SWP_WRITEOK))
			continue;
		found = tier->packed && !READ_ONCE(tier->packed->stopped) ?
			!swap_segments_are_short(tier->packed) :
			swap_tier_free_clusters(tier) >= SWAP_GC_PEER_FREE;
	}
	spin_unlock(&swap_tiers_lock);
	return found;
}

/* The segment that is best collected, off its list, with a reference; or NULL. */
static struct swap_segment *swap_collect_victim(struct swap_packed_tier *packed)
{
	bool elsewhere = !READ_ONCE(packed->starved) && !READ_ONCE(swap_collect_image) &&
			 swap_streams_have_peer(packed);
	unsigned int nr_free = swap_segments_nr_free(packed);
	unsigned int nr = packed->tier->si->max / SWAPFILE_CLUSTER;
	struct swap_segment *segment;
	struct swap_victim *victim;

	spin_lock(&packed->lock);
	while ((victim = swap_victims_choose(&packed->victims, packed->next_seq, nr_free,
					     elsewhere))) {
		segment = container_of(victim, struct swap_segment, victim);
		/* What is on its way to it is skipped until it is there. */
		if (!atomic_read(&segment->writing) && refcount_inc_not_zero(&segment->refs)) {
			swap_victims_del(&packed->victims, victim);
			packed->survivors = swap_victims_is_old(&packed->victims, victim,
								packed->next_seq, nr) ?
					  SWAP_STREAM_OLD : SWAP_STREAM_SURVIVORS;
			break;
		}
		victim->skip = 1;
	}
	spin_unlock(&packed->lock);
	return victim ? segment : NULL;
}

/*
 * Move an object that is pinned to another tier, or to the survivors. Return: 0 when
 * that is under way, -EAGAIN when this object can't be moved so, else -ENOSPC.
 */
static int swap_collect_move_object(struct swap_packed_tier *packed, swp_entry_t slot,
				    swap_place_t place, const struct swap_object *object,
				    struct swap_move *move)
{
	unsigned long tiers;

	if (move) {
		tiers = move->tiers & swap_memcg_tiers_of(slot, 1);
		if ((tiers & SWAP_TIER_ZSWAP) && !zswap_adopt_object(slot, place, object, false))
			return 0;
		if (!swap_slot_may_writeback(slot))
			return -EAGAIN;
		return swap_packed_move(slot, place, object->data, object->length,
					object->codec, true, tiers) ? -EAGAIN : 0;
	}
	if (swap_stream_move_to(packed, packed->survivors, slot, place, object->data,
				object->length, object->codec, true))
		return 0;
	return -ENOSPC;
}

/*
 * An object that was found: to another tier if there is a @move, else to the
 * survivors. Less than zero when there is no room to go on.
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
	/* Not as it is, so as a page. */
	return err == -EAGAIN ? move->ops->slot(move, slot, object) : err;
}

/*
 * Reading: two pieces, so that one is on its way while what is live of the other is moved.
 */

/* An object is in so many blocks at most, and may begin in one piece and end in the next. */
#define SWAP_PACK_OVERLAP	(2 * SWAP_PACKED_BLOCK)

bool swap_collect_alloc_pieces(struct swap_packed_tier *packed)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(packed->pieces); i++) {
		packed->pieces[i].buf = kmalloc(SWAP_COLLECT_SIZE, GFP_KERNEL | __GFP_RETRY_MAYFAIL);
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
	struct swap_collect_piece *piece = container_of(bio, struct swap_collect_piece, bio);

	complete(&piece->done);
}

/* Begin to read a piece, from a block on. */
static void swap_collect_read_piece(struct swap_segment *segment, struct swap_collect_piece *piece,
				    unsigned int base, bool idle)
{
	unsigned int blocks = min(segment->victim.end - base / SWAP_PACKED_BLOCK,
				  SWAP_COLLECT_SIZE / SWAP_PACKED_BLOCK);
	pgoff_t offset = swap_segment_offset(segment) + base / SWAP_PACKED_BLOCK;
	struct swap_info_struct *si = segment->packed->tier->si;
	struct bio *bio = &piece->bio;

	swap_device_run(si, offset, &blocks);
	piece->base = base;
	piece->size = blocks * SWAP_PACKED_BLOCK;
	init_completion(&piece->done);
	swap_packed_read_init(bio, &piece->bvec, si, offset, blocks, piece->buf);
	bio->bi_ioprio = idle ? IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0) :
				IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
	/* Not to be throttled, as all movers and collection wait for it. */
	bio_associate_blkg_from_css(bio, NULL);
	bio->bi_end_io = swap_collect_read_piece_end;
	piece->pending = true;
	submit_bio(bio);
}

/* Wait until a piece has been read, if it is being read. -EINTR for who is killed. */
static int swap_collect_wait_piece(struct swap_packed_tier *packed, struct swap_collect_piece *piece)
{
	int err;

	if (!piece->pending)
		return 0;
	if (wait_for_completion_killable(&piece->done))
		return -EINTR;
	piece->pending = false;
	err = blk_status_to_errno(piece->bio.bi_status);
	bio_uninit(&piece->bio);
	swap_tier_io_done(packed->tier, err);
	return err;
}

/* Nothing is read ahead any longer. */
static void swap_collect_end_ahead(struct swap_packed_tier *packed)
{
	if (packed->ahead)
		swap_collect_wait_piece(packed, packed->ahead);
	packed->ahead = NULL;
}

/*
 * Get the piece of a segment that a byte is in, and read the next one meanwhile. NULL when
 * it can't be read, twice; -EINTR for who is killed while the device hangs.
 */
static struct swap_collect_piece *swap_collect_get_piece(struct swap_segment *segment,
							 unsigned int pos, bool idle)
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
	/* Of who was killed here, nothing is ahead, but something may be under way. */
	if (err == -ENOENT && swap_collect_wait_piece(packed, piece) == -EINTR)
		err = -EINTR;
	if (!err && (pos < piece->base || pos >= piece->base + piece->size))
		err = -ENOENT;
	while (err && err != -EINTR && tries--) {
		swap_collect_read_piece(segment, piece, ALIGN_DOWN(pos, SWAP_PACKED_BLOCK), idle);
		err = swap_collect_wait_piece(packed, piece);
	}
	if (err == -EINTR)
		return ERR_PTR(err);
	if (err) {
		swap_tier_count(packed->tier, SWAP_TIER_ERRORS, piece->size / SWAP_PACKED_BLOCK);
		return NULL;
	}
	next = piece->base + piece->size;
	if (next < end) {
		/* At the end of an extent, no object goes on. */
		if (piece->size == SWAP_COLLECT_SIZE)
			next -= SWAP_PACK_OVERLAP;
		packed->ahead = &packed->pieces[piece == packed->pieces];
		if (swap_collect_wait_piece(packed, packed->ahead) == -EINTR)
			packed->ahead = NULL;
		else
			swap_collect_read_piece(segment, packed->ahead, next, idle);
	}
	return piece;
}

/* Is the collection, or @move, to end? Also when kernel threads are about to freeze. */
static bool swap_packed_is_stopped(struct swap_packed_tier *packed, struct swap_move *move)
{
	if (move)
		return swap_move_stopped(move);
	return READ_ONCE(packed->stopped) || swap_move_freezing() || pm_suspended_storage();
}

/* Would swap_collect_object() try to move it? */
static bool swap_object_is_live(struct swap_segment *segment,
				const struct swap_object *object)
{
	swap_place_t place;
	swp_entry_t slot;

	return swap_object_find(segment->packed->tier->si, object, &slot, &place) &&
	       !swap_desc_is_pinned(swap_desc_read(slot));
}

/*
 * Move what is in use of a segment, off its list and with a reference; or with @found,
 * only sum up how many bytes of it could be moved. Return: 0 when all of it has been
 * looked at, -EINTR when it was stopped, -EIO when some of it can't be read, or that
 * there is no room.
 */
static int swap_collect_segment(struct swap_segment *segment, struct swap_move *move,
				unsigned int *found)
{
	struct swap_packed_tier *packed = segment->packed;
	u64 start = (u64)swap_segment_offset(segment) << PAGE_SHIFT;
	unsigned int end = segment->victim.end * SWAP_PACKED_BLOCK;
	struct swap_object object;
	struct swap_collect_piece *piece;
	unsigned int pos = 0, next;
	int err = 0, unreadable = 0;

	while (pos < end && swap_segment_live(segment)) {
		err = swap_packed_is_stopped(packed, move) ? -EINTR : 0;
		if (err)
			break;
		piece = swap_collect_get_piece(segment, pos, move || !swap_collect_is_urgent(packed));
		if (IS_ERR(piece)) {
			err = PTR_ERR(piece);
			break;
		}
		/* It stays there, for who loads it. What is behind it may be readable. */
		if (!piece) {
			unreadable = -EIO;
			pos = ALIGN_DOWN(pos, SWAP_PACKED_BLOCK) + SWAP_COLLECT_SIZE;
			continue;
		}
		next = pos - piece->base;
		for (;;) {
			while (!err && swap_object_next(piece->buf, piece->size, &next,
							start + piece->base, segment->seq,
							&object)) {
				if (found) {
					if (swap_object_is_live(segment, &object))
						*found += swap_object_size(object.length);
					continue;
				}
				err = swap_collect_object(segment, &object, move);
				if (!err && move && swap_move_stopped(move))
					err = -EINTR;
			}
			/* At the end of a segment or extent, no object goes on. */
			if (err || piece->size == SWAP_COLLECT_SIZE || next >= piece->size)
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

/* Back to the others, if something is in use still. With @skip, not to be chosen soon. */
static void swap_collect_putback(struct swap_segment *segment, bool skip)
{
	struct swap_packed_tier *packed = segment->packed;

	spin_lock(&packed->lock);
	swap_victims_add(&packed->victims, &segment->victim, swap_segment_live(segment),
			 packed->next_seq);
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
	 * With the reserve in use, what is moved must make a segment free, or nothing could
	 * be moved any more. One object that can't be is enough to prevent that.
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
	/* Whatever is left could not be moved, unless it was only interrupted, or for room. */
	swap_collect_putback(segment, err != -EINTR && err != -ENOSPC);
	return err;
}

/* The segment with the coldest data, off its list and with a reference, or NULL. */
static struct swap_segment *swap_streams_oldest(struct swap_packed_tier *packed)
{
	struct swap_victim *victim, *oldest = NULL;
	struct swap_segment *segment = NULL;
	unsigned int i;

	/*
	 * The heads of the buckets are those of which nothing has died for longest. What is
	 * in the first one is empty, and about to go.
	 */
	spin_lock(&packed->lock);
	for (i = 1; i < SWAP_VICTIM_BUCKETS; i++) {
		victim = list_first_entry_or_null(&packed->victims.bucket[i],
						  struct swap_victim, list);
		if (victim && (!oldest || (s32)(victim->since - oldest->since) < 0) &&
		    !atomic_read(&container_of(victim, struct swap_segment, victim)->writing))
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

/**
 * swap_packed_move_out - move packed data to other tiers, to packed ones as it is
 * @move: what is moved, and where to
 *
 * The segment that was filled first is the first. What stays here, because it is in
 * use just now, is for the caller to move in another way.
 *
 * Context: process context, sleeps; swap_tier.move_lock held.
 * Return: 0, -EINTR when it was stopped, or -ENOSPC or -ENOMEM.
 */
int swap_packed_move_out(struct swap_move *move)
{
	struct swap_packed_tier *packed = READ_ONCE(move->si->tier->packed);
	struct swap_segment *segment;
	unsigned int nr;
	int err = 0, ret;

	if (!packed)
		return 0;

	/* Else what was written last has to be moved page by page. */
	if (move->want == ULONG_MAX)
		swap_packed_close(packed);

	/* Each once: what was looked at goes to the end. */
	for (nr = READ_ONCE(packed->tier->nr_segments); nr && !err; nr--) {
		segment = swap_move_stopped(move) ? NULL : swap_streams_oldest(packed);
		if (!segment)
			break;
		err = mutex_lock_killable(&packed->read_lock);
		if (!err) {
			err = swap_collect_segment(segment, move, NULL);
			mutex_unlock(&packed->read_lock);
		}
		/* Or it would not be empty yet, and be looked at again. */
		ret = move->ops->settle(move);
		swap_collect_putback(segment, false);
		if (!err)
			err = ret;
		/* Another one may be readable. */
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

/**
 * swap_collect_again_work - try segments again that could not be emptied
 * @work: swap_packed_tier.again_work
 *
 * What was in their way may have been a lock, or an outage. Asked for while somebody is
 * refused room, as there is no other way to have some.
 */
void swap_collect_again_work(struct work_struct *work)
{
	struct swap_packed_tier *packed = container_of(to_delayed_work(work), struct swap_packed_tier,
						       again_work);

	spin_lock(&packed->lock);
	swap_victims_unskip(&packed->victims);
	spin_unlock(&packed->lock);
	swap_collect_kick(packed);
}

/**
 * swap_collect_work - make a segment free
 * @work: swap_packed_tier.collect_work
 */
void swap_collect_work(struct work_struct *work)
{
	struct swap_packed_tier *packed = container_of(work, struct swap_packed_tier, collect_work);
	struct swap_segment *segment;
	int err;

	if (!swap_collect_is_needed(packed))
		return;
	if (!swap_packed_is_stopped(packed, NULL)) {
		segment = swap_collect_victim(packed);
		/* Then it begins when more has died, see swap_segment_account(). */
		if (!segment) {
			if (READ_ONCE(packed->starved))
				queue_delayed_work(swap_collect_wq, &packed->again_work, HZ);
			return;
		}
		err = swap_collect_once(segment);
		/* What it has made free must be seen before it is asked again. */
		swap_segments_release_dead(packed);
		/* Nor is there room for any other one before something has died. */
		if (err == -ENOSPC && !READ_ONCE(packed->tier->nr_spares))
			return;
	}
	/* While the system freezes, the queue keeps it for after that. */
	swap_collect_kick(packed);
}

/*
 * Collect until the image has room, or nothing is worth it any more; not more victims than
 * there are segments, or it would not end while data dies. Each run of the work is one.
 */
static void swap_collect_for_image(struct swap_packed_tier *packed, unsigned long end)
{
	unsigned int nr = READ_ONCE(packed->tier->nr_segments);
	unsigned long before;

	do {
		before = swap_tier_stat_sum(packed->tier, SWAP_TIER_COLLECTED);
		swap_collect_kick(packed);
		flush_work(&packed->collect_work);
	} while (nr-- && swap_segments_short_of_image(packed) &&
		 swap_tier_stat_sum(packed->tier, SWAP_TIER_COLLECTED) != before &&
		 time_before(jiffies, end) && !signal_pending(current));
}

/* An image has half of the RAM at most, and what is not in use is not in it. */
static unsigned long swap_image_segments(void)
{
	unsigned long ram = totalram_pages();
	unsigned long used = ram - min(ram, global_zone_page_state(NR_FREE_PAGES));

	return SWAP_SEGMENT_RESERVE + DIV_ROUND_UP(min(used, ram / 2), SWAPFILE_CLUSTER);
}

/*
 * Which device will have the image is not known here, so each one is looked at. From now
 * on until the image is dropped, or has been resumed from, as much is kept free: until the
 * freezer has all, there are stores, also those that make room for the image in RAM.
 */
static void swap_collect_make_room_for_image(void)
{
	unsigned long end = jiffies + SWAP_GC_IMAGE_TIME;
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

static int swap_collect_pm_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
		swap_collect_make_room_for_image();
		fallthrough;
	case PM_SUSPEND_PREPARE:
		/* What leaves zswap may wait for a second, by which time no device may be up. */
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

/* Once, for all tiers; after a failure it may be tried again. */
int swap_collect_init(void)
{
	if (swap_collect_wq)
		return 0;
	swap_collect_wq = alloc_workqueue("swap_abs_gc", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!swap_collect_wq)
		return -ENOMEM;
	if (IS_ENABLED(CONFIG_PM_SLEEP))
		register_pm_notifier(&swap_collect_pm_nb);
	return 0;
}
