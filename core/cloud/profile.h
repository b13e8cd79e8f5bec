/*
 * A profile as the official CLI keeps it: a section of an INI file, with %% for a percent sign.
 */
#ifndef CORE_CLOUD_PROFILE_H
#define CORE_CLOUD_PROFILE_H

#include "core/base/buffer.h"

/* Bytes of a line that the reader of INI takes. */
#define PROFILE_LINE_MAX 196
/* Bytes of a section's name. */
#define PROFILE_NAME_MAX 49

enum profile_value {
    PROFILE_ACCESS_KEY,
    PROFILE_SECRET_KEY,
    PROFILE_SESSION_TOKEN, /* not one of the CLI's */
    PROFILE_REGION_ID,
    PROFILE_ENDPOINT,
    PROFILE_SCHEME,
    PROFILE_VALUES
};

struct profile {
    char name[PROFILE_NAME_MAX + 1];
    char value[PROFILE_VALUES][PROFILE_LINE_MAX + 1];
    bool given[PROFILE_VALUES];
};

/* The value, NULL where it is not given. */
static inline const char *profile_value(const struct profile *profile, enum profile_value value)
{
    return profile->given[value] ? profile->value[value] : NULL;
}

/* Reads the profile NAME of TEXT (LENGTH bytes), which stands in the file PATH. Without a NAME it
 * is the only one, or "default". Returns 0, or -EINVAL or -ENOENT (no such profile) with ERROR
 * saying what is wrong, and in which line. OUT holds keys: its place is secret memory. */
int profile_read(const char *text, size_t length, const char *path, const char *name,
                 struct profile *out, struct buffer *error) MUST_CHECK;

#endif
