/*
 * The lists of images, private and shared: see jdcloud_state.h.
 *
 * The first page tells how many there are; the others are asked for at once. Their order is not
 * documented, so that one may be missed or come twice where the list changes while it is read:
 * images are taken by id, and none is removed unless as many were read as the service says there
 * are. A list that is shorter is read once more, and has failed where that is short as well. All
 * pages are merged in one transaction, or none.
 */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/source/image_json.h"
#include "core/store/replica.h"

#include <errno.h>
#include <string.h>

/* A list that says that it has more pages is not believed. */
#define PAGES_MAX 10000

/* A list that the store could not take is asked for again. */
#define RETRY_MS 5000

/* Bytes of JSON of all its pages, which are kept until the last one has come: records of 45,000
 * images. */
#define PAGES_BYTES_MAX (96L << 20)

#define ROWS 256

/* Whose image it is where the service does not say. */
#define UNKNOWN_OWNER "unknown"

struct page {
    struct page *next; /* of list->asked */
    struct call call;
    struct listing *list;
    int number; /* from 0 */
};

static void ask_page(struct listing *list, int number, int64_t deadline_ms);

/* --- merging --- */

struct list_merge {
    struct job job;
    struct jdcloud *cloud;
    struct listing *list;
    struct connection *connection;
    int64_t now;
    int64_t *rows; /* of the images of the list */
    size_t count, size;
    bool unreadable; /* a record had no id: nothing may be removed */
    bool complete;
    struct unlistable unlistable;
};

static int compare_rows(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one;
    int64_t b = *(const int64_t *)other;

    return (a > b) - (a < b);
}

static int keep_row(struct list_merge *merge, int64_t row)
{
    if (merge->count == merge->size) {
        size_t size = merge->size ? 2 * merge->size : 256;
        int64_t *rows = realloc(merge->rows, size * sizeof(*rows));
        if (!rows)
            return -ENOMEM;
        merge->rows = rows;
        merge->size = size;
    }
    merge->rows[merge->count++] = row;
    return 0;
}

/* What the list itself says of the shares of an own image: nobody has it if only its owner may use
 * it, or if everybody may. */
static int merge_permission(struct list_merge *merge, const json_t *record, int64_t row)
{
    const char *permission = json_string_value(json_object_get(record, "launchPermission"));
    struct write_image image = {0};

    if (!permission || (strcmp(permission, "ownerOnly") != 0 && strcmp(permission, "all") != 0))
        return 0;
    int result = write_image(merge->connection, row, &image);
    if (result < 0)
        return result;
    return jdcloud_merge_none(merge->cloud, merge->connection, &image, merge->list->began_ns,
                              merge->now);
}

/* An image that somebody shares with this account. */
static int merge_received(struct list_merge *merge, int64_t owner, int64_t row, const char *id)
{
    struct catalog *catalog = merge->cloud->catalog;
    int result = replica_share(merge->connection, row, owner, catalog->pin, 0, merge->now);

    if (result == 1 && merge->list->confirmed_ns > 0)
        return jdcloud_record(merge->cloud, merge->connection, "appeared", id, catalog->pin, 0,
                              NULL, merge->now);
    return result < 0 ? result : 0;
}

/* An image whose id no file name can be, or that is too large: it is told of in status, and nothing
 * is removed. */
static int miss_record(struct list_merge *merge, const json_t *record)
{
    const char *id = json_string_value(json_object_get(record, "imageId"));
    struct unlistable *unlistable = &merge->unlistable;

    merge->unreadable = true;
    unlistable->count++;
    return unlistable->names.count < UNLISTABLE_MAX ? names_add(&unlistable->names, id ? id : "")
                                                    : 0;
}

/* Whose the image of VALUES is that somebody shares: 1 with OWNER set; 0 for one's own, which nobody
 * shares with oneself, whatever the list says. */
static int find_sharer(const struct list_merge *merge, const struct image_json *values,
                       int64_t *owner)
{
    const struct catalog *catalog = merge->cloud->catalog;
    const char *pin =
        values->owner && text_is_file_name(values->owner) ? values->owner : UNKNOWN_OWNER;

    if (strcmp(pin, catalog->pin) == 0)
        return 0;
    int result = replica_image_owner(merge->connection, values->id, owner);
    if (result < 0 || (result == 1 && *owner == catalog->account))
        return result < 0 ? result : 0;
    result = replica_account(merge->connection, pin, merge->now, owner);
    return result < 0 ? result : 1;
}

