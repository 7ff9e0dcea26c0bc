// SPDX-License-Identifier: GPL-2.0
/*
 * The fake libcpblk. It keeps numbers as the driver does: checkpoints and heads
 * share one counter, and a checkpoint takes the head's place in the history.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake.h"

#define MANY 4096
#define GIB (1ULL << 30)

struct cpblk {
	int unused;
};

static struct {
	bool no_driver;
	struct cpblk_store_info stores[8];
	size_t nr_stores;
	struct cpblk_volume_info volumes[MANY];
	size_t nr_volumes;
	struct cpblk_checkpoint_info checkpoints[MANY];
	size_t nr_checkpoints;
	uint64_t next_id, now;
	int code;
	const char *text;
} fake;

char fake_asked[512];
char *out, *err;

void fake_reset(void)
{
	struct timespec now;

	memset(&fake, 0, sizeof(fake));
	clock_gettime(CLOCK_REALTIME, &now);
	fake.now = (uint64_t)now.tv_sec * 1000000000ULL;
	fake.next_id = 1;
	fake_asked[0] = '\0';
	fake_store("tank");
}

void fake_end(void)
{
	free(out);
	free(err);
	out = NULL;
	err = NULL;
}

void fake_store(const char *name)
{
	struct cpblk_store_info *s = &fake.stores[fake.nr_stores++];

	strcpy(s->name, name);
	strcpy(s->meta_path, "/dev/vda");
	strcpy(s->data_path, "/dev/vdb");
	s->chunk_size = 4096;
	s->meta_size = 256ULL << 20;
	s->data_size = 4ULL << 30;
	s->data_used = 1ULL << 30;
	s->options[CPBLK_OPTION_WARN_DATA] = 80;
	s->options[CPBLK_OPTION_FLUSH_INTERVAL] = 16;
}

void fake_reclaiming(uint64_t points)
{
	struct cpblk_store_info *s = &fake.stores[0];

	s->reclaim_points = points;
	s->reclaim_left = 3 << 20;
	s->reclaim_done = 1 << 20;
	s->reclaim_ms = 1500;
}

void fake_no_driver(void)
{
	fake.no_driver = true;
}

struct cpblk_volume_info *fake_volume_named(const char *name)
{
	size_t i;

	for (i = 0; i < fake.nr_volumes; i++) {
		if (!strcmp(fake.volumes[i].name, name))
			return &fake.volumes[i];
	}
	return NULL;
}

struct cpblk_checkpoint_info *fake_checkpoint(uint64_t id)
{
	size_t i;

	for (i = 0; i < fake.nr_checkpoints; i++) {
		if (fake.checkpoints[i].id == id)
			return &fake.checkpoints[i];
	}
	return NULL;
}

uint64_t fake_volume(const char *store, const char *name, uint64_t size)
{
	struct cpblk_volume_info *v = &fake.volumes[fake.nr_volumes];

	strcpy(v->store, store);
	strcpy(v->name, name);
	snprintf(v->device, sizeof(v->device), "cpblk%zu", fake.nr_volumes);
	v->id = ++fake.nr_volumes;
	v->size = size;
	v->created = fake.now + fake.nr_volumes;
	v->head_id = fake.next_id++;
	return v->id;
}

uint64_t fake_snap(const char *volume, const char *name, unsigned int minutes,
		   uint64_t written, const char *message)
{
	struct cpblk_checkpoint_info *c = &fake.checkpoints[fake.nr_checkpoints++];
	struct cpblk_volume_info *v = fake_volume_named(volume);
	struct cpblk_checkpoint_info *parent = fake_checkpoint(v->parent_id);

	strcpy(c->store, v->store);
	strcpy(c->volume, v->name);
	strcpy(c->name, name);
	if (message)
		strcpy(c->message, message);
	c->id = fake.next_id++;
	c->volume_id = v->id;
	c->parent_id = v->parent_id;
	c->time = fake.now - minutes * MINUTE;
	c->size = v->size;
	c->written = written;
	c->referenced = written + (parent ? parent->referenced : 0);
	c->children = 1;
	v->parent_id = c->id;
	return c->id;
}

uint64_t fake_restore(const char *volume, uint64_t id, unsigned int minutes)
{
	struct cpblk_volume_info *v = fake_volume_named(volume);
	char name[CPBLK_NAME_MAX + 1];
	uint64_t safety;

	v->generation++;
	snprintf(name, sizeof(name), "r%llu",
		 (unsigned long long)v->generation);
	safety = fake_snap(volume, name, minutes, 0, NULL);
	fake_checkpoint(safety)->flags |= CPBLK_POINT_SAFETY;
	fake_checkpoint(safety)->children = 0;
	fake_checkpoint(id)->children++;
	v->undo_id = safety;
	v->parent_id = id;
	return safety;
}

uint64_t fake_fork(uint64_t id, const char *name)
{
	struct cpblk_checkpoint_info *c = fake_checkpoint(id);
	uint64_t volume = fake_volume(c->store, name, c->size);

	c->children++;
	fake_volume_named(name)->parent_id = id;
	return volume;
}

void fake_hide(uint64_t id)
{
	fake_checkpoint(id)->flags |= CPBLK_POINT_HIDDEN;
	fake_checkpoint(id)->name[0] = '\0';
}

void fake_refuse(int code, const char *text)
{
	fake.code = code;
	fake.text = text;
}

/* ---- The library ---- */

