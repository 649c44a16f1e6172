/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests of devices that fail for a while share these helpers: they make
 * thin volumes, swap pages out to such a device, and check the device
 * afterwards.
 */
#ifndef SWAP_ABS_OUTAGE_H
#define SWAP_ABS_OUTAGE_H

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tiers.h"

/*
 * The size that a device reports, and the size of its storage during an outage
 */
#define PAGES		(16 * SA_MIB_PAGES)
#define HAS		(4 * SA_MIB_PAGES)

/*
 * The names of device mapper devices, and the place of their parts on the first
 * device
 */
#define THIN_META	"swap_abs_meta"
#define THIN_DATA	"swap_abs_data"
#define THIN_POOL	"swap_abs_pool"
#define THIN_BALLAST	"swap_abs_ballast"
#define THIN		"swap_abs_thin"
#define META_SECTORS	(4 * SA_MIB / 512)
#define SECTORS(_pages)	((_pages) * (SA_PAGE / 512))

enum how { LAYER_OFF, RAW, PACKED };

/* --- making devices ------------------------------------------------------- */

/*
 * Begin a test of such a device. @wanted is for sa_log_expect(). Return NULL,
 * or the reason why the test can't run.
 */
static inline const char *begin_outage_test(enum how how, const char *wanted)
{
	const char *why = sa_begin(how != LAYER_OFF, how == PACKED ? SA_NEED_ZSWAP : 0);

	/* Readahead is off so that each error is about one page. */
	if (!why && sa_write(SA_PAGE_CLUSTER, "0"))
		why = "no " SA_PAGE_CLUSTER;
	/*
	 * The test causes some of these lines on purpose; others appear when it
	 * makes or removes a device.
	 */
	sa_log_expect(wanted);
	return why;
}

