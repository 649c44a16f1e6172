// SPDX-License-Identifier: GPL-2.0
/*
 * This benchmark prints the speed of zswap's writeback to a slow device, and
 * the time of a fault after that.
 *
 *	bench_writeback [-a] [-f FORMAT] [-d DATA] [-c COMPRESSOR] [-n PAGES]
 *
 *	-a	instead: the gain of keeping in zswap the neighbours that a
 *		read of packed data brings along, for reads in the order of
 *		the writes and in random order
 *	-f	off (the layer is off), raw or packed	(off)
 *	-d	text, mixed, or third: 31 pages of 100 do not compress, the
 *		others are text				(text)
 *	-c	zswap's compressor			(the current one)
 *	-n	pages					(8192)
 *
 * The device is a null_blk in RAM that does 100 MB/s and 3000 operations a
 * second, one at a time. Faults are measured with a null_blk that takes 100 us
 * for each operation. The times have no meaning on an emulated machine. The
 * benchmark compares all contents. The exit status is KSFT_SKIP if the kernel
 * lacks a feature, and KSFT_FAIL with a reason on stderr if something is wrong.
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

static enum sa_pat page_pattern(enum data data, size_t i)
{
	if (data == MIXED)
		return SA_MIXED;
	return data == THIRD && i * 7919 % 100 < INCOMPRESSIBLE ? SA_RANDOM : SA_TEXT;
}

static void fill_pages(const struct options *o, unsigned char *p)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		sa_fill_page(p + i * SA_PAGE, page_pattern(o->data, i), SEED, i, 0);
}

static bool pages_are_right(const struct options *o, unsigned char *p)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (sa_check_page(p + i * SA_PAGE, page_pattern(o->data, i), SEED, i, 0))
			return false;
	return true;
}

static int swapon_bench_dev(const struct options *o, const char *dev)
{
	int ret = sa_swapon(dev, 0, -1);

	return ret || !o->on ? ret : sa_set_format(dev, o->format);
}

/*
 * Measure how fast zswap writes all its pages to the device, and how many bytes
 * it writes
 */
static int measure_writeback(const struct options *o, const char *dev, unsigned char *p)
{
	long long zswapped, bytes, loads, left, now;
	double begin, end, took = 0, sectors;
	struct sa_io before, after;
	size_t out;

	fill_pages(o, p);
	if (sa_io_read(dev, &before))
		return sa_bench_failed("no statistics of the device");
	madvise(p, o->n * SA_PAGE, MADV_PAGEOUT);
	out = sa_nr_swapped(p, o->n);
	sa_wait_writeback();
	if (sa_io_read(dev, &after))
		return sa_bench_failed("no statistics of the device");
	printf(" out=%zu direct_sectors=%lld", out, after.write_sectors - before.write_sectors);
	before = after;
	zswapped = sa_zswapped() / SA_PAGE;
	left = zswapped;
	bytes = sa_zswap_bytes();
	loads = sa_vmstat("zswpin");

	/*
	 * The shrinker does the writeback, as it would for reclaim. A pool over
	 * its limit shrinks by only some pages when another page comes. The
	 * shrinker's numbers of cgroups may be 2 s old, and it finds nothing to
	 * do until they are current.
	 */
	sa_zswap_param("shrinker_enabled", "Y");
	for (end = sa_now() + 60; left > zswapped / 10 && sa_now() < end;) {
		begin = sa_now();
		sa_write("/proc/sys/vm/drop_caches", "2");
		sa_wait_writeback();
		now = sa_zswapped() / SA_PAGE;
		if (now < left)
			took += sa_now() - begin;
		left = now;
	}
	sa_zswap_param("shrinker_enabled", "N");
	zswapped -= left;
	bytes -= sa_zswap_bytes();
	sa_io_read(dev, &after);
	sectors = after.write_sectors - before.write_sectors;
	printf(" zswapped=%lld bytes=%lld seconds=%.4f pages_s=%.0f", zswapped, bytes, took,
	       zswapped / took);
	printf(" sectors=%.0f writes=%lld kib_write=%.1f decompressed=%lld", sectors,
	       after.writes - before.writes, sectors / 2 / (after.writes - before.writes),
	       sa_vmstat("zswpin") - loads);
	return 0;
}

/* Read the pages one by one in random order from their tier */
static int measure_faults(const struct options *o, const char *dev, unsigned char *p)
{
	size_t *order = sa_shuffled_order(o->n, 11), i, nr;
	double *took = calloc(o->n, sizeof(*took)), begin;
	struct sa_io before, after;
	unsigned char sum = 0;

	if (!order || !took)
		return sa_bench_failed("not enough memory");
	sa_wait_purged(sa_swap_cached() == 0, 20);
	sa_io_read(dev, &before);
	for (i = nr = 0; i < o->n && nr < FAULTS; i++) {
		/* A zero page is not on a device. */
		if (o->data == MIXED && sa_nr_swapped(p + order[i] * SA_PAGE, 1) != 1)
			continue;
		begin = sa_now();
		sum += p[order[i] * SA_PAGE];
		asm volatile("" : : "r" (sum));
		took[nr++] = sa_now() - begin;
	}
	sa_io_read(dev, &after);
	if (!pages_are_right(o, p))
		return sa_bench_failed("pages are wrong after faults");
	qsort(took, nr, sizeof(*took), sa_compare_doubles);
	printf(" faults=%zu blocks_fault=%.3f p50_us=%.1f p90_us=%.1f p99_us=%.1f", nr,
	       (after.read_sectors - before.read_sectors) / 8.0 / nr, took[nr / 2] * 1e6,
	       took[nr * 9 / 10] * 1e6, took[nr * 99 / 100] * 1e6);
	printf(" p999_us=%.1f", took[nr * 999 / 1000] * 1e6);
	return 0;
}

