//! `GET /stats`, `crm stats`: where we stand, in numbers.
//!
//! All numbers are of one moment. Nothing is kept for them, so they are never behind and cost no write anything but an index:
//! each is counted in an index, a word or a week at a time, because counting a range of an index is many times faster than
//! grouping. PostgreSQL groups as fast as it counts.

use serde_json::json;

use crate::base::error::Result;
use crate::base::time::{self, Zone, week_start};
use crate::model::due::{Due, Moment};
use crate::model::lead::LEAD;
use crate::model::query::escape;
use crate::model::rules;
use crate::model::value::Value;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, Describe, Needs, Of, Parameter, READ, Takes, Words,
};
use crate::operation::asked::{Asked, Survey, Surveyed};
use crate::operation::describe::{Described, answer, failure, media};
use crate::operation::fields::TIME_STORED;
use crate::store::inquiry::{Inquiry, Reading};
use crate::store::sql::open::is_open;
use crate::store::sql::select::Dialect;
use crate::views::stats::{Counted, RECENT, Stats, Week};

/// How many weeks it has, with the current one.
const WEEKS: i64 = 12;

/// The condition of the indexes of SQLite that only these counts use. It holds for all records.
const COUNTED: &str = "id > 0";

/// The most statuses and types that are told apart.
const MOST: usize = 100;

/// Where we stand.
#[derive(Clone, Debug)]
pub struct AskStats {
    zone: Zone,
}

impl AskStats {
    /// With the days and weeks of this zone.
    pub fn of(zone: Zone) -> AskStats {
        AskStats { zone }
    }
}

impl Survey for AskStats {
    const ABOUT: &'static About = &About {
        of: Of::Plain(&LEAD),
        methods: &[("GET", "getStats")],
        path: "/stats",
        access: READ,
        conditional: false,
        parameters: &[Parameter {
            name: "tz",
            about: "The zone of the days and weeks, such as `Europe/Berlin`. UTC unless given, or the default of the service.",
            help: "",
            takes: Takes::Text("ZONE"),
            applies: |_| true,
        }],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Get where we stand, in numbers",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "stats",
            about: "Show where we stand: leads by status, new leads and actions by week, follow-ups, forgotten leads",
            long: "",
            takes: &[],
            confirm: None,
            examples: CommandExamples::These(&["crm stats", "crm stats -o json"]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<AskStats> {
        Ok(AskStats::of(asked.zone.clone()))
    }

    fn told(found: Stats) -> Surveyed {
        Surveyed::Stats(Box::new(found))
    }
}

fn describe() -> Described {
    let number = |about: &str| json!({"type": "integer", "format": "int64", "minimum": 0, "description": about});
    let counted = |name: &str, about: &str| {
        json!({
            "type": "array",
            "items": {
                "type": "object",
                "required": [name, "count"],
                "properties": {name: {"type": "string"}, "count": number("How many.")},
            },
            "description": format!("{about} At most {MOST}; the others are in the sum alone."),
        })
    };
    let week = super::create_token::with_all(&json!({
        "week": {"type": "string", "format": "date", "description": "The Monday of the week."},
        "new_leads": number("Leads that were created in it."),
        "actions": number("Actions that were done in it, by their timestamps."),
        "actions_by_type": counted("type", "The same by their types, the most frequent of all weeks first."),
    }));
    let due: serde_json::Map<String, serde_json::Value> = Due::WORDS
        .iter()
        .map(|word| (word.to_string(), number("How many.")))
        .collect();
    let mut followups = super::create_token::with_all(&serde_json::Value::Object(due));
    followups["description"] = "Follow-ups of open processes, by how urgent they are.".into();
    let properties = json!({
        "at": {"type": "string", "pattern": TIME_STORED, "description": "When that was."},
        "tz": {"type": "string", "description": "The zone of the days and weeks."},
        "leads": number("How many leads there are."),
        "leads_by_status": counted("status", "The same by their status, the most frequent first."),
        "leads_never_contacted": number("Leads without an action."),
        "leads_not_contacted_for_30_days": number("Leads whose last action is longer ago than 30 days."),
        "weeks": {"type": "array", "items": week, "description": format!("The last {WEEKS} weeks, the oldest first; the last one is the current one.")},
        "followups": followups,
    });
    let schema = super::create_token::with_all(&properties);
    let example = json!({
        "at": "2026-02-07 09:30:00", "tz": "Europe/Berlin", "leads": 120,
        "leads_by_status": [{"status": "new", "count": 80}, {"status": "won", "count": 40}],
        "leads_never_contacted": 30, "leads_not_contacted_for_30_days": 12,
        "weeks": [{"week": "2026-02-02", "new_leads": 7, "actions": 21, "actions_by_type": [{"type": "call", "count": 21}]}],
        "followups": {"overdue": 3, "today": 2, "soon": 9, "scheduled": 20, "unscheduled": 4},
    });
    Described::new("Numbers of leads, of actions and of follow-ups, all of one moment. A week begins on Monday.")
        .answers(
            200,
            answer("Where we stand.", media(schema, json!({"stats": {"value": example}}))),
        )
        .answers(400, failure("A parameter was refused.", &[]))
}

impl Inquiry for AskStats {
    type Found = Stats;

