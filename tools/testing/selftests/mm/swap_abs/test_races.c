// SPDX-License-Identifier: GPL-2.0
/*
 * Many things happen at once, for SWAP_ABS_SECONDS (6): threads read, rewrite
 * and push out their pages while zswap writes back, devices are swapped off and
 * on, the format of devices changes and segments are collected, data is
 * demoted, promoted and drained, cgroups come and go, the sysctl is toggled,
 * and children share pages, copy them and exit. Each access compares the
 * contents. With "everything", page frames break as well, whole tiers are moved
 * by hand, limits of cgroups are lowered until the cgroups go, and the system
 * freezes every few seconds.
 *
 * The test fails on a kernel where a load meets a slot, a compressed object or
 * a descriptor that a writeback, a swapoff or a free is replacing: the page
 * then has stale or foreign bytes or raises SIGBUS, a process is killed or
 * stuck, or an invariant fails. It also fails if something keeps the system
 * from freezing, if a cgroup is charged for freed pages, if a frame that breaks
 * takes other data along, or if the kernel reports more free swap than the
 * total.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define WORKERS	3
#define LIMIT	(SA_TIMEOUT / 3)

/*
 * The size of the cgroup that comes and goes, and of the area whose frames
 * break
 */
#define GROUP_PAGES	(4 * SA_MIB_PAGES)
#define POISON_PAGES	(2 * SA_MIB_PAGES)
/* Seconds until the kernel must have freed the resources of an ended process */
#define SOON		20

#define PM_TEST		"/sys/power/pm_test"
#define PM_STATE	"/sys/power/state"
#define PM_TEST_DELAY	"/sys/module/%s/parameters/pm_test_delay"
#define HWPOISON	"/sys/kernel/debug/hwpoison"
#define PAGE_FLAGS	"/proc/kpageflags"

enum disturbance {
	WRITEBACK = 1,		/* zswap writes all its data back */
	SWAPOFF = 2,		/* devices are swapped off and on */
	TOGGLE = 4,		/* vm.swap_abs */
	FORMAT = 8,		/* the format of devices changes */
	MOVE = 16,		/* data moves up and down, cgroups come and go */
	FORK = 32,		/* children share, copy, exit */
	CGROUPS = 64,		/* limits of cgroups fall before the cgroups go */
	FREEZE = 128,		/* the system freezes every few seconds */
	POISON = 256,		/* page frames break */
	WHOLE = 512,		/* whole tiers are moved by hand */
	COUNT = 1024,		/* a process samples the free swap */
	ALL = WRITEBACK | SWAPOFF | TOGGLE | FORMAT | MOVE | FORK | COUNT,
	EVERYTHING = ALL | CGROUPS | FREEZE | POISON | WHOLE,
};

#define NR_DISTURBERS	11	/* each one but FORK is a process */

/*
 * Wait as sa_wait() does, but count only the time in which this process could
 * run, because nothing happens while the system is frozen.
 */
#define wait_awake(cond, seconds)					\
({									\
	double __left = (seconds), __last = sa_now(), __step;		\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && __left > 0) {			\
		usleep(5000);						\
		__step = sa_now() - __last;				\
		__last += __step;					\
		__left -= __step < 0.1 ? __step : 0.1;			\
	}								\
	__ok;								\
})

struct job {
	struct __test_metadata *_metadata;
	size_t pages;		/* of each worker */
	bool forks;
	atomic_bool *stop;	/* shared with the test */
	atomic_long *touches, *forked;
};

struct worker {
	struct sa_task task;
	struct sa_area a;
	__u32 *gens;
	struct job *job;
	size_t bad;
	__u64 rnd;
};

static void touch_page(struct worker *w)
{
	struct sa_area *a = &w->a;
	size_t i = sa_rand(&w->rnd) % a->n;
	void *p = a->p + i * SA_PAGE;

	w->bad += !!sa_check_page(p, a->pat, a->seed, i, w->gens[i]);
	if (sa_rand(&w->rnd) % 3 == 0) {
		w->gens[i]++;
		sa_fill_page(p, a->pat, a->seed, i, w->gens[i]);
	}
	(*w->job->touches)++;
}

static void replace_pages(struct worker *w)
{
	size_t i = sa_rand(&w->rnd) % w->a.n, n = sa_rand(&w->rnd) % 64;

	if (n > w->a.n - i)
		n = w->a.n - i;
	/* This frees slots in any tier; zero pages come back. */
	madvise(w->a.p + i * SA_PAGE, n * SA_PAGE, MADV_DONTNEED);
	for (; n; n--, i++) {
		w->gens[i]++;
		sa_fill_page(w->a.p + i * SA_PAGE, w->a.pat, w->a.seed, i, w->gens[i]);
	}
}

static int make_worker(struct worker *w, size_t pages, enum sa_pat pat, __u64 seed)
{
	w->gens = calloc(pages, sizeof(*w->gens));
	return w->gens ? sa_area_map(&w->a, pages, pat, seed) : -ENOMEM;
}

/*
 * Read, rewrite, push out and free pages, until the test stops or a page is
 * wrong
 */
static void work_until_stopped(struct worker *w)
{
	struct sa_area *a = &w->a;
	size_t i;

	while (!*w->job->stop && !w->bad) {
		size_t from = sa_rand(&w->rnd) % a->n;
		size_t n = sa_rand(&w->rnd) % 256;

		if (n > a->n - from)
			n = a->n - from;
		madvise(a->p + from * SA_PAGE, n * SA_PAGE,
			sa_rand(&w->rnd) % 4 ? MADV_PAGEOUT : MADV_WILLNEED);
		for (i = 0; i < 64 && !w->bad; i++)
			touch_page(w);
		if (sa_rand(&w->rnd) % 16 == 0)
			replace_pages(w);
	}
}

