/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests of tiers, including those of cgroups, share these helpers: they set
 * up two devices, one below the other, put pages into a tier, and check the
 * counters of moves.
 */
#ifndef SWAP_ABS_TIERS_H
#define SWAP_ABS_TIERS_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "swap_abs_lib.h"

#define LIMIT	(SA_TIMEOUT / 3)
#define DEV	(160 * SA_MIB_PAGES)
/* The error that the tests allow for limits and watermarks */
#define SLACK	((long long)SA_MIB)
/*
 * Seconds in which background work must be done, and in which nothing may
 * happen
 */
#define SOON	20
#define QUIET	2

#define EXPECT_STATE(_want, _dev)					\
do {									\
	char __state[64] = "none";					\
									\
	sa_tier_str(_dev, "state", __state, sizeof(__state));		\
	EXPECT_STREQ(_want, __state);					\
} while (0)

static inline const char *tier_label(const char *dev)
{
	return dev ? dev : "zswap";
}

/*
 * Wait until the tier stores exactly @bytes bytes of pages; return false on
 * timeout
 */
static inline bool wait_stored(const char *dev, long long bytes)
{
	if (sa_wait_purged(sa_tier_num(dev, "stored") == bytes, SOON))
		return true;
	sa_log("%s holds %lld bytes of pages, not %lld", tier_label(dev),
	       sa_tier_num(dev, "stored"), bytes);
	return false;
}

/* Wait until the tier uses at most @bytes bytes; return false on timeout */
static inline bool wait_used_at_most(const char *dev, long long bytes)
{
	if (sa_wait_purged(sa_tier_num(dev, "used") <= bytes, SOON))
		return sa_tier_num(dev, "used") >= 0;
	sa_log("%s uses %lld bytes, not %lld", tier_label(dev), sa_tier_num(dev, "used"), bytes);
	return false;
}

static inline long long total_moved_out(void)
{
	return sa_tier_num(NULL, "stats/moved_out") + sa_tier_num(sa_dev(0), "stats/moved_out") +
		sa_tier_num(sa_dev(1), "stats/moved_out");
}

/* Wait until the tiers move no more pages; return false on timeout */
static inline bool wait_no_moves(void)
{
	double end = sa_now() + 2 * SOON;
	long long was;

	do {
		was = total_moved_out();
		usleep(500000);
	} while (was != total_moved_out() && sa_now() < end);
	return was == total_moved_out();
}

/*
 * Push all pages of an area out, and wait until they have left the swap cache
 */
static inline bool swap_out_area(struct sa_area *a)
{
	size_t n = sa_pageout(a->p, a->n);

	if (n != a->n)
		sa_log("%zu of %zu pages went out", n, a->n);
	return n == a->n && sa_wait_writeback() && sa_area_only_swapped(a);
}

static inline void make_area(struct __test_metadata *_metadata, struct sa_area *a, size_t n,
			     enum sa_pat pat, __u64 seed)
{
	ASSERT_EQ(0, sa_area_map(a, n, pat, seed));
	sa_area_fill(a);
}

/* Make an area, and swap all of it out */
static inline void make_swapped_area(struct __test_metadata *_metadata, struct sa_area *a, size_t n,
				     enum sa_pat pat, __u64 seed)
{
	make_area(_metadata, a, n, pat, seed);
	ASSERT_TRUE(swap_out_area(a));
}

/*
 * Start swapping on a device. The second device has the lower priority, hence
 * the greater rank.
 */
static inline int swapon_dev(int i)
{
	return sa_swapon(sa_dev(i), DEV, i ? 3 : 5);
}

static inline int swapon_dev_format(int i, const char *format)
{
	int ret = swapon_dev(i);

	return ret ? ret : sa_set_format(sa_dev(i), format);
}

/*
 * Expect that @pages pages have moved from one tier to the other since the
 * caller read @f and @t, and that nothing else has moved
 */
static inline void expect_moved(struct __test_metadata *_metadata, const char *from, const char *to,
				struct sa_stats *f, struct sa_stats *t, long long pages)
{
	EXPECT_TRUE(wait_stored(from, f->stored - pages * (long long)SA_PAGE));
	EXPECT_TRUE(wait_stored(to, t->stored + pages * (long long)SA_PAGE));
	sa_stats_delta(f, from);
	sa_stats_delta(t, to);
	EXPECT_EQ(pages, f->moved_out);
	EXPECT_EQ(0, f->moved_in);
	EXPECT_EQ(pages, t->moved_in);
	EXPECT_EQ(0, t->moved_out);
	EXPECT_EQ(0, f->errors);
	EXPECT_EQ(0, t->errors);
	EXPECT_EQ(0, sa_violations());
}

/*
 * Write @size to demote or promote, check the result, and return the pages
 * moved
 */
static inline long long move_and_check(struct __test_metadata *_metadata, const char *file,
				       const char *from, const char *to, const char *size)
{
	struct sa_stats f, t;
	long long bytes;

	sa_stats_read(&f, from);
	sa_stats_read(&t, to);
	EXPECT_EQ(0, sa_tier_write(from, file, size)) {
		TH_LOG("'%s' to %s of %s", size, file, tier_label(from));
	}
	bytes = sa_tier_num(from, file);
	EXPECT_LE(0, bytes);
	EXPECT_EQ(0, bytes % SA_PAGE);
	expect_moved(_metadata, from, to, &f, &t, bytes / SA_PAGE);
	return bytes / SA_PAGE;
}

/* Expect that all pages of the area are read from a tier and are right */
static inline void check_area_in_tier(struct __test_metadata *_metadata, struct sa_area *a,
				      const char *dev)
{
	struct sa_stats s;

	/*
	 * The kernel would not read a page from the tier if the swap cache had
	 * it.
	 */
	EXPECT_TRUE(sa_area_only_swapped(a));
	EXPECT_EQ(a->n, sa_nr_swapped(a->p, a->n));
	sa_stats_read(&s, dev);
	EXPECT_EQ(0, sa_area_check(a));
	sa_stats_delta(&s, dev);
	EXPECT_EQ(a->n, s.load) {
		TH_LOG("%lld of %zu pages read from %s", s.load, a->n, tier_label(dev));
	}
	EXPECT_EQ(0, s.errors);
}

static inline const char *begin_tier_test(unsigned int needs)
{
	const char *why = sa_begin(true, needs);

	signal(SIGPIPE, SIG_IGN);
	/* Readahead is off so that each fault reads one page. */
	if (!why && sa_write(SA_PAGE_CLUSTER, "0"))
		why = "no " SA_PAGE_CLUSTER;
	return why;
}

#endif
