// SPDX-License-Identifier: GPL-2.0
/*
 * This benchmark prints the time of swapoff() of a device whose pages many
 * processes share, and what their first touch of the pages costs after that.
 *
 *	bench_swapoff [-l] [-f FORMAT] [-d DEST] [-p PROCESSES] [-n PAGES]
 *		      [-m PAGES]
 *
 *	-l	with the layer on		(off)
 *	-f	raw or packed			(raw)
 *	-d	where swapoff moves the data: ram; zswap, which is switched on
 *		before; or device, a second one that is swapped on before (ram)
 *	-p	processes that share each page	(64)
 *	-n	pages that are swapped out	(65536)
 *	-m	pages that each process maps, of which the first -n are
 *		written				(262144)
 *
 * The pages are text. The time of the touches is the sum over all processes,
 * which read the pages one process after the other. Both figures a page are by
 * -n, so their sum is what it costs to have a page back in all processes. The
 * clock counts instructions with QEMU's -icount, and says nothing about devices
 * that take time then.
 *
 * The devices are the first ones of SWAP_ABS_DEVS, by default /dev/ram0 and
 * /dev/ram1. The exit status is KSFT_SKIP if the kernel lacks a feature, and
 * KSFT_FAIL with a reason on stderr if something is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest.h"
#include "swap_abs_lib.h"

#define SEED		3
#define MAX_PROCESSES	900

enum dest { TO_RAM, TO_ZSWAP, TO_DEVICE, NDESTS };

static const char * const dest_name[NDESTS] = { "ram", "zswap", "device" };

struct options {
	const char *format;
	enum dest to;
	size_t n, mapped;
	int processes;
	bool on;
};

/* The sockets to the processes that share the pages */
static int sharers[MAX_PROCESSES];

/* Read a byte of each page; return how many seconds that took */
static double touch_pages(const struct sa_area *a)
{
	double start = sa_now();

	sa_area_touch(a);
	return sa_now() - start;
}

/*
 * Obey letters until the parent ends: on 's' answer how many pages are swapped,
 * on 't' touch the pages and answer how long that took, and on 'c' answer how
 * many pages are wrong.
 */
