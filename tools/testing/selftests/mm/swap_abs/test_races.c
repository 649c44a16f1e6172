// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, for SWAP_ABS_SECONDS (6): threads read, rewrite and push
 * out their pages while zswap writes back, devices are swapped off and on, what
 * they get is packed or not by turns and collected, data is demoted, promoted and
 * drained, cgroups come and go, the sysctl is toggled, and children are made that
 * share, copy and exit. Contents are compared at every touch. With "everything",
 * page frames break as well, whole tiers are moved by hand, limits of cgroups are
 * lowered until these go, and the system is frozen every few seconds.
 *
 * It fails on a kernel where a load meets a slot, a compressed object or a
 * descriptor that a writeback, a swapoff or a free is just replacing: stale or
 * foreign bytes, a SIGBUS, a killed or stuck process, a failed invariant. Or where
 * somebody keeps the system from freezing, a cgroup is charged for what is gone, or
 * a frame that breaks takes the data of others along, or more swap is said to be free than
 * there is.
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

/* Of the cgroup that comes and goes, and of the area whose frames break */
#define GROUP_PAGES	(4 * SA_MIB_PAGES)
#define POISON_PAGES	(2 * SA_MIB_PAGES)
/* What has to be given back by who has gone is given back in so many seconds. */
#define SOON		20

#define PM_TEST		"/sys/power/pm_test"
#define PM_STATE	"/sys/power/state"
#define PM_TEST_DELAY	"/sys/module/%s/parameters/pm_test_delay"
#define HWPOISON	"/sys/kernel/debug/hwpoison"
#define PAGE_FLAGS	"/proc/kpageflags"

enum disturbance {
	WRITEBACK = 1,		/* zswap empties itself */
	SWAPOFF = 2,		/* devices go and come */
	TOGGLE = 4,		/* vm.swap_abs */
	FORMAT = 8,		/* devices are written packed, or not */
	MOVE = 16,		/* data goes up and down, cgroups come and go */
	FORK = 32,		/* children share, copy, exit */
	CGROUPS = 64,		/* their limits are lowered before they go */
	FREEZE = 128,		/* all of the system, every few seconds */
	POISON = 256,		/* page frames break */
	WHOLE = 512,		/* all that a tier has goes up or down by hand */
	COUNT = 1024,		/* somebody asks how much swap is free, all the time */
	ALL = WRITEBACK | SWAPOFF | TOGGLE | FORMAT | MOVE | FORK | COUNT,
	EVERYTHING = ALL | CGROUPS | FREEZE | POISON | WHOLE,
};

#define NR_DISTURBERS	11	/* all but FORK are processes of their own */

/*
 * As sa_wait(), but what counts is time in which this process could run: while the
 * system is frozen nothing can come about that it waits for.
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

static void touch(struct worker *w)
{
	struct sa_area *a = &w->a;
	size_t i = sa_rand(&w->rnd) % a->n;
	void *p = a->p + i * SA_PAGE;

	w->bad += !!sa_check(p, a->pat, a->seed, i, w->gens[i]);
	if (sa_rand(&w->rnd) % 3 == 0) {
		w->gens[i]++;
		sa_fill(p, a->pat, a->seed, i, w->gens[i]);
	}
	(*w->job->touches)++;
}

static void drop(struct worker *w)
{
	size_t i = sa_rand(&w->rnd) % w->a.n, n = sa_rand(&w->rnd) % 64;

	if (n > w->a.n - i)
		n = w->a.n - i;
	/* Free slots wherever they are now; zero pages come back. */
	madvise(w->a.p + i * SA_PAGE, n * SA_PAGE, MADV_DONTNEED);
	for (; n; n--, i++) {
		w->gens[i]++;
		sa_fill(w->a.p + i * SA_PAGE, w->a.pat, w->a.seed, i, w->gens[i]);
	}
}

static int make_worker(struct worker *w, size_t pages, enum sa_pat pat, __u64 seed)
{
	w->gens = calloc(pages, sizeof(*w->gens));
	return w->gens ? sa_area_map(&w->a, pages, pat, seed) : -ENOMEM;
}

