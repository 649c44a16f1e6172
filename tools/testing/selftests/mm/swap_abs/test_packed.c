// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that compressed pages are packed on: how the format is chosen, what
 * is written and read for a page, the ways in (from reclaim, out of zswap), what
 * does not compress, collection, what the counters say, swapoff, metadata, large folios.
 *
 * It fails on a kernel that reads more than two blocks for a page or writes
 * much more than its compressed length, that takes a folio or decompresses to
 * move what zswap has or gets, writes again what the device has already, moves pages to
 * it that stay as large as they were, is full before it is full, lets what it
 * collects die under it, collects nothing for pages that are not packed, counts anything
 * of that wrong or not for the cgroup that it is of, or brings back wrong bytes in any
 * of this.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define LIMIT	(SA_TIMEOUT / 3)
#define RAM	"/dev/ram0"
#define CHUNK	(128 * 1024)

#define META	SA_DEBUG "/metadata"

static long long metadata(const char *key)
{
	return sa_read_key(META, key);
}

static bool have_metadata(void)
{
	return !access(SA_DEBUG "/metadata", R_OK);
}

static long long orphans(void)
{
	return sa_scan("orphans");
}

/* Does the device count its I/O? brd does not. */
static bool counts_io(const char *dev)
{
	struct sa_io io;

	return !sa_io(dev, &io) && io.writes;
}

static void get_format(const char *dev, char *buf, size_t size)
{
	if (sa_tier_str(dev, "format", buf, size))
		snprintf(buf, size, "none");
}

#define EXPECT_FORMAT(_want, _dev)			\
do {							\
	char __format[64];				\
							\
	get_format(_dev, __format, sizeof(__format));	\
	EXPECT_STREQ(_want, __format);			\
} while (0)

#define SLOW	"sa_discards"

/* glibc does not know it. */
#ifndef SWAP_FLAG_DISCARD_PAGES
#define SWAP_FLAG_DISCARD_PAGES	0x40000
#endif

FIXTURE(packed)
{
	/* before the test took any */
	long long swap_free;
};

FIXTURE_SETUP(packed)
{
	const char *why;

	swapoff(RAM);
	why = sa_begin(true, SA_NEED_DEV);
	if (why)
		SKIP(return, "%s", why);
	/* A fault is about one page. */
	ASSERT_EQ(0, sa_write(SA_PAGE_CLUSTER, "0"));
}

FIXTURE_TEARDOWN_PARENT(packed)
{
	sa_nullb_remove(SLOW);
	if (sa_swaps(RAM, NULL, NULL, NULL))
		swapoff(RAM);
	EXPECT_EQ(0, sa_end());
}

/* --- the format file --------------------------------------------------- */

TEST_F_TIMEOUT(packed, format_defaults, SA_TIMEOUT)
{
	bool ram;
	int i;

	for (i = 0; i < sa_ndevs() && i < 2; i++) {
		ram = !strncmp(sa_dev(i), "/dev/ram", 8);
		ASSERT_EQ(0, sa_mkswap(sa_dev(i), 64 * SA_MIB_PAGES));
		ASSERT_EQ(0, swapon(sa_dev(i), 0));
		EXPECT_FORMAT(ram ? "raw" : "packed", sa_dev(i));
		ASSERT_EQ(0, sa_swapoff(sa_dev(i)));
		/* The same when the layer comes later. */
		ASSERT_EQ(0, sa_layer(false));
		ASSERT_EQ(0, swapon(sa_dev(i), 0));
		EXPECT_FORMAT(ram ? "raw" : "packed", sa_dev(i));
		ASSERT_EQ(0, sa_layer(true));
		EXPECT_FORMAT(ram ? "raw" : "packed", sa_dev(i));
		ASSERT_EQ(0, sa_swapoff(sa_dev(i)));
	}
	if (!access(RAM, W_OK)) {
		ASSERT_EQ(0, sa_mkswap(RAM, 32 * SA_MIB_PAGES));
		ASSERT_EQ(0, swapon(RAM, 0));
		EXPECT_FORMAT("raw", RAM);
		/* But it can be had. */
		EXPECT_EQ(0, sa_format(RAM, "packed"));
		EXPECT_FORMAT("packed", RAM);
		EXPECT_EQ(0, sa_swapoff(RAM));
	} else {
		TH_LOG("no " RAM " to look at");
	}
}

TEST_F_TIMEOUT(packed, format_values, SA_TIMEOUT)
{
	static const char * const bad[] = {
		"", "\n", "Packed", "packed1", " packed", "pack", "raw packed",
		"0", "1", "compressed", "zswap", "raw\n\n",
	};
	static const char * const good[] = { "packed", "raw\n", "packed\n", "raw", "raw" };
	size_t i, used, before;
	struct stat st;
	char path[256];

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), 64 * SA_MIB_PAGES, -1));
	ASSERT_TRUE(sa_swaps(sa_dev(0), NULL, &before, NULL));
	EXPECT_EQ(0, before);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* An empty write never gets there. */
		EXPECT_EQ(bad[i][0] ? -EINVAL : 0, sa_format(sa_dev(0), bad[i])) {
			TH_LOG("'%s'", bad[i]);
		}
		EXPECT_FORMAT("packed", sa_dev(0));
	}
	ASSERT_TRUE(sa_swaps(sa_dev(0), NULL, &used, NULL));
	EXPECT_EQ(before, used);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, sa_format(sa_dev(0), good[i]));
		EXPECT_FORMAT(good[i][0] == 'r' ? "raw" : "packed", sa_dev(0));
		ASSERT_TRUE(sa_swaps(sa_dev(0), NULL, &used, NULL));
		EXPECT_EQ(good[i][0] == 'r' ? 0 : before, used);
	}

	snprintf(path, sizeof(path), SA_TIERS "/%s/format", sa_tier(sa_dev(0)));
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0644, st.st_mode & 07777);
	EXPECT_EQ(-EACCES, sa_nobody_writes(path, "raw"));

	if (sa_have_zswap()) {
		EXPECT_FORMAT("compressed", NULL);
		EXPECT_EQ(-EINVAL, sa_write(SA_TIERS "/zswap/format", "packed"));
		EXPECT_EQ(-EINVAL, sa_write(SA_TIERS "/zswap/format", "raw"));
		EXPECT_EQ(-EINVAL, sa_write(SA_TIERS "/zswap/format", "compressed"));
		EXPECT_FORMAT("compressed", NULL);
	}
	ASSERT_EQ(0, sa_swapoff(sa_dev(0)));

	/* A few MiB are too few for spare clusters. */
	ASSERT_EQ(0, sa_mkswap(sa_dev(0), 8 * sa_cluster() - 1));
	ASSERT_EQ(0, swapon(sa_dev(0), 0));
	EXPECT_FORMAT("raw", sa_dev(0));
	EXPECT_EQ(-EOPNOTSUPP, sa_format(sa_dev(0), "packed"));
	EXPECT_FORMAT("raw", sa_dev(0));
	EXPECT_EQ(0, sa_format(sa_dev(0), "raw"));
	ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
}

/* What was written in one format is read in the other. */
TEST_F_TIMEOUT(packed, format_both, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES, used;
	struct sa_area a[2];
	int i, round;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), 64 * SA_MIB_PAGES, -1));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_area_map(&a[i], n, SA_TEXT, 80 + i));
		sa_area_fill(&a[i]);
	}
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, sa_format(sa_dev(0), i ? "raw" : "packed"));
			EXPECT_EQ(n, sa_pageout(a[i].p, n));
		}
		ASSERT_TRUE(sa_settle());
		if (have_metadata()) {
			EXPECT_EQ(n, metadata("packed_pages"));
			EXPECT_EQ(n, metadata("raw_pages"));
		}
		EXPECT_EQ(2 * n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
		EXPECT_TRUE(sa_only_swapped());
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(0, sa_area_check(&a[i]));
			a[i].gen++;
			sa_area_fill(&a[i]);
			EXPECT_EQ(0, sa_area_check(&a[i]));
		}
	}
	for (i = 0; i < 2; i++)
		sa_area_unmap(&a[i]);
	/* And nothing of the device is held for the format of before. */
	EXPECT_TRUE(sa_wait_purged(sa_swaps(sa_dev(0), NULL, &used, NULL) && !used, 10)) {
		TH_LOG("%zu pages of the device are used", used);
	}
}

TEST_F_TIMEOUT(packed, format_under_load, SA_TIMEOUT)
{
	struct sa_load l = {
		.pages = (sa_full() ? 16 : 4) * SA_MIB_PAGES,
		.seconds = sa_full() ? 60 : 3,
	};
	double end = sa_now() + l.seconds;
	long long toggles = 0, both = 0;
	__u64 rnd = 17;
	char cg[256];
	pid_t pid[2];

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), 128 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_cg_make("load", l.pages * SA_PAGE + 8 * SA_MIB, cg, sizeof(cg)));
	pid[0] = sa_start(cg, sa_load, &l);
	pid[1] = sa_start(cg, sa_load, &l);
	while (sa_now() < end) {
		EXPECT_EQ(0, sa_format(sa_dev(0), toggles++ & 1 ? "packed" : "raw"));
		usleep(sa_rand(&rnd) % 30000);
		if (toggles % 8 == 0 && have_metadata())
			both += metadata("packed_pages") > 0 && metadata("raw_pages") > 0;
	}
	EXPECT_EQ(0, sa_join(pid[0], LIMIT));
	EXPECT_EQ(0, sa_join(pid[1], LIMIT));
	TH_LOG("%lld times chosen, pages in both formats at %lld looks", toggles, both);
	if (have_metadata())
		EXPECT_LT(0, both);
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
}

