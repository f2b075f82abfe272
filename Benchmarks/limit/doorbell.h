#include <libpq-fe.h>
#include <stdbool.h>

// Whether writers ring, and how long to wait for it; see `Doorbell` in Sources/Capture.
struct doorbell {
    PGconn *listener, *lock;
    enum { awake, arming, armed } mode;
    double last_records, window_start;
    int records, reads, writers;
    int wait_ms;
};

double now(void);
void open_doorbell(struct doorbell *bell);
void did_read(struct doorbell *bell, int records, bool is_full, int writers);
void wait_for_ring(struct doorbell *bell);
