// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on several volumes: all or none, also when the journal is torn in
 * the middle of them, and what is refused. (Random histories have them too.)
 */
#include <criterion/criterion.h>

#include "model.h"

#define ok(call) \
	do { int err_ = (call); cr_assert_eq(err_, 0, "%s: %d", #call, err_); } while (0)

#define MANY	CPB_MEMBERS_MAX

static struct cpb_volume *create(struct cpb_store *s, const char *name)
{
	static const u8 uuid[CPB_UUID_LEN] = "uuid";
	struct cpb_volume *v;

	ok(cpb_create(s, name, 8 << CPB_CHUNK_SHIFT_MIN, uuid, 0, &v, NULL));
	return v;
}

/* The longest names that there are. */
static int fork_many(struct cpb_store *s, struct cpb_point *p)
{
	static u8 uuids[MANY * CPB_UUID_LEN];
	static char names[MANY][CPB_NAME_LEN];
	static const char *name[MANY];
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "%063u", i);
		name[i] = names[i];
	}
	return cpb_fork_many(s, p, name, uuids, MANY, 0,
			     NULL, NULL);
}

/*
 * A journal that has so many records before the forks that a batch could end
 * between them, and a power cut after each of its blocks.
 */
Test(groups, torn_forks)
{
	unsigned int before, cut, whole = 0, none = 0;

	for (before = 22; before < 34; before += 2) {
		for (cut = 0; cut < 46; cut += 3) {
			struct model m;
			struct cpb_status st;
			u64 i;
			int p;

			model_init(&m, 1, 8192, 16384, 12000);
			model_create(&m, 0);
			p = model_snap(&m, 0);
			ok(cpb_commit(m.s));
			/* 169 records fill a segment; no two are neighbours. */
			for (i = 0; i < before * 169; i++)
				model_write(&m, 0, i * 2 % 12000, 1);
			m.disk.fail_write = cut;
			fork_many(m.s, cpb_point_by_id(m.s, m.point[p].id));
			m.disk.fail_write = -1;
			cpb_close(m.s);
			m.s = sim_open(&m.disk);
			cpb_status(m.s, &st);
			cr_assert(st.nr_volumes == 1 || st.nr_volumes == 1 + MANY,
				  "%llu volumes, cut after %u blocks of %u",
				  (unsigned long long)st.nr_volumes, cut, before);
			whole += st.nr_volumes > 1;
			none += st.nr_volumes == 1;
			sim_idle(m.s);
			sim_check(m.s);
			m.volume[0] = cpb_volume_next(m.s, 0);
			model_free(&m);
		}
	}
	cr_assert(whole && none);
}

/* The IDs of an operation that failed are the next one's. */
Test(groups, all_or_none)
{
	struct cpb_volume *v[3];
	struct cpb_point *p[3];
	char why[CPB_ERROR_LEN];
	struct cpb_volume_info vi;
	struct cpb_point_info pi;
	struct model m;
	u64 ids[3];
	int i;

	model_init(&m, 1, 8192, 4096, 100);
	v[0] = create(m.s, "a");
	v[1] = create(m.s, "b");
	ok(cpb_snap(m.s, v + 1, 1, "x", "", 0, ids, NULL));
	cr_assert_eq(cpb_snap(m.s, v, 2, "x", "", 0, ids, why), -EEXIST);
	cr_assert_null(cpb_checkpoint(v[0], "x"));
	ok(cpb_snap(m.s, v, 1, "x", "", 0, ids, NULL));
	cr_assert_eq(cpb_point_by_id(m.s, ids[0]), cpb_checkpoint(v[0], "x"));

	v[2] = v[0];
	p[0] = p[2] = cpb_checkpoint(v[0], "x");
	p[1] = cpb_checkpoint(v[1], "x");
	cr_assert_eq(cpb_restore_many(m.s, v, p, 3, true, ids, why), -EINVAL);
	cr_assert(strstr(why, "named twice"), "%s", why);
	cr_assert_eq(cpb_restore_many(m.s, v, p, 0, true, ids, why), -EINVAL);
	cr_assert_eq(cpb_restore_many(m.s, v, p, MANY + 1, true, ids, why), -EINVAL);

	/* One name for both safety checkpoints, which one of them had. */
	ok(cpb_snap(m.s, v + 1, 1, "before-restore-1", "", 0, NULL, NULL));
	ok(cpb_restore_many(m.s, v, p, 2, true, ids, NULL));
	for (i = 0; i < 2; i++) {
		cpb_point_info(m.s, cpb_point_by_id(m.s, ids[i]), &pi);
		cr_assert_str_eq(pi.name, "before-restore-2");
		cr_assert_str_eq(pi.message, "before restoring 'x'");
		cpb_volume_info(v[i], &vi);
		cr_assert_eq(vi.generation, 1);
		cr_assert_eq(vi.undo, ids[i]);
	}
	cr_assert_eq(cpb_set_group(m.s, v, 2, "-no", why), -EINVAL);
	ok(cpb_set_group(m.s, v, 2, "web", NULL));
	ok(cpb_set_group(m.s, v, 1, "", NULL));

	/* Nobody can write back what is in the journal only. */
	m.disk.fail_write = 0;
	cpb_close(m.s);
	m.disk.fail_write = -1;
	m.s = sim_open(&m.disk);
	cpb_volume_info(cpb_volume_by_name(m.s, "a"), &vi);
	cr_assert_str_eq(vi.group, "");
	cr_assert_eq(vi.generation, 1);
	cpb_volume_info(cpb_volume_by_name(m.s, "b"), &vi);
	cr_assert_str_eq(vi.group, "web");
	cr_assert_eq(vi.undo, ids[1]);
	sim_idle(m.s);
	sim_check(m.s);
	model_free(&m);
}
