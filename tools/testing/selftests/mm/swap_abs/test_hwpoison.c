// SPDX-License-Identifier: GPL-2.0
/*
 * Memory failure: pages that are in RAM and have a copy in swap break, by injection. Without
 * and with the layer, with copies in zswap, on a device as they are, and packed.
 *
 * It fails on a kernel that calls data lost whose copy is good; that reads old data into the
 * broken page, or hands it out; that takes other pages of a large folio along, which could
 * not be split; or where a broken page stops swapoff, draining, or a move by hand.
 *
 * What memory_failure() has found is read from the kernel's log: after "clean swapcache page"
 * the data must be right, and after "dirty swapcache page" nobody may get any.
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
/* For swapoff; one that does not end is a failure. */
#define OFF_LIMIT	60
/* Seconds of each race */
#define RACE		sa_seconds(2)

#define N		(2 * SA_MIB_PAGES)	/* pages of an area of small ones */
#define MAX_PAGES	(4 * SA_MIB_PAGES)	/* of any */
#define STEP		16			/* one of so many breaks */
#define VICTIMS		(N / STEP)
#define MAX_BROKEN	512

/* What there must be at an address now */
enum want { RIGHT, LOST, EITHER };

/* Static, and so locked: nothing else of the test is to be pushed out. */
static unsigned char want[MAX_PAGES];
static __u32 gens[MAX_PAGES];
static char text[65536];

/* What has to be put back after a test */
struct broken {
	unsigned long pfn[MAX_BROKEN];
	size_t nr;
	int kb;				/* size of large folios that was chosen */
	char chosen[16];		/* what stood there */
};

/* Where copies are */
struct where {
	bool on, zswap;
	const char *format;
};

