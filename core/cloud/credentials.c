/* Who asks the cloud: see the header. */
#include "core/cloud/credentials.h"

#include "core/base/home.h"
#include "core/base/text.h"
#include "core/cloud/profile.h"
#include "core/cloud/secret.h"
#include "core/cloud/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (64 << 10)
#define ACCESS_KEY_MAX 256
#define TOKEN_MAX (8 << 10)
#define REGION_MAX 64

/* The host with which the CLI comes: it has every service behind it. Here each has its own. */
#define CLI_ENDPOINT "www.jdcloud-api.com"

/* What has been found, in secret memory, with the places for messages. */
struct found {
    const char *access_key, *secret_key, *token; /* NULL for what is not there */
    const char *access_name, *secret_name, *token_name;
    const char *place; /* of all three */
};

static int fail(struct buffer *error, int result, const char *path, const char *what)
{
    text_escape(error, path);
    buffer_printf(error, ": %s", what);
    return result;
}

/* --- what was found --- */

/* Keys are printable and without spaces: they go into headers. */
static bool is_clean(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static int check_value(const char *place, const char *name, const char *value, size_t most,
                       struct buffer *error)
{
    const char *fault = NULL;

    if (!*value)
        fault = "is empty";
    else if (!is_clean(value))
        fault = "holds a space, a control character or what is not ASCII";
    else if (strlen(value) > most)
        fault = "is too long";
    if (!fault)
        return 0;
    text_escape(error, place);
    buffer_printf(error, ": %s %s; write it again as the console shows it", name, fault);
    return -EINVAL;
}

static int tell_half(const struct found *found, struct buffer *error)
{
    text_escape(error, found->place);
    buffer_printf(error, ": %s is missing; %s and %s belong together",
                  found->access_key ? found->secret_name : found->access_name, found->access_name,
                  found->secret_name);
    return -EINVAL;
}

/* Copies FOUND to OUT if it is sound. */
static int take(const struct found *found, struct buffer *error, struct credentials *out)
{
    if (!found->access_key || !found->secret_key)
        return tell_half(found, error);
    int result =
        check_value(found->place, found->access_name, found->access_key, ACCESS_KEY_MAX, error);
    if (result == 0)
        result = check_value(found->place, found->secret_name, found->secret_key, SIGN_SECRET_MAX,
                             error);
    if (result == 0 && found->token)
        result = check_value(found->place, found->token_name, found->token, TOKEN_MAX, error);
    if (result < 0)
        return result;
    out->access_key = strdup(found->access_key);
    out->secret_key = secret_copy(found->secret_key);
    out->token = found->token ? secret_copy(found->token) : NULL;
    out->place = strdup(found->place);
    if (!out->access_key || !out->secret_key || (found->token && !out->token) || !out->place) {
        buffer_puts(error, "there is no memory for the keys");
        return -ENOMEM;
    }
    return 0;
}

/* --- the environment --- */

/* The value of the variable NAME in secret memory, with no trace left of it. NULL where it is not
 * set, or is empty. A variable can stand there twice; the first counts. */
static char *take_variable(const char *name)
{
    const char *value = getenv(name);
    char *copy = value && *value ? secret_copy(value) : NULL;
    size_t length = strlen(name);

    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            explicit_bzero(*entry + length + 1, strlen(*entry + length + 1));
    (void)unsetenv(name);
    return copy;
}

/* Returns 1 if the environment holds credentials and they are to be used; in any case it does not
 * hold them any more. */
static int read_environment(bool use, struct buffer *error, struct credentials *out)
{
    CLEANUP_SECRET char *access_key = take_variable("JDCLOUD_ACCESS_KEY");
    CLEANUP_SECRET char *secret_key = take_variable("JDCLOUD_SECRET_KEY");
    CLEANUP_SECRET char *token = take_variable("JDCLOUD_SESSION_TOKEN");
    const struct found found = {
        .access_key = access_key,
        .secret_key = secret_key,
        .token = token,
        .access_name = "JDCLOUD_ACCESS_KEY",
        .secret_name = "JDCLOUD_SECRET_KEY",
        .token_name = "JDCLOUD_SESSION_TOKEN",
        .place = "the environment",
    };

    if (!use || (!access_key && !secret_key && !token))
        return 0;
    int result = take(&found, error, out);
    return result < 0 ? result : 1;
}

/* --- files --- */

/* Others than the owner of a file may not read it. What systemd makes is root's, and its group's
 * where an access control list lets the service's user in. */
static bool is_private(const struct stat *status)
{
    bool systemd = status->st_uid == 0 && status->st_gid == 0;

    return (status->st_mode & (systemd ? 0027 : 0077)) == 0;
}

/* Tells of the mode of PATH and what to do about it. */
static void tell_mode(const char *path, const struct stat *status, struct buffer *out)
{
    text_escape(out, path);
    buffer_printf(out, ": mode %04o: others can %s the secret key; run: chmod 600 ",
                  (unsigned)status->st_mode & 07777,
                  status->st_mode & 0022 ? "read or replace" : "read");
    text_escape(out, path);
}

static int read_bytes(int fd, char *text, size_t *length)
{
    for (*length = 0; *length < FILE_MAX;) {
        ssize_t got = read(fd, text + *length, FILE_MAX - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        *length += (size_t)got;
    }
    return -EFBIG;
}

/* Reads PATH into *TEXT, secret memory with a NUL at its end. WARNINGS: a file that others can read
 * is allowed, and told there; NULL: it is not. Returns 1, 0 if there is no such file, or a negative
 * errno. */
static int read_file(const char *path, struct buffer *warnings, struct buffer *error, char **text,
                     size_t *length)
{
    struct stat status;
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0 || fstat(fd, &status) < 0) {
        int result = -errno;
        return fail(error, result, path, strerror(-result));
    }
    if (!S_ISREG(status.st_mode))
        return fail(error, -EINVAL, path, "not a regular file");
    if (!is_private(&status)) {
        tell_mode(path, &status, warnings ? warnings : error);
        if (!warnings)
            return -EPERM;
        buffer_puts(warnings, "\n");
    }
    *text = secret_new(FILE_MAX + 1);
    int result = *text ? read_bytes(fd, *text, length) : -ENOMEM;
    if (result < 0)
        return fail(error, result, path, strerror(-result));
    return 1;
}

static int path_of(const char *directory, const char *name, char out[PATH_MAX],
                   struct buffer *error)
{
    int length = snprintf(out, PATH_MAX, "%s/%s", directory, name);

    return length < PATH_MAX ? 0 : fail(error, -ENAMETOOLONG, directory, "the path is too long");
}

/* --- a profile --- */

static int copy_endpoint(const struct profile *profile, struct credentials *out)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1024);
    const char *endpoint = profile_value(profile, PROFILE_ENDPOINT);
    const char *scheme = profile_value(profile, PROFILE_SCHEME);

    if (!endpoint || !*endpoint || strcmp(endpoint, CLI_ENDPOINT) == 0)
        return 0;
    if (!strstr(endpoint, "://"))
        buffer_printf(&text, "%s://", scheme && *scheme ? scheme : "https");
    buffer_puts(&text, endpoint);
    if (buffer_failed(&text))
        return -ENOMEM;
    out->endpoint = STEAL(text.text);
    return 0;
}

