// The limit of passes: asks Redis for all of its keys over and over at a pace, and does nothing else with them.
//     scan REDIS_PORT COUNT REST_US
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

// A short rest may otherwise last 50 µs longer than asked for.
#define TIMER_SLACK_NS 1000

static void fail(const char *why) {
    fprintf(stderr, "scan: %s\n", why);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc < 4) fail("usage: scan REDIS_PORT COUNT REST_US");
    struct timespec rest = {.tv_nsec = atol(argv[3]) * 1000};
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
    redisContext *cache = redisConnect("127.0.0.1", atoi(argv[1]));
    if (!cache || cache->err) fail("Redis can't be reached");
    char cursor[32] = "0";
    for (;;) {
        redisReply *reply = redisCommand(cache, "SCAN %s COUNT %s", cursor, argv[2]);
        if (!reply || reply->type != REDIS_REPLY_ARRAY) fail(reply ? reply->str : cache->errstr);
        snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        freeReplyObject(reply);
        nanosleep(&rest, NULL); // the pace: the rest of Redis' time is for those whom it serves
    }
}
