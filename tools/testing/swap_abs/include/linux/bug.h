/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In the place of the kernel's <linux/bug.h>: a warning ends the test, where
 * that of tools/include would go on.
 */
#ifndef _SWAP_ABS_LINUX_BUG_H
#define _SWAP_ABS_LINUX_BUG_H

#include <stdio.h>
#include <stdlib.h>

#define WARN_ON_ONCE(condition) ({						\
	bool __warn = !!(condition);						\
										\
	if (__warn) {								\
		fprintf(stderr, "WARNING: %s:%d: %s\n", __FILE__, __LINE__,	\
			#condition);						\
		abort();							\
	}									\
	__warn;									\
})

#endif /* _SWAP_ABS_LINUX_BUG_H */
