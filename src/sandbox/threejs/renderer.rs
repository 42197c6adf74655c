//! The stand-in for the render service: draws the shapes of the sandbox's modules with gen404's own renderer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::module::{failure, shape_of};
use crate::preview::{Options, render};
use crate::sandbox::models::{Shape, png};
use crate::sandbox::site::Reply;

/// Edge of a view, in pixels: small, so that drawing is quick.
const EDGE: u32 = 64;

/// Answers a request below the service's address: `path` is what follows it, `query` what follows the question mark.
pub(crate) fn answer(path: &str, query: &str, body: &[u8]) -> Reply {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(source) = request.get("source").and_then(Value::as_str) else {
        return broken("no source");
    };
    // The box by which clients find out whether the service draws anything at all.
    let shape = if source.contains("BoxGeometry") { Some(Shape::of(&["box"])) } else { shape_of(source) };
    let refused = if source.contains("BoxGeometry") { None } else { failure(source) };
    let (None, Some(shape)) = (refused, shape) else {
        let [stage, rule, detail] = refused.unwrap_or(["parse", "PARSE_ERROR", "not a module"]);
        let failures = json!([{"stage": stage, "rule": rule, "detail": detail}]);
        let body = json!({"error": "validation_failed", "failures": failures}).to_string().into_bytes();
        return Reply { status: 422, ..Reply::ok("application/json", body) };
    };
    let drawn = match path {
        "render/grid" => grid(&shape).map(|png| Reply::ok("image/png", png)),
        _ => views(&shape, query).map(|images| {
            let images: Vec<String> = images.iter().map(|image| STANDARD.encode(image)).collect();
            let body = json!({"count": images.len(), "img_size": EDGE, "images": images});
            Reply::ok("application/json", body.to_string().into_bytes())
        }),
    };
    drawn.unwrap_or_else(|| broken("it cannot be drawn"))
}

fn broken(why: &str) -> Reply {
    Reply { status: 500, ..Reply::ok("application/json", json!({ "error": why }).to_string().into_bytes()) }
}

/// The views that a query asks for.
fn views(shape: &Shape, query: &str) -> Option<Vec<Vec<u8>>> {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let angles = |name: &str| -> Option<Vec<f64>> { value(name)?.split(',').map(|angle| angle.parse().ok()).collect() };
    let (thetas, phis) = (angles("thetas")?, angles("phis")?);
    let background = u32::from_str_radix(value("bg_color")?, 16).ok()?.to_be_bytes();
    let [_, red, green, blue] = background;
    thetas.iter().zip(&phis).map(|(theta, phi)| view(shape, *theta, *phi, [red, green, blue])).collect()
}

/// One view: the shape turned towards the camera, before this background.
fn view(shape: &Shape, theta: f64, phi: f64, background: [u8; 3]) -> Option<Vec<u8>> {
    let drawn = render(&shape.turned(theta, phi), &Options { size: EDGE, ..Options::default() }).ok()?;
    let (edge, rgb) = (drawn.edge(), drawn.rgb());
    let corner = rgb.get(..3)?.to_vec();
    let mut pixels = Vec::new();
    for y in 0..EDGE as usize {
        let begins = y * edge * 3;
        for pixel in rgb.get(begins..begins + EDGE as usize * 3)?.chunks_exact(3) {
            pixels.extend(if pixel == corner { &background } else { pixel });
        }
    }
    png(EDGE, &pixels).ok()
}

/// Four views in one picture.
fn grid(shape: &Shape) -> Option<Vec<u8>> {
    Some(render(&shape.turned(0.0, 0.0), &Options { size: EDGE, ..Options::default() }).ok()?.png())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::threejs::module::{against_the_rules, source};

    #[test]
    fn views_come_in_the_order_of_their_angles_and_the_same_each_time() {
        let shape = Shape::of(&["test"]);
        let body = json!({"source": source(&shape)}).to_string().into_bytes();
        let query = "thetas=30,90,0&phis=0,0,-90&bg_color=808080&img_size=1024";
        let ask = |query: &str| answer("render", query, &body);
        let reply = ask(query);
        let found: Value = serde_json::from_slice(reply.body.as_deref().unwrap()).unwrap();
        let images = found["images"].as_array().unwrap();
        assert_eq!((reply.status, images.len()), (200, 3));
        assert!(images[0] != images[1] && images[1] != images[2], "angles make no difference");
        assert_eq!(ask(query).body, ask(query).body);
        assert_ne!(ask(&query.replace("808080", "ffffff")).body, ask(query).body);
        assert_eq!(answer("render/grid", "", &body).fields[0].1, "image/png");
        let bad = json!({"source": against_the_rules(&shape)}).to_string().into_bytes();
        assert_eq!(answer("render", query, &bad).status, 422);
        assert_eq!(answer("render", query, b"{").status, 500);
    }
}
