// SPDX-License-Identifier: GPL-2.0
/*
 * Wrong values, missing nodes, and users without permission must get a clear
 * errno and change nothing.
 *
 * The test fails on a kernel that takes any number for vm.swap_abs, that keeps
 * half of a bad write, whose tier files users can write or can't read, or that
 * leaves a tier or a device behind after a failed swapon.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "swap_abs_lib.h"
#include "kselftest_harness.h"

FIXTURE(bad_input)
{
};

FIXTURE_SETUP(bad_input)
{
	const char *why = sa_begin(true, 0);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_set_layer(false));
}

FIXTURE_TEARDOWN_PARENT(bad_input)
{
	EXPECT_EQ(0, sa_end());
}

/*
 * The name on the command line must not depend on the source file that has the
 * parameter.
 */
TEST_F_TIMEOUT(bad_input, parameter, SA_TIMEOUT)
{
	EXPECT_LT(0, sa_read_num("/sys/module/swap_abs/parameters/max_slots"));
}

TEST_F_TIMEOUT(bad_input, values, SA_TIMEOUT)
{
	static const char * const bad[] = {
		"2", "-1", "", "abc", "\n", "1x", "4294967297",
		"18446744073709551617", "0x2", "on",
	};
	size_t i;
	int on;

	for (on = 0; on < 2; on++) {
		ASSERT_EQ(0, sa_set_layer(on));
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			int fd = open(SA_SYSCTL, O_WRONLY);
			ssize_t ret;

			ASSERT_LE(0, fd);
			errno = 0;
			ret = write(fd, bad[i], strlen(bad[i]));
			/*
			 * The kernel does not call the handler for an empty
			 * write.
			 */
			if (bad[i][0]) {
				EXPECT_EQ(-1, ret)
					TH_LOG("the kernel accepted '%s'", bad[i]);
				EXPECT_EQ(EINVAL, errno)
					TH_LOG("'%s'", bad[i]);
			} else {
				EXPECT_GE(0, ret);
			}
			close(fd);
			EXPECT_EQ(on, sa_read_num(SA_SYSCTL))
				TH_LOG("'%s' changed the value", bad[i]);
		}
	}
	/* The kernel accepts a right value with blanks around it, and twice. */
	EXPECT_EQ(0, sa_write(SA_SYSCTL, "1\n"));
	EXPECT_EQ(1, sa_read_num(SA_SYSCTL));
	EXPECT_EQ(0, sa_write(SA_SYSCTL, " 1"));
	EXPECT_EQ(1, sa_read_num(SA_SYSCTL));
	EXPECT_EQ(0, sa_write(SA_SYSCTL, "0"));
	EXPECT_EQ(0, sa_read_num(SA_SYSCTL));
}

static int check_files_as_nobody(void *arg)
{
	struct __test_metadata *_metadata = arg;
	struct stat st;
	int fd;

	ASSERT_EQ(0, setresgid(65534, 65534, 65534));
	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	fd = open(SA_SYSCTL, O_WRONLY);
	EXPECT_FALSE(fd >= 0 && write(fd, "1", 1) > 0);
	EXPECT_TRUE(errno == EACCES || errno == EPERM);
	/* Every user may read the value. */
	EXPECT_LE(0, sa_read_num(SA_SYSCTL));
	EXPECT_EQ(-1, swapon("/dev/null", 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, swapoff("/dev/null"));
	EXPECT_EQ(EPERM, errno);
	EXPECT_FALSE(!stat(SA_DEBUG "/check", &st) && !access(SA_DEBUG "/check", R_OK));
	return 0;
}

TEST_F_TIMEOUT(bad_input, not_root, SA_TIMEOUT)
{
	EXPECT_EQ(0, sa_run(NULL, check_files_as_nobody, _metadata, 30));
	EXPECT_EQ(0, sa_read_num(SA_SYSCTL));
	EXPECT_EQ(0, sa_nswaps());
}

struct nobody {
	struct __test_metadata *_metadata;
	const char *path;
};

static int open_as_nobody(void *arg)
{
	struct nobody *n = arg;
	struct __test_metadata *_metadata = n->_metadata;

	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	EXPECT_EQ(-1, open(n->path, O_WRONLY));
	EXPECT_TRUE(errno == EACCES || errno == EPERM);
	EXPECT_NE(-EACCES, sa_read_num(n->path));
	return 0;
}

/*
 * Check that each read-only file of a tier exists, has one value, and refuses
 * writes
 */
static int check_tier_files(struct __test_metadata *_metadata, const char *dev)
{
	static const char * const files[] = {
		"type", "device", "capacity", "used", "stored",
		"stats/store", "stats/load", "stats/moved_in",
		"stats/moved_out", "stats/errors",
	};
	char before[256], after[256], path[256], text[256];
	struct nobody nobody = { ._metadata = _metadata, .path = path };
	struct stat st;
	size_t i;

	ASSERT_NE(NULL, sa_tier_name(dev)) {
		TH_LOG("no tier for %s", dev ? dev : "zswap");
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), SA_TIERS "/%s/%s", sa_tier_name(dev),
			 files[i]);
		ASSERT_EQ(0, stat(path, &st)) {
			TH_LOG("%s is missing", path);
		}
		EXPECT_EQ(0444, st.st_mode & 07777) {
			TH_LOG("%s has mode %o", path, st.st_mode & 07777);
		}
		ASSERT_LE(0, sa_read(path, before, sizeof(before)));
		/* One value is one line. */
		EXPECT_EQ(strlen(before), strcspn(before, "\n") + 1) {
			TH_LOG("%s: '%s'", path, before);
		}
		EXPECT_NE(0, sa_write(path, "1"));
		EXPECT_NE(0, sa_write(path, "raw"));
		EXPECT_EQ(0, sa_run(NULL, open_as_nobody, &nobody, 30));
		ASSERT_LE(0, sa_read(path, after, sizeof(after)));
		EXPECT_STREQ(before, after);
	}
	ASSERT_EQ(0, sa_tier_str(dev, "type", text, sizeof(text)));
	EXPECT_STREQ(dev ? "device" : "zswap", text);
	ASSERT_EQ(0, sa_tier_str(dev, "device", text, sizeof(text)));
	EXPECT_STREQ(dev ? dev : "", text);
	ASSERT_EQ(0, sa_tier_str(dev, "state", text, sizeof(text)));
	EXPECT_STREQ("online", text);
	return sa_tier_num(dev, "rank");
}

