// SPDX-License-Identifier: GPL-2.0
/*
 * These tests turn vm.swap_abs on and off: idle, under load, with entries of
 * both kinds in one address space and across fork, and while the device is full
 * of either kind.
 *
 * The test fails on a kernel that loses an entry of before a switch, where "on"
 * leaves new entries physical or "off" leaves new ones virtual, where the
 * virtual area does not drain once it is off, or where a switch turns used
 * slots into capacity or loses capacity.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define LIMIT	(SA_TIMEOUT / 3)

FIXTURE(toggle)
{
	char cg[256];
};

FIXTURE_VARIANT(toggle)
{
	bool zswap;
};

FIXTURE_VARIANT_ADD(toggle, device) { .zswap = false };

FIXTURE_VARIANT_ADD(toggle, zswap) { .zswap = true };

FIXTURE_SETUP(toggle)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (why)
		SKIP(return, "%s", why);
	if (variant->zswap && sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 128 * SA_MIB_PAGES, -1));
}

FIXTURE_TEARDOWN_PARENT(toggle)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Tell whether the layer stores nothing in any tier, and nothing else uses swap
 */
static bool is_all_empty(void)
{
	const char *dev = sa_dev(0);
	size_t used = 1;

	return sa_tier_num(dev, "used") == 0 && sa_tier_num(dev, "stored") == 0 &&
	       (!sa_have_zswap() || (sa_tier_num(NULL, "used") == 0 &&
				     sa_tier_num(NULL, "stored") == 0)) &&
	       sa_swaps_read(dev, NULL, &used, NULL) && used == 0 &&
	       sa_meminfo("SwapFree") <= sa_meminfo("SwapTotal");
}

/* Return the type of the swap entry of a page, or -1 if it has none */
static int read_entry_type(const void *p)
{
	__u64 e;

	if (sa_pagemap(p, 1, &e) || !(e & SA_PM_SWAP))
		return -1;
	return e & 31;
}

TEST_F_TIMEOUT(toggle, idle, SA_TIMEOUT)
{
	long long total = -1;
	int i, on;

	for (i = 0; i < 200; i++) {
		on = i & 1;
		ASSERT_EQ(0, sa_set_layer(on));
		ASSERT_EQ(on, sa_read_num(SA_SYSCTL));
		EXPECT_EQ(1, sa_nswaps());
		/*
		 * The total may be without the slots that can't be lent, but
		 * must be the same each time.
		 */
		if (on) {
			if (total >= 0)
				EXPECT_EQ(total, sa_meminfo("SwapTotal"));
			total = sa_meminfo("SwapTotal");
		}
	}
	EXPECT_TRUE(is_all_empty());
}

TEST_F_TIMEOUT(toggle, both_kinds, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES, i, stored;
	struct sa_area a[4];
	int type[4], round, dev_type, status;
	pid_t pid;

	/* The entries are physical and virtual by turns, side by side. */
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, sa_set_layer(i & 1));
		ASSERT_EQ(0, sa_area_map(&a[i], n, SA_MIXED, 40 + i));
		sa_area_fill(&a[i]);
		ASSERT_LE(n - 8, sa_pageout(a[i].p, n));
		type[i] = read_entry_type(a[i].p);
	}
	dev_type = type[0];
	EXPECT_LE(0, dev_type);
	EXPECT_EQ(dev_type, type[2]);
	EXPECT_NE(dev_type, type[1]);
	EXPECT_EQ(type[1], type[3]);

	/* All areas can be read in each state, also by a child. */
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, sa_set_layer(round));
		pid = sa_fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			size_t bad = 0;

			for (i = 0; i < 4; i++) {
				bad += sa_area_check(&a[i]);
				a[i].gen = 1;
				sa_area_fill(&a[i]);
				sa_pageout(a[i].p, n / 2);
				bad += sa_area_check(&a[i]);
			}
			_exit(!!bad);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, sa_area_check(&a[i]));
	/* New entries are of the current kind, at the same addresses. */
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, sa_set_layer(!round));
		for (i = 0; i < 4; i++) {
			/*
			 * The pages are new, because the swap cache may keep a
			 * page with its old slot.
			 */
			madvise(a[i].p, n * SA_PAGE, MADV_DONTNEED);
			a[i].gen += 2;
			sa_area_fill(&a[i]);
			ASSERT_LE(n - 8, sa_pageout(a[i].p, n));
			EXPECT_EQ(round ? dev_type : type[1],
				  read_entry_type(a[i].p + 5 * SA_PAGE));
		}
		for (i = 0; i < 4; i++)
			EXPECT_EQ(0, sa_area_check(&a[i]));
	}
	/* When the layer is off, virtual slots go away with their users. */
	ASSERT_EQ(0, sa_set_layer(true));
	for (i = 0; i < 4; i++) {
		madvise(a[i].p, n * SA_PAGE, MADV_DONTNEED);
		a[i].gen += 2;
		sa_area_fill(&a[i]);
		sa_pageout(a[i].p, n);
	}
	ASSERT_EQ(0, sa_set_layer(false));
	stored = sa_tier_num(sa_dev(0), "stored") +
		(sa_have_zswap() ? sa_tier_num(NULL, "stored") : 0);
	EXPECT_LE(2 * n * SA_PAGE, stored);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, sa_area_check(&a[i]));
		sa_area_unmap(&a[i]);
	}
	EXPECT_TRUE(sa_wait_purged(is_all_empty(), 10));
}

