// SPDX-License-Identifier: GPL-2.0
/*
 * held.pml - who has a reference but no mapping writes to a page that moves, for spin.
 *
 * What is modelled
 * ----------------
 * Rule 13 of Documentation/mm/swap-abstraction.rst: one slot and its swap-cache
 * folio with real reference and LRU flags, each taken and dropped by itself, and:
 *
 *	holder	get_user_pages() (O_DIRECT, ptrace) while the page is mapped; writes,
 *		says so, lets go: or never lets go
 *	isolator x2  compaction or reclaim: takes a reference, then takes the folio off
 *		the LRU lists; puts it there again, then drops the reference
 *	env	faults, unmaps, writes out, removes a folio, ends a write
 *	mover	finds the folio, or reads it into one of its own: looks at who uses
 *		it, stores it or leaves it, takes it out of the swap cache. It is
 *		swapoff, or one that leaves what is in use where it is
 *
 * What is abstracted
 * ------------------
 * - Memory is sequentially consistent; the barriers of swap_move_is_held() are
 *   what makes that so for the order of its three looks.
 * - Between mapping and reference there is no get_user_pages_fast() that fails: one
 *   more reference for a moment, which only makes the mover more careful.
 * - One folio, no failure of I/O (batch.pml), no memory failure (poison.pml).
 *
 * What is asserted
 * ----------------
 *	lost_write	a load gives less than the page's last version
 *	stuck		a round of swapoff has ended and the copy is still there,
 *			whether the holder lets go or not
 *	torn_store	with -DTORN: the mover stores a page that a holder may write to
 *			just now. Nothing is lost by that, as the holder says so later
 *			and the folio stays. swap_move_is_held() prevents it if the
 *			folio is isolated once (-DISOLATE_ONCE), but not if it is put
 *			back and isolated again between the looks at it.
 * With -DBOUND=n (n operations, then silence) all come to rest, though with
 * -DHOLDS_FOREVER no holder lets go.
 */

#define NONE	0
#define S	1
#define D	2

byte word = S;
bit good = 1;			/* the copy is the last version */
bit mapped;
bit cached, lock, uptodate, dirty, lru, wb;
byte refs;			/* of the folio, the swap cache's not counted */
byte writing;			/* a holder that may still write */

#ifdef BOUND
byte budget = BOUND;
#define MAY	(budget > 0)
#define SPEND	budget--
#else
#define MAY	true
#define SPEND	skip
#endif

bit lost_write = 1, torn_store = 1, stuck = 1;
#define HARM(name, cond)	assert(!name || (cond))

#ifdef STORY
#define SAY(what)	printf(what);
#else
#define SAY(what)
#endif

#ifdef ISOLATE_ONCE
bit once;
#define ISOLATES	(!once)
#else
#define ISOLATES	true
#endif

#ifdef HOLDS_FOREVER
#define lets_go		false
#else
#define lets_go		true
#endif

active proctype holder()
{
end:	do
	:: d_step { MAY && mapped -> SPEND;
		SAY("holder: takes a reference\n")
		refs++;
		writing = 1
	   }
	   do
	   :: d_step { MAY -> SPEND;
		SAY("holder: writes\n")
		good = 0;
		writing = 2
	      }
	   :: break
	   od;
	   atomic {
		SAY("holder: says that it has written\n")
		dirty = (writing == 2 -> 1 : dirty)
	   }
endheld:   atomic { lets_go ->
		SAY("holder: lets go\n")
		writing = 0;
		refs--
	   }
	od
}

proctype isolator(bit n)
{
end:	do
	:: d_step { MAY && ISOLATES && cached && lru -> SPEND;
		SAY("isolator: takes a reference\n")
		refs++;
#ifdef ISOLATE_ONCE
		once = 1
#endif
	   }
	   if
	   :: d_step { lru -> lru = 0; SAY("isolator: takes it off the LRU lists\n") }
	      d_step { lru = 1; SAY("isolator: puts it back\n") }
	   :: !lru
	   fi;
	   d_step { refs--; SAY("isolator: drops the reference\n") }
	od
}

/* What is dropped is gone. */
inline set_word(w)
{
	word = w;
	good = 0
}

