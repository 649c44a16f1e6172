// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups and tiers: memory.swap.tiers.max and memory.zswap.writeback against
 * everything that stores or moves a page, and what memory.stat says of that.
 *
 * It fails on a kernel that counts a page for the wrong cgroup or tier, brings one
 * to where its cgroup forbids it, be it for a moment, keeps one from where it is
 * allowed, lets one cgroup hold another's pages up, kills somebody for a move, gives up a
 * copy that can't be made again, or leaves what is wanted again and again on the device.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "tiers.h"

/* A tier may have a few pages of others, too. */
static bool about(long long bytes, long long stored)
{
	return stored >= bytes && stored <= bytes + SLACK;
}

FIXTURE(group)
{
	char cg[256];
};

FIXTURE_SETUP(group)
{
	const char *why = begin(SA_NEED_DEVS);
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

static long long stat_of(const char *cg, const char *dev)
{
	return sa_tier(dev) ? sa_cg_tier(cg, dev) : 0;
}

static long long sum_of(const char *cg)
{
	return stat_of(cg, NULL) + stat_of(cg, sa_dev(0)) + stat_of(cg, sa_dev(1));
}

/* memory.stat tells where all of it is, when no page of it is only zeros. */
static void adds_up(struct __test_metadata *_metadata, const char *cg)
{
	EXPECT_TRUE(sa_wait_purged(sum_of(cg) == sa_cg_num(cg, "memory.swap.current"), SOON)) {
		TH_LOG("%lld + %lld + %lld bytes, memory.swap.current %lld", stat_of(cg, NULL),
		       stat_of(cg, sa_dev(0)), stat_of(cg, sa_dev(1)),
		       sa_cg_num(cg, "memory.swap.current"));
	}
	EXPECT_EQ(0, sa_violations());
}

/* A process there that has swapped out what it could, none of it in the cache */
static void hold(struct __test_metadata *_metadata, struct sa_holder *h, size_t n,
		 const char *cg)
{
	ASSERT_EQ(0, sa_hold_start(h, n, SA_TEXT, cg));
	EXPECT_TRUE(sa_settle());
	/* Who is refused keeps none there either. */
	EXPECT_TRUE(sa_only_swapped());
}

static void let_go(struct __test_metadata *_metadata, struct sa_holder *h, const char *cg)
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
		ASSERT_EQ(0, on(d));
		EXPECT_EQ(SA_NO_LIMIT, sa_cg_tier_max(self->cg, sa_dev(d)));
	}
	ASSERT_STREQ("swap0", sa_tier(sa_dev(0)));
	ASSERT_STREQ("swap1", sa_tier(sa_dev(1)));
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
	EXPECT_EQ(-EACCES, sa_nobody_writes(path, "swap0 max"));
	ASSERT_LT(0, sa_read(path, after, sizeof(after)));
	EXPECT_STREQ(before, after);
	/* What goes is known no more. */
	ASSERT_EQ(0, sa_swapoff(sa_dev(1)));
	EXPECT_EQ(-EINVAL, sa_write(path, "swap1 1M"));
}

