// SPDX-License-Identifier: GPL-2.0
/*
 * batch.pml - movers that take pages through folios, a batch at a time, for spin.
 *
 * What is modelled
 * ----------------
 * mm/swap_abs/move.c. Two slots, their words and swap-cache folios, two devices S
 * and D, and:
 *
 *	mover 0	moves from S to D; it is swapoff, too (S is closed, what has no
 *		other place stays in RAM, what can't be read is lost)
 *	mover 1	moves from D to S
 *		Both gather one slot or two, submit the reads, let go of the batch
 *		before, store, submit the writes; and both may be killed (or frozen)
 *		at any time.
 *	env	a slot's threads, one atomic step each: fault, fork, write, exit;
 *		reclaim unmaps, stores and removes; an I/O ends or fails
 *
 * What is abstracted
 * ------------------
 * - What is done with a locked folio without waiting is one step.
 * - A copy is what the page holds now ("good") or it is not.
 * - A slot's place on a device is its own. What is dropped is never good again.
 * - "Own" (allocated for the move) folios are on no LRU list until the mover is
 *   done with them; of a folio that has left its slot, no more is known than that.
 * - A device goes bad for one place at a time. A read that was submitted with
 *   others fails for all of them if one can't be read; by itself, only that one.
 * - Large folios, zero pages, memory failure (poison.pml), who has references but
 *   no mapping (held.pml), capacity and cgroups are not here. Copies without a
 *   folio (mover.pml) are not, either.
 *
 * What is asserted
 * ----------------
 *	wrong_data	a read gave something else than the page's last version
 *	stray_io	a read or write was under way when its place was dropped
 *	needless_lost	"lost" was said of a copy that can be read, or that RAM has
 *	unreclaimable	a folio is in the swap cache, on no LRU list, and nobody's
 *	double_lru	a folio is put on the LRU lists twice
 *	unsettled	a move has ended and something of its batch is left
 *	dead_device	swapoff has ended, and something is on the device
 * Rules (not with -DHARM_ONLY):
 *	rule_owner	rule 1: a mover changes the word of a slot only while the folio
 *			that it has locked is the one in the slot
 *	rule_copy	rule 4: a folio that is clean has a good copy
 * With -DBOUND=n -DSTARTS=n (n operations and moves, then silence) all come to rest: so
 * no mover waits for what itself, or who waits for it, has not submitted.
 *
 * Without -DMEET there is mover 0 only. With it there are both, and less around them:
 * no mappings, no failures, no kill, no swapoff, one batch a move; reclaim and frees
 * take data from one device to the other meanwhile. That is what two movers need to meet
 * in each other's batch.
 */

/* words */
#define NONE	0
#define S	1
#define D	2
#define LOST	3
#define on_device(w)	((w) == S || (w) == D)

/* I/O of a folio: queued by a mover (QUEUED + m), submitted, submitted and to fail */
#define QUEUED	1
#define OUT	3
#define DOOMED	4

/* what a mover has of a slot */
#define READING	1
#define WRITING	2

#define NR	2		/* slots, and movers */

#ifndef MOST
#define MOST	2		/* page table entries that a slot has */
#endif

byte count[NR];			/* swapped page table entries */
byte mapc[NR];			/* mapped ones */
byte word[NR];
bit good[NR];			/* the copy is the last version */
bit bad[NR];			/* the copy can't be read */
bit cached[NR], uptodate[NR], dirty[NR], lru[NR];
byte rd[NR], wb[NR];		/* being read (locked), under writeback */
byte io[NR];			/* from or to where */

/* The batches; [m * NR + i] */
byte has[4];
bit own[4];			/* allocated for the move */
bit gone[4];			/* the folio has left the slot */
bit killed[NR];
bit moving[NR];
bit closed;			/* S, by swapoff */

