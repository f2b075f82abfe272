import Capture
import Delivery
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Postgres
import Rules

/// What is done for those who have the token.
struct Orders {
    let source: AdminSource
    let desk: DatabaseDesk
    let logger: Logger
    private static let bodyLimit = 64 << 10

    init(source: AdminSource, desk: DatabaseDesk, logger: Logger) {
        self.source = source
        self.desk = desk
        self.logger = logger
    }

    var routes: [(RouterPath, AdminRouter.Handler)] {
        [
            ("/api/dead-letters/:id/redrive", { try await redrive($0, $1) }),
            ("/api/dead-letters/:id/discard", { try await discard($0, $1) }),
            ("/api/replay", { request, _ in try await replay(request) }),
            ("/api/pause", { request, _ in try await hold(true, request) }),
            ("/api/resume", { request, _ in try await hold(false, request) }),
            ("/api/log-level", { request, _ in try await logLevel(request) }),
        ]
    }

    // MARK: Dead letters

    private func redrive(_ request: Request, _ context: AdminContext) async throws -> Response {
        let id = try await letter(request, context)
        let count = try await desk.with { try await DeadLetters(connection: $0).redrive([id]) }
        guard count > 0 else { throw AdminRefusal(.notFound, "there is no dead letter \(id)") }
        logger.notice("A dead letter was redriven by an operator", metadata: ["id": "\(id)"])
        return JSONAnswer.response(["redriven": count])
    }

    private func discard(_ request: Request, _ context: AdminContext) async throws -> Response {
        let id = try await letter(request, context)
        let count = try await desk.with { try await DeadLetters(connection: $0).discard([id]) }
        guard count > 0 else { throw AdminRefusal(.notFound, "there is no dead letter \(id)") }
        logger.notice("A dead letter was discarded by an operator", metadata: ["id": "\(id)"])
        return JSONAnswer.response(["discarded": count])
    }

    private struct LetterOrder: OrderBody { static let fields: [String] = [] }

    private func letter(_ request: Request, _ context: AdminContext) async throws -> Int {
        _ = try await body(LetterOrder.self, of: request, orNone: LetterOrder())
        guard let id = context.parameters.get("id").flatMap({ Int($0) }), id > 0 else {
            throw AdminRefusal(.notFound, "a dead letter has a number")
        }
        return id
    }

    // MARK: The worker

    private struct ReplayOrder: OrderBody {
        static let fields = ["since", "table", "rule", "target", "all"]
        var since: String?
        var table: String?
        var rule: String?
        var target: String?
        var all: Bool?
    }

    private func replay(_ request: Request) async throws -> Response {
        let order = try await body(ReplayOrder.self, of: request)
        let status = source.worker.status()
        if let target = order.target { try check(target: target) }
        if let rule = order.rule, !status.targets.contains(where: { $0.rules.contains { $0.name == rule } }) {
            throw AdminRefusal(.notFound, "there is no such rule")
        }
        if let target = order.target, let rule = order.rule {
            let served = status.targets.first { $0.name == target }?.rules ?? []
            guard served.contains(where: { $0.name == rule }) else {
                throw AdminRefusal(.badRequest, "the rule is not for this target")
            }
        }
        let window = try order.since.map { text in
            guard let window = Duration(ruleText: text) else {
                throw AdminRefusal(.badRequest, "since is a duration such as 90s or 10m")
            }
            return window
        }
        let isAll = order.all ?? false
        if isAll, window != nil || order.table != nil || order.rule != nil {
            throw AdminRefusal(.badRequest, "all goes with nothing but a target")
        }
        guard isAll || window != nil || order.table != nil else {
            throw AdminRefusal(.badRequest, "give since, table or all")
        }
        let scope = Replay.Scope(rule: order.rule, target: order.target)
        let tables = source.worker.tables(order.target)
        let count = try await desk.with { connection in
            let replay = Replay(connection: connection)
            if isAll { return try await replay.everything(inAll: tables, for: scope) }
            guard let name = order.table else {
                return try await replay.changes(since: window ?? .zero, for: scope)
            }
            let table = try await Self.table(name, connection)
            try check(table, order)
            guard let window else { return try await replay.everything(in: table, for: scope) }
            return try await replay.changes(since: window, of: table, for: scope)
        }
        logger.notice("A replay was ordered by an operator", metadata: ["records": "\(count)"])
        return JSONAnswer.response(["records": count])
    }

