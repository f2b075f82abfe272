/// What listeners are told when a rule fires.
enum Telling: Hashable, Sendable {
    case nothing
    /// What is stale.
    case items
    /// That it fired: there is nothing else that it does.
    case firing
    /// The rule's own messages, and this one where any row may have changed.
    case messages(anyRow: [UInt8])

    init(_ rule: Rule) {
        guard let publish = rule.publish else {
            self = .nothing
            return
        }
        if let message = publish.message {
            self = .messages(anyRow: KeyTemplate(key: message, purpose: .message).anyRowText)
        } else {
            self = KeyTemplate.all(of: rule).isEmpty ? .firing : .items
        }
    }
}

extension Purpose {
    /// Whether the keys that it is about are those of entries, which listeners may have too.
    var isAboutEntries: Bool {
        switch self {
        case .delete, .action(.expire): true
        case .action(.emptyTag), .action(.bump), .message: false
        }
    }
}

extension Plan {
    /// Adds what is to be done with a key, and what is told of it.
    mutating func insert(
        _ key: Key, for purpose: Purpose, rule: Int, isFenced: Bool, delays: [Duration], telling: Telling = .nothing
    ) {
        switch purpose {
        case .delete: insert(PlannedKey(key: key, rule: rule), isFenced: isFenced, repeatAfter: delays)
        case .action(let action):
            insert(PlannedAction(action, key, rule: rule, isFenced: isFenced), repeatAfter: delays)
        case .message: tell(rule, repeatAfter: delays) { $0.insert(.message(key.bytes)) }
        }
        guard telling == .items, let item = News.Item(key, purpose) else { return }
        // Who has told readers of a generation once need not do it again.
        tell(rule, repeatAfter: purpose == .action(.bump) ? [] : delays) { $0.insert(item) }
    }

    /// The same for all keys that a pattern matches.
    mutating func insert(
        _ pattern: Pattern, for purpose: Purpose, rule: Int, isFenced: Bool, delays: [Duration],
        telling: Telling = .nothing
    ) {
        switch purpose {
        case .delete: insert(PlannedPattern(pattern: pattern, rule: rule), isFenced: isFenced, repeatAfter: delays)
        case .action(let action):
            insert(PlannedPatternAction(action, pattern, rule: rule, isFenced: isFenced), repeatAfter: delays)
        case .message: break
        }
        if telling == .items { tell(rule, repeatAfter: delays) { $0.insert(.pattern(pattern)) } }
    }
}

extension News.Item {
    fileprivate init?(_ key: Key, _ purpose: Purpose) {
        switch purpose {
        case .delete, .action(.expire): self = .key(key)
        case .action(.emptyTag): self = .tag(key)
        case .action(.bump): self = .counter(key)
        case .message: return nil
        }
    }
}
