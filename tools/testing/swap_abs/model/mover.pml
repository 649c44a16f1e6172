// SPDX-License-Identifier: GPL-2.0
/*
 * mover.pml - the data-mover protocol of the swap layer, for spin.
 *
 * Movers that copy data without a folio, and what they run against. How movers take
 * pages through folios, in batches, is in batch.pml; who writes by a reference alone
 * in held.pml; memory failure in poison.pml.
 *
 * What is modelled
 * ----------------
 * One virtual slot, its descriptor word (place and pin bit), its swap-cache
 * folio, and four places that the data can be in:
 *
 *	Z0 Z1	two addresses of zswap objects; a freed one is used again, so
 *		that an old word can meet a new object at the same address
 *	D0 D1	one segment (or raw block) on each of two devices; a released
 *		one is used again, and what was written last stays readable
 *		there (with a good checksum, from the same slot)
 *
 * and all that runs against each other over them, any number of times:
 *
 *	task	  writes to its page; faults: adds a locked folio to the swap
 *		  cache, reads the descriptor once, reads, keeps the copy or
 *		  takes it (exclusive load), unlocks; maps what is cached
 *	env	  steps that need no state of their own: another thread frees
 *		  the entry, a new page is born, writeback ends or fails, the
 *		  worker releases a place
 *	reclaim	  locks, unmaps, writes out (to zswap at once, to a device
 *		  under writeback), removes a clean folio, frees a dead slot;
 *		  writes back from zswap by a store of a locked folio
 *	mover x2  pin, copy, write, commit, as in "The mover, in short"; each
 *		  takes what it finds: zswap -> device, device -> device
 *	swapoff	  of D0: drain, wait for references, scan, load what is there
 *		  into the swap cache and drop it, wait for release, gone;
 *		  may be interrupted; swapon brings D0 back
 *
 * Every write can fail, and leaves either what was there before or garbage;
 * every read of a device can fail.
 *
 * What is abstracted
 * ------------------
 * - A section under the cluster lock is one atomic step; so is a copy, and a
 *   write from the moment its data lands to its completion.  The folio's lock
 *   is real: it is held over several steps, and others meet it.
 * - Contents are not version numbers but what these are compared for: NEW
 *   (the version that the page had last), OLD (any before it), GARB (nothing
 *   that was ever stored; a checksum tells).  A write to the page turns each
 *   NEW in the system into OLD.  So the number of stores has no bound, and
 *   the exploration is complete all the same.
 * - Of two free zswap addresses the lower is taken.  They are alike, so that
 *   this loses nothing.
 * - Of two idle movers the first begins.  They are alike too.
 * - Once its entry is freed, the page's last version is OLD at once: nobody
 *   can load it any more.
 * - Gathering is one step with pinning: the word that is gathered is not
 *   dereferenced before it is found unchanged under the lock.
 * - A segment holds one object.  So neither packing nor collection of several
 *   objects at once is here: "live" is a bit.  Large folios, zero pages,
 *   capacity, memcg and hibernation are not here either.
 * - A page that goes to a place that failed may try that place again: "bad"
 *   places are forgotten, which is the harder case.
 * - Writes of movers and of reclaim never tear a place that is read.  A store
 *   always takes a new place (a raw block is not overwritten where it is).
 * - Memory is sequentially consistent: all that is shared is under a lock.
 *
 * What is asserted
 * ----------------
 * Harm, that is, what a user would see:
 *	lost_update	a load gave bytes of an older version
 *	data_lost	a load gave garbage or had nowhere to go, or failed
 *			because of a "lost" mark that RAM could have disproved
 *	read_freed	someone read a zswap object or place after its release
 *	double_free	a zswap object was freed twice
 *	stray_write	a write landed in a place that had been released
 *	dead_device	I/O to, or a descriptor for, a device that is gone
 * Rules, that is, what makes the harm impossible (left out with -DHARM_ONLY,
 * as for mutants, which have to show harm and not only that they differ):
 *	rule_owner	rule 1: the word changes with no folio in the slot, or
 *			under its lock and not under its writeback
 *	rule_pin	a pinned word is pinned by exactly one mover, an orphan
 *			belongs to exactly one mover
 *	rule_live	live <=> the descriptor points there; a place that has
 *			been released has no descriptor, pin or write
 *	rule_leak	a zswap object is the descriptor's or an orphan
 *	rule_slot	an unused slot has no descriptor
 *	rule_copy	what RAM does not hold, or holds clean, is where the
 *			descriptor says, in its last version
 * Ending, with -DBOUND=n (n operations, then silence): all processes reach
 * their end, swapoff included: no lock, pin, write or reference on D0 is left
 * that it would wait for (without BOUND others may always go on).
 * Nothing unreached: run.sh fails if a statement was never executed.
 *
 * Mutants: each -D below breaks one rule; run.sh says what must be found.
 * One is left out there, since the protocol holds without it: with
 * -DCOMMIT_IGNORES_WB a commit does not look for writeback.  A store changes
 * the word before writeback begins, and settled() keeps the new word from
 * being pinned before it ends: so no commit that compares can meet it.  The
 * reverse is not true: the test at commit does not replace settled().
 */

