use chrono::{DateTime, TimeDelta};
use serde_json::json;

use super::super::{Choices, ChoicesRef, LiveSession, MemoryStore, SessionHandle};
use super::*;
use crate::identity::LoginSecrets;

const IDLE: Duration = Duration::from_hours(1);

fn now() -> Moment {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(in crate::store) fn session(subject: &str) -> Session {
    let identity = json!({
        "provider": "okta",
        "subject": subject,
        "username": "ana@example.org",
        "groups": ["aws-admins"],
        "claims": { "sub": subject, "groups": ["aws-admins"] },
        "authentication": { "time": null, "mfa": true, "acr": null, "amr": ["pwd", "otp"], "sid": null },
        "upstream": { "id_token": "eyJ.canary.sig" }
    });
    Session {
        identity: serde_json::from_value(identity).unwrap(),
        created: now(),
        expires: now() + TimeDelta::hours(8),
        kind: SessionKind::Browser,
        requests: Vec::new(),
    }
}

fn login() -> PendingLogin {
    PendingLogin {
        provider: "okta".parse().unwrap(),
        browser: "b".into(),
        return_to: "/".into(),
        begun: now(),
        secrets: LoginSecrets::Oidc { nonce: "canary-nonce".into(), verifier: "canary-verifier".into() },
    }
}

fn vault() -> (Arc<MemoryStore>, Vault) {
    let store = Arc::new(MemoryStore::new(1 << 20));
    (store.clone(), Vault::new(store, SealKeys::random()))
}

#[tokio::test]
async fn o04_a_ticket_opens_for_its_own_state_alone_and_shows_nothing() {
    let (_, vault) = vault();
    let (state, other) = (State::random(), State::random());
    let ticket = vault.ticket(&state, &login()).unwrap();
    let carried = LoginTicket::parse(&ticket.expose()).unwrap();
    assert_eq!(vault.pending(&state, &carried).unwrap().begun, now());
    assert!(vault.pending(&other, &carried).is_none());
    // Another vault has another key.
    assert!(Vault::new(Arc::new(MemoryStore::new(1 << 20)), SealKeys::random()).pending(&state, &carried).is_none());
    let sealed = carried.sealed();
    assert!(!sealed.windows(6).any(|window| window == b"canary"));
    for at in 0..sealed.len() {
        let mut tampered = sealed.clone();
        tampered[at] ^= 1;
        assert!(vault.pending(&state, &LoginTicket::new(0, tampered)).is_none(), "byte {at}");
    }
    // The moment in the clear decides nothing.
    assert_eq!(vault.pending(&state, &LoginTicket::new(0, sealed)).unwrap().begun, now());
}

/// Attack C4: what is sealed as a session is no pending login, whatever its browser says.
#[tokio::test]
async fn c4_a_sealed_record_is_no_ticket() {
    let (store, vault) = vault();
    let id = vault.open_session(&session("ana"), IDLE).await.unwrap();
    let record = store.get(&id.key()).await.unwrap().unwrap();
    let state = State::parse(&id.expose()).unwrap();
    assert!(vault.pending(&state, &LoginTicket::new(0, record)).is_none());
}

#[tokio::test]
async fn o04_a_login_is_used_up_by_one_answer() {
    let (_, vault) = vault();
    let state = State::random();
    let left = login().left(now()).unwrap();
    assert_eq!(vault.claim_login(&state, left).await, Ok(true));
    assert_eq!(vault.claim_login(&state, left).await, Ok(false));
    assert_eq!(vault.claim_login(&State::random(), left).await, Ok(true));
}

#[tokio::test]
async fn a_session_lives_until_its_absolute_limit_however_it_is_used() {
    let (store, vault) = vault();
    let id = vault.open_session(&session("ana"), IDLE).await.unwrap();
    let last = now() + TimeDelta::hours(8) - TimeDelta::seconds(1);
    let read = vault.session(&id, last, IDLE).await.unwrap().unwrap();
    assert_eq!(read.identity.subject(), "ana");
    assert_eq!(read.identity.token().unwrap().expose(), "eyJ.canary.sig");
    assert!(vault.session(&id, now() + TimeDelta::hours(8), IDLE).await.unwrap().is_none());
    assert!(store.get(&id.key()).await.unwrap().is_none(), "what is over is deleted");
}

#[tokio::test]
async fn an_idle_session_ends() {
    let (_, vault) = vault();
    let idle = Duration::from_millis(300);
    let id = vault.open_session(&session("ana"), idle).await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(idle / 3).await;
        assert!(vault.session(&id, now(), idle).await.unwrap().is_some(), "use keeps it alive");
    }
    tokio::time::sleep(idle * 2).await;
    assert!(vault.session(&id, now(), idle).await.unwrap().is_none());
}

