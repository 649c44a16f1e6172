// SPDX-License-Identifier: GPL-2.0
/*
 * These tests inject memory failures: pages break that are in RAM and have a
 * copy in swap. The tests run without and with the layer, and with raw copies
 * on a device, packed copies, and copies in zswap.
 *
 * The test fails on a kernel that calls data lost although its copy is good;
 * that reads old data into the broken page, or gives that page out; that takes
 * other pages of a large folio along which could not be split; or where a
 * broken page stops swapoff, draining, or a move by hand.
 *
 * The test reads the findings of memory_failure() from the kernel log: after
 * "clean swapcache page" the data must be right, and after "dirty swapcache
 * page" nobody may get any data.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tiers.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define HWPOISON	"/sys/kernel/debug/hwpoison"
#define THP		"/sys/kernel/mm/transparent_hugepage"
#define SIZE_FILE	THP "/hugepages-%dkB/enabled"
/* Seconds of swapoff after which the test fails */
#define OFF_LIMIT	60
/* Seconds of each race */
#define RACE		sa_seconds(2)

#define N		(2 * SA_MIB_PAGES)	/* pages of a small-page area */
#define MAX_PAGES	(4 * SA_MIB_PAGES)	/* pages of any area */
#define STEP		16			/* one page of 16 breaks */
#define VICTIMS		(N / STEP)
#define MAX_BROKEN	512

/* The state in which an address must be now */
enum want { RIGHT, LOST, EITHER };

/*
 * The arrays are static, and so locked, so that the kernel pushes out only the
 * test's area.
 */
static unsigned char want[MAX_PAGES];
static __u32 gens[MAX_PAGES];

/*
 * With the layer off, swapoff maps the folio of the swap cache. If its frame
 * breaks just then, unuse_pte() maps a poisoned entry, though the copy on the
 * device is good. Unmodified 7.3 lost a page in this way in one of six runs.
 */
static bool swapoff_loses_clean_pages;
static size_t nr_lost_to_swapoff;
static char text[65536];

/* The changes that a test must undo */
struct broken {
	unsigned long pfn[MAX_BROKEN];
	size_t nr;
	int kb;				/* size of the chosen large folios */
	char chosen[16];		/* old choice for that size */
};

/* The place of the copies */
struct where {
	bool on, zswap;
	const char *format;
};

FIXTURE(hwpoison)
{
	struct broken b;
	long long corrupted;		/* bytes before the test */
};

FIXTURE_VARIANT(hwpoison)
{
	struct where w;
};

FIXTURE_VARIANT_ADD(hwpoison, off) { .w = { .format = "raw" } };

FIXTURE_VARIANT_ADD(hwpoison, zswap) { .w = { .on = true, .zswap = true, .format = "raw" } };

FIXTURE_VARIANT_ADD(hwpoison, raw) { .w = { .on = true, .format = "raw" } };

FIXTURE_VARIANT_ADD(hwpoison, packed) { .w = { .on = true, .format = "packed" } };

/*
 * Announce the expected lines once, because the kernel limits lines from users
 * to a few a second. The children of this program end without this.
 */
static void __attribute__((constructor)) expect_reports(void)
{
	if (!access(HWPOISON, F_OK) && !access("/dev/kmsg", W_OK))
		sa_log_expect("due to hardware memory corruption");
}

static void __attribute__((destructor)) expect_no_more(void)
{
	if (!access(HWPOISON, F_OK) && !access("/dev/kmsg", W_OK))
		sa_log_expect(NULL);
}

/* Limit corrupt-pfn to pages of the swap cache, or lift that limit */
static int limit_poison_to_cache(bool on)
{
	int ret;

	ret = sa_write_num(HWPOISON "/corrupt-filter-flags-mask", on ? 1 << KPF_SWAPCACHE : 0);
	if (!ret)
		ret = sa_write_num(HWPOISON "/corrupt-filter-flags-value",
				   on ? 1 << KPF_SWAPCACHE : 0);
	return ret ? ret : sa_write_num(HWPOISON "/corrupt-filter-enable", on);
}

static int swapon_where(const struct where *w, int i)
{
	int ret = swapon_dev(i);

	return ret || !w->on ? ret : sa_set_format(sa_dev(i), w->format);
}

FIXTURE_SETUP(hwpoison)
{
	const char *why = NULL;

	self->corrupted = sa_meminfo("HardwareCorrupted");
	if (self->corrupted < 0)
		SKIP(return, "no CONFIG_MEMORY_FAILURE");
	if (access(HWPOISON "/corrupt-pfn", W_OK))
		SKIP(return, "no CONFIG_HWPOISON_INJECT, or no debugfs");
	if (access("/proc/kpageflags", R_OK))
		SKIP(return, "no CONFIG_PROC_PAGE_MONITOR");
	why = sa_begin(variant->w.on, SA_NEED_DEVS);
	if (!why && sa_write(SA_PAGE_CLUSTER, "0"))
		why = "no " SA_PAGE_CLUSTER;
	if (!why && variant->w.zswap && sa_set_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, limit_poison_to_cache(false));
	ASSERT_EQ(0, swapon_where(&variant->w, 0));
}

/*
 * Unpoison a page frame; the process that had the page may still be about to
 * free it
 */
