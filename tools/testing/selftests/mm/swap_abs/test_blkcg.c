// SPDX-License-Identifier: GPL-2.0
/*
 * These tests check which cgroup pays for I/O: they read io.stat of a cgroup
 * whose pages go to a device. test_blkcg_limits.c tests the effect of limits.
 *
 * The test fails on a kernel that lets the root or another cgroup pay for data
 * that is written packed, that zswap writes back, or that a mover writes; that
 * lets cgroups pay for the reads of a mover; that packs the pages of several
 * cgroups less densely than the pages of one; or that kills somebody or loses
 * data when several cgroups fill the rest of a device.
 */
#include <stdatomic.h>
#include <sys/wait.h>

#include "blkcg.h"

#define MANY		8

FIXTURE(payer)
{
	char cg[2][256];
};

FIXTURE_VARIANT(payer)
{
	bool on;
	const char *format;
};

FIXTURE_VARIANT_ADD(payer, off) { .format = "raw" };

FIXTURE_VARIANT_ADD(payer, raw) { .on = true, .format = "raw" };

FIXTURE_VARIANT_ADD(payer, packed) { .on = true, .format = "packed" };

FIXTURE_SETUP(payer)
{
	const char *why = blkcg_begin(variant->on, variant->format, self->cg);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(payer)
{
	EXPECT_EQ(0, blkcg_end());
}

TEST_F_TIMEOUT(payer, stores, SA_TIMEOUT)
{
	struct sa_holder a, b;
	long long first, second;

	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, variant->on));
	first = sa_bytes_written(sa_dev(0));
	start_swapped_holder(_metadata, &a, 4 * SA_MIB_PAGES, self->cg[0]);
	second = sa_bytes_written(sa_dev(0));
	start_swapped_holder(_metadata, &b, 2 * SA_MIB_PAGES, self->cg[1]);
	EXPECT_PAID(second - first, io_stat_num(self->cg[0], sa_dev(0), " wbytes="));
	EXPECT_PAID(sa_bytes_written(sa_dev(0)) - second,
		    io_stat_num(self->cg[1], sa_dev(0), " wbytes="));
	check_and_end_holder(_metadata, &a);
	check_and_end_holder(_metadata, &b);
}

/*
 * A drain's writes are the I/O of the cgroup. Its reads are not, because the
 * cgroup's faults would have to wait for them.
 */
TEST_F_TIMEOUT(payer, moves, SA_TIMEOUT)
{
	struct sa_holder a, b;
	long long before, all;

	if (!variant->on)
		SKIP(return, "nothing moves without the layer");
	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, true));
	start_swapped_holder(_metadata, &a, 4 * SA_MIB_PAGES, self->cg[0]);
	start_swapped_holder(_metadata, &b, 2 * SA_MIB_PAGES, self->cg[1]);
	ASSERT_EQ(0, swapon_dev_layer(1, variant->format, true));
	before = sa_bytes_written(sa_dev(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(sa_wait(!sa_tier_num(sa_dev(0), "stored"), 3 * SOON));
	EXPECT_TRUE(sa_wait_writeback());
	all = sa_bytes_written(sa_dev(1)) - before;
	EXPECT_PAID(all * 2 / 3, io_stat_num(self->cg[0], sa_dev(1), " wbytes=") * 99 / 100);
	EXPECT_PAID(all / 3, io_stat_num(self->cg[1], sa_dev(1), " wbytes=") * 99 / 100);
	/* The processes may have read some pages of their own. */
	EXPECT_GT(SA_MIB / 4, io_stat_num(self->cg[0], sa_dev(0), " rbytes="));
	EXPECT_GT(SA_MIB / 4, io_stat_num(self->cg[1], sa_dev(0), " rbytes="));
	check_and_end_holder(_metadata, &a);
	check_and_end_holder(_metadata, &b);
}

/*
 * Demote the pages of these cgroups from zswap, 16 at a time. Return the bytes
 * written for each page.
 */
static double bytes_per_demoted_page(struct __test_metadata *_metadata, struct sa_holder *h, int nr,
				     size_t pages)
{
	long long before = sa_bytes_written(sa_dev(0)), bytes = 0, step;
	int i;

	for (i = 0; i < nr; i++)
		EXPECT_EQ(pages, h[i].swapped);
	/* The demotion can't move a few pages, which belong to others. */
	while (!sa_tier_write(NULL, "demote", "64K")) {
		step = sa_tier_num(NULL, "demote");
		bytes += step;
		if (!step)
			break;
	}
	EXPECT_LE(nr * pages * SA_PAGE, bytes);
	EXPECT_TRUE(sa_wait_writeback());
	return (double)(sa_bytes_written(sa_dev(0)) - before) * SA_PAGE / bytes;
}

TEST_F_TIMEOUT(payer, interleaved, SA_TIMEOUT)
{
	size_t pages = 2 * SA_MIB_PAGES;
	struct sa_holder h[2];
	double alone, two;

	if (strcmp(variant->format, "packed"))
		SKIP(return, "only packed pages share a write");
	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, true));
	start_swapped_holder(_metadata, &h[0], 2 * pages, self->cg[0]);
	alone = bytes_per_demoted_page(_metadata, h, 1, 2 * pages);
	check_and_end_holder(_metadata, &h[0]);

	start_swapped_holder(_metadata, &h[0], pages, self->cg[0]);
	start_swapped_holder(_metadata, &h[1], pages, self->cg[1]);
	two = bytes_per_demoted_page(_metadata, h, 2, pages);
	TH_LOG("%.0f bytes a page of one cgroup, %.0f of two", alone, two);
	EXPECT_GE(alone * 1.1, two);
	/*
	 * Each cgroup has paid. The first one has paid for its run alone, too.
	 */
	EXPECT_LT(pages * alone * 2.7, io_stat_num(self->cg[0], sa_dev(0), " wbytes="));
	EXPECT_LT(pages * alone * 0.9, io_stat_num(self->cg[1], sa_dev(0), " wbytes="));
	check_and_end_holder(_metadata, &h[0]);
	check_and_end_holder(_metadata, &h[1]);
}

