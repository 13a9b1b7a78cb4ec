/*
 * Keys that seal TLS session tickets. The server keeps no session: all is in the ticket that the
 * client holds, so whoever learns the key can open old tickets. A key therefore lives in memory
 * only, seals for TICKET_LIFETIME and opens for as long again, then is overwritten.
 */
#ifndef TLS_TICKET_KEYS_H
#define TLS_TICKET_KEYS_H

#include <openssl/ssl.h>

#define TICKET_LIFETIME 7200 /* seconds a session may be resumed after its handshake */

struct ticket_keys;

/* NULL only when memory is out. */
struct ticket_keys *ticket_keys_new(void);
void ticket_keys_free(struct ticket_keys *keys);

/* Makes `ctx` seal and open its tickets with `keys`, which must outlive it. */
void ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx);

#endif
