// SPDX-License-Identifier: GPL-2.0
/*
 * Power cuts: random histories on simulated devices, cut after every write.
 *
 * After each write to either device, states are made of what the power cut may
 * have left of the caches: every subset of the writes in them if there are at
 * most eight, else a sample, some with torn blocks. Each state is opened,
 * recovered, checked to the last block, and compared: it must be the state
 * after some operation, none older than the last one that was acknowledged as
 * durable.
 *
 * Some of the recovered stores are cut again: while they recover, and after one
 * more write. And while a transaction is being written, other operations go on,
 * as other threads would do.
 *
 * What becomes free is discarded now and then, in granules of one chunk or more.
 * The simulated device destroys it, at a time when others have worked on: if it
 * was still needed, or is in use again, contents are wrong.
 *
 * With --reclaim the cuts begin when there is a history to delete, and everything
 * in it is deleted. For every other seed it is one of forks of forks that were
 * overwritten everywhere, of which the checkpoints in the middle go first: these
 * stay, hidden, one below the other, until those at the ends go.
 *
 * States are compared by a hash of the content of every volume and checkpoint.
 * Contents are numbers that are never written twice, so what belonged to an
 * earlier owner of a chunk can't pass for the right thing.
 */
#include <getopt.h>

#include "../../tools/engine/rest.h"
#include "disk.h"

#define VOLUMES		4
#define POINTS		12
#define SIZE		48	/* chunks of each volume */
#define META_BLOCKS	4096
#define CHUNKS		1024
#define EXHAUSTIVE	8

struct map {
	u64 id;
	u64 kept;	/* checkpoint: the reason it is held for; head: its policy */
	u64 group;	/* head: number in the name of its group, or 0 */
	u64 content[SIZE];
};

struct world {
	struct disk disk;
	struct cpb_store *s;
	u64 seed, next_content;
	unsigned int names;
	struct cpb_volume *volume[VOLUMES];
	struct map head[VOLUMES], point[POINTS];
	/* hash[i] is the state after i operations; acked of them are durable. */
	u64 *hash, nr, acked, room;
};

static struct {
	u64 seed, step, states, budget, violations, points, discarded, alone;
	bool reap, rare_flush, fua, again, reclaim;
	unsigned int steps;
	const char *program;
} run;

static u64 rnd(u64 *seed, u64 below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % below;
}

static u64 mix(u64 a, u64 b)
{
	a = (a ^ b * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
	return a ^ a >> 32;
}

static void violation(const char *what, const char *detail)
{
	run.violations++;
	printf("VIOLATION after %llu steps: %s%s%s\n  repeat: %s%s --seed %llu --states %llu --steps %u\n",
	       (unsigned long long)run.step, what, detail ? ": " : "",
	       detail ? detail : "", run.program, run.reclaim ? " --reclaim" : "",
	       (unsigned long long)run.seed,
	       (unsigned long long)run.budget, run.steps);
	if (run.violations > 10)
		exit(1);
}

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "crash: %s failed: %d (seed %llu, step %llu)\n", what, err,
		(unsigned long long)run.seed, (unsigned long long)run.step);
	exit(2);
}

/* ---- The state as a hash ---- */

/* What is kept of a volume, but for its content. */
static u64 head_kept(u64 policy, u64 group)
{
	return mix(policy, group);
}

static u64 map_hash(const u64 *content)
{
	u64 h = 0;
	int i;

	for (i = 0; i < SIZE; i++)
		if (content[i])
			h += mix(i + 1, content[i]);
	return h;
}

static u64 head_hash(u64 id, u64 kept, const u64 *content)
{
	return mix(mix(mix(id, 1), kept), map_hash(content));
}

static u64 point_hash(u64 id, u64 kept, const u64 *content)
{
	return mix(mix(mix(id, 2), kept), map_hash(content));
}

