//! Makes the small competition of `examples/competition`: two whole rounds, each file as its stage
//! writes it. With `--history` every step is a commit of its own.
//!
//! ```text
//! cargo run --example make_competition -- DIR [--history]
//! ```
//!
//! Nothing here is random: the same bytes come out every time, and a test compares them with the
//! files that are checked in. The tests also use it as their source of whole competitions.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a generator of fixtures: any surprise should stop it"
)]

use std::path::Path;

use chrono::DateTime;
use gen404::model::beacon::BlockHash;
use gen404::model::builds::{Build, BuildStatus, Builds};
use gen404::model::config::{ConfigFile, Settings};
use gen404::model::file::{FileKind, PlayerFile, RepoFile, RoundFile};
use gen404::model::format::Format;
use gen404::model::generation_audits::GenerationAudits;
use gen404::model::ids::{Block, Hotkey, Player, PromptStem, RoundNumber};
use gen404::model::leader::{LeaderEntry, Leaders, leader_at};
use gen404::model::matrix::Matrix;
use gen404::model::outputs::{Output, Outputs};
use gen404::model::prompts::{Prompt, PromptList};
use gen404::model::record::Extra;
use gen404::model::refusals::{self, Refusal, Refusals};
use gen404::model::report::{Duel, DuelWinner, MatchReport};
use gen404::model::require_audit::{AuditRequest, AuditRequests};
use gen404::model::schedule::Schedule;
use gen404::model::snapshot::{RoundFiles, Snapshot};
use gen404::model::stage::{CompetitionState, Stage};
use gen404::model::store::{FileWrite, Store};
use gen404::model::submissions::{Submission, Submissions};
use gen404::model::winner::Winner;
use gen404::rules::checks::RequestView;
use gen404::rules::duel;
use gen404::rules::seed::from_block;
use gen404::rules::succession::{Finished, Moment, finalize};
use gen404::rules::tournament::{Field, critical_prompts, replay};
use gen404::rules::{Plan, Thresholds, audit, prompts};
use gen404::world::git::Git;
use sha2::{Digest, Sha256};

fn main() {
    let mut args = std::env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| "examples/competition".to_owned());
    make(Path::new(&dir), args.next().as_deref() == Some("--history"));
}

/// A miner of the example: how good its models are, and how it plays.
#[derive(Clone, Copy)]
struct Miner {
    name: &'static str,
    /// Of 100 duels against the first leader, how many it wins more than it loses.
    skill: i32,
    /// Regenerates something else than it submitted.
    cheats: bool,
    /// Has no files at all.
    absent: bool,
}

const MINERS: [Miner; 5] = [
    Miner { name: "quarry", skill: 30, cheats: false, absent: false },
    Miner { name: "mirage", skill: 55, cheats: true, absent: false },
    Miner { name: "pebble", skill: -20, cheats: false, absent: false },
    Miner { name: "basalt", skill: 45, cheats: false, absent: false },
    Miner { name: "ghost", skill: 0, cheats: false, absent: true },
];

/// Makes the competition in `dir`; with `history`, as a git repository with a commit a step.
pub(crate) fn make(dir: &Path, history: bool) {
    std::fs::create_dir_all(dir).unwrap();
    let git = history.then(|| {
        let git = Git::init(dir).unwrap();
        let config = dir.join(".git/config");
        let old = std::fs::read_to_string(&config).unwrap();
        std::fs::write(config, format!("{old}[user]\n\tname = example\n\temail = example@example.org\n")).unwrap();
        Git::open(dir).unwrap().unwrap_or(git)
    });
    let store = Store::open(dir).unwrap();
    let maker = Maker { store, git, limits: Thresholds::default() };
    maker.begin();
    for round in [RoundNumber(0), RoundNumber(1)] {
        maker.play(round);
    }
}

struct Maker {
    store: Store,
    git: Option<Git>,
    limits: Thresholds,
}

impl Maker {
    fn write(&self, message: &str, writes: Vec<FileWrite>) {
        self.apply(&Plan { writes, message: message.to_owned(), says: Vec::new() });
    }

    fn apply(&self, plan: &Plan) {
        let changed = self.store.apply(&plan.writes, &mut |_, _| Ok(())).unwrap();
        if let Some(git) = &self.git {
            git.commit(&changed, &plan.message).unwrap();
        }
    }

