//! What every command works with: one gateway, the session there, and what was fetched before.

use std::cell::OnceCell;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::api::{Api, Asked, Credentials, CredentialsAnswer, Refusal, Role, RoleList};
use super::cache::Cache;
use super::gateway_url::GatewayUrl;
use super::keeper::{Keeper, Token};
use super::login;
use super::pick::{self, Guess};
use super::places::Places;
use super::settings::Settings;
use super::target::Target;
use super::trouble::{Kind, Trouble};
use super::voice::Voice;
use crate::clock::{Clock, Moment, SystemClock};
use crate::terminal::harmless_name;

/// How long a list of roles is taken for the present one when a role is looked up in it.
const LIST_LIFE: TimeDelta = TimeDelta::minutes(5);
/// How often the person is asked for what a role wants.
const QUESTIONS: usize = 3;

/// Which gateway, and how much is said.
#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// The gateway (the one that `rolegate login --gateway` remembered)
    #[arg(long, env = "ROLEGATE_GATEWAY", value_name = "URL")]
    pub(super) gateway: Option<GatewayUrl>,
    #[command(flatten)]
    pub(super) voice: Voice,
}

/// How credentials are wanted.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Wish {
    /// How long they are to live, as 1h (one hour, or what the rules allow)
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(super) duration: Option<Duration>,
    /// Why you need the role, or the number of a ticket, where the rules want to know
    #[arg(long)]
    pub(super) reason: Option<String>,
    /// The present code of your second factor, where the role wants one; at a terminal, leave it out and you are asked: others of this machine
    /// see what stands in a command line
    #[arg(long, value_name = "CODE")]
    pub(super) mfa_code: Option<String>,
    /// This is an emergency: take the role though it is for emergencies alone; that is an alarm, and you say why
    #[arg(long)]
    pub(super) break_glass: bool,
    /// Ask for new credentials, even if there are some that are still good
    #[arg(long)]
    pub(super) fresh: bool,
}

impl Asked {
    /// What is asked for first; the person may be asked for more.
    pub(super) fn of(role: &Target, wish: &Wish) -> Self {
        let duration_seconds = wish.duration.map(|duration| duration.as_secs());
        let (reason, mfa_code) = (wish.reason.clone(), wish.mfa_code.clone());
        Self { role: role.clone(), duration_seconds, reason, mfa_code, break_glass: wish.break_glass, destination: None }
    }
}

/// Credentials as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    since: Moment,
    duration: Option<u64>,
    reason: Option<String>,
    answer: CredentialsAnswer,
}

/// The list of roles as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptRoles {
    since: Moment,
    list: RoleList,
}

/// One command's way to its gateway.
pub(super) struct Desk {
    pub(super) places: Places,
    pub(super) settings: Settings,
    pub(super) gateway: GatewayUrl,
    pub(super) keeper: Keeper,
    pub(super) voice: Voice,
    /// A token of `ROLEGATE_TOKEN`: it is used, and never kept.
    given: Option<Token>,
    api: OnceCell<Api>,
}

/// How much of the life of credentials may be over when they are handed out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Percent(pub(super) i32);

impl Percent {
    /// For commands: what they start should not run out of time at once.
    pub(super) const KEPT: Self = Self(80);
    /// For the agent, which renews.
    pub(super) const AGENT: Self = Self(75);
    /// For who cannot have others just now.
    pub(super) const LAST_RESORT: Self = Self(95);
}

impl Desk {
    pub(super) fn open(common: &Common) -> Result<Self, Trouble> {
        let places = Places::find()?;
        let settings = Settings::load(&places)?;
        let gateway = settings.gateway(common.gateway.as_ref())?;
        let given = match std::env::var("ROLEGATE_TOKEN") {
            Ok(text) if !text.is_empty() => Some(Token::parse(&text).ok_or_else(|| {
                Trouble::yours(
                    Kind::Usage,
                    "ROLEGATE_TOKEN holds no token of a gateway's.",
                    "unset it, or set it to one, which begins with rgs_",
                )
            })?),
            _ => None,
        };
        let keeper = Keeper::new(&places, &gateway, settings.keyring);
        Ok(Self { places, settings, gateway, keeper, voice: common.voice, given, api: OnceCell::new() })
    }

    pub(super) fn api(&self) -> Result<&Api, Trouble> {
        if self.api.get().is_none() {
            // Not made before it is needed: what is in the cache needs no TLS.
            let _ = self.api.set(Api::new(&self.gateway)?);
        }
        self.api.get().ok_or_else(|| Trouble::yours(Kind::Other, "The gateway cannot be asked.", "try again"))
    }

    /// The session, if there is one.
    pub(super) fn session(&self) -> Result<Option<Token>, Trouble> {
        if self.given.is_some() { Ok(self.given.clone()) } else { self.keeper.read() }
    }