static u64 model_hash(struct world *w)
{
	u64 h = 0;
	int i;

	for (i = 0; i < VOLUMES; i++)
		if (w->head[i].id)
			h += head_hash(w->head[i].id,
				       head_kept(w->head[i].kept, w->head[i].group),
				       w->head[i].content);
	for (i = 0; i < POINTS; i++)
		if (w->point[i].id)
			h += point_hash(w->point[i].id, w->point[i].kept,
					w->point[i].content);
	return h;
}

/* An operation is about to happen: this is what it leads to. */
static u64 will_be(struct world *w)
{
	if (w->nr + 1 >= w->room) {
		w->room = 2 * w->room + 64;
		w->hash = realloc(w->hash, w->room * sizeof(*w->hash));
	}
	w->hash[++w->nr] = model_hash(w);
	return w->nr;
}

static int read_map(struct cpb_store *s, const struct disk *d, struct cpb_point *p,
		    u64 *content)
{
	struct cpb_extent x[4];
	u64 v = 0, i;
	int n, k;

	while (v < SIZE) {
		n = cpb_lookup(s, p, v, SIZE - v, x, 4);
		if (n == -EAGAIN)
			n = cpb_load(s, p, v);
		if (n < 0)
			return n;
		for (k = 0; k < n; k++)
			for (i = 0; i < x[k].len; i++)
				content[v++] = x[k].chunk == CPB_HOLE ? 0 :
					       d->data[x[k].chunk + i];
	}
	return 0;
}

static u64 volume_kept(const struct cpb_volume_info *vi)
{
	return head_kept(vi->policy.max_age, strtoull(vi->group, NULL, 10));
}

static int store_hash(struct cpb_store *s, const struct disk *d, u64 *hash)
{
	struct cpb_volume_info vi;
	struct cpb_point_info pi;
	struct cpb_volume *v;
	struct cpb_point *p;
	u64 content[SIZE], id;
	int err;

	*hash = 0;
	cpb_hold_lists(s);
	for (id = 0; (v = cpb_volume_next(s, id)); id = vi.id) {
		cpb_volume_info(v, &vi);
		err = read_map(s, d, cpb_head(v), content);
		if (err)
			goto out;
		*hash += head_hash(vi.id, volume_kept(&vi), content);
	}
	err = 0;
	for (id = 0; (p = cpb_point_next(s, id)); id = pi.id) {
		cpb_point_info(s, p, &pi);
		if (pi.flags & CPB_POINT_HIDDEN)
			continue;
		err = read_map(s, d, p, content);
		if (err)
			goto out;
		*hash += point_hash(pi.id, strtoull(pi.hold, NULL, 10), content);
	}
out:
	cpb_drop_lists(s);
	return err;
}

/* ---- After a power cut ---- */

static void complaint(void *arg, const char *text)
{
	char *first = arg;

	if (!first[0])
		snprintf(first, 256, "%s", text);
}

static bool known(const struct world *w, u64 hash)
{
	u64 i;

	for (i = w->acked; i <= w->nr; i++)
		if (w->hash[i] == hash)
			return true;
	return false;
}

static void examine(const struct world *w, struct cpb_store *s, struct disk *d)
{
	struct cpb_check_report r;
	char text[256] = "";
	u64 hash, after;

	if (store_hash(s, d, &hash)) {
		violation("a map can't be read", NULL);
		return;
	}
	if (!known(w, hash))
		violation("the state is none that was acknowledged or asked for", NULL);
	if (cpb_rest(s)) {
		violation("background work failed", NULL);
		return;
	}
	if (store_hash(s, d, &after) || after != hash)
		violation("background work changed contents", NULL);
	if (cpb_check(s, &r, complaint, text) || text[0])
		violation("check", text);
	else if (r.chunks_allocated != r.chunks_reachable ||
		 r.blocks_allocated != r.blocks_reachable)
		violation("space has leaked", NULL);
}

static void try_state(struct world *w, const struct disk *from, const u8 *keep);

/* A recovered store, cut again: the same states as before are right, or @only. */
struct second {
	struct world world;
	u64 hash[2];
	u64 seed;
};

