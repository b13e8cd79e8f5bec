/* Where the user is at home: see the header. */
#include "core/base/home.h"

#include <errno.h>
#include <pwd.h>

int home_find(struct buffer *out, struct buffer *error)
{
    const char *home = getenv("HOME");
    struct passwd entry;
    struct passwd *found = NULL;
    char text[16 << 10];
    int failed = 0;

    if (!home || home[0] != '/') {
        failed = getpwuid_r(getuid(), &entry, text, sizeof(text), &found);
        home = !failed && found ? entry.pw_dir : NULL;
    }
    if (!home || home[0] != '/') {
        buffer_puts(error, "no home directory is known; set HOME");
        return failed ? -failed : -ENOENT;
    }
    buffer_puts(out, home);
    return 0;
}
