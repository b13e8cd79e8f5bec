/*
 * Request signatures of JD Cloud's OpenAPI: JDCLOUD2- and JDCLOUD3-HMAC-SHA256, which differ in
 * their constants only. Pure functions over libcrypto; no clock, no network.
 */
#ifndef CORE_CLOUD_SIGN_H
#define CORE_CLOUD_SIGN_H

#include "core/base/buffer.h"

#include <stddef.h>

enum sign_algorithm {
    SIGN_JDCLOUD2 = 2, /* the documents describe this one; the Go, Java and Node SDKs use it */
    SIGN_JDCLOUD3 = 3, /* Python SDK and the official CLI */
};

#define SIGN_SECRET_MAX 512

struct sign_header {
    const char *name; /* any case */
    const char *value;
};

/* All that a signature covers. The strings are borrowed. */
struct sign_request {
    enum sign_algorithm algorithm;
    const char *method;  /* as sent */
    const char *path;    /* as sent: percent-encoded or not; "" is "/" */
    const char *query;   /* as sent, without the question mark; "" for none */
    const char *payload; /* NULL for none */
    size_t payload_length;
    const struct sign_header *headers; /* those that are signed, host among them; any order; the
                                          values of a name that comes twice are joined by a comma */
    size_t header_count;
    const char *date; /* "20261124T020300Z" */
    const char *region;
    const char *service;
    const char *access_key;
    const char *secret_key;
};

/* Appends LENGTH bytes of TEXT percent-encoded: all but letters, digits, - . _ ~ and what is in
 * KEPT. */
void sign_encode(struct buffer *out, const char *text, size_t length, const char *kept);

/* Appends the canonical request. Exposed for tests. A signed header x-jdcloud-content-sha256 stands
 * for the hash of the payload, as official signers have it. */
void sign_canonical(const struct sign_request *request, struct buffer *out);

/* Appends the value of the header Authorization. Returns 0, -EINVAL for a date of another form or a
 * secret key of more than SIGN_SECRET_MAX bytes, or -ENOMEM. Key material on the stack is wiped. */
int sign_authorization(const struct sign_request *request, struct buffer *out) MUST_CHECK;

#endif
