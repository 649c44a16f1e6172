#!/bin/bash
# The demonstration of make run, inside the guest: a real job (sort over the
# sources in the kernel's fs/, with the host's sort) that gets less memory than it
# needs:
#
#   1  without a limit: what the result must be, and how much memory it takes
#   2  three quarters of that, zswap and a disk: it fits in zswap, the disk stays empty
#   3  the same, zswap kept small: the rest goes to the disk, and the disk is
#      then swapped off under the job: what stood on it moves
#   4  the same with the disk written page by page, and packed: what is written for
#      the same memory
#   5  three tiers that fill from the top: zswap, the disk, a second disk; the first
#      disk is then drained under the job
#
# The tiers are shown as a table before, during and after. Exit 0 only if all of
# it held. Called by scripts/run through scripts/vm, which sets DISKS.

set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
cg=/sys/fs/cgroup
disk=${DISKS%% *}
disk2=${DISKS##* }
tiers=/sys/kernel/mm/swap/tiers
work=/tmp/demo
bad=0
limit='' # of memory of the job's cgroup; none if empty

step() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }

# hold WHAT COMMAND...: something that must be so
hold() {
	local what=$1
	shift
	if "$@"; then
		note "ok: $what"
	else
		note "NOT SO: $what"
		bad=1
	fi
}

mib() { awk -v b="$1" 'BEGIN { printf "%.1f MiB", b / 1048576 }'; }
value() { cat "$1" 2>/dev/null || echo 0; }

# tier_of DISK: the directory of its tier
tier_of() { dirname "$(grep -lx "$1" "$tiers"/*/device || echo "$tiers/none/device")"; }

# disk_used: bytes of the disk that swap has taken, from /proc/swaps (KiB)
disk_used() { awk -v d="$disk" '$1 == d { n = $4 * 1024 } END { print n + 0 }' /proc/swaps; }

# table WHEN: how much is where
table() {
	note "$1:"
	"$top/build/swaptiers" | sed 's/^/   /'
	sed '1d; s/^/   \/proc\/swaps: /' /proc/swaps
}

# job: sort, in the cgroup; the checksum of its output goes to $work/sum
job() {
	find "$top/build/linux/fs" -name '*.[ch]' -print0 | sort -z | xargs -0 cat |
		(echo 0 >"$cg/$group/cgroup.procs" && exec sort -S 700M --parallel=1 -T /nonexistent) |
		md5sum >"$work/sum"
	[ "${PIPESTATUS[3]}" = 0 ] || echo failed >"$work/sum"
}

# watched CGROUP [FUNCTION]: run the job there and look at it every second. Sets most (the
# disk's highest use) and swapped, and keeps the table of the moment with most in swap.
# FUNCTION is called at each look until it returns 0. The job must end well, with the
# output that it has without a limit.
watched() {
	local act=${2-} pid start=$SECONDS swap d looks=0
	group=$1 most=0 swapped=0
	mkdir -p "$cg/$group"
	[ -z "$limit" ] || echo "$limit" >"$cg/$group/memory.max"
	job &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		d=$(disk_used)
		[ "$d" -le "$most" ] || most=$d
		swap=$(value "$cg/$group/memory.swap.current")
		if [ "$swap" -gt "$swapped" ]; then
			swapped=$swap
			table "during, when most was in swap ($(mib "$swap"))" >"$work/during"
		fi
		looks=$((looks + 1))
		[ $((looks % 5)) != 0 ] || note "$((SECONDS - start)) s: in memory $(mib "$(value "$cg/$group/memory.current")"), in swap $(mib "$swap"), on the disk $(mib "$d")"
		if [ -n "$act" ] && "$act"; then
			act=
		fi
	done
	wait "$pid"
	took=$((SECONDS - start))
	: "${want:=$(cat "$work/sum")}"
	hold "the job ended well, its output is the same ($took s)" \
		[ "$(cat "$work/sum")" = "$want" -a "$want" != failed ]
}

# small_zswap CGROUP: so much that most goes on to a disk
small_zswap() {
	mkdir "$cg/$1" && echo $((need / 64)) >"$cg/$1/memory.zswap.max" || bad=1
}

