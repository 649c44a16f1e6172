// SPDX-License-Identifier: GPL-2.0
/*
 * These tests suspend the system while data moves. Devices are slow, so that
 * any move takes many seconds. The system must freeze within a second all the
 * same, and the move must go on after the thaw.
 *
 * The test fails on a kernel in which a work of the layer makes the freezer of
 * kernel threads wait for more than a few I/Os, that gives a move up for good,
 * loses a byte, or suspends while data in RAM waits for more data to be written
 * with.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tiers.h"

#define SLOW		"sa_frozen"
#define PM_TEST		"/sys/power/pm_test"
#define PM_TEST_DELAY(_what)	"/sys/module/" _what "/parameters/pm_test_delay"
#define PM_STATE	"/sys/power/state"

/* Seconds that the system stays frozen, and that it may take to freeze */
#define FROZEN		1
#define TO_FREEZE	2
/*
 * To hibernate, the system first makes room for an image by writing to slow
 * devices.
 */
#define TO_HIBERNATE	40
/* Seconds that packed data waits for more data are a bit more than this. */
#define WAITS		0.9
/* Seconds after which any move must be done, even on a slow device */
#define DONE		240

enum mover { DRAIN, DEMOTE, COLLECT, PROMOTE };

FIXTURE(freezer)
{
	const char *slow;
	struct sa_area a;
	bool is_hibernation;
};

FIXTURE_VARIANT(freezer)
{
	enum mover mover;
	bool packed;
	size_t mib;
	int usec;		/* of an operation of the device */
};

FIXTURE_VARIANT_ADD(freezer, drain_raw)
{
	.mover = DRAIN, .mib = 24, .usec = 4000,
};

FIXTURE_VARIANT_ADD(freezer, drain_packed)
{
	.mover = DRAIN, .packed = true, .mib = 48, .usec = 10000,
};

FIXTURE_VARIANT_ADD(freezer, demote_raw)
{
	.mover = DEMOTE, .mib = 24, .usec = 4000,
};

FIXTURE_VARIANT_ADD(freezer, demote_packed)
{
	.mover = DEMOTE, .packed = true, .mib = 48, .usec = 10000,
};

FIXTURE_VARIANT_ADD(freezer, collect)
{
	.mover = COLLECT, .packed = true, .mib = 48, .usec = 10000,
};

FIXTURE_VARIANT_ADD(freezer, promote)
{
	.mover = PROMOTE, .mib = 24, .usec = 4000,
};

/*
 * Prepare a freeze of @seconds seconds. Return NULL, or the reason why this
 * fails.
 */
static const char *begin_freezing(bool *is_hibernation, int seconds)
{
	char states[64];

	if (sa_read(PM_STATE, states, sizeof(states)) < 0)
		return "no " PM_STATE;
	*is_hibernation = !strstr(states, "freeze");
	if (sa_write(PM_TEST, "freezer") ||
	    sa_write_num(*is_hibernation ? PM_TEST_DELAY("hibernate") : PM_TEST_DELAY("suspend"),
			 seconds))
		return "no " PM_TEST;
	return NULL;
}

FIXTURE_SETUP(freezer)
{
	const char *why = begin_tier_test(SA_NEED_DEV);

	if (!why)
		why = begin_freezing(&self->is_hibernation, FROZEN);
	if (!why && variant->packed && !sa_have_zswap())
		why = "no zswap, hence nothing packed";
	if (why)
		SKIP(return, "%s", why);
	self->slow = sa_nullb_make(SLOW, variant->mib * SA_MIB_PAGES, 0, variant->usec * 1000);
	if (!self->slow)
		SKIP(return, "no null_blk");
}

FIXTURE_TEARDOWN_PARENT(freezer)
{
	sa_nullb_remove(SLOW);
	sa_write(PM_TEST, "none");
	EXPECT_EQ(0, sa_end());
}

/*
 * Freeze and thaw the system. Return the seconds that this took besides the
 * frozen time, or a number below 0.
 */
static double freeze_all(bool is_hibernation, int seconds)
{
	double start = sa_now();
	int err = sa_write(PM_STATE, is_hibernation ? "disk" : "freeze");

	if (err) {
		sa_log("the system did not freeze: %s, after %.1f s", strerror(-err),
		       sa_now() - start);
		return -1;
	}
	return sa_now() - start - seconds;
}

static int promote_all_pages(void *slow)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", 64 * SA_MIB);
	return sa_tier_write(slow, "promote", text) ? 1 : 0;
}

/* Return how far the mover has come */
static long long read_mover_progress(enum mover mover, const char *slow)
{
	return sa_tier_num(slow, mover == COLLECT ? "stats/collected" : "stats/moved_out");
}

/*
 * Return the stride of the pages that are kept, so that collected segments are
 * half dead
 */
static size_t keep_stride(enum mover mover)
{
	return mover == COLLECT ? 2 : 1;
}

static void free_other_pages(struct sa_area *a, size_t keep)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (i % keep)
			madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
}

/*
 * Check some of the kept pages only, because the slow device takes its time for
 * each page
 */
static size_t check_kept_pages(struct sa_area *a, size_t keep)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n; i += 8 * keep)
		bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, 0);
	return bad;
}

