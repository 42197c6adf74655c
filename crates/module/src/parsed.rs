//! From text to failures: the parser, then each rule over the syntax tree.

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_diagnostics::{Diagnostics, OxcDiagnostic};
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::{AstNode, AstNodes, Scoping, SemanticBuilder};
use oxc_span::SourceType;

use crate::failure::{Failure, Rule};
use crate::limits::MAX_FAILURES;
use crate::place::Lines;
use crate::{exports, identifiers, literals, members, syntax, three};

/// The failures of a text whose nesting is bounded.
pub(crate) fn check(text: &str) -> Vec<Failure> {
    let allocator = Allocator::default();
    let options = ParseOptions { preserve_parens: false, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, text, SourceType::mjs()).with_options(options).parse();
    if let Some(failure) = refused(text, &parsed.diagnostics, parsed.panicked) {
        return vec![failure];
    }
    let built = SemanticBuilder::new().with_check_syntax_error(true).with_build_nodes(true).build(&parsed.program);
    if let Some(failure) = refused(text, &built.diagnostics, false) {
        return vec![failure];
    }
    let (scoping, nodes) = built.semantic.into_scoping_and_nodes();
    let module = Module { optional: optional(&nodes), in_async: in_async(&nodes), nodes, scoping };
    let mut found = Found::default();
    for node in module.nodes.iter() {
        syntax::check(node, &mut found);
    }
    if !found.is_empty() {
        found.only_the_first();
        return found.into_failures(text);
    }
    if !exports::check(&parsed.program, &mut found) {
        return found.into_failures(text);
    }
    for node in module.nodes.iter() {
        exports::asynchronous(&module, node, &mut found);
        identifiers::check(&module, node, &mut found);
        members::check(&module, node, &mut found);
        three::check(&module, node, &mut found);
    }
    literals::check(&module, &mut found);
    found.into_failures(text)
}

/// The syntax error that is told first, if there is any.
fn refused(text: &str, diagnostics: &Diagnostics, panicked: bool) -> Option<Failure> {
    let at = |error: &OxcDiagnostic| error.labels.iter().map(oxc_span::LabeledSpan::offset).min().unwrap_or_default();
    let Some(error) = diagnostics.errors().min_by_key(|error| at(error)) else {
        return panicked.then(|| Failure::new(Rule::ParseError, "not a module".to_owned()));
    };
    let message: String = crate::place::shown_text(&error.message);
    Some(Failure::new(Rule::ParseError, format!("{message} at {}", Lines::of(text).place(at(error) as usize))))
}

/// A module that parses.
pub(crate) struct Module<'a> {
    /// All nodes; a parent comes before its children.
    pub(crate) nodes: AstNodes<'a>,
    pub(crate) scoping: Scoping,
    /// By node: a member or call at or after the first `?.` of its chain.
    optional: Vec<bool>,
    /// By node: an async function, or in one.
    in_async: Vec<bool>,
}

impl<'a> Module<'a> {
    /// The node that holds this one.
    pub(crate) fn parent(&self, node: &AstNode<'a>) -> AstKind<'a> {
        self.nodes.parent_kind(node.id())
    }

    /// Whether a member or call is at or after the first `?.` of its chain. The deployed rules do not look at these.
    pub(crate) fn is_optional(&self, node: &AstNode<'a>) -> bool {
        self.optional.get(node.id().index()).copied().unwrap_or_default()
    }

    /// Whether no async function holds a node.
    pub(crate) fn is_outside_async(&self, node: &AstNode<'a>) -> bool {
        !self.in_async.get(node.id().index()).copied().unwrap_or_default()
    }

    /// [`Module::is_optional`] of the node that holds this one.
    pub(crate) fn is_in_optional(&self, node: &AstNode<'a>) -> bool {
        self.is_optional(self.nodes.parent_node(node.id()))
    }
}

/// See [`Module::is_optional`]: from the first `?.` outwards, as far as the chain goes.
fn optional(nodes: &AstNodes<'_>) -> Vec<bool> {
    use oxc_span::GetSpan;
    let mut optional = vec![false; nodes.len()];
    let all: Vec<_> = nodes.iter().collect();
    for node in all.into_iter().rev() {
        let index = node.id().index();
        let own = match node.kind() {
            AstKind::StaticMemberExpression(member) => member.optional,
            AstKind::ComputedMemberExpression(member) => member.optional,
            AstKind::PrivateFieldExpression(member) => member.optional,
            AstKind::CallExpression(call) => call.optional,
            _ => continue,
        };
        let Some(is_optional) = optional.get_mut(index) else { continue };
        *is_optional |= own;
        if !*is_optional {
            continue;
        }
        let span = node.kind().span();
        let parent = nodes.parent_node(node.id());
        let continues = match parent.kind() {
            AstKind::StaticMemberExpression(member) => member.object.span() == span,
            AstKind::ComputedMemberExpression(member) => member.object.span() == span,
            AstKind::PrivateFieldExpression(member) => member.object.span() == span,
            AstKind::CallExpression(call) => call.callee.span() == span,
            _ => false,
        };
        if continues && let Some(is_optional) = optional.get_mut(parent.id().index()) {
            *is_optional = true;
        }
    }
    optional
}

/// See [`Module::is_outside_async`].
fn in_async(nodes: &AstNodes<'_>) -> Vec<bool> {
    let mut in_async: Vec<bool> = Vec::with_capacity(nodes.len());
    for node in nodes.iter() {
        let own = match node.kind() {
            AstKind::Function(function) => function.r#async,
            AstKind::ArrowFunctionExpression(function) => function.r#async,
            _ => false,
        };
        let parent = nodes.parent_id(node.id()).index();
        in_async.push(own || in_async.get(parent).copied().unwrap_or_default());
    }
    in_async
}

/// What the rules found.
#[derive(Default)]
pub(crate) struct Found(Vec<(Option<u32>, Rule, String)>);

impl Found {
    /// A failure at a byte of the text.
    pub(crate) fn at(&mut self, at: u32, rule: Rule, what: impl Into<String>) {
        self.0.push((Some(at), rule, what.into()));
    }

    /// A failure of the whole module.
    pub(crate) fn whole(&mut self, rule: Rule, what: String) {
        self.0.push((None, rule, what));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A parser ends at its first error.
    fn only_the_first(&mut self) {
        let first = self.0.iter().min().cloned();
        self.0 = first.into_iter().collect();
    }

    /// In the order of places, those of the whole module last; each once.
    fn into_failures(self, text: &str) -> Vec<Failure> {
        let mut found = self.0;
        found.sort_by(|a, b| (a.0.is_none(), a).cmp(&(b.0.is_none(), b)));
        found.dedup();
        found.truncate(MAX_FAILURES);
        let lines = Lines::of(text);
        let told = |(at, rule, what): (Option<u32>, Rule, String)| match at {
            Some(at) => Failure::new(rule, format!("{what} at {}", lines.place(at as usize))),
            None => Failure::new(rule, what),
        };
        found.into_iter().map(told).collect()
    }
}
