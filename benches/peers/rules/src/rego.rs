//! The rules in Rego, as OPA's performance guide wants them: the policy is a few lines (`roles.rego`), the rules are data, and they are found by
//! looking a group up in an object, never by going through a list.
//!
//! regorus runs it in two ways, and both are measured: its interpreter, and the machine that it compiles to bytecode for. Policy and data are
//! compiled and loaded once, and the engine is kept; each question sets the input, which is made beforehand, and evaluates one rule.

use std::collections::BTreeMap;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};
use serde_json::json;

use crate::Rule;

const POLICY: &str = include_str!("roles.rego");
const ANSWER: &str = "data.roles.answer";

pub(crate) struct Rego {
    interpreter: Engine,
    machine: RegoVM,
}

fn value(json: &serde_json::Value) -> Value {
    Value::from_json_str(&json.to_string()).unwrap()
}

/// A person, ready to be asked about.
pub(crate) fn somebody(groups: &[String]) -> Value {
    value(&json!({ "groups": groups }))
}

impl Rego {
    pub(crate) fn of(rules: &[Rule]) -> Self {
        let (mut allow, mut deny) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for rule in rules {
            let effect = if rule.allow { &mut allow } else { &mut deny };
            effect.entry(&rule.group).or_default().extend(&rule.roles);
        }
        let data = value(&json!({ "allow": allow, "deny": deny }));
        let mut interpreter = Engine::new();
        interpreter.add_policy("roles.rego".into(), POLICY.into()).unwrap();
        interpreter.add_data(data.clone()).unwrap();
        let compiled = interpreter.compile_with_entrypoint(&ANSWER.into()).unwrap();
        let program = Compiler::compile_from_policy(&compiled, &[ANSWER]).unwrap();
        let mut machine = RegoVM::new_with_policy(compiled);
        machine.load_program(program);
        machine.set_data(data).unwrap();
        Self { interpreter, machine }
    }

    pub(crate) fn interpreted(&mut self, who: &Value) -> Value {
        self.interpreter.set_input(who.clone());
        self.interpreter.eval_rule(ANSWER.into()).unwrap()
    }

    pub(crate) fn on_machine(&mut self, who: &Value) -> Value {
        self.machine.set_input(who.clone());
        self.machine.execute_entry_point_by_index(0).unwrap()
    }
}
