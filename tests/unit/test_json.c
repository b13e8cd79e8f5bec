/* JSON that is read from its text: what passes unseen by a decoder is what one would accept, and
 * members are found as a decoder would find them. */
#include "core/source/image_json.h"
#include "core/store/json_plain.h"
#include "core/store/json_text.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define RECORD                                                                                     \
    "{\"imageId\":\"img-1\",\"name\":\"web \xe5\xae\x89\",\"status\":\"ready\",\"sizeMB\":-12,"    \
    "\"offline\":false, \"dataDisks\" : [ {\"cloudDisk\":null} , true ],\"systemDisk\":{"          \
    "\"cloudDisk\":{\"diskSizeGB\":40,\"encrypt\":true,\"snapshotId\":\"\"}},\"tags\":[]}"

static void a_plain_form_needs_no_decoder(void **state)
{
    static const char *const plain[] = {
        RECORD,
        "{}",
        " [ ] ",
        "[[[[[[[[1]]]]]]]]",
        "\"a\"",
        "null",
        "0",
        "-0",
        "999999999999999999",
        "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}",
        "{\"\":\"\x7f\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        if (!json_is_plain(plain[i], strlen(plain[i])))
            fail_msg("%s", plain[i]);
}

static void what_is_rare_is_left_to_the_decoder(void **state)
{
    static const char *const rare[] = {
        "\"\\n\"", "1.5", "1e3", "9999999999999999999", "[[[[[[[[[1]]]]]]]]]", "{\"\\u0061\":1}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rare); i++)
        if (json_is_plain(rare[i], strlen(rare[i])))
            fail_msg("%s", rare[i]);
}

/* Whether a decoder takes LENGTH bytes of TEXT, as import's does. */
static bool decodes(const char *text, size_t length)
{
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

    json_decref(json);
    return json != NULL;
}

/* Bytes that make the most of a change. */
static const char telling[] = "{}[]\",:\\0197-.eEutfn \n\x01\x7f\x80\xc2\xe5\xed\xf4\xff";

/* Every byte of every text is left out, put in twice, and replaced by every telling one, and the
 * text is cut off there, too. */
static void what_is_taken_for_plain_a_decoder_accepts(void **state)
{
    static const char *const texts[] = {
        RECORD,
        "{\"a\":1,\"b\":2,\"ab\":[1,2],\"ba\":{\"a\":null}}",
        "[true,false,null,\"\xed\x9f\xbf\xf4\x8f\xbf\xbf\",-1,10]",
        "123456789012345678",
    };
    size_t plain = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t length = strlen(texts[i]);
        for (size_t at = 0; at < length; at++) {
            char text[1024];
            for (size_t with = 0; with < sizeof(telling) + 3; with++) {
                size_t now = length;
                memcpy(text, texts[i], length);
                if (with < sizeof(telling)) { /* the NUL among them */
                    text[at] = telling[with];
                } else if (with == sizeof(telling)) {
                    now = at;
                } else if (with == sizeof(telling) + 1) {
                    memmove(text + at, text + at + 1, length - at - 1);
                    now--;
                } else {
                    memmove(text + at + 1, text + at, length - at);
                    now++;
                }
                if (!json_is_plain(text, now))
                    continue;
                plain++;
                if (!decodes(text, now))
                    fail_msg("%.*s", (int)now, text);
            }
        }
    }
    assert_true(plain > 1000);
}

static void a_member_is_found_however_its_name_is_escaped(void **state)
{
    static const char text[] = "{ \"ab\" : 1,\"a\":\"x\\u00e9\",\"\\u0063\\u0064\":[2] , \"e\":{}}";
    struct json_item item;

    (void)state;
    assert_true(json_find(text, strlen(text), "a", &item));
    char *string = json_item_string(&item);
    assert_string_equal(string, "x\xc3\xa9");
    free(string);
    assert_true(json_find(text, strlen(text), "cd", &item));
    assert_memory_equal(item.value, "[2]", 3);
    assert_int_equal(item.value_length, 3);
    assert_ptr_equal(text + item.at, strstr(text, "\"\\u0063"));
    assert_true(json_find(text, strlen(text), "e", &item));
    assert_false(json_find(text, strlen(text), "b", &item));
    assert_null(item.value);
    assert_false(json_find("[\"a\",1]", 7, "a", &item));
    assert_true(json_find("{\"a\":1,\"\":2}", 12, "", &item));
}

/* What image_json_read() says of RECORD, "" where nothing is wrong. */
static const char *fault_of(const char *record)
{
    static struct image_json_fault fault;
    CLEANUP_IMAGE_JSON struct image_json image = {0};

    fault.why[0] = '\0';
    int result = image_json_read(record, strlen(record), &image, &fault);
    assert_int_equal(result, fault.why[0] ? -EINVAL : 0);
    return fault.why;
}

static void a_record_must_have_the_types_of_the_api(void **state)
{
    (void)state;
    assert_string_equal(fault_of(RECORD), "");
    assert_string_equal(fault_of("[]"), "an image must be an object");
    assert_string_equal(fault_of("{\"imageId\":null,\"status\":\"ready\"}"), "imageId is missing");
    assert_string_equal(fault_of("{\"imageId\":\"a\",\"status\":true}"), "status must be a string");
    assert_string_equal(fault_of("{\"imageId\":\"a\",\"status\":\"ready\",\"sizeMB\":1.0}"),
                        "sizeMB must be a whole number");
    assert_string_equal(fault_of("{\"imageId\":\"a\",\"status\":\"ready\",\"sizeMB\":2E3}"),
                        "sizeMB must be a whole number");
    assert_string_equal(fault_of("{\"imageId\":\"a\",\"status\":\"ready\",\"dataDisks\":{}}"),
                        "dataDisks must be an array");
    assert_string_equal(fault_of("{\"imageId\":\"a\",\"status\":\"ready\",\"systemDisk\":null}"),
                        "");
    assert_string_equal(fault_of("{\"image\\u0049d\":\"\\u0061\",\"status\":\"\\u0072eady\"}"), "");
}

static void snapshots_are_told_by_all_disks(void **state)
{
    static const struct {
        const char *disks;
        unsigned bits;
        const char *first;
    } rows[] = {
        {"", 0, ""},
        {",\"snapshotId\":\"\"", 0, ""},
        {",\"snapshotId\":\"s-1\"", IMAGE_HAS_SNAPSHOT, "s-1"},
        {",\"systemDisk\":{\"cloudDisk\":{\"encrypted\":true}}", 0, ""},
        {",\"systemDisk\":{\"cloudDisk\":{\"encrypted\":true}},\"snapshotId\":\"s-1\"",
         IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED, "s-1"},
        {",\"systemDisk\":{\"cloudDisk\":{\"encrypt\":true,\"snapshotId\":\"s-2\"}}",
         IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED, "s-2"},
        {",\"systemDisk\":{\"cloudDisk\":[]},\"dataDisks\":[1,{\"cloudDisk\":{}},"
         "{\"cloudDisk\":{\"snapshotId\":\"s\\u002d3\"}},{\"cloudDisk\":{\"snapshotId\":\"s-4\"}}]",
         IMAGE_HAS_SNAPSHOT, "s-3"},
        {",\"dataDisks\":[{\"cloudDisk\":{\"snapshotId\":\"s-5\",\"encrypted\":true}}]",
         IMAGE_HAS_SNAPSHOT | IMAGE_HAS_ENCRYPTED, "s-5"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_IMAGE_JSON struct image_json image = {0};
        CLEANUP_BUFFER struct buffer first = BUFFER_INIT(100);
        char record[512];
        int length = snprintf(record, sizeof(record), "{\"imageId\":\"img-1\"%s}", rows[i].disks);
        assert_int_equal(image_json_take(record, (size_t)length, &image), 0);
        image_json_snapshot(record, (size_t)length, &first);
        if (image.snapshots != rows[i].bits || strcmp(buffer_text(&first), rows[i].first) != 0)
            fail_msg("%s: %u, %s", record, image.snapshots, buffer_text(&first));
    }
}

static void a_service_may_leave_out_all_but_the_id(void **state)
{
    static const char odd[] = "{\"imageId\":\"img-1\",\"name\":7,\"status\":[],\"ownerPin\":{}}";
    static const char nameless[] = "{\"imageId\":7}";
    CLEANUP_IMAGE_JSON struct image_json image = {0};
    CLEANUP_IMAGE_JSON struct image_json none = {0};
    CLEANUP_IMAGE_JSON struct image_json no_object = {0};

    (void)state;
    assert_int_equal(image_json_take(odd, strlen(odd), &image), 0);
    assert_string_equal(image.id, "img-1");
    assert_string_equal(image.name, "");
    assert_null(image.owner);
    assert_int_equal(image.status, IMAGE_PENDING);
    assert_int_equal(image_json_take(nameless, strlen(nameless), &none), -EINVAL);
    assert_int_equal(image_json_take("[]", 2, &no_object), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_form_needs_no_decoder),
        cmocka_unit_test(what_is_rare_is_left_to_the_decoder),
        cmocka_unit_test(what_is_taken_for_plain_a_decoder_accepts),
        cmocka_unit_test(a_member_is_found_however_its_name_is_escaped),
        cmocka_unit_test(a_record_must_have_the_types_of_the_api),
        cmocka_unit_test(snapshots_are_told_by_all_disks),
        cmocka_unit_test(a_service_may_leave_out_all_but_the_id),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
