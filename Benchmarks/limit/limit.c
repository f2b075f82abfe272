// The limit: reads Unstale's outbox and unlinks `user:{id}`, and does nothing else. It stores no cursor, retries
// nothing, knows no rules, and ends at the first error: what any worker on this outbox costs at least.
//     limit DATABASE_URL REDIS_PORT [SNAPSHOT]
#include "doorbell.h"
#include "outbox.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "user:"
#define KEYS_A_COMMAND 500

static redisContext *cache;
static const char *words[KEYS_A_COMMAND + 1] = {"UNLINK"};
static size_t lengths[KEYS_A_COMMAND + 1] = {6};
static char keys[KEYS_A_COMMAND][64];
static int count, commands;

static void end_command(void) {
    if (count == 0) return;
    redisAppendCommandArgv(cache, count + 1, words, lengths);
    commands++;
    count = 0;
}

static void unlink_key(const char *id, int length) {
    if (length > 64 - (int)sizeof PREFIX) fail("unlinking", "an id is too long");
    char *key = keys[count++];
    memcpy(key, PREFIX, sizeof PREFIX - 1);
    memcpy(key + sizeof PREFIX - 1, id, length);
    words[count] = key;
    lengths[count] = sizeof PREFIX - 1 + length;
    if (count == KEYS_A_COMMAND) end_command();
}

static void send_commands(void) {
    end_command();
    for (int is_done = 0; !is_done;)
        if (redisBufferWrite(cache, &is_done) != REDIS_OK) fail("unlinking", cache->errstr);
}

static void receive_replies(void) {
    for (; commands > 0; commands--) {
        redisReply *reply;
        if (redisGetReply(cache, (void **)&reply) != REDIS_OK) fail("unlinking", cache->errstr);
        if (reply->type != REDIS_REPLY_INTEGER) fail("unlinking", reply->str);
        freeReplyObject(reply);
    }
}

static PGconn *connect_to(const char *url) {
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK) fail("connecting", PQerrorMessage(connection));
    return connection;
}

int main(int argc, char **argv) {
    if (argc < 3) fail("usage", "limit DATABASE_URL REDIS_PORT [SNAPSHOT]");
    static struct cursor cursor;
    PGconn *reader = connect_to(argv[1]);
    struct doorbell bell = {.listener = reader, .lock = connect_to(argv[1])};
    cache = redisConnect("127.0.0.1", atoi(argv[2]));
    if (!cache || cache->err) fail("connecting", "Redis");
    redisSetTimeout(cache, (struct timeval){.tv_sec = 10});
    prepare_reads(reader);
    open_doorbell(&bell);
    if (argc > 3) {
        parse_snapshot(argv[3], &cursor.snapshot);
    } else {
        PGresult *result = PQexec(reader, "SELECT pg_current_snapshot()");
        parse_snapshot(PQgetvalue(result, 0, 0), &cursor.snapshot);
        PQclear(result);
    }
    printf("ready\n");
    fflush(stdout);
    send_read(reader, &cursor);
    for (;;) {
        struct page page = receive_page(reader, &cursor, unlink_key);
        send_commands();
        // Postgres reads the next page while Redis works.
        if (page.is_full) send_read(reader, &cursor);
        receive_replies();
        did_read(&bell, page.records, page.is_full, page.writers);
        if (page.is_full) continue;
        wait_for_ring(&bell);
        send_read(reader, &cursor);
    }
}
