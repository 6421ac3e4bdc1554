//! What a server offers beside tools: resources and prompts.

use interactions_types::{Content, JsonObject};
use rmcp::model::{
    ClientRequest, GetPromptRequest, GetPromptRequestParams, ListPromptsRequest,
    ListResourcesRequest, PaginatedRequestParams, ReadResourceRequest, ReadResourceRequestParams,
};
use serde_json::Value;

use crate::reply::{read_block, resource};
use crate::{McpError, McpServer};

/// How many pages a list may have, and how many entries.
const PAGE_LIMIT: usize = 100;
const ENTRY_LIMIT: usize = 10_000;

/// Something that a server lets be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpResource {
    /// What it is read by.
    pub uri: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its media type (`mimeType`).
    pub mime_type: Option<String>,
}

/// A prompt that a server has ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpPrompt {
    /// What it is asked for by.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What can be filled in: the name, what it is, and whether it has to be.
    pub arguments: Vec<McpPromptArgument>,
}

/// Something to fill into a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpPromptArgument {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Whether the prompt needs it.
    pub required: bool,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct McpPromptMessage {
    /// Who says it: `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: Content,
}

impl McpServer {
    /// The resources that can be read, all pages of them.
    ///
    /// # Errors
    /// As [`tools`](Self::tools).
    pub async fn resources(&self) -> Result<Vec<McpResource>, McpError> {
        let request =
            |params| ClientRequest::ListResourcesRequest(ListResourcesRequest::with_param(params));
        let entries = self.pages("resources", request).await?;
        let read = |entry: &Value| {
            Some(McpResource {
                uri: text(entry, "uri")?,
                name: text(entry, "name").unwrap_or_default(),
                description: text(entry, "description"),
                mime_type: text(entry, "mimeType"),
            })
        };
        Ok(entries.iter().filter_map(read).collect())
    }

    /// Reads a resource: text, media or documents by their type.
    ///
    /// # Errors
    /// [`Rejected`](crate::McpErrorKind::Rejected) when there is none, otherwise as [`call`](Self::call).
    pub async fn read_resource(&self, uri: &str) -> Result<Vec<Content>, McpError> {
        let params = ReadResourceRequestParams::new(uri);
        let request = ClientRequest::ReadResourceRequest(ReadResourceRequest::new(params));
        let read = self.question(request, &format!("resource `{uri}`")).await?;
        Ok(read["contents"].as_array().into_iter().flatten().map(resource).collect())
    }

    /// The prompts that it has ready, all pages of them.
    ///
    /// # Errors
    /// As [`tools`](Self::tools).
    pub async fn prompts(&self) -> Result<Vec<McpPrompt>, McpError> {
        let request =
            |params| ClientRequest::ListPromptsRequest(ListPromptsRequest::with_param(params));
        let entries = self.pages("prompts", request).await?;
        let argument = |entry: &Value| {
            Some(McpPromptArgument {
                name: text(entry, "name")?,
                description: text(entry, "description"),
                required: entry["required"].as_bool().unwrap_or(false),
            })
        };
        let read = |entry: &Value| {
            Some(McpPrompt {
                name: text(entry, "name")?,
                description: text(entry, "description"),
                arguments: entry["arguments"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(argument)
                    .collect(),
            })
        };
        Ok(entries.iter().filter_map(read).collect())
    }

    /// A prompt, filled in.
    ///
    /// # Errors
    /// [`Rejected`](crate::McpErrorKind::Rejected) when there is none or something is missing,
    /// otherwise as [`call`](Self::call).
    pub async fn prompt(
        &self,
        name: &str,
        arguments: JsonObject,
    ) -> Result<Vec<McpPromptMessage>, McpError> {
        let params = GetPromptRequestParams::new(name).with_arguments(arguments);
        let request = ClientRequest::GetPromptRequest(GetPromptRequest::new(params));
        let filled = self.question(request, &format!("prompt `{name}`")).await?;
        let message = |message: &Value| McpPromptMessage {
            role: text(message, "role").unwrap_or_default(),
            content: read_block(&message["content"]),
        };
        Ok(filled["messages"].as_array().into_iter().flatten().map(message).collect())
    }

    /// Reads a list page by page.
    pub(crate) async fn pages(
        &self,
        what: &str,
        request: impl Fn(PaginatedRequestParams) -> ClientRequest,
    ) -> Result<Vec<Value>, McpError> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGE_LIMIT {
            let params = PaginatedRequestParams::default().with_cursor(cursor.clone());
            let page =
                self.question(request(params), &format!("its {what} could not be listed")).await?;
            let Some(found) = page[what].as_array() else {
                return Err(
                    self.protocol(&format!("the server answered with something other than {what}"))
                );
            };
            entries.extend(found.iter().cloned());
            let next = text(&page, "nextCursor");
            if next.is_none() {
                return Ok(entries);
            }
            if next == cursor || entries.len() > ENTRY_LIMIT {
                break;
            }
            cursor = next;
        }
        Err(self.protocol(&format!(
            "the list of {what} does not end; the server repeats or overflows it"
        )))
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}
