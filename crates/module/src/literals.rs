//! The budget of literals: values of strings and templates in UTF-8, numbers as written.

use oxc_ast::AstKind;
use oxc_ast::ast::TemplateElement;
use oxc_span::Span;

use crate::failure::Rule;
use crate::limits::LITERAL_BYTES;
use crate::parsed::{Found, Module};

/// Strings (quoted keys too, directives not), cooked parts of templates, numbers and bigints, together.
pub(crate) fn check(module: &Module<'_>, found: &mut Found) {
    let written = |span: Span| span.size() as usize;
    let bytes: usize = module
        .nodes
        .iter()
        .map(|node| match node.kind() {
            AstKind::StringLiteral(_) if matches!(module.parent(node), AstKind::Directive(_)) => 0,
            AstKind::StringLiteral(string) => bytes_of(&string.value, string.lone_surrogates),
            AstKind::NumericLiteral(number) => written(number.span),
            AstKind::BigIntLiteral(number) => written(number.span),
            AstKind::TemplateElement(element) => of_template(element),
            _ => 0,
        })
        .sum();
    if bytes > LITERAL_BYTES {
        found.whole(Rule::LiteralBudgetExceeded, format!("{bytes} bytes of literals (limit {LITERAL_BYTES})"));
    }
}

/// The raw text stands in where an escape has no value, as it may in a tagged template.
fn of_template(element: &TemplateElement<'_>) -> usize {
    match &element.value.cooked {
        Some(cooked) => bytes_of(cooked, element.lone_surrogates),
        None => element.value.raw.len() - element.value.raw.matches("\r\n").count(),
    }
}

/// The parser writes a lone surrogate as U+FFFD and four digits, and U+FFFD itself likewise; as UTF-8 each is U+FFFD.
fn bytes_of(value: &str, lone_surrogates: bool) -> usize {
    let escapes = if lone_surrogates { value.matches('\u{FFFD}').count() } else { 0 };
    value.len() - 4 * escapes
}
