#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Mutants of mm/swap_abs/zswap_age.c, each with one thing wrong, which test_age must
# notice; one of eight of them without ALL. Called by run.sh. Prints TAP.
#
# Left out, because nothing that can be seen changes: zswap_age_collect() does not look
# at @nid again under the CPU's lock (what is there goes to its own list as well), and
# zswap_age_offline() leaves @swept (nobody reads that of a list that stays empty).

set -u

cd "$(dirname "$0")" || exit 1
: "${OUT:?run make check}" "${AGE:?}" "${ALL=}" "${ONLY=}"
file=$AGE
n=0
failed=0
nr_mutants=0

# <what>|<sed>
mutants='
no second chance|s/if (!node->visited) {/if (false) {/
a second chance is free|/\*nr -= min(\*nr, node->nr);/d
newest first|s/, cpu->nid, node, false);/, cpu->nid, node, true);/
count does not collect|/^unsigned long zswap_age_count/,/^}/s/zswap_age_collect(memcg, nid);/;/
count always collects|s/READ_ONCE(list->nr) < ZSWAP_AGE_FEW/true/
a walk does not collect|s/if (!zswap_age_collect(memcg, nid))/if (true)/
a sweep does not collect|/^static void zswap_age_sweep_fn/,/^}/s/zswap_age_collect(memcg, nid);/;/
collects for any cgroup|s/if (!memcg || owner == memcg) {/if (true) {/
objects of the root are of nobody|s/: root_mem_cgroup;/: NULL;/
collects for no cgroup|s/if (!memcg || owner == memcg) {/if (owner == memcg) {/
collects what a dead cgroup has not|/while (owner && READ_ONCE(zswap_age_list/,+1d
the hint stays|s/WRITE_ONCE(list->on_cpus, false);/return false;/
no hint for what a CPU begins|/^static void zswap_age_begin/,/^}/s/WRITE_ONCE(.*true);//
no hint after offline|/^void zswap_age_offline/,/^}/s/WRITE_ONCE(list->on_cpus, true);//
offline without the hint of CPUs|s/if (!oldest && !on_cpus)/if (!oldest)/
offline does not mark as dead|/list->dead = true;/d
dead lists get nodes|s/if (likely(!list->dead))/if (true)/
offline does not count|s/^			list->nr += nr;/;/
offline forgets the end|/^			list->newest = newest;/d
offline puts it in the place of all|/^void zswap_age_offline/,/^}/s/if (list->newest)$/if (false)/
offline does not empty|/^		list->oldest = NULL;/d
no bit after offline|s/zswap_age_set_bit(to, nid);/;/
no bit|s/zswap_age_set_bit(memcg, nid);/;/
visits stale ones|/nr_old && /,/continue/s/_is_live(\(.*\)))$/_is_live(\1) \&\& 0)/
sweeps keep what is stale|/^static void zswap_age_sweep_node/,/^}/s/(!zswap_age_is_live.*/(false)/
any tag will do|s/^	       zswap_age_tag(\*word) == node->tag\[i\];/	       true;/
any word will do|s/return swap_desc_tag(\*word) == SWAP_DESC_ZSWAP &&/return/
a tag without the epoch|s/^	       swap_desc_epoch(word);/	       0;/
a tag without the handle|s/hash_ptr(swap_desc_handle(word), 4)/0/
a pinned object is gone|s/(word) ? ZSWAP_AGE_KEEP :/(word) ? ZSWAP_AGE_GONE :/
a pinned object is visited|s/answer = swap_desc_is_pinned(word) ?/answer = false ?/
what is on its way has no item|/It may come back/,/continue/s/(!zswap_age_is_live.*/(true)/
stop does not stop|s/\*stop = answer == ZSWAP_AGE_STOP;/;/
more than nr|s/i < nr_old && \*nr && !\*stop/i < nr_old \&\& !*stop/
less than nr|s/^		(\*nr)--;/		*nr -= min(*nr, 2);/
kept ones first|s/put_back(memcg, nid, kept, false)/put_back(memcg, nid, kept, true)/
the rest last|s/nid, node, kept && node->nr)/nid, node, false)/
kept ones have another chance|s/kept->visited = true;/;/
kept ones are lost without memory|s/^	if (kept == &on_stack)/	if (false)/
without memory the rest is first|s/nid, node, kept && node->nr)/nid, node, true)/
kswapd walks|s/if (current_is_kswapd() && swap_formats_sum(busy))/if (false)/
nobody walks while busy|s/if (current_is_kswapd() && /if (/
kswapd never walks|s/current_is_kswapd() && swap_formats_sum(busy)/current_is_kswapd()/
merge loses an item|s/^	to->nr += nr;/	to->nr += nr ? nr - 1 : 0;/
merge takes the same again|s/memmove(from->slot, from->slot + nr,/memmove(from->slot, from->slot,/
merge forgets tags|s/^	memcpy(to->tag + to->nr, from->tag, nr);//
merge too many|s/min(ZSWAP_AGE_ITEMS - to/min(ZSWAP_AGE_ITEMS + 1 - to/
what has had its chance is merged|s/if (tail && tail->visited == node->visited)/if (tail)/
sweeps merge what has had its chance|s/if (last && last->visited == node->visited)/if (last)/
sweeps do not merge|s/if (last && last->visited == node->visited)/if (false)/
push does not count|/^	list->nr += node->nr;/d
pop does not count|/^		list->nr -= node->nr;/d
pop leaves the end|/^		if (!node->next)/,+1d
pop leaves the sweep|/^		if (list->swept == node)/,+1d
the first is not the last|/^		if (!tail)/,+1d
a sweep does not count in the list|/^	list->nr -= nr;/d
a sweep does not count items|/^	percpu_counter_sub(&zswap_age_items, nr);/d
a walk does not count items|/^	percpu_counter_sub(&zswap_age_items, nr_old/d
flushed items are not counted|/^	percpu_counter_add(&zswap_age_items, node->nr);/d
nodes are not counted off|/^	percpu_counter_dec(&zswap_age_nodes);/d
a sweep leaves the end|/^		if (list->newest == node)/,+1d
a sweep unlinks the first|s/^\(.*\)last->next = node->next;/\1list->oldest = node->next;/
a sweep stays where it ended|/^	if (!node) {/,/^	}/s/list->swept = NULL;/;/
a sweep leaks nodes|/^static bool zswap_age_sweep_next/,/^}/s/zswap_age_node_free(node);/;/
push leaks nodes|/^static void zswap_age_push/,/^}/s/zswap_age_node_free(node);/;/
a sweep too late|s/return items >= ZSWAP_AGE_SLACK +/return items >= 2 * ZSWAP_AGE_SLACK +/
a sweep too early|s/return items >= ZSWAP_AGE_SLACK +/return items >= ZSWAP_AGE_SLACK \/ 2 +/
a sweep in vain again|s/if (items < READ_ONCE(zswap_age_swept))/if (false)/
no sweep after one|s/ZSWAP_AGE_SLACK) : 0);/ZSWAP_AGE_SLACK) : 1L << 40);/
no reference of a cgroup|s/^			obj_cgroup_get(objcg);/			;/
a reference stays|/^		obj_cgroup_put(old);/d
a cgroup fills the node of another|s/cpu->objcg != objcg || //
a node fills that of another|s/ || cpu->nid != nid)/)/
room for too few|s/unlikely(room < nr);/room + 1 < nr;/
prepare leaks|/^struct zswap_age_node \*zswap_age_prepare/,/^}/s/zswap_age_cancel(nodes);/;/
cancel leaks all but one|s/while (unlikely(next)) {/while (false) {/
cancel leaks a spare|s/^		zswap_age_node_free(nodes);/		;/
an empty node has had its chance|/node->visited = false;$/{N;/cancel/s/node->visited.*;//}
add begins nothing|s/begun = true;/;/
a dead CPU keeps its node|/^static int zswap_age_cpu_dead/,/^}/s/zswap_age_flush(cpu);/;/
a dead CPU keeps its cgroup|/^static int zswap_age_cpu_dead/,/^}/s/cpu->objcg = NULL/objcg = NULL/
a dead CPU keeps its spare|s/xchg(&cpu->spare, NULL)/NULL/
the slot of the first|s/= offset + i;/= offset;/
the tag of the first|s/zswap_age_tag(words\[i\])/zswap_age_tag(words[0])/
epochs at a distance|/nr = __hash_32(nr);/d
one epoch|s/this_cpu_inc_return(zswap_age_cpu.epoch)/1/
'

OUT=$OUT/mutants
mkdir -p "$OUT/mutant" || exit 1
OUT=$(cd "$OUT" && pwd) || exit 1

# report <0 if ok> <name> [file with why not]
report()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		failed=$((failed + 1))
		echo "not ok $n - $2"
		[ -z "${3-}" ] || tail -n 30 "$3" | sed 's/^/# /'
	fi
}

