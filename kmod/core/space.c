// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks of the data device: which are free, and when they are again.
 *
 * On disk a bit says that a chunk is allocated: that some map has it, as of
 * the last transaction. In memory a bit says that it is busy: allocated, or in
 * flight, or let go of and not yet to be used again. Writes take chunks by the
 * busy bits; a commit moves the disk's bits.
 *
 * A chunk that nothing maps any more becomes free when the transaction that
 * let go of it is durable (a crash must not bring back a map that names it)
 * and every read that may have looked it up before has ended. For the latter,
 * reads hold a reference on the current generation; a commit turns to a new
 * one, and the old one, when it has drained, releases what it was left with.
 *
 * Bitmaps come into memory a group at a time, as writes need them. Each CPU
 * takes a run of its own from them and hands out pieces of that.
 *
 * A write that needs more than one run claims chunks by their number: CPUs take
 * no more than what is left of the bitmaps' free chunks without those. A claim
 * for more than there is takes back what the CPUs have, and then fails, or is
 * left standing while its owner waits: what comes free is for that one, and all
 * others get to wait behind it.
 */
#include "engine.h"

#define RUN_CHUNKS	1024	/* that a CPU takes at once */
#define CHUNK_BLOCKS	1	/* of metadata, for each chunk that may be a run of its own */

/* No word of a bitmap belongs to two groups. */
static_assert(CPB_SPACE_BITS % BITS_PER_LONG == 0, "words");

static u64 group_chunks(const struct cpb_space *sp, u64 g)
{
	return min(CPB_SPACE_BITS, sp->chunks - g * CPB_SPACE_BITS);
}

u64 cpb_chunk_byte(const struct cpb_store *s, u64 chunk)
{
	return CPB_DATA_START + (chunk << s->chunk_shift);
}

/* ---- Groups ---- */

static bool bit(const unsigned long *map, u64 i)
{
	return (map[i / BITS_PER_LONG] >> (i % BITS_PER_LONG)) & 1;
}

static void flip(unsigned long *map, u64 i)
{
	map[i / BITS_PER_LONG] ^= BIT(i % BITS_PER_LONG);
}

/**
 * cpb_chunks_turn() - free chunks become busy, or busy ones free
 * @sp: the space
 * @run: the chunks, all of groups that are loaded
 * @busy: what they are to be, and all of them are not
 *
 * space.lock is held.
 */
void cpb_chunks_turn(struct cpb_space *sp, const struct cpb_run *run, bool busy)
{
	u64 chunk = run->chunk, left = run->len, g, at, nr;

	for (; left; left -= nr, chunk += nr) {
		g = div64_u64(chunk, CPB_SPACE_BITS);
		at = chunk - g * CPB_SPACE_BITS;
		nr = min(left, BITS_PER_LONG - at % BITS_PER_LONG);
		sp->group[g].busy[at / BITS_PER_LONG] ^=
			(~0UL >> (BITS_PER_LONG - nr)) << (at % BITS_PER_LONG);
		sp->group[g].nr_busy += busy ? nr : -nr;
		if (!busy)
			sp->group[g].from = min_t(u32, sp->group[g].from,
						  at / BITS_PER_LONG);
	}
	sp->busy += busy ? run->len : -run->len;
	sp->free -= busy ? run->len : -run->len;
	if (!busy && run->len)
		sp->moves++;
}

/**
 * cpb_space_moved() - something is on its way to being free, or has become free
 * @s: the store
 *
 * Before it can't be seen any more in the running transaction, and when it can be
 * taken: who finds nothing between the two looks again. Any context.
 */
void cpb_space_moved(struct cpb_store *s)
{
	unsigned long flags = port_lock(&s->space.lock);

	s->space.moves++;
	port_unlock(&s->space.lock, flags);
}

static u64 moves(struct cpb_store *s)
{
	unsigned long flags = port_lock(&s->space.lock);
	u64 nr = s->space.moves;

	port_unlock(&s->space.lock, flags);
	return nr;
}

