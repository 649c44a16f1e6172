// SPDX-License-Identifier: GPL-2.0
/*
 * The policy of collection; mm/swap_abs/victim.h describes it. The packed
 * backend holds swap_packed_tier.lock when it calls a function with a struct
 * swap_victims. tools/testing/swap_abs/, which chose the constants, calls the
 * same code in user space.
 */
#include <linux/math.h>
#include <linux/minmax.h>
#include "format.h"
#include "victim.h"

/*
 * A victim up to this bucket is so cheap that no fuller one is compared with
 * it.
 */
#define SWAP_VICTIM_CHEAP	(SWAP_VICTIM_PARTS / 8)

/*
 * A victim from this bucket on gains so little that age does not make up for
 * it.
 */
#define SWAP_VICTIM_DEAR	(SWAP_VICTIM_PARTS / 8 * 7)

/*
 * Collecting a victim beyond this bucket writes more than 31 bytes for each
 * byte that becomes free.
 */
#define SWAP_VICTIM_LAST	(SWAP_VICTIM_PARTS - 2)

/*
 * Storing a byte on another device writes one byte. Collecting a victim beyond
 * this bucket and storing the byte in the free space writes more than two.
 */
#define SWAP_VICTIM_ELSEWHERE	(SWAP_VICTIM_PARTS / 2)

/* The share of its age that a segment loses when it moves to another bucket. */
#define SWAP_VICTIM_YOUNGER	32U

/* The number of victims that the average age goes back to. */
#define SWAP_VICTIM_AGES	64U

/* The value of swap_victims.spread when no two changes are of one segment. */
#define SWAP_VICTIM_SPREAD_MAX	65536U

/* The number of changes that swap_victims.spread goes back to. */
#define SWAP_VICTIM_SPREADS	64U

/* With a smaller spread, data dies in runs. */
#define SWAP_VICTIM_RUNS	(SWAP_VICTIM_SPREAD_MAX / 4)

/*
 * In a device with fewer segments, a second stream of survivors costs more than
 * it gains, because it keeps one more segment open.
 */
#define SWAP_VICTIM_MIN_OLD	256U

/* Collection keeps a 128th of the device free, but not more than 64 MiB. */
#define SWAP_COLLECT_SHARE	128U
#define SWAP_COLLECT_MOST	32U

/* Begin without segments. A segment has @size bytes. */
void swap_victims_init(struct swap_victims *victims, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < SWAP_VICTIM_BUCKETS; i++)
		INIT_LIST_HEAD(&victims->bucket[i]);
	victims->size = size;
	victims->nr = 0;
	victims->age = 0;
	victims->spread = SWAP_VICTIM_SPREAD_MAX;
	victims->next = 0;
	for (i = 0; i < SWAP_VICTIM_RECENT; i++)
		victims->recent[i] = NULL;
}

/*
 * Return the bucket of a segment of which @live bytes are in use; 0 for an
 * empty one.
 */
unsigned int swap_victim_bucket(const struct swap_victims *victims,
				unsigned int live)
{
	return DIV_ROUND_UP(live, victims->size / SWAP_VICTIM_PARTS);
}

/* Let a segment be chosen from now on. It must be on no list. */
void swap_victims_add(struct swap_victims *victims, struct swap_victim *victim,
		      unsigned int live, u32 now)
{
	victim->bucket = swap_victim_bucket(victims, live);
	victim->since = now;
	victim->listed = 1;
	list_add_tail(&victim->list, &victims->bucket[victim->bucket]);
	victims->nr++;
}

/*
 * Note that so much of a segment has died that its bucket changes. Pages that
 * were stored together lie in few segments. So when they die together, because
 * a process exits or unmaps them, a segment's bucket changes many times in a
 * row.
 */
static void swap_victims_note(struct swap_victims *victims,
			      const struct swap_victim *victim)
{
	unsigned int i;

	victims->spread -= victims->spread / SWAP_VICTIM_SPREADS;
	for (i = 0; i < SWAP_VICTIM_RECENT; i++)
		if (victims->recent[i] == victim)
			return;
	victims->spread += SWAP_VICTIM_SPREAD_MAX / SWAP_VICTIM_SPREADS;
	victims->recent[victims->next++ % SWAP_VICTIM_RECENT] = victim;
}

/*
 * Tell whether most data dies in runs. How long a segment has lost nothing says
 * little then of how long it will lose nothing.
 */
static bool swap_victims_die_in_runs(const struct swap_victims *victims)
{
	return victims->spread < SWAP_VICTIM_RUNS;
}

/*
 * Move a segment, if it is listed, because its live bytes have changed. With
 * each part that dies the segment gets a bit younger, because data that dies is
 * a sign that more of it will. A change also ends a skip.
 */
void swap_victims_update(struct swap_victims *victims,
			 struct swap_victim *victim, unsigned int live, u32 now)
{
	unsigned int bucket = swap_victim_bucket(victims, live);
	bool skipped = victim->skip;

