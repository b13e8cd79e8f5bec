/*
 * The client's thread: which call goes when, what comes after a try, and the end of each.
 *
 * A turn of the loop takes in what was submitted and cancelled, starts what may go, lets libcurl
 * work, and ends what has ended. Between turns it sleeps in libcurl, which a submission wakes.
 */
#include "core/base/clock.h"
#include "core/cloud/transfer.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

/* Tries, the first among them. */
#define TRIES_SOON 3  /* to reach the service at all */
#define TRIES_LATER 4 /* of a question whose answer failed, and of what is known not to be done */
#define TRIES_BUSY 6  /* another task holds the image */

#define DELAY_SOON_MS 80
#define DELAY_LATER_MS 200
#define RATE_JITTER_MS 500

#define SLEEP_MAX_MS 60000

/* --- lists --- */

void transfers_add(struct transfers *list, struct transfer *transfer)
{
    transfer->next = NULL;
    transfer->previous = list->last;
    if (list->last)
        list->last->next = transfer;
    else
        list->first = transfer;
    list->last = transfer;
}

void transfers_remove(struct transfers *list, struct transfer *transfer)
{
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        list->first = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    else
        list->last = transfer->previous;
}

/* --- the end of a call --- */

/* Takes TRANSFER, which is in no list any more, to its end. */
static void finish(struct transfer *transfer)
{
    struct call *call = transfer->call;
    const struct reply reply = {
        .result = transfer->result,
        .unknown = transfer->unknown,
        .answered = transfer->answer.spoke,
        .body = transfer->result == 0 ? transfer->answer.body : NULL,
        .status = transfer->status,
        .request_id = transfer->answer.request_id,
        .message = transfer->answer.message,
    };

    try_end(transfer);
    {
        LOCK_SCOPE(&transfer->client->lock);
        call->raised = false;
        call->cancelled = false;
        call->recalled = false;
    }
    call->done(call, &reply);
    api_answer_dispose(&transfer->answer);
    free(transfer);
}

/* A result that is no answer's. */
static void finish_with(struct transfer *transfer, int result, const char *words)
{
    api_answer_dispose(&transfer->answer);
    memset(&transfer->answer, 0, sizeof(transfer->answer));
    (void)snprintf(transfer->answer.message, sizeof(transfer->answer.message), "%s", words);
    transfer->result = result;
    transfer->unknown = transfer->call->changes && transfer->easy && transfer->sent;
    transfer->status = 0;
    finish(transfer);
}

/* The deadline of a call that waits. Of one that has been tried the last try tells more. */
static void finish_late(struct transfer *transfer)
{
    if (transfer->tries > 0)
        finish(transfer);
    else
        finish_with(transfer, -REFUSAL_SERVICE_TIMEOUT, "no connection was free in time");
}

static void leave_running(struct transfer *transfer)
{
    struct client *client = transfer->client;

    transfers_remove(&client->running, transfer);
    client->running_count[transfer->call->priority]--;
    client->waiting_until_ms = 0; /* somebody may have its place */
}

/* --- what comes in --- */

static struct transfer *transfer_new(struct client *client, struct call *call)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));

    if (!transfer)
        return NULL;
    transfer->client = client;
    transfer->call = call;
    return transfer;
}

static void take_calls(struct client *client, struct call *call)
{
    while (call) {
        struct call *next = call->next;
        struct transfer *transfer = transfer_new(client, call);
        if (transfer) {
            transfers_add(&client->waiting[call->priority], transfer);
            client->waiting_until_ms = 0;
        } else {
            const struct reply reply = {.result = -ENOMEM, .request_id = "", .message = ""};
            call->done(call, &reply);
        }
        call = next;
    }
}

/* Moves what was cancelled, or recalled in time (everything, if ALL), from LIST to ENDING. Under the
 * lock. */
static void gather(struct transfers *list, bool all, bool running, struct transfers *ending)
{
    for (struct transfer *transfer = list->first, *next; transfer; transfer = next) {
        next = transfer->next;
        const struct call *call = transfer->call;
        bool in_time = call->recalled && !(running && transfer->sent);
        if (!all && !call->cancelled && !in_time)
            continue;
        if (running)
            leave_running(transfer);
        else
            transfers_remove(list, transfer);
        transfers_add(ending, transfer);
    }
}

/* The priority that CALL has by now. Under the lock. */
static enum call_priority priority_of(const struct call *call)
{
    return call->raised && call->raised_to < call->priority ? call->raised_to : call->priority;
}

