//! Transports around transports.

#[cfg(feature = "record")]
mod recorder;
#[cfg(feature = "record")]
mod recording;
#[cfg(feature = "record")]
mod replayer;
#[cfg(feature = "retry")]
mod retried;
#[cfg(feature = "tracing")]
mod traced;

#[cfg(feature = "record")]
pub use recorder::Recorder;
#[cfg(feature = "record")]
pub use recording::{Recording, RecordingError};
#[cfg(feature = "record")]
pub use replayer::Replayer;
#[cfg(feature = "retry")]
pub use retried::Retried;
#[cfg(feature = "tracing")]
pub use traced::Traced;
