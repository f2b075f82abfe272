import Redis
import Rules
import TestSupport
import Testing

/// The matcher of the rules against the server that it stands for.
@Suite struct GlobTests {
    private static let alphabet: [[UInt8]] =
        ["a", "b", "c", "-", "^", "]", "[", "\\", "*", "?", "[a-c]", "[^a]", "[", "é", "\n", "\\*", "**"]
        .map { Array($0.utf8) } + [[0x00], [0xFF], [0x80]]

    private func random(_ length: Int, using generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...length, using: &generator)).flatMap { _ in
            Self.alphabet.randomElement(using: &generator) ?? []
        }
    }

    @Test func agreesWithTheServer() async throws {
        var generator = SeededGenerator()
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            let keys = Array(Set((0..<200).map { _ in Key(bytes: random(5, using: &generator)) }))
            try await client.set(keys)
            // For a bare star, which rules refuse, Redis doesn't ask its matcher.
            let patterns = (0..<1000).map { _ in Pattern(bytes: random(6, using: &generator)) }
                .filter { $0 != Pattern("*") }
            let replies = try await client.connection.pipeline(
                patterns.map { RedisCommand("KEYS", [$0.bytes]) }, deadline: .seconds(60))
            for (pattern, reply) in zip(patterns, replies) {
                guard case .array(let elements) = reply else {
                    Issue.record("KEYS \(pattern): \(reply)")
                    continue
                }
                let expected = Set(
                    elements.compactMap { if case .bulk(let bytes) = $0 { Key(bytes: bytes) } else { nil } })
                let set = PatternSet([pattern])
                let difference = Set(keys.filter { set.matches($0) }).symmetricDifference(expected)
                #expect(difference.isEmpty, "\(pattern.bytes): \(difference.map(\.bytes))")
                #expect(Set(keys.filter { Glob(pattern).matches($0) }) == expected)
            }
        }
    }

    @Test func escapedKeysMatchThemselvesAlone() async throws {
        var generator = SeededGenerator()
        let keys = Set((0..<200).map { _ in Key(bytes: random(5, using: &generator)) }).subtracting([Key("")])
        for key in keys {
            let glob = Glob(Pattern(bytes: Pattern.escape(key.bytes)))
            #expect(keys.filter { glob.matches($0) } == [key])
        }
    }
}