FIXTURE(hwpoison)
{
	struct broken b;
	long long corrupted;		/* bytes, before the test */
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
 * Tell it once: what users write to the log is limited to a few lines a second. The
 * children of this program end without this.
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

/* Let corrupt-pfn take pages of the swap cache only, or any. */
static int swap_cache_only(bool on)
{
	int ret;

	ret = sa_write_num(HWPOISON "/corrupt-filter-flags-mask", on ? 1 << KPF_SWAPCACHE : 0);
	if (!ret)
		ret = sa_write_num(HWPOISON "/corrupt-filter-flags-value",
				   on ? 1 << KPF_SWAPCACHE : 0);
	return ret ? ret : sa_write_num(HWPOISON "/corrupt-filter-enable", on);
}

static int turn_on(const struct where *w, int i)
{
	int ret = on(i);

	return ret || !w->on ? ret : sa_format(sa_dev(i), w->format);
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
	if (!why && variant->w.zswap && sa_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, swap_cache_only(false));
	ASSERT_EQ(0, turn_on(&variant->w, 0));
}

/* Give a page frame back: what had it may be about to be freed. */
static bool mend(unsigned long pfn)
{
	char frame[32];

	snprintf(frame, sizeof(frame), "%#lx", pfn);
	return sa_wait(!sa_write(HWPOISON "/unpoison-pfn", frame), 5);
}

FIXTURE_TEARDOWN_PARENT(hwpoison)
{
	char path[128];
	size_t i;

	swap_cache_only(false);
	EXPECT_EQ(0, sa_end());
	/* Whoever had them is no more. */
	for (i = 0; i < self->b.nr; i++) {
		EXPECT_TRUE(mend(self->b.pfn[i])) {
			TH_LOG("page frame %#lx stays broken", self->b.pfn[i]);
		}
	}
	/* With the layer off 7.3 was seen to count a page that no frame is marked for. */
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

/* --- breaking pages ----------------------------------------------------- */

static __u64 flags_of(unsigned long pfn)
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

/* Is it in the swap cache, and its copy as good? (The page table may know better.) */
static bool is_clean(unsigned long pfn)
{
	__u64 flags = flags_of(pfn);

	return HAS(flags, SWAPCACHE) && HAS(flags, UPTODATE) && !HAS(flags, DIRTY);
}

/* The page frame of a page that is mapped, or 0 */
static unsigned long pfn_of(const void *p)
{
	__u64 entry;

	if (sa_pagemap(p, 1, &entry) || !(entry & SA_PM_PRESENT))
		return 0;
	return entry & SA_PM_ENTRY;
}

/* What memory_failure() has come across */
enum found { NOTHING, CLEAN, DIRTY, UNSPLIT, OTHER };

static const char * const found_name[] = { "nothing", "clean", "dirty", "unsplit", "other" };

/* Read that from the log, and note the page frame for who mends it. */
static enum found look_up(struct broken *b, int log)
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
	return look_up(b, log);
}

static void on_bus(int sig)
{
}

/* Break what is mapped there, or comes to be by that. */
static enum found break_page(struct broken *b, void *p)
{
	struct sigaction sa = { .sa_handler = on_bus }, old;
	int log = sa_log_open();

	/* Who breaks a dirty page is told so by a signal. */
	sigaction(SIGBUS, &sa, &old);
	madvise(p, SA_PAGE, MADV_HWPOISON);
	sigaction(SIGBUS, &old, NULL);
	return look_up(b, log);
}

static enum want want_of(enum found found)
{
	return found == CLEAN || found == NOTHING ? RIGHT : found == DIRTY ? LOST : EITHER;
}

/* Is a page of the area as it must be? */
static bool is_as_wanted(const struct sa_area *a, size_t i)
{
	const void *p = a->p + i * SA_PAGE;

	if (sa_bus(p)) {
		if (want[i] == RIGHT)
			sa_log("page %zu is lost", i);
		return want[i] != RIGHT;
	}
	if (want[i] == LOST)
		sa_log("page %zu was lost, and can be read", i);
	return !sa_check(p, a->pat, a->seed, i, gens[i]) && want[i] != LOST;
}

/* Number of pages that are not */
static size_t look_at(const struct sa_area *a)
{
	size_t i, bad = 0;

	for (i = 0; i < a->n && bad < 4; i++)
		bad += !is_as_wanted(a, i);
	return bad;
}

static size_t count(enum want what)
{
	size_t i, n = 0;

	for (i = 0; i < N; i++)
		n += want[i] == what;
	return n;
}

static void write_to(struct sa_area *a, size_t i)
{
	sa_fill(a->p + i * SA_PAGE, a->pat, a->seed, i, ++gens[i]);
}

/* An area that has been swapped out and read again, and is mapped to be read */
static void read_back(struct __test_metadata *_metadata, struct sa_area *a, __u64 seed)
{
	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	put(_metadata, a, N, SA_MIXED, seed);
	ASSERT_EQ(0, sa_area_check(a));
}

/* Pages that were loaded from any tier */
static long long loads(void)
{
	long long n = 0, v;
	int i;

	for (i = -1; i < 2; i++) {
		v = sa_tier_num(i < 0 ? NULL : sa_dev(i), "stats/load");
		n += v > 0 ? v : 0;
	}
	return n;
}

/* --- small pages -------------------------------------------------------- */

/* Break pages that were only read: their copies are as good as they are. */
static void break_clean(struct __test_metadata *_metadata, struct broken *b,
			const struct where *w, struct sa_area *a,
			size_t first, size_t step)
{
	size_t i, clean = 0, n = 0;
	enum found found;
	unsigned long pfn;
	bool was;

	for (i = first; i < N; i += step, n++) {
		pfn = pfn_of(a->p + i * SA_PAGE);
		ASSERT_NE(0, pfn);
		was = is_clean(pfn);
		found = n % 2 ? break_page(b, a->p + i * SA_PAGE) : break_frame(b, pfn);
		if (was) {
			EXPECT_EQ(CLEAN, found) {
				TH_LOG("page %zu: %s", i, found_name[found]);
			}
		}
		clean += was;
		want[i] = want_of(found);
	}
	TH_LOG("%zu of %zu pages were clean", clean, n);
	/* zswap gives up its copy when it is read, and so does the layer that of a zero page. */
	if (!w->zswap)
		EXPECT_LE(n / 4 * 3, clean);
}

/* Break pages that were changed after they were read: their copies are old. */
static void break_dirty(struct __test_metadata *_metadata, struct broken *b,
			struct sa_area *a, size_t first, size_t step)
{
	enum found found;
	size_t i, n = 0;

	for (i = first; i < N; i += step, n++) {
		write_to(a, i);
		found = n % 2 ? break_page(b, a->p + i * SA_PAGE) :
			break_frame(b, pfn_of(a->p + i * SA_PAGE));
		EXPECT_EQ(DIRTY, found) {
			TH_LOG("page %zu: %s", i, found_name[found]);
		}
		want[i] = LOST;
	}
}

/* The copy is read to another page, once it is wanted, and the data is right. */
TEST_F_TIMEOUT(hwpoison, clean, SA_TIMEOUT)
{
	struct sa_area a;
	long long before;

	read_back(_metadata, &a, 1);
	break_clean(_metadata, &self->b, &variant->w, &a, 3, STEP);
	before = loads();
	EXPECT_EQ(0, look_at(&a));
	if (variant->w.on && !variant->w.zswap)
		EXPECT_LE(VICTIMS / 4 * 3, loads() - before);
	/* And again, from where it is then. */
	sa_pageout(a.p, N);
	EXPECT_EQ(0, look_at(&a));
	EXPECT_EQ(0, sa_violations());
}

/*
 * The same, but they break when they have just been written, or while that is under way,
 * and nobody maps them. Here the data is in the page and on its way to the copy.
 */
TEST_F_TIMEOUT(hwpoison, clean_unmapped, SA_TIMEOUT)
{
	static unsigned long pfn[VICTIMS];
	size_t i, n = 0;
	enum found found;
	struct sa_area a;

	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	make(_metadata, &a, N, SA_TEXT, 2);
	for (i = 0; i < VICTIMS; i++) {
		pfn[i] = pfn_of(a.p + i * STEP * SA_PAGE);
		ASSERT_NE(0, pfn[i]);
	}
	ASSERT_EQ(0, swap_cache_only(true));
	/* Those that are in a CPU's batch would stay. */
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
	/* What zswap has taken leaves at once. */
	if (!variant->w.zswap)
		EXPECT_LT(0, n);
	EXPECT_EQ(0, look_at(&a));
	EXPECT_EQ(0, sa_violations());
}

/* Look at an area in a child, which shares what is swapped; 0 when all is as it must be */
static int child_looks(void *arg)
{
	return !!look_at(arg);
}

/*
 * What the page was dirty with is gone: nobody gets it, nor anything older, and nothing
 * is read into it.
 */
TEST_F_TIMEOUT(hwpoison, dirty, SA_TIMEOUT)
{
	unsigned char page[SA_PAGE];
	struct iovec to = { page, SA_PAGE }, from = { .iov_len = SA_PAGE };
	long long before;
	struct sa_area a;
	size_t i;

	read_back(_metadata, &a, 3);
	break_dirty(_metadata, &self->b, &a, 5, STEP);
	EXPECT_EQ(VICTIMS, count(LOST));
	before = loads();
	for (i = 5; i < N; i += STEP) {
		from.iov_base = a.p + i * SA_PAGE;
		EXPECT_TRUE(sa_bus(from.iov_base));
		EXPECT_EQ(-1, madvise(from.iov_base, SA_PAGE, MADV_POPULATE_READ));
		EXPECT_EQ(-1, process_vm_readv(getpid(), &to, 1, &from, 1, 0));
		madvise(from.iov_base, SA_PAGE, MADV_PAGEOUT);
	}
	EXPECT_EQ(0, look_at(&a));
	EXPECT_EQ(0, sa_join(sa_start(NULL, child_looks, &a), OFF_LIMIT));
	if (variant->w.on)
		EXPECT_EQ(before, loads());
	for (i = 0; i < self->b.nr; i++) {
		__u64 flags = flags_of(self->b.pfn[i]);

		EXPECT_TRUE(HAS(flags, HWPOISON));
		EXPECT_FALSE(HAS(flags, SWAPCACHE) && HAS(flags, UPTODATE)) {
			TH_LOG("page frame %#lx has been read to", self->b.pfn[i]);
		}
	}
	if (variant->w.on)
		EXPECT_EQ(0, sa_scan("lost"));
	EXPECT_EQ(0, sa_violations());

	/* The address can be used again. */
	ASSERT_EQ(0, madvise(a.p + 5 * SA_PAGE, SA_PAGE, MADV_DONTNEED));
	write_to(&a, 5);
	want[5] = RIGHT;
	sa_pageout(a.p, N);
	EXPECT_EQ(0, look_at(&a));
}

/* Migration away from a page that is about to break loses nothing. */
TEST_F_TIMEOUT(hwpoison, soft_offline, SA_TIMEOUT)
{
	unsigned long pfn;
	struct sa_area a;
	size_t i, n = 0;

	read_back(_metadata, &a, 4);
	for (i = 7; i < N; i += STEP) {
		if (i / STEP % 2)
			write_to(&a, i);
		pfn = pfn_of(a.p + i * SA_PAGE);
		if (madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_SOFT_OFFLINE) ||
		    !HAS(flags_of(pfn), HWPOISON))
			continue;
		self->b.pfn[self->b.nr++] = pfn;
		n++;
	}
	TH_LOG("%zu of %zu pages were given up", n, VICTIMS);
	EXPECT_LT(0, n);
	EXPECT_EQ(0, look_at(&a));
	sa_pageout(a.p, N);
	EXPECT_EQ(0, look_at(&a));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, look_at(&a));
	EXPECT_EQ(0, sa_violations());
}

