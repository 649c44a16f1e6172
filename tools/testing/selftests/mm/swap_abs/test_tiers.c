// SPDX-License-Identifier: GPL-2.0
/*
 * These tests move data between tiers. They check ranks, watermarks, the files
 * demote and promote, draining, and a hot and a cold set over three tiers.
 * test_groups.c tests the limits of cgroups for tiers.
 *
 * The test fails on a kernel that loses or exchanges a page while it moves it,
 * or while a process with a reference may write to it; that moves much more or
 * less than asked, or counts it wrong; that does not store to the first tier in
 * order, or stores to a tier that drains or is full; that ignores signals; that
 * leaves a tier above its watermark while there is room below, or moves data
 * out of a tier that only dead space has brought above it; that lets hot data
 * sink; or that accepts a wrong value, or a value from a user who is not root.
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

/* The bytes that the kernel may move beyond the request: a batch */
#define OVER	(64 * SA_PAGE)

static long long percent_of(const char *dev, int percent)
{
	return sa_tier_num(dev, "capacity") / 100 * percent;
}

/*
 * Expect that a file refuses each of the words, up to NULL, and keeps its value
 */
static void expect_refused(struct __test_metadata *_metadata, const char *dev,
			   const char *file, const char * const *words)
{
	char before[64], after[64];

	for (; *words; words++) {
		ASSERT_EQ(0, sa_tier_str(dev, file, before, sizeof(before)));
		EXPECT_EQ(-EINVAL, sa_tier_write(dev, file, *words)) {
			TH_LOG("'%s' to %s of %s", *words, file, tier_label(dev));
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

/*
 * Move pages in several sizes, and then the rest. The tier @from has all @pages
 * pages.
 */
static void move_in_sizes(struct __test_metadata *_metadata, const char *file,
			  const char *from, const char *to, long long pages)
{
	long long done;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		done = move_and_check(_metadata, file, from, to, sizes[i].text);
		EXPECT_LE(sizes[i].pages, done);
		EXPECT_GE(sizes[i].pages + (long long)(OVER / SA_PAGE), done) {
			TH_LOG("%lld pages for '%s'", done, sizes[i].text);
		}
		pages -= done;
	}
	ASSERT_LT(0, pages);
	EXPECT_EQ(pages, move_and_check(_metadata, file, from, to, "1G"));
	EXPECT_EQ(0, sa_tier_num(from, "stored"));
	/* The tier is empty, so it moves less than asked, without an error. */
	EXPECT_EQ(0, move_and_check(_metadata, file, from, to, "all"));
	EXPECT_EQ(0, move_and_check(_metadata, file, from, to, "64K"));
}

FIXTURE(tiers) { };

FIXTURE_SETUP(tiers)
{
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(tiers)
{
	EXPECT_EQ(0, sa_end());
}

/* --- rank ----------------------------------------------------------------- */

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
		ASSERT_EQ(0, sa_set_layer(layer));
		for (i = 0; i < ARRAY_SIZE(is); i++) {
			ASSERT_EQ(0, sa_swapon(sa_dev(0), DEV, is[i].prio));
			EXPECT_EQ(is[i].rank, sa_tier_num(sa_dev(0), "rank"));
			/* The written rank goes away with the device. */
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

	ASSERT_EQ(0, swapon_dev(0));
	expect_refused(_metadata, sa_dev(0), "rank", bad);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "rank", good[i]));
		EXPECT_EQ(atoi(good[i]), sa_tier_num(sa_dev(0), "rank"));
		expect_refused(_metadata, sa_dev(0), "rank", bad);
	}
	if (sa_have_zswap()) {
		EXPECT_EQ(0, sa_tier_num(NULL, "rank"));
		expect_refused(_metadata, NULL, "rank", any);
		EXPECT_EQ(0, sa_tier_num(NULL, "rank"));
	}
}

/*
 * Expect that only device @i has stored the pages since the caller read the
 * counters
 */
static void expect_stored_on(struct __test_metadata *_metadata, struct sa_stats s[2], int i,
			     size_t n)
{
	int d;

	for (d = 0; d < 2; d++) {
		sa_stats_delta(&s[d], sa_dev(d));
		EXPECT_EQ(d == i ? n : 0, s[d].store) {
			TH_LOG("%s has stored %lld pages", sa_dev(d), s[d].store);
		}
		sa_stats_read(&s[d], sa_dev(d));
	}
}

TEST_F_TIMEOUT(tiers, rank_order, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a[4];
	struct sa_stats s[2];
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, swapon_dev(i));
		sa_stats_read(&s[i], sa_dev(i));
	}
	make_swapped_area(_metadata, &a[0], n, SA_TEXT, 1);
	expect_stored_on(_metadata, s, 0, n);
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "10"));
	make_swapped_area(_metadata, &a[1], n, SA_TEXT, 2);
	expect_stored_on(_metadata, s, 1, n);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "rank", "9"));
	make_swapped_area(_metadata, &a[2], n, SA_RANDOM, 3);
	expect_stored_on(_metadata, s, 0, n);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "rank", "65535"));
	make_swapped_area(_metadata, &a[3], n, SA_RANDOM, 4);
	expect_stored_on(_metadata, s, 1, n);
	/* The data in each tier has stayed there. */
	for (i = 0; i < 2; i++)
		EXPECT_EQ(2 * n * SA_PAGE, sa_tier_num(sa_dev(i), "stored"));
	EXPECT_EQ(0, sa_violations());
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, sa_area_check(&a[i]));
}

TEST_F_TIMEOUT(tiers, rank_equal, SA_TIMEOUT)
{
	size_t n = 32 * SA_MIB_PAGES;
	struct sa_stats s[2];
	struct sa_area a;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, swapon_dev(i));
		ASSERT_EQ(0, sa_tier_write(sa_dev(i), "rank", "500"));
		sa_stats_read(&s[i], sa_dev(i));
	}
	/*
	 * Equal tiers take turns cluster by cluster, so a small area is all in
	 * one tier.
	 */
	make_swapped_area(_metadata, &a, n, SA_RANDOM, 1);
	for (i = 0; i < 2; i++) {
		sa_stats_delta(&s[i], sa_dev(i));
		TH_LOG("%s: %lld of %zu pages", sa_dev(i), s[i].store, n);
		EXPECT_LE(n / 16, s[i].store);
	}
	EXPECT_EQ(n, s[0].store + s[1].store);
	/* Neither tier is below the other. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(i), "demote", "1M"));
		EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(i), "promote", "1M"));
	}
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* --- watermarks, as files ------------------------------------------------- */

static void expect_watermarks(struct __test_metadata *_metadata, const char *dev, int high, int low)
{
	EXPECT_EQ(high, sa_tier_num(dev, "high_watermark"));
	EXPECT_EQ(low, sa_tier_num(dev, "low_watermark"));
}

