// SPDX-License-Identifier: GPL-2.0
/*
 * Swapped anonymous memory is shared, copied, merged, moved and counted: the
 * tests use fork, copy-on-write, exit, many sharers, KSM, mremap, munmap and
 * smaps.
 *
 * The test fails on a kernel that miscounts the users of a slot (a slot freed
 * too early shows foreign bytes, a slot freed too late stays in use), that
 * shows one process what another process wrote, or whose SwapPss does not
 * divide by the number of sharers.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backed.h"

#define PAGES	(2 * SA_MIB_PAGES)
#define LIMIT	(SA_TIMEOUT / 3)

#ifndef MADV_MERGEABLE
#define MADV_MERGEABLE	12
#endif

/*
 * Return the bytes of swap that the test has taken from devices and from the
 * layer
 */
static long long swap_bytes_taken(bool on, long long swap_used)
{
	long long n = sa_swap_used() - swap_used;

	n += sa_zswapped();
	if (on && sa_ndevs() && sa_tier_name(sa_dev(0)))
		n += sa_tier_num(sa_dev(0), "stored");
	return n;
}

TEST_F_TIMEOUT(backed, fork_and_cow, SA_TIMEOUT)
{
	int round, i, status;
	struct sa_area a;
	pid_t pid[4];
	size_t j;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_MIXED, 1));
	sa_area_fill(&a);
	for (round = 0; round < 2; round++) {
		ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
		for (i = 0; i < 4; i++) {
			pid[i] = sa_fork();
			ASSERT_LE(0, pid[i]);
			if (pid[i])
				continue;
			/*
			 * The child writes some pages without reading them, and
			 * checks the rest.
			 */
			for (j = i; j < PAGES; j += 5)
				sa_fill_page(a.p + j * SA_PAGE, a.pat, a.seed, j,
					     a.gen + 100 + i);
			sa_pageout(a.p, PAGES);
			for (j = 0; j < PAGES; j++)
				if (sa_check_page(a.p + j * SA_PAGE, a.pat, a.seed, j,
						  j % 5 == (size_t)i ?
						  a.gen + 100 + i : a.gen))
					_exit(1);
			_exit(0);
		}
		/*
		 * The parent checks its own pages, and changes them in every
		 * other round.
		 */
		if (round) {
			a.gen++;
			sa_area_fill(&a);
		}
		EXPECT_EQ(0, sa_area_check(&a));
		for (i = 0; i < 4; i++) {
			ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
			EXPECT_EQ(0, status);
		}
		EXPECT_EQ(0, sa_area_check(&a));
	}
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!swap_bytes_taken(variant->on, self->swap_used), 10)) {
		TH_LOG("%lld bytes of swap are still taken",
		       swap_bytes_taken(variant->on, self->swap_used));
	}
}

/* This structure is in memory that a test and its child share. */
struct waiter {
	struct __test_metadata *_metadata;
	size_t swapped;
};

static int swap_out_and_wait(void *arg)
{
	struct waiter *w = arg;
	struct __test_metadata *_metadata = w->_metadata;
	struct sa_area a;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 2));
	sa_area_fill(&a);
	sa_pageout(a.p, PAGES);
	w->swapped = sa_nr_swapped(a.p, PAGES);
	for (;;)
		pause();
	return 0;
}

TEST_F_TIMEOUT(backed, exit_under_swap, SA_TIMEOUT)
{
	struct waiter *w = sa_map_shared();
	pid_t pid;

	ASSERT_NE(NULL, w);
	w->_metadata = _metadata;
	pid = sa_start(NULL, swap_out_and_wait, w);
	ASSERT_TRUE(sa_wait(__atomic_load_n(&w->swapped, __ATOMIC_RELAXED), LIMIT));
	EXPECT_LE(PAGES - 8, w->swapped);
	EXPECT_LT(0, swap_bytes_taken(variant->on, self->swap_used));
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, sa_join(pid, LIMIT));
	EXPECT_TRUE(sa_wait_purged(!swap_bytes_taken(variant->on, self->swap_used), 10)) {
		TH_LOG("%lld bytes of swap are still taken",
		       swap_bytes_taken(variant->on, self->swap_used));
	}
}

