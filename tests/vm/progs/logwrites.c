// SPDX-License-Identifier: GPL-2.0
/*
 * logwrites: every state that a store's devices were ever sure to be in.
 *
 *	logwrites STORE META DATA LOG MAP COPY COPY-META COPY-DATA STEPS SEED
 *
 * META and DATA are slices of a disk whose writes dm-log-writes, as device-mapper
 * device MAP, keeps on LOG: in the order in which FLUSH and FUA made them durable.
 * STORE was formatted and opened on the slices. The workers of a ledger do STEPS
 * steps each; the log gets a mark for each step that is acknowledged as durable.
 * Then the log is played onto COPY, a disk like the one below, with slices
 * COPY-META and COPY-DATA: after every FLUSH and every FUA the store is opened
 * there, and compared with what was acknowledged before that. In between, the
 * same is done with some of the writes that nobody had asked to be durable.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ledger.h"

#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_FLUSH	1U
#define LOG_FUA		2U
#define LOG_DISCARD	4U
#define LOG_MARK	8U
#define MARKS		65536U
#define COPY_MAX	(64U << 20)

/* As dm-log-writes has them on the disk; the first sector is the log's own. */
struct log_super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct log_entry {
	uint64_t sector, nr_sectors, flags, data_len;
};

static const char *map_name;
static uint32_t next_mark;
static bool marked[MARKS];
static pthread_mutex_t mark_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- Marks ---- */

static void send_mark(uint32_t nr)
{
	union {
		struct dm_ioctl io;
		char bytes[sizeof(struct dm_ioctl) +
			   sizeof(struct dm_target_msg) + 32];
	} m = { 0 };
	struct dm_target_msg *msg = (void *)(m.bytes + sizeof(m.io));
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	m.io.version[0] = DM_VERSION_MAJOR;
	m.io.data_size = sizeof(m);
	m.io.data_start = sizeof(m.io);
	strncpy(m.io.name, map_name, sizeof(m.io.name) - 1);
	sprintf(msg->message, "mark %u", nr);
	if (fd < 0 || ioctl(fd, DM_TARGET_MSG, &m))
		die("cannot mark the log: %s", strerror(errno));
}

static uint32_t mark(void)
{
	uint32_t nr;

	pthread_mutex_lock(&mark_lock);
	nr = ++next_mark;
	if (nr >= MARKS)
		die("too many marks");
	send_mark(nr);
	pthread_mutex_unlock(&mark_lock);
	return nr;
}

static bool is_marked(uint32_t nr)
{
	return marked[nr];
}

/* ---- The log ---- */

struct log {
	int fd;
	unsigned char *block;
	uint64_t at, nr, entries;
	uint32_t sector;
	struct log_entry e;
	unsigned char *data;		/* of the entry */
};

static void read_at(struct log *log, void *to, size_t len, uint64_t at)
{
	if (pread(log->fd, to, len, (off_t)at) != (ssize_t)len)
		die("cannot read the log: %s", strerror(errno));
}

static void log_open(struct log *log, const char *path)
{
	const struct log_super *super;

	log->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (log->fd < 0)
		die("cannot open %s: %s", path, strerror(errno));
	log->block = must_alloc_aligned(4096);
	log->data = must_alloc_aligned(COPY_MAX);
	read_at(log, log->block, 4096, 0);
	super = (const void *)log->block;
	if (super->magic != LOG_MAGIC || super->version != 1)
		die("%s is no log", path);
	log->entries = super->nr_entries;
	log->sector = super->sectorsize;
	log->at = log->sector;
}

/* The next entry; false: there is none. */
static bool log_next(struct log *log)
{
	size_t len;

	if (log->nr == log->entries)
		return false;
	read_at(log, log->block, log->sector, log->at);
	memcpy(&log->e, log->block, sizeof(log->e));
	log->at += log->sector;
	log->nr++;
	if (log->e.flags & LOG_MARK) {
		/* Its name is in the same sector. */
		marked[number((char *)log->block + sizeof(log->e))] = true;
		return true;
	}
	len = log->e.nr_sectors * log->sector;
	if (len > COPY_MAX || log->e.sector * log->sector > COPY_MAX - len)
		die("entry %llu of the log is damaged",
		    (unsigned long long)log->nr);
	if (!(log->e.flags & LOG_DISCARD) && len) {
		read_at(log, log->data, len, log->at);
		log->at += len;
	}
	return true;
}

