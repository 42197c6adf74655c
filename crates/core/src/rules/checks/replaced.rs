//! `history.append_only`, of what had counted already: verdicts, the outputs that they rest on, builds, and sums.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{CheckStatus, Claim};
use crate::base::hex;
use crate::base::text::{counted, cut};
use crate::model::builds::{Build, BuildStatus, Builds};
use crate::model::generation_audits::{AuditOutcome, GenerationAudits};
use crate::model::ids::Hotkey;
use crate::model::outputs::{Output, Outputs};
use crate::model::sums::Sums;
use crate::rules::audit::told;
use crate::rules::builds::word;

/// What is wrong with a change, and how bad it is.
pub(super) type Objection = (CheckStatus, String);

/// An objection to what no one may do.
pub(super) fn failed(objection: String) -> Objection {
    (CheckStatus::Fail, objection)
}

/// Raises objections, each with what the commit says.
pub(super) fn raise(claim: &mut Claim, objections: Vec<Objection>, said: &str) {
    for (status, objection) in objections {
        let detail = objection + said;
        if status == CheckStatus::Warn { claim.warn(detail) } else { claim.fail(detail) }
    }
}

/// A verdict is cut to this many characters.
const LONGEST: usize = 300;

/// Verdicts that were decided, and are others now. `again`: the commit says that it is another audit.
pub(super) fn verdicts(old: &GenerationAudits, new: &GenerationAudits, again: impl Fn(&str) -> bool) -> Vec<Objection> {
    let decided = old.iter().filter(|(_, audit)| audit.outcome != AuditOutcome::Pending);
    let changed = decided.filter_map(|(hotkey, was)| Some((hotkey, was, new.get(hotkey).filter(|is| *is != was)?)));
    let line = |(hotkey, was, is): (&Hotkey, _, _)| {
        let why = if again(hotkey.short()) {
            "the commit says that it was audited again"
        } else {
            "the commit does not say that it was audited again"
        };
        let (was, is) = (cut(&told(was), LONGEST), cut(&told(is), LONGEST));
        (CheckStatus::Warn, format!("the verdict on {hotkey} was {was}, and is now {is}: {why}"))
    };
    changed.map(line).collect()
}

/// Builds that were done, and are others now. Where images moved to another registry, all of them are one line.
pub(super) fn builds(old: &Builds, new: &Builds) -> Vec<Objection> {
    let done = old.iter().filter(|(_, build)| !matches!(build.status, BuildStatus::Pending | BuildStatus::InProgress));
    let changed = done.filter_map(|(hotkey, was)| Some((hotkey, was, new.get(hotkey).filter(|is| *is != was)?)));
    let (moved, others): (Vec<_>, Vec<_>) =
        changed.partition(|(_, was, is)| was.status == is.status && same_source(was, is));
    let line = |(hotkey, was, is): &(&Hotkey, &Build, &Build)| {
        let source = !same_source(was, is);
        format!("the build of {hotkey} was {}, and is now {}", built(was, source), built(is, source))
    };
    let first = moved.first().map(line).map(|first| match moved.len() {
        1 => first,
        number => format!("{number} builds have another image: {first}, and so on"),
    });
    others.iter().map(line).chain(first).map(|text| (CheckStatus::Warn, text)).collect()
}

fn same_source(one: &Build, other: &Build) -> bool {
    (&one.repo, &one.commit) == (&other.repo, &other.commit)
}

fn built(build: &Build, source: bool) -> String {
    let of = if source { format!(" of {} at {}", build.repo, build.commit.short()) } else { String::new() };
    let image = build.docker_image.as_ref().map(|image| format!(" ({})", cut(image, LONGEST))).unwrap_or_default();
    format!("{}{of}{image}", word(build.status))
}

/// An output of `generated.json`: what a verdict rests on, in few bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    stem: Box<str>,
    seconds: f64,
    distance: f64,
    picture: Picture,
}

/// Which picture an output has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Picture {
    /// The output is not complete.
    None,
    /// This version of the stem's picture in the player's own folder.
    Own(u32),
    /// Another one, by a digest of its URL.
    Other(u64),
}

impl Made {
    fn of(stem: &str, output: &Output) -> Made {
        let picture = match &output.png {
            Some(png) if output.is_complete() => Picture::of(stem, png),
            _ => Picture::None,
        };
        let (seconds, distance) = (output.generation_time, output.distance);
        Made { stem: stem.into(), seconds, distance, picture }
    }

    /// The outputs of a file.
    pub(super) fn all(outputs: &Outputs) -> Vec<Made> {
        outputs.iter().map(|(stem, output)| Made::of(stem.as_str(), output)).collect()
    }

    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// Its picture, as `SHA256SUMS` names it.
    fn path(&self) -> Option<String> {
        match self.picture {
            Picture::Own(1) => Some(format!("generated/{}.png", self.stem)),
            Picture::Own(version) => Some(format!("generated/{}-{version}.png", self.stem)),
            Picture::None | Picture::Other(_) => None,
        }
    }

    fn told(&self) -> String {
        match self.picture {
            Picture::None => "incomplete".to_owned(),
            Picture::Own(_) | Picture::Other(_) => format!("distance {}, {} s", self.distance, self.seconds),
        }
    }
}

impl Picture {
    fn of(stem: &str, url: &str) -> Picture {
        let own = || {
            let (folder, name) = url.rsplit_once('/')?;
            let rest = name.strip_suffix(".png")?.strip_prefix(stem).filter(|_| folder.ends_with("/generated"))?;
            if rest.is_empty() { Some(1) } else { rest.strip_prefix('-')?.parse().ok().filter(|version| *version > 1) }
        };
        own().map_or_else(
            || {
                let mut hasher = DefaultHasher::new();
                url.hash(&mut hasher);
                Picture::Other(hasher.finish())
            },
            Picture::Own,
        )
    }
}

