/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of blkcgs share: two cgroups with the io controller, what each of them has
 * paid for on a device, and processes whose pages are there.
 */
#ifndef SWAP_ABS_BLKCG_H
#define SWAP_ABS_BLKCG_H

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tiers.h"

/* Make the cgroups a and b. NULL, or why that can't be tested. */
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

static inline int on_as(int i, const char *format, bool layer)
{
	return layer ? on_in(i, format) : on(i);
}

/* "8:16" */
static inline void number_of(const char *dev, char *buf, size_t size)
{
	struct stat st;

	if (stat(dev, &st))
		st.st_rdev = 0;
	snprintf(buf, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
}

/* The line of a device in a cgroup's io.stat, without its number; "" when there is none */
static inline int io_stat(const char *cg, const char *dev, char *buf, size_t size)
{
	char text[4096], path[512], number[32], *line, *save = NULL;

	buf[0] = 0;
	number_of(dev, number, sizeof(number));
	snprintf(path, sizeof(path), "%s/io.stat", cg);
	if (sa_read(path, text, sizeof(text)) < 0)
		return -1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, number, strlen(number)) && line[strlen(number)] == ' ')
			snprintf(buf, size, "%s", line + strlen(number));
	return 0;
}

/* What is said there after a key, " rbytes=" or " wbytes="; 0 when there is nothing */
static inline long long paid(const char *cg, const char *dev, const char *key)
{
	char line[1024], *value;

	if (io_stat(cg, dev, line, sizeof(line)))
		return -1;
	value = strstr(line, key);
	return value ? atoll(value + strlen(key)) : 0;
}

/* A process there, all of whose pages have left the swap cache */
static inline void hold(struct __test_metadata *_metadata, struct sa_holder *h, size_t pages,
			const char *cg)
{
	ASSERT_EQ(0, sa_hold_start(h, pages, SA_TEXT, cg));
	EXPECT_TRUE(sa_settle());
	EXPECT_EQ(pages, h->swapped);
	/* What is there would not be read from the device. */
	EXPECT_TRUE(sa_only_swapped());
}

static inline void let_go(struct __test_metadata *_metadata, struct sa_holder *h)
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

#endif
