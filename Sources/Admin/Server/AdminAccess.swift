import HTTPTypes

/// Who may ask what. A value.
struct AdminAccess: Sendable {
    /// nil: nothing can be ordered, and from other machines nothing be read.
    var token: AdminToken?
    /// Names besides `localhost` that the port is known by, in lower case.
    var hosts: Set<String> = []

    /// What is looked at of a request.
    struct Asked {
        var method: HTTPRequest.Method
        var path: String
        /// The `Host` header.
        var host: String?
        var authorization: String?
        /// The address at our end of the connection, without a port.
        var localAddress: String?
        /// Whether the port can only be reached from this machine.
        var isLoopback: Bool
    }

    /// Paths that tell anybody whether the worker is well, and nothing else; and the page, which knows nothing by itself
    /// and asks for the token.
    private static let open: Set<String> = ["/", "/livez", "/readyz"]

    /// Why a request is refused; nil: it is not.
    func refusal(of asked: Asked) -> AdminRefusal? {
        guard let host = asked.host, let name = Self.name(ofHost: host) else {
            return AdminRefusal(.badRequest, "the Host header is missing or can't be read")
        }
        // A page of another site whose name was made to lead here has the browser send that name (DNS rebinding).
        guard name == "localhost" || name == asked.localAddress || hosts.contains(name) else {
            return AdminRefusal(.forbidden, "this port is not known by the name in the Host header: see admin.hosts")
        }
        if asked.method != .post, asked.isLoopback || Self.open.contains(asked.path) { return nil }
        guard let token else { return AdminRefusal(.forbidden, "set a token") }
        guard token.isIn(asked.authorization) else {
            return AdminRefusal(.unauthorized, "the token is missing or wrong")
        }
        return nil
    }

    /// The name or address in a `Host` header, in lower case and without port, brackets and final dot.
    static func name(ofHost header: String) -> String? {
        var name = header.lowercased()[...]
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return nil }
            let rest = name[name.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            name = name[name.index(after: name.startIndex)..<end]
        } else if let colon = name.firstIndex(of: ":") {
            guard isPort(name[colon...]) else { return nil }
            name = name[..<colon]
        }
        if name.hasSuffix(".") { name = name.dropLast() }
        return name.isEmpty ? nil : String(name)
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.dropFirst().allSatisfy(\.isNumber)
    }
}
