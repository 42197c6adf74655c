//! The reader. It keeps what is open in a list, not on the stack: how deep a text nests is no danger.

use std::mem;

use super::value::{Map, Text, Value};

/// Deepest nesting. Python stops at 1000 frames, of which callers take some: this is what was left when the
/// reference loader was called from a script (CPython 3.11).
pub const DEEPEST: usize = 990;
/// Most digits of a whole number: `int` makes no number of more.
pub const MOST_DIGITS: usize = 4300;

/// The value of a text, as `json.loads` reads a `str`.
///
/// # Errors
/// What is wrong with it, and in which line and column.
pub fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let read = reader.document();
    read.map_err(|why| {
        let before = text.get(..reader.at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let lines = before.matches('\n').count() + 1;
        format!("{why} at line {lines} column {}", line.chars().count() + 1)
    })
}

/// What is wrong where the reader stands.
type Read<T> = Result<T, &'static str>;

const NO_VALUE: &str = "no value";

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// A list or an object whose end is still to come.
enum Open {
    List(Vec<Value>),
    /// The members, and the key of the next one.
    Object(Box<Map>, Text),
}

impl Open {
    /// Takes the next value in, and says what ends the whole.
    fn put(&mut self, value: Value) -> u8 {
        match self {
            Self::List(list) => {
                list.push(value);
                b']'
            }
            Self::Object(map, key) => {
                map.insert(mem::take(key), value);
                b'}'
            }
        }
    }

    fn whole(self) -> Value {
        match self {
            Self::List(list) => Value::Array(list),
            Self::Object(map, _) => Value::Object(map),
        }
    }
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Read<Value> {
        if self.text.starts_with('\u{feff}') {
            return Err("a byte order mark (BOM)");
        }
        let value = self.value()?;
        self.skip_space();
        if self.at < self.text.len() { Err("something after the value") } else { Ok(value) }
    }

    fn value(&mut self) -> Read<Value> {
        let mut open = Vec::new();
        loop {
            let Some(done) = self.begin(&mut open)? else { continue };
            if let Some(whole) = self.end(done, &mut open)? {
                return Ok(whole);
            }
        }
    }

    /// Reads a value up to its end, or up to the first value within it.
    fn begin(&mut self, open: &mut Vec<Open>) -> Read<Option<Value>> {
        self.skip_space();
        let Some(first @ (b'[' | b'{')) = self.peek() else { return self.scalar().map(Some) };
        if open.len() >= DEEPEST {
            return Err("nesting deeper than Python reads");
        }
        self.at += 1;
        self.skip_space();
        if first == b'[' {
            if self.take(b']') {
                return Ok(Some(Value::Array(Vec::new())));
            }
            open.push(Open::List(Vec::new()));
        } else {
            if self.take(b'}') {
                return Ok(Some(Value::Object(Box::default())));
            }
            open.push(Open::Object(Box::default(), self.key()?));
        }
        Ok(None)
    }

