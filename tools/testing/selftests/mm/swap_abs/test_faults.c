// SPDX-License-Identifier: GPL-2.0
/*
 * These tests break things under the layer: devices fail when they are written
 * or read, and copies of pages die while a mover works on them. The first test
 * checks the tracepoints, which tell the place of each page, because the other
 * tests rely on them.
 *
 * The test fails on a kernel that lets go of a page whose write has failed, or
 * reads the old page from the device; that uses the bad slot again, or counts
 * it as free, or never gives it back; that calls a place or a device bad
 * because another part of the same folio could not be written; where one page
 * that can't be read takes others with it, is dropped, or stops swapoff; that
 * gives an object which a mover has pinned to another page; or whose
 * tracepoints tell of other pages than its counters.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define LIMIT	(SA_TIMEOUT / 3)

static long long tier_stat(const char *dev, const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "stats/%s", name);
	return sa_tier_num(dev, file);
}

/* Map an area, with pages of 2 MiB if @huge and if the kernel has them */
static int map_area(struct sa_area *a, size_t pages, enum sa_pat pat, __u64 seed,
		    bool huge)
{
	int ret = sa_area_map(a, pages, pat, seed);

	if (!ret && huge && madvise(a->p, pages * SA_PAGE, MADV_HUGEPAGE))
		ret = -errno;
	return ret;
}

/* --- tracepoints ---------------------------------------------------------- */

FIXTURE(traces)
{
};

FIXTURE_VARIANT(traces)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(traces, small) { .huge = false };

FIXTURE_VARIANT_ADD(traces, huge) { .huge = true };

FIXTURE_SETUP(traces)
{
	const char *why = sa_begin_backed(true, true);

	if (!why)
		why = sa_check_needs(SA_NEED_DEV);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
}

FIXTURE_TEARDOWN_PARENT(traces)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Send pages through zswap to the device and back, and read a part from each
 * tier
 */
TEST_F_TIMEOUT(traces, agree_with_counters, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES, i;
	struct sa_stats z, d;
	struct sa_event *ev;
	long long moved;
	struct sa_area a;
	__u64 entry;
	long nr, k;
	int seen;

	if (map_area(&a, n, SA_TEXT, 1, variant->huge))
		SKIP(return, "no transparent huge pages");
	sa_area_fill(&a);
	ASSERT_EQ(0, sa_trace_start());
	sa_stats_read(&z, NULL);
	sa_stats_read(&d, sa_dev(0));

	ASSERT_LE(n - 8, sa_pageout(a.p, n));
	for (i = 0; i < n / 2; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
	ASSERT_LE(n - 8, sa_pageout(a.p, n));
	ASSERT_EQ(0, sa_pagemap(a.p + 7 * SA_PAGE, 1, &entry));
	ASSERT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));

	sa_stats_delta(&z, NULL);
	sa_stats_delta(&d, sa_dev(0));
	nr = sa_trace_stop(&ev);
	ASSERT_LT(0, nr);
	moved = sa_trace_pages(ev, nr, SA_MOVE, "zswap", "raw");
	TH_LOG("%ld events: zswap %lld stored %lld loaded, device %lld and %lld, %lld moved",
	       nr, z.store, z.load, d.store, d.load, moved);

	EXPECT_LE((long long)n, z.store);
	EXPECT_LE((long long)n / 2, z.load);
	EXPECT_LE((long long)n - 8, d.load);
	EXPECT_LE((long long)n - 8, moved);
	EXPECT_EQ(z.store, sa_trace_pages(ev, nr, SA_STORE, "", "zswap"));
	EXPECT_EQ(d.store, sa_trace_pages(ev, nr, SA_STORE, "", "raw"));
	EXPECT_EQ(z.load, sa_trace_pages(ev, nr, SA_LOAD, "zswap", ""));
	EXPECT_EQ(d.load, sa_trace_pages(ev, nr, SA_LOAD, "raw", ""));
	EXPECT_EQ(z.moved_out, moved);
	EXPECT_EQ(d.moved_in, moved);
	EXPECT_EQ(z.zswpwb, moved);
	EXPECT_EQ(0, z.moved_in);
	EXPECT_EQ(0, d.moved_out);

	/* A page whose entry in the page table is a slot has moved once. */
	ASSERT_TRUE(entry & SA_PM_SWAP);
	for (k = 0, seen = 0; k < nr; k++)
		if (ev[k].kind == SA_MOVE && !ev[k].err &&
		    ev[k].slot == (entry & SA_PM_ENTRY) >> 5)
			seen++;
	EXPECT_EQ(1, seen);
	free(ev);
}

