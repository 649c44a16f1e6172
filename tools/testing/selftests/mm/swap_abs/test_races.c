// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, for SWAP_ABS_SECONDS (6): threads read, rewrite and push
 * out their pages while zswap writes back, devices are swapped off and on, what
 * they get is packed or not by turns and collected, data is demoted, promoted and
 * drained, cgroups come and go, the sysctl is toggled, and children are made that
 * share, copy and exit. Contents are compared at every touch.
 *
 * It fails on a kernel where a load meets a slot, a compressed object or a
 * descriptor that a writeback, a swapoff or a free is just replacing: stale or
 * foreign bytes, a SIGBUS, a killed or stuck process, a failed invariant.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define WORKERS	3
#define LIMIT	(SA_TIMEOUT / 3)

enum disturbance {
	WRITEBACK = 1,		/* zswap empties itself */
	SWAPOFF = 2,		/* devices go and come */
	TOGGLE = 4,		/* vm.swap_abs */
	FORMAT = 8,		/* devices are written packed, or not */
	MOVE = 16,		/* data goes up and down, cgroups come and go */
	FORK = 32,		/* children share, copy, exit */
	ALL = WRITEBACK | SWAPOFF | TOGGLE | FORMAT | MOVE | FORK,
};

#define NR_DISTURBERS	5	/* all but FORK are processes of their own */

struct job {
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

static void *work(void *arg)
{
	struct worker *w = arg;
	struct sa_area *a = &w->a;
	size_t i;

	sa_area_fill(a);
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
	for (i = 0; i < a->n && w->bad < 4; i++)
		w->bad += !!sa_check(a->p + i * SA_PAGE, a->pat, a->seed, i,
				     w->gens[i]);
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
	struct sa_area shared;
	__u64 rnd = 6;
	size_t bad = 0;

	if (share_start(&shared, job->pages / 8))
		return 2;
	while (!*job->stop && !bad)
		bad += share_once(&shared, job, &rnd);
	*job->stop = true;
	return bad || sa_area_check(&shared) ? 1 : 0;
}

static int run_job(void *arg)
{
	static const enum sa_pat pats[WORKERS] = { SA_TEXT, SA_MIXED, SA_REPEAT };
	struct job job = *(struct job *)arg;
	struct worker w[WORKERS] = { };
	struct sa_area shared;
	size_t bad = 0;
	__u64 rnd = 5;
	int i;

	if (share_start(&shared, job.pages / 8))
		return 2;
	for (i = 0; i < WORKERS; i++) {
		w[i].job = &job;
		w[i].rnd = i + 1;
		w[i].gens = calloc(job.pages, sizeof(*w[i].gens));
		if (!w[i].gens || sa_area_map(&w[i].a, job.pages, pats[i], 200 + i))
			return 2;
		if (sa_task_start(&w[i].task, work, &w[i]))
			return 3;
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

FIXTURE_SETUP(races)
{
	const char *why = sa_begin(variant->on);

	if (why)
		SKIP(return, "%s", why);
	if (sa_ndevs() < 2)
		SKIP(return, "needs two block devices");
	/* Seen with the kernel as it is: a process gets SIGSEGV, or spins. */
	if (sa_uml() && (!variant->on ||
			 (variant->what & (TOGGLE | SWAPOFF)) == (TOGGLE | SWAPOFF)))
		SKIP(return, "7.3 as User Mode Linux loses mappings in this");
	self->zswap = !sa_zswap(true);
	if ((variant->what & WRITEBACK) && !self->zswap)
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_swapon(sa_dev(0), dev_pages(variant->what), 2));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), dev_pages(variant->what), 2));
}

FIXTURE_TEARDOWN_PARENT(races)
{
	EXPECT_EQ(0, sa_end());
}

