/// Text from data, safe for a terminal and on one line: control characters, line separators and what turns the
/// direction of text around are written as escapes.
func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
        if scalar.isUnsafe {
            result += scalar.escaped(asASCII: true)
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
}

extension Unicode.Scalar {
    /// Whether it could make text look like other text than it is.
    var isUnsafe: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: properties.isBidiControl
        }
    }
}
