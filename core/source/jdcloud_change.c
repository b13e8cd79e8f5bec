/*
 * A change from its decision to its settlement: see jdcloud_state.h.
 *
 * The changes of an image wait in a queue; the first of it is on its way:
 *
 *   decided, and written into the journal (one durable commit)
 *   sent
 *   settled: made, and then in the store; or refused, and then as if it had never been
 *
 * Where there is no answer the members tell what became of it. If they do not show it, it is sent
 * again, which is harmless while its caller waits. A refusal then says nothing of what was sent
 * before. In the end its row stays in the journal as unknown, its caller hears why, and whoever asks
 * for the members next finds out (jdcloud_members.c).
 *
 * A caller who is interrupted meanwhile is let go, with the row as unknown; the answer settles it all the
 * same if it comes soon (jdcloud_tend.c).
 */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/catalog/decide.h"
#include "core/rules/refusal.h"
#include "core/store/replica.h"

#include <errno.h>
#include <string.h>

static void decide(struct operation *operation);
static void send_change(struct operation *operation);
static void abandon(struct operation *operation);

static struct operation *of_job(struct job *job)
{
    return CONTAINER_OF(job, struct operation, job);
}

static struct operation *of_call(struct call *call)
{
    return CONTAINER_OF(call, struct operation, call);
}

static void free_operation(struct operation *operation)
{
    call_dispose(&operation->call);
    free(operation);
}

/* Tells the caller, unless he has gone. */
static void answer(struct operation *operation, int result)
{
    struct change *change = NULL;

    {
        LOCK_SCOPE(&operation->cloud->mutex);
        change = STEAL(operation->change);
    }
    if (!change)
        return;
    change->share = operation->own.share;
    change->created_ns = operation->own.created_ns;
    change->done(change, result);
}

static bool is_same(const struct operation *one, const struct operation *other)
{
    return one->own.action == other->own.action && strcmp(one->own.name, other->own.name) == 0;
}

/* Takes those out of the queue behind OPERATION that want the very same and were there before it
 * ended: its answer is theirs. Not past an opposite one, and not who asked for a new entry. Under
 * the mutex. */
static struct operation *take_joined(struct image_state *image, const struct operation *operation)
{
    struct operation *joined = NULL;
    struct operation **end = &joined;
    struct operation **at = &image->first;

    while (*at) {
        struct operation *other = *at;
        if (strcmp(other->own.name, operation->own.name) == 0 && !is_same(other, operation))
            break;
        if (!is_same(other, operation) || other->own.exclusive) {
            at = &other->next;
            continue;
        }
        *at = other->next;
        other->next = NULL;
        *end = other;
        end = &other->next;
    }
    image->last = at;
    while (*image->last)
        image->last = &(*image->last)->next;
    return joined;
}

/* The end of the first of a queue. */
static void finish(struct operation *operation, int result)
{
    struct jdcloud *cloud = operation->cloud;
    struct image_state *image = operation->image;
    struct operation *joined = NULL;
    struct operation *next = NULL;
    bool let_go = false;

    {
        LOCK_SCOPE(&cloud->mutex);
        image->first = operation->next;
        if (!image->first)
            image->last = &image->first;
        let_go = operation->let_go_ms > 0;
        /* What was not tried as often as for one who waits is no answer to others. */
        if (operation->sends > 0 && result != -REFUSAL_INTERRUPTED && !(let_go && result < 0))
            joined = take_joined(image, operation);
        next = image->first;
        if (next)
            next->state = OPERATION_DECIDING;
    }
    answer(operation, result);
    while (joined) {
        struct operation *other = joined;
        joined = other->next;
        other->own.share = operation->own.share;
        other->own.created_ns = operation->own.created_ns;
        answer(other, result);
        free_operation(other);
    }
    free_operation(operation);
    if (let_go) /* who asked for its pin meanwhile waits */
        jdcloud_look_again(cloud);
    if (next)
        decide(next);
}

/* --- deciding --- */

/* Whether its caller was interrupted, or the mount ends. */
static bool is_given_up(struct operation *operation)
{
    LOCK_SCOPE(&operation->cloud->mutex);

    return operation->cloud->stopping || operation->let_go_ms > 0 ||
           change_is_interrupted(operation->change);
}

static bool job_given_up(struct job *job)
{
    return is_given_up(of_job(job));
}

