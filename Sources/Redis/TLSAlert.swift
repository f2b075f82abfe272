import NIOSSL

/// Why a TLS handshake failed, as far as the two sides tell.
enum TLSAlert: Hashable {
    /// Its certificate was not accepted, for a reason that is not told.
    case untrusted
    /// Its certificate is for other names than the one that was asked for.
    case otherName
    /// The peer answered with something that is no TLS.
    case noTLS
    /// The server wants to know who we are.
    case certificateRequired
    /// The server did not accept our certificate, and calls it this.
    case ours(String)
    /// Something else, in TLS' own words.
    case other(String)

    /// Nil: the error is not about a handshake.
    init?(_ error: any Error) {
        switch error {
        case is NIOSSLExtraError: self = .otherName
        case NIOSSLError.handshakeFailed(let error): self.init(word: Self.word(in: "\(error)"))
        case NIOSSLError.unableToValidateCertificate, NIOSSLError.noCertificateToValidate: self = .untrusted
        // With TLS 1.3 the server checks our certificate after the handshake is over for us.
        case BoringSSLError.sslError(let stack): self.init(word: Self.word(in: "\(stack)"))
        default: return nil
        }
    }

    private init(word: String) {
        // Alerts of the peer are called SSLV3_ALERT_… or TLSV1_ALERT_…, by the version that they came with.
        let alert = word.firstRange(of: "_ALERT_").map { word[$0.upperBound...] }
        switch word {
        case "CERTIFICATE_VERIFY_FAILED": self = .untrusted
        case "WRONG_VERSION_NUMBER", "HTTP_REQUEST": self = .noTLS
        case _ where alert == "CERTIFICATE_REQUIRED": self = .certificateRequired
        case _ where alert?.contains("CERTIFICATE") == true || alert == "UNKNOWN_CA": self = .ours(Self.plain(alert))
        default: self = .other(Self.plain(alert ?? word[...]))
        }
    }

    /// What went wrong, in one line.
    var line: String {
        switch self {
        case .untrusted: "the server's certificate isn't trusted"
        case .otherName: "the server's certificate is for another name"
        case .noTLS: "what answers there speaks no TLS"
        case .certificateRequired: "the server requires a certificate of ours: see the parameters cert and key"
        case .ours(let what): "the server doesn't accept our certificate: \(what)"
        case .other(let what): "the TLS handshake failed: \(what)"
        }
    }

    /// The name that BoringSSL gives an error: `error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at …`.
    private static func word(in text: String) -> String {
        guard let start = text.firstRange(of: "OPENSSL_internal:") else { return "" }
        return String(text[start.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
    }

    private static func plain(_ word: Substring?) -> String {
        guard let word, !word.isEmpty else { return "the server ended it" }
        return word.lowercased().replacing("_", with: " ")
    }
}
