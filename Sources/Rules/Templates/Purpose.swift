/// What is done with what a template of a rule makes.
enum Purpose: Hashable, Sendable {
    /// The key, or what the pattern matches, is deleted.
    case delete
    /// Something else is done with the key.
    case action(KeyAction)
    /// It is no key but a message.
    case message

    var action: KeyAction? { if case .action(let action) = self { action } else { nil } }
}
