// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays for I/O: io.stat and io.max of a cgroup whose pages go to a device.
 *
 * It fails on a kernel that has the root, or another cgroup, pay for what is written
 * packed, for what zswap writes back or for what a mover writes; that has a mover wait for
 * the limit of whose data it moves; that lets one
 * go on writing for which pages have been written beyond its limit; that has others wait
 * for that one; or that packs the pages of several cgroups less densely than those of one.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tiers.h"

#define LIMIT_BPS	(SA_MIB / 4)

#define MANY		8

FIXTURE(payer)
{
	char cg[2][256];
};

FIXTURE_VARIANT(payer)
{
	bool on;
	const char *format;
};

FIXTURE_VARIANT_ADD(payer, off) { .format = "raw" };

FIXTURE_VARIANT_ADD(payer, raw) { .on = true, .format = "raw" };

FIXTURE_VARIANT_ADD(payer, packed) { .on = true, .format = "packed" };

FIXTURE_SETUP(payer)
{
	const char *why = sa_begin(variant->on);
	char path[512];
	int i;

	if (!why && sa_ndevs() < 2)
		why = "needs two block devices";
	if (!why && sa_cg_write(sa_cg_root(), "cgroup.subtree_control", "+io"))
		why = "no io controller";
	if (!why && !strcmp(variant->format, "packed") && !sa_have_zswap())
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, sa_cg_make(i ? "b" : "a", 0, self->cg[i], sizeof(self->cg[i])));
	snprintf(path, sizeof(path), "%s/io.stat", self->cg[0]);
	if (access(path, F_OK))
		SKIP(return, "no io.stat");
}

FIXTURE_TEARDOWN_PARENT(payer)
{
	EXPECT_EQ(0, sa_end());
	sa_cg_write(sa_cg_root(), "cgroup.subtree_control", "-io");
}

static int on_as(int i, const char *format, bool layer)
{
	return layer ? on_in(i, format) : on(i);
}

/* "8:16" */
static void number_of(const char *dev, char *buf, size_t size)
{
	struct stat st;

	if (stat(dev, &st))
		st.st_rdev = 0;
	snprintf(buf, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
}

/* What a cgroup has read ("rbytes=") or written ("wbytes=") there */
static long long paid(const char *cg, const char *dev, const char *key)
{
	char text[4096], path[512], number[32], *line, *value;

	number_of(dev, number, sizeof(number));
	snprintf(path, sizeof(path), "%s/io.stat", cg);
	if (sa_read(path, text, sizeof(text)) < 0)
		return -1;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, number, strlen(number)) || line[strlen(number)] != ' ')
			continue;
		value = strstr(line, key);
		return value ? atoll(value + strlen(key)) : 0;
	}
	return 0;
}

static long long written(const char *dev)
{
	struct sa_io io = {};

	sa_io(dev, &io);
	return io.write_sectors * 512;
}

/* A process there, all of whose pages have left the swap cache */
static void hold(struct __test_metadata *_metadata, struct sa_holder *h, size_t pages,
		 const char *cg)
{
	ASSERT_EQ(0, sa_hold_start(h, pages, SA_TEXT, cg));
	EXPECT_TRUE(sa_settle());
	EXPECT_EQ(pages, h->swapped);
	/* What is there would not be read from the device. */
	EXPECT_TRUE(sa_only_swapped());
}

static void let_go(struct __test_metadata *_metadata, struct sa_holder *h)
{
	EXPECT_EQ(0, sa_hold_ask(h, 'c'));
	EXPECT_EQ(0, sa_hold_end(h));
}

/* What it was written for, but for some pages of others that went along. */
#define EXPECT_PAID(_bytes, _paid)					\
do {									\
	long long __bytes = (_bytes), __paid = (_paid);			\
									\
	EXPECT_GE(__bytes, __paid);					\
	EXPECT_LE(__bytes * 9 / 10, __paid);				\
} while (0)

