/// Reads `user:{id}`: one pass over the bytes.
struct TemplateParser {
    private let bytes: [UInt8]
    private let locate: (Int) -> FilePosition
    private var position = 0
    private var text: [UInt8] = []
    private var pieces: [Template.Piece] = []

    /// A template that is written in a rules file; `locate` finds the place of one of its bytes.
    static func parse(
        _ source: String, locate: (Int) -> FilePosition
    ) throws(TemplateError) -> Template {
        try withoutActuallyEscaping(locate) { (locate) throws(TemplateError) in
            var parser = TemplateParser(bytes: Array(source.utf8), locate: locate)
            try parser.parse()
            return Template(source: source, pieces: parser.pieces, location: locate(0))
        }
    }

    private init(bytes: [UInt8], locate: @escaping (Int) -> FilePosition) {
        self.bytes = bytes
        self.locate = locate
    }

    private mutating func parse() throws(TemplateError) {
        while position < bytes.count {
            let byte = bytes[position]
            let isDoubled = bytes.dropFirst(position + 1).first == byte
            switch byte {
            case UInt8(ascii: "{") where !isDoubled:
                try parsePlaceholder()
            case UInt8(ascii: "}") where !isDoubled:
                throw TemplateError(message: "a '}' without a '{'; write }} for a brace", offset: position)
            case UInt8(ascii: "{"), UInt8(ascii: "}"):
                text.append(byte)
                position += 2
            default:
                text.append(byte)
                position += 1
            }
        }
        endText()
    }

    private mutating func parsePlaceholder() throws(TemplateError) {
        let start = position + 1
        guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "}")) else {
            throw TemplateError(message: "the '{' is never closed; write {{ for a brace", offset: position)
        }
        let parts = bytes[start..<end].split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
        let column = ImageColumn(parsing: String(decoding: parts[0], as: UTF8.self))
        guard !column.name.isEmpty else {
            let inside = String(decoding: bytes[start..<end], as: UTF8.self)
            throw TemplateError(message: "no column in '{\(inside)}'", offset: position)
        }
        guard !parts[0].contains(UInt8(ascii: "{")) else {
            throw TemplateError(message: "the '{' is never closed; write {{ for a brace", offset: position)
        }
        var filters: [Filter] = []
        for part in parts.dropFirst() { filters.append(try filter(part)) }
        endText()
        pieces.append(.placeholder(Placeholder(column: column, filters: filters, location: locate(start))))
        position = end + 1
    }

    private func filter(_ part: ArraySlice<UInt8>) throws(TemplateError) -> Filter {
        let plain: [String: Filter] = [
            "lower": .lower, "upper": .upper, "urlencode": .urlencode, "md5": .md5, "sha256": .sha256,
        ]
        let words = part.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(decoding: words[0], as: UTF8.self)
        let argument = words.count > 1 ? String(decoding: words[1], as: UTF8.self) : nil
        let offset = part.startIndex
        switch (plain[name], argument) {
        case (let filter?, nil): return filter
        case (.some, _):
            throw TemplateError(message: "the filter '\(name)' takes no argument", offset: offset)
        case (nil, let argument?) where name == "default": return .default(argument)
        case (nil, nil) where name == "default":
            throw TemplateError(
                message: "the filter 'default' needs an argument, as in default:none", offset: offset)
        default:
            let suggestion = Filter.names.nearest(to: name)
            throw TemplateError(message: "unknown filter '\(name)'", suggestion: suggestion, offset: offset)
        }
    }

    private mutating func endText() {
        if !text.isEmpty { pieces.append(.text(text)) }
        text = []
    }
}
