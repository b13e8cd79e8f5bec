/*
 * Signatures of requests: cases of this project, made by sign_cases.py, and those that were
 * published or recorded, where they are at hand.
 */
#include "core/cloud/sign.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <string.h>

struct sign_case {
    enum sign_algorithm algorithm;
    const char *name;
    const char *method, *path, *query, *payload;
    const char *header, *value; /* one more that is signed, or NULL */
    const char *region, *service, *secret;
    const char *expected;
};

#include "tests/unit/sign_cases.h"

static const struct sign_header usual[] = {
    {"Host", SIGN_CASE_HOST},
    {"Content-Type", SIGN_CASE_CONTENT_TYPE},
    {"x-jdcloud-date", SIGN_CASE_DATE},
    {"x-jdcloud-nonce", SIGN_CASE_NONCE},
};

#define USUAL COUNT_OF(usual)

static const struct sign_request simple = {
    .algorithm = SIGN_JDCLOUD3,
    .method = "GET",
    .path = "/",
    .query = "",
    .headers = usual,
    .header_count = USUAL,
    .date = SIGN_CASE_DATE,
    .region = "r",
    .service = "s",
    .access_key = "AK",
    .secret_key = "SK",
};

static void each_case_has_its_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sign_cases); i++) {
        CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);
        const struct sign_case *wanted = &sign_cases[i];
        struct sign_header headers[USUAL + 1];
        struct sign_request request = simple;

        memcpy(headers, usual, sizeof(usual));
        headers[USUAL] = (struct sign_header){wanted->header, wanted->value};
        request.algorithm = wanted->algorithm;
        request.method = wanted->method;
        request.path = wanted->path;
        request.query = wanted->query;
        request.payload = *wanted->payload ? wanted->payload : NULL;
        request.payload_length = strlen(wanted->payload);
        request.headers = headers;
        request.header_count = USUAL + (wanted->header ? 1 : 0);
        request.region = wanted->region;
        request.service = wanted->service;
        request.secret_key = wanted->secret;
        assert_done(sign_authorization(&request, &out));
        if (strcmp(buffer_text(&out), wanted->expected) != 0)
            fail_msg("%s:\n%s\ninstead of\n%s", wanted->name, buffer_text(&out), wanted->expected);
    }
}

static void a_canonical_request_can_be_read(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);
    const struct sign_header headers[] = {
        {"x-b", "second"}, {"HOST", "h:1"}, {"X-B", " third "}, {"x-a", "first"}};
    struct sign_request request = simple;

    (void)state;
    request.path = "/v1/images/img-1:share";
    request.query = "b=%2f&a=";
    request.payload = "{}";
    request.payload_length = 2;
    request.headers = headers;
    request.header_count = COUNT_OF(headers);
    sign_canonical(&request, &out);
    assert_false(buffer_failed(&out));
    assert_string_equal(buffer_text(&out),
                        "GET\n/v1/images/img-1%3Ashare\na=&b=%2F\nhost:h:1\nx-a:first\n"
                        "x-b:second,third\n\nhost;x-a;x-b\n"
                        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

static void a_hash_that_is_signed_stands_for_the_payload(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);
    const struct sign_header headers[] = {{"X-Jdcloud-Content-Sha256", "UNSIGNED"}};
    struct sign_request request = simple;

    (void)state;
    request.headers = headers;
    request.header_count = 1;
    sign_canonical(&request, &out);
    assert_holds(buffer_text(&out), "\nx-jdcloud-content-sha256\nUNSIGNED");
}

static void a_date_of_another_form_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "20261124",
                                      "20261124T020300",
                                      "20261124T020300ZZ",
                                      "2026-11-24T02:03:00Z",
                                      "20261124t020300Z",
                                      "2026112aT020300Z"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);
        struct sign_request request = simple;
        request.date = bad[i];
        assert_int_equal(sign_authorization(&request, &out), -EINVAL);
        assert_string_equal(buffer_text(&out), "");
    }
}

