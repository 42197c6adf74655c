//! Models whose JSON only Python takes for JSON: the reference loader is written in it.

use gen404_preview::{self as preview, Options, RefusalCode};
use python_json::DEEPEST;

use crate::bombs;

fn render(glb: &[u8]) -> Result<Vec<u8>, RefusalCode> {
    let preview = preview::render(glb, &Options { size: 16, ..Options::default() });
    preview.map(|preview| preview.rgb().to_vec()).map_err(|refusal| refusal.code)
}

/// A small model with this text in its JSON, where each `~` becomes a byte.
fn with(text: &str, bytes: &[u8]) -> Vec<u8> {
    let mut glb = bombs::json_with("extras", text);
    let length = u32::from_le_bytes(glb[12..16].try_into().unwrap()) as usize;
    let places: Vec<usize> = (20..20 + length).filter(|at| glb[*at] == b'~').collect();
    assert_eq!(places.len(), bytes.len());
    places.into_iter().zip(bytes).for_each(|(at, byte)| glb[at] = *byte);
    glb
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}0{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn what_python_takes_is_drawn() {
    let plain = render(&with("0", &[])).unwrap();
    let large = "9".repeat(4300);
    for text in ["NaN", "[Infinity, -Infinity]", "1e400", &large, r#""\ud800""#, r#"{"\udfff": 1, "a": 2, "a": 3}"#] {
        assert_eq!(render(&with(text, &[])).as_ref(), Ok(&plain), "{text}");
    }
    // The document is one deep itself.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert_eq!(render(&with(&nested(open, close, DEEPEST - 1), &[])).as_ref(), Ok(&plain));
    }
    // GBK, Shift JIS and ISO 8859-1; the second one has what looks like a backslash before the quote.
    for name in [&[0xc4, 0xa3, 0xd0, 0xcd][..], &[0x95, b'\\'], &[0xe9]] {
        let text = format!("\"{}\"", "~".repeat(name.len()));
        assert_eq!(render(&with(&text, name)).as_ref(), Ok(&plain), "{name:?}");
    }
}

#[test]
fn what_python_refuses_is_refused() {
    let large = "9".repeat(4301);
    let deep = nested("[", "]", DEEPEST);
    let deeper = nested("{\"a\":[", "]}", 100_000);
    for text in ["nan", "-NaN", "01", "1.", "'a'", "[1,]", "\"\t\"", "\"\\x41\"", &large, &deep, &deeper, "0} //"] {
        assert_eq!(render(&with(text, &[])), Err(RefusalCode::ContainerJson), "{text:.20}");
    }
    assert_eq!(render(&with("~", &[0xff])), Err(RefusalCode::ContainerJson));
}

/// On the stack of a thread that nobody gave more: an unoptimised build overflows it first.
#[test]
fn the_deepest_model_needs_no_large_stack() {
    let glb = with(&nested("{\"a\":[", "]}", DEEPEST / 2 - 1), &[]);
    let drawn = std::thread::Builder::new().stack_size(1 << 20).spawn(move || render(&glb).is_ok());
    assert!(drawn.unwrap().join().unwrap());
}
