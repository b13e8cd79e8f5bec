/*
 * Reading lines of logfmt: what text_logfmt() and event_format() write.
 */
#ifndef CORE_BASE_LOGFMT_H
#define CORE_BASE_LOGFMT_H

#include "core/base/buffer.h"

/* Appends to VALUE what KEY has in LINE, as it was before text_logfmt() quoted and escaped it. LINE
 * may end with a newline. Returns 0; -ENOENT where LINE has no such key; or -EINVAL where LINE is no
 * logfmt as it is written here: VALUE is then of no use. Where a key is there twice the first counts;
 * the line is read to its end all the same. */
int logfmt_value(const char *line, const char *key, struct buffer *value) MUST_CHECK;

#endif
