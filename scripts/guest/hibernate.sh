#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the guest that scripts/check.d/47-hibernate boots: hibernates
# with swapped data in zswap, on a disk, and packed on another one that is half full,
# and looks at the data afterwards.
#
# It has nothing but its initramfs, so that nothing outside needs to be restored,
# and runs on through hibernation: the machine is off in the middle of a line, the
# next boot resumes it there. What it prints on the second serial line is TAP, with
# "# off" before the machine may go off, and "# done" at the end.

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug
exec </dev/null >/dev/ttyS1 2>&1
echo 1 >/proc/sys/kernel/panic_on_oops

disk=/dev/vda
packed=/dev/vdb
check=/sys/kernel/debug/swap_abs/check
tiers=/sys/kernel/mm/swap/tiers
n=0
owner=0

# result NAME COMMAND...: one test, passed when COMMAND succeeds
result() {
	name=$1 n=$((n + 1))
	shift
	if "$@" >/tmp/result 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/#   /' /tmp/result
	fi
}

note() { echo "# $*"; }

# keep NAME PATTERN PAGES: a program with so much memory, see hold.c; at most one NAME
keep() {
	mkfifo "/tmp/$1.in" "/tmp/$1.out"
	owner=$((owner + 1))
	# It has the other ends open as well, so that it sees no end of a file.
	/bin/hold "$2" "$3" "$owner" <>"/tmp/$1.in" 1<>"/tmp/$1.out" &
	eval "$1=$!"
}

# ask NAME WORD: tell it, print its answer
ask() {
	echo "$2" >"/tmp/$1.in"
	read -r answer <"/tmp/$1.out"
	echo "$answer"
}

# drop NAME: end it
drop() {
	echo end >"/tmp/$1.in"
	eval "wait \$$1"
	rm -f "/tmp/$1.in" "/tmp/$1.out"
}

right() { said=$(ask "$1" check); echo "$said"; [ "$said" = right ]; }
sane() { cat $check; head -n 1 $check | grep -q '^violations: 0$'; }
stored() { [ "$(cat $tiers/"$1"/stored)" -gt "$2" ] || { cat $tiers/"$1"/stored; false; }; }
said() { dmesg | tail -n 60 | grep "$1"; }

# swap_on KIB: so much of the disk
swap_on() { mkswap $disk "$1" >/dev/null && swapon $disk &&
	echo raw >/sys/kernel/mm/swap/tiers/swap0/format; }

# refused ERROR: hibernation fails with it, and the machine goes on
refused() {
	message=$({ echo disk >/sys/power/state; } 2>&1) && return 1
	echo "$message"
	echo "$message" | grep -q "$1"
}

# hibernate: off, and on again
hibernate() {
	echo "# off" >/dev/ttyS1
	sleep 1
	echo disk >/sys/power/state
}

# snapshot_is REGEX: what the program has said of its snapshot: slots, sectors written
snapshot_is() { cat /tmp/snapshot; grep -q "$1" /tmp/snapshot; }

# soon COMMAND...: it succeeds within ten seconds; what it has said last
soon() {
	tries=100
	until "$@" >/tmp/soon 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { cat /tmp/soon; return 1; }
		sleep 0.1
	done
}

# tier_of DISK: the directory of its tier
tier_of() {
	for t in "$tiers"/swap*; do
		[ "$(cat "$t/device")" != "$1" ] || echo "$t"
	done
}

count() { cat "$tier/stats/$1"; }
at_least() { count "$1"; [ "$(count "$1")" -ge "$2" ]; }

# grows STAT N: the tier counts N more soon
grows() { soon at_least "$1" $(($(count "$1") + $2)); }

# half_live: about half of what the tier can store is packed data in use
half_live() {
	live=$(count live_bytes) capacity=$(cat "$tier/capacity")
	echo "$live of $capacity bytes, $(count dead_bytes) dead"
	[ $((live * 100 / capacity)) -ge 40 ] && [ $((live * 100 / capacity)) -le 60 ]
}