static int refuse_with(struct cpblk_error *error, int code, const char *text)
{
	if (error) {
		error->code = code;
		snprintf(error->text, sizeof(error->text), "%s", text);
	}
	return -code;
}

/* A request that changes something: kept for the test, refused if it says so. */
static int __attribute__((format(printf, 2, 3)))
asked(struct cpblk_error *error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(fake_asked, sizeof(fake_asked), fmt, args);
	va_end(args);
	if (!fake.code)
		return 0;
	return refuse_with(error, fake.code, fake.text);
}

int cpblk_connect(struct cpblk **link, struct cpblk_error *error)
{
	*link = NULL;
	if (fake.no_driver)
		return refuse_with(error, ENOENT, "the kernel module cpblk is not loaded");
	*link = calloc(1, sizeof(**link));
	return 0;
}

void cpblk_disconnect(struct cpblk *link)
{
	free(link);
}

int cpblk_store_open(struct cpblk *link, const char *meta, const char *data,
		     unsigned int flags, struct cpblk_store_info *info,
		     struct cpblk_error *error)
{
	(void)link;
	*info = fake.stores[0];
	return asked(error, "open %s %s %u", meta, data, flags);
}

int cpblk_store_close(struct cpblk *link, const char *store,
		      struct cpblk_error *error)
{
	(void)link;
	return asked(error, "close %s", store);
}

int cpblk_store_sync(struct cpblk *link, const char *store, unsigned int flags,
		     struct cpblk_error *error)
{
	(void)link;
	return asked(error, "sync %s %u", store, flags);
}

/* What is left to reclaim becomes less each time. */
int cpblk_store_get(struct cpblk *link, const char *store,
		    struct cpblk_store_info *info, struct cpblk_error *error)
{
	(void)link;
	(void)store;
	(void)error;
	*info = fake.stores[0];
	if (info->reclaim_points)
		fake.stores[0].reclaim_points--;
	return 0;
}

int cpblk_store_list(struct cpblk *link, struct cpblk_store_info **list, size_t *nr,
		     struct cpblk_error *error)
{
	(void)link;
	(void)error;
	*nr = fake.nr_stores;
	*list = malloc(sizeof(fake.stores));
	memcpy(*list, fake.stores, sizeof(fake.stores));
	return 0;
}

int cpblk_volume_create(struct cpblk *link, const char *store, const char *volume,
			uint64_t size, unsigned int flags,
			struct cpblk_new_volume *made, struct cpblk_error *error)
{
	int rc = asked(error, "create %s %s %llu %u", store, volume,
		       (unsigned long long)size, flags);

