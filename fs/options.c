/* The command line: see the header. */
#include "fs/options.h"

#include "fs/log.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include <fuse_opt.h>

static const char help_text[] =
    "Usage: imgsharefs [-f] [-d] [-s] [--check] [-o OPTION[,OPTION...]] SOURCE MOUNTPOINT\n"
    "Shows the private VM images of an account as directories; touch shares, rm cancels.\n"
    "SOURCE is a registry (a file made by imgshare), or jdcloud:REGION (jdcloud:cn-north-1).\n"
    "\n"
    "  -f               stay in the foreground, messages to stderr\n"
    "  -d               like -f with loglevel=debug: log each request\n"
    "  -s               ignore options that are not known\n"
    "  --check          check options and mount point, and mount nothing\n"
    "  -h, --help       this text\n"
    "  -V, --version    the version\n"
    "\n"
    "Options after -o:\n"
    "  account=PIN      act for this account (needed when the registry holds several)\n"
    "  ro               read-only\n"
    "  nocancel         cancel no shares\n"
    "  maxcancel=N      a process may cancel at most N shares of an image a minute (0: no limit)\n"
    "  allow=FILE       share only with the pins in FILE, one a line\n"
    "  trust=FILE       pins whose images are shown as trusted\n"
    "  uid=N            owner of all files (default: who mounts)\n"
    "  gid=N            group of all files\n"
    "  umask=OCTAL      permission bits to take away (default 022)\n"
    "  allow_other      other users may use the mount, as far as the mode bits let them\n"
    "  loglevel=LEVEL   what is logged: error, warning, info (the default), debug\n"
    "  and those of mount(8): nosuid, nodev, noexec, noatime, _netdev, nofail, x-*, ...\n"
    "\n"
    "Of a source jdcloud:\n"
    "  profile=NAME     section of ~/.jdc/config (default: the one in use)\n"
    "  state=DIR        where the replica is kept\n"
    "  refresh=SECONDS  how old the lists may grow (60)\n"
    "  maxage=SECONDS   with no answer for so long, \"not shared\" is not said any more (300; 0: "
    "never)\n"
    "  timeout=SECONDS  of a share, a cancel, or a refresh (15)\n"
    "  endpoint=URL     of all services\n"
    "  cacert=FILE      trusted authorities, instead of the system's\n"
    "  proxy=URL        by way of which it is reached (default: as the environment says)\n"
    "  noproxy=HOSTS    reached without it\n"
    "  signature=WORD   how requests are signed: jdcloud2 (the default), jdcloud3\n"
    "  tokenform=WORD   how a temporary key's token is sent: base64 (the default), plain\n"
    "\n"
    "See imgsharefs(8). Make a registry with imgshare(1).\n";

const char *options_help(void)
{
    return help_text;
}

/* The numbers as they were typed. */
struct words {
    char *account, *allow, *trust, *uid, *gid, *umask, *max_cancel;
    char *profile, *state, *endpoint, *ca_file, *proxy, *no_proxy; /* of a cloud, as are the next */
    char *refresh, *maxage, *timeout, *signature, *token_form;
    char *log_level;
    int read_only, no_cancel, foreground, debug, sloppy, check, help, version, allow_other;
    struct options *options;
    struct buffer *error;
    struct buffer *kernel;
    char *unknown; /* the first option of -o that is none; NULL so far */
    int places;    /* SOURCE and MOUNTPOINT so far */
};

#define WORD(text, field)                                                                          \
    {                                                                                              \
        text, offsetof(struct words, field), 1                                                     \
    }

