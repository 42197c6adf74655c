//! Where `THREE` may stand: only where each of its members that is used is seen.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, ArrowFunctionExpression, AssignmentOperator, BindingPattern, Class, ClassElement, Expression,
    FormalParameters, Function, IdentifierReference, MethodDefinitionKind,
};
use oxc_semantic::AstNode;
use oxc_span::{GetSpan, Span};

use crate::failure::Rule;
use crate::members::is_three;
use crate::parsed::{Found, Module};
use crate::pattern::{Key, Taken, Target};
use crate::{api, names, place};

/// The rules of one node, if it is a reference to `THREE`.
pub(crate) fn check<'a>(module: &Module<'a>, node: &AstNode<'a>, found: &mut Found) {
    let AstKind::IdentifierReference(reference) = node.kind() else { return };
    if reference.name != "THREE" || !module.is_read(node) {
        return;
    }
    if !is_three(module, reference) {
        if !matches!(module.parent(node), AstKind::ExportSpecifier(_)) {
            found.at(reference.span.start, Rule::ThreeAtTopLevel, "THREE is not bound here: used");
        }
        return;
    }
    if let Err(what) = placed(module, node, reference, found) {
        found.at(reference.span.start, Rule::ThreeAliasForbidden, what);
    }
}

/// Tells whether `THREE` may stand here, and looks at what is taken of it.
fn placed<'a>(
    module: &Module<'a>,
    node: &AstNode<'a>,
    reference: &IdentifierReference<'a>,
    found: &mut Found,
) -> Result<(), String> {
    let span = reference.span;
    let behind_optional = module.is_in_optional(node);
    match module.parent(node) {
        AstKind::StaticMemberExpression(_) | AstKind::PrivateFieldExpression(_) if !behind_optional => Ok(()),
        AstKind::ComputedMemberExpression(member) if !behind_optional && member.object.span() == span => Ok(()),
        AstKind::VariableDeclarator(declarator) if is_at(declarator.init.as_ref(), span) => {
            taken_apart(&Target::of_binding(&declarator.id), found)
        }
        AstKind::AssignmentExpression(assignment) if assignment.operator == AssignmentOperator::Assign => {
            taken_apart(&Target::of_assigned(&assignment.left), found)
        }
        AstKind::CallExpression(call) if !behind_optional && call.callee.span() != span => {
            passed(module, &call.callee, &call.arguments, span, found)
        }
        AstKind::NewExpression(call) if call.callee.span() != span => {
            passed(module, &call.callee, &call.arguments, span, found)
        }
        AstKind::SpreadElement(_) => Err("THREE is spread".to_owned()),
        _ => Err("THREE is used as a value".to_owned()),
    }
}

fn is_at(expression: Option<&Expression<'_>>, span: Span) -> bool {
    expression.is_some_and(|expression| expression.span() == span)
}

/// `THREE` is bound or assigned to this.
fn taken_apart(target: &Target<'_, '_>, found: &mut Found) -> Result<(), String> {
    match target {
        Target::Name(name) => Err(format!("THREE becomes {}", place::shown(name))),
        Target::Object(keys) => {
            keys.iter().for_each(|key| member(key, found));
            Ok(())
        }
        Target::Other => Err("THREE is stored".to_owned()),
    }
}

/// An entry of a pattern that takes `THREE` apart.
fn member(key: &Key<'_, '_>, found: &mut Found) {
    match key.taken {
        Taken::Rest => found.at(key.at, Rule::ThreeAliasForbidden, "the rest of THREE is taken"),
        Taken::Computed => found.at(key.at, Rule::ComputedPropertyAccess, "a computed member of THREE is taken"),
        Taken::Numbered => {}
        Taken::Named(name) => match api::refusal(name) {
            Some(rule) => found.at(key.at, rule, format!("THREE.{}", place::shown(name))),
            None if name == "MathUtils" => key.inside().iter().for_each(|inner| of_math(inner, found)),
            None => {}
        },
    }
}

fn of_math(key: &Key<'_, '_>, found: &mut Found) {
    match key.taken {
        Taken::Rest => found.at(key.at, Rule::ForbiddenThreeApi, "the rest of THREE.MathUtils is taken"),
        Taken::Named(name) if names::is_forbidden_math(name) => {
            found.at(key.at, Rule::ForbiddenThreeApi, format!("THREE.MathUtils.{name}"));
        }
        _ => {}
    }
}

/// `THREE` is an argument.
fn passed<'a>(
    module: &Module<'a>,
    callee: &Expression<'a>,
    arguments: &[Argument<'a>],
    span: Span,
    found: &mut Found,
) -> Result<(), String> {
    let Some(called) = called(module, callee) else {
        return Err("THREE is passed to a function that is not known".to_owned());
    };
    let index = arguments.iter().position(|argument| argument.span() == span);
    let parameter = index.zip(called.parameters()).and_then(|(index, all)| all.items.get(index));
    let Some(parameter) = parameter else {
        return Err("THREE is passed to no parameter of its own".to_owned());
    };
    match Target::of_binding(&parameter.pattern) {
        Target::Name("THREE") => Ok(()),
        Target::Name(name) => Err(format!("THREE is passed as {}", place::shown(name))),
        target => taken_apart(&target, found),
    }
}

/// What is called, if that is written in the module.
enum Called<'t, 'a> {
    Function(&'t Function<'a>),
    Arrow(&'t ArrowFunctionExpression<'a>),
    Class(&'t Class<'a>),
}

impl<'t, 'a> Called<'t, 'a> {
    fn parameters(&self) -> Option<&'t FormalParameters<'a>> {
        match self {
            Self::Function(function) => Some(&function.params),
            Self::Arrow(function) => Some(&function.params),
            Self::Class(class) => class.body.body.iter().find_map(|element| match element {
                ClassElement::MethodDefinition(method) if method.kind == MethodDefinitionKind::Constructor => {
                    Some(&*method.value.params)
                }
                _ => None,
            }),
        }
    }

    fn written(expression: &'t Expression<'a>) -> Option<Self> {
        match expression {
            Expression::FunctionExpression(function) => Some(Self::Function(function)),
            Expression::ArrowFunctionExpression(function) => Some(Self::Arrow(function)),
            Expression::ClassExpression(class) => Some(Self::Class(class)),
            _ => None,
        }
    }
}

/// The function or class that a callee names: written in place, declared, or the first value of a variable.
fn called<'t, 'a: 't>(module: &'t Module<'a>, callee: &'t Expression<'a>) -> Option<Called<'t, 'a>> {
    let Expression::Identifier(name) = callee else { return Called::written(callee) };
    let symbol = module.scoping.get_reference(name.reference_id.get()?).symbol_id()?;
    match module.nodes.kind(module.scoping.symbol_declaration(symbol)) {
        AstKind::Function(function) => Some(Called::Function(function)),
        AstKind::Class(class) if class.is_declaration() => Some(Called::Class(class)),
        AstKind::VariableDeclarator(declarator) => match declarator.id {
            BindingPattern::BindingIdentifier(_) => Called::written(declarator.init.as_ref()?),
            _ => None,
        },
        _ => None,
    }
}