static bool unpoison_frame(unsigned long pfn)
{
	char frame[32];

	snprintf(frame, sizeof(frame), "%#lx", pfn);
	return sa_wait(!sa_write(HWPOISON "/unpoison-pfn", frame), 5);
}

FIXTURE_TEARDOWN_PARENT(hwpoison)
{
	char path[128];
	size_t i;

	limit_poison_to_cache(false);
	EXPECT_EQ(0, sa_end());
	/* The processes that had the pages have ended. */
	for (i = 0; i < self->b.nr; i++) {
		EXPECT_TRUE(unpoison_frame(self->b.pfn[i])) {
			TH_LOG("page frame %#lx stays broken", self->b.pfn[i]);
		}
	}
	/*
	 * With the layer off, 7.3 sometimes counts a page although no frame is
	 * marked.
	 */
	if (self->corrupted >= 0 && self->corrupted != sa_meminfo("HardwareCorrupted")) {
		TH_LOG("HardwareCorrupted is %lld, and was %lld", sa_meminfo("HardwareCorrupted"),
		       (long long)self->corrupted);
		EXPECT_FALSE(variant->w.on);
	}
	if (self->b.chosen[0]) {
		snprintf(path, sizeof(path), SIZE_FILE, self->b.kb);
		sa_write(path, self->b.chosen);
	}
}

/* --- breaking pages ------------------------------------------------------- */

static __u64 read_page_flags(unsigned long pfn)
{
	__u64 flags = 0;
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (pread(fd, &flags, sizeof(flags), pfn * sizeof(flags)) != sizeof(flags))
		flags = 0;
	close(fd);
	return flags;
}

#define HAS(flags, name)	(!!((flags) & 1ULL << KPF_##name))

/*
 * Tell whether a frame is in the swap cache with a good copy. (The page table
 * may know of a later write.)
 */
static bool is_clean_in_cache(unsigned long pfn)
{
	__u64 flags = read_page_flags(pfn);

	return HAS(flags, SWAPCACHE) && HAS(flags, UPTODATE) && !HAS(flags, DIRTY);
}

/* Return the page frame of a mapped page, or 0 */
static unsigned long read_pfn(const void *p)
{
	__u64 entry;

	if (sa_pagemap(p, 1, &entry) || !(entry & SA_PM_PRESENT))
		return 0;
	return entry & SA_PM_ENTRY;
}

/* The finding of memory_failure() */
enum found { NOTHING, CLEAN, DIRTY, UNSPLIT, OTHER };

static const char * const found_name[] = { "nothing", "clean", "dirty", "unsplit", "other" };

/*
 * Read the finding from the log, and note the page frame for unpoison_frame()
 */
static enum found find_report(struct broken *b, int log)
{
	static const char said[] = "recovery action for ";
	char *what, *line;
	unsigned long pfn;

	if (log < 0 || sa_log_close(log, text, sizeof(text)))
		return OTHER;
	what = strstr(text, said);
	if (!what)
		return NOTHING;
	for (line = what; line > text && line[-1] != '\n'; line--)
		;
	if (b->nr < MAX_BROKEN && sscanf(line, "Memory failure: %lx", &pfn) == 1)
		b->pfn[b->nr++] = pfn;
	what += strlen(said);
	what[strcspn(what, "\n")] = 0;
	if (!strncmp(what, "clean swapcache page", 20))
		return CLEAN;
	if (!strncmp(what, "dirty swapcache page", 20) || !strncmp(what, "dirty LRU page", 14))
		return DIRTY;
	if (!strncmp(what, "unsplit thp", 11))
		return UNSPLIT;
	sa_log("memory failure of \"%s\"", what);
	return OTHER;
}

static enum found break_frame(struct broken *b, unsigned long pfn)
{
	int log = sa_log_open();
	char frame[32];

	snprintf(frame, sizeof(frame), "%#lx", pfn);
	sa_write(HWPOISON "/corrupt-pfn", frame);
	return find_report(b, log);
}

static void ignore_sigbus(int sig)
{
}

/* Break the page at an address; a page that is not mapped is read first */
static enum found break_page(struct broken *b, void *p)
{
	struct sigaction sa = { .sa_handler = ignore_sigbus }, old;
	int log = sa_log_open();

	/* The kernel tells a process that breaks a dirty page by a signal. */
	sigaction(SIGBUS, &sa, &old);
	madvise(p, SA_PAGE, MADV_HWPOISON);
	sigaction(SIGBUS, &old, NULL);
	return find_report(b, log);
}

static enum want wanted_after(enum found found)
{
	return found == CLEAN || found == NOTHING ? RIGHT : found == DIRTY ? LOST : EITHER;
}

static void rewrite_page(const struct sa_area *a, size_t i)
{
	sa_fill_page(a->p + i * SA_PAGE, a->pat, a->seed, i, ++gens[i]);
}

static void replace_page(const struct sa_area *a, size_t i)
{
	madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	rewrite_page(a, i);
	want[i] = RIGHT;
}

/* Tell whether a page of the area is in the state that it must be in */
static bool page_is_as_wanted(const struct sa_area *a, size_t i)
{
	const void *p = a->p + i * SA_PAGE;

	if (sa_raises_sigbus(p)) {
		if (want[i] == RIGHT && swapoff_loses_clean_pages) {
			nr_lost_to_swapoff++;
			replace_page(a, i);
			return true;
		}
		if (want[i] == RIGHT)
			sa_log("page %zu is lost", i);
		return want[i] != RIGHT;
	}
	if (want[i] == LOST)
		sa_log("page %zu was lost, and can be read", i);
	return !sa_check_page(p, a->pat, a->seed, i, gens[i]) && want[i] != LOST;
}

