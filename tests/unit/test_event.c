/* The lines of the file events, to the letter: people grep them, and programs parse them. */
#include "core/catalog/event.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

#define AT_NS 1795507200123456789

static const struct caller touch = {
    .uid = 1000, .process = 4711, .has_login = true, .login = 1000, .executable = "/usr/bin/touch"};

static void assert_line(const struct event *event, const char *line)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(EVENT_LINE_MAX);

    event_format(&out, event);
    assert_false(buffer_failed(&out));
    assert_string_equal(buffer_text(&out), line);
}

static void a_share_that_was_made(void **state)
{
    const struct event event = {
        .at_ns = AT_NS,
        .action = "share",
        .image = "img-m5s0abcd29",
        .key = "pin",
        .name = "alice",
        .caller = &touch,
    };

    (void)state;
    assert_line(&event, "time=2026-11-24T08:00:00.123456Z action=share image=img-m5s0abcd29 "
                        "pin=alice outcome=done uid=1000 pid=4711 exe=/usr/bin/touch login=1000\n");
}

static void a_share_that_was_refused(void **state)
{
    const struct event event = {
        .at_ns = AT_NS,
        .action = "share",
        .image = "img-m5s0abcd29",
        .key = "pin",
        .name = "dave",
        .result = -REFUSAL_NO_ACCOUNT,
        .caller = &touch,
    };

    (void)state;
    assert_line(&event,
                "time=2026-11-24T08:00:00.123456Z action=share image=img-m5s0abcd29 pin=dave "
                "outcome=refused errno=ENXIO code=no-account "
                "message=\"JD Cloud account does not exist\" "
                "uid=1000 pid=4711 exe=/usr/bin/touch login=1000\n");
}

static void a_call_that_the_tree_does_not_know(void **state)
{
    const struct event event = {
        .at_ns = AT_NS,
        .action = "mkdir",
        .key = "name",
        .name = "New Folder",
        .result = -REFUSAL_TREE_CREATE,
        .caller = &touch,
    };

    (void)state;
    assert_line(&event,
                "time=2026-11-24T08:00:00.123456Z action=mkdir name=\"New Folder\" "
                "outcome=refused errno=EPERM code=tree-create message=\"only shares can be made "
                "here, as empty files in an image's shares/\" "
                "uid=1000 pid=4711 exe=/usr/bin/touch login=1000\n");
}

static void refusals_that_were_folded_into_this_one_are_counted(void **state)
{
    const struct event event = {
        .at_ns = AT_NS,
        .action = "cancel",
        .image = "img-1",
        .key = "pin",
        .name = "alice",
        .result = -REFUSAL_CANCEL_OFF,
        .repeated = 12,
        .caller = &touch,
    };

    (void)state;
    assert_line(&event, "time=2026-11-24T08:00:00.123456Z action=cancel image=img-1 pin=alice "
                        "outcome=refused errno=EPERM code=cancel-off message=\"this mount does not "
                        "cancel shares (nocancel)\" repeated=12 "
                        "uid=1000 pid=4711 exe=/usr/bin/touch login=1000\n");
}

static void a_caller_of_whom_the_kernel_tells_only_the_user(void **state)
{
    const struct caller root = {.uid = 0};
    const struct event event = {
        .at_ns = 0, .action = "share", .image = "i", .key = "pin", .name = "a", .caller = &root};

    (void)state;
    assert_line(&event, "time=1970-01-01T00:00:00.000000Z action=share image=i pin=a outcome=done "
                        "uid=0\n");
}

static void what_the_program_does_itself_has_no_caller(void **state)
{
    const struct event done = {.at_ns = 0, .action = "reload"};
    const struct event refused = {.at_ns = 0,
                                  .action = "reload",
                                  .result = -EINVAL,
                                  .detail = "/etc/allow:3: not a pin: \"a/b\""};

    (void)state;
    assert_line(&done, "time=1970-01-01T00:00:00.000000Z action=reload outcome=done\n");
    assert_line(&refused, "time=1970-01-01T00:00:00.000000Z action=reload outcome=refused "
                          "errno=EINVAL message=\"/etc/allow:3: not a pin: \\\"a/b\\\"\"\n");
}

static void an_errno_without_a_row_is_shown_by_its_own_words(void **state)
{
    const struct event event = {.at_ns = 0, .action = "share", .result = -ENOMEM};

    (void)state;
    assert_line(&event, "time=1970-01-01T00:00:00.000000Z action=share outcome=refused "
                        "errno=ENOMEM message=\"Cannot allocate memory\"\n");
}

static void no_name_can_end_the_line_or_add_a_field(void **state)
{
    const struct caller odd = {.uid = 1, .process = 2, .executable = "/tmp/a b\nuid=0"};
    const struct event event = {
        .at_ns = 0,
        .action = "share",
        .image = "i",
        .key = "pin",
        .name = "x\ntime=now \x1b[2J\" outcome=done",
        .result = -REFUSAL_PIN_INVALID,
        .caller = &odd,
    };

    (void)state;
    assert_line(&event,
                "time=1970-01-01T00:00:00.000000Z action=share image=i "
                "pin=\"x\\x0atime=now \\x1b[2J\\\" outcome=done\" outcome=refused errno=EINVAL "
                "code=pin-invalid message=\"the name cannot be a User Pin: it is not UTF-8, begins "
                "with . or -, or holds white space, a control or a shell character\" "
                "uid=1 pid=2 exe=\"/tmp/a b\\x0auid=0\"\n");
}

static void the_longest_line_fits(void **state)
{
    struct caller caller = {.uid = UINT32_MAX, .process = INT32_MAX, .has_login = true};
    char name[VIEW_NAME_SIZE];
    const struct refusal_row *row = NULL;

    (void)state;
    caller.login = UINT32_MAX;
    memset(caller.executable, '\x01', sizeof(caller.executable) - 1);
    memset(name, '\xff', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; (row = refusal_at(i)); i++) {
        CLEANUP_BUFFER struct buffer out = BUFFER_INIT(EVENT_LINE_MAX);
        const struct event event = {
            .at_ns = AT_NS,
            .action = "set-attribute",
            .image = name,
            .key = "name",
            .name = name,
            .result = -(int)row->refusal,
            .repeated = INT64_MAX,
            .caller = &caller,
        };
        event_format(&out, &event);
        if (buffer_failed(&out))
            fail_msg("%s does not fit", row->code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_that_was_made),
        cmocka_unit_test(a_share_that_was_refused),
        cmocka_unit_test(a_call_that_the_tree_does_not_know),
        cmocka_unit_test(refusals_that_were_folded_into_this_one_are_counted),
        cmocka_unit_test(a_caller_of_whom_the_kernel_tells_only_the_user),
        cmocka_unit_test(what_the_program_does_itself_has_no_caller),
        cmocka_unit_test(an_errno_without_a_row_is_shown_by_its_own_words),
        cmocka_unit_test(no_name_can_end_the_line_or_add_a_field),
        cmocka_unit_test(the_longest_line_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
