// SPDX-License-Identifier: GPL-2.0
/*
 * A move is not a page-in: counters, limits and the LRU's history of pages must
 * not show it. A mover waits for a slow device once for each batch.
 *
 * The test fails on a kernel that counts a mover's reads as faults, that
 * forgets at a move when a page went out, that reads a page from a slow device
 * only after it has written the page before, that reads packed data twice, in
 * which the data on its way brings a cgroup to its limit, or that waits for a
 * hanging device when it is killed.
 */
#include "tiers.h"

#define SLOW	"sa_moved"

enum mover { DEMOTE, PROMOTE, DRAIN, SWAPOFF };

FIXTURE(moves)
{
	const char *from;
};

FIXTURE_VARIANT(moves)
{
	enum mover mover;
	bool packed, to_zswap;
	int usec;		/* of an operation of a slow device; 0: a disk */
};

FIXTURE_VARIANT_ADD(moves, demote_raw) { .mover = DEMOTE };

FIXTURE_VARIANT_ADD(moves, promote_raw) { .mover = PROMOTE, .to_zswap = true };

FIXTURE_VARIANT_ADD(moves, drain_raw) { .mover = DRAIN };

FIXTURE_VARIANT_ADD(moves, drain_packed) { .mover = DRAIN, .packed = true };

FIXTURE_VARIANT_ADD(moves, swapoff_raw) { .mover = SWAPOFF };

FIXTURE_VARIANT_ADD(moves, swapoff_packed) { .mover = SWAPOFF, .packed = true };

FIXTURE_VARIANT_ADD(moves, drain_slow) { .mover = DRAIN, .usec = 4000 };

FIXTURE_VARIANT_ADD(moves, swapoff_slow) { .mover = SWAPOFF, .usec = 4000 };

FIXTURE_SETUP(moves)
{
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (!why && (variant->packed || variant->to_zswap) && !sa_have_zswap())
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	self->from = sa_dev(0);
	if (variant->usec) {
		self->from = sa_nullb_make(SLOW, DEV, 0, variant->usec * 1000);
		if (!self->from)
			SKIP(return, "no null_blk");
	}
}

FIXTURE_TEARDOWN_PARENT(moves)
{
	sa_nullb_remove(SLOW);
	EXPECT_EQ(0, sa_end());
}

/* The counters that a fault changes, and a move must not change */
struct faults {
	long long pswpin, refaults, load;
};

static void read_faults(struct faults *f, const char *dev)
{
	f->pswpin = sa_vmstat("pswpin");
	f->refaults = sa_vmstat("workingset_refault_anon");
	f->load = sa_tier_num(dev, "stats/load");
}

/*
 * Move all data of the device to another tier; return the seconds that this
 * takes
 */
static double move_all(struct __test_metadata *_metadata, enum mover mover, const char *from)
{
	double start = sa_now();

	switch (mover) {
	case DEMOTE:
		EXPECT_EQ(0, sa_tier_write(from, "demote", "all"));
		break;
	case PROMOTE:
		EXPECT_EQ(0, sa_tier_write(from, "promote", "all"));
		break;
	case DRAIN:
		EXPECT_EQ(0, sa_tier_write(from, "state", "draining"));
		EXPECT_TRUE(sa_wait(!sa_tier_num(from, "stored"), 6 * SOON));
		break;
	default:
		EXPECT_EQ(0, sa_swapoff(from));
		return sa_now() - start;
	}
	EXPECT_EQ(0, sa_tier_num(from, "stored"));
	return sa_now() - start;
}

