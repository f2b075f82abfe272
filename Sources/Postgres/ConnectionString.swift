internal import CPostgres

/// Looks at a connection string before libpq does: its words quote what they complain about, and where a string is
/// wrong, a piece of the password may stand anywhere.
enum ConnectionString {
    /// What is wrong with it, without showing any of it; nil: nothing that could tell.
    static func mistake(in string: String) -> String? {
        let isURI = string.hasPrefix("postgres://") || string.hasPrefix("postgresql://")
        guard isURI || string.contains("=") else {
            // A database's name alone.
            return string.contains("://") || string.contains("@") ? mistake : nil
        }
        guard let options = PQconninfoParse(string, nil) else { return mistake }
        defer { PQconninfoFree(options) }
        var index = 0
        while let keyword = options[index].keyword {
            let value = options[index].val.map { String(cString: $0) } ?? ""
            let isFine =
                switch String(cString: keyword) {
                case "port": value.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ",") }
                case "host", "hostaddr": !value.contains("@")
                case "dbname": !(isURI && value.contains("@"))
                default: true
                }
            guard isFine else { return mistake }
            index += 1
        }
        return nil
    }

    private static let mistake =
        "the connection string can't be read (it is not shown, for it may hold a password); in a URL, special "
        + "characters are percent-encoded"
}