static void check_watermark_files(struct __test_metadata *_metadata, const char *dev)
{
	static const char * const bad[] = {
		"101", "-1", "1000", "4294967306", "18446744073709551626", "abc", "50%",
		"5 5", "1x", "0.5", "\n", " ", "max", NULL,
	};
	static const char * const above[] = { "91", "95\n", "100", NULL };
	static const char * const below[] = { "79", "0", "40\n", NULL };

	expect_watermarks(_metadata, dev, 90, 80);
	expect_refused(_metadata, dev, "high_watermark", bad);
	expect_refused(_metadata, dev, "low_watermark", bad);
	expect_refused(_metadata, dev, "low_watermark", above);
	expect_refused(_metadata, dev, "high_watermark", below);
	expect_watermarks(_metadata, dev, 90, 80);
	/*
	 * The marks may be equal, and may have the lowest and the highest
	 * value.
	 */
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "90"));
	expect_watermarks(_metadata, dev, 90, 90);
	EXPECT_EQ(0, sa_tier_write(dev, "high_watermark", "100\n"));
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "100"));
	expect_watermarks(_metadata, dev, 100, 100);
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "0"));
	EXPECT_EQ(0, sa_tier_write(dev, "high_watermark", "0"));
	expect_watermarks(_metadata, dev, 0, 0);
	EXPECT_EQ(0, sa_tier_write(dev, "high_watermark", "55"));
	EXPECT_EQ(0, sa_tier_write(dev, "low_watermark", "44"));
	expect_watermarks(_metadata, dev, 55, 44);
}

TEST_F_TIMEOUT(tiers, watermark_values, SA_TIMEOUT)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, swapon_dev(i));
	check_watermark_files(_metadata, sa_dev(0));
	/* The watermarks belong to one tier. */
	expect_watermarks(_metadata, sa_dev(1), 90, 80);
	if (sa_have_zswap())
		check_watermark_files(_metadata, NULL);
	ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
	ASSERT_EQ(0, swapon_dev(0));
	expect_watermarks(_metadata, sa_dev(0), 90, 80);
}

/* --- demote and promote --------------------------------------------------- */

TEST_F_TIMEOUT(tiers, move_values, SA_TIMEOUT)
{
	static const char * const bad[] = {
		"0", "0K", "0\n", "-1", "-4096", "-1M", "abc", "1x", "64KB", "64M 64M", "all 1",
		"allx", "al", "K", "1.5M", "4096,", "\n", " ", "max", NULL,
	};
	size_t n = SA_MIB_PAGES;
	struct sa_area a[2];

	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a[0], n, SA_TEXT, 1);
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "1"));
	make_swapped_area(_metadata, &a[1], n, SA_TEXT, 2);
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "40000"));
	if (!sa_set_zswap(true)) {
		expect_refused(_metadata, NULL, "demote", bad);
		expect_refused(_metadata, NULL, "promote", bad);
	}
	expect_refused(_metadata, sa_dev(0), "demote", bad);
	expect_refused(_metadata, sa_dev(0), "promote", bad);
	expect_refused(_metadata, sa_dev(1), "promote", bad);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_EQ(0, sa_area_check(&a[0]));
	EXPECT_EQ(0, sa_area_check(&a[1]));
}

TEST_F_TIMEOUT(tiers, zswap_demote_all, SA_TIMEOUT)
{
	size_t n = (sa_is_full() ? 64 : 8) * SA_MIB_PAGES;
	const char *dev = sa_dev(0);
	struct sa_area a[2];

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a[0], n, SA_TEXT, 1);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(n, move_and_check(_metadata, "demote", NULL, dev, "all"));
	EXPECT_EQ(0, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_tier_num(NULL, "used"));
	/* Data that leaves the tier does not go to RAM. */
	EXPECT_EQ(n, sa_nr_swapped(a[0].p, n));
	/* The tier takes new data as before. */
	make_swapped_area(_metadata, &a[1], n, SA_TEXT, 2);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_area_check(&a[0]));
	EXPECT_EQ(n, move_and_check(_metadata, "demote", NULL, dev, "all\n"));
	check_area_in_tier(_metadata, &a[1], dev);
}

TEST_F_TIMEOUT(tiers, zswap_demote_size, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_area a;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	move_in_sizes(_metadata, "demote", NULL, sa_dev(0), n);
	check_area_in_tier(_metadata, &a, sa_dev(0));
}

/* Make an area in zswap, with two devices below */
static void make_area_above_two(struct __test_metadata *_metadata, struct sa_area *a, size_t n)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, swapon_dev(i));
	make_swapped_area(_metadata, a, n, SA_TEXT, 1);
}

/*
 * Data must go to the first tier below that has room, and not to the last one
 */
TEST_F_TIMEOUT(tiers, next_below, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	make_area_above_two(_metadata, &a, n);
	EXPECT_EQ(n, move_and_check(_metadata, "demote", NULL, sa_dev(0), "all"));
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n, move_and_check(_metadata, "demote", sa_dev(0), sa_dev(1), "all"));
	check_area_in_tier(_metadata, &a, sa_dev(1));
}

/*
 * Data must be able to move on at once, although the swap cache may still have
 * it
 */
TEST_F_TIMEOUT(tiers, straight_on, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	make_area_above_two(_metadata, &a, n);
	EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "demote"));
	EXPECT_TRUE(wait_stored(sa_dev(1), n * SA_PAGE));
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
	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	/* While zswap takes nothing, no tier is above the device. */
	EXPECT_EQ(-ENOSPC, sa_tier_write(dev, "promote", "all"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(dev, "stored"));
	ASSERT_EQ(0, sa_set_zswap(true));
	move_in_sizes(_metadata, "promote", dev, NULL, n);
	EXPECT_EQ(0, sa_tier_num(dev, "used"));
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	/* No tier is above zswap. */
	EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "promote", "all"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "promote", "4096"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n, move_and_check(_metadata, "demote", NULL, dev, "all"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n, move_and_check(_metadata, "promote", dev, NULL, "all"));
	check_area_in_tier(_metadata, &a, NULL);
}

TEST_F_TIMEOUT(tiers, nothing_below, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES;
	struct sa_area a;
	struct sa_stats s;

	if (!sa_set_zswap(true)) {
		make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
		sa_stats_read(&s, NULL);
		EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "demote", "all"));
		EXPECT_EQ(-ENOSPC, sa_tier_write(NULL, "demote", "1"));
		sa_stats_delta(&s, NULL);
		EXPECT_EQ(0, s.stored);
		EXPECT_EQ(0, s.moved_out);
		EXPECT_EQ(n, sa_nr_swapped(a.p, n));
		EXPECT_EQ(0, sa_area_check(&a));
		sa_area_unmap(&a);
		ASSERT_EQ(0, sa_set_zswap(false));
	}
	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 2);
	sa_stats_read(&s, sa_dev(0));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "1"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "promote", "all"));
	/* A tier above is not a tier below, and the other way round. */
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "7"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "all"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "65535"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "promote", "all"));
	sa_stats_delta(&s, sa_dev(0));
	EXPECT_EQ(0, s.stored);
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * The tier below takes a part, which is success; the next order fails with
 * ENOSPC
 */