TEST_F_TIMEOUT(traces, swapoff, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES;
	struct sa_event *ev;
	struct sa_area a;
	long long out;
	long nr;

	ASSERT_EQ(0, sa_set_zswap(false));
	if (map_area(&a, n, SA_TEXT, 2, variant->huge))
		SKIP(return, "no transparent huge pages");
	sa_area_fill(&a);
	ASSERT_LE(n - 8, sa_pageout(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	out = sa_tier_num(sa_dev(0), "stored") / SA_PAGE;
	EXPECT_LE((long long)n - 8, out);
	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, sa_trace_start());
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	nr = sa_trace_stop(&ev);
	ASSERT_LT(0, nr);
	/* Reclaim may take a page again before the page has been moved. */
	EXPECT_LE(out, sa_trace_pages(ev, nr, SA_LOAD, "raw", ""));
	EXPECT_EQ(out, sa_trace_pages(ev, nr, SA_MOVE, "raw", "zswap"));
	EXPECT_EQ(out, sa_trace_pages(ev, nr, SA_STORE, "", "zswap"));
	EXPECT_EQ(0, sa_area_check(&a));
	free(ev);
}

/* --- write errors --------------------------------------------------------- */

/* The device has some clusters; the layer can't lend the first one. */
#define DM_PAGES	(24 * SA_MIB_PAGES)

/* Use a device as swap that can be made to fail */
static const char *begin_dm_test(bool on)
{
	const char *why = sa_begin(on, 0);

	if (!why)
		why = sa_dm_make(DM_PAGES);
	if (!why && sa_swapon(sa_dm(), 0, 9))
		why = "swapon failed";
	return why;
}

static int fail_all_writes(void)
{
	unsigned char faults[DM_PAGES];

	memset(faults, SA_WRITE_FAILS, sizeof(faults));
	return sa_dm_set(faults);
}

static long long dm_errors(void)
{
	return tier_stat(sa_dm(), "errors");
}

FIXTURE(write_errors)
{
	long long free;		/* with nothing swapped */
};

FIXTURE_VARIANT(write_errors)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(write_errors, small) { .huge = false };

FIXTURE_VARIANT_ADD(write_errors, huge) { .huge = true };

FIXTURE_SETUP(write_errors)
{
	const char *why = begin_dm_test(true);

	if (why)
		SKIP(return, "%s", why);
	self->free = sa_meminfo("SwapFree");
	/* In this device all errors look the same. */
	ASSERT_EQ(0, sa_write(SA_DEBUG "/medium_errors", "Y"));
	sa_log_expect("Write-error on swap-device");
}

FIXTURE_TEARDOWN_PARENT(write_errors)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/* Fill the device with pages that do not compress. Return how many went out. */
static size_t fill_dm_device(struct sa_area *a)
{
	if (sa_area_map(a, DM_PAGES, SA_RANDOM, 4))
		return 0;
	sa_area_fill(a);
	return sa_pageout(a->p, a->n);
}

static bool wait_all_free(long long bytes)
{
	bool ok = sa_wait_purged(sa_meminfo("SwapFree") == bytes, 20);

	if (!ok)
		sa_log("%lld bytes are free, not %lld; %lld slots, %lld of them reserved",
		       sa_meminfo("SwapFree"), bytes, sa_scan_num("slots"),
		       sa_scan_num("reserved"));
	return ok;
}

/*
 * Check that swapoff forgets the bad slots, so that all slots can be used again
 */
static void expect_dm_as_new(struct __test_metadata *_metadata, long long swap_free)
{
	struct sa_area a;

	ASSERT_EQ(0, sa_dm_set(NULL));
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	ASSERT_EQ(0, sa_swapon(sa_dm(), 0, 9));
	EXPECT_EQ(0, dm_errors());
	EXPECT_TRUE(wait_all_free(swap_free));
	EXPECT_EQ(swap_free, (long long)(fill_dm_device(&a) * SA_PAGE));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, dm_errors());
	sa_area_unmap(&a);
	EXPECT_TRUE(wait_all_free(swap_free));
}

/* Mark the slots of all stores; return how many were marked before */
static size_t mark_stored_slots(const struct sa_event *ev, long nr, unsigned char *marks)
{
	size_t again = 0, i;

	for (; nr > 0; nr--, ev++)
		for (i = 0; ev->kind == SA_STORE && i < ev->nr; i++)
			again += marks[ev->offset + i]++;
	return again;
}

