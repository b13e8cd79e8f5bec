/*
 * Who asks the cloud: access key, secret key, and the token of a temporary key.
 *
 * They come from, in this order: the environment (JDCLOUD_ACCESS_KEY, JDCLOUD_SECRET_KEY,
 * JDCLOUD_SESSION_TOKEN, overwritten after reading so that /proc/PID/environ does not tell them),
 * a systemd credential (files jdcloud-access-key, jdcloud-secret-key and jdcloud-session-token, or
 * one profile file named jdcloud, in $CREDENTIALS_DIRECTORY), or the official CLI's ~/.jdc/config,
 * with the profile that ~/.jdc/current names. With a profile named, only that profile counts: of
 * the systemd credential jdcloud where there is one, else of the CLI's file.
 */
#ifndef CORE_CLOUD_CREDENTIALS_H
#define CORE_CLOUD_CREDENTIALS_H

#include "core/base/buffer.h"

struct credentials {
    char *access_key;
    char *secret_key; /* in memory that no core file holds */
    char *token;      /* likewise; NULL where the key is no temporary one */
    char *region;     /* of the profile, or NULL */
    char *endpoint;   /* of the profile, with its scheme, or NULL where it is the CLI's default */
    char *place;      /* where they were found, for status and errors: no secret */
};

/* Finds the credentials; PROFILE is -o profile= or NULL. WARNINGS gets a line for what should be
 * mended (the CLI's own file that others can read). Returns 0 with *OUT to be disposed of, or a
 * negative errno with ERROR saying what is missing or wrong, where, and what to do; -EPERM where
 * others can read a file that is not the CLI's own. The environment is cleared in any case. Call
 * before any thread is started: it changes the environment. */
int credentials_read(const char *profile, struct buffer *warnings, struct buffer *error,
                     struct credentials *out) MUST_CHECK;

/* Wipes and frees. */
void credentials_dispose(struct credentials *credentials);

#define CLEANUP_CREDENTIALS __attribute__((cleanup(credentials_dispose)))

#endif
