// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of mm/swap_abs/victim.c, one function a property. Prints TAP.
 */
#include <stdio.h>
#include <string.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include "../../../mm/swap_abs/format.h"
#include "../../../mm/swap_abs/victim.h"
#include "random.h"

#define SIZE		(512U * SWAP_PACKED_BLOCK)
#define PART		(SIZE / SWAP_VICTIM_PARTS)
#define NR		1000U
#define MANY_FREE	100U

static unsigned int failures;
static u64 rnd = 1;

#define expect(condition) do {							\
	if (!(condition)) {							\
		if (failures++ < 5)						\
			printf("# %s:%d: %s\n", __func__, __LINE__, #condition);	\
	}									\
} while (0)

static struct swap_victims victims;
static struct swap_victim all[NR];
static unsigned int lives[NR];

static void init(void)
{
	unsigned int i;

	swap_victims_init(&victims, SIZE);
	memset(all, 0, sizeof(all));
	memset(lives, 0, sizeof(lives));
	for (i = 0; i < NR; i++)
		INIT_LIST_HEAD(&all[i].list);
}

static void add(unsigned int i, unsigned int live, u32 now)
{
	lives[i] = live;
	swap_victims_add(&victims, &all[i], live, now);
}

static void update(unsigned int i, unsigned int live, u32 now)
{
	lives[i] = live;
	swap_victims_update(&victims, &all[i], live, now);
}

static struct swap_victim *choose(u32 now, unsigned int nr_free)
{
	return swap_victims_choose(&victims, now, nr_free, false);
}

/* Is each segment that is listed where it belongs, once? */
static void expect_consistent(void)
{
	unsigned int i, bucket, nr = 0, listed = 0;
	struct swap_victim *victim;

	for (bucket = 0; bucket < SWAP_VICTIM_BUCKETS; bucket++) {
		list_for_each_entry(victim, &victims.bucket[bucket], list) {
			i = victim - all;
			nr++;
			expect(victim->listed);
			expect(victim->bucket == swap_victim_bucket(&victims, lives[i]));
			if (bucket == SWAP_VICTIM_ASIDE)
				expect(victim->skip || victim->dense);
			else
				expect(victim->bucket == bucket);
		}
	}
	for (i = 0; i < NR; i++) {
		listed += all[i].listed;
		expect(all[i].listed == !list_empty(&all[i].list));
	}
	expect(nr == listed);
	expect(nr == victims.nr);
}

static void test_layout(void)
{
	expect(sizeof(struct swap_victim) == sizeof(struct list_head) + 8);
	expect(SWAP_VICTIM_ASIDE < SWAP_VICTIM_BUCKETS);
	expect(SWAP_VICTIM_BUCKETS <= 256);
}

static void test_bucket(void)
{
	unsigned int b;

	init();
	expect(swap_victim_bucket(&victims, 0) == 0);
	for (b = 1; b <= SWAP_VICTIM_PARTS; b++) {
		expect(swap_victim_bucket(&victims, (b - 1) * PART + 1) == b);
		expect(swap_victim_bucket(&victims, b * PART) == b);
	}
}

static void test_moves(void)
{
	init();
	add(0, 10 * PART, 5);
	expect(all[0].bucket == 10 && all[0].since == 5);
	update(0, 9 * PART + 1, 6);
	expect(all[0].bucket == 10 && all[0].since == 5);
	update(0, 9 * PART, 7);
	expect(all[0].bucket == 9);
	expect(!list_empty(&victims.bucket[9]) && list_empty(&victims.bucket[10]));
	update(0, 0, 8);
	expect(all[0].bucket == 0);
	expect_consistent();

	swap_victims_del(&victims, &all[0]);
	expect_consistent();
	/* Of one that is not listed, only @skip is changed. */
	all[0].skip = 1;
	update(0, 20 * PART, 9);
	expect(!all[0].skip && !all[0].listed && all[0].bucket == 0);
	expect_consistent();
	expect(!choose(9, MANY_FREE));
}

/* Whoever has been in a bucket for longest is the first of it. */
static void test_order(void)
{
	unsigned int i;

	init();
	for (i = 0; i < 10; i++)
		add(i, 20 * PART, 100);
	add(10, 21 * PART, 100);
	update(10, 20 * PART, 100);
	for (i = 0; i <= 10; i++) {
		struct swap_victim *victim = choose(200, MANY_FREE);

		expect(victim == &all[i]);
		if (victim)
			swap_victims_del(&victims, victim);
	}
	expect(!choose(200, MANY_FREE));
	expect_consistent();
}

