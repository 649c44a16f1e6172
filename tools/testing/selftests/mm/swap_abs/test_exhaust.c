// SPDX-License-Identifier: GPL-2.0
/*
 * Swap that runs out, or seems to: the end of a process that wants more than fits,
 * and what must not end because there is room, be it where something has died, on
 * a device that others may not use, or on one that writes fail to for a while.
 *
 * It fails on a kernel that holds less before it kills than it does without the
 * layer, takes much longer for that, looks at the same pages again and again, floods the
 * log, keeps some of what the victim had, kills though
 * there is dead space on a packed device, or as zswap has filled a cgroup while a device
 * has room, lets a cgroup use up the capacity of a
 * device that it may not use, loses blocks of a device for good by errors that pass,
 * or leaves pages in the swap cache that nobody has any more.
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

/* --- to the end -------------------------------------------------------- */

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

/* So large is the device, and so much memory has the one that fills all. */
#define END_DEV		(40 * SA_MIB_PAGES)
#define END_MAX		(40 * SA_MIB)
#define END_LEAVE	(64 * SA_MIB)
/* Until all is free again, and until somebody is killed at all */
#define END_FREE	5
#define END_LATE	90
/*
 * So often both are tried, until the one with the layer is not worse: any kernel kills
 * early now and then, when all it could reclaim is being written.
 */
#define END_ROUNDS	4

/* So often each page may be looked at besides what is done without: see scan_limit(). */
#define END_LOOKS	3
/* So often it is measured: most of the times count. */
#define END_COUNTED	(sa_full() ? 5 : 3)
/* Reports of memory that could not be had, in the log; none has been seen. */
#define END_REPORTS	3

/* What it took from the last page that anything took to the OOM kill */
struct vain {
	long long scans;		/* pages */
	double cpu, seconds;
};

/* How it ended */
struct end {
	bool done;
	double seconds;
	long long pages;		/* that the victim had */
	long long direct, kswapd;	/* pages scanned */
	long long left;			/* bytes of swap in use END_FREE later */
	struct vain vain;
};

/* Without the layer, for all tests of this program: [place][text][global][lru_gen][large] */
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

/* Who asks for large folios gets those of 64 kB, and none that are larger. */
static const char * const thp_files[] = { LARGE "/enabled", THP "2048kB/enabled" };
static const char * const thp_choices[] = { "always", "never" };
static char thp_was[ARRAY_SIZE(thp_files)][16];

/* The word in brackets is the one chosen; the parent puts that back. */
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

static bool choose_large(void)
{
	return !sa_write(thp_files[0], thp_choices[0]) && !sa_write(thp_files[1], thp_choices[1]);
}

static void put_thp_back(void)
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
	if (!why && variant->large && !choose_large())
		why = "no folios of 64 kB";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(oom)
{
	if (variant->large)
		put_thp_back();
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

static int hog(void *arg)
{
	struct hog *h = arg;
	struct sa_area a;
	size_t i;

	if (sa_area_map(&a, h->pages, h->pat, 3))
		return 2;
	if (h->large && madvise(a.p, a.n * SA_PAGE, MADV_HUGEPAGE))
		return 3;
	for (i = 0; i < a.n; i++) {
		sa_fill(a.p + i * SA_PAGE, a.pat, a.seed, i, 0);
		*h->progress = i + 1;
	}
	/* It fits. */
	return 1;
}

static void end_begin(struct __test_metadata *_metadata, enum place place, bool on,
		      bool global)
{
	long long total = sa_meminfo("MemTotal"), percent;
	char text[16];

	ASSERT_EQ(0, sa_layer(on));
	if (has_zswap(place)) {
		/* A third of what is there to be used may be compressed. */
		percent = global ? END_LEAVE / 3 * 100 / total : 20;
		snprintf(text, sizeof(text), "%lld", percent ? percent : 1);
		ASSERT_EQ(0, sa_zswap_param("max_pool_percent", text));
		ASSERT_EQ(0, sa_zswap(true));
	}
	if (has_device(place)) {
		ASSERT_EQ(0, sa_swapon(sa_dev(0), END_DEV, -1));
		if (on)
			ASSERT_EQ(0, sa_format(sa_dev(0), place == PACKED ? "packed" : "raw"));
	}
}

static void end_end(struct __test_metadata *_metadata, enum place place)
{
	if (has_device(place))
		EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	if (has_zswap(place))
		EXPECT_EQ(0, sa_zswap(false));
}

static long long most(long long a, long long b)
{
	return a > b ? a : b;
}

/* Bytes of swap that are in use, by whatever says so */
static long long in_use(enum place place, bool on)
{
	long long use = sa_meminfo("SwapTotal") - sa_meminfo("SwapFree");

	if (on && has_device(place))
		use = most(use, sa_tier_num(sa_dev(0), "used"));
	if (on && has_zswap(place))
		use = most(use, sa_tier_num(NULL, "stored"));
	return use;
}

static long long scanned(const char *cg, const char *by)
{
	char key[32];

	snprintf(key, sizeof(key), "pgscan_%s", by);
	return cg ? sa_cg_key(cg, "memory.stat", key) : sa_vmstat(key);
}

/* Where things are: what went out, pages scanned, and the CPU time of all that is looked at */
struct mark {
	long long out, scans, usec;
	double when;
};

static struct mark mark(const char *cg)
{
	struct mark m = { .when = sa_now() };

	if (cg)
		m.out = sa_cg_key(cg, "memory.stat", "pswpout") +
			sa_cg_key(cg, "memory.stat", "zswpout");
	else
		m.out = sa_vmstat("pswpout") + sa_vmstat("zswpout");
	m.scans = scanned(cg, "direct") + scanned(cg, "kswapd");
	m.usec = sa_cg_key(cg ? cg : sa_cg_root(), "cpu.stat", "usage_usec");
	return m;
}

static long long oom_kills(const char *cg)
{
	return cg ? sa_cg_key(cg, "memory.events", "oom_kill") : sa_vmstat("oom_kill");
}

/* Look at a process until somebody is killed, or it ends. */
static struct vain watch(pid_t pid, const char *cg)
{
	struct mark last = mark(cg), now = last;
	long long kills = oom_kills(cg);
	double end = sa_now() + END_LATE;
	siginfo_t info = { };

	while (oom_kills(cg) == kills && sa_now() < end) {
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
			break;
		now = mark(cg);
		if (now.out != last.out)
			last = now;
		usleep(2000);
	}
	now = mark(cg);
	return (struct vain){
		.scans = now.scans - last.scans, .cpu = (now.usec - last.usec) / 1e6,
		.seconds = now.when - last.when,
	};
}

/*
 * The log may have a few reports of memory that somebody could not have on his way out, and
 * their traces beside those of the OOM kill. More are the kernel's own trouble.
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
		/* Those that were too many even for the kernel */
		if (sscanf(line, "warn_alloc: %ld callbacks suppressed", &more) == 1)
			reports += more;
	}
	EXPECT_GE(END_REPORTS, reports) {
		TH_LOG("%ld times memory could not be had, by the log", reports);
	}
	EXPECT_GE(END_REPORTS + killed, traces) {
		TH_LOG("%ld traces in the log, with %lld OOM kills", traces, killed);
	}
	free(text);
}