TEST_F_TIMEOUT(write_errors, nothing_is_lost, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES, out, failed = 0, again;
	unsigned char bad[DM_PAGES] = { };
	struct sa_area old, a;
	struct sa_event *ev;
	long long loads;
	long nr;

	/*
	 * The data on the device is of another generation, which no page may
	 * show.
	 */
	EXPECT_EQ(self->free, (long long)(fill_dm_device(&old) * SA_PAGE));
	sa_area_unmap(&old);
	ASSERT_TRUE(wait_all_free(self->free));
	if (map_area(&a, n, SA_RANDOM, 4, variant->huge))
		SKIP(return, "no transparent huge pages");
	loads = tier_stat(sa_dm(), "load");

	ASSERT_EQ(0, fail_all_writes());
	ASSERT_EQ(0, sa_trace_start());
	for (a.gen = 1; a.gen <= 2; a.gen++) {
		sa_area_fill(&a);
		out = sa_pageout(a.p, n);
		EXPECT_LE(n - 8, out);
		failed += out;
		EXPECT_TRUE(sa_wait(dm_errors() >= (long long)failed, 20));
		EXPECT_EQ((long long)failed, dm_errors());
		EXPECT_EQ(0, sa_violations());
		EXPECT_EQ(0, sa_area_check(&a));
	}
	EXPECT_EQ(loads, tier_stat(sa_dm(), "load"));
	nr = sa_trace_stop(&ev);
	ASSERT_LT(0, nr);
	EXPECT_EQ((long long)failed, sa_trace_pages(ev, nr, SA_STORE, "", "raw"));
	/* Each slot must have failed only once. */
	EXPECT_EQ(0, mark_stored_slots(ev, nr, bad));
	free(ev);

	ASSERT_EQ(0, sa_dm_set(NULL));
	ASSERT_EQ(0, sa_trace_start());
	sa_area_fill(&a);
	EXPECT_LE(n - 8, sa_pageout(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	nr = sa_trace_stop(&ev);
	ASSERT_LT(0, nr);
	again = mark_stored_slots(ev, nr, bad);
	EXPECT_EQ(0, again) {
		TH_LOG("%zu bad slots were written to again", again);
	}
	free(ev);
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_LE(loads + (long long)n - 8, tier_stat(sa_dm(), "load"));
	EXPECT_EQ((long long)failed, dm_errors());
	EXPECT_EQ(0, sa_violations());

	/* A bad slot is no capacity. */
	sa_area_unmap(&a);
	EXPECT_TRUE(wait_all_free(self->free - failed * SA_PAGE));
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stored"));
	EXPECT_EQ(0, sa_violations());
	expect_dm_as_new(_metadata, self->free);
}

/*
 * An error that is not a medium error must cost nothing once its cause is gone
 */
TEST_F_TIMEOUT(write_errors, pass_by, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES;
	struct sa_area a;

	ASSERT_EQ(0, sa_write(SA_DEBUG "/medium_errors", "N"));
	if (map_area(&a, n, SA_RANDOM, 4, variant->huge))
		SKIP(return, "no transparent huge pages");
	ASSERT_EQ(0, fail_all_writes());
	for (a.gen = 1; a.gen <= 2; a.gen++) {
		sa_area_fill(&a);
		EXPECT_LE(n - 8, sa_pageout(a.p, n));
		EXPECT_TRUE(sa_wait(dm_errors() >= (long long)(a.gen * (n - 8)), 20));
		EXPECT_EQ(0, sa_area_check(&a));
	}
	a.gen = 2;
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stats/bad"));
	ASSERT_EQ(0, sa_dm_set(NULL));
	EXPECT_LE(n - 8, sa_pageout(a.p, n));
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_TRUE(wait_all_free(self->free));
	EXPECT_EQ(0, sa_violations());
}

/*
 * A part of the device is bad for ever. A write there must fail once, and the
 * page must stay in RAM if the device has no other place for it.
 */
#define BIO_PAGES	32	/* pages of one bio, which fail together */

TEST_F_TIMEOUT(write_errors, a_bad_range, SA_TIMEOUT)
{
	size_t out, first = 3 * SA_CLUSTER + 100, n = 64;
	unsigned char faults[DM_PAGES] = { };
	struct sa_area a;
	long long bad = 0;

	memset(faults + first, SA_FAILS, n);
	ASSERT_EQ(0, sa_dm_set(faults));
	if (map_area(&a, DM_PAGES, SA_RANDOM, 5, variant->huge))
		SKIP(return, "no transparent huge pages");
	for (; a.gen < 3; a.gen++) {
		sa_area_fill(&a);
		out = sa_pageout(a.p, a.n);
		EXPECT_TRUE(sa_wait(dm_errors() >= (long long)n, 20));
		EXPECT_EQ(0, sa_violations());
		EXPECT_EQ(0, sa_area_check(&a));
		/* The first round writes all of the promised space. */
		if (!a.gen) {
			EXPECT_EQ(self->free, (long long)(out * SA_PAGE));
			bad = dm_errors();
		}
		if (!variant->huge)
			EXPECT_EQ(bad, dm_errors());
	}
	TH_LOG("%lld slots are bad", dm_errors());
	EXPECT_LE((long long)n, bad);
	if (!variant->huge)
		EXPECT_GE((long long)(n + 2 * BIO_PAGES), bad);
	bad = dm_errors();
	sa_area_unmap(&a);
	EXPECT_TRUE(wait_all_free(self->free - bad * SA_PAGE));
	EXPECT_EQ(0, sa_violations());
	expect_dm_as_new(_metadata, self->free);
}

/* No slot of the first device works, so all pages must end on the second one */
TEST_F_TIMEOUT(write_errors, to_another_device, SA_TIMEOUT)
{
	const char *why;
	size_t n = 4 * SA_MIB_PAGES, out;
	long long left, bad;
	struct sa_area a;

	why = sa_check_needs(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon(sa_dev(1), 64 * SA_MIB_PAGES, 3));
	left = sa_meminfo("SwapFree") - self->free;
	if (map_area(&a, n, SA_RANDOM, 6, variant->huge))
		SKIP(return, "no transparent huge pages");
	ASSERT_EQ(0, fail_all_writes());
	sa_area_fill(&a);
	out = sa_pageout(a.p, n);
	EXPECT_LE(n - 8, out);
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(sa_dev(1), "stored") ==
				   (long long)(out * SA_PAGE), 60)) {
		TH_LOG("of %zu pages %lld are on the second device, %lld errors", out,
		       sa_tier_num(sa_dev(1), "stored") / (long long)SA_PAGE, dm_errors());
	}
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stored"));
	/*
	 * How many slots are bad depends on time, because stores prefer the
	 * second device for half a second after errors.
	 */
	bad = dm_errors() * (long long)SA_PAGE;
	EXPECT_LT(0, bad);
	EXPECT_GE(self->free, bad);
	EXPECT_TRUE(wait_all_free(left - out * SA_PAGE + self->free - bad));
	EXPECT_EQ(0, sa_violations());
	EXPECT_TRUE(sa_only_swapped());
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_area_check(&a));
}

