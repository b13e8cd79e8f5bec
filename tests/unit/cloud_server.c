/* A small HTTP server: see the header. */
#include "tests/unit/cloud_server.h"

#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ANSWERS_MAX 64
#define REQUESTS_MAX 512
#define CONNECTIONS_MAX 256
#define REQUEST_SIZE 4096
#define WAIT_SECONDS 10

struct connection_of_server {
    struct cloud_server *server;
    pthread_t thread;
    int fd;
};

struct cloud_server {
    const struct cloud_answer *script;
    size_t count;
    bool given[ANSWERS_MAX];
    char endpoint[64];
    int fd;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool released, ending;
    int requests, connections;
    char *request[REQUESTS_MAX];
    struct connection_of_server connection[CONNECTIONS_MAX];
    char header[512];
};

/* --- one connection --- */

static bool send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

static size_t body_length(const char *request)
{
    const char *line = strcasestr(request, "\r\nContent-Length:");

    return line ? strtoul(line + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

/* Reads one request into TEXT. False at the end of the connection. */
static bool read_request(int fd, char text[REQUEST_SIZE])
{
    size_t length = 0;

    for (;;) {
        text[length] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (end && length >= (size_t)(end + 4 - text) + body_length(text))
            return true;
        if (length == REQUEST_SIZE - 1)
            return false;
        ssize_t got = recv(fd, text + length, REQUEST_SIZE - 1 - length, 0);
        /* TLS, which this is not, begins so. */
        if (got <= 0 || (length == 0 && text[0] == 0x16))
            return false;
        length += (size_t)got;
    }
}

/* Whether the first line of REQUEST holds PART; NULL is in every one. */
static bool is_to(const char *request, const char *part)
{
    return !part || memmem(request, strcspn(request, "\r"), part, strlen(part));
}

/* Notes the request and gives its answer. */
static const struct cloud_answer *note(struct cloud_server *server, const char *text)
{
    static const struct cloud_answer none = {.way = CLOUD_CLOSE};
    const struct cloud_answer *last = &none;

    LOCK_SCOPE(&server->lock);
    int number = server->requests;
    if (number < REQUESTS_MAX)
        server->request[number] = strdup(text);
    server->requests++;
    (void)pthread_cond_broadcast(&server->changed);
    for (size_t i = 0; i < server->count; i++) {
        if (!is_to(text, server->script[i].to))
            continue;
        last = &server->script[i];
        if (server->given[i])
            continue;
        server->given[i] = true;
        break;
    }
    return last;
}

/* False if the server ends first. */
static bool wait_for_release(struct cloud_server *server)
{
    LOCK_SCOPE(&server->lock);
    while (!server->released && !server->ending)
        (void)pthread_cond_wait(&server->changed, &server->lock);
    return server->released;
}

static bool flood(int fd)
{
    static char block[1 << 16];

    memset(block, 'x', sizeof(block));
    (void)send_all(fd, "HTTP/1.1 200 OK\r\n\r\n\"", 20);
    while (send_all(fd, block, sizeof(block))) {
    }
    return false;
}

/* One write an answer, so that no timer of TCP has a say. False ends the connection. */
static bool send_answer(struct cloud_server *server, int fd, const struct cloud_answer *answer)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1 << 22);

    if (answer->way == CLOUD_CLOSE || (answer->way == CLOUD_HANG && !wait_for_release(server)))
        return false;
    if (answer->way == CLOUD_FLOOD)
        return flood(fd);
    buffer_printf(&text, "HTTP/1.1 %d Word\r\nContent-Length: %zu\r\n%s\r\n%s",
                  answer->status ? answer->status : 200, strlen(answer->body),
                  answer->headers ? answer->headers : "", answer->body);
    if (answer->way == CLOUD_CUT)
        text.length -= 2;
    return send_all(fd, text.text, text.length) && answer->way != CLOUD_CUT;
}

static void *serve(void *context)
{
    struct connection_of_server *connection = context;
    char text[REQUEST_SIZE];

    while (read_request(connection->fd, text) &&
           send_answer(connection->server, connection->fd, note(connection->server, text))) {
    }
    (void)shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

/* --- the server --- */

static void *accept_all(void *context)
{
    struct cloud_server *server = context;

    for (;;) {
        const int on = 1;
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        LOCK_SCOPE(&server->lock);
        if (server->ending || server->connections == CONNECTIONS_MAX) {
            (void)close(fd);
            continue;
        }
        struct connection_of_server *connection = &server->connection[server->connections];
        *connection = (struct connection_of_server){.server = server, .fd = fd};
        if (pthread_create(&connection->thread, NULL, serve, connection) == 0)
            server->connections++;
        else
            (void)close(fd);
    }
}

/* Binds FD to a port (0: any) on the loopback interface, and listens. False where there is no such
 * address. */
static bool listen_at(struct cloud_server *server, bool v6, int port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any = {0}};
    socklen_t size = v6 ? sizeof(address.v6) : sizeof(address.v4);
    const int on = 1;

    if (v6)
        address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                           .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                           .sin6_port = htons((uint16_t)port)};
    else
        address.v4 = (struct sockaddr_in){.sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                          .sin_port = htons((uint16_t)port)};
    server->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0)
        return false;
    (void)setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(server->fd, &address.any, size) < 0) {
        (void)close(server->fd);
        return false;
    }
    assert_int_equal(listen(server->fd, 128), 0);
    assert_int_equal(getsockname(server->fd, &address.any, &size), 0);
    (void)snprintf(server->endpoint, sizeof(server->endpoint), "http://%s:%d",
                   v6 ? "[::1]" : "127.0.0.1",
                   ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port));
    return true;
}

