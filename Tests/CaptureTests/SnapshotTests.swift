import TestSupport
import Testing

@testable import Capture

/// The cursor, against a model of transactions that get their ids in one order and commit in another.
@Suite struct SnapshotTests {
    @Test(arguments: [
        "10:10:", "10:20:10,14,19", "3:3:", "18446744073709551000:18446744073709551001:18446744073709551000",
    ])
    func textIsReadAndWritten(_ text: String) throws {
        #expect(try #require(Snapshot(text)).description == text)
    }

    @Test(arguments: ["", "1", "1:2", "a:2:", "1:2:3:4"])
    func otherTextIsRefused(_ text: String) {
        #expect(Snapshot(text) == nil)
    }

    /// An outbox of transactions that are open, committed or rolled back.
    private struct Model {
        enum State { case open, committed, rolledBack }
        var next: UInt64 = 3
        var states: [UInt64: State] = [:]
        var ids: [UInt64: [Int64]] = [:]
        private var lastID: Int64 = 0

        mutating func begin() {
            states[next] = .open
            next += 1
        }

        mutating func write(_ xid: UInt64) {
            lastID += 1
            ids[xid, default: []].append(lastID)
        }

        /// As Postgres takes it: `xmax` is behind the last transaction that has ended.
        var snapshot: Snapshot {
            let xmax = (states.filter { $0.value != .open }.keys.max() ?? 2) + 1
            return Snapshot(
                xmax: xmax, inProgress: states.filter { $0.value == .open && $0.key < xmax }.keys.sorted())
        }

        /// What the outbox' read does in SQL.
        func read(_ position: ReadPosition, page: Int) -> (records: [Int64], next: ReadPosition) {
            let current = snapshot
            var found: [(xid: UInt64, id: Int64)] = []
            for (xid, ids) in ids.sorted(by: { $0.key < $1.key }) where states[xid] == .committed {
                let isCandidate = xid >= position.snapshot.xmax || position.snapshot.inProgress.contains(xid)
                guard isCandidate, current.contains(xid) else { continue }
                for id in ids where position.partial.map({ $0.xid != xid || id > $0.id }) ?? true {
                    found.append((xid, id))
                }
            }
            guard found.count > page else { return (found.map(\.id), ReadPosition(current)) }
            let records = Array(found.prefix(page))
            return (records.map(\.id), position.behind(records[page - 1], within: current))
        }
    }

    /// Only a transaction that a page ends in can be read twice: when one with a smaller id commits meanwhile.
    @Test func everyRecordIsReadAndNoneTwiceWithoutNeed() {
        var random = SeededGenerator()
        for _ in 0..<2_000 {
            var model = Model()
            var position = ReadPosition(.empty)
            var seen: [Int64: Int] = [:]
            var halfRead: Set<UInt64> = []
            var crashes = 0
            func read(page: Int) {
                let (records, next) = model.read(position, page: page)
                for id in records { seen[id, default: 0] += 1 }
                position = next
                if let partial = next.partial { halfRead.insert(partial.xid) }
            }
            for _ in 0..<60 {
                let open = model.states.filter { $0.value == .open }.keys.sorted()
                switch Int.random(in: 0..<10, using: &random) {
                case 0...2: model.begin()
                case 3...5: if let xid = open.randomElement(using: &random) { model.write(xid) }
                case 6...7:
                    if let xid = open.randomElement(using: &random) {
                        model.states[xid] =
                            Int.random(in: 0..<4, using: &random) == 0 ? .rolledBack : .committed
                    }
                case 8: read(page: Int.random(in: 1...4, using: &random))
                default:
                    // The worker died and begins at the cursor: what it stored says nothing of half transactions.
                    if Int.random(in: 0..<4, using: &random) == 0 {
                        position = ReadPosition(position.snapshot)
                        crashes += 1
                    }
                }
            }
            for xid in model.states.keys where model.states[xid] == .open { model.states[xid] = .committed }
            for _ in 0..<100 { read(page: 3) }
            let committed = model.ids.filter { model.states[$0.key] == .committed }.flatMap(\.value)
            #expect(Set(seen.keys) == Set(committed))
            let repeated = Set(seen.filter { $0.value > 1 }.keys)
            let excused = model.ids.filter { halfRead.contains($0.key) }.flatMap(\.value)
            #expect(crashes > 0 || repeated.isSubset(of: excused))
        }
    }
}
