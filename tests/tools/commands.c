// SPDX-License-Identifier: GPL-2.0
/* The commands: what they ask the driver for, what they print, how they end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "fake.h"

#define GIB (1ULL << 30)

#define asked(text)	cr_expect_str_eq(fake_asked, text)
#define says(text, part) \
	cr_expect_not_null(strstr(text, part), "'%s' is not in '%s'", part, text)

static uint64_t v1, v2;

static void setup(void)
{
	fake_reset();
	fake_volume("tank", "vm1", 10 * GIB);
	v1 = fake_snap("vm1", "v1", 90, GIB, "first");
	v2 = fake_snap("vm1", "v2", 5, 3 << 20, "second");
}

static struct json_object *parsed;

/* What was printed, as JSON; until the next call. */
static struct json_object *json(const char *text)
{
	json_object_put(parsed);
	parsed = json_tokener_parse(text);
	cr_assert_not_null(parsed, "this is not JSON: %s", text);
	return parsed;
}

static void teardown(void)
{
	json_object_put(parsed);
	fake_end();
}

static const char *field(struct json_object *o, const char *key)
{
	struct json_object *value;

	cr_assert(json_object_object_get_ex(o, key, &value), "no %s", key);
	return json_object_get_string(value);
}

TestSuite(commands, .init = setup, .fini = teardown);

Test(commands, wrong_usage)
{
	cr_expect_eq(run("nonsense", NULL), 2);
	says(err, "there is no command 'nonsense'");
	cr_expect_eq(run("--nonsense", NULL), 2);
	says(err, "there is no option '--nonsense'");
	cr_expect_eq(run("-s", NULL), 2);
	cr_expect_eq(run("snap", NULL), 2);
	says(err, "usage: cpblk snap");
	cr_expect_eq(run("snap", "--nonsense", "vm1", NULL), 2);
	says(err, "no option '--nonsense'");
	cr_expect_eq(run("snap", "-x", "vm1", NULL), 2);
	says(err, "no option '-x'");
	cr_expect_eq(run("snap", "vm1", "--name", NULL), 2);
	says(err, "'--name' needs an argument");
	cr_expect_eq(run("undo", "vm1", "vm2", NULL), 2);
	says(err, "'vm2' is one argument too many");
	cr_expect_eq(run("create", "vm2", "large", NULL), 2);
	says(err, "'large' is not a size");
	cr_expect_eq(run("create", "v m", "1G", NULL), 2);
	says(err, "'v m' is not a name for a volume");
	cr_expect_eq(run("restore", "-g", "x", "vm1@v1", NULL), 2);
	says(err, "'x' is not a number");
	asked("");
}

Test(commands, help)
{
	static const char *const names[] = {
		"format", "open", "close", "status", "check", "sync", "events", "hook", "df", "grow", "set",
		"create",
		"remove", "resize", "ls", "snap", "log", "restore", "undo", "fork",
		"rm", "hold", "release", "policy", "prune", "attach", "detach", "group",
	};
	size_t i;

	cr_expect_eq(run("--help", NULL), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cr_expect_eq(run("--help", NULL), 0);
		says(out, names[i]);
		cr_expect_eq(run(names[i], "--help", NULL), 0);
		says(out, "usage: cpblk");
		says(out, names[i]);
		says(out, "--help");
		cr_expect_str_empty(err);
	}
}

Test(commands, hook)
{
	cr_expect_eq(run("hook", "exec", "vm1", NULL), 2);
	says(err, "which program?");
	cr_expect_eq(run("hook", "both", "vm1", "true", NULL), 2);
	says(err, "'both' is neither qemu nor exec");
	cr_expect_eq(run("hook", "qemu", "vm1", NULL), 2);
	says(err, "--qmp names its socket");
	cr_expect_eq(run("hook", "qemu", "--qmp", "s", NULL), 2);
	says(err, "which volumes?");
	cr_expect_eq(run("hook", "qemu", "--qmp", "s", "--then", "go", "vm1", NULL), 2);
	says(err, "'go' is none of reset, resume and stay");
	cr_expect_eq(run("hook", "exec", "--qmp", "s", "vm1", "true", NULL), 2);
	says(err, "an option that 'exec' does not have");
	cr_expect_eq(run("hook", "exec", "--on", "boot", "vm1", "true", NULL), 2);
	says(err, "'boot' is none of checkpoint");
	cr_expect_eq(run("hook", "exec", "--timeout", "0", "vm1", "true", NULL), 2);
	says(err, "1 to 600 seconds");
	asked("");
}

