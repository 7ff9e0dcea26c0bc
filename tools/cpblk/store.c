// SPDX-License-Identifier: GPL-2.0
/*
 * Which store a command is about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

int tool_connect(struct tool *tool)
{
	struct cpblk_error err;

	if (tool->link || !cpblk_connect(&tool->link, &err))
		return DONE;
	if (err.code == ENOENT)
		return refuse("no store is open (%s): open one with 'cpblk open METADATA DATA'",
			      err.text);
	return refuse("%s", err.text);
}

/* Names in one line: "a, b, c". */
static void join_names(const struct cpblk_store_info *stores, size_t nr, char *text,
		       size_t size)
{
	size_t i, at = 0;

	text[0] = '\0';
	for (i = 0; i < nr && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "",
				       stores[i].name);
}

int tool_stores(struct tool *tool, struct cpblk_store_info **stores, size_t *nr)
{
	struct cpblk_error err;
	char names[512];
	size_t i;

	if (tool_connect(tool))
		return FAILED;
	if (cpblk_store_list(tool->link, stores, nr, &err))
		return refuse("cannot list the stores: %s", err.text);
	if (!tool->store)
		return DONE;
	for (i = 0; i < *nr; i++) {
		if (strcmp((*stores)[i].name, tool->store))
			continue;
		(*stores)[0] = (*stores)[i];
		*nr = 1;
		return DONE;
	}
	join_names(*stores, *nr, names, sizeof(names));
	if (*nr)
		refuse("no store '%s' is open; open are: %s", tool->store, names);
	else
		refuse("no store '%s' is open: open it with 'cpblk open METADATA DATA'",
		       tool->store);
	free(*stores);
	return FAILED;
}

int tool_store(struct tool *tool, struct cpblk_store_info *info)
{
	struct cpblk_store_info *stores;
	char names[512];
	size_t nr;

	if (tool_stores(tool, &stores, &nr))
		return FAILED;
	join_names(stores, nr, names, sizeof(names));
	if (nr == 1)
		*info = stores[0];
	free(stores);
	if (!nr)
		return refuse("no store is open: open one with 'cpblk open METADATA DATA'");
	if (nr > 1)
		return refuse("several stores are open (%s): say which one with -s STORE",
			      names);
	return DONE;
}
