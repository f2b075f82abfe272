import NIOSSL

/// How TLS is spoken to a server. The files are read at every connect, so that mended ones need no restart.
public struct RedisTLS: Hashable, Sendable {
    /// The file of the CAs that are trusted, in PEM; nil: those that the system trusts.
    public var authorityFile: String?
    /// The file of our own certificate, and those between it and its CA, in PEM; nil: we have none.
    public var certificateFile: String?
    /// The file of its key, in PEM without a passphrase.
    public var keyFile: String?
    /// Whether the server has to prove who it is. Without that anybody in between can read and change everything.
    public var verifies: Bool

    /// TLS as the system trusts it, unless something else is given.
    public init(
        authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil, verifies: Bool = true
    ) {
        self.authorityFile = authorityFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.verifies = verifies
    }

    /// What a connection needs. Throws `refused` with one clear line when a file is not what it should be.
    func context() throws(RedisError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        // Who has gone is not waited for to say goodbye.
        configuration.shutdownTimeout = .seconds(1)
        configuration.certificateVerification = verifies ? .fullVerification : .none
        if let authorityFile, verifies {
            configuration.trustRoots = .certificates(try Self.certificates(in: authorityFile, called: "the CA file"))
        }
        if let certificateFile, let keyFile {
            let chain = try Self.certificates(in: certificateFile, called: "the certificate file")
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(try Self.key(in: keyFile))
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            let files = [authorityFile, certificateFile, keyFile].compactMap { $0 }.joined(separator: ", ")
            let which = files.isEmpty ? "the system's CAs" : files
            throw RedisError(.refused, "TLS can't be set up with \(which): do they belong together?", underlying: error)
        }
    }

    private static func certificates(in path: String, called what: String) throws(RedisError) -> [NIOSSLCertificate] {
        let bytes = try SmallFile.bytes(of: path, called: "\(what) \(path)")
        do {
            return try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw RedisError(.refused, "\(what) \(path) holds no certificate in PEM", underlying: error)
        }
    }

    private static func key(in path: String) throws(RedisError) -> NIOSSLPrivateKey {
        let bytes = try SmallFile.bytes(of: path, called: "the key file \(path)")
        do {
            // A passphrase would be asked for on a terminal that nobody sits at.
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem) { $0([UInt8]()) }
        } catch {
            throw RedisError(
                .refused, "the key file \(path) holds no key in PEM without a passphrase", underlying: error)
        }
    }
}