/*
 * Bring a group's bitmap into memory; meta is held. What was freed since the
 * last commit still has its bit in @leaf, so that the copy is right.
 */
static int fill_group(struct cpb_store *s, u64 g, const struct cpb_node *leaf,
		      u64 aux)
{
	struct cpb_space *sp = &s->space;
	struct cpb_group *group = &sp->group[g];
	u64 nr = group_chunks(sp, g), nr_busy;
	unsigned long *busy = port_alloc_block();
	unsigned long flags;

	memset(busy, 0, CPB_BLOCK_SIZE);
	if (leaf)
		memcpy(busy, leaf->h + 1, CPB_PAYLOAD);
	nr_busy = cpb_weight(busy, round_up(nr, BITS_PER_LONG));
	if (nr_busy != aux) {
		port_free_block(busy);
		return cpb_break(s, -EUCLEAN, "a bitmap of chunks has another number of them than its index says",
				 leaf ? leaf->addr : ~0ULL);
	}
	flags = port_lock(&sp->lock);
	sp->free += nr - nr_busy;
	group->nr_busy = nr_busy;
	group->from = 0;
	group->full = false;
	/* A look without the lock must find it filled in. */
	smp_store_release(&group->busy, busy);
	port_unlock(&sp->lock, flags);
	return 0;
}

static int load_group(struct cpb_store *s, u64 g)
{
	struct cpb_node *leaf;
	u64 aux;
	int err;

	if (s->space.group[g].busy)
		return 0;
	err = cpb_table_leaf(s, &s->space.table, CPB_MAGIC_SPACE, g, 0, &leaf);
	if (!err)
		err = cpb_table_aux(s, &s->space.table, g, &aux);
	return err ? err : fill_group(s, g, leaf, aux);
}

/**
 * cpb_space_load() - load one more group that has free chunks  [sleeps]
 * @s: the store
 *
 * Return: 0, or -ENOSPC when all are loaded or full.
 */
int cpb_space_load(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	u64 i, g, aux;
	int err = -ENOSPC;

	port_mutex_lock(&s->meta);
	g = READ_ONCE(sp->cursor);
	for (i = 0; i < sp->nr_groups; i++, g++) {
		if (g >= sp->nr_groups)
			g = 0;
		if (sp->group[g].busy || sp->group[g].full)
			continue;
		err = cpb_table_aux(s, &sp->table, g, &aux);
		if (!err && aux == group_chunks(sp, g)) {
			sp->group[g].full = true;
			err = -ENOSPC;
			port_cond_resched();
			continue;
		}
		if (!err)
			err = load_group(s, g);
		break;
	}
	port_mutex_unlock(&s->meta);
	return err;
}

/* ---- Taking ---- */

/* A run of free chunks of a group, made busy; space.lock is held. */
static bool take_from(struct cpb_space *sp, u64 g, u64 want, struct cpb_run *run)
{
	struct cpb_group *group = &sp->group[g];
	u64 nr = group_chunks(sp, g), i, first, n;
	unsigned long *w, after;

	if (!group->busy || group->nr_busy == nr)
		return false;
	for (i = group->from; i < CPB_SPACE_BITS / BITS_PER_LONG - 1 && !~group->busy[i]; i++)
		;
	group->from = i;
	if (!~group->busy[i])
		return false;
	i = i * BITS_PER_LONG + __builtin_ctzl(~group->busy[i]);
	if (i >= nr)
		return false;
	for (first = i; i < nr && i - first < want; i += n) {
		w = &group->busy[i / BITS_PER_LONG];
		after = *w >> i % BITS_PER_LONG;
		n = BITS_PER_LONG - i % BITS_PER_LONG;
		if (after)
			n = __builtin_ctzl(after);
		n = min(n, min(want - (i - first), nr - i));
		if (!n)
			break;
		*w |= (~0UL >> (BITS_PER_LONG - n)) << i % BITS_PER_LONG;
	}
	group->nr_busy += i - first;
	sp->busy += i - first;
	sp->free -= i - first;
	run->chunk = g * CPB_SPACE_BITS + first;
	run->len = i - first;
	if (group->nr_stale)
		cpb_trim_taken(sp, run);
	return true;
}

