/*
 * The guard against cancelling by accident: a recursive delete of an image's directory must not
 * cancel its shares, and one process cancels only so many a minute where a mount says so.
 */
#include "core/rules/guard.h"

#include "tests/unit/support.h"

#define SECOND 1000000000LL
#define NOON (1795507200 * SECOND)
#define RM 4711    /* a process */
#define OTHER 4712 /* another one */
#define IMAGE 7
#define NEXT 8

static int guard_setup(void **state)
{
    struct guard *guard = malloc(sizeof(*guard));

    assert_non_null(guard);
    guard_init(guard);
    *state = guard;
    return 0;
}

static int guard_teardown(void **state)
{
    guard_dispose(*state);
    free(*state);
    return 0;
}

static void who_was_refused_nothing_is_in_no_recursive_delete(void **state)
{
    struct guard *guard = *state;

    assert_false(guard_is_recursive(guard, RM, IMAGE, NOON));
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON), 0);
}

static void a_refused_removal_counts_for_a_minute(void **state)
{
    struct guard *guard = *state;

    guard_refused(guard, RM, IMAGE, NOON);
    assert_true(guard_is_recursive(guard, RM, IMAGE, NOON));
    assert_true(guard_is_recursive(guard, RM, IMAGE, NOON + 60 * SECOND - 1));
    assert_false(guard_is_recursive(guard, RM, IMAGE, NOON + 60 * SECOND));
}

static void each_refused_removal_begins_the_minute_anew(void **state)
{
    struct guard *guard = *state;

    guard_refused(guard, RM, IMAGE, NOON);
    guard_refused(guard, RM, IMAGE, NOON + 59 * SECOND);
    assert_true(guard_is_recursive(guard, RM, IMAGE, NOON + 118 * SECOND));
    assert_false(guard_is_recursive(guard, RM, IMAGE, NOON + 119 * SECOND));
}

static void another_process_is_free_to_cancel(void **state)
{
    struct guard *guard = *state;

    guard_refused(guard, RM, IMAGE, NOON);
    assert_false(guard_is_recursive(guard, OTHER, IMAGE, NOON));
}

static void another_image_is_not_meant(void **state)
{
    struct guard *guard = *state;

    guard_refused(guard, RM, IMAGE, NOON);
    assert_false(guard_is_recursive(guard, RM, NEXT, NOON));
}

static void cancels_are_counted_by_process_and_image(void **state)
{
    struct guard *guard = *state;

    guard_cancelled(guard, RM, IMAGE, NOON);
    guard_cancelled(guard, RM, IMAGE, NOON + SECOND);
    guard_cancelled(guard, RM, NEXT, NOON + SECOND);
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + 2 * SECOND), 2);
    assert_int_equal(guard_cancels(guard, RM, NEXT, NOON + 2 * SECOND), 1);
    assert_int_equal(guard_cancels(guard, OTHER, IMAGE, NOON + 2 * SECOND), 0);
}

static void no_minute_has_more_than_the_count_says(void **state)
{
    struct guard *guard = *state;

    for (int64_t at = 0; at < 200; at++) {
        guard_cancelled(guard, RM, IMAGE, NOON + at * SECOND);
        /* One each second: 60 of the last minute, and what its first step brings along. */
        int64_t least = at < 60 ? at + 1 : 60;
        assert_in_range(guard_cancels(guard, RM, IMAGE, NOON + at * SECOND), least, least + 5);
    }
}

static void who_was_quiet_for_a_minute_and_a_step_begins_anew(void **state)
{
    struct guard *guard = *state;

    guard_cancelled(guard, RM, IMAGE, NOON);
    guard_cancelled(guard, RM, IMAGE, NOON + 59 * SECOND);
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + 60 * SECOND - 1), 2);
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + 65 * SECOND), 1);
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + 119 * SECOND - 1), 1);
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + 125 * SECOND), 0);
    guard_cancelled(guard, RM, IMAGE, NOON + 3600 * SECOND);
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + 3600 * SECOND), 1);
}

static void a_clock_that_is_set_back_forgets_nothing(void **state)
{
    struct guard *guard = *state;

    guard_cancelled(guard, RM, IMAGE, NOON);
    guard_cancelled(guard, RM, IMAGE, NOON - 3600 * SECOND);
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON - 3600 * SECOND), 2);
}

static void both_rules_keep_apart_in_one_process(void **state)
{
    struct guard *guard = *state;

    guard_cancelled(guard, RM, IMAGE, NOON);
    assert_false(guard_is_recursive(guard, RM, IMAGE, NOON));
    guard_refused(guard, RM, IMAGE, NOON + SECOND);
    assert_true(guard_is_recursive(guard, RM, IMAGE, NOON + SECOND));
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + SECOND), 1);
}

static void in_a_full_table_the_one_that_was_quiet_longest_is_forgotten(void **state)
{
    struct guard *guard = *state;

    for (int i = 0; i < GUARD_ENTRIES; i++)
        guard_refused(guard, 1000 + i, IMAGE, NOON + i);
    for (int i = 0; i < GUARD_ENTRIES; i++)
        assert_true(guard_is_recursive(guard, 1000 + i, IMAGE, NOON + SECOND));

    guard_refused(guard, 1000, IMAGE, NOON + SECOND); /* the first is active again */
    guard_refused(guard, RM, IMAGE, NOON + SECOND);
    assert_true(guard_is_recursive(guard, RM, IMAGE, NOON + SECOND));
    assert_true(guard_is_recursive(guard, 1000, IMAGE, NOON + SECOND));
    assert_false(guard_is_recursive(guard, 1001, IMAGE, NOON + SECOND));
    for (int i = 2; i < GUARD_ENTRIES; i++)
        assert_true(guard_is_recursive(guard, 1000 + i, IMAGE, NOON + SECOND));
}

static void a_replaced_entry_takes_nothing_over(void **state)
{
    struct guard *guard = *state;

    for (int i = 0; i < GUARD_ENTRIES; i++) {
        guard_refused(guard, 1000 + i, IMAGE, NOON);
        guard_cancelled(guard, 1000 + i, IMAGE, NOON);
    }
    guard_cancelled(guard, RM, IMAGE, NOON + SECOND);
    assert_false(guard_is_recursive(guard, RM, IMAGE, NOON + SECOND));
    assert_int_equal(guard_cancels(guard, RM, IMAGE, NOON + SECOND), 1);
}

#define GUARD_TEST(name) cmocka_unit_test_setup_teardown(name, guard_setup, guard_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARD_TEST(who_was_refused_nothing_is_in_no_recursive_delete),
        GUARD_TEST(a_refused_removal_counts_for_a_minute),
        GUARD_TEST(each_refused_removal_begins_the_minute_anew),
        GUARD_TEST(another_process_is_free_to_cancel),
        GUARD_TEST(another_image_is_not_meant),
        GUARD_TEST(cancels_are_counted_by_process_and_image),
        GUARD_TEST(no_minute_has_more_than_the_count_says),
        GUARD_TEST(who_was_quiet_for_a_minute_and_a_step_begins_anew),
        GUARD_TEST(a_clock_that_is_set_back_forgets_nothing),
        GUARD_TEST(both_rules_keep_apart_in_one_process),
        GUARD_TEST(in_a_full_table_the_one_that_was_quiet_longest_is_forgotten),
        GUARD_TEST(a_replaced_entry_takes_nothing_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
