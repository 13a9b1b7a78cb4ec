/* Runs a fuzz target over its corpus as an ordinary test: no fuzzer needed, any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1 << 20)

static int
file_run(const char *path)
{
	uint8_t *bytes;
	size_t size;
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		return 1;
	}
	bytes = malloc(INPUT_MAX);
	if (bytes == NULL)
		abort();
	size = fread(bytes, 1, INPUT_MAX, f);
	fclose(f);
	/* A copy of the exact size, so that a read beyond it is seen. */
	bytes = realloc(bytes, size == 0 ? 1 : size);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *top = getenv("srcdir") != NULL ? getenv("srcdir") : ".";
	const char *name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
	char dir[1024], path[2048];
	struct dirent *entry;
	int n = 0, failed = 0;
	DIR *d;

	if (argc > 1)
		return file_run(argv[1]);
	/* tests/fuzz/corpus/lexer for fuzz_lexer (libtool runs it as lt-fuzz_lexer) */
	name = strstr(name, "fuzz_") != NULL ? strstr(name, "fuzz_") + 5 : name;
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", top, name);
	d = opendir(dir);
	if (d == NULL) {
		perror(dir);
		return 1;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		failed |= file_run(path);
		n++;
	}
	closedir(d);
	printf("%s: %d inputs\n", name, n);
	return failed || n == 0 ? 1 : 0;
}
