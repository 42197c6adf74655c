//! The debugging pipe: JSON texts, each ended by a NUL. Two threads keep both ends going, so that no wait is without end.

use std::io::{self, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use serde::Deserialize;
use serde_json::Value;

/// The longest text from the browser, in bytes: a picture is the longest answer.
const LONGEST: usize = 48 << 20;

/// Texts that wait to be read. A browser that says more is made to wait.
const WAITING: usize = 64;

/// What a browser says: an answer to a call, or an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Message {
    pub id: Option<u64>,
    pub method: Option<String>,
    pub session_id: Option<String>,
    pub params: Value,
    pub result: Value,
    pub error: Option<CallError>,
}

/// Why a call was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CallError {
    pub message: String,
}

/// Both ends of the pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub commands: Sender<Vec<u8>>,
    pub messages: Receiver<io::Result<Message>>,
}

impl Pipe {
    /// Starts the threads. They end with the browser.
    pub(crate) fn over(commands: impl Write + Send + 'static, answers: impl Read + Send + 'static) -> io::Result<Pipe> {
        let (send, to_write) = channel();
        let (read, messages) = sync_channel(WAITING);
        thread("chromium-write", move || write(commands, &to_write))?;
        thread("chromium-read", move || pass_on(answers, &read))?;
        Ok(Pipe { commands: send, messages })
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

fn write(mut commands: impl Write, texts: &Receiver<Vec<u8>>) {
    for mut text in texts {
        text.push(0);
        // The reader tells that the browser is gone.
        if commands.write_all(&text).and_then(|()| commands.flush()).is_err() {
            return;
        }
    }
}

fn pass_on(answers: impl Read, read: &SyncSender<io::Result<Message>>) {
    let mut answers = BufReader::with_capacity(1 << 16, answers);
    loop {
        let message = next(&mut answers);
        let ended = message.is_err();
        if read.send(message).is_err() || ended {
            return;
        }
    }
}

fn next(answers: &mut impl io::BufRead) -> io::Result<Message> {
    let mut text = Vec::new();
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    let length = io::BufRead::read_until(&mut answers.take(limit), 0, &mut text)?;
    if text.pop() != Some(0) {
        let why = if length == LONGEST { "the browser said too much at once" } else { "the browser is gone" };
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
    serde_json::from_slice(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart_and_the_end_is_told() {
        let text = b"{\"id\":1,\"result\":{\"a\":2}}\0{\"method\":\"Page.x\",\"sessionId\":\"s\"}\0{\"id\":".as_slice();
        let pipe = Pipe::over(io::sink(), text).unwrap();
        let first = pipe.messages.recv().unwrap().unwrap();
        assert_eq!((first.id, first.result["a"].as_u64()), (Some(1), Some(2)));
        let second = pipe.messages.recv().unwrap().unwrap();
        assert_eq!((second.method.as_deref(), second.session_id.as_deref()), (Some("Page.x"), Some("s")));
        assert_eq!(pipe.messages.recv().unwrap().unwrap_err().to_string(), "the browser is gone");
        assert!(pipe.messages.recv().is_err());
    }

    #[test]
    fn what_is_no_json_or_too_long_ends_it() {
        let pipe = Pipe::over(io::sink(), b"nonsense\0".as_slice()).unwrap();
        assert!(pipe.messages.recv().unwrap().is_err() && pipe.messages.recv().is_err());
        let pipe = Pipe::over(io::sink(), io::repeat(b' ')).unwrap();
        assert_eq!(pipe.messages.recv().unwrap().unwrap_err().to_string(), "the browser said too much at once");
    }

    #[test]
    fn deep_answers_are_errors() {
        let deep = [b"{\"result\":".as_slice(), &b"[".repeat(100_000), b"\0"].concat();
        assert!(Pipe::over(io::sink(), io::Cursor::new(deep)).unwrap().messages.recv().unwrap().is_err());
    }
}
