// SPDX-License-Identifier: GPL-2.0
/*
 * Packed devices return other bytes than were written, or fail, or are so slow
 * that data dies on its way to them while its place is needed for other data.
 *
 * The test fails on a kernel that believes wrong bytes; that lets one bad
 * object take others with it (in a load, a collection or a move); that collects
 * nothing more after a bad object, or keeps its segment for ever; that calls a
 * page lost which can be read later; that frees data which has not been
 * written; that does not give the clusters of failed writes back, or reports
 * fewer or more of these than there are; that takes an object for the one that
 * was in its place before; or that lets reclaim wait for collection longer than
 * a tenth of a second at a time, or kswapd at all.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define LIMIT		(SA_TIMEOUT / 3)
#define PAGES		(2 * SA_MIB_PAGES)
#define DEV_PAGES	(32 * sa_cluster_slots())

/* The header of an object on the device, see mm/swap_abs/format.h */
struct header {
	__u32 slot, seq;
	__u16 length;
	__u8 codec, version;
	__u32 crc;
};

struct object {
	bool found;
	__u64 at;		/* of the header, in bytes */
	size_t size;		/* including the header */
};

static long long nr_errors(const char *dev)
{
	return sa_tier_num(dev, "stats/errors");
}

static const char *begin_packed_test(void)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (!why && sa_write(SA_PAGE_CLUSTER, "0"))
		why = "cannot switch readahead off";
	return why;
}

