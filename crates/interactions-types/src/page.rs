//! What the calls on every kind of resource share.

use crate::wire::object;
use crate::{InteractionId, PageToken};

object! {
    /// The query of a call that lists: which page of the list.
    pub struct ListQuery {
        required {}
        optional {
            /// How many entries at most.
            page_size: i64,
            /// Where the page begins: the `next_page_token` of the page before.
            page_token: PageToken,
        }
    }
}

object! {
    /// The query of a `PATCH`: which fields change.
    pub struct UpdateQuery {
        required {}
        optional {
            /// The names of the fields, with commas between; absent, those that the body has.
            update_mask: String,
        }
    }
}

object! {
    /// An object without fields: the reply to a delete, a ping and its reply.
    pub struct Empty {
        required {}
    }
}

object! {
    /// The reply of `GET /interactions`, which only Vertex has.
    pub struct ListInteractionsResponse {
        required {}
        default {
            /// The interactions of this page.
            interaction_metadatas: Vec<InteractionMetadata>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}

object! {
    /// An interaction in a list.
    pub struct InteractionMetadata {
        required {
            /// The interaction.
            id: InteractionId,
        }
    }
}
