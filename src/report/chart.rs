//! Where things lie in the drawings: the leaders' weights over blocks, and strips of dots against
//! a limit. Numbers only; the templates draw.

use serde::Serialize;

use super::text::number;

/// A labelled position on an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ChartMark {
    /// In the drawing's units.
    pub(crate) at: String,
    /// What stands there.
    pub(crate) label: String,
}

/// A dot of a strip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Dot {
    /// Across.
    pub(crate) x: String,
    /// Down.
    pub(crate) y: String,
    /// How it is drawn: `ok`, `bad`, with ` critical` where the prompt is.
    pub(crate) class: String,
    /// What it stands for.
    pub(crate) title: String,
}

/// A strip of dots along an axis, stacked where they would cover each other, with limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Strip {
    pub(crate) dots: Vec<Dot>,
    /// Limits, and what else is marked by a line.
    pub(crate) lines: Vec<ChartMark>,
    /// The axis.
    pub(crate) ticks: Vec<ChartMark>,
    /// In words, for those who do not see it.
    pub(crate) alt: String,
}

/// A value of a strip.
#[derive(Debug, Clone)]
pub(crate) struct ChartValue {
    /// Where it lies.
    pub(crate) value: f64,
    /// How it is drawn.
    pub(crate) class: String,
    /// What it stands for.
    pub(crate) title: String,
}

/// A strip is drawn this wide, with a border that dots at the edge need; the templates know both.
const WIDTH: f64 = 400.0;
const BORDER: f64 = 10.0;
/// Height in which dots are stacked, and where its floor lies.
const STACK: f64 = 58.0;
const FLOOR: f64 = 76.0;
/// The way from one dot to the next.
const STEP: f64 = 5.0;

/// Coordinates with a tenth of a unit: enough for the eye, and short.
pub(crate) fn place(value: f64) -> String {
    format!("{}", (value * 10.0).round() / 10.0)
}

/// Lays out a strip for values from 0 to `most`; what lies beyond is drawn at the edge.
pub(crate) fn strip(values: &[ChartValue], lines: &[(f64, String)], most: f64, unit: &str, alt: String) -> Strip {
    let across = |value: f64| BORDER + (value / most).clamp(0.0, 1.0) * (WIDTH - 2.0 * BORDER);
    let mut sorted: Vec<&ChartValue> = values.iter().collect();
    sorted.sort_by(|a, b| a.value.total_cmp(&b.value).then_with(|| a.title.cmp(&b.title)));
    let column = |value: &ChartValue| ((across(value.value) - BORDER) / STEP).round() * STEP + BORDER;
    let stacks: Vec<Vec<&ChartValue>> =
        sorted.chunk_by(|a, b| column(a) - column(b) > -0.5).map(<[&ChartValue]>::to_vec).collect();
    let highest = stacks.iter().map(Vec::len).max().unwrap_or(1);
    let step = STEP.min(STACK / as_float(highest));
    let dots = stacks.iter().flat_map(|stack| {
        stack.iter().enumerate().map(move |(level, value)| Dot {
            x: place(column(value)),
            y: place(FLOOR - STEP / 2.0 - as_float(level) * step),
            class: value.class.clone(),
            title: value.title.clone(),
        })
    });
    Strip {
        dots: dots.collect(),
        lines: lines.iter().map(|(at, label)| ChartMark { at: place(across(*at)), label: label.clone() }).collect(),
        ticks: ticks(most)
            .into_iter()
            .map(|at| ChartMark { at: place(across(at)), label: format!("{at}{unit}") })
            .collect(),
        alt,
    }
}

/// Four to eight round numbers from 0 up to `most`.
fn ticks(most: f64) -> Vec<f64> {
    let sizes = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
    let size = sizes.into_iter().find(|size| most / size <= 7.0).unwrap_or(most / 5.0);
    let mut ticks = Vec::new();
    let mut count = 0.0;
    while count * size <= most * 1.0001 && ticks.len() < 10 {
        // Multiples of 0.02 and 0.1 are rounded back to what they read as.
        ticks.push((count * size * 1000.0).round() / 1000.0);
        count += 1.0;
    }
    ticks
}

#[allow(clippy::cast_precision_loss, reason = "counts of dots and blocks are far below 2^52")]
fn as_float(count: usize) -> f64 {
    count as f64
}

/// The leaders' weights over the chain's blocks, as steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WeightsChart {
    /// One rectangle an entry.
    pub(crate) steps: Vec<WeightStep>,
    /// Blocks along the axis.
    pub(crate) ticks: Vec<ChartMark>,
}