/* Read, rewrite, push out and free pages, until told to stop or one is wrong. */
static void keep_at_work(struct worker *w)
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
			touch(w);
		if (sa_rand(&w->rnd) % 16 == 0)
			drop(w);
	}
}

static void look_at_all(struct worker *w)
{
	struct sa_area *a = &w->a;
	size_t i;

	for (i = 0; i < a->n && w->bad < 4; i++)
		w->bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i,
				     w->gens[i]);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	sa_area_fill(&w->a);
	keep_at_work(w);
	look_at_all(w);
	/* The others need not go on. */
	if (w->bad)
		*w->job->stop = true;
	return w->bad ? w : NULL;
}

/* A child sees what was there at the fork, and changes its own copy. */
static int child(struct sa_area *a, __u64 rnd)
{
	size_t i, n, bad = 0;
	__u32 gen = a->gen + 1;

	for (n = 0; n < 128 && !bad; n++) {
		i = sa_rand(&rnd) % a->n;
		bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
	}
	for (i = 0; i < a->n / 2 && !bad; i++)
		sa_fill(a->p + i * SA_PAGE, a->pat, a->seed, i, gen);
	madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
	for (i = 0; i < a->n && !bad; i += 3)
		bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i,
				  i < a->n / 2 ? gen : a->gen);
	return bad ? 1 : 0;
}

/* Pages that are never written once children come: they all see the same. */
static int share_start(struct sa_area *a, size_t pages)
{
	if (sa_area_map(a, pages, SA_TEXT, 300))
		return -1;
	sa_area_fill(a);
	return 0;
}

/* Two children at a time; one of them is killed early now and then. */
static size_t share_once(struct sa_area *a, struct job *job, __u64 *rnd)
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
			_exit(child(a, sa_rand(rnd) + i));
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

/* Children of a process with one thread */
static int run_forks(void *arg)
{
	struct job *job = arg;
	struct __test_metadata *_metadata = job->_metadata;
	struct sa_area shared;
	__u64 rnd = 6;
	size_t bad = 0;

	ASSERT_EQ(0, share_start(&shared, job->pages / 8));
	while (!*job->stop && !bad)
		bad += share_once(&shared, job, &rnd);
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

	ASSERT_EQ(0, share_start(&shared, job.pages / 8));
	for (i = 0; i < WORKERS; i++) {
		w[i].job = &job;
		w[i].rnd = i + 1;
		ASSERT_EQ(0, make_worker(&w[i], job.pages, pats[i], 200 + i));
		ASSERT_EQ(0, sa_task_start(&w[i].task, work, &w[i]));
	}
	while (!*job.stop && !bad)
		bad += share_once(&shared, &job, &rnd);
	*job.stop = true;
	for (i = 0; i < WORKERS; i++)
		bad += sa_task_end(&w[i].task, LIMIT);
	bad += sa_area_check(&shared);
	return bad ? 1 : 0;
}

FIXTURE(races)
{
	bool zswap;
	int what;		/* of the variant's, what can be done here */
};

/* Of each worker */
static size_t job_pages(void)
{
	return (sa_full() ? 16 : 4) * SA_MIB_PAGES;
}

/*
 * Of each device. Where they are packed they are small, so that what is dead must
 * be collected.
 */