/* swapoff must work while the swap cache has pages that could not be written */
TEST_F_TIMEOUT(write_errors, swapoff, SA_TIMEOUT)
{
	size_t n = 4 * SA_MIB_PAGES, i;
	struct sa_area a;

	if (map_area(&a, n, SA_RANDOM, 7, variant->huge))
		SKIP(return, "no transparent huge pages");
	ASSERT_EQ(0, fail_all_writes());
	sa_area_fill(&a);
	EXPECT_LE(n - 8, sa_pageout(a.p, n));
	/* The test maps some of the pages again. */
	for (i = 0; i < n / 2; i++)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(0, sa_scan_num("lost"));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	ASSERT_EQ(0, sa_dm_set(NULL));
	ASSERT_EQ(0, sa_swapon(sa_dm(), 0, 9));
	expect_dm_as_new(_metadata, self->free);
}

/*
 * zswap gives its object up when the write begins, and the write fails after
 * that
 */
TEST_F_TIMEOUT(write_errors, zswap_writeback, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES, out;
	long long loads = tier_stat(sa_dm(), "load");
	struct sa_area a;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	if (map_area(&a, n, SA_TEXT, 8, variant->huge))
		SKIP(return, "no transparent huge pages");
	sa_area_fill(&a);
	out = sa_pageout(a.p, n);
	EXPECT_LE(n - 8, out);
	EXPECT_EQ(0, dm_errors());
	ASSERT_EQ(0, fail_all_writes());
	EXPECT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_LE((long long)out, tier_stat(sa_dm(), "moved_in"));
	EXPECT_TRUE(sa_wait(dm_errors() >= (long long)out, 20));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(loads, tier_stat(sa_dm(), "load"));

	ASSERT_EQ(0, sa_dm_set(NULL));
	a.gen++;
	sa_area_fill(&a);
	EXPECT_LE(n - 8, sa_pageout(a.p, n));
	EXPECT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_LT(loads, tier_stat(sa_dm(), "load"));
	sa_area_unmap(&a);
	EXPECT_TRUE(wait_all_free(self->free - dm_errors() * (long long)SA_PAGE));
	ASSERT_EQ(0, sa_set_zswap(false));
	expect_dm_as_new(_metadata, self->free);
}

/* --- read errors ---------------------------------------------------------- */

#define NR_READ		(4 * SA_MIB_PAGES)
#define VICTIMS		8

FIXTURE(read_errors)
{
	struct sa_area a;
	long offset[NR_READ];	/* of each page on the device, -1: nowhere */
	unsigned int type;	/* of the device */
	unsigned char faults[DM_PAGES];
};

FIXTURE_VARIANT(read_errors)
{
	bool on;
};

FIXTURE_VARIANT_ADD(read_errors, off) { .on = false };

FIXTURE_VARIANT_ADD(read_errors, on) { .on = true };

/*
 * Return the number of a page that fails: single pages, and one with its
 * neighbour
 */
static size_t victim_page(int i)
{
	return i ? 37 + i / 2 * 211 + i % 2 : 3;
}

static bool is_victim_page(size_t page)
{
	int i;

	for (i = 0; i < VICTIMS; i++)
		if (victim_page(i) == page)
			return true;
	return false;
}

/* Return the last store of a slot, or NULL if there is none */
static const struct sa_event *find_last_store(const struct sa_event *ev, long nr,
					      unsigned long slot)
{
	while (nr-- > 0)
		if (ev[nr].kind == SA_STORE && ev[nr].slot == slot)
			return ev + nr;
	return NULL;
}

FIXTURE_SETUP(read_errors)
{
	const char *why = begin_dm_test(variant->on);
	const struct sa_event *store;
	struct sa_event *ev = NULL;
	__u64 map[NR_READ];
	long nr = 0;
	size_t i;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_area_map(&self->a, NR_READ, SA_RANDOM, 9));
	sa_area_fill(&self->a);
	if (variant->on)
		ASSERT_EQ(0, sa_trace_start());
	ASSERT_TRUE(sa_wait(sa_pageout(self->a.p, NR_READ) == NR_READ, 20));
	EXPECT_TRUE(sa_only_swapped());
	if (variant->on) {
		nr = sa_trace_stop(&ev);
		ASSERT_LE(NR_READ, nr);
	}
	/* Without the layer the page table tells the place. */
	ASSERT_EQ(0, sa_pagemap(self->a.p, NR_READ, map));
	for (i = 0; i < NR_READ; i++) {
		map[i] &= SA_PM_ENTRY;
		if (!variant->on) {
			self->type = map[i] & 31;
			self->offset[i] = map[i] >> 5;
			continue;
		}
		store = find_last_store(ev, nr, map[i] >> 5);
		ASSERT_NE(NULL, store);
		self->type = store->type;
		self->offset[i] = store->offset;
	}
	free(ev);
	for (i = 0; i < VICTIMS; i++)
		self->faults[self->offset[victim_page(i)]] = SA_FAILS;
	/* User Mode Linux logs each SIGBUS as a segfault. */
	sa_log_expect("Read-error on swap-device|swap: a page is lost|test_faults.*segfault");
}

