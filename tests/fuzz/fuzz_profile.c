/* The file of profiles (~/.jdc/config): read, or refused with the line that is wrong. */
#include "core/cloud/profile.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define PATH "/home/me/.jdc/config"

static void check_profile(const struct profile *profile, const uint8_t *data, size_t size)
{
    for (int i = 0; i < PROFILE_VALUES; i++) {
        const char *value = profile_value(profile, (enum profile_value)i);
        REQUIRE(memchr(profile->value[i], '\0', sizeof(profile->value[i])));
        /* No value comes from elsewhere: it is there, if it holds no escape. */
        REQUIRE(!value || *value == '\0' || strchr(value, '%') ||
                memmem(data, size, value, strlen(value)));
    }
    REQUIRE(memchr(profile->name, '\0', sizeof(profile->name)));
}

/* Returns whether NAME (NULL: the one that is chosen) is there. */
static bool read_as(const uint8_t *data, size_t size, const char *name, struct profile *profile)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    int result = profile_read((const char *)data, size, PATH, name, profile, &error);

    REQUIRE(result == 0 || result == -EINVAL || result == -ENOENT);
    REQUIRE((result < 0) == (error.length > 0));
    fuzz_require_printable(buffer_text(&error));
    if (result < 0)
        REQUIRE(strncmp(buffer_text(&error), PATH, strlen(PATH)) == 0);
    else
        check_profile(profile, data, size);
    return result == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE struct profile *chosen = calloc(1, sizeof(*chosen));
    CLEANUP_FREE struct profile *named = calloc(1, sizeof(*named));

    REQUIRE(chosen && named);
    (void)read_as(data, size, "test", named);
    if (read_as(data, size, NULL, chosen)) {
        /* What was chosen can be named. */
        REQUIRE(read_as(data, size, chosen->name, named));
        REQUIRE(memcmp(chosen, named, sizeof(*chosen)) == 0);
    }
    return 0;
}
