/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of devices that fail for a while share: thin volumes and loop devices, pages
 * to be swapped to them, and what such a device must be like afterwards.
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

/* What the device says it has, and what it has while it has not all */
#define PAGES		(16 * SA_MIB_PAGES)
#define HAS		(4 * SA_MIB_PAGES)

/* A device mapper's names, and where their parts are on the first device */
#define THIN_META	"swap_abs_meta"
#define THIN_DATA	"swap_abs_data"
#define THIN_POOL	"swap_abs_pool"
#define THIN_BALLAST	"swap_abs_ballast"
#define THIN		"swap_abs_thin"
#define META_SECTORS	(4 * SA_MIB / 512)
#define SECTORS(_pages)	((_pages) * (SA_PAGE / 512))

enum how { LAYER_OFF, RAW, PACKED };

/* --- making them ----------------------------------------------------------- */

/* What a test of such a device begins with; @wanted: for sa_log_expect(). NULL or why not */
static inline const char *begin_how(enum how how, const char *wanted)
{
	const char *why = sa_begin(how != LAYER_OFF, how == PACKED ? SA_NEED_ZSWAP : 0);

	/* An error is about one page. */
	if (!why && sa_write(SA_PAGE_CLUSTER, "0"))
		why = "no " SA_PAGE_CLUSTER;
	/* All of this is wanted, or comes of a device that is made and removed. */
	sa_log_expect(wanted);
	return why;
}

/* Run a shell's command, its output unseen. Returns its exit status. */
static inline int run(const char *fmt, ...)
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
		/* There may be no udev: then it makes the nodes itself. */
		setenv("DM_DISABLE_UDEV", "1", 1);
		execlp("sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	return sa_join(pid, 120);
}

/* Let one request have so many kilobytes, 0: as many as can be. Returns 0 or -errno. */
static inline int limit_requests(const char *path, int kb)
{
	char name[128];

	snprintf(name, sizeof(name), "/sys/block/%s/queue/max_sectors_kb", sa_kernel_name(path));
	return sa_write_num(name, kb);
}

/* Make what the metadata of a pool of so many pages is on. NULL or why not */
static inline const char *begin_thin(size_t pages)
{
	char zeros[SA_PAGE] = { };
	int fd, ret;

	if (run("dmsetup targets | grep -q '^thin-pool '"))
		return "no dmsetup, or no thin pools";
	if (!sa_ndevs() || META_SECTORS + SECTORS(pages) > SECTORS(sa_dev_pages(0)))
		return "no block device for a thin pool";
	/* A pool begins with metadata whose first block is zero. */
	fd = open(sa_dev(0), O_RDWR | O_CLOEXEC);
	ret = fd < 0 || pwrite(fd, zeros, SA_PAGE, 0) != (ssize_t)SA_PAGE || fsync(fd);
	close(fd);
	if (ret || run("dmsetup create " THIN_META " --table '0 %zu linear %s 0'",
		       (size_t)META_SECTORS, sa_dev(0)))
		return "cannot write metadata";
	return NULL;
}

static inline int make_volume(const char *name, int id)
{
	return run("dmsetup message " THIN_POOL " 0 'create_thin %d'", id) ||
		run("dmsetup create %s --table '0 %zu thin /dev/mapper/" THIN_POOL " %d'", name,
		    SECTORS(PAGES), id);
}

/* What /proc/swaps calls the volume, which does not know links */
static inline bool thin_path(char *path, size_t size)
{
	char full[PATH_MAX];

	if (!realpath("/dev/mapper/" THIN, full))
		return false;
	snprintf(path, size, "%.63s", full);
	return true;
}

static inline void remove_thin(void)
{
	/* What is not there is no error, what is there still is one. */
	if (run("for n in %s %s %s %s %s; do dmsetup remove $n; done; dmsetup ls | grep -q %s",
		THIN, THIN_BALLAST, THIN_POOL, THIN_DATA, THIN_META, "swap_abs_") != 1)
		sa_log("cannot remove " THIN);
}

/* --- what is swapped ------------------------------------------------------- */

/* Pages of which half do not compress, so that a packed device has some of them raw */
struct data {
	struct sa_area random, text;
};

static inline void make_data(struct __test_metadata *_metadata, struct data *d, size_t n,
			     __u64 seed)
{
	make(_metadata, &d->random, n / 2, SA_RANDOM, seed);
	make(_metadata, &d->text, n / 2, SA_TEXT, seed + 1);
}

static inline void unmap_data(struct data *d)
{
	sa_area_unmap(&d->random);
	sa_area_unmap(&d->text);
}

