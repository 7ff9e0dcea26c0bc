// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks in memory, and what happens to them while one is being read.
 */
#include <criterion/criterion.h>

#include "../../kmod/core/engine.h"
#include "model.h"

/* While somebody reads the root it is read, changed and let go of. */
static void overtake(void *arg)
{
	struct model *m = arg;

	model_write(m, 0, 5, 1);
}

Test(cache, read_overtaken)
{
	struct cpb_point *head;
	struct model m;
	u64 root;

	model_init(&m, 1, 4096, 1024, 100);
	model_create(&m, 0);
	model_write(&m, 0, 0, 50);
	sim_idle(m.s);
	head = cpb_head(m.volume[0]);
	root = cpb_ref_addr(head->root.ref);
	/* Once around the clock clears the marks, once more empties it. */
	cpb_shrink(m.s, ~0UL);
	cpb_shrink(m.s, ~0UL);
	port_rcu_barrier();
	cr_assert_null(cpb_node_find(m.s, root));

	m.disk.on_read = overtake;
	m.disk.on_read_arg = &m;
	cr_assert_eq(cpb_load(m.s, head, 0), 0);
	cr_assert_neq(cpb_ref_addr(head->root.ref), root);
	model_compare(&m);
	sim_idle(m.s);
	cr_assert_null(cpb_node_find(m.s, root), "a free block is in memory");
	model_compare(&m);
	sim_check(m.s);
	model_free(&m);
}
