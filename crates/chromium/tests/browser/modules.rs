//! Modules that keep the rules and modules that do not, each with what it is told.

use std::time::Instant;

use gen404_chromium::{Pool, RenderError};

use crate::{BOUNDED, draw, is_gone, settings};

/// What is expected of a module.
enum Told {
    /// It is drawn, and so many vertices are counted.
    Drawn(u64),
    /// It is refused for these rules, and a detail holds this.
    Refused(&'static [&'static str], &'static str),
}

use Told::{Drawn, Refused};

/// A module that makes a box `m` in a group `g`, does this, and returns the group.
fn with_box(doing: &str) -> String {
    format!(
        "export default function generate(THREE) {{
           const g = new THREE.Group();
           const m = new THREE.Mesh(new THREE.BoxGeometry(.5, .5, .5), new THREE.MeshStandardMaterial());
           g.add(m); {doing}; return g; }}"
    )
}

/// A module that returns this.
fn returning(what: &str) -> String {
    format!("export default function (THREE) {{ return {what}; }}")
}

/// A module that does this when it is drawn; `w` is the page's window.
fn when_drawn(doing: &str) -> String {
    with_box(&format!("m.onBeforeRender = (r) => {{ const w = r.domElement.ownerDocument.defaultView; {doing} }}"))
}

/// The tame: they keep the rules, some by accident.
fn tame() -> Vec<(&'static str, String, Told)> {
    vec![
        ("static", with_box(""), Drawn(24)),
        ("bare mesh", returning("new THREE.Mesh(new THREE.BoxGeometry(.5, .5, .5))"), Drawn(24)),
        (
            "arrow",
            "const a = .5; export default (THREE) => new THREE.Mesh(new THREE.BoxGeometry(a, a, a))".into(),
            Drawn(24),
        ),
        (
            "points",
            returning("new THREE.Points(new THREE.BoxGeometry(.5, .5, .5), new THREE.PointsMaterial({ size: .1 }))"),
            Drawn(24),
        ),
        (
            "instanced",
            returning("new THREE.InstancedMesh(new THREE.BoxGeometry(.1, .1, .1), new THREE.MeshBasicMaterial(), 9)"),
            Drawn(24),
        ),
        (
            "export in a comment",
            format!("/* no export default */ const a = 'export default'; {}", with_box("")),
            Drawn(24),
        ),
        ("export over lines", with_box("").replace("export default", "export // all\n default\n"), Drawn(24)),
        ("animated by accident", with_box("m.onBeforeRender = () => { m.rotation.y += .1; }"), Drawn(24)),
        (
            "random",
            with_box("m.scale.setScalar(Math.random()); m.rotation.y = THREE.MathUtils.randFloat(0, 1)"),
            Drawn(24),
        ),
        (
            "heavy",
            returning(
                "new THREE.Mesh(new THREE.PlaneGeometry(.9, .9, 498, 498), new THREE.MeshPhysicalMaterial({ clearcoat: 1 }))",
            ),
            Drawn(249_001),
        ),
        (
            "hoisted",
            format!(
                "{}\nfunction side() {{ return .5; }}",
                returning("new THREE.Mesh(new THREE.BoxGeometry(side(), .1, .1))")
            ),
            Drawn(24),
        ),
        ("not a number", with_box("m.geometry.attributes.position.setX(0, NaN)"), Drawn(24)),
        ("debugger", with_box("for (let n = 0; n < 9; n++) debugger"), Drawn(24)),
        // What the network is asked for is refused by the page's policy, which no one is told.
        ("import", with_box("import('http://127.0.0.1:9/x.js').catch(() => {})"), Drawn(24)),
        ("worker", when_drawn("new w.Worker(w.URL.createObjectURL(new w.Blob(['for(;;);'])))"), Drawn(24)),
        (
            "forged picture",
            when_drawn("w.HTMLCanvasElement.prototype.toDataURL = () => 'data:image/png;base64,AAAA'"),
            Drawn(24),
        ),
    ]
}

