/* The gate's options, read once from the configuration and checked. */
#ifndef GATE_SETTINGS_H
#define GATE_SETTINGS_H

#include "imapd/gate/addr.h"
#include "lib/conf/conf.h"

#define MECHANISM_MAX 23 /* bytes of a mechanism's name (struct auth_start) */
#define MECHANISMS_MAX 16
#define SASL_LINE_MAX 16384 /* AUTH_DATA_MAX in base64 */

enum plaintext_login {
	PLAINTEXT_NEVER,
	PLAINTEXT_LOOPBACK,
	PLAINTEXT_ALWAYS,
};

/* What one client may ask of one connection. */
struct gate_limits {
	int64_t handshake_ms;
	int64_t login_ms;
	size_t line;
	size_t literal;
	size_t bytes;
	size_t sasl;
	unsigned commands;
	unsigned bad_commands;
	unsigned auth_tries;
};

struct gate_settings {
	struct gate_limits limit;
	size_t connections; /* of this process */
	unsigned processes;
	uint32_t per_address;
	uint32_t per_network;
	enum plaintext_login plaintext;
	const char *greeting; /* borrowed from the configuration */
	char mechanisms[MECHANISMS_MAX][MECHANISM_MAX + 1];
	size_t nmechanisms;
	struct cidr *proxies;
	size_t nproxies;
};

/* RK_INVALID names the option. Free with settings_clear. */
RK_MUST_CHECK enum rk_status settings_read(
    struct gate_settings *out, const struct conf *conf, struct rk_err *err);
void settings_clear(struct gate_settings *s);

bool settings_trust_proxy(const struct gate_settings *s, const struct addr *peer);

#endif