/*
 * More cgroups store pages than can have a chunk each. The root's chunk takes
 * the rest, and is packed as densely.
 */
TEST_F_TIMEOUT(payer, many_interleaved, SA_TIMEOUT)
{
	size_t pages = SA_MIB_PAGES / 2;
	struct sa_holder h[MANY];
	char name[16], cg[256];
	double alone, many, began;
	long long before;
	int i;

	if (strcmp(variant->format, "packed"))
		SKIP(return, "only packed pages share a write");
	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, true));
	start_swapped_holder(_metadata, &h[0], MANY * pages, self->cg[0]);
	alone = bytes_per_demoted_page(_metadata, h, 1, MANY * pages);
	check_and_end_holder(_metadata, &h[0]);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dev(0), "stored"), SOON));

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many_%d", i);
		ASSERT_EQ(0, sa_cg_make(name, 0, cg, sizeof(cg)));
		start_swapped_holder(_metadata, &h[i], pages, cg);
	}
	many = bytes_per_demoted_page(_metadata, h, MANY, pages);
	TH_LOG("%.0f bytes a page of one cgroup, %.0f of %d", alone, many, MANY);
	EXPECT_GE(alone * 1.25, many);

	/*
	 * A cgroup does not wait while another one has a chunk that is not
	 * full.
	 */
	ASSERT_EQ(0, swapon_dev_layer(1, variant->format, true));
	ASSERT_EQ(0, sa_set_zswap(false));
	before = sa_bytes_written(sa_dev(1));
	began = sa_now();
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(sa_wait(!sa_tier_num(sa_dev(0), "stored"), 3 * SOON));
	TH_LOG("drained in %.2f s", sa_now() - began);
	EXPECT_TRUE(sa_wait_writeback());
	many = (double)(sa_bytes_written(sa_dev(1)) - before) / (MANY * pages);
	TH_LOG("the drain wrote %.0f bytes a page", many);
	EXPECT_GE(alone * 1.25, many);
	for (i = 0; i < MANY; i++)
		check_and_end_holder(_metadata, &h[i]);
}

/*
 * A process that fills twice the memory of its cgroup, and then waits until the
 * test lets it check that memory
 */
struct writer {
	size_t pages;
	int cpu;
	atomic_bool filled, check;
	double paid;		/* of all bytes written */
};

static int fill_and_check(void *arg)
{
	struct writer *w = arg;
	struct sa_area a;

	/* Where there are fewer CPUs, the writers share them. */
	sa_pin_to_cpu(w->cpu);
	if (sa_area_map(&a, w->pages, SA_TEXT, 41 + w->cpu))
		return 2;
	sa_area_fill(&a);
	w->filled = true;
	while (!w->check)
		usleep(5000);
	return sa_area_check(&a) ? 1 : 0;
}

/*
 * Let processes fill their memory, each in its cgroup. Return the bytes written
 * for each page.
 */
