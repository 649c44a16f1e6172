// SPDX-License-Identifier: GPL-2.0
/*
 * Collection of packed segments: what is still in use of a segment is appended
 * to the stream of survivors, and when that is on the device and the last
 * object here has gone, the segment can be filled again.
 *
 * It is a mover like zswap's writeback (rule 3 of mm/swap_abs.c): headers on the
 * device say whose an object may be, the descriptor of that slot confirms it by
 * pointing exactly here, and is pinned until the copy is on the device. What is
 * not confirmed is dead. Who loads or frees an object never waits for this.
 *
 * One work a tier. It holds a reference of the segment that it reads, takes no
 * lock for longer than a look at a list, reads at idle priority, 32 KiB at a
 * time, and its own writes have two chunks at a time unless segments are short. The
 * last spare segment is kept for it.
 */
#include <linux/blkdev.h>
#include <linux/ioprio.h>
#include <linux/jiffies.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include "internal.h"
#include "swap.h"
#include "swap_abs_packed.h"

/* The segments that a victim is chosen from, so that it does not take long. */
#define SWAP_GC_SAMPLE		512

/* Of its own: it waits for work of swap_abs_wq. */
static struct workqueue_struct *swap_gc_wq;

/**
 * swap_pack_gc_wanted - segments run low
 * @pack: of a tier
 *
 * Context: any.
 */
void swap_pack_gc_wanted(struct swap_pack *pack)
{
	if (!READ_ONCE(pack->stopped))
		queue_work(swap_gc_wq, &pack->gc_work);
}

/*
 * Is there no room for what comes next, raw or packed? Pages are refused then,
 * whatever is dead in the segments.
 */
static bool swap_pack_gc_short(struct swap_pack *pack)
{
	while (READ_ONCE(pack->nr_spares) < SWAP_NR_SPARES)
		if (!swap_packed_refill(pack))
			return true;
	return atomic_long_read(&nr_swap_pages) < SWAPFILE_CLUSTER;
}

static bool swap_pack_gc_needed(struct swap_pack *pack)
{
	if (READ_ONCE(pack->stopped) || pm_suspended_storage())
		return false;
	return swap_pack_gc_short(pack) ||
	       (u64)READ_ONCE(pack->nr_segments) * SWAPFILE_CLUSTER * 10 >
	       (u64)pack->tier->si->pages * 7;
}

/*
 * Is there less to write for what it makes room for than would be to write of
 * raw pages? With R pages' worth in a block, and of a segment u in use, R * (1 - u).
 * Where there is no room for raw pages either, there is nothing to compare with,
 * and a segment's worth of room may cost the writing of seven.
 */
static bool swap_pack_gc_pays(u64 pages, u64 bytes, unsigned int live, bool no_room)
{
	if (no_room && live <= SWAP_SEGMENT_SIZE / 8 * 7)
		return true;
	return pages * SWAP_PACK_BLOCK / 12 * 10 >=
	       mul_u64_u32_div(bytes, SWAP_SEGMENT_SIZE, SWAP_SEGMENT_SIZE - live);
}

/* The segment that is best collected, off its list, with a reference; or NULL. */
static struct swap_segment *swap_pack_victim(struct swap_pack *pack)
{
	u64 pages = percpu_counter_sum_positive(&pack->objects), bytes = 0, benefit, most = 0;
	struct swap_segment *segment, *best = NULL;
	bool no_room = swap_pack_gc_short(pack);
	struct list_head *pos = &pack->hand;
	unsigned int live, n = 0, used = 0;