/* Read or write blocks past all caches. */
static int rw_blocks(const char *dev, __u64 at, void *buf, size_t n, bool out)
{
	int fd = open(dev, (out ? O_WRONLY : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = out ? pwrite(fd, buf, n, at) : pread(fd, buf, n, at);
	close(fd);
	return ret == (ssize_t)n ? 0 : ret < 0 ? -errno : -EIO;
}

static int wipe_pages(const char *dev, size_t pages)
{
	void *buf = aligned_alloc(SA_PAGE, SA_MIB);
	size_t i;
	int ret = buf ? 0 : -ENOMEM;

	if (buf)
		memset(buf, 0, SA_MIB);
	for (i = 0; !ret && i < pages / SA_MIB_PAGES; i++)
		ret = rw_blocks(dev, i * SA_MIB, buf, SA_MIB, true);
	free(buf);
	return ret;
}

/* Wipe the device, so that no data of an earlier test is taken for an object */
static int wipe_device(const char *dev)
{
	return wipe_pages(dev, DEV_PAGES);
}

/*
 * Find the place of each page of an area on the device. Return how many were
 * found, or -errno.
 */
static long find_objects(const char *dev, const struct sa_area *a, struct object *objects)
{
	const size_t size = DEV_PAGES * SA_PAGE;
	__u64 *slots = calloc(a->n, sizeof(*slots));
	unsigned char *buf = aligned_alloc(SA_PAGE, size);
	size_t pos, i;
	long found = 0;

	if (!slots || !buf)
		return -ENOMEM;
	memset(objects, 0, a->n * sizeof(*objects));
	if (sa_pagemap(a->p, a->n, slots))
		return -EIO;
	for (pos = 0; pos < size; pos += SA_MIB)
		if (rw_blocks(dev, pos, buf + pos, SA_MIB, false))
			return -EIO;
	for (pos = SA_PAGE; pos + sizeof(struct header) <= size; pos += 16) {
		const struct header *h = (void *)(buf + pos);

		if (h->version != 1 || !h->length || h->codec > 3)
			continue;
		for (i = 0; i < a->n; i++)
			if ((slots[i] & SA_PM_ENTRY) >> 5 == h->slot)
				break;
		if (i == a->n || objects[i].found)
			continue;
		objects[i] = (struct object){
			.found = true, .at = pos, .size = sizeof(*h) + h->length,
		};
		found++;
		/* The next object begins there. */
		pos += (sizeof(*h) + h->length - 1) / 16 * 16;
	}
	free(slots);
	free(buf);
	return found;
}

/* Tell whether an object changes when this block is replaced by other bytes */
static bool object_is_hit(const struct object *o, __u64 block, const unsigned char *old,
			  const unsigned char *new)
{
	__u64 from = o->at < block ? block : o->at;
	__u64 to = o->at + o->size;

	if (to > block + SA_PAGE)
		to = block + SA_PAGE;
	return from < to && memcmp(old + (from - block), new + (from - block), to - from);
}

enum how { ALL_BITS, ONE_BIT, SLOT, LENGTH, MISPLACED, ZEROED, NOT_WRITTEN };

static void damage_block(enum how how, unsigned char *block, const struct object *o, __u64 at,
			 const unsigned char *other)
{
	struct header *h = (void *)(block + (o->at - at));
	size_t i;

	switch (how) {
	case ALL_BITS:
		for (i = 0; i < SA_PAGE; i++)
			block[i] ^= 0xff;
		break;
	case ONE_BIT:
		block[o->at - at + sizeof(*h) + 5] ^= 4;
		break;
	case SLOT:
		h->slot++;
		break;
	case LENGTH:
		h->length = 65535;
		break;
	case NOT_WRITTEN:
		/*
		 * Only the number that changes each time the segment is reused
		 * is wrong.
		 */
		h->seq--;
		break;
	case MISPLACED:
		memcpy(block, other, SA_PAGE);
		break;
	case ZEROED:
		memset(block, 0, SA_PAGE);
	}
}

/*
 * Choose a victim about the middle whose header and first bytes are in one
 * block
 */
static size_t choose_victim(const struct object *objects, size_t n)
{
	size_t i;

	for (i = n / 2; i < n; i++)
		if (objects[i].at % SA_PAGE && objects[i].at % SA_PAGE < SA_PAGE - 256)
			return i;
	return 0;
}

/* Choose the block of one object, and mark all objects that are partly in it */
static size_t choose_block(const struct object *objects, bool *hit, size_t *hits)
{
	size_t block = objects[choose_victim(objects, PAGES)].at / SA_PAGE, i;

	*hits = 0;
	for (i = 0; i < PAGES; i++) {
		hit[i] = objects[i].at / SA_PAGE <= block &&
			(objects[i].at + objects[i].size - 1) / SA_PAGE >= block;
		*hits += hit[i];
	}
	return block;
}

FIXTURE(corrupt)
{
	struct object objects[PAGES];
	bool hit[PAGES];
	struct sa_area a;
	unsigned char *old, *new;
	__u64 block;
	size_t hits;
};

FIXTURE_VARIANT(corrupt)
{
	enum how how;
	bool ahead;		/* a read covers several pages */
};

FIXTURE_VARIANT_ADD(corrupt, all_bits) { .how = ALL_BITS };

FIXTURE_VARIANT_ADD(corrupt, one_bit) { .how = ONE_BIT };

FIXTURE_VARIANT_ADD(corrupt, all_bits_ahead) { .how = ALL_BITS, .ahead = true };

FIXTURE_VARIANT_ADD(corrupt, one_bit_ahead) { .how = ONE_BIT, .ahead = true };

FIXTURE_VARIANT_ADD(corrupt, slot) { .how = SLOT };

FIXTURE_VARIANT_ADD(corrupt, length) { .how = LENGTH };

FIXTURE_VARIANT_ADD(corrupt, misplaced) { .how = MISPLACED };

FIXTURE_VARIANT_ADD(corrupt, zeroed) { .how = ZEROED };

FIXTURE_VARIANT_ADD(corrupt, not_written) { .how = NOT_WRITTEN };

/*
 * Store pages on the device, and change one block of it behind the kernel's
 * back
 */
FIXTURE_SETUP(corrupt)
{
	const char *why = begin_packed_test();
	unsigned char *other;
	size_t i, victim;

	/*
	 * The test can't write to a device in use, but it can write to the
	 * device below.
	 */
	if (!why)
		why = sa_dm_make(DEV_PAGES);
	if (why)
		SKIP(return, "%s", why);
	if (variant->ahead)
		ASSERT_EQ(0, sa_write(SA_PAGE_CLUSTER, "3"));
	ASSERT_EQ(0, wipe_device(sa_dm()));
	ASSERT_EQ(0, sa_swapon_packed(sa_dm(), 0, 1));
	ASSERT_EQ(0, sa_area_map(&self->a, PAGES, SA_TEXT, 101));
	sa_area_fill(&self->a);
	ASSERT_EQ(PAGES, sa_pageout(self->a.p, PAGES));
	ASSERT_TRUE(sa_wait_writeback());
	ASSERT_TRUE(sa_only_swapped());
	ASSERT_EQ(PAGES, find_objects(sa_dm(), &self->a, self->objects));

	victim = choose_victim(self->objects, PAGES);
	ASSERT_LT(0, victim);
	self->block = self->objects[victim].at & ~(SA_PAGE - 1);
	self->old = aligned_alloc(SA_PAGE, SA_PAGE);
	self->new = aligned_alloc(SA_PAGE, SA_PAGE);
	other = aligned_alloc(SA_PAGE, SA_PAGE);
	ASSERT_NE(NULL, self->old);
	ASSERT_NE(NULL, self->new);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, rw_blocks(sa_dm(), self->block, self->old, SA_PAGE, false));
	ASSERT_EQ(0, rw_blocks(sa_dm(), self->block + 2 * SA_PAGE, other, SA_PAGE, false));
	memcpy(self->new, self->old, SA_PAGE);
	damage_block(variant->how, self->new, &self->objects[victim], self->block, other);
	self->hits = 0;
	for (i = 0; i < PAGES; i++) {
		self->hit[i] = object_is_hit(&self->objects[i], self->block, self->old, self->new);
		self->hits += self->hit[i];
	}
	ASSERT_TRUE(self->hit[victim]);
	if (variant->how >= ONE_BIT && variant->how <= LENGTH)
		ASSERT_EQ(1, self->hits);
	ASSERT_EQ(0, rw_blocks(sa_dev(0), self->block, self->new, SA_PAGE, true));
	/* User Mode Linux also logs signals that are caught. */
	sa_log_expect("swap: a page can.t be read from|swap: a page is lost|segfault at");
}

FIXTURE_TEARDOWN_PARENT(corrupt)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

/*
 * Check each page that is not gone: its bytes must be right, or SIGBUS must
 * come if the page was hit
 */
static void check_kept_pages(struct __test_metadata *_metadata, const struct sa_area *a,
			     const bool *hit, const bool *gone)
{
	size_t i, wrong = 0;
	bool bus;

	for (i = 0; i < a->n && wrong < 4; i++) {
		if (gone && gone[i])
			continue;
		bus = sa_raises_sigbus(a->p + i * SA_PAGE);
		if (bus != hit[i]) {
			sa_log("page %zu: %s", i, bus ? "can't be read" :
			       "was read, though it can't be right");
			wrong++;
		} else if (!bus) {
			wrong += !!sa_check_page(a->p + i * SA_PAGE, a->pat, a->seed, i, a->gen);
		}
	}
	EXPECT_EQ(0, wrong);
}

static void check_all_pages(struct __test_metadata *_metadata, const struct sa_area *a,
			    const bool *hit)
{
	check_kept_pages(_metadata, a, hit, NULL);
}

/* Free nearly all pages, except those that are hit and some others */
static void free_most_pages(struct sa_area *a, const bool *hit, bool *gone)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		gone[i] = !hit[i] && i % 32;
		if (gone[i])
			madvise(a->p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED);
	}
}

