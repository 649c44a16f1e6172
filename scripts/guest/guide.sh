#!/bin/bash
# Does what the admin guide says work? Inside the guest:
#
#   scripts/guest/guide.sh [--dry-run] [--pasted] RST [RECIPE...]
#
# Takes each literal block of Documentation/admin-guide/mm/swap-abstraction.rst for
# commands, and runs them line by line. A comment line before the blocks names what
# they are:
#
#   .. guide: NAME [setup=RECIPE] [devices=/dev/A,/dev/B]
#
# The commands of "setup" run before; the devices, in their order, are replaced by the
# guest's disks ($DISKS). What must be so before them is made by the function
# before_NAME, and what the guide says of them is checked by check_NAME ("-" in names
# is "_"), which each recipe has. Everything is then put back. --dry-run prints what
# would run, and finds a block without a name, a recipe without a check and a check
# without a recipe. --pasted is for a recipe that somebody has pasted into a shell: no
# device is replaced, and no command run, only checked what they did. Prints TAP.
# Called by scripts/check.d/49-guide through scripts/vm.

set -u
export LC_ALL=C

dry='' pasted=''
[ "${1-}" != --dry-run ] || { dry=1; shift; }
[ "${1-}" != --pasted ] || { pasted=1; shift; }
[ $# -gt 0 ] || { echo "usage: guide.sh [--dry-run] [--pasted] RST [RECIPE...]" >&2; exit 2; }
rst=$1
shift
top=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=$top/build:$PATH
read -ra disks <<<"${DISKS:-/dev/vda /dev/vdb}"

cg=/sys/fs/cgroup
tiers=/sys/kernel/mm/swap/tiers
zswap=/sys/module/zswap/parameters
files=/dev/shm/guide		# the data, in tmpfs: it can be swapped out
dm=guide-failing
mib=$((1 << 20))
size=$((40 * mib))		# of the text that is swapped out
noise=$((64 * mib))		# and of what does not compress

# --- what the guide has

order=()			# the recipes
declare -A setup devices commands	# of each; commands are lines
bad_rst=0

complain() { echo "# $rst: $*"; bad_rst=1; }

# extract: one line for each marker and each command: "R NAME WORD...", "C COMMAND"
extract() {
	awk '
		{ gsub(/\t/, "        "); match($0, /^ */); indent = RLENGTH }
		/^ *$/ { next }
		# Inside a block, or its first line
		state && indent > base { state = 2; print "C " substr($0, indent + 1); next }
		state == 1 { print "E line " NR ": \"::\" without a block" }
		{ state = 0 }
		/^ *\.\. guide: / { sub(/^ *\.\. guide: */, ""); print "R " $0; next }
		/^ *\.\. / { next }
		/::$/ { state = 1; base = indent }
	' "$rst"
}

read_rst() {
	local kind rest name='' word words
	while read -r kind rest; do
		case $kind in
		E)	complain "$rest" ;;
		C)	[ -n "$name" ] || { complain "a block of no recipe: $rest"; continue; }
			commands[$name]+=$rest$'\n' ;;
		R)	read -ra words <<<"$rest"
			name=${words[0]}
			[ -z "${commands[$name]+1}" ] || complain "two recipes named $name"
			order+=("$name")
			commands[$name]='' setup[$name]='' devices[$name]=''
			for word in "${words[@]:1}"; do
				case $word in
				setup=*)	setup[$name]=${word#*=} ;;
				devices=*)	devices[$name]=${word#*=} ;;
				*)		complain "$name: what is $word?" ;;
				esac
			done ;;
		esac
	done < <(extract)
	[ ${#order[@]} -gt 0 ] || complain "no recipe"
}

# Each recipe has commands and a check, each check a recipe, each setup comes before.
lint() {
	local name seen=' ' f
	for name in "${order[@]}"; do
		[ -n "${commands[$name]}" ] || complain "$name has no commands"
		declare -F "check_${name//-/_}" >/dev/null || complain "$name has no check"
		case "$seen" in
		*" ${setup[$name]:-$name} "*) ;;
		*) [ -z "${setup[$name]}" ] || complain "$name: no recipe ${setup[$name]} before it" ;;
		esac
		seen+="$name "
	done
	while read -r _ _ f; do
		case $f in
		check_* | before_* | disks_*)
			case "${seen//-/_}" in
			*" ${f#*_} "*) ;;
			*) complain "no recipe for $f" ;;
			esac ;;
		esac
	done < <(declare -F)
}