static int copy_region(const struct profile *profile, const char *place, struct buffer *error,
                       struct credentials *out)
{
    const char *region = profile_value(profile, PROFILE_REGION_ID);

    if (!region)
        return 0;
    int result = check_value(place, "region_id", region, REGION_MAX, error);
    if (result < 0)
        return result;
    out->region = strdup(region);
    return out->region ? 0 : -ENOMEM;
}

static int take_profile(const struct profile *profile, const char *path, struct buffer *error,
                        struct credentials *out)
{
    CLEANUP_BUFFER struct buffer place = BUFFER_INIT(PATH_MAX + 128);

    buffer_printf(&place, "%s, profile [%s]", path, profile->name);
    if (buffer_failed(&place))
        return -ENOMEM;
    const struct found found = {
        .access_key = profile_value(profile, PROFILE_ACCESS_KEY),
        .secret_key = profile_value(profile, PROFILE_SECRET_KEY),
        .token = profile_value(profile, PROFILE_SESSION_TOKEN),
        .access_name = "access_key",
        .secret_name = "secret_key",
        .token_name = "session_token",
        .place = buffer_text(&place),
    };
    int result = take(&found, error, out);
    if (result == 0)
        result = copy_region(profile, found.place, error, out);
    return result < 0 ? result : copy_endpoint(profile, out);
}

/* Returns 1, 0 if there is no such file, or a negative errno. */
static int read_profile(const char *path, const char *name, struct buffer *warnings,
                        struct buffer *error, struct credentials *out)
{
    CLEANUP_SECRET struct profile *profile = secret_new(sizeof(*profile));
    CLEANUP_SECRET char *text = NULL;
    size_t length = 0;

    if (!profile)
        return fail(error, -ENOMEM, path, strerror(ENOMEM));
    int result = read_file(path, warnings, error, &text, &length);
    if (result <= 0)
        return result;
    if (name && strlen(name) > PROFILE_NAME_MAX) {
        buffer_printf(error, "profile=: a name has %d bytes at most", PROFILE_NAME_MAX);
        return -EINVAL;
    }
    result = profile_read(text, length, path, name, profile, error);
    if (result == 0)
        result = take_profile(profile, path, error, out);
    return result < 0 ? result : 1;
}

/* --- systemd --- */

