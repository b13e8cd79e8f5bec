/* Requests and results of the API: see the header. */
#include "core/cloud/api.h"

#include "core/base/text.h"
#include "core/cloud/sign.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

/* The gateway takes no longer address (reference: 8 KB). */
#define ADDRESS_MAX 8192

/* Bytes of a pin: one that is longer than a file name can be is shown and counted, one that is a
 * text is none. */
#define PIN_MAX 4096

void call_dispose(struct call *call)
{
    free(STEAL(call->path));
    free(STEAL(call->query));
    free(STEAL(call->body));
    free(STEAL(call->pin));
}

/* --- requests --- */

static void add(struct buffer *out, const char *text)
{
    sign_encode(out, text, strlen(text), "");
}

static void add_region(struct buffer *path, const char *region)
{
    buffer_puts(path, "/v1/regions/");
    add(path, region);
}

static void add_image(struct buffer *path, const char *region, const char *image)
{
    add_region(path, region);
    buffer_puts(path, "/images/");
    add(path, image);
}

/* Fills CALL; PATH and QUERY are taken over, and failed ones end it. */
static int question(struct call *call, enum call_operation operation, const char *service,
                    struct buffer *path, struct buffer *query)
{
    *call = (struct call){.operation = operation, .service = service, .method = "GET"};
    if (buffer_failed(path) || buffer_failed(query))
        return -ENOMEM;
    call->path = STEAL(path->text);
    call->query = STEAL(query->text);
    return 0;
}

int api_list_images(struct call *call, const char *region, const char *image_source, int page)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(ADDRESS_MAX);
    CLEANUP_BUFFER struct buffer query = BUFFER_INIT(ADDRESS_MAX);

    add_region(&path, region);
    buffer_puts(&path, "/images");
    buffer_puts(&query, "imageSource=");
    add(&query, image_source);
    buffer_printf(&query, "&pageNumber=%d&pageSize=%d", page, API_PAGE_SIZE);
    return question(call, CALL_LIST_IMAGES, "vm", &path, &query);
}

int api_image(struct call *call, const char *region, const char *image)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(ADDRESS_MAX);
    CLEANUP_BUFFER struct buffer none = BUFFER_INIT(0);

    add_image(&path, region, image);
    return question(call, CALL_IMAGE, "vm", &path, &none);
}

int api_members(struct call *call, const char *region, const char *image)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(ADDRESS_MAX);
    CLEANUP_BUFFER struct buffer none = BUFFER_INIT(0);

    add_image(&path, region, image);
    buffer_puts(&path, "/members");
    return question(call, CALL_MEMBERS, "vm", &path, &none);
}

int api_quota(struct call *call, const char *region, const char *image)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(ADDRESS_MAX);
    CLEANUP_BUFFER struct buffer query = BUFFER_INIT(ADDRESS_MAX);

    add_region(&path, region);
    buffer_puts(&path, "/quotas");
    buffer_puts(&query, "filters.1.name=resourceTypes&filters.1.values.1=imageShare&imageId=");
    add(&query, image);
    return question(call, CALL_QUOTA, "vm", &path, &query);
}

int api_pin(struct call *call, const char *region, const char *access_key)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(ADDRESS_MAX);
    CLEANUP_BUFFER struct buffer query = BUFFER_INIT(ADDRESS_MAX);

    add_region(&path, region);
    buffer_puts(&path, "/user:describeUserPin");
    buffer_puts(&query, "accessKey=");
    add(&query, access_key);
    return question(call, CALL_PIN, "iam", &path, &query);
}

int api_user(struct call *call)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(ADDRESS_MAX);
    CLEANUP_BUFFER struct buffer none = BUFFER_INIT(0);

    buffer_puts(&path, "/v1/describeUser");
    return question(call, CALL_USER, "user", &path, &none);
}

/* {"pins": [PIN]}, in ASCII as the official clients write it. NULL where there is no memory. */
static char *pins_body(const char *pin)
{
    json_t *body = json_pack("{s:[s]}", "pins", pin);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

    json_decref(body);
    return text;
}

static int change(struct call *call, enum call_operation operation, const char *verb,
                  const char *region, const char *image, const char *pin)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(ADDRESS_MAX);
    CLEANUP_BUFFER struct buffer none = BUFFER_INIT(0);

    add_image(&path, region, image);
    buffer_puts(&path, verb);
    int result = question(call, operation, "vm", &path, &none);
    if (!text_is_utf8(pin, strlen(pin)))
        result = -EINVAL;
    if (result == 0) {
        call->body = pins_body(pin);
        call->pin = strdup(pin);
    }
    call->method = "POST";
    call->changes = true;
    if (result == 0 && (!call->body || !call->pin))
        result = -ENOMEM;
    if (result < 0)
        call_dispose(call);
    return result;
}

int api_share(struct call *call, const char *region, const char *image, const char *pin)
{
    return change(call, CALL_SHARE, ":share", region, image, pin);
}

