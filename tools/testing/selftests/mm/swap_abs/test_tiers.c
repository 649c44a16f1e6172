// SPDX-License-Identifier: GPL-2.0
/*
 * Moving data between tiers: ranks, watermarks, the files demote and promote,
 * draining, and a hot and a cold set over three tiers. What cgroups may have there is
 * in test_groups.c.
 *
 * It fails on a kernel that loses or exchanges a page while it moves it, or while somebody
 * holds it who may write to it, moves
 * much more or less than asked, or counts it wrong; that stores where it is not
 * asked first, or where a tier drains or is full; that does not
 * hear signals, leaves a tier above its watermark while there is room below, moves
 * anything out of one that is above it by dead space only,
 * lets what is hot sink, or takes a value that is none, or one from anybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tiers.h"

/* What the kernel may do beyond what was asked: a batch */
#define OVER	(64 * SA_PAGE)

static long long percent_of(const char *dev, int percent)
{
	return sa_tier_num(dev, "capacity") / 100 * percent;
}

/* Words, up to NULL, that a file must not take, nor change its value for */
static void refuses(struct __test_metadata *_metadata, const char *dev,
		    const char *file, const char * const *words)
{
	char before[64], after[64];

	for (; *words; words++) {
		ASSERT_EQ(0, sa_tier_str(dev, file, before, sizeof(before)));
		EXPECT_EQ(-EINVAL, sa_tier_write(dev, file, *words)) {
			TH_LOG("'%s' to %s of %s", *words, file, name_of(dev));
		}
		ASSERT_EQ(0, sa_tier_str(dev, file, after, sizeof(after)));
		EXPECT_STREQ(before, after);
	}
}

static const struct {
	const char *text;
	long long pages;
} sizes[] = {
	{ "1", 1 }, { "5000", 2 }, { "4096", 1 }, { "512K", 128 }, { "1048576\n", 256 },
	{ "2M", 512 }, { "2M\n", 512 },
};

/* By sizes, then what is left. All of it is in from, and so many pages. */
static void move_by_sizes(struct __test_metadata *_metadata, const char *file,
			  const char *from, const char *to, long long pages)
{
	long long done;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		done = move(_metadata, file, from, to, sizes[i].text);
		EXPECT_LE(sizes[i].pages, done);
		EXPECT_GE(sizes[i].pages + (long long)(OVER / SA_PAGE), done) {
			TH_LOG("%lld pages for '%s'", done, sizes[i].text);
		}
		pages -= done;
	}
	ASSERT_LT(0, pages);
	EXPECT_EQ(pages, move(_metadata, file, from, to, "1G"));
	EXPECT_EQ(0, sa_tier_num(from, "stored"));
	/* It is empty: less than asked, and no error. */
	EXPECT_EQ(0, move(_metadata, file, from, to, "all"));
	EXPECT_EQ(0, move(_metadata, file, from, to, "64K"));
}

FIXTURE(tiers) { };

FIXTURE_SETUP(tiers)
{
	const char *why = begin(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(tiers)
{
	EXPECT_EQ(0, sa_end());
}

/* --- rank -------------------------------------------------------------- */

TEST_F_TIMEOUT(tiers, rank_defaults, SA_TIMEOUT)
{
	static const struct {
		int prio, rank;
	} is[] = {
		{ 32767, 1 }, { 100, 32668 }, { 5, 32763 }, { 0, 32768 }, { -1, 32769 },
	};
	size_t i;
	int layer;

	for (layer = 0; layer < 2; layer++) {
		ASSERT_EQ(0, sa_layer(layer));
		for (i = 0; i < ARRAY_SIZE(is); i++) {
			ASSERT_EQ(0, sa_swapon(sa_dev(0), DEV, is[i].prio));
			EXPECT_EQ(is[i].rank, sa_tier_num(sa_dev(0), "rank"));
			/* What is written goes with the device. */
			EXPECT_EQ(0, sa_tier_write(sa_dev(0), "rank", "77"));
			EXPECT_EQ(77, sa_tier_num(sa_dev(0), "rank"));
			ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
		}
	}
}

TEST_F_TIMEOUT(tiers, rank_values, SA_TIMEOUT)
{
	static const char * const bad[] = {
		"0", "-1", "65536", "4294967297", "18446744073709551617", "abc", "1x",
		"1 2", "\n", " ", "1.5", "max", "x1", NULL,
	};
	static const char * const good[] = { "1", "65535", "32768\n", "1\n" };
	static const char * const any[] = { "0", "1", "5", "65535", "abc", NULL };
	size_t i;

	ASSERT_EQ(0, on(0));
	refuses(_metadata, sa_dev(0), "rank", bad);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "rank", good[i]));
		EXPECT_EQ(atoi(good[i]), sa_tier_num(sa_dev(0), "rank"));
		refuses(_metadata, sa_dev(0), "rank", bad);
	}
	if (sa_have_zswap()) {
		EXPECT_EQ(0, sa_tier_num(NULL, "rank"));
		refuses(_metadata, NULL, "rank", any);
		EXPECT_EQ(0, sa_tier_num(NULL, "rank"));
	}
}

/* Who of the two has got how much of what was put since */
static void got(struct __test_metadata *_metadata, struct sa_seen s[2], int i, size_t n)
{
	int d;

	for (d = 0; d < 2; d++) {
		sa_since(&s[d], sa_dev(d));
		EXPECT_EQ(d == i ? n : 0, s[d].store) {
			TH_LOG("%s has stored %lld pages", sa_dev(d), s[d].store);
		}
		sa_see(&s[d], sa_dev(d));
	}
}

TEST_F_TIMEOUT(tiers, rank_order, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a[4];
	struct sa_seen s[2];
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, on(i));
		sa_see(&s[i], sa_dev(i));
	}
	put(_metadata, &a[0], n, SA_TEXT, 1);
	got(_metadata, s, 0, n);
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "10"));
	put(_metadata, &a[1], n, SA_TEXT, 2);
	got(_metadata, s, 1, n);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "rank", "9"));
	put(_metadata, &a[2], n, SA_RANDOM, 3);
	got(_metadata, s, 0, n);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "rank", "65535"));
	put(_metadata, &a[3], n, SA_RANDOM, 4);
	got(_metadata, s, 1, n);
	/* What is there has stayed. */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(2 * n * SA_PAGE, sa_tier_num(sa_dev(i), "stored"));
	EXPECT_EQ(0, sa_violations());
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, sa_area_check(&a[i]));
}

TEST_F_TIMEOUT(tiers, rank_equal, SA_TIMEOUT)
{
	size_t n = 32 * SA_MIB_PAGES;
	struct sa_seen s[2];
	struct sa_area a;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, on(i));
		ASSERT_EQ(0, sa_tier_write(sa_dev(i), "rank", "500"));
		sa_see(&s[i], sa_dev(i));
	}
	/* They take turns by the cluster, so what is small is all in one. */
	put(_metadata, &a, n, SA_RANDOM, 1);
	for (i = 0; i < 2; i++) {
		sa_since(&s[i], sa_dev(i));
		TH_LOG("%s: %lld of %zu pages", sa_dev(i), s[i].store, n);
		EXPECT_LE(n / 16, s[i].store);
	}
	EXPECT_EQ(n, s[0].store + s[1].store);
	/* Neither is below the other. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(i), "demote", "1M"));
		EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(i), "promote", "1M"));
	}
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* --- watermarks, as files ---------------------------------------------- */

static void marks_are(struct __test_metadata *_metadata, const char *dev, int high, int low)
{
	EXPECT_EQ(high, sa_tier_num(dev, "high_watermark"));
	EXPECT_EQ(low, sa_tier_num(dev, "low_watermark"));
}

