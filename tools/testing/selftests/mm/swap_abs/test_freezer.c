// SPDX-License-Identifier: GPL-2.0
/*
 * Suspend while data moves. Devices are slow, so that any move takes many seconds; the
 * system is to freeze within one all the same, and the move goes on when it has thawed.
 *
 * It fails on a kernel in which a work of the layer lets those who freeze kernel threads
 * wait for more than a few I/Os, one that gives a move up for good, loses a byte, or
 * suspends with data in RAM that waits for more to be written with it.
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

/* Seconds: how long the system stays frozen, and how long it may take until it is */
#define FROZEN		1
#define TO_FREEZE	2
/* To hibernate it makes room for an image first, which writes to slow devices. */
#define TO_HIBERNATE	40
/* What leaves zswap waits for more not quite as long. */
#define WAITS		0.9
/* What is moved is done some time, however slow the device. */
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

/* Have the system freeze for so many seconds when it is to suspend. NULL or why not */
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
	const char *why = begin(SA_NEED_DEV);

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

/* Freeze all, and let it thaw. Returns how long that took besides, or less than 0. */
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

static int promote_all(void *slow)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", 64 * SA_MIB);
	return sa_tier_write(slow, "promote", text) ? 1 : 0;
}

/* How far the mover has come */
static long long progress(enum mover mover, const char *slow)
{
	return sa_tier_num(slow, mover == COLLECT ? "stats/collected" : "stats/moved_out");
}

/* Of so many pages one is kept, so that segments are half dead. */
static size_t kept(enum mover mover)
{
	return mover == COLLECT ? 2 : 1;
}

static void drop_others(struct sa_area *a, size_t keep)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (i % keep)
			madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
}

/* Some of it, because each page that is read takes the device its time. */
static size_t check_kept(struct sa_area *a, size_t keep)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n; i += 8 * keep)
		bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, 0);
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

	/* The other device is fast; what is promoted goes up to it, else all goes down. */
	ASSERT_EQ(0, sa_swapon(self->slow, pages, mover == PROMOTE ? 3 : 5));
	ASSERT_EQ(0, sa_format(self->slow, variant->packed ? "packed" : "raw"));
	/* Three quarters of it: what is packed takes two fifths of a page. */
	pages = pages * 3 / 4 * (variant->packed ? 2 : 1);
	put(_metadata, &self->a, pages, SA_TEXT, 5);
	drop_others(&self->a, kept(mover));
	if (mover != COLLECT) {
		ASSERT_EQ(0, sa_swapon(sa_dev(0), DEV, mover == PROMOTE ? 5 : 3));
		ASSERT_EQ(0, sa_format(sa_dev(0), variant->packed ? "packed" : "raw"));
	}

	switch (mover) {
	case DRAIN:
		ASSERT_EQ(0, sa_tier_write(self->slow, "state", "draining"));
		break;
	case DEMOTE:
		ASSERT_EQ(0, sa_watermarks(self->slow, 10, 5));
		/* It begins with what is stored next. */
		make(_metadata, &more, SA_MIB_PAGES / 16, SA_TEXT, 6);
		sa_pageout(more.p, more.n);
		break;
	case COLLECT:
		/* So much that there must be room made for it. */
		make(_metadata, &more, variant->mib * SA_MIB_PAGES * 3 / 4, SA_TEXT, 6);
		sa_pageout(more.p, more.n);
		break;
	default:
		promoter = sa_start(NULL, promote_all, (void *)self->slow);
		ASSERT_LT(0, promoter);
	}
	ASSERT_TRUE(sa_wait(progress(mover, self->slow) > 0, SOON));
	before = progress(mover, self->slow);
	took = freeze_all(self->is_hibernation, FROZEN);
	after = progress(mover, self->slow);
	EXPECT_LE(0, took);
	EXPECT_GE(self->is_hibernation ? TO_HIBERNATE : TO_FREEZE, took) {
		TH_LOG("%.1f s until all was frozen", took);
	}
	TH_LOG("frozen after %.2f s; %lld done before, %lld after it", took, before, after);

	/* By hand it ends with a signal, as that of the freezer; in the background it goes on. */
	if (promoter) {
		sa_join(promoter, DONE);
	} else if (mover == COLLECT) {
		struct sa_area last;

		/* Room is made when it is needed, so for what comes now. */
		make(_metadata, &last, pages / 16, SA_TEXT, 7);
		EXPECT_TRUE(sa_wait(sa_pageout(last.p, last.n) == last.n, SOON));
		EXPECT_EQ(0, check_kept(&last, 1));
		EXPECT_TRUE(sa_wait(progress(mover, self->slow) > after, SOON));
	} else {
		long long want = mover == DRAIN ? 0 : sa_tier_num(self->slow, "capacity") / 10;

		/* It was under way, or this test says nothing. */
		EXPECT_LT(want, sa_tier_num(self->slow, "used"));
		EXPECT_TRUE(sa_wait_purged(sa_tier_num(self->slow, "used") <= want, DONE)) {
			TH_LOG("%lld bytes are still in use, %lld moved",
			       sa_tier_num(self->slow, "used"), progress(mover, self->slow));
		}
	}
	EXPECT_EQ(0, check_kept(&self->a, kept(mover)));
	if (more.n)
		EXPECT_EQ(0, check_kept(&more, 1));
	EXPECT_EQ(0, sa_violations());
}

FIXTURE(trickle)
{
	bool is_hibernation;
};

FIXTURE_SETUP(trickle)
{
	const char *why = begin(SA_NEED_DEV);

	if (!why && sa_zswap(true))
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

/* What has left zswap just before is written, and does not wait for more to come. */
TEST_F_TIMEOUT(trickle, is_written, SA_TIMEOUT)
{
	size_t pages = SA_MIB_PAGES / 4;
	double start, took;
	struct sa_area a;
	long long before;
	int round, late = 0;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), DEV, -1));
	put(_metadata, &a, pages, SA_TEXT, 8);
	ASSERT_EQ(0, sa_tier_num(sa_dev(0), "stored"));
	for (round = 0; round < 5; round++) {
		before = sa_written(sa_dev(0));
		start = sa_now();
		EXPECT_EQ(0, sa_tier_write(NULL, "demote", "16K"));
		EXPECT_LE(0, freeze_all(self->is_hibernation, 0));
		EXPECT_TRUE(sa_wait(sa_written(sa_dev(0)) > before, WAITS / 2));
		took = sa_now() - start;
		TH_LOG("%lld bytes written %.2f s later", sa_written(sa_dev(0)) - before, took);
		/* By then it would have been written without that. */
		late += took > WAITS;
	}
	EXPECT_EQ(0, sa_area_check(&a));
	if (late == round && __test_passed(_metadata))
		SKIP(return, "suspend takes too long to tell");
}

TEST_HARNESS_MAIN
