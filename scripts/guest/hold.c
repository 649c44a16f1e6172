// SPDX-License-Identifier: GPL-2.0
/*
 * What scripts/guest/hibernate.sh runs in its guest:
 *
 *	hold KIND PAGES OWNER	keep that many pages of memory, of known contents. KIND is
 *				"text", which compresses well, "half", which does 2:1, or
 *				"noise", which does not. It does what stdin says:
 *				"out" writes them to swap and prints how many are there
 *				"thin" frees every second page
 *				"scatter" frees a quarter of them, at random
 *				"churn" rewrites, frees and writes out some at random
 *				until the next word comes
 *				"check" compares all, prints "right", or "wrong N" and
 *				what is in the first one instead
 *	hold snapshot DEV N	make an image in memory by /dev/snapshot, take N slots of
 *				the swap device for it, and give all of it up again.
 *				Meanwhile it frees and evicts memory that is swapped out.
 *				Prints how many slots there were, and how many sectors the
 *				disks have written
 *
 * Built statically by scripts/check.d/47-hibernate.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE	4096UL
#define WORDS	(PAGE / sizeof(uint64_t))

/* What "churn" rewrites or frees at a time: neighbours, as they are evicted in reclaim. */
#define RUN	16

/* Of a page's generation: it has been freed, and reads as zeros. */
#define GONE	(1U << 31)

enum kind { TEXT, HALF, NOISE };

/* Each page says at its begin which one it is, and begins with the checksum of all that. */
enum { SUM, OWNER, NUMBER, GENERATION, HEADER };

