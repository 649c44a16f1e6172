// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that a cgroup swaps out count for the limits of the cgroup: io.max,
 * io.cost and io.latency. test_blkcg.c tests which cgroup pays.
 *
 * The test fails on a kernel that lets a cgroup read and write beyond its share
 * or limit after its pages have been written, raw or packed; that lets other
 * cgroups wait for that cgroup; that lets the cgroup go on to fill memory that
 * has to be swapped out; or in which swapoff waits for the limit of the cgroup
 * whose data it reads, or of the cgroup that calls it.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "blkcg.h"

#define LIMIT_BPS	(SA_MIB / 4)
/* The speed of the device that the test gives to io.cost */
#define COST_BPS	SA_MIB
#define COST_IOPS	"rseqiops=1000000 rrandiops=1000000 wseqiops=1000000 wrandiops=1000000"
#define COST_QOS	"enable=1 ctrl=user rpct=0 rlat=12500 wpct=0 wlat=12500 min=100 max=100"
#define DEBUG_STATS	"/sys/module/blk_cgroup/parameters/blkcg_debug_stats"

FIXTURE(limits)
{
	char cg[2][256];
	char stats[8];
	bool cost;		/* has been switched on */
};

FIXTURE_VARIANT(limits)
{
	bool on;
	const char *format;
};

FIXTURE_VARIANT_ADD(limits, off) { .format = "raw" };

FIXTURE_VARIANT_ADD(limits, raw) { .on = true, .format = "raw" };

FIXTURE_VARIANT_ADD(limits, packed) { .on = true, .format = "packed" };

FIXTURE_SETUP(limits)
{
	const char *why = blkcg_begin(variant->on, variant->format, self->cg);

	/* With this setting io.stat shows debts and depths, too. */
	if (!why && (sa_read(DEBUG_STATS, self->stats, sizeof(self->stats)) < 0 ||
		     sa_write(DEBUG_STATS, "Y")))
		why = "no " DEBUG_STATS;
	if (why)
		SKIP(return, "%s", why);
}

/* Write a setting of a device to a file of a controller; return 0 or -errno */
static int write_dev_setting(const char *cg, const char *file, const char *dev, const char *what)
{
	char text[256];

	dev_number(dev, text, sizeof(text));
	snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", what);
	return sa_cg_write(cg, file, text);
}

FIXTURE_TEARDOWN_PARENT(limits)
{
	if (self->cost)
		write_dev_setting(sa_cg_root(), "io.cost.qos", sa_dev(0), "enable=0 ctrl=auto");
	EXPECT_EQ(0, blkcg_end());
	if (self->stats[0])
		sa_write(DEBUG_STATS, self->stats);
}

struct block {
	char path[256];
	bool write;
	double seconds;
};

/* Write a block to the same device, or read one, and measure the time */
static int time_one_block(void *arg)
{
	struct block *block = arg;
	double start = sa_now();
	int fd = open(block->path, block->write ? O_WRONLY | O_CREAT | O_DIRECT :
		      O_RDONLY | O_DIRECT, 0600);
	void *page = aligned_alloc(SA_PAGE, SA_PAGE);
	bool ok = fd >= 0 && page;

	if (ok && block->write)
		ok = pwrite(fd, page, SA_PAGE, 0) == SA_PAGE;
	else if (ok)
		ok = pread(fd, page, SA_PAGE, 0) == SA_PAGE;
	block->seconds = sa_now() - start;
	return !ok;
}