    async fn run<R: Reading>(&self, reading: &mut R) -> Result<Stats> {
        let at = time::now();
        let (mondays, edges) = self.weeks(&at);
        let (statuses, leads) = statuses(reading).await?;
        let ago = time::day_start(&at, &Zone::UTC, -RECENT);
        // To the second: a day begins earlier.
        let ago = format!("{}{}", &ago[..10], &at[10..]);
        let never = "SELECT count(*) FROM leads WHERE last_action_at IS NULL";
        let old = "SELECT count(*) FROM leads WHERE last_action_at < $1";
        let mut weeks: Vec<Week> = mondays
            .into_iter()
            .map(|monday| Week {
                monday,
                ..Week::default()
            })
            .collect();
        let created = by_week(reading, "leads", "created_at", &edges).await?;
        for (week, count) in weeks.iter_mut().zip(created) {
            week.leads = count;
        }
        actions(reading, &edges, &mut weeks).await?;
        Ok(Stats {
            tz: self.zone.known_name().into_owned(),
            leads,
            statuses,
            never_contacted: reading.number(never, &[]).await?,
            not_recently: reading.number(old, &[ago.as_str().into()]).await?,
            weeks,
            due: due(reading, &Moment::at(&at, &self.zone)).await?,
            at,
        })
    }

    fn path(&self) -> String {
        let zone = self.zone.known_name();
        format!("{}?tz={}", AskStats::ABOUT.path, escape(&zone))
    }