static void second_cut(struct disk *d, void *arg)
{
	struct second *sec = arg;
	unsigned int i, n, nr = d->nr;
	u8 *keep = calloc(nr + 1, 1);

	for (n = 0; n < 3; n++) {
		for (i = 0; i < nr; i++)
			keep[i] = !n ? 0xff : rnd(&sec->seed, 2) ? 0xff :
				  n == 1 ? 0 : rnd(&sec->seed, 256);
		try_state(&sec->world, d, keep);
	}
	free(keep);
}

/* One more write, acknowledged, in a recovered store. */
static void one_more(struct second *sec, struct cpb_store *s, struct disk *d)
{
	u64 content[SIZE], at = rnd(&sec->seed, SIZE);
	struct cpb_volume *v = cpb_volume_next(s, 0);
	struct cpb_volume_info vi;
	struct cpb_run r;
	int err;

	if (!v || store_hash(s, d, &sec->hash[0]) ||
	    read_map(s, d, cpb_head(v), content))
		return;
	cpb_volume_info(v, &vi);
	sec->hash[1] = sec->hash[0] - head_hash(vi.id, volume_kept(&vi), content);
	while ((err = cpb_write_begin(s, 0, 1, &r)) == -EAGAIN)
		must(cpb_write_wait(s), "write_wait");
	must(err, "write_begin");
	content[at] = 1ULL << 62 | rnd(&sec->seed, 1ULL << 60);
	sec->hash[1] += head_hash(vi.id, volume_kept(&vi), content);
	sec->world.hash = sec->hash;
	sec->world.acked = 0;
	sec->world.nr = 1;
	disk_write_chunk(d, r.chunk, content[at], false);
	while ((err = cpb_write_end(v, at, &r, NULL)) == -EAGAIN)
		must(cpb_prepare(v, at, 1), "prepare");
	must(err, "write_end");
	must(cpb_flush(s), "flush");
	sec->world.acked = 1;
	second_cut(d, sec);
}

static void try_state(struct world *w, const struct disk *from, const u8 *keep)
{
	struct second sec = { .world = *w, .seed = run.states * 2 + 1 };
	bool again = !run.again && !(run.states % 16);
	struct cpb_store *s;
	struct disk d;
	char why[CPB_ERROR_LEN];

	run.states++;
	disk_cut(&d, from, keep);
	if (again) {
		run.again = true;
		d.on_write = second_cut;
		d.arg = &sec;
	}
	if (cpb_open(&disk_ops, &d, META_BLOCKS, disk_data_bytes(&d), 1, 0, &s, why)) {
		violation("the store does not open", why);
	} else {
		disk_discards(&d, s);
		if (again && run.states % 32 == 1)
			one_more(&sec, s, &d);
		else
			examine(w, s, &d);
		cpb_close(s);
		port_rcu_barrier();
	}
	if (again)
		run.again = false;
	disk_free(&d);
}

/* Something is in a cache that was not there before: the power may fail now. */
static void power_cuts(struct disk *d, void *arg)
{
	struct world *w = arg;
	unsigned int i, n, nr = d->nr;
	u8 *keep;

	run.points++;
	if (run.states >= run.budget)
		return;
	keep = calloc(nr + 1, 1);
	if (nr <= EXHAUSTIVE) {
		for (n = 0; n < 1U << nr; n++) {
			for (i = 0; i < nr; i++)
				keep[i] = n >> i & 1 ? 0xff : 0;
			try_state(w, d, keep);
		}
	} else {
		memset(keep, 0, nr);
		try_state(w, d, keep);
		memset(keep, 0xff, nr);
		try_state(w, d, keep);
		for (n = 0; n < 6; n++) {
			for (i = 0; i < nr; i++)
				keep[i] = rnd(&w->seed, 2) ? 0xff : 0;
			try_state(w, d, keep);
		}
	}
	for (n = 0; n < 4 && nr; n++) {
		for (i = 0; i < nr; i++)
			keep[i] = rnd(&w->seed, 2) ? rnd(&w->seed, 256) : 0xff;
		try_state(w, d, keep);
	}
	free(keep);
}

