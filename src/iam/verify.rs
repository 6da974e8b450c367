//! Compares what the rules need with what IAM has.

use std::collections::BTreeSet;

use super::doors::{Door, Need, Way};
use super::evaluate::{Answer, Request, Why, like};
use super::federation::{Federation, bare, oidc_provider_arn, saml_provider_arn};
use super::findings::{Finding, Kind, Severity};
use super::needs::{AccountNeeds, Needs, RoleNeed, SamlSource};
use super::others::{Opening, Others};
use super::policy::TrustPolicy;
use super::probe::{PINNED, Probe, for_another_audience, naming_no_role, probes, strangers, without_external_id};
use super::snapshot::{SeenAccount, SeenRole, Snapshot};
use crate::access::{Built, Gives, Operation, Policy};
use crate::clock::Moment;

impl Snapshot {
    /// Roles that IAM has, that trust Rolegate, and whose names rules could make from those of groups: they are needed if anybody is in the
    /// right group.
    #[must_use]
    pub fn built(&self, policy: &Policy, federation: &Federation<'_>) -> Vec<Built> {
        let mut built = Vec::new();
        for given in policy.uses() {
            let Gives::Built(masks) = &given.gives else { continue };
            for seen in self.roles().filter(|seen| masks.iter().any(|mask| mask.matches(&seen.role))) {
                let Some(account) = policy.account(seen.role.account().as_str()) else { continue };
                let trusts = seen.trust.as_ref().is_ok_and(|trust| match given.operation.unwrap_or_default() {
                    Operation::Saml => federation.saml_provider(account).is_some_and(|arn| trust.names_federated(&arn)),
                    Operation::AssumeRole => {
                        let hub = given.hub.map(|hub| hub.role.to_string());
                        hub.iter().chain(&federation.identities).any(|arn| trust.names_aws(arn))
                    }
                    Operation::WebIdentity => trust.names_federated(&federation.minted_provider(account)),
                    // Their trust says nothing of Rolegate.
                    _ => false,
                });
                if trusts {
                    built.push(Built { rule: given.rule.clone(), role: seen.role.clone() });
                }
            }
        }
        built
    }
}

/// Everything that is wrong, ordered by account and by what it is about.
///
/// Of the rules whose roles are made from groups' names, those roles are looked at that the needs name.
#[must_use]
pub fn verify(needs: &Needs, snapshot: &Snapshot, federation: &Federation<'_>, now: Moment) -> Vec<Finding> {
    let mut findings = snapshot.unread.clone();
    for account in &needs.accounts {
        let Some(seen) = snapshot.accounts.get(&account.account.id) else {
            if account.is_idle() {
                continue;
            }
            let subject = format!("account {} ({})", account.account.id, account.account.name);
            let mend = "write its roles and providers into files: docs/aws-iam.md has the commands";
            findings.push(Finding::new(
                Severity::Error,
                Kind::NotRead,
                Some(account.account.id),
                subject,
                "no file tells of this account",
                mend,
            ));
            continue;
        };
        let mut judge = Judge { needs: account, seen, federation, findings: &mut findings };
        judge.oidc_providers();
        judge.saml_providers(now);
        for need in account.roles.values() {
            judge.role(need);
        }
        judge.unused();
    }
    findings.sort();
    findings.dedup();
    findings
}

struct Judge<'a> {
    needs: &'a AccountNeeds,
    seen: &'a SeenAccount,
    federation: &'a Federation<'a>,
    findings: &'a mut Vec<Finding>,
}

