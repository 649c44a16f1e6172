// SPDX-License-Identifier: GPL-2.0
/*
 * Large folios of each size that the machine has go out as a unit, come back,
 * and are shared and partly unmapped; with the layer they also go out where
 * free slots lie scattered.
 *
 * The test fails on a kernel that splits a folio which it could write whole,
 * that puts a subpage in another one's place (taking the position from
 * folio->swap), whose free of a part frees the rest, or that keeps all of a
 * folio in RAM because some of its pages have no place to go.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backed.h"

#define THP	"/sys/kernel/mm/transparent_hugepage"
#define LIMIT	(SA_TIMEOUT / 3)
#define MAX_SIZES	16

static int sizes[MAX_SIZES];		/* kB, ascending */
static char saved[MAX_SIZES][16];

static void size_path(int kb, const char *file, char *path, size_t len)
{
	snprintf(path, len, THP "/hugepages-%dkB/%s", kb, file);
}

static long long thp_stat(int kb, const char *name)
{
	char path[256], file[64];

	snprintf(file, sizeof(file), "stats/%s", name);
	size_path(kb, file, path, sizeof(path));
	return sa_read_num(path);
}

static int find_sizes(void)
{
	DIR *dir = opendir(THP);
	struct dirent *d;
	int n = 0, i, kb;

	while (dir && (d = readdir(dir)) && n < MAX_SIZES) {
		char path[256];

		if (sscanf(d->d_name, "hugepages-%dkB", &kb) != 1)
			continue;
		size_path(kb, "enabled", path, sizeof(path));
		if (access(path, W_OK))
			continue;
		for (i = n++; i && sizes[i - 1] > kb; i--)
			sizes[i] = sizes[i - 1];
		sizes[i] = kb;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Save the choice, which is the word in brackets */
static void save_choice(const char *path, char *word, size_t len)
{
	char text[256], *from, *to;

	if (sa_read(path, text, sizeof(text)) < 0)
		return;
	from = strchr(text, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return;
	*to = 0;
	snprintf(word, len, "%.15s", from + 1);
}

static void save_sizes(int n)
{
	char path[256];
	int i;

	for (i = 0; i < n; i++) {
		size_path(sizes[i], "enabled", path, sizeof(path));
		save_choice(path, saved[i], sizeof(saved[i]));
	}
}

static int choose_size(int n, int kb)
{
	char path[256];
	int i, ret = 0;

	for (i = 0; i < n; i++) {
		size_path(sizes[i], "enabled", path, sizeof(path));
		ret |= sa_write(path, sizes[i] == kb ? "always" : "never");
	}
	return ret;
}

static void restore_sizes(int n)
{
	char path[256];
	int i;

	for (i = 0; i < n; i++) {
		size_path(sizes[i], "enabled", path, sizeof(path));
		if (saved[i][0])
			sa_write(path, saved[i]);
	}
}

/* Map an area of large folios; return -ENOMEM if the kernel gave none */
static int map_large(struct sa_area *a, size_t pages, int kb, enum sa_pat pat)
{
	long long before = thp_stat(kb, "anon_fault_alloc");
	int ret;

	ret = sa_area_map(a, pages, pat, kb);
	if (ret)
		return ret;
	madvise(a->p, pages * SA_PAGE, MADV_HUGEPAGE);
	sa_area_fill(a);
	if (thp_stat(kb, "anon_fault_alloc") - before <
	    (long long)(pages * 4 / kb / 2))
		return -ENOMEM;
	return 0;
}

/* Return how many large folios of that size have gone out whole so far */
static long long count_swapped_whole(int kb)
{
	return thp_stat(kb, "swpout") + thp_stat(kb, "zswpout");
}

static void check_one_size(struct __test_metadata *_metadata, int kb, bool zswap,
			   long long swap_used)
{
	size_t n = (sa_is_full() ? 32 : 1) * SA_MIB_PAGES, per = kb / 4, i;
	long long whole = count_swapped_whole(kb), fallback;
	struct sa_area a;
	pid_t pid;

	if (n < 2 * per)
		n = 2 * per;
	if (map_large(&a, n, kb, SA_TEXT)) {
		sa_log("%d kB: the kernel gave no such folios", kb);
		return;
	}
	fallback = thp_stat(kb, "swpout_fallback");
	ASSERT_LE(n - 8, sa_pageout(a.p, n));
	whole = count_swapped_whole(kb) - whole;
	fallback = thp_stat(kb, "swpout_fallback") - fallback;
	TH_LOG("%d kB: %lld of %zu folios went out whole, %lld did not", kb, whole,
	       n / per, fallback);
	EXPECT_LE((long long)(n / per / 4 * 3), whole);
	EXPECT_EQ(0, fallback);

	/*
	 * A child reads first: it reads some of the pages backwards, and writes
	 * there.
	 */
	pid = sa_fork();
	if (!pid) {
		size_t bad = 0;

		for (i = n; i >= 3; i -= 3)
			bad += !!sa_check_page(a.p + (i - 1) * SA_PAGE, a.pat, a.seed,
					       i - 1, 0);
		for (i = 0; i < n; i += 5)
			sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 5);
		sa_pageout(a.p, n);
		for (i = 0; i < n; i++)
			bad += !!sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i,
					       i % 5 ? 0 : 5);
		_exit(!!bad);
	}
	EXPECT_EQ(0, sa_join(pid, LIMIT));
	EXPECT_EQ(0, sa_area_check(&a));

	/* A part of each folio is freed while it is swapped. */
	for (i = 0; i < n; i++)
		sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 6);
	ASSERT_LE(n - 8, sa_pageout(a.p, n));
	for (i = 0; i + per <= n; i += 2 * per) {
		ASSERT_EQ(0, munmap(a.p + (i + per / 4) * SA_PAGE,
				    per / 2 * SA_PAGE));
	}
	for (i = 0; i < n; i++) {
		size_t in = i % (2 * per);

		if (in >= per / 4 && in < per / 4 + per / 2)
			continue;
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 6));
	}
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(sa_swap_used() == swap_used, 10));
	if (zswap)
		EXPECT_TRUE(sa_wait_purged(!sa_zswapped(), 10));
}

