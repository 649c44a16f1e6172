// SPDX-License-Identifier: GPL-2.0
/*
 * This benchmark prints the cost of swapping a page out, swapping it in,
 * freeing it among its neighbours and as a single one, and of fork() and exit()
 * with the page swapped out. The unit is nanoseconds per page, which are
 * instructions where the clock counts instructions (QEMU's -icount). On other
 * machines, other load changes the figures.
 *
 *	bench_swap [-l] [-z] [-c COMPRESSOR] [-s] [-k KB] [-m] [-M]
 *		   [-n PAGES] [-r ROUNDS] [-p PATTERN]
 *
 *	-l	with the layer on		(off)
 *	-z	into zswap			(to the device)
 *	-c	zswap's compressor		(lz4)
 *	-s	shared memory			(anonymous memory)
 *	-k	KiB of a folio			(4)
 *	-m	swap in by MADV_POPULATE_READ	(by a touch of each page), for
 *		User Mode Linux, where a fault takes ten times as long
 *	-M	instead: bytes of RAM that a swapped page takes beside its data
 *		and its page table; many pages make this exact (-n 65536)
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
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swap_abs_lib.h"

#define THP		"/sys/kernel/mm/transparent_hugepage"
#define MAX_ROUNDS	99
#define STRIDE		30011	/* pages, a prime number */

enum { OUT, IN, FORK, EXIT, FREE, SINGLE, NSTEPS };

static const char * const step_name[NSTEPS] = { "out", "in", "fork", "exit", "free", "single" };
static double figures[NSTEPS][MAX_ROUNDS];

struct options {
	enum sa_pat pat;
	bool on, zswap, shmem, populate, memory;
	const char *compressor;
	int kb, rounds;
	size_t n;
};

/*
 * Return how many pages are out. The page table has nothing of a page of shared
 * memory that is out.
 */
static size_t count_out(const struct options *o, struct sa_area *a)
{
	return o->shmem ? a->n - sa_nr_present(a->p, a->n) : sa_nr_swapped(a->p, a->n);
}

/*
 * Return the seconds of MADV_PAGEOUT, after which 99 of 100 pages must be out
 */
static double time_swap_out(const struct options *o, struct sa_area *a)
{
	double start = sa_now(), took;

	madvise(a->p, a->n * SA_PAGE, MADV_PAGEOUT);
	took = sa_now() - start;
	/* Some of a large folio can stay, and the folio is split. */
	if (count_out(o, a) < a->n - a->n / (o->kb > 4 ? 25 : 100)) {
		fprintf(stderr, "bench_swap: only %zu of %zu pages are out\n", count_out(o, a),
			a->n);
		exit(1);
	}
	return took;
}