TEST_F_TIMEOUT(payer, stores, SA_TIMEOUT)
{
	struct sa_holder a, b;
	long long first, second;

	ASSERT_EQ(0, on_as(0, variant->format, variant->on));
	first = written(sa_dev(0));
	hold(_metadata, &a, 4 * SA_MIB_PAGES, self->cg[0]);
	second = written(sa_dev(0));
	hold(_metadata, &b, 2 * SA_MIB_PAGES, self->cg[1]);
	EXPECT_PAID(second - first, paid(self->cg[0], sa_dev(0), "wbytes="));
	EXPECT_PAID(written(sa_dev(0)) - second, paid(self->cg[1], sa_dev(0), "wbytes="));
	let_go(_metadata, &a);
	let_go(_metadata, &b);
}

/* What a drain writes is the cgroup's I/O. What it reads is not, or its faults would wait. */
TEST_F_TIMEOUT(payer, moves, SA_TIMEOUT)
{
	struct sa_holder a, b;
	long long before, all;

	if (!variant->on)
		SKIP(return, "nothing moves without the layer");
	ASSERT_EQ(0, on_as(0, variant->format, true));
	hold(_metadata, &a, 4 * SA_MIB_PAGES, self->cg[0]);
	hold(_metadata, &b, 2 * SA_MIB_PAGES, self->cg[1]);
	ASSERT_EQ(0, on_as(1, variant->format, true));
	before = written(sa_dev(1));
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(sa_wait(!sa_tier_num(sa_dev(0), "stored"), 3 * SOON));
	EXPECT_TRUE(sa_settle());
	all = written(sa_dev(1)) - before;
	EXPECT_PAID(all * 2 / 3, paid(self->cg[0], sa_dev(1), "wbytes=") * 99 / 100);
	EXPECT_PAID(all / 3, paid(self->cg[1], sa_dev(1), "wbytes=") * 99 / 100);
	EXPECT_EQ(0, paid(self->cg[0], sa_dev(0), "rbytes="));
	EXPECT_EQ(0, paid(self->cg[1], sa_dev(0), "rbytes="));
	let_go(_metadata, &a);
	let_go(_metadata, &b);
}

/* Bytes that are written for a page when zswap's of these cgroups are, 16 at a time */
static double demoted(struct __test_metadata *_metadata, struct sa_holder *h, int nr,
		      size_t pages)
{
	long long before = written(sa_dev(0)), bytes = 0, step;
	int i;

	for (i = 0; i < nr; i++)
		EXPECT_EQ(pages, h[i].swapped);
	/* A few may be of others, and not go. */
	while (!sa_tier_write(NULL, "demote", "64K")) {
		step = sa_tier_num(NULL, "demote");
		bytes += step;
		if (!step)
			break;
	}
	EXPECT_LE(nr * pages * SA_PAGE, bytes);
	EXPECT_TRUE(sa_settle());
	return (double)(written(sa_dev(0)) - before) * SA_PAGE / bytes;
}

TEST_F_TIMEOUT(payer, interleaved, SA_TIMEOUT)
{
	size_t pages = 2 * SA_MIB_PAGES;
	struct sa_holder h[2];
	double alone, two;

	if (strcmp(variant->format, "packed"))
		SKIP(return, "only what is packed shares a write");
	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, on_as(0, variant->format, true));
	hold(_metadata, &h[0], 2 * pages, self->cg[0]);
	alone = demoted(_metadata, h, 1, 2 * pages);
	let_go(_metadata, &h[0]);

	hold(_metadata, &h[0], pages, self->cg[0]);
	hold(_metadata, &h[1], pages, self->cg[1]);
	two = demoted(_metadata, h, 2, pages);
	TH_LOG("%.0f bytes a page of one cgroup, %.0f of two", alone, two);
	EXPECT_GE(alone * 1.1, two);
	/* And each has paid: the first one for what it has had alone, too. */
	EXPECT_LT(pages * alone * 2.7, paid(self->cg[0], sa_dev(0), "wbytes="));
	EXPECT_LT(pages * alone * 0.9, paid(self->cg[1], sa_dev(0), "wbytes="));
	let_go(_metadata, &h[0]);
	let_go(_metadata, &h[1]);
}

