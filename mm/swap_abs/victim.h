/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which segment of a packed tier is collected next, and when: the policy of
 * mm/swap_abs/collect.c. No locks, no I/O and nothing of the kernel but lists and
 * types, so that tools/testing/swap_abs/sim.c drives the same code.
 *
 * Closed segments stand in buckets by their live bytes, those that have been in
 * their bucket longest first. A drop that takes a segment to the next bucket
 * moves it there, so that a choice looks at the head of each bucket and is O(1),
 * however many segments there are.
 *
 * Time is any u32 that goes up as data is written and may wrap, best the number
 * of segments that have been opened: a clock that goes on while nothing is
 * stored makes all segments equally old.
 */
#ifndef _MM_SWAP_ABS_VICTIM_H
#define _MM_SWAP_ABS_VICTIM_H

#include <linux/list.h>
#include <linux/types.h>

/* Bucket b holds segments of which more than b - 1 and at most b 64ths are live. */
#define SWAP_VICTIM_PARTS	64U
/* Behind them is one for segments that are skipped, whatever is live of them. */
#define SWAP_VICTIM_ASIDE	(SWAP_VICTIM_PARTS + 1)
#define SWAP_VICTIM_BUCKETS	(SWAP_VICTIM_PARTS + 2)

/* What is promised of a segment: the last twelfth would cost too much to collect. */
#define SWAP_PACK_FULL_NUM	11U
#define SWAP_PACK_FULL_DEN	12U

/* Segments that a tier keeps for survivors, so that it can always collect. */
#define SWAP_SEGMENT_RESERVE	2U

/* A device with fewer segments is written raw. */
#define SWAP_PACK_MIN_SEGMENTS	16U

/**
 * struct swap_victim - what the policy knows of a segment
 * @list: in a bucket, or the owner's while it is in none
 * @since: when it was closed, a bit later for each part that has died since
 * @end: the owner's: blocks appended
 * @bucket: where its live bytes belong, while it is listed
 * @skip: not to be chosen before its live bytes have changed, as something of it
 *	could not be moved or read
 * @bad: the owner's: its medium is bad, it is not filled again
 * @dense: set by the owner after swap_victims_add(): not to be chosen before a part has
 *	died, as it could not be made any denser
 * @listed: it is in a bucket, that of its live bytes or SWAP_VICTIM_ASIDE
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
 * @bucket: lists of them
 * @size: bytes of a segment
 * @nr: how many are listed
 * @age: of what has been collected, on the average of the last ones, in 64ths
 */
struct swap_victims {
	struct list_head bucket[SWAP_VICTIM_BUCKETS];
	unsigned int size;
	unsigned int nr;
	u64 age;
};

void swap_victims_init(struct swap_victims *victims, unsigned int size);
unsigned int swap_victim_bucket(const struct swap_victims *victims, unsigned int live);
void swap_victims_add(struct swap_victims *victims, struct swap_victim *victim,
		      unsigned int live, u32 now);
void swap_victims_update(struct swap_victims *victims, struct swap_victim *victim,
			 unsigned int live, u32 now);
void swap_victims_del(struct swap_victims *victims, struct swap_victim *victim);
void swap_victims_unskip(struct swap_victims *victims);
bool swap_victims_is_old(struct swap_victims *victims, const struct swap_victim *victim,
			 u32 now, unsigned int nr_segments);
struct swap_victim *swap_victims_choose(struct swap_victims *victims, u32 now,
					unsigned int nr_free, bool elsewhere);
unsigned int swap_collect_below(unsigned int nr_segments);
unsigned int swap_segment_pages(unsigned int bucket, unsigned int pages);

#endif /* _MM_SWAP_ABS_VICTIM_H */