    fn read<T: RepoFile>(&self, file: &FileKind) -> T {
        self.store.need(file).unwrap()
    }

    fn settings(&self) -> Settings {
        self.read::<ConfigFile>(&FileKind::Config).settings
    }

    fn files(&self, round: RoundNumber) -> RoundFiles {
        Snapshot::load(&self.store).unwrap().rounds.remove(&round).unwrap()
    }

    fn stage(&self, round: RoundNumber, stage: Stage) -> FileWrite {
        FileWrite::new(FileKind::State, &CompetitionState::new(round, stage, None))
    }

    fn begin(&self) {
        let settings = Settings {
            rules: None,
            name: "example".to_owned(),
            description: "Two small rounds that show every file".to_owned(),
            first_evaluation_date: "2026-03-02".parse().unwrap(),
            last_competition_date: "2026-06-30".parse().unwrap(),
            round_start_time: None,
            generation_stage_minutes: 120,
            finalization_buffer_hours: Some(1.0),
            win_margin: 0.05,
            weight_decay: 0.05,
            weight_floor: 0.1,
            prompts_per_round: 24,
            carryover_prompts: 6,
            round_duration_days: Some(1),
            format: None,
            extra: Extra::default(),
        };
        let pool =
            (0..400).map(|at| Prompt::new(&format!("https://prompts.example.org/{}.png", hex("prompt", at))).unwrap());
        let schedule = Schedule {
            earliest_reveal_block: Block(0),
            latest_reveal_block: Block(700_000),
            generation_deadline_block: Block(700_600),
            extra: Extra::default(),
        };
        let leader = LeaderEntry {
            hotkey: hotkey("base"),
            repo: "example-org/base-miner".parse().unwrap(),
            commit: hex("base", 0)[..40].parse().unwrap(),
            docker: format!("registry.example.org/base:{}-base", &hex("base", 0)[..7]),
            weight: 0.0,
            effective_block: Block(700_000),
            extra: Extra::default(),
        };
        let eta = "2026-03-02T08:00:00Z".parse::<DateTime<chrono::Utc>>().unwrap();
        let state = CompetitionState::new(RoundNumber(0), Stage::Open, Some(eta));
        self.write(
            "Competition example: config, schedule, leader",
            vec![
                FileWrite::new(FileKind::Config, &ConfigFile::new(settings)),
                FileWrite::new(FileKind::Pool, &PromptList(pool.collect())),
                FileWrite::new(FileKind::Round(RoundNumber(0), RoundFile::Schedule), &schedule),
                FileWrite::new(FileKind::Leader, &vec![leader]),
                FileWrite::new(FileKind::State, &state),
            ],
        );
    }

    fn play(&self, round: RoundNumber) {
        self.reveal(round);
        self.build(round);
        self.baseline(round);
        self.download(round);
        let mut steps = 0;
        while !self.step(round) {
            steps += 1;
            assert!(steps < 50, "the tournament does not end");
        }
        self.finish(round);
    }

    fn reveal(&self, round: RoundNumber) {
        let (settings, schedule) =
            (self.settings(), self.read::<Schedule>(&FileKind::Round(round, RoundFile::Schedule)));
        let submission = |at: usize| Submission {
            repo: format!("{}-lab/{}", MINERS[at].name, MINERS[at].name).parse().unwrap(),
            commit: hex(MINERS[at].name, round.0)[..40].parse().unwrap(),
            cdn_url: format!("https://{}.example.org/{round}", MINERS[at].name),
            revealed_at_block: Block(schedule.latest_reveal_block.0 - 900 + 100 * at as u64),
            round: format!("{}-{round}", settings.name),
            extra: Extra::default(),
        };
        let submissions: Submissions = (0..MINERS.len()).map(|at| (hotkey(MINERS[at].name), submission(at))).collect();
        let hash = BlockHash(Sha256::digest(format!("block of round {round}")).into());
        let seed = from_block(&settings.name, round, schedule.latest_reveal_block, hash);
        let previous =
            round.previous().map(|before| self.read::<PromptList>(&FileKind::Round(before, RoundFile::Prompts)));
        let pool = self.read::<PromptList>(&FileKind::Pool);
        let chosen = prompts::select(&settings, seed.seed, &previous.unwrap_or_default().0, &pool.0);
        let chosen = PromptList([chosen.carried, chosen.fresh].concat());
        self.write(
            &format!("Seed, prompts and submissions for round {round}"),
            vec![
                FileWrite::new(FileKind::Round(round, RoundFile::Submissions), &submissions),
                FileWrite::new(FileKind::Round(round, RoundFile::Seed), &seed),
                FileWrite::new(FileKind::Round(round, RoundFile::Prompts), &chosen),
                self.stage(round, Stage::MinerGeneration),
            ],
        );
    }

