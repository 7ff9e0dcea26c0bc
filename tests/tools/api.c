// SPDX-License-Identifier: GPL-2.0
/*
 * The fake API sockets. Strict where the real ones are: another method, path or
 * body than those documented is an error, and so is what the machine's state does
 * not allow.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "api.h"

struct request {
	char text[4096];
	char method[16], path[128];
	const char *body;
};

struct answer {
	int code;
	const char *text;
};

static struct {
	enum api_kind kind;
	enum api_state state;
	int fd;
	pthread_t thread;
} api;

char api_asked[1024];

/* ---- What they answer ---- */

static const struct answer done = { 204, "" };

/* PATCH /vm {"state": "Paused" or "Resumed"} */
static struct answer firecracker(const struct request *r)
{
	struct json_object *body, *value;
	const char *state = "";
	enum api_state wanted;

	if (strcmp(r->method, "PATCH") || strcmp(r->path, "/vm"))
		return (struct answer){ 400,
			"{\"fault_message\":\"Invalid request method and/or path.\"}" };
	body = json_tokener_parse(r->body);
	if (json_object_object_get_ex(body, "state", &value))
		state = json_object_get_string(value);
	wanted = !strcmp(state, "Paused") ? API_PAUSED :
		 !strcmp(state, "Resumed") ? API_RUNNING : API_NOT_STARTED;
	json_object_put(body);
	if (wanted == API_NOT_STARTED)
		return (struct answer){ 400, "{\"fault_message\":\"No such state.\"}" };
	if (api.state == API_NOT_STARTED)
		return (struct answer){ 400,
			"{\"fault_message\":\"The microVM is not started.\"}" };
	api.state = wanted;
	return done;
}

/* PUT /api/v1/vm.pause, vm.resume and vm.reboot */
static struct answer cloud_hypervisor(const struct request *r)
{
	const char *prefix = "/api/v1/vm.", *what = r->path + strlen(prefix);

	if (strncmp(r->path, prefix, strlen(prefix)))
		return (struct answer){ 404, "" };
	if (strcmp(r->method, "PUT"))
		return (struct answer){ 400, "" };
	if (!strcmp(what, "pause")) {
		if (api.state != API_RUNNING)
			return (struct answer){ 405, "The VM is not running" };
		api.state = API_PAUSED;
	} else if (!strcmp(what, "resume")) {
		if (api.state != API_PAUSED)
			return (struct answer){ 405, "The VM is not paused" };
		api.state = API_RUNNING;
	} else if (!strcmp(what, "reboot")) {
		if (api.state == API_NOT_STARTED)
			return (struct answer){ 405, "The VM is not booted" };
		api.state = API_RUNNING;
	} else {
		return (struct answer){ 404, "" };
	}
	return done;
}

/* ---- HTTP ---- */

/* Until the head and as many bytes as it says are there. */
static bool take(int fd, struct request *r)
{
	size_t len = 0, length = 0;
	const char *end = NULL, *field;
	ssize_t got;

	while (!end || len < (size_t)(end - r->text) + length) {
		got = recv(fd, r->text + len, sizeof(r->text) - 1 - len, 0);
		if (got <= 0)
			return false;
		len += (size_t)got;
		r->text[len] = '\0';
		end = strstr(r->text, "\r\n\r\n");
		if (!end)
			continue;
		end += 4;
		field = strcasestr(r->text, "\r\nContent-Length:");
		if (field && field < end)
			sscanf(field + 17, "%zu", &length);
	}
	r->body = end;
	return sscanf(r->text, "%15s %127s HTTP/1.1", r->method, r->path) == 2;
}

static void serve(int fd)
{
	size_t len = strlen(api_asked);
	struct request r;
	struct answer a;

	if (!take(fd, &r))
		return;
	snprintf(api_asked + len, sizeof(api_asked) - len, "%s %s%s%s\n", r.method,
		 r.path, *r.body ? " " : "", r.body);
	a = api.kind == API_FIRECRACKER ? firecracker(&r) : cloud_hypervisor(&r);
	if (a.code == 204)
		dprintf(fd, "HTTP/1.1 204\r\nServer: API\r\nConnection: keep-alive\r\n\r\n");
	else
		dprintf(fd, "HTTP/1.1 %d\r\nServer: API\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s", a.code, strlen(a.text), a.text);
}

static void *listener(void *unused)
{
	int fd;

	while ((fd = accept(api.fd, NULL, NULL)) >= 0) {
		serve(fd);
		close(fd);
	}
	return unused;
}

void api_start(const char *path, enum api_kind kind, enum api_state state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	cr_assert_lt(strlen(path), sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	unlink(path);
	api.kind = kind;
	api.state = state;
	api.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(api.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(api.fd, 8), 0);
	cr_assert_eq(pthread_create(&api.thread, NULL, listener, NULL), 0);
}

void api_stop(void)
{
	shutdown(api.fd, SHUT_RDWR);
	pthread_join(api.thread, NULL);
	close(api.fd);
}

enum api_state api_state(void)
{
	return api.state;
}
