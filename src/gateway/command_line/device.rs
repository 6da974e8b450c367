//! By device code (RFC 8628), to a command line on a machine without a browser: the person types its code elsewhere.
//!
//! The device keeps its device code, sealed. The store keeps what waits under the code that the person types, and a verdict until the device
//! asks for it. Anybody may ask for a grant, so the store keeps so many and no more.

use std::net::IpAddr;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{GrantRefused, Granted};
use crate::audit::{Event, Outcome};
use crate::clock::Moment;
use crate::gateway::{Caller, Failure, Gateway, Trouble};
use crate::store::{DeviceCode, DeviceName, GrantId, Placed, Polled, Session, SessionId, SessionRef, UserCode};

/// How long a grant waits for a person.
const LIFE: TimeDelta = TimeDelta::minutes(10);
const LIFE_IN_STORE: Duration = Duration::from_mins(10);
/// How long a device must wait between two questions.
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// What is told to be too soon: a network that is faster the second time makes nobody impatient.
const TOO_SOON: Duration = Duration::from_secs(4);
/// How many grants are given out in ten minutes, to all together. With 0.5 KB each they take 2 MB of the store, and nobody's room.
const MOST: usize = 4096;
/// How many of them to one address, in IPv6 to one /64: as many machines as one may set up at once behind one NAT.
const MOST_PER_ADDRESS: usize = 64;

/// A device grant that was asked for.
#[derive(Debug)]
pub struct DeviceAsked {
    /// What the device asks with.
    pub device_code: DeviceCode,
    /// What the person types.
    pub user_code: UserCode,
    /// How long both are good for.
    pub life: Duration,
}

/// A device grant that waits for a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceGrant {
    /// What the machine calls itself.
    pub name: DeviceName,
    /// The address that it asked from.
    pub ip: Option<IpAddr>,
    /// When.
    pub asked: Moment,
    grant: String,
}

/// What a device code stands for.
#[derive(Serialize, Deserialize)]
struct Ticket {
    grant: String,
    asked: Moment,
}

/// What a person said.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Allowed { session: SessionRef, name: DeviceName },
    Refused,
}

impl DeviceGrant {
    fn waits(&self, now: Moment) -> bool {
        now < self.asked + LIFE
    }
}

impl Gateway {
    /// Gives a device its codes. One round trip to the store.
    ///
    /// # Errors
    /// [`GrantRefused::TooMany`], [`GrantRefused::Failed`].
    pub async fn ask_by_device(&self, name: DeviceName, caller: &Caller) -> Result<DeviceAsked, GrantRefused> {
        let asked = self.now();
        let grant = GrantId::random().expose();
        let device_code = self.vault.device_code(&Ticket { grant: grant.clone(), asked });
        let device_code = device_code.map_err(|error| Failure::logged(Trouble::Signing, &error))?;
        let waiting = DeviceGrant { name, ip: caller.ip, asked, grant };
        let own = format!("at {}", network(caller.ip));
        let budgets = [("all", MOST), (own.as_str(), MOST_PER_ADDRESS)];
        // That a code is taken happens once in millions of times.
        for _ in 0..3 {
            let user_code = UserCode::random();
            let placed = self.vault.let_wait(&user_code, &waiting, LIFE_IN_STORE, &budgets).await;
            match placed.map_err(|error| GrantRefused::store(&error))? {
                Placed::Stored => return Ok(DeviceAsked { device_code, user_code, life: LIFE_IN_STORE }),
                Placed::Taken => {}
                Placed::Full(which) => {
                    tracing::warn!(overall = which == 0, ip = ?caller.ip, "too many device grants were asked for within ten minutes");
                    return Err(GrantRefused::TooMany);
                }
            }
        }
        Err(GrantRefused::store(&"three user codes were taken"))
    }

    /// The grant that waits under a user code.
    ///
    /// # Errors
    /// [`Trouble::Store`].
    pub async fn device_grant(&self, code: &UserCode) -> Result<Option<DeviceGrant>, Failure> {
        let found = self.vault.waiting::<DeviceGrant>(code).await.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        Ok(found.filter(|grant| grant.waits(self.now())))
    }

    /// Answers the grant that waits under a user code, once: the grant that it was, or none.
    ///
    /// # Errors
    /// [`Trouble::Store`] and [`Trouble::Audit`]: the device is not let in.
    pub async fn answer_device(
        &self,
        id: &SessionId,
        session: &Session,
        code: &UserCode,
        allow: bool,
        caller: &Caller,
    ) -> Result<Option<DeviceGrant>, Failure> {
        let store = |error| Failure::logged(Trouble::Store, &error);
        let taken = self.vault.take_waiting::<DeviceGrant>(code).await.map_err(store)?;
        let Some(grant) = taken.filter(|grant| grant.waits(self.now())) else { return Ok(None) };
        let outcome = if allow { Outcome::Ok } else { Outcome::Refused };
        let event = self.consent(outcome, session, &grant.name, caller);
        self.record(&Event { asked_from: grant.ip, ..event }).await?;
        let verdict = if allow { Verdict::Allowed { session: id.reference(), name: grant.name.clone() } } else { Verdict::Refused };
        if let Some(id) = GrantId::parse(&grant.grant) {
            let left = (grant.asked + LIFE - self.now()).to_std().unwrap_or_default();
            self.vault.judge(&id, &verdict, left).await.map_err(store)?;
        }
        Ok(Some(grant))
    }

    /// Tells a device what the person said, once. One round trip to the store while nothing was said.
    ///
    /// # Errors
    /// Every [`GrantRefused`] but [`GrantRefused::TooMany`].
    pub async fn poll_device(&self, code: &str, caller: &Caller) -> Result<Granted, GrantRefused> {
        let ticket = DeviceCode::parse(code).and_then(|code| self.vault.of_device::<Ticket>(&code));
        let known = ticket.and_then(|ticket| Some((GrantId::parse(&ticket.grant)?, ticket.asked)));
        let (grant, asked) = known.ok_or_else(|| GrantRefused::invalid("there is no such device code"))?;
        if self.now() >= asked + LIFE {
            return Err(GrantRefused::Expired);
        }
        match self.vault.poll::<Verdict>(&grant, TOO_SOON).await.map_err(|error| GrantRefused::store(&error))? {
            Polled::Verdict(Verdict::Allowed { session, name }) => {
                let approver = self.approver(&session).await?;
                self.open_command_line(approver, name, None, caller).await
            }
            Polled::Verdict(Verdict::Refused) => Err(GrantRefused::Denied),
            Polled::Pending => Err(GrantRefused::Pending),
            Polled::TooSoon => Err(GrantRefused::TooSoon),
        }
    }
}

/// Whom an address stands for: itself, or in IPv6 its /64, which is what one subscriber has.
fn network(ip: Option<IpAddr>) -> String {
    match ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}:")
        }
        None => "nowhere".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w10_in_ipv6_one_subscriber_is_one_address() {
        let of = |ip: &str| network(ip.parse().ok());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("203.0.113.1"), of("203.0.113.2"));
        assert_eq!(of("::ffff:203.0.113.1"), of("203.0.113.1"));
        assert_eq!(network(None), "nowhere");
    }
}
