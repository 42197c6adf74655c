//! Rented pods: providers' clients against servers that follow the documents, and their errors.
//! Whatever goes wrong, no pod is left that nobody knows of, and no message holds a secret.

use std::time::Duration;

use gen404::base::error::{Error, Kind as ErrorKind};
use gen404::model::ids::{Player, RoundNumber};
use gen404::world::http::Secret;
use gen404::world::pods::lease::{Keeper, Rented};
use gen404::world::pods::targon::{Targon, TargonSettings, WorkloadKind};
use gen404::world::pods::{ApiPolicy, Deployed, PodId, PodName, PodOrder, PodState, Provider};
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault, KINDS, Kind};
use crate::snapshots::Transcript;

fn policy() -> ApiPolicy {
    let (timeout, pause) = (Duration::from_secs(10), Duration::from_millis(5));
    ApiPolicy { attempts: 3, timeout, pause, patience: Duration::from_millis(50), ..ApiPolicy::default() }
}

fn impatient() -> ApiPolicy {
    ApiPolicy { timeout: Duration::from_secs(1), ..policy() }
}

fn provider(cloud: &Cloud, policy: &ApiPolicy, key: &str) -> Box<dyn Provider> {
    cloud.kind.provider(&cloud.url, policy, cloud.kind.keys(key), "hunter2-hf")
}

fn open(cloud: &Cloud) -> Box<dyn Provider> {
    provider(cloud, &policy(), "hunter2-key")
}

fn order(number: usize) -> PodOrder {
    let name = PodName::new(RoundNumber(3), &Player::Leader, "ab12", number);
    PodOrder { name, player: Player::Leader, image: "ghcr.io/a/b:c".to_owned(), hardware: Default::default() }
}

fn pod(deployed: Deployed) -> PodId {
    match deployed {
        Deployed::Pod(pod) => pod,
        Deployed::NoCapacity(why) => panic!("no capacity: {why}"),
    }
}

/// Everything that an error may show, without a secret in it.
fn shown(error: &Error) -> String {
    let all = format!("{error}\n{}\n{}\n{error:?}", error.causes().join("\n"), error.hints().join("\n"));
    assert!(!all.contains("hunter2"), "a secret: {all}");
    all
}

#[test]
fn a_pod_comes_up_is_listed_and_goes() {
    for kind in KINDS {
        let cloud = Cloud::start(kind);
        let provider = open(&cloud);
        assert!(!format!("{provider:?}").contains("hunter2"), "{provider:?}");
        let id = pod(provider.deploy(&order(0)).unwrap());
        assert!(matches!(provider.look(&id).unwrap(), PodState::Starting), "{kind:?}");
        let PodState::Reachable(endpoint) = provider.look(&id).unwrap() else { panic!("{kind:?}") };
        assert_eq!((endpoint.url.as_str(), endpoint.key.as_ref().map(Secret::expose)), kind.endpoint());
        cloud.put("g404-3-leader-zzzz-0", "RUNNING");
        cloud.put("g404-33-leader-ab12-0", "RUNNING");
        let mut names: Vec<_> = provider.list("g404-3-leader-").unwrap().into_iter().map(|pod| pod.name).collect();
        names.sort();
        assert_eq!(names, ["g404-3-leader-ab12-0", "g404-3-leader-zzzz-0"]);
        provider.release(&id).unwrap();
        provider.release(&id).unwrap();
        assert!(matches!(provider.look(&id).unwrap(), PodState::Failed(_)));
        assert_eq!(cloud.pods(), 2, "{kind:?}");
        let shop = cloud.shop.lock().unwrap();
        let made = shop.calls.iter().find(|call| call.line.starts_with(cloud.create())).unwrap();
        assert!(made.body.to_string().contains("hunter2-hf"), "{}", made.body);
    }
}

#[test]
fn no_machine_and_no_money_are_answers() {
    for kind in KINDS {
        for (status, body) in [
            (402, json!({"code": "insufficient_funds", "message": "top up"})),
            (400, json!({"title": "Bad Request", "detail": "There are no longer any instances available"})),
            (403, json!({"error": "quota exceeded", "reason": "hunter2-key has 2 of 2"})),
            (429, json!({})),
            (503, json!({"error": "no capacity for h200-small"})),
        ] {
            let cloud = Cloud::start(kind);
            cloud.fault(cloud.create(), Fault::Say(status, body));
            let Deployed::NoCapacity(why) = open(&cloud).deploy(&order(0)).unwrap() else {
                panic!("{kind:?} {status}")
            };
            assert!(why.contains(&format!("status {status}")) && !why.contains("hunter2"), "{why}");
            assert_eq!((cloud.pods(), cloud.count(cloud.create())), (0, 1), "{kind:?} {status}");
        }
    }
}

