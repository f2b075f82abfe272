import Worker

/// The metrics that show how the worker stands when they are read.
enum StatusMetrics {
    static func families(_ status: WorkerStatus, version: String) -> [MetricFamily] {
        func each(_ name: String, _ value: (TargetReport) -> Double) -> MetricFamily {
            MetricFamily(name, each: status.targets.map { ([("target", $0.name)], value($0)) })
        }
        return [
            MetricFamily("unstale_build_info", each: [([("version", version)], 1)]),
            MetricFamily("unstale_leading", value: status.state == .leading ? 1 : 0),
            MetricFamily("unstale_rules", value: Double(status.rules.count)),
            MetricFamily("unstale_rules_refused", value: status.rules.refused.isEmpty ? 0 : 1),
            MetricFamily("unstale_degraded", value: Double(status.degraded.count)),
            each("unstale_lag_seconds") { $0.lagSeconds },
            each("unstale_backlog_records") { Double($0.backlog) },
            each("unstale_dead_letters") { Double($0.deadLetters) },
            each("unstale_retrying") { Double($0.retrying) },
            each("unstale_paused") { $0.state == .paused ? 1 : 0 },
            each("unstale_held") { $0.isHeld ? 1 : 0 },
            each("unstale_needs_resync") { $0.needsResync ? 1 : 0 },
        ]
    }
}
