// SPDX-License-Identifier: GPL-2.0
/*
 * The packed format of a kernel whose page size differs from the block size of
 * the format. Its name is known, so that an administrator who asks for it is
 * told that no device supports it.
 *
 * This file is built instead of mm/swap_abs/packed.c, and is called through the
 * table of operations.
 */
#include <linux/init.h>
#include "../swap.h"
#include "tier.h"

static bool swap_packed_supported(struct swap_info_struct *si)
{
	return false;
}

static const struct swap_format swap_packed_format = {
	.name		= "packed",
	.supported	= swap_packed_supported,
};

static int __init swap_packed_register(void)
{
	swap_format_register(&swap_packed_format);
	return 0;
}
subsys_initcall(swap_packed_register);
