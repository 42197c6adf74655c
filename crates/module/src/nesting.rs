//! How deeply a module nests, told before the parser sees it.
//!
//! The parser descends recursively. What it has not finished when it reads a token is, at each open bracket, at most what
//! was read there since the statement or the element of a list began; so the tokens that wait for their end are counted,
//! and a text in which too many wait at once is refused. Where a statement ends, automatic semicolons included, is told
//! from two neighbouring tokens, and only where no grammar would join them.
//!
//! It also parses twice what may be the parameters of an arrow function: that is counted as well.

use crate::limits::{AGAIN, BRACKETS, WAITING};
use crate::tokens::{Stop, Token, Tokens};

/// Refuses what nests too deeply for the parser, and what cannot be told.
///
/// # Errors
///
/// The place, and what is wrong there.
pub(crate) fn bounded(text: &str) -> Result<(), Stop> {
    let mut scan =
        Scan { tokens: Tokens::new(text), levels: vec![Level::default()], waiting: 0, again: 0, last: Last::Start };
    while scan.step()? {}
    if scan.levels.len() > 1 {
        let at = scan.levels.last().map_or(0, |level| level.at);
        return Err(Stop { at, why: "a bracket without end" });
    }
    Ok(())
}

/// An open bracket, or the module itself.
#[derive(Default)]
struct Level {
    /// Its byte; 0 for the module, `$` for a substitution of a template.
    open: u8,
    at: usize,
    /// Tokens that wait here.
    waiting: usize,
    /// Those of them that a comma does not end.
    kept: usize,
    /// Of `do`, those that `while` has not closed yet.
    dos: usize,
    /// After `if`, `while`, `for` or `with`.
    is_head: bool,
    /// Perhaps the parameters of an arrow function.
    is_read_again: bool,
}

impl Level {
    fn is_block(&self) -> bool {
        matches!(self.open, 0 | b'{')
    }
}

/// What was read last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Start,
    /// The end of an operand: a slash divides.
    Operand,
    /// `async`: an operand, or the beginning of a function.
    Async,
    /// A word before `(` of a statement's head.
    HeadWord,
    /// `for`, which may be followed by `await`.
    For,
    /// A word after which an operand begins.
    Keyword,
    /// A word that is one or the other.
    Either,
    /// `)` of a statement's head.
    Head,
    /// `}`
    Brace,
    Semicolon,
    Dot,
    /// `:` after a word; the word before it, if that follows such a colon itself.
    Colon,
    /// A word right after a colon.
    AfterColon,
    Operator,
}

struct Scan<'a> {
    tokens: Tokens<'a>,
    levels: Vec<Level>,
    /// Of all levels, each of which counts as one.
    waiting: usize,
    again: usize,
    last: Last,
}

/// Words after which an operand begins.
const KEYWORDS: &[&str] = &[
    "case",
    "default",
    "delete",
    "do",
    "else",
    "extends",
    "in",
    "instanceof",
    "new",
    "return",
    "throw",
    "typeof",
    "void",
];

/// Words before the head of a statement.
const HEADS: &[&str] = &["if", "while", "with"];

/// Words that are keywords or names, depending on what is around them.
const EITHER: &[&str] = &["await", "let", "static", "yield"];

/// Words that continue a statement on a new line.
const CONTINUE: &[&str] = &["as", "catch", "else", "extends", "finally", "from", "in", "instanceof", "of"];

/// Words that begin a statement after a closing brace, wherever they stand.
const BEGIN: &[&str] = &[
    "break", "case", "class", "const", "continue", "default", "do", "export", "for", "function", "if", "import", "let",
    "return", "switch", "throw", "try", "var", "while",
];

/// Words that nest statements without a bracket.
const NEST: &[&str] = &["do", "else", "for", "if", "while", "with"];

