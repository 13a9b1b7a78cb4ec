#include "lib/ipc/scoreboard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct score) <= SCOREBOARD_PAGE, "a slot is one page");

struct scoreboard {
	int fd;
	uint32_t slots;
	char *map;
};

static enum rk_status
board_map(int fd, uint32_t slots, struct scoreboard **out, struct rk_err *err)
{
	struct scoreboard *b;
	void *map =
	    mmap(NULL, (size_t)slots * SCOREBOARD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return rk_fail(err, RK_TEMP, "mapping the scoreboard");
	b = calloc(1, sizeof(*b));
	if (b == NULL) {
		munmap(map, (size_t)slots * SCOREBOARD_PAGE);
		return rk_fail(err, RK_TEMP, "no memory for the scoreboard");
	}
	*b = (struct scoreboard){ .fd = fd, .slots = slots, .map = map };
	*out = b;
	return RK_OK;
}

enum rk_status
scoreboard_new(uint32_t slots, struct scoreboard **out, struct rk_err *err)
{
	int fd = memfd_create("rookery-scoreboard", MFD_CLOEXEC);
	enum rk_status status;

	if (fd < 0)
		return rk_fail(err, RK_TEMP, "memfd for the scoreboard");
	if (ftruncate(fd, (off_t)slots * SCOREBOARD_PAGE) < 0)
		status = rk_fail(err, RK_TEMP, "scoreboard of %u slots", (unsigned)slots);
	else
		status = board_map(fd, slots, out, err);
	if (status != RK_OK)
		close(fd);
	return status;
}

enum rk_status
scoreboard_from_fd(int fd, struct scoreboard **out, struct rk_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return rk_fail(err, RK_TEMP, "fstat of the scoreboard");
	if (st.st_size <= 0 || st.st_size % SCOREBOARD_PAGE != 0 ||
	    st.st_size / SCOREBOARD_PAGE > UINT32_MAX)
		return rk_fail_plain(
		    err, RK_CORRUPT, "a scoreboard of %lld bytes", (long long)st.st_size);
	return board_map(fd, (uint32_t)(st.st_size / SCOREBOARD_PAGE), out, err);
}

int
scoreboard_fd(const struct scoreboard *b)
{
	return b->fd;
}

void
scoreboard_free(struct scoreboard *b)
{
	if (b == NULL)
		return;
	munmap(b->map, (size_t)b->slots * SCOREBOARD_PAGE);
	close(b->fd);
	free(b);
}

struct score *
scoreboard_keep(struct scoreboard *b, uint32_t slot)
{
	char *mine = b->map + (size_t)slot * SCOREBOARD_PAGE;
	char *end = b->map + (size_t)b->slots * SCOREBOARD_PAGE;

	if (mine > b->map)
		munmap(b->map, (size_t)(mine - b->map));
	if (mine + SCOREBOARD_PAGE < end)
		munmap(mine + SCOREBOARD_PAGE, (size_t)(end - mine) - SCOREBOARD_PAGE);
	close(b->fd);
	free(b);
	return (struct score *)(void *)mine;
}

void
scoreboard_read(const struct scoreboard *b, uint32_t slot, struct score *out)
{
	memcpy(out, b->map + (size_t)slot * SCOREBOARD_PAGE, sizeof(*out));
	out->command[sizeof(out->command) - 1] = '\0';
	out->mailbox[sizeof(out->mailbox) - 1] = '\0';
}

void
scoreboard_wipe(struct scoreboard *b, uint32_t slot)
{
	memset(b->map + (size_t)slot * SCOREBOARD_PAGE, 0, sizeof(struct score));
}

void
score_command(struct score *s, const char *command)
{
	if (s != NULL)
		snprintf(s->command, sizeof(s->command), "%s", command);
}

void
score_mailbox(struct score *s, const char *mailbox)
{
	if (s != NULL)
		snprintf(s->mailbox, sizeof(s->mailbox), "%s", mailbox);
}
