import Rules
import TestSupport
import Testing

@testable import Delivery

/// Where a loader doesn't go. This machine's own address stands for a cloud's.
@Suite struct HTTPAddressTests {
    private static func forbidding(_ addresses: String..., tls: TestCertificate? = nil) -> HTTPLoader {
        let forbidden = Set(addresses.compactMap { IPAddress($0) })
        return HTTPLoader(tls: tls?.clientConfiguration ?? .makeClientConfiguration()) { forbidden.contains($0) }
    }

    private static func refusal(of address: String, at host: String) -> Loaded {
        .failed(
            "connecting to \(host): \(address) is a link-local or metadata address, which this rule doesn't list")
    }

    @Test(arguments: ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "0"])
    func whateverTheHostIsCalled(host: String) async throws {
        try await HTTPPeer.with { _ in
            [answer()]
        } _: { peer in
            let at = "\(host):\(peer.port)"
            try await withLoader(Self.forbidding("127.0.0.1")) { loader in
                #expect(await loader.load("http://\(at)/") == Self.refusal(of: "127.0.0.1", at: at))
                try await eventually("end of the connection") { peer.accepted > 0 && peer.open == 0 }
                #expect(peer.received == 0, "not a byte was sent")
                #expect(await loader.load("http://\(at)/", allowing: ["127.0.0.1"]) == .value([]))
                #expect(peer.requests.count == 1)
            }
        }
    }

    @Test func overIPv6() async throws {
        try await HTTPPeer.with(host: "::1") { _ in
            [answer()]
        } _: { peer in
            let at = "[::1]:\(peer.port)"
            try await withLoader(Self.forbidding("::1")) { loader in
                #expect(await loader.load("http://\(at)/") == Self.refusal(of: "::1", at: at))
                #expect(peer.received == 0)
                #expect(await loader.load("http://\(at)/", allowing: ["0:0:0:0:0:0:0:1"]) == .value([]))
            }
        }
    }

    @Test func mappedIntoIPv6() async throws {
        try await HTTPPeer.with { _ in
            [answer()]
        } _: { peer in
            for host in ["[::ffff:127.0.0.1]", "[::FFFF:7f00:1]"] {
                try await withLoader(Self.forbidding("127.0.0.1")) { loader in
                    let at = "\(host):\(peer.port)"
                    let before = peer.requests.count
                    #expect(await loader.load("http://\(at)/") == Self.refusal(of: "::ffff:127.0.0.1", at: at))
                    #expect(peer.requests.count == before)
                    #expect(await loader.load("http://\(at)/", allowing: ["127.0.0.1"]) == .value([]))
                }
            }
        }
    }

    @Test func overTLSNothingIsAskedEither() async throws {
        let certificate = try await TestCertificate(for: "localhost")
        try await HTTPPeer.with(certificate: certificate) { _ in
            [answer()]
        } _: { peer in
            try await withLoader(Self.forbidding("127.0.0.1", tls: certificate)) { loader in
                let at = "localhost:\(peer.port)"
                #expect(await loader.load("https://\(at)/") == Self.refusal(of: "127.0.0.1", at: at))
                try await eventually("end of the connection") { peer.accepted > 0 && peer.open == 0 }
                #expect(peer.received == 0, "not a byte came through TLS")
                #expect(await loader.load("https://\(at)/", allowing: ["127.0.0.1"]) == .value([]))
            }
        }
    }

    @Test func aConnectionIsForThoseWhoMayHaveIt() async throws {
        try await HTTPPeer.with { _ in
            [answer()]
        } _: { peer in
            let refusal = Self.refusal(of: "127.0.0.1", at: "127.0.0.1:\(peer.port)")
            try await withLoader(Self.forbidding("127.0.0.1")) { loader in
                for _ in 0..<3 {
                    #expect(await loader.load(peer.url(), allowing: ["127.0.0.1"]) == .value([]))
                    #expect(await loader.load(peer.url()) == refusal)
                    #expect(await loader.load(peer.url(), allowing: ["10.0.0.1"]) == refusal)
                    #expect(await loader.load(peer.url(), allowing: ["127.0.0.10", "nonsense"]) == refusal)
                    #expect(await loader.load(peer.url(), allowing: ["::ffff:7f00:1"]) == .value([]))
                }
                #expect(peer.requests.count == 6)
                #expect(Set(peer.requests.map(\.connection)).count == 1, "however the address is written")
                try await eventually("the refused connections") { peer.accepted == 10 }
            }
        }
    }

    @Test func manyRefusalsLeaveNothingOpen() async throws {
        try await HTTPPeer.with { _ in
            [answer()]
        } _: { peer in
            let refusal = Self.refusal(of: "127.0.0.1", at: "127.0.0.1:\(peer.port)")
            let loader = Self.forbidding("127.0.0.1")
            try await withLoader(loader) { loader in
                let loads = (0..<100).map { _ in Task { await loader.load(peer.url()) } }
                for load in loads { #expect(await load.value == refusal) }
            }
            try await eventually("end of the connections") { peer.open == 0 }
            #expect(peer.received == 0)
        }
    }
}
