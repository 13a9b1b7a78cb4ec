#include "imapd/gate/gate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imapd/gate/conn.h"
#include "lib/base/bug.h"
#include "lib/base/log.h"

#define ACCEPTS_A_TURN 32
#define SPARE_SLOTS 64 /* for those that have ended and wait to be freed */
#define PAUSE_MS 500   /* when descriptors have run out */
#define DRAIN_GRACE_MS 1000
#define REFUSAL_LOG_MS 1000

static const char busy[] = "* BYE [UNAVAILABLE] Too many connections, please try later\r\n";

/* --- opening --- */

static enum rk_status
tls_open(struct gate *g, const struct conf *conf, struct rk_err *err)
{
	const struct conf_section *name = NULL;
	struct tls_options options = {
		.min_protocol = conf_str(conf, NULL, "tls.min_protocol"),
		.ciphers = conf_str(conf, NULL, "tls.ciphers"),
		.client_ca_file = conf_str(conf, NULL, "tls.client_ca"),
	};
	struct tls_cert *certs;
	enum rk_status status;
	size_t n = 1;

	if (conf_str(conf, NULL, "tls.cert")[0] == '\0')
		return RK_OK;
	while ((name = conf_next(conf, "tls_name", name)) != NULL)
		n++;
	certs = calloc(n, sizeof(*certs));
	if (certs == NULL)
		rk_out_of_memory(n * sizeof(*certs));
	certs[0] = (struct tls_cert){
		.name = "",
		.cert_file = conf_str(conf, NULL, "tls.cert"),
		.key_file = conf_str(conf, NULL, "tls.key"),
	};
	n = 1;
	while ((name = conf_next(conf, "tls_name", name)) != NULL)
		certs[n++] = (struct tls_cert){
			.name = conf_title(name),
			.cert_file = conf_str(conf, name, "cert"),
			.key_file = conf_str(conf, name, "key"),
		};
	options.certs = certs;
	options.ncerts = n;
	status = tls_ctx_new(&options, &g->tls, err);
	free(certs);
	return status;
}

static enum rk_status
listener_open(
    struct gate *g, const struct conf *conf, const struct service_fd *sfd, struct rk_err *err)
{
	const char *title = sfd->name + strlen("listen/");
	const struct conf_section *section = conf_find(conf, "listen", title);
	struct listener *l = &g->listeners[g->nlisteners];
	const char *tls;

	if (section == NULL)
		return rk_fail_plain(err, RK_INVALID, "no section listen \"%s\"", title);
	tls = conf_str(conf, section, "tls");
	*l = (struct listener){
		.gate = g,
		.fd = sfd->fd,
		.tls = strcmp(tls, "implicit") == 0 ? LISTENER_IMPLICIT
		       : strcmp(tls, "none") == 0   ? LISTENER_NONE
		                                    : LISTENER_STARTTLS,
		.proxy_protocol = conf_bool(conf, section, "proxy_protocol"),
	};
	if (l->tls == LISTENER_IMPLICIT && g->tls == NULL)
		return rk_fail_plain(err, RK_INVALID, "listen \"%s\" needs tls.cert", title);
	if (ipc_nonblock(l->fd, true, err) != RK_OK)
		return err->status;
	g->nlisteners++;
	return RK_OK;
}

static enum rk_status
listeners_open(struct gate *g, const struct conf *conf, struct rk_err *err)
{
	enum rk_status status = RK_OK;

	for (size_t i = 0; i < g->service->nfds && status == RK_OK; i++) {
		if (strncmp(g->service->fds[i].name, "listen/", 7) == 0)
			status = listener_open(g, conf, &g->service->fds[i], err);
	}
	return status;
}

static void
slots_make(struct gate *g)
{
	size_t n = g->settings.connections + SPARE_SLOTS;

	g->nslots = n;
	g->slots = calloc(n, sizeof(struct conn *));
	g->free_slots = calloc(n, sizeof(*g->free_slots));
	if (g->slots == NULL || g->free_slots == NULL)
		rk_out_of_memory(n);
	for (size_t i = 0; i < n; i++)
		g->free_slots[i] = (uint32_t)(n - 1 - i);
	g->nfree = n;
}

static void
on_sigterm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	gate_drain(arg);
}

enum rk_status
gate_open(struct gate *g, struct service *service, const struct conf *conf, struct rk_err *err)
{
	enum rk_status status;

	*g = (struct gate){ .service = service };
	links_init(g);
	status = settings_read(&g->settings, conf, err);
	if (status == RK_OK)
		status = tls_open(g, conf, err);
	if (status == RK_OK)
		status = listeners_open(g, conf, err);
	if (status != RK_OK)
		return status;
	slots_make(g);
	g->limits =
	    limits_new(g->settings.connections, g->settings.per_address, g->settings.per_network);
	g->base = event_base_new();
	if (g->base == NULL)
		return rk_fail(err, RK_TEMP, "event loop");
	/* Makes its pair of sockets now, while they may be made. */
	evsignal_assign(&g->sigterm, g->base, SIGTERM, on_sigterm, g);
	event_add(&g->sigterm, NULL);
	return RK_OK;
}

/* --- the room there is --- */

void
gate_refused(struct gate *g, const struct addr *who, const char *reason)
{
	int64_t now = rk_clock_ms();
	struct endpoint from;

	g->stats.refused++;
	g->refusals_unlogged++;
	if (g->refusal_logged_ms != 0 && now - g->refusal_logged_ms < REFUSAL_LOG_MS)
		return;
	addr_endpoint(who, &from);
	log_ev(RK_LOG_WARN, "gate.refused", LOG_S("reason", reason), LOG_S("address", from.address),
	    LOG_U("count", g->refusals_unlogged));
	g->refusal_logged_ms = now;
	g->refusals_unlogged = 0;
}

