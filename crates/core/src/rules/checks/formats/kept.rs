//! What later commits have to keep of a file, by its kind.

use serde::Serialize;

use crate::model::builds::BuildStatus;
use crate::model::format::Format;
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::Hotkey;
use crate::model::record::ParseError;
use crate::model::splat::file::{SplatContent, SplatFile};
use crate::model::threejs::audits::VerificationAudit;
use crate::model::threejs::file::{ThreejsContent, ThreejsFile, ThreejsPlayerFile};
use crate::model::threejs::outputs::Module;
use crate::model::threejs::pod_stats::PodRunEntry;
use crate::model::threejs::reports::{GenerationReport, Repeat, ReportOutcome};
use crate::rules::threejs::known::COMPLETED;
use crate::rules::threejs::leader::shared;

/// The contents of a file that later commits have to keep.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kept {
    /// A list that only grows: its entries.
    List(Vec<String>),
    /// Entries that are never removed.
    Entries(Vec<Entry>),
    /// It never changes.
    Fixed,
    /// It may change.
    Free,
    /// It does not parse.
    Broken(ParseError),
}

/// An entry that is never removed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// What may not change; empty if everything may.
    pub(super) value: String,
    pub(super) until: Until,
}

/// For how long the service that wrote an entry may replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Not at all: it is written once.
    Written,
    /// Until the round's duels are over.
    Played,
    /// Until then; that service stops late, and may write once more until the next round is under way.
    Stopped,
    /// Until the round's duels begin, which rest on it.
    Fetched,
    /// Until the round's duels begin, which rest on it. Later it can have reasons, so that it is odd, not wrong.
    Used,
    /// It is odd at any time, for it had counted already.
    Decided,
    /// As long as it likes.
    Ever,
}

/// What has to be kept of a file with these contents.
pub(super) fn kept(format: Format, path: &str, bytes: &[u8]) -> Kept {
    let kept = match format {
        Format::Splat => {
            SplatFile::of_path(path).map(|file| SplatContent::parse(&file, bytes).map(|(c, _)| of_splat(&c)))
        }
        _ => ThreejsFile::of_path(path)
            .map(|file| ThreejsContent::parse(&file, bytes).map(|(content, _)| of_threejs(&content, &file))),
    };
    match kept {
        None => Kept::Free,
        Some(Ok(kept)) => kept,
        Some(Err(error)) => Kept::Broken(error),
    }
}

/// Entries that may change.
fn keys(keys: impl Iterator<Item = String>) -> Kept {
    Kept::Entries(keys.map(|key| Entry { key, value: String::new(), until: Until::Written }).collect())
}

fn list<T: Serialize>(entries: &[T]) -> Kept {
    Kept::List(entries.iter().map(text).collect())
}

fn text<T: Serialize>(record: &T) -> String {
    serde_json::to_string(record).unwrap_or_default()
}

fn entry<T: Serialize>(key: &impl ToString, record: &T, until: Until) -> Entry {
    Entry { key: key.to_string(), value: text(record), until }
}

fn of_splat(content: &SplatContent) -> Kept {
    match content {
        SplatContent::Leader(leaders) => list(leaders.entries()),
        SplatContent::Generations(generations) => {
            Kept::Entries(generations.iter().map(|(stem, made)| entry(stem, made, Until::Used)).collect())
        }
        SplatContent::Builds(builds) => {
            Kept::Entries(builds.iter().map(|(hotkey, build)| entry(hotkey, build, until_used(build.status))).collect())
        }
        SplatContent::Submissions(_) | SplatContent::Seed(_) | SplatContent::Schedule(_) | SplatContent::Duels(_) => {
            Kept::Fixed
        }
        SplatContent::Config(_) | SplatContent::State(_) | SplatContent::Prompts(_) | SplatContent::Progress(_) => {
            Kept::Free
        }
    }
}

