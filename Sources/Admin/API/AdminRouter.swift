import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Which path is answered by what.
struct AdminRouter {
    typealias Handler = @Sendable (Request, AdminContext) async throws -> Response

    let responder: RouterResponder<AdminContext>

    init(
        source: AdminSource, history: HistorySampler, settings: AdminSettings, isLoopback: Bool, logger: Logger
    ) {
        let router = Router(context: AdminContext.self, options: .autoGenerateHeadEndpoints)
        var hosts = Set(settings.hosts.map { $0.lowercased() })
        hosts.insert(settings.address.host.lowercased())
        router.add(
            middleware: AdminGate(
                access: AdminAccess(token: settings.token, hosts: hosts), isLoopback: isLoopback))
        let looks = Looks(source: source, history: history, settings: settings)
        let orders = Orders(source: source, desk: looks.desk, logger: logger)
        for (path, handler) in looks.routes { Self.add(handler, .get, path, to: router) }
        for (path, handler) in orders.routes { Self.add(handler, .post, path, to: router) }
        responder = router.buildResponder()
    }

    /// Other methods than the one are answered too.
    private static func add(
        _ handler: @escaping Handler, _ method: HTTPRequest.Method, _ path: RouterPath,
        to router: Router<AdminContext>
    ) {
        router.on(path, method: method, use: handler)
        let allowed = method == .get ? "GET, HEAD" : "POST"
        let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace, .connect]
        for other in methods where other != method && !(method == .get && other == .head) {
            router.on(path, method: other) { _, _ -> Response in
                throw AdminRefusal(.methodNotAllowed, "this takes \(allowed)", headers: [.allow: allowed])
            }
        }
    }
}
