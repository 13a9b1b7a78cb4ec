#include "lib/conf/options.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAY 86400
#define MIB (INT64_C(1024) * 1024)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define MECHANISMS_DEFAULT                                                                         \
	"PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS"

/* clang-format off */
#define STR(n, d, c, w, text) \
	{ .name = (n), .type = OPTION_STR, .def = (d), .check = (c), .words = (w), .doc = (text) }
#define NEED(n, d, c, w, text) \
	{ .name = (n), .type = OPTION_STR, .required = true, .def = (d), .check = (c), .words = (w), \
	  .doc = (text) }
#define INT(n, d, lo, hi, text) \
	{ .name = (n), .type = OPTION_INT, .def = (d), .min = (lo), .max = (hi), .doc = (text) }
#define BOOL(n, d, text) \
	{ .name = (n), .type = OPTION_BOOL, .def = (d), .doc = (text) }
#define LIST(n, d, c, w, text) \
	{ .name = (n), .type = OPTION_LIST, .def = (d), .check = (c), .words = (w), .doc = (text) }

static const struct option top_options[] = {
	NEED("state_dir", ROOKERY_STATEDIR, CHECK_ABSOLUTE, NULL,
	    "Directory of the indexes; may be lost at any time, they are rebuilt from the mail."),
	NEED("run_dir", ROOKERY_RUNDIR, CHECK_ABSOLUTE, NULL,
	    "Directory of the control socket and of the empty root of unprivileged processes."),
	NEED("sandbox", "required", CHECK_WORDS, "required best-effort",
	    "Whether a process that can't be locked down fully may start: then it says what is missing."),
	INT("shutdown_seconds", "30", 0, DAY,
	    "How long sessions may go on after SIGTERM before they are ended."),
};

static const struct option log_options[] = {
	NEED("target", "stderr", CHECK_TARGET, "stderr syslog",
	    "Where log lines go: stderr, syslog or a file by its absolute path."),
	NEED("level", "info", CHECK_WORDS, "error warn info debug",
	    "The least important kind of line that is written."),
	NEED("user", "rookery-log", CHECK_TEXT, NULL, "Account of the log process, or UID:GID."),
};

static const struct option listen_options[] = {
	NEED("address", "*", CHECK_ADDRESS, NULL, "IP address to listen on; * is all, IPv4 and IPv6."),
	{ .name = "port", .type = OPTION_INT, .required = true, .def = "", .min = 1, .max = 65535,
	  .doc = "TCP port; 143 is IMAP, 993 IMAP over TLS." },
	NEED("tls", "starttls", CHECK_WORDS, "starttls implicit none",
	    "TLS after STARTTLS, from the first byte, or not at all."),
	BOOL("proxy_protocol", "false",
	    "Expect a PROXY protocol header from the addresses of gate.proxy_networks."),
};

static const struct option tls_options[] = {
	STR("cert", "", CHECK_ABSOLUTE, NULL, "Certificate chain in PEM; without it there is no TLS."),
	STR("key", "", CHECK_ABSOLUTE, NULL, "Private key in PEM."),
	NEED("min_protocol", "TLSv1.2", CHECK_WORDS, "TLSv1.2 TLSv1.3",
	    "The oldest protocol that is spoken."),
	STR("ciphers", "", CHECK_TEXT, NULL,
	    "Cipher list of TLS 1.2 in OpenSSL's words; empty is a safe choice."),
	STR("client_ca", "", CHECK_ABSOLUTE, NULL,
	    "Certificate authorities in PEM that sign clients' certificates (for EXTERNAL)."),
};

static const struct option tls_name_options[] = {
	NEED("cert", "", CHECK_ABSOLUTE, NULL, "Certificate chain in PEM for this host name."),
	NEED("key", "", CHECK_ABSOLUTE, NULL, "Private key in PEM for this host name."),
};

