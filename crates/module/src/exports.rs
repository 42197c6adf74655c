//! The one export, and nothing asynchronous.

use oxc_ast::AstKind;
use oxc_ast::ast::{ExportDefaultDeclarationKind, Program, Statement, VariableDeclarationKind};
use oxc_semantic::AstNode;
use oxc_span::GetSpan;

use crate::failure::Rule;
use crate::parsed::{Found, Module};

/// False if nothing else is told: without a default function that is synchronous, the service looks no further.
pub(crate) fn check(program: &Program<'_>, found: &mut Found) -> bool {
    let mut default = None;
    let mut others = Vec::new();
    for statement in &program.body {
        match statement {
            Statement::ExportDefaultDeclaration(export) => default = Some(export),
            Statement::ExportDeclaration(_)
            | Statement::ExportNamedDeclaration(_)
            | Statement::ExportFromDeclaration(_)
            | Statement::ExportAllDeclaration(_) => others.push(statement.span().start),
            _ => {}
        }
    }
    let Some(default) = default else {
        found.whole(Rule::MissingDefaultExport, "no `export default`".to_owned());
        return false;
    };
    if let Some(first) = others.first() {
        found.at(
            *first,
            Rule::MultipleTopLevelExports,
            format!("{} exports, one is allowed; another", others.len() + 1),
        );
    }
    let at = default.span.start;
    let is_async = match &default.declaration {
        ExportDefaultDeclarationKind::FunctionDeclaration(function)
        | ExportDefaultDeclarationKind::FunctionExpression(function) => function.r#async,
        ExportDefaultDeclarationKind::ArrowFunctionExpression(function) => function.r#async,
        _ => {
            found.at(at, Rule::MissingDefaultExport, "`export default` of something other than a function");
            return false;
        }
    };
    if is_async {
        found.at(at, Rule::AsyncNotAllowed, "the default function is async");
    }
    !is_async
}

/// Async functions, `for await`, `await using`, and `await` outside of functions.
pub(crate) fn asynchronous<'a>(module: &Module<'a>, node: &AstNode<'a>, found: &mut Found) {
    let what = match node.kind() {
        AstKind::Function(function) if function.r#async => "async function",
        AstKind::ArrowFunctionExpression(function) if function.r#async => "async function",
        AstKind::ForOfStatement(statement) if statement.r#await => "`for await`",
        AstKind::AwaitExpression(_) if module.is_outside_async(node) => "top-level `await`",
        // The parser takes it in any function.
        AstKind::VariableDeclaration(declared)
            if declared.kind == VariableDeclarationKind::AwaitUsing && module.is_outside_async(node) =>
        {
            "`await using`"
        }
        _ => return,
    };
    let parent = module.parent(node);
    let is_method = match parent {
        AstKind::MethodDefinition(_) => true,
        AstKind::ObjectProperty(property) => property.method,
        _ => false,
    };
    let at = if is_method { parent.span().start } else { node.kind().span().start };
    found.at(at, Rule::AsyncNotAllowed, what);
}
