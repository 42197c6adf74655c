//! A scanner of ECMAScript's tokens, just good enough to count brackets and to find where statements end.
//!
//! It must not be fooled: where it would see a string, a comment or a regular expression that the parser does not, the
//! parser would nest deeper than what was counted. So what cannot be told for sure ends the scan.

/// Where and why a scan ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The byte.
    pub(crate) at: usize,
    /// What is wrong.
    pub(crate) why: &'static str,
}

/// A token, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// An identifier or keyword, with escapes if there are any; a private name.
    Word(&'a str),
    /// A number, a string, a regular expression, or a template without substitutions.
    Literal,
    /// The beginning of a template with substitutions, up to its first one.
    TemplateOpen,
    /// What stands between two substitutions of a template.
    TemplateNext,
    /// The end of a template after its last substitution.
    TemplateClose,
    /// Any of `( [ {`.
    Open(u8),
    /// Any of `) ] }`.
    Close(u8),
    /// A dot that is followed by a name; also of `?.`.
    Dot,
    /// `++` or `--`.
    Step,
    /// `/` or `/=`, where nothing begins that it could begin.
    Slash,
    /// `;`
    Semicolon,
    /// `,`
    Comma,
    /// Any other byte of an operator.
    Operator(u8),
}

/// Reads tokens. Whoever drives it knows where a regular expression may stand and where a substitution ends.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    /// A scanner at the beginning of `text`, after a hashbang line.
    pub(crate) fn new(text: &'a str) -> Self {
        let mut tokens = Self { text, bytes: text.as_bytes(), at: 0 };
        if text.trim_start_matches('\u{FEFF}').starts_with("#!") {
            tokens.skip_line();
        }
        tokens
    }

    /// The byte to be read next.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn char(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn stop<T>(&self, why: &'static str) -> Result<T, Stop> {
        Err(Stop { at: self.at, why })
    }

    fn skip_line(&mut self) {
        while let Some(c) = self.char() {
            if is_line_end(c) {
                break;
            }
            self.at += c.len_utf8();
        }
    }

    /// Skips blanks and comments; whether a line ended among them.
    pub(crate) fn skip_blanks(&mut self) -> Result<bool, Stop> {
        let mut newline = self.at == 0;
        while let Some(c) = self.char() {
            if is_line_end(c) {
                newline = true;
                self.at += c.len_utf8();
            } else if is_blank(c) {
                self.at += c.len_utf8();
            } else if c == '/' && self.peek(1) == Some(b'/') {
                self.skip_line();
            } else if c == '/' && self.peek(1) == Some(b'*') {
                let rest = self.text.get(self.at + 2..).unwrap_or_default();
                let Some(length) = rest.find("*/") else { return self.stop("a comment without end") };
                newline |= rest.get(..length).is_some_and(|comment| comment.contains(is_line_end));
                self.at += length + 4;
            } else {
                break;
            }
        }
        Ok(newline)
    }

    /// The token that begins here: not a blank, and a slash begins no regular expression.
    pub(crate) fn token(&mut self, on_new_line: bool) -> Result<Option<Token<'a>>, Stop> {
        let Some(byte) = self.peek(0) else { return Ok(None) };
        let next = self.peek(1);
        let (token, length) = match byte {
            b'0'..=b'9' => return self.number().map(Some),
            b'.' if next.is_some_and(|next| next.is_ascii_digit()) => return self.number().map(Some),
            b'.' if next == Some(b'.') && self.peek(2) == Some(b'.') => (Token::Operator(b'.'), 3),
            b'.' => (Token::Dot, 1),
            b'"' | b'\'' => return self.string(byte).map(Some),
            b'`' => {
                self.at += 1;
                let closed = self.template()?;
                return Ok(Some(if closed { Token::Literal } else { Token::TemplateOpen }));
            }
            b'(' | b'[' | b'{' => (Token::Open(byte), 1),
            b')' | b']' | b'}' => (Token::Close(byte), 1),
            b';' => (Token::Semicolon, 1),
            b',' => (Token::Comma, 1),
            b'+' | b'-' if next == Some(byte) => (Token::Step, 2),
            b'/' if next == Some(b'=') => (Token::Slash, 2),
            b'/' => (Token::Slash, 1),
            b'<' if on_new_line && self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"<!--")) => {
                return self.stop("an HTML comment in a module");
            }
            b'#' | b'\\' | b'$' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => return self.word().map(Some),
            b'!' | b'%' | b'&' | b'*' | b'+' | b'-' | b':' | b'<' | b'=' | b'>' | b'?' | b'@' | b'^' | b'|' | b'~' => {
                (Token::Operator(byte), 1)
            }
            _ => return self.stop("a character that no token begins with"),
        };
        self.at += length;
        Ok(Some(token))
    }

    /// A regular expression, with flags. Its end, or nothing if the line ends before it; nothing is read.
    pub(crate) fn regex_end(&self) -> Option<usize> {
        let mut at = self.at + 1;
        let mut in_class = false;
        loop {
            let c = self.text.get(at..)?.chars().next()?;
            at += c.len_utf8();
            match c {
                _ if is_line_end(c) => return None,
                '\\' => {
                    let escaped = self.text.get(at..)?.chars().next()?;
                    if is_line_end(escaped) {
                        return None;
                    }
                    at += escaped.len_utf8();
                }
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => break,
                _ => {}
            }
        }
        while self.bytes.get(at).is_some_and(|byte| is_word_byte(*byte)) {
            at += 1;
        }
        Some(at)
    }

    /// Whether what follows an opening parenthesis may begin parameters: not a literal, an operator or another one.
    pub(crate) fn may_be_parameters(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        next.is_some_and(|byte| {
            !matches!(byte, b'(' | b'"' | b'\'' | b'`' | b'!' | b'+' | b'-' | b'~' | b'0'..=b'9' | b')')
        })
    }

    /// The text up to `end`, which is read by this.
    pub(crate) fn read_to(&mut self, end: usize) -> &'a str {
        let text = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        text
    }

    /// After a substitution: the rest of a template, up to the next substitution.
    pub(crate) fn template_rest(&mut self) -> Result<Token<'a>, Stop> {
        Ok(if self.template()? { Token::TemplateClose } else { Token::TemplateNext })
    }

    /// Up to the end of a template (true) or of its chunk (false).
    fn template(&mut self) -> Result<bool, Stop> {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'`' => {
                    self.at += 1;
                    return Ok(true);
                }
                b'$' if self.peek(1) == Some(b'{') => {
                    self.at += 2;
                    return Ok(false);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at = start;
        self.stop("a template without end")
    }

    fn string(&mut self, quote: u8) -> Result<Token<'a>, Stop> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' if self.peek(1) == Some(b'\r') && self.peek(2) == Some(b'\n') => self.at += 3,
                b'\\' => self.at += 2,
                b'\n' | b'\r' => break,
                _ => self.at += 1,
            }
            if byte == quote {
                return Ok(Token::Literal);
            }
        }
        self.at = start;
        self.stop("a string without end")
    }

    fn number(&mut self) -> Result<Token<'a>, Stop> {
        let digits = |tokens: &mut Self| {
            while tokens.peek(0).is_some_and(|byte| byte.is_ascii_digit() || byte == b'_') {
                tokens.at += 1;
            }
        };
        let radix = self.peek(0) == Some(b'0') && matches!(self.peek(1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B'));
        if radix {
            self.at += 2;
            while self.peek(0).is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b'_') {
                self.at += 1;
            }
        } else {
            digits(self);
            if self.peek(0) == Some(b'.') {
                self.at += 1;
                digits(self);
            }
            if matches!(self.peek(0), Some(b'e' | b'E')) {
                self.at += if matches!(self.peek(1), Some(b'+' | b'-')) { 2 } else { 1 };
                digits(self);
            }
        }
        if self.peek(0) == Some(b'n') {
            self.at += 1;
        }
        match self.char() {
            Some(c) if c == '\\' || c == '#' || (!c.is_ascii() && !c.is_whitespace() && c != '\u{FEFF}') => {
                self.stop("a name in a number")
            }
            Some(c) if c.is_ascii() && u8::try_from(c).is_ok_and(is_word_byte) => self.stop("a name in a number"),
            _ => Ok(Token::Literal),
        }
    }

    fn word(&mut self) -> Result<Token<'a>, Stop> {
        let start = self.at;
        if self.peek(0) == Some(b'#') {
            self.at += 1;
        }
        while let Some(c) = self.char() {
            if c == '\\' {
                self.escape()?;
            } else if u8::try_from(c).is_ok_and(is_word_byte)
                || (!c.is_ascii() && !c.is_whitespace() && c != '\u{FEFF}')
            {
                self.at += c.len_utf8();
            } else {
                break;
            }
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        if word.is_empty() || word == "#" {
            self.at = start;
            return self.stop("a character that no token begins with");
        }
        Ok(Token::Word(word))
    }

    /// `\uXXXX` or `\u{X...}` in a word.
    fn escape(&mut self) -> Result<(), Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = match rest {
            [b'\\', b'u', b'{', digits @ ..] => {
                let length = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                (length > 0 && digits.get(length) == Some(&b'}')).then_some(length + 4)
            }
            [b'\\', b'u', digits @ ..] => {
                (digits.iter().take(4).filter(|byte| byte.is_ascii_hexdigit()).count() == 4).then_some(6)
            }
            _ => None,
        };
        let Some(length) = length else { return self.stop("an escape that is none") };
        self.at += length;
        Ok(())
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

/// White space of ECMAScript: of Unicode's, all but U+0085, and U+FEFF.
fn is_blank(c: char) -> bool {
    c == '\u{FEFF}' || (c.is_whitespace() && c != '\u{85}')
}

/// Whether a character ends a line in ECMAScript.
pub(crate) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}
