//! The judge's calls: a table of what each shows and asks.

use crate::model::ids::Seed;
use crate::model::threejs::asked::{Form, Topic};
pub use crate::model::threejs::calls::{CallId, Order, SideOf};
use crate::model::threejs::view::{GRID, View};

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

impl Picture {
    /// Whose picture it is, and its path below that side's folder of views; `None` for the prompt's.
    #[must_use]
    pub fn place(self) -> Option<(SideOf, String)> {
        match self {
            Picture::Prompt => None,
            Picture::White(side, view) => Some((side, view.white())),
            Picture::Gray(side, view) => Some((side, view.gray())),
            Picture::Grid(side) => Some((side, GRID.to_owned())),
        }
    }
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

    /// What it shows, in order. `best` are the best views of left and right, where they are known.
    #[must_use]
    pub fn pictures(self, best: Option<[View; 2]>) -> Vec<Picture> {
        self.images(best.unwrap_or([View::FrontLeft; 2]))
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

#[cfg(test)]
mod tests {
    use super::*;

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