static void marks_of(struct __test_metadata *_metadata, const char *dev)
{
	static const char * const bad[] = {
		"101", "-1", "1000", "4294967306", "18446744073709551626", "abc", "50%",
		"5 5", "1x", "0.5", "\n", " ", "max", NULL,
	};
	static const char * const above[] = { "91", "95\n", "100", NULL };
	static const char * const below[] = { "79", "0", "40\n", NULL };

	marks_are(_metadata, dev, 90, 80);
	refuses(_metadata, dev, "high_watermark", bad);
	refuses(_metadata, dev, "low_watermark", bad);
	refuses(_metadata, dev, "low_watermark", above);
	refuses(_metadata, dev, "high_watermark", below);
	marks_are(_metadata, dev, 90, 80);
	/* Equal ones will do, and so do the ends. */
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "90"));
	marks_are(_metadata, dev, 90, 90);
	EXPECT_EQ(0, sa_tier_write(dev, "high_watermark", "100\n"));
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "100"));
	marks_are(_metadata, dev, 100, 100);
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "0"));
	EXPECT_EQ(0, sa_tier_write(dev, "high_watermark", "0"));
	marks_are(_metadata, dev, 0, 0);
	EXPECT_EQ(0, sa_tier_write(dev, "high_watermark", "55"));
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "44"));
	marks_are(_metadata, dev, 55, 44);
}

TEST_F_TIMEOUT(tiers, watermark_values, SA_TIMEOUT)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, on(i));
	marks_of(_metadata, sa_dev(0));
	/* They are one tier's. */
	marks_are(_metadata, sa_dev(1), 90, 80);
	if (sa_have_zswap())
		marks_of(_metadata, NULL);
	ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
	ASSERT_EQ(0, on(0));
	marks_are(_metadata, sa_dev(0), 90, 80);
}

/* --- demote and promote ------------------------------------------------ */

TEST_F_TIMEOUT(tiers, move_values, SA_TIMEOUT)
{
	static const char * const bad[] = {
		"0", "0K", "0\n", "-1", "-4096", "-1M", "abc", "1x", "64KB", "64M 64M", "all 1",
		"allx", "al", "K", "1.5M", "4096,", "\n", " ", "max", NULL,
	};
	size_t n = SA_MIB_PAGES;
	struct sa_area a[2];

	ASSERT_EQ(0, on(0));
	put(_metadata, &a[0], n, SA_TEXT, 1);
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "1"));
	put(_metadata, &a[1], n, SA_TEXT, 2);
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "40000"));
	if (!sa_zswap(true)) {
		refuses(_metadata, NULL, "demote", bad);
		refuses(_metadata, NULL, "promote", bad);
	}
	refuses(_metadata, sa_dev(0), "demote", bad);
	refuses(_metadata, sa_dev(0), "promote", bad);
	refuses(_metadata, sa_dev(1), "promote", bad);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_EQ(0, sa_area_check(&a[0]));
	EXPECT_EQ(0, sa_area_check(&a[1]));
}

TEST_F_TIMEOUT(tiers, zswap_demote_all, SA_TIMEOUT)
{
	size_t n = (sa_full() ? 64 : 8) * SA_MIB_PAGES;
	const char *dev = sa_dev(0);
	struct sa_area a[2];

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on(0));
	put(_metadata, &a[0], n, SA_TEXT, 1);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(n, move(_metadata, "demote", NULL, dev, "all"));
	EXPECT_EQ(0, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_tier_num(NULL, "used"));
	/* Out of the tier is not into RAM. */
	EXPECT_EQ(n, sa_swapped(a[0].p, n));
	/* It takes new data as before. */
	put(_metadata, &a[1], n, SA_TEXT, 2);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_area_check(&a[0]));
	EXPECT_EQ(n, move(_metadata, "demote", NULL, dev, "all\n"));
	check_there(_metadata, &a[1], dev);
}

TEST_F_TIMEOUT(tiers, zswap_demote_size, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_area a;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on(0));
	put(_metadata, &a, n, SA_TEXT, 1);
	move_by_sizes(_metadata, "demote", NULL, sa_dev(0), n);
	check_there(_metadata, &a, sa_dev(0));
}

/* An area in zswap, with two devices below */
static void put_above_two(struct __test_metadata *_metadata, struct sa_area *a, size_t n)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, on(i));
	put(_metadata, a, n, SA_TEXT, 1);
}

/* The first one below with room takes it, not the last. */
TEST_F_TIMEOUT(tiers, next_below, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	put_above_two(_metadata, &a, n);
	EXPECT_EQ(n, move(_metadata, "demote", NULL, sa_dev(0), "all"));
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n, move(_metadata, "demote", sa_dev(0), sa_dev(1), "all"));
	check_there(_metadata, &a, sa_dev(1));
}

/* And on at once, though what has been moved may be in the swap cache still. */
TEST_F_TIMEOUT(tiers, straight_on, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	put_above_two(_metadata, &a, n);
	EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "demote"));
	EXPECT_TRUE(comes_to_hold(sa_dev(1), n * SA_PAGE));
	EXPECT_EQ(0, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(tiers, promote_to_zswap, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	const char *dev = sa_dev(0);
	struct sa_area a;

	if (!sa_have_zswap())
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on(0));
	put(_metadata, &a, n, SA_TEXT, 1);
	/* While zswap takes nothing there is nothing above. */
	EXPECT_EQ(-ENOSPC, sa_tier_write(dev, "promote", "all"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(dev, "stored"));
	ASSERT_EQ(0, sa_zswap(true));
	move_by_sizes(_metadata, "promote", dev, NULL, n);
	EXPECT_EQ(0, sa_tier_num(dev, "used"));
	EXPECT_EQ(n, sa_swapped(a.p, n));
	/* Nothing is above zswap. */
	EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "promote", "all"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "promote", "4096"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n, move(_metadata, "demote", NULL, dev, "all"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n, move(_metadata, "promote", dev, NULL, "all"));
	check_there(_metadata, &a, NULL);
}

TEST_F_TIMEOUT(tiers, nothing_below, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES;
	struct sa_area a;
	struct sa_seen s;

	if (!sa_zswap(true)) {
		put(_metadata, &a, n, SA_TEXT, 1);
		sa_see(&s, NULL);
		EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "demote", "all"));
		EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "demote", "1"));
		sa_since(&s, NULL);
		EXPECT_EQ(0, s.stored);
		EXPECT_EQ(0, s.moved_out);
		EXPECT_EQ(n, sa_swapped(a.p, n));
		EXPECT_EQ(0, sa_area_check(&a));
		sa_area_unmap(&a);
		ASSERT_EQ(0, sa_zswap(false));
	}
	ASSERT_EQ(0, on(0));
	put(_metadata, &a, n, SA_TEXT, 2);
	sa_see(&s, sa_dev(0));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "1"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "promote", "all"));
	/* One above is none below, and the other way round. */
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "7"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "all"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "65535"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "promote", "all"));
	sa_since(&s, sa_dev(0));
	EXPECT_EQ(0, s.stored);
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_EQ(0, sa_area_check(&a));
}

/* The one below takes a part: success; then no more: ENOSPC. */
TEST_F_TIMEOUT(tiers, full_below, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES, small = 8 * sa_cluster();
	struct sa_area a;
	long long pages;

	ASSERT_EQ(0, on_in(0, "raw"));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), small, 3));
	ASSERT_EQ(0, sa_format(sa_dev(1), "raw"));
	put(_metadata, &a, n, SA_RANDOM, 1);
	pages = move(_metadata, "demote", sa_dev(0), sa_dev(1), "all");
	TH_LOG("%lld of %zu pages fit into %zu", pages, n, small);
	EXPECT_LE(small - 2 * sa_cluster(), pages);
	EXPECT_GE(small, pages);
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "4K"));
	EXPECT_EQ((n - pages) * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_EQ(0, sa_violations());
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* What is being moved dies, is read or written, and goes out again. */
TEST_F_TIMEOUT(tiers, under_load, SA_TIMEOUT)
{
	static const struct {
		int dev;		/* -1: zswap */
		const char *file, *text;
	} orders[] = {
		{ -1, "demote", "all" }, { 0, "demote", "1M" }, { 1, "promote", "all" },
		{ 0, "demote", "all" }, { 0, "promote", "512K" }, { 1, "rank", "1" },
		{ 1, "demote", "all" }, { 1, "rank", "40000" }, { 0, "state", "draining" },
		{ 1, "promote", "2M" }, { 0, "state", "online" }, { 1, "state", "draining" },
		{ 1, "state", "online" },
	};
	struct sa_load l = {
		.pages = (sa_full() ? 16 : 4) * SA_MIB_PAGES,
		.seconds = sa_full() ? 60 : 5,
	};
	long long done = 0, nospace = 0, bytes = 0;
	double end = sa_now() + l.seconds;
	bool zswap = !sa_zswap(true);
	__u64 rnd = 23;
	pid_t pid[2];
	char cg[256];
	int i, ret;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, on(i));
	ASSERT_EQ(0, sa_cg_make("load", 2 * l.pages * SA_PAGE + 8 * SA_MIB, cg,
				sizeof(cg)));
	for (i = 0; i < 2; i++)
		pid[i] = sa_start(cg, sa_load, &l);
	while (sa_now() < end) {
		size_t k = sa_rand(&rnd) % ARRAY_SIZE(orders);
		const char *dev = orders[k].dev < 0 ? NULL : sa_dev(orders[k].dev);

		if (!dev && !zswap)
			continue;
		ret = sa_tier_write(dev, orders[k].file, orders[k].text);
		nospace += ret == -ENOSPC;
		done += !ret;
		EXPECT_TRUE(!ret || ret == -ENOSPC) {
			TH_LOG("%d for '%s' to %s of %s", ret, orders[k].text,
			       orders[k].file, name_of(dev));
		}
		/* demote or promote */
		if (!ret && strstr(orders[k].file, "mote"))
			bytes += sa_tier_num(dev, orders[k].file);
		usleep(sa_rand(&rnd) % 20000);
	}
	TH_LOG("%lld orders, %lld without room, %lld bytes moved", done, nospace, bytes);
	EXPECT_LT(0, bytes);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, sa_join(pid[i], LIMIT));
		EXPECT_EQ(0, sa_tier_num(sa_dev(i), "stats/errors"));
	}
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(i), LIMIT));
}

