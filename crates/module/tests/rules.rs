//! The rules, one by one, and what hostile files cost.

#![allow(clippy::unwrap_used, reason = "a test")]

use gen404_module::{Failure, LITERAL_BYTES, MAX_FAILURES, Rule, SOURCE_BYTES, check};

/// The rules that a module fails, in the order in which they are told.
fn rules(source: &str) -> Vec<&'static str> {
    check(source.as_bytes()).unwrap().iter().map(|failure| failure.rule.name()).collect()
}

/// The rules that a statement in `generate` fails.
fn inside(statement: &str) -> Vec<&'static str> {
    rules(&format!("export default function generate(THREE) {{ {statement} }}"))
}

/// The rules that a statement beside `generate` fails.
fn beside(statement: &str) -> Vec<&'static str> {
    rules(&format!("{statement}\nexport default function generate(THREE) {{}}"))
}

const NONE: [&str; 0] = [];

#[test]
fn a_module_as_a_miner_writes_it_passes() {
    let source = "
        const SIZE = 0.5;
        function box(THREE, { width = 1, height } = {}) {
            const { BoxGeometry, MathUtils: { clamp } } = THREE;
            return new BoxGeometry(clamp(width, 0, 1), height ?? 1, SIZE);
        }
        class Part { constructor(THREE) { this.mesh = new THREE.Mesh(); } }
        export default function generate(THREE) {
            const group = new THREE.Group();
            const make = (THREE) => new THREE.Object3D();
            group.add(new Part(THREE).mesh, make(THREE), ((THREE) => new THREE.Line())(THREE));
            for (let i = 0; i < 3; i++) group.add(new THREE.Mesh(box(THREE, { height: i }), undefined));
            return group;
        }";
    assert_eq!(rules(source), NONE);
}

#[test]
fn details_tell_line_and_column() {
    let failures = check("export default () => {\n  é; fetch(1)\r\n  ; foo }".as_bytes()).unwrap();
    let details: Vec<String> = failures.iter().map(ToString::to_string).collect();
    let expected = [
        "IDENTIFIER_NOT_ALLOWED: é at line 2, column 3",
        "FORBIDDEN_IDENTIFIER: fetch at line 2, column 6",
        "IDENTIFIER_NOT_ALLOWED: foo at line 3, column 5",
    ];
    assert_eq!(details, expected);
}

#[test]
fn failures_are_written_as_the_service_writes_them() {
    let failures = check(b"").unwrap();
    let json = serde_json::to_string(&failures).unwrap();
    let expected = r#"[{"stage":"static_analysis","rule":"MISSING_DEFAULT_EXPORT","detail":"no `export default`"}]"#;
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Vec<Failure>>(&json).unwrap(), failures);
    for rule in Rule::ALL {
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
    }
}

#[test]
fn parse() {
    assert_eq!(check(&vec![b' '; SOURCE_BYTES]).unwrap()[0].rule, Rule::MissingDefaultExport);
    let failures = check(&vec![b' '; SOURCE_BYTES + 1]).unwrap();
    assert_eq!(failures[0].to_string(), "FILE_SIZE_EXCEEDED: 1048577 bytes (limit 1048576)");
    assert_eq!(check(b"//\xff").unwrap()[0].to_string(), "PARSE_ERROR: not UTF-8 at byte 2");
    assert_eq!(rules("#!/bin/node\nexport default () => {}"), NONE);
    assert_eq!(rules("\u{FEFF}export default () => {}"), NONE);
    for error in [
        "let a; let a",
        "return",
        "with (a) {}",
        "010",
        "let await",
        "break",
        "const a",
        "new.target",
        "for (eval of []) ;",
        "export {x}",
    ] {
        assert_eq!(beside(error), ["PARSE_ERROR"], "{error}");
    }
    assert_eq!(beside("using x = 1"), NONE);
    for proposal in [
        "@d class A {}",
        "class A { private x }",
        "\u{85}",
        "class A { accessor x }",
        "import defer * as x from 'y'",
        "let x: number",
    ] {
        assert_eq!(beside(proposal), ["PARSE_ERROR"], "{proposal}");
    }
    assert_eq!(beside("/(/; /[b-a]/u"), NONE, "patterns are not looked into");
    assert_eq!(beside("/a/gg"), ["PARSE_ERROR"]);
}

