/*
 * Plans: the difference between with whom images are shared and with whom they shall be, and what
 * stands against it.
 *
 * Who fills a plan gives each image what it is shared with and what is wanted; plan_finish() works
 * out the rest. Pure, but for memory.
 */
#ifndef CORE_IMGSHARE_PLAN_H
#define CORE_IMGSHARE_PLAN_H

#include "core/base/buffer.h"
#include "core/base/names.h"

#include <stdint.h>

struct plan_image {
    char *id;
    char *name;
    char *list;          /* the list that wants it so, for messages; NULL: none does */
    char *obstacle;      /* why it cannot be shared ("EBUSY: ..."); NULL: it can */
    bool unsettled;      /* a change of it has an unknown outcome */
    int64_t used;        /* accounts it is shared with, those included that cannot be listed */
    int64_t limit;       /* of accounts; 0 = unknown */
    struct names now;    /* sorted: pins it is shared with */
    struct names then;   /* pins it shall be shared with; plan_finish() sorts them */
    struct names shares; /* what is to be done, in this order as far as there is room */
    struct names cancels;
};

struct plan {
    struct plan_image *images; /* plan_finish() sorts them by id */
    size_t count;
    size_t size; /* allocated */
    /* What makes the plan impossible, a line each. Whoever finds something adds it. */
    struct buffer problems;
    size_t shares, cancels; /* totals */
};

/* What the mount and the user allow. */
struct plan_bounds {
    bool read_only;
    bool no_cancel;
    int64_t mount_cancels; /* of one image, 0 = no limit */
    int64_t cancels;       /* of the whole plan */
};

#define PLAN_PROBLEMS_MAX ((size_t)16 << 20)
#define PLAN_INIT                                                                                  \
    {                                                                                              \
        .problems = BUFFER_INIT(PLAN_PROBLEMS_MAX)                                                 \
    }

/* One more image, whose ID and NAME are copied. NULL where there is no memory. Valid until the
 * next. */
struct plan_image *plan_add(struct plan *plan, const char *id, const char *name);

/* Works out what is to be done, and adds to the problems what the rules or BOUNDS refuse. 0 or
 * -ENOMEM. */
int plan_finish(struct plan *plan, const struct plan_bounds *bounds) MUST_CHECK;

/* Appends the plan, "+ share IMAGE (NAME) PIN" and "- cancel IMAGE (NAME) PIN": sorted by image,
 * shares before cancels, and by pin. */
void plan_print(const struct plan *plan, struct buffer *out);

/* Appends "IMAGE (NAME)", escaped. */
void plan_print_image(const struct plan_image *image, struct buffer *out);

/* Begins, and ends, a line of the problems. */
void plan_problem(struct plan *plan, const struct plan_image *image, const char *format, ...)
    PRINTF_LIKE(3, 4);

void plan_dispose(struct plan *plan);

#define CLEANUP_PLAN __attribute__((cleanup(plan_dispose)))

#endif