    fn build(&self, round: RoundNumber) {
        let submissions = self.read::<Submissions>(&FileKind::Round(round, RoundFile::Submissions));
        let build = |(hotkey, submission): (&Hotkey, &Submission)| {
            let tag = format!("{}-{}", submission.commit.short(), submission.round);
            let image = format!("registry.example.org/{}:{tag}", hotkey.short().to_lowercase());
            let absent = MINERS.iter().any(|miner| miner.absent && *hotkey == self::hotkey(miner.name));
            let build = Build {
                repo: submission.repo.clone(),
                commit: submission.commit.clone(),
                revealed_at_block: submission.revealed_at_block,
                tag,
                status: if absent { BuildStatus::Failure } else { BuildStatus::Success },
                docker_image: (!absent).then_some(image),
                extra: Extra::default(),
            };
            (hotkey.clone(), build)
        };
        let builds: Builds = submissions.iter().map(build).collect();
        let file = FileKind::Round(round, RoundFile::Builds);
        self.write(&format!("Update build statuses for round {round}"), vec![FileWrite::new(file, &builds)]);
    }

    fn baseline(&self, round: RoundNumber) {
        let outputs = self.outputs(round, &Player::Leader, "generated", |_, output| {
            output.generation_time = 40.0 + f64::from(output.attempts);
        });
        let file = FileKind::Player(round, Player::Leader, PlayerFile::Generated);
        self.write(&format!("Update generated for round {round}, miner leader"), vec![FileWrite::new(file, &outputs)]);
    }

    fn download(&self, round: RoundNumber) {
        self.write(&format!("Round {round}: downloading"), vec![self.stage(round, Stage::Downloading)]);
        let mut writes = Vec::new();
        for (at, miner) in MINERS.iter().enumerate() {
            let player = Player::Miner(hotkey(miner.name));
            let outputs = self.outputs(round, &player, "submitted", |stem, output| {
                if miner.absent || stem % 11 == at {
                    *output = nothing(0);
                } else if stem % 13 == at {
                    output.png = None;
                }
                output.attempts = 0;
            });
            let file = |file| FileKind::Player(round, player.clone(), file);
            writes.push(FileWrite::new(file(PlayerFile::Submitted), &outputs));
            let refusals: Refusals = outputs.iter().filter_map(|(stem, output)| refused(stem, output)).collect();
            if !refusals.is_empty() {
                writes.push(FileWrite::new(file(PlayerFile::Refusals), &refusals));
            }
        }
        writes.push(self.stage(round, Stage::Duels));
        self.write(&format!("Round {round}: duels"), writes);
    }

    /// A player's outputs, changed by `change` with the prompt's place.
    fn outputs(&self, round: RoundNumber, player: &Player, kind: &str, change: impl Fn(usize, &mut Output)) -> Outputs {
        let prompts = self.read::<PromptList>(&FileKind::Round(round, RoundFile::Prompts));
        let output = |(at, prompt): (usize, &Prompt)| {
            let url = |ending| {
                Some(format!("https://store.example.org/rounds/{round}/{player}/{kind}/{}.{ending}", prompt.stem()))
            };
            let mut output = Output {
                model: url(Format::Mesh.model().extension()),
                png: url("png"),
                generation_time: 0.0,
                size: 1_000_000 + 1000 * at as u64,
                attempts: [1, 2, 3][at % 3],
                distance: 0.0,
                extra: Extra::default(),
            };
            change(at, &mut output);
            (prompt.stem().clone(), output)
        };
        Outputs::of(Format::Mesh, prompts.0.iter().enumerate().map(output))
    }

