/*
 * The client's inside: shared by client.c (its interface), client_loop.c (what goes when),
 * client_try.c (one request), client_answer.c (how it ended) and client_socket.c (connections that
 * are kept).
 */
#ifndef CORE_CLOUD_TRANSFER_H
#define CORE_CLOUD_TRANSFER_H

#include "core/cloud/api.h"
#include "core/cloud/client.h"
#include "core/cloud/limiter.h"

#include <curl/curl.h>

#define PRIORITIES (CALL_BACKGROUND + 1)

/* A call under way. All of it belongs to the client's thread. */
struct transfer {
    struct transfer *next, *previous; /* in one of the client's lists */
    struct client *client;
    struct call *call;
    int64_t not_before_ms; /* it waits for its next try */
    int tries;             /* that were carried out to their end */

    /* the present try */
    CURL *easy; /* NULL: it waits */
    struct curl_slist *headers;
    bool sent;              /* bytes of it may have gone */
    bool sent_anew;         /* libcurl was about to send them again, and was stopped */
    uint64_t socket_number; /* of the socket that it is sent on; 0 = none yet */
    bool too_large;
    struct buffer body;
    size_t header_bytes;
    int64_t limit, remaining; /* a minute, as the answer has it; negative: it does not say */
    int second;               /* of the service's clock; negative: it does not say */
    int64_t wait_ms;          /* before another try, as the answer asks for; 0: it does not */
    char request_id[72];      /* of a header */
    char words[CURL_ERROR_SIZE];

    /* how the last try ended; what is reported if there is no other */
    int result;
    bool unknown;
    struct api_answer answer;
    int status;
};

struct transfers {
    struct transfer *first, *last;
};

struct client {
    struct client_options options;
    char *base; /* "scheme://host[:port]" of all services, or NULL */
    char *host; /* of it, as the header Host has it */
    bool plain; /* http */
    int connections;

    CURLM *multi;
    CURLSH *share;
    pthread_t thread;
    bool started;

    /* the thread's */
    struct transfers waiting[PRIORITIES];
    struct transfers running;
    int running_count[PRIORITIES];
    int64_t waiting_until_ms; /* nothing that waits needs a look before */
    struct connection_socket *sockets;
    uint64_t socket_number; /* of the newest */
    size_t held;            /* bytes of all bodies that are coming in */

    pthread_mutex_t lock;
    pthread_cond_t quiet;
    /* under the lock */
    struct call *inbox, **inbox_end; /* submitted, not yet seen by the thread */
    bool cancels;                    /* somebody has cancelled or recalled a call */
    bool raises;                     /* or raised the priority of one */
    bool stopping;
    bool ended;  /* the thread does not take calls any more */
    int outside; /* calls that end in the threads that submit them, since ended */
    struct limiter limiter;
    int64_t requests;
};

/* --- client_loop.c --- */

/* The thread, with its client. */
void *client_main(void *context);

/* Puts a transfer at the end of a list. */
void transfers_add(struct transfers *list, struct transfer *transfer);
void transfers_remove(struct transfers *list, struct transfer *transfer);

/* --- client_try.c --- */

/* Signs the call's request and hands it to libcurl. Returns 0 or a negative errno. */
int try_start(struct transfer *transfer);

/* Forgets the try, whatever its state. */
void try_end(struct transfer *transfer);

/* Appends the token of the credentials, which have one, as it is sent; OUT fails without memory. The
 * caller clears it. */
void try_add_token(const struct client_options *options, struct buffer *out);

/* --- client_answer.c --- */

/* What is to be done after a try. */
enum try_next {
    TRY_NO_MORE, /* TRANSFER has its result */
    TRY_SOON,    /* nothing was sent, and the way may be there in a moment */
    TRY_LATER,   /* it is not carried out, or is a question */
    TRY_RATE,    /* when the minute has ended */
};

/* Understands how the try ended: CODE is libcurl's. */
enum try_next try_understand(struct transfer *transfer, CURLcode code);

/* --- client_socket.c; the client's thread --- */

/* For libcurl: CONTEXT is the client. */
curl_socket_t sockets_open(void *context, curlsocktype purpose, struct curl_sockaddr *address);
int sockets_close(void *context, curl_socket_t fd);

/* TRANSFER is about to be sent on the socket with these ends, and is over. */
void sockets_use(struct transfer *transfer, const char *peer, int peer_port, int local_port);
void sockets_leave(struct transfer *transfer);

/* Sees to it that libcurl uses no idle connection that the service has ended, or has said something
 * on. Before a request. */
void sockets_spoil_ended(struct client *client);

/* After libcurl's connections are gone. */
void sockets_free(struct client *client);

#endif
