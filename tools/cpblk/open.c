// SPDX-License-Identifier: GPL-2.0
/*
 * cpblk open: brings up a store.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

static const char about[] =
	"Brings up the store that is on METADATA and DATA, two block devices or files,\n"
	"and the disks of its volumes. Loads the kernel module if that is needed.";

/* Runs modprobe; what it says goes to stderr. */
static bool load_module(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		execlp("modprobe", "modprobe", "cpblk", NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return child > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
}

static int connect_or_load(struct tool *tool)
{
	struct cpblk_error err;

	if (!cpblk_connect(&tool->link, &err))
		return DONE;
	if (err.code == ENOENT && geteuid())
		return refuse("%s, and only root can load it", err.text);
	if (err.code == ENOENT && !load_module())
		return refuse("the kernel module cpblk cannot be loaded: install it with 'make install' for this kernel, or load it with insmod");
	if (cpblk_connect(&tool->link, &err))
		return refuse("%s", err.text);
	return DONE;
}

/* What the two hold instead, as a help after "this is no store". */
static void tell_content(const char *meta, const char *data)
{
	char meta_text[USE_MAX] = "", data_text[USE_MAX] = "";
	int meta_fd = open(meta, O_RDONLY | O_CLOEXEC);
	int data_fd = open(data, O_RDONLY | O_CLOEXEC);

	if (meta_fd >= 0)
		probe_device(meta_fd, meta_text);
	if (data_fd >= 0)
		probe_device(data_fd, data_text);
	refuse("%s holds %s, %s %s; METADATA comes first, then DATA", meta,
	       meta_text[0] ? meta_text : "nothing known", data,
	       data_text[0] ? data_text : "nothing known");
	if (meta_fd >= 0)
		close(meta_fd);
	if (data_fd >= 0)
		close(data_fd);
}

static int report(struct tool *tool, const char *store)
{
	struct cpblk_volume_info *volumes;
	struct table t = { .columns = 3, .right = 1U << 1 };
	struct cpblk_error err;
	char size[TEXT_MAX];
	size_t nr, i;

	if (cpblk_volume_list(tool->link, store, &volumes, &nr, &err))
		return refuse("store %s is open, but its volumes cannot be listed: %s",
			      store, err.text);
	printf("store %s is open", store);
	if (nr)
		printf(", %zu volume%s\n", nr, nr == 1 ? "" : "s");
	else
		printf("; 'cpblk create VOLUME SIZE' makes a volume\n");
	for (i = 0; i < nr; i++) {
		table_cell(&t, "  %s", volumes[i].name);
		table_cell(&t, "%s", show_size(volumes[i].size, size));
		table_cell(&t, "%s", device_link(store, volumes[i].name,
						 volumes[i].device));
	}
	free(volumes);
	t.columns = nr ? 3 : 1;
	return table_end(&t);
}

int cmd_open(struct tool *tool, int argc, char **argv)
{
	struct cpblk_store_info info;
	struct loop meta = { .fd = -1 }, data = { .fd = -1 };
	struct cpblk_error err;
	bool readonly = false;
	const struct option_row rows[] = {
		{ 'r', "read-only", NULL, "write nothing to METADATA and DATA",
		  OPTION_FLAG, &readonly },
	};
	int rc = OPTIONS(tool, &argc, &argv, rows, about, 2, 2);

	if (rc >= 0)
		return rc;
	if (connect_or_load(tool))
		return FAILED;
	rc = loop_open(argv[0], readonly, &meta);
	if (rc == DONE)
		rc = loop_open(argv[1], readonly, &data);
	if (rc == DONE && cpblk_store_open(tool->link, meta.path, data.path,
					   readonly ? CPBLK_OPEN_READONLY : 0,
					   &info, &err)) {
		rc = refuse("cannot open the store on %s and %s: %s", argv[0],
			    argv[1], err.text);
		if (err.code == EINVAL || err.code == ENODEV)
			tell_content(argv[0], argv[1]);
	}
	/* The driver has them open now, or nobody has and they go away. */
	if (meta.fd >= 0)
		close(meta.fd);
	if (data.fd >= 0)
		close(data.fd);
	return rc == DONE ? report(tool, info.name) : rc;
}
