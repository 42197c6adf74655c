//! The summary of a play: how the rounds ended, what was caught, and whether every claim holds.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::child_guard::{self, CapturedOutput};
use super::folder::{FIRST_BLOCK, SandboxFolder};
use super::judge::JudgeMode;
use super::participants::{Miner, Params, Participants};
use super::played::{self, Caught, Leader, Played, RoundSummary, StandingsRow};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::base::text::counted;
use crate::model::format::Format;
use crate::model::ids::Hotkey;
use crate::model::store::Store;
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
            _ => played::played(&store, participants, &git)?,
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