/* ---- The history ---- */

/* So many operations are durable: all that there were when it was asked for. */
static void acked(struct world *w, u64 nr)
{
	if (w->acked < nr)
		w->acked = nr;
}

/* What was taken is written, and is at @at from now on. */
static void put_run(struct world *w, int v, u64 at, const struct cpb_run *r, bool fua)
{
	u64 i;
	int err;

	for (i = 0; i < r->len; i++)
		disk_write_chunk(&w->disk, r->chunk + i, w->next_content + i, fua);
	for (i = 0; i < r->len; i++)
		w->head[v].content[at + i] = w->next_content++;
	will_be(w);
	while ((err = cpb_write_end(w->volume[v], at, r, NULL)) == -EAGAIN)
		must(cpb_prepare(w->volume[v], at, r->len), "prepare");
	must(err, "write_end");
}

static void do_write(struct world *w, int v, u64 at, u64 len)
{
	bool fua = run.fua || rnd(&w->seed, 4);

	while (len) {
		struct cpb_run r;
		int err;

		while ((err = cpb_write_begin(w->s, 0, len, &r)) == -EAGAIN)
			must(cpb_write_wait(w->s), "write_wait");
		must(err, "write_begin");
		put_run(w, v, at, &r, fua);
		at += r.len;
		len -= r.len;
	}
}

static void do_discard(struct world *w, int v, u64 at, u64 len)
{
	memset(w->head[v].content + at, 0, len * sizeof(u64));
	/* So small a map has one leaf: it is one step, and one record. */
	will_be(w);
	while (len) {
		int err = cpb_unmap(w->volume[v], &at, &len, NULL);

		if (err == -EAGAIN)
			err = cpb_unmap_prepare(w->volume[v], at, NULL);
		must(err, "unmap");
	}
}

static int pick(struct world *w, const struct map *maps, int nr)
{
	int i = rnd(&w->seed, nr), n;

	for (n = 0; n < nr; n++, i = (i + 1) % nr)
		if (maps[i].id)
			return i;
	return -1;
}

/* While the journal's block is under way: what waits for nobody, and is no part of it. */
static void beside(struct world *w)
{
	int v = pick(w, w->head, VOLUMES);
	u64 at = rnd(&w->seed, SIZE);
	struct cpb_run r;

	if (v < 0 || rnd(&w->seed, 2))
		return;
	if (!rnd(&w->seed, 3))
		do_discard(w, v, at, 1);
	else if (!cpb_write_begin(w->s, 0, 1, &r))
		put_run(w, v, at, &r, rnd(&w->seed, 2));
}

static void do_flush(struct world *w)
{
	u64 nr = w->nr;
	struct cpb_vec vec;
	int err;

	err = cpb_flush_begin(w->s, &vec);
	if (err == -EAGAIN) {
		must(cpb_flush(w->s), "flush");
	} else if (!err) {
		beside(w);
		cpb_flush_end(w->s, disk_ops.write(&w->disk, &vec, 1, CPB_WRITE_FUA));
		run.alone++;
	}
	acked(w, nr);
}

static void do_commit(struct world *w)
{
	u64 nr = w->nr;

	must(cpb_commit(w->s), "commit");
	acked(w, nr);
	cpb_release(w->s);
}

static void do_trim(struct world *w)
{
	int err = cpb_trim(w->s);

	must(err < 0 ? err : 0, "trim");
}

static const u8 uuid[CPB_UUID_LEN] = "uuid";

static void head_create(struct world *w, int v, int p)
{
	w->head[v].kept = 0;
	w->head[v].group = 0;
	/* IDs of volumes count from 1. */
	w->head[v].id = ++w->names;
	if (p < 0)
		memset(w->head[v].content, 0, sizeof(w->head[v].content));
	else
		memcpy(w->head[v].content, w->point[p].content,
		       sizeof(w->head[v].content));
}

