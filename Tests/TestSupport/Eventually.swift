/// Waits until the condition holds, asking again every few milliseconds. Throws when it doesn't by the deadline;
/// an error that the condition throws counts as not yet, and is told at the end.
public func eventually(
    within deadline: Duration = .seconds(30), _ what: String = "the condition",
    isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + deadline
    var last: (any Error)?
    repeat {
        do {
            if try await condition() { return }
            last = nil
        } catch {
            last = error
        }
        try await Task.sleep(for: .milliseconds(5))
    } while ContinuousClock.now < end
    throw TestError("\(what) did not hold within \(deadline)" + (last.map { ": \($0)" } ?? ""))
}