/// Outputs that are others though there was a verdict on them. A distance follows from two pictures: with the same
/// picture, by `same_sum`, it cannot be another one.
pub(super) fn outputs(old: &[Made], new: &[Made], same_sum: impl Fn(&str) -> Option<String>) -> Vec<Objection> {
    let new: HashMap<&str, &Made> = new.iter().map(|made| (made.stem(), made)).collect();
    let (mut failed, mut changed) = (Vec::new(), Vec::new());
    for (was, is) in old.iter().filter_map(|was| Some((was, *new.get(was.stem()).filter(|is| **is != was)?))) {
        let same = was
            .path()
            .filter(|path| is.path().as_ref() == Some(path) && was.distance.to_bits() != is.distance.to_bits());
        match same.and_then(|path| Some((same_sum(&path)?, path))) {
            Some((sum, path)) => failed.push((
                CheckStatus::Fail,
                format!(
                    "the distance of {} was {}, and is now {}, but {path} is the same picture (sum {sum})",
                    was.stem, was.distance, is.distance
                ),
            )),
            None => changed.push(format!("{} was {}, and is now {}", was.stem, was.told(), is.told())),
        }
    }
    let warned = changed.first().map(|first| {
        let outputs = counted(changed.len(), "output", "outputs");
        let text = format!("{outputs} changed, though there was a verdict: {first}");
        (CheckStatus::Warn, if changed.len() > 1 { text + ", and so on" } else { text })
    });
    failed.into_iter().chain(warned).collect()
}

/// The lines of a `SHA256SUMS`, by path, in few bytes.
pub(super) type SumLines = Vec<(Box<str>, [u8; 32])>;

/// The lines of a file: sorted by path, as they are there.
pub(super) fn sum_lines(sums: &Sums) -> SumLines {
    let line = |(path, sum): (&String, &String)| (path.as_str().into(), hex::decode_array(sum).unwrap_or_default());
    sums.0.iter().map(line).collect()
}

/// The sum of a path.
pub(super) fn sum_of(lines: &SumLines, path: &str) -> Option<[u8; 32]> {
    let at = lines.binary_search_by(|(own, _)| own.as_ref().cmp(path)).ok()?;
    lines.get(at).map(|(_, sum)| *sum)
}

/// Sums that are others, or gone: stored bytes never change.
pub(super) fn sums(old: &SumLines, new: &SumLines) -> Vec<String> {
    let mut gone = old.iter().filter(|(path, _)| sum_of(new, path).is_none()).map(|(path, _)| path);
    let first = gone.next();
    let removed = first.map(|first| format!("{} of {} sums were removed, first {first}", gone.count() + 1, old.len()));
    let changed = old.iter().filter_map(|(path, was)| {
        let is = sum_of(new, path).filter(|is| is != was)?;
        Some(format!("the sum of {path} was {}, and is now {}", hex::encode(was), hex::encode(is)))
    });
    removed.into_iter().chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(stem: &str, png: Option<&str>, distance: f64) -> Made {
        let url = png.map(|png| format!("https://x.example.org/rounds/0/5M/{png}"));
        let output = Output {
            model: url.clone(),
            png: url,
            generation_time: 5.5,
            size: 1,
            attempts: 1,
            distance,
            extra: crate::model::record::Extra::default(),
        };
        Made::of(stem, &output)
    }

    #[test]
    fn a_distance_stays_with_its_picture() {
        let lines: SumLines = vec![("generated/a-2.png".into(), [7; 32]), ("generated/a.png".into(), [8; 32])];
        let told = |old: Made, new: Made| {
            let same = |path: &str| sum_of(&lines, path).map(hex::encode);
            let found = outputs(&[old], &[new], same);
            found.into_iter().map(|(status, text)| format!("{status:?} {text}")).collect::<Vec<_>>().join("; ")
        };
        let own = |distance| made("a", Some("generated/a.png"), distance);
        assert_eq!(told(own(0.9), own(0.9)), "");
        let sum = "08".repeat(32);
        let fail = "Fail the distance of a was 0.9, and is now 0, but generated/a.png is the same picture (sum ";
        assert_eq!(told(own(0.9), own(0.0)), format!("{fail}{sum})"));
        let warned = "Warn 1 output changed, though there was a verdict: ";
        let other = made("a", Some("generated/a-2.png"), 0.0);
        assert_eq!(told(own(0.9), other), format!("{warned}a was distance 0.9, 5.5 s, and is now distance 0, 5.5 s"));
        // Without a sum, the picture may have been replaced.
        let unsummed = |distance| made("b", Some("generated/b.png"), distance);
        assert!(told(unsummed(0.9), unsummed(0.0)).starts_with(warned));
        let odd = |distance| made("a", Some("elsewhere/a.png"), distance);
        assert!(told(odd(0.9), odd(0.0)).starts_with(warned));
        assert!(told(made("a", None, 0.0), own(0.1)).contains("a was incomplete, and is now distance 0.1"));
    }

    #[test]
    fn sums_are_kept() {
        let lines =
            |all: &[(&str, u8)]| all.iter().map(|(path, sum)| ((*path).into(), [*sum; 32])).collect::<SumLines>();
        let old = lines(&[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(sums(&old, &lines(&[("a", 1), ("a2", 9), ("b", 2), ("c", 3)])), [""; 0]);
        let told = sums(&old, &lines(&[("b", 4)]));
        let (two, four) = ("02".repeat(32), "04".repeat(32));
        assert_eq!(told, ["2 of 3 sums were removed, first a", &format!("the sum of b was {two}, and is now {four}")]);
    }
}