/// A leader's time with one weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WeightStep {
    /// Left edge.
    pub(crate) x: String,
    /// Upper edge.
    pub(crate) y: String,
    /// How wide.
    pub(crate) width: String,
    /// How high.
    pub(crate) height: String,
    /// Which of the leaders' colours.
    pub(crate) colour: usize,
    /// What it stands for.
    pub(crate) title: String,
    /// The weight, written above it.
    pub(crate) weight: String,
    /// Where that is written.
    pub(crate) middle: String,
    /// The leader's name, where it is another than before and there is room.
    pub(crate) name: Option<String>,
}

/// An entry to be drawn.
#[derive(Debug, Clone)]
pub(crate) struct WeightEntry {
    /// The first block.
    pub(crate) block: u64,
    /// 0 to 1.
    pub(crate) weight: f64,
    /// Which of the leaders' colours.
    pub(crate) colour: usize,
    /// The leader, as shown.
    pub(crate) name: String,
}

/// The drawing of weights: from x 44 to 868, from y 24 (weight 1) to 184 (weight 0).
const CHART: (f64, f64, f64, f64) = (44.0, 868.0, 24.0, 184.0);

/// Lays out the chart; the last entry lasts until `end`.
pub(crate) fn weights(entries: &[WeightEntry], end: u64) -> Option<WeightsChart> {
    let (left, right, top, bottom) = CHART;
    let start = entries.iter().map(|entry| entry.block).min()?;
    let end = end.max(start.saturating_add(1));
    #[allow(clippy::cast_precision_loss, reason = "blocks are far below 2^52")]
    let across = |block: u64| {
        let part = block.clamp(start, end).saturating_sub(start) as f64 / end.saturating_sub(start) as f64;
        left + part * (right - left)
    };
    let ends = entries.iter().skip(1).map(|entry| entry.block).chain([end]);
    let mut before: Option<String> = None;
    let step = |(entry, until): (&WeightEntry, u64)| {
        let new = before.replace(entry.name.clone()).as_ref() != Some(&entry.name);
        let (from, to) = (across(entry.block), across(until).max(across(entry.block)));
        let height = (entry.weight.clamp(0.0, 1.0) * (bottom - top)).max(1.5);
        WeightStep {
            x: place(from + 1.0),
            y: place(bottom - height),
            width: place((to - from - 2.0).max(1.0)),
            height: place(height),
            colour: entry.colour,
            title: format!("{}: weight {} from block {}", entry.name, weight(entry.weight), number(entry.block)),
            weight: weight(entry.weight),
            middle: place(f64::midpoint(from, to)),
            name: (new && to - from > 90.0 && height > 24.0).then(|| entry.name.clone()),
        }
    };
    let mut ticks: Vec<ChartMark> = Vec::new();
    let mut last = f64::MIN;
    for entry in entries {
        let at = across(entry.block);
        // Labels that would run into each other are left out; the table below has them all.
        if at - last >= 84.0 {
            ticks.push(ChartMark { at: place(at), label: number(entry.block) });
            last = at;
        }
    }
    Some(WeightsChart { steps: entries.iter().zip(ends).map(step).collect(), ticks })
}

/// A weight with at most two digits behind the point: 0.6000000000000001 reads 0.6.
pub(crate) fn weight(value: f64) -> String {
    format!("{}", (value * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_stacked_and_stay_inside() {
        let value = |value| ChartValue { value, class: "ok".to_owned(), title: String::new() };
        let values: Vec<_> = [0.0, 0.0, 0.001, 0.1, 9.0, -1.0].map(value).to_vec();
        let strip = strip(&values, &[(0.1, "limit".to_owned())], 0.2, "", String::new());
        let at: Vec<_> = strip.dots.iter().map(|dot| (dot.x.as_str(), dot.y.as_str())).collect();
        assert_eq!(
            at,
            [("10", "73.5"), ("10", "68.5"), ("10", "63.5"), ("10", "58.5"), ("200", "73.5"), ("390", "73.5")]
        );
        assert_eq!(strip.lines[0].at, "200");
        assert_eq!(strip.ticks.len(), 5);
    }

    #[test]
    fn many_dots_move_closer() {
        let values = vec![ChartValue { value: 0.0, class: String::new(), title: String::new() }; 580];
        let strip = strip(&values, &[], 1.0, " s", String::new());
        assert!(strip.dots.iter().all(|dot| dot.y.parse::<f64>().unwrap() > FLOOR - STACK - STEP));
    }

    #[test]
    fn weights_fill_the_chart() {
        let entry = |block, weight| WeightEntry { block, weight, colour: 0, name: String::new() };
        let chart = weights(&[entry(100, 0.0), entry(200, 1.0)], 300).unwrap();
        assert_eq!((chart.steps[1].x.as_str(), chart.steps[1].y.as_str()), ("457", "24"));
        assert_eq!(weights(&[], 1), None);
        assert!(weights(&[entry(u64::MAX, f64::MAX)], 0).is_some());
    }
}
