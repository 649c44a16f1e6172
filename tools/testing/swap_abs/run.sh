#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run what the Makefile beside it builds: unit tests, the model, the fuzzers and
# the simulator; and mutants, each with one thing wrong, which must be noticed.
# Called by "make check", which sets the variables. Prints TAP. What a fuzzer
# finds is left in OUT.

set -u

cd "$(dirname "$0")" || exit 1
: "${OUT:?run make check}"
n=0
failed=0

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

# run <name> <command>...: its own results stand behind "# "
run()
{
	name=$1
	shift
	"$@" >"$OUT/log" 2>&1
	rc=$?
	sed 's/^/# /' "$OUT/log"
	report $rc "$name"
}

# caught <name> <rc>: a mutant must fail, and not because it took too long, or
# could not be run
caught()
{
	first='^# [a-z_]+:[0-9]+: |^FAILED|^WARNING|ERROR: |runtime error'
	why=$(grep -m1 -aE "$first" "$OUT/mutant.log" |
		sed 's/^# *//; s/^FAILED: //; s/^=*[0-9]*=*//; s/ on address.*//; s/^ *//')
	case $2 in
	0 | 124 | 126 | 127)
		report 1 "mutant $1 is noticed" "$OUT/mutant.log"
		;;
	*)
		report 0 "mutant $1 is noticed: ${why:-exit status $2}"
	esac
}

# fuzz <program> <corpus> <longest input>
fuzz()
{
	mkdir -p "$OUT/$2"
	exec "$OUT/$1" -max_total_time="$FUZZ_SECONDS" -runs=10000000 -max_len="$3" \
		-timeout=20 -rss_limit_mb=1500 -artifact_prefix="$OUT/found-$1-" \
		"$OUT/$2" "$OUT/seeds-$2" >"$OUT/$1.log" 2>&1
}

# fuzzed <program> <pid> <name>: wait for it
fuzzed()
{
	wait "$2"
	rc=$?
	grep -aE '^INFO: Seed|^Done|^FAILED|ERROR|SUMMARY|Test unit written' "$OUT/$1.log" |
		sed 's/^/# /'
	report $rc "$3"
}

