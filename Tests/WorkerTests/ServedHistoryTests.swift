import Capture
import TestSupport
import Testing

@testable import Worker

/// What was served within the replay window is kept for that long, however long before it was written.
@Suite struct ServedHistoryTests {
    private static let window = Duration.seconds(900)

    private func cursor(_ number: Int) throws -> Snapshot { try #require(Snapshot("\(number):\(number):")) }

    private func time(_ seconds: Double) -> ServerTime { ServerTime(microseconds: Int64(seconds * 1e6)) }

    /// Against a list of all that was noted.
    @Test func randomWalks() throws {
        var random = SeededGenerator()
        for _ in 0..<50 {
            var history = ServedHistory()
            var noted: [(at: Double, number: Int)] = []
            var now = Double.random(in: 0...1e6, using: &random)
            for number in 3...200 {
                now += .random(in: 0...60, using: &random)
                history.note(try cursor(number), at: time(now), window: Self.window)
                noted.append((now, number))
                let found = history.cursor(aWindowBefore: time(now), window: Self.window)
                // Never one from within the window, and none that is much older than it has to be.
                let newest = noted.last { $0.at <= now - 900 }
                let oldest = noted.last { $0.at <= now - 900 - 900 / 8 - 60 }
                if let found {
                    let fits = noted.filter { $0.number <= newest?.number ?? 0 && $0.number >= oldest?.number ?? 0 }
                    #expect(try fits.contains { try cursor($0.number) == found })
                } else {
                    #expect(oldest == nil)
                }
                #expect(history == WorkerState.decode(WorkerState(history: history).json).history)
            }
        }
    }

    @Test func whoBeginsAnewNeedsNothingFromBefore() throws {
        var history = ServedHistory(beginningAt: try cursor(7))
        #expect(history.cursor(aWindowBefore: time(0), window: Self.window) == (try cursor(7)))
        for second in 1...900 { history.note(try cursor(8), at: time(Double(second)), window: Self.window) }
        #expect(history.cursor(aWindowBefore: time(900), window: Self.window) == (try cursor(7)))
        #expect(history.cursor(aWindowBefore: time(901), window: Self.window) == (try cursor(8)))
    }

    /// What a target had when it went away is what it comes back with, however long that took.
    @Test func timeStandsStillForWhoIsAway() throws {
        for isNoticed in [true, false] {
            var state = UpkeepState(server: nil, state: WorkerState(), replayWindow: Self.window)
            func passed(at seconds: Double) -> Snapshot? {
                state.state(pausedReason: nil, worker: "w").history?
                    .cursor(aWindowBefore: time(seconds), window: Self.window)
            }
            for number in 3...12 {
                state.served(try cursor(number), at: time(Double(number) * 150), isReached: true)
            }
            let before = passed(at: 1_800)
            #expect(before == (try cursor(6)))
            // Away from 1,800 s on, until 9,000 s; a session may begin meanwhile, or the worker has been away as well.
            var stores = 0
            var isKept = true
            for now in 1_801...9_000 where isNoticed {
                let stored = state.state(pausedReason: "away", worker: "w")
                if now == 5_000 { state = UpkeepState(server: nil, state: stored, replayWindow: Self.window) }
                state.served(try cursor(12), at: time(Double(now)), isReached: false)
                if state.state(pausedReason: "away", worker: "w") != stored { stores += 1 }
                isKept = isKept && [nil, before].contains(passed(at: Double(now)))
            }
            #expect(isKept)
            #expect(stores < 300, "a history that is another one is stored")
            state.served(try cursor(13), at: time(9_001), isReached: true)
            #expect(passed(at: 9_001) == before)
            for now in 9_002...9_901 { state.served(try cursor(13), at: time(Double(now)), isReached: true) }
            #expect(passed(at: 9_901) == (try cursor(12)))
        }
    }

    /// Of one that is not in the settings for a while nobody takes note, but others are served and ask for it.
    @Test func timeStandsStillWhileNobodyLooks() throws {
        var history = ServedHistory()
        for number in 3...12 { history.note(try cursor(number), at: time(Double(number) * 150), window: Self.window) }
        for now in [1_800.0, 2_026, 2_700, 1e6] {
            #expect(history.cursor(aWindowBefore: time(now), window: Self.window) == (try cursor(6)), "\(now)")
        }
        history.note(try cursor(13), at: time(1e6), window: Self.window)
        #expect(history.cursor(aWindowBefore: time(1e6), window: Self.window) == (try cursor(6)))
    }

    /// One that is away for a moment again and again comes back with what it had a window ago, at most.
    @Test func shortPausesAreNoReasonToKeepAll() throws {
        var state = UpkeepState(server: nil, state: WorkerState(), replayWindow: Self.window)
        for number in 3...9_000 {
            state.served(try cursor(number), at: time(Double(number)), isReached: number % 50 != 0)
        }
        let history = try #require(state.state(pausedReason: nil, worker: "w").history)
        let passed = try #require(history.cursor(aWindowBefore: time(9_000), window: Self.window))
        #expect(!passed.isBehind(try cursor(9_000 - 900 * 5 / 4)))
    }

    @Test func whoNeedsNothingIsNotDelayed() throws {
        var history = ServedHistory(beginningAt: try cursor(7))
        #expect(history.latest == nil)
        history.delay(from: time(0), to: time(5_000))
        #expect(history.cursor(aWindowBefore: time(0), window: Self.window) == (try cursor(7)))
    }

    /// Redis comes back with an older dump, long after what it was told since then could be emptied.
    @Test func awayForLongerThanTheWindow() async throws {
        try await Site.withUsers(install: ["--replay-window", "9s"]) { site, redis in
            try await site.cache().send("SAVE")
            try await site.withWorkerInside(change: { $0.reclaimInterval = .milliseconds(200) }) { worker in
                try await site.change(1...3)
                try await site.waitUntilGone(1...3)
                let connection = try await site.connect()
                try await eventually("it is noted that the target was served so far") {
                    try await connection.value(
                        """
                        SELECT pg_snapshot_xmax((state::jsonb #>> '{history,marks,-1,cursor}')::pg_snapshot)
                            > (SELECT max(xid) FROM unstale.outbox) FROM unstale.targets
                        """) == "t"
                }
                try await redis.kill9()
                let start = ContinuousClock.now
                try await eventually(within: .seconds(60), "all five slots have had their turn") {
                    try await site.change(4...4)
                    return ContinuousClock.now - start > .seconds(20)
                }
                #expect(try await connection.value("SELECT min(id) FROM unstale.outbox") == "1")
                try await redis.start()
                try await site.waitUntilGone(1...4)
                try await site.expectUntouched(5...200)
            }
        }
    }

    /// Redis is away until the changes are as old as can be, is served all of them, and comes back without that.
    @Test func servedLate() async throws {
        try await Site.withUsers(install: ["--replay-window", "9s"]) { site, redis in
            try await site.cache().send("SAVE")
            try await site.withWorkerInside(change: { $0.reclaimInterval = .milliseconds(200) }) { worker in
                try await site.change(1...1)
                try await site.waitUntilGone([1])
                try redis.pause()
                try await site.change(2...10)
                let connection = try await site.connect()
                /// Whether the changes are in the slot that is written to, or in the one that comes so many later.
                func isSlot(ahead: Int) async throws -> Bool {
                    try await connection.value(
                        """
                        SELECT bool_and(o.tableoid = format('unstale.outbox_%s',
                            (date_part('epoch', clock_timestamp())::bigint / slot_seconds + \(ahead)) % 5)::regclass)
                        FROM unstale.outbox AS o, unstale.installation
                        WHERE id = (SELECT max(id) FROM unstale.outbox)
                        """) == "t"
                }
                try await eventually("their slot is the next to be emptied") { try await isSlot(ahead: 1) }
                try redis.resume()
                try await site.waitUntilGone(2...10)
                try await eventually("its time to be emptied is over") { try await !isSlot(ahead: 1) }
                try await redis.kill9()
                try await redis.start()
                try await site.waitUntilGone(1...10)
                try await site.expectUntouched(11...200)
            }
        }
    }
}
