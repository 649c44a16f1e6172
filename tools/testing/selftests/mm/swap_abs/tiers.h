/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of tiers share, those of cgroups too: two devices, one below the
 * other, pages that are put somewhere, and what the counters say of moves.
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
/* What limits and watermarks may be missed by */
#define SLACK	((long long)SA_MIB)
/* In the background: until it has to be done, and how long nothing may happen */
#define SOON	20
#define QUIET	2

#define EXPECT_STATE(_want, _dev)					\
do {									\
	char __state[64] = "none";					\
									\
	sa_tier_str(_dev, "state", __state, sizeof(__state));		\
	EXPECT_STREQ(_want, __state);					\
} while (0)

static inline const char *name_of(const char *dev)
{
	return dev ? dev : "zswap";
}

/* Wait until the tier holds so many bytes of pages; false when it does not. */
static inline bool comes_to_hold(const char *dev, long long bytes)
{
	if (sa_wait_purged(sa_tier_num(dev, "stored") == bytes, SOON))
		return true;
	sa_log("%s holds %lld bytes of pages, not %lld", name_of(dev),
	       sa_tier_num(dev, "stored"), bytes);
	return false;
}

/* Wait until the tier uses no more than so many bytes; false when it does. */
static inline bool comes_down_to(const char *dev, long long bytes)
{
	if (sa_wait_purged(sa_tier_num(dev, "used") <= bytes, SOON))
		return sa_tier_num(dev, "used") >= 0;
	sa_log("%s uses %lld bytes, not %lld", name_of(dev), sa_tier_num(dev, "used"), bytes);
	return false;
}

static inline long long all_moved(void)
{
	return sa_tier_num(NULL, "stats/moved_out") + sa_tier_num(sa_dev(0), "stats/moved_out") +
		sa_tier_num(sa_dev(1), "stats/moved_out");
}

/* Wait until nothing is moved any more; false when that takes too long. */
static inline bool comes_to_rest(void)
{
	double end = sa_now() + 2 * SOON;
	long long was;

	do {
		was = all_moved();
		usleep(500000);
	} while (was != all_moved() && sa_now() < end);
	return was == all_moved();
}

/* Push all of an area out, and out of the swap cache too. */
static inline bool push_out(struct sa_area *a)
{
	size_t n = sa_pageout(a->p, a->n);

	if (n != a->n)
		sa_log("%zu of %zu pages went out", n, a->n);
	return n == a->n && sa_settle() && sa_area_only_swapped(a);
}

static inline void make(struct __test_metadata *_metadata, struct sa_area *a, size_t n,
			enum sa_pat pat, __u64 seed)
{
	ASSERT_EQ(0, sa_area_map(a, n, pat, seed));
	sa_area_fill(a);
}

/* Make an area that is swapped out. */
static inline void put(struct __test_metadata *_metadata, struct sa_area *a, size_t n,
		       enum sa_pat pat, __u64 seed)
{
	make(_metadata, a, n, pat, seed);
	ASSERT_TRUE(push_out(a));
}

/* Swap on a device. The second has the lower priority, hence the greater rank. */
static inline int on(int i)
{
	return sa_swapon(sa_dev(i), DEV, i ? 3 : 5);
}

static inline int on_in(int i, const char *format)
{
	int ret = on(i);

	return ret ? ret : sa_format(sa_dev(i), format);
}

/*
 * Expect that so many pages have gone from one tier to the other since f and t were
 * seen, and nothing else has.
 */
static inline void moved(struct __test_metadata *_metadata, const char *from,
			 const char *to, struct sa_seen *f, struct sa_seen *t, long long pages)
{
	EXPECT_TRUE(comes_to_hold(from, f->stored - pages * (long long)SA_PAGE));
	EXPECT_TRUE(comes_to_hold(to, t->stored + pages * (long long)SA_PAGE));
	sa_since(f, from);
	sa_since(t, to);
	EXPECT_EQ(pages, f->moved_out);
	EXPECT_EQ(0, f->moved_in);
	EXPECT_EQ(pages, t->moved_in);
	EXPECT_EQ(0, t->moved_out);
	EXPECT_EQ(0, f->errors);
	EXPECT_EQ(0, t->errors);
	EXPECT_EQ(0, sa_violations());
}

/* Write to demote or promote, look at what that did, and return its pages. */
static inline long long move(struct __test_metadata *_metadata, const char *file,
			     const char *from, const char *to, const char *size)
{
	struct sa_seen f, t;
	long long bytes;

	sa_see(&f, from);
	sa_see(&t, to);
	EXPECT_EQ(0, sa_tier_write(from, file, size)) {
		TH_LOG("'%s' to %s of %s", size, file, name_of(from));
	}
	bytes = sa_tier_num(from, file);
	EXPECT_LE(0, bytes);
	EXPECT_EQ(0, bytes % SA_PAGE);
	moved(_metadata, from, to, &f, &t, bytes / SA_PAGE);
	return bytes / SA_PAGE;
}

/* Expect that all of the area is read from a tier, and right. */
static inline void check_there(struct __test_metadata *_metadata, struct sa_area *a,
			       const char *dev)
{
	struct sa_seen s;

	/* What is still in the swap cache would not be read at all. */
	EXPECT_TRUE(sa_area_only_swapped(a));
	EXPECT_EQ(a->n, sa_swapped(a->p, a->n));
	sa_see(&s, dev);
	EXPECT_EQ(0, sa_area_check(a));
	sa_since(&s, dev);
	EXPECT_EQ(a->n, s.load) {
		TH_LOG("%lld of %zu pages read from %s", s.load, a->n, name_of(dev));
	}
	EXPECT_EQ(0, s.errors);
}

static inline const char *begin(unsigned int needs)
{
	const char *why = sa_begin(true, needs);

	signal(SIGPIPE, SIG_IGN);
	/* A fault is about one page. */
	if (!why && sa_write(SA_PAGE_CLUSTER, "0"))
		why = "no " SA_PAGE_CLUSTER;
	return why;
}

#endif