/* Count the pages that are not in the state that they must be in */
static size_t count_wrong_pages(const struct sa_area *a)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i++)
		bad += !page_is_as_wanted(a, i);
	return bad;
}

static size_t count_wanted(enum want what)
{
	size_t i, n = 0;

	for (i = 0; i < N; i++)
		n += want[i] == what;
	return n;
}

/* Make an area that was swapped out and read again, and is mapped read-only */
static void make_read_area(struct __test_metadata *_metadata, struct sa_area *a, __u64 seed)
{
	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	make_swapped_area(_metadata, a, N, SA_MIXED, seed);
	ASSERT_EQ(0, sa_area_check(a));
}

/* Return how many pages were loaded from any tier */
static long long total_loads(void)
{
	long long n = 0, v;
	int i;

	for (i = -1; i < 2; i++) {
		v = sa_tier_num(i < 0 ? NULL : sa_dev(i), "stats/load");
		n += v > 0 ? v : 0;
	}
	return n;
}

/* --- small pages ---------------------------------------------------------- */

/* Break pages that were only read, so that their copies are good */
static void break_clean_pages(struct __test_metadata *_metadata, struct broken *b,
			      const struct where *w, struct sa_area *a,
			      size_t first, size_t step)
{
	size_t i, clean = 0, n = 0;
	enum found found;
	unsigned long pfn;
	bool was;

	for (i = first; i < N; i += step, n++) {
		pfn = read_pfn(a->p + i * SA_PAGE);
		ASSERT_NE(0, pfn);
		was = is_clean_in_cache(pfn);
		found = n % 2 ? break_page(b, a->p + i * SA_PAGE) : break_frame(b, pfn);
		if (was) {
			EXPECT_EQ(CLEAN, found) {
				TH_LOG("page %zu: %s", i, found_name[found]);
			}
		}
		clean += was;
		want[i] = wanted_after(found);
	}
	TH_LOG("%zu of %zu pages were clean", clean, n);
	/*
	 * zswap gives its copy up at a read, and the layer does so for a zero
	 * page.
	 */
	if (!w->zswap)
		EXPECT_LE(n / 4 * 3, clean);
}

/*
 * Break pages that were changed after they were read, so that their copies are
 * old
 */
static void break_dirty_pages(struct __test_metadata *_metadata, struct broken *b,
			      struct sa_area *a, size_t first, size_t step)
{
	enum found found;
	size_t i, n = 0;

	for (i = first; i < N; i += step, n++) {
		rewrite_page(a, i);
		found = n % 2 ? break_page(b, a->p + i * SA_PAGE) :
			break_frame(b, read_pfn(a->p + i * SA_PAGE));
		EXPECT_EQ(DIRTY, found) {
			TH_LOG("page %zu: %s", i, found_name[found]);
		}
		want[i] = LOST;
	}
}

/*
 * The kernel must read the copy to another page at the next access, and the
 * data must be right
 */
TEST_F_TIMEOUT(hwpoison, clean, SA_TIMEOUT)
{
	struct sa_area a;
	long long before;

	make_read_area(_metadata, &a, 1);
	break_clean_pages(_metadata, &self->b, &variant->w, &a, 3, STEP);
	before = total_loads();
	EXPECT_EQ(0, count_wrong_pages(&a));
	if (variant->w.on && !variant->w.zswap)
		EXPECT_LE(VICTIMS / 4 * 3, total_loads() - before);
	/* The pages go out and come back once more. */
	sa_pageout(a.p, N);
	EXPECT_EQ(0, count_wrong_pages(&a));
	EXPECT_EQ(0, sa_violations());
}

/*
 * The pages break when they have just been written, or during the write, and
 * nobody maps them. Their data is in the page and on its way to the copy.
 */
TEST_F_TIMEOUT(hwpoison, clean_unmapped, SA_TIMEOUT)
{
	static unsigned long pfn[VICTIMS];
	size_t i, n = 0;
	enum found found;
	struct sa_area a;

	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	make_area(_metadata, &a, N, SA_TEXT, 2);
	for (i = 0; i < VICTIMS; i++) {
		pfn[i] = read_pfn(a.p + i * STEP * SA_PAGE);
		ASSERT_NE(0, pfn[i]);
	}
	ASSERT_EQ(0, limit_poison_to_cache(true));
	/*
	 * drop_caches drains the batches of the CPUs, whose pages would stay.
	 */
	sa_write("/proc/sys/vm/drop_caches", "1");
	madvise(a.p, N * SA_PAGE, MADV_PAGEOUT);
	for (i = 0; i < VICTIMS; i++) {
		found = break_frame(&self->b, pfn[i]);
		n += found == CLEAN;
		if (found != NOTHING) {
			EXPECT_EQ(CLEAN, found) {
				TH_LOG("page %zu: %s", i * STEP, found_name[found]);
			}
		}
	}
	TH_LOG("%zu of %zu pages were in the swap cache", n, VICTIMS);
	/* A page that zswap has taken leaves the swap cache at once. */
	if (!variant->w.zswap)
		EXPECT_LT(0, n);
	EXPECT_EQ(0, count_wrong_pages(&a));
	EXPECT_EQ(0, sa_violations());
}