#ifdef BOUND
byte budget = BOUND;
byte starts[NR] = STARTS;
#define MAY	(budget > 0)
#define SPEND	budget--
#define START	(starts[m] > 0)
#define STARTED	starts[m]--
#else
#define MAY	true
#define SPEND	skip
#define START	true
#define STARTED	skip
#endif

bit wrong_data = 1, stray_io = 1, needless_lost = 1, unreclaimable = 1;
bit double_lru = 1, unsettled = 1, dead_device = 1;
#define HARM(name, cond)	assert(!name || (cond))

#ifdef HARM_ONLY
#define RULE(name, cond)	skip
#else
bit rule_owner = 1, rule_copy = 1;
#define RULE(name, cond)	assert(!name || (cond))
#endif

#ifdef STORY
#define SAY1(what, x)	printf(what, x);
#define SAY2(what, x, y) printf(what, x, y);
#define SAY3(what, x, y, z) printf(what, x, y, z);
#else
#define SAY1(what, x)
#define SAY2(what, x, y)
#define SAY3(what, x, y, z)
#endif

#define used(i)		(count[i] || mapc[i])
#define other(m)	(1 - (m))
#define at(m, i)	((m) * NR + (i))
/* Has a mover a reference of the folio that is in the slot? */
#define refs(m, i)	(has[at(m, i)] && !gone[at(m, i)])
#define is_own(m, i)	(refs(m, i) && own[at(m, i)])
#define lockable(i)	(!rd[i])
#define idle(i)		(!rd[i] && !wb[i])

/* A word changes, and what it pointed to is free. */
inline set_word(i, w)
{
	HARM(stray_io, io[i] == NONE);
	word[i] = w;
	good[i] = 0;
	bad[i] = 0
}

/* The same, by a mover, which has a folio locked. */
inline move_word(m, i, w)
{
	RULE(rule_owner, cached[i] && !gone[at(m, i)]);
	set_word(i, w)
}

/* A folio leaves the swap cache. */
inline uncache(i)
{
	cached[i] = 0;
	uptodate[i] = 0;
	dirty[i] = 0;
	lru[i] = 0;
	gone[at(0, i)] = has[at(0, i)] != 0;
	gone[at(1, i)] = has[at(1, i)] != 0;
	if
	:: !used(i) -> set_word(i, NONE)
	:: else
	fi
}

inline check(i)
{
	HARM(unreclaimable, !cached[i] || lru[i] || is_own(0, i) || is_own(1, i));
	RULE(rule_copy, !used(i) || !cached[i] || !uptodate[i] || dirty[i] || wb[i] ||
		(on_device(word[i]) && good[i]))
}

/* Nobody needs the slot any longer: free it, if nobody is at it just now. */
inline put_entry(i)
{
	if
	:: !used(i) && !cached[i] -> set_word(i, NONE)
	:: !used(i) && cached[i] && idle(i) -> uncache(i)
	:: else				/* the sweep below */
	fi
}