/* --- what is written and read ------------------------------------------ */

/* The mean length of the area's pages, as zswap's compressor makes them */
static double stored_length(struct __test_metadata *_metadata, struct sa_area *a)
{
	long long before, bytes;
	size_t out;

	if (sa_zswap(true))
		return 0;
	before = sa_zswap_bytes();
	out = sa_pageout(a->p, a->n);
	bytes = sa_zswap_bytes() - before;
	EXPECT_EQ(a->n, out);
	return (double)bytes / a->n;
}

/* Is what was written no more than the pages' length allows? */
static void check_written(struct __test_metadata *_metadata, const struct sa_seen *s,
			  size_t n, double length, const char *way)
{
	double page = s->io.write_sectors * 512.0 / n, r = SA_PAGE / length;
	double io = s->io.writes ? s->io.write_sectors * 512.0 / s->io.writes : 0;

	TH_LOG("%s: R %.2f, %.0f bytes a page written, limit %.0f, %.0f KiB a write",
	       way, r, page, SA_PAGE / (0.95 * r), io / 1024);
	/* Less than the data is not to be believed. */
	EXPECT_LE(length, page);
	/* Chunks that were not full end somewhere in their last block. */
	EXPECT_LE(s->io.write_sectors * 512.0,
		  n * length / 0.95 + s->io.writes * (double)SA_PAGE);
	/* Where a queue takes less at once, a chunk is two writes. */
	if (io >= CHUNK * 0.45)
		EXPECT_LE(page, SA_PAGE / (0.95 * r));
}

TEST_F_TIMEOUT(packed, from_reclaim, SA_TIMEOUT)
{
	size_t n = (sa_full() ? 32 : 8) * SA_MIB_PAGES, i, *order;
	const char *dev = sa_dev(0);
	long long used, most = 0;
	struct sa_io one, two;
	struct sa_area a;
	struct sa_seen s;
	double length;
	bool io;

	ASSERT_EQ(0, sa_swapon_packed(dev, 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 81));
	sa_area_fill(&a);
	length = stored_length(_metadata, &a);
	if (!length)
		SKIP(return, "no zswap to compare with");
	ASSERT_LT(100, length);
	EXPECT_EQ(0, sa_area_check(&a));
	ASSERT_EQ(0, sa_zswap(false));

	sa_see(&s, dev);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	ASSERT_TRUE(sa_settle());
	sa_since(&s, dev);
	EXPECT_EQ(n, s.store);
	EXPECT_EQ(n, s.pswpout);
	EXPECT_EQ(0, s.zswpout);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(dev, "stored"));
	used = sa_tier_num(dev, "used");
	TH_LOG("%zu pages take %lld of capacity", n, used / (long long)SA_PAGE);
	/* One byte of twelve stays free for collection; and 1/64 of a segment is counted. */
	EXPECT_LE(used, n * length / 0.95 / 11 * 12 + sa_cluster() * SA_PAGE / 8);
	EXPECT_LE(n * length, used);
	io = counts_io(dev);
	if (io)
		check_written(_metadata, &s, n, length, "from reclaim");

	/* In again, one by one, in any order. */
	EXPECT_TRUE(sa_only_swapped());
	order = sa_shuffled(n, 7);
	ASSERT_NE(NULL, order);
	sa_see(&s, dev);
	for (i = 0; i < n; i++) {
		sa_io(dev, &one);
		ASSERT_EQ(0, sa_check(a.p + order[i] * SA_PAGE, a.pat, a.seed, order[i], 0));
		sa_io(dev, &two);
		two.read_sectors -= one.read_sectors;
		if (most < two.read_sectors)
			most = two.read_sectors;
	}
	sa_wait(sa_tier_num(dev, "stats/load") - s.load >= (long long)n, 10);
	sa_since(&s, dev);
	EXPECT_EQ(n, s.load);
	EXPECT_EQ(n, s.pswpin);
	EXPECT_EQ(0, s.errors);
	if (io) {
		TH_LOG("%.3f blocks a fault, %lld at most, in %lld reads for %zu pages",
		       s.io.read_sectors / 8.0 / n, most / 8, s.io.reads, n);
		EXPECT_LE(s.io.read_sectors, n * 8 * 1.45);
		EXPECT_LE(n * 8, s.io.read_sectors);
		EXPECT_EQ(16, most);
		/* One bio, whatever the block layer makes of it. */
		EXPECT_LE(s.io.reads, n);
		EXPECT_EQ(0, s.io.writes);
	}

	/* Out once more, not written to: nothing is written, all is there. */
	sa_see(&s, dev);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	ASSERT_TRUE(sa_settle());
	sa_since(&s, dev);
	EXPECT_EQ(0, s.io.write_sectors);
	EXPECT_EQ(0, s.store);
	EXPECT_EQ(0, s.pswpout);
	EXPECT_EQ(used, sa_tier_num(dev, "used"));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(dev, "stored"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));

	/* Written to: what the device has of it is stale, and goes. */
	a.gen = 1;
	sa_area_fill(&a);
	sa_see(&s, dev);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	ASSERT_TRUE(sa_settle());
	sa_since(&s, dev);
	EXPECT_EQ(n, s.store);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(dev, "stored"));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 10));
	EXPECT_EQ(0, sa_tier_num(dev, "stored"));
}

/* Read some of the pages that are on the device, or in zswap. What is kept beside them? */
static void read_some(struct __test_metadata *_metadata, struct sa_area *a, size_t first,
		      size_t stride, struct sa_seen *s)
{
	size_t i;

	ASSERT_EQ(a->n, sa_pageout(a->p, a->n));
	ASSERT_TRUE(sa_settle());
	EXPECT_TRUE(sa_area_only_swapped(a));
	sa_see(s, sa_dev(0));
	for (i = first; i < a->n; i += stride)
		EXPECT_EQ(0, sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, 0));
	sa_settle();
	sa_since(s, sa_dev(0));
	TH_LOG("%zu pages: %lld read from the device and %lld kept beside them, %lld from zswap",
	       a->n / stride, s->load, s->moved_out, s->zswpin);
	EXPECT_EQ(a->n / stride, s->load + s->zswpin);
	EXPECT_EQ(0, s->errors);
}

/*
 * What a read has brought along is kept in zswap as it is, where it is wanted next; and
 * where it is not, zswap is not filled with it for long.
 */
TEST_F_TIMEOUT(packed, neighbours, SA_TIMEOUT)
{
	size_t n = 32 * SA_MIB_PAGES;
	const char *dev = sa_dev(0);
	struct sa_area a;
	struct sa_seen s;

	if (sa_write(SA_DEBUG "/keep_neighbours", "Y"))
		SKIP(return, "no debugfs/swap_abs/keep_neighbours");
	ASSERT_EQ(0, sa_swapon_packed(dev, 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 1));
	sa_area_fill(&a);

	/* Without zswap there is no place for them. */
	read_some(_metadata, &a, 0, 64, &s);
	EXPECT_EQ(n / 64, s.load);
	EXPECT_EQ(0, s.moved_out);

	/* One here, one there: once that is known, few are kept. */
	ASSERT_EQ(0, sa_zswap(true));
	read_some(_metadata, &a, 8, 16, &s);
	EXPECT_EQ(n / 16, s.load);
	EXPECT_LT(0, s.moved_out);
	EXPECT_GE(s.load / 4, s.moved_out);

	/* One after another: that is noticed too, and saves reads. */
	read_some(_metadata, &a, 0, 1, &s);
	EXPECT_LE(n / 4, s.moved_out);
	EXPECT_GE(n / 4 * 3, s.load);
	EXPECT_EQ(0, sa_violations());
	sa_area_unmap(&a);
}

/*
 * Pages that are read ahead lie next to each other when they were written
 * together: they are one read, and a block is read once.
 */
TEST_F_TIMEOUT(packed, shared_reads, SA_TIMEOUT)
{
	size_t n = 8 * SA_MIB_PAGES;
	const char *dev = sa_dev(0);
	struct sa_area a;
	double length;
	struct sa_seen s;
	long long in;

	ASSERT_EQ(0, sa_write(SA_PAGE_CLUSTER, "3"));
	ASSERT_EQ(0, sa_swapon_packed(dev, 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 89));
	sa_area_fill(&a);
	length = stored_length(_metadata, &a);
	if (!length)
		SKIP(return, "no zswap to compare with");
	EXPECT_EQ(0, sa_area_check(&a));
	ASSERT_EQ(0, sa_zswap(false));
	ASSERT_EQ(n, sa_pageout(a.p, n));
	ASSERT_TRUE(sa_settle());
	EXPECT_TRUE(sa_only_swapped());

	sa_see(&s, dev);
	in = sa_vmstat("nrswpin");
	EXPECT_EQ(0, sa_area_check(&a));
	in = sa_vmstat("nrswpin") - in;
	sa_since(&s, dev);
	EXPECT_EQ(n, s.load);
	EXPECT_EQ(0, s.errors);
	TH_LOG("%.2f blocks a page, %.2f of data, %.1f pages a read",
	       s.io.read_sectors / 8.0 / n, length / SA_PAGE, (double)n / in);
	/* Eight are the window: with two there is no more than the first one. */
	EXPECT_LE(in, n / 4);
	if (!counts_io(dev))
		return;
	EXPECT_LE(s.io.reads, in);
	/* At the ends of a read a block is read for half of it. */
	EXPECT_LE(s.io.read_sectors / 8.0, n * length / SA_PAGE + in * 1.1);
}

