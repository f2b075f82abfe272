import Redis
import Testing

/// What of a server's words is for logs.
@Suite struct ErrorSummaryTests {
    @Test(arguments: [
        (
            "READONLY You can't write against a read only replica.",
            "READONLY You can't write against a read only replica."
        ),
        (
            "NOPERM User x has no permissions to run the 'unlink' command",
            "NOPERM User x has no permissions to run the 'unlink' command"
        ),
        ("ERR unknown command 'UNLINK', with args beginning with: 'user:1' 'user:2' ", "ERR unknown command 'UNLINK'"),
        ("ERR unknown command `FOO`, with args beginning with: ", "ERR unknown command `FOO`"),
        ("NOPERM no access to the 'user:1' key", "NOPERM no access to the … key"),
        ("ERR 'it's' or \"a secret\" is bad", "ERR … is bad"),
        ("ERR run the 'get' command on 'secret' with 'command'", "ERR run the 'get' command on …"),
        ("LOADING Redis is loading\r\nsecret", "LOADING Redis is loading"), ("ERR 'secret", "ERR …"), ("", ""),
        ("ERR '\u{301}secret' x", "ERR … x"),
        ("ERR command 'a secret' is none", "ERR command … is none"),
    ])
    func summaries(text: String, summary: String) {
        #expect(RedisErrorReply(text).summary == summary)
    }

    @Test(arguments: [
        ("WRONGTYPE Operation against user:1", "WRONGTYPE"), ("ERR user:1", "ERR"), ("", "an error"),
        ("user:1 is bad", "an error"),
        ("USER:1 is bad", "an error"), ("BUSY_NOW x", "BUSY_NOW"),
    ])
    func kinds(text: String, kind: String) {
        #expect(RedisErrorReply(text).kind == kind)
    }

    @Test func errors() {
        #expect(
            RedisError(.refused, "ERR no 'secret' here", doing: "connecting").summary == "connecting: ERR no … here")
        #expect(RedisError(.connect, "no 'x' here").summary == "no 'x' here")
    }
}
