import CoreMetrics
import FoundationEssentials
import TestSupport
import Testing

@testable import Admin
@testable import Worker

/// What is answered, and to whom.
@Suite struct RouteTests {
    @Test func status() async throws {
        try await AdminPort.with { admin in
            let answer = try await admin.get("/api/status")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
            let value = try JSONDecoder().decode(JSONValue.self, from: Data(answer.body.utf8))
            guard case .object(let object) = value, case .array(let targets)? = object["targets"],
                case .object(let target)? = targets.first
            else { throw TestError(answer.body) }
            #expect("\(object["version"] ?? .null)" == #"text("1.2.3")"#)
            #expect("\(object["startedAt"] ?? .null)" == #"text("1970-01-01T00:00:00.500Z")"#)
            #expect("\(object["state"] ?? .null)" == #"text("leading")"#)
            #expect("\(object["logLevel"] ?? .null)" == #"text("info")"#)
            #expect("\(target["lagSeconds"] ?? .null)" == "number(0.25)")
            // What is not there is null, and not left out.
            #expect(answer.body.contains(#""reason":null"#))
        }
    }

    @Test func everyAnswerGuardsTheBrowser() async throws {
        try await AdminPort.with { admin in
            for path in ["/", "/livez", "/metrics", "/api/changes", "/nowhere", "/api/dead-letters"] {
                let answer = try await admin.get(path, headers: ["Origin": "http://evil.example"])
                #expect(answer.headers["x-content-type-options"] == "nosniff", "\(path)")
                #expect(answer.headers["referrer-policy"] == "no-referrer", "\(path)")
                #expect(answer.headers["cache-control"] == "no-store", "\(path)")
                #expect(answer.headers["content-security-policy"]?.contains("frame-ancestors 'none'") == true)
                #expect(answer.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
                #expect(!answer.headers.keys.contains { $0.hasPrefix("access-control") }, "\(path)")
            }
            #expect(try await admin.get("/api/pause", method: "OPTIONS").status == 405)
        }
    }