Test(commands, no_driver)
{
	fake_no_driver();
	cr_expect_eq(run("ls", NULL), 1);
	says(err, "no store is open");
	says(err, "cpblk open");
}

Test(commands, several_stores)
{
	fake_store("pool");
	fake_volume("pool", "db", GIB);
	cr_expect_eq(run("snap", "vm1", NULL), 1);
	says(err, "several stores are open (tank, pool): say which one with -s STORE");
	cr_expect_eq(run("-s", "tank", "snap", "vm1", NULL), 0);
	asked("snap tank 1 vm1 - - 0");
	cr_expect_eq(run("snap", "db", "-s", "pool", NULL), 0);
	asked("snap pool 1 db - - 0");
	cr_expect_eq(run("--store", "nope", "snap", "vm1", NULL), 1);
	says(err, "no store 'nope' is open; open are: tank, pool");
	cr_expect_eq(run("ls", NULL), 0);
	says(out, "vm1");
	says(out, "db");
	cr_expect_eq(run("ls", "-s", "pool", NULL), 0);
	cr_expect_null(strstr(out, "vm1"));
}

Test(commands, create)
{
	cr_expect_eq(run("create", "vm2", "64T", "--no-scan", NULL), 0);
	asked("create tank vm2 70368744177664 2");
	says(out, "volume vm2: 64 TiB, /dev/cpblk1");
	fake_refuse(EEXIST, "there is a volume 'vm1' already");
	cr_expect_eq(run("create", "vm1", "1G", NULL), 1);
	cr_expect_str_eq(err, "cpblk: cannot create volume vm1 in store tank: there is a volume 'vm1' already\n");
}

Test(commands, resize)
{
	cr_expect_eq(run("resize", "vm1", "20G", NULL), 0);
	asked("resize tank vm1 21474836480");
	cr_expect_eq(run("resize", "vm1", "+1G", NULL), 0);
	asked("resize tank vm1 11811160064");
	fake_asked[0] = '\0';
	cr_expect_eq(run("resize", "vm1", "4G", NULL), 1);
	says(err, "cuts off the last 6 GiB");
	asked("");
	cr_expect_eq(run("resize", "--shrink", "vm1", "4G", NULL), 0);
	asked("resize tank vm1 4294967296");
	cr_expect_eq(run("resize", "vm1", "+15E", NULL), 0);
	cr_expect_eq(run("resize", "vm1", "+15.9999999999999E", NULL), 1);
	cr_expect_eq(run("resize", "nope", "1G", NULL), 1);
	says(err, "there is no volume 'nope' in store tank");
}

Test(commands, remove)
{
	fake_volume("tank", "vm2", GIB);
	cr_expect_eq(run("remove", "-k", "vm1", "vm2", NULL), 0);
	asked("remove tank vm2 1");
	says(out, "volume vm1 is removed\nvolume vm2 is removed\n");
	cr_expect_eq(run("remove", "vm1@v1", NULL), 2);
	says(err, "'vm1@v1' is a checkpoint, and a volume is wanted");
}

Test(commands, groups)
{
	char text[64];

	fake_volume("tank", "g1", GIB);
	fake_volume("tank", "g2", GIB);
	cr_expect_eq(run("group", "@web", "g2", "g1", NULL), 0);
	asked("group tank g2 g1 web");
	cr_expect_eq(run("group", "@web", NULL), 0);
	says(out, "tank   web    g1");
	cr_expect_eq(run("group", "--json", NULL), 0);
	says(out, "\"group\": \"web\"");
	cr_expect_eq(run("snap", "@web@b", "vm1", "g1", NULL), 0);
	asked("snap tank 3 g1 b - 0");
	cr_expect_eq(run("snap", "@db", NULL), 1);
	says(err, "no volume of store tank belongs to group 'db'");
	cr_expect_eq(run("snap", "@", NULL), 2);
	cr_expect_eq(run("restore", "@web@nope", NULL), 1);
	says(err, "volume g1 is not restored, nor are the others");
	fake_snap("g2", "c", 2, 0, NULL);
	snprintf(text, sizeof(text), "restore tank g1 g2 %d 1",
		 (int)fake_snap("g1", "c", 2, 0, NULL));
	cr_expect_eq(run("undo", "@web", NULL), 1);
	says(err, "volume g1 has no restore to undo");
	cr_expect_eq(run("restore", "--no-safety", "@web@c", NULL), 0);
	asked(text);
	says(out, "g2 is g2@c now");
	cr_expect_eq(run("undo", "@web", NULL), 0);
	says(out, "'cpblk undo @web' goes back");
	cr_expect_eq(run("restore", "@web", NULL), 2);
	cr_expect_eq(run("undo", "@web@c", NULL), 2);
	cr_expect_eq(run("restore", "-g", "1", "@web@c", NULL), 2);
	cr_expect_eq(run("group", "--clear", "g1", "g2", NULL), 0);
	asked("group tank g1 g2 -");
	cr_expect_eq(run("group", "web", NULL), 2);
	cr_expect_eq(run("fork", "g1@c", "h1", "h2", "h3", NULL), 0);
	says(out, "volume h3: ");
}