/*
 * An area with broken pages of both kinds: half of those that were clean are read again,
 * and of what is good some is only swapped, some is mapped.
 */
static void break_some(struct __test_metadata *_metadata, struct broken *b,
		       const struct where *w, struct sa_area *a, __u64 seed)
{
	size_t i;

	read_back(_metadata, a, seed);
	break_clean(_metadata, b, w, a, 3, 2 * STEP);
	break_dirty(_metadata, b, a, 5, 2 * STEP);
	for (i = 3; i < N / 2; i += 2 * STEP)
		EXPECT_TRUE(is_as_wanted(a, i));
	sa_pageout(a->p, N / 2);
}

/* Find lost what was dirty, and nothing that had a good copy or has not broken. */
static void only_those_are_lost(struct __test_metadata *_metadata,
				const struct where *w, struct sa_area *a)
{
	EXPECT_EQ(0, look_at(a));
	if (!w->on)
		return;
	EXPECT_GE((long long)count(LOST), sa_scan("lost"));
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(hwpoison, swapoff_to_ram, SA_TIMEOUT)
{
	struct sa_area a;

	break_some(_metadata, &self->b, &variant->w, &a, 5);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	only_those_are_lost(_metadata, &variant->w, &a);
	/* As good as new for what comes. */
	ASSERT_EQ(0, turn_on(&variant->w, 0));
	sa_pageout(a.p, N);
	only_those_are_lost(_metadata, &variant->w, &a);
	sa_area_unmap(&a);
	if (variant->w.on)
		EXPECT_TRUE(comes_to_hold(sa_dev(0), 0));
}

TEST_F_TIMEOUT(hwpoison, swapoff_to_device, SA_TIMEOUT)
{
	struct sa_area a;

	break_some(_metadata, &self->b, &variant->w, &a, 6);
	ASSERT_EQ(0, turn_on(&variant->w, 1));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	only_those_are_lost(_metadata, &variant->w, &a);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	only_those_are_lost(_metadata, &variant->w, &a);
}

/* What they leave is old copies: they may stay, and nobody sees them. */
TEST_F_TIMEOUT(hwpoison, draining, SA_TIMEOUT)
{
	struct sa_area a;
	long long left;

	if (!variant->w.on)
		SKIP(return, "about tiers");
	break_some(_metadata, &self->b, &variant->w, &a, 7);
	if (variant->w.zswap)
		EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
	ASSERT_EQ(0, turn_on(&variant->w, 1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	left = count(LOST) * SA_PAGE;
	EXPECT_TRUE(sa_wait(sa_tier_num(sa_dev(0), "stored") <= left, SOON)) {
		TH_LOG("%lld pages stay", sa_tier_num(sa_dev(0), "stored") / (long long)SA_PAGE);
	}
	EXPECT_EQ(0, sa_scan("lost"));
	only_those_are_lost(_metadata, &variant->w, &a);
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "online"));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	only_those_are_lost(_metadata, &variant->w, &a);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	only_those_are_lost(_metadata, &variant->w, &a);
}

TEST_F_TIMEOUT(hwpoison, by_hand, SA_TIMEOUT)
{
	struct sa_area a;
	int round;

	if (!variant->w.on)
		SKIP(return, "about tiers");
	break_some(_metadata, &self->b, &variant->w, &a, 8);
	ASSERT_EQ(0, turn_on(&variant->w, 1));
	for (round = 0; round < 2; round++) {
		if (variant->w.zswap)
			EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(1), "promote", "all"));
	}
	EXPECT_EQ(0, sa_scan("lost"));
	only_those_are_lost(_metadata, &variant->w, &a);
	sa_pageout(a.p, N);
	EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
	EXPECT_EQ(0, sa_scan("lost"));
	only_those_are_lost(_metadata, &variant->w, &a);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	only_those_are_lost(_metadata, &variant->w, &a);
}

