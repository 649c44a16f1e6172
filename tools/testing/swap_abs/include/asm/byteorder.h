/* SPDX-License-Identifier: GPL-2.0 */
/* In the place of the kernel's <asm/byteorder.h>: tools/include has it elsewhere. */
#ifndef _SWAP_ABS_ASM_BYTEORDER_H
#define _SWAP_ABS_ASM_BYTEORDER_H

#include <linux/kernel.h>

#endif /* _SWAP_ABS_ASM_BYTEORDER_H */
