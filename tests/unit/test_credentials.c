/*
 * Credentials: where they come from, what is wrong with them, and what is left of them.
 *
 * A test has a home directory and a systemd credentials directory of its own.
 */
#include "core/cloud/credentials.h"

#include "core/cloud/secret.h"
#include "tests/unit/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TWO_PROFILES                                                                               \
    "[default]\naccess_key = AKDEFAULT\nsecret_key = SKDEFAULT\nregion_id = cn-north-1\n"          \
    "endpoint = www.jdcloud-api.com\nscheme = https\ntimeout = 20\n\n"                             \
    "[other]\naccess_key = AKOTHER\nsecret_key = SK%%OTHER\nregion_id = cn-east-2\n"               \
    "endpoint = cloud.example.com\nscheme = https\n"

struct place {
    struct registry *registry;
    struct buffer warnings, error;
    struct credentials found;
};

static const char *const variables[] = {"JDCLOUD_ACCESS_KEY", "JDCLOUD_SECRET_KEY",
                                        "JDCLOUD_SESSION_TOKEN", "CREDENTIALS_DIRECTORY"};

static int place_setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    char path[PATH_MAX];

    assert_non_null(place);
    assert_int_equal(directory_setup((void **)&place->registry), 0);
    place->warnings = (struct buffer)BUFFER_INIT(4096);
    place->error = (struct buffer)BUFFER_INIT(4096);
    for (size_t i = 0; i < COUNT_OF(variables); i++)
        assert_int_equal(unsetenv(variables[i]), 0);
    assert_int_equal(setenv("HOME", place->registry->directory, 1), 0);
    (void)snprintf(path, sizeof(path), "%.*s/.jdc", PATH_MAX - 64, place->registry->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%.*s/credentials", PATH_MAX - 64,
                   place->registry->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    *state = place;
    return 0;
}

static int place_teardown(void **state)
{
    struct place *place = *state;

    credentials_dispose(&place->found);
    buffer_dispose(&place->warnings);
    buffer_dispose(&place->error);
    assert_int_equal(directory_teardown((void **)&place->registry), 0);
    free(place);
    return 0;
}

/* The file NAME below the home directory. */
static void put(struct place *place, const char *name, const char *text, mode_t mode)
{
    assert_int_equal(chmod(registry_file(place->registry, name, text), mode), 0);
}

static void use_systemd(struct place *place)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%.*s/credentials", PATH_MAX - 64,
                   place->registry->directory);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", path, 1), 0);
}

static void use_environment(const char *access_key, const char *secret_key)
{
    if (access_key)
        assert_int_equal(setenv("JDCLOUD_ACCESS_KEY", access_key, 1), 0);
    if (secret_key)
        assert_int_equal(setenv("JDCLOUD_SECRET_KEY", secret_key, 1), 0);
}

static int look(struct place *place, const char *profile)
{
    credentials_dispose(&place->found);
    buffer_clear(&place->warnings);
    buffer_clear(&place->error);
    int result = credentials_read(profile, &place->warnings, &place->error, &place->found);
    assert_int_equal(result<0, place->error.length> 0);
    if (result < 0) {
        assert_null(place->found.access_key);
        assert_null(place->found.secret_key);
    }
    return result;
}

static void assert_found(struct place *place, const char *profile, const char *access_key,
                         const char *secret_key)
{
    int result = look(place, profile);

    if (result < 0)
        fail_msg("%s", buffer_text(&place->error));
    assert_string_equal(place->found.access_key, access_key);
    assert_string_equal(place->found.secret_key, secret_key);
    assert_lacks(place->found.place, access_key);
    assert_lacks(place->found.place, secret_key);
}

/* The secret keys of these tests. */
static const char *const secrets[] = {"SKDEFAULT", "SKENV", "SKONE",
                                      "SKONLY",    "SKROW", "SKSYSTEMD"};

/* The error holds PART, and no key. */
static void assert_error(struct place *place, const char *profile, int result, const char *part)
{
    assert_int_equal(look(place, profile), result);
    assert_holds(buffer_text(&place->error), part);
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        assert_lacks(buffer_text(&place->error), secrets[i]);
}

