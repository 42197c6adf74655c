//! Names: those that may not even be bound, and those that are free and not in the list.

use oxc_ast::AstKind;
use oxc_ast::ast::IdentifierReference;
use oxc_semantic::AstNode;
use oxc_span::{GetSpan, Span};

use crate::failure::Rule;
use crate::names;
use crate::parsed::{Found, Module};
use crate::place::shown;

/// The rules of one node.
pub(crate) fn check<'a>(module: &Module<'a>, node: &AstNode<'a>, found: &mut Found) {
    let what = match node.kind() {
        AstKind::ImportDeclaration(_) => "import",
        AstKind::ImportExpression(_) => "import()",
        AstKind::ImportMeta(_) => "import.meta",
        AstKind::IdentifierReference(reference) => return reference_of(module, node, reference, found),
        _ => {
            if let Some((name, at)) = named(module, node)
                && names::is_forbidden(name)
            {
                found.at(at.start, Rule::ForbiddenIdentifier, name);
            }
            return;
        }
    };
    found.at(node.kind().span().start, Rule::ForbiddenIdentifier, what);
}

/// The name of a node that the deployed rule looks at, references aside: bindings but those of imports, labels, private
/// names, and members behind `?.`.
fn named<'a>(module: &Module<'a>, node: &AstNode<'a>) -> Option<(&'a str, Span)> {
    match node.kind() {
        AstKind::BindingIdentifier(binding) => {
            let imported = matches!(
                module.parent(node),
                AstKind::ImportSpecifier(_) | AstKind::ImportDefaultSpecifier(_) | AstKind::ImportNamespaceSpecifier(_)
            );
            (!imported).then_some((binding.name.as_str(), binding.span))
        }
        AstKind::LabelIdentifier(label) => Some((label.name.as_str(), label.span)),
        AstKind::PrivateIdentifier(name) => Some((name.name.as_str(), name.span)),
        AstKind::IdentifierName(name) => {
            let is_looked_at = match module.parent(node) {
                AstKind::StaticMemberExpression(_) => module.is_in_optional(node),
                AstKind::ExportAllDeclaration(_) => true,
                _ => false,
            };
            is_looked_at.then_some((name.name.as_str(), name.span))
        }
        _ => None,
    }
}

fn reference_of<'a>(module: &Module<'a>, node: &AstNode<'a>, reference: &IdentifierReference<'a>, found: &mut Found) {
    let name = reference.name.as_str();
    if matches!(module.parent(node), AstKind::ExportSpecifier(_)) {
        return;
    }
    if names::is_forbidden(name) {
        found.at(reference.span.start, Rule::ForbiddenIdentifier, name);
    } else if name != "THREE" && !names::is_free(name) && !module.is_bound(reference) && module.is_read(node) {
        found.at(reference.span.start, Rule::IdentifierNotAllowed, shown(name));
    }
}

impl<'a> Module<'a> {
    /// Whether something of the module binds this reference.
    pub(crate) fn is_bound(&self, reference: &IdentifierReference<'a>) -> bool {
        let id = reference.reference_id.get();
        id.is_some_and(|id| self.scoping.get_reference(id).symbol_id().is_some())
    }

    /// Whether a reference is more than the target of an assignment. Targets of `for (x of y)` and of `x++` count.
    pub(crate) fn is_read(&self, node: &AstNode<'a>) -> bool {
        let span = node.kind().span();
        match self.parent(node) {
            AstKind::AssignmentExpression(assignment) => assignment.left.span() != span,
            AstKind::AssignmentTargetWithDefault(target) => target.binding.span() != span,
            AstKind::AssignmentTargetPropertyIdentifier(target) => target.binding.span != span,
            AstKind::AssignmentTargetPropertyProperty(target) => target.binding.span() != span,
            AstKind::ArrayAssignmentTarget(_) | AstKind::AssignmentTargetRest(_) => false,
            _ => true,
        }
    }
}
