// SPDX-License-Identifier: GPL-2.0
/*
 * What scripts/guest/hibernate.sh runs in its guest:
 *
 *	hold PATTERN PAGES SEED	keep that many pages of memory, of known contents: "repeat",
 *				"text" or "random", see lib/pattern.h of the selftests. It
 *				does what stdin says:
 *				"out" writes them to swap and prints how many are there
 *				"thin" frees every second page
 *				"scatter" frees a quarter of them, at random
 *				"churn" rewrites, frees and writes out some at random
 *				until the next word comes
 *				"check" compares all, prints "right", or "wrong N"; what
 *				is in the first ones instead goes to stderr
 *				"end" ends it
 *	hold snapshot DEV N	make an image in memory by /dev/snapshot, take N slots of
 *				the swap device for it, and give all of it up again.
 *				Meanwhile it frees and evicts memory that is swapped out.
 *				Prints how many slots there were, and how many sectors the
 *				disks have written
 *
 * Built statically with the library of the selftests by scripts/check.d/47-hibernate.
 */
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "swap_abs_lib.h"

/* What "churn" rewrites or frees at a time: neighbours, as they are evicted in reclaim. */
#define RUN	16

/* Of a page's generation: it has been freed, and reads as zeros. */
#define GONE	(1U << 31)

static struct sa_set set;
static FILE *answer;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *page_of(size_t nr)
{
	return set.a.p + nr * SA_PAGE;
}

static void make(size_t pages, enum sa_pat pat, __u64 seed)
{
	struct sa_area a;

	if (sa_area_map(&a, pages, pat, seed))
		die("memory");
	sa_area_fill(&a);
	if (sa_set_make(&set, &a))
		die("memory");
}

static void free_pages(size_t nr, size_t n)
{
	for (; n; nr++, n--) {
		set.gens[nr] |= GONE;
		madvise(page_of(nr), SA_PAGE, MADV_DONTNEED);
	}
}

static void rewrite(size_t nr, size_t n)
{
	for (; n; nr++, n--) {
		set.gens[nr] = (set.gens[nr] & ~GONE) + 1;
		sa_fill_page(page_of(nr), set.a.pat, set.a.seed, nr, set.gens[nr]);
	}
}

static size_t page_out(void)
{
	return sa_pageout(set.a.p, set.a.n);
}

static size_t thin(void)
{
	size_t i;

	for (i = 1; i < set.a.n; i += 2)
		free_pages(i, 1);
	return set.a.n / 2;
}

static size_t scatter(void)
{
	size_t i, left = set.a.n;

	for (i = 0; i < set.a.n; i++) {
		if (sa_rand(&set.rnd) % 4)
			continue;
		free_pages(i, 1);
		left--;
	}
	return left;
}

/* Until there is something to read on stdin; also what is freed is rewritten some time. */
static void churn(void)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	size_t nr;

	while (!poll(&in, 1, 0)) {
		nr = sa_rand(&set.rnd) % (set.a.n / RUN) * RUN;
		if (sa_rand(&set.rnd) % 4 == 0) {
			free_pages(nr, RUN);
			continue;
		}
		rewrite(nr, RUN);
		madvise(page_of(nr), RUN * SA_PAGE, MADV_PAGEOUT);
	}
}

/* Return how many pages are wrong */
static size_t check(void)
{
	size_t i, wrong = 0;

	for (i = 0; i < set.a.n && wrong < 4; i++)
		wrong += !!sa_check_page(page_of(i), set.gens[i] & GONE ? SA_ZERO : set.a.pat,
					 set.a.seed, i, set.gens[i]);
	return wrong;
}

static int keep(void)
{
	size_t wrong;
	char line[16];

	/* Nothing is read ahead, which poll() would not see. */
	setbuf(stdin, NULL);
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n")) {
		if (!strcmp(line, "out\n")) {
			fprintf(answer, "%zu\n", page_out());
		} else if (!strcmp(line, "thin\n")) {
			fprintf(answer, "%zu\n", thin());
		} else if (!strcmp(line, "scatter\n")) {
			fprintf(answer, "%zu\n", scatter());
		} else if (!strcmp(line, "churn\n")) {
			fprintf(answer, "churning\n");
			fflush(answer);
			churn();
		} else {
			wrong = check();
			if (wrong)
				fprintf(answer, "wrong %zu\n", wrong);
			else
				fprintf(answer, "right\n");
		}
		fflush(answer);
	}
	return 0;
}

/* Sectors that all disks have written */
static unsigned long long written(void)
{
	unsigned long long sectors, sum = 0;
	FILE *f = fopen("/proc/diskstats", "r");

	if (!f)
		die("/proc/diskstats");
	while (fscanf(f, "%*u %*u %*s %*u %*u %*u %*u %*u %*u %llu%*[^\n]", &sectors) == 1)
		sum += sectors;
	fclose(f);
	return sum;
}

/*
 * While storage is suspended: free what is on the disk, and evict what was. Nothing may
 * be written for it, now or by those who write later.
 */
static void press(void)
{
	free_pages(0, set.a.n / 2);
	rewrite(set.a.n / 2, set.a.n / 4);
	madvise(set.a.p, set.a.n * SA_PAGE, MADV_PAGEOUT);
	/* The flush worker comes once a second. */
	usleep(1500000);
}

static int snapshot(const char *dev, int want)
{
	struct resume_swap_area area = {};
	int fd, in_suspend = 0, got;
	unsigned long long before, after;
	struct stat st;
	loff_t offset;

	if (stat(dev, &st))
		die(dev);
	area.dev = major(st.st_rdev) << 8 | minor(st.st_rdev);
	fd = open("/dev/snapshot", O_RDONLY);
	if (fd < 0)
		die("/dev/snapshot");
	page_out();
	if (ioctl(fd, SNAPSHOT_SET_SWAP_AREA, &area))
		die("SNAPSHOT_SET_SWAP_AREA");
	if (ioctl(fd, SNAPSHOT_FREEZE))
		die("SNAPSHOT_FREEZE");
	if (ioctl(fd, SNAPSHOT_CREATE_IMAGE, &in_suspend))
		die("SNAPSHOT_CREATE_IMAGE");
	before = written();
	press();
	after = written();
	for (got = 0; got < want; got++)
		if (ioctl(fd, SNAPSHOT_ALLOC_SWAP_PAGE, &offset))
			break;
	if (ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES))
		die("SNAPSHOT_FREE_SWAP_PAGES");
	if (ioctl(fd, SNAPSHOT_FREE))
		die("SNAPSHOT_FREE");
	if (ioctl(fd, SNAPSHOT_UNFREEZE))
		die("SNAPSHOT_UNFREEZE");
	close(fd);
	page_out();
	if (check())
		got = -1;
	fprintf(answer, "%d %llu\n", in_suspend == 1 ? got : -1, after - before);
	fclose(answer);
	return 0;
}

int main(int argc, char **argv)
{
	enum sa_pat pat;

	if (argc != 4)
		return 2;
	/* The library prints what is wrong, which is no answer. */
	answer = fdopen(dup(1), "w");
	dup2(2, 1);
	if (!strcmp(argv[1], "snapshot")) {
		make(2048, SA_TEXT, 9);
		return snapshot(argv[2], atoi(argv[3]));
	}
	for (pat = 0; pat < SA_NPAT && strcmp(argv[1], sa_pat_name[pat]); pat++)
		;
	if (pat == SA_NPAT)
		return 2;
	make(strtoul(argv[2], NULL, 0), pat, strtoul(argv[3], NULL, 0));
	return keep();
}
