#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# run.sh OUT - explore mover.pml and its mutants with spin.
#
# The protocol must survive a complete exploration, with every statement
# reached, and must come to rest when the operations end. Each mutant breaks
# one rule and must be caught by the assertion named here: a mutant that is
# not caught, or is caught for another reason, is a failure of the model.
# Prints TAP; a table of states, time and memory follows as comments.
# OUT gets a directory a run: pan's output, and a mutant's story.

set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
out=${1:?usage: run.sh OUT}
CC=${CC:-gcc}
SPIN=${SPIN:-spin}
V=${V:-0}
mem=1900		# MiB that one exploration may take
n=0
failed=0
table=

# <mutant>:<further flags>:<what must be found>:<the rule that is broken>
mutants='
NO_PIN::lost_update:rule 3, a zswap object is not pinned, ABA
NO_PIN_SEG::lost_update:rule 3, a segment is not pinned, ABA
NO_ORPHAN::read_freed:rule 3, a pinned object is freed when dropped
NO_ORPHAN:-DEFFECT_ONLY:lost_update:the same, what the user sees
COMMIT_NO_COMPARE::lost_update:rule 3, commit does not compare
COMMIT_IGNORES_FOLIO::read_freed:rule 3, commit under a locked folio
READ_BEFORE_LOCK::read_freed:rule 2, descriptor read before the folio is locked
DROP_UNDER_FOLIO::read_freed:rule 2, place freed under a reader
RELEASE_EARLY_PIN::read_freed:release with a pin
RELEASE_EARLY_FLY::stray_write:release with a write in flight
RELEASE_EARLY_FLY:-DEFFECT_ONLY:data_lost:the same, what the user sees
FLY_ENDS_AT_COMPLETION::dead_device:in flight ends before the commit
PIN_IN_FLIGHT::lost_update:a place is pinned while it is written
FREE_SOURCE_EARLY::data_lost:rule 5, source freed before the write
LATE_REDIRTY::data_lost:rule 5, writeback ends before the redirty
DROP_NOT_UPTODATE::data_lost:rule 4, dirties what was never read
LOST_OVER_FOLIO::data_lost:rule 6, lost although RAM has it
SWAPOFF_NO_WAIT::dead_device:swapoff does not wait for release
SWAPOFF_NO_REF:-DBOUND=8:end:swapoff does not wait for references
LEAK_PIN:-DBOUND=8:end:a move given up keeps its pin
'

# report <0 if ok> <name> [why not]
report()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		failed=$((failed + 1))
		echo "not ok $n - $2"
		echo "# ${3:-}"
	fi
}

# explore <dir> <spin flags> <cc flags> <pan flags>: leaves pan.out
explore()
{
	rm -rf "${out:?}/$1"
	mkdir -p "$out/$1" || return 1
	cp "$here/mover.pml" "$out/$1/" || return 1
	(
		cd "$out/$1" || exit 1
		# shellcheck disable=SC2086 # flags are words
		"$SPIN" -a $2 mover.pml >spin.out 2>&1 || exit 1
		# shellcheck disable=SC2086
		$CC -w -DSAFETY -DMEMLIM=$mem $3 -o ./pan pan.c >cc.out 2>&1 ||
			exit 1
		# shellcheck disable=SC2086
		timeout 600 ./pan $4 >pan.out 2>&1
		echo "exit status $?" >>pan.out
		rm -f ./pan pan.[bchmpt]
	)
}

# whole <dir>: was everything explored, without an error?
whole()
{
	grep -q '^exit status 0$' "$out/$1/pan.out" &&
	grep -q 'errors: 0$' "$out/$1/pan.out" &&
	grep -q 'states, stored' "$out/$1/pan.out" &&
	! grep -Eqi -e 'not completed|too small|truncated|out of memory' \
		-e 'reached -DMEMLIM|assertion violated |invalid end state ' "$out/$1/pan.out"
}

# unreached <dir>: statements that never ran, but for those that must not
unreached()
{
	grep -E 'state [0-9]+, "' "$out/$1/pan.out" |
		grep -Ev '"-end-"|"assert\(!\(rule_'
}

# row <dir> <result>: a line of the table
row()
{
	table="$table$(awk -v name="$1" -v result="$2" '
		/depth reached/		{ sub(/.*depth reached /, ""); depth = $1 + 0 }
		/states, stored/	{ states = $1 }
		/total actual memory/	{ mem = $1 }
		/elapsed time/		{ time = $4 }
		END { printf "# %-34s %-14s %9d %8d %7.2f %7.0f", name, \
			result, states, depth, time, mem }' \
		"$out/$1/pan.out")
"
}

# why <dir>: the first thing that pan, cc or spin complained of
why()
{
	for f in pan.out cc.out spin.out; do
		[ -s "$out/$1/$f" ] || continue
		grep -Ei -m1 -e 'violated |invalid end state |too small|out of memory' \
			-e 'MEMLIM|not completed|error:' "$out/$1/$f" || tail -n 1 "$out/$1/$f"
		return
	done
	echo "no output"
}

for tool in "$SPIN" "$CC" timeout; do
	if ! command -v "${tool%% *}" >/dev/null; then
		echo "Bail out! $tool not found (apt-get install spin gcc)"
		exit 1
	fi
done
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd) || exit 1

echo "TAP version 13"
echo "1..$((3 + $(printf '%s' "$mutants" | grep -c :)))"

explore protocol "" "-O2" "-m4000000 -w23"
whole protocol
report $? "the protocol holds, any number of operations" "$(why protocol)"
row protocol "$(whole protocol && echo holds || echo FAILS)"

never=$(unreached protocol)
grep -q '^unreached in proctype' "$out/protocol/pan.out" && [ -z "$never" ]
report $? "every statement of the model was reached" "$never"

explore ending "-DBOUND=8" "-O1 -DBFS" "-w20"
whole ending
report $? "eight operations, then all comes to rest" "$(why ending)"
row ending "$(whole ending && echo holds || echo FAILS)"

printf '%s' "$mutants" | grep : >"$out/mutants"
while IFS=: read -r mutant more expect rule; do
	flags="-DSTORY -DHARM_ONLY -D$mutant $more"
	dir=$mutant${more:+$more}
	explore "$dir" "$flags" "-O0 -DBFS" "-w20"
	case $expect in
	end)	found='^pan:1: invalid end state (at' ;;
	*)	found="^pan:1: assertion violated ( *!($expect)||" ;;
	esac
	grep -q "$found" "$out/$dir/pan.out" 2>/dev/null
	caught=$?
	report $caught "$mutant${more:+ $more}: $expect found ($rule)" \
		"expected $expect, but: $(why "$dir")"
	row "$dir" "$([ $caught -eq 0 ] && echo "$expect" || echo MISSED)"
	# shellcheck disable=SC2086
	(cd "$out/$dir" && "$SPIN" -t -T $flags mover.pml 2>&1 |
		grep -E '^(task|env|worker|reclaim|mover [01]|swapoff): ' >story)
	[ "$V" = 0 ] || sed 's/^/#   /' "$out/$dir/story"
done <"$out/mutants"
rm -f "$out/mutants"

printf '# %-34s %-14s %9s %8s %7s %7s\n' run result states depth seconds MiB
printf '%s' "$table"
echo "# places: 0, 1 zswap; 2, 3 devices; 4 none; 5 lost. Contents: 0 garbage, 1 old, 2 new"
echo "# $((n - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
