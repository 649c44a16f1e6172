/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This fixture runs each test about one feature of mm without and with the
 * layer, and with the test's pages in zswap and on a device.
 */
#ifndef SWAP_ABS_BACKED_H
#define SWAP_ABS_BACKED_H

#include "kselftest_harness.h"
#include "swap_abs_lib.h"

FIXTURE(backed)
{
	/* before the test took any */
	long long swap_used;
};

FIXTURE_VARIANT(backed)
{
	bool on, zswap;
};

FIXTURE_VARIANT_ADD(backed, off_device) { .on = false, .zswap = false };

FIXTURE_VARIANT_ADD(backed, off_zswap) { .on = false, .zswap = true };

FIXTURE_VARIANT_ADD(backed, on_device) { .on = true, .zswap = false };

FIXTURE_VARIANT_ADD(backed, on_zswap) { .on = true, .zswap = true };

FIXTURE_SETUP(backed)
{
	const char *why = sa_begin_backed(variant->on, variant->zswap);

	if (why)
		SKIP(return, "%s", why);
	self->swap_used = sa_swap_used();
}

FIXTURE_TEARDOWN_PARENT(backed)
{
	EXPECT_EQ(0, sa_end());
}

#endif
