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
        _ => scalar(value),
    }
}

/// A number or an array of numbers.
pub(crate) fn given(value: &Value) -> Option<Given> {
    if value.is_array() { array(value).map(Given::Array) } else { scalar(value).map(Given::Number) }
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
            values.push(scalar(value)?);
            Some(())
        }
    }
}

fn scalar(value: &Value) -> Option<f64> {
    match value {
        Value::String(_) => spelled(value.as_str()?),
        _ => value.as_f64(),
    }
}

/// The number that Python reads in a text: blanks around it, and single `_` between its digits, are allowed.
fn spelled(text: &str) -> Option<f64> {
    let text = text.trim();
    if !text.contains('_') {
        return text.parse().ok();
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |(at, _)| digit(usize::checked_sub(at, 1)) && digit(at.checked_add(1));
    if text.match_indices('_').all(between) { text.replace('_', "").parse().ok() } else { None }
}

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
