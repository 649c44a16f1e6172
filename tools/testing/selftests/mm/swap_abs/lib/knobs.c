// SPDX-License-Identifier: GPL-2.0
/* The knobs of the layer and of zswap, and the kernel's own scan. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

bool sa_have_layer(void)
{
	return !access(SA_SYSCTL, F_OK);
}

int sa_set_layer(bool on)
{
	if (!sa_have_layer())
		return on ? -ENOENT : 0;
	return sa_write_num(SA_SYSCTL, on);
}

bool sa_have_zswap(void)
{
	return !access(SA_ZSWAP "/enabled", F_OK);
}

int sa_zswap_param(const char *name, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), SA_ZSWAP "/%s", name);
	return sa_write(path, value);
}

int sa_set_zswap(bool on)
{
	if (!sa_have_zswap())
		return on ? -ENOENT : 0;
	return sa_zswap_param("enabled", on ? "Y" : "N");
}

long long sa_zswapped(void)
{
	long long v = sa_meminfo("Zswapped");

	return v < 0 ? 0 : v;
}

long long sa_zswap_bytes(void)
{
	char cg[256];

	snprintf(cg, sizeof(cg), "%s/sa_self", sa_cg_root());
	return sa_cg_num(cg, "memory.zswap.current");
}

/*
 * Store a page while the pool may hold nothing. The pool refuses the page
 * because it is over its limit, and its worker shrinks the pool until it is
 * empty.
 */
static int store_over_limit(void)
{
	struct sa_area a;
	int ret = sa_area_map(&a, 1, SA_TEXT, 99);

	if (ret)
		return ret;
	sa_area_fill(&a);
	madvise(a.p, SA_PAGE, MADV_PAGEOUT);
	usleep(20000);
	sa_area_unmap(&a);
	return 0;
}

/* Call fn while the limit is 0, and restore the limit after that */
static int call_at_no_limit(int (*fn)(int), int arg)
{
	char old[32];
	int ret;

	ret = sa_read(SA_ZSWAP "/max_pool_percent", old, sizeof(old));
	if (ret < 0)
		return ret;
	ret = sa_zswap_param("max_pool_percent", "0");
	if (!ret)
		ret = fn(arg);
	sa_zswap_param("max_pool_percent", old);
	return ret;
}

static int kick_once(int arg)
{
	return store_over_limit();
}

int sa_zswap_kick(void)
{
	return call_at_no_limit(kick_once, 0);
}

/*
 * Kick the worker until zswap is empty, because the worker gives up after some
 * pages that it could not write back
 */
static int kick_until_empty(int seconds)
{
	double end = sa_now() + seconds;
	int ret = 0;

	while (!ret && sa_zswapped()) {
		if (sa_now() > end) {
			sa_log("zswap still holds %lld bytes after %d s",
			       sa_zswapped(), seconds);
			return -ETIMEDOUT;
		}
		ret = store_over_limit();
	}
	return ret;
}

int sa_zswap_drain(int seconds)
{
	return call_at_no_limit(kick_until_empty, seconds);
}

long long sa_violations(void)
{
	static char buf[16384];
	char *colon;
	long long n;

	if (sa_read(SA_DEBUG "/check", buf, sizeof(buf)) < 0)
		return 0;
	colon = strchr(buf, ':');
	n = colon ? strtoll(colon + 1, NULL, 10) : -1;
	if (n) {
		char *line, *save = NULL;
		int i = 0;

		for (line = strtok_r(buf, "\n", &save); line && i < 20;
		     line = strtok_r(NULL, "\n", &save), i++)
			sa_log("check: %s", line);
	}
	return n;
}

long long sa_scan_num(const char *key)
{
	return sa_read_key(SA_DEBUG "/check", key);
}