    /// A table that is captured, with or without its schema.
    private static func table(_ name: String, _ connection: PostgresConnection) async throws -> TableName {
        let tables = try await CaptureState.manifests(connection).values.map(\.table)
        let found = tables.first { $0.description == name } ?? tables.first { $0.description == "public." + name }
        guard let found else { throw AdminRefusal(.notFound, "there is no such table, or it is not captured") }
        return found
    }

    /// Refuses what concerns no rule: it would be written, and nothing come of it.
    private func check(_ table: TableName, _ order: ReplayOrder) throws {
        if let rule = order.rule, let own = source.worker.table(rule), own != table {
            throw AdminRefusal(.badRequest, "the rule is about \(own), not about \(table)")
        }
        guard source.worker.tables(order.target).contains(table) else {
            let whose = order.target == nil ? "" : " for this target"
            throw AdminRefusal(.badRequest, "no rule\(whose) is about \(table)")
        }
    }

    private struct HoldOrder: OrderBody {
        static let fields = ["target"]
        var target: String?
    }

    private struct HoldAnswer: Encodable {
        var isHeld: Bool
        /// The targets that it was about.
        var targets: [String]
    }

    private func hold(_ isHeld: Bool, _ request: Request) async throws -> Response {
        let order = try await body(HoldOrder.self, of: request, orNone: HoldOrder())
        if let target = order.target { try check(target: target) }
        guard source.worker.hold(isHeld, order.target) else {
            throw AdminRefusal(.serviceUnavailable, "this worker does not lead: tell the one that does")
        }
        let all = source.worker.status().targets.map(\.name)
        return JSONAnswer.response(HoldAnswer(isHeld: isHeld, targets: order.target.map { [$0] } ?? all))
    }

    private func check(target name: String) throws {
        guard source.worker.status().targets.contains(where: { $0.name == name }) else {
            throw AdminRefusal(.notFound, "there is no such target")
        }
    }

    private struct LevelOrder: OrderBody {
        static let fields = ["level"]
        var level: String
    }

    private func logLevel(_ request: Request) async throws -> Response {
        let order = try await body(LevelOrder.self, of: request)
        guard let level = Logger.Level(rawValue: order.level) else {
            let all = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw AdminRefusal(.badRequest, "level is one of \(all)")
        }
        source.setLogLevel(level)
        return JSONAnswer.response(["level": level.rawValue])
    }

    // MARK: What is sent along

    private func body<Order: OrderBody>(
        _ type: Order.Type, of request: Request, orNone none: Order? = nil
    ) async throws -> Order {
        let bytes = try await request.body.collect(upTo: Self.bodyLimit)
        if bytes.readableBytes == 0, let none { return none }
        let media = request.headers[.contentType]?.split(separator: ";").first?.lowercased()
        guard media == "application/json" else {
            throw AdminRefusal(.badRequest, "the body has to be application/json")
        }
        let data = Data(bytes.readableBytesView)
        do {
            let names = try JSONDecoder().decode([String: JSONValue].self, from: data).keys.sorted()
            // It may be what narrows the order: without it, more would be done than is meant.
            if let name = names.first(where: { !Order.fields.contains($0) }) { throw Self.unknown(name, Order.fields) }
            return try JSONDecoder().decode(type, from: data)
        } catch let refusal as AdminRefusal {
            throw refusal
        } catch {
            throw AdminRefusal(.badRequest, "the body can't be read: see the documentation for what it holds")
        }
    }

    private static func unknown(_ name: String, _ fields: [String]) -> AdminRefusal {
        let known = fields.isEmpty ? "none" : fields.joined(separator: ", ")
        return AdminRefusal(.badRequest, "there is no field '\(name.prefix(64))' in this order: it takes \(known)")
    }
}

/// What is sent along with an order: a JSON object.
private protocol OrderBody: Decodable {
    /// The names of what it may hold.
    static var fields: [String] { get }
}
