/*
 * What is due by the clock: see jdcloud_state.h.
 *
 * The keeper commits what answers have brought, looks after changes, lets waiters go when their
 * time is up, asks for what is old, and while the cloud is away asks now and then whether it is
 * back.
 */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/replica.h"

#include <errno.h>
#include <string.h>

/* How often it looks while something is under way, and while nothing is; and how soon again at
 * most. */
#define BUSY_MS 100
#define IDLE_MS 1000
#define LOOK_MS 10

/* Between two looks for shares that have grown old. */
#define AGED_MS 2000

/* Between two questions for the members of an image with a change of unknown outcome. */
#define UNKNOWN_MS 1000

/* The longest pause between two probes, and how long one may take. */
#define PROBE_WAIT_MAX_MS 8000
#define PROBE_MS 4000

/* Calls of a sweep under way at once: the connections, and as many in the queue. */
#define SWEEP_CALLS 32

/* Images that one look finds. */
#define FOUND_MAX 64

/* Images in use that are kept fresh. */
#define IN_USE_MAX 256

struct keeper {
    struct jdcloud *cloud;
    struct view view;
    bool has_view;
    struct replica_found found[FOUND_MAX];
};

/* --- waiters --- */

/* Those who wait no longer. */
struct leaving {
    struct refresh *interrupted;
    struct refresh *late;
};

/* Takes those out of LIST who were interrupted, or whose time is up; at the END all. Under the mutex. */
static void take_leaving(struct refresh **list, int64_t now, bool end, struct leaving *out)
{
    for (struct refresh **at = list; *at;) {
        struct refresh *refresh = *at;
        bool interrupted = end || (refresh->interrupted && refresh->interrupted(refresh));
        if (!interrupted && refresh->deadline_ms > now) {
            at = &refresh->next;
            continue;
        }
        struct refresh **to = interrupted ? &out->interrupted : &out->late;
        *at = refresh->next;
        refresh->next = *to;
        *to = refresh;
    }
}

/* Lets those go who have waited long enough. Returns whether there are others. */
static bool tend_waiters(struct jdcloud *cloud)
{
    struct leaving leaving = {NULL, NULL};
    int64_t now = clock_now_ms();
    bool any = false;
    bool end = false;

    {
        LOCK_SCOPE(&cloud->mutex);
        end = cloud->stopping;
        take_leaving(&cloud->fill_waiters, now, end, &leaving);
        take_leaving(&cloud->settle_waiters, now, end, &leaving);
        any = cloud->fill_waiters || cloud->settle_waiters;
        for (int i = 0; i < 2; i++) {
            struct listing *list = &cloud->lists[i];
            take_leaving(&list->waiters, now, end, &leaving);
            take_leaving(&list->next_waiters, now, end, &leaving);
            any = any || list->waiters || list->next_waiters || list->fetching;
        }
        for (size_t i = 0; i < IMAGE_BUCKETS; i++) {
            for (struct image_state *image = cloud->images[i]; image; image = image->chain) {
                take_leaving(&image->waiters, now, end, &leaving);
                take_leaving(&image->next_waiters, now, end, &leaving);
                any = any || image->waiters || image->next_waiters || image->fetching;
            }
        }
    }
    jdcloud_end(leaving.interrupted, -REFUSAL_INTERRUPTED);
    jdcloud_end(leaving.late, -REFUSAL_SERVICE_TIMEOUT);
    return any;
}

/* --- what is old --- */

/* Images of this account whose shares were last confirmed before BEFORE_NS, in the order of ids
 * from the one behind AFTER, in keeper->found. Returns their number. */
static int find_stale(struct keeper *keeper, const char *after, int64_t before_ns)
{
    return replica_stale(&keeper->view.connection, keeper->cloud->catalog->account, after,
                         before_ns, FOUND_MAX, keeper->found);
}

/* Asks for the members of those images in keeper->found that nobody asks for and that did not fail
 * since SINCE_NS, as far as there is room. Returns the failure of the last that did, 0 for none, and
 * adds to *HOPEFUL those that did not. */
