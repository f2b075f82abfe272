import HeapModule
import Rules

/// Which entries wait for a load, which are being loaded, and what comes next. A value without I/O or clock; the
/// waiter is whatever its owner wants to have back.
///
/// There is one load of a key at a time. What comes before it has begun joins it; what comes later is one more load
/// afterwards, however many they are. Where what comes contradicts what waits or is being loaded, nothing of that is to
/// be stored. Nobody's entry stays stale for longer than its deadline: then it is given up,
/// and its owner deletes it.
struct LoadQueue<Waiter> {
    /// A load to begin.
    struct Load {
        var lane: LaneID
        var calls: [RewarmCall]
    }

    /// An entry that was not loaded in time, and those who wait for it.
    struct Late {
        var call: RewarmCall
        var waiters: [Waiter]
        /// Whether its load had begun: it is the loader that is late, and not the queue that is long.
        var hasBegun: Bool
    }

    private enum Phase { case waiting, ready, loading, resting }

    private struct Demand {
        var call: RewarmCall
        var waiters: [Waiter]
        var deadline: ContinuousClock.Instant
    }

    private struct Entry {
        var phase: Phase
        /// What the load that comes or runs is for; nil: nobody waits for it.
        var demand: Demand?
        /// What came while the load ran.
        var again: Demand?
        var rate: ChangeRate
        /// When the next phase begins, of one that goes by the clock.
        var until: ContinuousClock.Instant
        /// When its last load ended.
        var endedAt: ContinuousClock.Instant
        var hasBegun = false
        /// Whether changes that it waits for, or is being loaded for, disagree on what its loader is to be given. So it stays
        /// until nothing is to be loaded any more.
        var isDisputed = false
    }

    private struct Alarm: Comparable {
        var at: ContinuousClock.Instant
        var key: Key

        static func < (a: Alarm, b: Alarm) -> Bool { a.at < b.at }
    }

    private var entries: [Key: Entry] = [:]
    private var lanes: [LaneID: Lane]
    private var alarms: Heap<Alarm> = []

    /// A queue for the loaders of these rules.
    init(_ rules: [Rule], at now: ContinuousClock.Instant) {
        lanes = [:]
        for (rule, value) in rules.enumerated() {
            for (entry, rewarm) in value.rewarm.enumerated() {
                lanes[LaneID(rule: rule, entry: entry)] = Lane(rewarm, at: now)
            }
        }
    }

    /// When there is something to do although nothing happens; nil: never.
    var nextAlarm: ContinuousClock.Instant? { alarms.min?.at }

    /// Whether nobody waits for anything.
    var isIdle: Bool { entries.values.allSatisfy { $0.demand == nil && $0.again == nil } }

    /// Whether somebody waits for an entry, so that another change of it has to join.
    func isPending(_ key: Key) -> Bool {
        entries[key].map { $0.phase != .resting } ?? false
    }

    // MARK: What happens

    /// An entry has become stale, some time ago where that is known; false where that is over budget, and the entry is
    /// to be deleted.
    mutating func add(
        _ call: RewarmCall, waiter: Waiter, since: ContinuousClock.Instant? = nil, at now: ContinuousClock.Instant
    ) -> Bool {
        let id = LaneID(call)
        lanes[id]?.changed(at: now)
        guard let deadline = lanes[id]?.deadline else { return false }
        let demand = Demand(call: call, waiters: [waiter], deadline: (since ?? now) + deadline)
        guard var entry = entries[call.key] else {
            guard lanes[id]?.admit(at: now) ?? false else { return false }
            entries[call.key] = Entry(
                phase: .ready, demand: demand, rate: ChangeRate(at: now), until: now, endedAt: now)
            lanes[id]?.ready.append(call.key)
            alarms.insert(Alarm(at: demand.deadline, key: call.key))
            return true
        }
        if !call.isKeyed, let pending = (entry.again ?? entry.demand)?.call, pending.contradicts(call) {
            entry.isDisputed = true
            // Over budget or not, what was pending is not to be stored.
            entries[call.key]?.isDisputed = true
        }
        entry.rate.changed(at: now)
        let before = entry.phase == .loading ? entry.again : entry.demand
        switch entry.phase {
        case .resting:
            guard lanes[id]?.admit(at: now) ?? false else { return false }
            entry.demand = demand
            wait(&entry, now)
        case .loading:
            guard before != nil || lanes[id]?.isBehind == false else { return false }
            entry.again = merged(entry.again, demand)
        case .waiting, .ready:
            entry.demand = merged(entry.demand, demand)
            if let old = before?.call, let new = entry.demand?.call, LaneID(old) != LaneID(new) {
                move(entry, from: LaneID(old), to: LaneID(new))
            }
        }
        if before.map({ demand.deadline < $0.deadline }) ?? true {
            alarms.insert(Alarm(at: demand.deadline, key: call.key))
        }
        entries[call.key] = entry
        return true
    }

