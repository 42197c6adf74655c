//! JSON values as the reference's arrays and numbers take them: text that spells a number counts as one,
//! `true` as 1, null within a list as none.

use python_json::Value;

/// A list, or a list of lists of one length each, as one array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    /// The length of each dimension, the outermost first.
    pub(crate) shape: Vec<usize>,
    /// The numbers, row by row.
    pub(crate) values: Vec<f64>,
}

/// A value of the file where the reference looks for numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given {
    /// One number, or text that spells one.
    Number(f64),
    /// A list of them.
    Array(Array),
}

/// A single number: a number, text that spells one, a truth value, or a list of just one number.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Array(_) => match array(value)?.values[..] {
            [one] => Some(one),
            _ => None,
        },
        _ => number_of(value),
    }
}

/// A number or an array of numbers.
pub(crate) fn given(value: &Value) -> Option<Given> {
    if value.is_array() { array(value).map(Given::Array) } else { number_of(value).map(Given::Number) }
}

/// A list as an array; `None` where the reference fails: texts that are no numbers, objects, ragged lists.
pub(crate) fn array(value: &Value) -> Option<Array> {
    let mut shape = Vec::new();
    let mut first = value;
    while let Value::Array(items) = first {
        /// The reference's arrays have no more dimensions.
        const DEEPEST: usize = 64;
        shape.push(items.len());
        match items.first() {
            Some(item) if shape.len() <= DEEPEST => first = item,
            Some(_) => return None,
            None => break,
        }
    }
    let mut values = Vec::new();
    fill(value, &shape, &mut values)?;
    Some(Array { shape, values })
}

fn fill(value: &Value, shape: &[usize], values: &mut Vec<f64>) -> Option<()> {
    match (value, shape) {
        (Value::Array(items), [len, inner @ ..]) if items.len() == *len => {
            items.iter().try_for_each(|item| fill(item, inner, values))
        }
        (Value::Array(_), _) | (_, [_, ..]) => None,
        (Value::Null, []) => {
            values.push(f64::NAN);
            Some(())
        }
        (_, []) => {
            values.push(number_of(value)?);
            Some(())
        }
    }
}

/// A number, or text that spells one: what Python's `float` takes.
pub(crate) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::String(_) => spelled(value.as_str()?),
        _ => value.as_f64(),
    }
}

/// The number that Python reads in a text: blanks around it, single `_` between its digits, and the decimal digits of
/// every script are allowed.
fn spelled(text: &str) -> Option<f64> {
    let ascii = text.chars().map(in_ascii).collect::<Option<String>>()?;
    let text = ascii.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    if !text.contains('_') {
        return text.parse().ok();
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |(at, _)| digit(usize::checked_sub(at, 1)) && digit(at.checked_add(1));
    if text.match_indices('_').all(between) { text.replace('_', "").parse().ok() } else { None }
}

/// A digit of any script as the common one, any blank as the common one; `None` for other letters.
fn in_ascii(letter: char) -> Option<char> {
    if letter.is_ascii() {
        return Some(letter);
    }
    if letter.is_whitespace() {
        return Some(' ');
    }
    let code = u32::from(letter);
    let zero = ZEROS.get(ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?)?;
    char::from_digit(code - zero, 10)
}

/// The zeros of the scripts beside ASCII, as Unicode 14 has them; the other nine digits follow each.
const ZEROS: [u32; 65] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x1_04a0, 0x1_0d30, 0x1_1066, 0x1_10f0, 0x1_1136, 0x1_11d0,
    0x1_12f0, 0x1_1450, 0x1_14d0, 0x1_1650, 0x1_16c0, 0x1_1730, 0x1_18e0, 0x1_1950, 0x1_1c50, 0x1_1d50, 0x1_1da0,
    0x1_6a60, 0x1_6ac0, 0x1_6b50, 0x1_d7ce, 0x1_d7d8, 0x1_d7e2, 0x1_d7ec, 0x1_d7f6, 0x1_e140, 0x1_e2f0, 0x1_e950,
    0x1_fbf0,
];

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! json {
        ($($value:tt)*) => { Value::from(&serde_json::json!($($value)*)) };
    }

    #[test]
    fn texts_are_numbers_where_python_reads_them_so() {
        for (text, value) in [("0.5", 0.5), (" 0.5\n", 0.5), ("1_0", 10.0), ("-inf", f64::NEG_INFINITY), ("1e5", 1e5)] {
            assert_eq!(number(&json!(text)), Some(value), "{text}");
        }
        assert!(number(&json!("NaN")).is_some_and(f64::is_nan));
        for text in ["0x1", "", "_1", "1__0", "1_", "x"] {
            assert_eq!(number(&json!(text)), None, "{text}");
        }
        // By Python's own answers.
        for (text, value) in [
            ("\u{661}1", Some(11.0)),
            ("\u{661}_\u{662}", Some(12.0)),
            ("\u{ff11}.\u{ff15}", Some(1.5)),
            ("+\u{1d7d9}e\u{1fbf1}", Some(10.0)),
            ("\u{3000}0.5\u{85}", Some(0.5)),
            ("\u{b2}", None),
            ("\u{2460}", None),
            ("\u{66a}", None),
            ("\u{661}\u{66b}5", None),
            ("\u{2212}1", None),
            ("1\u{200b}", None),
            ("0.5\u{1c}", None),
            ("\u{661}\u{1c}", None),
        ] {
            assert_eq!(number(&json!(text)), value, "{text:?}");
        }
        assert!(ZEROS.windows(2).all(|pair| pair[0] + 9 < pair[1]), "digits of two scripts overlap");
        assert_eq!(number(&json!([["0.5"]])), Some(0.5));
        for other in [json!([1, 2]), json!([]), json!({}), json!(null)] {
            assert_eq!(number(&other), None, "{other}");
        }
    }

    #[test]
    fn lists_have_one_shape() {
        let found = array(&json!([[1, "2"], [true, 4.5]])).unwrap();
        assert_eq!(found, Array { shape: vec![2, 2], values: vec![1.0, 2.0, 1.0, 4.5] });
        assert_eq!(array(&json!([[]])).unwrap().shape, [1, 0]);
        assert!(array(&json!([null])).unwrap().values[0].is_nan());
        for bad in [json!([[1], [2, 3]]), json!([1, [2]]), json!([{}]), json!(["x"]), json!([[1], 2])] {
            assert_eq!(array(&bad), None, "{bad}");
        }
    }
}