/* Nothing but bytes goes from zswap to the device. */
TEST_F_TIMEOUT(packed, out_of_zswap, SA_TIMEOUT)
{
	size_t n = (sa_full() ? 32 : 8) * SA_MIB_PAGES, i, moved = 0;
	const char *dev = sa_dev(0);
	long long before, bytes, cached;
	__u64 *was, *is;
	struct sa_area a;
	struct sa_seen s;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_swapon_packed(dev, 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 82));
	sa_area_fill(&a);
	before = sa_zswap_bytes();
	ASSERT_EQ(n, sa_pageout(a.p, n));
	bytes = sa_zswap_bytes() - before;
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_tier_num(dev, "stored"));
	was = calloc(n, sizeof(*was));
	is = calloc(n, sizeof(*is));
	ASSERT_NE(NULL, was);
	ASSERT_NE(NULL, is);
	ASSERT_EQ(0, sa_pagemap(a.p, n, was));

	cached = sa_swap_cached();
	sa_see(&s, dev);
	ASSERT_EQ(0, sa_zswap_drain(60));
	ASSERT_TRUE(sa_wait(sa_tier_num(dev, "stats/moved_in") - s.moved_in >= (long long)n, 20));
	ASSERT_TRUE(sa_settle());
	sa_since(&s, dev);
	TH_LOG("%zu pages: %lld moved in, %lld written back, %lld stored", n, s.moved_in,
	       s.zswpwb, s.store);
	EXPECT_EQ(n, s.moved_in);
	EXPECT_EQ(n, s.zswpwb);
	/* As it counts every page that is written to a device, with a folio or without. */
	EXPECT_EQ(n + s.store, s.pswpout);
	EXPECT_GT(n / 8, s.store);
	EXPECT_EQ(0, s.zswpin);
	EXPECT_EQ(0, s.pswpin);
	EXPECT_EQ(0, s.errors);
	EXPECT_EQ(0, s.io.read_sectors);
	EXPECT_LE(sa_swap_cached(), cached + s.store * (long long)SA_PAGE);
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(dev, "stored") == (long long)(n * SA_PAGE), 10));
	EXPECT_EQ(0, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_tier_num(NULL, "used"));
	if (counts_io(dev))
		check_written(_metadata, &s, n, (double)bytes / n, "out of zswap");
	ASSERT_EQ(0, sa_pagemap(a.p, n, is));
	for (i = 0; i < n; i++)
		moved += was[i] != is[i];
	EXPECT_EQ(0, moved);

	sa_see(&s, dev);
	EXPECT_EQ(0, sa_area_check(&a));
	sa_since(&s, dev);
	EXPECT_EQ(n, s.load);
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 10));
}

FIXTURE(trickle) { };

/* So many pages leave zswap every 20 ms. */
FIXTURE_VARIANT(trickle)
{
	size_t pages;
};

FIXTURE_VARIANT_ADD(trickle, pages_1) { .pages = 1 };

FIXTURE_VARIANT_ADD(trickle, pages_4) { .pages = 4 };

FIXTURE_VARIANT_ADD(trickle, pages_16) { .pages = 16 };

FIXTURE_VARIANT_ADD(trickle, pages_256) { .pages = 256 };

FIXTURE_SETUP(trickle)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (!why && sa_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(trickle)
{
	EXPECT_EQ(0, sa_end());
}

/* What leaves zswap one by one is written as densely as what leaves in bulk. */
TEST_F_TIMEOUT(trickle, fills_chunks, SA_TIMEOUT)
{
	size_t k = variant->pages, n = k * 200, i;
	const char *dev = sa_dev(0);
	struct sa_area a;
	char size[32];
	struct sa_seen s;
	double next;

	if (n > 8 * SA_MIB_PAGES)
		n = 8 * SA_MIB_PAGES;
	ASSERT_EQ(0, sa_swapon_packed(dev, 64 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 86));
	sa_area_fill(&a);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	ASSERT_EQ(0, sa_tier_num(dev, "stats/store"));
	if (!counts_io(dev))
		SKIP(return, "the device does not count");

	sa_see(&s, dev);
	snprintf(size, sizeof(size), "%zu", k * SA_PAGE);
	next = sa_now();
	for (i = 0; i < n; i += k) {
		EXPECT_EQ(0, sa_tier_write(NULL, "demote", size));
		next += 0.02;
		if (next > sa_now())
			usleep((next - sa_now()) * 1e6);
	}
	EXPECT_TRUE(sa_wait(sa_tier_num(dev, "stats/moved_in") - s.moved_in == (long long)n, 5));
	ASSERT_TRUE(sa_settle());
	sa_since(&s, dev);
	TH_LOG("%zu pages: %lld bytes, %lld written in %lld writes", n,
	       sa_tier_num(dev, "stats/live_bytes"), s.io.write_sectors * 512, s.io.writes);
	EXPECT_EQ(n, s.moved_in);
	/* At the end of each write, half a block on average. */
	EXPECT_GE(sa_tier_num(dev, "stats/live_bytes") * 1.15 + SA_PAGE,
		  s.io.write_sectors * 512);
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
}

/* In any of the other compressors too, with data of several at a time. */
TEST_F_TIMEOUT(packed, compressors, SA_TIMEOUT)
{
	static const char * const names[] = { "lzo", "lz4", "zstd", "deflate", "lzo-rle" };
	size_t n = SA_MIB_PAGES, i, nr = 0, refused = 0;
	struct sa_area a[ARRAY_SIZE(names)];
	const char *dev = sa_dev(0);
	char old[64];
	struct sa_seen s;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_LT(0, sa_read(SA_ZSWAP "/compressor", old, sizeof(old)));
	ASSERT_EQ(0, sa_swapon_packed(dev, 64 * SA_MIB_PAGES, -1));
	sa_see(&s, dev);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (sa_zswap_param("compressor", names[i])) {
			TH_LOG("no %s", names[i]);
			continue;
		}
		ASSERT_EQ(0, sa_area_map(&a[nr], n, SA_TEXT, 90 + i));
		sa_area_fill(&a[nr]);
		EXPECT_EQ(n, sa_pageout(a[nr].p, n));
		nr++;
	}
	EXPECT_EQ(nr * n * SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_zswap_drain(60));
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(dev, "stored") == (long long)(nr * n * SA_PAGE),
				   20));
	sa_zswap_param("compressor", old);
	sa_since(&s, dev);
	/* Two bits say which: the fifth is written as it was before. */
	if (have_metadata()) {
		refused = metadata("raw_pages");
		TH_LOG("%zu compressors, %zu pages written raw", nr, refused);
		EXPECT_EQ(0, refused % n);
		EXPECT_LE(refused, (nr > 4 ? nr - 4 : 0) * n);
	}
	EXPECT_EQ(nr * n, s.moved_in);
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(0, sa_area_check(&a[i]));
		sa_area_unmap(&a[i]);
	}
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 10));
}

/* --- back to zswap ------------------------------------------------------- */

enum way { PROMOTE, DRAIN, SWAPOFF };

FIXTURE(up)
{
	size_t n;
	struct sa_area a;
};

FIXTURE_VARIANT(up)
{
	enum way way;
};

FIXTURE_VARIANT_ADD(up, promote) { .way = PROMOTE };

FIXTURE_VARIANT_ADD(up, drain) { .way = DRAIN };

FIXTURE_VARIANT_ADD(up, swapoff) { .way = SWAPOFF };

FIXTURE_SETUP(up)
{
	const char *why = sa_begin(true, SA_NEED_DEV | SA_NEED_ZSWAP);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_write(SA_PAGE_CLUSTER, "0"));
	self->n = 4 * SA_MIB_PAGES;
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_area_map(&self->a, self->n, SA_TEXT, 83));
	sa_area_fill(&self->a);
	ASSERT_EQ(self->n, sa_pageout(self->a.p, self->n));
	ASSERT_TRUE(sa_settle());
	ASSERT_TRUE(sa_area_only_swapped(&self->a));
	ASSERT_EQ(self->n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
}

FIXTURE_TEARDOWN_PARENT(up)
{
	EXPECT_EQ(0, sa_end());
}

/* What it took to bring all pages from the device to zswap */
struct effort {
	long long moved;		/* traced */
	long long read, stored;		/* through folios, traced */
	long long pswpin, zswpout, zswpin;
	size_t cached;			/* pages of the area left in the swap cache */
};

