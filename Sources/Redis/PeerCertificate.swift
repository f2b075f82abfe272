import FoundationEssentials
import Glibc
import NIOSSL

/// What a server's certificate says, for telling people why it was not accepted.
struct PeerCertificate: Hashable {
    /// When it begins to be valid, in seconds since 1970.
    var start: Int
    /// When it ends to be.
    var end: Int
    /// The hosts that it is for.
    var names: [String]

    /// Why a certificate for this host was not accepted, in one line; nil: it is in order, so it has to be who signed
    /// it.
    ///
    /// - Parameter isOtherName: whether its names were all that was wrong with it.
    func fault(for host: String, isOtherName: Bool, at now: Int) -> String? {
        if now > end { return "the server's certificate expired on \(Self.day(end))" }
        if now < start { return "the server's certificate isn't valid before \(Self.day(start))" }
        guard isOtherName else { return nil }
        let list = names.isEmpty ? "no host" : names.joined(separator: ", ")
        return "the server's certificate is for \(list), and not for \(host)"
    }

    private static func day(_ second: Int) -> String {
        Date(timeIntervalSince1970: Double(second)).formatted(.iso8601)
    }
}

extension PeerCertificate {
    init(_ certificate: NIOSSLCertificate) {
        self.init(
            start: certificate.notValidBefore, end: certificate.notValidAfter,
            names: certificate._subjectAlternativeNames().compactMap { Self.text(of: $0) })
    }

    private static func text(of name: _SubjectAlternativeName) -> String? {
        name.contents.withUnsafeBufferPointer { bytes in
            switch name.nameType {
            case .dnsName: String(decoding: bytes, as: UTF8.self)
            case .ipAddress: address(bytes)
            default: nil
            }
        }
    }

    private static func address(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard bytes.count == 4 || bytes.count == 16,
            inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil
        else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
