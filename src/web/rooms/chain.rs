//! What the page of one event says of the chain that it stands in.

use crate::audit::{Finding, Found, Verdict};
use crate::web::views::{Chained, Text};

/// How many findings a page tells.
const MOST: usize = 5;

/// Whether the chain around an event is whole, and how far it was followed.
pub(super) fn chained(found: &Found, verdict: Option<&Verdict>) -> Chained<'static> {
    let said = |state, outcome, says: Vec<String>| Chained { state, outcome, says: says.into_iter().map(Text::from).collect() };
    let Some(verdict) = verdict else {
        return said("not verified", "refused", vec!["The file of this event was taken away while it was read.".to_owned()]);
    };
    if !found.event.contains_key("seq") {
        return said("not verified", "refused", vec!["An earlier version wrote this event, in no chain.".to_owned()]);
    }
    if !verdict.findings.is_empty() {
        let told = verdict.findings.iter().take(MOST).map(in_words);
        let rest = "The command “rolegate audit verify” looks at all of the trail.".to_owned();
        return said("broken", "failed", told.chain([rest]).collect());
    }
    let (Some(first), Some(head)) = (verdict.first, verdict.head) else {
        return said("not verified", "refused", vec!["No line of the chain was read.".to_owned()]);
    };
    let newest = if verdict.stopped { "; what is newer was not looked at" } else { ", the newest" };
    let oldest = if first == 1 { "" } else { "; what is older was not looked at" };
    let extent = format!("Nothing was changed, put in or taken out from the event {first} to the event {}{newest}{oldest}.", head.seq);
    said("whole", "ok", vec![extent, format!("The chain’s head there: {head}")])
}

fn in_words(finding: &Finding) -> String {
    let file = finding.file.as_ref().and_then(|file| file.file_name()).map(|name| name.to_string_lossy().into_owned());
    file.map_or_else(|| finding.what.clone(), |file| format!("In {file}: {}", finding.what))
}
