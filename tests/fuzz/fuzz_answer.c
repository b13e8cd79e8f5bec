/*
 * An HTTP answer of the cloud: the first byte says what was asked, the second the status of HTTP,
 * the rest is the body. Whatever it is, it is understood, and what is kept of it may be shown.
 */
#include "core/base/text.h"
#include "core/cloud/api.h"
#include "core/rules/refusal.h"
#include "core/source/image_json.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)

static const char *const pins[] = {"alice", "13800138000", "it's", ""};
static const int statuses[] = {200, 202, 301, 400, 401, 403, 404, 409, 429, 500, 501, 503, 0};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What the rules and the files of an image take from its RECORD. */
static int look_at_record(const json_t *record, void *context)
{
    static const char *const members[] = {"desc",   "osType",         "osVersion", "createTime",
                                          "sizeMB", "rootDeviceType", "imageId",   "nosuch"};
    CLEANUP_IMAGE_JSON struct image_json taken = {0};
    CLEANUP_IMAGE_JSON struct image_json read = {0};
    struct image_json_fault fault = {0};
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(TEXT_MAX);
    CLEANUP_FREE char *written = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
    int64_t *visited = context;

    REQUIRE(json_is_object(record) && written);
    size_t length = strlen(written);
    (*visited)++;
    int result = image_json_take(written, length, &taken);
    REQUIRE(result == 0 || result == -EINVAL);
    REQUIRE(result < 0 || text_is_file_name(taken.id));
    REQUIRE(taken.name && taken.status <= IMAGE_ERROR);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        buffer_clear(&text);
        image_json_text(written, length, members[i], &text);
        fuzz_require_printable(buffer_text(&text));
    }
    buffer_clear(&text);
    image_json_snapshot(written, length, &text);
    REQUIRE((text.length > 0) == (taken.snapshots != 0));
    /* Who takes less than all agrees with who wants all of it to be right. */
    if (image_json_read(written, length, &read, &fault) == 0) {
        REQUIRE(result == 0 && strcmp(read.id, taken.id) == 0);
        REQUIRE(read.status == taken.status && read.released == taken.released &&
                read.snapshots == taken.snapshots && strcmp(read.name, taken.name) == 0);
    } else {
        fuzz_require_printable(fault.why);
        REQUIRE(fault.why[0]);
    }
    return 0;
}

static int count_pin(const char *pin, void *context)
{
    int64_t *visited = context;

    REQUIRE(pin && text_is_utf8(pin, strlen(pin)));
    (*visited)++;
    return 0;
}

static void require_refused(int result)
{
    REQUIRE(result == 0 || refusal_of(result));
}

static void read_images(const json_t *body)
{
    int64_t total = 0;
    int64_t count = 0;
    int64_t visited = 0;
    int result = api_read_images(body, look_at_record, &visited, &total, &count);

    require_refused(result);
    REQUIRE(visited == count);
    REQUIRE(result == 0 ? total >= -1 : count == 0);
}

static void read_members(const json_t *body)
{
    int64_t visited = 0;
    int result = api_read_members(body, count_pin, &visited);

    require_refused(result);
    REQUIRE(result == 0 || visited == 0);
    REQUIRE((size_t)visited <= json_array_size(json_object_get(body, "pins")));
}

/* Every reader: which of them a body comes to is the caller's, and none may be hurt by it. */
static void read_body(const json_t *body)
{
    const json_t *record = NULL;
    const char *pin = NULL;
    int64_t limit = 0;
    int64_t used = 0;
    int64_t visited = 0;

    read_images(body);
    read_members(body);
    int result = api_read_image(body, &record);
    require_refused(result);
    if (result == 0)
        (void)look_at_record(record, &visited);
    result = api_read_quota(body, &limit, &used);
    require_refused(result);
    REQUIRE(result < 0 || (limit >= 0 && used >= 0));
    result = api_read_pin(body, &pin);
    require_refused(result);
    REQUIRE(result < 0 || (pin && *pin));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_answer answer = {0};

    if (size < 2)
        return -1;
    enum call_operation operation = (enum call_operation)(data[0] % (CALL_USER + 1));
    bool change = operation == CALL_SHARE || operation == CALL_UNSHARE;
    const char *pin = operation == CALL_SHARE ? pins[data[0] / 8 % COUNT_OF(pins)] : NULL;
    int status = statuses[data[1] % COUNT_OF(statuses)];

    api_understand(operation, pin, status, (const char *)data + 2, size - 2, &answer);
    fuzz_require_printable(answer.request_id);
    fuzz_require_printable(answer.message);
    REQUIRE(answer.verdict <= API_UNKNOWN);
    REQUIRE((answer.verdict == API_DONE) == (answer.result == 0));
    REQUIRE(answer.result == 0 || refusal_of(answer.result));
    /* A question without a result has no answer; a body comes with success, and is an object. */
    REQUIRE(answer.verdict != API_DONE || change || answer.body || answer.result < 0);
    REQUIRE(!answer.body || (answer.verdict == API_DONE && json_is_object(answer.body)));
    read_body(answer.body);
    api_answer_dispose(&answer);
    return 0;
}
