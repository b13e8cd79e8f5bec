/*
 * The API of JD Cloud as far as this program uses it: requests as they are sent, answers as they
 * are understood. No network here.
 */
#ifndef CORE_CLOUD_API_H
#define CORE_CLOUD_API_H

#include "core/cloud/call.h"

/* Images a page: the API's most. */
#define API_PAGE_SIZE 100

/* Each fills CALL's first part (the rest is zeroed) for REGION. Returns 0, -ENOMEM, or -EINVAL for
 * a pin that is not UTF-8, which JSON cannot hold. Ids and pins are opaque text and are encoded.
 * call_dispose() frees. */
int api_list_images(struct call *call, const char *region, const char *image_source,
                    int page) MUST_CHECK; /* IMAGE_SOURCE: "private", "shared"; PAGE from 1 */
int api_image(struct call *call, const char *region, const char *image) MUST_CHECK;
int api_members(struct call *call, const char *region, const char *image) MUST_CHECK;
int api_share(struct call *call, const char *region, const char *image, const char *pin) MUST_CHECK;
int api_unshare(struct call *call, const char *region, const char *image,
                const char *pin) MUST_CHECK;
int api_quota(struct call *call, const char *region, const char *image) MUST_CHECK;
int api_pin(struct call *call, const char *region, const char *access_key) MUST_CHECK;
int api_user(struct call *call) MUST_CHECK;

/* What an HTTP answer means to the call. */
enum api_verdict {
    API_DONE,    /* it is carried out */
    API_REFUSED, /* it is not carried out, and will not be */
    API_AGAIN,   /* it is not carried out; it may be in a moment (busy, 503) */
    API_RATE,    /* it is not carried out; the minute's limit is used up */
    API_UNKNOWN, /* nobody knows whether it is carried out (500, 502, 504, no JSON) */
};

struct api_answer {
    enum api_verdict verdict;
    int result;          /* 0 or the negative refusal to give up with */
    bool spoke;          /* it is the service that answers, not something between */
    json_t *body;        /* the member "result", a new reference; NULL where there is none */
    char request_id[72]; /* safe to print */
    char message[256];   /* safe to print */
};

/* Understands the answer DATA (LENGTH bytes, decoded strictly) with HTTP status STATUS to
 * OPERATION. An error in the body counts whatever STATUS is. PIN is the pin of a share (NULL
 * otherwise): an unknown one that looks like a mobile number is -REFUSAL_MOBILE_NUMBER. A question
 * that is answered without a result is API_UNKNOWN. Never fails. */
void api_understand(enum call_operation operation, const char *pin, int status, const char *data,
                    size_t length, struct api_answer *out);
void api_answer_dispose(struct api_answer *answer);

/* Copies what fits of TEXT, safe to print. */
void api_printable(const char *text, char *out, size_t size);

/* Reads results (the member "result"). Each returns 0, or -REFUSAL_SERVICE_ANSWER where the shape
 * is wrong; absent and null lists are empty ones. RESULT may be NULL, which is wrong. Before the
 * first visit the whole list is checked. */

/* Calls VISIT for each image record (an object); *TOTAL is totalCount, -1 where it is absent. VISIT
 * returns 0, or what ends the visit and is returned. */
typedef int (*api_visit_image)(const json_t *record, void *context);
int api_read_images(const json_t *result, api_visit_image visit, void *context, int64_t *total,
                    int64_t *count) MUST_CHECK;
/* *RECORD is borrowed from RESULT. */
int api_read_image(const json_t *result, const json_t **record) MUST_CHECK;
/* Pins are whatever text the service sends, once each, in its order. */
typedef int (*api_visit_pin)(const char *pin, void *context);
/* Returns -ENOMEM, too. */
int api_read_members(const json_t *result, api_visit_pin visit, void *context) MUST_CHECK;
int api_read_quota(const json_t *result, int64_t *limit, int64_t *used) MUST_CHECK;
/* *PIN is borrowed from RESULT. */
int api_read_pin(const json_t *result, const char **pin) MUST_CHECK;

#endif
