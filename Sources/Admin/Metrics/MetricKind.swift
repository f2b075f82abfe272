/// What a metric is to Prometheus.
public enum MetricKind: String, Sendable {
    /// It only grows, until the process ends.
    case counter
    /// It goes up and down.
    case gauge
    /// Observations, counted in buckets.
    case histogram
}