TEST_F_TIMEOUT(corrupt, loads, SA_TIMEOUT)
{
	bool log = variant->how == ALL_BITS && !variant->ahead;
	long long before = nr_errors(sa_dm());
	char *text = malloc(65536), line[128];
	size_t i;
	int fd;

	/*
	 * The kernel logs at most ten lines in 5 s, so the test waits to get
	 * all of its lines.
	 */
	if (log)
		usleep(5100000);
	fd = sa_log_open();
	ASSERT_NE(NULL, text);
	ASSERT_LE(0, fd);
	check_all_pages(_metadata, &self->a, self->hit);
	TH_LOG("%zu pages hit, %lld errors", self->hits, nr_errors(sa_dm()) - before);
	EXPECT_LE(self->hits, nr_errors(sa_dm()) - before);
	EXPECT_GE(self->hits * 4, nr_errors(sa_dm()) - before);
	EXPECT_EQ(0, sa_scan_num("lost"));
	/* The log tells the place of each lost page. */
	ASSERT_EQ(0, sa_log_close(fd, text, 65536));
	for (i = 0; log && i < PAGES; i++) {
		if (!self->hit[i])
			continue;
		snprintf(line, sizeof(line), "can't be read from %s, byte %llu: wrong checksum",
			 sa_kernel_name(sa_dm()), (unsigned long long)self->objects[i].at);
		EXPECT_NE(NULL, strstr(text, line)) {
			TH_LOG("the log has no line: %s", line);
		}
	}
	free(text);

	/*
	 * Only the device was wrong: when it is right again, the pages can be
	 * read.
	 */
	ASSERT_EQ(0, rw_blocks(sa_dev(0), self->block, self->old, SA_PAGE, true));
	for (i = 0; i < PAGES; i++)
		if (self->hit[i])
			EXPECT_TRUE(sa_wait_purged(!sa_raises_sigbus(self->a.p + i * SA_PAGE), 20));
	EXPECT_EQ(0, sa_area_check(&self->a));
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
}

TEST_F_TIMEOUT(corrupt, swapoff, SA_TIMEOUT)
{
	/*
	 * swapoff moves to RAM, which needs a folio, or to zswap, by a mover of
	 * the variant.
	 */
	if (variant->how & 1)
		sa_set_zswap(true);
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(self->hits, sa_scan_num("lost"));
	check_all_pages(_metadata, &self->a, self->hit);
	sa_area_unmap(&self->a);
	EXPECT_TRUE(sa_wait_purged(!sa_scan_num("lost"), 10));
}

/*
 * Objects move unchanged to another packed device, where their fault is found
 */
TEST_F_TIMEOUT(corrupt, moved, SA_TIMEOUT)
{
	const char *why = sa_check_needs(SA_NEED_DEVS);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(1), DEV_PAGES, 0));
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(1, sa_nswaps());
	EXPECT_EQ(self->hits, sa_scan_num("lost"));
	EXPECT_EQ((PAGES - self->hits) * SA_PAGE, sa_tier_num(sa_dev(1), "stored"));
	check_all_pages(_metadata, &self->a, self->hit);
	ASSERT_EQ(0, sa_swapoff_child(sa_dev(1), LIMIT));
	check_all_pages(_metadata, &self->a, self->hit);
}

/*
 * Collection meets the bad object: most pages change until the test has written
 * the device over and over, and the pages in the bad block stay
 */
TEST_F_TIMEOUT(corrupt, collected, SA_TIMEOUT)
{
	size_t n = DEV_PAGES, i, rounds = 0, bad = 0;
	double end = sa_now() + LIMIT;
	struct sa_io first, now;
	struct sa_area b;
	__u32 *gens;
	__u64 rnd = 3;

	if (variant->how != ALL_BITS && variant->how != MISPLACED && !sa_is_full())
		SKIP(return, "only in full mode");
	ASSERT_EQ(0, sa_io_read(sa_dm(), &first));
	gens = calloc(n, sizeof(*gens));
	ASSERT_NE(NULL, gens);
	ASSERT_EQ(0, sa_area_map(&b, n, SA_TEXT, 102));
	sa_area_fill(&b);
	EXPECT_EQ(n, sa_pageout(b.p, n));
	do {
		for (i = 0; i < 512; i++) {
			size_t k = sa_rand(&rnd) % n;
			void *p = b.p + k * SA_PAGE;

			bad += !!sa_check_page(p, b.pat, b.seed, k, gens[k]);
			gens[k]++;
			sa_fill_page(p, b.pat, b.seed, k, gens[k]);
		}
		sa_pageout(b.p, n);
		ASSERT_EQ(0, sa_io_read(sa_dm(), &now));
		rounds++;
	} while (!bad && sa_now() < end &&
		 now.write_sectors - first.write_sectors < (long long)DEV_PAGES * 8 * 2);
	TH_LOG("%zu rounds, %.2f times the device written", rounds,
	       (now.write_sectors - first.write_sectors) / 8.0 / DEV_PAGES);
	EXPECT_GT(end, sa_now());
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, sa_violations());
	check_all_pages(_metadata, &self->a, self->hit);
	for (i = 0; i < n && !bad; i++)
		bad += !!sa_check_page(b.p + i * SA_PAGE, b.pat, b.seed, i, gens[i]);
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(self->hits, sa_scan_num("lost"));
}

/* A process that replaces random pages on a device that it nearly fills */
struct churn {
	const char *dev;
	long long live, sectors;	/* live bytes, and sectors to write */
	double seconds;			/* time limit */
};

enum { CHURN_OK, CHURN_WRONG, CHURN_SETUP, CHURN_LATE, CHURN_KEPT };

static int run_churn(void *arg)
{
	struct churn *c = arg;
	double end = sa_now() + c->seconds;
	struct sa_io first, now;
	struct sa_set set;
	struct sa_area a;

	if (sa_io_read(c->dev, &first) || sa_area_map(&a, 4 * DEV_PAGES, SA_TEXT, 111) ||
	    !sa_area_fill_until(&a, c->dev, "stats/live_bytes", c->live) ||
	    sa_set_make(&set, &a))
		return CHURN_SETUP;
	do {
		sa_set_rewrite(&set, 256);
		if (sa_now() > end || sa_io_read(c->dev, &now))
			return CHURN_LATE;
	} while (!set.bad && now.write_sectors - first.write_sectors < c->sectors);
	sa_log("%zu pages, %.2f times the device written, some refused in %zu rounds", a.n,
	       (now.write_sectors - first.write_sectors) / 8.0 / DEV_PAGES, set.refused);
	if (set.bad || sa_set_check(&set))
		return CHURN_WRONG;
	return set.missed ? CHURN_KEPT : CHURN_OK;
}

