import Rules
import TestSupport
import Testing

@testable import Capture
@testable import Worker

/// Which tables have to count as changed, against a model of what may have been missed.
@Suite struct UpkeepStateTests {
    private static let tables = ["public.a", "public.b", "public.c"]

    /// A table as it is in the database, and what is known of it there.
    private struct Table {
        var version = 1
        var losesChanges = false
        /// Changes may have been missed since the last repair that began.
        var isTainted = false
    }

    /// Sessions begin and crash, triggers are altered, tables are repaired. Whatever happens: a table that may
    /// have lost changes is repaired after that, unless the worker has yet to look.
    @Test func nothingIsForgotten() {
        var random = SeededGenerator()
        for _ in 0..<3_000 { walk(&random) }
    }

    private func walk(_ random: inout SeededGenerator) {
        var tables = Dictionary(uniqueKeysWithValues: Self.tables.map { ($0, Table()) })
        var stored = WorkerState()
        var state = UpkeepState(server: nil, state: stored, replayWindow: .seconds(900))
        _ = state.examined(capture(tables), at: .now)
        stored = state.state(pausedReason: nil, worker: "w")
        for _ in 0..<40 {
            guard let name = Self.tables.randomElement(using: &random) else { return }
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                // Disabled and enabled again, or dropped and made anew.
                tables[name]?.version += 2
                tables[name]?.isTainted = true
            case 1 where tables[name]?.losesChanges == false:
                tables[name]?.version += 1
                tables[name]?.losesChanges = true
                tables[name]?.isTainted = true
            case 1:
                tables[name]?.version += 1
                tables[name]?.losesChanges = false
            case 2:
                // A rule that the capture doesn't know, until install has run: no trigger is altered by that.
                tables[name]?.losesChanges = true
                tables[name]?.isTainted = true
                _ = state.examined(capture(tables), at: .now)
                stored = state.state(pausedReason: nil, worker: "w")
                if Bool.random(using: &random) { tables[name]?.losesChanges = false }
            case 3...5:
                _ = state.examined(capture(tables), at: .now)
            case 6, 7:
                for name in state.gaps where tables[name]?.losesChanges == false {
                    tables[name]?.isTainted = false
                }
                state.repaired()
            case 8...10:
                stored = state.state(pausedReason: nil, worker: "w")
            default:
                // A crash: what is not stored is forgotten.
                state = UpkeepState(server: nil, state: WorkerState.decode(stored.json), replayWindow: .seconds(900))
            }
        }
        // All is well again; the worker looks, and repairs.
        for name in Self.tables where tables[name]?.losesChanges == true {
            tables[name]?.version += 1
            tables[name]?.losesChanges = false
        }
        for _ in 0..<3 {
            _ = state.examined(capture(tables), at: .now)
            for name in state.gaps { tables[name]?.isTainted = false }
            state.repaired()
        }
        let forgotten = tables.filter { $0.value.isTainted }.keys.sorted()
        #expect(forgotten.isEmpty)
        _ = state.examined(capture(tables), at: .now)
        #expect(state.gaps.isEmpty, "once is enough")
        #expect(state.state(pausedReason: nil, worker: "w").problems.isEmpty)
    }

    /// What a long replay window is judged by survives the session.
    @Test func historyOfALongWindow() throws {
        let window = Duration.seconds(86_400)
        var state = UpkeepState(server: nil, state: WorkerState(), replayWindow: window)
        for hour in 0...30 {
            let now = ServerTime(microseconds: Int64(hour) * 3_600_000_000)
            state.served(try #require(Snapshot("\(hour + 3):\(hour + 3):")), at: now, isReached: true)
            let stored = state.state(pausedReason: nil, worker: "w")
            state = UpkeepState(server: nil, state: WorkerState.decode(stored.json), replayWindow: window)
            #expect((stored.history?.cursor(aWindowBefore: now, window: window) != nil) == (hour >= 24))
        }
    }

    private func capture(_ tables: [String: Table]) -> CaptureState {
        CaptureState(
            manifests: [:], wake: .notify, lookups: [:], loaders: [:],
            triggerVersions: tables.mapValues { "\($0.version)" },
            problems: tables.filter(\.value.losesChanges).keys.compactMap { name in
                let parts = name.split(separator: ".").map(String.init)
                return CaptureState.Problem(
                    table: TableName(schema: parts[0], name: parts[1]), reason: "lost", losesChanges: true)
            })
    }
}
