/// Which templates make keys that are fenced when they are deleted: those of rules that ask for it, and those that
/// may make a key which some rule re-warms, for its loader is a reader like any other.
struct FencedKeys: Sendable {
    private let loaded: [[UInt8]]
    /// Whether entries that are found under a tag are fenced. What their keys are is not known before; and another rule that
    /// has the same tag may ask for the fence, which finds them no more once the tag is gone.
    let includeTagged: Bool

    init(_ rules: [Rule]) {
        loaded = rules.flatMap(\.rewarm).map(\.key.leadingText)
        includeTagged = rules.contains(where: \.fence)
    }

    /// Told by the texts that the templates begin with: a fence too many costs one SET, one too few a stale entry.
    func contain(_ template: KeyTemplate, of rule: Rule) -> Bool {
        switch template.purpose {
        case .delete, .action(.expire): contain(template.literalPrefix, of: rule)
        case .action(.emptyTag): includeTagged
        case .action(.bump), .message: false
        }
    }

    /// The same for a key.
    func contain(_ key: Key, of rule: Rule?) -> Bool {
        rule?.fence ?? false || loaded.contains { key.bytes.starts(with: $0) }
    }

    private func contain(_ prefix: [UInt8], of rule: Rule) -> Bool {
        rule.fence || loaded.contains { $0.starts(with: prefix) || prefix.starts(with: $0) }
    }
}