FIXTURE_TEARDOWN_PARENT(read_errors)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * Count the pages that are not as they should be: @bus tells for which pages a
 * read must raise SIGBUS; the others must be right
 */
static size_t count_wrong_pages(const struct sa_area *a, bool (*bus)(size_t page))
{
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i++) {
		void *p = a->p + i * SA_PAGE;

		if (sa_raises_sigbus(p) != bus(i)) {
			sa_log("page %zu: %sSIGBUS", i, bus(i) ? "no " : "");
			bad++;
		} else if (!bus(i)) {
			bad += !!sa_check_page(p, a->pat, a->seed, i, a->gen);
		}
	}
	return bad;
}

TEST_F_TIMEOUT(read_errors, one_page_alone, SA_TIMEOUT)
{
	void *p;
	int i;

	ASSERT_EQ(0, sa_dm_set(self->faults));
	for (i = 0; i < VICTIMS; i++)
		EXPECT_TRUE(sa_raises_sigbus(self->a.p + victim_page(i) * SA_PAGE));
	if (variant->on) {
		/* 7.3 fails the neighbours of such a page, too, for a while. */
		EXPECT_EQ(0, count_wrong_pages(&self->a, is_victim_page));
		EXPECT_EQ(0, count_wrong_pages(&self->a, is_victim_page));
		EXPECT_LE(VICTIMS, dm_errors());
		EXPECT_EQ(0, sa_scan_num("lost"));
		EXPECT_EQ(0, sa_violations());
	}
	/*
	 * The kernel must not have dropped the pages, because they can be read
	 * again.
	 */
	ASSERT_EQ(0, sa_dm_set(NULL));
	for (i = 0; i < VICTIMS; i++) {
		p = self->a.p + victim_page(i) * SA_PAGE;
		EXPECT_TRUE(sa_wait_purged(!sa_raises_sigbus(p), 20));
	}
	EXPECT_EQ(0, sa_area_check(&self->a));
}

/*
 * Tell whether a page is lost. The first victim was read before, so it stays in
 * RAM.
 */
static bool is_lost_page(size_t page)
{
	return is_victim_page(page) && page != victim_page(0);
}

TEST_F_TIMEOUT(read_errors, swapoff, SA_TIMEOUT)
{
	static char log[1 << 16];
	struct sa_area *a = &self->a;
	size_t i, lost;
	char line[128];
	int kmsg;
	pid_t pid;

	/*
	 * The neighbours are poisoned too; User Mode Linux dies of such a page.
	 */
	if (!variant->on)
		SKIP(return, "7.3 poisons the neighbours");
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, 0));
	ASSERT_EQ(0, sa_dm_set(self->faults));
	/* Some pages fail before swapoff reads them. */
	for (i = 1; i < VICTIMS; i += 2)
		EXPECT_TRUE(sa_raises_sigbus(a->p + victim_page(i) * SA_PAGE));
	kmsg = sa_log_open();
	ASSERT_LE(0, kmsg);
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(0, sa_log_close(kmsg, log, sizeof(log)));
	if (variant->on) {
		EXPECT_EQ(VICTIMS - 1, sa_scan_num("lost"));
		EXPECT_EQ(0, sa_violations());
		for (i = 0, lost = 0; i < a->n; i++) {
			snprintf(line, sizeof(line),
				 "swap: a page is lost, type %u offset %ld can't be read\n",
				 self->type, self->offset[i]);
			if (strstr(log, line))
				lost++;
			EXPECT_EQ(is_lost_page(i), !!strstr(log, line)) {
				TH_LOG("page %zu, offset %ld", i, self->offset[i]);
			}
		}
		EXPECT_EQ(VICTIMS - 1, lost);
	}
	/* A lost page stays lost, even if the device works again. */
	ASSERT_EQ(0, sa_dm_set(NULL));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, count_wrong_pages(a, is_lost_page));
		ASSERT_EQ(0, sa_swapon(sa_dm(), 0, 9));
		pid = sa_fork();
		if (!pid)
			_exit(!!count_wrong_pages(a, is_lost_page));
		EXPECT_EQ(0, sa_join(pid, LIMIT));
		/* All pages except the lost ones can go out once more. */
		sa_pageout(a->p, a->n);
		EXPECT_EQ(0, count_wrong_pages(a, is_lost_page));
		ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	}
	/* A process that overwrites a lost page has a good page again. */
	madvise(a->p, a->n * SA_PAGE, MADV_DONTNEED);
	if (variant->on)
		EXPECT_EQ(0, sa_scan_num("lost"));
	a->gen++;
	sa_area_fill(a);
	EXPECT_EQ(0, sa_area_check(a));
}

/*
 * Make shared memory in which VICTIMS pages can't be read from now on. Without
 * the layer the test does not know the place of a page.
 */
