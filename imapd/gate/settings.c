#include "imapd/gate/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/bug.h"

static enum rk_status
mechanisms_read(struct gate_settings *s, const struct conf *conf, struct rk_err *err)
{
	size_t n = conf_list_len(conf, NULL, "auth.mechanisms");

	if (n > MECHANISMS_MAX)
		return rk_fail_plain(
		    err, RK_INVALID, "auth.mechanisms has more than %d names", MECHANISMS_MAX);
	for (size_t i = 0; i < n; i++) {
		const char *name = conf_list_at(conf, NULL, "auth.mechanisms", i);
		size_t len = strlen(name);

		if (len == 0 || len > MECHANISM_MAX)
			return rk_fail_plain(
			    err, RK_INVALID, "auth.mechanisms: '%s' is no mechanism", name);
		for (size_t k = 0; k <= len; k++)
			s->mechanisms[i][k] = (char)toupper((unsigned char)name[k]);
	}
	s->nmechanisms = n;
	return RK_OK;
}

static enum rk_status
proxies_read(struct gate_settings *s, const struct conf *conf, struct rk_err *err)
{
	size_t n = conf_list_len(conf, NULL, "gate.proxy_networks");

	s->proxies = calloc(n + 1, sizeof(*s->proxies));
	if (s->proxies == NULL)
		rk_out_of_memory(n * sizeof(*s->proxies));
	for (size_t i = 0; i < n; i++) {
		const char *text = conf_list_at(conf, NULL, "gate.proxy_networks", i);

		if (!cidr_parse(&s->proxies[i], str_from(text)))
			return rk_fail_plain(err, RK_INVALID,
			    "gate.proxy_networks: '%s' is no address or network", text);
		s->nproxies++;
	}
	return RK_OK;
}

static enum plaintext_login
plaintext_read(const struct conf *conf)
{
	const char *word = conf_str(conf, NULL, "gate.plaintext_login");

	if (strcmp(word, "always") == 0)
		return PLAINTEXT_ALWAYS;
	return strcmp(word, "loopback") == 0 ? PLAINTEXT_LOOPBACK : PLAINTEXT_NEVER;
}

static size_t
size_read(const struct conf *conf, const char *name)
{
	int64_t v = conf_int(conf, NULL, name);

	return v > 0 ? (size_t)v : 1;
}

static void
limits_read(struct gate_limits *l, const struct conf *conf)
{
	l->handshake_ms = conf_int(conf, NULL, "gate.handshake_seconds") * 1000;
	l->login_ms = conf_int(conf, NULL, "gate.login_seconds") * 1000;
	l->line = size_read(conf, "gate.max_line");
	l->literal = size_read(conf, "gate.max_literal");
	l->bytes = size_read(conf, "gate.max_bytes");
	l->sasl = size_read(conf, "gate.max_sasl");
	if (l->sasl > SASL_LINE_MAX) /* what a message to authd can carry */
		l->sasl = SASL_LINE_MAX;
	l->commands = (unsigned)size_read(conf, "gate.max_commands");
	l->bad_commands = (unsigned)size_read(conf, "gate.max_bad_commands");
	l->auth_tries = (unsigned)size_read(conf, "gate.max_auth_tries");
}

enum rk_status
settings_read(struct gate_settings *out, const struct conf *conf, struct rk_err *err)
{
	enum rk_status status;

	*out = (struct gate_settings){ .greeting = conf_str(conf, NULL, "gate.greeting") };
	limits_read(&out->limit, conf);
	out->connections = size_read(conf, "gate.connections_per_process");
	out->processes = (unsigned)size_read(conf, "gate.processes");
	out->per_address = (uint32_t)size_read(conf, "gate.per_address");
	out->per_network = (uint32_t)size_read(conf, "gate.per_network");
	out->plaintext = plaintext_read(conf);
	status = mechanisms_read(out, conf, err);
	if (status == RK_OK)
		status = proxies_read(out, conf, err);
	if (status != RK_OK)
		settings_clear(out);
	return status;
}

void
settings_clear(struct gate_settings *s)
{
	free(s->proxies);
	s->proxies = NULL;
	s->nproxies = 0;
}

bool
settings_trust_proxy(const struct gate_settings *s, const struct addr *peer)
{
	for (size_t i = 0; i < s->nproxies; i++) {
		if (cidr_has(&s->proxies[i], peer))
			return true;
	}
	return false;
}
