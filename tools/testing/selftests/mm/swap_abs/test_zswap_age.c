// SPDX-License-Identifier: GPL-2.0
/*
 * zswap keeps the order in which objects of virtual slots have come, in lists of
 * slots that hold no more than that. These tests learn from the tracepoints
 * which pages a demotion takes, and from debugfs how much memory the lists take.
 *
 * The test fails on a kernel that writes back new objects before old ones, or
 * takes an object for old because its slot was in use before; that does not find
 * the few objects which a CPU has put on no list yet, or those of a removed
 * cgroup; that keeps what it knew of objects which are gone; that fills memory
 * with lists when cgroups take turns; that lets a cgroup grow beyond
 * memory.zswap.max, or sends new pages to the device for that; or that reads an
 * object with another compressor than it was made with.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tiers.h"

#define METADATA	SA_DEBUG "/metadata"

/*
 * The kernel keeps the order of nodes of so many objects, so that a demotion may
 * take the objects of a node out of turn
 */
#define NODE		49
/* So few pages that they fill no node */
#define FEW		10UL
/* The largest number of pages in one area, or moved at once */
#define MOST		8192

/* Begin with zswap above a device; @format may be NULL for the usual one */
static const char *begin_age_test(struct __test_metadata *_metadata, const char *format)
{
	const char *why = begin_tier_test(SA_NEED_DEV | SA_NEED_ZSWAP | SA_NEED_DEBUGFS);

	if (!why && sa_set_zswap(true))
		why = "cannot enable zswap";
	if (!why && format && !strcmp(format, "packed"))
		why = sa_check_needs(SA_NEED_PACKED);
	if (why)
		return why;
	ASSERT_EQ(0, swapon_dev(0));
	if (format)
		ASSERT_EQ(0, sa_set_format(sa_dev(0), format));
	return NULL;
}

/* Make an area whose pages belong to the cgroup, and come back to the test's own */
static void make_area_of(struct __test_metadata *_metadata, const char *cg, struct sa_area *a,
			 size_t n, __u64 seed)
{
	char own[256];

	ASSERT_EQ(0, sa_cg_enter(cg));
	make_area(_metadata, a, n, SA_TEXT, seed);
	ASSERT_EQ(0, sa_cg_make("self", 0, own, sizeof(own)));
	ASSERT_EQ(0, sa_cg_enter(own));
}

/* Push out the first page of each area, then the second of each, and so on */
static bool swap_out_in_turns(struct sa_area *areas, int nr)
{
	size_t k;
	int i;

	for (k = 0; k < areas[0].n; k++)
		for (i = 0; i < nr; i++)
			madvise(areas[i].p + k * SA_PAGE, SA_PAGE, MADV_PAGEOUT);
	for (i = 0; i < nr; i++)
		if (!swap_out_area(&areas[i]))
			return false;
	return true;
}

/* --- which pages have moved ----------------------------------------------- */

/*
 * The slots that the last demotion has emptied, sorted. This is static, because
 * memory that is not locked may be swapped out among the pages under test.
 */
static unsigned long moved_slot[MOST];
static size_t nr_moved;
static __u64 page_map[MOST];