    /// The session; the person is asked to sign in if there is none.
    pub(super) fn token(&self) -> Result<Token, Trouble> {
        self.session()?.map_or_else(|| login::when_needed(self, None), Ok)
    }

    /// Asks the gateway, and once more with a new session if the one of `token` has ended. Tells the session that was good.
    fn ask<T>(&self, token: Token, ask: impl Fn(&Api, &Token) -> Result<T, Refusal>) -> Result<(T, Token), Refusal> {
        let api = self.api()?;
        match ask(api, &token) {
            Err(refusal) if refusal.wants_sign_in() && self.given.is_none() => {
                let token = login::when_needed(self, Some(&token))?;
                ask(api, &token).map(|answer| (answer, token))
            }
            answered => answered.map(|answer| (answer, token)),
        }
    }

    /// The roles that the person has now.
    pub(super) fn roles(&self) -> Result<Vec<Role>, Trouble> {
        let (list, token) = self.ask(self.token()?, Api::roles).map_err(|refusal| refusal.trouble)?;
        if !list.left_out.is_empty() {
            let names = list.left_out.iter().map(|name| harmless_name(name)).collect::<Vec<_>>().join(", ");
            self.voice.notice(&format!(
                "Left out, because the command line cannot read it or a shell would take part of its name for a command: {names}. \
                 The portal in the browser may still have it."
            ));
        }
        let kept = KeptRoles { since: SystemClock.now(), list };
        self.keep(&token, "roles", &kept);
        Ok(kept.list.roles)
    }

    /// The role that a word means.
    pub(super) fn role(&self, word: &str, purpose: &str) -> Result<Target, Trouble> {
        let word = pick::unalias(word, &self.settings.alias);
        // Where nobody sees which role it became, part of a name may come to mean another one overnight.
        let guess = if self.voice.is_attended() { Guess::ByPart } else { Guess::Never };
        if let Ok(arn) = word.parse() {
            return Ok(arn);
        }
        let token = self.token()?;
        let now = SystemClock.now();
        let kept: Option<KeptRoles> = Cache::new(&self.places, &self.gateway, &token).get("roles");
        let kept = kept.filter(|kept| kept.since <= now && now < kept.since + LIST_LIFE);
        if let Some(kept) = kept
            && let Ok(role) = pick::pick(word, &kept.list.roles, purpose, guess)
        {
            return Ok(role.arn.clone());
        }
        pick::pick(word, &self.roles()?, purpose, guess).map(|role| role.arn.clone())
    }

    /// Credentials for a role: those that are kept, while `most` of their life is not over, or new ones.
    pub(super) fn credentials(&self, role: &Target, wish: &Wish, most: Percent) -> Result<Credentials, Trouble> {
        self.credentials_and_reason(role, wish, most).map(|(credentials, _)| credentials)
    }

    /// The same with the reason that they were given for, which the person may have been asked for.
    pub(super) fn credentials_and_reason(
        &self,
        role: &Target,
        wish: &Wish,
        most: Percent,
    ) -> Result<(Credentials, Option<String>), Trouble> {
        if let Some(kept) = self.kept_whole(role, wish, most) {
            return Ok(kept.parted());
        }
        let token = self.token()?;
        // Who waits here finds what the first one got.
        let _lock = Cache::new(&self.places, &self.gateway, &token).lock(&name_of(role))?;
        if let Some(kept) = self.kept_whole(role, wish, most) {
            return Ok(kept.parted());
        }
        match self.fetch(token, role, wish) {
            Ok((kept, token)) => {
                self.keep(&token, &name_of(role), &kept);
                Ok(kept.parted())
            }
            Err(trouble) if trouble.kind == Kind::Unavailable => match self.kept_whole(role, wish, Percent::LAST_RESORT) {
                Some(old) => {
                    let end = old.answer.expires().to_rfc3339_opts(SecondsFormat::Secs, true);
                    self.voice.notice(&format!("{} The credentials of before are used; they end at {end}.", trouble.happened));
                    Ok(old.parted())
                }
                None => Err(trouble),
            },
            Err(trouble) => Err(trouble),
        }
    }

    /// The credentials that are kept, if they are as wished and `most` of their life is not over.
    pub(super) fn kept(&self, role: &Target, wish: &Wish, most: Percent) -> Option<Credentials> {
        self.kept_whole(role, wish, most).map(|kept| kept.answer.into())
    }

    fn kept_whole(&self, role: &Target, wish: &Wish, most: Percent) -> Option<Kept> {
        let token = self.session().ok()??;
        let kept: Kept = Cache::new(&self.places, &self.gateway, &token).get(&name_of(role))?;
        kept.fits(wish, most, SystemClock.now()).then_some(kept)
    }

