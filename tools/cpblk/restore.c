// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk restore and cpblk undo: give a volume the content of a checkpoint.
 */
#include <errno.h>
#include <string.h>

#include "mounts.h"

static const char about[] =
	"VOLUME@NAME goes back to a checkpoint of the volume itself; with two arguments\n"
	"CHECKPOINT may be one of another volume; @GROUP@NAME takes all volumes of a group\n"
	"back, all or none, at one instant. Nothing is lost: what a disk held is kept as a\n"
	"safety checkpoint, and 'cpblk undo VOLUME' goes back to it. It works under a\n"
	"running VM; a filesystem that this host has mounted must be unmounted first,\n"
	"which --remount does. The first time printed is for how long I/O was held back,\n"
	"the second one until all was durable, both in the kernel.";

static const char undo_about[] =
	"Gives a volume back what it held before its last restore. An undo is a restore\n"
	"too, so undoing it goes forward again.";

struct request {
	bool no_safety;
	bool force;
	bool remount;
	struct number generation;
};

static struct json_object *json_remounted(const struct mounts *mounts)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < mounts->nr; i++)
		json_object_array_add(list, json_object_new_string(
			mnt_fs_get_target(mounts->fs[i])));
	return list;
}

static unsigned int flags_of(const struct request *request)
{
	return (request->no_safety ? CPBLK_RESTORE_NO_SAFETY : 0) |
	       (request->force ? CPBLK_RESTORE_FORCE : 0);
}

static int report_json(const struct cpblk_volume_info *v,
		       const struct cpblk_checkpoint_info *c,
		       const struct cpblk_restored *r, const struct mounts *mounts)
{
	struct json_object *o = json_object_new_object();
	char label[OBJECT_MAX];

	json_put_string(o, "volume", v->name);
	json_put_string(o, "device", v->device);
	json_put_string(o, "checkpoint", checkpoint_label(c, label));
	json_put_number(o, "checkpoint_id", c->id);
	json_put_safety(o, r->safety, r->safety_id);
	json_put_number(o, "size", r->size);
	json_put_number(o, "generation", r->generation);
	json_put_number(o, "freeze_ns", r->freeze_ns);
	json_put_number(o, "total_ns", r->total_ns);
	json_object_object_add(o, "remounted", json_remounted(mounts));
	return json_print(o, false);
}

static int report(const struct tool *tool, const struct cpblk_volume_info *v,
		  const struct cpblk_checkpoint_info *c,
		  const struct cpblk_restored *r, const struct mounts *mounts)
{
	char label[OBJECT_MAX], freeze[TEXT_MAX], total[TEXT_MAX], size[TEXT_MAX];
	size_t i;

	if (tool->json)
		return report_json(v, c, r, mounts);
	printf("%s is %s now  (%s, durable after %s)\n", v->name,
	       checkpoint_label(c, label), show_duration(r->freeze_ns, freeze),
	       show_duration(r->total_ns, total));
	if (r->size != v->size)
		printf("its size is %s now\n", show_size(r->size, size));
	if (r->safety_id)
		printf("what it held is %s@%s: 'cpblk undo %s' goes back\n", v->name,
		       r->safety, v->name);
	for (i = 0; i < mounts->nr; i++)
		printf("mounted again: %s\n",
		       show_text(mnt_fs_get_target(mounts->fs[i])));
	return DONE;
}

/* What is in the way, if it is a filesystem or another user on this host. */
static int explain(const struct cpblk_volume_info *v, const char *label,
		   const struct mounts *mounts, const struct cpblk_error *err)
{
	char use[USE_MAX];
	size_t i;

	for (i = 0; i < mounts->nr && err->code == EBUSY; i++) {
		if (mounted_elsewhere(mounts->fs[i], use))
			return refuse("cannot restore volume %s to %s: %s", v->name,
				      label, use);
	}
	if (err->code == EBUSY && device_use(v->device, use))
		return refuse("cannot restore volume %s to %s: /dev/%s is %s; stop using it, or say --force%s",
			      v->name, label, v->device, use,
			      strncmp(use, "mounted", 7) ? "" : " or --remount");
	return refuse("cannot restore volume %s to %s: %s", v->name, label,
		      err->text);
}