TEST_F_TIMEOUT(limits, io_max, SA_TIMEOUT)
{
	struct block *block = sa_map_shared();
	struct sa_holder a;
	char limit[64], file[256];
	const char *dir, *why;
	long long bytes;
	double began;

	ASSERT_NE(NULL, block);
	why = sa_mkfs(1, &dir);
	if (why)
		SKIP(return, "%s", why);
	snprintf(block->path, sizeof(block->path), "%s/block", dir);
	block->write = true;
	snprintf(file, sizeof(file), "%s/swapfile", dir);
	ASSERT_EQ(0, sa_make_fragmented(dir, file, 48 * SA_MIB_PAGES, 1));
	ASSERT_EQ(0, sa_swapon(file, 0, -1));
	if (variant->on)
		ASSERT_EQ(0, sa_set_format(file, variant->format));
	snprintf(limit, sizeof(limit), "wbps=%lu", LIMIT_BPS);
	if (write_dev_setting(self->cg[0], "io.max", sa_dev(1), limit))
		SKIP(return, "no io.max");

	/* The kernel writes the pages at once, and the cgroup is in debt. */
	began = sa_now();
	start_swapped_holder(_metadata, &a, 2 * SA_MIB_PAGES, self->cg[0]);
	/*
	 * The counter of the device may include initial writes of the
	 * filesystem.
	 */
	bytes = strcmp(variant->format, "packed") ? 2 * SA_MIB : sa_tier_num(file, "stats/written");
	EXPECT_LT(SA_MIB / 2, bytes);
	EXPECT_EQ(0, sa_run(self->cg[1], time_one_block, block, LIMIT));
	TH_LOG("%.2f s for the cgroup without a limit", block->seconds);
	EXPECT_GE((double)bytes / LIMIT_BPS / 2, block->seconds);
	EXPECT_EQ(0, sa_run(self->cg[0], time_one_block, block, LIMIT));
	TH_LOG("%.2f s for the cgroup with %lld bytes written, %lu a second", block->seconds, bytes,
	       LIMIT_BPS);
	EXPECT_LE((double)bytes / LIMIT_BPS * 0.8, sa_now() - began);
	check_and_end_holder(_metadata, &a);
}

/* A process that reads from a device all the time */
#define READERS		4
#define READ_SIZE	(64 * 1024)

struct reader {
	atomic_bool stop;
	atomic_long nr;
	double worst;		/* seconds for one read, of the first reader */
};

static int read_repeatedly(void *arg)
{
	struct reader *r = arg;
	void *buf = aligned_alloc(SA_PAGE, READ_SIZE);
	int fd = open(sa_dev(0), O_RDONLY | O_DIRECT);
	double began, took;

	while (fd >= 0 && buf && !r->stop) {
		began = sa_now();
		if (pread(fd, buf, READ_SIZE, r->nr % 64 * READ_SIZE) != READ_SIZE)
			return 1;
		took = sa_now() - began;
		if (took > r->worst)
			r->worst = took;
		r->nr++;
	}
	return fd < 0 || !buf;
}

static void start_readers(struct __test_metadata *_metadata, struct reader *r, pid_t *pid,
			  const char *cg)
{
	int i;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < READERS; i++)
		pid[i] = sa_start(cg, read_repeatedly, r);
	EXPECT_TRUE(sa_wait(r->nr > READERS, SOON));
	r->worst = 0;
}

static void stop_readers(struct __test_metadata *_metadata, struct reader *r, pid_t *pid)
{
	int i;

	r->stop = true;
	for (i = 0; i < READERS; i++)
		EXPECT_EQ(0, sa_join(pid[i], LIMIT));
}

/* Fill some new memory, and measure the time */
static int time_fill(void *arg)
{
	struct block *block = arg;
	double began = sa_now();
	struct sa_area area;

	if (sa_area_map(&area, 16, SA_TEXT, 3))
		return 2;
	sa_area_fill(&area);
	block->seconds = sa_now() - began;
	return 0;
}

/*
 * The written pages of a cgroup are its debt. The cgroup pays with its share of
 * the device's speed while another one uses the rest; on an idle device the
 * debt would be forgiven.
 */