static void make_unreadable_shmem(struct __test_metadata *_metadata, unsigned char *faults,
				  int *fd, void **mapped, size_t n)
{
	unsigned char page[SA_PAGE];
	struct sa_event *ev;
	size_t i;
	long nr;

	*fd = memfd_create("swap_abs", MFD_CLOEXEC);
	ASSERT_LE(0, *fd);
	*mapped = mmap(NULL, n * SA_PAGE, PROT_READ, MAP_SHARED, *fd, 0);
	ASSERT_NE(MAP_FAILED, *mapped);
	for (i = 0; i < n; i++) {
		sa_fill_page(page, SA_RANDOM, 10, i, 0);
		ASSERT_EQ((ssize_t)SA_PAGE, pwrite(*fd, page, SA_PAGE, i * SA_PAGE));
		ASSERT_FALSE(sa_raises_sigbus(*mapped + i * SA_PAGE));
	}
	ASSERT_EQ(0, sa_trace_start());
	sa_pageout(*mapped, n);
	EXPECT_TRUE(sa_wait_purged(sa_tier_num(sa_dm(), "stored") ==
				   (long long)(n * SA_PAGE), 20));
	EXPECT_TRUE(sa_only_swapped());
	nr = sa_trace_stop(&ev);
	ASSERT_LE((long)n, nr);
	memset(faults, SA_WORKS, DM_PAGES);
	for (i = 0; i < VICTIMS; i++)
		faults[ev[nr - 1 - 11 * i].offset] = SA_FAILS;
	free(ev);
	ASSERT_EQ(0, sa_dm_set(faults));
}

/*
 * Count the pages that can't be read, by a fault or by read(); check the others
 */
static size_t count_unreadable_shmem(struct __test_metadata *_metadata, int fd,
				     void *mapped, size_t n)
{
	unsigned char page[SA_PAGE];
	size_t i, failed = 0;

	for (i = 0; i < n; i++) {
		if (i % 2 ? sa_raises_sigbus(mapped + i * SA_PAGE) :
			    pread(fd, page, SA_PAGE, i * SA_PAGE) < 0) {
			failed++;
			continue;
		}
		ASSERT_EQ((ssize_t)SA_PAGE, pread(fd, page, SA_PAGE, i * SA_PAGE));
		EXPECT_EQ(0, sa_check_page(page, SA_RANDOM, 10, i, 0));
	}
	return failed;
}

TEST_F_TIMEOUT(read_errors, shmem, SA_TIMEOUT)
{
	size_t n = SA_MIB_PAGES;
	void *mapped;
	int fd;

	if (!variant->on)
		SKIP(return, "this test needs the layer");
	sa_area_unmap(&self->a);
	EXPECT_TRUE(sa_only_swapped());
	make_unreadable_shmem(_metadata, self->faults, &fd, &mapped, n);
	EXPECT_EQ(VICTIMS, count_unreadable_shmem(_metadata, fd, mapped, n));
	EXPECT_EQ(VICTIMS, count_unreadable_shmem(_metadata, fd, mapped, n));
	EXPECT_EQ(0, sa_violations());
	close(fd);
}

TEST_F_TIMEOUT(read_errors, swapoff_shmem, SA_TIMEOUT)
{
	size_t n = SA_MIB_PAGES;
	void *mapped;
	int fd;

	if (!variant->on)
		SKIP(return, "this test needs the layer");
	sa_area_unmap(&self->a);
	EXPECT_TRUE(sa_only_swapped());
	make_unreadable_shmem(_metadata, self->faults, &fd, &mapped, n);
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(VICTIMS, sa_scan_num("lost"));
	EXPECT_EQ(0, sa_violations());
	ASSERT_EQ(0, sa_dm_set(NULL));
	EXPECT_EQ(VICTIMS, count_unreadable_shmem(_metadata, fd, mapped, n));
	close(fd);
}

/* --- large folios in many places ------------------------------------------ */

/*
 * Folios of 64 kB find no run of slots, because every other slot is taken. The
 * kernel writes their pages as several bios, and only some of the bios fail.
 */
#define LARGE		"/sys/kernel/mm/transparent_hugepage/hugepages-64kB"
#define LARGE_PAGES	16
#define SMALL_DEV	(DM_PAGES / 2)
/*
 * On one device, one of this number of pages fails: every 16th of the free
 * slots
 */
#define FAIL_EACH	32
/*
 * On two devices, the first one has this number of free slots, half of a folio
 */
#define FEW		(LARGE_PAGES / 2)

/* The choice that the parent process restores: the word in brackets */
static char large_was[16];

static void __attribute__((constructor)) save_thp(void)
{
	char text[128], *from, *to;

	if (sa_read(LARGE "/enabled", text, sizeof(text)) < 0)
		return;
	from = strchr(text, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return;
	*to = 0;
	snprintf(large_was, sizeof(large_was), "%.15s", from + 1);
}

FIXTURE(scattered)
{
	long long free;		/* with nothing swapped */
	unsigned char faults[SMALL_DEV];
	size_t nr_faults;
};

FIXTURE_VARIANT(scattered)
{
	bool two, last;
};

FIXTURE_VARIANT_ADD(scattered, one_device) { .two = false };

/* The failing device has the first pages of a folio, or the other pages. */
FIXTURE_VARIANT_ADD(scattered, first_fails) { .two = true };

FIXTURE_VARIANT_ADD(scattered, last_fails) { .two = true, .last = true };

FIXTURE_SETUP(scattered)
{
	const char *why = sa_begin(true, variant->two ? SA_NEED_DEVS : 0);

	if (!why && sa_write(LARGE "/enabled", "always"))
		why = "no folios of 64 kB";
	if (!why)
		why = sa_dm_make(SMALL_DEV);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon(sa_dm(), 0, variant->last ? 5 : 9));
	ASSERT_EQ(0, sa_set_format(sa_dm(), "raw"));
	/* The layer must not move pages from the device. */
	ASSERT_EQ(0, sa_set_watermarks(sa_dm(), 100, 100));
	if (variant->two) {
		ASSERT_EQ(0, sa_swapon(sa_dev(1), SMALL_DEV, 7));
		ASSERT_EQ(0, sa_set_format(sa_dev(1), "raw"));
		ASSERT_EQ(0, sa_set_watermarks(sa_dev(1), 100, 100));
	}
	self->free = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_write(SA_DEBUG "/medium_errors", "Y"));
	sa_log_expect("Write-error on swap-device");
}