/* descriptor: a place, or */
#define NONE	4
#define LOST	5
#define D0	2
#define D1	3
#define is_z(w)	((w) < D0)
#define is_d(w)	((w) == D0 || (w) == D1)

/* contents */
#define GARB	0
#define OLD	1
#define NEW	2

/* page table entry */
#define EMPTY	0
#define MAPPED	1
#define SWAP	2

/* who holds the folio's lock */
#define TASK	1
#define RECLAIM	2
#define SWAPOFF	3

/* how a mover's copy and write went */
#define GIVE_UP	0
#define WRITTEN	1
#define NO_READ	2

byte desc = NONE;	/* the descriptor: where */
bit pin;		/* the descriptor: pinned */

byte pte = EMPTY;	/* SWAP: the slot's count is 1, else 0 */

bit cached;		/* the folio is in the swap cache */
byte lock;		/* its lock: 0 or who holds it */
bit uptodate, dirty, wb;
byte folio;		/* its contents */

bit used[4];		/* object allocated, place not released */
byte data[4];		/* contents */
bit orphan[4];		/* zswap: dropped while pinned */
bit live[4];		/* device: live bytes */
byte pins[4];		/* device: pins */
bit fly[4];		/* device: write in flight (or written, uncommitted) */

byte wb_to = NONE;	/* reclaim's write in flight: to where, */
byte wb_data;		/* and what */

byte src[2] = NONE;	/* the movers' source, */
byte dst[2] = NONE;	/* destination */
byte buf[2];		/* and staging buffer */

bit draining, gone;	/* D0 */

bit needless;		/* "lost" was set although RAM held the data */

#ifdef BOUND
byte budget = BOUND;
#define MAY	(budget > 0)
#define SPEND	budget--
#else
#define MAY	true
#define SPEND	skip
#endif

/* These only give the assertions a name in pan's output. */
bit lost_update = 1, data_lost = 1, read_freed = 1, double_free = 1;
bit stray_write = 1, dead_device = 1;
#define HARM(name, cond)	assert(!name || (cond))

#ifdef HARM_ONLY
#define RULE(name, cond)	skip
#else
bit rule_owner = 1;
#define RULE(name, cond)	assert(!name || (cond))
#endif

/* A counterexample tells its story in these lines; each ends its statement. */
#ifdef STORY
#define SAY(what)	printf(what);
#define SAY1(what, x)	printf(what, x);
#define SAY2(what, x, y) printf(what, x, y);
#else
#define SAY(what)
#define SAY1(what, x)
#define SAY2(what, x, y)
#endif

#define usable(p)	(!used[p] && !((p) == D0 && (draining || gone)))

inline zfree(p)
{
	HARM(double_free, used[p]);
	used[p] = 0;
	orphan[p] = 0;
	data[p] = GARB
}

/* Rule 1. */
inline may_change(me)
{
	RULE(rule_owner, !cached || (lock == me && !wb))
}