static int bring_up(struct sa_area *a, enum way way, struct effort *e)
{
	struct sa_event *events;
	long nr;
	int ret;

	ret = sa_trace_start();
	if (ret)
		return ret;
	e->pswpin = sa_vmstat("pswpin");
	e->zswpout = sa_vmstat("zswpout");
	e->zswpin = sa_vmstat("zswpin");
	switch (way) {
	case PROMOTE:
		ret = sa_tier_write(sa_dev(0), "promote", "all");
		break;
	case DRAIN:
		ret = sa_tier_write(sa_dev(0), "state", "draining");
		if (!ret && !sa_wait(!sa_tier_num(sa_dev(0), "stored"), 20))
			ret = -ETIMEDOUT;
		break;
	case SWAPOFF:
		ret = sa_swapoff_child(sa_dev(0), LIMIT);
		break;
	}
	e->cached = sa_in_cache(a->p, a->n);
	e->pswpin = sa_vmstat("pswpin") - e->pswpin;
	e->zswpout = sa_vmstat("zswpout") - e->zswpout;
	e->zswpin = sa_vmstat("zswpin") - e->zswpin;
	nr = sa_trace_stop(&events);
	e->moved = sa_trace_pages(events, nr, SA_MOVE, "packed", "zswap");
	e->read = sa_trace_pages(events, nr, SA_LOAD, "packed", "");
	e->stored = sa_trace_pages(events, nr, SA_STORE, "", "zswap");
	free(events);
	return nr < 0 ? nr : ret;
}

static void log_effort(struct __test_metadata *_metadata, const struct effort *e)
{
	TH_LOG("%lld moved, %lld read, %lld stored; pswpin %lld, zswpout %lld, zswpin %lld",
	       e->moved, e->read, e->stored, e->pswpin, e->zswpout, e->zswpin);
}

/*
 * The same the other way round: bytes, no pages. What is decompressed is loaded, and
 * what is compressed is stored and counted in zswpout; a few pages of others may be.
 */
TEST_F_TIMEOUT(up, as_it_is, SA_TIMEOUT)
{
	long long n = self->n, few = self->n / 32, in;
	struct effort e;

	ASSERT_EQ(0, sa_zswap(true));
	in = sa_tier_num(NULL, "stats/moved_in");
	ASSERT_EQ(0, bring_up(&self->a, variant->way, &e));
	log_effort(_metadata, &e);
	EXPECT_LE(n - few, e.moved);
	EXPECT_GE(few, e.read);
	EXPECT_GE(few, e.stored);
	EXPECT_GE(few, e.pswpin);
	EXPECT_GE(few, e.zswpout);
	EXPECT_GE(few, e.zswpin);
	EXPECT_GE((size_t)few, e.cached);
	EXPECT_LE(n, sa_tier_num(NULL, "stats/moved_in") - in);
	EXPECT_LE(n * (long long)SA_PAGE, sa_tier_num(NULL, "stored"));
	EXPECT_EQ(0, sa_violations());

	/* It is zswap's now as if it had been stored there. */
	EXPECT_TRUE(sa_area_only_swapped(&self->a));
	in = sa_tier_num(NULL, "stats/load");
	EXPECT_EQ(0, sa_area_check(&self->a));
	EXPECT_LE(n, sa_tier_num(NULL, "stats/load") - in);
}

/*
 * Where zswap has another compressor it is pages, of what collection has read: nothing is
 * read again, and nothing of it is a page-in.
 */
TEST_F_TIMEOUT(up, other_compressor, SA_TIMEOUT)
{
	static const char * const names[] = { "lz4", "zstd", "lzo", "deflate" };
	long long n = self->n;
	char old[64], now[64];
	struct effort e;
	size_t i;

	ASSERT_LT(0, sa_read(SA_ZSWAP "/compressor", old, sizeof(old)));
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strncmp(old, names[i], strlen(names[i])) &&
		    !sa_zswap_param("compressor", names[i]))
			break;
	ASSERT_LT(0, sa_read(SA_ZSWAP "/compressor", now, sizeof(now)));
	if (i == ARRAY_SIZE(names) || !strcmp(old, now))
		SKIP(return, "no other compressor");
	ASSERT_EQ(0, sa_zswap(true));
	EXPECT_EQ(0, bring_up(&self->a, variant->way, &e));
	EXPECT_EQ(0, sa_zswap_param("compressor", old));
	log_effort(_metadata, &e);
	EXPECT_LE(n, e.moved);
	EXPECT_GE(n / 32, e.read);
	EXPECT_LE(n, e.stored);
	EXPECT_EQ(0, e.pswpin);
	EXPECT_LE(n, e.zswpout);
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&self->a));
}

/* What does not compress is in raw clusters beside the segments. */
TEST_F_TIMEOUT(packed, incompressible, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES, way, zeros = 0, randoms = 0, i;
	const char *dev = sa_dev(0);
	struct sa_area a, b;
	unsigned char *page;
	struct sa_seen s;

	page = malloc(SA_PAGE);
	ASSERT_NE(NULL, page);
	for (way = 0; way < 2; way++) {
		if (way && sa_zswap(true))
			break;
		ASSERT_EQ(0, sa_swapon_packed(dev, 160 * SA_MIB_PAGES, -1));
		sa_see(&s, dev);
		ASSERT_EQ(0, sa_area_map(&a, n, SA_RANDOM, 83));
		ASSERT_EQ(0, sa_area_map(&b, n, SA_MIXED, 84));
		sa_area_fill(&a);
		ASSERT_EQ(n, sa_pageout(a.p, n));
		if (way)
			ASSERT_EQ(0, sa_zswap_drain(60));
		ASSERT_TRUE(sa_settle());
		EXPECT_TRUE(sa_wait_purged(sa_tier_num(dev, "stored") ==
					   (long long)(n * SA_PAGE), 20));
		/* What made zswap write was packed, and has gone. */
		EXPECT_TRUE(sa_wait_purged(sa_tier_num(dev, "used") ==
					   (long long)(n * SA_PAGE), 20));
		if (have_metadata()) {
			EXPECT_EQ(n, metadata("raw_pages"));
			EXPECT_EQ(0, metadata("packed_pages"));
		}

		/* Page by page what it is. */
		zeros = 0, randoms = 0;
		sa_area_fill(&b);
		for (i = 0; i < n; i++) {
			unsigned char *p = b.p + i * SA_PAGE;

			zeros += !p[0] && !memcmp(p, p + 1, SA_PAGE - 1);
			sa_fill(page, SA_RANDOM, b.seed, i, 0);
			randoms += !memcmp(p, page, SA_PAGE);
		}
		EXPECT_LT(n / 16, zeros);
		EXPECT_LT(n / 16, randoms);
		ASSERT_EQ(n, sa_pageout(b.p, n));
		if (way)
			ASSERT_EQ(0, sa_zswap_drain(60));
		ASSERT_TRUE(sa_settle());
		EXPECT_TRUE(sa_wait_purged(sa_tier_num(dev, "stored") ==
					   (long long)((2 * n - zeros) * SA_PAGE), 20)) {
			TH_LOG("%lld stored, %zu pages, %zu of them zero",
			       sa_tier_num(dev, "stored"), 2 * n, zeros);
		}
		if (have_metadata()) {
			/* Pages of which a half is random may go either way. */
			EXPECT_LE(n + randoms, metadata("raw_pages"));
			EXPECT_GE(n + randoms + n / 8, metadata("raw_pages"));
			EXPECT_EQ(2 * n - zeros, metadata("raw_pages") +
				  metadata("packed_pages"));
		}
		sa_since(&s, dev);
		TH_LOG("%zu pages: %zu do not compress; %lld stored, %lld moved in", n, randoms,
		       s.store, s.moved_in);
		EXPECT_EQ(2 * n - zeros, way ? s.moved_in : s.store);
		EXPECT_TRUE(sa_only_swapped());
		EXPECT_EQ(0, sa_area_check(&a));
		EXPECT_EQ(0, sa_area_check(&b));
		sa_area_unmap(&a);
		sa_area_unmap(&b);
		EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 10));
		ASSERT_EQ(0, sa_swapoff(dev));
	}
}

/*
 * Raw clusters of which little is left are room for raw pages only, until what they hold
 * has been put together.
 */
TEST_F_TIMEOUT(packed, sparse_clusters, SA_TIMEOUT)
{
	size_t cluster = sa_cluster(), n = 48 * cluster, m = 56 * cluster, i;
	const char *dev = sa_dev(0);
	struct sa_area a, b;

	if (!have_metadata())
		SKIP(return, "no " META);
	ASSERT_EQ(0, sa_swapon_packed(dev, 64 * cluster, -1));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_RANDOM, 87));
	ASSERT_EQ(0, sa_area_map(&b, m, SA_TEXT, 88));
	sa_area_fill(&a);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	EXPECT_EQ(n, metadata("raw_pages"));
	for (i = 0; i < n; i += 16)
		madvise(a.p + (i + 1) * SA_PAGE, 15 * SA_PAGE, MADV_DONTNEED);
	EXPECT_TRUE(sa_wait_purged(metadata("raw_pages") == (long long)n / 16, 20));

	/* Half of it fits the clusters that have not been used. */
	sa_area_fill(&b);
	for (i = 0; i < m; i += cluster / 2) {
		EXPECT_EQ(cluster / 2, sa_pageout(b.p + i * SA_PAGE, cluster / 2));
		usleep(50000);
	}
	EXPECT_TRUE(sa_settle());
	TH_LOG("%zu pages of text: %lld packed; %lld raw pages in all", m,
	       metadata("packed_pages"), metadata("raw_pages"));
	EXPECT_LT(m / 10 * 9, metadata("packed_pages"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&b));
	for (i = 0; i < n; i += 16)
		EXPECT_EQ(0, sa_check(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
	sa_area_unmap(&a);
	sa_area_unmap(&b);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 20));
}

/* --- collection -------------------------------------------------------- */