static void check_all_pages(struct worker *w)
{
	struct sa_area *a = &w->a;
	size_t i;

	for (i = 0; i < a->n && w->bad < 4; i++)
		w->bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i,
					  w->gens[i]);
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	sa_area_fill(&w->a);
	work_until_stopped(w);
	check_all_pages(w);
	/* The other workers need not go on. */
	if (w->bad)
		*w->job->stop = true;
	return w->bad ? w : NULL;
}

/* Check the pages as they were at the fork, and change the child's own copy */
static int run_child(struct sa_area *a, __u64 rnd)
{
	size_t i, n, bad = 0;
	__u32 gen = a->gen + 1;

	for (n = 0; n < 128 && !bad; n++) {
		i = sa_rand(&rnd) % a->n;
		bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	}
	for (i = 0; i < a->n / 2 && !bad; i++)
		sa_fill_page(a->p + i * SA_PAGE, a->pat, a->seed, i, gen);
	madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
	for (i = 0; i < a->n && !bad; i += 3)
		bad += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i,
				       i < a->n / 2 ? gen : a->gen);
	return bad ? 1 : 0;
}

/*
 * Make pages that are never written after the forks, so that all children see
 * the same
 */
static int make_shared_area(struct sa_area *a, size_t pages)
{
	if (sa_area_map(a, pages, SA_TEXT, 300))
		return -1;
	sa_area_fill(a);
	return 0;
}

/* Run two children at a time, and sometimes kill one of them early */
static size_t share_with_children(struct sa_area *a, struct job *job, __u64 *rnd)
{
	size_t bad = 0;
	pid_t pid[2];
	int i, ret;

	madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
	if (!job->forks) {
		usleep(10000);
		return sa_area_check(a);
	}
	for (i = 0; i < 2; i++) {
		pid[i] = sa_fork();
		if (!pid[i])
			_exit(run_child(a, sa_rand(rnd) + i));
	}
	if (pid[0] > 0 && sa_rand(rnd) % 4 == 0) {
		usleep(sa_rand(rnd) % 20000);
		kill(pid[0], SIGKILL);
	}
	for (i = 0; i < 2; i++) {
		ret = sa_join(pid[i], LIMIT);
		if (ret && !(i == 0 && ret == -SIGKILL)) {
			sa_log("child %d: %d", i, ret);
			bad++;
		}
		(*job->forked)++;
	}
	return bad;
}

/* Run children of a process with one thread */
static int run_forks(void *arg)
{
	struct job *job = arg;
	struct __test_metadata *_metadata = job->_metadata;
	struct sa_area shared;
	__u64 rnd = 6;
	size_t bad = 0;

	ASSERT_EQ(0, make_shared_area(&shared, job->pages / 8));
	while (!*job->stop && !bad)
		bad += share_with_children(&shared, job, &rnd);
	*job->stop = true;
	return bad || sa_area_check(&shared) ? 1 : 0;
}

static int run_job(void *arg)
{
	static const enum sa_pat pats[WORKERS] = { SA_TEXT, SA_MIXED, SA_REPEAT };
	struct job job = *(struct job *)arg;
	struct __test_metadata *_metadata = job._metadata;
	struct worker w[WORKERS] = { };
	struct sa_area shared;
	size_t bad = 0;
	__u64 rnd = 5;
	int i;

	ASSERT_EQ(0, make_shared_area(&shared, job.pages / 8));
	for (i = 0; i < WORKERS; i++) {
		w[i].job = &job;
		w[i].rnd = i + 1;
		ASSERT_EQ(0, make_worker(&w[i], job.pages, pats[i], 200 + i));
		ASSERT_EQ(0, sa_task_start(&w[i].task, run_worker, &w[i]));
	}
	while (!*job.stop && !bad)
		bad += share_with_children(&shared, &job, &rnd);
	*job.stop = true;
	for (i = 0; i < WORKERS; i++)
		bad += sa_task_end(&w[i].task, LIMIT);
	bad += sa_area_check(&shared);
	return bad ? 1 : 0;
}

FIXTURE(races)
{
	bool zswap;
	int what;		/* the variant's work that is possible here */
};

/* Return the number of pages of each worker */
static size_t worker_pages(void)
{
	return (sa_is_full() ? 16 : 4) * SA_MIB_PAGES;
}

/*
 * Return the number of pages of each device. Packed devices are small, so that
 * the kernel must collect dead space.
 */
static size_t dev_pages(int what)
{
	size_t n = 2 * WORKERS * worker_pages();

	if (what & CGROUPS)
		n += 2 * GROUP_PAGES;
	if (what & POISON)
		n += 2 * POISON_PAGES;
	if (!(what & FORMAT))
		return 128 * SA_MIB_PAGES;
	return n < 17 * sa_cluster_slots() ? 17 * sa_cluster_slots() : n;
}

FIXTURE_VARIANT(races)
{
	bool on;
	int what;
};

FIXTURE_VARIANT_ADD(races, off_all) {
	.on = false, .what = WRITEBACK | SWAPOFF | FORK
};

FIXTURE_VARIANT_ADD(races, writeback) { .on = true, .what = WRITEBACK };

FIXTURE_VARIANT_ADD(races, swapoff) { .on = true, .what = SWAPOFF };