/* Somebody fills all there is. */
static void fill_all(struct __test_metadata *_metadata, enum place place, bool on,
		     enum sa_pat pat, bool global, bool large, struct end *e)
{
	struct hog h = { .pat = pat, .large = large, .progress = sa_shared() };
	long long direct, kswapd, killed, left, idle, folios = 0;
	char cg[256], *where = NULL;
	pid_t pid, balloon = 0;
	double start, took;
	struct vain vain;
	int ret, log = -1;

	ASSERT_NE(NULL, h.progress);
	/* Four times what compresses 2:1 to 3:1 on the device, and more than all memory */
	h.pages = END_DEV * 4 + (global ? sa_meminfo("MemTotal") : END_MAX * 4) / SA_PAGE;
	end_begin(_metadata, place, on, global);
	/* Others may have some out, in zswap since the run before. */
	idle = in_use(place, on);
	EXPECT_LE(idle, global && has_zswap(place) ? SLACK : 0) {
		TH_LOG("nothing is swapped: SwapTotal %lld, SwapFree %lld; in use %lld",
		       sa_meminfo("SwapTotal"), sa_meminfo("SwapFree"), idle);
	}
	idle = most(idle, 0);
	if (global) {
		idle += 4 * SLACK;
		/* Who has been killed may still ask for memory, on its way out. */
		sa_log_expect("page allocation failure|Call Trace:");
		log = sa_log_open();
		ASSERT_LE(0, log);
		balloon = sa_balloon(END_LEAVE);
		ASSERT_LT(0, balloon);
	} else {
		ASSERT_EQ(0, sa_cg_make("end", END_MAX, cg, sizeof(cg)));
		where = cg;
		if (place == ZSWAP_RAW)
			ASSERT_EQ(0, sa_cg_write_num(cg, "memory.zswap.max", END_MAX / 3));
	}
	direct = scanned(where, "direct");
	kswapd = scanned(where, "kswapd");
	killed = oom_kills(where);
	if (large)
		folios = sa_read_num(LARGE "/stats/anon_fault_alloc");

	start = sa_now();
	pid = sa_start(where, hog, &h);
	vain = watch(pid, where);
	ret = sa_join(pid, END_LATE);
	took = sa_now() - start;

	direct = scanned(where, "direct") - direct;
	kswapd = scanned(where, "kswapd") - kswapd;
	killed = oom_kills(where) - killed;
	EXPECT_TRUE(sa_was_killed(ret)) {
		TH_LOG("the process that fills all: status %d%s after %.1f s, %llu pages", ret,
		       ret == SA_LATE ? " (not killed in time)" : ret == 1 ? " (it fits)" : "",
		       took, *h.progress);
	}
	EXPECT_EQ(1, killed) {
		TH_LOG("%lld OOM kills, not one", killed);
	}