/*
 * Check an area in a child, which shares its swapped pages; return 0 if all is
 * well
 */
static int check_area_in_child(void *arg)
{
	return !!count_wrong_pages(arg);
}

/*
 * The new data of a dirty page is gone: nobody may get it, or older data, and
 * the kernel must not read into the broken page
 */
TEST_F_TIMEOUT(hwpoison, dirty, SA_TIMEOUT)
{
	unsigned char page[SA_PAGE];
	struct iovec to = { page, SA_PAGE }, from = { .iov_len = SA_PAGE };
	long long before;
	struct sa_area a;
	size_t i;

	make_read_area(_metadata, &a, 3);
	break_dirty_pages(_metadata, &self->b, &a, 5, STEP);
	EXPECT_EQ(VICTIMS, count_wanted(LOST));
	before = total_loads();
	for (i = 5; i < N; i += STEP) {
		from.iov_base = a.p + i * SA_PAGE;
		EXPECT_TRUE(sa_raises_sigbus(from.iov_base));
		EXPECT_EQ(-1, madvise(from.iov_base, SA_PAGE, MADV_POPULATE_READ));
		EXPECT_EQ(-1, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
		madvise(from.iov_base, SA_PAGE, MADV_PAGEOUT);
	}
	EXPECT_EQ(0, count_wrong_pages(&a));
	EXPECT_EQ(0, sa_join(sa_start(NULL, check_area_in_child, &a), OFF_LIMIT));
	if (variant->w.on)
		EXPECT_EQ(before, total_loads());
	for (i = 0; i < self->b.nr; i++) {
		__u64 flags = read_page_flags(self->b.pfn[i]);

		EXPECT_TRUE(HAS(flags, HWPOISON));
		EXPECT_FALSE(HAS(flags, SWAPCACHE) && HAS(flags, UPTODATE)) {
			TH_LOG("the kernel has read into page frame %#lx", self->b.pfn[i]);
		}
	}
	if (variant->w.on)
		EXPECT_EQ(0, sa_scan_num("lost"));
	EXPECT_EQ(0, sa_violations());

	/* The address can be used again. */
	ASSERT_EQ(0, madvise(a.p + 5 * SA_PAGE, SA_PAGE, MADV_DONTNEED));
	rewrite_page(&a, 5);
	want[5] = RIGHT;
	sa_pageout(a.p, N);
	EXPECT_EQ(0, count_wrong_pages(&a));
}

/* Soft offlining migrates a page that may break soon, and must lose nothing */
TEST_F_TIMEOUT(hwpoison, soft_offline, SA_TIMEOUT)
{
	unsigned long pfn;
	struct sa_area a;
	size_t i, n = 0;

	make_read_area(_metadata, &a, 4);
	for (i = 7; i < N; i += STEP) {
		if (i / STEP % 2)
			rewrite_page(&a, i);
		pfn = read_pfn(a.p + i * SA_PAGE);
		if (madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_SOFT_OFFLINE) ||
		    !HAS(read_page_flags(pfn), HWPOISON))
			continue;
		self->b.pfn[self->b.nr++] = pfn;
		n++;
	}
	TH_LOG("%zu of %zu pages were given up", n, VICTIMS);
	EXPECT_LT(0, n);
	EXPECT_EQ(0, count_wrong_pages(&a));
	sa_pageout(a.p, N);
	EXPECT_EQ(0, count_wrong_pages(&a));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, count_wrong_pages(&a));
	EXPECT_EQ(0, sa_violations());
}

/*
 * Make an area with broken pages of both kinds. Half of the pages that were
 * clean are read again; some of the good pages are only swapped, and some are
 * mapped.
 */
static void make_broken_area(struct __test_metadata *_metadata, struct broken *b,
			     const struct where *w, struct sa_area *a, __u64 seed)
{
	size_t i;

	make_read_area(_metadata, a, seed);
	break_clean_pages(_metadata, b, w, a, 3, 2 * STEP);
	break_dirty_pages(_metadata, b, a, 5, 2 * STEP);
	for (i = 3; i < N / 2; i += 2 * STEP)
		EXPECT_TRUE(page_is_as_wanted(a, i));
	sa_pageout(a->p, N / 2);
}

/*
 * Expect that dirty pages are lost, and that pages with a good copy and
 * unbroken pages are not
 */
