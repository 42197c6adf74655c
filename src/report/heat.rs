//! The match matrix as a heat map, and the standings of a round.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::site::{Site, match_page};
use super::text::{self, Who};
use super::timeline::{MarginBar, bar};
use crate::model::builds::BuildStatus;
use crate::model::ids::{Block, Hotkey, Player, RoundNumber};
use crate::model::matrix::Matrix;
use crate::model::snapshot::RoundFiles;
use crate::model::source_audit::SourceVerdict;
use crate::rules::tournament::{Field, order};

/// A round's matrix: one row per defender, one column per challenger.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Heat {
    /// The challengers, in order of reveal.
    pub(crate) columns: Vec<Who>,
    /// The defenders.
    pub(crate) rows: Vec<HeatRow>,
}

/// A defender's matches.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HeatRow {
    /// The defender.
    pub(crate) who: Who,
    /// One cell per column; `None` if no match was played.
    pub(crate) cells: Vec<Option<HeatCell>>,
}

/// A match in the heat map.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HeatCell {
    /// The margin in whole percent.
    pub(crate) text: String,
    /// Tooltip text.
    pub(crate) title: String,
    /// CSS class of its colour: `n4` (defender far ahead) to `p3` (challenger far ahead); `p0` is short of the margin.
    pub(crate) class: &'static str,
    /// The match's page, relative to the index.
    pub(crate) href: Option<String>,
}

/// Most cells drawn. A larger map (350 defenders by 1,024 challengers, say) is of no use to a reader.
const MOST_CELLS: usize = 65_536;

/// The heat map; `None` if nothing was played, or too much to draw.
pub(crate) fn heat(site: &Site<'_>, round: RoundNumber, files: &RoundFiles) -> Option<Heat> {
    let order = files.submissions.get().map(order).unwrap_or_default();
    let page = |left: &Player, right: &Player| files.report(round, left, right).map(|_| match_page(round, left, right));
    heat_of(files.matrix.get()?, &order, site.win_margin(), page)
}

/// The heat map of a matrix, by the miners in order of reveal; `page` links to a match.
pub(crate) fn heat_of<H: Borrow<Hotkey>>(
    matrix: &Matrix,
    order: &[H],
    win_margin: f64,
    page: impl Fn(&Player, &Player) -> Option<String>,
) -> Option<Heat> {
    let (lefts, rights) = sides(order, matrix);
    if matrix.0.is_empty() || lefts.len().saturating_mul(rights.len()) > MOST_CELLS {
        return None;
    }
    let cell = |left: &Player, right: &Player| {
        let margin = matrix.margin(left, right)?;
        let shown = text::margin(margin);
        Some(HeatCell {
            text: text::short_margin(margin),
            title: format!("{} challenges {}: {shown}", right.short(), left.short()),
            class: colour(margin, win_margin),
            href: page(left, right),
        })
    };
    let row = |left: &&Player| HeatRow {
        who: Who::from(*left),
        cells: rights.iter().map(|right| cell(left, right)).collect(),
    };
    Some(Heat {
        rows: lefts.iter().map(row).collect(),
        columns: rights.iter().map(|right| Who::from(*right)).collect(),
    })
}

/// The matrix's defenders and challengers: the leader first, then by order of reveal, then by name those without a
/// submission (which only a damaged file has).
fn sides<'a, H: Borrow<Hotkey>>(order: &[H], matrix: &'a Matrix) -> (Vec<&'a Player>, Vec<&'a Player>) {
    let places: HashMap<&Hotkey, usize> = order.iter().enumerate().map(|(at, hotkey)| (hotkey.borrow(), at)).collect();
    let place = |player: &&Player| {
        let at = player.hotkey().map(|hotkey| places.get(hotkey).copied().unwrap_or(usize::MAX));
        (at, (*player).clone())
    };
    let sorted = |players: BTreeSet<&'a Player>| {
        let mut players: Vec<_> = players.into_iter().collect();
        players.sort_by_cached_key(place);
        players
    };
    (sorted(matrix.0.keys().map(|(left, _)| left).collect()), sorted(matrix.0.keys().map(|(_, right)| right).collect()))
}

/// The CSS class of a margin's colour.
pub(crate) fn colour(margin: f64, win_margin: f64) -> &'static str {
    match margin {
        m if m < -0.5 => "n4",
        m if m < -0.2 => "n3",
        m if m < -0.05 => "n2",
        m if m < 0.0 => "n1",
        m if m < win_margin => "p0",
        m if m < win_margin + 0.05 => "p1",
        m if m < win_margin + 0.15 => "p2",
        _ => "p3",
    }
}

/// A miner of a round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StandingRow {
    /// Rank from 1; `None` for miners that may not win or have not played.
    pub(crate) rank: Option<usize>,
    /// The miner.
    pub(crate) who: Who,
    /// `winner`, `qualified`, `rejected`, or nothing.
    pub(crate) tag: &'static str,
    /// The program's repository.
    pub(crate) repo: String,
    /// Link to the program's source.
    pub(crate) source: String,
    /// The commit's first seven digits.
    pub(crate) commit: String,
    /// The commit's whole id.
    #[serde(skip)]
    pub(crate) commit_id: String,
    /// The margin against the leader, and its bar.
    pub(crate) margin: Option<(String, MarginBar)>,
    /// The margin itself.
    #[serde(skip)]
    pub(crate) own: Option<f64>,
    /// The match against the leader, relative to the index.
    pub(crate) href: Option<String>,
    /// Number of previews present.
    pub(crate) previews: Option<usize>,
    /// The build's status.
    pub(crate) build: &'static str,
    /// The audit's outcome.
    pub(crate) audit: &'static str,
    /// The source audit's verdict.
    pub(crate) source_audit: &'static str,
    /// The reveal block, for sorting and as text.
    pub(crate) block: (Block, String),
}

