// SPDX-License-Identifier: GPL-2.0
/*
 * A store next to a model of it: see model.h.
 */
#include <criterion/criterion.h>

#include "model.h"

#define ok(call) \
	do { int err_ = (call); cr_assert_eq(err_, 0, "%s: %d", #call, err_); } while (0)

static const u8 uuid[CPB_UUID_LEN] = "uuid";

u64 model_random(struct model *m, u64 below)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed % below;
}

void model_init(struct model *m, u64 seed, u64 meta_blocks, u64 chunks, u64 size)
{
	int i;

	memset(m, 0, sizeof(*m));
	m->seed = seed * 0x9e3779b97f4a7c15ULL + 1;
	m->size = size;
	m->next = 1;
	sim_init(&m->disk, meta_blocks, chunks);
	sim_format(&m->disk);
	m->s = sim_open(&m->disk);
	for (i = 0; i < MODEL_VOLUMES; i++)
		m->head[i].content = calloc(size, sizeof(u64));
	for (i = 0; i < MODEL_POINTS; i++)
		m->point[i].content = calloc(size, sizeof(u64));
}

void model_free(struct model *m)
{
	int i;

	ok(cpb_close(m->s));
	for (i = 0; i < MODEL_VOLUMES; i++)
		free(m->head[i].content);
	for (i = 0; i < MODEL_POINTS; i++)
		free(m->point[i].content);
	sim_free(&m->disk);
}

static void copy(struct model *m, struct model_map *to, const struct model_map *from)
{
	memcpy(to->content, from->content, m->size * sizeof(u64));
}

static struct cpb_point *point(struct model *m, int p)
{
	struct cpb_point *pt = cpb_point_by_id(m->s, m->point[p].id);

	cr_assert(pt, "checkpoint %llu is gone", (unsigned long long)m->point[p].id);
	return pt;
}

void model_create(struct model *m, int v)
{
	char name[16];

	snprintf(name, sizeof(name), "vol%u", m->names++);
	ok(cpb_create(m->s, name, m->size << CPB_CHUNK_SHIFT_MIN, uuid, 0,
		      &m->volume[v], NULL));
	memset(m->head[v].content, 0, m->size * sizeof(u64));
	m->head[v].last = 0;
}

void model_write(struct model *m, int v, u64 vchunk, u64 len)
{
	while (len) {
		struct cpb_run run;
		u64 i;
		int err;

		while ((err = cpb_write_begin(m->s, model_random(m, 2), len, &run)) ==
		       -EAGAIN)
			ok(cpb_write_wait(m->s));
		cr_assert_eq(err, 0, "write_begin: %d", err);
		cr_assert(run.len && run.len <= len);
		for (i = 0; i < run.len; i++) {
			m->disk.data[run.chunk + i] = m->next;
			m->head[v].content[vchunk + i] = m->next++;
		}
		while ((err = cpb_write_end(m->volume[v], vchunk, &run, NULL)) ==
		       -EAGAIN)
			ok(cpb_prepare(m->volume[v], vchunk, run.len));
		cr_assert_eq(err, 0, "write_end: %d", err);
		vchunk += run.len;
		len -= run.len;
	}
}

u64 model_fill(struct model *m, int v, u64 from, u64 most)
{
	struct cpb_run run;
	u64 n, at;
	int err = 0;

	for (n = 0; n < most; n++) {
		while ((err = cpb_write_begin(m->s, 0, 1, &run)) == -EAGAIN) {
			err = cpb_write_wait(m->s);
			if (err)
				break;
		}
		if (err)
			break;
		at = from == MODEL_ANYWHERE ? model_random(m, m->size) :
					      (from + n) % m->size;
		m->disk.data[run.chunk] = m->next;
		while ((err = cpb_write_end(m->volume[v], at, &run, NULL)) == -EAGAIN)
			ok(cpb_prepare(m->volume[v], at, 1));
		cr_assert_eq(err, 0, "write_end: %d", err);
		m->head[v].content[at] = m->next++;
	}
	cr_assert(!err || err == -ENOSPC, "error %d", err);
	return n;
}

void model_discard(struct model *m, int v, u64 vchunk, u64 len)
{
	memset(m->head[v].content + vchunk, 0, len * sizeof(u64));
	while (len) {
		int err = cpb_unmap(m->volume[v], &vchunk, &len, NULL);

		if (err == -EAGAIN)
			err = cpb_unmap_prepare(m->volume[v], vchunk, NULL);
		cr_assert_eq(err, 0, "unmap: %d", err);
	}
}

static int free_point(struct model *m)
{
	int i;

	for (i = 0; i < MODEL_POINTS; i++)
		if (!m->point[i].id)
			return i;
	return -1;
}

int model_snap(struct model *m, int v)
{
	int p = free_point(m);

	if (p < 0)
		return p;
	ok(cpb_snap(m->s, &m->volume[v], 1, NULL, "model", 0, &m->point[p].id, NULL));
	m->point[p].volume = v;
	copy(m, &m->point[p], &m->head[v]);
	return p;
}

void model_restore(struct model *m, int v, int p, bool safety)
{
	int keep = safety ? free_point(m) : -1;
	u64 id;

	if (safety && keep < 0)
		return;
	ok(cpb_restore(m->volume[v], point(m, p), safety, &id, NULL));
	if (safety) {
		m->point[keep].id = id;
		m->point[keep].volume = v;
		copy(m, &m->point[keep], &m->head[v]);
	}
	copy(m, &m->head[v], &m->point[p]);
}

void model_fork(struct model *m, int p, int v)
{
	char name[16];

	snprintf(name, sizeof(name), "vol%u", m->names++);
	ok(cpb_fork(m->s, point(m, p), name, uuid, 0, &m->volume[v], NULL));
	copy(m, &m->head[v], &m->point[p]);
	m->head[v].last = 0;
}

static int pick_point(struct model *m)
{
	int i = model_random(m, MODEL_POINTS), n;

	for (n = 0; n < MODEL_POINTS; n++, i = (i + 1) % MODEL_POINTS)
		if (m->point[i].id)
			return i;
	return -1;
}

/* All volumes at one instant. */
void model_snap_all(struct model *m)
{
	struct cpb_volume *v[MODEL_VOLUMES];
	u64 ids[MODEL_VOLUMES];
	unsigned int nr = 0;
	int i, p[MODEL_VOLUMES];

	for (i = 0; i < MODEL_VOLUMES; i++) {
		if (!m->volume[i])
			continue;
		p[nr] = free_point(m);
		if (p[nr] < 0)
			break;
		m->point[p[nr]].id = ~0ULL;
		m->point[p[nr]].volume = i;
		copy(m, &m->point[p[nr]], &m->head[i]);
		v[nr++] = m->volume[i];
	}
	if (nr)
		ok(cpb_snap(m->s, v, nr, NULL, "all", 0, ids, NULL));
	while (nr--)
		m->point[p[nr]].id = ids[nr];
}

/* As many volumes as there is room for safety checkpoints. */
void model_restore_all(struct model *m, bool safety)
{
	struct cpb_volume *v[MODEL_VOLUMES];
	struct cpb_point *pts[MODEL_VOLUMES];
	u64 ids[MODEL_VOLUMES];
	unsigned int nr = 0, n;
	int list[MODEL_VOLUMES], from[MODEL_VOLUMES], keep[MODEL_VOLUMES], i;

	for (i = 0; i < MODEL_VOLUMES; i++) {
		if (!m->volume[i])
			continue;
		keep[nr] = safety ? free_point(m) : 0;
		if (keep[nr] < 0)
			break;
		do
			from[nr] = pick_point(m);
		while (m->point[from[nr]].id == ~0ULL);
		pts[nr] = point(m, from[nr]);
		if (safety) {
			m->point[keep[nr]].id = ~0ULL;
			m->point[keep[nr]].volume = i;
			copy(m, &m->point[keep[nr]], &m->head[i]);
		}
		list[nr] = i;
		v[nr++] = m->volume[i];
	}
	if (!nr)
		return;
	ok(cpb_restore_many(m->s, v, pts, nr, safety, ids, NULL));
	for (n = 0; n < nr; n++) {
		if (safety)
			m->point[keep[n]].id = ids[n];
		copy(m, &m->head[list[n]], &m->point[from[n]]);
	}
}

/* Into all places that there are. */
void model_fork_all(struct model *m, int p)
{
	char names[MODEL_VOLUMES][16];
	const char *name[MODEL_VOLUMES];
	u8 uuids[MODEL_VOLUMES * CPB_UUID_LEN] = { };
	struct cpb_volume *made[MODEL_VOLUMES];
	unsigned int nr = 0;
	int to[MODEL_VOLUMES], i;

	for (i = 0; i < MODEL_VOLUMES; i++) {
		if (m->volume[i])
			continue;
		snprintf(names[nr], sizeof(names[nr]), "vol%u", m->names++);
		name[nr] = names[nr];
		to[nr++] = i;
	}
	if (!nr)
		return;
	ok(cpb_fork_many(m->s, point(m, p), name, uuids,
			 nr, 0, made, NULL));
	while (nr--) {
		m->volume[to[nr]] = made[nr];
		copy(m, &m->head[to[nr]], &m->point[p]);
		m->head[to[nr]].last = 0;
	}
}

void model_delete(struct model *m, int p)
{
	char why[CPB_ERROR_LEN], text[32];

	if (m->point[p].held) {
		snprintf(text, sizeof(text), "reason %u", m->point[p].held);
		cr_assert_eq(cpb_delete(m->s, point(m, p), why), -EBUSY);
		cr_assert(strstr(why, text), "%s", why);
		return;
	}
	ok(cpb_delete(m->s, point(m, p), NULL));
	m->point[p].id = 0;
}

/* Hold a checkpoint, for another reason or again, or let go of it. */
void model_hold(struct model *m, int p)
{
	char text[32];

	if (m->point[p].held && model_random(m, 2)) {
		ok(cpb_unhold(m->s, point(m, p), NULL));
		m->point[p].held = 0;
		cr_assert_eq(cpb_unhold(m->s, point(m, p), NULL), -ENOENT);
		return;
	}
	m->point[p].held = ++m->names;
	snprintf(text, sizeof(text), "reason %u", m->point[p].held);
	ok(cpb_hold(m->s, point(m, p), text, NULL));
}

void model_policy(struct model *m, int v)
{
	struct cpb_policy policy = { .last = ++m->names, .max_age = ~0ULL };

	ok(cpb_set_policy(m->volume[v], &policy, NULL));
	m->head[v].last = policy.last;
}

void model_remove(struct model *m, int v)
{
	ok(cpb_remove(m->volume[v], true, NULL));
	m->volume[v] = NULL;
}

static void reopen(struct model *m, bool crash)
{
	u64 ids[MODEL_VOLUMES];
	struct cpb_volume_info info;
	int i;

	for (i = 0; i < MODEL_VOLUMES; i++) {
		if (!m->volume[i])
			continue;
		cpb_volume_info(m->volume[i], &info);
		ids[i] = info.id;
	}
	m->disk.fail_write = crash ? 0 : -1;
	if (cpb_close(m->s))
		cr_assert(crash, "it can't be closed");
	m->disk.fail_write = -1;
	m->s = sim_open(&m->disk);
	for (i = 0; i < MODEL_VOLUMES; i++)
		if (m->volume[i])
			m->volume[i] = cpb_volume_by_id(m->s, ids[i]);
}

void model_reopen(struct model *m)
{
	reopen(m, false);
}

void model_crash(struct model *m)
{
	reopen(m, true);
}

static int pick_volume(struct model *m)
{
	int i = model_random(m, MODEL_VOLUMES), n;

	for (n = 0; n < MODEL_VOLUMES; n++, i = (i + 1) % MODEL_VOLUMES)
		if (m->volume[i])
			return i;
	return -1;
}

static int free_volume(struct model *m)
{
	int i;

	for (i = 0; i < MODEL_VOLUMES; i++)
		if (!m->volume[i])
			return i;
	return -1;
}

void model_step(struct model *m)
{
	int v = pick_volume(m), p = pick_point(m), f = free_volume(m);
	u64 at = model_random(m, m->size);
	u64 len = 1 + model_random(m, min(m->size - at, 1 + model_random(m, 40)));

	if (v < 0 && p < 0) {
		model_create(m, f);
		return;
	}
	switch (model_random(m, 36)) {
	case 0:
		if (f >= 0)
			model_create(m, f);
		break;
	case 1 ... 3:
		if (v >= 0)
			model_snap(m, v);
		break;
	case 4 ... 5:
		if (v >= 0 && p >= 0)
			model_restore(m, v, p, model_random(m, 2));
		break;
	case 6 ... 7:
		if (f >= 0 && p >= 0)
			model_fork(m, p, f);
		break;
	case 8 ... 10:
		if (p >= 0)
			model_delete(m, p);
		break;
	case 11:
		if (v >= 0 && !model_random(m, 2))
			model_remove(m, v);
		break;
	case 12 ... 13:
		if (v >= 0)
			model_discard(m, v, at, len);
		break;
	case 14:
		ok(cpb_commit(m->s));
		break;
	case 15 ... 17:
		cr_assert_geq(cpb_reap(m->s), 0);
		break;
	case 18:
		ok(sim_flush(&m->disk, m->s, model_random(m, 2)));
		break;
	case 19:
		cpb_release(m->s);
		cpb_shrink(m->s, 10);
		port_rcu_barrier();
		break;
	case 20:
		if (p >= 0)
			model_hold(m, p);
		break;
	case 21:
		if (v >= 0)
			model_policy(m, v);
		break;
	case 22:
		model_snap_all(m);
		break;
	case 23:
		if (p < 0)
			break;
		if (model_random(m, 4))
			model_restore_all(m, model_random(m, 2));
		else
			model_fork_all(m, p);
		break;
	default:
		if (v >= 0)
			model_write(m, v, at, len);
		break;
	}
}

static void compare(struct model *m, struct cpb_point *p, const u64 *content,
		    const char *what, int nr)
{
	struct cpb_extent ext[5];
	u64 v = 0, i;
	int n, k;

	while (v < m->size) {
		n = cpb_lookup(m->s, p, v, m->size - v, ext, 5);
		if (n == -EAGAIN) {
			ok(cpb_load(m->s, p, v));
			continue;
		}
		cr_assert_gt(n, 0, "lookup: %d", n);
		for (k = 0; k < n; k++) {
			cr_assert_eq(ext[k].vchunk, v);
			for (i = 0; i < ext[k].len; i++, v++) {
				u64 got = ext[k].chunk == CPB_HOLE ? 0 :
					  m->disk.data[ext[k].chunk + i];

				cr_assert_eq(got, content[v],
					     "%s %d, chunk %llu: %llu, not %llu",
					     what, nr, (unsigned long long)v,
					     (unsigned long long)got,
					     (unsigned long long)content[v]);
			}
		}
	}
}

static void compare_kept(struct model *m)
{
	struct cpb_point_info pi;
	struct cpb_volume_info vi;
	char text[32];
	int i;

	for (i = 0; i < MODEL_VOLUMES; i++) {
		if (!m->volume[i])
			continue;
		cpb_volume_info(m->volume[i], &vi);
		cr_assert_eq(vi.policy.last, m->head[i].last);
		cr_assert_eq(vi.policy.max_age, m->head[i].last ? ~0ULL : 0);
	}
	for (i = 0; i < MODEL_POINTS; i++) {
		if (!m->point[i].id)
			continue;
		cpb_point_info(m->s, point(m, i), &pi);
		text[0] = 0;
		if (m->point[i].held)
			snprintf(text, sizeof(text), "reason %u", m->point[i].held);
		cr_assert_str_eq(pi.hold, text);
		cr_assert_eq(!(pi.flags & CPB_POINT_HELD), !m->point[i].held);
	}
}

void model_compare(struct model *m)
{
	int i;

	compare_kept(m);

	for (i = 0; i < MODEL_VOLUMES; i++)
		if (m->volume[i])
			compare(m, cpb_head(m->volume[i]), m->head[i].content,
				"volume", i);
	for (i = 0; i < MODEL_POINTS; i++)
		if (m->point[i].id)
			compare(m, point(m, i), m->point[i].content,
				"checkpoint", i);
}