TEST_F_TIMEOUT(group, no_zswap, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_holder h;
	struct sa_area a;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "0"));
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	/* A few pages of others may be there. */
	EXPECT_GE(SLACK, sa_tier_num(NULL, "stored"));
	EXPECT_TRUE(about(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored")));
	EXPECT_EQ(0, sa_cg_tier(self->cg, NULL));
	EXPECT_TRUE(about(n * SA_PAGE, sa_cg_tier(self->cg, sa_dev(0))));
	adds_up(_metadata, self->cg);
	/* Others still use it. */
	put(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_TRUE(about(n * SA_PAGE, sa_tier_num(NULL, "stored")));
	/* Nor does promoting bring it there. */
	sa_tier_write(sa_dev(0), "promote", "all");
	EXPECT_EQ(0, sa_cg_tier(self->cg, NULL));
	EXPECT_TRUE(about(n * SA_PAGE, sa_tier_num(NULL, "stored")));
	EXPECT_TRUE(about(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored")));
	let_go(_metadata, &h, self->cg);
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(group, no_device, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_holder h;
	int ret;

	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
	/* Without zswap it stays in RAM. */
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(0, h.swapped);
	EXPECT_GE(SLACK / SA_PAGE, sa_tier_num(sa_dev(0), "stats/store"));
	EXPECT_EQ(0, sa_cg_num(self->cg, "memory.swap.current"));
	let_go(_metadata, &h, self->cg);

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	adds_up(_metadata, self->cg);
	/* Neither by order nor in the background nor when the pool is over its limit. */
	ret = sa_tier_write(NULL, "demote", "all");
	EXPECT_TRUE(!ret || ret == -ENOSPC) {
		TH_LOG("demote: %d", ret);
	}
	ASSERT_EQ(0, sa_watermarks(NULL, 0, 0));
	sa_zswap_kick();
	sleep(QUIET);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	EXPECT_EQ(0, sa_cg_tier(self->cg, sa_dev(0)));
	adds_up(_metadata, self->cg);
	let_go(_metadata, &h, self->cg);
}

/* What it has there is the limit, with slack, and not much less. */
static void at_limit(struct __test_metadata *_metadata, const char *cg, const char *dev,
		     long long limit)
{
	long long has = sa_cg_tier(cg, dev);

	EXPECT_GE(limit + SLACK, has);
	EXPECT_LE(limit - SLACK, has);
	EXPECT_GE(limit + SLACK, sa_tier_num(dev, "stored"));
	adds_up(_metadata, cg);
}

TEST_F_TIMEOUT(group, limit, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;

	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "4M"));
	hold(_metadata, &h, n, self->cg);
	EXPECT_GE((4 * SA_MIB + SLACK) / SA_PAGE, h.swapped);
	at_limit(_metadata, self->cg, sa_dev(0), 4 * SA_MIB);
	/* The next one takes the rest. */
	ASSERT_EQ(0, on(1));
	EXPECT_EQ(n, sa_hold_ask(&h, 'p'));
	EXPECT_TRUE(sa_only_swapped());
	at_limit(_metadata, self->cg, sa_dev(0), 4 * SA_MIB);
	EXPECT_TRUE(about(n * SA_PAGE, sum_of(self->cg)));
	let_go(_metadata, &h, self->cg);
}

/* Neither demotion nor draining goes past it. */
TEST_F_TIMEOUT(group, limit_below, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;

	ASSERT_EQ(0, on(0));
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(1), "4M"));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	at_limit(_metadata, self->cg, sa_dev(1), 4 * SA_MIB);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	sleep(QUIET);
	at_limit(_metadata, self->cg, sa_dev(1), 4 * SA_MIB);
	EXPECT_TRUE(about(n * SA_PAGE, sum_of(self->cg)));
	EXPECT_EQ(n, sa_hold_ask(&h, 's'));
	EXPECT_STATE("draining", sa_dev(0));
	/* Begun again, without the limit, it gets to its end. */
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(1), "max"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(comes_down_to(sa_dev(0), 0));
	EXPECT_TRUE(about(n * SA_PAGE, sa_cg_tier(self->cg, sa_dev(1))));
	adds_up(_metadata, self->cg);
	let_go(_metadata, &h, self->cg);
}

/* From zswap too, where the cgroup's limit for the device holds. */
TEST_F_TIMEOUT(group, limit_below_zswap, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "4M"));
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	EXPECT_TRUE(about(n * SA_PAGE, sa_cg_tier(self->cg, NULL)));
	EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	at_limit(_metadata, self->cg, sa_dev(0), 4 * SA_MIB);
	EXPECT_TRUE(about(n * SA_PAGE, sum_of(self->cg)));
	let_go(_metadata, &h, self->cg);
}