/* --- from each format to each ------------------------------------------ */

FIXTURE(pair)
{
	size_t n;
	struct sa_area a[2];
};

FIXTURE_VARIANT(pair)
{
	const char *from, *to;
};

FIXTURE_VARIANT_ADD(pair, packed_packed) { .from = "packed", .to = "packed" };

FIXTURE_VARIANT_ADD(pair, packed_raw) { .from = "packed", .to = "raw" };

FIXTURE_VARIANT_ADD(pair, raw_packed) { .from = "raw", .to = "packed" };

FIXTURE_VARIANT_ADD(pair, raw_raw) { .from = "raw", .to = "raw" };

FIXTURE_SETUP(pair)
{
	const char *why = begin(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	self->n = (sa_full() ? 32 : 8) * SA_MIB_PAGES;
}

FIXTURE_TEARDOWN_PARENT(pair)
{
	EXPECT_EQ(0, sa_end());
}

#define PUT_BOTH()							\
do {									\
	put(_metadata, &self->a[0], self->n, SA_TEXT, 1);	\
	put(_metadata, &self->a[1], self->n, SA_RANDOM, 2); \
} while (0)

#define CHECK_BOTH(_dev)						\
do {									\
	int __i;							\
									\
	for (__i = 0; __i < 2; __i++)					\
		check_there(_metadata, &self->a[__i], _dev); \
} while (0)

/* Does text take so much on a device as its format lets expect? */
static void takes_as_format(struct __test_metadata *_metadata, const char *dev,
			    const char *format, size_t text, size_t random)
{
	long long used = sa_tier_num(dev, "used");

	if (!strcmp(format, "raw")) {
		EXPECT_EQ((text + random) * SA_PAGE, used);
		return;
	}
	EXPECT_LE(used, (text * 11 / 20 + random + 2 * sa_cluster()) * SA_PAGE);
	EXPECT_LE((text / 4 + random) * SA_PAGE, used);
}

TEST_F_TIMEOUT(pair, demote_all, SA_TIMEOUT)
{
	size_t n = self->n;

	ASSERT_EQ(0, on_in(0, variant->from));
	ASSERT_EQ(0, on_in(1, variant->to));
	PUT_BOTH();
	EXPECT_EQ(2 * n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(2 * n, move(_metadata, "demote", sa_dev(0), sa_dev(1), "all"));
	EXPECT_TRUE(comes_down_to(sa_dev(0), 0));
	takes_as_format(_metadata, sa_dev(1), variant->to, n, n);
	CHECK_BOTH(sa_dev(1));
}

TEST_F_TIMEOUT(pair, demote_size, SA_TIMEOUT)
{
	ASSERT_EQ(0, on_in(0, variant->from));
	ASSERT_EQ(0, on_in(1, variant->to));
	PUT_BOTH();
	move_by_sizes(_metadata, "demote", sa_dev(0), sa_dev(1), 2 * self->n);
	CHECK_BOTH(sa_dev(1));
}

TEST_F_TIMEOUT(pair, promote, SA_TIMEOUT)
{
	size_t n = self->n;

	ASSERT_EQ(0, on_in(1, variant->from));
	PUT_BOTH();
	ASSERT_EQ(0, on_in(0, variant->to));
	move_by_sizes(_metadata, "promote", sa_dev(1), sa_dev(0), 2 * n);
	EXPECT_TRUE(comes_down_to(sa_dev(1), 0));
	takes_as_format(_metadata, sa_dev(0), variant->to, n, n);
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "promote", "all"));
	/* And down again. */
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(2 * n, move(_metadata, "demote", sa_dev(0), sa_dev(1), "all"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(2 * n, move(_metadata, "promote", sa_dev(1), sa_dev(0), "all"));
	CHECK_BOTH(sa_dev(0));
}

/* What is in RAM too may be moved or not; what is newer there must not be lost. */
TEST_F_TIMEOUT(pair, in_use, SA_TIMEOUT)
{
	size_t n = self->n, i;
	struct sa_area *a = &self->a[0];

	ASSERT_EQ(0, on_in(0, variant->from));
	ASSERT_EQ(0, on_in(1, variant->to));
	PUT_BOTH();
	/* Of a third there is a copy, of a third of these one that is stale. */
	for (i = 0; i < n; i += 3)
		EXPECT_EQ(0, sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, 0));
	for (i = 0; i < n; i += 9)
		sa_fill(a->p + i * SA_PAGE, a->pat, a->seed, i, 1);
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_LE((2 * n - n / 3 - 1) * SA_PAGE, sa_tier_num(sa_dev(1), "stored"));
	ASSERT_TRUE(push_out(a));
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, i % 9 == 0));
	EXPECT_EQ(0, sa_area_check(&self->a[1]));
}

/* --- signals ----------------------------------------------------------- */

struct order {
	const char *device, *file, *text;
};

static int obey(void *arg)
{
	struct order *o = arg;

	/* Whoever started the tests may have it ignored. */
	signal(SIGINT, SIG_DFL);
	return -sa_tier_write(o->device, o->file, o->text);
}

/* All pages are in one tier or the other. */
static void nothing_lost(struct __test_metadata *_metadata, size_t pages)
{
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(sa_dev(0), "stored") +
				   sa_tier_num(sa_dev(1), "stored") ==
				   (long long)(pages * SA_PAGE), SOON)) {
		TH_LOG("%lld + %lld bytes of %zu", sa_tier_num(sa_dev(0), "stored"),
		       sa_tier_num(sa_dev(1), "stored"), pages * SA_PAGE);
	}
	/* Sums that are taken while something moves may differ: then wait until nothing does. */
	if (!sa_violations())
		return;
	EXPECT_TRUE(comes_to_rest());
	EXPECT_EQ(0, sa_violations());
}

/* Have as many pages moved out since as the file demote tells? */
static bool all_counted(const struct sa_seen *s, const char *dev)
{
	long long out = sa_tier_num(dev, "stats/moved_out") - s->moved_out;

	return sa_tier_num(dev, "demote") == out * (long long)SA_PAGE;
}

