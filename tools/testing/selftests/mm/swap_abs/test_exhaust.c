// SPDX-License-Identifier: GPL-2.0
/*
 * These tests let swap run out, or seem to run out. They check the end of a
 * process that wants more than fits, and they check processes that must not end
 * because there is room: in dead space, on a device that others may not use, or
 * on a device whose writes fail for a while.
 *
 * The test fails on a kernel that holds fewer pages before it kills than it
 * does without the layer, or takes much longer for that, also where the cgroup
 * may not swap at all; that scans the same pages again and again; that floods
 * the log; that keeps some pages of the victim; that kills although a packed
 * device has dead space, or when zswap has filled a cgroup while a device has
 * room; that lets a cgroup use up the capacity of a device that it may not use;
 * that loses blocks of a device for good by errors that pass; or that leaves
 * pages without a user in the swap cache.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tiers.h"

/* --- until all swap is full ----------------------------------------------- */

enum place { RAW, PACKED, NOTHING, ZSWAP, ZSWAP_RAW, NR_PLACES };

static const char * const place_name[] = {
	[RAW]		= "raw",
	[PACKED]	= "packed",
	[NOTHING]	= "nothing",
	[ZSWAP]		= "zswap",
	[ZSWAP_RAW]	= "zswap and raw",
};

static bool has_zswap(enum place place)
{
	return place >= ZSWAP;
}

static bool has_device(enum place place)
{
	return place != ZSWAP && place != NOTHING;
}

/* The size of the device, and the memory limit of the process that fills it */
#define END_DEV		(40 * SA_MIB_PAGES)
#define END_MAX		(40 * SA_MIB)
#define END_LEAVE	(64 * SA_MIB)
/*
 * Seconds until all must be free again, and until the kernel must have killed
 */
#define END_FREE	5
#define END_LATE	90
/* The same where reclaim has nothing to try */
#define END_SOON	6
/*
 * The test repeats both runs up to this number of times, until the run with the
 * layer is not worse, because any kernel sometimes kills early when all pages
 * that it could reclaim are under writeback.
 */
#define END_ROUNDS	4

/*
 * Looks at each page that the layer may add to those without it: see
 * max_scans()
 */
#define END_LOOKS	3
/* The number of measurements; more than half of them must be good. */
#define END_COUNTED	(sa_is_full() ? 5 : 3)
/* Reports of failed allocations that the log may have; none has been seen */
#define END_REPORTS	3

/* The work between the last page that any tier took and the OOM kill */
struct vain {
	long long scans;		/* pages */
	double cpu, seconds;
};

/* The outcome of a run */
struct end {
	bool done;
	double seconds;
	long long pages;		/* of the victim */
	long long direct, kswapd;	/* pages scanned */
	long long left;			/* bytes of swap in use END_FREE later */
	struct vain vain;
};

/*
 * The outcome without the layer, for all tests:
 * [place][text][global][lru_gen][large]
 */
static struct end (*without)[2][2][2][2];

static void __attribute__((constructor)) share_ends(void)
{
	void *p = mmap(NULL, NR_PLACES * sizeof(*without), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	without = p;
}

FIXTURE(oom)
{
};

#define THP	"/sys/kernel/mm/transparent_hugepage/hugepages-"
#define LARGE	THP "64kB"
#define LARGE_PAGES	16

/*
 * With these settings an area with huge pages gets folios of 64 kB, and no
 * larger ones.
 */
static const char * const thp_files[] = { LARGE "/enabled", THP "2048kB/enabled" };
static const char * const thp_choices[] = { "always", "never" };
static char thp_was[ARRAY_SIZE(thp_files)][16];

/*
 * Save the choice, which is the word in brackets; the parent process restores
 * it
 */
static void __attribute__((constructor)) save_thp(void)
{
	char text[128], *from, *to;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(thp_files); i++) {
		if (sa_read(thp_files[i], text, sizeof(text)) < 0)
			continue;
		from = strchr(text, '[');
		to = from ? strchr(from, ']') : NULL;
		if (!to)
			continue;
		*to = 0;
		snprintf(thp_was[i], sizeof(thp_was[i]), "%.15s", from + 1);
	}
}

static bool enable_thp(void)
{
	return !sa_write(thp_files[0], thp_choices[0]) && !sa_write(thp_files[1], thp_choices[1]);
}

static void restore_thp(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(thp_files); i++)
		if (thp_was[i][0])
			sa_write(thp_files[i], thp_was[i]);
}

FIXTURE_VARIANT(oom)
{
	enum place place;
	bool on, lru_gen, large;
};

FIXTURE_VARIANT_ADD(oom, raw_off) { .place = RAW };

FIXTURE_VARIANT_ADD(oom, raw_on) { .place = RAW, .on = true };

FIXTURE_VARIANT_ADD(oom, packed_on) { .place = PACKED, .on = true };

FIXTURE_VARIANT_ADD(oom, zswap_on) { .place = ZSWAP, .on = true };

FIXTURE_VARIANT_ADD(oom, zswap_raw_off) { .place = ZSWAP_RAW };

FIXTURE_VARIANT_ADD(oom, zswap_raw_on) { .place = ZSWAP_RAW, .on = true };

FIXTURE_VARIANT_ADD(oom, raw_on_lru_gen) { .place = RAW, .on = true, .lru_gen = true };

FIXTURE_VARIANT_ADD(oom, packed_on_lru_gen) { .place = PACKED, .on = true, .lru_gen = true };

FIXTURE_VARIANT_ADD(oom, zswap_on_lru_gen) { .place = ZSWAP, .on = true, .lru_gen = true };

FIXTURE_VARIANT_ADD(oom, zswap_raw_on_lru_gen) {
	.place = ZSWAP_RAW, .on = true, .lru_gen = true,
};

FIXTURE_VARIANT_ADD(oom, raw_on_large) { .place = RAW, .on = true, .large = true };

FIXTURE_VARIANT_ADD(oom, packed_on_large) { .place = PACKED, .on = true, .large = true };

FIXTURE_SETUP(oom)
{
	unsigned int needs = (has_device(variant->place) ? SA_NEED_DEV : 0) |
			     (has_zswap(variant->place) ? SA_NEED_ZSWAP : 0);
	const char *why = sa_begin(variant->on, needs);

	if (!why && variant->lru_gen && sa_write(SA_LRU_GEN, "y"))
		why = "no LRU with generations";
	if (!why && variant->large && !enable_thp())
		why = "no folios of 64 kB";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(oom)
{
	if (variant->large)
		restore_thp();
	if (variant->lru_gen)
		sa_write(SA_LRU_GEN, "n");
	EXPECT_EQ(0, sa_end());
}

struct hog {
	enum sa_pat pat;
	size_t pages;
	bool large;
	atomic_ullong *progress;
};

static int run_hog(void *arg)
{
	struct hog *h = arg;
	struct sa_area a;
	size_t i;

	if (sa_area_map(&a, h->pages, h->pat, 3))
		return 2;
	if (h->large && madvise(a.p, a.n * SA_PAGE, MADV_HUGEPAGE))
		return 3;
	for (i = 0; i < a.n; i++) {
		sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0);
		*h->progress = i + 1;
	}
	/* All pages fit. */
	return 1;
}

static void begin_exhaustion(struct __test_metadata *_metadata, enum place place, bool on,
			     bool global)
{
	long long total = sa_meminfo("MemTotal"), percent;
	char text[16];

	ASSERT_EQ(0, sa_set_layer(on));
	if (has_zswap(place)) {
		/* A third of the usable memory may be compressed. */
		percent = global ? END_LEAVE / 3 * 100 / total : 20;
		snprintf(text, sizeof(text), "%lld", percent ? percent : 1);
		ASSERT_EQ(0, sa_zswap_param("max_pool_percent", text));
		ASSERT_EQ(0, sa_set_zswap(true));
	}
	if (has_device(place)) {
		ASSERT_EQ(0, sa_swapon(sa_dev(0), END_DEV, -1));
		if (on)
			ASSERT_EQ(0, sa_set_format(sa_dev(0), place == PACKED ? "packed" : "raw"));
	}
}

