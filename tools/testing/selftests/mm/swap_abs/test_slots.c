// SPDX-License-Identifier: GPL-2.0
/*
 * A page in zswap must take nothing of a device. A page that zswap has written
 * back must take one slot and no more, or less than a slot if it is packed.
 *
 * With the layer the test fails on a kernel that reserves a slot at a store,
 * that leaks a slot at writeback or at a load, or whose page-table entries
 * change while data moves. Without the layer the test measures the contrary:
 * slots are reserved.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

FIXTURE(slots)
{
};

FIXTURE_VARIANT(slots)
{
	bool on;
};

FIXTURE_VARIANT_ADD(slots, off) { .on = false };

FIXTURE_VARIANT_ADD(slots, on) { .on = true };

FIXTURE_SETUP(slots)
{
	const char *why = sa_begin(variant->on, SA_NEED_DEV);

	if (why)
		SKIP(return, "%s", why);
	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 64 * SA_MIB_PAGES, -1));
}

FIXTURE_TEARDOWN_PARENT(slots)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Return how many slots of the device are in use, as exactly as the kernel
 * tells
 */
static long long count_used_slots(bool on)
{
	size_t used;

	if (on)
		return sa_tier_num(sa_dev(0), "used") / (long long)SA_PAGE;
	return sa_swaps_read(sa_dev(0), NULL, &used, NULL) ? (long long)used : -1;
}

/* Log the figures in one line, so that scripts can compare several kernels */
static void log_slots(bool on, const char *when, long long pages)
{
	size_t used = 0;

	sa_swaps_read(sa_dev(0), NULL, &used, NULL);
	sa_log("figures layer=%s when=%s pages=%lld slots=%lld swaps=%zu",
	       on ? "on" : "off", when, pages, count_used_slots(on), used);
}

TEST_F_TIMEOUT(slots, zswap_takes_none, SA_TIMEOUT)
{
	size_t n = (sa_is_full() ? 24 : 8) * SA_MIB_PAGES, swapped, used;
	long long before, wb = sa_vmstat("zswpwb"), out;
	struct sa_area a;

	before = count_used_slots(variant->on);
	EXPECT_EQ(0, before);
	log_slots(variant->on, "before", 0);
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 11));
	sa_area_fill(&a);
	out = sa_vmstat("zswpout");
	swapped = sa_pageout(a.p, n);
	EXPECT_LE(n - 8, swapped);
	EXPECT_LE((long long)(n - 8), sa_vmstat("zswpout") - out);
	ASSERT_EQ(wb, sa_vmstat("zswpwb"));

	ASSERT_TRUE(sa_swaps_read(sa_dev(0), NULL, &used, NULL));
	log_slots(variant->on, "in-zswap", swapped);
	if (variant->on) {
		EXPECT_EQ(0, count_used_slots(true));
		EXPECT_EQ(0, used);
		EXPECT_EQ(0, sa_tier_num(sa_dev(0), "stored"));
		EXPECT_EQ((long long)(swapped * SA_PAGE),
			  sa_tier_num(NULL, "stored"));
		EXPECT_GT(sa_tier_num(NULL, "stored"), sa_tier_num(NULL, "used"));
		EXPECT_LT(0, sa_tier_num(NULL, "used"));
	} else {
		EXPECT_LE(swapped, used);
	}
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_EQ(0, count_used_slots(variant->on));
	log_slots(variant->on, "after", 0);
}

TEST_F_TIMEOUT(slots, zero_takes_none, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES, swapped;
	struct sa_area a;

	ASSERT_EQ(0, sa_set_zswap(false));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_ZERO, 11));
	sa_area_fill(&a);
	swapped = sa_pageout(a.p, n);
	EXPECT_LE(n - 8, swapped);
	if (variant->on) {
		EXPECT_EQ(0, count_used_slots(true));
		EXPECT_EQ(0, sa_tier_num(sa_dev(0), "stored"));
		EXPECT_EQ(0, sa_tier_num(NULL, "stored"));
	} else {
		EXPECT_LE((long long)swapped, count_used_slots(false));
	}
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_EQ(0, count_used_slots(variant->on));
}

TEST_F_TIMEOUT(slots, writeback_takes_one_each, SA_TIMEOUT)
{
	size_t n = (sa_is_full() ? 16 : 4) * SA_MIB_PAGES, swapped, i, used, moved = 0;
	__u64 *before, *after;
	long long wb, back;
	struct sa_area a;

	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 12));
	sa_area_fill(&a);
	swapped = sa_pageout(a.p, n);
	ASSERT_LE(n - 8, swapped);
	before = calloc(n, sizeof(*before));
	after = calloc(n, sizeof(*after));
	ASSERT_NE(NULL, before);
	ASSERT_NE(NULL, after);
	ASSERT_EQ(0, sa_pagemap(a.p, n, before));

	wb = sa_vmstat("zswpwb");
	ASSERT_EQ(0, sa_zswap_drain(60));
	back = sa_vmstat("zswpwb") - wb;
	EXPECT_EQ((long long)swapped, back);
	ASSERT_TRUE(sa_swaps_read(sa_dev(0), NULL, &used, NULL));
	TH_LOG("%zu pages swapped, %lld written back", swapped, back);

	/*
	 * Nobody has touched the pages, so the entries in the page table are
	 * the same.
	 */
	ASSERT_EQ(0, sa_pagemap(a.p, n, after));
	for (i = 0; i < n; i++)
		moved += ((before[i] ^ after[i]) & (SA_PM_SWAP | SA_PM_ENTRY)) != 0;
	EXPECT_EQ(0, moved);

	if (variant->on) {
		long long stored = back * (long long)SA_PAGE, taken;

		EXPECT_TRUE(sa_wait_purged(sa_tier_num(sa_dev(0), "stored") == stored, 10))
			TH_LOG("%lld bytes stored", sa_tier_num(sa_dev(0), "stored"));
		taken = count_used_slots(true);
		/*
		 * If the device is packed, the live bytes of segments count;
		 * text compresses at least 2:1.
		 */
		if (sa_is_packed()) {
			EXPECT_LT(0, taken);
			EXPECT_LE(taken, back / 2 + (long long)sa_cluster_slots());
		} else {
			EXPECT_EQ(back, taken);
		}
		EXPECT_LE(back, sa_tier_num(sa_dev(0), "stats/moved_in"));
		EXPECT_LE(back, sa_tier_num(NULL, "stats/moved_out"));
		EXPECT_EQ(0, sa_tier_num(NULL, "stored"));
		EXPECT_EQ(0, sa_tier_num(sa_dev(0), "stats/errors"));
		/*
		 * The device lends whole clusters, but not many more than
		 * needed.
		 */
		EXPECT_LE(taken, (long long)used);
		EXPECT_GE(taken + 4 * 512, (long long)used);
	}
	log_slots(variant->on, "written-back", back);
	EXPECT_EQ(0, sa_area_check(&a));

	/*
	 * The pages change and go out again, and the stale data must not come
	 * back.
	 */
	a.gen = 1;
	sa_area_fill(&a);
	sa_pageout(a.p, n);
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(count_used_slots(variant->on) == 0, 10))
		TH_LOG("%lld slots are still used", count_used_slots(variant->on));
	log_slots(variant->on, "freed", 0);
	if (variant->on) {
		EXPECT_EQ(0, sa_tier_num(sa_dev(0), "stored"));
		EXPECT_EQ(0, sa_tier_num(NULL, "stored"));
		EXPECT_EQ(0, sa_tier_num(NULL, "used"));
	}
}

TEST_HARNESS_MAIN