/*
 * Let more processes share a page than the count in the swap table has bits for
 */
TEST_F_TIMEOUT(backed, count_overflow, SA_TIMEOUT)
{
	int children = sa_is_full() ? 300 : 80, i, status, go[2], bad = 0;
	size_t n = 64;
	struct sa_area a;
	pid_t *pid;
	char c;

	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 3));
	sa_area_fill(&a);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	ASSERT_EQ(0, pipe(go));
	pid = calloc(children, sizeof(*pid));
	ASSERT_NE(NULL, pid);
	for (i = 0; i < children; i++) {
		pid[i] = sa_fork();
		ASSERT_LE(0, pid[i]);
		if (pid[i])
			continue;
		/*
		 * The children hold the entries until the test closes the pipe.
		 */
		close(go[1]);
		ASSERT_EQ(0, read(go[0], &c, 1));
		ASSERT_EQ(n, sa_nr_swapped(a.p, n));
		/*
		 * One child in three exits without a look, and another one
		 * writes.
		 */
		if (i % 3 == 1)
			_exit(0);
		if (i % 3 == 2) {
			for (i = 0; i < (int)n; i += 2)
				sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 7);
			for (i = 1; i < (int)n; i += 2)
				if (sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0))
					_exit(1);
			_exit(0);
		}
		_exit(!!sa_area_check(&a));
	}
	EXPECT_EQ(n, sa_nr_swapped(a.p, n));
	close(go[1]);
	for (i = 0; i < children; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		bad += status != 0;
	}
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!swap_bytes_taken(variant->on, self->swap_used), 10));
}

TEST_F_TIMEOUT(backed, smaps, SA_TIMEOUT)
{
	size_t n = 256, out;
	struct sa_area a;
	int go[2];
	pid_t pid[3];
	int i;
	char c;

	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 4));
	sa_area_fill(&a);
	EXPECT_EQ(0, sa_smaps_field(a.p, "Swap"));
	out = sa_pageout(a.p, n);
	ASSERT_LE(n - 8, out);
	EXPECT_EQ((long long)(out * SA_PAGE), sa_smaps_field(a.p, "Swap"));
	EXPECT_EQ((long long)(out * SA_PAGE), sa_smaps_field(a.p, "SwapPss"));
	EXPECT_EQ((long long)((n - out) * SA_PAGE), sa_smaps_field(a.p, "Rss"));
	ASSERT_EQ(0, pipe(go));
	for (i = 0; i < 3; i++) {
		pid[i] = sa_fork();
		if (!pid[i]) {
			close(go[1]);
			_exit(read(go[0], &c, 1) != 0);
		}
	}
	EXPECT_EQ((long long)(out * SA_PAGE), sa_smaps_field(a.p, "Swap"));
	EXPECT_EQ((long long)(out * SA_PAGE / 4), sa_smaps_field(a.p, "SwapPss"));
	close(go[1]);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, sa_join(pid[i], 30));
	EXPECT_EQ((long long)(out * SA_PAGE), sa_smaps_field(a.p, "SwapPss"));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_smaps_field(a.p, "Swap"));
	EXPECT_EQ((long long)(n * SA_PAGE), sa_smaps_field(a.p, "Rss"));
}

TEST_F_TIMEOUT(backed, mremap, SA_TIMEOUT)
{
	size_t n = 1024, i;
	struct sa_area a, hole;
	unsigned char *q;

	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 5));
	ASSERT_EQ(0, sa_area_map(&hole, n, SA_ZERO, 0));
	sa_area_fill(&a);
	ASSERT_LE(n - 8, sa_pageout(a.p, n));
	/* The middle part moves to an address with another alignment. */
	q = mremap(a.p + 256 * SA_PAGE, 512 * SA_PAGE, 512 * SA_PAGE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, hole.p + 17 * SA_PAGE);
	ASSERT_EQ(hole.p + 17 * SA_PAGE, q);
	EXPECT_LE(512 - 8, sa_nr_swapped(q, 512));
	for (i = 0; i < 512; i++)
		ASSERT_EQ(0, sa_check_page(q + i * SA_PAGE, a.pat, a.seed, 256 + i, 0));
	for (i = 0; i < 256; i++) {
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
		ASSERT_EQ(0, sa_check_page(a.p + (i + 768) * SA_PAGE, a.pat, a.seed,
					   i + 768, 0));
	}
	munmap(a.p, 256 * SA_PAGE);
	munmap(a.p + 768 * SA_PAGE, 256 * SA_PAGE);
	munmap(hole.p, hole.n * SA_PAGE);
	EXPECT_TRUE(sa_wait_purged(!swap_bytes_taken(variant->on, self->swap_used), 10));
}