static int compare_slots(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Demote exactly so many pages from zswap to the device, and note their slots */
static void demote_pages(struct __test_metadata *_metadata, size_t pages)
{
	struct sa_event *events;
	char size[32];
	long nr, i;

	nr_moved = 0;
	snprintf(size, sizeof(size), "%zu", pages * SA_PAGE);
	ASSERT_EQ(0, sa_trace_start());
	EXPECT_EQ((long long)pages, move_and_check(_metadata, "demote", NULL, sa_dev(0), size));
	nr = sa_trace_stop(&events);
	ASSERT_LE(0, nr);
	for (i = 0; i < nr && nr_moved < MOST; i++)
		if (events[i].kind == SA_MOVE && !events[i].err &&
		    !strcmp(events[i].from, "zswap"))
			moved_slot[nr_moved++] = events[i].slot;
	free(events);
	EXPECT_EQ(pages, nr_moved);
	qsort(moved_slot, nr_moved, sizeof(*moved_slot), compare_slots);
}

/* Return how many pages of the area the last demotion has taken */
static size_t count_moved(struct __test_metadata *_metadata, const struct sa_area *a)
{
	size_t i, found = 0;
	unsigned long slot;

	ASSERT_GE(MOST, a->n);
	ASSERT_EQ(0, sa_pagemap(a->p, a->n, page_map));
	for (i = 0; i < a->n; i++) {
		slot = (page_map[i] & SA_PM_ENTRY) >> 5;
		found += (page_map[i] & SA_PM_SWAP) &&
			 bsearch(&slot, moved_slot, nr_moved, sizeof(slot), compare_slots);
	}
	return found;
}

/* Return how many pages of a range of the area are read from zswap */
static long long count_in_zswap(struct __test_metadata *_metadata, const struct sa_area *a,
				size_t from, size_t nr)
{
	long long before = sa_tier_num(NULL, "stats/load");
	size_t i;

	for (i = from; i < from + nr; i++)
		ASSERT_EQ(0, sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen));
	return sa_tier_num(NULL, "stats/load") - before;
}

/* Demote as many pages as the old area has, and expect that it gives them */
static void expect_demoted(struct __test_metadata *_metadata, const struct sa_area *old,
			   const struct sa_area *new)
{
	size_t from_old, from_new;

	demote_pages(_metadata, old->n);
	from_old = count_moved(_metadata, old);
	from_new = count_moved(_metadata, new);
	TH_LOG("moved: %zu of %zu old pages, %zu of %zu new ones", from_old, old->n, from_new,
	       new->n);
	EXPECT_LE(old->n - NODE, from_old);
	EXPECT_GE(NODE, from_new);
	EXPECT_EQ(old->n, from_old + from_new);
}

/* --- the order ------------------------------------------------------------ */

FIXTURE(order)
{
};

FIXTURE_VARIANT(order)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(order, small) { .huge = false };

/* A store of such a folio fills several nodes at once. */
FIXTURE_VARIANT_ADD(order, huge) { .huge = true };

FIXTURE_SETUP(order)
{
	const char *why = begin_age_test(_metadata, NULL);

	if (!why && variant->huge)
		why = sa_check_needs(SA_NEED_THP);
	if (why)
		SKIP(return, "%s", why);
	/* One CPU keeps the order exactly, because each CPU fills a node by itself. */
	ASSERT_EQ(0, sa_pin_to_cpu(0));
}

FIXTURE_TEARDOWN_PARENT(order)
{
	EXPECT_EQ(0, sa_end());
}

static void make_swapped(struct __test_metadata *_metadata, struct sa_area *a, size_t n,
			 __u64 seed, bool huge)
{
	ASSERT_EQ(0, sa_area_map(a, n, SA_TEXT, seed));
	if (huge)
		ASSERT_EQ(0, madvise(a->p, n * SA_PAGE, MADV_HUGEPAGE));
	sa_area_fill(a);
	ASSERT_TRUE(swap_out_area(a));
}

/*
 * The pages that came first go first, also when pages have come that have not
 * been looked at while the others have
 */
TEST_F_TIMEOUT(order, by_age, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a[3];
	long long in_zswap;
	int i;

	make_swapped(_metadata, &a[0], n, 1, variant->huge);
	make_swapped(_metadata, &a[1], n, 2, variant->huge);
	expect_demoted(_metadata, &a[0], &a[1]);
	/* All of the second area has had its second chance by now. */
	make_swapped(_metadata, &a[2], n, 3, variant->huge);
	expect_demoted(_metadata, &a[1], &a[2]);
	/* The reads must agree with the tracepoints. */
	for (i = 0; i < 3; i++) {
		in_zswap = count_in_zswap(_metadata, &a[i], 0, n);
		EXPECT_GE(i < 2 ? NODE : n, in_zswap);
		EXPECT_LE(i < 2 ? 0 : n - NODE, in_zswap);
	}
}

/*
 * Read the first area and push it out again, so that it is the newest. What is
 * left on the list of its old objects must not make the new ones look old, also
 * if they have the same slots.
 */