impl<'a> Scan<'a> {
    /// Reads a token; false at the end.
    fn step(&mut self) -> Result<bool, Stop> {
        let newline = self.tokens.skip_blanks()?;
        let at = self.tokens.at();
        let Some(token) = self.tokens.token(newline)? else { return Ok(false) };
        if token == Token::Slash && self.slash(at)? {
            return Ok(true);
        }
        if self.begins_statement(token, newline) && !self.closes_do(token) {
            self.end_waiting(0);
        }
        self.wait(at, 1)?;
        match token {
            Token::Open(open) => self.open(open, at)?,
            Token::Close(close) => self.close(close, at)?,
            Token::TemplateOpen => {
                self.push(b'$', at)?;
                self.last = Last::Start;
            }
            Token::Word(word) => self.word(word, at)?,
            Token::Literal | Token::TemplateClose => self.last = Last::Operand,
            Token::Comma => self.comma(),
            Token::Semicolon => self.last = Last::Semicolon,
            Token::Dot => self.last = Last::Dot,
            Token::Step => self.last = self.after_step(newline),
            Token::Operator(b':') => {
                self.last = if self.last == Last::AfterColon { self.keep(2) } else { Last::Colon };
            }
            Token::Operator(_) | Token::Slash | Token::TemplateNext => self.last = Last::Operator,
        }
        Ok(true)
    }

    /// A slash is read: whether it begins a regular expression, which then is read to its end.
    fn slash(&mut self, at: usize) -> Result<bool, Stop> {
        match self.last {
            Last::Operand | Last::AfterColon | Last::Async => Ok(false),
            Last::Brace | Last::Either => self.either(at),
            _ => {
                self.tokens.read_to(at);
                let Some(end) = self.tokens.regex_end() else {
                    return Err(Stop { at, why: "a regular expression without end" });
                };
                self.tokens.read_to(end);
                self.wait(at, 1)?;
                self.last = Last::Operand;
                Ok(true)
            }
        }
    }

    /// A slash that divides or begins a regular expression. Both are read alike, or the scan ends.
    fn either(&mut self, at: usize) -> Result<bool, Stop> {
        let after = self.tokens.at();
        self.tokens.read_to(at);
        let end = self.tokens.regex_end();
        self.tokens.read_to(after);
        let Some(end) = end else { return Ok(false) };
        let body = self.tokens.read_to(end);
        if body.contains(['"', '\'', '`', '(', ')', '[', ']', '{', '}', '\\'])
            || body.contains("//")
            || body.contains("/*")
        {
            return Err(Stop { at, why: "a slash that may divide or begin a regular expression" });
        }
        self.wait(at, body.len())?;
        self.last = Last::Either;
        Ok(true)
    }

    /// Whether this token cannot but begin a statement, or a member of a class.
    fn begins_statement(&self, token: Token<'_>, newline: bool) -> bool {
        let (continues, begins) = match token {
            Token::Word(word) => (CONTINUE.contains(&word), BEGIN.contains(&word)),
            Token::Literal => (false, false),
            _ => return self.last == Last::Semicolon,
        };
        if continues {
            return false;
        }
        match self.last {
            Last::Semicolon => true,
            Last::Brace => newline || begins,
            Last::Operand => newline,
            Last::Dot => false,
            // Labels of `switch`, which nothing but a name or a key may be otherwise.
            _ => matches!(token, Token::Word("case" | "default")),
        }
    }

    /// Whether `while`, at the end of a statement, belongs to a `do` before it.
    fn closes_do(&mut self, token: Token<'_>) -> bool {
        let Some(level) = self.levels.last_mut() else { return false };
        if token != Token::Word("while") || level.dos == 0 {
            return false;
        }
        level.dos -= 1;
        true
    }

    fn word(&mut self, word: &str, at: usize) -> Result<(), Stop> {
        if self.last == Last::Dot || word.starts_with('#') {
            self.last = Last::Operand;
            return Ok(());
        }
        if word.contains('\\') {
            // An escaped keyword is an error of which the parser goes on.
            let plain = unescaped(word);
            if KEYWORDS.contains(&&*plain) || HEADS.contains(&&*plain) || plain == "for" || EITHER.contains(&&*plain) {
                return Err(Stop { at, why: "a keyword with an escape" });
            }
        }
        if NEST.contains(&word) {
            self.keep(1);
        }
        if word == "do"
            && let Some(level) = self.levels.last_mut()
        {
            level.dos += 1;
        }
        self.last = match word {
            "for" => Last::For,
            "await" if self.last == Last::For => Last::For,
            "async" => Last::Async,
            "of" => self.after_of(),
            _ if HEADS.contains(&word) => Last::HeadWord,
            _ if KEYWORDS.contains(&word) => Last::Keyword,
            _ if EITHER.contains(&word) => Last::Either,
            _ if self.last == Last::Colon => Last::AfterColon,
            _ => Last::Operand,
        };
        Ok(())
    }

