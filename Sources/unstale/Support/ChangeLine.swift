import FoundationEssentials
import Worker

/// A change as a line for a person.
struct ChangeLine {
    /// Whether the terminal shows colours.
    var hasColours: Bool

    private enum Colour: String { case dim = "2", bold = "1", green = "32", red = "31", yellow = "33" }

    /// What came from rows is safe for a terminal.
    func text(_ change: ChangeEvent) -> String {
        let time = change.at.formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true).time(includingFractionalSeconds: true))
        let rules = change.rules.map(text).joined(separator: "; ")
        let place = change.target == "default" ? "" : "at \(change.target): "
        let parts = [
            paint(time, .dim), paint("\(escaped(change.table)) \(change.kind)", .bold),
            place + (rules.isEmpty ? "no rule" : rules), outcome(change),
        ]
        return parts.joined(separator: "  ")
    }

    /// Changes that came too fast.
    func text(skipped count: Int) -> String {
        paint("… \(count) more change\(count == 1 ? "" : "s"), too fast to be shown", .yellow)
    }

    private func text(_ effect: ChangeEvent.Effect) -> String {
        var texts = effect.keys.map(escaped)
        texts += effect.patterns.map { "\(escaped($0)) (pattern)" }
        texts += effect.rewarms.map { "\(escaped($0)) (re-warm)" }
        texts += effect.tags.map { "\(escaped($0)) (tag)" }
        texts += effect.expirations.map { "\(escaped($0)) (expire)" }
        texts += effect.counters.map { "\(escaped($0)) (bump)" }
        if let channel = effect.channel { texts.append("\(escaped(channel)) (publish)") }
        if effect.lookups > 0 { texts.append("\(effect.lookups) lookup\(effect.lookups == 1 ? "" : "s")") }
        if effect.more > 0 { texts.append("\(effect.more) more") }
        return "\(escaped(effect.rule)) → \(texts.joined(separator: ", "))"
    }

    private func outcome(_ change: ChangeEvent) -> String {
        switch change.state {
        case .pending: return paint("pending", .yellow)
        case .done: return paint("done" + lag(change), .green)
        case .failed:
            let reasons = change.failures.map(escaped).joined(separator: "; ")
            return paint("failed: \(reasons)", .red)
        }
    }

    private func lag(_ change: ChangeEvent) -> String {
        guard let lag = change.lagMilliseconds else { return "" }
        return lag < 100 ? " after \((lag * 10).rounded() / 10) ms" : " after \(Int(lag.rounded())) ms"
    }

    private func paint(_ text: String, _ colour: Colour) -> String {
        hasColours ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m" : text
    }
}