static int decide_run(struct job *job, struct connection *connection, int64_t now)
{
    struct operation *operation = of_job(job);
    struct jdcloud *cloud = operation->cloud;
    struct change *own = &operation->own;
    struct write_image image = {0};
    struct journal_entry entry;
    int away = 0;

    operation->blocked = false;
    int result = journal_find(connection, own->image, own->name, &entry);
    if (result < 0)
        return result;
    bool unknown = result == 1;
    /* What the store shows of a pin whose last change has no answer may be wrong. */
    result = decide_change(cloud->catalog, connection, own, now, &image);
    if (unknown && (result == 0 || result == 1 || result == -REFUSAL_NOT_SHARED))
        operation->blocked = true;
    else if (result != 0)
        return result;
    {
        LOCK_SCOPE(&cloud->mutex);
        away = cloud->away;
    }
    if (away < 0)
        return away;
    if (operation->blocked)
        return 1;
    (void)snprintf(operation->id, sizeof(operation->id), "%s", image.id);
    int64_t row = 0;
    result =
        journal_add(connection, own->image, own->name, own->action == CHANGE_CANCEL, now, &row);
    if (result == 0)
        result = journal_made_at(connection, own->image, own->name, own->action != CHANGE_CANCEL,
                                 &operation->opposite_ns);
    LOCK_SCOPE(&cloud->mutex);
    operation->journal = row;
    return result;
}

static void decide_record(struct job *job, struct connection *connection, int64_t now)
{
    struct operation *operation = of_job(job);

    catalog_record_refused(operation->cloud->catalog, connection, &operation->own, job->result, now,
                           NULL);
}

static void decide_done(struct job *job, int result)
{
    struct operation *operation = of_job(job);

    if (result == 0) {
        send_change(operation);
    } else if (operation->blocked && result > 0) {
        LOCK_SCOPE(&operation->cloud->mutex);
        operation->state = OPERATION_BLOCKED;
        jdcloud_wake(operation->cloud);
    } else {
        finish(operation, result > 0 ? 0 : result);
    }
}

/* The first of a queue, whose state is DECIDING. */
static void decide(struct operation *operation)
{
    operation->job = (struct job){
        .given_up = job_given_up,
        .run = decide_run,
        .record = decide_record,
        .done = decide_done,
    };
    writer_submit(operation->cloud->catalog->writer, &operation->job);
}

void jdcloud_change(struct source *source, struct change *change)
{
    struct jdcloud *cloud = jdcloud_of(source);
    struct operation *operation = calloc(1, sizeof(*operation));
    struct image_state *image = NULL;
    bool first = false;

    if (operation) {
        *operation = (struct operation){
            .cloud = cloud,
            .change = change,
            .own = *change,
            .deadline_ms = clock_now_ms() + cloud->timeout_ms,
        };
        LOCK_SCOPE(&cloud->mutex);
        image = jdcloud_image(cloud, change->image);
        if (image) {
            operation->image = image;
            first = !image->first;
            operation->state = first ? OPERATION_DECIDING : OPERATION_WAITING;
            *image->last = operation;
            image->last = &operation->next;
            jdcloud_wake(cloud);
        }
    }
    if (!image) {
        free(operation);
        change->done(change, -ENOMEM);
    } else if (first) {
        decide(operation);
    }
}

void jdcloud_unblock(struct jdcloud *cloud, int64_t row)
{
    struct operation *operation = NULL;

    {
        LOCK_SCOPE(&cloud->mutex);
        struct image_state *image = jdcloud_find(cloud, row);
        operation = image ? image->first : NULL;
        if (operation && operation->state != OPERATION_BLOCKED)
            operation = NULL;
        if (operation)
            operation->state = OPERATION_DECIDING;
    }
    if (operation)
        decide(operation);
}

/* --- settling --- */

/* Whether its caller was let go while it was sent: he was told that it failed. */
static bool is_let_go(struct operation *operation)
{
    LOCK_SCOPE(&operation->cloud->mutex);
    return operation->let_go_ms > 0;
}

/* Whether it is written down already that nobody knows what became of it. */
static bool is_noted(struct operation *operation)
{
    LOCK_SCOPE(&operation->cloud->mutex);
    return operation->noted;
}

/* The words of the service about it, for the event. */
static void describe_answer(const struct operation *operation, const char *before,
                            struct buffer *out)
{
    buffer_puts(out, before);
    if (operation->request_id[0])
        text_logfmt(out, "request", operation->request_id);
    if (operation->message[0] && !operation->made)
        text_logfmt(out, "answer", operation->message);
}

