// SPDX-License-Identifier: GPL-2.0
/*
 * This benchmark shows what tasks that swap out at once, each on a CPU of its
 * own, do to each other: how the device is written, where the pages of a task
 * lie, and how often the tasks wait for the same lock. It measures no time, so
 * an emulated machine will do. But all CPUs must run at once: where other load
 * takes them away, the tasks disturb each other less.
 *
 *	bench_cpus [-l] [-f FORMAT] [-t TASKS] [-n PAGES] [-r ROUNDS]
 *
 *	-l	with the layer on		(off)
 *	-f	raw or packed			(raw)
 *	-t	tasks				(2)
 *	-n	pages of each task		(8192)
 *	-r	rounds, whose counts are added	(3)
 *
 * The figures are:
 *
 *	writes_requests	write requests of the device
 *	pages_request	pages of 4096 bytes in a write request, on average
 *	follow		the share of a task's pages whose next page lies next on
 *			the device: in the next block, or, of packed data, in
 *			the same block or in one of the next two
 *	contended_1000	contended acquisitions of locks while 1000 pages go out;
 *			nan without CONFIG_LOCK_STAT
 *
 * The device is the first one of SWAP_ABS_DEVS. It must not be a RAM disk,
 * because those have no statistics. A device that says that it is rotational
 * has one current cluster for all CPUs when the layer is off. Packed data is
 * written after some milliseconds at the latest, so on a slow machine a request
 * has fewer pages. The exit status is KSFT_SKIP if the kernel lacks a feature,
 * and KSFT_FAIL with a reason on stderr if something is wrong.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "swap_abs_lib.h"

#define MAX_TASKS	64
#define PIECE		512UL	/* pages of one MADV_PAGEOUT */
#define LIMIT		300	/* seconds of one step */
#define TYPE_BITS	5	/* of the swap type in an entry of pagemap */

#define LOCK_STAT	"/proc/lock_stat"
#define LOCK_STAT_ON	"/proc/sys/kernel/lock_stat"
#define TOP_LOCKS	3

struct options {
	const char *format;
	bool on, packed;
	int tasks, rounds;
	size_t n;
};

/* Shared by the processes of a round */
struct together {
	atomic_int ready;	/* tasks whose memory is filled */
	atomic_int out;		/* tasks whose memory is out */
	atomic_bool go;		/* page out */
	atomic_bool check;	/* tell where the pages are, and read them */
	/*
	 * The entries in pagemap of all tasks' pages, and later the blocks that
	 * the pages are in; 0 if that is unknown
	 */
	__u64 places[];
};

struct task {
	const struct options *o;
	struct together *t;
	int i, round;
};

/* Where the next page of a task lies, seen from a page */
enum { SAME, NEXT, SECOND, FURTHER, BEFORE, NSTEPS };

struct counts {
	long long requests, sectors;
	size_t out;			/* pages */
	size_t unknown;			/* pages whose block is unknown */
	size_t steps[NSTEPS];
};

struct lock_count {
	char name[64];
	unsigned long long nr;
};

static int run_task(void *arg)
{
	const struct task *task = arg;
	const struct options *o = task->o;
	__u64 seed = task->round * MAX_TASKS + task->i + 1;
	struct together *t = task->t;
	struct sa_area a;
	size_t i;

	/* The kernel must swap nothing but the area. */
	if (sa_pin_to_cpu(task->i) || mlockall(MCL_CURRENT) ||
	    sa_area_map(&a, o->n, SA_TEXT, seed))
		return 2;
	sa_area_fill(&a);
	atomic_fetch_add(&t->ready, 1);
	/* All CPUs must begin at once, so this does not sleep. */
	while (!atomic_load(&t->go))
		sched_yield();
	for (i = 0; i < a.n; i += PIECE)
		madvise(a.p + i * SA_PAGE,
			(a.n - i < PIECE ? a.n - i : PIECE) * SA_PAGE,
			MADV_PAGEOUT);
	atomic_fetch_add(&t->out, 1);

	while (!atomic_load(&t->check))
		usleep(1000);
	if (sa_pagemap(a.p, a.n, t->places + task->i * a.n))
		return 2;
	return sa_area_check(&a) ? 1 : 0;
}

static int by_slot(const void *a, const void *b)
{
	unsigned long x = ((const struct sa_event *)a)->slot;
	unsigned long y = ((const struct sa_event *)b)->slot;

	return x < y ? -1 : x > y;
}

/*
 * Replace each slot in @places by the block that the recorded load of the slot
 * has read
 */
static void find_blocks(__u64 *places, size_t n, struct sa_event *events,
			long nr)
{
	struct sa_event wanted = { }, *found;
	long loads = 0, i;

	for (i = 0; i < nr; i++)
		if (events[i].kind == SA_LOAD && events[i].nr == 1)
			events[loads++] = events[i];
	qsort(events, loads, sizeof(*events), by_slot);
	for (; n--; places++) {
		wanted.slot = *places;
		found = bsearch(&wanted, events, loads, sizeof(*events),
				by_slot);
		*places = found ? found->offset : 0;
	}
}

