/*
 * For stress-ng: where it makes a directory of its own to work in, it gets a link to LINK_DIR instead,
 * where it may make none. Preloaded (LD_PRELOAD).
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only its outermost directories: those in them are what is to be tried. */
static bool is_outermost(const char *path)
{
    const char *name = strstr(path, "tmp-stress-ng-");

    return name && !strchr(name, '/') && getenv("LINK_DIR");
}

int mkdir(const char *path, mode_t mode)
{
    int (*next)(const char *, mode_t) = dlsym(RTLD_NEXT, "mkdir");

    return is_outermost(path) ? symlink(getenv("LINK_DIR"), path) : next(path, mode);
}

int rmdir(const char *path)
{
    int (*next)(const char *) = dlsym(RTLD_NEXT, "rmdir");

    return is_outermost(path) ? unlink(path) : next(path);
}