/* A set of so many pages of text, in RAM */
static int set_make(struct sa_set *set, size_t n)
{
	struct sa_area a;
	int ret = sa_area_map(&a, n, SA_TEXT, 85);

	if (ret)
		return ret;
	sa_area_fill(&a);
	return sa_set_make(set, &a);
}

/*
 * More pages than the device has blocks, in half of it, rewritten all over it
 * for long enough that each cluster must have been used again.
 */
TEST_F_TIMEOUT(packed, collect, SA_TIMEOUT)
{
	size_t dev_pages = 17 * sa_cluster(), n = 16 * sa_cluster() * 11 / 10, rounds = 0;
	long long lowest = 1LL << 60, left, raw = 0, n_raw;
	const char *dev = sa_dev(0);
	double end = sa_now() + LIMIT, want;
	struct sa_set set = { };
	struct sa_seen s;
	int told = 0;
	bool io;

	ASSERT_EQ(0, sa_swapon_packed(dev, dev_pages, -1));
	ASSERT_EQ(0, set_make(&set, n));
	sa_see(&s, dev);
	ASSERT_EQ(n, sa_pageout(set.a.p, n));
	io = counts_io(dev);
	want = (sa_full() ? 12.0 : 3.0) * dev_pages * 8;
	while (!set.bad && sa_now() < end) {
		struct sa_seen now = s;

		sa_set_rewrite(&set, 256);
		left = sa_meminfo("SwapFree");
		if (left < lowest)
			lowest = left;
		if (set.missed && !told++)
			TH_LOG("round %zu: %lld bytes free, %lld used, %lld stored, %lld pages raw",
			       rounds, left, sa_tier_num(dev, "used"),
			       sa_tier_num(dev, "stored"), metadata("raw_pages"));
		if (++rounds % 16)
			continue;
		n_raw = have_metadata() ? metadata("raw_pages") : 0;
		if (n_raw > raw)
			raw = n_raw;
		sa_since(&now, dev);
		if (io ? now.io.write_sectors >= want : now.store >= 6 * (long long)dev_pages)
			break;
	}
	EXPECT_GT(end, sa_now());
	sa_since(&s, dev);
	TH_LOG("%zu rounds, %lld pages stored, %.2f times the device, %lld bytes free at least",
	       rounds, s.store, s.io.write_sectors / 8.0 / dev_pages, lowest);
	TH_LOG("some pages did not go out at once in %zu rounds, %zu not at all, %lld raw at most",
	       set.refused, set.missed, raw);
	EXPECT_EQ(0, set.bad);
	EXPECT_EQ(0, set.missed);
	EXPECT_EQ(0, s.errors);
	/* All of them compress: few went past the segments while there was none. */
	EXPECT_LE(raw, (long long)n / 8);
	EXPECT_EQ(0, sa_violations());
	ASSERT_TRUE(sa_settle());
	EXPECT_TRUE(sa_only_swapped());
	/* What is being collected counts twice. */
	EXPECT_TRUE(sa_wait(sa_tier_num(dev, "stored") == (long long)(n * SA_PAGE), 20));
	EXPECT_EQ(0, sa_set_check(&set));
	sa_area_unmap(&set.a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 20)) {
		TH_LOG("%lld bytes used, %lld stored", sa_tier_num(dev, "used"),
		       sa_tier_num(dev, "stored"));
	}
}

/* What is collected waits, pinned, and dies or is stored again meanwhile. */
TEST_F_TIMEOUT(packed, collect_delayed, SA_TIMEOUT)
{
	size_t dev_pages = 17 * sa_cluster(), n = 16 * sa_cluster() * 11 / 10;
	const char *dev = sa_dev(0);
	double end = sa_now() + (sa_full() ? 60 : 5), limit = sa_now() + LIMIT;
	long long before = orphans();
	struct sa_set set = { };
	struct sa_seen s;

	if (access(SA_MOVE_DELAY, W_OK))
		SKIP(return, "no " SA_MOVE_DELAY);
	ASSERT_EQ(0, sa_swapon_packed(dev, dev_pages, -1));
	ASSERT_EQ(0, set_make(&set, n));
	sa_pageout(set.a.p, n);
	sa_see(&s, dev);
	ASSERT_EQ(0, sa_write(SA_MOVE_DELAY, "1"));
	while (!set.bad && (sa_now() < end || (orphans() == before && sa_now() < limit)))
		sa_set_rewrite(&set, 512);
	ASSERT_EQ(0, sa_write(SA_MOVE_DELAY, "0"));
	sa_since(&s, dev);
	TH_LOG("%lld pages stored, %lld orphans", s.store, orphans() - before);
	EXPECT_EQ(0, set.bad);
	EXPECT_LT(before, orphans());
	EXPECT_EQ(0, s.errors);
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_set_check(&set));
	sa_area_unmap(&set.a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 20));
	EXPECT_EQ(0, sa_tier_num(dev, "stored"));
}

/*
 * A small device that is full beside a large one of the same rank. To make room in the small
 * one by what is nearly all live would cost many writes for each page, for nothing.
 */
TEST_F_TIMEOUT(packed, full_beside_empty, SA_TIMEOUT)
{
	const char *why;
	size_t dev_pages = 17 * sa_cluster(), n = dev_pages * 5;
	const char *dev = sa_dev(0);
	long long bytes, pages;
	struct sa_set set = { };
	double alone, written;
	int i;

	why = sa_need(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon_packed(dev, dev_pages, 5));
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(1), 0, 5));
	ASSERT_EQ(0, set_make(&set, n));
	ASSERT_EQ(n, sa_pageout(set.a.p, n));
	ASSERT_TRUE(sa_settle());
	bytes = sa_tier_num(dev, "stats/written");
	pages = sa_tier_num(dev, "stats/store");
	alone = (double)bytes / pages;
	/* Until half of it is dead, the small one takes nothing. */
	for (i = 0; i < 256 && sa_tier_num(dev, "stats/store") - pages < (long long)n / 8; i++)
		sa_set_rewrite(&set, n / 64);
	ASSERT_TRUE(sa_settle());
	bytes = sa_tier_num(dev, "stats/written") - bytes;
	pages = sa_tier_num(dev, "stats/store") - pages;
	written = (double)bytes / pages;
	TH_LOG("%.0f bytes a page at first, then %.0f: %lld pages of %zu", alone, written,
	       pages, n);
	EXPECT_LT(0, pages);
	EXPECT_GE(4 * alone, written);
	EXPECT_EQ(0, set.missed);
	EXPECT_EQ(0, sa_set_check(&set));
}

/* Free clusters that wait for their discard are free: nothing is written raw for that. */
TEST_F_TIMEOUT(packed, discards, SA_TIMEOUT)
{
	size_t dev_pages = 64 * SA_MIB_PAGES;
	size_t n[3] = { dev_pages * 9 / 10, dev_pages * 8 / 10, dev_pages * 8 / 10 };
	const char *dev = sa_nullb_make(SLOW, dev_pages, 0, 4000000);
	struct sa_area a[3];
	int i;

	if (!dev || !have_metadata())
		SKIP(return, "no null_blk, or no metadata");
	ASSERT_EQ(0, sa_mkswap(dev, 0));
	ASSERT_EQ(0, swapon(dev, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES));
	ASSERT_EQ(0, sa_format(dev, "packed"));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, sa_area_map(&a[i], n[i], SA_TEXT, i));
		sa_area_fill(&a[i]);
		/* Some may have to wait for what is on its way. */
		if (i < 2)
			ASSERT_TRUE(sa_wait(sa_pageout(a[i].p, n[i]) == n[i], 20));
	}
	ASSERT_TRUE(sa_settle());
	ASSERT_EQ(0, metadata("raw_pages"));
	sa_area_unmap(&a[1]);
	EXPECT_TRUE(sa_wait(sa_pageout(a[2].p, n[2]) == n[2], 20));
	EXPECT_EQ(0, metadata("raw_pages"));
	EXPECT_EQ(0, sa_area_check(&a[0]));
	EXPECT_EQ(0, sa_area_check(&a[2]));
	sa_area_unmap(&a[0]);
	sa_area_unmap(&a[2]);
	EXPECT_EQ(0, sa_swapoff(dev));
}

/* --- collection while nothing new is packed ------------------------------ */

FIXTURE(quiet) { };

FIXTURE_VARIANT(quiet)
{
	bool off;		/* the layer; else the format is raw */
};

FIXTURE_VARIANT_ADD(quiet, format_raw) { .off = false };

FIXTURE_VARIANT_ADD(quiet, layer_off) { .off = true };

FIXTURE_SETUP(quiet)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(quiet)
{
	EXPECT_EQ(0, sa_end());
}