TEST_F_TIMEOUT(group, lowered, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES;
	struct sa_holder h;
	struct sa_area a;

	ASSERT_EQ(0, on(0));
	hold(_metadata, &h, n, self->cg);
	put(_metadata, &a, n, SA_TEXT, 1);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "2M"));
	EXPECT_TRUE(sa_wait_purged(sa_cg_tier(self->cg, sa_dev(0)) <=
				   (long long)(2 * SA_MIB) + SLACK, SOON)) {
		TH_LOG("%lld bytes are left", sa_cg_tier(self->cg, sa_dev(0)));
	}
	EXPECT_TRUE(comes_to_rest());
	/* What is in its right stays, of this one and of others. */
	EXPECT_EQ(2 * SA_MIB, sa_cg_tier(self->cg, sa_dev(0)));
	EXPECT_LE(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_TRUE(about(n * SA_PAGE, sum_of(self->cg)));
	EXPECT_EQ(n, sa_hold_ask(&h, 's'));
	adds_up(_metadata, self->cg);
	/* To nothing, and back. */
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
	EXPECT_TRUE(sa_wait_purged(!sa_cg_tier(self->cg, sa_dev(0)), SOON));
	EXPECT_TRUE(comes_to_rest());
	EXPECT_TRUE(about(n * SA_PAGE, sa_cg_tier(self->cg, sa_dev(1))));
	EXPECT_TRUE(about(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored")));
	adds_up(_metadata, self->cg);
	let_go(_metadata, &h, self->cg);
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * What goes from zswap to a packed device, where thousands of small ones fit one write, is
 * zswap's until that is done. Two cgroups at once, as the second is looked at meanwhile.
 */
TEST_F_TIMEOUT(group, lowered_zswap, SA_TIMEOUT)
{
	static const char * const names[2] = { "tiers/a", "tiers/b" };
	static const char * const limits[] = { "10M", "6M", "2M" };
	struct sa_holder h[2];
	char cg[2][256];
	int i, j;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on_in(0, "packed"));
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
		EXPECT_TRUE(comes_to_rest());
		for (i = 0; i < 2; i++)
			EXPECT_EQ(atoi(limits[j]) * SA_MIB, sa_cg_tier(cg[i], NULL));
	}
	for (i = 0; i < 2; i++)
		let_go(_metadata, &h[i], cg[i]);
}

/*
 * Lowered and raised while pages come and go: the excess is looked for among what is
 * just being stored.
 */
TEST_F_TIMEOUT(group, lowered_under_load, SA_TIMEOUT)
{
	struct sa_load l = {
		.pages = 3 * SA_MIB_PAGES,
		.seconds = sa_full() ? 60 : 5,
	};
	double end = sa_now() + l.seconds;
	pid_t pid[4];
	size_t i;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.max", 32 * SA_MIB));
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		pid[i] = sa_start(self->cg, sa_load, &l);
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

/* Lowered where there is nothing else, and where that goes at this very moment. */
TEST_F_TIMEOUT(group, lowered_to_nowhere, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_holder h;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "0"));
	sleep(QUIET);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	adds_up(_metadata, self->cg);
	let_go(_metadata, &h, self->cg);

	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "max"));
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, NULL, "0"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(comes_to_rest());
	/* What had been on the device is in RAM now, the rest where it was. */
	EXPECT_GE(n * SA_PAGE + SLACK, sa_cg_tier(self->cg, NULL));
	EXPECT_EQ(0, sa_violations());
	let_go(_metadata, &h, self->cg);
}

/* What is above it may forbid or limit it, for all of its children together. */
TEST_F_TIMEOUT(group, hierarchy, SA_TIMEOUT)
{
	static const char * const names[2] = { "tiers/a", "tiers/b" };
	size_t n = 6 * SA_MIB_PAGES;
	struct sa_holder h[2];
	char cg[2][256];
	int i;

	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_write(self->cg, "cgroup.subtree_control", "+memory"));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg[i], sizeof(cg[i])));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
	ASSERT_EQ(0, sa_cg_limit_tier(cg[0], sa_dev(0), "max"));
	hold(_metadata, &h[0], n, cg[0]);
	EXPECT_EQ(0, h[0].swapped);
	EXPECT_GE(SLACK / SA_PAGE, sa_tier_num(sa_dev(0), "stats/store"));
	let_go(_metadata, &h[0], cg[0]);

	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "8M"));
	for (i = 0; i < 2; i++)
		hold(_metadata, &h[i], n, cg[i]);
	at_limit(_metadata, self->cg, sa_dev(0), 8 * SA_MIB);
	EXPECT_EQ(sa_cg_tier(self->cg, sa_dev(0)),
		  sa_cg_tier(cg[0], sa_dev(0)) + sa_cg_tier(cg[1], sa_dev(0)));
	for (i = 0; i < 2; i++)
		adds_up(_metadata, cg[i]);
	for (i = 0; i < 2; i++)
		let_go(_metadata, &h[i], cg[i]);
	/* A child's own limit is its own. */
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "max"));
	ASSERT_EQ(0, sa_cg_limit_tier(cg[0], sa_dev(0), "2M"));
	for (i = 0; i < 2; i++)
		hold(_metadata, &h[i], n, cg[i]);
	EXPECT_GE(2 * SA_MIB + SLACK, sa_cg_tier(cg[0], sa_dev(0)));
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(cg[1], sa_dev(0)));
	for (i = 0; i < 2; i++)
		let_go(_metadata, &h[i], cg[i]);
}

/*
 * Each gives the same part of what it has: who has little does not lose it all for
 * one with much, as when the same number is taken of each.
 */
