import Rules
import Testing

@testable import Capture

/// What is kept of what was heard, and what is said of it.
@Suite struct ListenBufferTests {
    private func add(_ table: String, bytes: Int = 10, to buffer: inout ListenBuffer) -> Bool {
        buffer.add(row(table, bytes: bytes))
    }

    private func row(_ table: String, bytes: Int = 10) -> HeardRow {
        HeardRow(
            table: TableName(name: table), capture: 1, kind: .insert, new: nil, channel: "c",
            payload: [UInt8](repeating: 0x20, count: bytes))
    }

    @Test func rowsComeOutByTableAndInBatches() {
        var buffer = ListenBuffer()
        for _ in 1...2_500 { #expect(add("a", to: &buffer) == true) }
        #expect(add("b", to: &buffer) == true)
        let batches = buffer.takeRows()
        #expect(batches.map(\.count).sorted() == [1, 500, 1_000, 1_000])
        #expect(batches.allSatisfy { Set($0.map(\.table)).count == 1 })
        #expect(buffer.takeRows().isEmpty)
        #expect(buffer.takeAnyRows { _ in true }.isEmpty)
    }

    /// Nothing is dropped that does not count as any row.
    @Test func whatHasNoRoomIsAnyRow() {
        var buffer = ListenBuffer()
        for _ in 1...ListenBuffer.rowLimit - 1 { #expect(add("a", to: &buffer) == true) }
        #expect(add("b", to: &buffer) == true)
        #expect(add("b", to: &buffer) == false)
        // All of a table is any row then, and makes room for others.
        #expect(buffer.anyRows == [TableName(name: "b")])
        #expect(add("c", to: &buffer) == true)
        #expect(add("a", to: &buffer) == false)
        #expect(buffer.takeRows().joined().map(\.table.name) == ["c"])
        #expect(buffer.takeAnyRows { $0.name == "a" } == [TableName(name: "a")])
        #expect(buffer.takeAnyRows { _ in true } == [TableName(name: "b")])
        for _ in 1...ListenBuffer.rowLimit { #expect(add("a", to: &buffer) == true) }
    }

    @Test func bytesAreBoundedToo() {
        var buffer = ListenBuffer()
        let fit = ListenBuffer.byteLimit / 8_000
        for _ in 1...fit { #expect(add("a", bytes: 8_000, to: &buffer) == true) }
        #expect(add("b", bytes: 8_000, to: &buffer) == false)
        #expect(buffer.anyRows == [TableName(name: "b")])
    }

    @Test func whatCantBeReadIsSaidOnceAMinute() {
        var news = ListenNews()
        let start = ContinuousClock.now
        let payload = Array("a\u{1b}[31m\n".utf8) + [0xFF] + Array(String(repeating: "é", count: 4_000).utf8)
        let first = news.isUnreadable(payload, at: start)
        #expect(first?.count == 1)
        let excerpt = first?.excerpt ?? ""
        #expect(excerpt.hasPrefix("a\\u{1B}[31m\\n\u{FFFD}éé"), "\(excerpt)")
        #expect(excerpt.count { $0 == "é" } == 200 - 8)
        for second in 1...59 { #expect(news.isUnreadable([], at: start + .seconds(second)) == nil) }
        #expect(news.isUnreadable([], at: start + .seconds(60))?.count == 60)
        #expect(news.isUnreadable([], at: start + .seconds(61)) == nil)
    }

    @Test func aColumnThatIsLackingIsSaidOnce() {
        var news = ListenNews()
        let column = Heard.Column(table: TableName(name: "a"), name: "x")
        #expect(news.lacks(column) == true)
        #expect(news.lacks(column) == false)
        #expect(news.lacks(Heard.Column(table: TableName(name: "b"), name: "x")) == true)
    }
}