FIXTURE_VARIANT_ADD(races, toggle) { .on = true, .what = TOGGLE };

FIXTURE_VARIANT_ADD(races, fork) { .on = true, .what = FORK | WRITEBACK };

FIXTURE_VARIANT_ADD(races, format) { .on = true, .what = FORMAT | WRITEBACK };

FIXTURE_VARIANT_ADD(races, move) { .on = true, .what = MOVE | SWAPOFF };

FIXTURE_VARIANT_ADD(races, all) { .on = true, .what = ALL };

FIXTURE_VARIANT_ADD(races, everything) { .on = true, .what = EVERYTHING };

/*
 * Return the word for PM_STATE that freezes the system, to thaw a second later;
 * or NULL
 */
static const char *find_freeze_state(void)
{
	static const char * const modules[] = { "suspend", "hibernate" };
	char states[64], path[64];
	int i;

	if (sa_write(PM_TEST, "freezer") || sa_read(PM_STATE, states, sizeof(states)) < 0)
		return NULL;
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), PM_TEST_DELAY, modules[i]);
		sa_write_num(path, 1);
	}
	return strstr(states, "freeze") ? "freeze" : strstr(states, "disk") ? "disk" : NULL;
}

/*
 * Tell whether frames can be broken. The test could not tell frames that have
 * broken before from its own.
 */
static bool can_poison(void)
{
	return !access(HWPOISON "/corrupt-pfn", W_OK) && !access(PAGE_FLAGS, R_OK) &&
		!access(HWPOISON "/corrupt-filter-memcg", W_OK) &&
		!sa_meminfo("HardwareCorrupted");
}

/* Return the part of the work that is possible with this kernel and machine */
static int possible_disturbances(int what)
{
	/*
	 * User Mode Linux loses mappings in this test, see FIXTURE_SETUP(). It
	 * was never seen to do so without children that share pages.
	 */
	if (sa_is_uml() && (what & EVERYTHING) == EVERYTHING)
		what &= ~FORK;
	if ((what & FREEZE) && !find_freeze_state())
		what &= ~FREEZE;
	if ((what & POISON) && !can_poison())
		what &= ~POISON;
	return what;
}

FIXTURE_SETUP(races)
{
	const char *why = sa_begin(variant->on, SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	self->what = possible_disturbances(variant->what);
	/* With the unmodified kernel, too, a process gets SIGSEGV or spins. */
	if (sa_is_uml() && (!variant->on || (self->what & ALL) == ALL))
		SKIP(return, "User Mode Linux 7.3 loses mappings in this test");
	self->zswap = !sa_set_zswap(true);
	if ((variant->what & WRITEBACK) && !self->zswap)
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), dev_pages(self->what), 2));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), dev_pages(self->what), 2));
	if (self->what & POISON)
		sa_log_expect("due to hardware memory corruption");
}

/*
 * Unpoison all frames that have broken. Return how many frames can't be
 * unpoisoned now.
 */
static size_t unpoison_all_frames(atomic_long *mended)
{
	int fd = open(PAGE_FLAGS, O_RDONLY | O_CLOEXEC);
	static __u64 flags[8192];
	unsigned long pfn = 0;
	size_t left = 0;
	char frame[32];
	ssize_t i, n;

	while (fd >= 0 && (n = read(fd, flags, sizeof(flags))) > 0) {
		n /= sizeof(*flags);
		for (i = 0; i < n; i++, pfn++) {
			if (!(flags[i] & 1ULL << KPF_HWPOISON))
				continue;
			snprintf(frame, sizeof(frame), "%#lx", pfn);
			if (sa_write(HWPOISON "/unpoison-pfn", frame))
				left++;
			else if (mended)
				(*mended)++;
		}
	}
	if (fd >= 0)
		close(fd);
	return left;
}

/* Limit corrupt-pfn to pages of one cgroup, or lift that limit */
static int limit_poison_to(unsigned long long ino)
{
	int ret = sa_write_num(HWPOISON "/corrupt-filter-memcg", ino);

	return ret ? ret : sa_write_num(HWPOISON "/corrupt-filter-enable", !!ino);
}

FIXTURE_TEARDOWN_PARENT(races)
{
	if (self->what & FREEZE)
		sa_write(PM_TEST, "none");
	if (self->what & POISON)
		limit_poison_to(0);
	EXPECT_EQ(0, sa_end());
	if (self->what & POISON) {
		EXPECT_TRUE(sa_wait(!unpoison_all_frames(NULL), SOON));
		EXPECT_EQ(0, sa_meminfo("HardwareCorrupted"));
		sa_log_expect(NULL);
	}
}

struct shared_state {
	struct __test_metadata *_metadata;
	atomic_bool stop;
	atomic_long touches, forked, writebacks, swapoffs, toggles, formats, failed;
	atomic_long moves, moved, drains, cgs;
	atomic_long whole, whole_moved, freezes, groups, spread, limits, left, late, ooms;
	atomic_long breaks, lost, mended, scans, differ, samples;
	/* The progress of a cgroup's process, and its orders */
	atomic_bool is_out, is_off, leave, is_gone;
	int what;
};

/*
 * Make zswap write back until the test stops. Each disturbance runs in a
 * process of its own.
 */
static int disturb_writeback(void *arg)
{
	struct shared_state *s = arg;

	while (!s->stop) {
		sa_zswap_param("max_pool_percent", "0");
		usleep(50000);
		sa_zswap_param("max_pool_percent", "20");
		usleep(50000);
		s->writebacks++;
	}
	return 0;
}

