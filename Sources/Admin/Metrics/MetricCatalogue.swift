/// All metrics that there are, in the order in which people read about them.
public enum MetricCatalogue {
    /// Upper bounds in seconds for what takes from a commit to its key, or as long as a load or a sweep.
    static let lags = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    /// Upper bounds in seconds for one question and its answer.
    static let roundTrips = [
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
    ]

    /// The table.
    public static let all = worker + changes + listening + delivery + target + rewarming + process

    /// By name.
    static let byName = Dictionary(all.map { ($0.name, $0) }) { $1 }

    private static let worker: [MetricDefinition] = [
        .init("unstale_build_info", .gauge, by: ["version"], "1, with the program's version"),
        .init("unstale_leading", .gauge, "1 while this worker leads, 0 while it waits or stands by"),
        .init("unstale_rules", .gauge, "Rules that are served"),
        .init("unstale_rules_refused", .gauge, "1 while the rules files have mistakes and older rules are served"),
        .init("unstale_degraded", .gauge, "Faults of the capture"),
    ]

    private static let changes: [MetricDefinition] = [
        .init("unstale_lag_seconds", .gauge, by: ["target"], "Age of the oldest change that is not served; 0: none"),
        .init("unstale_backlog_records", .gauge, by: ["target"], "Records of the outbox that are not served"),
        .init(
            "unstale_delivery_lag_seconds", .histogram, by: ["target"],
            "From the commit of a change to the acknowledgement of its last action", buckets: lags),
        .init("unstale_changes_total", .counter, by: ["target", "rule"], "Changes that a rule matched"),
        .init("unstale_records_total", .counter, by: ["target"], "Records read from the outbox"),
        .init("unstale_batches_total", .counter, by: ["target"], "Reads of the outbox that asked for something"),
        .init("unstale_doorbell_rings_total", .counter, "Notifications that woke the worker"),
        .init("unstale_doorbell_sweeps_total", .counter, "Reads by the clock, though nobody had rung"),
        .init(
            "unstale_postgres_round_trip_seconds", .histogram, "Reads of the outbox, as the worker waited for them",
            buckets: roundTrips),
    ]

    private static let listening: [MetricDefinition] = [
        .init(
            "unstale_listening", .gauge, "1 while notifications of other triggers are heard; only where 'listen' is set"
        ),
        .init(
            "unstale_listen_gaps_total", .counter, "How often listening began, and what was sent before was not heard"),
        .init(
            "unstale_notifications_total", .counter, by: ["channel", "outcome"],
            "What became of notifications: row, any_row, ignored, unreadable, overflow"),
    ]

    private static let delivery: [MetricDefinition] = [
        .init("unstale_keys_deleted_total", .counter, by: ["target", "rule"], "Keys deleted by name"),
        .init("unstale_tagged_keys_total", .counter, by: ["target", "rule"], "Keys deleted by tag"),
        .init(
            "unstale_actions_total", .counter, by: ["target", "rule", "action"],
            "Tags that were emptied, entries whose time to live was cut, counters, messages: tag, expire, bump, publish"
        ),
        .init("unstale_patterns_total", .counter, by: ["target", "rule"], "Patterns that were swept"),
        .init("unstale_keys_swept_total", .counter, by: ["target"], "Keys deleted by pattern"),
        .init("unstale_sweep_passes_total", .counter, by: ["target"], "Passes over all keys that came to their end"),
        .init("unstale_sweep_keys_scanned_total", .counter, by: ["target"], "Keys that SCAN returned"),
        .init("unstale_sweep_seconds", .histogram, by: ["target"], "How long a pass took", buckets: lags),
        .init("unstale_index_keys", .gauge, by: ["target"], "Keys that the index has"),
        .init("unstale_index_bytes", .gauge, by: ["target"], "What they take in memory"),
        .init("unstale_index_lookups_total", .counter, by: ["target"], "Times that patterns were looked up in it"),
        .init(
            "unstale_index_fallbacks_total", .counter, by: ["target"],
            "Times that patterns about its keys were scanned for, because it was not complete"),
        .init(
            "unstale_attempts_total", .counter, by: ["target", "rule", "result"],
            "Attempts of parked actions: done, failed"),
        .init("unstale_dead_letters_total", .counter, by: ["target", "rule"], "Actions that are tried no more"),
        .init("unstale_dead_letters", .gauge, by: ["target"], "Actions that are tried no more and lie there now"),
        .init("unstale_retrying", .gauge, by: ["target"], "Actions that failed and are tried again"),
    ]

    private static let target: [MetricDefinition] = [
        .init("unstale_paused", .gauge, by: ["target"], "1 while the target is waited for"),
        .init("unstale_pauses_total", .counter, by: ["target"], "How often the target had to be waited for"),
        .init("unstale_held", .gauge, by: ["target"], "1 while an operator has paused the target"),
        .init(
            "unstale_needs_resync", .gauge, by: ["target"],
            "1 while the target lacks records that the outbox did not keep, and not all rows have counted as changed"),
        .init("unstale_replays_total", .counter, by: ["target"], "How often the window was served once more"),
        .init(
            "unstale_redis_round_trip_seconds", .histogram, by: ["target"], "From a pipeline to its last reply",
            buckets: roundTrips),
    ]

    private static let rewarming: [MetricDefinition] = [
        .init(
            "unstale_rewarms_total", .counter, by: ["target", "rule", "outcome"],
            "What became of entries: stored, absent, too_large, superseded, no_room, failed, late, over_budget, cold"),
        .init("unstale_loads_total", .counter, by: ["target", "rule"], "Loads that were begun"),
        .init("unstale_load_seconds", .histogram, by: ["target", "rule"], "How long a load took", buckets: lags),
    ]

    private static let process: [MetricDefinition] = [
        .init("process_resident_memory_bytes", .gauge, "Memory that is resident"),
        .init("process_virtual_memory_bytes", .gauge, "Memory that is mapped"),
        .init("process_cpu_seconds_total", .counter, "Time on a processor, user and system"),
        .init("process_open_fds", .gauge, "Open file descriptors"),
        .init("process_max_fds", .gauge, "File descriptors that may be open"),
        .init("process_start_time_seconds", .gauge, "When the process was started, in seconds since 1970"),
    ]
}
