import FoundationEssentials
import Glibc

/// How far something is, on a terminal's last line. Where stderr is no terminal there is none.
struct ProgressBar {
    private let what: String
    private let isShown: Bool
    private let isColored: Bool
    private var lastShown: ContinuousClock.Instant?

    /// A bar behind these words.
    init(_ what: String) {
        let environment = ProcessInfo.processInfo.environment
        self.what = what
        isShown = isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb"
        isColored = (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// Shows how much is done; of an unknown total only how much.
    mutating func show(_ done: Int, of total: Int?) {
        let now = ContinuousClock.now
        guard isShown, lastShown.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
        lastShown = now
        write("\r" + line(done, of: total, columns: Self.columns) + "\u{1b}[K")
    }

    /// Takes it away.
    func erase() { if lastShown != nil { write("\r\u{1b}[K") } }

    /// What stands on a terminal of this width.
    func line(_ done: Int, of total: Int?, columns: Int) -> String {
        guard let total, total > 0 else { return String("\(what): \(done.grouped)".prefix(max(0, columns - 1))) }
        let share = min(1, Double(done) / Double(total))
        let percent = "\(Int(share * 100)) %"
        let width = min(30, columns - what.count - percent.count - 6)
        guard width > 0 else { return String("\(what): \(percent)".prefix(max(0, columns - 1))) }
        let filled = Int(share * Double(width))
        let (full, empty) = (String(repeating: "#", count: filled), String(repeating: " ", count: width - filled))
        return "\(what) [" + (isColored ? "\u{1b}[36m\(full)\u{1b}[m" : full) + "\(empty)] \(percent)"
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}

extension Int {
    /// With a comma between thousands.
    var grouped: String {
        let digits = Array(String(magnitude))
        let groups = stride(from: digits.count, to: 0, by: -3).map { String(digits[Swift.max(0, $0 - 3)..<$0]) }
        return (self < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
    }
}
