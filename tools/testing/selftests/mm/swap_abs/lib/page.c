// SPDX-License-Identifier: GPL-2.0
/* The state of pages in the page tables, and functions that push pages out. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

int sa_pagemap(const void *addr, size_t n, __u64 *map)
{
	off_t off = (uintptr_t)addr / SA_PAGE * 8;
	ssize_t ret;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = pread(fd, map, n * 8, off);
	close(fd);
	return ret == (ssize_t)(n * 8) ? 0 : -EIO;
}

static size_t count_pages(const void *addr, size_t n, __u64 bit)
{
	__u64 map[256];
	size_t i, part, found = 0;

	for (; n; n -= part, addr = (const char *)addr + part * SA_PAGE) {
		part = n < 256 ? n : 256;
		if (sa_pagemap(addr, part, map))
			return 0;
		for (i = 0; i < part; i++)
			found += !!(map[i] & bit);
	}
	return found;
}

size_t sa_nr_swapped(const void *addr, size_t n)
{
	return count_pages(addr, n, SA_PM_SWAP);
}

/* Ask mincore(), which tells whether the swap cache has a swapped page */
size_t sa_nr_in_cache(const void *addr, size_t n)
{
	unsigned char in[256];
	size_t i, part, found = 0;

	for (; n; n -= part, addr = (const char *)addr + part * SA_PAGE) {
		part = n < sizeof(in) ? n : sizeof(in);
		if (mincore((void *)addr, part * SA_PAGE, in))
			return n;
		for (i = 0; i < part; i++)
			found += (in[i] & 1) &&
				 sa_nr_swapped((const char *)addr + i * SA_PAGE, 1);
	}
	return found;
}

size_t sa_nr_present(const void *addr, size_t n)
{
	return count_pages(addr, n, SA_PM_PRESENT);
}

size_t sa_pageout(void *addr, size_t n)
{
	size_t left = sa_nr_present(addr, n), was;
	int idle = 0;

	while (left && idle < 4) {
		/*
		 * drop_caches drains the batches of all CPUs, which may hold
		 * some of the pages. Other pages may still be under writeback,
		 * because packed data is written after a while.
		 */
		if (idle) {
			sa_write("/proc/sys/vm/drop_caches", "1");
			usleep(10000);
		}
		madvise(addr, n * SA_PAGE, MADV_PAGEOUT);
		was = left;
		left = sa_nr_present(addr, n);
		idle = left < was ? 0 : idle + 1;
	}
	return sa_nr_swapped(addr, n);
}

long long sa_smaps_field(const void *addr, const char *field)
{
	char line[512];
	unsigned long from, to;
	long long v = -ENOENT;
	size_t len = strlen(field);
	bool in = false;
	FILE *f;

	f = fopen("/proc/self/smaps", "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			in = (uintptr_t)addr >= from && (uintptr_t)addr < to;
		} else if (in && !strncmp(line, field, len) && line[len] == ':') {
			v = strtoll(line + len + 1, NULL, 10) * 1024;
			break;
		}
	}
	fclose(f);
	return v;
}

static sigjmp_buf bus_env;

static void on_bus(int sig)
{
	siglongjmp(bus_env, 1);
}

bool sa_raises_sigbus(const void *p)
{
	struct sigaction sa = { .sa_handler = on_bus }, old;
	static char seen;
	bool bus;

	sigaction(SIGBUS, &sa, &old);
	if (sigsetjmp(bus_env, 1)) {
		bus = true;
	} else {
		seen = __atomic_load_n((const char *)p, __ATOMIC_SEQ_CST);
		bus = false;
	}
	(void)seen;
	sigaction(SIGBUS, &old, NULL);
	return bus;
}
