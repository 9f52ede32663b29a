//! `reflexctl certs`: a test PKI, and what to do with it.

use std::{io::Write, path::PathBuf};

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::json;

use super::{Exit, Trouble};
use crate::security::{Made, Role, TestPki, wall_clock_ms};

pub(super) const EXAMPLES: &str = "\
Makes in DIR: an authority, the robot's certificate, a certificate for each operator, router, viewer and hop, and Ed25519
keys for those who sign (operators, routers, trainers). Names get their role in front: --operator ada is operator-ada. In a
folder that has an authority already, more people are added by it; nothing is overwritten without --force.

A TEST PKI: the authority's key lies beside the rest, unencrypted. For a robot that can hurt somebody keep that key on a
computer that is on no network, or take the certificates of an authority that you have.

Examples:
  reflexctl certs --out config/pki --operator ada --router vlm --viewer wall
  reflexctl certs --out config/pki --operator bob
  reflexctl certs --out pki --robot piper --host robot.local --host 10.0.0.7 --operator ada --trainer tina --days 90 --json";

/// A table wider than this is not read.
const WIDTH: u16 = 110;

/// Arguments of `reflexctl certs`. The robot's name is the global `--robot`; `--operator` takes the place of the global one.
#[derive(Args, Debug)]
pub(super) struct CertsArguments {
    /// Where they are put.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Somebody who commands; may be given again.
    #[arg(long, value_name = "NAME")]
    operator: Vec<String>,
    /// Something that decides; may be given again.
    #[arg(long = "router", value_name = "NAME")]
    routers: Vec<String>,
    /// Somebody who looks, and may stop the robot; may be given again.
    #[arg(long = "viewer", value_name = "NAME")]
    viewers: Vec<String>,
    /// A zenoh router in between; may be given again.
    #[arg(long = "hop", value_name = "NAME")]
    hops: Vec<String>,
    /// Somebody who signs heads; may be given again.
    #[arg(long = "trainer", value_name = "NAME")]
    trainers: Vec<String>,
    /// A name or address at which the robot, or a hop, is reached, beside this computer's own; may be given again.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// How long the certificates are good.
    #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=825))]
    days: u32,
    /// Make everything anew, the authority too: what the old one has signed is believed no more.
    #[arg(long)]
    force: bool,
}

impl CertsArguments {
    fn members(&self) -> Vec<(String, Role)> {
        let lists = [
            (Role::Operator, &self.operator),
            (Role::Router, &self.routers),
            (Role::Viewer, &self.viewers),
            (Role::Hop, &self.hops),
            (Role::Trainer, &self.trainers),
        ];
        let each = |(role, names): (Role, &Vec<String>)| {
            names.iter().map(move |name| (format!("{role}-{name}"), role)).collect::<Vec<_>>()
        };
        lists.into_iter().flat_map(each).collect()
    }
}

pub(super) fn run(
    arguments: &CertsArguments,
    robot: &str,
    json: bool,
    out: &mut dyn Write,
) -> Result<Exit, Trouble> {
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let hosts = arguments.hosts.iter().cloned().chain(own).collect();
    let pki = TestPki {
        folder: arguments.out.clone(),
        robot: robot.to_owned(),
        hosts,
        members: arguments.members(),
        days: arguments.days,
        force: arguments.force,
        now_ms: wall_clock_ms(),
    };
    let made = pki.make().map_err(|error| Trouble::Usage(error.to_string()))?;
    if json {
        let told = json!({ "test": true, "folder": arguments.out, "robot": robot, "days": arguments.days, "made": made });
        writeln!(out, "{told}")?;
        return Ok(Exit::Accepted);
    }
    writeln!(out, "{}", table(&made))?;
    write!(out, "{}", next(&pki))?;
    Ok(Exit::Accepted)
}

fn table(made: &[Made]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["file", "what", "who may read it"]);
    for Made { file, what, private } in made {
        let readers = if *private { "its owner alone (0600)" } else { "anybody" };
        table.add_row([file.display().to_string().as_str(), what, readers]);
    }
    table
}

/// What to do with it.
fn next(pki: &TestPki) -> String {
    let folder = pki.folder.display();
    let names = |role: Role| {
        let of = pki.members.iter().filter(|(_, its)| *its == role);
        of.map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ")
    };
    let mut lists = String::new();
    for role in Role::ALL {
        let named = names(role);
        if !named.is_empty() {
            lists.push_str(&format!("     {role}s = [{named}]\n"));
        }
    }
    let robot = &pki.robot;
    let first = pki.members.iter().find(|(_, role)| role.connects() && *role != Role::Hop);
    let try_it = first.map_or_else(String::new, |(name, _)| {
        format!("  3. Try it: reflexctl --credentials {folder}/{name}.toml status\n")
    });
    format!(
        "THIS IS A TEST PKI, good for {} days. {folder}/ca.key can make anybody's certificate: take it off this computer, or\n\
         use an authority of your own, before a robot that can hurt somebody is reached by it.\n\n\
         Next:\n  1. In the daemon's file (config/secure.toml is one), with paths relative to it:\n\
         \x20    [zenoh]\n\
         \x20    listen = [\"tls/0.0.0.0:7447\"]\n\
         \x20    [zenoh.tls]\n\
         \x20    ca = \"{folder}/ca.pem\"\n\
         \x20    certificate = \"{folder}/robot-{robot}.pem\"\n\
         \x20    key = \"{folder}/robot-{robot}.key\"\n\
         \x20    [security]\n{lists}\
         \x20    signatures = \"required\"\n\
         \x20    keys = \"{folder}/keys\"\n\
         \x20 2. Give each of them their own files and ca.pem, and nobody ca.key; on the robot only its own, ca.pem and keys/.\n\
         {try_it}  What it is good for and what not: docs/security.md\n",
        pki.days
    )
}
