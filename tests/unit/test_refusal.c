/*
 * The refusal table: why this program says no, and with which errno.
 *
 * Users' scripts and the manual rely on what stands here, so it is written down once more: a change
 * of the table in core/ has to be made here, too.
 */
#include "core/rules/refusal.h"

#include "tests/unit/support.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define SHARE REFUSAL_SHARE
#define CANCEL REFUSAL_CANCEL
#define BOTH (REFUSAL_SHARE | REFUSAL_CANCEL)
#define TREE REFUSAL_TREE
#define KERNEL REFUSAL_KERNEL

static const struct promise {
    enum refusal refusal;
    const char *code;
    int error;
    unsigned scope;
} promises[] = {
    {REFUSAL_IMAGE_PENDING, "image-pending", EBUSY, SHARE},
    {REFUSAL_IMAGE_DELETING, "image-deleting", EOPNOTSUPP, SHARE},
    {REFUSAL_IMAGE_ERROR, "image-error", EOPNOTSUPP, SHARE},
    {REFUSAL_IMAGE_SNAPSHOT, "image-snapshot", EOPNOTSUPP, SHARE},
    {REFUSAL_IMAGE_ENCRYPTED, "image-encrypted", EOPNOTSUPP, SHARE},
    {REFUSAL_IMAGE_RELEASED, "image-released", EOPNOTSUPP, SHARE},
    {REFUSAL_IMAGE_LIMIT, "image-limit", EDQUOT, SHARE},
    {REFUSAL_IMAGE_GONE, "image-gone", ENOENT, BOTH},
    {REFUSAL_NOT_OWNER, "not-owner", EACCES, BOTH},
    {REFUSAL_NO_ACCOUNT, "no-account", ENXIO, SHARE},
    {REFUSAL_MOBILE_NUMBER, "mobile-number", EINVAL, SHARE},
    {REFUSAL_OWN_PIN, "own-pin", EINVAL, SHARE},
    {REFUSAL_PIN_INVALID, "pin-invalid", EINVAL, SHARE},
    {REFUSAL_PIN_LEFTOVER, "pin-leftover", EINVAL, SHARE},
    {REFUSAL_PIN_TOO_LONG, "pin-too-long", ENAMETOOLONG, SHARE},
    {REFUSAL_PIN_UNLISTED, "pin-unlisted", EPERM, SHARE},
    {REFUSAL_SHARED, "already-shared", EEXIST, SHARE | KERNEL},
    {REFUSAL_NOT_SHARED, "not-shared", ENOENT, CANCEL | KERNEL},
    {REFUSAL_CANCEL_OFF, "cancel-off", EPERM, CANCEL},
    {REFUSAL_CANCEL_LIMIT, "cancel-limit", EPERM, CANCEL},
    {REFUSAL_CANCEL_RECURSIVE, "cancel-recursive", EPERM, CANCEL},
    {REFUSAL_READ_ONLY, "read-only", EROFS, BOTH | KERNEL},
    {REFUSAL_STORE_FULL, "store-full", ENOSPC, BOTH},
    {REFUSAL_STORE_DAMAGED, "store-damaged", EIO, BOTH},
    {REFUSAL_STORE_REPLACED, "store-replaced", EIO, BOTH},
    {REFUSAL_STORE_LOCKED, "store-locked", ETIMEDOUT, BOTH},
    {REFUSAL_INTERRUPTED, "interrupted", EINTR, BOTH},
    {REFUSAL_SERVICE_BUSY, "service-busy", EBUSY, BOTH},
    {REFUSAL_SERVICE_KEY, "service-key", EKEYREJECTED, BOTH},
    {REFUSAL_SERVICE_FORBIDDEN, "service-forbidden", EACCES, BOTH},
    {REFUSAL_SERVICE_RATE, "service-rate", EAGAIN, BOTH},
    {REFUSAL_SERVICE_TIMEOUT, "service-timeout", ETIMEDOUT, BOTH},
    {REFUSAL_SERVICE_NO_HOST, "service-no-host", EHOSTUNREACH, BOTH},
    {REFUSAL_SERVICE_NO_NETWORK, "service-no-network", ENETUNREACH, BOTH},
    {REFUSAL_SERVICE_CLOSED, "service-closed", ECONNREFUSED, BOTH},
    {REFUSAL_SERVICE_TLS, "service-tls", EPROTO, BOTH},
    {REFUSAL_SERVICE_FAILED, "service-failed", EREMOTEIO, BOTH},
    {REFUSAL_SERVICE_ANSWER, "service-answer", EBADMSG, BOTH},
    {REFUSAL_SERVICE_REFUSED, "service-refused", EREMOTEIO, BOTH},
    {REFUSAL_TREE_CREATE, "tree-create", EPERM, TREE},
    {REFUSAL_TREE_REMOVE, "tree-remove", EPERM, TREE},
    {REFUSAL_TREE_RENAME, "tree-rename", EPERM, TREE},
    {REFUSAL_TREE_ATTRIBUTE, "tree-attribute", EACCES, TREE},
    {REFUSAL_TREE_CONTENT, "tree-content", EFBIG, TREE},
    {REFUSAL_TREE_MODE, "tree-mode", EPERM, TREE},
};

static void every_promised_refusal_has_its_errno_and_scope(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(promises); i++) {
        const struct promise *promise = &promises[i];
        const struct refusal_row *row = refusal_find_code(promise->code);
        if (!row)
            fail_msg("%s is not in the table", promise->code);
        else if (row->refusal != promise->refusal || row->error != promise->error ||
                 row->scope != promise->scope)
            fail_msg("%s: %s, scope %u", promise->code, row->error_name, row->scope);
        assert_ptr_equal(refusal_find(promise->refusal), row);
    }
}

