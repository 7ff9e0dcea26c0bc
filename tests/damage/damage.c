// SPDX-License-Identifier: GPL-2.0
/*
 * Damage: a store with one block changed is opened, checked, read and used.
 *
 * A case is one change of one block (cases.c). It is tried three times, each
 * time on a fresh copy of the devices: opened read-only and read; opened,
 * brought to rest and checked; opened, read and used for all that there is,
 * checked, closed, opened again and read again. What must hold:
 *
 *   1. No crash, no report of a sanitizer, no endless loop (a time limit for
 *      each case), no allocation beyond 64 MiB, no leak.
 *   2. What fails does so with a sentence: why the store does not open, what
 *      the check complains of, or why the store has gone read-only.
 *   3. With the checksum left wrong, what is read is what some prefix of the
 *      operations since the last transaction had made it. A batch of the
 *      journal that is damaged is not left out: the store does not open; but
 *      where the last one should be there may be something else, as after a
 *      power cut. The same goes for every block that does not say what is
 *      mapped where, whatever is in it: superblock, objects, maps and journal
 *      do.
 *   4. With the checksum fixed up, in a block that does say that, content may
 *      be another one only if the check complains, or if nothing else in the
 *      store says what the field must be (cases.c marks those).
 *   5. If the check has no complaint, everything that is done afterwards works,
 *      what it does not touch keeps its content, and the check has none then.
 *
 *   6. Of what does not open, or is complained of, every seventh (--each) is
 *      repaired: repair.c. In some of these repairs the power fails.
 *
 * Work is done by child processes, so that a crash is one violation. Each
 * violation prints the command that repeats it.
 */
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "repair.h"

#define SECONDS		5	/* of a processor's time, for one case */
#define PATIENCE	120	/* in all, where a machine has much else to do */
#define BATCH		400	/* cases of one child */
#define REPAIR_EACH	7	/* one case in so many is repaired */
#define CUT_EACH	8	/* in one of so many of these the power fails once */

static struct base base;
static struct cases cases;
static struct image disk;
static bool verbose;
static u64 step = 1, each = REPAIR_EACH;

/* What children and parent share. */
static struct shared {
	u64 current[64], violations, refused, complained, unaffected, excused,
	    unchanged, tried, beyond, mended, lossy;
} *shared;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=64:quarantine_size_mb=4:malloc_context_size=6";
}

static void violation(u64 nr, const char *what, const char *detail)
{
	char text[256] = "";

	__atomic_fetch_add(&shared->violations, 1, __ATOMIC_RELAXED);
	if (nr < cases.nr)
		damage_text(&cases.damage[nr], text, sizeof(text));
	printf("VIOLATION: %s%s%s\n  %s\n  repeat: build/damage/damage --case %llu\n",
	       what, detail && detail[0] ? ": " : "", detail ? detail : "", text,
	       (unsigned long long)nr);
	fflush(stdout);
}