TEST_F_TIMEOUT(tiers, interrupted, SA_TIMEOUT)
{
	size_t n = (sa_full() ? 96 : 32) * SA_MIB_PAGES;
	struct order o = { .device = sa_dev(0), .file = "demote", .text = "all" };
	int usec, ret = -EINTR, eintr = 0;
	struct sa_area a;
	struct sa_seen s;

	ASSERT_EQ(0, on_in(0, "raw"));
	ASSERT_EQ(0, on(1));
	put(_metadata, &a, n, SA_TEXT, 1);
	for (usec = 500; ret && usec < 40000; usec += 500) {
		sa_see(&s, sa_dev(0));
		ret = sa_signalled(obey, &o, usec, LIMIT);
		ASSERT_TRUE(!ret || ret == -EINTR) {
			TH_LOG("%d after %d us", ret, usec);
		}
		eintr += !!ret;
		nothing_lost(_metadata, n);
		/* Pages may be on their way when the signal comes. */
		sa_wait(all_counted(&s, sa_dev(0)), SOON);
		sa_since(&s, sa_dev(0));
		EXPECT_EQ(sa_tier_num(sa_dev(0), "demote"), s.moved_out * (long long)SA_PAGE);
	}
	TH_LOG("interrupted %d times", eintr);
	EXPECT_LT(0, eintr);
	EXPECT_EQ(n, sa_swapped(a.p, n));
	if (ret)
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_TRUE(comes_to_hold(sa_dev(1), n * SA_PAGE));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(tiers, killed, SA_TIMEOUT)
{
	size_t n = (sa_full() ? 96 : 32) * SA_MIB_PAGES;
	struct order o = { .device = sa_dev(0), .file = "demote", .text = "all" };
	struct sa_area a;
	double start;
	pid_t pid;
	int ret;

	ASSERT_EQ(0, on_in(0, "raw"));
	ASSERT_EQ(0, on(1));
	put(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_EQ(0, sa_tier_num(sa_dev(0), "demote"));
	pid = sa_start(NULL, obey, &o);
	ASSERT_LT(0, pid);
	/* It tells how far it is. */
	EXPECT_TRUE(sa_wait(sa_tier_num(sa_dev(0), "demote") > 0, SOON));
	start = sa_now();
	kill(pid, SIGINT);
	ret = sa_join(pid, SOON);
	TH_LOG("status %d %.3f s after the signal, %lld of %zu bytes moved", ret,
	       sa_now() - start, sa_tier_num(sa_dev(0), "demote"), n * SA_PAGE);
	EXPECT_TRUE(!ret || ret == EINTR || ret == -SIGINT);
	nothing_lost(_metadata, n);
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* --- in the background ------------------------------------------------- */

/*
 * A tier that more than enough has been pushed into is between its watermarks, or
 * soon will be. It may have gone below the low one by what it moves at once.
 */
static void between(struct __test_metadata *_metadata, const char *dev, int high, int low)
{
	EXPECT_TRUE(comes_down_to(dev, percent_of(dev, high) + SLACK));
	EXPECT_LE(percent_of(dev, low) / 2, sa_tier_num(dev, "used"));
}

static void sinks(struct __test_metadata *_metadata, const char *from, const char *to,
		  size_t n, int high, int low)
{
	struct sa_seen f, t;

	sa_see(&f, from);
	sa_see(&t, to);
	/* Lowered to where it has been crossed long since. */
	ASSERT_EQ(0, sa_watermarks(from, high, low));
	between(_metadata, from, low, low);
	EXPECT_TRUE(comes_to_rest());
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(from, "stored") + sa_tier_num(to, "stored") ==
				   (long long)(n * SA_PAGE), SOON));
	sa_since(&f, from);
	sa_since(&t, to);
	TH_LOG("%lld pages moved, %lld bytes used for a low watermark of %lld", f.moved_out,
	       sa_tier_num(from, "used"), percent_of(from, low));
	EXPECT_LT(0, f.moved_out);
	EXPECT_EQ(f.moved_out, t.moved_in);
	EXPECT_EQ(-f.stored, f.moved_out * (long long)SA_PAGE);
	EXPECT_EQ(0, t.store);
	EXPECT_EQ(0, f.errors);
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(tiers, background_zswap, SA_TIMEOUT)
{
	const char *dev = sa_dev(0);
	long long limit;
	struct sa_area a;
	struct sa_seen s;
	size_t n;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_zswap_param("max_pool_percent", "10"));
	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_watermarks(NULL, 10, 5));
	limit = percent_of(NULL, 10);
	/* Text is at most 3:1. */
	n = limit * 5 / SA_PAGE;
	sa_see(&s, NULL);
	put(_metadata, &a, n, SA_TEXT, 1);
	between(_metadata, NULL, 10, 5);
	EXPECT_TRUE(comes_to_rest());
	EXPECT_TRUE(comes_to_hold(dev, n * SA_PAGE - sa_tier_num(NULL, "stored")));
	sa_since(&s, NULL);
	/* None has gone past zswap. */
	EXPECT_EQ(n, s.store);
	EXPECT_EQ(s.moved_out * (long long)SA_PAGE, sa_tier_num(dev, "stored"));
	EXPECT_EQ(s.moved_out, sa_tier_num(dev, "stats/moved_in"));
	EXPECT_LT(n / 4, s.moved_out);
	sinks(_metadata, NULL, dev, n, 3, 2);
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(tiers, background_device, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES;
	struct sa_area a;
	struct sa_seen s;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_swapon(sa_dev(i), i ? DEV : 64 * SA_MIB_PAGES, i ? 3 : 5));
	ASSERT_EQ(0, sa_watermarks(sa_dev(0), 20, 10));
	sa_see(&s, sa_dev(0));
	/* Its pages, not clusters, are what is used. */
	put(_metadata, &a, n, SA_RANDOM, 1);
	between(_metadata, sa_dev(0), 20, 10);
	EXPECT_TRUE(comes_to_rest());
	nothing_lost(_metadata, n);
	sa_since(&s, sa_dev(0));
	EXPECT_EQ(n, s.store);
	EXPECT_LT(n / 4, s.moved_out);
	EXPECT_EQ(s.moved_out, sa_tier_num(sa_dev(1), "stats/moved_in"));
	sinks(_metadata, sa_dev(0), sa_dev(1), n, 6, 5);
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* Packed data is moved by whole clusters' worth. */
TEST_F_TIMEOUT(tiers, background_packed, SA_TIMEOUT)
{
	size_t n = 64 * SA_MIB_PAGES;
	struct sa_area a;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), DEV, 5));
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(1), DEV, 3));
	ASSERT_EQ(0, sa_watermarks(sa_dev(0), 100, 10));
	put(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	ASSERT_LT(percent_of(sa_dev(0), 10), sa_tier_num(sa_dev(0), "used"));
	ASSERT_EQ(0, sa_watermarks(sa_dev(0), 10, 5));
	EXPECT_TRUE(comes_down_to(sa_dev(0), percent_of(sa_dev(0), 5) +
				  (long long)(sa_cluster() * SA_PAGE)));
	EXPECT_LE(percent_of(sa_dev(0), 5) / 2, sa_tier_num(sa_dev(0), "used"));
	nothing_lost(_metadata, n);
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * What is dead there does not count: it is collected, and nothing that lives sinks for it.
 * What lives sinks when there is too much of that.
 */
TEST_F_TIMEOUT(tiers, background_dead, SA_TIMEOUT)
{
	const char *dev = sa_dev(0), *below = sa_dev(1);
	size_t pages = 40 * sa_cluster(), step = 64, n, i = 0;
	long long size = sa_cluster() * SA_PAGE, filled, most_filled = 0, used, most_used = 0;
	double end = sa_now() + LIMIT;
	struct sa_area a, b;
	struct sa_set set;
	struct sa_seen f, t;

	ASSERT_EQ(0, sa_swapon_packed(dev, pages, 5));
	ASSERT_EQ(0, sa_swapon_packed(below, DEV, 3));
	ASSERT_EQ(0, sa_watermarks(dev, 70, 60));
	ASSERT_EQ(0, sa_area_map(&a, 2 * pages, SA_TEXT, 1));
	ASSERT_LT(0, sa_area_fill_until(&a, dev, "stats/live_bytes", percent_of(dev, 45)));
	ASSERT_EQ(0, sa_set_make(&set, &a));
	sa_see(&f, dev);
	sa_see(&t, below);
	while (!set.bad && sa_now() < end && sa_tier_num(dev, "stats/collected") < 32) {
		sa_set_rewrite(&set, 256);
		filled = sa_tier_num(dev, "stats/segments") * size;
		used = sa_tier_num(dev, "used");
		if (most_filled < filled)
			most_filled = filled;
		if (most_used < used)
			most_used = used;
	}
	EXPECT_TRUE(comes_to_rest());
	TH_LOG("high watermark %lld: segments %lld, used %lld at most, %lld collected",
	       percent_of(dev, 70), most_filled, most_used,
	       sa_tier_num(dev, "stats/collected"));
	EXPECT_LE(32, sa_tier_num(dev, "stats/collected"));
	EXPECT_LT(percent_of(dev, 85), most_filled);
	EXPECT_GT(percent_of(dev, 70), most_used);
	EXPECT_EQ(0, set.bad);
	EXPECT_EQ(0, set.missed);
	sa_since(&f, dev);
	sa_since(&t, below);
	TH_LOG("%lld pages moved out, %lld of those that were stored are below", f.moved_out,
	       t.store);
	EXPECT_EQ(0, f.moved_out);
	EXPECT_EQ(0, t.moved_in);

	/*
	 * More lives, until that alone is above the mark. What comes while there is no free
	 * segment goes below, so not all at once.
	 */
	sa_see(&f, dev);
	sa_see(&t, below);
	ASSERT_EQ(0, sa_area_map(&b, a.n, SA_TEXT, 2));
	for (n = 0; n < b.n && !sa_tier_num(dev, "stats/moved_out"); n += step) {
		for (i = n; i < n + step && i < b.n; i++)
			sa_fill(b.p + i * SA_PAGE, b.pat, b.seed, i, 0);
		sa_pageout(b.p + n * SA_PAGE, i - n);
		usleep(5000);
	}
	b.n = i;
	ASSERT_TRUE(push_out(&b));
	EXPECT_TRUE(comes_down_to(dev, percent_of(dev, 70) + SLACK));
	nothing_lost(_metadata, a.n + b.n);
	sa_since(&f, dev);
	sa_since(&t, below);
	TH_LOG("%lld pages moved out when %zu more live, %lld bytes used; %lld stored below",
	       f.moved_out, b.n, sa_tier_num(dev, "used"), t.store);
	EXPECT_LT(0, f.moved_out);
	EXPECT_EQ(f.moved_out, t.moved_in);
	/* No further than to the low watermark, but for what is moved at once. */
	EXPECT_LE(percent_of(dev, 50), sa_tier_num(dev, "used"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_set_check(&set));
	EXPECT_EQ(0, sa_area_check(&b));
}

/* 100: never, however full it is. */
TEST_F_TIMEOUT(tiers, background_never, SA_TIMEOUT)
{
	size_t n = 40 * SA_MIB_PAGES;
	struct sa_area a;
	struct sa_seen s;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 32 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_format(sa_dev(0), "raw"));
	ASSERT_EQ(0, on_in(1, "raw"));
	ASSERT_EQ(0, sa_watermarks(sa_dev(0), 100, 0));
	sa_see(&s, sa_dev(0));
	put(_metadata, &a, n, SA_RANDOM, 1);
	sleep(QUIET);
	ASSERT_LT(percent_of(sa_dev(0), 92), sa_tier_num(sa_dev(0), "used"));
	sa_since(&s, sa_dev(0));
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stats/moved_in"));
	EXPECT_EQ(n, s.store + sa_tier_num(sa_dev(1), "stats/store"));
	sinks(_metadata, sa_dev(0), sa_dev(1), n, 90, 80);
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(tiers, background_no_room, SA_TIMEOUT)
{
	size_t n = 16 * SA_MIB_PAGES;
	struct sa_area a, b;
	struct sa_seen s;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 64 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_watermarks(sa_dev(0), 10, 5));
	sa_see(&s, sa_dev(0));
	put(_metadata, &a, n, SA_RANDOM, 1);
	sleep(QUIET);
	sa_since(&s, sa_dev(0));
	EXPECT_EQ(n, s.store);
	EXPECT_EQ(n * SA_PAGE, s.stored);
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, s.errors);
	EXPECT_EQ(n, sa_swapped(a.p, n));
	/* Once there is room, and something is stored, it goes on. */
	ASSERT_EQ(0, on(1));
	put(_metadata, &b, SA_MIB_PAGES, SA_RANDOM, 2);
	between(_metadata, sa_dev(0), 10, 5);
	nothing_lost(_metadata, n + SA_MIB_PAGES);
	EXPECT_LT(0, sa_tier_num(sa_dev(1), "stats/moved_in"));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_area_check(&b));
}