/* Gives all calls the priorities that they were raised to. Under the lock. */
static void raise_calls(struct client *client)
{
    for (struct transfer *transfer = client->running.first; transfer; transfer = transfer->next) {
        client->running_count[transfer->call->priority]--;
        transfer->call->priority = priority_of(transfer->call);
        client->running_count[transfer->call->priority]++;
    }
    for (int i = 0; i < PRIORITIES; i++) {
        for (struct transfer *transfer = client->waiting[i].first, *next; transfer;
             transfer = next) {
            next = transfer->next;
            enum call_priority priority = priority_of(transfer->call);
            if ((int)priority == i)
                continue;
            transfers_remove(&client->waiting[i], transfer);
            transfer->call->priority = priority;
            transfers_add(&client->waiting[priority], transfer);
        }
    }
    client->waiting_until_ms = 0;
}

enum turn {
    TURN_ON,
    TURN_STOPPING, /* look again: an end may have submitted another call */
    TURN_ENDED,    /* nothing is left */
};

/* Takes in what was submitted, raises what was raised, and ends what was cancelled. */
static enum turn take_in(struct client *client)
{
    struct transfers ending = {NULL, NULL};

    (void)pthread_mutex_lock(&client->lock);
    struct call *calls = STEAL(client->inbox);
    client->inbox_end = &client->inbox;
    for (struct call *call = calls; call; call = call->next) {
        call->priority = priority_of(call);
        client->cancels = client->cancels || call->cancelled || call->recalled;
    }
    (void)pthread_mutex_unlock(&client->lock);

    take_calls(client, calls);

    (void)pthread_mutex_lock(&client->lock);
    bool stopping = client->stopping;
    if (client->raises) {
        client->raises = false;
        raise_calls(client);
    }
    if (client->cancels || stopping) {
        client->cancels = false;
        gather(&client->running, stopping, true, &ending);
        for (int i = 0; i < PRIORITIES; i++)
            gather(&client->waiting[i], stopping, false, &ending);
    }
    /* What is submitted from now on ends where it is submitted. */
    client->ended = stopping && !ending.first && !client->inbox;
    bool ended = client->ended;
    (void)pthread_mutex_unlock(&client->lock);

    while (ending.first) {
        struct transfer *transfer = ending.first;
        transfers_remove(&ending, transfer);
        finish_with(transfer, -REFUSAL_INTERRUPTED,
                    stopping ? "the client has been stopped" : "cancelled");
    }
    return ended ? TURN_ENDED : stopping ? TURN_STOPPING : TURN_ON;
}

/* --- what goes --- */

/* Who has the higher priority always finds a place: background has half of them, and an eighth is
 * for callers that wait for a change. */
static bool has_place(const struct client *client, enum call_priority priority)
{
    int most = client->connections;
    int background = client->running_count[CALL_BACKGROUND];
    int later = background + client->running_count[CALL_SOON];
    int all = later + client->running_count[CALL_FIRST];
    int half = most / 2 > 0 ? most / 2 : 1;

    if (priority == CALL_BACKGROUND && background >= half)
        return false;
    if (priority != CALL_FIRST && later >= most - most / 8)
        return false;
    return all < most;
}

static int64_t ask_limiter(struct client *client, enum call_priority priority, int64_t now_ms)
{
    LOCK_SCOPE(&client->lock);
    return limiter_when(&client->limiter, priority, now_ms);
}

static void go(struct transfer *transfer, int64_t now_ms)
{
    struct client *client = transfer->client;
    enum call_priority priority = transfer->call->priority;

    transfers_remove(&client->waiting[priority], transfer);
    int result = try_start(transfer);
    if (result < 0) {
        finish_with(transfer, result, "the request cannot be made");
        return;
    }
    transfers_add(&client->running, transfer);
    client->running_count[priority]++;
    LOCK_SCOPE(&client->lock);
    limiter_count(&client->limiter, now_ms);
}

/* Starts or ends TRANSFER, which waits, or leaves it. Returns when it needs the next look. */
static int64_t look(struct transfer *transfer, int64_t now_ms)
{
    struct client *client = transfer->client;
    const struct call *call = transfer->call;
    int64_t deadline_ms = call->deadline_ms;

    if (deadline_ms <= now_ms) {
        transfers_remove(&client->waiting[call->priority], transfer);
        finish_late(transfer);
        return INT64_MAX;
    }
    if (transfer->not_before_ms > now_ms)
        return transfer->not_before_ms < deadline_ms ? transfer->not_before_ms : deadline_ms;
    int64_t when_ms = ask_limiter(client, call->priority, now_ms);
    if (when_ms >= deadline_ms) {
        transfers_remove(&client->waiting[call->priority], transfer);
        finish_with(transfer, -REFUSAL_SERVICE_RATE, "the requests of this minute are used up");
        return INT64_MAX;
    }
    if (when_ms > now_ms)
        return when_ms;
    if (!has_place(client, call->priority))
        return deadline_ms; /* or when another ends */
    go(transfer, now_ms);
    return INT64_MAX;
}