/* Free slots one by one, in runs, and all; write again to the rest */
TEST_F_TIMEOUT(backed, partial_free, SA_TIMEOUT)
{
	size_t i;
	struct sa_area a;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 6));
	sa_area_fill(&a);
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	for (i = 0; i < PAGES; i += 2)
		madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	for (i = 0; i < PAGES; i += 2)
		sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 9);
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i,
					   i & 1 ? 0 : 9));
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	munmap(a.p + 100 * SA_PAGE, 200 * SA_PAGE);
	for (i = 300; i < PAGES; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i,
					   i & 1 ? 0 : 9));
	munmap(a.p, PAGES * SA_PAGE);
	EXPECT_TRUE(sa_wait_purged(!swap_bytes_taken(variant->on, self->swap_used), 10));
}

#define KSM	"/sys/kernel/mm/ksm"

struct ksm {
	struct __test_metadata *_metadata;
	size_t n;
	const char *cg;
	size_t out;
};

static int check_merged_pages(void *arg)
{
	struct ksm *k = arg;
	struct __test_metadata *_metadata = k->_metadata;
	struct sa_area a;
	size_t i;

	/* The area holds each page 32 times, side by side. */
	ASSERT_EQ(0, sa_area_map(&a, k->n, SA_TEXT, 7));
	for (i = 0; i < k->n; i++)
		sa_fill_page(a.p + i * SA_PAGE, SA_TEXT, 7, i / 32, 0);
	ASSERT_EQ(0, madvise(a.p, k->n * SA_PAGE, MADV_MERGEABLE));
	ASSERT_TRUE(sa_wait(sa_read_num(KSM "/pages_sharing") >=
			    (long long)(k->n / 32 * 30), LIMIT));
	sa_write(KSM "/run", "0");
	for (i = 0; i < 50; i++) {
		usleep(i * 2000);
		/* The few merged pages may all be in the batch of one CPU. */
		sa_write("/proc/sys/vm/drop_caches", "1");
		sa_cg_reclaim(k->cg, k->n * SA_PAGE);
		if (sa_nr_swapped(a.p, k->n) > k->n / 2)
			break;
	}
	ASSERT_LE(k->n / 4, sa_nr_swapped(a.p, k->n));
	sa_log("%lld pages merged, %zu of %zu entries swapped",
	       sa_read_num(KSM "/pages_sharing"), sa_nr_swapped(a.p, k->n), k->n);
	/* A written page must part from its merged copies. */
	for (i = 5; i < k->n; i += 32)
		sa_fill_page(a.p + i * SA_PAGE, SA_TEXT, 7, i, 1);
	for (i = 0; i < k->n; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, SA_TEXT, 7, i % 32 == 5 ? i : i / 32,
					   i % 32 == 5));
	return 0;
}

TEST_F_TIMEOUT(backed, ksm, SA_TIMEOUT)
{
	struct ksm k = { ._metadata = _metadata, .n = 1024 };
	char cg[256];

	if (access(KSM "/run", W_OK))
		SKIP(return, "no KSM");
	ASSERT_EQ(0, sa_cg_make("ksm", 0, cg, sizeof(cg)));
	k.cg = cg;
	sa_write(KSM "/pages_to_scan", "4000");
	sa_write(KSM "/sleep_millisecs", "5");
	ASSERT_EQ(0, sa_write(KSM "/run", "1"));
	EXPECT_EQ(0, sa_run(cg, check_merged_pages, &k, LIMIT));
	sa_write(KSM "/run", "2");
	sa_write(KSM "/run", "0");
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_TRUE(sa_wait_purged(!swap_bytes_taken(variant->on, self->swap_used), 10));
}

TEST_HARNESS_MAIN