static void end_exhaustion(struct __test_metadata *_metadata, enum place place)
{
	if (has_device(place))
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	if (has_zswap(place))
		EXPECT_EQ(0, sa_set_zswap(false));
}

static long long max_of(long long a, long long b)
{
	return a > b ? a : b;
}

/* Return the bytes of swap in use, by the counter that says most */
static long long swap_bytes_in_use(enum place place, bool on)
{
	long long use = sa_meminfo("SwapTotal") - sa_meminfo("SwapFree");

	if (on && has_device(place))
		use = max_of(use, sa_tier_num(sa_dev(0), "used"));
	if (on && has_zswap(place))
		use = max_of(use, sa_tier_num(NULL, "stored"));
	return use;
}

static long long pages_scanned(const char *cg, const char *by)
{
	char key[32];

	snprintf(key, sizeof(key), "pgscan_%s", by);
	return cg ? sa_cg_key(cg, "memory.stat", key) : sa_vmstat(key);
}

/*
 * Progress: pages that went out, pages scanned, and the CPU time of all
 * processes in question
 */
struct mark {
	long long out, scans, usec;
	double when;
};

static struct mark read_marks(const char *cg)
{
	struct mark m = { .when = sa_now() };

	if (cg)
		m.out = sa_cg_key(cg, "memory.stat", "pswpout") +
			sa_cg_key(cg, "memory.stat", "zswpout");
	else
		m.out = sa_vmstat("pswpout") + sa_vmstat("zswpout");
	m.scans = pages_scanned(cg, "direct") + pages_scanned(cg, "kswapd");
	m.usec = sa_cg_key(cg ? cg : sa_cg_root(), "cpu.stat", "usage_usec");
	return m;
}

static long long oom_kills(const char *cg)
{
	return cg ? sa_cg_key(cg, "memory.events", "oom_kill") : sa_vmstat("oom_kill");
}

/* Watch a process until it ends or the OOM killer acts */
static struct vain watch_for_kill(pid_t pid, const char *cg)
{
	struct mark last = read_marks(cg), now = last;
	long long kills = oom_kills(cg);
	double end = sa_now() + END_LATE;
	siginfo_t info = { };

	while (oom_kills(cg) == kills && sa_now() < end) {
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
			break;
		now = read_marks(cg);
		if (now.out != last.out)
			last = now;
		usleep(2000);
	}
	now = read_marks(cg);
	return (struct vain){
		.scans = now.scans - last.scans, .cpu = (now.usec - last.usec) / 1e6,
		.seconds = now.when - last.when,
	};
}

/*
 * Check the log. It may have a few reports of failed allocations by a process
 * that is dying, with their traces, besides the report of the OOM kill. More
 * reports mean trouble of the kernel itself.
 */
static void check_reports(struct __test_metadata *_metadata, int log, long long killed)
{
	char *text = malloc(SA_MIB / 2), *line, *save = NULL;
	long reports = 0, traces = 0, more;

	ASSERT_NE(NULL, text);
	EXPECT_EQ(0, sa_log_close(log, text, SA_MIB / 2)) {
		TH_LOG("the log is flooded");
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		reports += strstr(line, "page allocation failure") ||
			   strstr(line, "page allocation stall");
		traces += !!strstr(line, "Call Trace:");
		/*
		 * The kernel suppresses reports when there are too many of
		 * them.
		 */
		if (sscanf(line, "warn_alloc: %ld callbacks suppressed", &more) == 1)
			reports += more;
	}
	EXPECT_GE(END_REPORTS, reports) {
		TH_LOG("the log reports %ld failed allocations", reports);
	}
	EXPECT_GE(END_REPORTS + killed, traces) {
		TH_LOG("%ld traces in the log, with %lld OOM kills", traces, killed);
	}
	free(text);
}

/* Fill all swap with a process until the OOM killer kills it */
static void fill_all_swap(struct __test_metadata *_metadata, enum place place, bool on,
			  enum sa_pat pat, bool global, bool large, struct end *e)
{
	struct hog h = { .pat = pat, .large = large, .progress = sa_map_shared() };
	long long direct, kswapd, killed, left, idle, folios = 0;
	char cg[256], *where = NULL;
	pid_t pid, balloon = 0;
	double start, took;
	struct vain vain;
	int ret, log = -1;

	ASSERT_NE(NULL, h.progress);
	/*
	 * The size is four times the device, because text compresses 2:1 to
	 * 3:1, and all memory in addition.
	 */
	h.pages = END_DEV * 4 + (global ? sa_meminfo("MemTotal") : END_MAX * 4) / SA_PAGE;
	begin_exhaustion(_metadata, place, on, global);
	/* Other processes may have some pages in zswap since the run before. */
	idle = swap_bytes_in_use(place, on);
	EXPECT_LE(idle, global && has_zswap(place) ? SLACK : 0) {
		TH_LOG("nothing is swapped: SwapTotal %lld, SwapFree %lld; in use %lld",
		       sa_meminfo("SwapTotal"), sa_meminfo("SwapFree"), idle);
	}
	idle = max_of(idle, 0);
	if (global) {
		idle += 4 * SLACK;
		/* The victim may still allocate memory while it exits. */
		sa_log_expect("page allocation failure|Call Trace:");
		log = sa_log_open();
		ASSERT_LE(0, log);
		balloon = sa_balloon_start(END_LEAVE);
		ASSERT_LT(0, balloon);
	} else {
		ASSERT_EQ(0, sa_cg_make("end", END_MAX, cg, sizeof(cg)));
		where = cg;
		if (place == ZSWAP_RAW)
			ASSERT_EQ(0, sa_cg_write_num(cg, "memory.zswap.max", END_MAX / 3));
	}
	direct = pages_scanned(where, "direct");
	kswapd = pages_scanned(where, "kswapd");
	killed = oom_kills(where);
	if (large)
		folios = sa_read_num(LARGE "/stats/anon_fault_alloc");

	start = sa_now();
	pid = sa_start(where, run_hog, &h);
	vain = watch_for_kill(pid, where);
	ret = sa_join(pid, END_LATE);
	took = sa_now() - start;

	direct = pages_scanned(where, "direct") - direct;
	kswapd = pages_scanned(where, "kswapd") - kswapd;
	killed = oom_kills(where) - killed;
	EXPECT_TRUE(sa_was_killed(ret)) {
		TH_LOG("the process that fills all: status %d%s after %.1f s, %llu pages", ret,
		       ret == SA_LATE ? " (not killed in time)" : ret == 1 ? " (it fits)" : "",
		       took, *h.progress);
	}
	EXPECT_EQ(1, killed) {
		TH_LOG("%lld OOM kills, not one", killed);
	}

	/*
	 * Most slots become free at once, and the rest when the swap cache is
	 * purged.
	 */
	sa_wait(swap_bytes_in_use(place, on) <= idle, on ? END_FREE : 1);
	left = max_of(swap_bytes_in_use(place, on) - idle, 0);
	EXPECT_TRUE(sa_wait_purged(swap_bytes_in_use(place, on) <= idle, END_FREE)) {
		TH_LOG("%lld bytes too many of swap are in use: SwapTotal %lld, SwapFree %lld",
		       swap_bytes_in_use(place, on) - idle, sa_meminfo("SwapTotal"),
		       sa_meminfo("SwapFree"));
		TH_LOG("of tiers: device %lld, zswap %lld; %lld in the swap cache",
		       sa_tier_num(sa_dev(0), "used"), sa_tier_num(NULL, "used"),
		       sa_swap_cached());
	}
	EXPECT_EQ(0, sa_violations());
	sa_balloon_end(balloon);
	if (global) {
		sa_log_expect(NULL);
		check_reports(_metadata, log, killed);
	} else {
		EXPECT_EQ(0, sa_cg_destroy(cg));
	}
	end_exhaustion(_metadata, place);

