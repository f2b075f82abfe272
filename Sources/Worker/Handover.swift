import Synchronization

/// Gives a value away, once, and keeps nothing of it.
final class Handover<Value: Sendable>: Sendable {
    private let value: Mutex<Value?>

    init(_ value: Value) { self.value = Mutex(value) }

    /// The value; nil: somebody has it already.
    func take() -> Value? { value.withLock { $0.take() } }
}
