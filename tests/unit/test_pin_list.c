/* Lists of pins in a file, as -o allow= and trust= take them. */
#include "core/rules/pin_list.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Reads TEXT as a list that must be good. */
static struct pin_list *good_list(void **state, const char *text)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct pin_list *list = NULL;

    if (pin_list_read(registry_file(*state, "list", text), &error, &list) < 0)
        fail_msg("%s", buffer_text(&error));
    assert_string_equal(buffer_text(&error), "");
    return list;
}

/* Reads TEXT, which must be refused for its line LINE. */
static void bad_list(void **state, const char *text, int line)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct pin_list *list = NULL;
    const char *path = registry_file(*state, "list", text);
    char place[PATH_MAX + 16];

    assert_refused(pin_list_read(path, &error, &list), "EINVAL");
    assert_null(list);
    (void)snprintf(place, sizeof(place), "%s:%d: not a pin: \"", path, line);
    assert_holds(buffer_text(&error), place);
}

static void one_pin_a_line(void **state)
{
    struct pin_list *list = good_list(state, "bob\nalice\ncarol\n");

    assert_int_equal(pin_list_count(list), 3);
    assert_true(pin_list_has(list, "alice"));
    assert_true(pin_list_has(list, "bob"));
    assert_true(pin_list_has(list, "carol"));
    assert_false(pin_list_has(list, "dave"));
    pin_list_free(list);
}

static void pins_are_compared_byte_by_byte(void **state)
{
    struct pin_list *list = good_list(state, "Alice\nbob\n");

    assert_true(pin_list_has(list, "Alice"));
    assert_false(pin_list_has(list, "alice"));
    assert_false(pin_list_has(list, "bo"));
    assert_false(pin_list_has(list, "bobb"));
    assert_false(pin_list_has(list, ""));
    pin_list_free(list);
}

/* What getline() is made of: so many lines have room in memory. */
static int lines_with_room = INT_MAX;

ssize_t __getdelim(char **line, size_t *size, int end, FILE *file);

ssize_t __getdelim(char **line, size_t *size, int end, FILE *file)
{
    if (lines_with_room-- > 0)
        return getdelim(line, size, end, file);
    errno = ENOMEM;
    return -1;
}

static void a_line_that_memory_has_no_room_for_is_no_end(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct pin_list *list = NULL;
    const char *path = registry_file(*state, "list", "bob\nalice\ncarol\n");

    lines_with_room = 1;
    int result = pin_list_read(path, &error, &list);
    lines_with_room = INT_MAX;
    assert_int_equal(result, -ENOMEM);
    assert_null(list);
    assert_holds(buffer_text(&error), path);
}

static void comments_and_empty_lines_are_passed_over(void **state)
{
    struct pin_list *list = good_list(state, "# partners\n"
                                             "\n"
                                             "   \t \n"
                                             "  # indented\n"
                                             "alice # the first\n"
                                             "bob#1\n"
                                             "\t carol  \n");

    assert_int_equal(pin_list_count(list), 3);
    assert_true(pin_list_has(list, "alice"));
    assert_true(pin_list_has(list, "bob#1")); /* not after white space: part of the pin */
    assert_true(pin_list_has(list, "carol"));
    pin_list_free(list);
}

static void text_after_a_tab_is_a_label_for_people(void **state)
{
    struct pin_list *list = good_list(state, "jd_4f2a\tAlice of the lab, until June\n"
                                             "two words\tlabel # and more\n");

    assert_int_equal(pin_list_count(list), 2);
    assert_true(pin_list_has(list, "jd_4f2a"));
    assert_true(pin_list_has(list, "two words"));
    pin_list_free(list);
}

static void files_of_other_systems_are_read_too(void **state)
{
    /* A byte order mark, CRLF, and no newline at the end. */
    struct pin_list *list = good_list(state, "\xef\xbb\xbf"
                                             "alice\r\n"
                                             "\r\n"
                                             "# comment\r\n"
                                             "bob\tlabel\r\n"
                                             "carol \r\n"
                                             "\xe5\xbc\xa0\xe4\xb8\x89");

    assert_int_equal(pin_list_count(list), 4);
    assert_true(pin_list_has(list, "alice"));
    assert_true(pin_list_has(list, "bob"));
    assert_true(pin_list_has(list, "carol"));
    assert_true(pin_list_has(list, "\xe5\xbc\xa0\xe4\xb8\x89"));
    pin_list_free(list);
}

