/// SQL text made safe by the server's own rules.
public enum SQL {
    /// A name exactly as the catalog has it: in double quotes, inner ones doubled (manual, 4.1.1).
    public static func identifier(_ name: String) -> String {
        "\"" + doubling("\"", in: name) + "\""
    }

    /// A qualified name.
    public static func identifier(_ schema: String, _ name: String) -> String {
        identifier(schema) + "." + identifier(name)
    }

    /// A string constant that means the same whatever `standard_conforming_strings` says (manual, 4.1.2.2):
    /// with a backslash in it, it becomes an escape string.
    public static func literal(_ text: String) -> String {
        let quoted = "'" + doubling("'", in: text) + "'"
        return text.contains("\\") ? " E" + doubling("\\", in: quoted) : quoted
    }

    private static func doubling(_ character: Character, in text: String) -> String {
        String(text.flatMap { $0 == character ? [$0, $0] : [$0] })
    }
}