/// The standings: the winner, the qualified, the others by margin, then the rejected.
pub(crate) fn standings(site: &Site<'_>, round: RoundNumber, files: &RoundFiles) -> Vec<StandingRow> {
    let Some(submissions) = files.submissions.get() else { return Vec::new() };
    let rejected = Field::of(files, site.win_margin(), site.limits()).map(|field| field.standing.rejected);
    let winner = files.winner.get().map(|winner| winner.player().clone());
    let margin = |hotkey: &Hotkey| {
        files.matrix.get().and_then(|matrix| matrix.margin(&Player::Leader, &Player::Miner(hotkey.clone())))
    };
    let tag = |hotkey: &Hotkey| {
        if winner.as_ref().and_then(Player::hotkey) == Some(hotkey) {
            "winner"
        } else if rejected.as_ref().is_some_and(|rejected| rejected.contains(hotkey)) {
            "rejected"
        } else if margin(hotkey).is_some_and(|margin| margin >= site.win_margin()) {
            "qualified"
        } else {
            ""
        }
    };
    let group = |tag: &str| ["winner", "qualified", "", "rejected"].iter().position(|group| *group == tag);
    let mut miners = order(submissions);
    miners.sort_by(|a, b| {
        let by_margin = || margin(b).unwrap_or(f64::MIN).total_cmp(&margin(a).unwrap_or(f64::MIN));
        group(tag(a)).cmp(&group(tag(b))).then_with(by_margin)
    });
    let (mut rank, asked) = (0, files.require_audit.get().into_iter().flatten());
    let asked: HashSet<&Hotkey> = asked.map(|request| &request.hotkey).collect();
    let read = readings(files);
    let row = |hotkey: &Hotkey| {
        let submission = submissions.get(hotkey)?;
        let (tag, margin) = (tag(hotkey), margin(hotkey));
        let ranked = tag != "rejected" && margin.is_some();
        rank += usize::from(ranked);
        let player = Player::Miner(hotkey.clone());
        let own = files.players.get(&player);
        let outputs = own.and_then(|own| own.submitted.get());
        let played = files.report(round, &Player::Leader, &player);
        Some(StandingRow {
            rank: ranked.then_some(rank),
            who: Who::from(hotkey),
            tag,
            repo: submission.repo.as_str().to_owned(),
            source: format!("https://github.com/{}/tree/{}", submission.repo, submission.commit),
            commit: submission.commit.short().to_owned(),
            commit_id: submission.commit.as_str().to_owned(),
            own: margin,
            margin: margin.map(|margin| (text::margin(margin), bar(margin, site.win_margin()))),
            href: played.map(|_| match_page(round, &Player::Leader, &player)),
            previews: outputs.map(|outputs| outputs.values().filter(|output| output.png.is_some()).count()),
            build: files.builds.get().and_then(|builds| builds.get(hotkey)).map_or("", |one| build(one.status)),
            audit: audit(files, &asked, hotkey),
            source_audit: read.get(hotkey).copied().unwrap_or_default(),
            block: (submission.revealed_at_block, text::number(submission.revealed_at_block.0)),
        })
    };
    miners.iter().filter_map(row).collect()
}

/// A build's status in words.
pub(crate) fn build(status: BuildStatus) -> &'static str {
    match status {
        BuildStatus::Pending => "pending",
        BuildStatus::InProgress => "running",
        BuildStatus::Success => "built",
        BuildStatus::Failure => "failed",
        BuildStatus::TimedOut => "timed out",
        BuildStatus::NotFound => "not found",
    }
}

/// The audit's outcome; `awaited` if one is required but missing.
fn audit(files: &RoundFiles, asked: &HashSet<&Hotkey>, hotkey: &Hotkey) -> &'static str {
    let required = asked.contains(hotkey);
    match files.generation_audits.get().and_then(|audits| audits.get(hotkey)) {
        Some(audit) => audit.outcome.as_str(),
        None if required => "awaited",
        None => "",
    }
}

/// The source audits' verdicts.
fn readings(files: &RoundFiles) -> HashMap<&Hotkey, &'static str> {
    let mut read = HashMap::new();
    for source in files.source_audit.get().into_iter().flatten() {
        let said = read.entry(&source.hotkey).or_insert("passed");
        // One failed verdict outweighs any others.
        if source.verdict == SourceVerdict::Failed {
            *said = "failed";
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_turns_where_the_challenger_wins() {
        let classes = [-1.0, -0.3, -0.1, -0.01, 0.0, 0.0499, 0.05, 0.1, 0.2, 100.0].map(|m| colour(m, 0.05));
        assert_eq!(classes, ["n4", "n3", "n2", "n1", "p0", "p0", "p1", "p2", "p3", "p3"]);
    }
}
