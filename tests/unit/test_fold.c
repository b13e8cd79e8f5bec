/* Folding of equal refusals: a loop that asks again and again fills neither the log nor the disk.
 */
#include "core/catalog/fold.h"

#include "tests/unit/support.h"

#include <errno.h>

#define SECOND 1000000000LL
#define NOON (1795507200 * SECOND)

static int fold_setup(void **state)
{
    struct fold *fold = malloc(sizeof(*fold));

    assert_non_null(fold);
    fold_init(fold);
    *state = fold;
    return 0;
}

static int fold_teardown(void **state)
{
    fold_dispose(*state);
    free(*state);
    return 0;
}

/* Whether KEY is written at NOW, and that REPEATED were left out before it. */
static void assert_written(struct fold *fold, uint64_t key, int64_t now, int64_t repeated)
{
    int64_t left_out = -1;

    assert_true(fold_admit(fold, key, now, &left_out));
    assert_int_equal(left_out, repeated);
}

static void assert_folded(struct fold *fold, uint64_t key, int64_t now)
{
    int64_t left_out = -1;

    assert_false(fold_admit(fold, key, now, &left_out));
}

static void the_first_of_a_kind_is_written_and_equal_ones_are_not(void **state)
{
    assert_written(*state, 42, NOON, 0);
    assert_folded(*state, 42, NOON);
    assert_folded(*state, 42, NOON + 10 * SECOND - 1);
}

static void after_ten_seconds_the_next_one_tells_how_many_were_left_out(void **state)
{
    assert_written(*state, 42, NOON, 0);
    for (int i = 0; i < 1000; i++)
        assert_folded(*state, 42, NOON + i);
    assert_written(*state, 42, NOON + 10 * SECOND, 1000);
    assert_folded(*state, 42, NOON + 11 * SECOND);
    assert_written(*state, 42, NOON + 20 * SECOND, 1);
    assert_written(*state, 42, NOON + 60 * SECOND, 0);
}

static void other_refusals_are_written_meanwhile(void **state)
{
    assert_written(*state, 42, NOON, 0);
    assert_written(*state, 43, NOON, 0);
    assert_folded(*state, 42, NOON);
    assert_folded(*state, 43, NOON);
}

static void after_something_was_done_a_refusal_is_news_again(void **state)
{
    assert_written(*state, 42, NOON, 0);
    assert_folded(*state, 42, NOON + SECOND);
    fold_reset(*state);
    assert_written(*state, 42, NOON + 2 * SECOND, 0);
}

static void when_there_are_too_many_kinds_the_oldest_is_forgotten(void **state)
{
    for (uint64_t key = 1; key <= FOLD_ENTRIES; key++)
        assert_written(*state, key, NOON + (int64_t)key, 0);
    for (uint64_t key = 1; key <= FOLD_ENTRIES; key++)
        assert_folded(*state, key, NOON + SECOND);
    assert_written(*state, 1000, NOON + SECOND, 0);
    assert_folded(*state, 2, NOON + SECOND);
    assert_written(*state, 1, NOON + SECOND, 0);
}

static void refusals_are_equal_if_all_of_them_is(void **state)
{
    const uint64_t key = fold_key("share", 7, "alice", -REFUSAL_NO_ACCOUNT, 1000);

    (void)state;
    assert_true(key == fold_key("share", 7, "alice", -REFUSAL_NO_ACCOUNT, 1000));
    assert_true(key != fold_key("cancel", 7, "alice", -REFUSAL_NO_ACCOUNT, 1000));
    assert_true(key != fold_key("share", 8, "alice", -REFUSAL_NO_ACCOUNT, 1000));
    assert_true(key != fold_key("share", 7, "bob", -REFUSAL_NO_ACCOUNT, 1000));
    assert_true(key != fold_key("share", 7, "", -REFUSAL_NO_ACCOUNT, 1000));
    assert_true(key != fold_key("share", 7, "alice", -REFUSAL_IMAGE_LIMIT, 1000));
    assert_true(key != fold_key("share", 7, "alice", -ENOMEM, 1000));
    assert_true(key != fold_key("share", 7, "alice", -REFUSAL_NO_ACCOUNT, 0));
}

#define FOLD_TEST(name) cmocka_unit_test_setup_teardown(name, fold_setup, fold_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLD_TEST(the_first_of_a_kind_is_written_and_equal_ones_are_not),
        FOLD_TEST(after_ten_seconds_the_next_one_tells_how_many_were_left_out),
        FOLD_TEST(other_refusals_are_written_meanwhile),
        FOLD_TEST(after_something_was_done_a_refusal_is_news_again),
        FOLD_TEST(when_there_are_too_many_kinds_the_oldest_is_forgotten),
        FOLD_TEST(refusals_are_equal_if_all_of_them_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
