// SPDX-License-Identifier: GPL-2.0
/*
 * The corpus of the fuzzers once more, without libFuzzer: replay FOLDER, which
 * has a folder for each target.
 */
#include <dirent.h>

#include "fuzz.h"

static unsigned int one_file(const char *path)
{
	static u8 data[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f)
		return 0;
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	return 1;
}

static unsigned int one_target(const char *corpus, const char *target)
{
	char option[300], path[4096];
	char *argv[] = { "replay", option, NULL }, **args = argv;
	struct dirent *entry;
	unsigned int nr = 0;
	int argc = 2;
	DIR *dir;

	snprintf(option, sizeof(option), "--target=%s", target);
	LLVMFuzzerInitialize(&argc, &args);
	snprintf(path, sizeof(path), "%s/%s", corpus, target);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", corpus, target, entry->d_name);
		nr += one_file(path);
	}
	if (dir)
		closedir(dir);
	return nr;
}

int main(int argc, char **argv)
{
	static const char * const targets[] = {
		"super", "tree", "objects", "journal", "image",
	};
	unsigned int i, nr;

	if (argc != 2)
		return 2;
	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		nr = one_target(argv[1], targets[i]);
		printf("%s: %u inputs replayed\n", targets[i], nr);
		if (!nr)
			return 1;
	}
	return 0;
}
