/* Text from outside: what passes as UTF-8 and as a file name, and how it is made safe to show. */
#include "core/base/text.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

static void well_formed_utf8_is_told_from_look_alikes(void **state)
{
    static const struct {
        const char *bytes;
        bool good;
        const char *what;
    } rows[] = {
        {"", true, "nothing"},
        {"alice", true, "ASCII"},
        {"\x7f", true, "DEL, a character like others"},
        {"\xc2\x80", true, "U+0080, the first of two bytes"},
        {"\xdf\xbf", true, "U+07FF, the last of two bytes"},
        {"\xe0\xa0\x80", true, "U+0800, the first of three bytes"},
        {"\xed\x9f\xbf", true, "U+D7FF, the last before the surrogates"},
        {"\xee\x80\x80", true, "U+E000, the first after the surrogates"},
        {"\xef\xbf\xbf", true, "U+FFFF, the last of three bytes"},
        {"\xf0\x90\x80\x80", true, "U+10000, the first of four bytes"},
        {"\xf4\x8f\xbf\xbf", true, "U+10FFFF, the last of all"},
        {"\xe6\x95\xb0\xe6\x8d\xae", true, "Chinese"},
        {"\x80", false, "a continuation byte alone"},
        {"\xbf", false, "a continuation byte alone"},
        {"\xc0\xaf", false, "a slash in two bytes"},
        {"\xc1\xbf", false, "ASCII in two bytes"},
        {"\xc2", false, "two bytes, one missing"},
        {"\xc2\x41", false, "two bytes, the second not a continuation"},
        {"\xe0\x80\xaf", false, "a slash in three bytes"},
        {"\xe0\x9f\xbf", false, "two bytes' worth in three"},
        {"\xe6\x95", false, "three bytes, one missing"},
        {"\xe6\x95\x28", false, "three bytes, the third not a continuation"},
        {"\xed\xa0\x80", false, "U+D800, the first surrogate"},
        {"\xed\xbf\xbf", false, "U+DFFF, the last surrogate"},
        {"\xf0\x80\x80\xaf", false, "a slash in four bytes"},
        {"\xf0\x8f\xbf\xbf", false, "three bytes' worth in four"},
        {"\xf4\x90\x80\x80", false, "U+110000, above all characters"},
        {"\xf5\x80\x80\x80", false, "a byte that begins no character"},
        {"\xf8\x88\x80\x80\x80", false, "five bytes"},
        {"\xff", false, "a byte that is in no character"},
        {"abc\xff", false, "a bad byte after good ones"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (text_is_utf8(rows[i].bytes, strlen(rows[i].bytes)) != rows[i].good)
            fail_msg("%s", rows[i].what);
}

static void a_nul_is_no_text(void **state)
{
    (void)state;
    assert_false(text_is_utf8("a\0b", 3));
    assert_true(text_is_utf8("a\0b", 1));
}

static void a_file_name_is_what_a_directory_can_hold(void **state)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        {"alice", true},
        {"a b", true},
        {"...", true},
        {".hidden", true},
        {"\xe5\xbc\xa0\xe4\xb8\x89", true},
        {"", false},
        {".", false},
        {"..", false},
        {"a/b", false},
        {"/", false},
        {"bad\xff", false},
        {"\x1b[2J", false},
        {"a\nb", false},
        {"a\x7f", false},
        {"a\xc2\x9b", false},
        {"a\xe2\x80\xae", false},
        {"a\xe2\x80\x8d", true},
    };
    char longest[TEXT_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (text_is_file_name(rows[i].name) != rows[i].good)
            fail_msg("\"%s\"", rows[i].name);

    memset(longest, 'x', sizeof(longest));
    longest[TEXT_NAME_MAX + 1] = '\0';
    assert_false(text_is_file_name(longest));
    longest[TEXT_NAME_MAX] = '\0';
    assert_true(text_is_file_name(longest));
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        {"alice", "alice"},
        {"\xe5\xbc\xa0\xe4\xb8\x89 \xc3\xa9", "\xe5\xbc\xa0\xe4\xb8\x89 \xc3\xa9"},
        {"a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b\x32J", "\\xc2\\x9b2J"}, /* CSI in one character of C1 */
        {"\xc2\xa0", "\xc2\xa0"},
        {"\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7", "\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7"},
        {"\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf", "\\xe2\\x80\\xa8\\xe2\\x80\\xae\xe2\x80\xaf"},
        {"\xe2\x80\x8e\xe2\x80\x8f", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f"},
        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9", "\xe2\x81\xa5\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},
        {"\xd8\x9c\xd8\x9d", "\\xd8\\x9c\xd8\x9d"},
        {"bad \xff\xfe", "bad \\xff\\xfe"},
        {"cut \xe6\x95", "cut \\xe6\\x95"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_BUFFER struct buffer out = BUFFER_INIT(256);
        text_escape(&out, rows[i].text);
        assert_false(buffer_failed(&out));
        assert_string_equal(buffer_text(&out), rows[i].shown);
    }
}

static void json_is_escaped_in_its_own_way(void **state)
{
    static const struct {
        const char *json;
        const char *shown;
    } rows[] = {
        {"{\"name\":\"\xe5\xbc\xa0 \\u001b\"}", "{\"name\":\"\xe5\xbc\xa0 \\u001b\"}"},
        {"[\"\x7f\",\n\t\"\xc2\x9b\"]", "[\"\\u007f\",\n\t\"\\u009b\"]"},
        {"\"a\xe2\x80\xae\xd8\x9c\xe2\x81\xa9\"", "\"a\\u202e\\u061c\\u2069\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_BUFFER struct buffer out = BUFFER_INIT(256);
        text_escape_json(&out, rows[i].json);
        assert_string_equal(buffer_text(&out), rows[i].shown);
    }
}

static void the_start_of_a_long_text_is_cut_between_characters(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(256);

    (void)state;
    text_escape_start(&out,
                      "\x1b"
                      "ab",
                      3);
    buffer_puts(&out, "|");
    text_escape_start(&out, "a\xe5\xbc\xa0", 3);
    buffer_puts(&out, "|");
    text_escape_start(&out, "a\xff\xff\xff", 2);
    assert_string_equal(buffer_text(&out), "\\x1bab|a... (4 bytes)|a\\xff... (4 bytes)");
}

static void muted_text_keeps_its_length(void **state)
{
    char text[] = "a\x1b[2J \xc2\x9b \xe5\xbc\xa0 \xff \xe5\n";

    (void)state;
    text_mute(text, strlen(text));
    assert_string_equal(text, "a?[2J ?? \xe5\xbc\xa0 ? ?\n");
}

static void logfmt_quotes_what_would_split_or_end_a_value(void **state)
{
    static const struct {
        const char *value;
        const char *line;
    } rows[] = {
        {"alice", " pin=alice"},
        {"", " pin=\"\""},
        {"two words", " pin=\"two words\""},
        {"a=b", " pin=\"a=b\""},
        {"say \"hi\"", " pin=\"say \\\"hi\\\"\""},
        {"back\\slash", " pin=\"back\\\\slash\""},
        {"\"", " pin=\"\\\"\""},
        {"line\nbreak", " pin=\"line\\x0abreak\""},
        {"\x1b[0m", " pin=\\x1b[0m"},
        {"\\x1b", " pin=\"\\\\x1b\""}, /* these four characters, and no escape */
        {"\xe5\xbc\xa0", " pin=\xe5\xbc\xa0"},
        {"x\" uid=0", " pin=\"x\\\" uid=0\""}, /* a name cannot add a field */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_BUFFER struct buffer out = BUFFER_INIT(256);
        text_logfmt(&out, "pin", rows[i].value);
        assert_string_equal(buffer_text(&out), rows[i].line);
    }
}

static void times_are_shown_in_utc_with_the_digits_asked_for(void **state)
{
    static const struct {
        int64_t ns;
        int digits;
        const char *text;
    } rows[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {1795507200123456789, 0, "2026-11-24T08:00:00Z"},
        {1795507200123456789, 6, "2026-11-24T08:00:00.123456Z"},
        {1795507200123456789, 9, "2026-11-24T08:00:00.123456789Z"},
        {1795507200000000001, 9, "2026-11-24T08:00:00.000000001Z"},
        {1709164800000000000, 0, "2024-02-29T00:00:00Z"},
        {-1, 9, "1969-12-31T23:59:59.999999999Z"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[TEXT_TIME_SIZE];
        text_time(rows[i].ns, rows[i].digits, out);
        assert_string_equal(out, rows[i].text);
    }
}

static void a_time_that_was_written_is_read_back_the_same(void **state)
{
    static const int64_t times[] = {0, 1, -1, 999999999, 1795507200123456789, 4102444800000000000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        char text[TEXT_TIME_SIZE];
        int64_t back = 42;
        text_time(times[i], 9, text);
        assert_done(text_time_parse(text, &back));
        assert_true(back == times[i]);
    }
}

static void a_time_may_have_any_number_of_digits_up_to_nine(void **state)
{
    int64_t ns = 0;

    (void)state;
    assert_done(text_time_parse("1970-01-01T00:00:01Z", &ns));
    assert_int_equal(ns, 1000000000);
    assert_done(text_time_parse("1970-01-01T00:00:01.5Z", &ns));
    assert_int_equal(ns, 1500000000);
    assert_done(text_time_parse("1970-01-01T00:00:01.000000007Z", &ns));
    assert_int_equal(ns, 1000000007);
}

static void what_is_no_time_is_not_guessed_at(void **state)
{
    static const char *const bad[] = {
        "",
        "yesterday",
        "2026-11-24",
        "2026-11-24T08:00:00",
        "2026-11-24T08:00:00+08:00",
        "2026-11-24T08:00:00.1234567890Z",
        "2026-13-01T00:00:00Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24T08:00:00Z and more",
        "2026-02-31T08:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-6-01T08:00:00Z",
        " 2026-06-01T08:00:00Z",
        "2026-06-01T08:00: 1Z",
        "3026-06-01T08:00:00Z",
    };
    int64_t ns = 42;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (text_time_parse(bad[i], &ns) != -EINVAL)
            fail_msg("\"%s\" was read", bad[i]);
    assert_int_equal(ns, 42);
}

static void the_clock_shows_this_century(void **state)
{
    (void)state;
    assert_true(text_now() > 1700000000LL * 1000000000LL);
    assert_true(text_now() < 4102444800LL * 1000000000LL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_utf8_is_told_from_look_alikes),
        cmocka_unit_test(a_nul_is_no_text),
        cmocka_unit_test(a_file_name_is_what_a_directory_can_hold),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(json_is_escaped_in_its_own_way),
        cmocka_unit_test(the_start_of_a_long_text_is_cut_between_characters),
        cmocka_unit_test(muted_text_keeps_its_length),
        cmocka_unit_test(logfmt_quotes_what_would_split_or_end_a_value),
        cmocka_unit_test(times_are_shown_in_utc_with_the_digits_asked_for),
        cmocka_unit_test(a_time_that_was_written_is_read_back_the_same),
        cmocka_unit_test(a_time_may_have_any_number_of_digits_up_to_nine),
        cmocka_unit_test(what_is_no_time_is_not_guessed_at),
        cmocka_unit_test(the_clock_shows_this_century),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
