import Testing

@testable import Rules

@Suite struct HTTPURLTests {
    @Test(arguments: [
        ("http://a", "a"), ("HTTP://a/", "a"), ("https://a.example:8443/b?c", "a.example:8443"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"), ("http://[::1]:80/", "[::1]:80"),
        ("http://[fe80::1]?a", "[fe80::1]"),
        ("http://a/b..c/.d/e./...?/../", "a"), ("http://a/%2E%2Eb/%2f", "a"),
        ("http://a?b@c", "a"), ("http://my_app-1.local.:65535/@:", "my_app-1.local.:65535"), ("http://a:1", "a:1"),
    ])
    func good(text: String, authority: String) throws {
        let url = try HTTPURL(Array(text.utf8))
        #expect(url.text == text)
        #expect(url.authority == authority)
    }

    @Test(arguments: [
        ("", "begins neither"), ("/path", "begins neither"), ("ftp://a/", "begins neither"),
        ("http:/a", "begins neither"), ("http+unix://%2Fsocket/", "begins neither"), ("unix:///a", "begins neither"),
        (" http://a", "must be percent-encoded"), ("http://", "no host"), ("http:///a", "no host"),
        ("https://?a", "no host"),
        ("http://:80/", "no host"), ("http://a%2eb/", "no host"), ("http://a,b/", "no host"),
        ("http://[::1/", "no host"),
        ("http://[fe80::1%25lo]/", "no host"), ("http://[1.2.3.4]/", "no host"), ("http://[]/", "no host"),
        ("http://user@a/", "user name"), ("http://user:secret@a/", "user name"), ("http://a@b:c@d/", "user name"),
        ("http://a:/", "port"), ("http://a:0/", "port"), ("http://a:65536/", "port"), ("http://a:-1/", "port"),
        ("http://a:+80/", "port"), ("http://a:80:80/", "port"), ("http://[::1]80/", "port"), ("http://a:9x/", "port"),
        ("http://a:99999999999999999999/", "port"), ("http://a/#b", "fragment"),
        ("http://a/b c", "must be percent-encoded"),
        ("http://a\\@b/", "must be percent-encoded"), ("http://a/\r\nX: y", "must be percent-encoded"),
        ("http://a/\0", "must be percent-encoded"), ("http://\u{e4}.example/", "must be percent-encoded"),
        ("http://a/\u{fc}", "must be percent-encoded"), ("http://a/{b}", "must be percent-encoded"),
        ("http://a/[b]", "must be percent-encoded"), ("http://a/?b[]=c", "must be percent-encoded"),
        ("http://a/%", "hexadecimal"), ("http://a/%4", "hexadecimal"),
        ("http://a/%zz", "hexadecimal"),
        ("http://a/%4g", "hexadecimal"), ("http://a/?%", "hexadecimal"),
        ("http://a/b/../c", "segment"), ("http://a/..", "segment"), ("http://a/./b", "segment"),
        ("http://a/b/%2e%2E/c", "segment"), ("http://a/.%2e?c", "segment"), ("http://a/b%2F..%2Fc", "segment"),
        ("http://a/..%5cb", "segment"),
    ])
    func bad(text: String, reason: String) throws {
        let error = try #require(throws: HTTPURL.Mistake.self) { _ = try HTTPURL(Array(text.utf8)) }
        #expect(error.message.contains(reason))
        #expect(!error.message.contains("secret"))
    }

    @Test func bytesThatAreNoText() {
        #expect(throws: HTTPURL.Mistake.self) { _ = try HTTPURL(Array("http://a/".utf8) + [0xff]) }
    }
}
