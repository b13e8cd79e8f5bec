/*
 * The shares of one image: see jdcloud_state.h.
 *
 * A list of members is merged by pin. It may be older than what the store knows of this mount's own
 * changes, and the service's display may lag besides: what the journal holds goes before the list,
 * for a bounded time.
 */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/base/names.h"
#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/replica.h"

#include <errno.h>
#include <string.h>

/* More entries of one image are read in the next merge. */
#define JOURNAL_MAX 256

/* --- merging --- */

/* For api_read_members() and replica_shares(). */
static int add_pin(const char *pin, void *context)
{
    return names_add(context, pin);
}

struct merge {
    struct jdcloud *cloud;
    struct connection *connection;
    const struct write_image *image;
    const struct names *listed; /* sorted */
    int64_t began_ns;
    int64_t now;
    bool first; /* the shares were never known: they do not appear, they are there */

    struct journal_entry journal[JOURNAL_MAX];
    int journal_count;
    struct names held; /* by the store, sorted */
};

/* Gives the pin to the store or takes it, with an event. The event's EXTRA may be NULL. */
static int set_share(struct merge *merge, const char *pin, bool shared, const char *action,
                     const char *extra)
{
    int result = shared ? replica_share(merge->connection, merge->image->row, merge->image->owner,
                                        pin, 0, merge->now)
                        : replica_cancel(merge->connection, merge->image->row, merge->image->owner,
                                         pin, 0, merge->now);

    if (result < 0 || !action)
        return result < 0 ? result : 0;
    return jdcloud_record(merge->cloud, merge->connection, action, merge->image->id, pin, 0, extra,
                          merge->now);
}

/* A change without an answer: the list decides, as soon as it can. That it shows what was wanted
 * proves nothing while it may show what was before the last opposite change. Returns 1 if its pin is to be
 * left as the store has it, 0 if the list counts, or a negative refusal/errno. */
static int merge_unknown(struct merge *merge, const struct journal_entry *entry, bool made)
{
    const char *action = entry->cancel ? "cancel" : "share";

    if (jdcloud_is_under_way(merge->cloud, entry->image, entry->row))
        return 1;
    int64_t opposite_ns = 0;
    int result =
        journal_made_at(merge->connection, entry->image, entry->pin, !entry->cancel, &opposite_ns);
    if (result < 0)
        return result;
    /* Until then it may be one from before the opposite, or from before this. */
    if (merge->began_ns - (made ? opposite_ns : entry->at_ns) < SETTLE_NS)
        return 1;
    if (made) {
        result = set_share(merge, entry->pin, !entry->cancel, action, " settled=made");
        return result < 0 ? result : journal_made(merge->connection, entry->row, merge->now);
    }
    result = journal_remove(merge->connection, entry->row);
    if (result == 0)
        result =
            jdcloud_record(merge->cloud, merge->connection, action, merge->image->id, entry->pin,
                           -REFUSAL_SERVICE_TIMEOUT, " settled=not-made", merge->now);
    return result;
}

/* A change that was made: it goes before a list that is older, and before one that lags or flaps.
 * As merge_unknown(). */
static int merge_done(struct merge *merge, const struct journal_entry *entry, bool agreed)
{
    int64_t age_ns = merge->began_ns - entry->at_ns;

    if (age_ns < (agreed ? FLAP_NS : LAG_NS))
        return 1;
    return journal_remove(merge->connection, entry->row);
}

/* Goes through the journal; the rows that are to be left alone stay in merge->journal. */
static int merge_journal(struct merge *merge)
{
    int kept = 0;

    merge->journal_count =
        journal_read(merge->connection, merge->image->row, 0, JOURNAL_MAX, merge->journal);
    if (merge->journal_count < 0)
        return merge->journal_count;
    for (int i = 0; i < merge->journal_count; i++) {
        const struct journal_entry entry = merge->journal[i];
        bool made = names_has(merge->listed, entry.pin) != entry.cancel;
        int result = entry.state == JOURNAL_DONE ? merge_done(merge, &entry, made)
                                                 : merge_unknown(merge, &entry, made);
        if (result < 0)
            return result;
        if (result == 1)
            merge->journal[kept++] = entry;
    }
    merge->journal_count = kept;
    return 0;
}

