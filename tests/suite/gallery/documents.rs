//! Models whose JSON is small to write and large to hold, and others whose words are meant for the terminal.

use std::fmt::Write as _;
use std::fs::File;

use super::glb::{copies, model, refused, render};
use super::harness::{World, check};
use super::pattern::Pattern;

/// A sound model with more members in its document: each begins with a comma.
fn with(members: Pattern) -> Pattern {
    copies(2).with(members).glb()
}

/// A sound model with a list of one thing, many times.
fn list(key: &str, item: &str, times: u64) -> Pattern {
    with(Pattern::of(format!(",\"{key}\":[")).times(format!("{item},"), times - 1).then(format!("{item}]")))
}

#[test]
fn zeros_in_extras() {
    refused(render("98 million zeros in extras", &list("extras", "0", 98_000_000)));
    render("100,000 zeros in extras", &list("extras", "0", 100_000)).ends(&[0]);
}

#[test]
fn nested_empty_lists() {
    refused(render("64 million empty lists", &list("extras", "[]", 64_000_000)));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    refused(render("lists in lists, 100 deep, 900,000 times", &list("extras", &deep, 900_000)));
    for depth in [1_000, 10_000_000] {
        let nested = Pattern::of(",\"extras\":").times("[", depth).times("]", depth);
        refused(render(&format!("lists nested {depth} deep"), &with(nested)));
        let nested = Pattern::of(",\"extras\":").times("{\"a\":", depth).then("0").times("}", depth);
        refused(render(&format!("objects nested {depth} deep"), &with(nested)));
    }
}

#[test]
fn a_million_and_a_half_accessors() {
    let accessor = r#"{"count":0,"componentType":5126,"type":"VEC3"}"#;
    refused(render("1.5 million accessors", &list("accessors", accessor, 1_500_000)));
    let view = r#"{"buffer":0,"byteLength":0}"#;
    refused(render("3 million buffer views", &list("bufferViews", view, 3_000_000)));
}

#[test]
fn millions_of_empty_entries() {
    refused(render("66 million empty materials", &list("materials", "{}", 66_000_000)));
    for key in ["nodes", "images", "textures", "samplers", "buffers", "skins", "animations", "extensionsUsed"] {
        refused(render(&format!("20 million empty {key}"), &list(key, "{}", 20_000_000)));
    }
    refused(render("20 million meshes", &list("meshes", "{\"primitives\":[]}", 8_000_000)));
    let children = Pattern::of(",\"nodes\":[{\"children\":[").times("0,", 40_000_000).then("0]}]");
    refused(render("a node of 40 million children", &with(children)));
}

#[test]
fn long_words_and_numbers() {
    let long = |before: &str, piece: &str, times: u64, after: &str| {
        with(Pattern::of(format!(",\"extras\":{before}")).times(piece, times).then(after))
    };
    refused(render("a text of 150 MB", &long("\"", "a", 150_000_000, "\"")));
    refused(render("a text of escapes", &long("\"", "\\u0041", 20_000_000, "\"")));
    refused(render("a number of 50 million digits", &long("", "1", 50_000_000, "")));
    refused(render("a fraction of 50 million digits", &long("0.", "7", 50_000_000, "")));
    refused(render("an exponent of 50 million digits", &long("1e", "9", 50_000_000, "")));
    refused(render("blanks of 150 MB", &long("", " ", 150_000_000, "0")));
    refused(render("a text that does not end", &long("\"", "a", 100_000_000, "")));
    refused(render("not-a-numbers, 40 million", &long("[", "NaN,", 40_000_000, "NaN]")));
    refused(render("a key of 100 MB", &with(Pattern::of(",\"").times("k", 100_000_000).then("\":0"))));
}

#[test]
fn a_million_keys_of_their_own() {
    let mut keys = String::from(",\"extras\":{");
    for n in 0..3_000_000 {
        write!(keys, "\"{n:x}\":0,").unwrap();
    }
    keys.push_str("\"end\":0}");
    refused(render("3 million keys", &with(Pattern::of(keys))));
}

#[test]
fn a_buffer_in_the_text() {
    let bytes = Pattern::of(",\"buffers\":[{\"uri\":\"data:application/octet-stream;base64,")
        .times("AAAA", 40_000_000)
        .then("\"}]");
    refused(render("a buffer of 120 MB in the text", &with(bytes)));
    let one = r#"{"uri":"data:;base64,AAAA"}"#;
    refused(render("2 million buffers in the text", &list("buffers", one, 2_000_000)));
}

