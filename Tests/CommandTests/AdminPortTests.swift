import FoundationEssentials
import TestSupport
import Testing

/// `run --admin` and `tail`, with real servers.
@Suite struct AdminPortTests {
    @Test func showsWhatBecomesOfChanges() async throws {
        try await withShop { shop in
            let worker = try shop.startWorker(["--admin", "127.0.0.1:0"])
            let port = try await port(of: worker)
            try await worker.wait(for: "Serving")
            try await eventually("ready") { try await RawAnswer.get("/readyz", port: port).status == 200 }
            let tail = try Program(["tail", "--admin", "127.0.0.1:\(port)"])
            let json = try Program(["tail", "--json", "--admin", "http://127.0.0.1:\(port)/"])
            try await eventually("two followers") {
                try await sockets(port: port) >= 2
            }
            try await shop.database.psql("UPDATE users SET name = E'x\\ny' WHERE id = 1")
            try await eventually("a line each") { !tail.output.isEmpty && !json.output.isEmpty }
            #expect(
                tail.output.wholeMatch(
                    of:
                        /\d\d:\d\d:\d\d\.\d+Z?  public\.users update  user → user:1, by-email:e1@x\.org, users:1:\* \(pattern\)  done after [\d.]+ ms\n/
                ) != nil, "\(tail.output)")
            #expect(json.output.split(separator: "\n").count == 1 && json.output.contains(#""keys":["user:1""#))
            let metrics = try await RawAnswer.get("/metrics", port: port).body
            for line in [
                #"unstale_changes_total{rule="user",target="default"} 1"#,
                #"unstale_keys_deleted_total{rule="user",target="default"} 2"#, "unstale_leading 1",
                #"unstale_delivery_lag_seconds_count{target="default"} 1"#,
            ] { #expect(metrics.contains("\n\(line)\n"), "\(line)") }
            // As SIGINT from a terminal, which `Tests/with-servers` has ignored: nothing more is said.
            tail.signal(15)
            #expect(try await tail.end() == 143)
            #expect(tail.lines == [])
            worker.signal(15)
            #expect(try await worker.end() == 0)
            try await json.wait(for: "the worker has gone")
            let again = try shop.startWorker(["--admin", "127.0.0.1:\(port)"])
            try await json.wait(for: "the worker is there again")
            try await again.wait(for: "Serving")
            try await shop.database.psql("UPDATE users SET name = 'z' WHERE id = 2")
            try await eventually("another line") { json.output.split(separator: "\n").count == 2 }
            again.signal(15)
            #expect(try await again.end() == 0)
        }
    }