/* A run of free chunks; space.lock is held. */
static bool take_free(struct cpb_space *sp, u64 want, struct cpb_run *run)
{
	u64 g = sp->cursor, i;
	bool got = false;

	for (i = 0; i < sp->nr_groups && !got; i++) {
		got = take_from(sp, g, want, run);
		if (!got && ++g == sp->nr_groups)
			g = 0;
	}
	sp->cursor = g;
	return got;
}

/* The same, of those that nobody claims. */
static bool take_run(struct cpb_store *s, u64 want, struct cpb_run *run)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags = port_lock(&sp->lock);
	bool got = false, moved;

	if (sp->free > sp->claimed)
		got = take_free(sp, min(want, sp->free - sp->claimed), run);
	moved = got && cpb_level_moved(&sp->level, sp->busy, sp->chunks);
	port_unlock(&sp->lock, flags);
	if (moved)
		s->ops->kick(s->ctx, CPB_KICK_LEVEL);
	return got;
}

static bool cut_run(struct cpb_cpu *cpu, u64 want, struct cpb_run *run)
{
	if (!cpu->run.len)
		return false;
	run->chunk = cpu->run.chunk;
	run->len = min(want, cpu->run.len);
	cpu->run.chunk += run->len;
	cpu->run.len -= run->len;
	return true;
}

static bool take(struct cpb_store *s, unsigned int n, u64 want,
		 struct cpb_run *run)
{
	struct cpb_space *sp = &s->space;
	struct cpb_cpu *cpu = &sp->cpu[n];
	unsigned long flags = port_lock(&cpu->lock);
	bool got = cut_run(cpu, want, run);
	unsigned int i;

	if (!got && take_run(s, RUN_CHUNKS, &cpu->run))
		got = cut_run(cpu, want, run);
	port_unlock(&cpu->lock, flags);

	/* The last free chunks may be in the hands of other CPUs. */
	for (i = 0; i < sp->ncpus && !got; i++) {
		cpu = &sp->cpu[i];
		flags = port_lock(&cpu->lock);
		got = cut_run(cpu, want, run);
		port_unlock(&cpu->lock, flags);
	}
	return got;
}

/* So many writes fewer are under way; any context. */
static void writes_ended(struct cpb_store *s, long writes)
{
	/* A full barrier: who goes to sleep after this has seen the new number. */
	atomic_long_sub_return(writes, &s->writes);
	if (unlikely(port_wait_active(&s->space.wait)))
		port_wait_wake(&s->space.wait);
}

/** cpb_write_ended() - one write of so many chunks fewer is under way; any context */
void cpb_write_ended(struct cpb_store *s, u64 chunks)
{
	writes_ended(s, cpb_under_way(1, chunks));
}

/* Too short for so much more? */
static bool blocks_short(struct cpb_store *s, long more)
{
	return cpb_blocks_available(s) < cpb_blocks_need(s, atomic_long_read(&s->writes) + more);
}

static void write_begun(struct cpb_store *s, u64 chunks)
{
	atomic_long_add(cpb_under_way(1, chunks), &s->writes);
	if (unlikely(READ_ONCE(s->pool.nr) < s->pool_want / 2))
		s->ops->kick(s->ctx, CPB_KICK_REFILL);
}

int cpb_write_begin(struct cpb_store *s, unsigned int cpu, u64 want,
		    struct cpb_run *run)
{
	if (unlikely(s->broken || !s->writable))
		return -EROFS;
	if (unlikely(blocks_short(s, cpb_under_way(1, want))))
		return -EAGAIN;
	if (!take(s, cpu, want, run))
		return -EAGAIN;
	write_begun(s, run->len);
	return 0;
}

