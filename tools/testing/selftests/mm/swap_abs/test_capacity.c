// SPDX-License-Identifier: GPL-2.0
/*
 * These tests compare the capacity that the kernel reports with the pages that
 * it really can swap: the totals with zswap only, a device only, both and
 * neither; memory.swap.*; and full devices.
 *
 * The test fails on a kernel that counts RAM as swap (SwapTotal, the commit
 * limit), that promises slots which it cannot store into, that refuses pages
 * before it is full, that reports more free swap than the total (or less than
 * zero, be it for a moment, or while a device that holds data is out of use),
 * that charges a cgroup by the tier of the data, that makes less use of a small
 * swapfile or of a device with bad pages than it does without the layer, or on
 * which a process that outgrows all memory spins where it should be killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define LIMIT	(SA_TIMEOUT / 3)

FIXTURE(cases)
{
	char cg[256];
};

FIXTURE_VARIANT(cases)
{
	bool on, zswap, device;
};

FIXTURE_VARIANT_ADD(cases, neither_off) { .on = false };

FIXTURE_VARIANT_ADD(cases, device_off) { .on = false, .device = true };

FIXTURE_VARIANT_ADD(cases, both_off) {
	.on = false, .zswap = true, .device = true
};

FIXTURE_VARIANT_ADD(cases, neither_on) { .on = true };

FIXTURE_VARIANT_ADD(cases, zswap_on) { .on = true, .zswap = true };

FIXTURE_VARIANT_ADD(cases, device_on) { .on = true, .device = true };

FIXTURE_VARIANT_ADD(cases, both_on) {
	.on = true, .zswap = true, .device = true
};

#define DEV_PAGES	(64 * SA_MIB_PAGES)

FIXTURE_SETUP(cases)
{
	const char *why = sa_begin(variant->on, variant->device ? SA_NEED_DEV : 0);

	if (why)
		SKIP(return, "%s", why);
	if (variant->zswap && sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_cg_make("capacity", 0, self->cg, sizeof(self->cg)));
}

FIXTURE_TEARDOWN_PARENT(cases)
{
	EXPECT_EQ(0, sa_end());
}

/* Check the four places that report totals, and check that they agree */
static void check_totals(struct __test_metadata *_metadata, bool device, bool on,
			 long long *free_bytes)
{
	long long total = sa_meminfo("SwapTotal"), left = sa_meminfo("SwapFree");
	struct sysinfo si;
	size_t size = 0, used = 0;

	ASSERT_EQ(0, sysinfo(&si));
	EXPECT_EQ(total, (long long)si.totalswap * si.mem_unit);
	EXPECT_LE(0, left);
	EXPECT_LE(left, total);
	EXPECT_EQ(device, sa_swaps_read(sa_dev(0) ? sa_dev(0) : "", &size, &used, NULL));
	EXPECT_EQ(device, sa_nswaps());
	if (!device) {
		EXPECT_EQ(0, total);
		EXPECT_EQ(0, left);
	} else {
		/*
		 * The reserve of a packed device counts neither as used nor as
		 * free from the first page on.
		 */
		EXPECT_GE(DEV_PAGES - 1, size);
		EXPECT_LE(DEV_PAGES - 1 - (on && sa_is_packed() ? 2 * sa_cluster_slots() : 0),
			  size);
		EXPECT_EQ(total, (long long)(size * SA_PAGE));
		if (on) {
			EXPECT_EQ(total - left >= 0, 1);
			EXPECT_LE(sa_tier_num(sa_dev(0), "capacity"), total);
			EXPECT_LE(left, sa_tier_num(sa_dev(0), "capacity"));
			EXPECT_LE(sa_tier_num(sa_dev(0), "used"),
				  sa_tier_num(sa_dev(0), "capacity"));
		} else {
			EXPECT_EQ(total - left, (long long)(used * SA_PAGE));
		}
	}
	if (free_bytes)
		*free_bytes = left;
}

struct fill {
	size_t pages;
	enum sa_pat pat;
	size_t *out;		/* shared: pages swapped, pages bad */
	int ready, go;
};

static int fill_and_hold(void *arg)
{
	struct fill *f = arg;
	struct sa_area a;
	char c = 0;

	if (sa_area_map(&a, f->pages, f->pat, 21))
		return 2;
	sa_area_fill(&a);
	f->out[0] = sa_pageout(a.p, a.n);
	if (write(f->ready, &c, 1) != 1 || read(f->go, &c, 1) != 1)
		return 3;
	f->out[1] = sa_area_check(&a);
	return f->out[1] ? 1 : 0;
}

struct filler {
	struct fill f;
	pid_t pid;
	int ready, go;
};

/* Start a process that pushes out as many pages as it can, and wait for that */
static int start_filler(struct filler *s, const char *cg, size_t pages,
			enum sa_pat pat)
{
	int ready[2], go[2];
	char c;

	if (pipe(ready) || pipe(go))
		return -errno;
	s->f = (struct fill){
		.pages = pages, .pat = pat, .out = sa_map_shared(), .ready = ready[1],
		.go = go[0],
	};
	if (!s->f.out)
		return -ENOMEM;
	s->pid = sa_start(cg, fill_and_hold, &s->f);
	close(ready[1]);
	close(go[0]);
	s->ready = ready[0];
	s->go = go[1];
	return read(ready[0], &c, 1) == 1 ? 0 : -EPIPE;
}

static int end_filler(struct filler *s)
{
	char c = 0;
	int ret = write(s->go, &c, 1);

	ret = sa_join(s->pid, LIMIT);
	close(s->ready);
	close(s->go);
	return ret;
}