	/* First by itself, then after what is in the swap cache has been let go. */
	sa_wait(in_use(place, on) <= idle, on ? END_FREE : 1);
	left = most(in_use(place, on) - idle, 0);
	EXPECT_TRUE(sa_wait_purged(in_use(place, on) <= idle, END_FREE)) {
		TH_LOG("%lld bytes too many of swap are in use: SwapTotal %lld, SwapFree %lld",
		       in_use(place, on) - idle, sa_meminfo("SwapTotal"), sa_meminfo("SwapFree"));
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
	end_end(_metadata, place);

	TH_LOG("%s, %s, %s, layer %s: killed after %.2f s with %llu pages",
	       place_name[place], sa_pat_name[pat], global ? "global" : "cgroup",
	       on ? "on" : "off", took, *h.progress);
	if (large) {
		folios = sa_read_num(LARGE "/stats/anon_fault_alloc") - folios;
		TH_LOG("%lld pages of them were in large folios", folios * LARGE_PAGES);
		/* All of memory is in pieces when all of it is in use. */
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

static double ratio(double a, double b)
{
	return a / (b > 0 ? b : 1);
}

/* Compressing what then is refused takes long where KASAN looks on. */
static double time_limit(double off)
{
	bool slow = !access("/sys/kernel/debug/kmemleak", F_OK);

	return slow ? off * 3 + 30 : off * 1.5 + 0.1;
}

/*
 * Pages that may be scanned until somebody is killed: for each that is held as many as
 * without the layer and a fifth more, and END_LOOKS besides. Measured in five runs and more
 * of each of these tests (User Mode Linux of 1 GB, 160 runs): without the layer 0.9 to 2.5
 * looks at a page, with nothing to swap to 0.1 at most; with it 1.0 to 3.2, which is 2.3
 * besides for zswap alone, where each page is tried and refused, and 1.8 for others. (With
 * lru_gen in a cgroup, devices had 6 to 49 while old counts were believed, and 1.7 to 1.9
 * since.)
 *
 * Who looks at all that is held ten times is beyond that whatever there is to compare with,
 * because at most three looks at a page are taken from there: some runs without the layer
 * have 13 to 24, where all that could be reclaimed is being written.
 */
static long long scan_limit(const struct end *off, const struct end *with)
{
	double looks = ratio(off->direct + off->kswapd, off->pages);

	/* See above: more is not what a kernel has to do. */
	if (looks > 3)
		looks = 3;
	return (1.2 * looks + END_LOOKS) * most(with->pages, off->pages);
}

/*
 * The same since the last page that anything took: a fifth more than without the layer, and
 * two looks at each page besides. Measured (User Mode Linux, 120 runs): without the layer 0
 * to 0.1 looks most times, but 13 to 740 of the generations' now and then (7 s long); with
 * it up to 1.4 (0.6 s at most). Of zswap alone all of the scans count where it takes nothing.
 */
static long long vain_limit(const struct end *off, const struct end *with, enum place place)
{
	return 1.2 * off->vain.scans + (place == ZSWAP ? END_LOOKS : 2) * with->pages;
}

/*
 * What it is compared with: the same without the layer; for a packed device a raw one,
 * for zswap alone nothing to swap to, neither of which must hold more. (To see what
 * zswap refuses takes a while.)
 */
static void to_the_end(struct __test_metadata *_metadata, enum place place, bool on,
		       bool lru_gen, bool large, enum sa_pat pat, bool global)
{
	enum place other = place == PACKED ? RAW : place == ZSWAP ? NOTHING : place;
	struct end *off = &without[other][pat == SA_TEXT][global][lru_gen][large];
	int round, few = 0, many = 0, counted = END_COUNTED;
	struct end base = { }, with = { }, now = { };
	long long least = 0, scans;
	bool good = false;
	double limit = 0;

	if (global && !sa_dedicated())
		SKIP(return, "the machine may have other users: only with -g");
	if (!on) {
		fill_all(_metadata, place, false, pat, global, large, off);
		return;
	}
	/* What others do meanwhile may slow the one down, but not each time. */
	for (round = 0; round < END_ROUNDS || 2 * most(few, many) <= counted; round++) {
		if (!off->done || (round && !good))
			fill_all(_metadata, other, false, pat, global, large, off);
		fill_all(_metadata, place, true, pat, global, large, &now);
		scans = scan_limit(off, &now);
		if (now.direct + now.kswapd > scans ||
		    now.vain.scans > vain_limit(off, &now, place))
			many++;
		else
			few++;
		TH_LOG("with to without: time %.2f, pages %.3f, scanned %.2f (%lld to %lld)",
		       ratio(now.seconds, off->seconds), ratio(now.pages, off->pages),
		       ratio(now.direct + now.kswapd, off->direct + off->kswapd),
		       now.direct + now.kswapd, off->direct + off->kswapd);
		TH_LOG("scanned: %.1f looks at a page, up to %.1f are in order",
		       ratio(now.direct + now.kswapd, now.pages), ratio(scans, now.pages));
		if (!good) {
			with = now;
			base = *off;
			limit = time_limit(off->seconds);
			least = off->pages * 97 / 100;
			/* The more is held, the longer it takes. */
			if (with.pages > off->pages)
				limit *= ratio(with.pages, off->pages);
			/* Its spare clusters are not for what does not compress. */
			if (place == PACKED && pat == SA_RANDOM)
				least -= 2 * sa_cluster();
			/* Where the CPU is emulated, compressing takes any time. */
			if (place == ZSWAP || !sa_uml())
				limit = END_LATE;
			good = with.seconds <= limit && with.pages >= least &&
				with.left <= off->left + SLACK;
		}
		if (good && 2 * most(few, many) > counted)
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
	/* What stays in the swap cache of a process that is no more */
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
	to_the_end(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
		   SA_RANDOM, false);
}

TEST_F_TIMEOUT(oom, text_cgroup, SA_TIMEOUT)
{
	to_the_end(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
		   SA_TEXT, false);
}

TEST_F_TIMEOUT(oom, random_global, SA_TIMEOUT)
{
	to_the_end(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
		   SA_RANDOM, true);
}

TEST_F_TIMEOUT(oom, text_global, SA_TIMEOUT)
{
	to_the_end(_metadata, variant->place, variant->on, variant->lru_gen, variant->large,
		   SA_TEXT, true);
}

/* --- what fits --------------------------------------------------------- */

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

static int swap_on(const char *dev, size_t pages, bool on, bool packed)
{
	int ret = sa_swapon(dev, pages, -1);

	return ret || !on ? ret : sa_format(dev, packed ? "packed" : "raw");
}

/* Bytes that a page of text takes where it is compressed: by zswap, or a guess */
static size_t text_length(struct __test_metadata *_metadata)
{
	size_t n = SA_MIB_PAGES / 2;
	long long bytes = 0;
	struct sa_area a;

	if (sa_zswap(true))
		return 1900;
	make(_metadata, &a, n, SA_TEXT, 8);
	bytes = sa_zswap_bytes();
	EXPECT_EQ(n, sa_pageout(a.p, n));
	bytes = (sa_zswap_bytes() - bytes) / n;
	sa_area_unmap(&a);
	EXPECT_EQ(0, sa_zswap(false));
	EXPECT_LT(100, bytes);
	EXPECT_GT(SA_PAGE, bytes);
	return bytes + 16;
}

/*
 * Any kernel kills now and then under a limit, see test_pressure.c: only what is
 * killed each time has failed.
 */
#define TRIES	3

static void log_device(struct __test_metadata *_metadata, const char *when)
{
	TH_LOG("%s: SwapFree %lld of %lld, used %lld, stored %lld", when, sa_meminfo("SwapFree"),
	       sa_meminfo("SwapTotal"), sa_tier_num(sa_dev(0), "used"),
	       sa_tier_num(sa_dev(0), "stored"));
}

/* Nobody there was killed for memory, and it ended as it should. */
static void lived(struct __test_metadata *_metadata, const char *cg, int status)
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

static int read_twice(void *arg)
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
 * More than the memory that the cgroup may use, less than that and the device: what
 * is read leaves dead space behind, and something else has to go for it.
 */
TEST_F_TIMEOUT(fits, read_in_turn, SA_TIMEOUT)
{
	size_t n = 90 * SA_MIB_PAGES;
	char cg[256];
	int ret, i;

	ASSERT_EQ(0, swap_on(self->dev, 32 * SA_MIB_PAGES, variant->on, variant->packed));
	for (i = 1;; i++) {
		ASSERT_EQ(0, sa_cg_make("turn", 70 * SA_MIB, cg, sizeof(cg)));
		ret = sa_run(cg, read_twice, &n, LIMIT);
		if (!sa_was_killed(ret) || i == TRIES)
			break;
		log_device(_metadata, "killed, tried again; now");
		EXPECT_EQ(0, sa_cg_destroy(cg));
	}
	lived(_metadata, cg, ret);
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
}

/* Is a child at its end? sa_join() is still to be called. */
static bool ended(pid_t pid)
{
	siginfo_t info = { };

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

struct replaced {
	atomic_ullong done, bad, filled;
};

struct replace {
	size_t pages, writes;
	double seconds;
	struct replaced *shared;
};

/* Single pages are given back and written anew, anywhere. */
static int replace_pages(void *arg)
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
		/* A few are read before. */
		if (!(r->shared->done & 31))
			r->shared->bad += !!sa_check(p, a.pat, a.seed, i, gens[i]);
		madvise(p, SA_PAGE, MADV_DONTNEED);
		sa_fill(p, a.pat, a.seed, i, ++gens[i]);
		r->shared->done++;
	}
	for (i = 0; i < a.n && r->shared->bad < 4; i++)
		r->shared->bad += !!sa_check(a.p + i * SA_PAGE, a.pat, a.seed, i, gens[i]);
	return r->shared->bad ? 1 : 0;
}

/*
 * A packed device of which 70 % are alive, where pages die one by one and others
 * come. Dead space is room: it is counted as such, and found when it is needed.
 */
TEST_F_TIMEOUT(fits, replaced, SA_TIMEOUT)
{
	struct replace r = { .shared = sa_shared(), .seconds = sa_full() ? 120 : 6 };
	size_t dev_pages = 64 * SA_MIB_PAGES, length, out, max;
	long long left = 0, least = 1LL << 62, next = 0;
	char cg[256], series[256] = "";
	int ret, len = 0;
	double end;
	pid_t pid;

	if (!variant->packed)
		SKIP(return, "without compressing no dead space");
	ASSERT_NE(NULL, r.shared);
	if (sa_full() && sa_dev_pages(0) >= 256 * SA_MIB_PAGES)
		dev_pages = 256 * SA_MIB_PAGES;
	length = text_length(_metadata);
	ASSERT_EQ(0, swap_on(self->dev, dev_pages, true, true));
	out = dev_pages * SA_PAGE / length * 7 / 10;
	max = out * SA_PAGE / 4;
	/* What the process needs for itself besides */
	r.pages = out + (max - 2 * SA_MIB) / SA_PAGE;
	r.writes = dev_pages * SA_PAGE / length * (sa_full() ? 10 : 3);
	TH_LOG("%zu bytes a page: %zu pages out, %zu in all, %zu to be written", length, out,
	       r.pages, r.writes);
	ASSERT_EQ(0, sa_cg_make("replaced", max, cg, sizeof(cg)));
	pid = sa_start(cg, replace_pages, &r);
	end = sa_now() + LIMIT;
	/* How SwapFree goes, ten times */
	while (sa_now() < end && !ended(pid) && r.shared->done < r.writes) {
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
	TH_LOG("%llu of %zu pages written anew; SwapFree in MiB, meanwhile:%s; least %.1f",
	       r.shared->done, r.writes, series, (double)least / SA_MIB);
	lived(_metadata, cg, ret);
	EXPECT_EQ(0, r.shared->bad);
	/* 30 % are free, and less than that only for a part of it that is not collectable. */
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

static int grow_with(size_t n, enum sa_pat pat)
{
	struct sa_area a;

	if (sa_area_map(&a, n, pat, 13))
		return 2;
	sa_area_fill(&a);
	return sa_area_check(&a) ? 1 : 0;
}

static int grow(void *arg)
{
	return grow_with(*(size_t *)arg, SA_TEXT);
}

static int grow_random(void *arg)
{
	return grow_with(*(size_t *)arg, SA_RANDOM);
}

/* Until the cgroups have pushed out all they can: how much is free then? */
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

/* Nothing is collected any more, and nothing written. */
static void comes_to_quiet(void)
{
	sleep(1);
	sa_settle();
}

/*
 * Half of what is on the device is dead. There is room for who is in the cgroup, for
 * reclaim too, which asks before it tries; and somebody may grow there.
 */
static void room_again(struct __test_metadata *_metadata, const char *cg)
{
	size_t more = 12 * SA_MIB_PAGES;
	double start = sa_now();
	int ret = -1;

	log_device(_metadata, "half of it is dead");
	/* Not by MADV_PAGEOUT, which goes further than reclaim does. */
	sa_wait(!(ret = sa_cg_try_reclaim(cg, 4 * SA_MIB)), 10);
	TH_LOG("reclaim says %d after %.2f s", ret, sa_now() - start);
	log_device(_metadata, "after that");
	EXPECT_EQ(0, ret) {
		TH_LOG("nothing can be reclaimed (%d) though half of the device is dead", ret);
	}
	ASSERT_EQ(0, sa_cg_write_num(cg, "memory.max",
				     sa_cg_num(cg, "memory.current") + 6 * SA_MIB));
	ret = sa_run(cg, grow, &more, LIMIT);
	lived(_metadata, cg, ret);
	EXPECT_EQ(0, sa_cg_write(cg, "memory.max", "max"));
}

/* Pages of text that the device has room for */
static size_t how_many_fit(struct __test_metadata *_metadata, size_t dev_pages, bool packed)
{
	return packed ? dev_pages * SA_PAGE / text_length(_metadata) : dev_pages;
}

#define SHARED_DEV	(32 * SA_MIB_PAGES)

/* Two fill it together, so that what they have lies side by side, and the one goes. */
TEST_F_TIMEOUT(fits, other_dies, SA_TIMEOUT)
{
	size_t fit = how_many_fit(_metadata, SHARED_DEV, variant->packed);
	struct sa_holder h[2];
	const char *name[2];
	char cg[2][256];
	int i;

	ASSERT_EQ(0, swap_on(self->dev, SHARED_DEV, variant->on, variant->packed));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, sa_cg_make(i ? "dies" : "stays", 0, cg[i], sizeof(cg[i])));
		/* The one that stays has always more than fits. */
		ASSERT_EQ(0, sa_keep_start(&h[i], i ? fit * 3 / 4 : fit * 5 / 4, SA_TEXT, cg[i]));
		name[i] = cg[i];
	}
	/* First and last comes the one that stays: hardly a cluster is the other's alone. */
	reclaim_all(name, 2, 5 * SA_MIB, SOON);
	EXPECT_GE(SLACK, reclaim_all(name, 1, 0, SOON));
	comes_to_quiet();
	log_device(_metadata, "full");
	sa_hold_kill(&h[1]);
	room_again(_metadata, cg[0]);
	EXPECT_EQ(0, sa_hold_ask(&h[0], 'c'));
	EXPECT_EQ(0, sa_hold_end(&h[0]));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, sa_cg_destroy(cg[i]));
	EXPECT_EQ(0, sa_violations());
}

/* One fills it, and gives every other page back: no cluster gets empty. */
TEST_F_TIMEOUT(fits, pages_die, SA_TIMEOUT)
{
	size_t fit = how_many_fit(_metadata, SHARED_DEV, variant->packed);
	const char *name;
	struct sa_holder h;
	char cg[256];

	ASSERT_EQ(0, swap_on(self->dev, SHARED_DEV, variant->on, variant->packed));
	ASSERT_EQ(0, sa_cg_make("stays", 0, cg, sizeof(cg)));
	name = cg;
	ASSERT_EQ(0, sa_keep_start(&h, fit * 3 / 2, SA_TEXT, cg));
	EXPECT_GE(SLACK, reclaim_all(&name, 1, 0, SOON));
	comes_to_quiet();
	log_device(_metadata, "full");
	ASSERT_EQ(0, sa_hold_ask(&h, 'd'));
	room_again(_metadata, cg);
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
}

/* --- not for all ------------------------------------------------------- */

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

/* With zswap, which would keep what it can't compress if a device could take that later. */
FIXTURE_VARIANT_ADD(kept_off, zswap_raw) { .format = "raw", .zswap = true };

FIXTURE_VARIANT_ADD(kept_off, zswap_packed) { .format = "packed", .zswap = true };

FIXTURE_SETUP(kept_off)
{
	const char *why = begin(SA_NEED_DEVS);
	char path[512];

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_cg_make("kept_off", 0, self->cg[0], sizeof(self->cg[0])));
	ASSERT_EQ(0, sa_cg_make("other", 0, self->cg[1], sizeof(self->cg[1])));
	snprintf(path, sizeof(path), "%s/" SA_TIERS_MAX, self->cg[0]);
	if (access(path, F_OK))
		SKIP(return, "no " SA_TIERS_MAX);
	if (variant->zswap && sa_zswap(true))
		SKIP(return, "no zswap");
}

FIXTURE_TEARDOWN_PARENT(kept_off)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * A cgroup that may use the small device only, and would need the large one: what
 * it wants to put there and may not is no use of that.
 */
TEST_F_TIMEOUT(kept_off, others_swap, SA_TIMEOUT)
{
	size_t small = 16 * SA_MIB_PAGES, large = 64 * SA_MIB_PAGES;
	size_t n = (variant->zswap ? 40 : 60) * SA_MIB_PAGES;
	const char *name = self->cg[0];
	struct sa_holder h;
	long long free0, left;
	int ret = -1, i;

	ASSERT_EQ(0, sa_swapon(sa_dev(1), large, 3));
	ASSERT_EQ(0, sa_format(sa_dev(1), variant->format));
	free0 = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), small, 5));
	ASSERT_EQ(0, sa_format(sa_dev(0), "raw"));
	ASSERT_EQ(0, sa_cg_limit_tier(self->cg[0], sa_dev(1), "0"));
	/* With more than both devices, so that it could take all */
	ASSERT_EQ(0, sa_keep_start(&h, small + large + 16 * SA_MIB_PAGES, SA_RANDOM,
				   self->cg[0]));
	/* What zswap refuses is tried for long. */
	reclaim_all(&name, 1, 0, variant->zswap ? QUIET : SOON);
	sa_settle();
	left = sa_meminfo("SwapFree");
	TH_LOG("it has %lld and %lld; used %lld and %lld; SwapFree %lld, of the large one %lld",
	       sa_cg_tier(self->cg[0], sa_dev(0)), sa_cg_tier(self->cg[0], sa_dev(1)),
	       sa_tier_num(sa_dev(0), "used"), sa_tier_num(sa_dev(1), "used"), left, free0);
	EXPECT_EQ(0, sa_cg_tier(self->cg[0], sa_dev(1)));
	EXPECT_LE((long long)((small - 3 * sa_cluster()) * SA_PAGE),
		  sa_cg_tier(self->cg[0], sa_dev(0)));
	EXPECT_LE(free0 - SLACK, left) {
		TH_LOG("%lld bytes of the large device are neither used nor free", free0 - left);
	}
	if (variant->zswap) {
		EXPECT_GE(SLACK, sa_cg_tier(self->cg[0], NULL)) {
			TH_LOG("zswap has %lld bytes of it for which there is no place",
			       sa_cg_tier(self->cg[0], NULL));
		}
	}

	ASSERT_EQ(0, sa_cg_write_num(self->cg[1], "memory.max", 16 * SA_MIB));
	/* The device is what it needs, and not only if zswap could make its pages smaller. */
	if (variant->zswap)
		ASSERT_EQ(0, sa_cg_write(self->cg[1], "memory.zswap.max", "0"));
	for (i = 0; i < TRIES; i++) {
		ret = sa_run(self->cg[1], variant->zswap ? grow_random : grow, &n, LIMIT);
		if (!sa_was_killed(ret))
			break;
		TH_LOG("another was killed, SwapFree %lld", sa_meminfo("SwapFree"));
	}
	EXPECT_EQ(0, ret) {
		TH_LOG("another cannot swap (status %d): SwapFree %lld, of the large one used %lld",
		       ret, sa_meminfo("SwapFree"), sa_tier_num(sa_dev(1), "used"));
	}
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_EQ(0, sa_cg_key(self->cg[0], "memory.events", "oom_kill"));
	EXPECT_EQ(0, sa_violations());
}

