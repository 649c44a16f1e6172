#!/bin/sh
# What swapping costs, inside the guest: scripts/guest/bench.sh DIR [ROUNDS]
#
# DIR is what scripts/selftests installed. With the ram disk as swap device, without
# zswap and with it; first as the kernel comes up, then with the layer on where there
# is one. Called by scripts/check.d/24-off-cost through scripts/vm.

bench=$1/mm/swap_abs/bench_swap
rounds=${2:-6}
export SWAP_ABS_DEVS=/dev/ram0

# Freed pages stay at hand: how they merge with their neighbours is chance.
echo 8 >/proc/sys/vm/percpu_pagelist_high_fraction
"$bench" -r "$rounds" && "$bench" -z -r "$rounds" || exit
[ -e /proc/sys/vm/swap_abs ] || exit 0
"$bench" -l -r "$rounds" && "$bench" -l -z -r "$rounds"
