use std::{error::Error, fmt, str::FromStr};

/// Where a bus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `can0`: an interface of this computer.
    Interface(String),
    /// `socketcand://host:29536/can0`: an interface of another one, over TCP. IPv6 in brackets.
    Socketcand {
        /// Name or address.
        host: String,
        /// Its port, 29536 unless said otherwise.
        port: u16,
        /// Which interface there.
        channel: String,
    },
}

/// The longest name of a network interface.
const NAME_MAX: usize = 15;

/// The port that socketcand listens on, unless told otherwise.
const PORT: u16 = 29536;

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(reason) = self;
        write!(out, "{reason}; a bus is like \"can0\" or \"socketcand://host:{PORT}/can0\"")
    }
}

impl Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason: String| Err(AddressError(reason));
        let Some(rest) = text.strip_prefix("socketcand://") else {
            if text.contains("://") {
                return wrong(format!("\"{text}\" has a scheme that is not known"));
            }
            return name(text).map(Self::Interface);
        };
        let Some((host, channel)) = rest.rsplit_once('/') else {
            return wrong(format!("\"{text}\" does not say which channel"));
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((name, digits)) if !digits.ends_with(']') => match digits.parse() {
                Ok(port) if port != 0 => (name, port),
                _ => return wrong(format!("\"{digits}\" is no port")),
            },
            _ => (host, PORT),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/[]@?#".contains(c);
        if bare.is_empty() || bare.contains(odd) || bare == host && host.contains(':') {
            return wrong(format!("\"{host}\" is no host"));
        }
        Ok(Self::Socketcand { host: bare.to_owned(), port, channel: name(channel)? })
    }
}

/// The name of a network interface, as Linux takes it.
fn name(text: &str) -> Result<String, AddressError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > NAME_MAX || !text.chars().all(fits) || text.starts_with('.')
    {
        return Err(AddressError(format!("\"{text}\" is no name of a CAN interface")));
    }
    Ok(text.to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => out.write_str(name),
            Self::Socketcand { host, port, channel } if host.contains(':') => {
                write!(out, "socketcand://[{host}]:{port}/{channel}")
            }
            Self::Socketcand { host, port, channel } => {
                write!(out, "socketcand://{host}:{port}/{channel}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Address {
        let address: Address = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(address.to_string().parse(), Ok(address.clone()), "{text}");
        address
    }

    #[test]
    fn buses_are_interfaces_or_servers() {
        assert_eq!(reads("can0"), Address::Interface("can0".into()));
        assert_eq!(reads("vcan.1-b"), Address::Interface("vcan.1-b".into()));
        let server = |host: &str, port, channel: &str| Address::Socketcand {
            host: host.into(),
            port,
            channel: channel.into(),
        };
        assert_eq!(reads("socketcand://robot/can1"), server("robot", 29536, "can1"));
        assert_eq!(reads("socketcand://10.0.0.7:5/can0"), server("10.0.0.7", 5, "can0"));
        assert_eq!(reads("socketcand://[::1]:5/can0"), server("::1", 5, "can0"));
        assert_eq!(reads("socketcand://[fe80::1]/can0"), server("fe80::1", 29536, "can0"));
    }

    #[test]
    fn what_is_none_is_told() {
        for odd in [
            "",
            " can0",
            "can 0",
            "can0 >< send",
            "a-name-that-is-too-long",
            "..",
            "http://robot/can0",
            "socketcand://robot",
            "socketcand:///can0",
            "socketcand://robot/",
            "socketcand://robot:0/can0",
            "socketcand://robot:99999/can0",
            "socketcand://robot:/can0",
            "socketcand://::1/can0",
            "socketcand://[::1/can0",
            "socketcand://a/b/can0",
            "socketcand://robot/can0 >",
        ] {
            let why = odd.parse::<Address>().expect_err(odd).to_string();
            assert!(why.contains("a bus is like"), "{why}");
        }
    }
}