TEST_F_TIMEOUT(group, fair, SA_TIMEOUT)
{
	static const char * const names[2] = { "tiers/small", "tiers/large" };
	const size_t n[2] = { SA_MIB_PAGES, 32 * SA_MIB_PAGES };
	struct sa_holder h[2];
	char cg[2][256];
	long long left[2];
	int i;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, on(0));
	ASSERT_EQ(0, sa_cg_write(self->cg, "cgroup.subtree_control", "+memory"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg[i], sizeof(cg[i])));
		hold(_metadata, &h[i], n[i], cg[i]);
	}
	ASSERT_EQ(0, sa_tier_write(NULL, "demote", "16M"));
	for (i = 0; i < 2; i++) {
		left[i] = sa_cg_tier(cg[i], NULL) * 100 / (long long)(n[i] * SA_PAGE);
		TH_LOG("%s: %lld %% of %zu pages are left", names[i], left[i], n[i]);
		EXPECT_LE(20, left[i]);
		EXPECT_GE(80, left[i]);
	}
	for (i = 0; i < 2; i++)
		let_go(_metadata, &h[i], cg[i]);
}

/* In all three tiers at once, moved about. */
TEST_F_TIMEOUT(group, adds_up, SA_TIMEOUT)
{
	size_t n = 12 * SA_MIB_PAGES;
	struct sa_holder h;
	int i;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, on(i));
	hold(_metadata, &h, n, self->cg);
	EXPECT_EQ(n, h.swapped);
	adds_up(_metadata, self->cg);
	EXPECT_EQ(n * SA_PAGE, sa_cg_tier(self->cg, NULL));
	move(_metadata, "demote", NULL, sa_dev(0), "8M");
	move(_metadata, "demote", sa_dev(0), sa_dev(1), "4M");
	adds_up(_metadata, self->cg);
	EXPECT_EQ(sa_tier_num(NULL, "stored"), sa_cg_tier(self->cg, NULL));
	for (i = 0; i < 2; i++) {
		EXPECT_LT(0, sa_cg_tier(self->cg, sa_dev(i)));
		EXPECT_EQ(sa_tier_num(sa_dev(i), "stored"), sa_cg_tier(self->cg, sa_dev(i)));
	}
	EXPECT_TRUE(about(n * SA_PAGE, sum_of(self->cg)));
	/* swapoff and coming back in. */
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(about(n * SA_PAGE, sum_of(self->cg)));
	adds_up(_metadata, self->cg);
	let_go(_metadata, &h, self->cg);
	EXPECT_TRUE(sa_wait_purged(!sum_of(self->cg), SOON));
	adds_up(_metadata, self->cg);
}

/* --- what another may, and one may not ----------------------------------- */

/* memory.max for those that shall find no room in RAM */
#define LITTLE	(3 * SA_MIB)

/*
 * So many pages of the cgroup are in the tier, or soon will be. Its processes may have
 * a few more swapped than the test's.
 */
static bool has(const char *cg, const char *dev, size_t pages)
{
	if (sa_wait_purged(about(pages * SA_PAGE, sa_cg_tier(cg, dev)), SOON))
		return true;
	sa_log("%s: %lld bytes in %s, not %zu", cg, sa_cg_tier(cg, dev), name_of(dev),
	       pages * SA_PAGE);
	return false;
}

/*
 * Nothing but what one cgroup had, and a few pages of nobody's, has ever come to the
 * tier since it was seen: what had come and gone again would be in these counters.
 */
static void only_one_came(struct __test_metadata *_metadata, struct sa_seen *s, const char *dev,
			  size_t pages)
{
	sa_since(s, dev);
	EXPECT_GE((long long)pages + SLACK / (long long)SA_PAGE, s->moved_in + s->store) {
		TH_LOG("%lld pages moved to %s, %lld stored there, for %zu", s->moved_in,
		       name_of(dev), s->store, pages);
	}
}

/* Two cgroups that have pages on the first device, a part of one after one of the other */
FIXTURE(other)
{
	char cg[2][256];
	struct sa_holder *h;	/* what is in a fixture is shared with the children */
	size_t n;		/* pages of a cgroup */
};

FIXTURE_VARIANT(other)
{
	const char *format;
};