# What is changed in the kernel's files that the model drives: <file>|<what>|<sed>.
# Most break a rule that model/run.sh leaves out as well.
kernel_mutants='
desc|nothing is pinned|/WRITE_ONCE(\*desc, swap_desc_set_pinned/d
desc|what is pinned is pinned again|/swap_desc_is_at(\*desc, place) &&$/{N;s/ &&\n.*/) {/}
desc|a pinned copy is freed when dropped|s/return swap_desc_is_pinned(\*old) ? room :/return/
desc|commit does not compare|/commit(/,/^}/s/!desc)/!(desc = swap_desc_table(ci) + ci_off)->val)/
desc|commit under a locked folio|s/if (!folio_trylock(folio)) {/if (false) {/
desc|commit forgets a promise|s/room = swap_desc_is_promised(\*desc) + taken/room = taken/
desc|the old copy stays after a move|s/swap_backend_of(old)->moved(entry, from, folio);//
desc|an orphan stays|s/^	backend->drop(&word, 1);//
desc|a pin stays|/WRITE_ONCE(\*desc, swap_desc_clear_pinned/d
desc|install keeps the old copy|s/room = swap_desc_leave_copies(.*) + taken/room = taken/
desc|install forgets promises|/room -= swap_desc_holds_room(word);/d
segment|drop keeps live bytes|s/account(segment, -(int)size)/account(segment, 0)/
segment|drop forgets the object|/percpu_counter_dec(&segment->packed->objects);/d
segment|the dead give no room|s/^		swap_promise_put(-held);/;/
segment|what is closed gives room|s/if (!(old & SWAP_SEGMENT_CLOSED))/if (true)/
segment|the reserve is not hidden|s/swap_tier_hide(packed->tier, pages);//
segment|seq stays|s/packed->next_seq++/packed->next_seq/
segment|the end stays|/segment->victim.end = 0;/d
segment|what is full is not listed|/^	swap_victims_add(&packed->victims/,+1d
segment|what is bad is used again|s/^		if (bad) {$/		if (false) {/
segment|what got bad is never tried again|/^	*swap_tier_retry_bad(packed->tier);/d
segment|what is bad is room|s/swap_segment_account(segment, SWAP_SEGMENT_BAD);//
segment|what is stopped has spares|s/^	return READ_ONCE(packed->stopped) ||$/	return/
chunk|released with a write in flight|/^	swap_blkcg_hold(css);/{n;d}
chunk|released with an object|/= swap_chunk_buf_append/,/refcount_inc/{/refcount_inc/d}
chunk|in flight is not counted|s/atomic_inc(&segment->writing);//
chunk|a block is written twice|s/victim.end += chunk->size/victim.end += (chunk->size - 1)/
chunk|a failed write counts|s/chunk->failed = true;//
chunk|a failed folio is clean|/folio_mark_dirty(folio);/d
chunk|a failed move is committed|/if (failed ||$/{N;s/failed ||\n[ \t]*//}
chunk|a move that failed has live bytes|/swap_packed_drop(&item->to, 1);/d
chunk|a move that failed keeps its pin|/swap_move_abort(item->slot, item->from,$/{N;d}
chunk|more is written than there is|s/swap_chunk_buf_end(&chunk->fill);/chunk->fill.size;/
chunk|a chunk goes on in another extent|s/= swap_device_run(.*;/= offset * 8;/
chunk|a chunk is lost|s/list_add(&chunk->list, &packed->idle);//
chunk|flush does nothing|/^void swap_stream_flush(/,/^}/s/swap_chunk_submit(chunk);/;/
chunk|submits with a lock held|/^static void swap_stream_close/,/^}/s/spin_unlock(.*//
chunk|survivors are not counted off|s/atomic_sub(chunk->nr_items, &p.*;/;/
chunk|no lock|s/^	chunk->urgent |=.*/spin_unlock(\&stream->lock); spin_lock(\&stream->lock);/
collect|a victim has no reference|s/refcount_inc_not_zero(&segment->refs)) {/true) {/
collect|a victim is not put back|s/^	swap_collect_putback(segment, err != .*//
collect|the first piece only|s/^		pos = piece->base.*/pos = end;/
collect|what stays is pinned|s/if (!swap_move_abort(slot, place, err))/if (false)/
collect|who moves out looks twice|/packed->next_seq++;/d
packed|a folio is not written|s/item->folio = folio;//
packed|writeback ends too early|s/atomic_inc(&write->pending);//
packed|what is undone has live bytes|s/swap_packed_backend.drop(words, i);//
packed_read|a page without check|s/if (swap_object_check(object, &want, .*/if (false)/
packed_read|a bad page is uptodate|s/^	if (err) {$/	if (false) {/
packed_read|a bad page is not read again|s/= swap_packed_read_again(.*/= -EIO;/
'

# What is changed in mm/swap_abs/format.c: <what>|<sed>
pack_mutants='
crc without the header|/crc = crc32c(crc, header, offsetof/d
crc without the place|s/&place, sizeof(place)/\&place, 0/
crc with half of the place|s/cpu_to_le64(address)/cpu_to_le64((u32)address)/
crc with the place of the chunk|s/chunk->start + offset, header/chunk->start, header/
a stale tail of an object|/memset(chunk->buf + offset + end/d
a stale tail of a chunk|/memset(chunk->buf + chunk->used/d
a chunk that is never full|s/<= chunk->size;/< chunk->size;/
a chunk that is too full|s/<= chunk->size;/<= chunk->size + SWAP_OBJECT_ALIGN;/
blocks counted where they end|s/DIV_ROUND_UP(offset, SWAP_PACKED_BLOCK)/offset \/ SWAP_PACKED_BLOCK/
an offset in the chunk|s/return chunk->start + offset;/return offset;/
check without version|s/header->version != SWAP_OBJECT_VERSION ||$/false ||/
check without seq|s/le32_to_cpu(header->seq) != seq ||$/false ||/
check without slot|s/le32_to_cpu(header->slot) != want->slot/false/
check without codec|s/header->codec != want->codec/false/
check without crc|/(header->crc) !=$/{N;s/(le32.*want->length))/(false)/}
a believed length|s/ header, want->length/ header, le16_to_cpu(header->length)/; /!= want->length/d
next without version|s/header->version != SWAP_OBJECT_VERSION || !length ||/!length ||/
next without seq|s/le32_to_cpu(header->seq) != seq)$/false)/
next without crc|/(header->crc) !=$/{N;s/(le32.* header, length))/(false)/}
next of any length|s/length > SWAP_OBJECT_MAX_LENGTH ||/false ||/
next beyond the buffer|s/(\*pos + sizeof(\*header) + length > size)/(false)/
next misses what goes on|/+ length > size)/{n;s/return false/continue/}
next looks into objects|s/\*pos += swap_object_size(length);/*pos += SWAP_OBJECT_ALIGN;/
next takes data for padding|s/; \*pos += .*)/; *pos += header->version ? 16 : 4096 - *pos % 4096)/
an age that overflows|s/min_t(unsigned long, age, ~0U)/age/
a benefit without age|s/return gain \* .*/return gain;/
'

# The same in mm/swap_abs/victim.c
victim_mutants='
choice ignores skip|s/(victim->skip || victim->dense)/(victim->dense)/
choice ignores dense|s/(victim->skip || victim->dense)/(victim->skip)/
dense stays|/victim->dense = 0;/d
unskip moves nothing|s/list_move_tail(&victim->list, .*\[victim->bucket\]);//
skipped ones stay|/_tail(&victim->list,$/{N;s/list.*ASIDE.*;/return NULL;/}
skip stays|/victim->skip = 0;/d
update does not move|s/list_move_tail(&victim->list, &victims->bucket\[bucket\]);//
update forgets the bucket|/^	victim->bucket = bucket;/d
update moves to the front|s/list_move_tail(\(.*\[bucket\])\)/list_move(\1/
update leaves what is aside|s/ && (!skipped || victim->dense)//
update makes it new|s/(now - victim->since) \/ SWAP_VICTIM_YOUNGER/now - victim->since/
update leaves it as old|/SWAP_VICTIM_YOUNGER;/s/+=/+= 0 */
add puts it in front|s/list_add_tail(/list_add(/
del leaves it listed|/victim->listed = 0;/d
del does not count|/victims->nr--;/d
a bucket too low|s/return DIV_ROUND_UP(live, \(.*\));/return live \/ (\1);/
none is old|s/return is_old \&\&/return is_old \&\& 0 \&\&/
old in small devices|s/nr_segments >= SWAP_VICTIM_MIN_OLD/true/
old in runs|s/!swap_victims_die_in_runs(victims);/true;/
nothing dies in runs|s/victims->spread < SWAP_VICTIM_RUNS/false/
all dies in runs|s/victims->spread < SWAP_VICTIM_RUNS/true/
runs of one process only|s/next++ % SWAP_VICTIM_RECENT/next++ % 1/
runs for ever|s/victims->spread += .*;/(void)0;/
old is what is young|s/\* SWAP_VICTIM_AGES > victims->age/* SWAP_VICTIM_AGES < victims->age/
the average stays|s/victims->age += age - .*/victims->age = 100;/
the average is a sum|s/ - victims->age \/ SWAP_VICTIM_AGES;/;/
choice by age alone|s/victims->size \/ SWAP_VICTIM_PARTS \* bucket;/0;/
choice without age|s/now - victim->since);/0);/
choice of the worst|s/(benefit > most)/(!best || benefit < most)/
choice of a full one|s/: SWAP_VICTIM_LAST;/: SWAP_VICTIM_ASIDE - 1;/
choice of an empty one only|s/bucket <= last/bucket < 1/
choice ignores other devices|s/elsewhere ? SWAP_VICTIM_ELSEWHERE : //
choice ignores the need|s/!nr_free || //
choice ignores cheap ones|s/bucket == SWAP_VICTIM_CHEAP + 1 ||$/false ||/
choice ignores dear ones|s/bucket >= SWAP_VICTIM_DEAR)/false)/
collection too late|s/SWAP_SEGMENT_RESERVE + clamp(/0 * clamp(/
collection too early|s/nr_segments \/ SWAP_COLLECT_SHARE/nr_segments/
held rounds down to 0|s/max((\(.*\)) \/ parts, 1U)/(\1) \/ parts \/ 64/
held of an empty one|s/if (!bucket)/if (false)/
held of the upper end|s/2 \* bucket - 1/2 * bucket + 1/
held without the twelfth|s/\* SWAP_SEGMENT_FULL_DEN;/* SWAP_SEGMENT_FULL_NUM;/
'

# The same in mm/swap_abs/zswap_age.c; without ALL, one of eight. Left out, because
# nothing that can be seen changes: zswap_age_collect() does not look at @nid again under
# the CPU's lock (what is there goes to its own list as well), and zswap_age_offline()
# leaves @swept (nobody reads that of a list that stays empty).
age_mutants='
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

# mutate <file> <sed>: leaves $OUT/mutant.c, if the expression changes anything
mutate()
{
	sed "s|#include \"\(.*\)\"|#include \"$LINKS/mm/swap_abs/\1\"|" "$1" \
		>"$OUT/original.c"
	shift
	sed "$1" "$OUT/original.c" >"$OUT/mutant.c"
	! cmp -s "$OUT/original.c" "$OUT/mutant.c"
}

rm -f "$OUT"/found-* 2>/dev/null
mkdir -p "$OUT" || exit 1
OUT=$(cd "$OUT" && pwd) || exit 1
LINKS=$OUT/kernel
if ! make -s all >"$OUT/build.log" 2>&1; then
	echo "not ok 1 - everything compiles"
	sed 's/^/# /' "$OUT/build.log"
	echo "1..1"
	exit 1
fi

run "unit tests, gcc" "$OUT/test_pack"
run "unit tests, clang" "$OUT/test_pack_clang"
run "unit tests of the choice of segments" "$OUT/test_victim"
run "random operations against a plain map" "$OUT/test_model" "$OPERATIONS" "$SEED"
run "the order of zswap's objects" "$OUT/test_age" "$((OPERATIONS / 2))" "$SEED"

# mutants <flags> <arguments> <file> <mutants> <object>...: change the file, link it, or
# MAIN in its place, with the objects, and run that with the arguments
mutants()
{
	flags=$1
	arguments=$2
	file=$3
	list=$4
	shift 4
	# shellcheck disable=SC2086
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		name="'${line%%|*}'"
		if ! mutate "$file" "${line#*|}"; then
			report 1 "mutant $name changes something"
			continue
		fi
		if ! $CC $SAN -O1 $flags -w -o "$OUT/mutant" "${MAIN:-$OUT/mutant.c}" "$@" \
				>"$OUT/mutant.log" 2>&1; then
			report 1 "mutant $name compiles" "$OUT/mutant.log"
			continue
		fi
		( timeout 60 "$OUT/mutant" $arguments >"$OUT/mutant.log" 2>&1; exit $? ) 2>/dev/null
		caught "$name" $?
	done <<END
$list
END
}

for source in test_pack.c test_victim.c crc32c.c "$PACK"; do
	# shellcheck disable=SC2086,SC2153 # FLAGS is the Makefile's
	$CC $FLAGS $SAN -O1 -c -o "$OUT/$(basename "$source" .c).o" "$source"
done
mutants "$FLAGS" -x "$PACK" "$pack_mutants" "$OUT/test_pack.o" "$OUT/crc32c.o"
mutants "$FLAGS" -x "$VICTIM" "$victim_mutants" "$OUT/test_victim.o" "$OUT/format.o" \
	"$OUT/crc32c.o"

# The test includes the file that is changed.
LINKS=$OUT/age
MAIN=test_age.c
mutants "$AGE_FLAGS -DAGE_FILE=\"$OUT/mutant.c\"" 150000 "$AGE" \
	"$(printf '%s' "$age_mutants" | awk -v all="$ALL" 'all || NR % 8 == 2')"
LINKS=$OUT/kernel
MAIN=

mkdir -p "$OUT/objects"
for source in test_model.c $MODEL "$PACK" "$VICTIM" $KERNEL; do
	[ -e "$source" ] || source=$LINKS/mm/swap_abs/$source.c
	# shellcheck disable=SC2086
	$CC $SAN -O1 $KFLAGS -c -o "$OUT/objects/$(basename "$source" .c).o" "$source"
done
for file in $KERNEL; do
	list=$(printf '%s\n' "$kernel_mutants" | sed -n "s/^$file|//p")
	# shellcheck disable=SC2046,SC2010 # no name has a space
	mutants "$KFLAGS" "300000 1" "$LINKS/mm/swap_abs/$file.c" "$list" \
		$(ls "$OUT"/objects/*.o | grep -v "/$file.o$")
done

for corpus in bytes ops; do
	rm -rf "$OUT/seeds-$corpus"
	mkdir -p "$OUT/seeds-$corpus"
	"$OUT/seeds" $corpus "$OUT/seeds-$corpus" || exit 1
done
# At the same time: the two are limited by time, not by work.
fuzz fuzz_bytes bytes 20488 &
bytes=$!
fuzz fuzz_ops ops 2048 &
ops=$!
trap 'kill $bytes $ops 2>/dev/null; exit 130' INT TERM
fuzzed fuzz_bytes $bytes "fuzz: the bytes of a device, $FUZZ_SECONDS s"
fuzzed fuzz_ops $ops "fuzz: a stream of operations, $FUZZ_SECONDS s"
trap - INT TERM

# fuzz_mutant <name> <corpus> <longest input>: the fuzzers can fail, too
fuzz_mutant()
{
	( "$OUT/mutant" -max_total_time=60 -max_len="$3" -seed=1 \
		-artifact_prefix="$OUT/mutant-" "$OUT/seeds-$2" >"$OUT/mutant.log" 2>&1
		exit $? ) 2>/dev/null
	caught "$1, fuzzed," $?
	rm -f "$OUT"/mutant-*
}

for what in 'next beyond the buffer' 'next takes data for padding'; do
	line=$(printf '%s\n' "$pack_mutants" | grep "^$what|")
	# shellcheck disable=SC2086
	if mutate "$PACK" "${line#*|}" && $CLANG $FLAGS -Wno-unused $FUZZ_BYTES -o "$OUT/mutant" \
			fuzz_bytes.c "$OUT/mutant.c" "$OUT/fuzz_crc32c.o"; then
		fuzz_mutant "'$what'" bytes 20488
	else
		report 1 "mutant '$what' is fuzzed"
	fi
done
# shellcheck disable=SC2086,SC2046,SC2059
if mutate "$LINKS/mm/swap_abs/desc.c" "$(printf '%s\n' "$kernel_mutants" |
		sed -n 's/^desc|nothing is pinned|//p')" &&
		$CLANG $FUZZ_OPS $KFLAGS -w -o "$OUT/mutant" fuzz_ops.c $MODEL "$PACK" "$VICTIM" \
		"$OUT/mutant.c" $(printf "$LINKS/mm/swap_abs/%s.c\n" ${KERNEL%desc}); then
	fuzz_mutant "'nothing is pinned'" ops 2048
else
	report 1 "mutant 'nothing is pinned' is fuzzed"
fi

# shellcheck disable=SC2086 # nothing, or a word
run "write amplification" "$OUT/sim" ${ALL:+all}

echo "1..$n"
echo "# $((n - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
