#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# run.sh OUT - explore the models and their mutants with spin.
#
# Each model must survive a complete exploration, with every statement
# reached, and must come to rest when the operations end. Each mutant breaks
# one rule and must be caught by the assertion named here: a mutant that is
# not caught, or is caught for another reason, is a failure of the model. So is
# a limit that is not found: what the kernel is known not to prevent, where
# that costs nothing but an extra write, or needs two faults of hardware at once.
# Prints TAP; a table of states, time and memory follows as comments.
# OUT gets a directory a run: pan's output, and a mutant's story.

set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
out=${1:?usage: run.sh OUT}
CC=${CC:-gcc}
SPIN=${SPIN:-spin}
V=${V:-0}
actors='task|env|worker|reclaim|mover [01]|mover|swapoff|holder|isolator|memory failure'
mem=1900		# MiB that one exploration may take
n=0
failed=0
table=

# Few operations are enough for these.
few='-DHARM_ONLY -DBOUND=3 -DSTARTS=1'
# The rules are asserted, too, because breaking these harms nobody in the model.
rules='-DBOUND=3 -DSTARTS=1'
meet='-DHARM_ONLY -DMEET -DMOST=1 -DBOUND=4 -DSTARTS=1'
# <model>:<mutant>:<further flags>:<what must be found>:<the rule that is broken>
mutants="
mover:NO_PIN:-DHARM_ONLY:lost_update:rule 3, a zswap object is not pinned, ABA
mover:NO_PIN_SEG:-DHARM_ONLY:lost_update:rule 3, a segment is not pinned, ABA
mover:NO_ORPHAN:-DHARM_ONLY:read_freed:rule 3, a pinned object is freed when dropped
mover:NO_ORPHAN:-DHARM_ONLY -DEFFECT_ONLY:lost_update:the same, what the user sees
mover:COMMIT_NO_COMPARE:-DHARM_ONLY:lost_update:rule 3, commit does not compare
mover:COMMIT_IGNORES_FOLIO:-DHARM_ONLY:read_freed:rule 3, commit under a locked folio
mover:READ_BEFORE_LOCK:-DHARM_ONLY:read_freed:rule 2, descriptor read before the folio is locked
mover:DROP_UNDER_FOLIO:-DHARM_ONLY:read_freed:rule 2, place freed under a reader
mover:RELEASE_EARLY_PIN:-DHARM_ONLY:read_freed:release with a pin
mover:RELEASE_EARLY_FLY:-DHARM_ONLY:stray_write:release with a write in flight
mover:RELEASE_EARLY_FLY:-DHARM_ONLY -DEFFECT_ONLY:data_lost:the same, what the user sees
mover:FLY_ENDS_AT_COMPLETION:-DHARM_ONLY:dead_device:in flight ends before the commit
mover:PIN_IN_FLIGHT:-DHARM_ONLY:lost_update:a place is pinned while it is written
mover:FREE_SOURCE_EARLY:-DHARM_ONLY:data_lost:rule 5, source freed before the write
mover:LATE_REDIRTY:-DHARM_ONLY:data_lost:rule 5, writeback ends before the redirty
mover:DROP_NOT_UPTODATE:-DHARM_ONLY:data_lost:rule 4, dirties what was never read
mover:LOST_OVER_FOLIO:-DHARM_ONLY:data_lost:rule 6, lost although RAM has it
mover:SWAPOFF_NO_WAIT:-DHARM_ONLY:dead_device:swapoff does not wait for release
mover:SWAPOFF_NO_REF:-DHARM_ONLY -DBOUND=8:end:swapoff does not wait for references
mover:LEAK_PIN:-DHARM_ONLY -DBOUND=8:end:a move given up keeps its pin
batch:LEAVE_NO_LRU:$few:unreclaimable:a folio is left that is on no LRU list
batch:KILLED_FORGETS:$few:unreclaimable:who is killed forgets the rest of his batch
batch:RELEASE_NO_WAIT:$few:stray_io:a folio leaves while it is written
batch:RELEASE_DIRTY:$few:wrong_data:a folio leaves whose write has failed
batch:NO_MATCH:$few:stray_io:the slot has another folio meanwhile
batch:WB_UNTESTED:$few:stray_io:rule 1, stored under writeback
batch:LOST_AT_ONCE:$few:needless_lost:rule 6, lost after a read that failed with others
batch:LOST_OVER_RAM:$few:needless_lost:rule 6, lost though somebody else has read it
batch:READS_LATE:$few:end:waits for what it has not submitted
batch:FAULT_ADDS_LRU:$few:double_lru:who finds a mover's folio puts it on a list, too
batch:ENDS_AFTER_ONE:$few:unsettled:a move ends before all of its batch is given back
batch:SCANS_ONCE:$few:dead_device:swapoff ends after one scan, whatever is left
batch:OTHER_FOLIO:$rules:rule_owner:rule 1, another folio of the slot is taken for its own
batch:STAYS_CLEAN:$rules:rule_copy:rule 4, a copy is dropped and the folio not dirtied
batch:LOCK_NO_SUBMIT:$meet:end:two movers wait for each other
held:DEL_NO_FREEZE::lost_write:rule 13, references are not frozen
held:DEL_DIRTY::lost_write:rule 13, dirty is not looked at once they are
held:DROP_CLEAN::lost_write:rule 4, swapoff drops a copy and does not dirty
held:SWAPOFF_LEAVES::stuck:rule 13, swapoff leaves what is held
held:USE_UNTESTED:-DTORN -DISOLATE_ONCE:torn_store:rule 13, references are not looked at
held:HELD_LRU_ONCE:-DTORN -DISOLATE_ONCE:torn_store:the LRU flag is looked at once
poison:BROKEN_UNTESTED::broken_used:a broken page is moved as any
poison:NO_UNMAP::good_dropped:a broken page that is mapped is dirtied
poison:LOST_WHEN_BROKEN::needless_lost:lost though the copy is good
poison:RELEASE_BROKEN::wrong_data:what was dirty and broke leaves, an older copy is read
"

