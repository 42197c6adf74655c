//! What a store says in an answer's body: S3's XML, or the JSON of gateways and of other clouds' stores.

use serde_json::Value;
use xml::ParserConfig;
use xml::reader::{ParserConfig2, XmlEvent};

/// How many bytes of a body are read after its leading white space.
const MOST: usize = 1 << 20;

/// Errors are a few elements deep.
const DEEPEST: usize = 16;

/// The roots of errors, and of answers to a PUT that worked. Most stores answer a PUT with an empty body.
const ERRORS: [&str; 2] = ["Error", "ErrorResponse"];
const TAKEN: [&str; 3] = ["PutObjectResult", "PutObjectResponse", "PutObjectOutput"];

/// The members of JSON errors that hold code and message, in lower case.
const JSON_CODES: [&str; 5] = ["code", "errorcode", "error_code", "__type", "error"];
const JSON_MESSAGES: [&str; 6] = ["message", "msg", "errormessage", "error_message", "error_description", "detail"];

/// A body, as far as it is understood. Its texts are as received: they may hold secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Is there nothing but white space?
    pub(super) is_empty: bool,
    /// The XML root's name; empty without one.
    root: String,
    /// The error's code and message; empty if there are none.
    pub(super) code: String,
    pub(super) message: String,
    /// The bucket's region or endpoint, if the error names it.
    pub(super) place: Option<String>,
}

impl Said {
    /// Reads a body: as XML, and if `json`, also as JSON.
    pub(super) fn read(body: &[u8], json: bool) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
        match body {
            [] => Said { is_empty: true, ..Said::default() },
            [b'<' | 0 | 0xfe | 0xff, ..] => Said::of_xml(&decoded(body)),
            [b'{' | b'[', ..] if json => Said::of_json(body),
            _ => Said::default(),
        }
    }

    /// Is it an error, whatever the status? No object of ours begins like one.
    pub(super) fn is_error(&self) -> bool {
        ERRORS.iter().any(|root| self.root.eq_ignore_ascii_case(root))
    }

    /// Is it the answer to a PUT that worked? A proxy's or a portal's page says nothing about the object.
    pub(super) fn is_taken(&self) -> bool {
        self.is_empty || TAKEN.contains(&self.root.as_str())
    }

    /// Does it name an error, whatever its root?
    pub(super) fn names_an_error(&self) -> bool {
        self.is_error() || !self.code.is_empty()
    }

    fn of_xml(text: &str) -> Self {
        let mut said = Said::default();
        let mut rest = text.trim_start_matches(['\u{feff}', '\0']).trim_start();
        // The encoding is known by now, and a malformed declaration must not hide what follows.
        while let Some((_, after)) = rest.strip_prefix("<?").and_then(|inner| inner.split_once("?>")) {
            rest = after.trim_start();
        }
        let config = ParserConfig::new().cdata_to_characters(true).whitespace_to_characters(true);
        let config = ParserConfig2::from(config.replace_unknown_entity_references(true));
        let config = config.max_data_length(MOST).max_attribute_length(MOST).max_entity_expansion_length(1 << 16);
        let (mut open, mut text) = (Vec::new(), String::new());
        // What was read before a syntax error counts: a server may cut off its answer.
        for event in config.create_reader(rest.as_bytes()).into_iter().map_while(Result::ok) {
            match event {
                XmlEvent::StartElement { name, .. } => {
                    if open.is_empty() {
                        said.root.clone_from(&name.local_name);
                    }
                    open.push(name.local_name);
                    text.clear();
                    if open.len() > DEEPEST || said.root.eq_ignore_ascii_case("html") {
                        break;
                    }
                }
                XmlEvent::Characters(more) => text.push_str(&more),
                XmlEvent::EndElement { .. } => {
                    let name = open.pop().unwrap_or_default();
                    said.note(&name, text.trim());
                    text.clear();
                    if open.is_empty() {
                        break;
                    }
                }
                _ => {}
            }
        }
        said
    }

    /// Keeps the text of an element that is of interest: the first one of its name.
    fn note(&mut self, name: &str, text: &str) {
        match name.to_ascii_lowercase().as_str() {
            "code" if self.code.is_empty() => text.clone_into(&mut self.code),
            "message" if self.message.is_empty() => text.clone_into(&mut self.message),
            "region" | "endpoint" if self.place.is_none() && !text.is_empty() => self.place = Some(text.to_owned()),
            _ => {}
        }
    }

    fn of_json(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body.get(..MOST).unwrap_or(body)) else {
            return Said::default();
        };
        let value = first(&value);
        let mut said = Said::default();
        // The innermost says most.
        for place in
            [member(value, &["errors"]), member(value, &["error"]), Some(value)].into_iter().flatten().map(first)
        {
            let code = member(place, &JSON_CODES).and_then(word);
            // A text instead of an object is a message, unless it is a single word.
            let itself = Some(place).filter(|place| word(place).is_none());
            let message = member(place, &JSON_MESSAGES).or(itself).and_then(Value::as_str);
            if let Some(code) = code.filter(|_| said.code.is_empty()) {
                said.code = code;
            }
            if let Some(message) = message.filter(|_| said.message.is_empty()) {
                message.clone_into(&mut said.message);
            }
        }
        said
    }
}

/// The first value of a list, or the value itself.
fn first(value: &Value) -> &Value {
    value.as_array().and_then(|values| values.first()).unwrap_or(value)
}

