/// One metric as it is described to people.
public struct MetricDefinition: Hashable, Sendable {
    /// Its name, with its unit.
    public var name: String
    /// What it is.
    public var kind: MetricKind
    /// The names of its labels.
    public var labels: [String]
    /// What it says, on one line.
    public var help: String
    /// The buckets' upper bounds, in the metric's unit and ascending, the infinite one left out; for histograms.
    public var buckets: [Double]

    init(_ name: String, _ kind: MetricKind, by labels: [String] = [], _ help: String, buckets: [Double] = []) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.help = help
        self.buckets = buckets
    }
}
