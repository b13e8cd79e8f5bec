/* A region of JD Cloud as a source: see the header, and jdcloud_state.h. */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/base/text.h"
#include "core/rules/pin.h"
#include "core/rules/refusal.h"
#include "core/source/replica_reader.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#define NANOSECONDS_MS 1000000LL

/* Shares that are opened for the first time are looked at so soon, those of a sweep together. */
#define FIRST_LOOK_MS 1000

void jdcloud_wake(struct jdcloud *cloud)
{
    cloud->news = true;
    (void)pthread_cond_signal(&cloud->wake);
}

void jdcloud_submit(struct jdcloud *cloud, struct job *job)
{
    job->next = NULL;
    LOCK_SCOPE(&cloud->mutex);
    *cloud->last_job = job;
    cloud->last_job = &job->next;
    jdcloud_wake(cloud);
}

/* Whether RESULT says that there is no way to the cloud. */
static bool is_away(int result)
{
    switch (-result) {
    case REFUSAL_SERVICE_TIMEOUT:
    case REFUSAL_SERVICE_NO_HOST:
    case REFUSAL_SERVICE_NO_NETWORK:
    case REFUSAL_SERVICE_CLOSED:
    case REFUSAL_SERVICE_TLS:
        return true;
    default:
        return false;
    }
}

/* Sets whether there is a way to the cloud, as REPLY tells. Returns since when there was none, where
 * it is back; -1 where it is away from now on; 0 where that is as before. */
static int64_t note_way(struct jdcloud *cloud, const struct reply *reply)
{
    LOCK_SCOPE(&cloud->mutex);
    int before = cloud->away;

    if (reply->answered) {
        cloud->away = 0;
        return before < 0 ? cloud->away_ns : 0;
    }
    if (!is_away(reply->result))
        return 0;
    if (before == 0) {
        cloud->away_ns = text_now();
        cloud->probe_wait_ms = 1000;
        cloud->probe_ms = clock_now_ms() + cloud->probe_wait_ms;
    }
    cloud->away = reply->result;
    jdcloud_wake(cloud);
    return before == 0 ? -1 : 0;
}

void jdcloud_hear(struct jdcloud *cloud, const struct reply *reply)
{
    const char *name = strerrorname_np(refusal_errno(reply->result));
    bool rejected = refusal_errno(reply->result) == EKEYREJECTED;
    char since[TEXT_TIME_SIZE];

    if (reply->result < 0 && reply->result != -REFUSAL_INTERRUPTED &&
        (!reply->answered || rejected))
        catalog_remember_error(cloud->catalog, reply->result);
    int64_t turned = note_way(cloud, reply);
    if (rejected || turned < 0)
        catalog_log(cloud->catalog, LOG_WARNING, "jdcloud:%s: %s: %s", cloud->region, name,
                    refusal_sentence(reply->result));
    if (turned > 0) {
        text_time(turned, 0, since);
        catalog_log(cloud->catalog, LOG_NOTICE, "jdcloud:%s: answers again; it was away since %s",
                    cloud->region, since);
    }
}

static struct image_state **bucket_of(struct jdcloud *cloud, int64_t row)
{
    return &cloud->images[(uint64_t)row % IMAGE_BUCKETS];
}

struct image_state *jdcloud_find(struct jdcloud *cloud, int64_t row)
{
    struct image_state *image = *bucket_of(cloud, row);

    while (image && image->row != row)
        image = image->chain;
    return image;
}

struct image_state *jdcloud_image(struct jdcloud *cloud, int64_t row)
{
    struct image_state **bucket = bucket_of(cloud, row);
    struct image_state *image = jdcloud_find(cloud, row);

    if (image)
        return image;
    image = calloc(1, sizeof(*image));
    if (image) {
        image->cloud = cloud;
        image->row = row;
        image->last = &image->first;
        image->chain = *bucket;
        *bucket = image;
    }
    return image;
}

void jdcloud_wait(struct refresh **list, struct refresh *waiter)
{
    if (!waiter)
        return;
    waiter->next = *list;
    *list = waiter;
}

void jdcloud_look_again(struct jdcloud *cloud)
{
    struct refresh *waiters = NULL;

    {
        LOCK_SCOPE(&cloud->mutex);
        waiters = STEAL(cloud->settle_waiters);
        cloud->settle_ms = clock_now_ms();
    }
    jdcloud_end(waiters, 0);
}

void jdcloud_end(struct refresh *list, int result)
{
    while (list) {
        struct refresh *refresh = list;
        list = refresh->next;
        refresh->done(refresh, refresh->forgiving ? 0 : result);
    }
}

int jdcloud_record(struct jdcloud *cloud, struct connection *connection, const char *action,
                   const char *id, const char *pin, int result, const char *extra, int64_t now)
{
    const struct event event = {
        .at_ns = now,
        .action = action,
        .image = id,
        .key = "pin",
        .name = pin,
        .result = result,
        .extra = extra,
    };

    return catalog_record(cloud->catalog, connection, &event);
}