FIXTURE_VARIANT_ADD(other, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(other, packed) { .format = "packed" };

enum { NOT, MAY };

/* Two cgroups, each with so many pages of two processes on the first device. */
static const char *two_groups(struct __test_metadata *_metadata, const char *format,
			      char cg[2][256], struct sa_holder **h, size_t n)
{
	static const char * const names[] = { [NOT] = "not", [MAY] = "may" };
	const char *why = begin(SA_NEED_DEVS);
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
	ASSERT_EQ(0, on_in(0, format));
	for (i = 0; i < 4; i++)
		hold(_metadata, &(*h)[i], n / 2, cg[i % 2]);
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(has(cg[i], sa_dev(0), n));
	return NULL;
}

FIXTURE_SETUP(other)
{
	const char *why;

	self->n = 4 * SA_MIB_PAGES;
	why = two_groups(_metadata, variant->format, self->cg, &self->h, self->n);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(other)
{
	EXPECT_EQ(0, sa_end());
}

/* The pages of one of the two cgroups can be read and are right, and nobody was killed. */
static bool all_right(struct sa_holder *h, const char *cg, int which)
{
	return !sa_hold_ask(&h[which], 'c') && !sa_hold_ask(&h[which + 2], 'c') &&
	       !sa_cg_key(cg, "memory.events", "oom_kill");
}

#define END_OTHER()							\
do {									\
	int __i;							\
									\
	for (__i = 0; __i < 4; __i++)					\
		let_go(_metadata, &self->h[__i], self->cg[__i % 2]);	\
} while (0)

/* swapoff: to the next tier that it may use. */
TEST_F_TIMEOUT(other, swapoff, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_see(&s, NULL);
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(1), self->n));
	EXPECT_TRUE(has(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	only_one_came(_metadata, &s, NULL, self->n);
	END_OTHER();
}

/* The same with a device that is forbidden, above the one that is not. */
TEST_F_TIMEOUT(other, swapoff_past_device, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], sa_dev(1), "0"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[MAY], NULL, "0"));
	sa_see(&s, sa_dev(1));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(has(self->cg[NOT], NULL, self->n));
	EXPECT_TRUE(has(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], sa_dev(1)));
	only_one_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

/* Where there is none but RAM, RAM it is. */
TEST_F_TIMEOUT(other, swapoff_to_ram, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_see(&s, NULL);
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(has(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, sum_of(self->cg[NOT]));
	only_one_came(_metadata, &s, NULL, self->n);
	EXPECT_EQ(0, sa_violations());
	/* Nor does it get there now that memory is short. */
	sa_cg_reclaim(self->cg[NOT], self->n * SA_PAGE);
	EXPECT_EQ(0, sum_of(self->cg[NOT]));
	END_OTHER();
}

/* Where its cgroup has no RAM either, swapoff fails, and the device is used on. */
TEST_F_TIMEOUT(other, swapoff_no_ram, SA_TIMEOUT)
{
	struct sa_seen s;
	int ret;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	ASSERT_EQ(0, sa_cg_write_num(self->cg[NOT], "memory.max", LITTLE));
	sa_see(&s, NULL);
	ret = sa_swapoff_child(sa_dev(0), LIMIT);
	TH_LOG("swapoff: %d, %lld bytes of memory for a limit of %zu", ret,
	       sa_cg_num(self->cg[NOT], "memory.current"), LITTLE);
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_GE(LITTLE + SLACK, sa_cg_num(self->cg[NOT], "memory.current"));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	only_one_came(_metadata, &s, NULL, self->n);
	EXPECT_EQ(0, sa_violations());
	END_OTHER();
}

TEST_F_TIMEOUT(other, drain, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, on(1));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_see(&s, NULL);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(comes_down_to(sa_dev(0), 0));
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(1), self->n));
	EXPECT_TRUE(has(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	only_one_came(_metadata, &s, NULL, self->n);
	END_OTHER();
}

/* Down to another device: that of the one that may. */
TEST_F_TIMEOUT(other, demote, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, on_in(1, variant->format));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], sa_dev(1), "0"));
	sa_see(&s, sa_dev(1));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_TRUE(has(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(0), self->n));
	/* When none but such is left, there is no room. */
	EXPECT_TRUE(sa_only_swapped());
	sa_tier_write(sa_dev(0), "demote", "all");
	/* Nor in the background. */
	ASSERT_EQ(0, sa_watermarks(sa_dev(0), 0, 0));
	sleep(QUIET);
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], sa_dev(1)));
	only_one_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

TEST_F_TIMEOUT(other, promote, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	sa_see(&s, NULL);
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "promote", "all"));
	EXPECT_TRUE(has(self->cg[MAY], NULL, self->n));
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	only_one_came(_metadata, &s, NULL, self->n);
	END_OTHER();
}

TEST_F_TIMEOUT(other, promote_to_device, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, on_in(1, variant->format));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "rank", "9"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], sa_dev(1), "0"));
	sa_see(&s, sa_dev(1));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "promote", "all"));
	EXPECT_TRUE(has(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], sa_dev(1)));
	only_one_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

/*
 * memory.zswap.writeback=0 keeps off devices what swapoff takes from one, also where
 * zswap does not take it. (While zswap is disabled it means nothing, as ever.)
 */
