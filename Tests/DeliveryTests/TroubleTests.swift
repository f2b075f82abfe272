import Redis
import Testing

@testable import Delivery

@Suite struct TroubleTests {
    @Test(arguments: [
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN The cluster is down", "TRYAGAIN Multiple keys",
        "MISCONF Redis is configured to save RDB",
        "NOREPLICAS Not enough good replicas to write.", "BUSY Redis is busy running a script.",
        "NOAUTH Authentication required.", "WRONGPASS invalid username-password pair",
        "MOVED 3999 127.0.0.1:6381",
        "NOPERM this user has no permissions to run the 'unlink' command", "ERR unknown command 'UNLINK'",
        "ERR The user executing the script can't run this command or subcommand script: f7, on @user_script:1.",
        "ERR Error running script (call to f_7): @user_script:1: @user_script: 1: -READONLY You can't write",
        "ERR Error running script (call to f_7): @user_script:1: The user executing the script can't run this command",
    ])
    func ofTheTarget(text: String) {
        #expect(Trouble(RedisErrorReply(text)) == .target(text))
    }

    @Test(arguments: [
        "WRONGTYPE Operation against a key", "ERR value is not an integer", "ERR", "",
        "BUSYKEY Target key exists", "OOM command not allowed when used memory > 'maxmemory'.",
        "loading", "ERR Error running script (call to f_7): @user_script:1: @user_script: 1: -WRONGTYPE Operation",
    ])
    func ofTheAction(text: String) {
        #expect(Trouble(RedisErrorReply(text)) == .action(text))
    }
}