# build <file>
build()
{
	rm -f "$OUT/mutant/test_age"
	make -s "$OUT/mutant/test_age" OUT="$OUT/mutant" AGE="$1" AGE_EXTRA=-w \
		>"$OUT/mutant.log" 2>&1
}

# caught <name> <rc>: it must fail, and not because it took too long
caught()
{
	why=$(grep -m1 -aE '^# (test|finish)[a-z_]*:[0-9]+: |FAILED|WARNING|ERROR: |runtime error' \
		"$OUT/mutant.log" |
		sed 's/.*FAILED: //; s/^# //; s/^=*[0-9]*=*//; s/ on address.*//')
	case $2 in
	0 | 124 | 126 | 127)
		report 1 "mutant '$1' is noticed" "$OUT/mutant.log"
		;;
	*)
		report 0 "mutant '$1' is noticed: ${why:-exit status $2}"
	esac
}

cp "$file" "$OUT/mutant.c"
if build "$OUT/mutant.c" && "$OUT/mutant/test_age" 150000 >"$OUT/mutant.log" 2>&1; then
	report 0 "the file as it is passes"
else
	report 1 "the file as it is passes" "$OUT/mutant.log"
fi

while IFS= read -r line; do
	[ -n "$line" ] || continue
	case ${line%%|*} in
	*"$ONLY"*) ;;
	*) continue ;;
	esac
	nr_mutants=$((nr_mutants + 1))
	[ -n "$ALL$ONLY" ] || [ $((nr_mutants % 8)) -eq 1 ] || continue
	sed "${line#*|}" "$file" >"$OUT/mutant.c"
	if cmp -s "$file" "$OUT/mutant.c"; then
		report 1 "mutant '${line%%|*}' changes something"
	elif ! build "$OUT/mutant.c"; then
		report 1 "mutant '${line%%|*}' compiles" "$OUT/mutant.log"
	else
		( timeout 60 "$OUT/mutant/test_age" 150000 >"$OUT/mutant.log" 2>&1
			exit $? ) 2>/dev/null
		caught "${line%%|*}" $?
	fi
done <<END
$mutants
END

echo "1..$n"
echo "# $((n - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