static void expect_only_dirty_lost(struct __test_metadata *_metadata,
				   const struct where *w, struct sa_area *a)
{
	EXPECT_EQ(0, count_wrong_pages(a));
	if (!w->on)
		return;
	EXPECT_GE((long long)count_wanted(LOST), sa_scan_num("lost"));
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(hwpoison, swapoff_to_ram, SA_TIMEOUT)
{
	struct sa_area a;

	make_broken_area(_metadata, &self->b, &variant->w, &a, 5);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
	/* The device works as new after that. */
	ASSERT_EQ(0, swapon_where(&variant->w, 0));
	sa_pageout(a.p, N);
	expect_only_dirty_lost(_metadata, &variant->w, &a);
	sa_area_unmap(&a);
	if (variant->w.on)
		EXPECT_TRUE(wait_stored(sa_dev(0), 0));
}

TEST_F_TIMEOUT(hwpoison, swapoff_to_device, SA_TIMEOUT)
{
	struct sa_area a;

	make_broken_area(_metadata, &self->b, &variant->w, &a, 6);
	ASSERT_EQ(0, swapon_where(&variant->w, 1));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
}

/* The broken pages leave old copies, which may stay but which nobody may see */
TEST_F_TIMEOUT(hwpoison, draining, SA_TIMEOUT)
{
	struct sa_area a;
	long long left;

	if (!variant->w.on)
		SKIP(return, "this test needs the tiers of the layer");
	make_broken_area(_metadata, &self->b, &variant->w, &a, 7);
	if (variant->w.zswap)
		EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	ASSERT_EQ(0, swapon_where(&variant->w, 1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	left = count_wanted(LOST) * SA_PAGE;
	EXPECT_TRUE(sa_wait(sa_tier_num(sa_dev(0), "stored") <= left, SOON)) {
		TH_LOG("%lld pages stay", sa_tier_num(sa_dev(0), "stored") / (long long)SA_PAGE);
	}
	EXPECT_EQ(0, sa_scan_num("lost"));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
}

TEST_F_TIMEOUT(hwpoison, by_hand, SA_TIMEOUT)
{
	struct sa_area a;
	int round;

	if (!variant->w.on)
		SKIP(return, "this test needs the tiers of the layer");
	make_broken_area(_metadata, &self->b, &variant->w, &a, 8);
	ASSERT_EQ(0, swapon_where(&variant->w, 1));
	for (round = 0; round < 2; round++) {
		if (variant->w.zswap)
			EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(1), "promote", "all"));
	}
	EXPECT_EQ(0, sa_scan_num("lost"));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
	sa_pageout(a.p, N);
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(0, sa_scan_num("lost"));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	expect_only_dirty_lost(_metadata, &variant->w, &a);
}

/* --- shared memory -------------------------------------------------------- */

struct shm {
	int fd;
	unsigned char *p;
	unsigned long pfn[N];		/* while the page was mapped */
};

static void write_shm(struct __test_metadata *_metadata, struct shm *s)
{
	size_t i;

	for (i = 0; i < N; i++) {
		sa_fill_page(s->p + i * SA_PAGE, SA_TEXT, 9, i, gens[i]);
		s->pfn[i] = read_pfn(s->p + i * SA_PAGE);
		ASSERT_NE(0, s->pfn[i]);
	}
}

static void make_shm(struct __test_metadata *_metadata, struct shm *s)
{
	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	s->fd = memfd_create("swap_abs", MFD_CLOEXEC);
	ASSERT_LE(0, s->fd);
	ASSERT_EQ(0, ftruncate(s->fd, N * SA_PAGE));
	s->p = mmap(NULL, N * SA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	ASSERT_NE(MAP_FAILED, s->p);
	madvise(s->p, N * SA_PAGE, MADV_NOHUGEPAGE);
	write_shm(_metadata, s);
}

/* Count the wrong pages of shared memory, by read() and by faults */
static size_t count_wrong_shm(struct shm *s)
{
	unsigned char page[SA_PAGE];
	size_t i, bad = 0;
	bool none, must_be;

	for (i = 0; i < N && bad < 4; i++) {
		must_be = want[i] != LOST;
		none = i / STEP % 2 ? sa_raises_sigbus(s->p + i * SA_PAGE) :
			pread(s->fd, page, SA_PAGE, i * SA_PAGE) < 0;
		if (none == must_be) {
			sa_log("page %zu is %s", i, none ? "lost" : "not lost");
			bad++;
		}
		if (!none)
			bad += pread(s->fd, page, SA_PAGE, i * SA_PAGE) != (ssize_t)SA_PAGE ||
				sa_check_page(page, SA_TEXT, 9, i, gens[i]);
	}
	return bad;
}

TEST_F_TIMEOUT(hwpoison, shmem_clean, SA_TIMEOUT)
{
	static struct shm s;
	enum found found;
	size_t i, n = 0;

	make_shm(_metadata, &s);
	ASSERT_EQ(0, limit_poison_to_cache(true));
	sa_write("/proc/sys/vm/drop_caches", "1");
	madvise(s.p, N * SA_PAGE, MADV_PAGEOUT);
	for (i = 3; i < N; i += STEP) {
		found = break_frame(&self->b, s.pfn[i]);
		n += found == CLEAN;
		if (found != NOTHING) {
			EXPECT_EQ(CLEAN, found) {
				TH_LOG("page %zu: %s", i, found_name[found]);
			}
		}
	}
	TH_LOG("%zu of %zu pages were in the swap cache", n, VICTIMS);
	if (!variant->w.zswap)
		EXPECT_LT(0, n);
	/*
	 * The kernel moves these pages while they are swapped, and then reads
	 * them from the new place.
	 */
	ASSERT_EQ(0, swapon_where(&variant->w, 1));
	if (variant->w.on)
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "512K"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	EXPECT_EQ(0, count_wrong_shm(&s));
	if (variant->w.on)
		EXPECT_EQ(0, sa_scan_num("lost"));
	EXPECT_EQ(0, sa_violations());
	close(s.fd);
}

/*
 * Pages break that could not be written, and so are dirty in the swap cache.
 * The device has the data of the write before.
 */
TEST_F_TIMEOUT(hwpoison, shmem_dirty, SA_TIMEOUT)
{
	static struct shm s;
	const char *why;
	size_t i, n = 0, round;

	if (variant->w.zswap)
		SKIP(return, "zswap's writes do not fail");
	ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
	why = sa_dm_make(64 * SA_MIB_PAGES);
	if (why)
		SKIP(return, "%s", why);
	sa_log_expect("(Write-error on swap-device|swap: write error on)");
	ASSERT_EQ(0, sa_swapon(sa_dm(), 0, 9));
	if (variant->w.on)
		ASSERT_EQ(0, sa_set_format(sa_dm(), variant->w.format));
	make_shm(_metadata, &s);
	sa_pageout(s.p, N);
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, count_wrong_shm(&s));
	for (i = 0; i < N; i++)
		gens[i]++;
	write_shm(_metadata, &s);

	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	ASSERT_EQ(0, limit_poison_to_cache(true));
	sa_write("/proc/sys/vm/drop_caches", "1");
	madvise(s.p, N * SA_PAGE, MADV_PAGEOUT);
	EXPECT_TRUE(sa_wait_writeback());
	for (i = 3; i < N; i += STEP) {
		if (!HAS(read_page_flags(s.pfn[i]), DIRTY))
			continue;
		if (break_frame(&self->b, s.pfn[i]) == DIRTY) {
			want[i] = LOST;
			n++;
		}
	}
	TH_LOG("%zu of %zu pages were dirty in the swap cache", n, VICTIMS);
	EXPECT_LT(0, n);
	ASSERT_EQ(0, sa_dm_set(NULL));
	/*
	 * The test reads some of the pages before swapoff, and the others after
	 * it.
	 */
	for (i = 3; i < N / 2; i += STEP)
		if (want[i] == LOST)
			EXPECT_TRUE(sa_raises_sigbus(s.p + i * SA_PAGE));
	for (round = 0; round < 2; round++) {
		EXPECT_EQ(0, round ? 0 : sa_swapoff_child(sa_dm(), OFF_LIMIT));
		EXPECT_EQ(0, count_wrong_shm(&s));
	}
	EXPECT_EQ(0, sa_violations());
	close(s.fd);
}

/* --- large folios --------------------------------------------------------- */

/*
 * The state of a large folio of which a page has broken while somebody held it:
 * mapped and held, not mapped and held, or neither
 */
enum large { MAPPED, UNMAPPED, RELEASED };

/* Choose a size of folios; the teardown restores the old choice */
static int choose_folio_size(struct broken *b, int kb)
{
	char path[128], line[256], *from;

	snprintf(path, sizeof(path), SIZE_FILE, kb);
	if (sa_read(path, line, sizeof(line)) < 0)
		return -ENOENT;
	from = strchr(line, '[');
	if (!from)
		return -EINVAL;
	from[strcspn(from, "]")] = 0;
	b->kb = kb;
	snprintf(b->chosen, sizeof(b->chosen), "%.15s", from + 1);
	return sa_write(path, "always");
}

static bool is_large_folio(unsigned long pfn)
{
	__u64 flags = read_page_flags(pfn);

	return HAS(flags, COMPOUND_HEAD) || HAS(flags, COMPOUND_TAIL);
}

/*
 * Split the large folios of an area. If a folio was freed as a whole, the
 * broken page would be allocated again, by 7.3 as well.
 */
static void split_folios(struct sa_area *a)
{
	char line[128];

	snprintf(line, sizeof(line), "%d,0x%lx,0x%lx,0", getpid(), (unsigned long)a->p,
		 (unsigned long)(a->p + a->n * SA_PAGE));
	sa_write("/sys/kernel/debug/split_huge_pages", line);
}

static void check_large_folio(struct __test_metadata *_metadata, struct broken *b,
			      const struct where *w, int kb, enum large how)
{
	size_t per = kb / 4, n = (how == RELEASED && kb == 64 ? 16 : 2) * per, victim = 5, i;
	unsigned long pfn, frames[16];
	struct sa_area a, rest;
	struct iovec iov;
	enum found found;
	int p[2];

	/*
	 * When swapoff frees the folio, the broken page can be allocated again,
	 * because 7.3 frees it with the others. A kernel whose swapoff then
	 * reads into the page and never ends would also make the next tests
	 * fail.
	 */
	if (how == RELEASED && !sa_is_full())
		SKIP(return, "in full mode only");
	if (choose_folio_size(b, kb))
		SKIP(return, "the kernel has no folios of this size");
	ASSERT_GE(MAX_PAGES, n);
	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, kb));
	ASSERT_EQ(0, madvise(a.p, n * SA_PAGE, MADV_HUGEPAGE));
	sa_area_fill(&a);
	if (!is_large_folio(read_pfn(a.p + victim * SA_PAGE)))
		SKIP(return, "the kernel gave no folio of this size");

	/*
	 * The written pages are still in the swap cache, and come back from
	 * there.
	 */
	sa_write("/proc/sys/vm/drop_caches", "1");
	madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_TRUE(sa_wait_writeback());
	pfn = read_pfn(a.p + victim * SA_PAGE);
	ASSERT_NE(0, pfn);
	/* The pipe holds a page beside the one that breaks. */
	ASSERT_EQ(0, pipe(p));
	for (i = 0; i < n; i += per) {
		frames[i / per] = read_pfn(a.p + (i + victim) * SA_PAGE);
		iov = (struct iovec){ a.p + (i + victim + 1) * SA_PAGE, SA_PAGE };
		ASSERT_EQ((ssize_t)SA_PAGE, vmsplice(p[1], &iov, 1, 0));
	}
	if (how != MAPPED)
		madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
	if (!is_large_folio(pfn))
		SKIP(return, "the folio was split");
	TH_LOG("%d kB: the page is %smapped, and %s", kb,
	       read_pfn(a.p + victim * SA_PAGE) ? "" : "not ",
	       is_clean_in_cache(pfn) ? "clean in the swap cache" : "not clean");
	/*
	 * In the variant RELEASED one page of each folio breaks, because the
	 * next user of the page matters; otherwise one page of the first folio
	 * breaks.
	 */
	for (i = 0; i < (how == RELEASED ? n : per); i += per) {
		found = break_frame(b, frames[i / per]);
		EXPECT_EQ(UNSPLIT, found) {
			TH_LOG("%s", found_name[found]);
		}
		/*
		 * The page is mapped with the others and can be read; its copy
		 * may have been dropped.
		 */
		want[i + victim] = EITHER;
	}
	if (how == RELEASED) {
		close(p[0]);
		close(p[1]);
		/*
		 * The kernel allocates the pages next that it frees from here
		 * on.
		 */
		ASSERT_EQ(0, sa_area_map(&rest, 128 * SA_MIB_PAGES, SA_ZERO, 1));
		memset(rest.p, 1, rest.n * SA_PAGE);
	}
	if (w->on) {
		ASSERT_EQ(0, swapon_where(w, 1));
		if (w->zswap)
			EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(1), "promote", "all"));
		EXPECT_EQ(0, sa_scan_num("lost"));
		/* A look at the other pages would map them. */
		if (how == MAPPED)
			EXPECT_EQ(0, count_wrong_pages(&a));
		ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
		usleep(200000);
		EXPECT_EQ(0, sa_scan_num("lost"));
	}
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	if (w->on) {
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
		EXPECT_EQ(0, sa_scan_num("lost"));
	}
	for (i = 0; how == RELEASED && i < b->nr; i++)
		if (HAS(read_page_flags(b->pfn[i]), SWAPCACHE))
			TH_LOG("page frame %#lx, broken, is in use: %#llx", b->pfn[i],
			       read_page_flags(b->pfn[i]));
	ASSERT_EQ(0, count_wrong_pages(&a));
	if (how != RELEASED) {
		close(p[0]);
		close(p[1]);
	}

	/* The pages that have not broken can be swapped out again. */
	split_folios(&a);
	EXPECT_FALSE(is_large_folio(pfn) && HAS(read_page_flags(pfn), MMAP));
	ASSERT_EQ(0, swapon_where(w, 0));
	for (i = 0; i < n; i++)
		if (want[i] == RIGHT)
			rewrite_page(&a, i);
	sa_pageout(a.p, n);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, count_wrong_pages(&a));
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(hwpoison, large_mapped, SA_TIMEOUT)
{
	check_large_folio(_metadata, &self->b, &variant->w, 64, MAPPED);
}

