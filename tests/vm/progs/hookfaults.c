// SPDX-License-Identifier: GPL-2.0
/*
 * Faults in the handshake with hooks: hookfaults STORE VOLUME OTHER
 *
 * Each fault is played with a checkpoint and with a restore of VOLUME, with a
 * hook that aborts when it is silent and with one that does not. Beside the hook
 * under test there is a second one that does as it should. After each fault the
 * operation must have ended as it had to, in time; the volume must be in
 * exactly one of its two states, the one that the hooks were told; no hook may
 * be asked any more, and the volume must be free.
 *
 * Prints how many faults were played, and after how many something was stuck.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/netlink.h>
#include <sys/syscall.h>

#include "prog.h"

#define SHORT	300	/* ms that a hook has that will not answer */
#define LONG	60000	/* and one that will */
#define PATIENT	30000	/* ms until something is stuck */

enum outcome { DONE, ABORTED, EITHER };

/** struct hook - a link with one hook */
struct hook {
	struct cpblk *link;
	uint64_t id, token;
	int ended;		/* how the operation did, as it was told, or 0 */
};

static const char *store, *volume, *other;
static struct cpblk *control;
static unsigned int operation, flags, faults, stuck, wrong, round_nr;
static struct hook hook, second;
static uint64_t base, generation, last_token;
static char name[32], text[CPBLK_ERROR_MAX + 1];
static pid_t requester;
static int result_fd = -1, result;
static uint32_t *request_port;	/* of the requester, in memory that both have */