/*
 * A segment has only a few pages and an object that can't be right, so it is
 * always the best victim, and there is room only if the other segments are
 * collected. The process that stores has little memory, and is killed if its
 * pages can't go out.
 */
TEST_F_TIMEOUT(corrupt, nearly_full, SA_TIMEOUT)
{
	struct churn c = {
		.dev = sa_dm(), .live = DEV_PAGES * SA_PAGE / 10 * 7,
		.sectors = DEV_PAGES * 8 * 2, .seconds = LIMIT,
	};
	bool gone[PAGES];
	char cg[256];

	if (variant->how != ALL_BITS && variant->how != MISPLACED && !sa_is_full())
		SKIP(return, "only in full mode");
	free_most_pages(&self->a, self->hit, gone);
	/* A child's reference would keep the lost pages. */
	ASSERT_EQ(0, madvise(self->a.p, PAGES * SA_PAGE, MADV_DONTFORK));
	ASSERT_EQ(0, sa_cg_make("churn", 16 * SA_MIB, cg, sizeof(cg)));
	EXPECT_EQ(CHURN_OK, sa_run(cg, run_churn, &c, LIMIT + 30));
	EXPECT_EQ(0, sa_cg_key(cg, "memory.events", "oom_kill"));
	TH_LOG("%lld segments collected, %lld times refused",
	       sa_tier_num(sa_dm(), "stats/collected"), sa_tier_num(sa_dm(), "stats/refused"));
	/*
	 * Each segment has been filled twice, and hardly any has died by
	 * itself.
	 */
	EXPECT_LE(DEV_PAGES / sa_cluster_slots(), sa_tier_num(sa_dm(), "stats/collected"));
	EXPECT_EQ(0, sa_cg_destroy(cg));
	EXPECT_EQ(0, sa_violations());
	check_kept_pages(_metadata, &self->a, self->hit, gone);

	/*
	 * When the device is right again, so are the pages, because no read has
	 * taken them for something else.
	 */
	ASSERT_EQ(0, rw_blocks(sa_dev(0), self->block, self->old, SA_PAGE, true));
	memset(self->hit, 0, sizeof(self->hit));
	EXPECT_TRUE(sa_only_swapped());
	check_kept_pages(_metadata, &self->a, self->hit, gone);
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
}

/* --- devices that fail ---------------------------------------------------- */

FIXTURE(fails)
{
	long long free;
};

FIXTURE_SETUP(fails)
{
	const char *why = begin_packed_test();

	if (!why)
		why = sa_dm_make(DEV_PAGES * 2);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, wipe_device(sa_dm()));
	ASSERT_EQ(0, sa_swapon_packed(sa_dm(), 0, 3));
	self->free = sa_meminfo("SwapFree");
	/* In this device all errors look the same. */
	ASSERT_EQ(0, sa_write(SA_DEBUG "/medium_errors", "Y"));
	sa_log_expect("write.error on|swap: a page |segfault at");
}

FIXTURE_TEARDOWN_PARENT(fails)
{
	EXPECT_EQ(0, sa_end());
	sa_log_expect(NULL);
}

TEST_F_TIMEOUT(fails, writes, SA_TIMEOUT)
{
	size_t n = PAGES, failed = 0;
	struct sa_area a;

	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 103));
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	for (a.gen = 1; a.gen <= 2; a.gen++) {
		sa_area_fill(&a);
		EXPECT_EQ(n, sa_pageout(a.p, n));
		failed += n;
		EXPECT_TRUE(sa_wait(nr_errors(sa_dm()) >= (long long)failed, 20));
		ASSERT_TRUE(sa_wait_writeback());
		EXPECT_EQ(0, sa_violations());
		EXPECT_EQ(0, sa_area_check(&a));
	}
	a.gen = 2;
	/* The failed clusters are not used again. */
	EXPECT_GT(self->free, sa_meminfo("SwapFree"));
	TH_LOG("%lld errors for %zu pages, %lld bytes of %lld are free still",
	       nr_errors(sa_dm()), failed, sa_meminfo("SwapFree"), self->free);

	/* When the device works again, all pages go out. */
	ASSERT_EQ(0, sa_dm_set(NULL));
	EXPECT_EQ(n, sa_pageout(a.p, n));
	EXPECT_TRUE(sa_only_swapped());
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(sa_dm(), "stored"));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(n, sa_pageout(a.p, n));

	/* swapoff forgets the bad clusters. */
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_area_check(&a));
	ASSERT_EQ(0, sa_swapon_packed(sa_dm(), 0, 3));
	EXPECT_EQ(self->free, sa_meminfo("SwapFree"));
	EXPECT_EQ(0, nr_errors(sa_dm()));
	EXPECT_EQ(n, sa_pageout(a.p, n));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, nr_errors(sa_dm()));
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
}

/* zswap's writeback fails, and its pages stay there or are moved later */
TEST_F_TIMEOUT(fails, moves, SA_TIMEOUT)
{
	long long moved, stay;
	size_t n = PAGES;
	struct sa_area a;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 104));
	sa_area_fill(&a);
	EXPECT_EQ(n, sa_pageout(a.p, n));
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	ASSERT_EQ(0, sa_zswap_kick());
	EXPECT_TRUE(sa_wait(nr_errors(sa_dm()), 20));
	moved = sa_tier_num(sa_dm(), "stats/moved_in");
	stay = sa_tier_num(NULL, "stored");
	/*
	 * Pages stay pinned only for a moment, because each failed chunk takes
	 * a cluster.
	 */
	ASSERT_EQ(0, sa_dm_set(NULL));
	EXPECT_EQ(0, moved);
	EXPECT_EQ(n * SA_PAGE, stay);
	EXPECT_TRUE(sa_wait(!sa_scan_num("pinned"), 20));
	TH_LOG("%lld errors", nr_errors(sa_dm()));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_zswap_drain(60));
	EXPECT_TRUE(sa_wait(sa_tier_num(sa_dm(), "stats/moved_in") == (long long)n, 20));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_area_check(&a));
}

