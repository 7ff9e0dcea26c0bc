// SPDX-License-Identifier: GPL-2.0
/*
 * The specification, from YAML: the parts of the kernel's netlink-spec format
 * that cpblk.yaml uses. Everything else in it is an error, so that nothing in
 * it goes unchecked.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "spec.h"

static yaml_document_t document;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

void c_name(char to[NAME_SIZE], const char *prefix, const char *name)
{
	char *c;

	if ((size_t)snprintf(to, NAME_SIZE, "%s%s", prefix, name) >= NAME_SIZE)
		die("the name %s%s is too long", prefix, name);
	for (c = to; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static yaml_node_t *node(int index)
{
	return yaml_document_get_node(&document, index);
}

static const char *scalar(const yaml_node_t *n)
{
	if (!n || n->type != YAML_SCALAR_NODE)
		die("a scalar is missing");
	return (const char *)n->data.scalar.value;
}

/* What @key stands for in a map, or NULL. */
static yaml_node_t *get(const yaml_node_t *map, const char *key)
{
	yaml_node_pair_t *pair;

	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = map->data.mapping.pairs.start;
	     pair < map->data.mapping.pairs.top; pair++) {
		if (!strcmp(scalar(node(pair->key)), key))
			return node(pair->value);
	}
	return NULL;
}

/* Dies on a key that is not in the list, which ends with NULL. */
static void only_keys(const yaml_node_t *map, ...)
{
	yaml_node_pair_t *pair;
	const char *known;
	va_list args;

	if (!map || map->type != YAML_MAPPING_NODE)
		die("a map is missing");
	for (pair = map->data.mapping.pairs.start;
	     pair < map->data.mapping.pairs.top; pair++) {
		va_start(args, map);
		do {
			known = va_arg(args, const char *);
		} while (known && strcmp(known, scalar(node(pair->key))));
		va_end(args);
		if (!known)
			die("line %zu: '%s' is not known here",
			    node(pair->key)->start_mark.line + 1,
			    scalar(node(pair->key)));
	}
}

static const char *text_or(const yaml_node_t *map, const char *key,
			   const char *otherwise)
{
	yaml_node_t *n = get(map, key);

	return n ? scalar(n) : otherwise;
}

static void get_text(char to[NAME_SIZE], const yaml_node_t *map, const char *key,
		     const char *otherwise)
{
	const char *text = text_or(map, key, otherwise);

	if (!text)
		die("'%s' is missing", key);
	if (strlen(text) >= NAME_SIZE)
		die("'%s' is too long", text);
	strcpy(to, text);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (*end || !*text)
		die("'%s' is not a number", text);
	return value;
}

#define for_each(n, i, seq)						\
	for (i = (seq) ? (seq)->data.sequence.items.start : NULL;	\
	     i && i < (seq)->data.sequence.items.top && (n = node(*i)); i++)

/* ---- Definitions ---- */

static void load_entries(struct entries *type, const char *prefix,
			 const yaml_node_t *list)
{
	yaml_node_item_t *i;
	struct entry *entry;
	uint64_t value = 0;
	yaml_node_t *n;

	for_each(n, i, list) {
		only_keys(n, "name", "doc", "value", NULL);
		entry = &type->list[type->nr++];
		c_name(entry->name, prefix, text_or(n, "name", ""));
		if (get(n, "value"))
			value = number(text_or(n, "value", ""));
		entry->value = type->flags ? 1ULL << value : value;
		value++;
		check(get(n, "doc") != NULL, "%s has no doc", entry->name);
	}
}

static void load_definitions(struct spec *spec, const yaml_node_t *list)
{
	char prefix[NAME_SIZE], family[NAME_SIZE];
	struct entries *consts = &spec->types[spec->nr_types++], *type;
	yaml_node_item_t *i;
	struct entry *entry;
	yaml_node_t *n;

	snprintf(family, sizeof(family), "%.60s-", spec->family);
	strcpy(consts->name, "const");
	for_each(n, i, list) {
		if (!strcmp(text_or(n, "type", ""), "const")) {
			only_keys(n, "type", "name", "value", "doc", NULL);
			entry = &consts->list[consts->nr++];
			c_name(entry->name, family, text_or(n, "name", ""));
			entry->value = number(text_or(n, "value", ""));
			continue;
		}
		only_keys(n, "type", "name", "name-prefix", "doc", "entries", NULL);
		type = &spec->types[spec->nr_types++];
		get_text(type->name, n, "name", NULL);
		type->flags = !strcmp(text_or(n, "type", ""), "flags");
		if (!type->flags && strcmp(text_or(n, "type", ""), "enum"))
			die("type %s is not known", text_or(n, "type", ""));
		get_text(prefix, n, "name-prefix", NULL);
		load_entries(type, prefix, get(n, "entries"));
	}
}

