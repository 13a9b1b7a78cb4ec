#include <rookery/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 4, 0))) static void
err_fill(struct rk_err *err, enum rk_status status, int sys_errno, const char *fmt, va_list ap)
{
	if (err == NULL)
		return;
	err->status = status;
	err->sys_errno = sys_errno;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

enum rk_status
rk_fail(struct rk_err *err, enum rk_status status, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	err_fill(err, status, saved, fmt, ap);
	va_end(ap);
	errno = saved;
	return status;
}

enum rk_status
rk_fail_plain(struct rk_err *err, enum rk_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_fill(err, status, 0, fmt, ap);
	va_end(ap);
	return status;
}

const char *
rk_status_name(enum rk_status status)
{
	static const char *const names[] = {
		[RK_OK] = "ok",
		[RK_NOTFOUND] = "notfound",
		[RK_EXISTS] = "exists",
		[RK_INVALID] = "invalid",
		[RK_UNSUPPORTED] = "unsupported",
		[RK_DENIED] = "denied",
		[RK_LIMIT] = "limit",
		[RK_QUOTA] = "quota",
		[RK_INUSE] = "inuse",
		[RK_CORRUPT] = "corrupt",
		[RK_TEMP] = "temp",
		[RK_EXPIRED] = "expired",
		[RK_AGAIN] = "again",
		[RK_CLOSED] = "closed",
	};

	if ((size_t)status >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[status];
}