TEST_F_TIMEOUT(fails, reads, SA_TIMEOUT)
{
	unsigned char *faults = calloc(DEV_PAGES * 2, 1);
	struct object *objects = calloc(PAGES, sizeof(*objects));
	bool *hit = calloc(PAGES, sizeof(*hit));
	size_t i, block, hits;
	struct sa_area a;

	ASSERT_NE(NULL, faults);
	ASSERT_NE(NULL, objects);
	ASSERT_NE(NULL, hit);
	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 105));
	sa_area_fill(&a);
	ASSERT_EQ(PAGES, sa_pageout(a.p, PAGES));
	ASSERT_TRUE(sa_wait_writeback());
	ASSERT_TRUE(sa_only_swapped());
	ASSERT_EQ(PAGES, find_objects(sa_dm(), &a, objects));
	block = choose_block(objects, hit, &hits);
	faults[block] = SA_FAILS;
	ASSERT_EQ(0, sa_dm_set(faults));
	check_all_pages(_metadata, &a, hit);
	EXPECT_LE(hits, nr_errors(sa_dm()));
	/*
	 * swapoff would call a page lost that can't be read; the device works
	 * again before that.
	 */
	ASSERT_EQ(0, sa_dm_set(NULL));
	for (i = 0; i < PAGES; i++)
		if (hit[i])
			EXPECT_TRUE(sa_wait_purged(!sa_raises_sigbus(a.p + i * SA_PAGE), 20));
	TH_LOG("%zu pages in the block, %lld errors", hits, nr_errors(sa_dm()));
	EXPECT_EQ(0, sa_area_check(&a));
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_area_check(&a));
}

/*
 * Collection meets a block that can't be read, again and again, because its
 * segment is the emptiest of all
 */
TEST_F_TIMEOUT(fails, collected, SA_TIMEOUT)
{
	/*
	 * The arrays are static and so locked, so that they are not swapped
	 * themselves.
	 */
	static unsigned char faults[64 * SA_CLUSTER];
	static struct object objects[PAGES];
	size_t n = 2 * DEV_PAGES, block, hits;
	bool hit[PAGES], gone[PAGES];
	double end = sa_now() + LIMIT;
	struct sa_io first, now;
	struct sa_area a, b;
	long long errors;
	char state[64];
	struct sa_set set;

	ASSERT_GE(sizeof(faults), n);
	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 112));
	sa_area_fill(&a);
	ASSERT_EQ(PAGES, sa_pageout(a.p, PAGES));
	ASSERT_TRUE(sa_wait_writeback());
	ASSERT_TRUE(sa_only_swapped());
	ASSERT_EQ(PAGES, find_objects(sa_dm(), &a, objects));
	block = choose_block(objects, hit, &hits);
	free_most_pages(&a, hit, gone);
	ASSERT_EQ(0, sa_area_map(&b, 4 * n, SA_TEXT, 113));
	ASSERT_LT(0, sa_area_fill_until(&b, sa_dm(), "stats/live_bytes", n * SA_PAGE / 10 * 6));
	ASSERT_EQ(0, sa_set_make(&set, &b));
	ASSERT_EQ(0, sa_tier_num(sa_dm(), "stats/collected"));
	faults[block] = SA_FAILS;
	ASSERT_EQ(0, sa_dm_set(faults));

	ASSERT_EQ(0, sa_io_read(sa_dm(), &first));
	do {
		sa_set_rewrite(&set, 512);
		ASSERT_EQ(0, sa_io_read(sa_dm(), &now));
	} while (!set.bad && sa_now() < end &&
		 now.write_sectors - first.write_sectors < (long long)n * 8 * 2);
	errors = nr_errors(sa_dm());
	TH_LOG("%.2f times the device written, some refused in %zu rounds",
	       (now.write_sectors - first.write_sectors) / 8.0 / n, set.refused);
	TH_LOG("%lld segments collected, %zu pages in the block, %lld errors",
	       sa_tier_num(sa_dm(), "stats/collected"), hits, errors);
	EXPECT_GT(end, sa_now());
	EXPECT_EQ(0, set.bad);
	EXPECT_EQ(0, set.missed);
	EXPECT_LE(n / sa_cluster_slots(), sa_tier_num(sa_dm(), "stats/collected"));
	/* Only collection has read these blocks. */
	EXPECT_LT(0, errors);
	ASSERT_EQ(0, sa_tier_str(sa_dm(), "state", state, sizeof(state)));
	EXPECT_STREQ("online", state);
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_set_check(&set));
	check_kept_pages(_metadata, &a, hit, gone);

	/*
	 * Nothing is lost: neither the pages, nor the segment when the pages
	 * are gone.
	 */
	ASSERT_EQ(0, sa_dm_set(NULL));
	memset(hit, 0, sizeof(hit));
	EXPECT_TRUE(sa_only_swapped());
	check_kept_pages(_metadata, &a, hit, gone);
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stats/bad"));
	sa_area_unmap(&a);
	sa_area_unmap(&b);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dm(), "used"), 20));
	EXPECT_EQ(sa_meminfo("SwapTotal"), sa_meminfo("SwapFree"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
}

/* stats/bad must be the capacity that is missing */
TEST_F_TIMEOUT(fails, counted_bad, SA_TIMEOUT)
{
	long long bad, missing;
	struct sa_area a;

	ASSERT_EQ(0, sa_area_map(&a, PAGES, SA_TEXT, 114));
	sa_area_fill(&a);
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stats/bad"));
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_FAILS));
	EXPECT_EQ(PAGES, sa_pageout(a.p, PAGES));
	EXPECT_TRUE(sa_wait(nr_errors(sa_dm()) >= (long long)PAGES, 20));
	ASSERT_TRUE(sa_wait_writeback());
	ASSERT_EQ(0, sa_dm_set(NULL));
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dm(), "stats/segments"), 20));
	bad = sa_tier_num(sa_dm(), "stats/bad");
	missing = sa_meminfo("SwapTotal") - sa_meminfo("SwapFree");
	TH_LOG("%lld segments are bad, %lld bytes missing", bad, missing);
	EXPECT_LT(0, bad);
	EXPECT_EQ(bad * (long long)(sa_cluster_slots() * SA_PAGE), missing);
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stored"));
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stats/live_bytes"));
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stats/dead_bytes"));
	ASSERT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	ASSERT_EQ(0, sa_swapon_packed(sa_dm(), 0, 3));
	EXPECT_EQ(0, sa_tier_num(sa_dm(), "stats/bad"));
	EXPECT_EQ(sa_meminfo("SwapTotal"), sa_meminfo("SwapFree"));
	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
}