TEST_F_TIMEOUT(limits, io_cost, SA_TIMEOUT)
{
	struct block *block = sa_map_shared();
	struct reader *r = sa_map_shared();
	double began, took, seconds, fill[2];
	long long bytes;
	pid_t pid[READERS];
	struct sa_holder a;
	char model[128], line[1024];
	int i, mib;

	ASSERT_NE(NULL, block);
	ASSERT_NE(NULL, r);
	/*
	 * In 7.3 a write to io.cost.qos takes rq_qos_mutex while the queue is
	 * frozen, and a write to io.max allocates memory under that mutex.
	 * Lockdep reports this and turns itself off.
	 */
	if (!access("/proc/lockdep", F_OK))
		SKIP(return, "lockdep would turn itself off");
	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, variant->on));
	self->cost = true;
	/* In this model only bytes cost time. */
	snprintf(model, sizeof(model), "ctrl=user model=linear rbps=%lu wbps=%lu %s", COST_BPS,
		 COST_BPS, COST_IOPS);
	/* The device keeps this speed at any latency. */
	if (write_dev_setting(sa_cg_root(), "io.cost.qos", sa_dev(0), COST_QOS) ||
	    write_dev_setting(sa_cg_root(), "io.cost.model", sa_dev(0), model))
		SKIP(return, "no io.cost for this device");
	ASSERT_EQ(0, sa_cg_write(self->cg[0], "io.weight", "100"));
	ASSERT_EQ(0, sa_cg_write(self->cg[1], "io.weight", "200"));
	strcpy(block->path, sa_dev(0));
	start_readers(_metadata, r, pid, self->cg[1]);

	bytes = sa_bytes_written(sa_dev(0));
	began = sa_now();
	mib = variant->on && !strcmp(variant->format, "packed") ? 4 : 2;
	start_swapped_holder(_metadata, &a, mib * SA_MIB_PAGES, self->cg[0]);
	bytes = sa_bytes_written(sa_dev(0)) - bytes;
	seconds = (double)bytes / COST_BPS;
	TH_LOG("%lld bytes in %.2f s: %.2f s of the device", bytes, sa_now() - began, seconds);
	/* The cgroup in debt runs first because it gets less. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, sa_run(self->cg[i], time_fill, block, LIMIT));
		fill[i] = block->seconds;
	}
	TH_LOG("16 new pages: %.3f s in debt, %.3f s without", fill[0], fill[1]);
	EXPECT_EQ(0, sa_run(self->cg[0], time_one_block, block, LIMIT));
	took = sa_now() - began;
	stop_readers(_metadata, r, pid);
	TH_LOG("%.2f s for the one in debt, %.2f since then; the others: %ld reads, %.2f s at most",
	       block->seconds, took, r->nr, r->worst);
	/* The kernel updates the counters at the end of a period. */
	sa_wait(io_stat_num(self->cg[0], sa_dev(0), " cost.usage=") >= seconds * 0.9e6, SOON);
	for (i = 0; i < 2; i++) {
		read_io_stat(self->cg[i], sa_dev(0), line, sizeof(line));
		TH_LOG("%s:%s", i ? "b" : "a", line);
	}
	/*
	 * The numbers are microseconds: the usage of the cgroup, and the time
	 * by which the usage was above its share.
	 */
	EXPECT_LE(seconds * 0.9e6, io_stat_num(self->cg[0], sa_dev(0), " cost.usage="));
	EXPECT_GE(seconds * 1.1e6, io_stat_num(self->cg[0], sa_dev(0), " cost.usage="));
	EXPECT_LE(seconds * 0.8e6, io_stat_num(self->cg[0], sa_dev(0), " cost.indebt="));
	EXPECT_EQ(0, io_stat_num(self->cg[1], sa_dev(0), " cost.indebt="));
	EXPECT_LE(seconds, took);
	EXPECT_GE(took / 2, r->worst);
	EXPECT_LE(seconds * 0.1, fill[0]);
	EXPECT_GE(fill[0] / 2, fill[1]);
	check_and_end_holder(_metadata, &a);
}

/*
 * A process that swaps out new pages, a few at a time, until the test stops it
 */
struct pusher {
	atomic_bool stop;
	atomic_long rounds;
};

