/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups, their usage of tiers, and their limits for tiers. */
#ifndef SWAP_ABS_LIB_CGROUP_H
#define SWAP_ABS_LIB_CGROUP_H

#include <stddef.h>

/* Return the root of cgroup v2 with the memory controller below it, or NULL */
const char *sa_cg_root(void);
/* Make a cgroup "sa_<name>" with memory.max, and write its path to @path */
int sa_cg_make(const char *name, size_t max_bytes, char *path, size_t size);
int sa_cg_write(const char *cg, const char *file, const char *value);
int sa_cg_write_num(const char *cg, const char *file, long long value);
long long sa_cg_num(const char *cg, const char *file);
long long sa_cg_key(const char *cg, const char *file, const char *key);
/* Move the current process into the cgroup */
int sa_cg_enter(const char *cg);
/* Kill all processes in a cgroup, and remove it and its children */
int sa_cg_destroy(const char *cg);
/*
 * Reclaim anonymous memory of the cgroup; return 0 if reclaim freed all @bytes
 * bytes, or -errno
 */
int sa_cg_try_reclaim(const char *cg, size_t bytes);
/* Reclaim up to @bytes bytes of anonymous memory */
void sa_cg_reclaim(const char *cg, size_t bytes);

#define SA_TIERS_MAX	"memory.swap.tiers.max"
#define SA_NO_LIMIT	0x7fffffffffffffffLL
/* Return the bytes that a cgroup has in a tier, from memory.stat */
long long sa_cg_tier(const char *cg, const char *device);
/* Return the limit of a cgroup for a tier in bytes, SA_NO_LIMIT, or -errno */
long long sa_cg_tier_max(const char *cg, const char *device);
int sa_cg_limit_tier(const char *cg, const char *device, const char *limit);

#endif
