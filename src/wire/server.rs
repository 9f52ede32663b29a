//! Every door of the table, opened: commands, decisions, the e-stop, and answers about the present.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::runtime::{Handle, RuntimeFlavor};
use zenoh::{
    Session, Wait,
    query::Query,
    sample::{Locality, Sample, SampleKind},
    session::ZenohId,
};

use super::{
    CommandAnswer, DecisionAnswer, HeardAnswer, House, Key, Keys, Kind, MESSAGE_BYTES_MAX, Service,
    Shape, TABLE, Wire, WireError,
    gate::{Gate, Letter},
    heard,
    keys::{ANSWER_SCHEMA, HEARD_SCHEMA, VERDICT_SCHEMA},
    lane::Lane,
    lease,
    message::{Message, zid},
    messages,
    publish::{Door, Newest, json_of, locked},
    sender::NOBODY,
    state,
};
use crate::{decision::Verdict, operator::Heard};

/// Commands that may wait or be in work at once. More than any team of operators sends; few enough to answer in time.
const COMMANDS_AT_ONCE: usize = 32;

/// Decisions have their own room: a router that floods must not keep an operator out.
const DECISIONS_AT_ONCE: usize = 8;

/// Instructions likewise.
const INSTRUCTIONS_AT_ONCE: usize = 8;

/// Questions move nothing, and must not keep anybody out who wants to move or stop something.
const QUESTIONS_AT_ONCE: usize = 8;

/// After so long the sender is told that there is no answer: a lane must not silt up.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What every door shares.
#[derive(Clone)]
struct Hall<H> {
    house: H,
    keys: Keys,
    shape: Arc<Shape>,
    newest: Newest,
    gate: Gate,
    /// Messages that nobody is answered for and that made no sense.
    nonsense: Arc<AtomicU64>,
}

pub(super) fn serve<H: House>(wire: Wire, house: H, shape: Shape) -> Result<Service, WireError> {
    let runtime = Handle::try_current().map_err(|_| WireError::NoRuntime)?;
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Err(WireError::NoRuntime);
    }
    let Wire { session, keys, gate } = wire;
    let newest = Newest::default();
    let shape = Arc::new(shape);
    let hall = Hall {
        house,
        keys: keys.clone(),
        shape: shape.clone(),
        newest: newest.clone(),
        gate,
        nonsense: Arc::default(),
    };
    let commands = Lane::open(&runtime, COMMANDS_AT_ONCE, work(&hall, Hall::obey));
    let decisions = Lane::open(&runtime, DECISIONS_AT_ONCE, work(&hall, Hall::weigh));
    let instructions = Lane::open(&runtime, INSTRUCTIONS_AT_ONCE, work(&hall, Hall::hear));
    let questions = Lane::open(&runtime, QUESTIONS_AT_ONCE, work(&hall, Hall::consider));
    let mut doors = Vec::new();
    for key in TABLE.iter().filter(|key| hall.house.serves(key.name)) {
        let full = keys.full(key.name);
        match key.kind {
            Kind::Stop => open_in(&session, &full, key, &mut doors, &hall, None)?,
            Kind::Command => open_in(&session, &full, key, &mut doors, &hall, Some(&commands))?,
            Kind::Decision => open_in(&session, &full, key, &mut doors, &hall, Some(&decisions))?,
            Kind::Instruction => {
                open_in(&session, &full, key, &mut doors, &hall, Some(&instructions))?;
            }
            Kind::Fed | Kind::Shared | Kind::Beat => {
                doors.push(listen(&session, &full, key, &hall)?)
            }
            Kind::Watched => doors.push(watch(&session, &full, &hall)?),
            Kind::Question => {
                let (hall, lane) = (hall.clone(), questions.clone());
                let asked = session
                    .declare_queryable(&full)
                    .callback(move |query| hall.admit_query(key, query, &lane));
                doors.push(Door::Queryable(asked.wait().map_err(declaring(&full))?));
            }
            kind if kind.is_asked() => {
                let hall = hall.clone();
                let asked =
                    session.declare_queryable(&full).callback(move |query| hall.tell(key, &query));
                doors.push(Door::Queryable(asked.wait().map_err(declaring(&full))?));
            }
            Kind::Alive => {
                let token = session.liveliness().declare_token(&full).wait();
                doors.push(Door::Alive(token.map_err(declaring(&full))?));
            }
            _ => {}
        }
    }
    Ok(Service {
        session,
        keys,
        shape,
        newest,
        said: Mutex::default(),
        cameras: Mutex::default(),
        doors,
    })
}