	(void)link;
	memset(made, 0, sizeof(*made));
	if (rc)
		return rc;
	made->id = fake_volume(store, volume, size);
	strcpy(made->name, volume);
	strcpy(made->device, fake_volume_named(volume)->device);
	return 0;
}

int cpblk_volume_remove(struct cpblk *link, const char *store, const char *volume,
			unsigned int flags, struct cpblk_error *error)
{
	(void)link;
	return asked(error, "remove %s %s %u", store, volume, flags);
}

int cpblk_volume_resize(struct cpblk *link, const char *store, const char *volume,
			uint64_t size, struct cpblk_error *error)
{
	(void)link;
	return asked(error, "resize %s %s %llu", store, volume,
		     (unsigned long long)size);
}

int cpblk_volume_get(struct cpblk *link, const char *store, const char *volume,
		     struct cpblk_volume_info *info, struct cpblk_error *error)
{
	struct cpblk_volume_info *v = fake_volume_named(volume);

	(void)link;
	if (!v || strcmp(v->store, store))
		return refuse_with(error, ENOENT, "no volume");
	*info = *v;
	return 0;
}

int cpblk_volume_list(struct cpblk *link, const char *store,
		      struct cpblk_volume_info **list, size_t *nr,
		      struct cpblk_error *error)
{
	size_t i;

	(void)link;
	(void)error;
	*list = calloc(fake.nr_volumes + 1, sizeof(**list));
	*nr = 0;
	for (i = 0; i < fake.nr_volumes; i++) {
		if (!store || !strcmp(fake.volumes[i].store, store))
			(*list)[(*nr)++] = fake.volumes[i];
	}
	return 0;
}

int cpblk_snap(struct cpblk *link, const char *store, struct cpblk_snap *snap,
	       struct cpblk_error *error)
{
	int rc = asked(error, "snap %s %zu %s %s %s %u", store, snap->nr,
		       snap->volumes[0], snap->name ? snap->name : "-",
		       snap->message ? snap->message : "-", snap->flags);
	struct cpblk_taken *taken;
	size_t i;

	(void)link;
	if (rc)
		return rc;
	snap->taken = calloc(snap->nr, sizeof(*snap->taken));
	snap->nr_taken = snap->nr;
	snap->total_ns = 1300000;
	for (i = 0; i < snap->nr; i++) {
		taken = &snap->taken[i];
		strcpy(taken->volume, snap->volumes[i]);
		strcpy(taken->name, snap->name ? snap->name : "v1");
		taken->id = fake_snap(taken->volume, taken->name, 0, 0, NULL);
	}
	return 0;
}

int cpblk_restore(struct cpblk *link, const char *store, const char *volume,
		  uint64_t id, unsigned int flags, const uint64_t *if_generation,
		  struct cpblk_restored *result, struct cpblk_error *error)
{
	int rc = asked(error, "restore %s %s %llu %u %lld", store, volume,
		       (unsigned long long)id, flags,
		       if_generation ? (long long)*if_generation : -1);

	(void)link;
	memset(result, 0, sizeof(*result));
	if (rc)
		return rc;
	if (!(flags & CPBLK_RESTORE_NO_SAFETY)) {
		result->safety_id = fake_restore(volume, id, 0);
		strcpy(result->safety, fake_checkpoint(result->safety_id)->name);
	}
	result->size = fake_checkpoint(id)->size;
	result->generation = fake_volume_named(volume)->generation;
	result->freeze_ns = 250000;
	result->total_ns = 2000000;
	return 0;
}

/* Names, each with a space before it. */
static const char *joined(const char *const *names, size_t nr, char text[256])
{
	int n = 0;

	text[0] = '\0';
	while (nr--)
		n += snprintf(text + n, 256 - (size_t)n, " %s", *names++);
	return text;
}

int cpblk_fork_many(struct cpblk *link, const char *store, uint64_t id,
		    const char *const *volumes, size_t nr, unsigned int flags,
		    struct cpblk_member **made, struct cpblk_error *error)
{
	char text[256];
	size_t i;
	int rc = asked(error, "fork %s %llu%s %u", store, (unsigned long long)id,
		       joined(volumes, nr, text), flags);

