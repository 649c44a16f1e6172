// SPDX-License-Identifier: GPL-2.0
/*
 * poison.pml - a page breaks (memory failure) while its data is moved, for spin.
 *
 * What is modelled
 * ----------------
 * One slot, its word and its swap-cache folio, whose memory may break at any time:
 *
 *	memory failure  as mm/memory-failure.c: marks the page, takes a reference if
 *		it is on the LRU lists, locks and unmaps it; a clean page leaves the
 *		swap cache, a dirty one stays there, neither dirty nor uptodate, for
 *		who comes across it. It gives up for a page that is on no list, or
 *		that it can't unmap, whose reference it keeps
 *	env	faults, which find a broken page or read a good one (or fail to);
 *		writes, frees; reclaim, which leaves a broken page alone
 *	mover	as mm/swap_abs/move.c: swap_move_is_ready(), swap_move_folio(),
 *		swap_move_release(); it is swapoff, or not
 *
 * What is abstracted
 * ------------------
 * - What is done with a locked folio is one step. What breaks in the middle of a
 *   copy is for hardware to tell.
 * - Who is killed for a broken page frees its slot, which is used anew.
 * - One small page. Large folios, fork and a second mover are not here.
 *
 * What is asserted
 * ----------------
 *	broken_used	a broken page is stored, mapped or read into
 *	wrong_data	a load gives an older version
 *	needless_lost	"lost" is said though the copy is the last version
 *	good_dropped	the good copy of a page that breaks is dropped
 * One thing is left out, since the kernel can't tell it; run.sh has spin find it:
 *	-DREAD_FAILED	"lost" is said of a page that could not be read, then broke,
 *			and is good on the device: it looks as one that was dirty
 */

#define NONE	0
#define S	1
#define D	2
#define LOST	3

byte word = S;
bit good = 1;			/* the copy is the last version */
bit mapped, cached, uptodate, dirty, lru, broken;
bit unread;			/* the last read of the folio has failed */
bit failing;			/* memory failure has a reference, */
bit missed;			/* or its page is not that of the slot any longer */
bit has, own, gone;		/* the mover's reference */

bit broken_used = 1, wrong_data = 1, needless_lost = 1, good_dropped = 1;
#define HARM(name, cond)	assert(!name || (cond))

#ifdef STORY
#define SAY(what)	printf(what);
#else
#define SAY(what)
#endif

inline uncache()
{
	cached = 0; uptodate = 0; dirty = 0; lru = 0; broken = 0; mapped = 0; unread = 0;
	gone = has;
	missed = 1;
	failing = 0
}

/* The slot is freed, and used for another page, which is on S. */
inline renew()
{
	uncache();
	word = S;
	good = 1
}

inline read_folio()
{
	if
	:: true ->
		HARM(wrong_data, good);
		uptodate = 1; unread = 0
	:: true -> unread = 1
	fi
}

active proctype memory_failure()
{
end:	do
	:: d_step { cached && !broken ->
		SAY("memory failure: marks the page\n")
		broken = 1;
		missed = 0
	   }
	   if
	   :: d_step { !missed && lru -> failing = 1; SAY("memory failure: takes a reference\n") }
	   :: missed || !lru -> goto end		/* ignored */
	   fi;
	   atomic {
		failing = 0;
		if
		:: missed
		:: !missed && mapped ->
			SAY("memory failure: can't unmap it, and keeps its reference\n")
			failing = 1
		:: !missed && dirty ->
			SAY("memory failure: it was dirty, and stays\n")
			mapped = 0; dirty = 0; uptodate = 0;
			if
			:: lru = 0
			:: true		/* who has isolated it puts it back */
			fi
		:: !missed && !dirty ->
			SAY("memory failure: it was clean, and leaves\n")
			uncache()
		fi
	   }
	od
}