static void a_secret_key_is_bounded(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);
    struct sign_request request = simple;
    char secret[SIGN_SECRET_MAX + 2];

    (void)state;
    memset(secret, 'k', sizeof(secret));
    secret[SIGN_SECRET_MAX + 1] = '\0';
    request.secret_key = secret;
    assert_int_equal(sign_authorization(&request, &out), -EINVAL);
    secret[SIGN_SECRET_MAX] = '\0';
    assert_done(sign_authorization(&request, &out));
}

static void what_does_not_fit_is_an_error(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(100);

    (void)state;
    assert_int_equal(sign_authorization(&simple, &out), -ENOMEM);
}

/* --- what was published, and recorded --- */

static const char *text_of(const json_t *entry, const char *name)
{
    const char *text = json_string_value(json_object_get(entry, name));

    return text ? text : "";
}

/* One of NAMES, which are separated by semicolons. */
static bool is_named(const char *names, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = strcasestr(names, name); at; at = strcasestr(at + 1, name))
        if ((at == names || at[-1] == ';') && (at[length] == ';' || at[length] == '\0'))
            return true;
    return false;
}

struct headers {
    struct sign_header list[32];
    size_t count;
};

static void add_header(struct headers *headers, const char *name, const char *value)
{
    assert_true(headers->count < COUNT_OF(headers->list));
    headers->list[headers->count++] = (struct sign_header){name, value};
}

/* Those of ENTRY that are signed; *DATE is that of x-jdcloud-date. */
static void read_headers(json_t *entry, struct headers *headers, const char **date)
{
    const char *signed_names = text_of(entry, "signed_headers");
    const char *host = text_of(entry, "host");
    const char *name = NULL;
    json_t *value = NULL;

    if (strncmp(host, "http://", 7) == 0)
        host += 7;
    if (is_named(signed_names, "host"))
        add_header(headers, "host", host);
    json_object_foreach (json_object_get(entry, "headers"), name, value) {
        if (strcasecmp(name, "x-jdcloud-date") == 0)
            *date = json_string_value(value);
        if (strcasecmp(name, "host") == 0 || !is_named(signed_names, name))
            continue;
        for (size_t i = 0; i < json_array_size(value); i++)
            add_header(headers, name, json_string_value(json_array_get(value, i)));
        if (json_is_string(value))
            add_header(headers, name, json_string_value(value));
    }
}

static void read_query(json_t *entry, struct buffer *out)
{
    const char *name = NULL;
    json_t *value = NULL;

    buffer_puts(out, text_of(entry, "query"));
    json_object_foreach (json_object_get(entry, "query"), name, value) {
        buffer_puts(out, out->length > 0 ? "&" : "");
        sign_encode(out, name, strlen(name), "");
        buffer_puts(out, "=");
        sign_encode(out, json_string_value(value), strlen(json_string_value(value)), "");
    }
}

static void check_entry(json_t *entry)
{
    CLEANUP_BUFFER struct buffer query = BUFFER_INIT(1 << 16);
    CLEANUP_BUFFER struct buffer canonical = BUFFER_INIT(1 << 16);
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);
    struct headers headers = {.count = 0};
    const char *date = "";

    read_headers(entry, &headers, &date);
    read_query(entry, &query);
    const struct sign_request request = {
        .algorithm = text_of(entry, "algorithm")[7] == '2' ? SIGN_JDCLOUD2 : SIGN_JDCLOUD3,
        .method = text_of(entry, "method"),
        .path = text_of(entry, "path"),
        .query = buffer_text(&query),
        .payload = text_of(entry, "body"),
        .payload_length = strlen(text_of(entry, "body")),
        .headers = headers.list,
        .header_count = headers.count,
        .date = date,
        .region = text_of(entry, "region"),
        .service = text_of(entry, "service"),
        .access_key = text_of(entry, "access_key"),
        .secret_key = text_of(entry, "secret_key"),
    };
    sign_canonical(&request, &canonical);
    assert_done(sign_authorization(&request, &out));
    if (strcmp(buffer_text(&canonical), text_of(entry, "canonical_request")) != 0)
        fail_msg("%s:\n%s\ninstead of\n%s", text_of(entry, "name"), buffer_text(&canonical),
                 text_of(entry, "canonical_request"));
    if (strcmp(buffer_text(&out), text_of(entry, "expected_authorization")) != 0)
        fail_msg("%s: another signature", text_of(entry, "name"));
}