# froze_soon: nothing of what the log has kept the freezer waiting for long
froze_soon() {
	dmesg | sed -n 's/.*Freezing \(.*\) completed (elapsed \(.*\) seconds).*/\2 s: \1/p' |
		sort -n | tail -n 3 >/tmp/froze
	cat /tmp/froze
	[ -s /tmp/froze ] && [ "$(tail -n 1 /tmp/froze | sed 's/\..*//')" -lt 2 ]
}

# freeze: all is frozen for a second, and thaws. The kernel has no other suspend, so
# the second is a parameter of hibernation.
freeze() {
	echo 1 >/sys/module/hibernate/parameters/pm_test_delay
	echo freezer >/sys/power/pm_test
	froze=yes
	echo disk >/sys/power/state || froze=no
	echo none >/sys/power/pm_test
	[ $froze = yes ]
}

# drain: move all that is in the tier to others
drain() { echo draining >"$tier/state"; }

# empty: nothing is in the tier, live or dead
empty() {
	for f in used stored stats/live_bytes stats/dead_bytes stats/segments; do
		echo "$f: $(cat "$tier/$f")"
		[ "$(cat "$tier/$f")" = 0 ] || return 1
	done
}

# nothing_left: no device, no data, and no slots but of what is in the swap cache or zero.
# The initramfs is swapped as memory is, so it is read first.
nothing_left() {
	cat /bin/busybox /bin/hold >/dev/null
	cat $check /proc/meminfo /proc/[0-9]*/status 2>/dev/null |
		grep -E '^(Swap|Zswap|VmSwap|slots|reserved|pinned|lost)' | tee /tmp/left
	! grep -E '^(Swap(Total|Free)|Zswap|Zswapped|reserved|pinned|lost):' /tmp/left |
		grep -qvE ' 0( kB)?$' &&
		[ "$(sed -n 's/^slots: //p' /tmp/left)" -le \
			"$(awk '/^(SwapCached|VmSwap)/ { n += $2 } END { print n / 4 }' /tmp/left)" ]
}

mkdir -p /tmp
# A boot that should have resumed, and did not, comes here again.
if ! grep -q 'guest.boot=1' /proc/cmdline; then
	echo "not ok 1 - the machine has resumed"
	echo "# done"
	poweroff -f
fi
echo shutdown >/sys/power/disk
echo 1 >/proc/sys/vm/swap_abs
zswap=/sys/module/zswap/parameters/enabled

# --- zswap alone
echo Y >$zswap
keep a repeat 8192
result "zswap has data without a device" [ "$(ask a out)" -gt 8000 ]
result "no device: hibernation is refused" refused "No such device"
result "no device: the log says why" said "Cannot find swap device"
result "no device: the data is right" right a
result "no device: back in zswap" [ "$(ask a out)" -gt 8000 ]
result "no device: the layer's self-check" sane

# --- a disk that is full of data: all of its clusters but the first, which has the
# header and is never lent
swap_on 32768
echo N >$zswap
keep b random 8192
result "the disk is full" [ "$(ask b out)" -ge $((15 * 512)) ]
result "full: hibernation is refused" refused "No space left"
result "full: the log says why" said "No swap slot is left for a hibernation image"
result "full: the data is right" right b
result "full: so is that in zswap" right a
echo Y >$zswap
ask a out >/dev/null
drop b
result "full: the layer's self-check" sane
result "full: swapoff" swapoff $disk

# --- a disk with data and room for an image
swap_on 262144
echo N >$zswap
keep b random 8192
ask b out >/dev/null
tier=$(basename $tiers/swap*)
result "data on the disk" stored "$tier" 16000000
result "data in zswap" stored zswap 16000000
result "hibernate and resume" hibernate
result "resumed: the data on the disk is right" right b
result "resumed: the data in zswap is right" right a
result "resumed: the layer's self-check" sane
ask b out >/dev/null
echo Y >$zswap
ask a out >/dev/null
result "resumed: swapoff" swapoff $disk
result "resumed: after swapoff the data is right" right b
drop b