TEST_F_TIMEOUT(cases, totals, SA_TIMEOUT)
{
	long long commit, free0 = 0, free1 = 0, cur;
	size_t n = 4 * SA_MIB_PAGES;
	struct filler s;

	/* The test first checks without any swap, and then with the device. */
	ASSERT_EQ(0, sa_set_layer(false));
	commit = sa_meminfo("CommitLimit");
	ASSERT_EQ(0, sa_set_layer(variant->on));
	EXPECT_EQ(commit, sa_meminfo("CommitLimit"));
	if (variant->device)
		ASSERT_EQ(0, sa_swapon(sa_dev(0), DEV_PAGES, -1));
	EXPECT_EQ(commit + sa_meminfo("SwapTotal"), sa_meminfo("CommitLimit"));
	check_totals(_metadata, variant->device, variant->on, &free0);
	EXPECT_EQ(0, sa_cg_num(self->cg, "memory.swap.current"));

	ASSERT_EQ(0, start_filler(&s, self->cg, n, SA_TEXT));
	cur = sa_cg_num(self->cg, "memory.swap.current");
	TH_LOG("%zu of %zu pages out, memory.swap.current %lld", s.f.out[0], n, cur);
	if (!variant->device && !variant->zswap) {
		EXPECT_EQ(0, s.f.out[0]);
		EXPECT_EQ(0, cur);
	} else {
		EXPECT_LE(n - 8, s.f.out[0]);
		/* A page takes one slot in any tier. */
		EXPECT_EQ((long long)(s.f.out[0] * SA_PAGE), cur);
	}
	check_totals(_metadata, variant->device, variant->on, &free1);
	EXPECT_EQ(commit + sa_meminfo("SwapTotal"), sa_meminfo("CommitLimit"));
	if (variant->device && !variant->zswap && variant->on && sa_is_packed()) {
		/* The pages in use are less than half of all. */
		EXPECT_TRUE(sa_wait(sa_swap_used() == sa_tier_num(sa_dev(0), "used"), 10)) {
			TH_LOG("%lld bytes are in use, %lld used", sa_swap_used(),
			       sa_tier_num(sa_dev(0), "used"));
		}
		EXPECT_LT(0, sa_tier_num(sa_dev(0), "used"));
		EXPECT_LE(sa_tier_num(sa_dev(0), "used"),
			  (long long)((s.f.out[0] / 2 + sa_cluster_slots()) * SA_PAGE));
	} else if (variant->device && (!variant->zswap || !variant->on)) {
		EXPECT_LE((long long)(s.f.out[0] * SA_PAGE), free0 - free1);
	} else if (variant->device) {
		/* Pages in zswap do not reduce the free space of devices. */
		EXPECT_EQ(free0, free1);
	}
	EXPECT_EQ(0, end_filler(&s));
	EXPECT_TRUE(sa_wait_purged(!sa_swap_used(), 10)) {
		TH_LOG("%lld bytes are still in use", sa_swap_used());
	}
	EXPECT_EQ(0, sa_cg_num(self->cg, "memory.swap.current"));
}

/* Check that memory.swap.max holds in front of any tier */
TEST_F_TIMEOUT(cases, swap_max, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES, max = SA_MIB;
	long long cur;
	struct filler s;

	if (variant->device)
		ASSERT_EQ(0, sa_swapon(sa_dev(0), DEV_PAGES, -1));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.swap.max", max));
	ASSERT_EQ(0, start_filler(&s, self->cg, n, SA_TEXT));
	cur = sa_cg_num(self->cg, "memory.swap.current");
	EXPECT_LE(cur, (long long)max);
	EXPECT_EQ((long long)(s.f.out[0] * SA_PAGE), cur);
	if (variant->device || variant->zswap) {
		EXPECT_LE(max / SA_PAGE / 2, s.f.out[0]);
		EXPECT_LT(0, sa_cg_key(self->cg, "memory.swap.events", "max"));
	}
	EXPECT_EQ(0, end_filler(&s));
	/* A folio that was under writeback at the exit keeps its slot. */
	EXPECT_TRUE(sa_wait_purged(!sa_cg_num(self->cg, "memory.swap.current"), 10));
}

/*
 * Fill the only device with data that does not compress. The pages that go out
 * must equal the free space, so that the kernel promises all that it can store,
 * and no more.
 */
FIXTURE(full)
{
	char cg[256];
};

FIXTURE_VARIANT(full)
{
	bool on, zswap;
	size_t pages;		/* of the device */
};

/* The device ends within a cluster, at the end of one, and just behind one. */
FIXTURE_VARIANT_ADD(full, odd_off) {
	.on = false, .pages = 12 * SA_MIB_PAGES + 77
};

FIXTURE_VARIANT_ADD(full, odd_on) {
	.on = true, .pages = 12 * SA_MIB_PAGES + 77
};

FIXTURE_VARIANT_ADD(full, even_off) {
	.on = false, .pages = 12 * SA_MIB_PAGES
};

FIXTURE_VARIANT_ADD(full, even_on) {
	.on = true, .pages = 12 * SA_MIB_PAGES
};

FIXTURE_VARIANT_ADD(full, one_more_off) {
	.on = false, .pages = 8 * SA_MIB_PAGES + 1
};

FIXTURE_VARIANT_ADD(full, one_more_on) {
	.on = true, .pages = 8 * SA_MIB_PAGES + 1
};

FIXTURE_VARIANT_ADD(full, zswap_off) {
	.on = false, .pages = 8 * SA_MIB_PAGES, .zswap = true
};

FIXTURE_VARIANT_ADD(full, zswap_on) {
	.on = true, .pages = 8 * SA_MIB_PAGES, .zswap = true
};