static int prefetch(struct keeper *keeper, int count, int room, int64_t before_ns, int64_t since_ns,
                    int *hopeful)
{
    struct jdcloud *cloud = keeper->cloud;
    int failed = 0;

    for (int i = 0; i < count; i++) {
        bool busy = false;
        {
            LOCK_SCOPE(&cloud->mutex);
            const struct image_state *image = jdcloud_find(cloud, keeper->found[i].row);
            busy = image && (image->fetching || image->fresh_ns >= before_ns);
            if (image && !busy && image->failed < 0 && image->began_ns >= since_ns) {
                failed = image->failed;
                continue;
            }
        }
        (*hopeful)++;
        if (busy || room <= 0)
            continue;
        jdcloud_fetch_members(cloud, keeper->found[i].row, keeper->found[i].id, CALL_SOON, false,
                              true, NULL);
        room--;
    }
    return failed;
}

static int prefetch_room(struct jdcloud *cloud)
{
    LOCK_SCOPE(&cloud->mutex);
    return cloud->away ? 0 : SWEEP_CALLS - cloud->prefetching;
}

/* Somebody goes through shares/ one by one: those that he comes to next are asked for at once. */
static void tend_sweep(struct keeper *keeper)
{
    struct jdcloud *cloud = keeper->cloud;
    char after[VIEW_NAME_SIZE];
    int room = prefetch_room(cloud);

    {
        LOCK_SCOPE(&cloud->mutex);
        if (cloud->sweep_ms == 0 || clock_now_ms() - cloud->sweep_ms > 2000)
            return;
        (void)snprintf(after, sizeof(after), "%s", cloud->sweep_id);
    }
    if (room < SWEEP_CALLS / 4)
        return;
    int64_t before_ns = text_now() - cloud->refresh_ms * 1000000;
    int count = find_stale(keeper, after, before_ns);
    if (count == 0 &&
        after[0]) /* what comes before may be stale, too, where the order is another */
        count = find_stale(keeper, "", before_ns);
    int hopeful = 0;
    (void)prefetch(keeper, count, room, before_ns, 0, &hopeful);
}

/* Asks for the members of images that were never asked for, those that have just failed left out.
 * Returns whether there are any to wait for; *FAILED is why others are not known, 0 for none. */
static bool fill(struct keeper *keeper, int64_t since_ns, int *failed)
{
    struct jdcloud *cloud = keeper->cloud;
    char after[VIEW_NAME_SIZE] = "";
    int room = prefetch_room(cloud);
    int hopeful = 0;
    int count = FOUND_MAX;

    *failed = 0;
    if (room < SWEEP_CALLS / 4) /* many at a time, or each answer would be a look at the store */
        room = 0;
    while (hopeful == 0 && count == FOUND_MAX) {
        count = find_stale(keeper, after, 1);
        if (count < 0)
            *failed = count;
        if (count <= 0)
            break;
        int result = prefetch(keeper, count, room, 1, since_ns, &hopeful);
        if (result < 0)
            *failed = result;
        (void)snprintf(after, sizeof(after), "%s", keeper->found[count - 1].id);
    }
    return hopeful > 0;
}

/* Somebody wants to know what all images are shared with: those that were never asked for are. */
static void tend_fill(struct keeper *keeper)
{
    struct jdcloud *cloud = keeper->cloud;
    struct refresh *waiters = NULL;
    int64_t since_ns = 0;
    bool listed = false;
    int failed = 0;
    int result = 0;

    {
        LOCK_SCOPE(&cloud->mutex);
        if (!cloud->fill_waiters)
            return;
        since_ns = cloud->fill_ns;
        listed = cloud->lists[0].confirmed_ns > 0;
        failed = cloud->away ? cloud->away : listed ? 0 : cloud->lists[0].failed;
    }
    if (failed == 0 && (!listed || fill(keeper, since_ns, &result))) /* until their time ends */
        return;
    if (failed == 0)
        failed = result;
    {
        LOCK_SCOPE(&cloud->mutex);
        waiters = STEAL(cloud->fill_waiters);
    }
    jdcloud_end(waiters, failed);
}

void jdcloud_look_after(struct jdcloud *cloud, int64_t after_ms)
{
    int64_t at_ms = clock_now_ms() + (after_ms > 0 ? after_ms : 0);

    if (at_ms >= cloud->in_use_ms)
        return;
    cloud->in_use_ms = at_ms;
    jdcloud_wake(cloud);
}

