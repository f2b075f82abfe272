internal import CPostgres
import Dispatch
import Glibc

/// Owns a `PGconn`.
struct Handle: ~Copyable {
    let pointer: OpaquePointer

    deinit { PQfinish(pointer) }

    /// Begins a connection; nil: there is no memory for it.
    static func start(_ keywords: [(String, String)]) -> OpaquePointer? {
        let strings = keywords.flatMap { [strdup($0.0), strdup($0.1)] }
        defer { strings.forEach { free($0) } }
        var names = stride(from: 0, to: strings.count, by: 2).map { UnsafePointer(strings[$0]) } + [nil]
        var values = stride(from: 1, to: strings.count, by: 2).map { UnsafePointer(strings[$0]) } + [nil]
        return PQconnectStartParams(&names, &values, 1)
    }

    /// The hosts that it may connect to, by the connection string or libpq's environment variables.
    var hosts: HostList {
        guard let options = PQconninfo(pointer) else { return HostList() }
        defer { PQconninfoFree(options) }
        var hosts = HostList()
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { hosts.add(String(cString: keyword), String(cString: value)) }
            option += 1
        }
        return hosts
    }

    /// Asks the server to stop the running statement; false: there is nobody to ask, or no answer in time.
    func requestCancel() -> Bool {
        guard PQstatus(pointer) == CONNECTION_OK, let cancel = PQgetCancel(pointer) else {
            return false
        }
        // Safe, for the closure alone has it, and frees it. The request waits for the server to hang up, however long that
        // takes.
        nonisolated(unsafe) let request = cancel
        let isDone = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            var message = [CChar](repeating: 0, count: 256)
            PQcancel(request, &message, Int32(message.count))
            PQfreeCancel(request)
            isDone.signal()
        }
        return isDone.wait(timeout: .now() + .seconds(2)) == .success
    }

    /// The last error's words.
    var errorMessage: String { String(cString: PQerrorMessage(pointer)) }
}

/// Owns a `PGresult` until its values are copied.
struct Result: ~Copyable {
    let pointer: OpaquePointer

    deinit { PQclear(pointer) }

    var status: ExecStatusType { PQresultStatus(pointer) }

    func field(_ code: Int32) -> String? { PQresultErrorField(pointer, code).map { String(cString: $0) } }

    /// The rows, copied: first measured, so that the buffer never grows.
    var rows: Rows {
        let columnCount = PQnfields(pointer)
        let rowCount = PQntuples(pointer)
        let columns = (0..<columnCount).map { String(cString: PQfname(pointer, $0)) }
        var size = 0
        let valueCount = Int(rowCount) * Int(columnCount)
        let values = [(start: Int, length: Int)](unsafeUninitializedCapacity: valueCount) { values, count in
            for row in 0..<rowCount {
                for column in 0..<columnCount {
                    let length = Int(PQgetlength(pointer, row, column))
                    let isNull = length == 0 && PQgetisnull(pointer, row, column) == 1
                    values.initializeElement(at: count, to: (size, isNull ? -1 : length))
                    count += 1
                    size += length
                }
            }
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
            var next = 0
            for row in 0..<rowCount {
                for column in 0..<columnCount {
                    let (start, length) = values[next]
                    if length > 0 { memcpy(bytes.baseAddress! + start, PQgetvalue(pointer, row, column), length) }
                    next += 1
                }
            }
            count = size
        }
        let affected = Int(String(cString: PQcmdTuples(pointer))) ?? 0
        return Rows(columns: columns, affected: affected, bytes: bytes, values: values)
    }

    /// What the server complained about, while `doing`.
    func error(doing: String) -> PostgresError {
        let sqlState = field(Int32(UInt8(ascii: "C")))
        let primary = field(Int32(UInt8(ascii: "M")))
        var message = primary ?? String(cString: PQresultErrorMessage(pointer))
        if let detail = field(Int32(UInt8(ascii: "D"))) { message += "; \(detail)" }
        if let hint = field(Int32(UInt8(ascii: "H"))) { message += "; \(hint)" }
        guard let sqlState else {
            return PostgresError(code: .disconnected, message: message, doing: doing)
        }
        // What a function says, or SQL that it has put together, may be about anything.
        let isPlain = field(Int32(UInt8(ascii: "W"))) == nil && Self.plainClasses.contains(String(sqlState.prefix(2)))
        return PostgresError(
            code: .server(sqlState: sqlState), message: message, plainMessage: isPlain ? primary : nil, doing: doing)
    }

    /// The classes of SQLSTATE whose messages are about the server, the session, rights, or the statement's text, in
    /// which there are no values.
    private static let plainClasses: Set<String> = ["08", "25", "28", "3D", "3F", "42", "53", "55", "57", "58"]
}