    /// `of` is a keyword only after what a `for` assigns to; anywhere else it is a name.
    fn after_of(&self) -> Last {
        let in_head = self.levels.last().is_some_and(|level| level.is_head);
        match self.last {
            _ if !in_head => Last::Operand,
            Last::Operand | Last::Brace => Last::Keyword,
            Last::Start => Last::Operand,
            _ => Last::Either,
        }
    }

    fn after_step(&self, newline: bool) -> Last {
        match self.last {
            Last::Operand | Last::AfterColon | Last::Async if !newline => Last::Operand,
            Last::Brace | Last::Either => Last::Either,
            _ => Last::Operator,
        }
    }

    fn open(&mut self, open: u8, at: usize) -> Result<(), Stop> {
        let is_head = matches!(self.last, Last::HeadWord | Last::For);
        let is_read_again =
            open == b'(' && !matches!(self.last, Last::Operand | Last::AfterColon) && self.tokens.may_be_parameters();
        self.push(open, at)?;
        if let Some(level) = self.levels.last_mut() {
            level.is_head = open == b'(' && is_head;
            level.is_read_again = is_read_again;
        }
        self.last = Last::Start;
        Ok(())
    }

    fn push(&mut self, open: u8, at: usize) -> Result<(), Stop> {
        self.levels.push(Level { open, at, ..Level::default() });
        if self.levels.len() > BRACKETS {
            return Err(Stop { at, why: "brackets nested too deeply" });
        }
        self.wait(at, 0)?;
        self.waiting += 1;
        Ok(())
    }

    fn close(&mut self, close: u8, at: usize) -> Result<(), Stop> {
        let open = match close {
            b')' => b'(',
            b']' => b'[',
            _ => b'{',
        };
        let Some(level) = self.levels.pop() else { return Err(Stop { at, why: "a bracket that closes nothing" }) };
        if level.open == b'$' && close == b'}' {
            self.waiting = self.waiting.saturating_sub(level.waiting + 1);
            return self.substituted(at);
        }
        if level.open != open {
            return Err(Stop { at, why: "a bracket that closes nothing" });
        }
        self.waiting = self.waiting.saturating_sub(level.waiting + 1);
        if level.is_read_again {
            self.again += at - level.at;
            if self.again > AGAIN {
                return Err(Stop { at: level.at, why: "parentheses nested too deeply" });
            }
        }
        self.last = match close {
            b')' if level.is_head => Last::Head,
            b'}' => Last::Brace,
            _ => Last::Operand,
        };
        Ok(())
    }

    /// After a substitution of a template.
    fn substituted(&mut self, at: usize) -> Result<(), Stop> {
        if self.tokens.template_rest()? == Token::TemplateNext {
            self.push(b'$', at)?;
            self.last = Last::Start;
        } else {
            self.last = Last::Operand;
        }
        Ok(())
    }

    fn comma(&mut self) {
        let kept = self.levels.last().map_or(0, |level| if level.is_block() { level.kept } else { 0 });
        self.end_waiting(kept);
        self.last = Last::Operator;
    }

    /// What was read last nests statements: a comma does not end it.
    fn keep(&mut self, tokens: usize) -> Last {
        if let Some(level) = self.levels.last_mut() {
            level.kept += tokens;
        }
        Last::Colon
    }

    fn wait(&mut self, at: usize, tokens: usize) -> Result<(), Stop> {
        self.waiting += tokens;
        if let Some(level) = self.levels.last_mut() {
            level.waiting += tokens;
        }
        if self.waiting > WAITING {
            return Err(Stop { at, why: "a statement nested too deeply" });
        }
        Ok(())
    }

    /// All that waits at this level has ended, but for so many tokens.
    fn end_waiting(&mut self, kept: usize) {
        if let Some(level) = self.levels.last_mut() {
            self.waiting = (self.waiting + kept).saturating_sub(level.waiting);
            level.waiting = kept;
            level.kept = kept;
            if kept == 0 {
                level.dos = 0;
            }
        }
    }
}