Test(commands, snap)
{
	cr_expect_eq(run("snap", "vm1@before", "-m", "say so", "--auto", NULL), 0);
	asked("snap tank 1 vm1 before say so 1");
	cr_expect_str_eq(out, "vm1@before  (durable after 1.3 ms)\n");
	fake_volume("tank", "vm2", GIB);
	cr_expect_eq(run("snap", "vm1@x", "vm2", NULL), 0);
	asked("snap tank 2 vm1 x - 0");
	says(out, "vm1@x vm2@x  (");
	cr_expect_eq(run("snap", "vm1@x", "vm2@y", NULL), 2);
	says(err, "all checkpoints get the same name");
	cr_expect_eq(run("snap", "vm1@x", "-n", "y", NULL), 2);
	cr_expect_eq(run("snap", "vm1@HEAD", NULL), 2);
	says(err, "'HEAD' is not a name for a checkpoint");
	cr_expect_eq(run("snap", "--json", "vm1", NULL), 0);
	cr_expect_str_eq(field(json(out), "total_ns"), "1300000");
}

Test(commands, names_of_checkpoints)
{
	uint64_t old = fake_restore("vm1", v1, 2);
	char text[64];

	fake_snap("vm1", "v3", 1, 0, NULL);
	/* v1 <- v2 <- r1, v1 <- v3 <- head */
	cr_expect_eq(run("fork", "vm1@v2", "a", NULL), 0);
	snprintf(text, sizeof(text), "fork tank %d a 0", (int)v2);
	asked(text);
	cr_expect_eq(run("fork", "vm1@HEAD", "b", NULL), 0);
	cr_expect_eq(fake_volume_named("b")->parent_id, old + 1);
	cr_expect_eq(run("fork", "vm1@HEAD~", "c", NULL), 0);
	cr_expect_eq(fake_volume_named("c")->parent_id, v1);
	cr_expect_eq(run("fork", "vm1@r1~2", "d", NULL), 0);
	cr_expect_eq(fake_volume_named("d")->parent_id, v1);
	snprintf(text, sizeof(text), ":%d", (int)v2);
	cr_expect_eq(run("fork", text, "e", NULL), 0);
	cr_expect_eq(fake_volume_named("e")->parent_id, v2);

	cr_expect_eq(run("fork", "vm1@HEAD~2", "f", NULL), 1);
	says(err, "goes back beyond the first checkpoint");
	cr_expect_eq(run("fork", "vm1@v9", "f", NULL), 1);
	says(err, "volume vm1 has no checkpoint 'v9'; 'cpblk ls vm1' lists all");
	cr_expect_eq(run("fork", "vm9@v1", "f", NULL), 1);
	says(err, "there is no volume 'vm9'");
	cr_expect_eq(run("fork", ":99", "f", NULL), 1);
	says(err, "no checkpoint with the number 99");
	cr_expect_eq(run("fork", "vm1", "f", NULL), 2);
	says(err, "'vm1' is a live disk");
	cr_expect_eq(run("fork", "vm1~2", "f", NULL), 2);
	says(err, "write vm1@HEAD~2");
	cr_expect_eq(run("fork", "vm1@v1~x", "f", NULL), 2);
	cr_expect_eq(run("fork", ":", "f", NULL), 2);
	cr_expect_eq(run("fork", ":0", "f", NULL), 2);
	cr_expect_eq(run("fork", "@v1", "f", NULL), 2);
	cr_expect_eq(run("fork", "vm1@", "f", NULL), 2);
	cr_expect_eq(run("fork", "vm1@a@b", "f", NULL), 2);

	fake_volume("tank", "fresh", GIB);
	cr_expect_eq(run("fork", "fresh@HEAD", "f", NULL), 1);
	says(err, "'cpblk snap fresh' takes one");
}

