#include "tests/unit/unit.h"

#include <string.h>

#include "imapd/gate/capability.h"

#define ALWAYS "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE NAMESPACE UNSELECT"

static const struct gate_settings settings = {
	.mechanisms = { "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL" },
	.nmechanisms = 5,
};

START_TEST(the_text_follows_the_connection)
{
	/* clang-format off */
	static const struct { struct offer offer; const char *text; } cases[] = {
		{ { .starttls = true },
		  ALWAYS " STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256" },
		{ { .starttls = false },
		  ALWAYS " LOGINDISABLED AUTH=SCRAM-SHA-256" },
		{ { .starttls = true, .plaintext = true },
		  ALWAYS " STARTTLS AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256" },
		{ { .tls = true, .starttls = true, .plaintext = true, .binding = true },
		  ALWAYS " AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS" },
		{ { .tls = true, .plaintext = true, .cert = true },
		  ALWAYS " AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=EXTERNAL" },
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT;

		capability_write(&out, &settings, &cases[i].offer);
		ck_assert_str_eq(out.data, cases[i].text);
		buf_clear(&out);
	}
}
END_TEST

START_TEST(what_is_not_offered_is_refused)
{
	static const struct offer clear = { .starttls = true };
	static const struct offer tls = { .tls = true, .plaintext = true };

	ck_assert_int_eq(capability_mechanism(&settings, &clear, "PLAIN"), MECHANISM_NEEDS_TLS);
	ck_assert_int_eq(capability_mechanism(&settings, &clear, "LOGIN"), MECHANISM_NEEDS_TLS);
	ck_assert_int_eq(
	    capability_mechanism(&settings, &clear, "SCRAM-SHA-256-PLUS"), MECHANISM_NEEDS_TLS);
	ck_assert_int_eq(
	    capability_mechanism(&settings, &clear, "SCRAM-SHA-256"), MECHANISM_OFFERED);
	ck_assert_int_eq(
	    capability_mechanism(&settings, &tls, "SCRAM-SHA-256-PLUS"), MECHANISM_UNKNOWN);
	ck_assert_int_eq(capability_mechanism(&settings, &tls, "EXTERNAL"), MECHANISM_UNKNOWN);
	ck_assert_int_eq(capability_mechanism(&settings, &tls, "GSSAPI"), MECHANISM_UNKNOWN);
	ck_assert_int_eq(capability_mechanism(&settings, &tls, ""), MECHANISM_UNKNOWN);
	ck_assert_int_eq(capability_login(&settings, &clear), MECHANISM_NEEDS_TLS);
	ck_assert_int_eq(capability_login(&settings, &tls), MECHANISM_OFFERED);
}
END_TEST

UNIT_MAIN("capability", the_text_follows_the_connection, what_is_not_offered_is_refused)