    @Test func readiness() async throws {
        try await AdminPort.with { admin in
            #expect(try await admin.get("/livez").body == "ok\n")
            let ready = try await admin.get("/readyz")
            #expect(ready.status == 200)
            #expect(
                ready.body
                    == """
                    {"isReady":true,"parts":[{"isReady":true,"name":"postgres","reason":null},\
                    {"isReady":true,"name":"capture","reason":null},\
                    {"isReady":true,"name":"target default","reason":null},\
                    {"isReady":true,"name":"lead","reason":"leading"}]}

                    """)
            admin.set { status in
                status.state = .waiting
                status.reason = "no route"
                status.targets[0].state = .paused
                status.targets[0].reason = "LOADING"
                status.degraded = [.init(table: "t", reason: "trigger gone", command: nil, losesChanges: true)]
            }
            let waiting = try await admin.get("/readyz")
            #expect(waiting.status == 503)
            for reason in ["no route", "LOADING", "trigger gone"] {
                #expect(waiting.body.contains(#"{"isReady":false,"name":"#) && waiting.body.contains(reason))
            }
            admin.set { status in
                status = AdminPort.status()
                status.targets.append(status.targets[0])
                status.targets[1].name = "other"
                status.targets[1].needsResync = true
            }
            let lacking = try await admin.get("/readyz")
            #expect(lacking.status == 503)
            #expect(lacking.body.contains(#"{"isReady":true,"name":"target default","reason":null}"#))
            #expect(lacking.body.contains(#"{"isReady":false,"name":"target other","reason":"it needs a resync"}"#))
            admin.set { $0 = AdminPort.status(.standingBy) }
            let standby = try await admin.get("/readyz")
            #expect(standby.status == 200 && standby.body.contains("standing by"))
        }
    }

    /// Anybody may ask that; what Redis quotes is for those who may see keys.
    @Test func readinessQuotesNoKeys() async throws {
        try await AdminPort.with { admin in
            admin.set { status in
                status.targets[0].state = .paused
                status.targets[0].reason = "NOPERM User x may not run the 'unlink' command on 'user:MARKER-4711'"
            }
            let ready = try await admin.get("/readyz")
            #expect(ready.status == 503)
            #expect(ready.body.contains("NOPERM User x may not run the 'unlink' command on …"))
            #expect(!ready.body.contains("MARKER"))
            #expect(try await admin.get("/api/status").body.contains("on 'user:MARKER-4711'"))
        }
    }

    @Test func metrics() async throws {
        try await AdminPort.with { admin in
            Counter(
                label: "unstale_keys_deleted_total", dimensions: [("target", "default"), ("rule", "user")],
                factory: admin.metrics
            ).increment(by: 4)
            let answer = try await admin.get("/metrics")
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            for line in [
                #"unstale_build_info{version="1.2.3"} 1"#, "unstale_leading 1", "unstale_rules 1",
                #"unstale_lag_seconds{target="default"} 0.25"#, #"unstale_backlog_records{target="default"} 12"#,
                #"unstale_dead_letters{target="default"} 2"#, #"unstale_retrying{target="default"} 1"#,
                #"unstale_keys_deleted_total{rule="user",target="default"} 4"#, "unstale_rules_refused 0",
                "# TYPE process_open_fds gauge",
            ] { #expect(answer.body.contains("\n" + line + "\n"), "\(line)") }
            if Promtool.isInstalled { try await Promtool.check(answer.body) }
            admin.set { status in
                status.state = .standingBy
                status.rules.refused = ["rules.yaml:1:1: no"]
                status.targets[0].isHeld = true
                status.targets[0].state = .paused
                status.targets[0].needsResync = true
            }
            let later = try await admin.get("/metrics").body
            for line in [
                "unstale_leading 0", "unstale_rules_refused 1", #"unstale_held{target="default"} 1"#,
                #"unstale_paused{target="default"} 1"#, #"unstale_needs_resync{target="default"} 1"#,
            ] { #expect(later.contains("\n" + line + "\n"), "\(line)") }
        }
    }

    @Test func whatIsNotThere() async throws {
        try await AdminPort.with { admin in
            for path in ["/nowhere", "/api", "/api/status/x", "/index.html", "/../etc/passwd"] {
                let answer = try await admin.get(path)
                #expect(answer.status == 404, "\(path)")
                #expect(answer.body == "{\"error\":\"there is nothing here\"}\n")
            }
            let wrong = try await admin.get("/api/pause")
            #expect(wrong.status == 405 && wrong.headers["allow"] == "POST")
            let put = try await admin.get("/api/status", method: "PUT")
            #expect(put.status == 405 && put.headers["allow"] == "GET, HEAD")
            let head = try await admin.get("/api/status", method: "HEAD")
            #expect(head.status == 200 && head.body == "" && head.headers["content-length"] != "0")
            #expect(try await admin.get("/api/changes?follow=2").status == 400)
        }
    }

    @Test(arguments: [
        "/api/dead-letters/1/redrive", "/api/dead-letters/1/discard", "/api/replay", "/api/pause", "/api/resume",
        "/api/log-level",
    ]) func ordersNeedTheToken(path: String) async throws {
        try await AdminPort.with { admin in
            for headers in [[:], ["Authorization": "Bearer sesamf"], ["Cookie": "token=sesame"]] {
                let answer = try await admin.get(path, method: "POST", headers: headers, body: "{}")
                #expect(answer.status == 401)
                #expect(answer.headers["www-authenticate"] == "Bearer")
                #expect(answer.body == "{\"error\":\"the token is missing or wrong\"}\n")
            }
            #expect(admin.orders == [])
        }
        try await AdminPort.with(token: nil) { admin in
            let answer = try await admin.get(path, method: "POST", headers: AdminPort.trusted, body: "{}")
            #expect(answer.status == 403)
            #expect(answer.body == "{\"error\":\"set a token\"}\n")
        }
    }

    @Test func fromOtherMachines() async throws {
        try await AdminPort.with(host: "0.0.0.0") { admin in
            for path in ["/metrics", "/api/status", "/api/changes?follow=1", "/nowhere"] {
                let answer = try await admin.get(path)
                #expect(answer.status == 401, "\(path)")
            }
            // The page has nothing in it: what it shows it asks for with the token.
            for path in ["/", "/livez", "/readyz"] {
                let answer = try await admin.get(path)
                #expect(answer.status == 200, "\(path)")
            }
            let trusted = try await admin.get("/api/status", headers: AdminPort.trusted)
            #expect(trusted.status == 200)
        }
    }

    @Test func hosts() async throws {
        try await AdminPort.with(hosts: ["Unstale.internal"]) { admin in
            for (host, status) in [
                ("127.0.0.1", 200), ("localhost:1", 200), ("unstale.internal", 200), ("evil.example", 403),
                ("192.0.2.1", 403),
            ] { #expect(try await admin.get("/api/status", host: host).status == status, "\(host)") }
            #expect(try await admin.get("/api/status", host: nil).status == 400)
            let two = try await admin.get("/api/status", host: "localhost\r\nHost: evil.example")
            #expect(two.status == 400)
        }
    }

    @Test func orders() async throws {
        try await AdminPort.with { admin in
            func post(_ path: String, _ body: String, _ type: String = "application/json") async throws -> RawAnswer {
                let headers = ["Authorization": "Bearer sesame", "Content-Type": type]
                return try await admin.get(path, method: "POST", headers: headers, body: body)
            }
            let paused = #"{"isHeld":true,"targets":["default"]}"# + "\n"
            let resumed = #"{"isHeld":false,"targets":["default"]}"# + "\n"
            #expect(try await post("/api/pause", "").body == paused)
            #expect(try await post("/api/resume", #"{"target":"default"}"#).body == resumed)
            #expect(try await post("/api/pause", #"{"target":"other"}"#).status == 404)
            #expect(admin.orders == [true, false] && admin.heldTargets == [nil, "default"])
            for (body, type) in [("[", "application/json"), ("{}", "text/plain"), ("[]", "application/json")] {
                #expect(try await post("/api/pause", body, type).status == 400, "\(body)")
            }
            for body in [
                "{}", #"{"since":"soon"}"#, #"{"since":10}"#, #"{"all":true,"since":"1m"}"#,
                #"{"all":true,"rule":"user"}"#, #"{"all":false}"#,
            ] {
                #expect(try await post("/api/replay", body).status == 400, "\(body)")
            }
            #expect(try await post("/api/replay", #"{"since":"1m","rule":"nobody"}"#).status == 404)
            #expect(try await post("/api/dead-letters/x/redrive", "").status == 404)
            #expect(try await post("/api/log-level", #"{"level":"loud"}"#).status == 400)
            #expect(try await post("/api/log-level", #"{"level":"debug"}"#).status == 200)
            #expect(try await admin.get("/api/status").body.contains(#""logLevel":"debug""#))
            admin.set { $0.state = .standingBy }
            let standby = try await post("/api/pause", "")
            #expect(standby.status == 503 && standby.body.contains("does not lead"))
        }
    }

    /// Who is told which targets an order is about sees what it took in.
    @Test func ordersAboutSeveralTargets() async throws {
        try await AdminPort.with { admin in
            admin.set { status in
                status.targets.append(status.targets[0])
                status.targets[1].name = "other"
                status.targets[1].rules = []
            }
            func post(_ path: String, _ body: String) async throws -> RawAnswer {
                try await admin.get(path, method: "POST", headers: AdminPort.trusted, body: body)
            }
            #expect(try await post("/api/pause", "{}").body.contains(#""targets":["default","other"]"#))
            #expect(try await post("/api/pause", #"{"target":"other"}"#).body.contains(#""targets":["other"]"#))
            // Nobody would serve it.
            let replay = try await post("/api/replay", #"{"since":"1m","rule":"user","target":"other"}"#)
            #expect(replay.status == 400)
            #expect(replay.body == "{\"error\":\"the rule is not for this target\"}\n")
        }
    }

    /// A field that is not known may have been meant to narrow the order.
    @Test(arguments: [
        ("/api/pause", #"{"targets":"eu"}"#, "'targets' in this order: it takes target\""),
        ("/api/resume", #"{"target":"default","all":true}"#, "'all' in this order: it takes target\""),
        (
            "/api/replay", #"{"since":"1m","rules":["user"]}"#,
            "'rules' in this order: it takes since, table, rule, target, all\""
        ),
        ("/api/log-level", #"{"level":"debug","for":"1m"}"#, "'for' in this order: it takes level\""),
        ("/api/dead-letters/1/redrive", #"{"id":1}"#, "'id' in this order: it takes none\""),
        ("/api/dead-letters/1/discard", #"{"only":[{"n":null}]}"#, "'only' in this order: it takes none\""),
    ]) func unknownFields(path: String, body: String, words: String) async throws {
        try await AdminPort.with { admin in
            let answer = try await admin.get(path, method: "POST", headers: AdminPort.trusted, body: body)
            #expect(answer.status == 400)
            #expect(answer.body.contains(words), "\(answer.body)")
            #expect(admin.orders == [])
            #expect(try await admin.get("/api/status").body.contains(#""logLevel":"info""#))
        }
    }

    /// Nobody listens where the database is said to be.
    @Test func withoutPostgres() async throws {
        try await AdminPort.with { admin in
            let answer = try await admin.get("/api/dead-letters")
            #expect(answer.status == 503)
            #expect(answer.body.contains("connecting to Postgres") && answer.body.contains("refused"))
            #expect(answer.body.split(separator: "\n").count == 1)
        }
    }
}