active proctype env()
{
end:	do
	:: d_step { cached && broken -> SAY("env: killed for a broken page\n") renew() }
	:: d_step { cached && !broken && uptodate && !mapped ->
		SAY("env: maps the folio\n")
		mapped = 1
	   }
	:: atomic { !cached && word != LOST ->
		SAY("env: reads\n")
		cached = 1; lru = 1;
		read_folio()
	   }
	:: atomic { cached && !broken && !uptodate && word != LOST ->
		SAY("env: reads once more\n")
		read_folio()
	   }
	:: d_step { mapped && !broken -> good = 0; dirty = 1; SAY("env: writes to the page\n") }
	:: d_step { true -> SAY("env: the slot is used anew\n") renew() }
	:: d_step { mapped && lru && !broken -> mapped = 0; SAY("env: unmaps\n") }
	:: atomic { cached && !mapped && lru && !broken && !has && dirty ->
		if
		:: word = S
		:: word = D
		fi;
		SAY("env: writes out\n")
		good = 1; dirty = 0
	   }
	:: d_step { cached && !mapped && lru && !broken && !has && !dirty ->
		SAY("env: removes the folio\n")
		uncache()
	   }
	od
}

inline set_lost()
{
	SAY("mover: says lost\n")
#ifdef READ_FAILED
	HARM(needless_lost, !good);
#else
	HARM(needless_lost, !good || unread);
#endif
	word = LOST;
	good = 0
}

inline drop_copy()
{
	SAY("mover: in use, dirties it and drops the copy\n")
	HARM(good_dropped, !(broken && good));
	dirty = 1;
	word = NONE;
	good = 0
}

/* swap_move_del_found() */
inline del_found()
{
	if
	:: lru && !failing && !dirty -> SAY("mover: takes it out of the swap cache\n") uncache()
	:: else
	fi
}

/* swap_move_folio() */
inline move_folio()
{
	if
	:: (mapped || dirty || failing) && swapoff -> drop_copy()
	:: (mapped || dirty || failing) && !swapoff
	:: !(mapped || dirty || failing) ->
		SAY("mover: stores it\n")
		HARM(broken_used, !broken);
		word = D
	fi
}

#ifdef BROKEN_UNTESTED
#define is_broken	false
#else
#define is_broken	broken
#endif

active proctype mover()
{
	bit swapoff;

end:	do
	:: atomic { word == S ->
		has = 1;
		if
		:: cached -> SAY("mover: finds the folio\n")
		:: else ->
			SAY("mover: reads it\n")
			cached = 1; own = 1;
			read_folio()
		fi;
		if
		:: swapoff = 1
		:: swapoff = 0
		fi
	   }
	   /* swap_move_is_ready() */
	   atomic {
		if
		:: gone || word != S
		:: !gone && word == S && is_broken && (!swapoff || own)
		:: !gone && word == S && is_broken && swapoff && !own && uptodate ->
			/* swap_move_broken_stays() */
#ifndef NO_UNMAP
			SAY("mover: unmaps it\n")
			mapped = 0;
#endif
			if
			:: mapped || dirty -> drop_copy()
			:: !mapped && !dirty ->
#ifdef LOST_WHEN_BROKEN
				set_lost()
#else
				SAY("mover: takes it out of the swap cache, broken\n")
				uncache()
#endif
			fi
		:: !gone && word == S && is_broken && swapoff && !own && !uptodate -> set_lost()
		:: !gone && word == S && !is_broken && uptodate -> move_folio()
		:: !gone && word == S && !is_broken && !uptodate ->
			HARM(broken_used, !broken);
			read_folio();
			if
			:: uptodate ->		/* it can't be in use yet */
				SAY("mover: stores it\n")
				word = D
			:: !uptodate && swapoff -> set_lost()
			:: !uptodate && !swapoff
			fi
		fi
	   }
	   /* swap_move_release() */
	   d_step {
		if
		:: !gone && !mapped && own && !dirty && !failing ->
			SAY("mover: its own leaves the swap cache\n")
			uncache()
#ifdef RELEASE_BROKEN
		:: !gone && !mapped && !own -> del_found()
		:: !gone && (mapped || own && (dirty || failing)) ->
#else
		:: !gone && !mapped && !own && !broken -> del_found()
		:: !gone && (mapped || own && (dirty || failing) || !own && broken) ->
#endif
			lru = (own -> 1 : lru)
		:: gone
		fi;
		has = 0; own = 0; gone = 0; swapoff = 0
	   }
	od
}