TEST_F_TIMEOUT(moves, no_page_in, SA_TIMEOUT)
{
	size_t pages = 4 * SA_MIB_PAGES;
	struct faults before, moved, after;
	struct sa_io was, is;
	struct sa_area a;
	long long stored;
	double took;

	ASSERT_EQ(0, sa_swapon(self->from, DEV, 5));
	ASSERT_EQ(0, sa_set_format(self->from, variant->packed ? "packed" : "raw"));
	make_swapped_area(_metadata, &a, pages, SA_TEXT, 21);
	stored = sa_tier_num(self->from, "used");
	ASSERT_EQ(0, variant->to_zswap ? sa_set_zswap(true) : swapon_dev_format(1, "raw"));

	read_faults(&before, self->from);
	ASSERT_EQ(0, sa_io_read(self->from, &was));
	took = move_all(_metadata, variant->mover, self->from);
	ASSERT_EQ(0, sa_io_read(self->from, &is));
	if (variant->mover == SWAPOFF)
		before.load = -1;
	read_faults(&moved, variant->mover == SWAPOFF ? NULL : self->from);
	EXPECT_EQ(before.pswpin, moved.pswpin);
	EXPECT_EQ(before.refaults, moved.refaults);
	if (variant->mover != SWAPOFF)
		EXPECT_EQ(before.load, moved.load);
	/*
	 * The mover reads each byte once, and headers and the ends of blocks in
	 * addition.
	 */
	EXPECT_GE(stored / 512 * 5 / 4, is.read_sectors - was.read_sectors) {
		TH_LOG("%lld sectors read for %lld bytes", is.read_sectors - was.read_sectors,
		       stored);
	}
	TH_LOG("%.2f s, %lld reads", took, is.reads - was.reads);
	/*
	 * A page that moves alone takes one operation; this is only checked on
	 * a slow device.
	 */
	if (variant->usec)
		EXPECT_GE(pages * variant->usec / 1e6 / 4, took);

	/*
	 * The kernel still knows when a page went out, so each fault is a
	 * refault.
	 */
	EXPECT_TRUE(sa_area_only_swapped(&a));
	read_faults(&moved, NULL);
	EXPECT_EQ(0, sa_area_check(&a));
	read_faults(&after, NULL);
	EXPECT_LE(pages * 15 / 16, after.refaults - moved.refaults) {
		TH_LOG("%lld refaults for %zu pages", after.refaults - moved.refaults, pages);
	}
}

FIXTURE(zswap)
{
};

