//! Git objects made by hand, put into a repository as one pack.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::bits::zlib;
use super::pattern::Pattern;

/// A pack of objects.
#[derive(Default)]
pub struct Pack {
    objects: Pattern,
    count: u32,
}

/// The mode of an entry of a tree.
pub const FILE: &str = "100644";
pub const FOLDER: &str = "40000";

impl Pack {
    /// Adds a file's content; its id.
    pub fn blob(&mut self, bytes: &[u8]) -> gix::ObjectId {
        self.add(3, &Pattern::of(bytes));
        hash(gix::objs::Kind::Blob, bytes)
    }

    /// Adds a folder: modes, names and ids, in git's order.
    pub fn tree<'a>(&mut self, entries: impl IntoIterator<Item = (&'a str, &'a [u8], gix::ObjectId)>) -> gix::ObjectId {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(id.as_slice());
        }
        self.add(2, &Pattern::of(&bytes));
        hash(gix::objs::Kind::Tree, &bytes)
    }

    /// Adds an object of a kind (1 commit, 2 tree, 3 blob) that may be large.
    pub fn add(&mut self, kind: u8, content: &Pattern) {
        let mut left = content.len();
        let mut head = vec![kind << 4 | u8::try_from(left & 15).unwrap()];
        left >>= 4;
        while left > 0 {
            *head.last_mut().unwrap() |= 0x80;
            head.push(u8::try_from(left & 0x7f).unwrap());
            left >>= 7;
        }
        let small = content.len() < 1 << 16;
        let data = if small {
            Pattern::of(miniz_oxide::deflate::compress_to_vec_zlib(&content.bytes(), 1))
        } else {
            zlib(content)
        };
        self.objects = std::mem::take(&mut self.objects).then(head).join(data);
        self.count += 1;
    }

    /// Puts the objects into a repository; the ids of all that is in the pack, by git's word.
    pub fn store(self, repo: &Path) -> Vec<String> {
        let mut pack = b"PACK\0\0\0\x02".to_vec();
        pack.extend(self.count.to_be_bytes());
        self.objects.write_to(&mut pack).unwrap();
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(&pack);
        pack.extend_from_slice(hasher.try_finalize().unwrap().as_slice());
        let said = git_with_input(repo, &["index-pack", "--stdin"], &pack);
        let name = said.split_whitespace().last().unwrap().to_owned();
        let index = std::fs::read(repo.join(format!(".git/objects/pack/pack-{name}.idx"))).unwrap();
        let listed = git_with_input(repo, &["show-index"], &index);
        listed.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

fn hash(kind: gix::objs::Kind, bytes: &[u8]) -> gix::ObjectId {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).unwrap()
}

/// The git program's output on this input.
#[track_caller]
pub fn git_with_input(folder: &Path, args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(folder);
    command.args(crate::support::IDENTITY.split(' ')).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8(output.stdout).unwrap()
    })
}