TEST_F_TIMEOUT(other, swapoff_no_writeback, SA_TIMEOUT)
{
	struct sa_seen s;
	int i;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, on_in(1, variant->format));
	ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.writeback", "0"));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_cg_limit_tier(self->cg[i], NULL, "0"));
	sa_see(&s, sa_dev(1));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_TRUE(has(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_EQ(0, sum_of(self->cg[NOT]));
	only_one_came(_metadata, &s, sa_dev(1), self->n);
	END_OTHER();
}

TEST_F_TIMEOUT(other, demote_no_writeback, SA_TIMEOUT)
{
	struct sa_seen s;

	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, on_in(1, variant->format));
	ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.writeback", "0"));
	sa_see(&s, sa_dev(1));
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_TRUE(has(self->cg[MAY], sa_dev(1), self->n));
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(0), self->n));
	only_one_came(_metadata, &s, sa_dev(1), self->n);
	/* zswap is no device. */
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "promote", "all"));
	EXPECT_TRUE(has(self->cg[NOT], NULL, self->n));
	END_OTHER();
}

/* --- nowhere to go ------------------------------------------------------- */

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
	why = two_groups(_metadata, variant->format, self->cg, &self->h, self->n);
	if (why)
		SKIP(return, "%s", why);

	/* Other tiers have room for all, but take none of the first cgroup's. */
	ASSERT_EQ(0, sa_zswap(true));
	if (variant->why == FORBIDDEN)
		ASSERT_EQ(0, sa_cg_limit_tier(self->cg[NOT], NULL, "0"));
	if (variant->why != FORBIDDEN)
		ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.max", "0"));
	if (variant->why == WRITEBACK) {
		ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.zswap.writeback", "0"));
		ASSERT_EQ(0, on(1));
	}
	ASSERT_EQ(0, sa_cg_write_num(self->cg[NOT], "memory.max", LITTLE));
}

FIXTURE_TEARDOWN_PARENT(stuck)
{
	EXPECT_EQ(0, sa_end());
}