static void a_pin_that_is_there_twice_does_no_harm(void **state)
{
    struct pin_list *list = good_list(state, "alice\nbob\nalice\n");

    assert_true(pin_list_has(list, "alice"));
    assert_true(pin_list_has(list, "bob"));
    assert_false(pin_list_has(list, "carol"));
    pin_list_free(list);
}

static void an_empty_list_has_nobody(void **state)
{
    struct pin_list *list = good_list(state, "# nobody yet\n");

    assert_int_equal(pin_list_count(list), 0);
    assert_false(pin_list_has(list, "alice"));
    assert_false(pin_list_has(list, ""));
    pin_list_free(list);
}

static void names_that_sharing_would_refuse_can_be_listed(void **state)
{
    struct pin_list *list = good_list(state, "alice.tmp\n.hidden\n$pecial\n");

    assert_int_equal(pin_list_count(list), 3);
    assert_true(pin_list_has(list, "$pecial"));
    pin_list_free(list);
}

static void a_long_list_finds_each_of_its_pins(void **state)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1 << 20);
    char pin[16];

    for (int i = 0; i < 5000; i++)
        buffer_printf(&text, "user%d\n", (i * 7919) % 5000);
    struct pin_list *list = good_list(state, buffer_text(&text));
    assert_int_equal(pin_list_count(list), 5000);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(pin, sizeof(pin), "user%d", i);
        assert_true(pin_list_has(list, pin));
    }
    assert_false(pin_list_has(list, "user5000"));
    pin_list_free(list);
}

static void a_bad_line_is_named_and_nothing_is_taken(void **state)
{
    char name[TEXT_NAME_MAX + 32] = "alice\n";

    bad_list(state, "a/b\n", 1);
    bad_list(state, "alice\n# two\n\nbad\xff\n", 4);
    bad_list(state, "alice\r\n..\r\n", 2);
    bad_list(state, ".\n", 1);
    memset(name + 6, 'x', TEXT_NAME_MAX + 1);
    bad_list(state, name, 2);
    name[6 + TEXT_NAME_MAX] = '\0';
    pin_list_free(good_list(state, name));
}

static void a_bad_line_is_shown_without_its_escapes(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct pin_list *list = NULL;
    const char *path = registry_file(*state, "list", "evil/\x1b[2J\n");

    assert_refused(pin_list_read(path, &error, &list), "EINVAL");
    assert_holds(buffer_text(&error), "not a pin: \"evil/\\x1b[2J\"");
    assert_lacks(buffer_text(&error), "\x1b");
}

static void a_nul_in_a_line_is_no_end_of_it(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct pin_list *list = NULL;
    const char *path = registry_file(*state, "list", "");
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite("alice\0bob\n", 1, 10, file), 10);
    assert_int_equal(fclose(file), 0);
    assert_refused(pin_list_read(path, &error, &list), "EINVAL");
    assert_holds(buffer_text(&error), ":1: not a pin");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    struct pin_list *list = NULL;

    assert_refused(pin_list_read("/nonexistent/list", &error, &list), "ENOENT");
    assert_string_equal(buffer_text(&error), "/nonexistent/list: No such file or directory");
    buffer_clear(&error);
    assert_int_not_equal(pin_list_read(registry->directory, &error, &list), 0);
    assert_holds(buffer_text(&error), registry->directory);
    assert_holds(buffer_text(&error), "Is a directory");
    assert_null(list);
}

#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIST_TEST(one_pin_a_line),
        LIST_TEST(pins_are_compared_byte_by_byte),
        LIST_TEST(a_line_that_memory_has_no_room_for_is_no_end),
        LIST_TEST(comments_and_empty_lines_are_passed_over),
        LIST_TEST(text_after_a_tab_is_a_label_for_people),
        LIST_TEST(files_of_other_systems_are_read_too),
        LIST_TEST(a_pin_that_is_there_twice_does_no_harm),
        LIST_TEST(an_empty_list_has_nobody),
        LIST_TEST(names_that_sharing_would_refuse_can_be_listed),
        LIST_TEST(a_long_list_finds_each_of_its_pins),
        LIST_TEST(a_bad_line_is_named_and_nothing_is_taken),
        LIST_TEST(a_bad_line_is_shown_without_its_escapes),
        LIST_TEST(a_nul_in_a_line_is_no_end_of_it),
        LIST_TEST(a_file_that_cannot_be_read_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
