/* SPDX-License-Identifier: GPL-2.0 */
/* In the place of the kernel's <linux/minmax.h>: tools/include has it elsewhere. */
#ifndef _SWAP_ABS_LINUX_MINMAX_H
#define _SWAP_ABS_LINUX_MINMAX_H

#include <linux/kernel.h>

#endif /* _SWAP_ABS_LINUX_MINMAX_H */