active proctype env()
{
end:	do
	/* Fault */
	:: d_step { MAY && !mapped && cached && uptodate && !lock -> SPEND;
		SAY("env: maps the folio\n")
		mapped = 1
	   }
	:: d_step { MAY && !cached -> SPEND;
		SAY("env: reads and maps\n")
		HARM(lost_write, good);
		cached = 1; uptodate = 1; dirty = 0; lru = 1; mapped = 1
	   }
	:: d_step { MAY && mapped -> SPEND;
		SAY("env: writes to the page\n")
		good = 0;
		dirty = 1
	   }
	:: d_step { MAY && mapped && !lock && !wb -> SPEND;
		SAY("env: unmaps\n")
		mapped = 0
	   }
	/* Reclaim looks at the references before it writes, and freezes them last. */
	:: d_step { MAY && cached && !mapped && !lock && !wb && dirty && lru && !refs -> SPEND;
		SAY("env: writes out\n")
		set_word(D);
		good = 1;
		dirty = 0
	   }
	:: d_step { MAY && cached && !mapped && !lock && !wb && !dirty && lru && !refs -> SPEND;
		SAY("env: removes the folio\n")
		HARM(lost_write, good);
		cached = 0; uptodate = 0; lru = 0
	   }
	/* What was being written may be any version; what the last one is, dirty says. */
	:: d_step { wb ->
		SAY("env: the write ends\n")
		wb = 0
	   }
	od
}

#ifdef HELD_LRU_ONCE
#define still_off	true
#else
#define still_off	(!lru)
#endif
#ifdef DEL_NO_FREEZE
#define frozen(n)	true
#else
#define frozen(n)	(refs == (n))
#endif
#ifdef DEL_DIRTY
#define clean		true
#else
#define clean		(!dirty)
#endif

#ifdef SWAPOFF_LEAVES
#define leaves		true
#else
#define leaves		(!swapoff)
#endif

active proctype mover()
{
	bit own, swapoff, isolated, held, seen;
	byte known;

end:	do
	:: d_step { MAY && word == S && !lock && !wb -> SPEND;
		refs++;
		if
		:: cached -> own = 0; SAY("mover: finds the folio\n")
		:: else ->
			SAY("mover: reads it\n")
			HARM(lost_write, good);
			own = 1;
			cached = 1; uptodate = 1; dirty = 0; lru = 0
		fi
	   }
	   if
	   :: swapoff = 1
	   :: swapoff = 0
	   fi;
again:	   atomic { !lock && !wb -> lock = 1; seen = mapped; held = 0 }
	   if
	   :: !cached || word != S -> goto unlock
	   :: else
	   fi;
	   if
	   :: seen
	   :: else ->
#ifndef USE_UNTESTED
		/* swap_move_is_held() */
		isolated = !own && !lru;
		known = refs;
		isolated = isolated && still_off;
		held = known > 1 + isolated;
#endif
		isolated = 0;
		known = 0
	   fi;
	   d_step {
		seen = seen || held || dirty;
		held = 0;
		if
		:: seen && !leaves ->
			SAY("mover: in use, dirties it and drops the copy\n")
#ifndef DROP_CLEAN
			dirty = 1;
#endif
			set_word(NONE)
		:: seen && leaves -> SAY("mover: in use, leaves it\n")
		:: !seen ->
			SAY("mover: stores it\n")
#ifdef TORN
			HARM(torn_store, !writing);
#endif
			set_word(D);
			/* Of what is written meanwhile, nothing is known but that it is. */
			good = (writing != 2);
			wb = 1
		fi;
		seen = 0
	   }
unlock:	   lock = 0;
	   /* swap_move_release() */
	   d_step { !wb && !lock -> lock = 1 }
	   if
	   :: d_step { cached && !mapped && (own || lru) && frozen(1) && clean ->
		SAY("mover: takes it out of the swap cache\n")
		cached = 0; uptodate = 0; lru = 0;
#ifdef DEL_NO_FREEZE
		writing = 0;
#endif
		HARM(lost_write, good)
	      }
	   :: else -> lru = (cached && own -> 1 : lru)
	   fi;
	   d_step {
		HARM(stuck, !swapoff || word != S);
		lock = 0;
		refs--;
		own = 0;
		swapoff = 0
	   }
	od
}

init { atomic { run isolator(0); run isolator(1) } }
