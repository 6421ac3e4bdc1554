//! Media processing: which part of a sound, video or document is looked at, and how.

use crate::untagged::NameOr;
use crate::wire::{object, open_enum};

/// How media are processed: a mode's name, or static processing with its limits.
pub type MediaProcessing = NameOr<ProcessingMode, StaticProcessing>;

impl From<ProcessingMode> for MediaProcessing {
    fn from(mode: ProcessingMode) -> Self {
        Self::Name(mode)
    }
}

impl From<StaticProcessing> for MediaProcessing {
    fn from(processing: StaticProcessing) -> Self {
        Self::Object(processing)
    }
}

open_enum! {
    /// How media are processed.
    pub enum ProcessingMode {
        /// Looked at once, as asked.
        Static = "static",
        /// The model looks where it needs to; video only.
        Agentic = "agentic",
    }
}

object! {
    /// Static processing; which limits apply depends on the kind of media.
    pub struct StaticProcessing as "type" = "static" {
        required {}
        optional {
            /// Which layers of a video are looked at.
            content_layers: Vec<VideoLayer>,
            /// Where to begin, in seconds with `s`, for example `10.5s`; sound and video.
            start_offset: String,
            /// Where to end; sound and video.
            end_offset: String,
            /// Frames per second; video.
            fps: f64,
            /// Which pages of a document.
            page_options: PageProcessing,
            /// Which cells of a spreadsheet.
            spreadsheet_options: SpreadsheetProcessing,
        }
    }
}

open_enum! {
    /// A layer of a video.
    pub enum VideoLayer {
        /// The pictures.
        Frames = "frames",
        /// The sound.
        Audio = "audio",
        /// The spoken words.
        Transcript = "transcript",
    }
}

object! {
    /// Which pages of a document are looked at.
    pub struct PageProcessing {
        required {}
        optional {
            /// Which layers of a page.
            content_layers: Vec<PageLayer>,
            /// The first page, from 1.
            start_page: i64,
            /// The last page, inclusive.
            end_page: i64,
        }
    }
}

open_enum! {
    /// A layer of a page.
    pub enum PageLayer {
        /// How the page looks.
        PageImage = "page_image",
        /// The page's text.
        PageText = "page_text",
    }
}

object! {
    /// Which cells of a spreadsheet are looked at.
    pub struct SpreadsheetProcessing {
        required {}
        optional {
            /// Which layers of the sheet.
            content_layers: Vec<SheetLayer>,
            /// The sheet, from 1.
            sheet_index: i64,
            /// The cells in A1 notation.
            visible_cells: String,
        }
    }
}

open_enum! {
    /// A layer of a spreadsheet.
    pub enum SheetLayer {
        /// How the sheet looks.
        Visual = "visual",
        /// The values.
        Data = "data",
        /// The formulas.
        Formulas = "formulas",
    }
}