void
gate_pause(struct gate *g, bool descriptors_out)
{
	struct timeval tv = { .tv_usec = PAUSE_MS * 1000 };

	for (size_t i = 0; i < g->nlisteners && g->listening; i++)
		event_del(&g->listeners[i].ev);
	g->listening = false;
	if (descriptors_out)
		event_add(&g->resume, &tv);
}

void
gate_resume(struct gate *g)
{
	if (g->listening || g->draining)
		return;
	for (size_t i = 0; i < g->nlisteners; i++)
		event_add(&g->listeners[i].ev, NULL);
	g->listening = true;
}

/* Room for one more: by the oldest of whoever holds most, if somebody is there who has not logged
 * in. Called with the newcomer in hand, never for one that another process took. */
static bool
room_make(struct gate *g)
{
	struct limit_hold *hold;
	struct conn *victim;

	if (g->live < g->settings.connections)
		return true;
	hold = limits_victim(g->limits);
	if (hold == NULL)
		return false;
	victim = (struct conn *)((char *)hold - offsetof(struct conn, hold));
	gate_refused(g, &victim->remote, "evicted");
	conn_context(victim);
	if (victim->tls == NULL)
		(void)send(victim->fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	conn_end(victim, "evicted");
	conn_context(NULL);
	return true;
}

static void
client_refuse(struct listener *l, int fd, const struct addr *remote)
{
	gate_refused(l->gate, remote, "full");
	if (l->tls != LISTENER_IMPLICIT)
		(void)send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* True: ask again for another one. */
static bool
accept_one(struct listener *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr remote;
	int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_ev(RK_LOG_WARN, "gate.descriptors_out", LOG_I("errno", errno));
			gate_pause(l->gate, true);
		}
		return errno == ECONNABORTED || errno == EINTR;
	}
	if (!addr_from_sockaddr(&remote, (struct sockaddr *)&ss)) {
		close(fd);
		return true;
	}
	if (room_make(l->gate))
		conn_accept(l, fd, &remote);
	else
		client_refuse(l, fd, &remote);
	return true;
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct gate *g = l->gate;

	(void)fd, (void)what;
	for (int i = 0; i < ACCEPTS_A_TURN && g->listening && g->nfree > 0; i++) {
		/* Everybody here has logged in: other gate processes may have room. */
		if (g->settings.processes > 1 && g->live >= g->settings.connections &&
		    limits_victim(g->limits) == NULL) {
			gate_pause(g, false);
			return;
		}
		if (!accept_one(l))
			return;
	}
}

/* --- the end of connections --- */

static void
conn_destroy(struct gate *g, struct conn *c)
{
	g->slots[c->slot] = NULL;
	g->free_slots[g->nfree++] = c->slot;
	g->nconns--;
	preauth_free(c->pre);
	buf_wipe(&c->in);
	explicit_bzero(&c->ticket, sizeof(c->ticket));
	free(c);
}

static void
on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd, (void)what;
	while (g->dead != NULL) {
		struct conn *c = g->dead;

		g->dead = c->next_dead;
		conn_destroy(g, c);
	}
	if (!event_pending(&g->resume, EV_TIMEOUT, NULL))
		gate_resume(g);
	if (g->draining && g->nconns == 0)
		event_base_loopbreak(g->base);
}

/* --- draining --- */

static void
on_drain_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd, (void)what;
	g->drain_over = true;
	conn_drain_all(g);
}

void
gate_drain(struct gate *g)
{
	struct timeval tv = { .tv_sec = DRAIN_GRACE_MS / 1000 };

	if (g->draining)
		return;
	log_ev(RK_LOG_INFO, "gate.drain", LOG_U("connections", g->nconns));
	gate_pause(g, false);
	event_del(&g->resume);
	g->draining = true;
	for (size_t i = 0; i < g->nlisteners; i++)
		close(g->listeners[i].fd);
	g->nlisteners = 0;
	if (g->nconns == 0)
		event_base_loopbreak(g->base);
	else
		event_add(&g->drain_timer, &tv);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	gate_resume(arg);
}

/* --- serving --- */

enum rk_status
gate_serve(struct gate *g, struct rk_err *err)
{
	for (size_t i = 0; i < g->nlisteners; i++)
		event_assign(&g->listeners[i].ev, g->base, g->listeners[i].fd, EV_READ | EV_PERSIST,
		    on_accept, &g->listeners[i]);
	event_assign(&g->reaper, g->base, -1, 0, on_reap, g);
	evtimer_assign(&g->resume, g->base, on_resume, g);
	evtimer_assign(&g->drain_timer, g->base, on_drain_timer, g);
	control_watch(g);
	gate_resume(g);
	if (event_base_dispatch(g->base) < 0)
		return rk_fail(err, RK_TEMP, "event loop");
	return RK_OK;
}

void
gate_close(struct gate *g)
{
	if (g->base != NULL) {
		conn_end_all(g);
		while (g->dead != NULL) {
			struct conn *c = g->dead;

			g->dead = c->next_dead;
			conn_destroy(g, c);
		}
		links_close(g);
		event_del(&g->sigterm);
		event_base_free(g->base);
	}
	limits_free(g->limits);
	free(g->slots);
	free(g->free_slots);
	tls_ctx_free(g->tls);
	settings_clear(&g->settings);
}