static int merge_record(const json_t *record, void *context)
{
    struct list_merge *merge = context;
    CLEANUP_IMAGE_JSON struct image_json values = {0};
    CLEANUP_FREE char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
    int64_t owner = merge->cloud->catalog->account;
    int64_t row = 0;

    if (!text)
        return -ENOMEM;
    if (strlen(text) > JDCLOUD_RECORD_MAX)
        return miss_record(merge, record);
    int result = image_json_take(text, strlen(text), &values);
    if (result < 0)
        return result == -EINVAL ? miss_record(merge, record) : result;
    if (merge->list->received) {
        result = find_sharer(merge, &values, &owner);
        if (result == 0)
            merge->unreadable = true; /* of what else the list says, less is believed */
        if (result != 1)
            return result;
        result = 0;
    }
    const struct replica_image image = {
        .owner = owner,
        .id = values.id,
        .name = values.name,
        .status = values.status,
        .released = values.released,
        .snapshots = values.snapshots,
        .record = text,
    };
    if (result == 0)
        result = replica_put_image(merge->connection, &image, merge->now, &row);
    if (result >= 0)
        result = keep_row(merge, row);
    if (result == 0)
        result = merge->list->received ? merge_received(merge, owner, row, values.id)
                                       : merge_permission(merge, record, row);
    return result;
}

/* Sorts the rows, and leaves each once. */
static void sort_rows(struct list_merge *merge)
{
    size_t kept = 0;

    if (merge->count > 0)
        qsort(merge->rows, merge->count, sizeof(*merge->rows), compare_rows);
    for (size_t i = 0; i < merge->count; i++)
        if (i == 0 || merge->rows[i] != merge->rows[i - 1])
            merge->rows[kept++] = merge->rows[i];
    merge->count = kept;
}

static bool has_row(const struct list_merge *merge, int64_t row)
{
    return merge->count > 0 &&
           bsearch(&row, merge->rows, merge->count, sizeof(*merge->rows), compare_rows);
}

/* Takes from the store what is not in the list. */
static int remove_row(struct list_merge *merge, int64_t row)
{
    struct catalog *catalog = merge->cloud->catalog;
    struct write_image image = {0};
    int result = write_image(merge->connection, row, &image);

    if (result == 0 && merge->list->received)
        result = replica_cancel(merge->connection, row, image.owner, catalog->pin, 0, merge->now);
    else if (result == 0)
        result = replica_remove_image(merge->connection, row, merge->now);
    if (result < 0)
        return result;
    return jdcloud_record(merge->cloud, merge->connection, "vanished", image.id,
                          merge->list->received ? catalog->pin : NULL, 0, NULL, merge->now);
}

static int remove_missing(struct list_merge *merge)
{
    const struct catalog *catalog = merge->cloud->catalog;
    int64_t rows[ROWS];
    int64_t after = 0;

    for (;;) {
        int count = merge->list->received
                        ? replica_received(merge->connection, catalog->pin, after, ROWS, rows)
                        : replica_images(merge->connection, catalog->account, after, ROWS, rows);
        if (count <= 0)
            return count;
        for (int i = 0; i < count; i++) {
            int result = has_row(merge, rows[i]) ? 0 : remove_row(merge, rows[i]);
            if (result < 0)
                return result;
        }
        after = rows[count - 1];
    }
}

static struct list_merge *merge_of(struct job *job)
{
    return CONTAINER_OF(job, struct list_merge, job);
}

/* Whether images are missing in the list. What is in it is true all the same. */
static bool is_short(const struct list_merge *merge)
{
    return !merge->complete && !merge->unreadable;
}

static int merge_page(struct list_merge *merge, const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    int64_t total = 0;
    int64_t count = 0;
    int result = body ? api_read_images(body, merge_record, merge, &total, &count) : -ENOMEM;

    json_decref(body);
    return result;
}

static int merge_run(struct job *job, struct connection *connection, int64_t now)
{
    struct list_merge *merge = merge_of(job);
    struct listing *list = merge->list;
    char time[32];
    int result = 0;

    merge->connection = connection;
    merge->now = now;
    for (int i = 0; i < list->pages && result == 0; i++)
        result = merge_page(merge, list->bodies[i]);
    if (result < 0)
        return result;
    sort_rows(merge);
    /* A list that is shorter than it says changed while it was read. */
    merge->complete = !merge->unreadable && (int64_t)merge->count >= list->total;
    if (list->total < 0 && merge->count == 0) /* neither images nor a number: that is no list */
        return -REFUSAL_SERVICE_ANSWER;
    if (merge->complete)
        result = remove_missing(merge);
    if (result == 0)
        result = jdcloud_count_unknown(merge->cloud, connection);
    (void)snprintf(time, sizeof(time), "%lld", (long long)list->began_ns);
    if (result == 0 && !is_short(merge))
        result = replica_set(connection, replica_list_setting(list->received), time);
    return result;
}

