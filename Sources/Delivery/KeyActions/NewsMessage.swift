import FoundationEssentials
import Rules

/// What listeners get, as JSON.
struct NewsMessage: Encodable {
    /// The rule's name.
    var rule: String
    /// When it was sent, in seconds since 1970.
    var at: Double
    /// Present if any row may have changed: all entries of the rule are stale.
    var any: Bool?
    /// Entries.
    var keys: [ByteText]?
    /// What matches entries.
    var patterns: [ByteText]?
    /// What entries are filed under.
    var tags: [ByteText]?
    /// Counters of generations.
    var counters: [ByteText]?

    /// About so much is told in one message.
    private static let itemsPerMessage = 300
    private static let bytesPerMessage = 1 << 18

    /// The messages that tell all of this, in its order, each the bytes of a PUBLISH. There is one where there is
    /// nothing to tell but that the rule fired.
    static func messages(_ news: News, rule: String, at time: Date) -> [[UInt8]] {
        var texts: [[UInt8]] = []
        var message = empty(news, rule, time)
        var count = 0
        var bytes = 0
        func end() {
            texts.append(message.encoded)
            (message, count, bytes) = (empty(news, rule, time), 0, 0)
        }
        for item in news.items {
            if case .message(let text) = item {
                texts.append(text)
                continue
            }
            bytes += message.insert(item)
            count += 1
            if count == itemsPerMessage || bytes >= bytesPerMessage { end() }
        }
        if count > 0 || texts.isEmpty { end() }
        return texts
    }

    private static func empty(_ news: News, _ rule: String, _ time: Date) -> NewsMessage {
        let seconds = (time.timeIntervalSince1970 * 1000).rounded() / 1000
        return NewsMessage(rule: rule, at: seconds, any: news.isAnyRow ? true : nil)
    }

    /// Gives how many bytes it has.
    private mutating func insert(_ item: News.Item) -> Int {
        let (list, bytes): (WritableKeyPath<NewsMessage, [ByteText]?>, [UInt8]) =
            switch item {
            case .key(let key): (\.keys, key.bytes)
            case .pattern(let pattern): (\.patterns, pattern.bytes)
            case .tag(let key): (\.tags, key.bytes)
            case .counter(let key): (\.counters, key.bytes)
            case .message(let text): (\.keys, text)
            }
        self[keyPath: list] = (self[keyPath: list] ?? []) + [ByteText(bytes: bytes)]
        return bytes.count
    }

    private var encoded: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings, a number and a truth: there is nothing that JSON could not hold.
        return Array((try? encoder.encode(self)) ?? Data())
    }
}