impl Judge<'_> {
    fn error(&mut self, kind: Kind, subject: &str, message: impl Into<String>, mend: impl Into<String>) {
        self.findings.push(Finding::new(Severity::Error, kind, Some(self.needs.account.id), subject, message, mend));
    }

    fn warn(&mut self, kind: Kind, subject: &str, message: impl Into<String>, mend: impl Into<String>) {
        self.findings.push(Finding::new(Severity::Warning, kind, Some(self.needs.account.id), subject, message, mend));
    }

    fn oidc_providers(&mut self) {
        let (needs, seen) = (self.needs, self.seen);
        for (issuer, need) in &needs.oidc {
            let arn = oidc_provider_arn(&self.needs.account, issuer);
            let all: Vec<_> = need.clients.iter().map(String::as_str).collect();
            match seen.oidc.get(&arn) {
                None if seen.all_oidc => {
                    let mend = format!("aws iam create-open-id-connect-provider --url {issuer} --client-id-list {}", all.join(" "));
                    self.error(Kind::Missing, &arn, "the OpenID Connect provider is not there", mend);
                }
                None => self.error(
                    Kind::NotRead,
                    &arn,
                    "no file tells of the OpenID Connect provider",
                    "add what `aws iam list-open-id-connect-providers` prints",
                ),
                Some(None) => {
                    let mend = format!("add what `aws iam get-open-id-connect-provider --open-id-connect-provider-arn {arn}` prints");
                    self.error(Kind::NotRead, &arn, "no file tells the client ids of the provider", mend);
                }
                Some(Some(clients)) => {
                    for client in need.clients.iter().filter(|client| !clients.contains(client)) {
                        let mend = format!(
                            "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} --client-id {client}"
                        );
                        self.error(Kind::Audience, &arn, format!("it does not list the client id {client}"), mend);
                    }
                    // Another's issuer may have other clients that are nobody's business here.
                    for client in clients.iter().filter(|client| need.upstream.is_none() && !need.clients.contains(*client)) {
                        let mend = "take it out, unless something else uses it: aws iam remove-client-id-from-open-id-connect-provider";
                        self.warn(
                            Kind::OtherClients,
                            &arn,
                            format!("it lists the client id {client}, which no token of Rolegate has"),
                            mend,
                        );
                    }
                }
            }
        }
    }

    fn saml_providers(&mut self, now: Moment) {
        let (needs, seen) = (self.needs, self.seen);
        let own = self.federation.saml_provider(&needs.account);
        for (name, saml) in &needs.saml {
            let arn = saml_provider_arn(&needs.account, name);
            // Another's may have any name.
            let is_elsewhere = saml.source != SamlSource::Rolegate && seen.saml.keys().any(|arn| Some(arn) != own.as_ref());
            if is_elsewhere && !seen.saml.contains_key(&arn) {
                continue;
            }
            match seen.saml.get(&arn) {
                None if seen.all_saml => {
                    let mend = format!("aws iam create-saml-provider --name {name} --saml-metadata-document file://metadata.xml");
                    self.error(Kind::Missing, &arn, "the SAML provider is not there", mend);
                }
                None => {
                    self.error(Kind::NotRead, &arn, "no file tells of the SAML provider", "add what `aws iam list-saml-providers` prints");
                }
                Some(Some(until)) if *until <= now => {
                    let message = format!("its metadata was good until {}", until.format("%Y-%m-%d"));
                    self.error(Kind::Expired, &arn, message, "give it newer metadata: aws iam update-saml-provider");
                }
                Some(_) => {}
            }
        }
    }

    fn role(&mut self, need: &RoleNeed) {
        let arn = need.role.as_str();
        let all = self.seen;
        let Some(seen) = all.roles.get(&need.role.name().to_ascii_lowercase()) else {
            let rules = need.rules.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
            if self.seen.all_roles {
                self.error(
                    Kind::Missing,
                    arn,
                    format!("there is no such role, and these rules give it: {rules}"),
                    "create it: `rolegate aws plan`",
                );
            } else {
                let mend = format!("add what `aws iam get-role --role-name {}` or `aws iam list-roles` prints", need.role.name());
                self.error(Kind::NotRead, arn, "no file tells of the role", mend);
            }
            return;
        };
        if seen.role != need.role {
            let message = format!("there is no such role; there is {}", seen.role);
            return self.error(Kind::Missing, arn, message, "write its path in the rule as IAM has it, or make the role anew");
        }
        self.max_session(need, seen);
        match &seen.trust {
            Err(error) => self.error(Kind::NotUnderstood, arn, error.to_string(), "look at the trust policy yourself"),
            Ok(policy) => {
                self.open_to_all(arn, policy);
                for (door, way) in &need.doors {
                    self.door(arn, policy, door, way);
                }
                self.others(arn, policy, need);
            }
        }
    }

    fn max_session(&mut self, need: &RoleNeed, seen: &SeenRole) {
        let (arn, name) = (need.role.as_str(), need.role.name());
        match seen.max_session {
            Some(most) if most < need.max_session => {
                let message = format!("it allows sessions of {most} seconds, and rules let people ask for {}", need.max_session);
                let mend =
                    format!("aws iam update-role --role-name {name} --max-session-duration {}, or lower max_session", need.max_session);
                // With a role's session as own identity AWS never gives more than an hour, and Rolegate does not ask for it.
                if need.doors.keys().all(|door| *door == Door::OwnIdentity) {
                    self.warn(Kind::SessionTooShort, arn, message, mend);
                } else {
                    self.error(Kind::SessionTooShort, arn, message, mend);
                }
            }
            None if need.max_session > 3600 => {
                let mend = "add what `aws iam list-roles` or `aws iam get-role` prints";
                self.error(Kind::NotRead, arn, "no file tells its longest session (MaxSessionDuration)", mend);
            }
            _ => {}
        }
    }

    fn open_to_all(&mut self, arn: &str, policy: &TrustPolicy) {
        let mut found = false;
        for request in strangers(&self.needs.account) {
            let action = request.action;
            match policy.answer(&request) {
                Answer::Yes => {
                    let mend = "name who may: a Principal of * is everybody in the world";
                    self.error(Kind::OpenToAll, arn, format!("anybody may {action}"), mend);
                }
                Answer::Unknown(what) => {
                    let mend = "look at it yourself: a Principal of * that is narrowed by conditions alone lets in whoever meets them";
                    self.warn(Kind::NotUnderstood, arn, format!("whether anybody may {action} hangs on {}", listed(&what)), mend);
                }
                Answer::No(_) => continue,
            }
            found = true;
        }
        if !found && policy.names_everybody() {
            let mend = "name who may: if a condition is taken out one day, everybody may";
            self.warn(Kind::OpenToAll, arn, "it has a Principal of *, which conditions alone narrow", mend);
        }
    }

    fn door(&mut self, arn: &str, policy: &TrustPolicy, door: &Door, way: &Way) {
        let probes = self.probes(policy, door, way);
        let answers: Vec<_> = probes.iter().map(|probe| (probe, policy.answer(&probe.request))).collect();
        if answers.iter().all(|(_, answer)| matches!(answer, Answer::No(_))) {
            if let Some((probe, Answer::No(whys))) = answers.first() {
                self.not_trusted(arn, door, probe, whys);
            }
            return;
        }
        for (probe, answer) in &answers {
            match answer {
                Answer::Yes => self.too_wide(arn, policy, door, way, probe),
                Answer::No(whys) => self.shut_out(arn, door, probe, whys),
                Answer::Unknown(what) => {
                    let message = format!("whether {} get in hangs on {}", probe.about, listed(what));
                    self.warn(Kind::NotUnderstood, arn, message, "look at it yourself: `rolegate aws plan` has a policy to compare with");
                }
            }
        }
        let let_in = answers.iter().find(|(_, answer)| !matches!(answer, Answer::No(_)));
        if let Some((probe, _)) = let_in {
            self.attributes(arn, policy, way, &probe.request);
        }
    }

    /// What is asked about a door. What another's provider is called in IAM is known to the attribute Role of its responses alone: the plan calls it
    /// by its id, and here it may be any SAML provider of the account that gets in.
    fn probes(&self, policy: &TrustPolicy, door: &Door, way: &Way) -> Vec<Probe> {
        let planned = || probes(&self.needs.account, door, way, self.federation);
        if !matches!(door, Door::ForwardedSaml(_)) {
            return planned();
        }
        let named =
            self.seen.saml.keys().map(|provider| planned().into_iter().map(|probe| probe.vouched_for_by(provider)).collect::<Vec<_>>());
        let gets_in = |probes: &Vec<Probe>| probes.iter().all(|probe| policy.answer(&probe.request) == Answer::Yes);
        named.into_iter().find(gets_in).unwrap_or_else(planned)
    }

    /// Nobody gets in: by which of the conditions, or because no statement is about it.
    fn not_trusted(&mut self, arn: &str, door: &Door, probe: &Probe, whys: &[Why]) {
        let kind = if whys.iter().any(is_about_audience) { Kind::Audience } else { Kind::NotTrusted };
        let action = door.action();
        let message = format!("{} cannot {action}: {}", probe.about, reasons(whys));
        self.error(kind, arn, message, "let the trust policy be as `rolegate aws plan` has it");
    }

    fn shut_out(&mut self, arn: &str, door: &Door, probe: &Probe, whys: &[Why]) {
        let kind = if whys.iter().any(is_about_audience) { Kind::Audience } else { Kind::SomeShutOut };
        let message = format!("{} cannot {}: {}", probe.about, door.action(), reasons(whys));
        self.error(kind, arn, message, "add it to the condition, or let no rule give them the role");
    }

    /// What gets in beside what should.
    fn too_wide(&mut self, arn: &str, policy: &TrustPolicy, door: &Door, way: &Way, probe: &Probe) {
        if for_another_audience(&probe.request).is_some_and(|other| policy.answer(&other) == Answer::Yes) {
            let key = match door {
                Door::Minted => format!("{}:aud", bare(self.federation.issuer.url())),
                Door::Forwarded(issuer) => format!("{}:aud", bare(issuer)),
                _ => "saml:aud".to_owned(),
            };
            self.error(
                Kind::AudienceOpen,
                arn,
                "it takes what was made for another audience",
                format!("add a condition StringEquals on {key}"),
            );
        }
        if *door == Door::Minted && naming_no_role(&probe.request).iter().any(|other| policy.answer(other) == Answer::Yes) {
            let mend = format!("add the condition \"Bool\": {{ \"{PINNED}\": \"true\" }}");
            self.error(Kind::NotPinned, arn, "it takes a token that does not name this role", mend);
        }
        let demands = matches!(door, Door::OwnIdentity | Door::Hub(_)) && way.external.can_be_demanded();
        if demands && matches!(policy.answer(&without_external_id(&probe.request)), Answer::Yes) {
            let mend = "add a condition on sts:ExternalId: without it somebody else's customers may be let in by Rolegate's identity";
            self.warn(Kind::NoExternalId, arn, "every rule sends an external id, and it demands none", mend);
        }
    }

    /// What is open beside the doors. What was found at a door already is not told twice.
    fn others(&mut self, arn: &str, policy: &TrustPolicy, need: &RoleNeed) {
        let others = Others { account: &self.needs.account, need, federation: self.federation, policy };
        for opening in others.openings() {
            let (kind, message, mend) = match opening {
                Opening::Other { statement, principal, action, certain, whoever } => {
                    let is_known = self.federation.also.iter().any(|known| like(known, &principal));
                    if is_known && !whoever {
                        continue;
                    }
                    let lets = if certain { "lets" } else { "may let" };
                    let (who, mend) = if is_known {
                        (format!("everybody in whom {principal} vouches for"), "narrow it by a condition on the tokens' subject")
                    } else {
                        (format!("{principal} in"), "take it out of the trust policy; if it is meant, say so by --also PRINCIPAL")
                    };
                    (Kind::OtherWays, format!("{statement} {lets} {who} by {action}, whatever the rules say"), mend.to_owned())
                }
                Opening::Audience { statement } => {
                    let mend = "let it name the audience as `rolegate aws plan` has it, by StringEquals".to_owned();
                    (Kind::AudienceOpen, format!("{statement} takes, or may take, what was made for another audience"), mend)
                }
                Opening::NotPinned { statement } => {
                    let mend = format!("add the condition \"Bool\": {{ \"{PINNED}\": \"true\" }} to it");
                    (Kind::NotPinned, format!("{statement} takes, or may take, a token that does not name this role"), mend)
                }
                Opening::ExternalId { statement } => {
                    let mend = "let it demand those that rules send, by StringEquals on sts:ExternalId".to_owned();
                    (Kind::NoExternalId, format!("{statement} takes, or may take, an external id that no rule sends"), mend)
                }
            };
            let is_told = self.findings.iter().any(|finding| finding.kind == kind && finding.subject == arn);
            if kind == Kind::OtherWays || !is_told {
                self.error(kind, arn, message, mend);
            }
        }
    }

    /// Tags and source identity have actions of their own.
    fn attributes(&mut self, arn: &str, policy: &TrustPolicy, way: &Way, request: &Request) {
        let carried = [
            (Kind::NoTagSession, way.carries.tags, "sts:TagSession", "session tags", "carry_tags"),
            (Kind::NoSourceIdentity, way.carries.source_identity, "sts:SetSourceIdentity", "a source identity", "carry_source_identity"),
        ];
        for (kind, need, action, what, key) in carried {
            let Some(need) = need else { continue };
            match policy.answer(&request.for_action(action)) {
                Answer::Yes => {}
                Answer::Unknown(hangs_on) => {
                    let message = format!("whether {what} may be brought hangs on {}", listed(&hangs_on));
                    self.warn(Kind::NotUnderstood, arn, message, "look at it yourself: `rolegate aws plan` has a policy to compare with");
                }
                Answer::No(whys) => {
                    let why = if whys == [Why::NoStatement] { String::new() } else { format!(" ({})", reasons(&whys)) };
                    let message = format!("rules bring {what}, and {action} is not allowed{why}");
                    let mend = format!("allow {action} beside the sign-in, or set {key} = \"off\" in the rules");
                    match need {
                        Need::Required => self.error(kind, arn, message, mend),
                        Need::Wanted => self.warn(kind, arn, message, mend),
                    }
                }
            }
        }
    }

    /// What trusts Rolegate although no rule leads there.
    fn unused(&mut self) {
        let minted = self.federation.minted_provider(&self.needs.account);
        let saml = self.federation.saml_provider(&self.needs.account);
        let ours = |policy: &TrustPolicy| policy.names_federated(&minted) || saml.as_ref().is_some_and(|saml| policy.names_federated(saml));
        let needed: BTreeSet<_> = self.needs.roles.keys().map(|role| role.name().to_ascii_lowercase()).collect();
        let seen = self.seen;
        let unused: Vec<_> =
            seen.roles.iter().filter(|(name, seen)| !needed.contains(*name) && seen.trust.as_ref().is_ok_and(&ours)).collect();
        for (_, seen) in unused {
            let mend = "take the trust out, or write the rule that is missing";
            self.warn(Kind::Unused, seen.role.as_str(), "it trusts Rolegate, and no rule gives it", mend);
        }
        let idle_oidc = self.seen.oidc.contains_key(&minted) && !self.needs.oidc.contains_key(self.federation.issuer.url());
        let idle_saml = saml.filter(|arn| {
            let is_needed = self.needs.saml.keys().any(|name| saml_provider_arn(&self.needs.account, name) == *arn);
            self.seen.saml.contains_key(arn) && !is_needed
        });
        for arn in idle_oidc.then_some(minted).into_iter().chain(idle_saml) {
            let mend = "take it out, unless a rule is to come";
            self.warn(Kind::Unused, &arn, "the provider is there, and no rule needs it in this account", mend);
        }
    }
}

fn is_about_audience(why: &Why) -> bool {
    matches!(why, Why::Condition { condition, .. } if condition.key.to_ascii_lowercase().ends_with(":aud"))
}

fn reasons(whys: &[Why]) -> String {
    let words = whys.iter().map(|why| match why {
        Why::NoStatement => "no statement allows it".to_owned(),
        Why::Denied { statement } => format!("{statement} denies it"),
        Why::Condition { statement, condition } => {
            format!("{statement} wants {} {} {}", condition.operator, condition.key, condition.values.join(" or "))
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

fn listed(what: &BTreeSet<String>) -> String {
    what.iter().map(String::as_str).collect::<Vec<_>>().join(", and on ")
}