    /// Changes disagree on what an entry's loader is to be given: nothing is to be stored of what waits or is being
    /// loaded.
    mutating func dispute(_ key: Key) {
        if entries[key].map({ $0.phase != .resting }) ?? false { entries[key]?.isDisputed = true }
    }

    /// Whether what the load brings that is running now is not to be stored, unless it goes by the key.
    func isDisputed(_ key: Key) -> Bool { entries[key]?.isDisputed ?? false }

    /// Its time has come for some: loads to begin, and entries to delete.
    mutating func advance(to now: ContinuousClock.Instant) -> (loads: [Load], late: [Late]) {
        var late: [Late] = []
        while let alarm = alarms.min, alarm.at <= now {
            alarms.removeMin()
            ring(alarm.key, now, &late)
        }
        return (beginLoads(), late)
    }

    /// A load of the key has ended, whatever came of it. Gives back those whom that concerns; who came later waits
    /// for the next.
    mutating func end(_ key: Key, at now: ContinuousClock.Instant) -> [Waiter] {
        guard var entry = entries[key], entry.phase == .loading else { return [] }
        let waiters = entry.demand?.waiters ?? []
        entry.demand = entry.again
        entry.again = nil
        entry.hasBegun = false
        entry.endedAt = now
        if let call = entry.demand?.call {
            lanes[LaneID(call)]?.waiting += 1
            wait(&entry, now)
        } else {
            // So long it is remembered how often the entry changes.
            entry.phase = .resting
            entry.isDisputed = false
            entry.until = now + ChangeRate.longestInterval
            alarms.insert(Alarm(at: entry.until, key: key))
        }
        entries[key] = entry
        return waiters
    }

    /// The load of the key could not begin: somebody else is loading it. It is tried again then.
    mutating func postpone(_ key: Key, until then: ContinuousClock.Instant) {
        guard var entry = entries[key], entry.phase == .loading else { return }
        if let again = entry.again { entry.demand = merged(entry.demand, again) }
        entry.again = nil
        guard let demand = entry.demand else { return entries[key] = nil }
        entry.phase = .waiting
        entry.until = then
        lanes[LaneID(demand.call)]?.waiting += 1
        entries[key] = entry
        alarms.insert(Alarm(at: then, key: key))
    }

    /// A load of this loader has ended, so another may begin.
    mutating func freed(_ lane: LaneID, batchSize: Int? = nil) {
        lanes[lane]?.running -= 1
        if let batchSize { lanes[lane]?.batchSize = batchSize }
    }

    /// Entries of these loaders that were late are deleted.
    mutating func deleted(_ late: [LaneID]) {
        for id in late { lanes[id]?.leaving -= 1 }
    }

    /// Brings the deadlines forward: what has not begun is late now, what has may go on until then.
    mutating func hurry(until then: ContinuousClock.Instant, at now: ContinuousClock.Instant) {
        for (key, entry) in entries {
            let limit = entry.phase == .loading ? then : now
            if let demand = entry.demand { entries[key]?.demand?.deadline = min(demand.deadline, limit) }
            if let again = entry.again { entries[key]?.again?.deadline = min(again.deadline, limit) }
            alarms.insert(Alarm(at: limit, key: key))
        }
    }

