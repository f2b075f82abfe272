/// The longest of this second and of the one before. A value, without a clock.
struct SlowestLately {
    private var second: Int64 = 0
    private var longest = Duration.zero
    private var longestBefore = Duration.zero

    /// Something took that long in this second.
    mutating func add(_ duration: Duration, at second: Int64) {
        turn(to: second)
        longest = max(longest, duration)
    }

    /// What took longest, as seen in this second; zero: there was nothing.
    mutating func value(at second: Int64) -> Duration {
        turn(to: second)
        return max(longest, longestBefore)
    }

    private mutating func turn(to second: Int64) {
        guard second != self.second else { return }
        longestBefore = second == self.second + 1 ? longest : .zero
        longest = .zero
        self.second = second
    }
}
