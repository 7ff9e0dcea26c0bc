// SPDX-License-Identifier: GPL-2.0
/*
 * How volumes and checkpoints are written on the command line, and which ones
 * are meant.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

bool name_is_valid(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	return len && len <= CPBLK_NAME_MAX && strspn(name, allowed) == len &&
	       name[0] != '.' && name[0] != '-' && strcmp(name, "HEAD");
}

int bad_name(const struct tool *tool, const char *what, const char *name)
{
	return wrong_use(tool,
			 "'%.80s' is not a name for a %s: 1 to %d of A-Z a-z 0-9 . _ -, first a letter, digit or _",
			 name, what, CPBLK_NAME_MAX);
}

int parse_volume(const struct tool *tool, const char *text)
{
	if (strchr(text, '@'))
		return wrong_use(tool, "'%s' is a checkpoint, and a volume is wanted",
				 text);
	if (!name_is_valid(text))
		return bad_name(tool, "volume", text);
	return DONE;
}

/* Copies up to @end; what is too long becomes invalid. */
static void copy_name(char name[CPBLK_NAME_MAX + 1], const char *from,
		      const char *end)
{
	size_t len = (size_t)(end - from);

	if (len > CPBLK_NAME_MAX)
		len = 0;
	memcpy(name, from, len);
	name[len] = '\0';
}

int parse_object(const struct tool *tool, const char *text, struct object *o)
{
	const char *at = strchr(text, '@'), *tilde = strchr(text, '~');
	const char *end = text + strlen(text);
	uint64_t back = 1;

	memset(o, 0, sizeof(*o));
	if (tilde) {
		if (tilde[1] && (!parse_number(tilde + 1, &back) || back > UINT32_MAX))
			return wrong_use(tool, "'%s': after ~ comes a number", text);
		o->back = (unsigned int)back;
		end = tilde;
	}
	if (text[0] == ':') {
		char number[24] = "";

		if (end - text < (int)sizeof(number))
			memcpy(number, text + 1, (size_t)(end - text - 1));
		if (!parse_number(number, &o->id) || !o->id)
			return wrong_use(tool, "'%s': after : comes the number of a checkpoint",
					 text);
		return DONE;
	}
	copy_name(o->volume, text, at && at < end ? at : end);
	if (!name_is_valid(o->volume))
		return bad_name(tool, "volume", o->volume[0] ? o->volume : text);
	if (!at) {
		if (tilde)
			return wrong_use(tool, "'%s': write %s@HEAD%s", text,
					 o->volume, tilde);
		return DONE;
	}
	copy_name(o->name, at + 1, at < end ? end : at + 1);
	if (strcmp(o->name, "HEAD") && !name_is_valid(o->name))
		return bad_name(tool, "checkpoint", o->name[0] ? o->name : text);
	return DONE;
}

int find_volume(struct tool *tool, const char *store, const char *name,
		struct cpblk_volume_info *info)
{
	struct cpblk_error err;

	if (!cpblk_volume_get(tool->link, store, name, info, &err))
		return DONE;
	if (err.code == ENOENT)
		return refuse("there is no volume '%s' in store %s; 'cpblk ls' lists all",
			      name, store);
	return refuse("cannot look up volume %s: %s", name, err.text);
}

void find_unique(struct tool *tool, const char *store, uint64_t id, uint64_t *bytes)
{
	/* Who may not ask, or asks for what is gone by now, gets no answer. */
	if (*bytes == CPBLK_UNKNOWN &&
	    cpblk_cost(tool->link, store, &id, 1, bytes, NULL))
		*bytes = CPBLK_UNKNOWN;
}

const char *checkpoint_label(const struct cpblk_checkpoint_info *c,
			     char label[OBJECT_MAX])
{
	if (c->volume[0] && c->name[0])
		snprintf(label, OBJECT_MAX, "%s@%s", c->volume, c->name);
	else
		snprintf(label, OBJECT_MAX, ":%llu", (unsigned long long)c->id);
	return label;
}

/* Where an argument starts: a name, a number, or the parent of a head. */
static int first_checkpoint(struct tool *tool, const char *store,
			    const struct object *o,
			    struct cpblk_checkpoint_info *info)
{
	struct cpblk_volume_info volume;
	struct cpblk_error err;
	uint64_t id = o->id;

	if (!id && find_volume(tool, store, o->volume, &volume))
		return FAILED;
	if (!id && strcmp(o->name, "HEAD")) {
		if (!cpblk_checkpoint_get(tool->link, store, o->volume, o->name, 0,
					  info, &err))
			return DONE;
		if (err.code == ENOENT)
			return refuse("volume %s has no checkpoint '%s'; 'cpblk ls %s' lists all",
				      o->volume, o->name, o->volume);
		return refuse("cannot look up checkpoint %s@%s: %s", o->volume,
			      o->name, err.text);
	}
	if (!id)
		id = volume.parent_id;
	if (!id)
		return refuse("volume %s follows no checkpoint yet; 'cpblk snap %s' takes one",
			      o->volume, o->volume);
	if (!cpblk_checkpoint_get(tool->link, store, NULL, NULL, id, info, &err))
		return DONE;
	if (err.code == ENOENT)
		return refuse("there is no checkpoint with the number %llu in store %s",
			      (unsigned long long)id, store);
	return refuse("cannot look up checkpoint %llu: %s", (unsigned long long)id,
		      err.text);
}

/*
 * Steps towards the past. Deleted checkpoints that others still share data
 * through are passed over.
 */
static int step_back(struct tool *tool, const char *store, const char *text,
		     unsigned int steps, struct cpblk_checkpoint_info *info)
{
	struct cpblk_error err;

	while (steps || (info->flags & CPBLK_POINT_HIDDEN)) {
		if (!(info->flags & CPBLK_POINT_HIDDEN))
			steps--;
		if (!info->parent_id)
			return refuse("'%s' goes back beyond the first checkpoint",
				      text);
		if (cpblk_checkpoint_get(tool->link, store, NULL, NULL,
					 info->parent_id, info, &err))
			return refuse("cannot go back to '%s': %s", text, err.text);
	}
	return DONE;
}

int find_checkpoint(struct tool *tool, const char *store, const char *text,
		    struct cpblk_checkpoint_info *info)
{
	struct object o;
	int rc;

	rc = parse_object(tool, text, &o);
	if (rc)
		return rc;
	if (!o.id && !o.name[0])
		return wrong_use(tool, "'%s' is a live disk, and a checkpoint is wanted: %s@NAME, or %s@HEAD for the one it follows",
				 text, text, text);
	rc = first_checkpoint(tool, store, &o, info);
	if (rc)
		return rc;
	if (o.id && !o.back && (info->flags & CPBLK_POINT_HIDDEN))
		return refuse("checkpoint %s is deleted", text);
	return step_back(tool, store, text, o.back, info);
}