	(void)link;
	*made = NULL;
	if (rc)
		return rc;
	*made = calloc(nr, sizeof(**made));
	for (i = 0; i < nr; i++) {
		(*made)[i].volume_id = fake_fork(id, volumes[i]);
		strcpy((*made)[i].volume, volumes[i]);
		strcpy((*made)[i].device, fake_volume_named(volumes[i])->device);
	}
	return 0;
}

int cpblk_group_set(struct cpblk *link, const char *store, const char *const *volumes,
		    size_t nr, const char *group, struct cpblk_error *error)
{
	char text[256];
	size_t i;
	int rc = asked(error, "group %s%s %s", store, joined(volumes, nr, text),
		       group ? group : "-");

	(void)link;
	for (i = 0; i < nr && !rc; i++)
		strcpy(fake_volume_named(volumes[i])->group, group ? group : "");
	return rc;
}

int cpblk_restore_many(struct cpblk *link, const char *store,
		       struct cpblk_restore_many *r, struct cpblk_error *error)
{
	struct cpblk_member *m;
	char text[256];
	size_t i;
	int rc = asked(error, "restore %s%s %llu %u", store,
		       joined(r->volumes, r->nr, text), (unsigned long long)r->ids[0],
		       r->flags);

	(void)link;
	r->members = NULL;
	r->nr_members = 0;
	if (rc)
		return rc;
	r->members = calloc(r->nr, sizeof(*r->members));
	r->nr_members = r->nr;
	for (i = 0; i < r->nr; i++) {
		m = &r->members[i];
		m->safety_id = fake_restore(r->volumes[i], r->ids[i], 0);
		strcpy(m->volume, r->volumes[i]);
		strcpy(m->checkpoint, fake_checkpoint(r->ids[i])->name);
		strcpy(m->safety, fake_checkpoint(m->safety_id)->name);
	}
	return 0;
}

int cpblk_checkpoint_get(struct cpblk *link, const char *store, const char *volume,
			 const char *name, uint64_t id,
			 struct cpblk_checkpoint_info *info,
			 struct cpblk_error *error)
{
	const struct cpblk_checkpoint_info *c;
	size_t i;

	(void)link;
	for (i = 0; i < fake.nr_checkpoints; i++) {
		c = &fake.checkpoints[i];
		if (strcmp(c->store, store))
			continue;
		if (name ? !strcmp(c->volume, volume) && !strcmp(c->name, name) :
			   c->id == id) {
			*info = *c;
			return 0;
		}
	}
	return refuse_with(error, ENOENT, "no checkpoint");
}

int cpblk_checkpoint_list(struct cpblk *link, const char *store, const char *volume,
			  struct cpblk_checkpoint_info **list, size_t *nr,
			  struct cpblk_error *error)
{
	const struct cpblk_checkpoint_info *c;
	size_t i;

	(void)link;
	(void)error;
	*list = calloc(fake.nr_checkpoints + 1, sizeof(**list));
	*nr = 0;
	for (i = 0; i < fake.nr_checkpoints; i++) {
		c = &fake.checkpoints[i];
		if ((!store || !strcmp(c->store, store)) &&
		    (!volume || !strcmp(c->volume, volume)))
			(*list)[(*nr)++] = *c;
	}
	return 0;
}

int cpblk_checkpoint_delete(struct cpblk *link, const char *store,
			    const uint64_t *ids, size_t nr, struct cpblk_error *error)
{
	char list[sizeof(fake_asked)] = "";
	size_t i, n = 0;

	(void)link;
	if (!nr)
		return 0;
	for (i = 0; i < nr && n < sizeof(list) - 24; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, " %llu",
				      (unsigned long long)ids[i]);
	return asked(error, "delete %.64s%.400s", store, list);
}