# written FORMAT: run the job with the disk in that format, add a line to
# $work/written, set bytes[FORMAT] (a page) and writes[FORMAT] (100000 pages)
declare -A bytes writes
written() {
	local tier before after pages size nr stat=/sys/class/block/${disk#/dev/}/stat
	swapon "$disk" && tier=$(tier_of "$disk") && echo "$1" >"$tier/format" || bad=1
	small_zswap "$1"
	read -ra before <"$stat"
	watched "$1"
	read -ra after <"$stat"
	pages=$(($(value "$tier/stats/store") + $(value "$tier/stats/moved_in")))
	hold "$1: the disk was needed" [ "$pages" -gt 1000 ]
	[ "$pages" -gt 0 ] || pages=1
	size=$(((after[6] - before[6]) * 512)) nr=$((after[4] - before[4]))
	bytes[$1]=$((size / pages)) writes[$1]=$((nr * 100000 / pages))
	table "$1, at the end of the job"
	printf '   %-8s %12d %14s %12s %14d %10d %4d s\n' "$1" "$pages" "$(mib $((pages * 4096)))" \
		"$(mib "$size")" "${bytes[$1]}" "$nr" "$took" >>"$work/written"
	swapoff "$disk" || bad=1
}

# Step 3: once there is enough on the disk, zswap may take all, and the disk goes.
moved=0
take_away() {
	local on
	on=$(disk_used)
	[ "$on" -gt $((need / 16)) ] || return 1
	table "before swapoff, $(mib "$on") on the disk"
	echo max >"$cg/$group/memory.zswap.max"
	! swapoff "$disk" || moved=$on
	table "after swapoff"
}

# Step 5: three tiers have a MiB or more each: the one in the middle is drained then.
drain_middle() {
	local t full=
	for t in "$tiers/zswap" "$first" "$second"; do
		full+="$(($(value "$t/stored") >> 20)) "
	done
	case " $full" in *" 0 "*) return 1 ;; esac
	note "in zswap, $disk and $disk2 are $full(MiB of pages): $disk is drained"
	echo draining >"$first/state" || bad=1
}

emptied() { # TIER: within a minute
	local end=$((SECONDS + 60))
	until [ "$(cat "$1/used")" = 0 ]; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 1
	done
}

# ---------------------------------------------------------------------------
mkdir -p "$work"
echo +memory >"$cg/cgroup.subtree_control"
echo "$(uname -sr), $(nproc) CPUs, $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB"

step "1. the job without a limit"
watched free
need=$(value "$cg/free/memory.peak")
note "needs $(mib "$need"), md5 of its output $want"
# Less, and 7.3 as it is kills the job, too: what is compressed is charged as well.
limit=$((need * 3 / 4))

step "2. three quarters of that memory; zswap on, $disk as a second tier"
# With compressed memory below, reading neighbours ahead only fills the cgroup.
sysctl -q -w vm.page-cluster=0
echo zstd >/sys/module/zswap/parameters/compressor
echo 50 >/sys/module/zswap/parameters/max_pool_percent
echo 1 >/sys/module/zswap/parameters/enabled
hold "vm.swap_abs=1" sysctl -q -w vm.swap_abs=1
mkswap "$disk" >/dev/null && swapon "$disk" || bad=1
# Page by page, so that what the disk has taken is what was written.
echo raw >"$(tier_of "$disk")/format"
table before
watched half
cat "$work/during"
table after
hold "it did swap" [ "$swapped" -gt $((need / 16)) ]
hold "the disk was not used at all" [ "$most" = 0 ]

step "3. the same, zswap kept small; then swapoff $disk under the job"
small_zswap small
watched small take_away
table "at the end"
hold "swapoff emptied the disk under the job: $(mib "$moved") moved" [ "$moved" -gt 0 ]
hold "the disk is out of /proc/swaps" [ "$(grep -c "^$disk " /proc/swaps)" = 0 ]

step "4. zswap kept small: $disk written page by page (raw), and packed"
for format in raw packed; do
	written "$format"
done
printf '   %-8s %12s %14s %12s %14s %10s %6s\n' format 'pages out' 'memory freed' written \
	'bytes a page' writes time
cat "$work/written"
hold "packed, less than three quarters of the bytes a page are written" \
	[ "$((bytes[packed] * 4))" -lt "$((bytes[raw] * 3))" ]
hold "packed, in fewer writes a page" [ "${writes[packed]}" -lt "${writes[raw]}" ]

step "5. three tiers, small from the top: zswap, $disk, $disk2; then $disk drained"
mkswap "$disk" 65536 >/dev/null 2>&1 && mkswap "$disk2" >/dev/null || bad=1
swapon -p 20 "$disk" && swapon -p 10 "$disk2" || bad=1
first=$(tier_of "$disk") second=$(tier_of "$disk2")
# So that even this job has a use for the second one.
echo 8 >"$first/low_watermark" && echo 16 >"$first/high_watermark" || bad=1
small_zswap three
"$top/build/swaptiers" --watch=5 > >(sed 's/^/   /') &
watcher=$!
watched three drain_middle
kill "$watcher" && wait "$watcher" 2>/dev/null
table "at the end of the job"
hold "all three had data at once, from the top down" [ "$(value "$second/stats/moved_in")" -gt 0 ]
hold "$disk was drained" [ "$(cat "$first/state")" = draining ]
hold "$disk is empty" emptied "$first"
swapoff "$disk" && swapoff "$disk2" || bad=1

echo
if [ "$bad" = 0 ]; then
	echo "demo: all held"
else
	echo "demo: something did not hold"
fi
exit "$bad"
