#include "master/admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "master/master.h"

#define REQUEST_MS 10000 /* from connect to the whole request */
#define CHILD_MS 20000   /* for who and kick */
#define STATS_MS 2000
#define RELOAD_MS 180000
#define FINISH_MS 30000 /* for the answer to be read */

struct verb {
	const char *name;
	uint32_t nargs;
	void (*run)(struct admin_client *c);
};

static void verb_status(struct admin_client *c);
static void verb_who(struct admin_client *c);
static void verb_kick(struct admin_client *c);
static void verb_reload(struct admin_client *c);
static void verb_stop(struct admin_client *c);

static const struct verb verbs[] = {
	{ "status", 0, verb_status },
	{ "who", 0, verb_who },
	{ "kick", 1, verb_kick },
	{ "reload", 0, verb_reload },
	{ "stop", 0, verb_stop },
};

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

enum rk_status
admin_check(const struct admin_request *request, struct rk_err *err)
{
	const struct verb *verb = verb_find(request->verb);

	if (verb == NULL)
		return rk_fail_plain(err, RK_UNSUPPORTED, "no command '%s'", request->verb);
	if (request->nargs != verb->nargs)
		return rk_fail_plain(err, RK_INVALID, "%s takes %u arguments, not %u", verb->name,
		    verb->nargs, request->nargs);
	/* An empty name would mean everybody. */
	for (uint32_t i = 0; i < request->nargs; i++) {
		if (request->args[i][0] == '\0')
			return rk_fail_plain(
			    err, RK_INVALID, "an argument of %s is empty", verb->name);
	}
	return RK_OK;
}

bool
admin_is_sid(const char *text)
{
	return strlen(text) == SID_LEN &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == SID_LEN;
}

static void
client_close(struct admin_client *c)
{
	event_del(&c->readable);
	event_del(&c->writable);
	close(c->fd);
	free(c->queue);
	*c = (struct admin_client){ .admin = c->admin, .fd = -1 };
}

/* False: no room, or no memory. */
static bool
queue_add(struct admin_client *c, const unsigned char *frame, uint32_t n)
{
	size_t need = c->len + sizeof(n) + n;

	if (need > ADMIN_QUEUE_MAX)
		return false;
	if (need > c->cap) {
		size_t cap = c->cap < 65536 ? 65536 : c->cap;
		unsigned char *queue;

		while (cap < need)
			cap *= 2;
		queue = realloc(c->queue, cap);
		if (queue == NULL)
			return false;
		c->queue = queue;
		c->cap = cap;
	}
	memcpy(c->queue + c->len, &n, sizeof(n));
	memcpy(c->queue + c->len + sizeof(n), frame, n);
	c->len = need;
	return true;
}

