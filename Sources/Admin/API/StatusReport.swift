import Worker

/// `/api/status`: what the worker says of itself, and what belongs to the process.
struct StatusReport: Encodable {
    var status: WorkerStatus
    var version: String
    var logLevel: String

    private enum Keys: CodingKey { case version, logLevel }

    func encode(to encoder: any Encoder) throws {
        try status.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(version, forKey: .version)
        try container.encode(logLevel, forKey: .logLevel)
    }
}