static void describe_age(struct buffer *out, const char *key, const struct listing *list,
                         int64_t now)
{
    if (list->confirmed_ns == 0)
        buffer_printf(out, "%s: never\n", key);
    else
        buffer_printf(out, "%s: %lld s\n", key,
                      (long long)((now - list->confirmed_ns) / (1000 * NANOSECONDS_MS)));
}

static void describe_unlistable(struct buffer *out, const struct unlistable *unlistable)
{
    if (unlistable->count > 0)
        buffer_printf(out, "images_unlistable: %lld\n", (long long)unlistable->count);
    for (size_t i = 0; i < unlistable->names.count; i++) {
        buffer_puts(out, "image_unlistable: ");
        text_escape_start(out, unlistable->names.items[i], TEXT_NAME_MAX);
        buffer_puts(out, "\n");
    }
}

static void jdcloud_describe(struct source *source, struct buffer *out)
{
    struct jdcloud *cloud = jdcloud_of(source);
    struct client_state state = {0};
    char since[TEXT_TIME_SIZE];
    int64_t now = text_now();

    client_read_state(cloud->client, &state);
    buffer_printf(out, "source: jdcloud:%s\nregion: %s\nendpoint: %s\nreplica: ", cloud->region,
                  cloud->region, cloud->endpoint ? cloud->endpoint : "https://vm.jdcloud-api.com");
    text_escape(out, cloud->catalog->store.path);
    buffer_puts(out, "\n");
    LOCK_SCOPE(&cloud->mutex);
    const struct refusal_row *row = refusal_of(cloud->away);
    if (row) {
        text_time(cloud->away_ns, 0, since);
        buffer_printf(out, "online: no: %s: %s (since %s)\n", row->error_name, row->sentence,
                      since);
    } else if (cloud->lists[0].failed < 0 && (row = refusal_of(cloud->lists[0].failed))) {
        buffer_printf(out, "online: no: %s: %s\n", row->error_name, row->sentence);
    } else {
        buffer_printf(out, "online: %s\n",
                      cloud->lists[0].started_ms > 0 && cloud->lists[0].fetching &&
                              state.requests == 0
                          ? "not yet"
                          : "yes");
    }
    describe_age(out, "private_age", &cloud->lists[0], now);
    describe_age(out, "shared_age", &cloud->lists[1], now);
    for (int i = 0; i < 2; i++)
        describe_unlistable(out, &cloud->lists[i].unlistable);
    buffer_printf(out, "requests: %lld\n", (long long)state.requests);
}

static int64_t jdcloud_confirmed(struct source *source, const struct view_record *record)
{
    struct jdcloud *cloud = jdcloud_of(source);

    if (record->owned)
        return record->confirmed_ns;
    LOCK_SCOPE(&cloud->mutex);
    return cloud->lists[1].confirmed_ns;
}

/* Whether the shares of IMAGE were confirmed so long ago that nothing is known. */
static int doubt_age(struct jdcloud *cloud, const struct write_image *image)
{
    if (cloud->maxage_ms == 0 ||
        image->confirmed_ns + cloud->maxage_ms * NANOSECONDS_MS > text_now())
        return 0;
    LOCK_SCOPE(&cloud->mutex);
    const struct image_state *state = jdcloud_find(cloud, image->row);
    if (state && state->failed < 0)
        return state->failed;
    return cloud->away ? cloud->away : cloud->lists[0].failed;
}

static int jdcloud_doubt(struct source *source, struct view *view, int64_t row, const char *pin,
                         int64_t *valid_ns)
{
    struct jdcloud *cloud = jdcloud_of(source);
    struct write_image image = {0};
    int result = write_image(&view->connection, row, &image);
    bool owned = result == 0 && image.owner == cloud->catalog->account;

    /* A share may be sent at any time, and nobody know what became of it: the kernel must not go on
     * saying that there is none. */
    if (valid_ns)
        *valid_ns = owned ? 0 : INT64_MAX;
    if (!owned)
        return result == -ENOENT ? 0 : result;
    result = jdcloud_doubt_change(cloud, view, row, pin);
    return result == 0 && pin_check(pin) == 0 ? doubt_age(cloud, &image) : result;
}

/* Several lists are asked for one wish: it ends with the last of them. */
struct both {
    struct refresh parts[2];
    struct refresh *wish;
    struct jdcloud *cloud;
    int left; /* under the mutex */
    int result;
};

static void part_done(struct both *both, int result)
{
    bool last = false;

    {
        LOCK_SCOPE(&both->cloud->mutex);
        if (result < 0 && both->result == 0)
            both->result = result;
        last = --both->left == 0;
    }
    if (last) {
        both->wish->done(both->wish, both->result);
        free(both);
    }
}

