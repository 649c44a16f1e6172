// SPDX-License-Identifier: GPL-2.0
/*
 * What scripts/guest/hibernate.sh runs in its guest:
 *
 *	hold text|noise PAGES	keep that many pages of memory, of known contents, that
 *				compress well or not at all, and do what stdin says:
 *				"out" writes them to swap and prints how many are there
 *				"thin" frees every second page
 *				"check" compares the rest, prints "right" or "wrong N"
 *	hold snapshot DEV N	make an image in memory by /dev/snapshot, take N slots of
 *				the swap device for it, and give all of it up again;
 *				prints how many slots there were
 *
 * Built statically by scripts/check.d/47-hibernate.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
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

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The contents of a page: its number throughout, or noise that comes of it. */
static void fill(uint64_t *page, size_t nr, int noise)
{
	uint64_t x = nr * 0x9e3779b97f4a7c15ULL + 1;
	size_t i;

	for (i = 0; i < WORDS; i++) {
		if (noise) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		page[i] = x;
	}
}

static size_t swapped(const char *mem, size_t pages)
{
	static uint64_t map[4096];
	size_t i, j, n, nr = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		die("/proc/self/pagemap");
	for (i = 0; i < pages; i += n) {
		n = pages - i < 4096 ? pages - i : 4096;
		if (pread(fd, map, n * 8, ((uintptr_t)mem / PAGE + i) * 8) != (ssize_t)n * 8)
			die("pagemap");
		for (j = 0; j < n; j++)
			nr += map[j] >> 62 & 1;
	}
	close(fd);
	return nr;
}

static size_t page_out(char *mem, size_t pages)
{
	size_t now = 0, before;

	/* Some are left the first time: in batches of this CPU, or referenced. */
	do {
		before = now;
		if (madvise(mem, pages * PAGE, MADV_PAGEOUT))
			die("madvise");
		now = swapped(mem, pages);
	} while (now > before);
	return now;
}

static int keep(size_t pages, int noise)
{
	size_t i, wrong, step = 1;
	static uint64_t want[WORDS];
	char line[16], *mem;

	mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		die("mmap");
	madvise(mem, pages * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < pages; i++)
		fill((uint64_t *)(mem + i * PAGE), i, noise);

	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "out\n")) {
			printf("%zu\n", page_out(mem, pages));
		} else if (!strcmp(line, "thin\n")) {
			step = 2;
			for (i = 1; i < pages; i += step)
				madvise(mem + i * PAGE, PAGE, MADV_DONTNEED);
			printf("%zu\n", pages / step);
		} else {
			for (wrong = i = 0; i < pages; i += step) {
				fill(want, i, noise);
				wrong += !!memcmp(want, mem + i * PAGE, PAGE);
			}
			if (wrong)
				printf("wrong %zu\n", wrong);
			else
				printf("right\n");
		}
		fflush(stdout);
	}
	return 0;
}

static int snapshot(const char *dev, int want)
{
	struct resume_swap_area area = {};
	int fd, in_suspend = 0, got;
	struct stat st;
	loff_t offset;

	if (stat(dev, &st))
		die(dev);
	area.dev = major(st.st_rdev) << 8 | minor(st.st_rdev);
	fd = open("/dev/snapshot", O_RDONLY);
	if (fd < 0)
		die("/dev/snapshot");
	if (ioctl(fd, SNAPSHOT_SET_SWAP_AREA, &area))
		die("SNAPSHOT_SET_SWAP_AREA");
	if (ioctl(fd, SNAPSHOT_FREEZE))
		die("SNAPSHOT_FREEZE");
	if (ioctl(fd, SNAPSHOT_CREATE_IMAGE, &in_suspend))
		die("SNAPSHOT_CREATE_IMAGE");
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
	printf("%d\n", in_suspend == 1 ? got : -1);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "snapshot"))
		return snapshot(argv[2], atoi(argv[3]));
	if (argc == 3)
		return keep(strtoul(argv[2], NULL, 0), !strcmp(argv[1], "noise"));
	return 2;
}
