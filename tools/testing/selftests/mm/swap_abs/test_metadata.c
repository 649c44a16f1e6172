// SPDX-License-Identifier: GPL-2.0
/*
 * These tests measure the metadata of a swapped page from real allocations: at
 * most 18.4 bytes for a page in a raw slot, and 40 bytes for a page in zswap.
 * The test fills clusters, so that all pages of a table share its bytes.
 *
 * The test fails on a kernel that keeps more for a slot than the swap table,
 * its memcg ids and one word, or that gives zswap's objects entries.
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

static long long metadata_num(struct __test_metadata *_metadata, const char *name)
{
	long long v = sa_read_key(FILE_NAME, name);

	EXPECT_LE(0, v) {
		TH_LOG("no %s", name);
	}
	return v;
}

/* Return the bytes of all structures of a virtual slot, for data in any tier */
static long long bytes_of_slots(struct __test_metadata *_metadata)
{
	return metadata_num(_metadata, "table_bytes") +
	       metadata_num(_metadata, "descriptor_bytes") +
	       metadata_num(_metadata, "memcg_bytes") + metadata_num(_metadata, "cluster_bytes");
}

static size_t nr_test_pages(void)
{
	return (sa_is_full() ? 96 : 32) * SA_MIB_PAGES;
}

static void log_metadata(struct __test_metadata *_metadata)
{
	static char buf[4096];
	char *line, *save = NULL;

	ASSERT_LT(0, sa_read(FILE_NAME, buf, sizeof(buf)));
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		sa_log("  %s", line);
}

static size_t fill_and_swap_out(struct __test_metadata *_metadata, struct sa_area *a,
				enum sa_pat pat)
{
	size_t n = nr_test_pages(), out;

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

	/* The device is just large enough, because its maps cover all of it. */
	ASSERT_EQ(0, sa_swapon(sa_dev(0), nr_test_pages() + 4 * 512, -1));
	before = metadata_num(_metadata, "virtual_slots_used");
	out = fill_and_swap_out(_metadata, &a, SA_RANDOM);
	pages = metadata_num(_metadata, "raw_pages");
	bytes = bytes_of_slots(_metadata) + metadata_num(_metadata, "lent_map_bytes") +
		metadata_num(_metadata, "lent_cluster_bytes");
	ASSERT_LT(0, pages);
	EXPECT_EQ((long long)out, pages);
	EXPECT_LE(pages, metadata_num(_metadata, "virtual_slots_used"));
	log_metadata(_metadata);
	slots = metadata_num(_metadata, "table_bytes") / 8;
	filled = (double)bytes_of_slots(_metadata) / slots +
		(double)(bytes - bytes_of_slots(_metadata)) / pages;
	TH_LOG("raw: %lld pages, %lld bytes of metadata, %.2f a page", pages,
	       bytes, (double)bytes / pages);
	TH_LOG("raw: %.2f a page in filled clusters of %d slots", filled,
	       small ? 256 : 512);
	/*
	 * The clusters are nearly full, so the bytes of slots are the bytes of
	 * pages.
	 */
	EXPECT_LE(slots * 9, pages * 10);
	/*
	 * There are two cluster_info of 64 bytes, which half as many slots may
	 * share.
	 */
	/* Lock debugging makes a cluster_info larger. */
	EXPECT_TRUE(filled <= (small ? 18.4 + 2 * 64 / 512.0 : 18.4) +
		    2.0 * (metadata_num(_metadata, "cluster_info_size") - 64) /
		    (small ? 256 : 512));
	/* A figure below the size of table and descriptor can't be right. */
	EXPECT_LE(pages * 16, bytes);
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	/*
	 * The tables must go with the pages, except one cluster for each CPU.
	 */
	EXPECT_TRUE(sa_wait_purged(metadata_num(_metadata, "raw_pages") == 0, 10));
	EXPECT_TRUE(sa_wait_purged(metadata_num(_metadata, "virtual_slots_used") <=
				   before + 64, 10));
	/* Pages of other processes may keep the tables. */
	if (before < 8)
		EXPECT_TRUE(sa_wait_purged(metadata_num(_metadata, "descriptor_bytes") <
					   pages * 8 / 2, 10));
}

TEST_F_TIMEOUT(metadata, zswap, SA_TIMEOUT)
{
	long long bytes, pages;
	struct sa_area a;
	size_t out;

	if (sa_set_zswap(true))
		SKIP(return, "no zswap");
	out = fill_and_swap_out(_metadata, &a, SA_TEXT);
	pages = metadata_num(_metadata, "zswap_pages");
	bytes = bytes_of_slots(_metadata) + metadata_num(_metadata, "zswap_entry_bytes") +
		metadata_num(_metadata, "zswap_handle_bytes");
	ASSERT_LT(0, pages);
	EXPECT_EQ((long long)out, pages);
	log_metadata(_metadata);
	TH_LOG("zswap: %lld pages, %lld bytes of metadata, %.2f a page", pages,
	       bytes, (double)bytes / pages);
	EXPECT_TRUE((double)bytes / pages <= 40.0);
	EXPECT_LE(pages * 16, bytes);
	EXPECT_EQ(0, metadata_num(_metadata, "raw_pages"));
	EXPECT_EQ(0, sa_area_check(&a));
	sa_area_unmap(&a);
	EXPECT_TRUE(sa_wait_purged(metadata_num(_metadata, "zswap_pages") == 0, 10));
}

/* An idle layer must cost nearly nothing: at most some clusters of tables */
TEST_F_TIMEOUT(metadata, idle, SA_TIMEOUT)
{
	long long bytes;

	ASSERT_EQ(0, sa_swapon(sa_dev(0), 160 * SA_MIB_PAGES, -1));
	bytes = bytes_of_slots(_metadata) + metadata_num(_metadata, "lent_map_bytes") +
		metadata_num(_metadata, "lent_cluster_bytes");
	TH_LOG("idle: %lld bytes", bytes);
	EXPECT_LE(bytes, 256 * 1024 * sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT_EQ(0, metadata_num(_metadata, "raw_pages"));
	EXPECT_EQ(0, metadata_num(_metadata, "zswap_pages"));
}

TEST_HARNESS_MAIN