static size_t dev_pages(int what)
{
	size_t n = 2 * WORKERS * job_pages();

	if (what & CGROUPS)
		n += 2 * GROUP_PAGES;
	if (what & POISON)
		n += 2 * POISON_PAGES;
	if (!(what & FORMAT))
		return 128 * SA_MIB_PAGES;
	return n < 17 * sa_cluster() ? 17 * sa_cluster() : n;
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

/* What to write so that the system freezes, and thaws a second later; or NULL */
static const char *freeze_state(void)
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

/* Frames that have broken before are not this test's, and it could not tell. */
static bool can_poison(void)
{
	return !access(HWPOISON "/corrupt-pfn", W_OK) && !access(PAGE_FLAGS, R_OK) &&
		!access(HWPOISON "/corrupt-filter-memcg", W_OK) &&
		!sa_meminfo("HardwareCorrupted");
}

/* Of all that shall be done, what this kernel and machine can do */
static int possible(int what)
{
	/* See below. Without children that share its pages no process has been seen to. */
	if (sa_uml() && (what & EVERYTHING) == EVERYTHING)
		what &= ~FORK;
	if ((what & FREEZE) && !freeze_state())
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
	self->what = possible(variant->what);
	/* Seen with the kernel as it is: a process gets SIGSEGV, or spins. */
	if (sa_uml() && (!variant->on || (self->what & ALL) == ALL))
		SKIP(return, "7.3 as User Mode Linux loses mappings in this");
	self->zswap = !sa_zswap(true);
	if ((variant->what & WRITEBACK) && !self->zswap)
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), dev_pages(self->what), 2));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), dev_pages(self->what), 2));
	if (self->what & POISON)
		sa_log_expect("due to hardware memory corruption");
}

/* Give all page frames back that have broken. Returns how many can't be, just now. */
static size_t mend_all(atomic_long *mended)
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

/* Let corrupt-pfn take pages of one cgroup only, or of any. */
static int poison_only(unsigned long long ino)
{
	int ret = sa_write_num(HWPOISON "/corrupt-filter-memcg", ino);

	return ret ? ret : sa_write_num(HWPOISON "/corrupt-filter-enable", !!ino);
}

FIXTURE_TEARDOWN_PARENT(races)
{
	if (self->what & FREEZE)
		sa_write(PM_TEST, "none");
	if (self->what & POISON)
		poison_only(0);
	EXPECT_EQ(0, sa_end());
	if (self->what & POISON) {
		EXPECT_TRUE(sa_wait(!mend_all(NULL), SOON));
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
	/* What a cgroup's process has done, and what it is told to do */
	atomic_bool is_out, is_off, leave, is_gone;
	int what;
};

/* Each disturbance in a process of its own, until told to stop. */
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
 * Is it an answer to who writes to a tier's file while devices come and go? Or is frozen
 * meanwhile, which ends what takes its time as a signal would.
 */
static bool may_be(struct shared_state *s, int ret)
{
	return !ret || (ret == -EINTR && (s->what & FREEZE)) || ret == -ENOENT ||
	       ret == -ENODEV || ret == -ENOSPC || ret == -EBUSY || ret == -ENOMEM;
}

static void tier_write(struct shared_state *s, const char *dev, const char *file,
		       const char *text)
{
	int ret = sa_tier_write(dev, file, text);

	if (may_be(s, ret))
		return;
	sa_log("%s of %s, %s: %s", file, dev ? dev : "zswap", text, strerror(-ret));
	s->failed++;
}

/*
 * Instead of swapoff, or before it: swapoff takes a tier that is drained back. By the
 * same process, as one of the devices must stay in use.
 */
static void drain(struct shared_state *s, const char *dev, __u64 *rnd)
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
			drain(s, sa_dev(i), &rnd);
		ret = sa_swapoff(sa_dev(i));

		/* No room just now is an answer; anything else is not. */
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
		if (sa_layer(s->toggles++ & 1))
			s->failed++;
		usleep(sa_rand(&rnd) % 30000);
	}
	return 0;
}