/* Count how the pages of one task follow each other on the device */
static void count_steps(struct counts *c, const __u64 *places, size_t n)
{
	size_t i;

	for (i = 0; i + 1 < n; i++) {
		__s64 step = places[i + 1] - places[i];

		if (!places[i] || !places[i + 1])
			continue;
		c->steps[step < 0 ? BEFORE : step < FURTHER ? step : FURTHER]++;
	}
}

/* Turn the entries that the tasks have read into blocks, and count these */
static void count_places(const struct options *o, struct together *t,
			 struct counts *c, struct sa_event *events, long nr)
{
	size_t n = o->tasks * o->n, out = 0, i;

	for (i = 0; i < n; i++) {
		if (t->places[i] & SA_PM_SWAP) {
			t->places[i] &= SA_PM_ENTRY;
			t->places[i] >>= TYPE_BITS;
			out++;
		} else {
			t->places[i] = 0;
		}
	}
	/* With the layer on, the numbers are those of virtual slots. */
	if (o->on)
		find_blocks(t->places, n, events, nr);
	for (i = 0; i < n; i++)
		c->unknown += !t->places[i];
	c->unknown -= n - out;
	c->out += out;
	for (i = 0; i < o->tasks; i++)
		count_steps(c, t->places + i * o->n, o->n);
}

/* Let the tasks, whose memory is filled, page it out, and count the requests */
static int page_out(const struct options *o, struct together *t,
		    struct counts *c)
{
	struct sa_io before, after;

	/* Drain the batches of all CPUs, or the pages in them would stay. */
	sa_write("/proc/sys/vm/drop_caches", "1");
	if (sa_io_read(sa_dev(0), &before))
		return sa_bench_failed("no statistics of the device");
	sa_write(LOCK_STAT_ON, "1");
	atomic_store(&t->go, true);
	sa_wait(atomic_load(&t->out) == o->tasks, LIMIT);
	sa_write(LOCK_STAT_ON, "0");
	if (atomic_load(&t->out) != o->tasks || !sa_wait_writeback())
		return sa_bench_failed("paging out does not end");
	if (sa_io_read(sa_dev(0), &after))
		return sa_bench_failed("no statistics of the device");
	c->requests += after.writes - before.writes;
	c->sectors += after.write_sectors - before.write_sectors;
	return 0;
}

/*
 * Let the tasks read their pages, which shows where these were, and end the
 * tasks
 */
static int read_back(const struct options *o, struct together *t,
		     struct counts *c, pid_t *pid)
{
	struct sa_event *events = NULL;
	int i, status, worst = 0;
	long nr = 0;

	sa_wait_purged(sa_swap_cached() == 0, 20);
	if (o->on && sa_trace_start())
		return sa_bench_skipped("no tracepoints of the layer");
	atomic_store(&t->check, true);
	for (i = 0; i < o->tasks; i++) {
		status = sa_join(pid[i], LIMIT);
		if (status)
			worst = status;
	}
	if (o->on)
		nr = sa_trace_stop(&events);
	if (worst)
		return sa_bench_failed(worst == 1 ? "pages are wrong" : "a task failed");
	if (nr < 0)
		return sa_bench_failed("the kernel has dropped trace events");
	count_places(o, t, c, events, nr);
	free(events);
	return 0;
}

static int run_round(const struct options *o, struct together *t,
		     struct counts *c, int round)
{
	struct task task = { .o = o, .t = t, .round = round };
	pid_t pid[MAX_TASKS];
	int ret;

	atomic_store(&t->ready, 0);
	atomic_store(&t->out, 0);
	atomic_store(&t->go, false);
	atomic_store(&t->check, false);
	for (task.i = 0; task.i < o->tasks; task.i++) {
		pid[task.i] = sa_start(NULL, run_task, &task);
		if (pid[task.i] < 0)
			return sa_bench_failed("cannot start a task");
	}
	if (!sa_wait(atomic_load(&t->ready) == o->tasks, LIMIT))
		return sa_bench_failed("filling memory does not end");
	ret = page_out(o, t, c);
	return ret ? ret : read_back(o, t, c, pid);
}

/*
 * Read the contentions of all classes of locks, and which classes have the
 * most. Return the sum, or -1 if the kernel does not count them.
 */
static long long read_locks(struct lock_count top[TOP_LOCKS])
{
	unsigned long long nr, sum = 0;
	char line[1024], *name, *colon;
	bool counts = true;
	FILE *f;
	int i;

	memset(top, 0, TOP_LOCKS * sizeof(*top));
	f = fopen(LOCK_STAT, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		/* Lockdep counts nothing once it has found a mistake. */
		if (!strncmp(line, "*WARNING*", 9))
			counts = false;
		/* A class is "name: con-bounces contentions ..." */
		colon = strrchr(line, ':');
		if (!colon || sscanf(colon + 1, "%*u %llu", &nr) != 1)
			continue;
		*colon = 0;
		name = line + strspn(line, " ");
		sum += nr;
		for (i = TOP_LOCKS; i && nr > top[i - 1].nr; i--)
			if (i < TOP_LOCKS)
				top[i] = top[i - 1];
		if (i == TOP_LOCKS)
			continue;
		snprintf(top[i].name, sizeof(top[i].name), "%.63s", name);
		top[i].nr = nr;
	}
	fclose(f);
	return counts ? sum : -1;
}