TEST_F_TIMEOUT(backed, sizes, SA_TIMEOUT)
{
	int n = find_sizes(), i;

	if (!n)
		SKIP(return, "no transparent huge pages");
	save_sizes(n);
	for (i = 0; i < n; i++) {
		if (choose_size(n, sizes[i]))
			sa_log("cannot choose %d kB", sizes[i]);
		else
			check_one_size(_metadata, sizes[i], variant->zswap,
				       self->swap_used);
	}
	restore_sizes(n);
}

/*
 * A folio has subpages of all kinds: some zero, and some that do not compress
 */
TEST_F_TIMEOUT(backed, mixed_contents, SA_TIMEOUT)
{
	size_t n = 2 * SA_MIB_PAGES;
	int nr = find_sizes(), i;
	struct sa_area a;

	if (!nr)
		SKIP(return, "no transparent huge pages");
	save_sizes(nr);
	for (i = 0; i < nr; i++) {
		if (choose_size(nr, sizes[i]) ||
		    map_large(&a, n, sizes[i], SA_MIXED))
			continue;
		sa_pageout(a.p, n);
		EXPECT_EQ(0, sa_area_check(&a));
		a.gen = 1;
		sa_area_fill(&a);
		sa_pageout(a.p, n);
		EXPECT_EQ(0, sa_area_check(&a));
		sa_area_unmap(&a);
	}
	restore_sizes(nr);
	EXPECT_TRUE(sa_wait_purged(sa_swap_used() == self->swap_used, 10));
}

/*
 * Check that a folio goes out with zswap alone although some of its subpages do
 * not compress and have no place to go. Of 2 MiB of such memory, most must be
 * swapped.
 */
static void check_some_stay(struct __test_metadata *_metadata, int nr, int kb)
{
	size_t n = 2 * SA_MIB_PAGES;
	struct sa_area a;

	if (choose_size(nr, kb) || map_large(&a, n, kb, SA_MIXED)) {
		sa_log("%d kB: the kernel gave no such folios", kb);
		return;
	}
	EXPECT_LE(n / 4 * 3, sa_pageout(a.p, n));
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
}