Test(commands, hidden_ones_are_passed_over)
{
	uint64_t v3 = fake_snap("vm1", "v3", 1, 0, NULL);

	fake_fork(v2, "a");
	fake_hide(v2);
	cr_expect_eq(run("fork", "vm1@HEAD~1", "b", NULL), 0);
	cr_expect_eq(fake_volume_named("b")->parent_id, v1);
	cr_expect_eq(run("fork", "a@HEAD", "c", NULL), 0);
	cr_expect_eq(fake_volume_named("c")->parent_id, v1);
	fake_hide(v1);
	cr_expect_eq(run("fork", "vm1@HEAD~1", "d", NULL), 1);
	cr_expect_eq(run("fork", "vm1@HEAD", "d", NULL), 0);
	cr_expect_eq(fake_volume_named("d")->parent_id, v3);
}

Test(commands, restore)
{
	char text[64];

	cr_expect_eq(run("restore", "vm1@v1", NULL), 0);
	snprintf(text, sizeof(text), "restore tank vm1 %d 0 -1", (int)v1);
	asked(text);
	cr_expect_str_eq(out, "vm1 is vm1@v1 now  (250 us, durable after 2.0 ms)\n"
			 "what it held is vm1@r1: 'cpblk undo vm1' goes back\n");
	cr_expect_eq(run("restore", "vm1@HEAD", "--no-safety", "--force", "-g", "7",
			 NULL), 0);
	snprintf(text, sizeof(text), "restore tank vm1 %d 3 7", (int)v1);
	asked(text);
	cr_expect_null(strstr(out, "undo"));

	fake_volume("tank", "vm2", GIB);
	cr_expect_eq(run("restore", "vm2", "vm1@v2", NULL), 0);
	snprintf(text, sizeof(text), "restore tank vm2 %d 0 -1", (int)v2);
	asked(text);
	says(out, "vm2 is vm1@v2 now");
	says(out, "its size is 10 GiB now");
	cr_expect_eq(run("restore", "vm1", NULL), 2);
	cr_expect_eq(run("restore", ":3", NULL), 2);
	says(err, "which volume gets the content of ':3'?");
	fake_refuse(ESTALE, "its generation is 3 by now");
	cr_expect_eq(run("restore", "vm1@v1", "-g", "2", NULL), 1);
	says(err, "cannot restore volume vm1 to vm1@v1: its generation is 3 by now");
}

Test(commands, undo)
{
	char text[64];
	uint64_t id;

	cr_expect_eq(run("undo", "vm1", NULL), 1);
	says(err, "volume vm1 has no restore to undo");
	id = fake_restore("vm1", v1, 3);
	cr_expect_eq(run("undo", "vm1", NULL), 0);
	snprintf(text, sizeof(text), "restore tank vm1 %d 0 -1", (int)id);
	asked(text);
	/* And undoing that goes forward again. */
	id = fake_volume_named("vm1")->undo_id;
	cr_expect_eq(run("undo", "vm1", NULL), 0);
	snprintf(text, sizeof(text), "restore tank vm1 %d 0 -1", (int)id);
	asked(text);
	fake_hide(fake_volume_named("vm1")->undo_id);
	cr_expect_eq(run("undo", "vm1", NULL), 1);
	says(err, "is deleted");
}