TEST_F_TIMEOUT(tiers, full_below, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES, small = 8 * sa_cluster_slots();
	struct sa_area a;
	long long pages;

	ASSERT_EQ(0, swapon_dev_format(0, "raw"));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), small, 3));
	ASSERT_EQ(0, sa_set_format(sa_dev(1), "raw"));
	make_swapped_area(_metadata, &a, n, SA_RANDOM, 1);
	pages = move_and_check(_metadata, "demote", sa_dev(0), sa_dev(1), "all");
	TH_LOG("%lld of %zu pages fit into %zu", pages, n, small);
	EXPECT_LE(small - 2 * sa_cluster_slots(), pages);
	EXPECT_GE(small, pages);
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "demote", "4K"));
	EXPECT_EQ((n - pages) * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_EQ(0, sa_violations());
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* Pages that move die, are read or written, and go out again */
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
		.pages = (sa_is_full() ? 16 : 4) * SA_MIB_PAGES,
		.seconds = sa_is_full() ? 60 : 5,
	};
	long long done = 0, nospace = 0, bytes = 0;
	double end = sa_now() + l.seconds;
	bool zswap = !sa_set_zswap(true);
	__u64 rnd = 23;
	pid_t pid[2];
	char cg[256];
	int i, ret;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, swapon_dev(i));
	ASSERT_EQ(0, sa_cg_make("load", 2 * l.pages * SA_PAGE + 8 * SA_MIB, cg,
				sizeof(cg)));
	for (i = 0; i < 2; i++)
		pid[i] = sa_start(cg, sa_run_load, &l);
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
			       orders[k].file, tier_label(dev));
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

/* --- moves between formats ------------------------------------------------ */

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
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	self->n = (sa_is_full() ? 32 : 8) * SA_MIB_PAGES;
}

FIXTURE_TEARDOWN_PARENT(pair)
{
	EXPECT_EQ(0, sa_end());
}

#define PUT_BOTH()							\
do {									\
	make_swapped_area(_metadata, &self->a[0], self->n, SA_TEXT, 1);	\
	make_swapped_area(_metadata, &self->a[1], self->n, SA_RANDOM, 2); \
} while (0)

#define CHECK_BOTH(_dev)						\
do {									\
	int __i;							\
									\
	for (__i = 0; __i < 2; __i++)					\
		check_area_in_tier(_metadata, &self->a[__i], _dev); \
} while (0)

/* Expect that text takes the space on a device that its format suggests */
static void expect_size_of_format(struct __test_metadata *_metadata, const char *dev,
				  const char *format, size_t text, size_t random)
{
	long long used = sa_tier_num(dev, "used");

	if (!strcmp(format, "raw")) {
		EXPECT_EQ((text + random) * SA_PAGE, used);
		return;
	}
	EXPECT_LE(used, (text * 11 / 20 + random + 2 * sa_cluster_slots()) * SA_PAGE);
	EXPECT_LE((text / 4 + random) * SA_PAGE, used);
}

TEST_F_TIMEOUT(pair, demote_all, SA_TIMEOUT)
{
	size_t n = self->n;

	ASSERT_EQ(0, swapon_dev_format(0, variant->from));
	ASSERT_EQ(0, swapon_dev_format(1, variant->to));
	PUT_BOTH();
	EXPECT_EQ(2 * n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(2 * n, move_and_check(_metadata, "demote", sa_dev(0), sa_dev(1), "all"));
	EXPECT_TRUE(wait_used_at_most(sa_dev(0), 0));
	expect_size_of_format(_metadata, sa_dev(1), variant->to, n, n);
	CHECK_BOTH(sa_dev(1));
}

TEST_F_TIMEOUT(pair, demote_size, SA_TIMEOUT)
{
	ASSERT_EQ(0, swapon_dev_format(0, variant->from));
	ASSERT_EQ(0, swapon_dev_format(1, variant->to));
	PUT_BOTH();
	move_in_sizes(_metadata, "demote", sa_dev(0), sa_dev(1), 2 * self->n);
	CHECK_BOTH(sa_dev(1));
}

TEST_F_TIMEOUT(pair, promote, SA_TIMEOUT)
{
	size_t n = self->n;

	ASSERT_EQ(0, swapon_dev_format(1, variant->from));
	PUT_BOTH();
	ASSERT_EQ(0, swapon_dev_format(0, variant->to));
	move_in_sizes(_metadata, "promote", sa_dev(1), sa_dev(0), 2 * n);
	EXPECT_TRUE(wait_used_at_most(sa_dev(1), 0));
	expect_size_of_format(_metadata, sa_dev(0), variant->to, n, n);
	EXPECT_EQ(-ENOSPC, sa_tier_write(sa_dev(0), "promote", "all"));
	/* The data moves down again. */
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(2 * n, move_and_check(_metadata, "demote", sa_dev(0), sa_dev(1), "all"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(2 * n, move_and_check(_metadata, "promote", sa_dev(1), sa_dev(0), "all"));
	CHECK_BOTH(sa_dev(0));
}

/*
 * Pages that are also in RAM may move or not, and newer data in RAM must not be
 * lost
 */
TEST_F_TIMEOUT(pair, in_use, SA_TIMEOUT)
{
	size_t n = self->n, i;
	struct sa_area *a = &self->a[0];

	ASSERT_EQ(0, swapon_dev_format(0, variant->from));
	ASSERT_EQ(0, swapon_dev_format(1, variant->to));
	PUT_BOTH();
	/*
	 * A third of the pages have a copy in RAM, and a third of these copies
	 * are newer.
	 */
	for (i = 0; i < n; i += 3)
		EXPECT_EQ(0, sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, 0));
	for (i = 0; i < n; i += 9)
		sa_fill_page(a->p + i * SA_PAGE, a->pat, a->seed, i, 1);
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_LE((2 * n - n / 3 - 1) * SA_PAGE, sa_tier_num(sa_dev(1), "stored"));
	ASSERT_TRUE(swap_out_area(a));
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, i % 9 == 0));
	EXPECT_EQ(0, sa_area_check(&self->a[1]));
}

/* --- signals -------------------------------------------------------------- */

struct order {
	const char *device, *file, *text;
};

static int write_tier_order(void *arg)
{
	struct order *o = arg;

	/*
	 * The process that started the tests may have made them ignore SIGINT.
	 */
	signal(SIGINT, SIG_DFL);
	return -sa_tier_write(o->device, o->file, o->text);
}

/* Expect that all pages are in one tier or the other */
static void expect_nothing_lost(struct __test_metadata *_metadata, size_t pages)
{
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(sa_dev(0), "stored") +
				   sa_tier_num(sa_dev(1), "stored") ==
				   (long long)(pages * SA_PAGE), SOON)) {
		TH_LOG("%lld + %lld bytes of %zu", sa_tier_num(sa_dev(0), "stored"),
		       sa_tier_num(sa_dev(1), "stored"), pages * SA_PAGE);
	}
	/*
	 * The sums may differ while something moves; then the test waits for
	 * the end of all moves.
	 */
	if (!sa_violations())
		return;
	EXPECT_TRUE(wait_no_moves());
	EXPECT_EQ(0, sa_violations());
}

/*
 * Tell whether the file demote tells the number of pages that have moved since
 * then
 */
static bool demote_is_counted(const struct sa_stats *s, const char *dev)
{
	long long out = sa_tier_num(dev, "stats/moved_out") - s->moved_out;

	return sa_tier_num(dev, "demote") == out * (long long)SA_PAGE;
}