    fn fetch(&self, token: Token, role: &Target, wish: &Wish) -> Result<(Kept, Token), Trouble> {
        let (asked, answer, token) = self.insist(token, Asked::of(role, wish), Api::credentials)?;
        Ok((Kept { since: SystemClock.now(), duration: asked.duration_seconds, reason: asked.reason, answer }, token))
    }

    /// Asks the gateway, and the person for the reason or the code that the role wants. Tells what was asked for in the end.
    pub(super) fn insist<T>(
        &self,
        mut token: Token,
        mut asked: Asked,
        ask: impl Fn(&Api, &Token, &Asked) -> Result<T, Refusal>,
    ) -> Result<(Asked, T, Token), Trouble> {
        if asked.break_glass {
            self.voice.notice("This is asked for as in an emergency: where the role cannot be had otherwise, it is an alarm.");
        }
        for _ in 0..QUESTIONS {
            let refusal = match self.ask(token.clone(), |api, token| ask(api, token, &asked)) {
                Ok((answer, token)) => return Ok((asked, answer, token)),
                Err(refusal) => refusal,
            };
            let happened = &refusal.trouble.happened;
            let given = if refusal.is("reason_needed") {
                asked.reason = self.voice.ask(&format!("{happened}\nReason:"));
                asked.reason.is_some()
            } else if refusal.is("break_glass_needed") {
                // Who says nothing breaks nothing.
                let question = format!("{happened}\nIf this is one, say what it is; nothing to stop:");
                let emergency = self.voice.ask(&question);
                asked.break_glass = emergency.is_some();
                asked.reason = emergency.or(asked.reason);
                asked.break_glass
            } else if refusal.is("mfa_code_needed") {
                asked.mfa_code = self.voice.ask(&format!("{happened}\nCode:"));
                asked.mfa_code.is_some()
            } else {
                false
            };
            if !given {
                return Err(refusal.trouble);
            }
            // The session may have been replaced on the way.
            token = self.session()?.unwrap_or(token);
        }
        Err(Trouble::yours(Kind::MoreNeeded, "The gateway wants more than was given.", "see the messages before, and ask again"))
    }

    fn keep(&self, token: &Token, name: &str, value: &impl Serialize) {
        if let Err(trouble) = Cache::new(&self.places, &self.gateway, token).put(name, value) {
            self.voice.notice(&format!("Nothing is kept for the next time: {}", trouble.happened));
        }
    }
}

impl Kept {
    fn parted(self) -> (Credentials, Option<String>) {
        (self.answer.into(), self.reason)
    }

    /// Whether they are what is wished for, and not too old.
    fn fits(&self, wish: &Wish, most: Percent, now: Moment) -> bool {
        let is_as_wished = !wish.fresh
            && wish.mfa_code.is_none()
            && wish.duration.is_none_or(|duration| Some(duration.as_secs()) == self.duration)
            && (wish.reason.is_none() || wish.reason == self.reason);
        let life = self.answer.expires() - self.since;
        // A clock that was set back says nothing about their age.
        is_as_wished && self.since <= now && now < self.since + life * most.0 / 100
    }
}

/// The name that a role's credentials are kept under.
fn name_of(role: &Target) -> String {
    format!("credentials {role}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_credentials_are_used_for_the_same_wish_and_part_of_their_life() {
        let since: Moment = "2026-11-24T12:00:00Z".parse().unwrap();
        let answer = serde_json::json!({
            "role_arn": "arn:aws:iam::111122223333:role/Dev", "access_key_id": "k", "secret_access_key": "s", "session_token": "t",
            "expiration": "2026-11-24T13:00:00Z",
        });
        let kept = Kept { since, duration: Some(3600), reason: Some("OPS-1".into()), answer: serde_json::from_value(answer).unwrap() };
        let after = |minutes| since + TimeDelta::minutes(minutes);
        for (most, last) in [(Percent::AGENT, 44), (Percent::KEPT, 47), (Percent::LAST_RESORT, 56)] {
            assert!(kept.fits(&Wish::default(), most, since) && kept.fits(&Wish::default(), most, after(last)), "{most:?}");
            assert!(!kept.fits(&Wish::default(), most, after(last + 1)) && !kept.fits(&Wish::default(), most, after(-1)), "{most:?}");
        }
        let hour = Duration::from_hours(1);
        for (wish, fits) in [
            (Wish { reason: Some("OPS-1".into()), duration: Some(hour), ..Wish::default() }, true),
            (Wish { reason: Some("OPS-2".into()), ..Wish::default() }, false),
            (Wish { duration: Some(2 * hour), ..Wish::default() }, false),
            (Wish { mfa_code: Some("123456".into()), ..Wish::default() }, false),
            (Wish { fresh: true, ..Wish::default() }, false),
        ] {
            assert_eq!(kept.fits(&wish, Percent::KEPT, since), fits, "{wish:?}");
        }
    }
}