/* One that can't leave does not hold the other up, and is what it was. */
TEST_F_TIMEOUT(stuck, drain, SA_TIMEOUT)
{
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(has(self->cg[MAY], NULL, self->n));
	EXPECT_TRUE(sa_wait_purged(!sa_cg_tier(self->cg[MAY], sa_dev(0)), SOON));
	EXPECT_STATE("draining", sa_dev(0));
	sleep(QUIET);
	EXPECT_STATE("draining", sa_dev(0));
	EXPECT_TRUE(has(self->cg[NOT], sa_dev(0), self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	EXPECT_GE(LITTLE + SLACK, sa_cg_num(self->cg[NOT], "memory.current"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_TRUE(all_right(self->h, self->cg[MAY], MAY));
	/* It can be read as ever, where there is room for that. */
	ASSERT_EQ(0, sa_cg_write(self->cg[NOT], "memory.max", "max"));
	EXPECT_TRUE(all_right(self->h, self->cg[NOT], NOT));
	END_OTHER();
}

/*
 * The same where there is no more room than before: what was read goes again, as its
 * copy is there still, and nobody is killed because an administrator drains a device.
 */
TEST_F_TIMEOUT(stuck, drain_in_use, SA_TIMEOUT)
{
	double end = sa_now() + 3;

	ASSERT_TRUE(all_right(self->h, self->cg[NOT], NOT));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	while (sa_now() < end) {
		ASSERT_TRUE(all_right(self->h, self->cg[NOT], NOT)) {
			TH_LOG("%lld killed, %lld bytes are on the device",
			       sa_cg_key(self->cg[NOT], "memory.events", "oom_kill"),
			       sa_cg_tier(self->cg[NOT], sa_dev(0)));
		}
	}
	EXPECT_TRUE(has(self->cg[MAY], NULL, self->n));
	EXPECT_EQ(0, sa_cg_tier(self->cg[NOT], NULL));
	END_OTHER();
}

/* --- nowhere to go from a device that needs no I/O ----------------------- */

/* A fault there gives the copy up at once, because it is cheap to make. */
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
	const char *why = begin(0);

	if (!why && !strcmp(variant->dev, SA_ZRAM))
		why = sa_zram_make(AT_ONCE_DEV, 0);
	if (!why && access(variant->dev, W_OK))
		why = "no ram disk";
	if (!why && sa_zswap(true))
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
	ASSERT_EQ(0, sa_format(variant->dev, "raw"));
}

FIXTURE_TEARDOWN_PARENT(at_once)
{
	sa_cg_destroy(self->cg);
	/* One that the tests have not been given for themselves */
	swapoff(variant->dev);
	EXPECT_EQ(0, sa_end());
}

/*
 * All of the cgroup's pages are on a device that is drained, and no other takes them:
 * what is read must keep its copy, as it could not leave memory again without it. Or the
 * device is full, and stays in use: what is read gives up its place to another.
 */
TEST_F_TIMEOUT(at_once, read_again, SA_TIMEOUT)
{
	int rounds;

	/* Full: a bit more than the device and LITTLE would hold */
	self->n = variant->full ? AT_ONCE_DEV + SA_MIB_PAGES / 2 : 8 * SA_MIB_PAGES;
	ASSERT_EQ(0, sa_hold_start(self->h, self->n, SA_TEXT, self->cg));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.max", LITTLE));
	if (variant->full) {
		EXPECT_GE(SLACK, sa_meminfo("SwapFree"));
	} else {
		EXPECT_TRUE(sa_only_swapped());
		ASSERT_EQ(self->n, self->h->swapped);
		ASSERT_TRUE(has(self->cg, variant->dev, self->n));
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
			EXPECT_TRUE(has(self->cg, variant->dev, self->n));
	}
	EXPECT_EQ(0, sa_cg_tier(self->cg, NULL));
	EXPECT_EQ(0, sa_violations());
	let_go(_metadata, self->h, self->cg);
}

/* --- memory.zswap.writeback ---------------------------------------------- */

FIXTURE(no_writeback)
{
	char parent[256], cg[256];
	struct sa_holder *h;
	struct sa_area a;
	struct sa_seen s;
	size_t n;
};

FIXTURE_VARIANT(no_writeback)
{
	const char *format;
	bool above;
};

FIXTURE_VARIANT_ADD(no_writeback, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(no_writeback, packed) { .format = "packed" };

/* It is the one above it that says so. */
FIXTURE_VARIANT_ADD(no_writeback, above) { .format = "packed", .above = true };

FIXTURE_SETUP(no_writeback)
{
	const char *why = begin(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	if (sa_zswap(true))
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
	ASSERT_EQ(0, on_in(0, variant->format));
	hold(_metadata, self->h, self->n, self->cg);
	ASSERT_EQ(self->n, self->h->swapped);
	ASSERT_TRUE(has(self->cg, NULL, self->n));
	sa_see(&self->s, sa_dev(0));
}

FIXTURE_TEARDOWN_PARENT(no_writeback)
{
	EXPECT_EQ(0, sa_end());
}

/* All of it is in zswap, and nothing but what others have has come to the device. */
#define EXPECT_KEPT(_others)						\
do {									\
	struct sa_seen __s = self->s;					\
									\
	EXPECT_TRUE(has(self->cg, NULL, self->n));			\
	EXPECT_EQ(0, sa_cg_tier(self->cg, sa_dev(0)));			\
	only_one_came(_metadata, &__s, sa_dev(0), _others);		\
	EXPECT_EQ(0, sa_violations());					\
} while (0)

/* Not by order, of which others' pages are a part, nor by the marks. */
TEST_F_TIMEOUT(no_writeback, demote, SA_TIMEOUT)
{
	put(_metadata, &self->a, self->n, SA_TEXT, 1);
	EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	EXPECT_TRUE(comes_to_hold(sa_dev(0), self->n * SA_PAGE));
	EXPECT_KEPT(self->n);
	sa_tier_write(NULL, "demote", "all");
	ASSERT_EQ(0, sa_watermarks(NULL, 0, 0));
	sa_zswap_kick();
	sleep(QUIET);
	EXPECT_KEPT(2 * self->n);
	let_go(_metadata, self->h, self->cg);
	EXPECT_EQ(0, sa_area_check(&self->a));
}

/* Nor when memory is short, and zswap's shrinker is asked. */
TEST_F_TIMEOUT(no_writeback, shrinker, SA_TIMEOUT)
{
	ASSERT_EQ(0, sa_zswap_param("shrinker_enabled", "Y"));
	sa_cg_reclaim(self->cg, self->n * SA_PAGE);
	sa_cg_reclaim(self->parent, self->n * SA_PAGE);
	ASSERT_EQ(0, sa_write("/proc/sys/vm/drop_caches", "2"));
	sleep(QUIET);
	EXPECT_KEPT(0);
	let_go(_metadata, self->h, self->cg);
}

/* What is too much for a limit stays where it is, and nothing more comes. */
TEST_F_TIMEOUT(no_writeback, limit_lowered, SA_TIMEOUT)
{
	static const char * const limits[] = { "4M", "0" };
	size_t m = SA_MIB_PAGES, i;
	struct sa_holder h;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		ASSERT_EQ(0, sa_cg_limit_tier(i ? self->cg : self->parent, NULL, limits[i]));
		sleep(QUIET);
		EXPECT_KEPT(0);
		/* Unmapped perhaps, but in RAM */
		ASSERT_EQ(0, sa_hold_start(&h, m, SA_TEXT, self->cg));
		EXPECT_GE(self->n * SA_PAGE + SLACK / 4, sum_of(self->cg));
		EXPECT_KEPT(0);
		let_go(_metadata, &h, self->cg);
		/* The excess is looked at again by whoever is over a limit. */
		sa_tier_write(NULL, "demote", "all");
		EXPECT_KEPT(0);
	}
	/* What is wanted comes back, and can't go there again. */
	EXPECT_EQ(0, sa_hold_ask(self->h, 'c'));
	sa_hold_ask(self->h, 'p');
	EXPECT_EQ(0, sum_of(self->cg));
	let_go(_metadata, self->h, self->cg);
}

/* Allowed again, the excess goes when it is looked for, and no more than that. */
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
	EXPECT_TRUE(comes_to_rest());
	/* What is on its way to be packed counts as here, so it is more than the excess. */
	TH_LOG("%lld bytes are left", sa_cg_tier(self->cg, NULL));
	EXPECT_LE(SA_MIB, sa_cg_tier(self->cg, NULL));
	EXPECT_TRUE(about(self->n * SA_PAGE, sum_of(self->cg)));
	let_go(_metadata, self->h, self->cg);
}

/* --- what is wanted again --------------------------------------------------- */

/*
 * A process whose pages are on a device reads two sets of them for a while: seven times
 * of eight any page of the hot one, else the next one of the cold one.
 */
#define READS	40LL		/* for each page, on average */

struct thrash {
	struct __test_metadata *_metadata;
	const char *cg;
	size_t hot, cold;		/* pages */
	/* What came of that */
	long long reads, hot_up, cold_up, stored, refault, activate, restore;
	unsigned char sum;		/* for something to be done with what is read */
};

/* How many pages of the area are read from zswap? */
static long long read_from_zswap(const struct sa_area *a)
{
	long long before = sa_tier_num(NULL, "stats/load");
	size_t wrong = sa_area_check(a);

	return wrong ? -1 : sa_tier_num(NULL, "stats/load") - before;
}

static void workingset(struct thrash *t, int sign)
{
	t->refault += sign * sa_cg_key(t->cg, "memory.stat", "workingset_refault_anon");
	t->activate += sign * sa_cg_key(t->cg, "memory.stat", "workingset_activate_anon");
	t->restore += sign * sa_cg_key(t->cg, "memory.stat", "workingset_restore_anon");
	t->stored += sign * sa_tier_num(NULL, "stats/store");
}

static int thrash(void *arg)
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
	ASSERT_EQ(0, sa_zswap(true));
	workingset(t, -1);
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
	workingset(t, 1);
	sa_pageout(hot.p, hot.n);
	sa_pageout(cold.p, cold.n);
	t->hot_up = read_from_zswap(&hot);
	t->cold_up = read_from_zswap(&cold);
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
	const char *why = begin(SA_NEED_DEV);

	/* There the bit of a page that was used is not seen again once it was cleared. */
	if (!why && sa_uml())
		why = "User Mode Linux does not tell which pages are in use";
	if (!why && !sa_have_zswap())
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	self->t = sa_shared();
	ASSERT_NE(NULL, self->t);
	ASSERT_EQ(0, sa_cg_make("thrash", 8 * SA_MIB, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, on_in(0, variant->format));
}

FIXTURE_TEARDOWN_PARENT(thrash)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Neither set fits, and of the hot one a page comes back sooner than there is memory.
 * It takes several rounds until reclaim knows, as a page has to become active, to be
 * evicted all the same, and to come back soon; so it is a part of them, but next to
 * none of what is read in turn.
 */
TEST_F_TIMEOUT(thrash, hot_goes_up, SA_TIMEOUT)
{
	struct thrash *t = self->t;

	t->_metadata = _metadata;
	t->cg = self->cg;
	t->hot = 6 * SA_MIB_PAGES;
	t->cold = 10 * SA_MIB_PAGES;
	ASSERT_EQ(0, sa_run(self->cg, thrash, t, LIMIT));
	TH_LOG("%lld reads, %lld refaults, %lld activated, %lld restored; %lld stored in zswap",
	       t->reads, t->refault, t->activate, t->restore, t->stored);
	TH_LOG("in zswap: %lld of %zu hot pages, %lld of %zu cold ones", t->hot_up, t->hot,
	       t->cold_up, t->cold);
	EXPECT_LE((long long)t->hot / 8, t->hot_up);
	EXPECT_GE((long long)t->cold / 8, t->cold_up);
	EXPECT_EQ(0, sa_cg_key(self->cg, "memory.events", "oom_kill"));
}

TEST_HARNESS_MAIN