/* It was made: the store shows it from now on. */
static int settle_run(struct job *job, struct connection *connection, int64_t now)
{
    struct operation *operation = of_job(job);
    CLEANUP_BUFFER struct buffer extra = BUFFER_INIT(1024);
    struct catalog *catalog = operation->cloud->catalog;
    struct change *own = &operation->own;
    struct write_image image = {0};
    int result = write_image(connection, own->image, &image);
    bool let_go = is_let_go(operation);
    int64_t writer =
        let_go ? 0 : catalog->mount_id; /* the kernel takes EINTR for "nothing was done" */

    if (result == -ENOENT) /* the image has gone meanwhile, and the journal's row with it */
        return 0;
    if (result == 0)
        result = own->action == CHANGE_SHARE
                     ? replica_share(connection, image.row, image.owner, own->name, writer, now)
                     : replica_cancel(connection, image.row, image.owner, own->name, writer, now);
    if (result >= 0 && own->action == CHANGE_SHARE)
        result = write_find_share(connection, image.row, own->name, &own->share, &own->created_ns);
    if (result >= 0)
        result = journal_made(connection, operation->journal, now);
    describe_answer(operation, let_go ? " settled=made" : "", &extra);
    if (result == 0)
        result =
            catalog_record_change(catalog, connection, own, image.id, now, buffer_text(&extra));
    if (result == 0 && let_go)
        result = jdcloud_count_unknown(operation->cloud, connection);
    if (result == 0 && own->action == CHANGE_CANCEL)
        guard_cancelled(&catalog->guard, own->caller.process, image.row, now);
    return result;
}

/* Writes down that it was refused, or that nobody knows; BEFORE as describe_answer() has it. */
static void record_refused(struct operation *operation, struct connection *connection,
                           const char *before, int64_t now)
{
    CLEANUP_BUFFER struct buffer extra = BUFFER_INIT(1024);

    describe_answer(operation, before, &extra);
    catalog_record_refused(operation->cloud->catalog, connection, &operation->own,
                           operation->result, now, buffer_text(&extra));
}

/* The same of one of which is written down that nobody knows: an event in any case. */
static int record_not_made(struct operation *operation, struct connection *connection, int64_t now)
{
    CLEANUP_BUFFER struct buffer extra = BUFFER_INIT(1024);
    const struct change *own = &operation->own;

    describe_answer(operation, " settled=not-made", &extra);
    int result = jdcloud_record(operation->cloud, connection, own->verb, operation->id, own->name,
                                operation->result, buffer_text(&extra), now);
    return result < 0 ? result : jdcloud_count_unknown(operation->cloud, connection);
}

static int refuse_run(struct job *job, struct connection *connection, int64_t now)
{
    struct operation *operation = of_job(job);
    int result = journal_remove(connection, operation->journal);

    if (result == 0 && is_noted(operation))
        return record_not_made(operation, connection, now);
    if (result == 0)
        record_refused(operation, connection, "", now);
    return result;
}

/* The store could not take what became of a change, with RESULT: the members will be asked. */
static void note_loss(struct jdcloud *cloud, int result)
{
    catalog_note_error(cloud->catalog, result);
    LOCK_SCOPE(&cloud->mutex);
    cloud->unknown++;
    cloud->unknown_ms = 0;
}

static void settle_done(struct job *job, int result)
{
    struct operation *operation = of_job(job);
    struct jdcloud *cloud = operation->cloud;

    /* What fails once may work the next moment. What the store cannot take at all, the next list of
     * the members brings. */
    if (result < 0 && !operation->settled_again) {
        operation->settled_again = true;
        writer_submit(cloud->catalog->writer, &operation->job);
        return;
    }
    if (result < 0)
        note_loss(cloud, result);
    if (operation->result == -REFUSAL_IMAGE_LIMIT)
        jdcloud_fetch_quota(cloud, operation->own.image, operation->id, true);
    if (operation->result == -REFUSAL_IMAGE_GONE) { /* the list will tell */
        LOCK_SCOPE(&cloud->mutex);
        cloud->lists[0].started_ms = 0;
        jdcloud_wake(cloud);
    }
    finish(operation, operation->made ? 0 : operation->result);
}

static void settle(struct operation *operation, bool made)
{
    operation->made = made;
    operation->job = (struct job){
        .lazy = true, /* the journal has it until then */
        .run = made ? settle_run : refuse_run,
        .done = settle_done,
    };
    writer_submit(operation->cloud->catalog->writer, &operation->job);
}

static int abandon_run(struct job *job, struct connection *connection, int64_t now)
{
    struct operation *operation = of_job(job);
    int result = journal_set(connection, operation->journal, JOURNAL_UNKNOWN, now);

    if (result < 0)
        return result;
    if (!is_noted(operation)) {
        record_refused(operation, connection, " unsettled=yes", now);
        jdcloud_remember_unsettled(operation->cloud, operation->journal, operation->result);
    }
    return jdcloud_count_unknown(operation->cloud, connection);
}

static void abandon_done(struct job *job, int result)
{
    struct operation *operation = of_job(job);
    struct jdcloud *cloud = operation->cloud;

    if (result < 0)
        note_loss(cloud, result);
    {
        LOCK_SCOPE(&cloud->mutex);
        cloud->unknown_ms = 0;
        jdcloud_wake(cloud);
    }
    finish(operation, operation->result);
}

