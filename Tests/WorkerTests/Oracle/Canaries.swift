import Rules

/// Keys of another application, that only look like those of ``Shop``.
enum Canaries {
    /// The keys; no row makes any of them stale, and no pattern of a rule matches them.
    static let keys: Set<Key> = {
        var keys: Set<Key> = []
        for (prefix, names, suffix) in families {
            for name in names {
                for imitation in imitations(of: name) {
                    let key = Key(bytes: Array(prefix.utf8) + imitation + Array(suffix.utf8))
                    if !isTheShops(key) { keys.insert(key) }
                }
            }
        }
        for text in [
            "author:1:post", "Author:1:posts", "xauthor:1:posts", "customer::orders", "order:N-", "by-email:",
        ] {
            keys.insert(Key(text))
        }
        return keys
    }()

    private static let families: [(prefix: String, names: [String], suffix: String)] = [
        ("person:", Shop.people, ""), ("Person:", Shop.people, ""), ("item:", Shop.items, ""),
        ("team:", Array(Shop.teams), ""), ("resp:/catalog/", Array(Shop.categories), "?page=1"),
        ("resp:/catalog/", Array(Shop.categories), ""), ("resp:/Catalog/", Array(Shop.categories), "?page=1"),
    ]

    /// What a careless glob, or a careless eye, takes for the name.
    private static func imitations(of name: String) -> [[UInt8]] {
        let bytes = Array(name.utf8)
        let wildcards: [UInt8: String] = [
            UInt8(ascii: "*"): "anything", UInt8(ascii: "?"): "q", UInt8(ascii: "\\"): "",
            UInt8(ascii: "["): "",
            UInt8(ascii: "]"): "",
        ]
        let glob = bytes.flatMap { byte in wildcards[byte].map { Array($0.utf8) } ?? [byte] }
        return [
            bytes, glob, bytes + [0], bytes + [32], [32] + bytes, bytes + [10], bytes + [0xff],
            Array(bytes.dropLast()),
            bytes + bytes, bytes + Array("?".utf8), Array(name.uppercased().utf8), [UInt8(ascii: "m")],
            [UInt8(ascii: "\\")] + bytes,
        ]
    }

    private static let own: Set<Key> = Set(
        Shop.people.map { Key("person:" + $0) } + Shop.items.map { Key("item:" + $0) }
            + Shop.teams.map { Key("team:" + $0) })

    private static func isTheShops(_ key: Key) -> Bool {
        own.contains(key)
            || Shop.categories.contains { key.bytes.starts(with: Array("resp:/catalog/\($0)?".utf8)) }
    }
}
