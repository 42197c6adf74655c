//! Embeds pictures as audits do, over and over: `scripts/time_distances` times it.
//!
//! `embed WEIGHTS BATCH THREADS COUNT FILE...`: for each line on stdin, COUNT pictures (the files in
//! turn, held in memory) go from PNG to embedding, and their seconds go to stdout.

#![allow(clippy::print_stdout, reason = "what it prints is its purpose")]

use std::io::BufRead as _;
use std::time::Instant;

use anyhow::Context as _;
use gen404::world::distance::Picture;
use gen404::world::distance::dinov3::Dinov3;
use gen404::world::distance::settings::DistanceSettings;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = |what: &str| args.next().with_context(|| format!("no {what} given"));
    let weights = next("WEIGHTS")?.into();
    let (batch, threads) = (next("BATCH")?.parse()?, next("THREADS")?.parse()?);
    let count: usize = next("COUNT")?.parse()?;
    let files = args.map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    let settings = DistanceSettings { weights: Some(weights), batch, threads, ..DistanceSettings::default() };
    let model = Dinov3::open(&settings)?;
    let all: Vec<Picture<'_>> = files.iter().cycle().take(count).map(|png| Picture { url: "file", png }).collect();
    for line in std::io::stdin().lock().lines() {
        line?;
        let begun = Instant::now();
        let embedded = model.embed(&all);
        let seconds = begun.elapsed().as_secs_f64();
        if let Some(why) = embedded.iter().find_map(|embedded| embedded.as_ref().err()) {
            anyhow::bail!("{why}");
        }
        println!("{seconds}");
    }
    Ok(())
}