static void do_create(struct world *w, int v)
{
	struct cpb_volume_info vi;
	char name[16];
	u64 nr;

	head_create(w, v, -1);
	snprintf(name, sizeof(name), "vol%u", w->names);
	nr = will_be(w);
	must(cpb_create(w->s, name, SIZE << CPB_CHUNK_SHIFT_MIN, uuid, 0,
			&w->volume[v], NULL), "create");
	cpb_volume_info(w->volume[v], &vi);
	must(vi.id != w->head[v].id, "the next volume's ID");
	acked(w, nr);
}

/* One, or up to @most where there is room: all or none. */
static void do_fork(struct world *w, int p, unsigned int most)
{
	struct cpb_volume *made[VOLUMES];
	char names[VOLUMES][16];
	const char *name[VOLUMES];
	u8 uuids[VOLUMES * CPB_UUID_LEN] = { };
	unsigned int many = 0, i;
	int v, to[VOLUMES];
	u64 nr;

	for (v = 0; v < VOLUMES && (!many || (many < most && rnd(&w->seed, 3)));
	     v++) {
		if (w->head[v].id)
			continue;
		head_create(w, v, p);
		snprintf(names[many], sizeof(names[many]), "vol%u", w->names);
		name[many] = names[many];
		to[many++] = v;
	}
	if (!many)
		return;
	nr = will_be(w);
	must(cpb_fork_many(w->s, cpb_point_by_id(w->s, w->point[p].id), name,
			   uuids, many, 0, made, NULL),
	     "fork");
	for (i = 0; i < many; i++)
		w->volume[to[i]] = made[i];
	acked(w, nr);
}

/* The ID that the next checkpoint will get is the store's counter. */
static u64 next_id(struct world *w)
{
	struct cpb_status st;

	cpb_status(w->s, &st);
	return st.next_id;
}

static int free_point(struct world *w)
{
	int i;

	for (i = 0; i < POINTS && w->point[i].id; i++)
		;
	return i < POINTS ? i : -1;
}

/* Some volumes,  among them; how many. */
static unsigned int some_volumes(struct world *w, int v, int *list)
{
	unsigned int nr = 0;
	int i;

	list[nr++] = v;
	for (i = 0; i < VOLUMES; i++)
		if (i != v && w->head[i].id && !rnd(&w->seed, 3))
			list[nr++] = i;
	return nr;
}

static unsigned int free_points(const struct world *w)
{
	unsigned int nr = 0;
	int i;

	for (i = 0; i < POINTS; i++)
		nr += !w->point[i].id;
	return nr;
}

static void point_create(struct world *w, int v, u64 id)
{
	int p = free_point(w);

	w->point[p] = w->head[v];
	w->point[p].id = id;
	w->point[p].kept = 0;
}

static void do_snap(struct world *w, int v)
{
	struct cpb_volume *vols[VOLUMES];
	u64 nr, ids[VOLUMES], next = next_id(w);
	int list[VOLUMES];
	unsigned int many = some_volumes(w, v, list), i;

	if (free_points(w) < many)
		return;
	for (i = 0; i < many; i++) {
		vols[i] = w->volume[list[i]];
		point_create(w, list[i], next + 2 * i);
	}
	nr = will_be(w);
	must(cpb_snap(w->s, vols, many, NULL, "", 0, ids, NULL), "snap");
	for (i = 0; i < many; i++)
		must(ids[i] != next + 2 * i, "the next checkpoint's ID");
	acked(w, nr);
}