static void read_and_demote(struct __test_metadata *_metadata, int rounds)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a[2];
	int i;

	make_swapped(_metadata, &a[0], n, 1, false);
	make_swapped(_metadata, &a[1], n, 2, false);
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, sa_area_check(&a[0]));
		ASSERT_TRUE(swap_out_area(&a[0]));
	}
	expect_demoted(_metadata, &a[1], &a[0]);
	EXPECT_LE(n - NODE, count_in_zswap(_metadata, &a[0], 0, n));
	EXPECT_EQ(0, sa_area_check(&a[1]));
}

TEST_F_TIMEOUT(order, read_once, SA_TIMEOUT)
{
	if (variant->huge)
		SKIP(return, "a large folio that is read keeps its old objects");
	read_and_demote(_metadata, 1);
}

TEST_F_TIMEOUT(order, read_often, SA_TIMEOUT)
{
	if (variant->huge)
		SKIP(return, "a large folio that is read keeps its old objects");
	read_and_demote(_metadata, 8);
}

/* --- other tests of which pages move --------------------------------------- */

FIXTURE(age)
{
};

FIXTURE_VARIANT(age)
{
	const char *format;
};

/* An object moves to a packed device as it is, and is on its way for a while. */
FIXTURE_VARIANT_ADD(age, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(age, packed) { .format = "packed" };

FIXTURE_SETUP(age)
{
	const char *why = begin_age_test(_metadata, variant->format);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(age)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Pages that are used and pushed out again now and then stay in zswap while
 * pages that nobody uses leave it
 */
TEST_F_TIMEOUT(age, hot_survives, SA_TIMEOUT)
{
	size_t nr_hot = SA_MIB_PAGES, nr_cold = 8 * SA_MIB_PAGES, i;
	long long in_zswap, least = nr_hot;
	struct sa_area hot, cold;

	ASSERT_EQ(0, sa_pin_to_cpu(0));
	make_swapped_area(_metadata, &hot, nr_hot, SA_TEXT, 1);
	make_swapped_area(_metadata, &cold, nr_cold, SA_TEXT, 2);
	for (i = 0; i < 8; i++) {
		if (i % 2 == 0) {
			in_zswap = count_in_zswap(_metadata, &hot, 0, nr_hot);
			least = in_zswap < least ? in_zswap : least;
			ASSERT_TRUE(swap_out_area(&hot));
		}
		demote_pages(_metadata, nr_cold / 10);
	}
	in_zswap = count_in_zswap(_metadata, &hot, 0, nr_hot);
	TH_LOG("%lld of %zu hot pages are in zswap, and never were less than %lld", in_zswap,
	       nr_hot, least);
	EXPECT_LE(nr_hot * 9 / 10, in_zswap);
	EXPECT_LE(nr_hot * 9 / 10, least);
	EXPECT_EQ(0, sa_area_check(&cold));
}

/*
 * What is left on the list of objects that are gone does not keep a demotion from
 * finding all others, also if these have the same slots and are as many
 */
TEST_F_TIMEOUT(age, reused, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a;
	int i;

	ASSERT_EQ(0, sa_pin_to_cpu(0));
	for (i = 0; i < 8; i++) {
		make_swapped_area(_metadata, &a, n, SA_TEXT, i + 1);
		if (i % 4 == 3) {
			demote_pages(_metadata, n);
			check_area_in_tier(_metadata, &a, sa_dev(0));
		}
		sa_area_unmap(&a);
	}
}

/* Nodes that are not full are found, although they are on no list */
TEST_F_TIMEOUT(age, few, SA_TIMEOUT)
{
	struct sa_area a;

	make_swapped_area(_metadata, &a, FEW, SA_TEXT, 1);
	demote_pages(_metadata, 1);
	demote_pages(_metadata, FEW - 1);
	EXPECT_TRUE(wait_stored(NULL, 0));
	check_area_in_tier(_metadata, &a, sa_dev(0));
}

/* The same where a CPU changes from one cgroup to another with each page */
TEST_F_TIMEOUT(age, few_of_two, SA_TIMEOUT)
{
	static const char * const names[] = { "few_a", "few_b" };
	struct sa_area a[2];
	char cg[256];
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg, sizeof(cg)));
		make_area_of(_metadata, cg, &a[i], FEW, i + 1);
	}
	ASSERT_TRUE(swap_out_in_turns(a, 2));
	for (i = 0; i < 2; i++)
		demote_pages(_metadata, FEW);
	EXPECT_TRUE(wait_stored(NULL, 0));
	for (i = 0; i < 2; i++)
		check_area_in_tier(_metadata, &a[i], sa_dev(0));
}