#[test]
fn exports() {
    for function in ["function (THREE) {}", "function* f() {}", "(function f() {})", "() => 1", "((THREE) => {})"] {
        assert_eq!(rules(&format!("export default {function}")), NONE, "{function}");
    }
    for other in ["f; function f() {}", "class {}", "1", "(a, () => 1)", "a = () => 1"] {
        assert_eq!(rules(&format!("export default {other}")), ["MISSING_DEFAULT_EXPORT"], "{other}");
    }
    assert_eq!(rules("fetch()"), ["MISSING_DEFAULT_EXPORT"], "nothing else is told");
    assert_eq!(rules("function f() {} export { f as default }"), ["MISSING_DEFAULT_EXPORT"]);
    assert_eq!(rules("export default async () => fetch()"), ["ASYNC_NOT_ALLOWED"], "nothing else is told");
    for export in ["export const a = 1", "export {}", "export * from 'a'", "export { a } from 'b'"] {
        assert_eq!(beside(export), ["MULTIPLE_TOP_LEVEL_EXPORTS"], "{export}");
    }
    assert_eq!(rules("export let a; export default 1"), ["MULTIPLE_TOP_LEVEL_EXPORTS", "MISSING_DEFAULT_EXPORT"]);
}

#[test]
fn asynchronous() {
    for function in
        ["async () => 1", "async function f() { await 1 }", "({ async f() {} })", "(class { async *f() {} })"]
    {
        assert_eq!(inside(&format!("({function})")), ["ASYNC_NOT_ALLOWED"], "{function}");
    }
    assert_eq!(beside("await 1"), ["ASYNC_NOT_ALLOWED"]);
    assert_eq!(beside("for await (const a of []) {}"), ["ASYNC_NOT_ALLOWED"]);
    for code in ["await using a = null", "function f() { await using a = null }", "for (await using a of []) {}"] {
        assert_eq!(beside(code), ["ASYNC_NOT_ALLOWED"], "{code}");
    }
}

#[test]
fn forbidden_identifiers() {
    for bad in [
        "fetch",
        "const fetch = 1",
        "((self) => self)",
        "({ fetch })",
        "({ fetch } = {})",
        "const a = 1; a?.fetch",
        "const a = 1; a?.b.fetch",
        "process: for (;;) { break }",
        "(class { #require })",
        "(class Date {})",
        "try {} catch (module) {}",
        "import('a')",
        "import.meta",
        "Math.random()",
        "Math.random = 1",
    ] {
        let found = inside(bad);
        assert!(!found.is_empty() && found.iter().all(|rule| *rule == "FORBIDDEN_IDENTIFIER"), "{bad}: {found:?}");
    }
    assert_eq!(beside("import a from 'a'"), ["FORBIDDEN_IDENTIFIER"]);
    assert_eq!(beside("import { fetch } from 'a'"), ["FORBIDDEN_IDENTIFIER"], "the import, not the name");
    for good in [
        "const a = {}; a.fetch; a.b.self = a.process()",
        "({ fetch: 1, self() {}, get window() { return 1 } })",
        "(class { fetch = 1; static self() {} })",
        "const { fetch: f } = {}",
        "const a = {}; (a?.b).fetch",
        "const { random } = Math; random(); Math?.random",
        "'fetch'",
    ] {
        assert_eq!(inside(good), NONE, "{good}");
    }
}

#[test]
fn free_identifiers() {
    for bad in
        ["console.log(1)", "structuredClone(1)", "typeof foo", "foo++", "for (foo of []) ;", "`${foo}`", "({ foo })"]
    {
        assert_eq!(inside(bad), ["IDENTIFIER_NOT_ALLOWED"], "{bad}");
    }
    for good in [
        "new Promise(() => {}); new RegExp(''); new WeakMap(); Intl; encodeURIComponent('')",
        "arguments; undefined; NaN; new Float32Array(1); BigInt(1)",
        "foo = 1",
        "[foo] = []; ({ foo } = {}); ({ a: foo = 1 } = {})",
        "foo: for (;;) { break foo }",
        "foo(); function foo() {}",
    ] {
        assert_eq!(inside(good), NONE, "{good}");
    }
    assert_eq!(inside("{ let a } a"), ["IDENTIFIER_NOT_ALLOWED"]);
}