#[test]
fn a_wrong_key_is_said_with_where_it_comes_from_and_never_shown() {
    let mut seen = Transcript::new(&[]);
    for kind in KINDS {
        let cloud = Cloud::start(kind);
        seen.hide(&cloud.url, "[URL]");
        let wrong = provider(&cloud, &policy(), "hunter2-wrong");
        let errors = [
            wrong.deploy(&order(0)).unwrap_err(),
            wrong.look(&PodId("a".to_owned())).unwrap_err(),
            wrong.release(&PodId("a".to_owned())).unwrap_err(),
            wrong.list("").unwrap_err(),
        ];
        for (call, error) in ["deploy", "look", "release", "list"].iter().zip(&errors) {
            shown(error);
            seen.error(&format!("{kind:?} {call}"), error);
        }
        let cloud = Cloud::start(kind);
        cloud.fault(cloud.create(), Fault::Say(403, json!({"error": "not yours", "reason": "hunter2-key"})));
        let error = open(&cloud).deploy(&order(0)).unwrap_err();
        shown(&error);
        seen.hide(&cloud.url, "[URL]").error(&format!("{kind:?} deploy, refused"), &error);
        assert_eq!(error.kind(), ErrorKind::Failed);
    }
    seen.holds("pods_wrong_key");
}

#[test]
fn a_lost_answer_leaves_one_pod_and_it_is_ours() {
    for kind in KINDS {
        for fault in
            [Fault::DoneBut(502), Fault::DoneBut(500), Fault::Lost, Fault::Twice, Fault::Hang(Duration::from_secs(2))]
        {
            let cloud = Cloud::start(kind);
            let hangs = matches!(fault, Fault::Hang(_));
            cloud.fault(cloud.create(), fault.clone());
            let policy = if hangs { impatient() } else { policy() };
            let provider = provider(&cloud, &policy, "hunter2-key");
            let id = pod(provider.deploy(&order(0)).unwrap_or_else(|e| panic!("{kind:?} {fault:?}: {e}")));
            assert_eq!((cloud.pods(), cloud.count(cloud.create())), (1, 1), "{kind:?} {fault:?}");
            provider.release(&id).unwrap();
            assert_eq!(cloud.pods(), 0, "{kind:?} {fault:?}");
        }
    }
}

#[test]
fn a_create_that_failed_is_not_repeated() {
    let mut seen = Transcript::new(&[]);
    for kind in KINDS {
        for (status, outside) in [(500, true), (503, true), (400, false), (422, false), (409, false)] {
            let cloud = Cloud::start(kind);
            cloud.fault(cloud.create(), Fault::Say(status, json!({"detail": "the image hunter2-hf cannot be"})));
            let error = open(&cloud).deploy(&order(0)).unwrap_err();
            shown(&error);
            seen.hide(&cloud.url, "[URL]").error(&format!("{kind:?} {status}"), &error);
            assert_eq!(error.kind() == ErrorKind::Outside, outside, "{status}");
            assert_eq!((cloud.pods(), cloud.count(cloud.create())), (0, 1), "{kind:?} {status}");
        }
    }
    seen.holds("pods_not_created");
}

#[test]
fn a_name_that_is_taken_is_our_own() {
    let cloud = Cloud::start(Kind::Verda);
    cloud.put(order(0).name.as_str(), "healthy");
    assert_eq!(pod(open(&cloud).deploy(&order(0)).unwrap()).0, order(0).name.as_str());
    assert_eq!(cloud.pods(), 1);
}

