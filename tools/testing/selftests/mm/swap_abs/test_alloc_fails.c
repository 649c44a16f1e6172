// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations fail by turns on the way out to swap and on the way in. A page
 * then stays where it is or takes another way, and a fault is tried again. The
 * kernel's fault injection (Documentation/fault-injection), which the debug
 * configurations have, makes the allocations fail.
 *
 * The test fails on a kernel that loses a page when there is no memory for the
 * structures that move it, that leaks what it has allocated before the failure,
 * or that counts a move that it did not make.
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

static int write_fault_attr(const char *dir, const char *name, int value)
{
	char file[96];

	snprintf(file, sizeof(file), "%s%s", dir, name);
	return sa_write_num(file, value);
}

/*
 * Let @percent of 100 allocations fail. With @tasks, only the allocations of
 * tasks with make-it-fail fail, whether they may sleep or not. Without @tasks,
 * only allocations that may not sleep fail, because the kernel does not expect
 * the others to fail.
 */
static int inject_failures(int percent, bool tasks)
{
	static const char * const dirs[] = { SLAB, PAGE_ALLOC };
	int i, ret = 0;

	for (i = 0; i < 2; i++) {
		ret |= write_fault_attr(dirs[i], "probability", 0);
		ret |= write_fault_attr(dirs[i], "verbose", 0);
		ret |= write_fault_attr(dirs[i], "times", -1);
		ret |= write_fault_attr(dirs[i], "interval", 1);
		ret |= write_fault_attr(dirs[i], "task-filter", tasks);
		ret |= write_fault_attr(dirs[i], "ignore-gfp-wait", !tasks);
	}
	ret |= write_fault_attr(PAGE_ALLOC, "min-order", 0);
	for (i = 0; i < 2; i++)
		ret |= write_fault_attr(dirs[i], "probability", percent);
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

static int swapon_with_format(const char *dev, bool packed)
{
	int ret = sa_swapon(dev, 64 * SA_MIB_PAGES, -1);

	return ret ? ret : sa_set_format(dev, packed ? "packed" : "raw");
}

FIXTURE_SETUP(alloc)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (!why && (access(SLAB "probability", W_OK) || access(PAGE_ALLOC "probability", W_OK)))
		why = "no fault injection";
	if (!why && variant->zswap && sa_set_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	/*
	 * These lines report a failed allocation. A real error logs other
	 * lines.
	 */
	sa_log_expect("alloc(ation)? fail|SLUB: Unable|no memory to|Call Trace:|ODEBUG: Out of");
	ASSERT_EQ(0, swapon_with_format(sa_dev(0), variant->packed));
	ASSERT_EQ(0, sa_area_map(&self->a, PAGES, SA_TEXT, 120));
}

FIXTURE_TEARDOWN_PARENT(alloc)
{
	if (!access(SLAB "probability", W_OK))
		inject_failures(0, false);
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* Check every @step-th page. Log the first wrong page and stop there. */
static bool area_is_right(const struct sa_area *a, size_t step)
{
	size_t i;

	for (i = 0; i < a->n; i += step)
		if (sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen))
			return false;
	return true;
}

/*
 * Swap an area out, read it and free a part of it, and check the rest. This
 * runs in a task of its own.
 */
static int swap_and_check_area(void *arg)
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
	right = area_is_right(&a, 3);
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	madvise(a.p, a.n * SA_PAGE, MADV_WILLNEED);
	right = right && area_is_right(&a, 1);
	a.gen++;
	sa_area_fill(&a);
	for (i = 1; i < a.n; i += 2)
		madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	right = right && area_is_right(&a, 2);
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	while (sa_write("/proc/self/make-it-fail", "0"))
		;
	return right && area_is_right(&a, 2) ? 0 : 1;
}

/* Fail the allocations of the task that reclaims, faults and frees */
TEST_F_TIMEOUT(alloc, tasks, SA_TIMEOUT)
{
	struct sa_area *a = &self->a;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		ASSERT_EQ(0, inject_failures(percents[i], true));
		EXPECT_EQ(0, sa_run(NULL, swap_and_check_area, a, LIMIT));
		ASSERT_EQ(0, inject_failures(0, false));
		EXPECT_TRUE(sa_wait_writeback());
		EXPECT_EQ(0, sa_violations());
		EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == sa_meminfo("SwapTotal"), 20));
	}
	/* The device and zswap work as before. */
	sa_area_fill(a);
	EXPECT_EQ(a->n, sa_pageout(a->p, a->n));
	if (variant->zswap)
		EXPECT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_EQ(0, sa_area_check(a));
}

/*
 * Fail the allocations of the workers that write back, collect, read and give
 * back
 */
TEST_F_TIMEOUT(alloc, workers, SA_TIMEOUT)
{
	struct sa_area *a = &self->a;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		a->gen++;
		sa_area_fill(a);
		ASSERT_EQ(0, inject_failures(percents[i], false));
		madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
		if (variant->zswap)
			sa_zswap_kick();
		EXPECT_TRUE(area_is_right(a, 1));
		madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
		if (variant->zswap)
			sa_zswap_kick();
		ASSERT_EQ(0, inject_failures(0, false));
		EXPECT_EQ(0, sa_area_check(a));
		EXPECT_EQ(a->n, sa_pageout(a->p, a->n));
	}
	if (variant->zswap)
		EXPECT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_TRUE(sa_wait_writeback());
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(a));
	sa_area_unmap(a);
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == sa_meminfo("SwapTotal"), 20));
}

static int toggle_swap(void *arg)
{
	bool packed = *(bool *)arg;
	int i;

	if (sa_write("/proc/self/make-it-fail", "1"))
		return 2;
	for (i = 0; i < 40; i++) {
		if (swapon(sa_dev(0), 0) && errno != ENOMEM && errno != EBUSY)
			return errno;
		/* The format may change or not. */
		sa_set_format(sa_dev(0), packed ? "packed" : "raw");
		if (sa_swaps_read(sa_dev(0), NULL, NULL, NULL) && swapoff(sa_dev(0)) &&
		    errno != ENOMEM)
			return 100 + errno;
	}
	return 0;
}

/*
 * Fail the allocations of swapon and swapoff, which must leave nothing behind
 */
TEST_F_TIMEOUT(alloc, devices, SA_TIMEOUT)
{
	bool packed = variant->packed;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		if (sa_swaps_read(sa_dev(0), NULL, NULL, NULL))
			ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
		ASSERT_EQ(0, inject_failures(percents[i], true));
		EXPECT_EQ(0, sa_run(NULL, toggle_swap, &packed, LIMIT));
		ASSERT_EQ(0, inject_failures(0, false));
		if (sa_swaps_read(sa_dev(0), NULL, NULL, NULL))
			ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
		ASSERT_EQ(0, swapon_with_format(sa_dev(0), packed));
		EXPECT_EQ(sa_meminfo("SwapTotal"), sa_meminfo("SwapFree"));
		sa_area_fill(&self->a);
		EXPECT_EQ(self->a.n, sa_pageout(self->a.p, self->a.n));
		EXPECT_EQ(0, sa_area_check(&self->a));
	}
	EXPECT_EQ(0, sa_violations());
}

TEST_HARNESS_MAIN
