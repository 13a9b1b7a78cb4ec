/* A temporary directory that goes when the test is over. */
#ifndef TESTS_TMPDIR_H
#define TESTS_TMPDIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void
tmpdir_make(char *path, size_t size)
{
	snprintf(path, size, "/tmp/rookery-test-XXXXXX");
	if (mkdtemp(path) == NULL)
		abort();
}

static inline void
tmpdir_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		char child[4096];

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", path, d->d_name) >= (int)sizeof(child))
			abort();
		if (d->d_type == DT_DIR)
			tmpdir_remove(child);
		else
			unlink(child);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

#endif
