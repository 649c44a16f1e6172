// SPDX-License-Identifier: GPL-2.0
/*
 * These tests run memory cgroups against tiers: memory.swap.tiers.max and
 * memory.zswap.writeback against everything that stores or moves a page, and
 * the numbers in memory.stat.
 *
 * The test fails on a kernel that counts a page for the wrong cgroup or tier,
 * that brings a page to a tier which its cgroup forbids, be it for a moment,
 * that keeps a page from a tier which is allowed, that lets one cgroup hold up
 * the pages of another one, that kills somebody because of a move, that gives
 * up a copy which can't be made again, or that leaves pages on the device which
 * are wanted again and again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "tiers.h"

/*
 * Compare with a tolerance, because a tier may have a few pages of others, too
 */
static bool is_about_equal(long long bytes, long long stored)
{
	return stored >= bytes && stored <= bytes + SLACK;
}

FIXTURE(group)
{
	char cg[256];
};

FIXTURE_SETUP(group)
{
	const char *why = begin_tier_test(SA_NEED_DEVS);
	char path[512];

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("tiers", 0, self->cg, sizeof(self->cg)));
	snprintf(path, sizeof(path), "%s/" SA_TIERS_MAX, self->cg);
	if (access(path, F_OK))
		SKIP(return, "no " SA_TIERS_MAX);
}

FIXTURE_TEARDOWN_PARENT(group)
{
	EXPECT_EQ(0, sa_end());
}

static long long cg_bytes_in_tier(const char *cg, const char *dev)
{
	return sa_tier_name(dev) ? sa_cg_tier(cg, dev) : 0;
}

static long long cg_bytes_in_all_tiers(const char *cg)
{
	return cg_bytes_in_tier(cg, NULL) + cg_bytes_in_tier(cg, sa_dev(0)) +
	       cg_bytes_in_tier(cg, sa_dev(1));
}

/*
 * Expect that memory.stat tells the tier of each page. (No page is all zeros.)
 */
static void expect_sum_of_tiers(struct __test_metadata *_metadata, const char *cg)
{
	EXPECT_TRUE(sa_wait_purged(cg_bytes_in_all_tiers(cg) ==
				   sa_cg_num(cg, "memory.swap.current"), SOON)) {
		TH_LOG("%lld + %lld + %lld bytes, memory.swap.current %lld",
		       cg_bytes_in_tier(cg, NULL), cg_bytes_in_tier(cg, sa_dev(0)),
		       cg_bytes_in_tier(cg, sa_dev(1)), sa_cg_num(cg, "memory.swap.current"));
	}
	EXPECT_EQ(0, sa_violations());
}

/*
 * Start a process in a cgroup that swaps out all pages that it can, and wait
 * until the swap cache has none of them
 */
static void start_swapped_holder(struct __test_metadata *_metadata, struct sa_holder *h, size_t n,
				 const char *cg)
{
	ASSERT_EQ(0, sa_hold_start(h, n, SA_TEXT, cg));
	EXPECT_TRUE(sa_wait_writeback());
	/* The swap cache must not keep refused pages either. */
	EXPECT_TRUE(sa_only_swapped());
}

static void check_and_end_holder(struct __test_metadata *_metadata, struct sa_holder *h,
				 const char *cg)
{
	EXPECT_EQ(0, sa_hold_ask(h, 'c'));
	EXPECT_EQ(0, sa_hold_end(h));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
}

TEST_F_TIMEOUT(group, values, SA_TIMEOUT)
{
	static const char * const bad[] = {
		"max", "swap0", "swap0 ", "swap0 x", "swap0 -1", "swap0 1Mx", "swap0 1M 2M",
		"swap0 1.5M", "swap9 1M", "nope 0", "swap0 1M\nswap0 1M", "swap1 1M\nswap0",
		"swap1 1M\nnope 1M", "nope 1M\nswap1 1M", "swap0 1M\nswap1 1M\nswap0 2M", "=0",
		"swap0=0", "0 swap0", "swap0swap1 0", "Swap0 0", "swap0 maximum",
		"swap0 1M\nswap1 zero", NULL,
	};
	char before[4096], after[4096], path[512], root[512];
	size_t i, lines = 0;
	int d;

	for (d = 0; d < 2; d++) {
		ASSERT_EQ(0, swapon_dev(d));
		EXPECT_EQ(SA_NO_LIMIT, sa_cg_tier_max(self->cg, sa_dev(d)));
	}
	ASSERT_STREQ("swap0", sa_tier_name(sa_dev(0)));
	ASSERT_STREQ("swap1", sa_tier_name(sa_dev(1)));
	snprintf(root, sizeof(root), "%s/" SA_TIERS_MAX, sa_cg_root());
	EXPECT_NE(0, access(root, F_OK));

	EXPECT_EQ(0, sa_cg_write(self->cg, SA_TIERS_MAX, "swap0 64M"));
	EXPECT_EQ(64 * SA_MIB, sa_cg_tier_max(self->cg, sa_dev(0)));
	EXPECT_EQ(SA_NO_LIMIT, sa_cg_tier_max(self->cg, sa_dev(1)));
	EXPECT_EQ(0, sa_cg_write(self->cg, SA_TIERS_MAX, "swap1 0\nswap0 512K\n"));
	EXPECT_EQ(512 * 1024, sa_cg_tier_max(self->cg, sa_dev(0)));
	EXPECT_EQ(0, sa_cg_tier_max(self->cg, sa_dev(1)));
	EXPECT_EQ(0, sa_cg_write(self->cg, SA_TIERS_MAX, "swap0 8192\nswap1 2G"));
	EXPECT_EQ(8192, sa_cg_tier_max(self->cg, sa_dev(0)));
	EXPECT_EQ(2048 * SA_MIB, sa_cg_tier_max(self->cg, sa_dev(1)));
	if (sa_have_zswap()) {
		EXPECT_EQ(SA_NO_LIMIT, sa_cg_tier_max(self->cg, NULL));
		EXPECT_EQ(0, sa_cg_write(self->cg, SA_TIERS_MAX, "zswap 0\nswap1 max"));
		EXPECT_EQ(0, sa_cg_tier_max(self->cg, NULL));
		EXPECT_EQ(SA_NO_LIMIT, sa_cg_tier_max(self->cg, sa_dev(1)));
	}

	snprintf(path, sizeof(path), "%s/" SA_TIERS_MAX, self->cg);
	ASSERT_LT(0, sa_read(path, before, sizeof(before)));
	for (i = 0; before[i]; i++)
		lines += before[i] == '\n';
	EXPECT_EQ(sa_have_zswap() ? 3 : 2, lines);
	for (i = 0; bad[i]; i++) {
		EXPECT_EQ(-EINVAL, sa_write(path, bad[i])) {
			TH_LOG("'%s'", bad[i]);
		}
		ASSERT_LT(0, sa_read(path, after, sizeof(after)));
		EXPECT_STREQ(before, after);
	}
	EXPECT_EQ(-EACCES, sa_write_as_nobody(path, "swap0 max"));
	ASSERT_LT(0, sa_read(path, after, sizeof(after)));
	EXPECT_STREQ(before, after);
	/* A tier that has gone is unknown. */
	ASSERT_EQ(0, sa_swapoff(sa_dev(1)));
	EXPECT_EQ(-EINVAL, sa_write(path, "swap1 1M"));
}