/* --- where they come from --- */

static void the_environment_comes_first(void **state)
{
    struct place *place = *state;

    put(place, ".jdc/config", TWO_PROFILES, 0600);
    put(place, "credentials/jdcloud-access-key", "AKSYSTEMD\n", 0400);
    put(place, "credentials/jdcloud-secret-key", "SKSYSTEMD\n", 0400);
    use_systemd(place);
    use_environment("AKENV", "SKENV");
    assert_found(place, NULL, "AKENV", "SKENV");
    assert_null(place->found.token);
    assert_null(place->found.region);
    assert_string_equal(place->found.place, "the environment");
    /* Once. Then what comes next. */
    assert_found(place, NULL, "AKSYSTEMD", "SKSYSTEMD");
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_found(place, NULL, "AKDEFAULT", "SKDEFAULT");
    assert_string_equal(buffer_text(&place->warnings), "");
}

static void nothing_of_the_environment_is_left(void **state)
{
    struct place *place = *state;
    static char access_key[] = "JDCLOUD_ACCESS_KEY=AKENV";
    static char secret_key[] = "JDCLOUD_SECRET_KEY=SKENV";
    static char token[] = "JDCLOUD_SESSION_TOKEN=TOKENENV";

    /* These strings themselves stand in the environment, as the kernel's do. */
    assert_int_equal(putenv(access_key), 0);
    assert_int_equal(putenv(secret_key), 0);
    assert_int_equal(putenv(token), 0);
    assert_found(place, NULL, "AKENV", "SKENV");
    assert_string_equal(place->found.token, "TOKENENV");
    for (size_t i = 0; i < 3; i++)
        assert_null(getenv(variables[i]));
    assert_memory_equal(secret_key + sizeof(secret_key) - 6, "\0\0\0\0\0", 5);
    assert_memory_equal(access_key + sizeof(access_key) - 6, "\0\0\0\0\0", 5);
    assert_memory_equal(token + sizeof(token) - 9, "\0\0\0\0\0\0\0\0", 8);
}

static void a_named_profile_is_all_that_counts(void **state)
{
    struct place *place = *state;

    put(place, ".jdc/config", TWO_PROFILES, 0600);
    put(place, "credentials/jdcloud-access-key", "AKSYSTEMD\n", 0400);
    put(place, "credentials/jdcloud-secret-key", "SKSYSTEMD\n", 0400);
    use_systemd(place);
    use_environment("AKENV", "SKENV");
    assert_found(place, "other", "AKOTHER", "SK%OTHER");
    assert_string_equal(place->found.region, "cn-east-2");
    assert_string_equal(place->found.endpoint, "https://cloud.example.com");
    assert_holds(place->found.place, "/.jdc/config, profile [other]");
    assert_null(getenv("JDCLOUD_SECRET_KEY"));
}

static void the_profile_in_use_is_the_one_that_the_cli_uses(void **state)
{
    struct place *place = *state;

    put(place, ".jdc/config", TWO_PROFILES, 0600);
    assert_found(place, NULL, "AKDEFAULT", "SKDEFAULT"); /* no file current */
    assert_string_equal(place->found.region, "cn-north-1");
    assert_null(place->found.endpoint); /* the CLI's own */
    put(place, ".jdc/current", "other", 0644);
    assert_found(place, NULL, "AKOTHER", "SK%OTHER");
    put(place, ".jdc/current", "other\n", 0644);
    assert_found(place, NULL, "AKOTHER", "SK%OTHER");
    put(place, ".jdc/current", "", 0644);
    assert_found(place, NULL, "AKDEFAULT", "SKDEFAULT");
    put(place, ".jdc/current", "gone", 0644);
    assert_error(place, NULL, -ENOENT, "there is no profile [gone]");
}

