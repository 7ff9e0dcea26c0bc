/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of libcpblk share: the link, requests, and how attributes
 * become structures. Not for the library's users: those have cpblk.h.
 */
#ifndef CPBLK_LINK_H
#define CPBLK_LINK_H

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include <stdbool.h>

#include "cpblk.h"

/**
 * struct cpblk - a link to the driver
 * @sock: socket, connected to generic netlink
 * @family: number that the family has on this kernel
 * @told: what its hooks were told and nobody has asked for yet, oldest first
 * @told_lost: there was no memory for one
 */
struct cpblk {
	struct nl_sock *sock;
	int family;
	struct cpblk_told *told;
	bool told_lost;
};

/** cpblk_fail() - fill @err and return -@code; @code is an errno, > 0 */
int cpblk_fail(struct cpblk_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** cpblk_fail_nl() - the same for an error of libnl, which is not an errno */
int cpblk_fail_nl(struct cpblk_error *err, int nl_error, const char *what);

/** struct cpblk_answer - what is called with the attributes of each answer */
struct cpblk_answer {
	int (*fn)(void *arg, struct nlattr **attrs, struct nlattr *first, int len);
	void *arg;
};

/** cpblk_request() - a new request for an operation, or NULL */
struct nl_msg *cpblk_request(struct cpblk *link, int cmd);

/**
 * cpblk_call() - send a request, free it, and hear all answers
 * @msg: from cpblk_request(); NULL stands for one there was no memory for
 * @flags: NLM_F_DUMP or 0
 * @answer: NULL if none is expected
 *
 * -EAGAIN: a list changed while it was read; ask again.
 */
int cpblk_call(struct cpblk *link, struct nl_msg *msg, int flags,
	       const struct cpblk_answer *answer, struct cpblk_error *err);

/** cpblk_parse() - the attributes of a received message, by number */
int cpblk_parse(struct nlmsghdr *hdr, struct nlattr *attrs[CPBLK_A_MAX + 1],
		struct nlattr **first, int *len);

/**
 * cpblk_list() - a list of what a dump answers
 * @layout: of what @to is a list of
 */
struct cpblk_layout;
int cpblk_list(struct cpblk *link, int cmd, const char *store, const char *volume,
	       const struct cpblk_layout *layout, void **to, size_t *nr,
	       struct cpblk_error *err);

/** cpblk_put_name() - a name, unless it is NULL; fails if it is too long */
int cpblk_put_name(struct nl_msg *msg, int attr, const char *name,
		   struct cpblk_error *err);

/** cpblk_put_volumes() - a nest of names */
int cpblk_put_volumes(struct nl_msg *msg, int attr, const char *const *volumes,
		      size_t nr, struct cpblk_error *err);

/** cpblk_put_ids() - a nest of numbers of checkpoints */
void cpblk_put_ids(struct nl_msg *msg, const uint64_t *ids, size_t nr);

/** cpblk_is_told() - is a message one to a hook? */
bool cpblk_is_told(const struct cpblk *link, struct nlmsghdr *hdr);

/** cpblk_keep_told() - keep it for cpblk_hook_next() */
void cpblk_keep_told(struct cpblk *link, struct nl_msg *msg);

/** cpblk_drop_told() - drop all that are kept */
void cpblk_drop_told(struct cpblk *link);

/* ---- From attributes to structures ---- */

enum cpblk_field_type {
	CPBLK_FIELD_U32,
	CPBLK_FIELD_U64,
	CPBLK_FIELD_STRING,
	CPBLK_FIELD_BINARY,
};

/** struct cpblk_field - where an attribute goes; @size in bytes */
struct cpblk_field {
	int attr;
	enum cpblk_field_type type;
	size_t offset, size;
};

/** struct cpblk_layout - all fields of a structure */
struct cpblk_layout {
	const struct cpblk_field *fields;
	size_t nr, size;
};

extern const struct cpblk_layout cpblk_store_layout;
extern const struct cpblk_layout cpblk_volume_layout;
extern const struct cpblk_layout cpblk_new_volume_layout;
extern const struct cpblk_layout cpblk_checkpoint_layout;
extern const struct cpblk_layout cpblk_restored_layout;
extern const struct cpblk_layout cpblk_event_layout;
extern const struct cpblk_layout cpblk_hook_layout;
extern const struct cpblk_layout cpblk_hook_event_layout;

/** cpblk_decode() - clear @to and fill it with the attributes that are there */
void cpblk_decode(const struct cpblk_layout *layout, void *to,
		  struct nlattr **attrs);

/** cpblk_decode_counters() - fill the counters of a store */
void cpblk_decode_counters(struct cpblk_store_info *info, struct nlattr *nest);

/** cpblk_decode_options() - fill the options of a store */
void cpblk_decode_options(struct cpblk_store_info *info, struct nlattr *nest);

/** cpblk_decode_policy() - fill the policy of a volume */
void cpblk_decode_policy(struct cpblk_volume_info *info, struct nlattr *nest);

/** cpblk_decode_taken() - all points of a message, as an array */
int cpblk_decode_taken(struct nlattr *first, int len, struct cpblk_taken **taken,
		       size_t *nr);

/** cpblk_decode_members() - all members of a message, as an array */
int cpblk_decode_members(struct nlattr *first, int len,
			 struct cpblk_member **members, size_t *nr);

#endif /* CPBLK_LINK_H */