#[tokio::test]
async fn sign_out_ends_one_session_and_sign_out_everywhere_all_of_one_person() {
    let (_, vault) = vault();
    let mut ana = Vec::new();
    for _ in 0..3 {
        ana.push(vault.open_session(&session("ana"), IDLE).await.unwrap());
    }
    let ben = vault.open_session(&session("ben"), IDLE).await.unwrap();
    let alive = async |id: &SessionId| vault.session(id, now(), IDLE).await.unwrap().is_some();

    vault.close_session(&ana[0], &session("ana").identity).await.unwrap();
    assert!(!alive(&ana[0]).await);
    assert!(alive(&ana[1]).await);

    assert_eq!(vault.close_all("okta+ana").await, Ok(2));
    assert!(!alive(&ana[1]).await);
    assert!(!alive(&ana[2]).await);
    assert!(alive(&ben).await);
    assert_eq!(vault.close_all("okta+ana").await, Ok(0));

    let again = vault.open_session(&session("ana"), IDLE).await.unwrap();
    assert_eq!(vault.close_all("okta+ana").await, Ok(1));
    assert!(!alive(&again).await);
}

#[tokio::test]
async fn a_persons_sessions_are_listed_without_being_used_and_ended_by_their_handles() {
    let (store, vault) = vault();
    let mut older = session("ana");
    older.created -= TimeDelta::minutes(10);
    let old = vault.open_session(&older, IDLE).await.unwrap();
    let new = vault.open_session(&session("ana"), IDLE).await.unwrap();
    let ben = vault.open_session(&session("ben"), IDLE).await.unwrap();
    let list = async || vault.sessions("okta+ana", now(), IDLE).await.unwrap();
    let names = |sessions: &[LiveSession]| sessions.iter().map(|live| live.handle.clone()).collect::<Vec<_>>();
    let (first, second) = (vault.handle(&new, "okta+ana"), vault.handle(&old, "okta+ana"));
    assert_eq!(names(&list().await), [first.clone(), second.clone()]);
    assert_eq!(first.as_str().len(), 22);
    assert!(
        !new.expose().contains(first.as_str()) && !new.key().as_str().contains(first.as_str()),
        "nothing of the id or of its key shows"
    );

    // What the store would still keep tells when it was last used.
    store.get_and_touch(&old.key(), IDLE.saturating_sub(Duration::from_mins(7))).await.unwrap();
    let unused = now() - list().await[1].last_used;
    assert!((unused - TimeDelta::minutes(7)).abs() < TimeDelta::seconds(5), "{unused}");
    let left = store.get_all(&[old.key()]).await.unwrap()[0].left;
    assert!(left < IDLE.saturating_sub(Duration::from_mins(6)), "being listed is no use");

    // Somebody else's handle, and one's own in somebody else's name, find nothing.
    assert_eq!(vault.close_called(&vault.handle(&ben, "okta+ben"), "okta+ana").await, Ok(false));
    assert_eq!(vault.close_called(&vault.handle(&ben, "okta+ana"), "okta+ana").await, Ok(false));
    assert_eq!(vault.close_called(&SessionHandle::named(""), "okta+ana").await, Ok(false));
    assert_eq!(vault.close_called(&second, "okta+ana").await, Ok(true));
    assert_eq!(vault.close_called(&second, "okta+ana").await, Ok(false));
    assert_eq!(names(&list().await), [first]);
    assert!(vault.session(&old, now(), IDLE).await.unwrap().is_none());
    assert!(vault.session(&ben, now(), IDLE).await.unwrap().is_some());
    assert!(vault.sessions("okta+ana", now() + TimeDelta::hours(9), IDLE).await.unwrap().is_empty(), "one that is over is not listed");
}