FIXTURE_SETUP(zswap)
{
	const char *why = begin_tier_test(SA_NEED_DEV);

	if (!why && sa_set_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(zswap)
{
	EXPECT_EQ(0, sa_end());
}

/* It is not a page-in either when zswap decompresses a page to write it raw */
TEST_F_TIMEOUT(zswap, no_page_in, SA_TIMEOUT)
{
	size_t pages = 4 * SA_MIB_PAGES;
	struct faults before, after;
	struct sa_area a;

	ASSERT_EQ(0, swapon_dev_format(0, "raw"));
	make_swapped_area(_metadata, &a, pages, SA_TEXT, 22);
	read_faults(&before, NULL);
	EXPECT_LE(pages, move_and_check(_metadata, "demote", NULL, sa_dev(0), "all"));
	read_faults(&after, NULL);
	EXPECT_EQ(before.pswpin, after.pswpin);
	EXPECT_EQ(before.refaults, after.refaults);
	/* The device counts each page that was written. */
	EXPECT_EQ(sa_tier_num(sa_dev(0), "stats/moved_in") * SA_PAGE,
		  sa_tier_num(sa_dev(0), "stats/written"));
	check_area_in_tier(_metadata, &a, sa_dev(0));
	read_faults(&after, NULL);
	EXPECT_LE(pages * 15 / 16, after.refaults - before.refaults);
}

/* Limits, while data is on its way */

FIXTURE(limits)
{
	const char *slow;
	char cg[256];
};

FIXTURE_SETUP(limits)
{
	const char *why = begin_tier_test(SA_NEED_DEV);

	if (!why && !sa_have_zswap())
		why = "no zswap";
	if (!why)
		self->slow = sa_nullb_make(SLOW, DEV, 0, 20000000);
	if (!why && !self->slow)
		why = "no null_blk";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("limits", 0, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, sa_cg_enter(self->cg));
}

FIXTURE_TEARDOWN_PARENT(limits)
{
	sa_nullb_remove(SLOW);
	EXPECT_EQ(0, sa_end());
}

/*
 * Data on its way out of zswap must not keep zswap above its limit, and must
 * not make the kernel send more
 */
TEST_F_TIMEOUT(limits, zswap_max, SA_TIMEOUT)
{
	size_t i, step = 8, pages = 8 * SA_MIB_PAGES;
	long long max = SA_MIB / 4, most = 0, least = 1LL << 40, now;
	struct sa_area a;

	ASSERT_EQ(0, sa_swapon_packed(self->slow, DEV, 5));
	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.zswap.max", max));
	make_area(_metadata, &a, pages, SA_TEXT, 31);
	for (i = 0; i < pages; i += step) {
		madvise(a.p + i * SA_PAGE, step * SA_PAGE, MADV_PAGEOUT);
		now = sa_cg_num(self->cg, "memory.zswap.current");
		most = now > most ? now : most;
		if (i >= pages / 2)
			least = now < least ? now : least;
	}
	TH_LOG("%lld to %lld bytes in zswap, limit %lld", least, most, max);
	/*
	 * Each CPU may store a page more, and the statistics are behind by some
	 * pages.
	 */
	EXPECT_GE(max + SLACK / 16, most);
	/*
	 * The kernel sends 32 pages at a look at the limit, which take a part
	 * of it.
	 */
	EXPECT_LE(max * 3 / 4, least);
	sa_pageout(a.p, a.n);
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * A page that is written over its own copy must not take more of the cgroup's
 * limit
 */
TEST_F_TIMEOUT(limits, written_over, SA_TIMEOUT)
{
	size_t i, pages = 64;
	struct sa_area a;

	ASSERT_EQ(0, sa_swapon(self->slow, DEV, 5));
	ASSERT_EQ(0, sa_set_format(self->slow, "raw"));
	ASSERT_EQ(0, sa_swapon(sa_dev(0), DEV, 3));
	ASSERT_EQ(0, sa_set_format(sa_dev(0), "raw"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg, self->slow, "256K"));
	make_area(_metadata, &a, pages, SA_TEXT, 32);
	ASSERT_EQ(0, madvise(a.p, pages * SA_PAGE, MADV_PAGEOUT));
	ASSERT_EQ((long long)(pages * SA_PAGE), sa_tier_num(self->slow, "stored"));
	/* The pages are still under writeback, so they keep their slots. */
	for (i = 0; i < pages; i++)
		sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 1);
	a.gen = 1;
	ASSERT_LE(pages / 2, sa_nr_present(a.p, pages));
	ASSERT_TRUE(sa_wait_writeback());
	EXPECT_EQ(pages, sa_pageout(a.p, pages));
	EXPECT_TRUE(sa_wait_writeback());
	EXPECT_EQ(0, sa_tier_num(sa_dev(0), "stored"));
	EXPECT_EQ((long long)(pages * SA_PAGE), sa_tier_num(self->slow, "stored"));
	EXPECT_EQ(0, sa_area_check(&a));
}

/* The compressors of zswap's objects */

FIXTURE(objects)
{
};

FIXTURE_SETUP(objects)
{
	const char *why = begin_tier_test(SA_NEED_DEV);

	if (!why && !sa_have_zswap())
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(objects)
{
	sa_zswap_param("compressor", "lz4");
	EXPECT_EQ(0, sa_end());
}

/* Return the bytes that a device uses for pages that never were in zswap */
static long long bytes_used_packed(struct __test_metadata *_metadata, const char *dev, __u64 seed)
{
	long long before = sa_tier_num(dev, "used");
	struct sa_area a;
	long long used;

	make_swapped_area(_metadata, &a, 2 * SA_MIB_PAGES, SA_TEXT, seed);
	used = sa_tier_num(dev, "used") - before;
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	return used;
}

/* A pool that is used again must be as good as a new one */
TEST_F_TIMEOUT(objects, compressor_and_back, SA_TIMEOUT)
{
	const char *dev = sa_dev(0);
	long long lz4, zstd, again;
	struct sa_area keeps;

	ASSERT_EQ(0, sa_swapon_packed(dev, DEV, 5));
	if (sa_zswap_param("compressor", "zstd") || sa_zswap_param("compressor", "lz4"))
		SKIP(return, "needs lz4 and zstd");
	ASSERT_EQ(0, sa_set_zswap(true));
	make_swapped_area(_metadata, &keeps, 64, SA_TEXT, 40);
	ASSERT_EQ(0, sa_set_zswap(false));
	lz4 = bytes_used_packed(_metadata, dev, 41);
	ASSERT_EQ(0, sa_zswap_param("compressor", "zstd"));
	zstd = bytes_used_packed(_metadata, dev, 41);
	ASSERT_EQ(0, sa_zswap_param("compressor", "lz4"));
	again = bytes_used_packed(_metadata, dev, 41);
	TH_LOG("%lld bytes with lz4, %lld with zstd, %lld with lz4 again", lz4, zstd, again);
	EXPECT_GT(lz4 * 9 / 10, zstd);
	EXPECT_LE(lz4 * 49 / 50, again);
	EXPECT_EQ(0, sa_area_check(&keeps));
}

/* A process that waits for a hanging device can be killed */

FIXTURE(hanging)
{
};

FIXTURE_VARIANT(hanging)
{
	enum mover mover;
	bool packed;
};

FIXTURE_VARIANT_ADD(hanging, demote_raw) { .mover = DEMOTE };

FIXTURE_VARIANT_ADD(hanging, demote_packed) { .mover = DEMOTE, .packed = true };

FIXTURE_VARIANT_ADD(hanging, swapoff_raw) { .mover = SWAPOFF };

FIXTURE_VARIANT_ADD(hanging, swapoff_packed) { .mover = SWAPOFF, .packed = true };

FIXTURE_SETUP(hanging)
{
	const char *why = begin_tier_test(SA_NEED_DEVS);

	if (!why)
		why = sa_dm_make(64 * SA_MIB_PAGES);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(hanging)
{
	if (sa_dm())
		sa_dm_hang(false);
	EXPECT_EQ(0, sa_end());
	sa_dm_remove();
}

static int demote_all_pages(void *dev)
{
	return sa_tier_write(dev, "demote", "all") ? 1 : 0;
}

static int swapoff_path(void *dev)
{
	return sa_swapoff(dev) ? 1 : 0;
}

TEST_F_TIMEOUT(hanging, can_be_killed, SA_TIMEOUT)
{
	size_t pages = 4 * SA_MIB_PAGES;
	struct sa_area a;
	double start;
	pid_t pid;
	int status;

	ASSERT_EQ(0, sa_swapon(sa_dm(), 64 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_set_format(sa_dm(), variant->packed ? "packed" : "raw"));
	make_swapped_area(_metadata, &a, pages, SA_TEXT, 51);
	ASSERT_EQ(0, swapon_dev_format(1, "raw"));
	ASSERT_EQ(0, sa_dm_hang(true));
	pid = sa_start(NULL, variant->mover == DEMOTE ? demote_all_pages : swapoff_path,
		       (void *)sa_dm());
	ASSERT_LT(0, pid);
	usleep(300000);
	start = sa_now();
	kill(pid, SIGKILL);
	status = sa_join(pid, SOON);
	EXPECT_EQ(-SIGKILL, status);
	EXPECT_GE(2, sa_now() - start);
	ASSERT_EQ(0, sa_dm_hang(false));

	/* Nothing is damaged after that. */
	EXPECT_EQ(0, sa_tier_write(sa_dm(), "demote", "all"));
	EXPECT_TRUE(wait_stored(sa_dm(), 0));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_swapoff(sa_dm()));
}

static int set_online(void *dev)
{
	return sa_tier_write(dev, "state", "online") ? 1 : 0;
}

/*
 * Nobody else may wait for the hanging device when a device comes back or goes
 * away
 */
TEST_F_TIMEOUT(hanging, others_go_on, SA_TIMEOUT)
{
	size_t pages = 4 * SA_MIB_PAGES;
	struct sa_area a;

	if (variant->mover != SWAPOFF)
		SKIP(return, "the device is drained");
	ASSERT_EQ(0, sa_swapon(sa_dm(), 64 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_set_format(sa_dm(), variant->packed ? "packed" : "raw"));
	make_swapped_area(_metadata, &a, pages, SA_TEXT, 52);
	ASSERT_EQ(0, swapon_dev_format(1, "raw"));
	ASSERT_EQ(0, sa_dm_hang(true));
	EXPECT_EQ(0, sa_tier_write(sa_dm(), "state", "draining"));
	usleep(300000);
	EXPECT_EQ(0, sa_run(NULL, set_online, (void *)sa_dm(), 5));
	EXPECT_EQ(0, sa_run(NULL, swapoff_path, (void *)sa_dev(1), 5));
	ASSERT_EQ(0, sa_dm_hang(false));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_swapoff(sa_dm()));
}

/*
 * A process that moves data to the device waits for it, and can be killed, too
 */
TEST_F_TIMEOUT(hanging, moved_there, SA_TIMEOUT)
{
	size_t pages = 16 * SA_MIB_PAGES;
	struct sa_area a;
	double start;
	pid_t pid;

	if (variant->mover != SWAPOFF)
		SKIP(return, "the other device is swapped off");
	ASSERT_EQ(0, swapon_dev_format(1, "raw"));
	make_swapped_area(_metadata, &a, pages, SA_TEXT, 53);
	ASSERT_EQ(0, sa_swapon(sa_dm(), 64 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_set_format(sa_dm(), variant->packed ? "packed" : "raw"));
	ASSERT_EQ(0, sa_dm_hang(true));
	pid = sa_start(NULL, swapoff_path, (void *)sa_dev(1));
	ASSERT_LT(0, pid);
	usleep(500000);
	start = sa_now();
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, sa_join(pid, SOON));
	EXPECT_GE(2, sa_now() - start);
	ASSERT_EQ(0, sa_dm_hang(false));
	EXPECT_EQ(0, sa_area_check(&a));
}

static int fill_new_area(void *arg)
{
	struct sa_area a;

	if (sa_area_map(&a, 64 * SA_MIB_PAGES, SA_TEXT, 54))
		return 2;
	sa_area_fill(&a);
	return 0;
}

/* A process whose reclaim waits for the device can be killed, too */
TEST_F_TIMEOUT(hanging, reclaim, SA_TIMEOUT)
{
	char cg[256];
	double start;
	pid_t pid;

	if (variant->mover != SWAPOFF)
		SKIP(return, "nothing moves: one variant is enough");
	ASSERT_EQ(0, sa_swapon(sa_dm(), 64 * SA_MIB_PAGES, 5));
	ASSERT_EQ(0, sa_set_format(sa_dm(), variant->packed ? "packed" : "raw"));
	ASSERT_EQ(0, sa_cg_make("hangs", 8 * SA_MIB, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_dm_hang(true));
	pid = sa_start(cg, fill_new_area, NULL);
	ASSERT_LT(0, pid);
	usleep(1000000);
	start = sa_now();
	kill(pid, SIGKILL);
	EXPECT_TRUE(sa_was_killed(sa_join(pid, 5)));
	EXPECT_GE(2, sa_now() - start);
	ASSERT_EQ(0, sa_dm_hang(false));
	EXPECT_TRUE(wait_stored(sa_dm(), 0));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_swapoff(sa_dm()));
}

TEST_HARNESS_MAIN
