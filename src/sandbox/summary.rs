//! The summary of a play: how the rounds ended, what was caught, and whether every claim holds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::child_guard::{self, CapturedOutput};
use super::folder::{FIRST_BLOCK, SandboxFolder};
use super::judge::JudgeMode;
use super::participants::{Miner, Params, Participants, Role};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::base::text::counted;
use crate::engine::fetching::spool::FetchJournal;
use crate::model::format::Format;
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::schedule::Schedule;
use crate::model::snapshot::{RoundFiles, Snapshot};
use crate::model::store::Store;
use crate::rules::download::{KnownFiles, Tally, tally};
use crate::rules::tournament::order;
use crate::world::git::Git;

/// The summary printed at the end.
#[derive(Debug, Serialize)]
pub(crate) struct SandboxSummary {
    /// The competition's folder.
    pub(crate) dir: String,
    /// The last commit; the JSON answer has it elsewhere.
    #[serde(skip)]
    pub(crate) head: Option<String>,
    /// The miners, in order of reveal.
    pub(crate) players: Vec<PlayerRole>,
    pub(crate) rounds: Vec<RoundSummary>,
    /// The leaders, in order.
    pub(crate) leaders: Vec<Leader>,
    /// What was caught.
    pub(crate) caught: Vec<Caught>,
    /// The counts of `verify --history`.
    pub(crate) verify: Value,
    /// What it found of the operator's lie, if there was one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) lies: Vec<String>,
    /// What it found odd in the judge's answers, if the judge is not honest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bias: Option<Vec<String>>,
    /// How it was played.
    #[serde(skip)]
    pub(crate) params: Params,
    /// The report's index page.
    pub(crate) report: String,
}

/// A miner and what it is up to.
#[derive(Debug, Serialize)]
pub(crate) struct PlayerRole {
    name: String,
    hotkey: Hotkey,
    about: &'static str,
}

/// How a round ended.
#[derive(Debug, Serialize)]
pub(crate) struct RoundSummary {
    pub(crate) round: RoundNumber,
    /// Its winner: a miner's name, or `leader`.
    pub(crate) winner: String,
    /// The miners, in order of reveal.
    pub(crate) standings: Vec<StandingsRow>,
}

/// A miner's line.
#[derive(Debug, Serialize)]
pub(crate) struct StandingsRow {
    pub(crate) name: String,
    pub(crate) hotkey: Hotkey,
    /// The margin of its match against the round's leader.
    pub(crate) margin: Option<f64>,
    /// The audit's outcome, if there was one.
    pub(crate) audit: Option<&'static str>,
}

/// A leader.
#[derive(Debug, Serialize)]
pub(crate) struct Leader {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) from_block: u64,
}

/// Something that was caught.
#[derive(Debug, Serialize)]
pub(crate) struct Caught {
    pub(crate) round: RoundNumber,
    pub(crate) name: String,
    pub(crate) hotkey: Hotkey,
    /// The recorded reason.
    pub(crate) reason: String,
}

impl SandboxSummary {
    /// Summarizes a finished competition, and runs `verify` and `report` on it.
    ///
    /// # Errors
    /// A file cannot be read, a claim does not hold, or the report cannot be made.
    pub(crate) fn of(folder: &SandboxFolder, participants: &Participants) -> Result<SandboxSummary> {
        let store = Store::open(&folder.root)?;
        let git = Git::open(&folder.root)?.ok_or_else(|| Error::file(&folder.root, "no git checkout"))?;
        let Played { rounds, caught, leaders } = match participants.params.format {
            Format::Threejs => super::threejs::summary::played(&store, participants)?,
            _ => played(&store, participants, &git)?,
        };
        let Verified { counts, lies, bias } = verify(folder, participants.params.judge)?;
        Ok(SandboxSummary {
            dir: folder.root.display().to_string(),
            head: git.head()?.map(|id| id.to_string()),
            players: participants.miners.iter().map(player).collect(),
            rounds,
            leaders,
            caught,
            verify: counts,
            lies,
            bias,
            params: participants.params.clone(),
            report: report(folder, participants)?,
        })
    }

