// SPDX-License-Identifier: GPL-2.0
/*
 * These tests give advice, set locks and ask questions about swapped memory:
 * MADV_PAGEOUT, WILLNEED, FREE and DONTNEED, process_madvise, mlock, mincore.
 *
 * The test fails on a kernel where one of them skips virtual entries, where
 * MADV_FREE brings old bytes of another page, or where readahead of virtual
 * slots in different tiers mixes the pages up.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backed.h"

#define PAGES	(2 * SA_MIB_PAGES)
#define LIMIT	(SA_TIMEOUT / 3)

TEST_F_TIMEOUT(backed, willneed, SA_TIMEOUT)
{
	struct sa_area a;
	long long in;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 1));
	sa_area_fill(&a);
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	/* The pages must have left the swap cache as well. */
	EXPECT_TRUE(sa_area_only_swapped(&a));
	in = sa_vmstat("pswpin") + sa_vmstat("zswpin");
	ASSERT_EQ(0, madvise(a.p, PAGES * SA_PAGE, MADV_WILLNEED));
	/* The kernel reads the pages into the swap cache without a fault. */
	EXPECT_TRUE(sa_wait(sa_vmstat("pswpin") + sa_vmstat("zswpin") - in >=
			    (long long)PAGES / 2, 20)) {
		TH_LOG("%lld pages were read",
		       sa_vmstat("pswpin") + sa_vmstat("zswpin") - in);
	}
	EXPECT_EQ(0, sa_area_check(&a));
	/*
	 * The pages go out, come in ahead of time, and go out again without a
	 * read.
	 */
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	ASSERT_EQ(0, madvise(a.p, PAGES * SA_PAGE, MADV_WILLNEED));
	sa_pageout(a.p, PAGES);
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(backed, dontneed, SA_TIMEOUT)
{
	struct sa_area a;
	size_t i;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 2));
	sa_area_fill(&a);
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	ASSERT_EQ(0, madvise(a.p, PAGES / 2 * SA_PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, sa_nr_swapped(a.p, PAGES / 2));
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE,
					   i < PAGES / 2 ? SA_ZERO : SA_TEXT, 2, i, 0));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(sa_swap_used() == self->swap_used, 10));
}

TEST_F_TIMEOUT(backed, free, SA_TIMEOUT)
{
	size_t i, zero = 0, old = 0;
	struct sa_area a;
	__u64 want[SA_PAGE / 8];
	cpu_set_t cpu;

	/*
	 * MADV_FREE puts pages into a batch of this CPU, where they wait until
	 * the batch is full. MADV_PAGEOUT drains only the batch of the CPU that
	 * it runs on.
	 */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpu), &cpu));

	/* The kernel drops swapped pages at once. */
	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 3));
	sa_area_fill(&a);
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	ASSERT_EQ(0, madvise(a.p, PAGES / 2 * SA_PAGE, MADV_FREE));
	EXPECT_EQ(0, sa_nr_swapped(a.p, PAGES / 2));
	for (i = 0; i < PAGES / 2; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, SA_ZERO, 0, i, 0));
	for (; i < PAGES; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, SA_TEXT, 3, i, 0));

	/*
	 * A present page that was swapped must show its own bytes or zeros, and
	 * never another page's bytes.
	 */
	ASSERT_EQ(0, madvise(a.p, PAGES * SA_PAGE, MADV_FREE));
	madvise(a.p, PAGES * SA_PAGE, MADV_PAGEOUT);
	EXPECT_EQ(0, sa_nr_swapped(a.p, PAGES));
	for (i = 0; i < PAGES; i++) {
		const unsigned char *p = a.p + i * SA_PAGE;

		sa_fill_page(want, SA_TEXT, 3, i, 0);
		if (!memcmp(p, want, SA_PAGE))
			old++;
		else if (!p[0] && !memcmp(p, p + 1, SA_PAGE - 1))
			zero++;
		else
			ASSERT_EQ(0, sa_check_page(p, SA_TEXT, 3, i, 0));
	}
	EXPECT_EQ(PAGES, old + zero);
	EXPECT_LT(0, zero);
}

