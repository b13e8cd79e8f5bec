/*
 * Messages of the program: to stderr while somebody looks (before the mount is usable, and with
 * -f), to syslog once it is in the background.
 *
 * What is not worth the level is dropped. Of equal messages within ten seconds the first is
 * written, and the next one after that says how many were not. Whatever a message quotes is escaped.
 *
 * This is the one state that a process has and not a mount: libfuse calls without a context, as
 * syslog does not take any. Any function, any thread.
 */
#ifndef FS_LOG_H
#define FS_LOG_H

#include "core/base/cleanup.h"

/* Messages go to stderr, those of LOG_INFO and more urgent: how the program begins. Where stderr is
 * the journal, each has its level before it. */
void log_open(void);

/* From now on messages go to syslog, under this program's name and the path of the mount:
 * "imgsharefs/images". */
void log_to_syslog(const char *mountpoint);

/* Takes libfuse's own messages the same way. It is to have its option "debug": which of its
 * messages are written is decided here. */
void log_take_fuse(void);

/* The level (LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG) that WORD names as loglevel= has it; negative
 * if it names none. */
int log_level_of(const char *word) MUST_CHECK;

/* Messages of LEVEL and more urgent ones are written. */
void log_set_level(int level);

/* One level more (BY = 1) or less (-1), as far as there are any, and says so. */
void log_step_level(int by);

/* One message, without a newline at its end; each line of it becomes one of the log. LEVEL is
 * syslog's. */
void log_write(int level, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same of a text as it is. */
void log_text(int level, const char *text);

#endif