static void serve(const struct sa_area *a, int fd)
{
	double answer;
	char what;

	while (read(fd, &what, 1) == 1) {
		if (what == 's')
			answer = sa_nr_swapped(a->p, a->n);
		else if (what == 't')
			answer = touch_pages(a);
		else
			answer = sa_area_check(a);
		if (write(fd, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* Return the answer of a process, or -1 if the process has ended */
static double ask(int fd, char what)
{
	double answer;

	if (send(fd, &what, 1, MSG_NOSIGNAL) != 1)
		return -1;
	if (read(fd, &answer, sizeof(answer)) != sizeof(answer))
		return -1;
	return answer;
}

/*
 * Start the processes. Each one inherits the mapping, and its page tables get
 * the swap entries by fork().
 */
static int start_sharers(const struct options *o, const struct sa_area *a)
{
	int i, fds[2];
	pid_t pid;

	for (i = 0; i < o->processes; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds))
			return -errno;
		pid = sa_fork();
		if (!pid)
			serve(a, fds[1]);
		/*
		 * No other process has this end, so that the parent sees when
		 * the child dies.
		 */
		close(fds[1]);
		if (pid < 0)
			return pid;
		sharers[i] = fds[0];
	}
	for (i = 0; i < o->processes; i++)
		if (ask(sharers[i], 's') != a->n)
			return -EIO;
	return 0;
}

/*
 * Swap device i on; return NULL, or the reason why this failed. The device is
 * so much larger than the data that it stays below its high watermark, hence
 * nothing moves before swapoff.
 */
static const char *swapon_bench_dev(const struct options *o, int i)
{
	size_t pages = 2 * o->n + 4096, has = sa_dev_pages(i);

	if (has < o->n + o->n / 2)
		return "the device is too small";
	if (pages > has)
		pages = has;
	if (sa_dev_write_zeros(sa_dev(i), pages))
		return "cannot write the device";
	/* The second device has the lower priority. */
	if (sa_swapon(sa_dev(i), pages, i ? 3 : 5))
		return "swapon failed";
	if (o->on && sa_set_format(sa_dev(i), o->format) && strcmp(o->format, "raw"))
		return "no packed format";
	return NULL;
}

static const char *open_dest(const struct options *o)
{
	if (o->to == TO_ZSWAP && sa_set_zswap(true))
		return "no zswap";
	return o->to == TO_DEVICE ? swapon_bench_dev(o, 1) : NULL;
}

/* Tell whether nine of ten pages are where swapoff was to move them */
static bool arrived(const struct options *o)
{
	long long bytes = (long long)o->n * SA_PAGE;

	if (o->to == TO_ZSWAP)
		return sa_zswapped() >= bytes / 10 * 9;
	if (o->to == TO_DEVICE)
		return sa_tier_num(sa_dev(1), "stored") >= bytes / 10 * 9;
	return true;
}

static int measure(const struct options *o, struct sa_area *a)
{
	double start, took, touched = 0, s;
	int i;

	start = sa_now();
	i = sa_swapoff(sa_dev(0));
	took = sa_now() - start;
	if (i) {
		fprintf(stderr, "bench_swapoff: swapoff: %s\n", strerror(-i));
		return KSFT_FAIL;
	}
	if (!arrived(o))
		return sa_bench_failed("most pages went elsewhere");
	sa_wait_writeback();

	for (i = 0; i < o->processes; i++) {
		s = ask(sharers[i], 't');
		if (s < 0)
			return sa_bench_failed("a process has died");
		touched += s;
	}
	if (ask(sharers[0], 'c') != 0)
		return sa_bench_failed("pages are wrong after swapoff");

	printf("swapoff layer=%s format=%s to=%s processes=%d pages=%zu mapped=%zu",
	       o->on ? "on" : "off", o->format, dest_name[o->to], o->processes, o->n, o->mapped);
	printf(" swapoff_s=%.6f touch_s=%.6f swapoff_us_page=%.3f touch_us_page=%.3f\n", took,
	       touched, took / o->n * 1e6, touched / o->n * 1e6);
	return KSFT_PASS;
}

static int run_bench(void *arg)
{
	const struct options *o = arg;
	unsigned int needs = o->to == TO_DEVICE ? SA_NEED_DEVS : SA_NEED_DEV;
	const char *why = sa_begin(o->on, needs);
	struct sa_area a;

	if (!why)
		why = swapon_bench_dev(o, 0);
	if (!why && sa_area_map(&a, o->mapped, SA_TEXT, SEED))
		why = "not enough memory";
	if (why)
		return sa_bench_skipped(why);

	a.n = o->n;
	sa_area_fill(&a);
	if (sa_pageout(a.p, a.n) != a.n || !sa_wait_writeback() || !sa_area_only_swapped(&a))
		return sa_bench_failed("not all pages went to the device");
	if (start_sharers(o, &a))
		return sa_bench_failed("cannot start the processes");
	/* Now only those processes share the pages. */
	munmap(a.p, o->mapped * SA_PAGE);
	why = open_dest(o);
	return why ? sa_bench_skipped(why) : measure(o, &a);
}

static enum dest parse_dest(const char *name)
{
	enum dest to;

	for (to = 0; to < NDESTS; to++)
		if (!strcmp(dest_name[to], name))
			return to;
	fprintf(stderr, "bench_swapoff: swapoff cannot move data to %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct options o = {
		.format = "raw", .to = TO_RAM, .n = 65536, .mapped = 262144, .processes = 64,
	};
	int opt;

	while ((opt = getopt(argc, argv, "lf:d:p:n:m:")) != -1) {
		switch (opt) {
		case 'l':
			o.on = true;
			break;
		case 'f':
			o.format = optarg;
			break;
		case 'd':
			o.to = parse_dest(optarg);
			break;
		case 'p':
			o.processes = atoi(optarg);
			break;
		case 'n':
			o.n = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			o.mapped = strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (o.n < 100 || o.mapped < o.n || o.processes < 1 || o.processes > MAX_PROCESSES)
		return 2;
	if (strcmp(o.format, "raw") && strcmp(o.format, "packed"))
		return 2;
	/* Without the layer, swapoff moves all data to RAM. */
	if (!o.on && (o.to != TO_RAM || strcmp(o.format, "raw")))
		return sa_bench_skipped("that needs the layer (-l)");

	return sa_bench_main(run_bench, &o);
}