/// A word without its escapes.
fn unescaped(word: &str) -> String {
    let mut plain = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("\\u") {
        plain.push_str(before);
        let (digits, after) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            Some(parts) => parts,
            None => after.split_at_checked(4).unwrap_or((after, "")),
        };
        plain.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<&'static str> {
        bounded(text).err().map(|stop| stop.why)
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        for text in ["[", "(", "{", "`${", "f(", "x={a:", "()=>{", "if(a){"] {
            let nested = text.repeat(1_001);
            assert_eq!(why(&nested), Some("brackets nested too deeply"), "{text}");
        }
        for text in [
            "!",
            "a=>",
            "if(a)",
            "if(a);else ",
            "a?b:",
            "a+",
            "a.",
            "a=",
            "do ",
            "do do;while(1)",
            "do while(a)",
            "l:",
            "- -",
            "a\n+",
            "typeof ",
        ] {
            let nested = text.repeat(10_001);
            assert_eq!(why(&nested), Some("a statement nested too deeply"), "{text}");
        }
        assert_eq!(why(&"a,(b=".repeat(999)), Some("a bracket without end"));
        let again = format!("{}{}{}", "(a=".repeat(900), "x".repeat(10_000), ")".repeat(900));
        assert_eq!(why(&again), Some("parentheses nested too deeply"));
    }

    #[test]
    fn a_long_module_is_not_a_deep_one() {
        for line in [
            "a = b + c;",
            "a = b + c\n",
            "f(a, b)\n",
            "f({a: 1, b: [2, 3]}, x => x * 2);\n",
            "if (a) { b } else { c }\n",
            "if (a) b\nelse c\n",
            "function f(a) { return a / 2 }",
            "const {a, b} = c;",
            "x = `a${b}c${d}`;\n",
            "for (const a of b) { c(a) }\n",
            "while (a) b()\n",
            "do { a() } while (b);\n",
            "do while (a) b()\nwhile (c) while (d) e()\n",
            "class A { a() { } b = 1; get c() { return 1 } }\n",
            "switch (a) { case 1: b(); break; default: c() }\n",
            "l: for (;;) { break l }\n",
            "x = (a, b) => ({ c: a ? b : 1 });\n",
            "for (const a of /b(/.c) { d(of / 2) }\n",
            "const r = /[/\"(]+/g.test(s);\n",
            "if (a) /\"(/.test(b);\n",
            "// it's [ a comment\n",
            "/* it's [ a comment */ a++ / 2;\n",
            "\"use [strict\";",
            "try { a() } catch (e) { b() } finally { c() }\n",
            "a.if(b) / c.return / 2;",
            "x = 1. + 2.5e-7 + .5 + 0xFFn + 1_000;\n",
        ] {
            assert_eq!(why(&line.repeat(4_000)), None, "{line}");
        }
        assert_eq!(why(&format!("x = [{}];", "[1, -2, f(3)],".repeat(6_000))), None);
        assert_eq!(why(&format!("switch (a) {{ {} }}", "case 1:".repeat(6_000))), None);
        assert_eq!(why(&format!("x = {{ {} }};", "a: b ? c : -d,".repeat(6_000))), None);
    }

    #[test]
    fn nothing_hides_brackets() {
        // Each of these hides the opening bracket or shows a closing one, if read wrongly.
        for hidden in [
            "if(a)/[\"]/;[\n\"]\"\n;",
            "while(a)/'/;[\"]\",",
            "for await(a of b)/'/;[\"]\",",
            "return/'/;[\"]\",",
            "(a)/b;[/]/,",
            "x=>/\"/;[\"]\",",
            "...typeof/\"/;[\"]\",",
            "a++/b;[/]/,",
            "if\u{a0}(a)/'/;[\"]\",",
            "//\u{2028}[\"]\",",
            "`${a}`/b;[/]/,",
            "a.if(b)/c;[/]/,",
            "\n<!-- ]\n[",
            "a\nof/b;[/c;",
            "for(a of/\"/)[\"]\";",
            "[\"\\\"]\",",
        ] {
            assert!(why(&hidden.repeat(1_001)).is_some(), "{hidden}");
        }
        assert_eq!(why("x = {} / \"a\" / 2"), Some("a slash that may divide or begin a regular expression"));
        assert_eq!(why("\\u0069f(a)/x/"), Some("a keyword with an escape"));
        assert_eq!(why("\\u0061bc = {} / 2\n; a = {} / b / c"), None);
    }

    #[test]
    fn what_does_not_end_is_refused() {
        for text in [
            "'a",
            "\"a\n\"",
            "`a",
            "`${a}",
            "/* a",
            "x = /a",
            "x = /a\n/",
            "(",
            ")",
            "(]",
            "a}",
            "\\x",
            "\\u{}",
            "#",
            "\0",
            "1a",
        ] {
            assert!(why(text).is_some(), "{text:?}");
        }
    }
}