/* An image whose shares/ were opened a short time ago. */
struct in_use {
    int64_t row;
    int64_t asked_ns; /* when its members were asked for last */
};

/* Returns the number of those images. */
static int list_in_use(struct jdcloud *cloud, struct in_use *found)
{
    int64_t now = clock_now_ms();
    int count = 0;

    LOCK_SCOPE(&cloud->mutex);
    for (size_t i = 0; i < IMAGE_BUCKETS; i++)
        for (struct image_state *image = cloud->images[i]; image; image = image->chain)
            if (image->opened_ms > 0 && now - image->opened_ms < IN_USE_MS && count < IN_USE_MAX)
                found[count++] = (struct in_use){.row = image->row, .asked_ns = image->began_ns};
    return count;
}

/* When the members of IMAGE, which is in use, are due: nanoseconds since the epoch. The end of a
 * list has them looked at, too, and as long as that says that nobody has it they need no question of
 * their own. */
static int64_t due_ns(struct jdcloud *cloud, const struct write_image *image, int64_t asked_ns)
{
    int64_t again_ms = cloud->refresh_ms < AGAIN_MS ? cloud->refresh_ms : AGAIN_MS;
    int64_t due = image->confirmed_ns + cloud->refresh_ms * 1000000;
    int64_t again = asked_ns + again_ms * 1000000;

    LOCK_SCOPE(&cloud->mutex);
    if (image->confirmed_ns == cloud->lists[0].confirmed_ns && cloud->lists[0].failed == 0)
        return INT64_MAX;
    return due > again ? due : again;
}

/* Keeps the shares that are in use as fresh as the lists. */
static void tend_in_use(struct keeper *keeper)
{
    struct jdcloud *cloud = keeper->cloud;
    struct in_use found[IN_USE_MAX];
    int64_t now_ns = text_now();
    int64_t next_ns = INT64_MAX;
    /* Those that are due soon go along: not every one has a look of its own. */
    int64_t together_ns = cloud->refresh_ms * 1000000 / 20;
    bool all = false;

    {
        LOCK_SCOPE(&cloud->mutex);
        if (cloud->away || cloud->in_use_ms > clock_now_ms())
            return;
        all = cloud->in_use_ms == 0; /* SIGHUP, or it was away */
        cloud->in_use_ms = INT64_MAX;
    }
    int count = list_in_use(cloud, found);
    for (int i = 0; i < count; i++) {
        struct write_image image = {0};
        if (write_image(&keeper->view.connection, found[i].row, &image) < 0 ||
            image.owner != cloud->catalog->account)
            continue;
        int64_t due = due_ns(cloud, &image, found[i].asked_ns);
        if (all || due <= now_ns + together_ns) /* its end says when the next is due */
            jdcloud_fetch_members(cloud, image.row, image.id, CALL_BACKGROUND, false, false, NULL);
        else if (due < next_ns)
            next_ns = due;
        jdcloud_fetch_quota(cloud, image.row, image.id, false);
    }
    if (next_ns == INT64_MAX)
        return;
    LOCK_SCOPE(&cloud->mutex);
    jdcloud_look_after(cloud, (next_ns - now_ns) / 1000000 + 1);
}

/* Lets no shares grow older than half of maxage, so that "no" can be said as long as the cloud
 * answers. */
static void tend_aged(struct keeper *keeper)
{
    struct jdcloud *cloud = keeper->cloud;
    int64_t now = clock_now_ms();

    {
        LOCK_SCOPE(&cloud->mutex);
        if (cloud->maxage_ms == 0 || cloud->away || now - cloud->aged_ms < AGED_MS)
            return;
        cloud->aged_ms = now;
    }
    int64_t before_ns = text_now() - cloud->maxage_ms * 1000000 / 2;
    if (before_ns <
        cloud->catalog->opened_ns) /* it has just begun: nobody has asked for them yet */
        return;
    int count = find_stale(keeper, "", before_ns);
    for (int i = 0; i < count; i++)
        jdcloud_fetch_members(cloud, keeper->found[i].row, keeper->found[i].id, CALL_BACKGROUND,
                              false, false, NULL);
}

/* Who waits for what became of a change looks again now and then: it may have been settled just
 * before he began to wait. */
