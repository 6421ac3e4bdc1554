//! Standard output that may be closed or full.

use std::fmt;
use std::io::{self, Write};

/// Prints what was asked for, as `print!` does.
macro_rules! out {
    ($($text:tt)*) => { $crate::output::write(format_args!($($text)*)) };
}

/// Prints a line of what was asked for, as `println!` does.
macro_rules! outln {
    () => { $crate::output::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {out, outln};

/// Writes at once, so that people see words come.
///
/// Where nobody reads any more, as in `… | head`, there is nothing left to do, and no more to say.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    let mut out = anstream::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            anstream::eprintln!("error: standard output cannot be written: {error}");
        }
        std::process::exit(1);
    }
}