/*
 * Tell whether an error is expected for a write to a tier's file while devices
 * come and go. A freeze ends a long write, as a signal does.
 */
static bool is_expected_error(struct shared_state *s, int ret)
{
	return !ret || (ret == -EINTR && (s->what & FREEZE)) || ret == -ENOENT ||
	       ret == -ENODEV || ret == -ENOSPC || ret == -EBUSY || ret == -ENOMEM;
}

static void tier_write(struct shared_state *s, const char *dev, const char *file,
		       const char *text)
{
	int ret = sa_tier_write(dev, file, text);

	if (is_expected_error(s, ret))
		return;
	sa_log("%s of %s, %s: %s", file, dev ? dev : "zswap", text, strerror(-ret));
	s->failed++;
}

/*
 * Drain a device and take it back sometimes, before swapoff, which takes a
 * drained tier, too. The process of swapoff does this, because one of the
 * devices must stay in use.
 */
static void drain_tier(struct shared_state *s, const char *dev, __u64 *rnd)
{
	tier_write(s, dev, "state", "draining");
	usleep(sa_rand(rnd) % 50000);
	if (sa_rand(rnd) % 2)
		tier_write(s, dev, "state", "online");
	s->drains++;
}

static int disturb_swapoff(void *arg)
{
	struct shared_state *s = arg;
	__u64 rnd = 3;

	while (!s->stop) {
		int i = s->swapoffs % 2;
		int ret;

		if (s->what & MOVE)
			drain_tier(s, sa_dev(i), &rnd);
		ret = sa_swapoff(sa_dev(i));

		/*
		 * swapoff may fail because there is no room now; any other
		 * error is wrong.
		 */
		if (ret && ret != -ENOMEM && !(ret == -EINTR && (s->what & FREEZE))) {
			sa_log("swapoff of %s: %s", sa_dev(i), strerror(-ret));
			s->failed++;
		}
		usleep(sa_rand(&rnd) % 50000);
		if (!ret) {
			ret = sa_swapon(sa_dev(i), dev_pages(s->what), i + 1);
			if (ret) {
				sa_log("swapon of %s: %s", sa_dev(i), strerror(-ret));
				s->failed++;
			}
			s->swapoffs++;
		}
		usleep(sa_rand(&rnd) % 50000);
	}
	return 0;
}

static int disturb_toggle(void *arg)
{
	struct shared_state *s = arg;
	__u64 rnd = 4;

	while (!s->stop) {
		if (sa_set_layer(s->toggles++ & 1))
			s->failed++;
		usleep(sa_rand(&rnd) % 30000);
	}
	return 0;
}

/* Check that the free swap is never above the total or below zero */
static int watch_free(void *arg)
{
	struct shared_state *s = arg;
	struct sysinfo si;

	while (!s->stop) {
		if (sysinfo(&si))
			return 1;
		/* A number below zero is a very large number here. */
		if (si.freeswap > si.totalswap) {
			sa_log("%lu of %lu times %u bytes are free", si.freeswap,
			       si.totalswap, si.mem_unit);
			s->failed++;
		}
		s->samples++;
		usleep(200);
	}
	return 0;
}

static int disturb_format(void *arg)
{
	struct shared_state *s = arg;
	__u64 rnd = 5;
	int i, ret;

	while (!s->stop) {
		i = sa_rand(&rnd) % 2;
		/*
		 * The format is packed most of the time; the device may be
		 * swapped off now.
		 */
		ret = sa_set_format(sa_dev(i), sa_rand(&rnd) % 4 ? "packed" : "raw");
		if (!ret) {
			s->formats++;
		} else if (ret != -ENOENT && ret != -ENODEV) {
			sa_log("format of %s: %s", sa_dev(i), strerror(-ret));
			s->failed++;
		}
		usleep(sa_rand(&rnd) % 60000);
	}
	return 0;
}

/*
 * Remove a cgroup. A removal gives up after a time, in which the system may
 * have been frozen.
 */
static int remove_cg(struct shared_state *s, const char *cg)
{
	int ret = sa_cg_destroy(cg);

	if (ret && (s->what & FREEZE))
		ret = sa_cg_destroy(cg);
	return ret;
}

/* Swap in a cgroup that goes away while other processes work */
static int run_short_lived(void *arg)
{
	struct shared_state *s = arg;
	struct __test_metadata *_metadata = s->_metadata;
	struct sa_area a;
	size_t bad;

	ASSERT_EQ(0, sa_area_map(&a, 256, SA_TEXT, 400));
	sa_area_fill(&a);
	sa_pageout(a.p, a.n);
	bad = sa_area_check(&a);
	sa_pageout(a.p, a.n);
	return bad ? 1 : 0;
}

static void run_short_cgroup(struct shared_state *s, __u64 *rnd)
{
	char cg[256];

	if (sa_cg_make("races-short", 16 * SA_MIB, cg, sizeof(cg)))
		return;
	/* If a device is forbidden, the other tiers remain. */
	sa_cg_limit_tier(cg, sa_dev(sa_rand(rnd) % 2), sa_rand(rnd) % 2 ? "0" : "256K");
	if (sa_run(cg, run_short_lived, s, LIMIT)) {
		sa_log("a child in a cgroup of its own has failed");
		s->failed++;
	}
	if (remove_cg(s, cg))
		s->failed++;
	s->cgs++;
}

