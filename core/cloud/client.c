/* The client's interface: see the header. */
#include "core/cloud/client.h"

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cloud/transfer.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS 16

/* --- the endpoint --- */

struct endpoint {
    CURLU *url;
    char *scheme, *host, *port; /* PORT may be NULL */
};

static void endpoint_dispose(struct endpoint *endpoint)
{
    curl_free(endpoint->scheme);
    curl_free(endpoint->host);
    curl_free(endpoint->port);
    curl_url_cleanup(endpoint->url);
}

#define CLEANUP_ENDPOINT __attribute__((cleanup(endpoint_dispose)))

/* True where the part is there and is not "". */
static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(url, part, &text, 0) == CURLUE_OK && text && *text;

    curl_free(text);
    return there;
}

/* A path that is more than the root. */
static bool has_path(CURLU *url)
{
    char *text = NULL;
    bool there = curl_url_get(url, CURLUPART_PATH, &text, 0) != CURLUE_OK || strcmp(text, "/") != 0;

    curl_free(text);
    return there;
}

/* The names of this machine. Whether localhost is, the address shows that it gets. */
static bool is_loopback_name(const char *host)
{
    int end = 0;
    unsigned int a = 0;
    unsigned int b = 0;
    unsigned int c = 0;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return sscanf(host, "127.%3u.%3u.%3u%n", &a, &b, &c, &end) == 3 && host[end] == '\0' &&
           a < 256 && b < 256 && c < 256;
}

static const char *host_fault(const char *host)
{
    for (const char *c = host; *c; c++)
        if (*c <= ' ' || *c > '~')
            return "its host is not written in ASCII";
    return NULL;
}

/* What is wrong with TEXT, NULL for nothing. Fills ENDPOINT. */
static const char *endpoint_fault(const char *text, struct endpoint *endpoint)
{
    endpoint->url = curl_url();
    if (!endpoint->url)
        return "there is no memory";
    CURLU *url = endpoint->url;
    if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &endpoint->scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &endpoint->host, 0) != CURLUE_OK || !*endpoint->host)
        return "it must look like https://HOST or https://HOST:PORT";
    (void)curl_url_get(url, CURLUPART_PORT, &endpoint->port, CURLU_NO_DEFAULT_PORT);
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        return "it must hold no user name; the keys come from the profile or the environment";
    if (has_path(url) || has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
        return "it must end after the host or its port";
    if (strcmp(endpoint->scheme, "https") == 0)
        return host_fault(endpoint->host);
    if (strcmp(endpoint->scheme, "http") != 0)
        return "it must begin with https://";
    return is_loopback_name(endpoint->host) ? NULL
                                            : "http:// is for this machine only; use https://";
}

/* The text is printed unless it may hold a password. */
static void tell_fault(const char *text, const char *fault, struct buffer *error)
{
    buffer_puts(error, "endpoint");
    if (!strchr(text, '@')) {
        buffer_puts(error, " ");
        text_escape(error, text);
    }
    buffer_printf(error, ": %s", fault);
}

int client_check_endpoint(const char *endpoint, struct buffer *error)
{
    CLEANUP_ENDPOINT struct endpoint parts = {NULL, NULL, NULL, NULL};
    const char *fault = endpoint_fault(endpoint, &parts);

    if (!fault)
        return 0;
    tell_fault(endpoint, fault, error);
    return -EINVAL;
}

static int take_endpoint(struct client *client, struct buffer *error)
{
    CLEANUP_ENDPOINT struct endpoint parts = {NULL, NULL, NULL, NULL};
    CLEANUP_BUFFER struct buffer host = BUFFER_INIT(512);
    CLEANUP_BUFFER struct buffer base = BUFFER_INIT(512);
    const char *text = client->options.endpoint;
    const char *fault = text ? endpoint_fault(text, &parts) : NULL;

    if (!text)
        return 0;
    if (fault) {
        tell_fault(text, fault, error);
        return -EINVAL;
    }
    client->plain = strcmp(parts.scheme, "http") == 0;
    buffer_printf(&host, "%s%s%s", parts.host, parts.port ? ":" : "", parts.port ? parts.port : "");
    buffer_printf(&base, "%s://%s", parts.scheme, buffer_text(&host));
    if (buffer_failed(&host) || buffer_failed(&base)) {
        tell_fault(text, "it is too long", error);
        return -EINVAL;
    }
    client->host = STEAL(host.text);
    client->base = STEAL(base.text);
    return 0;
}

/* --- start and end --- */

static CURLcode global_code;

static void global_init(void)
{
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int check_files(const struct client_options *options, struct buffer *error)
{
    if (options->ca_file && access(options->ca_file, R_OK) < 0) {
        int result = -errno;
        buffer_puts(error, "cacert ");
        text_escape(error, options->ca_file);
        buffer_printf(error, ": %s", strerror(-result));
        return result;
    }
    return 0;
}

/* It writes to a socket. Who calls would wait for a wake that was lost until the thread wakes of itself. */
#define WAKE_TRIES 8

static bool wake(struct client *client)
{
    for (int tries = 0; tries < WAKE_TRIES; tries++)
        if (curl_multi_wakeup(client->multi) == CURLM_OK)
            return true;
    return false;
}

static int make_multi(struct client *client)
{
    long most = client->connections;

    client->multi = curl_multi_init();
    client->share = curl_share_init();
    if (!client->multi || !client->share)
        return -ENOMEM;
    /* Sessions of TLS; connections and addresses are the multi handle's. One thread: no locks. */
    if (curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        return -ENOMEM;
    if (curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, most) != CURLM_OK)
        return -ENOMEM;
    /* One request at a time on a connection of HTTP/2, too: with several of them libcurl 7.88 now
     * and then forgets to hand over an answer that has come, until the call's deadline. */
    if (curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) != CURLM_OK)
        return -ENOMEM;
    /* Where libcurl had no socket for wakes it goes on without one. */
    return wake(client) ? 0 : -ENOMEM;
}