/* There never is more free than there is, nor less than nothing. */
static int watch_free(void *arg)
{
	struct shared_state *s = arg;
	struct sysinfo si;

	while (!s->stop) {
		if (sysinfo(&si))
			return 1;
		/* Less than nothing is a very large number. */
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
		/* Packed for most of the time; the device may be swapped off now. */
		ret = sa_format(sa_dev(i), sa_rand(&rnd) % 4 ? "packed" : "raw");
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

/* Remove a cgroup. It gives up after a time, and that may have been while it was frozen. */
static int remove_cg(struct shared_state *s, const char *cg)
{
	int ret = sa_cg_destroy(cg);

	if (ret && (s->what & FREEZE))
		ret = sa_cg_destroy(cg);
	return ret;
}

/* In a cgroup that goes while others are at work */
static int short_life(void *arg)
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

static void one_cgroup(struct shared_state *s, __u64 *rnd)
{
	char cg[256];

	if (sa_cg_make("races-short", 16 * SA_MIB, cg, sizeof(cg)))
		return;
	/* Where it is the one that is forbidden, the other tiers are left. */
	sa_cg_limit_tier(cg, sa_dev(sa_rand(rnd) % 2), sa_rand(rnd) % 2 ? "0" : "256K");
	if (sa_run(cg, short_life, s, LIMIT)) {
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
			sa_watermarks(dev, high, sa_rand(&rnd) % high);
			break;
		case 4:
			one_cgroup(s, &rnd);
			break;
		}
		usleep(sa_rand(&rnd) % 20000);
	}
	return 0;
}

/* Move all that a tier has, of one tier after the other. */
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

/* --- cgroups whose limits are lowered, and that go ----------------------- */

static bool has_ended(pid_t pid)
{
	siginfo_t info = { };

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Work until killed; or leave the cgroup behind with what is swapped out, and look. */
static int member(void *arg)
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
	keep_at_work(&w);
	/* It may be killed before it can return that. */
	if (w.bad) {
		s->failed++;
		s->stop = true;
	}
	ASSERT_EQ(0, sa_cg_make("self", 0, cg, sizeof(cg)));
	ASSERT_EQ(0, sa_cg_enter(cg));
	s->is_off = true;
	ASSERT_TRUE(wait_awake(s->is_gone, LIMIT));
	look_at_all(&w);
	return w.bad ? 1 : 0;
}

/* Set a limit, up or down, of a cgroup that uses 4 MiB; some let it run out of memory. */
static void set_limit(struct shared_state *s, const char *cg, __u64 *rnd)
{
	static const char * const sizes[] = { "0", "256K", "1M", "3M", "max" };
	static const char * const maxima[] = { "2M", "3M", "5M", "8M", "max" };
	int i = sa_rand(rnd) % 5, tier = sa_rand(rnd) % 3, ret;

	switch (sa_rand(rnd) % 4) {
	case 0:
	case 1:
		ret = sa_cg_limit_tier(cg, tier ? sa_dev(tier - 1) : NULL, sizes[i]);
		/* The device may be going. */
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
	if (!may_be(s, ret)) {
		sa_log("a limit of %s: %s", cg, strerror(-ret));
		s->failed++;
	}
}

static void no_limits(const char *cg)
{
	int i;

	sa_cg_write(cg, "memory.max", "max");
	sa_cg_write(cg, "memory.zswap.max", "max");
	for (i = 0; i < 3; i++)
		sa_cg_limit_tier(cg, i ? sa_dev(i - 1) : NULL, "max");
}

/* Number of counters by which the cgroup has something swapped out, or -errno */
static int swap_counters(const char *cg, bool tell)
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

/* Limit it so that it needs all tiers for what its process has. */
static void limit_each(const char *cg)
{
	sa_cg_limit_tier(cg, NULL, "1M");
	sa_cg_limit_tier(cg, sa_dev(0), "1536K");
	sa_cg_limit_tier(cg, sa_dev(1), "1536K");
}

/* Does it? One of them may have been swapped off. */
static bool uses_all_tiers(const char *cg)
{
	return sa_cg_tier(cg, NULL) > 0 && sa_cg_tier(cg, sa_dev(0)) > 0 &&
		sa_cg_tier(cg, sa_dev(1)) > 0;
}

/* Is nothing left of it? What is in the swap cache keeps its slot until it is pushed out. */
static bool has_nothing(const char *cg)
{
	if (!swap_counters(cg, false))
		return true;
	sa_cg_try_reclaim(cg, GROUP_PAGES * SA_PAGE);
	return !swap_counters(cg, false);
}

static void one_group(struct shared_state *s, const char *tree, __u64 *rnd)
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
	limit_each(cg);
	pid = sa_start(cg, member, s);
	wait_awake(s->is_out || has_ended(pid), LIMIT);
	s->spread += uses_all_tiers(cg);
	for (n = 4 + sa_rand(rnd) % 12; n && !has_ended(pid); n--) {
		set_limit(s, sa_rand(rnd) % 4 ? cg : tree, rnd);
		usleep(sa_rand(rnd) % 30000);
	}
	if (by_us) {
		kill(pid, SIGKILL);
	} else {
		s->leave = true;
		wait_awake(s->is_off || has_ended(pid), LIMIT);
	}
	/* At once, with what it has in the swap cache and in all tiers. */
	if (!wait_awake(!rmdir(cg) || errno == ENOENT, SOON)) {
		sa_log("%s can't be removed", cg);
		s->failed++;
	}
	s->is_gone = true;
	wait_awake(has_ended(pid), LIMIT);
	ret = sa_join(pid, 0);
	ooms = sa_cg_key(tree, "memory.events", "oom_kill") - ooms;
	if (ret && !(sa_was_killed(ret) && (by_us || ooms > 0))) {
		sa_log("a process whose cgroup was removed: %d", ret);
		s->failed++;
		s->stop = true;
	}
	if (!wait_awake(has_nothing(tree), SOON)) {
		swap_counters(tree, true);
		sa_log("%s: %s, %lld bytes of memory; all have %lld in the swap cache", tree,
		       by_us ? "killed" : "left", sa_cg_num(tree, "memory.current"),
		       sa_swap_cached());
		/* What is read for a cgroup that has gone is charged to who reads, or the root. */
		sa_cg_reclaim(sa_cg_root(), 2 * GROUP_PAGES * SA_PAGE);
		if (wait_awake(has_nothing(tree), SOON)) {
			sa_log("that was in the swap cache, of other cgroups");
			s->late++;
		} else {
			s->failed++;
			s->stop = true;
		}
	}
	no_limits(tree);
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
		one_group(s, tree, &rnd);
	EXPECT_EQ(0, remove_cg(s, tree));
	return 0;
}

/* --- freezing ------------------------------------------------------------ */

static int disturb_freeze(void *arg)
{
	struct shared_state *s = arg;
	const char *state = freeze_state();
	double start;
	int ret;

	while (!s->stop) {
		/* Who was frozen goes on for a while, or some would never come to anything. */
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

/* --- page frames that break ---------------------------------------------- */

static void on_bus(int sig)
{
}

static void fill_anew(struct worker *w, size_t i)
{
	struct sa_area *a = &w->a;

	sa_fill(a->p + i * SA_PAGE, a->pat, a->seed, i, ++w->gens[i]);
}

/* Is a page right, or lost? What is lost is replaced. */
static void look_at_one(struct shared_state *s, struct worker *w, size_t i)
{
	struct sa_area *a = &w->a;
	void *p = a->p + i * SA_PAGE;

	if (sa_bus(p)) {
		s->lost++;
		madvise(p, SA_PAGE, MADV_DONTNEED);
		fill_anew(w, i);
		return;
	}
	w->bad += !!sa_check(p, a->pat, a->seed, i, w->gens[i]);
	if (sa_rand(&w->rnd) % 3 == 0)
		fill_anew(w, i);
}

/* Break the frame of a page: where it is mapped, or on its way out. */
static void break_one(struct shared_state *s, struct worker *w, size_t i)
{
	struct sigaction sa = { .sa_handler = on_bus }, old;
	void *p = w->a.p + i * SA_PAGE;
	bool is_mapped = sa_rand(&w->rnd) % 2;
	char frame[32];
	__u64 entry;

	look_at_one(s, w, i);
	s->breaks++;
	/* Who breaks a dirty page may be told so by a signal. */
	sigaction(SIGBUS, &sa, &old);
	if (is_mapped) {
		madvise(p, SA_PAGE, MADV_HWPOISON);
	} else if (!sa_pagemap(p, 1, &entry) && (entry & SA_PM_PRESENT)) {
		madvise(p, SA_PAGE, MADV_PAGEOUT);
		/* By now it may be that of another page here, as nobody else is in the cgroup. */
		snprintf(frame, sizeof(frame), "%#llx", entry & SA_PM_ENTRY);
		sa_write(HWPOISON "/corrupt-pfn", frame);
	}
	sigaction(SIGBUS, &old, NULL);
}

/* In a cgroup of its own */
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
			break_one(s, &w, i);
			if (s->breaks % 32)
				break;
			for (i = 0; i < w.a.n && !w.bad; i++)
				look_at_one(s, &w, i);
			mend_all(&s->mended);
			break;
		default:
			look_at_one(s, &w, i);
		}
		usleep(sa_rand(&w.rnd) % 20000);
	}
	for (i = 0; i < w.a.n && w.bad < 4; i++)
		look_at_one(s, &w, i);
	/* At most one page is lost with a frame. */
	EXPECT_LE(s->lost, s->breaks);
	EXPECT_EQ(0, w.bad);
	if (w.bad || s->lost > s->breaks)
		s->stop = true;
	sa_area_unmap(&w.a);
	EXPECT_TRUE(wait_awake(!mend_all(&s->mended), SOON)) {
		TH_LOG("%zu page frames stay broken", mend_all(&s->mended));
	}
	return 0;
}

