/*
 * Who may talk to whom, and with what. The edges (master/services.c has the same as a table, and
 *joins the processes accordingly; no process can reach another one that it has no edge to):
 *
 *	master  <-> every child   CTL_*           start, links, drain, health
 *	gate    <-> authd         AUTH_*          credentials in, ticket out
 *	gate    <-> spawner       HANDOFF*        ticket and client socket in; RETURN back
 *	spawner <-> authd         REDEEM, GRANT   ticket in, user out
 *	spawner <-> hub           HUB_JOIN        a new worker's socket
 *	spawner <-> worker        WORKER_*        life and death, RETURN
 *	worker  <-> hub           HUB_*           change notices
 *	rookeryctl -> master      ADMIN_*         control socket, SO_PEERCRED checked
 */
#ifndef IPC_EDGES_H
#define IPC_EDGES_H

enum msg_type {
	/* master -> child */
	CTL_LINK = 1, /* struct link_info and one descriptor: a socket to a peer */
	CTL_DRAIN,    /* finish what is running, take nothing new, then exit */
	CTL_PING,     /* answered by CTL_PONG with the same id */
	CTL_WHO,      /* spawner: answer CTL_WHO_ROW per session, then CTL_DONE */
	CTL_KICK,     /* spawner: end sessions; user, session id ("" = any) */
	CTL_STATS,    /* answer: CTL_STATS_ROW (name, u64) per figure, then CTL_DONE */
	/* child -> master */
	CTL_READY, /* locked down and serving */
	CTL_PONG,
	CTL_WHO_ROW, /* struct who_row */
	CTL_STATS_ROW,
	CTL_DONE, /* u32: rows or sessions concerned */

	/* gate -> authd */
	AUTH_START = 32, /* struct auth_start */
	AUTH_CONTINUE,   /* id; bytes (decoded) from the client */
	AUTH_CANCEL,     /* id; client sent `*`, or is gone */
	/* authd -> gate */
	AUTH_CHALLENGE, /* id; bytes (decoded) for the client */
	AUTH_OK,        /* struct auth_ok */
	AUTH_FAIL,      /* struct auth_fail */

	/* spawner -> authd */
	REDEEM = 48, /* ticket, session id */
	/* authd -> spawner */
	GRANT,         /* struct grant */
	GRANT_REFUSED, /* u32 enum rk_status: RK_DENIED (unknown, used, expired), RK_TEMP */

	/* gate -> spawner */
	HANDOFF = 64, /* struct handoff and the client's descriptor */
	/* spawner -> gate */
	HANDOFF_OK,     /* id: a worker owns the session */
	HANDOFF_FAIL,   /* id; u32 enum rk_status (RK_LIMIT: too many sessions; RK_TEMP) */
	HANDOFF_RETURN, /* a session that logged out of its user (RFC 8437): session id, descriptor
	                 */

	/* worker -> spawner */
	WORKER_RETURN = 72, /* session id, descriptor: on its way back to the gate */
	/* spawner -> worker */
	WORKER_HUB, /* one descriptor: a new socket to the hub, after the hub was started anew */

	/* spawner -> hub */
	HUB_JOIN = 80, /* u32 uid, text account, one descriptor: a worker's socket */
	/* worker -> hub */
	HUB_WATCH,   /* struct hub_topic: tell me about this account */
	HUB_CHANGED, /* struct hub_notice; hub -> other workers that watch the account */

	/* rookeryctl -> master */
	ADMIN_REQUEST = 96, /* struct admin_request */
	/* master -> rookeryctl */
	ADMIN_ROW,  /* u32 n, then n times: key text, value text, u8 is_number */
	ADMIN_DONE, /* u32 enum rk_status, text for the administrator */
};

#endif
