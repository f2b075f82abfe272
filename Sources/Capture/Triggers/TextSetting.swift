/// A setting that changes how a type is written as text (manual, 20.11.2). Captured text must not depend on the
/// session that wrote the row, so the trigger functions pin those that matter to their columns.
public enum TextSetting: String, CaseIterable, Sendable, Comparable {
    case byteaOutput = "bytea_output"
    case dateStyle = "DateStyle"
    case extraFloatDigits = "extra_float_digits"
    case intervalStyle = "IntervalStyle"
    case lcMonetary = "lc_monetary"
    case timeZone = "TimeZone"

    /// The pinned value, as SQL.
    var value: String {
        switch self {
        case .byteaOutput: "hex"
        case .dateStyle: "'ISO, YMD'"
        case .extraFloatDigits: "1"
        case .intervalStyle: "postgres"
        case .lcMonetary: "'C'"
        case .timeZone: "'UTC'"
        }
    }

    /// Those that a built-in base type depends on.
    static func of(type name: String) -> Set<TextSetting> {
        switch name {
        case "date", "timestamp": [.dateStyle]
        case "timestamptz": [.dateStyle, .timeZone]
        case "interval": [.intervalStyle]
        case "bytea": [.byteaOutput]
        case "float4", "float8", "point", "line", "lseg", "box", "path", "polygon", "circle":
            [.extraFloatDigits]
        case "money": [.lcMonetary]
        default: []
        }
    }

    /// SET commands that pin all of them in a session, so that lookups write values as the captures do.
    public static let pinAll = allCases.map { "SET \($0.rawValue) = \($0.value)" }.joined(separator: "; ")

    /// Order by name.
    public static func < (left: TextSetting, right: TextSetting) -> Bool { left.rawValue < right.rawValue }
}
