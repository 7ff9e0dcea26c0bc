// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk grow: a store takes the room that its devices have got.
 */
#include "tool.h"

static const char about[] =
	"Make the partition, logical volume or file larger first. The metadata can become\n"
	"16 times as large as it was when the store was formatted.";

static void print_size(const char *what, uint64_t before, uint64_t after)
{
	char a[TEXT_MAX], b[TEXT_MAX];

	if (before == after)
		printf("%s: %s, as before\n", what, show_size(after, a));
	else
		printf("%s: %s, was %s\n", what, show_size(after, a), show_size(before, b));
}

int cmd_grow(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info before, after;
	struct json_object *o;
	struct cpblk_error err;
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 0, 1);

	if (rc >= 0)
		return rc;
	if (argc)
		tool->store = argv[0];
	if (tool_store(tool, &before) || loop_resize(before.meta_path) ||
	    loop_resize(before.data_path))
		return FAILED;
	if (cpblk_grow(tool->link, before.name, &after, &err))
		return refuse("cannot grow store %s: %s", before.name, err.text);
	if (!tool->json) {
		print_size("data", before.data_size, after.data_size);
		print_size("metadata", before.meta_size, after.meta_size);
		return DONE;
	}
	o = json_object_new_object();
	json_put_string(o, "store", before.name);
	json_put_number(o, "data_size", after.data_size);
	json_put_number(o, "data_size_before", before.data_size);
	json_put_number(o, "meta_size", after.meta_size);
	json_put_number(o, "meta_size_before", before.meta_size);
	return json_print(o, false);
}
