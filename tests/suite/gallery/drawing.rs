//! Models whose drawing costs far more than their bytes: copies, needles, heaps, glass.

use super::glb::{BOTH, Mesh, copies, glb, refused, render, render_with};
use super::harness::{World, too_slow};
use super::pattern::Pattern;

#[test]
fn copies_of_a_triangle_that_fills_the_view() {
    if too_slow("copies of a triangle that fills the view") {
        return;
    }
    for count in [1_000, 10_000, 500_000, 5_000_000] {
        render(&format!("{count} copies of a triangle"), &copies(count).glb());
    }
}

#[test]
fn copies_that_can_be_seen_through() {
    if too_slow("copies that can be seen through") {
        return;
    }
    for count in [200, 10_000, 1_000_000] {
        render(&format!("{count} panes of glass"), &copies(count).glass().glb());
    }
}

#[test]
fn copies_with_five_textures() {
    if too_slow("copies with five textures") {
        return;
    }
    let picture = super::pictures::png(64, 64, 6);
    for count in [1_000, 100_000] {
        render(&format!("{count} textured copies"), &copies(count).textured(vec![picture.clone()]).glb());
    }
}

#[test]
fn a_list_without_indices_and_a_strip() {
    if too_slow("a list without indices and a strip") {
        return;
    }
    let corners: Vec<[f32; 3]> = super::glb::FULL.into_iter().cycle().take(300_000).collect();
    render("100,000 triangles, each its own corners", &Mesh::soup(&corners).glb());
    // A strip of the same three corners is a triangle an index: every other one faces us.
    let strip = String::from_utf8(strip_json(4_000_000)).unwrap();
    render("a strip of 4 million", &glb(Pattern::of(strip), bin_of_strip(4_000_000)));
}

fn strip_json(count: u64) -> Vec<u8> {
    format!(
        r#"{{"asset":{{"version":"2.0"}},"scene":0,"scenes":[{{"nodes":[0]}}],"nodes":[{{"mesh":0}}],"meshes":[{{"primitives":[{{"mode":5,"attributes":{{"POSITION":0}},"indices":1}}]}}],"accessors":[{{"bufferView":0,"componentType":5126,"type":"VEC3","count":3}},{{"bufferView":1,"componentType":5121,"type":"SCALAR","count":{count}}}],"bufferViews":[{{"buffer":0,"byteLength":36}},{{"buffer":0,"byteOffset":36,"byteLength":{count}}}],"buffers":[{{"byteLength":{}}}]}}"#,
        36 + count
    )
    .into_bytes()
}

fn bin_of_strip(count: u64) -> Pattern {
    let corners: Vec<u8> = super::glb::FULL.as_flattened().iter().copied().flat_map(f32::to_le_bytes).collect();
    Pattern::of(corners).times([0, 1, 2], count / 3).times([0], count % 3)
}

#[test]
fn needles_that_touch_every_tile_and_cover_little() {
    if too_slow("needles that touch every tile and cover little") {
        return;
    }
    let needle = |width: f32| [[-0.59, -0.59, 0.0], [-0.59 + width, -0.59, 0.0], [0.59, 0.59, 0.1]];
    for (width, count) in [(0.01, 20_000), (0.0005, 500_000), (0.0, 2_500_000), (1e-7, 2_500_000)] {
        render(&format!("{count} needles {width} wide"), &Mesh::of(&needle(width), &BOTH, count / 2).glb());
    }
}

#[test]
fn needles_in_all_directions() {
    if too_slow("needles in all directions") {
        return;
    }
    // A fan of slivers from corner to corner, none of which is like another.
    let mut corners = Vec::new();
    for n in 0..200_000_u32 {
        let t = f32::from(u16::try_from(n % 60_000).unwrap()) / 60_000.0 * 1.16 - 0.58;
        corners.extend([[-0.59, t, 0.3], [0.59, -t, -0.3], [0.59, -t + 0.002, -0.3]]);
    }
    render("200,000 slivers in all directions", &Mesh::soup(&corners).glb());
}

#[test]
fn a_heap_in_one_tile() {
    if too_slow("a heap in one tile") {
        return;
    }
    let small = [[-0.02, -0.02, 0.0], [0.02, -0.02, 0.01], [0.0, 0.03, 0.0]];
    for count in [50_000, 1_000_000, 5_000_000] {
        render(&format!("{count} triangles in one tile"), &Mesh::of(&small, &BOTH, count / 2).glb());
    }
    render("a million panes in one tile", &Mesh::of(&small, &BOTH, 500_000).glass().glb());
}