/* As if nobody shared anything. */
int cpblk_cost(struct cpblk *link, const char *store, const uint64_t *ids, size_t nr,
	       uint64_t *bytes, struct cpblk_error *error)
{
	const struct cpblk_checkpoint_info *c;

	(void)link;
	(void)store;
	(void)error;
	for (*bytes = 0; nr--; ids++) {
		c = fake_checkpoint(*ids);
		*bytes += c ? c->written : GIB;
	}
	return 0;
}

int cpblk_hold(struct cpblk *link, const char *store, uint64_t id,
	       const char *reason, struct cpblk_error *error)
{
	struct cpblk_checkpoint_info *c = fake_checkpoint(id);

	(void)link;
	c->flags |= CPBLK_POINT_HELD;
	strcpy(c->hold, reason);
	return asked(error, "hold %s %llu %s", store, (unsigned long long)id, reason);
}

int cpblk_release(struct cpblk *link, const char *store, uint64_t id,
		  struct cpblk_error *error)
{
	(void)link;
	fake_checkpoint(id)->flags &= ~CPBLK_POINT_HELD;
	return asked(error, "release %s %llu", store, (unsigned long long)id);
}

int cpblk_options_set(struct cpblk *link, const char *store,
		      const struct cpblk_setting *settings, size_t nr,
		      struct cpblk_error *error)
{
	char text[256];
	size_t i, at = 0;

	(void)link;
	for (i = 0; i < nr; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %d=%u",
				       (int)settings[i].option, settings[i].value);
	return asked(error, "set %s%s", store, text);
}

int cpblk_grow(struct cpblk *link, const char *store, struct cpblk_store_info *info,
	       struct cpblk_error *error)
{
	(void)link;
	memset(info, 0, sizeof(*info));
	info->meta_size = 256ULL << 20;
	info->data_size = 8ULL << 30;
	return asked(error, "grow %s", store);
}

int cpblk_policy_set(struct cpblk *link, const char *store, const char *volume,
		     const struct cpblk_retention *p, struct cpblk_error *error)
{
	(void)link;
	fake_volume_named(volume)->policy = *p;
	return asked(error, "policy %s %s %u %u %u %u %u %llu", store, volume, p->last,
		     p->hourly, p->daily, p->weekly, p->monthly,
		     (unsigned long long)p->max_age);
}

int cpblk_attach(struct cpblk *link, const char *store, uint64_t id,
		 char device[CPBLK_DEVICE_MAX + 1], struct cpblk_error *error)
{
	(void)link;
	strcpy(device, "cpblk99");
	return asked(error, "attach %s %llu", store, (unsigned long long)id);
}

int cpblk_detach(struct cpblk *link, const char *store, uint64_t id,
		 struct cpblk_error *error)
{
	(void)link;
	return asked(error, "detach %s %llu", store, (unsigned long long)id);
}

int cpblk_subscribe(struct cpblk *link, struct cpblk_error *error)
{
	(void)link;
	(void)error;
	return 0;
}

/* One of each kind; then the connection ends. */
int cpblk_event_next(struct cpblk *link,
		     int (*fn)(void *arg, const struct cpblk_event_info *event),
		     void *arg, struct cpblk_error *error)
{
	struct cpblk_taken taken[] = {
		{ .volume = "vm1", .name = "v7", .volume_id = 1, .id = 70 },
		{ .volume = "vm2", .name = "v7", .volume_id = 2, .id = 71 },
	};
	struct cpblk_event_info event;
	int type;

	(void)link;
	for (type = CPBLK_EVENT_STORE_OPENED; type <= CPBLK_EVENT_GROWN + 1; type++) {
		memset(&event, 0, sizeof(event));
		event.type = type;
		strcpy(event.store, "tank");
		if (type == CPBLK_EVENT_SNAPPED) {
			event.taken = taken;
			event.nr_taken = 2;
		} else if (type >= CPBLK_EVENT_VOLUME_CREATED) {
			strcpy(event.volume, "vm1");
			strcpy(event.checkpoint, "v3");
			strcpy(event.device, "cpblk0");
		} else if (type == CPBLK_EVENT_STORE_FAILED) {
			strcpy(event.error, "the disk is on fire");
		}
		if (type == CPBLK_EVENT_RESTORED) {
			strcpy(event.safety, "r1");
			event.generation = 1;
		}
		fn(arg, &event);
	}
	memset(&event, 0, sizeof(event));
	event.type = CPBLK_EVENT_RECLAIM;
	strcpy(event.store, "tank");
	event.reclaim_points = 2;
	event.reclaim_left = 3 << 20;
	event.reclaim_done = 1 << 20;
	event.reclaim_ms = 1500;
	fn(arg, &event);
	return refuse_with(error, ECONNRESET, "the end");
}