/* --- draining ---------------------------------------------------------- */

enum where { LOWER, UPPER, ZSWAP };

FIXTURE(drain) { };

FIXTURE_VARIANT(drain)
{
	enum where where;
	const char *format;
};

FIXTURE_VARIANT_ADD(drain, raw_to_lower) { .where = LOWER, .format = "raw" };

FIXTURE_VARIANT_ADD(drain, packed_to_lower) { .where = LOWER, .format = "packed" };

FIXTURE_VARIANT_ADD(drain, raw_to_upper) { .where = UPPER, .format = "raw" };

FIXTURE_VARIANT_ADD(drain, packed_to_upper) { .where = UPPER, .format = "packed" };

FIXTURE_VARIANT_ADD(drain, raw_to_zswap) { .where = ZSWAP, .format = "raw" };

FIXTURE_VARIANT_ADD(drain, packed_to_zswap) { .where = ZSWAP, .format = "packed" };

FIXTURE_SETUP(drain)
{
	const char *why = begin(variant->where == ZSWAP ? SA_NEED_DEV : SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	if (variant->where == ZSWAP && !sa_have_zswap())
		SKIP(return, "no zswap");
}

FIXTURE_TEARDOWN_PARENT(drain)
{
	EXPECT_EQ(0, sa_end());
}

/* Pages of text that fill about half of a device of so many */
static size_t half_of(const char *format, size_t pages)
{
	return strcmp(format, "packed") ? pages / 2 : pages;
}

TEST_F_TIMEOUT(drain, half_full, SA_TIMEOUT)
{
	size_t pages = (sa_full() ? 128 : 16) * SA_MIB_PAGES, n, m = 2 * SA_MIB_PAGES;
	const char *to = variant->where == ZSWAP ? NULL : sa_dev(1), *dev = sa_dev(0);
	struct sa_area a, b, c;
	struct sa_seen f, t;

	n = half_of(variant->format, pages);
	ASSERT_EQ(0, sa_swapon(dev, pages, 5));
	ASSERT_EQ(0, sa_format(dev, variant->format));
	put(_metadata, &a, n, SA_TEXT, 1);
	ASSERT_EQ(0, to ? on(1) : sa_zswap(true));
	if (variant->where == UPPER)
		ASSERT_EQ(0, sa_tier_write(to, "rank", "9"));

	EXPECT_STATE("online", dev);
	sa_see(&f, dev);
	sa_see(&t, to);
	ASSERT_EQ(0, sa_tier_write(dev, "state", "draining\n"));
	EXPECT_STATE("draining", dev);
	EXPECT_TRUE(comes_down_to(dev, 0));
	EXPECT_EQ(0, sa_tier_num(dev, "stored"));
	EXPECT_TRUE(comes_to_hold(to, n * SA_PAGE));
	EXPECT_EQ(0, sa_violations());
	/* The last page is there a moment before it is counted. */
	sa_wait(sa_tier_num(dev, "stats/moved_out") - f.moved_out >= (long long)n, 2);
	sa_since(&f, dev);
	sa_since(&t, to);
	EXPECT_EQ(n, f.moved_out);
	EXPECT_EQ(n, t.moved_in);
	EXPECT_EQ(0, f.store + f.errors + t.errors);
	EXPECT_STATE("draining", dev);
	EXPECT_EQ(n, sa_swapped(a.p, n));

	/* It takes nothing, though it is the first or the only one with much room. */
	put(_metadata, &b, m, SA_TEXT, 2);
	EXPECT_EQ(0, sa_tier_num(dev, "stored"));
	EXPECT_EQ(0, sa_tier_num(dev, "used"));
	EXPECT_EQ((n + m) * SA_PAGE, sa_tier_num(to, "stored"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(to, variant->where == LOWER ? "promote" : "demote",
					 "all"));
	check_there(_metadata, &a, to);
	check_there(_metadata, &b, to);

	ASSERT_EQ(0, sa_tier_write(dev, "state", "online"));
	EXPECT_STATE("online", dev);
	ASSERT_EQ(0, to ? sa_tier_write(dev, "rank", "1") : sa_zswap(false));
	sa_see(&f, dev);
	put(_metadata, &c, m, SA_TEXT, 3);
	sa_since(&f, dev);
	EXPECT_LE(m, f.store);
	EXPECT_LE(m * SA_PAGE, sa_tier_num(dev, "stored"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&c));
	EXPECT_EQ(0, sa_swapoff_child(dev, LIMIT));
	EXPECT_EQ(0, sa_area_check(&a));
}

enum held_way { HELD_SWAPOFF, HELD_DRAIN, HELD_DEMOTE, HELD_PROMOTE };

/* Somebody has references to pages that nobody has mapped, as for I/O to them. */
FIXTURE(held) { };

FIXTURE_VARIANT(held)
{
	enum held_way way;
	const char *format;
};

FIXTURE_VARIANT_ADD(held, swapoff_raw) { .way = HELD_SWAPOFF, .format = "raw" };

FIXTURE_VARIANT_ADD(held, swapoff_packed) { .way = HELD_SWAPOFF, .format = "packed" };

FIXTURE_VARIANT_ADD(held, drain_raw) { .way = HELD_DRAIN, .format = "raw" };

FIXTURE_VARIANT_ADD(held, drain_packed) { .way = HELD_DRAIN, .format = "packed" };

FIXTURE_VARIANT_ADD(held, demote_raw) { .way = HELD_DEMOTE, .format = "raw" };

FIXTURE_VARIANT_ADD(held, demote_packed) { .way = HELD_DEMOTE, .format = "packed" };

FIXTURE_VARIANT_ADD(held, promote_raw) { .way = HELD_PROMOTE, .format = "raw" };

FIXTURE_VARIANT_ADD(held, promote_packed) { .way = HELD_PROMOTE, .format = "packed" };

FIXTURE_SETUP(held)
{
	const char *why = begin(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(held)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * What is written to a page later is seen by who has held it all the time: it is the same
 * page, and the other way round a write of his would not be lost.
 */
TEST_F_TIMEOUT(held, same_page, SA_TIMEOUT)
{
	int from = variant->way == HELD_PROMOTE ? 1 : 0, fds[2], bad = 0;
	const char *dev = sa_dev(from), *other = sa_dev(!from);
	unsigned char page[SA_PAGE];
	size_t n = 16, i;
	struct sa_area a;
	struct iovec iov;

	ASSERT_EQ(0, on_in(from, variant->format));
	put(_metadata, &a, n, SA_TEXT, 1);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, sa_check(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_LE((int)(n * SA_PAGE), fcntl(fds[1], F_SETPIPE_SZ, 2 * n * SA_PAGE));
	iov = (struct iovec){ .iov_base = a.p, .iov_len = n * SA_PAGE };
	ASSERT_EQ(n * SA_PAGE, vmsplice(fds[1], &iov, 1, 0));
	madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
	ASSERT_EQ(n, sa_swapped(a.p, n));
	ASSERT_EQ(n, sa_in_cache(a.p, n));

	ASSERT_EQ(0, on(!from));
	switch (variant->way) {
	case HELD_SWAPOFF:
		/* Not by a child, as fork() would make the pages shared. */
		EXPECT_EQ(0, swapoff(dev));
		break;
	case HELD_DRAIN:
		EXPECT_EQ(0, sa_tier_write(dev, "state", "draining"));
		EXPECT_TRUE(comes_down_to(dev, 0));
		break;
	case HELD_DEMOTE:
		sa_tier_write(dev, "demote", "all");
		break;
	case HELD_PROMOTE:
		sa_tier_write(dev, "promote", "all");
		break;
	}
	EXPECT_EQ(0, sa_violations());
	for (i = 0; i < n; i++)
		sa_fill(a.p + i * SA_PAGE, a.pat, a.seed, i, 1);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(SA_PAGE, read(fds[0], page, SA_PAGE));
		bad += !!sa_check(page, a.pat, a.seed, i, 1);
	}
	EXPECT_EQ(0, bad) {
		TH_LOG("%d of %zu pages are others; %lld moved to %s", bad, n,
		       sa_tier_num(other, "stats/moved_in"), other);
	}
	close(fds[0]);
	close(fds[1]);
	sa_area_unmap(&a);
}

TEST_F_TIMEOUT(tiers, state_values, SA_TIMEOUT)
{
	static const char * const bad[] = {
		"failed", "Online", "drain", "off", "0", "1", "online draining", "onlinex",
		"\n", " ", " online", "draining\n\n", NULL,
	};
	static const char * const any[] = { "online", "draining", "failed", "1", NULL };
	size_t n = SA_MIB_PAGES;
	struct sa_area a;

	ASSERT_EQ(0, on(0));
	put(_metadata, &a, n, SA_TEXT, 1);
	refuses(_metadata, sa_dev(0), "state", bad);
	EXPECT_STATE("online", sa_dev(0));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "state", "online\n"));
	EXPECT_STATE("online", sa_dev(0));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	refuses(_metadata, sa_dev(0), "state", bad);
	EXPECT_STATE("draining", sa_dev(0));
	if (sa_have_zswap()) {
		EXPECT_STATE("online", NULL);
		refuses(_metadata, NULL, "state", any);
		EXPECT_STATE("online", NULL);
	}
	/* A device that comes anew is online. */
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	ASSERT_EQ(0, on(0));
	EXPECT_STATE("online", sa_dev(0));
	EXPECT_EQ(0, sa_area_check(&a));
}

/* Nowhere to go: it stays, and nothing comes into RAM for it. */
TEST_F_TIMEOUT(tiers, drain_to_nowhere, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a, b;

	ASSERT_EQ(0, on(0));
	put(_metadata, &a, n, SA_TEXT, 1);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	sleep(QUIET);
	EXPECT_STATE("draining", sa_dev(0));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_EQ(0, sa_violations());
	/* Nothing can be swapped out now. */
	make(_metadata, &b, SA_MIB_PAGES, SA_TEXT, 2);
	EXPECT_EQ(0, sa_pageout(b.p, b.n));
	EXPECT_EQ(0, sa_area_check(&b));
	/* A device that comes is taken. */
	ASSERT_EQ(0, on(1));
	EXPECT_TRUE(comes_down_to(sa_dev(0), 0));
	EXPECT_LE(n * SA_PAGE, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_area_check(&b));
}

/* Taken back while it is at it. */
TEST_F_TIMEOUT(tiers, drain_taken_back, SA_TIMEOUT)
{
	size_t n = 32 * SA_MIB_PAGES;
	long long partly = 0;
	struct sa_area a, b;
	struct sa_seen s[2];
	int i;

	ASSERT_EQ(0, on(0));
	put(_metadata, &a, n, SA_TEXT, 1);
	ASSERT_EQ(0, on(1));
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
		usleep(i * 500);
		ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
		EXPECT_STATE("online", sa_dev(0));
		nothing_lost(_metadata, n);
		partly += sa_tier_num(sa_dev(0), "stored") &&
			sa_tier_num(sa_dev(1), "stored");
	}
	TH_LOG("in both devices %lld times of %d", partly, i);
	EXPECT_EQ(n, sa_swapped(a.p, n));
	EXPECT_TRUE(comes_to_rest());
	sa_see(&s[0], sa_dev(0));
	sa_see(&s[1], sa_dev(1));
	put(_metadata, &b, SA_MIB_PAGES, SA_TEXT, 2);
	got(_metadata, s, 0, SA_MIB_PAGES);
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_area_check(&b));
}