/* --- shared memory ------------------------------------------------------ */

struct shm {
	int fd;
	unsigned char *p;
	unsigned long pfn[N];		/* while it was mapped */
};

static void shm_write(struct __test_metadata *_metadata, struct shm *s)
{
	size_t i;

	for (i = 0; i < N; i++) {
		sa_fill(s->p + i * SA_PAGE, SA_TEXT, 9, i, gens[i]);
		s->pfn[i] = pfn_of(s->p + i * SA_PAGE);
		ASSERT_NE(0, s->pfn[i]);
	}
}

static void shm_make(struct __test_metadata *_metadata, struct shm *s)
{
	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	s->fd = memfd_create("swap_abs", MFD_CLOEXEC);
	ASSERT_LE(0, s->fd);
	ASSERT_EQ(0, ftruncate(s->fd, N * SA_PAGE));
	s->p = mmap(NULL, N * SA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	ASSERT_NE(MAP_FAILED, s->p);
	madvise(s->p, N * SA_PAGE, MADV_NOHUGEPAGE);
	shm_write(_metadata, s);
}

/* By read() or by a fault: number of pages that are not as they must be */
static size_t shm_look(struct shm *s)
{
	unsigned char page[SA_PAGE];
	size_t i, bad = 0;
	bool none, must_be;

	for (i = 0; i < N && bad < 4; i++) {
		must_be = want[i] != LOST;
		none = i / STEP % 2 ? sa_bus(s->p + i * SA_PAGE) :
			pread(s->fd, page, SA_PAGE, i * SA_PAGE) < 0;
		if (none == must_be) {
			sa_log("page %zu is %s", i, none ? "lost" : "not lost");
			bad++;
		}
		if (!none)
			bad += pread(s->fd, page, SA_PAGE, i * SA_PAGE) != (ssize_t)SA_PAGE ||
				sa_check(page, SA_TEXT, 9, i, gens[i]);
	}
	return bad;
}

TEST_F_TIMEOUT(hwpoison, shmem_clean, SA_TIMEOUT)
{
	static struct shm s;
	enum found found;
	size_t i, n = 0;

	shm_make(_metadata, &s);
	ASSERT_EQ(0, swap_cache_only(true));
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
	/* Those are moved while they are swapped, and then come back from there. */
	ASSERT_EQ(0, turn_on(&variant->w, 1));
	if (variant->w.on)
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "512K"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
	EXPECT_EQ(0, shm_look(&s));
	if (variant->w.on)
		EXPECT_EQ(0, sa_scan("lost"));
	EXPECT_EQ(0, sa_violations());
	close(s.fd);
}

/*
 * Pages that could not be written, and so are dirty in the swap cache, break. The device has
 * what was written there the time before.
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
		ASSERT_EQ(0, sa_format(sa_dm(), variant->w.format));
	shm_make(_metadata, &s);
	sa_pageout(s.p, N);
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, shm_look(&s));
	for (i = 0; i < N; i++)
		gens[i]++;
	shm_write(_metadata, &s);

	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	ASSERT_EQ(0, swap_cache_only(true));
	sa_write("/proc/sys/vm/drop_caches", "1");
	madvise(s.p, N * SA_PAGE, MADV_PAGEOUT);
	EXPECT_TRUE(sa_settle());
	for (i = 3; i < N; i += STEP) {
		if (!HAS(flags_of(s.pfn[i]), DIRTY))
			continue;
		if (break_frame(&self->b, s.pfn[i]) == DIRTY) {
			want[i] = LOST;
			n++;
		}
	}
	TH_LOG("%zu of %zu pages were dirty in the swap cache", n, VICTIMS);
	EXPECT_LT(0, n);
	ASSERT_EQ(0, sa_dm_set(NULL));
	/* Some before swapoff, some only after that. */
	for (i = 3; i < N / 2; i += STEP)
		if (want[i] == LOST)
			EXPECT_TRUE(sa_bus(s.p + i * SA_PAGE));
	for (round = 0; round < 2; round++) {
		EXPECT_EQ(0, round ? 0 : sa_swapoff_child(sa_dm(), OFF_LIMIT));
		EXPECT_EQ(0, shm_look(&s));
	}
	EXPECT_EQ(0, sa_violations());
	close(s.fd);
}