/* The signals that end programs are for others. SIGPIPE is libcurl's, which must not ignore it for
 * the whole program. */
static int start_thread(struct client *client)
{
    static const int others[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE,
                                 SIGALRM, SIGUSR1, SIGUSR2, SIGCHLD};
    sigset_t blocked;
    sigset_t before;

    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        (void)sigaddset(&blocked, others[i]);
    int result = -pthread_sigmask(SIG_BLOCK, &blocked, &before);
    if (result < 0)
        return result;
    result = -pthread_create(&client->thread, NULL, client_main, client);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    client->started = result == 0;
    return result;
}

static int begin(struct client *client, struct buffer *error)
{
    int64_t second = text_now() / 1000000000 % 60;
    int result = take_endpoint(client, error);

    if (result == 0)
        result = check_files(&client->options, error);
    if (result < 0)
        return result;
    limiter_init(&client->limiter, CLIENT_LIMIT_A_MINUTE, (int)second, clock_now_ms());
    result = make_multi(client);
    if (result == 0)
        result = start_thread(client);
    if (result < 0)
        buffer_printf(error, "the cloud's client cannot be started: %s", strerror(-result));
    return result;
}

int client_new(const struct client_options *options, struct buffer *error, struct client **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, global_init);
    struct client *client = global_code == CURLE_OK ? calloc(1, sizeof(*client)) : NULL;
    if (!client) {
        buffer_puts(error, "libcurl cannot be initialised");
        return -ENOMEM;
    }
    client->options = *options;
    client->connections = options->connections > 0 ? options->connections : CONNECTIONS;
    client->inbox_end = &client->inbox;
    (void)pthread_mutex_init(&client->lock, NULL);
    (void)pthread_cond_init(&client->quiet, NULL);
    int result = begin(client, error);
    if (result < 0) {
        client_free(client);
        return result;
    }
    *out = client;
    return 0;
}

void client_stop(struct client *client)
{
    (void)pthread_mutex_lock(&client->lock);
    client->stopping = true;
    (void)pthread_mutex_unlock(&client->lock);
    (void)wake(client);
    (void)pthread_join(client->thread, NULL);
    client->started = false;
    LOCK_SCOPE(&client->lock);
    while (client->outside > 0)
        (void)pthread_cond_wait(&client->quiet, &client->lock);
}

void client_free(struct client *client)
{
    if (!client)
        return;
    if (client->multi)
        (void)curl_multi_cleanup(client->multi);
    if (client->share)
        (void)curl_share_cleanup(client->share);
    sockets_free(client);
    (void)pthread_cond_destroy(&client->quiet);
    (void)pthread_mutex_destroy(&client->lock);
    free(client->base);
    free(client->host);
    free(client);
}

/* --- calls --- */

/* Ends CALL here: the thread takes none any more. */
static void end_outside(struct client *client, struct call *call)
{
    const struct reply reply = {
        .result = -REFUSAL_INTERRUPTED,
        .request_id = "",
        .message = "the client has been stopped",
    };

    call->done(call, &reply);
    LOCK_SCOPE(&client->lock);
    client->outside--;
    if (client->outside == 0)
        (void)pthread_cond_broadcast(&client->quiet);
}

void client_submit(struct client *client, struct call *call)
{
    call->next = NULL;
    (void)pthread_mutex_lock(&client->lock);
    bool ended = client->ended;
    if (ended) {
        client->outside++;
    } else {
        *client->inbox_end = call;
        client->inbox_end = &call->next;
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (ended)
        end_outside(client, call);
    else
        (void)wake(client);
}

/* Sets FLAG of a call, for the thread to see. */
static void mark(struct client *client, bool *flag)
{
    (void)pthread_mutex_lock(&client->lock);
    *flag = true;
    client->cancels = true;
    (void)pthread_mutex_unlock(&client->lock);
    (void)wake(client);
}

void client_cancel(struct client *client, struct call *call)
{
    mark(client, &call->cancelled);
}

void client_recall(struct client *client, struct call *call)
{
    mark(client, &call->recalled);
}

void client_raise(struct client *client, struct call *call, enum call_priority priority)
{
    (void)pthread_mutex_lock(&client->lock);
    if (!call->raised || priority < call->raised_to) {
        call->raised = true;
        call->raised_to = priority;
        client->raises = true;
    }
    (void)pthread_mutex_unlock(&client->lock);
    (void)wake(client);
}

void client_read_state(struct client *client, struct client_state *out)
{
    LOCK_SCOPE(&client->lock);
    const struct limiter *limiter = &client->limiter;
    (void)limiter_when(&client->limiter, CALL_FIRST, clock_now_ms()); /* a new minute begins */
    *out = (struct client_state){
        .requests = client->requests,
        .limit = limiter->limit,
        .remaining = limiter->exhausted || limiter->used >= limiter->limit
                         ? 0
                         : limiter->limit - limiter->used,
    };
}