/* --- compressed pages that are all that a cgroup has ------------------- */

FIXTURE(crowded)
{
	char cg[256];		/* has the limit */
	char in[256];		/* is where the process is */
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

/* The limit of a cgroup above it */
FIXTURE_VARIANT_ADD(crowded, below)
{
	.format = "raw", .limit = "memory.max", .below = true,
};

FIXTURE_SETUP(crowded)
{
	const char *why = begin(SA_NEED_DEV);

	if (!why && sa_zswap(true))
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
	ASSERT_EQ(0, sa_format(sa_dev(0), variant->format));
}

FIXTURE_TEARDOWN_PARENT(crowded)
{
	EXPECT_EQ(0, sa_end());
}

#define CROWDED_MAX	(32 * SA_MIB)

/* What zswap has counts for the limit, and not all fits that way. */
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
	for (i = 0; i < (sa_full() ? TRIES : 1); i++) {
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
			lived(_metadata, self->cg, ret);
		}
	}
	EXPECT_EQ(0, sa_violations());
}

/* What zswap has from before the layer was on counts, too. */
TEST_F_TIMEOUT(crowded, switched_on, SA_TIMEOUT)
{
	struct sa_holder before, h;
	int ret;

	ASSERT_EQ(0, sa_layer(false));
	ASSERT_EQ(0, sa_keep_start(&before, 46 * SA_MIB_PAGES, SA_TEXT, self->in));
	EXPECT_EQ(46 * SA_MIB_PAGES, sa_hold_ask(&before, 'p'));
	ASSERT_EQ(0, sa_layer(true));
	ASSERT_EQ(0, sa_cg_write_num(self->cg, variant->limit, CROWDED_MAX));
	ret = sa_keep_start(&h, 40 * SA_MIB_PAGES, SA_TEXT, self->in);
	TH_LOG("zswap has %lld bytes", sa_cg_num(self->cg, "memory.zswap.current"));
	if (!ret) {
		EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
		ret = sa_hold_end(&h);
	}
	lived(_metadata, self->cg, ret);
	EXPECT_EQ(0, sa_hold_ask(&before, 'c'));
	lived(_metadata, self->cg, sa_hold_end(&before));
	EXPECT_EQ(0, sa_violations());
}

