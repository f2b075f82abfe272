import Worker

/// The last quarter of an hour, a point for every five seconds. A value.
struct History {
    /// What a target was like for five seconds.
    struct Point: Encodable, Equatable {
        /// When they began, in seconds since 1970.
        var at: Int
        /// The longest.
        var lagSeconds: Double
        /// The largest.
        var backlog: Int
        /// On average.
        var changesPerSecond: Double
    }

    /// `/api/history`.
    struct Report: Encodable {
        var seconds: Int
        var targets: [String: [Point]]
    }

    private struct Target {
        var points: [Point] = []
        var current: Point
        /// What was counted when the current point began.
        var changesBefore: Int
    }

    static let seconds = 5
    private static let limit = 180
    private var targets: [String: Target] = [:]

    /// Takes note of how things stand, about once a second.
    mutating func add(_ reports: [TargetReport], at now: Int) {
        let slot = now - now % Self.seconds
        for report in reports {
            let changes = report.totals.changes
            var target = targets[report.name] ?? Target(current: Self.point(slot), changesBefore: changes)
            if target.current.at != slot {
                let count = max(0, changes - target.changesBefore)
                target.current.changesPerSecond = Double(count) / Double(Self.seconds)
                target.points.append(target.current)
                target.points.removeFirst(max(0, target.points.count - Self.limit))
                target.current = Self.point(slot)
                target.changesBefore = changes
            }
            target.current.lagSeconds = max(target.current.lagSeconds, report.lagSeconds, report.slowestSeconds)
            target.current.backlog = max(target.current.backlog, report.backlog)
            targets[report.name] = target
        }
    }

    /// The points that are complete, oldest first.
    var report: Report { Report(seconds: Self.seconds, targets: targets.mapValues(\.points)) }

    private static func point(_ at: Int) -> Point { Point(at: at, lagSeconds: 0, backlog: 0, changesPerSecond: 0) }
}
