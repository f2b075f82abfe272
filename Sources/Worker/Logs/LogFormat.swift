import FoundationEssentials
import Logging
import Rules

/// How log lines look.
public enum LogFormat: String, CaseIterable, Sendable {
    /// For people.
    case text
    /// One JSON object a line, for machines.
    case json

    /// The line for a message, without its end. Nothing in it, wherever it comes from, makes it look like two.
    func line(_ entry: LogEntry, repeated: RepeatFilter.Repetition? = nil, at time: Date) -> String {
        let stamp = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        switch self {
        case .text:
            let day = stamp.replacing("T", with: " ", maxReplacements: 1)
            var line = "\(day) [\(entry.level)] \(entry.message.escaped)"
            if let repeated { line += " (repeated \(repeated.count) times in \(repeated.seconds) s)" }
            for (key, value) in entry.metadata.sorted(by: { $0.key < $1.key }) {
                line += " \(key.escaped)=\(Self.quoted(value))"
            }
            return line
        case .json:
            var fields = entry.metadata
            if let repeated {
                fields["repeated"] = "\(repeated.count)"
                fields["seconds"] = "\(repeated.seconds)"
            }
            fields["time"] = stamp
            fields["level"] = entry.level.rawValue
            fields["message"] = entry.message
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // Texts are all that there is, and JSON can hold any.
            return (try? encoder.encode(fields)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        }
    }

    /// A value in quotation marks, unless it is a word.
    private static func quoted(_ value: String) -> String {
        let isWord =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy { scalar in
                !scalar.properties.isWhitespace && !scalar.isUnsafe && scalar != "\"" && scalar != "="
                    && scalar != "\\"
            }
        return isWord ? value : "\"" + escapedInQuotes(value) + "\""
    }

    /// The text between quotation marks.
    private static func escapedInQuotes(_ value: String) -> String {
        value.unicodeScalars.reduce(into: "") { result, scalar in
            if scalar.isUnsafe || scalar == "\"" || scalar == "\\" {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
}
