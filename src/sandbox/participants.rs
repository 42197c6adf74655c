//! Who plays in the sandbox: the miners, what they are up to, and what their programs make.

use serde::{Deserialize, Serialize};

use super::judge::JudgeMode;
use super::models::Shape;
use super::rng::Rng;
use super::threejs::module;
use crate::base::error::{Context as _, Result};
use crate::model::format::Format;
use crate::model::ids::{Block, CommitSha, Hotkey, RepoName, RoundNumber, Seed};
use crate::model::schedule::Schedule;

/// The competition's name.
pub(crate) const NAME: &str = "sandbox";

/// The late miner reveals this many blocks after the window's last block.
const LATE_BY: u64 = 3;

/// A sandbox's parameters: equal parameters give equal commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The seed of everything that is drawn.
    pub(crate) seed: u64,
    /// Number of rounds.
    pub(crate) rounds: u32,
    pub(crate) miners: usize,
    /// Prompts per round.
    pub(crate) prompts: usize,
    /// The port of all servers.
    pub(crate) port: u16,
    /// How the judge behaves.
    #[serde(default, skip_serializing_if = "is_honest")]
    pub(crate) judge: JudgeMode,
    /// What the competition is about.
    #[serde(default = "meshes", deserialize_with = "any_format", skip_serializing_if = "is_of_meshes")]
    pub(crate) format: Format,
    /// `[views]` of the settings, if modules are drawn by something else than the stand-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) views: Option<String>,
}

fn meshes() -> Format {
    Format::Mesh
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_of_meshes(format: &Format) -> bool {
    *format == Format::Mesh
}

fn any_format<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Format, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = [Format::Mesh, Format::Threejs].into_iter().find(|format| format.name() == name);
    known.ok_or_else(|| serde::de::Error::custom("not a format that is played"))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_honest(mode: &JudgeMode) -> bool {
    *mode == JudgeMode::Honest
}

impl Params {
    /// Where everything is served.
    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The miners with a role of their own, in order of reveal.
const OF_MESHES: [(&str, Role); 6] = [
    ("steady", Role::Steady),
    ("cheat", Role::Cheat),
    ("gifted", Role::Gifted),
    ("broken", Role::Broken),
    ("hostile", Role::Hostile),
    ("late", Role::Late),
];

/// As [`OF_MESHES`], in a competition of three.js modules.
const OF_MODULES: [(&str, Role); 7] = [
    ("steady", Role::Steady),
    ("cheat", Role::Cheat),
    ("gifted", Role::Gifted),
    ("broken", Role::Broken),
    ("violator", Role::Violator),
    ("endless", Role::Endless),
    ("late", Role::Late),
];

/// What a miner is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Better than the first leader.
    Steady,
    /// Submits perfect models that its program does not make.
    Cheat,
    /// The best honest miner.
    Gifted,
    /// Has missing files and files that are not models.
    Broken,
    /// Has a server that tries to do harm.
    Hostile,
    /// Reveals after the first round's last block, so it plays from the second round on.
    Late,
    /// Submits modules that break a static rule.
    Violator,
    /// Submits modules that do not end.
    Endless,
    /// Worse than the first leader, or hardly better.
    Plain,
}

impl Role {
    /// What it is up to, for the summary.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Role::Steady => "better than the first leader",
            Role::Cheat => "submits perfect models that its program does not make, or not in time",
            Role::Gifted => "the best honest miner",
            Role::Broken => "files that are missing, cut short or not models",
            Role::Hostile => "a server that tries to do harm",
            Role::Late => "reveals too late for round 0, plays from round 1 on",
            Role::Violator => "modules that read the clock, which no module may",
            Role::Endless => "modules that do not end",
            Role::Plain => "about as good as the first leader",
        }
    }
}

/// A miner.
#[derive(Debug, Clone)]
pub(crate) struct Miner {
    /// Its name in the sandbox.
    pub(crate) name: String,
    /// Its role.
    pub(crate) role: Role,
    /// Its hotkey.
    pub(crate) hotkey: Hotkey,
}