	TH_LOG("%s, %s, %s, layer %s: killed after %.2f s with %llu pages",
	       place_name[place], sa_pat_name[pat], global ? "global" : "cgroup",
	       on ? "on" : "off", took, *h.progress);
	if (large) {
		folios = sa_read_num(LARGE "/stats/anon_fault_alloc") - folios;
		TH_LOG("%lld pages of them were in large folios", folios * LARGE_PAGES);
		/* Folios get split when all memory is in use. */
		EXPECT_LE(global ? 1 : (long long)*h.progress / 4, folios * LARGE_PAGES);
	}
	TH_LOG("scanned %lld + %lld (direct + kswapd), %lld bytes of swap left", direct, kswapd,
	       left);
	TH_LOG("of that %lld since the last page went out, in %.3f s with %.3f s of CPU",
	       vain.scans, vain.seconds, vain.cpu);
	*e = (struct end){
		.done = true, .seconds = took, .pages = *h.progress,
		.direct = direct, .kswapd = kswapd, .left = left, .vain = vain,
	};
	munmap(h.progress, SA_PAGE);
}

static double safe_ratio(double a, double b)
{
	return a / (b > 0 ? b : 1);
}

/*
 * Return the time limit in seconds. KASAN makes the compression of refused
 * pages slow.
 */
static double time_limit(double off)
{
	bool slow = !access("/sys/kernel/debug/kmemleak", F_OK);

	return slow ? off * 3 + 30 : off * 1.5 + 0.1;
}

/*
 * Return how many pages the kernel may scan until the OOM kill. For each page
 * that is held, the limit is the number of looks without the layer and a fifth
 * more, and END_LOOKS in addition. Measured in at least five runs of each of
 * these tests (User Mode Linux of 1 GB, 160 runs): 0.9 to 2.5 looks at a page
 * without the layer, and at most 0.1 with nothing to swap to; with the layer
 * 1.0 to 3.2. The layer adds at most 2.3 looks for zswap alone, because the
 * kernel tries each page and zswap refuses it, and 1.8 looks for others. (With
 * lru_gen in a cgroup, devices had 6 to 49 looks while the kernel used old
 * counts, and 1.7 to 1.9 since then.)
 *
 * A kernel that looks at each page ten times is above this limit in any case,
 * because the limit uses at most three looks of the run without the layer: some
 * of these runs have 13 to 24 looks, when all pages that could be reclaimed are
 * under writeback.
 */
static long long max_scans(const struct end *off, const struct end *with)
{
	double looks = safe_ratio(off->direct + off->kswapd, off->pages);

	/* A kernel does not need more looks; see the comment above. */
	if (looks > 3)
		looks = 3;
	return (1.2 * looks + END_LOOKS) * max_of(with->pages, off->pages);
}

/*
 * Return how many pages the kernel may scan after the last page that any tier
 * took. The limit is a fifth more than without the layer, and two looks at each
 * page in addition. Measured (User Mode Linux, 120 runs): without the layer
 * mostly 0 to 0.1 looks, but sometimes 13 to 740 looks of the
 * multi-generational LRU (7 s long); with the layer at most 1.4 looks (0.6 s).
 * For zswap alone the limit counts all looks from the point where zswap takes
 * no page.
 */
static long long max_vain_scans(const struct end *off, const struct end *with, enum place place)
{
	return 1.2 * off->vain.scans + (place == ZSWAP ? END_LOOKS : 2) * with->pages;
}

/*
 * Compare a run with a reference run: the same without the layer; a raw device
 * for a packed one; and nothing to swap to for zswap alone. The reference must
 * not hold more pages. (The kernel takes a while to find out that zswap refuses
 * pages.)
 */
static void compare_exhaustion(struct __test_metadata *_metadata, enum place place, bool on,
			       bool lru_gen, bool large, enum sa_pat pat, bool global)
{
	enum place other = place == PACKED ? RAW : place == ZSWAP ? NOTHING : place;
	struct end *off = &without[other][pat == SA_TEXT][global][lru_gen][large];
	int round, few = 0, many = 0, counted = END_COUNTED;
	struct end base = { }, with = { }, now = { };
	long long least = 0, scans;
	bool good = false;
	double limit = 0;

	if (global && !sa_is_dedicated())
		SKIP(return, "the machine may have other users: only with -g");
	if (!on) {
		fill_all_swap(_metadata, place, false, pat, global, large, off);
		return;
	}
	/* Other load may slow down one of the runs, but not each time. */
	for (round = 0; round < END_ROUNDS || 2 * max_of(few, many) <= counted; round++) {
		if (!off->done || (round && !good))
			fill_all_swap(_metadata, other, false, pat, global, large, off);
		fill_all_swap(_metadata, place, true, pat, global, large, &now);
		scans = max_scans(off, &now);
		if (now.direct + now.kswapd > scans ||
		    now.vain.scans > max_vain_scans(off, &now, place))
			many++;
		else
			few++;
		TH_LOG("with to without: time %.2f, pages %.3f, scanned %.2f (%lld to %lld)",
		       safe_ratio(now.seconds, off->seconds), safe_ratio(now.pages, off->pages),
		       safe_ratio(now.direct + now.kswapd, off->direct + off->kswapd),
		       now.direct + now.kswapd, off->direct + off->kswapd);
		TH_LOG("scanned: %.1f looks at a page, up to %.1f are in order",
		       safe_ratio(now.direct + now.kswapd, now.pages),
		       safe_ratio(scans, now.pages));
		if (!good) {
			with = now;
			base = *off;
			limit = time_limit(off->seconds);
			least = off->pages * 97 / 100;
			/*
			 * The time grows with the number of pages that are
			 * held.
			 */
			if (with.pages > off->pages)
				limit *= safe_ratio(with.pages, off->pages);
			/*
			 * Data that does not compress can't use the spare
			 * clusters.
			 */
			if (place == PACKED && pat == SA_RANDOM)
				least -= 2 * sa_cluster_slots();
			/* On an emulated CPU, compression may take any time. */
			if (place == ZSWAP || !sa_is_uml())
				limit = END_LATE;
			good = with.seconds <= limit && with.pages >= least &&
				with.left <= off->left + SLACK;
		}
		if (good && 2 * max_of(few, many) > counted)
			break;
	}
	EXPECT_TRUE(with.seconds <= limit) {
		TH_LOG("killed after %.2f s, without the layer after %.2f s: %.2f at most",
		       with.seconds, base.seconds, limit);
	}
	EXPECT_LE(least, with.pages) {
		TH_LOG("%lld pages when killed, without the layer %lld", with.pages,
		       base.pages);
	}
	/* The swap cache may still have pages of a process that has ended. */
	EXPECT_LE(with.left, base.left + SLACK) {
		TH_LOG("%lld bytes of swap in use %d s later, without the layer %lld",
		       with.left, END_FREE, base.left);
	}
	EXPECT_LT(many, few) {
		TH_LOG("in %d of %d rounds too many pages were scanned", many, many + few);
	}
}

TEST_F_TIMEOUT(oom, random_cgroup, SA_TIMEOUT)
{
	compare_exhaustion(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
			   SA_RANDOM, false);
}

TEST_F_TIMEOUT(oom, text_cgroup, SA_TIMEOUT)
{
	compare_exhaustion(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
			   SA_TEXT, false);
}

TEST_F_TIMEOUT(oom, random_global, SA_TIMEOUT)
{
	compare_exhaustion(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
			   SA_RANDOM, true);
}

