import FoundationEssentials
public import Logging
import Postgres
public import ServiceLifecycle
import Synchronization

/// Where all loggers write to: it has each message made a line of, and repeated failures counted.
public final class LogOutput: Service, CustomStringConvertible {
    /// From which level on.
    public let levels: LogLevelSwitch
    private let format: LogFormat
    private let write: @Sendable (String) -> Void
    private let repeats: Mutex<RepeatFilter>
    /// Rings when a line was said that may be repeated.
    private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameter write: Takes one line, without its end.
    public convenience init(
        _ format: LogFormat, levels: LogLevelSwitch, write: @escaping @Sendable (String) -> Void
    ) {
        self.init(format, levels: levels, repeats: RepeatFilter(), write: write)
    }

    init(
        _ format: LogFormat, levels: LogLevelSwitch, repeats: RepeatFilter, write: @escaping @Sendable (String) -> Void
    ) {
        self.format = format
        self.levels = levels
        self.repeats = Mutex(repeats)
        self.write = write
    }

    /// A logger that writes here.
    public func logger(_ label: String) -> Logger { Logger(label: label) { _ in LineLogHandler(output: self) } }

    /// What logs call it.
    public var description: String { "log" }

    /// Says how often failures were repeated, until a graceful shutdown.
    public func run() async {
        try? await cancelWhenGracefulShutdown {
            for await _ in self.bell.stream {
                // What is due is so by the clock. Nothing is looked at while nothing is repeated.
                while self.sayDue() { try await Task.sleep(for: .seconds(1)) }
            }
        }
        flush()
    }

    /// Says what was held back.
    public func flush() { say(repeats.withLock { $0.flush(at: .now) }) }

    /// Says that the level is another now: at that very level, so that it is said whichever it is.
    public func changed(to level: Logger.Level) {
        let entry = LogEntry(level: level, message: "The log level has changed", metadata: ["level": "\(level)"])
        write(format.line(entry, at: .now))
    }

    func log(_ entry: LogEntry) {
        let (isAdmitted, mayRepeat) = repeats.withLock { ($0.admits(entry, at: .now), !$0.isEmpty) }
        if isAdmitted { write(format.line(entry, at: .now)) }
        if mayRepeat { bell.continuation.yield() }
    }

    /// Whether there may be more to say later.
    private func sayDue() -> Bool {
        let (due, isEmpty) = repeats.withLock { ($0.due(at: .now), $0.isEmpty) }
        say(due)
        return !isEmpty
    }

    private func say(_ lines: [(entry: LogEntry, repetition: RepeatFilter.Repetition)]) {
        for line in lines where line.entry.level >= levels.level {
            write(format.line(line.entry, repeated: line.repetition, at: .now))
        }
    }
}

/// Hands messages to the output, with the metadata of its logger.
struct LineLogHandler: LogHandler {
    let output: LogOutput
    var metadata: Logger.Metadata = [:]
    /// What somebody has set for one logger alone.
    private var ownLevel: Logger.Level?

    init(output: LogOutput) { self.output = output }

    var logLevel: Logger.Level {
        get { ownLevel ?? output.levels.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var texts = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        if let error = event.error { texts["error"] = (error as? PostgresError)?.summary ?? "\(error)" }
        output.log(LogEntry(level: event.level, message: "\(event.message)", metadata: texts))
    }
}
