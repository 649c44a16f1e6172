// SPDX-License-Identifier: GPL-2.0
/*
 * Segments, chunks, and what they carry: moves by pin, copy, write and commit,
 * and stores from reclaim; see tier.h and tier_inner.h.
 *
 * A failed write closes its segment. In the kernel it is not used again before
 * swapoff; here it is, or the device would be gone after a while.
 */
#include <string.h>
#include "tier_inner.h"

static bool segment_open(enum tier_stream stream)
{
	unsigned int i, nr_free = 0;
	int found = -1;

	for (i = 0; i < NR_SEGMENTS; i++) {
		if (segments[i].state != SEGMENT_FREE)
			continue;
		nr_free++;
		if (found < 0)
			found = i;
	}
	if (nr_free <= (stream == STREAM_FRESH ? RESERVE : 0))
		return false;
	segments[found] = (struct segment) { .state = SEGMENT_OPEN, .seq = ++last_seq };
	open_segment[stream] = found;
	return true;
}

/* A chunk to append to, or NULL when there is no segment or no buffer. */
static struct chunk *chunk_open(enum tier_stream stream)
{
	struct segment *segment;
	struct chunk *chunk;
	unsigned int size;

	for (chunk = chunks; chunk->state != CHUNK_IDLE; )
		if (++chunk == chunks + NR_CHUNKS)
			return NULL;
	if (open_segment[stream] < 0 && !segment_open(stream))
		return NULL;
	segment = &segments[open_segment[stream]];
	size = SEGMENT_SIZE - segment->fill;
	if (size > CHUNK_SIZE)
		size = CHUNK_SIZE;
	/* What the memory held before must not be written. */
	memset(chunk->buf, 0xa5, sizeof(chunk->buf));
	swap_chunk_buf_init(&chunk->pack, chunk->buf, segment->seq,
			    segment_start(open_segment[stream]) + segment->fill, size);
	chunk->state = CHUNK_FILLING;
	chunk->segment = open_segment[stream];
	chunk->blocks = 0;
	chunk->failed = false;
	chunk->nr = 0;
	chunk->committed = 0;
	segment->flights++;
	filling[stream] = chunk;
	return chunk;
}

/* Nothing of the chunk is stale: data, headers, and zero between them. */
static void chunk_check(const struct chunk *chunk)
{
	unsigned int i, j, at = 0, offset, end;

	for (i = 0; i < chunk->nr; i++) {
		offset = swap_desc_address(chunk->moves[i].to) -
			 chunk->pack.start;
		end = offset + HEADER + swap_desc_length(chunk->moves[i].to);
		invariant(offset >= at && offset - at < SWAP_OBJECT_ALIGN);
		for (j = at; j < offset; j++)
			must(!chunk->buf[j]);
		at = end;
	}
	for (j = at; j < chunk->size; j++)
		must(!chunk->buf[j]);
	invariant(chunk->nr && chunk->blocks * BLOCK == chunk->size);
}

static void segment_close(enum tier_stream stream)
{
	struct segment *segment = &segments[open_segment[stream]];

	segment->state = SEGMENT_CLOSED;
	segment->closed = ticks;
	open_segment[stream] = -1;
}

static void chunk_submit(enum tier_stream stream)
{
	struct chunk *chunk = filling[stream];
	struct segment *segment = &segments[chunk->segment];

	filling[stream] = NULL;
	chunk->size = swap_chunk_buf_end(&chunk->pack);
	chunk_check(chunk);
	chunk->state = CHUNK_FLYING;
	segment->fill += chunk->size;
	/* Go on in the block that was padded. */
	if (MUTANT(REWRITE_BLOCK) && segment->fill < SEGMENT_SIZE && chunk->size > BLOCK)
		segment->fill -= BLOCK;
	if (segment->fill == SEGMENT_SIZE || segment->failed)
		segment_close(stream);
}