#[test]
fn members_of_three() {
    assert_eq!(inside("THREE.Mesh; THREE.LuminanceFormat; THREE.MathUtils.lerp"), NONE);
    assert_eq!(inside("THREE.Scene"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("new THREE.ShaderMaterial().x"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("THREE.Meshh; THREE.REVISION"), ["UNKNOWN_THREE_API", "UNKNOWN_THREE_API"]);
    assert_eq!(inside("THREE.MathUtils.seededRandom(1)"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("THREE.MathUtils.generateUUID()"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("const { Group, MathUtils: { lerp }, 'Mesh': M = 1 } = THREE"), NONE);
    assert_eq!(inside("let Group; ({ Group } = THREE)"), NONE);
    assert_eq!(
        inside("const { Scene, Foo, 'Light': l } = THREE"),
        ["FORBIDDEN_THREE_API", "UNKNOWN_THREE_API", "UNKNOWN_THREE_API"]
    );
    assert_eq!(inside("const { MathUtils: { seededRandom } } = THREE"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("let a; ({ MathUtils: { generateUUID: a } = {} } = THREE)"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("const { MathUtils: { ...a } } = THREE"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("const { ...a } = THREE"), ["THREE_ALIAS_FORBIDDEN"]);
    assert_eq!(inside("const { ['Mesh']: a } = THREE"), ["COMPUTED_PROPERTY_ACCESS"]);
    assert_eq!(inside("THREE['Mesh']"), ["COMPUTED_PROPERTY_ACCESS"]);
}

#[test]
fn three_stands_only_where_its_members_are_seen() {
    for bad in [
        "const t = THREE",
        "let t; t = THREE",
        "let t; t ??= THREE",
        "const [t] = THREE",
        "({ ...THREE })",
        "({ THREE })",
        "[THREE]",
        "const a = {}; a.b = THREE",
        "return THREE",
        "(t = THREE) => t",
        "`${THREE}`",
        "THREE?.Mesh",
        "const f = (t) => t; f(THREE)",
        "const f = (...t) => t; f(THREE)",
        "const f = () => 1; f(THREE)",
        "const f = (THREE) => 1; f(1, THREE)",
        "const f = (THREE) => 1; f(...THREE)",
        "const f = (THREE) => 1; f?.(THREE)",
        "const f = ([t]) => 1; f(THREE)",
        "const f = { g(THREE) {} }; f.g(THREE)",
        "((f) => f(THREE))()",
        "new THREE.Mesh(THREE)",
        "new (class { constructor(t) {} })(THREE)",
        "new (class {})(THREE)",
        "const { f } = { f: (THREE) => 1 }; f(THREE)",
    ] {
        assert_eq!(inside(bad), ["THREE_ALIAS_FORBIDDEN"], "{bad}");
    }
    for good in [
        "const f = (THREE) => 1; f(THREE)",
        "const f = function (a, THREE = 1) {}; f(1, THREE)",
        "const f = ({ Mesh }) => 1; f(THREE)",
        "const f = ({ Mesh } = {}) => 1; f(THREE)",
        "f(THREE); function f(THREE) {}",
        "class A { constructor(THREE) {} } new A(THREE)",
        "const A = class { constructor(THREE) {} }; new A(THREE)",
        "new (class { constructor({ Mesh }) {} })(THREE)",
        "(function f(THREE, n) { n || f(THREE, 1) })(THREE)",
        "{ const THREE = { a: 1 }; }",
    ] {
        assert_eq!(inside(good), NONE, "{good}");
    }
    assert_eq!(inside("const f = ({ Scene }) => 1; f(THREE)"), ["FORBIDDEN_THREE_API"]);
    assert_eq!(inside("const f = ({ ...rest }) => 1; f(THREE)"), ["THREE_ALIAS_FORBIDDEN"]);
    assert_eq!(beside("const g = new THREE.Group()"), ["THREE_AT_TOP_LEVEL"]);
    assert_eq!(beside("const g = () => THREE.Foo"), ["THREE_AT_TOP_LEVEL"]);
    assert_eq!(rules("export default (T) => { const t = T; return new t.Scene() }"), NONE, "only the proxy watches");
}

#[test]
fn members_by_name() {
    for object in ["Math", "Object", "Array", "Symbol"] {
        assert_eq!(inside(&format!("{object}['a']")), ["COMPUTED_PROPERTY_ACCESS"]);
        assert_eq!(inside(&format!("{object}?.['a']")), NONE);
    }
    assert_eq!(inside("String['a']; [][0]"), NONE);
    for member in ["constructor", "__proto__", "__defineGetter__", "__lookupSetter__"] {
        assert_eq!(inside(&format!("[].{member}")), ["FORBIDDEN_PROPERTY_ACCESS"]);
        assert_eq!(inside(&format!("[]['{member}']")), NONE);
    }
    assert_eq!(inside("[].prototype; ({ constructor: 1 }); (class { constructor() {} })"), NONE);
}

#[test]
fn the_budget_of_literals() {
    let budget = |literal: &str, bytes: usize| {
        let source = |fill: usize| format!("export default () => ['{}', {literal}]", "a".repeat(fill));
        assert_eq!(rules(&source(LITERAL_BYTES - bytes)), NONE, "{literal}");
        assert_eq!(rules(&source(LITERAL_BYTES - bytes + 1)), ["LITERAL_BUDGET_EXCEEDED"], "{literal}");
    };
    budget("'é'", 2);
    budget(r"'\u00e9'", 2);
    budget(r"'\ud83d\ude00'", 4);
    budget(r"'\ud800'", 3);
    budget(r"'\ud800\ufffd\ufffda'", 10);
    budget("'\u{FFFD}'", 3);
    budget("1_000", 5);
    budget("0x1F", 4);
    budget("10n", 3);
    budget("1e3", 3);
    budget("({ 'ab': 1, cd: 2, 3: 4 })", 2 + 1 + 1 + 2);
    budget("`ab${'c'}d\r\ne`", 2 + 1 + 3);
    budget(r"Math`\u`", 2);
    budget(r"`\ud800`", 3);
    budget("/abc/", 0);
    budget("/* abc */ (() => { 'use strict' })", 0);
}

#[test]
fn no_more_failures_than_so_many() {
    let source = format!("export default () => {{ {} }}", "eval;".repeat(5_000));
    assert_eq!(rules(&source).len(), MAX_FAILURES);
    let failures = check(format!("export default () => {}", "x".repeat(1_000)).as_bytes()).unwrap();
    assert!(failures[0].detail.len() < 100, "{}", failures[0].detail);
}

/// Each as deep as a module may be; with `GEN404_WHOLE`, as large as well.
#[test]
fn hostile_files_are_told() {
    let bytes = if std::env::var_os("GEN404_WHOLE").is_some() { SOURCE_BYTES } else { SOURCE_BYTES / 16 };
    let full = |unit: &str| unit.repeat(bytes / unit.len());
    let closed = |open: &str, close: &str, deep: usize| {
        let unit = format!("{}1{};", open.repeat(deep), close.repeat(deep));
        format!("export default()=>{{}}\n{}", unit.repeat((bytes - 100) / unit.len()))
    };
    let mut sources: Vec<String> = [
        "[",
        "(",
        "{",
        "!",
        "a=>",
        "`${",
        "(a=",
        "async(",
        "<",
        "/",
        "/*",
        "'",
        "\\u{",
        "a?.",
        "new ",
        "if(a)",
        "}",
        "\u{2028}",
        "a;",
        "a:",
        "eval;",
        "let a;",
        "function f(){}",
        "class A{#a}",
        "/a/;",
        "'\\ud800';",
        "`a`;",
        "0;",
        "x=",
        "@",
        "#",
        "import('a');",
        "export{};",
        "THREE;",
        "do;while(1)",
        "while(1)",
        "async()=>1;",
        "for(a of b);",
        "const{a}=THREE;",
        "case 1:",
        "<<<<<<<\n",
        "=======\n",
    ]
    .into_iter()
    .flat_map(|unit| [full(unit), format!("export default()=>{{}}\n{}", full(unit).replacen(&unit.repeat(30), "", 1))])
    .collect();
    for (open, close) in
        [("(", ")"), ("(a=", ")"), ("[", "]"), ("a(", ")"), ("({a:", "})"), ("`${", "}`"), ("(async(a=", "))")]
    {
        for deep in [10, 100, 900] {
            sources.push(closed(open, close, deep));
        }
    }
    sources.push(format!("/{}/", "(".repeat(bytes - 2)));
    sources.push(format!("'{}'", "a".repeat(bytes - 2)));
    sources.push("x".repeat(bytes));
    sources.push((0..bytes / 21).map(|i| format!("let v{i}=v{};", i + 1)).collect());
    for source in sources {
        let failures = check(source.as_bytes()).unwrap();
        assert!(failures.len() <= MAX_FAILURES);
    }
}