/// A member by any of these names, in any case.
fn member<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    let members = value.as_object()?;
    let named = |wanted: &&str| members.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    names.iter().filter_map(named).map(|(_, value)| value).find(|value| !value.is_null())
}

/// A code: a word or a number, without its namespace. Anything longer is a message.
fn word(value: &Value) -> Option<String> {
    let code = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.rsplit('#').next().unwrap_or_default().trim().to_owned(),
        _ => return None,
    };
    (!code.is_empty() && !code.contains(char::is_whitespace)).then_some(code)
}

/// The beginning of a body as text without control characters, which XML does not allow: UTF-16 if its first bytes
/// say so, else UTF-8.
fn decoded(body: &[u8]) -> String {
    let body = body.get(..MOST).unwrap_or(body);
    let wide: Option<fn([u8; 2]) -> u16> = match body {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'<', ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    let text = match wide {
        Some(unit) => {
            let (units, _) = body.as_chunks::<2>();
            String::from_utf16_lossy(&units.iter().map(|pair| unit(*pair)).collect::<Vec<_>>())
        }
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let plain = |c: char| if c.is_control() && !c.is_ascii_whitespace() { '\u{fffd}' } else { c };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Said {
        Said::read(text.as_bytes(), true)
    }

    #[test]
    fn an_error_is_known_however_it_is_written() {
        let code = "<Code>SlowDown</Code><Message>a &amp; b</Message>";
        let plain = format!("<Error>{code}</Error>");
        let wide: Vec<u8> = format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for body in [
            plain.clone(),
            format!("\u{feff} {}{plain}", "\n".repeat(70_000)),
            format!("<?xml version=\"1.0\"?>{}{plain}", " ".repeat(70_000)),
            format!("<?xml?><!DOCTYPE x>{plain}"),
            format!("<?xml version='1.0' encoding='ISO-8859-1'?><!-- {} --><?x y?>{plain}", "x".repeat(70_000)),
            format!("<!DOCTYPE Error [<!ENTITY e 'x'>]><Error xmlns='y'><RequestId/>{code}</Error>"),
            format!("<ErrorResponse><Error>{code}</Error></ErrorResponse>"),
            "<Error><Code a='b'>Slow<!-- -->Down</Code><Message><![CDATA[a & b]]></Message></Error>".to_owned(),
            "<error><code>\n&#83;low&#x44;own </code><message>a &amp; b</message></error>".to_owned(),
            format!("<Error>{code}<Rest>cut"),
            format!("{plain}<Code>Other</Code>"),
        ] {
            let said = read(&body);
            assert_eq!((said.code.as_str(), said.message.as_str()), ("SlowDown", "a & b"), "{body:.200}");
            assert!(said.is_error() && !said.is_taken(), "{body:.200}");
        }
        assert!(Said::read(&wide, false).is_error());
    }

    #[test]
    fn other_bodies_are_no_errors() {
        for body in ["", " \n\t", "\u{feff}", "<PutObjectResult/>", "<?xml version=\"1.0\"?>\n<PutObjectResult><ETag/>"]
        {
            assert!(read(body).is_taken() && !read(body).is_error(), "{body}");
        }
        for body in [
            "OK",
            "<html><code>500</code></html>",
            "<ListBucketResult><Error><Code>x</Code></Error></ListBucketResult>",
            "<Errors/>",
            "x<Error/>",
            "<Error",
            "<",
            "<?xml <Error>",
            "{}",
            "<!-- <Error> -->",
            "glTF\u{2}",
        ] {
            assert!(!read(body).is_error() && !read(body).is_taken(), "{body}");
        }
        let deep = "<a>".repeat(300_000);
        let bomb = format!(
            "<!DOCTYPE a [<!ENTITY a '{}'><!ENTITY b '{}'>]><Error><Code>&b;",
            "x".repeat(60_000),
            "&a;".repeat(1000)
        );
        for hostile in [deep, bomb, format!("<Error {}", "a".repeat(2 << 20)), format!("<{}", "a".repeat(2 << 20))] {
            assert!(!read(&hostile).is_taken() && read(&hostile).code.len() < MOST);
        }
    }

    #[test]
    fn errors_in_json_are_read_too() {
        for body in [
            r#"{"Code": "SlowDown", "Message": "why"}"#,
            r#" [{"error": {"code": "SlowDown", "message": "why"}, "code": 7}]"#,
            r#"{"success": false, "errors": [{"code": "SlowDown", "message": "why"}]}"#,
            r#"{"__type": "com.amazonaws.s3#SlowDown", "message": "why"}"#,
            r#"{"error": "SlowDown", "error_description": "why"}"#,
            r#"{"Error": {"Code": "SlowDown", "Message": "why"}}"#,
        ] {
            let said = read(body);
            assert_eq!((said.code.as_str(), said.message.as_str()), ("SlowDown", "why"), "{body}");
            assert!(said.names_an_error() && !said.is_taken(), "{body}");
            assert_eq!(Said::read(body.as_bytes(), false), Said::default(), "an object may be JSON");
        }
        assert_eq!(read(r#"{"error": "please log in"}"#).message, "please log in");
        for body in ["{", "[]", "{\"a\": 1}", "[[[", "{\"code\": null}", "{\"code\": {}}"] {
            assert!(!read(body).names_an_error(), "{body}");
        }
    }
}