static int disturb_move(void *arg)
{
	struct shared_state *s = arg;
	const char *dev;
	__u64 rnd = 6;
	char text[16];
	int high;

	while (!s->stop) {
		dev = sa_rand(&rnd) % 3 ? sa_dev(sa_rand(&rnd) % 2) : NULL;
		switch (sa_rand(&rnd) % 5) {
		case 0:
		case 1:
			snprintf(text, sizeof(text), "%dK", 16 << sa_rand(&rnd) % 9);
			tier_write(s, dev, sa_rand(&rnd) % 2 ? "demote" : "promote", text);
			s->moved += sa_tier_num(dev, "demote") > 0;
			s->moves++;
			break;
		case 2:
			snprintf(text, sizeof(text), "%d", 1 + (int)(sa_rand(&rnd) % 3));
			if (dev)
				tier_write(s, dev, "rank", text);
			break;
		case 3:
			high = 1 + sa_rand(&rnd) % 30;
			sa_set_watermarks(dev, high, sa_rand(&rnd) % high);
			break;
		case 4:
			run_short_cgroup(s, &rnd);
			break;
		}
		usleep(sa_rand(&rnd) % 20000);
	}
	return 0;
}

/* Move all data of a tier, one tier after the other */
static int disturb_whole(void *arg)
{
	struct shared_state *s = arg;
	const char *dev, *file;
	__u64 rnd = 7;
	int i;

	for (i = 0; !s->stop; i++) {
		dev = i % 3 ? sa_dev(i % 3 - 1) : NULL;
		file = i / 3 % 2 ? "promote" : "demote";
		tier_write(s, dev, file, "all");
		s->whole_moved += sa_tier_num(dev, file) > 0;
		s->whole++;
		usleep(sa_rand(&rnd) % 100000);
	}
	return 0;
}

/* --- cgroups whose limits are lowered, and that go ------------------------ */

/*
 * Work until killed; or leave the cgroup with the swapped pages behind, and
 * check them
 */
