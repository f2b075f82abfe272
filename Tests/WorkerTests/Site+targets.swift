import FoundationEssentials
import TestSupport

extension Site {
    /// Lends a site with the table `users`, and two targets, `a` and `b`, in which the keys of all users are cached.
    /// `settings` are lines of theirs.
    static func withTwoTargets<Result>(
        rules: String = Users.rules, settings: [String: String] = [:], install: [String] = [],
        isolation: isolated (any Actor)? = #isolation, _ body: (Site, TwoTargets) async throws -> Result
    ) async throws -> Result {
        try await with(rules: rules, schema: Users.schema, install: install) { site, a in
            try await RedisServer.with { b in
                var site = site
                try site.configure(["a": a.port, "b": b.port], settings)
                let targets = TwoTargets(a: site.at(a), b: site.at(b), serverA: a, serverB: b)
                try await targets.a.cacheUsers()
                try await targets.b.cacheUsers()
                return try await body(site, targets)
            }
        }
    }

    /// From now on there are these targets, on these ports.
    mutating func configure(_ ports: [String: Int], _ settings: [String: String] = [:]) throws {
        let lines = ports.sorted { $0.key < $1.key }.map { name, port in
            "  - {name: \(name), url: \"redis://127.0.0.1:\(port)\"\(settings[name].map { ", \($0)" } ?? "")}"
        }
        let path = rules + "-settings.yaml"
        try ("targets:\n" + lines.joined(separator: "\n") + "\n").write(
            toFile: path, atomically: true, encoding: .utf8)
        config = path
        targetCount = ports.count
    }

    /// The same site, with the cache in this Redis.
    private func at(_ server: RedisServer) -> Site {
        var site = self
        site.cacheURL = "redis://127.0.0.1:\(server.port)"
        return site
    }

    /// How a target stands.
    func target(_ name: String) async throws -> StatusReport.Target? {
        try await status().targets.first { $0.target == name }
    }
}

/// A site as seen from its targets.
struct TwoTargets: Sendable {
    let a, b: Site
    let serverA, serverB: RedisServer
}
