// SPDX-License-Identifier: GPL-2.0
/*
 * What holds while no task is in the middle of something. Chunks may be filled
 * or on their way, and works may wait. It is summed up from the words of the
 * slots and from what chunks carry, and compared with what the kernel's files
 * have counted.
 */
#include "driver.h"

#define HEADER		((unsigned int)sizeof(struct swap_object_header))

struct seen {
	unsigned int live;	/* bytes */
	unsigned int objects;
	unsigned int writing;	/* chunks */
	unsigned int places;	/* lists, or who fills it */
	bool with_data;
};

static struct seen seen[NR_DEVICES][DEVICE_CLUSTERS];
static bool taken[DEVICES_SIZE / SWAP_OBJECT_ALIGN];
static unsigned int nr_pinned, nr_writeback, nr_copies;
static long promised;

static struct seen *seen_of(struct swap_segment *segment)
{
	struct swap_info_struct *si = segment->packed->tier->si;

	must(segment->index < DEVICE_CLUSTERS);
	must(si->cluster_info[segment->index].segment == segment);
	return &seen[si->type][segment->index];
}

/* An object is in use: a word points to it, or a move. No two overlap. */
static void see_object(swap_desc_t word)
{
	unsigned int size = swap_object_size(swap_desc_length(word)), i;
	struct swap_segment *segment = swap_segment_of(word);
	u64 unit = (device_start(swap_desc_tier(word)) + swap_desc_address(word)) /
		   SWAP_OBJECT_ALIGN;

	must(segment);
	seen_of(segment)->live += size;
	seen_of(segment)->objects++;
	for (i = 0; i < size / SWAP_OBJECT_ALIGN; i++) {
		must(!taken[unit + i]);
		taken[unit + i] = true;
	}
}

static void see_slot(unsigned int slot, bool all)
{
	struct swap_cluster_info *ci = &swap_virtual_area->cluster_info[slot / SWAPFILE_CLUSTER];
	struct folio *folio = ci->table[slot % SWAPFILE_CLUSTER];
	swap_desc_t word = ci->desc[slot % SWAPFILE_CLUSTER];

	promised += swap_desc_is_promised(word);
	nr_pinned += swap_desc_is_pinned(word);
	if (folio) {
		must(!folio->locked);
		nr_writeback += folio->writeback && !folio_test_large(folio);
		must(!all || !folio->writeback);
		/* It is the only copy. */
		if (swap_desc_tag(word) == SWAP_DESC_NONE)
			must(folio->uptodate && folio->dirty);
	}
	switch (swap_desc_tag(word)) {
	case SWAP_DESC_NONE:
		break;
	case SWAP_DESC_ZSWAP:
		must(((struct zswap_object *)swap_desc_handle(word))->slot == slot);
		nr_copies++;
		break;
	default:
		must(swap_desc_tag(word) == SWAP_DESC_PACKED);
		must(swap_desc_tier(word) < (int)NR_DEVICES);
		must(!swap_desc_is_promised(word));
		see_object(word);
	}
}

/* A move has pinned a word, or it has an orphan. A store is a writeback. */
static void see_item(const struct swap_chunk_item *item)
{
	swap_desc_t word, from = swap_place_word(item->from);

	if (item->folio) {
		must(item->folio->writeback);
		nr_writeback--;
		return;
	}
	if (item->write) {
		must(atomic_read(&item->write->pending));
		must(!item->write->folio || item->write->folio->writeback);
		return;
	}
	must(!swap_place_is_none(item->from));
	see_object(item->to);
	word = swap_desc_read(item->slot);
	if (swap_desc_is_pinned(word) && swap_desc_is_at(word, item->from)) {
		nr_pinned--;
		return;
	}
	if (swap_desc_tag(from) == SWAP_DESC_PACKED)
		see_object(from);
	else
		nr_copies++;
}

struct sums {
	unsigned int chunks, lazy, surviving;
	long moving;
};