/* --- a device that fails ------------------------------------------------ */

FIXTURE(failing) { };

FIXTURE_SETUP(failing)
{
	const char *why = begin(SA_NEED_DEVS);

	if (!why)
		why = sa_dm_make(24 * SA_MIB_PAGES);
	if (why)
		SKIP(return, "%s", why);
	if (access(SA_DEBUG "/max_io_errors", W_OK))
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, sa_swapon(sa_dm(), 0, 9));
	ASSERT_EQ(0, sa_format(sa_dm(), "raw"));
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_write(SA_DEBUG "/max_io_errors", "8"));
	sa_log_expect("[Ee]rror on swap-device|has failed");
}

FIXTURE_TEARDOWN_PARENT(failing)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* It takes nothing more, what it has leaves it, and nobody sees anything of that. */
TEST_F_TIMEOUT(failing, writes, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a, b, c;

	put(_metadata, &a, n, SA_RANDOM, 1);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dm(), "stored"));
	EXPECT_STATE("online", sa_dm());
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	make(_metadata, &b, n, SA_RANDOM, 2);
	/* One outage may end; nothing but errors for some seconds does not. */
	sa_pageout(b.p, n);
	EXPECT_STATE("online", sa_dm());
	EXPECT_TRUE(sa_wait(({
		EXPECT_EQ(0, sa_area_check(&b));
		sa_pageout(b.p, n);
		sa_tier_failed(sa_dm());
	}), SOON));
	EXPECT_TRUE(sa_wait(!sa_tier_num(sa_dm(), "stored"), SOON));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_area_check(&b));
	EXPECT_EQ(0, sa_violations());

	ASSERT_EQ(-EINVAL, sa_tier_write(sa_dm(), "state", "failed"));
	ASSERT_EQ(0, sa_tier_write(sa_dm(), "state", "online"));
	EXPECT_STATE("online", sa_dm());
	/* It is not healed, and fails again. */
	EXPECT_TRUE(sa_wait(({
		EXPECT_EQ(0, sa_area_check(&b));
		sa_pageout(b.p, n);
		sa_tier_failed(sa_dm());
	}), SOON));

	/* Healed, and after some minutes, which debugfs makes now, trusted again. */
	ASSERT_EQ(0, sa_dm_set_all(SA_WORKS));
	EXPECT_TRUE(sa_tier_failed(sa_dm()));
	ASSERT_EQ(0, sa_write(SA_DEBUG "/retry", "1"));
	EXPECT_TRUE(sa_wait(!sa_tier_failed(sa_dm()), SOON));
	EXPECT_STATE("online", sa_dm());
	put(_metadata, &c, n, SA_RANDOM, 3);
	EXPECT_LT(0, sa_tier_num(sa_dm(), "stored"));
	EXPECT_EQ(0, sa_area_check(&c));
}