static void a_systemd_credential_can_be_a_profile(void **state)
{
    struct place *place = *state;

    use_systemd(place);
    put(place, ".jdc/config", TWO_PROFILES, 0600);
    put(place, "credentials/jdcloud",
        "[only]\naccess_key=AKONLY\nsecret_key=SKONLY\nsession_token=TOKEN\n", 0400);
    assert_found(place, NULL, "AKONLY", "SKONLY");
    assert_string_equal(place->found.token, "TOKEN");
    assert_found(place, "only", "AKONLY", "SKONLY");
    assert_error(place, "other", -ENOENT, "there is no profile [other]");
    put(place, "credentials/jdcloud", TWO_PROFILES, 0400);
    assert_found(place, NULL, "AKDEFAULT", "SKDEFAULT");
    put(place, "credentials/jdcloud-session-token", "TOKEN2\r\n", 0400);
    assert_error(place, NULL, -EINVAL, "jdcloud-access-key is missing");
    put(place, "credentials/jdcloud-access-key", "AKONE", 0400);
    put(place, "credentials/jdcloud-secret-key", "SKONE", 0400);
    assert_found(place, NULL, "AKONE", "SKONE");
    assert_string_equal(place->found.token, "TOKEN2");
}

static void the_home_directory_is_known_without_the_variable(void **state)
{
    struct place *place = *state;
    struct buffer *error = &place->error;

    assert_int_equal(unsetenv("HOME"), 0);
    /* What is there depends on who runs this; that it is looked for does not. */
    int result = credentials_read("no-such-profile", &place->warnings, error, &place->found);
    assert_true(result < 0);
    assert_lacks(buffer_text(error), "set HOME");
    assert_holds(buffer_text(error), "/.jdc/config");
}

/* --- who can read them --- */

static void the_clis_own_file_is_read_and_warned_of(void **state)
{
    struct place *place = *state;

    put(place, ".jdc/config", TWO_PROFILES, 0644);
    put(place, ".jdc/current", "default", 0644);
    assert_found(place, NULL, "AKDEFAULT", "SKDEFAULT");
    assert_holds(buffer_text(&place->warnings), "/.jdc/config: mode 0644: others can read");
    assert_holds(buffer_text(&place->warnings), "run: chmod 600 ");
    assert_lacks(buffer_text(&place->warnings), "current");
    put(place, ".jdc/config", TWO_PROFILES, 0666);
    assert_found(place, NULL, "AKDEFAULT", "SKDEFAULT");
    assert_holds(buffer_text(&place->warnings), "read or replace");
    put(place, ".jdc/config", TWO_PROFILES, 0400);
    assert_found(place, NULL, "AKDEFAULT", "SKDEFAULT");
    assert_string_equal(buffer_text(&place->warnings), "");
}

static void another_file_that_others_can_read_is_refused(void **state)
{
    static const mode_t bad[] = {0444, 0404, 0660, 0602, 0604};
    struct place *place = *state;

    use_systemd(place);
    put(place, "credentials/jdcloud-access-key", "AKONE", 0400);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        put(place, "credentials/jdcloud-secret-key", "SKONE", bad[i]);
        assert_error(place, NULL, -EPERM, "jdcloud-secret-key: mode 0");
        assert_holds(buffer_text(&place->error), "run: chmod 600 ");
        assert_int_equal(chmod(registry_file(place->registry, "credentials/x", ""), 0600), 0);
    }
    /* As systemd makes them, if this runs as root. */
    put(place, "credentials/jdcloud-secret-key", "SKONE", geteuid() == 0 ? 0440 : 0400);
    assert_found(place, NULL, "AKONE", "SKONE");
    assert_int_equal(
        chmod(registry_file(place->registry, "credentials/jdcloud-secret-key", "SKONE"), 0600), 0);
    put(place, "credentials/jdcloud-access-key", "AKONE", 0444);
    assert_error(place, NULL, -EPERM, "jdcloud-access-key: mode 0444");
}

/* --- what is wrong with them --- */