/* A limit below what zswap has of it by then. */
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
	lived(_metadata, self->cg, sa_hold_end(&h));
	EXPECT_EQ(0, sa_violations());
}

/* --- writes that fail for a while --------------------------------------- */

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

/* A number that it tells, by its place in the line */
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

static long long zram_failed(void)
{
	return zram_num("io_stat", 1);
}

static long long zram_holds(void)
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
	/* As it is in a kernel that nobody tests */
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
 * A device that says no because it is full for now is neither broken nor smaller: 8
 * of 256 MiB can be stored, what does not compress is to go there, and later there
 * is room.
 */
TEST_F_TIMEOUT(zram, limited, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES;
	long long free0, total;
	struct sa_holder h;

	ASSERT_EQ(0, swap_on(SA_ZRAM, ZRAM_PAGES, variant->on, false));
	total = sa_meminfo("SwapTotal");
	free0 = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_cg_make("zram", 0, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_RANDOM, self->cg));
	TH_LOG("%zu pages: %lld bytes stored, %lld writes failed; SwapTotal %lld, was %lld", n,
	       zram_holds(), zram_failed(), sa_meminfo("SwapTotal"), total);
	EXPECT_LT(0, zram_failed()) {
		TH_LOG("no write failed, so nothing is tested");
	}
	EXPECT_EQ(total, sa_meminfo("SwapTotal")) {
		TH_LOG("SwapTotal %lld, was %lld", sa_meminfo("SwapTotal"), total);
	}
	EXPECT_ONLINE();

	/* With room, it goes on. (What failed may be in the swap cache.) */
	EXPECT_EQ(0, sa_zram_limit(0));
	sa_hold_ask(&h, 'p');
	EXPECT_TRUE(sa_wait_purged(zram_holds() >= (long long)((n - n / 16) * SA_PAGE), 10)) {
		TH_LOG("%lld of %zu bytes are out where writes work again", zram_holds(),
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

	/* And all of it anew. */
	ASSERT_EQ(0, sa_hold_start(&h, n, SA_RANDOM, self->cg));
	EXPECT_EQ(n, h.swapped) {
		TH_LOG("%zu of %zu pages went out anew", h.swapped, n);
	}
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == free0, 10)) {
		TH_LOG("%lld bytes were free, now %lld", free0, sa_meminfo("SwapFree"));
	}
	EXPECT_EQ(total, sa_meminfo("SwapTotal"));
	EXPECT_EQ(0, sa_violations());
}