/* Sends queued frames as far as the socket takes them. False: the client is gone. */
static bool
queue_flush(struct admin_client *c)
{
	while (c->pos < c->len) {
		uint32_t n;

		memcpy(&n, c->queue + c->pos, sizeof(n));
		if (send(c->fd, c->queue + c->pos + sizeof(n), n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
		c->pos += sizeof(n) + n;
	}
	c->pos = 0;
	c->len = 0;
	return true;
}

/* True: the client is still there. */
static bool
client_flush(struct admin_client *c)
{
	if (!queue_flush(c)) {
		client_close(c);
		return false;
	}
	if (c->len > 0) {
		if (event_add(&c->writable, NULL) == 0)
			return true;
		client_close(c);
		return false;
	}
	event_del(&c->writable);
	if (c->wait == ADMIN_FINISH) {
		client_close(c);
		return false;
	}
	return true;
}

static bool
client_send(struct admin_client *c, const struct msg_out *m)
{
	static unsigned char frame[MSG_MAX];
	struct rk_err err;
	size_t n;

	if (msg_frame(m, frame, &n, &err) != RK_OK || !queue_add(c, frame, (uint32_t)n)) {
		log_ev(RK_LOG_WARN, "admin.dropped", LOG_S("verb", c->request.verb));
		client_close(c);
		return false;
	}
	return client_flush(c);
}

static void
client_done(struct admin_client *c, enum rk_status status, const char *text)
{
	struct msg_out m;

	msg_begin(&m, ADMIN_DONE, 0);
	msg_put_u32(&m, (uint32_t)status);
	msg_put_text(&m, text);
	c->wait = ADMIN_FINISH;
	c->deadline_ms = rk_clock_ms() + FINISH_MS;
	client_send(c, &m);
}

/* A row grows field by field; its count stands in front. */
static void
row_begin(struct msg_out *m, uint32_t n)
{
	msg_begin(m, ADMIN_ROW, 0);
	msg_put_u32(m, n);
}

static void
row_text(struct msg_out *m, const char *key, const char *value)
{
	msg_put_text(m, key);
	msg_put_text(m, value);
	msg_put_u8(m, 0);
}

static void
row_number(struct msg_out *m, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	msg_put_text(m, key);
	msg_put_text(m, text);
	msg_put_u8(m, 1);
}

static const char *
phase_name(const struct master *m)
{
	if (m->phase == PHASE_STARTING)
		return "starting";
	if (m->phase == PHASE_STOPPING)
		return "stopping";
	return m->reload.step == RELOAD_IDLE ? "serving" : "reloading";
}

static bool
status_master(struct admin_client *c, const struct master *m)
{
	struct msg_out row;

	row_begin(&row, 8);
	row_text(&row, "service", "rookery");
	row_number(&row, "instance", 0);
	row_number(&row, "generation", 1);
	row_number(&row, "pid", (uint64_t)getpid());
	row_text(&row, "state", phase_name(m));
	row_number(&row, "uptime", (uint64_t)(rk_clock_ms() - m->admin.started_ms) / 1000);
	row_number(&row, "restarts", 0);
	row_number(&row, "listeners", m->listeners.n);
	return client_send(c, &row);
}

static bool
status_child(struct admin_client *c, const struct master *m, const struct child *child)
{
	const struct slot *slot = &m->slots[child->service][child->instance];
	struct msg_out row;

	row_begin(&row, 7 + child->nfigures);
	row_text(&row, "service", services[child->service].name);
	row_number(&row, "instance", child->instance);
	row_number(&row, "generation", child->generation);
	row_number(&row, "pid", (uint64_t)child->pid);
	row_text(&row, "state", child_state_name(child->state));
	row_number(&row, "uptime", (uint64_t)(rk_clock_ms() - child->started_ms) / 1000);
	row_number(&row, "restarts", slot->current == child ? slot->restarts : 0);
	for (uint32_t i = 0; i < child->nfigures; i++)
		row_number(&row, child->figures[i].name, child->figures[i].value);
	return client_send(c, &row);
}

static void
status_answer(struct admin_client *c)
{
	const struct master *m = c->admin->master;

	if (!status_master(c, m))
		return;
	for (size_t service = 0; service < SVC_COUNT; service++) {
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			const struct child *child = &m->children[i];

			if (child->state == CHILD_NONE ||
			    child->service != (enum service_id)service)
				continue;
			if (!status_child(c, m, child))
				return;
		}
	}
	client_done(c, RK_OK, phase_name(m));
}

/* Answers those who wait for figures when no child has to be waited for any more. */
static void
stats_step(struct admin *admin, bool late)
{
	for (size_t i = 0; i < CHILDREN_MAX && !late; i++) {
		const struct child *child = &admin->master->children[i];

		if (child->state != CHILD_NONE && child->state != CHILD_DOOMED &&
		    child->figures_id == admin->last_id && child->figures_id != 0)
			return;
	}
	for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
		if (admin->clients[i].fd >= 0 && admin->clients[i].wait == ADMIN_STATS)
			status_answer(&admin->clients[i]);
	}
}

static void
verb_status(struct admin_client *c)
{
	struct admin *admin = c->admin;
	uint64_t id = ++admin->last_id;

	c->wait = ADMIN_STATS;
	c->deadline_ms = rk_clock_ms() + STATS_MS;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct child *child = &admin->master->children[i];
		struct msg_out m;
		struct rk_err err;

		/* Who still owes an older answer is not asked again. */
		if ((child->state != CHILD_READY && child->state != CHILD_DRAINING) ||
		    child->figures_id != 0)
			continue;
		msg_begin(&m, CTL_STATS, id);
		if (child_send(child, &m, &err) != RK_OK)
			continue;
		child->nfigures = 0;
		child->figures_id = id;
	}
	stats_step(admin, false);
}

static struct child *
spawner_of(struct master *m)
{
	struct child *spawner = m->slots[SVC_SPAWNER][0].current;

	return spawner != NULL && spawner->state == CHILD_READY ? spawner : NULL;
}

static void
spawner_ask(struct admin_client *c, struct msg_out *m)
{
	struct child *spawner = spawner_of(c->admin->master);
	struct rk_err err;

	if (spawner == NULL || child_send(spawner, m, &err) != RK_OK) {
		client_done(c, RK_TEMP, "the spawner is not running");
		return;
	}
	c->wait = ADMIN_CHILD;
	c->id = m->id;
	c->deadline_ms = rk_clock_ms() + CHILD_MS;
}

