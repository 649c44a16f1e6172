// SPDX-License-Identifier: GPL-2.0
/*
 * Two processes, each on a CPU of its own, swap out at once.
 *
 * The test fails on a kernel where CPUs share a cluster of a device, so that
 * what each of them writes is scattered, and where slots that one CPU has set
 * aside are lost to the others.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define TASKS	2
#define LIMIT	(SA_TIMEOUT / 3)

/* Shared by the processes of a test */
struct together {
	size_t pages[TASKS];	/* of each process */
	int tasks;
	atomic_int numbers;	/* of processes that have begun */
	atomic_int ready;	/* processes whose memory is filled */
	atomic_int out;		/* processes whose memory is out */
	atomic_bool stop;
	size_t swapped[TASKS];
};

static int run_task(void *arg)
{
	struct together *t = arg;
	int i = atomic_fetch_add(&t->numbers, 1);
	struct sa_area a;

	if (sa_pin_to_cpu(i) || sa_area_map(&a, t->pages[i], SA_RANDOM, i))
		return 1;
	sa_area_fill(&a);
	atomic_fetch_add(&t->ready, 1);
	while (atomic_load(&t->ready) < t->tasks)
		usleep(100);
	t->swapped[i] = sa_pageout(a.p, a.n);
	atomic_fetch_add(&t->out, 1);
	while (!atomic_load(&t->stop))
		usleep(1000);
	return sa_area_check(&a) ? 2 : 0;
}

FIXTURE(cpus)
{
	struct together *t;
	pid_t pid[TASKS];
};

FIXTURE_SETUP(cpus)
{
	const char *why = sa_nth_cpu(1) < 0 ? "needs two CPUs" : sa_begin(true, SA_NEED_DEV);

	if (why)
		SKIP(return, "%s", why);
	self->t = sa_map_shared();
	ASSERT_NE(NULL, self->t);
}

FIXTURE_TEARDOWN_PARENT(cpus)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Let a process on the first CPU swap out @first pages, and one on the second CPU
 * @second pages, if that is not 0. Wait until they have.
 */
static void swap_out_together(struct __test_metadata *_metadata, struct together *t,
			      pid_t *pid, size_t first, size_t second)
{
	int i, tasks = second ? 2 : 1;

	*t = (struct together) { .tasks = tasks, .pages = { first, second } };
	for (i = 0; i < tasks; i++) {
		pid[i] = sa_start(NULL, run_task, t);
		ASSERT_LT(0, pid[i]);
	}
	ASSERT_TRUE(sa_wait(atomic_load(&t->out) == tasks, LIMIT));
	EXPECT_TRUE(sa_wait_writeback());
}

static void end_together(struct __test_metadata *_metadata, struct together *t, pid_t *pid)
{
	int i;

	atomic_store(&t->stop, true);
	for (i = 0; i < t->tasks; i++)
		EXPECT_EQ(0, sa_join(pid[i], LIMIT));
}

/* Return how many pages a write request has had since @before */
static double pages_a_write(const struct sa_io *before)
{
	struct sa_io now;

	if (sa_io_read(sa_dev(0), &now) || now.writes == before->writes)
		return 0;
	return (now.write_sectors - before->write_sectors) * 512.0 / SA_PAGE /
	       (now.writes - before->writes);
}

TEST_F_TIMEOUT(cpus, in_order, SA_TIMEOUT)
{
	size_t pages = 16 * SA_MIB_PAGES;
	double alone, both;
	struct sa_io io;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 128 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_io_read(sa_dev(0), &io));
	swap_out_together(_metadata, self->t, self->pid, pages, 0);
	alone = pages_a_write(&io);
	end_together(_metadata, self->t, self->pid);
	if (alone < 16)
		SKIP(return, "the device is written %.1f pages at once", alone);

	ASSERT_EQ(0, sa_io_read(sa_dev(0), &io));
	swap_out_together(_metadata, self->t, self->pid, pages, pages);
	both = pages_a_write(&io);
	TH_LOG("pages a write: %.1f by one process, %.1f by two", alone, both);
	/* Where the two share clusters, this is about 2. */
	EXPECT_LE(alone / 4, both);
	end_together(_metadata, self->t, self->pid);
}

TEST_F_TIMEOUT(cpus, last_slot, SA_TIMEOUT)
{
	size_t slots = 8 * SA_MIB_PAGES, out;
	long long total;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), slots, -1));
	total = sa_meminfo("SwapTotal");
	EXPECT_EQ(total, sa_meminfo("SwapFree"));
	/* The second CPU keeps most of what it has set aside. */
	swap_out_together(_metadata, self->t, self->pid, slots, 16);
	out = self->t->swapped[0] + self->t->swapped[1];
	EXPECT_EQ(0, sa_meminfo("SwapFree")) {
		TH_LOG("%zu pages are out, %lld of %lld bytes are free", out,
		       sa_meminfo("SwapFree"), total);
	}
	EXPECT_EQ(total, sa_tier_num(sa_dev(0), "used"));
	EXPECT_EQ(0, sa_violations());
	end_together(_metadata, self->t, self->pid);
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == total, 20));
	EXPECT_EQ(0, sa_tier_num(sa_dev(0), "used"));
}

TEST_HARNESS_MAIN