const struct entries *spec_type(const struct spec *spec, const char *name)
{
	size_t i;

	for (i = 0; i < spec->nr_types; i++) {
		if (!strcmp(spec->types[i].name, name))
			return &spec->types[i];
	}
	return NULL;
}

/* A limit is a number, or the name of a constant. */
static int64_t limit(const struct spec *spec, const yaml_node_t *checks,
		     const char *key)
{
	const char *text = text_or(checks, key, NULL);
	char name[NAME_SIZE], family[NAME_SIZE];
	size_t i;

	if (!text)
		return -1;
	if (isdigit((unsigned char)*text))
		return (int64_t)number(text);
	snprintf(family, sizeof(family), "%.60s-", spec->family);
	c_name(name, family, text);
	for (i = 0; i < spec->types[0].nr; i++) {
		if (!strcmp(spec->types[0].list[i].name, name))
			return (int64_t)spec->types[0].list[i].value;
	}
	die("the constant %s is not defined", text);
}

/* ---- Attributes ---- */

static void load_attr(const struct spec *spec, struct attr_set *set,
		      const char *prefix, unsigned int value, yaml_node_t *n)
{
	struct attr *attr = &set->list[set->nr++];
	yaml_node_t *checks = get(n, "checks");

	only_keys(n, "name", "type", "value", "doc", "enum", "checks",
		  "nested-attributes", "multi-attr", NULL);
	if (checks)
		only_keys(checks, "max-len", "exact-len", "min", "flags-mask", NULL);
	get_text(attr->name, n, "name", NULL);
	get_text(attr->type, n, "type", NULL);
	get_text(attr->nested, n, "nested-attributes", "");
	c_name(attr->c_name, prefix, attr->name);
	attr->value = value;
	attr->min = limit(spec, checks, "min");
	attr->max_len = limit(spec, checks, "max-len");
	attr->exact_len = limit(spec, checks, "exact-len");
	get_text(attr->mask_of, checks, "flags-mask", "");
	check(get(n, "doc") || !strcmp(attr->type, "unused") ||
	      !strcmp(attr->type, "pad"), "attribute %s has no doc", attr->name);
	check(!get(n, "enum") || spec_type(spec, text_or(n, "enum", "")),
	      "attribute %s is of type %s, which is not defined", attr->name,
	      text_or(n, "enum", ""));
}

const struct attr_set *spec_set(const struct spec *spec, const char *name)
{
	size_t i;

	for (i = 0; i < spec->nr_sets; i++) {
		if (!strcmp(spec->sets[i].name, name))
			return &spec->sets[i];
	}
	return NULL;
}

const struct attr *spec_attr(const struct attr_set *set, const char *name)
{
	size_t i;

	for (i = 0; set && i < set->nr; i++) {
		if (!strcmp(set->list[i].name, name))
			return &set->list[i];
	}
	return NULL;
}

static void load_subset(struct spec *spec, struct attr_set *set, yaml_node_t *map)
{
	const struct attr_set *whole = spec_set(spec, text_or(map, "subset-of", ""));
	yaml_node_t *list = get(map, "attributes"), *n;
	const struct attr *attr;
	yaml_node_item_t *i;

	only_keys(map, "name", "subset-of", "doc", "attributes", NULL);
	for_each(n, i, list) {
		only_keys(n, "name", NULL);
		attr = spec_attr(whole, text_or(n, "name", ""));
		check(attr, "set %s: attribute %s is not in %s", set->name,
		      text_or(n, "name", ""), text_or(map, "subset-of", ""));
		if (attr)
			set->list[set->nr++] = *attr;
	}
}

static void load_set(struct spec *spec, yaml_node_t *map)
{
	struct attr_set *set = &spec->sets[spec->nr_sets];
	yaml_node_t *list = get(map, "attributes"), *n;
	char prefix[NAME_SIZE], max[NAME_SIZE];
	yaml_node_item_t *i;
	unsigned int value = 0;

	get_text(set->name, map, "name", NULL);
	if (get(map, "subset-of")) {
		load_subset(spec, set, map);
		spec->nr_sets++;
		return;
	}
	only_keys(map, "name", "name-prefix", "enum-name", "attr-max-name", "doc",
		  "attributes", NULL);
	get_text(prefix, map, "name-prefix", NULL);
	get_text(set->enum_name, map, "enum-name", NULL);
	get_text(max, map, "attr-max-name", NULL);
	check(!strncmp(max, prefix, strlen(prefix)) &&
	      !strcmp(max + strlen(prefix), "max"),
	      "set %s: the name %s is not that of a maximum", set->name, max);
	for_each(n, i, list) {
		if (get(n, "value"))
			value = (unsigned int)number(text_or(n, "value", ""));
		load_attr(spec, set, prefix, value++, n);
	}
	spec->nr_sets++;
}

