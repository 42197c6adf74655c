//! Batches of fragments, and the values of their triangles there: position, normal and the like.

use multiversion::multiversion;

use super::setup::Planes as Any;

/// Fragments that are shaded together: the loops below run over them, so that the compiler can work
/// on several at once.
pub(crate) const LANES: usize = 8;

/// One value for each fragment of a batch.
pub(crate) type Lane = [f32; LANES];
/// A pixel of a triangle that is seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fragment {
    /// Which of the planes given to `Shader::shade` are the triangle's.
    pub(crate) planes: u32,
    /// Column and row of the pixel, from the bottom left of the view.
    pub(crate) x: u16,
    pub(crate) y: u16,
    /// Which of the pixels of the tile is all its own; [`SHARED`] if none is.
    pub(crate) spot: u16,
}

/// A pixel that other triangles, or the ground, are seen in too.
pub(crate) const SHARED: u16 = u16::MAX;

/// The attributes of one triangle, each divided by w, and 1/w itself.
pub(crate) type Planes = Any<SLOTS>;

/// Where the values of a vertex are among its planes.
pub(crate) const RCP_W: usize = 0;
pub(crate) const POSITION: usize = 1;
pub(crate) const NORMAL: usize = 4;
pub(crate) const UV: usize = 7;
pub(crate) const COLOR: usize = 9;
/// Room for them, a whole number of what the compiler works on at once.
pub(crate) const SLOTS: usize = 16;
/// The same for vertices without colours.
pub(crate) const FEW: usize = 12;

/// The fragments of a batch: their planes and pixel centres. A short batch repeats its first.
pub(crate) struct Site<'a> {
    all: &'a [Planes],
    /// Those of the first fragment.
    planes: &'a Planes,
    pub(crate) fragments: [Fragment; LANES],
    /// All are of one triangle.
    alike: bool,
    pub(crate) x: Lane,
    pub(crate) y: Lane,
}

impl<'a> Site<'a> {
    pub(crate) fn of(all: &'a [Planes], batch: &[Fragment]) -> Option<Self> {
        let first = *batch.first()?;
        let planes = all.get(first.planes as usize).or(all.first())?;
        let mut fragments = [first; LANES];
        match batch.first_chunk() {
            Some(whole) => fragments = *whole,
            None => fragments.iter_mut().zip(batch).for_each(|(fragment, given)| *fragment = *given),
        }
        let (alike, [x, y]) = survey(&fragments);
        Some(Self { all, planes, fragments, alike, x, y })
    }
}

/// Whether fragments are all of one triangle, and the centres of their pixels.
#[multiversion(targets("x86_64+avx2"))]
fn survey(fragments: &[Fragment; LANES]) -> (bool, [Lane; 2]) {
    let different = fragments.iter().fold(0, |all, fragment| all | (fragment.planes ^ fragments[0].planes));
    let x = each(|l| f32::from(fragments[l].x) + 0.5);
    (different == 0, [x, each(|l| f32::from(fragments[l].y) + 0.5)])
}

/// The values of vertices at the fragments of a batch.
#[derive(Default)]
pub(crate) struct Values(pub(crate) [Lane; SLOTS]);

impl Values {
    /// `N` of them, from `first` on.
    #[inline(always)]
    pub(crate) fn take<const N: usize>(&self, first: usize) -> [Lane; N] {
        let mut taken = [[0.0; LANES]; N];
        for (i, lane) in taken.iter_mut().enumerate() {
            *lane = self.0[first + i];
        }
        taken
    }
}

/// Finds the first `slots` values at a point of the screen for each fragment.
#[multiversion(targets("x86_64+avx2"))]
pub(crate) fn fill(values: &mut Values, site: &Site<'_>, [x, y]: [&Lane; 2], slots: usize) {
    let values = &mut values.0;
    if site.alike {
        for (i, value) in values.iter_mut().enumerate().take(slots) {
            let plane = site.planes.get(i);
            *value = each(|l| plane.at(x[l], y[l]));
        }
    } else {
        // All values of one fragment at once, and then in order of the values.
        let mut found = [[0.0; SLOTS]; LANES];
        for (l, (fragment, found)) in site.fragments.iter().zip(&mut found).enumerate() {
            let planes = site.all.get(fragment.planes as usize).unwrap_or(site.planes);
            if slots <= FEW {
                found[..FEW].copy_from_slice(&planes.at::<FEW>(x[l], y[l]));
            } else {
                *found = planes.at::<SLOTS>(x[l], y[l]);
            }
        }
        for (i, value) in values.iter_mut().enumerate().take(slots) {
            for (value, found) in value.iter_mut().zip(&found) {
                *value = found[i];
            }
        }
    }
    let [rcp_w, others @ ..] = values;
    let w = each(|l| 1.0 / rcp_w[l]);
    for value in others.iter_mut().take(slots - 1) {
        *value = each(|l| value[l] * w[l]);
    }
}

/// A value for each fragment.
#[inline(always)]
pub(crate) fn each(value: impl Fn(usize) -> f32) -> Lane {
    let mut lane = [0.0; LANES];
    for (l, slot) in lane.iter_mut().enumerate() {
        *slot = value(l);
    }
    lane
}