fn of_threejs(content: &ThreejsContent, file: &ThreejsFile) -> Kept {
    match content {
        // What the program runs on was filled in later.
        ThreejsContent::Leader(leaders) => list(&leaders.iter().map(shared).collect::<Vec<_>>()),
        ThreejsContent::RequireAudit(requests) => keys(requests.iter().map(|request| request.hotkey.to_string())),
        ThreejsContent::Matrix(matrix) => {
            keys(matrix.0.iter().map(|((left, right), margin)| format!("{left},{right},{margin}")))
        }
        ThreejsContent::AuditMatrix(matrix) => {
            keys(matrix.0.iter().map(|((left, right), margin)| format!("{left},{right},{margin}")))
        }
        ThreejsContent::Builds(builds) => {
            Kept::Entries(builds.iter().map(|(hotkey, build)| entry(hotkey, build, until_used(build.status))).collect())
        }
        // Verdicts follow the chain, and change with it: the reader has to look why.
        ThreejsContent::GenerationAudits(verdicts) => {
            Kept::Entries(verdicts.iter().map(|(hotkey, verdict)| entry(hotkey, verdict, Until::Decided)).collect())
        }
        ThreejsContent::VerificationAudits(verdicts) => {
            let until = |outcome| if outcome == AuditOutcome::Pending { Until::Ever } else { Until::Decided };
            let of = |(hotkey, verdict): (&Hotkey, &VerificationAudit)| entry(hotkey, verdict, until(verdict.outcome));
            Kept::Entries(verdicts.iter().map(of).collect())
        }
        ThreejsContent::Modules(modules) => {
            let submitted = matches!(file, ThreejsFile::Player(_, _, ThreejsPlayerFile::Submitted));
            let until = |module: &Module| match module {
                // It may be fetched again until the duels begin.
                module if submitted && module.views.is_none() => Until::Fetched,
                module if submitted || module.js.is_some() => Until::Written,
                _ => Until::Played,
            };
            Kept::Entries(modules.iter().map(|(stem, module)| entry(stem, module, until(module))).collect())
        }
        ThreejsContent::PodStats(runs) => {
            Kept::Entries(runs.iter().map(|(key, run)| entry(key, run, until_stopped(run))).collect())
        }
        ThreejsContent::Sums(sums) => {
            Kept::Entries(sums.0.iter().map(|(path, sum)| entry(path, sum, Until::Written)).collect())
        }
        ThreejsContent::GenerationReports(reports) => Kept::Entries(reports.values().flat_map(of_report).collect()),
        ThreejsContent::SourceAudit(sources) => {
            Kept::Entries(sources.iter().map(|source| entry(&source.hotkey, source, Until::Written)).collect())
        }
        ThreejsContent::Submissions(_)
        | ThreejsContent::Seed(_)
        | ThreejsContent::Schedule(_)
        | ThreejsContent::Winner(_)
        | ThreejsContent::Question(_)
        | ThreejsContent::Duels(_)
        | ThreejsContent::Answers(_) => Kept::Fixed,
        ThreejsContent::Prompts(_) if matches!(file, ThreejsFile::Round(..)) => Kept::Fixed,
        ThreejsContent::Prompts(_)
        | ThreejsContent::Config(_)
        | ThreejsContent::State(_)
        | ThreejsContent::Refusals(_) => Kept::Free,
    }
}

/// A build that is not done has still to change.
fn until_used(status: BuildStatus) -> Until {
    match status {
        BuildStatus::Pending | BuildStatus::InProgress => Until::Ever,
        BuildStatus::Success | BuildStatus::Failure | BuildStatus::TimedOut | BuildStatus::NotFound => Until::Used,
    }
}

/// A pod that did not complete its run may be used for it again.
fn until_stopped(run: &PodRunEntry) -> Until {
    match run {
        PodRunEntry::Run(run) if run.termination_reason == COMPLETED => Until::Written,
        PodRunEntry::Run(_) | PodRunEntry::Other(_) => Until::Stopped,
    }
}

/// A report's outcome, which is open while it is pending, and each of its repeats.
fn of_report(report: &GenerationReport) -> Vec<Entry> {
    let until = if report.outcome() == ReportOutcome::Pending { Until::Played } else { Until::Written };
    let whole = match report {
        GenerationReport::Repeated(report) => entry(&report.hotkey, &(report.outcome, &report.reason), until),
        GenerationReport::Flat(report) => entry(&report.hotkey, report, until),
    };
    let key = |repeat: &Repeat| format!("{}, repeat {}", report.hotkey(), repeat.repeat_index);
    let repeats = report.repeats().iter().map(|repeat| entry(&key(repeat), repeat, Until::Written));
    std::iter::once(whole).chain(repeats).collect()
}
