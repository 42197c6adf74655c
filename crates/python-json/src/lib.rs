//! JSON as Python's `json.loads` reads it, where the truth is a Python reader: the JSON chunk of a model,
//! and what miners reveal on chain. Files of a competition are strict JSON, and are read elsewhere.
//!
//! It takes more than JSON is: `NaN`, `Infinity` and `-Infinity`, numbers beyond every double (infinite),
//! whole numbers of up to 4300 digits, halves of surrogate pairs in escapes, keys given twice (the last
//! value stands, where the first one stood). What Python makes of some hundreds of texts is kept beside the
//! tests, and they compare.
//!
//! [`read`] is for text. [`codings`] and [`decode`] make text of a model's chunk, as the reference loader does.

mod chunk;
mod reader;
mod value;

pub use chunk::{Coding, codings, decode};
pub use reader::{DEEPEST, MOST_DIGITS, read};
pub use value::{Map, Text, Value};
