/* The command line of imgsharefs: each line of the input is a word. */
#include "fs/options.h"

#include "tests/fuzz/fuzz.h"

#include <limits.h>
#include <string.h>

#define WORDS_MAX 64

static bool is_absolute(const char *path)
{
    return !path || *path == '/';
}

static void check(const struct options *options)
{
    if (!options->help && !options->version) {
        REQUIRE(options->source && options->mountpoint);
        REQUIRE(options->is_cloud ==
                (strncmp(options->source, OPTIONS_CLOUD, strlen(OPTIONS_CLOUD)) == 0));
        REQUIRE(options->is_cloud || is_absolute(options->source));
        REQUIRE(is_absolute(options->mountpoint) && is_absolute(options->state) &&
                is_absolute(options->allow) && is_absolute(options->trust) &&
                is_absolute(options->ca_file));
        REQUIRE(options->is_cloud || (!options->profile && !options->endpoint && !options->state));
    }
    REQUIRE(options->umask <= 0777);
    REQUIRE(options->uid != (uid_t)-1 && options->gid != (gid_t)-1);
    REQUIRE(options->max_cancel >= 0 && options->max_cancel <= INT_MAX);
    REQUIRE(options->refresh >= 1 && options->refresh <= 86400);
    REQUIRE(options->maxage >= 0 && options->maxage <= 86400);
    REQUIRE(options->timeout >= 1 && options->timeout <= 86400);
    REQUIRE(options->log_level >= 0 && options->log_level <= 7);
    /* libfuse and the kernel get words from a list, and nothing that was typed. */
    REQUIRE(options->kernel);
    REQUIRE(strspn(options->kernel, "abcdefghijklmnopqrstuvwxyz,") == strlen(options->kernel));
}

/* libfuse speaks to stderr of what it does not understand. */
static void say_nothing(enum fuse_log_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    CLEANUP_FREE char *text = fuzz_text(data, size);
    char program[] = "imgsharefs";
    char *words[WORDS_MAX + 2] = {program};
    char *rest = text;
    char *word = NULL;
    int count = 1;
    struct options options = {0};

    fuse_set_log_func(say_nothing);
    while (count <= WORDS_MAX && (word = strsep(&rest, "\n")))
        words[count++] = word;
    int result = options_read(count, words, &options, &error);
    REQUIRE(result <= 0);
    if (result < 0)
        REQUIRE(!options.source && !options.mountpoint && !options.kernel); /* nothing to free */
    else
        check(&options);
    options_dispose(&options);
    return 0;
}
