#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "ctl/json.h"
#include "lib/base/utf8.h"

const char *
ctl_value(const struct ctl_row *row, const char *key)
{
	for (size_t i = 0; i < row->n; i++) {
		if (strcmp(row->fields[i].key, key) == 0)
			return row->fields[i].value;
	}
	return "";
}

enum ctl_exit
ctl_write(struct buf *out)
{
	enum ctl_exit code = CTL_OK;

	if (fwrite(out->data, 1, out->len, stdout) != out->len || fflush(stdout) != 0) {
		fprintf(stderr, "rookeryctl: standard output can't be written\n");
		code = CTL_FAILED;
	}
	buf_clear(out);
	return code;
}

void
ctl_print(const char *text, int width)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = strlen(text), i = 0;
	int columns = 0;

	while (i < n) {
		size_t seq = utf8_sequence(p + i, n - i);
		bool control = seq == 1 && (p[i] < 0x20 || p[i] == 0x7f);
		bool c1 = seq == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0;

		/* A terminal obeys control bytes, and a client may have chosen these. */
		if (seq == 0 || control || c1) {
			columns += printf("\\x%02x", p[i++]);
			continue;
		}
		fwrite(p + i, 1, seq, stdout);
		i += seq;
		columns++;
	}
	for (; columns < width; columns++)
		putchar(' ');
}

static void
row_json(struct buf *out, const struct ctl_row *row)
{
	buf_addc(out, '{');
	for (size_t i = 0; i < row->n; i++) {
		const struct ctl_field *f = &row->fields[i];

		json_key(out, f->key, i == 0);
		if (f->number)
			json_number(out, str_from(f->value));
		else
			json_string(out, str_from(f->value));
	}
	buf_addc(out, '}');
}

enum ctl_exit
ctl_rows_json(const struct ctl_answer *answer, const char *name)
{
	struct buf out = BUF_INIT;

	buf_addc(&out, '{');
	json_key(&out, name, true);
	buf_addc(&out, '[');
	for (size_t i = 0; i < answer->n; i++) {
		if (i > 0)
			buf_addc(&out, ',');
		row_json(&out, &answer->rows[i]);
	}
	buf_adds(&out, "]}\n");
	return ctl_write(&out);
}

enum ctl_exit
ctl_outcome(const struct ctl *ctl, const struct ctl_answer *answer, const char *done)
{
	bool ok = answer->status == RK_OK;
	const char *text = ok ? done : answer->text;
	struct buf out = BUF_INIT;

	if (!ctl->json) {
		if (ok)
			printf("%s\n", text);
		else
			fprintf(stderr, "rookeryctl: %s\n", text);
		return ok ? CTL_OK : CTL_FAILED;
	}
	buf_addf(&out, "{\"ok\":%s,\"status\":", ok ? "true" : "false");
	json_string(&out, str_from(rk_status_name(answer->status)));
	json_key(&out, "text", false);
	json_string(&out, str_from(text));
	for (size_t i = 0; i < answer->n; i++) {
		for (size_t k = 0; k < answer->rows[i].n; k++) {
			json_key(&out, answer->rows[i].fields[k].key, false);
			json_number(&out, str_from(answer->rows[i].fields[k].value));
		}
	}
	buf_adds(&out, "}\n");
	if (ctl_write(&out) != CTL_OK)
		return CTL_FAILED;
	return ok ? CTL_OK : CTL_FAILED;
}