/* Map shared memory, aligned as sa_area_map() aligns private memory */
static int map_shmem(struct sa_area *a, size_t n, enum sa_pat pat, __u64 seed)
{
	size_t align = 2 * SA_MIB;
	uintptr_t p;

	p = (uintptr_t)mmap(NULL, n * SA_PAGE + align, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == (uintptr_t)MAP_FAILED)
		return -errno;
	p = (p + align - 1) & ~(align - 1);
	*a = (struct sa_area){ .n = n, .pat = pat, .seed = seed };
	a->p = mmap((void *)p, n * SA_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return a->p == MAP_FAILED ? -errno : 0;
}

static int map_area(const struct options *o, struct sa_area *a, __u64 seed)
{
	int ret = o->shmem ? map_shmem(a, o->n, o->pat, seed) :
			     sa_area_map(a, o->n, o->pat, seed);

	if (!ret && o->kb > 4 && madvise(a->p, o->n * SA_PAGE, MADV_HUGEPAGE))
		ret = -errno;
	return ret;
}

/* Fork a child that has all pages swapped out, and let it exit */
static int time_fork(double took[NSTEPS])
{
	double start = sa_now();
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	took[FORK] = sa_now() - start;
	if (pid < 0)
		return -1;

	start = sa_now();
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	took[EXIT] = sa_now() - start;
	return 0;
}

/* Free pages whose neighbours are gone, so that each is a run of its own */
static int time_free_single(const struct options *o, int round, double took[NSTEPS])
{
	struct sa_area a;
	double start;
	size_t i;

	if (map_area(o, &a, round))
		return -1;
	sa_area_fill(&a);
	time_swap_out(o, &a);
	for (i = 1; i < o->n; i += 2)
		madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	start = sa_now();
	sa_area_unmap(&a);
	took[SINGLE] = (sa_now() - start) * 2;
	return 0;
}

static int time_one_round(const struct options *o, int round, double took[NSTEPS])
{
	struct sa_area a;
	double start;

	if (map_area(o, &a, round))
		return -1;
	sa_area_fill(&a);
	took[OUT] = time_swap_out(o, &a);

	start = sa_now();
	if (!o->populate)
		sa_area_touch(&a);
	else if (madvise(a.p, o->n * SA_PAGE, MADV_POPULATE_READ))
		return -1;
	took[IN] = sa_now() - start;
	if (sa_area_check(&a))
		return -1;

	/*
	 * The pages are swapped out again because freeing them in RAM would
	 * measure something else.
	 */
	time_swap_out(o, &a);
	if (time_fork(took))
		return -1;
	start = sa_now();
	sa_area_unmap(&a);
	took[FREE] = sa_now() - start;
	return o->shmem || o->kb > 4 ? 0 : time_free_single(o, round, took);
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

static enum sa_pat parse_pattern(const char *name)
{
	enum sa_pat pat;

	for (pat = 0; pat < SA_NPAT; pat++)
		if (!strcmp(sa_pat_name[pat], name))
			return pat;
	fprintf(stderr, "bench_swap: no pattern %s\n", name);
	exit(2);
}

/* Return the bytes of free memory, after what CPUs have set aside is given back */
static long long free_memory(void)
{
	sa_write("/proc/sys/vm/drop_caches", "3");
	sa_write("/proc/sys/vm/compact_memory", "1");
	return sa_meminfo("MemFree");
}

/* Print the bytes of RAM that a page takes that is out */
static int measure_memory(const struct options *o)
{
	long long before, after, data;
	struct sa_area a;

	if (map_area(o, &a, 1))
		return -1;
	before = free_memory();
	data = sa_meminfo("Zswap");
	sa_area_fill(&a);
	time_swap_out(o, &a);
	after = free_memory();
	data = sa_meminfo("Zswap") - data;
	printf("bench layer=%s to=%s pages=%zu data=%lld ram=%.1f\n", o->on ? "on" : "off",
	       o->zswap ? o->compressor : "device", o->n, data,
	       (double)(before - after - data) / o->n - sizeof(void *));
	sa_area_unmap(&a);
	return 0;
}

/* Let memory that asks for it have folios of a size, and only those */
static const char *set_folio_size(const struct options *o)
{
	char path[120];

	if (o->kb == 4)
		return NULL;
	snprintf(path, sizeof(path), THP "/hugepages-%dkB/%s", o->kb,
		 o->shmem ? "shmem_enabled" : "enabled");
	return sa_write(path, o->shmem ? "advise" : "madvise") ? "no folios of this size" : NULL;
}

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
	if (!why && o->zswap &&
	    (sa_zswap_param("compressor", o->compressor) || sa_set_zswap(true)))
		why = "no zswap";
	if (!why)
		why = set_folio_size(o);
	if (!why && !o->memory && shuffle_free_memory())
		why = "not enough memory";
	if (!why && !o->memory && sa_dev_write_zeros(sa_dev(0), size))
		why = "the device cannot be written";
	if (!why && sa_swapon(sa_dev(0), size, -1))
		why = "swapon failed";
	if (why)
		return sa_bench_skipped(why);

	/*
	 * With much page cache the kernel counts some of the pages that come
	 * back as the working set, and activates them.
	 */
	sa_write("/proc/sys/vm/drop_caches", "3");

	if (o->memory)
		return measure_memory(o) ? 1 : 0;

	for (i = -1; i < o->rounds; i++) {
		double took[NSTEPS];

		if (time_one_round(o, i + 2, took)) {
			fprintf(stderr, "bench_swap: round %d failed\n", i);
			return 1;
		}
		for (step = 0; step < NSTEPS && i >= 0; step++)
			figures[step][i] = took[step] / o->n * 1e9;
	}

	printf("bench layer=%s to=%s memory=%s kb=%d pages=%zu pattern=%s rounds=%d",
	       o->on ? "on" : "off", o->zswap ? o->compressor : "device",
	       o->shmem ? "shmem" : "anon", o->kb, o->n, sa_pat_name[o->pat], o->rounds);
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
	struct options o = { .pat = SA_REPEAT, .compressor = "lz4", .kb = 4,
			     .rounds = 5, .n = 4096 };
	int opt;

	while ((opt = getopt(argc, argv, "lzc:sk:mMn:r:p:")) != -1) {
		switch (opt) {
		case 'l':
			o.on = true;
			break;
		case 'z':
			o.zswap = true;
			break;
		case 'c':
			o.compressor = optarg;
			break;
		case 's':
			o.shmem = true;
			break;
		case 'k':
			o.kb = atoi(optarg);
			break;
		case 'm':
			o.populate = true;
			break;
		case 'M':
			o.memory = true;
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