static void half_a_key_is_none(void **state)
{
    struct place *place = *state;

    use_environment("AKENV", NULL);
    assert_error(place, NULL, -EINVAL, "the environment: JDCLOUD_SECRET_KEY is missing");
    use_environment(NULL, "SKENV");
    assert_error(place, NULL, -EINVAL, "the environment: JDCLOUD_ACCESS_KEY is missing");
    use_environment("AKENV", "");
    assert_error(place, NULL, -EINVAL, "JDCLOUD_SECRET_KEY is missing");
    assert_int_equal(setenv("JDCLOUD_SESSION_TOKEN", "TOKEN", 1), 0);
    assert_error(place, NULL, -EINVAL, "JDCLOUD_ACCESS_KEY is missing");
    use_environment("", ""); /* as if they were not set */
    assert_error(place, NULL, -ENOENT, "no access key: set JDCLOUD_ACCESS_KEY");
    assert_holds(buffer_text(&place->error), "/.jdc/config");
}

static void a_key_that_cannot_be_one_is_refused(void **state)
{
    struct place *place = *state;
    char long_key[1024];

    memset(long_key, 'A', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    use_environment("AKENV", "SKENV\n");
    assert_error(place, NULL, -EINVAL, "JDCLOUD_SECRET_KEY holds a space");
    use_environment("AK ENV", "SKENV");
    assert_error(place, NULL, -EINVAL, "JDCLOUD_ACCESS_KEY holds a space");
    use_environment("AKENV", "SKENV\x1b");
    assert_error(place, NULL, -EINVAL, "a control character");
    use_environment("AKENV", long_key);
    assert_error(place, NULL, -EINVAL, "JDCLOUD_SECRET_KEY is too long");
    use_systemd(place);
    put(place, "credentials/jdcloud-access-key", "", 0400);
    put(place, "credentials/jdcloud-secret-key", "SKONE", 0400);
    assert_error(place, NULL, -EINVAL, "jdcloud-access-key is empty");
}

static void each_fault_of_a_profile_has_its_place(void **state)
{
    static const struct {
        const char *text, *part;
        int result;
    } rows[] = {
        {"[default]\nsecret_key=SKROW\n", "profile [default]: access_key is missing", -EINVAL},
        {"[default]\naccess_key=AK\n", "profile [default]: secret_key is missing", -EINVAL},
        {"[default]\naccess_key=AK\nsecret_key=\n", "secret_key is empty", -EINVAL},
        {"[default]\naccess_key=AK\nsecret_key=SKROW\nregion_id=\n", "region_id is empty", -EINVAL},
        {"[default]\naccess_key=AK\nsecret_key=SKROW\nsession_token=\n", "session_token is empty",
         -EINVAL},
        {"[default]\naccess_key=AK\nsecret_key=SKROW K\n", "secret_key holds a space", -EINVAL},
        {"[default]\naccess_key=AK\n\nsecret_key=SKROW%K\n",
         "config:4: secret_key holds a % that must be written %%", -EINVAL},
        {"[default]\naccess_key=AK\nsecret_key=SKROW%%%\n", "config:3: secret_key holds a %",
         -EINVAL},
        {"[default]\naccess_key=AK\nsecret_key=SKROW\nsecret_key=SKROW\n",
         "config:4: secret_key comes twice", -EINVAL},
        {"[default]\naccess_key=AK\nsecret_key=SKROW\n  SKROW2\n",
         "config:4: secret_key comes twice, or goes on", -EINVAL},
        {"[default]\naccess_key=AK\nwhat is this\nsecret_key=SKROW\n",
         "config:3: neither [profile] nor name = value", -EINVAL},
        {"[default\naccess_key=AK\nsecret_key=SKROW\n", "config:1: neither [profile]", -EINVAL},
        {"", "there is no profile [default]", -ENOENT},
        {"[Default]\naccess_key=AK\nsecret_key=SKROW\n", "there is no profile [default]", -ENOENT},
    };
    struct place *place = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put(place, ".jdc/config", rows[i].text, 0600);
        assert_error(place, NULL, rows[i].result, rows[i].part);
    }
}

static void a_line_that_is_too_long_is_not_read_as_two(void **state)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(4096);
    struct place *place = *state;

    buffer_puts(&text, "[default]\nsecret_key=SKROW\nnote=");
    for (int i = 0; i < 194; i++)
        buffer_puts(&text, "x");
    buffer_puts(&text, "access_key=AKHIDDEN\n");
    put(place, ".jdc/config", buffer_text(&text), 0600);
    assert_error(place, NULL, -EINVAL, "config:3: the line is too long");
}

