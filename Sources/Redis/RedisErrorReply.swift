/// An error that Redis answered to a command, for example `WRONGTYPE Operation against a key holding …`.
public struct RedisErrorReply: Hashable, Sendable, CustomStringConvertible {
    /// The whole line as the server sent it.
    public var text: String

    /// The error with this line.
    public init(_ text: String) { self.text = text }

    /// The first word, by which the server says what kind of error it is: `ERR`, `WRONGTYPE`, `LOADING` and so on.
    public var code: Substring { text.prefix { $0 != " " } }

    /// The whole line.
    public var description: String { text }

    /// The first word, if it is one by which servers say what kind of error it is.
    public var kind: String {
        let isCode = code.count <= 24 && !code.isEmpty && code.utf8.allSatisfy { (65...90).contains($0) || $0 == 95 }
        return isCode ? String(code) : "an error"
    }

    /// The line for logs, which are no place for keys: without what it quotes of the command's arguments.
    public var summary: String { Self.withoutArguments(text) }

    /// A line with an ellipsis for what is quoted in it, but for the names of commands.
    static func withoutArguments(_ line: String) -> String {
        // Byte by byte: a quotation mark that an accent follows is one all the same.
        var text = Array(line.utf8)[...]
        text = text.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        if let arguments = text.firstRange(of: Array(", with args beginning with".utf8)) {
            text = text[..<arguments.lowerBound]
        }
        guard let first = firstQuoted(in: text) else { return String(decoding: text, as: UTF8.self) }
        let last = text.lastIndex(where: quotes.contains) ?? first
        let rest = last > first ? text[(last + 1)...] : []
        return String(decoding: text[..<first], as: UTF8.self) + "…" + String(decoding: rest, as: UTF8.self)
    }

    /// Where the first quotation begins that is not a command's name, as in `run the 'unlink' command`.
    private static func firstQuoted(in line: ArraySlice<UInt8>) -> Int? {
        var position = line.startIndex
        while let start = line[position...].firstIndex(where: quotes.contains) {
            position = start + 1
            // An apostrophe.
            if start > line.startIndex, isLetter(line[start - 1]) { continue }
            let end = line[position...].firstIndex { !isLetter($0) && $0 != UInt8(ascii: "|") } ?? line.endIndex
            guard end < line.endIndex, line[end] == line[start],
                line[..<start].suffix(8).elementsEqual("command ".utf8)
                    || line[(end + 1)...].starts(with: " command".utf8)
            else { return start }
            position = end + 1
        }
        return nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (65...90).contains(byte) || (97...122).contains(byte) }

    private static let quotes = Set("'\"`".utf8)
}
