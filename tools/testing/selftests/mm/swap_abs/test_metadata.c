// SPDX-License-Identifier: GPL-2.0
/*
 * What a swapped page costs in metadata, from what was really allocated: at
 * most 18.4 bytes in a raw slot, 85 in zswap. Clusters are filled, so that a
 * table's bytes are shared by all the pages it is for.
 *
 * It fails on a kernel that keeps more a slot than the swap table, its memcg
 * ids and one word, or that gives zswap entries a tree of their own.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

#define FILE_NAME	SA_DEBUG "/metadata"

FIXTURE(metadata)
{
};

FIXTURE_SETUP(metadata)
{
	const char *why = sa_begin(true, SA_NEED_DEV);

	if (why)
		SKIP(return, "%s", why);
	if (access(FILE_NAME, R_OK))
		SKIP(return, "no " FILE_NAME);
}

FIXTURE_TEARDOWN_PARENT(metadata)
{
	EXPECT_EQ(0, sa_end());
}

static long long key(struct __test_metadata *_metadata, const char *name)
{
	long long v = sa_read_key(FILE_NAME, name);

	EXPECT_LE(0, v) {
		TH_LOG("no %s", name);
	}
	return v;
}

/* All that belongs to a virtual slot, wherever its data is */
static long long slot_bytes(struct __test_metadata *_metadata)
{
	return key(_metadata, "table_bytes") + key(_metadata, "descriptor_bytes") +
		key(_metadata, "memcg_bytes") + key(_metadata, "cluster_bytes");
}

static size_t set_pages(void)
{
	return (sa_full() ? 96 : 32) * SA_MIB_PAGES;
}

static void show(struct __test_metadata *_metadata)
{
	static char buf[4096];
	char *line, *save = NULL;

	ASSERT_LT(0, sa_read(FILE_NAME, buf, sizeof(buf)));
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		sa_log("  %s", line);
}

static size_t fill(struct __test_metadata *_metadata, struct sa_area *a,
		   enum sa_pat pat)
{
	size_t n = set_pages(), out;

	if (sa_area_map(a, n, pat, 61))
		return 0;
	sa_area_fill(a);
	out = sa_pageout(a->p, n);
	EXPECT_LE(n - 8, out);
	return out;
}

TEST_F_TIMEOUT(metadata, raw, SA_TIMEOUT)
{
	bool small = access("/sys/kernel/mm/transparent_hugepage", F_OK);
	long long bytes, pages, slots, before;
	struct sa_area a;
	double filled;
	size_t out;

	/* The device just large enough: its maps are of the whole of it. */
	ASSERT_EQ(0, sa_swapon(sa_dev(0), set_pages() + 4 * 512, -1));
	before = key(_metadata, "virtual_slots_used");
	out = fill(_metadata, &a, SA_RANDOM);
	pages = key(_metadata, "raw_pages");
	bytes = slot_bytes(_metadata) + key(_metadata, "lent_map_bytes") +
		key(_metadata, "lent_cluster_bytes");
	ASSERT_LT(0, pages);
	EXPECT_EQ((long long)out, pages);
	EXPECT_LE(pages, key(_metadata, "virtual_slots_used"));
	show(_metadata);
	slots = key(_metadata, "table_bytes") / 8;
	filled = (double)slot_bytes(_metadata) / slots +
		(double)(bytes - slot_bytes(_metadata)) / pages;
	TH_LOG("raw: %lld pages, %lld bytes of metadata, %.2f a page", pages,
	       bytes, (double)bytes / pages);
	TH_LOG("raw: %.2f a page in filled clusters of %d slots", filled,
	       small ? 256 : 512);
	/* The clusters are full enough for the one figure to mean the other. */
	EXPECT_LE(slots * 9, pages * 10);
	/* Two cluster_info, of 64 bytes: shared by half as many slots. */
	/* Lock debugging makes them larger. */
	EXPECT_TRUE(filled <= (small ? 18.4 + 2 * 64 / 512.0 : 18.4) +
		    2.0 * (key(_metadata, "cluster_info_size") - 64) / (small ? 256 : 512));
	/* Less than table and descriptor is not to be believed. */
	EXPECT_LE(pages * 16, bytes);
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	/* The tables go with the pages: but for one cluster a CPU. */
	EXPECT_TRUE(sa_wait_purged(key(_metadata, "raw_pages") == 0, 10));
	EXPECT_TRUE(sa_wait_purged(key(_metadata, "virtual_slots_used") <=
				   before + 64, 10));
	/* Unless somebody else's pages keep them. */
	if (before < 8)
		EXPECT_TRUE(sa_wait_purged(key(_metadata, "descriptor_bytes") <
					   pages * 8 / 2, 10));
}

TEST_F_TIMEOUT(metadata, zswap, SA_TIMEOUT)
{
	long long bytes, pages;
	struct sa_area a;
	size_t out;

	if (sa_zswap(true))
		SKIP(return, "no zswap");
	out = fill(_metadata, &a, SA_TEXT);
	pages = key(_metadata, "zswap_pages");
	bytes = slot_bytes(_metadata) + key(_metadata, "zswap_entry_bytes") +
		key(_metadata, "zswap_handle_bytes");
	ASSERT_LT(0, pages);
	EXPECT_EQ((long long)out, pages);
	show(_metadata);
	TH_LOG("zswap: %lld pages, %lld bytes of metadata, %.2f a page", pages,
	       bytes, (double)bytes / pages);
	EXPECT_TRUE((double)bytes / pages <= 85.0);
	EXPECT_LE(pages * 16, bytes);
	EXPECT_EQ(0, key(_metadata, "raw_pages"));
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(key(_metadata, "zswap_pages") == 0, 10));
}

/* An idle layer costs nothing worth naming: at most some clusters of tables. */
TEST_F_TIMEOUT(metadata, idle, SA_TIMEOUT)
{
	long long bytes;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	bytes = slot_bytes(_metadata) + key(_metadata, "lent_map_bytes") +
		key(_metadata, "lent_cluster_bytes");
	TH_LOG("idle: %lld bytes", bytes);
	EXPECT_LE(bytes, 256 * 1024 * sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT_EQ(0, key(_metadata, "raw_pages"));
	EXPECT_EQ(0, key(_metadata, "zswap_pages"));
}

TEST_HARNESS_MAIN
