import Postgres
import Rules

/// The tables that notifications tell of, and how to read each channel's payloads. A value.
struct ListenedTables: Sendable {
    /// What rules name.
    let named: Set<TableName>
    /// Those whose capture is installed, and knows that it has no triggers.
    private(set) var captured: [TableName: ListenedTable] = [:]
    private(set) var readers: [String: PayloadReader] = [:]
    /// Whether a sleeping worker is woken by NOTIFY.
    let ring: Bool

    /// Reads what is installed.
    static func read(
        _ channels: [ListenChannel], named: Set<TableName>, _ connection: PostgresConnection
    ) async throws(PostgresError) -> ListenedTables {
        let state = try await InstalledState.read(connection)
        guard state.version == Schema.version, let wake = state.wake else {
            throw PostgresError(
                code: .server(sqlState: "3F000"), message: "there is no capture in this database",
                doing: "reading the installed capture")
        }
        var tables = ListenedTables(named: named, ring: wake == .notify)
        let catalog = Catalog(connection: connection)
        for capture in state.captures where !capture.isRetired && capture.manifest.source == .notifications {
            let table = capture.manifest.table
            guard named.contains(table), channels.tell(of: table), let shape = try await catalog.shape(of: table)
            else { continue }
            tables.captured[table] = ListenedTable(shape, capture, ring: tables.ring)
        }
        for channel in channels {
            let own = named.filter(channel.tells).sorted { $0.description < $1.description }
            tables.readers[channel.name] = PayloadReader(channel, tables: own, captured: tables.captured)
        }
        return tables
    }

    private init(named: Set<TableName>, ring: Bool) {
        self.named = named
        self.ring = ring
    }

    /// Nothing is known yet.
    init() { self.init(named: [], ring: false) }
}