static void
verb_who(struct admin_client *c)
{
	struct msg_out m;

	msg_begin(&m, CTL_WHO, ++c->admin->last_id);
	spawner_ask(c, &m);
}

static void
verb_kick(struct admin_client *c)
{
	bool sid = !c->as_user && admin_is_sid(c->request.args[0]);
	struct msg_out m;

	msg_begin(&m, CTL_KICK, ++c->admin->last_id);
	msg_put_text(&m, sid ? "" : c->request.args[0]);
	msg_put_text(&m, sid ? c->request.args[0] : "");
	c->as_user = !sid;
	spawner_ask(c, &m);
}

static void
verb_reload(struct admin_client *c)
{
	if (c->admin->master->phase != PHASE_RUNNING) {
		client_done(c, RK_TEMP, "the server is not serving");
		return;
	}
	c->wait = ADMIN_RELOAD;
	c->deadline_ms = rk_clock_ms() + RELOAD_MS;
	reload_begin(c->admin->master);
}

/* Answered by the end of the connection: that is the end of the server. */
static void
verb_stop(struct admin_client *c)
{
	c->wait = ADMIN_STOP;
	c->deadline_ms = INT64_MAX;
	stop_begin(c->admin->master);
}

static void
kick_done(struct admin_client *c, uint32_t n)
{
	struct msg_out row;

	if (n == 0 && !c->as_user) {
		c->as_user = true;
		verb_kick(c);
		return;
	}
	row_begin(&row, 1);
	row_number(&row, "ended", n);
	if (!client_send(c, &row))
		return;
	if (n > 0)
		client_done(c, RK_OK, "");
	else
		client_done(c, RK_NOTFOUND, "nobody has a session of that user or with that id");
}

static struct admin_client *
client_waiting(struct admin *admin, uint64_t id)
{
	for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
		struct admin_client *c = &admin->clients[i];

		if (c->fd >= 0 && c->wait == ADMIN_CHILD && c->id == id)
			return c;
	}
	return NULL;
}

bool
admin_done(struct admin *admin, struct child *child, uint64_t id, uint32_t n)
{
	struct admin_client *c;

	if (id == 0 || id > admin->last_id)
		return false;
	if (child->figures_id == id) {
		child->figures_id = 0;
		stats_step(admin, false);
		return true;
	}
	if (child->service != SVC_SPAWNER)
		return false;
	c = client_waiting(admin, id);
	if (c != NULL && strcmp(c->request.verb, "kick") == 0)
		kick_done(c, n);
	else if (c != NULL)
		client_done(c, RK_OK, "");
	return true;
}

bool
admin_who_row(struct admin *admin, struct child *child, uint64_t id, const struct who_row *who)
{
	struct admin_client *c;
	struct msg_out row;

	if (id == 0 || id > admin->last_id || child->service != SVC_SPAWNER)
		return false;
	c = client_waiting(admin, id);
	if (c == NULL)
		return true; /* it did not wait for the end */
	row_begin(&row, 7);
	row_text(&row, "session", who->sid);
	row_text(&row, "user", who->user);
	row_text(&row, "remote", who->remote);
	row_text(&row, "command", who->command);
	row_number(&row, "pid", (uint64_t)who->pid);
	row_number(&row, "since", who->since);
	row_number(&row, "tls", who->tls);
	client_send(c, &row);
	return true;
}

void
admin_child_gone(struct admin *admin, const struct child *child)
{
	struct child *gone = &admin->master->children[child - admin->master->children];

	if (gone->figures_id != 0) {
		gone->figures_id = 0;
		stats_step(admin, false);
	}
	for (size_t i = 0; i < ADMIN_CLIENTS && child->service == SVC_SPAWNER; i++) {
		struct admin_client *c = &admin->clients[i];

		if (c->fd >= 0 && c->wait == ADMIN_CHILD)
			client_done(c, RK_TEMP, "the spawner ended");
	}
}

void
admin_reloaded(struct admin *admin, enum rk_status status, const char *text)
{
	for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
		struct admin_client *c = &admin->clients[i];

		if (c->fd >= 0 && c->wait == ADMIN_RELOAD)
			client_done(c, status, text);
	}
}

