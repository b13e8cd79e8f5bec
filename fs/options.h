/*
 * The command line of imgsharefs.
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include "core/base/buffer.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How a source that is a region of JD Cloud begins. */
#define OPTIONS_CLOUD "jdcloud:"

/* What was asked for. Strings are owned; paths are absolute. */
struct options {
    bool help, version;
    bool foreground;
    bool check; /* mount nothing */
    bool read_only;
    bool allow_other;
    bool no_cancel;
    int log_level;      /* syslog's */
    int64_t max_cancel; /* 0 = no limit */
    uid_t uid;          /* of the tree; default: the caller's */
    gid_t gid;
    mode_t umask;  /* default 022 */
    char *account; /* or NULL */
    char *allow;   /* or NULL */
    char *trust;   /* or NULL */
    char *source;  /* the registry, or jdcloud:REGION */
    /* Of a source jdcloud; NULL where nothing was said. */
    bool is_cloud;
    char *profile, *state, *endpoint, *ca_file, *proxy, *no_proxy;
    int64_t refresh, maxage, timeout; /* seconds */
    bool jdcloud3, plain_token;       /* see struct jdcloud_options */
    char *mountpoint;
    char *kernel; /* mount options for libfuse, comma separated; "" if none */
};

/* Reads the command line. 0, or -EINVAL (or another negative errno) with ERROR naming what is
 * wrong. */
int options_read(int count, char **words, struct options *out, struct buffer *error) MUST_CHECK;

void options_dispose(struct options *options);

/* The text of --help. Static. */
const char *options_help(void);

#endif
