//! Opening the session: explicit endpoints, nothing found by chance, and errors that say what to do.

use std::time::Duration;

use serde_json::json;
use tokio::runtime::{Handle, RuntimeFlavor};
use zenoh::{Config, Session, Wait};

use super::{
    House, Keys, Service, Shape, WireError, WireSettings, access::access_control, gate::Gate,
    server,
};
use crate::security::Tls;

/// How long a peer may be silent before its connection counts as lost. The default of 10 s keeps a frozen client's
/// buffers, and its presence, for far too long.
const LEASE_MS: u64 = 2_000;

/// The largest message that is put together from fragments; larger ones are dropped while they arrive. Far above what
/// anyone sends, far below what a small computer has.
const MESSAGE_BYTES_ASSEMBLED_MAX: u64 = 16 << 20;

/// An open session that serves nobody yet.
///
/// Opened before the robot is touched: a daemon whose port is taken must not have moved anything.
#[derive(Debug)]
pub struct Wire {
    pub(super) session: Session,
    pub(super) keys: Keys,
    pub(super) gate: Gate,
}

impl Wire {
    /// Opens the session. Wants a multi-threaded tokio runtime, or none at all.
    ///
    /// # Errors
    /// A bad name, an endpoint that is in use or makes no sense. Nobody at a `connect` endpoint is no error: it is
    /// tried again for ever.
    pub fn open(settings: &WireSettings) -> Result<Self, WireError> {
        // Zenoh panics on the other kind.
        if Handle::try_current().is_ok_and(|h| h.runtime_flavor() == RuntimeFlavor::CurrentThread) {
            return Err(WireError::NoRuntime);
        }
        let keys = Keys::new(&settings.robot)?;
        let mut config = base(settings.scouting)?;
        set(&mut config, "mode", json!("peer"))?;
        set(&mut config, "listen/endpoints", json!(settings.listen))?;
        set(&mut config, "connect/endpoints", json!(settings.connect))?;
        // A router that is switched on later must not keep the robot from starting: tried in the background, for ever.
        set(&mut config, "connect/timeout_ms", json!(-1))?;
        set(&mut config, "connect/exit_on_failure", json!(false))?;
        if let Some(tls) = &settings.tls {
            secure(&mut config, tls)?;
            let listens =
                [("listen_certificate", &tls.certificate), ("listen_private_key", &tls.key)];
            for (key, file) in listens {
                set(&mut config, &format!("transport/link/tls/{key}"), json!(file))?;
            }
            let control = access_control(&settings.robot, &settings.roster, None);
            set(&mut config, "access_control", control)?;
        }
        let gate = Gate::new(&settings.robot, settings.gatekeeping.clone());
        let session = zenoh::open(config).wait().map_err(|error| trouble(settings, &error))?;
        Ok(Self { session, keys, gate })
    }

    /// Opens every door of the table and lets `house` answer. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// A key that cannot be declared.
    pub fn serve(self, house: impl House, shape: Shape) -> Result<Service, WireError> {
        server::serve(self, house, shape)
    }
}

/// A session that fails at once when nobody listens at `endpoints`.
pub(super) fn dial(
    endpoints: &[String],
    timeout: Duration,
    tls: Option<&Tls>,
) -> Result<Session, WireError> {
    let mut config = base(false)?;
    if let Some(tls) = tls {
        secure(&mut config, tls)?;
    }
    set(&mut config, "mode", json!("client"))?;
    set(&mut config, "connect/endpoints", json!(endpoints))?;
    set(&mut config, "connect/timeout_ms", json!(0))?;
    set(&mut config, "connect/exit_on_failure", json!(true))?;
    let open_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    set(&mut config, "transport/unicast/open_timeout", json!(open_ms))?;
    set(&mut config, "queries_default_timeout", json!(open_ms))?;
    zenoh::open(config).wait().map_err(|error| WireError::Connect {
        endpoints: endpoints.join(", "),
        reason: words(&error),
    })
}

/// A session that others find at `endpoints`, and that is no robot's.
pub(super) fn listen(endpoints: &[String]) -> Result<Session, WireError> {
    let mut config = base(false)?;
    set(&mut config, "mode", json!("peer"))?;
    set(&mut config, "listen/endpoints", json!(endpoints))?;
    zenoh::open(config).wait().map_err(|error| WireError::Listen {
        endpoints: endpoints.join(", "),
        reason: words(&error),
    })
}

fn base(scouting: bool) -> Result<Config, WireError> {
    let mut config = Config::default();
    set(&mut config, "scouting/multicast/enabled", json!(scouting))?;
    set(&mut config, "scouting/gossip/enabled", json!(scouting))?;
    set(&mut config, "transport/link/tx/lease", json!(LEASE_MS))?;
    set(&mut config, "transport/link/rx/max_message_size", json!(MESSAGE_BYTES_ASSEMBLED_MAX))?;
    Ok(config)
}

/// Both ends show a certificate of the authority that is believed, whoever connects to whom.
fn secure(config: &mut Config, tls: &Tls) -> Result<(), WireError> {
    for (key, value) in [
        ("root_ca_certificate", json!(tls.ca)),
        ("connect_certificate", json!(tls.certificate)),
        ("connect_private_key", json!(tls.key)),
        ("enable_mtls", json!(true)),
        ("verify_name_on_connect", json!(true)),
        ("close_link_on_expiration", json!(true)),
    ] {
        set(config, &format!("transport/link/tls/{key}"), value)?;
    }
    Ok(())
}

fn set(config: &mut Config, key: &str, value: serde_json::Value) -> Result<(), WireError> {
    config
        .insert_json5(key, &value.to_string())
        .map_err(|error| WireError::zenoh(format!("zenoh setting {key} = {value}"), error))
}

/// Zenoh tells everything in one line; the endpoint and the remedy are what its reader wants.
fn trouble(settings: &WireSettings, error: &zenoh::Error) -> WireError {
    let reason = words(error);
    let named = |list: &[String]| list.iter().find(|endpoint| reason.contains(*endpoint)).cloned();
    if reason.contains("Address already in use") || reason.contains("os error 98") {
        let endpoint = named(&settings.listen).unwrap_or_else(|| settings.listen.join(", "));
        return WireError::PortInUse { endpoint };
    }
    match named(&settings.connect) {
        Some(endpoints) => WireError::Connect { endpoints, reason },
        None => WireError::Listen {
            endpoints: named(&settings.listen).unwrap_or_else(|| settings.listen.join(", ")),
            reason,
        },
    }
}

/// Zenoh's words without the place in its source that it appends to them.
pub(super) fn words(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let words = text.split(" at /").next().unwrap_or(&text);
    words.trim_end_matches(['.', '!', ' ']).to_owned()
}
