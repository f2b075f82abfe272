extension Duration {
    /// Reads a duration as rules and settings write it: `250ms`, `5s`, `15m`, `1h` or `1d`; a whole number, more
    /// than zero. Nil for anything else.
    public init?(ruleText text: String) {
        let units: [(String, Int64)] = [
            ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ]
        guard let milliseconds = number(text, units: units), milliseconds > 0 else { return nil }
        self = .milliseconds(milliseconds)
    }
}

/// Reads `100B`, `512KiB` or `1MB`: a whole number of bytes, more than zero.
package func parseSize(_ text: String) -> Int? {
    let units: [(String, Int64)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("KB", 1000), ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ]
    guard let bytes = number(text, units: units), bytes > 0 else { return nil }
    return Int(bytes)
}

/// Reads `0%` to `100%`.
package func parsePercent(_ text: String) -> Int? {
    guard let percent = number(text, units: [("%", 1)]), percent <= 100 else { return nil }
    return Int(percent)
}

private func number(_ text: String, units: [(suffix: String, factor: Int64)]) -> Int64? {
    for unit in units where text.hasSuffix(unit.suffix) {
        let digits = text.dropLast(unit.suffix.count)
        guard digits.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            let value = Int64(digits)
        else { continue }
        let (product, overflow) = value.multipliedReportingOverflow(by: unit.factor)
        // A hundred years: beyond, a sum with the present time could overflow somewhere.
        return overflow || product > 3_155_760_000_000 ? nil : product
    }
    return nil
}
