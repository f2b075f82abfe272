import Testing

@testable import Rules

@Suite struct SQLTests {
    @Test(arguments: [
        ("select a from b where c = :d", "select a from b where c =  $1", ["d"]),
        ("SELECT :a, :b, :a", "SELECT  $1,  $2,  $1", ["a", "b"]),
        (
            "select :old.a, :new.b, :old, :new.c", "select  $1,  $2,  $3,  $4",
            ["old.a", "new.b", "old", "new.c"]
        ),
        ("select x::int, y := 1, :a::text", "select x::int, y := 1,  $1::text", ["a"]),
        (
            "select r[1:2], r[a:b], r[(1):c], array[:a, :b]",
            "select r[1:2], r[a:b], r[(1):c], array[ $1,  $2]", ["a", "b"]
        ),
        (
            "select ':a', E'\\':b', \"x:y\", $$:c$$, $t$ :d $$ $t$",
            "select ':a', E'\\':b', \"x:y\", $$:c$$, $t$ :d $$ $t$", []
        ),
        ("select 1 -- :a\n, 2 /* :b /* ; */ ' */ , :c -- end", "select 1  \n, 2   ,  $1", ["c"]),
        ("select 'it''s :a', n'x', a$b, 1 $ 2", "select 'it''s :a', n'x', a$b, 1 $ 2", []),
        ("select :\"Column \"\"A\"\"\", :new.\"B\"", "select  $1,  $2", ["Column \"A\"", "new.B"]),
        ("select :eMail, :größe", "select  $1,  $2", ["eMail", "größe"]),
        ("select 1 limit:n", "select 1 limit $1", ["n"]),
        ("/* why */ With x as (select 1) table x", "With x as (select 1) table x", []),
        ("values (:a)", "values ( $1)", ["a"]),
        (
            "select a from b where c = any(:d) and e[:f] > 1",
            "select a from b where c = any( $1) and e[ $2] > 1", ["d", "f"]
        ),
        ("select ';' , $$;$$ -- ;", "select ';' , $$;$$", []),
        ("select a\u{301}:b", "select a\u{301} $1", ["b"]),
    ])
    func templates(source: String, rendered: String, parameters: [String]) throws {
        let template = try SQLTemplate.parse(source, locate: place)
        #expect(template.render { "$\($0 + 1)" } == rendered)
        #expect(template.parameters.map(\.description) == parameters)
    }

    @Test func usesKnowTheirPlaces() throws {
        let template = try SQLTemplate.parse("select :a, :a", locate: place)
        #expect(template.uses.map(\.location.column) == [8, 12])
    }

    @Test(arguments: [
        ("", "a query begins with SELECT, WITH, VALUES or TABLE"),
        ("(select 1)", "a query begins with SELECT, WITH, VALUES or TABLE"),
        ("selects 1", "a query begins with SELECT, WITH, VALUES or TABLE"),
        ("\"select\" 1", "a query begins with SELECT, WITH, VALUES or TABLE"),
        ("select 1) or (select 2", "the ')' closes nothing"),
        ("select 1; select 2", "a ';' outside of quotes"),
        ("select $2", "'$2': parameters are written :column"),
        ("select 'a", "the string is never closed"), ("select e'\\'", "the string is never closed"),
        ("select $a$ $b$", "the string is never closed"), ("select /* /* */", "the comment is never closed"),
        ("select \"a", "the identifier is never closed"), ("select [1", "the '[' is never closed"),
    ])
    func refused(source: String, message: String) {
        let error = #expect(throws: TemplateError.self) { try SQLTemplate.parse(source, locate: place) }
        #expect(error?.message == message)
    }

    /// A predicate that uses a row as a whole may look at every column.
    @Test(arguments: [
        ("new.a = 'old.b'", "new.a = 'old.b'", ["a"]),
        ("  OLD.a <> New.\"B c\" -- so\n", "OLD.a <> New.\"B c\"", ["a", "B c"]),
        ("to_jsonb(new) is not null", "to_jsonb(new) is not null", ["a", "b", "B c"]),
        ("old.* is distinct from new.*", "old.* is distinct from new.*", ["a", "b", "B c"]),
        ("new is null", "new is null", ["a", "b", "B c"]),
        ("true", "true", []), ("Ä.B = 1", "Ä.B = 1", ["b"]),
        ("new.a[1:2] = '{1}'::int[]", "new.a[1:2] = '{1}'::int[]", ["a"]),
    ])
    func predicates(source: String, sql: String, columns: [String]) throws {
        #expect(try SQLPredicate.parse(source, locate: place).sql == sql)
        #expect(SQLPredicate.columns(among: ["a", "b", "B c"], in: source) == columns)
    }

    /// Whatever is accepted is balanced, so that it can be put in parentheses.
    @Test func randomTextNeverCrashes() {
        var random = SeededGenerator()
        var accepted = 0
        for _ in 0..<20_000 {
            let tail = random.bytes("ab1 :.$'\"()[]-/*;\\\n", upTo: 12)
            let source = "select " + String(decoding: tail, as: UTF8.self)
            guard let template = try? SQLTemplate.parse(source, locate: place) else { continue }
            accepted += 1
            let rendered = "select (" + template.render { "$\($0 + 1)" } + ")"
            #expect((try? SQLLexer.tokens(of: rendered)) != nil, "seed \(random.seed): \(source)")
            #expect((try? SQLLexer.tokens(of: rendered))?.last?.text == ")", "seed \(random.seed): \(source)")
        }
        #expect(accepted > 1000)
    }

    private func place(_ offset: Int) -> FilePosition { FilePosition(file: "s", line: 1, column: offset + 1) }
}
