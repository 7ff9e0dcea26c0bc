// SPDX-License-Identifier: GPL-2.0
/* The picture that cpblk log draws. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "fake.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

TestSuite(history, .init = fake_reset, .fini = fake_end);

static void expect_log(const char *volume, const char *picture)
{
	cr_expect_eq(run("log", volume, NULL), 0);
	cr_expect_str_eq(out, picture, "drawn:\n%sexpected:\n%s", out, picture);
}

Test(history, empty_store)
{
	expect_log(NULL, "");
}

Test(history, no_checkpoints)
{
	fake_volume("tank", "vm1", GIB);
	expect_log(NULL, "o  (HEAD -> vm1)  live  +0 B\n");
}

Test(history, line)
{
	fake_volume("tank", "vm1", GIB);
	fake_snap("vm1", "v1", 90, 200 * MIB, "fresh");
	fake_snap("vm1", "v2", 5, 20 * MIB, "after the upgrade");
	fake_volume_named("vm1")->written = 1234567;
	expect_log(NULL,
		   "o  (HEAD -> vm1)  live       +1.2 MiB\n"
		   "*  vm1@v2         5 min ago   +20 MiB  after the upgrade\n"
		   "*  vm1@v1         1 h ago    +200 MiB  fresh\n");
}

Test(history, restore_branches_off)
{
	uint64_t v1;

	fake_volume("tank", "vm1", GIB);
	v1 = fake_snap("vm1", "v1", 9, 200 * MIB, NULL);
	fake_snap("vm1", "v2", 5, 20 * MIB, NULL);
	fake_restore("vm1", v1, 2);
	expect_log(NULL,
		   "o  (HEAD -> vm1)  live           +0 B\n"
		   "| *  vm1@r1       2 min ago      +0 B  before a restore\n"
		   "| *  vm1@v2       5 min ago   +20 MiB\n"
		   "|/\n"
		   "*  vm1@v1         9 min ago  +200 MiB\n");
	fake_snap("vm1", "v3", 1, MIB, NULL);
	expect_log(NULL,
		   "o  (HEAD -> vm1)  live           +0 B\n"
		   "*  vm1@v3         1 min ago    +1 MiB\n"
		   "| *  vm1@r1       2 min ago      +0 B  before a restore\n"
		   "| *  vm1@v2       5 min ago   +20 MiB\n"
		   "|/\n"
		   "*  vm1@v1         9 min ago  +200 MiB\n");
}

Test(history, undo)
{
	uint64_t v1, safety;

	fake_volume("tank", "vm1", GIB);
	v1 = fake_snap("vm1", "v1", 9, 0, NULL);
	fake_snap("vm1", "v2", 5, 0, NULL);
	safety = fake_restore("vm1", v1, 2);
	fake_restore("vm1", safety, 1);
	expect_log(NULL,
		   "o  (HEAD -> vm1)  live       +0 B\n"
		   "*  vm1@r1         2 min ago  +0 B  before a restore\n"
		   "*  vm1@v2         5 min ago  +0 B\n"
		   "| *  vm1@r2       1 min ago  +0 B  before a restore\n"
		   "|/\n"
		   "*  vm1@v1         9 min ago  +0 B\n");
}

Test(history, forks)
{
	uint64_t v1;

	fake_volume("tank", "vm1", GIB);
	v1 = fake_snap("vm1", "v1", 9, 0, NULL);
	fake_snap("vm1", "v2", 5, 0, NULL);
	fake_fork(v1, "vm2");
	fake_fork(v1, "vm3");
	fake_fork(fake_snap("vm3", "v1", 3, 0, NULL), "vm4");
	expect_log(NULL,
		   "o  (HEAD -> vm1)      live       +0 B\n"
		   "*  vm1@v2             5 min ago  +0 B\n"
		   "| o  (HEAD -> vm3)    live       +0 B\n"
		   "| | o  (HEAD -> vm4)  live       +0 B\n"
		   "| |/\n"
		   "| *  vm3@v1           3 min ago  +0 B\n"
		   "|/\n"
		   "| o  (HEAD -> vm2)    live       +0 B\n"
		   "|/\n"
		   "*  vm1@v1             9 min ago  +0 B\n");
	/* One volume: its own line, and what that comes from. */
	expect_log("vm3",
		   "o  (HEAD -> vm3)  live       +0 B\n"
		   "*  vm3@v1         3 min ago  +0 B\n"
		   "*  vm1@v1         9 min ago  +0 B\n");
	expect_log("vm1",
		   "o  (HEAD -> vm1)  live       +0 B\n"
		   "*  vm1@v2         5 min ago  +0 B\n"
		   "*  vm1@v1         9 min ago  +0 B\n");
}

