// SPDX-License-Identifier: GPL-2.0
/*
 * Swapped shared memory: these tests read and write memfd and tmpfs files
 * through mappings and system calls, and truncate and punch the files while
 * they are swapped.
 *
 * The test fails on a kernel that gives shmem no virtual slots, that loses the
 * pages of a file when nobody maps them, or that keeps the slots of a range
 * that is gone.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "backed.h"

#define PAGES	(2 * SA_MIB_PAGES)
#define LIMIT	(SA_TIMEOUT / 3)

/* The job of a child: it uses a file that belongs to its cgroup */
struct file_job {
	struct __test_metadata *_metadata;
	const char *cg;
	const char *path;	/* NULL: a memfd */
};

/*
 * Swap out most of the cgroup's shmem: by reclaim, which takes unmapped pages,
 * and through the test's mapping of the file, if there is one
 */
static bool swap_out_shmem(const char *cg, void *map, size_t pages)
{
	int i;

	for (i = 0; i < 20; i++) {
		/* The last touched pages may be in the batch of a CPU. */
		if (i)
			sa_write("/proc/sys/vm/drop_caches", "1");
		if (map)
			madvise(map, pages * SA_PAGE, MADV_PAGEOUT);
		sa_cg_reclaim(cg, pages * SA_PAGE);
		if (sa_cg_num(cg, "memory.swap.current") >=
		    (long long)(pages * SA_PAGE / 4 * 3))
			return true;
	}
	sa_log("only %lld bytes of %zu in swap; anon %lld active, %lld inactive, unevictable %lld",
	       sa_cg_num(cg, "memory.swap.current"), pages * SA_PAGE,
	       sa_cg_key(cg, "memory.stat", "active_anon"),
	       sa_cg_key(cg, "memory.stat", "inactive_anon"),
	       sa_cg_key(cg, "memory.stat", "unevictable"));
	return false;
}

static void fill_file(struct __test_metadata *_metadata, int fd, size_t pages)
{
	__u64 page[SA_PAGE / 8];
	size_t i;

	for (i = 0; i < pages; i++) {
		sa_fill_page(page, SA_TEXT, 8, i, 0);
		ASSERT_EQ(SA_PAGE, pwrite(fd, page, SA_PAGE, i * SA_PAGE));
	}
}

static void check_file(struct __test_metadata *_metadata, int fd, size_t pages, __u32 gen)
{
	__u64 page[SA_PAGE / 8];
	size_t i;

	for (i = 0; i < pages; i++) {
		ASSERT_EQ(SA_PAGE, pread(fd, page, SA_PAGE, i * SA_PAGE));
		ASSERT_EQ(0, sa_check_page(page, SA_TEXT, 8, i, gen));
	}
}

/* Write and read unmapped pages by system calls */
static void check_by_calls(struct __test_metadata *_metadata, const char *cg, int fd)
{
	fill_file(_metadata, fd, PAGES);
	ASSERT_TRUE(swap_out_shmem(cg, NULL, PAGES));
	check_file(_metadata, fd, PAGES, 0);
}

/*
 * Write parts of swapped pages; the kernel must read the rest of each page
 * first
 */
static unsigned char *check_partial_writes(struct __test_metadata *_metadata, const char *cg,
					   int fd)
{
	unsigned char part[100], want[SA_PAGE], *p;
	size_t i;

	ASSERT_TRUE(swap_out_shmem(cg, NULL, PAGES));
	memset(part, 'x', sizeof(part));
	for (i = 0; i < PAGES; i += 7)
		ASSERT_EQ(sizeof(part), pwrite(fd, part, sizeof(part), i * SA_PAGE + 1000));
	ASSERT_TRUE(swap_out_shmem(cg, NULL, PAGES));
	p = mmap(NULL, PAGES * SA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < PAGES; i++) {
		sa_fill_page(want, SA_TEXT, 8, i, 0);
		if (i % 7 == 0)
			memcpy(want + 1000, part, sizeof(part));
		ASSERT_EQ(0, memcmp(want, p + i * SA_PAGE, SA_PAGE)) {
			TH_LOG("page %zu", i);
		}
	}
	return p;
}

/* Write through the mapping and read by calls; then let a child do both */
static void check_by_mapping(struct __test_metadata *_metadata, const char *cg, int fd,
			     unsigned char *p)
{
	pid_t pid;
	size_t i;

	for (i = 0; i < PAGES; i++)
		sa_fill_page(p + i * SA_PAGE, SA_TEXT, 8, i, 1);
	ASSERT_TRUE(swap_out_shmem(cg, p, PAGES));
	check_file(_metadata, fd, PAGES / 2, 1);
	ASSERT_TRUE(swap_out_shmem(cg, p, PAGES));
	ASSERT_LE((long long)(PAGES * SA_PAGE / 2), sa_smaps_field(p, "Swap"));
	pid = sa_fork();
	if (!pid) {
		for (i = 0; i < PAGES; i += 3)
			ASSERT_EQ(0, sa_check_page(p + i * SA_PAGE, SA_TEXT, 8, i, 1));
		for (i = 0; i < PAGES; i++)
			sa_fill_page(p + i * SA_PAGE, SA_TEXT, 8, i, 2);
		_exit(0);
	}
	ASSERT_EQ(0, sa_join(pid, LIMIT));
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(0, sa_check_page(p + i * SA_PAGE, SA_TEXT, 8, i, 2));
}