/// Those that break a rule when they run.
fn breaking() -> Vec<(&'static str, String, Told)> {
    let execution = |told: &'static str| Refused(&["EXECUTION_THREW"], told);
    let violation = |told: &'static str| Refused(&["RUNTIME_VIOLATION"], told);
    vec![
        ("throws", with_box("throw new Error('of its own')"), execution("of its own")),
        ("throws what cannot be read", with_box("throw { toString() { for (;;); }, get message() { throw 1; } }"), execution("cannot be read")),
        ("throws nothing", with_box("throw null"), execution("null")),
        ("does not compile", with_box("return ("), execution("Unexpected token")),
        ("breaks out", "}}}}, globalThis.x = 1, function () { return function () { return function () { return function () { export default 1".into(), execution("Unexpected token")),
        ("late constant", format!("{}\nconst side = .5;", returning("new THREE.Mesh(new THREE.BoxGeometry(side, .1, .1))")), execution("before initialization")),
        ("no export", "const a = 1;".into(), execution("no default export")),
        ("no function", "export default 5".into(), execution("no function")),
        ("excluded", returning("new THREE.SkinnedMesh()"), execution("THREE.SkinnedMesh is forbidden")),
        ("unknown", returning("new THREE.Gizmo()"), execution("THREE.Gizmo is not a recognized Three.js API")),
        ("changes three.js", with_box("THREE.Mesh = 1"), execution("cannot be changed")),
        ("dialog", with_box("alert(1)"), execution("alert is not defined")),
        ("overflows the stack", with_box("(function f() { f(); })()"), execution("call stack")),
        ("fetch", with_box("try { fetch('http://127.0.0.1:9/'); } catch {}"), violation("fetch was read")),
        ("clock", with_box("g.name = String(new Date())"), violation("Date was read")),
        ("document", with_box("g.name = typeof document"), violation("document was read")),
        ("eval", with_box("eval('1')"), violation("eval was read")),
        ("code from text", with_box("(() => {})['constr' + 'uctor']('return this')()"), violation("constructor was read")),
        ("promise", "export default function () { return new Promise(() => {}); }".into(), Refused(&["ASYNC_NOT_ALLOWED"], "Promise")),
        ("getter that throws", with_box("Object.defineProperty(g, 'children', { get() { throw new Error('not for you'); } })"), execution("not for you")),
    ]
}

/// Those that return what they must not.
fn post_validated() -> Vec<(&'static str, String, Told)> {
    let invalid = || Refused(&["INVALID_RETURN_TYPE"], "neither Group");
    let cycle = || Refused(&["CYCLE_DETECTED"], "twice");
    let out = |told: &'static str| Refused(&["BOUNDING_BOX_OUT_OF_RANGE"], told);
    vec![
        ("nothing", with_box("return"), invalid()),
        ("object", returning("new THREE.Object3D()"), invalid()),
        ("line", returning("new THREE.Line(new THREE.BoxGeometry(), new THREE.LineBasicMaterial())"), invalid()),
        ("thenable", returning("{ then() {} }"), invalid()),
        ("forged class", "export default function (THREE) { Object.defineProperty(THREE.Group, Symbol.hasInstance, { value: () => true }); return { isGroup: true, children: [] }; }".into(), invalid()),
        ("cyclic", with_box("m.children.push(g)"), cycle()),
        ("shared", with_box("g.children.push(m)"), cycle()),
        ("deep", with_box("let at = m; for (let n = 0; n < 33; n++) { const next = new THREE.Group(); at.add(next); at = next; }"), Refused(&["DEPTH_LIMIT_EXCEEDED"], "deeper than 32")),
        ("deepest", with_box("let at = g; for (let n = 0; n < 100000; n++) { const next = new THREE.Group(); next.parent = at; at.children.push(next); at = next; }"), Refused(&["DEPTH_LIMIT_EXCEEDED"], "deeper than 32")),
        ("empty", returning("new THREE.Group()"), Refused(&["EMPTY_SCENE"], "")),
        ("large", returning("new THREE.Mesh(new THREE.BoxGeometry(1.01, .1, .1))"), out("x is from -0.50")),
        ("moved", with_box("m.position.y = .3"), out("y is from 0.0")),
        ("forged box", with_box("m.geometry = new THREE.BoxGeometry(2, 2, 2); m.geometry.boundingBox = new THREE.Box3(new THREE.Vector3(), new THREE.Vector3())"), out("from -1 to 1")),
        ("many vertices", returning("new THREE.Mesh(new THREE.PlaneGeometry(.9, .9, 600, 600))"), Refused(&["VERTEX_LIMIT_EXCEEDED"], "361201")),
        ("forged count", with_box("m.geometry = new THREE.PlaneGeometry(.9, .9, 600, 600); m.geometry.attributes.position.count = 3"), Refused(&["VERTEX_LIMIT_EXCEEDED"], "361201")),
        ("draw calls", with_box("for (let n = 0; n < 200; n++) g.add(m.clone())"), Refused(&["DRAW_CALL_LIMIT_EXCEEDED"], "201")),
        ("instances", returning("new THREE.InstancedMesh(new THREE.BoxGeometry(.1, .1, .1), new THREE.MeshBasicMaterial(), 50001)"), Refused(&["INSTANCE_LIMIT_EXCEEDED"], "50001")),
        ("huge textures", with_box("m.material.map = new THREE.DataTexture(new Uint8Array(1025 * 1024 * 4), 1025, 1024)"), Refused(&["TEXTURE_DATA_EXCEEDED"], "4198400")),
        (
            "all at once",
            returning("new THREE.InstancedMesh(new THREE.PlaneGeometry(2, 2, 600, 600), new THREE.MeshBasicMaterial(), 50001)"),
            Refused(&["BOUNDING_BOX_OUT_OF_RANGE", "VERTEX_LIMIT_EXCEEDED", "INSTANCE_LIMIT_EXCEEDED"], ""),
        ),
        // What the page counts with is taken before, and elsewhere.
        (
            "forged language",
            with_box(
                "const b = new THREE.Mesh(new THREE.BoxGeometry(3, 3, 3)); g.add(b);
                 Array.prototype.push = function () { return 0; };
                 Object.defineProperty(Array.prototype, '0', { set() {}, get() { return 7; } });
                 JSON.stringify = () => '{\"failures\":[],\"metrics\":null}'; Set.prototype.has = () => false;
                 Math.max = () => 0; Math.min = () => 0; Object.prototype.toJSON = () => 1; Array.isArray = () => false;
                 Object.defineProperty(Object.prototype, 'failures', { get() { return []; }, set() {} })",
            ),
            out("from -1.5 to 1.5"),
        ),
        ("our own words", with_box("g.run = g.draw = () => '{}'; this.run = 1"), Refused(&["EXECUTION_THREW"], "undefined")),
    ]
}

