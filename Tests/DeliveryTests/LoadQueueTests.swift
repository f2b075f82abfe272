import Glibc
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct LoadQueueTests {
    private static let rules = """
        version: 1
        rules:
          - name: a
            table: t
            rewarm:
              - {key: "a:{id}", sql: "select 1 where :id is not null", ttl: 1h, concurrency: 2}
              - {key: "b:{id}", http: {url: "http://h/{id}"}, ttl: 1h, deadline: 500ms, concurrency: 3}
          - name: tight
            table: t
            rewarm:
              - {key: "c:{id}", sql: "select 1 where :id is not null", ttl: 1h, queue: 4, rate: 1}
        """

    private func rules() throws -> [Rule] { try RuleSet.parse(Self.rules, file: "r.yaml").rules }

    private func call(_ rule: Int, _ entry: Int, _ key: String, isRetry: Bool = false) -> RewarmCall {
        RewarmCall(rule: rule, entry: entry, key: Key(key), input: .sql([]), isKeyed: true, isRetry: isRetry)
    }

    /// A call of a loader that is given what the entry's key doesn't say.
    private func call(_ key: String, given value: String, rule: Int = 0) -> RewarmCall {
        RewarmCall(rule: rule, entry: 0, key: Key(key), input: .sql([Array(value.utf8)]), isKeyed: false)
    }

    /// Whatever comes when: one load of a key at a time, everybody is answered once, by a load that began after they
    /// came or by their deadline, and no loader does more at once than its rule allows.
    @Test func everybodyIsAnsweredInTime() throws {
        struct Waiting { var key: Key, addedAt: Int, deadline: ContinuousClock.Instant }
        var random = SeededGenerator()
        let rules = try rules()
        for _ in 0..<1_000 {
            var now = ContinuousClock.now
            var queue = LoadQueue<Int>(rules, at: now)
            var step = 0
            var waiting: [Int: Waiting] = [:]
            var running: [(load: LoadQueue<Int>.Load, beganAt: Int)] = []
            func answer(_ waiter: Int, byLoadBegunAt begin: Int?) throws {
                let removed = waiting.removeValue(forKey: waiter)
                let waiter = try #require(removed, "answered twice")
                if let begin { #expect(begin >= waiter.addedAt) }
                #expect(now <= waiter.deadline + .milliseconds(50) || begin != nil)
            }
            func advance() throws {
                let due = queue.advance(to: now)
                for late in due.late { for waiter in late.waiters { try answer(waiter, byLoadBegunAt: nil) } }
                for load in due.loads { running.append((load, step)) }
                let keys = running.flatMap(\.load.calls).map(\.key)
                #expect(Set(keys).count == keys.count)
                for (lane, limit) in [(LaneID(rule: 0, entry: 0), 2), (LaneID(rule: 0, entry: 1), 3)] {
                    #expect(running.count { $0.load.lane == lane } <= limit)
                }
                for load in due.loads {
                    #expect(load.calls.allSatisfy { LaneID($0) == load.lane } && !load.calls.isEmpty)
                    #expect(load.calls.count == 1 || !load.calls.contains(where: \.isRetry))
                    #expect(load.lane.entry == 0 || load.calls.count == 1)
                }
            }
            for _ in 0..<60 {
                step += 1
                now += .milliseconds(Int.random(in: 0...40, using: &random))
                try advance()
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<6:
                    // Both loaders may be asked for one key.
                    let entry = Int.random(in: 0...1, using: &random)
                    let key = "k:\(Int.random(in: 0..<6, using: &random))"
                    let isRetry = Int.random(in: 0..<8, using: &random) == 0
                    let call = call(0, entry, key, isRetry: isRetry)
                    guard queue.add(call, waiter: step, at: now) else { continue }
                    waiting[step] = Waiting(
                        key: call.key, addedAt: step,
                        deadline: now + (entry == 0 ? .seconds(2) : .milliseconds(500)))
                case 6..<9:
                    guard let index = running.indices.randomElement(using: &random) else { continue }
                    let (load, begin) = running.remove(at: index)
                    queue.freed(load.lane)
                    for call in load.calls {
                        if Int.random(in: 0..<5, using: &random) == 0 {
                            queue.postpone(call.key, until: now + .milliseconds(20))
                        } else {
                            for waiter in queue.end(call.key, at: now) {
                                try answer(waiter, byLoadBegunAt: begin)
                            }
                        }
                    }
                default:
                    if let alarm = queue.nextAlarm { now = max(now, alarm) }
                }
                step += 1
                try advance()
            }
            // Every wait ends, even where no load ever does.
            while let alarm = queue.nextAlarm {
                now = max(now, alarm)
                try advance()
            }
            #expect(waiting.isEmpty)
        }
    }

    @Test func aBurstIsOneLoadAndOneMoreAfterwards() throws {
        let start = ContinuousClock.now
        var queue = LoadQueue<Int>(try rules(), at: start)
        _ = queue.add(call(0, 0, "a:1"), waiter: 0, at: start)
        #expect(queue.advance(to: start).loads.flatMap(\.calls).map(\.key) == [Key("a:1")])
        for waiter in 1...100 { _ = queue.add(call(0, 0, "a:1"), waiter: waiter, at: start) }
        #expect(queue.advance(to: start).loads.isEmpty)
        queue.freed(LaneID(rule: 0, entry: 0))
        #expect(queue.end(Key("a:1"), at: start) == [0])
        var loads = 0
        while let alarm = queue.nextAlarm, alarm < start + .seconds(2) {
            for load in queue.advance(to: alarm).loads {
                loads += 1
                queue.freed(load.lane)
                #expect(queue.end(Key("a:1"), at: alarm) == Array(1...100))
            }
        }
        #expect(loads == 1)
    }

    /// Where much is to be done, one load serves some forty changes of an entry; otherwise loads are made at once.
    @Test(arguments: [
        (keys: 1, changesPerSecond: 100, loads: 0.01...0.1),
        (keys: 50, changesPerSecond: 1_000, loads: 0.01...0.07),
        (keys: 50, changesPerSecond: 5_000, loads: 0.005...0.05),
        (keys: 100, changesPerSecond: 100, loads: 0.97...1),
        (keys: 20_000, changesPerSecond: 1_000, loads: 0.97...1),
    ])
    func loadsOfBusyEntriesAreFew(keys: Int, changesPerSecond: Int, loads: ClosedRange<Double>) throws {
        var random = SeededGenerator()
        var now = ContinuousClock.now
        var queue = LoadQueue<Int>(try rules(), at: now)
        var count = 0
        let changes = changesPerSecond * 10
        for change in 0..<changes {
            // At random moments, as independent clients do.
            now += .seconds(-log(Double.random(in: 0.000_1...1, using: &random)) / Double(changesPerSecond))
            let key = "a:\(Int.random(in: 0..<keys, using: &random))"
            _ = queue.add(call(0, 0, key), waiter: change, at: now)
            for load in queue.advance(to: now).loads {
                count += load.calls.count
                queue.freed(load.lane)
                for call in load.calls { _ = queue.end(call.key, at: now) }
            }
        }
        let share = Double(count) / Double(changes)
        #expect(loads.contains(share), "\(count) loads for \(changes) changes")
    }

    /// However small the last values were, the next may all be as large as the rule allows.
    @Test func aBatchFitsIntoMemory() throws {
        let rules = try RuleSet.parse(
            """
            version: 1
            rules:
              - name: a
                table: t
                rewarm: [{key: "a:{id}", sql: "select 1", ttl: 1h, max_bytes: 1MiB, concurrency: 1}]
            """, file: "r.yaml"
        ).rules
        let now = ContinuousClock.now
        var queue = LoadQueue<Int>(rules, at: now)
        for id in 0..<200 { _ = queue.add(call(0, 0, "a:\(id)"), waiter: id, at: now) }
        #expect(queue.advance(to: now).loads.map(\.calls.count) == [64])
        queue.freed(LaneID(rule: 0, entry: 0), batchSize: 1_000)
        #expect(queue.advance(to: now).loads.map(\.calls.count) == [64])
        queue.freed(LaneID(rule: 0, entry: 0), batchSize: 10)
        #expect(queue.advance(to: now).loads.map(\.calls.count) == [10])
    }

    /// What comes after one bulk update: 16 times the entries take about 16 times as long, and not 256 times.
    @Test func anEntryCostsTheSameHoweverManyWait() throws {
        let rules = try rules()
        func seconds(for count: Int) -> Double {
            let now = ContinuousClock.now
            let calls = (0..<count).map { call(0, 0, "a:\($0)") }
            return (0..<3).map { _ in
                var queue = LoadQueue<Int>(rules, at: now)
                let start = threadSeconds()
                for (number, call) in calls.enumerated() { _ = queue.add(call, waiter: number, at: now) }
                return threadSeconds() - start
            }.min() ?? 0
        }
        let ratio = seconds(for: 16_000) / seconds(for: 1_000)
        #expect(ratio < 48)
    }

    /// The CPU time of this thread: no matter what else runs.
    private func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test func overBudgetIsRefused() throws {
        var now = ContinuousClock.now
        var queue = LoadQueue<Int>(try rules(), at: now)
        func accepted(_ ids: Range<Int>) -> [Int] {
            var accepted: [Int] = []
            for id in ids where queue.add(call(1, 0, "c:\(id)"), waiter: id, at: now) { accepted.append(id) }
            return accepted
        }
        #expect(accepted(0..<10) == [0, 1, 2, 3])
        // Joining costs nothing.
        #expect(accepted(0..<1) == [0])
        for load in queue.advance(to: now).loads { for call in load.calls { _ = queue.end(call.key, at: now) } }
        // The queue is empty, but one a second is all there is.
        now += .milliseconds(2_500)
        _ = queue.advance(to: now)
        #expect(accepted(20..<30) == [20, 21])
    }

    /// While what is late can't be deleted, as Redis is down, changes that go on don't fill the memory.
    @Test func whatIsLateCountsUntilItIsDeleted() throws {
        var now = ContinuousClock.now
        var queue = LoadQueue<Int>(try rules(), at: now)
        var late: [LoadQueue<Int>.Late] = []
        for id in 0..<100 {
            _ = queue.add(call(1, 0, "c:\(id % 5)"), waiter: id, at: now)
            now += .seconds(2)
            // The loads never end.
            late += queue.advance(to: now).late
        }
        #expect(late.count == 4)
        let isAccepted = queue.add(call(1, 0, "c:0"), waiter: 100, at: now)
        #expect(!isAccepted)
        queue.deleted(late.map { LaneID($0.call) })
        let isAcceptedNow = queue.add(call(1, 0, "c:0"), waiter: 101, at: now)
        #expect(isAcceptedNow)
    }

    /// Of changes that have a loader read something else nobody knows which is the latest: nothing of it is stored.
    @Test func whatDisagreesIsNotStored() throws {
        let now = ContinuousClock.now
        let key = Key("a:1")
        func queue(_ values: String...) throws -> LoadQueue<Int> {
            var queue = LoadQueue<Int>(try rules(), at: now)
            for (waiter, value) in values.enumerated() {
                let isAccepted = queue.add(call("a:1", given: value), waiter: waiter, at: now)
                #expect(isAccepted)
            }
            return queue
        }
        // While it waits.
        for agreeing in [try queue("5"), try queue("5", "5")] { #expect(!agreeing.isDisputed(key)) }
        for disagreeing in [try queue("5", "6"), try queue("5", "6", "6")] { #expect(disagreeing.isDisputed(key)) }
        var waiting = try queue("5", "6")
        #expect(waiting.advance(to: now).loads.flatMap(\.calls).count == 1)
        #expect(waiting.isDisputed(key))
        #expect(waiting.end(key, at: now) == [0, 1])

        // While it is being loaded; what comes afterwards is part of it, until nobody waits.
        var loading = try queue("5")
        _ = loading.advance(to: now)
        _ = loading.add(call("a:1", given: "5"), waiter: 1, at: now)
        #expect(!loading.isDisputed(key))
        _ = loading.add(call("a:1", given: "6"), waiter: 2, at: now)
        #expect(loading.isDisputed(key))
        #expect(loading.end(key, at: now) == [0])
        #expect(loading.isDisputed(key))
        let later = now + .seconds(1)
        loading.freed(LaneID(rule: 0, entry: 0))
        #expect(loading.advance(to: later).loads.flatMap(\.calls).count == 1)
        #expect(loading.isDisputed(key))
        #expect(loading.end(key, at: later) == [1, 2])
        #expect(!loading.isDisputed(key))
        let isAccepted = loading.add(call("a:1", given: "7"), waiter: 3, at: later)
        #expect(isAccepted && !loading.isDisputed(key))

        // By somebody who has nothing to load.
        var disputed = try queue("5")
        disputed.dispute(key)
        disputed.dispute(Key("a:2"))
        #expect(disputed.isDisputed(key) && !disputed.isDisputed(Key("a:2")))
    }

    /// A change that is not even taken on makes void what is pending all the same.
    @Test func whatIsOverBudgetDisagreesToo() throws {
        let start = ContinuousClock.now
        var queue = LoadQueue<Int>(try rules(), at: start)
        for waiter in 0..<2 {
            for id in 1...3 { _ = queue.add(call(1, 0, "c:\(id)"), waiter: waiter, at: start) }
            _ = queue.advance(to: start)
        }
        _ = queue.add(call("c:0", given: "5", rule: 1), waiter: 2, at: start + .seconds(1))
        #expect(queue.advance(to: start + .seconds(1)).loads.flatMap(\.calls).map(\.key) == [Key("c:0")])
        // As long as what is late is not deleted, no more is taken on.
        #expect(queue.advance(to: start + .seconds(2)).late.count == 6)
        let isAccepted = queue.add(call("c:0", given: "6", rule: 1), waiter: 3, at: start + .seconds(2))
        #expect(!isAccepted && queue.isDisputed(Key("c:0")))
    }

    /// A loader that goes by the key serves others too, and is not disputed.
    @Test func whatGoesByTheKeyIsLoaded() throws {
        let now = ContinuousClock.now
        for calls in [[call(0, 1, "k"), call("k", given: "5")], [call("k", given: "5"), call(0, 1, "k")]] {
            var queue = LoadQueue<Int>(try rules(), at: now)
            for (waiter, call) in calls.enumerated() { _ = queue.add(call, waiter: waiter, at: now) }
            #expect(!queue.isDisputed(Key("k")))
            let loads = queue.advance(to: now).loads
            #expect(loads.map(\.lane) == [LaneID(rule: 0, entry: 1)])
            #expect(loads.flatMap(\.calls) == [call(0, 1, "k")])
            #expect(queue.end(Key("k"), at: now) == [0, 1])
        }
    }

    @Test func inAHurryWhatHasNotBegunIsLateAtOnce() throws {
        let now = ContinuousClock.now
        var queue = LoadQueue<Int>(try rules(), at: now)
        _ = queue.add(call(0, 1, "b:1"), waiter: 1, at: now)
        _ = queue.advance(to: now)
        for id in 2...9 { _ = queue.add(call(0, 1, "b:\(id)"), waiter: id, at: now) }
        let begun = queue.advance(to: now).loads.count
        #expect(begun == 2)
        queue.hurry(until: now + .milliseconds(100), at: now)
        #expect(Set(queue.advance(to: now).late.flatMap(\.waiters)) == Set(4...9))
        let late = queue.advance(to: now + .milliseconds(100)).late
        #expect(Set(late.flatMap(\.waiters)) == [1, 2, 3] && late.allSatisfy(\.hasBegun))
    }
}
