import TestSupport
import Testing

@testable import Redis

@Suite struct SentinelAnswerTests {
    private func text(_ words: String...) -> RedisReply { .array(words.map { .bulk(Array($0.utf8)) }) }

    private func message(_ replies: RedisReply...) -> String? {
        #expect(throws: RedisError.self) { _ = try SentinelAnswer(replies, about: "shop") }?.message
    }

    @Test func reads() throws {
        let place = text("10.0.0.1", "6380")
        let detail = text("name", "shop", "flags", "master", "config-epoch", "12", "quorum", "2")
        let answer = try SentinelAnswer([place, detail], about: "shop")
        #expect(answer.master == .tcp(host: "10.0.0.1", port: 6380) && answer.epoch == 12)
        #expect(try SentinelAnswer([place, .error(RedisErrorReply("NOPERM no"))], about: "shop").epoch == 0)
        #expect(try SentinelAnswer([place, text("config-epoch")], about: "shop").epoch == 0)
    }

    @Test func refuses() {
        let nonsense = "it was asked for a master and answered something else"
        #expect(message(.null, .error(RedisErrorReply("ERR No such master"))) == "it knows no master 'shop'")
        #expect(message(.error(RedisErrorReply("ERR unknown command 'SENTINEL'"))) == "it is no Sentinel")
        #expect(message(.error(RedisErrorReply("NOAUTH Log in."))) == "NOAUTH Log in.")
        #expect(message(text("10.0.0.1")) == nonsense)
        #expect(message(text("10.0.0.1", "port")) == nonsense)
        #expect(message(.integer(1)) == nonsense)
        #expect(message() == nonsense)
    }

    @Test func switches() {
        let change = SentinelSwitch("shop 10.0.0.1 6379 db.example 6380")
        #expect(change?.name == "shop" && change?.master == .tcp(host: "db.example", port: 6380))
        for text in ["", "shop", "shop a 1 b", "shop a 1 b port", "shop a 1 b 2 c"] {
            #expect(SentinelSwitch(text) == nil)
        }
    }

    /// However the answers come: none but the newest count, and the first of equals is before the others.
    @Test func newestOnly() throws {
        var random = SeededGenerator()
        for _ in 0..<500 {
            var survey = SentinelSurvey()
            var answers: [SentinelAnswer] = []
            for number in 0..<Int.random(in: 1...6, using: &random) {
                let answer = SentinelAnswer(
                    master: .tcp(host: "m", port: .random(in: 1...3, using: &random)),
                    epoch: .random(in: 0...3, using: &random))
                survey.file(.success(answer), of: .tcp(host: "s", port: number + 1))
                answers.append(answer)
            }
            let newest = answers.filter { answer in answers.allSatisfy { $0.epoch <= answer.epoch } }.map(\.master)
            let masters = survey.masters
            try #require(Set(masters) == Set(newest) && Set(masters).count == masters.count)
            try #require(masters.first == newest.first)
        }
    }

    @Test func saysEachReasonOnce() {
        var survey = SentinelSurvey()
        #expect(survey.answerCount == 0)
        survey.file(.failure(RedisError(.connect, "connection refused")), of: .tcp(host: "a", port: 1))
        survey.file(.failure(RedisError(.refused, "it knows no master 'shop'")), of: .tcp(host: "b", port: 2))
        survey.file(.failure(RedisError(.connect, "connection refused")), of: .tcp(host: "c", port: 3))
        #expect(
            survey.fault.message
                == "no Sentinel names the master: a:1,c:3: connection refused; b:2: it knows no master 'shop'")
    }
}
