//! The record of each file in each format: the neutral types that rules use are read from and written to it.

use std::io::{self, Write};

use super::{Format, mesh};
use crate::model::file::{RepoFile, read_record};
use crate::model::outputs::Outputs;
use crate::model::record::ParseError;
use crate::model::report::MatchReport;

/// The neutral types hold only what gen404 runs; the other formats have snapshots of their own.
fn no_record(format: Format) -> String {
    format!("gen404 does not run {format} competitions: this file has no record here")
}

impl RepoFile for Outputs {
    fn parse(format: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        Self::read(format, bytes).map(|(file, _)| file)
    }

    fn read(format: Format, bytes: &[u8]) -> Result<(Self, Option<usize>), ParseError> {
        match format {
            Format::Mesh => read_record(bytes, mesh::outputs::neutral),
            _ => Err(ParseError::whole(no_record(format))),
        }
    }

    fn write(&self, out: impl Write) -> io::Result<()> {
        match self.format {
            Format::Mesh => Ok(serde_json::to_writer_pretty(out, &mesh::outputs::record(self))?),
            format => Err(io::Error::other(no_record(format))),
        }
    }
}

impl RepoFile for MatchReport {
    fn parse(format: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        Self::read(format, bytes).map(|(file, _)| file)
    }

    fn read(format: Format, bytes: &[u8]) -> Result<(Self, Option<usize>), ParseError> {
        match format {
            Format::Mesh => read_record(bytes, mesh::report::neutral),
            _ => Err(ParseError::whole(no_record(format))),
        }
    }

    fn write(&self, out: impl Write) -> io::Result<()> {
        match self.format {
            Format::Mesh => Ok(serde_json::to_writer_pretty(out, &mesh::report::record(self))?),
            format => Err(io::Error::other(no_record(format))),
        }
    }
}