/* A chunk that an object of @length bytes fits, or NULL. */
struct chunk *chunk_for(enum tier_stream stream, unsigned int length)
{
	if (filling[stream] && !swap_chunk_buf_fits(&filling[stream]->pack, length))
		chunk_submit(stream);
	if (!filling[stream] && !chunk_open(stream))
		return NULL;
	/* Whole blocks are left of a segment, so an empty chunk takes any object. */
	must(swap_chunk_buf_fits(&filling[stream]->pack, length));
	return filling[stream];
}

/* Append to a chunk that it fits; @from is none for a store. */
swap_desc_t chunk_append(struct chunk *chunk, unsigned int slot, const void *data,
			 unsigned int length, unsigned int codec, swap_place_t from)
{
	unsigned int blocks;
	struct move *move;
	u64 address;

	address = swap_chunk_buf_append(&chunk->pack, slot, data, length, codec, &blocks);
	chunk->blocks += blocks;
	must(chunk->nr < NR_MOVES);
	move = &chunk->moves[chunk->nr++];
	move->slot = slot;
	move->from = from;
	move->to = swap_desc_packed(TYPE, address, length, codec);
	return move->to;
}

/* The place has the data, the copy that it was made of is not needed. */
static void replace(struct slot *slot, const struct move *move)
{
	swap_desc_t from = swap_place_word(move->from);

	segment_of(move->to)->live += swap_object_size(swap_desc_length(move->to));
	slot->word = move->to;
	if (swap_desc_tag(from) == SWAP_DESC_ZSWAP)
		object_free(word_object(from));
	else if (!MUTANT(LIVE_LEAK))
		segment_of(from)->live -= swap_object_size(swap_desc_length(from));
}

/* Pin, then copy. The write and the commit follow with the chunk. */
bool move_begin(enum tier_stream stream, unsigned int nr, swap_place_t place,
		const void *data, unsigned int length, unsigned int codec)
{
	struct chunk *chunk;

	if (!pin(&slots[nr], place))
		return true;
	chunk = chunk_for(stream, length);
	if (!chunk) {
		unpin(&slots[nr], place);
		return false;
	}
	chunk_append(chunk, nr, data, length, codec, place);
	if (MUTANT(FREE_SOURCE_EARLY) && swap_desc_tag(swap_place_word(place)) == SWAP_DESC_PACKED)
		replace(&slots[nr], &chunk->moves[chunk->nr - 1]);
	return true;
}

static void move_end(const struct move *move, bool failed)
{
	struct slot *slot = &slots[move->slot];
	swap_desc_t from = swap_place_word(move->from);
	bool same = swap_desc_is_at(slot->word, move->from) && swap_desc_is_pinned(slot->word);
	bool folio_ok = slot->folio == FOLIO_NONE || slot->folio == FOLIO_IDLE;

	if (MUTANT(FREE_SOURCE_EARLY) && swap_desc_tag(from) == SWAP_DESC_PACKED) {
		segment_of(from)->pins--;
		return;
	}
	if (MUTANT(NO_PIN))
		same = swap_desc_is_at(slot->word, move->from);
	if (MUTANT(COMMIT_NO_COMPARE))
		same = !swap_desc_same(slot->word, swap_desc_none());
	if (MUTANT(COMMIT_IGNORES_FOLIO))
		folio_ok = true;

	if (!same) {
		tier_stats.given_up++;
		/* Dropped meanwhile, and left to the mover. */
		if (swap_desc_tag(from) == SWAP_DESC_PACKED && !MUTANT(NO_PIN))
			segment_of(from)->pins--;
		if (swap_desc_tag(from) == SWAP_DESC_ZSWAP && !MUTANT(NO_PIN) &&
		    !MUTANT(NO_ORPHAN)) {
			invariant(objects[word_object(from)].orphan);
			object_free(word_object(from));
			tier_stats.orphans++;
		}
		return;
	}
	unpin(slot, move->from);
	if (failed || !folio_ok) {
		tier_stats.unpinned++;
		return;
	}
	if (swap_desc_tag(from) == SWAP_DESC_ZSWAP)
		tier_stats.moved_out++;
	else
		tier_stats.collected++;
	replace(slot, move);
}