TEST_F_TIMEOUT(oom, text_global, SA_TIMEOUT)
{
	compare_exhaustion(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
			   SA_TEXT, true);
}

/* --- data that fits ------------------------------------------------------- */

FIXTURE(fits)
{
	const char *dev;
};

FIXTURE_VARIANT(fits)
{
	bool on, packed;
};

FIXTURE_VARIANT_ADD(fits, raw_off) { .on = false };

FIXTURE_VARIANT_ADD(fits, raw_on) { .on = true };

FIXTURE_VARIANT_ADD(fits, packed_on) { .on = true, .packed = true };

FIXTURE_SETUP(fits)
{
	const char *why = sa_begin(variant->on, SA_NEED_DEV);

	signal(SIGPIPE, SIG_IGN);
	if (why)
		SKIP(return, "%s", why);
	self->dev = sa_dev(0);
}

FIXTURE_TEARDOWN_PARENT(fits)
{
	EXPECT_EQ(0, sa_end());
}

static int swapon_with_format(const char *dev, size_t pages, bool on, bool packed)
{
	int ret = sa_swapon(dev, pages, -1);

	return ret || !on ? ret : sa_set_format(dev, packed ? "packed" : "raw");
}

/*
 * Return the bytes of a compressed page of text, by zswap's counters or by a
 * guess
 */
static size_t compressed_length(struct __test_metadata *_metadata)
{
	size_t n = SA_MIB_PAGES / 2;
	long long bytes = 0;
	struct sa_area a;

	if (sa_set_zswap(true))
		return 1900;
	make_area(_metadata, &a, n, SA_TEXT, 8);
	bytes = sa_zswap_bytes();
	EXPECT_EQ(n, sa_pageout(a.p, n));
	bytes = (sa_zswap_bytes() - bytes) / n;
	sa_area_unmap(&a);
	EXPECT_EQ(0, sa_set_zswap(false));
	EXPECT_LT(100, bytes);
	EXPECT_GT(SA_PAGE, bytes);
	return bytes + 16;
}

/*
 * Any kernel sometimes kills under a limit, see test_pressure.c, so a test
 * fails only if the kernel kills in each try.
 */
#define TRIES	3

static void log_device(struct __test_metadata *_metadata, const char *when)
{
	TH_LOG("%s: SwapFree %lld of %lld, used %lld, stored %lld", when, sa_meminfo("SwapFree"),
	       sa_meminfo("SwapTotal"), sa_tier_num(sa_dev(0), "used"),
	       sa_tier_num(sa_dev(0), "stored"));
}

/*
 * Expect that nobody in the cgroup was killed and that the process ended well
 */
static void expect_not_killed(struct __test_metadata *_metadata, const char *cg, int status)
{
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill")) {
		TH_LOG("killed, with SwapFree %lld of %lld; the device: used %lld, stored %lld",
		       sa_meminfo("SwapFree"), sa_meminfo("SwapTotal"),
		       sa_tier_num(sa_dev(0), "used"), sa_tier_num(sa_dev(0), "stored"));
	}
	EXPECT_EQ(0, status) {
		TH_LOG("status %d%s", status, status == 1 ? " (wrong bytes)" :
		       sa_was_killed(status) ? " (killed)" :
		       status == SA_LATE ? " (not ready in time)" : "");
	}
}

static int fill_and_read_twice(void *arg)
{
	size_t n = *(size_t *)arg;
	struct sa_area a;

	if (sa_area_map(&a, n, SA_TEXT, 11))
		return 2;
	sa_area_fill(&a);
	madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
	return sa_area_check(&a) || sa_area_check(&a) ? 1 : 0;
}

/*
 * The data is larger than the memory of the cgroup, and smaller than that
 * memory and the device together. Reads leave dead space behind, and other
 * pages must go out for them.
 */
TEST_F_TIMEOUT(fits, read_in_turn, SA_TIMEOUT)
{
	size_t n = 90 * SA_MIB_PAGES;
	char cg[256];
	int ret, i;

	ASSERT_EQ(0, swapon_with_format(self->dev, 32 * SA_MIB_PAGES, variant->on,
					variant->packed));
	for (i = 1;; i++) {
		ASSERT_EQ(0, sa_cg_make("turn", 70 * SA_MIB, cg, sizeof(cg)));
		ret = sa_run(cg, fill_and_read_twice, &n, LIMIT);
		if (!sa_was_killed(ret) || i == TRIES)
			break;
		log_device(_metadata, "killed, tried again; now");
		EXPECT_EQ(0, sa_cg_destroy(cg));
	}
	expect_not_killed(_metadata, cg, ret);
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
}

struct replaced {
	atomic_ullong done, bad, filled;
};

struct replace {
	size_t pages, writes;
	double seconds;
	struct replaced *shared;
};

/* Give random pages back, and write new ones */
static int run_replacer(void *arg)
{
	struct replace *r = arg;
	__u32 *gens = calloc(r->pages, sizeof(*gens));
	struct sa_area a;
	__u64 rnd = 12;
	double end;
	size_t i;

	if (!gens || sa_area_map(&a, r->pages, SA_TEXT, 12))
		return 2;
	sa_area_fill(&a);
	r->shared->filled = 1;
	end = sa_now() + r->seconds;
	while (r->shared->done < r->writes && sa_now() < end) {
		void *p;

		i = sa_rand(&rnd) % a.n;
		p = a.p + i * SA_PAGE;
		/* The process reads a few of the pages before that. */
		if (!(r->shared->done & 31))
			r->shared->bad += !!sa_check_page(p, a.pat, a.seed, i, gens[i]);
		madvise(p, SA_PAGE, MADV_DONTNEED);
		sa_fill_page(p, a.pat, a.seed, i, ++gens[i]);
		r->shared->done++;
	}
	for (i = 0; i < a.n && r->shared->bad < 4; i++)
		r->shared->bad += !!sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, gens[i]);
	return r->shared->bad ? 1 : 0;
}

/*
 * Pages die one by one on a packed device that is 70 % alive, and others come.
 * The kernel must count dead space as free, and must find it when it is needed.
 */
TEST_F_TIMEOUT(fits, replaced, SA_TIMEOUT)
{
	struct replace r = { .shared = sa_map_shared(), .seconds = sa_is_full() ? 120 : 6 };
	size_t dev_pages = 64 * SA_MIB_PAGES, length, out, max;
	long long left = 0, least = 1LL << 62, next = 0;
	char cg[256], series[256] = "";
	int ret, len = 0;
	double end;
	pid_t pid;

	if (!variant->packed)
		SKIP(return, "dead space needs compression");
	ASSERT_NE(NULL, r.shared);
	if (sa_is_full() && sa_dev_pages(0) >= 256 * SA_MIB_PAGES)
		dev_pages = 256 * SA_MIB_PAGES;
	length = compressed_length(_metadata);
	ASSERT_EQ(0, swapon_with_format(self->dev, dev_pages, true, true));
	out = dev_pages * SA_PAGE / length * 7 / 10;
	max = out * SA_PAGE / 4;
	/* The process needs some memory for itself. */
	r.pages = out + (max - 2 * SA_MIB) / SA_PAGE;
	r.writes = dev_pages * SA_PAGE / length * (sa_is_full() ? 10 : 3);
	TH_LOG("%zu bytes a page: %zu pages out, %zu in all, %zu to be written", length, out,
	       r.pages, r.writes);
	ASSERT_EQ(0, sa_cg_make("replaced", max, cg, sizeof(cg)));
	pid = sa_start(cg, run_replacer, &r);
	end = sa_now() + LIMIT;
	/* The loop logs SwapFree ten times. */
	while (sa_now() < end && !sa_has_ended(pid) && r.shared->done < r.writes) {
		left = sa_meminfo("SwapFree");
		if (r.shared->filled && left < least)
			least = left;
		if (r.shared->filled && (long long)r.shared->done >= next) {
			len += snprintf(series + len, sizeof(series) - len, " %.1f",
					(double)left / SA_MIB);
			next += r.writes / 10;
		}
		usleep(20000);
	}
	ret = sa_join(pid, LIMIT);
	TH_LOG("%llu of %zu pages rewritten; SwapFree in MiB, meanwhile:%s; least %.1f",
	       r.shared->done, r.writes, series, (double)least / SA_MIB);
	expect_not_killed(_metadata, cg, ret);
	EXPECT_EQ(0, r.shared->bad);
	/*
	 * 30 % are free. The kernel may count less, but only for the part that
	 * it can't collect.
	 */
	EXPECT_LE(sa_meminfo("SwapTotal") / 10, left) {
		TH_LOG("at last %lld bytes of SwapFree, %lld of SwapTotal", left,
		       sa_meminfo("SwapTotal"));
	}
	EXPECT_LT(dev_pages / 2, r.shared->done) {
		TH_LOG("only %llu pages were written in time", r.shared->done);
	}
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
}

