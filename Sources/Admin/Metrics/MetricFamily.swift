/// A metric and what it shows at one moment.
struct MetricFamily: Sendable {
    /// A line of the text format: the name's suffix, the labels in braces or nothing, and the value.
    struct Sample: Sendable {
        var suffix = ""
        var labels: String
        var value: Double
    }

    var name: String
    var kind: MetricKind
    var samples: [Sample]

    /// A metric of one value for each of these labels.
    init(_ name: String, _ kind: MetricKind = .gauge, each values: [(labels: [(String, String)], value: Double)]) {
        self.name = name
        self.kind = kind
        samples = values.map { Sample(labels: MetricLabels($0.labels).text, value: $0.value) }
    }

    /// A metric without labels.
    init(_ name: String, _ kind: MetricKind = .gauge, value: Double) {
        self.init(name, kind, each: [([], value)])
    }

    init(name: String, kind: MetricKind, samples: [Sample]) {
        self.name = name
        self.kind = kind
        self.samples = samples
    }
}