/* --- slots that are used again -------------------------------------------- */

/*
 * The device disappears: pages elsewhere stay, reads of pages on it are I/O
 * errors, and swapoff ends
 */
TEST_F_TIMEOUT(fails, disappears, SA_TIMEOUT)
{
	bool *hit = malloc(PAGES * sizeof(*hit));
	struct sa_area on, in;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_NE(NULL, hit);
	ASSERT_EQ(0, sa_set_zswap(false));
	ASSERT_EQ(0, sa_area_map(&on, PAGES, SA_TEXT, 107));
	sa_area_fill(&on);
	EXPECT_EQ(PAGES, sa_pageout(on.p, PAGES));
	ASSERT_TRUE(sa_wait_writeback());
	ASSERT_TRUE(sa_only_swapped());
	ASSERT_EQ(0, sa_set_zswap(true));
	ASSERT_EQ(0, sa_area_map(&in, PAGES, SA_TEXT, 108));
	sa_area_fill(&in);
	EXPECT_EQ(PAGES, sa_pageout(in.p, PAGES));

	ASSERT_EQ(0, sa_dm_set_all(SA_FAILS));
	ASSERT_EQ(0, sa_zswap_kick());
	EXPECT_TRUE(sa_wait(nr_errors(sa_dm()), 20));
	EXPECT_TRUE(sa_wait(!sa_scan_num("pinned"), 20));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&in));
	/* The next pages come straight from reclaim. */
	ASSERT_EQ(0, sa_set_zswap(false));
	in.gen = 1;
	sa_area_fill(&in);
	sa_pageout(in.p, PAGES);
	ASSERT_TRUE(sa_wait_writeback());
	EXPECT_EQ(0, sa_area_check(&in));
	memset(hit, true, PAGES);
	check_all_pages(_metadata, &on, hit);

	EXPECT_EQ(0, sa_swapoff_child(sa_dm(), LIMIT));
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(0, sa_area_check(&in));
	check_all_pages(_metadata, &on, hit);
	EXPECT_EQ(0, sa_violations());
	sa_area_unmap(&on);
	EXPECT_EQ(0, sa_scan_num("lost"));
	free(hit);
}

FIXTURE(full)
{
};

FIXTURE_SETUP(full)
{
	const char *why = begin_packed_test();

	if (!why)
		why = sa_check_needs(SA_NEED_DEVS);
	if (!why && sa_set_zswap(true))
		why = "no zswap";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(0), 17 * sa_cluster_slots(), 3));
}

FIXTURE_TEARDOWN_PARENT(full)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * More data moves than there is room for: the rest must stay in zswap, for
 * another device
 */
TEST_F_TIMEOUT(full, in_a_batch, SA_TIMEOUT)
{
	size_t n = 56 * sa_cluster_slots();
	long long moved, stay;
	struct sa_area a;

	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 109));
	sa_area_fill(&a);
	ASSERT_EQ(n, sa_pageout(a.p, n));
	EXPECT_EQ(n * SA_PAGE, sa_tier_num(NULL, "stored"));
	/* The drain reports that zswap did not get empty. */
	EXPECT_NE(0, sa_zswap_drain(5));
	EXPECT_TRUE(sa_wait(!sa_scan_num("pinned"), 20));
	ASSERT_TRUE(sa_wait_writeback());
	/*
	 * Data that is being collected is there twice, and the page that
	 * started zswap's writeback may still have its slot.
	 */
	sa_wait_purged(({
		moved = sa_tier_num(sa_dev(0), "stored") / SA_PAGE;
		stay = sa_tier_num(NULL, "stored") / SA_PAGE;
		(long long)n == moved + stay;
	}), 5);
	TH_LOG("%lld pages moved, %lld stay, %lld of %lld bytes of the device used", moved,
	       stay, sa_tier_num(sa_dev(0), "used"), sa_tier_num(sa_dev(0), "capacity"));
	EXPECT_EQ(n, moved + stay);
	EXPECT_LT(14 * sa_cluster_slots(), moved);
	EXPECT_LT(0, stay);
	EXPECT_EQ(0, nr_errors(sa_dev(0)));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));

	EXPECT_EQ(n, sa_pageout(a.p, n));
	ASSERT_EQ(0, sa_swapon_packed(sa_dev(1), 0, 1));
	EXPECT_EQ(0, sa_zswap_drain(LIMIT));
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, sa_area_check(&a));
}

/* --- the time of waits ---------------------------------------------------- */

/*
 * On a slow device that is nearly full, pages die one by one while others come.
 * Reclaim has to wait for collection, and may wait at most a tenth of a second
 * each time.
 */
#define SLOW		"sa_waits"
#define SLOW_PAGES	(32 * SA_MIB_PAGES)
#define SLOW_USEC	4000
#define SLOW_SECONDS	2
/*
 * The limit is a tenth of a second, some I/O, and the delays of a busy machine:
 * 0.11 s have been seen. When all memory is short, other waits of any kernel
 * take that long.
 */
#define WAIT_MOST	0.3
#define WAIT_MOST_ALL	1.0
#define WAIT_LEAVE	(48 * SA_MIB)

#define TRACING		"/sys/kernel/tracing"
#define SWITCHES	TRACING "/events/sched/sched_switch"

FIXTURE(waits)
{
	const char *slow;
	char cg[256];
};

FIXTURE_VARIANT(waits)
{
	bool global;
};

FIXTURE_VARIANT_ADD(waits, cgroup) { .global = false };

FIXTURE_VARIANT_ADD(waits, all) { .global = true };

