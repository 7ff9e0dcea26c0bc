// SPDX-License-Identifier: GPL-2.0
/*
 * files: work that lives on fsync(), in a filesystem, and whether all of it
 * that was acknowledged is there.
 *
 *	files work LEDGER FOLDER THREADS
 *	files verify LEDGER FOLDER THREADS
 *
 * LEDGER is a file that is not on the disk in question. Each thread, in turn
 *
 * - writes a file and fsyncs it, gives it its final name, which may be that of
 *   an older one, and fsyncs the folder; so a name has a whole version, and none
 *   older than what was acknowledged;
 * - writes a record to a file of fixed size, as databases do, and fdatasyncs it.
 *
 * "work" ends when the disk goes away.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prog.h"

#define THREADS		16U
#define NAMES		8U
#define RECORDS		64U
#define RECORD		1024U
#define FILE_MAX	(64U << 10)

/* Versions: of names and of records; 0: none was acknowledged. */
struct thread {
	uint64_t tried, name[NAMES], record[RECORDS];
};

static struct thread *ledger;
static const char *folder;
static unsigned int threads;

static uint64_t word(uint64_t version, unsigned int thread, uint64_t i)
{
	return (version << 8 ^ thread) * 0x9e3779b97f4a7c15ULL + i;
}

static void fill(uint64_t *p, size_t bytes, uint64_t version, unsigned int thread)
{
	uint64_t i;

	p[0] = version;
	for (i = 1; i < bytes / 8; i++)
		p[i] = word(version, thread, i);
}

/* Which version it is; ~0: of nobody. */
static uint64_t version_of(const uint64_t *p, size_t bytes, unsigned int thread)
{
	uint64_t i;

	for (i = 1; i < bytes / 8; i++)
		if (p[i] != (p[0] ? word(p[0], thread, i) : 0))
			return ~0ULL;
	return p[0];
}

static size_t file_size(uint64_t version)
{
	return 8 * (1 + version * 2654435761U % (FILE_MAX / 8));
}

/* ---- Working ---- */

/*
 * A filesystem whose log has just been given up may answer fsync() with success,
 * because there is nothing left to write (ext4 of 6.1 where another thread had
 * begun to write what this one waits for; XFS for folders). So it is believed
 * only if something can be changed afterwards, which needs a log.
 */
static bool alive(int probe, uint64_t version)
{
	return !ftruncate(probe, (off_t)version);
}

/* false: the disk is gone. */
static bool replace(unsigned int t, uint64_t version, uint64_t *data, int dir,
		    int probe)
{
	unsigned int n = version % NAMES;
	char temporary[160], name[160];
	size_t bytes = file_size(version);
	bool ok;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s/%u.new", folder, t);
	snprintf(name, sizeof(name), "%s/%u.%u", folder, t, n);
	fill(data, bytes, version, t);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return false;
	ok = write(fd, data, bytes) == (ssize_t)bytes && !fsync(fd) &&
	     !rename(temporary, name) && !fsync(dir) && alive(probe, version);
	close(fd);
	if (ok)
		ledger[t].name[n] = version;
	return ok;
}

static bool record(unsigned int t, uint64_t version, uint64_t *data, int fd,
		   int probe)
{
	unsigned int n = version % RECORDS;

	fill(data, RECORD, version, t);
	if (pwrite(fd, data, RECORD, n * RECORD) != RECORD || fdatasync(fd) ||
	    !alive(probe, version))
		return false;
	ledger[t].record[n] = version;
	return true;
}

static void *work(void *arg)
{
	unsigned int t = (unsigned int)(uintptr_t)arg;
	uint64_t *data = must_alloc_aligned(FILE_MAX);
	int dir = open(folder, O_RDONLY | O_DIRECTORY), fd, probe;
	char name[160];
	bool ok = true;

	snprintf(name, sizeof(name), "%s/%u.records", folder, t);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	snprintf(name, sizeof(name), "%s/%u.probe", folder, t);
	probe = open(name, O_RDWR | O_CREAT, 0600);
	if (dir < 0 || fd < 0 || probe < 0)
		ok = false;
	while (ok) {
		uint64_t version = ++ledger[t].tried;

		ok = version % 3 ? record(t, version, data, fd, probe) :
				   replace(t, version, data, dir, probe);
	}
	close(probe);
	close(fd);
	close(dir);
	free(data);
	return NULL;
}

static void run(void)
{
	pthread_t thread[THREADS];
	unsigned int t;

	for (t = 0; t < threads; t++)
		if (pthread_create(&thread[t], NULL, work, (void *)(uintptr_t)t))
			die("cannot start a thread");
	for (t = 0; t < threads; t++)
		pthread_join(thread[t], NULL);
}

/* ---- Verifying ---- */

static unsigned int violations;

static void compare(const char *name, unsigned int n, uint64_t found,
		    uint64_t acknowledged, uint64_t tried)
{
	if (found != ~0ULL && found >= acknowledged && found <= tried)
		return;
	printf("VIOLATION: %s, %u: version %lld is there, %llu was acknowledged, %llu tried\n",
	       name, n, (long long)found, (unsigned long long)acknowledged,
	       (unsigned long long)tried);
	violations++;
}

static void verify_names(unsigned int t, uint64_t *data)
{
	struct thread *l = &ledger[t];
	char name[160];
	unsigned int n;

	for (n = 0; n < NAMES; n++) {
		uint64_t found = 0;
		ssize_t bytes;
		int fd;

		snprintf(name, sizeof(name), "%s/%u.%u", folder, t, n);
		fd = open(name, O_RDONLY);
		if (fd >= 0) {
			bytes = read(fd, data, FILE_MAX);
			found = ~0ULL;
			if (bytes >= 8 && (size_t)bytes == file_size(data[0]) &&
			    data[0] % NAMES == n)
				found = version_of(data, (size_t)bytes, t);
			close(fd);
		}
		compare(name, n, found, l->name[n], l->tried);
		l->name[n] = found;
	}
}

static void verify_records(unsigned int t, uint64_t *data)
{
	struct thread *l = &ledger[t];
	char name[160];
	unsigned int n;
	int fd;

	snprintf(name, sizeof(name), "%s/%u.records", folder, t);
	fd = open(name, O_RDONLY);
	for (n = 0; n < RECORDS; n++) {
		uint64_t found = 0;

		memset(data, 0, RECORD);
		if (fd >= 0 && pread(fd, data, RECORD, n * RECORD) > 0)
			found = version_of(data, RECORD, t);
		/* What was being written may be torn; who asked for it knows. */
		if (found == ~0ULL && l->tried % RECORDS == n && l->tried % 3)
			found = l->record[n];
		compare(name, n, found, l->record[n], l->tried);
		l->record[n] = found;
	}
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	uint64_t *data = must_alloc_aligned(FILE_MAX);
	size_t bytes = THREADS * sizeof(*ledger);
	unsigned int t;
	int fd;

	if (argc != 5 || (strcmp(argv[1], "work") && strcmp(argv[1], "verify")))
		die("usage: work|verify LEDGER FOLDER THREADS");
	folder = argv[3];
	threads = (unsigned int)number(argv[4]);
	if (threads > THREADS)
		die("at most %u threads", THREADS);
	fd = open(argv[2], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		die("cannot write %s: %s", argv[2], strerror(errno));
	ledger = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ledger == MAP_FAILED)
		die("cannot map %s: %s", argv[2], strerror(errno));
	if (!strcmp(argv[1], "work")) {
		run();
	} else {
		for (t = 0; t < threads; t++) {
			verify_names(t, data);
			verify_records(t, data);
		}
	}
	free(data);
	return violations != 0;
}