#[test]
fn a_registration_that_is_not_deployed_is_deleted() {
    let deploy = "POST /tha/v2/workloads/wrk-1/deploy";
    let (refused, wanting) = (json!({"error": "bad image"}), json!({"error": "no capacity"}));
    let cloud = Cloud::start(Kind::Targon);
    cloud.fault(deploy, Fault::Say(400, refused.clone()));
    let error = open(&cloud).deploy(&order(0)).unwrap_err();
    assert!(error.to_string().contains("bad image"), "{error}");
    assert_eq!(cloud.pods(), 0);
    let cloud = Cloud::start(Kind::Targon);
    (0..3).for_each(|_| cloud.fault(deploy, Fault::Say(503, wanting.clone())));
    assert!(matches!(open(&cloud).deploy(&order(0)).unwrap(), Deployed::NoCapacity(_)));
    assert_eq!((cloud.pods(), cloud.count(deploy)), (0, 3), "deploying again does no harm");
    let cloud = Cloud::start(Kind::Targon);
    cloud.fault(deploy, Fault::Say(400, refused));
    cloud.fault(cloud.delete(), Fault::Say(403, json!({"error": "hunter2-key may not"})));
    let error = open(&cloud).deploy(&order(0)).unwrap_err();
    assert!(shown(&error).contains("its registration is still there"), "{error}");
}

fn targon(cloud: &Cloud, kind: WorkloadKind) -> Targon {
    let settings = TargonSettings { url: cloud.url.clone(), kind, ..<_>::default() };
    Targon::new(&settings, policy(), Secret::new("hunter2-key"), None).unwrap()
}

#[test]
fn a_rental_is_a_workload_without_a_scaler() {
    for (kind, name) in [(WorkloadKind::Serverless, "SERVERLESS"), (WorkloadKind::Rental, "RENTAL")] {
        let cloud = Cloud::start(Kind::Targon);
        let provider = targon(&cloud, kind);
        let id = pod(provider.deploy(&order(0)).unwrap());
        assert!(matches!(provider.look(&id).unwrap(), PodState::Starting));
        assert!(matches!(provider.look(&id).unwrap(), PodState::Reachable(_)));
        let made = cloud.shop.lock().unwrap().calls[0].body.clone();
        assert_eq!((&made["type"], made["serverless_config"].is_null()), (&json!(name), name == "RENTAL"), "{made}");
        provider.release(&id).unwrap();
        assert_eq!(cloud.pods(), 0);
    }
}

#[test]
fn a_refused_serverless_hints_at_a_rental() {
    let refusals = [
        (400, json!({"error": "workload type SERVERLESS is not supported"})),
        (403, json!({"error": "serverless is not enabled for this account"})),
        (404, json!({"error": "not found"})),
        (422, json!({"error": "invalid field", "reason": "serverless_config"})),
        (501, json!({"error": "serverless was retired"})),
    ];
    for line in ["POST /tha/v2/workloads ", "POST /tha/v2/workloads/wrk-1/deploy"] {
        for (status, body) in refusals.clone() {
            for (kind, hinted) in [(WorkloadKind::Serverless, true), (WorkloadKind::Rental, false)] {
                let cloud = Cloud::start(Kind::Targon);
                (0..3).for_each(|_| cloud.fault(line, Fault::Say(status, body.clone())));
                let error = targon(&cloud, kind).deploy(&order(0)).unwrap_err();
                let hints = error.hints().iter().filter(|hint| hint.contains("kind = \"rental\"")).count();
                assert_eq!(hints, usize::from(hinted), "{line} {status} {kind:?}: {error:?}");
                assert_eq!(cloud.pods(), 0, "{line} {status}");
            }
        }
    }
    // A breakdown is none, and neither is a want of machines.
    let cloud = Cloud::start(Kind::Targon);
    cloud.fault(cloud.create(), Fault::Say(500, json!({"error": "oops"})));
    assert!(targon(&cloud, WorkloadKind::Serverless).deploy(&order(0)).unwrap_err().hints().is_empty());
}

#[test]
fn every_page_of_a_list_is_read() {
    let cloud = Cloud::start(Kind::Targon);
    for number in 0..10 {
        cloud.put(order(number).name.as_str(), if number == 4 { "deleted" } else { "running" });
        cloud.put("somebody-elses", "running");
    }
    let listed = open(&cloud).list("g404-3-leader-").unwrap();
    assert_eq!((listed.len(), cloud.count("GET ")), (9, 7));
}

#[test]
fn a_delete_that_times_out_is_made_sure_of() {
    for kind in KINDS {
        let cloud = Cloud::start(kind);
        let id = PodId(cloud.put(order(0).name.as_str(), "running"));
        cloud.fault(cloud.delete(), Fault::Hang(Duration::from_secs(2)));
        cloud.fault(cloud.delete(), Fault::Say(500, Value::Null));
        provider(&cloud, &impatient(), "hunter2-key").release(&id).unwrap();
        assert_eq!(cloud.pods(), 0, "{kind:?}");
        let cloud = Cloud::start(kind);
        let id = PodId(cloud.put(order(0).name.as_str(), "running"));
        (0..3).for_each(|_| cloud.fault(cloud.delete(), Fault::Say(504, json!({"error": "hunter2-key"}))));
        let error = open(&cloud).release(&id).unwrap_err();
        assert!(shown(&error).contains("status 504"), "{kind:?}: {error}");
    }
    let cloud = Cloud::start(Kind::Verda);
    let id = PodId(cloud.put(order(0).name.as_str(), "healthy"));
    cloud.shop.lock().unwrap().stuck = true;
    let error = open(&cloud).release(&id).unwrap_err();
    assert!(shown(&error).contains("is still there"), "{error}");
}

