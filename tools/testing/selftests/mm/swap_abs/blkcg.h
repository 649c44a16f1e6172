/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests of blkcgs share these helpers: they make two cgroups with the io
 * controller, read what a cgroup has paid for on a device, and start processes
 * whose pages are on a device.
 */
#ifndef SWAP_ABS_BLKCG_H
#define SWAP_ABS_BLKCG_H

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tiers.h"

/*
 * Make the cgroups a and b. Return NULL, or the reason why the test can't run.
 */
static inline const char *blkcg_begin(bool on, const char *format, char (*cg)[256])
{
	bool packed = !strcmp(format, "packed");
	const char *why = sa_begin(on, SA_NEED_DEVS | (packed ? SA_NEED_ZSWAP : 0));
	char path[512];
	int i;

	if (!why && sa_cg_write(sa_cg_root(), "cgroup.subtree_control", "+io"))
		why = "no io controller";
	for (i = 0; !why && i < 2; i++)
		if (sa_cg_make(i ? "b" : "a", 0, cg[i], sizeof(cg[i])))
			why = "cannot make a cgroup";
	if (why)
		return why;
	snprintf(path, sizeof(path), "%s/io.stat", cg[0]);
	return access(path, F_OK) ? "no io.stat" : NULL;
}

static inline long long blkcg_end(void)
{
	long long n = sa_end();

	sa_cg_write(sa_cg_root(), "cgroup.subtree_control", "-io");
	return n;
}

static inline int swapon_dev_layer(int i, const char *format, bool layer)
{
	return layer ? swapon_dev_format(i, format) : swapon_dev(i);
}

/* Write the number of a device, like "8:16", to @buf */
static inline void dev_number(const char *dev, char *buf, size_t size)
{
	struct stat st;

	if (stat(dev, &st))
		st.st_rdev = 0;
	snprintf(buf, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
}

/*
 * Read the line of a device in a cgroup's io.stat, without the number of the
 * device. @buf is "" if the file has no such line.
 */
static inline int read_io_stat(const char *cg, const char *dev, char *buf, size_t size)
{
	char text[4096], path[512], number[32], *line, *save = NULL;

	buf[0] = 0;
	dev_number(dev, number, sizeof(number));
	snprintf(path, sizeof(path), "%s/io.stat", cg);
	if (sa_read(path, text, sizeof(text)) < 0)
		return -1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, number, strlen(number)) && line[strlen(number)] == ' ')
			snprintf(buf, size, "%s", line + strlen(number));
	return 0;
}

/*
 * Return the number after a key, " rbytes=" or " wbytes=", in io.stat; or 0 if
 * the key is missing
 */
static inline long long io_stat_num(const char *cg, const char *dev, const char *key)
{
	char line[1024], *value;

	if (read_io_stat(cg, dev, line, sizeof(line)))
		return -1;
	value = strstr(line, key);
	return value ? atoll(value + strlen(key)) : 0;
}

/*
 * Start a process in a cgroup, and wait until its pages have left the swap
 * cache
 */
static inline void start_swapped_holder(struct __test_metadata *_metadata, struct sa_holder *h,
					size_t pages, const char *cg)
{
	ASSERT_EQ(0, sa_hold_start(h, pages, SA_TEXT, cg));
	EXPECT_TRUE(sa_wait_writeback());
	EXPECT_EQ(pages, h->swapped);
	/*
	 * The kernel would not read a page from the device if the swap cache
	 * had it.
	 */
	EXPECT_TRUE(sa_only_swapped());
}

static inline void check_and_end_holder(struct __test_metadata *_metadata, struct sa_holder *h)
{
	EXPECT_EQ(0, sa_hold_ask(h, 'c'));
	EXPECT_EQ(0, sa_hold_end(h));
}

/*
 * Expect that a cgroup has paid for the bytes that the kernel wrote for it. A
 * tenth of the bytes may be for pages of others that were written along.
 */
#define EXPECT_PAID(_bytes, _paid)					\
do {									\
	long long __bytes = (_bytes), __paid = (_paid);			\
									\
	EXPECT_GE(__bytes, __paid);					\
	EXPECT_LE(__bytes * 9 / 10, __paid);				\
} while (0)

#endif