/* --- large folios ------------------------------------------------------- */

/*
 * What becomes of a large folio, once a page of it has broken while somebody held it: it is
 * mapped and held, it is not mapped and held, or it is not mapped and nobody holds it.
 */
enum large { MAPPED, UNMAPPED, RELEASED };

/* Choose a size of folios; what stood there is put back by the end. */
static int choose(struct broken *b, int kb)
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

static bool is_large(unsigned long pfn)
{
	__u64 flags = flags_of(pfn);

	return HAS(flags, COMPOUND_HEAD) || HAS(flags, COMPOUND_TAIL);
}

/*
 * Split what there is of large folios. Freed as a whole, a page that has broken would be
 * allocated anew, by 7.3 as well.
 */
static void take_apart(struct sa_area *a)
{
	char line[128];

	snprintf(line, sizeof(line), "%d,0x%lx,0x%lx,0", getpid(), (unsigned long)a->p,
		 (unsigned long)(a->p + a->n * SA_PAGE));
	sa_write("/sys/kernel/debug/split_huge_pages", line);
}

static void large(struct __test_metadata *_metadata, struct broken *b,
		  const struct where *w, int kb, enum large how)
{
	size_t per = kb / 4, n = (how == RELEASED && kb == 64 ? 16 : 2) * per, victim = 5, i;
	unsigned long pfn, frames[16];
	struct sa_area a, rest;
	struct iovec iov;
	enum found found;
	int p[2];

	/*
	 * When swapoff lets go of the folio, the page that is broken can be allocated anew, as
	 * 7.3 frees it with the others. On a kernel where swapoff then reads into it, and
	 * comes across it for ever, the tests that follow would find it, too.
	 */
	if (how == RELEASED && !sa_full())
		SKIP(return, "in full mode only");
	if (choose(b, kb))
		SKIP(return, "no folios of such a size");
	ASSERT_GE(MAX_PAGES, n);
	memset(want, RIGHT, sizeof(want));
	memset(gens, 0, sizeof(gens));
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, kb));
	ASSERT_EQ(0, madvise(a.p, n * SA_PAGE, MADV_HUGEPAGE));
	sa_area_fill(&a);
	if (!is_large(pfn_of(a.p + victim * SA_PAGE)))
		SKIP(return, "no such folio to be had");

	/* Once: written, they are still in the swap cache, and come from there. */
	sa_write("/proc/sys/vm/drop_caches", "1");
	madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_TRUE(sa_settle());
	pfn = pfn_of(a.p + victim * SA_PAGE);
	ASSERT_NE(0, pfn);
	/* The pipe holds a page beside the one that breaks. */
	ASSERT_EQ(0, pipe(p));
	for (i = 0; i < n; i += per) {
		frames[i / per] = pfn_of(a.p + (i + victim) * SA_PAGE);
		iov = (struct iovec){ a.p + (i + victim + 1) * SA_PAGE, SA_PAGE };
		ASSERT_EQ((ssize_t)SA_PAGE, vmsplice(p[1], &iov, 1, 0));
	}
	if (how != MAPPED)
		madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
	if (!is_large(pfn))
		SKIP(return, "it was split");
	TH_LOG("%d kB: it is %smapped, and %s", kb, pfn_of(a.p + victim * SA_PAGE) ? "" : "not ",
	       is_clean(pfn) ? "clean in the swap cache" : "not clean");
	/* One of each where it matters who comes to use it, else of the first. */
	for (i = 0; i < (how == RELEASED ? n : per); i += per) {
		found = break_frame(b, frames[i / per]);
		EXPECT_EQ(UNSPLIT, found) {
			TH_LOG("%s", found_name[found]);
		}
		/* Mapped with the others, it can be read; its copy may have been dropped. */
		want[i + victim] = EITHER;
	}
	if (how == RELEASED) {
		close(p[0]);
		close(p[1]);
		/* What is freed from here on is what is allocated next. */
		ASSERT_EQ(0, sa_area_map(&rest, 128 * SA_MIB_PAGES, SA_ZERO, 1));
		memset(rest.p, 1, rest.n * SA_PAGE);
	}
	if (w->on) {
		ASSERT_EQ(0, turn_on(w, 1));
		if (w->zswap)
			EXPECT_EQ(0, sa_tier_write(NULL, "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(0), "demote", "all"));
		EXPECT_EQ(0, sa_tier_write(sa_dev(1), "promote", "all"));
		EXPECT_EQ(0, sa_scan("lost"));
		/* To look at them would map them. */
		if (how == MAPPED)
			EXPECT_EQ(0, look_at(&a));
		ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
		usleep(200000);
		EXPECT_EQ(0, sa_scan("lost"));
	}
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	if (w->on) {
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(1), OFF_LIMIT));
		EXPECT_EQ(0, sa_scan("lost"));
	}
	for (i = 0; how == RELEASED && i < b->nr; i++)
		if (HAS(flags_of(b->pfn[i]), SWAPCACHE))
			TH_LOG("page frame %#lx, broken, is in use: %#llx", b->pfn[i],
			       flags_of(b->pfn[i]));
	ASSERT_EQ(0, look_at(&a));
	if (how != RELEASED) {
		close(p[0]);
		close(p[1]);
	}

	/* What has not broken can be swapped out anew. */
	take_apart(&a);
	EXPECT_FALSE(is_large(pfn) && HAS(flags_of(pfn), MMAP));
	ASSERT_EQ(0, turn_on(w, 0));
	for (i = 0; i < n; i++)
		if (want[i] == RIGHT)
			write_to(&a, i);
	sa_pageout(a.p, n);
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), OFF_LIMIT));
	EXPECT_EQ(0, look_at(&a));
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(hwpoison, large_mapped, SA_TIMEOUT)
{
	large(_metadata, &self->b, &variant->w, 64, MAPPED);
}