/* Checks the entries of FILE that have been verified; skips the test where it is not at hand. */
static void check_file(const char *file)
{
    const char *folder = getenv("IMGSHAREFS_REFERENCE");
    const char *source = getenv("IMGSHAREFS_SOURCE");
    char path[PATH_MAX];
    json_t *entry = NULL;
    size_t i = 0;
    int checked = 0;

    if (folder)
        (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    else
        (void)snprintf(path, sizeof(path), "%s/../shared/reference/%s", source ? source : ".",
                       file);
    if (!folder && access(path, R_OK) < 0) {
        print_message("set IMGSHAREFS_REFERENCE to the folder of %s\n", file);
        skip();
    }
    json_t *entries = json_load_file(path, 0, NULL);
    if (!entries)
        fail_msg("%s cannot be read", path);
    json_array_foreach (entries, i, entry) {
        if (json_is_true(json_object_get(entry, "verified"))) {
            check_entry(entry);
            checked++;
        }
    }
    json_decref(entries);
    assert_true(checked > 0);
    print_message("%d signatures of %s\n", checked, file);
}

static void published_signatures_are_ours(void **state)
{
    (void)state;
    check_file("signature-vectors.json");
}

static void recorded_signatures_are_ours(void **state)
{
    (void)state;
    check_file("signature-vectors-recorded.json");
}

/* --- what signing leaves behind --- */

#define STACK_SIZE (512UL << 10)
#define KEY_SIZE 32
#define LONG_SECRET "0123456789ABCDEF0123456789abcdef"

static void *sign_simple(void *context)
{
    struct buffer *out = context;
    struct sign_request request = simple;

    request.secret_key = LONG_SECRET;
    return sign_authorization(&request, out) == 0 ? context : NULL;
}

/* The key that is made of KEY for WORD. */
static void derive(const void *key, size_t length, const char *word, unsigned char out[KEY_SIZE])
{
    unsigned int size = 0;

    assert_non_null(HMAC(EVP_sha256(), key, (int)length, (const unsigned char *)word, strlen(word),
                         out, &size));
    assert_int_equal(size, KEY_SIZE);
}

/* Looks at the stack of a thread that has signed. */
static void neither_the_secret_key_nor_one_made_of_it_stays_on_the_stack(void **state)
{
    static char stack[STACK_SIZE] __attribute__((aligned(4096)));
    static const char *const words[] = {"20261124", "r", "s", "jdcloud3_request"};
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);
    unsigned char key[KEY_SIZE];
    pthread_attr_t attributes;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK_SIZE), 0);
    assert_int_equal(pthread_create(&thread, &attributes, sign_simple, &out), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(out.length > 0);
    /* Something is left: this is where it was. */
    assert_non_null(memmem(stack, STACK_SIZE, "jdcloud3_request", 16));
    assert_null(memmem(stack, STACK_SIZE, LONG_SECRET, strlen(LONG_SECRET)));
    derive("JDCLOUD3" LONG_SECRET, strlen("JDCLOUD3" LONG_SECRET), words[0], key);
    assert_null(memmem(stack, STACK_SIZE, key, KEY_SIZE));
    for (size_t i = 1; i < COUNT_OF(words); i++) {
        derive(key, KEY_SIZE, words[i], key);
        assert_null(memmem(stack, STACK_SIZE, key, KEY_SIZE));
    }
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_has_its_signature),
        cmocka_unit_test(a_canonical_request_can_be_read),
        cmocka_unit_test(a_hash_that_is_signed_stands_for_the_payload),
        cmocka_unit_test(a_date_of_another_form_is_refused),
        cmocka_unit_test(a_secret_key_is_bounded),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(published_signatures_are_ours),
        cmocka_unit_test(recorded_signatures_are_ours),
        cmocka_unit_test(neither_the_secret_key_nor_one_made_of_it_stays_on_the_stack),
    };

    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