static void test_emptier(void)
{
	init();
	add(0, 40 * PART, 100);
	add(1, 20 * PART, 100);
	add(2, 30 * PART, 100);
	expect(choose(200, MANY_FREE) == &all[1]);
	update(2, 10 * PART, 100);
	expect(choose(200, MANY_FREE) == &all[2]);
	update(0, 0, 100);
	expect(choose(200, MANY_FREE) == &all[0]);
}

static void test_age(void)
{
	init();
	add(0, 20 * PART, 1000);
	add(1, 40 * PART, 0);
	/* 44 / 28 of 10 is less than 24 / 48 of 1010, */
	expect(choose(1010, MANY_FREE) == &all[1]);
	/* and of 1000 it is more than that of 2000. */
	expect(choose(2000, MANY_FREE) == &all[0]);
	/* Without room the emptiest one is needed. */
	expect(choose(1010, 0) == &all[0]);
	/* The same when the time wraps. */
	swap_victims_del(&victims, &all[0]);
	swap_victims_del(&victims, &all[1]);
	add(0, 20 * PART, 1000 - 1005);
	add(1, 40 * PART, 0 - 1005);
	expect(choose(1010 - 1005, MANY_FREE) == &all[1]);
	expect(choose(2000 - 1005, MANY_FREE) == &all[0]);
}

/* What is nearly empty is not compared with anything; what is nearly full is last. */
static void test_cheap_and_dear(void)
{
	init();
	add(0, SWAP_VICTIM_PARTS / 8 * PART, 1000000);
	add(1, 20 * PART, 0);
	expect(choose(1000000, MANY_FREE) == &all[0]);
	update(0, 60 * PART, 0);
	update(1, 55 * PART, 0);
	all[0].since = 0;
	all[1].since = 1000000;
	expect(choose(1000000, MANY_FREE) == &all[1]);
	update(1, 58 * PART, 0);
	all[1].since = 1000000;
	expect(choose(1000000, MANY_FREE) == &all[1]);
	swap_victims_del(&victims, &all[1]);
	expect(choose(1000000, MANY_FREE) == &all[0]);
}

/* Nothing is gained by a segment that is full, by the others something. */
static void test_worth(void)
{
	unsigned int b;

	for (b = 0; b <= SWAP_VICTIM_PARTS; b++) {
		init();
		add(0, b * PART, 0);
		expect(!!choose(10, MANY_FREE) == (b <= SWAP_VICTIM_PARTS - 2));
		expect(!!choose(10, 0) == (b <= SWAP_VICTIM_PARTS - 2));
		expect(!!swap_victims_choose(&victims, 10, MANY_FREE, true) ==
		       (b <= SWAP_VICTIM_PARTS / 2));
	}
}

/* A segment gets younger with what dies of it, but not as young as a new one. */
static void test_younger(void)
{
	init();
	add(0, 30 * PART, 1000);
	update(0, 29 * PART, 1320);
	expect(all[0].since > 1000 && all[0].since < 1320 / 2 + 1000 / 2);
	add(1, 30 * PART, -100);
	update(1, 29 * PART, 220);
	expect(all[1].since - (u32)-100 == all[0].since - 1000);
}

static void test_skip(void)
{
	unsigned int i;

	init();
	for (i = 0; i < 100; i++)
		add(i, 10 * PART, i);
	add(100, 50 * PART, 100);
	for (i = 0; i < 100; i++) {
		expect(choose(200, MANY_FREE) == &all[i]);
		all[i].skip = 1;
	}
	expect(choose(200, MANY_FREE) == &all[100]);
	expect_consistent();
	all[100].skip = 1;
	expect(!choose(200, MANY_FREE));
	expect(!choose(200, 0));

	/* Its live bytes change: it is chosen again, in the same bucket or another. */
	update(7, 10 * PART - 16, 200);
	expect(!all[7].skip);
	expect(choose(200, MANY_FREE) == &all[7]);
	update(9, 9 * PART, 200);
	expect(choose(200, 0) == &all[9]);
	expect_consistent();

	/* Taken off from where it is put aside. */
	swap_victims_del(&victims, &all[20]);
	expect_consistent();
	/* And put back with @skip, which was set before or is set behind it. */
	all[20].skip = 1;
	add(20, PART, 200);
	expect(choose(200, 0) == &all[9]);
	expect_consistent();
}