/*
 * Let the cgroups push out as many pages as they can. Return the free swap
 * after that.
 */
static long long reclaim_all(const char * const *cg, int nr, long long until, int seconds)
{
	size_t step = 128 * 1024;
	int refused = 0, i;
	double end = sa_now() + seconds;
	long long left;

	do {
		int did = 0;

		for (i = 0; i < nr; i++)
			did += !sa_cg_try_reclaim(cg[i], step);
		refused = did ? 0 : refused + 1;
		if (refused)
			usleep(10000);
		left = sa_meminfo("SwapFree");
	} while (left > until && refused < 20 && sa_now() < end);
	return left;
}

/* Wait until the kernel collects nothing and writes nothing */
static void wait_no_collection(void)
{
	sleep(1);
	sa_wait_writeback();
}

/*
 * Expect that a cgroup finds room when half of the data on the device is dead:
 * for reclaim, which asks for room before it tries, and for a process that
 * grows
 */
static void expect_room_again(struct __test_metadata *_metadata, const char *cg)
{
	struct sa_fill more = { 12 * SA_MIB_PAGES, SA_TEXT };
	double start = sa_now();
	int ret = -1;

	log_device(_metadata, "half of the device is dead");
	/*
	 * The test does not use MADV_PAGEOUT, which tries harder than reclaim
	 * does.
	 */
	sa_wait(!(ret = sa_cg_try_reclaim(cg, 4 * SA_MIB)), 10);
	TH_LOG("reclaim returned %d after %.2f s", ret, sa_now() - start);
	log_device(_metadata, "after reclaim");
	EXPECT_EQ(0, ret) {
		TH_LOG("nothing can be reclaimed (%d) though half of the device is dead", ret);
	}
	ASSERT_EQ(0, sa_cg_write_num(cg, "memory.max",
				     sa_cg_num(cg, "memory.current") + 6 * SA_MIB));
	ret = sa_run(cg, sa_run_fill, &more, LIMIT);
	expect_not_killed(_metadata, cg, ret);
	EXPECT_EQ(0, sa_cg_write(cg, "memory.max", "max"));
}

/* Return how many pages of text the device has room for */
static size_t pages_that_fit(struct __test_metadata *_metadata, size_t dev_pages, bool packed)
{
	return packed ? dev_pages * SA_PAGE / compressed_length(_metadata) : dev_pages;
}

#define SHARED_DEV	(32 * SA_MIB_PAGES)

/*
 * Two processes fill the device together, so that their data is mixed, and one
 * of them ends
 */
TEST_F_TIMEOUT(fits, other_dies, SA_TIMEOUT)
{
	size_t fit = pages_that_fit(_metadata, SHARED_DEV, variant->packed);
	struct sa_holder h[2];
	const char *name[2];
	char cg[2][256];
	int i;

	ASSERT_EQ(0, swapon_with_format(self->dev, SHARED_DEV, variant->on, variant->packed));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_cg_make(i ? "dies" : "stays", 0, cg[i], sizeof(cg[i])));
		/* The process that stays has always more pages than fit. */
		ASSERT_EQ(0, sa_keep_start(&h[i], i ? fit * 3 / 4 : fit * 5 / 4, SA_TEXT, cg[i]));
		name[i] = cg[i];
	}
	/*
	 * The process that stays pushes out first and last, so hardly any
	 * cluster belongs to the other one alone.
	 */
	reclaim_all(name, 2, 5 * SA_MIB, SOON);
	EXPECT_GE(SLACK, reclaim_all(name, 1, 0, SOON));
	wait_no_collection();
	log_device(_metadata, "full");
	sa_hold_kill(&h[1]);
	expect_room_again(_metadata, cg[0]);
	EXPECT_EQ(0, sa_hold_ask(&h[0], 'c'));
	EXPECT_EQ(0, sa_hold_end(&h[0]));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sa_cg_destroy(cg[i]));
	EXPECT_EQ(0, sa_violations());
}

/*
 * A process fills the device and gives every other page back, so no cluster
 * gets empty
 */
TEST_F_TIMEOUT(fits, pages_die, SA_TIMEOUT)
{
	size_t fit = pages_that_fit(_metadata, SHARED_DEV, variant->packed);
	const char *name;
	struct sa_holder h;
	char cg[256];

	ASSERT_EQ(0, swapon_with_format(self->dev, SHARED_DEV, variant->on, variant->packed));
	ASSERT_EQ(0, sa_cg_make("stays", 0, cg, sizeof(cg)));
	name = cg;
	ASSERT_EQ(0, sa_keep_start(&h, fit * 3 / 2, SA_TEXT, cg));
	EXPECT_GE(SLACK, reclaim_all(&name, 1, 0, SOON));
	wait_no_collection();
	log_device(_metadata, "full");
	ASSERT_EQ(0, sa_hold_ask(&h, 'd'));
	expect_room_again(_metadata, cg);
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
}

/* --- a device for some cgroups -------------------------------------------- */

FIXTURE(kept_off)
{
	char cg[2][256];
};

FIXTURE_VARIANT(kept_off)
{
	const char *format;
	bool zswap;
};

FIXTURE_VARIANT_ADD(kept_off, raw) { .format = "raw" };

FIXTURE_VARIANT_ADD(kept_off, packed) { .format = "packed" };

/*
 * zswap would keep a page that it can't compress if a device could take the
 * page later.
 */
FIXTURE_VARIANT_ADD(kept_off, zswap_raw) { .format = "raw", .zswap = true };

FIXTURE_VARIANT_ADD(kept_off, zswap_packed) { .format = "packed", .zswap = true };

FIXTURE_SETUP(kept_off)
{
	const char *why = begin_tier_test(SA_NEED_DEVS);
	char path[512];

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("kept_off", 0, self->cg[0], sizeof(self->cg[0])));
	ASSERT_EQ(0, sa_cg_make("other", 0, self->cg[1], sizeof(self->cg[1])));
	snprintf(path, sizeof(path), "%s/" SA_TIERS_MAX, self->cg[0]);
	if (access(path, F_OK))
		SKIP(return, "no " SA_TIERS_MAX);
	if (variant->zswap && sa_set_zswap(true))
		SKIP(return, "no zswap");
}

FIXTURE_TEARDOWN_PARENT(kept_off)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * A cgroup may use the small device only, and would need the large one. Its
 * refused pages must not count as use of the large device.
 */
