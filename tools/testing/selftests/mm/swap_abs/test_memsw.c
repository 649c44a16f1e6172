// SPDX-License-Identifier: GPL-2.0
/*
 * With cgroup v1, a page that moves must stay charged to memory.memsw.
 *
 * This program takes the memory controller from cgroup v2 and does not give it
 * back, so it must run alone in its guest, and run_swap_abs.sh leaves it out.
 * The test fails on a kernel in which a mover takes a folio out of the swap
 * cache without charging its slot again.
 */
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tiers.h"

#define V1	"/tmp/sa_memory_v1"
#define CG	V1 "/sa"

enum mover { DEMOTE, PROMOTE, DRAIN };

FIXTURE(memsw)
{
};

FIXTURE_VARIANT(memsw)
{
	enum mover mover;
	bool packed, from_zswap;
};

FIXTURE_VARIANT_ADD(memsw, demote_raw) { .mover = DEMOTE };

FIXTURE_VARIANT_ADD(memsw, demote_zswap) { .mover = DEMOTE, .from_zswap = true };

FIXTURE_VARIANT_ADD(memsw, promote_raw) { .mover = PROMOTE };

FIXTURE_VARIANT_ADD(memsw, drain_raw) { .mover = DRAIN };

FIXTURE_VARIANT_ADD(memsw, demote_packed) { .mover = DEMOTE, .packed = true };

FIXTURE_VARIANT_ADD(memsw, promote_packed) { .mover = PROMOTE, .packed = true };

FIXTURE_VARIANT_ADD(memsw, drain_packed) { .mover = DRAIN, .packed = true };

/* Mount the memory controller while nobody uses it */
static const char *mount_v1(void)
{
	if (!access(V1 "/cgroup.procs", R_OK))
		return NULL;
	if (sa_cg_root())
		sa_cg_write(sa_cg_root(), "cgroup.subtree_control", "-memory");
	mkdir(V1, 0700);
	if (mount("none", V1, "cgroup", 0, "memory"))
		return "no cgroup v1, or its memory controller is in use";
	if (access(V1 "/memory.memsw.usage_in_bytes", R_OK))
		return "no memory.memsw";
	return NULL;
}

FIXTURE_SETUP(memsw)
{
	const char *why;

	sa_reset();
	why = mount_v1();
	if (!why)
		why = sa_check_needs(SA_NEED_LAYER | SA_NEED_DEVS | SA_NEED_ZSWAP);
	if (!why && sa_set_layer(true))
		why = "cannot switch the layer on";
	if (!why && mkdir(CG, 0700) && errno != EEXIST)
		why = "cannot make a cgroup";
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN_PARENT(memsw)
{
	EXPECT_TRUE(sa_wait(!rmdir(CG) || errno != EBUSY, SOON));
	EXPECT_EQ(0, sa_end());
}

static long long memsw_charged(void)
{
	return sa_read_num(CG "/memory.memsw.usage_in_bytes");
}

TEST_F_TIMEOUT(memsw, stays_charged, SA_TIMEOUT)
{
	size_t pages = 8 * SA_MIB_PAGES;
	static const char * const files[] = { "demote", "promote", "state" };
	const char *from = variant->from_zswap ? NULL : sa_dev(0);
	const char *format = variant->packed ? "packed" : "raw";
	long long before, moved;
	struct sa_holder h = { };

	ASSERT_EQ(0, from ? swapon_dev_format(0, format) : sa_set_zswap(true));
	ASSERT_EQ(0, sa_hold_start(&h, pages, SA_TEXT, CG));
	ASSERT_EQ(pages, h.swapped);
	ASSERT_TRUE(sa_wait_writeback());
	ASSERT_EQ(0, variant->mover == PROMOTE ? sa_set_zswap(true) : swapon_dev_format(1, "raw"));
	sa_purge_cache();
	before = memsw_charged();
	/* Each CPU keeps up to 64 pages out of the count. */
	EXPECT_LE((long long)(pages * SA_PAGE), before + SLACK);

	EXPECT_EQ(0, sa_tier_write(from, files[variant->mover],
				   variant->mover == DRAIN ? "draining" : "all"));
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(from, "stored"), SOON));
	sa_purge_cache();
	moved = memsw_charged();
	EXPECT_LE(before - SLACK, moved) {
		TH_LOG("memsw was %lld, and is %lld", before, moved);
	}
	EXPECT_GE(before + SLACK, moved);
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_LE(before - SLACK, memsw_charged());
	EXPECT_GE(before + SLACK, memsw_charged());
	EXPECT_EQ(0, sa_hold_end(&h));
}

/*
 * Pages that a removed cgroup has left behind must stay charged to its parent,
 * and must not be charged to the cgroup that moves them
 */
TEST_F_TIMEOUT(memsw, not_the_mover, SA_TIMEOUT)
{
	const char *from = variant->from_zswap ? NULL : sa_dev(0);
	size_t pages = 8 * SA_MIB_PAGES;
	struct sa_holder h = { };
	long long before;
	char pid[16];

	if (variant->mover == DRAIN || variant->packed)
		SKIP(return, "another variant covers this");
	ASSERT_TRUE(!mkdir(CG "/mover", 0700) || errno == EEXIST);
	ASSERT_TRUE(!mkdir(CG "/gone", 0700) || errno == EEXIST);
	ASSERT_EQ(0, from ? swapon_dev_format(0, "raw") : sa_set_zswap(true));
	ASSERT_EQ(0, sa_hold_start(&h, pages, SA_TEXT, CG "/gone"));
	ASSERT_EQ(pages, h.swapped);
	ASSERT_TRUE(sa_wait_writeback());
	sa_purge_cache();
	snprintf(pid, sizeof(pid), "%d", h.pid);
	ASSERT_EQ(0, sa_write(CG "/cgroup.procs", pid));
	ASSERT_TRUE(sa_wait(!rmdir(CG "/gone"), SOON));
	before = sa_read_num(CG "/memory.memsw.usage_in_bytes");
	EXPECT_LE((long long)(pages * SA_PAGE), before + SLACK);

	ASSERT_EQ(0, variant->mover == PROMOTE ? sa_set_zswap(true) : swapon_dev_format(1, "raw"));
	ASSERT_EQ(0, sa_write_num(CG "/mover/cgroup.procs", getpid()));
	EXPECT_EQ(0, sa_tier_write(from, variant->mover == DEMOTE ? "demote" : "promote", "all"));
	EXPECT_TRUE(sa_wait_purged(!sa_tier_num(from, "stored"), SOON));
	EXPECT_GE(SLACK, sa_read_num(CG "/mover/memory.memsw.usage_in_bytes"));
	EXPECT_LE(before, sa_read_num(CG "/memory.memsw.usage_in_bytes") + SLACK);
	ASSERT_EQ(0, sa_write_num(V1 "/cgroup.procs", getpid()));
	EXPECT_EQ(0, sa_hold_ask(&h, 'c'));
	EXPECT_EQ(0, sa_hold_end(&h));
	EXPECT_TRUE(sa_wait(!rmdir(CG "/mover"), SOON));
}

TEST_HARNESS_MAIN
