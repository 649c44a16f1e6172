/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In the place of the kernel's <linux/list.h>: the lists of tools/include, with
 * a count of the entries that are looked at, so that a test can tell that a
 * choice among them is O(1).
 */
#ifndef _SWAP_ABS_LINUX_LIST_H
#define _SWAP_ABS_LINUX_LIST_H

#include_next <linux/list.h>
#include <linux/compiler.h>

/* One for the whole program, as the linker merges weak ones. */
__weak unsigned long list_looked_at;

#undef list_entry
#define list_entry(ptr, type, member)						\
	(list_looked_at++, container_of(ptr, type, member))

#endif /* _SWAP_ABS_LINUX_LIST_H */