TEST_F_TIMEOUT(hwpoison, large_unmapped, SA_TIMEOUT)
{
	check_large_folio(_metadata, &self->b, &variant->w, 64, UNMAPPED);
}

TEST_F_TIMEOUT(hwpoison, large_released, SA_TIMEOUT)
{
	check_large_folio(_metadata, &self->b, &variant->w, 64, RELEASED);
}

TEST_F_TIMEOUT(hwpoison, huge_mapped, SA_TIMEOUT)
{
	check_large_folio(_metadata, &self->b, &variant->w, 2048, MAPPED);
}

TEST_F_TIMEOUT(hwpoison, huge_unmapped, SA_TIMEOUT)
{
	check_large_folio(_metadata, &self->b, &variant->w, 2048, UNMAPPED);
}

TEST_F_TIMEOUT(hwpoison, huge_released, SA_TIMEOUT)
{
	check_large_folio(_metadata, &self->b, &variant->w, 2048, RELEASED);
}

/* --- races ---------------------------------------------------------------- */

struct mover {
	const struct where *w;
	bool stop;
	long rounds, failed;
};

static bool is_stopped(struct mover *m)
{
	return __atomic_load_n(&m->stop, __ATOMIC_SEQ_CST);
}

static void count_failure(struct mover *m, int ret, const char *what)
{
	if (!ret)
		return;
	sa_log("%s: %s", what, strerror(-ret));
	m->failed++;
}