proctype env(bit i)
{
end:	do
	/* A new page is on its way out. */
	:: d_step { MAY && !used(i) && !cached[i] -> SPEND;
		SAY1("env: %d: a new page is in the swap cache\n", i)
		count[i] = 1;
		cached[i] = 1; uptodate[i] = 1; dirty[i] = 1; lru[i] = 1
	   }
#ifndef MEET
	/* Fault: map the folio; the last one may free the slot. */
	:: atomic { MAY && count[i] && cached[i] && uptodate[i] && lockable(i) -> SPEND;
		count[i]--;
		mapc[i]++;
		if
		:: !count[i] && !wb[i] && mapc[i] == 1 ->
			SAY1("env: %d: fault, the slot is freed\n", i)
			mapc[i] = 0;
			uncache(i)
		:: true ->
			SAY1("env: %d: fault, maps the folio\n", i)
#ifdef FAULT_ADDS_LRU
			lru[i] = 1
#endif
		fi;
		check(i)
	   }
#endif
	/* Fault: read it, or read it once more; what can't be read is an error. */
	:: d_step { MAY && count[i] && !cached[i] && on_device(word[i]) -> SPEND;
		SAY1("env: %d: fault, reads\n", i)
		cached[i] = 1; uptodate[i] = 0; dirty[i] = 0; lru[i] = 1;
		io[i] = word[i];
		rd[i] = (bad[i] -> DOOMED : OUT)
	   }
#ifndef MEET
	:: d_step { MAY && count[i] && cached[i] && !uptodate[i] && lockable(i) &&
		on_device(word[i]) && !bad[i] -> SPEND;
		SAY1("env: %d: fault, reads once more\n", i)
		io[i] = word[i];
		rd[i] = OUT
	   }
	:: d_step { MAY && count[i] && (!cached[i] || (!uptodate[i] && lockable(i))) &&
		(word[i] == LOST || bad[i]) -> SPEND;
		SAY1("env: %d: fault, error\n", i)
		count[i]--;
		put_entry(i);
		check(i)
	   }
	/* Who is alone writes; another one gets a page of his own. */
	:: d_step { MAY && mapc[i] -> SPEND;
		if
		:: mapc[i] == 1 && !count[i] ->
			SAY1("env: %d: writes to the page\n", i)
			dirty[i] = 1;
			good[i] = 0
		:: else ->
			SAY1("env: %d: gets a page of his own\n", i)
			mapc[i]--;
			put_entry(i)
		fi;
		check(i)
	   }
	:: d_step { MAY && used(i) && count[i] + mapc[i] < MOST -> SPEND;
		SAY1("env: %d: fork\n", i)
		if
		:: count[i] -> count[i]++
		:: else -> mapc[i]++
		fi
	   }
#endif
	:: d_step { MAY && count[i] -> SPEND;
		SAY1("env: %d: a swapped entry is freed\n", i)
		count[i]--;
		put_entry(i);
		check(i)
	   }
	:: d_step { !used(i) && cached[i] && idle(i) ->
		SAY1("env: %d: the slot is swept\n", i)
		uncache(i)
	   }

	/* Reclaim finds what is on the LRU lists, and keeps what somebody refers to. */
#ifndef MEET
	:: d_step { MAY && mapc[i] && lru[i] && idle(i) -> SPEND;
		SAY1("env: %d: reclaim unmaps\n", i)
		count[i] = count[i] + mapc[i];
		mapc[i] = 0
	   }
#endif
	:: atomic { MAY && used(i) && cached[i] && lru[i] && idle(i) && !mapc[i] &&
		uptodate[i] && dirty[i] && !refs(0, i) && !refs(1, i) -> SPEND;
		if
		:: !closed -> set_word(i, S)
		:: true -> set_word(i, D)
		fi;
		SAY2("env: %d: reclaim stores in %d\n", i, word[i])
		dirty[i] = 0;
		io[i] = word[i];
		wb[i] = OUT
	   }
	:: d_step { MAY && cached[i] && lru[i] && idle(i) && !mapc[i] && !dirty[i] &&
		!refs(0, i) && !refs(1, i) -> SPEND;
		SAY1("env: %d: reclaim removes the folio\n", i)
		uncache(i);
		check(i)
	   }

	/* I/O ends. */
	:: d_step { rd[i] >= OUT ->
		HARM(stray_io, io[i] == word[i]);
		if
		:: rd[i] == OUT ->
			SAY1("env: %d: has been read\n", i)
			HARM(wrong_data, good[i] || !used(i));
			uptodate[i] = 1
		:: else ->
			SAY1("env: %d: could not be read\n", i)
		fi;
		rd[i] = 0;
		io[i] = NONE
	   }
	:: atomic { wb[i] == OUT ->
		HARM(stray_io, io[i] == word[i]);
		if
		:: good[i] = !dirty[i];
			SAY1("env: %d: has been written\n", i)
#ifndef MEET
		:: good[i] = 0; dirty[i] = 1;
			SAY1("env: %d: could not be written\n", i)
#endif
		fi;
		wb[i] = 0;
		io[i] = NONE;
		check(i)
	   }
#ifndef MEET
	:: d_step { MAY && i == 0 && word[i] == S && !bad[i] && !wb[i] && rd[i] != OUT -> SPEND;
		SAY1("env: %d: its place on S goes bad\n", i)
		bad[i] = 1
	   }
	:: d_step { moving[i] && !killed[i] && MAY -> SPEND;
		SAY1("env: mover %d is killed\n", i)
		killed[i] = 1
	   }
#endif
	od
}

