//! The names of a duel's calls, by which the judge's answers are kept.

use std::fmt;
use std::str::FromStr;

use super::asked::Topic;
use super::view::View;

/// A side of a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SideOf {
    /// Left.
    A,
    /// Right.
    B,
}

/// The order in which a call shows both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// A first.
    Ab,
    /// B first.
    Ba,
}

impl Order {
    /// Both, in the order of the files.
    pub const BOTH: [Order; 2] = [Order::Ab, Order::Ba];

    /// The sides as they are shown.
    #[must_use]
    pub fn sides(self) -> [SideOf; 2] {
        match self {
            Order::Ab => [SideOf::A, SideOf::B],
            Order::Ba => [SideOf::B, SideOf::A],
        }
    }
}

/// Which call of a duel it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallId {
    /// Stage 1: the prompt against this view of both.
    PromptMatch(View, Order),
    /// Stage 2: the prompt against the best view of each.
    BestView(Order),
    /// Stage 2: how well both are made, by their grids.
    Artifacts(Order),
    /// Stage 2: the prompt's features.
    Decompose,
    /// Stage 2: which of them a side has.
    Verify(SideOf),
    /// Stage 3: as stage 1, on grey.
    Gray(Order),
    /// Stage 4: is this view of a side garbage?
    Guard(SideOf, View),
    /// What is wrong with both, in words.
    Explain,
}

impl CallId {
    /// All that a duel can have, in the order of the stages.
    pub fn all() -> impl Iterator<Item = CallId> {
        let orders = |of: fn(Order) -> CallId| Order::BOTH.map(of);
        let fronts = View::FRONT.into_iter().flat_map(|view| Order::BOTH.map(|order| CallId::PromptMatch(view, order)));
        let guards =
            [SideOf::A, SideOf::B].into_iter().flat_map(|side| View::AROUND.map(|view| CallId::Guard(side, view)));
        let lists = [CallId::Decompose, CallId::Verify(SideOf::A), CallId::Verify(SideOf::B)];
        fronts
            .chain(orders(CallId::BestView))
            .chain(orders(CallId::Artifacts))
            .chain(lists)
            .chain(orders(CallId::Gray))
            .chain(guards)
            .chain([CallId::Explain])
    }

    /// The label: what is asked.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            CallId::PromptMatch(..) => "s1_prompt_match",
            CallId::BestView(Order::Ab) => "s2bv_ab",
            CallId::BestView(Order::Ba) => "s2bv_ba",
            CallId::Artifacts(Order::Ab) => "s2ac_ab",
            CallId::Artifacts(Order::Ba) => "s2ac_ba",
            CallId::Decompose => "s2cl_decompose",
            CallId::Verify(_) => "s2cl_verify",
            CallId::Gray(Order::Ab) => "s3_gray_ab",
            CallId::Gray(Order::Ba) => "s3_gray_ba",
            CallId::Guard(..) => "s4_per_angle",
            CallId::Explain => "explain",
        }
    }

    /// What is asked.
    #[must_use]
    pub fn topic(self) -> Topic {
        match self {
            CallId::PromptMatch(..) => Topic::PromptMatch,
            CallId::BestView(_) => Topic::BestView,
            CallId::Artifacts(_) => Topic::Artifacts,
            CallId::Decompose => Topic::Decompose,
            CallId::Verify(_) => Topic::Verify,
            CallId::Gray(_) => Topic::Gray,
            CallId::Guard(..) => Topic::Guard,
            CallId::Explain => Topic::Explain,
        }
    }

    /// The view that the words name, if they name one.
    #[must_use]
    pub fn view(self) -> Option<View> {
        match self {
            CallId::PromptMatch(view, _) | CallId::Guard(_, view) => Some(view),
            CallId::Gray(_) => Some(View::FrontLeft),
            _ => None,
        }
    }
}

impl fmt::Display for SideOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == SideOf::A { "a" } else { "b" })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Order::Ab { "ab" } else { "ba" })
    }
}

/// The label, and what distinguishes it from others of this label: `s1_prompt_match/front_left/ab`.
impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())?;
        match self {
            CallId::PromptMatch(view, order) => write!(f, "/{}/{order}", view.name()),
            CallId::Verify(side) => write!(f, "/{side}"),
            CallId::Guard(side, view) => write!(f, "/{side}/{}", view.name()),
            _ => Ok(()),
        }
    }
}

/// A text names no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no call of a duel has this name")]
pub struct NoCall;

impl FromStr for CallId {
    type Err = NoCall;

    fn from_str(text: &str) -> Result<Self, NoCall> {
        let mut labelled = CallId::all().filter(|id| text.starts_with(id.label()));
        labelled.find(|id| id.to_string() == text).ok_or(NoCall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> = CallId::all().map(|id| id.to_string()).collect();
        assert_eq!((names.len(), CallId::all().count()), (26, 26));
        for id in CallId::all() {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!("s1_prompt_match/back/ab".parse::<CallId>(), Err(NoCall));
        assert_eq!("s4_per_angle/b/top_down".parse(), Ok(CallId::Guard(SideOf::B, View::TopDown)));
    }
}
