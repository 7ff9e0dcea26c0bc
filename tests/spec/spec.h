/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compares the netlink specification include/cpblk.yaml with the uapi header,
 * and with the family of a running driver.
 */
#ifndef SPEC_H
#define SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SIZE	64
#define LIST_SIZE	128

/** struct entry - a name of an enum, a flags type, or a constant */
struct entry {
	char name[NAME_SIZE];	/* as in C */
	uint64_t value;
};

/** struct entries - an enum, a flags type, or all constants */
struct entries {
	char name[NAME_SIZE];	/* in the specification */
	bool flags;
	struct entry list[LIST_SIZE];
	size_t nr;
};

/** struct attr - an attribute; of checks, -1 is "none" */
struct attr {
	char name[NAME_SIZE];	/* in the specification */
	char c_name[NAME_SIZE];
	char type[NAME_SIZE];
	char nested[NAME_SIZE];
	char mask_of[NAME_SIZE];
	int64_t min, max_len, exact_len;
	unsigned int value;
};

struct attr_set {
	char name[NAME_SIZE];
	char enum_name[NAME_SIZE];	/* as in C, empty for a subset */
	struct attr list[LIST_SIZE];
	size_t nr;
};

/** struct message - attributes of a request, an answer or an event */
struct message {
	bool there;
	char attr[LIST_SIZE][NAME_SIZE];
	size_t nr;
};

struct op {
	char name[NAME_SIZE];
	char c_name[NAME_SIZE];
	char set[NAME_SIZE];
	char mcgrp[NAME_SIZE];
	bool admin, has_do, has_dump, event;
	struct message request, reply, dump_request, dump_reply, attrs;
	unsigned int value;
};

struct spec {
	char family[NAME_SIZE], family_define[NAME_SIZE], version_define[NAME_SIZE];
	unsigned int version;
	struct entries types[32];
	size_t nr_types;
	struct attr_set sets[16];
	size_t nr_sets;
	struct op ops[LIST_SIZE];
	size_t nr_ops;
	char groups[8][NAME_SIZE];
	size_t nr_groups;
};

/** spec_load() - read the YAML; ends the program if it can't be understood */
void spec_load(struct spec *spec);

const struct attr_set *spec_set(const struct spec *spec, const char *name);
const struct attr *spec_attr(const struct attr_set *set, const char *name);
const struct entries *spec_type(const struct spec *spec, const char *name);

/** c_name() - "cpblk-a-" and "store-uuid" are CPBLK_A_STORE_UUID */
void c_name(char to[NAME_SIZE], const char *prefix, const char *name);

/** check() - count a comparison, and say so if it failed */
void check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void check_spec(const struct spec *spec);
void check_header(const struct spec *spec, const char *path);
void check_kernel(const struct spec *spec);

#endif /* SPEC_H */