/* What was submitted together fails together. */
inline submit_reads(m)
{
	if
	:: (rd[0] == QUEUED + m && bad[0]) || (rd[1] == QUEUED + m && bad[1]) ->
		rd[0] = (rd[0] == QUEUED + m -> DOOMED : rd[0]);
		rd[1] = (rd[1] == QUEUED + m -> DOOMED : rd[1])
	:: else ->
		rd[0] = (rd[0] == QUEUED + m -> OUT : rd[0]);
		rd[1] = (rd[1] == QUEUED + m -> OUT : rd[1])
	fi
}

inline submit_writes(m)
{
	wb[0] = (wb[0] == QUEUED + m -> OUT : wb[0]);
	wb[1] = (wb[1] == QUEUED + m -> OUT : wb[1])
}

#define source(m)	(S + (m))
#define dest(m)		(D - (m))
#define to_ram(m)	((m) == 0 && closed)
#define open(w)		(!((w) == S && closed))

inline forget(m, i)
{
	has[at(m, i)] = 0;
	own[at(m, i)] = 0;
	gone[at(m, i)] = 0
}

/* swap_move_leave() */
inline leave(m, i)
{
	if
	:: is_own(m, i) ->
#ifndef LEAVE_NO_LRU
		HARM(double_lru, !lru[i]);
		lru[i] = 1
#endif
	:: else
	fi;
	forget(m, i);
	check(i)
}

#if defined(NO_MATCH) || defined(OTHER_FOLIO)
#define matches(m, i)	cached[i]
#else
#define matches(m, i)	(!gone[at(m, i)])
#endif

#ifdef RELEASE_NO_WAIT
#define wb_over(i)	true
#else
#define wb_over(i)	(!wb[i])
#endif

#ifdef RELEASE_DIRTY
#define is_clean(i)	true
#else
#define is_clean(i)	(!dirty[i])
#endif

/* swap_move_release(), with the folio locked */
inline release_locked(m, i)
{
	if
	:: matches(m, i) && !mapc[i] && wb_over(i) && is_clean(i) && !refs(other(m), i) &&
	   (own[at(m, i)] || lru[i]) ->
		SAY2("mover %d: %d leaves the swap cache\n", m, i)
		uncache(i);
		forget(m, i);
		check(i)
	:: else ->
		SAY2("mover %d: %d stays, or is gone\n", m, i)
		leave(m, i)
	fi
}

/* swap_move_release() */
inline release(m, i)
{
	if
	:: d_step { has[at(m, i)] == WRITING && (gone[at(m, i)] || (lockable(i) && wb_over(i))) ->
		release_locked(m, i)
	   }
	/* Of what was found, nobody is waited for. */
	:: d_step { has[at(m, i)] == WRITING && !gone[at(m, i)] && !own[at(m, i)] &&
		!lockable(i) && wb_over(i) -> leave(m, i)
	   }
	:: d_step { has[at(m, i)] == WRITING && killed[m] ->
		SAY2("mover %d: killed, leaves %d\n", m, i)
		leave(m, i)
	   }
	:: has[at(m, i)] != WRITING
	fi
}