inline drop_from_device()
{
	live[desc] = 0;
	desc = NONE;
	pin = 0;
	needless = 0
}

/* The copy in desc goes.  Cluster lock held. */
inline drop()
{
	if
#ifdef NO_ORPHAN
	:: is_z(desc) -> zfree(desc)
#else
	:: is_z(desc) && pin -> orphan[desc] = 1
	:: is_z(desc) && !pin -> zfree(desc)
#endif
	:: is_d(desc) -> live[desc] = 0
	:: else
	fi;
	desc = NONE;
	pin = 0;
	needless = 0
}

inline folio_gone()
{
	cached = 0;
	uptodate = 0;
	dirty = 0;
	folio = GARB
}

#define AGE(x)	x = (x == NEW -> OLD : x)

/* Nobody will ask for what there is: it is as good as old. */
inline forget()
{
	AGE(data[0]); AGE(data[1]); AGE(data[2]); AGE(data[3]);
	AGE(buf[0]); AGE(buf[1]); AGE(wb_data); AGE(folio)
}

inline entry_gone()
{
	pte = EMPTY;
	forget()
}

/* The page gets a new version. */
inline new_version()
{
	forget();
	folio = NEW;
	uptodate = 1;
	dirty = 1
}

/*
 * What every reader and every write asserts.  With EFFECT_ONLY the access to
 * what is not theirs goes unnoticed, until someone is given wrong bytes.
 */
inline check_read(p)
{
#ifndef EFFECT_ONLY
	HARM(read_freed, used[p]);
	HARM(dead_device, !(p == D0 && gone))
#else
	skip
#endif
}

inline check_write(p)
{
#ifndef EFFECT_ONLY
	HARM(stray_write, used[p]);
	HARM(dead_device, !(p == D0 && gone))
#else
	skip
#endif
}

/* A load has read its bytes, which the task may see. */
inline load_done(p)
{
	HARM(data_lost, data[p] != GARB);
	HARM(lost_update, data[p] == NEW || pte != SWAP);
	folio = data[p];
	uptodate = 1
}

/* A new folio enters the swap cache, locked. */
inline add_locked(me)
{
	cached = 1;
	lock = me;
	uptodate = 0;
	dirty = 0;
	folio = GARB
}

active proctype task()
{
	byte w = NONE;

end:	do
	/* Write to the page; reclaim may hold its lock. */
	:: d_step { MAY && pte == MAPPED -> SPEND;
		SAY("task: writes to its page\n")
		new_version()
	   }

	/* Fault: the folio is there.  Rule 4: free the slot or keep the copy. */
	:: atomic {
		MAY && pte == SWAP && cached && !lock && uptodate -> SPEND;
		SAY1("task: faults, maps the cached folio: %d\n", folio)
		HARM(data_lost, folio != GARB);
		HARM(lost_update, folio == NEW);
		pte = MAPPED;
		if
		:: !wb ->
			may_change(0);
			drop();
			cached = 0;
			dirty = 1
		:: true
		fi
	   }

	/* Fault: the folio is not there. */
#ifdef READ_BEFORE_LOCK
	:: d_step { MAY && pte == SWAP && !cached -> SPEND;
		w = desc;
		SAY1("task: faults, reads the descriptor: %d\n", w)
	   }
	   if
	   :: d_step { pte == SWAP && !cached -> add_locked(TASK) }
	   :: atomic { !(pte == SWAP && !cached) -> w = NONE; goto end }
	   fi;
#else
	:: d_step {
		MAY && pte == SWAP && !cached -> SPEND;
		add_locked(TASK);
		w = desc;
		SAY1("task: faults, locks a new folio, descriptor is %d\n", w)
	   }
#endif
	   /* The folio is locked until the last of the read is complete. */
	   atomic {
#ifdef FREE_SOURCE_EARLY
		!is_d(w) || !fly[w] ->	/* even if loads wait for the write */
#endif
		HARM(data_lost, w != NONE);
		SAY1("task: reads %d, unlocks\n", w)
		if
		:: is_z(w) ->
			check_read(w);
			load_done(w);
			if
			:: true			/* the copy is kept */
			:: dirty = 1;		/* exclusive */
			   may_change(TASK);
			   drop()
			fi
		:: is_d(w) ->
			check_read(w);
			load_done(w)
		:: is_d(w) ->
			check_read(w)		/* error: clean, not uptodate */
		:: w == LOST ->
			HARM(data_lost, !needless);
			if			/* SIGBUS */
			:: pte == SWAP -> entry_gone()
			:: else
			fi
		fi;
		w = NONE;
		lock = 0
	   }
	od
}