static double bytes_per_reclaimed_page(struct __test_metadata *_metadata, struct writer *w,
				       char (*cg)[256], int nr, size_t pages, size_t out_pages)
{
	long long bytes = sa_bytes_written(sa_dev(0)), out = sa_vmstat("pswpout"), own = 0;
	pid_t pid[2];
	double began = sa_now();
	int i, status;

	for (i = 0; i < nr; i++) {
		own -= io_stat_num(cg[i], sa_dev(0), " wbytes=");
		w[i] = (struct writer){ .pages = pages, .cpu = i };
		EXPECT_EQ(0, sa_cg_write_num(cg[i], "memory.max",
					     (pages - out_pages) * SA_PAGE));
	}
	for (i = 0; i < nr; i++)
		pid[i] = sa_start(cg[i], fill_and_check, &w[i]);
	for (i = 0; i < nr; i++)
		EXPECT_TRUE(sa_wait(w[i].filled || sa_has_ended(pid[i]), LIMIT));
	TH_LOG("%d filled %zu pages each in %.2f s", nr, pages, sa_now() - began);
	EXPECT_TRUE(sa_wait_writeback());
	bytes = sa_bytes_written(sa_dev(0)) - bytes;
	out = sa_vmstat("pswpout") - out;
	for (i = 0; i < nr; i++) {
		own += io_stat_num(cg[i], sa_dev(0), " wbytes=");
		/*
		 * The limit is off so that the pages that are read do not push
		 * out the rest.
		 */
		EXPECT_EQ(0, sa_cg_write(cg[i], "memory.max", "max"));
		w[i].check = true;
	}
	for (i = 0; i < nr; i++) {
		status = sa_join(pid[i], LIMIT);
		EXPECT_EQ(0, status) {
			TH_LOG("writer %d: %d%s", i, status, status == 1 ? " (wrong bytes)" :
			       sa_was_killed(status) ? " (killed)" : "");
		}
		EXPECT_EQ(0, sa_cg_key(cg[i], "memory.events", "oom_kill"));
	}
	TH_LOG("%lld bytes for %lld pages, %lld of them paid for", bytes, out, own);
	EXPECT_LE(nr * (long long)out_pages * 2 / 3, out);
	EXPECT_GE(bytes, own);
	w->paid = bytes ? (double)own / bytes : 0;
	return out ? (double)bytes / out : 0;
}

/*
 * Each CPU fills a chunk of its own, and no CPU ends the chunk of another one
 */
TEST_F_TIMEOUT(payer, two_press, SA_TIMEOUT)
{
	struct writer *w = sa_map_shared();
	size_t pages = 16 * SA_MIB_PAGES;
	double alone, two;

	ASSERT_NE(NULL, w);
	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, variant->on));
	alone = bytes_per_reclaimed_page(_metadata, w, self->cg, 1, 2 * pages, pages);
	EXPECT_LE(0.9, w->paid);
	two = bytes_per_reclaimed_page(_metadata, w, self->cg, 2, pages, pages / 2);
	EXPECT_LE(0.9, w->paid);
	TH_LOG("%.0f bytes a page of one cgroup, %.0f of two", alone, two);
	EXPECT_GE(alone * 1.25, two);
}

/*
 * Only one segment is left to be opened. The cgroups share it, and its chunk is
 * the root's, because otherwise one cgroup could store nothing and would be
 * killed.
 */
TEST_F_TIMEOUT(payer, two_fill, SA_TIMEOUT)
{
	size_t segment = sa_cluster_slots(), dev = 32 * segment, reserve = 2 * segment;
	struct writer *w = sa_map_shared();
	struct sa_area rest;

	if (strcmp(variant->format, "packed"))
		SKIP(return, "only packed devices have segments");
	ASSERT_NE(NULL, w);
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), dev, -1));
	/*
	 * The data does not compress, so it is stored raw: it fills whole
	 * clusters and one page of another one.
	 */
	ASSERT_EQ(0, sa_area_map(&rest, dev, SA_RANDOM, 43));
	ASSERT_LT(0, sa_area_fill_until(&rest, sa_dev(0), "used",
					(dev - reserve - 2 * segment) * SA_PAGE));
	ASSERT_TRUE(sa_wait_writeback());
	bytes_per_reclaimed_page(_metadata, w, self->cg, 2, 4 * segment, segment / 4);
	EXPECT_GT(0.9, w->paid) {
		TH_LOG("no cgroup shared a chunk");
	}
	EXPECT_EQ(0, sa_area_check(&rest));
}

TEST_HARNESS_MAIN