/* Nobody knows whether it was made: the caller hears why, the journal keeps it. */
static void abandon(struct operation *operation)
{
    if (is_let_go(operation)) /* what he has heard already */
        operation->result = -REFUSAL_INTERRUPTED;
    operation->job = (struct job){.lazy = true, .run = abandon_run, .done = abandon_done};
    writer_submit(operation->cloud->catalog->writer, &operation->job);
}

/* --- sending --- */

static void take_reply(struct operation *operation, const struct reply *reply)
{
    {
        LOCK_SCOPE(&operation->cloud->mutex); /* from here on its caller is not let go */
        operation->state = OPERATION_DECIDING;
    }
    operation->result = reply->result;
    (void)snprintf(operation->request_id, sizeof(operation->request_id), "%s", reply->request_id);
    (void)snprintf(operation->message, sizeof(operation->message), "%s", reply->message);
}

/* Whether the wanted state is in the list of members. */
struct wanted {
    const char *pin;
    bool found;
};

static int look_for_pin(const char *pin, void *context)
{
    struct wanted *wanted = context;

    wanted->found = wanted->found || strcmp(pin, wanted->pin) == 0;
    return 0;
}

static void checked(struct call *call, const struct reply *reply)
{
    struct operation *operation = of_call(call);
    struct jdcloud *cloud = operation->cloud;
    struct wanted wanted = {.pin = operation->own.name};
    int64_t now = clock_now_ms();

    jdcloud_hear(cloud, reply);
    {
        LOCK_SCOPE(&cloud->mutex);
        operation->state = OPERATION_DECIDING;
    }
    int result = reply->result;
    if (result == 0)
        result = api_read_members(reply->body, look_for_pin, &wanted);
    bool shown = result == 0 && wanted.found == (operation->own.action == CHANGE_SHARE);
    /* A list that may be one from before the last opposite change proves nothing. */
    if (shown && text_now() - operation->opposite_ns >= SETTLE_NS) {
        settle(operation, true);
        return;
    }
    /* The list may lag, and so it is sent again before it is given up. */
    int64_t again_ms = now + (200LL << operation->sends);
    if (result < 0 || operation->sends >= SENDS_MAX || again_ms >= operation->deadline_ms ||
        is_given_up(operation)) {
        if (result == -REFUSAL_INTERRUPTED)
            operation->result = result;
        abandon(operation);
        return;
    }
    LOCK_SCOPE(&cloud->mutex);
    operation->again_ms = again_ms;
    operation->state = OPERATION_AGAIN;
    jdcloud_wake(cloud);
}

/* Asks the members what became of it. */
static void check(struct operation *operation)
{
    struct jdcloud *cloud = operation->cloud;

    call_dispose(&operation->call);
    if (api_members(&operation->call, cloud->region, operation->id) < 0) {
        abandon(operation);
        return;
    }
    operation->call.priority = CALL_FIRST;
    operation->call.deadline_ms = operation->deadline_ms;
    operation->call.done = checked;
    {
        LOCK_SCOPE(&cloud->mutex);
        operation->state = OPERATION_CHECKING;
    }
    client_submit(cloud->client, &operation->call);
}

static void sent(struct call *call, const struct reply *reply)
{
    struct operation *operation = of_call(call);

    jdcloud_hear(operation->cloud, reply);
    take_reply(operation, reply);
    if (reply->result == 0)
        settle(operation, true);
    else if (!reply->unknown && operation->sends == 1)
        settle(operation, false);
    else if (!reply->unknown || /* what was sent before may have been carried out all the same */
             reply->result == -REFUSAL_INTERRUPTED || reply->result == -REFUSAL_SERVICE_TIMEOUT ||
             is_given_up(operation))
        abandon(operation);
    else
        check(operation);
}

/* Sends it, for the first time or again. */
static void send_change(struct operation *operation)
{
    struct jdcloud *cloud = operation->cloud;
    const struct change *own = &operation->own;

    call_dispose(&operation->call);
    int result = own->action == CHANGE_SHARE
                     ? api_share(&operation->call, cloud->region, operation->id, own->name)
                     : api_unshare(&operation->call, cloud->region, operation->id, own->name);
    if (result < 0 || is_given_up(operation)) {
        operation->result = result < 0 ? result : -REFUSAL_INTERRUPTED;
        if (operation->sends > 0)
            abandon(operation);
        else
            settle(operation, false);
        return;
    }
    operation->sends++;
    operation->call.priority = CALL_FIRST;
    operation->call.deadline_ms = operation->deadline_ms;
    operation->call.done = sent;
    {
        LOCK_SCOPE(&cloud->mutex);
        operation->state = OPERATION_SENT;
    }
    client_submit(cloud->client, &operation->call);
}

void jdcloud_go_on(struct operation *operation)
{
    if (operation->sends > 0)
        send_change(operation);
    else
        decide(operation);
}

void jdcloud_let_go(struct operation *operation, int result)
{
    answer(operation, result);
    free_operation(operation);
}