static bool is_left_alone(const struct merge *merge, const char *pin)
{
    for (int i = 0; i < merge->journal_count; i++)
        if (strcmp(merge->journal[i].pin, pin) == 0)
            return true;
    return false;
}

static int merge_pins(struct merge *merge)
{
    const struct names *listed = merge->listed;
    const struct names *held = &merge->held;
    int result = 0;

    for (size_t i = 0; i < listed->count && result >= 0; i++)
        if (!names_has(held, listed->items[i]) && !is_left_alone(merge, listed->items[i]))
            result =
                set_share(merge, listed->items[i], true, merge->first ? NULL : "appeared", NULL);
    for (size_t i = 0; i < held->count && result >= 0; i++)
        if (!names_has(listed, held->items[i]) && !is_left_alone(merge, held->items[i]))
            result = set_share(merge, held->items[i], false, "vanished", NULL);
    return result < 0 ? result : 0;
}

static int merge_all(struct merge *merge)
{
    int result = merge_journal(merge);

    if (result == 0) /* after the journal, which may have changed it */
        result = replica_shares(merge->connection, merge->image->row, add_pin, &merge->held);
    if (result < 0)
        return result;
    names_sort(&merge->held);
    result = merge_pins(merge);
    if (result == 0)
        result = replica_confirm(merge->connection, merge->image->row, merge->began_ns);
    return result;
}

static int merge_members(struct jdcloud *cloud, struct connection *connection,
                         const struct write_image *image, const struct names *listed,
                         int64_t began_ns, int64_t now)
{
    CLEANUP_FREE struct merge *merge = calloc(1, sizeof(*merge));

    if (!merge)
        return -ENOMEM;
    merge->cloud = cloud;
    merge->connection = connection;
    merge->image = image;
    merge->listed = listed;
    merge->began_ns = began_ns;
    merge->now = now;
    merge->first = image->confirmed_ns == 0;
    int result = merge_all(merge);
    names_dispose(&merge->held);
    return result;
}

int jdcloud_merge_none(struct jdcloud *cloud, struct connection *connection,
                       const struct write_image *image, int64_t began_ns, int64_t now)
{
    const struct names none = {.count = 0};

    return merge_members(cloud, connection, image, &none, began_ns, now);
}

int jdcloud_count_unknown(struct jdcloud *cloud, struct connection *connection)
{
    int64_t unknown = 0;
    int result = journal_count_unknown(connection, &unknown);

    if (result == 0) {
        LOCK_SCOPE(&cloud->mutex);
        cloud->unknown = unknown;
        if (unknown == 0)
            jdcloud_forget_unsettled(cloud);
    }
    return result;
}

/* --- asking --- */

/* A list of members on its way into the store. */
struct members {
    struct job job;
    struct jdcloud *cloud;
    struct image_state *image;
    int64_t began_ns;
    struct names pins;
};

static void free_members(struct members *members)
{
    names_dispose(&members->pins);
    free(members);
}

static int members_run(struct job *job, struct connection *connection, int64_t now)
{
    struct members *members = CONTAINER_OF(job, struct members, job);
    struct write_image image = {0};
    int result = write_image(connection, members->image->row, &image);

    if (result == -ENOENT)
        return -REFUSAL_IMAGE_GONE;
    if (result == 0)
        result = merge_members(members->cloud, connection, &image, &members->pins,
                               members->began_ns, now);
    if (result == 0)
        result = jdcloud_count_unknown(members->cloud, connection);
    return result;
}

/* The end of a question for the members of IMAGE: whoever waited hears RESULT; the next question
 * goes out if somebody wants a newer one. */
