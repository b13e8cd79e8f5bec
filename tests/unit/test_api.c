/* The API: requests as they are sent, answers as they are understood, results as they are read. */
#include "core/cloud/api.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

/* --- requests --- */

static void assert_request(struct call *call, const char *method, const char *service,
                           const char *path, const char *query, const char *body)
{
    assert_string_equal(call->method, method);
    assert_string_equal(call->service, service);
    assert_string_equal(call->path, path);
    assert_string_equal(call->query ? call->query : "none", query);
    assert_string_equal(call->body ? call->body : "none", body);
    assert_int_equal(call->changes, strcmp(method, "POST") == 0);
    call_dispose(call);
    call_dispose(call); /* which does nothing more */
}

static void each_request_is_as_the_documents_have_it(void **state)
{
    struct call call;

    (void)state;
    assert_done(api_list_images(&call, "cn-north-1", "private", 3));
    assert_int_equal(call.operation, CALL_LIST_IMAGES);
    assert_request(&call, "GET", "vm", "/v1/regions/cn-north-1/images",
                   "imageSource=private&pageNumber=3&pageSize=100", "none");
    assert_done(api_image(&call, "cn-north-1", "img-1"));
    assert_request(&call, "GET", "vm", "/v1/regions/cn-north-1/images/img-1", "none", "none");
    assert_done(api_members(&call, "cn-north-1", "img-1"));
    assert_request(&call, "GET", "vm", "/v1/regions/cn-north-1/images/img-1/members", "none",
                   "none");
    assert_done(api_share(&call, "cn-north-1", "img-1", "alice"));
    assert_int_equal(call.operation, CALL_SHARE);
    assert_string_equal(call.pin, "alice");
    assert_request(&call, "POST", "vm", "/v1/regions/cn-north-1/images/img-1:share", "none",
                   "{\"pins\":[\"alice\"]}");
    assert_done(api_unshare(&call, "cn-north-1", "img-1", "alice"));
    assert_int_equal(call.operation, CALL_UNSHARE);
    assert_request(&call, "POST", "vm", "/v1/regions/cn-north-1/images/img-1:unshare", "none",
                   "{\"pins\":[\"alice\"]}");
    assert_done(api_quota(&call, "cn-north-1", "img-1"));
    assert_request(&call, "GET", "vm", "/v1/regions/cn-north-1/quotas",
                   "filters.1.name=resourceTypes&filters.1.values.1=imageShare&imageId=img-1",
                   "none");
    assert_done(api_pin(&call, "cn-north-1", "AK"));
    assert_request(&call, "GET", "iam", "/v1/regions/cn-north-1/user:describeUserPin",
                   "accessKey=AK", "none");
    assert_done(api_user(&call));
    assert_request(&call, "GET", "user", "/v1/describeUser", "none", "none");
}

static void ids_and_pins_are_whatever_text(void **state)
{
    struct call call;

    (void)state;
    assert_done(api_share(&call, "a/b", "../x?y#z %2F京", "京\"\\\n"));
    assert_request(&call, "POST", "vm",
                   "/v1/regions/a%2Fb/images/..%2Fx%3Fy%23z%20%252F%E4%BA%AC:share", "none",
                   "{\"pins\":[\"\\u4EAC\\\"\\\\\\n\"]}");
    assert_done(api_quota(&call, "r", "a&b=c"));
    assert_request(&call, "GET", "vm", "/v1/regions/r/quotas",
                   "filters.1.name=resourceTypes&filters.1.values.1=imageShare&imageId=a%26b%3Dc",
                   "none");
    assert_int_equal(api_share(&call, "r", "i", "\xff"), -EINVAL);
    assert_null(call.path);
}

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

static void a_pin_that_memory_has_no_room_for_is_not_called_wrong(void **state)
{
    struct call call;

    (void)state;
    json_set_alloc_funcs(no_memory, free);
    int result = api_unshare(&call, "r", "i", "alice");
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(result, -ENOMEM);
    assert_null(call.path);
}