/* A choice looks at no more than a segment a bucket; at a skipped one, once. */
static void test_cost(void)
{
	unsigned int i, round;

	init();
	for (i = 0; i < NR; i++)
		add(i, (9 + i % 40) * PART, i);
	for (i = 0; i < NR; i += 2)
		all[i].skip = 1;
	for (round = 0; round < 10; round++) {
		list_looked_at = 0;
		choose(NR, MANY_FREE);
		expect(list_looked_at <= SWAP_VICTIM_BUCKETS + (round ? 0 : NR / 2));
	}
	expect_consistent();
}

static void test_random(void)
{
	unsigned int round, i, nr_free;
	struct swap_victim *victim;
	u32 now = -50000;

	init();
	for (round = 0; round < 100000; round++) {
		i = random_below(&rnd, NR);
		now += random_below(&rnd, 2);
		switch (random_below(&rnd, 4)) {
		case 0:
			if (!all[i].listed) {
				all[i].skip = !random_below(&rnd, 10);
				add(i, random_below(&rnd, SIZE / 16 + 1) * 16, now);
			}
			break;
		case 1:
		case 2:
			if (lives[i])
				update(i, lives[i] - random_below(&rnd, min(lives[i], PART)) - 1,
				       now);
			break;
		default:
			nr_free = random_below(&rnd, 4);
			victim = choose(now, nr_free);
			expect(!victim || (victim->listed && !victim->skip));
			if (victim && random_below(&rnd, 4))
				swap_victims_del(&victims, victim);
			else if (victim)
				victim->skip = 1;
		}
		if (!(round % 1000))
			expect_consistent();
	}
	expect_consistent();
}

/* The whole device: never less than before, and a burst's worth of each size. */
static void test_collect_below(void)
{
	unsigned int nr, below, before = 0;

	for (nr = SWAP_PACKED_MIN_SEGMENTS; nr < 3000000; nr += nr / 16) {
		below = swap_collect_below(nr);
		expect(below > SWAP_SEGMENT_RESERVE);
		expect(below >= before);
		/* What is kept free is neither much of it, nor much at all. */
		expect(below - SWAP_SEGMENT_RESERVE <= max(nr / 100, 1U));
		expect(below <= SWAP_SEGMENT_RESERVE + 32);
		before = below;
	}
	expect(swap_collect_below(512) == SWAP_SEGMENT_RESERVE + 4);
	expect(before == SWAP_SEGMENT_RESERVE + 32);
}

static void test_held(void)
{
	static const unsigned int sizes[] = { 64, 256, 512, 1024, 2048, 8192 };
	unsigned int i, b, pages, held, before;
	u64 sum;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		pages = sizes[i];
		before = 0;
		sum = 0;
		expect(swap_segment_pages(0, pages) == 0);
		for (b = 1; b <= SWAP_VICTIM_PARTS; b++) {
			held = swap_segment_pages(b, pages);
			sum += held;
			expect(held >= 1);
			expect(held >= before);
			/* Not more than 12 pages for 11 that are live. */
			expect(held * SWAP_SEGMENT_FULL_NUM * SWAP_VICTIM_PARTS <=
			       pages * b * SWAP_SEGMENT_FULL_DEN);
			/* Not less either, than of the least that is in the bucket. */
			expect((held + 1) * SWAP_SEGMENT_FULL_NUM * SWAP_VICTIM_PARTS >
			       pages * (b - 1) * SWAP_SEGMENT_FULL_DEN);
			before = held;
		}
		/* All of them together: right to a 200th. */
		if (pages >= 256) {
			u64 want = (u64)pages * SWAP_VICTIM_PARTS / 2 * SWAP_SEGMENT_FULL_DEN /
				   SWAP_SEGMENT_FULL_NUM;

			expect(sum <= want + want / 200 && sum >= want - want / 200);
		}
	}
}

/* What is older than the average of the last ones is old, but in small devices nothing. */
static void test_old(void)
{
	unsigned int i, nr = 0;

	init();
	add(0, 20 * PART, 1000);
	add(1, 20 * PART, 4000);
	/* It takes a while until the average is that of these. */
	for (i = 0; i < 500; i++)
		swap_victims_is_old(&victims, &all[i & 1], 6000, 1000);
	for (i = 0; i < 1000; i++)
		nr += swap_victims_is_old(&victims, &all[i & 1], 6000, 1000);
	expect(nr == 500);
	expect(swap_victims_is_old(&victims, &all[0], 6000, 1000));
	expect(!swap_victims_is_old(&victims, &all[1], 6000, 1000));
	/* One that is very old does not make the others young for long. */
	all[2].since = 6000 - 100000;
	expect(swap_victims_is_old(&victims, &all[2], 6000, 1000));
	for (i = 0; i < 300; i++)
		swap_victims_is_old(&victims, &all[i & 1], 6000, 1000);
	expect(swap_victims_is_old(&victims, &all[0], 6000, 1000));
	expect(!swap_victims_is_old(&victims, &all[1], 6000, 1000));
	/* The same when the time wraps. */
	all[3].since = 0U - 5000;
	expect(swap_victims_is_old(&victims, &all[3], 100, 1000));
	expect(!swap_victims_is_old(&victims, &all[0], 6000, 100));
}

