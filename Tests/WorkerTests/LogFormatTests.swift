import FoundationEssentials
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Worker

/// How messages become lines.
@Suite struct LogFormatTests {
    private let time = Date(timeIntervalSince1970: 1_763_741_405.25)

    @Test func text() {
        let entry = LogEntry(
            level: .notice, message: "Serving",
            metadata: ["wake": "notify", "a": "up to date", "empty": "", "path": "a=b", "q": "say \"hi\" \\ there"])
        #expect(
            LogFormat.text.line(entry, at: time)
                == #"2025-11-21 16:10:05.250Z [notice] Serving a="up to date" empty="" path="a=b" "#
                + #"q="say \"hi\" \\ there" wake=notify"#)
        let repeated = RepeatFilter.Repetition(count: 812, seconds: 60)
        #expect(
            LogFormat.text.line(LogEntry(level: .error, message: "No", metadata: [:]), repeated: repeated, at: time)
                == "2025-11-21 16:10:05.250Z [error] No (repeated 812 times in 60 s)")
    }

    @Test func json() throws {
        let entry = LogEntry(
            level: .warning, message: "No", metadata: ["message": "forged", "level": "x", "time": "y", "rule": "r/1"])
        #expect(
            LogFormat.json.line(entry, repeated: .init(count: 2, seconds: 10), at: time)
                == #"{"level":"warning","message":"No","repeated":"2","rule":"r/1","seconds":"10","#
                + #""time":"2025-11-21T16:10:05.250Z"}"#)
    }

    /// Whatever stands in a message: it is one line, in which nothing but what it is can be read, and JSON.
    @Test func hostileText() throws {
        var random = SeededGenerator()
        let alphabet: [Unicode.Scalar] = [
            "a", " ", "\n", "\r", "\u{1b}", "\u{0}", "\"", "\\", "=", "\u{2028}", "\u{2029}", "\u{85}", "\u{202e}",
            "\u{2066}",
            "é", "😀", "\u{200d}", "\u{301}", "]", "{", "\u{7f}", "\u{9b}",
        ]
        func text() -> String {
            var text = ""
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                text.unicodeScalars.append(alphabet.randomElement(using: &random) ?? "a")
            }
            return text
        }
        for _ in 0..<1_000 {
            let entry = LogEntry(level: .info, message: text(), metadata: ["k" + text(): text(), "k2": text()])
            let line = LogFormat.text.line(entry, at: time)
            #expect(line.utf8.starts(with: "2025-11-21 16:10:05.250Z [info] ".utf8))
            let unsafe = line.unicodeScalars.filter { scalar in
                scalar.properties.generalCategory == .control
                    || ["\u{2028}", "\u{2029}", "\u{202e}", "\u{2066}"].contains(scalar)
            }
            #expect(unsafe.isEmpty, "\(entry)")
            if entry.metadata["k2"]?.unicodeScalars.contains("\"") == true {
                #expect(line.utf8.split(separator: UInt8(ascii: "\\")).count > 1, "\(entry)")
            }
            let json = LogFormat.json.line(entry, at: time)
            #expect(!json.contains { $0 == "\n" || $0 == "\r" })
            let object = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
            #expect(object["message"].map { Array($0.unicodeScalars) } == Array(entry.message.unicodeScalars))
            #expect(object["k2"] == entry.metadata["k2"])
        }
    }

    @Test func levels() {
        let levels = LogLevelSwitch(.info)
        #expect(levels.level == .info)
        #expect(levels.step(toMore: true) == .debug && levels.step(toMore: true) == .trace)
        #expect(levels.step(toMore: true) == .trace)
        for level in Logger.Level.allCases {
            levels.set(level)
            #expect(levels.level == level)
        }
        #expect(levels.step(toMore: false) == .critical && levels.step(toMore: true) == .error)
    }

    /// All loggers go by the switch, those made before it was set too, unless one was given a level of its own.
    @Test func loggers() {
        let lines = Lines()
        let output = LogOutput(.text, levels: LogLevelSwitch(.warning), write: lines.append)
        let logger = output.logger("one")
        var own = logger
        own.logLevel = .trace
        own[metadataKey: "part"] = "x"
        logger.info("not yet")
        own.debug("always")
        output.levels.set(.info)
        logger.info("now")
        #expect(lines.all.map { $0.split(separator: "] ").last ?? "" } == ["always part=x", "now"])
    }
}

/// Lines that were written.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func append(_ line: String) { lines.withLock { $0.append(line) } }
}