static void first_done(struct refresh *refresh, int result)
{
    part_done(CONTAINER_OF(refresh, struct both, parts[0]), result);
}

static void second_done(struct refresh *refresh, int result)
{
    part_done(CONTAINER_OF(refresh, struct both, parts[1]), result);
}

static void refresh_lists(struct jdcloud *cloud, struct refresh *refresh)
{
    struct both *both = calloc(1, sizeof(*both));

    if (!both) {
        refresh->done(refresh, -ENOMEM);
        return;
    }
    both->wish = refresh;
    both->cloud = cloud;
    both->left = 2;
    both->parts[0] = (struct refresh){.deadline_ms = refresh->deadline_ms, .done = first_done};
    both->parts[1] = (struct refresh){.deadline_ms = refresh->deadline_ms, .done = second_done};
    jdcloud_fetch_list(cloud, false, CALL_SOON, true, &both->parts[0]);
    jdcloud_fetch_list(cloud, true, CALL_SOON, true, &both->parts[1]);
}

/* All shares/ in use are stale from now on. */
static void age_shares(struct jdcloud *cloud)
{
    LOCK_SCOPE(&cloud->mutex);
    cloud->in_use_ms = 0;
    jdcloud_wake(cloud);
}

/* Reads what a wish about image ROW needs to know. */
static int read_image(struct jdcloud *cloud, struct view *view, int64_t row,
                      struct write_image *image)
{
    struct view own = {0};
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    int result = 0;

    if (view) {
        result = write_image(&view->connection, row, image);
    } else {
        result = catalog_view(cloud->catalog, &own, &error);
        if (result == 0) {
            result = write_image(&own.connection, row, image);
            view_close(&own);
        }
    }
    return result == -ENOENT ? -REFUSAL_IMAGE_GONE : result;
}

static void jdcloud_refresh(struct source *source, struct refresh *refresh)
{
    struct jdcloud *cloud = jdcloud_of(source);
    struct write_image image = {0};

    refresh->deadline_ms = clock_now_ms() + cloud->timeout_ms;
    if (!cloud->catalog->writer) { /* there is nowhere to write news to */
        refresh->done(refresh, -REFUSAL_READ_ONLY);
        return;
    }
    if (refresh->image == 0) {
        if (refresh->all)
            age_shares(cloud);
        refresh_lists(cloud, refresh);
        return;
    }
    int result = read_image(cloud, NULL, refresh->image, &image);
    if (result < 0)
        refresh->done(refresh, result);
    else if (refresh->shares && image.owner == cloud->catalog->account)
        jdcloud_fetch_members(cloud, image.row, image.id, CALL_SOON, true, false, refresh);
    else if (refresh->shares) /* of an image of others: the list tells whether it is shared still */
        jdcloud_fetch_list(cloud, true, CALL_SOON, true, refresh);
    else
        jdcloud_fetch_record(cloud, image.row, image.id, refresh);
}

/* OPENDIR of a directory of images: while there never was a list, nothing may be said. */
static void visit_list(struct jdcloud *cloud, bool received, struct refresh *refresh)
{
    struct listing *list = &cloud->lists[received];
    int64_t now = clock_now_ms();
    bool wait = false;
    int result = 0;

    {
        LOCK_SCOPE(&cloud->mutex);
        int64_t age_ms = (text_now() - list->confirmed_ns) / NANOSECONDS_MS;
        wait = age_ms > 2 * cloud->refresh_ms && !cloud->away;
        if (!wait && list->confirmed_ns == 0) /* what was never there is not shown as empty */
            result = cloud->away;
        refresh->forgiving = list->confirmed_ns > 0;
        refresh->deadline_ms = now + (refresh->forgiving ? VISIT_WAIT_MS : cloud->timeout_ms);
    }
    if (wait)
        jdcloud_fetch_list(cloud, received, CALL_SOON, false, refresh);
    else
        refresh->done(refresh, result);
}

/* Somebody goes from one stale shares/ to the next: those after it are asked for before he comes.
 * Under the mutex. */
static void notice_sweep(struct jdcloud *cloud, const struct write_image *image)
{
    int64_t now = clock_now_ms();

    if (cloud->visit_row != 0 && cloud->visit_row != image->row && now - cloud->visit_ms < 1000) {
        cloud->sweep_ms = now;
        (void)snprintf(cloud->sweep_id, sizeof(cloud->sweep_id), "%s", image->id);
        jdcloud_wake(cloud);
    }
    cloud->visit_row = image->row;
    cloud->visit_ms = now;
}