active proctype env()
{
	bit late = 0;

end:	do
	/* A page is born; the slot is free for it. */
	:: d_step {
		MAY && pte == EMPTY && !cached && !lock -> SPEND;
		pte = MAPPED;
		SAY("env: a new page is written\n")
		new_version()
	   }

	/* The entry is freed (zap, exit); a folio may be in the swap cache. */
	:: d_step {
		MAY && pte == SWAP && !cached -> SPEND;
		entry_gone();
		SAY1("env: entry and slot freed, %d dropped\n", desc)
		may_change(0);
		drop()
	   }
	:: d_step {
		MAY && pte == SWAP && cached -> SPEND;
		entry_gone();
		SAY("env: entry freed\n")
		if
		:: !lock && !wb ->
			SAY1("env: folio and slot freed, %d dropped\n", desc)
			may_change(0);
			drop();
			folio_gone()
#ifdef DROP_UNDER_FOLIO
		:: lock == TASK && !wb && is_d(desc) ->
			SAY1("env: %d dropped under a locked folio\n", desc)
			drop()
#endif
		:: else		/* the holder of the lock, or reclaim, frees */
		fi
	   }

	/* A mapped page goes. */
	:: d_step {
		MAY && pte == MAPPED -> SPEND;
		entry_gone();
		SAY("env: mapped page freed\n")
		if
		:: !cached && !lock -> folio_gone()
		:: else		/* reclaim frees */
		fi
	   }

	/* Reclaim's write ends. */
	:: atomic {
		wb ->
		check_write(wb_to);
		if
		:: data[wb_to] = wb_data;
			SAY2("env: writeback lands in %d: %d\n", wb_to, wb_data)
#ifdef LATE_REDIRTY
		:: data[wb_to] = GARB; late = 1;
			SAY1("env: writeback to %d fails, redirties later\n", wb_to)
#else
		:: data[wb_to] = GARB; dirty = 1;
			SAY1("env: writeback to %d fails, garbage\n", wb_to)
		:: dirty = 1;
			SAY1("env: writeback to %d fails, unchanged\n", wb_to)
#endif
		fi;
		fly[wb_to] = 0;
		wb_to = NONE;
		wb_data = GARB;
		wb = 0
	   }
#ifdef LATE_REDIRTY
	:: d_step { late -> late = 0; dirty = cached }
#endif

	/* The worker releases a place. */
#ifdef RELEASE_EARLY_FLY
#define releasable(p)	(used[p] && !live[p] && !pins[p])
#else
#ifdef RELEASE_EARLY_PIN
#define releasable(p)	(used[p] && !live[p] && !fly[p])
#else
#define releasable(p)	(used[p] && !live[p] && !pins[p] && !fly[p])
#endif
#endif
	:: d_step { releasable(D0) -> used[D0] = 0; SAY("worker: releases D0\n") }
	:: d_step { releasable(D1) -> used[D1] = 0; SAY("worker: releases D1\n") }
	od
}

/* Rule 5: the descriptor is set before the write is submitted. */
inline store_to_device(p)
{
	used[p] = 1;
	fly[p] = 1;
	live[p] = 1;
	desc = p;
	wb_to = p;
	wb_data = folio;
	SAY2("reclaim: writes %d to %d, folio under writeback\n", folio, p)
	wb = 1
}

inline store_to_zswap(p)
{
	used[p] = 1;
	data[p] = folio;
	SAY2("reclaim: stores %d in %d\n", folio, p)
	desc = p
}