FIXTURE_SETUP(full)
{
	const char *why = sa_begin(variant->on, SA_NEED_DEV);

	if (why)
		SKIP(return, "%s", why);
	if (variant->zswap && sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_cg_make("full", 0, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, sa_swapon(sa_dev(0), variant->pages, -1));
}

FIXTURE_TEARDOWN_PARENT(full)
{
	EXPECT_EQ(0, sa_end());
}

TEST_F_TIMEOUT(full, promised_is_stored, SA_TIMEOUT)
{
	long long promised, left, used, errors = 0;
	struct filler s;
	size_t out;

	promised = sa_meminfo("SwapFree");
	ASSERT_LT(0, promised);
	ASSERT_EQ(0, start_filler(&s, self->cg, variant->pages * 2, SA_RANDOM));
	out = s.f.out[0];
	left = sa_meminfo("SwapFree");
	TH_LOG("promised %lld pages, %zu went out, %lld free at the end",
	       promised / (long long)SA_PAGE, out, left / (long long)SA_PAGE);
	TH_LOG("%lld of them in zswap, %lld in the swap cache", sa_zswapped() / (long long)SA_PAGE,
	       sa_swap_cached() / (long long)SA_PAGE);
	/*
	 * With zswap more pages may go out than the devices take, but never
	 * fewer.
	 */
	EXPECT_LE((size_t)promised, out * SA_PAGE);
	if (!variant->zswap) {
		EXPECT_EQ((size_t)promised, out * SA_PAGE);
		EXPECT_EQ(0, left);
	}
	if (variant->on) {
		used = sa_tier_num(sa_dev(0), "used");
		errors = sa_tier_num(sa_dev(0), "stats/errors");
		EXPECT_LE(used, sa_tier_num(sa_dev(0), "capacity"));
		EXPECT_EQ(0, errors);
		if (!variant->zswap) {
			EXPECT_EQ((long long)(out * SA_PAGE), used);
			EXPECT_EQ((long long)(out * SA_PAGE),
				  sa_tier_num(sa_dev(0), "stored"));
		}
	}
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, end_filler(&s));
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == promised, 10)) {
		TH_LOG("%lld bytes were free, now %lld", promised,
		       sa_meminfo("SwapFree"));
	}
}

/*
 * A process outgrows its cgroup with all tiers full: the kernel must kill it
 * once, in about the time that this takes without the layer.
 */
FIXTURE(oom)
{
};

FIXTURE_VARIANT(oom)
{
	bool zswap, device;
};

FIXTURE_VARIANT_ADD(oom, nothing) { };

FIXTURE_VARIANT_ADD(oom, zswap) { .zswap = true };

FIXTURE_VARIANT_ADD(oom, device) { .device = true };

FIXTURE_VARIANT_ADD(oom, both) { .zswap = true, .device = true };

FIXTURE_SETUP(oom)
{
	const char *why = sa_begin(false, variant->device ? SA_NEED_DEV : 0);

	if (why)
		SKIP(return, "%s", why);
	if (variant->zswap && sa_set_zswap(true))
		SKIP(return, "no zswap");
}

FIXTURE_TEARDOWN_PARENT(oom)
{
	EXPECT_EQ(0, sa_end());
}

static int use_more_than_fits(void *arg)
{
	struct sa_area a;

	if (sa_area_map(&a, 64 * SA_MIB_PAGES, SA_RANDOM, 3))
		return 2;
	sa_area_fill(&a);
	/* The area does not fit, so each check swaps. */
	for (;;)
		if (sa_area_check(&a))
			return 1;
}