    /// The summary as text.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec!["players:".to_owned()];
        for PlayerRole { name, hotkey, about } in &self.players {
            lines.push(format!("  {name:<9} {}  {about}", hotkey.short()));
        }
        for round in &self.rounds {
            let won =
                if round.winner == "leader" { "the leader holds".to_owned() } else { format!("{} wins", round.winner) };
            lines.push(format!("round {}: {won}", round.round));
            for StandingsRow { name, hotkey, margin, audit } in &round.standings {
                let margin = margin.map_or("not played".to_owned(), |margin| match margin {
                    margin if margin.abs() > 1.0 => "no files".to_owned(),
                    margin => format!("{:+.0}% against the leader", margin * 100.0),
                });
                let audit = audit.map(|outcome| format!(", audit {outcome}")).unwrap_or_default();
                lines.push(format!("  {name:<9} {}  {margin}{audit}", hotkey.short()));
            }
        }
        let leaders = self
            .leaders
            .iter()
            .map(|leader| format!("{} with weight {} from block {}", leader.name, leader.weight, leader.from_block));
        lines.push(format!("leaders: {}", leaders.collect::<Vec<_>>().join("; ")));
        lines.push("caught:".to_owned());
        for Caught { round, name, reason, .. } in &self.caught {
            lines.push(format!("  round {round}, {name}: {reason}"));
        }
        let count = |status| self.verify.get(status).and_then(Value::as_u64).unwrap_or_default();
        let (pass, warn, skip) = (count("pass"), count("warn"), count("skip"));
        let fail = self.lies.len();
        let counts = format!("{pass} pass, {fail} fail, {warn} warn, {skip} skip");
        lines.push(match fail {
            0 => format!("verify --history: every claim that can be checked here holds ({counts})"),
            _ => format!("verify --history found the operator's lie ({counts}):"),
        });
        lines.extend(self.lies.iter().map(|lie| format!("  {lie}")));
        match self.bias.as_deref() {
            Some([]) => lines.push(
                "verify found nothing odd in the judge's answers: there are too few of them to tell from chance; more \
                 --prompts or --rounds give more"
                    .to_owned(),
            ),
            Some(found) => {
                lines.push("verify found of the judge:".to_owned());
                lines.extend(found.iter().map(|one| format!("  {one}")));
            }
            None => {}
        }
        lines.extend(self.head.iter().map(|head| format!("commit {head}")));
        lines.push(format!("competition {}", self.dir));
        lines
    }
}

fn player(miner: &Miner) -> PlayerRole {
    PlayerRole { name: miner.name.clone(), hotkey: miner.hotkey.clone(), about: miner.role.about() }
}

/// How the rounds went.
pub(crate) struct Played {
    pub(crate) rounds: Vec<RoundSummary>,
    pub(crate) caught: Vec<Caught>,
    pub(crate) leaders: Vec<Leader>,
}

fn played(store: &Store, participants: &Participants, git: &Git) -> Result<Played> {
    let snapshot = Snapshot::load(store)?;
    let (mut rounds, mut caught) = (Vec::new(), Vec::new());
    for (number, files) in &snapshot.rounds {
        rounds.push(round(participants, *number, files));
        caught.extend(caught_in(participants, *number, files, git)?);
        let submitted = files.submissions.get().map(|all| all.keys().cloned().collect::<Vec<_>>());
        caught.extend(left_out(participants, *number, files.schedule.get(), submitted.as_deref()));
    }
    let leaders = snapshot.leaders.get().into_iter().flatten().map(|entry| Leader {
        name: name_of(participants, &Player::Miner(entry.hotkey.clone())),
        weight: entry.weight,
        from_block: entry.effective_block.0,
    });
    Ok(Played { rounds, caught, leaders: leaders.collect() })
}

/// A player's name in the sandbox.
pub(crate) fn name_of(participants: &Participants, player: &Player) -> String {
    let Player::Miner(hotkey) = player else { return "leader".to_owned() };
    let miner = participants.miners.iter().find(|miner| miner.hotkey == *hotkey);
    match miner {
        Some(miner) => miner.name.clone(),
        None if *hotkey == participants.leader => "leader".to_owned(),
        None => hotkey.to_string(),
    }
}