/* Under the mutex. */
static void drop_pages(struct listing *list)
{
    for (int i = 0; i < list->pages; i++)
        free(list->bodies[i]);
    free(STEAL(list->bodies));
    list->pages = 0;
    list->bytes = 0;
}

/* Whether RESULT is a failure of this machine, and none of the cloud's. */
static bool is_ours(int result)
{
    const struct refusal_row *row = refusal_of(result);

    return row ? refusal_is_fault(row->refusal) : result == -ENOMEM;
}

/* The end of a list: who waited hears RESULT; who wants a newer one asks anew. */
static void end_list(struct listing *list, int result)
{
    struct jdcloud *cloud = list->cloud;
    struct refresh *waiters = NULL;
    struct refresh *next = NULL;

    {
        LOCK_SCOPE(&cloud->mutex);
        drop_pages(list);
        list->fetching = false;
        list->failed = result < 0 && result != -REFUSAL_INTERRUPTED ? result : 0;
        if (result == 0)
            list->confirmed_ns = list->began_ns;
        /* It is here that something failed: that passes sooner than a list gets old. */
        if (is_ours(result) && cloud->refresh_ms > RETRY_MS)
            list->started_ms = clock_now_ms() + RETRY_MS - cloud->refresh_ms;
        jdcloud_look_after(cloud, 0); /* what it says of shares, or could not say */
        waiters = STEAL(list->waiters);
        next = STEAL(list->next_waiters);
        jdcloud_wake(cloud);
    }
    jdcloud_end(waiters, result);
    while (next) {
        struct refresh *refresh = next;
        next = refresh->next;
        jdcloud_fetch_list(cloud, list->received, CALL_SOON, false, refresh);
    }
}

static void merge_done(struct job *job, int result)
{
    struct list_merge *merge = merge_of(job);
    struct listing *list = merge->list;
    bool missing = result == 0 && is_short(merge);
    bool again = missing && !list->again;

    free(merge->rows);
    {
        LOCK_SCOPE(&list->cloud->mutex);
        names_dispose(&list->unlistable.names);
        list->unlistable = merge->unlistable;
    }
    free(merge);
    if (!again) {
        list->again = false;
        end_list(list, missing ? -REFUSAL_SERVICE_ANSWER : result);
        return;
    }
    /* Once more from the beginning: whoever waits goes on waiting. */
    struct jdcloud *cloud = list->cloud;
    {
        LOCK_SCOPE(&cloud->mutex);
        drop_pages(list);
        list->pages = 1;
        list->pages_out = 1;
        list->bodies = calloc(1, sizeof(*list->bodies));
        list->again = true;
        list->began_ns = text_now();
        list->total = -1;
        list->priority = CALL_SOON;
    }
    ask_page(list, 0, clock_now_ms() + cloud->timeout_ms);
}

static void merge_list(struct listing *list)
{
    struct list_merge *merge = calloc(1, sizeof(*merge));

    if (!merge) {
        end_list(list, -ENOMEM);
        return;
    }
    merge->cloud = list->cloud;
    merge->list = list;
    merge->job = (struct job){.lazy = true, .run = merge_run, .done = merge_done};
    jdcloud_submit(list->cloud, &merge->job);
}

/* All pages of LIST have been answered. */
static void end_pages(struct listing *list)
{
    if (list->result < 0)
        end_list(list, list->result);
    else
        merge_list(list);
}

/* --- asking --- */

/* Asks for the pages behind the first. Returns how many, or a negative errno. */
static int plan_pages(struct listing *list, int64_t total, int64_t count)
{
    int64_t pages = total > API_PAGE_SIZE ? (total - 1) / API_PAGE_SIZE + 1 : 1;

    if (total < 0 && count >= API_PAGE_SIZE) /* it does not say how many there are: one by one */
        pages = list->pages + 1;
    if (pages > PAGES_MAX)
        return -REFUSAL_SERVICE_ANSWER;
    if (pages <= list->pages)
        return 0;
    char **bodies = realloc(list->bodies, (size_t)pages * sizeof(*bodies));
    if (!bodies)
        return -ENOMEM;
    list->bodies = bodies;
    memset(bodies + list->pages, 0, (size_t)(pages - list->pages) * sizeof(*bodies));
    int more = (int)pages - list->pages;
    list->pages = (int)pages;
    list->pages_out += more;
    return more;
}

