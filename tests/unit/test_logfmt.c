/* Reading back the lines of the event log. */
#include "core/base/logfmt.h"

#include "core/base/text.h"
#include "core/catalog/event.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

static void assert_value(const char *line, const char *key, int result, const char *value)
{
    CLEANUP_BUFFER struct buffer found = BUFFER_INIT(4096);

    assert_int_equal(logfmt_value(line, key, &found), result);
    if (result == 0)
        assert_string_equal(buffer_text(&found), value);
}

static void values_are_found_by_their_keys(void **state)
{
    const char *line = "time=2026-11-24T04:31:37.158749Z action=share pin=\"a b\" uid=0\n";

    (void)state;
    assert_value(line, "time", 0, "2026-11-24T04:31:37.158749Z");
    assert_value(line, "action", 0, "share");
    assert_value(line, "pin", 0, "a b");
    assert_value(line, "uid", 0, "0");
    assert_value(line, "pi", -ENOENT, NULL);
    assert_value(line, "share", -ENOENT, NULL);
    assert_value("", "pin", -ENOENT, NULL);
}

static void a_key_inside_a_value_is_no_key(void **state)
{
    (void)state;
    assert_value("message=\"x pin=bob\" pin=alice\n", "pin", 0, "alice");
    assert_value("message=\"x\\\" pin=bob\" image=i\n", "pin", -ENOENT, NULL);
}

static void what_was_written_is_read_back_the_same(void **state)
{
    static const char *const values[] = {
        "alice", "",        "a b",      "a\"b",     "a\\b",          "\\x41",
        "a=b",   "a\nb\tc", "\x01\x7f", "\xff\xfe", "\xe2\x80\xae-", "数据",
        "\\",    "\"",      "=",        "a\\\"=\n", "\xc2\x85",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        CLEANUP_BUFFER struct buffer line = BUFFER_INIT(4096);
        buffer_puts(&line, "action=share");
        text_logfmt(&line, "pin", values[i]);
        text_logfmt(&line, "after", values[i]);
        buffer_puts(&line, " uid=0\n");
        assert_value(buffer_text(&line), "pin", 0, values[i]);
        assert_value(buffer_text(&line), "after", 0, values[i]);
        assert_value(buffer_text(&line), "uid", 0, "0");
    }
}

static void an_event_is_read_back(void **state)
{
    const struct caller caller = {.uid = 1000, .process = 4242, .executable = "/opt/my tools/rm"};
    const struct event event = {
        .at_ns = 1764000000123456000,
        .action = "cancel",
        .image = "img-1",
        .key = "pin",
        .name = "o'brien \"x\"",
        .result = -EPERM,
        .detail = "no: pin=other",
        .caller = &caller,
    };
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(4096);

    (void)state;
    event_format(&line, &event);
    assert_value(buffer_text(&line), "action", 0, "cancel");
    assert_value(buffer_text(&line), "pin", 0, "o'brien \"x\"");
    assert_value(buffer_text(&line), "message", 0, "no: pin=other");
    assert_value(buffer_text(&line), "pid", 0, "4242");
    assert_value(buffer_text(&line), "exe", 0, "/opt/my tools/rm");
}

static void what_is_no_logfmt_is_not_guessed_at(void **state)
{
    static const char *const bad[] = {
        "pin",         "pin alice",        "=alice",        "pin=\"alice",   "pin=\"alice\"x",
        "pin=al\"ice", "pin=a=b",          "pin=a\\b",      "pin=\"a\\b\"",  "pin=a\\x4",
        "pin=a\\x4g",  "pin=alice  uid=0", "\"pin\"=alice", "pin=alice uid", "pin=a\\x00b",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CLEANUP_BUFFER struct buffer found = BUFFER_INIT(4096);
        if (logfmt_value(bad[i], "pin", &found) != -EINVAL)
            fail_msg("\"%s\" was read", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_their_keys),
        cmocka_unit_test(a_key_inside_a_value_is_no_key),
        cmocka_unit_test(what_was_written_is_read_back_the_same),
        cmocka_unit_test(an_event_is_read_back),
        cmocka_unit_test(what_is_no_logfmt_is_not_guessed_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
