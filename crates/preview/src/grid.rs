//! Four views to one picture.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::camera::{VIEWS, View};
use super::cost::Count;
use super::gallery::place;
use super::lanczos;
use super::limits::{Budget, Watch};
use super::material::TextureSlots;
use super::model::{Model, Skin, check_uvs};
use super::paint::{Live, Look, Places, Replay};
use super::picture::Plan;
use super::project::{Bins, TILE, Vertices};
use super::raster::{Origin, Scene, Tile};
use super::refusal::{Checked, Refusal};
use super::shade::Shader;
use super::texture::{self, Loose};
use super::threads::Threads;
use super::tone::Tone;

/// Width of the black cross between the views, in pixels.
pub(crate) const GAP: usize = 5;
const CHANNELS: usize = 3;

/// What the views are drawn from.
pub(crate) struct Drawing<'a> {
    pub(crate) model: &'a Model<'a>,
    /// What was counted of each view.
    pub(crate) counts: &'a [Count],
    /// Pixels a side of a view in the result; it is drawn at twice that.
    pub(crate) size: usize,
    pub(crate) threads: Threads,
    pub(crate) watch: Watch<'a>,
}

impl Drawing<'_> {
    fn edge(&self) -> usize {
        2 * self.size
    }

    /// Bytes of the result and its parts.
    fn picture_bytes(&self) -> u64 {
        let side = self.edge() + GAP;
        (3 * CHANNELS * side * side) as u64
    }

    /// Bytes that drawing one view takes, besides.
    fn view_bytes(&self) -> u64 {
        let picture = (3 * CHANNELS * self.edge() * self.edge()) as u64;
        let most = self.counts.iter().map(|count| count.entries).max().unwrap_or(0);
        picture + Vertices::bytes(&self.model.mesh.positions) + size_of::<u32>() as u64 * most
    }

    /// Takes what drawing takes at least: the result, and one view after the other.
    pub(crate) fn charge(&self, budget: &mut Budget) -> Checked<()> {
        budget.take(self.picture_bytes() + self.view_bytes(), "picture")
    }

    /// Threads for views side by side, as many as there is room for, and for the tiles of each.
    fn split(&self, budget: &mut Budget) -> Checked<(Threads, Threads)> {
        let (outer, _) = self.threads.split(VIEWS.len());
        let (each, room) = (self.view_bytes(), budget.left());
        let more = (room / each.max(1)).min(outer.0.get() as u64 - 1);
        budget.take(each * more, "picture")?;
        Ok(self.threads.split(1 + more as usize))
    }

    /// Draws the four views, `size` pixels a side each, as one RGB grid of `2 * size + GAP` a side, once it is
    /// charged for.
    pub(crate) fn draw(&self, budget: &mut Budget) -> Checked<Vec<u8>> {
        let split = self.split(budget)?;
        let tone = Tone::new();
        match &self.model.skin {
            Skin::Ready(textures) => self.grid(split, |i, threads| {
                self.on_tiles(i, &tone, threads, |scene, tile, list, origin, _| {
                    tile.draw(scene, list, origin, &mut Live(textures))
                })
            }),
            Skin::Later(plans) => {
                let places = self.look(plans, split, &tone, budget)?;
                self.grid(split, |i, threads| {
                    self.on_tiles(i, &tone, threads, |scene, tile, list, origin, at| {
                        let places = places.get(i).and_then(|view| view.get(at))?;
                        tile.draw(scene, list, origin, &mut Replay::new(places))
                    })
                })
            }
        }
    }

    /// Puts the views together; `tiles` draws those of one.
    fn grid(
        &self,
        (outer, inner): (Threads, Threads),
        tiles: impl Fn(usize, Threads) -> Vec<Option<Vec<[u8; 3]>>> + Sync,
    ) -> Checked<Vec<u8>> {
        let (size, edge) = (self.size, self.edge() + GAP);
        // Views side by side first: they share nothing. Threads beyond that split a view's tiles.
        let views = outer.map(VIEWS.len(), |i| {
            let large = Large { tiles: tiles(i, inner), edge: self.edge() };
            lanczos::halve(&large, inner)
        });
        self.watch.check()?;
        let mut grid = vec![0; edge * edge * CHANNELS];
        for (i, small) in views.iter().enumerate() {
            let (x, y) = (i % 2 * (size + GAP), i / 2 * (size + GAP));
            for (row, line) in small.chunks_exact(size * CHANNELS).enumerate() {
                let at = ((y + row) * edge + x) * CHANNELS;
                if let Some(target) = grid.get_mut(at..at + line.len()) {
                    target.copy_from_slice(line);
                }
            }
        }
        Ok(grid)
    }

    /// Does something on each tile of a view, row by row from the bottom.
    fn on_tiles<T: Send>(
        &self,
        view: usize,
        tone: &Tone,
        threads: Threads,
        work: impl Fn(&Scene<'_>, &mut Tile, &[u32], Origin, usize) -> T + Sync,
    ) -> Vec<T> {
        let (Some(camera), Some(count)) = (VIEWS.get(view), self.counts.get(view)) else { return Vec::new() };
        let mesh = &self.model.mesh;
        let across = self.edge().div_ceil(TILE);
        let vertices = Vertices::new(&mesh.positions, camera, self.edge(), threads);
        let bins = Bins::sort(&vertices, &mesh.triangles, &count.tiles, self.edge(), self.watch);
        let scene = self.scene(camera, tone, &vertices);
        threads.map_with(across * across, Tile::new, |tile, i| {
            work(&scene, tile, bins.tile(i), Origin { x: i % across * TILE, y: i / across * TILE }, i)
        })
    }

    fn scene<'a>(&'a self, camera: &View, tone: &'a Tone, vertices: &'a Vertices<'a>) -> Scene<'a> {
        let shader = Shader::new(self.model, camera, tone);
        let (triangles, opaque) = (&self.model.mesh.triangles, self.model.opaque);
        Scene { shader, vertices, triangles, opaque, watch: self.watch }
    }

    /// Learns what is seen of large textures, and reads it from one picture after the other.
    fn look(
        &self,
        plans: &[(usize, Plan<'_>)],
        (outer, inner): (Threads, Threads),
        tone: &Tone,
        budget: &mut Budget,
    ) -> Checked<Vec<Vec<Places>>> {
        let images = &self.model.material.images;
        let (each, seen, room) = (Places::bytes_each(images), AtomicU64::new(0), budget.left());
        let textured = check_uvs(&self.model.mesh);
        let mut places = Vec::new();
        if textured.is_ok() {
            places = outer.map(VIEWS.len(), |i| {
                self.on_tiles(i, tone, inner, |scene, tile, list, origin, _| {
                    if seen.load(Ordering::Relaxed) > room {
                        return Places::default();
                    }
                    let mut look = Look::default();
                    tile.draw(scene, list, origin, &mut look);
                    let places = look.places();
                    seen.fetch_add(each * places.len() as u64, Ordering::Relaxed);
                    places
                })
            });
            self.watch.check()?;
            budget.take(seen.into_inner(), "images")?;
        }
        let mut faults = TextureSlots::default();
        for (index, plan) in plans {
            let place = place(*index);
            let picture = plan.decode(&place, self.watch)?;
            let mine = images.map(|i, _| (i == index).then_some(())).flatten();
            faults = faults.or(mine.map(|(), channels| texture::check(&picture, channels, &place).err()).flatten());
            let mut slots = mine.map(|(), channels| Loose::new(&picture, channels, &place).ok()).flatten();
            slots.emissive = slots.emissive.filter(|_| self.model.material.glows());
            self.read(&mut places, &slots);
            self.watch.check()?;
        }
        first_fault(faults).map_or(Ok(()), Err)?;
        textured?;
        places.iter_mut().flatten().for_each(Places::close);
        Ok(places)
    }

    /// Reads a picture at the places of all tiles.
    fn read(&self, places: &mut [Vec<Places>], slots: &TextureSlots<Loose<'_>>) {
        for view in places {
            self.threads.fill(view, 1, |_, tiles| {
                if !self.watch.stopped() {
                    tiles.iter_mut().for_each(|places| places.read(slots));
                }
            });
        }
    }
}

fn first_fault(faults: TextureSlots<Refusal>) -> Option<Refusal> {
    let TextureSlots { normal, occlusion, emissive, base_color, metallic_roughness } = faults;
    normal.or(occlusion).or(emissive).or(base_color).or(metallic_roughness)
}

/// One view at full size, in tiles; those that are missing are white.
struct Large {
    tiles: Vec<Option<Vec<[u8; 3]>>>,
    edge: usize,
}

impl Large {
    /// The tiles of a row from the top, and which of their rows it is.
    fn row(&self, row: usize) -> (&[Option<Vec<[u8; 3]>>], usize) {
        let (across, up) = (self.edge.div_ceil(TILE), (self.edge - 1).saturating_sub(row));
        (self.tiles.chunks(across).nth(up / TILE).unwrap_or_default(), up % TILE)
    }
}

impl lanczos::Source for Large {
    fn edge(&self) -> usize {
        self.edge
    }

    fn colored(&self, row: usize) -> Range<usize> {
        let (tiles, _) = self.row(row);
        let Some(first) = tiles.iter().position(Option::is_some) else { return 0..0 };
        let last = tiles.iter().rposition(Option::is_some).unwrap_or(first);
        first * TILE..((last + 1) * TILE).min(self.edge)
    }

    fn copy(&self, row: usize, out: &mut [u8]) {
        let (tiles, row) = self.row(row);
        let (even, odd) = out.split_at_mut(out.len() / 2);
        let parts = even.chunks_mut(TILE / 2 * CHANNELS).zip(odd.chunks_mut(TILE / 2 * CHANNELS));
        for (tile, (even, odd)) in tiles.iter().zip(parts) {
            let pixels = tile.as_ref().and_then(|pixels| pixels.get(row * TILE..(row + 1) * TILE));
            let Some((evens, odds)) = pixels.map(|pixels| pixels.split_at(TILE / 2)) else { continue };
            for (part, pixels) in [(even, evens), (odd, odds)] {
                if let Some(pixels) = pixels.as_flattened().get(..part.len()) {
                    part.copy_from_slice(pixels);
                }
            }
        }
    }
}