TEST_F_TIMEOUT(group, no_zswap, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_holder h;
	struct sa_area a;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "0"));
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	/* A few pages of others may be in zswap. */
	EXPECT_GE(SLACK, sa_tier_num(NULL, "stored"));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored")));
	EXPECT_EQ(0, sa_cg_tier(self->cg, NULL));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_cg_tier(self->cg, sa_dev(0))));
	expect_sum_of_tiers(_metadata, self->cg);
	/* Other cgroups still use the tier. */
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_tier_num(NULL, "stored")));
	/* Promotion must not bring the pages to the forbidden tier either. */
	sa_tier_write(sa_dev(0), "promote", "all");
	EXPECT_EQ(0, sa_cg_tier(self->cg, NULL));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_tier_num(NULL, "stored")));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored")));
	check_and_end_holder(_metadata, &h, self->cg);
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(group, no_device, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_holder h;
	int ret;

	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
	/* Without zswap the pages stay in RAM. */
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(0, h.swapped);
	EXPECT_GE(SLACK / SA_PAGE, sa_tier_num(sa_dev(0), "stats/store"));
	EXPECT_EQ(0, sa_cg_num(self->cg, "memory.swap.current"));
	check_and_end_holder(_metadata, &h, self->cg);

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	expect_sum_of_tiers(_metadata, self->cg);
	/*
	 * The pages must not move by order, in the background, or when the pool
	 * is over its limit.
	 */
	ret = sa_tier_write(NULL, "demote", "all");
	EXPECT_TRUE(!ret || ret == -ENOSPC) {
		TH_LOG("demote: %d", ret);
	}
	ASSERT_EQ(0, sa_set_watermarks(NULL, 0, 0));
	sa_zswap_kick();
	sleep(QUIET);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	EXPECT_EQ(0, sa_cg_tier(self->cg, sa_dev(0)));
	expect_sum_of_tiers(_metadata, self->cg);
	check_and_end_holder(_metadata, &h, self->cg);
}

/* Expect that the cgroup's usage of a tier is at its limit, with slack */
static void expect_at_limit(struct __test_metadata *_metadata, const char *cg, const char *dev,
			    long long limit)
{
	long long has = sa_cg_tier(cg, dev);

	EXPECT_GE(limit + SLACK, has);
	EXPECT_LE(limit - SLACK, has);
	EXPECT_GE(limit + SLACK, sa_tier_num(dev, "stored"));
	expect_sum_of_tiers(_metadata, cg);
}

TEST_F_TIMEOUT(group, limit, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;

	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "4M"));
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_GE((4 * SA_MIB + SLACK) / SA_PAGE, h.swapped);
	expect_at_limit(_metadata, self->cg, sa_dev(0), 4 * SA_MIB);
	/* The next tier takes the rest. */
	ASSERT_EQ(0, swapon_dev(1));
	EXPECT_EQ(n, sa_hold_ask(&h, 'p'));
	EXPECT_TRUE(sa_only_swapped());
	expect_at_limit(_metadata, self->cg, sa_dev(0), 4 * SA_MIB);
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, cg_bytes_in_all_tiers(self->cg)));
	check_and_end_holder(_metadata, &h, self->cg);
}

/* Demotion and draining must respect the limit of the tier below */
TEST_F_TIMEOUT(group, limit_below, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;

	ASSERT_EQ(0, swapon_dev(0));
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(1), "4M"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	expect_at_limit(_metadata, self->cg, sa_dev(1), 4 * SA_MIB);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	sleep(QUIET);
	expect_at_limit(_metadata, self->cg, sa_dev(1), 4 * SA_MIB);
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, cg_bytes_in_all_tiers(self->cg)));
	EXPECT_EQ(n, sa_hold_ask(&h, 's'));
	EXPECT_STATE("draining", sa_dev(0));
	/* The drain can finish when it begins again without the limit. */
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(1), "max"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(wait_used_at_most(sa_dev(0), 0));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_cg_tier(self->cg, sa_dev(1))));
	expect_sum_of_tiers(_metadata, self->cg);
	check_and_end_holder(_metadata, &h, self->cg);
}

/* The limit for the device must also hold for pages from zswap */
TEST_F_TIMEOUT(group, limit_below_zswap, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "4M"));
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_cg_tier(self->cg, NULL)));
	EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	expect_at_limit(_metadata, self->cg, sa_dev(0), 4 * SA_MIB);
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, cg_bytes_in_all_tiers(self->cg)));
	check_and_end_holder(_metadata, &h, self->cg);
}

