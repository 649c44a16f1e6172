/* SPDX-License-Identifier: GPL-2.0 */
/* In the place of the kernel's <linux/crc32.h>, which tools/include lacks. */
#ifndef _SWAP_ABS_LINUX_CRC32_H
#define _SWAP_ABS_LINUX_CRC32_H

#include <linux/types.h>

u32 crc32c(u32 crc, const void *p, size_t len);

#endif /* _SWAP_ABS_LINUX_CRC32_H */