static const struct option gate_options[] = {
	NEED("user", "rookery-gate", CHECK_TEXT, NULL, "Account of the gate processes, or UID:GID."),
	INT("processes", "1", 1, 256, "How many gate processes share the listeners."),
	INT("connections_per_process", "1000", 1, 100000,
	    "Connections that one gate process holds, TLS sessions included."),
	INT("handshake_seconds", "30", 1, 3600, "Time for a TLS handshake."),
	INT("login_seconds", "60", 1, 3600, "Time from connection to login."),
	INT("max_line", "8192", 256, 65536, "Bytes of a command line before login."),
	INT("max_literal", "1024", 0, 65536, "Bytes of a literal before login."),
	INT("max_bytes", "65536", 1024, 16 * MIB, "All bytes a client may send before login."),
	INT("max_commands", "20", 3, 10000, "Commands before login."),
	INT("max_bad_commands", "3", 1, 1000, "Wrong commands before login."),
	INT("max_auth_tries", "3", 1, 100, "Failed logins of one connection."),
	INT("max_sasl", "16384", 1024, 16384, "Bytes of one base64 line of AUTHENTICATE."),
	INT("per_address", "20", 1, 100000,
	    "Connections of one address that are not logged in."),
	INT("per_network", "100", 1, 1000000,
	    "The same for one network: /24 of IPv4, /64 of IPv6."),
	NEED("plaintext_login", "never", CHECK_WORDS, "never loopback always",
	    "Where a password may cross the wire without TLS."),
	LIST("proxy_networks", "", CHECK_NETWORK, NULL,
	    "Addresses and networks of proxies whose PROXY header is believed."),
	NEED("greeting", "Rookery ready", CHECK_TEXT, NULL, "Text of the greeting."),
};

static const struct option auth_options[] = {
	NEED("user", "rookery-auth", CHECK_TEXT, NULL, "Account of the auth processes, or UID:GID."),
	LIST("mechanisms", MECHANISMS_DEFAULT, CHECK_WORDS, MECHANISMS_DEFAULT " EXTERNAL",
	    "SASL mechanisms; EXTERNAL believes the gate about client certificates."),
	STR("default_domain", "", CHECK_TEXT, NULL, "Added as @domain to a name without one."),
	NEED("username_case", "lower", CHECK_WORDS, "lower keep",
	    "Whether names are made lower case before they are looked up."),
	INT("failure_grid_ms", "2000", 0, 60000,
	    "Failures are answered on a grid of this many milliseconds, whatever the reason."),
	INT("penalty_max_seconds", "15", 0, 300, "The longest extra wait of an address that fails often."),
	INT("penalty_forget_seconds", "900", 1, DAY, "After this long without a failure all is forgiven."),
	INT("hash_processes", "0", 0, 1024, "Processes that compute password hashes; 0 is one per core."),
	INT("hash_queue", "256", 1, 65536, "Hashes that may wait; beyond that logins are unavailable."),
	INT("ticket_seconds", "30", 1, 600, "Life of the ticket between login and session."),
	INT("scram_iterations", "10000", 4096, 10000000,
	    "Iterations of SCRAM that are shown for users who do not exist."),
};

static const struct option database_options[] = {
	NEED("driver", "passwd-file", CHECK_WORDS, "passwd-file", "Kind of the user database."),
	NEED("path", "", CHECK_ABSOLUTE, NULL, "The file."),
	STR("uid", "", CHECK_TEXT, NULL, "uid (name or number) of users whose record has none."),
	STR("gid", "", CHECK_TEXT, NULL, "gid (name or number) of users whose record has none."),
	STR("home", "", CHECK_HOME, NULL,
	    "Home of users whose record has none; may use %{user} %{localpart} %{domain}."),
	STR("storage", "", CHECK_TEXT, NULL,
	    "Title of the storage of users whose record names none; empty is the first one."),
};

static const struct option hub_options[] = {
	NEED("user", "rookery-hub", CHECK_TEXT, NULL, "Account of the hub process, or UID:GID."),
};