/*
 * Punch a hole into the middle and shorten the file, which must free the slots
 * there
 */
static void check_truncation(struct __test_metadata *_metadata, const char *cg, int fd,
			     unsigned char *p)
{
	unsigned char want[SA_PAGE], *half = p + PAGES / 2 * SA_PAGE;
	long long swap;
	size_t i;

	ASSERT_TRUE(swap_out_shmem(cg, p, PAGES));
	swap = sa_cg_num(cg, "memory.swap.current");
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       100 * SA_PAGE, 100 * SA_PAGE));
	ASSERT_EQ(0, ftruncate(fd, PAGES / 2 * SA_PAGE + 10));
	ASSERT_GE(swap / 4 * 3, sa_cg_num(cg, "memory.swap.current"));
	for (i = 0; i < PAGES / 2; i++)
		ASSERT_EQ(0, sa_check_page(p + i * SA_PAGE, i < 100 || i >= 200 ? SA_TEXT : SA_ZERO,
					   8, i, 2));
	/*
	 * The last page keeps ten bytes of data, and zeros must follow these.
	 */
	sa_fill_page(want, SA_TEXT, 8, PAGES / 2, 2);
	ASSERT_EQ(0, memcmp(half, want, 10));
	for (i = 10; i < SA_PAGE; i++)
		ASSERT_EQ(0, half[i]);
}

static int check_file_in_cgroup(void *arg)
{
	struct file_job *j = arg;
	struct __test_metadata *_metadata = j->_metadata;
	unsigned char *p;
	int fd;

	fd = j->path ? open(j->path, O_RDWR | O_CREAT | O_TRUNC, 0600) :
		memfd_create("swap_abs", 0);
	ASSERT_LE(0, fd);
	check_by_calls(_metadata, j->cg, fd);
	p = check_partial_writes(_metadata, j->cg, fd);
	check_by_mapping(_metadata, j->cg, fd, p);
	check_truncation(_metadata, j->cg, fd, p);
	/* The file goes away while some of it is swapped. */
	madvise(p, PAGES / 2 * SA_PAGE, MADV_PAGEOUT);
	close(fd);
	return 0;
}

static void run_file(struct __test_metadata *_metadata, const char *path,
		     long long swap_used)
{
	struct file_job j = { ._metadata = _metadata, .path = path };
	char cg[256];

	ASSERT_EQ(0, sa_cg_make("shmem", 0, cg, sizeof(cg)));
	j.cg = cg;
	EXPECT_EQ(0, sa_run(cg, check_file_in_cgroup, &j, LIMIT));
	if (path)
		EXPECT_EQ(0, unlink(path));
	/* The slots must go with the file, although nobody maps its pages. */
	EXPECT_TRUE(sa_wait_purged(!sa_cg_num(cg, "memory.swap.current"), 10)) {
		TH_LOG("%lld bytes are still swapped",
		       sa_cg_num(cg, "memory.swap.current"));
	}
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_TRUE(sa_wait_purged(sa_swap_used() == swap_used, 10));
}

TEST_F_TIMEOUT(backed, memfd, SA_TIMEOUT)
{
	run_file(_metadata, NULL, self->swap_used);
}

TEST_F_TIMEOUT(backed, tmpfs, SA_TIMEOUT)
{
	struct statfs st;

	if (statfs("/dev/shm", &st) || st.f_type != TMPFS_MAGIC)
		SKIP(return, "no tmpfs on /dev/shm");
	run_file(_metadata, "/dev/shm/swap_abs_test", self->swap_used);
}

/*
 * Anonymous shared memory is swapped through one mapping and seen by two
 * processes
 */
TEST_F_TIMEOUT(backed, shared_anon, SA_TIMEOUT)
{
	unsigned char *p;
	pid_t pid;
	size_t i;

	p = mmap(NULL, PAGES * SA_PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < PAGES; i++)
		sa_fill_page(p + i * SA_PAGE, SA_MIXED, 9, i, 0);
	madvise(p, PAGES * SA_PAGE, MADV_PAGEOUT);
	/* Pages that do not compress may have no tier. */
	EXPECT_LE((long long)(PAGES / 4 * 3 * SA_PAGE), sa_smaps_field(p, "Swap"));
	pid = sa_fork();
	if (!pid) {
		for (i = 0; i < PAGES; i++)
			ASSERT_EQ(0, sa_check_page(p + i * SA_PAGE, SA_MIXED, 9, i, 0));
		for (i = 0; i < PAGES; i += 2)
			sa_fill_page(p + i * SA_PAGE, SA_MIXED, 9, i, 1);
		madvise(p, PAGES * SA_PAGE, MADV_PAGEOUT);
		_exit(0);
	}
	EXPECT_EQ(0, sa_join(pid, LIMIT));
	madvise(p, PAGES * SA_PAGE, MADV_PAGEOUT);
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(0, sa_check_page(p + i * SA_PAGE, SA_MIXED, 9, i, !(i & 1)));
	munmap(p, PAGES * SA_PAGE);
	EXPECT_TRUE(sa_wait_purged(sa_swap_used() == self->swap_used, 10));
}

TEST_HARNESS_MAIN
