/*
 * A call of the cloud's API: what is asked, and how it ended. Made by api.h, carried out by
 * client.h.
 */
#ifndef CORE_CLOUD_CALL_H
#define CORE_CLOUD_CALL_H

#include "core/base/buffer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum call_operation {
    CALL_LIST_IMAGES,
    CALL_IMAGE,
    CALL_MEMBERS,
    CALL_SHARE,
    CALL_UNSHARE,
    CALL_QUOTA,
    CALL_PIN,  /* iam describeUserPin */
    CALL_USER, /* user describeUser */
};

/* Who goes first where the limiter or the connections are short. */
enum call_priority {
    CALL_FIRST,      /* a caller waits for a change */
    CALL_SOON,       /* a caller waits for a listing */
    CALL_BACKGROUND, /* nobody waits: within half of the limit, and of the connections */
};

/* How a call ended. Valid during done() only. */
struct reply {
    int result;    /* 0, or a negative refusal/errno */
    bool unknown;  /* a change may have been carried out although there is no (understood) answer */
    bool answered; /* the service itself spoke: it is there, whatever it said */
    const json_t *body;     /* the member "result" of the answer; NULL where there was none */
    int status;             /* HTTP; 0 where there was no answer */
    const char *request_id; /* "" where there was none; safe to print */
    const char *message;    /* the service's or libcurl's own words, safe to print; "" for none */
};

struct call {
    /* by api.h */
    enum call_operation operation;
    const char *service; /* "vm", "iam", "user"; static */
    const char *method;  /* static */
    char *path;          /* with a leading slash, as sent */
    char *query;         /* as sent; NULL for none */
    char *body;          /* JSON; NULL for none */
    char *pin;           /* of a change; NULL for none */
    bool changes;        /* is no mere question */

    /* by the caller */
    enum call_priority priority;
    int64_t deadline_ms; /* CLOCK_MONOTONIC; the call, its tries and its waits end by then */
    /* The end, once, in the client's thread with no lock held: short, and never waiting. CALL may
     * be submitted again or freed in it. */
    void (*done)(struct call *call, const struct reply *reply);

    /* the client's */
    struct call *next;
    bool cancelled;
    bool recalled; /* is not to be sent any more */
    bool raised;   /* to the priority RAISED_TO, until its end */
    enum call_priority raised_to;
};

/* Frees what api.h has put there, not CALL itself. */
void call_dispose(struct call *call);

#endif