    fn found(&self, answer: &[u8], _next: Option<String>) -> Option<Stats> {
        Stats::from_json(answer)
    }
}

impl AskStats {
    /// The Mondays of the weeks, and when each begins, and when the last one ends.
    fn weeks(&self, at: &str) -> (Vec<String>, Vec<String>) {
        let starts = (1 - WEEKS..=1).filter_map(|weeks| week_start(at, &self.zone, weeks));
        let (mut mondays, edges): (Vec<String>, Vec<String>) = starts.unzip();
        mondays.pop();
        (mondays, edges)
    }
}

/// The number in a column.
fn int(row: &[Value], at: usize) -> i64 {
    row.get(at).and_then(Value::int).unwrap_or_default()
}

/// How many leads have each status, and how many there are.
async fn statuses<R: Reading>(reading: &mut R) -> Result<(Vec<Counted>, i64)> {
    let mut counted = match R::DIALECT {
        Dialect::Postgres => {
            let sql = format!(
                "SELECT status, count(*) FROM leads GROUP BY status ORDER BY count(*) DESC, status LIMIT {MOST}"
            );
            let rows = reading.rows(&sql, &[]).await?;
            let counted = rows
                .iter()
                .filter_map(|row| Some((row.first()?.text()?.to_string(), int(row, 1))));
            counted.collect()
        }
        Dialect::Sqlite => {
            let mut counted: Vec<Counted> = Vec::new();
            for status in words(reading, "leads", "status", "").await? {
                let sql = "SELECT count(*) FROM leads WHERE status = $1";
                let count = reading.number(sql, &[status.as_str().into()]).await?;
                counted.push((status, count));
            }
            counted
        }
    };
    by_frequency(&mut counted);
    let sum = match counted.len() < MOST {
        true => counted.iter().map(|one| one.1).sum(),
        false => reading.number("SELECT count(*) FROM leads", &[]).await?,
    };
    Ok((counted, sum))
}

fn by_frequency(counted: &mut [Counted]) {
    counted.sort_by(|(one, first), (other, second)| second.cmp(first).then(one.cmp(other)));
}

/// The different words of an indexed column, the first ones in their order.
async fn words<R: Reading>(
    reading: &mut R,
    table: &str,
    column: &str,
    also: &str,
) -> Result<Vec<String>> {
    let sql = format!("SELECT min({column}) FROM {table} WHERE {column} > $1{also}");
    let mut words: Vec<String> = Vec::new();
    // No word is empty, unless another program has stored one.
    let empty = format!("SELECT {column} FROM {table} WHERE {column} = ''{also} LIMIT 1");
    if !reading.rows(&empty, &[]).await?.is_empty() {
        words.push(String::new());
    }
    while words.len() < MOST {
        let last = words.last().map_or("", String::as_str);
        let rows = reading.rows(&sql, &[last.into()]).await?;
        match rows.first().and_then(|row| row.first()?.text()) {
            Some(next) => words.push(next.to_string()),
            None => break,
        }
    }
    Ok(words)
}

/// The counts of a table between these edges of an indexed time.
async fn by_week<R: Reading>(
    reading: &mut R,
    table: &str,
    column: &str,
    edges: &[String],
) -> Result<Vec<i64>> {
    let counts = (1..edges.len()).map(|at| {
        let next = at + 1;
        format!("(SELECT count(*) FROM {table} WHERE {column} >= ${at} AND {column} < ${next})")
    });
    let sql = format!("SELECT {}", counts.collect::<Vec<_>>().join(", "));
    let params: Vec<Value> = edges.iter().map(|edge| edge.as_str().into()).collect();
    let rows = reading.rows(&sql, &params).await?;
    let row = rows.first().map_or(&[][..], Vec::as_slice);
    Ok((0..edges.len().saturating_sub(1))
        .map(|at| int(row, at))
        .collect())
}

/// Counts the actions of each week by their types, the most frequent first.
async fn actions<R: Reading>(reading: &mut R, edges: &[String], weeks: &mut [Week]) -> Result<()> {
    let mut types: Vec<(String, Vec<i64>)> = Vec::new();
    let params: Vec<Value> = edges.iter().map(|edge| edge.as_str().into()).collect();
    match R::DIALECT {
        Dialect::Postgres => {
            let counts = (1..edges.len()).map(|at| {
                let next = at + 1;
                format!("count(CASE WHEN timestamp >= ${at} AND timestamp < ${next} THEN 1 END)")
            });
            let counts: Vec<String> = counts.collect();
            let sql = format!(
                "SELECT action_type, {} FROM actions WHERE timestamp >= $1 AND timestamp < ${} GROUP BY action_type \
                 ORDER BY count(*) DESC, action_type LIMIT {MOST}",
                counts.join(", "),
                edges.len()
            );
            for row in reading.rows(&sql, &params).await? {
                let word = row.first().and_then(Value::text).unwrap_or_default();
                let counts = (1..edges.len()).map(|at| int(&row, at)).collect();
                types.push((word.into(), counts));
            }
        }
        Dialect::Sqlite => {
            let counts = (2..=edges.len()).map(|at| {
                let next = at + 1;
                format!(
                    "(SELECT count(*) FROM actions WHERE action_type = $1 AND timestamp >= ${at} AND timestamp < ${next} AND {COUNTED})"
                )
            });
            let counts: Vec<String> = counts.collect();
            let sql = format!("SELECT {}", counts.join(", "));
            let also = format!(" AND {COUNTED}");
            for word in words(reading, "actions", "action_type", &also).await? {
                let mut params = params.clone();
                params.insert(0, word.as_str().into());
                let rows = reading.rows(&sql, &params).await?;
                let row = rows.first().map_or(&[][..], Vec::as_slice);
                let counts: Vec<i64> = (0..counts.len()).map(|at| int(row, at)).collect();
                if counts.iter().any(|count| *count > 0) {
                    types.push((word, counts));
                }
            }
        }
    }
    let sum = |one: &(String, Vec<i64>)| one.1.iter().sum::<i64>();
    types.sort_by(|one, other| sum(other).cmp(&sum(one)).then(one.0.cmp(&other.0)));
    let sums = match types.len() < MOST {
        true => (0..weeks.len())
            .map(|at| types.iter().map(|one| one.1[at]).sum())
            .collect(),
        false => by_week(reading, "actions", "timestamp", edges).await?,
    };
    for (at, week) in weeks.iter_mut().enumerate() {
        week.actions = sums[at];
        let counted = types
            .iter()
            .map(|(word, counts)| (word.clone(), counts[at]));
        week.types = counted.filter(|one| one.1 > 0).collect();
    }
    Ok(())
}

/// How many follow-ups are how urgent.
async fn due<R: Reading>(reading: &mut R, moment: &Moment) -> Result<[i64; 5]> {
    if R::DIALECT == Dialect::Sqlite {
        let words = words(reading, "processes", "status", &format!(" AND {COUNTED}")).await?;
        if words.len() < MOST {
            let mut found = [0; 5];
            for status in words.iter().filter(|status| rules::get().is_open(status)) {
                let some = due_of_status(reading, moment, status).await?;
                for (sum, count) in found.iter_mut().zip(some) {
                    *sum += count;
                }
            }
            return Ok(found);
        }
    }
    let mut params: Vec<Value> = Vec::new();
    let counts = Due::ALL.map(|due| {
        let conditions = conditions(moment, due, &mut params);
        format!("count(CASE WHEN {} THEN 1 END)", conditions.join(" OR "))
    });
    let sql = format!(
        "SELECT {} FROM processes WHERE {}",
        counts.join(", "),
        is_open("status")
    );
    numbers(reading, &sql, &params).await
}

/// The same for processes of one status, each counted in an index.
async fn due_of_status<R: Reading>(
    reading: &mut R,
    moment: &Moment,
    status: &str,
) -> Result<[i64; 5]> {
    let mut params: Vec<Value> = vec![status.into()];
    let counts = Due::ALL.map(|due| {
        let conditions = conditions(moment, due, &mut params).into_iter();
        let counts = conditions.map(|condition| {
            format!(
                "(SELECT count(*) FROM processes WHERE status = $1 AND {condition} AND {COUNTED})"
            )
        });
        counts.collect::<Vec<String>>().join(" + ")
    });
    numbers(reading, &format!("SELECT {}", counts.join(", ")), &params).await
}

/// The conditions on the time of a follow-up that is so urgent. At most one of them is met.
fn conditions(moment: &Moment, due: Due, params: &mut Vec<Value>) -> Vec<String> {
    let time = "next_followup_datetime";
    if due == Due::Unscheduled {
        return vec![format!("{time} IS NULL"), format!("{time} = ''")];
    }
    let spans = moment.spans(&[due]);
    let mut conditions: Vec<String> = spans
        .iter()
        .map(|span| {
            params.extend([span.start.as_str().into(), span.end.as_str().into()]);
            let (from, to) = (params.len() - 1, params.len());
            format!("{time} >= ${from} AND {time} < ${to}")
        })
        .collect();
    if conditions.is_empty() {
        // At some moments there is no time of a kind.
        conditions.push("1 = 0".into());
    }
    conditions
}

/// The numbers in the only row of a select.
async fn numbers<R: Reading>(reading: &mut R, sql: &str, params: &[Value]) -> Result<[i64; 5]> {
    let rows = reading.rows(sql, params).await?;
    let row = rows.first().map_or(&[][..], Vec::as_slice);
    let mut found = [0; 5];
    for (at, count) in found.iter_mut().enumerate() {
        *count = int(row, at);
    }
    Ok(found)
}
