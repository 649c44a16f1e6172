// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors and the objects of zswap, and what a process and reclaim do with
 * them; see tier.h and tier_inner.h.
 */
#include <errno.h>
#include <string.h>
#include "tier_inner.h"

struct slot slots[NR_SLOTS];
struct object objects[NR_OBJECTS];
unsigned int free_objects[NR_OBJECTS], nr_free_objects;
struct segment segments[NR_SEGMENTS];
int open_segment[NR_STREAMS];
struct chunk chunks[NR_CHUNKS];
struct chunk *filling[NR_STREAMS];
struct read reads[NR_READS];
struct collector collector;
u32 last_seq;
unsigned long ticks;

struct tier_stats tier_stats;

static int object_alloc(const struct content *content)
{
	struct object *object;

	if (!nr_free_objects)
		return -1;
	object = &objects[free_objects[--nr_free_objects]];
	invariant(!object->used);
	object->used = true;
	object->orphan = false;
	object->content.length = content->length;
	object->content.codec = content->codec;
	memcpy(object->content.data, content->data, content->length);
	return object - objects;
}

void object_free(unsigned int nr)
{
	invariant(objects[nr].used);
	objects[nr].used = false;
	free_objects[nr_free_objects++] = nr;
}

/* The cluster is locked, and the folio too if there is one. */
void drop(struct slot *slot)
{
	swap_desc_t word = slot->word;

	slot->word = swap_desc_none();
	switch (swap_desc_tag(word)) {
	case SWAP_DESC_ZSWAP:
		if (swap_desc_is_pinned(word) && !MUTANT(NO_ORPHAN))
			objects[word_object(word)].orphan = true;
		else
			object_free(word_object(word));
		break;
	case SWAP_DESC_PACKED:
		invariant(segment_of(word)->live >= swap_object_size(swap_desc_length(word)));
		segment_of(word)->live -= swap_object_size(swap_desc_length(word));
		break;
	default:
		break;
	}
}

bool pin(struct slot *slot, swap_place_t place)
{
	if (!swap_desc_is_at(slot->word, place) || swap_desc_is_pinned(slot->word))
		return false;
	if (MUTANT(NO_PIN))
		return true;
	slot->word = swap_desc_set_pinned(slot->word);
	if (swap_desc_tag(slot->word) == SWAP_DESC_PACKED)
		segment_of(slot->word)->pins++;
	return true;
}

void unpin(struct slot *slot, swap_place_t place)
{
	swap_desc_t word = swap_place_word(place);

	if (!MUTANT(LEAK_PIN))
		slot->word = swap_desc_clear_pinned(slot->word);
	if (swap_desc_tag(word) == SWAP_DESC_PACKED && !MUTANT(NO_PIN))
		segment_of(word)->pins--;
}

/*
 * Read what a word points to, in a buffer that ends with the data, and check
 * it. Returns 0 and the data, or -EBADMSG.
 */
int read_packed(unsigned int nr, swap_desc_t word, u8 *data)
{
	u32 seq = segment_of(word)->seq;
	struct swap_object want = {
		.slot = nr,
		.address = swap_desc_address(word),
		.length = swap_desc_length(word),
		.codec = swap_desc_codec(word),
	};
	u8 *buf = malloc(HEADER + want.length);
	int ret;

	must(buf);
	device_read(swap_desc_address(word), buf, HEADER + want.length);
	if (MUTANT(NO_SEQ_CHECK))
		memcpy(&seq, buf + 4, sizeof(seq));
	ret = swap_object_check(buf, &want, seq);
	memcpy(data, buf + HEADER, want.length);
	free(buf);
	return ret;
}

static void fill_folio(struct slot *slot, const u8 *data, unsigned int length,
		       unsigned int codec)
{
	slot->content.length = length;
	slot->content.codec = codec;
	memcpy(slot->content.data, data, length);
}

/* The page gets new contents, in RAM. */
bool tier_store(unsigned int nr, const struct content *content)
{
	struct slot *slot = &slots[nr];

	if (slot->folio == FOLIO_READING || slot->folio == FOLIO_WRITEBACK)
		return false;
	drop(slot);
	fill_folio(slot, content->data, content->length, content->codec);
	slot->folio = FOLIO_IDLE;
	slot->dirty = true;
	tier_stats.stores++;
	return true;
}

/* Reclaim takes the folio: to the device @direct, or to zswap. */
bool tier_evict(unsigned int nr, bool direct)
{
	struct slot *slot = &slots[nr];
	const struct content *content = &slot->content;
	struct chunk *chunk;
	int object;

	if (slot->folio != FOLIO_IDLE)
		return false;
	if (!slot->dirty) {
		slot->folio = FOLIO_NONE;
		return true;
	}
	invariant(swap_desc_same(slot->word, swap_desc_none()));
	if (!direct) {
		object = object_alloc(content);
		if (object < 0) {
			tier_stats.refused++;
			return false;
		}
		slot->word = word_zswap(object);
		/* As for a page that is not made smaller. */
		if (object & 1)
			slot->word = swap_desc_set_reserved(slot->word);
		slot->folio = FOLIO_NONE;
		tier_stats.zswap++;
		return true;
	}
	chunk = chunk_for(STREAM_FRESH, content->length);
	if (!chunk) {
		tier_stats.refused++;
		return false;
	}
	slot->folio = FOLIO_WRITEBACK;
	slot->word = chunk_append(chunk, nr, content->data, content->length,
				  content->codec, swap_desc_place(swap_desc_none()));
	segment_of(slot->word)->live += swap_object_size(content->length);
	tier_stats.direct++;
	return true;
}

