// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to swap a page out, in, and to free it: not a test, it prints
 * figures. In nanoseconds a page, which are instructions where the clock counts
 * these (QEMU's -icount); elsewhere mind what else the machine does.
 *
 *	bench_swap [-l] [-z] [-n PAGES] [-r ROUNDS] [-p PATTERN]
 *
 *	-l	with the layer on		(off)
 *	-z	into zswap			(to the device)
 *	-n	pages in a round		(4096)
 *	-r	rounds, after one that is not counted (5)
 *	-p	zero, repeat, text, mixed or random (repeat)
 *
 * Shown is the lowest of the rounds, as whatever else runs only adds, and their
 * median. The device is the first of SWAP_ABS_DEVS, by default /dev/ram0. Exit status 4
 * when this kernel can't do it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "swap_abs_lib.h"

#define MAX_ROUNDS	99
#define STRIDE		30011	/* pages, a prime number */

enum { OUT, IN, FREE, NSTEPS };

static const char * const step_name[NSTEPS] = { "out", "in", "free" };
static double figures[NSTEPS][MAX_ROUNDS];

/* Seconds that MADV_PAGEOUT takes; at least 99 of 100 pages must be out then. */
static double push_out(struct sa_area *a)
{
	double start = sa_now(), took;

	madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
	took = sa_now() - start;
	if (sa_swapped(a->p, a->n) < a->n - a->n / 100) {
		fprintf(stderr, "bench_swap: only %zu of %zu pages are out\n",
			sa_swapped(a->p, a->n), a->n);
		exit(1);
	}
	return took;
}

static int one_round(size_t n, enum sa_pat pat, int round, double took[NSTEPS])
{
	unsigned char sum = 0;
	struct sa_area a;
	double start;
	size_t i;

	if (sa_area_map(&a, n, pat, round))
		return -1;
	sa_area_fill(&a);
	took[OUT] = push_out(&a);

	start = sa_now();
	for (i = 0; i < n; i++)
		sum += a.p[i * SA_PAGE];
	asm volatile("" : : "r" (sum));
	took[IN] = sa_now() - start;
	if (sa_area_check(&a))
		return -1;

	/* Out again, as what is in RAM would be freed otherwise. */
	push_out(&a);
	start = sa_now();
	sa_area_unmap(&a);
	took[FREE] = sa_now() - start;
	return 0;
}

/*
 * After boot what is allocated one after the other lies so in memory, too, and
 * then there is less to do, with luck. Take most of what is free and give it back
 * in disorder: from then on figures repeat.
 */
static int mix_memory(void)
{
	size_t n = sa_meminfo("MemFree") / SA_PAGE / 4 * 3, i;
	struct sa_area a;

	if (sa_area_map(&a, n, SA_ZERO, 0))
		return -1;
	for (i = 0; i < n; i++)
		a.p[i * SA_PAGE] = 1;
	for (i = 0; i < n; i++)
		madvise(a.p + i * STRIDE % n * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	sa_area_unmap(&a);
	return 0;
}

/* A ram disk allocates what is written for the first time: not while we measure. */
static int write_all(const char *path, size_t pages)
{
	char zero[SA_PAGE] = { };
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret = 0;

	if (fd < 0)
		return -errno;
	for (; pages && ret >= 0; pages--)
		ret = write(fd, zero, sizeof(zero));
	if (ret >= 0)
		ret = fsync(fd);
	close(fd);
	return ret < 0 ? -errno : 0;
}

static enum sa_pat pat_of(const char *name)
{
	enum sa_pat pat;

	for (pat = 0; pat < SA_NPAT; pat++)
		if (!strcmp(sa_pat_name[pat], name))
			return pat;
	fprintf(stderr, "bench_swap: no pattern %s\n", name);
	exit(2);
}

struct options {
	enum sa_pat pat;
	bool on, zswap;
	int rounds;
	size_t n;
};

static int measure(void *arg)
{
	const struct options *o = arg;
	/* What is out, and as much again: clusters need not be searched. */
	size_t size = 2 * o->n + 4096;
	const char *why;
	int i, step;

	why = sa_begin(o->on, SA_NEED_DEV);
	if (!why && o->zswap && sa_zswap(true))
		why = "no zswap";
	if (!why && mix_memory())
		why = "not enough memory";
	if (!why && (write_all(sa_dev(0), size) || sa_swapon(sa_dev(0), size, -1)))
		why = "swapon failed";
	if (why) {
		fprintf(stderr, "bench_swap: %s\n", why);
		return 4;
	}

	/*
	 * Beside much page cache some of what comes back counts as the working set,
	 * and is activated.
	 */
	sa_write("/proc/sys/vm/drop_caches", "3");

	for (i = -1; i < o->rounds; i++) {
		double took[NSTEPS];

		if (one_round(o->n, o->pat, i + 2, took)) {
			fprintf(stderr, "bench_swap: round %d failed\n", i);
			return 1;
		}
		for (step = 0; step < NSTEPS && i >= 0; step++)
			figures[step][i] = took[step] / o->n * 1e9;
	}

	printf("bench layer=%s zswap=%s pages=%zu pattern=%s rounds=%d",
	       o->on ? "on" : "off", o->zswap ? "on" : "off", o->n,
	       sa_pat_name[o->pat], o->rounds);
	for (step = 0; step < NSTEPS; step++) {
		qsort(figures[step], o->rounds, sizeof(double), sa_by_value);
		printf(" %s=%.1f %s_median=%.1f", step_name[step],
		       figures[step][0], step_name[step],
		       figures[step][o->rounds / 2]);
	}
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .pat = SA_REPEAT, .rounds = 5, .n = 4096 };
	int opt;

	while ((opt = getopt(argc, argv, "lzn:r:p:")) != -1) {
		switch (opt) {
		case 'l':
			o.on = true;
			break;
		case 'z':
			o.zswap = true;
			break;
		case 'n':
			o.n = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			o.rounds = atoi(optarg);
			break;
		case 'p':
			o.pat = pat_of(optarg);
			break;
		default:
			return 2;
		}
	}
	if (o.n < 100 || o.rounds < 1 || o.rounds > MAX_ROUNDS)
		return 2;

	return sa_bench(measure, &o);
}
