// SPDX-License-Identifier: GPL-2.0
/*
 * Which segment of a packed tier is collected next, and when; see
 * mm/swap_abs/victim.h. Called by mm/swap_abs/packed.c and mm/swap_abs/collect.c under
 * swap_packed_tier.lock, and by tools/testing/swap_abs/, which chose the constants.
 */
#include <linux/math.h>
#include <linux/minmax.h>
#include "format.h"
#include "victim.h"

/* A victim up to this bucket is so cheap that no fuller one is compared with it. */
#define SWAP_VICTIM_CHEAP	(SWAP_VICTIM_PARTS / 8)

/* A victim from this bucket on gains so little that age does not make up for it. */
#define SWAP_VICTIM_DEAR	(SWAP_VICTIM_PARTS / 8 * 7)

/* Collecting a victim beyond this bucket costs more than 31 bytes written for one. */
#define SWAP_VICTIM_LAST	(SWAP_VICTIM_PARTS - 2)

/* The same where it costs one byte to store it elsewhere: more than two. */
#define SWAP_VICTIM_ELSEWHERE	(SWAP_VICTIM_PARTS / 2)

/* The share of its age that a segment loses when it moves to another bucket. */
#define SWAP_VICTIM_YOUNGER	32U

/* How many victims the average age goes back to */
#define SWAP_VICTIM_AGES	64U

/* In a device with fewer segments, one more that is being filled costs more than it gains. */
#define SWAP_VICTIM_MIN_OLD	256U

/* Collection keeps a 128th of the device free, but not more than 64 MiB. */
#define SWAP_COLLECT_SHARE	128U
#define SWAP_COLLECT_MOST	32U

/**
 * swap_victims_init - begin without segments
 * @victims: what is set up
 * @size: bytes of a segment
 */
void swap_victims_init(struct swap_victims *victims, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < SWAP_VICTIM_BUCKETS; i++)
		INIT_LIST_HEAD(&victims->bucket[i]);
	victims->size = size;
	victims->nr = 0;
	victims->age = 0;
}

/**
 * swap_victim_bucket - find the bucket of a segment
 * @victims: of its tier
 * @live: bytes of it that are in use
 *
 * Return: the bucket, 0 for an empty one.
 */
unsigned int swap_victim_bucket(const struct swap_victims *victims, unsigned int live)
{
	return DIV_ROUND_UP(live, victims->size / SWAP_VICTIM_PARTS);
}

/**
 * swap_victims_add - let a segment be chosen from now on
 * @victims: of its tier
 * @victim: the segment, on no list
 * @live: bytes of it that are in use
 * @now: the time
 */
void swap_victims_add(struct swap_victims *victims, struct swap_victim *victim,
		      unsigned int live, u32 now)
{
	victim->bucket = swap_victim_bucket(victims, live);
	victim->since = now;
	victim->listed = 1;
	list_add_tail(&victim->list, &victims->bucket[victim->bucket]);
	victims->nr++;
}

/**
 * swap_victims_update - tell that the live bytes of a segment have changed
 * @victims: of its tier
 * @victim: the segment, listed or not
 * @live: bytes of it that are in use
 * @now: the time
 *
 * With each part that dies the segment gets a bit younger, because data that
 * dies is a sign that more of it will.
 */
void swap_victims_update(struct swap_victims *victims, struct swap_victim *victim,
			 unsigned int live, u32 now)
{
	unsigned int bucket = swap_victim_bucket(victims, live);
	bool skipped = victim->skip;

	victim->skip = 0;
	if (!victim->listed || (victim->bucket == bucket && (!skipped || victim->dense)))
		return;
	if (victim->bucket != bucket)
		victim->since += (now - victim->since) / SWAP_VICTIM_YOUNGER;
	victim->bucket = bucket;
	victim->dense = 0;
	list_move_tail(&victim->list, &victims->bucket[bucket]);
}

/**
 * swap_victims_unskip - let all segments be chosen that were to be skipped
 * @victims: of a tier
 *
 * The next choices put those aside again that can't be made any denser.
 */
void swap_victims_unskip(struct swap_victims *victims)
{
	struct swap_victim *victim, *next;

	list_for_each_entry_safe(victim, next, &victims->bucket[SWAP_VICTIM_ASIDE], list) {
		victim->skip = 0;
		list_move_tail(&victim->list, &victims->bucket[victim->bucket]);
	}
}

/**
 * swap_victims_del - do not let a segment be chosen any longer
 * @victims: of its tier
 * @victim: a segment that is listed
 */
