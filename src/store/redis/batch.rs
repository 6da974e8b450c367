//! Commands that are sent together.

use std::time::Duration;

use redis::{Cmd, Pipeline, ToRedisArgs};

use super::super::{Key, millis};
use super::scripts::INDEX_ADD;

/// What must hold of commands, beyond that they are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// They read, or write what may be forgotten with a server (who loses a session signs in again). Doing them twice does the same.
    Repeatable,
    /// They write what must not be forgotten, such as that a session has ended. Doing them twice does the same.
    Lasting,
    /// They write what may be forgotten with a server, and doing them twice differs.
    Single,
    /// They write what must not be forgotten, such as that an answer was used, and doing them twice differs.
    Once,
}

impl Nature {
    /// Whether doing it twice does the same.
    pub(super) const fn is_repeatable(self) -> bool {
        matches!(self, Self::Repeatable | Self::Lasting)
    }

    /// Whether it must not be forgotten, so that replicas must have it.
    pub(super) const fn must_last(self) -> bool {
        matches!(self, Self::Lasting | Self::Once)
    }
}

/// Commands that are sent together, in one round trip where there is one server. Each of them concerns one key.
pub(super) struct Batch {
    pipeline: Pipeline,
    /// The key of each command.
    keys: Vec<Key>,
    nature: Nature,
}

impl Batch {
    /// None yet.
    pub(super) fn new(nature: Nature) -> Self {
        Self { pipeline: Pipeline::new(), keys: Vec::new(), nature }
    }

    /// One, to which arguments and others can be added.
    pub(super) fn of(nature: Nature, name: &str, key: &Key) -> Self {
        Self::new(nature).and(name, key)
    }

    /// A script that concerns one key, to which arguments can be added.
    pub(super) fn script(nature: Nature, code: &str, key: &Key) -> Self {
        Self::new(nature).and_script(code, key)
    }

    /// One more command.
    pub(super) fn and(mut self, name: &str, key: &Key) -> Self {
        self.pipeline.cmd(name).arg(key.as_str());
        self.keys.push(key.clone());
        self
    }

    /// One more script.
    pub(super) fn and_script(mut self, code: &str, key: &Key) -> Self {
        self.pipeline.cmd("EVAL").arg(code).arg(1).arg(key.as_str());
        self.keys.push(key.clone());
        self
    }

    /// An argument of the last command.
    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.pipeline.arg(argument);
        self
    }

    /// `PX` and a span, as arguments of the last command.
    pub(super) fn for_as_long(self, ttl: Duration) -> Self {
        self.arg("PX").arg(millis(ttl))
    }

    /// Puts a member into an index for a time.
    pub(super) fn and_list(self, index: &Key, member: &Key, ttl: Duration) -> Self {
        self.and_script(INDEX_ADD, index).arg(member.as_str()).arg(millis(ttl))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) const fn nature(&self) -> Nature {
        self.nature
    }

    /// All of them, for one server.
    pub(super) const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Each with its key, for servers that share the keys.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Key, &Cmd)> {
        self.keys.iter().zip(self.pipeline.cmd_iter())
    }
}