/*
 * Fill, push out and check areas for some time, and let children do the same
 * with a copy
 */
static int run_forking_load(void *arg)
{
	struct sa_load *l = arg;
	double end = sa_now() + l->seconds;
	struct sa_area a, b;
	__u64 rnd = getpid();
	size_t bad = 0;

	if (sa_area_map(&a, l->pages, SA_MIXED, rnd) ||
	    sa_area_map(&b, l->pages, SA_TEXT, rnd + 1))
		return 2;
	sa_area_fill(&b);
	while (!bad && sa_now() < end) {
		size_t from = sa_rand(&rnd) % a.n;
		pid_t pid;

		a.gen++;
		sa_area_fill(&a);
		madvise(a.p + from * SA_PAGE, (a.n - from) * SA_PAGE, MADV_PAGEOUT);
		madvise(b.p, b.n * SA_PAGE, MADV_PAGEOUT);
		pid = sa_fork();
		if (!pid) {
			bad = sa_area_check(&b);
			b.gen++;
			sa_area_fill(&b);
			madvise(b.p, b.n * SA_PAGE, MADV_PAGEOUT);
			_exit(sa_area_check(&b) || bad);
		}
		bad += sa_area_check(&a);
		bad += sa_area_check(&b);
		if (pid > 0)
			bad += !!sa_join(pid, LIMIT);
	}
	return bad ? 1 : 0;
}

TEST_F_TIMEOUT(toggle, under_load, SA_TIMEOUT)
{
	struct sa_load l = {
		.pages = (sa_is_full() ? 8 : 2) * SA_MIB_PAGES,
		.seconds = sa_is_full() ? 60 : 2,
	};
	double end = sa_now() + l.seconds;
	long long toggles = 0;
	__u64 rnd = 17;
	char cg[256];
	pid_t pid[2];

	ASSERT_EQ(0, sa_cg_make("toggle", 4 * l.pages * SA_PAGE + 8 * SA_MIB, cg,
				sizeof(cg)));
	pid[0] = sa_start(cg, run_forking_load, &l);
	pid[1] = sa_start(cg, run_forking_load, &l);
	while (sa_now() < end) {
		EXPECT_EQ(0, sa_set_layer(toggles++ & 1));
		usleep(sa_rand(&rnd) % 20000);
	}
	EXPECT_EQ(0, sa_join(pid[0], LIMIT));
	EXPECT_EQ(0, sa_join(pid[1], LIMIT));
	TH_LOG("%lld switches", toggles);
	EXPECT_EQ(0, sa_set_layer(false));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_TRUE(sa_wait_purged(is_all_empty(), 10));
}

/*
 * The layer is switched while nothing is free. The device ends within a
 * cluster; with the layer on, the first and the last cluster are out of reach.
 */
FIXTURE(full)
{
	long long free[2];	/* of the empty device, off and on */
};

FIXTURE_VARIANT(full)
{
	bool zswap;		/* takes pages once the device is full */
};

FIXTURE_VARIANT_ADD(full, device) { .zswap = false };

FIXTURE_VARIANT_ADD(full, zswap) { .zswap = true };

#define FULL_PAGES	(12 * SA_MIB_PAGES + 77)

FIXTURE_SETUP(full)
{
	const char *why = sa_begin(true, SA_NEED_DEV | (variant->zswap ? SA_NEED_ZSWAP : 0));
	int on;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon(sa_dev(0), FULL_PAGES, -1));
	for (on = 0; on < 2; on++) {
		ASSERT_EQ(0, sa_set_layer(on));
		self->free[on] = sa_meminfo("SwapFree");
	}
	ASSERT_LT(0, self->free[1]);
	/*
	 * The layer can use each slot, also those beside the header and at the
	 * end.
	 */
	ASSERT_EQ(self->free[1], self->free[0]);
}

FIXTURE_TEARDOWN_PARENT(full)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Map another area and swap out as much as there is room for. Return the bytes
 * that went out.
 */
static long long swap_out_new_area(struct sa_area *a, size_t pages, enum sa_pat pat, __u64 seed)
{
	if (sa_area_map(a, pages, pat, seed))
		return -1;
	sa_area_fill(a);
	return sa_pageout(a->p, a->n) * SA_PAGE;
}

static void toggle_layer(struct __test_metadata *_metadata, bool on,
			 const long long *free_bytes)
{
	int i;

	for (i = 0; i < 20; i++) {
		on = !on;
		ASSERT_EQ(0, sa_set_layer(on));
		EXPECT_EQ(free_bytes[on], sa_meminfo("SwapFree"));
		EXPECT_EQ(0, sa_violations());
	}
}