#define must(call)							\
	do {								\
		struct cpblk_error *err = &last_error;			\
		if (call)						\
			die("%s: %s", #call, err->text);		\
	} while (0)
static struct cpblk_error last_error;

#define complain(...)							\
	do {								\
		fprintf(stderr, "%s of a %s, %s: ", playing,		\
			operation == CPBLK_HOOK_RESTORE ? "restore" :	\
			"checkpoint", flags ? "go on" : "abort");	\
		fprintf(stderr, __VA_ARGS__);				\
		fputc('\n', stderr);					\
		wrong++;						\
	} while (0)
static const char *playing;

/* ---- The two sides ---- */

static void add_hook(struct hook *h, unsigned int timeout, unsigned int how)
{
	struct cpblk_hook what = {
		.volumes = &volume,
		.nr = 1,
		.operations = operation,
		.timeout = timeout,
		.flags = how,
		.label = h == &hook ? "faulty" : "second",
	};

	memset(h, 0, sizeof(*h));
	h->link = must_connect();
	must(cpblk_hook_register(h->link, store, &what, &h->id, err));
}

static void drop_hook(struct hook *h)
{
	cpblk_disconnect(h->link);
	h->link = NULL;
}

/* In a process of its own: what it ends with goes through a pipe. */
static void request(void)
{
	int fds[2];

	snprintf(name, sizeof(name), "f%u", ++round_nr);
	if (pipe(fds))
		die("no pipe");
	requester = fork();
	if (!requester) {
		const char *volumes[] = { volume };
		struct cpblk_snap snap = { .volumes = volumes, .nr = 1, .name = name };
		struct cpblk *link = must_connect();
		struct cpblk_restored restored;
		struct cpblk_error err = { 0 };
		struct sockaddr_nl address;
		socklen_t len = sizeof(address);

		/* Or the hooks' sockets would live as long as this. */
		cpblk_disconnect(hook.link);
		cpblk_disconnect(second.link);
		getsockname(cpblk_event_fd(link), (struct sockaddr *)&address, &len);
		*request_port = address.nl_pid;
		if (operation == CPBLK_HOOK_RESTORE)
			cpblk_restore(link, store, volume, base,
				      CPBLK_RESTORE_NO_SAFETY, NULL, &restored, &err);
		else
			cpblk_snap(link, store, &snap, &err);
		if (write(fds[1], &err, sizeof(err)) != sizeof(err))
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	result_fd = fds[0];
}

static void result_of_request(void)
{
	struct cpblk_error err = { .code = EINTR };

	if (read(result_fd, &err, sizeof(err)) < 0)
		die("cannot read from the requester");
	close(result_fd);
	waitpid(requester, NULL, 0);
	result = err.code;
	strcpy(text, err.text);
}

/* The next thing that a hook is told: its type, or 0 if nothing comes. */
static int hear(struct hook *h, int timeout)
{
	struct cpblk_hook_event event;
	int type, rc = cpblk_hook_next(h->link, timeout, &event, &last_error);

	if (rc <= 0)
		return rc;
	type = event.type;
	if (type == CPBLK_EVENT_HOOK_PREPARE) {
		h->token = event.token;
		if (event.operation != operation || event.nr_members != 1 ||
		    strcmp(event.members[0].volume, volume) ||
		    event.members[0].generation != generation)
			complain("what is to be prepared for is not what was asked for");
	} else if (event.token != h->token) {
		complain("the end has another token");
	} else {
		h->ended = type;
	}
	cpblk_hook_event_free(&event);
	return type;
}

static void hear_prepare(struct hook *h)
{
	if (hear(h, PATIENT) != CPBLK_EVENT_HOOK_PREPARE)
		die("%s: hook %d was not asked", playing, h == &second);
}

static void ready(struct hook *h)
{
	must(cpblk_hook_ready(h->link, h->id, h->token, err));
}

/* The operation may have ended already, for the other hook's sake. */
static void ready_or_late(struct hook *h)
{
	int rc = cpblk_hook_ready(h->link, h->id, h->token, &last_error);

	if (rc && rc != -ESTALE)
		complain("an answer that may be late: %s", last_error.text);
}

static void expect(int rc, int code, const char *what)
{
	if (rc != -code)
		complain("%s: %d, not %d", what, -rc, code);
}

/* ---- Faults: the second hook and the request are there, and asked ---- */

static void no_fault(void)
{
	ready(&hook);
	ready(&second);
}

static void refusal(void)
{
	must(cpblk_hook_refuse(hook.link, hook.id, hook.token, "busy writing", err));
}

static void silence(void)
{
	ready(&second);
}

/* What the end is, is known before the answer comes. */
static void late_answer(void)
{
	ready(&second);
	hear(&hook, PATIENT);
	expect(cpblk_hook_ready(hook.link, hook.id, hook.token, NULL), ESTALE,
	       "a late answer");
}

static void repeated(void)
{
	ready(&hook);
	expect(cpblk_hook_ready(hook.link, hook.id, hook.token, NULL), EALREADY,
	       "the same answer again");
	ready(&second);
}

static void changed_mind(void)
{
	ready(&hook);
	expect(cpblk_hook_refuse(hook.link, hook.id, hook.token, "no", NULL), EALREADY,
	       "a refusal behind an agreement");
	ready(&second);
}

static void forged_token(void)
{
	expect(cpblk_hook_refuse(hook.link, hook.id, hook.token ^ 1, "no", NULL), ESTALE,
	       "a forged token");
	expect(cpblk_hook_ready(hook.link, hook.id, 0, NULL), ESTALE, "no token");
	no_fault();
}

static void old_token(void)
{
	expect(cpblk_hook_refuse(hook.link, hook.id, last_token, "no", NULL), ESTALE,
	       "the token of another operation");
	no_fault();
}

static void exchanged_tokens(void)
{
	expect(cpblk_hook_refuse(hook.link, hook.id, second.token, "no", NULL), ESTALE,
	       "another hook's token");
	no_fault();
}

static void wrong_socket(void)
{
	struct cpblk *link = must_connect();

	expect(cpblk_hook_refuse(link, hook.id, hook.token, "no", NULL), EPERM,
	       "an answer from another socket");
	expect(cpblk_hook_refuse(second.link, hook.id, hook.token, "no", NULL), EPERM,
	       "an answer from another hook's socket");
	expect(cpblk_hook_unregister(link, hook.id, NULL), EPERM,
	       "another socket's end of a hook");
	cpblk_disconnect(link);
	no_fault();
}

static void unknown_hook(void)
{
	expect(cpblk_hook_refuse(hook.link, hook.id + 1000, hook.token, "no", NULL),
	       ENOENT, "an answer of no hook");
	no_fault();
}

static void dies_before_answer(void)
{
	drop_hook(&hook);
	ready_or_late(&second);
}

static void dies_after_answer(void)
{
	ready(&hook);
	drop_hook(&hook);
	ready_or_late(&second);
}

static void unregisters(void)
{
	must(cpblk_hook_unregister(hook.link, hook.id, err));
	drop_hook(&hook);
	ready_or_late(&second);
}

static void dies_at_the_end(void)
{
	ready(&hook);
	ready(&second);
	drop_hook(&hook);
}

/* Its refusal stands, whatever it had allowed for. */
static void refuses_and_dies(void)
{
	refusal();
	drop_hook(&hook);
}

static void requester_dies(void)
{
	kill(requester, SIGKILL);
}

static void requester_dies_half_way(void)
{
	ready(&hook);
	kill(requester, SIGKILL);
}

static void requester_dies_at_the_end(void)
{
	ready(&hook);
	ready(&second);
	kill(requester, SIGKILL);
}

/* Without CAP_NET_ADMIN, and with all that a hook knows. */
static void unprivileged(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };
	struct cpblk_hook what = { .operations = operation, .timeout = LONG };
	uint64_t id;
	int status;
	pid_t child = fork();

	if (!child) {
		struct cpblk *link;

		if (syscall(SYS_capset, &header, none))
			_exit(2);
		link = must_connect();
		_exit(cpblk_hook_register(link, store, &what, &id, NULL) != -EPERM ||
		      cpblk_hook_unregister(link, hook.id, NULL) != -EPERM ||
		      cpblk_hook_refuse(link, hook.id, hook.token, "no", NULL) != -EPERM ||
		      cpblk_hook_ready(link, second.id, second.token, NULL) != -EPERM);
	}
	waitpid(child, &status, 0);
	if (status)
		complain("an unprivileged socket was not refused");
	no_fault();
}

/* Others are refused on this volume, and go on elsewhere. */
static void interleaved(void)
{
	const char *one[] = { volume }, *two[] = { other, volume }, *three[] = { other };
	struct cpblk_snap snap = { .volumes = one, .nr = 1 };
	struct cpblk_volume_info info;
	struct cpblk_restored r;
	char more[40];

	expect(cpblk_snap(control, store, &snap, NULL), EBUSY, "a checkpoint meanwhile");
	snap.volumes = two;
	snap.nr = 2;
	expect(cpblk_snap(control, store, &snap, NULL), EBUSY, "one of two volumes");
	expect(cpblk_restore(control, store, volume, base, 0, NULL, &r, NULL), EBUSY,
	       "a restore meanwhile");
	expect(cpblk_volume_remove(control, store, volume, 0, NULL), EBUSY,
	       "removing the volume meanwhile");
	expect(cpblk_volume_resize(control, store, volume, 1 << 20, NULL), EBUSY,
	       "resizing it meanwhile");
	expect(cpblk_store_close(control, store, NULL), EBUSY,
	       "closing the store meanwhile");
	snprintf(more, sizeof(more), "other-%s", name);
	snap.name = more;
	snap.volumes = three;
	snap.nr = 1;
	expect(cpblk_snap(control, store, &snap, NULL), 0, "another volume's checkpoint");
	free(snap.taken);
	expect(cpblk_volume_get(control, store, volume, &info, NULL), 0, "a look at it");
	no_fault();
}

static const struct {
	const char *name;
	void (*play)(void);
	unsigned int timeout;
	enum outcome aborting, going_on;	/* by what the hook had allowed for */
	int code;				/* of an abort */
} all[] = {
	{ "no fault", no_fault, LONG, DONE, DONE, 0 },
	{ "a refusal", refusal, LONG, ABORTED, ABORTED, ECANCELED },
	{ "silence", silence, SHORT, ABORTED, DONE, ETIMEDOUT },
	{ "a late answer", late_answer, SHORT, ABORTED, DONE, ETIMEDOUT },
	{ "an answer twice", repeated, LONG, DONE, DONE, 0 },
	{ "two answers", changed_mind, LONG, DONE, DONE, 0 },
	{ "a forged token", forged_token, LONG, DONE, DONE, 0 },
	{ "an old token", old_token, LONG, DONE, DONE, 0 },
	{ "another hook's token", exchanged_tokens, LONG, DONE, DONE, 0 },
	{ "the wrong socket", wrong_socket, LONG, DONE, DONE, 0 },
	{ "an unknown hook", unknown_hook, LONG, DONE, DONE, 0 },
	{ "death before the answer", dies_before_answer, LONG, ABORTED, DONE, ECANCELED },
	{ "death after the answer", dies_after_answer, LONG, ABORTED, DONE, ECANCELED },
	{ "death at the end", dies_at_the_end, LONG, EITHER, DONE, ECANCELED },
	{ "death behind a refusal", refuses_and_dies, LONG, ABORTED, ABORTED, ECANCELED },
	{ "unregistering", unregisters, LONG, ABORTED, DONE, ECANCELED },
	{ "the requester's death", requester_dies, LONG, ABORTED, ABORTED, EINTR },
	{ "its death half-way", requester_dies_half_way, LONG, ABORTED, ABORTED, EINTR },
	{ "its death at the end", requester_dies_at_the_end, LONG, EITHER, EITHER, EINTR },
	{ "an unprivileged socket", unprivileged, LONG, DONE, DONE, 0 },
	{ "other operations", interleaved, LONG, DONE, DONE, 0 },
};

/* ---- What must be true ---- */

/* Is the volume as after the operation? */
static int was_done(void)
{
	struct cpblk_checkpoint_info c;
	struct cpblk_volume_info v;

	must(cpblk_volume_get(control, store, volume, &v, err));
	if (operation == CPBLK_HOOK_RESTORE && v.generation != generation &&
	    v.generation != generation + 1)
		complain("the generation is %llu after %llu",
			 (unsigned long long)v.generation,
			 (unsigned long long)generation);
	if (operation == CPBLK_HOOK_RESTORE)
		return v.generation != generation;
	return !cpblk_checkpoint_get(control, store, volume, name, 0, &c, NULL);
}

static void check_told(const struct hook *h, int done)
{
	int want = done ? CPBLK_EVENT_HOOK_COMMITTED : CPBLK_EVENT_HOOK_ABORTED;

	if (h->link && h->ended != want)
		complain("a hook was told %d, and it is %s", h->ended,
			 done ? "done" : "not done");
}

/* Hooks are told the end just before they are not asked any more. */
static bool is_asked(void)
{
	struct cpblk_hook_info *list;
	uint32_t pending = 1;
	unsigned int ms;
	size_t nr;

	for (ms = 0; pending && ms < PATIENT; ms += 10) {
		if (ms)
			usleep(10000);
		must(cpblk_hook_list(control, store, &list, &nr, err));
		for (pending = 0; nr--;)
			pending |= list[nr].pending;
		free(list);
	}
	return pending;
}

/* Is any hook still asked, or the volume busy? */
static bool is_stuck(void)
{
	const char *volumes[] = { volume };
	struct cpblk_snap snap = { .volumes = volumes, .nr = 1 };
	bool bad = is_asked();
	struct cpblk_error e;

	if (hook.link)
		drop_hook(&hook);
	drop_hook(&second);
	if (cpblk_snap(control, store, &snap, &e)) {
		complain("%s", e.text);
		bad = true;
	}
	if (snap.nr_taken)
		must(cpblk_checkpoint_delete(control, store, &snap.taken->id, 1, err));
	free(snap.taken);
	return bad;
}

static void begin(unsigned int timeout)
{
	struct cpblk_volume_info v;

	must(cpblk_volume_get(control, store, volume, &v, err));
	generation = v.generation;
	add_hook(&hook, timeout, flags);
	add_hook(&second, LONG, 0);
	request();
	hear_prepare(&hook);
	hear_prepare(&second);
}

static void play(size_t i)
{
	enum outcome want = flags ? all[i].going_on : all[i].aborting;
	struct timespec end, start;
	int done;

	playing = all[i].name;
	begin(all[i].timeout);
	clock_gettime(CLOCK_MONOTONIC, &start);
	all[i].play();
	last_token = hook.token;
	while (hook.link && !hook.ended && hear(&hook, PATIENT) > 0)
		;
	while (!second.ended && hear(&second, PATIENT) > 0)
		;
	result_of_request();
	clock_gettime(CLOCK_MONOTONIC, &end);
	faults++;
	done = was_done();
	if (want != EITHER && done != (want == DONE))
		complain("it is %s", done ? "done" : "not done");
	if (want != EITHER && result != (want == DONE ? 0 : all[i].code))
		complain("the requester was told %d (%s)", result, text);
	if ((all[i].play == refusal || all[i].play == refuses_and_dies) &&
	    (!strstr(text, "(faulty)") || !strstr(text, "refuses: busy writing")))
		complain("the requester was not told who refuses: %s", text);
	check_told(&hook, done);
	check_told(&second, done);
	if (is_stuck() || end.tv_sec - start.tv_sec > PATIENT / 1000) {
		complain("something is stuck");
		stuck++;
	}
}

/* ---- A hook that does not read what it is sent ---- */

/* Messages that fill the smallest buffer there is. */
#define ENOUGH	5

static void play_deaf(void)
{
	int done, small = 1, n;

	playing = "a full socket";
	begin(SHORT);
	setsockopt(cpblk_event_fd(hook.link), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (n = 0; n < ENOUGH; n++) {
		if (n) {
			generation += operation == CPBLK_HOOK_RESTORE && !result;
			second.ended = 0;
			request();
			hear_prepare(&second);
		}
		ready_or_late(&second);
		hear(&second, PATIENT);
		result_of_request();
	}
	faults++;
	done = was_done();
	if (done != !!flags || result != (flags ? 0 : ECANCELED))
		complain("the requester was told %d (%s)", result, text);
	check_told(&second, done);
	if (is_stuck())
		stuck++;
}

/* ---- A requester that is gone, and who has its port then ---- */

/* How often: at another moment each time. */
#define TAKEOVERS	15

/* A socket with the port that the requester has, as soon as it lets go of it. */
static int take_port(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_pid = *request_port };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	unsigned int tries;

	for (tries = 0; tries < 1000000; tries++)
		if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
	die("%s: the port stays in use", playing);
}

static void play_takeover(void)
{
	struct pollfd stranger = { .events = POLLIN };
	int n;

	playing = "a port's next owner";
	for (n = 0; n < TAKEOVERS; n++) {
		begin(LONG);
		no_fault();
		usleep((unsigned int)n * 200);
		kill(requester, SIGKILL);
		stranger.fd = take_port();
		while (!second.ended && hear(&second, PATIENT) > 0)
			;
		if (poll(&stranger, 1, 20))
			complain("it was sent what the requester had asked for");
		close(stranger.fd);
		result_of_request();
		check_told(&second, was_done());
		is_stuck();
	}
	faults++;
}

int main(int argc, char **argv)
{
	const char *volumes[1];
	struct cpblk_snap snap = { .volumes = volumes, .nr = 1, .name = "base" };
	size_t i;

	if (argc != 4)
		die("usage: hookfaults STORE VOLUME OTHER");
	store = argv[1];
	volume = argv[2];
	other = argv[3];
	volumes[0] = volume;
	request_port = mmap(NULL, sizeof(*request_port), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (request_port == MAP_FAILED)
		die("no memory");
	control = must_connect();
	must(cpblk_snap(control, store, &snap, err));
	base = snap.taken[0].id;
	free(snap.taken);
	for (operation = 1; operation <= CPBLK_HOOK_RESTORE; operation++) {
		for (flags = 0; flags <= CPBLK_HOOK_IF_SILENT_GO_ON; flags++) {
			for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
				play(i);
			play_deaf();
			if (!flags)
				play_takeover();
		}
	}
	printf("%u faults, %u stuck, %u complaints\n", faults, stuck, wrong);
	printf("handshake_faults %u\nhandshake_stuck %u\n", faults, stuck);
	cpblk_disconnect(control);
	return stuck || wrong;
}
