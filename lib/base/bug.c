#include "lib/base/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"

void
rk_bug(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_ev(RK_LOG_ERROR, "process.bug", LOG_S("reason", text));
	abort();
}

void
rk_out_of_memory(size_t size)
{
	log_ev(RK_LOG_ERROR, "process.memory", LOG_U("bytes", size));
	abort();
}