/* Let parts of segments die, of one segment after the other, a part each time. */
static void die_in_turns(unsigned int first, unsigned int nr, unsigned int rounds)
{
	unsigned int i, round;

	for (i = first; i < first + nr; i++)
		add(i, SWAP_VICTIM_PARTS * PART, 0);
	for (round = 1; round <= rounds; round++)
		for (i = first; i < first + nr; i++)
			update(i, (SWAP_VICTIM_PARTS - round) * PART, 0);
	for (i = first; i < first + nr; i++)
		swap_victims_del(&victims, &all[i]);
}

/*
 * The same two segments as in test_age(). What dies in the segments of a few
 * processes makes age count for nothing; what dies everywhere makes it count
 * again.
 */
static void test_runs(void)
{
	init();
	add(0, 20 * PART, 1000);
	add(1, 40 * PART, 0);
	die_in_turns(2, 20, 30);
	expect(choose(1010, MANY_FREE) == &all[1]);
	expect(swap_victims_is_old(&victims, &all[1], 1010, 1000));
	die_in_turns(2, SWAP_VICTIM_RECENT, 30);
	expect(choose(1010, MANY_FREE) == &all[0]);
	expect(!swap_victims_is_old(&victims, &all[1], 6000, 1000));
	die_in_turns(2, 20, 3);
	expect(choose(1010, MANY_FREE) == &all[1]);
	expect(swap_victims_is_old(&victims, &all[1], 9000, 1000));
	expect_consistent();
}

/* What is as dense as it can be is chosen again when a part of it has died. */
static void test_dense(void)
{
	init();
	add(0, 40 * PART, 0);
	all[0].dense = 1;
	add(1, 40 * PART, 0);
	all[1].skip = 1;
	expect(!choose(100, MANY_FREE));
	/* Nothing has died of it, and what was in the way of the other one may be gone. */
	update(0, 40 * PART - 16, 100);
	expect(!choose(100, 0));
	swap_victims_unskip(&victims);
	expect(!all[1].skip && all[0].dense);
	expect(choose(100, MANY_FREE) == &all[1]);
	swap_victims_del(&victims, &all[1]);
	expect(!choose(100, MANY_FREE));
	update(0, 39 * PART, 100);
	expect(!all[0].dense);
	expect(choose(100, MANY_FREE) == &all[0]);
	expect_consistent();
}

/* test_victim [-x]: -x stops at the first test that fails. */
int main(int argc, char **argv)
{
	static const struct {
		void (*run)(void);
		const char *what;
	} tests[] = {
		{ test_layout, "a victim has 24 bytes" },
		{ test_bucket, "bucket b: more than b - 1, and at most b parts" },
		{ test_moves, "a segment moves with its live bytes" },
		{ test_order, "the first of a bucket has been there for longest" },
		{ test_emptier, "of two as old, the emptier one is chosen" },
		{ test_age, "age is weighed, but not when nothing is free" },
		{ test_cheap_and_dear, "nearly empty ones come first, nearly full ones last" },
		{ test_worth, "a full segment is not chosen" },
		{ test_younger, "a segment gets a bit younger with each part that dies" },
		{ test_skip, "what is to be skipped is not chosen until it changes" },
		{ test_dense, "what can't be made denser is not chosen until a part dies" },
		{ test_old, "older than most is what is older than the average" },
		{ test_runs, "where data dies in runs, age does not count" },
		{ test_cost, "a choice is O(1)" },
		{ test_random, "random operations leave each segment where it belongs" },
		{ test_collect_below, "collection begins early, but not too early" },
		{ test_held, "capacity taken is 12 pages for 11 that are live" },
	};
	unsigned int i, nr = sizeof(tests) / sizeof(*tests), bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%u\n", nr);
	for (i = 0; i < nr; i++) {
		failures = 0;
		tests[i].run();
		printf("%sok %u - %s\n", failures ? "not " : "", i + 1, tests[i].what);
		if (failures)
			bad++;
		if (bad && argc > 1 && !strcmp(argv[1], "-x"))
			return 1;
	}
	return bad ? 1 : 0;
}