static void see_chunk(const struct swap_chunk *chunk, struct sums *sums, bool filled,
		      bool done)
{
	unsigned int i;

	must(chunk->nr_items && chunk->nr_items <= SWAP_CHUNK_ITEMS);
	sums->chunks++;
	sums->lazy += !filled && !chunk->urgent;
	if (!swap_stream_is_fresh(chunk->id))
		sums->surviving += chunk->nr_items;
	seen_of(chunk->segment)->writing++;
	for (i = 0; i < chunk->nr_items; i++) {
		const struct swap_chunk_item *item = &chunk->items[i];

		if (!item->folio && !item->write)
			sums->moving += swap_desc_length(item->to);
		/* A folio may have gone when its write has ended. */
		else if (done)
			continue;
		see_item(item);
	}
}

static void see_list(struct list_head *list, unsigned int nr, bool with_data)
{
	struct swap_segment *segment;

	list_for_each_entry(segment, list, victim.list) {
		must(!segment->victim.listed == !with_data);
		seen_of(segment)->places++;
		seen_of(segment)->with_data = with_data;
		nr--;
	}
	must(with_data || !nr);
}

static void check_segment(struct swap_segment *segment, const struct seen *seen, bool is_open,
			  bool is_dead)
{
	unsigned int live = swap_segment_live(segment);

	must(segment->victim.end <= SWAPFILE_CLUSTER);
	if (!seen->with_data) {
		must(seen->places == 1 && !seen->objects && !seen->writing);
		must(live == (segment->victim.bad ? SWAP_SEGMENT_BAD : 0));
		return;
	}
	must(live == seen->live);
	must(atomic_read(&segment->writing) == (int)seen->writing);
	must(refcount_read(&segment->refs) == (int)(seen->objects + seen->writing + is_open));
	must(is_dead == !refcount_read(&segment->refs));
	if (segment->victim.listed && !segment->victim.skip && !is_dead)
		must(seen->writing || segment->victim.bucket == swap_segment_bucket(live));
}

static void check_tier(struct swap_tier *tier, struct sums *sums)
{
	struct swap_packed_tier *packed = tier->packed;
	unsigned int i, idle = 0, nr_segments = 0, listed = 0;
	long objects = 0, live = 0, held = 0;
	struct swap_chunk *chunk;
	struct llist_node *node;

	list_for_each_entry(chunk, &packed->idle, list)
		idle++;
	must(packed->nr_idle == idle && idle + sums->chunks == SWAP_NR_CHUNKS);
	must(packed->nr_lazy == sums->lazy);
	must(atomic_read(&packed->surviving) == (int)sums->surviving);

	see_list(&packed->spares, tier->nr_spares, false);
	see_list(&packed->bad, tier->nr_bad_segments, false);
	/* What is bad is tried again some time. */
	must(!tier->nr_bad_segments || retry_asked[tier - tiers]);
	for (i = 0; i < SWAP_VICTIM_BUCKETS; i++)
		see_list(&packed->victims.bucket[i], 0, true);
	for (i = 0; i < NR_SWAP_STREAMS; i++) {
		if (!packed->streams[i].segment)
			continue;
		seen_of(packed->streams[i].segment)->places++;
		seen_of(packed->streams[i].segment)->with_data = true;
	}
	for (i = 0; i < DEVICE_CLUSTERS; i++) {
		struct swap_segment *segment = tier->si->cluster_info[i].segment;
		bool is_open = false, is_dead = false;
		unsigned int j;

		must(!segment == (tier->si->cluster_info[i].flags != CLUSTER_FLAG_LENT_SEGMENT));
		if (!segment)
			continue;
		for (j = 0; j < NR_SWAP_STREAMS; j++)
			is_open |= packed->streams[j].segment == segment;
		for (node = packed->dead.first; node; node = node->next)
			is_dead |= node == &segment->dead;
		must(seen[tier->si->type][i].places == 1);
		check_segment(segment, &seen[tier->si->type][i], is_open, is_dead);
		held += swap_packed_segment_held(&tier->si->cluster_info[i]);
		if (!seen[tier->si->type][i].with_data)
			continue;
		nr_segments++;
		listed += segment->victim.listed;
		objects += seen[tier->si->type][i].objects;
		live += seen[tier->si->type][i].live;
	}
	must(packed->victims.nr == listed);
	must(tier->nr_segments == nr_segments);
	must(percpu_counter_sum(&tier->used) == (s64)nr_segments * SWAPFILE_CLUSTER);
	must(percpu_counter_sum(&packed->objects) == objects);
	must(percpu_counter_sum(&packed->live) == live);
	must(percpu_counter_sum(&tier->segments_held) == held);
	must(!packed->reserved == !tier->hidden);
	promised += held + tier->hidden;
}