/* More cgroups than can have a chunk each: what does not fit is the root's, and as dense. */
TEST_F_TIMEOUT(payer, many_interleaved, SA_TIMEOUT)
{
	size_t pages = SA_MIB_PAGES / 2;
	struct sa_holder h[MANY];
	char name[16], cg[256];
	double alone, many, began;
	long long before;
	int i;

	if (strcmp(variant->format, "packed"))
		SKIP(return, "only what is packed shares a write");
	ASSERT_EQ(0, sa_zswap(true));
	ASSERT_EQ(0, on_as(0, variant->format, true));
	hold(_metadata, &h[0], MANY * pages, self->cg[0]);
	alone = demoted(_metadata, h, 1, MANY * pages);
	let_go(_metadata, &h[0]);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dev(0), "stored"), SOON));

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many_%d", i);
		ASSERT_EQ(0, sa_cg_make(name, 0, cg, sizeof(cg)));
		hold(_metadata, &h[i], pages, cg);
	}
	many = demoted(_metadata, h, MANY, pages);
	TH_LOG("%.0f bytes a page of one cgroup, %.0f of %d", alone, many, MANY);
	EXPECT_GE(alone * 1.25, many);

	/* Nor does one of them wait while another one has a chunk that is not full. */
	ASSERT_EQ(0, on_as(1, variant->format, true));
	ASSERT_EQ(0, sa_zswap(false));
	before = written(sa_dev(1));
	began = sa_now();
	ASSERT_EQ(0, sa_tier_write(sa_dev(0), "state", "draining"));
	EXPECT_TRUE(sa_wait(!sa_tier_num(sa_dev(0), "stored"), 3 * SOON));
	TH_LOG("drained in %.2f s", sa_now() - began);
	EXPECT_TRUE(sa_settle());
	many = (double)(written(sa_dev(1)) - before) / (MANY * pages);
	TH_LOG("%.0f bytes a page are written for that", many);
	EXPECT_GE(alone * 1.25, many);
	for (i = 0; i < MANY; i++)
		let_go(_metadata, &h[i]);
}

struct block {
	char path[256];
	double seconds;
};

/* Write a block to the same device, and say how long it took. */
static int write_block(void *arg)
{
	struct block *block = arg;
	double start = sa_now();
	int fd = open(block->path, O_WRONLY | O_CREAT | O_DIRECT, 0600);
	void *page = aligned_alloc(SA_PAGE, SA_PAGE);
	bool ok = fd >= 0 && page && pwrite(fd, page, SA_PAGE, 0) == SA_PAGE;

	block->seconds = sa_now() - start;
	return !ok;
}

TEST_F_TIMEOUT(payer, limited, SA_TIMEOUT)
{
	struct block *block = sa_shared();
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
	snprintf(file, sizeof(file), "%s/swapfile", dir);
	ASSERT_EQ(0, sa_fragmented(dir, file, 48 * SA_MIB_PAGES, 1));
	ASSERT_EQ(0, sa_swapon(file, 0, -1));
	if (variant->on)
		ASSERT_EQ(0, sa_format(file, variant->format));
	number_of(sa_dev(1), limit, sizeof(limit));
	snprintf(limit + strlen(limit), sizeof(limit) - strlen(limit), " wbps=%lu", LIMIT_BPS);
	if (sa_cg_write(self->cg[0], "io.max", limit))
		SKIP(return, "no io.max");

	/* Its pages are written at once, and it is in debt. */
	bytes = written(sa_dev(1));
	began = sa_now();
	hold(_metadata, &a, 2 * SA_MIB_PAGES, self->cg[0]);
	bytes = written(sa_dev(1)) - bytes;
	EXPECT_EQ(0, sa_run(self->cg[1], write_block, block, LIMIT));
	TH_LOG("%.2f s for who has no limit", block->seconds);
	EXPECT_GE((double)bytes / LIMIT_BPS / 2, block->seconds);
	EXPECT_EQ(0, sa_run(self->cg[0], write_block, block, LIMIT));
	TH_LOG("%.2f s for who has had %lld bytes written, %lu a second", block->seconds, bytes,
	       LIMIT_BPS);
	EXPECT_LE((double)bytes / LIMIT_BPS * 0.8, sa_now() - began);
	let_go(_metadata, &a);
}

TEST_HARNESS_MAIN
