/*
 * The guard against cancelling by accident: what each process did lately.
 *
 * A recursive delete of an image's directory reaches the attributes first, which are refused. That
 * arms the guard: the same process (thread group) is then refused cancels in that image for a minute: a
 * file manager asks its user at each refusal, and goes on when it is told to skip. And it counts the
 * cancels of one process in one image, for -o maxcancel.
 *
 * In memory only: both rules speak of the last minute. The table is bounded; where more processes
 * than it holds are active within a minute, the one that was quiet longest is forgotten.
 */
#ifndef CORE_RULES_GUARD_H
#define CORE_RULES_GUARD_H

#include "core/base/cleanup.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How long a refused removal counts. Nanoseconds. */
#define GUARD_RECURSIVE_NS (60 * 1000000000LL)

/* Cancels are counted in steps of time: those of a minute are in the step under way and the twelve
 * before it. So no minute has more than it may, and who was refused may go on after 65 s at most. */
#define GUARD_STEP_NS (5 * 1000000000LL)
#define GUARD_STEPS 13

#define GUARD_ENTRIES 512

struct guard_entry {
    pid_t process; /* thread group; 0 = free */
    int64_t image;
    int64_t refused_ns; /* the last refused removal; 0 = none */
    int64_t touched_ns; /* last use, for replacement */
    int64_t step;       /* the number of the step that cancels[0] counts */
    uint32_t cancels[GUARD_STEPS];
};

/* Every function may be called by any thread; times are of one clock, in nanoseconds. */
struct guard {
    pthread_mutex_t mutex;
    struct guard_entry entries[GUARD_ENTRIES]; /* under mutex */
};

void guard_init(struct guard *guard);
void guard_dispose(struct guard *guard);

/* A removal inside IMAGE's directory by PROCESS was refused at NOW. */
void guard_refused(struct guard *guard, pid_t process, int64_t image, int64_t now);

/* A cancel in IMAGE by PROCESS was made at NOW. */
void guard_cancelled(struct guard *guard, pid_t process, int64_t image, int64_t now);

/* Whether PROCESS is in a recursive delete of IMAGE. */
bool guard_is_recursive(struct guard *guard, pid_t process, int64_t image, int64_t now);

/* The cancels that PROCESS made in IMAGE in the last minute, and up to a step before it. */
int64_t guard_cancels(struct guard *guard, pid_t process, int64_t image, int64_t now);

#endif