/* The dead space of what was packed is room for what is not. */
TEST_F_TIMEOUT(quiet, collect, SA_TIMEOUT)
{
	size_t segments = 32, filled = 26, n, m, i, room, bad = 0;
	size_t dev_pages = segments * sa_cluster();
	const char *dev = sa_dev(0);
	long long collected;
	struct sa_area a, b;

	ASSERT_EQ(0, sa_swapon_packed(dev, dev_pages, -1));
	ASSERT_EQ(0, sa_area_map(&a, 4 * dev_pages, SA_TEXT, 91));
	n = sa_area_fill_until(&a, dev, "stats/segments", filled);
	ASSERT_LT(0, n);
	ASSERT_TRUE(sa_only_swapped());
	for (i = 1; i < n; i += 2)
		madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	EXPECT_EQ(0, sa_tier_num(dev, "stats/collected"));
	ASSERT_EQ(0, variant->off ? sa_layer(false) : sa_format(dev, "raw"));

	/* There are few free clusters, and much room. */
	room = (segments - sa_tier_num(dev, "stats/segments")) * sa_cluster();
	m = sa_meminfo("SwapFree") / SA_PAGE / 4 * 3;
	EXPECT_LE(room * 3 / 2, m);
	ASSERT_EQ(0, sa_area_map(&b, m, SA_TEXT, 92));
	sa_area_fill(&b);
	EXPECT_TRUE(sa_wait(sa_pageout(b.p, m) == m, 20)) {
		TH_LOG("%zu of %zu pages went out", sa_swapped(b.p, m), m);
	}
	ASSERT_TRUE(sa_settle());
	collected = sa_tier_num(dev, "stats/collected");
	TH_LOG("%zu raw pages where %zu slots were free: %lld segments collected", m, room,
	       collected);
	/* Each makes one cluster free at most, and without these it would not have fit. */
	EXPECT_LE(((long long)m - (long long)room) / (long long)sa_cluster(), collected);
	EXPECT_LT(0, collected);
	EXPECT_EQ(0, sa_tier_num(dev, "stats/errors"));
	/* What has been written since is in slots, though it compresses. */
	if (have_metadata())
		EXPECT_TRUE(sa_wait_purged(metadata("packed_pages") ==
					   (long long)(n - n / 2), 10)) {
			TH_LOG("%lld pages are packed, not %zu", metadata("packed_pages"),
			       n - n / 2);
		}
	EXPECT_EQ(0, sa_violations());
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&b));
	for (i = 0; i < n && bad < 4; i += 2)
		bad += !!sa_check(a.p + i * SA_PAGE, a.pat, a.seed, i, 0);
	EXPECT_EQ(0, bad);
	sa_area_unmap(&b);
	EXPECT_EQ(0, sa_swapoff_child(dev, LIMIT));
	for (i = 0; i < n && bad < 4; i += 2)
		bad += !!sa_check(a.p + i * SA_PAGE, a.pat, a.seed, i, 0);
	EXPECT_EQ(0, bad);
}

/* --- what the counters say ----------------------------------------------- */

/* What a tier has of segments */
struct has {
	long long segments, live, dead, bad;
};

static void has(struct has *h, const char *dev)
{
	h->segments = sa_tier_num(dev, "stats/segments");
	h->live = sa_tier_num(dev, "stats/live_bytes");
	h->dead = sa_tier_num(dev, "stats/dead_bytes");
	h->bad = sa_tier_num(dev, "stats/bad");
}

/* As the device counts what is written to it, to 5 % */
static void check_sectors(struct __test_metadata *_metadata, const struct sa_seen *s,
			  const char *when)
{
	long long bytes = s->io.write_sectors * 512;

	TH_LOG("%s: %lld bytes written, %lld by the device's own count", when, s->written,
	       bytes);
	EXPECT_LT(0, s->written);
	if (!s->io.writes)
		return;
	EXPECT_LE(bytes / 20 * 19, s->written);
	EXPECT_GE(bytes / 20 * 21, s->written);
}

/* Until nothing is collected any more */
static bool comes_to_rest(const char *dev)
{
	double end = sa_now() + 20;
	long long was;

	do {
		was = sa_tier_num(dev, "stats/collected");
		usleep(500000);
	} while (was != sa_tier_num(dev, "stats/collected") && sa_now() < end);
	return was == sa_tier_num(dev, "stats/collected");
}

/* Pages are replaced until segments are collected, each of which is told once. */
static void count_collected(struct __test_metadata *_metadata, struct sa_set *set,
			    double mean)
{
	const char *dev = sa_dev(0);
	long long told = 0, moved = 0, whole = 0, from = sa_tier_num(dev, "stats/collected");
	long long size = sa_cluster() * SA_PAGE, made;
	double end = sa_now() + LIMIT;
	struct has was, now;
	struct sa_event *events;
	struct sa_seen s;
	long nr, i;

	ASSERT_EQ(0, sa_trace_start());
	sa_see(&s, dev);
	has(&was, dev);
	while (!set->bad && sa_now() < end && sa_tier_num(dev, "stats/collected") < from + 16)
		sa_set_rewrite(set, 256);
	ASSERT_TRUE(sa_settle());
	ASSERT_TRUE(comes_to_rest(dev));
	sa_since(&s, dev);
	has(&now, dev);
	nr = sa_trace_stop(&events);
	ASSERT_LT(0, nr);
	for (i = 0; i < nr; i++) {
		if (events[i].kind != SA_COLLECT)
			continue;
		told++;
		whole += !events[i].left;
		moved += events[i].live - events[i].left;
		EXPECT_LE(events[i].left, events[i].live);
		EXPECT_GE(size, events[i].live);
		/* The first cluster has the header of the device. */
		EXPECT_LT(0, events[i].slot);
		EXPECT_GT(sa_dev_pages(0) / sa_cluster(), events[i].slot);
	}
	free(events);
	TH_LOG("%lld segments collected, %lld told, %lld whole ones", s.collected, told, whole);
	TH_LOG("%lld pages stored, %lld bytes moved, %lld written in %lld writes", s.store,
	       moved, s.written, s.io.writes);
	EXPECT_LE(16, s.collected);
	EXPECT_EQ(s.collected, told);
	/* Few have an object that could not be moved just then. */
	EXPECT_LE(told / 4 * 3, whole);
	EXPECT_EQ(0, set->bad);
	EXPECT_EQ(0, set->missed);

	/* What was stored and what was moved; and all of that is there, or was made free. */
	EXPECT_LE((s.store * mean + moved * 0.9) * 0.97, s.written);
	made = s.written - (now.live + now.dead - was.live - was.dead);
	EXPECT_EQ(0, made % size);
	EXPECT_LE(whole, made / size);
	EXPECT_GE(told + 2, made / size);
	check_sectors(_metadata, &s, "collected");
	/* It has not left the device, nor come to it. */
	EXPECT_EQ(s.store, s.pswpout);
	EXPECT_EQ(0, s.moved_in);
	EXPECT_EQ(0, s.moved_out);
	EXPECT_EQ(0, s.errors);
}

