#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the guest that scripts/check.d/47-hibernate boots: hibernates
# with swapped data in zswap and on a disk, and looks at the data afterwards.
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
check=/sys/kernel/debug/swap_abs/check
tiers=/sys/kernel/mm/swap/tiers
n=0

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

# keep NAME KIND PAGES: a program with so much memory, see hold.c; at most one NAME
keep() {
	mkfifo "/tmp/$1.in" "/tmp/$1.out"
	/bin/hold "$2" "$3" <"/tmp/$1.in" >"/tmp/$1.out" &
	eval "$1=$!"
	case $1 in
	a) exec 3>"/tmp/$1.in" 4<"/tmp/$1.out" ;;
	b) exec 5>"/tmp/$1.in" 6<"/tmp/$1.out" ;;
	esac
}

# ask NAME WORD: tell it, print its answer
ask() {
	case $1 in
	a) echo "$2" >&3 && read -r answer <&4 ;;
	b) echo "$2" >&5 && read -r answer <&6 ;;
	esac
	echo "$answer"
}

# drop NAME: end it
drop() {
	case $1 in
	a) exec 3>&- 4<&- ;;
	b) exec 5>&- 6<&- ;;
	esac
	eval "wait \$$1"
	rm -f "/tmp/$1.in" "/tmp/$1.out"
}

right() { [ "$(ask "$1" check)" = right ] || { echo "$answer"; false; }; }
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
keep a text 8192
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
keep b noise 8192
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
keep b noise 8192
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
keep b noise 48640
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
result "given up: slots were there for an image" [ "$(cat /tmp/snapshot)" = 3000 ]
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

echo "1..$n"
echo "# done"
poweroff -f
