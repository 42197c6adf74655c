//! The answers of the sandbox's servers: the chain, the prompts, the miners' files and programs, the stored objects and
//! the judge, each below its own path. Without sockets.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::clock::{RoundStage, reveal_all};
use super::judge::PixelJudge;
use super::models::Shape;
use super::participants::{Miner, MinerProgram, Participants, Role};
use super::threejs::judge::{self as staged, Truth};
use super::threejs::pods::{Batch, BatchPods, results};
use super::threejs::renderer;
use crate::base::error::Result;
use crate::base::files;
use crate::base::text::counted;
use crate::model::file::{FileKind, RoundFile};
use crate::model::format::mesh::container;
use crate::model::format::{Format, ModelFormat};
use crate::model::ids::{RoundNumber, Seed};
use crate::model::objects::ObjectKey;
use crate::model::seed::SeedFile;
use crate::model::stage::CompetitionState;
use crate::model::store::Store;
use crate::preview::{Options, render};
use crate::world::chain::stand_in::StandInNode;

/// Edge of a view in a prompt's picture, in pixels: small, so that drawing is quick.
const PROMPT_VIEW: u32 = 128;

/// The name of a file that redirects to itself.
const ROUND: &str = "round-and-round";

/// A request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SiteRequest<'a> {
    /// `GET`, `POST`.
    pub(crate) method: &'a str,
    /// The path, without a query.
    pub(crate) path: &'a str,
    /// What follows the question mark.
    pub(crate) query: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
}

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Header fields.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// The body; `None` for an endless one.
    pub(crate) body: Option<Vec<u8>>,
}

impl Reply {
    pub(super) fn ok(content_type: &str, body: Vec<u8>) -> Reply {
        Reply { status: 200, fields: vec![("Content-Type", content_type.to_owned())], body: Some(body) }
    }

    pub(super) fn refused(status: u16, why: &str) -> Reply {
        let body = serde_json::json!({"detail": why}).to_string().into_bytes();
        Reply { status, ..Reply::ok("application/json", body) }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.fields.push((name, value.into()));
        self
    }
}

/// How many requests were answered, for the progress display.
#[derive(Debug, Default)]
struct Traffic {
    files: AtomicU64,
    generations: AtomicU64,
    judge_calls: AtomicU64,
}

impl std::fmt::Display for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [files, generations, calls] =
            [&self.files, &self.generations, &self.judge_calls].map(|count| count.load(Ordering::Relaxed));
        let (files, calls) = (counted(files, "file", "files"), counted(calls, "judge call", "judge calls"));
        write!(f, "{files} served, {generations} regenerated, {calls}")
    }
}

/// Everything that is served.
#[derive(Debug)]
pub(crate) struct SandboxSite {
    participants: Participants,
    /// The competition's folder, which the miners watch.
    repo: PathBuf,
    /// Where objects are stored.
    objects: PathBuf,
    node: Mutex<StandInNode>,
    /// Should the chain move to what is due next whenever it is queried? Otherwise the runner moves it.
    by_hand: bool,
    /// The models that a person plays [`Role::Steady`] with.
    played: Option<PathBuf>,
    pictures: Mutex<HashMap<String, Arc<Vec<u8>>>>,
    judge: PixelJudge,
    /// Of three.js modules.
    batches: BatchPods,
    traffic: Traffic,
}

impl SandboxSite {
    /// The site of these participants for a competition's folder.
    pub(crate) fn new(participants: Participants, repo: PathBuf, objects: PathBuf, node: StandInNode) -> SandboxSite {
        let (node, pictures) = (Mutex::new(node), Mutex::default());
        let (judge, batches) = (PixelJudge::new(participants.params.judge), BatchPods::new(&repo));
        let (by_hand, played, traffic) = (false, None, Traffic::default());
        SandboxSite { participants, repo, objects, node, by_hand, played, pictures, judge, batches, traffic }
    }

