/*
 * The client of the cloud with a server in this process, and calls that can be waited for.
 */
#ifndef TESTS_UNIT_CLOUD_H
#define TESTS_UNIT_CLOUD_H

#include "core/cloud/api.h"
#include "core/cloud/client.h"
#include "tests/unit/cloud_server.h"
#include "tests/unit/support.h"

/* Deadlines: one that a test does not run into, and one that it does. */
#define LONG_MS 8000
#define SHORT_MS 150

/* Answers of the service: members, a change that is carried out, an error. */
#define RESULT "{\"requestId\":\"req-1\",\"result\":{\"pins\":[\"alice\",\"bob\"]}}"
#define SHARED "{\"requestId\":\"req-2\"}"
#define FAULT(code, status, message)                                                               \
    "{\"requestId\":\"req-3\",\"error\":{\"code\":" code ",\"status\":\"" status                   \
    "\",\"message\":\"" message "\"}}"

/* The service's clock: 55 s before its minute ends. */
#define MINUTE "Date: Sun, 06 Nov 1994 08:49:05 GMT\r\n"

/* Without a token; a test that sets one takes it away again. */
extern struct credentials cloud_credentials;

struct cloud {
    struct cloud_server *server;
    struct client *client;
    bool stopped;
};

/* A server that answers as the script has it, and a client of it; OPTIONS but for its endpoint,
 * unless they have one. */
void cloud_open(struct cloud *cloud, const struct cloud_answer *script, size_t count);
void cloud_open_with(struct cloud *cloud, const struct cloud_answer *script, size_t count,
                     struct client_options options);
/* The same with a server that is there, and goes with it. */
void cloud_open_to(struct cloud *cloud, struct cloud_server *server);
void cloud_stop(struct cloud *cloud);
void cloud_close(struct cloud *cloud);

struct ask {
    struct call call;
    sem_t ended;
    struct reply reply; /* its pointers are gone */
    int pins;
    char message[256], request_id[72];
    int times_done;
    int64_t took_ms;
    int64_t began_ms;
};

struct ask *ask_of(struct call *call);

/* An ASK that is to be filled by api.h; hands it to the client, to be ended within so long; waits
 * for its end, and gives its result. */
void ask_begin(struct ask *ask);
void ask_submit(struct cloud *cloud, struct ask *ask, int64_t within_ms);
int ask_wait(struct ask *ask);

/* Asks for the members of an image, and shares it with alice: in two steps, and in one. */
void question_submit(struct cloud *cloud, struct ask *ask, enum call_priority priority,
                     int64_t within_ms);
void share_submit(struct cloud *cloud, struct ask *ask, int64_t within_ms);
int question(struct cloud *cloud, struct ask *ask, int64_t within_ms);
int share(struct cloud *cloud, struct ask *ask, int64_t within_ms);

#endif
