// SPDX-License-Identifier: GPL-2.0
/*
 * The uapi header against the specification: every name and number of one is in
 * the other. The header is read as text, so that names which the specification
 * lacks are found too; it is simple enough for that: enums, and defines of
 * numbers and strings.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

struct definition {
	char name[NAME_SIZE];
	char text[NAME_SIZE];	/* of a define */
	uint64_t value;
	bool used;
};

static struct definition definitions[512];
static size_t nr_definitions;

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	if (!file || getdelim(&text, &room, '\0', file) < 0) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(2);
	}
	fclose(file);
	return text;
}

static void blank_comments(char *text)
{
	char *end;

	while ((text = strstr(text, "/*"))) {
		end = strstr(text, "*/");
		if (!end)
			return;
		for (end += 2; text < end; text++) {
			if (*text != '\n')
				*text = ' ';
		}
	}
}

static void define(const char *name, size_t len, const char *text, uint64_t value)
{
	struct definition *d = &definitions[nr_definitions++];

	if (len >= NAME_SIZE || nr_definitions == sizeof(definitions) / sizeof(*d)) {
		fprintf(stderr, "a name in the header is too long, or there are too many\n");
		exit(2);
	}
	memcpy(d->name, name, len);
	d->name[len] = '\0';
	snprintf(d->text, sizeof(d->text), "%s", text);
	d->value = value;
}

static size_t word(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* The body of an enum: NAME [= NUMBER], ... */
static char *parse_enum(char *s)
{
	uint64_t value = 0;
	size_t len;

	s = strchr(s, '{');
	while (s && *s && *s != '}') {
		s += strspn(s + 1, " \t\n,") + 1;
		len = word(s);
		if (!len)
			continue;
		if (s[len + strspn(s + len, " \t")] == '=')
			value = strtoull(strchr(s, '=') + 1, NULL, 0);
		define(s, len, "", value++);
		s += strcspn(s, ",}\n");
	}
	return s;
}

static void parse_define(const char *s)
{
	const char *value;
	char text[NAME_SIZE];
	size_t len = word(s);

	value = s + len + strspn(s + len, " \t");
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(value, "\n"), value);
	while (*text && isspace((unsigned char)text[strlen(text) - 1]))
		text[strlen(text) - 1] = '\0';
	if (*text && *text != '(')
		define(s, len, text, strtoull(text, NULL, 0));
}

static void parse_header(char *text)
{
	char *s;

	blank_comments(text);
	for (s = text; s && *s; s = strchr(s, '\n')) {
		s += strspn(s, "\n");
		if (!strncmp(s, "#define ", 8))
			parse_define(s + 8);
		else if (!strncmp(s, "enum ", 5))
			s = parse_enum(s);
	}
}

static struct definition *find(const char *name)
{
	size_t i;

	for (i = 0; i < nr_definitions; i++) {
		if (!strcmp(definitions[i].name, name))
			return &definitions[i];
	}
	return NULL;
}

static void expect(const char *name, uint64_t value)
{
	struct definition *d = find(name);

	check(d && d->value == value, "header: %s is %s%llu, and not %llu", name,
	      d ? "" : "missing, ", d ? (unsigned long long)d->value : 0,
	      (unsigned long long)value);
	if (d)
		d->used = true;
}

static void expect_text(const char *name, const char *value)
{
	struct definition *d = find(name);
	char quoted[NAME_SIZE + 2];

	snprintf(quoted, sizeof(quoted), "\"%s\"", value);
	check(d && !strcmp(d->text, quoted), "header: %s is not %s", name, quoted);
	if (d)
		d->used = true;
}

/* "__CPBLK_A_MAX", one more than the last of a set. */
static void expect_max(const char *last, const char *first, uint64_t value)
{
	char name[NAME_SIZE + 8];
	size_t len = 0;

	/* What all names of the set begin with. */
	while (last[len] && last[len] == first[len])
		len++;
	while (len && last[len - 1] != '_')
		len--;
	snprintf(name, sizeof(name), "__%.*sMAX", (int)len, last);
	expect(name, value + 1);
}

void check_header(const struct spec *spec, const char *path)
{
	char *text = read_file(path), name[NAME_SIZE];
	const struct attr_set *set;
	const struct op *op, *last = NULL;
	size_t i, j;

	parse_header(text);
	c_name(name, "", spec->family_define);
	expect_text(name, spec->family);
	c_name(name, "", spec->version_define);
	expect(name, spec->version);
	for (i = 0; i < spec->nr_groups; i++) {
		c_name(name, "cpblk-mcgrp-", spec->groups[i]);
		expect_text(name, spec->groups[i]);
	}
	for (i = 0; i < spec->nr_types; i++) {
		for (j = 0; j < spec->types[i].nr; j++)
			expect(spec->types[i].list[j].name,
			       spec->types[i].list[j].value);
	}
	for (i = 0; i < spec->nr_sets; i++) {
		set = &spec->sets[i];
		for (j = 0; j < set->nr; j++)
			expect(set->list[j].c_name, set->list[j].value);
		if (set->enum_name[0])
			expect_max(set->list[set->nr - 1].c_name,
				   set->list[0].c_name,
				   set->list[set->nr - 1].value);
	}
	for (op = spec->ops; op < spec->ops + spec->nr_ops; op++) {
		expect(op->c_name, op->value);
		if (!op->event)
			last = op;
	}
	if (last)
		expect_max(last->c_name, spec->ops[0].c_name, last->value);
	for (i = 0; i < nr_definitions; i++)
		check(definitions[i].used, "header: %s is not in the specification",
		      definitions[i].name);
	free(text);
}