/// A miner's or the first leader's program at a commit.
#[derive(Debug, Clone)]
pub(crate) struct MinerProgram {
    /// The miner's role; `None` for the first leader.
    pub(crate) role: Option<Role>,
    /// The round in which it was first revealed.
    pub(crate) round: RoundNumber,
    /// Its repository.
    pub(crate) repo: RepoName,
    /// Its commit.
    pub(crate) commit: CommitSha,
}

/// How a cheat cheats in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    /// Its program makes something else.
    SomethingElse,
    /// Its program makes the right model, but takes too long.
    TooSlow,
}

/// All participants.
#[derive(Debug, Clone)]
pub(crate) struct Participants {
    /// The sandbox's parameters.
    pub(crate) params: Params,
    pub(crate) miners: Vec<Miner>,
    /// The first leader's hotkey.
    pub(crate) leader: Hotkey,
    /// The stems of the pool's prompts.
    pub(crate) stems: Vec<String>,
}

impl Participants {
    /// The participants that follow from these parameters.
    pub(crate) fn new(params: Params) -> Participants {
        let seed = params.seed.to_string();
        let roles: &[(&str, Role)] = if params.format == Format::Threejs { &OF_MODULES } else { &OF_MESHES };
        let hotkey = |name: &str| Hotkey::from_account(&Rng::of(&[&seed, "hotkey", name]).bytes());
        let known = roles.iter().map(|(name, role)| ((*name).to_owned(), *role));
        let plain = (roles.len()..params.miners).map(|number| (format!("plain-{number}"), Role::Plain));
        let miner = |(name, role): (String, Role)| Miner { hotkey: hotkey(&name), name, role };
        let miners = known.chain(plain).map(miner).collect();
        let stem = |number: usize| {
            let drawn = Rng::of(&[&seed, "prompt", &number.to_string()]).hex();
            format!("shape-{}", drawn.get(..12).unwrap_or(&drawn))
        };
        let stems = (0..2 * params.prompts).map(stem).collect();
        Participants { leader: hotkey("leader"), miners, stems, params }
    }

    /// The prefix of all of the sandbox's URLs.
    pub(crate) fn base(&self) -> String {
        self.params.base()
    }

    /// The program that a miner reveals in a round; without a miner, the first leader's.
    ///
    /// # Errors
    /// None in practice: all names made here are valid.
    pub(crate) fn program(&self, miner: Option<&Miner>, round: RoundNumber) -> Result<MinerProgram> {
        let name = miner.map_or("leader", |miner| &miner.name);
        let commit = Rng::of(&[&self.params.seed.to_string(), "commit", name, &round.to_string()]).hex();
        let what = || format!("the program of {name}");
        Ok(MinerProgram {
            role: miner.map(|miner| miner.role),
            round,
            repo: format!("sandbox/{name}").parse().failed(what)?,
            commit: commit.get(..40).unwrap_or(&commit).parse().failed(what)?,
        })
    }

    /// The program whose commit starts the image tag.
    pub(crate) fn program_of_tag(&self, tag: &str) -> Option<MinerProgram> {
        let short = tag.split('-').next()?;
        let rounds = || (0..self.params.rounds).map(RoundNumber);
        let whose = std::iter::once(None).chain(self.miners.iter().map(Some));
        let mut all = whose.flat_map(|miner| rounds().filter_map(move |round| self.program(miner, round).ok()));
        all.find(|program| program.commit.short() == short)
    }

    /// The image of the first leader's program.
    ///
    /// # Errors
    /// None in practice: all names made here are valid.
    pub(crate) fn leader_image(&self) -> Result<String> {
        Ok(format!("{NAME}.invalid/leader:{}-{NAME}-0", self.program(None, RoundNumber(0))?.commit.short()))
    }