	spin_lock(&pack->lock);
	/* Once round from the hand at most, which is in the list itself. */
	while (n++ < SWAP_GC_SAMPLE) {
		pos = pos->next;
		if (pos == &pack->closed)
			pos = pos->next;
		if (pos == &pack->hand)
			break;
		segment = list_entry(pos, struct swap_segment, list);
		live = atomic_read(&segment->live);
		bytes += live;
		used++;
		if (segment->bad || atomic_read(&segment->writing))
			continue;
		/* Without room the emptiest one makes some soonest. */
		benefit = swap_pack_benefit(live, SWAP_SEGMENT_SIZE,
					    no_room ? 0 : (u32)jiffies - segment->filled);
		if (benefit > most && refcount_read(&segment->refs)) {
			most = benefit;
			best = segment;
		}
	}
	/* The sample stands for all of them. */
	bytes = used ? div_u64(bytes * pack->nr_segments, used) : 0;
	if (best && !swap_pack_gc_pays(pages, bytes, atomic_read(&best->live), no_room))
		best = NULL;
	/* The next sample has new ones. */
	if (pos != &pack->hand)
		list_move(&pack->hand, pos);
	if (best && refcount_inc_not_zero(&best->refs))
		list_del_init(&best->list);
	else
		best = NULL;
	spin_unlock(&pack->lock);
	return best;
}

/**
 * swap_pack_pin - pin the slot that an object on a device may be of
 * @si: the device
 * @base: what @object->offset counts from, in pages
 * @object: what a header on the device says
 * @slot: gets the slot
 * @word: gets its word
 *
 * Context: process context, does not sleep.
 * Return: true when the slot's data is that object: to be ended with swap_pack_unpin(),
 * or by a mover.
 */
bool swap_pack_pin(struct swap_info_struct *si, pgoff_t base,
		   const struct swap_pack_object *object, swp_entry_t *slot,
		   unsigned long *word)
{
	/* What the device says is checked before it is used for anything. */
	if (!object->slot || object->slot >= READ_ONCE(swap_virtual_area->max) ||
	    object->codec >> SWAP_DESC_CODEC_BITS)
		return false;
	*slot = swp_entry(swap_virtual_area->type, object->slot);
	*word = swap_desc_packed(si->type, ((u64)base << PAGE_SHIFT) + object->offset,
				 object->length, object->codec);
	return swap_desc_place(swap_abs_word(*slot)) == *word && swap_abs_pin(*slot, *word);
}

/**
 * swap_pack_unpin - the data of a slot stays where it is
 * @slot: the slot
 * @word: its word, pinned
 *
 * Return: false when it has been freed meanwhile, and is gone now.
 */
bool swap_pack_unpin(swp_entry_t slot, unsigned long word)
{
	if (swap_abs_unpin(slot, word))
		return true;
	swap_abs_debug_orphan();
	swap_packed_backend.drop(&word, 1);
	return false;
}

/**
 * swap_pack_move_to_zswap - let zswap have an object as it is
 * @tier: where it is
 * @slot: whose data it is
 * @word: its word, pinned
 * @object: what is copied
 * @ahead: as for zswap_move_in()
 *
 * Context: process context, sleeps, but does not wait for memory with @ahead.
 * Return: true when that is done; false with the word still pinned.
 */
bool swap_pack_move_to_zswap(struct swap_tier *tier, swp_entry_t slot, unsigned long word,
			     const struct swap_pack_object *object, bool ahead)
{
	if (zswap_move_in(slot, word, object, ahead))
		return false;
	swap_tier_count(tier, SWAP_TIER_MOVED_OUT, 1);
	swap_packed_backend.drop(&word, 1);
	return true;
}

/*
 * Move an object that is pinned to another tier, or to the survivors. Return: 0 when
 * that is under way, -EAGAIN when this object can't be moved so, else -ENOSPC.
 */
static int swap_pack_move_object(struct swap_pack *pack, swp_entry_t slot,
				 unsigned long word, const struct swap_pack_object *object,
				 struct swap_move *move)
{
	unsigned long tiers;

