//! S19: how long an assertion must be remembered, so that it opens one session only.

use chrono::TimeDelta;
use rolegate::saml::Refused;
use rolegate::saml::prescreen::prescreen;
use rolegate::saml::response::UnverifiedEnvelope;

use crate::cases::{Gate, expected, now, swap, valid};
use crate::keys::Keys;
use crate::sibling::{REQUEST, RSA_SHA256, Sign, signed, unsigned};

#[test]
fn s19_an_assertion_is_remembered_for_as_long_as_it_could_be_accepted() {
    let keys = Keys::make();
    let gate = Gate::new(&keys);
    let long = unsigned(Sign::Both, RSA_SHA256).replace("12:05:00Z", "22:05:00Z");
    let (age, skew) = (TimeDelta::minutes(10), TimeDelta::seconds(60));
    // The first ends by its own word, the second by its age.
    for (document, minutes) in [(valid(&keys, Sign::Both), 6), (signed(&keys, &keys.idp, Sign::Both, &long), 11)] {
        let assertion = gate.response(document.as_bytes(), Some(REQUEST)).unwrap();
        assert_eq!(assertion.id, "_a1");
        let end = assertion.replayable_until(age, skew);
        assert_eq!(end, now() - TimeDelta::seconds(5) + TimeDelta::minutes(minutes));
        let screened = prescreen(document.as_bytes()).unwrap();
        let outer = UnverifiedEnvelope::read(&screened).unwrap();
        let at = |moment| assertion.check(&outer, &expected(Some(REQUEST)), moment, skew);
        assert_eq!(at(end - TimeDelta::milliseconds(1)), Ok(()));
        for late in [0, 1, 3600] {
            let refused = at(end + TimeDelta::seconds(late)).unwrap_err();
            assert!(matches!(refused, Refused::Expired(_) | Refused::TooOld), "{refused:?}");
        }
        // Another ID is another assertion: the signature is over it.
        let renamed = swap(&document, "ID=\"_a1\"", "ID=\"_a2\"");
        assert_eq!(gate.response(renamed.as_bytes(), Some(REQUEST)), Err(Refused::ReferenceTarget));
    }
}
