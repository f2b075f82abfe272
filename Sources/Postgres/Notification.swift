internal import CPostgres
import Glibc

/// What somebody sent by NOTIFY.
public struct Notification: Sendable {
    /// The channel.
    public let channel: String
    /// The payload, which is of no more than 8,000 bytes; empty: none was given.
    public let payload: [UInt8]

    /// Copies a notification and frees it.
    init(_ pointer: UnsafeMutablePointer<PGnotify>) {
        channel = String(cString: pointer.pointee.relname)
        // libpq sets it to an empty string where there is none.
        let text = UnsafeRawBufferPointer(start: pointer.pointee.extra, count: strlen(pointer.pointee.extra))
        payload = Array(text)
        PQfreemem(pointer)
    }
}
