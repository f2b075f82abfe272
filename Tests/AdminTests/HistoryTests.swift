import Testing

@testable import Admin
@testable import Worker

/// The last quarter of an hour.
@Suite struct HistoryTests {
    private func report(
        changes: Int, lag: Double = 0, slowest: Double = 0, backlog: Int = 0
    ) -> [TargetReport] {
        var report = AdminPort.status().targets[0]
        report.totals.changes = changes
        report.lagSeconds = lag
        report.slowestSeconds = slowest
        report.backlog = backlog
        return [report]
    }

    @Test func aPointHasTheWorstOfItsSeconds() {
        var history = History()
        for (second, lag) in [0.1, 0.9, 0.2, 0, 0].enumerated() {
            history.add(report(changes: 100 + second, lag: lag, backlog: 10 * second), at: 1_000 + second)
        }
        #expect(history.report.targets["default"] == [], "not before it is complete")
        history.add(report(changes: 150), at: 1_005)
        #expect(
            history.report.targets["default"]
                == [.init(at: 1_000, lagSeconds: 0.9, backlog: 40, changesPerSecond: 10)])
    }

    /// What is served between two looks was never seen waiting.
    @Test func aPointHasTheSlowestThatWasServed() {
        var history = History()
        for second in 1_000..<1_006 { history.add(report(changes: 0, lag: 0.1, slowest: 0.3), at: second) }
        #expect(history.report.targets["default"]?.map(\.lagSeconds) == [0.3])
    }

    @Test func aQuarterOfAnHourAndNoMore() throws {
        var history = History()
        for second in 0..<2_000 { history.add(report(changes: second), at: 5_000 + second) }
        let points = try #require(history.report.targets["default"])
        #expect(points.count == 180)
        #expect(points.last?.at == 6_990 && points.first?.at == 6_990 - 179 * 5)
        #expect(points.allSatisfy { $0.changesPerSecond == 1 })
    }

    @Test func aClockThatIsSetBack() throws {
        var history = History()
        for second in [100, 101, 20, 21, 26] { history.add(report(changes: 0), at: second) }
        #expect(history.report.targets["default"]?.map(\.at) == [100, 20])
    }
}