static void store_end(const struct move *move, bool failed, bool keep)
{
	struct slot *slot = &slots[move->slot];

	invariant(slot->folio == FOLIO_WRITEBACK);
	invariant(swap_desc_same(slot->word, move->to));
	if (failed && !MUTANT(KEEP_FAILED)) {
		drop(slot);
		slot->folio = FOLIO_IDLE;
		slot->dirty = true;
		return;
	}
	slot->folio = keep ? FOLIO_IDLE : FOLIO_NONE;
	slot->dirty = false;
}

/* Out of zswap, into the fresh stream. */
bool tier_writeback(unsigned int nr)
{
	struct slot *slot = &slots[nr];
	const struct content *content;
	swap_desc_t word = slot->word;

	if (swap_desc_tag(word) != SWAP_DESC_ZSWAP || swap_desc_is_pinned(word))
		return false;
	content = &objects[word_object(word)].content;
	return move_begin(STREAM_FRESH, nr, swap_desc_place(word), content->data,
			  content->length, content->codec);
}

bool tier_flush(enum tier_stream stream)
{
	if (!filling[stream])
		return false;
	chunk_submit(stream);
	return true;
}

/* In interrupt context: no descriptor is looked at. */
bool tier_complete(unsigned int nr, enum device_outcome outcome, u64 random)
{
	struct chunk *chunk = &chunks[nr];
	struct segment *segment = &segments[chunk->segment];

	if (chunk->state != CHUNK_FLYING)
		return false;
	chunk->failed = !device_write(chunk->pack.start,
				      chunk->buf, chunk->size, chunk->pack.seq, outcome,
				      random);
	chunk->state = CHUNK_WRITTEN;
	ticks++;
	tier_stats.written++;
	if (outcome == WRITE_LOST || outcome == WRITE_ASTRAY)
		tier_stats.lost_writes++;
	if (chunk->failed) {
		tier_stats.failed++;
		segment->failed = true;
	}
	if (MUTANT(FLY_ENDS_AT_COMPLETION))
		segment->flights--;
	return true;
}

/* The worker that follows a completion, @nr objects of it. */
bool tier_commit(unsigned int nr_chunk, unsigned int nr, bool keep)
{
	struct chunk *chunk = &chunks[nr_chunk];
	struct segment *segment = &segments[chunk->segment];
	unsigned int i;

	if (chunk->state != CHUNK_WRITTEN)
		return false;
	for (; nr && chunk->committed < chunk->nr; nr--) {
		const struct move *move = &chunk->moves[chunk->committed++];

		if (swap_place_is_none(move->from))
			store_end(move, chunk->failed, keep);
		else
			move_end(move, chunk->failed);
	}
	if (chunk->committed < chunk->nr)
		return true;
	chunk->state = CHUNK_IDLE;
	if (!MUTANT(FLY_ENDS_AT_COMPLETION))
		segment->flights--;
	/* What has failed takes no more, unless a chunk is being filled. */
	for (i = 0; i < NR_STREAMS && segment->failed; i++)
		if (open_segment[i] == (int)chunk->segment && !filling[i])
			segment_close(i);
	return true;
}

bool tier_release(unsigned int nr)
{
	struct segment *segment = &segments[nr];

	if (segment->state != SEGMENT_CLOSED || segment->live)
		return false;
	if (segment->pins && !MUTANT(EARLY_RELEASE))
		return false;
	if (segment->flights && !MUTANT(RELEASE_IN_FLIGHT))
		return false;
	segment->state = SEGMENT_FREE;
	tier_stats.released++;
	return true;
}
