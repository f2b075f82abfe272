extension Unicode.Scalar {
    /// Whether it could make text look like other text than it is: control characters, line separators, and what turns
    /// the direction of text around.
    package var isUnsafe: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: properties.isBidiControl
        }
    }
}

extension String {
    /// The text on one line, safe for a terminal: what is unsafe in it is written as an escape.
    package var escaped: String {
        unicodeScalars.reduce(into: "") { result, scalar in
            if scalar.isUnsafe {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
}
