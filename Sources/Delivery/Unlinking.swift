import Redis
import Rules

/// Keys on their way to being deleted: which commands to send next, and what their replies mean. A value without
/// I/O. A command that fails by its own fault is taken apart, so that one bad key doesn't hold up its neighbours.
struct Unlinking {
    /// The longest string that Redis takes (`proto-max-bulk-len`); for a longer one it hangs up.
    static let maximumKeyLength = 512 << 20

    /// Those that can't be deleted.
    private(set) var failures: [Failure] = []
    /// The keys of each command that Redis has not acknowledged; the next pipeline's are the last.
    private var chunks: [ArraySlice<Key>] = []
    private let bytesPerPipeline: Int

    init(_ keys: [Key], keysPerCommand: Int, bytesPerPipeline: Int) {
        self.bytesPerPipeline = bytesPerPipeline
        var sound = keys[...]
        if keys.contains(where: { $0.bytes.count > Self.maximumKeyLength }) {
            sound = keys.filter { $0.bytes.count <= Self.maximumKeyLength }[...]
            failures = keys.filter { $0.bytes.count > Self.maximumKeyLength }
                .map { Failure(key: $0, reason: "the key is longer than Redis allows") }
        }
        while !sound.isEmpty {
            chunks.append(sound.prefix(keysPerCommand))
            sound = sound.dropFirst(keysPerCommand)
        }
    }

    /// Whether each key is deleted or among the failures.
    var isDone: Bool { chunks.isEmpty }

    /// The next pipeline.
    func commands() -> [RedisCommand] {
        chunks.suffix(pipelineLength).map { RedisCommand("UNLINK", $0.map(\.bytes)) }
    }

    /// Takes the replies to ``commands()``. What the target was not fit to do stays to be done.
    mutating func settle(_ replies: [RedisReply]) {
        let sent = chunks.suffix(replies.count)
        chunks.removeLast(replies.count)
        for (chunk, reply) in zip(sent, replies) {
            guard case .error(let error) = reply else { continue }
            switch Trouble(error) {
            case .target: chunks.append(chunk)
            case .action where chunk.count > 1: chunks += chunk.indices.map { chunk[$0...$0] }
            case .action(let reason): failures += chunk.map { Failure(key: $0, reason: reason) }
            }
        }
    }

    /// How many of the last chunks make a pipeline.
    private var pipelineLength: Int {
        var bytes = 0
        let fitting = chunks.reversed().prefix { chunk in
            defer { bytes += chunk.reduce(0) { $0 + $1.bytes.count } }
            return bytes < bytesPerPipeline
        }
        return fitting.count
    }
}