active proctype reclaim()
{
	byte w = NONE;

end:	do
	:: d_step {
		MAY && (cached || pte == MAPPED) && !lock && !wb -> SPEND;
		SAY("reclaim: locks the folio\n")
		lock = RECLAIM
	   }
	   atomic {
		if
		/* Nobody wants it any more. */
		:: pte == EMPTY ->
			SAY1("reclaim: frees folio and slot, %d dropped\n", desc)
			may_change(RECLAIM);
			drop();
			folio_gone()
		/* A clean folio leaves; its copy stays. */
		:: pte != EMPTY && cached && !dirty ->
			pte = SWAP;
			SAY1("reclaim: the clean folio leaves, copy is in %d\n", desc)
			folio_gone()
		/* Write out. */
		:: pte != EMPTY && (!cached || dirty) ->
			pte = SWAP;
			cached = 1;
			may_change(RECLAIM);
			if
			:: !used[0] ->
				drop(); store_to_zswap(0); dirty = 0
			:: used[0] && !used[1] ->
				drop(); store_to_zswap(1); dirty = 0
			:: usable(D0) ->
				drop(); store_to_device(D0); dirty = 0
			:: usable(D1) ->
				drop(); store_to_device(D1); dirty = 0
			:: true ->		/* refused: no room */
				dirty = 1
			fi
		fi;
		lock = 0
	   }

	/* zswap's writeback by a store of a new, locked swap-cache folio. */
	:: d_step {
		MAY && pte == SWAP && !cached && is_z(desc) -> SPEND;
		SAY1("reclaim: locks a new folio, descriptor is %d\n", desc)
		add_locked(RECLAIM);
		w = desc
	   }
	   atomic {
		check_read(w);
		folio = data[w];
		uptodate = 1;
		may_change(RECLAIM);
		if
		:: usable(D0) -> drop(); store_to_device(D0)
		:: usable(D1) -> drop(); store_to_device(D1)
		:: true				/* no room */
		fi;
		w = NONE;
		lock = 0
	   }
	od
}

#ifdef COMMIT_NO_COMPARE
#define same(m)		true
#else
#ifdef NO_PIN
#define same(m)		(desc == src[m] && (pin || is_z(src[m])))
#else
#ifdef NO_PIN_SEG
#define same(m)		(desc == src[m] && (pin || is_d(src[m])))
#else
#define same(m)		(desc == src[m] && pin)
#endif
#endif
#endif

#ifdef COMMIT_IGNORES_FOLIO
#define folio_ok	true
#else
#ifdef COMMIT_IGNORES_WB
#define folio_ok	(!cached || !lock)
#else
#define folio_ok	(!cached || (!lock && !wb))
#endif
#endif

#ifdef PIN_IN_FLIGHT
#define settled(p)	true
#else
#define settled(p)	(!fly[p])
#endif

#ifdef LOST_OVER_FOLIO
#define lost_ok		true
#else
#define lost_ok		(!(cached && uptodate))
#endif

inline free_source(m)
{
	if
	:: is_z(src[m]) -> zfree(src[m])
	:: else -> live[src[m]] = 0
	fi
}

inline unpin(m)
{
	pin = (desc == src[m] -> 0 : pin);
	SAY1("mover %d: gives up\n", m)
}

