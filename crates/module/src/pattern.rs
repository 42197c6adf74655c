//! Patterns that take something apart, in one form for declarations, parameters and assignments.

use oxc_ast::ast::{
    AssignmentTarget, AssignmentTargetMaybeDefault, AssignmentTargetProperty, BindingPattern, ObjectAssignmentTarget,
    ObjectPattern, PropertyKey,
};
use oxc_span::GetSpan;

/// What a value is bound or assigned to.
pub(crate) enum Target<'t, 'a> {
    /// A name.
    Name(&'a str),
    /// Members by name.
    Object(Vec<Key<'t, 'a>>),
    /// Anything else: elements of an array, a member of another object.
    Other,
}

/// One entry of an object pattern.
pub(crate) struct Key<'t, 'a> {
    /// Where it is.
    pub(crate) at: u32,
    /// Which member it takes.
    pub(crate) taken: Taken<'a>,
    inner: Option<Inner<'t, 'a>>,
}

/// Which member an entry takes.
#[derive(Clone, Copy)]
pub(crate) enum Taken<'a> {
    /// The one of this name, which may be quoted.
    Named(&'a str),
    /// A number, which names no member that is looked at.
    Numbered,
    /// One that is computed.
    Computed,
    /// All others.
    Rest,
}

enum Inner<'t, 'a> {
    Binding(&'t BindingPattern<'a>),
    Assigned(&'t AssignmentTarget<'a>),
}

impl<'t, 'a> Key<'t, 'a> {
    /// The entries of an object pattern that this entry's value is taken apart by.
    pub(crate) fn inside(&self) -> Vec<Key<'t, 'a>> {
        let target = match self.inner {
            Some(Inner::Binding(pattern)) => Target::of_binding(pattern),
            Some(Inner::Assigned(target)) => Target::of_assigned(target),
            None => return Vec::new(),
        };
        match target {
            Target::Object(keys) => keys,
            _ => Vec::new(),
        }
    }
}

impl<'t, 'a> Target<'t, 'a> {
    /// Of a declaration or a parameter. A default is looked through.
    pub(crate) fn of_binding(pattern: &'t BindingPattern<'a>) -> Self {
        match pattern {
            BindingPattern::BindingIdentifier(name) => Self::Name(name.name.as_str()),
            BindingPattern::ObjectPattern(pattern) => Self::Object(bound(pattern)),
            BindingPattern::ArrayPattern(_) => Self::Other,
            BindingPattern::AssignmentPattern(pattern) => match &pattern.left {
                BindingPattern::BindingIdentifier(name) => Self::Name(name.name.as_str()),
                BindingPattern::ObjectPattern(pattern) => Self::Object(bound(pattern)),
                _ => Self::Other,
            },
        }
    }

    /// Of an assignment.
    pub(crate) fn of_assigned(target: &'t AssignmentTarget<'a>) -> Self {
        match target {
            AssignmentTarget::AssignmentTargetIdentifier(name) => Self::Name(name.name.as_str()),
            AssignmentTarget::ObjectAssignmentTarget(pattern) => Self::Object(assigned(pattern)),
            _ => Self::Other,
        }
    }
}

fn bound<'t, 'a>(pattern: &'t ObjectPattern<'a>) -> Vec<Key<'t, 'a>> {
    let named = pattern.properties.iter().map(|property| Key {
        at: property.key.span().start,
        taken: taken(&property.key, property.computed),
        inner: Some(Inner::Binding(&property.value)),
    });
    let rest = pattern.rest.iter().map(|rest| Key { at: rest.span.start, taken: Taken::Rest, inner: None });
    named.chain(rest).collect()
}

fn assigned<'t, 'a>(pattern: &'t ObjectAssignmentTarget<'a>) -> Vec<Key<'t, 'a>> {
    let named = pattern.properties.iter().map(|property| match property {
        AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(property) => {
            Key { at: property.binding.span.start, taken: Taken::Named(property.binding.name.as_str()), inner: None }
        }
        AssignmentTargetProperty::AssignmentTargetPropertyProperty(property) => Key {
            at: property.name.span().start,
            taken: taken(&property.name, property.computed),
            inner: without_default(&property.binding).map(Inner::Assigned),
        },
    });
    let rest = pattern.rest.iter().map(|rest| Key { at: rest.span.start, taken: Taken::Rest, inner: None });
    named.chain(rest).collect()
}

fn without_default<'t, 'a>(target: &'t AssignmentTargetMaybeDefault<'a>) -> Option<&'t AssignmentTarget<'a>> {
    match target {
        AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(target) => Some(&target.binding),
        target => target.as_assignment_target(),
    }
}

fn taken<'a>(key: &PropertyKey<'a>, computed: bool) -> Taken<'a> {
    match key {
        _ if computed => Taken::Computed,
        PropertyKey::StaticIdentifier(name) => Taken::Named(name.name.as_str()),
        PropertyKey::StringLiteral(name) => Taken::Named(name.value.as_str()),
        _ => Taken::Numbered,
    }
}