    /// Does what the tournament needs next; true once it is decided.
    fn step(&self, round: RoundNumber) -> bool {
        use gen404::rules::tournament::TournamentOutcome;
        let settings = self.settings();
        let files = self.files(round);
        let replayed = replay(&Field::of(&files, settings.win_margin, &self.limits).unwrap());
        let mut writes = Vec::new();
        let requests = self.requests(round, &files, &replayed.candidates);
        if requests.len() > files.require_audit.get().map_or(0, Vec::len) {
            writes.push(FileWrite::new(FileKind::Round(round, RoundFile::RequireAudit), &requests));
            self.write(&format!("Update audit requests for round {round}"), writes);
            return false;
        }
        match replayed.outcome {
            TournamentOutcome::Matches(missing) => {
                let mut matrix: Matrix = files.matrix.get().cloned().unwrap_or_default();
                for (left, right) in missing {
                    let report = self.judge(round, &files, &left, &right);
                    matrix.0.insert((left.clone(), right.clone()), report.margin);
                    let name = format!("duels_{}.json", left.short());
                    writes.push(FileWrite::new(FileKind::Player(round, right, PlayerFile::Report(name)), &report));
                }
                writes.push(FileWrite::new(FileKind::Round(round, RoundFile::Matrix), &matrix));
                self.write(&format!("Update matches matrix for round {round}"), writes);
                false
            }
            TournamentOutcome::Audits(open) => {
                self.audit(round, &files, &open);
                false
            }
            TournamentOutcome::Winner(winner) => {
                self.declare_winner(round, &files, &winner);
                true
            }
        }
    }

    fn requests(
        &self,
        round: RoundNumber,
        files: &RoundFiles,
        candidates: &[gen404::rules::tournament::Candidate],
    ) -> AuditRequests {
        let view = RequestView { settings: self.settings(), files: files.clone().into(), earlier: Vec::new() };
        let mut requests = files.require_audit.get().cloned().unwrap_or_default();
        for candidate in candidates {
            if requests.iter().any(|request| request.hotkey == candidate.hotkey) {
                continue;
            }
            let right = Player::Miner(candidate.hotkey.clone());
            let (_, report) = files.report(round, &candidate.beaten, &right).unwrap();
            let seed = view.files.seed.get().unwrap().seed;
            let critical_prompts = critical_prompts(report, view.settings.win_margin, seed, &self.limits);
            requests.push(AuditRequest { hotkey: candidate.hotkey.clone(), critical_prompts, extra: Extra::default() });
        }
        requests
    }

    /// A match by the miners' skills; which duels go which way follows from a hash.
    fn judge(&self, round: RoundNumber, files: &RoundFiles, left: &Player, right: &Player) -> MatchReport {
        let of = |player: &Player| {
            let own = files.players.get(player).unwrap();
            if *player == Player::Leader { own.generated.get().unwrap() } else { own.submitted.get().unwrap() }
        };
        let edge = skill(round, right) - skill(round, left);
        let (lefts, rights) = (of(left), of(right));
        let mut duels: Vec<Duel> = files
            .prompts
            .get()
            .unwrap()
            .0
            .iter()
            .map(|prompt| {
                let stem = prompt.stem();
                let (left_out, right_out) = (&lefts[stem], &rights[stem]);
                let lot = i32::from(Sha256::digest(format!("{round} {left} {right} {stem}"))[0]) * 100 / 256;
                let judged = match lot {
                    lot if lot < 35 + edge / 2 => (DuelWinner::Right, "left lacks detail".to_owned()),
                    lot if lot < 70 => (DuelWinner::Left, "right has the wrong proportions".to_owned()),
                    _ => (DuelWinner::Draw, String::new()),
                };
                let (winner, issues) =
                    duel::without_judge(stem, Some(left_out), Some(right_out), (false, false)).unwrap_or(judged);
                Duel {
                    name: stem.clone(),
                    prompt: prompt.url().to_owned(),
                    left_model: left_out.model.clone(),
                    left_png: left_out.png.clone(),
                    right_model: right_out.model.clone(),
                    right_png: right_out.png.clone(),
                    winner,
                    issues,
                    extra: Extra::default(),
                }
            })
            .collect();
        duels.sort_by(|a, b| a.name.cmp(&b.name));
        let score = duel::score(&duels);
        let margin = duel::margin(score, duels.len());
        let (left, right) = (left.clone(), right.clone());
        MatchReport { format: Format::Mesh, left, right, score, margin, duels, extra: Extra::default() }
    }