TEST_F_TIMEOUT(hwpoison, large_unmapped, SA_TIMEOUT)
{
	large(_metadata, &self->b, &variant->w, 64, UNMAPPED);
}

TEST_F_TIMEOUT(hwpoison, large_released, SA_TIMEOUT)
{
	large(_metadata, &self->b, &variant->w, 64, RELEASED);
}

TEST_F_TIMEOUT(hwpoison, huge_mapped, SA_TIMEOUT)
{
	large(_metadata, &self->b, &variant->w, 2048, MAPPED);
}

TEST_F_TIMEOUT(hwpoison, huge_unmapped, SA_TIMEOUT)
{
	large(_metadata, &self->b, &variant->w, 2048, UNMAPPED);
}

TEST_F_TIMEOUT(hwpoison, huge_released, SA_TIMEOUT)
{
	large(_metadata, &self->b, &variant->w, 2048, RELEASED);
}

/* --- races -------------------------------------------------------------- */

struct mover {
	const struct where *w;
	bool stop;
	long rounds, failed;
};

static bool stopped(struct mover *m)
{
	return __atomic_load_n(&m->stop, __ATOMIC_SEQ_CST);
}

static void did(struct mover *m, int ret, const char *what)
{
	if (!ret)
		return;
	sa_log("%s: %s", what, strerror(-ret));
	m->failed++;
}