TEST_F_TIMEOUT(tiers, interrupted, SA_TIMEOUT)
{
	size_t n = (sa_is_full() ? 96 : 32) * SA_MIB_PAGES;
	struct order o = { .device = sa_dev(0), .file = "demote", .text = "all" };
	int usec, ret = -EINTR, eintr = 0;
	struct sa_area a;
	struct sa_stats s;

	ASSERT_EQ(0, swapon_dev_format(0, "raw"));
	ASSERT_EQ(0, swapon_dev(1));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	for (usec = 500; ret && usec < 40000; usec += 500) {
		sa_stats_read(&s, sa_dev(0));
		ret = sa_run_signalled(write_tier_order, &o, usec, LIMIT);
		ASSERT_TRUE(!ret || ret == -EINTR) {
			TH_LOG("%d after %d us", ret, usec);
		}
		eintr += !!ret;
		expect_nothing_lost(_metadata, n);
		/* Pages may be on their way when the signal comes. */
		sa_wait(demote_is_counted(&s, sa_dev(0)), SOON);
		sa_stats_delta(&s, sa_dev(0));
		EXPECT_EQ(sa_tier_num(sa_dev(0), "demote"), s.moved_out * (long long)SA_PAGE);
	}
	TH_LOG("interrupted %d times", eintr);
	EXPECT_LT(0, eintr);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	if (ret)
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_TRUE(wait_stored(sa_dev(1), n * SA_PAGE));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(tiers, killed, SA_TIMEOUT)
{
	size_t n = (sa_is_full() ? 96 : 32) * SA_MIB_PAGES;
	struct order o = { .device = sa_dev(0), .file = "demote", .text = "all" };
	struct sa_area a;
	double start;
	pid_t pid;
	int ret;

	ASSERT_EQ(0, swapon_dev_format(0, "raw"));
	ASSERT_EQ(0, swapon_dev(1));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_EQ(0, sa_tier_num(sa_dev(0), "demote"));
	pid = sa_start(NULL, write_tier_order, &o);
	ASSERT_LT(0, pid);
	/* The file tells the progress. */
	EXPECT_TRUE(sa_wait(sa_tier_num(sa_dev(0), "demote") > 0, SOON));
	start = sa_now();
	kill(pid, SIGINT);
	ret = sa_join(pid, SOON);
	TH_LOG("status %d %.3f s after the signal, %lld of %zu bytes moved", ret,
	       sa_now() - start, sa_tier_num(sa_dev(0), "demote"), n * SA_PAGE);
	EXPECT_TRUE(!ret || ret == EINTR || ret == -SIGINT);
	expect_nothing_lost(_metadata, n);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* --- in the background ---------------------------------------------------- */

/*
 * Expect that a tier, into which more than enough was pushed, gets between its
 * watermarks. It may be below the low one by the size of a batch.
 */
static void expect_between_marks(struct __test_metadata *_metadata, const char *dev, int high,
				 int low)
{
	EXPECT_TRUE(wait_used_at_most(dev, percent_of(dev, high) + SLACK));
	EXPECT_LE(percent_of(dev, low) / 2, sa_tier_num(dev, "used"));
}

static void expect_data_sinks(struct __test_metadata *_metadata, const char *from, const char *to,
			      size_t n, int high, int low)
{
	struct sa_stats f, t;

	sa_stats_read(&f, from);
	sa_stats_read(&t, to);
	/* The new watermark was crossed long ago. */
	ASSERT_EQ(0, sa_set_watermarks(from, high, low));
	expect_between_marks(_metadata, from, low, low);
	EXPECT_TRUE(wait_no_moves());
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(from, "stored") + sa_tier_num(to, "stored") ==
				   (long long)(n * SA_PAGE), SOON));
	sa_stats_delta(&f, from);
	sa_stats_delta(&t, to);
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
	struct sa_stats s;
	size_t n;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_zswap_param("max_pool_percent", "10"));
	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_set_watermarks(NULL, 10, 5));
	limit = percent_of(NULL, 10);
	/* Text compresses 3:1 at most. */
	n = limit * 5 / SA_PAGE;
	sa_stats_read(&s, NULL);
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	expect_between_marks(_metadata, NULL, 10, 5);
	EXPECT_TRUE(wait_no_moves());
	EXPECT_TRUE(wait_stored(dev, n * SA_PAGE - sa_tier_num(NULL, "stored")));
	sa_stats_delta(&s, NULL);
	/* No page has passed zswap. */
	EXPECT_EQ(n, s.store);
	EXPECT_EQ(s.moved_out * (long long)SA_PAGE, sa_tier_num(dev, "stored"));
	EXPECT_EQ(s.moved_out, sa_tier_num(dev, "stats/moved_in"));
	EXPECT_LT(n / 4, s.moved_out);
	expect_data_sinks(_metadata, NULL, dev, n, 3, 2);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(tiers, background_device, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES;
	struct sa_area a;
	struct sa_stats s;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_swapon(sa_dev(i), i ? DEV : 64 * SA_MIB_PAGES, i ? 3 : 5));
	ASSERT_EQ(0, sa_set_watermarks(sa_dev(0), 20, 10));
	sa_stats_read(&s, sa_dev(0));
	/* The used bytes of this tier are its pages and not its clusters. */
	make_swapped_area(_metadata, &a, n, SA_RANDOM, 1);
	expect_between_marks(_metadata, sa_dev(0), 20, 10);
	EXPECT_TRUE(wait_no_moves());
	expect_nothing_lost(_metadata, n);
	sa_stats_delta(&s, sa_dev(0));
	EXPECT_EQ(n, s.store);
	EXPECT_LT(n / 4, s.moved_out);
	EXPECT_EQ(s.moved_out, sa_tier_num(sa_dev(1), "stats/moved_in"));
	expect_data_sinks(_metadata, sa_dev(0), sa_dev(1), n, 6, 5);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* Packed data must move in units of a cluster */
TEST_F_TIMEOUT(tiers, background_packed, SA_TIMEOUT)
{
	size_t n = 64 * SA_MIB_PAGES;
	struct sa_area a;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), DEV, 5));
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(1), DEV, 3));
	ASSERT_EQ(0, sa_set_watermarks(sa_dev(0), 100, 10));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	ASSERT_LT(percent_of(sa_dev(0), 10), sa_tier_num(sa_dev(0), "used"));
	ASSERT_EQ(0, sa_set_watermarks(sa_dev(0), 10, 5));
	EXPECT_TRUE(wait_used_at_most(sa_dev(0), percent_of(sa_dev(0), 5) +
				      (long long)(sa_cluster_slots() * SA_PAGE)));
	EXPECT_LE(percent_of(sa_dev(0), 5) / 2, sa_tier_num(sa_dev(0), "used"));
	expect_nothing_lost(_metadata, n);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * Dead space must not count: the kernel collects it, and moves no live data
 * because of it. Live data must move when there is too much of it.
 */