/* A credential of one value, without the end of its line. Returns 1, 0 or a negative errno. */
static int read_credential(const char *directory, const char *name, struct buffer *error,
                           char **text)
{
    char path[PATH_MAX];
    size_t length = 0;
    int result = path_of(directory, name, path, error);

    if (result == 0)
        result = read_file(path, NULL, error, text, &length);
    if (result < 0 || !*text)
        return result;
    if (memchr(*text, '\0', length))
        return fail(error, -EINVAL, path, "holds a NUL");
    if (length > 0 && (*text)[length - 1] == '\n')
        (*text)[--length] = '\0';
    if (length > 0 && (*text)[length - 1] == '\r')
        (*text)[--length] = '\0';
    return 1;
}

static int read_credentials(const char *directory, struct buffer *error, struct credentials *out)
{
    CLEANUP_SECRET char *access_key = NULL;
    CLEANUP_SECRET char *secret_key = NULL;
    CLEANUP_SECRET char *token = NULL;
    int result = read_credential(directory, "jdcloud-access-key", error, &access_key);

    if (result >= 0)
        result = read_credential(directory, "jdcloud-secret-key", error, &secret_key);
    if (result >= 0)
        result = read_credential(directory, "jdcloud-session-token", error, &token);
    if (result < 0 || (!access_key && !secret_key && !token))
        return result;
    const struct found found = {
        .access_key = access_key,
        .secret_key = secret_key,
        .token = token,
        .access_name = "jdcloud-access-key",
        .secret_name = "jdcloud-secret-key",
        .token_name = "jdcloud-session-token",
        .place = directory,
    };
    result = take(&found, error, out);
    return result < 0 ? result : 1;
}

static int read_systemd(const char *profile, struct buffer *error, struct credentials *out)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX];

    if (!directory || !*directory)
        return 0;
    int result = profile ? 0 : read_credentials(directory, error, out);
    if (result == 0)
        result = path_of(directory, "jdcloud", path, error);
    else
        return result;
    return result < 0 ? result : read_profile(path, profile, NULL, error, out);
}

/* --- the official CLI --- */

static int find_home(char out[PATH_MAX], struct buffer *error)
{
    CLEANUP_BUFFER struct buffer home = BUFFER_INIT(PATH_MAX);
    int result = home_find(&home, error);

    return result < 0 ? result : path_of(buffer_text(&home), ".jdc", out, error);
}

/* The profile in use, "default" where none is named. */
static int read_current(const char *directory, struct buffer *error,
                        char name[PROFILE_NAME_MAX + 1])
{
    CLEANUP_BUFFER struct buffer unheeded = BUFFER_INIT(PATH_MAX); /* a name is no secret */
    CLEANUP_SECRET char *text = NULL;
    size_t length = 0;
    char path[PATH_MAX];
    int result = path_of(directory, "current", path, error);

    if (result == 0)
        result = read_file(path, &unheeded, error, &text, &length);
    if (result < 0)
        return result;
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        text[--length] = '\0';
    if (length > PROFILE_NAME_MAX)
        return fail(error, -EINVAL, path, "the name of the profile is too long");
    (void)snprintf(name, PROFILE_NAME_MAX + 1, "%s", length > 0 ? text : "default");
    return 0;
}

static int read_cli(const char *profile, struct buffer *warnings, struct buffer *error,
                    struct credentials *out)
{
    char directory[PATH_MAX];
    char path[PATH_MAX];
    char current[PROFILE_NAME_MAX + 1];
    int result = find_home(directory, error);

    if (result == 0 && !profile) {
        result = read_current(directory, error, current);
        profile = current;
    }
    if (result == 0)
        result = path_of(directory, "config", path, error);
    if (result < 0)
        return result;
    result = read_profile(path, profile, warnings, error, out);
    if (result != 0)
        return result < 0 ? result : 0;
    buffer_puts(error, "no access key: set JDCLOUD_ACCESS_KEY and JDCLOUD_SECRET_KEY, or give the "
                       "service the credentials jdcloud-access-key and jdcloud-secret-key, or run "
                       "jdc configure add, which writes ");
    text_escape(error, path);
    return -ENOENT;
}

int credentials_read(const char *profile, struct buffer *warnings, struct buffer *error,
                     struct credentials *out)
{
    memset(out, 0, sizeof(*out));
    int result = read_environment(!profile, error, out);
    if (result == 0)
        result = read_systemd(profile, error, out);
    if (result == 0)
        result = read_cli(profile, warnings, error, out);
    if (result < 0 && error->length == 0)
        buffer_puts(error, strerror(-result));
    if (result < 0)
        credentials_dispose(out);
    return result < 0 ? result : 0;
}

void credentials_dispose(struct credentials *credentials)
{
    if (credentials->access_key)
        explicit_bzero(credentials->access_key, strlen(credentials->access_key));
    free(STEAL(credentials->access_key));
    secret_free(STEAL(credentials->secret_key));
    secret_free(STEAL(credentials->token));
    free(STEAL(credentials->region));
    free(STEAL(credentials->endpoint));
    free(STEAL(credentials->place));
}
