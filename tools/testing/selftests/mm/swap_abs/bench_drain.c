// SPDX-License-Identifier: GPL-2.0
/*
 * This benchmark prints how fast a slow device is drained to a quick one, and
 * how fast fio reads the same device.
 *
 *	bench_drain [-n PAGES] [-f FORMAT]
 *
 *	-n	pages					(32768)
 *	-f	raw or packed				(raw)
 *
 * Both devices are null_blk in RAM. The slow one does 200 MiB/s and takes 100
 * us for each operation, of which it does several at a time. null_blk grants
 * the bytes of 20 ms at once. Raw data is random, and packed data is text,
 * because random data is never packed. The bytes a second are those that the
 * data takes on the slow device: the pages, or what they are compressed to.
 *
 * fio reads as many bytes after swapoff of the slow device, where the data then
 * still lies, with four reads of 128 KiB at a time. Without fio in the PATH, or
 * if it fails, its figure is nan. The times have no meaning on an emulated
 * machine.
 *
 * The benchmark compares all contents. The exit status is KSFT_SKIP if the
 * kernel lacks a feature, and KSFT_FAIL with a reason on stderr if something is
 * wrong.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "swap_abs_lib.h"

#define SLOW		"sa_slow"
#define QUICK		"sa_quick"
#define DEV(name)	("/dev/" name)

#define SLOW_MBPS	200
#define SLOW_NSEC	100000
#define QUICK_NSEC	10000
#define DEPTH		64
#define SECTORS		2560	/* of 512 bytes, in an operation */
#define SEED		5
#define LIMIT		600	/* seconds */

struct options {
	const char *format;
	bool packed;
	size_t n;
};

/*
 * Make a device that does several operations at a time, and takes more than 124
 * KiB in one, which one from sa_nullb_make() does not. That can only be set
 * while the device is off.
 */
static const char *make_dev(const char *name, size_t pages, int mbps, int nsec)
{
	const char *dev = sa_nullb_make(name, pages, mbps, nsec);

	if (!dev || sa_nullb_set(name, "power", 0) || sa_nullb_set(name, "hw_queue_depth", DEPTH) ||
	    sa_nullb_set(name, "max_sectors", SECTORS) || sa_nullb_set(name, "power", 1))
		return NULL;
	return access(dev, W_OK) ? NULL : dev;
}

static const char *swapon_bench_dev(const struct options *o, const char *name, int mbps, int nsec,
				    int prio)
{
	/*
	 * The data must be less than the watermark, so that nothing moves
	 * before the device is drained.
	 */
	const char *dev = make_dev(name, 2 * o->n + 32 * SA_MIB_PAGES, mbps, nsec);

	if (!dev)
		return "no null_blk with a queue";
	if (sa_swapon(dev, 0, prio))
		return "swapon failed";
	return sa_set_format(dev, o->format) ? "no such format" : NULL;
}

/*
 * Drain the slow device, and return how many seconds that took, or -1 if the
 * device does not get empty
 */
static double drain(void)
{
	char used[256];
	double start;

	if (sa_tier_path(DEV(SLOW), "used", used, sizeof(used)))
		return -1;
	start = sa_now();
	if (sa_tier_write(DEV(SLOW), "state", "draining"))
		return -1;
	while (sa_read_num(used)) {
		if (sa_now() > start + LIMIT)
			return -1;
		usleep(1000);
	}
	return sa_now() - start;
}

/* Return the bytes a second that fio reads, or nan without fio */
static double run_fio(long long bytes)
{
	double kib_s, rate = NAN;
	char cmd[512], line[4096];
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "fio --name=drain --filename=%s --size=%lld --rw=read --bs=128k --iodepth=4 --ioengine=libaio --direct=1 --readonly --output-format=terse --terse-version=3 2>/dev/null",
		 DEV(SLOW), bytes);
	f = popen(cmd, "r");
	if (!f)
		return NAN;
	/*
	 * The version of the format comes first, then that of fio, the job's
	 * name and group, its error, the KiB read, and the KiB a second.
	 */
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "3;%*[^;];%*[^;];%*d;0;%*f;%lf;", &kib_s) == 1)
			rate = kib_s * 1024;
	return pclose(f) ? NAN : rate;
}

static int measure(const struct options *o, struct sa_area *a)
{
	long long bytes = (long long)a->n * SA_PAGE;
	double took, rate, fio;

	if (o->packed)
		bytes = sa_tier_num(DEV(SLOW), "stats/live_bytes");
	took = drain();
	if (took < 0)
		return sa_bench_failed("the device does not get empty");
	if (sa_tier_num(DEV(QUICK), "stored") < (long long)(a->n * SA_PAGE))
		return sa_bench_failed("the pages are not on the quick device");
	if (sa_area_check(a))
		return sa_bench_failed("pages are wrong after the move");
	sa_area_unmap(a);
	if (sa_swapoff(DEV(SLOW)))
		return sa_bench_failed("the slow device stays in use");

	rate = bytes / took;
	fio = run_fio(bytes);
	printf("drain format=%s pages=%zu seconds=%.4f bytes_s=%.0f fio_bytes_s=%.0f share=%.3f\n",
	       o->format, o->n, took, rate, fio, rate / fio);
	return KSFT_PASS;
}

static int run_bench(void *arg)
{
	const struct options *o = arg;
	const char *why = sa_begin(true, SA_NEED_STATES);
	struct sa_area a;

	if (!why)
		why = swapon_bench_dev(o, SLOW, SLOW_MBPS, SLOW_NSEC, 5);
	if (!why && sa_area_map(&a, o->n, o->packed ? SA_TEXT : SA_RANDOM, SEED))
		why = "not enough memory";
	if (why)
		return sa_bench_skipped(why);

	sa_area_fill(&a);
	if (sa_pageout(a.p, a.n) != a.n || !sa_wait_writeback() || !sa_area_only_swapped(&a))
		return sa_bench_failed("not all pages went to the slow device");
	why = swapon_bench_dev(o, QUICK, 0, QUICK_NSEC, 3);
	return why ? sa_bench_skipped(why) : measure(o, &a);
}

int main(int argc, char **argv)
{
	struct options o = { .format = "raw", .n = 32768 };
	int opt, status;

	while ((opt = getopt(argc, argv, "n:f:")) != -1) {
		switch (opt) {
		case 'n':
			o.n = strtoul(optarg, NULL, 0);
			break;
		case 'f':
			o.format = optarg;
			break;
		default:
			return 2;
		}
	}
	o.packed = !strcmp(o.format, "packed");
	if (o.n < 100 || (!o.packed && strcmp(o.format, "raw")))
		return 2;

	status = sa_bench_main(run_bench, &o);
	sa_nullb_remove(SLOW);
	sa_nullb_remove(QUICK);
	return status;
}