TEST_F_TIMEOUT(tiers, background_dead, SA_TIMEOUT)
{
	const char *dev = sa_dev(0), *below = sa_dev(1);
	size_t pages = 40 * sa_cluster_slots(), step = 64, n, i = 0;
	long long size = sa_cluster_slots() * SA_PAGE, filled, most_filled = 0, used, most_used = 0;
	double end = sa_now() + LIMIT;
	struct sa_area a, b;
	struct sa_set set;
	struct sa_stats f, t;

	ASSERT_EQ(0, sa_swapon_packed(dev, pages, 5));
	ASSERT_EQ(0, sa_swapon_packed(below, DEV, 3));
	ASSERT_EQ(0, sa_set_watermarks(dev, 70, 60));
	ASSERT_EQ(0, sa_area_map(&a, 2 * pages, SA_TEXT, 1));
	ASSERT_LT(0, sa_area_fill_until(&a, dev, "stats/live_bytes", percent_of(dev, 45)));
	ASSERT_EQ(0, sa_set_make(&set, &a));
	sa_stats_read(&f, dev);
	sa_stats_read(&t, below);
	while (!set.bad && sa_now() < end && sa_tier_num(dev, "stats/collected") < 32) {
		sa_set_rewrite(&set, 256);
		filled = sa_tier_num(dev, "stats/segments") * size;
		used = sa_tier_num(dev, "used");
		if (most_filled < filled)
			most_filled = filled;
		if (most_used < used)
			most_used = used;
	}
	EXPECT_TRUE(wait_no_moves());
	TH_LOG("high watermark %lld: segments %lld, used %lld at most, %lld collected",
	       percent_of(dev, 70), most_filled, most_used,
	       sa_tier_num(dev, "stats/collected"));
	EXPECT_LE(32, sa_tier_num(dev, "stats/collected"));
	EXPECT_LT(percent_of(dev, 85), most_filled);
	EXPECT_GT(percent_of(dev, 70), most_used);
	EXPECT_EQ(0, set.bad);
	EXPECT_EQ(0, set.missed);
	sa_stats_delta(&f, dev);
	sa_stats_delta(&t, below);
	TH_LOG("%lld pages moved out, %lld of those that were stored are below", f.moved_out,
	       t.store);
	EXPECT_EQ(0, f.moved_out);
	EXPECT_EQ(0, t.moved_in);

	/*
	 * More data lives, until live data alone is above the mark. Pages that
	 * come while no segment is free go below, so the test stores them step
	 * by step.
	 */
	sa_stats_read(&f, dev);
	sa_stats_read(&t, below);
	ASSERT_EQ(0, sa_area_map(&b, a.n, SA_TEXT, 2));
	for (n = 0; n < b.n && !sa_tier_num(dev, "stats/moved_out"); n += step) {
		for (i = n; i < n + step && i < b.n; i++)
			sa_fill_page(b.p + i * SA_PAGE, b.pat, b.seed, i, 0);
		sa_pageout(b.p + n * SA_PAGE, i - n);
		usleep(5000);
	}
	b.n = i;
	ASSERT_TRUE(swap_out_area(&b));
	EXPECT_TRUE(wait_used_at_most(dev, percent_of(dev, 70) + SLACK));
	EXPECT_TRUE(wait_no_moves());
	expect_nothing_lost(_metadata, a.n + b.n);
	sa_stats_delta(&f, dev);
	sa_stats_delta(&t, below);
	TH_LOG("%lld pages moved out when %zu more live, %lld bytes used; %lld stored below",
	       f.moved_out, b.n, sa_tier_num(dev, "used"), t.store);
	EXPECT_LT(0, f.moved_out);
	EXPECT_EQ(f.moved_out, t.moved_in);
	/* The kernel stops at the low watermark, or a batch below it. */
	EXPECT_LE(percent_of(dev, 50), sa_tier_num(dev, "used"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_set_check(&set));
	EXPECT_EQ(0, sa_area_check(&b));
}

/*
 * With a mark of 100 the kernel must never move data, however full the tier is
 */
TEST_F_TIMEOUT(tiers, background_never, SA_TIMEOUT)
{
	size_t n = 40 * SA_MIB_PAGES;
	struct sa_area a;
	struct sa_stats s;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 32 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_set_format(sa_dev(0), "raw"));
	ASSERT_EQ(0, swapon_dev_format(1, "raw"));
	ASSERT_EQ(0, sa_set_watermarks(sa_dev(0), 100, 0));
	sa_stats_read(&s, sa_dev(0));
	make_swapped_area(_metadata, &a, n, SA_RANDOM, 1);
	sleep(QUIET);
	ASSERT_LT(percent_of(sa_dev(0), 92), sa_tier_num(sa_dev(0), "used"));
	sa_stats_delta(&s, sa_dev(0));
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, sa_tier_num(sa_dev(1), "stats/moved_in"));
	EXPECT_EQ(n, s.store + sa_tier_num(sa_dev(1), "stats/store"));
	expect_data_sinks(_metadata, sa_dev(0), sa_dev(1), n, 90, 80);
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(tiers, background_no_room, SA_TIMEOUT)
{
	size_t n = 16 * SA_MIB_PAGES;
	struct sa_area a, b;
	struct sa_stats s;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 64 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_set_watermarks(sa_dev(0), 10, 5));
	sa_stats_read(&s, sa_dev(0));
	make_swapped_area(_metadata, &a, n, SA_RANDOM, 1);
	sleep(QUIET);
	sa_stats_delta(&s, sa_dev(0));
	EXPECT_EQ(n, s.store);
	EXPECT_EQ(n * SA_PAGE, s.stored);
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, s.errors);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	/* The move goes on when there is room and something is stored. */
	ASSERT_EQ(0, swapon_dev(1));
	make_swapped_area(_metadata, &b, SA_MIB_PAGES, SA_RANDOM, 2);
	expect_between_marks(_metadata, sa_dev(0), 10, 5);
	expect_nothing_lost(_metadata, n + SA_MIB_PAGES);
	EXPECT_LT(0, sa_tier_num(sa_dev(1), "stats/moved_in"));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_area_check(&b));
}

/* --- draining ------------------------------------------------------------- */

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
	const char *why = begin_tier_test(variant->where == ZSWAP ? SA_NEED_DEV : SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	if (variant->where == ZSWAP && !sa_have_zswap())
		SKIP(return, "no zswap");
}

FIXTURE_TEARDOWN_PARENT(drain)
{
	EXPECT_EQ(0, sa_end());
}

/* Return how many pages of text fill about half of a device */
static size_t pages_for_half(const char *format, size_t pages)
{
	return strcmp(format, "packed") ? pages / 2 : pages;
}

TEST_F_TIMEOUT(drain, half_full, SA_TIMEOUT)
{
	size_t pages = (sa_is_full() ? 128 : 16) * SA_MIB_PAGES, n, m = 2 * SA_MIB_PAGES;
	const char *to = variant->where == ZSWAP ? NULL : sa_dev(1), *dev = sa_dev(0);
	struct sa_area a, b, c;
	struct sa_stats f, t;

	n = pages_for_half(variant->format, pages);
	ASSERT_EQ(0, sa_swapon(dev, pages, 5));
	ASSERT_EQ(0, sa_set_format(dev, variant->format));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	ASSERT_EQ(0, to ? swapon_dev(1) : sa_set_zswap(true));
	if (variant->where == UPPER)
		ASSERT_EQ(0, sa_tier_write(to, "rank", "9"));

	EXPECT_STATE("online", dev);
	sa_stats_read(&f, dev);
	sa_stats_read(&t, to);
	ASSERT_EQ(0, sa_tier_write(dev, "state", "draining\n"));
	EXPECT_STATE("draining", dev);
	EXPECT_TRUE(wait_used_at_most(dev, 0));
	EXPECT_EQ(0, sa_tier_num(dev, "stored"));
	EXPECT_TRUE(wait_stored(to, n * SA_PAGE));
	EXPECT_EQ(0, sa_violations());
	/* The last page arrives a moment before the kernel counts it. */
	sa_wait(sa_tier_num(dev, "stats/moved_out") - f.moved_out >= (long long)n, 2);
	sa_stats_delta(&f, dev);
	sa_stats_delta(&t, to);
	EXPECT_EQ(n, f.moved_out);
	EXPECT_EQ(n, t.moved_in);
	EXPECT_EQ(0, f.store + f.errors + t.errors);
	EXPECT_STATE("draining", dev);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));

	/*
	 * The draining tier takes nothing, though it is the first one, or the
	 * only one with much room.
	 */
	make_swapped_area(_metadata, &b, m, SA_TEXT, 2);
	EXPECT_EQ(0, sa_tier_num(dev, "stored"));
	EXPECT_EQ(0, sa_tier_num(dev, "used"));
	EXPECT_EQ((n + m) * SA_PAGE, sa_tier_num(to, "stored"));
	EXPECT_EQ(-ENOSPC, sa_tier_write(to, variant->where == LOWER ? "promote" : "demote",
					 "all"));
	check_area_in_tier(_metadata, &a, to);
	check_area_in_tier(_metadata, &b, to);

	ASSERT_EQ(0, sa_tier_write(dev, "state", "online"));
	EXPECT_STATE("online", dev);
	ASSERT_EQ(0, to ? sa_tier_write(dev, "rank", "1") : sa_set_zswap(false));
	sa_stats_read(&f, dev);
	make_swapped_area(_metadata, &c, m, SA_TEXT, 3);
	sa_stats_delta(&f, dev);
	EXPECT_LE(m, f.store);
	EXPECT_LE(m * SA_PAGE, sa_tier_num(dev, "stored"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&c));
	EXPECT_EQ(0, sa_swapoff_child(dev, LIMIT));
	EXPECT_EQ(0, sa_area_check(&a));
}