TEST_F_TIMEOUT(group, lowered, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES;
	struct sa_holder h;
	struct sa_area a;

	ASSERT_EQ(0, swapon_dev(0));
	start_swapped_holder(_metadata, &h, n, self->cg);
	make_swapped_area(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "2M"));
	EXPECT_TRUE(sa_wait_purged(sa_cg_tier(self->cg, sa_dev(0)) <=
				   (long long)(2 * SA_MIB) + SLACK, SOON)) {
		TH_LOG("%lld bytes are left", sa_cg_tier(self->cg, sa_dev(0)));
	}
	EXPECT_TRUE(wait_no_moves());
	/* The pages within the limit stay, and so do the pages of others. */
	EXPECT_EQ(2 * SA_MIB, sa_cg_tier(self->cg, sa_dev(0)));
	EXPECT_LE(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, cg_bytes_in_all_tiers(self->cg)));
	EXPECT_EQ(n, sa_hold_ask(&h, 's'));
	expect_sum_of_tiers(_metadata, self->cg);
	/* The limit is lowered to zero and raised again. */
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
	EXPECT_TRUE(sa_wait_purged(!sa_cg_tier(self->cg, sa_dev(0)), SOON));
	EXPECT_TRUE(wait_no_moves());
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_cg_tier(self->cg, sa_dev(1))));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored")));
	expect_sum_of_tiers(_metadata, self->cg);
	check_and_end_holder(_metadata, &h, self->cg);
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * Pages that are in use when the limit is lowered keep no copies above it, so
 * that they go elsewhere when they are swapped out again
 */
TEST_F_TIMEOUT(group, lowered_in_use, SA_TIMEOUT)
{
	static const char * const formats[] = { "raw", "packed" };
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_holder h;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, swapon_dev(0));
		ASSERT_EQ(0, sa_set_format(sa_dev(0), formats[i]));
		start_swapped_holder(_metadata, &h, n, self->cg);
		EXPECT_EQ(n, h.swapped);
		EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
		TH_LOG("%s: %lld bytes of copies", formats[i],
		       sa_cg_tier(self->cg, sa_dev(0)));
		EXPECT_LE((long long)(n * SA_PAGE) / 2, sa_cg_tier(self->cg, sa_dev(0)));
		ASSERT_EQ(0, swapon_dev(1));
		ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
		EXPECT_TRUE(sa_wait(!sa_cg_tier(self->cg, sa_dev(0)), SOON)) {
			TH_LOG("%s: %lld bytes are left", formats[i],
			       sa_cg_tier(self->cg, sa_dev(0)));
		}
		EXPECT_EQ(n, sa_hold_ask(&h, 'p'));
		EXPECT_TRUE(sa_wait_writeback());
		EXPECT_EQ(0, sa_cg_tier(self->cg, sa_dev(0)));
		EXPECT_TRUE(is_about_equal(n * SA_PAGE, sa_cg_tier(self->cg, sa_dev(1))));
		check_and_end_holder(_metadata, &h, self->cg);
		ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "max"));
		ASSERT_EQ(0, sa_swapoff(sa_dev(1)));
		ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
	}
}

/*
 * Pages that go from zswap to a packed device stay in zswap's count until a
 * write is done, which may hold thousands of small pages. There are two
 * cgroups, because the kernel looks at the second one meanwhile.
 */
TEST_F_TIMEOUT(group, lowered_zswap, SA_TIMEOUT)
{
	static const char * const names[2] = { "tiers/a", "tiers/b" };
	static const char * const limits[] = { "10M", "6M", "2M" };
	struct sa_holder h[2];
	char cg[2][256];
	int i, j;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, swapon_dev_format(0, "packed"));
	ASSERT_EQ(0, sa_cg_write(self->cg, "cgroup.subtree_control", "+memory"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg[i], sizeof(cg[i])));
		ASSERT_EQ(0, sa_hold_start(&h[i], 16 * SA_MIB_PAGES, SA_REPEAT, cg[i]));
		EXPECT_EQ(16 * SA_MIB, sa_cg_tier(cg[i], NULL));
	}
	for (j = 0; j < ARRAY_SIZE(limits); j++) {
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, sa_cg_limit_tier(cg[i], NULL, limits[j]));
		for (i = 0; i < 2; i++)
			EXPECT_TRUE(sa_wait(sa_cg_tier(cg[i], NULL) <=
					    (long long)(atoi(limits[j]) * SA_MIB), SOON));
		EXPECT_TRUE(wait_no_moves());
		for (i = 0; i < 2; i++)
			EXPECT_EQ(atoi(limits[j]) * SA_MIB, sa_cg_tier(cg[i], NULL));
	}
	for (i = 0; i < 2; i++)
		check_and_end_holder(_metadata, &h[i], cg[i]);
}

/*
 * Lower and raise the limit while pages come and go, so that the kernel looks
 * for the excess among pages that are just being stored
 */
TEST_F_TIMEOUT(group, lowered_under_load, SA_TIMEOUT)
{
	struct sa_load l = {
		.pages = 3 * SA_MIB_PAGES,
		.seconds = sa_is_full() ? 60 : 5,
	};
	double end = sa_now() + l.seconds;
	pid_t pid[4];
	size_t i;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.max", 32 * SA_MIB));
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		pid[i] = sa_start(self->cg, sa_run_load, &l);
	for (i = 0; sa_now() < end; i++) {
		ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, i % 2 ? "0" : "8M"));
		usleep(500);
	}
	TH_LOG("%zu changes of the limit, %lld pages moved out", i,
	       sa_tier_num(NULL, "stats/moved_out"));
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		EXPECT_EQ(0, sa_join(pid[i], LIMIT));
	EXPECT_EQ(0, sa_cg_key(self->cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_violations());
}

/*
 * Lower the limit when no other tier exists, and when the last other tier goes
 * away
 */
TEST_F_TIMEOUT(group, lowered_to_nowhere, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_holder h;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "0"));
	sleep(QUIET);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	expect_sum_of_tiers(_metadata, self->cg);
	check_and_end_holder(_metadata, &h, self->cg);

	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "max"));
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "0"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(wait_no_moves());
	/*
	 * The pages of the device are in RAM now, and the rest is where it was.
	 */
	EXPECT_GE(n * SA_PAGE + SLACK, sa_cg_tier(self->cg, NULL));
	EXPECT_EQ(0, sa_violations());
	check_and_end_holder(_metadata, &h, self->cg);
}

