import Rules
extension IPAddress {
    /// Whether nothing is asked of this address unless a rule lists it: a cloud answers there whoever asks from
    /// inside the machine, and hands out the machine's credentials.
    ///
    /// The unspecified addresses aren't among them. They are no peer's: the kernel takes them for this host, and the
    /// address that such a connection has is the loopback one (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2).
    var isForbidden: Bool {
        Self.forbidden.contains { begins(with: $0.base, length: $0.length) } || embedded?.isForbidden == true
    }

    private static let forbidden: [(base: IPAddress, length: Int)] = [
        // Link-local: RFC 3927, RFC 4291 2.5.6. The metadata of AWS, Azure, Google, Oracle, DigitalOcean, Hetzner
        // and OpenStack, and the container credentials of AWS, are in here.
        network("169.254.0.0", 16), network("fe80::", 10),
        // AWS: what is link-local in IPv4 (metadata, EKS credentials) is here in IPv6.
        // docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
        network("fd00:ec2::", 32),
        // Google. cloud.google.com/compute/docs/metadata/querying-metadata
        network("fd20:ce::254", 128),
        // Oracle, and Oracle Cloud Classic. docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm
        network("fd00:c1::a9fe:a9fe", 128), network("192.0.0.192", 32),
        // Alibaba: the ECS user guide, "Access instance metadata".
        network("100.100.100.200", 32), network("fd00:100::100:200", 128),
        // Azure's platform services. learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        network("168.63.129.16", 32),
        // Scaleway. docs.cloud-init.io/en/latest/reference/datasources/scaleway.html
        network("fd00:42::42", 128),
        // Akamai. techdocs.akamai.com/cloud-computing/docs/overview-of-the-metadata-service
        network("fd00:a9fe:a9fe::1", 128),
        // A network's own translation to IPv4: where the IPv4 address is depends on the network (RFC 8215).
        network("64:ff9b:1::", 48),
    ]

    /// The IPv4 address that a translator or a tunnel makes of this one. A mapped address is one already.
    private var embedded: IPAddress? {
        for (base, length) in Self.embedding where begins(with: base, length: length) {
            return IPAddress(four: UInt32(truncatingIfNeeded: bits))
        }
        // 6to4: RFC 3056, 2.
        return bits >> 112 == 0x2002 ? IPAddress(four: UInt32(truncatingIfNeeded: bits >> 80)) : nil
    }

    /// The prefixes that an IPv4 address follows: NAT64 (RFC 6052, 2.1), IPv4-translated (RFC 2765, 2.1) and
    /// IPv4-compatible (RFC 4291, 2.5.5.1).
    private static let embedding = [
        network("64:ff9b::", 96), network("::ffff:0:0:0", 96), network("::", 96),
    ]

    private static func network(_ text: String, _ length: Int) -> (base: IPAddress, length: Int) {
        // Every text is a literal above, and the first use of a table reads it whole.
        (IPAddress(text)!, text.contains(":") ? length : 96 + length)
    }
}