enum held_way { HELD_SWAPOFF, HELD_DRAIN, HELD_DEMOTE, HELD_PROMOTE };

/* A process holds references to unmapped pages, as I/O does. */
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
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(held)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * A process that has held a page all the time must see later writes to it,
 * because it is still the same page; otherwise a write of that process would be
 * lost, too
 */
TEST_F_TIMEOUT(held, same_page, SA_TIMEOUT)
{
	int from = variant->way == HELD_PROMOTE ? 1 : 0, fds[2], bad = 0;
	const char *dev = sa_dev(from), *other = sa_dev(!from);
	unsigned char page[SA_PAGE];
	size_t n = 16, i;
	struct sa_area a;
	struct iovec iov;

	ASSERT_EQ(0, swapon_dev_format(from, variant->format));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_LE((int)(n * SA_PAGE), fcntl(fds[1], F_SETPIPE_SZ, 2 * n * SA_PAGE));
	iov = (struct iovec){ .iov_base = a.p, .iov_len = n * SA_PAGE };
	ASSERT_EQ(n * SA_PAGE, vmsplice(fds[1], &iov, 1, 0));
	madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
	ASSERT_EQ(n, sa_nr_swapped(a.p, n));
	ASSERT_EQ(n, sa_nr_in_cache(a.p, n));

	ASSERT_EQ(0, swapon_dev(!from));
	switch (variant->way) {
	case HELD_SWAPOFF:
		/*
		 * This process calls swapoff itself, because fork() would make
		 * the pages shared.
		 */
		EXPECT_EQ(0, swapoff(dev));
		break;
	case HELD_DRAIN:
		EXPECT_EQ(0, sa_tier_write(dev, "state", "draining"));
		EXPECT_TRUE(wait_used_at_most(dev, 0));
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
		sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 1);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(SA_PAGE, read(fds[0], page, SA_PAGE));
		bad += !!sa_check_page(page, a.pat, a.seed, i, 1);
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

	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	expect_refused(_metadata, sa_dev(0), "state", bad);
	EXPECT_STATE("online", sa_dev(0));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "state", "online\n"));
	EXPECT_STATE("online", sa_dev(0));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	expect_refused(_metadata, sa_dev(0), "state", bad);
	EXPECT_STATE("draining", sa_dev(0));
	if (sa_have_zswap()) {
		EXPECT_STATE("online", NULL);
		expect_refused(_metadata, NULL, "state", any);
		EXPECT_STATE("online", NULL);
	}
	/* A device that comes back is online. */
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	ASSERT_EQ(0, swapon_dev(0));
	EXPECT_STATE("online", sa_dev(0));
	EXPECT_EQ(0, sa_area_check(&a));
}

/* The data has nowhere to go: it must stay, and must not come into RAM */
TEST_F_TIMEOUT(tiers, drain_to_nowhere, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a, b;

	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	sleep(QUIET);
	EXPECT_STATE("draining", sa_dev(0));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_EQ(0, sa_violations());
	/* No page can go out now. */
	make_area(_metadata, &b, SA_MIB_PAGES, SA_TEXT, 2);
	EXPECT_EQ(0, sa_pageout(b.p, b.n));
	EXPECT_EQ(0, sa_area_check(&b));
	/* The drain uses a new device. */
	ASSERT_EQ(0, swapon_dev(1));
	EXPECT_TRUE(wait_used_at_most(sa_dev(0), 0));
	EXPECT_LE(n * SA_PAGE, sa_tier_num(sa_dev(1), "stored"));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_area_check(&b));
}

/* The drain is taken back while it runs */
TEST_F_TIMEOUT(tiers, drain_taken_back, SA_TIMEOUT)
{
	size_t n = 32 * SA_MIB_PAGES;
	long long partly = 0;
	struct sa_area a, b;
	struct sa_stats s[2];
	int i;

	ASSERT_EQ(0, swapon_dev(0));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	ASSERT_EQ(0, swapon_dev(1));
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
		usleep(i * 500);
		ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
		EXPECT_STATE("online", sa_dev(0));
		expect_nothing_lost(_metadata, n);
		partly += sa_tier_num(sa_dev(0), "stored") &&
			sa_tier_num(sa_dev(1), "stored");
	}
	TH_LOG("in both devices %lld times of %d", partly, i);
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	EXPECT_TRUE(wait_no_moves());
	sa_stats_read(&s[0], sa_dev(0));
	sa_stats_read(&s[1], sa_dev(1));
	make_swapped_area(_metadata, &b, SA_MIB_PAGES, SA_TEXT, 2);
	expect_stored_on(_metadata, s, 0, SA_MIB_PAGES);
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_area_check(&b));
}

/*
 * The tier is opened and closed again while the mover of the drain sleeps, and
 * demotion, for which closing waits, waits for that mover: the mover must end,
 * and not go on with all of the tier
 */
TEST_F_TIMEOUT(tiers, drain_closed_again, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES;
	struct sa_area a;
	double start, took;

	if (access(SA_MOVE_DELAY, W_OK))
		SKIP(return, "no " SA_MOVE_DELAY);
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), DEV, 5));
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(1), DEV, 3));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	ASSERT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	ASSERT_EQ(0, sa_write(SA_MOVE_DELAY, "200"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	usleep(500000);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
	/* Demotion has something to do, and begins while the mover sleeps. */
	ASSERT_EQ(0, sa_set_watermarks(sa_dev(0), 0, 0));
	usleep(20000);
	start = sa_now();
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	took = sa_now() - start;
	TH_LOG("closed in %.2f s, %lld pages left", took,
	       sa_tier_num(sa_dev(0), "stored") / SA_PAGE);
	EXPECT_LT((long long)(n / 4 * SA_PAGE), sa_tier_num(sa_dev(0), "stored"));
	EXPECT_GT(10, took);
	EXPECT_STATE("draining", sa_dev(0));
	ASSERT_EQ(0, sa_write(SA_MOVE_DELAY, "0"));
	EXPECT_TRUE(wait_used_at_most(sa_dev(0), 0));
	expect_nothing_lost(_metadata, n);
	EXPECT_EQ(0, sa_area_check(&a));
}

/* --- a device that fails -------------------------------------------------- */

FIXTURE(failing) { };

FIXTURE_SETUP(failing)
{
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (!why)
		why = sa_dm_make(24 * SA_MIB_PAGES);
	if (why)
		SKIP(return, "%s", why);
	if (access(SA_DEBUG "/max_io_errors", W_OK))
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, sa_swapon(sa_dm(), 0, 9));
	ASSERT_EQ(0, sa_set_format(sa_dm(), "raw"));
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_write(SA_DEBUG "/max_io_errors", "8"));
	sa_log_expect("[Ee]rror on swap-device|has failed");
}