TEST_F_TIMEOUT(kept_off, others_swap, SA_TIMEOUT)
{
	size_t small = 16 * SA_MIB_PAGES, large = 64 * SA_MIB_PAGES;
	struct sa_fill fill = {
		.pages = (variant->zswap ? 40 : 60) * SA_MIB_PAGES,
		.pat = variant->zswap ? SA_RANDOM : SA_TEXT,
	};
	const char *name = self->cg[0];
	struct sa_holder h;
	long long free0, left;
	int ret = -1, i;

	ASSERT_EQ(0, sa_swapon(sa_dev(1), large, 3));
	ASSERT_EQ(0, sa_set_format(sa_dev(1), variant->format));
	free0 = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), small, 5));
	ASSERT_EQ(0, sa_set_format(sa_dev(0), "raw"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[0], sa_dev(1), "0"));
	/* The process has more pages than both devices have slots. */
	ASSERT_EQ(0, sa_keep_start(&h, small + large + 16 * SA_MIB_PAGES, SA_RANDOM,
				   self->cg[0]));
	/* The kernel tries pages for a long time that zswap refuses. */
	reclaim_all(&name, 1, 0, variant->zswap ? QUIET : SOON);
	sa_wait_writeback();
	left = sa_meminfo("SwapFree");
	TH_LOG("cgroup: %lld and %lld; used %lld and %lld; SwapFree %lld, large device %lld",
	       sa_cg_tier(self->cg[0], sa_dev(0)), sa_cg_tier(self->cg[0], sa_dev(1)),
	       sa_tier_num(sa_dev(0), "used"), sa_tier_num(sa_dev(1), "used"), left, free0);
	EXPECT_EQ(0, sa_cg_tier(self->cg[0], sa_dev(1)));
	EXPECT_LE((long long)((small - 3 * sa_cluster_slots()) * SA_PAGE),
		  sa_cg_tier(self->cg[0], sa_dev(0)));
	EXPECT_LE(free0 - SLACK, left) {
		TH_LOG("%lld bytes of the large device are neither used nor free", free0 - left);
	}
	if (variant->zswap) {
		EXPECT_GE(SLACK, sa_cg_tier(self->cg[0], NULL)) {
			TH_LOG("zswap has %lld bytes of the cgroup that no device may take",
			       sa_cg_tier(self->cg[0], NULL));
		}
	}

	ASSERT_EQ(0, sa_cg_write_num(self->cg[1], "memory.max", 16 * SA_MIB));
	/*
	 * The second process needs the device, and must get it even if zswap
	 * can't help.
	 */
	if (variant->zswap)
		ASSERT_EQ(0, sa_cg_write(self->cg[1], "memory.zswap.max", "0"));
	for (i = 0; i < TRIES; i++) {
		ret = sa_run(self->cg[1], sa_run_fill, &fill, LIMIT);
		if (!sa_was_killed(ret))
			break;
		TH_LOG("the other process was killed, SwapFree %lld", sa_meminfo("SwapFree"));
	}
	EXPECT_EQ(0, ret) {
		TH_LOG("the other process cannot swap (%d): SwapFree %lld, large device used %lld",
		       ret, sa_meminfo("SwapFree"), sa_tier_num(sa_dev(1), "used"));
	}
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(self->cg[0], "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_violations());
}

/* --- compressed pages that are all that a cgroup has ---------------------- */

FIXTURE(crowded)
{
	char cg[256];		/* has the limit */
	char in[256];		/* holds the process */
};

FIXTURE_VARIANT(crowded)
{
	const char *format;
	const char *limit;
	bool below;
};

FIXTURE_VARIANT_ADD(crowded, raw) { .format = "raw", .limit = "memory.max" };

FIXTURE_VARIANT_ADD(crowded, packed) { .format = "packed", .limit = "memory.max" };

FIXTURE_VARIANT_ADD(crowded, high) { .format = "packed", .limit = "memory.high" };

/* The limit is in the parent of the cgroup. */
FIXTURE_VARIANT_ADD(crowded, below)
{
	.format = "raw", .limit = "memory.max", .below = true,
};

FIXTURE_SETUP(crowded)
{
	const char *why = begin_tier_test(SA_NEED_DEV);

	if (!why && sa_set_zswap(true))
		why = "no zswap";
	if (!why && sa_cg_make("crowded", 0, self->cg, sizeof(self->cg)))
		why = "cannot make a cgroup";
	if (why)
		SKIP(return, "%s", why);
	strcpy(self->in, self->cg);
	if (variant->below) {
		ASSERT_EQ(0, sa_cg_write(self->cg, "cgroup.subtree_control", "+memory"));
		ASSERT_EQ(0, sa_cg_make("crowded/in", 0, self->in, sizeof(self->in)));
	}
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 512 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_set_format(sa_dev(0), variant->format));
}

FIXTURE_TEARDOWN_PARENT(crowded)
{
	EXPECT_EQ(0, sa_end());
}

#define CROWDED_MAX	(32 * SA_MIB)

/*
 * Pages in zswap count for the limit of the cgroup, and not all pages fit into
 * zswap
 */
TEST_F_TIMEOUT(crowded, grows, SA_TIMEOUT)
{
	size_t n[] = {
		[SA_TEXT]	= 100 * SA_MIB_PAGES,
		[SA_MIXED]	= 100 * SA_MIB_PAGES,
		[SA_RANDOM]	= 60 * SA_MIB_PAGES,
	};
	struct sa_holder h;
	enum sa_pat pat;
	double start;
	int ret, i;

	ASSERT_EQ(0, sa_cg_write_num(self->cg, variant->limit, CROWDED_MAX));
	for (i = 0; i < (sa_is_full() ? TRIES : 1); i++) {
		for (pat = SA_TEXT; pat <= SA_RANDOM; pat++) {
			start = sa_now();
			ret = sa_keep_start(&h, n[pat], pat, self->in);
			TH_LOG("%s: %.2f s, zswap has %lld bytes, the disk %lld", sa_pat_name[pat],
			       sa_now() - start, sa_cg_num(self->cg, "memory.zswap.current"),
			       sa_tier_num(sa_dev(0), "stored"));
			if (!ret) {
				EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
				ret = sa_hold_end(&h);
			}
			expect_not_killed(_metadata, self->cg, ret);
		}
	}
	EXPECT_EQ(0, sa_violations());
}

/* Pages that zswap has from before the layer was switched on count, too */
TEST_F_TIMEOUT(crowded, switched_on, SA_TIMEOUT)
{
	struct sa_holder before, h;
	int ret;

	ASSERT_EQ(0, sa_set_layer(false));
	ASSERT_EQ(0, sa_keep_start(&before, 46 * SA_MIB_PAGES, SA_TEXT, self->in));
	EXPECT_EQ(46 * SA_MIB_PAGES, sa_hold_ask(&before, 'p'));
	ASSERT_EQ(0, sa_set_layer(true));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, variant->limit, CROWDED_MAX));
	ret = sa_keep_start(&h, 40 * SA_MIB_PAGES, SA_TEXT, self->in);
	TH_LOG("zswap has %lld bytes", sa_cg_num(self->cg, "memory.zswap.current"));
	if (!ret) {
		EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
		ret = sa_hold_end(&h);
	}
	expect_not_killed(_metadata, self->cg, ret);
	EXPECT_EQ(0, sa_hold_ask(&before, 'c'));
	expect_not_killed(_metadata, self->cg, sa_hold_end(&before));
	EXPECT_EQ(0, sa_violations());
}

/* The new limit is below zswap's usage of the cgroup */
TEST_F_TIMEOUT(crowded, lowered, SA_TIMEOUT)
{
	size_t n = 80 * SA_MIB_PAGES;
	struct sa_holder h;
	long long had;
	double start;

	ASSERT_EQ(0, sa_keep_start(&h, n, SA_TEXT, self->in));
	EXPECT_EQ(n, sa_hold_ask(&h, 'p'));
	had = sa_cg_num(self->cg, "memory.zswap.current");
	start = sa_now();
	EXPECT_EQ(0, sa_cg_write_num(self->cg, variant->limit, had / 2));
	TH_LOG("zswap had %lld bytes, and has %lld after %.2f s", had,
	       sa_cg_num(self->cg, "memory.zswap.current"), sa_now() - start);
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	TH_LOG("all was read after %.2f s", sa_now() - start);
	expect_not_killed(_metadata, self->cg, sa_hold_end(&h));
	EXPECT_EQ(0, sa_violations());
}

