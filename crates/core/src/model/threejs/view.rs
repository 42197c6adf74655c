//! The views of a model: where they are seen from, and where they are stored.

use serde::{Deserialize, Serialize};

/// Where a model is seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// From the front, a little to the left.
    FrontLeft,
    /// From the front, a little to the right.
    FrontRight,
    /// From the front, from below.
    FrontBelow,
    /// From the front, from above.
    FrontAbove,
    /// From the right.
    Right,
    /// From behind.
    Back,
    /// From the left.
    Left,
    /// From straight above.
    TopDown,
}

impl View {
    /// All of them, in the order of `embeddings.npz`.
    pub const ALL: [View; 8] = [
        View::FrontLeft,
        View::FrontRight,
        View::FrontBelow,
        View::FrontAbove,
        View::Right,
        View::Back,
        View::Left,
        View::TopDown,
    ];

    /// Those that stage 1 compares, in its order.
    pub const FRONT: [View; 4] = [View::FrontLeft, View::FrontRight, View::FrontBelow, View::FrontAbove];

    /// Those that stage 4 looks at, in its order.
    pub const AROUND: [View; 4] = [View::Right, View::Back, View::Left, View::TopDown];

    /// Its name in files and file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            View::FrontLeft => "front_left",
            View::FrontRight => "front_right",
            View::FrontBelow => "front_below",
            View::FrontAbove => "front_above",
            View::Right => "right",
            View::Back => "back",
            View::Left => "left",
            View::TopDown => "top_down",
        }
    }

    /// The view of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<View> {
        View::ALL.into_iter().find(|view| view.name() == name)
    }

    /// Its picture on white, below the folder of the views.
    #[must_use]
    pub fn white(self) -> String {
        format!("white/{}.png", self.name())
    }

    /// Its picture on grey, below the folder of the views; only those from the front have one.
    #[must_use]
    pub fn gray(self) -> String {
        format!("gray/{}.png", self.name())
    }
}

/// The grid of four views, below the folder of the views.
pub const GRID: &str = "grid.png";

/// All pictures of a module, below the folder of its views.
pub fn pictures() -> impl Iterator<Item = String> {
    let white = View::ALL.into_iter().map(View::white);
    white.chain(View::FRONT.into_iter().map(View::gray)).chain(std::iter::once(GRID.to_owned()))
}

/// The embeddings of the views, below their folder.
pub const EMBEDDINGS: &str = "embeddings.npz";