    /// The same, with a chain that follows commands run by hand, and a miner whose models are in this folder, if one is
    /// named.
    pub(crate) fn by_hand(self, played: Option<PathBuf>) -> SandboxSite {
        SandboxSite { by_hand: true, played, ..self }
    }

    /// Gives access to the chain.
    pub(crate) fn change_chain<T>(&self, change: impl FnOnce(&mut StandInNode) -> T) -> T {
        change(&mut self.node.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What has been answered so far, as text.
    pub(crate) fn traffic(&self) -> String {
        self.traffic.to_string()
    }

    /// Answers a request.
    pub(crate) fn answer(&self, ask: &SiteRequest<'_>) -> Reply {
        let parts: Vec<&str> = ask.path.trim_start_matches('/').split('/').collect();
        let reply = match (ask.method, parts.as_slice()) {
            ("POST", ["chain"]) => Some(self.chain(ask.body)),
            ("GET", ["prompts", file]) => self.prompt(file.trim_end_matches(".png")),
            ("GET", ["objects", key @ ..]) => self.object(&key.join("/")),
            ("GET", ["cdn", miner, file]) => {
                self.traffic.files.fetch_add(1, Ordering::Relaxed);
                self.file(miner, self.stem_of(file))
            }
            ("GET", ["pods", _, tag, "health"]) => {
                let program = self.participants.program_of_tag(tag);
                program.map(|_| Reply::ok("application/json", br#"{"status":"healthy"}"#.to_vec()))
            }
            ("POST", ["renderer", path @ ..]) => Some(renderer::answer(&path.join("/"), ask.query, ask.body)),
            (_, ["pods", player, tag, call]) if self.is_threejs() => {
                self.batch_pod(&format!("{player}/{tag}"), call, ask)
            }
            ("POST", ["pods", _, tag, "generate"]) => {
                self.traffic.generations.fetch_add(1, Ordering::Relaxed);
                self.participants.program_of_tag(tag).map(|program| self.generate(&program, ask))
            }
            ("GET", ["v1", "models"]) => {
                Some(Reply::ok("application/json", br#"{"object":"list","data":[{"id":"pixels"}]}"#.to_vec()))
            }
            ("POST", ["v1", "chat", "completions"]) => {
                self.traffic.judge_calls.fetch_add(1, Ordering::Relaxed);
                Some(self.judge(ask.body))
            }
            _ => None,
        };
        reply.unwrap_or_else(|| Reply::refused(404, "not found"))
    }

    fn chain(&self, body: &[u8]) -> Reply {
        let answered = self.change_chain(|node| -> Result<Vec<u8>> {
            if self.by_hand {
                let store = Store::open(&self.repo)?;
                let now = RoundStage::of(&store)?;
                reveal_all(&store, &self.participants, now.round, node)?;
                now.block.into_iter().for_each(|block| node.advance(block));
            }
            Ok(node.answer(body))
        });
        match answered {
            Ok(answer) => Reply::ok("application/json", answer),
            Err(error) => Reply::refused(500, &error.to_string()),
        }
    }

    fn is_threejs(&self) -> bool {
        self.participants.params.format == Format::Threejs
    }

    /// Answers for a pod that generates in batches.
    fn batch_pod(&self, pod: &str, call: &str, ask: &SiteRequest<'_>) -> Option<Reply> {
        let tag = pod.rsplit('/').next().unwrap_or_default();
        let program = self.participants.program_of_tag(tag)?;
        Some(match (ask.method, call) {
            ("GET", "health") => Reply::ok("application/json", br#"{"status":"healthy"}"#.to_vec()),
            ("GET", "status") => self.batches.status(pod),
            ("POST", "generate") => {
                self.traffic.generations.fetch_add(1, Ordering::Relaxed);
                self.batches.generate(pod, ask.body)
            }
            ("GET", "results") => {
                let Batch { stems, seed, run, .. } = self.batches.fetched(pod)?;
                let seconds = self.participants.batch_seconds(&program, (Seed(seed), run), stems.len());
                let module = |stem: String| {
                    let source = self.participants.module_of_run(&program, &stem, Seed(seed), run);
                    (stem, source)
                };
                results(&stems.into_iter().map(module).collect::<Vec<_>>(), seconds)
            }
            _ => return None,
        })
    }

    /// The stem of a model's file.
    fn stem_of<'f>(&self, file: &'f str) -> &'f str {
        let extension = self.participants.params.format.model().extension();
        let stem = file.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.'));
        stem.unwrap_or(file)
    }

    fn judge(&self, body: &[u8]) -> Reply {
        if self.is_threejs() {
            return match staged::answer(body, self, self.participants.params.judge) {
                Ok(answer) => Reply::ok("application/json", answer.to_string().into_bytes()),
                Err(why) => Reply::refused(400, &why),
            };
        }
        let base = self.participants.base();
        let fetch = |url: &str| {
            let path = url.strip_prefix(&base)?;
            self.answer(&SiteRequest { method: "GET", path, query: "", content_type: "", body: &[] }).body
        };
        match self.judge.answer(body, &fetch) {
            Ok(answer) => Reply::ok("application/json", answer.to_string().into_bytes()),
            Err(why) => Reply::refused(400, &why.to_string()),
        }
    }

    fn prompt(&self, stem: &str) -> Option<Reply> {
        let picture = self.picture(stem)?;
        Some(Reply::ok("image/png", picture.to_vec()))
    }

    /// A prompt's picture: its shape, drawn like a preview but smaller.
    pub(crate) fn picture(&self, stem: &str) -> Option<Arc<Vec<u8>>> {
        if !self.participants.stems.iter().any(|known| known == stem) {
            return None;
        }
        let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(drawn) = pictures.get(stem) {
            return Some(drawn.clone());
        }
        let options = Options { size: PROMPT_VIEW, ..Options::default() };
        let drawn = Arc::new(render(&self.participants.target(stem).model(), &options).ok()?.png());
        pictures.insert(stem.to_owned(), drawn.clone());
        Some(drawn)
    }

    fn object(&self, key: &str) -> Option<Reply> {
        let key = ObjectKey::parse(key).ok().or_else(|| ObjectKey::parse_trial(key))?;
        let bytes = files::read_below(&self.objects, Path::new(key.as_str()), files::MODEL).ok()??;
        let kind = match key.as_str().rsplit('.').next() {
            Some("png") => "image/png",
            Some("js") => ModelFormat::Js.media_type(),
            Some("npz") => "application/octet-stream",
            _ => format().media_type(),
        };
        Some(Reply::ok(kind, bytes))
    }

    /// The current round and its seed; `None` until the seed is drawn.
    fn round(&self) -> Result<Option<(RoundNumber, Seed)>> {
        let store = Store::open(&self.repo)?;
        let Some(state) = store.load::<CompetitionState>(&FileKind::State)? else { return Ok(None) };
        let round = state.current_round;
        let seed = store.load::<SeedFile>(&FileKind::Round(round, RoundFile::Seed))?;
        Ok(seed.map(|file| (round, file.seed)))
    }

    /// A miner's file; it exists once the round has a seed.
    fn file(&self, name: &str, stem: &str) -> Option<Reply> {
        let (round, seed) = self.round().ok()??;
        let place = self.participants.stems.iter().position(|known| known == stem);
        let (miner, revealed) = self.participants.players(round).into_iter().find(|(miner, _)| miner.name == name)?;
        let program = self.participants.program(Some(miner), revealed).ok()?;
        if let Some(folder) = self.played.as_deref().filter(|_| miner.role == Role::Steady) {
            return own_model(folder, stem);
        }
        if miner.role == Role::Hostile && stem == ROUND {
            return Some(round_again(miner));
        }
        let place = place?;
        let model = if self.is_threejs() {
            let source = self.participants.module(&program, stem, seed);
            Reply::ok(ModelFormat::Js.media_type(), source.into_bytes())
        } else {
            Reply::ok(format().media_type(), self.participants.model(&program, stem, seed).model())
        };
        Some(match miner.role {
            Role::Broken => broken(place, model),
            Role::Hostile => hostile(place, miner, model),
            _ => model,
        })
    }

    /// Answers for a program in a pod.
    fn generate(&self, program: &MinerProgram, ask: &SiteRequest<'_>) -> Reply {
        let parts = parts(ask);
        let part = |name| parts.iter().find(|(of, _)| of == name).map(|(_, bytes)| *bytes);
        let (Some(prompt), Some(seed)) = (part("prompt_image_file"), part("seed")) else {
            return Reply::refused(422, "prompt_image_file and seed are needed");
        };
        let Some(seed) = std::str::from_utf8(seed).ok().and_then(|text| text.parse().ok()).map(Seed) else {
            return Reply::refused(422, "seed is not a 32-bit number");
        };
        let shows = |stem: &&String| self.picture(stem).is_some_and(|picture| picture.as_slice() == prompt);
        let Some(stem) = self.participants.stems.iter().find(shows) else {
            return Reply::refused(422, "not the picture of a prompt");
        };
        if let Some(folder) = self.played.as_deref().filter(|_| program.role == Some(Role::Steady)) {
            return own_model(folder, stem).unwrap_or_else(|| Reply::refused(500, "the folder has no such model"));
        }
        let (model, seconds) = self.participants.regenerated(program, stem, seed);
        Reply::ok("application/octet-stream", model.model()).with("X-Generation-Seconds", seconds.to_string())
    }
}

impl Truth for SandboxSite {
    fn module(&self, view: &str) -> Option<String> {
        let path = view.strip_prefix(&self.participants.base())?.strip_prefix("/objects/")?;
        let endings = ["/grid.png", "/white/", "/gray/"];
        let stem = endings.iter().find_map(|ending| path.split_once(ending)).map(|(stem, _)| stem)?;
        let key = ObjectKey::parse(&format!("{stem}.js")).ok()?;
        let bytes = files::read_below(&self.objects, Path::new(key.as_str()), files::MODEL).ok()??;
        String::from_utf8(bytes).ok()
    }

    fn target(&self, prompt: &str) -> Option<Shape> {
        let stem = prompt.rsplit('/').next()?.strip_suffix(".png")?;
        Some(self.participants.target(stem))
    }
}

/// The format of the sandbox's models, if they are meshes.
fn format() -> ModelFormat {
    Format::default().model()
}

/// A model of a person's own.
fn own_model(folder: &Path, stem: &str) -> Option<Reply> {
    let name = PathBuf::from(format!("{stem}.{}", format().extension()));
    let bytes = files::read_below(folder, &name, files::MODEL).ok()??;
    Some(Reply::ok(format().media_type(), bytes))
}

/// The broken miner's answer for a file.
fn broken(place: usize, model: Reply) -> Reply {
    match place % 4 {
        0 => Reply::refused(404, "not found"),
        1 => Reply::ok("text/html", b"<html><body><h1>It works!</h1></body></html>".to_vec()),
        2 => Reply { body: model.body.map(|bytes| bytes.iter().take(bytes.len() / 2).copied().collect()), ..model },
        // A valid container with nothing to draw.
        _ => Reply::ok(format().media_type(), container(br#"{"asset":{"version":"2.0"}}"#.to_vec(), &[])),
    }
}

/// The hostile miner's answer for a file.
fn hostile(place: usize, miner: &Miner, model: Reply) -> Reply {
    match place % 4 {
        // An endless body, to fill the disk.
        0 => Reply { body: None, ..model },
        // A false Content-Encoding, for clients that decompress.
        1 => model.with("Content-Encoding", "gzip"),
        // A redirect loop.
        2 => round_again(miner),
        // A redirect to a local file.
        _ => Reply::refused(302, "elsewhere").with("Location", "file:///etc/passwd"),
    }
}

/// A redirect to itself.
fn round_again(miner: &Miner) -> Reply {
    Reply::refused(302, "elsewhere").with("Location", format!("/cdn/{}/{ROUND}.{}", miner.name, format().extension()))
}

/// The parts of a multipart form, by name.
fn parts<'a>(ask: &SiteRequest<'a>) -> Vec<(String, &'a [u8])> {
    let Some((_, boundary)) = ask.content_type.split_once("boundary=") else { return Vec::new() };
    let mark = [b"--", boundary.trim_matches('"').as_bytes()].concat();
    let mut found = Vec::new();
    let mut rest = ask.body;
    while let Some(at) = find(rest, &mark) {
        let after = rest.get(at + mark.len()..).unwrap_or_default();
        let end = find(after, &mark).unwrap_or(after.len());
        let part = after.get(..end).unwrap_or_default();
        if let Some(head) = find(part, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(part.get(..head).unwrap_or_default()).into_owned();
            let name = text.split("name=\"").nth(1).and_then(|rest| rest.split('"').next());
            let content = part.get(head + 4..).unwrap_or_default();
            let content = content.strip_suffix(b"\r\n").unwrap_or(content);
            found.extend(name.map(|name| (name.to_owned(), content)));
        }
        rest = after;
    }
    found
}

/// The index of `wanted` in `bytes`.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::super::judge::JudgeMode;
    use super::super::participants::Params;
    use super::*;
    use crate::model::ids::Block;

    fn site() -> SandboxSite {
        let participants = Participants::new(Params {
            seed: 1,
            rounds: 2,
            miners: 7,
            prompts: 1,
            port: 9,
            judge: JudgeMode::Honest,
            format: Format::Mesh,
            views: None,
        });
        SandboxSite::new(
            participants,
            PathBuf::from("/nowhere"),
            PathBuf::from("/nowhere"),
            StandInNode::new(17, 0, Block(1)),
        )
    }

    fn get(site: &SandboxSite, path: &str) -> Reply {
        site.answer(&SiteRequest { method: "GET", path, query: "", content_type: "", body: &[] })
    }

    #[test]
    fn a_program_makes_models_of_prompts_and_of_nothing_else() {
        let site = site();
        let stem = site.participants.stems[0].clone();
        let prompt = get(&site, &format!("/prompts/{stem}.png")).body.unwrap();
        let program = site.participants.program(None, RoundNumber(0)).unwrap();
        let path = format!("/pods/leader/{}-sandbox-0/generate", program.commit.short());
        let ask = |prompt: &[u8], seed: &str| {
            let head = "--XX\r\nContent-Disposition: form-data; name=\"prompt_image_file\"; filename=\"prompt.jpg\"\r\n\
                        Content-Type: image/jpeg\r\n\r\n";
            let tail = format!("\r\n--XX\r\nContent-Disposition: form-data; name=\"seed\"\r\n\r\n{seed}\r\n--XX--\r\n");
            let body = [head.as_bytes(), prompt, tail.as_bytes()].concat();
            let content_type = "multipart/form-data; boundary=XX";
            site.answer(&SiteRequest { method: "POST", path: &path, query: "", content_type, body: &body })
        };
        let made = ask(&prompt, "4232303603");
        assert_eq!(made.status, 200);
        assert!(made.fields.iter().any(|(name, _)| *name == "X-Generation-Seconds"));
        assert_eq!(made.body.unwrap(), site.participants.model(&program, &stem, Seed(4_232_303_603)).model());
        assert_eq!(ask(b"another", "1").status, 422);
        assert_eq!(ask(&prompt, "-1").status, 422);
        assert_eq!(get(&site, "/pods/leader/0000000-sandbox-0/health").status, 404);
        assert_eq!(get(&site, "/pods/leader/0000000/x").status, 404);
    }

    #[test]
    fn nothing_outside_of_the_store_is_an_object() {
        let site = site();
        for path in ["/objects/rounds/../../etc/passwd", "/objects/etc/passwd", "/prompts/no.png", "/cdn/steady/x.bin"]
        {
            assert_eq!(get(&site, path).status, 404, "{path}");
        }
    }
}