    // MARK: How

    /// The entry's load comes as soon as the entry changes seldom enough.
    private mutating func wait(_ entry: inout Entry, _ now: ContinuousClock.Instant) {
        guard let call = entry.demand?.call, let interval = interval(of: entry, LaneID(call)) else { return }
        entry.until = entry.endedAt + interval
        if entry.until <= now {
            entry.phase = .ready
            lanes[LaneID(call)]?.ready.append(call.key)
        } else {
            entry.phase = .waiting
            alarms.insert(Alarm(at: entry.until, key: call.key))
        }
    }

    /// A lane is not held while keys are appended to it: they would all be copied each time.
    private func interval(of entry: Entry, _ id: LaneID) -> Duration? {
        lanes[id].map { entry.rate.interval(isBusy: $0.isBusy, limit: $0.longestInterval) }
    }

    /// Another loader is to load the entry now.
    private mutating func move(_ entry: Entry, from old: LaneID, to new: LaneID) {
        lanes[old]?.waiting -= 1
        lanes[new]?.waiting += 1
        if entry.phase == .ready, let key = entry.demand?.call.key { lanes[new]?.ready.append(key) }
    }

    private mutating func ring(_ key: Key, _ now: ContinuousClock.Instant, _ late: inout [Late]) {
        guard var entry = entries[key] else { return }
        if let demand = entry.again, demand.deadline <= now {
            lanes[LaneID(demand.call)]?.leaving += 1
            late.append(Late(call: demand.call, waiters: demand.waiters, hasBegun: true))
            entry.again = nil
        }
        if let demand = entry.demand, demand.deadline <= now {
            lanes[LaneID(demand.call)]?.leaving += 1
            late.append(Late(call: demand.call, waiters: demand.waiters, hasBegun: entry.hasBegun))
            entry.demand = nil
            if entry.phase != .loading {
                lanes[LaneID(demand.call)]?.waiting -= 1
                return entries[key] = nil
            }
        }
        switch entry.phase {
        case .waiting where entry.until <= now:
            entry.phase = .ready
            if let call = entry.demand?.call { lanes[LaneID(call)]?.ready.append(key) }
        case .resting where entry.until <= now:
            return entries[key] = nil
        default: break
        }
        entries[key] = entry
    }

    private mutating func beginLoads() -> [Load] {
        var loads: [Load] = []
        for id in lanes.keys.sorted() {
            while lanes[id]?.hasRoom ?? false {
                let calls = take(from: id)
                guard !calls.isEmpty else { break }
                lanes[id]?.running += 1
                loads.append(Load(lane: id, calls: calls))
            }
        }
        return loads
    }

    /// The next entries of a loader. One that was tried before is loaded alone.
    private mutating func take(from id: LaneID) -> [RewarmCall] {
        var calls: [RewarmCall] = []
        while calls.count < lanes[id]?.batchSize ?? 0, let key = lanes[id]?.ready.first {
            guard var entry = entries[key], entry.phase == .ready, let call = entry.demand?.call,
                LaneID(call) == id
            else {
                lanes[id]?.ready.removeFirst()
                continue
            }
            if call.isRetry, !calls.isEmpty { break }
            lanes[id]?.ready.removeFirst()
            lanes[id]?.waiting -= 1
            entry.phase = .loading
            entry.hasBegun = true
            entries[key] = entry
            calls.append(call)
            if call.isRetry { break }
        }
        return calls
    }

    /// Both are served by one load, by the earlier deadline.
    private func merged(_ earlier: Demand?, _ later: Demand) -> Demand {
        guard let earlier else { return later }
        return Demand(
            call: earlier.call.joined(by: later.call), waiters: earlier.waiters + later.waiters,
            deadline: min(earlier.deadline, later.deadline))
    }
}