Test(history, deleted_and_removed)
{
	uint64_t v1, v2;

	fake_volume("tank", "vm1", GIB);
	v1 = fake_snap("vm1", "v1", 9, 0, NULL);
	v2 = fake_snap("vm1", "v2", 5, 0, "to\033[2J stay");
	fake_fork(v1, "vm2");
	fake_hide(v1);
	/* With its volume gone, a checkpoint has only its number. */
	fake_checkpoint(v2)->volume[0] = '\0';
	strcpy(fake_checkpoint(v2)->device, "cpblk7");
	expect_log(NULL,
		   "o  (HEAD -> vm1)    live       +0 B\n"
		   "*  :3               5 min ago  +0 B  [cpblk7] to?[2J stay\n"
		   "| o  (HEAD -> vm2)  live       +0 B\n"
		   "|/\n"
		   "x  (deleted)\n");
}

Test(history, two_volumes)
{
	fake_volume("tank", "vm1", GIB);
	fake_volume("tank", "vm2", GIB);
	fake_snap("vm2", "v1", 9, 0, NULL);
	fake_snap("vm1", "v1", 5, 0, NULL);
	expect_log(NULL,
		   "o  (HEAD -> vm1)  live       +0 B\n"
		   "*  vm1@v1         5 min ago  +0 B\n"
		   "\n"
		   "o  (HEAD -> vm2)  live       +0 B\n"
		   "*  vm2@v1         9 min ago  +0 B\n");
}

Test(history, many_forks_stay_narrow)
{
	char name[CPBLK_NAME_MAX + 1], *line;
	uint64_t v1;
	int i;

	fake_volume("tank", "vm0", GIB);
	v1 = fake_snap("vm0", "v1", 9, 0, NULL);
	for (i = 1; i < 2000; i++) {
		snprintf(name, sizeof(name), "vm%d", i);
		fake_fork(v1, name);
	}
	cr_expect_eq(run("log", NULL), 0);
	for (line = strtok(out, "\n"), i = 0; line; line = strtok(NULL, "\n"), i++)
		cr_expect_lt(strlen(line), 60);
	cr_expect_eq(i, 2 * 1999 + 2);
}

Test(history, long_line)
{
	char name[CPBLK_NAME_MAX + 1];
	int i, lines = 0;
	char *c;

	fake_volume("tank", "vm1", GIB);
	for (i = 0; i < 4000; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		fake_snap("vm1", name, 0, 0, NULL);
	}
	cr_expect_eq(run("log", NULL), 0);
	for (c = out; *c; c++)
		lines += *c == '\n';
	cr_expect_eq(lines, 4001);
}

Test(history, nonsense_does_not_loop)
{
	uint64_t v1, v2;

	/* Whatever the driver says: circles, parents that are not there. */
	fake_volume("tank", "vm1", GIB);
	v1 = fake_snap("vm1", "v1", 9, 0, NULL);
	v2 = fake_snap("vm1", "v2", 5, 0, NULL);
	fake_checkpoint(v1)->parent_id = v2;
	fake_checkpoint(v2)->parent_id = v2;
	fake_volume_named("vm1")->parent_id = 99;
	cr_expect_eq(run("log", NULL), 0);
	cr_expect_not_null(strstr(out, "vm1@v1"));
	cr_expect_not_null(strstr(out, "vm1@v2"));
	cr_expect_not_null(strstr(out, "(HEAD -> vm1)"));
}

Test(history, json)
{
	struct json_object *o, *list;
	uint64_t v1;

	fake_volume("tank", "vm1", GIB);
	v1 = fake_snap("vm1", "v1", 9, 0, NULL);
	fake_snap("vm1", "v2", 5, 0, NULL);
	fake_fork(v1, "vm2");
	cr_expect_eq(run("log", "--json", NULL), 0);
	o = json_tokener_parse(out);
	cr_assert(json_object_object_get_ex(o, "checkpoints", &list));
	cr_expect_eq(json_object_array_length(list), 2);
	cr_assert(json_object_object_get_ex(o, "heads", &list));
	cr_expect_eq(json_object_array_length(list), 2);
	json_object_put(o);
	cr_expect_eq(run("log", "--json", "vm2", NULL), 0);
	o = json_tokener_parse(out);
	cr_assert(json_object_object_get_ex(o, "checkpoints", &list));
	cr_expect_eq(json_object_array_length(list), 1);
	cr_assert(json_object_object_get_ex(o, "heads", &list));
	cr_expect_eq(json_object_array_length(list), 1);
	json_object_put(o);
}
