/*
 * Which names can be shared with: what people type as a User Pin passes, and what shells, editors
 * and copying programs leave in a directory does not.
 */
#include "core/rules/pin.h"

#include "core/rules/refusal.h"
#include "tests/unit/support.h"

#include <string.h>

static void each_is(const char *const names[], size_t count, int result)
{
    for (size_t i = 0; i < count; i++)
        if (pin_check(names[i]) != result)
            fail_msg("\"%s\": %d instead of %d", names[i], pin_check(names[i]), result);
}

static void what_people_have_as_a_pin_passes(void **state)
{
    static const char *const names[] = {
        "alice",
        "Alice",
        "jcloud-demo",
        "jd_4f2a9c1b7e",
        "dept.04",
        "user@example.com",
        "user+test@example.com",
        "13800138000", /* a digit string can be a pin; an account's mobile number is a rule of its
                          own */
        "0",
        "a",
        "a:b=c%d^e",
        "50%",
    };

    (void)state;
    each_is(names, COUNT_OF(names), 0);
}

static void a_pin_may_be_in_any_script(void **state)
{
    static const char *const names[] = {
        "\xe5\xbc\xa0\xe4\xb8\x89",                             /* Zhang San */
        "\xe4\xba\xac\xe4\xb8\x9c-\xe6\xb5\x8b\xe8\xaf\x95_01", /* JD test */
        "\xf0\xa0\xae\xb7\xe9\x87\x8e\xe5\xae\xb6",             /* a character beyond the BMP */
        "\xef\xbc\x88\xe5\xa4\xb4\xef\xbc\x89", /* full-width brackets: no shell knows them */
        "\xd0\xbc\xd0\xb0\xd1\x88\xd0\xb0",
        "Jos\xc3\xa9",
        "\xed\x95\x9c\xea\xb5\xad",
    };

    (void)state;
    each_is(names, COUNT_OF(names), 0);
}

static void what_only_looks_like_a_leftover_passes(void **state)
{
    static const char *const names[] = {
        "sedAbC12",   "sedAbC1234",  "sedan",  "xsedAbC123", "sed-bC123",  "tmp",   "tmp.", "tmpfs",
        "4913x",      "49130",       "core1",  "corel",      "score",      "nohup", "swp",  "bak",
        "department", "alice.parts", "thumbs", "dpkg-new",   "alice-dpkg",
    };

    (void)state;
    each_is(names, COUNT_OF(names), 0);
}

static void what_a_shell_would_have_changed_is_no_pin(void **state)
{
    static const char *const names[] = {
        "*",     "a*", "a?", "[a]", "a]",  "{a,b}", "a}",   "$(id)",     "$USER", "a\\b",
        "\"a\"", "'",  "<a", "a>",  "a|b", "a;b",   "a&",   "a,b",       "~",     "a~",
        "#a",    "a#", "!",  "`",   "(",   ")",     "a\"b", "alice,bob",
    };

    (void)state;
    each_is(names, COUNT_OF(names), -REFUSAL_PIN_INVALID);
}

static void white_space_and_controls_are_no_pin(void **state)
{
    static const char *const names[] = {
        "a b", " a", "a ", "a\tb", "a\n", "a\r", "\x01", "a\x1b[0m", "\x7f", "Untitled Folder",
    };

    (void)state;
    each_is(names, COUNT_OF(names), -REFUSAL_PIN_INVALID);
}