# --- no free cluster, but every second slot is free. What the swap cache has still
# of the data must not be in the image, or that is too large: make the least of it.
echo 0 >/sys/power/image_size
swap_on 196608
echo N >$zswap
keep b random 48640
result "all clusters are lent" [ "$(ask b out)" -ge 48640 ]
ask b thin >/dev/null
result "half full: the data is on the disk" stored "$tier" 80000000
# half_used: all of the disk is lent, and half of it is in use
half_used() {
	while read -r dev _ size used _; do
		[ "$dev" != $disk ] || {
			echo "$used of $size"
			[ $((used * 100 / size)) -ge 40 ] && [ $((used * 100 / size)) -le 60 ]
			return
		}
	done </proc/swaps
	false
}
result "half full: so says /proc/swaps, though all is lent" half_used
result "half full: hibernate and resume" hibernate
result "half full: resumed, the data is right" right b
result "half full: so is that in zswap" right a
result "half full: the layer's self-check" sane

# --- given up after the image was made
ask b out >/dev/null
hold snapshot $disk 3000 >/tmp/snapshot
result "given up: slots were there for an image" snapshot_is '^3000 '
result "given up: nothing was written meanwhile" snapshot_is ' 0$'
sleep 1
result "given up: the layer's self-check" sane
result "given up: the data is right" right b
ask b out >/dev/null
result "given up: clusters wait for nobody" stored "$tier" 80000000
result "given up: swapoff" swapoff $disk
result "given up: after swapoff the data is right" right b
result "given up: so is that in zswap" right a
drop b
drop a

# --- a packed tier that is half full, of which data dies, is collected, and moves down to
# the disk of the image, while other data comes from zswap
echo Y >$zswap
keep a text 4096
result "packed: zswap has data" [ "$(ask a out)" -gt 4000 ]
echo N >$zswap
swap_on 262144
mkswap $packed >/dev/null
swapon $packed
tier=$(tier_of $packed)
echo 100 >"$tier/rank"
keep b text 21500
ask b out >/dev/null
ask b scatter >/dev/null
ask b churn >/dev/null
result "packed: it is collected" grows collected 4
result "packed: half of it is in use" half_live
result "packed: the freezer's test" freeze
result "packed: thawed, it is collected" grows collected 4
result "packed: thawed, half of it is in use" half_live
# What is dead there is free for /proc/swaps. So it must be for an image, as without the
# layer: of the 28 MiB that are free, 10 are asked for.
hold snapshot $packed 2560 >/tmp/snapshot
result "packed: its dead space is room for an image" snapshot_is '^2560 '
result "packed: nothing was written meanwhile" snapshot_is ' 0$'
note "$(half_live)"
# move_on: let data move from everywhere, about as much as can be done until all is frozen
move_on() {
	echo 30 >"$tier/low_watermark"
	echo 35 >"$tier/high_watermark"
	echo all >$tiers/zswap/demote 2>/dev/null &
}
# In the background, so that it begins when the machine is about to freeze.
{ sleep 0.9; move_on; } &
result "packed: hibernate and resume" hibernate
result "packed: resumed, data moves down" grows moved_out 1
echo 90 >"$tier/high_watermark"
echo 80 >"$tier/low_watermark"
note "$(half_live)"
result "packed: resumed, it is collected" grows collected 4
result "packed: resumed, the data is right" right b
result "packed: so is what was in zswap" right a
result "packed: the layer's self-check" sane

# --- and goes on
ask a out >/dev/null
ask b churn >/dev/null
result "packed: draining" drain
result "packed: draining, the freezer's test" freeze
result "packed: drained" soon empty
result "packed: nothing has kept the freezer waiting" froze_soon
result "packed: drained, the data is right" right b
result "packed: so is that of the other one" right a
result "packed: drained, the layer's self-check" sane
result "packed: swapoff" swapoff $packed
result "packed: swapoff of the disk of the image" swapoff $disk
result "packed: after swapoff the data is right" right b
drop b
drop a
result "packed: nothing is left" soon nothing_left

echo "1..$n"
echo "# done"
poweroff -f