void cpb_write_cancel(struct cpb_store *s, const struct cpb_run *run)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags = port_lock(&sp->lock);

	cpb_chunks_turn(sp, run, false);
	port_unlock(&sp->lock, flags);
	cpb_write_ended(s, run->len);
}

void cpb_write_abort(struct cpb_store *s, const struct cpb_run *run)
{
	/* Before whoever asked for the write hears of it, and flushes. */
	smp_store_release(&s->write_failed, true);
	cpb_write_cancel(s, run);
}

/* ---- Reserving ---- */

/* Others leave so much to @r from now on, whether it is there or not. */
static void claim(struct cpb_store *s, u64 chunks, u64 holes, struct cpb_reserve *r)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags;

	r->chunks = chunks;
	r->writes = cpb_under_way(1 + (chunks + holes) * CHUNK_BLOCKS / CPB_WRITE_BLOCKS,
				  chunks + holes);
	atomic_long_add(r->writes, &s->writes);
	flags = port_lock(&sp->lock);
	sp->claimed += chunks;
	port_unlock(&sp->lock, flags);
}

void cpb_unreserve(struct cpb_store *s, struct cpb_reserve *r)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags = port_lock(&sp->lock);

	sp->claimed -= r->chunks;
	port_unlock(&sp->lock, flags);
	writes_ended(s, r->writes);
}

/*
 * Is all there that is claimed? What CPUs have is taken back for that. With
 * space.claims held there is one claim at most for which it isn't.
 */
static bool claims_met(struct cpb_space *sp)
{
	unsigned long flags, inner;
	struct cpb_cpu *cpu;
	unsigned int i;
	bool met;

	for (i = 0;; i++) {
		flags = port_lock(&sp->lock);
		met = sp->free >= sp->claimed;
		port_unlock(&sp->lock, flags);
		if (met || i == sp->ncpus)
			return met;
		cpu = &sp->cpu[i];
		flags = port_lock(&cpu->lock);
		inner = port_lock(&sp->lock);
		cpb_chunks_turn(sp, &cpu->run, false);
		cpu->run.len = 0;
		port_unlock(&sp->lock, inner);
		port_unlock(&cpu->lock, flags);
	}
}

static int try_reserve(struct cpb_store *s, u64 chunks, u64 holes, struct cpb_reserve *r)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags;
	bool met;

	if (s->broken || !s->writable)
		return -EROFS;
	flags = port_lock(&sp->claims);
	claim(s, chunks, holes, r);
	/* Holes alone need no chunks, so others may wait for some. */
	met = !blocks_short(s, 0) && (!chunks || claims_met(sp));
	if (!met)
		cpb_unreserve(s, r);
	port_unlock(&sp->claims, flags);
	return met ? 0 : -EAGAIN;
}

int cpb_reserve(struct cpb_store *s, u64 chunks, struct cpb_reserve *r)
{
	return try_reserve(s, chunks, 0, r);
}

void cpb_write_take(struct cpb_store *s, unsigned int n, u64 want,
		    struct cpb_reserve *r, struct cpb_run *run)
{
	struct cpb_space *sp = &s->space;
	struct cpb_cpu *cpu = &sp->cpu[n];
	unsigned long flags = port_lock(&cpu->lock);
	bool got, moved;

	want = min(want, r->chunks);
	got = cut_run(cpu, want, run);
	port_unlock(&cpu->lock, flags);
	flags = port_lock(&sp->lock);
	/* It was claimed, so that there is one. */
	if (!got)
		take_free(sp, want, run);
	sp->claimed -= run->len;
	moved = cpb_level_moved(&sp->level, sp->busy, sp->chunks);
	port_unlock(&sp->lock, flags);
	if (moved)
		s->ops->kick(s->ctx, CPB_KICK_LEVEL);
	r->chunks -= run->len;
	write_begun(s, run->len);
}

/* Is anything on its way to being free that only needs time? */
static bool gens_pending(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags = port_lock(&sp->lock);
	bool pending = sp->releasing ||
		       list_first_entry(&sp->gens, struct cpb_gen, list) != sp->gen;

	port_unlock(&sp->lock, flags);
	return pending;
}