fn round(participants: &Participants, number: RoundNumber, files: &RoundFiles) -> RoundSummary {
    let miners = files.submissions.get().map(order).unwrap_or_default();
    let row = |hotkey: Hotkey| {
        let player = Player::Miner(hotkey.clone());
        let audit = files.generation_audits.get().and_then(|audits| audits.get(&hotkey));
        StandingsRow {
            name: name_of(participants, &player),
            margin: files.matrix.get().and_then(|matrix| matrix.margin(&Player::Leader, &player)),
            audit: audit.map(|audit| audit.outcome.as_str()),
            hotkey,
        }
    };
    let winner = files.winner.get().map(|winner| name_of(participants, winner.player()));
    let winner = winner.unwrap_or_else(|| "nobody".to_owned());
    RoundSummary { round: number, winner, standings: miners.into_iter().map(row).collect() }
}

/// What was caught in a round: rejected audits, refused files, late reveals.
fn caught_in(participants: &Participants, number: RoundNumber, files: &RoundFiles, git: &Git) -> Result<Vec<Caught>> {
    let mut caught = Vec::new();
    let mut add = |name: String, hotkey: &Hotkey, reason: String| {
        caught.push(Caught { round: number, name, hotkey: hotkey.clone(), reason });
    };
    for audit in files.generation_audits.get().into_iter().flat_map(|audits| audits.values()) {
        if audit.outcome == AuditOutcome::Rejected {
            let name = name_of(participants, &Player::Miner(audit.hotkey.clone()));
            add(name, &audit.hotkey, format!("audit rejected: {}", audit.reason));
        }
    }
    let mut known = KnownFiles::default();
    FetchJournal::read(&git.own_folder(), number)?.into_iter().for_each(|mark| known.add(mark));
    for (miner, _) in participants.players(number) {
        let Some(prompts) = files.prompts.get() else { continue };
        let Tally { refused, failed, reasons, .. } = tally(prompts, &miner.hotkey, &known);
        if refused + failed > 0 {
            let said: Vec<String> =
                summed(reasons).into_iter().map(|(reason, count)| format!("{count}x {reason}")).collect();
            add(
                miner.name.clone(),
                &miner.hotkey,
                format!("{} without a model: {}", counted(refused + failed, "file", "files"), said.join("; ")),
            );
        }
    }
    Ok(caught)
}

/// Miners that revealed too late for a round.
pub(crate) fn left_out(
    participants: &Participants,
    round: RoundNumber,
    schedule: Option<&Schedule>,
    submitted: Option<&[Hotkey]>,
) -> Vec<Caught> {
    let (Some(schedule), Some(submitted)) = (schedule, submitted) else { return Vec::new() };
    let last = schedule.latest_reveal_block;
    let late = participants.miners.iter().filter(|miner| miner.role == Role::Late);
    let left = late.filter(|miner| !submitted.contains(&miner.hotkey));
    let caught = left.filter_map(|miner| {
        let reveals = participants.reveals(round, schedule);
        let (_, block) = reveals.into_iter().find(|(of, _)| of.hotkey == miner.hotkey)?;
        let reason = format!("revealed in block {block}, after the last one, {last}: left out");
        let (name, hotkey) = (miner.name.clone(), miner.hotkey.clone());
        (block > last && last >= FIRST_BLOCK).then_some(Caught { round, name, hotkey, reason })
    });
    caught.collect()
}

/// Adds up reasons that differ only in their digits, under the first of them.
fn summed(reasons: BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let mut summed: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for (reason, count) in reasons {
        let form: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        summed.entry(form).or_insert((reason, 0)).1 += count;
    }
    summed.into_values().collect()
}

/// What `verify --history` says.
struct Verified {
    counts: Value,
    /// The operator's lie, if it told one.
    lies: Vec<String>,
    /// What is odd in the answers of a judge that is not honest.
    bias: Option<Vec<String>>,
}