/* --- a child that may not swap --------------------------------------------- */

FIXTURE(forbidden)
{
	char cg[256];		/* has the limit, and may swap */
	char in[256];		/* holds the process, and may not */
};

FIXTURE_VARIANT(forbidden)
{
	bool on;
	bool by_tier;
};

FIXTURE_VARIANT_ADD(forbidden, off) { };

FIXTURE_VARIANT_ADD(forbidden, on) { .on = true };

FIXTURE_VARIANT_ADD(forbidden, by_tier) { .on = true, .by_tier = true };

FIXTURE_SETUP(forbidden)
{
	const char *why = sa_begin(variant->on, SA_NEED_DEV);

	if (!why && variant->by_tier)
		why = sa_check_needs(SA_NEED_LIMITS);
	if (!why && sa_cg_make("forbidden", 40 * SA_MIB, self->cg, sizeof(self->cg)))
		why = "cannot make a cgroup";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_write(self->cg, "cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, sa_cg_make("forbidden/in", 0, self->in, sizeof(self->in)));
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 512 * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, variant->by_tier ? sa_cg_limit_tier(self->in, sa_dev(0), "0") :
					sa_cg_write(self->in, "memory.swap.max", "0"));
}

FIXTURE_TEARDOWN_PARENT(forbidden)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * Reclaim in the parent, which may swap, must not wait for writes that nobody
 * has begun
 */
TEST_F_TIMEOUT(forbidden, killed_soon, SA_TIMEOUT)
{
	struct sa_fill fill = { .pages = 80 * SA_MIB_PAGES, .pat = SA_RANDOM };
	double start;
	int i;

	for (i = 0; i < 3; i++) {
		start = sa_now();
		EXPECT_TRUE(sa_was_killed(sa_run(self->in, sa_run_fill, &fill, LIMIT)));
		TH_LOG("killed after %.2f s", sa_now() - start);
		EXPECT_GE(END_SOON, sa_now() - start);
	}
	EXPECT_EQ(i, sa_cg_key(self->cg, "memory.events", "oom_kill"));
}

/* --- writes that fail for a while ----------------------------------------- */

FIXTURE(zram)
{
	char cg[256];
};

FIXTURE_VARIANT(zram)
{
	bool on;
};

FIXTURE_VARIANT_ADD(zram, off) { .on = false };

FIXTURE_VARIANT_ADD(zram, on) { .on = true };

#define ZRAM_PAGES	(256 * SA_MIB_PAGES)
#define ZRAM_DIR	"/sys/block/zram0"

/* Return a number in a zram file, by its place in the line */
static long long zram_num(const char *file, int skip)
{
	char path[256], text[256], *p = text;

	snprintf(path, sizeof(path), ZRAM_DIR "/%s", file);
	if (sa_read(path, text, sizeof(text)) < 0)
		return -ENOENT;
	for (; skip; skip--)
		strtoll(p, &p, 10);
	return strtoll(p, NULL, 10);
}

static long long zram_failed_writes(void)
{
	return zram_num("io_stat", 1);
}

static long long zram_bytes_held(void)
{
	return zram_num("mm_stat", 0);
}

FIXTURE_SETUP(zram)
{
	const char *why = sa_begin(variant->on, 0);

	signal(SIGPIPE, SIG_IGN);
	if (!why)
		why = sa_zram_make(ZRAM_PAGES, 8 * SA_MIB);
	if (why)
		SKIP(return, "%s", why);
	/* The limit has the value of a production kernel. */
	if (variant->on)
		sa_write(SA_DEBUG "/max_io_errors", "32");
	sa_log_expect("[Ww]rite.error on|swap: |zram: Error|zram: Cannot");
}

FIXTURE_TEARDOWN_PARENT(zram)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

#define EXPECT_ONLINE()							\
do {									\
	if (variant->on)						\
		EXPECT_STATE("online", SA_ZRAM);			\
} while (0)

/*
 * A device that refuses a write because it is full for now is neither broken
 * nor smaller: 8 of 256 MiB can be stored, the data does not compress, and
 * later there is room
 */
TEST_F_TIMEOUT(zram, limited, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES;
	long long free0, total;
	struct sa_holder h;

	ASSERT_EQ(0, swapon_with_format(SA_ZRAM, ZRAM_PAGES, variant->on, false));
	total = sa_meminfo("SwapTotal");
	free0 = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_cg_make("zram", 0, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_RANDOM, self->cg));
	TH_LOG("%zu pages: %lld bytes stored, %lld writes failed; SwapTotal %lld, was %lld", n,
	       zram_bytes_held(), zram_failed_writes(), sa_meminfo("SwapTotal"), total);
	EXPECT_LT(0, zram_failed_writes()) {
		TH_LOG("no write failed, so nothing is tested");
	}
	EXPECT_EQ(total, sa_meminfo("SwapTotal")) {
		TH_LOG("SwapTotal %lld, was %lld", sa_meminfo("SwapTotal"), total);
	}
	EXPECT_ONLINE();

	/*
	 * The kernel goes on when there is room. (The swap cache may hold
	 * failed pages.)
	 */
	EXPECT_EQ(0, sa_zram_limit(0));
	sa_hold_ask(&h, 'p');
	EXPECT_TRUE(sa_wait_purged(zram_bytes_held() >= (long long)((n - n / 16) * SA_PAGE), 10)) {
		TH_LOG("%lld of %zu bytes are out where writes work again", zram_bytes_held(),
		       n * SA_PAGE);
	}
	EXPECT_EQ(total, sa_meminfo("SwapTotal"));
	EXPECT_ONLINE();
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == free0, 10)) {
		TH_LOG("%lld bytes were free, now %lld: %lld are lost", free0,
		       sa_meminfo("SwapFree"), free0 - sa_meminfo("SwapFree"));
	}

	/* The second holder uses the whole space again. */
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_RANDOM, self->cg));
	EXPECT_EQ(n, h.swapped) {
		TH_LOG("%zu of %zu pages went out in the second run", h.swapped, n);
	}
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == free0, 10)) {
		TH_LOG("%lld bytes were free, now %lld", free0, sa_meminfo("SwapFree"));
	}
	EXPECT_EQ(total, sa_meminfo("SwapTotal"));
	EXPECT_EQ(0, sa_violations());
}

/* The device stays full: reclaim tries the failed pages again and again */
TEST_F_TIMEOUT(zram, limited_reclaim, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES;
	const char *name = self->cg;
	long long free0, total;
	struct sa_holder h;

	ASSERT_EQ(0, swapon_with_format(SA_ZRAM, ZRAM_PAGES, variant->on, false));
	total = sa_meminfo("SwapTotal");
	free0 = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_cg_make("zram", 0, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, sa_keep_start(&h, n, SA_RANDOM, self->cg));
	/* Reclaim would never end if the kernel took failed pages for done. */
	reclaim_all(&name, 1, 0, QUIET);
	EXPECT_EQ(total, sa_meminfo("SwapTotal")) {
		TH_LOG("SwapTotal %lld, was %lld", sa_meminfo("SwapTotal"), total);
	}
	EXPECT_ONLINE();
	EXPECT_EQ(0, sa_zram_limit(0));
	EXPECT_EQ(0, sa_cg_try_reclaim(self->cg, 16 * SA_MIB));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == free0, 10)) {
		TH_LOG("%lld bytes were free, now %lld", free0, sa_meminfo("SwapFree"));
	}
	EXPECT_EQ(0, sa_violations());
}