static void print_figures(const struct options *o, const struct counts *c)
{
	struct lock_count top[TOP_LOCKS];
	long long contended = read_locks(top);
	size_t follow = c->steps[NEXT], all = 0;
	int i;

	for (i = 0; i < NSTEPS; i++)
		all += c->steps[i];
	if (o->packed)
		follow += c->steps[SAME] + c->steps[SECOND];
	printf("cpus layer=%s format=%s tasks=%d pages=%zu rounds=%d",
	       o->on ? "on" : "off", o->format, o->tasks, o->n, o->rounds);
	printf(" writes_requests=%lld pages_request=%.2f follow=%.4f",
	       c->requests, c->sectors * 512.0 / SA_PAGE / c->requests,
	       (double)follow / all);
	if (contended < 0)
		printf(" contended_1000=nan\n");
	else
		printf(" contended_1000=%.2f\n", contended * 1000.0 / c->out);
	printf("# next: same=%zu next=%zu second=%zu further=%zu before=%zu\n",
	       c->steps[SAME], c->steps[NEXT], c->steps[SECOND],
	       c->steps[FURTHER], c->steps[BEFORE]);
	for (i = 0; i < TOP_LOCKS && contended > 0 && top[i].nr; i++)
		printf("# contended: %llu %s\n", top[i].nr, top[i].name);
}

/* Turn swap on, and map the memory that the tasks share with this process */
static const char *prepare(const struct options *o, struct together **t)
{
	size_t n = o->tasks * o->n, size;
	const char *why;

	why = sa_begin(o->on, SA_NEED_DEV | (o->packed ? SA_NEED_PACKED : 0));
	if (why)
		return why;
	if (sa_nth_cpu(o->tasks - 1) < 0)
		return "fewer CPUs than tasks";
	if (sa_meminfo("MemAvailable") < 2 * (long long)n * SA_PAGE)
		return "not enough memory";
	/*
	 * The device is twice as large as the data, so that the kernel need not
	 * search for clusters.
	 */
	size = 2 * n + 32 * SA_MIB_PAGES;
	if (sa_dev_pages(0) < size)
		return "the device is too small";
	if (sa_swapon(sa_dev(0), size, -1))
		return "swapon failed";
	if (o->on && sa_set_format(sa_dev(0), o->format))
		return "no such format";

	size = sizeof(**t) + n * sizeof((*t)->places[0]);
	*t = mmap(NULL, size, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* This memory is locked so that the kernel does not swap it. */
	if (*t == MAP_FAILED || mlock(*t, size))
		return "not enough memory";
	sa_write("/proc/sys/vm/drop_caches", "3");
	/* Each page must be read by itself. */
	sa_write(SA_PAGE_CLUSTER, "0");
	return NULL;
}

static int run_bench(void *arg)
{
	const struct options *o = arg;
	struct counts c = { };
	struct together *t;
	const char *why = prepare(o, &t);
	char was[32] = "";
	int i, ret = 0;
	size_t n;

	if (why)
		return sa_bench_skipped(why);
	/* The counts of locks are those of all rounds. */
	sa_read(LOCK_STAT_ON, was, sizeof(was));
	sa_write(LOCK_STAT_ON, "0");
	sa_write(LOCK_STAT, "0");
	for (i = 0; i < o->rounds && !ret; i++)
		ret = run_round(o, t, &c, i);
	if (!ret && c.requests)
		print_figures(o, &c);
	sa_write(LOCK_STAT_ON, was);
	if (ret)
		return ret;

	/* A RAM disk has no statistics. */
	if (!c.requests)
		return sa_bench_skipped("the device counts no writes");
	n = o->tasks * o->n * o->rounds;
	if (c.out < n - n / 100)
		return sa_bench_failed("more than 1 of 100 pages have stayed");
	if (c.unknown > n / 100)
		return sa_bench_failed("the blocks of many pages are unknown");
	return KSFT_PASS;
}

int main(int argc, char **argv)
{
	struct options o = {
		.format = "raw", .tasks = 2, .rounds = 3, .n = 8192,
	};
	int opt;

	while ((opt = getopt(argc, argv, "lf:t:n:r:")) != -1) {
		switch (opt) {
		case 'l':
			o.on = true;
			break;
		case 'f':
			o.format = optarg;
			break;
		case 't':
			o.tasks = atoi(optarg);
			break;
		case 'n':
			o.n = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			o.rounds = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	o.packed = !strcmp(o.format, "packed");
	/* With the layer off, all data is raw. */
	if ((!o.packed && strcmp(o.format, "raw")) || (o.packed && !o.on))
		return 2;
	if (o.tasks < 1 || o.tasks > MAX_TASKS || o.n < 100 || o.rounds < 1)
		return 2;

	return sa_bench_main(run_bench, &o);
}