static void end_fetch(struct image_state *image, int result)
{
    struct jdcloud *cloud = image->cloud;
    int64_t row = image->row; /* afterwards it may be forgotten */
    struct refresh *waiters = NULL;
    struct refresh *next = NULL;
    char id[VIEW_NAME_SIZE] = "";

    {
        LOCK_SCOPE(&cloud->mutex);
        waiters = STEAL(image->waiters);
        next = STEAL(image->next_waiters);
        image->fetching = false;
        if (result == 0)
            image->fresh_ns = image->began_ns;
        image->failed = result < 0 && result != -REFUSAL_INTERRUPTED ? result : 0;
        if (image->prefetch)
            cloud->prefetching--;
        image->prefetch = false;
        if (image->opened_ms > 0) {
            int64_t age_ms = (text_now() - image->began_ns) / 1000000;
            jdcloud_look_after(cloud, (result == 0 ? cloud->refresh_ms : AGAIN_MS) - age_ms);
        }
        (void)snprintf(id, sizeof(id), "%s", image->id);
        jdcloud_wake(cloud);
    }
    jdcloud_end(waiters, result);
    while (next) {
        struct refresh *refresh = next;
        next = refresh->next;
        jdcloud_fetch_members(cloud, row, id, CALL_SOON, false, false, refresh);
    }
    jdcloud_unblock(cloud, row);
    jdcloud_look_again(cloud);
}

static void members_done(struct job *job, int result)
{
    struct members *members = CONTAINER_OF(job, struct members, job);
    struct image_state *image = members->image;

    free_members(members);
    end_fetch(image, result);
}

static void members_answered(struct call *call, const struct reply *reply)
{
    struct image_state *image = CONTAINER_OF(call, struct image_state, call);
    struct jdcloud *cloud = image->cloud;
    int result = reply->result;

    jdcloud_hear(cloud, reply);
    struct members *members = result == 0 ? calloc(1, sizeof(*members)) : NULL;
    if (result == 0 && !members)
        result = -ENOMEM;
    if (members) {
        members->cloud = cloud;
        members->image = image;
        members->began_ns = image->began_ns;
        members->job = (struct job){.lazy = true, .run = members_run, .done = members_done};
        result = api_read_members(reply->body, add_pin, &members->pins);
    }
    if (result < 0 || !members) {
        if (members)
            free_members(members);
        end_fetch(image, result);
        return;
    }
    names_sort(&members->pins);
    jdcloud_submit(cloud, &members->job);
}

/* Fills IMAGE's call for a new question. Under the mutex. */
static int begin_fetch(struct image_state *image, const char *id, enum call_priority priority,
                       int64_t deadline_ms)
{
    struct jdcloud *cloud = image->cloud;

    call_dispose(&image->call);
    (void)snprintf(image->id, sizeof(image->id), "%s", id);
    int result = api_members(&image->call, cloud->region, id);
    if (result < 0)
        return result;
    image->call.priority = priority;
    image->call.deadline_ms = deadline_ms;
    image->call.done = members_answered;
    image->began_ns = text_now();
    image->fetching = true;
    return 0;
}

void jdcloud_fetch_members(struct jdcloud *cloud, int64_t row, const char *id,
                           enum call_priority priority, bool newer, bool prefetch,
                           struct refresh *waiter)
{
    struct image_state *image = NULL;
    bool begun = false;
    int result = -ENOMEM;

    {
        LOCK_SCOPE(&cloud->mutex);
        image = jdcloud_image(cloud, row);
        if (image && image->fetching) {
            jdcloud_wait(newer ? &image->next_waiters : &image->waiters, waiter);
            if (waiter)
                client_raise(cloud->client, &image->call, priority);
            return;
        }
        if (image)
            result = begin_fetch(image, id, priority, clock_now_ms() + cloud->timeout_ms);
        begun = result == 0;
        if (begun) {
            jdcloud_wait(&image->waiters, waiter);
            image->prefetch = prefetch;
            cloud->prefetching += prefetch;
        }
    }
    if (begun)
        client_submit(cloud->client, &image->call);
    else
        jdcloud_end(waiter, result);
}
