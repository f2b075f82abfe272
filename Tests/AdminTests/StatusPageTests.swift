import TestSupport
import Testing

@testable import Admin

/// The page, and what a browser may do with it.
@Suite struct StatusPageTests {
    /// By openssl: `printf %s 'alert(1)' | openssl dgst -sha256 -binary | base64`.
    @Test func itsOwnStyleAndScriptAreLetIn() throws {
        let page = StatusPage(
            Array("<style media=all>a{}</style><script>alert(1)</script>\n<script>\n</script>".utf8))
        let policy = try #require(page.response.headers[.contentSecurityPolicy])
        #expect(policy.contains("default-src 'none'; style-src 'sha256-"))
        #expect(
            policy.contains(
                "script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=' 'sha256-AbpHGcgLb+kRsJGnwFEktk7uzpZOCcBY74+YBdrKVGs='"
            ))
        #expect(!policy.contains("unsafe"))
    }

    @Test func theBuiltInPage() async throws {
        try await AdminPort.with { admin in
            let answer = try await admin.get("/")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/html; charset=utf-8")
            #expect(answer.body.contains("<title>Unstale</title>"))
            #expect(answer.headers["content-security-policy"]?.contains("default-src 'none'") == true)
        }
    }
}