FIXTURE_TEARDOWN_PARENT(scattered)
{
	if (large_was[0])
		sa_write(LARGE "/enabled", large_was);
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * Fill both devices, then free every other slot. If there are two devices, free
 * only FEW slots of the first one, so that a folio uses both. The first device
 * is the one with the first page. self->faults gets the slots of the failing
 * device that shall fail.
 */
static void make_gaps(struct __test_metadata *_metadata, struct sa_area *a, bool two,
		      unsigned char *faults, size_t *nr_faults)
{
	size_t n = sa_meminfo("SwapFree") / SA_PAGE, few = 0, given = 0, i;
	const struct sa_event *store;
	int first = 0;
	struct sa_event *ev;
	__u64 *map;
	long nr;

	ASSERT_EQ(0, sa_area_map(a, n, SA_RANDOM, 21));
	sa_area_fill(a);
	ASSERT_EQ(0, sa_trace_start());
	ASSERT_EQ(n, sa_pageout(a->p, n));
	EXPECT_TRUE(sa_area_only_swapped(a));
	nr = sa_trace_stop(&ev);
	ASSERT_LE((long)n, nr);
	ASSERT_EQ(0, sa_meminfo("SwapFree"));
	map = calloc(n, sizeof(*map));
	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, sa_pagemap(a->p, n, map));
	for (i = 0; i < n; i++) {
		store = find_last_store(ev, nr, (map[i] & SA_PM_ENTRY) >> 5);
		ASSERT_NE(NULL, store);
		if (!i)
			first = store->type;
		if (store->offset % 2 || (two && store->type == first && few == FEW))
			continue;
		few += store->type == first;
		if (!two && store->offset % FAIL_EACH == 0) {
			faults[store->offset] = SA_WRITE_FAILS;
			(*nr_faults)++;
		}
		ASSERT_EQ(0, madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED));
		given++;
	}
	free(map);
	free(ev);
	EXPECT_TRUE(sa_wait(sa_meminfo("SwapFree") == (long long)(given * SA_PAGE), 20));
	/*
	 * After this time a CPU does not begin with the device that it used
	 * last.
	 */
	usleep(200000);
}

/*
 * A page that could be written must be on the device; a page that could not
 * must not affect it
 */
TEST_F_TIMEOUT(scattered, each_for_itself, SA_TIMEOUT)
{
	size_t n = variant->two ? LARGE_PAGES : SA_MIB_PAGES;
	long long whole, bad;
	struct sa_area a, b;

	make_gaps(_metadata, &a, variant->two, self->faults, &self->nr_faults);
	if (variant->two)
		memset(self->faults, SA_WRITE_FAILS, sizeof(self->faults));
	ASSERT_EQ(0, sa_dm_set(self->faults));

	whole = sa_read_num(LARGE "/stats/anon_fault_alloc");
	if (map_area(&b, n, SA_RANDOM, 22, true))
		SKIP(return, "no transparent huge pages");
	sa_area_fill(&b);
	whole = sa_read_num(LARGE "/stats/anon_fault_alloc") - whole;
	if (whole != (long long)n / LARGE_PAGES)
		SKIP(return, "the kernel gave no folios of 64 kB");
	whole = sa_read_num(LARGE "/stats/swpout");
	/*
	 * The test writes once, because failed pages are not to be tried again.
	 */
	ASSERT_EQ(0, madvise(b.p, n * SA_PAGE, MADV_PAGEOUT));
	EXPECT_TRUE(sa_wait_writeback());
	whole = sa_read_num(LARGE "/stats/swpout") - whole;
	EXPECT_EQ((long long)n / LARGE_PAGES, whole) {
		TH_LOG("%lld of %zu folios were written whole", whole, n / LARGE_PAGES);
	}

	bad = sa_tier_num(sa_dm(), "stats/bad");
	TH_LOG("of %zu pages %lld have failed, of %zu places that fail; bad are %lld", n,
	       dm_errors(), variant->two ? FEW : self->nr_faults, bad);
	EXPECT_EQ(dm_errors(), bad);
	if (variant->two) {
		EXPECT_EQ(FEW, bad);
		EXPECT_EQ(0, tier_stat(sa_dev(1), "errors"));
		EXPECT_EQ(0, tier_stat(sa_dev(1), "bad"));
	} else {
		EXPECT_LT(0, bad);
		EXPECT_GE((long long)self->nr_faults, bad);
	}
	EXPECT_EQ(0, sa_area_check(&b));
	EXPECT_EQ(0, sa_violations());

	/* All good slots can be used, also for the pages that have failed. */
	ASSERT_EQ(0, sa_dm_set(NULL));
	EXPECT_LE(n - 8, sa_pageout(b.p, n));
	EXPECT_TRUE(sa_area_only_swapped(&b));
	EXPECT_EQ(0, sa_area_check(&b));
	sa_area_unmap(&b);
	sa_area_unmap(&a);
	EXPECT_EQ(bad, dm_errors());
	EXPECT_TRUE(wait_all_free(self->free - bad * SA_PAGE));
	EXPECT_EQ(0, sa_violations());
}