/*
 * In use: by a mapping, by another mover; or dirty. The reference of who has taken it
 * off the LRU lists, or not put it there yet, is known.
 */
#define in_use(m, i)	(mapc[i] || dirty[i] || \
			 (refs(other(m), i) && (own[at(m, i)] || lru[i])))

inline to_stay(m, i)
{
	SAY2("mover %d: %d is dirtied, its copy dropped\n", m, i)
#ifndef STAYS_CLEAN
	dirty[i] = 1;
#endif
	move_word(m, i, NONE)
}

/* swap_move_folio(), of a locked folio */
inline store_folio(m, i)
{
	if
	:: in_use(m, i) && to_ram(m) -> to_stay(m, i)
	:: in_use(m, i) && !to_ram(m)
	:: !in_use(m, i) && open(dest(m)) ->
		SAY2("mover %d: %d is stored\n", m, i)
		move_word(m, i, dest(m));
		io[i] = dest(m);
		wb[i] = QUEUED + m
	:: !in_use(m, i) ->		/* no room */
		if
		:: to_ram(m) -> to_stay(m, i)
		:: else
		fi
	fi
}

#ifdef WB_UNTESTED
#define to_lock(m, i)	(gone[at(m, i)] || lockable(i))
#elif defined(OTHER_FOLIO)
#define to_lock(m, i)	idle(i)
#else
#define to_lock(m, i)	(gone[at(m, i)] || idle(i))
#endif

/* An entry of swap_move_store_batch() */
inline store(m, i)
{
	/* swap_move_lock() */
	if
	:: to_lock(m, i)
	:: atomic { !to_lock(m, i) ->
#ifndef LOCK_NO_SUBMIT
		submit_writes(m)
#endif
	   }
	fi;
	if
	:: atomic { to_lock(m, i) ->
		has[at(m, i)] = WRITING;
		/* swap_move_is_ready() */
		if
		:: matches(m, i) && word[i] == source(m) && uptodate[i] ->
			store_folio(m, i)
#ifdef LOST_AT_ONCE
		:: matches(m, i) && word[i] == source(m) && !uptodate[i] && to_ram(m) ->
			HARM(needless_lost, bad[i]);
			move_word(m, i, LOST)
#else
		:: matches(m, i) && word[i] == source(m) && !uptodate[i] ->
			/* swap_read_again() */
			SAY2("mover %d: %d is read once more\n", m, i)
			submit_writes(m);
			io[i] = word[i];
			rd[i] = (bad[i] -> DOOMED : OUT);
			goto again
#endif
		:: else -> skip
		fi;
		check(i);
		i = NR
	   }
	:: atomic { !to_lock(m, i) && killed[m] ->
		SAY2("mover %d: killed, leaves %d\n", m, i)
		leave(m, i);
		i = NR
	   }
	fi
}

#define is_still(m, i)	(!gone[at(m, i)] && word[i] == source(m) && !wb[i])
#ifdef LOST_OVER_RAM
#define is_read(i)	false
#else
#define is_read(i)	uptodate[i]
#endif

