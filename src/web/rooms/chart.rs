//! `/audit/chart`: issuances over time, drawn here.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use chrono::TimeDelta;
use serde::Deserialize;

use super::audit::{Search, extent};
use crate::audit::{OUTCOMES, Step, Tally};
use crate::clock::Moment;
use crate::web::trouble::{PageError, html};
use crate::web::views::{AuditChart, Bar, Plot, Room, Text};
use crate::web::visitor::Visitor;

/// How many accounts have a colour of their own; the others share one.
const ACCOUNTS: usize = 5;
/// The series of outcomes are behind those of accounts.
const FIRST_OUTCOME: usize = ACCOUNTS + 1;
/// How many steps a chart has at most, and usually.
const MOST_STEPS: i32 = 120;
const USUAL_STEPS: i32 = 30;
/// How many rows the table has at most.
const MOST_ROWS: usize = 400;
/// The drawing's edges: left, right, top, bottom.
const EDGES: (f64, f64, f64, f64) = (40.0, 716.0, 12.0, 212.0);

#[derive(Deserialize)]
pub(super) struct Steps {
    step: Option<String>,
}

/// `GET /audit/chart`.
pub(super) async fn chart(visitor: Visitor, search: web::Query<Search>, steps: web::Query<Steps>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let auditor = site.gateway.auditor(&me.session, &me.visitor.caller).await?;
    let step = if steps.step.as_deref() == Some("hour") { Step::Hour } else { Step::Day };
    let empty = |problem| AuditChart {
        shell: me.shell().of(Room::Audit),
        form: search.form(problem),
        hourly: step == Step::Hour,
        plots: Vec::new(),
        rows: Vec::new(),
        left_out: 0,
        extent: Vec::new(),
        query: search.pairs().into(),
    };
    let mut query = match search.query(site) {
        Ok(query) => query,
        Err(problem) => return Ok(html(&empty(Some(problem)))),
    };
    let span = range(&mut query.since, &mut query.until, site.gateway.now(), step);
    let counted = site.gateway.count_trail(auditor, query, step).await?;
    let policy = site.gateway.policy.load();
    let name = |account: &str| match policy.account(account) {
        Some(known) => format!("{} {account}", known.name),
        None if account.is_empty() => "no account".to_owned(),
        None => account.to_owned(),
    };
    let mut sentences =
        vec![Text::from(format!("From {} to {}.", span.0.format("%Y-%m-%d %H:%M UTC"), span.1.format("%Y-%m-%d %H:%M UTC")))];
    sentences.extend(extent(&counted.looked));
    let rows = counted.tally.counts.iter().rev();
    let page = AuditChart {
        plots: plots(&counted.tally, span, step, name),
        rows: rows.take(MOST_ROWS).map(|((time, account), counts)| ((*time).into(), name(account).into(), *counts)).collect(),
        left_out: counted.tally.counts.len().saturating_sub(MOST_ROWS),
        extent: sentences,
        ..empty(None)
    };
    Ok(html(&page))
}

/// The time that is drawn: what was asked for, as far as its steps can be told apart.
fn range(since: &mut Option<Moment>, until: &mut Option<Moment>, now: Moment, step: Step) -> (Moment, Moment) {
    let end = until.unwrap_or_else(|| step.of(now) + step.length());
    let before = |steps: i32| end.checked_sub_signed(step.length() * steps).unwrap_or(Moment::MIN_UTC);
    let start = since.map_or_else(|| before(USUAL_STEPS), |since| step.of(since).max(before(MOST_STEPS))).min(before(1));
    (*since, *until) = (Some(start), Some(end));
    (start, end)
}

/// By account and by outcome.
fn plots(tally: &Tally, (start, end): (Moment, Moment), step: Step, name: impl Fn(&str) -> String) -> Vec<Plot<'static>> {
    if tally.counts.is_empty() {
        return Vec::new();
    }
    let accounts = tally.accounts();
    let series_of = |account: &str| accounts.iter().position(|(known, _)| known == account).map_or(ACCOUNTS, |at| at.min(ACCOUNTS));
    let (mut by_account, mut by_outcome) = (BTreeMap::new(), BTreeMap::new());
    for ((time, account), counts) in &tally.counts {
        *by_account.entry((*time, series_of(account))).or_insert(0) += counts.iter().sum::<u64>();
        for (at, count) in counts.iter().enumerate() {
            *by_outcome.entry((*time, FIRST_OUTCOME + at)).or_insert(0) += count;
        }
    }
    let sum = |all: &BTreeMap<(Moment, usize), u64>, series: usize| {
        all.iter().filter(|((_, of), _)| *of == series).map(|(_, count)| count).sum::<u64>()
    };
    let mut named: Vec<_> =
        accounts.iter().take(ACCOUNTS).enumerate().map(|(at, (account, count))| (at, Text::from(name(account)), *count)).collect();
    if accounts.len() > ACCOUNTS {
        named.push((ACCOUNTS, "other accounts".into(), sum(&by_account, ACCOUNTS)));
    }
    let outcomes =
        OUTCOMES.iter().enumerate().map(|(at, word)| (FIRST_OUTCOME + at, Text::from(*word), sum(&by_outcome, FIRST_OUTCOME + at)));
    let outcomes: Vec<_> = outcomes.collect();
    vec![
        Plot { key: "accounts", title: "By account", series: named, ..drawn(&by_account, (start, end), step) },
        Plot { key: "outcomes", title: "By outcome", series: outcomes, ..drawn(&by_outcome, (start, end), step) },
    ]
}