static bool gen_drained(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags = port_lock(&sp->lock);
	bool drained = list_first_entry(&sp->gens, struct cpb_gen, list)->drained;

	port_unlock(&sp->lock, flags);
	return drained;
}

/* Until the oldest generation is not read any more. */
static void release_oldest(struct cpb_store *s)
{
	port_wait_event(&s->space.wait, gen_drained(s) || !gens_pending(s));
	cpb_release(s);
}

void cpb_release_wait(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	u64 until = READ_ONCE(sp->turns);

	/* Those that commits add meanwhile are not waited for. */
	while (READ_ONCE(sp->drains) < until)
		release_oldest(s);
}

/* Would the blocks suffice for @r if of what is being written, @writes, nothing else were? */
static bool writes_in_way(struct cpb_store *s, long writes, const struct cpb_reserve *r)
{
	return writes > r->writes &&
	       cpb_blocks_available(s) >= cpb_blocks_need(s, r->writes);
}

static bool is_met(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags;
	bool met;

	if (blocks_short(s, 0))
		return false;
	flags = port_lock(&sp->claims);
	met = claims_met(sp);
	if (met)
		s->unmet = 0;
	port_unlock(&sp->claims, flags);
	return met;
}

/* Until one of the @writes under way has ended, or there is room again. */
static void wait_for_writes(struct cpb_store *s, long writes)
{
	port_wait_event(&s->space.wait,
			atomic_long_read(&s->writes) < writes || is_met(s));
}

/* Until there is what @r claims. */
static int wait_for_space(struct cpb_store *s, const struct cpb_reserve *r)
{
	long writes;
	u64 before;
	int err;

	for (;;) {
		if (s->broken || !s->writable)
			return -EROFS;
		/* Before a look at what is free: so nothing comes free unseen. */
		writes = atomic_long_read(&s->writes);
		before = moves(s);
		if (is_met(s))
			return 0;
		if (!blocks_short(s, 0)) {
			err = cpb_space_load(s);
			if (!err)
				continue;
			if (err != -ENOSPC)
				return err;
		} else if (writes_in_way(s, writes, r)) {
			wait_for_writes(s, writes);
			continue;
		}
		/* If there is nothing to commit, it waits for one that is under way. */
		err = cpb_commit(s);
		if (err)
			return err;
		if (moves(s) != before) {
			cpb_release(s);
			continue;
		}
		if (gens_pending(s)) {
			release_oldest(s);
			continue;
		}
		err = cpb_reap(s);
		if (err < 0)
			return err;
		if (err || cpb_dirty(s))
			continue;
		/* What is short may be blocks: discards give none. */
		if (!blocks_short(s, 0))
			cpb_trim_wait(s);
		if (moves(s) != before)
			continue;
		/* What these overwrite, or take in vain, may yet be free. */
		if (writes <= r->writes)
			return -ENOSPC;
		wait_for_writes(s, writes);
	}
}

int cpb_reserve_wait(struct cpb_store *s, u64 chunks, u64 holes, struct cpb_reserve *r)
{
	struct cpb_space *sp = &s->space;
	int err = try_reserve(s, chunks, holes, r);
	unsigned long flags;

	if (err != -EAGAIN)
		return err;
	port_mutex_lock(&sp->waiting);
	flags = port_lock(&sp->claims);
	claim(s, chunks, holes, r);
	s->unmet = r->writes;
	port_unlock(&sp->claims, flags);
	err = wait_for_space(s, r);
	flags = port_lock(&sp->claims);
	s->unmet = 0;
	port_unlock(&sp->claims, flags);
	if (err)
		cpb_unreserve(s, r);
	port_mutex_unlock(&sp->waiting);
	return err;
}

