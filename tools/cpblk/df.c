// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk df: what of the devices of stores is used, free, and on its way to
 * being free.
 */
#include <stdlib.h>

#include "tool.h"

static const char about[] =
	"USED is what volumes and checkpoints hold, and what deleted ones still do:\n"
	"DELETED is the part of it that is known to become free.\n"
	"FREEING is let go of and free after the next transaction, or is in flight.\n"
	"RESERVED is free, and left to deletions and transactions: writes fail when no\n"
	"more than that is free.";

/* One device of a store; all in bytes. */
struct row {
	const char *device;
	uint64_t size, used, deleted, freeing, reserved;
	bool low;
};

static uint64_t avail(const struct row *r)
{
	uint64_t taken = r->used + r->freeing + r->reserved;

	return taken < r->size ? r->size - taken : 0;
}

static void rows_of(const struct cpblk_store_info *s, struct row r[2])
{
	r[0] = (struct row){
		"data", s->data_size, s->data_used, s->reclaim_left,
		s->data_busy > s->data_used ? s->data_busy - s->data_used : 0, 0,
		s->space & CPBLK_SPACE_DATA_LOW,
	};
	r[1] = (struct row){
		"metadata", s->meta_size, s->meta_used, 0, 0, s->meta_reserved,
		s->space & CPBLK_SPACE_META_LOW,
	};
}

static struct json_object *json_row(const struct row *r)
{
	struct json_object *o = json_object_new_object();

	json_put_number(o, "size", r->size);
	json_put_number(o, "used", r->used);
	json_put_number(o, "deleted", r->deleted);
	json_put_number(o, "freeing", r->freeing);
	json_put_number(o, "reserved", r->reserved);
	json_put_number(o, "available", avail(r));
	json_object_object_add(o, "low", json_object_new_boolean(r->low));
	return o;
}

static int print_json(const struct cpblk_store_info *stores, size_t nr)
{
	struct json_object *list = json_object_new_array(), *o;
	struct row r[2];
	size_t i, k;

	for (i = 0; i < nr; i++) {
		rows_of(&stores[i], r);
		o = json_object_new_object();
		json_put_string(o, "store", stores[i].name);
		for (k = 0; k < 2; k++)
			json_object_object_add(o, r[k].device, json_row(&r[k]));
		json_put_number(o, "deleted_checkpoints", stores[i].nr_hidden);
		json_object_array_add(list, o);
	}
	return json_print(list, false);
}

static int print_table(const struct cpblk_store_info *stores, size_t nr)
{
	struct table table = { .columns = 9, .right = 0x1fc };
	static const char *const heads[] = {
		"STORE", "DEVICE", "SIZE", "USED", "DELETED", "FREEING", "RESERVED",
		"AVAIL", "USE",
	};
	char text[TEXT_MAX];
	struct row r[2];
	size_t i, k;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		table_cell(&table, "%s", heads[i]);
	for (i = 0; i < 2 * nr; i++) {
		rows_of(&stores[i / 2], r);
		k = i % 2;
		table_cell(&table, "%s", stores[i / 2].name);
		table_cell(&table, "%s", r[k].device);
		table_cell(&table, "%s", show_size(r[k].size, text));
		table_cell(&table, "%s", show_size(r[k].used, text));
		table_cell(&table, "%s", k ? "-" : show_size(r[k].deleted, text));
		table_cell(&table, "%s", show_size(r[k].freeing, text));
		table_cell(&table, "%s", show_size(r[k].reserved, text));
		table_cell(&table, "%s", show_size(avail(&r[k]), text));
		table_cell(&table, "%.0f %%%s", r[k].size ?
			   100.0 * (double)r[k].used / (double)r[k].size : 0.0,
			   r[k].low ? " LOW" : "");
	}
	return table_end(&table);
}

int cmd_df(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info *stores;
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, 1);
	size_t nr;

	if (rc >= 0)
		return rc;
	if (argc)
		tool->store = argv[0];
	if (tool_stores(tool, &stores, &nr))
		return FAILED;
	rc = tool->json ? print_json(stores, nr) : print_table(stores, nr);
	free(stores);
	return rc;
}