/* Two names that look alike must not be two accounts. */
static void what_nobody_sees_is_no_pin(void **state)
{
    static const struct {
        const char *name;
        const char *what;
    } rows[] = {
        {"a\xc2\x85", "U+0085 next line"},
        {"a\xc2\x9b", "U+009B control sequence introducer"},
        {"a\xc2\xa0", "U+00A0 no-break space"},
        {"a\xc2\xad", "U+00AD soft hyphen"},
        {"a\xcd\x8f", "U+034F combining grapheme joiner"},
        {"a\xd8\x9c", "U+061C Arabic letter mark"},
        {"a\xe1\x85\x9f", "U+115F Hangul filler"},
        {"a\xe1\x9a\x80", "U+1680 Ogham space"},
        {"a\xe1\xa0\x8e", "U+180E Mongolian vowel separator"},
        {"a\xe2\x80\x8b", "U+200B zero width space"},
        {"a\xe2\x80\x8d", "U+200D zero width joiner"},
        {"a\xe2\x80\xae", "U+202E right-to-left override"},
        {"a\xe2\x80\xa8", "U+2028 line separator"},
        {"a\xe2\x81\xa0", "U+2060 word joiner"},
        {"a\xe2\x81\xa9", "U+2069 pop directional isolate"},
        {"a\xe3\x80\x80", "U+3000 ideographic space"},
        {"a\xe3\x85\xa4", "U+3164 Hangul filler"},
        {"a\xef\xb8\x8f", "U+FE0F variation selector"},
        {"\xef\xbb\xbf"
         "a",
         "U+FEFF byte order mark"},
        {"a\xef\xbe\xa0", "U+FFA0 half-width Hangul filler"},
        {"a\xef\xbf\xba", "U+FFFA interlinear annotation"},
        {"a\xf3\xa0\x81\x81", "U+E0041 tag letter"},
        {"a\xf3\xa0\x84\x80", "U+E0100 variation selector"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (pin_check(rows[i].name) != -REFUSAL_PIN_INVALID)
            fail_msg("%s passed", rows[i].what);
}

static void ill_formed_text_is_no_pin(void **state)
{
    static const char *const names[] = {
        "", "\xff", "a\xc0\xaf", "\xed\xa0\x80", "\xe6\x95", "a/b", "/",
    };

    (void)state;
    each_is(names, COUNT_OF(names), -REFUSAL_PIN_INVALID);
}

static void a_leading_dot_or_dash_is_no_pin(void **state)
{
    static const char *const names[] = {".", "..", ".alice", "...", "-", "-rf", "--help"};

    (void)state;
    each_is(names, COUNT_OF(names), -REFUSAL_PIN_INVALID);
}

static void what_programs_leave_behind_is_never_shared_with(void **state)
{
    static const struct {
        const char *program;
        const char *name;
    } rows[] = {
        {"rsync", ".alice.Xy12Zw"},
        {"rsync --partial-dir", ".rsync-partial"},
        {"sed -i", "sedXk3VqP"},
        {"sed -i", "sed123456"},
        {"vim", ".alice.swp"},
        {"vim", "alice.swp"},
        {"vim", "4913"},
        {"vim", "alice~"},
        {"emacs", "#alice#"},
        {"emacs", ".#alice"},
        {"emacs", "alice~"},
        {"nano", ".alice.swp"},
        {"kate", ".alice.kate-swp"},
        {"joe", "alice~"},
        {"mktemp", "tmp.Xk3VqPaaaa"},
        {"ansible", ".ansible_tmpab12cd_falice"},
        {"gio", ".goutputstream-XK3VQ1"},
        {"dpkg", "alice.dpkg-new"},
        {"dpkg", "alice.dpkg-tmp"},
        {"dpkg", "alice.dpkg-dist"},
        {"patch", "alice.orig"},
        {"patch", "alice.rej"},
        {"a shell's habit", "alice.bak"},
        {"a shell's habit", "alice.tmp"},
        {"browsers", "alice.part"},
        {"nohup", "nohup.out"},
        {"a crash", "core"},
        {"the GNOME file manager", "alice (copy)"},
        {"the GNOME file manager", "Untitled Document"},
        {"the KDE file manager", ".directory"},
        {"the KDE file manager", "alice.part"},
        {"the desktop's trash", ".Trash-1000"},
        {"macOS", ".DS_Store"},
        {"macOS", "._alice"},
        {"Windows", "desktop.ini"},
        {"Windows", "Thumbs.db"},
        {"Windows", "autorun.inf"},
        {"Windows", "New Text Document.txt"},
        {"FUSE", ".fuse_hidden0000000100000001"},
        {"NFS", ".nfs000000000000000100000001"},
        {"LibreOffice", ".~lock.alice#"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct refusal_row *row = refusal_of(pin_check(rows[i].name));
        if (!row)
            fail_msg("\"%s\" of %s passed", rows[i].name, rows[i].program);
        else
            assert_string_equal(row->error_name, "EINVAL");
    }
}

static void the_refusal_of_a_leftover_says_that_it_is_one(void **state)
{
    static const char *const names[] = {
        "sedXk3VqP", "tmp.Xk3VqPaaaa", "4913",        "core",      "nohup.out",
        "a.tmp",     "a.part",         "a.swp",       "a.bak",     "a.orig",
        "a.rej",     "a.dpkg-new",     "desktop.ini", "Thumbs.db", "autorun.inf",
    };

    (void)state;
    each_is(names, COUNT_OF(names), -REFUSAL_PIN_LEFTOVER);
}

static void a_pin_has_255_bytes_at_most(void **state)
{
    char name[257];
    char chinese[259];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    assert_refused(pin_check(name), "pin-too-long");
    name[255] = '\0';
    assert_done(pin_check(name));

    /* Bytes, not characters: 85 of three bytes fit, and one byte more does not. */
    for (size_t i = 0; i < 258; i += 3)
        memcpy(chinese + i, "\xe5\xbc\xa0", 3);
    chinese[255] = '\0';
    assert_done(pin_check(chinese));
    chinese[255] = 'x';
    chinese[256] = '\0';
    assert_refused(pin_check(chinese), "pin-too-long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_have_as_a_pin_passes),
        cmocka_unit_test(a_pin_may_be_in_any_script),
        cmocka_unit_test(what_only_looks_like_a_leftover_passes),
        cmocka_unit_test(what_a_shell_would_have_changed_is_no_pin),
        cmocka_unit_test(white_space_and_controls_are_no_pin),
        cmocka_unit_test(what_nobody_sees_is_no_pin),
        cmocka_unit_test(ill_formed_text_is_no_pin),
        cmocka_unit_test(a_leading_dot_or_dash_is_no_pin),
        cmocka_unit_test(what_programs_leave_behind_is_never_shared_with),
        cmocka_unit_test(the_refusal_of_a_leftover_says_that_it_is_one),
        cmocka_unit_test(a_pin_has_255_bytes_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
