/*
 * A session in a thread of the test, over socket pairs and the fake driver. The test talks as the
 * client, the spawner and the hub; it changes the store only while the session waits.
 */
#ifndef TESTS_SESSION_HARNESS_H
#define TESTS_SESSION_HARNESS_H

#include "imapd/session/session.h"
#include "tests/unit/storage/fake_driver.h"

struct harness {
	struct session_limits limits; /* may be changed before harness_start */
	struct session_start start;   /* the same */
	int client;                   /* the test's ends; -1 once closed */
	int spawner;
	int hub;
	struct score score;
	unsigned char heard[65536]; /* received, taken from pos to len */
	size_t pos;
	size_t len;
};

/* The fake store with an empty INBOX, and the limits of the default configuration. */
void harness_init(struct harness *h);
void harness_start(struct harness *h);
/* Closes what is open and waits for the session's end. */
void harness_end(struct harness *h);

void say(struct harness *h, const char *text);
void say_bytes(struct harness *h, const void *bytes, size_t n);
/* Exactly these bytes come next, within a few seconds. */
void hear(struct harness *h, const char *text);
void hear_bytes(struct harness *h, const void *bytes, size_t n);
/* Skips untagged lines up to the line that starts with `tag`, which is `line`. Lines must not hold
 * literals. */
void hear_tagged(struct harness *h, const char *line);
/* The connection ends, and nothing comes before. */
void hear_end(struct harness *h);
/* Nothing comes within `ms`. */
void hear_nothing(struct harness *h, int ms);

/* LOGIN's answer is not due, INBOX is selected. */
void harness_select(struct harness *h);

#endif
