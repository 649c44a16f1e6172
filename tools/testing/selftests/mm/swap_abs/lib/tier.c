// SPDX-License-Identifier: GPL-2.0
/*
 * The files of tiers.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

const char *sa_tier_name(const char *device)
{
	static __thread char name[64];
	char path[512], text[256];
	const char *found = NULL;
	struct dirent *d;
	DIR *dir;

	dir = opendir(SA_TIERS);
	while (dir && !found && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SA_TIERS "/%s/device", d->d_name);
		if (sa_read(path, text, sizeof(text)) < 0)
			continue;
		text[strcspn(text, "\n")] = 0;
		if (device ? !strcmp(text, device) : !strcmp(d->d_name, "zswap")) {
			snprintf(name, sizeof(name), "%.63s", d->d_name);
			found = name;
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

int sa_tier_path(const char *device, const char *file, char *path, size_t size)
{
	const char *tier = sa_tier_name(device);

	if (!tier)
		return -ENOENT;
	snprintf(path, size, SA_TIERS "/%s/%s", tier, file);
	return 0;
}

long long sa_tier_num(const char *device, const char *file)
{
	char path[256];
	int ret = sa_tier_path(device, file, path, sizeof(path));

	return ret ? ret : sa_read_num(path);
}

int sa_tier_str(const char *device, const char *file, char *buf, size_t size)
{
	char path[256];
	int ret = sa_tier_path(device, file, path, sizeof(path));

	if (ret)
		return ret;
	ret = sa_read(path, buf, size);
	if (ret < 0)
		return ret;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

bool sa_tier_failed(const char *device)
{
	char state[64] = "";

	sa_tier_str(device, "state", state, sizeof(state));
	return !strcmp(state, "failed");
}

int sa_tier_write(const char *device, const char *file, const char *text)
{
	char path[256];
	int ret = sa_tier_path(device, file, path, sizeof(path));

	return ret ? ret : sa_write(path, text);
}

static int write_mark(const char *device, const char *file, int percent)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", percent);
	return sa_tier_write(device, file, text);
}

int sa_set_watermarks(const char *device, int high, int low)
{
	bool low_first = low <= sa_tier_num(device, "high_watermark");
	int ret;

	/*
	 * The order of the writes keeps the low mark below the high one, and
	 * never sets a mark below the wanted value, because a mark acts at
	 * once.
	 */
	ret = low_first ? write_mark(device, "low_watermark", low) : 0;
	if (!ret)
		ret = write_mark(device, "high_watermark", high);
	if (!ret && !low_first)
		ret = write_mark(device, "low_watermark", low);
	return ret;
}

/*
 * Read all numbers. A number that a tier does not have is -ENOENT in each read.
 */
void sa_stats_read(struct sa_stats *s, const char *device)
{
	memset(s, 0, sizeof(*s));
	s->stored = sa_tier_num(device, "stored");
	s->used = sa_tier_num(device, "used");
	s->store = sa_tier_num(device, "stats/store");
	s->load = sa_tier_num(device, "stats/load");
	s->moved_in = sa_tier_num(device, "stats/moved_in");
	s->moved_out = sa_tier_num(device, "stats/moved_out");
	s->errors = sa_tier_num(device, "stats/errors");
	s->collected = sa_tier_num(device, "stats/collected");
	s->refused = sa_tier_num(device, "stats/refused");
	s->written = sa_tier_num(device, "stats/written");
	s->pswpout = sa_vmstat("pswpout");
	s->pswpin = sa_vmstat("pswpin");
	s->zswpout = sa_vmstat("zswpout");
	s->zswpin = sa_vmstat("zswpin");
	s->zswpwb = sa_vmstat("zswpwb");
	if (device)
		sa_io_read(device, &s->io);
}

void sa_stats_delta(struct sa_stats *s, const char *device)
{
	long long *before = (long long *)s, *now;
	struct sa_stats seen;
	size_t i;

	sa_stats_read(&seen, device);
	now = (long long *)&seen;
	for (i = 0; i < sizeof(seen) / sizeof(*now); i++)
		before[i] = now[i] - before[i];
}
