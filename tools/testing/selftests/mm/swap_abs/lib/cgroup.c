// SPDX-License-Identifier: GPL-2.0
/* Cgroups, their usage of tiers, and their limits for tiers. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

const char *sa_cg_root(void)
{
	static char root[256];
	static int known;
	char buf[4096], path[512], *line, *save = NULL;

	if (known)
		return root[0] ? root : NULL;
	known = 1;
	if (sa_read("/proc/mounts", buf, sizeof(buf)) < 0)
		return NULL;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char where[256], type[64];

		if (sscanf(line, "%*s %255s %63s", where, type) != 2 ||
		    strcmp(type, "cgroup2"))
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.subtree_control", where);
		if (!sa_write(path, "+memory")) {
			snprintf(root, sizeof(root), "%s", where);
			return root;
		}
	}
	return NULL;
}

int sa_cg_make(const char *name, size_t max_bytes, char *path, size_t size)
{
	int ret = 0;

	snprintf(path, size, "%s/sa_%s", sa_cg_root(), name);
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	if (max_bytes)
		ret = sa_cg_write_num(path, "memory.max", max_bytes);
	return ret;
}

int sa_cg_write(const char *cg, const char *file, const char *value)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_write(path, value);
}

int sa_cg_write_num(const char *cg, const char *file, long long value)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_write_num(path, value);
}

long long sa_cg_num(const char *cg, const char *file)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_read_num(path);
}

long long sa_cg_key(const char *cg, const char *file, const char *key)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cg, file);
	return sa_read_key(path, key);
}

int sa_cg_enter(const char *cg)
{
	return sa_cg_write(cg, "cgroup.procs", "0");
}

long long sa_cg_tier(const char *cg, const char *device)
{
	const char *tier = sa_tier_name(device);
	char key[128];

	if (!tier)
		return -ENOENT;
	snprintf(key, sizeof(key), "swap_tier_%s", tier);
	return sa_cg_key(cg, "memory.stat", key);
}

long long sa_cg_tier_max(const char *cg, const char *device)
{
	char path[512], text[4096], *line, *save = NULL;
	const char *tier = sa_tier_name(device);
	size_t len = tier ? strlen(tier) : 0;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", cg, SA_TIERS_MAX);
	ret = sa_read(path, text, sizeof(text));
	if (ret < 0)
		return ret;
	for (line = strtok_r(text, "\n", &save); tier && line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, tier, len) || line[len] != ' ')
			continue;
		line += len + 1;
		return strcmp(line, "max") ? strtoll(line, NULL, 10) : SA_NO_LIMIT;
	}
	return -ENOENT;
}

int sa_cg_limit_tier(const char *cg, const char *device, const char *limit)
{
	const char *tier = sa_tier_name(device);
	char text[128];

	if (!tier)
		return -ENOENT;
	snprintf(text, sizeof(text), "%s %s", tier, limit);
	return sa_cg_write(cg, SA_TIERS_MAX, text);
}

static void remove_children(const char *cg)
{
	char path[1024];
	struct dirent *d;
	DIR *dir = opendir(cg);

	while (dir && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", cg, d->d_name);
		rmdir(path);
	}
	if (dir)
		closedir(dir);
}

int sa_cg_destroy(const char *cg)
{
	long long left;

	sa_cg_write(cg, "cgroup.kill", "1");
	sa_wait(sa_cg_key(cg, "cgroup.events", "populated") != 1, 20);
	/*
	 * Swap-cache folios without a user hold slots, and would be charged to
	 * another cgroup.
	 */
	left = sa_cg_num(cg, "memory.current");
	if (left > 0)
		sa_cg_reclaim(cg, left);
	remove_children(cg);
	return sa_wait(!rmdir(cg) || errno == ENOENT, 20) ? 0 : -EBUSY;
}

int sa_cg_try_reclaim(const char *cg, size_t bytes)
{
	char text[64];
	int ret;

	/* Reclaim uses counters that the kernel sums up at this read. */
	sa_cg_key(cg, "memory.stat", "anon");
	snprintf(text, sizeof(text), "%zu swappiness=max", bytes);
	ret = sa_cg_write(cg, "memory.reclaim", text);
	return ret == -EINVAL ? sa_cg_write_num(cg, "memory.reclaim", bytes) : ret;
}

void sa_cg_reclaim(const char *cg, size_t bytes)
{
	int i;

	for (i = 0; i < 3; i++)
		sa_cg_try_reclaim(cg, bytes);
}
