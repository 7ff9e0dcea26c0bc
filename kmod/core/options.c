// SPDX-License-Identifier: GPL-2.0
/*
 * Options of a store: what there is, in one table, and what they are set to.
 *
 * They are kept in the superblock and journalled by CPB_RECORD_SET, which has
 * all of them. A value is looked at where it matters, each time, so that it
 * needs no telling when one changes.
 */
#include "engine.h"

#define OPTION_WORDS	(sizeof(struct cpb_disk_options) / sizeof(u64))

const struct cpb_option_info cpb_options[CPB_OPTION_END] = {
	[CPB_OPTION_WARN_DATA] = {
		"warn-data", "%", 0, 100, 80,
		"say so when this much of the data device is used; 0: never",
	},
	[CPB_OPTION_WARN_META] = {
		"warn-meta", "%", 0, 100, 80,
		"the same for the metadata device",
	},
	[CPB_OPTION_AUTO_DELETE] = {
		"auto-delete", "%", 0, 100, 0,
		"with this much of a device used, delete the oldest automatic checkpoints; 0: never",
	},
	[CPB_OPTION_RECLAIM_LATENCY] = {
		"reclaim-latency", "us", 0, 10000000, 200,
		"what I/O may take while deleted checkpoints are reclaimed; 0: no regard",
	},
	[CPB_OPTION_DISCARD] = {
		"discard", "", 0, 1, 1,
		"tell the data device what is free, if it can be told",
	},
	[CPB_OPTION_DISCARD_BATCH] = {
		"discard-batch", "MiB", 1, 65536, 64,
		"tell it of so much at a time, at most",
	},
	[CPB_OPTION_FLUSH_INTERVAL] = {
		"flush-interval", "s", 0, 3600, 5,
		"completed writes become durable unasked after this time; 0: never",
	},
	[CPB_OPTION_ZERO_DETECT] = {
		"zero-detect", "", 0, 1, 0,
		"make holes of chunks that are written full of zeroes",
	},
};

static_assert(CPB_OPTION_END <= CPB_OPTION_SLOTS, "options");

u32 cpb_option(struct cpb_store *s, enum cpb_option option)
{
	u32 stored = le32_to_cpu(READ_ONCE(s->options.value[option]));

	return stored ? stored - 1 : cpb_options[option].def;
}

/** cpb_options_ok() - are all values in their range? */
bool cpb_options_ok(const struct cpb_disk_options *o)
{
	const struct cpb_option_info *info;
	unsigned int i;
	u32 stored;

	for (i = 1; i < CPB_OPTION_END; i++) {
		info = &cpb_options[i];
		if (!info->name)
			continue;
		stored = le32_to_cpu(o->value[i]);
		if (stored && (stored - 1 < info->min || stored - 1 > info->max))
			return false;
	}
	return true;
}

/* lists is held. */
static void options_locked(struct cpb_store *s, const struct cpb_disk_options *fresh)
{
	struct cpb_op o = { .arg = CPB_SET_OPTIONS };
	u64 words[OPTION_WORDS];
	unsigned long flags;
	unsigned int i;

	static_assert(sizeof(*fresh) == sizeof(words), "whole words");
	for (i = 0; i < OPTION_WORDS; i++)
		words[i] = le64_to_cpu(((const __le64 *)fresh)[i]);
	flags = cpb_lock_ready(s);
	for (i = 0; i < CPB_OPTION_SLOTS; i++)
		WRITE_ONCE(s->options.value[i], fresh->value[i]);
	s->super_changed = true;
	cpb_log_op(s, CPB_RECORD_SET, 0, 0, &o, words, OPTION_WORDS);
	port_unlock(&s->lock, flags);
}

static int change(struct cpb_disk_options *o, const struct cpb_setting *set, char *why)
{
	const struct cpb_option_info *info;

	if (!set->option || set->option >= CPB_OPTION_END ||
	    !cpb_options[set->option].name)
		return cpb_refuse(-EINVAL, why, "this version has no option %u",
				  set->option);
	info = &cpb_options[set->option];
	if (set->value == CPB_OPTION_DEFAULT) {
		o->value[set->option] = 0;
		return 0;
	}
	if (set->value < info->min || set->value > info->max)
		return cpb_refuse(-EINVAL, why, "%s can be %u to %u, not %u", info->name,
				  info->min, info->max, set->value);
	o->value[set->option] = cpu_to_le32(set->value + 1);
	return 0;
}

int cpb_set_options(struct cpb_store *s, const struct cpb_setting *set,
		    unsigned int nr, char *why)
{
	struct cpb_disk_options fresh;
	unsigned int i;
	int err;

	port_mutex_lock(&s->lists);
	err = cpb_may_change(s, why);
	fresh = s->options;
	for (i = 0; i < nr && !err; i++)
		err = change(&fresh, set + i, why);
	if (!err)
		options_locked(s, &fresh);
	port_mutex_unlock(&s->lists);
	return err ? err : cpb_flush(s);
}

/** cpb_replay_options() - do again what a record says  [sleeps] */
int cpb_replay_options(struct cpb_store *s, const u8 *words)
{
	struct cpb_disk_options fresh;

	memcpy(&fresh, words, sizeof(fresh));
	if (!cpb_options_ok(&fresh))
		return -EUCLEAN;
	options_locked(s, &fresh);
	return 0;
}