static struct cloud_server *server_new(bool v6, int port, const struct cloud_answer *script,
                                       size_t count)
{
    struct cloud_server *server = calloc(1, sizeof(*server));

    assert_non_null(server);
    assert_in_range(count, 1, ANSWERS_MAX);
    server->script = script;
    server->count = count;
    if (!listen_at(server, v6, port)) {
        free(server);
        return NULL;
    }
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->changed, NULL);
    assert_int_equal(pthread_create(&server->thread, NULL, accept_all, server), 0);
    return server;
}

struct cloud_server *cloud_server_new(const struct cloud_answer *script, size_t count)
{
    struct cloud_server *server = server_new(false, 0, script, count);

    assert_non_null(server);
    return server;
}

struct cloud_server *cloud_server_new_v6(const struct cloud_answer *script, size_t count)
{
    return server_new(true, 0, script, count);
}

struct cloud_server *cloud_server_new_at(const char *endpoint, const struct cloud_answer *script,
                                         size_t count)
{
    struct cloud_server *server =
        server_new(false, (int)strtol(strrchr(endpoint, ':') + 1, NULL, 10), script, count);

    assert_non_null(server);
    return server;
}

void cloud_server_free(struct cloud_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->ending = true;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
    (void)shutdown(server->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->fd);
    for (int i = 0; i < server->connections; i++) {
        (void)shutdown(server->connection[i].fd, SHUT_RDWR);
        assert_int_equal(pthread_join(server->connection[i].thread, NULL), 0);
        (void)close(server->connection[i].fd);
    }
    for (int i = 0; i < REQUESTS_MAX; i++)
        free(server->request[i]);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *cloud_server_endpoint(const struct cloud_server *server)
{
    return server->endpoint;
}

/* Those whose first line holds PART. Under the lock. */
static int count_asked(const struct cloud_server *server, const char *part)
{
    int count = 0;

    if (!part)
        return server->requests;
    for (int i = 0; i < server->requests && i < REQUESTS_MAX; i++)
        count += is_to(server->request[i], part);
    return count;
}

int cloud_server_asked(struct cloud_server *server, const char *part)
{
    LOCK_SCOPE(&server->lock);
    return count_asked(server, part);
}

int cloud_server_requests(struct cloud_server *server)
{
    return cloud_server_asked(server, NULL);
}

int cloud_server_connections(struct cloud_server *server)
{
    LOCK_SCOPE(&server->lock);
    return server->connections;
}

void cloud_server_wait_for(struct cloud_server *server, const char *part, int requests)
{
    struct timespec until = {0};
    int result = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS;
    (void)pthread_mutex_lock(&server->lock);
    while (count_asked(server, part) < requests && result == 0)
        result = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    int came = count_asked(server, part);
    (void)pthread_mutex_unlock(&server->lock);
    if (came < requests)
        fail_msg("%d requests instead of %d", came, requests);
}

void cloud_server_wait(struct cloud_server *server, int requests)
{
    cloud_server_wait_for(server, NULL, requests);
}

void cloud_server_release(struct cloud_server *server)
{
    LOCK_SCOPE(&server->lock);
    server->released = true;
    (void)pthread_cond_broadcast(&server->changed);
}

void cloud_server_hang_up(struct cloud_server *server)
{
    static const char word[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";

    LOCK_SCOPE(&server->lock);
    for (int i = 0; i < server->connections; i++) {
        (void)send_all(server->connection[i].fd, word, strlen(word));
        (void)shutdown(server->connection[i].fd, SHUT_RDWR);
    }
}

const char *cloud_server_request(struct cloud_server *server, int number)
{
    LOCK_SCOPE(&server->lock);
    assert_in_range(number, 0, REQUESTS_MAX - 1);
    assert_non_null(server->request[number]);
    return server->request[number];
}

const char *cloud_server_header(struct cloud_server *server, int number, const char *name)
{
    const char *text = cloud_server_request(server, number);
    char start[128];

    (void)snprintf(start, sizeof(start), "\r\n%s: ", name);
    const char *line = strcasestr(text, start);
    server->header[0] = '\0';
    if (line) {
        line += strlen(start);
        (void)snprintf(server->header, sizeof(server->header), "%.*s", (int)strcspn(line, "\r"),
                       line);
    }
    return server->header;
}