static int restore(struct tool *tool, const char *store,
		   const struct cpblk_volume_info *v,
		   const struct cpblk_checkpoint_info *c,
		   const struct request *request)
{
	struct mounts mounts = { 0 }, none = { 0 };
	struct cpblk_restored result;
	struct cpblk_error err;
	char label[OBJECT_MAX];
	int rc, back = DONE;

	checkpoint_label(c, label);
	if (request->remount && mounts_take_off(v->device, &mounts))
		return FAILED;
	rc = cpblk_restore(tool->link, store, v->name, c->id, flags_of(request),
			   request->generation.given ? &request->generation.value :
						       NULL,
			   &result, &err);
	if (rc)
		rc = explain(v, label, &mounts, &err);
	if (request->remount)
		back = mounts_put_back(&mounts);
	if (rc == DONE)
		rc = report(tool, v, c, &result, back ? &none : &mounts);
	mounts_end(&mounts);
	return rc ? rc : back;
}

/* @GROUP@NAME, or for an undo @GROUP. */
static int restore_all(struct tool *tool, const char *text, bool undo,
		       const struct request *request)
{
	struct cpblk_store_info store;
	struct object o;
	int rc = parse_group(tool, text, &o);

	if (rc)
		return rc;
	if (undo == !!o.name[0])
		return wrong_use(tool, undo ? "'%s' is a checkpoint, and a group is wanted" :
				 "which checkpoint of group '%s'?", text);
	if (request->generation.given || request->remount)
		return wrong_use(tool, "%s is for one volume",
				 request->remount ? "--remount" : "--if-generation");
	if (tool_store(tool, &store))
		return FAILED;
	return restore_group(tool, store.name, o.volume, undo ? NULL : o.name,
			     flags_of(request));
}

int cmd_restore(struct tool *tool, int argc, char **argv)
{
	struct cpblk_checkpoint_info checkpoint;
	struct cpblk_volume_info volume;
	struct cpblk_store_info store;
	struct request request = { 0 };
	struct object o;
	const struct option_row rows[] = {
		{ 'f', "force", NULL, "even if a filesystem is mounted from the disk",
		  OPTION_FLAG, &request.force },
		{ 0, "remount", NULL, "unmount first, and mount again",
		  OPTION_FLAG, &request.remount },
		{ 0, "no-safety", NULL, "do not keep what the disk held",
		  OPTION_FLAG, &request.no_safety },
		{ 'g', "if-generation", "N", "only if the volume's generation is N",
		  OPTION_NUMBER, &request.generation },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 1, 2);

	if (rc >= 0)
		return rc;
	if (argc == 1 && is_group(argv[0]))
		return restore_all(tool, argv[0], false, &request);
	rc = argc > 1 ? parse_volume(tool, argv[0]) : DONE;
	if (rc == DONE)
		rc = parse_object(tool, argv[argc - 1], &o);
	if (rc)
		return rc;
	if (argc == 1 && !o.volume[0])
		return wrong_use(tool, "which volume gets the content of '%s'?",
				 argv[0]);
	if (tool_store(tool, &store))
		return FAILED;
	rc = find_checkpoint(tool, store.name, argv[argc - 1], &checkpoint);
	if (rc == DONE)
		rc = find_volume(tool, store.name, argc > 1 ? argv[0] : o.volume,
				 &volume);
	return rc ? rc : restore(tool, store.name, &volume, &checkpoint, &request);
}

int cmd_undo(struct tool *tool, int argc, char **argv)
{
	struct cpblk_checkpoint_info checkpoint;
	struct cpblk_volume_info volume;
	struct cpblk_store_info store;
	struct request request = { 0 };
	struct cpblk_error err;
	const struct option_row rows[] = {
		{ 'f', "force", NULL, "even if a filesystem is mounted from the disk",
		  OPTION_FLAG, &request.force },
		{ 0, "remount", NULL, "unmount first, and mount again",
		  OPTION_FLAG, &request.remount },
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, undo_about, 1, 1);

	if (rc >= 0)
		return rc;
	if (is_group(argv[0]))
		return restore_all(tool, argv[0], true, &request);
	rc = parse_volume(tool, argv[0]);
	if (rc)
		return rc;
	if (tool_store(tool, &store) ||
	    find_volume(tool, store.name, argv[0], &volume))
		return FAILED;
	if (!volume.undo_id)
		return refuse("volume %s has no restore to undo", argv[0]);
	if (cpblk_checkpoint_get(tool->link, store.name, NULL, NULL, volume.undo_id,
				 &checkpoint, &err) ||
	    (checkpoint.flags & CPBLK_POINT_HIDDEN))
		return refuse("the safety checkpoint of volume %s's last restore is deleted; 'cpblk log %s' shows what there is",
			      argv[0], argv[0]);
	return restore(tool, store.name, &volume, &checkpoint, &request);
}
