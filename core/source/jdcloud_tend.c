/*
 * Looking after the changes that wait: see jdcloud_state.h.
 *
 * Whoever was interrupted, has waited as long as he wanted to, or waits for a cloud that is away,
 * is let go; what is to be sent again, or was behind one that has gone, goes on.
 */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/rules/refusal.h"
#include "core/store/replica.h"

#include <stdlib.h>

/* So long the answer to a change is waited for whose caller was interrupted. As a rule it is on its way,
 * and then nothing is left unsettled; where the service does not answer the members are asked soon. */
#define LET_GO_MS 1000

/* Why OPERATION, which waits, must not wait any longer; 0 if it may. Under the mutex. */
static int why_not_wait(const struct operation *operation, int64_t now)
{
    struct jdcloud *cloud = operation->cloud;

    if (cloud->stopping || change_is_interrupted(operation->change))
        return -REFUSAL_INTERRUPTED;
    if (cloud->away < 0)
        return cloud->away;
    return now >= operation->deadline_ms ? -REFUSAL_SERVICE_TIMEOUT : 0;
}

/* What has to be done about the queues of a bucket. */
struct tending {
    struct operation *refused; /* with their results; they are in no queue any more */
    struct operation *first;   /* linked by due: to be decided, or to be sent again */
};

/* Takes those out of IMAGE's queue that wait and must not any longer, and says what is to be done
 * besides. Under the mutex. */
static void tend_queue(struct image_state *image, int64_t now, struct tending *out)
{
    struct operation **at = &image->first;

    while (*at) {
        struct operation *operation = *at;
        bool waits = operation->state == OPERATION_WAITING || operation->state == OPERATION_BLOCKED;
        int why = waits ? why_not_wait(operation, now) : 0;
        if (why == 0) {
            at = &operation->next;
            continue;
        }
        *at = operation->next;
        operation->result = why;
        operation->next = out->refused;
        out->refused = operation;
    }
    image->last = at;
    struct operation *first = image->first;
    if (first &&
        first->state == OPERATION_WAITING) { /* the one before it was blocked, and has gone */
        first->state = OPERATION_DECIDING;
        first->due = out->first;
        out->first = first;
    }
    if (first && first->state == OPERATION_AGAIN &&
        (now >= first->again_ms || image->cloud->stopping ||
         change_is_interrupted(first->change))) {
        first->state = OPERATION_DECIDING;
        first->due = out->first;
        out->first = first;
    }
}

static void tend(struct tending *tending)
{
    while (tending->refused) {
        struct operation *operation = tending->refused;
        tending->refused = operation->next;
        jdcloud_let_go(operation, operation->result);
    }
    while (tending->first) {
        struct operation *operation = tending->first;
        tending->first = operation->due;
        jdcloud_go_on(operation);
    }
}

/* A caller who was interrupted while his change was with the cloud, on his way to hear so: first it is
 * written down that nobody knows what becomes of it. */
struct leaver {
    struct job job;
    struct jdcloud *cloud;
    struct change *change;
    int64_t journal;
};

static int leave_run(struct job *job, struct connection *connection, int64_t now)
{
    const struct leaver *leaver = CONTAINER_OF(job, struct leaver, job);
    struct jdcloud *cloud = leaver->cloud;

    {
        LOCK_SCOPE(&cloud->mutex);
        struct operation *operation =
            jdcloud_find_change(cloud, leaver->change->image, leaver->journal);
        /* It may be known by now; and the row another's. */
        if (!operation || operation->let_go_ms == 0 || operation->noted)
            return 1;
        operation->noted = true;
    }
    int result = journal_set(connection, leaver->journal, JOURNAL_UNKNOWN, now);
    if (result < 0)
        return result;
    catalog_record_refused(cloud->catalog, connection, leaver->change, -REFUSAL_INTERRUPTED, now,
                           " unsettled=yes");
    return jdcloud_count_unknown(cloud, connection);
}

static void leave_done(struct job *job, int result)
{
    struct leaver *leaver = CONTAINER_OF(job, struct leaver, job);

    if (result < 0)
        catalog_note_error(leaver->cloud->catalog, result);
    leaver->change->done(leaver->change, -REFUSAL_INTERRUPTED);
    free(leaver);
}

/* Without memory he hears it at once, and the journal says that it was sent. */
static void leave(struct jdcloud *cloud, const struct leaver *found)
{
    struct leaver *leaver = malloc(sizeof(*leaver));

    if (!leaver) {
        found->change->done(found->change, -REFUSAL_INTERRUPTED);
        return;
    }
    *leaver = *found;
    leaver->cloud = cloud;
    leaver->job = (struct job){.lazy = true, .run = leave_run, .done = leave_done};
    writer_submit(cloud->catalog->writer, &leaver->job);
}

/* Finds out in LEAVER whether the caller of IMAGE's change is to be let go: he was interrupted while
 * there is a call for it, which itself goes on for a moment. Under the mutex: an operation in these
 * states is there, and its call's end needs the mutex to take it out of them. */
static void tend_call(struct image_state *image, int64_t now, struct leaver *leaver)
{
    struct operation *first = image->first;
    struct client *client = image->cloud->client;
    bool called = first && (first->state == OPERATION_SENT || first->state == OPERATION_CHECKING);

    if (called && change_is_interrupted(first->change)) {
        leaver->change = STEAL(first->change);
        leaver->journal = first->journal;
        first->let_go_ms = now;
    }
    if (called && first->let_go_ms > 0) {
        if (now - first->let_go_ms < LET_GO_MS)
            client_recall(client, &first->call);
        else
            client_cancel(client, &first->call);
    }
}

/* The same for all images of a bucket. Without the mutex. */
static void tend_calls(struct jdcloud *cloud, size_t bucket)
{
    struct leaver leaver = {.change = NULL};

    do {
        leaver.change = NULL;
        {
            LOCK_SCOPE(&cloud->mutex);
            for (struct image_state *image = cloud->images[bucket]; image && !leaver.change;
                 image = image->chain)
                tend_call(image, clock_now_ms(), &leaver);
        }
        if (leaver.change)
            leave(cloud, &leaver);
    } while (leaver.change);
}

bool jdcloud_tend_changes(struct jdcloud *cloud)
{
    bool any = false;

    for (size_t i = 0; i < IMAGE_BUCKETS; i++) {
        struct tending tending = {.refused = NULL};
        bool here = false;
        {
            LOCK_SCOPE(&cloud->mutex);
            for (struct image_state *image = cloud->images[i]; image; image = image->chain) {
                if (!image->first)
                    continue;
                here = true;
                tend_queue(image, clock_now_ms(), &tending);
            }
        }
        tend(&tending);
        if (here)
            tend_calls(cloud, i);
        any = any || here;
    }
    return any;
}
