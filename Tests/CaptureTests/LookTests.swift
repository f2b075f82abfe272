import Postgres
import TestSupport
import Testing

@testable import Capture

/// What is known of the outbox without reading it.
@Suite struct LookTests {
    private static let tables = "CREATE TABLE items (id int PRIMARY KEY)"
    private static let rules = "- {name: r, table: items, delete: {keys: ['k:{id}']}}"

    /// A look sees what a read from the same place would bring, whatever is committed when.
    @Test func seesWhatAReadBrings() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let outbox = Outbox(connection: try await captured.database.connect(), pageSize: 100, prepares: true)
            var random = SeededGenerator()
            var open: [PostgresConnection] = []
            var seen = try await outbox.here()
            var id = 0
            for _ in 0..<60 {
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    let writer = try await captured.database.connect()
                    id += 1
                    try await writer.run("BEGIN; INSERT INTO items VALUES (\(id))")
                    open.append(writer)
                case 1 where !open.isEmpty:
                    let writer = open.remove(at: Int.random(in: 0..<open.count, using: &random))
                    try await writer.run(Bool.random(using: &random) ? "COMMIT" : "ROLLBACK")
                case 2:
                    id += 1
                    try await captured.owner.run("INSERT INTO items VALUES (\(id))")
                default: break
                }
                let batch = try await outbox.read(from: ReadPosition(seen))
                let look = try await outbox.look(beyond: seen)
                #expect(look.records == batch.records && look.snapshot == batch.snapshot && !look.isFull)
                if Bool.random(using: &random) { seen = look.snapshot }
            }
        }
    }

    @Test func moreThanAPage() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let outbox = Outbox(connection: try await captured.database.connect(), pageSize: 3)
            let here = try await outbox.here()
            for id in 1...3 { try await captured.owner.run("INSERT INTO items VALUES (\(id))") }
            let three = try await outbox.look(beyond: here)
            #expect(three.records == 3 && !three.isFull)
            try await captured.owner.run("INSERT INTO items VALUES (4)")
            let four = try await outbox.look(beyond: here)
            #expect(four.records == 3 && four.isFull)
        }
    }

    /// A cursor holds up the outbox when it keeps records longer than the replay window does.
    @Test func whoHoldsItUp() async throws {
        let settings = CaptureSettings(replayWindow: .seconds(900))
        try await Captured.with(Self.tables, rules: Self.rules, settings: settings) { (captured) async throws in
            let outbox = Outbox(connection: try await captured.database.connect())
            let late = try await captured.database.connect()
            let empty = try await outbox.size()
            try await late.run("BEGIN; INSERT INTO items VALUES (1)")
            try await captured.owner.run("INSERT INTO items SELECT generate_series(2, 20000)")
            #expect(try await outbox.size() > empty)
            // The late one is in progress there.
            let here = try await outbox.here()
            try await late.run("COMMIT")
            let behind = try await outbox.here()
            func heldUp(margin: Duration = .zero) async throws -> [Bool] {
                var heldUp: [Bool] = []
                for cursor in [.empty, here, behind] {
                    heldUp.append(try await outbox.isHeldUp(by: cursor, margin: margin))
                }
                return heldUp
            }
            #expect(try await heldUp() == [false, false, false])
            try await captured.owner.run("UPDATE unstale.outbox SET at = at - interval '899 seconds'")
            #expect(try await heldUp() == [false, false, false])
            try await captured.owner.run("UPDATE unstale.outbox SET at = at - interval '2 seconds'")
            // An update keeps the transaction of each record.
            #expect(try await heldUp() == [true, true, false])
            #expect(try await heldUp(margin: .seconds(225)) == [false, false, false])
            try await captured.owner.run("UPDATE unstale.outbox SET at = at - interval '225 seconds'")
            #expect(try await heldUp(margin: .seconds(225)) == [true, true, false])
        }
    }
}