#[tokio::test]
async fn a_short_session_that_was_not_used_was_used_when_it_began() {
    let (_, vault) = vault();
    let mut short = session("ana");
    short.expires = short.created + TimeDelta::minutes(5);
    vault.open_session(&short, IDLE).await.unwrap();
    let live = vault.sessions("okta+ana", now(), IDLE).await.unwrap();
    assert_eq!(live[0].last_used, short.created);
}

#[tokio::test]
async fn a_handover_is_for_one_session_and_one_taking() {
    let (_, vault) = vault();
    let (session, other) = (SessionId::random(), SessionId::random());
    let id = vault.hand_over(&session, &vec!["key", "secret"]).await.unwrap();
    assert_eq!(vault.take_handover::<Vec<String>>(&other, &id).await.unwrap(), None);
    assert_eq!(vault.take_handover::<Vec<String>>(&session, &id).await.unwrap().unwrap(), ["key", "secret"]);
    assert_eq!(vault.take_handover::<Vec<String>>(&session, &id).await.unwrap(), None);
    let question = vault.ask(&session, &vec!["who"], HANDOVER_LIFE).await.unwrap();
    assert_eq!(
        vault.take_handover::<Vec<String>>(&session, &question).await.unwrap(),
        None,
        "it is no hand-over, and is not used up as one"
    );
    assert_eq!(vault.answer::<Vec<String>>(&session, &question).await.unwrap().unwrap(), ["who"]);
    assert_eq!(vault.answer::<Vec<String>>(&session, &question).await.unwrap(), None);
}

/// Attack C4: a record put under another session's key does not open there.
#[tokio::test]
async fn c4_a_session_put_in_anothers_place_counts_as_absent() {
    let (store, vault) = vault();
    let admin = vault.open_session(&session("admin"), IDLE).await.unwrap();
    let mallory = vault.open_session(&session("mallory"), IDLE).await.unwrap();
    let stolen = store.get(&admin.key()).await.unwrap().unwrap();
    store.put(&mallory.key(), stolen, IDLE).await.unwrap();
    assert!(vault.session(&mallory, now(), IDLE).await.unwrap().is_none());
    assert!(vault.session(&admin, now(), IDLE).await.unwrap().is_some());
}

#[tokio::test]
async fn something_used_is_used_for_its_purpose_only() {
    let (_, vault) = vault();
    assert_eq!(vault.claim_once(Purpose::Used, b"jti-1", IDLE).await, Ok(true));
    assert_eq!(vault.claim_once(Purpose::Used, b"jti-1", IDLE).await, Ok(false));
    assert_eq!(vault.claim_once(Purpose::Used, b"jti-2", IDLE).await, Ok(true));
}

#[tokio::test]
async fn w06_naming_somebody_elses_choices_brings_ones_own() {
    let (store, vault) = vault();
    let (ana, bob) = (session("ana"), session("bob"));
    let mut marked = Choices::default();
    marked.mark("arn:aws:iam::111122223333:role/BobsOwn", true);
    vault.keep_choices(&bob.identity.person(), &marked).await.unwrap();
    let id = vault.open_session(&ana, IDLE).await.unwrap();
    let of = async |hint: Option<&ChoicesRef>| vault.session_with_choices(&id, hint, true, (now(), IDLE)).await.unwrap().unwrap();
    let bobs = {
        let id = vault.open_session(&bob, IDLE).await.unwrap();
        vault.session_with_choices(&id, None, true, (now(), IDLE)).await.unwrap().unwrap()
    };
    assert_eq!(bobs.choices, marked);
    for hint in [None, Some(&bobs.reference), ChoicesRef::parse(&"A".repeat(43)).as_ref()] {
        let known = of(hint).await;
        assert_eq!((known.session.identity.subject(), known.choices), ("ana", Choices::default()));
    }
    let mine = of(None).await.reference;
    let mut own = Choices::default();
    own.took("arn:aws:iam::111122223333:role/ReadOnly", Some(now()));
    vault.keep_choices(&ana.identity.person(), &own).await.unwrap();
    for hint in [None, Some(&bobs.reference), Some(&mine)] {
        assert_eq!(of(hint).await.choices, own);
    }
    // What somebody wrote into the store under the name opens as nobody's choices, and costs nobody the session.
    let key = Key::of(Purpose::Choices, ana.identity.person().as_bytes());
    store.put(&key, b"forged".to_vec(), IDLE).await.unwrap();
    assert_eq!(of(Some(&mine)).await.choices, Choices::default());
    let other = vault.session_with_choices(&SessionId::random(), Some(&mine), true, (now(), IDLE)).await.unwrap();
    assert!(other.is_none());
}

