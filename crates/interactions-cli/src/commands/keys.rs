//! `interactions keys`: who may call a server.

use clap::{Args, Subcommand};
use interactions_server::store::{self, KeyRecord};
use jiff::Timestamp;
use serde_json::json;

use crate::failure::Failure;
use crate::output::outln;
use crate::place::Place;

/// Make, list and revoke the keys that callers prove themselves with.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key. It is shown once; the database keeps only what it hashes to.
    Create {
        /// Whose interactions it reaches. Tenants see nothing of each other.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// What you call it.
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        options: Options,
    },
    /// List the keys in the database; those of a configuration file are not among them.
    List {
        #[command(flatten)]
        options: Options,
    },
    /// Revoke a key. Running servers refuse it within two seconds.
    Revoke {
        /// The key's id, as `list` shows it.
        id: String,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    place: Place,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create { tenant, name, options } => create(&tenant, &name, options).await,
            Action::List { options } => list(options).await,
            Action::Revoke { id, options } => revoke(&id, options).await,
        }
    }
}

async fn create(tenant: &str, name: &str, options: Options) -> Result<(), Failure> {
    if tenant.trim().is_empty() {
        return Err(Failure::new("a tenant needs a name"));
    }
    let store = store::open(&options.place.configuration()?).await?;
    let (secret, record) = KeyRecord::generate(tenant, name).map_err(Failure::new)?;
    let added = store.add_key(&record).await;
    store.close().await;
    added.map_err(Failure::new)?;
    if options.json {
        let mut shown = json_of(&record);
        shown["key"] = json!(secret);
        outln!("{shown}");
    } else {
        outln!("{secret}");
        anstream::eprintln!(
            "This is {} of tenant `{}`. It will not be shown again.",
            record.id,
            record.tenant
        );
    }
    Ok(())
}

async fn list(options: Options) -> Result<(), Failure> {
    let store = store::open(&options.place.configuration()?).await?;
    let keys = store.keys().await;
    store.close().await;
    let keys = keys.map_err(Failure::new)?;
    if keys.is_empty() && !options.json {
        outln!("no keys");
    }
    let tenants = keys.iter().map(|key| key.tenant.chars().count()).max().unwrap_or_default();
    for key in &keys {
        if options.json {
            outln!("{}", json_of(key));
        } else {
            let (id, tenant, created) = (&key.id, &key.tenant, created(key));
            outln!("{id}  {tenant:tenants$}  {created}  {}", key.name);
        }
    }
    Ok(())
}

async fn revoke(id: &str, options: Options) -> Result<(), Failure> {
    let store = store::open(&options.place.configuration()?).await?;
    let revoked = store.revoke_key(id).await;
    store.close().await;
    if !revoked.map_err(Failure::new)? {
        return Err(Failure::new(format!(
            "there is no key {id} in the database; `interactions keys list` shows which there are"
        )));
    }
    if options.json {
        outln!("{}", json!({"revoked": id}));
    } else {
        outln!("revoked {id}");
    }
    Ok(())
}

fn json_of(key: &KeyRecord) -> serde_json::Value {
    json!({"id": key.id, "tenant": key.tenant, "name": key.name, "created": created(key)})
}

fn created(key: &KeyRecord) -> String {
    let moment = Timestamp::from_millisecond(key.created).unwrap_or(Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