/// Runs `gen404 verify --history`.
fn verify(folder: &SandboxFolder, judge: JudgeMode) -> Result<Verified> {
    let mut command = folder.command(FIRST_BLOCK)?;
    command.args(["--json", "verify", "--history"]);
    let CapturedOutput { code, out, err } = child_guard::outcome(command, "verify")?;
    let found: Value = serde_json::from_str(&out).failed(|| format!("gen404 verify did not print JSON: {err}"))?;
    let counts = || {
        let counts = found.pointer("/details/summary").filter(|counts| counts.is_object());
        counts.cloned().ok_or_else(|| Error::failed("gen404 verify printed no counts"))
    };
    let checks = || found.pointer("/details/checks").and_then(Value::as_array).into_iter().flatten();
    let text = |check: &Value, key: &str| check.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let line = |check: &Value| format!("{} {}: {}", text(check, "id"), text(check, "subject"), text(check, "detail"));
    if code == Some(0) {
        let odd = |check: &&Value| text(check, "id") == "judge.bias" && text(check, "status") == "warn";
        let bias = match judge {
            JudgeMode::Lies => return Err(Error::failed("verify --history did not find the operator's lie")),
            JudgeMode::Honest => None,
            JudgeMode::First | JudgeMode::Random => Some(checks().filter(odd).map(line).collect()),
        };
        return Ok(Verified { counts: counts()?, lies: Vec::new(), bias });
    }
    let failed: Vec<_> = checks().filter(|check| text(check, "status") == "fail").collect();
    let expected = |check: &&Value| text(check, "id") == "duel.answers";
    let is_the_lie = judge == JudgeMode::Lies && failed.len() == 1 && failed.iter().all(expected);
    let said: Vec<String> = failed.into_iter().map(line).collect();
    if is_the_lie {
        return Ok(Verified { counts: counts()?, lies: said, bias: None });
    }
    let lie = Error::failed(format!("verify --history: {} failed", counted(said.len(), "claim", "claims")));
    Err(lie.because(anyhow::anyhow!(said.join(" | "))).hint("gen404 verify --history in the sandbox's folder"))
}

/// Runs `gen404 report`. Returns its index page. Its images are linked to the sandbox's files, so that they show
/// without the servers.
fn report(folder: &SandboxFolder, participants: &Participants) -> Result<String> {
    let out = folder.report()?;
    let mut command = folder.command(FIRST_BLOCK)?;
    command.arg("report").arg("--out").arg(&out);
    child_guard::run(command, "report")?;
    // The report lies beside the sandbox's folder.
    let name = folder.root.file_name().unwrap_or_default().as_encoded_bytes();
    link_locally(&out, Path::new(""), &format!("../{}", in_a_link(name)), &participants.base())?;
    Ok(out.join("index.html").display().to_string())
}

/// Links a folder's pages to the sandbox's files; `up` is the relative path from the pages to the sandbox's folder.
fn link_locally(out: &Path, pages: &Path, up: &str, base: &str) -> Result<()> {
    for entry in files::list(&files::below(out, pages)?)? {
        let path = pages.join(entry.file_name());
        let cannot = || format!("{}: cannot link the report's pictures", path.display());
        if entry.file_type().failed(cannot)?.is_dir() {
            link_locally(out, &path, &format!("../{up}"), base)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let bytes = files::read_below(out, &path, files::OWN)?.unwrap_or_default();
            let mut text = String::from_utf8(bytes).failed(cannot)?;
            for (served, lies) in [("objects", "objects"), ("prompts", "sandbox/prompts")] {
                let (from, to) = (format!("{base}/{served}/"), format!("{up}/{lies}/"));
                // Templates may write slashes in values as character references.
                text = text.replace(&from.replace('/', "&#x2f;"), &to).replace(&from, &to);
            }
            files::replace_below(out, &path, text.as_bytes(), files::Readers::All)?;
        }
    }
    Ok(())
}

/// A folder's name, percent-encoded for a link.
fn in_a_link(name: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let part = |byte: &u8| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    name.iter().map(part).collect()
}
