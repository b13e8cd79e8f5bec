/* The requests of a minute. Times are milliseconds of a clock that these tests turn. */
#include "core/cloud/limiter.h"

#include "tests/unit/support.h"

#define START 1000000

static void count_many(struct limiter *limiter, int count, int64_t now_ms)
{
    for (int i = 0; i < count; i++)
        limiter_count(limiter, now_ms);
}

static void a_request_goes_while_the_limit_lasts(void **state)
{
    struct limiter limiter;

    (void)state;
    limiter_init(&limiter, 10, 20, START);
    count_many(&limiter, 9, START);
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 5), START + 5);
    limiter_count(&limiter, START + 5);
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 6), START + 40000);
    assert_int_equal(limiter_when(&limiter, CALL_SOON, START + 6), START + 40000);
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 40000), START + 40000);
}

static void background_goes_while_half_of_the_limit_is_not_used(void **state)
{
    struct limiter limiter;

    (void)state;
    limiter_init(&limiter, 10, 0, START);
    count_many(&limiter, 4, START);
    assert_int_equal(limiter_when(&limiter, CALL_BACKGROUND, START), START);
    limiter_count(&limiter, START);
    assert_int_equal(limiter_when(&limiter, CALL_BACKGROUND, START), START + 60000);
    assert_int_equal(limiter_when(&limiter, CALL_SOON, START), START);
}

static void what_the_service_advertises_counts(void **state)
{
    struct limiter limiter;

    (void)state;
    limiter_init(&limiter, 1000, 0, START);
    limiter_count(&limiter, START);
    limiter_learn(&limiter, 20, 3, -1, false, START);
    assert_int_equal(limiter.limit, 20);
    assert_int_equal(limiter.used, 17);               /* others use the key, too */
    limiter_learn(&limiter, 20, 9, -1, false, START); /* an answer that was overtaken */
    assert_int_equal(limiter.used, 17);
    limiter_learn(&limiter, -1, -1, -1, false, START);
    assert_int_equal(limiter.limit, 20);
}

static void the_smaller_limit_of_one_kind_of_call_does_not_bind_the_others(void **state)
{
    struct limiter limiter;

    (void)state;
    limiter_init(&limiter, 1000, 0, START);
    limiter_learn(&limiter, 600, 400, -1, false, START);
    limiter_learn(&limiter, 10, 0, -1, false, START);
    assert_int_equal(limiter.limit, 600);
    assert_int_equal(limiter.used, 200);
    limiter_learn(&limiter, 10, 0, -1, false, START + 60000); /* it may be the limit by now */
    assert_int_equal(limiter.limit, 10);
}

static void after_a_rate_answer_nothing_goes_before_the_minute_ends(void **state)
{
    struct limiter limiter;

    (void)state;
    limiter_init(&limiter, 1000, 30, START);
    limiter_learn(&limiter, -1, -1, -1, true, START);
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 29999), START + 30000);
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 30000), START + 30000);
}

static void the_minute_is_that_of_the_service(void **state)
{
    struct limiter limiter;

    (void)state;
    limiter_init(&limiter, 1000, 30, START);
    limiter_learn(&limiter, -1, -1, 50, true, START); /* its clock goes before ours */
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START), START + 10000);
    limiter_learn(&limiter, -1, -1, 60, true, START); /* a leap second */
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START), START + 1000);
    limiter_learn(&limiter, 100, 90, 5, false, START); /* a new minute has begun there */
    assert_int_equal(limiter.used, 10);
    limiter_learn(&limiter, 100, 80, 6, false, START + 1900); /* late in the second: the same */
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 2000), START + 55000);
}

static void minutes_without_a_request_pass(void **state)
{
    struct limiter limiter;

    (void)state;
    limiter_init(&limiter, 2, 30, START);
    count_many(&limiter, 2, START);
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 10 * 60000), START + 10 * 60000);
    count_many(&limiter, 2, START + 10 * 60000);
    assert_int_equal(limiter_when(&limiter, CALL_FIRST, START + 10 * 60000),
                     START + 10 * 60000 + 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_while_the_limit_lasts),
        cmocka_unit_test(background_goes_while_half_of_the_limit_is_not_used),
        cmocka_unit_test(what_the_service_advertises_counts),
        cmocka_unit_test(the_smaller_limit_of_one_kind_of_call_does_not_bind_the_others),
        cmocka_unit_test(after_a_rate_answer_nothing_goes_before_the_minute_ends),
        cmocka_unit_test(the_minute_is_that_of_the_service),
        cmocka_unit_test(minutes_without_a_request_pass),
    };

    return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