FIXTURE_SETUP(waits)
{
	const char *why = begin_packed_test();

	if (!why && variant->global && !sa_is_dedicated())
		why = "the machine may have other users: only with -g";
	if (!why && variant->global && !sa_is_full())
		why = "takes ten seconds: in full mode only";
	if (!why && access(SWITCHES "/enable", W_OK))
		why = "no tracepoint of the scheduler";
	if (why)
		SKIP(return, "%s", why);
	self->slow = sa_nullb_make(SLOW, SLOW_PAGES, 0, SLOW_USEC * 1000);
	if (!self->slow)
		SKIP(return, "no null_blk");
	ASSERT_EQ(0, sa_cg_make("waits", 0, self->cg, sizeof(self->cg)));
}

FIXTURE_TEARDOWN_PARENT(waits)
{
	sa_write(SWITCHES "/enable", "0");
	sa_write(SWITCHES "/filter", "0");
	sa_cg_destroy(self->cg);
	sa_nullb_remove(SLOW);
	EXPECT_EQ(0, sa_end());
}

struct replacer {
	size_t pages;
	atomic_int filled, stop;
	atomic_ulong done;
	double longest;			/* for one page */
};

/* Replace random pages by new ones */
static int run_replacer(void *arg)
{
	struct replacer *r = arg;
	struct sa_area a;
	__u64 rnd = 17;
	double start;
	size_t i;

	if (sa_area_map(&a, r->pages, SA_TEXT, 17))
		return 2;
	sa_area_fill(&a);
	r->filled = 1;
	while (!r->stop) {
		i = sa_rand(&rnd) % a.n;
		start = sa_now();
		if (madvise(a.p + i * SA_PAGE, SA_PAGE, MADV_DONTNEED))
			return 3;
		sa_fill_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0);
		if (sa_now() - start > r->longest)
			r->longest = sa_now() - start;
		r->done++;
	}
	/* Each check may be a read of its own. */
	for (i = 0; i < a.n; i += 64)
		if (sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, 0))
			return 1;
	return 0;
}

/* Return the pid of a process by its name, or 0 */
static pid_t find_task(const char *name)
{
	char path[300], comm[32];
	struct dirent *d;
	pid_t pid = 0;
	DIR *dir;

	dir = opendir("/proc");
	while (dir && !pid && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		if (atoi(d->d_name) > 0 && sa_read(path, comm, sizeof(comm)) > 0 &&
		    !strncmp(comm, name, strlen(name)))
			pid = atoi(d->d_name);
	}
	if (dir)
		closedir(dir);
	return pid;
}

/* Record each time when one of the two processes goes to sleep or wakes up */
static int trace_switches(pid_t one, pid_t two)
{
	char filter[256];

	snprintf(filter, sizeof(filter),
		 "prev_pid == %d || next_pid == %d || prev_pid == %d || next_pid == %d",
		 one, one, two, two);
	return sa_trace_start() || sa_write(TRACING "/events/swap_abs/enable", "0") ||
	       sa_write(SWITCHES "/filter", filter) || sa_write(SWITCHES "/enable", "1");
}

struct sleeps {
	long nr, tenths;		/* all sleeps, and those of about a tenth of a second */
	double longest;
};

/* Read how often and how long a task slept uninterruptibly */
static int read_switches(pid_t pid, struct sleeps *sleeps)
{
	double since = 0, at, slept;
	char line[1024], state[8];
	int prev, next;
	FILE *f;
	char *p;

	memset(sleeps, 0, sizeof(*sleeps));
	f = fopen(TRACING "/trace", "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, ": sched_switch: ");
		if (line[0] == '#' || !p)
			continue;
		while (p > line && p[-1] != ' ')
			p--;
		at = strtod(p, NULL);
		p = strstr(line, "prev_pid=");
		if (!p || sscanf(p, "prev_pid=%d prev_prio=%*d prev_state=%7s", &prev, state) != 2)
			continue;
		p = strstr(p, "next_pid=");
		if (!p || sscanf(p, "next_pid=%d", &next) != 1)
			continue;
		if (prev == pid)
			since = state[0] == 'D' ? at : 0;
		if (next != pid || !since)
			continue;
		slept = at - since;
		since = 0;
		sleeps->nr++;
		sleeps->tenths += slept > 0.08 && slept < WAIT_MOST;
		if (slept > sleeps->longest)
			sleeps->longest = slept;
	}
	fclose(f);
	return 0;
}

/*
 * Tell whether the stack of a task shows a wait for room; few kernels show it
 */
static bool waits_for_room(pid_t pid)
{
	char path[64], stack[4096];

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	return sa_read(path, stack, sizeof(stack)) > 0 && strstr(stack, "swap_throttle_reclaim");
}