/* The same with no way out: what fails is tried again and again by reclaim. */
TEST_F_TIMEOUT(zram, limited_reclaim, SA_TIMEOUT)
{
	size_t n = 24 * SA_MIB_PAGES;
	const char *name = self->cg;
	long long free0, total;
	struct sa_holder h;

	ASSERT_EQ(0, swap_on(SA_ZRAM, ZRAM_PAGES, variant->on, false));
	total = sa_meminfo("SwapTotal");
	free0 = sa_meminfo("SwapFree");
	ASSERT_EQ(0, sa_cg_make("zram", 0, self->cg, sizeof(self->cg)));
	ASSERT_EQ(0, sa_keep_start(&h, n, SA_RANDOM, self->cg));
	/* It never comes to an end where what has failed is taken for done. */
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

/* --- freed while being written ------------------------------------------ */

FIXTURE(freed)
{
};

/* By whom: with all of its memory, or as it is told */
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

static int out_and_free(void *arg)
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
	/* It lives on, so that nothing else frees them. */
	f->freed++;
	while (!f->go)
		usleep(1000);
	return 0;
}

/* Bytes left in the swap cache soon after nobody has them any more */
static long long left_cached(struct __test_metadata *_metadata, enum freed_how how)
{
	struct freed *f = sa_shared();
	long long before, left;
	pid_t pid[FREED_PROCS];
	int i;

	ASSERT_NE(NULL, f);
	f->how = how;
	before = sa_swap_cached();
	for (i = 0; i < FREED_PROCS; i++)
		pid[i] = sa_start(NULL, out_and_free, f);
	for (i = 0; how == BY_END && i < FREED_PROCS; i++)
		EXPECT_EQ(0, sa_join(pid[i], LIMIT));
	if (how != BY_END)
		EXPECT_TRUE(sa_wait(f->freed == FREED_PROCS, LIMIT));
	/* After the last write. Where the CPU is emulated all takes longer. */
	EXPECT_TRUE(sa_settle());
	usleep(sa_uml() ? 100000 : 200000);
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

	/* Without the layer first, with zswap in front of the device. */
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	if (variant->place == ZSWAP)
		ASSERT_EQ(0, sa_zswap(true));
	for (i = 0; i < 3; i++) {
		left = left_cached(_metadata, variant->how);
		if (left > off)
			off = left;
	}
	TH_LOG("without the layer %lld bytes stay in the swap cache", off);
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	if (!sa_have_layer())
		SKIP(return, "this kernel has no vm.swap_abs");

	ASSERT_EQ(0, sa_layer(true));
	if (variant->place != ZSWAP)
		ASSERT_EQ(0, swap_on(sa_dev(0), 160 * SA_MIB_PAGES, true,
				     variant->place == PACKED));
	for (i = 0; i < 3; i++) {
		left = left_cached(_metadata, variant->how);
		if (left > worst)
			worst = left;
	}
	TH_LOG("with it %lld", worst);
	EXPECT_LE(worst, off + SLACK) {
		TH_LOG("%lld bytes stay in the swap cache, %lld without the layer", worst, off);
	}
	EXPECT_EQ(0, sa_violations());
}

