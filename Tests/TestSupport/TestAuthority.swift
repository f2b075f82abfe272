import FoundationEssentials
import Glibc

/// A CA of one test, and the certificates that it signs.
public struct TestAuthority: Sendable {
    /// A certificate and its key, in PEM.
    public struct Certificate: Sendable {
        /// The path of the certificate.
        public let file: String
        /// The path of its key.
        public let keyFile: String
    }

    private let directory: String

    /// A CA that nobody knows yet.
    public init() async throws {
        directory = try TestEnvironment.directory + "/ca-" + String(UInt64.random(in: 0 ... .max), radix: 36)
        mkdir(directory, 0o755)
        try Self.configuration(directory).write(toFile: directory + "/conf", atomically: true, encoding: .utf8)
        try "".write(toFile: directory + "/index", atomically: true, encoding: .utf8)
        try "01".write(toFile: directory + "/serial", atomically: true, encoding: .utf8)
        try await command(
            "openssl",
            ["req", "-x509"] + Self.newKey + ["-days", "2", "-subj", "/CN=CA", "-keyout", key, "-out", file])
    }

    /// The path of its own certificate, by which it is trusted.
    public var file: String { directory + "/ca.pem" }

    private var key: String { directory + "/ca.key" }

    /// Signs a certificate for these hosts: `DNS:name` or `IP:address`. One that has expired did so in 2020.
    public func certificate(
        for hosts: [String] = ["DNS:localhost", "IP:127.0.0.1"], hasExpired: Bool = false
    ) async throws -> Certificate {
        let path = directory + "/" + String(UInt64.random(in: 0 ... .max), radix: 36)
        try await command(
            "openssl",
            ["req", "-new"] + Self.newKey + [
                "-subj", "/CN=test", "-addext", "subjectAltName=" + hosts.joined(separator: ","),
                "-keyout", path + ".key", "-out", path + ".csr",
            ])
        let time = hasExpired ? ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] : ["-days", "1"]
        try await command(
            "openssl",
            ["ca", "-batch", "-notext", "-config", directory + "/conf", "-cert", file, "-keyfile", key] + time
                + ["-in", path + ".csr", "-out", path + ".pem"])
        return Certificate(file: path + ".pem", keyFile: path + ".key")
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    private static func configuration(_ directory: String) -> String {
        """
        [ca]
        default_ca = test
        [test]
        database = \(directory)/index
        serial = \(directory)/serial
        new_certs_dir = \(directory)
        default_md = sha256
        policy = any
        unique_subject = no
        copy_extensions = copy
        [any]
        commonName = optional
        """
    }
}

extension RedisServer {
    /// Has it show this certificate to whoever connects from now on.
    public func show(_ certificate: TestAuthority.Certificate) async throws {
        try await cli("CONFIG", "SET", "tls-cert-file", certificate.file, "tls-key-file", certificate.keyFile)
    }
}