# The same, for what the code is known not to prevent.
limits='
held:TORN::torn_store:isolated, put back and isolated again: an extra write
poison:READ_FAILED::needless_lost:a page that could not be read breaks
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

# explore <dir> <model> <spin flags> <cc flags> <pan flags>: leaves pan.out
explore()
{
	rm -rf "${out:?}/$1"
	mkdir -p "$out/$1" || return 1
	cp "$here/$2.pml" "$out/$1/" || return 1
	(
		cd "$out/$1" || exit 1
		# shellcheck disable=SC2086 # flags are words
		"$SPIN" -a $3 "$2.pml" >spin.out 2>&1 || exit 1
		# shellcheck disable=SC2086
		$CC -w -DSAFETY -DMEMLIM=$mem $4 -o ./pan pan.c >cc.out 2>&1 ||
			exit 1
		# shellcheck disable=SC2086
		timeout 600 ./pan $5 >pan.out 2>&1
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
		END { printf "# %-38s %-14s %9d %8d %7.2f %7.0f", name, \
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
echo "1..$((13 + $(printf '%s' "$mutants$limits" | grep -c :)))"

# holds <model> <name> <what> <spin flags> <cc flags> <pan flags>: it must
holds()
{
	explore "$1-$2" "$1" "$4" "$5" "$6"
	whole "$1-$2"
	report $? "$1: $3" "$(why "$1-$2")"
	row "$1-$2" "$(whole "$1-$2" && echo holds || echo FAILS)"
}

# reached <model> <name>: was every statement, in that run?
reached()
{
	never=$(unreached "$1-$2")
	grep -q '^unreached in proctype' "$out/$1-$2/pan.out" && [ -z "$never" ]
	report $? "$1: every statement of the model was reached" "$never"
}

holds mover protocol "the protocol holds, any number of operations" \
	"" "-O2" "-m4000000 -w23"
reached mover protocol
holds mover ending "eight operations, then all comes to rest" \
	"-DBOUND=8" "-O1 -DBFS" "-w20"

holds batch protocol "one mover, any number of operations" \
	"-DMOST=1" "-O2" "-m1500000 -w22"
holds batch ending "with forks, three operations, then all comes to rest" \
	"-DBOUND=3 -DSTARTS=1" "-O2" "-m1500000 -w20"
reached batch ending
holds batch meeting "two movers, four operations, then all comes to rest" \
	"-DMEET -DMOST=1 -DBOUND=4 -DSTARTS=1" "-O2" "-m1500000 -w20"

holds held protocol "nothing is lost, any number of operations" "" "-O2" "-m100000 -w20"
reached held protocol
holds held ending "swapoff ends though a reference is held" \
	"-DBOUND=8 -DHOLDS_FOREVER" "-O2" "-m100000 -w20"
holds held torn "isolated once, nothing is stored that may be written to" \
	"-DTORN -DISOLATE_ONCE" "-O2" "-m100000 -w20"

holds poison protocol "memory may break at any time" "" "-O2" "-m100000 -w20"
reached poison protocol

# find <table> <word>: each line must be found
find()
{
	printf '%s' "$1" | grep : >"$out/mutants"
	while IFS=: read -r model mutant more expect rule; do
		flags="-DSTORY -D$mutant $more"
		dir=$model-$mutant
		case $more in *EFFECT_ONLY*) dir=$dir-EFFECT_ONLY ;; esac
		explore "$dir" "$model" "$flags" "-O0 -DBFS" "-w20"
		case $expect in
		end)	found='^pan:1: invalid end state (at' ;;
		*)	found="^pan:1: assertion violated ( *!($expect)||" ;;
		esac
		grep -q "$found" "$out/$dir/pan.out" 2>/dev/null
		caught=$?
		report $caught "$model: $2 $mutant: $expect found ($rule)" \
			"expected $expect, but: $(why "$dir")"
		row "$dir" "$([ $caught -eq 0 ] && echo "$expect" || echo MISSED)"
		# shellcheck disable=SC2086
		(cd "$out/$dir" && "$SPIN" -t -T $flags "$model.pml" 2>&1 |
			grep -E "^($actors): " >story)
		[ "$V" = 0 ] || sed 's/^/#   /' "$out/$dir/story"
	done <"$out/mutants"
	rm -f "$out/mutants"
}

find "$mutants" mutant
find "$limits" limit

printf '# %-38s %-14s %9s %8s %7s %7s\n' run result states depth seconds MiB
printf '%s' "$table"
echo "# mover.pml: places: 0, 1 zswap; 2, 3 devices; 4 none; 5 lost."
echo "# Contents: 0 garbage, 1 old, 2 new"
echo "# batch.pml: places: 0 none; 1, 2 devices; 3 lost"
echo "# $((n - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
