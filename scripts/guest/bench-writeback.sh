#!/bin/sh
# Writeback of zswap to a slow device, inside the guest:
#
#   scripts/guest/bench-writeback.sh DIR [FORMAT...]
#
# DIR is what scripts/selftests installed. For each way of writing, compressor and
# kind of data one line of figures. Called by scripts/bench-writeback through scripts/vm.

bench=$1/mm/swap_abs/bench_writeback
shift
for compressor in lz4 zstd; do
	for data in text mixed third; do
		for format; do
			"$bench" -f "$format" -c "$compressor" -d "$data" || exit
		done
	done
done
