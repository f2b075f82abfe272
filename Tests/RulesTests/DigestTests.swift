import Testing

@testable import Rules

@Suite struct DigestTests {
    /// RFC 1321, A.5.
    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "d174ab98d277d9f5a5611c2c9f419d9f"
        ),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"
        ),
    ])
    func md5(text: String, digest: String) {
        #expect(apply(.md5, text) == digest)
    }

    /// RFC 6234, 8.5, and FIPS 180-4's examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "0123456701234567012345670123456701234567012345670123456701234567", count: 10),
            "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5"
        ),
    ])
    func sha256(text: String, digest: String) {
        #expect(apply(.sha256, text) == digest)
    }

    /// The lengths at which the padding needs another block.
    @Test func paddingIsWholeBlocks() {
        let digests = Set((50...70).map { apply(.sha256, String(repeating: "x", count: $0)) })
        #expect(digests.count == 21)
        #expect(
            apply(.md5, String(repeating: "x", count: 56)) == "668a72d5ba17f08e62dabcafad6db14b")
    }

    private func apply(_ filter: Filter, _ text: String) -> String {
        String(decoding: filter.apply(Array(text.utf8)) ?? [], as: UTF8.self)
    }
}
