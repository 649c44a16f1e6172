/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files of tiers. A device stands for its tier, NULL for that of zswap.
 */
#ifndef SWAP_ABS_LIB_TIER_H
#define SWAP_ABS_LIB_TIER_H

#include <stdbool.h>
#include <stddef.h>

#include "swapdev.h"

/* Return the name of a tier, or NULL */
const char *sa_tier(const char *device);
long long sa_tier_num(const char *device, const char *file);
int sa_tier_str(const char *device, const char *file, char *buf, size_t size);
/* Tell whether the state of a tier is "failed" */
bool sa_tier_failed(const char *device);
int sa_tier_path(const char *device, const char *file, char *path, size_t size);
int sa_tier_write(const char *device, const char *file, const char *text);
/* Set both watermarks in percent, whatever they were before */
int sa_watermarks(const char *device, int high, int low);

/* What a tier has, and what it and all of swap have done so far */
struct sa_seen {
	long long stored, used;
	long long store, load, moved_in, moved_out, errors;
	long long collected, refused, written;
	long long pswpout, pswpin, zswpout, zswpin, zswpwb;
	struct sa_io io;
};

void sa_see(struct sa_seen *s, const char *device);
/* Make @s what has changed since sa_see() */
void sa_since(struct sa_seen *s, const char *device);

#endif