static const struct option imapd_options[] = {
	INT("max_workers", "10240", 1, 1000000, "Sessions at one time."),
	INT("forks_per_second", "200", 1, 100000, "New sessions in one second."),
	INT("max_line", "65536", 8192, MIB, "Bytes of a command line."),
	INT("max_literal", "131072", 1024, 64 * MIB, "Bytes of a literal that is not a message."),
	INT("max_nonsync", "4096", 0, 4096, "Bytes of a literal sent without waiting (LITERAL-)."),
	INT("max_command", "1048576", 8192, 256 * MIB, "Bytes of a whole command with its literals."),
	INT("max_message", "52428800", 1024, INT64_C(4096) * MIB,
	    "Bytes of the messages of one APPEND."),
	INT("max_bad_commands", "20", 1, 100000, "Wrong commands in a row before the session ends."),
	INT("idle_seconds", "1800", 1, 7 * DAY,
	    "Silence after which a session ends; RFC 9051 asks for at least 1800."),
	INT("idle_notice_seconds", "120", 1, DAY, "How often IDLE says that the server is there."),
	INT("output_seconds", "300", 1, DAY, "How long a client may take no output."),
	INT("sessions_per_user", "50", 1, 100000, "Sessions of one user."),
	INT("sessions_per_user_address", "20", 1, 100000, "Sessions of one user from one address."),
	INT("memory", "268435456", 16 * MIB, 65536 * MIB, "Bytes of memory of one session."),
	INT("min_uid", "500", 1, UINT32_MAX - 1,
	    "Users with a lower uid get no session (if started as root)."),
};

static const struct option storage_options[] = {
	NEED("driver", "maildir", CHECK_TEXT, NULL, "Name of the storage driver."),
	NEED("path", "~/Maildir", CHECK_MAIL_PATH, NULL, "Where the mail is; ~ is the user's home."),
	NEED("separator", "/", CHECK_WORDS, "/ .", "Separator of mailbox names."),
	INT("lock_seconds", "30", 1, 600, "How long a lock of the store is waited for."),
	LIST("params", "", CHECK_PARAM, NULL, "Further settings key=value for the driver."),
};

const struct section_kind section_kinds[] = {
	{ "", false, top_options, COUNT(top_options), "Directories and the whole server." },
	{ "log", false, log_options, COUNT(log_options), "The log." },
	{ "listen", true, listen_options, COUNT(listen_options), "Where clients connect." },
	{ "tls", false, tls_options, COUNT(tls_options), "TLS of all listeners." },
	{ "tls_name", true, tls_name_options, COUNT(tls_name_options),
	  "A certificate for a host name that the client asks for (SNI)." },
	{ "gate", false, gate_options, COUNT(gate_options), "Connections before login." },
	{ "auth", false, auth_options, COUNT(auth_options), "Logins." },
	{ "database", true, database_options, COUNT(database_options),
	  "Where users are looked up, in the order of the file." },
	{ "hub", false, hub_options, COUNT(hub_options), "Change notices between sessions." },
	{ "imapd", false, imapd_options, COUNT(imapd_options), "Sessions after login." },
	{ "storage", true, storage_options, COUNT(storage_options), "Where mail is stored." },
};
/* clang-format on */

const size_t section_kinds_n = COUNT(section_kinds);

const struct section_kind *
section_kind_find(const char *name, size_t len)
{
	for (size_t i = 0; i < section_kinds_n; i++) {
		const char *known = section_kinds[i].name;

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return &section_kinds[i];
	}
	return NULL;
}

const struct option *
option_find(const struct section_kind *kind, const char *name, size_t len)
{
	for (size_t i = 0; i < kind->n; i++) {
		const char *known = kind->options[i].name;

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return &kind->options[i];
	}
	return NULL;
}

const char *
option_default(const struct section_kind *kind, const struct option *option, char *buf, size_t size)
{
	const struct passwd *pw;
	bool run = strcmp(option->name, "run_dir") == 0;

	if (kind->name[0] != '\0' || (!run && strcmp(option->name, "state_dir") != 0) ||
	    geteuid() == 0)
		return option->def;
	pw = getpwuid(geteuid());
	if (pw == NULL || pw->pw_dir == NULL || pw->pw_dir[0] != '/')
		return "";
	if ((size_t)snprintf(
		buf, size, "%s/.local/state/rookery%s", pw->pw_dir, run ? "/run" : "") >= size)
		return "";
	return buf;
}
