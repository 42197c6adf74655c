//! A message as each service takes it.

use serde_json::json;

use super::escapes::{bytes, discord, header, slack};
use super::settings::Service;
use super::{EventKind, Notice};
use crate::http::{Method, Request};

/// Most characters of a title, in any service.
const LONGEST_TITLE: usize = 200;
/// Most characters of a message: Discord takes 2000, Slack 40 000 but shows 4000.
const DISCORD: usize = 1950;
const SLACK: usize = 3900;
/// Most bytes of a message: beyond 4096, ntfy makes it an attachment.
const NTFY: usize = 4000;

/// Discord's flag that keeps links from being shown as previews.
const SUPPRESS_EMBEDS: u64 = 4;

/// The request that sends a message.
pub(super) fn request<'a>(service: Service, url: &'a str, notice: &'a Notice) -> Request<'a> {
    let Notice { title, text, .. } = notice;
    let json = |value: serde_json::Value| Request::post_json(url, value.to_string().into_bytes());
    match service {
        Service::Json => json(generic(notice)),
        Service::Discord => {
            let title = discord(title, 2 * LONGEST_TITLE);
            let text = discord(text, DISCORD - title.chars().count() - "****\n".len());
            json(json!({
                "content": format!("**{title}**\n{text}"),
                "allowed_mentions": {"parse": []},
                "flags": SUPPRESS_EMBEDS,
            }))
        }
        Service::Slack => {
            let (title, text) = (slack(title, 2 * LONGEST_TITLE), slack(text, SLACK));
            json(json!({
                "text": format!("{title}\n{text}"),
                "mrkdwn": false,
                "parse": "none",
                "link_names": false,
                "unfurl_links": false,
                "unfurl_media": false,
            }))
        }
        Service::Ntfy => {
            let (tag, priority) = ntfy_look(notice.event);
            Request::new(Method::POST, url)
                .header("title", &header(title, LONGEST_TITLE))
                .header("tags", tag)
                .header("priority", priority)
                .header("content-type", "text/plain; charset=utf-8")
                .body(bytes(text, NTFY).into_bytes())
        }
    }
}

/// The message as data.
fn generic(notice: &Notice) -> serde_json::Value {
    let Notice { id, event, time, competition, round, title, text, details } = notice;
    json!({
        "schema": "gen404/notify/1",
        "id": id,
        "event": event,
        "time": time,
        "competition": competition,
        "round": round,
        "title": title,
        "text": text,
        "details": details,
    })
}

/// The picture that ntfy shows beside a message, and how loud it is.
fn ntfy_look(event: EventKind) -> (&'static str, &'static str) {
    match event {
        EventKind::StageMoved => ("arrow_forward", "3"),
        EventKind::AuditAsked => ("mag", "3"),
        EventKind::Verdict => ("scales", "3"),
        EventKind::Winner | EventKind::Finished => ("trophy", "3"),
        EventKind::FailureFirstSeen => ("warning", "4"),
        EventKind::FailureOver => ("white_check_mark", "3"),
    }
}