/// Each of these, twice: the same is told, in bounded time, and the pictures have the same bytes.
fn told(pool: &Pool, modules: Vec<(&'static str, String, Told)>) {
    for (name, source, expected) in modules {
        let begun = Instant::now();
        let first = draw(pool, &source);
        let second = draw(pool, &source);
        assert!(begun.elapsed() < BOUNDED, "{name}: {:?}", begun.elapsed());
        match (&first, &second) {
            (Ok(first), Ok(second)) => assert!(first == second, "{name}: drawn twice, and not the same"),
            _ => assert_eq!(format!("{first:?}"), format!("{second:?}"), "{name}"),
        }
        match (expected, first) {
            (Drawn(vertices), Ok(rendered)) => assert_eq!(rendered.metrics.vertices, vertices, "{name}"),
            (Refused(rules, detail), Err(RenderError::Refused { failures, .. })) => {
                let found: Vec<&str> = failures.iter().map(|failure| failure.rule.as_str()).collect();
                assert_eq!(found, rules, "{name}: {failures:?}");
                assert!(failures.iter().any(|failure| failure.detail.contains(detail)), "{name}: {failures:?}");
            }
            (_, other) => panic!("{name}: {:?}", other.map(|rendered| rendered.metrics)),
        }
    }
}

fn told_and_ended(modules: Vec<(&'static str, String, Told)>) {
    let Some((settings, _turn)) = settings() else { return };
    let pool = Pool::open(settings).unwrap();
    told(&pool, modules);
    let groups = pool.idle_groups();
    assert_eq!(groups.len(), 1, "one thread needs one browser");
    drop(pool);
    assert!(groups.into_iter().all(is_gone), "a browser is left");
}

#[test]
fn modules_that_keep_the_rules_are_drawn() {
    told_and_ended(tame());
}

#[test]
fn modules_that_break_a_rule_as_they_run_are_refused() {
    told_and_ended(breaking());
}

#[test]
fn modules_that_return_what_they_must_not_are_refused() {
    told_and_ended(post_validated());
}
