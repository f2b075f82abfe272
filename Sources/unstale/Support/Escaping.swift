import Rules

/// Text from data, safe for a terminal and on one line.
func escaped(_ text: String) -> String { text.escaped }
