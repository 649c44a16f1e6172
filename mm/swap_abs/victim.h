/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The policy of mm/swap_abs/collect.c: which segment of a packed tier is
 * collected next, and when. It uses no locks, no I/O and nothing of the kernel
 * but lists and types, so that tools/testing/swap_abs/sim.c can drive the same
 * code.
 *
 * Closed segments stand in buckets by their live bytes. In each bucket, the
 * segment that has been there longest is first. A drop that takes a segment to
 * the next bucket moves it there. So a choice looks at the head of each bucket
 * only and is O(1), however many segments there are.
 *
 * Time is any u32 that goes up as data is written, and it may wrap. Best is the
 * number of segments that have been opened, because a clock that goes on while
 * nothing is stored makes all segments equally old.
 */
#ifndef _MM_SWAP_ABS_VICTIM_H
#define _MM_SWAP_ABS_VICTIM_H

#include <linux/list.h>
#include <linux/types.h>

/*
 * Bucket b holds segments of which more than b - 1 and at most b 64ths are
 * live.
 */
#define SWAP_VICTIM_PARTS	64U
/*
 * The bucket behind them is for segments that are skipped, whatever is live of
 * them.
 */
#define SWAP_VICTIM_ASIDE	(SWAP_VICTIM_PARTS + 1)
#define SWAP_VICTIM_BUCKETS	(SWAP_VICTIM_PARTS + 2)

/* So many processes may exit at a time, each with a run of data that dies. */
#define SWAP_VICTIM_RECENT	4U

/*
 * The share of a segment that counts as capacity. The last twelfth does not,
 * because it would cost too much to collect.
 */
#define SWAP_SEGMENT_FULL_NUM	11U
#define SWAP_SEGMENT_FULL_DEN	12U

/*
 * Number of segments that a tier keeps for survivors, so that it can always
 * collect.
 */
#define SWAP_SEGMENT_RESERVE	2U

/* A device with fewer segments is written raw. */
#define SWAP_PACKED_MIN_SEGMENTS	16U

/**
 * struct swap_victim - what the policy knows of a segment
 * @list: entry in a bucket, or in a list of the owner while the segment is in
 *	no bucket
 * @since: time when the segment was closed, moved a bit later for each part
 *	that has died since
 * @end: number of blocks appended; only the owner uses it
 * @bucket: bucket of the live bytes, while the segment is listed
 * @skip: the segment must not be chosen before its live bytes have changed,
 *	because something of it could not be moved or read, or was still being
 *	written
 * @bad: the medium of the segment is bad, so it is not filled again; only the
 *	owner uses it
 * @listed: the segment is in the bucket of its live bytes or in
 *	SWAP_VICTIM_ASIDE
 * @dense: the segment must not be chosen before a part of it has died, because
 *	it could not be made any denser; the owner sets it after
 *	swap_victims_add()
 *
 * The owner's lock protects all fields, see struct swap_segment.
 */
struct swap_victim {
	struct list_head list;
	u32 since;
	u16 end;
	u8 bucket;
	u8 skip:1;
	u8 bad:1;
	u8 listed:1;
	u8 dense:1;
};

/**
 * struct swap_victims - the closed segments of a tier, by live bytes
 * @bucket: lists of the segments
 * @size: bytes of a segment
 * @nr: number of segments that are listed
 * @age: average age of the last segments that were collected, in 64ths
 * @spread: how many of the last changes of bucket were of a segment that is not
 *	in @recent, in 65536ths
 * @recent: segments whose bucket has changed last; they may have been freed
 *	since, so only their addresses are used
 * @next: counts what came to @recent
 *
 * The owner's lock protects all fields.
 */
struct swap_victims {
	struct list_head bucket[SWAP_VICTIM_BUCKETS];
	unsigned int size;
	unsigned int nr;
	u64 age;
	unsigned int spread;
	const struct swap_victim *recent[SWAP_VICTIM_RECENT];
	unsigned int next;
};

void swap_victims_init(struct swap_victims *victims, unsigned int size);
unsigned int swap_victim_bucket(const struct swap_victims *victims,
				unsigned int live);
void swap_victims_add(struct swap_victims *victims, struct swap_victim *victim,
		      unsigned int live, u32 now);
void swap_victims_update(struct swap_victims *victims,
			 struct swap_victim *victim, unsigned int live,
			 u32 now);
void swap_victims_del(struct swap_victims *victims, struct swap_victim *victim);
void swap_victims_unskip(struct swap_victims *victims);
bool swap_victims_is_old(struct swap_victims *victims,
			 const struct swap_victim *victim, u32 now,
			 unsigned int nr_segments);
struct swap_victim *swap_victims_choose(struct swap_victims *victims, u32 now,
					unsigned int nr_free, bool elsewhere);
unsigned int swap_collect_below(unsigned int nr_segments);
unsigned int swap_segment_pages(unsigned int bucket, unsigned int pages);

#endif /* _MM_SWAP_ABS_VICTIM_H */
