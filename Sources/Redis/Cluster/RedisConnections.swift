/// Connections to all servers of a deployment that have keys, for whoever wants to have a look and is gone again.
public struct RedisConnections: Sendable {
    private let map: SlotMap
    private let byAddress: [RedisURL.Address: RedisConnection]

    /// Connects to each of them. Throws what ``RedisConnection/connect(to:on:options:)`` does.
    public static func connect(
        to url: RedisURL, options: RedisConnectionOptions = .init()
    ) async throws(RedisError) -> RedisConnections {
        guard case .cluster(let seeds) = url.deployment else {
            let address = RedisURL.Address.unix(path: "")
            let connection = try await RedisConnection.connect(to: url, options: options)
            return RedisConnections(map: SlotMap(only: address), byAddress: [address: connection])
        }
        let map = try await ClusterView.read(url, at: seeds, options: options).map
        var byAddress: [RedisURL.Address: RedisConnection] = [:]
        for address in map.masters {
            byAddress[address] = try await RedisConnection.connect(to: url.at(address), options: options)
        }
        return RedisConnections(map: map, byAddress: byAddress)
    }

    /// All of them.
    public var all: [RedisConnection] { Array(byAddress.values) }

    /// The one to the server that has a key; nil: nobody has its slot.
    public subscript(key: [UInt8]) -> RedisConnection? { map[RedisSlot(of: key)].flatMap { byAddress[$0] } }

    /// Closes them.
    public func close() { for connection in all { connection.close() } }
}
