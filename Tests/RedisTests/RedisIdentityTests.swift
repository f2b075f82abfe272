import Testing

@testable import Redis

/// What INFO says of a server.
@Suite struct RedisIdentityTests {
    @Test(arguments: [
        (
            "# Server\r\nredis_version:7.0.15\r\nrun_id:ab:c\r\n# Replication\r\nrole:master\r\nmaster_replid:de\r\n",
            "Redis 7.0.15"
        ),
        ("redis_version:7.2.4\nvalkey_version:8.1.0\nrun_id:ab:c\nrole:master\nmaster_replid:de", "Valkey 8.1.0"),
        ("old_run_id:no\r\nmaster_replid2:no\r\nmaster_replid:de\r\nrole:master\r\nrun_id:ab:c\r\n", "Redis "),
    ]) func ofAServer(info: String, server: String) {
        #expect(
            RedisIdentity(info: info)
                == RedisIdentity(runID: "ab:c", replicationID: "de", role: .master, server: server))
    }

    @Test func ofAReplica() {
        let identity = RedisIdentity(info: "run_id:a\r\nrole:slave\r\n")
        #expect(identity?.role == .replica && identity?.replicationID == "")
    }

    @Test(arguments: ["", "run_id:a\r\n", "role:master\r\n", "run_id:a\r\nrole:sentinel\r\n", "run_id\r\nrole:master"])
    func ofNobody(info: String) { #expect(RedisIdentity(info: info) == nil) }
}
