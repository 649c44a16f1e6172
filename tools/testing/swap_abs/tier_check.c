// SPDX-License-Identifier: GPL-2.0
/* Everything that can be said between two steps; see tier.h and tier_inner.h. */
#include <string.h>
#include "tier_inner.h"

static void check_slot(unsigned int nr, unsigned int *live, bool *taken, bool *object)
{
	const struct slot *slot = &slots[nr];
	unsigned int i, size;
	swap_desc_t word = slot->word;
	bool empty = swap_desc_same(word, swap_desc_none());

	/* A dirty folio is the only copy, a clean one has another. */
	if (slot->folio == FOLIO_IDLE)
		invariant(slot->dirty == empty);
	if (slot->folio == FOLIO_WRITEBACK || slot->folio == FOLIO_READING)
		invariant(swap_desc_tag(word) == SWAP_DESC_PACKED);

	switch (swap_desc_tag(word)) {
	case SWAP_DESC_NONE:
		invariant(empty);
		break;
	case SWAP_DESC_ZSWAP:
		invariant(word_object(word) < NR_OBJECTS);
		invariant(objects[word_object(word)].used);
		invariant(!objects[word_object(word)].orphan);
		invariant(!object[word_object(word)]);
		object[word_object(word)] = true;
		break;
	case SWAP_DESC_PACKED:
		size = swap_object_size(swap_desc_length(word));
		invariant(swap_desc_tier(word) == TYPE);
		invariant(swap_desc_address(word) + size <= DEVICE_SIZE);
		invariant(segment_of(word)->state != SEGMENT_FREE);
		live[segment_of(word) - segments] += size;
		for (i = 0; i < size / SWAP_OBJECT_ALIGN; i++) {
			/* No two objects overlap. */
			invariant(!taken[swap_desc_address(word) / SWAP_OBJECT_ALIGN + i]);
			taken[swap_desc_address(word) / SWAP_OBJECT_ALIGN + i] = true;
		}
		break;
	default:
		invariant(swap_desc_same(word, swap_desc_lost()));
	}
}

void tier_check(void)
{
	static bool taken[NR_UNITS];
	unsigned int live[NR_SEGMENTS] = { }, pins[NR_SEGMENTS] = { };
	unsigned int flights[NR_SEGMENTS] = { };
	bool object[NR_OBJECTS] = { };
	unsigned int pinned = 0, writeback = 0, i, j, nr;

	if (!LOOK_INSIDE)
		return;
	memset(taken, 0, sizeof(taken));
	for (i = 0; i < NR_SLOTS; i++) {
		check_slot(i, live, taken, object);
		pinned += swap_desc_is_pinned(slots[i].word);
		writeback += slots[i].folio == FOLIO_WRITEBACK;
	}
	/* A pin has one mover, writeback one write, and an orphan one mover. */
	for (i = 0; i < NR_CHUNKS; i++) {
		const struct chunk *chunk = &chunks[i];

		if (chunk->state == CHUNK_IDLE)
			continue;
		flights[chunk->segment]++;
		for (j = chunk->committed; j < chunk->nr; j++) {
			const struct move *move = &chunk->moves[j];
			const struct slot *slot = &slots[move->slot];
			swap_desc_t from = swap_place_word(move->from);

			if (swap_place_is_none(move->from)) {
				invariant(slot->folio == FOLIO_WRITEBACK);
				invariant(swap_desc_same(slot->word, move->to));
				writeback--;
				continue;
			}
			if (swap_desc_tag(from) == SWAP_DESC_PACKED)
				pins[swap_desc_address(from) / SEGMENT_SIZE]++;
			if (swap_desc_is_pinned(slot->word) &&
			    swap_desc_is_at(slot->word, move->from)) {
				pinned--;
			} else if (swap_desc_tag(from) == SWAP_DESC_ZSWAP) {
				nr = word_object(from);
				invariant(objects[nr].used && objects[nr].orphan && !object[nr]);
				object[nr] = true;
			}
		}
	}
	invariant(!pinned);
	invariant(!writeback);
	if (collector.segment >= 0)
		pins[collector.segment]++;
	for (i = 0; i < NR_OBJECTS; i++)
		invariant(objects[i].used == object[i]);
	for (i = 0; i < NR_SEGMENTS; i++) {
		const struct segment *segment = &segments[i];

		invariant(segment->live == live[i]);
		invariant(segment->pins == pins[i]);
		invariant(segment->flights == flights[i]);
		invariant(segment->fill <= SEGMENT_SIZE);
		if (segment->state == SEGMENT_FREE)
			invariant(!live[i] && !pins[i] && !flights[i]);
		if (segment->state == SEGMENT_OPEN)
			invariant(open_segment[STREAM_FRESH] == (int)i ||
				  open_segment[STREAM_SURVIVORS] == (int)i);
	}
}
