//! The judge's calls: a table of what each shows and asks.

use std::fmt;
use std::str::FromStr;

use crate::model::ids::Seed;
use crate::model::threejs::asked::{Form, Topic};
use crate::model::threejs::view::View;

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

/// A picture of a duel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Picture {
    /// The prompt.
    Prompt,
    /// A side's view on white.
    White(SideOf, View),
    /// A side's view on grey.
    Gray(SideOf, View),
    /// A side's grid of four views.
    Grid(SideOf),
}

/// A call to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCall {
    /// Which it is.
    pub id: CallId,
    /// What is asked.
    pub topic: Topic,
    /// Its label, after which the form of the answer is named.
    pub label: &'static str,
    /// The view that the words name, if they name one.
    pub view: Option<View>,
    /// What it shows, in order.
    pub images: Vec<Picture>,
    /// The seed of the first attempt; each further one adds 1.
    pub seed: u64,
    /// The most tokens of the answer.
    pub tokens: u32,
    /// How many answers may be otherwise than asked before the call has failed.
    pub attempts: u32,
    /// The form of the answer.
    pub form: Form,
}

/// How many calls, one after the other, a duel may still take from this one on, itself included: those with the most
/// are the most urgent of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Height(pub u8);

/// What all attempts' seeds have in common beside the round's.
const SEED_BASE: u64 = 100;

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

    /// How urgent it is among the calls of its match.
    #[must_use]
    pub fn height(self) -> Height {
        Height(match self {
            CallId::PromptMatch(..) => 4,
            CallId::Decompose => 3,
            CallId::BestView(_) | CallId::Artifacts(_) | CallId::Verify(_) => 2,
            CallId::Gray(_) | CallId::Guard(..) | CallId::Explain => 1,
        })
    }

    /// What its attempts' seeds add to the round's.
    fn seed(self) -> u64 {
        let at =
            |view: View| View::AROUND.into_iter().zip(0..).find(|(other, _)| *other == view).map_or(0, |(_, at)| at);
        match self {
            CallId::Verify(SideOf::A) => 100,
            CallId::Verify(SideOf::B) => 200,
            CallId::Gray(Order::Ba) => 7,
            CallId::Guard(SideOf::A, view) => 5000 + 100 * at(view),
            CallId::Guard(SideOf::B, view) => 6000 + 100 * at(view),
            _ => 0,
        }
    }

    /// The most tokens of the answer, and how many answers may be otherwise than asked.
    fn bounds(self) -> (u32, u32) {
        match self {
            CallId::Decompose => (400, 5),
            CallId::Verify(_) => (600, 5),
            CallId::Guard(..) => (220, 4),
            CallId::Explain => (300, 3),
            _ => (1024, 5),
        }
    }

    /// The call. `best` is the best view of either side, for those that show it.
    pub(super) fn call(self, seed: Seed, form: Form, best: [View; 2]) -> StageCall {
        let (tokens, attempts) = self.bounds();
        let seed = u64::from(seed.0) + self.seed() + SEED_BASE;
        let (topic, label, view, images) = (self.topic(), self.label(), self.view(), self.images(best));
        StageCall { id: self, topic, label, view, images, seed, tokens, attempts, form }
    }

    fn images(self, [best_a, best_b]: [View; 2]) -> Vec<Picture> {
        let both = |order: Order, of: &dyn Fn(SideOf) -> Picture| {
            let [first, second] = order.sides();
            vec![Picture::Prompt, of(first), of(second)]
        };
        let best = |side| Picture::White(side, if side == SideOf::A { best_a } else { best_b });
        match self {
            CallId::PromptMatch(view, order) => both(order, &|side| Picture::White(side, view)),
            CallId::BestView(order) => both(order, &best),
            CallId::Artifacts(order) => both(order, &Picture::Grid),
            CallId::Decompose => vec![Picture::Prompt],
            CallId::Verify(side) => vec![Picture::Prompt, Picture::Grid(side)],
            CallId::Gray(order) => both(order, &|side| Picture::Gray(side, View::FrontLeft)),
            CallId::Guard(side, view) => vec![Picture::White(side, View::FrontLeft), Picture::White(side, view)],
            CallId::Explain => both(Order::Ab, &Picture::Grid),
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
        CallId::all().find(|id| id.to_string() == text).ok_or(NoCall)
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

    #[test]
    fn calls_are_those_of_the_table() {
        let call = |id: CallId| id.call(Seed(u32::MAX), Form::Penalties, [View::Back, View::TopDown]);
        let seed = u64::from(u32::MAX) + 100;
        let told = |id: CallId| {
            let StageCall { seed: own, tokens, attempts, .. } = call(id);
            (own - seed, tokens, attempts)
        };
        assert_eq!(told(CallId::PromptMatch(View::FrontAbove, Order::Ba)), (0, 1024, 5));
        assert_eq!(told(CallId::Decompose), (0, 400, 5));
        assert_eq!(told(CallId::Verify(SideOf::B)), (200, 600, 5));
        assert_eq!(told(CallId::Gray(Order::Ba)), (7, 1024, 5));
        assert_eq!(told(CallId::Guard(SideOf::A, View::Right)), (5000, 220, 4));
        assert_eq!(told(CallId::Guard(SideOf::B, View::TopDown)), (6300, 220, 4));
        assert_eq!(told(CallId::Explain), (0, 300, 3));
        let (a, b) = (SideOf::A, SideOf::B);
        let best = [Picture::Prompt, Picture::White(b, View::TopDown), Picture::White(a, View::Back)];
        assert_eq!(call(CallId::BestView(Order::Ba)).images, best);
        assert_eq!(call(CallId::Verify(b)).images, [Picture::Prompt, Picture::Grid(b)]);
        let guard = [Picture::White(a, View::FrontLeft), Picture::White(a, View::Left)];
        assert_eq!(call(CallId::Guard(a, View::Left)).images, guard);
    }
}