#[test]
fn layers_from_back_to_front() {
    if too_slow("layers from back to front") {
        return;
    }
    // Each is nearer to the first camera than all before it, so that no test of depth spares any.
    let mut corners = Vec::new();
    for n in 0..60_000_u16 {
        let z = f32::from(n) / 60_000.0 * 1.1 - 0.55;
        corners.extend([[-0.59, -0.59, z], [0.59, -0.59, z], [0.0, 0.59, z]]);
    }
    render("60,000 layers from back to front", &Mesh::soup(&corners).glb());
    render("60,000 layers of glass", &Mesh::soup(&corners).glass().glb());
}

#[test]
fn large_views_multiply_nothing_unbounded() {
    if too_slow("large views") {
        return;
    }
    for count in [100, 10_000] {
        render_with(&format!("{count} copies, views of 2048"), &copies(count).glb(), &["--size", "2048"]);
    }
}

#[test]
fn the_verdict_is_the_same_at_any_size_and_beside_others() {
    if too_slow("the verdict is the same at any size and beside others") {
        return;
    }
    let world = World::bare();
    let paths: Vec<String> = (0..6)
        .map(|n| {
            let path = world.top().join(format!("models/{n}/model.glb"));
            copies(10_000).glb().write(&path);
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let out = world.top().join("out");
    std::fs::create_dir(&out).unwrap();
    let png = out.join("model.png");
    for path in &paths[..2] {
        let args = ["render", path, "--out", png.to_str().unwrap(), "--json"];
        let outcome = world.run("one of six, as JSON", &args).ends(&[0, 1]);
        assert_eq!(outcome.json()["details"]["previews"].as_array().unwrap().len(), 1);
    }
    let beside: Vec<&str> = ["render"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    world.run("six models of 10,000 copies at once", &beside).ends(&[0, 1]);
}

#[allow(clippy::cast_possible_truncation, reason = "coordinates lose nothing that matters")]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[test]
fn honest_models_of_the_largest_kind_are_drawn() {
    if too_slow("honest models of the largest kind are drawn") {
        return;
    }
    // Five million small triangles over a ball, all within their view.
    let mut corners = Vec::with_capacity(196_608);
    for n in 0..65_536_u32 {
        let (u, v) =
            (f64::from(n % 256) / 256.0 * std::f64::consts::TAU, f64::from(n / 256) / 256.0 * std::f64::consts::PI);
        let at = |du: f64, dv: f64| {
            let (u, v) = (u + du, v + dv);
            [0.5 * v.sin() * u.cos(), 0.5 * v.cos(), 0.5 * v.sin() * u.sin()].map(narrow)
        };
        corners.extend([at(0.0, 0.0), at(0.0, 0.004), at(0.004, 0.0)]);
    }
    let mesh = Mesh::soup(&corners);
    render("65,536 small triangles", &mesh.clone().glb()).ends(&[0]);
    if too_slow("5 million small triangles") {
        return;
    }
    render("5 million small triangles", &mesh.clone().over(76).glb()).ends(&[0]);
    let picture = super::pictures::png(8192, 8192, 2);
    let worst = mesh.over(76).textured(vec![picture; 4]).glb();
    render("5 million small triangles, 4 textures of 8192", &worst).ends(&[0]);
}

#[test]
fn corners_that_are_no_numbers() {
    if too_slow("corners that are no numbers") {
        return;
    }
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, f32::MIN_POSITIVE, -0.0] {
        let mesh = Mesh::of(&[[odd, -0.5, 0.1], [0.5, odd, -0.1], [0.0, 0.5, odd]], &BOTH, 1000);
        render(&format!("corners at {odd}"), &mesh.glb());
    }
    // Corners that no triangle uses may lie anywhere, and many triangles may have no area.
    let mesh = Mesh::of(&[[0.1, 0.1, 0.1], [0.1, 0.1, 0.1], [9e9, f32::NAN, 0.0]], &[[0, 1, 0]], 4_999_999);
    render("5 million triangles without an area", &mesh.glb());
    let mesh = Mesh::of(&[[0.1, 0.1, 0.1]], &[[0, 1, 2]], 10);
    refused(render("indices beyond the corners", &mesh.glb()));
}