/* The same where each CPU has some pages of a cgroup */
TEST_F_TIMEOUT(age, few_of_cpus, SA_TIMEOUT)
{
	struct sa_area a;
	cpu_set_t cpu[2];
	size_t i;

	for (i = 0; i < 2; i++) {
		if (sa_nth_cpu(i) < 0)
			SKIP(return, "needs two CPUs");
		CPU_ZERO(&cpu[i]);
		CPU_SET(sa_nth_cpu(i), &cpu[i]);
	}
	make_area(_metadata, &a, 2 * FEW, SA_TEXT, 1);
	for (i = 0; i < a.n; i++) {
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpu[0]), &cpu[i % 2]));
		EXPECT_EQ(1, sa_pageout(a.p + i * SA_PAGE, 1));
	}
	ASSERT_TRUE(swap_out_area(&a));
	demote_pages(_metadata, a.n);
	EXPECT_TRUE(wait_stored(NULL, 0));
	check_area_in_tier(_metadata, &a, sa_dev(0));
}

/*
 * A cgroup at its limit gives its oldest objects to the device, and nearly all
 * that it pushes out goes to zswap
 */
TEST_F_TIMEOUT(age, zswap_max, SA_TIMEOUT)
{
	size_t n = 16 * SA_MIB_PAGES, step = 8, i;
	long long max = SA_MIB, most = 0, now, old, new;
	struct sa_area a;
	char cg[256];

	ASSERT_EQ(0, sa_cg_make("limit", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_cg_write_num(cg, "memory.zswap.max", max));
	make_area_of(_metadata, cg, &a, n, 1);
	for (i = 0; i < n; i += step) {
		madvise(a.p + i * SA_PAGE, step * SA_PAGE, MADV_PAGEOUT);
		now = sa_cg_num(cg, "memory.zswap.current");
		most = now > most ? now : most;
	}
	ASSERT_TRUE(swap_out_area(&a));
	now = sa_cg_num(cg, "memory.zswap.current");
	/*
	 * Each CPU may store a page more, and the statistics are behind by some
	 * pages.
	 */
	EXPECT_GE(max + sysconf(_SC_NPROCESSORS_ONLN) * (long long)SA_PAGE + SLACK / 16, most);
	old = count_in_zswap(_metadata, &a, 0, n / 2);
	new = count_in_zswap(_metadata, &a, n - n / 16, n / 16);
	TH_LOG("at most %lld bytes in zswap, and %lld last, limit %lld", most, now, max);
	TH_LOG("in zswap: %lld of %zu old pages, %lld of %zu new ones", old, n / 2, new, n / 16);
	EXPECT_LE(max / 2, now);
	EXPECT_GE(NODE, old);
	EXPECT_LE(n / 16 * 3 / 4, new);
	EXPECT_EQ(0, sa_area_check(&a));
}

/* --- removed cgroups ------------------------------------------------------- */

/*
 * Expect that the pages of a removed cgroup are read from the device and are
 * right. What moves them has charged their folios to the root, so the test
 * reclaims these there.
 */
static void check_removed(struct __test_metadata *_metadata, struct sa_area *a)
{
	double end = sa_now() + SOON;
	long long before;

	EXPECT_TRUE(sa_wait_writeback());
	while (sa_nr_in_cache(a->p, a->n) && sa_now() < end)
		sa_cg_reclaim(sa_cg_root(), 4 * SA_MIB);
	EXPECT_EQ(0, sa_nr_in_cache(a->p, a->n));
	before = sa_tier_num(sa_dev(0), "stats/load");
	EXPECT_EQ(0, sa_area_check(a));
	EXPECT_LE((long long)a->n, sa_tier_num(sa_dev(0), "stats/load") - before);
}

/* Remove a cgroup, and give the kernel time to hand on what it has left behind */
static bool remove_cg(const char *cg)
{
	if (!sa_wait(!rmdir(cg), SOON))
		return false;
	sleep(1);
	return true;
}

FIXTURE(removed)
{
	char above[256], cg[256];
};

FIXTURE_VARIANT(removed)
{
	const char *format;
};

FIXTURE_VARIANT_ADD(removed, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(removed, packed) { .format = "packed" };

FIXTURE_SETUP(removed)
{
	const char *why = begin_age_test(_metadata, variant->format);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("gone", 0, self->above, sizeof(self->above)));
	ASSERT_EQ(0, sa_cg_write(self->above, "cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, sa_cg_make("gone/in", 0, self->cg, sizeof(self->cg)));
}

FIXTURE_TEARDOWN_PARENT(removed)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Expect that zswap is empty, and that nothing in it is charged to a cgroup any
 * more but for so many bytes
 */
static void expect_uncharged(struct __test_metadata *_metadata, const char *cg, long long bytes)
{
	EXPECT_TRUE(wait_stored(NULL, 0));
	EXPECT_EQ(0, sa_tier_num(NULL, "used"));
	/* This has the statistics summed up, which are behind otherwise. */
	sa_purge_cache();
	EXPECT_TRUE(sa_wait_purged(sa_cg_key(cg, "memory.stat", "zswap") == bytes, SOON / 2)) {
		TH_LOG("%lld bytes in zswap are charged to %s, not %lld",
		       sa_cg_key(cg, "memory.stat", "zswap"), cg, bytes);
	}
}

/*
 * A removed cgroup leaves its pages to the one above, whether they have been
 * looked at, have not, or are on no list yet
 */
TEST_F_TIMEOUT(removed, one, SA_TIMEOUT)
{
	size_t n = 3 * SA_MIB_PAGES;
	struct sa_area a[2];
	int i;

	make_area_of(_metadata, self->cg, &a[0], n, 1);
	ASSERT_TRUE(swap_out_area(&a[0]));
	demote_pages(_metadata, n / 3);
	make_area_of(_metadata, self->cg, &a[1], FEW, 2);
	ASSERT_TRUE(swap_out_area(&a[1]));
	ASSERT_TRUE(remove_cg(self->cg));
	demote_pages(_metadata, n / 3);
	EXPECT_LE(n / 3 - FEW, count_moved(_metadata, &a[0]));
	demote_pages(_metadata, n / 3 + FEW);
	expect_uncharged(_metadata, self->above, 0);
	for (i = 0; i < 2; i++)
		check_removed(_metadata, &a[i]);
}

/* The same where all that the cgroup leaves behind is on no list */
TEST_F_TIMEOUT(removed, few, SA_TIMEOUT)
{
	struct sa_area a;

	make_area_of(_metadata, self->cg, &a, FEW, 1);
	ASSERT_TRUE(swap_out_area(&a));
	ASSERT_TRUE(remove_cg(self->cg));
	demote_pages(_metadata, FEW);
	expect_uncharged(_metadata, self->above, 0);
	check_removed(_metadata, &a);
}

/* The same where the cgroup above is removed, too, so that the root has them */
TEST_F_TIMEOUT(removed, both, SA_TIMEOUT)
{
	size_t n = 3 * SA_MIB_PAGES;
	struct sa_area a[2];
	long long before;
	int i;

	sa_purge_cache();
	before = sa_cg_key(sa_cg_root(), "memory.stat", "zswap");
	for (i = 0; i < 2; i++) {
		make_area_of(_metadata, self->cg, &a[i], i ? FEW : n, i + 1);
		ASSERT_TRUE(swap_out_area(&a[i]));
	}
	ASSERT_TRUE(remove_cg(self->cg));
	ASSERT_TRUE(remove_cg(self->above));
	demote_pages(_metadata, n + FEW);
	expect_uncharged(_metadata, sa_cg_root(), before);
	for (i = 0; i < 2; i++)
		check_removed(_metadata, &a[i]);
}

/*
 * Pages of a removed cgroup that another one has read and pushed out again, while
 * a second process keeps their slots, are still found
 */
TEST_F_TIMEOUT(removed, shared, SA_TIMEOUT)
{
	size_t n = SA_MIB_PAGES;
	struct sa_area a;
	pid_t pid;

	make_area_of(_metadata, self->cg, &a, n, 1);
	ASSERT_TRUE(swap_out_area(&a));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	EXPECT_TRUE(remove_cg(self->cg));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_TRUE(swap_out_area(&a));
	EXPECT_LE((long long)n, sa_tier_num(NULL, "stats/load"));
	demote_pages(_metadata, n);
	EXPECT_EQ(n, count_moved(_metadata, &a));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * Pages that may not go to the device do not keep younger ones in zswap, also
 * where a demotion looks at a few objects at a time. (The limit of a removed
 * cgroup holds for its pages.)
 */
TEST_F_TIMEOUT(removed, not_allowed, SA_TIMEOUT)
{
	size_t n = 2 * NODE;
	struct sa_area a[2];
	char cg[256];
	int i;

	if (sa_check_needs(SA_NEED_LIMITS))
		SKIP(return, "no " SA_TIERS_MAX);
	ASSERT_EQ(0, sa_pin_to_cpu(0));
	ASSERT_EQ(0, sa_cg_make("gone/too", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, sa_dev(0), "0"));
	make_area_of(_metadata, self->cg, &a[0], n, 1);
	ASSERT_TRUE(swap_out_area(&a[0]));
	ASSERT_TRUE(remove_cg(self->cg));
	make_area_of(_metadata, cg, &a[1], n, 2);
	ASSERT_TRUE(swap_out_area(&a[1]));
	ASSERT_TRUE(remove_cg(cg));
	demote_pages(_metadata, FEW);
	EXPECT_EQ(FEW, count_moved(_metadata, &a[1]));
	demote_pages(_metadata, n - FEW);
	EXPECT_EQ(n - FEW, count_moved(_metadata, &a[1]));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sa_area_check(&a[i]));
}

/* --- what the lists cost -------------------------------------------------- */

FIXTURE(bytes)
{
	char cg[2][256];
};

FIXTURE_VARIANT(bytes)
{
	int cgroups;		/* they take turns, page by page */
	size_t demote;		/* pages that are demoted in each round */
	bool anew;		/* the pages are freed instead of read */
};

FIXTURE_VARIANT_ADD(bytes, one) { .cgroups = 1 };

FIXTURE_VARIANT_ADD(bytes, turns) { .cgroups = 2 };

/* Lists that have been looked at in part have nodes that can't be merged. */
FIXTURE_VARIANT_ADD(bytes, demoted) { .cgroups = 2, .demote = 64 };

/* New objects have the slots, and the places in memory, of those that are gone. */
FIXTURE_VARIANT_ADD(bytes, anew) { .cgroups = 1, .anew = true };

FIXTURE_SETUP(bytes)
{
	static const char * const names[] = { "bytes_a", "bytes_b" };
	const char *why = begin_age_test(_metadata, NULL);
	int i;

	/* Cgroups take turns on one CPU, so that its node is appended each time. */
	if (!why && sa_pin_to_cpu(0))
		why = "cannot choose a CPU";
	if (!why && access(METADATA, R_OK))
		why = "no " METADATA;
	if (why)
		SKIP(return, "%s", why);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_cg_make(names[i], 0, self->cg[i], sizeof(self->cg[i])));
}

FIXTURE_TEARDOWN_PARENT(bytes)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Return the bytes that zswap may take beside the data of so many pages: two
 * items of 5.3 bytes and two bytes before the data for each page, 4096 items that
 * are not worth a sweep, and nodes that are not full
 */
static long long most_bytes(size_t pages)
{
	return (2 * pages + 4096) * 53 / 10 + 2 * pages + 64 * 1024;
}

static long long bytes_now(void)
{
	return sa_read_key(METADATA, "zswap_entry_bytes");
}

/*
 * What the lists say of objects that are gone takes a bounded amount of memory,
 * because a worker sweeps the lists
 */
TEST_F_TIMEOUT(bytes, bounded, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES / variant->cgroups;
	long long now, peak = 0, last;
	struct sa_area a[2];
	int rounds, i;
	char size[32];

	for (i = 0; i < variant->cgroups; i++)
		make_area_of(_metadata, self->cg[i], &a[i], n, i + 1);
	snprintf(size, sizeof(size), "%zu", variant->demote * SA_PAGE);
	for (rounds = 0; rounds < 20; rounds++) {
		ASSERT_TRUE(variant->cgroups > 1 ? swap_out_in_turns(a, variant->cgroups) :
						   swap_out_area(a));
		if (variant->demote)
			ASSERT_EQ(0, sa_tier_write(NULL, "demote", size));
		/* The worker may need a moment. */
		sa_wait(bytes_now() <= most_bytes(n * variant->cgroups), SOON);
		now = bytes_now();
		peak = now > peak ? now : peak;
		ASSERT_GE(most_bytes(n * variant->cgroups), now) {
			TH_LOG("round %d", rounds);
		}
		for (i = 0; i < variant->cgroups; i++) {
			if (!variant->anew) {
				EXPECT_EQ(0, sa_area_check(&a[i]));
				continue;
			}
			sa_area_unmap(&a[i]);
			make_area_of(_metadata, self->cg[i], &a[i], n, i + 1);
		}
	}
	for (i = 0; i < variant->cgroups; i++)
		sa_area_unmap(&a[i]);
	EXPECT_TRUE(sa_wait_purged(bytes_now() <= most_bytes(0), SOON / 2));
	last = bytes_now();
	TH_LOG("%lld bytes at most for %zu pages, %lld for none", peak, n * variant->cgroups,
	       last);
	EXPECT_LE(0, last);
}

/* --- compressors ---------------------------------------------------------- */

FIXTURE(compressors)
{
	char was[32];
	const char *name[2];
};

FIXTURE_SETUP(compressors)
{
	static const char * const others[] = { "zstd", "lzo", "lzo-rle", "deflate" };
	const char *why = begin_age_test(_metadata, NULL);
	size_t i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_LT(0, sa_read(SA_ZSWAP "/compressor", self->was, sizeof(self->was)));
	for (i = 0; i < ARRAY_SIZE(others) && !self->name[1]; i++)
		if (!sa_zswap_param("compressor", others[i]))
			self->name[1] = others[i];
	self->name[0] = "lz4";
	if (!self->name[1] || sa_zswap_param("compressor", self->name[0]))
		SKIP(return, "needs lz4 and another compressor");
}

FIXTURE_TEARDOWN_PARENT(compressors)
{
	if (self->was[0])
		sa_zswap_param("compressor", self->was);
	EXPECT_EQ(0, sa_end());
}

/*
 * Objects of several compressors are in one list, and each is read with its own
 */
TEST_F_TIMEOUT(compressors, mixed, SA_TIMEOUT)
{
	size_t n = SA_MIB_PAGES, half;
	struct sa_area a[6];
	int i;

	for (i = 0; i < ARRAY_SIZE(a); i++) {
		ASSERT_EQ(0, sa_zswap_param("compressor", self->name[i % 2]));
		make_swapped_area(_metadata, &a[i], n, SA_TEXT, i + 1);
	}
	TH_LOG("lz4 and %s", self->name[1]);
	/* The first two areas are the oldest, one of each compressor. */
	for (i = 0; i < 2; i++) {
		demote_pages(_metadata, n);
		EXPECT_LE(n - NODE, count_moved(_metadata, &a[i]));
	}
	/* Read some from zswap, and store them with the other compressor. */
	half = n / 2;
	for (i = 2; i < ARRAY_SIZE(a); i++) {
		ASSERT_EQ(0, sa_zswap_param("compressor", self->name[!(i % 2)]));
		EXPECT_LE(half - NODE, count_in_zswap(_metadata, &a[i], 0, half));
		ASSERT_TRUE(swap_out_area(&a[i]));
	}
	demote_pages(_metadata, 2 * n);
	for (i = 0; i < ARRAY_SIZE(a); i++)
		EXPECT_EQ(0, sa_area_check(&a[i]));
}

TEST_HARNESS_MAIN
