import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Stands before all handlers: lets nobody in who may not come in, and makes an answer of whatever is thrown.
struct AdminGate: RouterMiddleware {
    let access: AdminAccess
    let isLoopback: Bool

    func handle(
        _ request: Request, context: AdminContext, next: (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            if let refusal = access.refusal(of: asked(request, context)) { throw refusal }
            response = try await next(request, context)
        } catch let refusal as AdminRefusal {
            response = refusal.response
        } catch let error as HTTPError where error.status == .notFound {
            response = AdminRefusal(.notFound, "there is nothing here").response
        } catch is NIOTooManyBytesError {
            response =
                AdminRefusal(
                    .contentTooLarge, "the body is larger than 64 KiB", headers: [.connection: "close"]
                ).response
        } catch {
            // What it was about is a matter of types alone: texts of errors may have values in them.
            context.logger.error(
                "A request to the admin port failed",
                metadata: ["path": "\(context.endpointPath ?? "")", "error": "\(type(of: error))"])
            response = AdminRefusal(.internalServerError, "this failed: see the worker's log").response
        }
        for field in Self.headers where !response.headers.contains(field.name) { response.headers.append(field) }
        return response
    }

    private func asked(_ request: Request, _ context: AdminContext) -> AdminAccess.Asked {
        AdminAccess.Asked(
            method: request.method, path: request.uri.path,
            // The first one has become the authority; there must not be another.
            host: request.headers[.host] == nil ? request.head.authority : nil,
            authorization: request.headers[values: .authorization].count == 1 ? request.headers[.authorization] : nil,
            localAddress: context.channel.localAddress?.ipAddress, isLoopback: isLoopback)
    }

    /// Nothing may be kept, guessed at, framed, or told to other sites.
    private static let headers: HTTPFields = [
        .cacheControl: "no-store", .xContentTypeOptions: "nosniff", .referrerPolicy: "no-referrer",
        .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
    ]
}

extension HTTPField.Name {
    private static func name(_ text: String) -> HTTPField.Name {
        HTTPField.Name(text) ?? .contentSecurityPolicy
    }
    static let host = name("Host")
    static let referrerPolicy = name("Referrer-Policy")
}