/* A parent may forbid or limit a tier for all of its children together */
TEST_F_TIMEOUT(group, hierarchy, SA_TIMEOUT)
{
	static const char * const names[2] = { "tiers/a", "tiers/b" };
	size_t n = 6 * SA_MIB_PAGES;
	struct sa_holder h[2];
	char cg[2][256];
	int i;

	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_write(self->cg, "cgroup.subtree_control", "+memory"));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg[i], sizeof(cg[i])));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
	ASSERT_EQ(0, sa_cg_limit_tier(cg[0], sa_dev(0), "max"));
	start_swapped_holder(_metadata, &h[0], n, cg[0]);
	EXPECT_EQ(0, h[0].swapped);
	EXPECT_GE(SLACK / SA_PAGE, sa_tier_num(sa_dev(0), "stats/store"));
	check_and_end_holder(_metadata, &h[0], cg[0]);

	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "8M"));
	for (i = 0; i < 2; i++)
		start_swapped_holder(_metadata, &h[i], n, cg[i]);
	expect_at_limit(_metadata, self->cg, sa_dev(0), 8 * SA_MIB);
	EXPECT_EQ(sa_cg_tier(self->cg, sa_dev(0)),
		  sa_cg_tier(cg[0], sa_dev(0)) + sa_cg_tier(cg[1], sa_dev(0)));
	for (i = 0; i < 2; i++)
		expect_sum_of_tiers(_metadata, cg[i]);
	for (i = 0; i < 2; i++)
		check_and_end_holder(_metadata, &h[i], cg[i]);
	/* The limit of a child is for that child only. */
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "max"));
	ASSERT_EQ(0, sa_cg_limit_tier(cg[0], sa_dev(0), "2M"));
	for (i = 0; i < 2; i++)
		start_swapped_holder(_metadata, &h[i], n, cg[i]);
	EXPECT_GE(2 * SA_MIB + SLACK, sa_cg_tier(cg[0], sa_dev(0)));
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(cg[1], sa_dev(0)));
	for (i = 0; i < 2; i++)
		check_and_end_holder(_metadata, &h[i], cg[i]);
}

/*
 * Each cgroup gives the same part of its pages. If the kernel took the same
 * number from each, a small cgroup would lose all of its pages because of a
 * large one.
 */
TEST_F_TIMEOUT(group, fair, SA_TIMEOUT)
{
	static const char * const names[2] = { "tiers/small", "tiers/large" };
	const size_t n[2] = { SA_MIB_PAGES, 32 * SA_MIB_PAGES };
	struct sa_holder h[2];
	char cg[2][256];
	long long left[2];
	int i;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, swapon_dev(0));
	ASSERT_EQ(0, sa_cg_write(self->cg, "cgroup.subtree_control", "+memory"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg[i], sizeof(cg[i])));
		start_swapped_holder(_metadata, &h[i], n[i], cg[i]);
	}
	ASSERT_EQ(0, sa_tier_write(NULL, "demote", "16M"));
	for (i = 0; i < 2; i++) {
		left[i] = sa_cg_tier(cg[i], NULL) * 100 / (long long)(n[i] * SA_PAGE);
		TH_LOG("%s: %lld %% of %zu pages are left", names[i], left[i], n[i]);
		EXPECT_LE(20, left[i]);
		EXPECT_GE(80, left[i]);
	}
	for (i = 0; i < 2; i++)
		check_and_end_holder(_metadata, &h[i], cg[i]);
}

/* Move pages about in all three tiers at once */
TEST_F_TIMEOUT(group, adds_up, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;
	int i;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, swapon_dev(i));
	start_swapped_holder(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	expect_sum_of_tiers(_metadata, self->cg);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	move_and_check(_metadata, "demote", NULL, sa_dev(0), "8M");
	move_and_check(_metadata, "demote", sa_dev(0), sa_dev(1), "4M");
	expect_sum_of_tiers(_metadata, self->cg);
	EXPECT_EQ(sa_tier_num(NULL, "stored"), sa_cg_tier(self->cg, NULL));
	for (i = 0; i < 2; i++) {
		EXPECT_LT(0, sa_cg_tier(self->cg, sa_dev(i)));
		EXPECT_EQ(sa_tier_num(sa_dev(i), "stored"), sa_cg_tier(self->cg, sa_dev(i)));
	}
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, cg_bytes_in_all_tiers(self->cg)));
	/* The sum must hold after swapoff and after reads. */
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(is_about_equal(n * SA_PAGE, cg_bytes_in_all_tiers(self->cg)));
	expect_sum_of_tiers(_metadata, self->cg);
	check_and_end_holder(_metadata, &h, self->cg);
	EXPECT_TRUE(sa_wait_purged(!cg_bytes_in_all_tiers(self->cg), SOON));
	expect_sum_of_tiers(_metadata, self->cg);
}

/* --- tiers that one cgroup may use and another may not -------------------- */

/* memory.max for processes that shall find no room in RAM */
#define LITTLE	(3 * SA_MIB)

/*
 * Wait until the tier has @pages pages of the cgroup. Processes of the cgroup
 * may have swapped a few more pages than the test knows.
 */
static bool wait_cg_in_tier(const char *cg, const char *dev, size_t pages)
{
	if (sa_wait_purged(is_about_equal(pages * SA_PAGE, sa_cg_tier(cg, dev)), SOON))
		return true;
	sa_log("%s: %lld bytes in %s, not %zu", cg, sa_cg_tier(cg, dev), tier_label(dev),
	       pages * SA_PAGE);
	return false;
}

/*
 * Expect that only pages of one cgroup, and a few pages of nobody, have come to
 * the tier since the caller read its counters. The counters also show pages
 * that have come and gone again.
 */
static void expect_only_cg_came(struct __test_metadata *_metadata, struct sa_stats *s,
				const char *dev, size_t pages)
{
	sa_stats_delta(s, dev);
	EXPECT_GE((long long)pages + SLACK / (long long)SA_PAGE, s->moved_in + s->store) {
		TH_LOG("%lld pages moved to %s, %lld stored there, for %zu", s->moved_in,
		       tier_label(dev), s->store, pages);
	}
}

/* Two cgroups have pages on the first device, mixed with each other */
FIXTURE(other)
{
	char cg[2][256];
	struct sa_holder *h;	/* a fixture's memory is shared with the children */
	size_t n;		/* pages of a cgroup */
};

FIXTURE_VARIANT(other)
{
	const char *format;
};