/// Opens a key for those who ask and for those who can only put. Without a lane it is the e-stop's.
fn open_in<H: House>(
    session: &Session,
    full: &str,
    key: &'static Key,
    doors: &mut Vec<Door>,
    hall: &Hall<H>,
    lane: Option<&Lane<Message>>,
) -> Result<(), WireError> {
    let (asked, put) = ((hall.clone(), lane.cloned()), (hall.clone(), lane.cloned()));
    let queryable = session
        .declare_queryable(full)
        .callback(move |query| {
            let (hall, lane) = &asked;
            match lane {
                Some(lane) => hall.admit_query(key, query, lane),
                None => hall.stop_by_query(key, query),
            }
        })
        .wait()
        .map_err(declaring(full))?;
    let subscriber = session
        .declare_subscriber(full)
        .callback(move |sample| {
            let (hall, lane) = &put;
            match lane {
                Some(lane) => hall.admit_put(key, &sample, lane),
                None => hall.stop(&Message::put(key, &sample)),
            }
        })
        .wait()
        .map_err(declaring(full))?;
    doors.extend([Door::Queryable(queryable), Door::Subscriber(subscriber)]);
    Ok(())
}

/// Opens a key for those who put and are not answered. What the daemon puts there itself does not come back.
fn listen<H: House>(
    session: &Session,
    full: &str,
    key: &'static Key,
    hall: &Hall<H>,
) -> Result<Door, WireError> {
    let hall = hall.clone();
    let subscriber = session
        .declare_subscriber(full)
        .allowed_origin(Locality::Remote)
        .callback(move |sample| hall.take(key, &sample))
        .wait()
        .map_err(declaring(full))?;
    Ok(Door::Subscriber(subscriber))
}

/// Watches whether somebody holds a token. Of several, the last one to go counts.
fn watch<H: House>(session: &Session, full: &str, hall: &Hall<H>) -> Result<Door, WireError> {
    let house = hall.house.clone();
    let there = AtomicI64::new(0);
    let subscriber = session
        .liveliness()
        .declare_subscriber(full)
        .history(true)
        .callback(move |sample| {
            let change = if sample.kind() == SampleKind::Put { 1 } else { -1 };
            let now = there.fetch_add(change, Ordering::AcqRel) + change;
            house.router_alive(now > 0);
        })
        .wait()
        .map_err(declaring(full))?;
    Ok(Door::Subscriber(subscriber))
}

fn declaring(full: &str) -> impl FnOnce(zenoh::Error) -> WireError {
    move |error| WireError::zenoh(format!("declare {full}"), error)
}

/// What a lane does with each message: `then`, but not for ever.
fn work<H: House, F: Future<Output = ()> + Send + 'static>(
    hall: &Hall<H>,
    then: impl Fn(Hall<H>, Arc<Message>) -> F + Send + 'static,
) -> impl Fn(Message) -> BoxedWork + Send + 'static {
    let hall = hall.clone();
    move |message| {
        let (hall, message) = (hall.clone(), Arc::new(message));
        let doing = then(hall.clone(), message.clone());
        Box::pin(async move {
            if tokio::time::timeout(ANSWER_WITHIN, doing).await.is_err() {
                let reason = "no answer within 10 s; look at state/mode before you try again";
                hall.refuse(&message, reason);
            }
        })
    }
}

