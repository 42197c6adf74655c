//! Four views to one picture.

use super::camera::{VIEWS, View};
use super::lanczos;
use super::model::Model;
use super::project::{self, Bins, TILE};
use super::raster::{Origin, Scene, Tile};
use super::shade::{Shader, unit_normals};
use super::threads::Threads;
use super::tone::Tone;

/// Width of the black cross between the views, in pixels.
pub(crate) const GAP: usize = 5;

/// Draws the four views, `size` pixels a side each, as one RGB grid of `2 * size + GAP` a side.
pub(crate) fn draw(model: &Model, size: usize, threads: Threads) -> Vec<u8> {
    let tone = Tone::new();
    let normals = unit_normals(&model.mesh.normals);
    let edge = 2 * size + GAP;
    let mut grid = vec![0; edge * edge * 3];
    // Views side by side first: they share nothing. Threads beyond that split a view's tiles.
    let (outer, inner) = threads.split(VIEWS.len());
    let views = outer.map(VIEWS.len(), |i| {
        let large = draw_view(model, &normals, &VIEWS[i], 2 * size, &tone, inner);
        lanczos::halve(&large, 2 * size, inner)
    });
    for (i, small) in views.iter().enumerate() {
        let (x, y) = (i % 2 * (size + GAP), i / 2 * (size + GAP));
        for (row, line) in small.chunks_exact(size * 3).enumerate() {
            let at = ((y + row) * edge + x) * 3;
            if let Some(target) = grid.get_mut(at..at + line.len()) {
                target.copy_from_slice(line);
            }
        }
    }
    grid
}

/// Draws one view at full size: RGB, rows from the top.
fn draw_view(model: &Model, normals: &[[f32; 3]], view: &View, edge: usize, tone: &Tone, threads: Threads) -> Vec<u8> {
    let triangles = &model.mesh.triangles;
    let vertices = project::vertices(&model.mesh.positions, view, edge, threads);
    let bins = Bins::sort(&vertices, triangles, edge, threads);
    let shader = Shader::new(model, normals, view, tone);
    let scene = Scene { shader, vertices: &vertices, triangles, opaque: model.opaque() };
    let across = edge.div_ceil(TILE);
    let tiles = threads.map_with(across * across, Tile::new, |tile, i| {
        tile.draw(&scene, bins.tile(i), Origin { x: i % across * TILE, y: i / across * TILE })
    });
    let mut image = vec![255; edge * edge * 3];
    for (i, tile) in tiles.iter().enumerate() {
        let Some(pixels) = tile else { continue };
        let (x0, y0) = (i % across * TILE, i / across * TILE);
        let width = TILE.min(edge - x0);
        for (row, line) in pixels.chunks_exact(TILE).enumerate().take(edge - y0) {
            let at = ((edge - 1 - y0 - row) * edge + x0) * 3;
            if let (Some(target), Some(line)) = (image.get_mut(at..at + width * 3), line.get(..width)) {
                target.copy_from_slice(line.as_flattened());
            }
        }
    }
    image
}
