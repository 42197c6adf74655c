//! The deployed render service's contract, against a server on a real socket.

use std::time::Duration;

use gen404::base::error::Kind;
use gen404::model::format::Format;
use gen404::world::http::{Client, HttpLimits, Retry};
use gen404::world::render::{RenderService, Renderer, Rendering};

use crate::chain_support::{Fake, Reply};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

fn service(fake: &Fake) -> RenderService {
    let (first_pause, longest_pause) = (Duration::from_millis(5), Duration::from_millis(20));
    let retry = Retry { attempts: 3, first_pause, longest_pause };
    RenderService::with_client(
        &format!("{}/", fake.url()),
        Format::Mesh.model(),
        Client::new(HttpLimits::default(), retry),
    )
    .unwrap()
}

#[test]
fn a_model_goes_up_as_the_form_that_the_service_takes() {
    let fake = Fake::start(|_, _, _| Reply::Body(PNG.to_vec()));
    let drawn = service(&fake).render(b"glTF\0\xff\r\n--").unwrap();
    assert_eq!(drawn, Rendering::Png(PNG.to_vec()));
    let (line, body) = fake.seen.lock().unwrap()[0].clone();
    assert!(line.starts_with("POST /render_glb "), "{line}");
    let head = String::from_utf8_lossy(&body);
    assert!(head.contains("form-data; name=\"file\"; filename=\"content.glb\"\r\n"), "{head}");
    assert!(body.windows(12).any(|bytes| bytes == b"glTF\0\xff\r\n--\r\n"), "{head}");
}

#[test]
fn a_verdict_on_the_model_is_no_failure_of_the_service() {
    let fake = Fake::start(|_, _, _| Reply::Status(400, "", b"{\"detail\": \"GLB file contains 2 objects\"}".to_vec()));
    let Rendering::Refused { message, .. } = service(&fake).render(b"x").unwrap() else { panic!("drawn") };
    assert_eq!((message.as_str(), fake.count()), ("GLB file contains 2 objects", 1));
}

#[test]
fn a_service_that_fails_is_tried_again_and_then_named() {
    let fake = Fake::start(|number, _, _| match number {
        0 => Reply::Status(500, "", b"{}".to_vec()),
        1 => Reply::Body(b"<html>".to_vec()),
        _ => Reply::Body(PNG.to_vec()),
    });
    assert_eq!(service(&fake).render(b"x").unwrap(), Rendering::Png(PNG.to_vec()));
    let down = Fake::start(|_, _, _| Reply::Status(503, "", b"no \x1b[31mGPU".to_vec()));
    let error = service(&down).render(b"x").unwrap_err();
    assert_eq!((error.kind(), down.count()), (Kind::Outside, 3));
    assert!(error.to_string().contains("/render_glb: status 503: no \\u{1b}[31mGPU (3 attempts)"), "{error}");
    let unsure = Fake::start(|_, _, _| Reply::Status(422, "", b"{\"detail\": []}".to_vec()));
    let error = service(&unsure).render(b"x").unwrap_err();
    assert_eq!((error.kind(), unsure.count()), (Kind::Outside, 1));
}