    /// What somebody else's triggers tell, by what becomes of it.
    @Test func countsNotifications() async throws {
        try await withShop { shop in
            let config = shop.folder + "/listen.yaml"
            try write("listen:\n  - {channel: c, tables: [users], on_gap: ignore}\n", to: config)
            try await shop.succeed("install", "--config", config)
            let worker = try shop.startWorker(["--admin", "127.0.0.1:0", "--config", config])
            let port = try await port(of: worker)
            func expect(_ lines: [String]) async throws {
                try await eventually("\(lines)") {
                    let metrics = try await RawAnswer.get("/metrics", port: port).body
                    return lines.allSatisfy { metrics.contains("\n\($0)\n") }
                }
            }
            try await expect(["unstale_listening 1", "unstale_listen_gaps_total 1"])
            try await shop.database.psql(
                """
                NOTIFY c, 'users'; NOTIFY c, 'carts'; NOTIFY c, 'lines'; NOTIFY c, '{'; NOTIFY c, '{"table":"users"}';
                NOTIFY c, '{"table":"users","op":"D","old":{"id":1,"name":"a","email":"b"}}'; NOTIFY c, '}'; NOTIFY c, ')'
                """)
            let counts = ["row": 1, "any_row": 2, "ignored": 2, "unreadable": 3, "overflow": 0]
            try await expect(
                counts.map { #"unstale_notifications_total{channel="c",outcome="\#($0)"} \#($1)"# })
            try await shop.database.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%unstale_probe%' AND datname = current_database() AND pid <> pg_backend_pid()"
            )
            try await expect(["unstale_listening 1", "unstale_listen_gaps_total 2"])
            worker.signal(15)
            #expect(try await worker.end() == 0)
        }
    }

    @Test func ordersReachTheWorker() async throws {
        try await withShop { shop in
            let token = shop.folder + "/token"
            try write("sesame\n", to: token)
            let worker = try shop.startWorker(["--admin", "127.0.0.1:0", "--admin-token-file", token])
            let port = try await port(of: worker)
            try await worker.wait(for: "Serving")
            func post(_ path: String, _ body: String = "") async throws -> RawAnswer {
                let headers = ["Authorization": "Bearer sesame", "Content-Type": "application/json"]
                return try await RawAnswer.get(path, port: port, method: "POST", headers: headers, body: body)
            }
            try await eventually("the lead") {
                try await post("/api/pause").body == #"{"isHeld":true,"targets":["default"]}"# + "\n"
            }
            #expect(
                try await RawAnswer.get("/metrics", port: port).body.contains("\nunstale_held{target=\"default\"} 1\n"))
            #expect(try await post("/api/pause", #"{"targets":"eu"}"#).status == 400)
            #expect(try await post("/api/resume").body == #"{"isHeld":false,"targets":["default"]}"# + "\n")
            try await shop.database.psql("UPDATE users SET name = 'x' WHERE id = 1")
            #expect(try await post("/api/replay", #"{"since":"10m","table":"users"}"#).body == "{\"records\":1}\n")
            #expect(try await post("/api/replay", #"{"table":"lines","rule":"line"}"#).body == "{\"records\":1}\n")
            #expect(try await post("/api/replay", #"{"table":"nothing"}"#).status == 404)
            let written = try await shop.database.psql("SELECT count(*) FROM unstale.outbox")
            for order in [#"{"table":"users","rule":"line"}"#, #"{"since":"10m","table":"users","rule":"line"}"#] {
                let refused = try await post("/api/replay", order)
                #expect(refused.status == 400)
                #expect(refused.body.contains("the rule is about public.lines, not about public.users"))
            }
            #expect(try await shop.database.psql("SELECT count(*) FROM unstale.outbox") == written)
            try await shop.database.psql(
                """
                INSERT INTO unstale.dead_letters (target, rule, action, error, attempts, next_attempt_at, dead_at)
                VALUES ('default', 'user', '{"n": [1, null, "x"]}', 'too bad', 5, now(), now()),
                    ('default', 'user', '{}', 'too', 5, now(), now())
                """)
            let letters = try await RawAnswer.get("/api/dead-letters", port: port).body
            #expect(
                letters.contains(
                    #"{"action":{"n":[1,null,"x"]},"attempts":5,"createdAt":"20"#), "\(letters)")
            #expect(letters.contains(#""error":"too bad","id":1,"isDead":true,"nextAttemptAt":null,"rule":"user""#))
            #expect(letters.contains(try Regex(#""createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z""#)))
            #expect(try await post("/api/dead-letters/1/discard").body == "{\"discarded\":1}\n")
            #expect(try await post("/api/dead-letters/1/discard").status == 404)
            #expect(try await post("/api/dead-letters/2/redrive").body == "{\"redriven\":1}\n")
            #expect(try await post("/api/dead-letters/9/redrive").status == 404)
            #expect(worker.count("sesame") == 0)
            worker.signal(15)
            #expect(try await worker.end() == 0)
        }
    }

    /// What Postgres says may quote rows, and anybody may ask whether the worker is ready.
    @Test func readinessQuotesNoValues() async throws {
        try await withShop { shop in
            let worker = try shop.startWorker(["--admin", "127.0.0.1:0"])
            let port = try await port(of: worker)
            try await worker.wait(for: "Serving")
            try await shop.database.psql(
                """
                CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'no MARKER-4711 here'; END $$;
                CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON unstale.targets
                    FOR EACH ROW EXECUTE FUNCTION public.fail();
                UPDATE users SET name = 'x' WHERE id = 1
                """)
            var quoting: [String] = []
            try await eventually("it says why it waits") {
                let ready = try await RawAnswer.get("/readyz", port: port).body
                if ready.contains("MARKER") { quoting.append(ready) }
                return ready.contains("storing the cursor: raise_exception (SQLSTATE P0001)")
            }
            #expect(quoting == [])
            try await shop.database.psql("DROP TRIGGER fail ON unstale.targets")
            worker.signal(15)
            #expect(try await worker.end() == 0)
        }
    }

    /// A follower is no reason to stay, and what is wrong with the database is said.
    @Test func theWorkerEndsWhoeverLooksOn() async throws {
        try await withRules { _, rules in
            let worker = try Program(
                ["run", "--admin", "127.0.0.1:0"],
                environment: rules.merging(["UNSTALE_DATABASE_URL": "host=127.0.0.1 port=1"]) { $1 })
            let port = try await port(of: worker)
            try await worker.wait(for: "Postgres is waited for")
            #expect(try await RawAnswer.get("/livez", port: port).status == 200)
            let ready = try await RawAnswer.get("/readyz", port: port)
            #expect(ready.status == 503 && ready.body.contains("connecting to Postgres"))
            #expect(try await RawAnswer.get("/api/dead-letters", port: port).status == 503)
            let follower = try RawConnection(port: port)
            follower.send("GET /api/changes?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try await follower.wait("the beginning") { $0.received.contains("changes from now on") }
            let start = ContinuousClock.now
            worker.signal(15)
            #expect(try await worker.end() == 0)
            #expect(ContinuousClock.now - start < .seconds(5))
            try await follower.end(within: .seconds(1))
        }
    }

    @Test func badSettings() async throws {
        try await withRules { folder, rules in
            let taken = try RawListener()
            let port = "127.0.0.1:\(taken.port)"
            try write("", to: folder + "/empty")
            try write("a b", to: folder + "/spaces")
            for (arguments, code, line) in [
                (["--admin", port], 69, "admin: \(port) is taken: another process listens there"),
                (["--admin", "9464"], 78, "admin: '9464' is no address such as 127.0.0.1:9464 or [::1]:9464"),
                (
                    ["--admin", "192.0.2.1:9464"], 78,
                    "admin: can't listen at 192.0.2.1:9464: cannot assign requested address"
                ),
                (
                    ["--admin", "127.0.0.1:0", "--admin-token-file", folder + "/none"], 78,
                    "admin.token.file: \(folder)/none: can't be read: No such file or directory"
                ),
                (
                    ["--admin", "127.0.0.1:0", "--admin-token-file", folder + "/empty"], 78,
                    "admin.token.file: \(folder)/empty: the file is empty"
                ),
                (
                    ["--admin", "127.0.0.1:0", "--admin-token-file", folder + "/spaces"], 78,
                    "admin.token: a token is made of letters, digits and signs of ASCII"
                ),
            ] {
                let program = try Program(["run"] + arguments, environment: rules)
                #expect(try await program.end() == Int32(code))
                #expect(program.lines.last == "unstale: " + line)
            }
            // All of it in a file, besides the token.
            let config = folder + "/unstale.yaml"
            try write("admin: 127.0.0.1:0\nadmin.hosts: unstale.internal, other\nadmin.token.file: none\n", to: config)
            let program = try Program(["run", "--config", config], environment: rules)
            #expect(try await program.end() == 78)
            #expect(program.lines.last == "unstale: admin.token.file: none: can't be read: No such file or directory")
        }
    }

    @Test func tailWithoutAWorker() async throws {
        let nobody = try await unstale("tail", "--admin", "127.0.0.1:1")
        #expect(nobody.code == 69)
        #expect(
            nobody.errors == [
                "unstale: nobody answers at http://127.0.0.1:1 (connection refused): is the worker run with --admin?"
            ])
        let bad = try await unstale("tail", "--admin", "nonsense")
        #expect(bad.code == 78 && bad.errors.count == 1)
    }

    // MARK: Help

    private func withShop(_ body: (Shop) async throws -> Void) async throws {
        try await RedisServer.with { redis in
            try await Shop.with { shop in
                var shop = shop
                shop.redis = "redis://127.0.0.1:\(redis.port)"
                try await shop.succeed("install")
                try await body(shop)
            }
        }
    }

    /// Where a worker says that its admin port is.
    private func port(of worker: Program) async throws -> Int {
        try await worker.wait(for: "The admin port is open")
        let line = worker.lines.first { $0.contains("The admin port is open") } ?? ""
        guard let port = line.firstMatch(of: /address=127\.0\.0\.1:(\d+)/).flatMap({ Int($0.1) }) else {
            throw TestError(line)
        }
        return port
    }

    /// How many connections are open to a port of this machine.
    private func sockets(port: Int) async throws -> Int {
        let table = try await command("cat", ["/proc/net/tcp"])
        let end = ":" + (String(port, radix: 16, uppercase: true))
        return table.split(separator: "\n").count { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[2].hasSuffix(end) && fields[3] == "01"
        }
    }
}