static void do_restore(struct world *w, int v, int p, bool safety)
{
	struct cpb_volume *vols[VOLUMES];
	struct cpb_point *pts[VOLUMES];
	int list[VOLUMES], from[VOLUMES];
	unsigned int many = some_volumes(w, v, list), i;
	u64 nr, next = next_id(w);

	if (safety && free_points(w) < many)
		return;
	for (i = 0; i < many; i++) {
		from[i] = i ? pick(w, w->point, POINTS) : p;
		vols[i] = w->volume[list[i]];
		pts[i] = cpb_point_by_id(w->s, w->point[from[i]].id);
	}
	for (i = 0; i < many && safety; i++)
		point_create(w, list[i], next + 2 * i);
	for (i = 0; i < many; i++)
		memcpy(w->head[list[i]].content, w->point[from[i]].content,
		       sizeof(w->head[v].content));
	nr = will_be(w);
	must(cpb_restore_many(w->s, vols, pts, many, safety, NULL, NULL), "restore");
	acked(w, nr);
}

static void do_group(struct world *w, int v)
{
	struct cpb_volume *vols[VOLUMES];
	u64 nr, group = rnd(&w->seed, 2) ? w->next_content++ : 0;
	int list[VOLUMES];
	unsigned int many = some_volumes(w, v, list), i;
	char name[24] = "";

	for (i = 0; i < many; i++) {
		vols[i] = w->volume[list[i]];
		w->head[list[i]].group = group;
	}
	if (group)
		snprintf(name, sizeof(name), "%llu", (unsigned long long)group);
	nr = will_be(w);
	must(cpb_set_group(w->s, vols, many, name, NULL), "group");
	acked(w, nr);
}

static void do_delete(struct world *w, int p)
{
	struct cpb_point *pt[POINTS];
	unsigned int many = 0;
	u64 nr;

	/* Sets are deleted whole, or not at all. */
	do {
		if (w->point[p].id && !w->point[p].kept) {
			pt[many++] = cpb_point_by_id(w->s, w->point[p].id);
			w->point[p].id = 0;
		}
		p = (p + 1) % POINTS;
	} while (many < POINTS && rnd(&w->seed, 3));
	if (!many)
		return;
	nr = will_be(w);
	must(cpb_delete_many(w->s, pt, many, NULL), "delete");
	acked(w, nr);
}

/* Hold a checkpoint, or let go of it. */
static void do_hold(struct world *w, int p)
{
	struct cpb_point *pt = cpb_point_by_id(w->s, w->point[p].id);
	char reason[24];
	u64 nr;

	if (w->point[p].kept) {
		w->point[p].kept = 0;
		nr = will_be(w);
		must(cpb_unhold(w->s, pt, NULL), "unhold");
	} else {
		w->point[p].kept = w->next_content++;
		snprintf(reason, sizeof(reason), "%llu",
			 (unsigned long long)w->point[p].kept);
		nr = will_be(w);
		must(cpb_hold(w->s, pt, reason, NULL), "hold");
	}
	acked(w, nr);
}

static void do_policy(struct world *w, int v)
{
	struct cpb_policy policy = { .last = 1, .max_age = w->next_content++ };
	u64 nr;

	w->head[v].kept = policy.max_age;
	nr = will_be(w);
	must(cpb_set_policy(w->volume[v], &policy, NULL), "policy");
	acked(w, nr);
}

static void do_remove(struct world *w, int v)
{
	u64 nr;

	w->head[v].id = 0;
	nr = will_be(w);
	must(cpb_remove(w->volume[v], true, NULL), "remove");
	acked(w, nr);
}