/* Run a shell command and discard its output. Return its exit status. */
static inline int run_cmd(const char *fmt, ...)
{
	char command[512];
	va_list args;
	int null;
	pid_t pid;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	pid = sa_fork();
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		/*
		 * dmsetup makes the device nodes itself, because there may be
		 * no udev.
		 */
		setenv("DM_DISABLE_UDEV", "1", 1);
		execlp("sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	return sa_join(pid, 120);
}

/*
 * Limit the size of a request in kilobytes (0: no limit). Return 0 or -errno.
 */
static inline int limit_requests(const char *path, int kb)
{
	char name[128];

	snprintf(name, sizeof(name), "/sys/block/%s/queue/max_sectors_kb", sa_kernel_name(path));
	return sa_write_num(name, kb);
}

/*
 * Make the device for the metadata of a pool of @pages pages. Return NULL, or
 * the reason why the test can't have it.
 */
static inline const char *make_thin_metadata(size_t pages)
{
	char zeros[SA_PAGE] = { };
	int fd, ret;

	if (run_cmd("dmsetup targets | grep -q '^thin-pool '"))
		return "no dmsetup, or no thin pools";
	if (!sa_ndevs() || META_SECTORS + SECTORS(pages) > SECTORS(sa_dev_pages(0)))
		return "no block device for a thin pool";
	/* A new pool needs metadata whose first block is zero. */
	fd = open(sa_dev(0), O_RDWR | O_CLOEXEC);
	ret = fd < 0 || pwrite(fd, zeros, SA_PAGE, 0) != (ssize_t)SA_PAGE || fsync(fd);
	close(fd);
	if (ret || run_cmd("dmsetup create " THIN_META " --table '0 %zu linear %s 0'",
			   (size_t)META_SECTORS, sa_dev(0)))
		return "cannot write metadata";
	return NULL;
}

static inline int make_thin_volume(const char *name, int id)
{
	return run_cmd("dmsetup message " THIN_POOL " 0 'create_thin %d'", id) ||
	       run_cmd("dmsetup create %s --table '0 %zu thin /dev/mapper/" THIN_POOL " %d'", name,
		       SECTORS(PAGES), id);
}

/*
 * Write the path to @path that /proc/swaps shows for the volume, because that
 * file does not show links
 */
static inline bool read_thin_path(char *path, size_t size)
{
	char full[PATH_MAX];

	if (!realpath("/dev/mapper/" THIN, full))
		return false;
	snprintf(path, size, "%.63s", full);
	return true;
}

static inline void remove_thin(void)
{
	/*
	 * The command ignores names that do not exist, but it fails if a device
	 * stays.
	 */
	if (run_cmd("for n in %s %s %s %s %s; do dmsetup remove $n; done; dmsetup ls | grep -q %s",
		    THIN, THIN_BALLAST, THIN_POOL, THIN_DATA, THIN_META, "swap_abs_") != 1)
		sa_log("cannot remove " THIN);
}

/* --- data that is swapped ------------------------------------------------- */

/*
 * An area pair: half of the pages do not compress, so that a packed device
 * stores some pages raw
 */
struct data {
	struct sa_area random, text;
};

static inline void make_data(struct __test_metadata *_metadata, struct data *d, size_t n,
			     __u64 seed)
{
	make_area(_metadata, &d->random, n / 2, SA_RANDOM, seed);
	make_area(_metadata, &d->text, n / 2, SA_TEXT, seed + 1);
}

static inline void unmap_data(struct data *d)
{
	sa_area_unmap(&d->random);
	sa_area_unmap(&d->text);
}

/*
 * Push the pages out once. Pages that can't be written stay in the swap cache.
 */
static inline void swap_out_data(struct data *d)
{
	sa_pageout(d->random.p, d->random.n);
	sa_pageout(d->text.p, d->text.n);
	sa_wait_writeback();
}

/* Count the pages that are in RAM, either mapped or in the swap cache */
static inline size_t area_pages_in_ram(const struct sa_area *a)
{
	return a->n - sa_nr_swapped(a->p, a->n) + sa_nr_in_cache(a->p, a->n);
}

static inline size_t data_pages_in_ram(const struct data *d)
{
	return area_pages_in_ram(&d->random) + area_pages_in_ram(&d->text);
}

/* Push the pages out until all of them are on the device and nowhere else */
static inline bool wait_data_swapped_out(struct data *d)
{
	double end = sa_now() + SOON;
	size_t left;

	do {
		swap_out_data(d);
		sa_purge_cache();
		left = data_pages_in_ram(d);
	} while (left && sa_now() < end);
	if (left)
		sa_log("%zu pages stay in RAM", left);
	return !left;
}

/*
 * Reclaim from a cgroup until it has at most @bytes bytes, and make that its
 * limit
 */
static inline void shrink_cgroup(struct __test_metadata *_metadata, const char *cg, long long bytes)
{
	/*
	 * The test lowers memory.high first, and waits for the writes: a lower
	 * memory.max would let the OOM killer act while pages are under
	 * writeback, with or without the layer.
	 */
	EXPECT_TRUE(sa_wait(!sa_cg_write_num(cg, "memory.high", bytes) &&
			    sa_cg_num(cg, "memory.current") <= bytes &&
			    !sa_cg_key(cg, "memory.stat", "file_writeback"), SOON)) {
		TH_LOG("%lld bytes stay, %lld may", sa_cg_num(cg, "memory.current"), bytes);
	}
	EXPECT_EQ(0, sa_cg_write_num(cg, "memory.max", bytes));
	EXPECT_EQ(0, sa_cg_write(cg, "memory.high", "max"));
}

/* --- before and after ----------------------------------------------------- */

struct dev_state {
	long long free, killed;
	size_t size, used;
};

/*
 * Save the state of a device that is in use. A packed device hides its reserve
 * when it gets its first page, so this function stores some pages first.
 */
static inline void save_dev_state(struct __test_metadata *_metadata, const char *path, enum how how,
				  struct dev_state *b)
{
	struct sa_area first;

	if (how == PACKED) {
		make_swapped_area(_metadata, &first, 8, SA_TEXT, 99);
		sa_area_unmap(&first);
		EXPECT_TRUE(wait_stored(path, 0));
	}
	b->free = sa_meminfo("SwapFree");
	b->killed = sa_vmstat("oom_kill");
	ASSERT_TRUE(sa_swaps_read(path, &b->size, &b->used, NULL));
}

/*
 * Check that the layer has marked no slot of the device as bad, and that the
 * device is online
 */
static inline void expect_unmarked(struct __test_metadata *_metadata, const char *path,
				   enum how how)
{
	if (how == LAYER_OFF)
		return;
	EXPECT_EQ(0, sa_tier_num(path, "stats/bad"));
	EXPECT_STATE("online", path);
	EXPECT_EQ(0, sa_violations());
}

/*
 * Check that the device has its old size and usage, that none of its slots is
 * marked as bad, and that nobody was killed
 */
static inline void expect_dev_state(struct __test_metadata *_metadata, const char *path,
				    enum how how, const struct dev_state *b)
{
	size_t size = 0, used = 0;

	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == b->free, SOON)) {
		TH_LOG("%lld bytes are free, %lld were", sa_meminfo("SwapFree"), b->free);
	}
	EXPECT_TRUE(sa_wait_purged(sa_swaps_read(path, &size, &used, NULL) && used == b->used,
				   SOON)) {
		TH_LOG("%zu pages are in use, %zu were", used, b->used);
	}
	EXPECT_EQ(b->size, size);
	EXPECT_EQ(b->killed, sa_vmstat("oom_kill"));
	expect_unmarked(_metadata, path, how);
}

/* Fill all free swap. Return how many pages were swapped out. */
static inline size_t fill_all_swap(struct __test_metadata *_metadata, const struct dev_state *b)
{
	/*
	 * When no swap is free, reclaim does not look at the swap cache any
	 * more.
	 */
	const size_t last = 64;
	struct sa_area a;
	size_t n;

	make_area(_metadata, &a, b->free / SA_PAGE + last, SA_RANDOM, 77);
	sa_pageout(a.p, a.n - 2 * last);
	EXPECT_TRUE(sa_wait_writeback());
	EXPECT_TRUE(sa_wait_purged(!area_pages_in_ram(&(struct sa_area){
					.p = a.p, .n = a.n - 2 * last }), SOON));
	n = sa_pageout(a.p, a.n);
	EXPECT_TRUE(sa_wait_writeback());
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	return n;
}

#endif /* SWAP_ABS_OUTAGE_H */
