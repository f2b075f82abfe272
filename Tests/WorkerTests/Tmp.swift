import Testing
import TestSupport
@Test func tmpsave() async throws {
  try await RedisServer.with { r in
    print(try await r.cli("set","a","b"), try await r.cli("save"), try await r.cli("config","get","dir"))
    try await r.kill9(); try await r.start()
    print(try await r.cli("get","a"))
  }
}
