/* What an answer quotes of a secret. The memory of secrets is looked at in cloud_secrets.bats. */
#include "core/cloud/secret.h"

#include "tests/unit/support.h"

#include <stdio.h>

static void assert_hidden(const char *text, const char *word, const char *expected)
{
    char copy[128];

    (void)snprintf(copy, sizeof(copy), "%s", text);
    secret_hide(copy, word);
    assert_string_equal(copy, expected);
}

static void a_quoted_secret_is_cut_off(void **state)
{
    (void)state;
    assert_hidden("the token TOKEN0123456789 is too old", "TOKEN0123456789", "the token ");
    assert_hidden("TOKEN0123456789", "TOKEN0123456789", "");
    /* Cut short by what has a limit of its own. */
    assert_hidden("x-token:TOKEN012", "TOKEN0123456789", "x-token:");
    /* A short one as a whole. */
    assert_hidden("it is abc", "abc", "it is ");
}

static void other_words_stay(void **state)
{
    (void)state;
    assert_hidden("the TOKEN is too old", "TOKEN0123456789", "the TOKEN is too old");
    assert_hidden("no such image", NULL, "no such image");
    assert_hidden("no such image", "", "no such image");
    assert_hidden("", "TOKEN0123456789", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quoted_secret_is_cut_off),
        cmocka_unit_test(other_words_stay),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