static void
request_take(struct admin_client *c, struct msg_in *m)
{
	const struct verb *verb;
	struct rk_err err;
	enum rk_status status;

	get_admin_request(m, &c->request);
	status = msg_end(m, &err);
	if (status == RK_OK && m->type != ADMIN_REQUEST)
		status = rk_fail_plain(&err, RK_INVALID, "message %u is no request", m->type);
	if (status == RK_OK)
		status = admin_check(&c->request, &err);
	if (status != RK_OK) {
		client_done(c, status, err.text);
		return;
	}
	verb = verb_find(c->request.verb);
	if (strcmp(verb->name, "status") != 0 && strcmp(verb->name, "who") != 0)
		log_ev(RK_LOG_INFO, "admin.request", LOG_S("verb", verb->name),
		    LOG_S("argument", verb->nargs > 0 ? c->request.args[0] : ""));
	verb->run(c);
}

static void
client_readable(evutil_socket_t fd, short what, void *arg)
{
	static struct msg_in m;
	struct admin_client *c = arg;
	struct rk_err err;
	enum rk_status status;

	(void)what;
	status = ipc_recv((int)fd, &m, &err);
	if (status == RK_AGAIN)
		return;
	if (status != RK_OK || c->wait != ADMIN_IDLE) {
		if (status == RK_OK)
			msg_drop(&m);
		client_close(c);
		return;
	}
	request_take(c, &m);
}

static void
client_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_flush(arg);
}

static void
client_admit(struct admin *admin, int fd)
{
	struct admin_client *c = NULL;
	struct rk_err err;
	uid_t uid;
	pid_t pid;

	for (size_t i = 0; i < ADMIN_CLIENTS && c == NULL; i++) {
		if (admin->clients[i].fd < 0)
			c = &admin->clients[i];
	}
	if (ipc_peer(fd, &uid, &pid, &err) != RK_OK || (uid != 0 && uid != geteuid())) {
		log_ev(RK_LOG_WARN, "admin.refused", LOG_U("uid", uid), LOG_I("peer", pid));
		close(fd);
		return;
	}
	if (c == NULL) {
		close(fd);
		return;
	}
	*c = (struct admin_client){
		.admin = admin,
		.fd = fd,
		.deadline_ms = rk_clock_ms() + REQUEST_MS,
	};
	event_assign(
	    &c->readable, admin->master->base, fd, EV_READ | EV_PERSIST, client_readable, c);
	event_assign(
	    &c->writable, admin->master->base, fd, EV_WRITE | EV_PERSIST, client_writable, c);
	if (event_add(&c->readable, NULL) < 0)
		client_close(c);
}

static void
client_arrives(evutil_socket_t fd, short what, void *arg)
{
	struct admin *admin = arg;
	struct master *m = admin->master;
	int client = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (client >= 0) {
		client_admit(admin, client);
		return;
	}
	/* Without a descriptor the connection would wait in the queue and wake us for ever. */
	if ((errno == EMFILE || errno == ENFILE) && m->reserve_fd >= 0) {
		close(m->reserve_fd);
		client = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0)
			close(client);
		m->reserve_fd = reserve_open();
		log_ev(RK_LOG_WARN, "admin.descriptors");
	}
}

enum rk_status
admin_open(struct admin *admin, struct master *m, struct rk_err *err)
{
	char path[128];
	enum rk_status status;

	admin->master = m;
	admin->started_ms = rk_clock_ms();
	for (size_t i = 0; i < ADMIN_CLIENTS; i++)
		admin->clients[i] = (struct admin_client){ .admin = admin, .fd = -1 };
	snprintf(path, sizeof(path), "%s/control", m->settings.run_dir);
	status = ipc_listen(path, 0600, &admin->fd, err);
	if (status != RK_OK)
		return status;
	event_assign(
	    &admin->acceptable, m->base, admin->fd, EV_READ | EV_PERSIST, client_arrives, admin);
	if (event_add(&admin->acceptable, NULL) < 0)
		return rk_fail_plain(err, RK_TEMP, "watching the control socket");
	return RK_OK;
}

void
admin_close(struct admin *admin)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/control", admin->master->settings.run_dir);
	unlink(path);
	event_del(&admin->acceptable);
	close(admin->fd);
	admin->fd = -1;
	for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
		if (admin->clients[i].fd >= 0)
			client_close(&admin->clients[i]);
	}
}

void
admin_tick(struct admin *admin, int64_t now)
{
	for (size_t i = 0; i < ADMIN_CLIENTS; i++) {
		struct admin_client *c = &admin->clients[i];

		if (c->fd < 0 || now < c->deadline_ms)
			continue;
		if (c->wait == ADMIN_STATS)
			stats_step(admin, true);
		else if (c->wait == ADMIN_CHILD)
			client_done(c, RK_TEMP, "the spawner did not answer in time");
		else if (c->wait == ADMIN_RELOAD)
			client_done(c, RK_TEMP, "the reload is not over yet");
		else
			client_close(c);
	}
}
