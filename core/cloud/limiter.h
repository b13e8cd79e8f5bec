/*
 * How many requests a minute: what the service advertises, shared by all calls.
 *
 * The service counts by the minute of its own clock. It tells its limit and what remains in
 * headers, and its clock in another, so that this follows it; until it has spoken, the minute is
 * the local clock's. Pure but for its state: times are arguments, in milliseconds of
 * CLOCK_MONOTONIC.
 */
#ifndef CORE_CLOUD_LIMITER_H
#define CORE_CLOUD_LIMITER_H

#include "core/cloud/call.h"

struct limiter {
    int64_t limit;   /* a minute */
    int64_t used;    /* in this minute, by us and as far as is known by others with the same key */
    int64_t ends_ms; /* this minute */
    bool told;       /* LIMIT, in this minute */
    bool exhausted;  /* the service said so: nothing goes before the end of the minute */
};

/* LIMIT until the service advertises its own. SECOND is that of the wall clock, 0 to 59. */
void limiter_init(struct limiter *limiter, int64_t limit, int second, int64_t now_ms);

/* When a request of PRIORITY may go: NOW_MS or sooner, or the end of the minute. Background has
 * half of the limit, and only while the other half is not begun: it never makes another wait. */
int64_t limiter_when(struct limiter *limiter, enum call_priority priority, int64_t now_ms);

/* A request goes. */
void limiter_count(struct limiter *limiter, int64_t now_ms);

/* What an answer tells. Each is negative where it tells nothing: the LIMIT, what is REMAINING, the
 * SECOND of the service's clock. RATE: the answer was that there were too many. */
void limiter_learn(struct limiter *limiter, int64_t limit, int64_t remaining, int second, bool rate,
                   int64_t now_ms);

#endif