void swap_victims_del(struct swap_victims *victims, struct swap_victim *victim)
{
	list_del_init(&victim->list);
	victim->listed = 0;
	victims->nr--;
}

/*
 * The segment that has been in a bucket for longest. Those to be skipped are put
 * aside on the way, so that each of them is looked at once, not at every choice.
 */
static struct swap_victim *swap_victims_head(struct swap_victims *victims,
					     unsigned int bucket)
{
	struct swap_victim *victim;

	for (;;) {
		victim = list_first_entry_or_null(&victims->bucket[bucket],
						  struct swap_victim, list);
		if (!victim || !(victim->skip || victim->dense))
			return victim;
		list_move_tail(&victim->list, &victims->bucket[SWAP_VICTIM_ASIDE]);
	}
}

/**
 * swap_victims_choose - choose the segment that is best collected
 * @victims: of a tier
 * @now: the time
 * @nr_free: segments that are free, with those in reserve
 * @elsewhere: there is room on a device that is as good, and nobody who can't use it
 *
 * The first segment of a bucket stands for all that are as full, because it has
 * lost nothing for longest. Among these the benefit decides, but not where it
 * would let stores wait for too long: while nothing is free, or all are nearly
 * full, the emptiest one is taken.
 *
 * Return: the segment, still listed; NULL when none is worth it.
 */
struct swap_victim *swap_victims_choose(struct swap_victims *victims, u32 now,
					unsigned int nr_free, bool elsewhere)
{
	unsigned int bucket, last = elsewhere ? SWAP_VICTIM_ELSEWHERE : SWAP_VICTIM_LAST;
	struct swap_victim *victim, *best = NULL;
	u64 benefit, most = 0;

	for (bucket = 0; bucket <= last; bucket++) {
		if (best && (!nr_free || bucket == SWAP_VICTIM_CHEAP + 1 ||
			     bucket >= SWAP_VICTIM_DEAR))
			break;
		victim = swap_victims_head(victims, bucket);
		if (!victim)
			continue;
		benefit = swap_victim_benefit(victims->size / SWAP_VICTIM_PARTS * bucket,
					      victims->size, now - victim->since);
		if (benefit > most) {
			most = benefit;
			best = victim;
		}
	}
	return best;
}

/**
 * swap_victims_is_old - tell where what survives of a victim belongs
 * @victims: of its tier
 * @victim: the segment that is collected
 * @now: the time
 * @nr_segments: segments of the device
 *
 * To be asked once for each victim. What survives of an old one will live longer than
 * what survives of a young one, so a segment of both would be collected again for the
 * sake of the one. At a use of 0.7, with nine of ten stores to a tenth of the pages, two
 * streams write 2 % less than one does.
 *
 * Return: true when it is older than those that were collected before it.
 */
bool swap_victims_is_old(struct swap_victims *victims, const struct swap_victim *victim,
			 u32 now, unsigned int nr_segments)
{
	u32 age = now - victim->since;
	bool is_old = (u64)age * SWAP_VICTIM_AGES > victims->age;

	victims->age += age - victims->age / SWAP_VICTIM_AGES;
	return is_old && nr_segments >= SWAP_VICTIM_MIN_OLD;
}

/**
 * swap_collect_below - tell how many segments are to be free
 * @nr_segments: segments of the device
 *
 * What is kept free lets a burst of stores go on while segments are collected.
 * It costs, because the data lies more densely in the others. So it is little.
 *
 * Return: collection begins when fewer are free, those in reserve included.
 */
unsigned int swap_collect_below(unsigned int nr_segments)
{
	return SWAP_SEGMENT_RESERVE + clamp(nr_segments / SWAP_COLLECT_SHARE, 1U,
					    SWAP_COLLECT_MOST);
}

/**
 * swap_segment_pages - tell what capacity a segment takes
 * @bucket: swap_victim_bucket() of its live bytes
 * @pages: pages of a segment
 *
 * Dead space is room, because it can be collected; but only 11 of 12 bytes of a
 * segment can be live in the long run. The middle of the bucket is counted,
 * because the sum over many segments is to be right.
 *
 * Return: pages, one at least if anything is live.
 */
unsigned int swap_segment_pages(unsigned int bucket, unsigned int pages)
{
	unsigned int parts = 2 * SWAP_VICTIM_PARTS * SWAP_PACK_FULL_NUM;

	if (!bucket)
		return 0;
	return max((pages * (2 * bucket - 1) * SWAP_PACK_FULL_DEN + parts / 2) / parts, 1U);
}