static int count_record(const json_t *record, void *context)
{
    (void)record;
    (void)context;
    return 0;
}

/* Keeps a page with COUNT images. It is asked for so many at most, and holds no more. Under the mutex.
 */
static int keep_page(struct listing *list, int number, const json_t *body, int64_t count)
{
    char *text = count > API_PAGE_SIZE ? NULL : json_dumps(body, JSON_COMPACT);

    if (!text)
        return count > API_PAGE_SIZE ? -REFUSAL_SERVICE_ANSWER : -ENOMEM;
    list->bodies[number] = text;
    list->bytes += (int64_t)strlen(text);
    return list->bytes > PAGES_BYTES_MAX ? -REFUSAL_SERVICE_ANSWER : 0;
}

/* PAGE is not asked for any more. Under the mutex. */
static void forget_page(struct listing *list, const struct page *page)
{
    struct page **at = &list->asked;

    while (*at != page)
        at = &(*at)->next;
    *at = page->next;
}

static void page_answered(struct call *call, const struct reply *reply)
{
    struct page *page = CONTAINER_OF(call, struct page, call);
    struct listing *list = page->list;
    struct jdcloud *cloud = list->cloud;
    int64_t total = -1;
    int64_t count = 0;
    int more = 0;
    int first = 0;
    bool last = false;

    jdcloud_hear(cloud, reply);
    int result = reply->result;
    if (result == 0)
        result = api_read_images(reply->body, count_record, NULL, &total, &count);
    {
        LOCK_SCOPE(&cloud->mutex);
        forget_page(list, page);
        if (result == 0)
            result = keep_page(list, page->number, reply->body, count);
        if (result == 0) {
            if (page->number == 0)
                list->total = total;
            if (page->number == list->pages - 1 && list->result == 0) {
                first = list->pages;
                more = plan_pages(list, total, count);
            }
            if (more < 0)
                result = more;
        }
        if (result < 0 && list->result == 0)
            list->result = result;
        last = --list->pages_out == 0;
    }
    for (int i = first; i < first + more; i++)
        ask_page(list, i, call->deadline_ms);
    call_dispose(&page->call);
    free(page);
    if (last)
        end_pages(list);
}

/* One page could not even be asked for. */
static void miss_page(struct listing *list, int result)
{
    bool last = false;

    {
        LOCK_SCOPE(&list->cloud->mutex);
        if (list->result == 0)
            list->result = result;
        last = --list->pages_out == 0;
    }
    if (last)
        end_pages(list);
}

static void ask_page(struct listing *list, int number, int64_t deadline_ms)
{
    struct page *page = calloc(1, sizeof(*page));
    const char *image_source = list->received ? "shared" : "private";

    if (!page || api_list_images(&page->call, list->cloud->region, image_source, number + 1) < 0) {
        free(page);
        miss_page(list, -ENOMEM);
        return;
    }
    page->list = list;
    page->number = number;
    page->call.deadline_ms = deadline_ms;
    page->call.done = page_answered;
    {
        LOCK_SCOPE(&list->cloud->mutex);
        page->call.priority = list->priority;
        page->next = list->asked;
        list->asked = page;
    }
    client_submit(list->cloud->client, &page->call);
}

/* Somebody waits for LIST, which is being asked for. Under the mutex. */
static void raise_list(struct listing *list, enum call_priority priority)
{
    if (priority >= list->priority)
        return;
    list->priority = priority;
    for (struct page *page = list->asked; page; page = page->next)
        client_raise(list->cloud->client, &page->call, priority);
}

void jdcloud_fetch_list(struct jdcloud *cloud, bool received, enum call_priority priority,
                        bool newer, struct refresh *waiter)
{
    struct listing *list = &cloud->lists[received];
    int64_t now = clock_now_ms();
    bool begun = false;

    {
        LOCK_SCOPE(&cloud->mutex);
        if (list->fetching) {
            jdcloud_wait(newer ? &list->next_waiters : &list->waiters, waiter);
            if (waiter)
                raise_list(list, priority);
            return;
        }
        list->bodies = calloc(1, sizeof(*list->bodies));
        begun = list->bodies != NULL;
        if (begun) {
            list->fetching = true;
            list->started_ms = now;
            list->began_ns = text_now();
            list->pages = 1;
            list->pages_out = 1;
            list->total = -1;
            list->priority = priority;
            list->result = 0;
            jdcloud_wait(&list->waiters, waiter);
        }
    }
    if (begun)
        ask_page(list, 0, now + cloud->timeout_ms);
    else
        jdcloud_end(waiter, -ENOMEM);
}
