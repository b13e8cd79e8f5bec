/*
 * A line of the event log: logfmt, key=value, quoted where needed.
 *
 *   time=2026-11-24T08:00:00.123456Z action=share image=img-m5s0abcd29 pin=alice outcome=done
 *   uid=1000 pid=4711 exe=/usr/bin/touch login=1000
 *
 * A refusal has outcome=refused, errno=, code= and message=. No secret is ever in one.
 */
#ifndef CORE_CATALOG_EVENT_H
#define CORE_CATALOG_EVENT_H

#include "core/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who asked, as far as the kernel tells. */
struct caller {
    uid_t uid;
    pid_t process;  /* thread group; 0 where unknown */
    bool has_login; /* a login session is known (audit's loginuid) */
    uid_t login;
    char executable[256]; /* path, "" where unknown */
};

/* Bytes of a line at most: two names of 255 bytes, escaped four times as long, and the rest. */
#define EVENT_LINE_MAX 4096

struct event {
    int64_t at_ns;
    const char *action; /* share, cancel, mkdir, ... */
    const char *image;  /* id, or NULL */
    const char *key;    /* what NAME is: "pin" or "name" */
    const char *name;   /* or NULL */
    int result;         /* 0, or the negative refusal/errno */
    const char *detail; /* message of a result that has no row in the refusal table, or NULL */
    const char *extra;  /* more of the line, " key=value" as it is to be, or NULL */
    int64_t repeated;   /* equal ones that were left out before this one */
    const struct caller *caller; /* or NULL: the program itself */
};

/* Appends the line with its newline to OUT. */
void event_format(struct buffer *out, const struct event *event);

#endif