static void visit_shares(struct jdcloud *cloud, struct view *view, struct refresh *refresh)
{
    struct write_image image = {0};
    int result = read_image(cloud, view, refresh->image, &image);

    if (result < 0 || image.owner != cloud->catalog->account) {
        refresh->done(refresh, 0); /* whatever is wrong, the listing itself will tell */
        return;
    }
    int64_t age_ms = (text_now() - image.confirmed_ns) / NANOSECONDS_MS;
    bool stale = age_ms > cloud->refresh_ms;
    int away = 0;
    {
        LOCK_SCOPE(&cloud->mutex);
        struct image_state *state = jdcloud_image(cloud, image.row);
        int64_t now = clock_now_ms();
        /* Its limit is to be known, and its members are due when they have grown old. */
        if (state && (state->opened_ms == 0 || now - state->opened_ms >= IN_USE_MS)) {
            int64_t due_ms = cloud->refresh_ms - age_ms;
            jdcloud_look_after(cloud,
                               due_ms > 0 && due_ms < FIRST_LOOK_MS ? due_ms : FIRST_LOOK_MS);
        }
        if (state)
            state->opened_ms = now;
        away = cloud->away;
        if (stale && !away)
            notice_sweep(cloud, &image);
    }
    refresh->forgiving = image.confirmed_ns > 0;
    refresh->deadline_ms =
        clock_now_ms() + (refresh->forgiving ? VISIT_WAIT_MS : cloud->timeout_ms);
    if (stale && !away)
        jdcloud_fetch_members(cloud, image.row, image.id, CALL_SOON, false, false, refresh);
    else /* what was never there is not shown as empty */
        refresh->done(refresh, stale && image.confirmed_ns == 0 ? away : 0);
}

/* A name is looked up of which nobody knows what became of its last change: whoever asks hears from
 * time to time, and asks again. */
static void visit_change(struct jdcloud *cloud, struct refresh *refresh)
{
    int64_t now = clock_now_ms();
    int result = -REFUSAL_SERVICE_TIMEOUT;

    if (refresh->deadline_ms == 0)
        refresh->deadline_ms = now + cloud->timeout_ms;
    if (refresh->deadline_ms > now) {
        LOCK_SCOPE(&cloud->mutex);
        result = cloud->stopping ? -REFUSAL_INTERRUPTED : cloud->away;
        if (result == 0) {
            jdcloud_wait(&cloud->settle_waiters, refresh);
            jdcloud_wake(cloud);
            return;
        }
    }
    refresh->done(refresh, result);
}

/* by-account/: all shares that were never asked for are, some at a time. */
static void visit_every(struct jdcloud *cloud, struct refresh *refresh)
{
    int away = 0;

    {
        LOCK_SCOPE(&cloud->mutex);
        refresh->forgiving = !refresh->named && cloud->lists[0].confirmed_ns > 0;
        refresh->deadline_ms =
            clock_now_ms() + (refresh->forgiving ? VISIT_WAIT_MS : cloud->timeout_ms);
        away = cloud->stopping ? -REFUSAL_INTERRUPTED : cloud->away;
        if (away == 0) {
            if (!cloud->fill_waiters)
                cloud->fill_ns = text_now();
            jdcloud_wait(&cloud->fill_waiters, refresh);
            jdcloud_wake(cloud);
        }
    }
    if (away < 0)
        refresh->done(refresh, refresh->forgiving ? 0 : away);
}

static void jdcloud_visit(struct source *source, struct view *view, struct refresh *refresh)
{
    struct jdcloud *cloud = jdcloud_of(source);

    if (refresh->every)
        visit_every(cloud, refresh);
    else if (refresh->image == 0)
        visit_list(cloud, refresh->received, refresh);
    else if (refresh->pin && jdcloud_doubt_change(cloud, view, refresh->image, refresh->pin) > 0)
        visit_change(cloud, refresh);
    else
        visit_shares(cloud, view, refresh);
}

static void jdcloud_close(struct source *source)
{
    struct jdcloud *cloud = jdcloud_of(source);

    {
        LOCK_SCOPE(&cloud->mutex);
        if (cloud->stopping)
            return;
        cloud->stopping = true;
        jdcloud_wake(cloud);
    }
    client_stop(cloud->client);
    if (cloud->keeper_runs)
        (void)pthread_join(cloud->keeper, NULL);
    cloud->keeper_runs = false;
    if (cloud->catalog->writer)
        writer_stop(cloud->catalog->writer);
}

static const struct source_ops jdcloud_ops = {
    .describe = jdcloud_describe,
    .refresh = jdcloud_refresh,
    .visit = jdcloud_visit,
    .doubt = jdcloud_doubt,
    .share = jdcloud_change,
    .cancel = jdcloud_change,
    .quota = replica_reader_quota,
    .confirmed = jdcloud_confirmed,
    .start = jdcloud_start,
    .close = jdcloud_close,
    .free = jdcloud_free,
};

const struct source_ops *jdcloud_table(void)
{
    return &jdcloud_ops;
}