static int swap_out_repeatedly(void *arg)
{
	struct pusher *p = arg;
	struct sa_area area;

	if (sa_area_map(&area, 64, SA_TEXT, 5))
		return 2;
	while (!p->stop) {
		area.gen++;
		sa_area_fill(&area);
		madvise(area.p, area.n * SA_PAGE, MADV_PAGEOUT);
		/*
		 * The pages are freed and not read, because reads are I/O of
		 * the cgroup anyway.
		 */
		madvise(area.p, area.n * SA_PAGE, MADV_DONTNEED);
		p->rounds++;
		usleep(20000);
	}
	return 0;
}

/* Return how many I/Os at a time the cgroup is allowed; -1 means any number */
static long long read_io_depth(const char *cg)
{
	char line[1024], *value;

	if (read_io_stat(cg, sa_dev(0), line, sizeof(line)))
		return -2;
	value = strstr(line, " depth=");
	if (!value)
		return -2;
	value += strlen(" depth=");
	return strncmp(value, "max", 3) ? atoll(value) : -1;
}

/*
 * The target of one cgroup is missed, so a cgroup without a target may have
 * fewer I/Os at a time, at last only one. Swap does not wait for I/O, so the
 * kernel must then delay the tasks of that cgroup. The kernel checks this at
 * the begin of an I/O of the cgroup, whose only I/O is its pages that are
 * swapped out.
 */
TEST_F_TIMEOUT(limits, io_latency, SA_TIMEOUT)
{
	struct pusher *p = sa_map_shared();
	struct reader *r = sa_map_shared();
	pid_t pid[READERS], pushes;
	char line[1024];
	double began;
	int i;

	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, r);
	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, variant->on));
	/* No device is so fast. */
	if (write_dev_setting(self->cg[1], "io.latency", sa_dev(0), "target=1"))
		SKIP(return, "no io.latency");
	pushes = sa_start(self->cg[0], swap_out_repeatedly, p);
	EXPECT_TRUE(sa_wait(p->rounds > 2, SOON));
	/* No target has been missed yet. */
	EXPECT_EQ(-1, read_io_depth(self->cg[0]));
	began = sa_now();
	start_readers(_metadata, r, pid, self->cg[1]);
	EXPECT_TRUE(sa_wait(read_io_depth(self->cg[0]) == 1, SOON));
	TH_LOG("one at a time after %.2f s", sa_now() - began);
	EXPECT_TRUE(sa_wait(io_stat_num(self->cg[0], sa_dev(0), " use_delay=") > 0, SOON));
	TH_LOG("delayed after %.2f s", sa_now() - began);
	for (i = 0; i < 2; i++) {
		read_io_stat(self->cg[i], sa_dev(0), line, sizeof(line));
		TH_LOG("%s:%s", i ? "b" : "a", line);
	}
	EXPECT_EQ(-1, read_io_depth(self->cg[1]));
	EXPECT_EQ(0, io_stat_num(self->cg[0], sa_dev(0), " rbytes="));
	stop_readers(_metadata, r, pid);
	p->stop = true;
	EXPECT_EQ(0, sa_join(pushes, LIMIT));
}

/* A process whose data swapoff takes from a device */
struct owner {
	size_t pages;
	atomic_size_t swapped;
	atomic_bool read;
};

static int read_in_any_order(void *arg)
{
	struct owner *o = arg;
	size_t *order = sa_shuffled_order(o->pages, 7), i, swapped;
	struct sa_area a;

	if (!order || mlock(order, o->pages * sizeof(*order)) ||
	    sa_area_map(&a, o->pages, SA_TEXT, 5))
		return 2;
	sa_area_fill(&a);
	swapped = sa_pageout(a.p, a.n);
	o->swapped = swapped + 1;
	while (!o->read)
		usleep(1000);
	for (i = 0; i < a.n; i++)
		if (sa_check_page(a.p + order[i] * SA_PAGE, a.pat, a.seed, order[i], a.gen))
			return 1;
	return 0;
}

/*
 * Return the seconds of swapoff while a cgroup reads its pages from that device
 * in random order
 */