/**
 * cpb_space_take() - make a run busy that the journal names  [sleeps]
 * @s: the store
 * @run: the run of chunks
 *
 * Return: 0; -EUCLEAN: a chunk of it is not free, so the journal doesn't
 * belong to these trees.
 */
int cpb_space_take(struct cpb_store *s, u64 run)
{
	struct cpb_space *sp = &s->space;
	u64 chunk = cpb_run_chunk(run), len = cpb_run_len(run);
	int err;

	if (!len || chunk >= sp->chunks || len > sp->chunks - chunk)
		return -EUCLEAN;
	for (; len; len--, chunk++) {
		u64 g = div64_u64(chunk, CPB_SPACE_BITS);
		u64 at = chunk - g * CPB_SPACE_BITS;

		port_mutex_lock(&s->meta);
		err = load_group(s, g);
		port_mutex_unlock(&s->meta);
		if (err)
			return err;
		if (bit(sp->group[g].busy, at))
			return -EUCLEAN;
		flip(sp->group[g].busy, at);
		sp->group[g].nr_busy++;
		sp->busy++;
		sp->free--;
	}
	return 0;
}

/** cpb_space_release() - the chunks of these runs are free */
void cpb_space_release(struct cpb_store *s, struct cpb_buf *runs)
{
	struct cpb_space *sp = &s->space;
	unsigned long flags;
	struct cpb_seg *seg;
	struct cpb_run run;
	bool moved;
	u64 i;

	cpb_for_each_seg(seg, runs) {
		flags = port_lock(&sp->lock);
		for (i = 0; i < seg->used; i++) {
			run.chunk = cpb_run_chunk(seg->word[i]);
			run.len = cpb_run_len(seg->word[i]);
			cpb_chunks_turn(sp, &run, false);
		}
		moved = cpb_level_moved(&sp->level, sp->busy, sp->chunks);
		port_unlock(&sp->lock, flags);
		if (moved)
			s->ops->kick(s->ctx, CPB_KICK_LEVEL);
		port_cond_resched();
	}
	cpb_buf_drop(runs);
}

/* ---- Committing ---- */

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Set or clear the disk's bits of sorted runs, a group at a time. */
static int apply_sorted(struct cpb_store *s, u64 txn, u64 *run, unsigned int nr,
			bool set)
{
	struct cpb_space *sp = &s->space;
	unsigned int i = 0;
	u64 at, n, aux, g;
	struct cpb_node *leaf;
	int err;

	while (i < nr) {
		g = div64_u64(cpb_run_chunk(run[i]), CPB_SPACE_BITS);
		err = cpb_table_leaf(s, &sp->table, CPB_MAGIC_SPACE, g, txn, &leaf);
		if (!err)
			err = cpb_table_aux(s, &sp->table, g, &aux);
		if (!err && !sp->group[g].busy)
			err = fill_group(s, g, leaf, aux);
		if (err)
			return err;
		while (i < nr) {
			u64 chunk = cpb_run_chunk(run[i]), len = cpb_run_len(run[i]);

			at = chunk - g * CPB_SPACE_BITS;
			if (at >= CPB_SPACE_BITS)
				break;
			for (n = 0; n < len && at + n < CPB_SPACE_BITS; n++) {
				unsigned long *map = (unsigned long *)(leaf->h + 1);

				if (bit(map, at + n) == set)
					return cpb_break(s, -EUCLEAN, set ?
						"a chunk was mapped twice" :
						"a chunk was freed twice",
						~0ULL);
				flip(map, at + n);
			}
			aux += set ? n : -n;
			sp->used += set ? n : -n;
			if (n < len) {
				run[i] = cpb_run_pack(chunk + n, len - n);
				break;
			}
			i++;
		}
		err = cpb_table_set_aux(s, &sp->table, g, aux);
		if (err)
			return err;
	}
	return 0;
}

