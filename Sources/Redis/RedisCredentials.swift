/// Who we are to a server, and how we prove it.
public struct RedisCredentials: Hashable, Sendable {
    /// The ACL user; nil is the server's default user.
    public var user: String?
    /// The password; nil sends no AUTH, unless there is a file.
    public var password: String?
    /// The file that the password is in instead. It is read at every login, so that a new one needs no restart.
    public var passwordFile: String?

    /// Credentials; without any there is no AUTH.
    public init(user: String? = nil, password: String? = nil, passwordFile: String? = nil) {
        self.user = user
        self.password = password
        self.passwordFile = passwordFile
    }

    /// The password as it is now, without the line's end behind it in its file; nil: there is none. Throws `refused`
    /// with one clear line when the file can't be read.
    func currentPassword() throws(RedisError) -> String? {
        guard let passwordFile else { return password }
        let what = "the password file \(passwordFile)"
        let bytes = try SmallFile.bytes(of: passwordFile, called: what)
        let text = String(decoding: bytes, as: UTF8.self).prefix { $0 != "\n" && $0 != "\r\n" }
        guard !text.isEmpty else { throw RedisError(.refused, "\(what) is empty") }
        return String(text)
    }

    /// What proves it with this password.
    func authentication(by password: String) -> RedisCommand { RedisCommand("AUTH", user ?? "default", password) }
}

extension RedisCredentials: CustomStringConvertible {
    /// `user:***@` as in a URL; empty where there is no password.
    public var description: String { password == nil && passwordFile == nil ? "" : "\(user ?? ""):***@" }
}