/* --- orphans -------------------------------------------------------------- */

enum drop {
	STORED_AGAIN,		/* loaded, changed, stored in another slot */
	FREED,			/* its slot is freed */
	SHARED,			/* loaded and stored again in the same slot */
};

FIXTURE(orphans)
{
};

FIXTURE_VARIANT(orphans)
{
	enum drop drop;
};

FIXTURE_VARIANT_ADD(orphans, stored_again) { .drop = STORED_AGAIN };

FIXTURE_VARIANT_ADD(orphans, freed) { .drop = FREED };

FIXTURE_VARIANT_ADD(orphans, shared) { .drop = SHARED };

FIXTURE_SETUP(orphans)
{
	const char *why = sa_begin_backed(true, true);

	if (!why)
		why = sa_check_needs(SA_NEED_DEV);
	if (why)
		SKIP(return, "%s", why);
	if (access(SA_DEBUG "/move_delay_ms", W_OK))
		SKIP(return, "no debugfs");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 128 * SA_MIB_PAGES, -1));
}

FIXTURE_TEARDOWN_PARENT(orphans)
{
	EXPECT_EQ(0, sa_end());
}

static int set_move_delay(int ms)
{
	return sa_write_num(SA_DEBUG "/move_delay_ms", ms);
}

/* Drop the copies of all pages, so that zswap gets new objects */
static size_t replace_pages(struct sa_area *a, enum drop how)
{
	size_t bad = 0;

	if (how == FREED)
		madvise(a->p, a->n * SA_PAGE, MADV_DONTNEED);
	else
		bad = sa_area_check(a);
	/* A write to a shared page would make the page private. */
	if (how != SHARED) {
		a->gen++;
		sa_area_fill(a);
	}
	sa_pageout(a->p, a->n);
	return bad;
}

/*
 * While zswap's writeback waits with a pinned object, drop all objects and
 * store others. If the pinned object was really free, a new object would get
 * its place, and would lose it when the mover is done.
 */
TEST_F_TIMEOUT(orphans, place_is_not_used, SA_TIMEOUT)
{
	size_t n = 64, bad = 0;
	struct sa_area a, b, c;
	long long before;
	int round, ms;
	bool pinned = false;
	pid_t pid = 0;

	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 11));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, sa_zswap_drain(60));
		sa_area_fill(&a);
		ASSERT_LE(n - 8, sa_pageout(a.p, n));
		if (variant->drop == SHARED) {
			pid = sa_fork();
			if (!pid) {
				pause();
				_exit(0);
			}
		}
		/*
		 * The delay grows because a slow machine takes long for all of
		 * this.
		 */
		before = sa_scan_num("orphans");
		ASSERT_LE(0, before);
		for (ms = 500; ms <= 8000; ms *= 2) {
			bad += sa_area_check(&a);
			ASSERT_LE(n - 8, sa_pageout(a.p, n));
			ASSERT_EQ(0, set_move_delay(ms));
			ASSERT_EQ(0, sa_zswap_kick());
			/*
			 * The wait is short so that there is time for the rest.
			 */
			pinned = sa_wait(sa_scan_num("pinned") == 1, ms / 4e3);
			bad += replace_pages(&a, variant->drop);
			ASSERT_EQ(0, sa_area_map(&b, n, SA_TEXT, 12));
			sa_area_fill(&b);
			EXPECT_LE(n - 8, sa_pageout(b.p, n));
			ASSERT_EQ(0, set_move_delay(0));
			if (sa_wait(sa_scan_num("orphans") > before, ms / 1000 + 2))
				break;
			sa_area_unmap(&b);
		}
		EXPECT_TRUE(pinned);
		EXPECT_LT(before, sa_scan_num("orphans"));
		/*
		 * The test stores pages into the freed space and checks them.
		 */
		ASSERT_EQ(0, sa_area_map(&c, n, SA_TEXT, 13));
		sa_area_fill(&c);
		EXPECT_LE(n - 8, sa_pageout(c.p, n));
		EXPECT_EQ(0, bad);
		EXPECT_EQ(0, sa_area_check(&a));
		EXPECT_EQ(0, sa_area_check(&b));
		EXPECT_EQ(0, sa_area_check(&c));
		/* The sums are right only when the movers rest. */
		EXPECT_EQ(0, sa_zswap_drain(60));
		EXPECT_EQ(0, sa_violations());
		sa_area_unmap(&b);
		sa_area_unmap(&c);
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		a.gen++;
	}
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!sa_zswapped() &&
				   !sa_tier_num(sa_dev(0), "stored"), 20));
}

TEST_HARNESS_MAIN