    /// The miners that reveal during this round, with their blocks.
    pub(crate) fn reveals(&self, round: RoundNumber, schedule: &Schedule) -> Vec<(&Miner, Block)> {
        let (first, last) = (schedule.earliest_reveal_block.0, schedule.latest_reveal_block.0);
        let window = last.saturating_sub(first);
        let turn = |place: u64| first + window / 10 + window * 8 / 10 * place / self.miners.len().max(1) as u64;
        let reveal = |(place, miner): (u64, &'_ Miner)| match (miner.role, round.0) {
            // It leads from then on and need not reveal again.
            (Role::Gifted, 1..) => None,
            (Role::Late, 0) => Some(Block(last + LATE_BY)),
            // Its late reveal counts now.
            (Role::Late, 1) => None,
            _ => Some(Block(turn(place))),
        };
        (0..).zip(&self.miners).filter_map(|(place, miner)| Some((miner, reveal((place, miner))?))).collect()
    }

    /// The miners in a round's submissions, with the rounds in which they revealed their programs.
    pub(crate) fn players(&self, round: RoundNumber) -> Vec<(&Miner, RoundNumber)> {
        let from = |miner: &Miner| match (miner.role, round.0) {
            (Role::Gifted, 1..) | (Role::Late, 0) => None,
            (Role::Late, 1) => Some(RoundNumber(0)),
            _ => Some(round),
        };
        self.miners.iter().filter_map(|miner| Some((miner, from(miner)?))).collect()
    }

    /// The text that a miner reveals.
    ///
    /// # Errors
    /// None in practice: all names made here are valid.
    pub(crate) fn reveal_text(&self, miner: &Miner, round: RoundNumber) -> Result<String> {
        let MinerProgram { repo, commit, .. } = self.program(Some(miner), round)?;
        // A late program's files are requested only in the round in which it plays.
        let at = format!("{}/cdn/{}", self.base(), miner.name);
        Ok(serde_json::json!({"repo": repo, "commit": commit, "cdn_url": at}).to_string())
    }

    /// The shape that a prompt shows.
    pub(crate) fn target(&self, stem: &str) -> Shape {
        Shape::of(&[&self.params.seed.to_string(), "shape", stem])
    }

    /// How flawed a program's submitted models are, from 0 (perfect) to 10.
    fn level(program: &MinerProgram) -> f64 {
        match (program.role, program.round.0) {
            (None, _) => 9.0,
            (Some(Role::Cheat), _) => 0.0,
            (Some(Role::Gifted), _) => 2.0,
            (Some(Role::Steady), _) => 4.3,
            (Some(Role::Late), 0 | 1) => 4.0,
            // It has improved by the third round.
            (Some(Role::Late), _) => 0.0,
            (Some(Role::Broken | Role::Hostile | Role::Violator | Role::Endless), _) => 6.0,
            (Some(Role::Plain), _) => 9.5,
        }
    }

    /// The model that a program makes for a prompt with a round's seed, as submitted.
    pub(crate) fn model(&self, program: &MinerProgram, stem: &str, seed: Seed) -> Shape {
        let level = Participants::level(program);
        let mut rng = Rng::of(&[program.commit.as_str(), stem, &seed.to_string()]);
        let level = if level > 0.0 { level + rng.within(-0.8, 0.8) } else { level };
        self.target(stem).flawed(level / 10.0)
    }

    /// The model that a program makes in a pod, and the seconds that it reports.
    pub(crate) fn regenerated(&self, program: &MinerProgram, stem: &str, seed: Seed) -> (Shape, f64) {
        let mut rng = Rng::of(&["seconds", program.commit.as_str(), stem, &seed.to_string()]);
        let tenths = |seconds: f64| (seconds * 10.0).round() / 10.0;
        let model = self.model(program, stem, seed);
        match program.role.filter(|role| *role == Role::Cheat).map(|_| trick(program.round)) {
            None => (model, tenths(rng.within(20.0, 60.0))),
            Some(Trick::TooSlow) => (model, tenths(rng.within(95.0, 115.0))),
            Some(Trick::SomethingElse) => {
                let other = Shape::of(&["something else", stem]);
                (other.in_colours_of(&model.flawed(1.0)), tenths(rng.within(20.0, 60.0)))
            }
        }
    }
}