/* Return the seconds until the OOM killer killed the process */
static double time_oom_kill(struct __test_metadata *_metadata, bool device, int limit)
{
	double start, took;
	char cg[256];
	int ret;

	if (device)
		ASSERT_EQ(0, sa_swapon(sa_dev(0), 8 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_cg_make("oom", 16 * SA_MIB, cg, sizeof(cg)));
	start = sa_now();
	ret = sa_run(cg, use_more_than_fits, NULL, limit);
	took = sa_now() - start;
	EXPECT_EQ(-SIGKILL, ret) {
		TH_LOG("status %d after %.2f s", ret, took);
	}
	EXPECT_EQ(1, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	if (device)
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	return took;
}

TEST_F_TIMEOUT(oom, hog_is_killed, SA_TIMEOUT)
{
	/* KASAN makes the compression of refused pages slow. */
	double off, on, slack = access("/sys/kernel/debug/kmemleak", F_OK) ? 2 : 30;

	off = time_oom_kill(_metadata, variant->device, LIMIT);
	if (!sa_have_layer()) {
		TH_LOG("killed after %.2f s, no layer to compare with", off);
		return;
	}
	ASSERT_EQ(0, sa_set_layer(true));
	on = time_oom_kill(_metadata, variant->device, LIMIT);
	TH_LOG("killed after %.2f s without the layer, %.2f s with it", off, on);
	EXPECT_TRUE(on < off * 3 + slack);
}

/*
 * Devices and swapfiles have a few clusters, or less than one: the kernel must
 * be able to store as much as it reports, with the layer or without.
 */
FIXTURE(small)
{
	char path[256];
	char cg[256];
};

FIXTURE_VARIANT(small)
{
	bool on, file;
};

FIXTURE_VARIANT_ADD(small, device_off) { .on = false };

FIXTURE_VARIANT_ADD(small, device_on) { .on = true };

FIXTURE_VARIANT_ADD(small, file_off) { .on = false, .file = true };

FIXTURE_VARIANT_ADD(small, file_on) { .on = true, .file = true };

FIXTURE_SETUP(small)
{
	const char *why = sa_begin(variant->on, SA_NEED_DEV), *dir;

	if (!why && variant->file)
		why = sa_mkfs(0, &dir);
	if (why)
		SKIP(return, "%s", why);
	if (variant->file)
		snprintf(self->path, sizeof(self->path), "%s/small", dir);
	else
		snprintf(self->path, sizeof(self->path), "%s", sa_dev(0));
	ASSERT_EQ(0, sa_cg_make("small", 0, self->cg, sizeof(self->cg)));
}

FIXTURE_TEARDOWN_PARENT(small)
{
	EXPECT_EQ(0, sa_end());
}

/* Write the swapfile, so that it has no holes */
static int make_swapfile(const char *path, size_t pages)
{
	char page[SA_PAGE] = { };
	size_t i;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (i = 0; i < pages; i++)
		if (write(fd, page, SA_PAGE) != (ssize_t)SA_PAGE)
			break;
	if (fsync(fd))
		i = 0;
	close(fd);
	return i == pages ? 0 : -EIO;
}

static bool is_all_free(const char *path)
{
	size_t used = 1;

	return sa_swaps_read(path, NULL, &used, NULL) && !used &&
		sa_meminfo("SwapFree") == sa_meminfo("SwapTotal");
}

static void check_small_swap(struct __test_metadata *_metadata, const char *path, const char *cg,
			     bool file, size_t pages)
{
	size_t size = 0, used = 0;
	struct filler s;

	if (file)
		ASSERT_EQ(0, make_swapfile(path, pages));
	ASSERT_EQ(0, sa_swapon(path, file ? 0 : pages, -1));
	ASSERT_TRUE(sa_swaps_read(path, &size, &used, NULL));
	EXPECT_EQ(pages - 1, size);
	EXPECT_EQ(size * SA_PAGE, sa_meminfo("SwapTotal"));
	EXPECT_TRUE(is_all_free(path)) {
		TH_LOG("nothing is stored: %zu pages of %zu used, SwapFree %lld of %lld", used,
		       size, sa_meminfo("SwapFree"), sa_meminfo("SwapTotal"));
	}
	ASSERT_EQ(0, start_filler(&s, cg, 2 * pages, SA_RANDOM));
	ASSERT_TRUE(sa_swaps_read(path, NULL, &used, NULL));
	TH_LOG("%zu of %zu pages were stored; %zu used, SwapFree %lld of %lld", s.f.out[0],
	       size, used, sa_meminfo("SwapFree"), sa_meminfo("SwapTotal"));
	EXPECT_LE(size - 1, s.f.out[0]);
	EXPECT_GE(size, s.f.out[0]);
	EXPECT_GE(1, sa_meminfo("SwapFree") / (long long)SA_PAGE);
	EXPECT_EQ(0, end_filler(&s));
	EXPECT_TRUE(sa_wait_purged(is_all_free(path), 10)) {
		sa_swaps_read(path, NULL, &used, NULL);
		TH_LOG("nothing is stored any more: %zu pages of %zu used, SwapFree %lld of %lld",
		       used, size, sa_meminfo("SwapFree"), sa_meminfo("SwapTotal"));
	}
	EXPECT_EQ(0, sa_swapoff_child(path, LIMIT));
	EXPECT_EQ(0, sa_meminfo("SwapTotal"));
	EXPECT_EQ(0, sa_meminfo("SwapFree"));
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(small, kib_40, SA_TIMEOUT)
{
	check_small_swap(_metadata, self->path, self->cg, variant->file, 10);
}

TEST_F_TIMEOUT(small, kib_200, SA_TIMEOUT)
{
	check_small_swap(_metadata, self->path, self->cg, variant->file, 50);
}

TEST_F_TIMEOUT(small, mib_1, SA_TIMEOUT)
{
	check_small_swap(_metadata, self->path, self->cg, variant->file, SA_MIB_PAGES);
}

TEST_F_TIMEOUT(small, mib_2, SA_TIMEOUT)
{
	check_small_swap(_metadata, self->path, self->cg, variant->file, 2 * SA_MIB_PAGES);
}

/* --- few segments, and pages that are bad --------------------------------- */

/* A device needs this number of segments to be packed. */
#define MIN_SEGMENTS	16

static void check_format(struct __test_metadata *_metadata, const char *format, size_t pages)
{
	bool fits = pages >= MIN_SEGMENTS * sa_cluster_slots();
	char now[16] = "";

	EXPECT_EQ(strcmp(format, "packed") || fits ? 0 : -EOPNOTSUPP,
		  sa_set_format(sa_dev(0), format));
	ASSERT_EQ(0, sa_tier_str(sa_dev(0), "format", now, sizeof(now)));
	EXPECT_STREQ(fits ? format : "raw", now);
}

/*
 * Fill an empty device that is in use with more than fits. The size that the
 * kernel reports must go out and come back right. If the device is packed
 * (@format is NULL without the layer), the reported size does not include its
 * reserve, and more compressible data may fit. Return the number of pages that
 * went out.
 */
static size_t fill_device(struct __test_metadata *_metadata, const char *cg,
			  const char *format, enum sa_pat pat, size_t pages, size_t size)
{
	const char *dev = sa_dev(0);
	size_t now = 0, used = 1, out;
	struct filler s;

	ASSERT_TRUE(sa_swaps_read(dev, &now, &used, NULL));
	EXPECT_EQ(size, now);
	EXPECT_EQ(size * SA_PAGE, sa_meminfo("SwapTotal"));
	EXPECT_TRUE(is_all_free(dev)) {
		TH_LOG("nothing is stored: %zu pages of %zu used, SwapFree %lld of %lld", used,
		       now, sa_meminfo("SwapFree"), sa_meminfo("SwapTotal"));
	}
	ASSERT_EQ(0, start_filler(&s, cg, 2 * pages, pat));
	out = s.f.out[0];
	ASSERT_TRUE(sa_swaps_read(dev, &now, &used, NULL));
	TH_LOG("%s, %s: %zu pages were stored; %zu of %zu used, SwapFree %lld of %lld",
	       format ? format : "layer off", sa_pat_name[pat], out, used, now,
	       sa_meminfo("SwapFree"), sa_meminfo("SwapTotal"));
	EXPECT_EQ(now * SA_PAGE, sa_meminfo("SwapTotal"));
	EXPECT_LE(now - 1, out);
	if (format) {
		/*
		 * The pages must be read from the device and not from the swap
		 * cache.
		 */
		EXPECT_TRUE(sa_wait_purged(sa_tier_num(dev, "stored") ==
					   (long long)(out * SA_PAGE), 10)) {
			TH_LOG("the device stores %lld bytes of %zu",
			       sa_tier_num(dev, "stored"), out * SA_PAGE);
		}
		EXPECT_TRUE(sa_only_swapped());
		EXPECT_EQ(0, sa_tier_num(dev, "stats/errors"));
	}
	EXPECT_EQ(0, end_filler(&s));
	EXPECT_TRUE(sa_wait_purged(!sa_swap_used(), 10)) {
		TH_LOG("nothing is stored any more: %lld bytes in use", sa_swap_used());
	}
	EXPECT_EQ(0, sa_violations());
	return out;
}

/* The size is below, at, and just above the minimum of a packed device. */
FIXTURE(segments)
{
	char cg[256];
};

FIXTURE_VARIANT(segments)
{
	size_t segments, less;		/* pages less than @segments */
};

FIXTURE_VARIANT_ADD(segments, eight) { .segments = 8 };

FIXTURE_VARIANT_ADD(segments, eleven_odd) { .segments = 12, .less = 77 };

FIXTURE_VARIANT_ADD(segments, fifteen) { .segments = 15 };

FIXTURE_VARIANT_ADD(segments, almost_enough) { .segments = MIN_SEGMENTS, .less = 1 };

FIXTURE_VARIANT_ADD(segments, enough) { .segments = MIN_SEGMENTS };

FIXTURE_SETUP(segments)
{
	const char *why = sa_begin(true, SA_NEED_DEV | SA_NEED_PACKED);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("segments", 0, self->cg, sizeof(self->cg)));
}

FIXTURE_TEARDOWN_PARENT(segments)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * A device with too few segments must be written raw even if packed is chosen:
 * all of it can be used, one page a slot, with any data
 */
TEST_F_TIMEOUT(segments, filled, SA_TIMEOUT)
{
	static const enum sa_pat pats[] = { SA_RANDOM, SA_TEXT };
	size_t pages = variant->segments * sa_cluster_slots() - variant->less, out;
	bool packed = pages >= MIN_SEGMENTS * sa_cluster_slots();
	int i;

	for (i = 0; i < ARRAY_SIZE(pats); i++) {
		ASSERT_EQ(0, sa_mkswap(sa_dev(0), pages));
		ASSERT_EQ(0, swapon(sa_dev(0), 0));
		check_format(_metadata, "packed", pages);
		out = fill_device(_metadata, self->cg, "packed", pats[i], pages, pages - 1);
		if (!packed)
			EXPECT_GE(pages - 1, out);
		if (packed && pats[i] == SA_TEXT)
			EXPECT_LT(pages * 5 / 4, out);
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
		EXPECT_EQ(0, sa_meminfo("SwapTotal"));
	}
}

/*
 * The header lists a bad page in each cluster, so that no cluster is free as a
 * whole. The kernel must use all other pages, and must not write to the bad
 * ones.
 */
FIXTURE(bad_pages)
{
	char cg[256];
	__u32 bad[64];
	size_t pages, nr;
};

FIXTURE_VARIANT(bad_pages)
{
	const char *format;
	size_t mib;
};

FIXTURE_VARIANT_ADD(bad_pages, raw) { .format = "raw", .mib = 10 };

FIXTURE_VARIANT_ADD(bad_pages, packed) { .format = "packed", .mib = 10 };

/* The device is large enough to be packed, but it has no whole segment. */
FIXTURE_VARIANT_ADD(bad_pages, packed_large) { .format = "packed", .mib = 40 };

FIXTURE_SETUP(bad_pages)
{
	const char *why = sa_begin(false, SA_NEED_DEV | SA_NEED_PACKED);
	size_t cluster = sa_cluster_slots(), i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("bad_pages", 0, self->cg, sizeof(self->cg)));
	self->pages = variant->mib * SA_MIB_PAGES;
	self->nr = self->pages / cluster;
	ASSERT_LE(self->nr, ARRAY_SIZE(self->bad));
	/*
	 * The bad page has another place in each cluster, from the first page
	 * to the last; page 0 holds the header.
	 */
	self->bad[0] = 1;
	for (i = 1; i < self->nr; i++)
		self->bad[i] = i * cluster + i * (cluster - 1) / (self->nr - 1);
}

FIXTURE_TEARDOWN_PARENT(bad_pages)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Write a pattern to the bad pages past all caches, or count the pages that
 * still have it
 */
static long mark_pages(const char *path, const __u32 *bad, size_t nr, bool look)
{
	void *page = sa_map_shared();
	long done = 0;
	size_t i;
	int fd;

	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	for (i = 0; page && fd >= 0 && i < nr; i++) {
		off_t at = (off_t)bad[i] * SA_PAGE;

		sa_fill_page(page, SA_RANDOM, 71, bad[i], 0);
		if (look)
			done += pread(fd, page, SA_PAGE, at) == (ssize_t)SA_PAGE &&
				!sa_check_page(page, SA_RANDOM, 71, bad[i], 0);
		else
			done += pwrite(fd, page, SA_PAGE, at) == (ssize_t)SA_PAGE;
	}
	close(fd);
	if (page)
		munmap(page, SA_PAGE);
	return done;
}

TEST_F_TIMEOUT(bad_pages, others_are_used, SA_TIMEOUT)
{
	size_t size = self->pages - 1 - self->nr, out, off = 0;
	const char *dev = sa_dev(0), *format;
	enum sa_pat pat;
	int i;

	/*
	 * The rounds are: without the layer, raw, and packed, which would need
	 * a segment.
	 */
	for (i = 0; i < 3; i++) {
		if (i && sa_set_layer(true)) {
			TH_LOG("no layer to compare with");
			return;
		}
		format = i ? variant->format : NULL;
		pat = i < 2 ? SA_RANDOM : SA_TEXT;
		ASSERT_EQ(self->nr, mark_pages(dev, self->bad, self->nr, false));
		ASSERT_EQ(0, sa_mkswap_bad(dev, self->pages, self->bad, self->nr));
		ASSERT_EQ(0, swapon(dev, 0));
		if (format)
			check_format(_metadata, format, self->pages);
		out = fill_device(_metadata, self->cg, format, pat, self->pages, size);
		EXPECT_GE(size, out);
		if (!i)
			off = out;
		EXPECT_LE(off - off / 100, out) {
			TH_LOG("%zu pages can be stored, without the layer %zu", out, off);
		}
		EXPECT_EQ(0, sa_swapoff_child(dev, LIMIT));
		EXPECT_EQ(self->nr, mark_pages(dev, self->bad, self->nr, true)) {
			TH_LOG("the kernel has written to bad pages");
		}
	}
}

/* sysinfo() must be right at any time. */
FIXTURE(truth)
{
	char cg[256];
};

FIXTURE_VARIANT(truth)
{
	const char *format;
};

FIXTURE_VARIANT_ADD(truth, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(truth, packed) { .format = "packed" };

FIXTURE_SETUP(truth)
{
	const char *why = sa_begin(true, SA_NEED_DEV | SA_NEED_PACKED | SA_NEED_STATES);

	signal(SIGPIPE, SIG_IGN);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("truth", 0, self->cg, sizeof(self->cg)));
}

FIXTURE_TEARDOWN_PARENT(truth)
{
	EXPECT_EQ(0, sa_end());
}

static int swapon_with_format(int i, const char *format)
{
	int ret = sa_swapon(sa_dev(i), DEV_PAGES, -1);

	return ret || sa_read_num(SA_SYSCTL) != 1 ? ret : sa_set_format(sa_dev(i), format);
}

/*
 * The only device is drained and its pages have nowhere to go, so no swap may
 * be free
 */
TEST_F_TIMEOUT(truth, draining, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES, used = 0;
	long long free0, total0, left, spares;
	struct filler s;

	ASSERT_EQ(0, swapon_with_format(0, variant->format));
	total0 = sa_meminfo("SwapTotal");
	ASSERT_EQ(0, start_filler(&s, self->cg, n, SA_TEXT));
	EXPECT_EQ(n, s.f.out[0]);
	EXPECT_TRUE(sa_wait_writeback());
	free0 = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	left = sa_meminfo("SwapFree");
	ASSERT_TRUE(sa_swaps_read(sa_dev(0), NULL, &used, NULL));
	TH_LOG("%zu pages out, SwapFree %lld of %lld", n, free0, total0);
	TH_LOG("draining: SwapFree %lld of %lld, used %zu pages, %lld bytes", left,
	       sa_meminfo("SwapTotal"), used, sa_tier_num(sa_dev(0), "used"));
	EXPECT_LE(0, left);
	EXPECT_GE((long long)SA_MIB, left) {
		TH_LOG("%lld bytes count as free on a device that takes nothing", left);
	}
	EXPECT_TRUE(sa_wait(sa_swaps_read(sa_dev(0), NULL, &used, NULL) &&
			    sa_meminfo("SwapTotal") == (long long)(used * SA_PAGE), 2)) {
		TH_LOG("SwapTotal %lld, %zu pages used", sa_meminfo("SwapTotal"), used);
	}
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
	/*
	 * All is as before, but spare clusters of a packed device may come
	 * later.
	 */
	spares = strcmp(variant->format, "raw") ? 2 * sa_cluster_slots() * SA_PAGE : 0;
	EXPECT_GE(total0, sa_meminfo("SwapTotal"));
	EXPECT_LE(total0 - spares, sa_meminfo("SwapTotal"));
	EXPECT_TRUE(sa_wait(sa_meminfo("SwapFree") >= free0 &&
			    sa_meminfo("SwapFree") <= free0 + spares, 5)) {
		TH_LOG("SwapFree was %lld, now %lld", free0, sa_meminfo("SwapFree"));
	}
	EXPECT_EQ(0, end_filler(&s));
}

/*
 * The device is drained, and a second device has less room than the first one
 * has data
 */
TEST_F_TIMEOUT(truth, draining_to_less, SA_TIMEOUT)
{
	const char *why;
	size_t n = 24 * SA_MIB_PAGES, small = 10 * SA_MIB_PAGES;
	long long left;
	struct filler s;

	why = sa_check_needs(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, swapon_with_format(0, variant->format));
	ASSERT_EQ(0, start_filler(&s, self->cg, n, SA_RANDOM));
	EXPECT_EQ(n, s.f.out[0]);
	EXPECT_TRUE(sa_wait_writeback());
	ASSERT_EQ(0, sa_swapon(sa_dev(1), small, -1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	left = sa_meminfo("SwapFree");
	TH_LOG("draining: SwapFree %lld of %lld, used %lld and %lld", left, sa_meminfo("SwapTotal"),
	       sa_tier_num(sa_dev(0), "used"), sa_tier_num(sa_dev(1), "used"));
	EXPECT_LE(0, left);
	/* At most the size of the other device may be free. */
	EXPECT_GE((long long)(small * SA_PAGE), left) {
		TH_LOG("%lld bytes free, the other device has %lu", left, small * SA_PAGE);
	}
	EXPECT_TRUE(sa_wait(sa_meminfo("SwapFree") <= (long long)SA_MIB, 10)) {
		TH_LOG("full: SwapFree %lld of %lld, used %lld and %lld", sa_meminfo("SwapFree"),
		       sa_meminfo("SwapTotal"), sa_tier_num(sa_dev(0), "used"),
		       sa_tier_num(sa_dev(1), "used"));
	}
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
	EXPECT_EQ(0, end_filler(&s));
}

/*
 * One process samples sysinfo(): the number of samples and of wrong ones, and
 * the first wrong one
 */
struct samples {
	atomic_ulong nr, bad;
	atomic_llong free, total;
	atomic_int stop;
};

static void *sample_free_swap(void *arg)
{
	struct samples *s = arg;
	long long left, total;
	struct sysinfo si;

	while (!s->stop) {
		if (sysinfo(&si))
			break;
		/*
		 * A number below zero shows as more than the total, or has a
		 * wrong sign.
		 */
		left = (long long)(si.freeswap * si.mem_unit);
		total = (long long)(si.totalswap * si.mem_unit);
		if ((left < 0 || left > total) && !s->bad++) {
			s->free = left;
			s->total = total;
		}
		/* On one CPU the other workers would never run. */
		if (!(++s->nr % 512))
			usleep(1);
	}
	return NULL;
}

struct commotion {
	const char *format;
	struct samples *s;
};

/* Swap the second device off and on, also while it is being drained */
static void *toggle_second_dev(void *arg)
{
	struct commotion *c = arg;
	int i = 0;

	while (!c->s->stop) {
		if (!sa_swapoff(sa_dev(1)))
			swapon_with_format(1, c->format);
		usleep(20000);
		if (++i % 4)
			continue;
		sa_tier_write(sa_dev(1), "state", "draining");
		usleep(10000);
	}
	return NULL;
}

static void *toggle_tier_state(void *arg)
{
	struct commotion *c = arg;

	while (!c->s->stop) {
		sa_tier_write(sa_dev(0), "state", "draining");
		usleep(15000);
		sa_tier_write(sa_dev(0), "state", "online");
		usleep(15000);
	}
	return NULL;
}

static void *toggle_layer(void *arg)
{
	struct commotion *c = arg;
	int i = 0;

	while (!c->s->stop) {
		sa_set_layer(i & 1);
		/* Pages that zswap stores uncompressed take promised room. */
		sa_set_zswap(i++ & 2);
		usleep(25000);
	}
	return NULL;
}

TEST_F_TIMEOUT(truth, sampled, SA_TIMEOUT)
{
	const char *why;
	static void *(*const fns[])(void *) = {
		sample_free_swap, toggle_second_dev, toggle_tier_state, toggle_layer,
	};
	struct sa_load l = {
		.pages = 3 * SA_MIB_PAGES, .seconds = sa_is_full() ? sa_seconds(60) : 4,
	};
	struct commotion c = { .format = variant->format, .s = sa_map_shared() };
	unsigned long least = sa_is_full() ? 100000 : 5000;
	struct sa_task tasks[ARRAY_SIZE(fns)];
	double end = sa_now() + LIMIT;
	pid_t pid[2];
	int i;

	why = sa_check_needs(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_NE(NULL, c.s);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, swapon_with_format(i, variant->format));
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		ASSERT_EQ(0, sa_task_start(&tasks[i], fns[i], i ? (void *)&c : c.s));
	/*
	 * The loop ends when there are enough samples, because a machine may be
	 * slow.
	 */
	do {
		for (i = 0; i < 2; i++)
			pid[i] = sa_start(self->cg, sa_run_load, &l);
		for (i = 0; i < 2; i++)
			EXPECT_EQ(0, sa_join(pid[i], LIMIT));
	} while (sa_is_full() && c.s->nr < least && sa_now() < end);
	c.s->stop = 1;
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		EXPECT_EQ(0, sa_task_end(&tasks[i], LIMIT));
	TH_LOG("%lu samples", c.s->nr);
	EXPECT_LE(least, c.s->nr);
	EXPECT_EQ(0, c.s->bad) {
		TH_LOG("%lu of %lu samples are wrong, the first: SwapFree %lld, SwapTotal %lld",
		       c.s->bad, c.s->nr, c.s->free, c.s->total);
	}
	EXPECT_EQ(0, sa_violations());
	/*
	 * The numbers must also be right when all is quiet and nothing is
	 * swapped.
	 */
	sa_set_zswap(false);
	EXPECT_EQ(0, sa_set_layer(true));
	if (sa_swaps_read(sa_dev(0), NULL, NULL, NULL))
		sa_tier_write(sa_dev(0), "state", "online");
	if (sa_swaps_read(sa_dev(1), NULL, NULL, NULL))
		sa_tier_write(sa_dev(1), "state", "online");
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dev(0), "stored"), 10));
	EXPECT_LE(sa_meminfo("SwapFree"), sa_meminfo("SwapTotal"));
}

