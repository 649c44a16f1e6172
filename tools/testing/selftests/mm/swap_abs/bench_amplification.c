// SPDX-License-Identifier: GPL-2.0
/*
 * This benchmark prints the bytes that a packed device writes for each byte
 * that is stored on it, once the device is full of data that is replaced page
 * by page.
 *
 *	bench_amplification [-u USE] [-l LAPS] [-m BYTES] [-n PAGES]
 *
 *	-u	bytes in use of the device, of all it has	(0.7)
 *	-l	how often the device's size is stored; the second half is
 *		measured					(10)
 *	-m	memory.max of the cgroup; 0: no limit, and the machine must
 *		have less memory than the data			(64 MiB)
 *	-n	pages of the first device			(65536)
 *
 * zswap is off. The benchmark replaces pages of text in random order, and
 * compares one of 64 pages before it replaces them.
 * tools/testing/swap_abs/sim.c simulates the same workload ("sim uniform USE
 * MIB"). The exit status is 4 if the kernel lacks a feature.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "swap_abs_lib.h"

#define SEED	9
#define STEP	256

struct options {
	double use;
	unsigned int laps;
	size_t memory, n;
};

/* Counters since the start, and the sum of the bytes in use at each look */
struct sums {
	struct sa_io io;
	long long stored, collected, refused, live, looks;
};

static void read_sums(struct sums *s, const char *dev)
{
	long long live = sa_tier_num(dev, "stats/live_bytes");
	long long pages = sa_tier_num(dev, "stored") / SA_PAGE;
	static long long seen;
	long long nr = sa_tier_num(dev, "stats/store");

	sa_io_read(dev, &s->io);
	/*
	 * Objects and their headers are as long as the mean of those stored
	 * now.
	 */
	if (pages)
		s->stored += (nr - seen) * live / pages;
	seen = nr;
	s->collected = sa_tier_num(dev, "stats/collected");
	s->refused = sa_tier_num(dev, "stats/refused");
	s->live += live;
	s->looks++;
}

static int replace_pages(struct sa_area *a, __u32 *gens, __u64 *rnd, size_t nr)
{
	while (nr--) {
		size_t i = sa_rand(rnd) % a->n;
		void *p = a->p + i * SA_PAGE;

		if (sa_rand(rnd) % 64 == 0 && sa_check_page(p, a->pat, a->seed, i, gens[i]))
			return 1;
		if (madvise(p, SA_PAGE, MADV_DONTNEED))
			return 1;
		sa_fill_page(p, a->pat, a->seed, i, ++gens[i]);
	}
	return 0;
}

static int fill_and_replace(const struct options *o, const char *dev)
{
	long long size = (long long)o->n * SA_PAGE, end = o->laps * size;
	struct sums now = { }, half = { };
	struct sa_area a;
	double start, told, live;
	__u64 rnd = SEED;
	long long sectors;
	size_t i, max;
	__u32 *gens;

	/* No text compresses by a factor of 6. */
	max = 6 * o->n;
	gens = calloc(max, sizeof(*gens));
	if (!gens || sa_area_map(&a, max, SA_TEXT, SEED))
		return 1;
	for (i = 0; i < max && sa_tier_num(dev, "stats/live_bytes") < o->use * size; i += STEP)
		for (size_t j = i; j < i + STEP; j++)
			sa_fill_page(a.p + j * SA_PAGE, a.pat, a.seed, j, 0);
	if (i >= max)
		return 1;
	a.n = i;

	read_sums(&now, dev);
	now = (struct sums) { };
	start = sa_now();
	told = start;
	while (!half.looks || now.stored < end) {
		if (replace_pages(&a, gens, &rnd, STEP))
			return 1;
		read_sums(&now, dev);
		if (!half.looks && now.stored >= end / 2) {
			half = now;
			start = sa_now();
		}
		if (sa_now() > told + 15) {
			told = sa_now();
			fprintf(stderr, "# %.1f of %u device sizes stored, %.2f written for each\n",
				now.stored / (double)size, o->laps,
				now.io.write_sectors * 512.0 / now.stored);
		}
	}
	live = (now.live - half.live) / (double)(now.looks - half.looks);
	sectors = now.io.write_sectors - half.io.write_sectors;
	printf("amplification use=%.4f pages=%zu stored=%lld sectors=%lld wa=%.4f",
	       live / size, a.n, now.stored - half.stored, sectors,
	       sectors * 512.0 / (now.stored - half.stored));
	printf(" collected=%lld refused=%lld seconds=%.1f\n", now.collected - half.collected,
	       now.refused - half.refused, sa_now() - start);
	return 0;
}

static int run_bench(void *arg)
{
	const struct options *o = arg;
	const char *why = sa_begin(true, SA_NEED_DEV), *dev;
	char cg[256];

	if (why) {
		printf("# %s\n", why);
		return 4;
	}
	dev = sa_dev(0);
	if (sa_set_zswap(false) || sa_swapon_packed(dev, o->n, -1))
		return 1;
	if (o->memory && (sa_cg_make("amplification", o->memory, cg, sizeof(cg)) ||
			  sa_cg_enter(cg)))
		return 1;
	return fill_and_replace(o, dev);
}

int main(int argc, char **argv)
{
	struct options o = { .use = 0.7, .laps = 10, .memory = 64 << 20, .n = 65536 };
	int opt;

	while ((opt = getopt(argc, argv, "u:l:m:n:")) != -1) {
		switch (opt) {
		case 'u':
			o.use = atof(optarg);
			break;
		case 'l':
			o.laps = atoi(optarg);
			break;
		case 'm':
			o.memory = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			o.n = strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (o.use <= 0 || o.use > 0.95 || !o.laps || o.n < 16 * SA_CLUSTER)
		return 2;
	return sa_bench_main(run_bench, &o);
}