	if (move) {
		tiers = move->tiers & swap_memcg_tiers_of(slot, 1);
		if ((tiers & SWAP_TIER_ZSWAP) &&
		    swap_pack_move_to_zswap(pack->tier, slot, word, object, false))
			return 0;
		if (!swap_slot_may_writeback(slot))
			return -EAGAIN;
		return swap_packed_move(slot, word, object->data, object->length,
					object->codec, true, tiers) ? -EAGAIN : 0;
	}
	if (swap_pack_move_to(pack, SWAP_STREAM_SURVIVORS, slot, word, object->data,
			      object->length, object->codec, true))
		return 0;
	return -ENOSPC;
}

/*
 * An object that was found: to another tier if there is a @move, else to the
 * survivors. Less than zero when there is no room to go on.
 */
static int swap_pack_collect_object(struct swap_segment *segment,
				    const struct swap_pack_object *object,
				    struct swap_move *move)
{
	struct swap_pack *pack = segment->pack;
	swp_entry_t slot;
	unsigned long word;
	int err;

	if (!swap_pack_pin(pack->tier->si, swap_segment_offset(segment), object, &slot, &word))
		return 0;

	swap_abs_debug_move();
	err = swap_pack_move_object(pack, slot, word, object, move);
	if (!err && move)
		WRITE_ONCE(*move->moved, *move->moved + 1);
	if (!err)
		return 0;
	if (!swap_pack_unpin(slot, word))
		return 0;
	/* Not as it is, so as a page. */
	return err == -EAGAIN ? swap_move_slot(move, slot) : err;
}

/* Read up to SWAP_GC_SIZE from a block on. Return: bytes, 0 when that fails twice. */
static unsigned int swap_pack_collect_read(struct swap_segment *segment,
					   unsigned int base)
{
	unsigned int blocks = min(segment->end - base / SWAP_PACK_BLOCK,
				  SWAP_GC_SIZE / SWAP_PACK_BLOCK);
	pgoff_t offset = swap_segment_offset(segment) + base / SWAP_PACK_BLOCK;
	struct swap_pack *pack = segment->pack;
	struct swap_info_struct *si = pack->tier->si;
	int tries = 2;

	swap_device_run(si, offset, &blocks);
	while (tries--)
		if (!swap_packed_read_sync(si, offset, blocks, pack->gc_buf,
					   IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)))
			return blocks * SWAP_PACK_BLOCK;
	return 0;
}

/* Is the collection, or @move, to end? */
static bool swap_pack_stopped(struct swap_pack *pack, struct swap_move *move)
{
	return move ? swap_move_stopped(move) : READ_ONCE(pack->stopped);
}

/*
 * Move what is in use of a segment, off its list and with a reference. Return: 0
 * when all of it has been looked at, -EINTR when it was stopped, or that there is
 * no room.
 */
static int swap_pack_empty(struct swap_segment *segment, struct swap_move *move)
{
	struct swap_pack *pack = segment->pack;
	unsigned int end = segment->end * SWAP_PACK_BLOCK;
	unsigned int pos = 0, base, size, next;
	struct swap_pack_object object;
	bool unreadable = false;
	int err;

	while (pos < end && atomic_read(&segment->live)) {
		if (swap_pack_stopped(pack, move))
			return -EINTR;
		base = ALIGN_DOWN(pos, SWAP_PACK_BLOCK);
		size = swap_pack_collect_read(segment, base);
		if (!size) {
			/* What is there stays there, for who loads it. */
			unreadable = true;
			pos = base + SWAP_PACK_BLOCK;
			continue;
		}
		next = pos - base;
		for (;;) {
			while (swap_pack_next(pack->gc_buf, size, &next, base,
					      segment->seq, &object)) {
				err = swap_pack_collect_object(segment, &object, move);
				if (!err && move && swap_move_stopped(move))
					err = -EINTR;
				if (err)
					return err;
			}
			/* At the end of a segment or extent, no object goes on. */
			if (size == SWAP_GC_SIZE || next >= size)
				break;
			next += SWAP_PACK_ALIGN;
		}
		pos = base + next;
		cond_resched();
	}
	/* No victim again, but for those who load what can be read. */
	if (unreadable)
		WRITE_ONCE(segment->bad, true);
	return 0;
}

