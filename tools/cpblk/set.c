// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk set: shows and sets the options of a store. What there is, the engine's
 * table says.
 */
#include <string.h>

#include "../../kmod/core/cpb.h"
#include "tool.h"

static bool is_switch(const struct cpb_option_info *o)
{
	return !o->unit[0] && o->max == 1;
}

static const char *show_value(const struct cpb_option_info *o, uint32_t value,
			      char text[TEXT_MAX])
{
	if (is_switch(o))
		return value ? "on" : "off";
	snprintf(text, TEXT_MAX, "%u %s", value, o->unit);
	return text;
}

static const char *show_range(const struct cpb_option_info *o, char text[TEXT_MAX])
{
	if (is_switch(o))
		return "on or off";
	snprintf(text, TEXT_MAX, "%u to %u", o->min, o->max);
	return text;
}

/* What --help says below the options of the command. */
static const char *about(void)
{
	static char text[2048];
	size_t at, i;

	at = (size_t)snprintf(text, sizeof(text),
			      "Without NAME=VALUE all options of the store are shown. They are kept in it.\n"
			      "VALUE may have its unit behind it; 'default' is the default.\n");
	for (i = 1; i < CPB_OPTION_END && at < sizeof(text); i++) {
		if (!cpb_options[i].name)
			continue;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "\n  %-15s  %s",
				       cpb_options[i].name, cpb_options[i].help);
	}
	return text;
}

static bool parse_value(const struct cpb_option_info *o, const char *text,
			uint32_t *value)
{
	size_t digits = strspn(text, "0123456789");
	char number[16];
	uint64_t n;

	*value = CPBLK_OPTION_DEFAULT;
	if (!strcmp(text, "default"))
		return true;
	if (is_switch(o)) {
		*value = !strcmp(text, "on");
		return *value || !strcmp(text, "off");
	}
	if (digits >= sizeof(number) || (text[digits] && strcmp(text + digits, o->unit)))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (!parse_number(number, &n) || n < o->min || n > o->max)
		return false;
	*value = (uint32_t)n;
	return true;
}

/* "NAME=VALUE" */
static int parse_setting(const struct tool *tool, const char *arg,
			 struct cpblk_setting *setting)
{
	const struct cpb_option_info *o = cpb_options;
	size_t len = strcspn(arg, "="), i;
	char range[TEXT_MAX];

	if (!arg[len])
		return wrong_use(tool, "'%s' sets nothing: it takes NAME=VALUE", arg);
	for (i = 1; i < CPB_OPTION_END; i++) {
		o = &cpb_options[i];
		if (o->name && strlen(o->name) == len && !memcmp(o->name, arg, len))
			break;
	}
	if (i == CPB_OPTION_END)
		return wrong_use(tool, "there is no option '%.*s'; 'cpblk set --help' lists all",
				 (int)len, arg);
	setting->option = i;
	if (!parse_value(o, arg + len + 1, &setting->value))
		return wrong_use(tool, "%s can be %s%s%s, or default, and not '%s'",
				 o->name, show_range(o, range), o->unit[0] ? " " : "",
				 o->unit, arg + len + 1);
	return DONE;
}

static int show_json(const struct cpblk_store_info *store)
{
	struct json_object *list = json_object_new_array(), *o;
	size_t i;

	for (i = 1; i < CPB_OPTION_END; i++) {
		if (!cpb_options[i].name)
			continue;
		o = json_object_new_object();
		json_put_string(o, "option", cpb_options[i].name);
		json_put_number(o, "value", store->options[i]);
		json_put_number(o, "default", cpb_options[i].def);
		json_put_number(o, "min", cpb_options[i].min);
		json_put_number(o, "max", cpb_options[i].max);
		json_put_string(o, "unit", cpb_options[i].unit);
		json_put_string(o, "help", cpb_options[i].help);
		json_object_array_add(list, o);
	}
	return json_print(list, false);
}

static int show(const struct cpblk_store_info *store)
{
	struct table table = { .columns = 4 };
	const struct cpb_option_info *o;
	char text[TEXT_MAX];
	size_t i;

	table_cell(&table, "OPTION");
	table_cell(&table, "VALUE");
	table_cell(&table, "DEFAULT");
	table_cell(&table, "RANGE");
	for (i = 1; i < CPB_OPTION_END; i++) {
		o = &cpb_options[i];
		if (!o->name)
			continue;
		table_cell(&table, "%s", o->name);
		table_cell(&table, "%s", show_value(o, store->options[i], text));
		table_cell(&table, "%s", show_value(o, o->def, text));
		table_cell(&table, "%s", show_range(o, text));
	}
	return table_end(&table);
}

int cmd_set(struct tool *tool, int argc, char **argv)
{
	struct cpblk_setting settings[CPB_OPTION_END];
	struct cpblk_store_info store;
	struct cpblk_error err;
	const struct option_row rows[] = {
		OPTION_JSON(tool),
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about(), 0, -1), i, j;

	if (rc >= 0)
		return rc;
	for (i = 0; i < argc; i++) {
		if (i == CPB_OPTION_END)
			return wrong_use(tool, "an option is named twice");
		rc = parse_setting(tool, argv[i], &settings[i]);
		if (rc)
			return rc;
		for (j = 0; j < i; j++) {
			if (settings[i].option == settings[j].option)
				return wrong_use(tool, "%s is named twice",
						 cpb_options[settings[i].option].name);
		}
	}
	if (tool_store(tool, &store))
		return FAILED;
	if (!argc)
		return tool->json ? show_json(&store) : show(&store);
	if (cpblk_options_set(tool->link, store.name, settings, (size_t)argc, &err))
		return refuse("cannot set options of store %s: %s", store.name, err.text);
	if (!tool->json)
		return DONE;
	return tool_store(tool, &store) ? FAILED : show_json(&store);
}