/* What can't be read stays where it is, and is not lost. */
TEST_F_TIMEOUT(failing, reads, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	long long lost = sa_scan("lost");
	struct sa_area a;

	put(_metadata, &a, n, SA_RANDOM, 1);
	ASSERT_EQ(0, sa_dm_set_all(SA_FAILS));
	EXPECT_TRUE(sa_wait(({
		sa_tier_write(sa_dm(), "demote", "1M");
		sa_tier_failed(sa_dm());
	}), SOON));
	sleep(QUIET);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dm(), "stored"));
	EXPECT_EQ(lost, sa_scan("lost"));
	/* When it can be read again, the drain finds out, or who wants it. */
	ASSERT_EQ(0, sa_dm_set_all(SA_WORKS));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(lost, sa_scan("lost"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
}

/* --- three tiers ------------------------------------------------------- */

/* How much of the area, in percent, is read from the device? Comes back whole. */
static int read_from(struct __test_metadata *_metadata, struct sa_area *a, const char *dev)
{
	struct sa_seen s;

	EXPECT_TRUE(sa_only_swapped());
	sa_see(&s, dev);
	EXPECT_EQ(a->n, sa_swapped(a->p, a->n));
	EXPECT_EQ(0, sa_area_check(a));
	sa_since(&s, dev);
	return s.load * 100 / (long long)a->n;
}

TEST_F_TIMEOUT(tiers, three_hot_and_cold, SA_TIMEOUT)
{
	int round, rounds = sa_full() ? 32 : 8, in_hot, in_cold;
	const char *mid = sa_dev(0), *bottom = sa_dev(1);
	struct sa_area hot, cold;
	long long pool;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_zswap_param("max_pool_percent", "3"));
	ASSERT_EQ(0, sa_swapon(mid, 128 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, on(1));
	/*
	 * The hot set, compressed, is below 10 % of the pool: it fits below the low
	 * watermark, and most of the cold one does not, here and in the middle.
	 */
	ASSERT_EQ(0, sa_watermarks(NULL, 20, 15));
	ASSERT_EQ(0, sa_watermarks(mid, 6, 3));
	pool = sa_tier_num(NULL, "capacity");
	put(_metadata, &cold, pool * 2 / SA_PAGE, SA_TEXT, 1);
	put(_metadata, &hot, pool / 5 / SA_PAGE, SA_TEXT, 2);
	for (round = 0; round < rounds; round++) {
		EXPECT_EQ(0, sa_area_check(&hot));
		hot.gen++;
		sa_area_fill(&hot);
		ASSERT_TRUE(push_out(&hot));
	}
	between(_metadata, NULL, 20, 0);
	between(_metadata, mid, 6, 0);
	EXPECT_TRUE(comes_to_rest());
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ((hot.n + cold.n) * SA_PAGE, sa_tier_num(NULL, "stored") +
		  sa_tier_num(mid, "stored") + sa_tier_num(bottom, "stored"));
	EXPECT_LT(0, sa_tier_num(mid, "stats/moved_out"));

	in_hot = read_from(_metadata, &hot, bottom);
	in_cold = read_from(_metadata, &cold, bottom);
	TH_LOG("from the bottom: %d %% of %zu hot pages, %d %% of %zu cold ones", in_hot,
	       hot.n, in_cold, cold.n);
	EXPECT_GE(25, in_hot);
	EXPECT_LE(50, in_cold);
}

/* Used twice, as far as the LRU lists know: the pages become active, in that order. */
static int activate(const struct sa_area *a)
{
	struct iovec local, remote;
	char page[SA_PAGE];
	size_t i;
	int twice;

	for (twice = 0; twice < 2; twice++) {
		for (i = 0; i < a->n; i++) {
			local = (struct iovec){ page, sizeof(page) };
			remote = (struct iovec){ a->p + i * SA_PAGE, sizeof(page) };
			if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != SA_PAGE)
				return -errno;
		}
	}
	return 0;
}

/* What has been active for longest goes out, to the first device or the second one. */
static void evict(struct __test_metadata *_metadata, const char *cg, const struct sa_area *a,
		  int dev)
{
	ASSERT_EQ(0, sa_cg_limit_tier(cg, sa_dev(0), dev ? "0" : "max"));
	EXPECT_TRUE(sa_wait(({
		sa_cg_reclaim(cg, SA_MIB / 8);
		sa_settle() && sa_swapped(a->p, a->n) * 10 >= a->n * 9;
	}), SOON)) {
		TH_LOG("%zu of %zu pages are out", sa_swapped(a->p, a->n), a->n);
	}
	ASSERT_EQ(0, sa_cg_limit_tier(cg, sa_dev(0), "max"));
}

