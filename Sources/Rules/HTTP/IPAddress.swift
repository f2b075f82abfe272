import Glibc

/// An IPv4 or IPv6 address, compared as a number and not as text.
public struct IPAddress: Hashable, Sendable {
    /// The bits of an IPv6 address. An IPv4 address is in its mapped form, `::ffff:a.b.c.d`: the same peer, reached
    /// by a socket of the other family.
    package let bits: UInt128

    /// The IPv6 address with these bits.
    package init(bits: UInt128) { self.bits = bits }

    /// The IPv4 address with these bits.
    package init(four: UInt32) { self.init(bits: 0xffff << 32 | UInt128(four)) }

    /// Reads the usual notations. An IPv6 address may name a zone, as in `fe80::1%eth0`, which doesn't count.
    public init?(_ text: String) {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(four: UInt32(bigEndian: four.s_addr))
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, String(text.prefix { $0 != "%" }), &six) == 1 else { return nil }
        self.init(bits: withUnsafeBytes(of: six) { $0.reduce(0) { $0 << 8 | UInt128($1) } })
    }

    /// Whether the first `length` bits are those of `base`. An IPv4 address begins with 96 others.
    package func begins(with base: IPAddress, length: Int) -> Bool { (bits ^ base.bits) >> (128 - length) == 0 }
}
