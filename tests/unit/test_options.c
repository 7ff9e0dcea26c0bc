// SPDX-License-Identifier: GPL-2.0
/*
 * Options of a store: their range, and that they stay.
 */
#include <criterion/criterion.h>

#include "sim.h"

static struct cpb_store *reopen(struct sim *d, struct cpb_store *s)
{
	cr_assert_eq(cpb_close(s), 0);
	return sim_open(d);
}

/* What is in the journal only, as after a power cut. */
static struct cpb_store *crash(struct sim *d, struct cpb_store *s)
{
	d->fail_write = 0;
	cpb_close(s);
	d->fail_write = -1;
	return sim_open(d);
}

Test(options, kept)
{
	struct cpb_setting set[2] = {
		{ CPB_OPTION_WARN_DATA, 0 }, { CPB_OPTION_FLUSH_INTERVAL, 3600 },
	};
	struct cpb_store *s;
	struct sim d;
	u64 writes;

	sim_init(&d, 4096, 4096);
	sim_format(&d);
	s = sim_open(&d);
	cr_expect_eq(cpb_option(s, CPB_OPTION_WARN_DATA), 80);
	cr_assert_eq(cpb_set_options(s, set, 2, NULL), 0);
	cr_expect_eq(cpb_option(s, CPB_OPTION_WARN_DATA), 0);
	s = crash(&d, s);
	cr_expect_eq(cpb_option(s, CPB_OPTION_WARN_DATA), 0);
	cr_expect_eq(cpb_option(s, CPB_OPTION_FLUSH_INTERVAL), 3600);
	/* Replay has committed them; that is enough then. */
	writes = d.writes;
	s = reopen(&d, s);
	cr_expect_eq(d.writes, writes);
	cr_expect_eq(cpb_option(s, CPB_OPTION_WARN_DATA), 0);

	set[0].value = CPB_OPTION_DEFAULT;
	cr_assert_eq(cpb_set_options(s, set, 1, NULL), 0);
	cr_expect(cpb_dirty(s));
	s = reopen(&d, s);
	cr_expect_eq(cpb_option(s, CPB_OPTION_WARN_DATA), 80);
	cr_expect_eq(cpb_option(s, CPB_OPTION_FLUSH_INTERVAL), 3600);
	sim_check(s);
	cpb_close(s);
	sim_free(&d);
}

Test(options, range)
{
	struct cpb_setting set[2] = {
		{ CPB_OPTION_WARN_META, 50 }, { CPB_OPTION_FLUSH_INTERVAL, 3601 },
	};
	char why[CPB_ERROR_LEN];
	struct cpb_store *s;
	struct sim d;

	sim_init(&d, 4096, 4096);
	sim_format(&d);
	s = sim_open(&d);
	cr_expect_eq(cpb_set_options(s, set, 2, why), -EINVAL);
	cr_expect_str_eq(why, "flush-interval can be 0 to 3600, not 3601");
	cr_expect_eq(cpb_option(s, CPB_OPTION_WARN_META), 80, "all or none");
	set[0].option = CPB_OPTION_END;
	cr_expect_eq(cpb_set_options(s, set, 1, why), -EINVAL);
	cr_expect_str_eq(why, "this version has no option 9");
	set[0].option = 0;
	cr_expect_eq(cpb_set_options(s, set, 1, why), -EINVAL);
	cpb_close(s);
	sim_free(&d);
}