#[tokio::test]
async fn c4_a_session_that_was_opened_lately_counts_for_the_bytes_that_the_store_has_now() {
    let (store, vault) = vault();
    let (id, other) = (vault.open_session(&session("1"), IDLE).await.unwrap(), vault.open_session(&session("2"), IDLE).await.unwrap());
    let of = async |id: &SessionId| vault.session(id, now(), IDLE).await.unwrap().map(|session| session.identity.subject().to_owned());
    assert_eq!((of(&id).await.as_deref(), of(&id).await.as_deref()), (Some("1"), Some("1")));
    let good = store.get(&id.key()).await.unwrap().unwrap();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut forged = good.clone();
        forged[at] ^= 1;
        store.put(&id.key(), forged, IDLE).await.unwrap();
        assert_eq!(of(&id).await, None, "byte {at}");
    }
    store.put(&id.key(), store.get(&other.key()).await.unwrap().unwrap(), IDLE).await.unwrap();
    assert_eq!(of(&id).await, None, "another's record");
    store.put(&id.key(), good.clone(), IDLE).await.unwrap();
    assert_eq!(of(&id).await.as_deref(), Some("1"));
    assert!(vault.session(&id, now() + TimeDelta::hours(9), IDLE).await.unwrap().is_none(), "over, though opened lately");
    assert_eq!((of(&id).await, of(&other).await.as_deref()), (None, Some("2")));
    vault.close_all(&session("2").identity.person()).await.unwrap();
    assert_eq!(of(&other).await, None);
}

#[tokio::test]
async fn sessions_are_found_by_the_beginning_of_a_username_or_the_stable_key_and_the_dead_are_not() {
    let (_, vault) = vault();
    let named = |subject: &str, username: &str| {
        let mut session = session(subject);
        Arc::make_mut(&mut session.identity).username = username.to_owned();
        session
    };
    let mut ids = Vec::new();
    for (subject, username) in [("1", "Ana@example.org"), ("2", "anabel@example.org"), ("3", "ben@example.org"), ("4", "an")] {
        ids.push(vault.open_session(&named(subject, username), IDLE).await.unwrap());
    }
    let find = async |who: &str| {
        let found = vault.find_sessions(who, now(), IDLE).await.unwrap();
        let mut subjects: Vec<_> = found.sessions.iter().map(|live| live.session.identity.subject().to_owned()).collect();
        subjects.sort();
        (subjects.join(" "), found.more)
    };
    assert_eq!(find("ANA").await, ("1 2".into(), false));
    assert_eq!(find("ana@example.org").await, ("1".into(), false));
    assert_eq!(find("anab").await, ("2".into(), false));
    assert_eq!(find("an").await, ("4".into(), false), "what is shorter finds names that are no longer");
    assert_eq!(find("okta+3").await, ("3".into(), false));
    assert_eq!(find("").await, (String::new(), false));
    vault.close_session(&ids[0], &named("1", "Ana@example.org").identity).await.unwrap();
    assert_eq!(find("ana").await, ("2".into(), false));
    assert!(vault.find_sessions("ana", now() + TimeDelta::hours(9), IDLE).await.unwrap().sessions.is_empty());
}