/* --- a device that has failed --------------------------------------------- */

/*
 * Writes to the first device fail, so the kernel takes it out of use. The
 * totals then count only the data that it still holds, while the kernel moves
 * that data, and also if reads fail. There must never be more free swap than
 * the total. A page for the second device must find room there, even if the
 * first device has more data to move there than fits.
 */
FIXTURE(failed)
{
	char cg[256];
};

FIXTURE_VARIANT(failed)
{
	const char *format;
	enum sa_fault fault;
	size_t other;		/* MiB of the second device */
};

FIXTURE_VARIANT_ADD(failed, raw_moved) {
	.format = "raw", .fault = SA_WRITE_FAILS, .other = 24,
};

FIXTURE_VARIANT_ADD(failed, packed_moved) {
	.format = "packed", .fault = SA_WRITE_FAILS, .other = 24,
};

FIXTURE_VARIANT_ADD(failed, raw_stays) {
	.format = "raw", .fault = SA_FAILS, .other = 8,
};

FIXTURE_VARIANT_ADD(failed, packed_stays) {
	.format = "packed", .fault = SA_FAILS, .other = 8,
};

#define FAILED_DEV	(40 * SA_MIB_PAGES)
#define FAILED_SOON	20

FIXTURE_SETUP(failed)
{
	const char *why = sa_begin(true, SA_NEED_DEVS | SA_NEED_PACKED | SA_NEED_STATES);

	signal(SIGPIPE, SIG_IGN);
	if (!why)
		why = sa_dm_make(FAILED_DEV);
	/* The limit has the value of a production kernel. */
	if (!why && sa_write(SA_DEBUG "/max_io_errors", "32"))
		why = "no debugfs";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("failed", 0, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, sa_swapon(sa_dm(), 0, 9));
	ASSERT_EQ(0, sa_set_format(sa_dm(), variant->format));
	sa_log_expect("[Ee]rror on |has failed|swap: a page can.t be read");
}

