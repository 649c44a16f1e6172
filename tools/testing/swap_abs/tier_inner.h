/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the tier share: its state, and the words of the rules.
 *
 * tier.c		descriptors, and what a process and reclaim do
 * tier_chunk.c		segments, chunks, and the moves and stores that they carry
 * tier_collect.c	the collector
 * tier_check.c		what holds between two steps
 */
#ifndef _SWAP_ABS_TIER_INNER_H
#define _SWAP_ABS_TIER_INNER_H

#include <linux/kconfig.h>
#include <linux/compiler.h>
#include "fail.h"
#include "tier.h"
#include "word.h"

#define BLOCK		SWAP_PACKED_BLOCK
#define HEADER		((unsigned int)sizeof(struct swap_object_header))
#define CHUNK_SIZE	(CHUNK_BLOCKS * BLOCK)
#define TYPE		21	/* of the one device */
#define NR_OBJECTS	NR_SLOTS
#define NR_MOVES	(CHUNK_SIZE / (2 * HEADER))
#define NR_UNITS	(DEVICE_SIZE / SWAP_OBJECT_ALIGN)
#define RESERVE		2	/* free segments that only survivors get */

#define MUTANT(name)	IS_ENABLED(MUTANT_ ## name)

enum folio_state {
	FOLIO_NONE,
	FOLIO_IDLE,		/* uptodate and unlocked */
	FOLIO_READING,		/* locked */
	FOLIO_WRITEBACK,
};

struct slot {
	swap_desc_t word;
	enum folio_state folio;
	bool dirty;
	struct content content;	/* the folio's */
};

/* An object of zswap. The last one freed is the first to be used again. */
struct object {
	bool used;
	bool orphan;
	struct content content;
};

enum segment_state {
	SEGMENT_FREE,
	SEGMENT_OPEN,
	SEGMENT_CLOSED,
};

struct segment {
	enum segment_state state;
	u32 seq;
	unsigned int live;	/* bytes that descriptors point to */
	unsigned int fill;	/* bytes written, or about to be */
	unsigned int pins;	/* moves out of it, and the collector */
	unsigned int flights;	/* chunks from their first byte to their commit */
	bool failed;
	unsigned long closed;	/* when */
};

/* What a chunk carries: a store from reclaim, or a move from @from. */
struct move {
	unsigned int slot;
	swap_desc_t to;
	swap_place_t from;	/* none: a store */
};

enum chunk_state {
	CHUNK_IDLE,
	CHUNK_FILLING,
	CHUNK_FLYING,
	CHUNK_WRITTEN,
};

struct chunk {
	enum chunk_state state;
	struct swap_chunk_buf pack;
	unsigned int segment;
	unsigned int size;	/* bytes written */
	unsigned int blocks;	/* that objects begin */
	bool failed;
	unsigned int nr;
	unsigned int committed;	/* moves of it that are done */
	struct move moves[NR_MOVES];
	u8 buf[CHUNK_SIZE] __aligned(16);
};

struct read {
	bool used;
	unsigned int slot;
	swap_desc_t word;
};

struct collector {
	int segment;		/* or -1 */
	unsigned int pos;	/* in the segment, where the walk goes on */
	u8 *piece;		/* or NULL */
	unsigned int base;
	unsigned int size;
	bool seen[SEGMENT_SIZE / SWAP_OBJECT_ALIGN];
};

extern struct slot slots[NR_SLOTS];
extern struct object objects[NR_OBJECTS];
extern unsigned int free_objects[NR_OBJECTS], nr_free_objects;
extern struct segment segments[NR_SEGMENTS];
extern int open_segment[NR_STREAMS];
extern struct chunk chunks[NR_CHUNKS];
extern struct chunk *filling[NR_STREAMS];
extern struct read reads[NR_READS];
extern struct collector collector;
extern u32 last_seq;
extern unsigned long ticks;

static inline u64 segment_start(unsigned int segment)
{
	return (u64)segment * SEGMENT_SIZE;
}

static inline struct segment *segment_of(swap_desc_t word)
{
	return &segments[swap_desc_address(word) / SEGMENT_SIZE];
}

/* tier.c */
void object_free(unsigned int nr);
void drop(struct slot *slot);
bool pin(struct slot *slot, swap_place_t place);
void unpin(struct slot *slot, swap_place_t place);
int read_packed(unsigned int nr, swap_desc_t word, u8 *data);

/* tier_chunk.c */
struct chunk *chunk_for(enum tier_stream stream, unsigned int length);
swap_desc_t chunk_append(struct chunk *chunk, unsigned int slot, const void *data,
			 unsigned int length, unsigned int codec, swap_place_t from);
bool move_begin(enum tier_stream stream, unsigned int nr, swap_place_t place,
		const void *data, unsigned int length, unsigned int codec);

/* tier_collect.c */
void collector_stop(void);

#endif /* _SWAP_ABS_TIER_INNER_H */