/*
 * Measure reads of all pages with zswap empty, in the order of the writes or in
 * random order, to see whether it is worth it to keep the neighbours of a read
 */
static int measure_readahead(const struct options *o, const char *dev, unsigned char *p, bool keep,
			     bool in_order)
{
	size_t *order = sa_shuffled_order(o->n, 13), i;
	struct sa_io before, after;
	unsigned char sum = 0;
	double took;

	if (!order || sa_set_zswap(false))
		return sa_bench_failed("not enough memory, or zswap stays on");
	fill_pages(o, p);
	if (sa_pageout(p, o->n) != o->n || !sa_wait_writeback() || sa_set_zswap(true))
		return sa_bench_failed("not all pages went to the device");
	if (sa_write(SA_DEBUG "/keep_neighbours", keep ? "Y" : "N"))
		return sa_bench_skipped("no debugfs");
	sa_wait_purged(sa_swap_cached() == 0, 20);
	sa_io_read(dev, &before);
	took = sa_now();
	for (i = 0; i < o->n; i++) {
		sum += p[(in_order ? i : order[i]) * SA_PAGE];
		asm volatile("" : : "r" (sum));
	}
	took = sa_now() - took;
	sa_io_read(dev, &after);
	printf("neighbours compressor=%s kept=%s order=%s pages=%zu reads=%lld us_page=%.1f\n",
	       o->compressor ? o->compressor : "default", keep ? "yes" : "no",
	       in_order ? "same" : "any", o->n, after.reads - before.reads,
	       took * 1e6 / o->n);
	return pages_are_right(o, p) ? KSFT_PASS : sa_bench_failed("pages are wrong");
}

static int measure_all_readahead(const struct options *o, const char *dev, unsigned char *p)
{
	int i, ret = 0;

	for (i = 0; i < 8 && !ret; i++)
		ret = measure_readahead(o, dev, p, i & 1, i & 2);
	sa_write(SA_DEBUG "/keep_neighbours", "N");
	return ret;
}

static int run_bench(void *arg)
{
	const struct options *o = arg;
	size_t pages = 2 * o->n + 32 * SA_MIB_PAGES;
	const char *why = sa_begin(o->on, 0), *dev;
	struct sa_area a;
	int ret;

	if (!why && o->compressor && sa_zswap_param("compressor", o->compressor))
		why = "no such compressor";
	if (!why && sa_set_zswap(true))
		why = "no zswap";
	if (!why && sa_area_map(&a, o->n, SA_TEXT, SEED))
		why = "not enough memory";
	if (why)
		return sa_bench_skipped(why);
	sa_zswap_param("max_pool_percent", "90");
	sa_write(SA_PAGE_CLUSTER, "0");

	if (o->neighbours) {
		dev = sa_nullb_make("sa_quick", pages, 0, 100000);
		if (!dev || swapon_bench_dev(o, dev))
			return sa_bench_skipped("no null_blk, or swapon failed");
		return measure_all_readahead(o, dev, a.p);
	}

	dev = sa_nullb_make("sa_slow", pages, 100, 1000000000 / 3000);
	if (!dev || swapon_bench_dev(o, dev))
		return sa_bench_skipped("no null_blk, or swapon failed");
	printf("writeback format=%s data=%s compressor=%s pages=%zu", o->format,
	       o->data == TEXT ? "text" : o->data == MIXED ? "mixed" : "third",
	       o->compressor ? o->compressor : "default", o->n);
	ret = measure_writeback(o, dev, a.p);
	sa_write(SA_PAGE_CLUSTER, "3");
	if (!ret && !pages_are_right(o, a.p))
		ret = sa_bench_failed("pages are wrong after writeback");
	sa_area_unmap(&a);
	/* Then the benchmark measures faults with zswap off. */
	if (!ret && (sa_set_zswap(false) || swapoff(dev)))
		ret = sa_bench_failed("the slow device stays in use");
	if (ret)
		return ret;
	sa_nullb_remove("sa_slow");
	dev = sa_nullb_make("sa_quick", pages, 0, 100000);
	if (!dev || swapon_bench_dev(o, dev))
		return sa_bench_failed("swapon of the quick device failed");
	if (sa_area_map(&a, o->n, SA_TEXT, SEED))
		return sa_bench_failed("not enough memory");
	sa_write(SA_PAGE_CLUSTER, "0");
	fill_pages(o, a.p);
	madvise(a.p, o->n * SA_PAGE, MADV_PAGEOUT);
	sa_wait_writeback();
	ret = measure_faults(o, dev, a.p);
	printf("\n");
	if (!ret && swapoff(dev))
		ret = sa_bench_failed("the quick device stays in use");
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

	status = sa_bench_main(run_bench, &o);
	sa_nullb_remove("sa_slow");
	sa_nullb_remove("sa_quick");
	return status;
}