static int apply(struct cpb_store *s, u64 txn, struct cpb_buf *runs, bool set)
{
	unsigned int nr = 0;
	struct cpb_seg *seg;
	int err = 0;
	u64 i;

	cpb_for_each_seg(seg, runs) {
		for (i = 0; i < seg->used && !err; i++) {
			s->scratch[nr++] = seg->word[i];
			if (nr < CPB_SCRATCH)
				continue;
			port_sort(s->scratch, nr, sizeof(u64), compare);
			err = apply_sorted(s, txn, s->scratch, nr, set);
			nr = 0;
		}
	}
	if (!err && nr) {
		port_sort(s->scratch, nr, sizeof(u64), compare);
		err = apply_sorted(s, txn, s->scratch, nr, set);
	}
	return err;
}

/**
 * cpb_space_apply() - move a transaction's changes into the bitmaps  [sleeps]
 * @s: the store
 * @t: the transaction
 *
 * Meta is held. What was freed is still on the transaction's list afterwards:
 * it is busy until it is released.
 */
int cpb_space_apply(struct cpb_store *s, struct cpb_txn *t)
{
	int err = apply(s, t->id, &t->mapped, true);

	if (!err)
		err = apply(s, t->id, &t->freed, false);
	if (!err)
		cpb_buf_drop(&t->mapped);
	return err;
}

/* ---- Generations ---- */

static void gen_drain(port_ref_t *ref)
{
	struct cpb_gen *g = container_of(ref, struct cpb_gen, ref);
	struct cpb_store *s = g->s;
	unsigned long flags = port_lock(&s->space.lock);

	/* In this order: once it is seen as drained, the store may go. */
	s->ops->kick(s->ctx, CPB_KICK_RELEASE);
	g->drained = true;
	port_wait_wake(&s->space.wait);
	port_unlock(&s->space.lock, flags);
}

static struct cpb_gen *gen_new(struct cpb_store *s)
{
	struct cpb_gen *g = port_alloc(sizeof(*g));

	if (g && port_ref_init(&g->ref, gen_drain)) {
		port_free(g);
		return NULL;
	}
	if (g) {
		g->s = s;
		cpb_buf_init(&g->freed);
	}
	return g;
}

static void free_gen(port_rcu_t *rcu)
{
	port_free(container_of(rcu, struct cpb_gen, rcu));
}

/**
 * cpb_gen_prepare() - have a generation to turn to  [sleeps]
 * @s: the store; the commit lock is held
 *
 * Return: 0 or -ENOMEM.
 */
int cpb_gen_prepare(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;

	if (!sp->fresh)
		sp->fresh = gen_new(s);
	return sp->fresh ? 0 : -ENOMEM;
}

/**
 * cpb_gen_turn() - from now on reads belong to the generation prepared  [sleeps]
 * @s: the store; the commit lock is held
 * @freed: runs to release when those that belong to older ones have ended
 */
void cpb_gen_turn(struct cpb_store *s, struct cpb_buf *freed)
{
	struct cpb_space *sp = &s->space;
	struct cpb_gen *fresh = sp->fresh;
	unsigned long flags = port_lock(&sp->lock);
	struct cpb_gen *old = sp->gen;

	cpb_buf_splice(freed, &old->freed);
	list_add_tail(&fresh->list, &sp->gens);
	WRITE_ONCE(sp->turns, sp->turns + 1);
	/* With cpb_read_begin(): it must find it made. */
	smp_store_release(&sp->gen, fresh);
	port_unlock(&sp->lock, flags);
	port_ref_kill(&old->ref);
	/* Ahead of time, so that a FLUSH does not fail for want of memory. */
	sp->fresh = gen_new(s);
}

struct cpb_gen *cpb_read_begin(struct cpb_store *s)
{
	struct cpb_gen *g;

	port_rcu_lock();
	do {
		/* Pairs with cpb_gen_turn(). */
		g = smp_load_acquire(&s->space.gen);
	} while (!port_ref_tryget(&g->ref));
	port_rcu_unlock();
	return g;
}

void cpb_read_end(struct cpb_gen *g)
{
	port_ref_put(&g->ref);
}