static void nothing_is_refused_that_was_not_promised(void **state)
{
    size_t rows = 0;

    (void)state;
    for (const struct refusal_row *row; (row = refusal_at(rows)); rows++) {
        size_t i = 0;
        while (i < COUNT_OF(promises) && strcmp(promises[i].code, row->code) != 0)
            i++;
        if (i == COUNT_OF(promises))
            fail_msg("%s is in the table, and in no promise", row->code);
    }
    assert_int_equal(rows, COUNT_OF(promises));
    assert_null(refusal_at(rows));
    assert_null(refusal_at(SIZE_MAX));
}

static void the_table_is_in_the_order_of_the_enum(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(promises); i++)
        assert_int_equal(refusal_at(i)->refusal, REFUSAL_IMAGE_PENDING + i);
}

static void a_code_is_one_word_for_one_refusal(void **state)
{
    const struct refusal_row *row = NULL;

    (void)state;
    for (size_t i = 0; (row = refusal_at(i)); i++) {
        const struct refusal_row *other = NULL;
        for (const char *at = row->code; *at; at++)
            if (!islower((unsigned char)*at) && *at != '-')
                fail_msg("%s is no word for scripts", row->code);
        assert_in_range(strlen(row->code), 1, sizeof(((struct view_refusal *)NULL)->code) - 1);
        for (size_t j = i + 1; (other = refusal_at(j)); j++)
            assert_string_not_equal(other->code, row->code);
    }
}

static void every_refusal_says_why_and_what_to_do(void **state)
{
    const struct refusal_row *row = NULL;

    (void)state;
    for (size_t i = 0; (row = refusal_at(i)); i++) {
        /* Both end up in the middle of lines, "What to do: ..." among them. */
        const char *const texts[] = {row->sentence, row->remedy};
        for (size_t j = 0; j < COUNT_OF(texts); j++) {
            size_t length = strlen(texts[j]);
            if (length < 5 || strchr(texts[j], '\n') || texts[j][length - 1] == '.')
                fail_msg("%s: \"%s\"", row->code, texts[j]);
        }
        assert_string_not_equal(row->sentence, row->remedy);
    }
}

static void the_name_of_an_errno_is_that_of_its_number(void **state)
{
    const struct refusal_row *row = NULL;

    (void)state;
    for (size_t i = 0; (row = refusal_at(i)); i++) {
        /* Linux has one number for two names. */
        const char *name = row->error == EOPNOTSUPP ? "EOPNOTSUPP" : strerrorname_np(row->error);
        assert_string_equal(row->error_name, name);
    }
}

static void rm_f_never_takes_a_refused_cancel_for_success(void **state)
{
    const struct refusal_row *row = NULL;

    (void)state;
    for (size_t i = 0; (row = refusal_at(i)); i++) {
        if (!(row->scope & REFUSAL_CANCEL))
            continue;
        if (row->error == EINVAL || row->error == EILSEQ || row->error == ENOTDIR)
            fail_msg("%s: %s", row->code, row->error_name);
        /* ENOENT it does take for success, and it is one: there is nothing to cancel. */
        if (row->error == ENOENT)
            assert_true(row->refusal == REFUSAL_IMAGE_GONE || row->refusal == REFUSAL_NOT_SHARED);
    }
}

static void no_refusal_looks_to_the_kernel_like_a_call_that_is_not_there(void **state)
{
    const struct refusal_row *row = NULL;

    (void)state;
    for (size_t i = 0; (row = refusal_at(i)); i++)
        assert_int_not_equal(row->error, ENOSYS);
}

static void a_result_is_a_refusal_or_an_errno_and_both_have_an_errno(void **state)
{
    (void)state;
    assert_int_equal(refusal_errno(-REFUSAL_IMAGE_LIMIT), EDQUOT);
    assert_int_equal(refusal_errno(-ENOMEM), ENOMEM);
    assert_int_equal(refusal_errno(0), 0);
    assert_int_equal(refusal_errno(1), 0);
    assert_string_equal(refusal_of(-REFUSAL_IMAGE_LIMIT)->code, "image-limit");
    assert_null(refusal_of(-ENOMEM));
    assert_null(refusal_of(0));
    assert_null(refusal_of(1));
    assert_null(refusal_of(REFUSAL_IMAGE_LIMIT));
}

static void refusals_and_errnos_never_meet(void **state)
{
    (void)state;
    for (int error = 1; error < 200; error++) {
        assert_null(refusal_of(-error));
        assert_int_equal(refusal_errno(-error), error);
    }
}

static void what_is_no_refusal_has_no_row(void **state)
{
    (void)state;
    assert_null(refusal_find(REFUSAL_NONE));
    assert_null(refusal_find(REFUSAL_END));
    assert_null(refusal_find_code(""));
    assert_null(refusal_find_code("EDQUOT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_promised_refusal_has_its_errno_and_scope),
        cmocka_unit_test(nothing_is_refused_that_was_not_promised),
        cmocka_unit_test(the_table_is_in_the_order_of_the_enum),
        cmocka_unit_test(a_code_is_one_word_for_one_refusal),
        cmocka_unit_test(every_refusal_says_why_and_what_to_do),
        cmocka_unit_test(the_name_of_an_errno_is_that_of_its_number),
        cmocka_unit_test(rm_f_never_takes_a_refused_cancel_for_success),
        cmocka_unit_test(no_refusal_looks_to_the_kernel_like_a_call_that_is_not_there),
        cmocka_unit_test(a_result_is_a_refusal_or_an_errno_and_both_have_an_errno),
        cmocka_unit_test(refusals_and_errnos_never_meet),
        cmocka_unit_test(what_is_no_refusal_has_no_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