static void tend_settled(struct jdcloud *cloud)
{
    bool due = false;

    {
        LOCK_SCOPE(&cloud->mutex);
        due = cloud->settle_waiters && clock_now_ms() - cloud->settle_ms >= UNKNOWN_MS;
    }
    if (due)
        jdcloud_look_again(cloud);
}

/* Changes of unknown outcome: the members tell. */
static void tend_unknown(struct keeper *keeper)
{
    struct jdcloud *cloud = keeper->cloud;
    struct journal_entry entries[16];
    int64_t now = clock_now_ms();
    int64_t after = 0;
    int count = 0;

    {
        LOCK_SCOPE(&cloud->mutex);
        if (cloud->unknown == 0 || cloud->away ||
            (cloud->unknown_ms > 0 && now - cloud->unknown_ms < UNKNOWN_MS))
            return;
        cloud->unknown_ms = now;
    }
    while ((count = journal_read(&keeper->view.connection, 0, after, 16, entries)) > 0) {
        for (int i = 0; i < count; i++) {
            struct write_image image = {0};
            after = entries[i].row;
            if (entries[i].state != JOURNAL_DONE &&
                !jdcloud_is_under_way(cloud, entries[i].image, entries[i].row) &&
                write_image(&keeper->view.connection, entries[i].image, &image) == 0)
                jdcloud_fetch_members(cloud, image.row, image.id, CALL_SOON, false, false, NULL);
        }
    }
}

/* --- the lists, and whether the cloud is there --- */

static void tend_lists(struct jdcloud *cloud)
{
    int64_t now = clock_now_ms();

    for (int i = 0; i < 2; i++) {
        const struct listing *list = &cloud->lists[i];
        bool due = false;
        {
            LOCK_SCOPE(&cloud->mutex);
            due = !list->fetching && !cloud->away &&
                  (list->started_ms == 0 || now - list->started_ms >= cloud->refresh_ms);
        }
        if (due)
            jdcloud_fetch_list(cloud, i == 1, list->confirmed_ns ? CALL_BACKGROUND : CALL_SOON,
                               false, NULL);
    }
}

/* A question that is asked only to hear whether there is an answer. It frees itself. */
struct probe {
    struct call call;
    struct jdcloud *cloud;
};

static void probe_answered(struct call *call, const struct reply *reply)
{
    struct probe *probe = CONTAINER_OF(call, struct probe, call);
    struct jdcloud *cloud = probe->cloud;

    jdcloud_hear(cloud, reply);
    {
        LOCK_SCOPE(&cloud->mutex);
        cloud->probing = false;
        if (cloud->away) {
            cloud->probe_wait_ms = cloud->probe_wait_ms < PROBE_WAIT_MAX_MS / 2
                                       ? cloud->probe_wait_ms * 2
                                       : PROBE_WAIT_MAX_MS;
            cloud->probe_ms = clock_now_ms() + cloud->probe_wait_ms;
        } else { /* what was missed meanwhile */
            cloud->in_use_ms = 0;
            cloud->lists[0].started_ms = 0;
            cloud->lists[1].started_ms = 0;
        }
        jdcloud_wake(cloud);
    }
    call_dispose(&probe->call);
    free(probe);
}

static void tend_probe(struct jdcloud *cloud)
{
    int64_t now = clock_now_ms();

    {
        LOCK_SCOPE(&cloud->mutex);
        if (!cloud->away || cloud->probing || now < cloud->probe_ms)
            return;
        cloud->probing = true;
    }
    struct probe *probe = calloc(1, sizeof(*probe));
    if (!probe || api_list_images(&probe->call, cloud->region, "private", 1) < 0) {
        free(probe);
        LOCK_SCOPE(&cloud->mutex);
        cloud->probing = false;
        cloud->probe_ms = now + cloud->probe_wait_ms;
        return;
    }
    probe->cloud = cloud;
    probe->call.priority = CALL_SOON;
    probe->call.deadline_ms = now + PROBE_MS;
    probe->call.done = probe_answered;
    client_submit(cloud->client, &probe->call);
}