struct area {
	char *mem;
	size_t pages;
	enum kind kind;
	uint64_t owner;
	uint32_t *generation;	/* of each page: how often it was written, or GONE */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t scramble(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static size_t some(size_t below)
{
	static uint64_t x = 0x9e3779b97f4a7c15ULL;

	x = scramble(x);
	return x % below;
}

static uint64_t checksum(const uint64_t *page)
{
	uint64_t sum = 0;
	size_t i;

	for (i = SUM + 1; i < WORDS; i++)
		sum = (sum << 1 | sum >> 63) ^ page[i];
	return sum;
}

/* What a page has in a generation: a word throughout, or noise in half or all of it. */
static void fill(const struct area *a, size_t nr, uint32_t generation, uint64_t *page)
{
	uint64_t x = (a->owner << 48 ^ (uint64_t)nr << 24 ^ generation) + 1;
	size_t i, noise = a->kind == TEXT ? 0 : a->kind == HALF ? WORDS / 2 : WORDS;

	if (generation & GONE) {
		memset(page, 0, PAGE);
		return;
	}
	x *= 0x9e3779b97f4a7c15ULL;
	for (i = 0; i < WORDS; i++) {
		if (i < noise)
			x = scramble(x);
		page[i] = x;
	}
	page[OWNER] = a->owner;
	page[NUMBER] = nr;
	page[GENERATION] = generation;
	page[SUM] = checksum(page);
}

static uint64_t *page_of(const struct area *a, size_t nr)
{
	return (uint64_t *)(a->mem + nr * PAGE);
}

static void make(struct area *a)
{
	size_t i;

	a->mem = mmap(NULL, a->pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	a->generation = calloc(a->pages, sizeof(*a->generation));
	if (a->mem == MAP_FAILED || !a->generation)
		die("memory");
	/* What is expected must not go where it is looked for. */
	if (mlock(a->generation, a->pages * sizeof(*a->generation)))
		die("mlock");
	madvise(a->mem, a->pages * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < a->pages; i++)
		fill(a, i, 0, page_of(a, i));
}

static void free_pages(struct area *a, size_t nr, size_t n)
{
	for (; n; nr++, n--) {
		a->generation[nr] |= GONE;
		madvise(page_of(a, nr), PAGE, MADV_DONTNEED);
	}
}

static void rewrite(struct area *a, size_t nr, size_t n)
{
	for (; n; nr++, n--) {
		a->generation[nr] = (a->generation[nr] & ~GONE) + 1;
		fill(a, nr, a->generation[nr], page_of(a, nr));
	}
}

static size_t swapped(const struct area *a)
{
	static uint64_t map[4096];
	size_t i, j, n, nr = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		die("/proc/self/pagemap");
	for (i = 0; i < a->pages; i += n) {
		n = a->pages - i < 4096 ? a->pages - i : 4096;
		if (pread(fd, map, n * 8, ((uintptr_t)a->mem / PAGE + i) * 8) !=
		    (ssize_t)n * 8)
			die("pagemap");
		for (j = 0; j < n; j++)
			nr += map[j] >> 62 & 1;
	}
	close(fd);
	return nr;
}

static size_t page_out(const struct area *a)
{
	size_t now = 0, before;

	/* Some are left the first time: in batches of this CPU, or referenced. */
	do {
		before = now;
		if (madvise(a->mem, a->pages * PAGE, MADV_PAGEOUT))
			die("madvise");
		now = swapped(a);
	} while (now > before);
	return now;
}

static size_t thin(struct area *a)
{
	size_t i;

	for (i = 1; i < a->pages; i += 2)
		free_pages(a, i, 1);
	return a->pages / 2;
}

static size_t scatter(struct area *a)
{
	size_t i, left = a->pages;

	for (i = 0; i < a->pages; i++) {
		if (some(4))
			continue;
		free_pages(a, i, 1);
		left--;
	}
	return left;
}

/* Until there is something to read on stdin; also what is freed is rewritten some time. */
static void churn(struct area *a)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	size_t nr;

	while (!poll(&in, 1, 0)) {
		nr = some(a->pages / RUN) * RUN;
		if (!some(4)) {
			free_pages(a, nr, RUN);
			continue;
		}
		rewrite(a, nr, RUN);
		madvise(page_of(a, nr), RUN * PAGE, MADV_PAGEOUT);
	}
}

/* The first page that is wrong, in words */
static void print_wrong(const struct area *a, size_t nr)
{
	const uint64_t *page = page_of(a, nr);

	printf(": page %zu of generation %u%s ", nr, a->generation[nr] & ~GONE,
	       a->generation[nr] & GONE ? ", freed," : "");
	if (page[SUM] == checksum(page))
		printf("has page %llu of generation %llu, owner %llu",
		       (unsigned long long)page[NUMBER], (unsigned long long)page[GENERATION],
		       (unsigned long long)page[OWNER]);
	else
		printf("is damaged, begins with %llx", (unsigned long long)page[SUM]);
}

static size_t check(const struct area *a, size_t *first)
{
	static uint64_t want[WORDS];
	size_t i, wrong = 0;

	for (i = 0; i < a->pages; i++) {
		fill(a, i, a->generation[i], want);
		if (!memcmp(want, page_of(a, i), PAGE))
			continue;
		if (!wrong++)
			*first = i;
	}
	return wrong;
}

static int keep(struct area *a)
{
	size_t wrong, first = 0;
	char line[16];

	/* Nothing is read ahead, which poll() would not see. */
	setbuf(stdin, NULL);
	make(a);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "out\n")) {
			printf("%zu\n", page_out(a));
		} else if (!strcmp(line, "thin\n")) {
			printf("%zu\n", thin(a));
		} else if (!strcmp(line, "scatter\n")) {
			printf("%zu\n", scatter(a));
		} else if (!strcmp(line, "churn\n")) {
			printf("churning\n");
			fflush(stdout);
			churn(a);
		} else {
			wrong = check(a, &first);
			if (wrong) {
				printf("wrong %zu", wrong);
				print_wrong(a, first);
				printf("\n");
			} else {
				printf("right\n");
			}
		}
		fflush(stdout);
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
static void press(struct area *a)
{
	free_pages(a, 0, a->pages / 2);
	rewrite(a, a->pages / 2, a->pages / 4);
	page_out(a);
	/* The flush worker comes once a second. */
	usleep(1500000);
}

static int snapshot(const char *dev, int want)
{
	struct area a = { .pages = 2048, .kind = HALF, .owner = 9 };
	struct resume_swap_area area = {};
	int fd, in_suspend = 0, got;
	unsigned long long before, after;
	size_t first;
	struct stat st;
	loff_t offset;

	if (stat(dev, &st))
		die(dev);
	area.dev = major(st.st_rdev) << 8 | minor(st.st_rdev);
	fd = open("/dev/snapshot", O_RDONLY);
	if (fd < 0)
		die("/dev/snapshot");
	make(&a);
	page_out(&a);
	if (ioctl(fd, SNAPSHOT_SET_SWAP_AREA, &area))
		die("SNAPSHOT_SET_SWAP_AREA");
	if (ioctl(fd, SNAPSHOT_FREEZE))
		die("SNAPSHOT_FREEZE");
	if (ioctl(fd, SNAPSHOT_CREATE_IMAGE, &in_suspend))
		die("SNAPSHOT_CREATE_IMAGE");
	before = written();
	press(&a);
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
	page_out(&a);
	if (check(&a, &first)) {
		print_wrong(&a, first);
		got = -1;
	}
	printf("%d %llu\n", in_suspend == 1 ? got : -1, after - before);
	return 0;
}

static enum kind kind_of(const char *name)
{
	return !strcmp(name, "text") ? TEXT : !strcmp(name, "half") ? HALF : NOISE;
}

int main(int argc, char **argv)
{
	struct area a = {};

	if (argc != 4)
		return 2;
	if (!strcmp(argv[1], "snapshot"))
		return snapshot(argv[2], atoi(argv[3]));
	a.kind = kind_of(argv[1]);
	a.pages = strtoul(argv[2], NULL, 0);
	a.owner = strtoul(argv[3], NULL, 0);
	return keep(&a);
}
