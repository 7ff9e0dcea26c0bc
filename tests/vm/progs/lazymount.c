// SPDX-License-Identifier: GPL-2.0
/*
 * libmount, loaded when it is first called.
 *
 * There is libmount as a shared library only. Without one the tool starts in half
 * the time on a slow guest, and few commands look at what is mounted.
 *
 * All that is called has up to four parameters, each a pointer or an integer: by the
 * calling convention they can be handed on without their types, and so can the result.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

typedef long call(long a, long b, long c, long d);

static call *symbol(const char *name)
{
	static void *lib;
	void *at;

	if (!lib)
		lib = dlopen("libmount.so.1", RTLD_NOW);
	at = lib ? dlsym(lib, name) : NULL;
	if (at)
		return (call *)at;
	fprintf(stderr, "%s: %s\n", name, dlerror());
	abort();
}

#define HAND_ON_IF(name, condition)					\
	long name(long a, long b, long c, long d);			\
	long name(long a, long b, long c, long d)			\
	{								\
		static call *at;					\
									\
		if (!at && (condition))					\
			at = symbol(#name);				\
		return at ? at(a, b, c, d) : 0;				\
	}
#define HAND_ON(name)		HAND_ON_IF(name, true)
#define HAND_ON_SOME(name)	HAND_ON_IF(name, a)

HAND_ON(mnt_context_get_excode)
HAND_ON(mnt_context_get_syscall_errno)
HAND_ON(mnt_context_mount)
HAND_ON(mnt_context_set_fstype)
HAND_ON(mnt_context_set_options)
HAND_ON(mnt_context_set_optsmode)
HAND_ON(mnt_context_set_source)
HAND_ON(mnt_context_set_target)
HAND_ON(mnt_context_umount)
HAND_ON(mnt_fs_get_devno)
HAND_ON(mnt_fs_get_fstype)
HAND_ON(mnt_fs_get_id)
HAND_ON(mnt_fs_get_options)
HAND_ON(mnt_fs_get_parent_id)
HAND_ON(mnt_fs_get_root)
HAND_ON(mnt_fs_get_srcpath)
HAND_ON(mnt_fs_get_target)
HAND_ON(mnt_fs_get_userdata)
HAND_ON(mnt_fs_set_userdata)
HAND_ON(mnt_new_context)
HAND_ON(mnt_new_iter)
HAND_ON(mnt_new_table)
HAND_ON(mnt_new_table_from_file)
HAND_ON(mnt_table_find_devno)
HAND_ON(mnt_table_get_nents)
HAND_ON(mnt_table_next_fs)
HAND_ON(mnt_table_parse_mtab)

/* Called for nothing as well. */
HAND_ON_SOME(mnt_free_context)
HAND_ON_SOME(mnt_free_iter)
HAND_ON_SOME(mnt_unref_table)