TEST_F_TIMEOUT(bad_input, tier_files, SA_TIMEOUT)
{
	const char *why;
	int rank_zswap, low, high;

	why = sa_check_needs(SA_NEED_DEVS);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, sa_set_layer(true));
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 4096, 5));
	ASSERT_EQ(0, sa_swapon(sa_dev(1), 4096, 7));
	low = check_tier_files(_metadata, sa_dev(0));
	high = check_tier_files(_metadata, sa_dev(1));
	EXPECT_LT(high, low);
	EXPECT_STREQ("swap1", sa_tier_name(sa_dev(1)));
	EXPECT_STREQ("swap0", sa_tier_name(sa_dev(0)));
	if (sa_have_zswap()) {
		rank_zswap = check_tier_files(_metadata, NULL);
		EXPECT_LT(rank_zswap, high);
	}
	/* A new tier gets the lowest free number, whatever tier has left. */
	ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
	EXPECT_EQ(NULL, sa_tier_name(sa_dev(0)));
	EXPECT_NE(0, access(SA_TIERS "/swap0", F_OK));
	EXPECT_STREQ("swap1", sa_tier_name(sa_dev(1)));
	ASSERT_EQ(0, sa_swapon(sa_dev(0), 4096, 5));
	EXPECT_STREQ("swap0", sa_tier_name(sa_dev(0)));
	EXPECT_EQ(0, sa_swapoff(sa_dev(0)));
	EXPECT_EQ(0, sa_swapoff(sa_dev(1)));
	EXPECT_NE(0, access(SA_TIERS "/swap0", F_OK));
	EXPECT_NE(0, access(SA_TIERS "/swap1", F_OK));
}

static int count_tiers(void)
{
	DIR *dir = opendir(SA_TIERS);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

TEST_F_TIMEOUT(bad_input, swapon, SA_TIMEOUT)
{
	static const char path[] = "/tmp/swap_abs_not_swap";
	char junk[2 * SA_PAGE];
	int fd, tiers;

	ASSERT_EQ(0, sa_set_layer(true));
	tiers = count_tiers();

	EXPECT_EQ(-1, swapon("/dev/swap_abs_nowhere", 0));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(-1, swapoff("/dev/swap_abs_nowhere"));
	EXPECT_EQ(ENOENT, errno);

	memset(junk, 'x', sizeof(junk));
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)sizeof(junk), write(fd, junk, sizeof(junk)));
	close(fd);
	EXPECT_EQ(-1, swapon(path, 0));
	EXPECT_EQ(EINVAL, errno);
	unlink(path);

	EXPECT_EQ(-1, swapon("/dev/null", 0));
	EXPECT_EQ(EINVAL, errno);

	if (sa_ndevs()) {
		/* The device has junk where the swap header should be. */
		fd = open(sa_dev(0), O_RDWR);
		ASSERT_LE(0, fd);
		ASSERT_EQ((ssize_t)sizeof(junk), write(fd, junk, sizeof(junk)));
		close(fd);
		EXPECT_EQ(-1, swapon(sa_dev(0), 0));
		EXPECT_EQ(EINVAL, errno);
		/*
		 * Swapon of a device in use and swapoff of an unused device
		 * fail.
		 */
		EXPECT_EQ(-1, swapoff(sa_dev(0)));
		EXPECT_EQ(EINVAL, errno);
		ASSERT_EQ(0, sa_swapon(sa_dev(0), 4096, -1));
		EXPECT_EQ(-1, swapon(sa_dev(0), 0));
		EXPECT_EQ(EBUSY, errno);
		EXPECT_EQ(1, sa_nswaps());
		EXPECT_EQ(tiers + 1, count_tiers());
		ASSERT_EQ(0, sa_swapoff(sa_dev(0)));
	}
	EXPECT_EQ(0, sa_nswaps());
	EXPECT_EQ(tiers, count_tiers());
	EXPECT_EQ(0, sa_meminfo("SwapTotal"));
	EXPECT_EQ(1, sa_read_num(SA_SYSCTL));
}

TEST_HARNESS_MAIN