/*
 * Wait until it is time, or somebody has found something. With "everything" let the
 * kernel scan all slots every two seconds. Number of violations
 */
static long long watch(struct shared_state *s, int seconds)
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
		 * The scan looks again while sums differ, but holds a mutex that swapoff
		 * may wait for with its device taken off one of the sums only.
		 */
		for (tries = 3; tries && (n = sa_violations()); tries--)
			s->differ++;
		s->scans++;
	}
	return n;
}

static bool is_empty(const char *dev)
{
	return !sa_tier_num(dev, "used") && !sa_tier_num(dev, "stored");
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

	/* The single ones are shorter: it is all of them that matters. */
	if ((variant->what & ALL) != ALL)
		seconds = (seconds + 3) / 4;
	s = sa_shared();
	ASSERT_NE(NULL, s);
	s->_metadata = _metadata;
	s->what = what;
	job = (struct job){
		._metadata = _metadata, .pages = job_pages(),
		.forks = what & FORK, .stop = &s->stop,
		.touches = &s->touches, .forked = &s->forked,
	};
	/* Room for all but a part: reclaim is at work all the time. */
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
		ASSERT_EQ(0, poison_only(st.st_ino));
	}
	for (i = 0; i < NR_DISTURBERS; i++)
		if (fns[i] && what & 1 << i)
			others[i] = sa_start(1 << i == POISON ? poison : NULL, fns[i], s);

	/* The job ends by itself as soon as it finds something. */
	EXPECT_EQ(0, watch(s, seconds));
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
	TH_LOG("%ld times swapped off, %ld toggles, %ld formats; %ld times asked what is free",
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
		TH_LOG("%ld times a frame was to break, %ld pages lost, %ld frames mended",
		       s->breaks, s->lost, s->mended);
	EXPECT_EQ(0, s->failed);
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	/* Each disturbance took place. */
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
	/* Nothing is left of it anywhere. */
	if (variant->on) {
		ASSERT_EQ(0, sa_layer(false));
		for (i = 0; i < 2; i++)
			if (sa_swaps(sa_dev(i), NULL, NULL, NULL))
				EXPECT_TRUE(sa_wait_purged(is_empty(sa_dev(i)), 10)) {
					TH_LOG("%s: used %lld, stored %lld; %lld in the swap cache",
					       sa_dev(i), sa_tier_num(sa_dev(i), "used"),
					       sa_tier_num(sa_dev(i), "stored"), sa_swap_cached());
				}
		if (self->zswap)
			EXPECT_TRUE(sa_wait_purged(is_empty(NULL), 10)) {
				TH_LOG("zswap: stored %lld; %lld in the swap cache",
				       sa_tier_num(NULL, "stored"), sa_swap_cached());
			}
	}
}

TEST_HARNESS_MAIN
