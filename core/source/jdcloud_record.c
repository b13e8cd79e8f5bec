/* The record of one image, and its limit: see jdcloud_state.h. */
#include "core/source/jdcloud_state.h"

#include "core/base/clock.h"
#include "core/base/container.h"
#include "core/rules/refusal.h"
#include "core/source/image_json.h"
#include "core/store/replica.h"

#include <errno.h>
#include <string.h>

/* Between two questions for the limit of an image. */
#define QUOTA_MS (3600 * 1000LL)

/* --- the record of an image --- */

struct record {
    struct job job;
    struct jdcloud *cloud;
    struct image_state *image;
    struct replica_image values; /* strings are those of the two below */
    struct image_json read;
    char *text;
};

static void record_free(struct record *record)
{
    image_json_dispose(&record->read);
    free(record->text);
    free(record);
}

static int record_run(struct job *job, struct connection *connection, int64_t now)
{
    struct record *record = CONTAINER_OF(job, struct record, job);
    struct write_image image = {0};
    int64_t row = 0;
    int result = write_image(connection, record->image->row, &image);

    if (result < 0)
        return result == -ENOENT ? -REFUSAL_IMAGE_GONE : result;
    if (strcmp(record->values.id, image.id) != 0)
        return -REFUSAL_SERVICE_ANSWER; /* that is another image's */
    record->values.owner = image.owner;
    result = replica_put_image(connection, &record->values, now, &row);
    return result < 0 ? result : 0;
}

static void end_record(struct image_state *image, int result)
{
    struct refresh *waiters = NULL;

    {
        LOCK_SCOPE(&image->cloud->mutex);
        waiters = STEAL(image->record_wanted);
        image->record_fetching = false;
    }
    jdcloud_end(waiters, result);
}

static void record_done(struct job *job, int result)
{
    struct record *record = CONTAINER_OF(job, struct record, job);
    struct image_state *image = record->image;

    record_free(record);
    end_record(image, result);
}

/* Takes the answer apart. 0, or a negative refusal/errno. */
static int read_record(struct record *record, const struct reply *reply)
{
    const json_t *json = NULL;
    const struct image_json *read = &record->read;
    int result = api_read_image(reply->body, &json);

    if (result < 0)
        return result;
    record->text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    if (!record->text)
        return -ENOMEM;
    if (strlen(record->text) > JDCLOUD_RECORD_MAX)
        return -REFUSAL_SERVICE_ANSWER;
    result = image_json_take(record->text, strlen(record->text), &record->read);
    if (result < 0)
        return result == -EINVAL ? -REFUSAL_SERVICE_ANSWER : result;
    record->values = (struct replica_image){
        .id = read->id,
        .name = read->name,
        .status = read->status,
        .released = read->released,
        .snapshots = read->snapshots,
        .record = record->text,
    };
    return 0;
}

static void record_answered(struct call *call, const struct reply *reply)
{
    struct image_state *image = CONTAINER_OF(call, struct image_state, record_call);
    struct jdcloud *cloud = image->cloud;
    int result = reply->result;

    jdcloud_hear(cloud, reply);
    struct record *record = result == 0 ? calloc(1, sizeof(*record)) : NULL;
    if (result == 0)
        result = record ? read_record(record, reply) : -ENOMEM;
    if (result == 0) {
        record->cloud = cloud;
        record->image = image;
        record->job = (struct job){.lazy = true, .run = record_run, .done = record_done};
        jdcloud_submit(cloud, &record->job);
        return;
    }
    if (record)
        record_free(record);
    end_record(image, result);
}

void jdcloud_fetch_record(struct jdcloud *cloud, int64_t row, const char *id,
                          struct refresh *waiter)
{
    struct image_state *image = NULL;
    int result = -ENOMEM;

    {
        LOCK_SCOPE(&cloud->mutex);
        image = jdcloud_image(cloud, row);
        if (image && image->record_fetching) {
            jdcloud_wait(&image->record_wanted, waiter);
            return;
        }
        if (image) {
            call_dispose(&image->record_call);
            result = api_image(&image->record_call, cloud->region, id);
        }
        if (result == 0) {
            image->record_call.priority = CALL_SOON;
            image->record_call.deadline_ms = waiter->deadline_ms;
            image->record_call.done = record_answered;
            image->record_fetching = true;
            jdcloud_wait(&image->record_wanted, waiter);
        }
    }
    if (result == 0)
        client_submit(cloud->client, &image->record_call);
    else
        jdcloud_end(waiter, result);
}

/* --- the limit --- */

struct limit {
    struct job job;
    int64_t row;
    int64_t value;
};

static int limit_run(struct job *job, struct connection *connection, int64_t now)
{
    const struct limit *limit = CONTAINER_OF(job, struct limit, job);

    (void)now;
    return replica_set_limit(connection, limit->row, limit->value);
}

static void limit_done(struct job *job, int result)
{
    (void)result; /* it is asked for again in an hour */
    free(CONTAINER_OF(job, struct limit, job));
}

static void quota_answered(struct call *call, const struct reply *reply)
{
    struct image_state *image = CONTAINER_OF(call, struct image_state, quota_call);
    struct jdcloud *cloud = image->cloud;
    struct limit *limit = reply->result == 0 ? calloc(1, sizeof(*limit)) : NULL;
    int64_t used = 0;

    jdcloud_hear(cloud, reply);
    if (limit && api_read_quota(reply->body, &limit->value, &used) == 0 && limit->value > 0) {
        limit->row = image->row;
        limit->job = (struct job){.lazy = true, .run = limit_run, .done = limit_done};
        jdcloud_submit(cloud, &STEAL(limit)->job);
    }
    free(limit);
    LOCK_SCOPE(&cloud->mutex);
    image->quota_fetching = false;
}

void jdcloud_fetch_quota(struct jdcloud *cloud, int64_t row, const char *id, bool anew)
{
    struct image_state *image = NULL;
    bool begun = false;
    int64_t now = clock_now_ms();

    {
        LOCK_SCOPE(&cloud->mutex);
        image = jdcloud_image(cloud, row);
        if (!image || image->quota_fetching || cloud->away || cloud->stopping)
            return;
        if (!anew && image->quota_ms > 0 && now - image->quota_ms < QUOTA_MS)
            return;
        call_dispose(&image->quota_call);
        begun = api_quota(&image->quota_call, cloud->region, id) == 0;
        image->quota_fetching = begun;
        image->quota_ms = now;
        image->quota_call.priority = CALL_BACKGROUND;
        image->quota_call.deadline_ms = now + cloud->timeout_ms;
        image->quota_call.done = quota_answered;
    }
    if (begun)
        client_submit(cloud->client, &image->quota_call);
}
