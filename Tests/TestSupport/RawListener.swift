import Glibc

/// A port of this machine that is taken.
public final class RawListener {
    private let descriptor: Int32
    /// The port.
    public let port: Int

    /// Takes one that is free.
    public init() throws {
        port = try ServerProcess.freePort()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0, listen(descriptor, 1) == 0 else {
            throw TestError("listening at \(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }
}