static void count(u64 *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

/* ---- One case ---- */

struct trial {
	u64 nr;
	const struct damage *x;
	bool opened;		/* by the check */
	bool excused;		/* content may be another one */
	struct complaints found;
};

static struct view view, after;

static bool damaged(struct trial *t)
{
	image_reset(&disk);
	return damage_apply(&base, &disk, t->x, t->nr);
}

/* An error must have left a sentence, in @why or as the store's state. */
static bool explained(struct cpb_store *s, const char *why)
{
	struct cpb_status st;

	if (why[0])
		return true;
	cpb_status(s, &st);
	return st.readonly && st.error[0];
}

static bool opened(struct trial *t, unsigned int flags, struct cpb_store **s)
{
	char why[CPB_ERROR_LEN] = "";
	int err = use_open(&disk, flags, s, why);

	port_rcu_barrier();
	if (err && !why[0])
		violation(t->nr, "it does not open, and doesn't say why", "");
	if (err && verbose)
		printf("case %llu: open: %s\n", (unsigned long long)t->nr, why);
	return !err;
}

static void compare(struct trial *t, const struct view *v, const char *when)
{
	if (base_knows(&base, view_hash(v)))
		return;
	if (t->excused)
		count(&shared->excused);
	else
		violation(t->nr, "wrong content is served", when);
}

/* Open it, let it come to rest, and check. */
static void try_check(struct trial *t)
{
	struct cpb_store *s;
	int err;

	damaged(t);
	t->opened = opened(t, 0, &s);
	if (!t->opened) {
		count(&shared->refused);
		return;
	}
	err = cpb_rest(s);
	if (err && !explained(s, ""))
		violation(t->nr, "background work fails without a sentence", "");
	use_check(s, &t->found);
	if (verbose)
		printf("case %llu: check: %llu complaints %s\n",
		       (unsigned long long)t->nr, (unsigned long long)t->found.nr,
		       t->found.first);
	if (err && !t->found.nr)
		violation(t->nr, "background work fails, the check has no complaint", "");
	if (t->found.nr)
		count(&shared->complained);
	use_close(s);
}

static void try_read(struct trial *t)
{
	struct cpb_store *s;
	int err;

	damaged(t);
	if (!opened(t, CPB_OPEN_READONLY, &s))
		return;
	err = view_read(s, &disk, &view);
	if (!err)
		compare(t, &view, "opened read-only");
	else if (!explained(s, ""))
		violation(t->nr, "reading fails without a sentence", "");
	use_close(s);
}

static bool same(struct trial *t, struct cpb_store *s, const char *when)
{
	int err = view_read(s, &disk, &after);

	if (err && !explained(s, ""))
		violation(t->nr, "reading fails without a sentence", when);
	if (!err && view_hash(&after) != view_hash(&view)) {
		if (t->found.nr)
			count(&shared->excused);
		else
			violation(t->nr, "content has changed by itself", when);
	}
	return !err;
}

static void try_use(struct trial *t)
{
	char why[CPB_ERROR_LEN] = "";
	struct complaints now = { };
	const char *what = "reading";
	struct cpb_store *s;
	int err;

	damaged(t);
	if (!opened(t, 0, &s))
		return;
	err = view_read(s, &disk, &view);
	if (!err) {
		compare(t, &view, "opened");
		err = use_all(s, &disk, &view, &what, why);
	}
	if (err && verbose)
		printf("case %llu: %s: %d %s\n", (unsigned long long)t->nr, what,
		       err, why);
	if (err && err != -ENOSPC && !explained(s, why))
		violation(t->nr, "an operation fails without a sentence", what);
	if (err && !t->found.nr)
		violation(t->nr, "an operation fails, the check had no complaint", what);
	if (same(t, s, "after use") && !err) {
		use_check(s, &now);
		if (now.nr && !t->found.nr)
			violation(t->nr, "the check had no complaint before use",
				  now.first);
	}
	use_close(s);
	if (err || !opened(t, 0, &s))
		return;
	same(t, s, "opened again");
	use_close(s);
}

/* Repair what is refused, or complained of. */
static void try_repair(struct trial *t)
{
	bool lasting = t->x->fixed || t->x->op == OP_LOST_WRITE;
	u64 power = t->nr / each % CUT_EACH ? 0 : 1 + t->nr * 7919;
	char wrong[256];

	damaged(t);
	switch (repair_try(&base, &disk, !(lasting && t->x->target->maps), power,
			   verbose, wrong)) {
	case REPAIR_REFUSED:
		count(&shared->beyond);
		break;
	case REPAIR_WHOLE:
		count(&shared->mended);
		break;
	case REPAIR_LOSS:
		count(&shared->lossy);
		break;
	}
	if (wrong[0])
		violation(t->nr, "repair", wrong);
}

static void one_case(u64 nr)
{
	struct trial t = { .nr = nr, .x = &cases.damage[nr] };
	bool lasting = t.x->fixed || t.x->op == OP_LOST_WRITE;

	if (!damaged(&t)) {
		count(&shared->unchanged);
		return;
	}
	count(&shared->tried);
	try_check(&t);
	if (t.opened && !lasting && base_needs_batch(&base, t.x->target->addr, t.x->op >= OP_FIELDS))
		violation(nr, "the journal is taken to end where it is damaged", "");
	t.excused = lasting && t.x->target->maps &&
		    (t.found.nr || (t.x->field && t.x->field->sole));
	if (t.opened && !t.found.nr)
		count(&shared->unaffected);
	if ((!t.opened || t.found.nr) && (verbose || !(nr % each)))
		try_repair(&t);
	try_read(&t);
	try_use(&t);
	image_reset(&disk);
}

/* ---- All of them, in children ---- */

static void limit(unsigned int busy, unsigned int all)
{
	struct itimerval t = { .it_value.tv_sec = busy };

	setitimer(ITIMER_PROF, &t, NULL);
	alarm(all);
}

static void child(unsigned int me, u64 from, u64 to)
{
	image_copy(&disk, &base.disk);
	for (; from < to; from += step) {
		shared->current[me] = from;
		limit(SECONDS, PATIENCE);
		one_case(from);
	}
	limit(0, 0);
	shared->current[me] = to;
	image_free(&disk);
	exit(0);
}

struct worker {
	pid_t pid;
	u64 from, to;
};

static void start(struct worker *w, unsigned int me)
{
	shared->current[me] = w->from;
	fflush(stdout);
	w->pid = fork();
	if (!w->pid)
		child(me, w->from, w->to);
	if (w->pid < 0) {
		perror("damage: fork");
		exit(2);
	}
}

/* A child has ended: true if it is to be started again behind the last case. */
static bool ended(struct worker *w, unsigned int me, int status)
{
	u64 at = shared->current[me];
	char text[64];

	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return false;
	if (at == w->to) {
		violation(w->from, "memory is leaked by this case or the next ones", "");
		return false;
	}
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM ||
				    WTERMSIG(status) == SIGPROF)) {
		violation(at, "no end within the time limit", "");
	} else {
		snprintf(text, sizeof(text), "status %#x", status);
		violation(at, "crash, or a sanitizer's report", text);
	}
	w->from = at + 1;
	return w->from < w->to;
}

