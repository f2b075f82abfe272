import HTTPTypes
import Testing

@testable import Admin

/// Who may ask what: the decision alone.
@Suite struct AccessTests {
    private func status(
        _ method: HTTPRequest.Method = .get, _ path: String = "/api/status", host: String? = "localhost",
        authorization: String? = nil, token: String? = "sesame", isLoopback: Bool = true,
        at address: String = "127.0.0.1"
    ) -> Int {
        let access = AdminAccess(token: token.flatMap { AdminToken($0) }, hosts: ["unstale.internal"])
        let asked = AdminAccess.Asked(
            method: method, path: path, host: host, authorization: authorization, localAddress: address,
            isLoopback: isLoopback)
        return access.refusal(of: asked)?.status.code ?? 200
    }

    @Test func onThisMachineReadingNeedsNothing() {
        #expect(status() == 200)
        #expect(status(token: nil) == 200)
        #expect(status(.post) == 401)
        #expect(status(.post, token: nil) == 403)
        #expect(status(.post, authorization: "Bearer sesame") == 200)
    }

    @Test func fromOtherMachinesAllNeedsTheToken() {
        for path in ["/metrics", "/api/status", "/nowhere", "/livez/", "/readyz/x"] {
            #expect(status(.get, path, isLoopback: false) == 401, "\(path)")
            #expect(status(.get, path, token: nil, isLoopback: false) == 403, "\(path)")
            #expect(status(.get, path, authorization: "bearer sesame", isLoopback: false) == 200, "\(path)")
        }
        for path in ["/", "/livez", "/readyz"] { #expect(status(.get, path, token: nil, isLoopback: false) == 200) }
        #expect(status(.post, "/livez", isLoopback: false) == 401)
    }

    @Test(arguments: [
        nil, "", "sesame", "Bearer", "Bearer ", "Bearer sesam", "Bearer sesamee", "Bearer sesamE", "Bearer  sesame",
        "Bearer sesame ", "Basic sesame", "Bearer sesame,Bearer sesame", "Bearer sesamesesame",
    ]) func otherTokens(authorization: String?) {
        #expect(status(.post, authorization: authorization) == 401)
    }

    @Test(arguments: [
        "localhost", "LocalHost:9464", "localhost.", "127.0.0.1", "127.0.0.1:80", "unstale.internal:9464",
        "UNSTALE.internal",
    ]) func knownHosts(host: String) {
        #expect(status(host: host) == 200)
    }

    /// Among them what a page of another site would have a browser send.
    @Test(arguments: [
        "evil.example:9464", "localhost.evil.example", "127.0.0.2", "127.0.0.1.evil.example", "xunstale.internal",
    ]) func otherHosts(host: String) {
        #expect(status(host: host) == 403)
        #expect(status(.get, "/livez", host: host) == 403)
        #expect(status(.post, host: host, authorization: "Bearer sesame") == 403)
    }

    @Test(arguments: [nil, "", ":80", "localhost:evil", "[::1", "[::1]x", "localhost:80:80"]) func noHost(host: String?)
    {
        #expect(status(host: host) == 400)
    }

    @Test func versionSix() {
        #expect(status(host: "[::1]:9464", at: "::1") == 200)
        #expect(status(host: "[::2]:9464", at: "::1") == 403)
        #expect(AdminAddress("[::1]:9464") == AdminAddress(host: "::1", port: 9464))
        #expect(AdminAddress("[::1]:9464")?.description == "[::1]:9464")
    }

    @Test(arguments: [
        "", "9464", ":9464", "localhost", "localhost:", "localhost:x", "localhost:65536", "localhost:-1", "::1:9464",
        "[::1]", "[::1]9464", "http://localhost:9464", "a b:1",
    ]) func noAddress(text: String) {
        #expect(AdminAddress(text) == nil)
    }

    @Test func tokensThatCanStandInAHeader() {
        #expect(AdminToken("aZ09-._~+/=") != nil)
        for text in ["", " ", "a b", "a\n", "ä"] { #expect(AdminToken(text) == nil) }
    }
}