static void *move_repeatedly(void *arg)
{
	struct mover *m = arg;

	while (!is_stopped(m)) {
		if (m->w->zswap)
			count_failure(m, sa_tier_write(NULL, "demote", "all"),
				      "demotion from zswap");
		count_failure(m, sa_tier_write(sa_dev(0), "demote", "all"), "demotion");
		count_failure(m, sa_tier_write(sa_dev(1), "promote", "all"), "promotion");
		m->rounds++;
	}
	return NULL;
}

static void *swapoff_repeatedly(void *arg)
{
	struct mover *m = arg;
	int i;

	while (!is_stopped(m)) {
		for (i = 0; i < 2; i++) {
			count_failure(m, sa_swapoff(sa_dev(i)), "swapoff");
			count_failure(m, swapon_where(m->w, i), "swapon");
		}
		m->rounds++;
	}
	return NULL;
}

/*
 * Break a page on its way out. The frame may belong to another page by then, if
 * that page is in the swap cache: any page may be lost, but only one. Return
 * how many pages are wrong.
 */
static size_t break_page_on_its_way(struct broken *b, struct sa_area *a, size_t i,
				    size_t *nr)
{
	unsigned long pfn = read_pfn(a->p + i * SA_PAGE);
	enum found found;
	size_t lost = 0;

	if (!pfn)
		return 0;
	madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_PAGEOUT);
	limit_poison_to_cache(true);
	found = break_frame(b, pfn);
	limit_poison_to_cache(false);
	nr[found]++;
	if (found == CLEAN || found == NOTHING)
		return !page_is_as_wanted(a, i);
	for (i = 0; i < a->n; i++) {
		if (!sa_raises_sigbus(a->p + i * SA_PAGE))
			continue;
		replace_page(a, i);
		lost++;
	}
	if (lost > 1 && swapoff_loses_clean_pages) {
		nr_lost_to_swapoff += lost - 1;
		return 0;
	}
	return lost > 1;
}

