//! What was measured, and how many times as long as Rolegate each took.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// The median of one bench, in nanoseconds, as criterion has written it down.
fn median(folder: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(folder.join("new/estimates.json")).ok()?;
    serde_json::from_str::<Value>(&text).ok()?["median"]["point_estimate"].as_f64()
}

/// Prints all benches of a group, the fastest first. Without Rolegate's there is nothing to compare with, as when a filter left it out.
pub(crate) fn print(group: &Path) {
    let Some(rolegate) = median(&group.join("rolegate")) else { return };
    let benches = std::fs::read_dir(group).unwrap().map(|entry| entry.unwrap());
    let named = benches.filter_map(|entry| Some((median(&entry.path())?, entry.file_name().into_string().unwrap())));
    let mut all: Vec<_> = named.collect();
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    println!("\n{}", group.file_name().unwrap().to_string_lossy());
    for (time, name) in all {
        println!("  {name:<34} {:>12?} {:>12.1} x", Duration::from_nanos(time as u64), time / rolegate);
    }
    println!();
}
