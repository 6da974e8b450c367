//! Limits that several gateways with one store share.

use reqwest::Method;

use super::redis::Redis;
use super::world::{Browser, READER, form};

/// What one gateway let through is used up at the other.
#[actix_web::test]
async fn w09_a_person_has_one_allowance_at_all_gateways_with_the_same_store() {
    let redis = Redis::start();
    let limited = |config: String| config.replace("workers = 1", "workers = 1\nperson_rate = 1\nperson_burst = 30");
    let (here, there) = (redis.world(limited).await, redis.world(limited).await);
    let (mut ana, mut ana_there) = (Browser::signed_in(&here, "ana").await, Browser::signed_in(&there, "ana").await);
    let mut dev = Browser::signed_in(&there, "dev").await;
    let (csrf, csrf_there, csrf_of_dev) = (ana.csrf().await, ana_there.csrf().await, dev.csrf().await);
    let form = |csrf: &str| [("role", READER.to_owned()), ("csrf", csrf.to_owned()), ("format", "bash".to_owned())];
    let take = async |who: &mut Browser, csrf: &str| {
        let fields = form(csrf);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        who.post("/credentials/download", &fields).await.status.as_u16()
    };
    let mut taken = 0;
    while take(&mut ana, &csrf).await == 200 {
        taken += 1;
        assert!(taken < 300, "nothing limits her");
    }
    // One a second comes back, so that a few may go through: not thirty more, which the other gateway would give by itself.
    let mut more = 0;
    while take(&mut ana_there, &csrf_there).await == 200 {
        more += 1;
        assert!(more < 15, "the other gateway counts for itself");
    }
    assert!(taken >= 30, "{taken}");
    assert_eq!(take(&mut dev, &csrf_of_dev).await, 200, "others have their own");
}

/// Sends what has a signature that is to be verified, and says whether it was refused for coming too often.
async fn is_refused(browser: &Browser) -> bool {
    let request = browser.request(Method::POST, "/logout/backchannel/sandbox").header("content-type", "application/x-www-form-urlencoded");
    browser.clone().send(request.body(form(&[("logout_token", "x")]))).await.status == 429
}

/// How many are let through, until one is refused.
async fn let_through(browser: &Browser, most: usize) -> usize {
    for tried in 0..most {
        if is_refused(browser).await {
            return tried;
        }
    }
    panic!("{most} were let through");
}

fn limited(config: &str) -> String {
    config.replace("workers = 1", "workers = 1\nsign_in_rate = 1\nsign_in_burst = 30")
}

#[actix_web::test]
async fn w09_an_address_has_one_allowance_of_what_is_verified_at_all_gateways_with_the_same_store() {
    let redis = Redis::start();
    let (here, there) = (redis.world(|config| limited(&config)).await, redis.world(|config| limited(&config)).await);
    let (one, mut other) = (Browser::new(&here), Browser::new(&there));
    assert!(let_through(&one, 300).await >= 30);
    // One a second comes back: a few, and not the thirty that the other gateway would give by itself.
    assert!(let_through(&other, 300).await < 15, "the other gateway counts for itself");
    // A sign-in that is begun costs the store nothing, so that each gateway counts by itself.
    assert_eq!(other.get("/login/sandbox").await.status, 303);
}

#[actix_web::test]
async fn w09_where_the_store_is_gone_each_gateway_goes_on_counting_for_itself() {
    let redis = Redis::start();
    let (here, there) = (redis.world(|config| limited(&config)).await, redis.world(|config| limited(&config)).await);
    let (one, other) = (Browser::new(&here), Browser::new(&there));
    assert!(!is_refused(&one).await);
    drop(redis);
    assert!((28..60).contains(&let_through(&one, 300).await), "nothing limits it any more");
    assert!((28..60).contains(&let_through(&other, 300).await), "each has its own");
}
