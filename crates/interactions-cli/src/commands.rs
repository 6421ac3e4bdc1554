//! The subcommands, one file each; those that only talk to a server share one.

pub(crate) mod a2a;
pub(crate) mod agent;
pub(crate) mod backup;
pub(crate) mod keys;
pub(crate) mod remote;
pub(crate) mod serve;
