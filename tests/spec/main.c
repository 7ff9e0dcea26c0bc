// SPDX-License-Identifier: GPL-2.0
/*
 * speccheck HEADER: compares the specification with the uapi header.
 * speccheck --kernel: compares it with the running driver.
 *
 * Says what differs, and ends with "N passed, N failed", counting the parts that
 * were compared; the exit code is 0 if all passed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "spec.h"

static unsigned int compared, differ, passed, failed;

void check(bool ok, const char *fmt, ...)
{
	va_list args;

	compared++;
	if (ok)
		return;
	differ++;
	fputs("FAIL ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

static void check_message(const struct spec *spec, const struct op *op,
			  const struct message *message)
{
	const struct attr_set *set = spec_set(spec, op->set);
	size_t i, j;

	for (i = 0; i < message->nr; i++) {
		check(spec_attr(set, message->attr[i]),
		      "spec: %s: there is no attribute %s", op->name,
		      message->attr[i]);
		for (j = 0; j < i; j++)
			check(strcmp(message->attr[i], message->attr[j]),
			      "spec: %s has %s twice", op->name, message->attr[i]);
	}
}

static void check_attr(const struct spec *spec, const struct attr *attr)
{
	check(!attr->nested[0] == !!strcmp(attr->type, "nest"),
	      "spec: %s is a nest without a set, or the other way round", attr->name);
	check(!attr->nested[0] || spec_set(spec, attr->nested),
	      "spec: %s: there is no set %s", attr->name, attr->nested);
	check(!attr->mask_of[0] || (spec_type(spec, attr->mask_of) &&
				    spec_type(spec, attr->mask_of)->flags),
	      "spec: %s: %s is not a type of flags", attr->name, attr->mask_of);
}

/* What requests take is checked by the kernel, so it has limits. */
static bool used_in_requests(const struct spec *spec, const char *name)
{
	size_t i, j;

	for (i = 0; i < spec->nr_ops; i++) {
		for (j = 0; j < spec->ops[i].request.nr; j++) {
			if (!strcmp(spec->ops[i].request.attr[j], name))
				return true;
		}
	}
	return false;
}

void check_spec(const struct spec *spec)
{
	const struct attr *attr;
	const struct op *op;
	size_t i, j;

	for (i = 0; i < spec->nr_sets; i++) {
		for (j = 0; j < spec->sets[i].nr; j++) {
			attr = &spec->sets[i].list[j];
			check_attr(spec, attr);
			check(strcmp(attr->type, "string") || attr->max_len > 0 ||
			      !used_in_requests(spec, attr->name),
			      "spec: %s has no greatest length", attr->name);
		}
	}
	for (op = spec->ops; op < spec->ops + spec->nr_ops; op++) {
		check(op->event || op->has_do || op->has_dump,
		      "spec: %s does nothing", op->name);
		check(op->event || !op->mcgrp[0], "spec: %s: group", op->name);
		check_message(spec, op, &op->request);
		check_message(spec, op, &op->reply);
		check_message(spec, op, &op->dump_request);
		check_message(spec, op, &op->dump_reply);
		check_message(spec, op, &op->attrs);
		for (i = 0; op->has_do && op->has_dump && i < op->reply.nr; i++)
			check(!strcmp(op->reply.attr[i], op->dump_reply.attr[i]),
			      "spec: %s: do and dump differ in %s", op->name,
			      op->reply.attr[i]);
	}
}

/* The end of a part: everything compared since the last one. */
static void part(const char *name)
{
	if (differ || !compared)
		failed++;
	else
		passed++;
	printf("%s %s: %u comparisons, %u differ\n", differ ? "FAIL" : "PASS", name,
	       compared, differ);
	compared = 0;
	differ = 0;
}

int main(int argc, char **argv)
{
	static struct spec spec;

	if (argc != 2) {
		fprintf(stderr, "usage: speccheck HEADER | --kernel\n");
		return 2;
	}
	spec_load(&spec);
	part("specification is complete");
	if (!strcmp(argv[1], "--kernel")) {
		check_kernel(&spec);
		part("driver is as specified");
	} else {
		check_spec(&spec);
		part("specification makes sense");
		check_header(&spec, argv[1]);
		part("header is as specified");
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