/* ---- Operations ---- */

static void load_message(struct message *message, const yaml_node_t *map)
{
	yaml_node_t *list = get(map, "attributes"), *n;
	yaml_node_item_t *i;

	if (!map)
		return;
	only_keys(map, "attributes", NULL);
	message->there = true;
	for_each(n, i, list) {
		if (strlen(scalar(n)) >= NAME_SIZE)
			die("'%s' is too long", scalar(n));
		strcpy(message->attr[message->nr++], scalar(n));
	}
}

static void load_op(struct spec *spec, yaml_node_t *map, const char *prefix,
		    const char *async_prefix, unsigned int value)
{
	yaml_node_t *doit = get(map, "do"), *dump = get(map, "dump"), *n;
	struct op *op = &spec->ops[spec->nr_ops++];
	yaml_node_t *flags = get(map, "flags");
	yaml_node_item_t *i;

	only_keys(map, "name", "doc", "value", "attribute-set", "flags", "do", "dump",
		  "mcgrp", "event", NULL);
	get_text(op->name, map, "name", NULL);
	get_text(op->set, map, "attribute-set", NULL);
	get_text(op->mcgrp, map, "mcgrp", "");
	op->value = value;
	op->event = get(map, "event");
	op->has_do = doit;
	op->has_dump = dump;
	for_each(n, i, flags) {
		if (strcmp(scalar(n), "admin-perm"))
			die("flag %s is not known", scalar(n));
		op->admin = true;
	}
	c_name(op->c_name, op->event ? async_prefix : prefix, op->name);
	if (doit)
		only_keys(doit, "request", "reply", NULL);
	if (dump)
		only_keys(dump, "request", "reply", NULL);
	load_message(&op->request, get(doit, "request"));
	load_message(&op->reply, get(doit, "reply"));
	load_message(&op->dump_request, get(dump, "request"));
	load_message(&op->dump_reply, get(dump, "reply"));
	load_message(&op->attrs, get(map, "event"));
	check(get(map, "doc") != NULL, "operation %s has no doc", op->name);
}

static void load_ops(struct spec *spec, yaml_node_t *map)
{
	yaml_node_t *list = get(map, "list"), *n;
	char prefix[NAME_SIZE], async[NAME_SIZE];
	unsigned int value = 1;
	yaml_node_item_t *i;

	only_keys(map, "enum-model", "name-prefix", "enum-name", "async-prefix",
		  "async-enum", "list", NULL);
	get_text(prefix, map, "name-prefix", NULL);
	get_text(async, map, "async-prefix", NULL);
	if (strcmp(text_or(map, "enum-model", ""), "unified"))
		die("only the unified model of operations is known");
	for_each(n, i, list) {
		if (get(n, "value"))
			value = (unsigned int)number(text_or(n, "value", ""));
		load_op(spec, n, prefix, async, value++);
	}
}

/* The specification is part of the program, which may run far from its source. */
__asm__(".section .rodata\n"
	"spec_yaml: .incbin \"" SPEC_PATH "\"\n"
	"spec_yaml_end:\n"
	".previous");

extern const unsigned char spec_yaml[] __asm__("spec_yaml");
extern const unsigned char spec_yaml_end[] __asm__("spec_yaml_end");

void spec_load(struct spec *spec)
{
	yaml_node_t *root, *list, *n;
	yaml_parser_t parser;
	yaml_node_item_t *i;

	memset(spec, 0, sizeof(*spec));
	if (!yaml_parser_initialize(&parser))
		die("out of memory");
	yaml_parser_set_input_string(&parser, spec_yaml,
				     (size_t)(spec_yaml_end - spec_yaml));
	if (!yaml_parser_load(&parser, &document))
		die("line %zu: %s", parser.problem_mark.line + 1, parser.problem);
	root = yaml_document_get_root_node(&document);
	only_keys(root, "name", "protocol", "doc", "uapi-header", "c-family-name",
		  "c-version-name", "kernel-policy", "max-by-define", "version",
		  "definitions", "attribute-sets", "operations", "mcast-groups", NULL);
	get_text(spec->family, root, "name", NULL);
	get_text(spec->family_define, root, "c-family-name", NULL);
	get_text(spec->version_define, root, "c-version-name", NULL);
	spec->version = (unsigned int)number(text_or(root, "version", ""));
	load_definitions(spec, get(root, "definitions"));
	list = get(root, "attribute-sets");
	for_each(n, i, list)
		load_set(spec, n);
	load_ops(spec, get(root, "operations"));
	list = get(get(root, "mcast-groups"), "list");
	for_each(n, i, list) {
		only_keys(n, "name", NULL);
		get_text(spec->groups[spec->nr_groups++], n, "name", NULL);
	}
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
}