/* Push pages out, once. Those that can't be written are in the swap cache then. */
static inline void push_data(struct data *d)
{
	sa_pageout(d->random.p, d->random.n);
	sa_pageout(d->text.p, d->text.n);
	sa_settle();
}

/* Count the pages that are in RAM, in the swap cache or not. */
static inline size_t area_stays(const struct sa_area *a)
{
	return a->n - sa_swapped(a->p, a->n) + sa_in_cache(a->p, a->n);
}

static inline size_t stays(const struct data *d)
{
	return area_stays(&d->random) + area_stays(&d->text);
}

/* Does all of it come to be on the device and nowhere else? */
static inline bool goes_out(struct data *d)
{
	double end = sa_now() + SOON;
	size_t left;

	do {
		push_data(d);
		sa_purge();
		left = stays(d);
	} while (left && sa_now() < end);
	if (left)
		sa_log("%zu pages stay in RAM", left);
	return !left;
}

/* Bring a cgroup below so many bytes, which is its limit from then on. */
static inline void squeeze(struct __test_metadata *_metadata, const char *cg, long long bytes)
{
	/* Who lowers memory.max kills for what is being written still, with the layer or not. */
	EXPECT_TRUE(sa_wait(!sa_cg_write_num(cg, "memory.high", bytes) &&
			    sa_cg_num(cg, "memory.current") <= bytes, SOON)) {
		TH_LOG("%lld bytes stay, %lld may", sa_cg_num(cg, "memory.current"), bytes);
	}
	EXPECT_EQ(0, sa_cg_write_num(cg, "memory.max", bytes));
	EXPECT_EQ(0, sa_cg_write(cg, "memory.high", "max"));
}

/* --- before and after ------------------------------------------------------ */

struct before {
	long long free, killed;
	size_t size, used;
};

/*
 * Look at what a device has that is in use now. A packed one hides its reserve when the first
 * page comes, so one comes at once.
 */
static inline void remember(struct __test_metadata *_metadata, const char *path, enum how how,
			    struct before *b)
{
	struct sa_area first;

	if (how == PACKED) {
		put(_metadata, &first, 8, SA_TEXT, 99);
		sa_area_unmap(&first);
		EXPECT_TRUE(comes_to_hold(path, 0));
	}
	b->free = sa_meminfo("SwapFree");
	b->killed = sa_vmstat("oom_kill");
	ASSERT_TRUE(sa_swaps(path, &b->size, &b->used, NULL));
}

/* Check that the layer calls nothing of the device bad, and uses it. */
static inline void expect_unmarked(struct __test_metadata *_metadata, const char *path,
				   enum how how)
{
	if (how == LAYER_OFF)
		return;
	EXPECT_EQ(0, sa_tier_num(path, "stats/bad"));
	EXPECT_STATE("online", path);
	EXPECT_EQ(0, sa_violations());
}

/* Check that the device has what it had, nothing is called bad, and nobody was killed. */
static inline void as_before(struct __test_metadata *_metadata, const char *path, enum how how,
			     const struct before *b)
{
	size_t size = 0, used = 0;

	EXPECT_TRUE(sa_wait_purged(sa_meminfo("SwapFree") == b->free, SOON)) {
		TH_LOG("%lld bytes are free, %lld were", sa_meminfo("SwapFree"), b->free);
	}
	EXPECT_TRUE(sa_wait_purged(sa_swaps(path, &size, &used, NULL) && used == b->used,
				   SOON)) {
		TH_LOG("%zu pages are in use, %zu were", used, b->used);
	}
	EXPECT_EQ(b->size, size);
	EXPECT_EQ(b->killed, sa_vmstat("oom_kill"));
	expect_unmarked(_metadata, path, how);
}

/* Fill all that is free. Returns how many pages have gone there. */
static inline size_t fill_device(struct __test_metadata *_metadata, const struct before *b)
{
	/* Where nothing is free, nobody looks at the swap cache any more. */
	const size_t last = 64;
	struct sa_area a;
	size_t n;

	make(_metadata, &a, b->free / SA_PAGE + last, SA_RANDOM, 77);
	sa_pageout(a.p, a.n - 2 * last);
	EXPECT_TRUE(sa_settle());
	EXPECT_TRUE(sa_wait_purged(!area_stays(&(struct sa_area){
					.p = a.p, .n = a.n - 2 * last }), SOON));
	n = sa_pageout(a.p, a.n);
	EXPECT_TRUE(sa_settle());
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	return n;
}

#endif /* SWAP_ABS_OUTAGE_H */