/* The next generation that nobody reads by any more, or NULL. */
static struct cpb_gen *take_drained(struct cpb_space *sp)
{
	unsigned long flags = port_lock(&sp->lock);
	struct cpb_gen *g = NULL;

	/* In order: a read of an older one may hold what this one frees. */
	if (!sp->releasing)
		g = list_first_entry_or_null(&sp->gens, struct cpb_gen, list);
	if (g && (!g->drained || g == sp->gen))
		g = NULL;
	if (g) {
		list_del_init(&g->list);
		sp->releasing = true;
	}
	port_unlock(&sp->lock, flags);
	return g;
}

static void released(struct cpb_space *sp)
{
	unsigned long flags = port_lock(&sp->lock);

	sp->releasing = false;
	WRITE_ONCE(sp->drains, sp->drains + 1);
	port_wait_wake(&sp->wait);
	port_unlock(&sp->lock, flags);
}

void cpb_release(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	struct cpb_gen *g;

	do {
		/* What another one has begun to release is to be free, too. */
		port_wait_event(&sp->wait, !READ_ONCE(sp->releasing));
		g = take_drained(sp);
		if (!g)
			continue;
		cpb_trim_note(s, &g->freed);
		cpb_space_release(s, &g->freed);
		port_ref_exit(&g->ref);
		port_rcu_call(&g->rcu, free_gen);
		released(sp);
	} while (g || READ_ONCE(sp->releasing));
}

/* ---- The whole ---- */

/* Writes wait for chunks by this number: it must be that of the bitmaps. */
static int check_used(struct cpb_store *s)
{
	u64 used;
	int err = cpb_table_sum(s, &s->space.table, &used);

	if (err || used == s->space.used)
		return err;
	return cpb_break(s, -EUCLEAN, "the bitmaps of chunks don't add up", ~0ULL);
}

/** cpb_space_init() - the number of chunks and the table's root are known */
int cpb_space_init(struct cpb_store *s, unsigned int ncpus)
{
	struct cpb_space *sp = &s->space;
	unsigned int i;

	port_lock_init(&sp->lock);
	port_lock_init(&sp->claims);
	port_mutex_init(&sp->waiting);
	port_wait_init(&sp->wait);
	INIT_LIST_HEAD(&sp->gens);
	sp->nr_groups = DIV_ROUND_UP(sp->chunks, CPB_SPACE_BITS);
	sp->group = port_alloc(sp->nr_groups * sizeof(*sp->group));
	sp->cpu = port_alloc(ncpus * sizeof(*sp->cpu));
	if (!sp->group || !sp->cpu)
		return -ENOMEM;
	sp->ncpus = ncpus;
	for (i = 0; i < ncpus; i++)
		port_lock_init(&sp->cpu[i].lock);
	sp->busy = sp->used;
	sp->gen = gen_new(s);
	if (!sp->gen)
		return -ENOMEM;
	list_add_tail(&sp->gen->list, &sp->gens);
	return cpb_gen_prepare(s) ?: check_used(s);
}

void cpb_space_exit(struct cpb_store *s)
{
	struct cpb_space *sp = &s->space;
	struct cpb_gen *g = sp->gen, *fresh = sp->fresh;
	u64 i;

	if (g) {
		/* No read is left, so that all drain at once, or by RCU, but in any order. */
		cpb_release_wait(s);
		port_ref_kill(&g->ref);
		if (fresh)
			port_ref_kill(&fresh->ref);
		port_wait_event(&sp->wait, READ_ONCE(g->drained));
		port_wait_event(&sp->wait, !fresh || READ_ONCE(fresh->drained));
		sp->gen = NULL;
		cpb_release(s);
	}
	if (fresh) {
		port_ref_exit(&fresh->ref);
		port_free(fresh);
	}
	for (i = 0; sp->group && i < sp->nr_groups; i++) {
		if (sp->group[i].busy)
			port_free_block(sp->group[i].busy);
		port_free(sp->group[i].stale);
	}
	port_free(sp->group);
	port_free(sp->cpu);
}
