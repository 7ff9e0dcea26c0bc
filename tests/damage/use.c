// SPDX-License-Identifier: GPL-2.0
/*
 * Using a store that may be damaged: see use.h.
 */
#include "use.h"

static const u8 uuid[CPB_UUID_LEN] = "a volume's uuid";

/* ---- Contents ---- */

static int read_map(struct cpb_store *s, const struct image *d,
		    struct cpb_point *p, u64 *content)
{
	struct cpb_extent x[16];
	u64 v = 0, i;
	int n, k;

	while (v < VIEW_CHUNKS) {
		n = cpb_lookup(s, p, v, VIEW_CHUNKS - v, x, 16);
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

static u64 *view_add(struct view *v, u64 id, bool head)
{
	if (v->nr == VIEW_MAPS)
		abort();
	v->map[v->nr].id = id;
	v->map[v->nr].head = head;
	return v->map[v->nr++].content;
}

static unsigned int view_find(const struct view *v, u64 id, bool head)
{
	unsigned int i;

	for (i = 0; i < v->nr; i++)
		if (v->map[i].id == id && v->map[i].head == head)
			return i;
	abort();
}

static u64 *view_content(struct view *v, u64 id, bool head)
{
	return v->map[view_find(v, id, head)].content;
}

static void view_drop(struct view *v, u64 id, bool head)
{
	unsigned int i = view_find(v, id, head);

	v->map[i] = v->map[--v->nr];
}

int view_read(struct cpb_store *s, const struct image *d, struct view *v)
{
	struct cpb_volume_info vi;
	struct cpb_point_info pi;
	struct cpb_volume *vol;
	struct cpb_point *p;
	int err = 0;
	u64 id;

	v->nr = 0;
	cpb_hold_lists(s);
	for (id = 0; !err && (vol = cpb_volume_next(s, id)); id = vi.id) {
		cpb_volume_info(vol, &vi);
		err = read_map(s, d, cpb_head(vol), view_add(v, vi.id, true));
	}
	for (id = 0; !err && (p = cpb_point_next(s, id)); id = pi.id) {
		cpb_point_info(s, p, &pi);
		if (!(pi.flags & CPB_POINT_HIDDEN))
			err = read_map(s, d, p, view_add(v, pi.id, false));
	}
	cpb_drop_lists(s);
	return err;
}

static u64 mix(u64 a, u64 b)
{
	a = (a ^ b * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
	return a ^ a >> 32;
}

u64 view_hash(const struct view *v)
{
	u64 sum = 0, h;
	unsigned int i, c;

	for (i = 0; i < v->nr; i++) {
		h = 0;
		for (c = 0; c < VIEW_CHUNKS; c++)
			if (v->map[i].content[c])
				h += mix(c + 1, v->map[i].content[c]);
		sum += mix(mix(v->map[i].id, v->map[i].head), h);
	}
	return sum;
}

/* ---- Changes ---- */

static u64 volume_id(struct cpb_volume *v)
{
	struct cpb_volume_info info;

	cpb_volume_info(v, &info);
	return info.id;
}

int use_write(struct cpb_store *s, struct image *d, struct cpb_volume *v,
	      struct view *view, u64 at, u64 len)
{
	static u64 next_content = 1;
	u64 *content = view_content(view, volume_id(v), true);

	while (len) {
		struct cpb_run r;
		u64 i;
		int err;

		while ((err = cpb_write_begin(s, 0, len, &r)) == -EAGAIN) {
			err = cpb_write_wait(s);
			if (err)
				break;
		}
		if (err)
			return err;
		for (i = 0; i < r.len; i++)
			image_write_chunk(d, r.chunk + i, next_content + i);
		while ((err = cpb_write_end(v, at, &r, NULL)) == -EAGAIN) {
			err = cpb_prepare(v, at, r.len);
			if (err)
				break;
		}
		if (err) {
			cpb_write_abort(s, &r);
			return err;
		}
		for (i = 0; i < r.len; i++, at++, next_content++)
			if (at < VIEW_CHUNKS)
				content[at] = next_content;
		len -= r.len;
	}
	return 0;
}

int use_discard(struct cpb_volume *v, struct view *view, u64 at, u64 len)
{
	u64 *content = view_content(view, volume_id(v), true), from;
	int err;

	while (len) {
		from = at;
		err = cpb_unmap(v, &at, &len, NULL);
		if (err == -EAGAIN)
			err = cpb_unmap_prepare(v, at, NULL);
		if (err)
			return err;
		memset(content + from, 0, (at - from) * sizeof(u64));
	}
	return 0;
}

static void copy_map(struct view *view, u64 id, bool head, const u64 *from)
{
	memcpy(view_add(view, id, head), from, VIEW_CHUNKS * sizeof(u64));
}

int use_snap(struct cpb_store *s, struct cpb_volume *v, const char *name,
	     struct view *view, u64 *id, char *why)
{
	int err = cpb_snap(s, &v, 1, name, "a message", 0, id, why);

	if (!err)
		copy_map(view, *id, false, view_content(view, volume_id(v), true));
	return err;
}

int use_restore(struct cpb_store *s, struct cpb_volume *v, u64 id, bool safety,
		struct view *view, char *why)
{
	u64 *head = view_content(view, volume_id(v), true), safety_id;
	int err = cpb_restore(v, cpb_point_by_id(s, id), safety, &safety_id, why);

	if (err)
		return err;
	if (safety)
		copy_map(view, safety_id, false, head);
	memcpy(head, view_content(view, id, false), VIEW_CHUNKS * sizeof(u64));
	return 0;
}

int use_create(struct cpb_store *s, const char *name, u64 from,
	       struct view *view, struct cpb_volume **v, char *why)
{
	u64 *content;
	int err;

	if (from)
		err = cpb_fork(s, cpb_point_by_id(s, from), name, uuid, 0, v, why);
	else
		err = cpb_create(s, name, VIEW_CHUNKS << CPB_CHUNK_SHIFT_MIN, uuid,
				 0, v, why);
	if (err)
		return err;
	content = view_add(view, volume_id(*v), true);
	if (from)
		memcpy(content, view_content(view, from, false),
		       VIEW_CHUNKS * sizeof(u64));
	else
		memset(content, 0, VIEW_CHUNKS * sizeof(u64));
	return 0;
}

int use_delete(struct cpb_store *s, u64 id, struct view *view, char *why)
{
	struct cpb_point *p = cpb_point_by_id(s, id);
	struct cpb_point_info info;
	int err = 0;

	cpb_point_info(s, p, &info);
	if (info.flags & CPB_POINT_HELD)
		err = cpb_unhold(s, p, why);
	if (!err)
		err = cpb_delete(s, p, why);

	if (!err)
		view_drop(view, id, false);
	return err;
}

int use_remove(struct cpb_volume *v, struct view *view, char *why)
{
	u64 id = volume_id(v);
	int err = cpb_remove(v, true, why);

	if (!err)
		view_drop(view, id, true);
	return err;
}

/* ---- A bit of everything ---- */

static u64 first_point(const struct view *view)
{
	u64 id = 0;
	unsigned int i;

	for (i = 0; i < view->nr; i++)
		if (!view->map[i].head && (!id || view->map[i].id < id))
			id = view->map[i].id;
	return id;
}

static int use_volume(struct cpb_store *s, struct image *d,
		      struct cpb_volume *v, struct view *view,
		      const char **what, char *why)
{
	u64 at, id;
	int err = 0;

	*what = "write";
	for (at = 3; at < VIEW_CHUNKS - 8 && !err; at += 97)
		err = use_write(s, d, v, view, at, 1 + at % 5);
	if (err)
		return err;
	*what = "discard";
	err = use_discard(v, view, 100, 60);
	if (err)
		return err;
	*what = "snap";
	err = use_snap(s, v, NULL, view, &id, why);
	if (err)
		return err;
	*what = "write";
	return use_write(s, d, v, view, 500, 9);
}

int use_all(struct cpb_store *s, struct image *d, struct view *view,
	    const char **what, char *why)
{
	struct cpb_volume *v = cpb_volume_next(s, 0), *last, *fork;
	struct cpb_volume_info info;
	u64 old = first_point(view);
	int err;

	*what = "create";
	if (!v) {
		err = use_create(s, "new", 0, view, &v, why);
		if (err)
			return err;
	}
	err = use_volume(s, d, v, view, what, why);
	if (err)
		return err;
	for (last = v; v;) {
		last = v;
		cpb_volume_info(v, &info);
		v = cpb_volume_next(s, info.id);
	}
	v = cpb_volume_next(s, 0);
	if (old) {
		*what = "fork";
		err = use_create(s, "fork-of-it", old, view, &fork, why);
		if (err)
			return err;
		err = use_volume(s, d, fork, view, what, why);
		if (err)
			return err;
		*what = "restore";
		err = use_restore(s, v, old, true, view, why);
		if (!err)
			err = use_restore(s, last, old, false, view, why);
		if (err)
			return err;
		*what = "delete";
		err = use_delete(s, old, view, why);
		if (err)
			return err;
		old = first_point(view);
		err = use_delete(s, old, view, why);
		if (err)
			return err;
	}
	*what = "background work";
	err = cpb_rest(s);
	if (err)
		return err;
	if (last != v) {
		*what = "remove";
		err = use_remove(last, view, why);
		if (err)
			return err;
	}
	*what = "write";
	err = use_write(s, d, v, view, 700, 30);
	if (err)
		return err;
	*what = "flush";
	err = cpb_flush(s);
	if (err)
		return err;
	*what = "background work";
	err = cpb_rest(s);
	cpb_shrink(s, 100000);
	port_rcu_barrier();
	return err;
}

/* ---- Opening and checking ---- */

static void complaint(void *arg, const char *text)
{
	struct complaints *c = arg;

	if (!c->nr++)
		snprintf(c->first, sizeof(c->first), "%s", text);
}

void use_check(struct cpb_store *s, struct complaints *c)
{
	struct cpb_check_report r;
	char text[64];
	int err;

	c->nr = 0;
	c->first[0] = 0;
	err = cpb_check(s, &r, complaint, c);
	if (err) {
		snprintf(text, sizeof(text), "the check ended early (%d)", err);
		complaint(c, text);
	}
}

int use_open(struct image *d, unsigned int flags, struct cpb_store **s,
	     char *why)
{
	return cpb_open(&image_ops, d, d->meta_blocks, image_data_bytes(d), 1,
			flags, s, why);
}

void use_close(struct cpb_store *s)
{
	cpb_close(s);
	port_rcu_barrier();
}