static const struct fuse_opt table[] = {
    WORD("account=%s", account),
    WORD("allow=%s", allow),
    WORD("trust=%s", trust),
    WORD("uid=%s", uid),
    WORD("gid=%s", gid),
    WORD("umask=%s", umask),
    WORD("maxcancel=%s", max_cancel),
    WORD("profile=%s", profile),
    WORD("state=%s", state),
    WORD("refresh=%s", refresh),
    WORD("maxage=%s", maxage),
    WORD("timeout=%s", timeout),
    WORD("endpoint=%s", endpoint),
    WORD("cacert=%s", ca_file),
    WORD("proxy=%s", proxy),
    WORD("noproxy=%s", no_proxy),
    WORD("signature=%s", signature),
    WORD("tokenform=%s", token_form),
    WORD("loglevel=%s", log_level),
    WORD("ro", read_only),
    WORD("nocancel", no_cancel),
    WORD("allow_other", allow_other),
    WORD("-f", foreground),
    WORD("-d", debug),
    WORD("debug", debug),
    WORD("-s", sloppy),
    WORD("--check", check),
    WORD("-h", help),
    WORD("--help", help),
    WORD("-V", version),
    WORD("--version", version),
    FUSE_OPT_END,
};

/* Of mount(8) and fstab, and understood by the kernel. */
static const char *const passed_on[] = {
    "nosuid", "nodev", "noexec", "exec", "sync", "async", "dirsync", "atime", "noatime",
};

/* Of fstab, for mount(8) and systemd; or without a meaning here (the tree has no times of access,
 * and set-user-id files and devices cannot be in it). */
static const char *const ignored[] = {
    "rw",         "defaults", "auto",       "noauto",      "user",          "nouser",
    "users",      "owner",    "group",      "_netdev",     "nofail",        "suid",
    "dev",        "relatime", "norelatime", "strictatime", "nostrictatime", "lazytime",
    "nolazytime", "diratime", "nodiratime", "loud",        "silent",        "default_permissions",
};

static bool is_in(const char *const *list, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return true;
    return false;
}

#define IS_IN(list, word) is_in(list, sizeof(list) / sizeof((list)[0]), word)