/* Back to the others, if something is in use still: in front if there is @more to do. */
static void swap_pack_putback(struct swap_segment *segment, bool more)
{
	struct swap_pack *pack = segment->pack;

	spin_lock(&pack->lock);
	segment->filled = (u32)jiffies;
	if (more)
		list_add(&segment->list, &pack->closed);
	else
		list_add_tail(&segment->list, &pack->closed);
	spin_unlock(&pack->lock);
	swap_segment_put(segment);
}

/* Return: true when it has become emptier. */
static bool swap_pack_collect(struct swap_segment *segment)
{
	struct swap_pack *pack = segment->pack;
	int live = atomic_read(&segment->live);
	bool emptier;

	mutex_lock(&pack->read_lock);
	swap_pack_empty(segment, NULL);
	mutex_unlock(&pack->read_lock);
	swap_pack_flush(pack, SWAP_STREAM_SURVIVORS);
	wait_event(pack->wait, !atomic_read(&pack->surviving));
	emptier = atomic_read(&segment->live) < live;
	swap_pack_putback(segment, false);
	return emptier;
}

/* The segment that was filled first, off its list and with a reference, or NULL. */
static struct swap_segment *swap_pack_oldest(struct swap_pack *pack)
{
	struct swap_segment *segment;

	spin_lock(&pack->lock);
	list_for_each_entry(segment, &pack->closed, list) {
		if (&segment->list == &pack->hand || atomic_read(&segment->writing) ||
		    !refcount_inc_not_zero(&segment->refs))
			continue;
		list_del_init(&segment->list);
		spin_unlock(&pack->lock);
		return segment;
	}
	spin_unlock(&pack->lock);
	return NULL;
}

/**
 * swap_packed_drain - move packed data to other tiers, to packed ones as it is
 * @move: what is moved, and where to
 *
 * The segment that was filled first is the first. What stays here, because it is in
 * use just now, is for the caller to move in another way.
 *
 * Context: process context, sleeps; swap_tier.move_lock held.
 * Return: 0, -EINTR when it was stopped, or -ENOSPC or -ENOMEM.
 */
int swap_packed_drain(struct swap_move *move)
{
	struct swap_pack *pack = move->si->tier->pack;
	struct swap_segment *segment;
	unsigned int nr;
	int err = 0;

	if (!pack)
		return 0;

	/* Else what was written last has to be moved page by page. */
	if (move->want == ULONG_MAX)
		swap_packed_close(pack);

	/* Each once: what was looked at goes to the end. */
	for (nr = READ_ONCE(pack->nr_segments); nr && !err; nr--) {
		segment = swap_move_stopped(move) ? NULL : swap_pack_oldest(pack);
		if (!segment)
			break;
		mutex_lock(&pack->read_lock);
		err = swap_pack_empty(segment, move);
		mutex_unlock(&pack->read_lock);
		swap_pack_putback(segment, err == -EINTR);
		cond_resched();
	}
	swap_packed_wait_moved();
	return !err && swap_move_stopped(move) ? -EINTR : err;
}

/**
 * swap_pack_gc - make segments free
 * @work: swap_pack.gc_work
 */
void swap_pack_gc(struct work_struct *work)
{
	struct swap_pack *pack = container_of(work, struct swap_pack, gc_work);
	struct swap_segment *segment;
	bool progress = true;

	while (progress && swap_pack_gc_needed(pack)) {
		segment = swap_pack_victim(pack);
		if (!segment)
			return;
		progress = swap_pack_collect(segment);
		cond_resched();
	}
}

/* Once, for all tiers; after a failure it may be tried again. */
int swap_pack_gc_init(void)
{
	if (!swap_gc_wq)
		swap_gc_wq = alloc_workqueue("swap_abs_gc", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return swap_gc_wq ? 0 : -ENOMEM;
}