bool jdcloud_commit(struct jdcloud *cloud)
{
    struct job *jobs = NULL;

    {
        LOCK_SCOPE(&cloud->mutex);
        jobs = STEAL(cloud->jobs);
        cloud->last_job = &cloud->jobs;
    }
    if (jobs)
        writer_submit_all(cloud->catalog->writer, jobs);
    return jobs != NULL;
}

/* Forgets images about which nothing goes on. */
static void forget_idle(struct jdcloud *cloud)
{
    int64_t now = clock_now_ms();

    LOCK_SCOPE(&cloud->mutex);
    for (size_t i = 0; i < IMAGE_BUCKETS; i++) {
        for (struct image_state **at = &cloud->images[i]; *at;) {
            struct image_state *image = *at;
            bool busy = image->first || image->fetching || image->record_fetching ||
                        image->quota_fetching || image->waiters || image->next_waiters ||
                        image->failed < 0 ||
                        (image->opened_ms > 0 && now - image->opened_ms < IN_USE_MS);
            if (busy) {
                at = &image->chain;
                continue;
            }
            *at = image->chain;
            call_dispose(&image->call);
            call_dispose(&image->record_call);
            call_dispose(&image->quota_call);
            free(image);
        }
    }
}

/* When it has to look again, if nobody wakes it: milliseconds of CLOCK_MONOTONIC. Under the mutex. */
static int64_t next_look(const struct jdcloud *cloud, bool busy)
{
    int64_t now = clock_now_ms();
    int64_t next = now + (busy ? BUSY_MS : IDLE_MS);

    if (cloud->away)
        return next;
    if (cloud->in_use_ms < next)
        next = cloud->in_use_ms;
    for (int i = 0; i < 2; i++) {
        const struct listing *list = &cloud->lists[i];
        if (!list->fetching && list->started_ms + cloud->refresh_ms < next)
            next = list->started_ms + cloud->refresh_ms;
    }
    return next < now + LOOK_MS ? now + LOOK_MS : next;
}

static void wait_for_news(struct jdcloud *cloud, bool busy)
{
    LOCK_SCOPE(&cloud->mutex);

    int64_t next = next_look(cloud, busy);
    const struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
    /* What has come since the last wait may have come behind the look that was for it. */
    if (!cloud->stopping && !cloud->news)
        (void)pthread_cond_timedwait(&cloud->wake, &cloud->mutex, &until);
    cloud->news = false;
}

/* A moment, for the client to end its calls. */
static void wait_for_end(void)
{
    const struct timespec moment = {.tv_nsec = 2 * 1000000L};

    (void)nanosleep(&moment, NULL);
}

static bool is_stopping(struct jdcloud *cloud)
{
    LOCK_SCOPE(&cloud->mutex);
    return cloud->stopping;
}

static void tend_news(struct keeper *keeper)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);

    if (!keeper->has_view)
        keeper->has_view = catalog_view(keeper->cloud->catalog, &keeper->view, &error) == 0;
    if (!keeper->has_view) {
        catalog_note_error(keeper->cloud->catalog, -REFUSAL_STORE_DAMAGED);
        return;
    }
    tend_sweep(keeper);
    tend_fill(keeper);
    tend_in_use(keeper);
    tend_aged(keeper);
    tend_unknown(keeper);
}

void *jdcloud_keep(void *context)
{
    struct jdcloud *cloud = context;
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    int64_t forgot_ms = clock_now_ms();

    while (!is_stopping(cloud)) {
        tend_lists(cloud);
        (void)jdcloud_commit(cloud);
        bool busy = jdcloud_tend_changes(cloud);
        busy = tend_waiters(cloud) || busy;
        tend_settled(cloud);
        tend_probe(cloud);
        if (keeper) {
            keeper->cloud = cloud;
            tend_news(keeper);
        }
        if (clock_now_ms() - forgot_ms > IN_USE_MS / 10) {
            forget_idle(cloud);
            forgot_ms = clock_now_ms();
        }
        wait_for_news(cloud, busy);
    }
    /* The client has ended its calls, or is about to: nobody may be left waiting. */
    while (jdcloud_tend_changes(cloud) || tend_waiters(cloud)) {
        (void)jdcloud_commit(cloud);
        wait_for_end();
    }
    if (keeper && keeper->has_view)
        view_close(&keeper->view);
    free(keeper);
    return NULL;
}
