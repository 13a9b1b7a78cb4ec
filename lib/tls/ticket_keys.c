#include "lib/tls/ticket_keys.h"

#include <rookery/host.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "lib/base/os_linux.h"

#define NAME_LEN 16 /* of a key, in the ticket (RFC 5077 section 4) */

struct ticket_key {
	unsigned char name[NAME_LEN];
	unsigned char cipher[32];
	unsigned char mac[32];
	int64_t made_ms;
};

/* One that seals, and the one before it, which only opens. */
struct ticket_keys {
	struct ticket_key current;
	struct ticket_key previous;
	bool has_previous;
};

static int ctx_slot = -1; /* OpenSSL's number for our pointer in an SSL_CTX */

static void
key_make(struct ticket_key *key)
{
	os_random(key->name, sizeof(key->name));
	os_random(key->cipher, sizeof(key->cipher));
	os_random(key->mac, sizeof(key->mac));
	key->made_ms = rk_clock_ms();
}

struct ticket_keys *
ticket_keys_new(void)
{
	struct ticket_keys *keys = calloc(1, sizeof(*keys));

	if (keys != NULL)
		key_make(&keys->current);
	return keys;
}

void
ticket_keys_free(struct ticket_keys *keys)
{
	if (keys == NULL)
		return;
	OPENSSL_cleanse(keys, sizeof(*keys));
	free(keys);
}

static void
keys_rotate(struct ticket_keys *keys)
{
	int64_t age = rk_clock_ms() - keys->current.made_ms;

	if (age < TICKET_LIFETIME * INT64_C(1000))
		return;
	keys->previous = keys->current;
	keys->has_previous = age < 2 * TICKET_LIFETIME * INT64_C(1000);
	if (!keys->has_previous)
		OPENSSL_cleanse(&keys->previous, sizeof(keys->previous));
	key_make(&keys->current);
}

static bool
mac_init(EVP_MAC_CTX *hmac, struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(hmac, params) == 1;
}

static int
ticket_seal(struct ticket_keys *keys, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx,
    EVP_MAC_CTX *hmac)
{
	struct ticket_key *key = &keys->current;

	memcpy(name, key->name, NAME_LEN);
	os_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
	    !mac_init(hmac, key))
		return -1;
	return 1;
}

/* 0: not ours (a full handshake follows), 1: fine, 2: fine but give the client a new ticket. */
static int
ticket_open(struct ticket_keys *keys, const unsigned char *name, const unsigned char *iv,
    EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *hmac)
{
	struct ticket_key *key = NULL;

	if (CRYPTO_memcmp(name, keys->current.name, NAME_LEN) == 0)
		key = &keys->current;
	else if (keys->has_previous && CRYPTO_memcmp(name, keys->previous.name, NAME_LEN) == 0)
		key = &keys->previous;
	if (key == NULL)
		return 0;
	if (EVP_DecryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
	    !mac_init(hmac, key))
		return -1;
	return key == &keys->current ? 1 : 2;
}

static int
ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx,
    EVP_MAC_CTX *hmac, int seal)
{
	/* The context that SNI chose may be another one; all of them share the keys. */
	struct ticket_keys *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_slot);

	keys_rotate(keys);
	if (seal)
		return ticket_seal(keys, name, iv, ctx, hmac);
	return ticket_open(keys, name, iv, ctx, hmac);
}

void
ticket_keys_use(struct ticket_keys *keys, SSL_CTX *ctx)
{
	if (ctx_slot < 0)
		ctx_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	SSL_CTX_set_ex_data(ctx, ctx_slot, keys);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TICKET_LIFETIME);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_callback);
}