    fn audit(&self, round: RoundNumber, files: &RoundFiles, open: &[Hotkey]) {
        let mut audits: GenerationAudits = files.generation_audits.get().cloned().unwrap_or_default();
        let mut writes = Vec::new();
        for hotkey in open {
            let player = Player::Miner(hotkey.clone());
            let cheats = MINERS.iter().any(|miner| miner.cheats && *hotkey == self::hotkey(miner.name));
            let generated = self.outputs(round, &player, "generated", |at, output| {
                output.generation_time = 50.0 + at as f64 * 1.25;
                output.distance = if cheats && at % 2 == 0 { 0.35 } else { 0.0078125 * at as f64 / 2.0 };
            });
            let submitted = files.players[&player].submitted.get().unwrap();
            let request = files.require_audit.get().unwrap().iter().find(|request| request.hotkey == *hotkey).unwrap();
            let verdict = audit::verdict(submitted, &generated, &request.critical_prompts, &self.limits);
            audits.insert(hotkey.clone(), verdict.of(hotkey.clone()));
            writes.push(FileWrite::new(FileKind::Player(round, player, PlayerFile::Generated), &generated));
        }
        writes.push(FileWrite::new(FileKind::Round(round, RoundFile::GenerationAudits), &audits));
        self.write(&format!("Update generation audits for round {round}"), writes);
    }

    fn declare_winner(&self, round: RoundNumber, files: &RoundFiles, winner: &Player) {
        let file = match winner {
            Player::Miner(hotkey) => {
                let build = files.builds.get().unwrap()[hotkey].clone();
                Winner::new(winner.clone(), build.repo, build.commit, build.docker_image.unwrap())
            }
            Player::Leader => {
                let leaders = self.read::<Leaders>(&FileKind::Leader);
                let leader = leader_at(&leaders, files.schedule.get().unwrap().latest_reveal_block).unwrap().clone();
                Winner::new(Player::Leader, leader.repo, leader.commit, leader.docker)
            }
        };
        let message = format!("Round {round} winner: {}", winner.short());
        let write = FileWrite::new(FileKind::Round(round, RoundFile::Winner), &file);
        self.write(&message, vec![write, self.stage(round, Stage::Finalizing)]);
    }

    fn finish(&self, round: RoundNumber) {
        let schedule = self.read::<Schedule>(&FileKind::Round(round, RoundFile::Schedule));
        let finished = Finished {
            settings: &self.settings(),
            state: &self.read::<CompetitionState>(&FileKind::State),
            schedule: Some(&schedule),
            leaders: &self.read::<Leaders>(&FileKind::Leader),
            winner: &self.read::<Winner>(&FileKind::Round(round, RoundFile::Winner)),
        };
        let start = "2026-03-02T08:00:00Z".parse::<DateTime<chrono::Utc>>().unwrap();
        let now = start + chrono::Duration::hours(24 * i64::from(round.0) + 9);
        let moment = Moment { block: Block(schedule.latest_reveal_block.0 + 2700), now };
        self.apply(&finalize(&finished, moment).unwrap());
    }
}

/// How good a player's models are. Who leads round 1 won round 0, and nobody beats it.
fn skill(round: RoundNumber, player: &Player) -> i32 {
    match player {
        Player::Leader if round.0 == 0 => 0,
        Player::Leader => 60,
        Player::Miner(hotkey) => {
            MINERS.iter().find(|miner| self::hotkey(miner.name) == *hotkey).map_or(0, |miner| miner.skill)
        }
    }
}

fn refused(stem: &PromptStem, output: &Output) -> Option<(PromptStem, Refusal)> {
    let refusal = match (&output.model, &output.png) {
        (Some(_), Some(_)) => return None,
        (Some(_), None) => Refusal::new("bounds.exceeded", "meshes[0]: a vertex lies outside the cube of 0.6"),
        (None, _) => Refusal::new(refusals::MISSING, "status 404"),
    };
    Some((stem.clone(), refusal))
}

fn nothing(attempts: u32) -> Output {
    Output { model: None, png: None, generation_time: 0.0, size: 0, attempts, distance: 0.0, extra: Extra::default() }
}

/// A miner's hotkey, from its name.
pub(crate) fn hotkey(name: &str) -> Hotkey {
    Hotkey::from_account(&Sha256::digest(name).into())
}

fn hex(what: &str, at: u32) -> String {
    gen404::base::hex::encode(Sha256::digest(format!("{what} {at}")))
}