proctype mover(bit m)
{
	byte first, i;

end:	do
	:: d_step { START -> STARTED;
		moving[m] = 1;
		SAY1("mover %d: begins\n", m)
	   }
#ifndef MEET
	   if
	   :: d_step { m == 0 -> closed = 1; SAY1("mover %d: is swapoff\n", m) }
	   :: true
	   fi;
#endif
gather:	   do
	   :: atomic { !killed[m] && !has[at(m, 0)] && word[0] == source(m) &&
		(cached[0] || count[0]) -> i = 0; goto take }
	   :: atomic { !killed[m] && !has[at(m, 1)] && word[1] == source(m) &&
		(cached[1] || count[1]) -> i = 1; goto take }
	   :: break
	   od;
	   goto settle;
take:	   atomic {
		/* swap_move_get_folio() */
		if
		:: cached[i] ->
			SAY2("mover %d: finds the folio of %d\n", m, i)
		:: !cached[i] && count[i] ->
			SAY2("mover %d: begins to read %d\n", m, i)
			cached[i] = 1; uptodate[i] = 0; dirty[i] = 0;
			own[at(m, i)] = 1;
			if
			:: on_device(word[i]) ->
				io[i] = word[i];
				rd[i] = QUEUED + m
			:: else			/* lost meanwhile */
			fi
		:: else -> goto gather		/* freed meanwhile */
		fi;
		has[at(m, i)] = READING;
		first = (has[at(m, 1 - i)] == READING -> 1 - i : i)
	   }
	   if
	   :: goto gather
	   :: true			/* the batch is full */
	   fi;
settle:	   atomic {
		/* swap_move_settle() */
#ifndef READS_LATE
		submit_reads(m);
#endif
		i = 0
	   }
	   release(m, 0);
	   release(m, 1);
	   /* swap_move_store_batch() */
store_next:
	   atomic {
		if
		:: has[at(m, first)] == READING -> i = first
		:: has[at(m, first)] != READING && has[at(m, 1 - first)] == READING -> i = 1 - first
		:: else -> goto stored
		fi
	   }
#ifdef KILLED_FORGETS
	   if
	   :: d_step { killed[m] ->
		if
		:: has[at(m, 0)] == READING -> forget(m, 0); check(0)
		:: else
		fi;
		if
		:: has[at(m, 1)] == READING -> forget(m, 1); check(1)
		:: else
		fi
	      }
	      goto stored
	   :: else
	   fi;
#endif
	   store(m, i);
	   goto store_next;
#ifndef LOST_AT_ONCE
again:	   if
	   :: atomic { gone[at(m, i)] || lockable(i) ->
		if
		:: gone[at(m, i)] || word[i] != source(m) || wb[i]
		:: is_still(m, i) && is_read(i) -> store_folio(m, i)
		:: is_still(m, i) && !is_read(i) && !to_ram(m)
		:: is_still(m, i) && !is_read(i) && to_ram(m) ->
			SAY2("mover %d: %d is lost\n", m, i)
			HARM(needless_lost, bad[i] && !uptodate[i]);
			move_word(m, i, LOST)
		fi;
		check(i)
	      }
	   :: atomic { !gone[at(m, i)] && !lockable(i) && killed[m] ->
		SAY2("mover %d: killed, leaves %d\n", m, i)
		leave(m, i)
	      }
	   fi;
	   goto store_next;
#endif
stored:	   atomic {
		submit_writes(m);
		i = 0
	   }
#ifndef MEET
	   if
	   :: goto gather		/* the next batch */
	   :: skip			/* swap_move_end() */
	   fi;
#endif
	   d_step {
#ifndef READS_LATE
		submit_reads(m);
#endif
		first = 0
	   }
	   release(m, 0);
#ifndef ENDS_AFTER_ONE
	   release(m, 1);
#endif
	   atomic {
		HARM(unsettled, !has[at(m, 0)] && !has[at(m, 1)]);
		SAY1("mover %d: ends\n", m)
#ifndef SCANS_ONCE
		if
		:: to_ram(m) && !killed[m] && (word[0] == S || word[1] == S) ->
			goto gather
		:: else
		fi;
#endif
		HARM(dead_device, !to_ram(m) || killed[m] || (word[0] != S && word[1] != S));
		if
		:: m == 0 -> closed = 0
		:: else
		fi;
		killed[m] = 0;
		moving[m] = 0
	   }
	od
}

init
{
	atomic {
		/* Both have been swapped out. */
		count[0] = 1; word[0] = S; good[0] = 1;
		count[1] = 1; good[1] = 1;
		if
		:: word[1] = S
		:: word[1] = D
		fi;
		run env(0);
		run env(1);
		run mover(0);
#ifdef MEET
		run mover(1)
#endif
	}
}
