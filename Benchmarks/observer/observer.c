// Writes at a steady rate and looks when the keys are gone, all by one clock (CLOCK_MONOTONIC).
//     observer DATABASE_URL REDIS_PORT RATE COUNT ROWS [blind]
// Prints a line for each change: when the answer to its commit was there, and when its key was found to be gone, in
// seconds; the second is 0 for who is blind, for that one looks at no keys.
//
// Contestants, Postgres and Redis share the cores with it, so it sleeps wherever it can: until the next change is due,
// until a commit is answered, and for REST between two looks at the keys whose commits were answered.
#define _GNU_SOURCE
#include <errno.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define REST 50e-6
#define PATIENCE 5
// A short wait may otherwise last 50 µs longer than asked for.
#define TIMER_SLACK_NS 1000

struct change {
    double commit, gone;
};

static PGconn *database;
static redisContext *cache;
static struct change *changes;
// Those whose commits were answered and whose keys were there at the last look.
static int *waiting, waiting_count;
static int rows;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "observer: %s: %s\n", what, why);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static int row_of(int change) { return change % rows + 1; }

static redisReply *next_reply(void) {
    redisReply *reply;
    if (redisGetReply(cache, (void **)&reply) != REDIS_OK) fail("asking Redis", cache->errstr);
    if (reply->type == REDIS_REPLY_ERROR) fail("asking Redis", reply->str);
    return reply;
}

static void begin_write(int change, bool is_blind) {
    if (!is_blind) {
        redisAppendCommand(cache, "SET user:%d x", row_of(change));
        freeReplyObject(next_reply());
    }
    char row[16];
    snprintf(row, sizeof row, "%d", row_of(change));
    const char *values[] = {row};
    if (!PQsendQueryPrepared(database, "change", 1, values, NULL, NULL, 0)) fail("writing", PQerrorMessage(database));
}

// Whether the commit of the write under way has been answered.
static bool is_committed(void) {
    if (!PQconsumeInput(database)) fail("writing", PQerrorMessage(database));
    return !PQisBusy(database);
}

static void end_write(void) {
    PGresult *result;
    while ((result = PQgetResult(database))) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) fail("writing", PQresultErrorMessage(result));
        PQclear(result);
    }
}

static void look(void) {
    for (int i = 0; i < waiting_count; i++) redisAppendCommand(cache, "EXISTS user:%d", row_of(waiting[i]));
    int left = 0;
    for (int i = 0; i < waiting_count; i++) {
        redisReply *reply = next_reply();
        double seen = now();
        struct change *change = &changes[waiting[i]];
        if (reply->integer == 0) change->gone = seen;
        else if (seen - change->commit > PATIENCE) fail("looking", "a key is still there after 5 s");
        else waiting[left++] = waiting[i];
        freeReplyObject(reply);
    }
    waiting_count = left;
}

static void rest(bool is_writing, double seconds) {
    struct pollfd socket = {PQsocket(database), POLLIN, 0};
    if (seconds < 0) seconds = 0;
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (time_t)seconds) * 1e9)};
    if (ppoll(&socket, is_writing ? 1 : 0, &time, NULL) < 0 && errno != EINTR) fail("waiting", strerror(errno));
}

int main(int argc, char **argv) {
    if (argc < 6) fail("usage", "observer DATABASE_URL REDIS_PORT RATE COUNT ROWS [blind]");
    double rate = atof(argv[3]);
    int count = atoi(argv[4]);
    bool is_blind = argc > 6;
    rows = atoi(argv[5]);
    changes = calloc(count, sizeof *changes);
    waiting = calloc(count, sizeof *waiting);
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    database = PQconnectdb(argv[1]);
    if (PQstatus(database) != CONNECTION_OK) fail("connecting", PQerrorMessage(database));
    cache = redisConnect("127.0.0.1", atoi(argv[2]));
    if (!cache || cache->err) fail("connecting", "Redis");
    redisSetTimeout(cache, (struct timeval){.tv_sec = PATIENCE});
    PGresult *result = PQprepare(database, "change", "UPDATE users SET name = 'user ' || random() WHERE id = $1", 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail("preparing", PQerrorMessage(database));
    PQclear(result);

    int sent = 0;
    bool is_writing = false;
    double start = now();
    while (sent < count || is_writing || waiting_count > 0) {
        double due = sent < count ? start + sent / rate - now() : PATIENCE;
        if (!is_writing && sent < count && due <= 0) {
            begin_write(sent++, is_blind);
            is_writing = true;
        }
        rest(is_writing, waiting_count > 0 ? REST : is_writing ? PATIENCE : due);
        if (is_writing && is_committed()) {
            changes[sent - 1].commit = now();
            end_write();
            is_writing = false;
            if (!is_blind) waiting[waiting_count++] = sent - 1;
        }
        if (waiting_count > 0) look();
    }
    for (int i = 0; i < count; i++) printf("%.7f %.7f\n", changes[i].commit, changes[i].gone);
}
