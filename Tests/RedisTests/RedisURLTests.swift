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
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix://app:secret@/run/a%20b.sock?db=2", "unix://app:***@/run/a b.sock?db=2"),
    ])
    func parses(text: String, description: String) throws {
        let url = try RedisURL(text)
        #expect(url.description == description)
        #expect("\(String(reflecting: url))\([url])".contains("secret") == false)
    }

    @Test func decodesUserAndPassword() throws {
        let url = try RedisURL("redis://us%3Aer:p%40ss%2Fw%C3%B6rd@host/1")
        #expect(url.user == "us:er")
        #expect(url.password == "p@ss/wörd")
        #expect(url.deployment == .standalone(.tcp(host: "host", port: 6379)))
        #expect(try RedisURL("redis://[::1]").deployment == .standalone(.tcp(host: "::1", port: 6379)))
    }

    @Test(arguments: [
        ("rediss://host", "the Redis URL has rediss://, which is not yet supported"),
        ("redis+sentinel://a,b", "the Redis URL names no master: redis+sentinel://host:port/master-name"),
        ("redis+cluster://a/1", "the Redis URL names a database: a Cluster has only 0"),
        ("redis+cluster://a,,b", "the Redis URL names no host"),
        ("redis://a,b", "the Redis URL names several hosts, which redis+cluster:// does"),
        ("http://host", "the Redis URL has the unknown scheme http://; known are redis:// and unix://"),
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