/* What was demoted by hand is as hot as it was: used again, it rises as soon as the rest. */
TEST_F_TIMEOUT(tiers, demoted_is_hot, SA_TIMEOUT)
{
	const char *mid = sa_dev(0), *bottom = sa_dev(1);
	struct sa_area moved, rest, active;
	size_t n = SA_MIB_PAGES;
	long long restored[3];
	int up[2];
	char cg[256];

	ASSERT_EQ(0, sa_cg_make("hot", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_cg_enter(cg));
	ASSERT_EQ(0, on_in(0, "raw"));
	ASSERT_EQ(0, on_in(1, "raw"));
	make(_metadata, &moved, n, SA_TEXT, 1);
	make(_metadata, &rest, n, SA_TEXT, 2);
	/* Shadows are recent by how much is active. */
	make(_metadata, &active, 32 * n, SA_TEXT, 3);
	ASSERT_EQ(0, activate(&moved));
	ASSERT_EQ(0, activate(&rest));
	ASSERT_EQ(0, activate(&active));
	evict(_metadata, cg, &moved, 0);
	EXPECT_LE(n * 9 / 10, move(_metadata, "demote", mid, bottom, "all"));
	evict(_metadata, cg, &rest, 1);

	restored[0] = sa_vmstat("workingset_restore_anon");
	EXPECT_EQ(0, sa_area_check(&moved));
	restored[1] = sa_vmstat("workingset_restore_anon");
	EXPECT_EQ(0, sa_area_check(&rest));
	restored[2] = sa_vmstat("workingset_restore_anon");
	ASSERT_TRUE(push_out(&moved));
	ASSERT_TRUE(push_out(&rest));
	up[0] = read_from(_metadata, &moved, mid);
	up[1] = read_from(_metadata, &rest, mid);
	TH_LOG("%lld of %zu that were demoted known as hot, %lld of the rest; %d and %d %% rise",
	       restored[1] - restored[0], n, restored[2] - restored[1], up[0], up[1]);
	EXPECT_LE(75, up[0]);
	EXPECT_LE(75, up[1]);
	EXPECT_LE(up[1] - 10, up[0]);
	EXPECT_EQ(0, sa_area_check(&active));
}

/*
 * A fast device that cold data fills, then a hot set. Priorities alone leave it so,
 * which is 7.3's order as well as the layer's when it is off; tiers turn it round.
 */
FIXTURE(order) { };

FIXTURE_VARIANT(order)
{
	bool on;
};

FIXTURE_VARIANT_ADD(order, priorities) { .on = false };

FIXTURE_VARIANT_ADD(order, tiers) { .on = true };

FIXTURE_SETUP(order)
{
	const char *why = begin(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_layer(variant->on));
}

FIXTURE_TEARDOWN_PARENT(order)
{
	EXPECT_EQ(0, sa_end());
}

TEST_F_TIMEOUT(order, hot_on_fast, SA_TIMEOUT)
{
	const char *fast = sa_dev(0), *slow = sa_dev(1);
	struct sa_io before[2], after[2];
	long long from_fast, from_slow;
	struct sa_area cold, hot;
	int round;

	ASSERT_EQ(0, sa_swapon(fast, 16 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_swapon(slow, DEV, 3));
	if (variant->on) {
		ASSERT_EQ(0, sa_format(fast, "packed"));
		ASSERT_EQ(0, sa_format(slow, "packed"));
		ASSERT_EQ(0, sa_watermarks(fast, 60, 40));
	}
	/* More than the fast one has, be it packed, at 3:1 */
	put(_metadata, &cold, (variant->on ? 64 : 24) * SA_MIB_PAGES, SA_TEXT, 1);
	if (variant->on)
		EXPECT_TRUE(comes_to_rest());
	put(_metadata, &hot, 4 * SA_MIB_PAGES, SA_TEXT, 2);
	for (round = 0; round < 4; round++) {
		EXPECT_EQ(0, sa_area_check(&hot));
		hot.gen++;
		sa_area_fill(&hot);
		ASSERT_TRUE(push_out(&hot));
	}

	ASSERT_EQ(0, sa_io(fast, &before[0]));
	ASSERT_EQ(0, sa_io(slow, &before[1]));
	EXPECT_EQ(0, sa_area_check(&hot));
	ASSERT_EQ(0, sa_io(fast, &after[0]));
	ASSERT_EQ(0, sa_io(slow, &after[1]));
	from_fast = after[0].read_sectors - before[0].read_sectors;
	from_slow = after[1].read_sectors - before[1].read_sectors;
	TH_LOG("the hot set is read from the fast device to %lld %%",
	       from_fast * 100 / (from_fast + from_slow + 1));
	EXPECT_LE(4 * (variant->on ? from_slow : from_fast),
		  variant->on ? from_fast : from_slow);
	EXPECT_EQ(0, sa_area_check(&cold));
}

/* The first to go is what has been there longest. */
TEST_F_TIMEOUT(tiers, coldest_first, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES, i;
	struct sa_area a[3];
	int in[3];

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	for (i = 0; i < 3; i++)
		put(_metadata, &a[i], n, SA_TEXT, i);
	ASSERT_EQ(0, on(0));
	EXPECT_LE(n, move(_metadata, "demote", NULL, sa_dev(0), "8M"));
	for (i = 0; i < 3; i++)
		in[i] = read_from(_metadata, &a[i], sa_dev(0));
	TH_LOG("on the device: %d, %d and %d %%", in[0], in[1], in[2]);
	EXPECT_LE(75, in[0]);
	EXPECT_GE(25, in[2]);
}

/*
 * What is written raw sinks in the order in which it was written as well, whatever slots
 * it has: those of what is gone are used again, and lie before older ones.
 */
TEST_F_TIMEOUT(tiers, coldest_first_raw, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES, i;
	struct sa_area gone, a[3];
	int in[3];

	/* Of ten parts, one is free until the end. */
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 10 * n, 5));
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "format", "raw"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "high_watermark", "100"));
	put(_metadata, &gone, 2 * n, SA_TEXT, 7);
	put(_metadata, &a[0], n, SA_TEXT, 0);
	sa_area_unmap(&gone);
	/* And all slots that were free already. */
	put(_metadata, &gone, 8 * n, SA_TEXT, 7);
	sa_area_unmap(&gone);
	for (i = 1; i < 3; i++)
		put(_metadata, &a[i], n, SA_TEXT, i);
	EXPECT_LE(n, move(_metadata, "demote", sa_dev(0), sa_dev(1), "8M"));
	for (i = 0; i < 3; i++)
		in[i] = read_from(_metadata, &a[i], sa_dev(1));
	TH_LOG("on the second device: %d, %d and %d %%", in[0], in[1], in[2]);
	EXPECT_LE(90, in[0]);
	EXPECT_GE(10, in[1]);
	EXPECT_GE(1, in[2]);
}

/* --- who may ----------------------------------------------------------- */

static const char * const writable[] = {
	"rank", "high_watermark", "low_watermark", "demote", "promote", "state", "format",
};

/* What would be right, in the same order */
static const char * const fitting[] = {
	"7", "95", "5", "all", "all", "draining", "raw",
};

static void for_root_only(struct __test_metadata *_metadata, const char *dev)
{
	char path[256], before[64], after[64];
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(writable); i++) {
		ASSERT_EQ(0, sa_tier_path(dev, writable[i], path, sizeof(path)));
		ASSERT_EQ(0, stat(path, &st)) {
			TH_LOG("%s is missing", path);
		}
		EXPECT_EQ(0644, st.st_mode & 07777) {
			TH_LOG("%s has mode %o", path, st.st_mode & 07777);
		}
		ASSERT_LT(0, sa_read(path, before, sizeof(before)));
		EXPECT_EQ(strlen(before), strcspn(before, "\n") + 1);
		EXPECT_EQ(-EACCES, sa_nobody_writes(path, fitting[i])) {
			TH_LOG("%s", path);
		}
		ASSERT_LT(0, sa_read(path, after, sizeof(after)));
		EXPECT_STREQ(before, after);
	}
}

TEST_F_TIMEOUT(tiers, not_root, SA_TIMEOUT)
{
	size_t n = SA_MIB_PAGES;
	struct sa_area a;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, on(i));
	put(_metadata, &a, n, SA_TEXT, 1);
	for (i = 0; i < 2; i++)
		for_root_only(_metadata, sa_dev(i));
	if (sa_have_zswap())
		for_root_only(_metadata, NULL);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(0, sa_area_check(&a));
}

static void takes_no_garbage(struct __test_metadata *_metadata, const char *dev)
{
	static char full[SA_PAGE - 1];
	const char * const words[] = {
		"\xff\xfe\x01", "%s%n", "../../rank", "\t\t\n", "1\n2\n", "--1", "+-1", "1e3",
		"nan", "0x", ",", "all\nall", full, NULL,
	};
	size_t i;

	memset(full, 'a', sizeof(full) - 1);
	for (i = 0; i < ARRAY_SIZE(writable); i++)
		refuses(_metadata, dev, writable[i], words);
}

TEST_F_TIMEOUT(tiers, garbage, SA_TIMEOUT)
{
	size_t n = SA_MIB_PAGES;
	struct sa_area a;
	struct sa_seen s;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, on(i));
	put(_metadata, &a, n, SA_TEXT, 1);
	sa_see(&s, sa_dev(0));
	for (i = 0; i < 2; i++)
		takes_no_garbage(_metadata, sa_dev(i));
	if (!sa_zswap(true))
		takes_no_garbage(_metadata, NULL);
	sa_since(&s, sa_dev(0));
	EXPECT_EQ(0, s.stored);
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_HARNESS_MAIN
