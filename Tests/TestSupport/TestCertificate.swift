import NIOSSL

/// A certificate that signs itself, made for one test.
public struct TestCertificate: Sendable {
    private let certificate: NIOSSLCertificate
    private let key: NIOSSLPrivateKey

    /// A certificate for this name of a host.
    public init(for name: String) async throws {
        let path = try TestEnvironment.directory + "/certificate-\(UInt64.random(in: 0 ... .max))"
        try await command(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)", "-keyout", path + ".key",
                "-out", path + ".pem",
            ])
        guard let first = try NIOSSLCertificate.fromPEMFile(path + ".pem").first else {
            throw TestError("openssl made no certificate")
        }
        certificate = first
        key = try NIOSSLPrivateKey(file: path + ".key", format: .pem)
    }

    func serverContext() throws -> NIOSSLContext {
        try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(certificate)], privateKey: .privateKey(key)))
    }

    /// What a client needs that trusts this certificate and no other.
    public var clientConfiguration: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates([certificate])
        return configuration
    }
}
