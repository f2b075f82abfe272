import Logging
import Synchronization

/// A handler whose level is that of all its copies: whoever holds a logger minds a change of it.
struct SharedLevelHandler: LogHandler {
    private final class Level: Sendable {
        /// Its place among all levels.
        let place = Atomic(0)
    }

    private static let levels = Logger.Level.allCases
    private var handler: any LogHandler
    private let level = Level()

    /// Writes what the handler would.
    init(_ handler: any LogHandler) {
        self.handler = handler
        logLevel = handler.logLevel
    }

    var logLevel: Logger.Level {
        get { Self.levels[level.place.load(ordering: .relaxed)] }
        nonmutating set { level.place.store(Self.levels.firstIndex(of: newValue) ?? 0, ordering: .relaxed) }
    }

    var metadata: Logger.Metadata {
        get { handler.metadata }
        set { handler.metadata = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { handler[metadataKey: key] }
        set { handler[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { handler.log(event: event) }
}