static void do_step(struct world *w)
{
	int v = pick(w, w->head, VOLUMES), p = pick(w, w->point, POINTS), f;
	u64 at = rnd(&w->seed, SIZE), len = 1 + rnd(&w->seed, min(SIZE - at, 6ULL));
	unsigned int what = rnd(&w->seed, 32);

	for (f = 0; f < VOLUMES && w->head[f].id; f++)
		;
	if (v < 0 && p < 0)
		what = 0;
	/* Deletions, for half of the histories more than anything else. */
	if (run.reap && what >= 20 && what < 26)
		what = what < 23 ? 12 : 14;
	if (what == 0 && f < VOLUMES) {
		do_create(w, f);
	} else if (what <= 3 && v >= 0) {
		do_snap(w, v);
	} else if (what <= 5 && v >= 0 && p >= 0) {
		do_restore(w, v, p, rnd(&w->seed, 2));
	} else if (what <= 7 && f < VOLUMES && p >= 0) {
		do_fork(w, p, VOLUMES);
	} else if (what == 8 && v >= 0) {
		do_remove(w, v);
	} else if (what == 9 && p >= 0 && !rnd(&w->seed, 2)) {
		do_hold(w, p);
	} else if (what == 10 && v >= 0 && !rnd(&w->seed, 4)) {
		do_policy(w, v);
	} else if (what == 10 && v >= 0 && !rnd(&w->seed, 3)) {
		do_group(w, v);
	} else if (what <= 10 && v >= 0) {
		do_discard(w, v, at, len);
	} else if (what <= 12 && p >= 0) {
		do_delete(w, p);
	} else if (what <= 14) {
		if (cpb_reap(w->s) < 0)
			must(-EIO, "reap");
	} else if (what <= 16) {
		do_commit(w);
		do_trim(w);
	} else if (what <= 19) {
		if (run.rare_flush && rnd(&w->seed, 8))
			return;
		do_flush(w);
	} else if (v >= 0) {
		do_write(w, v, at, len);
	}
}

/* Everything goes, in random order and sets, while some writing goes on. */
static bool do_reclaim_step(struct world *w)
{
	int v = pick(w, w->head, VOLUMES), p = pick(w, w->point, POINTS);

	if (v < 0 && p < 0)
		return false;
	switch (rnd(&w->seed, 10)) {
	case 0 ... 1:
		if (p >= 0 && w->point[p].kept)
			do_hold(w, p);
		else if (p >= 0)
			do_delete(w, p);
		break;
	case 2:
		if (v >= 0 && (p < 0 || !rnd(&w->seed, 4)))
			do_remove(w, v);
		break;
	case 3:
		do_commit(w);
		if (rnd(&w->seed, 2))
			do_trim(w);
		break;
	case 4:
		if (v >= 0)
			do_write(w, v, rnd(&w->seed, SIZE), 1);
		break;
	default:
		if (cpb_reap(w->s) < 0)
			must(-EIO, "reap");
	}
	return true;
}

/* As another thread would, while a transaction is on its way to the disk. */
static void meanwhile(struct disk *d, void *arg)
{
	struct world *w = arg;
	int v = pick(w, w->head, VOLUMES);

	if (v < 0 || rnd(&w->seed, 4) || d != &w->disk)
		return;
	/* The metadata device's own work must not start over in itself. */
	d->meanwhile = NULL;
	if (rnd(&w->seed, 2))
		do_write(w, v, rnd(&w->seed, SIZE), 1);
	else
		do_flush(w);
	d->meanwhile = meanwhile;
}

/* The checkpoints of nest() in the order in which they go: forks are of 1, 3, 5. */
static const int nested[] = { 3, 1, 5, 2, 4, 0 };

/* Forks of forks, and everything overwritten in each. */
static void nest(struct world *w)
{
	int v;

	do_create(w, 0);
	for (v = 0; v < VOLUMES - 1; v++) {
		do_write(w, v, 0, SIZE);
		do_snap(w, v);
		do_write(w, v, rnd(&w->seed, SIZE / 2), SIZE / 2);
		do_snap(w, v);
		do_fork(w, 2 * v + 1, 1);
		do_write(w, v, 0, SIZE);
	}
	do_write(w, v, 0, SIZE);
}

/* Delete one of them, and reclaim a little. */
static void do_nested_step(struct world *w, int p)
{
	struct cpb_point *pt = cpb_point_by_id(w->s, w->point[p].id);
	unsigned int i;
	u64 nr;

	w->point[p].id = 0;
	nr = will_be(w);
	must(cpb_delete(w->s, pt, NULL), "delete");
	acked(w, nr);
	for (i = rnd(&w->seed, 4); i; i--)
		if (cpb_reap(w->s) < 0)
			must(-EIO, "reap");
	if (rnd(&w->seed, 2))
		do_commit(w);
	if (rnd(&w->seed, 2))
		do_trim(w);
}