FIXTURE_TEARDOWN_PARENT(failed)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * Check the total and the free swap in all files while the first device has
 * failed
 */
static bool failed_tier_adds_up(size_t other)
{
	size_t used[2] = { }, size = 0;
	long long left = sa_meminfo("SwapFree");

	return sa_swaps_read(sa_dm(), NULL, &used[0], NULL) &&
		sa_swaps_read(sa_dev(1), &size, &used[1], NULL) && size == other &&
		sa_meminfo("SwapTotal") == (long long)((other + used[0]) * SA_PAGE) &&
		left >= 0 && left == (long long)((other - used[1]) * SA_PAGE);
}

static void log_failed_tier(struct __test_metadata *_metadata, const char *when)
{
	size_t used[2] = { };

	sa_swaps_read(sa_dm(), NULL, &used[0], NULL);
	sa_swaps_read(sa_dev(1), NULL, &used[1], NULL);
	TH_LOG("%s: SwapFree %lld of %lld kB; used: failed %zu kB, other %zu kB", when,
	       sa_meminfo("SwapFree") / 1024, sa_meminfo("SwapTotal") / 1024,
	       used[0] * SA_PAGE / 1024, used[1] * SA_PAGE / 1024);
}

TEST_F_TIMEOUT(failed, totals, SA_TIMEOUT)
{
	/* The data compresses if the device is packed. */
	bool packed = strcmp(variant->format, "raw"), moved = variant->fault != SA_FAILS;
	size_t n = (moved ? 4 : 12) * (packed ? 2 : 1) * SA_MIB_PAGES, small = 2 * SA_MIB_PAGES;
	size_t other = variant->other * SA_MIB_PAGES - 1, used = 0;
	enum sa_pat pat = packed ? SA_TEXT : SA_RANDOM;
	struct samples *samples = sa_map_shared();
	struct sa_holder a, b, c;
	struct sa_task task;
	long long total, spares;

	ASSERT_NE(NULL, samples);
	ASSERT_EQ(0, sa_hold_start(&a, n, pat, self->cg));
	EXPECT_EQ(n, a.swapped);
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dm(), "stored"));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), other + 1, 3));
	ASSERT_EQ(0, sa_set_format(sa_dev(1), "raw"));
	total = sa_meminfo("SwapTotal");
	log_failed_tier(_metadata, "before");
	ASSERT_EQ(0, sa_task_start(&task, sample_free_swap, samples));

	/* The device fails after it has had only errors for some time. */
	ASSERT_EQ(0, sa_dm_set_all(variant->fault));
	ASSERT_EQ(0, sa_hold_start(&b, small, pat, self->cg));
	EXPECT_TRUE(sa_wait(({
		/*
		 * The swap cache still has the pages: the process reads them
		 * and pushes them out again.
		 */
		EXPECT_EQ(0, sa_hold_ask(&b, 'c'));
		sa_hold_ask(&b, 'p');
		sa_tier_failed(sa_dm());
	}), FAILED_SOON));
	log_failed_tier(_metadata, "failed");
	if (moved) {
		EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dm(), "stored"), 3 * FAILED_SOON));
		EXPECT_TRUE(sa_swaps_read(sa_dm(), NULL, &used, NULL));
		EXPECT_EQ(0, used);
	} else {
		EXPECT_LE(n * SA_PAGE, sa_tier_num(sa_dm(), "stored"));
		EXPECT_TRUE(sa_swaps_read(sa_dm(), NULL, &used, NULL));
		EXPECT_LT(other, used) {
			TH_LOG("the failed device has %zu pages, so nothing is tested", used);
		}
	}
	sa_hold_ask(&b, 'p');
	EXPECT_TRUE(sa_wait_writeback());
	EXPECT_TRUE(sa_wait_purged(failed_tier_adds_up(other), 10)) {
		log_failed_tier(_metadata, "does not add up");
	}

	/*
	 * A store makes the device fail, too, and the second device has room
	 * for the page.
	 */
	ASSERT_EQ(0, sa_hold_start(&c, small, SA_RANDOM, self->cg));
	EXPECT_EQ(small, c.swapped) {
		TH_LOG("%zu of %zu pages went out", c.swapped, small);
	}
	EXPECT_TRUE(sa_wait_purged(failed_tier_adds_up(other), 10)) {
		log_failed_tier(_metadata, "does not add up");
	}
	log_failed_tier(_metadata, "with more");
	EXPECT_TRUE(sa_tier_failed(sa_dm()));
	EXPECT_EQ(0, sa_hold_ask(&c, 'c'));
	EXPECT_EQ(0, sa_hold_end(&c));
	EXPECT_EQ(0, sa_violations());

	/*
	 * All of the device is back. The kernel hides the reserve when a page
	 * is packed again.
	 */
	ASSERT_EQ(0, sa_dm_set_all(SA_WORKS));
	ASSERT_EQ(0, sa_tier_write(sa_dm(), "state", "online"));
	spares = packed ? 2 * sa_cluster_slots() * SA_PAGE : 0;
	EXPECT_TRUE(sa_wait(sa_meminfo("SwapTotal") >= total &&
			    sa_meminfo("SwapTotal") <= total + spares, 10)) {
		TH_LOG("SwapTotal %lld, was %lld", sa_meminfo("SwapTotal"), total);
	}
	EXPECT_EQ(0, sa_hold_ask(&a, 'c'));
	EXPECT_EQ(0, sa_hold_ask(&b, 'c'));
	EXPECT_EQ(0, sa_hold_end(&a));
	EXPECT_EQ(0, sa_hold_end(&b));
	samples->stop = 1;
	EXPECT_EQ(0, sa_task_end(&task, LIMIT));
	EXPECT_LT(1000, samples->nr);
	EXPECT_EQ(0, samples->bad) {
		TH_LOG("%lu of %lu samples are wrong, the first: SwapFree %lld, SwapTotal %lld",
		       samples->bad, samples->nr, samples->free, samples->total);
	}
	TH_LOG("%lu samples", samples->nr);
}

TEST_HARNESS_MAIN
