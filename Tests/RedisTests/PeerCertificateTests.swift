import Testing

@testable import Redis

@Suite struct PeerCertificateTests {
    private let certificate = PeerCertificate(start: 1_000_000_000, end: 1_100_000_000, names: ["a.example", "::1"])

    @Test(arguments: [
        (999_999_999, true, "the server's certificate isn't valid before 2001-09-09T01:46:40Z"),
        (1_000_000_000, true, "the server's certificate is for a.example, ::1, and not for b.example"),
        (1_100_000_000, true, "the server's certificate is for a.example, ::1, and not for b.example"),
        (1_050_000_000, false, nil),
        (1_100_000_001, true, "the server's certificate expired on 2004-11-09T11:33:20Z"),
        (1_100_000_001, false, "the server's certificate expired on 2004-11-09T11:33:20Z"),
    ])
    func faults(now: Int, isOtherName: Bool, line: String?) {
        #expect(certificate.fault(for: "b.example", isOtherName: isOtherName, at: now) == line)
    }

    @Test func hasNoNames() {
        let certificate = PeerCertificate(start: 0, end: 10, names: [])
        #expect(
            certificate.fault(for: "a", isOtherName: true, at: 5)
                == "the server's certificate is for no host, and not for a")
    }
}
