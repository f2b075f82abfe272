import Metrics

/// Counts the notifications of one channel.
struct ListenTally: Sendable {
    /// What became of a notification.
    enum Outcome: String, CaseIterable, Sendable {
        case row
        case anyRow = "any_row"
        case ignored, unreadable
        /// There was no room for it, so any row of its table counts as changed.
        case overflow
    }

    private let counters: [Outcome: Counter]

    init(channel: String) {
        let counters = Outcome.allCases.map { outcome in
            let dimensions = [("channel", channel), ("outcome", outcome.rawValue)]
            return (outcome, Counter(label: "unstale_notifications_total", dimensions: dimensions))
        }
        self.counters = Dictionary(counters) { $1 }
    }

    func count(_ outcome: Outcome) { counters[outcome]?.increment() }
}