/* --- read back while being written, and freed --------------------------- */

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

/* Who has mapped it again has the page, and not the slot, when he goes. */
TEST_F_TIMEOUT(freed_back, soon_gone, SA_TIMEOUT)
{
	long long before, busy = 0, left;
	struct sa_area a;
	size_t i, bad;
	int turn;

	ASSERT_EQ(0, sa_swapon(self->slow, BACK_MIB * SA_MIB_PAGES, -1));
	ASSERT_EQ(0, sa_format(self->slow, variant->packed ? "packed" : "raw"));
	before = sa_swap_cached();
	for (turn = 0; turn < BACK_TURNS; turn++) {
		make(_metadata, &a, BACK_PAGES, SA_MIXED, turn + 1);
		madvise(a.p, a.n * SA_PAGE, MADV_PAGEOUT);
		for (i = 0, bad = 0; i < a.n; i++)
			bad += !!sa_check(a.p + i * SA_PAGE, a.pat, a.seed, i, 0);
		EXPECT_EQ(0, bad);
		sa_area_unmap(&a);
		left = sa_swap_cached() - before;
		busy = left > busy ? left : busy;
	}
	/* Else this would say nothing. */
	EXPECT_LT(0, busy);
	EXPECT_TRUE(sa_wait(sa_swap_cached() <= before, 2)) {
		TH_LOG("%lld bytes stay in the swap cache; %lld were busy",
		       sa_swap_cached() - before, busy);
	}
	EXPECT_EQ(0, sa_tier_num(self->slow, "used"));
	EXPECT_EQ(0, sa_violations());
}

TEST_HARNESS_MAIN
