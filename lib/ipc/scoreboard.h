/*
 * One page of shared memory per worker: what it is doing. The worker writes only its own page (the
 * others are unmapped in it); who it is stands in the spawner's own table, so a worker that was
 * taken over can lie about its command and nothing else.
 */
#ifndef IPC_SCOREBOARD_H
#define IPC_SCOREBOARD_H

#include <rookery/error.h>

#define SCOREBOARD_PAGE 4096

struct score {
	char command[24];  /* verb being run, "" while idle; always NUL-terminated by the reader */
	char mailbox[256]; /* selected mailbox, "" if none */
	uint64_t commands; /* commands done */
	bool in_index;     /* a write to the index is under way: dying now makes it suspect */
};

struct scoreboard;

/* Shared anonymous memory with `slots` pages. */
RK_MUST_CHECK enum rk_status scoreboard_new(
    uint32_t slots, struct scoreboard **out, struct rk_err *err);
void scoreboard_free(struct scoreboard *b);

/* The memory behind it, for a spawner that re-executes itself (decided in imapd/spawner): borrowed
 * descriptor, and the way back from an inherited one (taken; its size gives the slots). */
int scoreboard_fd(const struct scoreboard *b);
RK_MUST_CHECK enum rk_status scoreboard_from_fd(
    int fd, struct scoreboard **out, struct rk_err *err);

/* In the worker after fork: keeps only `slot` mapped and returns it; `b` is gone. */
struct score *scoreboard_keep(struct scoreboard *b, uint32_t slot);

/* In the spawner: a checked copy of a slot, and wiping it for the next worker. */
void scoreboard_read(const struct scoreboard *b, uint32_t slot, struct score *out);
void scoreboard_wipe(struct scoreboard *b, uint32_t slot);

/* In the worker: sets the command or mailbox (cut to fit). NULL score is fine (tests). */
void score_command(struct score *s, const char *command);
void score_mailbox(struct score *s, const char *mailbox);

#endif