static int run_group_member(void *arg)
{
	struct shared_state *s = arg;
	struct __test_metadata *_metadata = s->_metadata;
	struct job job = { .stop = &s->leave, .touches = &s->touches };
	struct worker w = { .job = &job, .rnd = 8 };
	char cg[256];

	ASSERT_EQ(0, make_worker(&w, GROUP_PAGES, SA_MIXED, 500));
	sa_area_fill(&w.a);
	madvise(w.a.p, w.a.n * SA_PAGE, MADV_PAGEOUT);
	s->is_out = true;
	work_until_stopped(&w);
	/* The process may be killed before it can return this result. */
	if (w.bad) {
		s->failed++;
		s->stop = true;
	}
	ASSERT_EQ(0, sa_cg_make("self", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_cg_enter(cg));
	s->is_off = true;
	ASSERT_TRUE(wait_awake(s->is_gone, LIMIT));
	check_all_pages(&w);
	return w.bad ? 1 : 0;
}

/*
 * Raise or lower a limit of a cgroup that uses 4 MiB; some limits make it run
 * out of memory
 */
static void set_any_limit(struct shared_state *s, const char *cg, __u64 *rnd)
{
	static const char * const sizes[] = { "0", "256K", "1M", "3M", "max" };
	static const char * const maxima[] = { "2M", "3M", "5M", "8M", "max" };
	int i = sa_rand(rnd) % 5, tier = sa_rand(rnd) % 3, ret;

	switch (sa_rand(rnd) % 4) {
	case 0:
	case 1:
		ret = sa_cg_limit_tier(cg, tier ? sa_dev(tier - 1) : NULL, sizes[i]);
		/* The device may be going away. */
		if (ret == -EINVAL && (s->what & SWAPOFF))
			ret = 0;
		break;
	case 2:
		ret = sa_cg_write(cg, "memory.zswap.max", sizes[i]);
		break;
	default:
		ret = sa_cg_write(cg, "memory.max", maxima[i]);
	}
	s->limits++;
	if (!is_expected_error(s, ret)) {
		sa_log("a limit of %s: %s", cg, strerror(-ret));
		s->failed++;
	}
}

static void lift_limits(const char *cg)
{
	int i;

	sa_cg_write(cg, "memory.max", "max");
	sa_cg_write(cg, "memory.zswap.max", "max");
	for (i = 0; i < 3; i++)
		sa_cg_limit_tier(cg, i ? sa_dev(i - 1) : NULL, "max");
}

/* Return how many counters say that the cgroup has swapped pages, or -errno */
static int count_swap_counters(const char *cg, bool tell)
{
	static const char * const names[] = { "swap_tier_", "zswap ", "zswapped " };
	char path[512], text[16384], *line, *save = NULL;
	int i, n = 0, ret;

	snprintf(path, sizeof(path), "%s/memory.stat", cg);
	ret = sa_read(path, text, sizeof(text));
	if (ret < 0)
		return ret;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		for (i = 0; i < 3; i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				break;
		if (i == 3 || !strcmp(strrchr(line, ' '), " 0"))
			continue;
		if (tell)
			sa_log("%s: %s", cg, line);
		n++;
	}
	if (sa_cg_num(cg, "memory.swap.current")) {
		if (tell)
			sa_log("%s: %lld bytes of swap", cg,
			       sa_cg_num(cg, "memory.swap.current"));
		n++;
	}
	return n;
}

/* Limit the cgroup so that it needs all tiers for its data */
static void limit_each_tier(const char *cg)
{
	sa_cg_limit_tier(cg, NULL, "1M");
	sa_cg_limit_tier(cg, sa_dev(0), "1536K");
	sa_cg_limit_tier(cg, sa_dev(1), "1536K");
}

/*
 * Tell whether the cgroup uses all tiers. One of them may have been swapped
 * off.
 */
static bool uses_all_tiers(const char *cg)
{
	return sa_cg_tier(cg, NULL) > 0 && sa_cg_tier(cg, sa_dev(0)) > 0 &&
		sa_cg_tier(cg, sa_dev(1)) > 0;
}

/*
 * Tell whether the cgroup has nothing left. A page in the swap cache keeps its
 * slot until it is reclaimed.
 */
static bool cg_has_nothing(const char *cg)
{
	if (!count_swap_counters(cg, false))
		return true;
	sa_cg_try_reclaim(cg, GROUP_PAGES * SA_PAGE);
	return !count_swap_counters(cg, false);
}

static void run_one_group(struct shared_state *s, const char *tree, __u64 *rnd)
{
	long long ooms = sa_cg_key(tree, "memory.events", "oom_kill");
	bool by_us = sa_rand(rnd) % 2;
	char cg[256];
	pid_t pid;
	int n, ret;

	s->is_out = false;
	s->is_off = false;
	s->leave = false;
	s->is_gone = false;
	ret = sa_cg_make("races-tree/one", 0, cg, sizeof(cg));
	if (ret) {
		sa_log("%s: %s", cg, strerror(-ret));
		s->failed++;
		return;
	}
	limit_each_tier(cg);
	pid = sa_start(cg, run_group_member, s);
	wait_awake(s->is_out || sa_has_ended(pid), LIMIT);
	s->spread += uses_all_tiers(cg);
	for (n = 4 + sa_rand(rnd) % 12; n && !sa_has_ended(pid); n--) {
		set_any_limit(s, sa_rand(rnd) % 4 ? cg : tree, rnd);
		usleep(sa_rand(rnd) % 30000);
	}
	if (by_us) {
		kill(pid, SIGKILL);
	} else {
		s->leave = true;
		wait_awake(s->is_off || sa_has_ended(pid), LIMIT);
	}
	/*
	 * The removal comes at once, while the cgroup has pages in the swap
	 * cache and in all tiers.
	 */
	if (!wait_awake(!rmdir(cg) || errno == ENOENT, SOON)) {
		sa_log("%s can't be removed", cg);
		s->failed++;
	}
	s->is_gone = true;
	wait_awake(sa_has_ended(pid), LIMIT);
	ret = sa_join(pid, 0);
	ooms = sa_cg_key(tree, "memory.events", "oom_kill") - ooms;
	if (ret && !(sa_was_killed(ret) && (by_us || ooms > 0))) {
		sa_log("a process whose cgroup was removed: %d", ret);
		s->failed++;
		s->stop = true;
	}
	if (!wait_awake(cg_has_nothing(tree), SOON)) {
		count_swap_counters(tree, true);
		sa_log("%s: %s, %lld bytes of memory; all have %lld in the swap cache", tree,
		       by_us ? "killed" : "left", sa_cg_num(tree, "memory.current"),
		       sa_swap_cached());
		/*
		 * A page that is read for a removed cgroup is charged to the
		 * reading cgroup or to the root.
		 */
		sa_cg_reclaim(sa_cg_root(), 2 * GROUP_PAGES * SA_PAGE);
		if (wait_awake(cg_has_nothing(tree), SOON)) {
			sa_log("the swap cache held these pages for other cgroups");
			s->late++;
		} else {
			s->failed++;
			s->stop = true;
		}
	}
	lift_limits(tree);
	s->ooms += ooms > 0;
	s->left += !by_us && !ret;
	s->groups++;
}

static int disturb_groups(void *arg)
{
	struct shared_state *s = arg;
	struct __test_metadata *_metadata = s->_metadata;
	char tree[256];
	__u64 rnd = 8;

	ASSERT_EQ(0, sa_cg_make("races-tree", 0, tree, sizeof(tree)));
	ASSERT_EQ(0, sa_cg_write(tree, "cgroup.subtree_control", "+memory"));
	while (!s->stop)
		run_one_group(s, tree, &rnd);
	EXPECT_EQ(0, remove_cg(s, tree));
	return 0;
}

/* --- freezing ------------------------------------------------------------- */

static int disturb_freeze(void *arg)
{
	struct shared_state *s = arg;
	const char *state = find_freeze_state();
	double start;
	int ret;

	while (!s->stop) {
		/*
		 * Frozen processes run for a while before the next freeze, so
		 * that each makes progress.
		 */
		if (sa_wait(s->stop, 3))
			break;
		start = sa_now();
		ret = sa_write(PM_STATE, state);
		if (ret) {
			sa_log("the system did not freeze: %s, after %.1f s", strerror(-ret),
			       sa_now() - start);
			s->failed++;
		}
		s->freezes += !ret;
	}
	return 0;
}

/* --- page frames that break ----------------------------------------------- */

static void ignore_sigbus(int sig)
{
}

static void rewrite_page(struct worker *w, size_t i)
{
	struct sa_area *a = &w->a;

	sa_fill_page(a->p + i * SA_PAGE, a->pat, a->seed, i, ++w->gens[i]);
}

/* Check that a page is right or lost, and replace a lost page */
static void check_or_replace_page(struct shared_state *s, struct worker *w, size_t i)
{
	struct sa_area *a = &w->a;
	void *p = a->p + i * SA_PAGE;

	if (sa_raises_sigbus(p)) {
		s->lost++;
		madvise(p, SA_PAGE, MADV_DONTNEED);
		rewrite_page(w, i);
		return;
	}
	w->bad += !!sa_check_page(p, a->pat, a->seed, i, w->gens[i]);
	if (sa_rand(&w->rnd) % 3 == 0)
		rewrite_page(w, i);
}

/* Break the frame of a page, either where it is mapped or on its way out */
static void break_page_frame(struct shared_state *s, struct worker *w, size_t i)
{
	struct sigaction sa = { .sa_handler = ignore_sigbus }, old;
	void *p = w->a.p + i * SA_PAGE;
	bool is_mapped = sa_rand(&w->rnd) % 2;
	char frame[32];
	__u64 entry;

	check_or_replace_page(s, w, i);
	s->breaks++;
	/*
	 * The kernel may tell a process that breaks a dirty page by a signal.
	 */
	sigaction(SIGBUS, &sa, &old);
	if (is_mapped) {
		madvise(p, SA_PAGE, MADV_HWPOISON);
	} else if (!sa_pagemap(p, 1, &entry) && (entry & SA_PM_PRESENT)) {
		madvise(p, SA_PAGE, MADV_PAGEOUT);
		/*
		 * The frame may belong to another page of this area by now,
		 * because only this process is in the cgroup.
		 */
		snprintf(frame, sizeof(frame), "%#llx", entry & SA_PM_ENTRY);
		sa_write(HWPOISON "/corrupt-pfn", frame);
	}
	sigaction(SIGBUS, &old, NULL);
}

/* Break frames of an area in a cgroup of its own */
static int disturb_poison(void *arg)
{
	struct shared_state *s = arg;
	struct __test_metadata *_metadata = s->_metadata;
	struct worker w = { .rnd = 9 };
	size_t i, n;

	ASSERT_EQ(0, make_worker(&w, POISON_PAGES, SA_MIXED, 600));
	sa_area_fill(&w.a);
	while (!s->stop && !w.bad && s->lost <= s->breaks) {
		i = sa_rand(&w.rnd) % w.a.n;
		n = sa_rand(&w.rnd) % 64;
		switch (sa_rand(&w.rnd) % 4) {
		case 0:
			madvise(w.a.p + i * SA_PAGE, (n < w.a.n - i ? n : w.a.n - i) * SA_PAGE,
				MADV_PAGEOUT);
			break;
		case 1:
			break_page_frame(s, &w, i);
			if (s->breaks % 32)
				break;
			for (i = 0; i < w.a.n && !w.bad; i++)
				check_or_replace_page(s, &w, i);
			unpoison_all_frames(&s->mended);
			break;
		default:
			check_or_replace_page(s, &w, i);
		}
		usleep(sa_rand(&w.rnd) % 20000);
	}
	for (i = 0; i < w.a.n && w.bad < 4; i++)
		check_or_replace_page(s, &w, i);
	/* At most one page is lost with a frame. */
	EXPECT_LE(s->lost, s->breaks);
	EXPECT_EQ(0, w.bad);
	if (w.bad || s->lost > s->breaks)
		s->stop = true;
	sa_area_unmap(&w.a);
	EXPECT_TRUE(wait_awake(!unpoison_all_frames(&s->mended), SOON)) {
		TH_LOG("%zu page frames stay broken", unpoison_all_frames(&s->mended));
	}
	return 0;
}

/*
 * Wait for the end of the time or for an error. With "everything", let the
 * kernel scan all slots every two seconds. Return the number of violations.
 */
static long long watch_violations(struct shared_state *s, int seconds)
{
	double end = sa_now() + seconds;
	long long n = 0;
	int tries;

	if (!(s->what & WHOLE)) {
		sa_wait(s->stop, seconds);
		return 0;
	}
	while (!s->stop && sa_now() < end && !n) {
		double left = end - sa_now();

		sa_wait(s->stop, left < 2 ? left : 2);
		/*
		 * The scan repeats while the sums differ. It holds a mutex, for
		 * which swapoff may wait while its device is missing in one of
		 * the sums.
		 */
		for (tries = 3; tries && (n = sa_violations()); tries--)
			s->differ++;
		s->scans++;
	}
	return n;
}

static bool tier_is_empty(const char *dev)
{
	return !sa_tier_num(dev, "used") && !sa_tier_num(dev, "stored");
}

/* Tell whether the disturbances that take longest have taken place */
static bool have_disturbed(struct shared_state *s, int what)
{
	return (!(what & SWAPOFF) || s->swapoffs > 1) &&
	       (!(what & MOVE) || (s->drains > 0 && s->moves + s->cgs > 0));
}

TEST_F_TIMEOUT(races, soak, SA_TIMEOUT + 3600)
{
	static int (*const fns[NR_DISTURBERS])(void *) = {
		disturb_writeback, disturb_swapoff, disturb_toggle, disturb_format,
		disturb_move, NULL, disturb_groups, disturb_freeze, disturb_poison,
		disturb_whole, watch_free,
	};
	int seconds = sa_seconds(6), what = self->what, i, ret;
	long long wb = sa_vmstat("zswpwb");
	struct shared_state *s;
	pid_t pid, forker = 0, others[NR_DISTURBERS] = { };
	struct job job;
	char cg[256], poison[256] = "";
	struct stat st;

	/*
	 * Tests of a single disturbance are shorter, because the test of all
	 * matters most.
	 */
	if ((variant->what & ALL) != ALL)
		seconds = (seconds + 3) / 4;
	s = sa_map_shared();
	ASSERT_NE(NULL, s);
	s->_metadata = _metadata;
	s->what = what;
	job = (struct job){
		._metadata = _metadata, .pages = worker_pages(),
		.forks = what & FORK, .stop = &s->stop,
		.touches = &s->touches, .forked = &s->forked,
	};
	/*
	 * The limit leaves room for only a part, so that reclaim works all the
	 * time.
	 */
	ASSERT_EQ(0, sa_cg_make("races", job.pages * WORKERS * SA_PAGE * 3 / 4 +
				10 * SA_MIB, cg, sizeof(cg)));
	pid = sa_start(cg, run_job, &job);
	ASSERT_LT(0, pid);
	if (what & FORK) {
		forker = sa_start(cg, run_forks, &job);
		ASSERT_LT(0, forker);
	}
	if (what & POISON) {
		ASSERT_EQ(0, sa_cg_make("races-poison", 0, poison, sizeof(poison)));
		ASSERT_EQ(0, stat(poison, &st));
		ASSERT_EQ(0, limit_poison_to(st.st_ino));
	}
	for (i = 0; i < NR_DISTURBERS; i++)
		if (fns[i] && what & 1 << i)
			others[i] = sa_start(1 << i == POISON ? poison : NULL, fns[i], s);

	/*
	 * The job ends by itself as soon as it finds an error. On a slow or busy
	 * host, go on until the slowest disturbances have taken place.
	 */
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, watch_violations(s, seconds));
		if (s->failed || have_disturbed(s, what))
			break;
	}
	s->stop = true;
	ret = sa_join(pid, LIMIT);
	EXPECT_EQ(0, ret);
	if (forker)
		EXPECT_EQ(0, sa_join(forker, LIMIT));
	for (i = 0; i < NR_DISTURBERS; i++)
		if (others[i])
			EXPECT_EQ(0, sa_join(others[i], LIMIT)) {
				TH_LOG("disturbance %#x", 1 << i);
			}
	wb = sa_vmstat("zswpwb") - wb;
	TH_LOG("%ld touches, %ld children, %lld pages written back by zswap",
	       s->touches, s->forked, wb);
	TH_LOG("%ld swapoffs, %ld toggles, %ld formats; %ld samples of free swap",
	       s->swapoffs, s->toggles, s->formats, s->samples);
	if (what & MOVE)
		TH_LOG("%ld moves by hand, %ld with something to move, %ld drains, %ld cgroups",
		       s->moves, s->moved, s->drains, s->cgs);
	if (what & WHOLE)
		TH_LOG("%ld moves of whole tiers, %ld of something; %ld scans of slots, %ld anew",
		       s->whole, s->whole_moved, s->scans, s->differ);
	if (what & CGROUPS) {
		TH_LOG("%ld cgroups more, %ld in all tiers, %ld limits, %ld out of memory",
		       s->groups, s->spread, s->limits, s->ooms);
		TH_LOG("%ld removed before their data; %ld had some in the swap cache of others",
		       s->left, s->late);
	}
	if (what & FREEZE)
		TH_LOG("%ld times frozen", s->freezes);
	if (what & POISON)
		TH_LOG("%ld breaks of frames, %ld pages lost, %ld frames unpoisoned",
		       s->breaks, s->lost, s->mended);
	EXPECT_EQ(0, s->failed);
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	/* Each disturbance must have taken place. */
	EXPECT_LT(100, s->touches);
	if (what & FORK)
		EXPECT_LT(1, s->forked);
	if (what & WRITEBACK)
		EXPECT_LT(0, wb);
	if (what & SWAPOFF)
		EXPECT_LT(1, s->swapoffs);
	if (what & TOGGLE)
		EXPECT_LT(10, s->toggles);
	if (what & FORMAT)
		EXPECT_LT(2, s->formats);
	if (what & COUNT)
		EXPECT_LT(10, s->samples);
	if (what & MOVE) {
		EXPECT_LT(0, s->moves + s->cgs);
		EXPECT_LT(0, s->drains);
		/* A short run may find nothing to move in a few tries. */
		if (s->moves >= 20)
			EXPECT_LT(0, s->moved);
	}
	if (what & WHOLE)
		EXPECT_LT(0, s->whole);
	if (what & CGROUPS)
		EXPECT_LT(0, s->groups);
	if (what & FREEZE)
		EXPECT_LT(0, s->freezes);
	if (what & POISON) {
		EXPECT_LT(0, s->mended);
		EXPECT_EQ(0, sa_cg_destroy(poison));
	}
	EXPECT_EQ(0, sa_cg_destroy(cg));
	/* Nothing may be left in any tier. */
	if (variant->on) {
		ASSERT_EQ(0, sa_set_layer(false));
		for (i = 0; i < 2; i++)
			if (sa_swaps_read(sa_dev(i), NULL, NULL, NULL))
				EXPECT_TRUE(sa_wait_purged(tier_is_empty(sa_dev(i)), 10)) {
					TH_LOG("%s: used %lld, stored %lld; %lld in the swap cache",
					       sa_dev(i), sa_tier_num(sa_dev(i), "used"),
					       sa_tier_num(sa_dev(i), "stored"), sa_swap_cached());
				}
		if (self->zswap)
			EXPECT_TRUE(sa_wait_purged(tier_is_empty(NULL), 10)) {
				TH_LOG("zswap: stored %lld; %lld in the swap cache",
				       sa_tier_num(NULL, "stored"), sa_swap_cached());
			}
	}
}

TEST_HARNESS_MAIN