Test(commands, rm)
{
	char text[64];

	cr_expect_eq(run("rm", "vm1@HEAD", "vm1@HEAD~1", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d %d", (int)v2, (int)v1);
	asked(text);
	cr_expect_str_eq(out, "vm1@v2 is deleted\nvm1@v1 is deleted\n");
	fake_asked[0] = '\0';
	/* All or none: a name that makes no sense deletes nothing. */
	cr_expect_eq(run("rm", "vm1@v1", "vm1@v9", NULL), 1);
	cr_expect_eq(run("rm", "vm1@v9", "vm1@v1", NULL), 1);
	cr_expect_eq(run("rm", "vm1@v1~5", "vm1@v1", NULL), 1);
	cr_expect_eq(run("rm", "vm1@v1", "vm1@v1~5", NULL), 1);
	cr_expect_eq(run("rm", "vm1", NULL), 2);
	asked("");
	fake_refuse(EBUSY, "checkpoint 'v1' is attached: detach it first");
	cr_expect_eq(run("rm", "vm1@v1", NULL), 1);
	says(err, "cannot delete vm1@v1: checkpoint 'v1' is attached");
}

Test(commands, rm_sets)
{
	uint64_t v3 = fake_snap("vm1", "v3", 4, 0, NULL);
	uint64_t v4 = fake_snap("vm1", "v4", 3, 0, NULL), odd;
	struct json_object *list;
	char text[64];

	fake_volume("tank", "vm2", GIB);
	odd = fake_snap("vm2", "v1..v2", 2, 0, NULL);
	cr_expect_eq(run("rm", "vm1@v1..v3", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d %d %d", (int)v1, (int)v2, (int)v3);
	asked(text);
	cr_expect_str_eq(out, "vm1@v1 is deleted\nvm1@v2 is deleted\nvm1@v3 is deleted\n");
	/* An open end, one named twice, a name with dots in it. */
	cr_expect_eq(run("rm", "vm1@v3..", "vm1@v4", "vm2@v1..v2", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d %d %d", (int)v3, (int)v4, (int)odd);
	asked(text);
	cr_expect_eq(run("rm", "vm1@..HEAD~2", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d %d", (int)v1, (int)v2);
	asked(text);
	cr_expect_eq(run("rm", "--all-but-last", "1", "vm1", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d %d %d", (int)v1, (int)v2, (int)v3);
	asked(text);
	fake_checkpoint(v2)->pins = 1;
	fake_hide(v1);
	cr_expect_eq(run("rm", "--all-but-last", "1", "vm1", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d", (int)v3);
	asked(text);
	says(out, "vm1@v2 stays: it is attached\n");
	fake_asked[0] = '\0';
	cr_expect_eq(run("rm", "--all-but-last", "4", "vm1", NULL), 0);
	asked("");
	cr_expect_eq(run("rm", "vm1@v4..v2", NULL), 1);
	says(err, "the first one was taken after the last one");
	cr_expect_eq(run("rm", "vm1@v2..v9", NULL), 1);
	cr_expect_eq(run("rm", "vm9@v2..", NULL), 1);
	cr_expect_eq(run("rm", "vm1@v4", "vm2", NULL), 2);
	asked("");
	cr_expect_eq(run("rm", "--volumes", "vm2", "vm1@v3", "--wait", "--json", NULL), 0);
	asked("sync tank 1");
	cr_assert(json_object_object_get_ex(json(out), "volumes", &list));
	cr_expect_str_eq(json_object_get_string(list), "[ \"vm2\" ]");
	fake_reclaiming(3);
	cr_expect_eq(run("status", NULL), 0);
	says(out, "reclaim   3 MiB left, 1 MiB done, about 1.5 s\n");
	cr_expect_eq(run("rm", "vm1@v3", "--wait", NULL), 0);
	asked("sync tank 1");
	cr_expect_eq(run("status", NULL), 0);
	cr_expect(!strstr(out, "reclaim   "), "it has not waited: %s", out);
}

Test(commands, rm_dry_run)
{
	cr_expect_eq(run("rm", "--dry-run", "vm1@v1", "vm1@v2", NULL), 0);
	asked("");
	cr_expect_str_eq(out, "vm1@v1 would be deleted\nvm1@v2 would be deleted\n"
			 "1 GiB would become free\n");
	/* A volume goes with all it has. */
	cr_expect_eq(run("rm", "-n", "--volumes", "vm1", "vm1@v1", "--json", NULL), 0);
	cr_expect_str_eq(field(json(out), "would_free"), "2150629376");
	cr_expect_eq(run("rm", "-n", "vm1@v9", NULL), 1);
	asked("");
}

Test(commands, df)
{
	cr_expect_eq(run("df", NULL), 0);
	says(out, "STORE  DEVICE       SIZE   USED  DELETED");
	says(out, "tank   data        4 GiB  1 GiB      0 B");
	says(out, "25 %");
	cr_expect_eq(run("df", "--json", "tank", NULL), 0);
	says(out, "\"available\": 3221225472");
	says(out, "\"low\": false");
	cr_expect_eq(run("df", "other", NULL), 1);
	says(err, "no store 'other' is open");
}

Test(commands, grow)
{
	cr_expect_eq(run("grow", NULL), 0);
	asked("grow tank");
	cr_expect_str_eq(out, "data: 8 GiB, was 4 GiB\nmetadata: 256 MiB, as before\n");
	cr_expect_eq(run("grow", "--json", NULL), 0);
	says(out, "\"data_size_before\": 4294967296");
	fake_refuse(ENODEV, "the data device has become smaller");
	cr_expect_eq(run("grow", NULL), 1);
	says(err, "cannot grow store tank: the data device has become smaller");
}

Test(commands, set)
{
	cr_expect_eq(run("set", NULL), 0);
	says(out, "warn-data        80 %   80 %     0 to 100");
	says(out, "flush-interval   16 s   5 s      0 to 3600");
	says(out, "on or off");
	cr_expect(!strstr(out, "(null)"), "reserved numbers are not shown");
	cr_expect_eq(run("set", "--help", NULL), 0);
	says(out, "flush-interval");
	cr_expect_eq(run("set", "warn-data=90%", "auto-delete=95", "warn-meta=default",
			 NULL), 0);
	asked("set tank 1=90 3=95 2=4294967295");
	cr_expect_eq(run("set", "--json", "flush-interval=3600s", NULL), 0);
	asked("set tank 7=3600");
	says(out, "\"option\": \"flush-interval\"");
	cr_expect_eq(run("set", "discard=off", "zero-detect=on", NULL), 0);
	asked("set tank 5=0 8=1");
	fake_refuse(EROFS, "store 'tank' is read-only");
	cr_expect_eq(run("set", "warn-meta=0", NULL), 1);
	says(err, "cannot set options of store tank: store 'tank' is read-only");
}

Test(commands, set_wrong)
{
	cr_expect_eq(run("set", "warn-data", NULL), 2);
	says(err, "'warn-data' sets nothing: it takes NAME=VALUE");
	cr_expect_eq(run("set", "warn=1", NULL), 2);
	says(err, "there is no option 'warn'");
	cr_expect_eq(run("set", "warn-data=101", NULL), 2);
	says(err, "warn-data can be 0 to 100 %, or default, and not '101'");
	cr_expect_eq(run("set", "warn-data=5s", NULL), 2);
	cr_expect_eq(run("set", "flush-interval=", NULL), 2);
	cr_expect_eq(run("set", "discard=1", NULL), 2);
	says(err, "discard can be on or off, or default, and not '1'");
	cr_expect_eq(run("set", "warn-data=1", "warn-data=2", NULL), 2);
	says(err, "warn-data is named twice");
	asked("");
}

Test(commands, policy)
{
	cr_expect_eq(run("policy", "vm1", NULL), 0);
	cr_expect_str_eq(out, "vm1: no policy\n");
	cr_expect_eq(run("policy", "vm1", "--keep-last", "3", "--max-age", "90min", NULL), 0);
	asked("policy tank vm1 3 0 0 0 0 5400");
	cr_expect_str_eq(out, "vm1: --keep-last 3 --max-age 90min\n");
	cr_expect_eq(run("policy", "vm1", "--daily", "7", "--keep-last", "0", NULL), 0);
	asked("policy tank vm1 0 0 7 0 0 5400");
	cr_expect_eq(run("policy", "vm1", "--clear", "--hourly", "24", "--weekly", "4",
			 "--monthly", "12", NULL), 0);
	asked("policy tank vm1 0 24 0 4 12 0");
	cr_expect_eq(run("policy", "vm1", "--max-age", "2w", NULL), 0);
	says(out, "--max-age 14d\n");
	cr_expect_eq(run("policy", "vm1", "--json", NULL), 0);
	cr_expect_str_eq(field(json(out), "max_age"), "1209600");
	cr_expect_eq(run("policy", "vm1", "--clear", NULL), 0);
	asked("policy tank vm1 0 0 0 0 0 0");
	cr_expect_eq(run("policy", "vm1", "--max-age", "soon", NULL), 2);
	says(err, "'soon' is not a time");
	cr_expect_eq(run("policy", "vm1", "--max-age", "d", NULL), 2);
	cr_expect_eq(run("policy", "vm1", "--max-age", "99999999999999999999y", NULL), 2);
	cr_expect_eq(run("policy", "vm1", "--max-age", "999999999999999999y", NULL), 2);
	cr_expect_eq(run("policy", "vm1", "--hourly", "4294967296", NULL), 2);
	cr_expect_eq(run("policy", "nope", NULL), 1);
	cr_expect_eq(run("policy", "vm1@v1", NULL), 2);
}

Test(commands, prune)
{
	char text[64];

	cr_expect_eq(run("prune", NULL), 0);
	cr_expect_str_empty(out);
	cr_expect_eq(run("prune", "vm1", NULL), 1);
	says(err, "volume vm1 has no policy; 'cpblk policy vm1' sets one");
	fake_volume_named("vm1")->policy.last = 1;
	cr_expect_eq(run("prune", "--dry-run", NULL), 0);
	asked("");
	cr_expect_str_eq(out, "vm1@v1  delete  no rule keeps it\n"
			 "vm1@v2  keep    number 1 of the last 1\n"
			 "vm1: 1 would be deleted, 1 kept\n1 GiB would become free\n");
	cr_expect_eq(run("prune", "vm1", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d", (int)v1);
	asked(text);
	says(out, "vm1: 1 deleted, 1 kept\n");
	cr_expect_eq(run("prune", "--json", NULL), 0);
	cr_expect_str_eq(field(json_object_array_get_idx(json(out), 0), "decision"),
			 "delete");
	fake_asked[0] = '\0';
	cr_expect_eq(run("prune", "vm1", "nope", NULL), 1);
	asked("");
	fake_checkpoint(v1)->flags |= CPBLK_POINT_HELD;
	cr_expect_eq(run("prune", NULL), 0);
	asked("");
	says(out, "vm1@v1  keep  held\n");
	fake_checkpoint(v1)->flags = 0;
	fake_checkpoint(v1)->pins = 1;
	cr_expect_eq(run("snap", "vm1@v3", "--prune", NULL), 0);
	snprintf(text, sizeof(text), "delete tank %d", (int)v2);
	asked(text);
	says(out, "vm1@v3  (durable after 1.3 ms)\nvm1@v2  delete  no rule keeps it\n");
	cr_expect_null(strstr(out, "vm1@v1"));
	cr_expect_eq(run("snap", "vm1@v4", "--prune", "--json", NULL), 0);
	json(out);
	fake_volume_named("vm1")->policy.last = 0;
	cr_expect_eq(run("snap", "vm1@v5", "--prune", NULL), 0);
	asked("snap tank 1 vm1 v5 - 0");
}

Test(commands, hold)
{
	char text[64];

	cr_expect_eq(run("hold", "vm1@v1", "-m", "the last good one", NULL), 0);
	snprintf(text, sizeof(text), "hold tank %d the last good one", (int)v1);
	asked(text);
	cr_expect_str_eq(out, "vm1@v1 is held\n");
	cr_expect_eq(run("ls", "vm1", NULL), 0);
	says(out, "(held: the last good one) first\n");
	cr_expect_eq(run("log", NULL), 0);
	says(out, "(held: the last good one) first\n");
	cr_expect_eq(run("ls", "--json", "vm1", NULL), 0);
	cr_expect_str_eq(field(json_object_array_get_idx(json(out), 0), "hold"),
			 "the last good one");
	cr_expect_eq(run("rm", "--all-but-last", "0", "vm1", NULL), 0);
	says(out, "vm1@v1 stays: it is held: the last good one\n");
	cr_expect_eq(run("release", "vm1@v1", NULL), 0);
	snprintf(text, sizeof(text), "release tank %d", (int)v1);
	asked(text);
	cr_expect_eq(run("hold", "vm1@v2", NULL), 0);
	cr_expect_eq(run("ls", "vm1", NULL), 0);
	says(out, "(held) second\n");
	fake_refuse(EROFS, "store 'tank' was opened read-only");
	cr_expect_eq(run("release", "vm1@v2", NULL), 1);
	says(err, "cannot release vm1@v2: store 'tank' was opened read-only");
	cr_expect_eq(run("hold", "vm1", NULL), 2);
}

Test(commands, attach)
{
	cr_expect_eq(run("attach", "vm1@v1", NULL), 0);
	cr_expect_str_eq(out, "vm1@v1: /dev/cpblk99\n");
	cr_expect_eq(run("detach", "vm1@v1", NULL), 0);
	cr_expect_str_eq(out, "vm1@v1 is detached\n");
	cr_expect_eq(run("detach", "vm1@v1", "vm1@v9", NULL), 1);
}

Test(commands, ls)
{
	struct json_object *list;

	cr_expect_eq(run("ls", NULL), 0);
	cr_expect_str_eq(out,
			 "STORE  VOLUME    SIZE  DATA  NEW  DEVICE  USE\n"
			 "tank   vm1     10 GiB   0 B  0 B  cpblk0\n");
	/* One is known, the other has to be asked for. */
	fake_checkpoint(v2)->unique = CPBLK_UNKNOWN;
	cr_expect_eq(run("ls", "vm1", NULL), 0);
	cr_expect_str_eq(out,
			 "CHECKPOINT  TAKEN        SIZE   DATA    NEW   ONLY  DEVICE  MESSAGE\n"
			 "vm1@v1      1 h ago    10 GiB  1 GiB  1 GiB    0 B          first\n"
			 "vm1@v2      5 min ago  10 GiB  1 GiB  3 MiB  3 MiB          second\n");
	cr_expect_eq(run("ls", "--json", NULL), 0);
	list = json(out);
	cr_expect_eq(json_object_array_length(list), 1);
	cr_expect_str_eq(field(json_object_array_get_idx(list, 0), "volume"), "vm1");
	cr_expect_eq(run("ls", "--json", "vm1", NULL), 0);
	list = json(out);
	cr_expect_eq(json_object_array_length(list), 2);
	cr_expect_str_eq(field(json_object_array_get_idx(list, 1), "message"),
			 "second");
	cr_expect_eq(run("ls", "nope", NULL), 1);
	says(err, "there is no volume 'nope'");
	cr_expect_str_empty(out);
	fake_volume("tank", "fresh", GIB);
	cr_expect_eq(run("ls", "fresh", NULL), 0);
	cr_expect_str_empty(out);
	cr_expect_eq(run("ls", "fresh", "--json", NULL), 0);
	cr_expect_eq(json_object_array_length(json(out)), 0);
}

Test(commands, status)
{
	struct json_object *list;

	cr_expect_eq(run("status", NULL), 0);
	says(out, "store tank");
	says(out, "1 GiB of 4 GiB used (25 %), /dev/vdb");
	says(out, "volume    vm1: /dev/cpblk0, 10 GiB");
	cr_expect_eq(run("status", "--json", "tank", NULL), 0);
	list = json(out);
	cr_expect_str_eq(field(json_object_array_get_idx(list, 0), "data_used"),
			 "1073741824");
	cr_expect_eq(run("status", "nope", NULL), 1);
	says(err, "no store 'nope' is open; open are: tank");
}

Test(commands, close_and_sync)
{
	cr_expect_eq(run("sync", "--reclaim", NULL), 0);
	asked("sync tank 1");
	cr_expect_eq(run("close", NULL), 0);
	asked("close tank");
	cr_expect_str_eq(out, "store tank is closed\n");
	fake_volume_named("vm1")->open_count = 1;
	fake_refuse(EBUSY, "a device is in use");
	cr_expect_eq(run("close", "tank", NULL), 1);
	says(err, "cannot close store tank: a device is in use");
	says(err, "volume vm1 (/dev/cpblk0) is open in a program");
}

Test(commands, events)
{
	char *line;
	int lines = 0;

	cr_expect_eq(run("events", NULL), 1);
	says(out, "  tank  store-opened\n");
	says(out, "  tank  store-failed  the disk is on fire\n");
	says(out, "  tank  snapped  vm1@v7  vm2@v7\n");
	says(out, "  tank  restored  vm1  from v3  cpblk0  kept as vm1@r1  generation 1\n");
	says(out, "  tank  attached  vm1@v3  cpblk0\n");
	says(out, "  tank  reclaim  1 MiB done, 3 MiB left, about 1.5 s\n");
	cr_expect_eq(run("events", "--json", NULL), 1);
	for (line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
		json(line);
		lines++;
	}
	/* And one of another kind, behind those of hooks. */
	cr_expect_eq(lines, CPBLK_EVENT_GROWN - CPBLK_EVENT_STORE_OPENED + 2);
	cr_expect_eq(run("-s", "other", "events", NULL), 1);
	cr_expect_str_empty(out);
}

Test(commands, a_full_disk_is_noticed)
{
	FILE *full = fopen("/dev/full", "w"), *real = stdout;
	char *argv[] = { "cpblk", "ls" };
	int rc;

	cr_assert_not_null(full);
	stdout = full;
	rc = tool_main(2, argv);
	stdout = real;
	fclose(full);
	cr_expect_eq(rc, 1);
}
