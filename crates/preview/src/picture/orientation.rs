//! Pictures whose rows in the file are not those that are seen.

/// Where the first row and the first column of the file are in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Rows of the file are columns of the picture.
    turned: bool,
    /// The first column of the picture is the last one of what it is read from.
    right: bool,
    /// The first row likewise.
    bottom: bool,
}

impl Orientation {
    /// By its number; what is none of them changes nothing.
    pub(super) fn of(number: u64) -> Self {
        let (turned, right, bottom) = match number {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { turned, right, bottom }
    }

    pub(super) fn changes(self) -> bool {
        self != Self::of(1)
    }

    /// Width and height of the picture.
    pub(super) fn size<T>(self, [width, height]: [T; 2]) -> [T; 2] {
        if self.turned { [height, width] } else { [width, height] }
    }

    /// The pixels of `bytes` each in the rows of the picture; `file` is the width and height in the file.
    pub(super) fn apply(self, pixels: &[u8], file: [usize; 2], bytes: usize) -> Vec<u8> {
        let [width, height] = self.size(file);
        let mut out = Vec::with_capacity(pixels.len());
        for y in 0..height {
            for x in 0..width {
                let x = if self.right { width - 1 - x } else { x };
                let y = if self.bottom { height - 1 - y } else { y };
                let [column, row] = if self.turned { [y, x] } else { [x, y] };
                let at = (row * file[0] + column) * bytes;
                out.extend_from_slice(pixels.get(at..at + bytes).unwrap_or_default());
            }
        }
        out
    }
}
