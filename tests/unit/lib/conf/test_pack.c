#include "tests/unit/unit.h"
#include "tests/unit/lib/conf/support.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char text[] = "run_dir = /r state_dir = /s\n"
			   "listen a { port = 143 } listen b { port = 144 }\n"
			   "auth { mechanisms = {} } gate { proxy_networks = { ::1 } }\n"
			   "storage s { }\n";

static struct buf
packed(void)
{
	struct loaded l = load_text(text);
	struct buf bytes = BUF_INIT;

	ck_assert_int_eq(l.status, RK_OK);
	conf_pack(l.conf, &bytes);
	loaded_free(&l);
	return bytes;
}

START_TEST(a_child_reads_what_the_master_has)
{
	struct loaded l = load_text(text);
	struct buf bytes = packed(), mine = BUF_INIT, theirs = BUF_INIT;
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct rk_err err = { 0 };
	struct conf *conf;

	ck_assert_int_eq(write(fd, bytes.data, bytes.len), (ssize_t)bytes.len);
	/* the offset is at the end, as other children may leave it */
	ck_assert_int_eq(conf_from_fd(fd, &conf, &err), RK_OK);
	ck_assert_int_eq(conf_int(conf, conf_find(conf, "listen", "b"), "port"), 144);
	ck_assert_uint_eq(conf_list_len(conf, NULL, "auth.mechanisms"), 0);
	conf_print(l.conf, &mine);
	conf_print(conf, &theirs);
	ck_assert_str_eq(mine.data, theirs.data);
	conf_free(conf);
	close(fd);
	buf_clear(&mine);
	buf_clear(&theirs);
	buf_clear(&bytes);
	loaded_free(&l);
}
END_TEST

START_TEST(a_cut_text_is_corrupt)
{
	struct buf bytes = packed();
	struct rk_err err = { 0 };
	struct conf *conf;

	for (size_t n = 0; n < bytes.len; n++) {
		/* a copy of the exact size: reading beyond it is seen by the sanitizer */
		char *part = malloc(n == 0 ? 1 : n);

		memcpy(part, bytes.data, n);
		ck_assert_int_eq(conf_unpack(part, n, &conf, &err), RK_CORRUPT);
		ck_assert_ptr_null(conf);
		free(part);
	}
	buf_addc(&bytes, 'x');
	ck_assert_int_eq(conf_unpack(bytes.data, bytes.len, &conf, &err), RK_CORRUPT);
	buf_clear(&bytes);
}
END_TEST

/* What survives a change is a configuration whose every value is right. */
START_TEST(a_changed_byte_never_harms)
{
	struct buf bytes = packed();
	struct rk_err err = { 0 };
	struct conf *conf;

	for (size_t at = 0; at < bytes.len; at++) {
		for (unsigned mask = 1; mask < 256; mask = mask * 2 + 1) {
			bytes.data[at] = (char)(bytes.data[at] ^ (char)mask);
			if (conf_unpack(bytes.data, bytes.len, &conf, &err) == RK_OK) {
				ck_assert_int_ge(conf_int(conf, NULL, "imapd.max_workers"), 1);
				conf_free(conf);
			}
			bytes.data[at] = (char)(bytes.data[at] ^ (char)mask);
		}
	}
	buf_clear(&bytes);
}
END_TEST

START_TEST(an_empty_descriptor_is_corrupt)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct rk_err err = { 0 };
	struct conf *conf;

	ck_assert_int_eq(conf_from_fd(fd, &conf, &err), RK_CORRUPT);
	close(fd);
	ck_assert_int_eq(conf_from_fd(fd, &conf, &err), RK_TEMP);
}
END_TEST

UNIT_MAIN("pack", a_child_reads_what_the_master_has, a_cut_text_is_corrupt,
    a_changed_byte_never_harms, an_empty_descriptor_is_corrupt)
