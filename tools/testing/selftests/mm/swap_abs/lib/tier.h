/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files of tiers. The path of a device stands for its tier, and NULL for
 * the tier of zswap.
 */
#ifndef SWAP_ABS_LIB_TIER_H
#define SWAP_ABS_LIB_TIER_H

#include <stdbool.h>
#include <stddef.h>

#include "swapdev.h"

/* Return the name of a tier, or NULL */
const char *sa_tier_name(const char *device);
long long sa_tier_num(const char *device, const char *file);
int sa_tier_str(const char *device, const char *file, char *buf, size_t size);
/* Tell whether the state of a tier is "failed" */
bool sa_tier_failed(const char *device);
int sa_tier_path(const char *device, const char *file, char *path, size_t size);
int sa_tier_write(const char *device, const char *file, const char *text);
/* Set both watermarks in percent, whatever their old values are */
int sa_set_watermarks(const char *device, int high, int low);

/* The usage of a tier, and the counters of that tier and of all swap */
struct sa_stats {
	long long stored, used;
	long long store, load, moved_in, moved_out, errors;
	long long collected, refused, written;
	long long pswpout, pswpin, zswpout, zswpin, zswpwb;
	struct sa_io io;
};

void sa_stats_read(struct sa_stats *s, const char *device);
/* Replace the values in @s by their change since sa_stats_read() */
void sa_stats_delta(struct sa_stats *s, const char *device);

#endif
