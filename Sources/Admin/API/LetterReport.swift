import Delivery
import FoundationEssentials

/// A line of `/api/dead-letters`.
struct LetterReport: Encodable {
    private let letter: DeadLetters.Letter

    init(_ letter: DeadLetters.Letter) { self.letter = letter }

    private enum Keys: CodingKey {
        case id, target, rule, action, error, attempts, createdAt, nextAttemptAt, isDead
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(letter.id, forKey: .id)
        try container.encode(letter.target, forKey: .target)
        try container.encode(letter.rule, forKey: .rule)
        let action = try? JSONDecoder().decode(JSONValue.self, from: Data(letter.action.utf8))
        try container.encode(action ?? .text(letter.action), forKey: .action)
        try container.encode(letter.error, forKey: .error)
        try container.encode(letter.attempts, forKey: .attempts)
        try container.encode(Self.time(letter.createdAt), forKey: .createdAt)
        try container.encode(letter.nextAttemptAt.map(Self.time), forKey: .nextAttemptAt)
        try container.encode(letter.nextAttemptAt == nil, forKey: .isDead)
    }

    /// Postgres' `2026-11-21 16:00:00.5+00`, which the session has in UTC, as ISO 8601 has it.
    private static func time(_ text: String) -> String {
        text.replacing(" ", with: "T").replacing(/\+00$/, with: "Z")
    }
}