	victim->skip = 0;
	if (!victim->listed ||
	    (victim->bucket == bucket && (!skipped || victim->dense)))
		return;
	if (victim->bucket != bucket) {
		victim->since += (now - victim->since) / SWAP_VICTIM_YOUNGER;
		swap_victims_note(victims, victim);
	}
	victim->bucket = bucket;
	victim->dense = 0;
	list_move_tail(&victim->list, &victims->bucket[bucket]);
}

/*
 * Let all segments be chosen again that were to be skipped. The next choices
 * put those aside again that can't be made any denser.
 */
void swap_victims_unskip(struct swap_victims *victims)
{
	struct swap_victim *victim, *next;

	list_for_each_entry_safe(victim, next,
				 &victims->bucket[SWAP_VICTIM_ASIDE], list) {
		victim->skip = 0;
		list_move_tail(&victim->list, &victims->bucket[victim->bucket]);
	}
}

/* Do not let a segment that is listed be chosen any longer. */
void swap_victims_del(struct swap_victims *victims, struct swap_victim *victim)
{
	list_del_init(&victim->list);
	victim->listed = 0;
	victims->nr--;
}

/*
 * Return the segment that has been in a bucket for longest. Put those that must
 * be skipped aside on the way, so that each of them is looked at once and not
 * at every choice.
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
		list_move_tail(&victim->list,
			       &victims->bucket[SWAP_VICTIM_ASIDE]);
	}
}

/*
 * Choose the segment that is best collected. @nr_free is the number of free
 * segments with those in reserve. @elsewhere says that a device of the same
 * rank has room, and that no store is refused room because it can't go there.
 *
 * The first segment of a bucket stands for all that are as full, because it has
 * lost nothing for longest. The benefit decides between the buckets, but not
 * where that would make stores wait for too long: while nothing is free, or
 * when all segments are nearly full, the emptiest segment is taken. So it is
 * where data dies in runs, because what is left of a segment then dies at once
 * or not at all, and the less is moved the better.
 *
 * Return the segment, which is still listed, or NULL when none is worth it.
 */
struct swap_victim *swap_victims_choose(struct swap_victims *victims, u32 now,
					unsigned int nr_free, bool elsewhere)
{
	unsigned int bucket,
		last = elsewhere ? SWAP_VICTIM_ELSEWHERE : SWAP_VICTIM_LAST;
	bool emptiest = !nr_free || swap_victims_die_in_runs(victims);
	struct swap_victim *victim, *best = NULL;
	u64 benefit, most = 0;
	unsigned int live;

	for (bucket = 0; bucket <= last; bucket++) {
		if (best && (emptiest || bucket == SWAP_VICTIM_CHEAP + 1 ||
			     bucket >= SWAP_VICTIM_DEAR))
			break;
		victim = swap_victims_head(victims, bucket);
		if (!victim)
			continue;
		live = victims->size / SWAP_VICTIM_PARTS * bucket;
		benefit = swap_victim_benefit(live, victims->size,
					      now - victim->since);
		if (benefit > most) {
			most = benefit;
			best = victim;
		}
	}
	return best;
}

/*
 * Tell whether a victim is older than those that were collected before it, so
 * that its survivors belong in the stream of old ones. Survivors of an old
 * victim will live longer than those of a young one, and a segment with both
 * would be collected again for the sake of the young ones. At a use of 0.7,
 * with nine of ten stores to a tenth of the pages, two streams write 2 % less
 * than one does. Where data dies in runs, no survivor is old. Call this once
 * for each victim, because it updates the average age. @nr_segments is that of
 * the device.
 */
bool swap_victims_is_old(struct swap_victims *victims,
			 const struct swap_victim *victim, u32 now,
			 unsigned int nr_segments)
{
	u32 age = now - victim->since;
	bool is_old = (u64)age * SWAP_VICTIM_AGES > victims->age;

	victims->age += age - victims->age / SWAP_VICTIM_AGES;
	return is_old && nr_segments >= SWAP_VICTIM_MIN_OLD &&
	       !swap_victims_die_in_runs(victims);
}

/*
 * Return how many segments of a device must be free, those in reserve included;
 * collection begins when fewer are. Free segments let a burst of stores go on
 * while segments are collected. They cost something, because the data lies more
 * densely in the other segments, so there are few.
 */
unsigned int swap_collect_below(unsigned int nr_segments)
{
	return SWAP_SEGMENT_RESERVE + clamp(nr_segments / SWAP_COLLECT_SHARE,
					    1U, SWAP_COLLECT_MOST);
}

/*
 * Return the pages of capacity that a segment of @pages pages takes, by the
 * bucket of its live bytes: at least one if anything is live. Dead space is
 * room, because it can be collected, but only 11 of 12 bytes of a segment can
 * be live in the long run. The middle of the bucket is counted, so that the sum
 * over many segments is right.
 */
unsigned int swap_segment_pages(unsigned int bucket, unsigned int pages)
{
	unsigned int parts = 2 * SWAP_VICTIM_PARTS * SWAP_SEGMENT_FULL_NUM;
	unsigned int held;

	if (!bucket)
		return 0;
	held = pages * (2 * bucket - 1) * SWAP_SEGMENT_FULL_DEN;
	return max((held + parts / 2) / parts, 1U);
}