TEST_F_TIMEOUT(backed, mlock, SA_TIMEOUT)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };
	struct sa_area a;

	setrlimit(RLIMIT_MEMLOCK, &lim);
	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_MIXED, 4));
	sa_area_fill(&a);
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	ASSERT_EQ(0, mlock(a.p, PAGES * SA_PAGE));
	EXPECT_EQ(0, sa_nr_swapped(a.p, PAGES));
	EXPECT_EQ(PAGES, sa_nr_present(a.p, PAGES));
	EXPECT_NE(0, madvise(a.p, PAGES * SA_PAGE, MADV_PAGEOUT));
	EXPECT_EQ(PAGES, sa_nr_present(a.p, PAGES));
	EXPECT_EQ(0, sa_area_check(&a));
	ASSERT_EQ(0, munlock(a.p, PAGES * SA_PAGE));
	EXPECT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(backed, mincore, SA_TIMEOUT)
{
	unsigned char vec[PAGES];
	size_t i, in = 0;
	struct sa_area a;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 5));
	sa_area_fill(&a);
	ASSERT_EQ(0, mincore(a.p, PAGES * SA_PAGE, vec));
	for (i = 0; i < PAGES; i++)
		in += vec[i] & 1;
	EXPECT_EQ(PAGES, in);
	ASSERT_LE(PAGES - 8, sa_pageout(a.p, PAGES));
	/* A page whose folio is still in the swap cache counts as in memory. */
	EXPECT_TRUE(sa_wait_purged(({
		mincore(a.p, PAGES * SA_PAGE, vec);
		for (i = in = 0; i < PAGES; i++)
			in += vec[i] & 1;
		in <= PAGES / 8;
	}), 20)) {
		TH_LOG("%zu of %lu in memory", in, PAGES);
	}
	/* One page is read. */
	EXPECT_EQ(0, sa_check_page(a.p + 77 * SA_PAGE, a.pat, a.seed, 77, 0));
	ASSERT_EQ(0, mincore(a.p, PAGES * SA_PAGE, vec));
	EXPECT_EQ(1, vec[77] & 1);
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(backed, process_madvise, SA_TIMEOUT)
{
	struct iovec iov;
	struct sa_area a;
	int go[2], filled[2], fd, i;
	pid_t pid;
	long ret;
	char c;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 6));
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(filled));
	pid = sa_fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sa_area_fill(&a);
		ASSERT_EQ(1, write(filled[1], "x", 1));
		ASSERT_EQ(1, read(go[0], &c, 1));
		EXPECT_LE(PAGES / 2, sa_nr_swapped(a.p, PAGES));
		EXPECT_EQ(0, sa_area_check(&a));
		_exit(0);
	}
	close(go[0]);
	fd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, read(filled[0], &c, 1));
	iov = (struct iovec){ .iov_base = a.p, .iov_len = PAGES * SA_PAGE };
	for (i = 0; i < 5; i++) {
		ret = syscall(SYS_process_madvise, fd, &iov, 1, MADV_PAGEOUT, 0);
		EXPECT_EQ((long)(PAGES * SA_PAGE), ret);
		sa_write("/proc/sys/vm/drop_caches", "1");
	}
	ASSERT_EQ(1, write(go[1], "x", 1));
	EXPECT_EQ(0, sa_join(pid, LIMIT));
	close(fd);
}

/* Readahead covers pages in zswap, on the device, and in memory */
TEST_F_TIMEOUT(backed, mixed_places, SA_TIMEOUT)
{
	const char *why = sa_check_needs(SA_NEED_ZSWAP | SA_NEED_DEV);
	struct sa_area a;
	size_t i;

	if (why)
		SKIP(return, "%s", why);
	if (!sa_nswaps())
		ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_MIXED, 7));
	sa_area_fill(&a);
	for (i = 0; i < PAGES; i += 16) {
		ASSERT_EQ(0, sa_set_zswap(i & 16));
		/* Every fourth run of pages stays in memory. */
		if (i & 48)
			madvise(a.p + i * SA_PAGE, 16 * SA_PAGE, MADV_PAGEOUT);
	}
	EXPECT_LE(PAGES / 2, sa_nr_swapped(a.p, PAGES));
	EXPECT_LT(0, sa_zswapped());
	for (i = PAGES; i--;)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
	a.gen = 1;
	sa_area_fill(&a);
	sa_pageout(a.p, PAGES);
	ASSERT_EQ(0, sa_set_zswap(true));
	madvise(a.p, PAGES * SA_PAGE, MADV_WILLNEED);
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_HARNESS_MAIN
