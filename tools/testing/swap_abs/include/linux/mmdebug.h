/* SPDX-License-Identifier: GPL-2.0 */
/* In the place of the kernel's: VM_WARN_ON_ONCE() ends the test. */
#ifndef _SWAP_ABS_LINUX_MMDEBUG_H
#define _SWAP_ABS_LINUX_MMDEBUG_H

#include <linux/bug.h>

#define VM_WARN_ON_ONCE(condition)	((void)WARN_ON_ONCE(condition))

#endif /* _SWAP_ABS_LINUX_MMDEBUG_H */
