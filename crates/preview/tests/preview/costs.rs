//! What real models cost, far below each limit.

use gen404_preview::limits::{MAX_FILE_BYTES, MAX_JSON_BYTES, MAX_JSON_VALUES, MAX_MEMORY, MAX_WORK};
use gen404_preview::{self as preview, Cost, Options};

use crate::reference::models as reference_models;

/// Bytes and bounds on the values of a GLB's JSON.
fn json_of(glb: &[u8]) -> (usize, usize) {
    let length = glb.get(12..16).map_or(0, |b| u32::from_le_bytes(b.try_into().unwrap()) as usize);
    let text = glb.get(20..20 + length).unwrap_or_default();
    (length, text.iter().filter(|byte| b",[{".contains(byte)).count())
}

#[test]
fn real_models_stay_far_below_each_limit() {
    let Some(models) = reference_models() else { return };
    let mut worst = (Cost { bytes: 0, work: 0 }, (0, 0));
    for model in models.iter().filter(|model| model.accepted) {
        let glb = std::fs::read(&model.path).unwrap();
        let Ok(Cost { bytes, work }) = preview::cost(&glb, &Options::default()) else { continue };
        let (text, values) = json_of(&glb);
        println!(
            "{:<28} {:>9} bytes  {:>10} work  {text:>7} bytes and {values:>5} values of JSON",
            model.name, bytes, work
        );
        let below = |value: u64, limit: u64| assert!(value < limit / 10, "{}: {value} of {limit}", model.name);
        below(bytes, MAX_MEMORY);
        below(work, MAX_WORK);
        below(glb.len() as u64, MAX_FILE_BYTES);
        below(text as u64, MAX_JSON_BYTES as u64);
        below(values as u64, MAX_JSON_VALUES as u64);
        worst.0 = Cost { bytes: worst.0.bytes.max(bytes), work: worst.0.work.max(work) };
        worst.1 = (worst.1.0.max(text), worst.1.1.max(values));
    }
    println!("most of each: {worst:?}");
}