static void *moves(void *arg)
{
	struct mover *m = arg;

	while (!stopped(m)) {
		if (m->w->zswap)
			did(m, sa_tier_write(NULL, "demote", "all"), "demotion from zswap");
		did(m, sa_tier_write(sa_dev(0), "demote", "all"), "demotion");
		did(m, sa_tier_write(sa_dev(1), "promote", "all"), "promotion");
		m->rounds++;
	}
	return NULL;
}

static void *swaps_off(void *arg)
{
	struct mover *m = arg;
	int i;

	while (!stopped(m)) {
		for (i = 0; i < 2; i++) {
			did(m, sa_swapoff(sa_dev(i)), "swapoff");
			did(m, turn_on(m->w, i), "swapon");
		}
		m->rounds++;
	}
	return NULL;
}

static void forget(struct sa_area *a, size_t i)
{
	madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	write_to(a, i);
	want[i] = RIGHT;
}

/*
 * Break the page that is on its way out. It may be another one's by then, if that is in the
 * swap cache: any may be lost, but one only. Number of pages that are wrong
 */
static size_t break_on_the_way(struct broken *b, struct sa_area *a, size_t i,
			       size_t *nr)
{
	unsigned long pfn = pfn_of(a->p + i * SA_PAGE);
	enum found found;
	size_t lost = 0;

	if (!pfn)
		return 0;
	madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_PAGEOUT);
	swap_cache_only(true);
	found = break_frame(b, pfn);
	swap_cache_only(false);
	nr[found]++;
	if (found == CLEAN || found == NOTHING)
		return !is_as_wanted(a, i);
	for (i = 0; i < a->n; i++) {
		if (!sa_bus(a->p + i * SA_PAGE))
			continue;
		forget(a, i);
		lost++;
	}
	return lost > 1;
}