static void one_history(u64 seed, unsigned int steps)
{
	bool nests = run.reclaim && seed & 1;
	unsigned int i;

	struct cpb_params params = { .meta_blocks = META_BLOCKS,
				     .journal_blocks = 64, .name = "crash",
				     .uuid = "0123456789abcde" };
	struct world *w = calloc(1, sizeof(*w));
	char why[CPB_ERROR_LEN];

	run.seed = seed;
	run.reap = seed & 1;
	run.rare_flush = seed % 3 == 0;
	run.fua = seed % 2 == 0;
	w->seed = mix(seed, 7) | 1;
	w->next_content = 1;
	disk_init(&w->disk, META_BLOCKS, CHUNKS);
	w->disk.unit = seed % 4 + 1;
	params.data_bytes = disk_data_bytes(&w->disk);
	must(cpb_format(&disk_ops, &w->disk, &params, why), "format");
	must(cpb_open(&disk_ops, &w->disk, META_BLOCKS, params.data_bytes, 1, 0, &w->s,
		      why), "open");
	disk_discards(&w->disk, w->s);
	w->room = 64;
	w->hash = calloc(w->room, sizeof(*w->hash));
	w->disk.arg = w;
	/* Of deletions, the history before them has been cut elsewhere. */
	run.step = 0;
	if (nests)
		nest(w);
	for (; run.reclaim && !nests && run.step < steps; run.step++)
		do_step(w);
	w->disk.on_write = power_cuts;
	w->disk.meanwhile = meanwhile;
	for (i = 0; nests && i < sizeof(nested) / sizeof(nested[0]); i++, run.step++)
		do_nested_step(w, nested[i]);
	if (run.reclaim)
		while (run.states < run.budget && do_reclaim_step(w))
			run.step++;
	else
		for (; run.step < steps && run.states < run.budget; run.step++)
			do_step(w);
	if (run.reclaim && run.states < run.budget)
		must(cpb_rest(w->s), "background work");
	w->disk.on_write = NULL;
	w->disk.meanwhile = NULL;
	run.discarded += w->disk.discarded;
	cpb_close(w->s);
	port_rcu_barrier();
	disk_free(&w->disk);
	free(w->hash);
	free(w);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "states", required_argument, NULL, 'n' },
		{ "steps", required_argument, NULL, 't' },
		{ "histories", required_argument, NULL, 'r' },
		{ "reclaim", no_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	u64 seed = 1, total = 0, points = 0, states = 12000, histories = 20;
	unsigned int steps = 150;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			histories = 1;
			break;
		case 'n':
			states = strtoull(optarg, NULL, 0);
			break;
		case 't':
			steps = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			histories = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			run.reclaim = true;
			break;
		default:
			fprintf(stderr, "usage: crash [--reclaim] [--seed N] [--states N] [--steps N] [--histories N]\n");
			return 2;
		}
	}
	run.budget = states;
	run.steps = steps;
	run.program = argv[0];
	for (; histories--; seed++) {
		run.states = 0;
		one_history(seed, steps);
		total += run.states;
	}
	points = run.points;
	printf("FIGURE %scrash_states %llu\n", run.reclaim ? "reclaim_" : "",
	       (unsigned long long)total);
	printf("FIGURE %scrash_points %llu\n", run.reclaim ? "reclaim_" : "",
	       (unsigned long long)points);
	printf("FIGURE %scrash_discarded %llu\n", run.reclaim ? "reclaim_" : "",
	       (unsigned long long)run.discarded);
	printf("FIGURE %scrash_flushes_alone %llu\n", run.reclaim ? "reclaim_" : "",
	       (unsigned long long)run.alone);
	printf("FIGURE %scrash_violations %llu\n", run.reclaim ? "reclaim_" : "",
	       (unsigned long long)run.violations);
	return run.violations ? 1 : 0;
}
