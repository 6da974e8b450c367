//! The rules in Cedar, as its guides write roles: a group is a parent of its people, a role a resource in its account, and each rule a
//! policy with everything in its scope, one for each role, since a scope has room for one.
//!
//! Cedar answers whether one person may do one thing to one resource. These are the ways to a list with what version 4.14 has released; all
//! are measured, and the fastest counts:
//!
//! - [`Cedar::every_role`]: asks about every role there is. The only one that needs nothing but the stable interface; its cost is that of all
//!   policies for each role, so that it is asked of the small organisation alone.
//! - [`Cedar::query_resource`]: the query that is made for lists (feature `tpe`, experimental).
//! - [`Cedar::type_aware`]: the same partial evaluation, but only what it leaves open is asked again about every role.
//! - [`Cedar::sliced`]: the application keeps an index of its own, from group to policies and from policy to role, and lets Cedar decide
//!   only those roles, each by only those policies. Cedar's paper calls it policy slicing; the crate has no interface for it, so the index and
//!   the argument why it is right (each policy's scope names one group and one role) are the application's.
//!
//! Entities, with the person among them, are made once and are not timed.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PartialEntities, PartialEntityUid,
    PartialRequest, Policy, PolicySet, PrincipalConstraint, Request, ResourceConstraint, ResourceQueryRequest, Schema,
};

use crate::Rule;

const SCHEMA: &str = "
    entity Group;
    entity Account;
    entity Person in [Group];
    entity Role in [Account];
    action assume appliesTo { principal: [Person], resource: [Role], context: {} };
";

/// The rules, compiled as far as Cedar compiles.
pub(crate) struct Cedar {
    authorizer: Authorizer,
    schema: Schema,
    assume: EntityUid,
    role: EntityTypeName,
    policies: PolicySet,
    /// Every role that a rule names.
    roles: Vec<EntityUid>,
    /// The application's own index: what policies a group is named in, each with its role.
    by_group: HashMap<EntityUid, Vec<(EntityUid, Policy)>>,
}

/// A person, ready to be asked about.
pub(crate) struct Somebody {
    uid: EntityUid,
    groups: Vec<EntityUid>,
    /// The person, and all roles.
    entities: Entities,
    /// The same for the type-aware evaluation.
    partial: PartialEntities,
    /// The person alone: policies that name their role need no more.
    alone: Entities,
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.parse().unwrap(), EntityId::new(id))
}

impl Cedar {
    pub(crate) fn of(rules: &[Rule]) -> Self {
        let mut text = String::new();
        for rule in rules {
            let effect = if rule.allow { "permit" } else { "forbid" };
            for role in &rule.roles {
                text +=
                    &format!("{effect}(principal in Group::{:?}, action == Action::\"assume\", resource == Role::{role:?});\n", rule.group);
            }
        }
        let policies: PolicySet = text.parse().unwrap();
        let mut by_group = HashMap::<_, Vec<_>>::new();
        for policy in policies.policies() {
            let (PrincipalConstraint::In(group), ResourceConstraint::Eq(role)) =
                (policy.principal_constraint(), policy.resource_constraint())
            else {
                panic!("{policy} has another scope");
            };
            by_group.entry(group).or_default().push((role, policy.clone()));
        }
        let mut roles: Vec<_> = rules.iter().flat_map(|rule| &rule.roles).map(|role| uid("Role", role)).collect();
        roles.sort_unstable();
        roles.dedup();
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
        let (assume, role) = (uid("Action", "assume"), "Role".parse().unwrap());
        Self { authorizer: Authorizer::new(), schema, assume, role, policies, roles, by_group }
    }

    pub(crate) fn policies(&self) -> usize {
        self.policies.num_of_policies()
    }

    pub(crate) fn roles(&self) -> usize {
        self.roles.len()
    }

    pub(crate) fn somebody(&self, subject: &str, groups: &[String]) -> Somebody {
        let (uid, groups): (_, Vec<_>) = (uid("Person", subject), groups.iter().map(|group| uid("Group", group)).collect());
        let person = Entity::new_no_attrs(uid.clone(), groups.iter().cloned().collect());
        let roles = self.roles.iter().map(|role| {
            let account = role.id().unescaped().split(':').nth(4).unwrap().to_owned();
            Entity::new_no_attrs(role.clone(), HashSet::from([self::uid("Account", &account)]))
        });
        let entities = Entities::from_entities(roles.chain([person.clone()]), Some(&self.schema)).unwrap();
        let partial = PartialEntities::from_concrete(entities.clone(), &self.schema).unwrap();
        let alone = Entities::from_entities([person], Some(&self.schema)).unwrap();
        Somebody { uid, groups, entities, partial, alone }
    }

    fn allowed(&self, who: &Somebody, role: &EntityUid, policies: &PolicySet, entities: &Entities) -> bool {
        let request = Request::new(who.uid.clone(), self.assume.clone(), role.clone(), Context::empty(), None).unwrap();
        self.authorizer.is_authorized(&request, policies, entities).decision() == Decision::Allow
    }

    fn allowed_of_all(&self, who: &Somebody, policies: &PolicySet) -> Vec<EntityUid> {
        self.roles.iter().filter(|role| self.allowed(who, role, policies, &who.entities)).cloned().collect()
    }

    pub(crate) fn every_role(&self, who: &Somebody) -> Vec<EntityUid> {
        self.allowed_of_all(who, &self.policies)
    }

    pub(crate) fn query_resource(&self, who: &Somebody) -> Vec<EntityUid> {
        let query =
            ResourceQueryRequest::new(who.uid.clone(), self.assume.clone(), self.role.clone(), Context::empty(), &self.schema).unwrap();
        self.policies.query_resource(&query, &who.entities, &self.schema).unwrap().collect()
    }

    pub(crate) fn type_aware(&self, who: &Somebody) -> Vec<EntityUid> {
        let (person, any_role) = (PartialEntityUid::from_concrete(who.uid.clone()), PartialEntityUid::new(self.role.clone(), None));
        let request = PartialRequest::new(person, self.assume.clone(), any_role, Some(Context::empty()), &self.schema).unwrap();
        let left = self.policies.tpe(&request, &who.partial, &self.schema).unwrap();
        self.allowed_of_all(who, &PolicySet::from_policies(left.residual_policies()).unwrap())
    }

    pub(crate) fn sliced(&self, who: &Somebody) -> Vec<EntityUid> {
        let mut slices = HashMap::<_, PolicySet>::new();
        for (role, policy) in who.groups.iter().filter_map(|group| self.by_group.get(group)).flatten() {
            slices.entry(role).or_default().add(policy.clone()).unwrap();
        }
        slices.into_iter().filter(|(role, slice)| self.allowed(who, role, slice, &who.alone)).map(|(role, _)| role.clone()).collect()
    }
}
