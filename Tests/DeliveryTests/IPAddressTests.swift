import Rules
import Testing

@testable import Delivery

@Suite struct IPAddressTests {
    @Test(arguments: [
        "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255", "169.254.42.42", "fe80::",
        "fe80::1", "fe80::1%eth0", "fe80::a9fe:a9fe", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fd00:ec2::254", "FD00:0EC2:0:0:0:0:0:254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe",
        "100.100.100.200", "fd00:100::100:200", "192.0.0.192", "168.63.129.16", "fd00:42::42", "fd00:a9fe:a9fe::1",
        "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "0:0:0:0:0:FFFF:A9FE:A9FE", "::ffff:100.100.100.200",
        "::ffff:192.0.0.192", "64:ff9b::169.254.169.254", "64:ff9b::a9fe:1", "64:ff9b::100.100.100.200",
        "64:ff9b::c000:c0", "64:ff9b:1::1", "64:ff9b:1:ffff::a9fe:a9fe", "::ffff:0:169.254.169.254",
        "::169.254.169.254", "2002:a9fe:a9fe::1", "2002:6464:64c8::",
    ])
    func forbidden(text: String) throws {
        #expect(try #require(IPAddress(text)).isForbidden)
    }

    @Test(arguments: [
        "127.0.0.1", "::1", "0.0.0.0", "::", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.253.255.255",
        "169.255.0.0", "100.100.100.199", "100.100.100.201", "192.0.0.191", "192.0.0.193", "168.63.129.17",
        "93.184.216.34", "fe7f:ffff::1", "fec0::1", "fd00:ec1::254", "fd00:ec3::254", "fd20:ce::253", "fd00::1",
        "fd00:42::41", "2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b:0:1::a9fe:a9fe", "::fffe:a9fe:a9fe", "2002:a00:1::", "2001:a9fe:a9fe::1", "1::169.254.169.254",
    ])
    func allowed(text: String) throws {
        #expect(try !#require(IPAddress(text)).isForbidden)
    }

    @Test(arguments: [
        ("1.2.3.4", "::ffff:1.2.3.4"), ("1.2.3.4", "::FFFF:102:304"), ("::1", "0:0:0:0:0:0:0:1"),
        ("fe80::1", "fe80::1%lo"), ("2001:DB8::a", "2001:db8:0:0::A"),
    ])
    func equal(one: String, other: String) throws {
        #expect(try #require(IPAddress(one)) == #require(IPAddress(other)))
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.5"), ("1.2.3.4", "::1.2.3.4"), ("1.2.3.4", "64:ff9b::1.2.3.4"), ("::1", "127.0.0.1"),
        ("0.0.0.0", "::"),
    ])
    func different(one: String, other: String) throws {
        #expect(try #require(IPAddress(one)) != #require(IPAddress(other)))
    }

    @Test(arguments: [
        "", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "0x7f.0.0.1", "1.2.3.4/16", "1.2.3.4:80",
        "1.2.3.4%eth0", "[::1]", "::1::", "fe80::/10", " 1.2.3.4", "%eth0",
    ])
    func noAddress(text: String) {
        #expect(IPAddress(text) == nil)
    }
}