TEST_F_TIMEOUT(freezer, moves, SA_TIMEOUT)
{
	enum mover mover = variant->mover;
	size_t pages = variant->mib * SA_MIB_PAGES;
	struct sa_area more = { };
	long long before, after;
	pid_t promoter = 0;
	double took;

	/*
	 * The other device is fast. Promotion moves pages up to it, and all
	 * other moves go down to it.
	 */
	ASSERT_EQ(0, sa_swapon(self->slow, pages, mover == PROMOTE ? 3 : 5));
	ASSERT_EQ(0, sa_set_format(self->slow, variant->packed ? "packed" : "raw"));
	/*
	 * The data takes three quarters of the device; a packed page takes two
	 * fifths of a page.
	 */
	pages = pages * 3 / 4 * (variant->packed ? 2 : 1);
	make_swapped_area(_metadata, &self->a, pages, SA_TEXT, 5);
	free_other_pages(&self->a, keep_stride(mover));
	if (mover != COLLECT) {
		ASSERT_EQ(0, sa_swapon(sa_dev(0), DEV, mover == PROMOTE ? 5 : 3));
		ASSERT_EQ(0, sa_set_format(sa_dev(0), variant->packed ? "packed" : "raw"));
	}

	switch (mover) {
	case DRAIN:
		ASSERT_EQ(0, sa_tier_write(self->slow, "state", "draining"));
		break;
	case DEMOTE:
		ASSERT_EQ(0, sa_set_watermarks(self->slow, 10, 5));
		/* The mover begins with the next page that is stored. */
		make_area(_metadata, &more, SA_MIB_PAGES / 16, SA_TEXT, 6);
		sa_pageout(more.p, more.n);
		break;
	case COLLECT:
		/* The data is so large that the layer must make room for it. */
		make_area(_metadata, &more, variant->mib * SA_MIB_PAGES * 3 / 4, SA_TEXT, 6);
		sa_pageout(more.p, more.n);
		break;
	default:
		promoter = sa_start(NULL, promote_all_pages, (void *)self->slow);
		ASSERT_LT(0, promoter);
	}
	ASSERT_TRUE(sa_wait(read_mover_progress(mover, self->slow) > 0, SOON));
	before = read_mover_progress(mover, self->slow);
	took = freeze_all(self->is_hibernation, FROZEN);
	after = read_mover_progress(mover, self->slow);
	EXPECT_LE(0, took);
	EXPECT_GE(self->is_hibernation ? TO_HIBERNATE : TO_FREEZE, took) {
		TH_LOG("%.1f s until all was frozen", took);
	}
	TH_LOG("frozen after %.2f s; %lld done before, %lld after it", took, before, after);

	/*
	 * A promotion by hand ends with a signal, which the freezer also sends;
	 * moves in the background go on.
	 */
	if (promoter) {
		sa_join(promoter, DONE);
	} else if (mover == COLLECT) {
		struct sa_area last;

		/*
		 * The layer makes room when a page needs it, so the test stores
		 * more pages.
		 */
		make_area(_metadata, &last, pages / 16, SA_TEXT, 7);
		EXPECT_TRUE(sa_wait(sa_pageout(last.p, last.n) == last.n, SOON));
		EXPECT_EQ(0, check_kept_pages(&last, 1));
		EXPECT_TRUE(sa_wait(read_mover_progress(mover, self->slow) > after, SOON));
	} else {
		long long want = mover == DRAIN ? 0 : sa_tier_num(self->slow, "capacity") / 10;

		/*
		 * The move was under way at the freeze; otherwise the test
		 * proves nothing.
		 */
		EXPECT_LT(want, sa_tier_num(self->slow, "used"));
		EXPECT_TRUE(sa_wait_purged(sa_tier_num(self->slow, "used") <= want, DONE)) {
			TH_LOG("%lld bytes are still in use, %lld moved",
			       sa_tier_num(self->slow, "used"),
			       read_mover_progress(mover, self->slow));
		}
	}
	EXPECT_EQ(0, check_kept_pages(&self->a, keep_stride(mover)));
	if (more.n)
		EXPECT_EQ(0, check_kept_pages(&more, 1));
	EXPECT_EQ(0, sa_violations());
}

FIXTURE(trickle)
{
	bool is_hibernation;
};

FIXTURE_SETUP(trickle)
{
	const char *why = begin_tier_test(SA_NEED_DEV);

	if (!why && sa_set_zswap(true))
		why = "no zswap, hence nothing packed";
	if (!why)
		why = begin_freezing(&self->is_hibernation, 0);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(trickle)
{
	sa_write(PM_TEST, "none");
	EXPECT_EQ(0, sa_end());
}

/*
 * Data that has left zswap just before a freeze must be written without waiting
 * for more
 */
TEST_F_TIMEOUT(trickle, is_written, SA_TIMEOUT)
{
	size_t pages = SA_MIB_PAGES / 4;
	double start, took;
	struct sa_area a;
	long long before;
	int round, late = 0;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), DEV, -1));
	make_swapped_area(_metadata, &a, pages, SA_TEXT, 8);
	ASSERT_EQ(0, sa_tier_num(sa_dev(0), "stored"));
	for (round = 0; round < 5; round++) {
		before = sa_bytes_written(sa_dev(0));
		start = sa_now();
		EXPECT_EQ(0, sa_tier_write(NULL, "demote", "16K"));
		EXPECT_LE(0, freeze_all(self->is_hibernation, 0));
		EXPECT_TRUE(sa_wait(sa_bytes_written(sa_dev(0)) > before, WAITS / 2));
		took = sa_now() - start;
		TH_LOG("%lld bytes written %.2f s later", sa_bytes_written(sa_dev(0)) - before,
		       took);
		/*
		 * After this time the data would have been written without a
		 * freeze, too.
		 */
		late += took > WAITS;
	}
	EXPECT_EQ(0, sa_area_check(&a));
	if (late == round && __test_passed(_metadata))
		SKIP(return, "suspend takes too long to tell");
}

TEST_HARNESS_MAIN
