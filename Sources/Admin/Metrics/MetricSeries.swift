/// What one series of a metric holds. Nothing in it waits for a lock or allocates when it is changed.
protocol MetricSeries: AnyObject, Sendable {
    /// Its lines at this moment.
    func samples(_ labels: MetricLabels) -> [MetricFamily.Sample]
}
