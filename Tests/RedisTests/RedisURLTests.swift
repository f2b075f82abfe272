import Testing

@testable import Redis

@Suite struct RedisURLTests {
    @Test(arguments: [
        ("redis://localhost", "redis://localhost:6379/0"),
        ("REDIS://10.0.0.1:7000/3", "redis://10.0.0.1:7000/3"),
        ("redis://host:6380/", "redis://host:6380/0"),
        ("redis://:p%40ss%2Fword@host/1", "redis://:***@host:6379/1"),
        ("redis://app:secret@[::1]:6379", "redis://app:***@[::1]:6379/0"),
        (
            "redis+sentinel://app:s%2Fecret@s1,s2:26380/mymaster/2",
            "redis+sentinel://app:***@s1:26379,s2:26380/mymaster/2"
        ),
        ("redis+cluster://:secret@10.0.0.1:7000,[::1]:7001", "redis+cluster://:***@10.0.0.1:7000,[::1]:7001"),
        ("rediss://:secret@host?ca=/ca.pem&cert=/c.pem&key=/k.pem", "rediss://:***@host:6379/0"),
        ("rediss://host/3?tls=insecure", "rediss://host:6379/3?tls=insecure"),
        (
            "rediss+sentinel://s1,s2/m?sentinel_user=u&sentinel_password=secret&tls=insecure",
            "rediss+sentinel://s1:26379,s2:26379/m/0?tls=insecure"
        ),
        ("rediss+cluster://app@a,b?password_file=/run/secrets/redis", "rediss+cluster://app:***@a:6379,b:6379"),
        ("redis://host?client_name=shop-1&password_file=/p", "redis://:***@host:6379/0"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix://app@/run/redis.sock?password_file=/p&db=3", "unix://app:***@/run/redis.sock?db=3"),
        ("unix://app:secret@/run/a%20b.sock?db=2", "unix://app:***@/run/a b.sock?db=2"),
    ])
    func parses(text: String, description: String) throws {
        let url = try RedisURL(text)
        #expect(url.description == description)
        #expect("\(String(reflecting: url))\([url])".contains("secret") == false)
    }

    @Test func decodesUserAndPassword() throws {
        let url = try RedisURL("redis://us%3Aer:p%40ss%2Fw%C3%B6rd@host/1")
        #expect(url.credentials == RedisCredentials(user: "us:er", password: "p@ss/wörd"))
        #expect(url.deployment == .standalone(.tcp(host: "host", port: 6379)))
        #expect(try RedisURL("redis://[::1]").deployment == .standalone(.tcp(host: "::1", port: 6379)))
    }

    @Test func takesParameters() throws {
        let url = try RedisURL(
            "rediss+sentinel://app@s1/m/2?password_file=/run/a%20b&ca=/ca&cert=/cert&key=/key&client_name=shop-1"
                + "&sentinel_user=watcher&sentinel_password=s%26t")
        #expect(url.credentials == RedisCredentials(user: "app", passwordFile: "/run/a b"))
        #expect(url.tls == RedisTLS(authorityFile: "/ca", certificateFile: "/cert", keyFile: "/key"))
        #expect(url.clientName == "shop-1")
        #expect(url.database == 2)
        let server = url.at(.tcp(host: "10.0.0.1", port: 6380))
        #expect(server.description == "rediss://app:***@10.0.0.1:6380/2")
        #expect(server.tls == url.tls && server.credentials == url.credentials && server.clientName == "shop-1")
        let sentinel = url.sentinel(at: .tcp(host: "s1", port: 26379))
        #expect(sentinel.credentials == RedisCredentials(user: "watcher", password: "s&t"))
        #expect(sentinel.database == 0 && sentinel.tls == url.tls)
        #expect(try RedisURL("rediss://h?tls=insecure").tls == RedisTLS(verifies: false))
        #expect(!"\(String(reflecting: url.sentinelCredentials))\([sentinel.credentials])".contains("s&t"))
    }

    @Test(arguments: [
        ("redis://host?ca=/ca", "the Redis URL has the parameter ca but no TLS, which rediss:// has"),
        ("unix:///s?tls=insecure", "the Redis URL has the parameter tls but no TLS, which rediss:// has"),
        ("rediss://host?tls=off", "the Redis URL has tls=off; known is tls=insecure"),
        ("rediss://host?cert=/c", "the Redis URL has one of cert and key, which belong together"),
        ("rediss://host?ca=/ca&tls=insecure", "the Redis URL has a ca that tls=insecure would not look at"),
        ("rediss://host?ca=", "the Redis URL has no value for the parameter ca"),
        ("rediss://host?ca=/a&ca=/b", "the Redis URL has the parameter ca twice"),
        ("redis://:a@host?password_file=/p", "the Redis URL has both a password and password_file"),
        (
            "redis://host?client_name=a%20b",
            "the Redis URL has a client_name with other characters than printable ASCII"
        ),
        ("redis://host?sentinel_user=a", "the Redis URL has the unknown parameter sentinel_user"),
        ("redis+sentinel://s/m?sentinel_user=a", "the Redis URL has sentinel_user but no sentinel_password"),
        (
            "redis+sentinel://s/m?sentinel_password=a&sentinel_password_file=/p",
            "the Redis URL has both a password and sentinel_password_file"
        ),
        ("redis+sentinel://a,b", "the Redis URL names no master: redis+sentinel://host:port/master-name"),
        ("redis+cluster://a/1", "the Redis URL names a database: a Cluster has only 0"),
        ("redis+cluster://a,,b", "the Redis URL names no host"),
        ("redis://a,b", "the Redis URL names several hosts, which redis+cluster:// does"),
        (
            "http://host",
            "the Redis URL has the unknown scheme http://; known are redis://, redis+sentinel://, "
                + "redis+cluster://, each with rediss for TLS, and unix://"
        ),
        ("localhost:6379", "the Redis URL is written redis://host:port/database or unix:///path"),
        ("", "the Redis URL is written redis://host:port/database or unix:///path"),
        ("redis:///1", "the Redis URL names no host"),
        ("redis://host:65536", "the Redis URL has no port: 65536"),
        ("redis://host/one", "the Redis URL has no number for a database: one"),
        ("redis://host/-1", "the Redis URL has no number for a database: -1"),
        ("redis://host?timeout=3", "the Redis URL has the unknown parameter timeout"),
        ("unix://relative", "the Redis URL takes an absolute path, as in unix:///run/redis/redis.sock"),
        (
            "redis://user@host",
            "the Redis URL has a user but no password; a password alone is written redis://:password@host"
        ),
        (
            "redis://:a#b@host",
            "the Redis URL can't be parsed: characters such as / # ? @ in a password are written %2F %23 %3F %40"
        ),
    ])
    func refuses(text: String, message: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(text) }
        #expect(error?.code == .invalidURL)
        #expect(error?.description == message)
    }
}
