/// In which sessions a trigger fires, as `pg_trigger.tgenabled` has it.
enum TriggerMode: String, Sendable {
    /// In ordinary ones.
    case origin = "O"
    /// In those whose `session_replication_role` is `replica`, as it is where logical replication writes.
    case replica = "R"
    case always = "A"
    case disabled = "D"

    /// Whether a trigger of this mode fires wherever one of that mode does.
    func covers(_ other: TriggerMode) -> Bool { self == other || self == .always }

    /// What `ALTER TABLE` says before `TRIGGER`.
    var clause: String {
        switch self {
        case .origin: "ENABLE"
        case .replica: "ENABLE REPLICA"
        case .always: "ENABLE ALWAYS"
        case .disabled: "DISABLE"
        }
    }
}