static void check_some_stay_shared(struct __test_metadata *_metadata, int kb)
{
	size_t n = 2 * SA_MIB_PAGES, i;
	char path[256], was[16] = "";
	long long large, want = n / 4 * 3 * SA_PAGE;
	unsigned char *room, *p;

	size_path(kb, "shmem_enabled", path, sizeof(path));
	save_choice(path, was, sizeof(was));
	if (sa_write(path, "always")) {
		sa_log("%d kB: shared memory does not support this size", kb);
		return;
	}
	room = mmap(NULL, 4 * SA_MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	p = (unsigned char *)(((uintptr_t)room + 2 * SA_MIB - 1) & -(2 * SA_MIB));
	ASSERT_EQ(p, mmap(p, 2 * SA_MIB, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	large = thp_stat(kb, "shmem_alloc");
	for (i = 0; i < n; i++)
		sa_fill_page(p + i * SA_PAGE, SA_MIXED, kb, i, 0);
	large = thp_stat(kb, "shmem_alloc") - large;
	if (large < (long long)(n * 4 / kb / 2)) {
		sa_log("%d kB: the kernel gave no such folios of shared memory", kb);
	} else {
		for (i = 0; i < 5 && sa_smaps_field(p, "Swap") < want; i++) {
			if (i)
				sa_write("/proc/sys/vm/drop_caches", "1");
			madvise(p, n * SA_PAGE, MADV_PAGEOUT);
		}
		EXPECT_LE(want, sa_smaps_field(p, "Swap"));
	}
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, sa_check_page(p + i * SA_PAGE, SA_MIXED, kb, i, 0));
	munmap(room, 4 * SA_MIB);
	if (was[0])
		sa_write(path, was);
}

TEST_F_TIMEOUT(backed, some_stay, SA_TIMEOUT)
{
	int nr = find_sizes(), i;

	if (!nr)
		SKIP(return, "no transparent huge pages");
	save_sizes(nr);
	for (i = 0; i < nr; i++) {
		check_some_stay(_metadata, nr, sizes[i]);
		check_some_stay_shared(_metadata, sizes[i]);
	}
	restore_sizes(nr);
	EXPECT_TRUE(sa_wait_purged(sa_swap_used() == self->swap_used, 10));
}

/*
 * Every second slot of the device is taken. With the layer a large folio must
 * still go out whole, with its data in many places; without the layer it must
 * be split
 */
TEST_F_TIMEOUT(backed, scattered, SA_TIMEOUT)
{
	size_t dev = 12 * SA_MIB_PAGES, n = SA_MIB_PAGES, i, out;
	int nr = find_sizes(), kb = 64;
	long long whole, fallback;
	struct sa_area a, b;

	if (!nr)
		SKIP(return, "no transparent huge pages");
	if (variant->zswap)
		SKIP(return, "only devices have slots");
	ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
	ASSERT_EQ(0, sa_swapon(sa_dev(0), dev, -1));
	save_sizes(nr);
	ASSERT_EQ(0, choose_size(nr, kb));
	ASSERT_EQ(0, sa_area_map(&a, dev, SA_RANDOM, 1));
	sa_area_fill(&a);
	out = sa_pageout(a.p, dev);
	EXPECT_LT(0, out);
	EXPECT_EQ(0, sa_meminfo("SwapFree"));
	for (i = 0; i < dev; i += 2)
		madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	ASSERT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") >=
			    (long long)(2 * n * SA_PAGE), 10));

	if (map_large(&b, n, kb, SA_RANDOM)) {
		restore_sizes(nr);
		SKIP(return, "the kernel gave no folios of 64 kB");
	}
	whole = count_swapped_whole(kb);
	fallback = thp_stat(kb, "swpout_fallback");
	ASSERT_LE(n - 16, sa_pageout(b.p, n));
	whole = count_swapped_whole(kb) - whole;
	fallback = thp_stat(kb, "swpout_fallback") - fallback;
	TH_LOG("%lld of %zu folios went out whole, %lld did not", whole, n / 16,
	       fallback);
	if (variant->on) {
		EXPECT_LE((long long)(n / 16 / 4 * 3), whole);
		EXPECT_EQ(0, fallback);
	}
	EXPECT_EQ(0, sa_area_check(&b));
	for (i = 1; i < dev; i += 2)
		ASSERT_EQ(0, sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0));
	restore_sizes(nr);
}

TEST_HARNESS_MAIN
