// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that can't be had, for every allocation on the way out and in by turns:
 * the page stays where it is, or goes another way, and a fault is tried again.
 * By the kernel's fault injection (Documentation/fault-injection), which the
 * debug configurations have.
 *
 * It fails on a kernel that loses a page when there is no memory for what moves
 * it, keeps what it has allocated before that, or counts what it did not do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define LIMIT		(SA_TIMEOUT / 3)
#define PAGES		(2 * SA_MIB_PAGES)
#define SLAB		"/sys/kernel/debug/failslab/"
#define PAGE_ALLOC	"/sys/kernel/debug/fail_page_alloc/"

static const int percents[] = { 3, 20, 60 };

static int set(const char *dir, const char *name, int value)
{
	char file[96];

	snprintf(file, sizeof(file), "%s%s", dir, name);
	return sa_write_num(file, value);
}

/*
 * From now on so many of a hundred allocations fail: those of tasks that ask for
 * it (make-it-fail), which may sleep or not; or else all tasks' that may not
 * sleep, as those that may are not expected to fail.
 */
static int fail(int percent, bool tasks)
{
	static const char * const dirs[] = { SLAB, PAGE_ALLOC };
	int i, ret = 0;

	for (i = 0; i < 2; i++) {
		ret |= set(dirs[i], "probability", 0);
		ret |= set(dirs[i], "verbose", 0);
		ret |= set(dirs[i], "times", -1);
		ret |= set(dirs[i], "interval", 1);
		ret |= set(dirs[i], "task-filter", tasks);
		ret |= set(dirs[i], "ignore-gfp-wait", !tasks);
	}
	ret |= set(PAGE_ALLOC, "min-order", 0);
	for (i = 0; i < 2; i++)
		ret |= set(dirs[i], "probability", percent);
	return ret ? -EIO : 0;
}

FIXTURE(alloc)
{
	struct sa_area a;
};

FIXTURE_VARIANT(alloc)
{
	bool packed, zswap;
};

FIXTURE_VARIANT_ADD(alloc, raw) { };

FIXTURE_VARIANT_ADD(alloc, packed) { .packed = true };

FIXTURE_VARIANT_ADD(alloc, zswap_raw) { .zswap = true };

FIXTURE_VARIANT_ADD(alloc, zswap_packed) { .packed = true, .zswap = true };

static int start(const char *dev, bool packed)
{
	int ret = sa_swapon(dev, 64 * SA_MIB_PAGES, -1);

	return ret ? ret : sa_format(dev, packed ? "packed" : "raw");
}

FIXTURE_SETUP(alloc)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (!why && (access(SLAB "probability", W_OK) || access(PAGE_ALLOC "probability", W_OK)))
		why = "no fault injection";
	if (!why && variant->zswap && sa_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	/* Who can't go on without memory says so; what is wrong says more than that. */
	sa_log_expect("alloc(ation)? fail|SLUB: Unable|no memory to|Call Trace:|ODEBUG: Out of");
	ASSERT_EQ(0, start(sa_dev(0), variant->packed));
	ASSERT_EQ(0, sa_area_map(&self->a, PAGES, SA_TEXT, 120));
}

FIXTURE_TEARDOWN_PARENT(alloc)
{
	if (!access(SLAB "probability", W_OK))
		fail(0, false);
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* Each page of so many right? It says which one is not, and looks no further. */
static bool is_right(const struct sa_area *a, size_t step)
{
	size_t i;

	for (i = 0; i < a->n; i += step)
		if (sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen))
			return false;
	return true;
}

/* Out, in, and partly freed, in a task of its own: what is left must be right. */
static int use(void *arg)
{
	struct sa_area a = *(struct sa_area *)arg;
	bool right;
	size_t i;

	if (sa_area_map(&a, a.n, a.pat, a.seed))
		return 3;
	sa_area_fill(&a);
	if (sa_write("/proc/self/make-it-fail", "1"))
		return 2;
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	right = is_right(&a, 3);
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	madvise(a.p, a.n * SA_PAGE, MADV_WILLNEED);
	right = right && is_right(&a, 1);
	a.gen++;
	sa_area_fill(&a);
	for (i = 1; i < a.n; i += 2)
		madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	right = right && is_right(&a, 2);
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	while (sa_write("/proc/self/make-it-fail", "0"))
		;
	return right && is_right(&a, 2) ? 0 : 1;
}

/* In the task that reclaims, faults and frees */
TEST_F_TIMEOUT(alloc, tasks, SA_TIMEOUT)
{
	struct sa_area *a = &self->a;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		ASSERT_EQ(0, fail(percents[i], true));
		EXPECT_EQ(0, sa_run(NULL, use, a, LIMIT));
		ASSERT_EQ(0, fail(0, false));
		EXPECT_TRUE(sa_settle());
		EXPECT_EQ(0, sa_violations());
		EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == sa_meminfo("SwapTotal"), 20));
	}
	/* And all is as before. */
	sa_area_fill(a);
	EXPECT_EQ(a->n, sa_pageout(a->p, a->n));
	if (variant->zswap)
		EXPECT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_EQ(0, sa_area_check(a));
}

/* And in those that write back, collect, read and give back */
TEST_F_TIMEOUT(alloc, workers, SA_TIMEOUT)
{
	struct sa_area *a = &self->a;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		a->gen++;
		sa_area_fill(a);
		ASSERT_EQ(0, fail(percents[i], false));
		madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
		if (variant->zswap)
			sa_zswap_kick();
		EXPECT_TRUE(is_right(a, 1));
		madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
		if (variant->zswap)
			sa_zswap_kick();
		ASSERT_EQ(0, fail(0, false));
		EXPECT_EQ(0, sa_area_check(a));
		EXPECT_EQ(a->n, sa_pageout(a->p, a->n));
	}
	if (variant->zswap)
		EXPECT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_TRUE(sa_settle());
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(a));
	sa_area_unmap(a);
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == sa_meminfo("SwapTotal"), 20));
}

static int come_and_go(void *arg)
{
	bool packed = *(bool *)arg;
	int i;

	if (sa_write("/proc/self/make-it-fail", "1"))
		return 2;
	for (i = 0; i < 40; i++) {
		if (swapon(sa_dev(0), 0) && errno != ENOMEM && errno != EBUSY)
			return errno;
		/* Whatever comes of it. */
		sa_format(sa_dev(0), packed ? "packed" : "raw");
		if (sa_swaps(sa_dev(0), NULL, NULL, NULL) && swapoff(sa_dev(0)) &&
		    errno != ENOMEM)
			return 100 + errno;
	}
	return 0;
}

/* And in swapon and swapoff, which leave nothing behind */
TEST_F_TIMEOUT(alloc, devices, SA_TIMEOUT)
{
	bool packed = variant->packed;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		if (sa_swaps(sa_dev(0), NULL, NULL, NULL))
			ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
		ASSERT_EQ(0, fail(percents[i], true));
		EXPECT_EQ(0, sa_run(NULL, come_and_go, &packed, LIMIT));
		ASSERT_EQ(0, fail(0, false));
		if (sa_swaps(sa_dev(0), NULL, NULL, NULL))
			ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
		ASSERT_EQ(0, start(sa_dev(0), packed));
		EXPECT_EQ(sa_meminfo("SwapTotal"), sa_meminfo("SwapFree"));
		sa_area_fill(&self->a);
		EXPECT_EQ(self->a.n, sa_pageout(self->a.p, self->a.n));
		EXPECT_EQ(0, sa_area_check(&self->a));
	}
	EXPECT_EQ(0, sa_violations());
}

TEST_HARNESS_MAIN