TEST_F_TIMEOUT(waits, for_collection, SA_TIMEOUT)
{
	long long collected, killed;
	size_t fit = SLOW_PAGES * SA_PAGE / 2000, room = WAIT_LEAVE / SA_PAGE;
	struct replacer *r = sa_map_shared();
	pid_t pid, kswapd, balloon = 0;
	struct sleeps own, its;
	double start, end;
	long waited = 0;
	int ret;

	/* The process allocates its own memory first, while there is some. */
	ASSERT_EQ(0, wipe_pages(self->slow, SLOW_PAGES));
	ASSERT_EQ(0, sa_swapon_packed(self->slow, 0, 5));
	collected = sa_tier_num(self->slow, "stats/collected");
	ASSERT_NE(NULL, r);
	kswapd = find_task("kswapd");
	killed = sa_vmstat("oom_kill");
	/*
	 * The data beyond the memory limit fills three quarters of the device.
	 */
	if (variant->global) {
		r->pages = fit * 17 / 20 + room;
		balloon = sa_balloon_start(WAIT_LEAVE);
		ASSERT_LT(0, balloon);
	} else {
		r->pages = fit * 17 / 20 + 4 * SA_MIB_PAGES;
		ASSERT_EQ(0, sa_cg_write_num(self->cg, "memory.max", 6 * SA_MIB));
	}
	start = sa_now();
	pid = sa_start(self->cg, run_replacer, r);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(sa_wait(r->filled, 60)) {
		TH_LOG("the process has not filled its memory");
	}
	TH_LOG("filled in %.1f s", sa_now() - start);
	ASSERT_EQ(0, trace_switches(pid, kswapd ? kswapd : pid));
	for (end = sa_now() + SLOW_SECONDS; sa_now() < end; usleep(5000)) {
		waited += waits_for_room(pid);
		EXPECT_FALSE(kswapd && waits_for_room(kswapd));
	}
	EXPECT_EQ(0, sa_write(SWITCHES "/enable", "0"));
	EXPECT_EQ(0, read_switches(pid, &own));
	EXPECT_EQ(0, read_switches(kswapd, &its));
	r->stop = 1;
	sa_balloon_end(balloon);
	EXPECT_EQ(0, sa_cg_write(self->cg, "memory.max", "max"));
	ret = sa_join(pid, LIMIT);
	EXPECT_EQ(0, ret) {
		TH_LOG("status %d, %lld OOM kills", ret, sa_vmstat("oom_kill") - killed);
	}
	TH_LOG("%lu pages written, at most %.2f s for one; %lld segments collected", r->done,
	       r->longest, sa_tier_num(self->slow, "stats/collected") - collected);
	TH_LOG("slept %ld times, %.3f s at most, %ld times a tenth of a second; seen %ld times",
	       own.nr, own.longest, own.tenths, waited);
	TH_LOG("kswapd slept %ld times, %.3f s at most", its.nr, its.longest);
	EXPECT_LT(collected, sa_tier_num(self->slow, "stats/collected"));
	EXPECT_LT(0, own.nr);
	/*
	 * kswapd sleeps for I/O and for room in the write queue, which may take
	 * longer.
	 */
	EXPECT_TRUE(own.longest <= (variant->global ? WAIT_MOST_ALL : WAIT_MOST));
	munmap(r, SA_PAGE);
	EXPECT_EQ(0, sa_violations());
}

FIXTURE(reuse)
{
};

FIXTURE_VARIANT(reuse)
{
	bool zswap;
};

/* The data comes out of zswap, whose objects come and go during the writes. */
FIXTURE_VARIANT_ADD(reuse, moves) { .zswap = true };

/* The data comes out of segments that are collected. */
FIXTURE_VARIANT_ADD(reuse, collection) { .zswap = false };

FIXTURE_SETUP(reuse)
{
	const char *why = begin_packed_test();

	if (!why)
		why = sa_dm_make(variant->zswap ? 4 * DEV_PAGES : 17 * sa_cluster_slots());
	if (why)
		SKIP(return, "%s", why);
	if (variant->zswap && sa_set_zswap(true))
		SKIP(return, "no zswap");
	ASSERT_EQ(0, sa_swapon_packed(sa_dm(), 0, 3));
	ASSERT_EQ(0, sa_dm_set_all(SA_WRITE_WAITS));
}

FIXTURE_TEARDOWN_PARENT(reuse)
{
	EXPECT_EQ(0, sa_end());
}

/* Make zswap write back all its data, by turns */
static int toggle_zswap_limit(void *arg)
{
	for (;;) {
		sa_zswap_param("max_pool_percent", "0");
		usleep(20000);
		sa_zswap_param("max_pool_percent", "20");
		usleep(60000);
	}
	return 0;
}

TEST_F_TIMEOUT(reuse, rewritten, SA_TIMEOUT)
{
	size_t n = variant->zswap ? PAGES : 16 * sa_cluster_slots() * 11 / 10, i, bad = 0;
	double end = sa_now() + sa_seconds(6), limit = sa_now() + LIMIT;
	long long touches = 0, before = sa_scan_num("orphans");
	struct sa_area a;
	__u32 *gens;
	__u64 rnd = 9;
	pid_t pid = 0;

	ASSERT_LE(0, before);
	gens = calloc(n, sizeof(*gens));
	ASSERT_NE(NULL, gens);
	ASSERT_EQ(0, sa_area_map(&a, n, SA_TEXT, 106));
	sa_area_fill(&a);
	if (variant->zswap)
		pid = sa_start(NULL, toggle_zswap_limit, NULL);
	while (!bad && sa_now() < limit &&
	       (sa_now() < end || touches < 4000 || sa_scan_num("orphans") < before + 10)) {
		madvise(a.p, n * SA_PAGE, MADV_PAGEOUT);
		for (i = 0; i < 128; i++, touches++) {
			size_t k = sa_rand(&rnd) % n;
			void *p = a.p + k * SA_PAGE;

			switch (sa_rand(&rnd) % 4) {
			case 0:
				/* The slot is freed, and other pages get it. */
				madvise(p, SA_PAGE, MADV_DONTNEED);
				break;
			case 1:
				bad += !!sa_check_page(p, a.pat, a.seed, k, gens[k]);
				continue;
			default:
				bad += !!sa_check_page(p, a.pat, a.seed, k, gens[k]);
			}
			gens[k]++;
			sa_fill_page(p, a.pat, a.seed, k, gens[k]);
		}
	}
	if (pid > 0)
		sa_balloon_end(pid);
	TH_LOG("%lld touches, %lld orphans, %lld moved in, %lld stored", touches,
	       sa_scan_num("orphans") - before, sa_tier_num(sa_dm(), "stats/moved_in"),
	       sa_tier_num(sa_dm(), "stats/store"));
	EXPECT_EQ(0, bad);
	EXPECT_LT(before, sa_scan_num("orphans"));
	if (variant->zswap)
		EXPECT_LT(0, sa_tier_num(sa_dm(), "stats/moved_in"));
	for (i = 0; i < n && bad < 4; i++)
		bad += !!sa_check_page(a.p + i * SA_PAGE, a.pat, a.seed, i, gens[i]);
	EXPECT_EQ(0, bad);
	ASSERT_EQ(0, sa_dm_set(NULL));
	if (variant->zswap)
		EXPECT_EQ(0, sa_zswap_drain(60));
	EXPECT_TRUE(sa_wait(!sa_scan_num("pinned"), 20));
	ASSERT_TRUE(sa_wait_writeback());
	EXPECT_EQ(0, sa_violations());
	EXPECT_EQ(0, nr_errors(sa_dm()));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(sa_dm(), "used"), 20));
}

TEST_HARNESS_MAIN
