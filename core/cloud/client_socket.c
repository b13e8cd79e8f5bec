/*
 * The connections that are kept: which of them lie idle, and which of those have ended.
 *
 * libcurl looks at a connection before it uses it again. It sees an end that is bare, but not one
 * that something comes before (the closing word of TLS, an answer to nobody), nor a reset: 7.88
 * takes such a connection for alive, and sends into it. A question can be asked again. Of a change
 * nobody then knows whether it was carried out.
 *
 * So here is written down which sockets there are. Before a request, each one that lies idle and
 * has something to be read is spoilt: what waits there is thrown away, and a bare end is put in its
 * place. Whatever waited, nobody has asked for it: at worst (a word about HTTP/2's own affairs) that
 * costs a new connection. What the service ends after that look, and before the request comes to
 * it, nobody can know.
 */
#include "core/cloud/transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* More than a service says to nobody. */
#define UNASKED_MAX (64 << 10)

struct connection_socket {
    struct connection_socket *next;
    int fd;
    uint64_t number;
    int users; /* tries under way on it */
    bool used; /* it is beyond its connecting: a request has been sent on it */
};

/* Forgets FD, if it is there. */
static void forget(struct client *client, int fd)
{
    struct connection_socket **at = &client->sockets;

    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    if (*at) {
        struct connection_socket *entry = *at;
        *at = entry->next;
        free(entry);
    }
}

curl_socket_t sockets_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct client *client = context;
    struct connection_socket *entry = calloc(1, sizeof(*entry));

    (void)purpose;
    if (!entry)
        return CURL_SOCKET_BAD;
    entry->fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (entry->fd < 0) {
        free(entry);
        return CURL_SOCKET_BAD;
    }
    forget(client, entry->fd); /* if ever one was closed behind our back */
    entry->number = ++client->socket_number;
    entry->next = client->sockets;
    client->sockets = entry;
    return entry->fd;
}

int sockets_close(void *context, curl_socket_t fd)
{
    forget(context, fd);
    return close(fd);
}

struct place {
    char address[INET6_ADDRSTRLEN];
    int port;
};

/* What getsockname() or getpeername() says of FD. */
static bool place_of(int fd, int (*name)(int, struct sockaddr *, socklen_t *), struct place *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } place = {.any = {0}};
    socklen_t size = sizeof(place);
    bool known = name(fd, &place.any, &size) == 0;

    if (known && place.any.sa_family == AF_INET) {
        out->port = ntohs(place.v4.sin_port);
        return inet_ntop(AF_INET, &place.v4.sin_addr, out->address, sizeof(out->address));
    }
    if (known && place.any.sa_family == AF_INET6) {
        out->port = ntohs(place.v6.sin6_port);
        return inet_ntop(AF_INET6, &place.v6.sin6_addr, out->address, sizeof(out->address));
    }
    return false;
}

/* libcurl does not tell the socket at this point, but both its ends. */
static bool has_ends(int fd, const char *peer, int peer_port, int local_port)
{
    struct place place = {.port = 0};

    return place_of(fd, getsockname, &place) && place.port == local_port &&
           place_of(fd, getpeername, &place) && place.port == peer_port &&
           strcmp(place.address, peer) == 0;
}

void sockets_use(struct transfer *transfer, const char *peer, int peer_port, int local_port)
{
    struct connection_socket *entry = transfer->client->sockets;

    while (entry && !has_ends(entry->fd, peer, peer_port, local_port))
        entry = entry->next;
    if (!entry)
        return;
    entry->used = true;
    entry->users++;
    transfer->socket_number = entry->number;
}

void sockets_leave(struct transfer *transfer)
{
    for (struct connection_socket *entry = transfer->client->sockets; entry; entry = entry->next)
        if (entry->number == transfer->socket_number)
            entry->users--;
    transfer->socket_number = 0;
}

/* Whether there is nothing to be read, not even an end. */
static bool is_quiet(int fd)
{
    char byte = 0;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* What is read from now on is the end. */
static void spoil(int fd)
{
    char unasked[4096];

    (void)shutdown(fd, SHUT_RD); /* not SHUT_RDWR: TLS may still write its closing word */
    for (int i = 0; i < UNASKED_MAX / (int)sizeof(unasked); i++)
        if (recv(fd, unasked, sizeof(unasked), MSG_DONTWAIT) == 0)
            break;
}

void sockets_spoil_ended(struct client *client)
{
    for (struct connection_socket *entry = client->sockets; entry; entry = entry->next)
        if (entry->used && entry->users == 0 && !is_quiet(entry->fd))
            spoil(entry->fd);
}

void sockets_free(struct client *client)
{
    while (client->sockets) {
        struct connection_socket *entry = client->sockets;
        client->sockets = entry->next;
        free(entry);
    }
}