static void run_all(u64 from, u64 to, unsigned int jobs)
{
	struct worker *w = calloc(jobs, sizeof(*w));
	unsigned int running = 0, i;
	int status;
	pid_t pid;

	do {
		for (i = 0; i < jobs && from < to && shared->violations < 100; i++) {
			if (w[i].pid)
				continue;
			w[i].from = from;
			w[i].to = min(from + BATCH * step, to);
			from = w[i].to;
			start(&w[i], i);
			running++;
		}
		if (!running)
			break;
		pid = wait(&status);
		for (i = 0; i < jobs && w[i].pid != pid; i++)
			;
		if (i == jobs)
			continue;
		w[i].pid = 0;
		if (ended(&w[i], i, status))
			start(&w[i], i);
		else
			running--;
	} while (running || from < to);
	free(w);
}

/* ---- main ---- */

static void summary(void)
{
	printf("%llu changed nothing; %llu did not open, %llu were complained of, %llu did no harm; %llu times content was not what it was, and that was said or can't be known\n",
	       (unsigned long long)shared->unchanged,
	       (unsigned long long)shared->refused,
	       (unsigned long long)shared->complained,
	       (unsigned long long)shared->unaffected,
	       (unsigned long long)shared->excused);
	printf("repairs: %llu without loss, %llu with, %llu refused\n",
	       (unsigned long long)shared->mended, (unsigned long long)shared->lossy,
	       (unsigned long long)shared->beyond);
	printf("FIGURE damaged_images %llu\n", (unsigned long long)shared->tried);
	printf("FIGURE damage_violations %llu\n",
	       (unsigned long long)shared->violations);
}

/* The store itself must be beyond complaint, or nothing is proven. */
static void undamaged(void)
{
	struct complaints c = { };
	struct cpb_store *s;
	char why[CPB_ERROR_LEN] = "";
	const char *what = "";

	image_copy(&disk, &base.disk);
	if (use_open(&disk, 0, &s, why) || view_read(s, &disk, &view) ||
	    view_hash(&view) != base.known[base.nr_known - 1] ||
	    cpb_rest(s))
		goto bad;
	use_check(s, &c);
	use_close(s);
	image_reset(&disk);
	if (c.nr || use_open(&disk, 0, &s, why) || view_read(s, &disk, &view) ||
	    use_all(s, &disk, &view, &what, why))
		goto bad;
	use_check(s, &c);
	if (c.nr)
		goto bad;
	use_close(s);
	image_free(&disk);
	return;
bad:
	fprintf(stderr, "damage: the store is bad before it is damaged: %s %s %s\n",
		what, why, c.first);
	exit(2);
}

static void list_targets(void)
{
	unsigned int i;

	for (i = 0; i < cases.nr_targets; i++)
		printf("block %lld: %s\n", (long long)cases.target[i].addr,
		       cases.target[i].kind);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "case", required_argument, NULL, 'c' },
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "step", required_argument, NULL, 's' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "each", required_argument, NULL, 'e' },
		{ "list", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	u64 from = 0, to = ~0ULL;
	unsigned int jobs = 2;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			from = strtoull(optarg, NULL, 0);
			to = from + 1;
			verbose = true;
			break;
		case 'f':
			from = strtoull(optarg, NULL, 0);
			break;
		case 't':
			to = strtoull(optarg, NULL, 0);
			break;
		case 's':
			step = max(strtoull(optarg, NULL, 0), 1ULL);
			break;
		case 'e':
			each = max(strtoull(optarg, NULL, 0), 1ULL);
			break;
		case 'j':
			jobs = min(max(strtoul(optarg, NULL, 0), 1UL), 64UL);
			break;
		case 'l':
			verbose = true;
			break;
		default:
			fprintf(stderr, "usage: damage [--case N] [--from N] [--to N] [--step N] [--each N] [--jobs N] [--list]\n");
			return 2;
		}
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	base_build(&base);
	undamaged();
	cases_make(&cases, &base);
	if (verbose)
		list_targets();
	run_all(from, min(to, cases.nr), jobs);
	summary();
	cases_free(&cases);
	image_free(&base.disk);
	return shared->violations ? 1 : 0;
}
