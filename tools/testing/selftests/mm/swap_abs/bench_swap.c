// SPDX-License-Identifier: GPL-2.0
/*
 * This benchmark prints the cost of swapping a page out, swapping it in, and
 * freeing it. The unit is nanoseconds per page, which are instructions where
 * the clock counts instructions (QEMU's -icount). On other machines, other load
 * changes the figures.
 *
 *	bench_swap [-l] [-z] [-n PAGES] [-r ROUNDS] [-p PATTERN]
 *
 *	-l	with the layer on		(off)
 *	-z	into zswap			(to the device)
 *	-n	pages in a round		(4096)
 *	-r	rounds, after one that is not counted (5)
 *	-p	zero, repeat, text, mixed or random (repeat)
 *
 * The benchmark shows the lowest figure of the rounds, because other load only
 * adds to a figure, and the median. The device is the first one of
 * SWAP_ABS_DEVS, by default /dev/ram0. The exit status is 4 if the kernel lacks
 * a feature.
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

/*
 * Return the seconds of MADV_PAGEOUT, after which 99 of 100 pages must be out
 */
static double time_swap_out(struct sa_area *a)
{
	double start = sa_now(), took;

	madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
	took = sa_now() - start;
	if (sa_nr_swapped(a->p, a->n) < a->n - a->n / 100) {
		fprintf(stderr, "bench_swap: only %zu of %zu pages are out\n",
			sa_nr_swapped(a->p, a->n), a->n);
		exit(1);
	}
	return took;
}

static int time_one_round(size_t n, enum sa_pat pat, int round, double took[NSTEPS])
{
	unsigned char sum = 0;
	struct sa_area a;
	double start;
	size_t i;

	if (sa_area_map(&a, n, pat, round))
		return -1;
	sa_area_fill(&a);
	took[OUT] = time_swap_out(&a);

	start = sa_now();
	for (i = 0; i < n; i++)
		sum += a.p[i * SA_PAGE];
	asm volatile("" : : "r" (sum));
	took[IN] = sa_now() - start;
	if (sa_area_check(&a))
		return -1;

	/*
	 * The pages are swapped out again because freeing them in RAM would
	 * measure something else.
	 */
	time_swap_out(&a);
	start = sa_now();
	sa_area_unmap(&a);
	took[FREE] = sa_now() - start;
	return 0;
}

/*
 * Take most of the free memory and give it back in disorder, so that the
 * figures repeat. After boot, pages that are allocated one after the other are
 * adjacent in memory, and then the kernel has less work by luck.
 */
static int shuffle_free_memory(void)
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

/*
 * Write the whole device, because a RAM disk allocates memory at the first
 * write and must not do that during the measurement
 */
static int write_whole_dev(const char *path, size_t pages)
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

static enum sa_pat parse_pattern(const char *name)
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

static int run_bench(void *arg)
{
	const struct options *o = arg;
	/*
	 * The device is twice as large as the data, so that the kernel need not
	 * search for clusters.
	 */
	size_t size = 2 * o->n + 4096;
	const char *why;
	int i, step;

	why = sa_begin(o->on, SA_NEED_DEV);
	if (!why && o->zswap && sa_set_zswap(true))
		why = "no zswap";
	if (!why && shuffle_free_memory())
		why = "not enough memory";
	if (!why && (write_whole_dev(sa_dev(0), size) || sa_swapon(sa_dev(0), size, -1)))
		why = "swapon failed";
	if (why) {
		fprintf(stderr, "bench_swap: %s\n", why);
		return 4;
	}

	/*
	 * With much page cache the kernel counts some of the pages that come
	 * back as the working set, and activates them.
	 */
	sa_write("/proc/sys/vm/drop_caches", "3");

	for (i = -1; i < o->rounds; i++) {
		double took[NSTEPS];

		if (time_one_round(o->n, o->pat, i + 2, took)) {
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
		qsort(figures[step], o->rounds, sizeof(double), sa_compare_doubles);
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
			o.pat = parse_pattern(optarg);
			break;
		default:
			return 2;
		}
	}
	if (o.n < 100 || o.rounds < 1 || o.rounds > MAX_ROUNDS)
		return 2;

	return sa_bench_main(run_bench, &o);
}
