# shellcheck shell=bash
# What the scripts share: where things are, lines with the time, results as TAP, and
# running a long command with its progress shown. Sourced by the bash scripts of the host; it
# sets shell options and defines functions, and does nothing else.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=${BUILD:-$TOP/build}
CACHE=${SWAP_ABS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/swap-abs}
LINUX_TREE=${LINUX_TREE:-$BUILD/linux}
JOBS=${JOBS:-$(nproc)}
LOGS=${LOGS:-$BUILD/log}
export SWAP_ABS_T0=${SWAP_ABS_T0:-$(date +%s)}

# elapsed: time since the first script of this run started, "m:ss"
elapsed() {
	local t=$(($(date +%s) - SWAP_ABS_T0))
	printf '%2d:%02d' $((t / 60)) $((t % 60))
}

# say WORDS...: one line for whoever watches
say() {
	printf '[%s] %s\n' "$(elapsed)" "$*" >&2
}

# die WORDS...: the one clear line, and out
die() {
	printf '[%s] error: %s\n' "$(elapsed)" "$*" >&2
	exit 1
}

tap_n=0 tap_bad=0
# result "ok" or "not ok" WHAT: a line of TAP
result() {
	tap_n=$((tap_n + 1))
	[ "$1" = ok ] || tap_bad=1
	echo "$1 $tap_n - $2"
}

# check WHAT COMMAND...: a line of TAP, ok when COMMAND succeeds, else with what it has
# printed. COMMAND runs in a shell of its own.
check() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		result ok "$what"
	else
		result "not ok" "$what"
		[ -z "$out" ] || sed 's/^/#   /' <<<"$out"
	fi
}

# tap_after FILE: go on behind the results in FILE, which must be there
tap_after() {
	tap_n=$(grep -cE '^(not )?ok [0-9]' "$1" || :)
	[ "$tap_n" -gt 0 ] || result "not ok" "some test has reported something"
}

# log_clean FILE: is there a guest's log, and scripts/log-check finds nothing in it?
log_clean() { [ -s "$1" ] && "$TOP/scripts/log-check" "$1"; }

# tap_end: the plan, and out; fails when a result was not ok, or when there was none
tap_end() {
	echo "1..$tap_n"
	[ "$tap_n" -gt 0 ] || exit 1
	exit "$tap_bad"
}

# with_progress LOG WHAT SECONDS COUNTER COMMAND...
# Run COMMAND with its output in LOG. Every SECONDS say WHAT and what the
# function COUNTER prints about LOG. Returns the command's status.
with_progress() {
	local log=$1 what=$2 every=$3 counter=$4 pid next rc=0
	shift 4
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# shellcheck disable=SC2064 # the pid of now is meant
	trap "kill $pid 2>/dev/null || :; exit 130" INT TERM
	next=$((SECONDS + every))
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [ "$SECONDS" -ge "$next" ]; then
			say "$what: $("$counter" "$log")"
			next=$((SECONDS + every))
		fi
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	return "$rc"
}

# lock_tree: one at a time from here on, of those that change build/linux as a git
# repository; until this script ends
lock_tree() {
	mkdir -p "$BUILD"
	exec 8>"$BUILD/.lock"
	flock -n 8 || { say "waiting for another scripts/tree"; flock 8; }
}

# variant NAME: set V_ARCH, V_FRAGS (paths), V_OBJECTS and V_COMMIT from configs/variants
variant() {
	local name arch frags objects commit f
	V_ARCH=
	while read -r name arch frags objects commit; do
		[ "$name" = "$1" ] || continue
		# shellcheck disable=SC2034 # used by those who source this
		V_NAME=$name V_ARCH=$arch V_OBJECTS=$objects V_COMMIT=$commit V_FRAGS=()
		for f in ${frags//,/ }; do
			V_FRAGS+=("$TOP/configs/$f.frag")
		done
		return
	done < <(grep -v '^#' "$TOP/configs/variants")
	die "no kernel named '$1': see configs/variants"
}

# worktree NAME COMMIT: build/NAME/linux, a second tree with the files of a commit of
# build/linux; those that do not differ keep their times. Built in build/NAME/out/..., it
# is as far from its objects as build/linux is, so the compiler cache serves both.
worktree() {
	local dir=$BUILD/$1/linux
	# Locked is only what the repository knows of it: writing the files takes long.
	if ! [ -e "$dir/.git" ] || ! git -C "$dir" rev-parse -q --verify HEAD >/dev/null 2>&1; then
		(
			lock_tree
			rm -rf "$dir"
			mkdir -p "$BUILD/$1"
			git -C "$LINUX_TREE" worktree prune
			git -C "$LINUX_TREE" worktree add -q --detach --no-checkout "$dir" "$2"
		)
	fi
	git -C "$dir" checkout -q -f --detach "$2"
}

# kmake TREE OUT ARGS...: make of the kernel for V_ARCH with the compiler cache
kmake() {
	local tree=$1 out=$2 arch=$V_ARCH cc=gcc cross='' depend='CCACHE_DEPEND=1'
	shift 2
	# Without a look at the preprocessed text a miss is cheaper by a sixth, but
	# another autoconf.h is always a miss. These three differ by the layer's options;
	# a whole check without ALL=1 builds only the first of them.
	case $V_NAME in
	base | off | unmodified)
		[ -n "${WHOLE-}" ] && [ -z "${ALL-}" ] || depend=CCACHE_NODEPEND=1 ;;
	esac
	[ "$arch" = arm64 ] && cross=aarch64-linux-gnu-
	cc=${cross}gcc
	command -v ccache >/dev/null && cc="ccache $cc"
	mkdir -p "$CACHE/ccache"
	env -u CONFIG -u O -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES \
		CCACHE_DIR="$CACHE/ccache" CCACHE_MAXSIZE=6G \
		CCACHE_BASEDIR="$(dirname "$tree")" CCACHE_NOHASHDIR=1 "$depend" \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' \
		KBUILD_BUILD_USER=swap-abs KBUILD_BUILD_HOST=swap-abs \
		make -s -C "$tree" O="$out" ARCH="$arch" \
		CROSS_COMPILE="$cross" CC="$cc" HOSTCC="${cc/$cross/}" \
		LOCALVERSION= "$@"
}

# qemu_accel KIND: set ACCEL, options of QEMU, and ACCEL_ARGS, words for the kernel
qemu_accel() {
	# shellcheck disable=SC2034 # used by those who source this
	case $1 in
	kvm)	ACCEL=(-accel kvm -cpu host) ACCEL_ARGS= ;;
	tcg)	# Emulated clocks on a busy host: nothing to calibrate against.
		# A guest that tries may run 35 times too fast. Its TSC is the host's.
		khz=$(awk '/^cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)
		ACCEL=(-accel "tcg,thread=multi" -cpu max)
		# And that its timer does not tick, which it calls a bug.
		ACCEL_ARGS="lpj=4000000 tsc=reliable no_timer_check${khz:+ tsc_early_khz=$khz}" ;;
	icount)	ACCEL=(-accel tcg -icount "shift=0,sleep=off" -cpu max) ACCEL_ARGS= ;;
	*)	die "--accel $1: kvm, tcg or icount" ;;
	esac
}