/// Bars with their scales.
#[expect(clippy::cast_precision_loss, reason = "coordinates of a drawing")]
fn drawn(counts: &BTreeMap<(Moment, usize), u64>, (start, end): (Moment, Moment), step: Step) -> Plot<'static> {
    let (left, right, top, bottom) = EDGES;
    let in_steps = |span: TimeDelta| span.num_minutes() as f64 / step.length().num_minutes() as f64;
    let width = (right - left) / in_steps(end - start).max(1.0);
    let mut sums: BTreeMap<Moment, u64> = BTreeMap::new();
    for ((time, _), count) in counts {
        *sums.entry(*time).or_default() += count;
    }
    let scale = round_up(sums.values().copied().max().unwrap_or(1));
    let height = |count: u64| (bottom - top) * count as f64 / scale as f64;
    let (mut bars, mut below) = (Vec::new(), BTreeMap::new());
    for ((time, series), count) in counts.iter().filter(|(_, count)| **count > 0) {
        let base = below.entry(*time).or_insert(0);
        *base += count;
        let x = left + in_steps(*time - start) * width;
        let bar = Bar {
            series: *series,
            x: tenth(x),
            y: tenth(bottom - height(*base)),
            width: tenth(width * 0.86),
            height: tenth(height(*count)),
        };
        bars.push(bar);
    }
    let lines = [0, scale / 2, scale].into_iter().map(|value| (tenth(bottom - height(value)), value));
    let mut lines: Vec<_> = lines.collect();
    lines.dedup_by_key(|(_, value)| *value);
    let steps = ((end - start).num_minutes() / step.length().num_minutes()).max(1);
    let pattern = if step == Step::Hour { "%m-%d %H:%M" } else { "%Y-%m-%d" };
    let label = |number: i64| {
        let moment = start + step.length() * i32::try_from(number).unwrap_or(i32::MAX);
        let x = left + (number as f64 + 0.5) * width;
        (tenth(x.clamp(left + 28.0, right - 28.0)), Text::from(moment.format(pattern).to_string()))
    };
    let mut labels: Vec<_> = (0..4).map(|part| steps * part / 4).map(label).collect();
    labels.dedup_by(|(_, one), (_, other)| one == other);
    Plot { key: "", title: "", bars, lines, labels, series: Vec::new() }
}

/// The end of a scale: the next even number of one or two digits that matter.
fn round_up(most: u64) -> u64 {
    let mut unit = 1;
    while most > unit * 10 {
        unit *= 10;
    }
    let steps = [2, 4, 6, 8, 10];
    steps.into_iter().map(|step| step * unit).find(|end| *end >= most).unwrap_or(most)
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Moment {
        "2026-01-14T00:00:00Z".parse::<Moment>().unwrap() + TimeDelta::hours(hours)
    }

    #[test]
    fn bars_stand_on_each_other_and_within_the_drawing() {
        let mut tally = Tally::default();
        for (number, account) in (0_u32..).zip(["a", "b", "c", "d", "e", "f", "g"]) {
            tally.counts.insert((at(number.into()), account.to_owned()), [10 - u64::from(number), 1, 0]);
        }
        tally.counts.insert((at(0), "b".into()), [3, 0, 2]);
        let plots = plots(&tally, (at(0), at(24)), Step::Hour, str::to_owned);
        for plot in &plots {
            for bar in &plot.bars {
                assert!(bar.x >= EDGES.0 && bar.x + bar.width <= EDGES.1 + 0.2, "{bar:?}");
                assert!(bar.y >= EDGES.2 - 0.1 && bar.y + bar.height <= EDGES.3 + 0.1 && bar.height > 0.0, "{bar:?}");
            }
            let total: u64 = plot.series.iter().map(|(_, _, sum)| sum).sum();
            assert_eq!(total, tally.counts.values().flatten().sum::<u64>());
        }
        let first: Vec<_> = plots[0].bars.iter().filter(|bar| (bar.x - EDGES.0).abs() < 0.1).collect();
        assert_eq!(first.len(), 2);
        assert!((first[1].y + first[1].height - first[0].y).abs() < 0.2, "{first:?}");
        assert_eq!(plots[0].series.len(), ACCOUNTS + 1, "the rest share one");
    }

    #[test]
    fn what_is_asked_for_is_drawn_as_far_as_it_can_be_told_apart() {
        let mut nothing = (None, None);
        assert_eq!(range(&mut nothing.0, &mut nothing.1, at(13), Step::Hour), (at(14 - i64::from(USUAL_STEPS)), at(14)));
        let mut long = (Some(at(-100_000)), Some(at(0)));
        assert_eq!(range(&mut long.0, &mut long.1, at(13), Step::Hour), (at(-i64::from(MOST_STEPS)), at(0)));
        assert_eq!(long, (Some(at(-i64::from(MOST_STEPS))), Some(at(0))));
        let mut backwards = (Some(at(50)), Some(at(2)));
        assert_eq!(range(&mut backwards.0, &mut backwards.1, at(13), Step::Hour), (at(1), at(2)));
    }

    #[test]
    fn a_scale_ends_at_an_even_number_that_is_large_enough() {
        assert_eq!([1, 2, 3, 9, 10, 11, 87, 101, 12_345].map(round_up), [2, 2, 4, 10, 10, 20, 100, 200, 20_000]);
    }
}
