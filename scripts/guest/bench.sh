#!/bin/sh
# What swapping costs, inside the guest: MATRIX=NAME scripts/guest/bench.sh DIR
#
# DIR has the benches of scripts/selftests. Runs those that NAME stands for, in each of the
# states of the layer in LAYERS ("off", "off on"). One line of figures each. Called by
# scripts/bench and scripts/check.d/24-off-cost through scripts/vm.

dir=$1
case $MATRIX in
counted | counted1 | off-cost)
	# Freed pages stay at hand: how they merge with their neighbours is chance.
	echo 8 >/proc/sys/vm/percpu_pagelist_high_fraction ;;
esac

# bench PROGRAM OPTION...: a row of figures, with the layer in its state
bench() {
	program=$dir/bench_$1
	shift
	[ "$layer" = off ] || set -- -l "$@"
	"$program" "$@" || exit
}

for layer in ${LAYERS:-off}; do
	case $MATRIX in
	off-cost)
		bench swap -r 6
		bench swap -z -r 6 ;;
	counted*)
		bench swap -r 6
		bench swap -s -r 3
		bench swap -k 64 -r 3
		bench swap -z -r 6
		bench swap -z -k 64 -r 3
		[ "$MATRIX" = counted ] || {
			bench swap -k 2048 -r 3
			bench swap -s -k 64 -r 3
			bench swap -s -k 2048 -r 3
			bench swap -z -s -r 3
			bench swap -z -c zstd -r 3
		} ;;
	timed*)
		bench swap -m -n 16384 -r 9
		bench swap -m -s -n 16384 -r 9
		bench swap -m -z -n 16384 -r 9
		[ "$MATRIX" = timed ] || {
			bench swap -m -z -s -n 16384 -r 9
			bench swap -m -z -c zstd -n 16384 -r 9
		} ;;
	memory)
		bench swap -z -M -n 65536 -r 1 ;;
	cpus)
		# QEMU's disk says that it rotates, for which 7.3 has one cluster for all CPUs.
		for disk in $SWAP_ABS_DEVS; do
			echo 0 >"/sys/block/${disk##*/}/queue/rotational"
		done
		formats='raw packed'
		[ "$layer" = on ] || formats=raw
		for f in $formats; do
			bench cpus -f "$f" -t 1
			bench cpus -f "$f" -t 2
		done ;;
	swapoff)
		shared='-p 64 -n 16384 -m 65536'
		# shellcheck disable=SC2086 # words are meant
		if [ "$layer" = off ]; then
			bench swapoff $shared
		else
			bench swapoff $shared -f raw -d ram
			bench swapoff $shared -f raw -d zswap
			bench swapoff $shared -f raw -d device
			bench swapoff $shared -f packed -d ram
			bench swapoff $shared -f packed -d zswap
		fi ;;
	writeback*)
		compressors=lz4 data='text third' formats=packed
		[ "$MATRIX" = writeback ] ||
			{ compressors='lz4 zstd' data='text mixed third' formats='raw packed'; }
		[ "$layer" = on ] || formats=off
		for c in $compressors; do
			for d in $data; do
				for f in $formats; do
					"$dir/bench_writeback" -f "$f" -c "$c" -d "$d" || exit
				done
			done
		done ;;
	esac
done
