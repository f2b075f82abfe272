/// A port on which a Redis speaks TLS, beside its other one.
public struct TLSPort: Sendable {
    /// Its number on 127.0.0.1.
    public let number: Int
    /// What redis-server is told.
    public let arguments: [String]

    /// The same as lines of a configuration file.
    public var lines: [String] {
        let words = arguments
        return stride(from: 0, to: words.count, by: 2).map { index in "\(words[index].dropFirst(2)) \(words[index + 1])"
        }
    }

    /// A free port.
    ///
    /// - Parameter clients: the CA that has to have signed the certificates of clients; nil: they need none.
    public init(_ certificate: TestAuthority.Certificate, clients authority: TestAuthority? = nil) throws {
        number = try ServerProcess.freePort()
        arguments =
            [
                "--tls-port", "\(number)", "--tls-cert-file", certificate.file, "--tls-key-file", certificate.keyFile,
                "--tls-ca-cert-file", authority?.file ?? certificate.file,
                "--tls-auth-clients", authority == nil ? "no" : "yes",
            ]
    }
}