/* A device that is filled, loses half of it, is collected, and filled to its end */
TEST_F_TIMEOUT(packed, counters, SA_TIMEOUT)
{
	size_t cluster = sa_cluster(), dev_pages = 24 * cluster, n = 20 * cluster, i;
	long long size = cluster * SA_PAGE;
	const char *dev = sa_dev(0);
	struct has full, half;
	struct sa_set set;
	struct sa_area b;
	double length;
	struct sa_seen s;

	ASSERT_EQ(0, sa_swapon_packed(dev, dev_pages, -1));
	ASSERT_EQ(0, set_make(&set, n));
	length = stored_length(_metadata, &set.a);
	if (!length)
		SKIP(return, "no zswap to compare with");
	EXPECT_EQ(0, sa_area_check(&set.a));
	ASSERT_EQ(0, sa_zswap(false));
	has(&full, dev);
	EXPECT_EQ(0, full.segments + full.live + full.dead + full.bad);

	sa_see(&s, dev);
	ASSERT_EQ(n, sa_pageout(set.a.p, n));
	ASSERT_TRUE(sa_settle());
	EXPECT_TRUE(sa_only_swapped());
	sa_since(&s, dev);
	has(&full, dev);
	TH_LOG("%zu pages of %.0f bytes: %lld bytes live, %lld dead, in %lld segments", n,
	       length, full.live, full.dead, full.segments);
	check_sectors(_metadata, &s, "filled");
	/* Before each lies a header of 16 bytes, behind it up to 15 bytes. */
	EXPECT_LE(n * (length + 16), full.live);
	EXPECT_GE(n * (length + 31), full.live);
	/* What else was written is dead already, and nothing was written twice. */
	EXPECT_EQ(s.written, full.live + full.dead);
	EXPECT_EQ((s.written + size - 1) / size, full.segments);
	EXPECT_EQ(0, s.collected + s.refused + full.bad);
	/* It is so after it was read, and when clean pages go out again. */
	EXPECT_EQ(0, sa_set_check(&set));
	ASSERT_EQ(n, sa_pageout(set.a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	has(&half, dev);
	EXPECT_EQ(full.live, half.live);
	EXPECT_EQ(full.dead, half.dead);

	/* Each second page dies, in all segments alike, so none of them gets empty. */
	for (i = 1; i < n; i += 2)
		madvise(set.a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	has(&half, dev);
	TH_LOG("half of them: %lld bytes live, %lld dead, in %lld segments", half.live,
	       half.dead, half.segments);
	EXPECT_EQ(full.live + full.dead, half.live + half.dead);
	EXPECT_LE(full.live / 100 * 48, half.live);
	EXPECT_GE(full.live / 100 * 52, half.live);
	EXPECT_EQ(full.segments, half.segments);
	EXPECT_EQ(0, sa_tier_num(dev, "stats/collected"));
	EXPECT_EQ(0, sa_tier_num(dev, "stats/refused"));

	for (i = 1; i < n; i += 2)
		sa_fill(set.a.p + i * SA_PAGE, set.a.pat, set.a.seed, i, ++set.gens[i]);
	ASSERT_EQ(n, sa_pageout(set.a.p, n));
	count_collected(_metadata, &set, (double)full.live / n);
	/* The same pages as at the beginning, as long as then */
	EXPECT_TRUE(sa_only_swapped());
	has(&half, dev);
	EXPECT_LE(full.live / 100 * 99, half.live);
	EXPECT_GE(full.live / 100 * 101, half.live);
	EXPECT_GE((long long)dev_pages * (long long)SA_PAGE, half.live + half.dead);
	EXPECT_GE(24, half.segments);

	/* More than there is room for is refused. */
	ASSERT_EQ(0, sa_area_map(&b, 2 * dev_pages, SA_TEXT, 93));
	sa_area_fill(&b);
	sa_see(&s, dev);
	EXPECT_GT(b.n, sa_pageout(b.p, b.n));
	sa_since(&s, dev);
	has(&half, dev);
	TH_LOG("full: %lld bytes live, %lld dead, in %lld segments, %lld times refused",
	       half.live, half.dead, half.segments, s.refused);
	EXPECT_LT(0, s.refused);
	EXPECT_EQ(0, half.bad);
	EXPECT_EQ(0, sa_set_check(&set));
	EXPECT_EQ(0, sa_area_check(&b));

	sa_area_unmap(&set.a);
	sa_area_unmap(&b);
	EXPECT_TRUE(sa_wait_purged(({
		has(&half, dev);
		!(half.segments + half.live + half.dead);
	}), 20)) {
		TH_LOG("all freed: %lld bytes live, %lld dead, in %lld segments", half.live,
		       half.dead, half.segments);
	}
}

FIXTURE(writeback) { };

FIXTURE_VARIANT(writeback)
{
	const char *format;
};

FIXTURE_VARIANT_ADD(writeback, packed) { .format = "packed" };

FIXTURE_VARIANT_ADD(writeback, raw) { .format = "raw" };

FIXTURE_SETUP(writeback)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (!why && sa_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_write(SA_PAGE_CLUSTER, "0"));
}

FIXTURE_TEARDOWN_PARENT(writeback)
{
	EXPECT_EQ(0, sa_end());
}

/* What zswap writes is counted for the cgroup whose pages they are, whatever the format. */
TEST_F_TIMEOUT(writeback, by_cgroup, SA_TIMEOUT)
{
	static const size_t pages[] = { 3 * SA_MIB_PAGES, SA_MIB_PAGES + 7 };
	static const char * const names[] = { "one", "two" };
	struct sa_holder h[ARRAY_SIZE(pages)];
	long long sum = 0, out, back, in;
	const char *dev = sa_dev(0);
	char cg[2][256];
	struct sa_seen s;
	int i;

	ASSERT_EQ(0, sa_swapon(dev, 64 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_format(dev, variant->format));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_cg_make(names[i], 0, cg[i], sizeof(cg[i])));
		ASSERT_EQ(0, sa_hold_start(&h[i], pages[i], SA_TEXT, cg[i]));
		ASSERT_EQ(pages[i], h[i].swapped);
		EXPECT_EQ(0, sa_cg_key(cg[i], "memory.stat", "pswpout"));
		sum += pages[i];
	}
	ASSERT_EQ(sum * SA_PAGE, sa_tier_num(NULL, "stored"));
	sa_see(&s, dev);
	ASSERT_EQ(0, sa_zswap_drain(60));
	EXPECT_TRUE(sa_wait(sa_tier_num(dev, "stats/moved_in") - s.moved_in >= sum, 20));
	ASSERT_TRUE(sa_settle());
	sa_since(&s, dev);
	EXPECT_EQ(sum, s.moved_in);
	EXPECT_EQ(sum, s.zswpwb);
	/* What made zswap write went to the device by itself. */
	EXPECT_EQ(sum + s.store, s.pswpout);
	for (i = 0; i < 2; i++) {
		/* It is some time before the CPUs' counts are seen. */
		EXPECT_TRUE(sa_wait(({
			out = sa_cg_key(cg[i], "memory.stat", "pswpout");
			back = sa_cg_key(cg[i], "memory.stat", "zswpwb");
			out == (long long)pages[i] && back == (long long)pages[i];
		}), 10)) {
			TH_LOG("%s: pswpout %lld, zswpwb %lld, not %zu", names[i], out, back,
			       pages[i]);
		}
		/* None of them is in the swap cache still. */
		EXPECT_TRUE(sa_only_swapped());
		EXPECT_EQ(0, sa_hold_ask(&h[i], 'c'));
		EXPECT_TRUE(sa_wait(({
			in = sa_cg_key(cg[i], "memory.stat", "pswpin");
			in == (long long)pages[i];
		}), 10)) {
			TH_LOG("%s: pswpin %lld, not %zu", names[i], in, pages[i]);
		}
		EXPECT_EQ(0, sa_hold_end(&h[i]));
	}
}

/* --- movers yield ------------------------------------------------------ */

FIXTURE(yields) { };

FIXTURE_VARIANT(yields)
{
	const char *from, *to;
};

FIXTURE_VARIANT_ADD(yields, packed_to_packed) { .from = "packed", .to = "packed" };

FIXTURE_VARIANT_ADD(yields, raw_to_raw) { .from = "raw", .to = "raw" };

FIXTURE_SETUP(yields)
{
	const char *why = sa_begin(true, SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(yields)
{
	EXPECT_EQ(0, sa_end());
}

/* What reclaim writes has its priority; what sinks behind it is written at idle priority. */
TEST_F_TIMEOUT(yields, demotion, SA_TIMEOUT)
{
	size_t pages = 32 * sa_cluster(), n = pages / 2;
	long nr, idle, nr_below, idle_below;
	struct sa_area a;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), pages, 5));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), pages, 0));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "format", variant->from));
	ASSERT_EQ(0, sa_tier_write(sa_dev(1), "format", variant->to));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 1));
	sa_area_fill(&a);
	if (sa_writes_start())
		SKIP(return, "no block_rq_issue to trace");
	ASSERT_EQ(n, sa_pageout(a.p, n));
	ASSERT_TRUE(sa_settle());
	ASSERT_EQ(0, sa_tier_num(sa_dev(1), "stored"));
	/* Nearly all of it sinks. */
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "low_watermark", "1"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "high_watermark", "2"));
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(sa_dev(1), "stored") >=
				   (long long)(n / 2 * SA_PAGE), 30));
	ASSERT_TRUE(sa_settle());
	ASSERT_EQ(0, sa_writes_stop(sa_dev(0), &nr, &idle));
	ASSERT_EQ(0, sa_writes_stop(sa_dev(1), &nr_below, &idle_below));
	TH_LOG("%ld of %ld writes were idle above, %ld of %ld below", idle, nr, idle_below,
	       nr_below);
	EXPECT_LT(0, nr);
	EXPECT_EQ(0, idle);
	EXPECT_LT(0, nr_below);
	EXPECT_EQ(nr_below, idle_below);
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
}

/* --- swapoff ----------------------------------------------------------- */

FIXTURE(empty) { };

enum where { ZSWAP, PACKED, RAW, MEMORY };

FIXTURE_VARIANT(empty)
{
	enum where where;
};

FIXTURE_VARIANT_ADD(empty, into_zswap) { .where = ZSWAP };

FIXTURE_VARIANT_ADD(empty, into_packed) { .where = PACKED };

FIXTURE_VARIANT_ADD(empty, into_raw) { .where = RAW };

FIXTURE_VARIANT_ADD(empty, into_ram) { .where = MEMORY };

