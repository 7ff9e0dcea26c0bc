// SPDX-License-Identifier: GPL-2.0
/*
 * The examples for cpblk hook exec, run by it: what they ask a hypervisor's API
 * for, and what becomes of its answers.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "fake.h"

#define says(text, part) \
	cr_expect_not_null(strstr(text, part), "'%s' is not in '%s'", part, text)

static char folder[] = "/tmp/cpblk-hooks-XXXXXX";
static char socket_path[64], restarts[64], systemctl[64];

/* A systemctl that keeps what it was asked for in a file. */
static void setup(void)
{
	char path[256];
	FILE *file;

	fake_reset();
	fake_volume("tank", "vm1", 1 << 20);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(socket_path, sizeof(socket_path), "%s/api", folder);
	snprintf(restarts, sizeof(restarts), "%s/restarts", folder);
	snprintf(systemctl, sizeof(systemctl), "%s/systemctl", folder);
	file = fopen(systemctl, "w");
	cr_assert_not_null(file);
	fprintf(file, "#!/bin/sh\necho \"$@\" >>%s\n", restarts);
	fclose(file);
	chmod(systemctl, 0755);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder);
	setenv("PATH", path, 1);
}

static void teardown(void)
{
	unlink(socket_path);
	unlink(restarts);
	unlink(systemctl);
	rmdir(folder);
	fake_end();
}

TestSuite(hooks, .init = setup, .fini = teardown, .timeout = 60);

static const char *restarted(void)
{
	static char line[64];
	FILE *file = fopen(restarts, "r");

	line[0] = '\0';
	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	return line;
}

/* An operation from its beginning to its end, with this example as a hook. */
static void operate(const char *example, unsigned int operation, int end)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", EXAMPLES, example);
	fake_hook_event(CPBLK_EVENT_HOOK_PREPARE, operation);
	fake_hook_event(end, operation);
	cr_expect_eq(run("hook", "exec", "vm1", "--", path, socket_path, "machine@vm1",
			 NULL), 0);
}

#define PAUSED	"PATCH /vm {\"state\": \"Paused\"}\n"
#define RESUMED	"PATCH /vm {\"state\": \"Resumed\"}\n"

Test(hooks, firecracker_checkpoint)
{
	api_start(socket_path, API_FIRECRACKER, API_RUNNING);
	operate("hook-firecracker", CPBLK_HOOK_CHECKPOINT, CPBLK_EVENT_HOOK_COMMITTED);
	api_stop();
	cr_expect_str_eq(fake_answers, "ready\n");
	cr_expect_str_eq(api_asked, PAUSED RESUMED);
	cr_expect_eq(api_state(), API_RUNNING);
	cr_expect_str_eq(restarted(), "");
}

/* It cannot be reset, and must not go on. */
Test(hooks, firecracker_restore)
{
	api_start(socket_path, API_FIRECRACKER, API_RUNNING);
	operate("hook-firecracker", CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_COMMITTED);
	api_stop();
	cr_expect_str_eq(fake_answers, "ready\n");
	cr_expect_str_eq(api_asked, PAUSED);
	cr_expect_eq(api_state(), API_PAUSED);
	cr_expect_str_eq(restarted(), "restart machine@vm1\n");
}

Test(hooks, firecracker_aborted)
{
	api_start(socket_path, API_FIRECRACKER, API_RUNNING);
	operate("hook-firecracker", CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_ABORTED);
	api_stop();
	cr_expect_str_eq(api_asked, PAUSED RESUMED);
	cr_expect_eq(api_state(), API_RUNNING);
	cr_expect_str_eq(restarted(), "");
}

Test(hooks, firecracker_refuses)
{
	api_start(socket_path, API_FIRECRACKER, API_NOT_STARTED);
	operate("hook-firecracker", CPBLK_HOOK_CHECKPOINT, CPBLK_EVENT_HOOK_ABORTED);
	api_stop();
	cr_expect_str_eq(fake_answers,
			 "refuse: Firecracker refuses: The microVM is not started.\n");
	/* That it can't go on either is said too, and no reason to end. */
	says(out, "aborted: Firecracker refuses");
}

Test(hooks, cloud_hypervisor_checkpoint)
{
	api_start(socket_path, API_CLOUD_HYPERVISOR, API_RUNNING);
	operate("hook-cloud-hypervisor", CPBLK_HOOK_CHECKPOINT,
		CPBLK_EVENT_HOOK_COMMITTED);
	api_stop();
	cr_expect_str_eq(fake_answers, "ready\n");
	cr_expect_str_eq(api_asked, "PUT /api/v1/vm.pause\nPUT /api/v1/vm.resume\n");
	cr_expect_eq(api_state(), API_RUNNING);
}

Test(hooks, cloud_hypervisor_restore)
{
	api_start(socket_path, API_CLOUD_HYPERVISOR, API_RUNNING);
	operate("hook-cloud-hypervisor", CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_COMMITTED);
	api_stop();
	cr_expect_str_eq(fake_answers, "ready\n");
	cr_expect_str_eq(api_asked, "PUT /api/v1/vm.pause\nPUT /api/v1/vm.reboot\n");
	cr_expect_eq(api_state(), API_RUNNING);
}

Test(hooks, cloud_hypervisor_aborted)
{
	api_start(socket_path, API_CLOUD_HYPERVISOR, API_RUNNING);
	operate("hook-cloud-hypervisor", CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_ABORTED);
	api_stop();
	cr_expect_str_eq(api_asked, "PUT /api/v1/vm.pause\nPUT /api/v1/vm.resume\n");
	cr_expect_eq(api_state(), API_RUNNING);
}

Test(hooks, cloud_hypervisor_refuses)
{
	api_start(socket_path, API_CLOUD_HYPERVISOR, API_NOT_STARTED);
	operate("hook-cloud-hypervisor", CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_ABORTED);
	api_stop();
	cr_expect_str_eq(fake_answers,
			 "refuse: cloud-hypervisor refuses: The VM is not running\n");
}

/* No socket: there is no machine to ask. */
Test(hooks, no_socket)
{
	operate("hook-firecracker", CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers, "ready\n");
	cr_expect_str_eq(restarted(), "restart machine@vm1\n");
}

Test(hooks, no_socket_cloud_hypervisor)
{
	operate("hook-cloud-hypervisor", CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_COMMITTED);
	cr_expect_str_eq(fake_answers, "ready\n");
}

/* A socket that nobody listens on any more: it can't be known what runs. */
static void dead(const char *example)
{
	char reason[160];

	api_start(socket_path, API_FIRECRACKER, API_RUNNING);
	api_stop();
	operate(example, CPBLK_HOOK_RESTORE, CPBLK_EVENT_HOOK_ABORTED);
	snprintf(reason, sizeof(reason), "refuse: no answer on %s\n", socket_path);
	cr_expect_str_eq(fake_answers, reason);
	cr_expect_str_eq(restarted(), "");
}

Test(hooks, dead_socket)
{
	dead("hook-firecracker");
}

Test(hooks, dead_socket_cloud_hypervisor)
{
	dead("hook-cloud-hypervisor");
}