static void an_address_that_no_gateway_takes_is_not_made(void **state)
{
    struct call call;
    char id[9000];

    (void)state;
    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    assert_int_equal(api_image(&call, "r", id), -ENOMEM);
    assert_null(call.path);
    assert_int_equal(api_unshare(&call, "r", id, "alice"), -ENOMEM);
    assert_null(call.body);
}

/* --- errors --- */

struct wanted {
    enum call_operation operation;
    int status;
    const char *word, *message;
    enum api_verdict verdict;
    const char *code; /* NULL: done */
};

static void assert_verdict(const struct wanted *wanted, const char *pin)
{
    struct api_answer answer;
    char body[512];

    (void)snprintf(body, sizeof(body),
                   "{\"error\":{\"message\":\"%s\",\"status\":\"%s\",\"code\":%d},"
                   "\"requestId\":\"r\"}",
                   wanted->message, wanted->word, wanted->status);
    /* The SDKs look at the body only, so an error may come with any status. */
    const int statuses[] = {200, wanted->status < 600 ? wanted->status : 400};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        api_understand(wanted->operation, pin, statuses[i], body, strlen(body), &answer);
        if (answer.verdict != wanted->verdict)
            fail_msg("%d %s %s: verdict %d instead of %d", statuses[i], wanted->word,
                     wanted->message, (int)answer.verdict, (int)wanted->verdict);
        assert_result(answer.result, wanted->code, wanted->message, statuses[i]);
        assert_true(answer.spoke);
        assert_string_equal(answer.request_id, "r");
        assert_string_equal(answer.message, wanted->message);
        assert_null(answer.body);
        api_answer_dispose(&answer);
    }
}

#define PRECONDITION 400, "FAILED_PRECONDITION"

