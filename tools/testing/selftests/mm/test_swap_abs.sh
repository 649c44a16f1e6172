#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run those tests of the swap abstraction that together take less than five minutes.
# All of them are in swap_abs/: run_kselftest.sh -c mm/swap_abs, or run_swap_abs.sh.
#
#   SWAP_ABS_DEVS   block devices that may be overwritten, of 512 MiB each, or one of
#                   1 GiB and more, which losetup makes two of; else two files in
#   SWAP_ABS_DIR    a directory that is on a disk (default /var/tmp)

# Kselftest framework requirement - SKIP code is 4.
ksft_skip=4

tests="bad_input metadata slots anon shmem madvise userfaultfd thp swapoff toggle moves"
tests="$tests tiers alloc_fails"

skip()
{
	echo "$0: $*"
	exit $ksft_skip
}

[ "$(id -u)" = 0 ] || skip "must be run as root"
[ -x swap_abs/run_swap_abs.sh ] || skip "swap_abs is not built: TARGETS=\"mm mm/swap_abs\""
[ -e /proc/sys/vm/swap_abs ] || skip "the kernel is without CONFIG_SWAP_ABS"
used=$(awk 'NR > 1 { printf " %s", $1 }' /proc/swaps)
[ -z "$used" ] || skip "in use as swap, so swapoff first:$used"

dir='' loops=''
cleanup()
{
	for loop in $loops; do
		losetup -d "$loop"
	done
	[ -z "$dir" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT PIPE TERM

# Make a loop device of a half of a block device: halve DEVICE BYTES OFFSET
halve()
{
	loop=$(losetup -f --show --sizelimit "$2" -o "$3" "$1") || skip "losetup: no half of $1"
	loops="$loops $loop"
}

if [ -n "$SWAP_ABS_DEVS" ]; then
	for dev in $SWAP_ABS_DEVS; do
		[ -e "$dev" ] || skip "$dev of SWAP_ABS_DEVS does not exist"
	done
	size=$(blockdev --getsize64 "$SWAP_ABS_DEVS" 2>/dev/null)
	if [ "${size:-0}" -ge 1073741824 ]; then
		half=$((size / 2 / 1048576 * 1048576))
		halve "$SWAP_ABS_DEVS" $half 0
		halve "$SWAP_ABS_DEVS" $half $half
		SWAP_ABS_DEVS=$loops
	fi
else
	parent=${SWAP_ABS_DIR:-/var/tmp}
	case $(stat -f -c %T "$parent") in
	tmpfs | ramfs) skip "$parent is in memory: set SWAP_ABS_DEVS or SWAP_ABS_DIR" ;;
	esac
	[ -e /dev/loop-control ] || modprobe -q loop || skip "no loop devices: set SWAP_ABS_DEVS"
	dir=$(mktemp -d "$parent/swap_abs.XXXXXX") || skip "cannot make a file in $parent"
	for i in 0 1; do
		dd if=/dev/zero of="$dir/$i" bs=1M count=512 2>/dev/null ||
			skip "no room for 1 GiB in $parent"
	done
	SWAP_ABS_DEVS="$dir/0 $dir/1"
fi
export SWAP_ABS_DEVS

swap_abs/run_swap_abs.sh -o "$tests"
