public import ServiceLifecycle
public import UnixSignals

/// Changes the log level on SIGUSR1, to more detail, and on SIGUSR2, to less.
public struct LogLevelSignals: Service, CustomStringConvertible {
    private let signals: UnixSignalsSequence
    private let log: LogOutput

    /// The signals that it listens to. Whoever makes the sequence decides from when on they don't end the process.
    public static let signals: [UnixSignal] = [.sigusr1, .sigusr2]

    /// - Parameter signals: Of ``signals``, and perhaps others, which are left alone.
    public init(_ signals: UnixSignalsSequence, log: LogOutput) {
        self.signals = signals
        self.log = log
    }

    /// What logs call it.
    public var description: String { "log level" }

    /// Listens until a graceful shutdown.
    public func run() async {
        for await signal in signals.cancelOnGracefulShutdown() where Self.signals.contains(signal) {
            log.changed(to: log.levels.step(toMore: signal == .sigusr1))
        }
    }
}
