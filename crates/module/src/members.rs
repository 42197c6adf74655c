//! Members of objects, by name: `Math.random`, constructors and prototypes, and what may not be computed.

use oxc_ast::AstKind;
use oxc_ast::ast::{Expression, IdentifierReference, StaticMemberExpression};
use oxc_semantic::AstNode;

use crate::failure::Rule;
use crate::parsed::{Found, Module};
use crate::{api, names, place};

/// The rules of one node. Behind `?.` nothing is looked at.
pub(crate) fn check<'a>(module: &Module<'a>, node: &AstNode<'a>, found: &mut Found) {
    if module.is_optional(node) {
        return;
    }
    match node.kind() {
        AstKind::StaticMemberExpression(member) => named(module, member, found),
        AstKind::ComputedMemberExpression(member) => {
            if let Expression::Identifier(object) = &member.object
                && names::is_gated(&object.name)
            {
                let what = format!("computed access on {}", object.name);
                found.at(member.span.start, Rule::ComputedPropertyAccess, what);
            }
        }
        _ => {}
    }
}

fn named<'a>(module: &Module<'a>, member: &StaticMemberExpression<'a>, found: &mut Found) {
    let name = member.property.name.as_str();
    let at = member.property.span.start;
    if names::is_forbidden_member(name) {
        found.at(at, Rule::ForbiddenPropertyAccess, format!(".{name}"));
    }
    match &member.object {
        Expression::Identifier(object) if object.name == "Math" && name == "random" => {
            found.at(member.span.start, Rule::ForbiddenIdentifier, "Math.random");
        }
        Expression::Identifier(object) if is_three(module, object) => {
            if let Some(rule) = api::refusal(name) {
                found.at(member.span.start, rule, format!("THREE.{}", place::shown(name)));
            }
        }
        Expression::StaticMemberExpression(outer) if outer.property.name == "MathUtils" => {
            let of_three = matches!(&outer.object, Expression::Identifier(object) if object.name == "THREE");
            if of_three && names::is_forbidden_math(name) {
                found.at(member.span.start, Rule::ForbiddenThreeApi, format!("THREE.MathUtils.{name}"));
            }
        }
        _ => {}
    }
}

/// Whether a reference is to a `THREE` that the module binds.
pub(crate) fn is_three<'a>(module: &Module<'a>, reference: &IdentifierReference<'a>) -> bool {
    reference.name == "THREE" && module.is_bound(reference)
}