/* Whole objects are written, and zero: nothing else of the kernel's memory. */
void check_write(u64 address, const u8 *data, unsigned int size)
{
	unsigned int pos = 0, end = 0, begin;
	struct swap_object object;
	u32 seq;

	memcpy(&seq, data + 4, sizeof(seq));
	do {
		begin = size;
		if (swap_object_next(data, size, &pos, address, seq, &object))
			begin = object.address - address;
		for (; end < begin; end++)
			must(!data[end]);
		end = begin + HEADER + object.length;
	} while (begin < size);
}

/* With @all nothing is on its way, and the kernel's own check says the same. */
void check(bool all)
{
	struct sums sums[NR_DEVICES] = { };
	struct work_struct *work;
	unsigned int i, j;
	struct bio *bio;
	long moving = 0;

	memset(seen, 0, sizeof(seen));
	memset(taken, 0, sizeof(taken));
	nr_pinned = 0;
	nr_writeback = 0;
	nr_copies = 0;
	promised = 0;
	for (i = 1; i < NR_SLOTS; i++)
		see_slot(i, all);
	for (i = 0; i < NR_DEVICES; i++)
		for (j = 0; j < NR_SWAP_STREAMS; j++)
			if (tiers[i].packed->streams[j].chunk)
				see_chunk(tiers[i].packed->streams[j].chunk, &sums[i], true, false);
	list_for_each_entry(bio, &bios, entry) {
		struct swap_chunk *chunk = bio->bi_private;

		see_chunk(chunk, &sums[chunk->segment->packed->tier->si->type], false, false);
	}
	list_for_each_entry(work, &works, entry) {
		struct swap_chunk *chunk = container_of(work, struct swap_chunk, work);

		if (work->func == swap_chunk_done_work)
			see_chunk(chunk, &sums[chunk->segment->packed->tier->si->type], false,
				  true);
	}
	for (i = 0; i < NR_DEVICES; i++) {
		check_tier(&tiers[i], &sums[i]);
		moving += sums[i].moving;
	}
	/* A pin has one mover, a writeback one write, and an orphan one mover. */
	must(!nr_pinned);
	must(!nr_writeback);
	must(nr_copies == nr_objects);
	must(atomic_read(&swap_bytes_moving) == moving);
	/* All capacity is promised, held or free. */
	must(atomic_read(&nr_swap_pages) + promised ==
	     (long)NR_DEVICES * (DEVICE_CLUSTERS - 1) * SWAPFILE_CLUSTER);
	if (!all)
		return;
	for (i = 0; i < NR_DEVICES; i++) {
		must(!sums[i].chunks);
		swap_packed_format.check(&tiers[i], true);
	}
	for (i = 1; i < NR_SLOTS; i++) {
		swap_desc_t word = swap_desc_read(swp_entry(swap_virtual_area->type, i));

		if (swap_desc_tag(word) == SWAP_DESC_PACKED)
			must(!swap_packed_backend.check(word));
	}
	for (i = 0; i < NR_DEVICES; i++)
		must(!swap_packed_format.check(&tiers[i], false));
}