proctype mover(bit m)
{
	byte res = GIVE_UP;

end:	do
	:: atomic {
		/* pin */
		MAY && !pin && (m == 0 || src[0] != NONE) &&
		(is_z(desc) || (is_d(desc) && settled(desc))) -> SPEND;
		src[m] = desc;
		SAY2("mover %d: pins %d\n", m, desc)
#ifdef NO_PIN
		/* At its best: the copy is taken while the lock is held. */
		if
		:: is_z(desc) -> buf[m] = data[desc]
		:: else -> pin = 1; pins[desc]++
		fi
#else
#ifdef NO_PIN_SEG
		if
		:: is_d(desc) -> buf[m] = data[desc]
		:: else -> pin = 1
		fi
#else
		pin = 1;
		if
		:: is_d(desc) -> pins[desc]++
		:: else
		fi
#endif
#endif
	   }
	   atomic {
		/* copy: charge the destination first */
		if
		:: src[m] != D0 && usable(D0) -> dst[m] = D0
		:: src[m] != D1 && usable(D1) -> dst[m] = D1
		:: true				/* no room */
		fi;
		SAY2("mover %d: copies to staging for %d\n", m, dst[m])
		if
		:: dst[m] != NONE ->
			used[dst[m]] = 1;
			fly[dst[m]] = 1;
#ifdef NO_PIN
			if
			:: is_z(src[m]) -> res = WRITTEN; goto copied
			:: else
			fi;
#endif
#ifdef NO_PIN_SEG
			if
			:: is_d(src[m]) -> res = WRITTEN; goto copied
			:: else
			fi;
#endif
			check_read(src[m]);
			if
			:: is_z(src[m]) || data[src[m]] != GARB ->
				buf[m] = data[src[m]];
				res = WRITTEN
			:: is_d(src[m]) ->	/* error */
				res = NO_READ
			:: is_d(src[m]) && data[src[m]] == GARB ->
				res = NO_READ	/* bad checksum */
			fi
		:: else
		fi;
#ifdef FREE_SOURCE_EARLY
		if
		:: res == WRITTEN && same(m) && folio_ok ->
			free_source(m);
			if
			:: is_d(src[m]) -> pins[src[m]]--
			:: else
			fi;
			desc = dst[m];
			pin = 0;
			live[dst[m]] = 1;
			SAY2("mover %d: commits before the write, frees %d\n", m, src[m])
			src[m] = NONE
		:: else
		fi;
#endif
copied:		skip
	   }
	   if
	   :: atomic {
		/* write: lands, or not */
		res == WRITTEN ->
		check_write(dst[m]);
		if
		:: data[dst[m]] = buf[m];
			SAY2("mover %d: write lands: %d\n", m, buf[m])
		:: data[dst[m]] = GARB; res = GIVE_UP;
			SAY1("mover %d: write fails, garbage\n", m)
		:: res = GIVE_UP;
			SAY1("mover %d: write fails, unchanged\n", m)
		fi;
#ifdef FLY_ENDS_AT_COMPLETION
		fly[dst[m]] = 0;
#endif
		buf[m] = GARB
	      }
	   :: else
	   fi;
	   d_step {
		/* commit */
		if
		:: res == WRITTEN && same(m) && folio_ok ->
			may_change(0);
#ifdef COMMIT_NO_COMPARE
			if
			:: desc == src[m] -> free_source(m)
			:: else
			fi;
#else
			free_source(m);
#endif
			SAY2("mover %d: commits %d\n", m, dst[m])
			desc = dst[m];
			pin = 0;
			live[dst[m]] = 1
		:: res == NO_READ && same(m) && folio_ok && lost_ok ->
			may_change(0);
			needless = (cached && uptodate);
			free_source(m);		/* rule 6 */
			SAY1("mover %d: could not read, says lost\n", m)
			desc = LOST;
			pin = 0
		/* Given up: the folio is locked or under writeback; */
		:: res == WRITTEN && same(m) && !folio_ok -> unpin(m)
		:: res == NO_READ && same(m) && !folio_ok -> unpin(m)
		/* it holds what could not be read; */
		:: res == NO_READ && same(m) && folio_ok && !lost_ok -> unpin(m)
		/* no room, or the write failed; */
		:: res == GIVE_UP && same(m) -> unpin(m)
		/* the source was dropped, and the pin with it. */
		:: !same(m) ->
			SAY1("mover %d: source was dropped\n", m)
			skip
		fi;
		if
		:: is_z(src[m]) && orphan[src[m]] -> zfree(src[m])
#ifdef LEAK_PIN
		:: is_d(src[m]) && desc == dst[m] -> pins[src[m]]--
#else
		:: is_d(src[m]) && pins[src[m]] -> pins[src[m]]--
#endif
		:: else
		fi;
		if
		:: dst[m] != NONE -> fly[dst[m]] = 0
		:: else
		fi;
		src[m] = NONE;
		dst[m] = NONE;
		buf[m] = GARB;
		res = GIVE_UP
	   }
	od
}

