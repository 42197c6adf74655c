//! What the parser takes and the deployed one does not: proposals that it would have to be told to accept,
//! some of TypeScript, and a check that is missing.

use oxc_ast::AstKind;
use oxc_ast::ast::{ForStatementLeft, PropertyDefinition};
use oxc_semantic::AstNode;
use oxc_span::GetSpan;

use crate::failure::Rule;
use crate::parsed::Found;

/// A syntax error, if this node is one.
pub(crate) fn check(node: &AstNode<'_>, found: &mut Found) {
    let what = match node.kind() {
        AstKind::Decorator(_) => "a decorator",
        AstKind::AccessorProperty(_) => "an `accessor` property",
        AstKind::ImportDeclaration(import) if import.phase.is_some() => "an import with a phase",
        AstKind::ImportExpression(import) if import.phase.is_some() => "an import with a phase",
        AstKind::ForOfStatement(statement) if is_reserved(&statement.left) => "an assignment to a reserved name",
        AstKind::ForInStatement(statement) if is_reserved(&statement.left) => "an assignment to a reserved name",
        AstKind::PropertyDefinition(member) if is_typed_property(member) => "a modifier of TypeScript",
        AstKind::MethodDefinition(member) if member.accessibility.is_some() || member.r#override || member.optional => {
            "a modifier of TypeScript"
        }
        AstKind::FormalParameter(parameter)
            if parameter.accessibility.is_some()
                || parameter.readonly
                || parameter.r#override
                || parameter.optional =>
        {
            "a modifier of TypeScript"
        }
        _ => return,
    };
    found.at(node.kind().span().start, Rule::ParseError, what);
}

fn is_typed_property(member: &PropertyDefinition<'_>) -> bool {
    member.accessibility.is_some()
        || member.readonly
        || member.r#override
        || member.declare
        || member.optional
        || member.definite
}

/// Strict code assigns to neither.
fn is_reserved(left: &ForStatementLeft<'_>) -> bool {
    matches!(left, ForStatementLeft::AssignmentTargetIdentifier(name) if name.name == "eval" || name.name == "arguments")
}