#[test]
fn what_a_status_means() {
    let states = KINDS.into_iter().flat_map(|kind| kind.states().map(|(state, fails)| (kind, state, fails)));
    for (kind, state, fails) in states {
        let cloud = Cloud::start(kind);
        let id = PodId(cloud.put("g404-3-leader-ab12-0", state));
        match open(&cloud).look(&id).unwrap() {
            PodState::Failed(why) => assert!(fails && why.contains(state), "{kind:?} {state}: {why}"),
            PodState::Starting => assert!(!fails, "{kind:?} {state}"),
            PodState::Reachable(endpoint) => panic!("{kind:?} {state}: {endpoint:?}"),
        }
    }
}

#[test]
fn tokens_are_renewed_before_their_end_and_when_they_are_refused() {
    let cloud = Cloud::start(Kind::Verda);
    let provider = open(&cloud);
    provider.list("").unwrap();
    provider.list("").unwrap();
    assert_eq!(cloud.count("POST /oauth2/token"), 1);
    // Refused in the middle of its life: from scratch, and the call is made once more.
    cloud.shop.lock().unwrap().refuse_token = Some(1);
    pod(provider.deploy(&order(0)).unwrap());
    assert_eq!((cloud.count("POST /oauth2/token"), cloud.pods()), (2, 1));
    // Refused for good.
    cloud.shop.lock().unwrap().refuse_token = Some(2);
    provider.list("").unwrap();
    cloud.fault("GET ", Fault::Say(401, json!({"message": "hunter2-token-3"})));
    cloud.fault("GET ", Fault::Say(401, json!({"message": "hunter2-token-4"})));
    let error = provider.list("").unwrap_err();
    assert!(shown(&error).contains("VERDA_CLIENT_ID"), "{error}");
    // Short lives: refreshed each time, and from scratch where that is refused.
    let short = Cloud::start(Kind::Verda);
    short.shop.lock().unwrap().token_lives = 30.0;
    let provider = open(&short);
    provider.list("").unwrap();
    provider.list("").unwrap();
    short.fault("POST /oauth2/token", Fault::Say(400, json!({"code": "invalid_request"})));
    provider.list("").unwrap();
    let shop = short.shop.lock().unwrap();
    let grants: Vec<_> = shop.calls.iter().filter_map(|call| call.body["grant_type"].as_str()).collect();
    assert_eq!(grants, ["client_credentials", "refresh_token", "refresh_token", "client_credentials"]);
}

#[test]
fn an_order_that_failed_is_swept_by_its_keeper() {
    for kind in KINDS {
        let cloud = Cloud::start(kind);
        let (provider, folder) = (open(&cloud), tempfile::tempdir().unwrap());
        let reports = std::sync::Mutex::new(Vec::new());
        let report = |e: &Error| reports.lock().unwrap().push(shown(e));
        let keeper = Keeper::new(provider.as_ref(), folder.path(), &report);
        let note = folder.path().join("pods").join(order(0).name.as_str());
        // A machine that appears, and cannot be deleted for now.
        let Rented::Pod(lease) = keeper.rent(&order(0)).unwrap() else { panic!("{kind:?}") };
        assert!(note.exists());
        (0..3).for_each(|_| cloud.fault(cloud.delete(), Fault::Say(500, Value::Null)));
        drop(lease);
        assert_eq!((cloud.pods(), note.exists(), reports.lock().unwrap().len()), (1, true, 1), "{kind:?}");
        assert_eq!(keeper.sweep(RoundNumber(3), &Player::Leader).unwrap(), [order(0).name.as_str()]);
        assert_eq!((cloud.pods(), note.exists()), (0, false), "{kind:?}");
        cloud.fault(cloud.create(), Fault::Say(400, json!({"error": "no"})));
        keeper.rent(&order(1)).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path().join("pods")).unwrap().count(), 0);
    }
}
