//! The miner's program in a pod, on real sockets: what it answers, when, and whose fault it is.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gen404::model::ids::Seed;
use gen404::world::http::Secret;
use gen404::world::pods::Endpoint;
use gen404::world::pods::program::{Generation, Health, Program, ProgramLimits, ProgramTrouble};

use crate::cdn::triangle_glb;
use crate::chain_support::{Fake, Reply};
use crate::snapshots::Transcript;

/// Larger than what any test sends before it is done.
const PATIENT: Duration = Duration::from_secs(20);

fn limits() -> ProgramLimits {
    ProgramLimits {
        connect: PATIENT,
        send: PATIENT,
        headers: PATIENT,
        body: PATIENT,
        health: PATIENT,
        ..<_>::default()
    }
}

fn program(url: &str, limits: ProgramLimits) -> Program {
    Program::new(Endpoint { url: url.to_owned(), key: None }, limits)
}

struct Made {
    generation: Generation,
    path: PathBuf,
    answered: Vec<Instant>,
    _folder: tempfile::TempDir,
}

fn generate(program: &Program) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.glb");
    let mut answered = Vec::new();
    let generation = program.generate(b"\x89PNG", Seed(4_232_303_603), &path, &mut || answered.push(Instant::now()));
    let generation = generation.unwrap();
    assert_eq!(answered.len(), 1, "the permit is given back once");
    Made { generation, path, answered, _folder: folder }
}

#[track_caller]
fn fault(reply: fn() -> Reply, limits: ProgramLimits) -> ProgramTrouble {
    let fake = Fake::start(move |_, _, _| reply());
    let made = generate(&program(&fake.url(), limits));
    assert_eq!(fake.count(), 1, "a generation is never asked for twice");
    made.generation.outcome.unwrap_err()
}

#[test]
fn a_prompt_goes_up_as_the_contract_says_and_the_model_comes_down() {
    let glb = triangle_glb("a");
    let sent = glb.clone();
    let fake = Fake::start(move |_, _, _| Reply::Body(sent.clone()));
    let made = generate(&program(&format!("{}/", fake.url()), limits()));
    let fetched = made.generation.outcome.unwrap();
    assert_eq!(std::fs::read(&made.path).unwrap(), glb);
    assert_eq!((fetched.size, fetched.sha256), (glb.len() as u64, gen404::world::store::sha256_of(&*glb).unwrap()));
    let (line, body) = fake.seen.lock().unwrap()[0].clone();
    assert_eq!(line, "POST /generate HTTP/1.1");
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(body.contains("name=\"prompt_image_file\"; filename=\"prompt.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"));
    assert!(body.contains("name=\"seed\"\r\n\r\n4232303603\r\n"), "{body}");
}

#[test]
fn whatever_is_no_model_is_the_programs_fault() {
    let mut seen = Transcript::new(&[]);
    let mut program_says = |about: &str, reply| match fault(reply, limits()) {
        ProgramTrouble::Program(why) => _ = seen.message(about, &why),
        other => panic!("{other:?}"),
    };
    program_says("a page", || Reply::Body(b"<html>busy</html>".to_vec()));
    program_says("nothing", || Reply::Body(Vec::new()));
    program_says("a part of a model", || Reply::Body(triangle_glb("a")[..100].to_vec()));
    program_says("status 500", || Reply::Status(500, "", b"Internal\x1b Server Error".to_vec()));
    program_says("status 422", || Reply::Status(422, "", b"{\"detail\":[]}".to_vec()));
    program_says("status 302", || Reply::Status(302, "Location: /other\r\n", Vec::new()));
    seen.holds("program_faults");
}

#[test]
fn what_is_lost_on_the_way_is_for_another_pod() {
    let lost = |reply| match fault(reply, limits()) {
        ProgramTrouble::Infrastructure(why) => why,
        other => panic!("{other:?}"),
    };
    for status in [502, 503, 504, 524, 530] {
        let fake = Fake::start(move |_, _, _| Reply::Status(status, "", b"<html>".to_vec()));
        let outcome = generate(&program(&fake.url(), limits())).generation.outcome;
        assert!(matches!(outcome, Err(ProgramTrouble::Infrastructure(_))), "{status}: {outcome:?}");
    }
    lost(|| Reply::Half(triangle_glb("a")));
    lost(|| Reply::Drop);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = generate(&program(&format!("http://{closed}"), limits())).generation.outcome;
    assert!(matches!(outcome, Err(ProgramTrouble::Infrastructure(_))), "{outcome:?}");
}

#[test]
fn the_clock_stops_at_the_headers_and_the_body_has_a_limit_of_its_own() {
    let glb = triangle_glb("early");
    let (sent, pause) = (glb.clone(), Duration::from_millis(20));
    let drips = u32::try_from(glb.len() / 10).unwrap();
    let fake = Fake::start(move |_, _, _| Reply::Drip(sent.clone(), pause));
    let made = generate(&program(&fake.url(), limits()));
    let after_headers = made.answered[0].elapsed();
    assert!(made.generation.outcome.is_ok(), "{:?}", made.generation);
    assert!(after_headers >= pause * drips, "the body came after the permit: {after_headers:?}");
    let slow = fault(
        || Reply::Drip(vec![0; 100_000], Duration::from_millis(20)),
        ProgramLimits { body: Duration::from_millis(300), ..limits() },
    );
    assert!(matches!(&slow, ProgramTrouble::Program(why) if why.contains("in time")), "{slow:?}");
    let late = fault(|| Reply::Silent(PATIENT), ProgramLimits { headers: Duration::from_millis(300), ..limits() });
    assert!(matches!(&late, ProgramTrouble::Program(why) if why.contains("in time")), "{late:?}");
    let long = fault(|| Reply::Body(triangle_glb("a")), ProgramLimits { bytes: 99, ..limits() });
    assert!(matches!(&long, ProgramTrouble::Program(why) if why.contains("longer than 99")), "{long:?}");
}

#[test]
fn seconds_come_from_the_answer_only_where_asked_for() {
    let fake = Fake::start(|_, _, _| Reply::Status(200, "X-Generation-Seconds: 4321.5\r\n", triangle_glb("a")));
    let seconds = |reported_times| {
        generate(&program(&fake.url(), ProgramLimits { reported_times, ..limits() })).generation.seconds
    };
    assert!((seconds(true) - 4321.5).abs() < 1e-9);
    assert!(seconds(false) < 4000.0);
}

#[test]
fn health_is_ready_not_yet_or_refused() {
    let fake = Fake::start(|number, _, _| match number {
        0 => Reply::Status(200, "", b"anything".to_vec()),
        1 => Reply::Status(503, "", Vec::new()),
        2 => Reply::Status(404, "", Vec::new()),
        3 => Reply::Status(403, "", b"wrong key".to_vec()),
        _ => Reply::Drop,
    });
    let endpoint = Endpoint { url: format!("{}/", fake.url()), key: Some(Secret::new("hunter2")) };
    let program = Program::new(endpoint, limits());
    assert_eq!(program.health(), Health::Ready);
    assert_eq!(program.health(), Health::NotYet("/health: status 503".to_owned()));
    assert_eq!(program.health(), Health::NotYet("/health: status 404".to_owned()));
    assert_eq!(program.health(), Health::Refused("/health: status 403".to_owned()));
    assert!(matches!(program.health(), Health::NotYet(_)));
    assert!(!format!("{program:?}").contains("hunter2"));
    assert!(fake.seen.lock().unwrap().iter().all(|(line, _)| line.starts_with("GET /health ")));
}