#[test]
fn zeros_that_no_bytes_stand_for() {
    let zeros = |count: u64| format!(r#"{{"count":{count},"componentType":5126,"type":"MAT4"}}"#);
    for count in [10_000_000, 4_294_967_295, 9_007_199_254_740_993, i64::MAX as u64] {
        let accessors = list("accessors", &zeros(count), 40);
        refused(render(&format!("accessors of {count} without bytes"), &accessors));
    }
}

#[test]
fn chunks_and_lengths_that_lie() {
    let cut = |json: u32, total: u32| {
        let head =
            [b"glTF".as_slice(), &2u32.to_le_bytes(), &total.to_le_bytes(), &json.to_le_bytes(), b"JSON"].concat();
        Pattern::of(head).then("{}  ")
    };
    for (json, total) in [(u32::MAX, u32::MAX), (0x7fff_fff0, 24), (4, u32::MAX), (0, 0)] {
        refused(render(&format!("a JSON chunk of {json} in a file of {total}"), &cut(json, total)));
    }
    let empty = [&0u32.to_le_bytes(), b"BIN\0".as_slice()].concat();
    let mut chunks = cut(4, u32::MAX).bytes();
    chunks[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    refused(render("20 million empty chunks", &Pattern::of(chunks).times(empty, 20_000_000)));
}

#[test]
fn files_that_are_no_models() {
    let world = World::bare();
    let path = model(&world, &Pattern::of("glTF"));
    File::options().write(true).open(&path).unwrap().set_len(64 << 30).unwrap();
    let args = ["render", path.to_str().unwrap(), "--out", "../out"];
    world.run("a model of 64 GiB, all hole", &args).ends(&[1]).says(&["model.glb"]);
    world.run("/dev/zero as a model", &["render", "/dev/zero", "--out", "../out"]).ends(&[1, 2]).says(&["/dev/zero"]);
    world.fifo("model.glb");
    world.run("a FIFO as a model", &["render", "model.glb"]).ends(&[1]).says(&["model.glb"]);
    std::fs::create_dir(world.repo().join("folder.glb")).unwrap();
    world.run("a folder as a model", &["render", "folder.glb"]).ends(&[1]).says(&["folder.glb"]);
}

#[test]
fn two_models_at_once_share_the_memory() {
    let world = World::bare();
    let paths: Vec<String> = (0..3)
        .map(|n| {
            let path = world.top().join(format!("models/{n}/model.glb"));
            list("extras", "0", 90_000_000).write(&path);
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let args: Vec<&str> = ["render", "--no-progress"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    world.run("three models of 180 MB at once", &args).ends(&[1]);
}

#[test]
fn names_of_extensions() {
    let names = Pattern::of(",\"extensionsRequired\":[").times("\"a\",", 99_999).then("\"a\"]");
    let accessors = names.then(",\"accessors\":[").times("{},", 59_999).then("{}]");
    refused(render("100,000 required extensions beside 60,000 accessors", &with(accessors)));
}

#[test]
fn words_for_the_terminal() {
    let name = "\\u001b]0;owned\\u0007\\u001b[2J\\u202egnp.exe\\u0000\\u009b31m\\r";
    // Only what holds geometry is named in a refusal.
    let owned = |name: &str| format!("\"],\"buffers\":[{{\"extensions\":{{\"{name}\":0}}}}]");
    let required = format!(",\"extensionsRequired\":[\"{name}{}", owned(name));
    let outcome = refused(render("an extension named in escapes", &with(Pattern::of(required))));
    check(outcome.err.contains("required"), || outcome.err.clone());
    let long = Pattern::of(",\"extensionsRequired\":[\"").times("long ", 100_000);
    let long = long.then("\"],\"buffers\":[{\"extensions\":{\"").times("long ", 100_000).then("\":0}}]");
    let outcome = refused(render("an extension with a name of 500 kB", &with(long)));
    check(outcome.said().len() < 10_000, || format!("{} bytes were printed", outcome.said().len()));
    let kind = Pattern::of(format!(",\"accessors\":[{{\"count\":1,\"componentType\":5126,\"type\":\"{name}\"}}]"));
    refused(render("a type named in escapes", &with(kind)));
    // A file's own name is the world's, too.
    let world = World::bare();
    let path = world.repo().join("a\u{1b}[31m\u{202e}\n.glb");
    std::fs::write(&path, b"glTF").unwrap();
    let args = ["render", path.to_str().unwrap()];
    world.run("a file named in escapes", &args).ends(&[1]);
}
