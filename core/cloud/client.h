/*
 * The client: one curl multi loop in one thread, which carries out calls.
 *
 * Connections are kept and bounded. Every try is signed anew, just before it is sent. TLS 1.2 or
 * newer and verified; plain http only to loopback; no redirects; bodies bounded. One limiter counts
 * all requests of a minute by what the service advertises, and a background call never makes
 * another wait.
 *
 * A question is tried again where the service or the way to it failed. A change is tried again only
 * if it is known not to have been carried out (never connected; busy; 503; the rate limit), with
 * jitter, within its deadline. Where its fate is unknown it ends so, and whoever asked finds out.
 */
#ifndef CORE_CLOUD_CLIENT_H
#define CORE_CLOUD_CLIENT_H

#include "core/cloud/call.h"
#include "core/cloud/credentials.h"
#include "core/cloud/sign.h"

/* What is sent as the minute's limit until the service has advertised its own. */
#define CLIENT_LIMIT_A_MINUTE 1000

struct client_options {
    const struct credentials *credentials; /* borrowed; outlives the client */
    const char *region;                    /* borrowed, as are the next */
    const char *endpoint; /* "scheme://host[:port]" of all services; NULL: their own */
    const char *ca_file;  /* NULL: the system's */
    const char *proxy;    /* NULL: as the environment says */
    const char *no_proxy;
    enum sign_algorithm algorithm;
    bool encode_token; /* send the token in base64, as the SDKs do; else as it is */
    int connections;   /* 0 = 16 */
};

struct client;

/* Checks an endpoint: https, or http to a loopback address; no path, no user. Returns 0 or -EINVAL
 * with ERROR saying what is wrong with it. */
int client_check_endpoint(const char *endpoint, struct buffer *error) MUST_CHECK;

/* Starts the thread, and initialises libcurl if nobody has: before other threads use it, after the
 * last fork. Plain http never goes through a proxy. Returns 0, or a negative errno with ERROR set.
 */
int client_new(const struct client_options *options, struct buffer *error,
               struct client **out) MUST_CHECK;

/* Queues CALL, whose done() is called once: in the client's thread, or, once that has ended after
 * client_stop(), here, before this returns. Any thread, done() included; no lock of the caller's
 * that done() takes. */
void client_submit(struct client *client, struct call *call);

/* Ends CALL, which was made by api.h and is submitted now or soon, within a second:
 * -REFUSAL_INTERRUPTED, unknown if a change had been sent. Nothing happens where it has ended already:
 * the caller makes sure that CALL still exists. Any thread. */
void client_cancel(struct client *client, struct call *call);

/* Nobody waits for CALL any more, of which the same is true: what was not sent yet ends as by
 * client_cancel(); what was ends with its answer, and is not tried again. Any thread. */
void client_recall(struct client *client, struct call *call);

/* Lets CALL, of which the same is true, go on at PRIORITY from now on, if its own is lower: somebody
 * waits for it by now. As client_cancel() where it has ended. Any thread. */
void client_raise(struct client *client, struct call *call, enum call_priority priority);

/* What has been measured, for the file status. */
struct client_state {
    int64_t requests;         /* tries that were sent */
    int64_t limit, remaining; /* of the present minute, as far as known */
};
void client_read_state(struct client *client, struct client_state *out);

/* Ends all calls as client_cancel() does; what is submitted from now on ends so at once (a done()
 * that submits its call again for ever would keep this from ending). Once; any thread but the
 * client's. Returns when the last done() has returned. */
void client_stop(struct client *client);

/* After client_stop(). NULL is allowed. */
void client_free(struct client *client);

#endif
