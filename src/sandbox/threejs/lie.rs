//! The operator's lie of `--judge lies`, of three.js modules: a duel whose first stage is turned round, with everything
//! that follows from it. Only `duel.answers` can find it.

use serde_json::{Value, json};

use crate::base::error::{Context as _, Error, Result};
use crate::model::ids::{Player, RoundNumber};
use crate::model::report::DuelWinner;
use crate::model::store::{FileWrite, Store};
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::detail::{Choice, Detail, Told};
use crate::model::threejs::duels::{StagedDuel, StagedMatch};
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile};
use crate::model::threejs::snapshot::{ThreejsPlayer, ThreejsRound, ThreejsSnapshot};
use crate::rules::duel::margin;
use crate::rules::threejs::staged::follow;

/// Turns a duel of the round round, where the match ends all the same: nothing that follows from it changes. Does nothing
/// but complete it if there is such a lie already.
///
/// # Errors
/// No match is fit for it, or a file cannot be read or written.
pub(crate) fn tell(store: &Store, round: RoundNumber) -> Result<()> {
    let snapshot = ThreejsSnapshot::load_some(store, |_| true)?;
    let unfit = |why: &str| Error::failed(format!("{}: no match to lie about: {why}", store.root().display()));
    let files = snapshot.rounds.get(&round).ok_or_else(|| unfit("the round has no files"))?;
    let config = snapshot.config.get().ok_or_else(|| unfit("config.json cannot be read"))?;
    let mut found = None;
    for (right, name, own, report) in matches(files) {
        let lie =
            if is_told(own, name, report) { Some(report.clone()) } else { lie(report, config.settings.win_margin)? };
        if let Some(lie) = lie {
            found = Some((right, name, lie));
            break;
        }
    }
    let (right, name, report) = found.ok_or_else(|| unfit("more miners or prompts may give one"))?;
    let Opponent::Holder(left) = &report.left else { return Err(unfit("it is no match")) };
    let mut matrix = files.matrix.get().cloned().ok_or_else(|| unfit("the matrix cannot be read"))?;
    matrix.0.insert((left.clone(), right.clone()), report.margin);
    let file = ThreejsFile::Player(round, right.clone(), ThreejsPlayerFile::Duels(name.clone()));
    let rows = ThreejsFile::Round(round, ThreejsRoundFile::Matrix);
    let writes = [FileWrite::new(file, &report), FileWrite::new(rows, &matrix)];
    store.apply(&writes, &mut |_, _| Ok(())).map(drop)
}

/// All matches: whether somebody is audited, and against whom, depends on who wins them, and on nothing else.
fn matches(files: &ThreejsRound) -> impl Iterator<Item = (&Player, &String, &ThreejsPlayer, &StagedMatch)> {
    files
        .players
        .iter()
        .flat_map(|(right, own)| own.duels.iter().filter_map(move |(name, slot)| Some((right, name, own, slot.get()?))))
}

/// Does a report have another winner than its answers give?
fn is_told(own: &ThreejsPlayer, name: &str, report: &StagedMatch) -> bool {
    let answers = own.answers_beside(name).get().into_iter().flat_map(|answers| answers.0.iter());
    report.duels.iter().zip(answers).any(|(duel, line)| {
        let views = [&duel.left_png, &duel.right_png].map(Option::is_some);
        let decided = line.judged().and_then(|judged| follow(views, judged).decided);
        decided.is_some_and(|decided| decided.winner != duel.winner)
    })
}

/// The report with one duel turned round, if right then wins or loses the match as before.
fn lie(report: &StagedMatch, win_margin: f64) -> Result<Option<StagedMatch>> {
    let wins = |margin: f64| margin >= win_margin;
    for (at, duel) in report.duels.iter().enumerate() {
        let Some(turned) = turned(duel)? else { continue };
        let mut other = report.clone();
        other.duels.iter_mut().skip(at).take(1).for_each(|duel| *duel = turned.clone());
        other.score = other.duels.iter().map(|duel| duel.winner.points()).sum();
        other.margin = margin(other.score, other.duels.len());
        if wins(other.margin) == wins(report.margin) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// A duel that the first stage decided, with the sides exchanged in it; `None` of any other.
fn turned(duel: &StagedDuel) -> Result<Option<StagedDuel>> {
    let Some(Told::Judged(stages)) = duel.detail.as_ref().map(Detail::told) else { return Ok(None) };
    let (choice, winner) = match stages.s1.choice {
        Choice::A => (Choice::B, DuelWinner::Right),
        Choice::B => (Choice::A, DuelWinner::Left),
        Choice::Draw => return Ok(None),
    };
    let broken = || format!("{}: its detail cannot be changed", duel.name);
    let mut detail = serde_json::to_value(&duel.detail).failed(broken)?;
    detail["s1"]["choice"] = json!(choice);
    for angle in detail["s1"]["angles"].as_array_mut().into_iter().flatten() {
        let [a, b] = ["pen_a", "pen_b"].map(|key| angle.get(key).cloned().unwrap_or(Value::Null));
        (angle["pen_a"], angle["pen_b"]) = (b, a);
    }
    let detail = serde_json::from_value(detail).failed(broken)?;
    Ok(Some(StagedDuel { winner, detail: Some(detail), ..duel.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::threejs::stages::objections;

    fn report() -> StagedMatch {
        let duel = |name: &str, choice: &str, winner: &str, a: f64, b: f64| {
            let angle = |label: &str| json!({"label": label, "pen_a": a, "pen_b": b});
            let angles = ["front_left", "front_right", "front_below", "front_above"].map(angle);
            json!({"name": name, "prompt": "p", "left_js": null, "left_png": "x/grid.png", "right_js": null,
                "right_png": "y/grid.png", "winner": winner, "detail": {"s1": {"choice": choice, "n_total": 4,
                "n_consistent": 4, "angles": angles}, "decided_by": "S1", "issues": ""}})
        };
        let duels: Vec<Value> = (0..20).map(|at| duel(&format!("d{at}"), "A", "left", 1.0, 8.0)).collect();
        let right = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        serde_json::from_value(json!({"left": "leader", "right": right, "score": -20, "margin": -1.0, "duels": duels}))
            .unwrap()
    }

    #[test]
    fn a_lie_agrees_with_itself() {
        let told = lie(&report(), 0.07).unwrap().unwrap();
        assert_eq!((told.score, told.duels[0].winner), (-18, DuelWinner::Right));
        for duel in &told.duels {
            let Told::Judged(stages) = duel.detail.as_ref().unwrap().told() else { panic!() };
            assert_eq!(objections(&stages, duel.winner), [""; 0]);
        }
        // Every lie would win the match: there is none.
        assert!(lie(&report(), -0.95).unwrap().is_none());
    }
}