TEST_F_TIMEOUT(full, on, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES;
	long long nothing[2] = { }, stored;
	struct sa_area a, b, c;
	double start;

	ASSERT_EQ(0, sa_set_layer(false));
	ASSERT_EQ(self->free[0], swap_out_new_area(&a, FULL_PAGES, SA_RANDOM, 50));
	ASSERT_EQ(0, sa_meminfo("SwapFree"));
	if (variant->zswap)
		ASSERT_EQ(0, sa_set_zswap(true));
	toggle_layer(_metadata, false, nothing);

	/* No slot is free: only zswap takes pages, if it can compress them. */
	ASSERT_EQ(0, sa_set_layer(true));
	start = sa_now();
	if (variant->zswap) {
		EXPECT_LE((long long)((n - 8) * SA_PAGE), swap_out_new_area(&b, n, SA_TEXT, 51));
		stored = sa_tier_num(NULL, "stored");
		/* zswap refuses these pages, so they stay in the swap cache. */
		EXPECT_LE(0, swap_out_new_area(&c, n, SA_RANDOM, 52));
		EXPECT_EQ(stored, sa_tier_num(NULL, "stored"));
	} else {
		EXPECT_EQ(0, swap_out_new_area(&b, n, SA_TEXT, 51));
		EXPECT_EQ(0, swap_out_new_area(&c, n, SA_RANDOM, 52));
	}
	EXPECT_LT(sa_now() - start, 60);
	EXPECT_EQ(0, sa_meminfo("SwapFree"));
	EXPECT_EQ(0, sa_tier_num(sa_dev(0), "used"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&c));
	EXPECT_EQ(0, sa_area_check(&b));
	EXPECT_EQ(0, sa_area_check(&a));

	/* The layer gets the slots that become free. */
	sa_area_unmap(&a);
	sa_area_unmap(&b);
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == self->free[1], 20));
	ASSERT_EQ(0, sa_set_zswap(false));
	EXPECT_EQ((long long)(n * SA_PAGE), swap_out_new_area(&b, n, SA_RANDOM, 53));
	EXPECT_EQ((long long)(n * SA_PAGE), sa_tier_num(sa_dev(0), "used"));
	EXPECT_EQ(0, sa_area_check(&b));
	sa_area_unmap(&b);
	sa_area_unmap(&c);
	EXPECT_TRUE(sa_wait_purged(is_all_empty(), 20));
	EXPECT_EQ(self->free[1], sa_meminfo("SwapFree"));
}

TEST_F_TIMEOUT(full, off, SA_TIMEOUT)
{
	long long stranded = self->free[0] - self->free[1], nothing[2] = { };
	size_t n = 2 * SA_MIB_PAGES, half = FULL_PAGES / 2, i;
	long long left[2] = { stranded, 0 };
	struct sa_area a, b, c, d;
	double start;

	ASSERT_EQ(self->free[1], swap_out_new_area(&a, FULL_PAGES, SA_RANDOM, 60));
	ASSERT_EQ(0, sa_meminfo("SwapFree"));
	if (variant->zswap) {
		ASSERT_EQ(0, sa_set_zswap(true));
		EXPECT_LE((long long)((n - 8) * SA_PAGE), swap_out_new_area(&b, n, SA_TEXT, 61));
	}
	/* When the layer is off, there are the slots that it can't reach. */
	toggle_layer(_metadata, true, left);
	ASSERT_EQ(0, sa_set_layer(false));
	start = sa_now();
	EXPECT_EQ(stranded, swap_out_new_area(&c, 2 * n, SA_RANDOM, 62));
	EXPECT_LT(sa_now() - start, 60);
	EXPECT_EQ(0, sa_meminfo("SwapFree"));
	EXPECT_EQ(0, sa_violations());
	toggle_layer(_metadata, false, nothing);

	/* Virtual slots that are freed make room for physical ones. */
	madvise(a.p, half * SA_PAGE, MADV_DONTNEED);
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") >=
				   (long long)((half - 2 * SA_CLUSTER) * SA_PAGE), 20));
	EXPECT_LE((long long)(n * SA_PAGE), swap_out_new_area(&d, n, SA_RANDOM, 63));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&d));
	EXPECT_EQ(0, sa_area_check(&c));
	if (variant->zswap)
		EXPECT_EQ(0, sa_area_check(&b));
	for (i = 0; i < half; i++)
		sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, a.gen);
	EXPECT_EQ(0, sa_area_check(&a));

	sa_area_unmap(&a);
	if (variant->zswap)
		sa_area_unmap(&b);
	sa_area_unmap(&c);
	sa_area_unmap(&d);
	EXPECT_TRUE(sa_wait_purged(is_all_empty(), 20));
	EXPECT_EQ(self->free[0], sa_meminfo("SwapFree"));
}

TEST_HARNESS_MAIN