# --- the commands

declare -A disk_of	# the guide's devices: the guest's disks
spare=()		# disks that stand for none yet

# substituted COMMAND: with the guest's disks, in $line
substituted() {
	local dev
	line=$1
	for dev in "${!disk_of[@]}"; do
		line=$(sed "s#$dev\\([^[:alnum:]/_-]\\|\$\\)#${disk_of[$dev]}\\1#g" <<<"$line")
	done
}

# strange COMMAND: is there a disk in it that is none of the guest's?
strange() {
	local dev rest=$1
	for dev in "${disks[@]}"; do
		rest=${rest//"$dev"/}
	done
	[[ $rest =~ /dev/(sd|nvme|mmcblk|ubd|vd|hd) ]]
}

# commands_of NAME: with those of its setup before, each checked
commands_of() {
	local name=$1 dev command list
	[ -z "${setup[$name]}" ] || commands_of "${setup[$name]}" || return
	IFS=, read -ra list <<<"${devices[$name]}"
	for dev in ${list[@]+"${list[@]}"}; do
		[ -z "${disk_of[$dev]-}" ] || continue
		if [ -n "$pasted" ]; then
			disk_of[$dev]=$dev disks+=("$dev")
			continue
		fi
		[ ${#spare[@]} -gt 0 ] || { echo "# no disk is left for $dev"; return 1; }
		disk_of[$dev]=${spare[0]}
		spare=("${spare[@]:1}")
	done
	if [ -z "$dry" ] && declare -F "before_${name//-/_}" >/dev/null; then
		"before_${name//-/_}" || { echo "# $name: could not be prepared"; return 1; }
	fi
	while IFS= read -r command; do
		[ -n "$command" ] || continue
		substituted "$command"
		if strange "$line"; then
			echo "# $name: devices= does not have the device in: $line"
			return 1
		fi
		if [ -n "$dry" ]; then
			echo "    $line"
			continue
		fi
		[ -z "$pasted" ] || continue
		echo "# \$ $line"
		# One that waits for ever has failed, too.
		timeout 120 bash -o pipefail -c "$line" </dev/null >/tmp/guide.out 2>&1 || {
			echo "# fails with $?:"
			tail -n 10 /tmp/guide.out | sed 's/^/#   /'
			return 1
		}
		head -n 12 /tmp/guide.out | cut -c 1-150 | sed 's/^/#   /'
	done <<<"${commands[$name]}"
}

# --- what checks are made of

# so WHAT COMMAND...: it must succeed
so() {
	local what=$1
	shift
	"$@" && return
	echo "# not so: $what"
	return 1
}

# soon WHAT COMMAND...: it must succeed within half a minute
soon() {
	local what=$1 end=$((SECONDS + 30))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || { so "$what" false; return; }
		sleep 0.2
	done
}

value() { cat "$tiers/$1"; }

# at_least FILE N, at_most FILE N: a number of a tier
at_least() { [ "$(value "$1")" -ge "$2" ]; }
at_most() { [ "$(value "$1")" -le "$2" ]; }
is() { [ "$(value "$1")" = "$2" ]; }
setting() { [ "$(cat "$1")" = "$2" ]; }

# below TIER PERCENT: no more of it is used
below() { [ $(($(value "$1/used") * 100)) -le $(($(value "$1/capacity") * $2)) ]; }

# stat_of CGROUP TIER: its bytes there
stat_of() { awk -v n="swap_tier_$2" '$1 == n { v = $2 } END { print v + 0 }' "$cg/$1/memory.stat"; }
cg_least() { [ "$(stat_of "$1" "$2")" -ge "$3" ]; }
cg_most() { [ "$(stat_of "$1" "$2")" -le "$3" ]; }

# fill CGROUP [noise]: data of it in tmpfs, most of which is then swapped out
fill() {
	local group=$1 kind=${2-text} want i
	if [ ! -d "$cg/$group" ]; then
		echo +memory >"$cg/cgroup.subtree_control"
		mkdir "$cg/$group" || return
	fi
	mkdir -p "$files"
	(
		echo 0 >"$cg/$group/cgroup.procs" || exit
		if [ "$kind" = text ]; then
			exec dd if=/tmp/guide.text of="$files/$group" bs=1M status=none
		fi
		exec dd if=/dev/urandom of="$files/$group" bs=1M count="$noise" \
			iflag=count_bytes,fullblock status=none
	) || return
	md5sum "$files/$group" >"/tmp/guide.md5.$group"
	want=$(($(stat -c %s "$files/$group") * 3 / 4))
	for ((i = 0; i < 40; i++)); do
		# Less than that is an error, but not here.
		echo "$((8 * mib))" 2>/dev/null >"$cg/$group/memory.reclaim" || sleep 0.1
		[ "$(cat "$cg/$group/memory.swap.current")" -lt "$want" ] || return 0
	done 2>/dev/null
	grep -E 'anon|file|shmem|zswap|swap' "$cg/$group/memory.stat" /proc/meminfo | sed 's/^.*\//#   /'
	so "most of the data is swapped out: $(cat "$cg/$group/memory.swap.current") of $want" false
}

# right CGROUP...: the data is what it was; reads all of it
right() {
	local group
	for group; do
		so "the data of $group is right" md5sum --quiet -c "/tmp/guide.md5.$group" || return
	done
}

# demoted TIER SIZE: by the one file, so that a lower tier has something
demoted() { so "$2 of $1 is demoted" eval "echo $2 >$tiers/$1/demote"; }

# --- the recipes. Their commands have run, "before" ran just before them.

check_on() { so "the layer is on" setting /proc/sys/vm/swap_abs 1; }

check_off() { so "the layer is off" setting /proc/sys/vm/swap_abs 0; }

check_laptop() {
	so "the layer is on" setting /proc/sys/vm/swap_abs 1 &&
		so "zswap is on" setting "$zswap/enabled" Y &&
		so "its compressor is zstd" setting "$zswap/compressor" zstd &&
		so "the partition is in use" grep -q "^${disk_of[/dev/nvme0n1p3]} " /proc/swaps &&
		so "the SSD is packed" is swap0/format packed &&
		fill guide &&
		so "the data is in zswap" at_least zswap/stored $((size / 2)) &&
		so "and smaller there" at_most zswap/used "$(($(value zswap/stored) * 2 / 3))" &&
		so "the SSD has none of it" is swap0/stored 0 &&
		demoted zswap all &&
		so "it is written out" at_least swap0/stored $((size / 2)) &&
		so "packed" at_most swap0/used "$(($(value swap0/stored) * 3 / 4))" &&
		right guide
}

check_shrinker() {
	so "the shrinker is on" setting "$zswap/shrinker_enabled" Y &&
		fill guide && right guide
}

check_server() {
	so "the NVMe's rank" is swap0/rank 32668 &&
		so "the disk's rank" is swap1/rank 32758 &&
		so "zswap's rank" is zswap/rank 0 &&
		fill guide &&
		so "the data is in zswap" at_least zswap/stored $((size / 2)) &&
		demoted zswap all &&
		so "it went to the NVMe" at_least swap0/stored $((size / 2)) &&
		so "the disk has nothing" is swap1/stored 0 &&
		demoted swap0 all &&
		so "then to the disk" at_least swap1/stored $((size / 2)) &&
		right guide
}

check_phone() {
	local total
	total=$(awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo)
	so "no device" [ "$(wc -l </proc/swaps)" = 1 ] &&
		so "SwapTotal is 0" grep -qE '^SwapTotal: +0 kB' /proc/meminfo &&
		so "the limit is 40 %" at_least zswap/capacity $((total * 38 / 100)) &&
		so "and not more" at_most zswap/capacity $((total * 42 / 100)) &&
		fill guide &&
		so "the data is in zswap" at_least zswap/stored $((size / 2)) &&
		right guide
}

check_phone_flash() {
	so "the flash is packed" is swap0/format packed &&
		so "the mark is 100" is zswap/high_watermark 100 &&
		fill guide &&
		so "nothing is written" is swap0/stored 0 &&
		right guide
}

before_phone_idle() { fill guide; }
check_phone_idle() {
	so "it is on the flash" at_least swap0/stored $((size / 2)) &&
		so "packed" at_most swap0/used "$(($(value swap0/stored) * 3 / 4))" &&
		right guide
}

check_cloud() {
	fill latency && fill batch &&
		soon "latency is in zswap" cg_least latency zswap $((size / 2)) &&
		soon "batch is on the drive" cg_least batch swap0 $((size / 2)) &&
		so "batch has nothing in zswap" cg_most batch zswap 0 || return
	# Nothing of latency's can go; that there may be no room for it is no error here.
	echo all 2>/dev/null >"$tiers/zswap/demote"
	sleep 3
	so "latency has nothing on the drive" cg_most latency swap0 0 &&
		so "it is still in zswap" cg_least latency zswap $((size / 2)) &&
		right latency batch
}

check_swaptiers() { so "it shows the device" eval 'swaptiers | grep -q "^swap0 .*online"'; }

check_files() { so "there are files" [ -e "$tiers/swap0/stats/errors" ]; }

before_rank() { fill guide; }
check_rank() {
	so "the rank is new" is swap0/rank 40000 &&
		demoted zswap all &&
		so "the other device is asked first" at_least swap1/stored $((size / 2)) &&
		so "this one is not" is swap0/stored 0 &&
		right guide
}

# Noise takes a slot a page, so the device is fuller than the marks of the guide. Its
# capacity here must be less than twice as much.
before_watermarks() { fill guide noise && demoted zswap all; }
check_watermarks() {
	so "the low mark" is swap0/low_watermark 40 &&
		so "the high mark" is swap0/high_watermark 50 &&
		soon "it goes down to the low mark" below swap0 45 &&
		so "what left is on the disk" at_least swap1/stored "$mib" &&
		so "the rest is not" at_least swap0/stored $((8 * mib)) &&
		right guide
}

before_demote() { fill guide; }
check_demote() {
	so "it says how much it was" at_least zswap/demote $((size / 2)) &&
		so "it is on the NVMe" at_least swap0/stored $((size / 2)) &&
		right guide
}

check_promote() {
	so "it says how much it was" at_least swap0/promote $((size / 2)) &&
		so "it is in zswap" at_least zswap/stored $((size / 2)) &&
		so "it is not on the NVMe" at_most swap0/stored $((size / 8)) &&
		right guide
}

before_move() { fill guide; }
check_move() {
	so "it was demoted" at_least swap0/stats/moved_in $((size / 2 / 4096)) &&
		so "and promoted" at_least zswap/stored $((size / 2)) &&
		right guide
}

before_drain() { fill guide && demoted zswap all; }
check_drain() {
	so "it is draining" is swap0/state draining &&
		soon "it gets empty" is swap0/used 0 &&
		so "it stays draining" is swap0/state draining &&
		so "it is not in SwapTotal" [ "$(awk '/^SwapTotal/ { print $2 * 1024 }' /proc/meminfo)" \
			-le "$(value swap1/capacity)" ] &&
		right guide &&
		so "swapoff" swapoff "${disks[0]}"
}

check_drain_back() {
	so "it is online" is swap0/state online &&
		fill more && demoted zswap all &&
		so "it takes data" at_least swap0/stored $((size / 2)) &&
		right guide more
}

before_drain_watch() { before_drain; }
check_drain_watch() {
	so "it is online" is swap0/state online &&
		so "it was emptied" is swap0/stored 0 &&
		right guide
}

# A device on which writes fail, by device mapper, in place of the first disk.
flaky() { # COMMAND TARGET [WORD...]
	dmsetup "$1" "$dm" --table \
		"0 $(($(blockdev --getsize64 "${DISKS%% *}") / 512)) $2 ${DISKS%% *} 0 ${*:3}"
}
disks_failed() {
	[ -n "$dry" ] || { flaky create linear && dmsetup mknodes "$dm"; } || return
	disks=("/dev/mapper/$dm" "${disks[@]:1}")
}
before_failed() {
	local i
	fill guide && demoted zswap 16M && fill more || return
	echo "log-check: expect [Ww]rite.error on|has faile[d], |I/O error" >/dev/kmsg
	{ flaky reload flakey 0 1 1 error_writes && dmsetup resume "$dm"; } || return
	# Writes fail, until there are too many. A demotion need not end its chunk, so it takes a while.
	for ((i = 0; i < 60; i++)); do
		! is swap0/state failed || break
		echo all 2>/dev/null >"$tiers/zswap/demote"
		sleep 0.5
	done
	soon "the device has failed" is swap0/state failed &&
		soon "what can be read leaves it" is swap0/stored 0
}
check_failed() {
	so "the device is gone" [ ! -e "$tiers/swap0" ] &&
		right guide more
}

before_zswap_empty() { fill guide; }
check_zswap_empty() {
	so "zswap is empty" at_most zswap/stored $((size / 16)) &&
		so "it is on the device" at_least swap0/stored $((size / 2)) &&
		right guide
}

before_swapoff() { before_drain; }
check_swapoff() {
	so "the device is gone" [ ! -e "$tiers/swap0" ] &&
		so "the data is elsewhere" [ "$(($(value zswap/stored) + $(value swap1/stored)))" -ge $((size / 2)) ] &&
		right guide
}

check_tiers_max() {
	so "it reads what was written" grep -qx "zswap $((16 * mib))" "$cg/web/memory.swap.tiers.max" &&
		so "and max for the others" grep -qx "swap0 max" "$cg/web/memory.swap.tiers.max" &&
		fill web &&
		soon "the rest is on the device" cg_least web swap0 $((size / 4)) &&
		so "no more than that is in zswap" cg_most web zswap $((16 * mib)) &&
		right web
}

before_tiers_lower() { fill web && soon "zswap has its share" cg_least web zswap $((5 * mib)); }
check_tiers_lower() {
	soon "the excess leaves zswap" cg_most web zswap $((4 * mib)) && right web
}

check_check() { so "no violations" grep -q '^violations: 0$' /tmp/guide.out; }

check_trace() {
	fill guide &&
		so "stores are seen" grep -q swap_abs_store /sys/kernel/tracing/trace &&
		right guide
}

# --- all as it was

declare -A param
save() {
	local p
	for p in compressor max_pool_percent shrinker_enabled; do
		param[$p]=$(cat $zswap/$p)
	done
}

reset() {
	local dev d p rc=0
	rm -rf $files
	if dmsetup info "$dm" >/dev/null 2>&1; then
		# If the device is still in use, it must be possible to write.
		{ flaky reload linear && dmsetup resume "$dm"; } || rc=1
	fi
	while read -r dev _; do
		so "swapoff $dev" swapoff "$dev" || rc=1
	done < <(tail -n +2 /proc/swaps)
	! dmsetup info "$dm" >/dev/null 2>&1 || dmsetup remove "$dm" || rc=1
	echo "log-check: expect nothing" >/dev/kmsg
	while read -r d; do
		so "rmdir $d" rmdir "$d" || rc=1
	done < <(find $cg -mindepth 1 -depth -type d)
	echo N >$zswap/enabled || rc=1
	for p in "${!param[@]}"; do
		echo "${param[$p]}" >"$zswap/$p" || rc=1
	done
	# In this order the low one is never above the high one.
	{ echo 0 >$tiers/zswap/low_watermark && echo 90 >$tiers/zswap/high_watermark &&
		echo 80 >$tiers/zswap/low_watermark; } || rc=1
	sysctl -q -w vm.swap_abs=0 || rc=1
	echo 0 >/sys/kernel/tracing/events/swap_abs/enable || rc=1
	echo >/sys/kernel/tracing/trace
	so "no tier is left but zswap" [ "$(ls $tiers)" = zswap ] || rc=1
	return $rc
}

# recipe NAME: run it, check it, and put all back
recipe() {
	local name=$1 rc=0 all=("${disks[@]}")
	disk_of=()
	! declare -F "disks_${name//-/_}" >/dev/null || "disks_${name//-/_}" || rc=1
	spare=("${disks[@]}")
	if [ $rc = 0 ]; then
		commands_of "$name" || rc=1
	fi
	if [ -z "$dry" ]; then
		[ $rc != 0 ] || "check_${name//-/_}" || rc=1
		if [ $rc != 0 ]; then
			grep -r . $tiers 2>/dev/null | sed "s#$tiers/#\#   #"
		fi
		reset || rc=1
	fi
	disks=("${all[@]}")
	return $rc
}

read_rst
lint
[ "$bad_rst" = 0 ] || { echo "not ok 1 - the guide's recipes can be read"; exit 1; }
[ $# -gt 0 ] || set -- "${order[@]}"
for name; do
	[ -n "${commands[$name]+1}" ] || { echo "no recipe named $name" >&2; exit 2; }
done

if [ -z "$dry" ]; then
	[ -n "${VM-}" ] || { echo "only in a guest: all swap is switched off" >&2; exit 2; }
	find "$top/build/linux/fs" -name '*.[ch]' -print0 | sort -z | xargs -0 cat 2>/dev/null |
		head -c $size >/tmp/guide.text
	[ "$(stat -c %s /tmp/guide.text)" = $size ] || { echo "not ok 1 - there is data"; exit 1; }
	save
fi

n=0 bad=0
for name; do
	n=$((n + 1))
	[ -z "$dry" ] || echo "$name:"
	if recipe "$name"; then
		[ -n "$dry" ] || echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		bad=1
	fi
done
[ -n "$dry" ] || echo "1..$n"
exit $bad