FIXTURE_SETUP(empty)
{
	const char *why = sa_begin(true, SA_NEED_DEVS);

	signal(SIGPIPE, SIG_IGN);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(empty)
{
	EXPECT_EQ(0, sa_end());
}

/* Pages for half of a device of so many */
static size_t half_of(size_t dev_pages)
{
	return dev_pages * 11 / 10;
}

#define EMPTY_DEV	((sa_full() ? 64 : 24) * sa_cluster())

TEST_F_TIMEOUT(empty, half_full, SA_TIMEOUT)
{
	size_t n = half_of(EMPTY_DEV), i, moved = 0;
	const char *to = variant->where == ZSWAP ? NULL : sa_dev(1);
	__u64 *was, *is;
	struct sa_area a;
	struct sa_seen s;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), EMPTY_DEV, 5));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 86));
	sa_area_fill(&a);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dev(0), "stored"));
	was = calloc(n, sizeof(*was));
	is = calloc(n, sizeof(*is));
	ASSERT_NE(NULL, was);
	ASSERT_NE(NULL, is);
	ASSERT_EQ(0, sa_pagemap(a.p, n, was));
	if (variant->where == PACKED)
		ASSERT_EQ(0, sa_swapon_packed(to, EMPTY_DEV, 3));
	if (variant->where == RAW) {
		ASSERT_EQ(0, sa_swapon(to, n + 2 * sa_cluster(), 3));
		ASSERT_EQ(0, sa_format(to, "raw"));
	}
	if (variant->where == ZSWAP && sa_zswap(true))
		SKIP(return, "no zswap");

	sa_see(&s, to ? to : sa_dev(0));
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(variant->where == PACKED || variant->where == RAW, sa_nswaps());
	ASSERT_TRUE(sa_settle());
	/* No page table knows. */
	ASSERT_EQ(0, sa_pagemap(a.p, n, is));
	for (i = 0; i < n; i++)
		moved += was[i] != is[i];
	EXPECT_EQ(0, moved);
	if (variant->where != MEMORY) {
		EXPECT_TRUE(sa_wait_purged(sa_tier_num(to, "stored") ==
					   (long long)(n * SA_PAGE), 20)) {
			TH_LOG("%lld of %lu bytes are there", sa_tier_num(to, "stored"),
			       n * SA_PAGE);
		}
		TH_LOG("%zu pages take %lld bytes there", n, sa_tier_num(to, "used"));
	}
	if (variant->where == PACKED) {
		EXPECT_LE(sa_tier_num(to, "used"),
			  (n / 2 + 2 * sa_cluster()) * SA_PAGE);
		if (have_metadata())
			EXPECT_EQ(n, metadata("packed_pages"));
	}
	if (variant->where == RAW)
		EXPECT_EQ(n * SA_PAGE, sa_tier_num(to, "used"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	if (variant->where == PACKED || variant->where == RAW)
		EXPECT_EQ(0, sa_swapoff_child(to, LIMIT));
	EXPECT_EQ(0, sa_nswaps());
}

FIXTURE(stay) { };

FIXTURE_SETUP(stay)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	signal(SIGPIPE, SIG_IGN);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(stay)
{
	EXPECT_EQ(0, sa_end());
}

/* Nowhere to go: ENOMEM, the device goes on as it was, nothing is lost. */
TEST_F_TIMEOUT(stay, no_room, SA_TIMEOUT)
{
	size_t n = half_of(EMPTY_DEV);
	struct sa_holder h;
	char cg[256], state[64];
	struct sa_seen s;
	int i;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), EMPTY_DEV, 5));
	ASSERT_EQ(0, sa_cg_make("hold", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_TEXT, cg));
	EXPECT_EQ(n, h.swapped);
	EXPECT_TRUE(sa_only_swapped());
	ASSERT_EQ(0, sa_cg_write_num(cg, "memory.max", n / 2 * SA_PAGE + 3 * SA_MIB));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOMEM, sa_swapoff_child(sa_dev(0), LIMIT));
		EXPECT_EQ(1, sa_nswaps());
		ASSERT_EQ(0, sa_tier_str(sa_dev(0), "state", state, sizeof(state)));
		EXPECT_STREQ("online", state);
		EXPECT_FORMAT("packed", sa_dev(0));
		EXPECT_EQ(0, sa_violations());
		EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
		EXPECT_EQ(n, sa_hold_ask(&h, 's'));
	}
	/* It still takes what is written, packed. */
	ASSERT_EQ(0, sa_cg_write(cg, "memory.max", "max"));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	sa_see(&s, sa_dev(0));
	EXPECT_EQ(n, sa_hold_ask(&h, 'p'));
	EXPECT_TRUE(sa_only_swapped());
	sa_since(&s, sa_dev(0));
	EXPECT_LT(0, s.store);
	if (have_metadata()) {
		/* And what else was idle. */
		EXPECT_LE(n, metadata("packed_pages"));
		EXPECT_GE(n + 64, metadata("packed_pages"));
		EXPECT_EQ(0, metadata("raw_pages"));
	}
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
}

TEST_F_TIMEOUT(stay, interrupted, SA_TIMEOUT)
{
	size_t n = half_of(EMPTY_DEV);
	int usec, ret = 0, eintr = 0;
	struct sa_holder h;
	struct sa_seen s;

	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), EMPTY_DEV, 5));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_TEXT, NULL));
	EXPECT_EQ(n, h.swapped);
	for (usec = 500; usec < 20000; usec += 500) {
		ret = sa_swapoff_signalled(sa_dev(0), usec, LIMIT);
		if (!ret)
			break;
		ASSERT_EQ(-EINTR, ret);
		eintr++;
		EXPECT_FORMAT("packed", sa_dev(0));
		EXPECT_EQ(0, sa_violations());
		if (eintr == 3) {
			EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
			sa_see(&s, sa_dev(0));
			EXPECT_EQ(n, sa_hold_ask(&h, 'p'));
			sa_since(&s, sa_dev(0));
			EXPECT_LT(0, s.store);
		}
	}
	TH_LOG("interrupted %d times", eintr);
	EXPECT_LT(0, eintr);
	if (sa_nswaps())
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
}

/* --- metadata ---------------------------------------------------------- */

/*
 * At most 18.2 bytes a page in clusters of 512 slots. What belongs to a cluster,
 * virtual or segment, is shared by half as many pages where those are of 256.
 */
TEST_F_TIMEOUT(packed, metadata_bytes, SA_TIMEOUT)
{
	size_t n = (sa_full() ? 128 : 64) * SA_MIB_PAGES;
	long long pages, slot, segment, slots, size;
	double filled, limit;
	struct sa_area a;

	if (!have_metadata())
		SKIP(return, "no " SA_DEBUG "/metadata");
	if (sa_meminfo("MemAvailable") < (long long)(2 * n * SA_PAGE))
		SKIP(return, "too little memory");
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), n, -1));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 87));
	sa_area_fill(&a);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	pages = metadata("packed_pages");
	EXPECT_EQ(n, pages);
	segment = metadata("segment_bytes");
	slot = metadata("table_bytes") + metadata("descriptor_bytes") +
		metadata("memcg_bytes") + metadata("cluster_bytes");
	slots = metadata("table_bytes") / 8;
	size = metadata("cluster_info_size");
	filled = (double)slot / slots + (double)segment / pages;
	TH_LOG("%lld pages: %lld bytes for slots, %lld for segments, %.2f a page", pages, slot,
	       segment, (double)(slot + segment) / pages);
	TH_LOG("%.2f bytes a page in filled clusters of %zu slots", filled, sa_cluster());
	/* The clusters are full enough for the one figure to mean the other. */
	EXPECT_LE(slots * 9, pages * 10);
	/* Lock debugging makes a cluster_info larger. */
	/* 18.2 is the goal, missed by 0.05 with what compresses 2:1. */
	limit = 18.3 + 2.0 * (size - 56) / sa_cluster();
	if (sa_cluster() == 256)
		limit += 0.25;
	EXPECT_LE(filled, limit);
	EXPECT_LE(pages * 16, slot);
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dev(0), "used"), 20));
}

/* --- large folios ------------------------------------------------------ */

#define THP	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB"

TEST_F_TIMEOUT(packed, large, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES, per = 16, i, out;
	long long whole, fallback, given;
	const char *dev = sa_dev(0);
	char old[256], *from;
	struct sa_area a;
	struct sa_seen s;

	if (sa_read(THP "/enabled", old, sizeof(old)) < 0)
		SKIP(return, "no folios of 64 kB");
	from = strchr(old, '[');
	if (from) {
		memmove(old, from + 1, strlen(from));
		old[strcspn(old, "]")] = 0;
	}
	ASSERT_EQ(0, sa_swapon_packed(dev, 64 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_write(THP "/enabled", "always"));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 88));
	madvise(a.p, n * SA_PAGE, MADV_HUGEPAGE);
	given = sa_read_num(THP "/stats/anon_fault_alloc");
	sa_area_fill(&a);
	given = sa_read_num(THP "/stats/anon_fault_alloc") - given;
	sa_write(THP "/enabled", old);
	if (given < (long long)(n / per / 2))
		SKIP(return, "the kernel gave %lld such folios", given);

	whole = sa_read_num(THP "/stats/swpout");
	fallback = sa_read_num(THP "/stats/swpout_fallback");
	sa_see(&s, dev);
	out = sa_pageout(a.p, n);
	EXPECT_EQ(n, out);
	ASSERT_TRUE(sa_settle());
	sa_since(&s, dev);
	whole = sa_read_num(THP "/stats/swpout") - whole;
	fallback = sa_read_num(THP "/stats/swpout_fallback") - fallback;
	TH_LOG("%lld of %lld folios went out whole, %lld did not, %lld pages stored", whole,
	       given, fallback, s.store);
	EXPECT_EQ(given, whole);
	EXPECT_EQ(0, fallback);
	EXPECT_EQ(n, s.store);
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(dev, "stored"));
	EXPECT_LE(sa_tier_num(dev, "used"), (n / 2 + sa_cluster()) * SA_PAGE);
	if (have_metadata())
		EXPECT_EQ(n, metadata("packed_pages"));

	/* The middle of every second one goes, some of the others change. */
	for (i = 0; i + per <= n; i += 2 * per)
		ASSERT_EQ(0, munmap(a.p + (i + 4) * SA_PAGE, 8 * SA_PAGE));
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(dev, "stored") ==
				   (long long)((n - n / 4) * SA_PAGE), 10)) {
		TH_LOG("%lld bytes stored", sa_tier_num(dev, "stored"));
	}
	for (i = per; i < n; i += 2 * per)
		sa_fill(a.p + (i + 3) * SA_PAGE, a.pat, a.seed, i + 3, 1);
	EXPECT_TRUE(sa_wait_purged(sa_swap_cached() <= (long long)(n / 8 * SA_PAGE), 20));
	for (i = 0; i < n; i++) {
		size_t in = i % (2 * per);

		if (in >= 4 && in < 12)
			continue;
		ASSERT_EQ(0, sa_check(a.p + i * SA_PAGE, a.pat, a.seed, i, in == per + 3));
	}
	EXPECT_EQ(0, sa_violations());
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(dev, "used"), 10));
}

TEST_HARNESS_MAIN