    /// Puts a value where it belongs, and closes what ends after it. The outermost value is given back once
    /// it is whole; else another value follows.
    fn end(&mut self, mut done: Value, open: &mut Vec<Open>) -> Read<Option<Value>> {
        loop {
            let Some(mut around) = open.pop() else { return Ok(Some(done)) };
            let end = around.put(done);
            self.skip_space();
            if self.take(b',') {
                if let Open::Object(_, key) = &mut around {
                    self.skip_space();
                    *key = self.key()?;
                }
                open.push(around);
                return Ok(None);
            }
            if !self.take(end) {
                return Err("neither a comma nor the end of the list or object");
            }
            done = around.whole();
        }
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Read<Text> {
        if !self.take(b'"') {
            return Err("no key in double quotes");
        }
        let key = self.string()?;
        self.skip_space();
        if self.take(b':') { Ok(key) } else { Err("no colon after the key") }
    }

    fn scalar(&mut self) -> Read<Value> {
        match self.rest() {
            [b'"', ..] => {
                self.at += 1;
                self.string().map(Value::String)
            }
            [b'n', ..] => self.word("null", Value::Null),
            [b't', ..] => self.word("true", Value::Bool(true)),
            [b'f', ..] => self.word("false", Value::Bool(false)),
            [b'N', ..] => self.word("NaN", Value::Float(f64::NAN)),
            [b'I', ..] => self.word("Infinity", Value::Float(f64::INFINITY)),
            [b'-', b'I', ..] => self.word("-Infinity", Value::Float(f64::NEG_INFINITY)),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(NO_VALUE);
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        self.take(b'-');
        let first = self.at;
        if !self.take(b'0') && self.digits() == 0 {
            self.at = start;
            return Err(NO_VALUE);
        }
        let digits = self.at - first;
        let fraction = self.part(|reader| reader.take(b'.'));
        let exponent = self.part(|reader| {
            let marked = reader.take(b'e') || reader.take(b'E');
            let _sign = marked && (reader.take(b'+') || reader.take(b'-'));
            marked
        });
        let text = self.text.get(start..self.at).unwrap_or_default();
        if fraction || exponent {
            return text.parse().map(Value::Float).map_err(|_| "no number");
        }
        if digits > MOST_DIGITS {
            return Err("a whole number of more digits than Python reads");
        }
        Ok(text.parse().map_or_else(|_| Value::Big(text.into()), Value::Int))
    }

    /// A part of a number: a mark and digits. Nothing is read where the digits lack.
    fn part(&mut self, mark: impl Fn(&mut Self) -> bool) -> bool {
        let start = self.at;
        let there = mark(self) && self.digits() > 0;
        if !there {
            self.at = start;
        }
        there
    }

    /// Passes over digits and counts them.
    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// The string whose opening quote was read.
    fn string(&mut self) -> Read<Text> {
        let mut out = Vec::new();
        loop {
            let rest = self.rest();
            let run = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let Some((before, [mark, ..])) = run.and_then(|run| rest.split_at_checked(run)) else {
                return Err("a string without an end");
            };
            out.extend_from_slice(before);
            self.at += before.len();
            match mark {
                b'"' => {
                    self.at += 1;
                    return Ok(Text::of(out));
                }
                b'\\' => self.escape(&mut out)?,
                _ => return Err("a control character in a string"),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let byte = match self.rest() {
            [_, byte @ (b'"' | b'\\' | b'/'), ..] => *byte,
            [_, b'b', ..] => 0x08,
            [_, b'f', ..] => 0x0c,
            [_, b'n', ..] => b'\n',
            [_, b'r', ..] => b'\r',
            [_, b't', ..] => b'\t',
            _ => return self.unicode(out),
        };
        out.push(byte);
        self.at += 2;
        Ok(())
    }

    /// `\uXXXX`, or two of them that make a pair.
    fn unicode(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let unit = self.unit().ok_or("an escape that JSON does not have")?;
        let second = if (0xd800..0xdc00).contains(&unit) { self.peek_unit() } else { None };
        let pair = second.and_then(|second| char::decode_utf16([unit, second]).next()?.ok());
        match pair.or_else(|| char::from_u32(u32::from(unit))) {
            Some(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {
                let [high, low] = unit.to_be_bytes();
                out.extend([0xed, 0x80 | (high & 0x0f) << 2 | low >> 6, 0x80 | low & 0x3f]);
            }
        }
        if pair.is_some() {
            self.at += 6;
        }
        Ok(())
    }

    fn unit(&mut self) -> Option<u16> {
        let unit = self.peek_unit()?;
        self.at += 6;
        Some(unit)
    }

    fn peek_unit(&self) -> Option<u16> {
        let [b'\\', b'u', digits @ ..] = self.rest().get(..6)? else { return None };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
        digits.iter().try_fold(0, |unit, byte| Some(unit << 4 | digit(byte)?))
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}