static void log_apply(const struct log *log, unsigned char *image)
{
	unsigned char *to = image + log->e.sector * log->sector;
	size_t len = log->e.nr_sectors * log->sector;

	if (log->e.flags & LOG_DISCARD)
		memset(to, 0, len);
	else
		memcpy(to, log->data, len);
}

/* Wait until the log has everything up to the last mark. */
static void log_wait(const char *path)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		struct log log = { 0 };

		memset(marked, 0, sizeof(marked));
		log_open(&log, path);
		while (log_next(&log))
			;
		close(log.fd);
		free(log.block);
		free(log.data);
		if (marked[next_mark])
			return;
		usleep(50000);
	}
	die("the log ends before mark %u", next_mark);
}

/* ---- Playing it ---- */

static unsigned long look(struct ledger *l, int copy, const unsigned char *image,
			  size_t size, bool all)
{
	unsigned long violations;
	size_t at, n;

	/* What opening the last state has written goes, too. */
	for (at = 0; at < size; at += n) {
		n = size - at < 1U << 20 ? size - at : 1U << 20;
		if (pwrite(copy, image + at, n, (off_t)at) != (ssize_t)n)
			die("cannot write the copy: %s", strerror(errno));
	}
	violations = ledger_check(l);
	ledger_open(l);
	violations += ledger_verify(l, is_marked, all);
	ledger_close(l, false);
	return violations;
}

static unsigned long play(struct ledger *l, const char *path, int copy,
			  uint64_t *rnd, unsigned long *points)
{
	unsigned char *image = must_alloc_aligned(COPY_MAX);
	unsigned long violations = 0;
	struct log log = { 0 };
	bool due = false;
	uint64_t size;

	if (ioctl(copy, BLKGETSIZE64, &size) || size > COPY_MAX)
		die("the copy is too large");
	memset(image, 0, size);
	memset(marked, 0, sizeof(marked));
	log_open(&log, path);
	while (log_next(&log) && !violations) {
		if (log.e.flags & LOG_MARK)
			continue;
		/* With the marks that came behind it, before more is written. */
		if (due && marked[1]) {
			violations += look(l, copy, image, size, *points % 16 == 0);
			++*points;
		}
		log_apply(&log, image);
		due = log.e.flags & (LOG_FLUSH | LOG_FUA) ||
		      random_next(rnd) % 8 == 0;
	}
	if (!violations) {
		violations += look(l, copy, image, size, true);
		++*points;
	}
	if (violations)
		printf("at entry %llu of the log\n", (unsigned long long)log.nr);
	close(log.fd);
	free(log.block);
	free(log.data);
	free(image);
	return violations;
}

int main(int argc, char **argv)
{
	struct ledger_setup setup = { .workers = 2, .on_durable = mark };
	unsigned long violations, points = 0;
	struct ledger *l;
	uint64_t rnd;
	int copy;

	if (argc != 11)
		die("usage: STORE META DATA LOG MAP COPY COPY-META COPY-DATA STEPS SEED");
	setup.store = argv[1];
	setup.meta = argv[2];
	setup.data = argv[3];
	map_name = argv[5];
	rnd = setup.seed = number(argv[10]);
	copy = open(argv[6], O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (copy < 0)
		die("cannot open %s: %s", argv[6], strerror(errno));
	l = ledger_new(&setup);
	/* From here on the log has a store with the ledger's volumes. */
	mark();
	ledger_start(l, (unsigned int)number(argv[9]));
	ledger_join(l);
	mark();
	log_wait(argv[4]);
	ledger_close(l, false);

	ledger_use(l, argv[7], argv[8]);
	violations = play(l, argv[4], copy, &rnd, &points);
	printf("%lu points, %lu violations\n", points, violations);
	return violations != 0;
}
