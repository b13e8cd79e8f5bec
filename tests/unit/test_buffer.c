/* The buffer that everything is formatted into: it has a bound, and remembers that it was reached.
 */
#include "core/base/buffer.h"

#include "tests/unit/support.h"

#include <string.h>

static void an_empty_buffer_is_an_empty_string(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(16);

    (void)state;
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer.length, 0);
    assert_false(buffer_failed(&buffer));
}

static void appends_follow_one_another(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(64);

    (void)state;
    buffer_puts(&buffer, "quota: ");
    buffer_printf(&buffer, "%d/%d", 3, 20);
    buffer_add(&buffer, "\nrest", 1);
    assert_string_equal(buffer_text(&buffer), "quota: 3/20\n");
    assert_int_equal(buffer.length, 12);
}

static void exactly_the_maximum_fits(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(5);

    (void)state;
    buffer_puts(&buffer, "12345");
    assert_false(buffer_failed(&buffer));
    buffer_add(&buffer, "", 0);
    assert_false(buffer_failed(&buffer));
    buffer_puts(&buffer, "6");
    assert_true(buffer_failed(&buffer));
    assert_string_equal(buffer_text(&buffer), "12345");
}

static void formatted_text_has_the_same_bound(void **state)
{
    CLEANUP_BUFFER struct buffer fits = BUFFER_INIT(5);
    CLEANUP_BUFFER struct buffer over = BUFFER_INIT(4);

    (void)state;
    buffer_printf(&fits, "%05d", 42);
    assert_false(buffer_failed(&fits));
    assert_string_equal(buffer_text(&fits), "00042");
    buffer_printf(&over, "%05d", 42);
    assert_true(buffer_failed(&over));
    assert_string_equal(buffer_text(&over), "");
}

static void after_a_failure_nothing_is_appended_even_if_it_would_fit(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(8);

    (void)state;
    buffer_puts(&buffer, "whole");
    buffer_puts(&buffer, "too long");
    buffer_puts(&buffer, "x");
    buffer_printf(&buffer, "%d", 1);
    buffer_add(&buffer, "y", 1);
    assert_true(buffer_failed(&buffer));
    assert_string_equal(buffer_text(&buffer), "whole");
}

static void a_length_near_the_end_of_memory_is_no_wrap_around(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(SIZE_MAX);

    (void)state;
    buffer_puts(&buffer, "abc");
    buffer_add(&buffer, "", SIZE_MAX - 2);
    assert_true(buffer_failed(&buffer));
    assert_string_equal(buffer_text(&buffer), "abc");
}

static void bytes_are_kept_as_they_are(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(16);

    (void)state;
    buffer_add(&buffer, "a\0b", 3);
    assert_int_equal(buffer.length, 3);
    assert_memory_equal(buffer_text(&buffer), "a\0b", 4);
}

static void many_small_appends_make_one_large_text(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(100000);

    (void)state;
    for (int i = 0; i < 10000; i++)
        buffer_printf(&buffer, "%09d\n", i);
    assert_false(buffer_failed(&buffer));
    assert_int_equal(buffer.length, 100000);
    assert_memory_equal(buffer_text(&buffer) + 50000, "000005000\n", 10);
    assert_int_equal(strlen(buffer_text(&buffer)), 100000);
}

static void clearing_forgets_the_text_and_the_failure(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(4);

    (void)state;
    buffer_puts(&buffer, "1234");
    buffer_puts(&buffer, "5");
    buffer_clear(&buffer);
    assert_false(buffer_failed(&buffer));
    assert_string_equal(buffer_text(&buffer), "");
    buffer_puts(&buffer, "new");
    assert_string_equal(buffer_text(&buffer), "new");
}

static void a_buffer_can_be_used_again_after_it_was_disposed_of(void **state)
{
    CLEANUP_BUFFER struct buffer buffer = BUFFER_INIT(4);

    (void)state;
    buffer_puts(&buffer, "old");
    buffer_dispose(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    buffer_puts(&buffer, "new");
    assert_string_equal(buffer_text(&buffer), "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(appends_follow_one_another),
        cmocka_unit_test(exactly_the_maximum_fits),
        cmocka_unit_test(formatted_text_has_the_same_bound),
        cmocka_unit_test(after_a_failure_nothing_is_appended_even_if_it_would_fit),
        cmocka_unit_test(a_length_near_the_end_of_memory_is_no_wrap_around),
        cmocka_unit_test(bytes_are_kept_as_they_are),
        cmocka_unit_test(many_small_appends_make_one_large_text),
        cmocka_unit_test(clearing_forgets_the_text_and_the_failure),
        cmocka_unit_test(a_buffer_can_be_used_again_after_it_was_disposed_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
