// SPDX-License-Identifier: GPL-2.0
/*
 * swapoff of a device that holds pages: into another device, into zswap, into
 * RAM, and into nothing; with interruptions; and swapon and swapoff in any
 * order.
 *
 * The test fails on a kernel that loses or exchanges a page while it moves it,
 * that leaves slots or tiers behind, that takes a device away although its data
 * has nowhere to go, or kills somebody because of that, that can't be
 * interrupted, or, with the layer on, whose page-table entries change when data
 * moves.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define LIMIT	(SA_TIMEOUT / 3)

FIXTURE(swapoff)
{
};

FIXTURE_VARIANT(swapoff)
{
	bool on;
};

FIXTURE_VARIANT_ADD(swapoff, off) { .on = false };

FIXTURE_VARIANT_ADD(swapoff, on) { .on = true };

FIXTURE_SETUP(swapoff)
{
	const char *why = sa_begin(variant->on, SA_NEED_DEVS);

	signal(SIGPIPE, SIG_IGN);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(swapoff)
{
	EXPECT_EQ(0, sa_end());
}

static size_t nr_test_pages(void)
{
	return (sa_is_full() ? 64 : 12) * SA_MIB_PAGES;
}

static size_t used_pages(int dev)
{
	size_t n = 0;

	sa_swaps_read(sa_dev(dev), NULL, &n, NULL);
	return n;
}

TEST_F_TIMEOUT(swapoff, into_ram, SA_TIMEOUT)
{
	size_t n = nr_test_pages();
	struct sa_holder h;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_RANDOM, NULL));
	EXPECT_LE(n - 8, h.swapped);
	EXPECT_LE(n - 8, used_pages(0));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
}

TEST_F_TIMEOUT(swapoff, into_device, SA_TIMEOUT)
{
	size_t n = nr_test_pages();
	char cg[256];
	struct sa_holder h;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, 5));
	/*
	 * RAM has room for only a part of the pages, so the rest must move to
	 * the other device.
	 */
	ASSERT_EQ(0, sa_cg_make("swapoff", n / 2 * SA_PAGE + 2 * SA_MIB, cg,
				sizeof(cg)));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_RANDOM, cg));
	EXPECT_LE(n - 8, h.swapped);
	ASSERT_EQ(0, sa_swapon(sa_dev(1), 160 * SA_MIB_PAGES, 3));
	EXPECT_EQ(0, used_pages(1));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(1, sa_nswaps());
	/*
	 * With the layer all pages can move without a change in a page table.
	 */
	if (variant->on) {
		EXPECT_EQ((long)h.swapped, sa_hold_ask(&h, 's'));
		EXPECT_LE(h.swapped / 2, used_pages(1));
	} else {
		EXPECT_LT(0, used_pages(1));
	}
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	/* The pages move back. */
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_TRUE(sa_wait_purged(used_pages(0) == 0, 10));
}

TEST_F_TIMEOUT(swapoff, into_zswap, SA_TIMEOUT)
{
	size_t n = nr_test_pages();
	char cg[256];
	struct sa_holder h;

	if (!sa_have_zswap())
		SKIP(return, "no zswap");
	if (!variant->on)
		SKIP(return, "without the layer zswap needs a device");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	/*
	 * The cgroup has room for the compressed pages, which are charged to
	 * it, and not more.
	 */
	ASSERT_EQ(0, sa_cg_make("swapoff", n / 3 * 2 * SA_PAGE + 2 * SA_MIB, cg,
				sizeof(cg)));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_TEXT, cg));
	EXPECT_LE(n - 8, h.swapped);
	/*
	 * Because of the limit, some pages of the process's stack and heap may
	 * be there, too.
	 */
	EXPECT_LE((long long)(h.swapped * SA_PAGE), sa_tier_num(sa_dev(0), "stored"));
	EXPECT_GE((long long)((h.swapped + 16) * SA_PAGE), sa_tier_num(sa_dev(0), "stored"));
	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_LT(0, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(NULL, "stored") == 0, 10));
}

/*
 * Neither a tier nor the cgroup has room: swapoff must fail with ENOMEM, the
 * device must stay, and nobody may be killed. (Without the layer, 7.3 calls the
 * OOM killer here.)
 */
