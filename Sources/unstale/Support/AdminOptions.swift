import Admin
import ArgumentParser
import Glibc

/// The flags about the admin port.
struct AdminOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Show metrics, health and a status page at this address [UNSTALE_ADMIN, admin]; default: no such port.",
            valueName: "host:port"))
    var admin: String?

    @Option(
        help: ArgumentHelp(
            "File with the token that orders need [UNSTALE_ADMIN_TOKEN_FILE, admin.token.file]; the token itself may "
                + "be in UNSTALE_ADMIN_TOKEN.", valueName: "file"))
    var adminTokenFile: String?

    /// The flags as settings.
    var flags: [String: String] {
        ["admin": admin, "admin.token.file": adminTokenFile].compactMapValues { $0 }
    }
}

extension Settings {
    /// How the admin port is opened; nil: it is not.
    func admin() throws(Failure) -> AdminSettings? {
        guard let text = text("admin") else { return nil }
        guard let address = AdminAddress(text) else {
            throw Failure(
                .badSettings, "admin: '\(escaped(text))' is no address such as 127.0.0.1:9464 or [::1]:9464")
        }
        let hosts = self.text("admin.hosts")?.split(separator: ",").map { $0.filter { !$0.isWhitespace } } ?? []
        return AdminSettings(address: address, token: try adminToken(), hosts: hosts.filter { !$0.isEmpty })
    }

    /// The token of the admin port; nil: there is none.
    func adminToken() throws(Failure) -> AdminToken? {
        guard let text = try adminTokenText() else { return nil }
        guard let token = AdminToken(text) else {
            throw Failure(.badSettings, "admin.token: a token is made of letters, digits and signs of ASCII")
        }
        return token
    }

    /// The token as it was given. A file that can't be read, or is empty, is a mistake.
    func adminTokenText() throws(Failure) -> String? {
        guard let path = text("admin.token.file") else { return text("admin.token") }
        let token = try Self.text(ofFile: path, limit: 4096).trimming(\.isWhitespace)
        guard !token.isEmpty else { throw Failure(.badSettings, "admin.token.file: \(path): the file is empty") }
        return token
    }

    private static func text(ofFile path: String, limit: Int) throws(Failure) -> String {
        guard let file = fopen(path, "r") else { throw unreadable(path) }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = fread(&bytes, 1, limit, file)
        guard ferror(file) == 0 else { throw unreadable(path) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private static func unreadable(_ path: String) -> Failure {
        Failure(.badSettings, "admin.token.file: \(path): can't be read: \(String(cString: strerror(errno)))")
    }
}

extension String {
    fileprivate func trimming(_ isCut: (Character) -> Bool) -> String {
        String(drop(while: isCut).reversed().drop(while: isCut).reversed())
    }
}
