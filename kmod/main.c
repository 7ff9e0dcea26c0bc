// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk: block devices with checkpoints that are as cheap as a commit and a
 * restore that is as ordinary as a checkout. Start and end of the module.
 */
#include <linux/module.h>

#include <linux/cpblk.h>

#include "cpblk.h"
#include "hook.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/**
 * cpblk_refuse() - say why something is not done
 * @why: gets the sentence; has room for CPB_ERROR_LEN bytes
 * @err: what it comes with
 * @fmt: the sentence
 *
 * Return: @err
 */
int cpblk_refuse(char *why, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, CPB_ERROR_LEN, fmt, args);
	va_end(args);
	return err;
}

static int __init cpblk_init(void)
{
	int ret = cpblk_hook_init();

	if (ret)
		return ret;
	ret = genl_register_family(&cpblk_genl_family);
	if (ret)
		cpblk_hook_exit();
	return ret;
}

/* An open store holds the module, so there is none here. */
static void __exit cpblk_exit(void)
{
	genl_unregister_family(&cpblk_genl_family);
	cpblk_hook_exit();
	cpblk_disk_exit();
}

module_init(cpblk_init);
module_exit(cpblk_exit);

MODULE_DESCRIPTION("Block devices with checkpoints");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY(CPBLK_GENL_NAME);