static void each_error_of_the_documents_has_its_meaning(void **state)
{
    static const struct wanted rows[] = {
        /* of single operations */
        {CALL_SHARE, PRECONDITION, "Can't use this image", API_REFUSED, "not-owner"},
        {CALL_SHARE, PRECONDITION, "Community image can't be shared", API_REFUSED,
         "image-released"},
        {CALL_SHARE, PRECONDITION, "Conflict with underlay image task 'xx'", API_AGAIN,
         "service-busy"},
        {CALL_SHARE, PRECONDITION, "Share encrypted snapshot 'xx' is not support.", API_REFUSED,
         "image-encrypted"},
        {CALL_SHARE, PRECONDITION, "Invalid pin 'xx'", API_REFUSED, "no-account"},
        {CALL_SHARE, PRECONDITION, "Pin 'xx' not found", API_REFUSED, "no-account"},
        {CALL_SHARE, 404, "NOT_FOUND", "Pin 'xx' not found", API_REFUSED, "no-account"},
        {CALL_SHARE, PRECONDITION, "京东云账号不存在", API_REFUSED, "no-account"},
        {CALL_SHARE, 404, "NOT_FOUND", "Image 'xx' not found", API_REFUSED, "image-gone"},
        {CALL_SHARE, 429, "QUOTA_EXCEEDED", "Image share quota limit exceeded", API_REFUSED,
         "image-limit"},
        {CALL_SHARE, 500, "INTERNAL", "Internal server error", API_UNKNOWN, "service-failed"},
        {CALL_SHARE, 500, "UNKNOWN", "Unknown server error", API_UNKNOWN, "service-failed"},
        {CALL_UNSHARE, PRECONDITION, "Can't use this image", API_REFUSED, "not-owner"},
        {CALL_UNSHARE, PRECONDITION, "Pin 'xx' not found", API_UNKNOWN, "service-refused"},
        {CALL_UNSHARE, PRECONDITION, "Invalid pin 'xx'", API_UNKNOWN, "service-refused"},
        {CALL_UNSHARE, 404, "NOT_FOUND", "Image 'xx' not found", API_REFUSED, "image-gone"},
        {CALL_UNSHARE, 429, "QUOTA_EXCEEDED", "quota", API_REFUSED, "service-refused"},
        {CALL_UNSHARE, 400, "FAILED_PRECONDITION", "The image 'xx' is busy", API_AGAIN,
         "service-busy"},
        {CALL_MEMBERS, PRECONDITION, "Can't use this image", API_REFUSED, "not-owner"},
        {CALL_MEMBERS, 404, "NOT_FOUND", "Image 'xx' not found", API_REFUSED, "image-gone"},
        {CALL_LIST_IMAGES, PRECONDITION, "Parameter ImageSource missing", API_REFUSED,
         "service-refused"},
        {CALL_LIST_IMAGES, 400, "OUT_OF_RANGE", "PageSize out of range", API_REFUSED,
         "service-refused"},
        {CALL_QUOTA, 400, "INVALID_ARGUMENT", "Parameter ImageId missing", API_REFUSED,
         "service-refused"},
        {CALL_IMAGE, 400, "INVALID_ARGUMENT", "Invalid RegionId 'xx'", API_REFUSED,
         "service-refused"},
        /* what no document lists */
        {CALL_SHARE, 409, "ALREADY_EXISTS", "exists", API_DONE, NULL},
        {CALL_SHARE, PRECONDITION, "Image is already shared with 'xx'", API_DONE, NULL},
        {CALL_UNSHARE, PRECONDITION, "Image is not shared with 'xx'", API_DONE, NULL},
        {CALL_UNSHARE, 404, "NOT_FOUND", "The image isn't shared", API_DONE, NULL},
        {CALL_UNSHARE, 409, "ALREADY_EXISTS", "exists", API_REFUSED, "service-refused"},
        /* of the service and its gateway */
        {CALL_SHARE, 400, "HTTP_BAD_REQUEST", "waf", API_REFUSED, "service-refused"},
        {CALL_SHARE, 401, "UNAUTHENTICATED", "secret key is nul", API_REFUSED, "service-key"},
        {CALL_SHARE, 401, "ACCESS_ERROR", "sign result is not same [gw]", API_REFUSED,
         "service-key"},
        {CALL_SHARE, 403, "HTTP_FORBIDDEN", "Your IP address is not allowed", API_REFUSED,
         "service-forbidden"},
        {CALL_SHARE, 404, "NOT_FOUND", "no route and no API found with those values", API_REFUSED,
         "service-answer"},
        {CALL_SHARE, 409, "ABORTED", "conflict", API_AGAIN, "service-busy"},
        {CALL_SHARE, 413, "HTTP_REQUEST_ENTITY_TOO_LARGE", "large", API_REFUSED, "service-refused"},
        {CALL_SHARE, 414, "HTTP_URI_TOO_LONG", "long", API_REFUSED, "service-refused"},
        {CALL_SHARE, 429, "RATE_LIMIT", "rate", API_RATE, "service-rate"},
        {CALL_SHARE, 429, "HTTP_RATE_LIMIT_EXCEEDED", "minute rate limit exceeded, role:ak",
         API_RATE, "service-rate"},
        {CALL_SHARE, 499, "CANCELLED", "cancelled", API_UNKNOWN, "service-failed"},
        {CALL_SHARE, 500, "HTTP_INTERNAL_SERVER_ERROR", "An unexpected error occurred", API_UNKNOWN,
         "service-failed"},
        {CALL_SHARE, 501, "NOT_IMPLEMENTED", "no", API_REFUSED, "service-refused"},
        {CALL_SHARE, 502, "SOURCE_UNAVAILABLE", "no", API_UNKNOWN, "service-failed"},
        {CALL_SHARE, 502, "HTTP_BAD_GATEWAY", "no", API_UNKNOWN, "service-failed"},
        {CALL_SHARE, 503, "UNAVAILABLE", "no", API_AGAIN, "service-failed"},
        {CALL_SHARE, 503, "HTTP_SERVICE_UNAVAILABLE", "no", API_AGAIN, "service-failed"},
        {CALL_SHARE, 504, "HTTP_SERVER_TIMING_OUT", "no", API_UNKNOWN, "service-failed"},
        /* a word that is not known: the number counts */
        {CALL_SHARE, 401, "NEW", "no", API_REFUSED, "service-key"},
        {CALL_SHARE, 403, "NEW", "no", API_REFUSED, "service-forbidden"},
        {CALL_SHARE, 409, "NEW", "no", API_AGAIN, "service-busy"},
        {CALL_SHARE, 418, "NEW", "no", API_REFUSED, "service-refused"},
        {CALL_SHARE, 429, "NEW", "no", API_RATE, "service-rate"},
        {CALL_SHARE, 499, "NEW", "no", API_UNKNOWN, "service-failed"},
        {CALL_SHARE, 501, "NEW", "no", API_REFUSED, "service-refused"},
        {CALL_SHARE, 503, "NEW", "no", API_AGAIN, "service-failed"},
        {CALL_SHARE, 599, "NEW", "no", API_UNKNOWN, "service-failed"},
        {CALL_SHARE, 40301, "NEW", "no", API_REFUSED, "service-forbidden"},
        {CALL_SHARE, 1011, "NEW", "no", API_REFUSED, "service-refused"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_verdict(&rows[i], "xx");
}

static void an_unknown_name_that_looks_like_a_mobile_number_is_told_so(void **state)
{
    static const struct {
        const char *pin, *code;
    } rows[] = {
        {"13812345678", "mobile-number"},   {"19912345678", "mobile-number"},
        {"8613812345678", "mobile-number"}, {"+8613812345678", "mobile-number"},
        {"12812345678", "no-account"},      {"1381234567", "no-account"},
        {"138123456789", "no-account"},     {"23812345678", "no-account"},
        {"1381234567x", "no-account"},      {"8513812345678", "no-account"},
        {"594035263019", "no-account"},     {"", "no-account"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct wanted wanted = {CALL_SHARE, PRECONDITION, "Pin 'xx' not found", API_REFUSED,
                                      rows[i].code};
        assert_verdict(&wanted, rows[i].pin);
    }
}

/* What a message quotes was chosen by whoever chose the name. */
static void the_name_in_a_message_decides_nothing(void **state)
{
    static const char *const names[] = {"community", "encrypted",       "Can't use this image",
                                        "is busy",   "already shared",  "' is already shared '",
                                        "not found", "Image not found", "it's community"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char message[128];
        struct wanted wanted = {CALL_SHARE, PRECONDITION, message, API_REFUSED, "no-account"};
        (void)snprintf(message, sizeof(message), "Pin '%s' not found", names[i]);
        assert_verdict(&wanted, names[i]);
        wanted.operation = CALL_UNSHARE;
        wanted.verdict = API_UNKNOWN;
        wanted.code = "service-refused";
        assert_verdict(&wanted, names[i]);
    }
}

/* --- bodies --- */

struct body {
    enum call_operation operation;
    int status;
    const char *text;
    enum api_verdict verdict;
    const char *code;
    bool spoke;
};

static void assert_body(const struct body *row)
{
    struct api_answer answer;

    api_understand(row->operation, NULL, row->status, row->text, strlen(row->text), &answer);
    if (answer.verdict != row->verdict || answer.spoke != row->spoke)
        fail_msg("%d %s: verdict %d, spoke %d", row->status, row->text, (int)answer.verdict,
                 answer.spoke);
    assert_result(answer.result, row->code, row->text, row->status);
    assert_int_equal(answer.body != NULL, row->verdict == API_DONE && row->operation != CALL_SHARE);
    api_answer_dispose(&answer);
}

static void a_body_is_understood_strictly(void **state)
{
    static const struct body rows[] = {
        {CALL_SHARE, 200, "{\"requestId\":\"r\"}", API_DONE, NULL, true},
        {CALL_SHARE, 200, "{\"requestId\":\"r\",\"error\":null}", API_DONE, NULL, true},
        {CALL_MEMBERS, 200, "{\"requestId\":\"r\",\"error\":null,\"result\":{}}", API_DONE, NULL,
         true},
        /* a question wants a result */
        {CALL_MEMBERS, 200, "{\"requestId\":\"r\"}", API_UNKNOWN, "service-answer", true},
        {CALL_MEMBERS, 200, "{}", API_UNKNOWN, "service-answer", false},
        {CALL_MEMBERS, 200, "{\"requestId\":\"r\",\"result\":[]}", API_UNKNOWN, "service-answer",
         true},
        /* an error in the oddest form is one */
        {CALL_SHARE, 200, "{\"requestId\":\"r\",\"error\":\"no\"}", API_REFUSED, "service-refused",
         true},
        {CALL_SHARE, 200, "{\"error\":{}}", API_REFUSED, "service-refused", true},
        {CALL_SHARE, 500, "{\"error\":{}}", API_UNKNOWN, "service-failed", true},
        {CALL_SHARE, 429, "{\"error\":{\"code\":429,\"message\":\"Quota exceeded\"}}", API_REFUSED,
         "image-limit", true},
        {CALL_MEMBERS, 200, "{\"result\":{},\"error\":{\"code\":403}}", API_REFUSED,
         "service-forbidden", true},
        /* what is no JSON, or none that can be trusted */
        {CALL_SHARE, 200, "", API_UNKNOWN, "service-answer", false},
        {CALL_SHARE, 204, "", API_UNKNOWN, "service-answer", false},
        {CALL_SHARE, 200, "<html>", API_UNKNOWN, "service-answer", false},
        {CALL_SHARE, 200, "[]", API_UNKNOWN, "service-answer", false},
        {CALL_SHARE, 200, "{\"requestId\":\"r\"} x", API_UNKNOWN, "service-answer", false},
        {CALL_SHARE, 200, "{\"requestId\":\"r\",\"requestId\":\"r\"}", API_UNKNOWN,
         "service-answer", false},
        {CALL_SHARE, 200, "{\"requestId\":\"\xff\"}", API_UNKNOWN, "service-answer", false},
        {CALL_MEMBERS, 200, "{\"result\":{\"pins\":[\"a\\u0000b\"]}}", API_UNKNOWN,
         "service-answer", false},
        /* who stands between */
        {CALL_SHARE, 302, "", API_REFUSED, "service-answer", false},
        {CALL_SHARE, 400, "<html>", API_REFUSED, "service-refused", false},
        {CALL_SHARE, 403, "<html>", API_REFUSED, "service-forbidden", false},
        {CALL_SHARE, 404, "<html>", API_REFUSED, "service-answer", false},
        {CALL_SHARE, 408, "<html>", API_UNKNOWN, "service-failed", false},
        {CALL_SHARE, 429, "<html>", API_RATE, "service-rate", false},
        {CALL_SHARE, 500, "<html>", API_UNKNOWN, "service-failed", false},
        {CALL_SHARE, 502, "<html>", API_UNKNOWN, "service-failed", false},
        {CALL_SHARE, 503, "<html>", API_UNKNOWN, "service-failed", false},
        {CALL_SHARE, 503, "{\"requestId\":\"r\"}", API_AGAIN, "service-failed", true},
        {CALL_SHARE, 504, "<html>", API_UNKNOWN, "service-failed", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_body(&rows[i]);
}

static void an_embedded_nul_is_no_end(void **state)
{
    static const char text[] = "{\"requestId\":\"r\"}\0{}";
    struct api_answer answer;

    (void)state;
    api_understand(CALL_SHARE, NULL, 200, text, sizeof(text) - 1, &answer);
    assert_int_equal(answer.verdict, API_UNKNOWN);
    api_answer_dispose(&answer);
}

static void an_answer_of_too_many_values_is_not_taken_apart(void **state)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8 << 20);
    struct api_answer answer;

    (void)state;
    buffer_puts(&text, "{\"requestId\":\"r\",\"result\":{\"x\":[");
    for (int i = 0; i < 1 << 18; i++)
        buffer_puts(&text, "[],");
    buffer_puts(&text, "[]]}}");
    assert_false(buffer_failed(&text));
    api_understand(CALL_IMAGE, NULL, 200, text.text, text.length, &answer);
    assert_refused(answer.result, "service-answer");
    api_answer_dispose(&answer);
    api_understand(CALL_MEMBERS, NULL, 200, text.text, text.length, &answer);
    assert_done(answer.result);
    api_answer_dispose(&answer);
    /* Nor one that is nested without an end. */
    buffer_clear(&text);
    for (int i = 0; i < 100000; i++)
        buffer_puts(&text, "[");
    api_understand(CALL_MEMBERS, NULL, 200, text.text, text.length, &answer);
    assert_refused(answer.result, "service-answer");
    api_answer_dispose(&answer);
}

static void what_is_printed_is_safe_and_bounded(void **state)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(8192);
    struct api_answer answer;

    (void)state;
    buffer_puts(&text, "{\"requestId\":\"\\u001b[2J");
    for (int i = 0; i < 200; i++)
        buffer_puts(&text, "京");
    buffer_puts(&text, "\",\"error\":{\"message\":\"\\u001b]0;");
    for (int i = 0; i < 300; i++)
        buffer_puts(&text, "京");
    buffer_puts(&text, "\"}}");
    api_understand(CALL_SHARE, NULL, 400, text.text, text.length, &answer);
    assert_int_equal(strncmp(answer.request_id, "\\x1b[2J京", 10), 0);
    assert_int_equal(strncmp(answer.message, "\\x1b]0;京", 10), 0);
    assert_in_range(strlen(answer.message), 250, sizeof(answer.message) - 1);
    assert_int_equal((strlen(answer.message) - 7) % 3, 0); /* no half a character */
    api_answer_dispose(&answer);
}

/* --- results --- */

static json_t *parse(const char *text)
{
    json_t *root = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(root);
    return root;
}

struct visited {
    struct listing listing;
    int stop_at;
};

static int visit_pin(const char *pin, void *context)
{
    struct visited *visited = context;

    listing_add_name(&visited->listing, 0, pin);
    return visited->listing.count == visited->stop_at ? -EINTR : 0;
}

static int visit_image(const json_t *record, void *context)
{
    const char *id = json_string_value(json_object_get(record, "imageId"));

    return visit_pin(id ? id : "?", context);
}

static void members_are_read_once_each_in_their_order(void **state)
{
    static const struct {
        const char *text, *code, *pins;
    } rows[] = {
        {"{\"pins\":[\"b\",\"a\",\"b\",\"a\",\"c\",\"b\"]}", NULL, "b a c"},
        {"{\"pins\":[]}", NULL, ""},
        {"{\"pins\":null,\"loginNames\":[\"x\"]}", NULL, ""},
        {"{}", NULL, ""},
        {"{\"pins\":{}}", "service-answer", ""},
        {"{\"pins\":\"a\"}", "service-answer", ""},
        {"{\"pins\":[\"a\",1]}", "service-answer", ""},
        {"{\"pins\":[\"a\",null]}", "service-answer", ""},
        {"[\"a\"]", "service-answer", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct visited visited = {.listing = LISTING_INIT};
        json_t *result = parse(rows[i].text);
        assert_result(api_read_members(result, visit_pin, &visited), rows[i].code, rows[i].text,
                      (int)i);
        assert_string_equal(buffer_text(&visited.listing.text), rows[i].pins);
        listing_dispose(&visited.listing);
        json_decref(result);
    }
    assert_refused(api_read_members(NULL, visit_pin, NULL), "service-answer");
}

static void a_visit_can_end_the_reading(void **state)
{
    struct visited visited = {.listing = LISTING_INIT, .stop_at = 2};
    json_t *result = parse("{\"pins\":[\"a\",\"b\",\"c\"],\"images\":[{},{},{}]}");
    int64_t total = 0;
    int64_t count = 0;

    (void)state;
    assert_int_equal(api_read_members(result, visit_pin, &visited), -EINTR);
    assert_int_equal(visited.listing.count, 2);
    visited.listing.count = 0;
    assert_int_equal(api_read_images(result, visit_image, &visited, &total, &count), -EINTR);
    assert_int_equal(visited.listing.count, 2);
    listing_dispose(&visited.listing);
    json_decref(result);
}

static void images_are_read_with_their_total(void **state)
{
    static const struct {
        const char *text, *code, *ids;
        int64_t total, count;
    } rows[] = {
        {"{\"images\":[{\"imageId\":\"i\"},{\"imageId\":\"j\"}],\"totalCount\":7}", NULL, "i j", 7,
         2},
        {"{\"images\":null,\"totalCount\":0}", NULL, "", 0, 0},
        {"{\"totalCount\":null}", NULL, "", -1, 0},
        {"{\"images\":[1]}", "service-answer", "", -1, 0},
        {"{\"images\":[{\"imageId\":\"i\"},[]]}", "service-answer", "", -1, 0},
        {"{\"images\":{}}", "service-answer", "", -1, 0},
        {"{\"images\":[],\"totalCount\":\"7\"}", "service-answer", "", 0, 0},
        {"{\"images\":[],\"totalCount\":-1}", "service-answer", "", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct visited visited = {.listing = LISTING_INIT};
        json_t *result = parse(rows[i].text);
        int64_t total = 5;
        int64_t count = 5;
        assert_result(api_read_images(result, visit_image, &visited, &total, &count), rows[i].code,
                      rows[i].text, (int)i);
        assert_string_equal(buffer_text(&visited.listing.text), rows[i].ids);
        assert_int_equal(total, rows[i].total);
        assert_int_equal(count, rows[i].count);
        listing_dispose(&visited.listing);
        json_decref(result);
    }
}

static void the_quota_is_that_of_shares(void **state)
{
    static const struct {
        const char *text, *code;
    } rows[] = {
        {"{\"quotas\":[{\"resourceType\":\"image\",\"limit\":5,\"used\":1},"
         "{\"resourceType\":\"imageShare\",\"limit\":20,\"used\":3}]}",
         NULL},
        {"{\"quotas\":[]}", "service-answer"},
        {"{}", "service-answer"},
        {"{\"quotas\":[{\"resourceType\":\"imageShare\",\"limit\":20}]}", "service-answer"},
        {"{\"quotas\":[{\"resourceType\":\"imageShare\",\"limit\":\"20\",\"used\":3}]}",
         "service-answer"},
        {"{\"quotas\":[{\"resourceType\":\"imageShare\",\"limit\":-1,\"used\":3}]}",
         "service-answer"},
        {"{\"quotas\":[1]}", "service-answer"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *result = parse(rows[i].text);
        int64_t limit = 0;
        int64_t used = 0;
        assert_result(api_read_quota(result, &limit, &used), rows[i].code, rows[i].text, (int)i);
        if (!rows[i].code) {
            assert_int_equal(limit, 20);
            assert_int_equal(used, 3);
        }
        json_decref(result);
    }
}

static void a_pin_and_an_image_are_read(void **state)
{
    json_t *result = parse("{\"pin\":\"me\",\"image\":{\"imageId\":\"i\"}}");
    json_t *other = parse("{\"pin\":\"\",\"image\":[]}");
    const json_t *record = NULL;
    const char *pin = NULL;

    (void)state;
    assert_done(api_read_pin(result, &pin));
    assert_string_equal(pin, "me");
    assert_done(api_read_image(result, &record));
    assert_true(json_is_object(record));
    assert_refused(api_read_pin(other, &pin), "service-answer");
    assert_refused(api_read_image(other, &record), "service-answer");
    assert_refused(api_read_pin(NULL, &pin), "service-answer");
    assert_refused(api_read_image(NULL, &record), "service-answer");
    json_decref(result);
    json_decref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_is_as_the_documents_have_it),
        cmocka_unit_test(ids_and_pins_are_whatever_text),
        cmocka_unit_test(a_pin_that_memory_has_no_room_for_is_not_called_wrong),
        cmocka_unit_test(an_address_that_no_gateway_takes_is_not_made),
        cmocka_unit_test(each_error_of_the_documents_has_its_meaning),
        cmocka_unit_test(an_unknown_name_that_looks_like_a_mobile_number_is_told_so),
        cmocka_unit_test(the_name_in_a_message_decides_nothing),
        cmocka_unit_test(a_body_is_understood_strictly),
        cmocka_unit_test(an_embedded_nul_is_no_end),
        cmocka_unit_test(an_answer_of_too_many_values_is_not_taken_apart),
        cmocka_unit_test(what_is_printed_is_safe_and_bounded),
        cmocka_unit_test(members_are_read_once_each_in_their_order),
        cmocka_unit_test(a_visit_can_end_the_reading),
        cmocka_unit_test(images_are_read_with_their_total),
        cmocka_unit_test(the_quota_is_that_of_shares),
        cmocka_unit_test(a_pin_and_an_image_are_read),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
