// SPDX-License-Identifier: GPL-2.0
/*
 * What writeback of zswap gets out of a slow device, and how long a fault takes
 * after it: not a test, it prints figures.
 *
 *	bench_writeback [-a] [-f FORMAT] [-d DATA] [-c COMPRESSOR] [-n PAGES]
 *
 *	-a	instead: what it is worth to keep in zswap what reads of packed data
 *		bring along, in the order in which it was written and in any
 *	-f	off (the layer is off), raw or packed	(off)
 *	-d	text, mixed, or third: 31 pages of 100 do not compress, the
 *		others are text				(text)
 *	-c	zswap's compressor			(what it has)
 *	-n	pages					(8192)
 *
 * The device is a null_blk in RAM that does 100 MB/s and 3000 operations a second,
 * one at a time; faults are measured with one that takes 100 us for each. The time
 * means something where the machine is not emulated. All contents are compared.
 * Exit status KSFT_SKIP when this kernel can't do it, KSFT_FAIL when something is
 * wrong, and a reason on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "kselftest.h"
#include "swap_abs_lib.h"

#define FAULTS		4000
#define SEED		7
#define INCOMPRESSIBLE	31	/* of 100 */

enum data { TEXT, MIXED, THIRD };

struct options {
	const char *format, *compressor;
	enum data data;
	bool on, neighbours;
	size_t n;
};

/* Say what went wrong, for main() to return. */
static int failed(const char *what)
{
	fprintf(stderr, "\nbench_writeback: %s\n", what);
	return KSFT_FAIL;
}

static int cannot(const char *why)
{
	fprintf(stderr, "bench_writeback: %s\n", why);
	return KSFT_SKIP;
}

static enum sa_pat pat_of(enum data data, size_t i)
{
	if (data == MIXED)
		return SA_MIXED;
	return data == THIRD && i * 7919 % 100 < INCOMPRESSIBLE ? SA_RANDOM : SA_TEXT;
}

static void fill(const struct options *o, unsigned char *p)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		sa_fill(p + i * SA_PAGE, pat_of(o->data, i), SEED, i, 0);
}

static bool is_right(const struct options *o, unsigned char *p)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (sa_check(p + i * SA_PAGE, pat_of(o->data, i), SEED, i, 0))
			return false;
	return true;
}

static int start(const struct options *o, const char *dev)
{
	int ret = sa_swapon(dev, 0, -1);

	return ret || !o->on ? ret : sa_format(dev, o->format);
}

/* All that zswap has goes to the device: how fast, and in how many bytes? */
static int write_back(const struct options *o, const char *dev, unsigned char *p)
{
	long long zswapped, bytes, loads, left, now;
	double begin, end, took = 0, sectors;
	struct sa_io before, after;
	size_t out;

	fill(o, p);
	if (sa_io(dev, &before))
		return failed("no statistics of the device");
	madvise(p, o->n * SA_PAGE, MADV_PAGEOUT);
	out = sa_swapped(p, o->n);
	sa_settle();
	if (sa_io(dev, &after))
		return failed("no statistics of the device");
	printf(" out=%zu direct_sectors=%lld", out, after.write_sectors - before.write_sectors);
	before = after;
	zswapped = sa_zswapped() / SA_PAGE;
	left = zswapped;
	bytes = sa_zswap_bytes();
	loads = sa_vmstat("zswpin");

	/*
	 * By its shrinker, as reclaim would; a pool over its limit is shrunk by no more
	 * than some pages at a time, when another page comes. What the shrinker knows
	 * of cgroups may be 2 s old: until then it finds nothing to do.
	 */
	sa_zswap_param("shrinker_enabled", "Y");
	for (end = sa_now() + 60; left > zswapped / 10 && sa_now() < end;) {
		begin = sa_now();
		sa_write("/proc/sys/vm/drop_caches", "2");
		sa_settle();
		now = sa_zswapped() / SA_PAGE;
		if (now < left)
			took += sa_now() - begin;
		left = now;
	}
	sa_zswap_param("shrinker_enabled", "N");
	zswapped -= left;
	bytes -= sa_zswap_bytes();
	sa_io(dev, &after);
	sectors = after.write_sectors - before.write_sectors;
	printf(" zswapped=%lld bytes=%lld seconds=%.4f pages_s=%.0f", zswapped, bytes, took,
	       zswapped / took);
	printf(" sectors=%.0f writes=%lld kib_write=%.1f decompressed=%lld", sectors,
	       after.writes - before.writes, sectors / 2 / (after.writes - before.writes),
	       sa_vmstat("zswpin") - loads);
	return 0;
}

/* Pages one by one in any order, from where they are */
static int fault(const struct options *o, const char *dev, unsigned char *p)
{
	size_t *order = sa_shuffled(o->n, 11), i, nr;
	double *took = calloc(o->n, sizeof(*took)), begin;
	struct sa_io before, after;
	unsigned char sum = 0;

	if (!order || !took)
		return failed("not enough memory");
	sa_wait_purged(sa_swap_cached() == 0, 20);
	sa_io(dev, &before);
	for (i = nr = 0; i < o->n && nr < FAULTS; i++) {
		/* What is zero takes no device. */
		if (o->data == MIXED && sa_swapped(p + order[i] * SA_PAGE, 1) != 1)
			continue;
		begin = sa_now();
		sum += p[order[i] * SA_PAGE];
		asm volatile("" : : "r" (sum));
		took[nr++] = sa_now() - begin;
	}
	sa_io(dev, &after);
	if (!is_right(o, p))
		return failed("pages are wrong after faults");
	qsort(took, nr, sizeof(*took), sa_by_value);
	printf(" faults=%zu blocks_fault=%.3f p50_us=%.1f p90_us=%.1f p99_us=%.1f", nr,
	       (after.read_sectors - before.read_sectors) / 8.0 / nr, took[nr / 2] * 1e6,
	       took[nr * 9 / 10] * 1e6, took[nr * 99 / 100] * 1e6);
	return 0;
}