FIXTURE_TEARDOWN_PARENT(failing)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * A device whose writes fail must take no more pages, and its data must leave
 * it unnoticed
 */
TEST_F_TIMEOUT(failing, writes, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a, b, c;

	make_swapped_area(_metadata, &a, n, SA_RANDOM, 1);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dm(), "stored"));
	EXPECT_STATE("online", sa_dm());
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	make_area(_metadata, &b, n, SA_RANDOM, 2);
	/*
	 * An outage may end, so the layer waits for some seconds with only
	 * errors.
	 */
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
	/* The device still has its fault, so it fails again. */
	EXPECT_TRUE(sa_wait(({
		EXPECT_EQ(0, sa_area_check(&b));
		sa_pageout(b.p, n);
		sa_tier_failed(sa_dm());
	}), SOON));

	/*
	 * The device works, and the layer trusts it again after some minutes;
	 * debugfs shortens that.
	 */
	ASSERT_EQ(0, sa_dm_set_all(SA_WORKS));
	EXPECT_TRUE(sa_tier_failed(sa_dm()));
	ASSERT_EQ(0, sa_write(SA_DEBUG "/retry", "1"));
	EXPECT_TRUE(sa_wait(!sa_tier_failed(sa_dm()), SOON));
	EXPECT_STATE("online", sa_dm());
	make_swapped_area(_metadata, &c, n, SA_RANDOM, 3);
	EXPECT_LT(0, sa_tier_num(sa_dm(), "stored"));
	EXPECT_EQ(0, sa_area_check(&c));
}

/* Pages that can't be read must stay where they are, and must not get lost */
TEST_F_TIMEOUT(failing, reads, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	long long lost = sa_scan_num("lost");
	struct sa_area a;

	make_swapped_area(_metadata, &a, n, SA_RANDOM, 1);
	ASSERT_EQ(0, sa_dm_set_all(SA_FAILS));
	EXPECT_TRUE(sa_wait(({
		sa_tier_write(sa_dm(), "demote", "1M");
		sa_tier_failed(sa_dm());
	}), SOON));
	sleep(QUIET);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dm(), "stored"));
	EXPECT_EQ(lost, sa_scan_num("lost"));
	/*
	 * When the pages can be read again, the drain or a fault finds that
	 * out.
	 */
	ASSERT_EQ(0, sa_dm_set_all(SA_WORKS));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(lost, sa_scan_num("lost"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
}

/* --- three tiers ---------------------------------------------------------- */

/*
 * Return the percentage of the area that is read from the device, and check all
 * of it
 */
static int percent_read_from(struct __test_metadata *_metadata, struct sa_area *a, const char *dev)
{
	struct sa_stats s;

	EXPECT_TRUE(sa_only_swapped());
	sa_stats_read(&s, dev);
	EXPECT_EQ(a->n, sa_nr_swapped(a->p, a->n));
	EXPECT_EQ(0, sa_area_check(a));
	sa_stats_delta(&s, dev);
	return s.load * 100 / (long long)a->n;
}

TEST_F_TIMEOUT(tiers, three_hot_and_cold, SA_TIMEOUT)
{
	int round, rounds = sa_is_full() ? 32 : 8, in_hot, in_cold;
	const char *mid = sa_dev(0), *bottom = sa_dev(1);
	struct sa_area hot, cold;
	long long pool;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_zswap_param("max_pool_percent", "3"));
	ASSERT_EQ(0, sa_swapon(mid, 128 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, swapon_dev(1));
	/*
	 * The compressed hot set is below 10 % of the pool, so it fits below
	 * the low watermark. Most of the cold set does not fit, neither here
	 * nor in the middle.
	 */
	ASSERT_EQ(0, sa_set_watermarks(NULL, 20, 15));
	ASSERT_EQ(0, sa_set_watermarks(mid, 6, 3));
	pool = sa_tier_num(NULL, "capacity");
	make_swapped_area(_metadata, &cold, pool * 2 / SA_PAGE, SA_TEXT, 1);
	make_swapped_area(_metadata, &hot, pool / 5 / SA_PAGE, SA_TEXT, 2);
	for (round = 0; round < rounds; round++) {
		EXPECT_EQ(0, sa_area_check(&hot));
		hot.gen++;
		sa_area_fill(&hot);
		ASSERT_TRUE(swap_out_area(&hot));
	}
	expect_between_marks(_metadata, NULL, 20, 0);
	expect_between_marks(_metadata, mid, 6, 0);
	EXPECT_TRUE(wait_no_moves());
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ((hot.n + cold.n) * SA_PAGE, sa_tier_num(NULL, "stored") +
		  sa_tier_num(mid, "stored") + sa_tier_num(bottom, "stored"));
	EXPECT_LT(0, sa_tier_num(mid, "stats/moved_out"));

	in_hot = percent_read_from(_metadata, &hot, bottom);
	in_cold = percent_read_from(_metadata, &cold, bottom);
	TH_LOG("from the bottom: %d %% of %zu hot pages, %d %% of %zu cold ones", in_hot,
	       hot.n, in_cold, cold.n);
	EXPECT_GE(25, in_hot);
	EXPECT_LE(50, in_cold);
}

/*
 * Access the pages twice in the eyes of the LRU lists, so that they become
 * active in that order
 */
static int activate_area(const struct sa_area *a)
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

/*
 * Evict the pages that have been active for the longest time, to the first
 * device or to the second one
 */
static void evict_area(struct __test_metadata *_metadata, const char *cg, const struct sa_area *a,
		       int dev)
{
	ASSERT_EQ(0, sa_cg_limit_tier(cg, sa_dev(0), dev ? "0" : "max"));
	EXPECT_TRUE(sa_wait(({
		sa_cg_reclaim(cg, SA_MIB / 8);
		sa_wait_writeback() && sa_nr_swapped(a->p, a->n) * 10 >= a->n * 9;
	}), SOON)) {
		TH_LOG("%zu of %zu pages are out", sa_nr_swapped(a->p, a->n), a->n);
	}
	ASSERT_EQ(0, sa_cg_limit_tier(cg, sa_dev(0), "max"));
}

/*
 * Data that was demoted by hand must be as hot as before: when it is used
 * again, it must rise as soon as the rest
 */
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
	ASSERT_EQ(0, swapon_dev_format(0, "raw"));
	ASSERT_EQ(0, swapon_dev_format(1, "raw"));
	make_area(_metadata, &moved, n, SA_TEXT, 1);
	make_area(_metadata, &rest, n, SA_TEXT, 2);
	/*
	 * The kernel judges the age of a shadow by the number of active pages.
	 */
	make_area(_metadata, &active, 32 * n, SA_TEXT, 3);
	ASSERT_EQ(0, activate_area(&moved));
	ASSERT_EQ(0, activate_area(&rest));
	ASSERT_EQ(0, activate_area(&active));
	evict_area(_metadata, cg, &moved, 0);
	EXPECT_LE(n * 9 / 10, move_and_check(_metadata, "demote", mid, bottom, "all"));
	evict_area(_metadata, cg, &rest, 1);

	restored[0] = sa_vmstat("workingset_restore_anon");
	EXPECT_EQ(0, sa_area_check(&moved));
	restored[1] = sa_vmstat("workingset_restore_anon");
	EXPECT_EQ(0, sa_area_check(&rest));
	restored[2] = sa_vmstat("workingset_restore_anon");
	ASSERT_TRUE(swap_out_area(&moved));
	ASSERT_TRUE(swap_out_area(&rest));
	up[0] = percent_read_from(_metadata, &moved, mid);
	up[1] = percent_read_from(_metadata, &rest, mid);
	TH_LOG("%lld of %zu that were demoted known as hot, %lld of the rest; %d and %d %% rise",
	       restored[1] - restored[0], n, restored[2] - restored[1], up[0], up[1]);
	EXPECT_LE(75, up[0]);
	EXPECT_LE(75, up[1]);
	EXPECT_LE(up[1] - 10, up[0]);
	EXPECT_EQ(0, sa_area_check(&active));
}