static double time_swapoff_beside(struct __test_metadata *_metadata, const char *cg, size_t pages,
				  const char *limit, bool layer, const char *format)
{
	struct owner *o = sa_map_shared();
	double began, took;
	long long reads;
	pid_t pid;

	ASSERT_NE(NULL, o);
	ASSERT_EQ(0, swapon_dev_layer(0, format, layer));
	o->pages = pages;
	pid = sa_start(cg, read_in_any_order, o);
	EXPECT_TRUE(sa_wait(o->swapped, LIMIT));
	EXPECT_EQ(pages + 1, o->swapped);
	EXPECT_TRUE(sa_wait_writeback());
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(0, write_dev_setting(cg, "io.max", sa_dev(0), limit));
	reads = io_stat_num(cg, sa_dev(0), " rios=");
	o->read = true;
	usleep(100000);
	began = sa_now();
	EXPECT_EQ(0, sa_swapoff_child(sa_dev(0), LIMIT));
	took = sa_now() - began;
	EXPECT_EQ(0, sa_join(pid, LIMIT));
	TH_LOG("%s: %.2f s, and all was read after %.2f s with %lld reads", limit, took,
	       sa_now() - began, io_stat_num(cg, sa_dev(0), " rios=") - reads);
	return took;
}

/*
 * The reads of swapoff are not the I/O of the cgroup. Otherwise the faults of
 * the cgroup would wait until the reads are paid for, with their folios locked,
 * and swapoff would wait for these folios. Swapoff meets one or two faults that
 * wait for their own turn, for a second each.
 */
TEST_F_TIMEOUT(limits, swapoff_beside, SA_TIMEOUT)
{
	size_t pages = 16 * SA_MIB_PAGES;
	double with, without;

	ASSERT_EQ(0, sa_write(SA_PAGE_CLUSTER, "0"));
	if (write_dev_setting(self->cg[0], "io.max", sa_dev(0), "riops=max"))
		SKIP(return, "no io.max");
	without = time_swapoff_beside(_metadata, self->cg[0], pages, "riops=max", variant->on,
				      variant->format);
	with = time_swapoff_beside(_metadata, self->cg[0], pages, "riops=1", variant->on,
				   variant->format);
	/*
	 * Without the layer swapoff may meet more of these, because it reads
	 * page by page.
	 */
	EXPECT_GE(without + (variant->on ? 8 : 30), with);
}

static int swapoff_first_dev(void *arg)
{
	return -sa_swapoff(sa_dev(0));
}

/*
 * The reads of swapoff are not the I/O of the caller's cgroup. Without the
 * layer they are.
 */
TEST_F_TIMEOUT(limits, swapoff_within, SA_TIMEOUT)
{
	size_t pages = variant->on ? 16 * SA_MIB_PAGES : 4;
	struct sa_holder h;
	double began, took;

	ASSERT_EQ(0, swapon_dev_layer(0, variant->format, variant->on));
	start_swapped_holder(_metadata, &h, pages, self->cg[1]);
	if (write_dev_setting(self->cg[0], "io.max", sa_dev(0), "riops=1"))
		SKIP(return, "no io.max");
	began = sa_now();
	EXPECT_EQ(0, sa_run(self->cg[0], swapoff_first_dev, NULL, LIMIT));
	took = sa_now() - began;
	TH_LOG("%zu pages in %.2f s, %lld reads are its own", pages, took,
	       io_stat_num(self->cg[0], sa_dev(0), " rios="));
	if (variant->on) {
		/*
		 * A few I/Os may be for pages of the process. Swapoff would
		 * need at least one I/O for each 32 pages.
		 */
		EXPECT_GT(pages / 64, io_stat_num(self->cg[0], sa_dev(0), " rios="));
		EXPECT_GT(pages / 64, io_stat_num(self->cg[1], sa_dev(0), " rios="));
		EXPECT_GE(5, took);
	}
	check_and_end_holder(_metadata, &h);
}

TEST_HARNESS_MAIN