/* Break it where it is mapped. Number of pages that are wrong */
static size_t break_in_place(struct broken *b, struct sa_area *a, size_t i,
			     size_t *nr)
{
	enum found found = break_page(b, a->p + i * SA_PAGE);
	bool ok;

	nr[found]++;
	want[i] = want_of(found);
	ok = is_as_wanted(a, i);
	if (!ok)
		sa_log("page %zu broke: %s", i, found_name[found]);
	if (want[i] != RIGHT)
		forget(a, i);
	return !ok;
}

static void race(struct __test_metadata *_metadata, struct broken *b,
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

	ASSERT_EQ(0, turn_on(w, 1));
	read_back(_metadata, &a, 10);
	sa_pageout(a.p, N);
	ASSERT_EQ(0, sa_task_start(&task, fn, &m));
	start = sa_now();
	end = start + RACE;
	while (sa_now() < end && bad < 4) {
		i = sa_rand(&rnd) % N;
		p = a.p + i * SA_PAGE;
		/* No more than can be noted, and those at any time of it. */
		enough = b->nr >= MAX_BROKEN * (sa_now() - start) / (end - start);
		switch (sa_rand(&rnd) % (enough ? 3 : 8)) {
		case 0:
			write_to(&a, i);
			break;
		case 1:
			i &= ~15UL;
			madvise(a.p + i * SA_PAGE, 16 * SA_PAGE, MADV_PAGEOUT);
			break;
		case 2:
			bad += !is_as_wanted(&a, i);
			break;
		case 3:
			bad += break_on_the_way(b, &a, i, nr);
			break;
		case 4:
			write_to(&a, i);
			bad += break_in_place(b, &a, i, nr);
			break;
		default:
			/* Most are swapped: this reads it, maps it, and breaks it. */
			madvise(p, SA_PAGE, MADV_PAGEOUT);
			bad += break_in_place(b, &a, i, nr);
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
	EXPECT_EQ(0, look_at(&a));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(i), OFF_LIMIT));
	EXPECT_EQ(0, look_at(&a));
	EXPECT_EQ(0, sa_violations());
}

TEST_F_TIMEOUT(hwpoison, while_moved, SA_TIMEOUT)
{
	if (!variant->w.on)
		SKIP(return, "about tiers");
	race(_metadata, &self->b, &variant->w, moves);
}

TEST_F_TIMEOUT(hwpoison, while_swapped_off, SA_TIMEOUT)
{
	race(_metadata, &self->b, &variant->w, swaps_off);
}

TEST_HARNESS_MAIN