/*
 * Cold data fills a fast device, and then comes a hot set. With priorities
 * alone it stays so, as with 7.3 and with the layer off; tiers must reverse it.
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
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_set_layer(variant->on));
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
		ASSERT_EQ(0, sa_set_format(fast, "packed"));
		ASSERT_EQ(0, sa_set_format(slow, "packed"));
		ASSERT_EQ(0, sa_set_watermarks(fast, 60, 40));
	}
	/* The data is larger than the fast device, even if it is packed 3:1. */
	make_swapped_area(_metadata, &cold, (variant->on ? 64 : 24) * SA_MIB_PAGES, SA_TEXT, 1);
	if (variant->on)
		EXPECT_TRUE(wait_no_moves());
	make_swapped_area(_metadata, &hot, 4 * SA_MIB_PAGES, SA_TEXT, 2);
	for (round = 0; round < 4; round++) {
		EXPECT_EQ(0, sa_area_check(&hot));
		hot.gen++;
		sa_area_fill(&hot);
		ASSERT_TRUE(swap_out_area(&hot));
	}

	ASSERT_EQ(0, sa_io_read(fast, &before[0]));
	ASSERT_EQ(0, sa_io_read(slow, &before[1]));
	EXPECT_EQ(0, sa_area_check(&hot));
	ASSERT_EQ(0, sa_io_read(fast, &after[0]));
	ASSERT_EQ(0, sa_io_read(slow, &after[1]));
	from_fast = after[0].read_sectors - before[0].read_sectors;
	from_slow = after[1].read_sectors - before[1].read_sectors;
	TH_LOG("the hot set is read from the fast device to %lld %%",
	       from_fast * 100 / (from_fast + from_slow + 1));
	EXPECT_LE(4 * (variant->on ? from_slow : from_fast),
		  variant->on ? from_fast : from_slow);
	EXPECT_EQ(0, sa_area_check(&cold));
}

/* The oldest data must go first */
TEST_F_TIMEOUT(tiers, coldest_first, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES, i;
	struct sa_area a[3];
	int in[3];

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	for (i = 0; i < 3; i++)
		make_swapped_area(_metadata, &a[i], n, SA_TEXT, i);
	ASSERT_EQ(0, swapon_dev(0));
	EXPECT_LE(n, move_and_check(_metadata, "demote", NULL, sa_dev(0), "8M"));
	for (i = 0; i < 3; i++)
		in[i] = percent_read_from(_metadata, &a[i], sa_dev(0));
	TH_LOG("on the device: %d, %d and %d %%", in[0], in[1], in[2]);
	EXPECT_LE(75, in[0]);
	EXPECT_GE(25, in[2]);
}

/*
 * Raw data must sink in the order of the writes, too, in any slots: slots of
 * freed pages are used again, and lie before older ones
 */
TEST_F_TIMEOUT(tiers, coldest_first_raw, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES, i;
	struct sa_area gone, a[3];
	int in[3];

	/* Of ten parts, one stays free until the end. */
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 10 * n, 5));
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "format", "raw"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "high_watermark", "100"));
	make_swapped_area(_metadata, &gone, 2 * n, SA_TEXT, 7);
	make_swapped_area(_metadata, &a[0], n, SA_TEXT, 0);
	sa_area_unmap(&gone);
	/* This area also uses the slots that were never used before. */
	make_swapped_area(_metadata, &gone, 8 * n, SA_TEXT, 7);
	sa_area_unmap(&gone);
	for (i = 1; i < 3; i++)
		make_swapped_area(_metadata, &a[i], n, SA_TEXT, i);
	EXPECT_LE(n, move_and_check(_metadata, "demote", sa_dev(0), sa_dev(1), "8M"));
	for (i = 0; i < 3; i++)
		in[i] = percent_read_from(_metadata, &a[i], sa_dev(1));
	TH_LOG("on the second device: %d, %d and %d %%", in[0], in[1], in[2]);
	EXPECT_LE(90, in[0]);
	EXPECT_GE(10, in[1]);
	EXPECT_GE(1, in[2]);
}

/* --- permissions ---------------------------------------------------------- */

static const char * const writable[] = {
	"rank", "high_watermark", "low_watermark", "demote", "promote", "state", "format",
};

/* Valid values, in the same order */
static const char * const fitting[] = {
	"7", "95", "5", "all", "all", "draining", "raw",
};

static void expect_root_only(struct __test_metadata *_metadata, const char *dev)
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
		EXPECT_EQ(-EACCES, sa_write_as_nobody(path, fitting[i])) {
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
		ASSERT_EQ(0, swapon_dev(i));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	for (i = 0; i < 2; i++)
		expect_root_only(_metadata, sa_dev(i));
	if (sa_have_zswap())
		expect_root_only(_metadata, NULL);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ(0, sa_area_check(&a));
}

static void expect_garbage_refused(struct __test_metadata *_metadata, const char *dev)
{
	static char full[SA_PAGE - 1];
	const char * const words[] = {
		"\xff\xfe\x01", "%s%n", "../../rank", "\t\t\n", "1\n2\n", "--1", "+-1", "1e3",
		"nan", "0x", ",", "all\nall", full, NULL,
	};
	size_t i;

	memset(full, 'a', sizeof(full) - 1);
	for (i = 0; i < ARRAY_SIZE(writable); i++)
		expect_refused(_metadata, dev, writable[i], words);
}

TEST_F_TIMEOUT(tiers, garbage, SA_TIMEOUT)
{
	size_t n = SA_MIB_PAGES;
	struct sa_area a;
	struct sa_stats s;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, swapon_dev(i));
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	sa_stats_read(&s, sa_dev(0));
	for (i = 0; i < 2; i++)
		expect_garbage_refused(_metadata, sa_dev(i));
	if (!sa_set_zswap(true))
		expect_garbage_refused(_metadata, NULL);
	sa_stats_delta(&s, sa_dev(0));
	EXPECT_EQ(0, s.stored);
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_HARNESS_MAIN