/* The slot itself. A locked folio, or one under writeback, keeps it. */
bool tier_free(unsigned int nr)
{
	struct slot *slot = &slots[nr];

	if (slot->folio == FOLIO_READING || slot->folio == FOLIO_WRITEBACK)
		return false;
	if (slot->folio == FOLIO_NONE && swap_desc_same(slot->word, swap_desc_none()))
		return false;
	drop(slot);
	slot->folio = FOLIO_NONE;
	tier_stats.frees++;
	return true;
}

enum tier_fault tier_read_begin(unsigned int nr)
{
	struct slot *slot = &slots[nr];
	struct read *read = reads;
	const struct content *content;

	switch (slot->folio) {
	case FOLIO_IDLE:
		return FAULT_RAM;
	case FOLIO_READING:
		return FAULT_BUSY;
	case FOLIO_WRITEBACK:
		return FAULT_RAM;
	default:
		break;
	}
	switch (swap_desc_tag(slot->word)) {
	case SWAP_DESC_NONE:
		return FAULT_NONE;
	case SWAP_DESC_LOST:
		return FAULT_LOST;
	case SWAP_DESC_ZSWAP:
		content = &objects[word_object(slot->word)].content;
		invariant(objects[word_object(slot->word)].used);
		fill_folio(slot, content->data, content->length, content->codec);
		slot->folio = FOLIO_IDLE;
		slot->dirty = false;
		tier_stats.reads++;
		return FAULT_RAM;
	default:
		break;
	}
	while (read->used)
		if (++read == reads + NR_READS)
			return FAULT_BUSY;
	read->used = true;
	read->slot = nr;
	read->word = slot->word;
	slot->folio = FOLIO_READING;
	return FAULT_STARTED;
}

/*
 * The bio is complete. Returns 0 with the folio filled, -EBADMSG, or -EAGAIN
 * when there is no such read. @exclusive: the folio is dirtied and its copy
 * dropped.
 */
int tier_read_end(unsigned int nr_read, bool exclusive, unsigned int *nr)
{
	struct read *read = &reads[nr_read];
	u8 data[SWAP_OBJECT_MAX_LENGTH];
	struct slot *slot;

	if (!read->used)
		return -EAGAIN;
	read->used = false;
	*nr = read->slot;
	slot = &slots[read->slot];
	invariant(slot->folio == FOLIO_READING);
	if (read_packed(read->slot, read->word, data)) {
		tier_stats.bad_reads++;
		slot->folio = FOLIO_NONE;
		tier_found_bad(read->slot, swap_desc_address(read->word),
			       HEADER + swap_desc_length(read->word), false);
		return -EBADMSG;
	}
	tier_stats.reads++;
	fill_folio(slot, data, swap_desc_length(read->word), swap_desc_codec(read->word));
	slot->folio = FOLIO_IDLE;
	slot->dirty = false;
	if (exclusive) {
		drop(slot);
		slot->dirty = !MUTANT(DROP_BUT_CLEAN);
	}
	return 0;
}

/* What the folio of the slot holds, or NULL. */
const struct content *tier_folio(unsigned int nr)
{
	struct slot *slot = &slots[nr];

	if (slot->folio == FOLIO_IDLE || slot->folio == FOLIO_WRITEBACK)
		return &slot->content;
	return NULL;
}

/* The life of the segment that is being filled. */
u32 tier_seq(void)
{
	return last_seq;
}

/* Where the next object goes that comes from RAM, as long as the chunk has room. */
u64 tier_next_address(void)
{
	const struct chunk *chunk = filling[STREAM_FRESH];

	return chunk ? chunk->pack.start + chunk->pack.used : 0;
}

void tier_reset(void)
{
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++) {
		slots[i].word = swap_desc_none();
		slots[i].folio = FOLIO_NONE;
		slots[i].dirty = false;
	}
	for (i = 0; i < NR_OBJECTS; i++) {
		objects[i].used = false;
		free_objects[i] = NR_OBJECTS - 1 - i;
	}
	nr_free_objects = NR_OBJECTS;
	memset(segments, 0, sizeof(segments));
	for (i = 0; i < NR_CHUNKS; i++)
		chunks[i].state = CHUNK_IDLE;
	for (i = 0; i < NR_STREAMS; i++) {
		open_segment[i] = -1;
		filling[i] = NULL;
	}
	memset(reads, 0, sizeof(reads));
	free(collector.piece);
	collector.piece = NULL;
	collector.segment = -1;
	last_seq = 0;
	ticks = 0;
	device_reset();
}

/* Everything that is under way comes to its end. */
void tier_drain(void)
{
	unsigned int i;

	for (i = 0; i < NR_STREAMS; i++)
		tier_flush(i);
	for (i = 0; i < NR_CHUNKS; i++) {
		tier_complete(i, WRITE_DONE, 0);
		tier_commit(i, NR_MOVES, false);
	}
	if (collector.segment >= 0)
		collector_stop();
}