static void what_is_no_file_of_that_kind_is_told(void **state)
{
    struct place *place = *state;
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%.*s/.jdc/config", PATH_MAX - 64,
                   place->registry->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_error(place, NULL, -EINVAL, "/.jdc/config: not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* which nobody writes */
    assert_error(place, NULL, -EINVAL, "/.jdc/config: not a regular file");
    assert_int_equal(unlink(path), 0);
    put(place, ".jdc/config", TWO_PROFILES, 0600);
    FILE *file = fopen(path, "re+");
    assert_non_null(file);
    assert_int_equal(fputc('\0', file), 0);
    assert_int_equal(fclose(file), 0);
    assert_error(place, NULL, -EINVAL, "/.jdc/config: not a text: it holds a NUL");
    assert_error(place, "a-name-of-more-than-forty-nine-bytes-which-is-too-long", -EINVAL,
                 "49 bytes at most");
    /* A file without an end, and a name of a profile that is as long. */
    CLEANUP_FREE char *large = calloc(1, (64 << 10) + 1);
    assert_non_null(large);
    memset(large, 'x', 64 << 10);
    put(place, ".jdc/config", large, 0600);
    assert_error(place, NULL, -EFBIG, "/.jdc/config: File too large");
    large[200] = '\0';
    put(place, ".jdc/config", TWO_PROFILES, 0600);
    put(place, ".jdc/current", large, 0600);
    assert_error(place, NULL, -EINVAL, "/.jdc/current: the name of the profile is too long");
    obey_file_modes();
    put(place, ".jdc/config", TWO_PROFILES, 0000);
    put(place, ".jdc/current", "default", 0600);
    assert_error(place, NULL, -EACCES, "/.jdc/config: Permission denied");
    assert_int_equal(chmod(path, 0600), 0);
}

/* --- the memory of keys --- */

/* The flags of the mapping that holds ADDRESS, from /proc. */
static void flags_of(const void *address, char *out, size_t size)
{
    CLEANUP_FCLOSE FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false;

    out[0] = '\0';
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        unsigned long start = 0;
        unsigned long end = 0;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            here = (unsigned long)address >= start && (unsigned long)address < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            (void)snprintf(out, size, "%s", line);
    }
}

static void no_core_file_holds_a_secret_key(void **state)
{
    struct place *place = *state;
    char flags[512];

    use_environment("AKENV", "SKENV");
    assert_found(place, NULL, "AKENV", "SKENV");
    flags_of(place->found.secret_key, flags, sizeof(flags));
    assert_holds(flags, " dd "); /* MADV_DONTDUMP */
}

static void secret_memory_is_zero_and_as_large_as_asked(void **state)
{
    char *memory = secret_new(100000);

    (void)state;
    assert_non_null(memory);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(memory[i], 0);
    memset(memory, 'x', 100000);
    secret_free(memory);
    secret_free(NULL);
    assert_null(secret_new((size_t)-1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_environment_comes_first),
        TEST(nothing_of_the_environment_is_left),
        TEST(a_named_profile_is_all_that_counts),
        TEST(the_profile_in_use_is_the_one_that_the_cli_uses),
        TEST(a_systemd_credential_can_be_a_profile),
        TEST(the_home_directory_is_known_without_the_variable),
        TEST(the_clis_own_file_is_read_and_warned_of),
        TEST(another_file_that_others_can_read_is_refused),
        TEST(half_a_key_is_none),
        TEST(a_key_that_cannot_be_one_is_refused),
        TEST(each_fault_of_a_profile_has_its_place),
        TEST(a_line_that_is_too_long_is_not_read_as_two),
        TEST(no_core_file_holds_a_secret_key),
        TEST(secret_memory_is_zero_and_as_large_as_asked),
        /* last: from then on file modes bind this process */
        TEST(what_is_no_file_of_that_kind_is_told),
    };

    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