/*
 * All pages once, in the order in which they went out or in any, with zswap empty: is it
 * worth it to keep what reads bring along?
 */
static int read_once(const struct options *o, const char *dev, unsigned char *p, bool keep,
		     bool in_order)
{
	size_t *order = sa_shuffled(o->n, 13), i;
	struct sa_io before, after;
	unsigned char sum = 0;
	double took;

	if (!order || sa_zswap(false))
		return failed("not enough memory, or zswap stays on");
	fill(o, p);
	if (sa_pageout(p, o->n) != o->n || !sa_settle() || sa_zswap(true))
		return failed("not all pages went to the device");
	if (sa_write(SA_DEBUG "/keep_neighbours", keep ? "Y" : "N"))
		return cannot("no debugfs");
	sa_wait_purged(sa_swap_cached() == 0, 20);
	sa_io(dev, &before);
	took = sa_now();
	for (i = 0; i < o->n; i++) {
		sum += p[(in_order ? i : order[i]) * SA_PAGE];
		asm volatile("" : : "r" (sum));
	}
	took = sa_now() - took;
	sa_io(dev, &after);
	printf("neighbours compressor=%s kept=%s order=%s pages=%zu reads=%lld us_page=%.1f\n",
	       o->compressor ? o->compressor : "default", keep ? "yes" : "no",
	       in_order ? "same" : "any", o->n, after.reads - before.reads,
	       took * 1e6 / o->n);
	return is_right(o, p) ? KSFT_PASS : failed("pages are wrong");
}

static int neighbours(const struct options *o, const char *dev, unsigned char *p)
{
	int i, ret = 0;

	for (i = 0; i < 8 && !ret; i++)
		ret = read_once(o, dev, p, i & 1, i & 2);
	sa_write(SA_DEBUG "/keep_neighbours", "N");
	return ret;
}

static int measure(void *arg)
{
	const struct options *o = arg;
	size_t pages = 2 * o->n + 32 * SA_MIB_PAGES;
	const char *why = sa_begin(o->on, 0), *dev;
	struct sa_area a;
	int ret;

	if (!why && o->compressor && sa_zswap_param("compressor", o->compressor))
		why = "no such compressor";
	if (!why && sa_zswap(true))
		why = "no zswap";
	if (!why && sa_area_map(&a, o->n, SA_TEXT, SEED))
		why = "not enough memory";
	if (why)
		return cannot(why);
	sa_zswap_param("max_pool_percent", "90");
	sa_write(SA_PAGE_CLUSTER, "0");

	if (o->neighbours) {
		dev = sa_nullb_make("sa_quick", pages, 0, 100000);
		if (!dev || start(o, dev))
			return cannot("no null_blk, or swapon failed");
		return neighbours(o, dev, a.p);
	}

	dev = sa_nullb_make("sa_slow", pages, 100, 1000000000 / 3000);
	if (!dev || start(o, dev))
		return cannot("no null_blk, or swapon failed");
	printf("writeback format=%s data=%s compressor=%s pages=%zu", o->format,
	       o->data == TEXT ? "text" : o->data == MIXED ? "mixed" : "third",
	       o->compressor ? o->compressor : "default", o->n);
	ret = write_back(o, dev, a.p);
	sa_write(SA_PAGE_CLUSTER, "3");
	if (!ret && !is_right(o, a.p))
		ret = failed("pages are wrong after writeback");
	sa_area_unmap(&a);
	/* Then how long a fault takes, with zswap out of the way. */
	if (!ret && (sa_zswap(false) || swapoff(dev)))
		ret = failed("the slow device stays in use");
	if (ret)
		return ret;
	sa_nullb_remove("sa_slow");
	dev = sa_nullb_make("sa_quick", pages, 0, 100000);
	if (!dev || start(o, dev))
		return failed("swapon of the quick device failed");
	if (sa_area_map(&a, o->n, SA_TEXT, SEED))
		return failed("not enough memory");
	sa_write(SA_PAGE_CLUSTER, "0");
	fill(o, a.p);
	madvise(a.p, o->n * SA_PAGE, MADV_PAGEOUT);
	sa_settle();
	ret = fault(o, dev, a.p);
	printf("\n");
	if (!ret && swapoff(dev))
		ret = failed("the quick device stays in use");
	if (!ret)
		sa_nullb_remove("sa_quick");
	return ret;
}

int main(int argc, char **argv)
{
	struct options o = { .format = "off", .n = 8192 };
	int opt, status;

	while ((opt = getopt(argc, argv, "af:d:c:n:")) != -1) {
		switch (opt) {
		case 'a':
			o.neighbours = true;
			break;
		case 'f':
			o.format = optarg;
			break;
		case 'd':
			o.data = *optarg == 't' ? optarg[1] == 'h' ? THIRD : TEXT : MIXED;
			break;
		case 'c':
			o.compressor = optarg;
			break;
		case 'n':
			o.n = strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (o.n < 100)
		return 2;

	o.on = strcmp(o.format, "off");

	status = sa_bench(measure, &o);
	sa_nullb_remove("sa_slow");
	sa_nullb_remove("sa_quick");
	return status;
}