static void look_at_waiting(struct client *client)
{
    int64_t now_ms = clock_now_ms();

    if (now_ms < client->waiting_until_ms)
        return;
    client->waiting_until_ms = INT64_MAX;
    for (int i = 0; i < PRIORITIES; i++) {
        for (struct transfer *transfer = client->waiting[i].first, *next; transfer;
             transfer = next) {
            next = transfer->next;
            int64_t until_ms = look(transfer, now_ms);
            if (until_ms < client->waiting_until_ms)
                client->waiting_until_ms = until_ms;
        }
    }
}

/* --- after a try --- */

/* Between the half and the whole of MS, so that those who failed together do not come back
 * together. */
static int64_t jitter(int64_t ms)
{
    uint32_t random = 0;

    if (RAND_bytes((unsigned char *)&random, sizeof(random)) != 1)
        random = (uint32_t)clock_now_ms();
    return ms / 2 + (int64_t)random % (ms / 2 + 1);
}

static void learn(struct transfer *transfer, bool rate)
{
    struct client *client = transfer->client;
    /* The other products have limits of their own, and are hardly asked. */
    bool counts = strcmp(transfer->call->service, "vm") == 0;

    LOCK_SCOPE(&client->lock);
    limiter_learn(&client->limiter, counts ? transfer->limit : -1,
                  counts ? transfer->remaining : -1, transfer->second, rate, clock_now_ms());
}

/* When TRANSFER is tried again by what is usual, INT64_MAX for never. */
static int64_t usual_try(struct transfer *transfer, enum try_next next, int64_t now_ms)
{
    int most = transfer->result == -REFUSAL_SERVICE_BUSY ? TRIES_BUSY : TRIES_LATER;
    int before = transfer->tries - 1;

    switch (next) {
    case TRY_NO_MORE:
        break;
    case TRY_SOON:
        if (transfer->tries < TRIES_SOON)
            return now_ms + jitter(DELAY_SOON_MS << before);
        break;
    case TRY_LATER:
        if (transfer->tries < most)
            return now_ms + jitter(DELAY_LATER_MS << before);
        break;
    case TRY_RATE:
        if (transfer->tries < TRIES_LATER)
            return ask_limiter(transfer->client, transfer->call->priority, now_ms) +
                   jitter(RATE_JITTER_MS);
        break;
    }
    return INT64_MAX;
}

/* The same; not before the answer asks for it. */
static int64_t next_try(struct transfer *transfer, enum try_next next, int64_t now_ms)
{
    int64_t when_ms = usual_try(transfer, next, now_ms);
    int64_t asked_ms = now_ms + transfer->wait_ms;

    return transfer->wait_ms > 0 && when_ms < asked_ms ? asked_ms + jitter(DELAY_LATER_MS)
                                                       : when_ms;
}

static bool is_recalled(struct transfer *transfer)
{
    LOCK_SCOPE(&transfer->client->lock);
    return transfer->call->recalled;
}

static void after_try(struct transfer *transfer, CURLcode code)
{
    struct client *client = transfer->client;
    struct call *call = transfer->call;
    enum try_next next = try_understand(transfer, code);

    transfer->tries++;
    learn(transfer, next == TRY_RATE);
    leave_running(transfer);
    transfer->not_before_ms = next_try(transfer, next, clock_now_ms());
    /* A wait that would end too late is not begun: the caller hears sooner. */
    if (transfer->not_before_ms >= call->deadline_ms || is_recalled(transfer)) {
        finish(transfer);
        return;
    }
    try_end(transfer);
    transfers_add(&client->waiting[call->priority], transfer);
}

static void end_tries(struct client *client)
{
    int left = 0;

    for (CURLMsg *message = curl_multi_info_read(client->multi, &left); message;
         message = curl_multi_info_read(client->multi, &left)) {
        CURLcode code = message->data.result;
        char *transfer = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK)
            after_try((struct transfer *)(void *)transfer, code);
    }
}

/* Until something happens on a connection, somebody calls, or something that waits needs a look. */
static void sleep_until_needed(struct client *client)
{
    int64_t wait_ms = client->waiting_until_ms - clock_now_ms();

    if (client->waiting_until_ms == INT64_MAX || wait_ms > SLEEP_MAX_MS)
        wait_ms = SLEEP_MAX_MS;
    if (wait_ms < 0)
        wait_ms = 0;
    if (curl_multi_poll(client->multi, NULL, 0, (int)wait_ms, NULL) != CURLM_OK) {
        /* Not to spin where there is no memory for a moment. */
        const struct timespec moment = {.tv_nsec = 10000000L};
        (void)nanosleep(&moment, NULL);
    }
}

void *client_main(void *context)
{
    struct client *client = context;
    enum turn turn = TURN_ON;
    int running = 0;

    while ((turn = take_in(client)) != TURN_ENDED) {
        if (turn == TURN_STOPPING)
            continue;
        look_at_waiting(client);
        (void)curl_multi_perform(client->multi, &running);
        end_tries(client);
        sleep_until_needed(client);
    }
    return NULL;
}
