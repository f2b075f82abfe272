import Redis
import Rules
import TestSupport

/// One to three readers of a key and one to three writers, whose steps are mixed at random. A writer commits, and at
/// some later step the worker deletes the key on account of that commit.
struct Interleaving {
    enum Step {
        case read(reader: Int, FencedReader.Step)
        case commit
        case delete
    }

    let steps: [Step]
    let readerCount: Int
    /// How many of its steps a reader had done when the worker deleted the key, for each reader and deletion.
    private(set) var stepsBeforeDeletions: [Int] = []

    init(using random: inout SeededGenerator) {
        readerCount = Int.random(in: 1...3, using: &random)
        let writers = readerCount..<readerCount + Int.random(in: 1...3, using: &random)
        let lanes =
            (0..<readerCount).flatMap { Array(repeating: $0, count: FencedReader.Step.allCases.count) }
            + writers.flatMap { [$0, $0] }
        var done = [Int](repeating: 0, count: writers.upperBound)
        var steps: [Step] = []
        for lane in lanes.shuffled(using: &random) {
            if let step = FencedReader.Step(rawValue: done[lane]), lane < readerCount {
                steps.append(.read(reader: lane, step))
            } else if done[lane] == 0 {
                steps.append(.commit)
            } else {
                steps.append(.delete)
                stepsBeforeDeletions += done.prefix(readerCount)
            }
            done[lane] += 1
        }
        self.steps = steps
    }
}

/// An interleaving that is being carried out on a key of its own. The database is a number, which each commit
/// increases.
struct InterleavingRun {
    private let steps: [Interleaving.Step]
    private let key: Key
    private var readers: [FencedReader]
    private var database = 1

    init(_ interleaving: Interleaving, on key: Key, isFenced: Bool) {
        steps = interleaving.steps
        self.key = key
        readers = (0..<interleaving.readerCount).map { _ in FencedReader(key, isFenced: isFenced) }
    }

    /// Does the step of this number, except for a deletion: true when that is what comes.
    mutating func needsDeletion(at number: Int, _ client: Client) async throws -> Bool {
        guard number < steps.count else { return false }
        switch steps[number] {
        case .read(let reader, let step): try await readers[reader].perform(step, database: database, client)
        case .commit: database += 1
        case .delete: return true
        }
        return false
    }

    /// What came of it. All deletions have been acknowledged.
    func outcome(_ client: Client) async throws -> InterleavingOutcome {
        let entry = try await client.send(RedisCommand("GET", [key.bytes]))
        return InterleavingOutcome(
            stale: entry == .null || entry.text == "\(database)" ? 0 : 1,
            stored: readers.count { $0.hasStored == true },
            refused: readers.count { $0.hasStored == false })
    }
}

/// What came of interleavings.
struct InterleavingOutcome {
    /// Entries that are older than the last commit.
    var stale = 0
    /// How often a reader stored what it had loaded.
    var stored = 0
    /// How often a reader was kept from it.
    var refused = 0

    static func += (sum: inout Self, other: Self) {
        sum.stale += other.stale
        sum.stored += other.stored
        sum.refused += other.refused
    }
}
