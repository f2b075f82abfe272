import Postgres
import Rules

/// The tables that notifications tell of, and how to read each channel's payloads. A value.
struct ListenedTables: Sendable {
    private let channels: [ListenChannel]
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
        var tables = ListenedTables(channels, named: named, ring: try state.currentWake == .notify)
        let catalog = Catalog(connection: connection)
        for capture in state.captures where !capture.isRetired && capture.manifest.source == .notifications {
            let table = capture.manifest.table
            guard named.contains(table), channels.tell(of: table), let shape = try await catalog.shape(of: table)
            else { continue }
            tables.captured[table] = ListenedTable(shape, capture, ring: tables.ring)
        }
        tables.makeReaders()
        return tables
    }

    private init(_ channels: [ListenChannel], named: Set<TableName>, ring: Bool) {
        self.channels = channels
        self.named = named
        self.ring = ring
    }

    /// Nothing is known yet.
    init() { self.init([], named: [], ring: false) }

    /// Postgres refuses to write rows of this table, whatever they are.
    mutating func refuse(_ table: TableName, because reason: String) {
        captured[table]?.refusal = reason
        makeReaders()
    }

    private mutating func makeReaders() {
        for channel in channels {
            let own = named.filter(channel.tells).sorted { $0.description < $1.description }
            readers[channel.name] = PayloadReader(channel, tables: own, captured: captured)
        }
    }
}