/* ---- Hooks ---- */

static struct cpblk_hook_event events[8];
static size_t nr_events, told;
static unsigned int hook_timeout;
char fake_answers[512];

void fake_hook_event(int type, unsigned int operation)
{
	struct cpblk_hook_event *event = &events[nr_events++];

	event->type = type;
	event->operation = operation;
	event->token = 7;
	strcpy(event->store, "tank");
}

void fake_note(const char *what, const char *more)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	size_t len;

	pthread_mutex_lock(&lock);
	len = strlen(fake_answers);
	snprintf(fake_answers + len, sizeof(fake_answers) - len, "%s%s\n", what, more);
	pthread_mutex_unlock(&lock);
}

static int answered(const char *what, const char *reason, struct cpblk_error *error)
{
	fake_note(what, reason);
	return asked(error, "hook %s%s", what, reason);
}

int cpblk_hook_register(struct cpblk *link, const char *store,
			const struct cpblk_hook *hook, uint64_t *id,
			struct cpblk_error *error)
{
	(void)link;
	(void)store;
	*id = 1;
	hook_timeout = hook->timeout;
	return asked(error, "hook");
}

/* After the last event the agent is interrupted: it would wait for ever. */
int cpblk_hook_next(struct cpblk *link, int timeout, struct cpblk_hook_event *event,
		    struct cpblk_error *error)
{
	static struct cpblk_member member = { .volume = "vm1", .device = "cpblk0" };
	struct timespec now;

	(void)link;
	(void)timeout;
	(void)error;
	if (told == nr_events) {
		raise(SIGTERM);
		return 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	*event = events[told++];
	event->deadline = (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec +
			  hook_timeout * 1000000ULL;
	event->members = &member;
	event->nr_members = 1;
	return 1;
}

int cpblk_event_fd(struct cpblk *link)
{
	(void)link;
	return -1;
}

void cpblk_hook_event_free(struct cpblk_hook_event *event)
{
	(void)event;
}

int cpblk_hook_ready(struct cpblk *link, uint64_t hook, uint64_t token,
		     struct cpblk_error *error)
{
	(void)link;
	(void)hook;
	(void)token;
	return answered("ready", "", error);
}

int cpblk_hook_refuse(struct cpblk *link, uint64_t hook, uint64_t token,
		      const char *reason, struct cpblk_error *error)
{
	(void)link;
	(void)hook;
	(void)token;
	return answered("refuse: ", reason, error);
}

/* ---- The program ---- */

int run(const char *command, ...)
{
	FILE *real_out = stdout, *real_err = stderr;
	char *argv[32] = { "cpblk" }, *copies[32];
	size_t out_size, err_size;
	int argc = 1, rc, i;
	const char *arg;
	va_list args;

	va_start(args, command);
	for (arg = command; arg; arg = va_arg(args, const char *)) {
		/* Commands may take their arguments apart, and getopt sorts them. */
		copies[argc] = strdup(arg);
		argv[argc] = copies[argc];
		argc++;
	}
	va_end(args);
	fake_end();
	stdout = open_memstream(&out, &out_size);
	stderr = open_memstream(&err, &err_size);
	rc = tool_main(argc, argv);
	fclose(stdout);
	fclose(stderr);
	stdout = real_out;
	stderr = real_err;
	for (i = 1; i < argc; i++)
		free(copies[i]);
	return rc;
}
