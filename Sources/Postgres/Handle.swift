internal import CPostgres

/// Owns a `PGconn`.
struct Handle: ~Copyable {
    let pointer: OpaquePointer

    deinit { PQfinish(pointer) }

    /// The last error's words.
    var errorMessage: String { String(cString: PQerrorMessage(pointer)) }
}

/// Owns a `PGresult` until its values are copied.
struct Result: ~Copyable {
    let pointer: OpaquePointer

    deinit { PQclear(pointer) }

    var status: ExecStatusType { PQresultStatus(pointer) }

    func field(_ code: Int32) -> String? { PQresultErrorField(pointer, code).map { String(cString: $0) } }

    /// The rows, copied.
    var rows: Rows {
        let columnCount = PQnfields(pointer)
        let rowCount = PQntuples(pointer)
        let columns = (0..<columnCount).map { String(cString: PQfname(pointer, $0)) }
        var bytes: [UInt8] = []
        var values: [(start: Int, length: Int)] = []
        values.reserveCapacity(Int(rowCount * columnCount))
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                guard PQgetisnull(pointer, row, column) == 0 else {
                    values.append((bytes.count, -1))
                    continue
                }
                let length = Int(PQgetlength(pointer, row, column))
                values.append((bytes.count, length))
                bytes.append(
                    contentsOf: UnsafeRawBufferPointer(start: PQgetvalue(pointer, row, column), count: length)
                )
            }
        }
        let affected = Int(String(cString: PQcmdTuples(pointer))) ?? 0
        return Rows(columns: columns, affected: affected, bytes: bytes, values: values)
    }

    /// What the server complained about, while `doing`.
    func error(doing: String) -> PostgresError {
        let sqlState = field(Int32(UInt8(ascii: "C")))
        var message = field(Int32(UInt8(ascii: "M"))) ?? String(cString: PQresultErrorMessage(pointer))
        if let detail = field(Int32(UInt8(ascii: "D"))) { message += "; \(detail)" }
        if let hint = field(Int32(UInt8(ascii: "H"))) { message += "; \(hint)" }
        guard let sqlState else {
            return PostgresError(code: .disconnected, message: message, doing: doing)
        }
        return PostgresError(code: .server(sqlState: sqlState), message: message, doing: doing)
    }
}