/* --- freed while being written -------------------------------------------- */

FIXTURE(freed)
{
};

/* The ways to free the pages: exit of the process, MADV_DONTNEED, MADV_FREE */
enum freed_how { BY_END, BY_DONTNEED, BY_FREE };

FIXTURE_VARIANT(freed)
{
	enum place place;
	enum freed_how how;
};

FIXTURE_VARIANT_ADD(freed, raw) { .place = RAW };

FIXTURE_VARIANT_ADD(freed, packed) { .place = PACKED };

FIXTURE_VARIANT_ADD(freed, zswap) { .place = ZSWAP };

FIXTURE_VARIANT_ADD(freed, raw_dontneed) { .place = RAW, .how = BY_DONTNEED };

FIXTURE_VARIANT_ADD(freed, packed_dontneed) { .place = PACKED, .how = BY_DONTNEED };

FIXTURE_VARIANT_ADD(freed, zswap_dontneed) { .place = ZSWAP, .how = BY_DONTNEED };

FIXTURE_VARIANT_ADD(freed, raw_free) { .place = RAW, .how = BY_FREE };

FIXTURE_VARIANT_ADD(freed, packed_free) { .place = PACKED, .how = BY_FREE };

FIXTURE_VARIANT_ADD(freed, zswap_free) { .place = ZSWAP, .how = BY_FREE };

FIXTURE_SETUP(freed)
{
	unsigned int needs = SA_NEED_DEV | (variant->place == ZSWAP ? SA_NEED_ZSWAP : 0);
	const char *why = sa_begin(false, needs);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(freed)
{
	EXPECT_EQ(0, sa_end());
}

#define FREED_PROCS	4
#define FREED_PAGES	(6 * SA_MIB_PAGES)

struct freed {
	enum freed_how how;
	atomic_int ready, freed, go;
};

static int swap_out_and_free(void *arg)
{
	struct freed *f = arg;
	struct sa_area a;

	if (sa_area_map(&a, FREED_PAGES, SA_MIXED, getpid()))
		return 2;
	sa_area_fill(&a);
	f->ready++;
	while (f->ready < FREED_PROCS)
		usleep(1000);
	madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
	if (f->how == BY_END) {
		sa_area_unmap(&a);
		return 0;
	}
	if (madvise(a.p, a.n * SA_PAGE, f->how == BY_FREE ? MADV_FREE : MADV_DONTNEED))
		return 3;
	/* The process lives on so that its exit does not free the pages. */
	f->freed++;
	while (!f->go)
		usleep(1000);
	return 0;
}

/*
 * Return the bytes that are still in the swap cache soon after their last user
 * is gone
 */
static long long bytes_left_in_cache(struct __test_metadata *_metadata, enum freed_how how)
{
	struct freed *f = sa_map_shared();
	long long before, left;
	pid_t pid[FREED_PROCS];
	int i;

	ASSERT_NE(NULL, f);
	f->how = how;
	before = sa_swap_cached();
	for (i = 0; i < FREED_PROCS; i++)
		pid[i] = sa_start(NULL, swap_out_and_free, f);
	for (i = 0; how == BY_END && i < FREED_PROCS; i++)
		EXPECT_EQ(0, sa_join(pid[i], LIMIT));
	if (how != BY_END)
		EXPECT_TRUE(sa_wait(f->freed == FREED_PROCS, LIMIT));
	/*
	 * The wait begins after the last write. On an emulated CPU everything
	 * takes longer.
	 */
	EXPECT_TRUE(sa_wait_writeback());
	usleep(sa_is_uml() ? 100000 : 200000);
	left = sa_swap_cached() - before;
	f->go = 1;
	for (i = 0; how != BY_END && i < FREED_PROCS; i++)
		EXPECT_EQ(0, sa_join(pid[i], LIMIT));
	munmap(f, SA_PAGE);
	EXPECT_TRUE(sa_only_swapped());
	return left < 0 ? 0 : left;
}

TEST_F_TIMEOUT(freed, soon_gone, SA_TIMEOUT)
{
	long long off = 0, left, worst = 0;
	int i;

	/*
	 * The first run is without the layer, with zswap in front of the
	 * device.
	 */
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	if (variant->place == ZSWAP)
		ASSERT_EQ(0, sa_set_zswap(true));
	for (i = 0; i < 3; i++) {
		left = bytes_left_in_cache(_metadata, variant->how);
		if (left > off)
			off = left;
	}
	TH_LOG("without the layer %lld bytes stay in the swap cache", off);
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	if (!sa_have_layer())
		SKIP(return, "this kernel has no vm.swap_abs");

	ASSERT_EQ(0, sa_set_layer(true));
	if (variant->place != ZSWAP)
		ASSERT_EQ(0, swapon_with_format(sa_dev(0), 160 * SA_MIB_PAGES, true,
						variant->place == PACKED));
	for (i = 0; i < 3; i++) {
		left = bytes_left_in_cache(_metadata, variant->how);
		if (left > worst)
			worst = left;
	}
	TH_LOG("with the layer at most %lld bytes stay", worst);
	EXPECT_LE(worst, off + SLACK) {
		TH_LOG("%lld bytes stay in the swap cache, %lld without the layer", worst, off);
	}
	EXPECT_EQ(0, sa_violations());
}

/* --- read back while being written, and freed ----------------------------- */

#define BACK_NAME	"swap_abs_back"
#define BACK_MIB	64
#define BACK_NSEC	20000000
#define BACK_PAGES	64
#define BACK_TURNS	8

FIXTURE(freed_back)
{
	const char *slow;
};

FIXTURE_VARIANT(freed_back)
{
	bool packed;
};

FIXTURE_VARIANT_ADD(freed_back, raw) { };

FIXTURE_VARIANT_ADD(freed_back, packed) { .packed = true };

FIXTURE_SETUP(freed_back)
{
	const char *why = sa_begin(true, 0);

	if (why)
		SKIP(return, "%s", why);
	self->slow = sa_nullb_make(BACK_NAME, BACK_MIB * SA_MIB_PAGES, 0, BACK_NSEC);
	if (!self->slow)
		SKIP(return, "no null_blk");
}

FIXTURE_TEARDOWN_PARENT(freed_back)
{
	EXPECT_EQ(0, sa_end());
	sa_nullb_remove(BACK_NAME);
}

/*
 * A process that maps such a page again has the page and not the slot when it
 * ends
 */
TEST_F_TIMEOUT(freed_back, soon_gone, SA_TIMEOUT)
{
	long long before, busy = 0, left;
	struct sa_area a;
	size_t i, bad;
	int turn;

	ASSERT_EQ(0, sa_swapon(self->slow, BACK_MIB * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_set_format(self->slow, variant->packed ? "packed" : "raw"));
	before = sa_swap_cached();
	for (turn = 0; turn < BACK_TURNS; turn++) {
		make_area(_metadata, &a, BACK_PAGES, SA_MIXED, turn + 1);
		madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
		for (i = 0, bad = 0; i < a.n; i++)
			bad += !!sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0);
		EXPECT_EQ(0, bad);
		sa_area_unmap(&a);
		left = sa_swap_cached() - before;
		busy = left > busy ? left : busy;
	}
	/* Otherwise the test would prove nothing. */
	EXPECT_LT(0, busy);
	EXPECT_TRUE(sa_wait(sa_swap_cached() <= before, 2)) {
		TH_LOG("%lld bytes stay in the swap cache; %lld were busy",
		       sa_swap_cached() - before, busy);
	}
	EXPECT_EQ(0, sa_tier_num(self->slow, "used"));
	EXPECT_EQ(0, sa_violations());
}

TEST_HARNESS_MAIN