FIXTURE_VARIANT_ADD(other, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(other, packed) { .format = "packed" };

enum { NOT, MAY };

/* Make two cgroups, each with @n pages on the first device in two processes */
static const char *make_two_groups(struct __test_metadata *_metadata, const char *format,
				   char cg[2][256], struct sa_holder **h, size_t n)
{
	static const char * const names[] = { [NOT] = "not", [MAY] = "may" };
	const char *why = begin_tier_test(SA_NEED_DEVS);
	int i;

	if (why)
		return why;
	if (!sa_have_zswap())
		return "no zswap";
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg[i], sizeof(cg[i])));
	if (sa_cg_tier_max(cg[NOT], NULL) != SA_NO_LIMIT)
		return "no " SA_TIERS_MAX;
	*h = calloc(4, sizeof(**h));
	ASSERT_NE(NULL, *h);
	ASSERT_EQ(0, swapon_dev_format(0, format));
	for (i = 0; i < 4; i++)
		start_swapped_holder(_metadata, &(*h)[i], n / 2, cg[i % 2]);
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(wait_cg_in_tier(cg[i], sa_dev(0), n));
	return NULL;
}

FIXTURE_SETUP(other)
{
	const char *why;

	self->n = 4 * SA_MIB_PAGES;
	why = make_two_groups(_metadata, variant->format, self->cg, &self->h, self->n);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(other)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Check that the pages of one cgroup can be read and are right, and that nobody
 * was killed
 */
static bool group_is_right(struct sa_holder *h, const char *cg, int which)
{
	return !sa_hold_ask(&h[which], 'c') && !sa_hold_ask(&h[which + 2], 'c') &&
	       !sa_cg_key(cg, "memory.events", "oom_kill");
}

#define END_OTHER()							\
do {									\
	int __i;							\
									\
	for (__i = 0; __i < 4; __i++)					\
		check_and_end_holder(_metadata, &self->h[__i], self->cg[__i % 2]);	\
} while (0)

/* swapoff must move the pages to the next tier that the cgroup may use */
TEST_F_TIMEOUT(other, swapoff, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_stats_read(&s, NULL);
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(1), self->n));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	expect_only_cg_came(_metadata, &s, NULL, self->n);
	END_OTHER();
}

/* The next device is forbidden, and the one below it is allowed */
TEST_F_TIMEOUT(other, swapoff_past_device, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], sa_dev(1), "0"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[MAY], NULL, "0"));
	sa_stats_read(&s, sa_dev(1));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], NULL, self->n));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], sa_dev(1)));
	expect_only_cg_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

/* If no tier is allowed, the pages must go to RAM */
TEST_F_TIMEOUT(other, swapoff_to_ram, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_stats_read(&s, NULL);
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, cg_bytes_in_all_tiers(self->cg[NOT]));
	expect_only_cg_came(_metadata, &s, NULL, self->n);
	EXPECT_EQ(0, sa_violations());
	/* The pages must not get to the tier when memory is short either. */
	sa_cg_reclaim(self->cg[NOT], self->n * SA_PAGE);
	EXPECT_EQ(0, cg_bytes_in_all_tiers(self->cg[NOT]));
	END_OTHER();
}

/*
 * If the cgroup has no RAM either, swapoff must fail, and the device must stay
 * in use
 */
TEST_F_TIMEOUT(other, swapoff_no_ram, SA_TIMEOUT)
{
	struct sa_stats s;
	int ret;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	ASSERT_EQ(0, sa_cg_write_num(self->cg[NOT], "memory.max", LITTLE));
	sa_stats_read(&s, NULL);
	ret = sa_swapoff_child(sa_dev(0), LIMIT);
	TH_LOG("swapoff: %d, %lld bytes of memory for a limit of %zu", ret,
	       sa_cg_num(self->cg[NOT], "memory.current"), LITTLE);
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_GE(LITTLE + SLACK, sa_cg_num(self->cg[NOT], "memory.current"));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	expect_only_cg_came(_metadata, &s, NULL, self->n);
	EXPECT_EQ(0, sa_violations());
	END_OTHER();
}

TEST_F_TIMEOUT(other, drain, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, swapon_dev(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_stats_read(&s, NULL);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(wait_used_at_most(sa_dev(0), 0));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(1), self->n));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	expect_only_cg_came(_metadata, &s, NULL, self->n);
	END_OTHER();
}

/*
 * Demotion must move only the pages of the cgroup that may use the other device
 */
TEST_F_TIMEOUT(other, demote, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, swapon_dev_format(1, variant->format));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], sa_dev(1), "0"));
	sa_stats_read(&s, sa_dev(1));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(0), self->n));
	/* When only forbidden pages are left, there is no room for them. */
	EXPECT_TRUE(sa_only_swapped());
	sa_tier_write(sa_dev(0), "demote", "all");
	/* The pages must not move in the background either. */
	ASSERT_EQ(0, sa_set_watermarks(sa_dev(0), 0, 0));
	sleep(QUIET);
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], sa_dev(1)));
	expect_only_cg_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

TEST_F_TIMEOUT(other, promote, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_stats_read(&s, NULL);
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "promote", "all"));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], NULL, self->n));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	expect_only_cg_came(_metadata, &s, NULL, self->n);
	END_OTHER();
}

TEST_F_TIMEOUT(other, promote_to_device, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, swapon_dev_format(1, variant->format));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "9"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], sa_dev(1), "0"));
	sa_stats_read(&s, sa_dev(1));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "promote", "all"));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], sa_dev(1)));
	expect_only_cg_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

/*
 * With memory.zswap.writeback=0, pages that swapoff takes from a device must
 * not go to another device, also if zswap refuses them. (The setting has no
 * meaning while zswap is disabled, as without the layer.)
 */
TEST_F_TIMEOUT(other, swapoff_no_writeback, SA_TIMEOUT)
{
	struct sa_stats s;
	int i;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, swapon_dev_format(1, variant->format));
	ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.writeback", "0"));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_cg_limit_tier(self->cg[i], NULL, "0"));
	sa_stats_read(&s, sa_dev(1));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_EQ(0, cg_bytes_in_all_tiers(self->cg[NOT]));
	expect_only_cg_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

TEST_F_TIMEOUT(other, demote_no_writeback, SA_TIMEOUT)
{
	struct sa_stats s;

	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, swapon_dev_format(1, variant->format));
	ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.writeback", "0"));
	sa_stats_read(&s, sa_dev(1));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(0), self->n));
	expect_only_cg_came(_metadata, &s, sa_dev(1), self->n);
	/* zswap is not a device. */
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "promote", "all"));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], NULL, self->n));
	END_OTHER();
}

/* --- nowhere to go -------------------------------------------------------- */

enum why { FORBIDDEN, ZSWAP_MAX, WRITEBACK };

