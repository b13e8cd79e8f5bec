/* Messages: see the header. Syslog's own state (openlog) is the only state. */
#include "fs/log.h"

#define FUSE_USE_VERSION 314
#include <fuse_log.h>

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

void log_to_syslog(void)
{
    /* Without a syslog daemon the messages are dropped, which must not stop the mount. */
    openlog("imgsharefs", LOG_PID | LOG_NDELAY, LOG_DAEMON);
    (void)setlogmask(LOG_UPTO(LOG_INFO));
}

void log_to_stderr(void)
{
    (void)setlogmask(LOG_MASK(LOG_EMERG));
}

void log_write(int level, const char *format, ...)
{
    va_list arguments;
    char line[2048];

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    /* One of the two goes nowhere: in the background stderr is /dev/null. */
    (void)fprintf(stderr, "imgsharefs: %s\n", line);
    syslog(level, "%s", line);
}

static void take_fuse(enum fuse_log_level level, const char *format, va_list arguments)
{
    char line[2048];

    /* libfuse's levels are syslog's; its formats are its own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)vsnprintf(line, sizeof(line), format, arguments);
#pragma GCC diagnostic pop
    (void)fprintf(stderr, "%s", line);
    syslog((int)level, "%s", line);
}

void log_take_fuse(void)
{
    fuse_set_log_func(take_fuse);
}