/* The copy on D0 goes, under the folio's lock, rules 4 and 6. */
active proctype swapoff()
{
	do
	:: atomic {
		draining = 1;
		SAY("swapoff: draining D0\n")
#ifndef SWAPOFF_NO_REF
		!fly[D0]		/* stores and moves that were there */
#endif
	   }
	   if
	   :: d_step { desc == D0 && pte == SWAP && !cached ->
		add_locked(SWAPOFF);
		SAY("swapoff: locks a new folio\n")
	   }
	   :: d_step { desc == D0 && cached && !lock && !wb ->
		lock = SWAPOFF;
		SAY("swapoff: locks the cached folio\n")
	   }
	   :: desc != D0
#ifndef BOUND
	   :: draining = 0; goto again	/* interrupted */
#endif
	   fi;
	   if
	   :: atomic {
		lock == SWAPOFF ->
		may_change(SWAPOFF);
		if
		:: uptodate ->
			SAY("swapoff: uptodate, dirties and drops\n")
			dirty = 1;
			drop_from_device()
		:: !uptodate ->
			SAY("swapoff: reads, dirties and drops\n")
			check_read(D0);
			HARM(data_lost, data[D0] != GARB);
			folio = data[D0];	/* the task will judge it */
			uptodate = 1;
			dirty = 1;
			drop_from_device()
		:: !uptodate ->		/* failed, and again */
			SAY("swapoff: cannot read\n")
#ifdef DROP_NOT_UPTODATE
			dirty = 1;
			drop_from_device()
#else
			check_read(D0);
			drop_from_device();
			desc = LOST
#endif
		fi;
		lock = 0
	      }
	   :: else
	   fi;
	   d_step {
#ifndef SWAPOFF_NO_WAIT
		!used[D0] ->		/* released: bits and clusters are 0 */
#endif
		SAY("swapoff: D0 is gone\n")
		HARM(dead_device, desc != D0);
		gone = 1
	   }
#ifdef BOUND
end:	   false
#else
	   d_step { draining = 0; gone = 0 }
#endif
again:	   skip
	od
}

#ifndef HARM_ONLY
#define movers_of(p)	((src[0] == p) + (src[1] == p))
#define R_PIN	((!pin || (desc < NONE && movers_of(desc) == 1)) && \
		 (!orphan[0] || movers_of(0) == 1) && \
		 (!orphan[1] || movers_of(1) == 1) && \
		 pins[D0] == movers_of(D0) && pins[D1] == movers_of(D1) && \
		 pins[D0] <= 1 && pins[D1] <= 1)
#define R_PLACE(p) (live[p] == (desc == p) && \
		 (used[p] || !(live[p] || pins[p] || fly[p])))
#define R_LIVE	(R_PLACE(D0) && R_PLACE(D1) && !(gone && used[D0]))
#define R_OBJ(p) (used[p] == (desc == p || orphan[p]))
#define R_LEAK	(R_OBJ(0) && R_OBJ(1))
#define R_SLOT	(cached || pte == SWAP || (desc == NONE && !pin))
#define R_COPY	(!(pte == SWAP || (pte == MAPPED && cached)) || \
		 (cached && uptodate && folio == NEW && (dirty || wb)) || \
		 (desc < NONE && data[desc] == NEW) || \
		 (desc == LOST && !(cached && uptodate)))

active proctype monitor()
{
	bit rule_pin, rule_live, rule_leak, rule_slot, rule_copy;

end:	do
	:: atomic { !R_PIN -> rule_pin = 1; assert(!rule_pin) }
	:: atomic { !R_LIVE -> rule_live = 1; assert(!rule_live) }
	:: atomic { !R_LEAK -> rule_leak = 1; assert(!rule_leak) }
	:: atomic { !R_SLOT -> rule_slot = 1; assert(!rule_slot) }
	:: atomic { !R_COPY -> rule_copy = 1; assert(!rule_copy) }
	od
}
#endif

init
{
	atomic { run mover(0); run mover(1) }
}
