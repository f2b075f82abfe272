import Rules

/// Who waits for which patterns, and for which pass. A value without I/O; the waiter is whatever its owner wants
/// to have back.
///
/// A pass serves all who wait when it begins, up to a number of patterns, and nobody who comes later: SCAN
/// returns only what was there from its beginning to its end, so a key that a latecomer means may lie behind.
struct SweepQueue<Waiter> {
    /// One caller and its patterns.
    struct Request {
        let id: Int
        let patterns: [Pattern]
        let fenced: Set<Pattern>
        /// What is done with the keys; nil: they are deleted.
        let visit: SweepVisit?
        let waiter: Waiter
    }

    private var waiting: [Request] = []
    private var served: [Request] = []
    private var lastID = 0
    private let patternsPerPass: Int

    init(patternsPerPass: Int) { self.patternsPerPass = patternsPerPass }

    /// Whether there is reason for a pass.
    var isEmpty: Bool { waiting.isEmpty }

    /// Somebody waits for a pass with these patterns, some of them fenced. Gives what ``remove(_:)`` takes.
    mutating func add(
        _ patterns: [Pattern], fenced: Set<Pattern> = [], visit: SweepVisit? = nil, waiter: Waiter
    ) -> Int {
        lastID += 1
        let fenced = fenced.isEmpty ? [] : fenced.intersection(patterns)
        waiting.append(Request(id: lastID, patterns: patterns, fenced: fenced, visit: visit, waiter: waiter))
        return lastID
    }

    /// Somebody doesn't wait any more.
    mutating func remove(_ id: Int) {
        waiting.removeAll { $0.id == id }
        served.removeAll { $0.id == id }
    }

    /// A pass begins. Gives the patterns whose keys it deletes, each once: none when nobody waits.
    mutating func begin() -> [Pattern] {
        var patterns: Set<Pattern> = []
        let count = waiting.prefix { request in
            // The first is always served, however many patterns it brings.
            guard patterns.isEmpty || patterns.count + request.patterns.count <= patternsPerPass else {
                return false
            }
            patterns.formUnion(request.patterns)
            return true
        }.count
        served = Array(waiting.prefix(count))
        waiting.removeFirst(count)
        return Array(Set(served.filter { $0.visit == nil }.flatMap(\.patterns)))
    }

    /// Which patterns of the pass that has begun are fenced: those that anybody wants fenced.
    var fenced: Set<Pattern> { served.reduce(into: []) { $0.formUnion($1.fenced) } }

    /// Who else looks for keys in the pass that has begun.
    var visits: [(patterns: [Pattern], visit: SweepVisit)] {
        served.compactMap { request in request.visit.map { (request.patterns, $0) } }
    }

    /// The pass came to its end. Gives whom it served.
    mutating func finish() -> [Request] {
        defer { served = [] }
        return served
    }

    /// The pass was broken off. Whom it was to serve waits for the next, before all others.
    mutating func abandon() {
        waiting.insert(contentsOf: served, at: 0)
        served = []
    }

    /// Takes everybody out: there will be no pass.
    mutating func drain() -> [Request] {
        abandon()
        defer { waiting = [] }
        return waiting
    }
}
