/// The text of a rules file, kept to find exact positions in it.
struct SourceText: Sendable {
    let file: String
    let bytes: [UInt8]
    /// The offset of each line's first byte.
    private let starts: [Int]

    init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
        var starts = [0]
        for (index, byte) in bytes.enumerated() {
            // A carriage return alone ends a line too, as it does for libyaml.
            let endsLine =
                byte == UInt8(ascii: "\n")
                || byte == UInt8(ascii: "\r") && bytes.dropFirst(index + 1).first != UInt8(ascii: "\n")
            if endsLine { starts.append(index + 1) }
        }
        self.starts = starts
    }

    func location(line: Int, column: Int) -> FilePosition {
        FilePosition(file: file, line: line, column: column)
    }

    /// The place of the byte at `offset`.
    func location(at offset: Int) -> FilePosition {
        let line = (starts.firstIndex { $0 > offset } ?? starts.endIndex) - 1
        let column = bytes[starts[line]..<min(offset, bytes.count)].count(where: isScalarStart)
        return location(line: line + 1, column: column + 1)
    }

    /// The offset of the byte at a place, if there is such a place.
    func offset(of location: FilePosition) -> Int? {
        guard starts.indices.contains(location.line - 1) else { return nil }
        var offset = starts[location.line - 1]
        for _ in 1..<location.column {
            guard offset < bytes.count else { return nil }
            repeat { offset += 1 } while offset < bytes.count && !isScalarStart(bytes[offset])
        }
        return offset
    }

    /// The bytes of a line, counted from 1, without what ends it.
    func line(_ number: Int) -> ArraySlice<UInt8>? {
        guard starts.indices.contains(number - 1) else { return nil }
        let rest = bytes[starts[number - 1]...]
        return rest.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    }
}

/// Whether a byte of UTF-8 begins a Unicode scalar.
func isScalarStart(_ byte: UInt8) -> Bool { byte & 0xC0 != 0x80 }
