/*
 * A small HTTP server in this process, for the tests of the cloud's client and of what uses it: on a
 * port of its own on the loopback interface, a thread a connection, with answers in the order of a
 * script. What it was asked can be looked at.
 */
#ifndef TESTS_UNIT_CLOUD_SERVER_H
#define TESTS_UNIT_CLOUD_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum cloud_way {
    CLOUD_ANSWER,
    CLOUD_HANG,  /* answer when cloud_server_release() is called; not at all at the server's end */
    CLOUD_CLOSE, /* close without a word */
    CLOUD_CUT,   /* close in the middle of the body */
    CLOUD_FLOOD, /* a body without an end */
};

struct cloud_answer {
    int status; /* 0: 200 */
    const char *body;
    const char *headers; /* more lines, each with \r\n; NULL for none */
    enum cloud_way way;
    const char *to; /* for requests whose first line holds this; NULL: for any */
};

struct cloud_server;

/* A request gets the first answer of the SCRIPT, which is borrowed, that is for it and was not given
 * yet; the last one that is for it is given again and again. Without any it is closed. */
struct cloud_server *cloud_server_new(const struct cloud_answer *script, size_t count);
/* The same at ::1; NULL where this machine has no such address. */
struct cloud_server *cloud_server_new_v6(const struct cloud_answer *script, size_t count);
/* The same where another one, which is gone, has been. */
struct cloud_server *cloud_server_new_at(const char *endpoint, const struct cloud_answer *script,
                                         size_t count);
void cloud_server_free(struct cloud_server *server);

/* "http://127.0.0.1:PORT", or "http://[::1]:PORT" */
const char *cloud_server_endpoint(const struct cloud_server *server);

/* What came so far: all requests; those whose first line holds PART; connections. */
int cloud_server_requests(struct cloud_server *server);
int cloud_server_asked(struct cloud_server *server, const char *part);
int cloud_server_connections(struct cloud_server *server);
/* Waits until that many requests have come, or that many whose first line holds PART; fails the test
 * where they do not. */
void cloud_server_wait(struct cloud_server *server, int requests);
void cloud_server_wait_for(struct cloud_server *server, const char *part, int requests);
/* Lets the requests that hang now, and those to come, be answered. */
void cloud_server_release(struct cloud_server *server);

/* Says a word that nobody has asked for on all connections, and ends them. */
void cloud_server_hang_up(struct cloud_server *server);

/* The request NUMBER (from 0), its head and its body. Valid as long as the server. */
const char *cloud_server_request(struct cloud_server *server, int number);
/* Its header NAME, "" where it has none. Valid until the next call. */
const char *cloud_server_header(struct cloud_server *server, int number, const char *name);

#endif
