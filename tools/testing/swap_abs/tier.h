/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packed tier in user space, by the rules of
 * Documentation/mm/swap-abstraction.rst: descriptors, segments, chunks that are
 * filled, in flight and committed, a collector. What the kernel does under its
 * locks is one call here; what it does between two locks is two calls, and who
 * drives it puts anything in between.
 *
 * Each rule can be left out with -DMUTANT_<NAME>=1, which the tests must notice.
 */
#ifndef _SWAP_ABS_TIER_H
#define _SWAP_ABS_TIER_H

#include <linux/types.h>
#include "device.h"

#ifndef NR_SLOTS
#define NR_SLOTS	384U
#endif
#define CHUNK_BLOCKS	4U
#define PIECE_BLOCKS	3U
#define NR_CHUNKS	5U
#define NR_READS	6U

/* What a page is once it is compressed. */
struct content {
	unsigned int length;
	unsigned int codec;
	u8 data[SWAP_OBJECT_MAX_LENGTH];
};

enum tier_stream {
	STREAM_FRESH,
	STREAM_SURVIVORS,
	NR_STREAMS,
};

enum tier_fault {
	FAULT_NONE,	/* nothing to be read */
	FAULT_BUSY,	/* under writeback, being read already, no buffer */
	FAULT_RAM,	/* the folio is there */
	FAULT_STARTED,	/* tier_read_end() goes on */
	FAULT_LOST,	/* it could not be read when it was to be moved */
};

struct tier_stats {
	unsigned long stores, direct, zswap, refused, reads, bad_reads, frees;
	unsigned long moved_out, orphans, collected, given_up, unpinned;
	unsigned long written, failed, lost_writes, lost;
	unsigned long victims, aborted, released;
};

extern struct tier_stats tier_stats;

void tier_reset(void);
void tier_check(void);

/* A process, and reclaim. */
bool tier_store(unsigned int slot, const struct content *content);
bool tier_evict(unsigned int slot, bool direct);
bool tier_free(unsigned int slot);
enum tier_fault tier_read_begin(unsigned int slot);
int tier_read_end(unsigned int read, bool exclusive, unsigned int *slot);
const struct content *tier_folio(unsigned int slot);

/* Movers, completions and workers. */
bool tier_writeback(unsigned int slot);
bool tier_flush(enum tier_stream stream);
bool tier_complete(unsigned int chunk, enum device_outcome outcome, u64 random);
bool tier_commit(unsigned int chunk, unsigned int nr, bool keep);
bool tier_collect(unsigned int nr);
bool tier_release(unsigned int segment);
void tier_drain(void);

/* What the driver is told, and may ask. */
void tier_found_bad(unsigned int slot, u64 address, unsigned int size, bool in_ram);
u32 tier_seq(void);
u64 tier_next_address(void);

#endif /* _SWAP_ABS_TIER_H */