struct shared_state {
	atomic_bool stop;
	atomic_long touches, forked, writebacks, swapoffs, toggles, formats, failed;
	atomic_long moves, moved, drains, cgs;
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

/* Is it an answer to who writes to a tier's file while devices come and go? */
static bool may_be(int ret)
{
	return !ret || ret == -ENOENT || ret == -ENODEV || ret == -ENOSPC || ret == -EBUSY ||
	       ret == -ENOMEM;
}

static void tier_write(struct shared_state *s, const char *dev, const char *file,
		       const char *text)
{
	int ret = sa_tier_write(dev, file, text);

	if (may_be(ret))
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
		if (ret && ret != -ENOMEM) {
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

/* In a cgroup that goes while others are at work */
static int short_life(void *arg)
{
	struct sa_area a;
	size_t bad;

	if (sa_area_map(&a, 256, SA_TEXT, 400))
		return 2;
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
	if (sa_run(cg, short_life, NULL, LIMIT)) {
		sa_log("a child in a cgroup of its own has failed");
		s->failed++;
	}
	if (sa_cg_destroy(cg))
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

static bool is_empty(const char *dev)
{
	return !sa_tier_num(dev, "used") && !sa_tier_num(dev, "stored");
}

TEST_F_TIMEOUT(races, soak, SA_TIMEOUT + 3600)
{
	static int (*const fns[NR_DISTURBERS])(void *) = {
		disturb_writeback, disturb_swapoff, disturb_toggle, disturb_format,
		disturb_move,
	};
	int seconds = sa_seconds(6), i, ret;
	long long wb = sa_vmstat("zswpwb");
	struct shared_state *s;
	pid_t pid, forker = 0, others[NR_DISTURBERS] = { };
	struct job job;
	char cg[256];

	/* The single ones are shorter: it is all of them that matters. */
	if (variant->what != ALL)
		seconds = (seconds + 3) / 4;
	s = sa_shared();
	ASSERT_NE(NULL, s);
	s->what = variant->what;
	job = (struct job){
		.pages = job_pages(),
		.forks = variant->what & FORK, .stop = &s->stop,
		.touches = &s->touches, .forked = &s->forked,
	};
	/* Room for all but a part: reclaim is at work all the time. */
	ASSERT_EQ(0, sa_cg_make("races", job.pages * WORKERS * SA_PAGE * 3 / 4 +
				10 * SA_MIB, cg, sizeof(cg)));
	pid = sa_start(cg, run_job, &job);
	ASSERT_LT(0, pid);
	if (variant->what & FORK) {
		forker = sa_start(cg, run_forks, &job);
		ASSERT_LT(0, forker);
	}
	for (i = 0; i < NR_DISTURBERS; i++)
		if (variant->what & 1 << i)
			others[i] = sa_start(NULL, fns[i], s);

	/* The job ends by itself as soon as it finds something. */
	sa_wait(s->stop, seconds);
	s->stop = true;
	ret = sa_join(pid, LIMIT);
	EXPECT_EQ(0, ret);
	if (forker)
		EXPECT_EQ(0, sa_join(forker, LIMIT));
	for (i = 0; i < NR_DISTURBERS; i++)
		if (others[i])
			EXPECT_EQ(0, sa_join(others[i], LIMIT));
	wb = sa_vmstat("zswpwb") - wb;
	TH_LOG("%ld touches, %ld children, %lld pages written back by zswap",
	       s->touches, s->forked, wb);
	TH_LOG("%ld times swapped off, %ld toggles, %ld formats", s->swapoffs, s->toggles,
	       s->formats);
	if (variant->what & MOVE)
		TH_LOG("%ld moves by hand, %ld with something to move, %ld drains, %ld cgroups",
		       s->moves, s->moved, s->drains, s->cgs);
	EXPECT_EQ(0, s->failed);
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	/* Each disturbance took place. */
	EXPECT_LT(100, s->touches);
	if (variant->what & FORK)
		EXPECT_LT(1, s->forked);
	if (variant->what & WRITEBACK)
		EXPECT_LT(0, wb);
	if (variant->what & SWAPOFF)
		EXPECT_LT(1, s->swapoffs);
	if (variant->what & TOGGLE)
		EXPECT_LT(10, s->toggles);
	if (variant->what & FORMAT)
		EXPECT_LT(2, s->formats);
	if (variant->what & MOVE) {
		EXPECT_LT(0, s->moves + s->cgs);
		EXPECT_LT(0, s->drains);
		/* A short run may find nothing to move in a few tries. */
		if (s->moves >= 20)
			EXPECT_LT(0, s->moved);
	}
	EXPECT_EQ(0, sa_cg_destroy(cg));
	/* Nothing is left of it anywhere. */
	if (variant->on) {
		ASSERT_EQ(0, sa_layer(false));
		for (i = 0; i < 2; i++)
			if (sa_swaps(sa_dev(i), NULL, NULL, NULL))
				EXPECT_TRUE(sa_wait_purged(is_empty(sa_dev(i)), 10));
		if (self->zswap)
			EXPECT_TRUE(sa_wait_purged(is_empty(NULL), 10));
	}
}

TEST_HARNESS_MAIN
