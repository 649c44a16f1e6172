/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The library that the tests of the swap abstraction share. lib/ does not use
 * the test harness: a function returns 0 or -errno, or the value that its
 * comment describes, and the test decides what that value means.
 */
#ifndef SWAP_ABS_LIB_H
#define SWAP_ABS_LIB_H

#include "lib/area.h"
#include "lib/blockdev.h"
#include "lib/cgroup.h"
#include "lib/events.h"
#include "lib/file.h"
#include "lib/knobs.h"
#include "lib/pattern.h"
#include "lib/proc.h"
#include "lib/swapdev.h"
#include "lib/tier.h"
#include "lib/world.h"

#endif
