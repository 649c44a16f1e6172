// SPDX-License-Identifier: GPL-2.0
/*
 * The collector: a victim by cost and benefit, read in pieces, and what
 * descriptors confirm is moved to the stream of survivors; see tier.h and
 * tier_inner.h.
 */
#include <string.h>
#include "tier_inner.h"

static bool is_victim(const struct segment *segment)
{
	if (MUTANT(PIN_IN_FLIGHT))
		return segment->state != SEGMENT_FREE && segment->live && !segment->pins;
	return segment->state == SEGMENT_CLOSED && segment->live && !segment->pins &&
	       !segment->flights;
}

static bool collector_start(void)
{
	u64 best = 0;
	unsigned int i;

	for (i = 0; i < NR_SEGMENTS; i++) {
		const struct segment *segment = &segments[i];
		u64 benefit = swap_victim_benefit(segment->live, SEGMENT_SIZE,
						  ticks - segment->closed);

		if (!is_victim(segment) || benefit <= best)
			continue;
		best = benefit;
		collector.segment = i;
	}
	if (collector.segment < 0)
		return false;
	collector.pos = 0;
	memset(collector.seen, 0, sizeof(collector.seen));
	segments[collector.segment].pins++;
	tier_stats.victims++;
	return true;
}

void collector_stop(void)
{
	segments[collector.segment].pins--;
	collector.segment = -1;
	free(collector.piece);
	collector.piece = NULL;
}

static void collector_read(void)
{
	const struct segment *segment = &segments[collector.segment];

	collector.base = collector.pos / BLOCK * BLOCK;
	/* It is still what it was. */
	invariant(segment->state == SEGMENT_CLOSED);
	must(collector.base < segment->fill);
	collector.size = segment->fill - collector.base;
	if (collector.size > PIECE_BLOCKS * BLOCK)
		collector.size = PIECE_BLOCKS * BLOCK;
	/* Of its own, so that it is seen if anything behind it is read. */
	collector.piece = malloc(collector.size);
	must(collector.piece);
	device_read(segment_start(collector.segment) + collector.base,
		    collector.piece, collector.size);
}

/*
 * The walk is over. What it has not found and descriptors still point to can't
 * be read, even when it is tried once more: a damaged block hides nothing but
 * what is damaged.
 */
static void collector_end(void)
{
	const struct segment *segment = &segments[collector.segment];
	u8 data[SWAP_OBJECT_MAX_LENGTH];
	unsigned int nr;

	for (nr = 0; nr < NR_SLOTS; nr++) {
		struct slot *slot = &slots[nr];
		swap_desc_t word = slot->word;
		u64 address;

		if (swap_desc_tag(word) != SWAP_DESC_PACKED || segment_of(word) != segment)
			continue;
		address = swap_desc_address(word);
		if (collector.seen[address % SEGMENT_SIZE / SWAP_OBJECT_ALIGN])
			continue;
		invariant(!swap_desc_is_pinned(word));
		/* Damage can come, and go when the same bit flips again. */
		invariant(device_damaged(address, HEADER + swap_desc_length(word)));
		if (!read_packed(nr, word, data))
			continue;
		/* With a folio there RAM may have it, or the load will tell. */
		tier_found_bad(nr, address, HEADER + swap_desc_length(word),
			       slot->folio == FOLIO_IDLE);
		if (slot->folio != FOLIO_NONE && !MUTANT(LOST_OVER_FOLIO))
			continue;
		drop(slot);
		slot->word = swap_desc_lost();
		tier_stats.lost++;
	}
	collector_stop();
}

/* One step: choose a victim, read a piece, or move up to @nr objects. */
bool tier_collect(unsigned int nr)
{
	struct swap_object found;
	struct segment *segment;
	unsigned int at;
	swap_desc_t word;

	if (collector.segment < 0)
		return collector_start();
	segment = &segments[collector.segment];
	if (!collector.piece) {
		collector_read();
		return true;
	}
	at = collector.pos - collector.base;
	while (nr--) {
		if (!swap_object_next(collector.piece, collector.size, &at,
				      segment_start(collector.segment) + collector.base,
				      segment->seq, &found)) {
			bool last = collector.base + collector.size == segment->fill;

			/* The next piece is another one. */
			must(last || at >= BLOCK);
			collector.pos = collector.base + at;
			if (last && at + SWAP_OBJECT_ALIGN < collector.size) {
				/* What began there has no end. */
				collector.pos += SWAP_OBJECT_ALIGN;
				return true;
			}
			if (!last) {
				free(collector.piece);
				collector.piece = NULL;
				return true;
			}
			collector_end();
			return true;
		}
		collector.pos = collector.base + at;
		collector.seen[found.address % SEGMENT_SIZE / SWAP_OBJECT_ALIGN] = true;
		if (found.slot >= NR_SLOTS)
			continue;
		word = swap_desc_packed(TYPE, found.address, found.length, found.codec);
		if (!move_begin(STREAM_SURVIVORS, found.slot, swap_desc_place(word),
				found.data, found.length, found.codec)) {
			tier_stats.aborted++;
			collector_stop();
			return true;
		}
	}
	return true;
}
