#!/bin/bash
# Run kselftests inside the guest: scripts/guest/selftests.sh DIR TIMEOUT TARGET...
#
# DIR is what scripts/selftests installed. A TARGET is a collection (mm/swap_abs)
# or one program of it (mm/swap_abs:slots, cgroup:test_zswap), or one variant of a
# program of the project's own (mm/swap_abs:races:all). The project's own
# go through their runner, with OPTIONS (from TEST_OPTIONS of scripts/guest-tests)
# and the scratch disks; TIMEOUT in seconds holds for one program of the others.
# Prints TAP. Called by scripts/guest-tests through scripts/vm, which sets DISKS.

dir=$1 timeout=$2 rc=0
shift 2
own=() other=()
for t; do
	case $t in
	mm/swap_abs) own=(all) ;;
	mm/swap_abs:*) own+=("${t#*:}") ;;
	*:*) other+=(-t "$t") ;;
	*) other+=(-c "$t") ;;
	esac
done
cd "$dir" || exit 1
if [ ${#own[@]} -gt 0 ]; then
	[ "${own[0]}" = all ] && own=() || own=(-o "${own[*]}")
	# shellcheck disable=SC2086 # words are meant
	./mm/swap_abs/run_swap_abs.sh ${OPTIONS-} "${own[@]}" $DISKS || rc=$?
fi
if [ ${#other[@]} -gt 0 ]; then
	./run_kselftest.sh -o "$timeout" "${other[@]}" || rc=$?
fi
exit "$rc"