TEST_F_TIMEOUT(swapoff, into_nothing, SA_TIMEOUT)
{
	size_t n = nr_test_pages(), size = 0;
	char cg[256], state[64];
	struct sa_holder h;
	int i;

	if (!variant->on)
		SKIP(return, "only the layer promises this");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_cg_make("swapoff", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_RANDOM, cg));
	EXPECT_LE(n - 8, h.swapped);
	/*
	 * The limit is set late, so that no page is under writeback that
	 * swapoff could wait for.
	 */
	EXPECT_TRUE(sa_only_swapped());
	ASSERT_EQ(0, sa_cg_write_num(cg, "memory.max",
				     n / 2 * SA_PAGE + 3 * SA_MIB));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOMEM, sa_swapoff_child(sa_dev(0), LIMIT));
		ASSERT_TRUE(sa_swaps_read(sa_dev(0), &size, NULL, NULL));
		EXPECT_EQ(160 * SA_MIB_PAGES - 1, size);
		if (!sa_check_needs(SA_NEED_STATES)) {
			ASSERT_EQ(0, sa_tier_str(sa_dev(0), "state", state,
						 sizeof(state)));
			EXPECT_STREQ("online", state);
		}
		EXPECT_EQ(0, sa_violations());
		EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
		EXPECT_EQ((long)h.swapped, sa_hold_ask(&h, 's'));
	}
	/* A device that is too small for all pages does not help either. */
	ASSERT_EQ(0, sa_swapon(sa_dev(1), n / 8, 0));
	EXPECT_EQ(-ENOMEM, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(2, sa_nswaps());
	EXPECT_EQ((long)h.swapped, sa_hold_ask(&h, 's'));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	/* All pages are right, and the device still takes pages. */
	ASSERT_EQ(0, sa_cg_write(cg, "memory.max", "max"));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_LE((long)n - 8, sa_hold_ask(&h, 'p'));
	EXPECT_TRUE(sa_only_swapped()) {
		TH_LOG("the device takes no more: %lld pages cached, %lld bytes used",
		       sa_swap_cached() / (long long)SA_PAGE,
		       sa_tier_num(sa_dev(0), "used"));
	}
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	/* With room, swapoff works. */
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
}

/*
 * Without the layer, swapoff is not interrupted within one address space, so
 * there are several processes.
 */
#define HOLDERS	8

TEST_F_TIMEOUT(swapoff, interrupted, SA_TIMEOUT)
{
	size_t n = nr_test_pages() * 2 / HOLDERS;
	struct sa_holder h[HOLDERS];
	int j, usec, ret = 0, eintr = 0;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, 5));
	for (j = 0; j < HOLDERS; j++) {
		ASSERT_EQ(0, sa_hold_start(&h[j], n, SA_RANDOM, NULL));
		EXPECT_LE(n - 8, h[j].swapped);
	}
	/*
	 * The signal comes after 0.5 ms, then after 1 ms, and so on until
	 * swapoff succeeds.
	 */
	for (usec = 500; usec < 20000; usec += 500) {
		ret = sa_swapoff_signalled(sa_dev(0), usec, LIMIT);
		if (!ret)
			break;
		ASSERT_EQ(-EINTR, ret);
		eintr++;
		EXPECT_TRUE(sa_swaps_read(sa_dev(0), NULL, NULL, NULL));
		EXPECT_EQ(0, sa_violations());
		if (eintr == 1)
			EXPECT_EQ(0, sa_hold_ask(&h[0], 'c'));
	}
	TH_LOG("interrupted %d times", eintr);
	EXPECT_LT(0, eintr);
	if (sa_nswaps())
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	for (j = 0; j < HOLDERS; j++) {
		EXPECT_EQ(0, sa_hold_ask(&h[j], 'c'));
		EXPECT_EQ(0, sa_hold_end(&h[j]));
	}
}

/* Swap devices on and off at random under a process that swaps all the time */
struct churn {
	size_t pages;
	int seconds;
};

static int run_churn(void *arg)
{
	struct churn *c = arg;
	struct sa_area a;
	double end = sa_now() + c->seconds;
	size_t bad = 0;

	if (sa_area_map(&a, c->pages, SA_MIXED, 71))
		return 2;
	while (!bad && sa_now() < end) {
		a.gen++;
		sa_area_fill(&a);
		sa_pageout(a.p, a.n / 2);
		bad = sa_area_check(&a);
	}
	return bad ? 1 : 0;
}

TEST_F_TIMEOUT(swapoff, any_order, SA_TIMEOUT)
{
	struct churn c = {
		.pages = nr_test_pages() / 2, .seconds = sa_is_full() ? 60 : 3,
	};
	__u64 rnd = 9;
	int status, changes = 0, failed = 0;
	char cg[256];
	pid_t pid;

	if (variant->on)
		sa_set_zswap(true);
	/* There is room for all pages in any order. */
	ASSERT_EQ(0, sa_cg_make("swapoff", 2 * c.pages * SA_PAGE + 8 * SA_MIB,
				cg, sizeof(cg)));
	pid = sa_start(cg, run_churn, &c);
	ASSERT_LT(0, pid);
	while (!waitpid(pid, &status, WNOHANG)) {
		int i = sa_rand(&rnd) % 2;

		if (sa_swaps_read(sa_dev(i), NULL, NULL, NULL)) {
			if (sa_swapoff_child(sa_dev(i), LIMIT))
				failed++;
		} else {
			EXPECT_EQ(0, sa_swapon(sa_dev(i), 64 * SA_MIB_PAGES,
					       sa_rand(&rnd) % 3));
		}
		changes++;
		usleep(sa_rand(&rnd) % 100000);
	}
	TH_LOG("%d changes", changes);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, failed);
	EXPECT_LT(4, changes);
	/* Both devices go, and no tier may stay behind. */
	if (sa_swaps_read(sa_dev(0), NULL, NULL, NULL))
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	if (sa_swaps_read(sa_dev(1), NULL, NULL, NULL))
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_NE(0, access(SA_TIERS "/swap0", F_OK));
	EXPECT_NE(0, access(SA_TIERS "/swap1", F_OK));
}

TEST_HARNESS_MAIN
