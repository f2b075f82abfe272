// The doorbell, as Unstale minds it: armed while little happens, reading by the clock while there is much.
#include "doorbell.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define PACE_MS 5
#define ARMING_MS 50
#define SWEEP_MS 1000
#define QUIET 0.05
#define WINDOW 0.1
#define WINDOW_READS 8
#define RECORDS_A_SECOND 1500
#define LOCK "(1970172788, 1)"

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

void open_doorbell(struct doorbell *bell) {
    PQclear(PQexec(bell->listener, "LISTEN unstale"));
    bell->mode = awake;
}

static void stand_down(struct doorbell *bell) {
    PGresult *result;
    if (bell->mode == arming) {
        char error[256];
        PGcancel *cancel = PQgetCancel(bell->lock);
        PQcancel(cancel, error, sizeof error);
        PQfreeCancel(cancel);
        while ((result = PQgetResult(bell->lock))) PQclear(result);
    }
    // The request may have been granted before it was stopped.
    PQclear(PQexec(bell->lock, "SELECT pg_advisory_unlock_all()"));
    bell->mode = awake;
}

void did_read(struct doorbell *bell, int records, bool is_full, int writers) {
    double time = now();
    if (time - bell->window_start >= WINDOW && bell->reads >= WINDOW_READS) {
        bell->window_start = time;
        bell->records = bell->reads = bell->writers = 0;
    }
    bell->reads++;
    bell->records += records;
    bell->writers += writers;
    if (records > 0) bell->last_records = time;
    double elapsed = time - bell->window_start > WINDOW ? time - bell->window_start : WINDOW;
    bool is_busy = is_full || bell->records > RECORDS_A_SECOND * elapsed
        || (bell->reads >= WINDOW_READS && bell->writers >= 2 * bell->reads);
    if (bell->mode == awake) {
        if (time - bell->last_records < QUIET) return;
        PQsendQuery(bell->lock, "SELECT pg_advisory_lock" LOCK);
        bell->mode = arming;
        bell->wait_ms = PACE_MS;
    } else if (is_busy) {
        stand_down(bell);
    } else if (records > 0 || bell->wait_ms * 2 > ARMING_MS) {
        bell->wait_ms = records > 0 ? PACE_MS : ARMING_MS;
    } else {
        bell->wait_ms *= 2;
    }
}

void wait_for_ring(struct doorbell *bell) {
    if (bell->mode == awake) {
        poll(NULL, 0, PACE_MS);
        return;
    }
    struct pollfd sockets[] = {{PQsocket(bell->listener), POLLIN, 0}, {PQsocket(bell->lock), POLLIN, 0}};
    PGnotify *ring = PQnotifies(bell->listener);
    if (!ring) {
        poll(sockets, bell->mode == arming ? 2 : 1, bell->mode == arming ? bell->wait_ms : SWEEP_MS);
        PQconsumeInput(bell->listener);
    } else {
        PQfreemem(ring);
    }
    while ((ring = PQnotifies(bell->listener))) PQfreemem(ring);
    if (bell->mode == arming && PQconsumeInput(bell->lock) && !PQisBusy(bell->lock)) {
        PGresult *result;
        while ((result = PQgetResult(bell->lock))) PQclear(result);
        bell->mode = armed; // and what was committed before without a ring is read once more
    }
}