static bool begins(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

static int take_place(struct words *words, const char *place)
{
    char **slot = words->places == 0   ? &words->options->source
                  : words->places == 1 ? &words->options->mountpoint
                                       : NULL;

    if (!slot) {
        buffer_printf(words->error, "one word too many: %s", place);
        return -1;
    }
    words->places++;
    *slot = strdup(place);
    return *slot ? 0 : -1;
}

/* Whether WORD is an option of ours that its value is missing behind. */
static bool lacks_value(const char *word)
{
    size_t length = strlen(word);

    for (const struct fuse_opt *option = table; option->templ; option++)
        if (begins(option->templ, word) && strcmp(option->templ + length, "=%s") == 0)
            return true;
    return false;
}

static void tell_unknown(const char *word, struct buffer *error)
{
    if (strcmp(word, "remount") == 0)
        buffer_puts(error, "remount: options cannot be changed; unmount, and mount with the new");
    else
        /* Not its value: somebody may have tried to give a key. */
        buffer_printf(error, "unknown option: %.*s%s (see imgsharefs --help)",
                      (int)strcspn(word, "="), word, strchr(word, '=') ? "=..." : "");
}

static int take_word(void *data, const char *word, int key, struct fuse_args *out)
{
    struct words *words = data;

    (void)out;
    if (key == FUSE_OPT_KEY_NONOPT)
        return take_place(words, word);
    if (*word == '\0') /* two commas, or one at the end */
        return 0;
    if (lacks_value(word)) {
        buffer_printf(words->error, "%s needs a value: %s=...", word, word);
        return -1;
    }
    if (IS_IN(passed_on, word)) {
        buffer_printf(words->kernel, "%s%s", words->kernel->length ? "," : "", word);
        return 0;
    }
    if (IS_IN(ignored, word) || begins(word, "x-") || begins(word, "X-") ||
        begins(word, "comment="))
        return 0;
    if (*word == '-') {
        tell_unknown(word, words->error);
        return -1;
    }
    if (!words->unknown) /* a -s may follow */
        words->unknown = strdup(word);
    return words->unknown ? 0 : -1;
}

static int read_number(const char *word, const char *name, int base, unsigned long long maximum,
                       unsigned long long *out, struct buffer *error)
{
    char *end = NULL;

    if (!word)
        return 0;
    errno = 0;
    unsigned long long value = strtoull(word, &end, base);
    if (*word < '0' || *word > '9' || *end || errno || value > maximum) {
        buffer_printf(error, "%s=%s: %s", name, word,
                      base == 8 ? "must be an octal number up to 777" : "must be a whole number");
        return -EINVAL;
    }
    *out = value;
    return 0;
}

/* Seconds, at least MINIMUM and at most a day. */
static int read_seconds(const char *word, const char *name, int64_t minimum, int64_t usual,
                        int64_t *out, struct buffer *error)
{
    unsigned long long value = (unsigned long long)usual;
    int result = read_number(word, name, 10, 86400, &value, error);

    *out = (int64_t)value;
    if (result == 0 && *out < minimum) {
        buffer_printf(error, "%s=%s: must be at least %lld", name, word, (long long)minimum);
        result = -EINVAL;
    }
    return result;
}

/* WORD, which is NULL where nothing was said, is USUAL or OTHER. What else it is, is not repeated: a
 * token might have been meant. */
static int read_choice(const char *word, const char *name, const char *usual, const char *other,
                       bool *out, struct buffer *error)
{
    *out = word && strcmp(word, other) == 0;
    if (!word || *out || strcmp(word, usual) == 0)
        return 0;
    buffer_printf(error, "%s=: must be %s or %s", name, usual, other);
    return -EINVAL;
}

/* Options that mean something to a cloud only would be ignored by a registry: said so. */
static int check_cloud_words(const struct words *words, const struct options *options)
{
    const struct {
        const char *name;
        const char *value;
    } found[] = {
        {"profile", words->profile},      {"state", words->state},
        {"refresh", words->refresh},      {"maxage", words->maxage},
        {"timeout", words->timeout},      {"endpoint", words->endpoint},
        {"cacert", words->ca_file},       {"proxy", words->proxy},
        {"noproxy", words->no_proxy},     {"signature", words->signature},
        {"tokenform", words->token_form},
    };

    for (size_t i = 0; i < sizeof(found) / sizeof(found[0]) && !options->is_cloud; i++) {
        if (found[i].value) {
            buffer_printf(words->error, "%s= is an option of jdcloud:REGION, not of a registry",
                          found[i].name);
            return -EINVAL;
        }
    }
    return 0;
}

static int read_values(const struct words *words, struct options *options)
{
    unsigned long long uid = getuid();
    unsigned long long gid = getgid();
    unsigned long long umask_bits = 022;
    unsigned long long max_cancel = 0;
    int result = read_number(words->uid, "uid", 10, UINT_MAX - 1, &uid, words->error);

    if (result == 0)
        result = read_number(words->gid, "gid", 10, UINT_MAX - 1, &gid, words->error);
    if (result == 0)
        result = read_number(words->umask, "umask", 8, 0777, &umask_bits, words->error);
    if (result == 0)
        result =
            read_number(words->max_cancel, "maxcancel", 10, INT_MAX, &max_cancel, words->error);
    if (result == 0)
        result = read_seconds(words->refresh, "refresh", 1, 60, &options->refresh, words->error);
    if (result == 0)
        result = read_seconds(words->maxage, "maxage", 0, 300, &options->maxage, words->error);
    if (result == 0)
        result = read_seconds(words->timeout, "timeout", 1, 15, &options->timeout, words->error);
    if (result == 0)
        result = read_choice(words->signature, "signature", "jdcloud2", "jdcloud3",
                             &options->jdcloud3, words->error);
    if (result == 0)
        result = read_choice(words->token_form, "tokenform", "base64", "plain",
                             &options->plain_token, words->error);
    options->uid = (uid_t)uid;
    options->gid = (gid_t)gid;
    options->umask = (mode_t)umask_bits;
    options->max_cancel = (int64_t)max_cancel;
    return result;
}

/* The daemon works in /: paths must not depend on where it was started. What is not there is left
 * as it is, to be complained of where it is used. */
static int make_absolute(char **path, struct buffer *error)
{
    if (!*path)
        return 0;
    char *absolute = realpath(*path, NULL);
    if (!absolute && (*path)[0] != '/') {
        CLEANUP_FREE char *here = getcwd(NULL, 0);
        if (!here || asprintf(&absolute, "%s/%s", here, *path) < 0) {
            buffer_printf(error, "%s: %s", *path, strerror(errno));
            return -ENOMEM;
        }
    }
    if (absolute) {
        free(*path);
        *path = absolute;
    }
    return 0;
}

static int read_level(const struct words *words, struct options *options)
{
    const char *word = words->log_level ? words->log_level : "info";

    options->log_level = words->debug ? LOG_DEBUG : log_level_of(word);
    if (options->log_level >= 0)
        return 0;
    buffer_printf(words->error, "loglevel=%s: must be error, warning, info or debug", word);
    return -EINVAL;
}

static int check_places(const struct words *words, struct options *options)
{
    if (options->help || options->version)
        return 0;
    if (words->places < 2) {
        buffer_printf(words->error, "%s is missing (see imgsharefs --help)",
                      words->places == 0 ? "SOURCE (a REGISTRY, or jdcloud:REGION)" : "MOUNTPOINT");
        return -EINVAL;
    }
    options->is_cloud = begins(options->source, OPTIONS_CLOUD);
    int result = check_cloud_words(words, options);
    if (result == 0 && !options->is_cloud)
        result = make_absolute(&options->source, words->error);
    if (result == 0)
        result = make_absolute(&options->state, words->error);
    if (result == 0)
        result = make_absolute(&options->ca_file, words->error);
    if (result == 0)
        result = make_absolute(&options->mountpoint, words->error);
    if (result == 0)
        result = make_absolute(&options->allow, words->error);
    if (result == 0)
        result = make_absolute(&options->trust, words->error);
    return result;
}

int options_read(int count, char **words, struct options *out, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer kernel = BUFFER_INIT(4096);
    struct fuse_args arguments = FUSE_ARGS_INIT(count, words);
    struct words found = {.options = out, .error = error, .kernel = &kernel};

    memset(out, 0, sizeof(*out));
    if (count > 1 && strcmp(words[count - 1], "-o") == 0) {
        buffer_puts(error, "-o needs a value (see imgsharefs --help)");
        return -EINVAL;
    }
    int failed = fuse_opt_parse(&arguments, &found, table, take_word);
    fuse_opt_free_args(&arguments);
    out->help = found.help;
    out->version = found.version;
    out->check = found.check;
    out->foreground = found.foreground || found.debug;
    out->read_only = found.read_only;
    out->no_cancel = found.no_cancel;
    out->allow_other = found.allow_other;
    out->account = STEAL(found.account);
    out->allow = STEAL(found.allow);
    out->trust = STEAL(found.trust);
    out->profile = found.profile;
    out->state = found.state;
    out->endpoint = found.endpoint;
    out->ca_file = found.ca_file;
    out->proxy = found.proxy;
    out->no_proxy = found.no_proxy;
    out->kernel = strdup(buffer_text(&kernel));
    int result = failed || !out->kernel || buffer_failed(&kernel) ? -EINVAL : 0;
    if (result == 0 && found.unknown && !found.sloppy) {
        tell_unknown(found.unknown, error);
        result = -EINVAL;
    }
    if (result == 0)
        result = read_values(&found, out);
    if (result == 0)
        result = read_level(&found, out);
    if (result == 0)
        result = check_places(&found, out);
    free(found.unknown);
    free(found.log_level);
    free(found.refresh);
    free(found.maxage);
    free(found.timeout);
    free(found.signature);
    free(found.token_form);
    free(found.uid);
    free(found.gid);
    free(found.umask);
    free(found.max_cancel);
    if (result < 0)
        options_dispose(out);
    return result;
}

void options_dispose(struct options *options)
{
    free(STEAL(options->account));
    free(STEAL(options->allow));
    free(STEAL(options->trust));
    free(STEAL(options->profile));
    free(STEAL(options->state));
    free(STEAL(options->endpoint));
    free(STEAL(options->ca_file));
    free(STEAL(options->proxy));
    free(STEAL(options->no_proxy));
    free(STEAL(options->source));
    free(STEAL(options->mountpoint));
    free(STEAL(options->kernel));
}