int api_unshare(struct call *call, const char *region, const char *image, const char *pin)
{
    return change(call, CALL_UNSHARE, ":unshare", region, image, pin);
}

/* --- results --- */

/* *ARRAY is the member NAME of RESULT, NULL where it is absent or null. */
static int read_array(const json_t *result, const char *name, const json_t **array)
{
    *array = json_object_get(result, name);
    if (json_is_null(*array))
        *array = NULL;
    return json_is_object(result) && (!*array || json_is_array(*array)) ? 0
                                                                        : -REFUSAL_SERVICE_ANSWER;
}

int api_read_images(const json_t *result, api_visit_image visit, void *context, int64_t *total,
                    int64_t *count)
{
    const json_t *total_count = json_object_get(result, "totalCount");
    const json_t *images = NULL;

    *count = 0;
    *total = -1;
    if (read_array(result, "images", &images) < 0)
        return -REFUSAL_SERVICE_ANSWER;
    if (total_count && !json_is_null(total_count)) {
        *total = json_integer_value(total_count);
        if (!json_is_integer(total_count) || *total < 0)
            return -REFUSAL_SERVICE_ANSWER;
    }
    for (size_t i = 0; i < json_array_size(images); i++)
        if (!json_is_object(json_array_get(images, i)))
            return -REFUSAL_SERVICE_ANSWER;
    for (size_t i = 0; i < json_array_size(images); i++) {
        int ended = visit(json_array_get(images, i), context);
        if (ended != 0)
            return ended;
        (*count)++;
    }
    return 0;
}

int api_read_image(const json_t *result, const json_t **record)
{
    *record = json_object_get(result, "image");
    return json_is_object(*record) ? 0 : -REFUSAL_SERVICE_ANSWER;
}

struct member {
    const char *pin;
    bool *again; /* it has come before: in a list of all, in the order of the answer */
};

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    int order = strcmp(a->pin, b->pin);

    return order != 0 ? order : a->again < b->again ? -1 : a->again > b->again;
}

/* Fills AGAIN. Sorting is quick enough for a million pins, and needs no table that an answer could
 * be made to fill badly. */
static int find_repeated(const json_t *pins, size_t count, bool *again)
{
    CLEANUP_FREE struct member *members = calloc(count + 1, sizeof(*members));

    if (!members)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        members[i] = (struct member){json_string_value(json_array_get(pins, i)), &again[i]};
    qsort(members, count, sizeof(*members), compare_members);
    for (size_t i = 1; i < count; i++)
        *members[i].again = strcmp(members[i - 1].pin, members[i].pin) == 0;
    return 0;
}

/* Whether RESULT, in which no pins are, is one of nobody: an answer to another question has members
 * that this one has not. */
static bool is_of_nobody(const json_t *result)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)result, name, value) {
        if (strcmp(name, "pins") != 0 && strcmp(name, "loginNames") != 0)
            return false;
    }
    return true;
}

int api_read_members(const json_t *result, api_visit_pin visit, void *context)
{
    const json_t *pins = NULL;

    if (read_array(result, "pins", &pins) < 0 || (!pins && !is_of_nobody(result)))
        return -REFUSAL_SERVICE_ANSWER;
    size_t count = json_array_size(pins);
    for (size_t i = 0; i < count; i++) {
        const json_t *pin = json_array_get(pins, i);
        if (!json_is_string(pin) || json_string_length(pin) > PIN_MAX)
            return -REFUSAL_SERVICE_ANSWER;
    }
    CLEANUP_FREE bool *again = calloc(count + 1, sizeof(*again));
    if (!again || find_repeated(pins, count, again) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int ended = again[i] ? 0 : visit(json_string_value(json_array_get(pins, i)), context);
        if (ended != 0)
            return ended;
    }
    return 0;
}

static int read_count(const json_t *quota, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(quota, name);

    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 ? 0 : -REFUSAL_SERVICE_ANSWER;
}

int api_read_quota(const json_t *result, int64_t *limit, int64_t *used)
{
    const json_t *quotas = NULL;

    if (read_array(result, "quotas", &quotas) < 0)
        return -REFUSAL_SERVICE_ANSWER;
    for (size_t i = 0; i < json_array_size(quotas); i++) {
        const json_t *quota = json_array_get(quotas, i);
        const char *type = json_string_value(json_object_get(quota, "resourceType"));
        if (type && strcmp(type, "imageShare") == 0)
            return read_count(quota, "limit", limit) < 0 || read_count(quota, "used", used) < 0
                       ? -REFUSAL_SERVICE_ANSWER
                       : 0;
    }
    return -REFUSAL_SERVICE_ANSWER;
}

int api_read_pin(const json_t *result, const char **pin)
{
    *pin = json_string_value(json_object_get(result, "pin"));
    return *pin && **pin ? 0 : -REFUSAL_SERVICE_ANSWER;
}