FIXTURE(stuck)
{
	char cg[2][256];
	struct sa_holder *h;
	size_t n;
};

FIXTURE_VARIANT(stuck)
{
	const char *format;
	enum why why;
};

FIXTURE_VARIANT_ADD(stuck, raw_forbidden) { .format = "raw", .why = FORBIDDEN };

FIXTURE_VARIANT_ADD(stuck, packed_forbidden) { .format = "packed", .why = FORBIDDEN };

FIXTURE_VARIANT_ADD(stuck, raw_zswap_max) { .format = "raw", .why = ZSWAP_MAX };

FIXTURE_VARIANT_ADD(stuck, packed_zswap_max) { .format = "packed", .why = ZSWAP_MAX };

FIXTURE_VARIANT_ADD(stuck, raw_writeback) { .format = "raw", .why = WRITEBACK };

FIXTURE_VARIANT_ADD(stuck, packed_writeback) { .format = "packed", .why = WRITEBACK };

FIXTURE_SETUP(stuck)
{
	const char *why;

	self->n = 8 * SA_MIB_PAGES;
	why = make_two_groups(_metadata, variant->format, self->cg, &self->h, self->n);
	if (why)
		SKIP(return, "%s", why);

	/*
	 * Other tiers have room for all, but must take no page of the first
	 * cgroup.
	 */
	ASSERT_EQ(0, sa_set_zswap(true));
	if (variant->why == FORBIDDEN)
		ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	if (variant->why != FORBIDDEN)
		ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.max", "0"));
	if (variant->why == WRITEBACK) {
		ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.writeback", "0"));
		ASSERT_EQ(0, swapon_dev(1));
	}
	ASSERT_EQ(0, sa_cg_write_num(self->cg[NOT], "memory.max", LITTLE));
}

FIXTURE_TEARDOWN_PARENT(stuck)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Pages that can't leave must not hold up the other cgroup's pages, and must
 * stay right
 */
