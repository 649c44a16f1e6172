#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run the tests of the swap abstraction as root on a machine that has no swap
# in use, usually a guest:
#
#   [-f] [-p] [-g] [-t SECONDS] [-o "TEST..."] [-b DIR] [DEVICE...]
#
#   DEVICE   block devices, or files for loop devices, that may be overwritten
#            (at least 256 MiB each; default /dev/ram0 and /dev/ram1)
#   -f       full: larger working sets, more rounds
#   -p       devices are written packed, where they can be
#   -g       the machine is for tests only: all of it may run out of memory (User
#            Mode Linux is taken to be)
#   -t       how long each soak test lasts (default 6, with -f 120)
#   -o       only these programs, "slots" for test_slots; "races:all" for one
#            variant of its tests
#   -b       where the programs are (default: beside this script)
#
# Prints one TAP stream, "ok 12 slots: on.zswap_takes_none", for all programs.
# Exit status: 0 when nothing failed, 1 when something did, 4 when no test ran.

bin=$(cd "$(dirname "$0")" && pwd)
full=0 seconds='' only=''
while getopts fpgt:o:b:h opt; do
	case $opt in
	f) full=1 ;;
	p) export SWAP_ABS_FORMAT=packed ;;
	g) export SWAP_ABS_GLOBAL=1 ;;
	t) seconds=$OPTARG ;;
	o) only=$OPTARG ;;
	b) bin=$OPTARG ;;
	*) sed -n '5,/^$/s/^#* \{0,1\}//p' "$0"; exit 2 ;;
	esac
done
shift $((OPTIND - 1))

if [ "$(id -u)" != 0 ]; then
	echo "TAP version 13"
	echo "1..0 # SKIP needs root"
	exit 4
fi

[ $# = 0 ] || SWAP_ABS_DEVS="$*"
export SWAP_ABS_DEVS="${SWAP_ABS_DEVS:-/dev/ram0 /dev/ram1}"
export SWAP_ABS_FULL=$full
[ -n "$seconds" ] || seconds=$([ $full = 1 ] && echo 120 || echo 6)
export SWAP_ABS_SECONDS="$seconds"
all="bad_input metadata slots packed packed_faults tiers groups moves blkcg blkcg_limits anon"
all="$all shmem madvise userfaultfd thp pressure swapoff capacity cpus exhaust toggle faults"
all="$all zswap_age"
tests=${only:-$all devices transient alloc_fails races}

if [ -e /proc/sys/vm/swap_abs ]; then layer=yes; else layer=no; fi
echo "TAP version 13"
echo "# $(uname -r), $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB," \
	"swap_abs: $layer, full: $full, devices: $SWAP_ABS_DEVS"

# Number the results of all programs as one. A program that dies without its
# closing lines, or prints fewer results than it planned, is a failure.
# (A loop of the shell: awk may sit on its input, and a user wants to see
# what runs now.)
flatten() {
	test=$1 n=$2 plan='' seen=0 pass=0 fail=0 skip=0
	while IFS= read -r line; do
		case $line in
		"TAP version"* | "# Totals"* | "# PASSED"* | "# FAILED"*) ;;
		1..*"# SKIP"*)
			n=$((n + 1)) plan=1 seen=1 skip=1
			echo "ok $n $test # SKIP ${line#*# SKIP}"
			;;
		1..*)
			plan=${line#1..} ;;
		"ok "[0-9]* | "not ok "[0-9]*)
			n=$((n + 1)) seen=$((seen + 1))
			case $line in
			not*)		fail=$((fail + 1)) word="not ok" ;;
			*"# SKIP"*)	skip=$((skip + 1)) word="ok" ;;
			*)		pass=$((pass + 1)) word="ok" ;;
			esac
			line=${line#*ok }
			line=${line#* }
			echo "$word $n $test: ${line#- }"
			;;
		"#"*)	echo "$line" ;;
		# Nothing else may look like a result of ours.
		*)	echo "# $line" ;;
		esac
	done
	if [ -z "$plan" ] || [ "$seen" -lt "$plan" ]; then
		n=$((n + 1)) fail=$((fail + 1))
		echo "not ok $n $test: ended after $seen of ${plan:-?} tests"
	fi
	echo "$n $pass $fail $skip" >"$3"
}

tmp=$(mktemp -d /tmp/swap_abs.XXXXXX) || exit 1
n=0 passed=0 failed=0 skipped=0
for t in $tests; do
	set -- "$bin/test_${t%%:*}"
	if [ ! -x "$1" ]; then
		n=$((n + 1)) failed=$((failed + 1))
		echo "not ok $n $t: $1 is not there"
		continue
	fi
	case $t in
	*:*) set -- "$1" -v "${t#*:}" ;;
	esac
	start=$(date +%s)
	"$@" 2>&1 </dev/null | flatten "${t%%:*}" "$n" "$tmp/counts"
	read -r n p f s <"$tmp/counts"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	echo "# $t: $p passed, $f failed, $s skipped in $(($(date +%s) - start)) s"
done
rm -rf "$tmp"
echo "1..$n"
echo "# Totals: pass:$passed fail:$failed skip:$skipped"
[ "$failed" = 0 ] || exit 1
[ "$passed" != 0 ] || exit 4
exit 0
