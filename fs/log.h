/*
 * Messages of the program: to stderr while somebody looks (before the mount is usable, and with
 * -f), to syslog once it is in the background.
 */
#ifndef FS_LOG_H
#define FS_LOG_H

#include "core/base/cleanup.h"

/* Messages go to stderr only: how the program begins. */
void log_to_stderr(void);

/* From now on messages go to syslog, under this program's name. */
void log_to_syslog(void);

/* Takes libfuse's own messages the same way. */
void log_take_fuse(void);

/* One line, without a newline. LEVEL is syslog's (LOG_ERR, ...). */
void log_write(int level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
