//! Books of requests, and who changes them.

use std::sync::Arc;

use super::super::seal::SealKeys;
use super::super::{MemoryStore, Store};
use super::*;

fn now() -> Moment {
    Moment::from_timestamp(1_800_000_000, 0).unwrap()
}

fn actor(name: &str) -> Actor {
    Actor { provider: "okta".parse().unwrap(), subject: name.into(), username: format!("{name}@example.org") }
}

fn request(role: &str) -> Request {
    Request::new("r", role, "OPS-1", Duration::from_hours(1), now())
}

fn book(requests: Vec<Request>) -> Book {
    Book { owner: actor("ana"), requests }
}

fn granted(until: Moment) -> RequestState {
    RequestState::Granted { by: actor("lea"), at: now(), until }
}

fn vault() -> (Arc<MemoryStore>, Vault) {
    let store = Arc::new(MemoryStore::new(1 << 24));
    (Arc::clone(&store), Vault::new(store, SealKeys::random()))
}

#[test]
fn a_request_is_decided_once_and_what_is_granted_ends() {
    let mut book = book(vec![request("a")]);
    let id = book.requests[0].id.clone();
    let until = now() + TimeDelta::hours(1);
    assert!(book.end(&id, RequestState::Withdrawn { at: now() }, now()).is_err(), "nothing is granted yet");
    book.decide(&id, granted(until), now()).unwrap();
    assert_eq!(book.decide(&id, granted(until), now()), Err(Unfit::NoSuch));
    assert_eq!(book.requests[0].elevation().unwrap().until, until);
    assert_eq!(book.requests[0].granted_until(until), None);
    let revoked = RequestState::Revoked { by: actor("root"), at: now() };
    assert_eq!(book.end(&id, revoked.clone(), until), Err(Unfit::NoSuch), "what is over is not ended");
    book.end(&id, revoked, now()).unwrap();
    assert_eq!(book.requests[0].elevation(), None);
    assert!(book.decide("AAAAAAAAAAAAAAAA", granted(until), now()).is_err());
}

#[test]
fn a_request_that_nobody_decided_lapses() {
    let mut book = book(vec![request("a")]);
    let (id, late) = (book.requests[0].id.clone(), now() + WAITS);
    assert!(!book.requests[0].is_waiting(late));
    assert_eq!(book.decide(&id, granted(late + TimeDelta::hours(1)), late), Err(Unfit::NoSuch));
    book.ask(request("a"), late).unwrap();
}

#[test]
fn a24_a_person_asks_for_so_much_and_no_more() {
    let mut book = book(Vec::new());
    for n in 0..MOST_WAITING {
        book.ask(request(&n.to_string()), now()).unwrap();
    }
    assert_eq!(book.ask(request("0"), now()), Err(Unfit::Twice));
    assert_eq!(book.ask(request("more"), now()), Err(Unfit::TooMany));
    let until = now() + TimeDelta::hours(1);
    book.requests.iter_mut().for_each(|request| request.state = granted(until));
    assert_eq!(book.ask(request("0"), now()), Err(Unfit::Twice), "nobody asks for what is granted");
    book.ask(request("more"), now()).unwrap();
    for n in 0..200 {
        book.requests.push(Request { state: RequestState::Withdrawn { at: now() }, ..request(&format!("w{n}")) });
    }
    let life = book.tidy(now());
    let day = Duration::from_hours(24);
    assert_eq!((book.requests.len(), life), (MOST, (day * 8, day)));
    assert!(book.requests.iter().filter(|request| request.is_living(now())).count() == 6, "what lives is not forgotten");
    assert_eq!(book.tidy(now() + TimeDelta::days(7)), (day, Duration::ZERO));
    assert_eq!(book.tidy(now() + TimeDelta::days(9)), (Duration::ZERO, Duration::ZERO));
    assert!(book.requests.is_empty());
}

#[test]
fn a24_asking_and_taking_back_has_an_end() {
    let mut book = book(Vec::new());
    for n in 0..MOST_AN_HOUR {
        let asked = request(&n.to_string());
        let id = asked.id.clone();
        book.ask(asked, now()).unwrap();
        book.decide(&id, RequestState::Withdrawn { at: now() }, now()).unwrap();
    }
    assert_eq!(book.ask(request("more"), now()), Err(Unfit::TooMany));
    book.ask(request("more"), now() + AN_HOUR).unwrap();
}

#[test]
fn nobody_is_somebody_else_by_another_spelling() {
    let identity = Identity::for_tests("u1", &[]);
    let own = Actor::from(&identity);
    assert!(own.is(&identity));
    let by_another_provider = Actor { provider: "entra".parse().unwrap(), subject: "x".into(), username: own.username.to_uppercase() };
    assert!(by_another_provider.is(&identity));
    assert!(!actor("lea").is(&identity));
}

#[tokio::test]
async fn a20_of_two_who_change_a_book_at_once_one_does() {
    let (_, vault) = vault();
    let of = BookRef::of("okta+ana");
    let empty = vault.book(&of).await.unwrap();
    assert!(empty.book.is_none());
    assert_eq!(vault.keep_book(&empty, book(vec![request("a")]), now()).await, Ok(Kept::Yes));
    assert_eq!(vault.keep_book(&empty, book(vec![request("b")]), now()).await, Ok(Kept::Changed), "it was there meanwhile");
    let (one, other) = (vault.book(&of).await.unwrap(), vault.book(&of).await.unwrap());
    assert_eq!(vault.keep_book(&one, book(vec![request("b")]), now()).await, Ok(Kept::Yes));
    assert_eq!(vault.keep_book(&other, book(vec![request("c")]), now()).await, Ok(Kept::Changed));
    let books = vault.books().await.unwrap().books;
    assert_eq!((books.len(), books[0].0.clone(), books[0].1.requests[0].role.as_str()), (1, of, "b"));
}

#[tokio::test]
async fn c4_a_book_opens_for_its_own_person_alone_and_shows_nothing() {
    let (store, vault) = vault();
    let (ana, ben) = (BookRef::of("okta+ana"), BookRef::of("okta+ben"));
    let opened = vault.book(&ana).await.unwrap();
    vault.keep_book(&opened, book(vec![request("canary-role")]), now()).await.unwrap();
    let sealed = store.get(ana.key()).await.unwrap().unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"canary"));
    store.put(ben.key(), sealed, Duration::from_hours(1)).await.unwrap();
    assert!(vault.book(&ben).await.unwrap().book.is_none(), "what was granted to one is not another's by being moved");
}

#[test]
fn a_reference_is_read_as_it_is_written_and_nothing_else_is() {
    let of = BookRef::of("okta+ana");
    assert_eq!(BookRef::parse(of.as_str()), Some(of.clone()));
    for bad in ["", "x", "../session:abc", &format!("{}:", &of.as_str()[..42]), &format!("{}A", of.as_str())] {
        assert_eq!(BookRef::parse(bad), None, "{bad}");
    }
}