type BoxedWork = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl<H: House> Hall<H> {
    fn admit_query(&self, key: &'static Key, query: Query, lane: &Lane<Message>) {
        let session = query.source_info().map(zid);
        if !self.gate.has_room(key, session) {
            return self.crowded(key, session, Some(&query));
        }
        let why_not = if query.key_expr().as_str() != self.keys.full(key.name) {
            // Someone who looks around with `reflex/**` must not arm a robot.
            Some("a wildcard commands nothing: name the key")
        } else if query.parameters().iter().any(|(name, _)| !name.starts_with('_')) {
            Some("parameters of the selector are not read: put them into the payload")
        } else {
            None
        };
        self.admit(Message::asked(key, query), why_not, lane);
    }

    fn admit_put(&self, key: &'static Key, sample: &Sample, lane: &Lane<Message>) {
        let session = sample.source_info().map(zid);
        if !self.gate.has_room(key, session) {
            return self.crowded(key, session, None);
        }
        let why_not = if sample.key_expr().as_str() != self.keys.full(key.name) {
            Some("a wildcard commands nothing: name the key")
        } else if sample.kind() == SampleKind::Delete {
            // It has no payload, and an empty payload can be a command.
            Some("a delete commands nothing: put")
        } else {
            None
        };
        self.admit(Message::put(key, sample), why_not, lane);
    }

    fn admit(&self, mut message: Message, why_not: Option<&str>, lane: &Lane<Message>) {
        if let Some(reason) = why_not {
            return self.refuse(&message, reason);
        }
        if message.bytes > MESSAGE_BYTES_MAX {
            let bad = messages::BadMessage::Oversized(message.bytes);
            return self.refuse(&message, &bad.to_string());
        }
        let key = message.key;
        let full = self.keys.full(key.name);
        let letter = Letter {
            key,
            full: &full,
            payload: &message.payload,
            attachment: &message.attachment,
            session: message.session,
            named: None,
        };
        match self.gate.prove(letter) {
            Ok(proved) => message.signer = proved.signer,
            Err(reason) => {
                message.is_doubted = true;
                return self.refuse(&message, &reason);
            }
        }
        let offered = if key.calms() { lane.offer_calming(message) } else { lane.offer(message) };
        if let Err(message) = offered {
            self.refuse(&message, "busy: too many messages are waiting; try again");
        }
    }

    /// More than a key takes: it is not even read.
    fn crowded(&self, key: &'static Key, session: Option<ZenohId>, query: Option<&Query>) {
        let who = || session.map_or_else(|| NOBODY.to_owned(), |session| session.to_string());
        if self.house.crowded_out(key.name, who)
            && let Some(query) = query
        {
            // Who is not told each time is told by the silence: a query that is dropped ends without an answer.
            let reason =
                serde_json::json!({ "reason": "too many messages on this key: send less" });
            let _ = query.reply_err(reason.to_string()).encoding(json_of(ANSWER_SCHEMA)).wait();
        }
    }

    /// Carries out a command.
    async fn obey(self, message: Arc<Message>) {
        let verb = message.key.name.strip_prefix("cmd/").unwrap_or(message.key.name);
        match messages::command(verb, &message.payload) {
            Ok(command) => {
                let answer = self.house.command(command, &message.who()).await;
                self.reply(&message, ANSWER_SCHEMA, state::encode(&CommandAnswer::from(answer)));
            }
            Err(bad) => self.refuse(&message, &bad.to_string()),
        }
    }

    /// Takes or refuses a decision.
    async fn weigh(self, message: Arc<Message>) {
        match messages::decision_message(&message.payload) {
            Ok(decision) => {
                let id = decision.decision_id.clone();
                let verdict = self.house.decide(decision, &message.who()).await;
                let answer = DecisionAnswer::new(Some(id), verdict, self.seq());
                self.reply(&message, VERDICT_SCHEMA, state::encode(&answer));
            }
            Err(bad) => self.refuse(&message, &bad.to_string()),
        }
    }

    /// Hears an instruction.
    async fn hear(self, message: Arc<Message>) {
        match heard::instruction(&message.payload) {
            Ok(said) => {
                let heard = self.house.hear(said, &message.who()).await;
                let answer = HeardAnswer::new(heard, self.seq());
                self.reply(&message, HEARD_SCHEMA, state::encode(&answer));
            }
            Err(bad) => self.refuse(&message, &bad.to_string()),
        }
    }

    /// Takes what nobody is answered for. On the network's own thread: measured, read, and put where it is looked for.
    fn take(&self, key: &'static Key, sample: &Sample) {
        let asked = sample.key_expr().as_str();
        let operator = self.keys.name(asked).and_then(|name| name.strip_prefix("heartbeat/"));
        let is_it = match key.kind {
            Kind::Beat => operator.is_some(),
            _ => asked == self.keys.full(key.name),
        };
        if sample.kind() == SampleKind::Delete || !is_it {
            return;
        }
        let session = sample.source_info().map(zid);
        if !self.gate.has_room(key, session) {
            return self.crowded(key, session, None);
        }
        let message = Message::put(key, sample);
        if let Err(bad) = self.read(&message, asked, operator) {
            let count = self.nonsense.fetch_add(1, Ordering::Relaxed) + 1;
            // Whoever floods does not fill the log: told at 1, 2, 4, 8, ...
            if count.is_power_of_two() {
                let reason = format!("{bad} ({count} such messages so far)");
                let session = message.named_session();
                let who = session.as_deref().or(operator).unwrap_or(NOBODY);
                self.house.refused_message(who, asked, &reason);
            }
        }
    }

    fn read(&self, message: &Message, full: &str, operator: Option<&str>) -> Result<(), String> {
        let Message { key, payload, attachment, bytes, session, .. } = message;
        let words = |bad: messages::BadMessage| bad.to_string();
        if *bytes > MESSAGE_BYTES_MAX {
            return Err(words(messages::BadMessage::Oversized(*bytes)));
        }
        let (key, session) = (*key, *session);
        let letter = Letter { key, full, payload, attachment, session, named: operator };
        let proved = self.gate.prove(letter)?;
        if let Some(operator) = operator {
            let beat = lease::beat(payload).map_err(words)?;
            if !self.house.heartbeat(operator, beat) {
                return Err(format!(
                    "no heartbeat of the lease's holder, or not a newer one: {beat:?}"
                ));
            }
        } else if key.kind == Kind::Fed {
            let said = proved.said.as_deref().map_or(attachment.as_slice(), str::as_bytes);
            self.house.embedded(heard::embedded(payload, said).map_err(words)?);
        } else {
            let who = proved.signer.unwrap_or_else(|| message.who());
            self.house.told_of(heard::objects(payload).map_err(words)?, &who);
        }
        Ok(())
    }

    /// Answers a question.
    async fn consider(self, message: Arc<Message>) {
        match messages::question(&message.payload) {
            Ok(question) => match self.house.consider(question).await {
                Ok(answer) => self.reply(&message, message.key.schema, state::encode(&answer)),
                Err(reason) => self.refuse(&message, &reason),
            },
            Err(bad) => self.refuse(&message, &bad.to_string()),
        }
    }

    fn stop_by_query(&self, key: &'static Key, query: Query) {
        let asked = query.key_expr().as_str().to_owned();
        let message = Message::asked(key, query);
        // `reflex/*/cmd/estop` means it; `reflex/**` looks around.
        if asked.ends_with("/cmd/estop") {
            self.stop(&message);
        } else {
            self.refuse(&message, "a wildcard stops nothing: name the key, or reflex/*/cmd/estop");
        }
    }

    /// Latches first; what was wrong with the message is told afterwards.
    fn stop(&self, message: &Message) {
        let (who, bytes) = (message.who(), message.bytes);
        let mut answer = CommandAnswer::from(self.house.estop(&who));
        let complaint = match messages::plain(&message.payload) {
            _ if bytes > MESSAGE_BYTES_MAX => {
                Some(messages::BadMessage::Oversized(bytes).to_string())
            }
            Ok(_) => None,
            Err(bad) => Some(bad.to_string()),
        };
        if let Some(complaint) = complaint {
            self.house.refused_message(&who, &self.keys.full(message.key.name), &complaint);
            let told = answer.reason.map(|reason| format!("{reason}; ")).unwrap_or_default();
            answer.reason = Some(format!(
                "{told}the stop holds, but its message was not understood: {complaint}"
            ));
        }
        self.reply(message, ANSWER_SCHEMA, state::encode(&answer));
    }

    /// Answers a question about the present.
    fn tell(&self, key: &'static Key, query: &Query) {
        let session = query.source_info().map(zid);
        if !self.gate.has_room(key, session) {
            return self.crowded(key, session, Some(query));
        }
        let full = self.keys.full(key.name);
        let known = match key.name.strip_prefix("info/") {
            Some(what) => self.house.info(what).map(|info| state::encode(&info)),
            None => self.of_now(key.name).or_else(|| locked(&self.newest).get(key.name).cloned()),
        };
        // The asker may be gone by now: nobody is there to be told of an error.
        let _ = match known {
            Some(message) => query.reply(&full, message).encoding(json_of(key.schema)).wait(),
            None => {
                let reason = serde_json::json!({ "reason": "not known yet, or not by this robot" });
                query.reply_err(reason.to_string()).encoding(json_of(ANSWER_SCHEMA)).wait()
            }
        };
    }

    fn of_now(&self, name: &str) -> Option<String> {
        let present = self.house.present()?;
        Some(state::stamp(&state::tell(name, &present, &self.shape)?, &present))
    }

    fn seq(&self) -> Option<u64> {
        self.house.present().map(|present| present.tick.tick.0)
    }

    /// A message that leads to nothing: told to the house, and to the sender.
    fn refuse(&self, message: &Message, reason: &str) {
        self.house.refused_message(&message.who(), &self.keys.full(message.key.name), reason);
        let reason = reason.to_owned();
        if message.key.kind == Kind::Instruction {
            let answer = HeardAnswer::new(Heard::refused(reason, None), self.seq());
            self.reply(message, HEARD_SCHEMA, state::encode(&answer));
        } else if message.key.kind == Kind::Decision {
            let answer = DecisionAnswer::new(None, Verdict::Refused { reason }, self.seq());
            self.reply(message, VERDICT_SCHEMA, state::encode(&answer));
        } else {
            self.reply(
                message,
                ANSWER_SCHEMA,
                state::encode(&CommandAnswer::refused(reason, self.seq())),
            );
        }
    }

    fn reply(&self, message: &Message, schema: &str, answer: String) {
        if let Some(query) = &message.query {
            // The asker may be gone by now: nobody is there to be told of an error.
            let _ = query
                .reply(self.keys.full(message.key.name), answer)
                .encoding(json_of(schema))
                .wait();
        }
    }
}