TEST_F_TIMEOUT(stuck, drain, SA_TIMEOUT)
{
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], NULL, self->n));
	EXPECT_TRUE(sa_wait_purged(!sa_cg_tier(self->cg[MAY], sa_dev(0)), SOON));
	EXPECT_STATE("draining", sa_dev(0));
	sleep(QUIET);
	EXPECT_STATE("draining", sa_dev(0));
	EXPECT_TRUE(wait_cg_in_tier(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	EXPECT_GE(LITTLE + SLACK, sa_cg_num(self->cg[NOT], "memory.current"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_TRUE(group_is_right(self->h, self->cg[MAY], MAY));
	/* The pages can be read if there is room in RAM. */
	ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.max", "max"));
	EXPECT_TRUE(group_is_right(self->h, self->cg[NOT], NOT));
	END_OTHER();
}

/*
 * There is no more room in RAM than before. A page that was read goes out
 * again, because its copy is still there, and nobody is killed because an
 * administrator drains a device.
 */
TEST_F_TIMEOUT(stuck, drain_in_use, SA_TIMEOUT)
{
	double end = sa_now() + 3;

	ASSERT_TRUE(group_is_right(self->h, self->cg[NOT], NOT));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	while (sa_now() < end) {
		ASSERT_TRUE(group_is_right(self->h, self->cg[NOT], NOT)) {
			TH_LOG("%lld killed, %lld bytes are on the device",
			       sa_cg_key(self->cg[NOT], "memory.events", "oom_kill"),
			       sa_cg_tier(self->cg[NOT], sa_dev(0)));
		}
	}
	EXPECT_TRUE(wait_cg_in_tier(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	END_OTHER();
}

/* --- nowhere to go from a device that needs no I/O ------------------------ */

/*
 * A fault on this tier gives the copy up at once, because it is cheap to make.
 */
FIXTURE(at_once)
{
	struct sa_holder *h;
	char cg[256];
	size_t n;
};

FIXTURE_VARIANT(at_once)
{
	const char *dev;
	bool full;
};

FIXTURE_VARIANT_ADD(at_once, zram) { .dev = SA_ZRAM };

FIXTURE_VARIANT_ADD(at_once, brd) { .dev = "/dev/ram0" };

FIXTURE_VARIANT_ADD(at_once, brd_full) { .dev = "/dev/ram0", .full = true };

#define AT_ONCE_DEV	(12 * SA_MIB_PAGES)

FIXTURE_SETUP(at_once)
{
	const char *why = begin_tier_test(0);

	if (!why && !strcmp(variant->dev, SA_ZRAM))
		why = sa_zram_make(AT_ONCE_DEV, 0);
	if (!why && access(variant->dev, W_OK))
		why = "no ram disk";
	if (!why && sa_set_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	self->h = calloc(1, sizeof(*self->h));
	ASSERT_NE(NULL, self->h);
	ASSERT_EQ(0, sa_cg_make("at_once", 0, self->cg, sizeof(self->cg)));
	if (sa_cg_tier_max(self->cg, NULL) != SA_NO_LIMIT)
		SKIP(return, "no " SA_TIERS_MAX);
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "0"));
	ASSERT_EQ(0, sa_swapon(variant->dev, AT_ONCE_DEV, 5));
	ASSERT_EQ(0, sa_set_format(variant->dev, "raw"));
}

FIXTURE_TEARDOWN_PARENT(at_once)
{
	sa_cg_destroy(self->cg);
	/*
	 * This device is not one of those that the environment gives to the
	 * tests.
	 */
	swapoff(variant->dev);
	EXPECT_EQ(0, sa_end());
}

/*
 * All pages of the cgroup are on a device that is drained, and no other tier
 * takes them: a page that is read must keep its copy, because it could not
 * leave memory again without it. In the other variant the device is full and
 * stays in use: a page that is read gives its place to another one.
 */
TEST_F_TIMEOUT(at_once, read_again, SA_TIMEOUT)
{
	int rounds;

	/*
	 * With @full the size is a bit more than the device and LITTLE hold
	 * together.
	 */
	self->n = variant->full ? AT_ONCE_DEV + SA_MIB_PAGES / 2 : 8 * SA_MIB_PAGES;
	ASSERT_EQ(0, sa_hold_start(self->h, self->n, SA_TEXT, self->cg));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.max", LITTLE));
	if (variant->full) {
		EXPECT_GE(SLACK, sa_meminfo("SwapFree"));
	} else {
		EXPECT_TRUE(sa_only_swapped());
		ASSERT_EQ(self->n, self->h->swapped);
		ASSERT_TRUE(wait_cg_in_tier(self->cg, variant->dev, self->n));
		ASSERT_EQ(0, sa_tier_write(variant->dev, "state", "draining"));
		EXPECT_STATE("draining", variant->dev);
	}
	for (rounds = 0; rounds < 3; rounds++) {
		ASSERT_EQ(0, sa_hold_ask(self->h, 'c')) {
			TH_LOG("round %d: %lld killed, %lld bytes are on the device", rounds,
			       sa_cg_key(self->cg, "memory.events", "oom_kill"),
			       sa_cg_tier(self->cg, variant->dev));
		}
		ASSERT_EQ(0, sa_cg_key(self->cg, "memory.events", "oom_kill"));
		if (!variant->full)
			EXPECT_TRUE(wait_cg_in_tier(self->cg, variant->dev, self->n));
	}
	EXPECT_EQ(0, sa_cg_tier(self->cg, NULL));
	EXPECT_EQ(0, sa_violations());
	check_and_end_holder(_metadata, self->h, self->cg);
}

/* --- memory.zswap.writeback ----------------------------------------------- */

FIXTURE(no_writeback)
{
	char parent[256], cg[256];
	struct sa_holder *h;
	struct sa_area a;
	struct sa_stats s;
	size_t n;
};

FIXTURE_VARIANT(no_writeback)
{
	const char *format;
	bool above;
};

FIXTURE_VARIANT_ADD(no_writeback, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(no_writeback, packed) { .format = "packed" };

/* The setting is in the parent cgroup. */
FIXTURE_VARIANT_ADD(no_writeback, above) { .format = "packed", .above = true };

FIXTURE_SETUP(no_writeback)
{
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_cg_make("keep", 0, self->parent, sizeof(self->parent)));
	ASSERT_EQ(0, sa_cg_write(self->parent, "cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, sa_cg_make("keep/in", 0, self->cg, sizeof(self->cg)));
	if (sa_cg_tier_max(self->cg, NULL) != SA_NO_LIMIT)
		SKIP(return, "no " SA_TIERS_MAX);
	ASSERT_EQ(0, sa_cg_write(variant->above ? self->parent : self->cg,
				 "memory.zswap.writeback", "0"));
	self->n = 8 * SA_MIB_PAGES;
	self->h = calloc(1, sizeof(*self->h));
	ASSERT_NE(NULL, self->h);
	ASSERT_EQ(0, swapon_dev_format(0, variant->format));
	start_swapped_holder(_metadata, self->h, self->n, self->cg);
	ASSERT_EQ(self->n, self->h->swapped);
	ASSERT_TRUE(wait_cg_in_tier(self->cg, NULL, self->n));
	sa_stats_read(&self->s, sa_dev(0));
}

FIXTURE_TEARDOWN_PARENT(no_writeback)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Expect that all pages are in zswap, and that the device has got only pages of
 * others
 */
#define EXPECT_KEPT(_others)						\
do {									\
	struct sa_stats __s = self->s;					\
									\
	EXPECT_TRUE(wait_cg_in_tier(self->cg, NULL, self->n));			\
	EXPECT_EQ(0, sa_cg_tier(self->cg, sa_dev(0)));			\
	expect_only_cg_came(_metadata, &__s, sa_dev(0), _others);		\
	EXPECT_EQ(0, sa_violations());					\
} while (0)

/*
 * Neither an order, which also moves pages of others, nor the watermarks may
 * move the pages
 */
TEST_F_TIMEOUT(no_writeback, demote, SA_TIMEOUT)
{
	make_swapped_area(_metadata, &self->a, self->n, SA_TEXT, 1);
	EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	EXPECT_TRUE(wait_stored(sa_dev(0), self->n * SA_PAGE));
	EXPECT_KEPT(self->n);
	sa_tier_write(NULL, "demote", "all");
	ASSERT_EQ(0, sa_set_watermarks(NULL, 0, 0));
	sa_zswap_kick();
	sleep(QUIET);
	EXPECT_KEPT(2 * self->n);
	check_and_end_holder(_metadata, self->h, self->cg);
	EXPECT_EQ(0, sa_area_check(&self->a));
}

/* The pages must also stay when memory is short and zswap's shrinker runs */
TEST_F_TIMEOUT(no_writeback, shrinker, SA_TIMEOUT)
{
	ASSERT_EQ(0, sa_zswap_param("shrinker_enabled", "Y"));
	sa_cg_reclaim(self->cg, self->n * SA_PAGE);
	sa_cg_reclaim(self->parent, self->n * SA_PAGE);
	ASSERT_EQ(0, sa_write("/proc/sys/vm/drop_caches", "2"));
	sleep(QUIET);
	EXPECT_KEPT(0);
	check_and_end_holder(_metadata, self->h, self->cg);
}

/* Pages above a new limit must stay where they are, and no more may come */
TEST_F_TIMEOUT(no_writeback, limit_lowered, SA_TIMEOUT)
{
	static const char * const limits[] = { "4M", "0" };
	size_t m = SA_MIB_PAGES, i;
	struct sa_holder h;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		ASSERT_EQ(0, sa_cg_limit_tier(i ? self->cg : self->parent, NULL, limits[i]));
		sleep(QUIET);
		EXPECT_KEPT(0);
		/* The pages may be unmapped, but they are in RAM. */
		ASSERT_EQ(0, sa_hold_start(&h, m, SA_TEXT, self->cg));
		EXPECT_GE(self->n * SA_PAGE + SLACK / 4, cg_bytes_in_all_tiers(self->cg));
		EXPECT_KEPT(0);
		check_and_end_holder(_metadata, &h, self->cg);
		/*
		 * Each store that is over a limit makes the kernel look at the
		 * excess again.
		 */
		sa_tier_write(NULL, "demote", "all");
		EXPECT_KEPT(0);
	}
	/* A page that is read comes back, and can't go there again. */
	EXPECT_EQ(0, sa_hold_ask(self->h, 'c'));
	sa_hold_ask(self->h, 'p');
	EXPECT_EQ(0, cg_bytes_in_all_tiers(self->cg));
	check_and_end_holder(_metadata, self->h, self->cg);
}

/*
 * When writeback is allowed again, the kernel must move the excess at its next
 * look, and no more
 */
TEST_F_TIMEOUT(no_writeback, allowed_again, SA_TIMEOUT)
{
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "4M"));
	sleep(QUIET);
	EXPECT_KEPT(0);
	ASSERT_EQ(0, sa_cg_write(variant->above ? self->parent : self->cg,
				 "memory.zswap.writeback", "1"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "4M"));
	EXPECT_TRUE(sa_wait_purged(sa_cg_tier(self->cg, NULL) <=
				   (long long)(4 * SA_MIB) + SLACK, SOON));
	EXPECT_TRUE(wait_no_moves());
	/*
	 * A page on its way to be packed still counts here, so the kernel moves
	 * a bit more.
	 */
	TH_LOG("%lld bytes are left", sa_cg_tier(self->cg, NULL));
	EXPECT_LE(SA_MIB, sa_cg_tier(self->cg, NULL));
	EXPECT_TRUE(is_about_equal(self->n * SA_PAGE, cg_bytes_in_all_tiers(self->cg)));
	check_and_end_holder(_metadata, self->h, self->cg);
}

/* --- data that is used again ---------------------------------------------- */

/*
 * A process whose pages are on a device reads two sets of them for a while:
 * seven reads of eight go to a random page of the hot set, and the other one
 * goes to the next page of the cold set.
 */
#define READS	40LL		/* for each page, on average */

struct thrash {
	struct __test_metadata *_metadata;
	const char *cg;
	size_t hot, cold;		/* pages */
	/* results */
	long long reads, hot_up, cold_up, stored, refault, activate, restore;
	unsigned char sum;		/* makes the compiler keep the reads */
};

/* Return how many pages of the area are read from zswap */
static long long count_read_from_zswap(const struct sa_area *a)
{
	long long before = sa_tier_num(NULL, "stats/load");
	size_t wrong = sa_area_check(a);

	return wrong ? -1 : sa_tier_num(NULL, "stats/load") - before;
}

static void add_workingset_stats(struct thrash *t, int sign)
{
	t->refault += sign * sa_cg_key(t->cg, "memory.stat", "workingset_refault_anon");
	t->activate += sign * sa_cg_key(t->cg, "memory.stat", "workingset_activate_anon");
	t->restore += sign * sa_cg_key(t->cg, "memory.stat", "workingset_restore_anon");
	t->stored += sign * sa_tier_num(NULL, "stats/store");
}

static int run_thrash(void *arg)
{
	struct thrash *t = arg;
	struct __test_metadata *_metadata = t->_metadata;
	size_t pos = 0, i, page;
	struct sa_area hot, cold;
	__u64 rnd = 77;
	double end = sa_now() + LIMIT / 5;

	ASSERT_EQ(0, sa_area_map(&hot, t->hot, SA_TEXT, 1));
	ASSERT_EQ(0, sa_area_map(&cold, t->cold, SA_TEXT, 2));
	sa_area_fill(&hot);
	sa_area_fill(&cold);
	ASSERT_EQ(hot.n, sa_pageout(hot.p, hot.n));
	ASSERT_EQ(cold.n, sa_pageout(cold.p, cold.n));
	ASSERT_EQ(0, sa_set_zswap(true));
	add_workingset_stats(t, -1);
	for (; t->reads < READS * (t->hot + t->cold) && sa_now() < end; t->reads += i) {
		for (i = 0; i < 256; i++) {
			if (sa_rand(&rnd) % 8) {
				page = sa_rand(&rnd) % hot.n;
				t->sum += hot.p[page * SA_PAGE];
			} else {
				pos = (pos + 1) % cold.n;
				t->sum += cold.p[pos * SA_PAGE];
			}
		}
	}
	add_workingset_stats(t, 1);
	sa_pageout(hot.p, hot.n);
	sa_pageout(cold.p, cold.n);
	t->hot_up = count_read_from_zswap(&hot);
	t->cold_up = count_read_from_zswap(&cold);
	EXPECT_LE(0, t->hot_up);
	EXPECT_LE(0, t->cold_up);
	return 0;
}

FIXTURE(thrash)
{
	char cg[256];
	struct thrash *t;
};

FIXTURE_VARIANT(thrash)
{
	const char *format;
};

FIXTURE_VARIANT_ADD(thrash, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(thrash, packed) { .format = "packed" };

FIXTURE_SETUP(thrash)
{
	const char *why = begin_tier_test(SA_NEED_DEV);

	/*
	 * User Mode Linux can't see again that a page was used once the bit was
	 * cleared.
	 */
	if (!why && sa_is_uml())
		why = "User Mode Linux does not tell which pages are in use";
	if (!why && !sa_have_zswap())
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	self->t = sa_map_shared();
	ASSERT_NE(NULL, self->t);
	ASSERT_EQ(0, sa_cg_make("thrash", 8 * SA_MIB, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, swapon_dev_format(0, variant->format));
}

FIXTURE_TEARDOWN_PARENT(thrash)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Neither set fits in memory, and a page of the hot set comes back soon.
 * Reclaim needs several rounds to know that, because a page has to become
 * active, be evicted all the same, and come back soon. So the kernel must
 * promote a part of the hot pages, and nearly none of the cold ones.
 */
TEST_F_TIMEOUT(thrash, hot_goes_up, SA_TIMEOUT)
{
	struct thrash *t = self->t;

	t->_metadata = _metadata;
	t->cg = self->cg;
	t->hot = 6 * SA_MIB_PAGES;
	t->cold = 10 * SA_MIB_PAGES;
	ASSERT_EQ(0, sa_run(self->cg, run_thrash, t, LIMIT));
	TH_LOG("%lld reads, %lld refaults, %lld activated, %lld restored; %lld stored in zswap",
	       t->reads, t->refault, t->activate, t->restore, t->stored);
	TH_LOG("in zswap: %lld of %zu hot pages, %lld of %zu cold ones", t->hot_up, t->hot,
	       t->cold_up, t->cold);
	EXPECT_LE((long long)t->hot / 8, t->hot_up);
	EXPECT_GE((long long)t->cold / 8, t->cold_up);
	EXPECT_EQ(0, sa_cg_key(self->cg, "memory.events", "oom_kill"));
}

TEST_HARNESS_MAIN