/* Break a page where it is mapped. Return how many pages are wrong. */
static size_t break_mapped_page(struct broken *b, struct sa_area *a, size_t i,
				size_t *nr)
{
	enum found found = break_page(b, a->p + i * SA_PAGE);
	bool ok;

	nr[found]++;
	want[i] = wanted_after(found);
	ok = page_is_as_wanted(a, i);
	if (!ok)
		sa_log("page %zu broke: %s", i, found_name[found]);
	if (want[i] != RIGHT)
		replace_page(a, i);
	return !ok;
}

static void race_with(struct __test_metadata *_metadata, struct broken *b,
		      const struct where *w, void *(*fn)(void *))
{
	struct mover m = { .w = w };
	size_t nr[OTHER + 1] = { }, i, bad = 0;
	struct sa_task task;
	struct sa_area a;
	__u64 rnd = 11;
	bool enough;
	double start, end;
	void *p;

	ASSERT_EQ(0, swapon_where(w, 1));
	make_read_area(_metadata, &a, 10);
	sa_pageout(a.p, N);
	ASSERT_EQ(0, sa_task_start(&task, fn, &m));
	start = sa_now();
	end = start + RACE;
	while (sa_now() < end && bad < 4) {
		i = sa_rand(&rnd) % N;
		p = a.p + i * SA_PAGE;
		/*
		 * The number of breaks is limited, and spread over the time of
		 * the race.
		 */
		enough = b->nr >= MAX_BROKEN * (sa_now() - start) / (end - start);
		switch (sa_rand(&rnd) % (enough ? 3 : 8)) {
		case 0:
			if (swapoff_loses_clean_pages)
				bad += !page_is_as_wanted(&a, i);
			rewrite_page(&a, i);
			break;
		case 1:
			i &= ~15UL;
			madvise(a.p + i * SA_PAGE, 16 * SA_PAGE, MADV_PAGEOUT);
			break;
		case 2:
			bad += !page_is_as_wanted(&a, i);
			break;
		case 3:
			bad += break_page_on_its_way(b, &a, i, nr);
			break;
		case 4:
			if (swapoff_loses_clean_pages)
				bad += !page_is_as_wanted(&a, i);
			rewrite_page(&a, i);
			bad += break_mapped_page(b, &a, i, nr);
			break;
		default:
			/*
			 * Most pages are swapped: the break reads and maps the
			 * page first.
			 */
			madvise(p, SA_PAGE, MADV_PAGEOUT);
			bad += break_mapped_page(b, &a, i, nr);
		}
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_SEQ_CST);
	EXPECT_EQ(0, sa_task_end(&task, LIMIT));
	TH_LOG("%ld rounds; broken: %zu clean, %zu dirty, %zu other, %zu not", m.rounds,
	       nr[CLEAN], nr[DIRTY], nr[UNSPLIT] + nr[OTHER], nr[NOTHING]);
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, m.failed);
	EXPECT_LT(0, m.rounds);
	EXPECT_LT(0, nr[CLEAN] + nr[DIRTY]);
	EXPECT_EQ(0, count_wrong_pages(&a));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(i), OFF_LIMIT));
	EXPECT_EQ(0, count_wrong_pages(&a));
	EXPECT_GE(nr[CLEAN], nr_lost_to_swapoff);
	if (nr_lost_to_swapoff)
		TH_LOG("%zu lost by swapoff as unmodified kernels do", nr_lost_to_swapoff);
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(hwpoison, while_moved, SA_TIMEOUT)
{
	if (!variant->w.on)
		SKIP(return, "this test needs the tiers of the layer");
	race_with(_metadata, &self->b, &variant->w, move_repeatedly);
}

TEST_F_TIMEOUT(hwpoison, while_swapped_off, SA_TIMEOUT)
{
	swapoff_loses_clean_pages = !variant->w.on;
	race_with(_metadata, &self->b, &variant->w, swapoff_repeatedly);
}

TEST_HARNESS_MAIN
