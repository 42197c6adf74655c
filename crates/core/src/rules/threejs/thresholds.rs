//! The thresholds of the judge's stages, in one table.

/// From which differences on the judge decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageThresholds {
    /// Stage 1: mean penalties at most this far apart are a draw.
    pub draw: f64,
    /// Stage 1: if both are at least this bad on average ...
    pub both_bad: f64,
    /// ... they are a draw up to this difference.
    pub both_bad_draw: f64,
    /// Stage 1: with at least this many angles that have a winner ...
    pub signed: usize,
    /// ... at least this part of them, net, has to agree.
    pub consistency: f64,
    /// Stage 2: penalties have to differ by this much for a vote.
    pub vote: f64,
    /// Or by this much, for the best view to decide alone.
    pub strong_view: f64,
    /// Stage 2: checklist scores have to differ by this much for a vote.
    pub checklist_vote: i64,
    /// Or by this much, to decide alone.
    pub strong_checklist: i64,
    /// A checklist's points: for the main object, ...
    pub main_object: i64,
    /// ... for a feature that is there, and for one that is there in part.
    pub feature: (i64, i64),
    /// Stage 3: how far from middle grey the background may be, in any channel.
    pub background: u8,
    /// Stage 3: greyish is what is less saturated than this, ...
    pub grayish_saturation: f64,
    /// ... and pale what is brighter than this and less saturated than that.
    pub pale: (f64, f64),
    /// Stage 3 is reached if at least this part of both models is pale, ...
    pub pale_part: f64,
    /// ... and this part greyish.
    pub grayish_part: f64,
    /// Stage 3: penalties have to differ by this much.
    pub gray: f64,
    /// Stage 4: how many views of a side have to be garbage.
    pub garbage_views: usize,
}

/// Those of the deployed judge.
pub const DEPLOYED: StageThresholds = StageThresholds {
    draw: 0.7,
    both_bad: 8.0,
    both_bad_draw: 1.5,
    signed: 3,
    consistency: 0.65,
    vote: 1.0,
    strong_view: 2.0,
    checklist_vote: 2,
    strong_checklist: 6,
    main_object: 3,
    feature: (2, 1),
    background: 18,
    grayish_saturation: 0.28,
    pale: (175.0, 0.35),
    pale_part: 0.10,
    grayish_part: 0.60,
    gray: 2.0,
    garbage_views: 3,
};