/// The run in which the cheat's program of modules makes something else.
const OTHER_RUN: u32 = 3;

impl Participants {
    /// The module that a program makes for a prompt with a round's seed, as submitted.
    pub(crate) fn module(&self, program: &MinerProgram, stem: &str, seed: Seed) -> String {
        let shape = self.model(program, stem, seed);
        match program.role {
            Some(Role::Violator) => module::against_the_rules(&shape),
            Some(Role::Endless) => module::endless(&shape),
            _ => module::source(&shape),
        }
    }

    /// The module that a program makes in a run of its own.
    pub(crate) fn module_of_run(&self, program: &MinerProgram, stem: &str, seed: Seed, run: u32) -> String {
        if program.role == Some(Role::Cheat) && run == OTHER_RUN {
            return module::source(&Shape::of(&["something else", stem]));
        }
        self.module(program, stem, seed)
    }

    /// The seconds that a program needs for a batch of so many prompts, in a run with this seed.
    #[allow(clippy::cast_precision_loss, reason = "a batch has a few prompts")]
    pub(crate) fn batch_seconds(&self, program: &MinerProgram, (seed, run): (Seed, u32), prompts: usize) -> f64 {
        let mut rng = Rng::of(&["batch", program.commit.as_str(), &seed.to_string(), &run.to_string()]);
        (rng.within(15.0, 50.0) * prompts as f64 * 10.0).round() / 10.0
    }
}

/// How the cheat cheats in a round.
pub(crate) fn trick(round: RoundNumber) -> Trick {
    if round.0.is_multiple_of(2) { Trick::SomethingElse } else { Trick::TooSlow }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participants() -> Participants {
        Participants::new(Params {
            seed: 7,
            rounds: 3,
            miners: 8,
            prompts: 4,
            port: 1,
            judge: JudgeMode::Honest,
            format: Format::Mesh,
            views: None,
        })
    }

    #[test]
    fn a_tag_names_its_program() {
        let participants = participants();
        for miner in [None, participants.miners.first(), participants.miners.last()] {
            let program = participants.program(miner, RoundNumber(2)).unwrap();
            let found = participants.program_of_tag(&format!("{}-sandbox-2", program.commit.short())).unwrap();
            assert_eq!((found.commit, found.role), (program.commit, program.role));
        }
        assert!(participants.program_of_tag("0000000-sandbox-0").is_none());
    }

    #[test]
    fn reveals_lie_in_their_window_but_for_the_late_one() {
        let participants = participants();
        let schedule: Schedule = serde_json::from_str(
            r#"{"earliest_reveal_block": 1000, "latest_reveal_block": 1600, "generation_deadline_block": 2200}"#,
        )
        .unwrap();
        for round in 0..3 {
            let round = RoundNumber(round);
            for (miner, block) in participants.reveals(round, &schedule) {
                let late = miner.role == Role::Late && round.0 == 0;
                assert_eq!((1000..=1600).contains(&block.0), !late, "{} at {block}", miner.name);
            }
        }
    }

    #[test]
    fn only_the_cheat_makes_something_else_in_a_pod() {
        let participants = participants();
        for miner in &participants.miners {
            let program = participants.program(Some(miner), RoundNumber(0)).unwrap();
            let (model, seconds) = participants.regenerated(&program, "shape-1", Seed(5));
            assert_eq!(
                model == participants.model(&program, "shape-1", Seed(5)),
                miner.role != Role::Cheat,
                "{}",
                miner.name
            );
            assert!(seconds < 90.0);
        }
    }
}
