/*
 * A region of JD Cloud as a source: the service is the authority, the store its replica.
 *
 * Reads see the replica only. The lists of images, and the shares of images that are in use, are
 * asked for in the background; a directory that is opened waits a moment for news. A change is
 * written into the replica's journal, sent, and settled by its answer, or, where that is missing,
 * by the list of the image's members.
 *
 * Threads: the client's (core/cloud/client.h) hears the answers; the keeper's does what is due by
 * the clock. Neither is ever waited for by a request: that is answered when the answer is there.
 */
#ifndef CORE_SOURCE_JDCLOUD_H
#define CORE_SOURCE_JDCLOUD_H

#include "core/source/source.h"

/* Strings are the caller's and must outlive the catalog; NULL where nothing was said. */
struct jdcloud_options {
    const char *region; /* as in jdcloud:REGION; "" takes that of the profile */
    const char *profile;
    const char *state; /* directory of replicas */
    const char *endpoint;
    const char *ca_file;
    const char *proxy;
    const char *no_proxy;
    int64_t refresh_s; /* lists are at most so old, while the cloud answers */
    int64_t maxage_s;  /* beyond it, and with no answer, "no" is not said; 0 = for ever */
    int64_t timeout_s; /* of a change, or a refresh that somebody waits for */
    bool jdcloud3;     /* sign by JDCLOUD3-HMAC-SHA256, not JDCLOUD2 */
    bool plain_token;  /* send a temporary key's token as it is, not in base64 */
};

/* For catalog_options: opens the replica and starts the client, as catalog->options.cloud says. The
 * account's pin is asked of the cloud when neither the replica nor options.account knows it. */
int jdcloud_open(struct catalog *catalog, struct buffer *error) MUST_CHECK;

#endif
